/* render/pdf_chars.h: what the layout of text must know of Unicode: canonical
 * composition (UAX #15), where lines may break (the main rules of UAX #14),
 * blanks, invisible characters and emoji sequences (UTS #51). */
#ifndef CS_RENDER_PDF_CHARS_H
#define CS_RENDER_PDF_CHARS_H

#include "base/view.h"

/* The letter that base and mark compose to, or 0. Hangul included. */
uint32_t cs_pdf_compose(uint32_t base, uint32_t mark);

/* Width of a blank in thousandths of the size; -1: as wide as the font's space;
 * 0 for a character that is no blank. */
int cs_pdf_blank(uint32_t code_point);

/* A blank at which a line may break and which is dropped there. */
bool cs_pdf_breaking_blank(uint32_t code_point);

/* Nothing to see: joiners, variation selectors, direction marks, soft hyphen. */
bool cs_pdf_invisible(uint32_t code_point);

/* Changes the emoji before it without a picture of its own: skin, variant, joiner. */
bool cs_pdf_modifies(uint32_t code_point);

/* A combining mark, drawn over the character before it. */
bool cs_pdf_combining(uint32_t code_point);

/* Whether a line may break between two visible neighbours; before is the one
 * ahead of left, or 0. */
bool cs_pdf_break_between(uint32_t before, uint32_t left, uint32_t right);

/* Length of the sequence at text[0] that is one picture: an emoji with its
 * modifiers and joined parts, a flag, a keycap; 1 for any other character. */
size_t cs_pdf_cluster(const uint32_t *text, size_t count);

#endif
