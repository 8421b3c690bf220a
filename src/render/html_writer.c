#include "config.h"

#include "render/html_writer.h"

#include "render/labels.h"
#include "render/markdown.h"
#include "render/text.h"

#define MAX_TITLE    160u
#define ANCHOR_LOOKS 200u /* headings that are looked through for "#anchor" */
/* Bytes of a table's cell: */
#define SHORT_MAX    14u /* a number, a name: never broken */
#define TOKEN_MAX    28u /* without a space, such as a time stamp: never broken */
#define SENTENCE_MIN 48u /* needs a column of some width */

/* Where the walk is. */
struct walk {
    struct cs_html_writer *writer;
    struct cs_buf *out;
    bool fields;     /* in a table that is a list of fields */
    bool header;     /* in the header row of a table */
    bool table_body; /* <tbody> is open */
    size_t column;
    size_t columns;
    const uint8_t *alignments;
    size_t links; /* open <a> elements: they do not nest */
};

void cs_html_writer_init(struct cs_html_writer *writer, struct cs_buf *out,
                         const char *language, const struct cs_section *section)
{
    *writer =
        (struct cs_html_writer){.out = out, .language = language, .section = section};
    cs_buf_init(&writer->anchors, 64u * ANCHOR_LOOKS);
}

void cs_html_writer_clear(struct cs_html_writer *writer)
{
    cs_buf_clear(&writer->anchors);
}

static void put(struct walk *walk, const char *markup)
{
    cs_buf_add_cstr(walk->out, markup);
}

static void put_text(struct walk *walk, const char *text)
{
    cs_text_html(walk->out, cs_view_cstr(text));
}

/* ---- headings and anchors --------------------------------------------------------- */

/* Ids of headings hold two hyphens in a row, which no slug does. */
static void put_heading_id(struct walk *walk, size_t number)
{
    put(walk, walk->writer->section->slug);
    put(walk, "--");
    cs_buf_add_u64(walk->out, number);
}

/* Lists the slugs of the section's first headings, once. */
static void list_anchors(struct cs_html_writer *writer)
{
    cmark_iter *iter = cmark_iter_new(writer->section->content);
    cmark_event_type event;
    size_t count = 0;

    while (count < ANCHOR_LOOKS && (event = cmark_iter_next(iter)) != CMARK_EVENT_DONE) {
        cmark_node *node = cmark_iter_get_node(iter);
        struct cs_buf text = CS_BUF_INIT(1024);

        if (event != CMARK_EVENT_ENTER || cmark_node_get_type(node) != CMARK_NODE_HEADING)
            continue;
        cs_markdown_plain(&text, node, 200);
        cs_text_slug(&writer->anchors, cs_buf_view(&text));
        cs_buf_add_byte(&writer->anchors, '\n');
        cs_buf_clear(&text);
        count++;
    }
    cmark_iter_free(iter);
    writer->anchors_listed = true;
}

/* The number of the heading whose slug holds the anchor; 0 where there is none. */
static size_t find_anchor(struct cs_html_writer *writer, struct cs_view anchor)
{
    struct cs_view list;
    size_t at, number = 1;

    if (!writer->anchors_listed)
        list_anchors(writer);
    list = cs_buf_view(&writer->anchors);
    at = cs_view_find(list, anchor);
    if (at == SIZE_MAX)
        return 0;
    for (size_t i = 0; i < at; i++)
        number += list.ptr[i] == '\n' ? 1 : 0;
    return number;
}

static void put_href(struct walk *walk, struct cs_view url)
{
    struct cs_buf slug = CS_BUF_INIT(256);
    size_t heading;

    if (url.ptr[0] != '#') {
        cs_text_html(walk->out, url);
        return;
    }
    cs_text_slug(&slug, cs_view_from(url, 1));
    heading = slug.len > 0 ? find_anchor(walk->writer, cs_buf_view(&slug)) : 0;
    cs_buf_clear(&slug);
    put(walk, "#");
    if (heading > 0)
        put_heading_id(walk, heading);
    else
        put(walk, walk->writer->section->slug);
}

