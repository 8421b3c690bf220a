/* What every store must do, run on each of them: a new store is one more line in
 * `makers` below. Each test begins with an empty store. */
#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/encoding.h"
#include "store/store_local.h"
#include "store_helpers.h"
#include "unit_folder.h"

struct maker {
    const char *name;
    struct cs_store *(*make)(const char *folder);
};

static struct cs_store *make_local(const char *folder, enum cs_local_journal journal)
{
    const struct cs_store_local_options options = {.root = folder,
                                                   .bucket_name = "outputs",
                                                   .table_name = "campaigns",
                                                   .journal = journal};

    return cs_store_local_new(&options, NULL);
}

static struct cs_store *make_wal(const char *folder)
{
    return make_local(folder, CS_JOURNAL_WAL);
}

static struct cs_store *make_rollback(const char *folder)
{
    return make_local(folder, CS_JOURNAL_ROLLBACK);
}

static const struct maker makers[] = {
    {"local", make_wal},
    {"local, as on a network file system", make_rollback},
};

struct fixture {
    const struct maker *maker;
    char *folder;
    struct cs_store *store;
};

static int begin(void **state)
{
    struct fixture *fixture = *state;

    fixture->folder = unit_folder_make();
    fixture->store = fixture->maker->make(fixture->folder);
    assert_non_null(fixture->store);
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;

    fixture->store->ops->free(fixture->store);
    unit_folder_remove(fixture->folder);
    return 0;
}

static struct cs_store *store_of(void **state)
{
    return ((struct fixture *)*state)->store;
}

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

/* ---- lists ---- */

/* Follows the cursors, `limit` at a time, and joins the keys with blanks. */
static void list_all(struct cs_store *store, enum cs_list_index index, const char *value,
                     size_t limit, struct cs_buf *keys)
{
    struct cs_list_query query = {
        .index = index, .value = text(value), .cursor = CS_LIT(""), .limit = limit};
    char *cursor = NULL;

    cs_buf_reset(keys);
    for (int pages = 0; pages < 1000; pages++) {
        struct cs_record_page page;

        assert_ok(store->ops->list(store, &query, &page, soon(), err));
        assert_true(page.count <= limit);
        for (size_t i = 0; i < page.count; i++) {
            if (keys->len > 0)
                cs_buf_add_byte(keys, ' ');
            cs_buf_add(keys, page.records[i]->key);
            assert_true(page.records[i]->summary.len > 0);
            assert_int_equal(page.records[i]->detail.len > 0, index == CS_LIST_ALL);
        }
        free(cursor);
        cursor = page.next_cursor;
        page.next_cursor = NULL;
        cs_record_page_clear(&page);
        if (cursor == NULL)
            return;
        query.cursor = text(cursor);
    }
    fail_msg("the list does not end");
}

static void assert_list(struct cs_store *store, enum cs_list_index index,
                        const char *value, const char *expected)
{
    struct cs_buf keys = CS_BUF_INIT(1u << 20);

    for (size_t limit = 1; limit <= 1000; limit = limit < 4 ? limit + 1 : limit * 10) {
        list_all(store, index, value, limit > 1000 ? 1000 : limit, &keys);
        assert_view(cs_buf_view(&keys), expected);
    }
    cs_buf_clear(&keys);
}

