#include "config.h"

#include "render/pdf_chart.h"

#include <math.h>

#include "base/clock.h"
#include "render/pdf_ops.h"

#define ROW_HEIGHT 17.0
#define BAR_HEIGHT 8.0
#define LABEL_SIZE 8.6
#define TICK_SIZE  7.4
#define GUTTER     9.0
#define DAY_US     (86400 * CS_SECOND_US)
#define CHART_ROWS 2000u

/* Columns of a chart: labels, bars, values. */
struct frame {
    double label_width;
    double bars, bars_width;
    double values, values_width;
};

static double widest(struct cs_pdf_book *book, const struct cs_chart *chart, bool values)
{
    struct cs_pdf_style style =
        cs_pdf_book_style(book, LABEL_SIZE, values ? CS_PDF_BOLD : 0, book->scheme->ink);
    double most = 0;

    for (size_t i = 0; i < chart->count && i < CHART_ROWS; i++) {
        double word, line;

        cs_pdf_text_reset(book->side, book->rtl);
        cs_pdf_text_add(book->side,
                        cs_view_cstr(values ? chart->rows[i].text : chart->rows[i].label),
                        &style, NULL);
        cs_pdf_text_shape(book->side);
        cs_pdf_text_widths(book->side, &word, &line);
        most = fmax(most, line);
    }
    return most;
}

static struct frame frame_of(struct cs_pdf_book *book, const struct cs_chart *chart,
                             struct cs_pdf_area area)
{
    struct frame frame = {.label_width =
                              fmin(widest(book, chart, false), area.width * 0.34)};

    frame.values_width = fmin(widest(book, chart, true),
                              area.width * (chart->kind == CS_CHART_KPIS ? 0.4 : 0.26));
    frame.bars = area.left + frame.label_width + GUTTER;
    frame.values = area.left + area.width;
    frame.bars_width = frame.values - frame.values_width - GUTTER - frame.bars;
    return frame;
}

static void title(struct cs_pdf_book *book, const struct cs_chart *chart,
                  struct cs_pdf_area area)
{
    const struct cs_pdf_setting setting = {.leading = 15, .keep = true, .whole = true};
    const struct cs_pdf_style style =
        cs_pdf_book_style(book, 9.6, CS_PDF_BOLD, book->scheme->ink);

    cs_pdf_flow_space(book->flow, 14);
    cs_pdf_text_reset(book->text, book->rtl);
    cs_pdf_text_add(book->text, cs_view_cstr(chart->title), &style, NULL);
    cs_pdf_book_paragraph(book, area, &setting, NULL, NULL);
    cs_pdf_flow_space(book->flow, 4);
}

/* Label and value of a row; gives the baseline. */
static void texts(struct cs_pdf_book *book, struct cs_buf *out,
                  const struct cs_chart_row *row, const struct frame *frame,
                  struct cs_pdf_area area)
{
    struct cs_pdf_style style = cs_pdf_book_style(book, LABEL_SIZE, 0, book->scheme->ink);
    double y = -cs_pdf_book_baseline(book, ROW_HEIGHT, LABEL_SIZE);

    (void)cs_pdf_book_label(book, out, cs_view_cstr(row->label), &style, CS_PDF_LEFT,
                            area.left, y, frame->label_width + 2);
    style.font = CS_PDF_BOLD;
    (void)cs_pdf_book_label(book, out, cs_view_cstr(row->text), &style, CS_PDF_RIGHT,
                            frame->values, y, frame->values_width + 2);
}

/* From first (0) to second (1) colour by the row's place, so that bars that lie
 * side by side can be told apart. */
static struct cs_colour bar_colour(const struct cs_pdf_book *book, size_t row,
                                   size_t count)
{
    double share = count > 1 ? (double)row / (double)(count - 1) : 0;

    return cs_colour_readable(
        cs_colour_mix(book->scheme->fill, book->scheme->second, share * 0.85),
        book->scheme->paper, 1.6);
}

static double greatest(const struct cs_chart *chart)
{
    double most = 0;

    for (size_t i = 0; i < chart->count; i++)
        most = fmax(most, chart->rows[i].value);
    return most;
}

