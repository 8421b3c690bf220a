/* What every store must do with the log of a record. */
#include "config.h"

#include "store_suite.h"

/* ---- log ---- */

static enum cs_code append(struct cs_store *store, const char *key, const char *entry,
                           const char *dedupe)
{
    const struct cs_view entries[] = {text(entry)};

    return store->ops->log_append(store, text(key), entries, 1, text(dedupe), soon(),
                                  NULL);
}

static void assert_log(struct cs_store *store, const char *key, const char *after,
                       size_t limit, const char *expected, bool more)
{
    struct cs_log_page page;

    assert_ok(
        store->ops->log_read(store, text(key), text(after), limit, &page, soon(), err));
    assert_view(cs_buf_view(&page.json), expected);
    assert_int_equal(page.more, more);
    assert_int_equal(page.last_position != NULL, page.count > 0);
    cs_log_page_clear(&page);
}

static void test_log(void **state)
{
    struct cs_store *store = store_of(state);
    const struct cs_view two[] = {CS_LIT("{\"n\":2}"), CS_LIT("{\"n\":3}")};
    struct cs_log_page page;
    uint64_t deleted;

    assert_int_equal(append(store, "a", "{}", ""), CS_ENOTFOUND);
    create(store, "a", "alice", "running", "2024");
    create(store, "b", "alice", "running", "2024");
    assert_log(store, "a", "", 10, "[]", false);
    assert_int_equal(append(store, "a", "{\"n\":1}", ""), CS_OK);
    assert_ok(
        store->ops->log_append(store, CS_LIT("a"), two, 2, CS_LIT(""), soon(), err));
    assert_int_equal(append(store, "b", "{\"n\":9}", ""), CS_OK);
    assert_log(store, "a", "", 10, "[{\"n\":1},{\"n\":2},{\"n\":3}]", false);
    assert_log(store, "a", "", 3, "[{\"n\":1},{\"n\":2},{\"n\":3}]", false);
    assert_log(store, "a", "", 2, "[{\"n\":1},{\"n\":2}]", true);

    assert_ok(
        store->ops->log_read(store, CS_LIT("a"), CS_LIT(""), 1, &page, soon(), err));
    assert_true(page.more);
    assert_log(store, "a", page.last_position, 5, "[{\"n\":2},{\"n\":3}]", false);
    cs_log_page_clear(&page);

    assert_ok(store->ops->log_delete(store, CS_LIT("a"), &deleted, soon(), err));
    assert_int_equal(deleted, 3);
    assert_log(store, "a", "", 10, "[]", false);
    assert_log(store, "b", "", 10, "[{\"n\":9}]", false);
    assert_ok(store->ops->log_delete(store, CS_LIT("a"), &deleted, soon(), err));
    assert_int_equal(deleted, 0);
}

static void test_log_dedupe(void **state)
{
    struct cs_store *store = store_of(state);
    uint64_t deleted;

    create(store, "a", "alice", "running", "2024");
    create(store, "b", "alice", "running", "2024");
    assert_int_equal(append(store, "a", "1", "key-1"), CS_OK);
    assert_int_equal(append(store, "a", "1", "key-1"), CS_OK);
    assert_int_equal(append(store, "a", "other", "key-1"), CS_OK);
    assert_int_equal(append(store, "a", "2", "key-2"), CS_OK);
    assert_int_equal(append(store, "b", "3", "key-1"), CS_OK);
    assert_log(store, "a", "", 10, "[1,2]", false);
    assert_log(store, "b", "", 10, "[3]", false);
    assert_int_equal(append(store, "missing", "1", "key-1"), CS_ENOTFOUND);
    assert_ok(store->ops->log_delete(store, CS_LIT("a"), &deleted, soon(), err));
    assert_int_equal(append(store, "a", "4", "key-1"), CS_OK);
    assert_log(store, "a", "", 10, "[4]", false);
}

