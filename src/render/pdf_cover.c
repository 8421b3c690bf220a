#include "config.h"

#include "render/pdf_cover.h"

#include <math.h>

#include "render/labels.h"
#include "render/pattern.h"
#include "render/pdf_ops.h"

#define EDGE       56.0 /* left and right margin */
#define HERO_SHARE 0.6  /* of the page's height is the coloured field */
#define ART_MIN    48.0 /* a lower strip of the pattern is left out */
#define BLEED      3.0  /* colour goes beyond the page's edges */
#define TEXT_MAX   420u /* bytes of a title; all of it is in the brief's section */

/* Sizes of the title that are tried until it fits. */
static const struct {
    double size, leading;
    size_t lines;
} title_sizes[] = {{44, 49, 3}, {36, 41, 4}, {29, 34, 5}, {23, 28, 6}, {17, 22, 9}};

/* A text cut at a whole character. */
static struct cs_view short_text(const char *text)
{
    struct cs_view view = cs_view_cstr(text);

    if (view.len <= TEXT_MAX)
        return view;
    view.len = TEXT_MAX;
    while (view.len > 0 && ((unsigned char)text[view.len] & 0xc0u) == 0x80)
        view.len--;
    return view;
}

/* Where lines of text stand: the first baseline, and how many there may be. */
struct spot {
    double x, y, width, leading;
    size_t most;
};

/* Gives the baseline of the last line. rtl text ends at the right edge. */
static double set_lines(struct cs_pdf_book *book, struct cs_buf *out, struct cs_view text,
                        const struct cs_pdf_style *style, const struct spot *spot)
{
    const struct cs_pdf_line *lines;
    size_t count;

    cs_pdf_text_reset(book->text, book->rtl);
    cs_pdf_text_add(book->text, text, style, NULL);
    cs_pdf_text_shape(book->text);
    lines = cs_pdf_text_lines(book->text, spot->width, true, &count);
    count = count < spot->most ? count : spot->most;
    for (size_t i = 0; i < count; i++) {
        double x = book->rtl ? spot->x + spot->width - lines[i].width : spot->x;

        cs_pdf_text_draw(book->text, &lines[i], out, x,
                         spot->y - (double)i * spot->leading);
    }
    return spot->y - (double)(count > 0 ? count - 1 : 0) * spot->leading;
}

static size_t count_lines(struct cs_pdf_book *book, struct cs_view text,
                          const struct cs_pdf_style *style, double width)
{
    size_t count;

    cs_pdf_text_reset(book->text, book->rtl);
    cs_pdf_text_add(book->text, text, style, NULL);
    cs_pdf_text_shape(book->text);
    (void)cs_pdf_text_lines(book->text, width, false, &count);
    return count;
}

/* A half of a wave, from the current point at x, y: a quadratic curve by cubic ones. */
static void half_wave(struct cs_buf *out, double x, double y, double swing)
{
    cs_pdf_number(out, x + CS_PATTERN_TILE / 3.0);
    cs_pdf_number(out, y - swing * 2 / 3);
    cs_pdf_number(out, x + CS_PATTERN_TILE * 2 / 3.0);
    cs_pdf_number(out, y - swing * 2 / 3);
    cs_pdf_number(out, x + CS_PATTERN_TILE);
    cs_pdf_number(out, y);
    cs_buf_add(out, CS_LIT("c\n"));
}

static void wave(struct cs_buf *out, const struct cs_pattern_shape *shape)
{
    double x = -(double)shape->x, y = shape->y, swing = shape->size;

    cs_pdf_number(out, x);
    cs_pdf_number(out, y);
    cs_buf_add(out, CS_LIT("m\n"));
    for (unsigned i = 0; i < 8; i++, x += CS_PATTERN_TILE)
        half_wave(out, x, y, i % 2 == 0 ? swing : -swing);
    cs_pdf_number(out, x);
    cs_pdf_number(out, CS_PATTERN_HEIGHT);
    cs_buf_add(out, CS_LIT("l "));
    cs_pdf_number(out, -2.0 * CS_PATTERN_TILE);
    cs_pdf_number(out, CS_PATTERN_HEIGHT);
    cs_buf_add(out, CS_LIT("l h f\n"));
}

/* A disc around the corner, cut off by the tile. */
static void quarter(struct cs_buf *out, struct cs_colour colour,
                    const struct cs_pattern_shape *shape)
{
    double tile = CS_PATTERN_TILE;

    cs_buf_add(out, CS_LIT("q "));
    cs_pdf_number(out, shape->x);
    cs_pdf_number(out, shape->y);
    cs_pdf_number(out, tile);
    cs_pdf_number(out, tile);
    cs_buf_add(out, CS_LIT("re W n\n"));
    cs_pdf_disc(out, colour, shape->x + (shape->corner & 1u ? tile : 0),
                shape->y + (shape->corner & 2u ? tile : 0), tile);
    cs_buf_add(out, CS_LIT("Q\n"));
}

