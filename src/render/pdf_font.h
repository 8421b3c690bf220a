/* render/pdf_font.h: reads an OpenType font file (ISO/IEC 14496-22): which glyph
 * a character has, how wide it is and, of TrueType outlines, their bytes. Every offset
 * of the file is checked, so a broken or hostile font gives an error or an empty
 * glyph and never more. Outlines are those of "glyf" or of "CFF ", see pdf_cff.h. */
#ifndef CS_RENDER_PDF_FONT_H
#define CS_RENDER_PDF_FONT_H

#include "base/buf.h"

struct cs_pdf_font;

#define CS_PDF_FONT_NAME_MAX 63u

/* Lengths are in thousandths of the em, y grows upwards. */
struct cs_pdf_font_facts {
    char name[CS_PDF_FONT_NAME_MAX + 1];   /* PostScript name: [A-Za-z0-9-]+ */
    char family[CS_PDF_FONT_NAME_MAX + 1]; /* printable ASCII; "" when not known */
    int ascent, descent;                   /* descent is negative */
    int cap_height, x_height;
    int box[4]; /* left, bottom, right, top of all glyphs */
    int italic_angle;
    uint16_t units_per_em;
    uint16_t glyph_count;
    bool bold, italic, fixed_pitch;
    bool cff; /* PostScript outlines */
};

/* Maps the file into memory; index chooses a font of a collection, else 0.
 * CS_ENOTFOUND when there is no such file, CS_EUNSUPPORTED for a font of another
 * kind, CS_EINVAL for a broken one. */
enum cs_code cs_pdf_font_open(struct cs_pdf_font **font_out, const char *path,
                              unsigned index, struct cs_err *err) CS_MUST_USE;

/* The same from memory, which is borrowed and must outlive the font. */
enum cs_code cs_pdf_font_read(struct cs_pdf_font **font_out, struct cs_view bytes,
                              unsigned index, struct cs_err *err) CS_MUST_USE;
void cs_pdf_font_free(struct cs_pdf_font *font);

/* Gives back the memory that the parts of a mapped file take which were read; where
 * they are read again, the system brings them back from its cache of files. */
void cs_pdf_font_rest(const struct cs_pdf_font *font);

const struct cs_pdf_font_facts *cs_pdf_font_facts(const struct cs_pdf_font *font);

/* The glyph of a Unicode code point; 0 when the font has none. */
uint16_t cs_pdf_font_glyph(const struct cs_pdf_font *font, uint32_t code_point);

/* Advance width in thousandths of the em, rounded. */
uint16_t cs_pdf_font_advance(const struct cs_pdf_font *font, uint16_t glyph);

/* The glyph's entry of "glyf"; empty where there is none, for a blank glyph or a broken
 * entry. */
struct cs_view cs_pdf_font_outline(const struct cs_pdf_font *font, uint16_t glyph);

/* A whole table by its four-letter tag; ptr NULL when it is missing. */
struct cs_view cs_pdf_font_table(const struct cs_pdf_font *font, const char tag[4]);

/* Left side bearing and advance in font units, as "hmtx" has them. */
void cs_pdf_font_metrics(const struct cs_pdf_font *font, uint16_t glyph,
                         uint16_t *advance_out, int16_t *bearing_out);

/* Kerning between two glyphs in thousandths of the em; 0 without. */
int cs_pdf_font_kern(const struct cs_pdf_font *font, uint16_t left, uint16_t right);

#endif
