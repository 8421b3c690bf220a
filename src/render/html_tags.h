/* render/html_tags.h: the bits of HTML that stand in Markdown of language
 * models, read tag by tag. */
#ifndef CS_RENDER_HTML_TAGS_H
#define CS_RENDER_HTML_TAGS_H

#include "base/buf.h"

/* What a tag means for text that is to be shown without HTML. */
enum cs_tag_effect {
    CS_TAG_UNKNOWN, /* the tag is shown as code, since it may carry content */
    CS_TAG_PLAIN,   /* has no effect on plain text: span, center, ... */
    CS_TAG_BREAK,   /* a line break */
    CS_TAG_RULE,
    CS_TAG_BLOCK, /* begins or ends a paragraph */
    CS_TAG_ITEM,
    CS_TAG_HEADING,
    CS_TAG_SUMMARY,
    CS_TAG_STRONG,
    CS_TAG_EMPH,
    CS_TAG_DELETED,
    CS_TAG_LINK,
    CS_TAG_IMAGE,
    CS_TAG_COMMENT
};

struct cs_tag {
    struct cs_view text; /* all of it, "<a href=...>" */
    struct cs_view name; /* as written */
    enum cs_tag_effect effect;
    bool closing;
    int level;             /* of headings */
    struct cs_view target; /* href of links, src of images; entities not decoded */
    struct cs_view alt;    /* of images; the text of a comment */
};

/* Reads the tag or comment at the front of the text, which begins with '<'.
 * False when there is none. A tag with an attribute that is neither used here
 * nor mere dressing (class, style, align, ...) is CS_TAG_UNKNOWN. */
bool cs_tag_read(struct cs_tag *out, struct cs_view text);

#endif
