/* A status that is spread over several keys of its index is listed as if it were not,
 * whatever the number of keys was when a record was written. */
#include "config.h"

#include "aws_server.h"
#include "store/aws_internal.h"

#define RECORDS 45u

static const char *const two[] = {"DYNAMODB_STATUS_SHARDS=2", NULL};
static const char *const five[] = {"DYNAMODB_STATUS_SHARDS=5", NULL};

static int empty(void **state)
{
    (void)state;
    aws_server_empty();
    return 0;
}

/* Three of each time; newest first in the list. */
static void name_of(unsigned number, char key[16], char time[32])
{
    assert_true(snprintf(key, 16, "c%02u", number) > 0);
    assert_true(snprintf(time, 32, "2026-01-01T00:%02u:00.000000Z", number / 3) > 0);
}

static void fill(struct cs_store *store, unsigned from, unsigned step)
{
    char key[16];
    char time[32];

    for (unsigned i = from; i < RECORDS; i += step) {
        name_of(i, key, time);
        create(store, key, "ann", "completed", time);
    }
}

/* All pages, which must show each record once and in order. */
static void assert_listed(struct cs_store *store, size_t limit)
{
    struct cs_list_query query = {
        .index = CS_LIST_STATUS, .value = CS_LIT("completed"), .limit = limit};
    struct cs_record_page page;
    unsigned left = RECORDS;
    char *cursor = NULL;

    do {
        query.cursor = cs_view_cstr(cursor);
        assert_ok(store->ops->list(store, &query, &page, soon(), err));
        free(cursor);
        for (size_t i = 0; i < page.count; i++) {
            char key[16];
            char time[32];

            assert_true(left > 0);
            name_of(--left, key, time);
            assert_view(page.records[i]->key, key);
            assert_view(page.records[i]->status, "completed");
        }
        cursor = page.next_cursor;
        page.next_cursor = NULL;
        cs_record_page_clear(&page);
    } while (cursor != NULL);
    assert_int_equal(left, 0);
}

static void test_lists(void **state)
{
    static const char *const *const settings[] = {NULL, two, five};
    struct cs_store *stores[CS_COUNT(settings)];

    (void)state;
    for (unsigned i = 0; i < CS_COUNT(settings); i++) {
        stores[i] = aws_server_store(settings[i]);
        fill(stores[i], i, CS_COUNT(settings));
        stores[i]->ops->free(stores[i]);
    }
    for (unsigned i = 0; i < CS_COUNT(settings); i++) {
        stores[i] = aws_server_store(settings[i]);
        assert_listed(stores[i], 1);
        assert_listed(stores[i], 7);
        assert_listed(stores[i], RECORDS);
        assert_listed(stores[i], CS_LIST_LIMIT_MAX);
        stores[i]->ops->free(stores[i]);
    }
}

/* Users of the index see the keys, users of the store do not. */
static void test_spread(void **state)
{
    struct cs_store *store = aws_server_store(five);
    struct aws_server server;
    struct cs_record *record;
    bool seen[5] = {false};
    struct cs_json *answer;
    const struct cs_json *items;

    (void)state;
    fill(store, 0, 1);
    assert_ok(store->ops->get(store, text("c07"), &record, soon(), err));
    assert_view(record->status, "completed");
    cs_record_free(record);
    aws_server_open(&server);
    answer = aws_server_ask(&server, "Scan", "{\"TableName\":\"campaigns\"}");
    items = cs_json_get(answer, "Items");
    for (size_t i = 0; i < cs_json_length(items); i++) {
        struct cs_view status = cs_item_text(cs_json_at(items, i), "status");

        if (status.ptr == NULL)
            continue;
        assert_int_equal(status.len, strlen("completed#0"));
        seen[status.ptr[status.len - 1] - '0'] = true;
    }
    for (size_t i = 0; i < CS_COUNT(seen); i++)
        assert_true(seen[i]);
    cs_json_free(answer);
    aws_server_close(&server);
    store->ops->free(store);
}

/* Every key of the index gets its share of the campaigns. */
static void test_share(void **state)
{
    static const size_t shards[] = {1, 2, 5, CS_AWS_STATUS_SHARDS_MAX};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(shards); i++) {
        size_t counts[CS_AWS_STATUS_SHARDS_MAX] = {0};

        for (size_t n = 0; n < 1000 * shards[i]; n++) {
            char key[64];

            assert_true(snprintf(key, sizeof(key), "campaign_20241201_%06zu_%06zu",
                                 n / 60, n * 7919 % 1000000) > 0);
            counts[cs_aws_status_shard_of(cs_view_cstr(key), shards[i])]++;
        }
        for (size_t shard = 0; shard < shards[i]; shard++)
            assert_in_range(counts[shard], 700, 1300);
    }
}

/* A record moves to the present number of keys when it is written again. */
static void test_rewritten(void **state)
{
    struct cs_store *before = aws_server_store(NULL);
    struct cs_store *after = aws_server_store(five);
    struct cs_record *record;

    (void)state;
    fill(before, 0, 1);
    for (unsigned i = 0; i < RECORDS; i += 2) {
        char key[16];
        char time[32];

        name_of(i, key, time);
        assert_ok(after->ops->get(after, text(key), &record, soon(), err));
        assert_ok(write_one(after, CS_WRITE_REPLACE, record, err));
        cs_record_free(record);
    }
    assert_listed(after, 10);
    before->ops->free(before);
    before = aws_server_store(NULL);
    assert_listed(before, 10);
    before->ops->free(before);
    after->ops->free(after);
}

static void test_settings(void **state)
{
    static const char *const bad[] = {"DYNAMODB_STATUS_SHARDS=0",
                                      "DYNAMODB_STATUS_SHARDS=33",
                                      "DYNAMODB_STATUS_SHARDS=many"};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        const char *const settings[] = {bad[i], NULL};
        const struct cs_store_aws_options options = {.bucket_name = "outputs",
                                                     .table_name = "campaigns",
                                                     .setting = aws_server_setting,
                                                     .payload = settings};
        struct cs_err why = CS_ERR_NONE;

        assert_null(cs_store_aws_new(&options, &why));
        assert_string_equal(why.field, "DYNAMODB_STATUS_SHARDS");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lists, empty),
        cmocka_unit_test_setup(test_spread, empty),
        cmocka_unit_test(test_share),
        cmocka_unit_test_setup(test_rewritten, empty),
        cmocka_unit_test_setup(test_settings, empty),
    };
    int missing = aws_server_missing();

    return missing != 0 ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
