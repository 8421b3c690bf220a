#include "config.h"

#include "unit.h"

#include <dirent.h>

#include "json/check.h"
#include "json/edit.h"
#include "json/plain.h"
#include "json/scan.h"
#include "json/tree.h"
#include "json/write.h"

/* ---- validation ---- */

static enum cs_code validate(const char *text, struct cs_err *err)
{
    return cs_json_validate(cs_view_cstr(text), NULL, err);
}

static void test_refuses(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{'a':1}",
        "{\"a\" 1}",
        "[01]",
        "[-]",
        "[1.]",
        "[.5]",
        "[1e]",
        "[1e99999]",
        "[+1]",
        "[NaN]",
        "[Infinity]",
        "tru",
        "true false",
        "\"\t\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\xff\"",
        "\xef\xbb\xbf{}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"x\\u0000\":1}",
        "[1]x",
        "/* */ 1",
    };
    struct cs_err fault;

    (void)state;
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        cs_err_clear(&fault);
        assert_int_equal(validate(bad[i], &fault), CS_EINVAL);
        assert_string_equal(fault.reason, "json_invalid");
    }
}

static void test_accepts(void **state)
{
    static const char *const good[] = {
        "{}",
        "[]",
        " null ",
        "\"\"",
        "-0",
        "1e308",
        "9007199254740993",
        "0.1",
        "123456789012345678901234567890",
        "[[],{}]",
        "{\"a\":{\"a\":{\"a\":1}}}",
        "\"\\ud83d\\ude00\"",
        "\"\\/\"",
        "{\"\":1,\" \":2}",
        "[1,-1.5E+10,true,false,null]",
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(good); i++)
        assert_int_equal(validate(good[i], NULL), CS_OK);
}

static void test_message_has_line_and_column(void **state)
{
    struct cs_err fault = CS_ERR_NONE;

    (void)state;
    assert_int_equal(validate("{\n  \"a\": 1,\n  \"a\": 2\n}", &fault), CS_EINVAL);
    assert_string_equal(fault.text,
                        "the JSON is not valid at line 3, column 6: a name stands "
                        "twice in one object; keep one of them");
}

static void test_depth(void **state)
{
    struct cs_buf text = CS_BUF_INIT(1000);

    (void)state;
    for (size_t depth = 127; depth <= 129; depth++) {
        cs_buf_reset(&text);
        for (size_t i = 0; i < depth; i++)
            cs_buf_add_byte(&text, '[');
        for (size_t i = 0; i < depth; i++)
            cs_buf_add_byte(&text, ']');
        assert_int_equal(cs_json_validate(cs_buf_view(&text), NULL, NULL),
                         depth <= 128 ? CS_OK : CS_EINVAL);
    }
    cs_buf_clear(&text);
}

/* Nested objects with more names than the table starts with, and a duplicate
 * put at every tenth place in turn. */
static void test_many_names(void **state)
{
    struct cs_buf text = CS_BUF_INIT(1u << 22);

    (void)state;
    for (int twice = -1; twice < 2000; twice += 10) {
        cs_buf_reset(&text);
        cs_buf_add_byte(&text, '{');
        for (int i = 0; i < 2000; i++) {
            cs_buf_add_fmt(&text, "\"n%d\":{\"n%d\":1,\"x\":[{\"n1\":2}]},", i, i);
        }
        cs_buf_add_fmt(&text, "\"n%d\":0}", twice < 0 ? 5000 : twice);
        assert_int_equal(cs_json_validate(cs_buf_view(&text), NULL, NULL),
                         twice < 0 ? CS_OK : CS_EINVAL);
    }
    cs_buf_clear(&text);
}

/* Each name is looked at once, however many stand in an object: a quarter of a million
 * that were compared with each other would take minutes. The last stands twice with
 * another spelling. */
static void test_names_by_the_hundred_thousand(void **state)
{
    struct cs_buf text = CS_BUF_INIT(1u << 23);

    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        cs_buf_reset(&text);
        cs_buf_add_byte(&text, '{');
        for (int i = 0; i < 250000; i++)
            cs_buf_add_fmt(&text, "\"n%d\":0,", i);
        cs_buf_add_cstr(&text, twice != 0 ? "\"\\u006e0\":0}" : "\"\":0}");
        assert_int_equal(cs_json_validate(cs_buf_view(&text), NULL, NULL),
                         twice != 0 ? CS_EINVAL : CS_OK);
    }
    cs_buf_clear(&text);
}

