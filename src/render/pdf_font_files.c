#include "config.h"

#include "render/pdf_font_files.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILES_MAX 256u

/* Where distributions put the fonts that we know by name. */
static const char *const usual_folders[] = {
    "/usr/share/fonts/truetype/noto",
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/truetype/open-sans",
    "/usr/share/fonts/truetype/liberation2",
    "/usr/share/fonts/truetype/liberation",
    "/usr/share/fonts/truetype/ancient-scripts",
    "/usr/share/fonts/opentype/noto",
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
    "/usr/share/fonts/google-noto-cjk",
    "/usr/share/fonts/google-noto-sans-cjk-fonts",
    "/usr/share/fonts/noto-cjk",
    "/usr/share/fonts/liberation-sans",
    "/usr/share/fonts/TTF",
    "/usr/local/share/fonts",
};

enum use { USE_TEXT, USE_FIXED, USE_OTHER };

#define TEXT(number)          USE_TEXT, number, 0, CS_PDF_ANY_REGION
#define FIXED(number)         USE_FIXED, number, 0, CS_PDF_ANY_REGION
#define OTHER                 USE_OTHER, 0, 0, CS_PDF_ANY_REGION
#define REGION(region)        USE_OTHER, 0, 0, CS_PDF_##region
#define MEMBER(index, region) USE_OTHER, 0, index, CS_PDF_##region
#define CS_FONT(...)          CS_FONT_ROW(__VA_ARGS__)
#define CS_FONT_ROW(use, family, index, region, style, file) \
    {(use), (family), (style), (index), (region), (file)},

static const struct known_font {
    uint8_t use;
    uint8_t family;
    uint8_t style;
    uint8_t index; /* in a collection */
    uint8_t region;
    const char *file;
} known_fonts[] = {
#include "render/pdf_fonts_known.def"
};

struct cs_pdf_font_files {
    struct cs_pdf_font_file files[FILES_MAX];
    size_t count;
    int16_t styles[CS_PDF_STYLES]; /* file of a style, -1 for none */
};

size_t cs_pdf_font_files_count(const struct cs_pdf_font_files *files)
{
    return files->count;
}

const struct cs_pdf_font_file *cs_pdf_font_files_at(const struct cs_pdf_font_files *files,
                                                    size_t i)
{
    return &files->files[i];
}

int cs_pdf_font_files_style(const struct cs_pdf_font_files *files, unsigned style)
{
    return files->styles[style % CS_PDF_STYLES];
}

/* Adds the font when it can be opened, which *added_out tells; an error only when
 * memory ran out or there are too many. */
static enum cs_code try_file(struct cs_pdf_font_files *files, const char *path,
                             const struct known_font *known, bool *added_out,
                             struct cs_err *err)
{
    struct cs_pdf_font *font;
    enum cs_code rc;

    *added_out = false;
    rc = cs_pdf_font_open(&font, path, known != NULL ? known->index : 0, NULL);
    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    if (rc != CS_OK)
        return CS_OK; /* no such font here: the next place or font is asked */
    if (files->count == FILES_MAX) {
        cs_pdf_font_free(font);
        return cs_err_field(err, CS_ETOOBIG, "RENDER_FONTS", "too_many_fonts",
                            "RENDER_FONTS names more than %u fonts", FILES_MAX);
    }
    files->files[files->count] = (struct cs_pdf_font_file){.font = font};
    if (known != NULL) {
        files->files[files->count].style = known->style;
        files->files[files->count].region = known->region;
    }
    files->count++;
    *added_out = true;
    return CS_OK;
}

/* ---- fonts that we know by name ------------------------------------------------ */

static enum cs_code add_known(struct cs_pdf_font_files *files,
                              const struct known_font *known, bool *added_out,
                              struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(4096);
    enum cs_code rc = CS_OK;

    *added_out = false;
    for (size_t i = 0; rc == CS_OK && !*added_out && i < CS_COUNT(usual_folders); i++) {
        cs_buf_reset(&path);
        cs_buf_add_fmt(&path, "%s/%s", usual_folders[i], known->file);
        if ((rc = cs_buf_check(&path, err)) == CS_OK)
            rc = try_file(files, cs_buf_cstr(&path), known, added_out, err);
    }
    cs_buf_clear(&path);
    return rc;
}

/* The first family of a use whose regular font is there becomes that use's; the
 * others lend the characters that it lacks. */
static enum cs_code use_known(struct cs_pdf_font_files *files, struct cs_err *err)
{
    uint8_t chosen[] = {[USE_TEXT] = 0, [USE_FIXED] = 0, [USE_OTHER] = 0};

