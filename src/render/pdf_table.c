#include "config.h"

#include "render/pdf_table.h"

#include <cmark-gfm-core-extensions.h>
#include <math.h>

#include "render/pdf_inline.h"
#include "render/pdf_ops.h"

#define MEASURE_SIZE 10.0 /* widths are measured at this size and scaled */
#define CELL_PAD     5.0  /* left and right of a cell */
#define LEAST_COLUMN 22.0
#define WORD_SHARE   0.4  /* a word may make its column so wide a part of the table */
#define NAME_SHARE   0.24 /* of a list of fields is the column of names */
#define COLUMNS_MAX  1000u

/* Type sizes that are tried in turn until the longest words fit. */
static const double sizes[] = {9.2, 8.6, 8.0, 7.4, 6.8};

struct column {
    double word, line; /* of the longest word and the whole text, at MEASURE_SIZE */
    double width;
    size_t lines; /* of its cell in the row being set */
    char align;   /* 'l', 'c', 'r' or 0 */
};

struct table {
    struct cs_pdf_book *book;
    cmark_node *node;
    struct cs_pdf_area area;
    struct column *columns;
    size_t count;
    double size, leading, pad;
    bool headed; /* the first row is a head; else it is a list of fields */

    size_t *chosen; /* the columns of the group being set */
    size_t chosen_count;
    struct cs_buf row; /* operators of the row being set */

    /* The cell of that row whose paragraph book->text holds, and its lines: a cell of
     * many pages is made into lines once. */
    cmark_node *held;
    const struct cs_pdf_line *lines;
    size_t line_count;
};

static void prepare_cell(const struct table *table, cmark_node *cell, size_t column,
                         bool head, double size)
{
    const struct cs_scheme *scheme = table->book->scheme;
    bool name = !table->headed && column == 0;
    const struct cs_pdf_inline how = {
        .base = cs_pdf_book_style(table->book, size, head || name ? CS_PDF_BOLD : 0,
                                  head ? scheme->accent : scheme->ink)};

    cs_pdf_text_reset(table->book->text, table->book->rtl);
    cs_pdf_inline_add(table->book, cell, &how);
    cs_pdf_text_shape(table->book->text);
}

static bool is_head(cmark_node *row)
{
    return cmark_gfm_extensions_get_table_row_is_header(row) != 0;
}

static void measure(struct table *table)
{
    for (cmark_node *row = cmark_node_first_child(table->node); row != NULL;
         row = cmark_node_next(row)) {
        size_t i = 0;

        if (cs_pdf_book_failed(table->book))
            return;
        for (cmark_node *cell = cmark_node_first_child(row);
             cell != NULL && i < table->count; cell = cmark_node_next(cell), i++) {
            double word, line;

            prepare_cell(table, cell, i, is_head(row), MEASURE_SIZE);
            cs_pdf_text_widths(table->book->text, &word, &line);
            table->columns[i].word = fmax(table->columns[i].word, word);
            table->columns[i].line = fmax(table->columns[i].line, line);
        }
    }
}

/* The least width of a column with its padding at a type size. */
static double least(const struct table *table, size_t column, double size)
{
    double word = table->columns[column].word * size / MEASURE_SIZE;

    return fmax(LEAST_COLUMN, fmin(word + 0.5, table->area.width * WORD_SHARE)) +
           2 * table->pad;
}

static double least_all(const struct table *table, double size)
{
    double sum = 0;

    for (size_t i = 0; i < table->count; i++)
        sum += least(table, i, size);
    return sum;
}

/* Names of fields get the same width in every list of fields, so that lists
 * that stand below each other line up. */
static bool share_fields(struct table *table)
{
    double name = table->area.width * NAME_SHARE;

    if (table->headed || table->chosen_count != 2 || table->count != 2 ||
        least(table, 0, table->size) > name)
        return false;
    table->columns[0].width = name;
    table->columns[1].width = table->area.width - name;
    return true;
}

/* Shares the width among the chosen columns: each gets its least, the rest goes
 * to those that have more text. */
