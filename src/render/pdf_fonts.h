/* render/pdf_fonts.h: the fonts of one report: a text family and a fixed-pitch
 * one in up to four styles, and further fonts for the characters that these
 * lack. Font files are opened when a character first needs them. */
#ifndef CS_RENDER_PDF_FONTS_H
#define CS_RENDER_PDF_FONTS_H

#include "render/pdf_font.h"
#include "render/pdf_subset.h"

/* A style is a sum of these. */
enum { CS_PDF_BOLD = 1, CS_PDF_ITALIC = 2, CS_PDF_MONO = 4, CS_PDF_STYLES = 8 };

struct cs_pdf_glyph {
    uint16_t face;    /* number of the font in the report */
    uint16_t slot;    /* code in the PDF */
    uint16_t advance; /* thousandths of the font size */
    uint8_t fake;     /* CS_PDF_BOLD, CS_PDF_ITALIC: to be drawn thicker, slanted */
    bool missing;     /* no font has it: a mark is shown in its place */
};

struct cs_pdf_fonts;

/* places: colon-separated font files and folders, best first; NULL or "" for
 * the usual places of fonts. CS_ENOTFOUND, with field RENDER_FONTS, when there
 * is no font for plain text among them. */
enum cs_code cs_pdf_fonts_new(struct cs_pdf_fonts **fonts_out, const char *places,
                              struct cs_err *err) CS_MUST_USE;
void cs_pdf_fonts_free(struct cs_pdf_fonts *fonts);

/* The glyph that shows the character `shape` and is read back as text[0..count-1]. */
enum cs_code cs_pdf_fonts_glyph(struct cs_pdf_fonts *fonts, unsigned style,
                                uint32_t shape, const uint32_t *text, size_t count,
                                struct cs_pdf_glyph *glyph_out,
                                struct cs_err *err) CS_MUST_USE;

/* The same for a printable character of ASCII that stands for itself. */
enum cs_code cs_pdf_fonts_ascii(struct cs_pdf_fonts *fonts, unsigned style,
                                unsigned char c, struct cs_pdf_glyph *glyph_out,
                                struct cs_err *err) CS_MUST_USE;

/* Whether a font of the report has the character. */
bool cs_pdf_fonts_has(struct cs_pdf_fonts *fonts, unsigned style, uint32_t code_point);

/* Kerning between two neighbours of the same face, in thousandths of the size. */
int cs_pdf_fonts_kern(struct cs_pdf_fonts *fonts, uint16_t face, uint16_t left_slot,
                      uint16_t right_slot);

/* Height of capitals of the text family, thousandths of the size. */
int cs_pdf_fonts_cap_height(const struct cs_pdf_fonts *fonts);

/* Faces are numbered from 0; font and subset are NULL for one never used. */
size_t cs_pdf_fonts_count(const struct cs_pdf_fonts *fonts);
const struct cs_pdf_font *cs_pdf_fonts_font(const struct cs_pdf_fonts *fonts,
                                            size_t face);
const struct cs_pdf_subset *cs_pdf_fonts_subset(const struct cs_pdf_fonts *fonts,
                                                size_t face);

#endif
