/* Every allocation that the embedded store makes, SQLite's included, fails once:
 * the call says so, nothing is lost, and the same call succeeds afterwards. */
#include "config.h"

#include "failing_malloc.h"
#include "local_helpers.h"
#include "store_calls.h"

static enum cs_code do_replace(struct cs_store *store, struct cs_err *err)
{
    struct cs_record *record;
    enum cs_code rc = store->ops->get(store, CS_LIT("a"), &record, soon(), err);

    if (rc != CS_OK)
        return rc;
    rc = write_one(store, CS_WRITE_REPLACE, record, err);
    cs_record_free(record);
    return rc;
}

static enum cs_code do_list(struct cs_store *store, struct cs_err *err)
{
    struct cs_list_query query = {CS_LIST_USER, CS_LIT("alice"), CS_LIT(""), 1};
    struct cs_record_page page;
    enum cs_code rc = store->ops->list(store, &query, &page, soon(), err);

    assert_int_equal(page.next_cursor != NULL, rc == CS_OK);
    if (rc == CS_OK) {
        char *cursor = page.next_cursor;

        page.next_cursor = NULL;
        cs_record_page_clear(&page);
        query.cursor = text(cursor);
        rc = store->ops->list(store, &query, &page, soon(), err);
        free(cursor);
    }
    cs_record_page_clear(&page);
    return rc;
}

static enum cs_code do_log_delete(struct cs_store *store, struct cs_err *err)
{
    uint64_t deleted;

    return store->ops->log_delete(store, CS_LIT("b"), &deleted, soon(), err);
}

static size_t count_one(void *payload, const struct cs_record *record,
                        struct cs_delta *deltas_out)
{
    (void)payload;
    (void)record;
    deltas_out[0] = (struct cs_delta){CS_LIT("stats"), CS_LIT("n"), 1};
    return 1;
}

static enum cs_code do_recount(struct cs_store *store, struct cs_err *err)
{
    return store->ops->recount(store, count_one, NULL, soon(), err);
}

static enum cs_code do_put(struct cs_store *store, struct cs_err *err)
{
    struct cs_object object;
    enum cs_code rc = put_bytes(store, "c/new/x", CS_LIT("hello"), &object, err);

    assert_int_equal(object.key != NULL, rc == CS_OK);
    if (rc == CS_OK)
        rc = store->ops->delete_version(store, text(object.key), text(object.version),
                                        soon(), err);
    cs_object_clear(&object);
    return rc;
}

static enum cs_code do_open(struct cs_store *store, struct cs_err *err)
{
    struct cs_object_reader *reader;
    uint64_t size;
    enum cs_code rc = store->ops->open(store, CS_LIT("c/x"), CS_LIT(""), NULL, &reader,
                                       &size, soon(), err);

    assert_int_equal(reader != NULL, rc == CS_OK);
    if (reader != NULL)
        store->ops->close(store, reader);
    return rc;
}

static bool see(void *payload, const struct cs_object_entry *entry)
{
    (void)entry;
    ++*(int *)payload;
    return true;
}

static enum cs_code do_each_object(struct cs_store *store, struct cs_err *err)
{
    int seen = 0;
    enum cs_code rc = store->ops->each_object(store, CS_LIT(""), see, &seen, soon(), err);

    assert_true(rc != CS_OK || seen >= 1);
    return rc;
}

static enum cs_code do_delete_prefix(struct cs_store *store, struct cs_err *err)
{
    struct cs_delete_report report;

    return store->ops->delete_prefix(store, CS_LIT("c/new/"), &report, soon(), err);
}

static enum cs_code do_secret(struct cs_store *store, struct cs_err *err)
{
    uint8_t secret[CS_STORE_SECRET_LEN];

    return cs_store_local_secret(store, secret, err);
}

static enum cs_code do_cleanup(struct cs_store *store, struct cs_err *err)
{
    struct cs_local_cleanup cleanup;

    return cs_store_local_cleanup(store, 0, false, &cleanup, soon(), err);
}

static call_fn *const calls[] = {
    do_init,        do_replace,       do_list,    do_log_append, do_log_read,
    do_log_delete,  do_counters,      do_recount, do_put,        do_open,
    do_each_object, do_delete_prefix, do_secret,  do_cleanup};

struct subject {
    const char *folder;
    struct cs_store *store; /* NULL: a new one each time, which opens everything anew */
    call_fn *call;
};

static void call_once(void *payload, const bool *failed)
{
    const struct subject *subject = payload;
    struct cs_err why = CS_ERR_NONE;
    struct cs_store *store = subject->store;
    const struct cs_store_local_options options = {.root = subject->folder,
                                                   .bucket_name = "outputs",
                                                   .table_name = "campaigns",
                                                   .journal = CS_JOURNAL_WAL};
    enum cs_code rc = CS_OK;

    if (store == NULL)
        store = cs_store_local_new(&options, &why);
    if (store == NULL)
        rc = why.code;
    else
        rc = subject->call(store, &why);
    failing_armed = false;
    if (rc != CS_OK && (rc != CS_ENOMEM || !*failed))
        fail_msg("%s: %s", cs_code_name(rc), why.text);
    if (store != NULL)
        assert_ok(subject->call(store, err));
    if (subject->store == NULL && store != NULL)
        store->ops->free(store);
}

static void each_call(const char *folder, bool anew)
{
    struct subject subject = {.folder = folder};
    size_t allocations = 0;

    if (!anew)
        subject.store = store_on(folder, CS_JOURNAL_WAL);
    for (size_t i = 0; i < CS_COUNT(calls); i++) {
        subject.call = calls[i];
        allocations += failing_each(call_once, &subject);
    }
    print_message("%zu allocations failed\n", allocations);
    assert_true(!failing_works() || allocations > 50);
    if (!anew)
        subject.store->ops->free(subject.store);
}

static void prepare(const char *folder)
{
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);

    create(store, "a", "alice", "running", "2024-01-01");
    create(store, "b", "alice", "running", "2024-01-02");
    assert_ok(add_to(store, "stats", "n", 2, err));
    put_text(store, "c/x", "hello");
    store->ops->free(store);
}

static void test_failing_allocations(void **state)
{
    const char *folder = *state;

    prepare(folder);
    failing_libraries = false;
    each_call(folder, true);
    failing_libraries = true; /* SQLite's, too: what it says of them must be understood */
    each_call(folder, false);
    each_call(folder, true);
    assert_int_equal(count_names(folder, "tmp"), 0);
    assert_intact(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {FOLDER_TEST(test_failing_allocations)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
