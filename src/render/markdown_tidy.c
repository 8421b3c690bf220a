#include "config.h"

#include "render/markdown_tidy.h"

#include <stdlib.h>
#include <unistd.h>

#include "render/document.h"
#include "render/html_tags.h"
#include "render/text.h"

/* Containers below this depth are replaced by what they hold. */
#define DEEPEST    24u
#define OPEN_TAGS  16u
#define SHORT_LINE 56u /* bytes */
#define SCRATCH    (64u << 20)

struct tidy {
    struct cs_markdown *markdown;
    int offset;
};

static void set_literal(cmark_node *node, struct cs_view text)
{
    char *copy = cs_view_dup(text);

    if (copy == NULL)
        _exit(CS_DOCUMENT_EXIT_NOMEM);
    cmark_node_set_literal(node, copy);
    free(copy);
}

static void insert_literal(struct tidy *tidy, cmark_node *before, cmark_node_type type,
                           struct cs_view text)
{
    cmark_node *node = cs_markdown_node(tidy->markdown, type);

    set_literal(node, text);
    cmark_node_insert_before(before, node);
}

static void hoist_children(cmark_node *node)
{
    cmark_node *child;

    while ((child = cmark_node_first_child(node)) != NULL)
        if (!cmark_node_insert_before(node, child))
            cmark_node_free(child); /* can't happen: the parent holds the same kind */
}

static void set_url(cmark_node *node, struct cs_view url)
{
    struct cs_buf encoded = CS_BUF_INIT(SCRATCH);

    cs_text_url(&encoded, url);
    if (encoded.failed != CS_OK)
        _exit(CS_DOCUMENT_EXIT_NOMEM);
    cmark_node_set_url(node, cs_buf_cstr(&encoded));
    cs_buf_clear(&encoded);
}

static bool is_ascii(struct cs_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] >= 0x7f)
            return false;
    return true;
}

/* Addresses that may not be followed stay readable: text (address). */
static void tidy_link(struct tidy *tidy, cmark_node *link)
{
    struct cs_view url = cs_view_cstr(cmark_node_get_url(link));

    if (cs_text_link_allowed(url)) {
        if (!is_ascii(url))
            set_url(link, url);
        return;
    }
    if (cmark_node_first_child(link) == NULL && url.len == 0)
        insert_literal(tidy, link, CMARK_NODE_TEXT, CS_LIT("[]()"));
    hoist_children(link);
    if (url.len > 0) {
        insert_literal(tidy, link, CMARK_NODE_TEXT, CS_LIT(" ("));
        insert_literal(tidy, link, CMARK_NODE_CODE, url);
        insert_literal(tidy, link, CMARK_NODE_TEXT, CS_LIT(")"));
    }
    cmark_node_free(link);
}

static void tidy_image(struct tidy *tidy, cmark_node *image)
{
    struct cs_view url = cs_view_cstr(cmark_node_get_url(image));
    cmark_node *note;

    if (cs_text_is_web_url(url) || url.len == 0) {
        if (!is_ascii(url))
            set_url(image, url);
        return;
    }
    if (!cs_view_starts(url, CS_LIT("data:"))) {
        note = cs_markdown_node(tidy->markdown, CMARK_NODE_CODE);
        set_literal(note, url);
        cmark_node_insert_after(image, note);
        note = cs_markdown_node(tidy->markdown, CMARK_NODE_TEXT);
        set_literal(note, CS_LIT(" "));
        cmark_node_insert_after(image, note);
    }
    cmark_node_set_url(image, "");
}

/* An opening tag among the children of one parent that waits for its end. */
struct open_tag {
    cmark_node *node;
    struct cs_tag tag; /* views into the node's literal */
};

struct tag_stack {
    struct open_tag items[OPEN_TAGS];
    size_t count;
};

static cmark_node_type wrapper_type(enum cs_tag_effect effect)
{
    switch (effect) {
    case CS_TAG_STRONG:
        return CMARK_NODE_STRONG;
    case CS_TAG_EMPH:
        return CMARK_NODE_EMPH;
    case CS_TAG_DELETED:
        return CMARK_NODE_STRIKETHROUGH;
    case CS_TAG_LINK:
        return CMARK_NODE_LINK;
    default:
        return CMARK_NODE_NONE;
    }
}

