/* The embedded store under several processes at once, and under kill -9. The
 * numbers are small; CS_STORE_LOAD=10000 gives each of two writers that many
 * records, CS_STORE_KILLS=500 kills that many of them. */
#include "config.h"

#include <poll.h>
#include <signal.h>
#include <time.h>

#include "local_helpers.h"
#include "store/check.h"

static long setting(const char *name, long otherwise)
{
    const char *value = getenv(name);
    uint64_t number;

    return value != NULL && cs_view_to_u64(text(value), &number) ? (long)number
                                                                 : otherwise;
}

/* ---- starting at once ---- */

struct start {
    enum cs_local_journal journal;
    int ready; /* read end of a pipe: closed when all may start */
};

static bool start_up(const char *folder, int number, void *payload)
{
    const struct start *start = payload;
    struct cs_store *store = store_on(folder, start->journal);
    struct cs_buf report = CS_BUF_INIT(65536);
    struct cs_err err = CS_ERR_NONE;
    uint8_t secret[CS_STORE_SECRET_LEN];
    char name[32];
    char byte;
    bool good;

    (void)!read(start->ready, &byte, 1);
    good = went_well(store->ops->init(store, &report, soon(), &err), &err) &&
           went_well(cs_store_local_secret(store, secret, &err), &err);
    (void)snprintf(name, sizeof(name), "secret.%d", number);
    if (good) {
        char *path = NULL;

        good =
            asprintf(&path, "%s.seen/%s", folder, name) > 0 &&
            cs_file_write(path, cs_view_of(secret, sizeof(secret)), 0600, &err) == CS_OK;
        free(path);
    }
    cs_buf_clear(&report);
    store->ops->free(store);
    return good;
}

static void start_many(const char *root, enum cs_local_journal journal)
{
    enum { MANY = 8 };
    struct start start = {.journal = journal};
    char *seen = NULL;
    struct cs_buf first = CS_BUF_INIT(64);
    pid_t pids[MANY];
    int ends[2];

    assert_true(asprintf(&seen, "%s.seen", root) > 0);
    assert_int_equal(mkdir(seen, 0700), 0);
    assert_int_equal(pipe(ends), 0);
    start.ready = ends[0];
    for (int i = 0; i < MANY; i++)
        pids[i] = start_child(start_up, root, i, &start);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(write(ends[1], "x", 1), 1);
    for (int i = 0; i < MANY; i++)
        assert_true(child_succeeded(pids[i]));
    for (int i = 0; i < MANY; i++) {
        struct cs_buf secret = CS_BUF_INIT(65536);
        char name[32];
        char *path;

        (void)snprintf(name, sizeof(name), "secret.%d", i);
        path = unit_folder_path(seen, name);
        assert_ok(cs_file_read(&secret, path, CS_STORE_SECRET_LEN, err));
        if (i == 0)
            cs_buf_add(&first, cs_buf_view(&secret));
        assert_true(cs_view_eq(cs_buf_view(&first), cs_buf_view(&secret)));
        cs_buf_clear(&secret);
        free(path);
    }
    assert_int_equal(count_names(root, "tmp"), 0);
    assert_intact(root);
    (void)close(ends[0]);
    (void)close(ends[1]);
    cs_buf_clear(&first);
    free(seen);
}

static void test_many_start_at_once(void **state)
{
    for (int i = 0; i < 6; i++) {
        char name[8];
        char *root;

        (void)snprintf(name, sizeof(name), "%d", i);
        root = unit_folder_path(*state, name);
        start_many(root, i % 2 == 0 ? CS_JOURNAL_WAL : CS_JOURNAL_ROLLBACK);
        free(root);
    }
}

/* ---- writers at once ---- */

struct load {
    enum cs_local_journal journal;
    int writers;
    long each;
};

/* One record with its counters, one entry in a log that all share, one step of a
 * record that all change. */
static enum cs_code write_round(struct cs_store *store, int number, long i,
                                struct cs_err *err)
{
    char key[32];
    char entry[32];
    struct cs_record record = record_of("", "alice", "running", "2024");
    const struct cs_write write = {CS_WRITE_CREATE, &record};
    const struct cs_delta deltas[] = {{CS_LIT("stats"), CS_LIT("total"), 1},
                                      {CS_LIT("user/alice"), CS_LIT("total"), 1}};
    const struct cs_transaction transaction = {&write, 1, deltas, 2};
    struct cs_view entries[1];
    enum cs_code rc;