static void test_parsing_suite(void **state)
{
    char *folder = unit_data_path("CS_VECTORS", "json-parsing/test_parsing");
    struct dirent *entry;
    size_t seen = 0;
    DIR *dir;

    (void)state;
    if (folder == NULL)
        skip();
    dir = opendir(folder);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct cs_buf text = CS_BUF_INIT(1u << 20);
        struct cs_json *tree = NULL;
        char *path = NULL;
        enum cs_code rc;

        if (strstr(entry->d_name, ".json") == NULL)
            continue;
        assert_true(asprintf(&path, "%s/%s", folder, entry->d_name) > 0);
        assert_ok(cs_file_read(&text, path, 1u << 20, err));
        rc = cs_json_parse(&tree, cs_buf_view(&text), NULL, NULL);
        if (entry->d_name[0] == 'y' && strstr(entry->d_name, "duplicated") == NULL &&
            rc != CS_OK)
            fail_msg("%s was refused", entry->d_name);
        if (entry->d_name[0] == 'n' && rc == CS_OK)
            fail_msg("%s was accepted", entry->d_name);
        cs_json_free(tree);
        cs_buf_clear(&text);
        free(path);
        seen++;
    }
    assert_int_equal(closedir(dir), 0);
    assert_true(seen >= 30);
    free(folder);
}

/* ---- slices ---- */

static bool collect(void *payload, struct cs_view name, struct cs_view value)
{
    cs_buf_add_fmt(payload, "%.*s=%.*s;", CS_FMT(name), CS_FMT(value));
    return true;
}

static bool collect_element(void *payload, struct cs_view value)
{
    cs_buf_add_fmt(payload, "%.*s;", CS_FMT(value));
    return true;
}

static void test_slices_are_exact(void **state)
{
    const struct cs_view text = CS_LIT(" { \"a\" : 1.50 , \"b\\\"c\":\"x\\\"},\",\"d\":[ "
                                       "1, {\"e\":2} ],\"f\":{} , \"g\":null}");
    struct cs_buf seen = CS_BUF_INIT(1000);

    (void)state;
    cs_json_each_member(text, collect, &seen);
    assert_view(cs_buf_view(&seen),
                "a=1.50;b\\\"c=\"x\\\"},\";d=[ 1, {\"e\":2} ];f={};g=null;");
    assert_view(cs_json_slice(text, "d"), "[ 1, {\"e\":2} ]");
    assert_view(cs_json_slice(text, "b\"c"), "\"x\\\"},\"");
    assert_null(cs_json_slice(text, "zz").ptr);
    assert_null(cs_json_slice(CS_LIT("[1]"), "a").ptr);
    cs_buf_reset(&seen);
    cs_json_each_element(CS_LIT("[ 1 ,[2,3], \"a,b\" ]"), collect_element, &seen);
    assert_view(cs_buf_view(&seen), "1;[2,3];\"a,b\";");
    cs_buf_reset(&seen);
    cs_json_each_element(CS_LIT("[ ]"), collect_element, &seen);
    cs_json_each_member(CS_LIT("{ }"), collect, &seen);
    assert_int_equal(seen.len, 0);
    cs_buf_clear(&seen);
}

/* Each byte at each place of a text that is passed eight bytes at a time. */
static void test_plain_runs(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 20; at++) {
            char text[24];
            bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';

            memset(text, 'a', sizeof(text));
            text[at] = (char)byte;
            for (size_t len = at + 1; len <= sizeof(text); len++)
                assert_int_equal(cs_json_pass_plain(text, text + len) - text,
                                 plain ? len : at);
            text[at == 0 ? 5 : at - 1] = (char)byte; /* nor does a second one hide it */
            assert_int_equal(cs_json_pass_plain(text, text + sizeof(text)) - text,
                             plain ? sizeof(text) : (at == 0 ? 0 : at - 1));
        }
    }
}

/* What is quoted is valid, and reads back. */
static void test_quoted_reads_back(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 128; byte++) {
        for (size_t at = 0; at < 20; at++) {
            struct cs_buf quoted = CS_BUF_INIT(256);
            struct cs_buf read = CS_BUF_INIT(256);
            char text[20];

            memset(text, 'a', sizeof(text));
            text[at] = (char)byte;
            cs_json_quote(&quoted, cs_view_of(text, sizeof(text)));
            assert_ok(cs_json_validate(cs_buf_view(&quoted), NULL, err));
            assert_ok(cs_json_decode_string(&read, cs_buf_view(&quoted), err));
            assert_true(cs_view_eq(cs_buf_view(&read), cs_view_of(text, sizeof(text))));
            cs_buf_clear(&quoted);
            cs_buf_clear(&read);
        }
    }
}