struct art {
    struct cs_buf *out;
    struct cs_colour colours[CS_PATTERN_COLOURS];
};

static void art_shape(void *data, const struct cs_pattern_shape *shape)
{
    struct art *art = data;
    struct cs_colour colour = art->colours[shape->colour];

    cs_pdf_fill_colour(art->out, colour);
    switch (shape->kind) {
    case CS_PATTERN_BOX:
        cs_pdf_box(art->out, shape->x, shape->y, shape->width, shape->height);
        break;
    case CS_PATTERN_DISC:
        cs_pdf_disc(art->out, colour, shape->x, shape->y, shape->size);
        break;
    case CS_PATTERN_QUARTER:
        quarter(art->out, colour, shape);
        break;
    case CS_PATTERN_WAVE:
        wave(art->out, shape);
        break;
    }
}

/* The campaign's pattern over the whole width, from `top` down to `bottom`. */
static void hero_art(const struct cs_document *document, const struct cs_pdf_frame *frame,
                     struct cs_buf *out, double bottom, double top)
{
    struct art art = {.out = out};
    double scale =
        fmax(frame->width / CS_PATTERN_WIDTH, (top - bottom) / CS_PATTERN_HEIGHT);

    if (top - bottom < ART_MIN)
        return;
    cs_pattern_colours(art.colours, &document->palette);
    cs_buf_add(out, CS_LIT("q\n"));
    cs_pdf_number(out, -BLEED);
    cs_pdf_number(out, bottom);
    cs_pdf_number(out, frame->width + 2 * BLEED);
    cs_pdf_number(out, top - bottom);
    cs_buf_add(out, CS_LIT("re W n\n"));
    /* The drawing's y grows downwards; its middle comes to the field's middle. */
    cs_pdf_number(out, scale);
    cs_buf_add(out, CS_LIT("0 0 "));
    cs_pdf_number(out, -scale);
    cs_pdf_number(out, (frame->width - scale * CS_PATTERN_WIDTH) / 2);
    cs_pdf_number(out, (top + bottom + scale * CS_PATTERN_HEIGHT) / 2);
    cs_buf_add(out, CS_LIT("cm\n"));
    cs_pattern_draw(cs_view_cstr(document->title), art_shape, &art);
    cs_buf_add(out, CS_LIT("Q\n"));
}

/* Client, title and tagline from the top down; gives the last line's baseline. */
static double hero_text(struct cs_pdf_book *book, const struct cs_document *document,
                        const struct cs_pdf_frame *frame, struct cs_buf *out,
                        double bottom)
{
    const struct cs_scheme *scheme = book->scheme;
    struct cs_pdf_style style =
        cs_pdf_book_style(book, 12, CS_PDF_BOLD, scheme->fill_ink);
    double width = frame->width - 2 * EDGE, y = frame->height - 74;
    struct cs_view title = short_text(document->title);
    size_t size = 0;

    (void)cs_pdf_book_label(book, out, short_text(document->client), &style,
                            book->rtl ? CS_PDF_RIGHT : CS_PDF_LEFT,
                            book->rtl ? frame->width - EDGE : EDGE, y, width);
    style.font = CS_PDF_BOLD;
    for (; size + 1 < CS_COUNT(title_sizes); size++) {
        style.size = title_sizes[size].size;
        if (count_lines(book, title, &style, width) <= title_sizes[size].lines)
            break;
    }
    style.size = title_sizes[size].size;
    y = set_lines(book, out, title, &style,
                  &(struct spot){EDGE, y - 34 - style.size, width,
                                 title_sizes[size].leading, title_sizes[size].lines});
    style = cs_pdf_book_style(book, 14, 0, scheme->fill_ink);
    if (document->tagline[0] == '\0')
        return y;
    return set_lines(book, out, short_text(document->tagline), &style,
                     &(struct spot){book->rtl ? EDGE + width * 0.18 : EDGE, y - 34,
                                    width * 0.82, 19,
                                    (size_t)fmax(1, (y - 34 - bottom - 12) / 19)});
}

static void hero(struct cs_pdf_book *book, const struct cs_document *document,
                 const struct cs_pdf_frame *frame, struct cs_buf *out, double bottom)
{
    double end;

    cs_pdf_fill_colour(out, book->scheme->fill);
    cs_pdf_box(out, -BLEED, bottom, frame->width + 2 * BLEED,
               frame->height - bottom + BLEED);
    end = hero_text(book, document, frame, out, bottom);
    hero_art(document, frame, out, bottom, end - 42);
}

