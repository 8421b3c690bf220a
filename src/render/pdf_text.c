#include "config.h"

#include "render/pdf_text.h"

#include <math.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "render/pdf_bidi.h"
#include "render/pdf_chars.h"
#include "render/pdf_text_parts.h"

#define CLUSTER_MAX CS_PDF_SLOT_TEXT_MAX
#define STYLES_MAX  60000u
#define FIRST_MARK  0x300u /* combining marks; Latin letters come before */

static struct letter *letters_of(const struct cs_pdf_text *text)
{
    return text->letters.items;
}

struct cs_pdf_text *cs_pdf_text_new(struct cs_pdf_fonts *fonts)
{
    struct cs_pdf_text *text = calloc(1, sizeof(*text));

    if (text != NULL)
        text->fonts = fonts;
    return text;
}

void cs_pdf_text_free(struct cs_pdf_text *text)
{
    if (text == NULL)
        return;
    free(text->letters.items);
    free(text->glyphs.items);
    free(text->styles.items);
    free(text->lines.items);
    free(text->levels.items);
    free(text->shapes.items);
    free(text->plain.items);
    free(text->order.items);
    free(text);
}

void cs_pdf_text_reset(struct cs_pdf_text *text, bool rtl)
{
    text->letters.count = text->glyphs.count = text->styles.count = text->lines.count = 0;
    text->rtl = rtl;
    text->beyond_latin = text->decorated = text->linked = text->marked = false;
}

static bool same_style(const struct cs_pdf_style *a, const struct cs_pdf_style *b)
{
    return fabs(a->size - b->size) < 0.001 && fabs(a->rise - b->rise) < 0.001 &&
           a->font == b->font && a->boxed == b->boxed && a->strike == b->strike &&
           a->underline == b->underline && a->mark == b->mark &&
           cs_pdf_same_colour(a->colour, b->colour) &&
           cs_pdf_same_colour(a->backdrop, b->backdrop);
}

/* The number of the style, which is most often the last one. */
static uint16_t use_style(struct cs_pdf_text *text, const struct cs_pdf_style *style,
                          const char *link)
{
    size_t count = text->styles.count;

    if (count > 0) {
        const struct run_style *last = cs_pdf_text_style(text, (unsigned)count - 1);

        if ((last->link == link && same_style(&last->style, style)) ||
            count == STYLES_MAX)
            return (uint16_t)(count - 1);
    }
    if (!cs_pdf_text_reserve(text, &text->styles, 1, sizeof(struct run_style)))
        return 0;
    ((struct run_style *)text->styles.items)[count] = (struct run_style){*style, link};
    text->decorated |= style->boxed || style->strike || style->underline;
    text->linked |= link != NULL;
    text->styles.count++;
    return (uint16_t)count;
}

void cs_pdf_text_add(struct cs_pdf_text *text, struct cs_view utf8,
                     const struct cs_pdf_style *style, const char *link)
{
    uint16_t number = use_style(text, style, link);
    struct letter *letters;
    uint32_t code_point;

    if (!cs_pdf_text_reserve(text, &text->letters, utf8.len, sizeof(struct letter)))
        return;
    letters = letters_of(text);
    while (utf8.len > 0) {
        if ((unsigned char)utf8.ptr[0] < 0x80) {
            code_point = (unsigned char)utf8.ptr[0];
            utf8 = cs_view_from(utf8, 1);
        } else if (!cs_utf8_next(&utf8, &code_point)) {
            code_point = 0xfffd;
            utf8 = cs_view_from(utf8, 1);
        }
        if (code_point == '\n' || code_point == '\t' || code_point == '\r')
            code_point = ' ';
        text->beyond_latin |= code_point >= FIRST_MARK;
        letters[text->letters.count++] = (struct letter){code_point, number};
    }
}

void cs_pdf_text_newline(struct cs_pdf_text *text)
{
    if (text->styles.count == 0 ||
        !cs_pdf_text_reserve(text, &text->letters, 1, sizeof(struct letter)))
        return;
    letters_of(text)[text->letters.count++] =
        (struct letter){'\n', (uint16_t)(text->styles.count - 1)};
}

size_t cs_pdf_text_length(const struct cs_pdf_text *text)
{
    return text->letters.count;
}

/* Letters and marks to single letters, in place. */
static void compose(struct cs_pdf_text *text)
{
    struct letter *letters = letters_of(text);
    size_t kept = 0;

    if (!text->beyond_latin)
        return;
    for (size_t i = 0; i < text->letters.count; i++) {
        uint32_t whole = 0;

        if (letters[i].code_point >= FIRST_MARK && kept > 0)
            whole = cs_pdf_compose(letters[kept - 1].code_point, letters[i].code_point);
        if (whole != 0)
            letters[kept - 1].code_point = whole;
        else
            letters[kept++] = letters[i];
    }
    text->letters.count = kept;
}