/* Shares as one stacked bar across the whole width, above the bars of the rows. */
static void stacked(struct cs_pdf_book *book, const struct cs_chart *chart,
                    struct cs_pdf_area area)
{
    struct cs_buf *out = cs_pdf_flow_begin(book->flow);
    double x = area.left, sum = 0, height = 16;

    for (size_t i = 0; i < chart->count; i++)
        sum += chart->rows[i].value;
    for (size_t i = 0; i < chart->count && sum > 0; i++) {
        double width = area.width * chart->rows[i].value / sum;

        cs_pdf_fill_colour(out, bar_colour(book, i, chart->count));
        cs_pdf_box(out, x, -height, fmax(0, width - 1.2), height);
        x += width;
    }
    cs_pdf_flow_end(book->flow, height, CS_PDF_KEEP);
    cs_pdf_flow_space(book->flow, 6);
}

static void bars(struct cs_pdf_book *book, const struct cs_chart *chart,
                 struct cs_pdf_area area)
{
    const struct frame frame = frame_of(book, chart, area);
    double most = greatest(chart);

    for (size_t i = 0; i < chart->count && i < CHART_ROWS; i++) {
        const struct cs_chart_row *row = &chart->rows[i];
        struct cs_buf *out = cs_pdf_flow_begin(book->flow);
        double y = -(ROW_HEIGHT + BAR_HEIGHT) / 2;
        double width = most > 0 ? frame.bars_width * row->value / most : 0;

        cs_pdf_round_box(out, book->scheme->surface, frame.bars, y, frame.bars_width,
                         BAR_HEIGHT, 2.5);
        if (width > 0.3) {
            cs_pdf_round_box(out,
                             chart->kind == CS_CHART_SHARES
                                 ? bar_colour(book, i, chart->count)
                                 : book->scheme->fill,
                             frame.bars, y, fmax(width, 2), BAR_HEIGHT, 2.5);
        }
        texts(book, out, row, &frame, area);
        cs_pdf_flow_end(book->flow, ROW_HEIGHT,
                        i == 0 || i + 2 == chart->count ? CS_PDF_KEEP : 0);
    }
}

/* A figure's two bars: what it is, thin, and what it shall be. Each figure has a scale
 * of its own, as they count different things. */
static void figure(struct cs_pdf_book *book, struct cs_buf *out,
                   const struct cs_chart_row *row, const struct frame *frame)
{
    double most = fmax(row->value, row->before), y = -(ROW_HEIGHT + BAR_HEIGHT) / 2;
    double scale = most > 0 ? frame->bars_width / most : 0;

    cs_pdf_round_box(out, book->scheme->surface, frame->bars, y, frame->bars_width,
                     BAR_HEIGHT, 2.5);
    cs_pdf_round_box(out, book->scheme->fill, frame->bars, y, fmax(row->value * scale, 2),
                     BAR_HEIGHT * 0.55, 1.5);
    if (row->before >= 0)
        cs_pdf_round_box(out, book->scheme->muted, frame->bars, y + BAR_HEIGHT * 0.65,
                         fmax(row->before * scale, 2), BAR_HEIGHT * 0.35, 1);
}

static void figures(struct cs_pdf_book *book, const struct cs_chart *chart,
                    struct cs_pdf_area area)
{
    const struct frame frame = frame_of(book, chart, area);

    for (size_t i = 0; i < chart->count && i < CHART_ROWS; i++) {
        struct cs_buf *out = cs_pdf_flow_begin(book->flow);

        figure(book, out, &chart->rows[i], &frame);
        texts(book, out, &chart->rows[i], &frame, area);
        cs_pdf_flow_end(book->flow, ROW_HEIGHT,
                        i == 0 || i + 2 == chart->count ? CS_PDF_KEEP : 0);
    }
}

struct calendar {
    int64_t first, last; /* days */
    bool undated;        /* of no certain year: months have no place on it */
    double x, width;
};

static double day_x(const struct calendar *calendar, int64_t day)
{
    double span = (double)(calendar->last - calendar->first) + 1;

    return calendar->x + calendar->width * (double)(day - calendar->first) / span;
}

static struct calendar calendar_of(const struct cs_chart *chart,
                                   const struct frame *frame)
{
    struct calendar calendar = {.first = chart->rows[0].start_day,
                                .last = chart->rows[0].end_day,
                                .undated = chart->undated,
                                .x = frame->bars,
                                .width = frame->bars_width};

    for (size_t i = 1; i < chart->count; i++) {
        if (chart->rows[i].start_day < calendar.first)
            calendar.first = chart->rows[i].start_day;
        if (chart->rows[i].end_day > calendar.last)
            calendar.last = chart->rows[i].end_day;
    }
    return calendar;
}