/* A record goes with its log, on condition of its revision. */
static void test_erase(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_record record = record_of("a", "alice", "running", "2024");
    struct cs_record *found;
    uint64_t deleted;

    for (int keyed = 0; keyed < 2; keyed++) {
        create(store, "a", "alice", "running", "2024");
        assert_int_equal(append(store, "a", "1", ""), CS_OK);
        assert_int_equal(append(store, "a", "2", keyed ? "key-1" : ""), CS_OK);
        assert_int_equal(append(store, "a", "3", ""), CS_OK);
        record.revision = 2;
        assert_int_equal(erase_one(store, &record, &deleted, NULL), CS_ECONFLICT);
        assert_ok(store->ops->get(store, CS_LIT("a"), &found, soon(), err));
        cs_record_free(found);
        record.revision = 1;
        assert_ok(erase_one(store, &record, &deleted, err));
        assert_true(deleted == 3 || deleted == 0); /* 0: the conflict took the log */
        assert_int_equal(store->ops->get(store, CS_LIT("a"), &found, soon(), NULL),
                         CS_ENOTFOUND);
        assert_int_equal(erase_one(store, &record, &deleted, NULL), CS_ECONFLICT);
        assert_int_equal(deleted, 0);
    }
    create(store, "a", "alice", "running", "2024");
    assert_log(store, "a", "", 10, "[]", false);
    assert_int_equal(append(store, "a", "4", "key-1"), CS_OK);
    assert_log(store, "a", "", 10, "[4]", false);
}

/* Positions sort as the entries do, whatever their number. */
static void test_log_positions(void **state)
{
    struct cs_store *store = store_of(state);
    char last[64] = "";
    struct cs_view entries[50];

    create(store, "a", "alice", "running", "2024");
    for (size_t i = 0; i < CS_COUNT(entries); i++)
        entries[i] = CS_LIT("0");
    for (int i = 0; i < 3; i++)
        assert_ok(store->ops->log_append(store, CS_LIT("a"), entries, CS_COUNT(entries),
                                         CS_LIT(""), soon(), err));
    for (int seen = 0; seen < 150; seen++) {
        struct cs_log_page page;

        assert_ok(
            store->ops->log_read(store, CS_LIT("a"), text(last), 1, &page, soon(), err));
        assert_int_equal(page.count, 1);
        assert_int_equal(page.more, seen < 149);
        assert_true(strcmp(page.last_position, last) > 0);
        assert_true(last[0] == '\0' || strlen(last) == strlen(page.last_position));
        (void)snprintf(last, sizeof(last), "%s", page.last_position);
        cs_log_page_clear(&page);
    }
    assert_log(store, "a", last, 1, "[]", false);
}

static void test_log_limits(void **state)
{
    struct cs_store *store = store_of(state);
    static char big[CS_LOG_ENTRY_MAX + 1];
    struct cs_view entry = cs_view_of(big, CS_LOG_ENTRY_MAX);
    static const char *const bad[] = {"x", "-1", "1", "9999999999999999999999",
                                      "' OR 1=1"};
    struct cs_log_page page;
    struct cs_err why;
    size_t seen = 0;
    char after[64] = "";

    create(store, "a", "alice", "running", "2024");
    memset(big, '1', sizeof(big));
    assert_int_equal(append(store, "a", "", ""), CS_EINVAL);
    assert_int_equal(
        store->ops->log_append(store, CS_LIT("a"), &entry, 0, CS_LIT(""), soon(), NULL),
        CS_EINVAL);
    for (int i = 0; i < 6; i++)
        assert_ok(store->ops->log_append(store, CS_LIT("a"), &entry, 1, CS_LIT(""),
                                         soon(), err));
    entry.len++;
    assert_int_equal(
        store->ops->log_append(store, CS_LIT("a"), &entry, 1, CS_LIT(""), soon(), NULL),
        CS_ETOOBIG);
    /* a page ends before it is too large */
    do {
        assert_ok(store->ops->log_read(store, CS_LIT("a"), text(after), 1000, &page,
                                       soon(), err));
        assert_true(page.count >= 1 && page.json.len <= 2 * CS_LOG_PAGE_BYTES);
        seen += page.count;
        (void)snprintf(after, sizeof(after), "%s", page.last_position);
        entry.len = page.more ? 1 : 0;
        cs_log_page_clear(&page);
    } while (entry.len == 1);
    assert_int_equal(seen, 6);
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        why = CS_ERR_NONE;
        assert_int_equal(store->ops->log_read(store, CS_LIT("a"), text(bad[i]), 1, &page,
                                              soon(), &why),
                         CS_EINVAL);
        assert_string_equal(why.field, "after");
        cs_log_page_clear(&page);
    }
    assert_int_equal(
        store->ops->log_read(store, CS_LIT("a"), CS_LIT(""), 0, &page, soon(), NULL),
        CS_EINVAL);
    cs_log_page_clear(&page);
}

int store_suite_log(const char *store, struct fixture *fixture)
{
    const struct CMUnitTest tests[] = {
        TEST(test_log),           TEST(test_erase),      TEST(test_log_dedupe),
        TEST(test_log_positions), TEST(test_log_limits),
    };

    return run_suite(store, "log", tests);
}