/* Code points alone, for the functions that take them so. */
static uint32_t *plain_text(struct cs_pdf_text *text)
{
    const struct letter *letters = letters_of(text);
    size_t count = text->letters.count;
    uint32_t *plain;

    text->plain.count = 0;
    if (!cs_pdf_text_reserve(text, &text->plain, count + 1, sizeof(uint32_t)))
        return NULL;
    plain = text->plain.items;
    for (size_t i = 0; i < count; i++)
        plain[i] = letters[i].code_point;
    plain[count] = 0; /* so that the last one has a neighbour, too */
    return plain;
}

/* Levels and shapes of the letters; false when they are the plain ones. */
static bool directions(struct cs_pdf_text *text, const uint32_t *plain)
{
    size_t count = text->letters.count;

    if (!text->rtl && (!text->beyond_latin || !cs_pdf_bidi_needed(plain, count)))
        return false;
    text->levels.count = text->shapes.count = 0;
    if (!cs_pdf_text_reserve(text, &text->levels, count + 1, sizeof(uint8_t)) ||
        !cs_pdf_text_reserve(text, &text->shapes, count + 1, sizeof(uint32_t)))
        return false;
    text->failed = cs_pdf_bidi(plain, count, &text->rtl, text->levels.items,
                               text->shapes.items, &text->err);
    return text->failed == CS_OK;
}

static void add_newline(struct cs_pdf_text *text, uint16_t style)
{
    cs_pdf_text_glyphs(text)[text->glyphs.count++] =
        (struct glyph){.style = style, .flags = GLYPH_NEWLINE};
}

/* What the next glyph stands for. */
struct piece {
    size_t len;     /* letters of the paragraph */
    uint32_t shape; /* the character to draw */
    uint32_t read[CLUSTER_MAX];
    size_t read_count; /* code points that it reads back as */
};

/* The piece at letter i: an emoji's invisible parts go with the glyph before
 * them, a picture that no font has is one mark, Arabic letters may be joined. */
static struct piece gather(const struct cs_pdf_text *text, const uint32_t *plain,
                           const uint32_t *shapes, size_t i)
{
    size_t left = text->letters.count - i;
    struct piece piece = {.len = cs_pdf_cluster(plain + i, left),
                          .shape = shapes != NULL ? shapes[i] : plain[i]};
    unsigned font = cs_pdf_text_style(text, letters_of(text)[i].style)->style.font;

    if (piece.len > 1 && cs_pdf_fonts_has(text->fonts, font, plain[i])) {
        size_t visible = 1;

        while (visible < piece.len && cs_pdf_modifies(plain[i + visible]))
            visible++;
        piece.len = visible;
    }
    piece.read_count = piece.len < CLUSTER_MAX ? piece.len : CLUSTER_MAX;
    memcpy(piece.read, plain + i, piece.read_count * sizeof(piece.read[0]));
    if (shapes != NULL && piece.shape == CS_PDF_BIDI_TAKEN && left > 1 &&
        cs_pdf_fonts_has(text->fonts, font, shapes[i + 1])) {
        /* a ligature reads back as one character: readers do not agree on the
         * order of two in text from right to left */
        piece.shape = piece.read[0] = shapes[i + 1];
        piece.len = 2;
    }
    return piece;
}

static void add_glyph(struct cs_pdf_text *text, const struct piece *piece, uint16_t style)
{
    unsigned font = cs_pdf_text_style(text, style)->style.font;
    uint32_t shape = piece->shape, first = piece->read[0];
    int blank = cs_pdf_blank(first);
    struct cs_pdf_glyph found;
    struct glyph *glyph;

    if (blank != 0)
        shape = ' ';
    if (shape != first && !cs_pdf_fonts_has(text->fonts, font, shape))
        shape = first;
    text->failed = cs_pdf_fonts_glyph(text->fonts, font, shape, piece->read,
                                      piece->read_count, &found, &text->err);
    if (text->failed != CS_OK)
        return;
    glyph = &cs_pdf_text_glyphs(text)[text->glyphs.count++];
    *glyph = (struct glyph){.face = found.face,
                            .slot = found.slot,
                            .advance = found.advance,
                            .style = style,
                            .fake = found.fake};
    if (blank > 0)
        glyph->extra = (int16_t)(blank - found.advance);
    if (cs_pdf_breaking_blank(first))
        glyph->flags = GLYPH_BLANK | GLYPH_BREAK;
    if (found.missing) {
        glyph->flags |= GLYPH_MISSING;
        text->marked = true;
    }
    if (cs_pdf_combining(first))
        glyph->flags |= GLYPH_COMBINING;
}

