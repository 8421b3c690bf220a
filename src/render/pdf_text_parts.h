/* render/pdf_text_parts.h: what a paragraph is made of; for pdf_text.c and
 * pdf_text_draw.c alone. */
#ifndef CS_RENDER_PDF_TEXT_PARTS_H
#define CS_RENDER_PDF_TEXT_PARTS_H

#include "render/pdf_text.h"
#include "render/pdf_vector.h"

enum {
    GLYPH_BLANK = 1,     /* dropped at the end of a line, which may break behind it */
    GLYPH_BREAK = 2,     /* a line may break behind it */
    GLYPH_NEWLINE = 4,   /* nothing to draw; the line ends */
    GLYPH_MISSING = 8,   /* a mark for what no font has */
    GLYPH_COMBINING = 16 /* belongs to the glyph before it */
};

struct letter {
    uint32_t code_point; /* '\n': a newline */
    uint16_t style;
};

struct glyph {
    uint16_t face, slot;
    uint16_t advance; /* thousandths of the size, as the PDF knows it */
    int16_t extra;    /* kerning and the like, behind the glyph */
    uint16_t style;
    uint8_t flags, fake, level;
};

struct run_style {
    struct cs_pdf_style style;
    const char *link;
};

struct cs_pdf_text {
    struct cs_pdf_fonts *fonts;
    struct cs_pdf_vector letters, glyphs, styles, lines;
    struct cs_pdf_vector levels, shapes, plain, order; /* scratch */
    unsigned missing;
    bool rtl;
    /* of the paragraph: letters above the Latin ones and spacing marks; lines or grounds
     * to draw; links; marks for what no font has */
    bool beyond_latin, decorated, linked, marked;
    bool levels_used; /* some glyph runs from right to left */
    enum cs_code failed;
    struct cs_err err;
};

static inline bool cs_pdf_text_reserve(struct cs_pdf_text *text,
                                       struct cs_pdf_vector *vector, size_t more,
                                       size_t size)
{
    if (text->failed != CS_OK)
        return false;
    if (!cs_pdf_vector_room(vector, more, size)) {
        text->failed = cs_err_nomem(&text->err);
        return false;
    }
    return true;
}

static inline struct glyph *cs_pdf_text_glyphs(const struct cs_pdf_text *text)
{
    return text->glyphs.items;
}

static inline const struct run_style *cs_pdf_text_style(const struct cs_pdf_text *text,
                                                        unsigned number)
{
    return (const struct run_style *)text->styles.items + number;
}

static inline double cs_pdf_text_advance(const struct cs_pdf_text *text,
                                         const struct glyph *glyph)
{
    return (glyph->advance + glyph->extra) * 0.001 *
           cs_pdf_text_style(text, glyph->style)->style.size;
}

static inline bool cs_pdf_same_colour(struct cs_colour a, struct cs_colour b)
{
    return a.red == b.red && a.green == b.green && a.blue == b.blue;
}

#endif
