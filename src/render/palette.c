#include "config.h"

#include "render/palette.h"

#include <math.h>

#include "base/encoding.h"
#include "render/text.h"

#define TEXT_CONTRAST 4.6 /* a little above WCAG AA's 4.5, for rounding */
#define BODY_CONTRAST 7.0 /* AAA */

static struct cs_colour from_rgb(uint32_t rgb)
{
    return (struct cs_colour){(uint8_t)(rgb >> 16), (uint8_t)(rgb >> 8), (uint8_t)rgb};
}

void cs_colour_hex(char out[CS_COLOUR_HEX_LEN + 1], struct cs_colour colour)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t parts[] = {colour.red, colour.green, colour.blue};

    *out++ = '#';
    for (size_t i = 0; i < CS_COUNT(parts); i++) {
        *out++ = digits[parts[i] >> 4];
        *out++ = digits[parts[i] & 15];
    }
    *out = '\0';
}

static double linear(uint8_t part)
{
    double value = part / 255.0;

    return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

double cs_colour_luminance(struct cs_colour colour)
{
    return 0.2126 * linear(colour.red) + 0.7152 * linear(colour.green) +
           0.0722 * linear(colour.blue);
}

double cs_colour_contrast(struct cs_colour a, struct cs_colour b)
{
    double one = cs_colour_luminance(a) + 0.05;
    double two = cs_colour_luminance(b) + 0.05;

    return one > two ? one / two : two / one;
}

static uint8_t mix_part(uint8_t a, uint8_t b, double share)
{
    return (uint8_t)lround(a + (b - a) * share);
}

struct cs_colour cs_colour_mix(struct cs_colour a, struct cs_colour b, double share)
{
    return (struct cs_colour){mix_part(a.red, b.red, share),
                              mix_part(a.green, b.green, share),
                              mix_part(a.blue, b.blue, share)};
}

struct cs_colour cs_colour_ink_on(struct cs_colour background)
{
    const struct cs_colour inks[] = {{255, 255, 255}, {20, 20, 26}, {0, 0, 0}};

    for (size_t i = 0; i + 1 < CS_COUNT(inks); i++)
        if (cs_colour_contrast(inks[i], background) >= TEXT_CONTRAST)
            return inks[i];
    /* Between the two, one of pure white and black always has 4.58. */
    return cs_colour_contrast(inks[0], background) >
                   cs_colour_contrast(inks[2], background)
               ? inks[0]
               : inks[2];
}

struct cs_colour cs_colour_readable(struct cs_colour colour, struct cs_colour background,
                                    double contrast)
{
    struct cs_colour end = cs_colour_luminance(background) > 0.18
                               ? (struct cs_colour){0, 0, 0}
                               : (struct cs_colour){255, 255, 255};

    for (int step = 0; step <= 25; step++) {
        struct cs_colour tried = cs_colour_mix(colour, end, step / 25.0);

        if (cs_colour_contrast(tried, background) >= contrast)
            return tried;
    }
    return end;
}

/* Difference between the strongest and the weakest part, 0 to 1. */
static double chroma(struct cs_colour c)
{
    uint8_t high = c.red > c.green ? c.red : c.green;
    uint8_t low = c.red < c.green ? c.red : c.green;

    high = c.blue > high ? c.blue : high;
    low = c.blue < low ? c.blue : low;
    return (high - low) / 255.0;
}

struct named_colour {
    const char *name; /* a slug: lower case, no marks */
    uint32_t rgb;
};

/* What brand people mean by the words, not the names of CSS. */
static const struct named_colour named_colours[] = {
    {"amber", 0xf2a900},    {"ambre", 0xf2a900},      {"anthracite", 0x383e42},
    {"aqua", 0x1fb5b5},     {"argent", 0xb4b8bd},     {"azul", 0x1f5fbf},
    {"azure", 0x2f80d0},    {"beige", 0xe9dcc3},      {"black", 0x17171a},
    {"blanc", 0xffffff},    {"blanco", 0xffffff},     {"blau", 0x1f5fbf},
    {"bleu", 0x1f5fbf},     {"blue", 0x1f5fbf},       {"bordeaux", 0x6d1a36},
    {"bronze", 0xa97142},   {"brown", 0x6f4a2f},      {"burgundy", 0x6d1a36},
    {"charcoal", 0x36393f}, {"copper", 0xb5652b},     {"coral", 0xf26b5b},
    {"corail", 0xf26b5b},   {"cream", 0xfbf5e6},      {"creme", 0xfbf5e6},
    {"crimson", 0xb3122d},  {"cyan", 0x0fa3b8},       {"dore", 0xc9a227},
    {"ecru", 0xf2ead6},     {"emerald", 0x0f8a5f},    {"emeraude", 0x0f8a5f},
    {"fuchsia", 0xd6248a},  {"gelb", 0xf5c518},       {"gold", 0xc9a227},
    {"golden", 0xc9a227},   {"gray", 0x7b8189},       {"green", 0x2b8a4b},
    {"grey", 0x7b8189},     {"gris", 0x7b8189},       {"grun", 0x2b8a4b},
    {"indigo", 0x3f3d9e},   {"ivoire", 0xfbf7ea},     {"ivory", 0xfbf7ea},
    {"jaune", 0xf5c518},    {"khaki", 0xa89f6b},      {"lavande", 0x9d8ac7},
    {"lavender", 0x9d8ac7}, {"lilac", 0xb89bd0},      {"lime", 0x8fc31f},
    {"magenta", 0xc2185b},  {"maroon", 0x6b1f2a},     {"marron", 0x6f4a2f},
    {"mauve", 0x9a7aa0},    {"mint", 0x7fcfae},       {"mustard", 0xd9a514},
    {"navy", 0x14284b},     {"negro", 0x17171a},      {"noir", 0x17171a},
    {"ochre", 0xc7822b},    {"ocre", 0xc7822b},       {"olive", 0x6f7a35},
    {"or", 0xc9a227},       {"orange", 0xee7a1c},     {"peach", 0xf6b59a},
    {"pink", 0xe0559a},     {"plum", 0x6b2d5c},       {"pourpre", 0x6b2d7e},
    {"purple", 0x6a3da8},   {"red", 0xc8202f},        {"rojo", 0xc8202f},
    {"rose", 0xd9627f},     {"rosa", 0xe0559a},       {"rot", 0xc8202f},
    {"rouge", 0xc8202f},    {"ruby", 0x9b1b3b},       {"rust", 0xa8472a},
    {"sable", 0xe3d2af},    {"saffron", 0xeea320},    {"sage", 0x8ba888},
    {"salmon", 0xf08a75},   {"sand", 0xe3d2af},       {"sapphire", 0x1b4b9b},
    {"schwarz", 0x17171a},  {"scarlet", 0xcf2418},    {"silver", 0xb4b8bd},
    {"slate", 0x465463},    {"tan", 0xc9a982},        {"taupe", 0x8a7d72},
    {"teal", 0x13808a},     {"terracotta", 0xc4623f}, {"turquoise", 0x1fb5a8},
    {"verde", 0x2b8a4b},    {"vert", 0x2b8a4b},       {"violet", 0x6a3da8},
    {"weiss", 0xffffff},    {"white", 0xffffff},      {"yellow", 0xf5c518},
};

struct mood {
    const char *name;
    int weight; /* the heaviest mood of a text wins: "warm earth tones" is earth */
    uint32_t rgb[3];
};

static const struct mood moods[] = {
    {"autumn", 2, {0xb5532a, 0x6b3e26, 0xfbf4ea}},
    {"bold", 1, {0xd7263d, 0x1b1b3a, 0xffffff}},
    {"calm", 1, {0x3d7a8c, 0x2a4858, 0xf5f9fa}},
    {"chaud", 1, {0xc9572b, 0x7a2e1d, 0xfdf6ef}},
    {"clean", 1, {0x1c6dd0, 0x243447, 0xffffff}},
    {"corporate", 1, {0x1d4e89, 0x243447, 0xffffff}},
    {"dark", 1, {0x6c7bff, 0x14151c, 0xf5f5fa}},
    {"earth", 2, {0xa2592f, 0x5c5a36, 0xf8f2e7}},
    {"earthy", 2, {0xa2592f, 0x5c5a36, 0xf8f2e7}},
    {"eco", 2, {0x3c7d3e, 0x5b4a33, 0xf7f6ee}},
    {"elegant", 1, {0x8c6d3f, 0x1e1d22, 0xfaf8f4}},
    {"forest", 2, {0x2f6b45, 0x2a3b2c, 0xf5f7f1}},
    {"fresh", 1, {0x159a6c, 0x0f5570, 0xf7fcf9}},
    {"futuristic", 1, {0x5b3df5, 0x0f1124, 0xf6f6ff}},
    {"luxury", 1, {0xa8843b, 0x17171a, 0xfaf8f2}},
    {"luxe", 1, {0xa8843b, 0x17171a, 0xfaf8f2}},
    {"minimal", 1, {0x2c2c34, 0x6a6f78, 0xffffff}},
    {"minimalist", 1, {0x2c2c34, 0x6a6f78, 0xffffff}},
    {"modern", 1, {0x3454d1, 0x1b2033, 0xffffff}},
    {"moderne", 1, {0x3454d1, 0x1b2033, 0xffffff}},
    {"natural", 1, {0x55803f, 0x6b5236, 0xf8f6ee}},
    {"naturel", 1, {0x55803f, 0x6b5236, 0xf8f6ee}},
    {"neutral", 1, {0x6d675f, 0x3a3733, 0xfaf8f5}},
    {"ocean", 2, {0x12708f, 0x0b3954, 0xf4fafc}},
    {"pastel", 2, {0xd88fa8, 0x6f7fb0, 0xfdf8fa}},
    {"playful", 1, {0xf25f5c, 0x247ba0, 0xfffaf0}},
    {"professional", 1, {0x1f4e79, 0x2b6f77, 0xffffff}},
    {"professionnel", 1, {0x1f4e79, 0x2b6f77, 0xffffff}},
    {"retro", 2, {0xd1603d, 0x2a7f7f, 0xfbf3e2}},
    {"serious", 1, {0x24415f, 0x3b3f46, 0xffffff}},
    {"sober", 1, {0x24415f, 0x3b3f46, 0xffffff}},
    {"sobre", 1, {0x24415f, 0x3b3f46, 0xffffff}},
    {"spring", 2, {0x5aa646, 0xd46a92, 0xfbfdf6}},
    {"summer", 2, {0xf08a24, 0x1787b0, 0xfffaf0}},
    {"sunset", 2, {0xe4572e, 0x6a2c70, 0xfff6ee}},
    {"tech", 1, {0x2563eb, 0x0f172a, 0xf8fafc}},
    {"terre", 2, {0xa2592f, 0x5c5a36, 0xf8f2e7}},
    {"tropical", 2, {0x009e82, 0xe85d75, 0xf7fffb}},
    {"vibrant", 1, {0xe0245e, 0x4338ca, 0xfffafc}},
    {"vintage", 2, {0xa0522d, 0x4a5240, 0xf9f2e3}},
    {"warm", 1, {0xc9572b, 0x7a2e1d, 0xfdf6ef}},
    {"winter", 2, {0x2b6ca3, 0x22304a, 0xf5f9fd}},
};

static void add_swatch(struct cs_palette *palette, struct cs_colour colour,
                       struct cs_view name)
{
    for (size_t i = 0; i < palette->count; i++) {
        struct cs_colour known = palette->swatches[i].colour;

        if (memcmp(&known, &colour, sizeof(colour)) == 0)
            return;
    }
    if (palette->count < CS_PALETTE_MAX)
        palette->swatches[palette->count++] = (struct cs_swatch){colour, name};
}

/* Reads "#rgb", "#rrggbb" or "#rrggbbaa" at the front; 0 where there is none. */
static size_t read_hex(struct cs_view text, struct cs_colour *out)
{
    uint32_t value = 0;
    size_t digits = 0;

    if (text.len == 0 || text.ptr[0] != '#')
        return 0;
    while (digits + 1 < text.len && cs_hex_value(text.ptr[digits + 1]) >= 0) {
        if (digits < 6)
            value = value << 4 | (uint32_t)cs_hex_value(text.ptr[digits + 1]);
        digits++;
    }
    if (digits != 3 && digits != 6 && digits != 8)
        return 0;
    if (digits == 3)
        value =
            (value & 0xf00) * 0x1100 | (value & 0x0f0) * 0x110 | (value & 0x00f) * 0x11;
    *out = from_rgb(value);
    return digits + 1;
}

/* Reads "rgb(200, 16, 46)" or "rgba(...)"; the alpha part is left out. */
static size_t read_rgb(struct cs_view text, struct cs_colour *out)
{
    uint8_t parts[3] = {0};
    size_t at = cs_view_starts(text, CS_LIT("rgba(")) ? 5 : 4;

    if (!cs_view_starts(text, CS_LIT("rgb(")) && !cs_view_starts(text, CS_LIT("rgba(")))
        return 0;
    for (size_t i = 0; i < CS_COUNT(parts); i++) {
        unsigned value = 0;
        size_t digits = 0;

        while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == ','))
            at++;
        for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9' && digits < 3;
             digits++)
            value = value * 10 + (unsigned)(text.ptr[at++] - '0');
        if (digits == 0 || value > 255)
            return 0;
        parts[i] = (uint8_t)value;
    }
    *out = (struct cs_colour){parts[0], parts[1], parts[2]};
    return at;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* The words before a colour's number, from the last separator on. */
