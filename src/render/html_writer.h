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
};

void cs_html_writer_init(struct cs_html_writer *writer, struct cs_buf *out,
                         const char *language, const struct cs_section *section);
void cs_html_writer_clear(struct cs_html_writer *writer);

/* Appends one block of the section's content (a child of its root, or the root). */
void cs_html_write(struct cs_html_writer *writer, cmark_node *node);

/* Appends the section's content. Where it is made of parts under headings of one
 * level, as personas and concepts are, each part becomes a card. */
void cs_html_write_cards(struct cs_html_writer *writer);

#endif
