/* render/pdf_ops.h: operators of a page's content stream (ISO 32000-1, Annex A),
 * appended to a buffer. Lengths are points, y grows upwards. */
#ifndef CS_RENDER_PDF_OPS_H
#define CS_RENDER_PDF_OPS_H

#include "base/buf.h"
#include "render/palette.h"

/* A number with at most two decimals and a space behind it; a value that is not
 * finite or beyond what readers take is 0. */
void cs_pdf_number(struct cs_buf *out, double value);

void cs_pdf_fill_colour(struct cs_buf *out, struct cs_colour colour);
void cs_pdf_line_colour(struct cs_buf *out, struct cs_colour colour);

/* x and y are those of the lower left corner. A round box and a disc are drawn
 * by thick lines with round corners, which takes a tenth of the operators that
 * curves take; both set the colour. */
void cs_pdf_box(struct cs_buf *out, double x, double y, double width, double height);
void cs_pdf_round_box(struct cs_buf *out, struct cs_colour colour, double x, double y,
                      double width, double height, double radius);
void cs_pdf_disc(struct cs_buf *out, struct cs_colour colour, double x, double y,
                 double radius);
void cs_pdf_stroke_line(struct cs_buf *out, double x1, double y1, double x2, double y2,
                        double thickness);

/* A two-byte code of a string in parentheses, special bytes escaped, at `to`,
 * which has room for CS_PDF_CODE_MAX bytes; gives where the next one goes. */
#define CS_PDF_CODE_MAX 4u
char *cs_pdf_code(char *to, unsigned code);

#endif