/* The first days of months, "2025-01", as far apart as the width asks for. */
static size_t month_starts(const struct calendar *calendar, int64_t *days, size_t most)
{
    int64_t step = (calendar->last - calendar->first) / (28 * (int64_t)most) + 1,
            month = 0;
    char text[CS_TIME_TEXT_LEN + 1];
    size_t count = 0;

    if (calendar->undated)
        return 0;
    for (int64_t day = calendar->first; day <= calendar->last && count < most; day++) {
        cs_time_text(text, day * DAY_US);
        if (memcmp(text + 8, "01", 2) != 0)
            continue;
        if (month % step == 0)
            days[count++] = day;
        month++;
        day += 26;
    }
    return count;
}

static void ticks(struct cs_pdf_book *book, struct cs_buf *out,
                  const struct calendar *calendar, double height)
{
    int64_t days[8];
    size_t count = month_starts(calendar, days, CS_COUNT(days));

    cs_pdf_line_colour(out, book->scheme->line);
    for (size_t i = 0; i < count; i++)
        cs_pdf_stroke_line(out, day_x(calendar, days[i]), 0, day_x(calendar, days[i]),
                           -height, 0.5);
}

static void tick_labels(struct cs_pdf_book *book, const struct calendar *calendar)
{
    struct cs_pdf_style style =
        cs_pdf_book_style(book, TICK_SIZE, 0, book->scheme->muted);
    struct cs_buf *out = cs_pdf_flow_begin(book->flow);
    char text[CS_TIME_TEXT_LEN + 1];
    int64_t days[8];
    size_t count = month_starts(calendar, days, CS_COUNT(days));

    for (size_t i = 0; i < count; i++) {
        cs_time_text(text, days[i] * DAY_US);
        (void)cs_pdf_book_label(book, out, cs_view_of(text, 7), &style, CS_PDF_LEFT,
                                day_x(calendar, days[i]) + 2, -8, 60);
    }
    ticks(book, out, calendar, 12);
    cs_pdf_flow_end(book->flow, 12, CS_PDF_KEEP);
}

static void schedule(struct cs_pdf_book *book, const struct cs_chart *chart,
                     struct cs_pdf_area area)
{
    const struct frame frame = frame_of(book, chart, area);
    struct calendar calendar = calendar_of(chart, &frame);

    if (calendar.last - calendar.first > 366 * 200) /* a slip of the data, not a plan */
        calendar.last = calendar.first + 366 * 200;
    if (!calendar.undated)
        tick_labels(book, &calendar);
    for (size_t i = 0; i < chart->count && i < CHART_ROWS; i++) {
        const struct cs_chart_row *row = &chart->rows[i];
        struct cs_buf *out = cs_pdf_flow_begin(book->flow);
        double y = -(ROW_HEIGHT + BAR_HEIGHT) / 2,
               left = day_x(&calendar, row->start_day);
        double right =
            fmin(day_x(&calendar, row->end_day + 1), frame.bars + frame.bars_width);

        ticks(book, out, &calendar, ROW_HEIGHT);
        cs_pdf_round_box(out, bar_colour(book, i, chart->count), left, y,
                         fmax(right - left, 2.5), BAR_HEIGHT, 2.5);
        texts(book, out, row, &frame, area);
        cs_pdf_flow_end(book->flow, ROW_HEIGHT,
                        i == 0 || i + 2 == chart->count ? CS_PDF_KEEP : 0);
    }
}

void cs_pdf_chart(struct cs_pdf_book *book, const struct cs_chart *chart,
                  struct cs_pdf_area area)
{
    if (chart->count == 0)
        return;
    title(book, chart, area);
    if (chart->kind == CS_CHART_SCHEDULE) {
        schedule(book, chart, area);
    } else if (chart->kind == CS_CHART_KPIS) {
        figures(book, chart, area);
    } else {
        if (chart->kind == CS_CHART_SHARES)
            stacked(book, chart, area);
        bars(book, chart, area);
    }
    cs_pdf_flow_space(book->flow, 16);
}
