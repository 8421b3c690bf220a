/* What every store must do with records, transactions and counters. */
#include "config.h"

#include "store_suite.h"

/* ---- life ---- */

static void test_init(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_buf report = CS_BUF_INIT(65536);
    struct cs_store_health health;

    for (int i = 0; i < 2; i++) {
        cs_buf_reset(&report);
        assert_ok(store->ops->init(store, &report, soon(), err));
        assert_true(report.len > 0);
        assert_int_equal(report.ptr[report.len - 1], '\n');
    }
    store->ops->health(store, &health, soon());
    if (!health.objects_ok || !health.records_ok)
        fail_msg("%s; %s", health.objects_text, health.records_text);
    assert_true(store->ops->names(store)->kind.len > 0);
    assert_view(store->ops->names(store)->bucket_name, "outputs");
    assert_view(store->ops->names(store)->table_name, "campaigns");
    cs_buf_clear(&report);
}

/* ---- records ---- */

static void test_record_life(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_record written =
        record_of("campaign_1", "alice", "running", "2024-01-01T00:00Z");
    struct cs_record *read;

    written.expires_at_us = 1234567890123456;
    assert_int_equal(store->ops->get(store, written.key, &read, soon(), NULL),
                     CS_ENOTFOUND);
    assert_null(read);
    assert_ok(write_one(store, CS_WRITE_CREATE, &written, err));
    assert_int_equal(write_one(store, CS_WRITE_CREATE, &written, NULL), CS_EEXISTS);

    assert_ok(store->ops->get(store, written.key, &read, soon(), err));
    assert_view(read->key, "campaign_1");
    assert_view(read->user_id, "alice");
    assert_view(read->status, "running");
    assert_view(read->created_at, "2024-01-01T00:00Z");
    assert_view(read->summary, "{\"name\":\"summary\"}");
    assert_view(read->detail, "{\"brief\":\"detail\"}");
    assert_true(read->expires_at_us == 1234567890123456);
    assert_int_equal(read->revision, 1);

    read->status = CS_LIT("completed");
    read->summary = CS_LIT("{}");
    read->detail = CS_LIT("{\"brief\":\"other\"}");
    assert_ok(write_one(store, CS_WRITE_REPLACE, read, err));
    /* the same revision once more: somebody was quicker */
    assert_int_equal(write_one(store, CS_WRITE_REPLACE, read, NULL), CS_ECONFLICT);
    assert_int_equal(write_one(store, CS_WRITE_DELETE, read, NULL), CS_ECONFLICT);
    cs_record_free(read);

    assert_ok(store->ops->get(store, written.key, &read, soon(), err));
    assert_int_equal(read->revision, 2);
    assert_view(read->status, "completed");
    assert_view(read->summary, "{}");
    assert_view(read->detail, "{\"brief\":\"other\"}");
    assert_ok(write_one(store, CS_WRITE_REPEATABLY, read, err));
    assert_int_equal(write_one(store, CS_WRITE_REPEATABLY, read, NULL), CS_ECONFLICT);
    read->revision++;
    assert_ok(write_one(store, CS_WRITE_DELETE, read, err));
    assert_int_equal(write_one(store, CS_WRITE_DELETE, read, NULL), CS_ECONFLICT);
    assert_int_equal(write_one(store, CS_WRITE_REPLACE, read, NULL), CS_ECONFLICT);
    cs_record_free(read);
    assert_int_equal(store->ops->get(store, written.key, &read, soon(), NULL),
                     CS_ENOTFOUND);

    /* the key is free again, and nothing of the first one is left */
    written.detail = CS_LIT("");
    assert_ok(write_one(store, CS_WRITE_CREATE, &written, err));
    assert_ok(store->ops->get(store, written.key, &read, soon(), err));
    assert_int_equal(read->revision, 1);
    assert_int_equal(read->detail.len, 0);
    cs_record_free(read);
}

