/* render/pdf_inline.h: the inline content of a cmark-gfm node as styled text. */
#ifndef CS_RENDER_PDF_INLINE_H
#define CS_RENDER_PDF_INLINE_H

#include <cmark-gfm.h>

#include "render/pdf_book.h"

struct cs_pdf_inline {
    struct cs_pdf_style base;
    struct cs_buf *plain; /* gets the text without any style; may be NULL */
    /* called when the text has become so long that a part should be set at
     * once; it empties the text. May be NULL. */
    void (*full)(void *context);
    void *context;
};

/* Adds to book->text. Walks, and does not recurse. */
void cs_pdf_inline_add(struct cs_pdf_book *book, cmark_node *parent,
                       const struct cs_pdf_inline *how);

#endif