static struct cs_view name_before(struct cs_view text, size_t from, size_t to)
{
    struct cs_view name;

    for (size_t i = from; i < to; i++)
        if (strchr(",;)\n/|", text.ptr[i]) != NULL)
            from = i + 1;
    name = cs_view_trim(cs_view_of(text.ptr + from, to - from));
    while (name.len > 0 && strchr("(:=- ", name.ptr[name.len - 1]) != NULL)
        name.len--;
    for (size_t i = 0; i < 2; i++) {
        static const struct cs_view joiners[] = {CS_LIT_INIT("and "), CS_LIT_INIT("et ")};

        if (cs_view_starts(name, joiners[i]))
            name = cs_view_from(name, joiners[i].len);
    }
    return name.len <= 60 ? cs_view_trim(name) : cs_view_of("", 0);
}

static void find_numbers(struct cs_palette *palette, struct cs_view text)
{
    size_t from = 0;

    for (size_t at = 0; at < text.len && palette->count < CS_PALETTE_MAX;) {
        struct cs_colour colour;
        size_t used = read_hex(cs_view_from(text, at), &colour);

        if (used == 0 && text.ptr[at] == 'r')
            used = read_rgb(cs_view_from(text, at), &colour);
        if (used == 0) {
            at++;
            continue;
        }
        add_swatch(palette, colour, name_before(text, from, at));
        at += used;
        from = at;
    }
}

