/* The PDF report as a whole: its structure, that it is the same twice, hostile
 * and odd input, and each of our own allocations failing in turn. */
#include "config.h"

#include <sys/wait.h>

#include "failing_malloc.h"

#include "render/document.h"
#include "render/report.h"

#define PDF_MAX (64u << 20)

static struct cs_pdf_font_files *fonts; /* opened once, as a worker does */

static struct cs_render_input input_of(const char *brief, const char *state)
{
    return (struct cs_render_input){.campaign_id =
                                        CS_LIT("campaign_20250106_120000_000001"),
                                    .status = CS_LIT("completed"),
                                    .created_at = CS_LIT("2025-01-06T12:00:00.000000Z"),
                                    .completed_at = CS_LIT("2025-01-06T12:20:30.000000Z"),
                                    .brief = cs_view_cstr(brief),
                                    .state = cs_view_cstr(state),
                                    .interactions = CS_LIT("[]"),
                                    .progress = CS_LIT("{}"),
                                    .want_pdf = true};
}

static void render(struct cs_buf *out, const struct cs_render_input *input, bool letter,
                   struct cs_report_result *result)
{
    const struct cs_report_options options = {.fonts = fonts, .letter = letter};
    struct cs_document *document;

    cs_buf_init(out, PDF_MAX);
    assert_ok(cs_document_new(&document, input, err));
    assert_ok(cs_report_render(out, document, &options, result, err));
    cs_document_free(document);
}

static bool holds(const struct cs_buf *pdf, const char *text)
{
    return cs_view_find(cs_buf_view(pdf), cs_view_cstr(text)) != SIZE_MAX;
}

static size_t times(const struct cs_buf *pdf, const char *text)
{
    struct cs_view rest = cs_buf_view(pdf);
    size_t count = 0, at;

    while ((at = cs_view_find(rest, cs_view_cstr(text))) != SIZE_MAX) {
        rest = cs_view_from(rest, at + 1);
        count++;
    }
    return count;
}

static const char small_brief[] = "{\"campaign_name\":\"Ride\",\"client\":\"Maple\"}";
static const char small_state[] = "{\"artifacts\":{\"strategy\":\"# One\\n\\nText with "
                                  "[a link](https://example.com/a) and "
                                  "**bold** *words*.\\n\\n- a\\n- b\\n\\n| x | y "
                                  "|\\n|---|--:|\\n| 1 | 2 |\\n\\n```\\ncode\\n"
                                  "```\\n\"}}";

static void the_file_has_its_parts(void **state)
{
    struct cs_render_input input = input_of(small_brief, small_state);
    struct cs_report_result result;
    struct cs_buf pdf;

    (void)state;
    render(&pdf, &input, false, &result);
    assert_int_equal(memcmp(pdf.ptr, "%PDF-1.7\n", 9), 0);
    assert_true(cs_view_ends(cs_view_trim(cs_buf_view(&pdf)), CS_LIT("%%EOF")));
    assert_int_equal(times(&pdf, "/Type /Page\n"), result.pages);
    assert_true(result.pages >= 3);
    assert_int_equal(result.missing_glyphs, 0);
    assert_true(holds(&pdf, "/Type /Outlines"));
    assert_true(holds(&pdf, "/CreationDate (D:20250106122030"));
    assert_true(holds(&pdf, "/Title <FEFF0052006900640065>")); /* "Ride" */
    assert_true(holds(&pdf, "/Lang <FEFF0065006E>"));          /* "en" */
    assert_true(holds(&pdf, "(https:\\057\\057example.com\\057a)"));
    assert_true(holds(&pdf, "595.28"));
    cs_buf_clear(&pdf);
    render(&pdf, &input, true, &result);
    assert_true(holds(&pdf, "0 0 612 792"));
    cs_buf_clear(&pdf);
}

static void the_same_input_gives_the_same_bytes(void **state)
{
    struct cs_render_input input = input_of(small_brief, small_state);
    struct cs_report_result result;
    struct cs_buf first, second;

    (void)state;
    render(&first, &input, false, &result);
    render(&second, &input, false, &result);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.ptr, second.ptr, first.len);
    cs_buf_clear(&first);
    cs_buf_clear(&second);
}

