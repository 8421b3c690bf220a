#include "config.h"

#include "render/pdf_inline.h"

#include "render/pdf_walk.h"

#define FULL_LENGTH 24000u /* characters: some eight pages */
#define PIECE       8000u  /* bytes added at once */

struct walk {
    struct cs_pdf_book *book;
    const struct cs_pdf_inline *how;
    unsigned bold, italic, strike;
    const char *link;
};

static struct cs_pdf_style style_now(const struct walk *walk, bool code)
{
    const struct cs_scheme *scheme = walk->book->scheme;
    struct cs_pdf_style style = walk->how->base;

    if (walk->bold > 0)
        style.font |= CS_PDF_BOLD;
    if (walk->italic > 0)
        style.font |= CS_PDF_ITALIC;
    if (walk->strike > 0)
        style.strike = true;
    if (walk->link != NULL) {
        style.colour = scheme->accent;
        style.underline = true;
    }
    if (code) {
        style.font = (uint8_t)((style.font & ~(unsigned)CS_PDF_ITALIC) | CS_PDF_MONO);
        style.size *= 0.88;
        style.boxed = true;
        style.backdrop = scheme->surface;
    }
    return style;
}

/* Long text in pieces that end at a blank, so that no buffer grows with it. */
static void add_text(struct walk *walk, struct cs_view text,
                     const struct cs_pdf_style *style)
{
    if (walk->how->plain != NULL)
        cs_buf_add(walk->how->plain, text);
    while (text.len > 0 && !cs_pdf_book_failed(walk->book)) {
        size_t len = text.len;

        if (len > PIECE) {
            for (len = PIECE; len > PIECE / 2 && text.ptr[len - 1] != ' '; len--)
                continue;
            if (text.ptr[len - 1] != ' ') {
                for (len = PIECE; ((unsigned char)text.ptr[len] & 0xc0u) == 0x80; len--)
                    continue;
            }
        }
        cs_pdf_text_add(walk->book->text, cs_view_sub(text, 0, len), style, walk->link);
        text = cs_view_from(text, len);
        if (walk->how->full != NULL && cs_pdf_text_length(walk->book->text) > FULL_LENGTH)
            walk->how->full(walk->how->context);
    }
}

static void add_literal(struct walk *walk, cmark_node *node, bool code)
{
    struct cs_pdf_style style = style_now(walk, code);

    add_text(walk, cs_view_cstr(cmark_node_get_literal(node)), &style);
}

/* An image is its alternative text and, small behind it, its address. */
static void end_image(struct walk *walk, cmark_node *node)
{
    const char *url = cmark_node_get_url(node), *outer = walk->link;
    struct cs_pdf_style style = style_now(walk, true);

    if (url == NULL || url[0] == '\0')
        return;
    add_text(walk, CS_LIT(" "), &walk->how->base);
    walk->link = url;
    style.size *= 0.92;
    style.colour = walk->book->scheme->muted;
    add_text(walk, cs_view_cstr(url), &style);
    walk->link = outer;
}

static void count(unsigned *depth, bool entering)
{
    if (entering)
        ++*depth;
    else if (*depth > 0)
        --*depth;
}

/* A node without inline content in it. */
static bool add_leaf(struct walk *walk, cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);
    struct cs_pdf_style style;

    if (type == CMARK_NODE_TEXT || type == CMARK_NODE_HTML_INLINE) {
        add_literal(walk, node, false);
    } else if (type == CMARK_NODE_CODE) {
        add_literal(walk, node, true);
    } else if (type == CMARK_NODE_SOFTBREAK) {
        style = style_now(walk, false);
        add_text(walk, CS_LIT(" "), &style);
    } else if (type == CMARK_NODE_LINEBREAK) {
        if (walk->how->plain != NULL)
            cs_buf_add_byte(walk->how->plain, ' ');
        cs_pdf_text_newline(walk->book->text);
    } else {
        return false;
    }
    return true;
}

static void visit(struct walk *walk, cmark_node *node, bool entering)
{
    cmark_node_type type = cmark_node_get_type(node);

    if (entering && add_leaf(walk, node))
        return;
    if (type == CMARK_NODE_STRONG)
        count(&walk->bold, entering);
    else if (type == CMARK_NODE_EMPH)
        count(&walk->italic, entering);
    else if (type == CMARK_NODE_LINK)
        walk->link = entering ? cmark_node_get_url(node) : NULL;
    else if (type == CMARK_NODE_IMAGE && !entering)
        end_image(walk, node);
    else if (strcmp(cmark_node_get_type_string(node), "strikethrough") == 0)
        count(&walk->strike, entering);
}

void cs_pdf_inline_add(struct cs_pdf_book *book, cmark_node *parent,
                       const struct cs_pdf_inline *how)
{
    struct cs_pdf_walk at = {.root = parent};
    struct walk walk = {.book = book, .how = how};

    while (cs_pdf_walk_next(&at) && !cs_pdf_book_failed(book)) {
        if (at.node != parent)
            visit(&walk, at.node, at.entering);
    }
}