/* Takes the next word of letters, as a slug, off the front. */
static bool next_word(struct cs_view *rest, struct cs_buf *slug, struct cs_view *word)
{
    size_t len = 0;

    while (rest->len > 0 && !is_letter(rest->ptr[0]))
        *rest = cs_view_from(*rest, 1);
    while (len < rest->len && is_letter(rest->ptr[len]))
        len++;
    *word = cs_view_of(rest->ptr, len);
    *rest = cs_view_from(*rest, len);
    cs_buf_reset(slug);
    cs_text_slug(slug, *word);
    return len > 0;
}

static void find_words(struct cs_palette *palette, struct cs_view text)
{
    struct cs_buf slug = CS_BUF_INIT(128);
    const struct mood *mood = NULL;
    struct cs_view word;

    while (palette->count < CS_PALETTE_MAX && next_word(&text, &slug, &word)) {
        const char *name = cs_buf_cstr(&slug);

        for (size_t i = 0; i < CS_COUNT(named_colours); i++)
            if (strcmp(name, named_colours[i].name) == 0)
                add_swatch(palette, from_rgb(named_colours[i].rgb), word);
        for (size_t i = 0; i < CS_COUNT(moods); i++)
            if (strcmp(name, moods[i].name) == 0 &&
                (mood == NULL || moods[i].weight > mood->weight))
                mood = &moods[i];
    }
    if (palette->count == 0 && mood != NULL)
        for (size_t i = 0; i < CS_COUNT(mood->rgb); i++)
            add_swatch(palette, from_rgb(mood->rgb[i]), cs_view_of("", 0));
    cs_buf_clear(&slug);
}

