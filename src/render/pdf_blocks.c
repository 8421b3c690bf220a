#include "config.h"

#include "render/pdf_blocks.h"

#include <cmark-gfm-core-extensions.h>
#include <math.h>

#include "render/pdf_inline.h"
#include "render/pdf_ops.h"
#include "render/pdf_table.h"
#include "render/pdf_walk.h"

#define LIST_INDENT  17.0
#define QUOTE_INDENT 16.0
#define CODE_SIZE    8.3
#define CODE_LEADING 12.0
#define CODE_PADDING 8.0
#define BLOCK_SPACE  8.0 /* between blocks */
#define TIGHT_SPACE  3.0 /* between the items of a tight list */
#define TAB_WIDTH    4u

/* Sizes of the heading levels 3 to 6 and blanks around them. */
static const struct heading_look {
    double size, leading, before, after;
    bool accent;
} heading_looks[] = {
    {15.5, 20.5, 24, 7, true},
    {12.5, 17.0, 18, 5, false},
    {10.8, 15.0, 14, 4, true},
    {10.0, 14.0, 12, 3, false},
};

enum marker_kind { MARKER_NONE, MARKER_BULLET, MARKER_NUMBER, MARKER_OPEN, MARKER_DONE };

/* A container that was entered, and what it changed. */
struct level {
    struct cs_pdf_area area; /* of the container around it */
    bool strip;
    bool tight;
    unsigned depth; /* of lists, for the bullets */
    uint64_t number;
};

struct blocks {
    struct cs_pdf_book *book;
    cmark_node *first;    /* node of the document */
    struct cs_view title; /* that stands above it */
    struct cs_pdf_area area;
    double least_width;          /* no indent makes a column narrower */
    struct cs_pdf_vector levels; /* struct level */
    unsigned list_depth;
    unsigned quotes;
    enum marker_kind marker; /* waits for the first line of its item */
    uint64_t marker_number;
    double marker_x; /* edge of the text that it stands before */
    bool tight;
};

static struct level *top_level(const struct blocks *blocks)
{
    if (blocks->levels.count == 0)
        return NULL;
    return (struct level *)blocks->levels.items + (blocks->levels.count - 1);
}

/* Goes into a container; false where there is no room for its indent. */
static bool enter(struct blocks *blocks, struct level level, double indent)
{
    bool room = blocks->area.width - indent >= blocks->least_width;

    level.area = blocks->area;
    level.strip = level.strip && room;
    if (!cs_pdf_vector_add(&blocks->levels, &level, sizeof(level))) {
        blocks->book->failed = CS_ENOMEM;
        return false;
    }
    if (!room)
        return false;
    if (!blocks->book->rtl)
        blocks->area.left += indent;
    blocks->area.width -= indent;
    return true;
}

static void leave(struct blocks *blocks)
{
    const struct level *level = top_level(blocks);

    if (level == NULL)
        return;
    if (level->strip)
        cs_pdf_flow_pop_strip(blocks->book->flow);
    blocks->area = level->area;
    blocks->levels.count--;
}

static double marker_edge(const struct blocks *blocks)
{
    return blocks->book->rtl ? blocks->area.left + blocks->area.width : blocks->area.left;
}

static void draw_box(const struct blocks *blocks, struct cs_buf *out, double y, bool done)
{
    const struct cs_scheme *scheme = blocks->book->scheme;
    double x = blocks->book->rtl ? blocks->marker_x + 4.5 : blocks->marker_x - 13;

    cs_pdf_round_box(out, done ? scheme->accent : scheme->muted, x, y - 1, 8.5, 8.5, 1.8);
    if (!done) {
        cs_pdf_round_box(out, scheme->paper, x + 0.8, y - 0.2, 6.9, 6.9, 1.2);
        return;
    }
    cs_pdf_line_colour(out, scheme->paper);
    cs_pdf_stroke_line(out, x + 1.9, y + 3.2, x + 3.7, y + 1.3, 1.1);
    cs_pdf_stroke_line(out, x + 3.4, y + 1.3, x + 6.8, y + 5.4, 1.1);
}

