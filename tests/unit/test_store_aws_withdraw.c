/* A record is withdrawn without a look at it, where it is as asked, and counts until it
 * is erased. */
#include "config.h"

#include "aws_server.h"
#include "store/aws_internal.h"

#define NOW       1733054400000000
#define CREATED   "2024-12-01T12:00:00.000000Z"
#define ITEM_ROOM (1u << 20)

#define SUMMARY                                                                      \
    "{\"campaign_id\":\"c\",\"user_id\":\"ann\",\"status\":\"completed\",\"created_" \
    "at\":"                                                                          \
    "\"" CREATED "\",\"campaign_name\":\"A\"}"
#define DETAIL "{\"files\":{\"pdf\":{\"bucket\":\"outputs\",\"key\":\"c/pdf\"}}}"

struct bench {
    struct cs_store *store;
    struct aws_server server;
};

static const char *const five[] = {"DYNAMODB_STATUS_SHARDS=5", NULL};

static struct bench *open_bench(aws_server_settings settings)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    aws_server_empty();
    b->store = aws_server_store(settings);
    aws_server_open(&b->server);
    return b;
}

static int begin(void **state)
{
    *state = open_bench(NULL);
    return 0;
}

static int begin_spread(void **state)
{
    *state = open_bench(five);
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

/* The deltas that the record is counted by. */
static const struct cs_delta counted[] = {
    {CS_LIT_INIT("stats"), CS_LIT_INIT("total"), 1},
    {CS_LIT_INIT("user/ann"), CS_LIT_INIT("total"), 1}};
static const struct cs_delta uncounted[] = {
    {CS_LIT_INIT("stats"), CS_LIT_INIT("total"), -1},
    {CS_LIT_INIT("user/ann"), CS_LIT_INIT("total"), -1}};

static void make(struct bench *b, int64_t expires_at_us)
{
    const struct cs_record record = {.key = CS_LIT("c"),
                                     .user_id = CS_LIT("ann"),
                                     .status = CS_LIT("completed"),
                                     .created_at = CS_LIT(CREATED),
                                     .expires_at_us = expires_at_us,
                                     .summary = CS_LIT(SUMMARY),
                                     .detail = CS_LIT(DETAIL)};
    const struct cs_write write = {CS_WRITE_CREATE, &record};
    const struct cs_transaction transaction = {&write, 1, counted, CS_COUNT(counted)};

    assert_ok(b->store->ops->commit(b->store, &transaction, soon(), err));
}

static const struct cs_withdrawal of_ann = {.key = CS_LIT_INIT("c"),
                                            .user_id = CS_LIT_INIT("ann"),
                                            .status = CS_LIT_INIT("deleting"),
                                            .now_us = NOW};

static enum cs_code withdraw(struct bench *b, const struct cs_withdrawal *withdrawal,
                             struct cs_record **out)
{
    return b->store->ops->withdraw(b->store, withdrawal, out, soon(), NULL);
}

static void assert_refused(struct bench *b, const struct cs_withdrawal *withdrawal)
{
    struct cs_record *record;

    assert_int_equal(withdraw(b, withdrawal, &record), CS_ECONFLICT);
    assert_null(record);
}

static struct cs_record *get(struct bench *b)
{
    struct cs_record *record;

    assert_ok(b->store->ops->get(b->store, CS_LIT("c"), &record, soon(), err));
    return record;
}

/* The record as it stands there, as it was before, or as it is since. */
static void assert_record(const struct cs_record *record, uint64_t revision, bool since)
{
    assert_int_equal(record->revision, revision);
    assert_view(record->user_id, since ? "" : "ann");
    assert_view(record->status, since ? "deleting" : "completed");
    assert_view(record->withdrawn_user_id, since ? "ann" : "");
    assert_view(record->withdrawn_status, since ? "completed" : "");
    assert_view(record->created_at, CREATED);
    assert_view(record->summary, SUMMARY);
    assert_view(record->detail, DETAIL);
}

static void assert_stands(struct bench *b, uint64_t revision, bool since)
{
    struct cs_record *record = get(b);

    assert_record(record, revision, since);
    cs_record_free(record);
}

static size_t count_listed(struct bench *b, enum cs_list_index index, const char *value)
{
    const struct cs_list_query query = {
        .index = index, .value = text(value), .limit = CS_LIST_LIMIT_MAX};
    struct cs_record_page page;
    size_t count;

    assert_ok(b->store->ops->list(b->store, &query, &page, soon(), err));
    count = page.count;
    if (index == CS_LIST_ALL && count == 1)
        assert_record(page.records[0], page.records[0]->revision,
                      page.records[0]->user_id.len == 0);
    cs_record_page_clear(&page);
    return count;
}

static void assert_totals(struct bench *b, int64_t expected)
{
    assert_int_equal(counter(b->store, "stats", "total"), expected);
    assert_int_equal(counter(b->store, "user/ann", "total"), expected);
}

static enum cs_code erase(struct bench *b, const struct cs_record *record)
{
    const struct cs_write write = {CS_WRITE_DELETE, record};
    const struct cs_transaction transaction = {&write, 1, uncounted, CS_COUNT(uncounted)};
    uint64_t entries;

    return b->store->ops->erase(b->store, &transaction, &entries, soon(), NULL);
}

static void test_life(void **state)
{
    struct bench *b = *state;
    struct cs_record *before, *again;
    struct cs_record after;

    make(b, 0);
    assert_ok(b->store->ops->withdraw(b->store, &of_ann, &before, soon(), err));
    assert_record(before, 1, false);
    after = cs_record_withdrawn(before, of_ann.status);
    assert_record(&after, 2, true);
    assert_stands(b, 2, true);
    assert_int_equal(count_listed(b, CS_LIST_USER, "ann"), 0);
    assert_int_equal(count_listed(b, CS_LIST_STATUS, "completed"), 0);
    assert_int_equal(count_listed(b, CS_LIST_STATUS, "deleting"), 1);
    assert_int_equal(count_listed(b, CS_LIST_ALL, ""), 1);
    assert_totals(b, 1);

    /* as after an answer that was lost, or by somebody else */
    assert_refused(b, &of_ann);
    assert_stands(b, 2, true);
    assert_int_equal(erase(b, before), CS_ECONFLICT);
    assert_totals(b, 1);
    assert_int_equal(erase(b, &after), CS_OK);
    assert_int_equal(b->store->ops->get(b->store, CS_LIT("c"), &again, soon(), NULL),
                     CS_ENOTFOUND);
    assert_totals(b, 0);
    assert_int_equal(erase(b, &after), CS_ECONFLICT);
    assert_totals(b, 0);
    cs_record_free(before);
}

static void test_refusals(void **state)
{
    struct bench *b = *state;
    struct cs_withdrawal withdrawal = of_ann;
    struct cs_record *before;

    assert_refused(b, &of_ann); /* without a table, which it does not make */
    make(b, NOW + 1);
    withdrawal.key = CS_LIT("d");
    assert_refused(b, &withdrawal);
    withdrawal.anyones = true;
    assert_refused(b, &withdrawal);
    withdrawal = of_ann;
    withdrawal.user_id = CS_LIT("bob");
    assert_refused(b, &withdrawal);
    withdrawal.user_id = CS_LIT("");
    assert_refused(b, &withdrawal);
    withdrawal = of_ann;
    withdrawal.now_us = NOW + 1;
    assert_refused(b, &withdrawal);
    assert_stands(b, 1, false);
    assert_int_equal(count_listed(b, CS_LIST_USER, "ann"), 1);

    withdrawal = of_ann;
    withdrawal.user_id = CS_LIT("root");
    withdrawal.anyones = true;
    assert_int_equal(withdraw(b, &withdrawal, &before), CS_OK);
    assert_record(before, 1, false);
    cs_record_free(before);
    assert_refused(b, &withdrawal);
    assert_stands(b, 2, true);
}

/* No reader is led to its objects any more. */
static void test_what_the_item_tells(void **state)
{
    struct bench *b = *state;
    struct cs_json *answer;
    struct cs_record *before;
    const struct cs_json *item;

    make(b, 0);
    assert_int_equal(withdraw(b, &of_ann, &before), CS_OK);
    cs_record_free(before);
    answer = aws_server_ask(&b->server, "Scan",
                            "{\"TableName\":\"campaigns\",\"FilterExpression\":"
                            "\"campaign_id = :c\",\"ExpressionAttributeValues\":"
                            "{\":c\":{\"S\":\"c\"}}}");
    assert_int_equal(cs_json_length(cs_json_get(answer, "Items")), 1);
    item = cs_json_at(cs_json_get(answer, "Items"), 0);
    assert_null(cs_json_get(item, "user_id"));
    assert_null(cs_json_get(item, "s3_pdf_url"));
    assert_view(cs_item_text(item, "status"), "deleting");
    assert_view(cs_item_text(item, "summary"), ",\"campaign_name\":\"A\"}");
    cs_json_free(answer);
}

/* It is written again as it was read. */
static void test_written_again(void **state)
{
    struct bench *b = *state;
    struct cs_record *record;

    make(b, 0);
    assert_int_equal(withdraw(b, &of_ann, &record), CS_OK);
    cs_record_free(record);
    record = get(b);
    assert_ok(write_one(b->store, CS_WRITE_REPLACE, record, err));
    cs_record_free(record);
    assert_stands(b, 3, true);
}

/* What this worker remembers, from before or from its own doing, is no other. */
static void test_memory(void **state)
{
    struct bench *b = *state;
    struct cs_recall recall;
    struct cs_record *before;

    make(b, 0);
    assert_int_equal(withdraw(b, &of_ann, &before), CS_OK);
    assert_ok(b->store->ops->recall(b->store, CS_LIT("c"), &recall, err));
    assert_record(recall.record, 2, true);
    assert_true(recall.whole);
    cs_recall_clear(&recall);
    assert_int_equal(erase(b, before), CS_ECONFLICT);
    assert_int_equal(b->store->ops->recall(b->store, CS_LIT("c"), &recall, NULL),
                     CS_ENOTFOUND);
    cs_record_free(before);
    assert_refused(b, &of_ann);
    assert_int_equal(b->store->ops->recall(b->store, CS_LIT("c"), &recall, NULL),
                     CS_ENOTFOUND);
}

static size_t count_it(void *payload, const struct cs_record *record,
                       struct cs_delta *deltas_out)
{
    (void)payload;
    assert_view(record->withdrawn_user_id, "ann");
    memcpy(deltas_out, counted, sizeof(counted));
    return CS_COUNT(counted);
}

static void test_recount(void **state)
{
    struct bench *b = *state;
    struct cs_record *before;

    make(b, 0);
    assert_int_equal(withdraw(b, &of_ann, &before), CS_OK);
    cs_record_free(before);
    assert_ok(add_to(b->store, "stats", "total", 5, err));
    assert_ok(b->store->ops->recount(b->store, count_it, NULL, soon(), err));
    assert_totals(b, 1);
}

/* A log of more parts than a transaction can delete beside the counters. */
static void test_with_a_long_log(void **state)
{
    struct bench *b = *state;
    const struct cs_view entry = CS_LIT("{}");
    struct cs_record *before;
    struct cs_record after;

    make(b, 0);
    for (int i = 0; i < 98; i++)
        assert_ok(b->store->ops->log_append(b->store, CS_LIT("c"), &entry, 1, CS_LIT(""),
                                            soon(), err));
    assert_int_equal(withdraw(b, &of_ann, &before), CS_OK);
    after = cs_record_withdrawn(before, of_ann.status);
    assert_int_equal(erase(b, &after), CS_OK);
    assert_totals(b, 0);
    cs_record_free(before);
}

/* ---- items that another program wrote ---- */

static void put_item(struct bench *b, const char *attributes, size_t filler)
{
    struct cs_buf body = CS_BUF_INIT(ITEM_ROOM);
    char *room;

    cs_buf_add_fmt(&body,
                   "{\"TableName\":\"campaigns\",\"Item\":{\"campaign_id\":{\"S\":\"f\"},"
                   "\"user_id\":{\"S\":\"ann\"},\"created_at\":"
                   "{\"S\":\"2024-12-01T12:00:00\"}%s,\"filler\":{\"S\":\"x",
                   attributes);
    room = cs_buf_room(&body, filler);
    assert_non_null(room);
    memset(room, 'x', filler);
    cs_buf_grew(&body, filler);
    cs_buf_add_cstr(&body, "\"}}}");
    assert_ok(cs_buf_check(&body, err));
    aws_server_do(&b->server, "PutItem", cs_buf_cstr(&body));
    cs_buf_clear(&body);
}

static void test_of_another_program(void **state)
{
    struct bench *b = *state;
    struct cs_withdrawal withdrawal = of_ann;
    struct cs_record *before, *after;

    make(b, 0);
    withdrawal.key = CS_LIT("f");
    put_item(b,
             ",\"status\":{\"S\":\"completed\"},\"execution_time\":{\"N\":\"2.5\"},"
             "\"s3_pdf_url\":{\"S\":\"https://outputs.s3.amazonaws.com/f\"}",
             0);
    assert_int_equal(withdraw(b, &withdrawal, &before), CS_OK);
    assert_int_equal(before->revision, 0);
    assert_view(before->user_id, "ann");
    assert_true(cs_view_find(before->detail, CS_LIT("s3_pdf_url")) != SIZE_MAX);
    cs_record_free(before);
    assert_ok(b->store->ops->get(b->store, withdrawal.key, &after, soon(), err));
    assert_int_equal(after->revision, 1);
    assert_view(after->withdrawn_user_id, "ann");
    assert_view(after->withdrawn_status, "completed");
    assert_true(cs_view_starts(after->summary,
                               CS_LIT("{\"campaign_id\":\"f\",\"user_id\":\"ann\","
                                      "\"status\":\"completed\"")));
    assert_true(cs_view_find(after->summary, CS_LIT("\"execution_time\":2.5")) !=
                SIZE_MAX);
    assert_int_equal(erase(b, after), CS_OK);
    cs_record_free(after);
    assert_totals(b, 0);
}

/* Those it leaves to somebody who looks at them. */
static void test_odd_items(void **state)
{
    static const struct {
        const char *attributes;
        size_t filler;
    } cases[] = {
        {"", 0},
        {",\"status\":{\"S\":\"completed\"},\"revision\":{\"S\":\"first\"}", 0},
        {",\"status\":{\"S\":\"c\"}", 404920u}, /* all that the stand-in takes */
    };
    struct bench *b = *state;
    struct cs_withdrawal withdrawal = of_ann;

    make(b, 0);
    withdrawal.key = CS_LIT("f");
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        put_item(b, cases[i].attributes, cases[i].filler);
        assert_refused(b, &withdrawal);
        assert_int_equal(count_listed(b, CS_LIST_USER, "ann"), 2);
    }
}

