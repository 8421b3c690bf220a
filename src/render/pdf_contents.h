/* render/pdf_contents.h: what is made from the list of headings: the pages of
 * contents, the outline, and the running heads and feet of all pages. */
#ifndef CS_RENDER_PDF_CONTENTS_H
#define CS_RENDER_PDF_CONTENTS_H

#include "render/document.h"
#include "render/pdf_book.h"

/* The body is written and its places are known. The pages of contents come
 * before the body's first page, whose number in the document is body_page; ahead
 * of them stands the cover. Gives the number of all pages. */
enum cs_code cs_pdf_contents(struct cs_pdf_book *book, struct cs_pdf_doc *doc,
                             const struct cs_document *document,
                             const struct cs_pdf_frame *frame, size_t *pages_out,
                             struct cs_err *err) CS_MUST_USE;

#endif