static void test_lists(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_record *read;

    assert_list(store, CS_LIST_USER, "alice", "");
    create(store, "a", "alice", "running", "2024-01-01");
    create(store, "b", "alice", "completed", "2024-01-03");
    create(store, "c", "bob", "completed", "2024-01-02");
    create(store, "d", "alice", "completed", "2024-01-02");
    create(store, "#hidden", "", "", "");
    assert_list(store, CS_LIST_USER, "alice", "b d a");
    assert_list(store, CS_LIST_USER, "bob", "c");
    assert_list(store, CS_LIST_USER, "carol", "");
    assert_list(store, CS_LIST_STATUS, "completed", "b d c");
    assert_list(store, CS_LIST_STATUS, "running", "a");

    assert_ok(store->ops->get(store, CS_LIT("a"), &read, soon(), err));
    read->status = CS_LIT("completed");
    assert_ok(write_one(store, CS_WRITE_REPLACE, read, err));
    assert_list(store, CS_LIST_STATUS, "running", "");
    assert_list(store, CS_LIST_STATUS, "completed", "b d c a");
    /* a record that leaves the lists */
    read->revision++;
    read->status = CS_LIT("");
    read->user_id = CS_LIT("");
    assert_ok(write_one(store, CS_WRITE_REPLACE, read, err));
    cs_record_free(read);
    assert_list(store, CS_LIST_STATUS, "completed", "b d c");
    assert_list(store, CS_LIST_USER, "alice", "b d");
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void test_list_of_everything(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_buf keys = CS_BUF_INIT(4096);
    struct cs_view rest;
    struct cs_view word;
    char *words[4];
    size_t count = 0;

    create(store, "c", "bob", "completed", "2024-01-02");
    create(store, "a", "alice", "running", "2024-01-01");
    create(store, "#hidden", "", "", "");
    for (size_t limit = 1; limit < 5; limit++) {
        list_all(store, CS_LIST_ALL, "", limit, &keys);
        rest = cs_buf_view(&keys);
        for (count = 0; count < 4 && cs_view_split(&rest, ' ', &word); count++)
            words[count] = cs_view_dup(word);
        assert_int_equal(count, 3);
        qsort(words, count, sizeof(words[0]), compare_words);
        assert_string_equal(words[0], "#hidden");
        assert_string_equal(words[1], "a");
        assert_string_equal(words[2], "c");
        while (count > 0)
            free(words[--count]);
    }
    cs_buf_clear(&keys);
}

/* Many of one moment: the key decides, and no page skips or repeats one. */
static void test_list_of_equal_times(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_buf expected = CS_BUF_INIT(4096);

    for (int i = 0; i < 40; i++) {
        char key[8];

        (void)snprintf(key, sizeof(key), "k%02d", (i * 17) % 40);
        create(store, key, "alice", "running", "2024-01-01T00:00:00.000000Z");
    }
    for (int i = 39; i >= 0; i--)
        cs_buf_add_fmt(&expected, i > 0 ? "k%02d " : "k%02d", i);
    assert_list(store, CS_LIST_USER, "alice", cs_buf_cstr(&expected));
    assert_list(store, CS_LIST_STATUS, "running", cs_buf_cstr(&expected));
    cs_buf_clear(&expected);
}

/* What is added or removed while one pages neither hides nor repeats others. */
static void test_list_while_it_changes(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_list_query query = {CS_LIST_USER, CS_LIT("alice"), CS_LIT(""), 2};
    struct cs_record_page page;
    struct cs_record gone = record_of("b", "", "", "");
    char *cursor;

    create(store, "a", "alice", "running", "2024-01-01");
    create(store, "b", "alice", "running", "2024-01-02");
    create(store, "c", "alice", "running", "2024-01-03");
    assert_ok(store->ops->list(store, &query, &page, soon(), err));
    assert_int_equal(page.count, 2);
    cursor = page.next_cursor;
    page.next_cursor = NULL;
    cs_record_page_clear(&page);
    create(store, "d", "alice", "running", "2024-01-04");
    gone.revision = 1;
    assert_ok(
        write_one(store, CS_WRITE_DELETE, &gone, err)); /* where the cursor stands */
    query.cursor = text(cursor);
    assert_ok(store->ops->list(store, &query, &page, soon(), err));
    assert_int_equal(page.count, 1);
    assert_view(page.records[0]->key, "a");
    assert_null(page.next_cursor);
    cs_record_page_clear(&page);
    free(cursor);
}

static void assert_bad_cursor(struct cs_store *store, const struct cs_list_query *query)
{
    struct cs_err err = CS_ERR_NONE;
    struct cs_record_page page;

    assert_int_equal(store->ops->list(store, query, &page, soon(), &err), CS_EINVAL);
    assert_string_equal(err.field, "cursor");
    assert_int_equal(page.count, 0);
    assert_null(page.next_cursor);
    cs_record_page_clear(&page);
}

static void test_hostile_cursors(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_list_query query = {CS_LIST_USER, CS_LIT("alice"), CS_LIT(""), 1};
    struct cs_record_page page;
    static const char *const bad[] = {
        "x", "AAAA", "!!!!", "MXUK", "' OR 1=1 --", "=", "bm90IGEgY3Vyc29y"};
    char *cursor;
    size_t len;

    create(store, "a", "alice", "running", "2024-01-01");
    create(store, "b", "alice", "running", "2024-01-02");
    create(store, "c", "bob", "running", "2024-01-02");
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        query.cursor = text(bad[i]);
        assert_bad_cursor(store, &query);
    }
    query.cursor = CS_LIT("");
    assert_ok(store->ops->list(store, &query, &page, soon(), err));
    cursor = page.next_cursor;
    page.next_cursor = NULL;
    cs_record_page_clear(&page);
    assert_non_null(cursor);
    len = strlen(cursor);
    for (size_t i = 0; i < len; i++)
        assert_true(
            cs_view_find_byte(CS_LIT("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
                                     "xyz0123456789-_"),
                              cursor[i]) != SIZE_MAX);

    /* another list's cursor is none of this one's */
    query.cursor = text(cursor);
    query.value = CS_LIT("bob");
    assert_bad_cursor(store, &query);
    query.index = CS_LIST_STATUS;
    query.value = CS_LIT("alice");
    assert_bad_cursor(store, &query);
    query.index = CS_LIST_ALL;
    query.value = CS_LIT("");
    assert_bad_cursor(store, &query);
    query.index = CS_LIST_USER;
    query.value = CS_LIT("alice");
    query.cursor.len = len / 2;
    assert_bad_cursor(store, &query);
    free(cursor);
}