bool cs_html_writer_take_title(struct cs_html_writer *writer, struct cs_buf *text)
{
    cmark_node *first = cmark_node_first_child(writer->section->content);
    int level;

    if (first == NULL || cmark_node_get_type(first) != CMARK_NODE_HEADING)
        return false;
    level = cmark_node_get_heading_level(first);
    for (cmark_node *node = cmark_node_next(first); node != NULL;
         node = cmark_node_next(node))
        if (cmark_node_get_type(node) == CMARK_NODE_HEADING &&
            cmark_node_get_heading_level(node) <= level)
            return false;
    cs_markdown_plain(text, first, MAX_TITLE);
    if (text->len == 0 || text->len >= MAX_TITLE)
        return false;
    writer->title = first;
    writer->headings = 1;
    return true;
}

static void heading(struct walk *walk, cmark_node *node, bool entering)
{
    int level =
        cmark_node_get_heading_level(node) - (walk->writer->title != NULL ? 1 : 0);

    if (!entering) {
        cs_buf_add_fmt(walk->out, "</h%d>\n", level);
        return;
    }
    cs_buf_add_fmt(walk->out, "<h%d id=\"", level);
    put_heading_id(walk, ++walk->writer->headings);
    put(walk, "\">");
}

/* ---- inlines ------------------------------------------------------------------------
 */

static bool is_hex_colour(const char *text)
{
    if (text[0] != '#' || strlen(text) != CS_COLOUR_HEX_LEN)
        return false;
    return strspn(text + 1, "0123456789abcdefABCDEF") == CS_COLOUR_HEX_LEN - 1;
}

/* A text that is a colour, with a sample of it. */
static void put_chip(struct walk *walk, const char *text)
{
    put(walk, "<span class=\"chip\" style=\"--c:");
    put(walk, text);
    put(walk, "\">");
    put(walk, text);
    put(walk, "</span>");
}

static void text(struct walk *walk, cmark_node *node)
{
    const char *literal = cmark_node_get_literal(node);

    if (cmark_node_previous(node) == NULL && is_hex_colour(literal))
        put_chip(walk, literal);
    else
        put_text(walk, literal);
}

static void code(struct walk *walk, cmark_node *node)
{
    const char *literal = cmark_node_get_literal(node);

    put(walk, "<code>");
    if (is_hex_colour(literal))
        put_chip(walk, literal);
    else
        put_text(walk, literal);
    put(walk, "</code>");
}

static void link(struct walk *walk, cmark_node *node, bool entering)
{
    struct cs_view url = cs_view_cstr(cmark_node_get_url(node));

    if (entering) {
        if (walk->links++ > 0)
            return;
        put(walk, "<a href=\"");
        put_href(walk, url);
        put(walk, url.ptr[0] == '#' ? "\">" : "\" rel=\"noopener noreferrer nofollow\">");
    } else if (--walk->links == 0) {
        put(walk, "</a>");
    }
}

/* No image is ever fetched: its alternative text stands for it, with a link. */
static void image(struct walk *walk, cmark_node *node, bool entering)
{
    struct cs_view url = cs_view_cstr(cmark_node_get_url(node));
    const char *title = cmark_node_get_title(node);
    bool linked = url.len > 0;

    if (entering) {
        linked = linked && walk->links == 0;
        walk->links++;
        put(walk, "<span class=\"image\">");
        if (linked) {
            put(walk, "<a href=\"");
            cs_text_html(walk->out, url);
            put(walk, "\" rel=\"noopener noreferrer nofollow\">");
        }
        if (cmark_node_first_child(node) == NULL)
            put_text(walk, cs_label(walk->writer->language, CS_LABEL_IMAGE));
        return;
    }
    linked = linked && --walk->links == 0;
    if (linked)
        put(walk, "</a>");
    if (title != NULL && title[0] != '\0') {
        put(walk, " <small>");
        put_text(walk, title);
        put(walk, "</small>");
    }
    put(walk, "</span>");
}

/* ---- lists ----------------------------------------------------------------------------
 */

static bool is_task(cmark_node *item)
{
    return strcmp(cmark_node_get_type_string(item), "tasklist") == 0;
}

static void list(struct walk *walk, cmark_node *node, bool entering)
{
    bool ordered = cmark_node_get_list_type(node) == CMARK_ORDERED_LIST;
    cmark_node *first = cmark_node_first_child(node);

    if (!entering) {
        put(walk, ordered ? "</ol>\n" : "</ul>\n");
    } else if (!ordered) {
        put(walk, first != NULL && is_task(first) ? "<ul class=\"tasks\">\n" : "<ul>\n");
    } else if (cmark_node_get_list_start(node) == 1) {
        put(walk, "<ol>\n");
    } else {
        cs_buf_add_fmt(walk->out, "<ol start=\"%d\">\n", cmark_node_get_list_start(node));
    }
}

