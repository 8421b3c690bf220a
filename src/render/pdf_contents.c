#include "config.h"

#include "render/pdf_contents.h"

#include <stdlib.h>

#include "render/labels.h"
#include "render/pdf_ops.h"

#define COVER_PAGES  1u
#define LINES_MAX    700u /* with more entries, the contents list sections alone */
#define OUTLINE_MAX  20000u
#define NUMBER_WIDTH 34.0

struct work {
    struct cs_pdf_book *book;
    struct cs_pdf_doc *doc;
    const struct cs_document *document;
    const struct cs_pdf_frame *frame;
    struct cs_pdf_flow *body;
    size_t contents_pages;
    unsigned deepest; /* level that is listed in the contents */
};

static const struct cs_pdf_heading *heading_at(const struct work *work, size_t i)
{
    return (const struct cs_pdf_heading *)work->book->headings.items + i;
}

static struct cs_view title_of(const struct work *work,
                               const struct cs_pdf_heading *heading)
{
    return cs_view_sub(cs_buf_view(&work->book->titles), heading->title,
                       heading->title_len);
}

/* The place of a heading in the document's own numbers. */
static struct cs_pdf_place place_of(const struct work *work, size_t i)
{
    struct cs_pdf_place place;

    if (!cs_pdf_flow_place(work->body, heading_at(work, i)->mark, &place))
        place = (struct cs_pdf_place){0, work->frame->height};
    place.page = cs_pdf_flow_page(work->body, place.page);
    place.top += 8;
    return place;
}

/* The number that is printed on a heading's page. */
static size_t printed_page(const struct work *work, size_t i)
{
    struct cs_pdf_place place;

    (void)cs_pdf_flow_place(work->body, heading_at(work, i)->mark, &place);
    return COVER_PAGES + work->contents_pages + place.page + 1;
}

static void contents_title(const struct work *work, struct cs_pdf_flow *flow)
{
    struct cs_pdf_book *book = work->book;
    const struct cs_pdf_setting setting = {.leading = 32, .keep = true};
    const struct cs_pdf_style style =
        cs_pdf_book_style(book, 25, CS_PDF_BOLD, book->scheme->accent);
    const struct cs_pdf_area area = {0, cs_pdf_flow_width(flow)};

    cs_pdf_text_add(book->text, cs_view_cstr(cs_label(book->language, CS_LABEL_CONTENTS)),
                    &style, NULL);
    cs_pdf_book_paragraph(book, area, &setting, NULL, NULL);
    cs_pdf_flow_space(flow, 16);
}

/* Dots from the title's end to the number. */
static void leader(const struct work *work, struct cs_buf *out, double from, double to,
                   double y)
{
    if (to - from < 12)
        return;
    cs_pdf_line_colour(out, work->book->scheme->line);
    cs_buf_add(out, CS_LIT("[0.8 3.2] 0 d\n"));
    cs_pdf_stroke_line(out, from, y, to, y, 0.8);
    cs_buf_add(out, CS_LIT("[] 0 d\n"));
}

static double line_height(unsigned level)
{
    return level == 2 ? 17 : 14;
}

/* One line of the contents; its place in the flow leads to the heading. */
static void entry(const struct work *work, struct cs_pdf_flow *flow, size_t i)
{
    const struct cs_pdf_heading *heading = heading_at(work, i);
    const struct cs_scheme *scheme = work->book->scheme;
    bool section = heading->level == 2, rtl = work->book->rtl;
    double width = cs_pdf_flow_width(flow), indent = section ? 0 : 16;
    double height = line_height(heading->level), used, y;
    struct cs_pdf_style style =
        cs_pdf_book_style(work->book, section ? 10.4 : 9.2, section ? CS_PDF_BOLD : 0,
                          section ? scheme->ink : scheme->muted);
    struct cs_buf number = CS_BUF_INIT(24), *out;

    cs_pdf_flow_space(flow, section ? 7 : 0);
    out = cs_pdf_flow_begin(flow);
    y = -cs_pdf_book_baseline(work->book, height, style.size);
    used =
        cs_pdf_book_label(work->book, out, cs_view_trim(title_of(work, heading)), &style,
                          rtl ? CS_PDF_RIGHT : CS_PDF_LEFT, rtl ? width - indent : indent,
                          y, width - indent - NUMBER_WIDTH);
    cs_buf_add_u64(&number, printed_page(work, i));
    used += cs_pdf_book_label(work->book, out, cs_buf_view(&number), &style,
                              rtl ? CS_PDF_LEFT : CS_PDF_RIGHT, rtl ? 0 : width, y,
                              NUMBER_WIDTH) *
            0;
    if (rtl)
        leader(work, out, NUMBER_WIDTH, width - indent - used - 6, y + 1.5);
    else
        leader(work, out, indent + used + 6, width - NUMBER_WIDTH, y + 1.5);
    cs_pdf_flow_mark(flow, i);
    cs_pdf_flow_end(flow, height, section ? CS_PDF_KEEP : 0);
    cs_buf_clear(&number);
}

