#include "config.h"

#include "render/pdf_fonts.h"

#include <stdlib.h>

#define REPLACEMENT_MARK 0xfffdu
#define SQUARE_MARK      0x25a1u

/* What one character of one style is drawn with. */
struct known_glyph {
    uint32_t key; /* style << 24 | code point, plus 1; 0: free */
    struct cs_pdf_glyph glyph;
};

/* Kerning of a pair of slots that was looked up before. */
struct known_pair {
    uint64_t key; /* face, slots, and a bit to tell it from an unused one */
    int kern;
};

#define PAIRS 8192u /* a power of two */

/* What the report uses of a font. */
struct part {
    struct cs_pdf_subset *subset; /* NULL: nothing yet */
};

struct cs_pdf_fonts {
    const struct cs_pdf_font_files *files;
    struct part *parts;        /* by face */
    uint8_t region;            /* for which Chinese characters are drawn */
    struct known_glyph *known; /* open addressing */
    size_t known_count, known_size;
    struct cs_pdf_glyph ascii[CS_PDF_STYLES][128]; /* slot 0: not looked up yet */
    struct known_pair pairs[PAIRS]; /* a pair replaces another of the same place */
};

/* The country of a language whose readers expect its forms. */
static uint8_t region_of(const char *language)
{
    static const struct {
        const char *start;
        uint8_t region;
    } regions[] = {
        {"ja", CS_PDF_JAPAN},     {"ko", CS_PDF_KOREA},     {"zh-Hant", CS_PDF_TAIWAN},
        {"zh-TW", CS_PDF_TAIWAN}, {"zh-HK", CS_PDF_TAIWAN}, {"zh-MO", CS_PDF_TAIWAN},
        {"zh", CS_PDF_CHINA},
    };
    struct cs_view code = cs_view_cstr(language != NULL ? language : "");

    for (size_t i = 0; i < CS_COUNT(regions); i++) {
        struct cs_view start = cs_view_cstr(regions[i].start);

        if (cs_view_eq_nocase(cs_view_sub(code, 0, start.len), start) &&
            (code.len == start.len || code.ptr[start.len] == '-'))
            return regions[i].region;
    }
    return CS_PDF_ANY_REGION;
}

struct cs_pdf_fonts *cs_pdf_fonts_new(const struct cs_pdf_font_files *files,
                                      const char *language)
{
    struct cs_pdf_fonts *fonts = calloc(1, sizeof(*fonts));

    if (fonts == NULL)
        return NULL;
    fonts->files = files;
    fonts->region = region_of(language);
    fonts->known_size = 1024;
    fonts->known = calloc(fonts->known_size, sizeof(*fonts->known));
    fonts->parts = calloc(cs_pdf_font_files_count(files), sizeof(*fonts->parts));
    if (fonts->known == NULL || fonts->parts == NULL) {
        cs_pdf_fonts_free(fonts);
        return NULL;
    }
    return fonts;
}

void cs_pdf_fonts_free(struct cs_pdf_fonts *fonts)
{
    if (fonts == NULL)
        return;
    for (size_t i = 0; fonts->parts != NULL && i < cs_pdf_fonts_count(fonts); i++)
        cs_pdf_subset_free(fonts->parts[i].subset);
    free(fonts->parts);
    free(fonts->known);
    free(fonts);
}

static const struct cs_pdf_font_file *file_of(const struct cs_pdf_fonts *fonts,
                                              size_t face)
{
    return cs_pdf_font_files_at(fonts->files, face);
}

static bool face_has(const struct cs_pdf_fonts *fonts, size_t face, uint32_t code_point)
{
    return cs_pdf_font_glyph(file_of(fonts, face)->font, code_point) != 0;
}

/* The faces of the wanted style and of its poorer relations, best first: an
 * upright font is slanted and a regular one thickened rather than the family left. */
