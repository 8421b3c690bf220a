#include "config.h"

#include "render/pdf_fonts.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FACES_MAX        256u
#define REPLACEMENT_MARK 0xfffdu
#define SQUARE_MARK      0x25a1u

/* Where distributions put the fonts that we know by name. */
static const char *const usual_folders[] = {
    "/usr/share/fonts/truetype/noto",
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/truetype/open-sans",
    "/usr/share/fonts/truetype/liberation2",
    "/usr/share/fonts/truetype/liberation",
    "/usr/share/fonts/truetype/ancient-scripts",
    "/usr/share/fonts/truetype/vlgothic",
    "/usr/share/fonts/opentype/ipafont-gothic",
    "/usr/share/fonts/truetype/takao-gothic",
    "/usr/share/fonts/truetype/nanum",
    "/usr/share/fonts/truetype/unfonts-core",
    "/usr/share/fonts/truetype/wqy",
    "/usr/share/fonts/truetype/arphic",
    "/usr/share/fonts-droid-fallback/truetype",
    "/usr/share/fonts/truetype/droid",
    "/usr/share/fonts/dejavu-sans-fonts",
    "/usr/share/fonts/dejavu-sans-mono-fonts",
    "/usr/share/fonts/dejavu",
    "/usr/share/fonts/google-noto",
    "/usr/share/fonts/liberation-sans",
    "/usr/share/fonts/TTF",
    "/usr/local/share/fonts",
};

enum use { USE_TEXT, USE_FIXED, USE_OTHER };

#define TEXT(number)                          USE_TEXT, number
#define FIXED(number)                         USE_FIXED, number
#define OTHER                                 USE_OTHER, 0
#define CS_FONT(...)                          CS_FONT_ROW(__VA_ARGS__)
#define CS_FONT_ROW(use, family, style, file) {(use), (family), (style), (file)},

static const struct known_font {
    uint8_t use;
    uint8_t family;
    uint8_t style;
    const char *file;
} known_fonts[] = {
#include "render/pdf_fonts_known.def"
};

enum face_state { FACE_UNTRIED, FACE_OPEN, FACE_ABSENT };

struct face {
    char *path;       /* of a font the administrator named; NULL: known->file */
    const char *file; /* to be looked for in the usual folders */
    uint8_t state;    /* enum face_state */
    uint8_t style;
    struct cs_pdf_font *font;
    struct cs_pdf_subset *subset;
};

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

#define PAIRS 2048u /* a power of two */

struct cs_pdf_fonts {
    struct face faces[FACES_MAX];
    size_t face_count;
    int16_t styles[CS_PDF_STYLES]; /* face of a style, -1 for none */
    struct known_glyph *known;     /* open addressing */
    size_t known_count, known_size;
    struct cs_pdf_glyph ascii[CS_PDF_STYLES][128]; /* slot 0: not looked up yet */
    struct known_pair pairs[PAIRS]; /* a pair replaces another of the same place */
};

static enum cs_code add_face(struct cs_pdf_fonts *fonts, const char *path,
                             const char *file, unsigned style, struct cs_err *err)
{
    struct face *face;

    if (fonts->face_count == FACES_MAX)
        return cs_err_field(err, CS_ETOOBIG, "RENDER_FONTS", "too_many_fonts",
                            "RENDER_FONTS names more than %u font files", FACES_MAX);
    face = &fonts->faces[fonts->face_count];
    *face = (struct face){.file = file, .style = (uint8_t)style};
    if (path != NULL && (face->path = cs_view_dup(cs_view_cstr(path))) == NULL)
        return cs_err_nomem(err);
    fonts->face_count++;
    return CS_OK;
}

/* CS_OK with the face open or absent; an error only when memory ran out. */
static enum cs_code try_file(struct face *face, const char *path, struct cs_err *err)
{
    enum cs_code rc = cs_pdf_font_open(&face->font, path, 0, NULL);

    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    if (rc != CS_OK)
        return CS_OK; /* no such font here: the next place or font is asked */
    if ((face->subset = cs_pdf_subset_new(face->font)) == NULL) {
        cs_pdf_font_free(face->font);
        face->font = NULL;
        return cs_err_nomem(err);
    }
    face->state = FACE_OPEN;
    return CS_OK;
}

static enum cs_code open_face(struct face *face, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(4096);
    enum cs_code rc = CS_OK;

    if (face->state != FACE_UNTRIED)
        return CS_OK;
    if (face->path != NULL)
        rc = try_file(face, face->path, err);
    for (size_t i = 0; face->path == NULL && rc == CS_OK && face->state != FACE_OPEN &&
                       i < CS_COUNT(usual_folders);
         i++) {
        cs_buf_reset(&path);
        cs_buf_add_fmt(&path, "%s/%s", usual_folders[i], face->file);
        if ((rc = cs_buf_check(&path, err)) == CS_OK)
            rc = try_file(face, cs_buf_cstr(&path), err);
    }
    if (rc == CS_OK && face->state != FACE_OPEN)
        face->state = FACE_ABSENT;
    cs_buf_clear(&path);
    return rc;
}

