/* Text of the report: what Unicode asks for, lines, operators, pages. */
#include "config.h"

#include <math.h>

#include "unit.h"

#include "render/pdf_bidi.h"
#include "render/pdf_chars.h"
#include "render/pdf_flow.h"
#include "render/pdf_ops.h"
#include "render/pdf_text.h"

static void letters_compose(void **state)
{
    (void)state;
    assert_int_equal(cs_pdf_compose('e', 0x301), 0xe9);
    assert_int_equal(cs_pdf_compose(0xea, 0x303), 0x1ec5); /* Vietnamese */
    assert_int_equal(cs_pdf_compose(0x438, 0x306), 0x439); /* Cyrillic */
    assert_int_equal(cs_pdf_compose(0x1112, 0x1161), 0xd558);
    assert_int_equal(cs_pdf_compose(0xd558, 0x11ab), 0xd55c);
    assert_int_equal(cs_pdf_compose('x', 0x301), 0);
    assert_int_equal(cs_pdf_compose('e', 'f'), 0);
    assert_int_equal(cs_pdf_compose(0x10ffff, 0x301), 0);
}

static void pictures_are_clusters(void **state)
{
    static const struct {
        uint32_t text[8];
        size_t count, len;
    } cases[] = {
        {{'a', 0x301}, 2, 1},
        {{'1', 0xfe0f, 0x20e3, 'x'}, 4, 3},
        {{'1', '2'}, 2, 1},
        {{0x1f468, 0x200d, 0x1f469, 0x200d, 0x1f467, 'x'}, 6, 5},
        {{0x1f44d, 0x1f3fd}, 2, 2},
        {{0x1f1e8, 0x1f1e6, 0x1f1e8}, 3, 2},
        {{0x1f468, 0x200d}, 2, 1}, /* a joiner with nothing behind it */
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++)
        assert_int_equal(cs_pdf_cluster(cases[i].text, cases[i].count), cases[i].len);
}

static void lines_break_where_they_may(void **state)
{
    (void)state;
    assert_false(cs_pdf_break_between('a', 'b', 'c'));
    assert_true(cs_pdf_break_between('e', '-', 'm'));
    assert_false(cs_pdf_break_between(' ', '-', '5'));
    assert_true(cs_pdf_break_between('a', '/', 'b'));
    assert_false(cs_pdf_break_between(':', '/', '/'));
    assert_true(cs_pdf_break_between(0, 0x4f60, 0x597d));
    assert_false(cs_pdf_break_between(0, 0x754c, 0x3002)); /* no full stop at a start */
    assert_false(cs_pdf_break_between(0, 0x300c, 0x4f60)); /* no open quote at an end */
    assert_true(cs_pdf_breaking_blank(' '));
    assert_false(cs_pdf_breaking_blank(0xa0));
    assert_false(cs_pdf_breaking_blank(0x202f));
}

static void directions_are_found(void **state)
{
    const uint32_t mixed[] = {'a', ' ', 0x5d0, 0x5d1, '(', 'b'};
    const uint32_t lam_alef[] = {0x644, 0x627};
    uint8_t levels[6];
    uint32_t shapes[6];
    size_t order[6];
    bool rtl = false;

    (void)state;
    assert_false(cs_pdf_bidi_needed(mixed, 2));
    assert_true(cs_pdf_bidi_needed(mixed, 6));
    assert_ok(cs_pdf_bidi(mixed, 6, &rtl, levels, shapes, err));
    assert_false(rtl);
    assert_int_equal(levels[0], 0);
    assert_int_equal(levels[2], 1);
    cs_pdf_bidi_order(levels, 6, order);
    assert_int_equal(order[2], 3);
    assert_int_equal(order[3], 2);
    assert_ok(cs_pdf_bidi(lam_alef, 2, &rtl, levels, shapes, err));
    assert_true(rtl);
    assert_true(shapes[0] == CS_PDF_BIDI_TAKEN || shapes[1] == CS_PDF_BIDI_TAKEN);
}

static void numbers_are_short(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0 "},           {1, "1 "},      {-1, "-1 "},    {0.5, ".5 "},
        {-0.25, "-.25 "},    {0.004, "0 "},  {-0.004, "0 "}, {12.30, "12.3 "},
        {841.89, "841.89 "}, {0.05, ".05 "}, {1e9, "0 "},    {NAN, "0 "},
        {-INFINITY, "0 "},   {10, "10 "},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_buf out = CS_BUF_INIT(64);

        cs_pdf_number(&out, cases[i].value);
        assert_view(cs_buf_view(&out), cases[i].text);
        cs_buf_clear(&out);
    }
}

static void codes_are_escaped(void **state)
{
    char text[4 * CS_PDF_CODE_MAX + 1], *end = text;

    (void)state;
    end = cs_pdf_code(end, 0x2829); /* "()" */
    end = cs_pdf_code(end, 0x5c0d);
    end = cs_pdf_code(end, 0x0a41);
    assert_view(cs_view_of(text, (size_t)(end - text)), "\\(\\)\\\\\\r\\nA");
}

struct paragraph {
    struct cs_pdf_font_files *files;
    struct cs_pdf_fonts *fonts;
    struct cs_pdf_text *text;
};

static int set_up(void **state)
{
    static struct paragraph paragraph;

    if (cs_pdf_font_files_new(&paragraph.files, NULL, NULL) != CS_OK)
        return -1;
    paragraph.fonts = cs_pdf_fonts_new(paragraph.files, NULL);
    if (paragraph.fonts == NULL)
        return -1;
    paragraph.text = cs_pdf_text_new(paragraph.fonts);
    *state = &paragraph;
    return paragraph.text != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct paragraph *paragraph = *state;

    cs_pdf_text_free(paragraph->text);
    cs_pdf_fonts_free(paragraph->fonts);
    cs_pdf_font_files_free(paragraph->files);
    return 0;
}

