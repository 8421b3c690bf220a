#include "config.h"

#include <math.h>

#include "render/pdf_bidi.h"
#include "render/pdf_ops.h"
#include "render/pdf_text_parts.h"

double cs_pdf_text_size(const struct cs_pdf_text *text, const struct cs_pdf_line *line)
{
    double size = 0;

    for (size_t i = line->start; i < line->end; i++)
        size = fmax(
            size, cs_pdf_text_style(text, cs_pdf_text_glyphs(text)[i].style)->style.size);
    return size;
}

/* The line's glyphs from left to right, as their numbers. */
static const size_t *visual_order(struct cs_pdf_text *text,
                                  const struct cs_pdf_line *line)
{
    size_t count = line->end - line->start;
    uint8_t *levels;
    size_t *order;

    text->order.count = text->levels.count = 0;
    if (!cs_pdf_text_reserve(text, &text->order, count + 1, sizeof(size_t)) ||
        !cs_pdf_text_reserve(text, &text->levels, count + 1, sizeof(uint8_t)))
        return NULL;
    order = text->order.items;
    for (size_t i = 0; i < count && !text->levels_used; i++)
        order[i] = line->start + i;
    if (!text->levels_used)
        return order;
    levels = text->levels.items;
    for (size_t i = 0; i < count; i++)
        levels[i] = cs_pdf_text_glyphs(text)[line->start + i].level;
    cs_pdf_bidi_order(levels, count, order);
    for (size_t i = 0; i < count; i++)
        order[i] += line->start;
    return order;
}

/* What is set in the text object while a line is written. */
struct pen {
    int face;
    double size, rise;
    bool slanted, thick, placed;
    struct cs_colour colour;
    bool coloured;
};

static void set_font(struct cs_buf *out, struct pen *pen, const struct glyph *glyph,
                     double size)
{
    if (pen->face == glyph->face && fabs(pen->size - size) < 0.001)
        return;
    cs_buf_add(out, CS_LIT("/F"));
    cs_buf_add_u64(out, glyph->face);
    cs_buf_add_byte(out, ' ');
    cs_pdf_number(out, size);
    cs_buf_add(out, CS_LIT("Tf\n"));
    pen->face = glyph->face;
    pen->size = size;
}

static void set_thickness(struct cs_buf *out, struct pen *pen, bool thick, double size)
{
    if (thick) {
        cs_pdf_number(out, size / 30);
        cs_buf_add(out, CS_LIT("w 2 Tr\n"));
    } else if (pen->thick) {
        cs_buf_add(out, CS_LIT("0 Tr\n"));
    }
    pen->thick = thick;
}

static void set_pen(struct cs_buf *out, struct pen *pen, const struct glyph *glyph,
                    const struct cs_pdf_style *style, double x, double y)
{
    bool slanted = (glyph->fake & CS_PDF_ITALIC) != 0;
    bool thick = (glyph->fake & CS_PDF_BOLD) != 0;

    if (!pen->coloured || !cs_pdf_same_colour(pen->colour, style->colour) || thick) {
        cs_pdf_fill_colour(out, style->colour);
        if (thick)
            cs_pdf_line_colour(out, style->colour);
        pen->colour = style->colour;
        pen->coloured = true;
    }
    set_font(out, pen, glyph, style->size);
    set_thickness(out, pen, thick, style->size);
    if (!pen->placed || pen->slanted != slanted ||
        fabs(pen->rise - style->rise) > 0.001) {
        bool moved = !pen->placed && !slanted; /* from the origin, the shorter way */

        if (!moved)
            cs_buf_add(out, slanted ? CS_LIT("1 0 .2126 1 ") : CS_LIT("1 0 0 1 "));
        cs_pdf_number(out, x);
        cs_pdf_number(out, y + style->rise);
        cs_buf_add(out, moved ? CS_LIT("Td\n") : CS_LIT("Tm\n"));
        pen->placed = true;
        pen->slanted = slanted;
        pen->rise = style->rise;
    }
}

#define ADJUSTMENT_MAX 9u /* bytes of ")-12345(" and a NUL */

/* The blank behind a glyph, between two strings of an array. */
static char *adjust(char *to, int extra)
{
    char digits[8] = "";
    size_t len = 0;
    unsigned value = (unsigned)(extra < 0 ? -extra : extra);

    *to++ = ')';
    if (extra > 0)
        *to++ = '-'; /* the array's numbers move to the left */
    for (; value != 0 && len < sizeof(digits); value /= 10)
        digits[len++] = (char)('0' + value % 10);
    while (len > 0)
        *to++ = digits[--len];
    *to++ = '(';
    return to;
}