static void share_width(struct table *table)
{
    double width = table->area.width, least_sum = 0, wish_sum = 0;

    if (share_fields(table))
        return;

    for (size_t i = 0; i < table->chosen_count; i++) {
        struct column *column = &table->columns[table->chosen[i]];
        double wish = column->line * table->size / MEASURE_SIZE + 2 * table->pad + 1;

        column->width = least(table, table->chosen[i], table->size);
        least_sum += column->width;
        wish_sum += fmax(0, fmin(wish, 1.2 * width) - column->width);
    }
    for (size_t i = 0; i < table->chosen_count; i++) {
        struct column *column = &table->columns[table->chosen[i]];
        double wish = column->line * table->size / MEASURE_SIZE + 2 * table->pad + 1;
        double more = fmax(0, fmin(wish, 1.2 * width) - column->width);

        if (least_sum + wish_sum <= width) /* all fit: the rest in proportion */
            column->width = (column->width + more) * width / (least_sum + wish_sum);
        else if (wish_sum > 0)
            column->width += more * fmax(0, width - least_sum) / wish_sum;
    }
}

static void add_link(void *context, struct cs_pdf_rect rect, const char *link)
{
    const struct table *table = context;

    cs_pdf_flow_link(table->book->flow, rect, link);
}

static void hold_cell(struct table *table, cmark_node *cell, size_t column, bool head,
                      double width)
{
    if (table->held == cell)
        return;
    prepare_cell(table, cell, column, head, table->size);
    table->lines = cs_pdf_text_lines(table->book->text, width, false, &table->line_count);
    table->held = cell;
}

/* Sets the lines of one cell from `first` on, at most `most` of them, into the
 * row's operators; gives how many lines the cell has. */
static size_t set_cell(struct table *table, cmark_node *cell, size_t column, bool head,
                       double left, size_t first, size_t most)
{
    const struct column *facts = &table->columns[column];
    double width = facts->width - 2 * table->pad, top = table->pad + 0.5;
    struct cs_pdf_text *text = table->book->text;

    hold_cell(table, cell, column, head, width);
    for (size_t i = first; i < table->line_count && i - first < most; i++) {
        const struct cs_pdf_line *line = &table->lines[i];
        double y = -top - (double)(i - first) * table->leading -
                   cs_pdf_book_baseline(table->book, table->leading,
                                        table->size * table->book->scale);
        double x = left + table->pad;
        bool rtl = (table->book->rtl || cs_pdf_text_rtl(text)) && facts->align == 0;

        if (facts->align == 'r' || rtl)
            x += width - line->width;
        else if (facts->align == 'c')
            x += (width - line->width) / 2;
        cs_pdf_text_draw(text, line, &table->row, x, y);
        cs_pdf_text_links(text, line, x, y, add_link, table);
    }
    return table->line_count;
}

/* The n-th cell of a row, NULL where it has fewer. */
static cmark_node *nth_cell(cmark_node *row, size_t n)
{
    cmark_node *cell = cmark_node_first_child(row);

    while (cell != NULL && n-- > 0)
        cell = cmark_node_next(cell);
    return cell;
}

/* Sets lines first.. of all chosen cells; gives the lines of the longest cell. */
static size_t set_cells(struct table *table, cmark_node *row, size_t first, size_t most)
{
    double left = table->area.left;
    cmark_node *cell = NULL;
    size_t longest = 0, at = 0;

    cs_buf_reset(&table->row);
    if (table->book->rtl)
        left += table->area.width;
    for (size_t i = 0; i < table->chosen_count; i++) {
        size_t column = table->chosen[i];
        size_t *lines = &table->columns[column].lines;

        /* columns are in order but for the repeated first one */
        for (cell = i == 0 ? nth_cell(row, column) : cell;
             cell != NULL && i > 0 && at < column; at++)
            cell = cmark_node_next(cell);
        at = column;
        if (table->book->rtl)
            left -= table->columns[column].width;
        if (cell == NULL)
            *lines = 0;
        else if (first == 0 || *lines > first)
            *lines = set_cell(table, cell, column, is_head(row), left, first, most);
        longest = *lines > longest ? *lines : longest;
        if (!table->book->rtl)
            left += table->columns[column].width;
    }
    return longest;
}

/* Ground and lines of a row of the height, then its text. */
static void draw_row(struct table *table, struct cs_buf *out, double height, bool head)
{
    const struct cs_scheme *scheme = table->book->scheme;
    double left = table->area.left, width = 0;

    for (size_t i = 0; i < table->chosen_count; i++)
        width += table->columns[table->chosen[i]].width;
    if (table->book->rtl)
        left += table->area.width - width;
    if (head) {
        cs_pdf_fill_colour(out, scheme->surface);
        cs_pdf_box(out, left, -height, width, height);
    }
    cs_pdf_line_colour(out, head ? scheme->accent : scheme->line);
    cs_pdf_stroke_line(out, left, -height, left + width, -height, head ? 1.2 : 0.5);
    cs_buf_add(out, cs_buf_view(&table->row));
    if (table->row.failed != CS_OK)
        table->book->failed = table->row.failed;
}

