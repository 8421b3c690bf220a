/* Reading a record from an item's text gives what reading it from a tree gives. */
#include "config.h"

#include "unit.h"

#include "store/aws_internal.h"

#define KEYS                                                      \
    "\"campaign_id\":{\"S\":\"c1\"},\"user_id\":{\"S\":\"ann\"}," \
    "\"status\":{\"S\":\"completed\"},"                           \
    "\"created_at\":{\"S\":\"2026-01-01T00:00:00.000000Z\"}"
#define SUMMARY \
    "\"summary\":{\"S\":\"{\\\"campaign_name\\\":\\\"A\\\",\\\"pages\\\":3}\"}"

#define WITHDRAWN \
    "\"withdrawn_user_id\":{\"S\":\"ann\"},\"withdrawn_status\":{\"S\":\"failed#2\"}"

#define PACKED /* {"a":1,"b":"xxx..."} with 700 of them */ \
    "H4sIAAAAAAACA6tWSlSyMtRRSlKyUqoYBaNgiAKlWgCPsX6ZygIAAA=="

#define FILES "\\\"files\\\":{\\\"pdf\\\":{\\\"key\\\":\\\"k\\\",\\\"size\\\":1}}"
#define URL   "{\"S\":\"https://outputs.s3.eu-central-1.amazonaws.com/k\"}"