static int find_in_family(const struct cs_pdf_fonts *fonts, unsigned style,
                          uint32_t code_point)
{
    static const uint8_t less[] = {0,
                                   CS_PDF_ITALIC,
                                   CS_PDF_BOLD,
                                   CS_PDF_BOLD | CS_PDF_ITALIC,
                                   CS_PDF_MONO,
                                   CS_PDF_MONO | CS_PDF_ITALIC,
                                   CS_PDF_MONO | CS_PDF_BOLD,
                                   CS_PDF_MONO | CS_PDF_BOLD | CS_PDF_ITALIC};

    for (size_t i = 0; i < CS_COUNT(less); i++) {
        int face = cs_pdf_font_files_style(fonts->files, style & ~(unsigned)less[i]);

        if (face >= 0 && face_has(fonts, (size_t)face, code_point))
            return face;
    }
    return -1;
}

/* Any other face, of the region where that is asked for, one of the right weight if
 * there is one. */
static int find_elsewhere(const struct cs_pdf_fonts *fonts, unsigned style,
                          uint32_t code_point, unsigned region)
{
    int found = -1;

    for (size_t i = 0; i < cs_pdf_fonts_count(fonts); i++) {
        const struct cs_pdf_font_file *file = file_of(fonts, i);
        bool weight = ((file->style ^ style) & CS_PDF_BOLD) == 0;

        if ((region != CS_PDF_ANY_REGION && file->region != region) ||
            (found >= 0 && !weight) || !face_has(fonts, i, code_point))
            continue;
        found = (int)i;
        if (weight)
            break;
    }
    return found;
}

static int find_face(const struct cs_pdf_fonts *fonts, unsigned style,
                     uint32_t code_point)
{
    int face = find_in_family(fonts, style, code_point);

    if (face < 0 && fonts->region != CS_PDF_ANY_REGION)
        face = find_elsewhere(fonts, style, code_point, fonts->region);
    return face >= 0 ? face : find_elsewhere(fonts, style, code_point, CS_PDF_ANY_REGION);
}

/* A visible mark for a character that no font has; without one the first font's glyph
 * 0, a box in most fonts. */
static size_t find_mark(const struct cs_pdf_fonts *fonts, unsigned style,
                        uint16_t *glyph_out)
{
    static const uint32_t marks[] = {SQUARE_MARK, REPLACEMENT_MARK, '?'};

    for (size_t i = 0; i < CS_COUNT(marks); i++) {
        int face = find_face(fonts, style, marks[i]);

        if (face < 0)
            continue;
        *glyph_out = cs_pdf_font_glyph(file_of(fonts, (size_t)face)->font, marks[i]);
        return (size_t)face;
    }
    *glyph_out = 0;
    return (size_t)cs_pdf_font_files_style(fonts->files, 0);
}

static size_t known_place(const struct cs_pdf_fonts *fonts, uint32_t key)
{
    size_t at = ((uint64_t)key * 0x9e3779b97f4a7c15ull >> 32) & (fonts->known_size - 1);

    while (fonts->known[at].key != 0 && fonts->known[at].key != key)
        at = (at + 1) & (fonts->known_size - 1);
    return at;
}

static enum cs_code remember(struct cs_pdf_fonts *fonts, uint32_t key,
                             const struct cs_pdf_glyph *glyph, struct cs_err *err)
{
    if (fonts->known_count * 2 >= fonts->known_size) {
        struct known_glyph *old = fonts->known;
        size_t old_size = fonts->known_size;

        fonts->known = calloc(old_size * 2, sizeof(*old));
        if (fonts->known == NULL) {
            fonts->known = old;
            return cs_err_nomem(err);
        }
        fonts->known_size = old_size * 2;
        for (size_t i = 0; i < old_size; i++) {
            if (old[i].key != 0)
                fonts->known[known_place(fonts, old[i].key)] = old[i];
        }
        free(old);
    }
    fonts->known[known_place(fonts, key)] = (struct known_glyph){key, *glyph};
    fonts->known_count++;
    return CS_OK;
}

static enum cs_code resolve(struct cs_pdf_fonts *fonts, unsigned style, uint32_t shape,
                            const uint32_t *text, size_t count, struct cs_pdf_glyph *out,
                            struct cs_err *err)
{
    int found = find_face(fonts, style, shape);
    struct cs_pdf_subset *subset;
    uint16_t glyph = 0;
    enum cs_code rc;
    size_t face;