static size_t lines_per_page(const struct table *table, bool head)
{
    double room = cs_pdf_flow_height(table->book->flow) * (head ? 0.95 : 0.6);

    return (size_t)fmax(4, (room - 2 * table->pad) / table->leading);
}

static double row_height(const struct table *table, size_t lines)
{
    return (double)(lines > 0 ? lines : 1) * table->leading + 2 * table->pad + 1;
}

static void set_row(struct table *table, cmark_node *row, unsigned how)
{
    struct cs_pdf_flow *flow = table->book->flow;
    bool head = is_head(row);
    size_t most = lines_per_page(table, head), done = 0, total;

    table->held = NULL;
    do {
        size_t part;
        struct cs_buf *out;

        total = set_cells(table, row, done, most);
        part = total - done < most ? total - done : most;
        done += part;
        out = cs_pdf_flow_begin(flow);
        draw_row(table, out, row_height(table, part), head);
        if (head && total <= most / 3)
            cs_pdf_flow_repeat(flow, cs_buf_view(out), row_height(table, part));
        cs_pdf_flow_end(flow, row_height(table, part),
                        head ? how : how | (unsigned)CS_PDF_ROW);
    } while (done < total && !cs_pdf_book_failed(table->book));
}

static void set_group(struct table *table)
{
    share_width(table);
    for (cmark_node *row = cmark_node_first_child(table->node), *next;
         row != NULL && !cs_pdf_book_failed(table->book); row = next) {
        bool last_but_one;

        next = cmark_node_next(row);
        last_but_one = next != NULL && cmark_node_next(next) == NULL;
        set_row(table, row,
                next != NULL && (is_head(row) || last_but_one) ? CS_PDF_KEEP : 0);
    }
    cs_pdf_flow_repeat(table->book->flow, (struct cs_view){NULL, 0}, 0);
}

/* As many columns as fit, beginning with `from`, the first of all in front. */
static size_t choose_group(struct table *table, size_t from)
{
    double used = 0;

    table->chosen_count = 0;
    if (from > 0) {
        table->chosen[table->chosen_count++] = 0;
        used = least(table, 0, table->size);
    }
    while (from < table->count) {
        used += least(table, from, table->size);
        if (used > table->area.width && table->chosen_count > (from > 0 ? 1u : 0u))
            break;
        table->chosen[table->chosen_count++] = from++;
        if (used > table->area.width)
            break;
    }
    return from;
}

static void set_table(struct table *table)
{
    size_t from = 0;

    measure(table);
    table->size = 0;
    table->pad = CELL_PAD;
    for (size_t i = 0; i < CS_COUNT(sizes) && table->size <= 0; i++) {
        table->pad = fmax(2.6, CELL_PAD * sizes[i] / sizes[0]);
        if (least_all(table, sizes[i]) <= table->area.width)
            table->size = sizes[i];
    }
    if (table->size <= 0)
        table->size = sizes[CS_COUNT(sizes) - 2];
    table->leading = table->size * 1.38 * table->book->scale;
    while (from < table->count && !cs_pdf_book_failed(table->book)) {
        if (from > 0)
            cs_pdf_flow_space(table->book->flow, 14);
        from = choose_group(table, from);
        set_group(table);
    }
}

void cs_pdf_table(struct cs_pdf_book *book, cmark_node *node, struct cs_pdf_area area)
{
    cmark_node *first = cmark_node_first_child(node);
    const uint8_t *aligns = cmark_gfm_extensions_get_table_alignments(node);
    struct table table = {.book = book, .node = node, .area = area};

    table.count = cmark_gfm_extensions_get_table_columns(node);
    if (first == NULL || table.count == 0)
        return;
    if (table.count > COLUMNS_MAX)
        table.count = COLUMNS_MAX;
    table.headed = is_head(first);
    cs_buf_init(&table.row, 1u << 26);
    table.columns = calloc(table.count, sizeof(*table.columns));
    table.chosen = calloc(table.count + 1, sizeof(*table.chosen));
    if (table.columns == NULL || table.chosen == NULL) {
        book->failed = CS_ENOMEM;
    } else {
        for (size_t i = 0; aligns != NULL && i < table.count; i++)
            table.columns[i].align = (char)aligns[i];
        set_table(&table);
    }
    cs_pdf_text_reset(book->text, book->rtl);
    cs_buf_clear(&table.row);
    free(table.columns);
    free(table.chosen);
}