    (void)snprintf(key, sizeof(key), "w%d-%06ld", number, i);
    (void)snprintf(entry, sizeof(entry), "[%d,%ld]", number, i);
    record.key = text(key);
    entries[0] = text(entry);
    if ((rc = store->ops->commit(store, &transaction, soon(), err)) == CS_OK)
        rc = store->ops->log_append(store, CS_LIT("shared"), entries, 1, text(key),
                                    soon(), err);
    return rc;
}

/* Optimistic locking: read, add one, replace, again when somebody was quicker. */
static enum cs_code step_shared(struct cs_store *store, struct cs_err *err)
{
    enum cs_code rc;

    do {
        struct cs_record *record;

        if ((rc = store->ops->get(store, CS_LIT("shared"), &record, soon(), err)) !=
            CS_OK)
            return rc;
        rc = write_one(store, CS_WRITE_REPLACE, record, NULL);
        cs_record_free(record);
    } while (rc == CS_ECONFLICT);
    return rc;
}

static bool write_many(const char *folder, int number, void *payload)
{
    const struct load *load = payload;
    struct cs_store *store = store_on(folder, load->journal);
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc = CS_OK;

    for (long i = 0; i < load->each && rc == CS_OK; i++) {
        rc = write_round(store, number, i, &err);
        if (rc == CS_OK && i % 5 == 0)
            rc = step_shared(store, &err);
    }
    store->ops->free(store);
    return went_well(rc, &err);
}

static uint64_t count_list(struct cs_store *store)
{
    struct cs_list_query query = {CS_LIST_USER, CS_LIT("alice"), CS_LIT(""), 1000};
    char *cursor = NULL;
    uint64_t count = 0;

    do {
        struct cs_record_page page;

        assert_ok(store->ops->list(store, &query, &page, soon(), err));
        count += page.count;
        free(cursor);
        cursor = page.next_cursor;
        page.next_cursor = NULL;
        cs_record_page_clear(&page);
        query.cursor = text(cursor);
    } while (cursor != NULL);
    return count;
}

/* Counts the log's entries; those of each writer must come in its order. */
static uint64_t count_log(struct cs_store *store)
{
    long next[32] = {0};
    char after[64] = "";
    uint64_t count = 0;
    bool more = true;

    while (more) {
        struct cs_log_page page;
        int writer;
        long i;
        int used;

        assert_ok(store->ops->log_read(store, CS_LIT("shared"), text(after), 1000, &page,
                                       soon(), err));
        for (const char *at = cs_buf_cstr(&page.json) + 1;
             sscanf(at, "[%d,%ld]%n", &writer, &i, &used) == 2; at += used + 1) {
            assert_true(writer >= 0 && writer < 32);
            assert_int_equal(next[writer], i);
            next[writer]++;
        }
        count += page.count;
        more = page.more;
        (void)snprintf(after, sizeof(after), "%s",
                       page.last_position != NULL ? page.last_position : "");
        cs_log_page_clear(&page);
    }
    return count;
}

static void load_store(const char *folder, const struct load *load)
{
    const uint64_t total = (uint64_t)load->writers * (uint64_t)load->each;
    struct cs_store *store = store_on(folder, load->journal);
    struct cs_record *record;

    create(store, "shared", "", "", "");
    store->ops->free(store);
    run_children(write_many, folder, load->writers, (void *)load);
    store = store_on(folder, load->journal);
    assert_int_equal(count_list(store), total);
    assert_int_equal(count_log(store), total);
    assert_int_equal(counter(store, "stats", "total"), total);
    assert_int_equal(counter(store, "user/alice", "total"), total);
    assert_ok(store->ops->get(store, CS_LIT("shared"), &record, soon(), err));
    assert_int_equal(record->revision,
                     1 + (uint64_t)load->writers * (uint64_t)((load->each + 4) / 5));
    cs_record_free(record);
    store->ops->free(store);
    assert_intact(folder);
}

