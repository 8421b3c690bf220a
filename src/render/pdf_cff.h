/* render/pdf_cff.h: the part of a CFF font ("The Compact Font Format Specification",
 * Adobe Technical Note 5176) that a document uses, as a CID-keyed font of its own.
 * Charstrings ("The Type 2 Charstring Format", 5177) are written without subroutines:
 * their code takes the place of the calls. Every offset of the font is checked; a
 * broken charstring gives a blank glyph. */
#ifndef CS_RENDER_PDF_CFF_H
#define CS_RENDER_PDF_CFF_H

#include "base/buf.h"

/* Whether the table "CFF " can be read; CS_EINVAL with the reason when not. */
enum cs_code cs_pdf_cff_check(struct cs_view table, struct cs_err *err) CS_MUST_USE;

/* Appends a CFF font in which glyph and CID i are glyphs[i] of the table; glyphs[0] is
 * drawn for codes without a glyph. name is a PostScript name. */
void cs_pdf_cff_subset(struct cs_view table, const char *name, const uint16_t *glyphs,
                       size_t count, struct cs_buf *out);

#endif
