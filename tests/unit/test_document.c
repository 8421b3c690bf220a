#include "config.h"

#include <math.h>

#include "render_helpers.h"

#include "render/chart_axis.h"
#include "render/chart_dates.h"
#include "render/charts.h"
#include "render/labels.h"
#include "render/language.h"
#include "render/markdown.h"
#include "render/text.h"
#include "json/tree.h"

/* ---- everything of the examples is there ---------------------------------------------
 */

struct check {
    struct cs_view page; /* visible text */
    size_t found;
    const char *where;
};

/* Texts with their white space as the page has it. */
static void look_for_text(struct check *check, const char *text)
{
    struct cs_buf line = CS_BUF_INIT(UNIT_MAX);

    cs_text_line(&line, cs_view_cstr(text));
    if (line.len > 0) {
        if (cs_view_find(check->page, cs_buf_view(&line)) == SIZE_MAX)
            fail_msg("%s: the page lacks: %s", check->where, cs_buf_cstr(&line));
        check->found++;
    }
    cs_buf_clear(&line);
}

/* Every run of text of a Markdown tree, as the library itself reads it. */
static void look_for_markdown(struct check *check, struct cs_view markdown)
{
    cmark_node *root =
        cmark_parse_document(markdown.ptr, markdown.len, CMARK_OPT_DEFAULT);
    cmark_iter *iter = cmark_iter_new(root);
    cmark_event_type event;

    while ((event = cmark_iter_next(iter)) != CMARK_EVENT_DONE) {
        cmark_node *node = cmark_iter_get_node(iter);
        cmark_node_type type = cmark_node_get_type(node);

        if (event == CMARK_EVENT_ENTER &&
            (type == CMARK_NODE_TEXT || type == CMARK_NODE_CODE) &&
            strpbrk(cmark_node_get_literal(node), "|~[]\\") == NULL)
            look_for_text(check, cmark_node_get_literal(node));
    }
    cmark_iter_free(iter);
    cmark_node_free(root);
}

static void look_for_value(struct check *check, const struct cs_json *value)
{
    struct cs_json_iter iter = {0};
    struct cs_buf text = CS_BUF_INIT(UNIT_MAX);

    switch (cs_json_type(value)) {
    case CS_JSON_STRING:
        cs_text_markdown(&text, cs_json_string(value));
        look_for_markdown(check, cs_buf_view(&text));
        break;
    case CS_JSON_NUMBER:
        cs_buf_add(&text, cs_json_number_text(value));
        look_for_text(check, cs_buf_cstr(&text));
        break;
    case CS_JSON_ARRAY:
        for (size_t i = 0; i < cs_json_length(value); i++)
            look_for_value(check, cs_json_at(value, i));
        break;
    case CS_JSON_OBJECT:
        while (cs_json_next(&iter, value))
            look_for_value(check, iter.value);
        break;
    case CS_JSON_NULL:
    case CS_JSON_BOOL:
        break;
    }
    cs_buf_clear(&text);
}

/* The cells of a table's row, split as GitHub does (no escaped bars in the data). */
static void look_for_row(struct check *check, struct cs_view row)
{
    struct cs_view cell;

    while (cs_view_split(&row, '|', &cell)) {
        cell = cs_view_trim(cell);
        while (cell.len > 0 && strchr("*~`_<>", cell.ptr[0]) != NULL)
            cell = cs_view_from(cell, 1);
        while (cell.len > 0 && strchr("*~`_<>", cell.ptr[cell.len - 1]) != NULL)
            cell.len--;
        if (cell.len > 0 && cs_view_find_byte(cell, '*') == SIZE_MAX &&
            cs_view_find_byte(cell, '`') == SIZE_MAX && cell.ptr[0] != ':' &&
            cell.ptr[0] != '-') {
            char *copy = cs_view_dup(cell);

            look_for_text(check, copy);
            free(copy);
        }
    }
}

static void look_for_rows(struct check *check, const struct cs_json *artifact)
{
    struct cs_view text = cs_json_string(artifact), line;

    while (cs_view_split(&text, '\n', &line))
        if (cs_view_starts(line, CS_LIT("|")))
            look_for_row(check, line);
}

