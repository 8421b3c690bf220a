#include "config.h"

#include "render_helpers.h"
#include "unit_folder.h"

#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "render/page.h"
#include "render/text.h"

/* ---- a page may hold these tags and attributes, and no others -------------------------
 */

static const char allowed_tags[] =
    " html head meta title style body a header div p h1 h2 h3 h4 h5 h6 section ul ol li "
    "span b bdi "
    "nav details summary main figure figcaption svg desc rect circle path blockquote pre "
    "code em "
    "strong del br hr table thead tbody tr th td dl dt dd article small footer time ";
static const char allowed_attributes[] =
    " lang dir charset name content http-equiv property class href rel id tabindex "
    "aria-label "
    "aria-labelledby aria-hidden role open viewBox preserveAspectRatio x y width height "
    "cx cy r d "
    "stroke-dasharray stroke-dashoffset scope start style datetime ";

static bool in_words(const char *words, struct cs_view word)
{
    char *padded = NULL;
    bool found;

    assert_true(asprintf(&padded, " %.*s ", CS_FMT(word)) > 0);
    found = strstr(words, padded) != NULL;
    free(padded);
    return found;
}

/* A colour of the brief, or a place on a chart's axis: nothing that a text could be in.
 */
static bool is_own_style(struct cs_view value)
{
    static const struct cs_view place = {"inset-inline-start:", 19};
    struct cs_view rest = cs_view_from(value, place.len);

    if (cs_view_starts(value, CS_LIT("--c:#")))
        return value.len == 11;
    return cs_view_starts(value, place) && cs_view_ends(value, CS_LIT("%")) &&
           strspn(rest.ptr, "0123456789.") == rest.len - 1;
}

static void check_attribute(struct cs_view name, struct cs_view value)
{
    if (!in_words(allowed_attributes, name))
        fail_msg("an attribute %.*s", CS_FMT(name));
    assert_true(cs_view_find_byte(value, '<') == SIZE_MAX);
    if (cs_view_eq(name, CS_LIT("href")) && !cs_text_link_allowed(value))
        fail_msg("an address %.*s", CS_FMT(value));
    if (cs_view_eq(name, CS_LIT("style")) && !is_own_style(value))
        fail_msg("a style %.*s", CS_FMT(value));
    if (cs_view_eq(name, CS_LIT("http-equiv")))
        assert_view(value, "Content-Security-Policy");
}

/* Takes name="value" or a bare name off the front. */
static void take_attribute(struct cs_view *tag)
{
    size_t len = 0;
    struct cs_view name, value = cs_view_of("", 0);

    while (len < tag->len && tag->ptr[len] != '=' && tag->ptr[len] != ' ')
        len++;
    name = cs_view_of(tag->ptr, len);
    *tag = cs_view_from(*tag, len);
    if (tag->len > 0 && tag->ptr[0] == '=') {
        assert_int_equal(tag->ptr[1], '"');
        *tag = cs_view_from(*tag, 2);
        len = cs_view_find_byte(*tag, '"');
        assert_int_not_equal(len, SIZE_MAX);
        value = cs_view_of(tag->ptr, len);
        *tag = cs_view_from(*tag, len + 1);
    }
    check_attribute(name, value);
    *tag = cs_view_trim(*tag);
}

static void check_tag(struct cs_view tag)
{
    size_t len = 0;

    if (tag.ptr[0] == '!' || tag.ptr[0] == '/')
        return;
    while (len < tag.len && tag.ptr[len] != ' ' && tag.ptr[len] != '/')
        len++;
    if (!in_words(allowed_tags, cs_view_of(tag.ptr, len)))
        fail_msg("a tag %.*s", CS_FMT(tag));
    tag = cs_view_trim(cs_view_from(tag, len));
    if (tag.len > 0 && tag.ptr[tag.len - 1] == '/')
        tag = cs_view_trim(cs_view_of(tag.ptr, tag.len - 1));
    while (tag.len > 0)
        take_attribute(&tag);
}

