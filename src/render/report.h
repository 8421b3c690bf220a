/* render/report.h: the PDF report of a campaign: cover, contents, a section for
 * each part of the document, details in an appendix; outline, links, charts.
 *
 * The same document gives the same bytes on the same machine: times come from the
 * document, fonts are subsets numbered by first use. */
#ifndef CS_RENDER_REPORT_H
#define CS_RENDER_REPORT_H

#include "render/document.h"
#include "render/pdf_font_files.h"

struct cs_report_options {
    const struct cs_pdf_font_files *fonts; /* borrowed */
    bool letter;                           /* US Letter in place of A4 */
    bool spend; /* drop each section of the document once it is set: less memory */
    bool leave; /* don't free its parts at the end: for a process that ends with it */
};

struct cs_report_result {
    unsigned pages;
    unsigned missing_glyphs; /* characters shown by a mark, as no font has them */
};

/* Appends the PDF. CS_ERENDER when the report would be too long, CS_ETOOBIG, CS_ENOMEM.
 * The document is borrowed. */
enum cs_code cs_report_render(struct cs_buf *out, struct cs_document *document,
                              const struct cs_report_options *options,
                              struct cs_report_result *result,
                              struct cs_err *err) CS_MUST_USE;

/* CS_OK when the fonts for a report are there; else why not. For campaignctl. */
enum cs_code cs_report_check_fonts(const char *fonts, struct cs_err *err) CS_MUST_USE;

#endif
