/* A table that another program made and fills: both indexes show everything, states lie
 * in the items, numbers are decimals. It is read and written without harm. */
#include "config.h"

#include "aws_server.h"
#include "campaign/campaign.h"
#include "campaign/remove.h"
#include "json/edit.h"

static const char table[] =
    "{\"TableName\":\"campaigns\",\"BillingMode\":\"PAY_PER_REQUEST\","
    "\"AttributeDefinitions\":["
    "{\"AttributeName\":\"campaign_id\",\"AttributeType\":\"S\"},"
    "{\"AttributeName\":\"user_id\",\"AttributeType\":\"S\"},"
    "{\"AttributeName\":\"status\",\"AttributeType\":\"S\"},"
    "{\"AttributeName\":\"created_at\",\"AttributeType\":\"S\"}],"
    "\"KeySchema\":[{\"AttributeName\":\"campaign_id\",\"KeyType\":\"HASH\"}],"
    "\"GlobalSecondaryIndexes\":["
    "{\"IndexName\":\"user_campaigns_index\",\"KeySchema\":["
    "{\"AttributeName\":\"user_id\",\"KeyType\":\"HASH\"},"
    "{\"AttributeName\":\"created_at\",\"KeyType\":\"RANGE\"}],"
    "\"Projection\":{\"ProjectionType\":\"ALL\"}},"
    "{\"IndexName\":\"status_created_index\",\"KeySchema\":["
    "{\"AttributeName\":\"status\",\"KeyType\":\"HASH\"},"
    "{\"AttributeName\":\"created_at\",\"KeyType\":\"RANGE\"}],"
    "\"Projection\":{\"ProjectionType\":\"ALL\"}}]}";

/* What stands in an item beside its keys, each as DynamoDB gives it back. */
static const struct {
    const char *name;
    const char *attribute;
} written[] = {
    {"campaign_brief",
     "{\"M\":{\"client\":{\"S\":\"Corner Bakery\"},\"budget\":{\"N\":\"1000.50\"}}}"},
    {"final_state",
     "{\"M\":{\"scores\":{\"L\":[{\"N\":\"0.1\"},{\"N\":\"12345678901234567890\"}]},"
     "\"done\":{\"BOOL\":true},\"nothing\":{\"NULL\":true}}}"},
    {"agents_used", "{\"SS\":[\"copy\",\"strategy\"]}"},
    {"thumbnail", "{\"B\":\"AAECAw==\"}"},
    {"agent_interactions", "{\"L\":[{\"M\":{\"agent\":{\"S\":\"copy\"}}}]}"},
    {"s3_website_url", "{\"S\":\"https://outputs.s3.amazonaws.com/campaigns/old/x\"}"},
    {"odd name \\u00e9", "{\"S\":\"kept\"}"},
};

struct bench {
    struct cs_store *store;
    struct aws_server server;
};

/* An item as the other program writes it, with `filler` bytes in its state. */
static void put_item(struct bench *b, const char *id, size_t filler)
{
    struct cs_buf body = CS_BUF_INIT(1u << 20);

    cs_buf_add_fmt(
        &body,
        "{\"TableName\":\"campaigns\",\"Item\":{\"campaign_id\":{\"S\":\"%s\"},"
        "\"user_id\":{\"S\":\"ann\"},\"status\":{\"S\":\"completed\"},"
        "\"created_at\":{\"S\":\"2024-12-01T12:00:00\"},"
        "\"campaign_name\":{\"S\":\"Product Launch\"},"
        "\"execution_time\":{\"N\":\"200.5\"}",
        id);
    for (size_t i = 0; i < CS_COUNT(written); i++)
        cs_buf_add_fmt(&body, ",\"%s\":%s", written[i].name, written[i].attribute);
    if (filler > 0) {
        char *room;

        cs_buf_add_cstr(&body, ",\"big_state\":{\"S\":\"");
        room = cs_buf_room(&body, filler);
        assert_non_null(room);
        memset(room, 'x', filler);
        cs_buf_grew(&body, filler);
        cs_buf_add_cstr(&body, "\"}");
    }
    cs_buf_add_cstr(&body, "}}");
    assert_ok(cs_buf_check(&body, err));
    aws_server_do(&b->server, "PutItem", cs_buf_cstr(&body));
    cs_buf_clear(&body);
}

/* The item as it stands in the table; freed by cs_json_free(). */
static struct cs_json *raw_item(struct bench *b, const char *id)
{
    struct cs_buf body = CS_BUF_INIT(4096);
    struct cs_json *answer;