static void item(struct walk *walk, cmark_node *node, bool entering)
{
    bool done;

    if (!entering) {
        put(walk, "</li>\n");
        return;
    }
    if (!is_task(node)) {
        put(walk, "<li>");
        return;
    }
    done = cmark_gfm_extensions_get_tasklist_item_checked(node);
    put(walk, done ? "<li class=\"task done\"><span class=\"vh\">["
                   : "<li class=\"task\"><span class=\"vh\">[");
    put_text(walk, cs_label(walk->writer->language, done ? CS_LABEL_YES : CS_LABEL_NO));
    put(walk, "] </span>");
}

static void paragraph(struct walk *walk, cmark_node *node, bool entering)
{
    cmark_node *parent = cmark_node_parent(node);
    cmark_node *above = parent != NULL ? cmark_node_parent(parent) : NULL;

    if (above != NULL && cmark_node_get_type(above) == CMARK_NODE_LIST &&
        cmark_node_get_list_tight(above)) {
        if (!entering && cmark_node_next(node) != NULL)
            put(walk, "\n");
        return;
    }
    put(walk, entering ? "<p>" : "</p>\n");
}

/* ---- tables ---------------------------------------------------------------------------
 */

static void table(struct walk *walk, cmark_node *node, bool entering)
{
    cmark_node *first = cmark_node_first_child(node);

    if (!entering) {
        if (walk->fields)
            put(walk, "</dl>\n");
        else
            put(walk, walk->table_body ? "</tbody></table></div>\n" : "</table></div>\n");
        walk->fields = walk->table_body = false;
        return;
    }
    walk->fields = first != NULL && !cmark_gfm_extensions_get_table_row_is_header(first);
    walk->columns = cmark_gfm_extensions_get_table_columns(node);
    walk->alignments = cmark_gfm_extensions_get_table_alignments(node);
    if (walk->fields) {
        put(walk, "<dl class=\"fields\">\n");
        return;
    }
    /* The frame scrolls where the table is too wide, by keyboard as well. */
    put(walk, walk->columns > 8
                  ? "<div class=\"scroll wide\" tabindex=\"0\" role=\"group\" "
                  : "<div class=\"scroll\" tabindex=\"0\" role=\"group\" ");
    put(walk, "aria-label=\"");
    put_text(walk, walk->writer->section->title);
    cs_buf_add_fmt(walk->out, " %zu\"><table>\n", ++walk->writer->tables);
}

static void row(struct walk *walk, cmark_node *node, bool entering)
{
    bool header = cmark_gfm_extensions_get_table_row_is_header(node) != 0;

    walk->column = 0;
    walk->header = header;
    if (walk->fields) {
        put(walk, entering ? "" : "\n");
    } else if (!entering) {
        put(walk, header ? "</tr></thead>\n" : "</tr>\n");
    } else if (header) {
        put(walk, "<thead><tr>");
    } else {
        put(walk, walk->table_body ? "<tr>" : "<tbody>\n<tr>");
        walk->table_body = true;
    }
}

/* About how many bytes of text a cell has, and whether a space is in it. */
static size_t cell_length(cmark_node *cell, bool *spaced)
{
    size_t len = 0;

    *spaced = false;
    for (cmark_node *node = cmark_node_first_child(cell); node != NULL;
         node = cmark_node_next(node)) {
        cmark_node *leaf = node;
        const char *literal;

        while (cmark_node_first_child(leaf) != NULL)
            leaf = cmark_node_first_child(leaf);
        literal = cmark_node_get_literal(leaf);
        len += literal != NULL ? strlen(literal) : 1;
        *spaced = *spaced || literal == NULL || strchr(literal, ' ') != NULL;
    }
    return len;
}

/* The alignment, and the width that a text needs: a date or a number stays in one
 * line, a sentence does not become a column of words on a phone. */
