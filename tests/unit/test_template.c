#include "config.h"

#include "unit.h"

#include "render/template.h"
#include "json/tree.h"

/* ---- the public specification ---------------------------------------------------- */

static void add_json(struct cs_arena *arena, struct cs_data *parent, const char *name,
                     const struct cs_json *value);

static void fill_json(struct cs_arena *arena, struct cs_data *data,
                      const struct cs_json *value)
{
    struct cs_json_iter iter = {0};

    if (data->kind == CS_DATA_OBJECT)
        while (cs_json_next(&iter, value))
            add_json(arena, data, cs_arena_text(arena, iter.name), iter.value);
    else if (data->kind == CS_DATA_LIST)
        for (size_t i = 0; i < cs_json_length(value); i++)
            add_json(arena, data, NULL, cs_json_at(value, i));
}

static void add_json(struct cs_arena *arena, struct cs_data *parent, const char *name,
                     const struct cs_json *value)
{
    switch (cs_json_type(value)) {
    case CS_JSON_NULL:
        cs_data_add_bool(arena, parent, name, false);
        return;
    case CS_JSON_BOOL:
        cs_data_add_bool(arena, parent, name, cs_json_bool(value, false));
        return;
    case CS_JSON_NUMBER:
        cs_data_add_text(arena, parent, name, cs_json_number_text(value));
        return;
    case CS_JSON_STRING:
        cs_data_add_text(arena, parent, name, cs_json_string(value));
        return;
    case CS_JSON_ARRAY:
        fill_json(arena, cs_data_add(arena, parent, name, CS_DATA_LIST), value);
        return;
    case CS_JSON_OBJECT:
        fill_json(arena, cs_data_add(arena, parent, name, CS_DATA_OBJECT), value);
        return;
    }
}

static const char *string_of(struct cs_arena *arena, const struct cs_json *object,
                             const char *name)
{
    return cs_arena_text(arena, cs_json_get_string(object, name));
}

static void run_case(const char *file, const struct cs_json *test)
{
    struct cs_templates *templates = cs_templates_new(NULL);
    struct cs_buf out = CS_BUF_INIT(1u << 20);
    struct cs_arena arena;
    struct cs_data *holder;
    struct cs_json_iter iter = {0};
    const char *expected;

    cs_arena_init(&arena);
    holder = cs_data_new(&arena);
    add_json(&arena, holder, "data", cs_json_get(test, "data"));
    while (cs_json_next(&iter, cs_json_get(test, "partials")))
        assert_ok(cs_templates_add(templates, cs_arena_text(&arena, iter.name),
                                   cs_json_string(iter.value), err));
    assert_ok(
        cs_templates_add(templates, "(main)", cs_json_get_string(test, "template"), err));
    assert_ok(cs_templates_render(templates, "(main)", holder->first, CS_TEMPLATE_SPEC,
                                  &out, err));
    expected = string_of(&arena, test, "expected");
    if (strcmp(cs_buf_cstr(&out), expected) != 0)
        fail_msg("%s: %s\nwanted: %s\ngot:    %s", file, string_of(&arena, test, "name"),
                 expected, cs_buf_cstr(&out));
    cs_buf_clear(&out);
    cs_arena_clear(&arena);
    cs_templates_free(templates);
}

static void test_specification(void **state)
{
    static const char *const files[] = {"comments", "delimiters", "interpolation",
                                        "inverted", "partials",   "sections"};
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < CS_COUNT(files); i++) {
        struct cs_buf text;
        struct cs_json *root;
        const struct cs_json *tests;
        char name[64];

        snprintf(name, sizeof(name), "mustache/%s.json", files[i]);
        unit_read_vector(&text, name);
        assert_ok(cs_json_parse(&root, cs_buf_view(&text), NULL, err));
        tests = cs_json_get(root, "tests");
        for (size_t t = 0; t < cs_json_length(tests); t++, count++)
            run_case(files[i], cs_json_at(tests, t));
        cs_json_free(root);
        cs_buf_clear(&text);
    }
    assert_int_equal(count, 136);
}

/* ---- what the specification leaves open ---------------------------------------------
 */