    out->missing = found < 0;
    face = found < 0 ? find_mark(fonts, style, &glyph) : (size_t)found;
    if (found >= 0)
        glyph = cs_pdf_font_glyph(file_of(fonts, face)->font, shape);
    if (fonts->parts[face].subset == NULL)
        fonts->parts[face].subset = cs_pdf_subset_new(file_of(fonts, face)->font);
    if ((subset = fonts->parts[face].subset) == NULL)
        return cs_err_nomem(err);
    if ((rc = cs_pdf_subset_slot(subset, glyph, text, count, &out->slot, err)) != CS_OK)
        return rc;
    out->face = (uint16_t)face;
    out->advance = cs_pdf_subset_advance(subset, out->slot);
    out->fake = (uint8_t)(style & ~(unsigned)file_of(fonts, face)->style &
                          (CS_PDF_BOLD | CS_PDF_ITALIC));
    if (out->missing)
        out->fake = 0;
    return CS_OK;
}

enum cs_code cs_pdf_fonts_glyph(struct cs_pdf_fonts *fonts, unsigned style,
                                uint32_t shape, const uint32_t *text, size_t count,
                                struct cs_pdf_glyph *glyph_out, struct cs_err *err)
{
    uint32_t key = ((uint32_t)style << 24 | (shape & 0xffffffu)) + 1;
    bool plain = count == 1 && text[0] == shape;
    enum cs_code rc;

    if (plain) {
        const struct known_glyph *known = &fonts->known[known_place(fonts, key)];

        if (known->key == key) {
            *glyph_out = known->glyph;
            return CS_OK;
        }
    }
    *glyph_out = (struct cs_pdf_glyph){0};
    rc = resolve(fonts, style, shape, text, count, glyph_out, err);
    if (rc == CS_OK && plain)
        rc = remember(fonts, key, glyph_out, err);
    return rc;
}

const struct cs_pdf_glyph *cs_pdf_fonts_ascii(struct cs_pdf_fonts *fonts, unsigned style,
                                              unsigned char c, struct cs_err *err)
{
    struct cs_pdf_glyph *known = &fonts->ascii[style % CS_PDF_STYLES][c & 0x7fu];
    const uint32_t text = c;

    if (known->slot == 0 &&
        cs_pdf_fonts_glyph(fonts, style, text, &text, 1, known, err) != CS_OK)
        return NULL;
    return known;
}

bool cs_pdf_fonts_has(const struct cs_pdf_fonts *fonts, unsigned style,
                      uint32_t code_point)
{
    return find_face(fonts, style, code_point) >= 0;
}

int cs_pdf_fonts_kern(struct cs_pdf_fonts *fonts, uint16_t face, uint16_t left_slot,
                      uint16_t right_slot)
{
    const struct cs_pdf_subset *subset = fonts->parts[face].subset;
    uint64_t key =
        1ull << 63 | (uint64_t)face << 32 | (uint64_t)left_slot << 16 | right_slot;
    struct known_pair *pair =
        &fonts->pairs[(uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 32) & (PAIRS - 1)];

    if (pair->key != key) {
        pair->key = key;
        pair->kern = cs_pdf_font_kern(file_of(fonts, face)->font,
                                      cs_pdf_subset_glyph(subset, left_slot),
                                      cs_pdf_subset_glyph(subset, right_slot));
    }
    return pair->kern;
}

int cs_pdf_fonts_cap_height(const struct cs_pdf_fonts *fonts)
{
    size_t face = (size_t)cs_pdf_font_files_style(fonts->files, 0);

    return cs_pdf_font_facts(file_of(fonts, face)->font)->cap_height;
}

size_t cs_pdf_fonts_count(const struct cs_pdf_fonts *fonts)
{
    return cs_pdf_font_files_count(fonts->files);
}

const struct cs_pdf_font *cs_pdf_fonts_font(const struct cs_pdf_fonts *fonts, size_t face)
{
    return file_of(fonts, face)->font;
}

const struct cs_pdf_subset *cs_pdf_fonts_subset(const struct cs_pdf_fonts *fonts,
                                                size_t face)
{
    return fonts->parts[face].subset;
}