static void check_page(const struct cs_buf *page)
{
    struct cs_view rest = cs_buf_view(page);
    size_t at;

    assert_true(cs_view_starts(rest, CS_LIT("<!DOCTYPE html>")));
    assert_int_equal(cs_utf8_fault(rest), SIZE_MAX);
    while ((at = cs_view_find_byte(rest, '<')) != SIZE_MAX) {
        size_t end;

        rest = cs_view_from(rest, at + 1);
        end = cs_view_find_byte(rest, '>');
        assert_int_not_equal(end, SIZE_MAX);
        check_tag(cs_view_of(rest.ptr, end));
        if (cs_view_starts(rest, CS_LIT("style>"))) {
            end = cs_view_find(rest, CS_LIT("</style>"));
            /* Nothing in the style sheet fetches, runs or leaves it. */
            assert_true(cs_view_find(cs_view_of(rest.ptr, end), CS_LIT("url(")) ==
                        SIZE_MAX);
            assert_true(cs_view_find(cs_view_of(rest.ptr, end), CS_LIT("@import")) ==
                        SIZE_MAX);
            assert_true(cs_view_find(cs_view_of(rest.ptr + 6, end - 6), CS_LIT("<")) ==
                        SIZE_MAX);
        }
        rest = cs_view_from(rest, end);
    }
}

/* ---- hostile data
 * ------------------------------------------------------------------------ */

static const char *const hostile_texts[] = {
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "\\\"><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](https://a.example/\\\"onclick=\\\"alert(1))",
    "[x](<https://a.example/' onclick='alert(1)>)",
    "[x][r]\\n\\n[r]: javascript:alert(1)",
    "![x](javascript:alert(1))",
    "![\\\"onerror=\\\"alert(1)](https://a.example/x.png \\\"\\\\\\\" onload=x\\\")",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=\\\"https://a.example/\\\" onclick=\\\"alert(1)\\\">x</a>",
    "<javascript:alert(1)>",
    "<https://a.example/\\\"x>",
    "{{title}} {{{content}}} {{#sections}}x{{/sections}} {{> head}} {{=<% %>=}}",
    "#fff;}</style><script>alert(1)</script>",
    "red;background:url(https://evil.example/x)",
    "\\u202egnp.exe\\u2066xy\\u0001",
    "```\\\"><script>\\nx\\n```",
    "| <b onclick=x> | </table><script> |\\n|--|--|\\n| \\\"> | <!-- --> |",
    "<!--><script>alert(1)</script>-->",
    "<style>@import 'https://evil.example'</style>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example>",
    "<details open ontoggle=alert(1)>x</details>",
    "</title></style></textarea></script><script>x</script>",
    "&lt;script&gt; &#60;script&#62; &#x3c;script>",
    "# <script>\\n\\n1. <iframe src=//evil.example>\\n\\n> <form action=x>",
    "<div>\\n*x*\\n</div>\\n<p onclick=x>y",
    "- [x] <input onfocus=x autofocus>",
    "\\ud83d\\ude00 \\ufffe \\ufdd0 \\u0085 \\u2028",
};

static void test_hostile_text_stays_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_COUNT(hostile_texts); i++) {
        const char *x = hostile_texts[i];
        struct cs_buf brief = CS_BUF_INIT(UNIT_MAX), data = CS_BUF_INIT(UNIT_MAX), page;

        cs_buf_add_fmt(&brief,
                       "{\"client\":\"%s\",\"product\":\"%s\",\"client_website\":\"%s\","
                       "\"color_scheme\":\"%s\",\"budget\":\"%s\",\"timeline\":\"%s\","
                       "\"language\":\"%s\",\"campaign_name\":\"%s\"}",
                       x, x, x, x, x, x, x, x);
        cs_buf_add_fmt(
            &data,
            "{\"artifacts\":{\"strategy\":\"%s\",\"%s\":\"%s\",\"copy\":{\"%s\":[\"%s\","
            "{\"%s\":\"%s\"}]},\"visual\":{\"image_url\":\"%s\",\"image_alt\":\"%s\"},"
            "\"media_plan\":{\"channels\":[{\"name\":\"%s\",\"budget\":\"%s 5\","
            "\"share\":0.5},{\"name\":\"%s\",\"budget\":\"1\",\"share\":0.5}]}},"
            "\"feedback\":\"%s\",\"%s\":\"%s\"}",
            x, x, x, x, x, x, x, x, x, x, x, x, x, x, x);
        unit_website_of(&page, cs_buf_cstr(&brief), cs_buf_cstr(&data));
        check_page(&page);
        assert_lacks(&page, "<script");
        assert_lacks(&page, "\xe2\x80\xae");
        cs_buf_clear(&page);
        cs_buf_clear(&brief);
        cs_buf_clear(&data);
    }
}

