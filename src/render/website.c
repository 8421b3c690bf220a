#include "config.h"

#include "render/website.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "render/arena.h"
#include "render/chart_html.h"
#include "render/html_writer.h"
#include "render/labels.h"
#include "render/pattern.h"
#include "render/template.h"
#include "render/text.h"

#define MAX_TEMPLATE (1u << 20)

struct cs_theme {
    struct cs_templates *templates;
};

/* ---- themes -------------------------------------------------------------------------
 */

static enum cs_code add_file(struct cs_theme *theme, const char *folder, const char *file,
                             struct cs_err *err)
{
    struct cs_view name = cs_view_cstr(file);
    struct cs_buf path = CS_BUF_INIT(4096), text = CS_BUF_INIT(MAX_TEMPLATE);
    char *template;
    enum cs_code code;

    if (cs_view_ends(name, CS_LIT(".mustache")))
        name.len -= strlen(".mustache");
    else if (cs_view_eq(name, CS_LIT("style.css")))
        name.len -= strlen(".css");
    else
        return CS_OK;
    cs_buf_add_fmt(&path, "%s/%s", folder, file);
    template = cs_view_dup(name);
    code = template == NULL ? cs_err_nomem(err) : cs_buf_check(&path, err);
    if (code == CS_OK)
        code = cs_file_read(&text, cs_buf_cstr(&path), MAX_TEMPLATE, err);
    if (code == CS_OK)
        code = cs_templates_add(theme->templates, template, cs_buf_view(&text), err);
    free(template);
    cs_buf_clear(&path);
    cs_buf_clear(&text);
    return code;
}

/* One rendering of nothing, so that partials that call each other without end are
 * found when the theme is read. */
static enum cs_code try_out(const struct cs_theme *theme, struct cs_err *err)
{
    struct cs_buf out = CS_BUF_INIT(MAX_TEMPLATE * 4);
    struct cs_arena arena;
    enum cs_code code;

    cs_arena_init(&arena);
    code = cs_templates_render(theme->templates, "page", cs_data_new(&arena),
                               CS_TEMPLATE_SAFE, &out, err);
    if (code == CS_OK)
        code = cs_arena_check(&arena, err);
    cs_arena_clear(&arena);
    cs_buf_clear(&out);
    return code;
}

static enum cs_code read_theme(struct cs_theme *theme, const char *folder,
                               struct cs_err *err)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    enum cs_code code = CS_OK;

    if (dir == NULL)
        return cs_err_errno(err, errno, "the theme folder %s can't be read", folder);
    while (code == CS_OK && (entry = readdir(dir)) != NULL)
        code = add_file(theme, folder, entry->d_name, err);
    closedir(dir);
    if (code == CS_OK && !cs_templates_has(theme->templates, "page"))
        code = cs_err_set(err, CS_ENOTFOUND, "the theme folder %s has no page.mustache",
                          folder);
    if (code == CS_OK)
        code = cs_templates_check(theme->templates, err);
    if (code == CS_OK)
        code = try_out(theme, err);
    return code;
}

/* Says in front of the fault which setting it comes from. */
static void name_theme(struct cs_err *err, const char *name)
{
    const struct cs_err fault = err != NULL ? *err : CS_ERR_NONE;

    if (err == NULL)
        return;
    *err = CS_ERR_NONE;
    (void)cs_err_set(err, fault.code, "RENDER_THEME=%s: %s", name, fault.text);
}

struct cs_theme *cs_theme_new(const char *share_dir, const char *name, struct cs_err *err)
{
    struct cs_theme *theme = calloc(1, sizeof(*theme));
    struct cs_buf folder = CS_BUF_INIT(4096);
    enum cs_code code;