static enum cs_code set_contents(const struct work *work, struct cs_pdf_flow *flow,
                                 struct cs_err *err)
{
    work->book->flow = flow;
    contents_title(work, flow);
    for (size_t i = 0; i < work->book->headings.count && !cs_pdf_book_failed(work->book);
         i++) {
        if (heading_at(work, i)->level <= work->deepest && !heading_at(work, i)->detail)
            entry(work, flow, i);
    }
    return cs_pdf_flow_finish(flow, err);
}

static unsigned deepest_level(const struct work *work)
{
    size_t count = 0;

    for (size_t i = 0; i < work->book->headings.count; i++)
        count += heading_at(work, i)->level <= 3 && !heading_at(work, i)->detail;
    return count <= LINES_MAX ? 3 : 2;
}

/* Links from the lines of the contents, which stand on pages of `flow`. */
static enum cs_code link_contents(const struct work *work, const struct cs_pdf_flow *flow,
                                  struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < work->book->headings.count; i++) {
        struct cs_pdf_place at;

        if (!cs_pdf_flow_place(flow, i, &at))
            continue;
        rc = cs_pdf_doc_link_place(
            work->doc, cs_pdf_flow_page(flow, at.page),
            (struct cs_pdf_rect){work->frame->left,
                                 at.top - line_height(heading_at(work, i)->level),
                                 work->frame->width - work->frame->right, at.top},
            place_of(work, i), err);
    }
    return rc;
}

/* Once dry, to learn how many pages it takes, then with the right numbers. */
static enum cs_code make_contents(struct work *work, size_t before, struct cs_err *err)
{
    struct cs_pdf_flow *flow = NULL;
    enum cs_code rc = CS_OK;

    for (int dry = 1; dry >= 0 && rc == CS_OK; dry--) {
        cs_pdf_flow_free(flow);
        if ((flow = cs_pdf_flow_new(work->doc, work->frame, dry != 0)) == NULL) {
            rc = cs_err_nomem(err);
            break;
        }
        cs_pdf_flow_before(flow, before);
        rc = set_contents(work, flow, err);
        work->contents_pages = cs_pdf_flow_pages(flow);
    }
    if (rc == CS_OK)
        rc = link_contents(work, flow, err);
    cs_pdf_flow_free(flow);
    work->book->flow = work->body;
    return rc;
}

static enum cs_code make_outline(const struct work *work, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < work->book->headings.count && i < OUTLINE_MAX;
         i++) {
        const struct cs_pdf_heading *heading = heading_at(work, i);
        struct cs_view title = cs_view_trim(title_of(work, heading));

        rc = cs_pdf_doc_outline(work->doc, heading->level - 1,
                                title.len > 0 ? title : CS_LIT("\xe2\x80\xa6"),
                                place_of(work, i), err);
    }
    return rc;
}

/* "Page 3 of 12" in the document's language. */
static void page_of(struct cs_buf *out, const char *pattern, size_t page, size_t pages)
{
    struct cs_view rest = cs_view_cstr(pattern);

    while (rest.len > 0) {
        if (cs_view_starts(rest, CS_LIT("{n}")) || cs_view_starts(rest, CS_LIT("{m}"))) {
            cs_buf_add_u64(out, rest.ptr[1] == 'n' ? page : pages);
            rest = cs_view_from(rest, 3);
        } else {
            cs_buf_add_byte(out, rest.ptr[0]);
            rest = cs_view_from(rest, 1);
        }
    }
}