    cs_buf_add_fmt(&body,
                   "{\"TableName\":\"campaigns\",\"ConsistentRead\":true,"
                   "\"Key\":{\"campaign_id\":{\"S\":\"%s\"}}}",
                   id);
    answer = aws_server_ask(&b->server, "GetItem", cs_buf_cstr(&body));
    cs_buf_clear(&body);
    return answer;
}

static void assert_attribute(const struct cs_json *answer, const char *name,
                             const char *expected)
{
    struct cs_buf text = CS_BUF_INIT(65536);
    struct cs_buf plain = CS_BUF_INIT(1024);

    cs_json_unescape(&plain, cs_view_cstr(name));
    cs_json_write_node(&text,
                       cs_json_get(cs_json_get(answer, "Item"), cs_buf_cstr(&plain)));
    assert_string_equal(cs_buf_cstr(&text), expected);
    cs_buf_clear(&text);
    cs_buf_clear(&plain);
}

static int begin(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    aws_server_empty();
    b->store = aws_server_store(NULL);
    aws_server_open(&b->server);
    aws_server_do(&b->server, "CreateTable", table);
    put_item(b, "old", 0);
    *state = b;
    return 0;
}

static int end(void **state)
{
    struct bench *b = *state;

    aws_server_close(&b->server);
    b->store->ops->free(b->store);
    free(b);
    return 0;
}

static struct cs_record *get(struct bench *b, const char *id)
{
    struct cs_record *record;

    assert_ok(b->store->ops->get(b->store, text(id), &record, soon(), err));
    return record;
}

static void test_read(void **state)
{
    struct bench *b = *state;
    struct cs_record *record = get(b, "old");

    assert_int_equal(record->revision, 0);
    assert_view(record->user_id, "ann");
    assert_view(record->status, "completed");
    assert_view(record->created_at, "2024-12-01T12:00:00");
    assert_view(record->summary,
                "{\"campaign_id\":\"old\",\"user_id\":\"ann\",\"status\":\"completed\","
                "\"created_at\":\"2024-12-01T12:00:00.000000Z\","
                "\"updated_at\":\"2024-12-01T12:00:00.000000Z\","
                "\"campaign_name\":\"Product Launch\",\"execution_time\":200.5}");
    assert_view(cs_json_slice(record->detail, "final_state"),
                "{\"scores\":[0.1,12345678901234567890],\"done\":true,\"nothing\":null}");
    assert_view(cs_json_slice(record->detail, "agents_used"), "[\"copy\",\"strategy\"]");
    assert_view(cs_json_slice(record->detail, "thumbnail"), "\"AAECAw==\"");
    cs_record_free(record);
}

static void test_lists(void **state)
{
    static const struct {
        enum cs_list_index index;
        const char *value;
    } cases[] = {{CS_LIST_USER, "ann"}, {CS_LIST_STATUS, "completed"}};
    struct bench *b = *state;

    create(b->store, "new", "ann", "completed", "2026-01-01T00:00:00.000000Z");
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        const struct cs_list_query query = {
            .index = cases[i].index, .value = text(cases[i].value), .limit = 10};
        struct cs_record_page page;

        assert_ok(b->store->ops->list(b->store, &query, &page, soon(), err));
        assert_int_equal(page.count, 2);
        assert_view(page.records[0]->key, "new");
        assert_view(page.records[1]->key, "old");
        assert_int_equal(page.records[1]->detail.len, 0);
        cs_record_page_clear(&page);
    }
}

/* Changes it as the domain does: members set or removed, all the rest as it was read. */
static void edit(struct bench *b, const char *id, const struct cs_json_change *changes,
                 size_t count)
{
    struct cs_record *record = get(b, id);
    struct cs_record next = *record;
    struct cs_buf detail = CS_BUF_INIT(1u << 20);

    cs_json_edit(&detail, record->detail, changes, count);
    next.detail = cs_buf_view(&detail);
    next.status = CS_LIT("failed");
    assert_ok(write_one(b->store, CS_WRITE_REPLACE, &next, err));
    cs_buf_clear(&detail);
    cs_record_free(record);
}

