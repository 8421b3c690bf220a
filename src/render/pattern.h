/* render/pattern.h: a decorative drawing that belongs to a campaign. Arrangement
 * and shapes come from the seed text alone, so website and report show the same. */
#ifndef CS_RENDER_PATTERN_H
#define CS_RENDER_PATTERN_H

#include "render/palette.h"

#define CS_PATTERN_WIDTH   400u
#define CS_PATTERN_HEIGHT  300u
#define CS_PATTERN_TILE    100u /* side of a quarter's square, half of a wave */
#define CS_PATTERN_COLOURS 6u

enum cs_pattern_kind {
    CS_PATTERN_BOX,     /* from x, y to the right and down: width, height */
    CS_PATTERN_DISC,    /* around x, y: size is the radius */
    CS_PATTERN_QUARTER, /* of a disc, in the tile at x, y, around one of its corners */
    CS_PATTERN_WAVE,    /* an edge at y that begins x left of the drawing and swings by
                           size, with all that is below it */
};

/* A corner's bits: 1 right, 2 bottom. */
struct cs_pattern_shape {
    enum cs_pattern_kind kind;
    unsigned colour; /* below CS_PATTERN_COLOURS */
    unsigned x, y, width, height, size, corner;
};

typedef void cs_pattern_fn(void *data, const struct cs_pattern_shape *shape);

/* Calls `draw` for each shape, the hindmost first; y grows downwards. What lies
 * beyond the drawing is to be cut off. */
void cs_pattern_draw(struct cs_view seed, cs_pattern_fn *draw, void *data);

/* Second and first colour of the palette, what lies between them, and two light
 * ones. The same on light and dark pages. */
void cs_pattern_colours(struct cs_colour out[CS_PATTERN_COLOURS],
                        const struct cs_palette *palette);

#endif
