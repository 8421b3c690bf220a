/* render/pdf_blocks.h: the blocks of a cmark-gfm tree on pages: paragraphs,
 * headings, lists, quotes, code, rules; tables by pdf_table.h. */
#ifndef CS_RENDER_PDF_BLOCKS_H
#define CS_RENDER_PDF_BLOCKS_H

#include <cmark-gfm.h>

#include "render/pdf_book.h"

#define CS_PDF_BODY_SIZE    10.0
#define CS_PDF_BODY_LEADING 15.0

/* Headings get a mark each and are added to the book's list. title is the one
 * that stands above the blocks: a first heading that repeats it is left out. */
void cs_pdf_blocks(struct cs_pdf_book *book, cmark_node *document, struct cs_view title,
                   struct cs_pdf_area area);

#endif