static void test_faults_name_the_line(void **state)
{
    static const struct {
        const char *source, *text;
    } cases[] = {
        {"a\n{{name", "template x, line 2: a tag is not closed"},
        {"a\n\n{{#list}}b", "template x, line 3: a section is not closed: \"list\""},
        {"{{/list}}", "template x, line 1: no section is open to be closed by \"list\""},
        {"{{#a}}{{#b}}\n{{/a}}{{/b}}",
         "template x, line 2: another section must be closed before \"a\""},
        {"{{}}", "template x, line 1: a tag has no name"},
        {"{{=<%=}}", "template x, line 1: delimiters must be two short words: \"<%\""},
        {"{{{name}}", "template x, line 1: a tag is not closed"},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_templates *templates = cs_templates_new(NULL);
        struct cs_err fault = CS_ERR_NONE;

        assert_int_equal(
            cs_templates_add(templates, "x", cs_view_cstr(cases[i].source), &fault),
            CS_EINVAL);
        assert_string_equal(fault.text, cases[i].text);
        cs_templates_free(templates);
    }
}

static void test_missing_partial_is_found(void **state)
{
    struct cs_templates *templates = cs_templates_new(NULL);
    struct cs_err fault = CS_ERR_NONE;

    (void)state;
    assert_ok(cs_templates_add(templates, "page", CS_LIT("{{> head}}"), err));
    assert_int_equal(cs_templates_check(templates, &fault), CS_EINVAL);
    assert_string_equal(fault.text, "template page needs a partial \"head\"");
    assert_ok(cs_templates_add(templates, "head", CS_LIT("x"), err));
    assert_ok(cs_templates_check(templates, err));
    assert_int_equal(cs_templates_add(templates, "head", CS_LIT("y"), NULL), CS_EEXISTS);
    cs_templates_free(templates);
}

static void test_endless_recursion_ends(void **state)
{
    struct cs_templates *templates = cs_templates_new(NULL);
    struct cs_buf out = CS_BUF_INIT(1u << 20);
    struct cs_err fault = CS_ERR_NONE;
    struct cs_arena arena;
    struct cs_data *data;

    (void)state;
    cs_arena_init(&arena);
    data = cs_data_new(&arena);
    assert_ok(cs_templates_add(templates, "a", CS_LIT("x{{> b}}"), err));
    assert_ok(cs_templates_add(templates, "b", CS_LIT("{{> a}}"), err));
    assert_int_equal(
        cs_templates_render(templates, "a", data, CS_TEMPLATE_SAFE, &out, &fault),
        CS_EINVAL);
    assert_int_equal(
        cs_templates_render(templates, "c", data, CS_TEMPLATE_SAFE, &out, NULL),
        CS_ENOTFOUND);
    cs_buf_clear(&out);
    cs_arena_clear(&arena);
    cs_templates_free(templates);
}

static void test_safe_mode_escapes_all_text(void **state)
{
    struct cs_templates *templates = cs_templates_new(NULL);
    struct cs_buf out = CS_BUF_INIT(1u << 20);
    struct cs_arena arena;
    struct cs_data *data;

    (void)state;
    cs_arena_init(&arena);
    data = cs_data_new(&arena);
    cs_data_add_cstr(&arena, data, "text", "<b>{{html}}'\"&");
    cs_data_add_html(&arena, data, "html", CS_LIT("<i>{{text}}</i>"));
    assert_ok(cs_templates_add(templates, "a",
                               CS_LIT("{{text}} {{{text}}} {{&text}} {{html}}"), err));
    assert_ok(cs_templates_render(templates, "a", data, CS_TEMPLATE_SAFE, &out, err));
    assert_string_equal(cs_buf_cstr(&out), "&lt;b&gt;{{html}}&#39;&quot;&amp; "
                                           "&lt;b&gt;{{html}}&#39;&quot;&amp; "
                                           "&lt;b&gt;{{html}}&#39;&quot;&amp; "
                                           "<i>{{text}}</i>");
    cs_buf_clear(&out);
    cs_arena_clear(&arena);
    cs_templates_free(templates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specification),
        cmocka_unit_test(test_faults_name_the_line),
        cmocka_unit_test(test_missing_partial_is_found),
        cmocka_unit_test(test_endless_recursion_ends),
        cmocka_unit_test(test_safe_mode_escapes_all_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