static void test_record_without_lists(void **state)
{
    struct cs_store *store = store_of(state);
    const struct cs_record record = {.key = CS_LIT("#upload/1"), .summary = CS_LIT("{}")};
    struct cs_record *read;

    assert_ok(write_one(store, CS_WRITE_CREATE, &record, err));
    assert_ok(store->ops->get(store, record.key, &read, soon(), err));
    assert_int_equal(read->user_id.len + read->status.len + read->created_at.len, 0);
    assert_int_equal(read->expires_at_us, 0);
    cs_record_free(read);
}

static void test_record_limits(void **state)
{
    struct cs_store *store = store_of(state);
    static char big[CS_RECORD_BYTES_MAX + 1];
    struct cs_record record = record_of("campaign_1", "alice", "running", "2024");
    struct cs_record *read;

    memset(big, 'x', sizeof(big));
    record.detail = cs_view_of(big, CS_RECORD_BYTES_MAX - record.summary.len + 1);
    assert_int_equal(write_one(store, CS_WRITE_CREATE, &record, NULL), CS_ETOOBIG);
    record.detail.len--;
    assert_ok(write_one(store, CS_WRITE_CREATE, &record, err));
    assert_ok(store->ops->get(store, record.key, &read, soon(), err));
    assert_true(cs_view_eq(read->detail, record.detail));
    cs_record_free(read);

    record.key = CS_LIT("campaign_2");
    record.summary = cs_view_of(big, CS_SUMMARY_BYTES_MAX + 1);
    record.detail = CS_LIT("");
    assert_int_equal(write_one(store, CS_WRITE_CREATE, &record, NULL), CS_ETOOBIG);
    record.summary.len--;
    record.key = cs_view_of(big, CS_RECORD_KEY_MAX + 1);
    assert_int_equal(write_one(store, CS_WRITE_CREATE, &record, NULL), CS_EINVAL);
    record.key.len--;
    assert_ok(write_one(store, CS_WRITE_CREATE, &record, err));
}

static void test_hostile_record_keys(void **state)
{
    struct cs_store *store = store_of(state);
    static const struct cs_view bad[] = {
        CS_LIT_INIT(""),      CS_LIT_INIT("a\0b"), CS_LIT_INIT("a\nb"),
        CS_LIT_INIT("a\177"), CS_LIT_INIT("\xff"), CS_LIT_INIT("\xed\xa0\x80"),
    };
    static const char *const odd[] = {
        "' OR 1=1 --", "\"; DROP TABLE record", "%", "_", "é", "..", "a/b", "#", "?1"};
    struct cs_record *read;

    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        struct cs_record record = record_of("x", "alice", "running", "2024");

        record.key = bad[i];
        assert_int_equal(write_one(store, CS_WRITE_CREATE, &record, NULL), CS_EINVAL);
        assert_int_equal(store->ops->get(store, bad[i], &read, soon(), NULL), CS_EINVAL);
        assert_null(read);
    }
    for (size_t i = 0; i < CS_COUNT(odd); i++)
        create(store, odd[i], odd[i], odd[i], "2024");
    for (size_t i = 0; i < CS_COUNT(odd); i++) {
        assert_ok(store->ops->get(store, text(odd[i]), &read, soon(), err));
        assert_view(read->key, odd[i]);
        assert_view(read->user_id, odd[i]);
        cs_record_free(read);
    }
}

static void test_consecutive_revisions(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_record record = record_of("campaign_1", "alice", "running", "2024");
    struct cs_record *read;

    assert_ok(write_one(store, CS_WRITE_CREATE, &record, err));
    for (record.revision = 1; record.revision <= 20; record.revision++)
        assert_ok(write_one(store, CS_WRITE_REPLACE, &record, err));
    assert_ok(store->ops->get(store, record.key, &read, soon(), err));
    assert_int_equal(read->revision, 21);
    cs_record_free(read);
}

/* ---- transactions ---- */