static void put_cell_class(struct walk *walk, cmark_node *node, uint8_t align)
{
    bool spaced;
    size_t len = cell_length(node, &spaced);
    const char *width = "";

    if (len > SENTENCE_MIN)
        width = "t";
    else if (!walk->header && len > 0 &&
             (len <= SHORT_MAX || (len <= TOKEN_MAX && !spaced)))
        width = "n";
    if (align != 'r' && align != 'c' && width[0] == '\0')
        return;
    put(walk, " class=\"");
    put(walk, align == 'r' ? "r" : align == 'c' ? "c" : "");
    put(walk, (align == 'r' || align == 'c') && width[0] != '\0' ? " " : "");
    put(walk, width);
    put(walk, "\"");
}

static void cell(struct walk *walk, cmark_node *node, bool entering)
{
    uint8_t align = 0;
    /* A heading without words is none. */
    bool head = walk->header && cmark_node_first_child(node) != NULL;

    if (walk->fields) {
        const char *tag = walk->column == 0 ? "dt" : "dd";

        cs_buf_add_fmt(walk->out, entering ? "<%s>" : "</%s>", tag);
        walk->column += entering ? 0 : 1;
        return;
    }
    if (!entering) {
        put(walk, head ? "</th>" : "</td>");
        walk->column++;
        return;
    }
    if (walk->alignments != NULL && walk->column < walk->columns)
        align = walk->alignments[walk->column];
    put(walk, head ? "<th scope=\"col\"" : "<td");
    put_cell_class(walk, node, align);
    put(walk, ">");
}

/* ---- code
 * -------------------------------------------------------------------------------- */

static void code_block(struct walk *walk, cmark_node *node)
{
    const char *info = cmark_node_get_fence_info(node);

    if (info != NULL && strcmp(info, "comment") == 0) {
        put(walk, "<p class=\"note\">");
        put_text(walk, cmark_node_get_literal(node));
        put(walk, "</p>\n");
        return;
    }
    put(walk, "<pre tabindex=\"0\" role=\"group\" aria-label=\"");
    put_text(walk, info != NULL && info[0] != '\0' ? info : "code");
    put(walk, "\"><code>");
    put_text(walk, cmark_node_get_literal(node));
    put(walk, "</code></pre>\n");
}

/* ---- the walk
 * ------------------------------------------------------------------------------ */

static void write_extension_node(struct walk *walk, cmark_node *node, bool entering)
{
    cmark_node_type type = cmark_node_get_type(node);

    if (type == CMARK_NODE_TABLE)
        table(walk, node, entering);
    else if (type == CMARK_NODE_TABLE_ROW)
        row(walk, node, entering);
    else if (type == CMARK_NODE_TABLE_CELL)
        cell(walk, node, entering);
    else if (type == CMARK_NODE_STRIKETHROUGH)
        put(walk, entering ? "<del>" : "</del>");
}

static void write_node(struct walk *walk, cmark_node *node, bool entering)
{
    switch ((int)cmark_node_get_type(node)) {
    case CMARK_NODE_TEXT:
        text(walk, node);
        break;
    case CMARK_NODE_SOFTBREAK:
        put(walk, "\n");
        break;
    case CMARK_NODE_LINEBREAK:
        put(walk, "<br>\n");
        break;
    case CMARK_NODE_CODE:
        code(walk, node);
        break;
    case CMARK_NODE_EMPH:
        put(walk, entering ? "<em>" : "</em>");
        break;
    case CMARK_NODE_STRONG:
        put(walk, entering ? "<strong>" : "</strong>");
        break;
    case CMARK_NODE_LINK:
        link(walk, node, entering);
        break;
    case CMARK_NODE_IMAGE:
        image(walk, node, entering);
        break;
    case CMARK_NODE_PARAGRAPH:
        paragraph(walk, node, entering);
        break;
    case CMARK_NODE_HEADING:
        heading(walk, node, entering);
        break;
    case CMARK_NODE_BLOCK_QUOTE:
        put(walk, entering ? "<blockquote>\n" : "</blockquote>\n");
        break;
    case CMARK_NODE_LIST:
        list(walk, node, entering);
        break;
    case CMARK_NODE_ITEM:
        item(walk, node, entering);
        break;
    case CMARK_NODE_THEMATIC_BREAK:
        put(walk, "<hr>\n");
        break;
    case CMARK_NODE_CODE_BLOCK:
        code_block(walk, node);
        break;
    default:
        write_extension_node(walk, node, entering);
        break;
    }
}