static void test_writers_at_once(void **state)
{
    const struct load small = {CS_JOURNAL_WAL, 4, 100};
    const long each = setting("CS_STORE_LOAD", 0);
    const struct load large = {CS_JOURNAL_WAL, 2, each};

    load_store(*state, each > 0 ? &large : &small);
}

static void test_writers_at_once_with_rollback_journal(void **state)
{
    const struct load small = {CS_JOURNAL_ROLLBACK, 4, 30};
    const long each = setting("CS_STORE_LOAD", 0);
    const struct load large = {CS_JOURNAL_ROLLBACK, 2, each};

    load_store(*state, each > 0 ? &large : &small);
}

/* Puts and deletes in the same folders: a folder that goes while a file comes
 * costs neither. */
static bool put_and_delete(const char *folder, int number, void *payload)
{
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct cs_err err = CS_ERR_NONE;
    bool good = true;

    (void)payload;
    for (int i = 0; i < 100 && good; i++) {
        struct cs_object object;
        struct cs_object_reader *reader;
        uint64_t size = 0;
        char key[32];

        (void)snprintf(key, sizeof(key), "c/x/%d", number);
        good = went_well(put_bytes(store, key, CS_LIT("hello"), &object, &err), &err) &&
               went_well(store->ops->open(store, text(key), CS_LIT(""), NULL, &reader,
                                          &size, soon(), &err),
                         &err);
        if (!good)
            break;
        store->ops->close(store, reader);
        good = size == 5 &&
               went_well(store->ops->delete_version(store, text(key),
                                                    text(object.version), soon(), &err),
                         &err);
        cs_object_clear(&object);
    }
    store->ops->free(store);
    return good;
}

static void test_puts_and_deletes_at_once(void **state)
{
    run_children(put_and_delete, *state, 4, NULL);
    assert_int_equal(count_names(*state, "objects"), 0);
    assert_int_equal(count_names(*state, "tmp"), 0);
}

/* ---- kill -9 ---- */

struct killed {
    int report; /* write end: the number of each acknowledged completion */
    long first;
};

#define OBJECT_BYTES 3000u

static void fill_object(char bytes[OBJECT_BYTES], long i)
{
    for (size_t k = 0; k < OBJECT_BYTES; k++)
        bytes[k] = (char)((size_t)i * 131 + k * 7);
}

/* As a completion does it: the object, then the record that names it, then the
 * answer. */
static bool complete_for_ever(const char *folder, int number, void *payload)
{
    const struct killed *killed = payload;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct cs_err err = CS_ERR_NONE;
    char bytes[OBJECT_BYTES];
    bool good = true;

    for (long i = killed->first; good; i++) {
        struct cs_record record = record_of("", "alice", "completed", "2024");
        const struct cs_delta delta = {CS_LIT("stats"), CS_LIT("total"), 1};
        const struct cs_write create_it = {CS_WRITE_CREATE, &record};
        const struct cs_transaction transaction = {&create_it, 1, &delta, 1};
        struct cs_object object;
        char key[128];
        char record_key[64];

        (void)snprintf(record_key, sizeof(record_key), "%d-%ld", number, i);
        (void)snprintf(key, sizeof(key), "c/%s/state.json", record_key);
        fill_object(bytes, i);
        good = went_well(
            put_bytes(store, key, cs_view_of(bytes, sizeof(bytes)), &object, &err), &err);
        if (!good)
            break;
        record.key = text(record_key);
        record.detail = text(object.version);
        good = went_well(store->ops->commit(store, &transaction, soon(), &err), &err) &&
               write(killed->report, &i, sizeof(i)) == (ssize_t)sizeof(i);
        cs_object_clear(&object);
    }
    store->ops->free(store);
    return good;
}

/* The record of an acknowledged completion, and every byte of its object. */
static void check_completed(struct cs_store *store, const struct cs_record *record)
{
    struct cs_buf key = CS_BUF_INIT(256);
    struct cs_buf bytes = CS_BUF_INIT(OBJECT_BYTES + 4096);
    char expected[OBJECT_BYTES];
    uint64_t size;
    uint64_t i;

    assert_true(cs_view_to_u64(
        cs_view_from(record->key, cs_view_find_byte(record->key, '-') + 1), &i));
    fill_object(expected, (long)i);
    cs_buf_add_fmt(&key, "c/%.*s/state.json", CS_FMT(record->key));
    assert_ok(read_object(store, cs_buf_view(&key), record->detail, NULL, 4096, &bytes,
                          &size, err));
    assert_int_equal(size, OBJECT_BYTES);
    assert_memory_equal(bytes.ptr, expected, OBJECT_BYTES);
    cs_buf_clear(&key);
    cs_buf_clear(&bytes);
}