/* Whether the line may break between the glyph just made and the next letter. */
static void mark_break(struct cs_pdf_text *text, uint32_t before, uint32_t last,
                       uint32_t next)
{
    struct glyph *glyph = &cs_pdf_text_glyphs(text)[text->glyphs.count - 1];

    if (cs_pdf_text_style(text, glyph->style)->style.mark) {
        glyph->flags &= (uint8_t) ~(unsigned)GLYPH_BREAK;
        return;
    }
    if ((glyph->flags & GLYPH_BLANK) != 0 || next == ' ' || cs_pdf_blank(next) != 0)
        return;
    if (cs_pdf_break_between(before, last, next))
        glyph->flags |= GLYPH_BREAK;
}

static void kern(struct cs_pdf_text *text)
{
    struct glyph *glyphs = cs_pdf_text_glyphs(text);

    for (size_t i = 1; i < text->glyphs.count; i++) {
        struct glyph *left = &glyphs[i - 1], *right = &glyphs[i];

        if (left->face == right->face && left->style == right->style && left->slot != 0 &&
            right->slot != 0 && ((left->flags | right->flags) & GLYPH_BLANK) == 0 &&
            left->level == 0 && right->level == 0)
            left->extra =
                (int16_t)(left->extra + cs_pdf_fonts_kern(text->fonts, left->face,
                                                          left->slot, right->slot));
    }
}

/* Whether letter i is a printable character of ASCII with nothing that changes it
 * behind it: most letters of most texts, for which there is a short way. */
static bool is_simple(const uint32_t *plain, size_t i)
{
    return plain[i] >= ' ' && plain[i] < 0x7f && plain[i + 1] < FIRST_MARK;
}

static void add_simple(struct cs_pdf_text *text, uint32_t c, uint16_t style)
{
    unsigned font = cs_pdf_text_style(text, style)->style.font;
    const struct cs_pdf_glyph *found =
        cs_pdf_fonts_ascii(text->fonts, font, (unsigned char)c, &text->err);
    struct glyph *glyph = &cs_pdf_text_glyphs(text)[text->glyphs.count];

    if (found == NULL) {
        text->failed = text->err.code;
        return;
    }
    *glyph = (struct glyph){.face = found->face,
                            .slot = found->slot,
                            .advance = found->advance,
                            .style = style,
                            .fake = found->fake};
    if (c == ' ')
        glyph->flags = GLYPH_BLANK | GLYPH_BREAK;
    text->glyphs.count++;
}

static bool alphanumeric(uint32_t c)
{
    return (c | 0x20u) - 'a' < 26 || c - '0' < 10;
}

/* The letters from i on as one glyph; gives how many they are. */
static size_t shape_piece(struct cs_pdf_text *text, const uint32_t *plain,
                          const uint32_t *shapes, size_t i)
{
    struct piece piece = gather(text, plain, shapes, i);

    add_glyph(text, &piece, letters_of(text)[i].style);
    if (text->failed == CS_OK && shapes != NULL)
        cs_pdf_text_glyphs(text)[text->glyphs.count - 1].level =
            ((const uint8_t *)text->levels.items)[i];
    return piece.len;
}

void cs_pdf_text_shape(struct cs_pdf_text *text)
{
    uint32_t before = 0, last = 0;
    const uint32_t *plain, *shapes;
    size_t i, len;

    compose(text);
    text->glyphs.count = 0;
    /* a letter becomes one glyph at most */
    if ((plain = plain_text(text)) == NULL ||
        !cs_pdf_text_reserve(text, &text->glyphs, text->letters.count,
                             sizeof(struct glyph)))
        return;
    shapes = directions(text, plain) ? text->shapes.items : NULL;
    text->levels_used = shapes != NULL;
    for (i = 0; i < text->letters.count && text->failed == CS_OK; i += len) {
        size_t made = text->glyphs.count;

        len = 1;
        if (plain[i] == '\n') {
            add_newline(text, letters_of(text)[i].style);
            before = last = 0;
            continue;
        }
        if (cs_pdf_invisible(plain[i])) {
            if (plain[i] == 0x200b && made > 0)
                cs_pdf_text_glyphs(text)[made - 1].flags |= GLYPH_BREAK;
            continue;
        }
        if (made > 0 && last != 0 && !(alphanumeric(last) && alphanumeric(plain[i])))
            mark_break(text, before, last, plain[i]);
        if (shapes == NULL && is_simple(plain, i))
            add_simple(text, plain[i], letters_of(text)[i].style);
        else
            len = shape_piece(text, plain, shapes, i);
        before = last;
        last = plain[i];
    }
    kern(text);
}