/* Sections that are dropped once they are set leave their links behind. */
static void a_spent_document_gives_the_same_bytes(void **state)
{
    struct cs_render_input input =
        input_of(small_brief, "{\"artifacts\":{\"strategy\":\"[to the copy](#copy) and "
                              "<https://example.com/b>\",\"copy\":\"Text.\\n\\n"
                              "[back](#strategy) [c](https://example.com/c)\"}}");
    struct cs_report_options options = {.fonts = fonts};
    struct cs_report_result result;
    struct cs_buf out[2] = {CS_BUF_INIT(PDF_MAX), CS_BUF_INIT(PDF_MAX)};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(out); i++) {
        struct cs_document *document;

        options.spend = i == 1;
        assert_ok(cs_document_new(&document, &input, err));
        assert_ok(cs_report_render(&out[i], document, &options, &result, err));
        assert_true(options.spend == (document->sections[0].content == NULL));
        cs_document_free(document);
    }
    assert_int_equal(times(&out[0], "/URI (https"), 2);
    assert_int_equal(out[0].len, out[1].len);
    assert_memory_equal(out[0].ptr, out[1].ptr, out[0].len);
    cs_buf_clear(&out[0]);
    cs_buf_clear(&out[1]);
}

static void hostile_text_stays_text(void **state)
{
    struct cs_render_input input = input_of(
        "{\"campaign_name\":\"x) /OpenAction << /S /JavaScript /JS (app.alert(1)) >> "
        "endobj (\","
        "\"client\":\"\\u0000\\\\) ]TJ ET "
        "Q\",\"client_website\":\"javascript:alert(1)\"}",
        "{\"artifacts\":{\"strategy\":\"# (paren \\\\\\\\ ) endstream endobj\\n\\n"
        "[x](javascript:alert(1)) [y](file:///etc/passwd) "
        "[z](https://e.example/)(%29\\\\)\"}}");
    struct cs_report_result result;
    struct cs_buf pdf;

    (void)state;
    render(&pdf, &input, false, &result);
    assert_false(holds(&pdf, "/JavaScript"));
    assert_false(holds(&pdf, "/JS"));
    assert_false(holds(&pdf, "/OpenAction"));
    assert_false(holds(&pdf, "/AA "));
    assert_false(holds(&pdf, "/Launch"));
    assert_false(holds(&pdf, "javascript:"));
    assert_false(holds(&pdf, "file:"));
    assert_int_equal(times(&pdf, "/URI (http"), times(&pdf, "/URI ("));
    cs_buf_clear(&pdf);
}

/* ---- a walk over the file's tokens --------------------------------------------- */

/* Names that make a reader of the file do something. */
static const char *const active_names[] = {
    "/JavaScript", "/JS",         "/Launch", "/AA",    "/OpenAction",  "/AcroForm",
    "/RichMedia",  "/SubmitForm", "/GoToR",  "/GoToE", "/XFA",         "/ImportData",
    "/Rendition",  "/Sound",      "/Movie",  "/Named", "/EmbeddedFile"};

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\0' || c == '\f';
}

static bool is_delimiter(char c)
{
    return c != '\0' && strchr("()<>[]{}/%", c) != NULL;
}

/* The end of a string in parentheses that begins at `at`. */
static size_t string_end(struct cs_view file, size_t at)
{
    size_t depth = 0;

    for (; at < file.len; at++) {
        if (file.ptr[at] == '\\')
            at++;
        else if (file.ptr[at] == '(')
            depth++;
        else if (file.ptr[at] == ')' && --depth == 0)
            return at + 1;
    }
    fail_msg("a string does not end");
    return at;
}

/* The next token of the file's own syntax (ISO 32000-1, 7.2 and 7.3); streams are
 * passed over. Empty at the end. */
static struct cs_view next_token(struct cs_view file, size_t *at)
{
    size_t from, end;