/* The brand's colours by the part they play. */
struct roles {
    struct cs_colour fill, second, lightest, darkest;
};

static struct roles assign_roles(const struct cs_palette *palette)
{
    struct roles roles = {.fill = from_rgb(0x1f4e79), .second = from_rgb(0x2b6f77)};
    size_t fill = SIZE_MAX, second = SIZE_MAX;

    roles.lightest = from_rgb(0xffffff);
    roles.darkest = from_rgb(0x15161a);
    for (size_t i = 0; i < palette->count; i++) {
        struct cs_colour colour = palette->swatches[i].colour;
        double light = cs_colour_luminance(colour);
        bool page = light > 0.8 && chroma(colour) < 0.25;

        if (page)
            roles.lightest = colour;
        if (light < 0.06)
            roles.darkest = colour;
        if (fill == SIZE_MAX && !page && chroma(colour) > 0.2)
            fill = i;
        else if (second == SIZE_MAX && !page)
            second = i;
    }
    if (fill == SIZE_MAX && second != SIZE_MAX) {
        fill = second;
        second = SIZE_MAX;
    }
    if (fill != SIZE_MAX) {
        roles.fill = palette->swatches[fill].colour;
        roles.second = cs_colour_mix(roles.fill, roles.darkest, 0.55);
    }
    if (second != SIZE_MAX)
        roles.second = palette->swatches[second].colour;
    return roles;
}