/* What this store writes, and what it might meet in a table. */
static const char *const items[] = {
    "{" KEYS ",\"revision\":{\"N\":\"7\"}," SUMMARY
    ",\"detail\":{\"S\":\"{\\\"a\\\":1}\"}}",
    "{" KEYS ",\"revision\":{\"N\":\"7\"}," SUMMARY "}",
    "{" SUMMARY "," KEYS ",\"expires_at_us\":{\"N\":\"1733054400000000\"}}",
    /* copies from the summary */
    "{" KEYS "," SUMMARY ",\"campaign_name\":{\"S\":\"A\"},\"pages\":{\"N\":\"3\"}}",
    /* a status spread over several keys */
    "{\"campaign_id\":{\"S\":\"c1\"},\"status\":{\"S\":\"completed#3\"}," SUMMARY "}",
    /* white space, escapes in values and names */
    " { \"campaign_id\" : { \"S\" : \"c1\" } , " SUMMARY " } ",
    "{\"campaign_id\":{\"S\":\"c\\u0031\"},\"user_id\":{\"S\":\"\\ud83d\\ude00\\u00e9\"},"
    "\"summary\":{\"S\":\"{\\\"n\\\":\\\"\\\\u00e9\\\\\\\\\\\"}\"}}",
    "{\"campaign\\u005fid\":{\"S\":\"c1\"}," SUMMARY "}",
    "{\"campaign_id\":{\"\\u0053\":\"c1\"}," SUMMARY "}",
    "{\"campaign_id\":{\"S\":\"c1\"}," SUMMARY ",\"odd \\u00e9\":{\"S\":\"x\"}}",
    /* attributes of others, beside a summary and without one */
    "{" KEYS "," SUMMARY
    ",\"detail\":{\"S\":\"{\\\"a\\\":1}\"},\"tags\":{\"SS\":[\"x\",\"y\"]}}",
    "{" KEYS "," SUMMARY ",\"final\":{\"M\":{\"x\":{\"L\":[{\"N\":\"0.1\"}]}}}}",
    "{" KEYS ",\"campaign_name\":{\"S\":\"A\"},\"quality_score\":{\"N\":\"0.95\"}}",
    /* our names with other types */
    "{\"campaign_id\":{\"S\":\"c1\"},\"status\":{\"N\":\"5\"}," SUMMARY "}",
    "{\"campaign_id\":{\"S\":\"c1\"},\"summary\":{\"M\":{\"x\":{\"S\":\"y\"}}}}",
    "{" KEYS "," SUMMARY ",\"detail\":{\"NULL\":true}}",
    "{" KEYS "," SUMMARY ",\"revision\":{\"S\":\"7\"}}",
    "{" KEYS "," SUMMARY ",\"revision\":{\"N\":\"-7\"}}",
    "{" KEYS "," SUMMARY ",\"revision\":{\"N\":\"7.5\"}}",
    "{" KEYS "," SUMMARY ",\"revision\":{\"N\":\"99999999999999999999\"}}",
    "{" KEYS "," SUMMARY ",\"expires_at_us\":{\"N\":\"-1\"}}",
    /* a summary without its first members; with the row of an index, too */
    "{" KEYS ",\"summary\":{\"S\":\",\\\"pages\\\":3}\"},\"pages\":{\"N\":\"3\"}}",
    "{" KEYS ",\"summary\":{\"S\":\"}\"}}",
    "{\"campaign_id\":{\"S\":\"c\\\"1\"},\"summary\":{\"S\":\",\\\"a\\\":1}\"}}",
    /* withdrawn, its summary without its first members and with them; and oddly so */
    "{\"campaign_id\":{\"S\":\"c1\"},\"status\":{\"S\":\"deleting#1\"}," WITHDRAWN
    ",\"summary\":{\"S\":\",\\\"pages\\\":3}\"},\"pages\":{\"N\":\"3\"}}",
    "{" WITHDRAWN "," SUMMARY ",\"campaign_id\":{\"S\":\"c1\"}}",
    "{\"campaign_id\":{\"S\":\"c1\"},\"status\":{\"S\":\"deleting\"}," WITHDRAWN
    ",\"quality_score\":{\"N\":\"0.95\"}}",
    "{" KEYS "," SUMMARY ",\"withdrawn_status\":{\"N\":\"5\"}}",
    "{" KEYS ",\"summary\":{\"S\":\"}\"},\"withdrawn_user_id\":{\"S\":\"bob\"}}",
    /* a compressed detail */
    "{" KEYS "," SUMMARY ",\"detail\":{\"B\":\"" PACKED "\"}}",
    "{" KEYS "," SUMMARY ",\"detail\":{\"B\":\"" PACKED "\"},\"more\":{\"S\":\"x\"}}",
    "{" KEYS "," SUMMARY ",\"vanishes_at\":{\"N\":\"1733054400\"}}",
    "{" KEYS "," SUMMARY ",\"vanishes_at\":{\"S\":\"soon\"}}",
    "{\"campaign_id\":{\"S\":\"c1\"},\"status\":5,\"detail\":{}," SUMMARY "}",
    /* the address of an object: this store's, and another program's */
    "{" KEYS "," SUMMARY ",\"detail\":{\"S\":\"{" FILES "}\"},\"s3_pdf_url\":" URL "}",
    "{" KEYS "," SUMMARY ",\"detail\":{\"S\":\"{" FILES "}\"},\"s3_website_url\":" URL
    "}",
    "{\"s3_pdf_url\":" URL "," KEYS "," SUMMARY ",\"detail\":{\"S\":\"{" FILES "}\"},"
    "\"s3_website_url\":" URL "}",
    "{" KEYS "," SUMMARY ",\"s3_pdf_url\":" URL "}",
    "{" KEYS ",\"s3_pdf_url\":" URL "}",
    /* empty texts */
    "{\"campaign_id\":{\"S\":\"c1\"},\"user_id\":{\"S\":\"\"},\"summary\":{\"S\":\"\"}}",
    "{\"campaign_id\":{\"S\":\"\"}," SUMMARY "}",
};

static void assert_same_text(const char *item, const char *what, struct cs_view a,
                             struct cs_view b)
{
    if (!cs_view_eq(a, b))
        fail_msg("%s: %s is \"%.*s\", by the tree \"%.*s\"", item, what, CS_FMT(a),
                 CS_FMT(b));
}

static enum cs_code read_text(struct cs_record **out, struct cs_view item,
                              struct cs_err *e)
{
    struct cs_aws_item_texts texts = CS_AWS_ITEM_TEXTS_INIT;
    enum cs_code rc = cs_aws_item_walk(out, &item, &texts, e);

    cs_aws_item_texts_clear(&texts);
    return rc;
}

