#include "config.h"

#include "render/report.h"

#include <stdlib.h>

#include "base/clock.h"
#include "render/labels.h"
#include "render/pdf_blocks.h"
#include "render/pdf_chart.h"
#include "render/pdf_contents.h"
#include "render/pdf_cover.h"
#include "render/pdf_ops.h"

#define TITLES_MAX     (64u << 20)
#define APPENDIX_SCALE 0.86

static const struct cs_pdf_frame a4 = {595.28, 841.89, 64, 64, 82, 66};
static const struct cs_pdf_frame letter = {612, 792, 68, 68, 80, 64};

struct report {
    struct cs_document *document;
    bool spend;
    const struct cs_pdf_frame *frame;
    struct cs_pdf_fonts *fonts;
    struct cs_pdf_doc *doc;
    struct cs_pdf_book book;
    size_t *marks; /* of the sections' headings */
};

static enum cs_code set_up(struct report *report, const struct cs_report_options *options,
                           struct cs_err *err)
{
    const struct cs_document *document = report->document;
    struct cs_pdf_book *book = &report->book;
    enum cs_code rc;

    report->frame = options->letter ? &letter : &a4;
    report->fonts = cs_pdf_fonts_new(options->fonts, document->language);
    if (report->fonts == NULL)
        return cs_err_nomem(err);
    rc = cs_pdf_doc_new(&report->doc, report->frame->width, report->frame->height, err);
    if (rc != CS_OK)
        return rc;
    book->flow = cs_pdf_flow_new(report->doc, report->frame, false);
    book->text = cs_pdf_text_new(report->fonts);
    book->side = cs_pdf_text_new(report->fonts);
    report->marks = calloc(document->section_count + 1, sizeof(*report->marks));
    if (book->flow == NULL || book->text == NULL || book->side == NULL ||
        report->marks == NULL)
        return cs_err_nomem(err);
    book->scheme = &document->palette.light;
    book->language = document->language;
    book->rtl = document->rtl;
    book->scale = 1;
    book->cap_height = cs_pdf_fonts_cap_height(report->fonts) / 1000.0;
    return CS_OK;
}

/* leave: all but what is of no weight, as freeing a big report's parts takes its time */
static void clear(struct report *report, bool leave)
{
    free(report->marks);
    if (leave)
        return;
    cs_pdf_flow_free(report->book.flow);
    cs_pdf_text_free(report->book.text);
    cs_pdf_text_free(report->book.side);
    free(report->book.headings.items);
    cs_buf_clear(&report->book.titles);
    cs_pdf_doc_free(report->doc);
    cs_pdf_fonts_free(report->fonts);
}

/* The first failure of the parts that keep their own. */
static enum cs_code check_book(const struct cs_pdf_book *book, struct cs_err *err)
{
    enum cs_code rc;

    if (book->failed == CS_ENOMEM)
        return cs_err_nomem(err);
    if (book->failed != CS_OK)
        return cs_err_set(err, book->failed, "the report's headings are too long");
    if ((rc = cs_pdf_text_check(book->text, err)) != CS_OK)
        return rc;
    return cs_pdf_text_check(book->side, err);
}

static enum cs_code make_cover(struct report *report, struct cs_err *err)
{
    struct cs_buf content = CS_BUF_INIT(1u << 22);
    enum cs_code rc;
    size_t page;

    cs_pdf_cover(&report->book, report->document, report->frame, &content);
    if ((rc = cs_buf_check(&content, err)) == CS_OK)
        rc = cs_pdf_doc_page(report->doc, cs_buf_view(&content), &page, err);
    cs_buf_clear(&content);
    return rc;
}

/* Number of the section and the name that the data has for it, small, above
 * its title. */