static void test_list_limits(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_list_query query = {CS_LIST_USER, CS_LIT("alice"), CS_LIT(""), 0};
    struct cs_record_page page;

    assert_int_equal(store->ops->list(store, &query, &page, soon(), NULL), CS_EINVAL);
    query.limit = CS_LIST_LIMIT_MAX + 1;
    assert_int_equal(store->ops->list(store, &query, &page, soon(), NULL), CS_EINVAL);
    query.limit = 1;
    query.value = CS_LIT("");
    assert_int_equal(store->ops->list(store, &query, &page, soon(), NULL), CS_EINVAL);
}

/* Large details must not make one page of everything too large for memory. */
static void test_list_of_large_records(void **state)
{
    struct cs_store *store = store_of(state);
    static char big[CS_RECORD_BYTES_MAX - 100];
    struct cs_record record = record_of("", "alice", "running", "2024");
    struct cs_list_query query = {CS_LIST_ALL, CS_LIT(""), CS_LIT(""), 1000};
    char *cursor = NULL;
    size_t seen = 0;

    memset(big, 'x', sizeof(big));
    record.detail = cs_view_of(big, sizeof(big));
    for (int i = 0; i < 15; i++) {
        char key[8];

        (void)snprintf(key, sizeof(key), "k%02d", i);
        record.key = text(key);
        assert_ok(write_one(store, CS_WRITE_CREATE, &record, err));
    }
    do {
        struct cs_record_page page;
        size_t bytes = 0;

        assert_ok(store->ops->list(store, &query, &page, soon(), err));
        for (size_t i = 0; i < page.count; i++)
            bytes += page.records[i]->detail.len;
        assert_true(bytes <= 6u << 20);
        seen += page.count;
        free(cursor);
        cursor = page.next_cursor;
        page.next_cursor = NULL;
        cs_record_page_clear(&page);
        query.cursor = text(cursor);
    } while (cursor != NULL);
    assert_int_equal(seen, 15);
}

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

/* ---- objects ---- */

#define HELLO_SHA "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static void test_object_versions(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_object first;
    struct cs_object second;

    assert_no_object(store, "campaigns/x/pdf/report.pdf", "");
    assert_ok(
        put_bytes(store, "campaigns/x/pdf/report.pdf", CS_LIT("hello"), &first, err));
    assert_string_equal(first.key, "campaigns/x/pdf/report.pdf");
    assert_int_equal(first.size, 5);
    assert_string_equal(first.sha256, HELLO_SHA);
    assert_object(store, first.key, "", "hello");
    assert_object(store, first.key, first.version, "hello");

    assert_ok(put_bytes(store, first.key, CS_LIT("hello again"), &second, err));
    assert_string_not_equal(first.version, second.version);
    assert_object(store, first.key, "", "hello again");
    assert_object(store, first.key, first.version, "hello");
    assert_object(store, first.key, second.version, "hello again");

    assert_ok(store->ops->delete_version(store, text(second.key), text(second.version),
                                         soon(), err));
    assert_ok(store->ops->delete_version(store, text(second.key), text(second.version),
                                         soon(), err));
    assert_no_object(store, second.key, second.version);
    assert_object(store, first.key, "", "hello");
    assert_ok(store->ops->delete_version(store, text(first.key), text(first.version),
                                         soon(), err));
    assert_no_object(store, first.key, "");
    cs_object_clear(&first);
    cs_object_clear(&second);
}