static void test_walk(void **state)
{
    const struct cs_view text =
        CS_LIT(" { \"a\" : [ 1 , { \"b\\\"\" : \"x\\\\\" } , [ ] ] ,"
               "\"c\":{},\"d\":null } tail");
    struct cs_view rest = text, name;

    (void)state;
    assert_true(cs_json_walk_member(&rest, &name));
    assert_view(name, "a");
    assert_true(cs_json_walk_element(&rest));
    assert_view(cs_json_walk_value(&rest), "1");
    assert_true(cs_json_walk_element(&rest));
    assert_true(cs_json_walk_member(&rest, &name));
    assert_view(name, "b\\\"");
    assert_view(cs_json_walk_value(&rest), "\"x\\\\\"");
    assert_false(cs_json_walk_member(&rest, &name));
    assert_true(cs_json_walk_element(&rest));
    assert_false(cs_json_walk_element(&rest)); /* the empty one within */
    assert_false(cs_json_walk_element(&rest));
    assert_true(cs_json_walk_member(&rest, &name));
    assert_view(name, "c");
    assert_false(cs_json_walk_member(&rest, &name));
    assert_true(cs_json_walk_member(&rest, &name));
    assert_view(name, "d");
    assert_view(cs_json_walk_value(&rest), "null");
    assert_false(cs_json_walk_member(&rest, &name));
    assert_view(rest, " tail");
    rest = text;
    assert_true(cs_json_walk_to(&rest, "c"));
    assert_view(cs_json_walk_value(&rest), "{}");
    rest = text;
    assert_false(cs_json_walk_to(&rest, "b"));
}

/* An even number of backslashes leaves the quote behind them its meaning. */
static void test_walk_over_backslashes(void **state)
{
    (void)state;
    for (size_t count = 0; count < 20; count++) {
        struct cs_buf text = CS_BUF_INIT(100);
        struct cs_view rest;
        size_t quote;

        cs_buf_add_byte(&text, '"');
        for (size_t i = 0; i < count; i++)
            cs_buf_add_byte(&text, '\\');
        quote = text.len;
        cs_buf_add(&text, CS_LIT("\",\""));
        rest = cs_buf_view(&text);
        assert_int_equal(cs_json_walk_value(&rest).len, quote + (count % 2 == 0 ? 1 : 3));
        cs_buf_clear(&text);
    }
}

/* It stays within the text, and comes to its end, whatever that is cut off at. */
static void test_walk_of_broken_text(void **state)
{
    static const char whole[] =
        "{\"a\":[{\"b\\\"\":\"x\\\\\"},[1,true]],\"c\":{\"d\":{}}}";

    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        char *cut =
            malloc(len > 0 ? len : 1); /* of its own, for valgrind and the sanitizers */
        struct cs_view rest, name;
        size_t steps = 0;

        assert_non_null(cut);
        memcpy(cut, whole, len);
        rest = cs_view_of(cut, len);
        while (cs_json_walk_member(&rest, &name) && ++steps < 100)
            (void)cs_json_walk_value(&rest);
        assert_true(steps < 100);
        (void)cs_json_slice(cs_view_of(cut, len), "c");
        free(cut);
    }
}

static void test_kinds_and_strings(void **state)
{
    struct cs_buf text = CS_BUF_INIT(100);

    (void)state;
    assert_int_equal(cs_json_kind(CS_LIT(" -1")), '0');
    assert_int_equal(cs_json_kind(CS_LIT("\"\"")), '"');
    assert_int_equal(cs_json_kind(cs_view_of(NULL, 0)), '\0');
    assert_ok(
        cs_json_decode_string(&text, CS_LIT("\"a\\n\\u00e9\\ud83d\\ude00\\/\""), err));
    assert_view(cs_buf_view(&text), "a\n\xc3\xa9\xf0\x9f\x98\x80/");
    assert_int_equal(cs_json_decode_string(&text, CS_LIT("1"), NULL), CS_EINVAL);
    cs_buf_clear(&text);
}

/* ---- tree ---- */