/* Shows glyphs of one look; gives the width that they took. */
static double show(const struct cs_pdf_text *text, struct cs_buf *out,
                   const size_t *order, size_t count)
{
    const struct glyph *glyphs = cs_pdf_text_glyphs(text);
    char *room = cs_buf_room(out, count * (CS_PDF_CODE_MAX + ADJUSTMENT_MAX) + 8),
         *to = room;
    double width = 0;
    bool adjusted = false;

    if (room == NULL)
        return 0;
    *to++ = '['; /* becomes a blank when nothing is adjusted */
    *to++ = '(';
    for (size_t i = 0; i < count; i++) {
        const struct glyph *glyph = &glyphs[order[i]];

        to = cs_pdf_code(to, glyph->slot);
        width += glyph->advance + glyph->extra;
        if (glyph->extra != 0) {
            to = adjust(to, glyph->extra);
            adjusted = true;
        }
    }
    *to++ = ')';
    if (!adjusted)
        *room = ' ';
    cs_buf_grew(out, (size_t)(to - room));
    cs_buf_add(out, adjusted ? CS_LIT("]TJ\n") : CS_LIT("Tj\n"));
    return width * cs_pdf_text_style(text, glyphs[order[0]].style)->style.size / 1000;
}

static bool same_look(const struct cs_pdf_text *text, size_t a, size_t b)
{
    const struct glyph *left = &cs_pdf_text_glyphs(text)[a],
                       *right = &cs_pdf_text_glyphs(text)[b];

    return left->face == right->face && left->fake == right->fake &&
           left->style == right->style;
}

static void draw_glyphs(struct cs_pdf_text *text, struct cs_buf *out, const size_t *order,
                        size_t count, double x, double y)
{
    struct pen pen = {.face = -1};

    cs_buf_add(out, CS_LIT("BT\n"));
    for (size_t i = 0; i < count;) {
        const struct glyph *glyph = &cs_pdf_text_glyphs(text)[order[i]];
        size_t end = i + 1;

        while (end < count && same_look(text, order[i], order[end]))
            end++;
        set_pen(out, &pen, glyph, &cs_pdf_text_style(text, glyph->style)->style, x, y);
        x += show(text, out, order + i, end - i);
        i = end;
    }
    if (pen.thick)
        cs_buf_add(out, CS_LIT("0 Tr\n"));
    cs_buf_add(out, CS_LIT("ET\n"));
    for (size_t i = 0; text->marked && i < count; i++) {
        if ((cs_pdf_text_glyphs(text)[order[i]].flags & GLYPH_MISSING) != 0)
            text->missing++;
    }
}

/* Goes over the line's stretches of one style: fn gets each with its extent. */
typedef void (*stretch_fn)(void *context, const struct run_style *style, double left,
                           double right);

static void each_stretch(const struct cs_pdf_text *text, const size_t *order,
                         size_t count, double x, stretch_fn fn, void *context)
{
    for (size_t i = 0; i < count;) {
        unsigned style = cs_pdf_text_glyphs(text)[order[i]].style;
        double left = x;

        for (; i < count && cs_pdf_text_glyphs(text)[order[i]].style == style; i++)
            x += cs_pdf_text_advance(text, &cs_pdf_text_glyphs(text)[order[i]]);
        fn(context, cs_pdf_text_style(text, style), left, x);
    }
}

struct decoration {
    struct cs_buf *out;
    double y;
    bool behind; /* the backdrops, which come before the text */
};

static void decorate(void *context, const struct run_style *run, double left,
                     double right)
{
    const struct decoration *at = context;
    const struct cs_pdf_style *style = &run->style;
    double y = at->y + style->rise, size = style->size;

    if (at->behind) {
        if (style->boxed) {
            cs_pdf_round_box(at->out, style->backdrop, left - 1.5, y - 0.27 * size,
                             right - left + 3, 1.28 * size, 2);
        }
        return;
    }
    if (!style->strike && !style->underline)
        return;
    cs_pdf_line_colour(at->out, style->colour);
    if (style->strike)
        cs_pdf_stroke_line(at->out, left, y + 0.27 * size, right, y + 0.27 * size,
                           size / 16);
    if (style->underline)
        cs_pdf_stroke_line(at->out, left, y - 0.14 * size, right, y - 0.14 * size,
                           size / 22);
}

void cs_pdf_text_draw(struct cs_pdf_text *text, const struct cs_pdf_line *line,
                      struct cs_buf *out, double x, double y)
{
    struct decoration decoration = {.out = out, .y = y, .behind = true};
    size_t count = line->end - line->start;
    const size_t *order = visual_order(text, line);

    if (order == NULL || count == 0)
        return;
    if (text->decorated)
        each_stretch(text, order, count, x, decorate, &decoration);
    draw_glyphs(text, out, order, count, x, y);
    decoration.behind = false;
    if (text->decorated)
        each_stretch(text, order, count, x, decorate, &decoration);
}

struct link_search {
    cs_pdf_link_fn found;
    void *context;
    double y;
};

static void find_link(void *context, const struct run_style *run, double left,
                      double right)
{
    const struct link_search *search = context;

    if (run->link != NULL)
        search->found(search->context,
                      (struct cs_pdf_rect){left, search->y - 0.25 * run->style.size,
                                           right, search->y + 0.85 * run->style.size},
                      run->link);
}

void cs_pdf_text_links(const struct cs_pdf_text *text, const struct cs_pdf_line *line,
                       double x, double y, cs_pdf_link_fn found, void *context)
{
    struct link_search search = {found, context, y};

    /* the order of the line that was drawn last is still there */
    if (text->failed == CS_OK && text->linked && line->end > line->start)
        each_stretch(text, text->order.items, line->end - line->start, x, find_link,
                     &search);
}
