/* render/pdf_chart.h: the charts of a document as drawings on pages: shares as
 * bars, schedules on a calendar, durations of steps. */
#ifndef CS_RENDER_PDF_CHART_H
#define CS_RENDER_PDF_CHART_H

#include "render/document.h"
#include "render/pdf_book.h"

void cs_pdf_chart(struct cs_pdf_book *book, const struct cs_chart *chart,
                  struct cs_pdf_area area);

#endif