static void section_kicker(struct report *report, const struct cs_section *section,
                           size_t number)
{
    struct cs_pdf_book *book = &report->book;
    const struct cs_pdf_setting setting = {.leading = 14, .keep = true, .whole = true};
    struct cs_pdf_style style = cs_pdf_book_style(
        book, 9, CS_PDF_BOLD,
        cs_colour_readable(book->scheme->second, book->scheme->paper, 4.5));
    struct cs_buf text = CS_BUF_INIT(64);

    cs_buf_add_fmt(&text, section->folded ? "A%zu" : "%02zu", number);
    cs_pdf_text_add(book->text, cs_buf_view(&text), &style, NULL);
    if (section->name[0] != '\0') {
        style = cs_pdf_book_style(book, 8, CS_PDF_MONO, book->scheme->muted);
        cs_pdf_text_add(book->text, CS_LIT("  "), &style, NULL);
        cs_pdf_text_add(book->text, cs_view_cstr(section->name), &style, NULL);
    }
    cs_pdf_book_paragraph(book, (struct cs_pdf_area){0, cs_pdf_flow_width(book->flow)},
                          &setting, NULL, NULL);
    if (text.failed != CS_OK)
        book->failed = text.failed;
    cs_buf_clear(&text);
}

static void section_title(struct report *report, size_t index, size_t number)
{
    const struct cs_section *section = &report->document->sections[index];
    struct cs_pdf_book *book = &report->book;
    double width = cs_pdf_flow_width(book->flow);
    struct cs_pdf_setting setting = {
        .leading = 31, .balance = true, .keep = true, .whole = true, .has_mark = true};
    const struct cs_pdf_style style =
        cs_pdf_book_style(book, 24, CS_PDF_BOLD, book->scheme->ink);
    struct cs_buf *out;

    section_kicker(report, section, number);
    setting.mark = report->marks[index] =
        cs_pdf_book_heading(book, 2, cs_view_cstr(section->title));
    cs_pdf_text_add(book->text, cs_view_cstr(section->title), &style, NULL);
    cs_pdf_book_paragraph(book, (struct cs_pdf_area){0, width}, &setting, NULL, NULL);
    out = cs_pdf_flow_begin(book->flow);
    cs_pdf_fill_colour(out, book->scheme->fill);
    cs_pdf_box(out, book->rtl ? width - 46 : 0, -9, 46, 3.4);
    cs_pdf_flow_end(book->flow, 12, CS_PDF_KEEP);
    cs_pdf_flow_space(book->flow, 12);
}

/* A section starts on a new page, unless the one before left most of it blank. */
static void section_start(struct report *report, bool first)
{
    struct cs_pdf_flow *flow = report->book.flow;

    if (first || cs_pdf_flow_left(flow) < cs_pdf_flow_height(flow) * 0.3)
        cs_pdf_flow_break(flow);
    cs_pdf_flow_space(flow, 44);
}

static void section_charts(struct report *report, const struct cs_section *section,
                           struct cs_pdf_area area)
{
    for (size_t i = 0; i < section->chart_count; i++)
        cs_pdf_chart(&report->book, &section->charts[i], area);
}

static void make_sections(struct report *report, bool folded)
{
    const struct cs_document *document = report->document;
    const struct cs_pdf_area area = {0, cs_pdf_flow_width(report->book.flow)};
    size_t number = 0;

    report->book.scale = folded ? APPENDIX_SCALE : 1;
    report->book.appendix = folded;
    for (size_t i = 0; i < document->section_count; i++) {
        const struct cs_section *section = &document->sections[i];

        if (section->folded != folded)
            continue;
        if (cs_pdf_book_failed(&report->book))
            return;
        section_start(report, number == 0);
        section_title(report, i, ++number);
        if (cs_section_charts_first(section))
            section_charts(report, section, area);
        if (section->content != NULL)
            cs_pdf_blocks(&report->book, section->content, cs_view_cstr(section->title),
                          area);
        if (!cs_section_charts_first(section))
            section_charts(report, section, area);
        if (report->spend)
            cs_document_drop_section(report->document, i);
    }
}

struct anchor {
    const char *slug;
    size_t mark;
};

static int by_slug(const void *a, const void *b)
{
    return strcmp(((const struct anchor *)a)->slug, ((const struct anchor *)b)->slug);
}

/* Links to "#slug": those of sections are made, others stay text. */
static enum cs_code link_sections(struct report *report, struct cs_err *err)
{
    const struct cs_document *document = report->document;
    const struct cs_pdf_flow *flow = report->book.flow;
    size_t count, anchors_count = document->section_count;
    const struct cs_pdf_inner_link *links = cs_pdf_flow_inner_links(flow, &count);
    struct anchor *anchors;
    enum cs_code rc = CS_OK;