static void test_nul_is_shown_as_a_mark(void **state)
{
    struct cs_buf page;

    (void)state;
    unit_website_of(&page, "{}", "{\"artifacts\":{\"copy\":\"a\\u0000b\"}}");
    assert_has(&page, "<p>a\xef\xbf\xbd"
                      "b</p>");
    cs_buf_clear(&page);
}

static void test_template_syntax_is_shown(void **state)
{
    struct cs_buf page;

    (void)state;
    unit_website_of(&page, "{\"product\":\"{{title}}\"}",
                    "{\"artifacts\":{\"copy\":\"Hi {{first_name}}, {{{x}}}\"}}");
    assert_has(&page, "Hi {{first_name}}, {{{x}}}");
    assert_has(&page, "<p class=\"product\">{{title}}</p>");
    cs_buf_clear(&page);
}

static void test_examples_are_safe_pages(void **state)
{
    static const char *const folders[] = {"maple-transit", "brasserie-du-fleuve",
                                          "solar-coop"};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(folders); i++) {
        struct cs_buf brief, data, page, again;

        unit_read_example(&brief, folders[i], "brief.json");
        unit_read_example(&data, folders[i], "final_state.json");
        unit_website_of(&page, cs_buf_cstr(&brief), cs_buf_cstr(&data));
        unit_website_of(&again, cs_buf_cstr(&brief), cs_buf_cstr(&data));
        check_page(&page);
        /* The same input gives the same bytes. */
        assert_true(cs_view_eq(cs_buf_view(&page), cs_buf_view(&again)));
        cs_buf_clear(&brief);
        cs_buf_clear(&data);
        cs_buf_clear(&page);
        cs_buf_clear(&again);
    }
}

/* Offset of every occurrence counted. */
static size_t count_of(const struct cs_buf *page, const char *needle)
{
    struct cs_view rest = cs_buf_view(page);
    size_t count = 0, at;

    while ((at = cs_view_find(rest, cs_view_cstr(needle))) != SIZE_MAX) {
        rest = cs_view_from(rest, at + strlen(needle));
        count++;
    }
    return count;
}

static void test_page_has_its_landmarks(void **state)
{
    struct cs_buf page;

    (void)state;
    unit_website_of(&page, "{\"client\":\"C\",\"language\":\"he\"}",
                    "{\"artifacts\":{\"strategy\":\"# One\\n\\n# Two\"}}");
    assert_int_equal(count_of(&page, "<h1"), 1);
    assert_int_equal(count_of(&page, "<main"), 1);
    assert_int_equal(count_of(&page, "<nav"), 1);
    assert_int_equal(count_of(&page, "<footer"), 1);
    assert_has(&page, "<html lang=\"he\" dir=\"rtl\">");
    assert_has(&page, "<meta property=\"og:title\" content=\"Test\">");
    assert_has(&page, "<meta name=\"viewport\"");
    assert_has(&page, "<title>Test – C</title>");
    cs_buf_clear(&page);
}

/* ---- size and depth
 * ------------------------------------------------------------------------ */

static int64_t processor_time_us(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return now.tv_sec * CS_SECOND_US + now.tv_nsec / 1000;
}

static double cost_of(const char *unit, size_t count)
{
    struct cs_buf data = CS_BUF_INIT(UNIT_MAX), page;
    int64_t start;

    cs_buf_add_cstr(&data, "{\"artifacts\":{\"a\":\"");
    for (size_t i = 0; i < count; i++)
        cs_buf_add_cstr(&data, unit);
    cs_buf_add_cstr(&data, "\"}}");
    start = processor_time_us();
    unit_website_of(&page, "{}", cs_buf_cstr(&data));
    start = processor_time_us() - start;
    check_page(&page);
    cs_buf_clear(&page);
    cs_buf_clear(&data);
    return (double)start;
}