/* One block. */
static void write_block(struct cs_html_writer *writer, cmark_node *node)
{
    struct walk walk = {.writer = writer, .out = writer->out};
    cmark_iter *iter = cmark_iter_new(node);
    cmark_event_type event;

    while ((event = cmark_iter_next(iter)) != CMARK_EVENT_DONE)
        write_node(&walk, cmark_iter_get_node(iter), event == CMARK_EVENT_ENTER);
    cmark_iter_free(iter);
}

void cs_html_write(struct cs_html_writer *writer)
{
    for (cmark_node *node = cmark_node_first_child(writer->section->content);
         node != NULL; node = cmark_node_next(node))
        if (node != writer->title)
            write_block(writer, node);
}

/* The lowest heading level that occurs twice or more among the children. */
static int card_level(cmark_node *root)
{
    size_t counts[7] = {0};

    for (cmark_node *node = cmark_node_first_child(root); node != NULL;
         node = cmark_node_next(node))
        if (cmark_node_get_type(node) == CMARK_NODE_HEADING)
            counts[cmark_node_get_heading_level(node)]++;
    for (int level = 3; level <= 6; level++)
        if (counts[level] >= 2)
            return level;
    return 0;
}

/* The first word of a heading, with what follows it: "Variation A", "Option 2". */
static struct cs_view first_word(struct cs_view text)
{
    size_t space = cs_view_find_byte(text, ' ');

    return space == SIZE_MAX ? cs_view_of("", 0) : cs_view_of(text.ptr, space);
}

bool cs_html_has_variations(const struct cs_section *section)
{
    cmark_node *root = section->content;
    int level = card_level(root);
    struct cs_buf word = CS_BUF_INIT(128), text = CS_BUF_INIT(256);
    bool alike = level > 0;

    for (cmark_node *node = cmark_node_first_child(root); node != NULL && alike;
         node = cmark_node_next(node)) {
        struct cs_view first;

        if (cmark_node_get_type(node) != CMARK_NODE_HEADING ||
            cmark_node_get_heading_level(node) != level)
            continue;
        cs_buf_reset(&text);
        cs_markdown_plain(&text, node, MAX_TITLE);
        first = first_word(cs_view_trim(cs_buf_view(&text)));
        if (word.len == 0)
            cs_buf_add(&word, cs_view_sub(first, 0, 100));
        alike = first.len > 1 && cs_view_eq_nocase(cs_buf_view(&word), first);
    }
    cs_buf_clear(&word);
    cs_buf_clear(&text);
    return alike;
}

/* Lines between parts say what the cards say already. */
static bool is_separator(cmark_node *node, int level)
{
    cmark_node *next = cmark_node_next(node);

    return cmark_node_get_type(node) == CMARK_NODE_THEMATIC_BREAK &&
           (next == NULL || (cmark_node_get_type(next) == CMARK_NODE_HEADING &&
                             cmark_node_get_heading_level(next) <= level));
}

void cs_html_write_cards(struct cs_html_writer *writer)
{
    cmark_node *root = writer->section->content;
    int level = card_level(root);
    bool in_card = false, in_grid = false;

    if (level == 0) {
        cs_html_write(writer);
        return;
    }
    for (cmark_node *node = cmark_node_first_child(root); node != NULL;
         node = cmark_node_next(node)) {
        bool starts = cmark_node_get_type(node) == CMARK_NODE_HEADING &&
                      cmark_node_get_heading_level(node) <= level;

        if (node == writer->title)
            continue;
        if (starts && in_card)
            cs_buf_add_cstr(writer->out, "</article>\n");
        in_card = in_card && !starts;
        if (starts && cmark_node_get_heading_level(node) == level) {
            cs_buf_add_cstr(writer->out,
                            in_grid ? "<article class=\"card\">\n"
                                    : "<div class=\"cards\"><article class=\"card\">\n");
            in_card = in_grid = true;
        } else if (starts && in_grid) {
            cs_buf_add_cstr(writer->out, "</div>\n");
            in_grid = false;
        }
        if (!is_separator(node, level))
            write_block(writer, node);
    }
    cs_buf_add_cstr(writer->out, in_card ? "</article>\n" : "");
    cs_buf_add_cstr(writer->out, in_grid ? "</div>\n" : "");
}
