/* render/html_writer.h: a section's Markdown tree as HTML. */
#ifndef CS_RENDER_HTML_WRITER_H
#define CS_RENDER_HTML_WRITER_H

#include "render/document.h"

struct cs_html_writer {
    struct cs_buf *out;
    const char *language;
    const struct cs_section
        *section;    /* whose headings get ids, and anchors their targets */
    size_t headings; /* written so far; part of their ids */
    size_t tables;
    struct cs_buf anchors; /* slugs of the section's headings, a line each */
    bool anchors_listed;
    cmark_node
        *title; /* a heading that stands above all others, shown elsewhere; or NULL */
};

void cs_html_writer_init(struct cs_html_writer *writer, struct cs_buf *out,
                         const char *language, const struct cs_section *section);
/* Takes the heading that the content begins with and that is the only one of its
 * level out of what will be written: it is the section's own title. The headings
 * below it rise by one level. Its plain text is appended to `text`; false when
 * there is none. */
bool cs_html_writer_take_title(struct cs_html_writer *writer, struct cs_buf *text);

void cs_html_writer_clear(struct cs_html_writer *writer);

/* Appends the section's content. */
void cs_html_write(struct cs_html_writer *writer);

/* Whether the parts of the content are variations of one thing: headings of one
 * level that begin with the same word ("Variation A", "Variation B"). */
bool cs_html_has_variations(const struct cs_section *section);

/* Appends the section's content. Where it is made of parts under headings of one
 * level, as personas and concepts are, each part becomes a card. */
void cs_html_write_cards(struct cs_html_writer *writer);

#endif