/* Eight times the input may cost at most 24 times, where a quadratic step would
 * cost 64 times. */
static void test_cost_is_linear(void **state)
{
    static const char *const units[] = {
        "> ",        "- ",   "*a **a ",       "[a](#b) ", "<b>x ",  "| a ",
        "# h\\n\\n", "{\\n", "```\\n",        "<div>",    "![a](b", "\\n\\n- a\\n  - b",
        "x<br>",     "`",    "~~a ",          "<!-- ",    "[",      "```markdown\\n",
        "a\\n|-\\n", "&#0;", "<a href='#x'>",
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(units); i++) {
        double small = cost_of(units[i], 2500), large = cost_of(units[i], 20000);

        if (large > 24 * small + 30000)
            fail_msg("\"%s\": %.0f us for 2500, %.0f us for 20000", units[i], small,
                     large);
    }
}

static void test_deep_json_is_readable(void **state)
{
    struct cs_buf data = CS_BUF_INIT(UNIT_MAX), page;

    (void)state;
    cs_buf_add_cstr(&data, "{\"artifacts\":");
    for (size_t i = 0; i < 60; i++)
        cs_buf_add_fmt(&data, "{\"level %zu\":\"text %zu\",\"k\":", i, i);
    cs_buf_add_cstr(&data, "[[[[\"deepest\"]]]]");
    for (size_t i = 0; i < 60; i++)
        cs_buf_add_byte(&data, '}');
    cs_buf_add_byte(&data, '}');
    unit_website_of(&page, "{}", cs_buf_cstr(&data));
    check_page(&page);
    assert_has(&page, "deepest");
    assert_has(&page, "text 59");
    cs_buf_clear(&data);
    cs_buf_clear(&page);
}

static void test_many_artifacts_have_their_anchors(void **state)
{
    struct cs_buf data = CS_BUF_INIT(UNIT_MAX), page;

    (void)state;
    cs_buf_add_cstr(&data, "{\"artifacts\":{\"z\":1");
    for (size_t i = 0; i < 300; i++)
        cs_buf_add_fmt(&data, ",\"%c é %zu\":\"x%zu\"", 'a' + (int)(i % 3), i / 3, i);
    cs_buf_add_cstr(&data, ",\"日本\":1,\"中国\":2}}");
    unit_website_of(&page, "{}", cs_buf_cstr(&data));
    check_page(&page);
    assert_int_equal(count_of(&page, "id=\"a-e-99\""), 1);
    assert_int_equal(count_of(&page, "id=\"section\""), 1);
    assert_int_equal(count_of(&page, "id=\"section-303\""), 1);
    cs_buf_clear(&data);
    cs_buf_clear(&page);
}

/* ---- pages that are handed over
 * --------------------------------------------------------------- */

static const struct cs_page_facts facts = {"A <title>", "fr"};

static void test_pages_are_completed(void **state)
{
    static const struct {
        const char *text, *page;
    } cases[] = {
        {"Here you are:\n\n```html\n<h1>Hello to all of the world</h1>\n```\nAnything "
         "else?",
         "<!DOCTYPE html>\n<html lang=\"fr\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<title>A &lt;title&gt;</title>\n</head>\n"
         "<h1>Hello to all of the world</h1>\n</html>\n"},
        {"<html><head><title>T</title></head><body>Text enough for a page</body></html> "
         "Bye!",
         "<!DOCTYPE html>\n<html lang=\"fr\"><head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
         "<title>T</title></head><body>Text enough for a page</body></html>\n"},
        {"<!doctype html><html lang='en'><head><meta charset=\"UTF-8\"><meta "
         "name=viewport "
         "content=x><title>T</title></head><body>Text enough for a page, really",
         "<!DOCTYPE html>\n<html lang='en'><head><meta charset=\"UTF-8\"><meta "
         "name=viewport "
         "content=x><title>T</title></head><body>Text enough for a page, "
         "really\n</body>\n"
         "</html>\n"},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_buf out = CS_BUF_INIT(UNIT_MAX);

        assert_ok(cs_page_clean(&out, cs_view_cstr(cases[i].text), &facts, err));
        assert_string_equal(cs_buf_cstr(&out), cases[i].page);
        cs_buf_clear(&out);
    }
}

