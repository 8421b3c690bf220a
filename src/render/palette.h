/* render/palette.h: from what a brief says about colour ("Night blue #1D2B53,
 * lamp amber", "warm earth tones") to a checked set of colours. Only numbers
 * leave this module: no byte of the brief reaches a style sheet. */
#ifndef CS_RENDER_PALETTE_H
#define CS_RENDER_PALETTE_H

#include "base/buf.h"

struct cs_colour {
    uint8_t red, green, blue;
};

#define CS_COLOUR_HEX_LEN 7u /* "#rrggbb" */

void cs_colour_hex(char out[CS_COLOUR_HEX_LEN + 1], struct cs_colour colour);

/* WCAG 2.2: relative luminance from 0 to 1, contrast ratio from 1 to 21. */
double cs_colour_luminance(struct cs_colour colour);
double cs_colour_contrast(struct cs_colour a, struct cs_colour b);

/* A colour between a (share 0) and b (share 1). */
struct cs_colour cs_colour_mix(struct cs_colour a, struct cs_colour b, double share);

/* Black or white-ish: whichever reads better on the background. */
struct cs_colour cs_colour_ink_on(struct cs_colour background);

/* The colour, darkened or lightened until it has the wanted contrast on the
 * background. Keeps the hue. */
struct cs_colour cs_colour_readable(struct cs_colour colour, struct cs_colour background,
                                    double contrast);

#define CS_PALETTE_MAX 8u

struct cs_swatch {
    struct cs_colour colour;
    struct cs_view name; /* the words of the brief next to it, borrowed; may be empty */
};

/* One set for light pages and paper, one for dark pages. Text colours have a
 * contrast of at least 4.5 on the backgrounds they are named after. */
struct cs_scheme {
    struct cs_colour paper; /* page background */
    struct cs_colour
        surface; /* cards, table heads; text colours are readable on it as well */
    struct cs_colour ink;        /* body text on paper and surface */
    struct cs_colour muted;      /* secondary text on paper and surface */
    struct cs_colour line;       /* hairlines; decoration alone */
    struct cs_colour accent;     /* headings, links: readable on paper and surface */
    struct cs_colour fill;       /* the brand colour as it is: hero, buttons, bars */
    struct cs_colour fill_ink;   /* text on fill */
    struct cs_colour second;     /* second brand colour as it is */
    struct cs_colour second_ink; /* text on second */
};

struct cs_palette {
    struct cs_swatch swatches[CS_PALETTE_MAX]; /* as found in the brief, in order */
    size_t count; /* 0: nothing found, the schemes are defaults */
    struct cs_scheme light;
    struct cs_scheme dark;
};

/* Reads hex codes (#rgb, #rrggbb), rgb(r, g, b), colour names and moods in
 * English and French. `text` is borrowed by the swatches' names. Never fails:
 * text without any colour gives the default palette. Linear in the text. */
void cs_palette_parse(struct cs_palette *out, struct cs_view text);

#endif
