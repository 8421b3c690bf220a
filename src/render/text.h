/* render/text.h: text of the data made fit to be shown. */
#ifndef CS_RENDER_TEXT_H
#define CS_RENDER_TEXT_H

#include "base/buf.h"

/* Appends the text so that it holds only what may be shown: CR LF and CR become
 * LF, NUL and other control characters and non-characters U+FFFD, bidi embeddings
 * and overrides (U+202A to U+202E) vanish, as they make a text read other than
 * it was written. Bytes that are not UTF-8 become U+FFFD. */
void cs_text_clean(struct cs_buf *out, struct cs_view text);

/* The same in one line: runs of white space become one space, none at the ends. */
void cs_text_line(struct cs_buf *out, struct cs_view text);

/* Appends the Markdown, cleaned, without the fences in which language models
 * wrap a whole answer (```markdown ... ```); what stands before and after stays.
 * A text that is a whole HTML page becomes one code block. */
void cs_text_markdown(struct cs_buf *out, struct cs_view text);

/* Appends the part that fits into max bytes, cut between words, with "…". */
void cs_text_cut(struct cs_buf *out, struct cs_view text, size_t max);

/* Appends a slug of at most 60 bytes of [a-z0-9-]: ASCII letters lowered, Latin
 * letters with marks as their base letter, the rest as single hyphens. May append
 * nothing. */
void cs_text_slug(struct cs_buf *out, struct cs_view text);

/* True for http:, https:, mailto: and "#..." addresses without white space,
 * quotes or control characters. */
bool cs_text_link_allowed(struct cs_view url);

/* Appends a URL with the bytes that URLs do not have (RFC 3986) as %XX. */
void cs_text_url(struct cs_buf *out, struct cs_view url);

/* True for http: and https: alone. */
bool cs_text_is_web_url(struct cs_view url);

/* Appends text for HTML: & < > " ' escaped, for element content and for quoted
 * attributes alike. */
void cs_text_html(struct cs_buf *out, struct cs_view text);

#endif
