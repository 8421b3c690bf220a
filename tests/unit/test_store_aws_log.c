/* Logs in DynamoDB when something came in between: appends that were interrupted, pieces
 * of a campaign that had the same name, and logs of older versions. */
#include "config.h"

#include "aws_server.h"

#define DAY "2026-01-01T00:00:00.000000Z"

struct bench {
    struct cs_store *store;
    struct aws_server server;
};

static int begin(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    aws_server_empty();
    b->store = aws_server_store(NULL);
    aws_server_open(&b->server);
    create(b->store, "a", "ann", "running", DAY);
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

static enum cs_code append(struct bench *b, const char *entry, const char *dedupe)
{
    const struct cs_view entries[] = {text(entry)};

    return b->store->ops->log_append(b->store, CS_LIT("a"), entries, 1, text(dedupe),
                                     soon(), NULL);
}

static void assert_log(struct bench *b, const char *expected)
{
    struct cs_log_page page;

    assert_ok(b->store->ops->log_read(b->store, CS_LIT("a"), CS_LIT(""), 100, &page,
                                      soon(), err));
    assert_view(cs_buf_view(&page.json), expected);
    cs_log_page_clear(&page);
}

/* An append that ended after it had taken its number. */
static void take_number(struct bench *b)
{
    aws_server_do(&b->server, "UpdateItem",
                  "{\"TableName\":\"campaigns\",\"Key\":{\"campaign_id\":{\"S\":\"a\"}},"
                  "\"UpdateExpression\":\"SET log_end = log_end + :two\","
                  "\"ExpressionAttributeValues\":{\":two\":{\"N\":\"2\"}}}");
}

static void put_piece(struct bench *b, const char *number, const char *rest)
{
    struct cs_buf body = CS_BUF_INIT(4096);

    cs_buf_add_fmt(&body,
                   "{\"TableName\":\"campaigns\",\"Item\":{\"campaign_id\":{\"S\":"
                   "\"#store/log-%s/a\"},%s}}",
                   number, rest);
    aws_server_do(&b->server, "PutItem", cs_buf_cstr(&body));
    cs_buf_clear(&body);
}

static size_t items_left(struct bench *b)
{
    struct cs_json *answer =
        aws_server_ask(&b->server, "Scan", "{\"TableName\":\"campaigns\"}");
    size_t count = cs_json_length(cs_json_get(answer, "Items"));

    cs_json_free(answer);
    return count;
}

/* What is counted are the parts that it was appended in, where no memory has it. */
static void erase(struct bench *b, uint64_t entries)
{
    struct cs_record *record;
    uint64_t deleted;

    assert_ok(b->store->ops->get(b->store, CS_LIT("a"), &record, soon(), err));
    assert_ok(erase_one(b->store, record, &deleted, err));
    assert_int_equal(deleted, entries);
    assert_int_equal(items_left(b), 0);
    cs_record_free(record);
}

static void test_gap(void **state)
{
    struct bench *b = *state;

    assert_int_equal(append(b, "1", ""), CS_OK);
    take_number(b);
    assert_int_equal(append(b, "3", ""), CS_OK);
    assert_int_equal(items_left(b), 3);
    assert_log(b, "[1,3]");
    assert_int_equal(items_left(b), 4); /* the gap is closed */
    assert_log(b, "[1,3]");
    assert_int_equal(append(b, "4", "key"), CS_OK);
    take_number(b);
    assert_log(b, "[1,3,4]");
    assert_int_equal(append(b, "5", ""), CS_OK);
    assert_int_equal(append(b, "again", "key"), CS_OK);
    assert_log(b, "[1,3,4,5]");
    erase(b, 4);
}

/* A piece that a reader got the better of takes another number. */
static void test_closed_meanwhile(void **state)
{
    struct bench *b = *state;

    assert_int_equal(append(b, "1", ""), CS_OK);
    put_piece(b, "0000000001",
              "\"of\":{\"S\":\"" DAY "\"},\"count\":{\"N\":\"0\"},"
              "\"entries\":{\"S\":\"[]\"}");
    assert_int_equal(append(b, "2", ""), CS_OK);
    assert_log(b, "[1,2]");
    assert_int_equal(append(b, "3", ""), CS_OK);
    assert_log(b, "[1,2,3]");
    erase(b, 4); /* with the one that was closed */
}

/* What the campaign before left over is never shown. */
static void test_same_name(void **state)
{
    static const char left[] = "\"of\":{\"S\":\"2025-01-01T00:00:00.000000Z\"},"
                               "\"count\":{\"N\":\"1\"},\"entries\":{\"S\":\"[0]\"}";
    struct bench *b = *state;

    put_piece(b, "0000000000", left);
    put_piece(b, "0000000001", left);
    assert_log(b, "[]");
    assert_int_equal(append(b, "1", ""), CS_OK);
    take_number(b);
    assert_log(b, "[1]");
    assert_int_equal(append(b, "2", ""), CS_OK);
    assert_log(b, "[1,2]");
    erase(b, 2);
}

/* The record does not say where its log ends: an item beside it does. */
static void test_older_version(void **state)
{
    struct bench *b = *state;

    put_piece(b, "0000000000", "\"count\":{\"N\":\"2\"},\"entries\":{\"S\":\"[1,2]\"}");
    put_piece(b, "0000000001",
              "\"count\":{\"N\":\"1\"},\"entries\":{\"S\":\"[3]\"},"
              "\"used\":{\"S\":\"#store/used-x/a\"}");
    aws_server_do(&b->server, "PutItem",
                  "{\"TableName\":\"campaigns\",\"Item\":{\"campaign_id\":{\"S\":"
                  "\"#store/log/a\"},\"next\":{\"N\":\"2\"}}}");
    aws_server_do(&b->server, "PutItem",
                  "{\"TableName\":\"campaigns\",\"Item\":{\"campaign_id\":{\"S\":"
                  "\"#store/used-x/a\"}}}");
    b->store->ops->free(b->store); /* with what it remembers of the record */
    b->store = aws_server_store(NULL);
    assert_log(b, "[1,2,3]");
    assert_int_equal(append(b, "4", ""), CS_OK);
    assert_log(b, "[1,2,3,4]");
    assert_int_equal(append(b, "5", "key"), CS_OK);
    assert_log(b, "[1,2,3,4,5]");
    erase(b, 5);
}

/* Its head is the one item that tells of it. */
static void test_older_version_erased(void **state)
{
    struct bench *b = *state;

    put_piece(b, "0000000000", "\"count\":{\"N\":\"2\"},\"entries\":{\"S\":\"[1,2]\"}");
    aws_server_do(&b->server, "PutItem",
                  "{\"TableName\":\"campaigns\",\"Item\":{\"campaign_id\":{\"S\":"
                  "\"#store/log/a\"},\"next\":{\"N\":\"1\"}}}");
    b->store->ops->free(b->store);
    b->store = aws_server_store(NULL);
    erase(b, 2);
}

/* A replace of what was read before the log grew. */
static void test_grown(void **state)
{
    struct bench *b = *state;
    struct cs_record *before, *after;

    for (int round = 0; round < 2; round++) {
        assert_ok(b->store->ops->get(b->store, CS_LIT("a"), &before, soon(), err));
        assert_int_equal(append(b, "1", ""), CS_OK);
        assert_int_equal(write_one(b->store, CS_WRITE_REPLACE, before, NULL),
                         CS_ECONFLICT);
        assert_int_equal(write_one(b->store, CS_WRITE_REPEATABLY, before, NULL),
                         CS_ECONFLICT);
        assert_ok(b->store->ops->get(b->store, CS_LIT("a"), &after, soon(), err));
        assert_ok(write_one(b->store, round == 0 ? CS_WRITE_REPLACE : CS_WRITE_REPEATABLY,
                            after, err));
        cs_record_free(before);
        cs_record_free(after);
    }
    assert_log(b, "[1,1]");
    erase(b, 2);
}

struct told {
    size_t count, removed;
};

static void count_leftover(void *payload, struct cs_view name, bool removed)
{
    struct told *told = payload;

    assert_true(cs_view_starts(name, CS_LIT("#store/")));
    told->count++;
    told->removed += removed;
}

static struct told find_leftovers(struct bench *b, bool repair)
{
    struct told told = {0, 0};

    assert_ok(
        b->store->ops->leftovers(b->store, repair, count_leftover, &told, soon(), err));
    return told;
}

static void assert_leftovers(struct bench *b, size_t count)
{
    struct told told = find_leftovers(b, false);

    assert_int_equal(told.count, count);
    assert_int_equal(told.removed, 0);
    told = find_leftovers(b, true);
    assert_int_equal(told.count, count);
    assert_int_equal(told.removed, count);
    assert_int_equal(find_leftovers(b, true).count, 0);
}

/* A piece that was put after its campaign was deleted; and one after another campaign
 * took the name. What is alive stays, whatever version wrote it. */
static void test_leftovers(void **state)
{
    static const char mine[] = "\"of\":{\"S\":\"" DAY "\"},"
                               "\"count\":{\"N\":\"1\"},\"entries\":{\"S\":\"[0]\"}";
    struct bench *b = *state;
    char key[64];

    assert_leftovers(b, 0);
    assert_int_equal(append(b, "1", ""), CS_OK);
    assert_int_equal(append(b, "2", "key"), CS_OK);
    put_piece(b, "0000000007", "\"count\":{\"N\":\"1\"},\"entries\":{\"S\":\"[3]\"}");
    put_piece(b, "0000000008", "\"of\":{\"S\":\"2025\"}");
    assert_leftovers(b, 1);
    assert_log(b, "[1,2]");

    for (int i = 0; i < 60; i++) { /* of more records than are looked for at once */
        assert_true(snprintf(key, sizeof(key), "c%d", i) > 0);
        create(b->store, key, "ann", "running", DAY);
        assert_ok(b->store->ops->log_append(b->store, text(key),
                                            (struct cs_view[]){text("1")}, 1, CS_LIT(""),
                                            soon(), err));
    }
    assert_leftovers(b, 0);
    aws_server_do(
        &b->server, "DeleteItem",
        "{\"TableName\":\"campaigns\",\"Key\":{\"campaign_id\":{\"S\":\"c7\"}}}");
    aws_server_do(
        &b->server, "DeleteItem",
        "{\"TableName\":\"campaigns\",\"Key\":{\"campaign_id\":{\"S\":\"a\"}}}");
    /* two pieces, a text for dedupe, and the piece without an owner; and c7's */
    assert_leftovers(b, 5);
    assert_int_equal(items_left(b), 2 * 59);

    put_piece(b, "0000000000", mine);
    create(b->store, "a", "ann", "running", "2026-02-02T00:00:00.000000Z");
    assert_int_equal(append(b, "again", ""), CS_OK);
    put_piece(b, "0000000001", mine);
    assert_leftovers(b, 1);
    assert_log(b, "[again]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gap, begin, end),
        cmocka_unit_test_setup_teardown(test_closed_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(test_same_name, begin, end),
        cmocka_unit_test_setup_teardown(test_older_version, begin, end),
        cmocka_unit_test_setup_teardown(test_older_version_erased, begin, end),
        cmocka_unit_test_setup_teardown(test_grown, begin, end),
        cmocka_unit_test_setup_teardown(test_leftovers, begin, end),
    };
    int missing = aws_server_missing();

    return missing != 0 ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