static bool check_whole(void *payload, const struct cs_object_entry *entry)
{
    (void)payload;
    assert_int_equal(entry->size, OBJECT_BYTES);
    return true;
}

static void pause_us(long us)
{
    const struct timespec pause = {us / 1000000, us % 1000000 * 1000};

    (void)nanosleep(&pause, NULL);
}

/* Reads the acknowledged numbers and looks for their records. */
static long check_acknowledged(struct cs_store *store, int from, int number)
{
    long next = 0;
    long i;

    while (read(from, &i, sizeof(i)) == (ssize_t)sizeof(i)) {
        struct cs_record *record;
        char key[128];

        (void)snprintf(key, sizeof(key), "%d-%ld", number, i);
        assert_ok(store->ops->get(store, text(key), &record, soon(), err));
        check_completed(store, record);
        cs_record_free(record);
        next = i + 1;
    }
    return next;
}

static void kill_some(const char *folder, int round, uint32_t random)
{
    enum { WRITERS = 2 };
    struct killed killed[WRITERS];
    pid_t pids[WRITERS];
    int ends[WRITERS][2];
    struct cs_store *store;

    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pipe(ends[i]), 0);
        killed[i] = (struct killed){ends[i][1], round * 100000l};
        pids[i] = start_child(complete_for_ever, folder, i, &killed[i]);
        (void)close(ends[i][1]);
    }
    {
        struct pollfd first = {.fd = ends[0][0], .events = POLLIN};

        assert_int_equal(poll(&first, 1, 60000), 1);
    }
    pause_us((long)(random % 20000));
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(kill(pids[i], SIGKILL), 0);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
    store = store_on(folder, CS_JOURNAL_WAL);
    for (int i = 0; i < WRITERS; i++) {
        (void)check_acknowledged(store, ends[i][0], i);
        (void)close(ends[i][0]);
    }
    store->ops->free(store);
}

static void test_kill(void **state)
{
    const long rounds = setting("CS_STORE_KILLS", 40);
    struct cs_list_query query = {CS_LIST_ALL, CS_LIT(""), CS_LIT(""), 1000};
    struct cs_local_cleanup cleanup;
    struct cs_store *store;
    char *cursor = NULL;
    int64_t count = 0;

    for (long i = 0; i < rounds; i++) {
        uint32_t random;

        assert_ok(cs_random_bytes(&random, sizeof(random), err));
        kill_some(*state, (int)i, random);
    }
    assert_intact(*state);
    /* no record names an object that is not there, none is half, the counter is
     * as many as there are records */
    store = store_on(*state, CS_JOURNAL_WAL);
    do {
        struct cs_record_page page;

        assert_ok(store->ops->list(store, &query, &page, soon(), err));
        for (size_t i = 0; i < page.count; i++)
            check_completed(store, page.records[i]);
        count += (int64_t)page.count;
        free(cursor);
        cursor = page.next_cursor;
        page.next_cursor = NULL;
        cs_record_page_clear(&page);
        query.cursor = text(cursor);
    } while (cursor != NULL);
    assert_true(count >= rounds);
    assert_true(counter(store, "stats", "total") == count);
    assert_ok(store->ops->each_object(store, CS_LIT(""), check_whole, NULL, soon(), err));
    assert_ok(cs_store_local_cleanup(store, INT64_MAX, false, &cleanup, soon(), err));
    assert_int_equal(count_names(*state, "tmp"), 0);
    print_message("%ld kills, %ld completions, %d unfinished puts removed\n", rounds,
                  (long)count, (int)cleanup.files_removed);
    store->ops->free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_many_start_at_once),
        FOLDER_TEST(test_writers_at_once),
        FOLDER_TEST(test_writers_at_once_with_rollback_journal),
        FOLDER_TEST(test_puts_and_deletes_at_once),
        FOLDER_TEST(test_kill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