    while (*at < file.len && (is_blank(file.ptr[*at]) || file.ptr[*at] == '%')) {
        if (file.ptr[*at] == '%')
            while (*at < file.len && file.ptr[*at] != '\n')
                ++*at;
        else
            ++*at;
    }
    from = end = *at;
    if (from == file.len)
        return cs_view_of(file.ptr, 0);
    if (file.ptr[from] == '(') {
        end = string_end(file, from);
    } else if (file.ptr[from] == '<' && file.ptr[from + 1] != '<') {
        while (end < file.len && file.ptr[end] != '>')
            end++;
        end++;
    } else if (file.ptr[from] == '<' || file.ptr[from] == '>') {
        assert_int_equal(file.ptr[from + 1], file.ptr[from]);
        end += 2;
    } else {
        end++;
        if (file.ptr[from] == '/' || !is_delimiter(file.ptr[from]))
            while (end < file.len && !is_blank(file.ptr[end]) &&
                   !is_delimiter(file.ptr[end]))
                end++;
    }
    *at = end;
    if (cs_view_eq(cs_view_sub(file, from, end - from), CS_LIT("stream"))) {
        size_t skip = cs_view_find(cs_view_from(file, end), CS_LIT("\nendstream"));

        assert_true(skip != SIZE_MAX);
        *at = end + skip + strlen("\nendstream");
    }
    return cs_view_sub(file, from, end - from);
}

static bool leads_out(struct cs_view address)
{
    return cs_view_starts(address, CS_LIT("(http:\\057\\057")) ||
           cs_view_starts(address, CS_LIT("(https:\\057\\057")) ||
           cs_view_starts(address, CS_LIT("(mailto:"));
}

/* Objects that begin and end, names that do nothing, addresses of three schemes. Gives
 * how many addresses there are. */
static size_t walk(const struct cs_buf *pdf)
{
    struct cs_view file = cs_buf_view(pdf), token;
    size_t at = 0, objects = 0, addresses = 0;
    int open = 0, depth = 0;

    while ((token = next_token(file, &at)).len > 0) {
        if (cs_view_eq(token, CS_LIT("obj"))) {
            assert_int_equal(open++, 0);
            objects++;
        } else if (cs_view_eq(token, CS_LIT("endobj"))) {
            assert_int_equal(--open, 0);
            assert_int_equal(depth, 0);
        } else if (cs_view_eq(token, CS_LIT("<<"))) {
            depth++;
        } else if (cs_view_eq(token, CS_LIT(">>"))) {
            assert_true(--depth >= 0);
        } else if (cs_view_eq(token, CS_LIT("/URI"))) {
            while (cs_view_eq(token, CS_LIT("/URI"))) /* the action's type, its key */
                token = next_token(file, &at);
            assert_true(leads_out(token));
            addresses++;
        }
        for (size_t i = 0; i < CS_COUNT(active_names); i++)
            if (cs_view_eq(token, cs_view_cstr(active_names[i])))
                fail_msg("the file has %s", active_names[i]);
    }
    assert_int_equal(objects, times(pdf, "endobj"));
    return addresses;
}

/* As names of fields, headings, cells, links and texts of links. */
static void hostile_fields_make_no_objects(void **state)
{
    static const char *const payloads[] = {
        ") >> endobj 1 0 obj << /OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>",
        "((((",
        "))))",
        "\\\\",
        "\\\\)",
        "<</JS(x)>>",
        "%PDF-1.7",
        "endstream endobj",
        "\\u0000)/Launch",
        "\\u202e/JS",
        "{{title}} ${7*7} <% x %>",
        "]TJ ET Q /JS Do",
    };
    struct cs_report_result result;

    (void)state;
    for (size_t i = 0; i < CS_COUNT(payloads); i++) {
        struct cs_buf text = CS_BUF_INIT(1u << 16), brief = CS_BUF_INIT(1u << 16), pdf;
        struct cs_render_input input;
        const char *p = payloads[i];
        const char *name = strstr(p, "u0000") == NULL ? p : "no NUL in a name";

        cs_buf_add_fmt(&brief,
                       "{\"campaign_name\":\"%s\",\"client\":\"%s\",\"product\":\"%s\","
                       "\"client_website\":\"https://e.example/%s\",\"%s\":\"x\"}",
                       p, p, p, p, name);
        cs_buf_add_fmt(
            &text,
            "{\"artifacts\":{\"%s\":\"# %s\\n\\n- %s\\n\\n| %s | b |\\n|--|--|\\n"
            "| %s | [%s](https://e.example/a) |\\n\\n"
            "[x](https://e.example/%s) <https://e.example/%s> "
            "[y](javascript:%s) ![%s](https://e.example/i.png)\\n\\n"
            "[z](https://e.example/z)\"}}",
            name, p, p, p, p, p, p, p, p, p);
        input = input_of(cs_buf_cstr(&brief), cs_buf_cstr(&text));
        render(&pdf, &input, false, &result);
        assert_true(walk(&pdf) >= 1);
        cs_buf_clear(&pdf);
        cs_buf_clear(&text);
        cs_buf_clear(&brief);
    }
}

