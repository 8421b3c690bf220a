/* render/pdf_bidi.h: text that runs from right to left: embedding levels
 * (UAX #9), mirrored brackets and joined Arabic letters, by fribidi. The only
 * module that sees <fribidi.h>. */
#ifndef CS_RENDER_PDF_BIDI_H
#define CS_RENDER_PDF_BIDI_H

#include "base/err.h"
#include "base/view.h"

/* A letter that its neighbour took up into a ligature. */
#define CS_PDF_BIDI_TAKEN 0xfeffu

/* Whether the text has a character that runs from right to left. */
bool cs_pdf_bidi_needed(const uint32_t *text, size_t count);

/* Gives each character its level (odd: right to left) and the character to draw
 * in its place: itself, its mirror image, a joined form, or CS_PDF_BIDI_TAKEN
 * behind a ligature. *rtl is the base direction where the text has no strong
 * character; afterwards the direction of the paragraph. */
enum cs_code cs_pdf_bidi(const uint32_t *text, size_t count, bool *rtl,
                         uint8_t *levels_out, uint32_t *shapes_out,
                         struct cs_err *err) CS_MUST_USE;

/* The order in which a line's characters stand from left to right: order_out[i]
 * is the i-th from the left (UAX #9, L2). */
void cs_pdf_bidi_order(const uint8_t *levels, size_t count, size_t *order_out);

#endif