static void test_same_as_the_tree(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_COUNT(items); i++) {
        struct cs_record *a, *b;
        struct cs_json *tree;

        assert_ok(cs_json_parse(&tree, cs_view_cstr(items[i]), NULL, err));
        assert_ok(cs_aws_item_read(&b, tree, err));
        assert_ok(read_text(&a, cs_view_cstr(items[i]), err));
        assert_non_null(a);
        assert_same_text(items[i], "key", a->key, b->key);
        assert_same_text(items[i], "user_id", a->user_id, b->user_id);
        assert_same_text(items[i], "status", a->status, b->status);
        assert_same_text(items[i], "created_at", a->created_at, b->created_at);
        assert_same_text(items[i], "summary", a->summary, b->summary);
        assert_same_text(items[i], "detail", a->detail, b->detail);
        assert_same_text(items[i], "extra", a->extra, b->extra);
        assert_same_text(items[i], "withdrawn_user_id", a->withdrawn_user_id,
                         b->withdrawn_user_id);
        assert_same_text(items[i], "withdrawn_status", a->withdrawn_status,
                         b->withdrawn_status);
        assert_int_equal(a->revision, b->revision);
        assert_int_equal(a->expires_at_us, b->expires_at_us);
        assert_int_equal(a->vanishes, b->vanishes);
        cs_record_free(a);
        cs_record_free(b);
        cs_json_free(tree);
    }
}

static void test_what_was_left_out(void **state)
{
    struct cs_record *record;

    (void)state;
    assert_ok(read_text(&record,
                        CS_LIT("{" KEYS ",\"summary\":{\"S\":\",\\\"pages\\\":3}\"},"
                               "\"detail\":{\"B\":\"" PACKED "\"}}"),
                        err));
    assert_view(record->summary,
                "{\"campaign_id\":\"c1\",\"user_id\":\"ann\",\"status\":\"completed\","
                "\"created_at\":\"2026-01-01T00:00:00.000000Z\",\"pages\":3}");
    assert_int_equal(record->detail.len, 714);
    assert_true(cs_view_starts(record->detail, CS_LIT("{\"a\":1,\"b\":\"xxx")));
    cs_record_free(record);
    assert_ok(read_text(&record,
                        CS_LIT("{\"campaign_id\":{\"S\":\"c1\"},\"status\":"
                               "{\"S\":\"deleting\"}," WITHDRAWN
                               ",\"summary\":{\"S\":\",\\\"pages\\\":3}\"}}"),
                        err));
    assert_view(record->status, "deleting");
    assert_view(record->withdrawn_status, "failed");
    assert_view(record->summary,
                "{\"campaign_id\":\"c1\",\"user_id\":\"ann\",\"status\":\"failed\","
                "\"created_at\":\"\",\"pages\":3}");
    cs_record_free(record);
}

/* Addresses follow from detail.files: what the item says of them is not read. */
static void test_addresses(void **state)
{
    static const struct {
        const char *attribute, *detail;
    } cases[] = {
        {"s3_pdf_url", "{\"files\":{\"pdf\":{\"key\":\"k\",\"size\":1}}}"},
        {"s3_website_url",
         "{\"files\":{\"pdf\":{\"key\":\"k\",\"size\":1}},\"s3_website_url\":"
         "\"https://outputs.s3.eu-central-1.amazonaws.com/k\"}"},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_buf item = CS_BUF_INIT(4096);
        struct cs_record *record;

        cs_buf_add_fmt(&item,
                       "{" KEYS "," SUMMARY ",\"detail\":{\"S\":\"{" FILES
                       "}\"},\"%s\":" URL "}",
                       cases[i].attribute);
        assert_ok(read_text(&record, cs_buf_view(&item), err));
        assert_view(record->detail, cases[i].detail);
        assert_int_equal(record->extra.len > 0, i == 1);
        cs_record_free(record);
        cs_buf_clear(&item);
    }
}

static void test_links_of_a_detail(void **state)
{
    static const struct {
        const char *detail;
        unsigned links;
    } cases[] = {
        {"{\"files\":{\"website\":{\"key\":\"a\"},\"pdf\":{\"key\":\"b\"},"
         "\"artifacts\":{\"key\":\"c\"},\"metadata\":{\"key\":\"d\"}}}",
         15},
        {"{\"files\":{\"website\":{\"size\":1},\"files/a.png\":{\"key\":\"a\"},"
         "\"metadata\":{\"key\":\"d\"}}}",
         8},
        {"{\"files\":{\"pdf\":{\"key\":5},\"website\":{\"key\":\"a\\nb\"}}}", 0},
        {"{\"files\":[]}", 0},
        {"{\"pdf\":{\"key\":\"b\"}}", 0},
        {"{}", 0},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++)
        assert_int_equal(cs_aws_links_of(cs_view_cstr(cases[i].detail)), cases[i].links);
    assert_int_equal(cs_aws_link_of(CS_LIT("s3_website_url")), 1);
    assert_int_equal(cs_aws_link_of(CS_LIT("s3_metadata_url")), 8);
    assert_int_equal(cs_aws_link_of(CS_LIT("s3_other_url")), 0);
}