static void test_object_neighbours(void **state)
{
    struct cs_store *store = store_of(state);

    /* a key may be the beginning of another, as a name or as a folder */
    put_text(store, "a", "1");
    put_text(store, "a/b", "2");
    put_text(store, "ab", "3");
    put_text(store, "a@b", "4");
    put_text(store, "a%40b", "5");
    put_text(store, "a b/é?#&+", "6");
    put_text(store, ".hidden", "7");
    put_text(store, "empty", "");
    assert_object(store, "a", "", "1");
    assert_object(store, "a/b", "", "2");
    assert_object(store, "ab", "", "3");
    assert_object(store, "a@b", "", "4");
    assert_object(store, "a%40b", "", "5");
    assert_object(store, "a b/é?#&+", "", "6");
    assert_object(store, ".hidden", "", "7");
    assert_object(store, "empty", "", "");
    assert_no_object(store, "A", "");
    assert_no_object(store, "a/b/c", "");
}

static void test_hostile_object_keys(void **state)
{
    struct cs_store *store = store_of(state);
    static char many_parts[2 * 40];
    static char long_part[300];
    static char too_long[CS_STORE_KEY_MAX + 1];
    const struct cs_view bad[] = {CS_LIT(""),
                                  CS_LIT("/"),
                                  CS_LIT("/etc/passwd"),
                                  CS_LIT("a/"),
                                  CS_LIT("a//b"),
                                  CS_LIT("."),
                                  CS_LIT(".."),
                                  CS_LIT("../a"),
                                  CS_LIT("a/../b"),
                                  CS_LIT("a/.."),
                                  CS_LIT("a/./b"),
                                  CS_LIT("a\0b"),
                                  CS_LIT("a\nb"),
                                  CS_LIT("\x7f"),
                                  CS_LIT("\xff\xfe"),
                                  CS_LIT("\xc0\xae/a"),
                                  CS_LIT("a/\x1b[m"),
                                  cs_view_of(many_parts, sizeof(many_parts) - 1),
                                  cs_view_of(long_part, sizeof(long_part)),
                                  cs_view_of(too_long, sizeof(too_long))};
    struct cs_object_reader *reader;
    uint64_t size;

    memset(long_part, 'x', sizeof(long_part));
    for (size_t i = 0; i < sizeof(many_parts); i++)
        many_parts[i] = i % 2 == 0 ? 'x' : '/';
    for (size_t i = 0; i < sizeof(too_long); i++)
        too_long[i] = i % 64 == 63 ? '/' : 'x';
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        struct cs_object_source source = {
            .info = {.key = bad[i]}, .bytes = CS_LIT("x"), .fd = -1};
        struct cs_object object;

        if (bad[i].len == CS_STORE_KEY_MAX + 1)
            assert_int_equal(bad[i].len, 513);
        assert_int_not_equal(store->ops->put(store, &source, 1, &object, soon(), NULL),
                             CS_OK);
        assert_null(object.key);
        assert_int_not_equal(store->ops->open(store, bad[i], CS_LIT(""), NULL, &reader,
                                              &size, soon(), NULL),
                             CS_OK);
        assert_null(reader);
        assert_int_not_equal(
            store->ops->delete_version(store, bad[i], CS_LIT("0"), soon(), NULL), CS_OK);
    }
}

static void test_hostile_versions(void **state)
{
    struct cs_store *store = store_of(state);
    static const char *const bad[] = {"x",
                                      "../../secret",
                                      "/",
                                      ".",
                                      "0",
                                      "%00",
                                      "00000000000000000000000000000000",
                                      "0000000000000000000000000000000/"};
    struct cs_object_reader *reader;
    uint64_t size;

    put_text(store, "a/b", "hello");
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        assert_int_equal(store->ops->open(store, CS_LIT("a/b"), text(bad[i]), NULL,
                                          &reader, &size, soon(), NULL),
                         CS_ENOTFOUND);
        assert_ok(
            store->ops->delete_version(store, CS_LIT("a/b"), text(bad[i]), soon(), err));
    }
    assert_object(store, "a/b", "", "hello");
}