static void test_all_or_nothing(void **state)
{
    struct cs_store *store = store_of(state);
    const struct cs_record first = record_of("a", "alice", "running", "2024");
    const struct cs_record second = record_of("b", "alice", "running", "2024");
    struct cs_record third = record_of("c", "alice", "running", "2024");
    const struct cs_write writes[] = {{CS_WRITE_CREATE, &first},
                                      {CS_WRITE_CREATE, &second},
                                      {CS_WRITE_REPLACE, &third}};
    const struct cs_delta deltas[] = {{CS_LIT("stats"), CS_LIT("running"), 3},
                                      {CS_LIT("stats"), CS_LIT("total"), 3}};
    struct cs_transaction transaction = {writes, 3, deltas, 2};
    struct cs_record *read;

    /* c is not there: nothing happens at all */
    assert_int_equal(store->ops->commit(store, &transaction, soon(), NULL), CS_ECONFLICT);
    assert_int_equal(store->ops->get(store, first.key, &read, soon(), NULL),
                     CS_ENOTFOUND);
    assert_int_equal(counter(store, "stats", "running"), 0);

    transaction.write_count = 2;
    assert_ok(store->ops->commit(store, &transaction, soon(), err));
    assert_int_equal(counter(store, "stats", "running"), 3);
    assert_int_equal(store->ops->commit(store, &transaction, soon(), NULL), CS_EEXISTS);
    assert_int_equal(counter(store, "stats", "running"), 3);
    assert_int_equal(counter(store, "stats", "total"), 3);

    /* a delete and a create in one */
    third.revision = 0;
    {
        struct cs_record old = first;
        const struct cs_write swap[] = {{CS_WRITE_CREATE, &third},
                                        {CS_WRITE_DELETE, &old}};
        const struct cs_transaction exchange = {swap, 2, NULL, 0};

        assert_int_equal(store->ops->commit(store, &exchange, soon(), NULL),
                         CS_ECONFLICT);
        assert_int_equal(store->ops->get(store, third.key, &read, soon(), NULL),
                         CS_ENOTFOUND);
        old.revision = 1;
        assert_ok(store->ops->commit(store, &exchange, soon(), err));
        assert_int_equal(store->ops->get(store, first.key, &read, soon(), NULL),
                         CS_ENOTFOUND);
        assert_ok(store->ops->get(store, third.key, &read, soon(), err));
        cs_record_free(read);
    }
}

static void test_transaction_limits(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_record records[11];
    struct cs_write writes[11];
    struct cs_delta deltas[41];
    static const char *const names[] = {"a", "b", "c", "d", "e", "f",
                                        "g", "h", "i", "j", "k"};
    struct cs_transaction transaction = {writes, 11, deltas, 40};

    for (size_t i = 0; i < CS_COUNT(records); i++) {
        records[i] = record_of(names[i], "alice", "running", "2024");
        writes[i] = (struct cs_write){CS_WRITE_CREATE, &records[i]};
    }
    for (size_t i = 0; i < CS_COUNT(deltas); i++)
        deltas[i] = (struct cs_delta){CS_LIT("stats"), CS_LIT("n"), 1};
    assert_int_not_equal(store->ops->commit(store, &transaction, soon(), NULL), CS_OK);
    transaction.write_count = 10;
    transaction.delta_count = 41;
    assert_int_not_equal(store->ops->commit(store, &transaction, soon(), NULL), CS_OK);
    transaction.delta_count = 40;
    writes[9] = writes[0]; /* one key twice */
    assert_int_not_equal(store->ops->commit(store, &transaction, soon(), NULL), CS_OK);
    writes[9].record = &records[9];
    assert_ok(store->ops->commit(store, &transaction, soon(), err));
    assert_int_equal(counter(store, "stats", "n"), 40);
}

/* ---- counters ---- */