/* The waiting marker, beside the baseline y of its item's first line. */
static void draw_marker(void *context, struct cs_buf *out, double y)
{
    struct blocks *blocks = context;
    const struct cs_scheme *scheme = blocks->book->scheme;
    struct cs_pdf_style style =
        cs_pdf_book_style(blocks->book, CS_PDF_BODY_SIZE, CS_PDF_BOLD, scheme->accent);
    double x = blocks->marker_x;
    char number[24];
    struct cs_buf label = CS_BUF_INIT(sizeof(number));

    if (blocks->marker == MARKER_NUMBER) {
        style.size *= 0.92;
        cs_buf_add_u64(&label, blocks->marker_number);
        cs_buf_add_byte(&label, '.');
        cs_pdf_book_label(blocks->book, out, cs_buf_view(&label), &style,
                          blocks->book->rtl ? CS_PDF_LEFT : CS_PDF_RIGHT,
                          blocks->book->rtl ? x + 5 : x - 5, y, 100);
    } else if (blocks->marker == MARKER_OPEN || blocks->marker == MARKER_DONE) {
        draw_box(blocks, out, y, blocks->marker == MARKER_DONE);
    } else if (blocks->marker == MARKER_BULLET) {
        x += blocks->book->rtl ? 9 : -9;
        if (blocks->list_depth % 2 == 1) {
            cs_pdf_disc(out, scheme->accent, x, y + 3.6, 1.7);
        } else {
            cs_pdf_fill_colour(out, scheme->accent);
            cs_pdf_box(out, x - 2.2, y + 3.2, 4.4, 0.9);
        }
    }
    cs_buf_clear(&label);
    blocks->marker = MARKER_NONE;
}

static void set_paragraph(struct blocks *blocks, const struct cs_pdf_setting *setting)
{
    bool marked = blocks->marker != MARKER_NONE;

    cs_pdf_book_paragraph(blocks->book, blocks->area, setting,
                          marked ? draw_marker : NULL, blocks);
}

static const struct cs_pdf_setting body_setting = {.leading = CS_PDF_BODY_LEADING};

static struct cs_pdf_style body_style(const struct blocks *blocks)
{
    const struct cs_scheme *scheme = blocks->book->scheme;

    return cs_pdf_book_style(blocks->book, CS_PDF_BODY_SIZE, 0,
                             blocks->quotes > 0 ? scheme->muted : scheme->ink);
}

/* A marker whose item does not start with text gets a line of its own. */
static void flush_marker(struct blocks *blocks, bool keep)
{
    double scale = blocks->book->scale;
    struct cs_buf *out;

    if (blocks->marker == MARKER_NONE)
        return;
    out = cs_pdf_flow_begin(blocks->book->flow);
    draw_marker(blocks, out,
                -cs_pdf_book_baseline(blocks->book, CS_PDF_BODY_LEADING * scale,
                                      CS_PDF_BODY_SIZE * scale));
    cs_pdf_flow_end(blocks->book->flow, CS_PDF_BODY_LEADING * scale,
                    keep ? CS_PDF_KEEP : 0);
}

static void set_part(void *context)
{
    set_paragraph(context, &body_setting);
}

static void paragraph(struct blocks *blocks, cmark_node *node)
{
    const struct cs_pdf_inline how = {
        .base = body_style(blocks), .full = set_part, .context = blocks};
    double space = blocks->tight ? TIGHT_SPACE : BLOCK_SPACE;

    cs_pdf_flow_space(blocks->book->flow, space);
    cs_pdf_inline_add(blocks->book, node, &how);
    set_paragraph(blocks, &body_setting);
    cs_pdf_flow_space(blocks->book->flow, space);
}

static void heading(struct blocks *blocks, cmark_node *node)
{
    struct cs_pdf_book *book = blocks->book;
    int level = cmark_node_get_heading_level(node);
    size_t index = level < 3 ? 0 : level > 6 ? 3 : (size_t)level - 3;
    const struct heading_look *look = &heading_looks[index];
    struct cs_pdf_setting setting = {
        .leading = look->leading, .balance = true, .keep = true, .whole = true};
    struct cs_buf plain = CS_BUF_INIT(1u << 26);
    const struct cs_pdf_inline how = {
        .base =
            cs_pdf_book_style(book, look->size, CS_PDF_BOLD,
                              look->accent ? book->scheme->accent : book->scheme->ink),
        .plain = &plain};

    flush_marker(blocks, true);
    cs_pdf_inline_add(book, node, &how);
    if (plain.failed != CS_OK)
        book->failed = plain.failed;
    if (node == blocks->first && cs_view_eq_nocase(cs_view_trim(cs_buf_view(&plain)),
                                                   cs_view_trim(blocks->title))) {
        cs_pdf_text_reset(book->text, book->rtl); /* the section's title said it */
        cs_buf_clear(&plain);
        return;
    }
    setting.mark = cs_pdf_book_heading(book, (unsigned)index + 3, cs_buf_view(&plain));
    setting.has_mark = true;
    cs_pdf_flow_space(book->flow, look->before);
    set_paragraph(blocks, &setting);
    cs_pdf_flow_space(book->flow, look->after);
    cs_buf_clear(&plain);
}