    for (size_t i = 0; i < CS_COUNT(known_fonts); i++) {
        const struct known_font *known = &known_fonts[i];
        unsigned regular = known->use == USE_FIXED ? CS_PDF_MONO : 0;
        enum cs_code rc;
        bool added;

        if ((rc = add_known(files, known, &added, err)) != CS_OK)
            return rc;
        if (!added || known->use == USE_OTHER)
            continue;
        if (chosen[known->use] == 0 && known->style == regular)
            chosen[known->use] = known->family;
        if (chosen[known->use] == known->family)
            files->styles[known->style] = (int16_t)(files->count - 1);
    }
    return CS_OK;
}

/* ---- fonts that the administrator named ------------------------------------------ */

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

static enum cs_code add_folder(struct cs_pdf_font_files *files, const char *folder,
                               struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(4096);
    struct dirent **names = NULL;
    int count = scandir(folder, &names, font_names_alone, by_name);
    enum cs_code rc = CS_OK;
    bool added;

    for (int i = 0; i < count; i++) {
        cs_buf_reset(&path);
        cs_buf_add_fmt(&path, "%s/%s", folder, names[i]->d_name);
        if (rc == CS_OK && (rc = cs_buf_check(&path, err)) == CS_OK)
            rc = try_file(files, cs_buf_cstr(&path), NULL, &added, err);
        free(names[i]);
    }
    free(names);
    cs_buf_clear(&path);
    return rc;
}

static enum cs_code add_places(struct cs_pdf_font_files *files, const char *places,
                               struct cs_err *err)
{
    struct cs_view rest = cs_view_cstr(places), place;
    enum cs_code rc = CS_OK;

    while (rc == CS_OK && cs_view_split(&rest, ':', &place)) {
        struct stat facts;
        char *path;
        bool added;

        if (place.len == 0)
            continue;
        if ((path = cs_view_dup(place)) == NULL)
            return cs_err_nomem(err);
        if (stat(path, &facts) != 0)
            rc = cs_err_field(err, CS_ENOTFOUND, "RENDER_FONTS", "font_missing",
                              "RENDER_FONTS names %s, which can't be read", path);
        else if (S_ISDIR(facts.st_mode))
            rc = add_folder(files, path, err);
        else
            rc = try_file(files, path, NULL, &added, err);
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
static void choose_named(struct cs_pdf_font_files *files, unsigned mono)
{
    const char *family = NULL;

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < files->count; i++) {
            const struct cs_pdf_font_file *file = &files->files[i];
            const struct cs_pdf_font_facts *facts = cs_pdf_font_facts(file->font);

            if (!serves_text(file->font) || facts->fixed_pitch != (mono != 0))
                continue;
            if (family == NULL && file->style == mono)
                family = facts->family;
            if (family != NULL && strcmp(family, facts->family) == 0 &&
                files->styles[file->style] < 0)
                files->styles[file->style] = (int16_t)i;
        }
    }
}

static enum cs_code use_named(struct cs_pdf_font_files *files, const char *places,
                              struct cs_err *err)
{
    enum cs_code rc = add_places(files, places, err);

    for (size_t i = 0; rc == CS_OK && i < files->count; i++) {
        const struct cs_pdf_font_facts *facts = cs_pdf_font_facts(files->files[i].font);

        files->files[i].style = (uint8_t)((facts->bold ? CS_PDF_BOLD : 0) |
                                          (facts->italic ? CS_PDF_ITALIC : 0) |
                                          (facts->fixed_pitch ? CS_PDF_MONO : 0));
    }
    choose_named(files, 0);
    choose_named(files, CS_PDF_MONO);
    return rc;
}

/* -------------------------------------------------------------------------------- */

enum cs_code cs_pdf_font_files_new(struct cs_pdf_font_files **files_out,
                                   const char *places, struct cs_err *err)
{
    struct cs_pdf_font_files *files = calloc(1, sizeof(*files));
    enum cs_code rc;

    *files_out = NULL;
    if (files == NULL)
        return cs_err_nomem(err);
    for (size_t i = 0; i < CS_COUNT(files->styles); i++)
        files->styles[i] = -1;
    if (places != NULL && places[0] != '\0')
        rc = use_named(files, places, err);
    else
        rc = use_known(files, err);
    if (rc == CS_OK && files->styles[0] < 0)
        rc = cs_err_field(err, CS_ENOTFOUND, "RENDER_FONTS", "font_missing",
                          "no font for the PDF report was found: install the package "
                          "fonts-dejavu-core, or set RENDER_FONTS to TrueType fonts or "
                          "folders of them");
    if (rc != CS_OK) {
        cs_pdf_font_files_free(files);
        return rc;
    }
    /* A process that only forks would keep what the search has read, and its
     * children get none of it: fork() leaves out what is mapped from a file. */
    for (size_t i = 0; i < files->count; i++)
        cs_pdf_font_rest(files->files[i].font);
    *files_out = files;
    return CS_OK;
}

void cs_pdf_font_files_free(struct cs_pdf_font_files *files)
{
    if (files == NULL)
        return;
    for (size_t i = 0; i < files->count; i++)
        cs_pdf_font_free(files->files[i].font);
    free(files);
}