/* Head and foot of one page; section is what stands at its right. */
static enum cs_code run_page(const struct work *work, size_t page, size_t printed,
                             size_t pages, struct cs_view section, struct cs_err *err)
{
    struct cs_pdf_book *book = work->book;
    const struct cs_pdf_frame *frame = work->frame;
    struct cs_pdf_style style = cs_pdf_book_style(book, 7.8, 0, book->scheme->muted);
    double left = frame->left, right = frame->width - frame->right;
    double half = (right - left) / 2 - 10, head = frame->height - 42, foot = 34;
    struct cs_buf out = CS_BUF_INIT(1u << 20), label = CS_BUF_INIT(256);
    enum cs_code rc;

    page_of(&label, cs_label(book->language, CS_LABEL_PAGE_N_OF_M), printed, pages);
    (void)cs_pdf_book_label(book, &out, cs_view_cstr(work->document->title), &style,
                            CS_PDF_LEFT, left, head, half);
    (void)cs_pdf_book_label(book, &out, section, &style, CS_PDF_RIGHT, right, head, half);
    cs_pdf_line_colour(&out, book->scheme->line);
    cs_pdf_stroke_line(&out, left, head - 8, right, head - 8, 0.5);
    (void)cs_pdf_book_label(book, &out, cs_view_cstr(work->document->client), &style,
                            CS_PDF_LEFT, left, foot, half);
    (void)cs_pdf_book_label(book, &out, cs_buf_view(&label), &style, CS_PDF_RIGHT, right,
                            foot, half);
    if ((rc = cs_buf_check(&label, err)) == CS_OK &&
        (rc = cs_buf_check(&out, err)) == CS_OK)
        rc = cs_pdf_doc_add(work->doc, page, cs_buf_view(&out), err);
    cs_buf_clear(&out);
    cs_buf_clear(&label);
    return rc;
}

/* The page of the flow on which a heading stands. */
static size_t body_page(const struct work *work, size_t i)
{
    struct cs_pdf_place place;

    (void)cs_pdf_flow_place(work->body, heading_at(work, i)->mark, &place);
    return place.page;
}

/* Each page is headed by the first section that begins on it or, where none
 * does, by the one that goes on. */
static enum cs_code run_body(const struct work *work, size_t pages, struct cs_err *err)
{
    size_t next = 0, count = work->book->headings.count;
    struct cs_view running = {NULL, 0};
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < cs_pdf_flow_pages(work->body) && rc == CS_OK; i++) {
        struct cs_view section;
        bool begins = false;

        section = running;
        for (; next < count && body_page(work, next) <= i; next++) {
            if (heading_at(work, next)->level != 2)
                continue;
            running = title_of(work, heading_at(work, next));
            section = begins ? section : running;
            begins = true;
        }
        rc = run_page(work, cs_pdf_flow_page(work->body, i),
                      COVER_PAGES + work->contents_pages + i + 1, pages, section, err);
    }
    return rc;
}

enum cs_code cs_pdf_contents(struct cs_pdf_book *book, struct cs_pdf_doc *doc,
                             const struct cs_document *document,
                             const struct cs_pdf_frame *frame, size_t *pages_out,
                             struct cs_err *err)
{
    struct work work = {.book = book,
                        .doc = doc,
                        .document = document,
                        .frame = frame,
                        .body = book->flow};
    struct cs_view name = cs_view_cstr(cs_label(book->language, CS_LABEL_CONTENTS));
    size_t body = cs_pdf_flow_pages(work.body), first_contents = COVER_PAGES + body;
    enum cs_code rc = CS_OK;

    work.deepest = deepest_level(&work);
    if (body > 0)
        rc = make_contents(&work, cs_pdf_flow_page(work.body, 0), err);
    *pages_out = COVER_PAGES + work.contents_pages + body;
    if (rc == CS_OK)
        rc = make_outline(&work, err);
    for (size_t i = 0; i < work.contents_pages && rc == CS_OK; i++)
        rc = run_page(&work, first_contents + i, COVER_PAGES + i + 1, *pages_out, name,
                      err);
    if (rc == CS_OK)
        rc = run_body(&work, *pages_out, err);
    return rc;
}