/* The first family of a use whose regular font is there becomes that use's. */
static enum cs_code choose_known(struct cs_pdf_fonts *fonts, enum use use,
                                 struct cs_err *err)
{
    unsigned chosen = 0;
    enum cs_code rc;

    for (size_t i = 0; i < CS_COUNT(known_fonts); i++) {
        const struct known_font *known = &known_fonts[i];
        unsigned regular = use == USE_FIXED ? CS_PDF_MONO : 0;

        if (known->use != use)
            continue;
        if (chosen == 0 && known->style == regular) {
            if ((rc = open_face(&fonts->faces[i], err)) != CS_OK)
                return rc;
            if (fonts->faces[i].state == FACE_OPEN)
                chosen = known->family;
        }
        if (chosen != 0 && known->family == chosen)
            fonts->styles[known->style] = (int16_t)i;
    }
    return CS_OK;
}

static enum cs_code use_known(struct cs_pdf_fonts *fonts, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < CS_COUNT(known_fonts); i++)
        rc = add_face(fonts, NULL, known_fonts[i].file, known_fonts[i].style, err);
    if (rc == CS_OK)
        rc = choose_known(fonts, USE_TEXT, err);
    if (rc == CS_OK)
        rc = choose_known(fonts, USE_FIXED, err);
    return rc;
}

static bool is_font_name(const char *name)
{
    struct cs_view view = cs_view_cstr(name);
    struct cs_view end = cs_view_from(view, view.len < 4 ? view.len : view.len - 4);

    return cs_view_eq_nocase(end, CS_LIT(".ttf")) ||
           cs_view_eq_nocase(end, CS_LIT(".ttc")) ||
           cs_view_eq_nocase(end, CS_LIT(".otf"));
}

static int font_names_alone(const struct dirent *entry)
{
    return is_font_name(entry->d_name);
}

/* By the bytes of the name, so that the order does not hang on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum cs_code add_folder(struct cs_pdf_fonts *fonts, const char *folder,
                               struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(4096);
    struct dirent **names = NULL;
    int count = scandir(folder, &names, font_names_alone, by_name);
    enum cs_code rc = CS_OK;

    for (int i = 0; i < count; i++) {
        cs_buf_reset(&path);
        cs_buf_add_fmt(&path, "%s/%s", folder, names[i]->d_name);
        if (rc == CS_OK && (rc = cs_buf_check(&path, err)) == CS_OK)
            rc = add_face(fonts, cs_buf_cstr(&path), NULL, 0, err);
        free(names[i]);
    }
    free(names);
    cs_buf_clear(&path);
    return rc;
}

static enum cs_code add_places(struct cs_pdf_fonts *fonts, const char *places,
                               struct cs_err *err)
{
    struct cs_view rest = cs_view_cstr(places), place;
    enum cs_code rc = CS_OK;

    while (rc == CS_OK && cs_view_split(&rest, ':', &place)) {
        struct stat facts;
        char *path;

        if (place.len == 0)
            continue;
        if ((path = cs_view_dup(place)) == NULL)
            return cs_err_nomem(err);
        if (stat(path, &facts) != 0)
            rc = cs_err_field(err, CS_ENOTFOUND, "RENDER_FONTS", "font_missing",
                              "RENDER_FONTS names %s, which can't be read", path);
        else if (S_ISDIR(facts.st_mode))
            rc = add_folder(fonts, path, err);
        else
            rc = add_face(fonts, path, NULL, 0, err);
        free(path);
    }
    return rc;
}

static bool serves_text(const struct cs_pdf_font *font)
{
    return cs_pdf_font_glyph(font, 'A') != 0 && cs_pdf_font_glyph(font, 'z') != 0 &&
           cs_pdf_font_glyph(font, '0') != 0;
}

/* Finds the families among fonts that we know only by what is in them: the
 * first regular font leads, its family's other styles follow. */
static void choose_named(struct cs_pdf_fonts *fonts, unsigned mono)
{
    const char *family = NULL;

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < fonts->face_count; i++) {
            const struct face *face = &fonts->faces[i];
            const struct cs_pdf_font_facts *facts;

            if (face->state != FACE_OPEN || !serves_text(face->font))
                continue;
            facts = cs_pdf_font_facts(face->font);
            if (facts->fixed_pitch != (mono != 0))
                continue;
            if (family == NULL && face->style == mono)
                family = facts->family;
            if (family != NULL && strcmp(family, facts->family) == 0 &&
                fonts->styles[face->style] < 0)
                fonts->styles[face->style] = (int16_t)i;
        }
    }
}

