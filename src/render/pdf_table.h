/* render/pdf_table.h: tables. Columns share the width by what is in them; a
 * table that is too wide is set smaller, and one that is still too wide is
 * parted into groups of columns, each with the first column in front. Rows break
 * across pages with the head repeated, and rows higher than a page are parted. */
#ifndef CS_RENDER_PDF_TABLE_H
#define CS_RENDER_PDF_TABLE_H

#include <cmark-gfm.h>

#include "render/pdf_book.h"

void cs_pdf_table(struct cs_pdf_book *book, cmark_node *node, struct cs_pdf_area area);

#endif
