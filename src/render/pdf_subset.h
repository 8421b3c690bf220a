/* render/pdf_subset.h: the part of a font that a document uses. Each glyph gets
 * a slot, numbered in the order of first use; the slots are the codes in the
 * PDF, so that a report carries the outlines of its own letters alone.
 *
 * A slot is a glyph together with the text it stands for: the space and the
 * no-break space, a letter and its joined form, the mark for a character that no
 * font has, all read back as what was written. */
#ifndef CS_RENDER_PDF_SUBSET_H
#define CS_RENDER_PDF_SUBSET_H

#include "render/pdf_font.h"

struct cs_pdf_subset;

/* The font is borrowed. NULL when out of memory. */
struct cs_pdf_subset *cs_pdf_subset_new(const struct cs_pdf_font *font);
void cs_pdf_subset_free(struct cs_pdf_subset *subset);

#define CS_PDF_SLOTS_MAX     60000u
#define CS_PDF_SLOT_TEXT_MAX 16u /* code points that one slot may stand for */

/* The slot of a glyph that stands for count code points; CS_ETOOBIG when the
 * slots are used up. */
enum cs_code cs_pdf_subset_slot(struct cs_pdf_subset *subset, uint16_t glyph,
                                const uint32_t *text, size_t count, uint16_t *slot_out,
                                struct cs_err *err) CS_MUST_USE;

/* Slots in use, slot 0 (no glyph) included; 1 when nothing was used. */
size_t cs_pdf_subset_count(const struct cs_pdf_subset *subset);

/* The font's own number of a slot's glyph. */
uint16_t cs_pdf_subset_glyph(const struct cs_pdf_subset *subset, uint16_t slot);

/* Advance of a slot in thousandths of the em. */
uint16_t cs_pdf_subset_advance(const struct cs_pdf_subset *subset, uint16_t slot);

/* Appends a font with the glyphs of the slots, in their order: a TrueType file without
 * hinting and without the tables that PDF does not need (ISO 32000-1, 9.9), or a
 * CID-keyed CFF font where the outlines are PostScript. */
void cs_pdf_subset_font(const struct cs_pdf_subset *subset, struct cs_buf *out);

/* Appends the CMap from slots to text (ISO 32000-1, 9.10.3). */
void cs_pdf_subset_to_unicode(const struct cs_pdf_subset *subset, struct cs_buf *out);

#endif
