#include "config.h"

#include "render/pdf_chart.h"

#include <math.h>

#include "render/chart_axis.h"
#include "render/pdf_ops.h"

#define ROW_HEIGHT 17.0
#define BAR_HEIGHT 8.0
#define LABEL_SIZE 8.6
#define TICK_SIZE  7.4
#define GUTTER     9.0
#define CHART_ROWS 2000u
#define AXIS_TICKS 6u
#define TICK_BEYOND \
    0.1 /* what the last mark's text may leave the bars by, of their width */

/* Columns of a chart: labels, bars, values; as they stand in text from left to right. */
struct frame {
    struct cs_pdf_area area;
    bool mirrored; /* the text runs from right to left */
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
    struct frame frame = {.area = area,
                          .mirrored = book->rtl,
                          .label_width =
                              fmin(widest(book, chart, false), area.width * 0.34)};

    frame.values_width = fmin(widest(book, chart, true),
                              area.width * (chart->kind == CS_CHART_KPIS ? 0.4 : 0.26));
    frame.bars = area.left + frame.label_width + GUTTER;
    frame.values = area.left + area.width;
    frame.bars_width = frame.values - frame.values_width - GUTTER - frame.bars;
    return frame;
}

/* Where what stands at x, this wide, has its left edge on the page. */
static double edge(const struct frame *frame, double x, double width)
{
    return frame->mirrored ? 2 * frame->area.left + frame->area.width - x - width : x;
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
                  const struct cs_chart_row *row, const struct frame *frame)
{
    struct cs_pdf_style style = cs_pdf_book_style(book, LABEL_SIZE, 0, book->scheme->ink);
    double y = -cs_pdf_book_baseline(book, ROW_HEIGHT, LABEL_SIZE);

    (void)cs_pdf_book_label(book, out, cs_view_cstr(row->label), &style,
                            frame->mirrored ? CS_PDF_RIGHT : CS_PDF_LEFT,
                            edge(frame, frame->area.left, 0), y, frame->label_width + 2);
    style.font = CS_PDF_BOLD;
    (void)cs_pdf_book_label(book, out, cs_view_cstr(row->text), &style,
                            frame->mirrored ? CS_PDF_LEFT : CS_PDF_RIGHT,
                            edge(frame, frame->values, 0), y, frame->values_width + 2);
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
    const struct frame frame = {.area = area, .mirrored = book->rtl};
    struct cs_buf *out = cs_pdf_flow_begin(book->flow);
    double x = area.left, sum = 0, height = 16;

    for (size_t i = 0; i < chart->count; i++)
        sum += chart->rows[i].value;
    for (size_t i = 0; i < chart->count && sum > 0; i++) {
        double width = area.width * chart->rows[i].value / sum;

        cs_pdf_fill_colour(out, bar_colour(book, i, chart->count));
        cs_pdf_box(out, edge(&frame, x, fmax(0, width - 1.2)), -height,
                   fmax(0, width - 1.2), height);
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

        cs_pdf_round_box(out, book->scheme->surface,
                         edge(&frame, frame.bars, frame.bars_width), y, frame.bars_width,
                         BAR_HEIGHT, 2.5);
        if (width > 0.3) {
            cs_pdf_round_box(out,
                             chart->kind == CS_CHART_SHARES
                                 ? bar_colour(book, i, chart->count)
                                 : book->scheme->fill,
                             edge(&frame, frame.bars, fmax(width, 2)), y, fmax(width, 2),
                             BAR_HEIGHT, 2.5);
        }
        texts(book, out, row, &frame);
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
    double after = fmax(row->value * scale, 2), before = fmax(row->before * scale, 2);

    cs_pdf_round_box(out, book->scheme->surface,
                     edge(frame, frame->bars, frame->bars_width), y, frame->bars_width,
                     BAR_HEIGHT, 2.5);
    cs_pdf_round_box(out, book->scheme->fill, edge(frame, frame->bars, after), y, after,
                     BAR_HEIGHT * 0.55, 1.5);
    if (row->before >= 0)
        cs_pdf_round_box(out, book->scheme->muted, edge(frame, frame->bars, before),
                         y + BAR_HEIGHT * 0.65, before, BAR_HEIGHT * 0.35, 1);
}

static void figures(struct cs_pdf_book *book, const struct cs_chart *chart,
                    struct cs_pdf_area area)
{
    const struct frame frame = frame_of(book, chart, area);

    for (size_t i = 0; i < chart->count && i < CHART_ROWS; i++) {
        struct cs_buf *out = cs_pdf_flow_begin(book->flow);

        figure(book, out, &chart->rows[i], &frame);
        texts(book, out, &chart->rows[i], &frame);
        cs_pdf_flow_end(book->flow, ROW_HEIGHT,
                        i == 0 || i + 2 == chart->count ? CS_PDF_KEEP : 0);
    }
}

struct axis {
    struct cs_chart_tick ticks[CS_CHART_TICKS];
    size_t count;
    const struct frame *frame;
};

/* Where a place of the calendar, from 0 to 1, stands as in text from left to right. */
static double axis_x(const struct axis *axis, double at)
{
    return axis->frame->bars + at * axis->frame->bars_width;
}

/* All rows have the marks, so that an eye finds from a bar to its month. */
static void draw_ticks(struct cs_pdf_book *book, struct cs_buf *out,
                       const struct axis *axis, double height)
{
    cs_pdf_line_colour(out, book->scheme->line);
    for (size_t i = 0; i < axis->count; i++) {
        double x = edge(axis->frame, axis_x(axis, axis->ticks[i].at), 0);

        cs_pdf_stroke_line(out, x, 0, x, -height, 0.5);
    }
}

static void tick_labels(struct cs_pdf_book *book, const struct axis *axis)
{
    struct cs_pdf_style style =
        cs_pdf_book_style(book, TICK_SIZE, 0, book->scheme->muted);
    struct cs_buf *out = cs_pdf_flow_begin(book->flow);

    for (size_t i = 0; i < axis->count; i++) {
        double next = i + 1 < axis->count ? axis->ticks[i + 1].at : 1 + TICK_BEYOND;

        (void)cs_pdf_book_label(book, out, cs_view_cstr(axis->ticks[i].text), &style,
                                axis->frame->mirrored ? CS_PDF_RIGHT : CS_PDF_LEFT,
                                edge(axis->frame, axis_x(axis, axis->ticks[i].at) + 2, 0),
                                -8,
                                (next - axis->ticks[i].at) * axis->frame->bars_width - 3);
    }
    draw_ticks(book, out, axis, 12);
    cs_pdf_flow_end(book->flow, 12, CS_PDF_KEEP);
}

static void schedule(struct cs_pdf_book *book, const struct cs_chart *chart,
                     struct cs_pdf_area area)
{
    const struct frame frame = frame_of(book, chart, area);
    const struct cs_chart_calendar calendar = cs_chart_calendar(chart);
    struct axis axis = {.frame = &frame};

    axis.count = cs_chart_ticks(axis.ticks, AXIS_TICKS, chart, book->language);
    if (axis.count > 0)
        tick_labels(book, &axis);
    for (size_t i = 0; i < chart->count && i < CHART_ROWS; i++) {
        const struct cs_chart_row *row = &chart->rows[i];
        struct cs_buf *out = cs_pdf_flow_begin(book->flow);
        double y = -(ROW_HEIGHT + BAR_HEIGHT) / 2;
        double left = axis_x(&axis, cs_chart_place(&calendar, row->start_day));
        double right = axis_x(&axis, cs_chart_place(&calendar, row->end_day + 1));
        double width = fmax(right - left, 2.5);

        draw_ticks(book, out, &axis, ROW_HEIGHT);
        cs_pdf_round_box(out, bar_colour(book, i, chart->count),
                         edge(&frame, left, width), y, width, BAR_HEIGHT, 2.5);
        texts(book, out, row, &frame);
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