static void test_counters(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_counters counters;

    assert_ok(store->ops->counters(store, CS_LIT("stats"), &counters, soon(), err));
    assert_int_equal(counters.count, 0);
    cs_counters_clear(&counters);
    assert_ok(add_to(store, "stats", "completed", 5, err));
    assert_ok(add_to(store, "stats", "completed", -2, err));
    assert_ok(add_to(store, "stats", "bytes", 9007199254740993, err));
    assert_ok(add_to(store, "stats", "down", -7, err));
    assert_ok(add_to(store, "user/alice", "completed", 1, err));
    assert_true(counter(store, "stats", "completed") == 3);
    assert_true(counter(store, "stats", "bytes") == 9007199254740993);
    assert_true(counter(store, "stats", "down") == -7);
    assert_true(counter(store, "user/alice", "completed") == 1);
    assert_true(counter(store, "user/al", "completed") == 0);
    assert_ok(store->ops->counters(store, CS_LIT("stats"), &counters, soon(), err));
    assert_int_equal(counters.count, 3);
    cs_counters_clear(&counters);
    for (int i = 0; i < 100; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "n%d", i);
        assert_ok(add_to(store, "many", name, i, err));
    }
    assert_ok(store->ops->counters(store, CS_LIT("many"), &counters, soon(), err));
    assert_int_equal(counters.count, 100);
    for (int i = 1; i < 100; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(cs_counters_get(&counters, name), i);
    }
    cs_counters_clear(&counters);
    assert_int_equal(add_to(store, "", "x", 1, NULL), CS_EINVAL);
    assert_int_equal(add_to(store, "x", "", 1, NULL), CS_EINVAL);
}

/* A sum that does not fit any more is refused, not turned into something else. */
static void test_counter_overflow(void **state)
{
    struct cs_store *store = store_of(state);

    assert_ok(add_to(store, "stats", "bytes", INT64_MAX, err));
    assert_int_not_equal(add_to(store, "stats", "bytes", 1, NULL), CS_OK);
    assert_true(counter(store, "stats", "bytes") == INT64_MAX);
    assert_ok(add_to(store, "stats", "bytes", -1, err));
    assert_true(counter(store, "stats", "bytes") == INT64_MAX - 1);
}

static size_t count_by_status(void *payload, const struct cs_record *record,
                              struct cs_delta *deltas_out)
{
    ++*(size_t *)payload;
    assert_true(record->detail.len > 0);
    if (record->key.ptr[0] == '#')
        return 0;
    deltas_out[0] = (struct cs_delta){CS_LIT("stats"), record->status, 1};
    deltas_out[1] = (struct cs_delta){CS_LIT("stats"), CS_LIT("total"), 1};
    return 2;
}

static void test_recount(void **state)
{
    struct cs_store *store = store_of(state);
    size_t seen = 0;

    for (int i = 0; i < 25; i++) {
        char key[8];

        (void)snprintf(key, sizeof(key), "k%d", i);
        create(store, key, "alice", i < 10 ? "running" : "completed", "2024");
    }
    create(store, "#service", "", "", "");
    assert_ok(add_to(store, "stats", "running", 999, err));
    assert_ok(add_to(store, "stats", "stale", 5, err));
    assert_ok(add_to(store, "user/bob", "total", 5, err));
    assert_ok(store->ops->recount(store, count_by_status, &seen, soon(), err));
    assert_int_equal(seen, 26);
    assert_int_equal(counter(store, "stats", "running"), 10);
    assert_int_equal(counter(store, "stats", "completed"), 15);
    assert_int_equal(counter(store, "stats", "total"), 25);
    assert_int_equal(counter(store, "stats", "stale"), 0);
    assert_int_equal(counter(store, "user/bob", "total"), 0);
}

int store_suite_records(const char *store, struct fixture *fixture)
{
    const struct CMUnitTest tests[] = {
        TEST(test_init),
        TEST(test_record_life),
        TEST(test_record_without_lists),
        TEST(test_record_limits),
        TEST(test_hostile_record_keys),
        TEST(test_consecutive_revisions),
        TEST(test_all_or_nothing),
        TEST(test_transaction_limits),
        TEST(test_counters),
        TEST(test_counter_overflow),
        TEST(test_recount),
    };

    return run_suite(store, "records, transactions, counters", tests);
}