/* A worker that has written nothing yet has told the table of no shards, and needs no
 * call for that. */
static void test_spread(void **state)
{
    struct bench *b = *state;
    struct cs_store *other = aws_server_store(five);
    struct cs_record *before;

    make(b, 0);
    assert_ok(other->ops->withdraw(other, &of_ann, &before, soon(), err));
    assert_record(before, 1, false);
    cs_record_free(before);
    other->ops->free(other);
    assert_stands(b, 2, true);
    assert_int_equal(count_listed(b, CS_LIST_STATUS, "completed"), 0);
    assert_int_equal(count_listed(b, CS_LIST_STATUS, "deleting"), 1);
}

static void test_spread_by_a_worker_that_wrote(void **state)
{
    struct bench *b = *state;
    struct cs_withdrawal withdrawal = of_ann;
    struct cs_record *before;

    make(b, 0);
    withdrawal.status = CS_LIT("deleting#1");
    assert_int_equal(withdraw(b, &withdrawal, &before), CS_EINVAL);
    assert_int_equal(withdraw(b, &of_ann, &before), CS_OK);
    assert_record(before, 1, false);
    cs_record_free(before);
    assert_stands(b, 2, true);
    assert_int_equal(count_listed(b, CS_LIST_STATUS, "deleting"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, begin, end),
        cmocka_unit_test_setup_teardown(test_life, begin_spread, end),
        cmocka_unit_test_setup_teardown(test_refusals, begin, end),
        cmocka_unit_test_setup_teardown(test_what_the_item_tells, begin, end),
        cmocka_unit_test_setup_teardown(test_written_again, begin, end),
        cmocka_unit_test_setup_teardown(test_memory, begin, end),
        cmocka_unit_test_setup_teardown(test_recount, begin, end),
        cmocka_unit_test_setup_teardown(test_with_a_long_log, begin, end),
        cmocka_unit_test_setup_teardown(test_of_another_program, begin, end),
        cmocka_unit_test_setup_teardown(test_odd_items, begin, end),
        cmocka_unit_test_setup_teardown(test_spread, begin_spread, end),
        cmocka_unit_test_setup_teardown(test_spread_by_a_worker_that_wrote, begin_spread,
                                        end),
    };
    int missing = aws_server_missing();

    return missing != 0 ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