    if (theme == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    cs_buf_add_fmt(&folder, "%s/themes/%s", share_dir, name);
    theme->templates = cs_templates_new(err);
    code = theme->templates == NULL ? CS_ENOMEM : cs_buf_check(&folder, err);
    if (code == CS_OK)
        code = read_theme(theme, cs_buf_cstr(&folder), err);
    cs_buf_clear(&folder);
    if (code != CS_OK) {
        name_theme(err, name);
        cs_theme_free(theme);
        return NULL;
    }
    return theme;
}

void cs_theme_free(struct cs_theme *theme)
{
    if (theme == NULL)
        return;
    cs_templates_free(theme->templates);
    free(theme);
}

/* ---- what the templates are filled with
 * ------------------------------------------------ */

/* Pieces of HTML in one buffer, which may move until all are written. */
struct piece {
    size_t start, end;
};

struct site {
    const struct cs_document *document;
    struct cs_arena arena;
    struct cs_data *root;
    struct cs_buf html;
    struct piece pattern;
    struct piece *content; /* one for each section */
    struct piece *charts;
    const char **titles; /* of the artifacts' own, or NULL */
};

static struct cs_view piece_view(const struct site *site, struct piece piece)
{
    return cs_view_sub(cs_buf_view(&site->html), piece.start, piece.end - piece.start);
}

static bool made_of_parts(enum cs_section_kind kind)
{
    return kind == CS_SECTION_PERSONAS || kind == CS_SECTION_CONCEPTS;
}

static bool may_have_variations(enum cs_section_kind kind)
{
    return kind == CS_SECTION_COPY || kind == CS_SECTION_CTA || kind == CS_SECTION_SOCIAL;
}

/* A title that an artifact gives itself stands above it, with the section's name in
 * small; one that only repeats the name takes its place. */
static void take_title(struct site *site, size_t index, struct cs_html_writer *writer)
{
    const struct cs_section *section = &site->document->sections[index];
    struct cs_buf text = CS_BUF_INIT(4096);

    if (!section->folded && cs_html_writer_take_title(writer, &text))
        site->titles[index] =
            cs_arena_text(&site->arena, cs_view_trim(cs_buf_view(&text)));
    cs_buf_clear(&text);
}

static void write_section(struct site *site, size_t index)
{
    const struct cs_section *section = &site->document->sections[index];
    struct cs_html_writer writer;

    site->charts[index].start = site->html.len;
    for (size_t i = 0; i < section->chart_count; i++) {
        struct cs_buf id = CS_BUF_INIT(128);

        cs_buf_add_fmt(&id, "%s--chart-%zu", section->slug, i + 1);
        cs_chart_html(&site->html, &section->charts[i], cs_buf_cstr(&id),
                      site->document->language);
        cs_buf_clear(&id);
    }
    site->charts[index].end = site->content[index].start = site->html.len;
    cs_html_writer_init(&writer, &site->html, site->document->language, section);
    take_title(site, index, &writer);
    if (made_of_parts(section->kind) ||
        (may_have_variations(section->kind) && cs_html_has_variations(section)))
        cs_html_write_cards(&writer);
    else
        cs_html_write(&writer);
    cs_html_writer_clear(&writer);
    site->content[index].end = site->html.len;
}

static enum cs_code write_pieces(struct site *site, struct cs_err *err)
{
    size_t count = site->document->section_count;