static void test_tree_keeps_order_and_digits(void **state)
{
    struct cs_json *tree = NULL;
    struct cs_json_iter iter = {0};
    struct cs_buf names = CS_BUF_INIT(100);
    int64_t number;

    (void)state;
    assert_ok(
        cs_json_parse(&tree,
                      CS_LIT("{\"z\":200.50,\"a\":9007199254740993,"
                             "\"m\":\"x\\u0000y\",\"w\":-123456789012345678901234567890,"
                             "\"l\":[true,null],\"q\":\"12345678901234567890123\"}"),
                      NULL, err));
    while (cs_json_next(&iter, tree))
        cs_buf_add(&names, iter.name);
    assert_view(cs_buf_view(&names), "zamwlq");
    assert_view(cs_json_number_text(cs_json_get(tree, "z")), "200.50");
    assert_view(cs_json_number_text(cs_json_get(tree, "a")), "9007199254740993");
    assert_true(cs_json_integer(cs_json_get(tree, "a"), &number));
    assert_true(number == 9007199254740993);
    assert_false(cs_json_integer(cs_json_get(tree, "z"), &number));
    assert_int_equal(cs_json_get_string(tree, "m").len, 3);
    assert_view(cs_json_get_string(tree, "w"), "-123456789012345678901234567890");
    assert_view(cs_json_get_string(tree, "q"), "12345678901234567890123");
    assert_int_equal(cs_json_length(cs_json_get(tree, "l")), 2);
    assert_true(cs_json_bool(cs_json_at(cs_json_get(tree, "l"), 0), false));
    assert_null(cs_json_at(cs_json_get(tree, "l"), 1));
    assert_null(cs_json_get(tree, "zz"));
    assert_int_equal(cs_json_type(NULL), CS_JSON_NULL);
    cs_json_free(tree);
    cs_buf_clear(&names);
}

/* The first and last character of each kind, and those that json-c replaces. */
static void test_tree_keeps_escaped_pairs(void **state)
{
    static const struct {
        const char *escaped, *plain;
    } pairs[] = {
        {"\"\\ud800\\udc00\"", "\xf0\x90\x80\x80"},
        {"\"\\uD83D\\uDE00!\"", "\xf0\x9f\x98\x80!"},
        {"\"a\\ud8b7\\udf12\"", "a\xf0\xbd\xbc\x92"},
        {"\"\\ud836\\udc00\\ud836\\udfff\"", "\xf0\x9d\xa0\x80\xf0\x9d\xaf\xbf"},
        {"\"\\\\ud836\\ud837\\udc00\"", "\\ud836\xf0\x9d\xb0\x80"},
        {"\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf"},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(pairs); i++) {
        struct cs_json *tree = NULL;

        assert_ok(cs_json_parse(&tree, cs_view_cstr(pairs[i].escaped), NULL, err));
        assert_view(cs_json_string(tree), pairs[i].plain);
        cs_json_free(tree);
    }
}

static void test_tree_of_every_kind_of_root(void **state)
{
    static const struct {
        const char *text;
        enum cs_json_type type;
    } roots[] = {{"null", CS_JSON_NULL},    {"true", CS_JSON_BOOL},
                 {"12", CS_JSON_NUMBER},    {"1.5 ", CS_JSON_NUMBER},
                 {"\"a\"", CS_JSON_STRING}, {"[]", CS_JSON_ARRAY},
                 {" {} ", CS_JSON_OBJECT}};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(roots); i++) {
        struct cs_json *tree = NULL;

        assert_ok(cs_json_parse(&tree, cs_view_cstr(roots[i].text), NULL, err));
        assert_int_equal(cs_json_type(tree), roots[i].type);
        cs_json_free(tree);
    }
}

/* ---- writing and editing ---- */

static void test_writer(void **state)
{
    struct cs_buf out = CS_BUF_INIT(1000);
    struct cs_json_writer w;

    (void)state;
    cs_json_writer_init(&w, &out);
    cs_json_object(&w);
    cs_json_member_str(&w, "a\"b", CS_LIT("x\n\x01\xc3\xa9\xff\x7f"));
    cs_json_key(&w, "list");
    cs_json_array(&w);
    cs_json_double(&w, 0.1);
    cs_json_double(&w, 198.5);
    cs_json_double(&w, 1e308 * 10);
    cs_json_i64(&w, -1);
    cs_json_object(&w);
    cs_json_object_end(&w);
    cs_json_str(&w, cs_view_of(NULL, 0));
    cs_json_array_end(&w);
    cs_json_member_bool(&w, "b", true);
    cs_json_member_time(&w, "t", 0);
    cs_json_member_raw(&w, "r", cs_view_of(NULL, 0));
    cs_json_member_as_written(&w, CS_LIT("\\\"\\u00e9"), CS_LIT("[1.0]"));
    cs_json_object_end(&w);
    assert_view(
        cs_buf_view(&out),
        "{\"a\\\"b\":\"x\\n\\u0001\xc3\xa9\xef\xbf\xbd\\u007f\",\"list\":[0.1,198.5,null,"
        "-1,{},null],\"b\":true,\"t\":\"1970-01-01T00:00:00.000000Z\",\"r\":null,"
        "\"\\\"\\u00e9\":[1.0]}");
    assert_ok(cs_json_validate(cs_buf_view(&out), NULL, err));
    cs_buf_clear(&out);
}