static void odd_documents_are_reports(void **state)
{
    static const char *const states[] = {
        "{}",
        "{\"artifacts\":{}}",
        "{\"artifacts\":{\"\":\"\",\" "
        "\":\"#\",\"a\":[],\"b\":null,\"c\":{\"d\":[[[1]]]}}}",
        "{\"artifacts\":{\"x\":\"| a |\\n|---|\\n\\n|\\n\\n- \\n\\n1. \\n\\n> "
        "\\n\\n```\\n```\\n\\n"
        "![](x) []() ** ~~\"}}",
        "{\"artifacts\":{\"x\":\"\xf0\x9f\x9a\xb2 "
        "\xe2\x80\x8d\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d "
        "\xd9\x84\xd8\xa7 e\xcc\x81 \xe4\xbd\xa0\xe5\xa5\xbd\"}}",
    };
    struct cs_report_result result;
    struct cs_buf pdf;

    (void)state;
    for (size_t i = 0; i < CS_COUNT(states); i++) {
        struct cs_render_input input = input_of("{}", states[i]);

        render(&pdf, &input, false, &result);
        assert_true(result.pages >= 2);
        cs_buf_clear(&pdf);
    }
}

/* Cells of a table of the size as JSON text, appended. */
static void add_table(struct cs_buf *out, size_t columns, size_t rows)
{
    for (size_t row = 0; row < rows + 2; row++) {
        for (size_t column = 0; column < columns; column++)
            cs_buf_add_fmt(out, row == 1 ? "|---" : "| r%zuc%zu", row, column);
        cs_buf_add_cstr(out, "|\\n");
    }
}

static void big_tables_and_words_fit(void **state)
{
    struct cs_buf text = CS_BUF_INIT(1u << 22), pdf;
    struct cs_report_result result;
    struct cs_render_input input;

    (void)state;
    cs_buf_add_cstr(&text, "{\"artifacts\":{\"x\":\"");
    add_table(&text, 40, 5);
    cs_buf_add_cstr(&text, "\\n");
    add_table(&text, 3, 300);
    cs_buf_add_cstr(&text, "\\n| a | b |\\n|---|---|\\n| ");
    for (int i = 0; i < 20000; i++)
        cs_buf_add_cstr(&text, i % 500 < 480 ? "w" : " ");
    cs_buf_add_cstr(&text, " | x |\\n\\n");
    for (int i = 0; i < 60; i++)
        cs_buf_add_fmt(&text, "%*s- deep\\n", 2 * i, "");
    cs_buf_add_cstr(&text, "\"}}");
    input = input_of("{}", cs_buf_cstr(&text));
    render(&pdf, &input, false, &result);
    assert_true(result.pages > 12);
    (void)walk(&pdf);
    cs_buf_clear(&pdf);
    cs_buf_clear(&text);
}

static void hundreds_of_artifacts_are_sections(void **state)
{
    struct cs_buf text = CS_BUF_INIT(1u << 20), pdf;
    struct cs_report_result result;
    struct cs_render_input input;

    (void)state;
    cs_buf_add_cstr(&text, "{\"artifacts\":{");
    for (int i = 0; i < 300; i++)
        cs_buf_add_fmt(&text, "%s\"part %d\":\"# Heading %d\\n\\nText of the part.\"",
                       i > 0 ? "," : "", i, i);
    cs_buf_add_cstr(&text, "}}");
    input = input_of("{}", cs_buf_cstr(&text));
    render(&pdf, &input, false, &result);
    assert_true(result.pages > 60 && result.pages < 400);
    assert_true(times(&pdf, "/Title <FEFF") > 300);
    (void)walk(&pdf);
    cs_buf_clear(&pdf);
    cs_buf_clear(&text);
}

enum { STARVED_DONE = 10, STARVED_REFUSED = 11, STARVED_WRONG = 12 };

/* Renders with the n-th allocation failing, in a process of its own, as cmark-gfm
 * copies text when it is read and ends the process when it can't. */