static void check_example(const char *folder, size_t at_least)
{
    struct cs_buf brief, state, page = CS_BUF_INIT(UNIT_MAX),
                                text = CS_BUF_INIT(UNIT_MAX);
    struct cs_document *document;
    struct cs_json *root, *brief_root;
    struct cs_json_iter iter = {0};
    struct check check;

    unit_read_example(&brief, folder, "brief.json");
    unit_read_example(&state, folder, "final_state.json");
    document = unit_document(cs_buf_cstr(&brief), cs_buf_view(&state));
    unit_website(&page, document);
    unit_visible_text(&text, cs_buf_view(&page));
    check = (struct check){.page = cs_buf_view(&text), .where = folder};
    assert_ok(cs_json_parse(&root, cs_buf_view(&state), NULL, err));
    assert_ok(cs_json_parse(&brief_root, cs_buf_view(&brief), NULL, err));
    look_for_value(&check, root);
    look_for_value(&check, brief_root);
    while (cs_json_next(&iter, cs_json_get(root, "artifacts")))
        look_for_rows(&check, iter.value);
    assert_in_range(check.found, at_least, SIZE_MAX);
    cs_json_free(root);
    cs_json_free(brief_root);
    cs_document_free(document);
    cs_buf_clear(&brief);
    cs_buf_clear(&state);
    cs_buf_clear(&page);
    cs_buf_clear(&text);
}

static void test_maple_transit_is_whole(void **state)
{
    (void)state;
    check_example("maple-transit", 1500);
}

static void test_brasserie_is_whole(void **state)
{
    (void)state;
    check_example("brasserie-du-fleuve", 600);
}

static void test_solar_coop_is_whole(void **state)
{
    (void)state;
    check_example("solar-coop", 60);
}

/* ---- promises of the content
 * ------------------------------------------------------------ */

static void check_promises(const struct cs_document *document)
{
    for (size_t i = 0; i < document->section_count; i++) {
        cmark_iter *iter = cmark_iter_new(document->sections[i].content);
        cmark_event_type event;
        int last = 2;

        while ((event = cmark_iter_next(iter)) != CMARK_EVENT_DONE) {
            cmark_node *node = cmark_iter_get_node(iter);
            cmark_node_type type = cmark_node_get_type(node);
            struct cs_view url;

            assert_int_not_equal(type, CMARK_NODE_HTML_BLOCK);
            assert_int_not_equal(type, CMARK_NODE_HTML_INLINE);
            if (event != CMARK_EVENT_ENTER)
                continue;
            if (type == CMARK_NODE_HEADING) {
                int level = cmark_node_get_heading_level(node);

                assert_true(level >= 3 && level <= 6 && level <= last + 1);
                last = level;
            }
            url = cs_view_cstr(cmark_node_get_url(node));
            if (type == CMARK_NODE_LINK)
                assert_true(cs_text_link_allowed(url));
            if (type == CMARK_NODE_IMAGE)
                assert_true(url.len == 0 || cs_text_is_web_url(url));
        }
        cmark_iter_free(iter);
    }
}

static void test_promises_hold(void **state)
{
    struct cs_document *document = unit_document(
        "{}",
        CS_LIT(
            "{\"artifacts\":{\"a\":\"###### deep\\n\\n# top\\n\\n#### skip\\n\\n"
            "<div onclick='x()'>block</div>\\n\\ninline <b>bold</b> <script>x()</script> "
            "<a href='javascript:x()'>l</a> <a href='https://a.example'>m</a>\\n\\n"
            "[j](javascript:alert(1)) [d](data:text/html,x) [r](/etc/passwd) "
            "![i](javascript:1) ![k](https://e.example/k.png) <br> end\"}}"));

    (void)state;
    check_promises(document);
    cs_document_free(document);
}

/* ---- shapes
 * --------------------------------------------------------------------------------- */

