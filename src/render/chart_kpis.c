#include "config.h"

#include <math.h>

#include "render/chart_parts.h"
#include "render/language.h"
#include "render/markdown.h"
#include "render/text.h"

#define DEPTH_MAX 4 /* of objects in which lists of figures are looked for */

/* One figure as texts, wherever they come from. */
struct figure {
    struct cs_view name, before, target;
};

/* What is being filled. */
struct figures {
    struct cs_section *section;
    struct cs_arena *arena;
    const char *language;
    struct cs_chart *chart; /* NULL before the first figure */
};

/* A number with the thousands or millions that a letter behind it means: "1.2M". */
static bool read_number(double *out, bool *percent_out, struct cs_view text)
{
    size_t at = text.len;
    bool letter;

    if (!cs_charts_number(out, percent_out, text))
        return false;
    while (at > 0 && (text.ptr[at - 1] < '0' || text.ptr[at - 1] > '9'))
        at--;
    text = cs_view_trim(cs_view_from(text, at));
    letter = text.len == 1 || (text.len > 1 && text.ptr[1] == ' ');
    if (letter && (text.ptr[0] == 'k' || text.ptr[0] == 'K'))
        *out *= 1e3;
    else if (letter && text.ptr[0] == 'M')
        *out *= 1e6;
    return isfinite(*out) && *out >= 0;
}

static const char *joined(const struct figures *figures, const struct figure *figure)
{
    struct cs_buf text = CS_BUF_INIT(1024);
    const char *copy;

    cs_buf_add(&text, figure->before);
    if (text.len > 0)
        cs_buf_add_cstr(
            &text, cs_language_is_rtl(cs_view_cstr(figures->language)) ? " ← " : " → ");
    cs_buf_add(&text, figure->target);
    copy = cs_arena_text(figures->arena, cs_buf_view(&text));
    cs_buf_clear(&text);
    return copy;
}

/* A figure without a number as its target, or with one of another kind than before, is
 * left to its table. */
static void add_figure(struct figures *figures, struct figure figure)
{
    struct cs_chart_row row = {.before = -1};
    bool percent, percent_before;

    if (figure.name.len == 0 || !read_number(&row.value, &percent, figure.target))
        return;
    if (!read_number(&row.before, &percent_before, figure.before)) {
        row.before = -1;
        figure.before = cs_view_of(NULL, 0);
    } else if (percent != percent_before) {
        return;
    }
    if (figures->chart == NULL)
        figures->chart = cs_chart_add(figures->section, figures->arena, CS_CHART_KPIS,
                                      CS_LABEL_KPIS, figures->language);
    if (figures->chart == NULL || figures->chart->count == CS_CHART_ROWS)
        return;
    row.label = cs_arena_text(figures->arena, figure.name);
    row.text = joined(figures, &figure);
    figures->chart->rows[figures->chart->count++] = row;
}

/* ---- from JSON --------------------------------------------------------------------- */

static const char *const name_members[] = {"name",      "kpi",  "metric", "indicator",
                                           "objective", "goal", "label",  NULL};
static const char *const before_members[] = {"baseline", "current", "actual",
                                             "before",   "today",   NULL};
static const char *const target_members[] = {"target", "target_value", "cible",
                                             "ziel",   "meta",         NULL};

static bool is_figure(const struct cs_json *object)
{
    return cs_json_type(object) == CS_JSON_OBJECT &&
           cs_chart_member(object, before_members).ptr != NULL &&
           cs_chart_member(object, target_members).ptr != NULL;
}

static void add_object(struct figures *figures, const struct cs_json *object,
                       struct cs_view key)
{
    struct cs_view name = cs_chart_member(object, name_members);

    if (!is_figure(object))
        return;
    add_figure(
        figures,
        (struct figure){
            cs_chart_line(figures->arena, name.ptr != NULL ? name : key),
            cs_chart_line(figures->arena, cs_chart_member(object, before_members)),
            cs_chart_line(figures->arena, cs_chart_member(object, target_members))});
}