static int render_starved(struct cs_document *document, size_t n)
{
    const struct cs_report_options options = {.fonts = fonts};
    struct cs_buf out = CS_BUF_INIT(PDF_MAX);
    struct cs_report_result result;
    struct cs_err fault = CS_ERR_NONE;
    int status = 0;
    enum cs_code code;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        failing_libraries = false; /* libharu and cmark-gfm do what they do */
        failing_left = n;
        failing_failed = false;
        failing_armed = true;
        code = cs_report_render(&out, document, &options, &result, &fault);
        failing_armed = false;
        if (code == CS_OK) /* what failed was not needed, or nothing failed */
            _exit(failing_failed ? STARVED_REFUSED : STARVED_DONE);
        _exit(failing_failed && code == CS_ENOMEM ? STARVED_REFUSED : STARVED_WRONG);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status))
        fail_msg("allocation %zu failing: ended by signal %d", n, WTERMSIG(status));
    return WEXITSTATUS(status);
}

static void every_allocation_may_fail(void **state)
{
    struct cs_render_input input = input_of(small_brief, small_state);
    struct cs_document *document;
    size_t refused = 0;
    int status;

    (void)state;
    assert_ok(cs_document_new(&document, &input, err));
    for (size_t n = 0; (status = render_starved(document, n)) != STARVED_DONE; n++) {
        if (status != STARVED_REFUSED && status != CS_DOCUMENT_EXIT_NOMEM)
            fail_msg("allocation %zu failing: exit status %d", n, status);
        refused += status == STARVED_REFUSED;
    }
    assert_true(refused > 100 || !failing_works());
    cs_document_free(document);
}

static void every_allocation_of_the_fonts_may_fail(void **state)
{
    struct cs_pdf_font_files *files = NULL;
    struct cs_err fault = CS_ERR_NONE;
    enum cs_code code = CS_ENOMEM;

    (void)state;
    for (size_t n = 0; code == CS_ENOMEM; n++) {
        failing_left = n;
        failing_failed = false;
        failing_armed = true;
        code = cs_pdf_font_files_new(&files, NULL, &fault);
        failing_armed = false;
        assert_true(code == CS_OK || (code == CS_ENOMEM && files == NULL));
        assert_true(n > 0 || code == CS_ENOMEM || !failing_works());
        cs_err_clear(&fault);
    }
    assert_false(failing_failed);
    cs_pdf_font_files_free(files);
}

static void examples_render(void **state)
{
    static const char *const names[] = {"maple-transit", "brasserie-du-fleuve",
                                        "solar-coop"};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(names); i++) {
        struct cs_buf brief = CS_BUF_INIT(1u << 20), text = CS_BUF_INIT(1u << 20), pdf;
        struct cs_buf name = CS_BUF_INIT(256);
        struct cs_report_result result;
        struct cs_render_input input;
        char *path;

        cs_buf_add_fmt(&name, "%s/final_state.json", names[i]);
        path = unit_data_path("CS_EXAMPLES", cs_buf_cstr(&name));
        cs_buf_clear(&name);
        if (path == NULL)
            skip();
        assert_ok(cs_file_read(&text, path, 1u << 20, err));
        free(path);
        input = input_of(small_brief, cs_buf_cstr(&text));
        render(&pdf, &input, false, &result);
        assert_true(result.pages > 3);
        assert_true(pdf.len < 400000);
        cs_buf_clear(&pdf);
        cs_buf_clear(&brief);
        cs_buf_clear(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_has_its_parts),
        cmocka_unit_test(the_same_input_gives_the_same_bytes),
        cmocka_unit_test(a_spent_document_gives_the_same_bytes),
        cmocka_unit_test(hostile_text_stays_text),
        cmocka_unit_test(hostile_fields_make_no_objects),
        cmocka_unit_test(odd_documents_are_reports),
        cmocka_unit_test(hundreds_of_artifacts_are_sections),
        cmocka_unit_test(big_tables_and_words_fit),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_allocation_of_the_fonts_may_fail),
        cmocka_unit_test(examples_render),
    };

    int failed;

    if (cs_pdf_font_files_new(&fonts, NULL, NULL) != CS_OK) {
        print_message("no fonts for reports are there: skipped\n");
        return 77;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cs_pdf_font_files_free(fonts);
    return failed;
}