static void test_broken_pages_are_refused(void **state)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"I could not make a page.", "there is no HTML in it"},
        {"<html><head><style>body{color:red", "a <style> element is never closed"},
        {"<html><body><script>let x = '</div>'", "a <script> element is never closed"},
        {"<html><body>Text enough for a page <!-- and then", "a comment is never closed"},
        {"<html><body>Text enough for a page <a href=\"x", "it ends within a tag"},
        {"<html><body><div></div></body></html>", "it has next to no text"},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_buf out = CS_BUF_INIT(UNIT_MAX);
        struct cs_err err = CS_ERR_NONE;

        assert_int_equal(cs_page_clean(&out, cs_view_cstr(cases[i].text), &facts, &err),
                         CS_ERENDER);
        assert_string_equal(err.text, cases[i].reason);
        assert_int_equal(out.len, 0);
        cs_buf_clear(&out);
    }
}

static void test_page_of_a_state(void **state)
{
    struct cs_buf out = CS_BUF_INIT(UNIT_MAX);
    struct cs_err fault = CS_ERR_NONE;

    (void)state;
    assert_int_equal(
        cs_page_from_state(&out, CS_LIT("{\"artifacts\":{}}"), &facts, &fault),
        CS_ENOTFOUND);
    assert_int_equal(cs_page_from_state(
                         &out,
                         CS_LIT("{\"artifacts\":{\"web_developer\":{\"campaign_website\":"
                                "\"sorry\"}}}"),
                         &facts, &fault),
                     CS_ERENDER);
    assert_string_equal(fault.field, "/artifacts/web_developer/campaign_website");
    assert_ok(cs_page_from_state(
        &out,
        CS_LIT(
            "{\"artifacts\":{\"web_developer\":{\"campaign_website\":\"sorry\"},"
            "\"html_validation\":{\"corrected_html\":\"<p>All the words of a page\"}}}"),
        &facts, err));
    assert_has(&out, "<p>All the words of a page");
    cs_buf_clear(&out);
}

/* ---- themes
 * --------------------------------------------------------------------------------------
 */

static void test_broken_themes_are_named(void **state)
{
    static const struct {
        const char *file, *text, *reason;
    } cases[] = {
        {"x.mustache", "x", "has no page.mustache"},
        {"page.mustache", "a\n{{#b}}",
         "template page, line 2: a section is not closed: \"b\""},
        {"page.mustache", "{{> nothing}}", "template page needs a partial \"nothing\""},
        {"page.mustache", "x{{> page}}", "template page: partials nest too deep"},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        char *share = unit_folder_make();
        struct cs_err fault = CS_ERR_NONE;
        char *path = NULL;

        assert_true(asprintf(&path, "%s/themes", share) > 0);
        assert_int_equal(mkdir(path, 0700), 0);
        free(path);
        assert_true(asprintf(&path, "%s/themes/t", share) > 0);
        assert_int_equal(mkdir(path, 0700), 0);
        free(path);
        assert_true(asprintf(&path, "%s/themes/t/%s", share, cases[i].file) > 0);
        assert_ok(cs_file_write(path, cs_view_cstr(cases[i].text), 0600, err));
        free(path);
        assert_null(cs_theme_new(share, "t", &fault));
        assert_non_null(strstr(fault.text, cases[i].reason));
        fault = CS_ERR_NONE;
        assert_null(cs_theme_new(share, "none", &fault));
        assert_int_not_equal(fault.code, CS_OK);
        unit_folder_remove(share);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_text_stays_text),
        cmocka_unit_test(test_nul_is_shown_as_a_mark),
        cmocka_unit_test(test_template_syntax_is_shown),
        cmocka_unit_test(test_examples_are_safe_pages),
        cmocka_unit_test(test_page_has_its_landmarks),
        cmocka_unit_test(test_cost_is_linear),
        cmocka_unit_test(test_deep_json_is_readable),
        cmocka_unit_test(test_many_artifacts_have_their_anchors),
        cmocka_unit_test(test_pages_are_completed),
        cmocka_unit_test(test_broken_pages_are_refused),
        cmocka_unit_test(test_page_of_a_state),
        cmocka_unit_test(test_broken_themes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
