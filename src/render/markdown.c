#include "config.h"

#include "render/markdown.h"

#include <stdlib.h>
#include <unistd.h>

#include "render/document.h"
#include "render/markdown_tidy.h"
#include "render/text.h"

#define FIRST_LEVEL 3
#define LAST_LEVEL  6

/* cmark does not look at what its allocator returns. */
static void *calloc_or_end(size_t count, size_t size)
{
    void *room = calloc(count, size);

    if (room == NULL)
        _exit(CS_DOCUMENT_EXIT_NOMEM);
    return room;
}

static void *realloc_or_end(void *old, size_t size)
{
    void *room = realloc(old, size);

    if (room == NULL)
        _exit(CS_DOCUMENT_EXIT_NOMEM);
    return room;
}

static cmark_mem memory = {calloc_or_end, realloc_or_end, free};

enum cs_code cs_markdown_init(struct cs_markdown *markdown, size_t max_text,
                              struct cs_err *err)
{
    static const char *const names[CS_MARKDOWN_EXTENSIONS] = {"table", "strikethrough",
                                                              "autolink", "tasklist"};

    *markdown = (struct cs_markdown){.mem = &memory, .text = CS_BUF_INIT(max_text)};
    cmark_gfm_core_extensions_ensure_registered();
    for (size_t i = 0; i < CS_COUNT(names); i++) {
        markdown->extensions[i] = cmark_find_syntax_extension(names[i]);
        if (markdown->extensions[i] == NULL)
            return cs_err_set(err, CS_EINTERNAL,
                              "the Markdown library has no extension \"%s\"", names[i]);
    }
    markdown->table = markdown->extensions[0];
    markdown->strikethrough = markdown->extensions[1];
    return CS_OK;
}

void cs_markdown_clear(struct cs_markdown *markdown)
{
    cs_buf_clear(&markdown->text);
}

static bool is_letter(char c)
{
    return (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* True for text that Markdown would not change: letters, digits and punctuation that
 * starts nothing inside a line, in one line, without an address. Most strings of a
 * structured artifact are such: names, times, sentences. */
static bool is_plain(struct cs_view text)
{
    size_t digits = 0;

    if (text.len == 0 || text.len > 4096)
        return text.len == 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    if (digits == 0 ? !is_letter(text.ptr[0])
                    : digits < text.len && !is_letter(text.ptr[digits]) &&
                          text.ptr[digits] != '-' && text.ptr[digits] != ' ')
        return false; /* may be a list or another block */
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!is_letter(c) && (c < '0' || c > '9') && c != ' ' &&
            (c == '\0' || strchr(",;%.:-()'\"?!", c) == NULL))
            return false;
    }
    return text.ptr[text.len - 1] != ' ' &&
           cs_view_find(text, CS_LIT("www.")) == SIZE_MAX &&
           cs_view_find(text, CS_LIT("://")) == SIZE_MAX;
}

static cmark_node *parse(struct cs_markdown *markdown, struct cs_view text)
{
    cmark_parser *parser = cmark_parser_new_with_mem(
        CMARK_OPT_DEFAULT | CMARK_OPT_STRIKETHROUGH_DOUBLE_TILDE, markdown->mem);
    cmark_node *root;

    for (size_t i = 0; i < CS_MARKDOWN_EXTENSIONS; i++)
        cmark_parser_attach_syntax_extension(parser, markdown->extensions[i]);
    cmark_parser_feed(parser, text.ptr, text.len);
    root = cmark_parser_finish(parser);
    cmark_parser_free(parser);
    return root;
}

cmark_node *cs_markdown_parse(struct cs_markdown *markdown, struct cs_view text,
                              int offset)
{
    cmark_node *root;

    cs_buf_reset(&markdown->text);
    cs_text_markdown(&markdown->text, text);
    if (markdown->text.failed != CS_OK)
        _exit(CS_DOCUMENT_EXIT_NOMEM);
    if (is_plain(cs_buf_view(&markdown->text))) {
        root = cs_markdown_node(markdown, CMARK_NODE_DOCUMENT);
        if (markdown->text.len > 0)
            cs_markdown_add_text(markdown,
                                 cs_markdown_add(markdown, root, CMARK_NODE_PARAGRAPH),
                                 cs_buf_view(&markdown->text));
        return root;
    }
    root = parse(markdown, cs_buf_view(&markdown->text));
    cs_markdown_tidy(markdown, root, offset);
    return root;
}