    site->content = cs_arena_alloc(&site->arena, count + 1, sizeof(*site->content));
    site->charts = cs_arena_alloc(&site->arena, count + 1, sizeof(*site->charts));
    site->titles = cs_arena_alloc(&site->arena, count + 1, sizeof(*site->titles));
    if (site->content == NULL || site->charts == NULL || site->titles == NULL)
        return cs_err_nomem(err);
    site->pattern.start = site->html.len;
    cs_pattern_html(&site->html, cs_view_cstr(site->document->title));
    site->pattern.end = site->html.len;
    for (size_t i = 0; i < count; i++)
        write_section(site, i);
    return cs_buf_check(&site->html, err);
}

static const char *kind_name(enum cs_section_kind kind)
{
    static const char *const names[] = {
        [CS_SECTION_STRATEGY] = "strategy",
        [CS_SECTION_PERSONAS] = "personas",
        [CS_SECTION_CONCEPTS] = "concepts",
        [CS_SECTION_COPY] = "copy",
        [CS_SECTION_CTA] = "cta",
        [CS_SECTION_VISUAL] = "visual",
        [CS_SECTION_DESIGN] = "design",
        [CS_SECTION_SOCIAL] = "social",
        [CS_SECTION_EMOTION] = "emotion",
        [CS_SECTION_MEDIA] = "media",
        [CS_SECTION_REVIEW] = "review",
        [CS_SECTION_SUMMARY] = "summary",
        [CS_SECTION_CLIENT_SUMMARY] = "letter",
        [CS_SECTION_WEBSITE] = "website",
        [CS_SECTION_VALIDATION] = "validation",
        [CS_SECTION_OTHER] = "other",
        [CS_SECTION_BRIEF] = "brief",
        [CS_SECTION_FEEDBACK] = "feedback",
        [CS_SECTION_CONVERSATION] = "conversation",
        [CS_SECTION_PREVIOUS] = "previous",
        [CS_SECTION_STATE] = "state",
        [CS_SECTION_PROGRESS] = "progress",
        [CS_SECTION_TIMELINE] = "timeline",
    };

    return names[kind];
}

static void add_section(struct site *site, struct cs_data *list, size_t index,
                        size_t number)
{
    const struct cs_section *section = &site->document->sections[index];
    struct cs_data *data = cs_data_add(&site->arena, list, NULL, CS_DATA_OBJECT);
    struct cs_buf digits = CS_BUF_INIT(32);

    cs_buf_add_fmt(&digits, "%02zu", number);
    cs_data_add_cstr(&site->arena, data, "slug", section->slug);
    cs_data_add_cstr(&site->arena, data, "label", section->title);
    cs_data_add_cstr(&site->arena, data, "title",
                     site->titles[index] != NULL ? site->titles[index] : section->title);
    cs_data_add_bool(&site->arena, data, "titled",
                     site->titles[index] != NULL &&
                         !cs_view_eq_nocase(cs_view_cstr(site->titles[index]),
                                            cs_view_cstr(section->title)));
    cs_data_add_cstr(&site->arena, data, "kind", kind_name(section->kind));
    cs_data_add_cstr(&site->arena, data, "number",
                     cs_arena_text(&site->arena, cs_buf_view(&digits)));
    cs_data_add_bool(&site->arena, data, "visual", section->kind == CS_SECTION_VISUAL);
    cs_data_add_bool(&site->arena, data, "charts_first",
                     cs_section_charts_first(section));
    cs_data_add_html(&site->arena, data, "charts", piece_view(site, site->charts[index]));
    cs_data_add_html(&site->arena, data, "content",
                     piece_view(site, site->content[index]));
    cs_buf_clear(&digits);
}

static void add_sections(struct site *site)
{
    struct cs_data *shown =
        cs_data_add(&site->arena, site->root, "sections", CS_DATA_LIST);
    struct cs_data *folded =
        cs_data_add(&site->arena, site->root, "details", CS_DATA_LIST);
    size_t numbers[2] = {0};

    for (size_t i = 0; i < site->document->section_count; i++) {
        bool fold = site->document->sections[i].folded;

        add_section(site, fold ? folded : shown, i, ++numbers[fold ? 1 : 0]);
    }
    cs_data_add_bool(&site->arena, site->root, "has_sections", numbers[0] > 0);
}

static void add_colour(struct site *site, struct cs_data *parent, const char *name,
                       struct cs_colour colour)
{
    char hex[CS_COLOUR_HEX_LEN + 1];