static void test_write(void **state)
{
    struct bench *b = *state;
    struct cs_record *before = get(b, "old");
    struct cs_record *after;
    struct cs_json *item;

    for (int round = 0; round < 3; round++) {
        edit(b, "old", NULL, 0);
        item = raw_item(b, "old");
        for (size_t i = 0; i < CS_COUNT(written); i++)
            assert_attribute(item, written[i].name, written[i].attribute);
        assert_attribute(item, "status", "{\"S\":\"failed\"}");
        assert_attribute(item, "created_at", "{\"S\":\"2024-12-01T12:00:00\"}");
        assert_attribute(item, "execution_time", "{\"N\":\"200.5\"}");
        assert_attribute(item, "detail", "{\"S\":\"{}\"}");
        cs_json_free(item);
        after = get(b, "old");
        assert_int_equal(after->revision, round + 1);
        assert_true(cs_view_eq(after->summary, before->summary));
        /* in another order, perhaps */
        assert_int_equal(after->detail.len, before->detail.len);
        cs_record_free(after);
    }
    cs_record_free(before);
}

static void test_changed_member(void **state)
{
    static const struct cs_json_change changes[] = {
        {"final_state", CS_LIT_INIT("{\"done\":false}")},
        {"agents_used", {NULL, 0}},
        {"files", CS_LIT_INIT("{\"pdf\":{}}")}};
    struct bench *b = *state;
    struct cs_record *record;
    struct cs_json *item;

    edit(b, "old", changes, CS_COUNT(changes));
    edit(b, "old", NULL, 0);
    item = raw_item(b, "old");
    assert_attribute(item, "campaign_brief", written[0].attribute);
    assert_attribute(item, "thumbnail", written[3].attribute);
    assert_null(cs_json_get(cs_json_get(item, "Item"), "agents_used"));
    assert_null(cs_json_get(cs_json_get(item, "Item"), "final_state"));
    cs_json_free(item);
    record = get(b, "old");
    assert_view(cs_json_slice(record->detail, "final_state"), "{\"done\":false}");
    assert_view(cs_json_slice(record->detail, "files"), "{\"pdf\":{}}");
    assert_null(cs_json_slice(record->detail, "agents_used").ptr);
    assert_view(cs_json_slice(record->detail, "thumbnail"), "\"AAECAw==\"");
    cs_record_free(record);
}

/* What another program adds to an item of ours is kept, too. */
static void test_added_attribute(void **state)
{
    struct bench *b = *state;
    struct cs_json *item;

    create(b->store, "new", "ann", "running", "2026-01-01T00:00:00.000000Z");
    aws_server_do(
        &b->server, "UpdateItem",
        "{\"TableName\":\"campaigns\",\"Key\":{\"campaign_id\":{\"S\":\"new\"}},"
        "\"UpdateExpression\":\"SET labels = :l\",\"ExpressionAttributeValues\":"
        "{\":l\":{\"SS\":[\"a\",\"b\"]}}}");
    edit(b, "new", NULL, 0);
    item = raw_item(b, "new");
    assert_attribute(item, "labels", "{\"SS\":[\"a\",\"b\"]}");
    assert_attribute(item, "detail", "{\"S\":\"{\\\"brief\\\":\\\"detail\\\"}\"}");
    cs_json_free(item);
}

/* Near the 400 KB that an item may have: more than a record of ours may hold. */
static void test_big(void **state)
{
    struct bench *b = *state;
    struct cs_campaigns campaigns = {.store = b->store};
    const struct cs_call call = {
        .user_id = CS_LIT("ann"), .now_us = 1, .deadline = soon()};
    struct cs_removal removal;
    struct cs_record *record;

    put_item(b, "big", 380u * 1024u);
    record = get(b, "big");
    assert_true(record->detail.len > CS_RECORD_BYTES_MAX);
    cs_record_free(record);
    edit(b, "big", NULL, 0);
    assert_ok(cs_campaign_remove(&campaigns, &call, CS_LIT("big"), &removal, err));
    assert_true(removal.objects_ok && removal.records_ok);
    assert_int_equal(b->store->ops->get(b->store, text("big"), &record, soon(), NULL),
                     CS_ENOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read, begin, end),
        cmocka_unit_test_setup_teardown(test_lists, begin, end),
        cmocka_unit_test_setup_teardown(test_write, begin, end),
        cmocka_unit_test_setup_teardown(test_changed_member, begin, end),
        cmocka_unit_test_setup_teardown(test_added_attribute, begin, end),
        cmocka_unit_test_setup_teardown(test_big, begin, end),
    };
    int missing = aws_server_missing();

    return missing != 0 ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
