#include "config.h"

#include "render/pdf_inline.h"

#include <cmark-gfm-core-extensions.h>

#define FULL_LENGTH 24000u /* characters: some eight pages */
#define PIECE       8000u  /* bytes added at once */

struct walk {
    struct cs_pdf_book *book;
    const struct cs_pdf_inline *how;
    unsigned bold, italic, strike, image;
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

    walk->image--;
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

static void visit(struct walk *walk, cmark_node *node, bool entering)
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
    } else if (type == CMARK_NODE_STRONG) {
        count(&walk->bold, entering);
    } else if (type == CMARK_NODE_EMPH) {
        count(&walk->italic, entering);
    } else if (strcmp(cmark_node_get_type_string(node), "strikethrough") == 0) {
        count(&walk->strike, entering);
    } else if (type == CMARK_NODE_LINK) {
        walk->link = entering ? cmark_node_get_url(node) : NULL;
    } else if (type == CMARK_NODE_IMAGE) {
        if (entering)
            walk->image++;
        else
            end_image(walk, node);
    }
}

void cs_pdf_inline_add(struct cs_pdf_book *book, cmark_node *parent,
                       const struct cs_pdf_inline *how)
{
    struct walk walk = {.book = book, .how = how};
    cmark_iter *iter = cmark_iter_new(parent);
    cmark_event_type event;

    while ((event = cmark_iter_next(iter)) != CMARK_EVENT_DONE &&
           !cs_pdf_book_failed(book)) {
        cmark_node *node = cmark_iter_get_node(iter);

        if (node != parent)
            visit(&walk, node, event == CMARK_EVENT_ENTER);
    }
    cmark_iter_free(iter);
}