void cs_pdf_text_widths(const struct cs_pdf_text *text, double *word_out,
                        double *line_out)
{
    double word = 0, line = 0, blanks = 0;

    *word_out = *line_out = 0;
    for (size_t i = 0; i < text->glyphs.count; i++) {
        const struct glyph *glyph = &cs_pdf_text_glyphs(text)[i];

        if ((glyph->flags & GLYPH_NEWLINE) != 0) {
            word = line = blanks = 0;
            continue;
        }
        if ((glyph->flags & GLYPH_BLANK) != 0 && (glyph->flags & GLYPH_BREAK) != 0) {
            blanks += cs_pdf_text_advance(text, glyph);
            word = 0;
            continue;
        }
        line += blanks + cs_pdf_text_advance(text, glyph);
        blanks = 0;
        word += cs_pdf_text_advance(text, glyph);
        *word_out = fmax(*word_out, word);
        *line_out = fmax(*line_out, line);
        if ((glyph->flags & GLYPH_BREAK) != 0)
            word = 0;
    }
}

static void add_line(struct cs_pdf_text *text, size_t start, size_t end)
{
    const struct glyph *glyphs = cs_pdf_text_glyphs(text);
    struct cs_pdf_line line = {.start = start};

    while (end > start && (glyphs[end - 1].flags & (GLYPH_BLANK | GLYPH_NEWLINE)) != 0)
        end--;
    line.end = end;
    for (size_t i = start; i < end; i++)
        line.width += cs_pdf_text_advance(text, &glyphs[i]);
    if (cs_pdf_text_reserve(text, &text->lines, 1, sizeof(line)))
        ((struct cs_pdf_line *)text->lines.items)[text->lines.count++] = line;
}

/* The end of the line that starts at `start`: as many glyphs as fit, up to the
 * last place where it may break, or cut through a word that does not fit. */
static size_t line_end(const struct cs_pdf_text *text, size_t start, double width)
{
    const struct glyph *glyphs = cs_pdf_text_glyphs(text);
    size_t count = text->glyphs.count, best = 0;
    double used = 0;

    for (size_t i = start; i < count; i++) {
        if ((glyphs[i].flags & GLYPH_NEWLINE) != 0)
            return i + 1;
        used += cs_pdf_text_advance(text, &glyphs[i]);
        if (used > width + 0.01 && (glyphs[i].flags & GLYPH_BLANK) == 0) {
            if (best != 0)
                return best;
            while (i > start && (glyphs[i].flags & GLYPH_COMBINING) != 0)
                i--;
            return i > start ? i : start + 1;
        }
        if ((glyphs[i].flags & GLYPH_BREAK) != 0)
            best = i + 1;
    }
    return count;
}

static void break_lines(struct cs_pdf_text *text, double width)
{
    size_t start = 0, count = text->glyphs.count;

    text->lines.count = 0;
    while (start < count && text->failed == CS_OK) {
        size_t end = line_end(text, start, width);

        add_line(text, start, end);
        start = end;
        /* blanks that did not fit hang at the end of the line before */
        while (start < count && start > 0 &&
               (cs_pdf_text_glyphs(text)[start].flags & GLYPH_BLANK) != 0 &&
               (cs_pdf_text_glyphs(text)[start - 1].flags & GLYPH_NEWLINE) == 0)
            start++;
    }
}

const struct cs_pdf_line *cs_pdf_text_lines(struct cs_pdf_text *text, double width,
                                            bool balance, size_t *count_out)
{
    double low = width / 2, high = width;
    size_t wanted;

    break_lines(text, width);
    wanted = text->lines.count;
    if (balance && wanted > 1 && wanted < 6) {
        for (int i = 0; i < 8; i++) {
            double middle = (low + high) / 2;

            break_lines(text, middle);
            if (text->lines.count > wanted)
                low = middle;
            else
                high = middle;
        }
        break_lines(text, high);
    }
    *count_out = text->failed == CS_OK ? text->lines.count : 0;
    return text->lines.items;
}

bool cs_pdf_text_rtl(const struct cs_pdf_text *text)
{
    return text->rtl;
}

unsigned cs_pdf_text_missing(const struct cs_pdf_text *text)
{
    return text->missing;
}

enum cs_code cs_pdf_text_check(const struct cs_pdf_text *text, struct cs_err *err)
{
    if (text->failed == CS_OK)
        return CS_OK;
    return cs_err_set(err, text->failed, "%s", text->err.text);
}