static void test_ranges(void **state)
{
    struct cs_store *store = store_of(state);
    static const struct {
        struct cs_byte_range range;
        const char *expected; /* NULL: CS_ERANGE */
    } cases[] = {
        {{0, 0}, "0"},    {{0, 9}, "0123456789"},
        {{3, 5}, "345"},  {{9, 9}, "9"},
        {{8, 100}, "89"}, {{9, UINT64_MAX}, "9"},
        {{10, 10}, NULL}, {{10, UINT64_MAX}, NULL},
        {{5, 4}, NULL},   {{UINT64_MAX, UINT64_MAX}, NULL},
    };

    put_text(store, "digits", "0123456789");
    put_text(store, "empty", "");
    for (size_t i = 0; i < CS_COUNT(cases); i++)
        for (size_t piece = 1; piece < 20; piece += 3) {
            struct cs_buf bytes = CS_BUF_INIT(100);
            uint64_t size;
            enum cs_code rc = read_object(store, CS_LIT("digits"), CS_LIT(""),
                                          &cases[i].range, piece, &bytes, &size, NULL);

            assert_int_equal(size, 10);
            assert_int_equal(rc, cases[i].expected == NULL ? CS_ERANGE : CS_OK);
            if (rc == CS_OK)
                assert_view(cs_buf_view(&bytes), cases[i].expected);
            cs_buf_clear(&bytes);
        }
    {
        const struct cs_byte_range any = {0, 5};
        struct cs_buf bytes = CS_BUF_INIT(100);
        uint64_t size;

        assert_int_equal(read_object(store, CS_LIT("empty"), CS_LIT(""), &any, 10, &bytes,
                                     &size, NULL),
                         CS_ERANGE);
        cs_buf_clear(&bytes);
    }
}

/* Memory and files side by side, and sizes around the block that a store copies by. */
static void test_put_of_several(void **state)
{
    struct cs_store *store = store_of(state);
    struct fixture *fixture = *state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300000};
    struct cs_object_source sources[CS_COUNT(sizes) * 2];
    struct cs_object objects[CS_COUNT(sizes) * 2];
    char keys[CS_COUNT(sizes) * 2][16];
    static char bytes[300000];
    char *path = unit_folder_path(fixture->folder, "source");
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 31 + i / 251);
    assert_int_equal(cs_file_write_all(fd, cs_view_of(bytes, sizeof(bytes))), 0);
    for (size_t i = 0; i < CS_COUNT(sources); i++) {
        size_t size = sizes[i / 2];

        (void)snprintf(keys[i], sizeof(keys[i]), "many/%zu", i);
        sources[i] = (struct cs_object_source){
            .info = {.key = text(keys[i])},
            .bytes = i % 2 == 0 ? cs_view_of(bytes, size) : cs_view_of(NULL, 0),
            .fd = i % 2 == 0 ? -1 : fd,
            .size = size};
    }
    assert_ok(store->ops->put(store, sources, CS_COUNT(sources), objects, soon(), err));
    for (size_t i = 0; i < CS_COUNT(sources); i++) {
        struct cs_buf read = CS_BUF_INIT(1u << 20);
        uint8_t digest[CS_SHA256_LEN];
        char hex[CS_SHA256_HEX_LEN + 1];
        uint64_t size;

        assert_ok(read_object(store, text(keys[i]), text(objects[i].version), NULL, 65536,
                              &read, &size, err));
        assert_int_equal(size, sizes[i / 2]);
        assert_int_equal(objects[i].size, size);
        assert_true(cs_view_eq(cs_buf_view(&read), cs_view_of(bytes, sizes[i / 2])));
        assert_ok(cs_sha256_of(digest, cs_buf_view(&read), err));
        cs_sha256_hex(hex, digest);
        assert_string_equal(objects[i].sha256, hex);
        cs_buf_clear(&read);
        cs_object_clear(&objects[i]);
    }
    /* a file that is shorter than it was said to be */
    sources[1].size = sizeof(bytes) + 1;
    assert_int_equal(store->ops->put(store, sources, 2, objects, soon(), NULL),
                     CS_ESHORT);
    assert_null(objects[0].key);
    assert_null(objects[1].key);
    (void)close(fd);
    free(path);
}

static struct cs_object_writer *begin_put(struct cs_store *store, const char *key,
                                          uint64_t size)
{
    const struct cs_object_info info = {.key = text(key)};
    struct cs_object_writer *writer;

    assert_ok(store->ops->put_begin(store, &info, size, &writer, soon(), err));
    assert_non_null(writer);
    return writer;
}

