#include "config.h"

#include "render/pdf_book.h"

#include <math.h>

double cs_pdf_book_baseline(const struct cs_pdf_book *book, double leading, double size)
{
    return (leading + book->cap_height * size) / 2;
}

struct cs_pdf_style cs_pdf_book_style(const struct cs_pdf_book *book, double size,
                                      unsigned font, struct cs_colour colour)
{
    return (struct cs_pdf_style){
        .size = size * book->scale, .font = (uint8_t)font, .colour = colour};
}

static void add_link(void *context, struct cs_pdf_rect rect, const char *link)
{
    cs_pdf_flow_link(context, rect, link);
}

/* Two lines at least at the foot of a page and at the head of the next one. */
static unsigned how_of(const struct cs_pdf_setting *setting, size_t line, size_t count)
{
    if (line + 1 == count)
        return setting->keep ? CS_PDF_KEEP : 0;
    return setting->whole || line == 0 || line + 2 == count ? CS_PDF_KEEP : 0;
}

static double line_x(struct cs_pdf_area area, enum cs_pdf_align align, double width)
{
    if (align == CS_PDF_CENTRE)
        return area.left + (area.width - width) / 2;
    return align == CS_PDF_RIGHT ? area.left + area.width - width : area.left;
}

void cs_pdf_book_paragraph(struct cs_pdf_book *book, struct cs_pdf_area area,
                           const struct cs_pdf_setting *setting, cs_pdf_first_fn first,
                           void *context)
{
    enum cs_pdf_align align = setting->align;
    double leading = setting->leading * book->scale;
    const struct cs_pdf_line *lines;
    size_t count;

    cs_pdf_text_shape(book->text);
    /* a marker at the left keeps its text beside it */
    if (align == CS_PDF_LEFT && !setting->fixed &&
        (book->rtl || (cs_pdf_text_rtl(book->text) && first == NULL)))
        align = CS_PDF_RIGHT;
    lines = cs_pdf_text_lines(book->text, area.width, setting->balance, &count);
    for (size_t i = 0; i < count; i++) {
        struct cs_buf *out = cs_pdf_flow_begin(book->flow);
        double size = cs_pdf_text_size(book->text, &lines[i]);
        double y = -cs_pdf_book_baseline(book, leading, size);
        double x = line_x(area, align, lines[i].width);

        if (i == 0 && first != NULL)
            first(context, out, y);
        if (i == 0 && setting->has_mark)
            cs_pdf_flow_mark(book->flow, setting->mark);
        cs_pdf_text_draw(book->text, &lines[i], out, x, y);
        cs_pdf_text_links(book->text, &lines[i], x, y, add_link, book->flow);
        cs_pdf_flow_end(book->flow, leading, how_of(setting, i, count));
    }
    cs_pdf_text_reset(book->text, book->rtl);
}

/* The longest start of the text that fits, with an ellipsis behind it. */
static void shorten(struct cs_pdf_book *book, struct cs_view utf8,
                    const struct cs_pdf_style *style, double width)
{
    size_t low = 0, high = utf8.len < 400 ? utf8.len : 400;
    double word, line;

    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;

        cs_pdf_text_reset(book->side, book->rtl);
        cs_pdf_text_add(book->side, cs_view_sub(utf8, 0, middle), style, NULL);
        cs_pdf_text_add(book->side, CS_LIT("\xe2\x80\xa6"), style, NULL);
        cs_pdf_text_shape(book->side);
        cs_pdf_text_widths(book->side, &word, &line);
        if (line <= width)
            low = middle;
        else
            high = middle - 1;
    }
    while (low > 0 && low < utf8.len && ((unsigned char)utf8.ptr[low] & 0xc0u) == 0x80)
        low--;
    cs_pdf_text_reset(book->side, book->rtl);
    cs_pdf_text_add(book->side, cs_view_trim(cs_view_sub(utf8, 0, low)), style, NULL);
    cs_pdf_text_add(book->side, CS_LIT("\xe2\x80\xa6"), style, NULL);
    cs_pdf_text_shape(book->side);
}

double cs_pdf_book_label(struct cs_pdf_book *book, struct cs_buf *out,
                         struct cs_view utf8, const struct cs_pdf_style *style,
                         enum cs_pdf_align align, double x, double y, double width)
{
    const struct cs_pdf_line *lines;
    double word, line;
    size_t count;

    cs_pdf_text_reset(book->side, book->rtl);
    cs_pdf_text_add(book->side, cs_view_sub(utf8, 0, 4000), style, NULL);
    cs_pdf_text_shape(book->side);
    cs_pdf_text_widths(book->side, &word, &line);
    if (line > width + 0.5 || utf8.len > 4000)
        shorten(book, utf8, style, width);
    lines = cs_pdf_text_lines(book->side, 1e6, false, &count);
    if (count == 0)
        return 0;
    if (align == CS_PDF_CENTRE)
        x -= lines[0].width / 2;
    else if (align == CS_PDF_RIGHT)
        x -= lines[0].width;
    cs_pdf_text_draw(book->side, &lines[0], out, x, y);
    return lines[0].width;
}

size_t cs_pdf_book_heading(struct cs_pdf_book *book, unsigned level, struct cs_view title)
{
    struct cs_pdf_heading heading = {.level = level,
                                     .title = book->titles.len,
                                     .title_len = title.len,
                                     .mark = book->headings.count,
                                     .detail = book->appendix && level > 2};

    cs_buf_add(&book->titles, title);
    if (book->titles.failed != CS_OK)
        book->failed = book->titles.failed;
    else if (!cs_pdf_vector_add(&book->headings, &heading, sizeof(heading)))
        book->failed = CS_ENOMEM;
    return heading.mark;
}

bool cs_pdf_book_failed(const struct cs_pdf_book *book)
{
    return book->failed != CS_OK || cs_pdf_flow_failed(book->flow) ||
           cs_pdf_text_check(book->text, NULL) != CS_OK ||
           cs_pdf_text_check(book->side, NULL) != CS_OK;
}