static void test_any_shape_is_shown(void **state)
{
    static const char *const states[] = {
        "null",
        "[]",
        "{}",
        "\"only a text w0rd\"",
        "[1,[2,[3,\"w0rd\"]]]",
        "{\"artifacts\":[]}",
        "{\"artifacts\":\"w0rd\"}",
        "{\"artifacts\":{\"\":\"w0rd\"}}",
        "{\"artifacts\":{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":[[[\"w0rd\"]]]}}}}}}}",
        "{\"x\":[{\"a\":1,\"b\":\"w0rd\"},{\"a\":2},{\"b\":null}]}",
        "{\"x\":[{\"a\":\"w0rd\"},3,null,true,[],{}]}",
        "{\"messages\":\"w0rd\"}",
        "{\"feedback\":{\"a w0rd\":{}}}",
        "{\"campaign_brief\":{\"client\":\"w0rd\"}}",
        "{\"a\":{\"strategy\":\"# H\\n\\n- x\\n- w0rd\"}}",
        "{\"a\":\"two lines\\nw0rd\"}",
        "{\"a\":{\"b\":\"two lines  \\nw0rd\"}}",
        "{\"x\":[{\"a\":\"two lines\\nw0rd\",\"b\":1},{\"a\":\"c\\\\\\nd\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(states); i++) {
        struct cs_document *document = unit_document("{}", cs_view_cstr(states[i]));
        struct cs_buf page = CS_BUF_INIT(UNIT_MAX);

        check_promises(document);
        unit_website(&page, document);
        if (strstr(states[i], "w0rd") != NULL && !unit_has(&page, "w0rd"))
            fail_msg("lost: %s", states[i]);
        cs_buf_clear(&page);
        cs_document_free(document);
    }
}

static void test_known_artifacts_come_in_order(void **state)
{
    struct cs_document *document = unit_document(
        "{\"client\":\"C\"}", CS_LIT("{\"artifacts\":{\"zeta\":\"z\",\"copy\":\"c\","
                                     "\"Copy!\":\"c\",\"strategy\":\"s\"}}"));
    static const char *const slugs[] = {"strategy", "copy", "zeta", "copy-4", "brief"};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(slugs); i++)
        assert_string_equal(document->sections[i].slug, slugs[i]);
    assert_string_equal(document->sections[2].title, "Zeta");
    assert_string_equal(document->sections[3].title, "Copy!");
    cs_document_free(document);
}

static void test_markdown_of_models_is_unwrapped(void **state)
{
    static const struct {
        const char *text, *clean;
    } cases[] = {
        {"```markdown\n# A\n```", "\n# A\n\n"},
        {"Sure!\n```md\n# A\n```js\nx\n```\nb\n```\nBye",
         "Sure!\n\n# A\n```js\nx\n```\nb\n\nBye"},
        {"```markdown\n# A\n```\nx\n```\nb\n```\n", "\n# A\n```\nx\n```\nb\n\n"},
        {"```markdown\nnever closed", "\nnever closed"},
        {"a\r\nb\rc", "a\nb\nc"},
        {"<!DOCTYPE html><p>`x`</p>", "```html\n<!DOCTYPE html><p>`x`</p>\n```\n"},
        {"x\n{\n \"a\": 1\n}\ny", "x\n```json\n{\n \"a\": 1\n}\n```\ny"},
        {"```js\n{\n}\n```\n", "```js\n{\n}\n```\n"},
        {"a\xe2\x80\xae\x07z", "a\xef\xbf\xbdz"},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_buf out = CS_BUF_INIT(UNIT_MAX);

        cs_text_markdown(&out, cs_view_cstr(cases[i].text));
        assert_string_equal(cs_buf_cstr(&out), cases[i].clean);
        cs_buf_clear(&out);
    }
}

/* ---- facts, colours, figures
 * ---------------------------------------------------------------- */

static void test_facts_of_an_example(void **state)
{
    struct cs_buf brief, text;
    struct cs_document *document;
    const struct cs_section *media = NULL;

    (void)state;
    unit_read_example(&brief, "maple-transit", "brief.json");
    unit_read_example(&text, "maple-transit", "final_state.json");
    document = unit_document(cs_buf_cstr(&brief), cs_buf_view(&text));
    assert_string_equal(document->language, "en");
    assert_string_equal(document->tagline, "One line home.");
    assert_string_equal(document->cta_label, "Start my free week");
    assert_int_equal(document->palette.count, 3);
    assert_int_equal(document->palette.swatches[0].colour.red, 0xc8);
    assert_view(document->palette.swatches[1].name, "lake blue");
    for (size_t i = 0; i < document->section_count; i++)
        if (document->sections[i].kind == CS_SECTION_MEDIA)
            media = &document->sections[i];
    assert_non_null(media);
    assert_int_equal(media->chart_count, 2);
    assert_int_equal(media->charts[0].kind, CS_CHART_SHARES);
    assert_int_equal(media->charts[0].count, 9);
    assert_string_equal(media->charts[0].rows[0].text, "$11,640 · 24 %");
    assert_int_equal(media->charts[1].kind, CS_CHART_SCHEDULE);
    assert_int_equal(media->charts[1].count, 8);
    cs_document_free(document);
    cs_buf_clear(&brief);
    cs_buf_clear(&text);
}

static void check_scheme(const struct cs_scheme *scheme)
{
    const struct cs_colour grounds[] = {scheme->paper, scheme->surface};

    for (size_t i = 0; i < CS_COUNT(grounds); i++) {
        assert_true(cs_colour_contrast(scheme->ink, grounds[i]) >= 4.5);
        assert_true(cs_colour_contrast(scheme->muted, grounds[i]) >= 4.5);
        assert_true(cs_colour_contrast(scheme->accent, grounds[i]) >= 4.5);
    }
    assert_true(cs_colour_contrast(scheme->fill, scheme->fill_ink) >= 4.5);
    assert_true(cs_colour_contrast(scheme->second, scheme->second_ink) >= 4.5);
}

static void test_palettes_are_readable(void **state)
{
    static const char *const texts[] = {
        "",
        "professional",
        "warm earth tones",
        "#fff",
        "#000000 and #ffffff",
        "#ff0",
        "yellow",
        "pastel pink, mint",
        "bleu marée (#1D4E68), blé (#E9B949)",
        "rgb(200, 16, 46)",
        "dark",
        "#808080",
        "#777, #888, #999",
        "#0000ff #00ff00 #ff0000 #00ffff",
        "grey",
        "noir et blanc",
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(texts); i++) {
        struct cs_palette palette;

        cs_palette_parse(&palette, cs_view_cstr(texts[i]));
        check_scheme(&palette.light);
        check_scheme(&palette.dark);
    }
    for (unsigned rgb = 0; rgb < 0x1000; rgb++) {
        struct cs_palette palette;
        char text[32];

        snprintf(text, sizeof(text), "#%03x", rgb);
        cs_palette_parse(&palette, cs_view_cstr(text));
        assert_int_equal(palette.count, 1);
        check_scheme(&palette.light);
        check_scheme(&palette.dark);
    }
}

static void test_numbers_and_days(void **state)
{
    static const struct {
        const char *text;
        double value;
        bool percent;
    } cases[] = {
        {"$11,640", 11640, false},
        {"24 750,00 $", 24750, false},
        {"6 187,50 $", 6187.5, false},
        {"9.1 %", 9.1, true},
        {"24\u202f%", 24, true},
        {"0.0505", 0.0505, false},
        {"1.250,50 €", 1250.5, false},
        {"12%", 12, true},
        {"CHF 1'200.–", 1200, false},
        {"$11.6k", 11600, false},
        {"1,5 млн ₽", 1500000, false},
        {"30万円", 300000, false},
        {"120억 원", 12e9, false},
        {"5 km", 5, false},
        {"2M€", 2000000, false},
        {"3 Men", 3, false},
    };
    double value;
    bool percent;

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        assert_true(cs_charts_number(&value, &percent, cs_view_cstr(cases[i].text)));
        if (value < cases[i].value - 1e-9 || value > cases[i].value + 1e-9)
            fail_msg("%s is read as %f", cases[i].text, value);
        assert_int_equal(percent, cases[i].percent);
    }
    assert_false(cs_charts_number(&value, &percent, CS_LIT("—")));
}

/* Days of a year that is not said count from its own first day here. */
static void test_spans(void **state)
{
    static const struct {
        const char *text;
        enum cs_span_unit unit;
        enum cs_span_kind kind;
        int64_t first, last;
    } cases[] = {
        {"1970-01-02", 0, CS_SPAN_DATED, 1, 1},
        {"2025-01-06T10:00:00Z", 0, CS_SPAN_DATED, 20094, 20094},
        {"2025-01-06 – 2025-02-16", 0, CS_SPAN_DATED, 20094, 20135},
        {"2025-01-06/2025-01-01", 0, CS_SPAN_DATED, 20094, 20094},
        {"3 Feb 2025", 0, CS_SPAN_DATED, 20122, 20122},
        {"3 febbraio – 16 marzo", 0, CS_SPAN_YEARLESS, 33, 74},
        {"20 Dec – 10 Jan 2026", 0, CS_SPAN_DATED, 20442, 20463},
        {"Q1", 0, CS_SPAN_RELATIVE, 0, 90},
        {"Week 1–2", 0, CS_SPAN_RELATIVE, 0, 13},
        {"W9–12", 0, CS_SPAN_RELATIVE, 56, 83},
        {"Semaines 4 à 6", 0, CS_SPAN_RELATIVE, 21, 41},
        {"Day 1-7", 0, CS_SPAN_RELATIVE, 0, 6},
        {"Month 2", 0, CS_SPAN_RELATIVE, 30, 59},
        {"4–8", CS_UNIT_WEEK, CS_SPAN_RELATIVE, 21, 55},
        {"2 weeks", 0, CS_SPAN_LENGTH, 0, 13},
        {"March 3", 0, CS_SPAN_YEARLESS, 61, 61},
        {"1er sept.", 0, CS_SPAN_YEARLESS, 243, 243},
        {"3 Feb – 16 Mar", 0, CS_SPAN_YEARLESS, 33, 74},
        {"March 3–16", 0, CS_SPAN_YEARLESS, 61, 74},
        {"März", 0, CS_SPAN_YEARLESS, 59, 89},
        {"Dec 20 to Jan 10", 0, CS_SPAN_YEARLESS, 353, 374},
        {"", 0, CS_SPAN_NONE, 0, 0},
        {"weekly", 0, CS_SPAN_NONE, 0, 0},
        {"Sat.", 0, CS_SPAN_NONE, 0, 0},
        {"4–8", 0, CS_SPAN_NONE, 0, 0},
        {"8–4", CS_UNIT_WEEK, CS_SPAN_NONE, 0, 0},
        {"Week 0", 0, CS_SPAN_NONE, 0, 0},
        {"2025-13-06", 0, CS_SPAN_NONE, 0, 0},
        {"99999999999999999999 weeks", 0, CS_SPAN_NONE, 0, 0},
        {"36 March", 0, CS_SPAN_NONE, 0, 0},
        {"Jan Feb Mar", 0, CS_SPAN_NONE, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_span span = cs_span_of(cs_view_cstr(cases[i].text), cases[i].unit);
        int64_t zero = 0;

        if (cases[i].kind == CS_SPAN_YEARLESS)
            assert_true(cs_span_day(&zero, CS_LIT("2001-01-01")));
        if (span.kind != cases[i].kind ||
            (span.kind != CS_SPAN_NONE &&
             (span.first - zero != cases[i].first || span.last - zero != cases[i].last)))
            fail_msg("%s is read as %d, %lld to %lld", cases[i].text, (int)span.kind,
                     (long long)(span.first - zero), (long long)(span.last - zero));
    }
}

static const struct cs_chart *chart_of(const struct cs_document *document,
                                       enum cs_chart_kind kind)
{
    for (size_t i = 0; i < document->section_count; i++)
        for (size_t k = 0; k < document->sections[i].chart_count; k++)
            if (document->sections[i].charts[k].kind == kind)
                return &document->sections[i].charts[k];
    return NULL;
}

static struct cs_document *document_of(const char *state_text)
{
    const struct cs_render_input input = {.campaign_id = CS_LIT("c"),
                                          .brief = CS_LIT("{}"),
                                          .state = cs_view_cstr(state_text),
                                          .interactions = CS_LIT("[]"),
                                          .progress = CS_LIT("{}")};
    struct cs_document *document;

    assert_ok(cs_document_new(&document, &input, err));
    return document;
}

static void test_figures(void **state)
{
    static const char *const states[] = {
        "{\"artifacts\":{\"strategy\":\"| # | Objective | Baseline | Target (12 weeks) "
        "|\\n"
        "|--|--|--|--|\\n| 1 | Reach | 27 % | **50 %** |\\n| 2 | Sales | n/a | 1.2M |\\n"
        "| 3 | Mixed | 3 | 50 % |\\n| 4 | No number | 1 | more |\\n\"}}",
        "{\"artifacts\":{\"media_plan\":{\"kpis\":[{\"metric\":\"Reach\",\"baseline\":"
        "\"27 %\",\"target\":\"50 %\"},{\"name\":\"Sales\",\"current\":\"–\",\"target\":"
        "\"1.2M\"},3,null]}}}",
        "{\"artifacts\":{\"review\":{\"kpis\":{\"Reach\":{\"baseline\":\"27 "
        "%\",\"target\":"
        "\"50 %\"},\"Sales\":{\"baseline\":\"?\",\"target\":\"1.2M\"}}}}}",
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(states); i++) {
        struct cs_document *document = document_of(states[i]);
        const struct cs_chart *chart = chart_of(document, CS_CHART_KPIS);

        assert_non_null(chart);
        assert_int_equal(chart->count, 2);
        assert_string_equal(chart->rows[0].label, "Reach");
        assert_string_equal(chart->rows[0].text, "27 % → 50 %");
        assert_true(chart->rows[0].before > 26.9 && chart->rows[0].value > 49.9);
        assert_string_equal(chart->rows[1].text, "1.2M");
        assert_true(chart->rows[1].before < 0 && chart->rows[1].value > 1.19e6);
        cs_document_free(document);
    }
}

static void test_schedules(void **state)
{
    static const struct {
        const char *state;
        size_t count;
        int64_t days[3]; /* first days of the rows, from the first row's */
        bool undated;
    } cases[] = {
        {"{\"artifacts\":{\"strategy\":\"| Phase | Weeks |\\n|--|--|\\n| Notice | 1–3 "
         "|\\n"
         "| Try | 4–8 |\\n| Later | ongoing |\\n| Keep | 9–12 |\\n\"}}",
         3,
         {0, 21, 56},
         true},
        {"{\"artifacts\":{\"media_plan\":\"| Channel | Start | End |\\n|--|--|--|\\n"
         "| A | Nov 1 | Dec 15 |\\n| B | Dec 1 | Jan 15 |\\n| C | Jan 5 | Feb 1 |\\n\"}}",
         3,
         {0, 30, 65},
         true},
        {"{\"artifacts\":{\"media_plan\":{\"channels\":[{\"name\":\"A\",\"timing\":"
         "\"2 weeks\"},{\"name\":\"B\",\"timing\":\"10 days\"},{\"name\":\"C\","
         "\"timing\":\"1 month\"}]}}}",
         3,
         {0, 14, 24},
         true},
        {"{\"artifacts\":{\"media_plan\":\"| Channel | Dates |\\n|--|--|\\n"
         "| A | 2025-01-06 |\\n| B | 3 Feb 2025 |\\n| C | weekly |\\n\"}}",
         2,
         {0, 28},
         false},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_document *document = document_of(cases[i].state);
        const struct cs_chart *chart = chart_of(document, CS_CHART_SCHEDULE);

        assert_non_null(chart);
        assert_int_equal(chart->count, cases[i].count);
        assert_int_equal(chart->undated, cases[i].undated);
        for (size_t k = 0; k < chart->count; k++)
            assert_int_equal(chart->rows[k].start_day - chart->rows[0].start_day,
                             cases[i].days[k]);
        cs_document_free(document);
    }
}

static void test_labels(void **state)
{
    static const char *const languages[] = {
        "en", "fr-CA", "de", "es", "ar", "he", "it",      "pt",    "nl",
        "pl", "ru",    "vi", "ja", "ko", "zh", "zh-Hant", "zh-TW", "PT-br"};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(languages); i++) {
        const char *page = cs_label(languages[i], CS_LABEL_PAGE_N_OF_M);
        struct cs_view months = cs_view_cstr(cs_label(languages[i], CS_LABEL_MONTHS));
        struct cs_view month;
        unsigned count = 0;

        for (unsigned label = 0; label < CS_LABEL_COUNT; label++) {
            assert_non_null(cs_label(languages[i], (enum cs_label)label));
            assert_true(cs_label(languages[i], (enum cs_label)label)[0] != '\0');
        }
        while (cs_view_split(&months, ' ', &month))
            count += month.len > 0;
        assert_int_equal(count, 12);
        assert_non_null(strstr(cs_label(languages[i], CS_LABEL_MONTH_AND_YEAR), "{m}"));
        assert_non_null(strstr(cs_label(languages[i], CS_LABEL_MONTH_AND_YEAR), "{y}"));
        assert_true(i == 0 || strcmp(cs_label(languages[i], CS_LABEL_CONTENTS),
                                     cs_label("en", CS_LABEL_CONTENTS)) != 0);
        assert_non_null(strstr(page, "{n}"));
        assert_non_null(strstr(page, "{m}"));
    }
    assert_string_equal(cs_label("he-IL", CS_LABEL_BUDGET), "תקציב");
    assert_string_equal(cs_label("zh-HK", CS_LABEL_BUDGET), "預算");
    assert_string_equal(cs_label("zh-CN", CS_LABEL_BUDGET), "预算");
    assert_string_equal(cs_label("heb", CS_LABEL_BUDGET), "Budget");
    assert_string_equal(cs_label(NULL, CS_LABEL_BUDGET), "Budget");
}

/* A schedule's axis: where its marks stand and what they say. */
static void test_axis(void **state)
{
    static const struct {
        const char *first, *last, *language;
        size_t most;
        const char *texts; /* "|" between them */
        double at;         /* of the first mark */
    } cases[] = {
        {"2025-01-01", "2025-04-30", "en", 8, "Jan 2025|Feb|Mar|Apr", 0},
        {"2024-11-16", "2025-02-28", "fr", 8, "déc. 2024|janv. 2025|févr.", 15 / 105.0},
        {"2024-11-06", "2025-01-31", "es", 8, "nov 2024|dic|ene 2025", 0},
        {"2025-01-01", "2025-12-31", "ja", 6, "2025年1月|3月|5月|7月|9月|11月", 0},
        {"2023-06-01", "2027-05-31", "en", 6, "2024|2025|2026|2027", 214 / 1461.0},
        {"2025-01-06", "2025-01-26", "de", 6, "2025-01-06|2025-01-13|2025-01-20", 0},
        {"2025-01-06", "2025-01-06", "en", 6, "2025-01-06", 0},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_chart_row rows[2] = {{.value = 0}};
        struct cs_chart chart = {.kind = CS_CHART_SCHEDULE, .rows = rows, .count = 2};
        struct cs_chart_tick ticks[CS_CHART_TICKS];
        struct cs_buf texts = CS_BUF_INIT(4096);
        size_t count;

        assert_true(cs_span_day(&rows[0].start_day, cs_view_cstr(cases[i].first)));
        assert_true(cs_span_day(&rows[1].end_day, cs_view_cstr(cases[i].last)));
        rows[0].end_day = rows[1].start_day = rows[0].start_day;
        count = cs_chart_ticks(ticks, cases[i].most, &chart, cases[i].language);
        for (size_t k = 0; k < count; k++)
            cs_buf_add_fmt(&texts, k > 0 ? "|%s" : "%s", ticks[k].text);
        assert_string_equal(cs_buf_cstr(&texts), cases[i].texts);
        assert_true(fabs(ticks[0].at - cases[i].at) < 0.001);
        chart.undated = true;
        assert_int_equal(cs_chart_ticks(ticks, cases[i].most, &chart, cases[i].language),
                         0);
        cs_buf_clear(&texts);
    }
}

static void test_languages(void **state)
{
    static const struct {
        const char *text, *code;
        bool rtl;
    } cases[] = {
        {"", "en", false},
        {"The ferry is the best part of the day", "en", false},
        {"Le fleuve est dans la ville et vous êtes au quai pour les bières", "fr", false},
        {"Der Zug ist nicht das Problem und wir sind auf dem Weg", "de", false},
        {"حملة تسويقية جديدة", "ar", true},
        {"קמפיין חדש", "he", true},
        {"新しいキャンペーン", "ja", false},
        {"Новая кампания", "ru", false},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_language language = cs_language_guess(cs_view_cstr(cases[i].text));

        assert_string_equal(language.code, cases[i].code);
        assert_int_equal(language.rtl, cases[i].rtl);
    }
    assert_true(cs_language_is_tag(CS_LIT("fr-CA")));
    assert_false(cs_language_is_tag(CS_LIT("fr\" onload")));
    assert_false(cs_language_is_tag(CS_LIT("french!")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maple_transit_is_whole),
        cmocka_unit_test(test_brasserie_is_whole),
        cmocka_unit_test(test_solar_coop_is_whole),
        cmocka_unit_test(test_promises_hold),
        cmocka_unit_test(test_any_shape_is_shown),
        cmocka_unit_test(test_known_artifacts_come_in_order),
        cmocka_unit_test(test_markdown_of_models_is_unwrapped),
        cmocka_unit_test(test_facts_of_an_example),
        cmocka_unit_test(test_palettes_are_readable),
        cmocka_unit_test(test_numbers_and_days),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_axis),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_languages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
