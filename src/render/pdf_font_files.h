/* render/pdf_font_files.h: the fonts that reports may take: files found and mapped
 * once, nothing in them is changed afterwards. A process that makes many reports in
 * children opens them before it forks, so that no report looks for them again. */
#ifndef CS_RENDER_PDF_FONT_FILES_H
#define CS_RENDER_PDF_FONT_FILES_H

#include "render/pdf_font.h"

/* A style is a sum of these. */
enum { CS_PDF_BOLD = 1, CS_PDF_ITALIC = 2, CS_PDF_MONO = 4, CS_PDF_STYLES = 8 };

/* Chinese characters look different by country; a font draws them for one. */
enum cs_pdf_region {
    CS_PDF_ANY_REGION,
    CS_PDF_JAPAN,
    CS_PDF_KOREA,
    CS_PDF_CHINA,
    CS_PDF_TAIWAN
};

struct cs_pdf_font_file {
    struct cs_pdf_font *font;
    uint8_t style;
    uint8_t region; /* enum cs_pdf_region */
};

struct cs_pdf_font_files;

/* places: colon-separated font files and folders, best first; NULL or "" for
 * the usual places of fonts. CS_ENOTFOUND, with field RENDER_FONTS, when there
 * is no font for plain text among them. */
enum cs_code cs_pdf_font_files_new(struct cs_pdf_font_files **files_out,
                                   const char *places, struct cs_err *err) CS_MUST_USE;
void cs_pdf_font_files_free(struct cs_pdf_font_files *files);

/* Numbered from 0, best first for characters that the families lack. */
size_t cs_pdf_font_files_count(const struct cs_pdf_font_files *files);
const struct cs_pdf_font_file *cs_pdf_font_files_at(const struct cs_pdf_font_files *files,
                                                    size_t i);

/* The number of the file for a style of the text family or, with CS_PDF_MONO, of the
 * fixed-pitch one; -1 where there is none. Style 0 always has one. */
int cs_pdf_font_files_style(const struct cs_pdf_font_files *files, unsigned style);

#endif