static enum cs_code use_named(struct cs_pdf_fonts *fonts, const char *places,
                              struct cs_err *err)
{
    enum cs_code rc = add_places(fonts, places, err);

    for (size_t i = 0; rc == CS_OK && i < fonts->face_count; i++) {
        struct face *face = &fonts->faces[i];

        if ((rc = open_face(face, err)) != CS_OK || face->state != FACE_OPEN)
            continue;
        const struct cs_pdf_font_facts *facts = cs_pdf_font_facts(face->font);

        face->style = (uint8_t)((facts->bold ? CS_PDF_BOLD : 0) |
                                (facts->italic ? CS_PDF_ITALIC : 0) |
                                (facts->fixed_pitch ? CS_PDF_MONO : 0));
    }
    choose_named(fonts, 0);
    choose_named(fonts, CS_PDF_MONO);
    return rc;
}

enum cs_code cs_pdf_fonts_new(struct cs_pdf_fonts **fonts_out, const char *places,
                              struct cs_err *err)
{
    struct cs_pdf_fonts *fonts = calloc(1, sizeof(*fonts));
    enum cs_code rc;

    *fonts_out = NULL;
    if (fonts == NULL)
        return cs_err_nomem(err);
    for (size_t i = 0; i < CS_PDF_STYLES; i++)
        fonts->styles[i] = -1;
    fonts->known_size = 1024;
    if ((fonts->known = calloc(fonts->known_size, sizeof(*fonts->known))) == NULL)
        rc = cs_err_nomem(err);
    else if (places != NULL && places[0] != '\0')
        rc = use_named(fonts, places, err);
    else
        rc = use_known(fonts, err);
    if (rc == CS_OK && fonts->styles[0] < 0)
        rc = cs_err_field(err, CS_ENOTFOUND, "RENDER_FONTS", "font_missing",
                          "no font for the PDF report was found: install the package "
                          "fonts-dejavu-core, or set RENDER_FONTS to TrueType fonts or "
                          "folders of them");
    if (rc != CS_OK) {
        cs_pdf_fonts_free(fonts);
        return rc;
    }
    *fonts_out = fonts;
    return CS_OK;
}

void cs_pdf_fonts_free(struct cs_pdf_fonts *fonts)
{
    if (fonts == NULL)
        return;
    for (size_t i = 0; i < fonts->face_count; i++) {
        cs_pdf_subset_free(fonts->faces[i].subset);
        cs_pdf_font_free(fonts->faces[i].font);
        free(fonts->faces[i].path);
    }
    free(fonts->known);
    free(fonts);
}

static bool face_has(const struct cs_pdf_fonts *fonts, int face, uint32_t code_point)
{
    return face >= 0 && fonts->faces[face].state == FACE_OPEN &&
           cs_pdf_font_glyph(fonts->faces[face].font, code_point) != 0;
}

/* The faces of the wanted style and of its poorer relations, best first: an
 * upright font is slanted and a regular one thickened rather than the family left. */
static enum cs_code find_in_family(struct cs_pdf_fonts *fonts, unsigned style,
                                   uint32_t code_point, int *face_out, struct cs_err *err)
{
    static const uint8_t less[] = {0,
                                   CS_PDF_ITALIC,
                                   CS_PDF_BOLD,
                                   CS_PDF_BOLD | CS_PDF_ITALIC,
                                   CS_PDF_MONO,
                                   CS_PDF_MONO | CS_PDF_ITALIC,
                                   CS_PDF_MONO | CS_PDF_BOLD,
                                   CS_PDF_MONO | CS_PDF_BOLD | CS_PDF_ITALIC};
    enum cs_code rc;

    for (size_t i = 0; i < CS_COUNT(less); i++) {
        int face = fonts->styles[style & ~(unsigned)less[i]];

        if (face < 0)
            continue;
        if ((rc = open_face(&fonts->faces[face], err)) != CS_OK)
            return rc;
        if (face_has(fonts, face, code_point)) {
            *face_out = face;
            return CS_OK;
        }
    }
    return CS_OK;
}

/* Any other face, one of the right weight if there is one. */
static enum cs_code find_elsewhere(struct cs_pdf_fonts *fonts, unsigned style,
                                   uint32_t code_point, int *face_out, struct cs_err *err)
{
    enum cs_code rc;

    for (size_t i = 0; i < fonts->face_count; i++) {
        struct face *face = &fonts->faces[i];

        if (*face_out >= 0 &&
            ((fonts->faces[*face_out].style ^ style) & CS_PDF_BOLD) == 0)
            break;
        if ((rc = open_face(face, err)) != CS_OK)
            return rc;
        if (!face_has(fonts, (int)i, code_point))
            continue;
        if (*face_out < 0 || ((face->style ^ style) & CS_PDF_BOLD) == 0)
            *face_out = (int)i;
    }
    return CS_OK;
}

