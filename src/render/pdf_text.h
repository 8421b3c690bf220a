/* render/pdf_text.h: a paragraph: runs of styled text become glyphs, glyphs
 * become lines of a width, lines become operators. One paragraph object serves a
 * whole report, one paragraph after the other.
 *
 * Adding text never fails half-way: the first failure is kept, later calls do
 * nothing, and cs_pdf_text_check() tells it. */
#ifndef CS_RENDER_PDF_TEXT_H
#define CS_RENDER_PDF_TEXT_H

#include "render/palette.h"
#include "render/pdf_doc.h"
#include "render/pdf_fonts.h"

struct cs_pdf_style {
    double size; /* points */
    double rise; /* of the baseline, points */
    struct cs_colour colour;
    struct cs_colour backdrop; /* behind the text, where `boxed` */
    uint8_t font;              /* CS_PDF_BOLD, ... */
    bool boxed, strike, underline;
    bool mark; /* a list's marker or the like: no break after it */
};

enum cs_pdf_align { CS_PDF_LEFT, CS_PDF_CENTRE, CS_PDF_RIGHT };

struct cs_pdf_line {
    size_t start, end; /* glyphs of the line, blanks at its end left out */
    double width;
};

struct cs_pdf_text;

struct cs_pdf_text *cs_pdf_text_new(struct cs_pdf_fonts *fonts);
void cs_pdf_text_free(struct cs_pdf_text *text);

/* An empty paragraph; rtl is its base direction where the text itself has none. */
void cs_pdf_text_reset(struct cs_pdf_text *text, bool rtl);

/* Adds UTF-8; broken bytes become U+FFFD, line feeds and tabs blanks. link is
 * NULL or the address that the text leads to; it is borrowed until the reset. */
void cs_pdf_text_add(struct cs_pdf_text *text, struct cs_view utf8,
                     const struct cs_pdf_style *style, const char *link);
void cs_pdf_text_newline(struct cs_pdf_text *text);

/* Characters so far; whether there is anything to see. */
size_t cs_pdf_text_length(const struct cs_pdf_text *text);

/* Turns what was added into glyphs. Nothing may be added after it. */
void cs_pdf_text_shape(struct cs_pdf_text *text);

/* Width of the longest word, and of the text on one line (the longest between
 * newlines). After shaping. */
void cs_pdf_text_widths(const struct cs_pdf_text *text, double *word_out,
                        double *line_out);

/* Breaks it into lines of at most width; words that are longer are cut. The
 * lines belong to the text. balance: as many lines as needed, of about the same
 * length, for titles. */
const struct cs_pdf_line *cs_pdf_text_lines(struct cs_pdf_text *text, double width,
                                            bool balance, size_t *count_out);

/* Whether the paragraph runs from right to left. After shaping. */
bool cs_pdf_text_rtl(const struct cs_pdf_text *text);

/* The largest size of a line's glyphs, points; 0 when it has none. */
double cs_pdf_text_size(const struct cs_pdf_text *text, const struct cs_pdf_line *line);

/* Appends a line's operators, its left end at x on the baseline y. */
void cs_pdf_text_draw(struct cs_pdf_text *text, const struct cs_pdf_line *line,
                      struct cs_buf *out, double x, double y);

/* The runs of a drawn line that lead somewhere: calls back for each. */
typedef void (*cs_pdf_link_fn)(void *context, struct cs_pdf_rect rect, const char *link);
void cs_pdf_text_links(const struct cs_pdf_text *text, const struct cs_pdf_line *line,
                       double x, double y, cs_pdf_link_fn found, void *context);

/* Marks drawn in place of characters that no font has, in all paragraphs. */
unsigned cs_pdf_text_missing(const struct cs_pdf_text *text);

enum cs_code cs_pdf_text_check(const struct cs_pdf_text *text,
                               struct cs_err *err) CS_MUST_USE;

#endif