/* The brand colour where it can be made to read as text without losing its
 * face (a yellow on white can't), else the second one. */
static struct cs_colour pick_accent(const struct roles *roles, struct cs_colour surface)
{
    if (cs_colour_contrast(roles->fill, surface) >= 2.6)
        return cs_colour_readable(roles->fill, surface, TEXT_CONTRAST);
    if (cs_colour_contrast(roles->second, surface) >= 2.6)
        return cs_colour_readable(roles->second, surface, TEXT_CONTRAST);
    return cs_colour_readable(roles->fill, surface, TEXT_CONTRAST);
}

static void fill_scheme(struct cs_scheme *scheme, const struct roles *roles)
{
    scheme->ink = cs_colour_readable(scheme->ink, scheme->surface, BODY_CONTRAST);
    scheme->muted = cs_colour_readable(cs_colour_mix(scheme->ink, scheme->paper, 0.4),
                                       scheme->surface, TEXT_CONTRAST);
    scheme->line = cs_colour_mix(scheme->paper, scheme->ink, 0.16);
    scheme->accent = pick_accent(roles, scheme->surface);
    scheme->fill = roles->fill;
    scheme->fill_ink = cs_colour_ink_on(roles->fill);
    scheme->second = roles->second;
    scheme->second_ink = cs_colour_ink_on(roles->second);
}

static void build_schemes(struct cs_palette *palette)
{
    const struct roles roles = assign_roles(palette);
    const struct cs_colour white = {255, 255, 255};
    const struct cs_colour black = {0, 0, 0};
    struct cs_colour deepest;
    struct cs_scheme *light = &palette->light, *dark = &palette->dark;

    light->paper = cs_colour_mix(roles.lightest, white, 0.35);
    light->surface = cs_colour_mix(light->paper, roles.second, 0.05);
    light->ink = cs_colour_mix(from_rgb(0x16171b), roles.darkest, 0.5);
    fill_scheme(light, &roles);

    deepest = cs_colour_luminance(roles.second) < cs_colour_luminance(roles.fill)
                  ? roles.second
                  : roles.fill;
    dark->paper =
        cs_colour_mix(from_rgb(0x101114), cs_colour_mix(deepest, black, 0.6), 0.35);
    dark->surface = cs_colour_mix(dark->paper, white, 0.06);
    dark->ink = cs_colour_mix(from_rgb(0xf1f0ee), roles.lightest, 0.3);
    fill_scheme(dark, &roles);
}

void cs_palette_parse(struct cs_palette *out, struct cs_view text)
{
    memset(out, 0, sizeof(*out));
    find_numbers(out, text);
    if (out->count == 0)
        find_words(out, text);
    build_schemes(out);
}