static enum cs_code find_face(struct cs_pdf_fonts *fonts, unsigned style,
                              uint32_t code_point, int *face_out, struct cs_err *err)
{
    enum cs_code rc;

    *face_out = -1;
    rc = find_in_family(fonts, style, code_point, face_out, err);
    if (rc == CS_OK && *face_out < 0)
        rc = find_elsewhere(fonts, style, code_point, face_out, err);
    return rc;
}

/* A visible mark for a character that no font has. */
static enum cs_code find_mark(struct cs_pdf_fonts *fonts, unsigned style, int *face_out,
                              uint16_t *glyph_out, struct cs_err *err)
{
    static const uint32_t marks[] = {SQUARE_MARK, REPLACEMENT_MARK, '?'};
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < CS_COUNT(marks) && rc == CS_OK; i++) {
        rc = find_face(fonts, style, marks[i], face_out, err);
        if (rc == CS_OK && *face_out >= 0) {
            *glyph_out = cs_pdf_font_glyph(fonts->faces[*face_out].font, marks[i]);
            return CS_OK;
        }
    }
    *face_out = fonts->styles[0]; /* its glyph 0, a box in most fonts */
    *glyph_out = 0;
    return rc;
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
    uint16_t glyph = 0;
    enum cs_code rc;
    int face;

    if ((rc = find_face(fonts, style, shape, &face, err)) != CS_OK)
        return rc;
    if (face >= 0)
        glyph = cs_pdf_font_glyph(fonts->faces[face].font, shape);
    else if ((rc = find_mark(fonts, style, &face, &glyph, err)) != CS_OK)
        return rc;
    else
        out->missing = true;
    rc = cs_pdf_subset_slot(fonts->faces[face].subset, glyph, text, count, &out->slot,
                            err);
    if (rc != CS_OK)
        return rc;
    out->face = (uint16_t)face;
    out->advance = cs_pdf_subset_advance(fonts->faces[face].subset, out->slot);
    out->fake = (uint8_t)(style & ~(unsigned)fonts->faces[face].style &
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

enum cs_code cs_pdf_fonts_ascii(struct cs_pdf_fonts *fonts, unsigned style,
                                unsigned char c, struct cs_pdf_glyph *glyph_out,
                                struct cs_err *err)
{
    struct cs_pdf_glyph *known = &fonts->ascii[style % CS_PDF_STYLES][c & 0x7fu];
    const uint32_t text = c;
    enum cs_code rc = CS_OK;

    if (known->slot == 0)
        rc = cs_pdf_fonts_glyph(fonts, style, text, &text, 1, known, err);
    *glyph_out = *known;
    return rc;
}

bool cs_pdf_fonts_has(struct cs_pdf_fonts *fonts, unsigned style, uint32_t code_point)
{
    int face = -1;

    return find_face(fonts, style, code_point, &face, NULL) == CS_OK && face >= 0;
}

int cs_pdf_fonts_kern(struct cs_pdf_fonts *fonts, uint16_t face, uint16_t left_slot,
                      uint16_t right_slot)
{
    const struct face *from = &fonts->faces[face];
    uint64_t key =
        1ull << 63 | (uint64_t)face << 32 | (uint64_t)left_slot << 16 | right_slot;
    struct known_pair *pair =
        &fonts->pairs[(left_slot * 61u + right_slot + face * 977u) & (PAIRS - 1)];

    if (pair->key != key) {
        pair->key = key;
        pair->kern =
            cs_pdf_font_kern(from->font, cs_pdf_subset_glyph(from->subset, left_slot),
                             cs_pdf_subset_glyph(from->subset, right_slot));
    }
    return pair->kern;
}

int cs_pdf_fonts_cap_height(const struct cs_pdf_fonts *fonts)
{
    return cs_pdf_font_facts(fonts->faces[fonts->styles[0]].font)->cap_height;
}

size_t cs_pdf_fonts_count(const struct cs_pdf_fonts *fonts)
{
    return fonts->face_count;
}

const struct cs_pdf_font *cs_pdf_fonts_font(const struct cs_pdf_fonts *fonts, size_t face)
{
    return fonts->faces[face].font;
}

const struct cs_pdf_subset *cs_pdf_fonts_subset(const struct cs_pdf_fonts *fonts,
                                                size_t face)
{
    return fonts->faces[face].subset;
}