static void test_put_in_pieces(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_object_writer *writer;
    struct cs_object object;

    writer = begin_put(store, "pieces", UINT64_MAX);
    assert_ok(store->ops->put_add(store, writer, CS_LIT("hel"), err));
    assert_ok(store->ops->put_add(store, writer, CS_LIT(""), err));
    assert_no_object(store, "pieces", "");
    assert_ok(store->ops->put_add(store, writer, CS_LIT("lo"), err));
    assert_no_object(store, "pieces", "");
    assert_ok(store->ops->put_commit(store, writer, &object, err));
    assert_string_equal(object.sha256, HELLO_SHA);
    assert_int_equal(object.size, 5);
    assert_object(store, "pieces", object.version, "hello");
    cs_object_clear(&object);

    /* of an announced size */
    writer = begin_put(store, "exact", 5);
    assert_ok(store->ops->put_add(store, writer, CS_LIT("hello"), err));
    assert_ok(store->ops->put_commit(store, writer, &object, err));
    assert_object(store, "exact", "", "hello");
    cs_object_clear(&object);
    writer = begin_put(store, "none", 0);
    assert_ok(store->ops->put_commit(store, writer, &object, err));
    assert_object(store, "none", "", "");
    cs_object_clear(&object);

    writer = begin_put(store, "short", 6);
    assert_ok(store->ops->put_add(store, writer, CS_LIT("hello"), err));
    assert_int_equal(store->ops->put_commit(store, writer, &object, NULL), CS_ESHORT);
    assert_null(object.key);
    assert_no_object(store, "short", "");

    writer = begin_put(store, "long", 4);
    assert_int_equal(store->ops->put_add(store, writer, CS_LIT("hello"), NULL),
                     CS_EINVAL);
    store->ops->put_abort(store, writer);
    assert_no_object(store, "long", "");

    writer = begin_put(store, "gone", UINT64_MAX);
    assert_ok(store->ops->put_add(store, writer, CS_LIT("hello"), err));
    store->ops->put_abort(store, writer);
    assert_no_object(store, "gone", "");
}

struct seen {
    struct cs_buf text; /* "key=size " of each */
    size_t stop_after;
    size_t count;
};

static bool see(void *payload, const struct cs_object_entry *entry)
{
    struct seen *seen = payload;

    assert_true(entry->modified_us > 1600000000 * CS_SECOND_US);
    cs_buf_add(&seen->text, entry->key);
    cs_buf_add_byte(&seen->text, '=');
    cs_buf_add_u64(&seen->text, entry->size);
    cs_buf_add_byte(&seen->text, ' ');
    return ++seen->count != seen->stop_after;
}

static void assert_objects(struct cs_store *store, const char *prefix, size_t count,
                           const char *const *each)
{
    struct seen seen = {.text = CS_BUF_INIT(65536)};

    assert_ok(store->ops->each_object(store, text(prefix), see, &seen, soon(), err));
    assert_int_equal(seen.count, count);
    for (size_t i = 0; i < count && each != NULL; i++)
        if (cs_view_find(cs_buf_view(&seen.text), text(each[i])) == SIZE_MAX)
            fail_msg("%s is not in \"%s\"", each[i], cs_buf_cstr(&seen.text));
    cs_buf_clear(&seen.text);
}

static void test_each_object(void **state)
{
    struct cs_store *store = store_of(state);
    static const char *const all[] = {"c/x/pdf/r=1 ", "c/x/web/i=2 ", "c/x/web/i=3 ",
                                      "c/xy/web/i=4 ", "é/@=5 "};
    struct seen seen = {.text = CS_BUF_INIT(65536), .stop_after = 2};

    assert_objects(store, "", 0, NULL);
    put_text(store, "c/x/pdf/r", "1");
    put_text(store, "c/x/web/i", "22");
    put_text(store, "c/x/web/i", "333");
    put_text(store, "c/xy/web/i", "4444");
    put_text(store, "é/@", "55555");
    assert_objects(store, "", 5, all);
    assert_objects(store, "c/", 4, all);
    assert_objects(store, "c/x", 4, all);
    assert_objects(store, "c/x/", 3, all);
    assert_objects(store, "c/x/w", 2, all + 1);
    assert_objects(store, "c/x/web/i", 2, all + 1);
    assert_objects(store, "c/x/web/i/", 0, NULL);
    assert_objects(store, "c/xyz", 0, NULL);
    assert_objects(store, "z/", 0, NULL);
    assert_objects(store, "\xc3", 1, all + 4);
    assert_ok(store->ops->each_object(store, CS_LIT(""), see, &seen, soon(), err));
    assert_int_equal(seen.count, 2);
    cs_buf_clear(&seen.text);
    assert_int_equal(
        store->ops->each_object(store, CS_LIT("../"), see, &seen, soon(), NULL),
        CS_EINVAL);
}