static size_t lines_of(struct paragraph *paragraph, const char *text, double width)
{
    const struct cs_pdf_style style = {.size = 10};
    const struct cs_pdf_line *lines;
    size_t count;

    cs_pdf_text_reset(paragraph->text, false);
    cs_pdf_text_add(paragraph->text, cs_view_cstr(text), &style, NULL);
    cs_pdf_text_shape(paragraph->text);
    lines = cs_pdf_text_lines(paragraph->text, width, false, &count);
    assert_ok(cs_pdf_text_check(paragraph->text, err));
    for (size_t i = 0; i < count; i++) {
        assert_true(lines[i].end >= lines[i].start);
        assert_true(lines[i].width <= width + 0.1 || lines[i].end == lines[i].start + 1);
    }
    return count;
}

static void lines_fit_their_width(void **state)
{
    struct paragraph *paragraph = *state;
    char word[501];

    memset(word, 'x', 500);
    word[500] = '\0';
    assert_int_equal(lines_of(paragraph, "", 100), 0);
    assert_int_equal(lines_of(paragraph, "one", 100), 1);
    assert_int_equal(lines_of(paragraph, "one two three four five six", 60), 3);
    assert_true(lines_of(paragraph, word, 100) > 20);
    assert_int_equal(lines_of(paragraph, "ab", 0.5), 2); /* a letter at least */
    /* no break at blanks that forbid it: the word is cut instead */
    assert_int_equal(lines_of(paragraph,
                              "a b\xc2\xa0"
                              "c",
                              17),
                     2);
    assert_true(lines_of(paragraph, "\xff\xfe broken \xc3", 500) == 1);
}

static void missing_marks_are_counted(void **state)
{
    struct paragraph *paragraph = *state;
    struct cs_buf out = CS_BUF_INIT(1u << 16);
    const struct cs_pdf_style style = {.size = 10};
    const struct cs_pdf_line *lines;
    size_t count;

    cs_pdf_text_reset(paragraph->text, false);
    cs_pdf_text_add(paragraph->text, CS_LIT("a\xf3\xb1\x88\xb4"), &style, "https://x/");
    cs_pdf_text_shape(paragraph->text);
    lines = cs_pdf_text_lines(paragraph->text, 100, false, &count);
    assert_int_equal(count, 1);
    cs_pdf_text_draw(paragraph->text, &lines[0], &out, 0, 0);
    assert_int_equal(cs_pdf_text_missing(paragraph->text), 1);
    assert_int_equal(strncmp(cs_buf_cstr(&out), "BT\n", 3), 0);
    cs_buf_clear(&out);
}

static void add_item(struct cs_pdf_flow *flow, double height, unsigned how, size_t mark)
{
    struct cs_buf *out = cs_pdf_flow_begin(flow);

    cs_buf_add(out, CS_LIT("n\n"));
    cs_pdf_flow_mark(flow, mark);
    cs_pdf_flow_end(flow, height, how);
}

static size_t page_of(const struct cs_pdf_flow *flow, size_t mark)
{
    struct cs_pdf_place place;

    assert_true(cs_pdf_flow_place(flow, mark, &place));
    return place.page;
}

static void items_stay_together(void **state)
{
    const struct cs_pdf_frame frame = {200, 120, 10, 10, 10, 10}; /* 100 points high */
    struct cs_pdf_flow *flow = cs_pdf_flow_new(NULL, &frame, true);
    struct cs_pdf_place place;

    (void)state;
    assert_non_null(flow);
    add_item(flow, 70, 0, 0);
    add_item(flow, 20, CS_PDF_KEEP,
             1); /* a heading that fits, and its text that doesn't */
    cs_pdf_flow_space(flow, 5);
    add_item(flow, 20, 0, 2);
    add_item(flow, 60, 0, 3);           /* 20 + 5 + 20 + 60: over the page */
    add_item(flow, 80, CS_PDF_KEEP, 4); /* together higher than a page: parted */
    add_item(flow, 80, 0, 5);
    add_item(flow, 500, 0, 6); /* higher than a page: stands alone */
    assert_ok(cs_pdf_flow_finish(flow, err));
    assert_int_equal(page_of(flow, 0), 0);
    assert_int_equal(page_of(flow, 1), 1);
    assert_int_equal(page_of(flow, 2), 1);
    assert_int_equal(page_of(flow, 3), 2);
    assert_int_equal(page_of(flow, 4), 3);
    assert_int_equal(page_of(flow, 5), 4);
    assert_int_equal(page_of(flow, 6), 5);
    assert_int_equal(cs_pdf_flow_pages(flow), 6);
    assert_false(cs_pdf_flow_place(flow, 7, &place));
    cs_pdf_flow_free(flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_compose),
        cmocka_unit_test(pictures_are_clusters),
        cmocka_unit_test(lines_break_where_they_may),
        cmocka_unit_test(directions_are_found),
        cmocka_unit_test(numbers_are_short),
        cmocka_unit_test(codes_are_escaped),
        cmocka_unit_test(items_stay_together),
    };
    const struct CMUnitTest with_fonts[] = {
        cmocka_unit_test(lines_fit_their_width),
        cmocka_unit_test(missing_marks_are_counted),
    };
    struct cs_pdf_font_files *files;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    if (cs_pdf_font_files_new(&files, NULL, NULL) != CS_OK) {
        print_message("no fonts are there: the rest is skipped\n");
        return failed;
    }
    cs_pdf_font_files_free(files);
    return failed + cmocka_run_group_tests(with_fonts, set_up, tear_down);
}
