/* render/pdf_fonts.h: the fonts of one report: a text family and a fixed-pitch
 * one in up to four styles, and further fonts for the characters that these
 * lack; of each the part that the report uses. */
#ifndef CS_RENDER_PDF_FONTS_H
#define CS_RENDER_PDF_FONTS_H

#include "render/pdf_font_files.h"
#include "render/pdf_subset.h"

struct cs_pdf_glyph {
    uint16_t face;    /* number of the font in the report */
    uint16_t slot;    /* code in the PDF */
    uint16_t advance; /* thousandths of the font size */
    uint8_t fake;     /* CS_PDF_BOLD, CS_PDF_ITALIC: to be drawn thicker, slanted */
    bool missing;     /* no font has it: a mark is shown in its place */
};

struct cs_pdf_fonts;

/* The files are borrowed. language: of the text, which decides for which country
 * Chinese characters are drawn; NULL where it is not known. NULL when out of memory. */
struct cs_pdf_fonts *cs_pdf_fonts_new(const struct cs_pdf_font_files *files,
                                      const char *language);
void cs_pdf_fonts_free(struct cs_pdf_fonts *fonts);

/* The glyph that shows the character `shape` and is read back as text[0..count-1]. */
enum cs_code cs_pdf_fonts_glyph(struct cs_pdf_fonts *fonts, unsigned style,
                                uint32_t shape, const uint32_t *text, size_t count,
                                struct cs_pdf_glyph *glyph_out,
                                struct cs_err *err) CS_MUST_USE;

/* The same for a printable character of ASCII that stands for itself; NULL on failure. */
const struct cs_pdf_glyph *cs_pdf_fonts_ascii(struct cs_pdf_fonts *fonts, unsigned style,
                                              unsigned char c, struct cs_err *err);

/* Whether a font of the report has the character. */
bool cs_pdf_fonts_has(const struct cs_pdf_fonts *fonts, unsigned style,
                      uint32_t code_point);

/* Kerning between two neighbours of the same face, in thousandths of the size. */
int cs_pdf_fonts_kern(struct cs_pdf_fonts *fonts, uint16_t face, uint16_t left_slot,
                      uint16_t right_slot);

/* Height of capitals of the text family, thousandths of the size. */
int cs_pdf_fonts_cap_height(const struct cs_pdf_fonts *fonts);

/* Faces are numbered as the files are; the subset is NULL for one never used. */
size_t cs_pdf_fonts_count(const struct cs_pdf_fonts *fonts);
const struct cs_pdf_font *cs_pdf_fonts_font(const struct cs_pdf_fonts *fonts,
                                            size_t face);
const struct cs_pdf_subset *cs_pdf_fonts_subset(const struct cs_pdf_fonts *fonts,
                                                size_t face);

#endif