    cs_colour_hex(hex, colour);
    cs_data_add_cstr(&site->arena, parent, name,
                     cs_arena_text(&site->arena, cs_view_cstr(hex)));
}

static void add_scheme(struct site *site, const char *name,
                       const struct cs_scheme *scheme)
{
    struct cs_data *data = cs_data_add(&site->arena, site->root, name, CS_DATA_OBJECT);
    struct cs_data *list = cs_data_add(&site->arena, data, "chart", CS_DATA_LIST);
    struct cs_colour chart[CS_CHART_COLOURS];

    add_colour(site, data, "paper", scheme->paper);
    add_colour(site, data, "surface", scheme->surface);
    add_colour(site, data, "ink", scheme->ink);
    add_colour(site, data, "muted", scheme->muted);
    add_colour(site, data, "line", scheme->line);
    add_colour(site, data, "accent", scheme->accent);
    add_colour(site, data, "fill", scheme->fill);
    add_colour(site, data, "fill_ink", scheme->fill_ink);
    add_colour(site, data, "second", scheme->second);
    add_colour(site, data, "second_ink", scheme->second_ink);
    cs_chart_colours(chart, scheme);
    for (size_t i = 0; i < CS_CHART_COLOURS; i++) {
        struct cs_data *entry = cs_data_add(&site->arena, list, NULL, CS_DATA_OBJECT);
        char index = (char)('0' + i);

        cs_data_add_cstr(&site->arena, entry, "index",
                         cs_arena_text(&site->arena, cs_view_of(&index, 1)));
        add_colour(site, entry, "colour", chart[i]);
    }
}

static void add_pattern_colours(struct site *site)
{
    struct cs_colour colours[CS_PATTERN_COLOURS];
    struct cs_data *list = cs_data_add(&site->arena, site->root, "art", CS_DATA_LIST);

    cs_pattern_colours(colours, &site->document->palette);
    for (size_t i = 0; i < CS_COUNT(colours); i++) {
        struct cs_data *entry = cs_data_add(&site->arena, list, NULL, CS_DATA_OBJECT);
        char index = (char)('0' + i);

        cs_data_add_cstr(&site->arena, entry, "index",
                         cs_arena_text(&site->arena, cs_view_of(&index, 1)));
        add_colour(site, entry, "colour", colours[i]);
    }
}

static void add_swatches(struct site *site)
{
    const struct cs_palette *palette = &site->document->palette;
    struct cs_data *list =
        cs_data_add(&site->arena, site->root, "swatches", CS_DATA_LIST);

    cs_data_add_bool(&site->arena, site->root, "has_swatches", palette->count > 0);

    for (size_t i = 0; i < palette->count; i++) {
        struct cs_data *swatch = cs_data_add(&site->arena, list, NULL, CS_DATA_OBJECT);

        add_colour(site, swatch, "colour", palette->swatches[i].colour);
        cs_data_add_text(&site->arena, swatch, "name", palette->swatches[i].name);
    }
}

static void add_words(struct site *site)
{
    static const struct {
        const char *name;
        enum cs_label label;
    } words[] = {
        {"skip", CS_LABEL_SKIP},         {"contents", CS_LABEL_CONTENTS},
        {"client", CS_LABEL_CLIENT},     {"product", CS_LABEL_PRODUCT},
        {"budget", CS_LABEL_BUDGET},     {"duration", CS_LABEL_DURATION},
        {"status", CS_LABEL_STATUS},     {"quality", CS_LABEL_QUALITY},
        {"details", CS_LABEL_DETAILS},   {"palette", CS_LABEL_PALETTE},
        {"created", CS_LABEL_CREATED},   {"completed", CS_LABEL_COMPLETED},
        {"campaign", CS_LABEL_CAMPAIGN}, {"to_top", CS_LABEL_TO_TOP},
        {"visual", CS_LABEL_VISUAL},     {"id", CS_LABEL_CAMPAIGN_ID},
        {"goals", CS_LABEL_GOALS},
    };
    struct cs_data *data = cs_data_add(&site->arena, site->root, "words", CS_DATA_OBJECT);

    for (size_t i = 0; i < CS_COUNT(words); i++)
        cs_data_add_cstr(&site->arena, data, words[i].name,
                         cs_label(site->document->language, words[i].label));
}

static void add_goals(struct site *site)
{
    struct cs_data *list = cs_data_add(&site->arena, site->root, "goals", CS_DATA_LIST);

    cs_data_add_bool(&site->arena, site->root, "has_goals",
                     site->document->goal_count > 0);
    for (size_t i = 0; i < site->document->goal_count; i++) {
        struct cs_data *goal = cs_data_add(&site->arena, list, NULL, CS_DATA_OBJECT);

        cs_data_add_cstr(&site->arena, goal, "goal", site->document->goals[i]);
    }
}

/* "2024-12-01" of a time stamp. */
static struct cs_view day_of(const char *time)
{
    return cs_view_sub(cs_view_cstr(time), 0, 10);
}

/* One of three pairs of typefaces, always the same one for a title. */
static const char *face_of(const char *title)
{
    static const char *const faces[] = {"modern", "editorial", "humanist"};
    unsigned sum = 0;

    for (; *title != '\0'; title++)
        sum = sum * 31 + (unsigned char)*title;
    return faces[sum % CS_COUNT(faces)];
}

static void add_facts(struct site *site)
{
    const struct cs_document *document = site->document;
    const struct {
        const char *name, *text;
    } facts[] = {
        {"title", document->title},           {"client", document->client},
        {"client_url", document->client_url}, {"product", document->product},
        {"tagline", document->tagline},       {"summary", document->summary},
        {"language", document->language},     {"status", document->status},
        {"budget", document->budget},         {"duration", document->duration},
        {"cta_label", document->cta_label},   {"cta_url", document->cta_url},
        {"image_url", document->image_url},   {"image_alt", document->image_alt},
        {"quality", document->quality_score}, {"campaign_id", document->campaign_id},
        {"created_at", document->created_at}, {"completed_at", document->completed_at},
    };

    for (size_t i = 0; i < CS_COUNT(facts); i++)
        cs_data_add_cstr(&site->arena, site->root, facts[i].name, facts[i].text);
    /* What stands above already is not said again. */
    cs_data_add_cstr(
        &site->arena, site->root, "lead",
        strcmp(document->summary, document->product) == 0 ? "" : document->summary);
    cs_data_add_bool(&site->arena, site->root, "has_figures",
                     document->budget[0] != '\0' || document->duration[0] != '\0');
    cs_data_add_bool(&site->arena, site->root, "has_facts",
                     document->budget[0] != '\0' || document->duration[0] != '\0' ||
                         strcmp(document->summary, document->product) != 0 ||
                         document->goal_count > 0);
    cs_data_add_cstr(&site->arena, site->root, "direction",
                     document->rtl ? "rtl" : "ltr");
    cs_data_add_cstr(&site->arena, site->root, "face", face_of(document->title));
    cs_data_add_bool(&site->arena, site->root, "long_title",
                     strlen(document->title) > 28);
    cs_data_add_text(&site->arena, site->root, "created_day",
                     day_of(document->created_at));
    cs_data_add_text(&site->arena, site->root, "completed_day",
                     day_of(document->completed_at));
    cs_data_add_html(&site->arena, site->root, "pattern",
                     piece_view(site, site->pattern));
}

static enum cs_code fill(struct site *site, struct cs_err *err)
{
    enum cs_code code = write_pieces(site, err);

    if (code != CS_OK)
        return code;
    site->root = cs_data_new(&site->arena);
    add_facts(site);
    add_goals(site);
    add_words(site);
    add_scheme(site, "light", &site->document->palette.light);
    add_scheme(site, "dark", &site->document->palette.dark);
    add_pattern_colours(site);
    add_swatches(site);
    add_sections(site);
    return cs_arena_check(&site->arena, err);
}

enum cs_code cs_website_render(const struct cs_theme *theme,
                               const struct cs_document *document, struct cs_buf *out,
                               struct cs_err *err)
{
    struct site site = {.document = document, .html = CS_BUF_INIT(out->max)};
    enum cs_code code;

    cs_arena_init(&site.arena);
    code = fill(&site, err);
    if (code == CS_OK)
        code = cs_templates_render(theme->templates, "page", site.root, CS_TEMPLATE_SAFE,
                                   out, err);
    cs_buf_clear(&site.html);
    cs_arena_clear(&site.arena);
    return code;
}
