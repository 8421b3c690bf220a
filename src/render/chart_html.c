#include "config.h"

#include "render/chart_html.h"

#include "render/chart_axis.h"
#include "render/pattern.h"
#include "render/text.h"

void cs_chart_colours(struct cs_colour out[CS_CHART_COLOURS],
                      const struct cs_scheme *scheme)
{
    struct cs_colour first = scheme->fill, second = scheme->second;

    for (size_t i = 0; i < CS_CHART_COLOURS; i++) {
        /* First and second colour in turn, each time nearer to the page. */
        struct cs_colour base = i % 2 == 0 ? first : second;
        size_t turn = i / 2;
        struct cs_colour colour = cs_colour_mix(base, scheme->paper, 0.15 * (double)turn);

        out[i] = cs_colour_readable(colour, scheme->surface, i < 4 ? 3.0 : 2.2);
    }
}

static void put(struct cs_buf *out, const char *markup)
{
    cs_buf_add_cstr(out, markup);
}

static void put_text(struct cs_buf *out, const char *text)
{
    cs_text_html(out, cs_view_cstr(text));
}

static void put_title(struct cs_buf *out, const char *title)
{
    put(out, "<title>");
    put_text(out, title);
    put(out, "</title>");
}

/* ---- shares: a ring and its legend ----------------------------------------------------
 */

static double sum_of(const struct cs_chart *chart)
{
    double sum = 0;

    for (size_t i = 0; i < chart->count; i++)
        sum += chart->rows[i].value;
    return sum;
}

static double largest_of(const struct cs_chart *chart)
{
    double largest = 0;

    for (size_t i = 0; i < chart->count; i++)
        largest = chart->rows[i].value > largest ? chart->rows[i].value : largest;
    return largest;
}

/* One part of the ring as a stroke of its length: a circle of circumference 100. */
static void put_ring(struct cs_buf *out, const struct cs_chart *chart)
{
    double sum = sum_of(chart), done = 0;

    for (size_t i = 0; i < chart->count && sum > 0; i++) {
        double part = chart->rows[i].value / sum * 100;

        cs_buf_add_fmt(out,
                       "<circle class=\"k%zu\" cx=\"21\" cy=\"21\" r=\"15.9155\" "
                       "stroke-dasharray=\"%.3f %.3f\" stroke-dashoffset=\"%.3f\"/>",
                       i % CS_CHART_COLOURS, part > 0.6 ? part - 0.6 : part / 2,
                       100.6 - part, 25 - done);
        done += part;
    }
}

static void put_description(struct cs_buf *out, const struct cs_chart *chart)
{
    put(out, "<desc>");
    for (size_t i = 0; i < chart->count; i++) {
        put(out, i > 0 ? "; " : "");
        put_text(out, chart->rows[i].label);
        put(out, ": ");
        put_text(out, chart->rows[i].text);
    }
    put(out, "</desc>");
}

static void put_shares(struct cs_buf *out, const struct cs_chart *chart)
{
    put(out, "<div class=\"ring\"><svg viewBox=\"0 0 42 42\" role=\"img\">");
    put_title(out, chart->title);
    put_description(out, chart);
    put_ring(out, chart);
    put(out, "</svg></div>\n<ul class=\"legend\">\n");
    for (size_t i = 0; i < chart->count; i++) {
        cs_buf_add_fmt(out, "<li><span class=\"what key k%zu\">", i % CS_CHART_COLOURS);
        put_text(out, chart->rows[i].label);
        put(out, "</span> <span class=\"much\">");
        put_text(out, chart->rows[i].text);
        put(out, "</span></li>\n");
    }
    put(out, "</ul>\n");
}

/* ---- bars: one row each, so that they fit any width
 * -------------------------------------- */

struct bar {
    double from, to; /* percent of the width */
    const struct cs_chart_tick *ticks;
    size_t tick_count;
};

static void put_bar_row(struct cs_buf *out, const struct cs_chart_row *row,
                        const struct bar *bar)
{
    put(out, "<li><span class=\"what\">");
    put_text(out, row->label);
    put(out, "</span> <span class=\"much\">");
    put_text(out, row->text);
    put(out,
        "</span><svg viewBox=\"0 0 100 4\" preserveAspectRatio=\"none\" role=\"img\">");
    put_title(out, row->label);
    put(out, "<desc>");
    put_text(out, row->text);
    put(out, "</desc><rect class=\"track\" width=\"100\" height=\"4\"/>");
    for (size_t i = 0; i < bar->tick_count; i++)
        cs_buf_add_fmt(out,
                       "<rect class=\"tick\" x=\"%.2f\" width=\"0.5\" height=\"4\"/>",
                       bar->ticks[i].at * 100);
    cs_buf_add_fmt(
        out, "<rect class=\"bar\" x=\"%.2f\" width=\"%.2f\" height=\"4\"/></svg></li>\n",
        bar->from, bar->to - bar->from < 0.6 ? 0.6 : bar->to - bar->from);
}

#define AXIS_TICKS 5u /* as many as a phone has room for */
#define AXIS_END   90 /* percent: behind it a text would leave the chart */

/* Names of the marks that all rows have. */
static void put_axis(struct cs_buf *out, const struct bar *bar)
{
    if (bar->tick_count == 0)
        return;
    put(out, "<p class=\"axis\" aria-hidden=\"true\">");
    for (size_t i = 0; i < bar->tick_count; i++) {
        double percent = bar->ticks[i].at * 100;

        if (percent > AXIS_END)
            continue;
        cs_buf_add_fmt(out, "<span style=\"inset-inline-start:%.2f%%\">", percent);
        put_text(out, bar->ticks[i].text);
        put(out, "</span>");
    }
    put(out, "</p>\n");
}