static void test_edit(void **state)
{
    const struct cs_json_change changes[] = {{"b", CS_LIT_INIT("[1.0]")},
                                             {"new", CS_LIT_INIT("true")},
                                             {"gone", {NULL, 0}},
                                             {"never", {NULL, 0}}};
    struct cs_buf out = CS_BUF_INIT(1000);

    (void)state;
    cs_json_edit(&out, CS_LIT("{ \"a\" : 1.50, \"gone\":{}, \"b\":2, \"\\u0041\":3 }"),
                 changes, CS_COUNT(changes));
    assert_view(cs_buf_view(&out), "{\"a\":1.50,\"b\":[1.0],\"\\u0041\":3,\"new\":true}");
    cs_buf_reset(&out);
    cs_json_edit(&out, cs_view_of(NULL, 0), changes, 1);
    assert_view(cs_buf_view(&out), "{\"b\":[1.0]}");
    cs_buf_clear(&out);
}

static void test_merge(void **state)
{
    struct cs_buf out = CS_BUF_INIT(1000);

    (void)state;
    cs_json_merge(&out, CS_LIT("{\"a\":1.0,\"b\":2,\"c\":[3]}"),
                  CS_LIT("{ \"\\u0062\" : {\"x\":1} , \"d\":4 }"));
    assert_view(cs_buf_view(&out), "{\"a\":1.0,\"c\":[3],\"\\u0062\":{\"x\":1},\"d\":4}");
    cs_buf_reset(&out);
    cs_json_merge(&out, cs_view_of(NULL, 0), cs_view_of(NULL, 0));
    assert_view(cs_buf_view(&out), "{}");
    cs_buf_clear(&out);
}

/* ---- checks ---- */

static void test_checks_collect_all_faults(void **state)
{
    const struct cs_view body =
        CS_LIT("{\"n\":5,\"t\":\"soon\",\"s\":\"a\\u0001\",\"f\":1.5}");
    struct cs_buf text = CS_BUF_INIT(100);
    struct cs_faults faults;
    struct cs_err fault = CS_ERR_NONE;
    uint64_t whole;
    int64_t time_us;
    double number;

    (void)state;
    cs_faults_init(&faults);
    assert_int_equal(cs_faults_check(&faults, &fault), CS_OK);
    assert_false(cs_check_text(
        &faults, &(struct cs_field){"/n", cs_json_slice(body, "n"), true}, 1, 9, &text));
    assert_false(cs_check_time(
        &faults, &(struct cs_field){"/t", cs_json_slice(body, "t"), false}, &time_us));
    assert_false(cs_check_text(
        &faults, &(struct cs_field){"/s", cs_json_slice(body, "s"), true}, 1, 9, &text));
    assert_false(cs_check_object(
        &faults, &(struct cs_field){"/o", cs_json_slice(body, "o"), true}));
    assert_false(cs_check_integer(
        &faults, &(struct cs_field){"/f", cs_json_slice(body, "f"), false}, 10, &whole));
    assert_true(cs_check_number(&faults,
                                &(struct cs_field){"/f", cs_json_slice(body, "f"), false},
                                0, 2, &number));
    assert_false(cs_check_number(
        &faults, &(struct cs_field){"/x", cs_json_slice(body, "x"), false}, 0, 2,
        &number));
    assert_int_equal(faults.count, 5);
    assert_int_equal(cs_faults_check(&faults, &fault), CS_EINVAL);
    assert_string_equal(fault.field, "/n");
    assert_string_equal(fault.reason, "validation_failed");
    cs_faults_clear(&faults);
    cs_buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_message_has_line_and_column),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_names_by_the_hundred_thousand),
        cmocka_unit_test(test_parsing_suite),
        cmocka_unit_test(test_slices_are_exact),
        cmocka_unit_test(test_plain_runs),
        cmocka_unit_test(test_quoted_reads_back),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_walk_over_backslashes),
        cmocka_unit_test(test_walk_of_broken_text),
        cmocka_unit_test(test_kinds_and_strings),
        cmocka_unit_test(test_tree_keeps_order_and_digits),
        cmocka_unit_test(test_tree_keeps_escaped_pairs),
        cmocka_unit_test(test_tree_of_every_kind_of_root),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_edit),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_checks_collect_all_faults),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