/* What can't be read is never taken for nothing. */
static void test_broken_detail(void **state)
{
    static const char *const broken[] = {
        "{" KEYS "," SUMMARY ",\"detail\":{\"B\":\"\"}}",
        "{" KEYS "," SUMMARY ",\"detail\":{\"B\":\"%%%\"}}",
        "{" KEYS "," SUMMARY ",\"detail\":{\"B\":\"AAAA\"}}",
        "{" KEYS "," SUMMARY ",\"detail\":{\"B\":\"H4sIAAAAAAACA6tWSlSy\"}}",
    };
    struct cs_record *record;

    (void)state;
    for (size_t i = 0; i < CS_COUNT(broken); i++) {
        assert_int_equal(read_text(&record, cs_view_cstr(broken[i]), NULL), CS_EUPSTREAM);
        assert_null(record);
    }
}

static void test_no_record(void **state)
{
    struct cs_record *record;

    (void)state;
    assert_ok(read_text(
        &record,
        CS_LIT("{\"campaign_id\":{\"S\":\"" CS_AWS_INTERNAL "count\"}," SUMMARY "}"),
        err));
    assert_null(record);
    assert_ok(read_text(
        &record,
        CS_LIT("{\"campaign_id\":{\"S\":\"" CS_AWS_INTERNAL "x\"},\"n\":{\"N\":\"1\"}}"),
        err));
    assert_null(record);
    assert_int_equal(read_text(&record, CS_LIT("{" SUMMARY "}"), NULL), CS_EUPSTREAM);
    assert_null(record);
    assert_int_equal(read_text(&record, CS_LIT("[]"), NULL), CS_EUPSTREAM);
    assert_null(record);
}

static void test_the_same_answers(void **state)
{
    static const char digits[] = "0123456789";
    struct cs_buf longer = CS_BUF_INIT(CS_AWS_SAME_BYTES + 1);
    struct cs_record record = {.detail = CS_LIT("{\"a\":1}")};
    struct cs_aws_same same;

    (void)state;
    cs_aws_same_init(&same);
    for (size_t i = 0; i < 10; i++) {
        struct cs_view answer = cs_view_of(digits + i, 1);

        assert_null(cs_aws_same_find(&same, answer));
        record.revision = i + 1;
        record.key = answer;
        cs_aws_same_keep(&same, answer, &record);
        assert_int_equal(cs_aws_same_find(&same, answer)->revision, i + 1);
        assert_null(cs_aws_same_find(&same, cs_view_of(digits + i, 2)));
    }
    /* the last few are there, whole and in memory of their own */
    for (size_t i = 0; i < 10; i++) {
        const struct cs_record *found =
            cs_aws_same_find(&same, cs_view_of(digits + i, 1));

        assert_int_equal(found != NULL, i >= 10 - CS_AWS_SAME_ANSWERS);
        if (found == NULL)
            continue;
        assert_true(cs_view_eq(found->key, cs_view_of(digits + i, 1)));
        assert_true(found->key.ptr != digits + i);
        assert_view(found->detail, "{\"a\":1}");
    }
    for (size_t i = 0; i < CS_AWS_SAME_BYTES + 1; i++)
        cs_buf_add_byte(&longer, 'x');
    cs_aws_same_keep(&same, cs_buf_view(&longer), &record);
    assert_null(cs_aws_same_find(&same, cs_buf_view(&longer)));
    assert_non_null(cs_aws_same_find(&same, CS_LIT("9")));
    cs_aws_same_clear(&same);
    assert_null(cs_aws_same_find(&same, CS_LIT("9")));
    cs_buf_clear(&longer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_the_tree), cmocka_unit_test(test_what_was_left_out),
        cmocka_unit_test(test_addresses),        cmocka_unit_test(test_links_of_a_detail),
        cmocka_unit_test(test_broken_detail),    cmocka_unit_test(test_no_record),
        cmocka_unit_test(test_the_same_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