/* Puts what stands between an opening tag and here into a node of its meaning. */
static void close_tag(struct tidy *tidy, struct tag_stack *stack, cmark_node *end,
                      const struct cs_tag *tag)
{
    size_t at = stack->count;
    cmark_node *open, *wrapper, *child;

    while (at > 0 && !cs_view_eq_nocase(stack->items[at - 1].tag.name, tag->name))
        at--;
    if (at > 0) {
        while (stack->count > at)
            cmark_node_free(stack->items[--stack->count].node);
        open = stack->items[--stack->count].node;
        wrapper = cs_markdown_node(tidy->markdown, wrapper_type(tag->effect));
        if (tag->effect == CS_TAG_LINK)
            set_url(wrapper, stack->items[stack->count].tag.target);
        cmark_node_insert_before(open, wrapper);
        while ((child = cmark_node_next(open)) != NULL && child != end)
            cmark_node_append_child(wrapper, child);
        cmark_node_free(open);
        if (tag->effect == CS_TAG_LINK)
            tidy_link(tidy, wrapper);
    }
    cmark_node_free(end);
}

static void inline_image(struct tidy *tidy, cmark_node *node, const struct cs_tag *tag)
{
    cmark_node *image = cs_markdown_node(tidy->markdown, CMARK_NODE_IMAGE);

    set_url(image, tag->target);
    cs_markdown_add_text(tidy->markdown, image, tag->alt);
    cmark_node_insert_before(node, image);
    tidy_image(tidy, image);
}

static void tidy_inline_tag(struct tidy *tidy, struct tag_stack *stack, cmark_node *node)
{
    struct cs_view literal = cs_view_cstr(cmark_node_get_literal(node));
    struct cs_tag tag;

    if (!cs_tag_read(&tag, literal))
        tag = (struct cs_tag){.text = literal, .effect = CS_TAG_UNKNOWN};
    if (wrapper_type(tag.effect) != CMARK_NODE_NONE) {
        if (tag.closing) {
            close_tag(tidy, stack, node, &tag);
            return;
        }
        if (stack->count < OPEN_TAGS) {
            stack->items[stack->count++] = (struct open_tag){node, tag};
            return;
        }
    } else if (tag.effect == CS_TAG_BREAK || tag.effect == CS_TAG_BLOCK ||
               tag.effect == CS_TAG_ITEM) {
        if (!tag.closing)
            cmark_node_insert_before(
                node, cs_markdown_node(tidy->markdown, CMARK_NODE_LINEBREAK));
    } else if (tag.effect == CS_TAG_IMAGE) {
        inline_image(tidy, node, &tag);
    } else if (tag.effect == CS_TAG_COMMENT || tag.effect == CS_TAG_UNKNOWN) {
        insert_literal(tidy, node, CMARK_NODE_CODE,
                       tag.effect == CS_TAG_COMMENT ? tag.alt : literal);
    }
    cmark_node_free(node);
}

static void tidy_inline_tags(struct tidy *tidy, cmark_node *parent)
{
    struct tag_stack stack = {.count = 0};
    cmark_node *node = cmark_node_first_child(parent);

    while (node != NULL) {
        cmark_node *next = cmark_node_next(node);

        if (cmark_node_get_type(node) == CMARK_NODE_HTML_INLINE)
            tidy_inline_tag(tidy, &stack, node);
        node = next;
    }
    while (stack.count > 0)
        cmark_node_free(stack.items[--stack.count].node);
}

/* Writes what a tag of an HTML block means in Markdown. */
static bool tag_as_markdown(struct cs_buf *out, const struct cs_tag *tag,
                            struct cs_view *href)
{
    static const char hashes[] = "######";