/* An empty strip of the code block's ground, with the language at its right. */
static void code_padding(struct blocks *blocks, struct cs_view language, bool keep)
{
    struct cs_buf *out = cs_pdf_flow_begin(blocks->book->flow);
    const struct cs_pdf_style style =
        cs_pdf_book_style(blocks->book, 6.8, CS_PDF_MONO, blocks->book->scheme->muted);

    if (language.len > 0)
        (void)cs_pdf_book_label(blocks->book, out, language, &style, CS_PDF_RIGHT,
                                blocks->area.left + blocks->area.width - 6, -9,
                                blocks->area.width / 2);
    cs_pdf_flow_end(blocks->book->flow, CODE_PADDING, keep ? CS_PDF_KEEP : 0);
}

/* A source line with its tabs as blanks up to the next stop. */
static void add_code_line(struct blocks *blocks, struct cs_view line,
                          const struct cs_pdf_style *style)
{
    static const char blanks[] = "    ";
    size_t start = 0, column = 0;

    for (size_t i = 0; i <= line.len; i++) {
        size_t width;

        if (i < line.len && line.ptr[i] != '\t')
            continue;
        cs_pdf_text_add(blocks->book->text, cs_view_sub(line, start, i - start), style,
                        NULL);
        if (i == line.len)
            return;
        column += i - start;
        width = TAB_WIDTH - column % TAB_WIDTH;
        cs_pdf_text_add(blocks->book->text, cs_view_of(blanks, width), style, NULL);
        column += width;
        start = i + 1;
    }
}

static void code_line(struct blocks *blocks, struct cs_view line, struct cs_pdf_area area,
                      bool keep)
{
    const struct cs_pdf_setting setting = {
        .leading = CODE_LEADING, .keep = keep, .fixed = true};
    const struct cs_pdf_style style = cs_pdf_book_style(
        blocks->book, CODE_SIZE, CS_PDF_MONO, blocks->book->scheme->ink);

    if (cs_view_trim(line).len == 0) {
        (void)cs_pdf_flow_begin(blocks->book->flow);
        cs_pdf_flow_end(blocks->book->flow, CODE_LEADING * blocks->book->scale,
                        keep ? CS_PDF_KEEP : 0);
        return;
    }
    while (line.len > 0 && !cs_pdf_book_failed(blocks->book)) {
        size_t len = line.len < 16000 ? line.len : 16000;

        while (len < line.len && ((unsigned char)line.ptr[len] & 0xc0u) == 0x80)
            len--;
        cs_pdf_text_reset(blocks->book->text, false);
        add_code_line(blocks, cs_view_sub(line, 0, len), &style);
        cs_pdf_book_paragraph(blocks->book, area, &setting, NULL, NULL);
        line = cs_view_from(line, len);
    }
}

static void code_block(struct blocks *blocks, cmark_node *node)
{
    struct cs_pdf_flow *flow = blocks->book->flow;
    struct cs_view code = cs_view_cstr(cmark_node_get_literal(node)), line;
    struct cs_pdf_area area = {blocks->area.left + 12, blocks->area.width - 20};
    struct cs_view language = {NULL, 0};
    bool first = true;

    if (cmark_node_get_type(node) == CMARK_NODE_CODE_BLOCK)
        language = cs_view_cstr(cmark_node_get_fence_info(node));
    while (code.len > 0 && code.ptr[code.len - 1] == '\n')
        code.len--;
    flush_marker(blocks, true);
    cs_pdf_flow_space(flow, BLOCK_SPACE);
    cs_pdf_flow_push_strip(flow, blocks->area.left, blocks->area.width,
                           blocks->book->scheme->surface);
    cs_pdf_flow_push_strip(flow, blocks->area.left, 2.2, blocks->book->scheme->fill);
    code_padding(blocks, language, true);
    while (cs_view_split(&code, '\n', &line) && !cs_pdf_book_failed(blocks->book)) {
        code_line(blocks, line, area, first || code.len == 0);
        first = false;
    }
    code_padding(blocks, (struct cs_view){NULL, 0}, false);
    cs_pdf_flow_pop_strip(flow);
    cs_pdf_flow_pop_strip(flow);
    cs_pdf_flow_space(flow, BLOCK_SPACE + 3);
}

/* A rule ahead of a heading would part what the heading parts already. */
static void rule(struct blocks *blocks, cmark_node *node)
{
    struct cs_pdf_flow *flow = blocks->book->flow;
    cmark_node *next = cmark_node_next(node);
    struct cs_buf *out;

    flush_marker(blocks, true);
    cs_pdf_flow_space(flow, 12);
    if (next == NULL || cmark_node_get_type(next) == CMARK_NODE_HEADING)
        return;
    out = cs_pdf_flow_begin(flow);
    cs_pdf_line_colour(out, blocks->book->scheme->line);
    cs_pdf_stroke_line(out, blocks->area.left, -1, blocks->area.left + blocks->area.width,
                       -1, 0.8);
    cs_pdf_flow_end(flow, 2, 0);
    cs_pdf_flow_space(flow, 12);
}

