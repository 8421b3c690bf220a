#include "config.h"

#include "render/pattern.h"

struct sketch {
    uint64_t seed;
    cs_pattern_fn *draw;
    void *data;
};

static uint64_t hash_of(struct cs_view text)
{
    uint64_t hash = 1469598103934665603u;

    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 1099511628211u;
    return hash;
}

/* A number below `below`, from a sequence that the seed determines (SplitMix64). */
static unsigned pick(struct sketch *sketch, unsigned below)
{
    uint64_t z = (sketch->seed += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

static void box(struct sketch *sketch, unsigned colour, unsigned x, unsigned y,
                unsigned width, unsigned height)
{
    sketch->draw(sketch->data, &(struct cs_pattern_shape){.kind = CS_PATTERN_BOX,
                                                          .colour = colour,
                                                          .x = x,
                                                          .y = y,
                                                          .width = width,
                                                          .height = height});
}

static void disc(struct sketch *sketch, unsigned colour, unsigned x, unsigned y,
                 unsigned radius)
{
    sketch->draw(
        sketch->data,
        &(struct cs_pattern_shape){
            .kind = CS_PATTERN_DISC, .colour = colour, .x = x, .y = y, .size = radius});
}

/* Tiles of quarter circles and circles, 4 by 3. */
static void tiles(struct sketch *sketch)
{
    for (unsigned i = 0; i < 12; i++) {
        unsigned x = i % 4 * CS_PATTERN_TILE, y = i / 4 * CS_PATTERN_TILE;
        unsigned shape = pick(sketch, 7), front;

        box(sketch, pick(sketch, 3), x, y, CS_PATTERN_TILE, CS_PATTERN_TILE);
        front = 3 + pick(sketch, 3);
        if (shape < 4)
            sketch->draw(sketch->data,
                         &(struct cs_pattern_shape){.kind = CS_PATTERN_QUARTER,
                                                    .colour = front,
                                                    .x = x,
                                                    .y = y,
                                                    .corner = shape});
        else if (shape < 6)
            disc(sketch, front, x + CS_PATTERN_TILE / 2, y + CS_PATTERN_TILE / 2,
                 22 + pick(sketch, 24));
    }
}

/* Rings around a point off the middle. */
static void rings(struct sketch *sketch)
{
    unsigned x = 180 + pick(sketch, 160), y = 90 + pick(sketch, 140);

    box(sketch, 0, 0, 0, CS_PATTERN_WIDTH, CS_PATTERN_HEIGHT);
    for (unsigned i = 0; i < 7; i++) {
        unsigned colour = (i + pick(sketch, 2)) % CS_PATTERN_COLOURS;

        disc(sketch, colour, x, y, 290 - i * 42 + pick(sketch, 14));
    }
}

/* Waves one before the other, and a sun. */
static void waves(struct sketch *sketch)
{
    unsigned x = 100 + pick(sketch, 220), y = 70 + pick(sketch, 40);

    box(sketch, 0, 0, 0, CS_PATTERN_WIDTH, CS_PATTERN_HEIGHT);
    disc(sketch, 4, x, y, 36 + pick(sketch, 26));
    for (unsigned i = 0; i < 5; i++) {
        struct cs_pattern_shape wave = {.kind = CS_PATTERN_WAVE,
                                        .colour = 1 + (i + 1) % 5};

        wave.y = 110 + i * 38 + pick(sketch, 14);
        wave.size = 18 + pick(sketch, 26);
        wave.x = pick(sketch, 2 * CS_PATTERN_TILE);
        sketch->draw(sketch->data, &wave);
    }
}

void cs_pattern_draw(struct cs_view seed, cs_pattern_fn *draw, void *data)
{
    struct sketch sketch = {.seed = hash_of(seed), .draw = draw, .data = data};
    unsigned kind = pick(&sketch, 3);

    if (kind == 0)
        tiles(&sketch);
    else if (kind == 1)
        rings(&sketch);
    else
        waves(&sketch);
}

void cs_pattern_colours(struct cs_colour out[CS_PATTERN_COLOURS],
                        const struct cs_palette *palette)
{
    struct cs_colour fill = palette->light.fill, second = palette->light.second;

    out[0] = second;
    out[1] = cs_colour_mix(second, fill, 0.35);
    out[2] = cs_colour_mix(second, palette->light.ink, 0.35);
    out[3] = fill;
    out[4] = palette->light.paper;
    out[5] = palette->count > 2 ? palette->swatches[2].colour
                                : cs_colour_mix(fill, palette->light.paper, 0.45);
}