cmark_node *cs_markdown_node(struct cs_markdown *markdown, cmark_node_type type)
{
    cmark_syntax_extension *extension = NULL;
    cmark_node *node;

    if (type == CMARK_NODE_TABLE_CELL) {
        /* The extension would attach memory to it that it never frees. */
        node = cmark_node_new_with_mem(type, markdown->mem);
        cmark_node_set_syntax_extension(node, markdown->table);
        return node;
    }
    if (type == CMARK_NODE_TABLE || type == CMARK_NODE_TABLE_ROW)
        extension = markdown->table;
    else if (type == CMARK_NODE_STRIKETHROUGH)
        extension = markdown->strikethrough;
    return cmark_node_new_with_mem_and_ext(type, markdown->mem, extension);
}

cmark_node *cs_markdown_add(struct cs_markdown *markdown, cmark_node *parent,
                            cmark_node_type type)
{
    cmark_node *node = cs_markdown_node(markdown, type);

    cmark_node_append_child(parent, node);
    return node;
}

void cs_markdown_add_text(struct cs_markdown *markdown, cmark_node *parent,
                          struct cs_view text)
{
    cmark_node *node;
    char *copy;

    if (text.len == 0)
        return;
    copy = cs_view_dup(text);
    if (copy == NULL)
        _exit(CS_DOCUMENT_EXIT_NOMEM);
    node = cs_markdown_add(markdown, parent, CMARK_NODE_TEXT);
    cmark_node_set_literal(node, copy);
    free(copy);
}

cmark_node *cs_markdown_add_heading(struct cs_markdown *markdown, cmark_node *parent,
                                    struct cs_view text, int level)
{
    cmark_node *heading = cs_markdown_add(markdown, parent, CMARK_NODE_HEADING);

    cs_markdown_add_text(markdown, heading, text);
    cmark_node_set_user_data(heading, (void *)(intptr_t)level);
    return heading;
}

void cs_markdown_move_children(cmark_node *to, cmark_node *from)
{
    cmark_node *child;

    while ((child = cmark_node_first_child(from)) != NULL)
        if (!cmark_node_append_child(to, child))
            cmark_node_free(child); /* can't happen: both hold blocks */
    cmark_node_free(from);
}

void cs_markdown_level_headings(cmark_node *root)
{
    intptr_t
        open[LAST_LEVEL - FIRST_LEVEL + 1]; /* raw levels above and at the current one */
    size_t depth = 0;
    cmark_iter *iter = cmark_iter_new(root);
    cmark_event_type event;

    while ((event = cmark_iter_next(iter)) != CMARK_EVENT_DONE) {
        cmark_node *node = cmark_iter_get_node(iter);
        intptr_t raw;

        if (event != CMARK_EVENT_ENTER || cmark_node_get_type(node) != CMARK_NODE_HEADING)
            continue;
        raw = (intptr_t)cmark_node_get_user_data(node);
        while (depth > 0 && open[depth - 1] >= raw)
            depth--;
        if (depth < CS_COUNT(open))
            open[depth++] = raw;
        cmark_node_set_heading_level(node, FIRST_LEVEL - 1 + (int)depth);
        cmark_node_set_user_data(node, NULL);
    }
    cmark_iter_free(iter);
}

void cs_markdown_plain(struct cs_buf *out, cmark_node *node, size_t max)
{
    size_t end = out->len > SIZE_MAX - max ? SIZE_MAX : out->len + max;
    cmark_iter *iter = cmark_iter_new(node);
    cmark_event_type event;

    while (out->len < end && (event = cmark_iter_next(iter)) != CMARK_EVENT_DONE) {
        cmark_node *at = cmark_iter_get_node(iter);
        cmark_node_type type = cmark_node_get_type(at);

        if (event == CMARK_EVENT_EXIT) {
            if (at != node && (type & CMARK_NODE_TYPE_MASK) == CMARK_NODE_TYPE_BLOCK &&
                out->len > 0)
                cs_buf_add_byte(out, ' ');
        } else if (type == CMARK_NODE_SOFTBREAK || type == CMARK_NODE_LINEBREAK) {
            cs_buf_add_byte(out, ' ');
        } else if (type == CMARK_NODE_TEXT || type == CMARK_NODE_CODE ||
                   type == CMARK_NODE_CODE_BLOCK) {
            cs_buf_add(out, cs_view_cstr(cmark_node_get_literal(at)));
        }
    }
    if (out->len > end) {
        while (end > 0 && ((unsigned char)out->ptr[end] & 0xc0) == 0x80)
            end--;
        cs_buf_truncate(out, end);
    }
    cmark_iter_free(iter);
}