/* A name above its value; gives the height that was used. */
static double fact(struct cs_pdf_book *book, struct cs_buf *out, const char *name,
                   struct cs_view value, double x, double y, double width)
{
    struct cs_pdf_style style = cs_pdf_book_style(book, 8.2, 0, book->scheme->muted);
    double last;

    (void)set_lines(book, out, cs_view_cstr(name), &style,
                    &(struct spot){x, y, width, 12, 1});
    style = cs_pdf_book_style(book, 10.5, CS_PDF_BOLD, book->scheme->ink);
    last = set_lines(book, out, value, &style, &(struct spot){x, y - 15, width, 14, 3});
    return y - last;
}

struct fact {
    enum cs_label label;
    const char *value;
    size_t most; /* bytes of the value to show; 0: all */
};

static double facts(struct cs_pdf_book *book, const struct cs_document *document,
                    const struct cs_pdf_frame *frame, struct cs_buf *out, double y)
{
    const struct fact list[] = {
        {CS_LABEL_CLIENT, document->client, 0},
        {CS_LABEL_PRODUCT, document->product, 0},
        {CS_LABEL_STATUS, document->status, 0},
        {CS_LABEL_COMPLETED, document->completed_at, 10}, /* the day */
        {CS_LABEL_BUDGET, document->budget, 0},
        {CS_LABEL_DURATION, document->duration, 0},
        {CS_LABEL_QUALITY, document->quality_score, 0},
    };
    double width = (frame->width - 2 * EDGE - 24) / 2, row = 0;
    size_t shown = 0;

    for (size_t i = 0; i < CS_COUNT(list); i++) {
        struct cs_view value = short_text(list[i].value);
        double x = EDGE + (shown % 2 != (book->rtl ? 1u : 0u) ? width + 24 : 0), used;

        if (value.len == 0)
            continue;
        if (list[i].most != 0)
            value = cs_view_sub(value, 0, list[i].most);
        used =
            fact(book, out, cs_label(book->language, list[i].label), value, x, y, width);
        row = fmax(row, used);
        if (shown++ % 2 == 1) {
            y -= row + 25;
            row = 0;
        }
    }
    return shown % 2 == 1 ? y - row - 25 : y;
}

/* The brief's colours, from the side on which lines begin. */
static void swatches(struct cs_pdf_book *book, const struct cs_document *document,
                     const struct cs_pdf_frame *frame, struct cs_buf *out, double y)
{
    const struct cs_palette *palette = &document->palette;
    struct cs_pdf_style style = cs_pdf_book_style(book, 8.2, 0, book->scheme->muted);
    enum cs_pdf_align align = book->rtl ? CS_PDF_RIGHT : CS_PDF_LEFT;
    double x = book->rtl ? frame->width - EDGE : EDGE, way = book->rtl ? -1 : 1;

    if (palette->count == 0 || y < 100)
        return;
    (void)cs_pdf_book_label(book, out,
                            cs_view_cstr(cs_label(book->language, CS_LABEL_PALETTE)),
                            &style, align, x, y, 300);
    y -= 34;
    for (size_t i = 0; i < palette->count; i++) {
        char hex[CS_COLOUR_HEX_LEN + 1];
        double width;

        cs_colour_hex(hex, palette->swatches[i].colour);
        cs_pdf_disc(out, book->scheme->line, x + way * 12, y + 4, 12.6);
        cs_pdf_disc(out, palette->swatches[i].colour, x + way * 12, y + 4, 12);
        width = cs_pdf_book_label(book, out, cs_view_of(hex, CS_COLOUR_HEX_LEN), &style,
                                  align, x + way * 31, y + 1, 80);
        x += way * (31 + width + 22);
    }
}

void cs_pdf_cover(struct cs_pdf_book *book, const struct cs_document *document,
                  const struct cs_pdf_frame *frame, struct cs_buf *out)
{
    double bottom = frame->height * (1 - HERO_SHARE), y;
    struct cs_pdf_style style = cs_pdf_book_style(book, 7.8, 0, book->scheme->muted);

    hero(book, document, frame, out, bottom);
    y = facts(book, document, frame, out, bottom - 38);
    swatches(book, document, frame, out, y - 2);
    (void)cs_pdf_book_label(book, out, short_text(document->campaign_id), &style,
                            book->rtl ? CS_PDF_RIGHT : CS_PDF_LEFT,
                            book->rtl ? frame->width - EDGE : EDGE, 40,
                            frame->width - 2 * EDGE);
    cs_pdf_text_reset(book->text, book->rtl);
}