/* Lists and objects of figures, at any place that is not too deep. */
static void search(struct figures *figures, const struct cs_json *value, int depth)
{
    struct cs_json_iter iter = {0};

    if (depth == DEPTH_MAX)
        return;
    if (cs_json_type(value) == CS_JSON_ARRAY) {
        for (size_t i = 0; i < cs_json_length(value) && i < CS_CHART_ROWS; i++)
            add_object(figures, cs_json_at(value, i), cs_view_of(NULL, 0));
    } else if (cs_json_type(value) == CS_JSON_OBJECT) {
        while (cs_json_next(&iter, value)) {
            struct cs_buf key = CS_BUF_INIT(4096);

            if (is_figure(iter.value)) {
                cs_label_from_name(&key, iter.name);
                add_object(figures, iter.value, cs_buf_view(&key));
            } else {
                search(figures, iter.value, depth + 1);
            }
            cs_buf_clear(&key);
        }
    }
}

/* ---- from a table of Markdown ------------------------------------------------------ */

/* Columns of a table; SIZE_MAX where there is none. */
struct columns {
    size_t name, before, target;
};

/* Whether a heading is one of the words or begins with one and goes on after it. */
static bool one_of(struct cs_view slug, const char *const *words)
{
    for (; *words != NULL; words++) {
        struct cs_view word = cs_view_cstr(*words);

        if (cs_view_starts(slug, word) &&
            (slug.len == word.len || slug.ptr[word.len] == '-'))
            return true;
    }
    return false;
}

static void read_heading(struct columns *columns, struct cs_view slug, size_t index)
{
    static const char *const before[] = {
        "baseline",     "current", "actual", "today", "now",        "depart",  "actuel",
        "ausgangswert", "aktuell", "heute",  "ist",   "linea-base", "inicial", NULL};
    static const char *const target[] = {"target", "cible", "zielwert", "ziel",
                                         "soll",   "meta",  NULL};

    if (columns->before == SIZE_MAX && one_of(slug, before))
        columns->before = index;
    else if (columns->target == SIZE_MAX && one_of(slug, target))
        columns->target = index;
    else if (columns->name == SIZE_MAX && slug.len > 2) /* no column of numbers */
        columns->name = index;
}

static bool read_head(struct columns *columns, struct cs_arena *arena, cmark_node *row)
{
    size_t index = 0;

    *columns = (struct columns){SIZE_MAX, SIZE_MAX, SIZE_MAX};
    if (row == NULL || !cmark_gfm_extensions_get_table_row_is_header(row))
        return false;
    for (cmark_node *cell = cmark_node_first_child(row);
         cell != NULL && index < CS_CHART_COLUMNS; cell = cmark_node_next(cell)) {
        struct cs_buf slug = CS_BUF_INIT(128);

        cs_text_slug(&slug, cs_chart_cell(arena, cell));
        read_heading(columns, cs_buf_view(&slug), index++);
        cs_buf_clear(&slug);
    }
    return columns->name != SIZE_MAX && columns->before != SIZE_MAX &&
           columns->target != SIZE_MAX;
}

static void read_row(struct figures *figures, cmark_node *row,
                     const struct columns *columns)
{
    struct figure figure = {.name = {NULL, 0}};
    size_t index = 0;

    for (cmark_node *cell = cmark_node_first_child(row);
         cell != NULL && index < CS_CHART_COLUMNS; cell = cmark_node_next(cell)) {
        if (index == columns->name)
            figure.name = cs_chart_cell(figures->arena, cell);
        else if (index == columns->before)
            figure.before = cs_chart_cell(figures->arena, cell);
        else if (index == columns->target)
            figure.target = cs_chart_cell(figures->arena, cell);
        index++;
    }
    add_figure(figures, figure);
}

static void read_tables(struct figures *figures)
{
    cmark_node *node = cmark_node_first_child(figures->section->content);
    struct columns columns;

    for (; node != NULL && figures->chart == NULL; node = cmark_node_next(node)) {
        cmark_node *row;

        if (cmark_node_get_type(node) != CMARK_NODE_TABLE)
            continue;
        row = cmark_node_first_child(node);
        if (!read_head(&columns, figures->arena, row))
            continue;
        while ((row = cmark_node_next(row)) != NULL)
            read_row(figures, row, &columns);
    }
}

void cs_charts_kpis(struct cs_section *section, struct cs_arena *arena,
                    const struct cs_json *value, const char *language)
{
    struct figures figures = {section, arena, language, NULL};

    search(&figures, value, 0);
    if (figures.chart == NULL)
        read_tables(&figures);
}