static void test_delete_prefix(void **state)
{
    struct cs_store *store = store_of(state);
    struct cs_delete_report report;
    static const char *const bad[] = {"", "c/x", "/", "../", "c/../", "c//"};

    put_text(store, "c/x/pdf/r", "1");
    put_text(store, "c/x/web/i", "22");
    put_text(store, "c/x/web/i", "333");
    put_text(store, "c/xy/web/i", "4444");
    put_text(store, "c/x", "55555");
    for (size_t i = 0; i < CS_COUNT(bad); i++)
        assert_int_equal(
            store->ops->delete_prefix(store, text(bad[i]), &report, soon(), NULL),
            CS_EINVAL);
    assert_ok(store->ops->delete_prefix(store, CS_LIT("c/x/"), &report, soon(), err));
    assert_int_equal(report.objects_deleted, 2);
    assert_int_equal(report.versions_deleted, 3);
    assert_true(report.bytes_deleted == 0 || report.bytes_deleted == 6);
    assert_int_equal(report.left, 0);
    assert_objects(store, "", 2, NULL);
    assert_object(store, "c/x", "", "55555");
    assert_object(store, "c/xy/web/i", "", "4444");
    assert_ok(store->ops->delete_prefix(store, CS_LIT("c/x/"), &report, soon(), err));
    assert_int_equal(report.objects_deleted + report.versions_deleted + report.left, 0);
    put_text(store, "c/x/web/i", "again");
    assert_object(store, "c/x/web/i", "", "again");
}

/* ---- deadlines ---- */

static void test_passed_deadline(void **state)
{
    struct cs_store *store = store_of(state);
    const struct cs_deadline past = {cs_clock_monotonic_us() - 1};
    const struct cs_object_source source = {
        .info = {.key = CS_LIT("late")}, .bytes = CS_LIT("x"), .fd = -1};
    struct cs_object object;

    assert_int_equal(store->ops->put(store, &source, 1, &object, past, NULL),
                     CS_ETIMEOUT);
    assert_null(object.key);
    assert_no_object(store, "late", "");
}

static int run(const struct maker *maker)
{
    struct fixture fixture = {.maker = maker};
#define TEST(name)                        \
    {                                     \
#name, name, begin, end, &fixture \
    }
    const struct CMUnitTest tests[] = {
        TEST(test_init),
        TEST(test_record_life),
        TEST(test_record_without_lists),
        TEST(test_record_limits),
        TEST(test_hostile_record_keys),
        TEST(test_consecutive_revisions),
        TEST(test_all_or_nothing),
        TEST(test_transaction_limits),
        TEST(test_lists),
        TEST(test_list_of_everything),
        TEST(test_list_of_equal_times),
        TEST(test_list_while_it_changes),
        TEST(test_hostile_cursors),
        TEST(test_list_limits),
        TEST(test_list_of_large_records),
        TEST(test_log),
        TEST(test_log_dedupe),
        TEST(test_log_positions),
        TEST(test_log_limits),
        TEST(test_counters),
        TEST(test_counter_overflow),
        TEST(test_recount),
        TEST(test_object_versions),
        TEST(test_object_neighbours),
        TEST(test_hostile_object_keys),
        TEST(test_hostile_versions),
        TEST(test_ranges),
        TEST(test_put_of_several),
        TEST(test_put_in_pieces),
        TEST(test_each_object),
        TEST(test_delete_prefix),
        TEST(test_passed_deadline),
    };
#undef TEST

    return cmocka_run_group_tests_name(maker->name, tests, NULL, NULL);
}

int main(void)
{
    int failed = 0;

    for (size_t i = 0; i < CS_COUNT(makers); i++)
        failed += run(&makers[i]);
    return failed == 0 ? 0 : 1;
}
