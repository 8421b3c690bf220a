/* render/pdf_cover.h: the first page of a report. */
#ifndef CS_RENDER_PDF_COVER_H
#define CS_RENDER_PDF_COVER_H

#include "render/document.h"
#include "render/pdf_book.h"

/* Appends the operators of the whole page. */
void cs_pdf_cover(struct cs_pdf_book *book, const struct cs_document *document,
                  const struct cs_pdf_frame *frame, struct cs_buf *out);

#endif