static void put_schedule(struct cs_buf *out, const struct cs_chart *chart,
                         const char *language)
{
    const struct cs_chart_calendar calendar = cs_chart_calendar(chart);
    struct cs_chart_tick ticks[CS_CHART_TICKS];
    struct bar bar = {.ticks = ticks};

    bar.tick_count = cs_chart_ticks(ticks, AXIS_TICKS, chart, language);
    put_axis(out, &bar);
    put(out, "<ul class=\"bars schedule\">\n");
    for (size_t i = 0; i < chart->count; i++) {
        bar.from = cs_chart_place(&calendar, chart->rows[i].start_day) * 100;
        bar.to = cs_chart_place(&calendar, chart->rows[i].end_day + 1) * 100;
        put_bar_row(out, &chart->rows[i], &bar);
    }
    put(out, "</ul>\n");
}

static void put_durations(struct cs_buf *out, const struct cs_chart *chart)
{
    double largest = largest_of(chart);

    put(out, "<ul class=\"bars\">\n");
    for (size_t i = 0; i < chart->count; i++) {
        const struct bar bar = {.to = largest > 0 ? chart->rows[i].value / largest * 100
                                                  : 0};

        put_bar_row(out, &chart->rows[i], &bar);
    }
    put(out, "</ul>\n");
}

/* What a figure is above what it shall be, each figure on a scale of its own. */
static void put_figures(struct cs_buf *out, const struct cs_chart *chart)
{
    put(out, "<ul class=\"bars figures\">\n");
    for (size_t i = 0; i < chart->count; i++) {
        const struct cs_chart_row *row = &chart->rows[i];
        double most = row->value > row->before ? row->value : row->before;
        double scale = most > 0 ? 100 / most : 0;

        put(out, "<li><span class=\"what\">");
        put_text(out, row->label);
        put(out, "</span> <span class=\"much\">");
        put_text(out, row->text);
        put(out, "</span><svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" "
                 "role=\"img\">");
        put_title(out, row->label);
        put(out, "<desc>");
        put_text(out, row->text);
        put(out, "</desc><rect class=\"track\" width=\"100\" height=\"8\"/>");
        if (row->before >= 0)
            cs_buf_add_fmt(out, "<rect class=\"before\" width=\"%.2f\" height=\"3\"/>",
                           row->before * scale);
        cs_buf_add_fmt(
            out,
            "<rect class=\"bar\" y=\"3.5\" width=\"%.2f\" height=\"4.5\"/></svg></li>\n",
            row->value * scale);
    }
    put(out, "</ul>\n");
}

void cs_chart_html(struct cs_buf *out, const struct cs_chart *chart, const char *id,
                   const char *language)
{
    cs_buf_add_fmt(
        out, "<figure class=\"chart\" aria-labelledby=\"%s-c\"><figcaption id=\"%s-c\">",
        id, id);
    put_text(out, chart->title);
    put(out, "</figcaption>\n");
    switch (chart->kind) {
    case CS_CHART_SHARES:
        put_shares(out, chart);
        break;
    case CS_CHART_SCHEDULE:
        put_schedule(out, chart, language);
        break;
    case CS_CHART_DURATIONS:
        put_durations(out, chart);
        break;
    case CS_CHART_KPIS:
        put_figures(out, chart);
        break;
    }
    put(out, "</figure>\n");
}

/* ---- the campaign's pattern
 * ------------------------------------------------------------------ */

static void put_wave(struct cs_buf *out, const struct cs_pattern_shape *wave)
{
    cs_buf_add_fmt(out, "<path class=\"p%u\" d=\"M-%u %u", wave->colour, wave->x,
                   wave->y);
    for (unsigned i = 0; i < 4; i++)
        cs_buf_add_fmt(out, "q50-%u 100 0t100 0", wave->size);
    put(out, "V300H-200z\"/>");
}

static void put_shape(void *data, const struct cs_pattern_shape *shape)
{
    static const char *const quarters[] = {
        "h100a100 100 0 0 1-100 100z", "h100v100a100 100 0 0 1-100-100z",
        "a100 100 0 0 1 100 100h-100z", "m100 0v100h-100a100 100 0 0 1 100-100z"};
    struct cs_buf *out = data;

    switch (shape->kind) {
    case CS_PATTERN_BOX:
        cs_buf_add_fmt(
            out, "<rect class=\"p%u\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\"/>",
            shape->colour, shape->x, shape->y, shape->width, shape->height);
        break;
    case CS_PATTERN_DISC:
        cs_buf_add_fmt(out, "<circle class=\"p%u\" cx=\"%u\" cy=\"%u\" r=\"%u\"/>",
                       shape->colour, shape->x, shape->y, shape->size);
        break;
    case CS_PATTERN_QUARTER:
        cs_buf_add_fmt(out, "<path class=\"p%u\" d=\"M%u %u%s\"/>", shape->colour,
                       shape->x, shape->y, quarters[shape->corner]);
        break;
    case CS_PATTERN_WAVE:
        put_wave(out, shape);
        break;
    }
}

void cs_pattern_html(struct cs_buf *out, struct cs_view seed)
{
    put(out, "<svg class=\"pattern\" viewBox=\"0 0 400 300\" "
             "preserveAspectRatio=\"xMidYMid slice\" aria-hidden=\"true\">");
    cs_pattern_draw(seed, put_shape, out);
    put(out, "</svg>");
}