static void quote(struct blocks *blocks, bool entering)
{
    const struct cs_pdf_book *book = blocks->book;
    double x = blocks->area.left;

    cs_pdf_flow_space(book->flow, BLOCK_SPACE + 2);
    if (!entering) {
        flush_marker(blocks, false);
        leave(blocks);
        blocks->quotes--;
        return;
    }
    flush_marker(blocks, true);
    if (book->rtl)
        x += blocks->area.width - 3;
    if (enter(blocks, (struct level){.strip = true}, QUOTE_INDENT))
        cs_pdf_flow_push_strip(book->flow, x, 3, book->scheme->fill);
    blocks->quotes++;
}

static void list(struct blocks *blocks, cmark_node *node, bool entering)
{
    struct level level = {.tight = blocks->tight, .depth = blocks->list_depth};
    int start = cmark_node_get_list_start(node);

    if (!entering) {
        const struct level *top = top_level(blocks);

        if (top != NULL) {
            blocks->tight = top->tight;
            blocks->list_depth = top->depth;
        }
        leave(blocks);
        cs_pdf_flow_space(blocks->book->flow,
                          blocks->list_depth > 0 ? TIGHT_SPACE : BLOCK_SPACE);
        return;
    }
    flush_marker(blocks, true);
    level.number = start > 0 ? (uint64_t)start : 0;
    cs_pdf_flow_space(blocks->book->flow,
                      blocks->list_depth > 0 ? TIGHT_SPACE : BLOCK_SPACE);
    blocks->list_depth++;
    (void)enter(blocks, level, LIST_INDENT);
    blocks->tight = cmark_node_get_list_tight(node) != 0;
}

static void item(struct blocks *blocks, cmark_node *node, bool entering)
{
    struct level *level = top_level(blocks);
    cmark_node *parent = cmark_node_parent(node);

    if (!entering) {
        flush_marker(blocks, false);
        cs_pdf_flow_space(blocks->book->flow, blocks->tight ? TIGHT_SPACE : BLOCK_SPACE);
        return;
    }
    flush_marker(blocks, false);
    blocks->marker_x = marker_edge(blocks);
    if (strcmp(cmark_node_get_type_string(node), "tasklist") == 0) {
        blocks->marker = cmark_gfm_extensions_get_tasklist_item_checked(node)
                             ? MARKER_DONE
                             : MARKER_OPEN;
    } else if (parent != NULL && cmark_node_get_list_type(parent) == CMARK_ORDERED_LIST) {
        blocks->marker = MARKER_NUMBER;
        blocks->marker_number = level != NULL ? level->number++ : 1;
    } else {
        blocks->marker = MARKER_BULLET;
    }
}

static void table(struct blocks *blocks, cmark_node *node)
{
    flush_marker(blocks, true);
    cs_pdf_flow_space(blocks->book->flow, BLOCK_SPACE + 3);
    cs_pdf_table(blocks->book, node, blocks->area);
    cs_pdf_flow_space(blocks->book->flow, BLOCK_SPACE + 5);
}

/* Sets a block that holds no other blocks. */
static bool leaf(struct blocks *blocks, cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);

    if (type == CMARK_NODE_PARAGRAPH)
        paragraph(blocks, node);
    else if (type == CMARK_NODE_HEADING)
        heading(blocks, node);
    else if (type == CMARK_NODE_CODE_BLOCK || type == CMARK_NODE_HTML_BLOCK)
        code_block(blocks, node);
    else if (type == CMARK_NODE_THEMATIC_BREAK)
        rule(blocks, node);
    else if (strcmp(cmark_node_get_type_string(node), "table") == 0)
        table(blocks, node);
    else
        return false;
    return true;
}

static void container(struct blocks *blocks, cmark_node *node, bool entering)
{
    cmark_node_type type = cmark_node_get_type(node);

    if (type == CMARK_NODE_BLOCK_QUOTE)
        quote(blocks, entering);
    else if (type == CMARK_NODE_LIST)
        list(blocks, node, entering);
    else if (type == CMARK_NODE_ITEM)
        item(blocks, node, entering);
}

void cs_pdf_blocks(struct cs_pdf_book *book, cmark_node *document, struct cs_view title,
                   struct cs_pdf_area area)
{
    struct blocks blocks = {.book = book,
                            .first = cmark_node_first_child(document),
                            .title = title,
                            .area = area,
                            .least_width = area.width * 0.45};
    struct cs_pdf_walk at = {.root = document};

    cs_pdf_text_reset(book->text, book->rtl);
    while (cs_pdf_walk_next(&at) && !cs_pdf_book_failed(book)) {
        if (at.entering && leaf(&blocks, at.node))
            at.skip = true;
        else
            container(&blocks, at.node, at.entering);
    }
    flush_marker(&blocks, false);
    free(blocks.levels.items);
}