    switch (tag->effect) {
    case CS_TAG_UNKNOWN:
        return false;
    case CS_TAG_PLAIN:
        return true;
    case CS_TAG_COMMENT:
        cs_buf_add_cstr(out, "`");
        cs_buf_add(out, tag->alt);
        cs_buf_add_cstr(out, "`");
        return cs_view_find_byte(tag->alt, '`') == SIZE_MAX && tag->alt.len > 0;
    case CS_TAG_BREAK:
        cs_buf_add_cstr(out, "\\\n");
        return true;
    case CS_TAG_RULE:
        cs_buf_add_cstr(out, "\n\n---\n\n");
        return true;
    case CS_TAG_ITEM:
        cs_buf_add_cstr(out, tag->closing ? "\n" : "\n- ");
        return true;
    case CS_TAG_HEADING:
        cs_buf_add_cstr(out, "\n\n");
        if (!tag->closing)
            cs_buf_add_fmt(out, "%.*s ", tag->level, hashes);
        return true;
    case CS_TAG_SUMMARY:
        cs_buf_add_cstr(out, tag->closing ? "**\n\n" : "\n\n**");
        return true;
    case CS_TAG_STRONG:
        cs_buf_add_cstr(out, "**");
        return true;
    case CS_TAG_EMPH:
        cs_buf_add_cstr(out, "*");
        return true;
    case CS_TAG_DELETED:
        cs_buf_add_cstr(out, "~~");
        return true;
    case CS_TAG_LINK:
        if (!tag->closing)
            *href = tag->target;
        cs_buf_add_cstr(out, tag->closing ? "](<" : "[");
        if (tag->closing) {
            cs_buf_add(out, *href);
            cs_buf_add_cstr(out, ">)");
        }
        return true;
    case CS_TAG_IMAGE:
        cs_buf_add_fmt(out, "![%.*s](<%.*s>)", CS_FMT(tag->alt), CS_FMT(tag->target));
        return tag->alt.len < 512 && tag->target.len < 512;
    case CS_TAG_BLOCK:
        break;
    }
    cs_buf_add_cstr(out, "\n\n");
    return true;
}

/* Turns an HTML block of simple tags into Markdown; false when a tag says more
 * than Markdown can. Indentation goes, as it would make code of the text. */
static bool html_as_markdown(struct cs_buf *out, struct cs_view html)
{
    struct cs_view href = cs_view_of("", 0);
    struct cs_tag tag;
    bool line_start = true;

    while (html.len > 0) {
        char c = html.ptr[0];

        if (c == '<' && cs_tag_read(&tag, html)) {
            if (!tag_as_markdown(out, &tag, &href))
                return false;
            line_start = tag.effect >= CS_TAG_BREAK && tag.effect <= CS_TAG_SUMMARY;
            html = cs_view_from(html, tag.text.len);
            continue;
        }
        if (c == '<' && html.len > 1 && (html.ptr[1] == '!' || html.ptr[1] == '?'))
            return false;
        if (!line_start || (c != ' ' && c != '\t'))
            cs_buf_add_byte(out, c);
        line_start = c == '\n' || (line_start && (c == ' ' || c == '\t'));
        html = cs_view_from(html, 1);
    }
    return out->failed == CS_OK;
}

/* A block that is one comment, and nothing else. */
static bool is_comment(struct cs_view html, struct cs_view *text)
{
    struct cs_tag tag;

    html = cs_view_trim(html);
    if (html.len == 0 || !cs_tag_read(&tag, html) || tag.effect != CS_TAG_COMMENT ||
        tag.text.len != html.len)
        return false;
    *text = tag.alt;
    return true;
}

static void html_as_code(struct tidy *tidy, cmark_node *block, const char *info,
                         struct cs_view text)
{
    cmark_node *code = cs_markdown_node(tidy->markdown, CMARK_NODE_CODE_BLOCK);

    cmark_node_set_fence_info(code, info);
    set_literal(code, text);
    cmark_node_insert_before(block, code);
}

static void tidy_html_block(struct tidy *tidy, cmark_node *block)
{
    struct cs_markdown *markdown = tidy->markdown;
    struct cs_view html = cs_view_cstr(cmark_node_get_literal(block));
    struct cs_buf text = CS_BUF_INIT(SCRATCH);
    cmark_node *root, *child;

    if (is_comment(html, &html)) {
        html_as_code(tidy, block, "comment", html);
    } else if (markdown->in_html || !html_as_markdown(&text, html)) {
        html_as_code(tidy, block, "html", html);
    } else {
        markdown->in_html = true;
        root = cs_markdown_parse(markdown, cs_buf_view(&text), tidy->offset);
        markdown->in_html = false;
        while ((child = cmark_node_first_child(root)) != NULL)
            cmark_node_insert_before(block, child);
        cmark_node_free(root);
    }
    cs_buf_clear(&text);
    cmark_node_free(block);
}