    if (count == 0 || anchors_count == 0)
        return CS_OK;
    if ((anchors = calloc(anchors_count, sizeof(*anchors))) == NULL)
        return cs_err_nomem(err);
    for (size_t i = 0; i < anchors_count; i++)
        anchors[i] = (struct anchor){document->sections[i].slug, report->marks[i]};
    qsort(anchors, anchors_count, sizeof(*anchors), by_slug);
    for (size_t i = 0; i < count && rc == CS_OK; i++) {
        const struct anchor key = {cs_pdf_flow_address(flow, &links[i]) + 1, 0};
        const struct anchor *found =
            bsearch(&key, anchors, anchors_count, sizeof(*anchors), by_slug);
        struct cs_pdf_place place;

        if (found == NULL || !cs_pdf_flow_place(flow, found->mark, &place))
            continue;
        place.page = cs_pdf_flow_page(flow, place.page);
        rc = cs_pdf_doc_link_place(report->doc, cs_pdf_flow_page(flow, links[i].page),
                                   links[i].rect, place, err);
    }
    free(anchors);
    return rc;
}

static enum cs_code describe(struct report *report, struct cs_err *err)
{
    const struct cs_document *document = report->document;
    struct cs_pdf_doc_facts facts = {.title = cs_view_cstr(document->title),
                                     .author = cs_view_cstr(document->client),
                                     .subject = cs_view_cstr(document->summary),
                                     .keywords = cs_view_cstr(document->campaign_id),
                                     .language = document->language};
    struct cs_buf identity = CS_BUF_INIT(1u << 26);
    enum cs_code rc;

    facts.has_time = cs_time_parse(&facts.time_us, cs_view_cstr(document->completed_at),
                                   NULL) == CS_OK;
    cs_buf_add_cstr(&identity, document->campaign_id);
    cs_buf_add_byte(&identity, '\n');
    cs_buf_add_cstr(&identity, document->completed_at);
    cs_buf_add_byte(&identity, '\n');
    cs_buf_add_cstr(&identity, document->title);
    facts.identity = cs_buf_view(&identity);
    if ((rc = cs_buf_check(&identity, err)) == CS_OK)
        rc = cs_pdf_doc_describe(report->doc, &facts, err);
    cs_buf_clear(&identity);
    return rc;
}

enum cs_code cs_report_render(struct cs_buf *out, struct cs_document *document,
                              const struct cs_report_options *options,
                              struct cs_report_result *result, struct cs_err *err)
{
    struct report report = {.document = document, .spend = options->spend};
    size_t pages = 0;
    enum cs_code rc;

    *result = (struct cs_report_result){0};
    cs_buf_init(&report.book.titles, TITLES_MAX);
    if ((rc = set_up(&report, options, err)) != CS_OK ||
        (rc = make_cover(&report, err)) != CS_OK)
        goto out;
    make_sections(&report, false);
    make_sections(&report, true);
    report.book.scale = 1;
    if ((rc = check_book(&report.book, err)) != CS_OK ||
        (rc = cs_pdf_flow_finish(report.book.flow, err)) != CS_OK ||
        (rc = link_sections(&report, err)) != CS_OK ||
        (rc = cs_pdf_contents(&report.book, report.doc, document, report.frame, &pages,
                              err)) != CS_OK ||
        (rc = check_book(&report.book, err)) != CS_OK ||
        (rc = cs_pdf_doc_fonts(report.doc, report.fonts, err)) != CS_OK ||
        (rc = describe(&report, err)) != CS_OK ||
        (rc = cs_pdf_doc_save(report.doc, out, err)) != CS_OK)
        goto out;
    result->pages = (unsigned)pages;
    result->missing_glyphs =
        cs_pdf_text_missing(report.book.text) + cs_pdf_text_missing(report.book.side);
out:
    clear(&report, options->leave);
    return rc;
}

enum cs_code cs_report_check_fonts(const char *fonts, struct cs_err *err)
{
    struct cs_pdf_font_files *found;
    enum cs_code rc = cs_pdf_font_files_new(&found, fonts, err);

    cs_pdf_font_files_free(found);
    return rc;
}