/* Language models do not wrap lines: a short line that ends within a paragraph was
 * meant to end there ("See you on board," and the name below). */
static void tidy_breaks(struct tidy *tidy, cmark_node *parent)
{
    cmark_node *node = cmark_node_first_child(parent);
    struct cs_buf line = CS_BUF_INIT(SHORT_LINE + 8);

    while (node != NULL) {
        cmark_node *next = cmark_node_next(node);
        cmark_node_type type = cmark_node_get_type(node);

        if (type == CMARK_NODE_SOFTBREAK || type == CMARK_NODE_LINEBREAK) {
            if (type == CMARK_NODE_SOFTBREAK && line.len < SHORT_LINE) {
                cmark_node_insert_before(
                    node, cs_markdown_node(tidy->markdown, CMARK_NODE_LINEBREAK));
                cmark_node_free(node);
            }
            cs_buf_reset(&line);
        } else if (line.failed == CS_OK && line.len < SHORT_LINE) {
            cs_markdown_plain(&line, node, SHORT_LINE - line.len);
            if (line.failed != CS_OK)
                line.len = SHORT_LINE;
        }
        node = next;
    }
    cs_buf_clear(&line);
}

static bool is_container(cmark_node_type type)
{
    return type == CMARK_NODE_BLOCK_QUOTE || type == CMARK_NODE_EMPH ||
           type == CMARK_NODE_STRONG || type == CMARK_NODE_STRIKETHROUGH;
}

/* Replaces a container that is too deep by its children; returns the node to go
 * on with, in the same place. From the top down, so that each node moves once. */
static cmark_node *flatten(cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);
    cmark_node *first = cmark_node_first_child(node);
    cmark_node *item;

    if (first == NULL)
        return NULL;
    if (is_container(type)) {
        hoist_children(node);
        cmark_node_free(node);
        return first;
    }
    if (type != CMARK_NODE_LIST)
        return NULL;
    first = NULL;
    for (item = cmark_node_first_child(node); item != NULL;
         item = cmark_node_next(item)) {
        cmark_node *child;

        while ((child = cmark_node_first_child(item)) != NULL) {
            cmark_node_insert_before(node, child);
            first = first == NULL ? child : first;
        }
    }
    if (first != NULL)
        cmark_node_free(node);
    return first;
}

static void leave(struct tidy *tidy, cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);

    if (type == CMARK_NODE_HTML_BLOCK) {
        tidy_html_block(tidy, node);
        return;
    }
    if (type == CMARK_NODE_HEADING)
        cmark_node_set_user_data(
            node, (void *)(intptr_t)(cmark_node_get_heading_level(node) + tidy->offset));
    if (cmark_node_first_child(node) != NULL)
        tidy_inline_tags(tidy, node);
    if (type == CMARK_NODE_PARAGRAPH)
        tidy_breaks(tidy, node);
    if (type == CMARK_NODE_LINK)
        tidy_link(tidy, node);
    else if (type == CMARK_NODE_IMAGE)
        tidy_image(tidy, node);
}

void cs_markdown_tidy(struct cs_markdown *markdown, cmark_node *root, int offset)
{
    struct tidy tidy = {markdown, offset};
    cmark_node *node = cmark_node_first_child(root);
    size_t depth = 1;

    while (node != NULL) {
        cmark_node *next = depth > DEEPEST ? flatten(node) : NULL;

        if (next != NULL) {
            node = next;
            continue;
        }
        next = cmark_node_first_child(node);
        if (next != NULL) {
            depth++;
            node = next;
            continue;
        }
        while (node != root) {
            cmark_node *parent = cmark_node_parent(node);

            next = cmark_node_next(node);
            leave(&tidy, node);
            if (next != NULL)
                break;
            node = parent;
            depth--;
        }
        node = next;
    }
}
