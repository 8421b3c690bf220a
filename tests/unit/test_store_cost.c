/* What the embedded store costs: the same work however much there is, answers by
 * their deadline, little memory. */
#include "config.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "local_helpers.h"
#include "store/local_database.h"

/* ---- work ---- */

/* Adds rows from..to-1 in one go; every user and status gets a tenth. */
static void add_rows(sqlite3 *handle, int from, int to)
{
    char sql[1024];

    (void)snprintf(
        sql, sizeof(sql),
        "BEGIN; WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n"
        " WHERE i + 1 < %d) INSERT INTO record (id, key, revision, user_id, status,"
        " created_at, expires_at_us, summary) SELECT i, printf('k%%08d', i), 1,"
        " 'user' || (i %% 10), 'status' || (i / 7 %% 10), printf('2024-%%08d',"
        " i * 7919 %% 1000000), 0, printf('{\"text\":\"%%0500d\"}', i) FROM n;"
        "INSERT INTO detail SELECT id, printf('%%02000d', id) FROM record"
        " WHERE id >= %d; COMMIT",
        from, to, from);
    run_sql(handle, sql);
}

static void bind_list(sqlite3_stmt *statement, enum cs_local_sql sql, bool first_page)
{
    const char *value = sql == CS_SQL_LIST_USER ? "user3" : "status3";

    if (sql != CS_SQL_LIST_ALL)
        (void)sqlite3_bind_text(statement, 1, value, -1, SQLITE_STATIC);
    if (first_page && sql != CS_SQL_LIST_ALL) {
        (void)sqlite3_bind_zeroblob(statement, 2, 0);
        (void)sqlite3_bind_zeroblob(statement, 3, 0);
    } else {
        if (sql != CS_SQL_LIST_ALL)
            (void)sqlite3_bind_text(statement, 2, "2024-00900000", -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(statement, 3, first_page ? "" : "k00000005", -1,
                                SQLITE_STATIC);
    }
    (void)sqlite3_bind_int(statement, 4, 5);
}

/* Virtual machine steps of a page of five; no sorting, no scanning. */
static int steps_of_page(sqlite3 *handle, enum cs_local_sql sql, bool first_page)
{
    sqlite3_stmt *statement;
    int rows = 0;
    int steps;

    assert_int_equal(
        sqlite3_prepare_v2(handle, cs_local_sql_texts[sql], -1, &statement, NULL),
        SQLITE_OK);
    bind_list(statement, sql, first_page);
    while (sqlite3_step(statement) == SQLITE_ROW)
        rows++;
    assert_int_equal(rows, 5);
    steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 0);
    assert_int_equal(sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_SORT, 0), 0);
    assert_int_equal(sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0),
                     0);
    assert_int_equal(sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_AUTOINDEX, 0), 0);
    (void)sqlite3_finalize(statement);
    return steps;
}

static const enum cs_local_sql lists[] = {CS_SQL_LIST_USER, CS_SQL_LIST_STATUS,
                                          CS_SQL_LIST_ALL};

/* A page costs the same steps among 100 campaigns and among 100,000. */
static void test_list_work(void **state)
{
    struct cs_store *store = store_on(*state, CS_JOURNAL_WAL);
    int few[CS_COUNT(lists)][2];
    sqlite3 *handle;

    create(store, "a", "alice", "running", "2024");
    handle = open_sqlite(*state);
    add_rows(handle, 1000, 1100);
    for (size_t i = 0; i < CS_COUNT(lists); i++)
        for (int page = 0; page < 2; page++)
            few[i][page] = steps_of_page(handle, lists[i], page == 0);
    add_rows(handle, 1100, getenv("CS_VALGRIND") != NULL ? 20000 : 101000);
    for (size_t i = 0; i < CS_COUNT(lists); i++)
        for (int page = 0; page < 2; page++)
            assert_int_equal(steps_of_page(handle, lists[i], page == 0), few[i][page]);
    (void)sqlite3_close(handle);
    store->ops->free(store);
}

/* The plan of each statement that reads: always by a key or an index's range. */
static void test_plans(void **state)
{
    static const struct {
        enum cs_local_sql sql;
        const char *plan;
    } plans[] = {
        {CS_SQL_GET, "USING INDEX sqlite_autoindex_record_1 (key=?)"},
        {CS_SQL_LIST_USER,
         "USING INDEX record_by_user (user_id=? AND (created_at,key)<(?,?))"},
        {CS_SQL_LIST_STATUS,
         "USING INDEX record_by_status (status=? AND (created_at,key)<(?,?))"},
        {CS_SQL_LIST_ALL, "USING INDEX sqlite_autoindex_record_1 (key>?)"},
        {CS_SQL_COUNTERS, "USING PRIMARY KEY (group_name=?)"},
        {CS_SQL_LOG_LAST, "USING PRIMARY KEY (key=?)"},
        {CS_SQL_LOG_READ, "USING PRIMARY KEY (key=? AND seq>?)"},
        {CS_SQL_LOG_DELETE, "USING PRIMARY KEY (key=?)"},
        {CS_SQL_EXISTS, "USING COVERING INDEX sqlite_autoindex_record_1 (key=?)"},
    };
    struct cs_store *store = store_on(*state, CS_JOURNAL_WAL);
    sqlite3 *handle;

    create(store, "a", "alice", "running", "2024");
    handle = open_sqlite(*state);
    for (size_t i = 0; i < CS_COUNT(plans); i++) {
        struct cs_buf plan = CS_BUF_INIT(65536);
        sqlite3_stmt *statement;
        char *sql = NULL;

        assert_true(asprintf(&sql, "EXPLAIN QUERY PLAN %s",
                             cs_local_sql_texts[plans[i].sql]) > 0);
        assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL),
                         SQLITE_OK);
        while (sqlite3_step(statement) == SQLITE_ROW)
            cs_buf_add_fmt(&plan, "%s; ",
                           (const char *)sqlite3_column_text(statement, 3));
        (void)sqlite3_finalize(statement);
        if (strstr(cs_buf_cstr(&plan), plans[i].plan) == NULL ||
            strstr(cs_buf_cstr(&plan), "SCAN") != NULL ||
            strstr(cs_buf_cstr(&plan), "TEMP B-TREE") != NULL)
            fail_msg("%s: %s", sql, cs_buf_cstr(&plan));
        free(sql);
        cs_buf_clear(&plan);
    }
    (void)sqlite3_close(handle);
    store->ops->free(store);
}

/* A listing reads no page that holds details: as few with large ones as without. */
static void test_lists_read_no_details(void **state)
{
    struct cs_store *store = store_on(*state, CS_JOURNAL_WAL);
    sqlite3 *handle;
    int misses = 0;
    int high;

    create(store, "a", "alice", "running", "2024");
    handle = open_sqlite(*state);
    add_rows(handle, 1000, 1100);
    run_sql(handle, "UPDATE detail SET body = printf('%0300000d', id)");
    (void)sqlite3_close(handle);
    handle = open_sqlite(*state);
    (void)sqlite3_db_status(handle, SQLITE_DBSTATUS_CACHE_MISS, &misses, &high, 1);
    (void)steps_of_page(handle, CS_SQL_LIST_USER, true);
    (void)sqlite3_db_status(handle, SQLITE_DBSTATUS_CACHE_MISS, &misses, &high, 0);
    assert_in_range(misses, 1, 20);
    (void)sqlite3_close(handle);
    store->ops->free(store);
}

static int steps_of_append(sqlite3 *handle)
{
    static const enum cs_local_sql sql[] = {CS_SQL_EXISTS, CS_SQL_LOG_LAST,
                                            CS_SQL_LOG_ADD};
    int steps = 0;

    for (size_t i = 0; i < CS_COUNT(sql); i++) {
        sqlite3_stmt *statement;

        assert_int_equal(
            sqlite3_prepare_v2(handle, cs_local_sql_texts[sql[i]], -1, &statement, NULL),
            SQLITE_OK);
        (void)sqlite3_bind_text(statement, 1, "a", -1, SQLITE_STATIC);
        if (sql[i] == CS_SQL_LOG_ADD) {
            (void)sqlite3_bind_int(statement, 2, 1000000);
            (void)sqlite3_bind_text(statement, 3, "{}", -1, SQLITE_STATIC);
        }
        (void)sqlite3_step(statement);
        steps += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 0);
        (void)sqlite3_finalize(statement);
    }
    run_sql(handle, "DELETE FROM log WHERE seq = 1000000");
    return steps;
}

static void test_log_work(void **state)
{
    struct cs_store *store = store_on(*state, CS_JOURNAL_WAL);
    const struct cs_view entry =
        CS_LIT("{\"agent\":\"writer\",\"message\":\"a few words\"}");
    struct cs_view entries[100];
    sqlite3 *handle;
    int few;

    create(store, "a", "alice", "running", "2024");
    assert_ok(
        store->ops->log_append(store, CS_LIT("a"), &entry, 1, CS_LIT(""), soon(), err));
    handle = open_sqlite(*state);
    few = steps_of_append(handle);
    for (size_t i = 0; i < CS_COUNT(entries); i++)
        entries[i] = entry;
    for (int i = 0; i < 50; i++)
        assert_ok(store->ops->log_append(store, CS_LIT("a"), entries, CS_COUNT(entries),
                                         CS_LIT(""), soon(), err));
    assert_int_equal(steps_of_append(handle), few);
    (void)sqlite3_close(handle);
    store->ops->free(store);
}

/* ---- deadlines ---- */

static void test_locked(void **state)
{
    const struct cs_record record = record_of("b", "alice", "running", "2024");
    const struct cs_write write = {CS_WRITE_CREATE, &record};
    const struct cs_transaction transaction = {&write, 1, NULL, 0};
    static const enum cs_local_journal journals[] = {CS_JOURNAL_WAL, CS_JOURNAL_ROLLBACK};

    for (size_t i = 0; i < CS_COUNT(journals); i++) {
        struct cs_store *store = store_on(*state, journals[i]);
        struct cs_err failure = CS_ERR_NONE;
        char key[] = {(char)('x' + i), '\0'};
        int64_t start_us;
        sqlite3 *handle;

        create(store, key, "alice", "running", "2024");
        handle = open_sqlite(*state);
        run_sql(handle, "BEGIN IMMEDIATE");
        start_us = cs_clock_monotonic_us();
        assert_int_equal(
            store->ops->commit(store, &transaction, cs_deadline_in_ms(150), &failure),
            CS_ETIMEOUT);
        assert_true(strlen(failure.text) > 0);
        assert_in_range((cs_clock_monotonic_us() - start_us) / 1000, 140, 30000);
        run_sql(handle, "ROLLBACK");
        assert_int_equal(sqlite3_close(handle), SQLITE_OK);
        /* nothing is left behind that would hold up others or ourselves */
        if (i == 0)
            assert_ok(store->ops->commit(store, &transaction, soon(), err));
        else
            assert_int_equal(store->ops->commit(store, &transaction, soon(), NULL),
                             CS_EEXISTS);
        store->ops->free(store);
    }
}

static size_t count_one(void *payload, const struct cs_record *record,
                        struct cs_delta *deltas_out)
{
    ++*(int *)payload;
    deltas_out[0] = (struct cs_delta){CS_LIT("stats"), record->status, 1};
    return 1;
}

/* Long work ends by its deadline too, and changes nothing then. */
static void test_late_recount(void **state)
{
    struct cs_store *store = store_on(*state, CS_JOURNAL_WAL);
    const struct cs_deadline past = {cs_clock_monotonic_us() - 1};
    sqlite3 *handle;
    int seen = 0;

    assert_ok(add_to(store, "stats", "before", 5, err));
    handle = open_sqlite(*state);
    add_rows(handle, 1000, 6000);
    (void)sqlite3_close(handle);
    assert_int_equal(store->ops->recount(store, count_one, &seen, past, NULL),
                     CS_ETIMEOUT);
    assert_true(seen < 5000);
    assert_int_equal(counter(store, "stats", "before"), 5);
    assert_ok(store->ops->recount(store, count_one, &seen, soon(), err));
    assert_int_equal(counter(store, "stats", "before"), 0);
    assert_int_equal(counter(store, "stats", "status3"), 504); /* i / 7 % 10 == 3 */
    store->ops->free(store);
}

/* ---- memory ---- */

/* Private bytes of this process, or 0 where it can't be told, as under a tool
 * that has memory of its own. */
static long private_kib(void)
{
    FILE *file;
    char line[256];
    long sum = 0;
    long kib;

    if (UNIT_SANITIZED || (getenv("LD_PRELOAD") != NULL &&
                           strstr(getenv("LD_PRELOAD"), "vgpreload") != NULL))
        return 0;
    file = fopen("/proc/self/smaps_rollup", "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "Private_Clean: %ld", &kib) == 1 ||
            sscanf(line, "Private_Dirty: %ld", &kib) == 1)
            sum += kib;
    (void)fclose(file);
    return sum;
}

struct memory {
    long empty; /* before anything */
    long idle;  /* after one of each call */
    long put;   /* after a large object was put */
    long read;  /* after it was read */
    bool failed;
};

static bool use_everything(struct cs_store *store, struct cs_err *err)
{
    static const char detail[100000];
    struct cs_record record = record_of("a", "alice", "running", "2024");
    struct cs_list_query query = {CS_LIST_USER, CS_LIT("alice"), CS_LIT(""), 100};
    const struct cs_view entry = CS_LIT("{}");
    struct cs_record_page page;
    struct cs_log_page log;
    struct cs_counters counters;
    struct cs_object object;
    bool good;

    record.detail = cs_view_of(detail, sizeof(detail));
    good = write_one(store, CS_WRITE_CREATE, &record, err) == CS_OK &&
           add_to(store, "stats", "n", 1, err) == CS_OK &&
           store->ops->log_append(store, record.key, &entry, 1, CS_LIT("x"), soon(),
                                  err) == CS_OK &&
           store->ops->list(store, &query, &page, soon(), err) == CS_OK;
    if (!good)
        return false;
    cs_record_page_clear(&page);
    good = store->ops->log_read(store, record.key, CS_LIT(""), 10, &log, soon(), err) ==
           CS_OK;
    cs_log_page_clear(&log);
    good = good &&
           store->ops->counters(store, CS_LIT("stats"), &counters, soon(), err) == CS_OK;
    cs_counters_clear(&counters);
    good = good && put_bytes(store, "a/b", CS_LIT("hello"), &object, err) == CS_OK;
    cs_object_clear(&object);
    return good;
}

/* Reads every record with its detail: far more than the cache of pages may keep. */
static bool read_all(struct cs_store *store, struct cs_err *err)
{
    struct cs_list_query query = {CS_LIST_ALL, CS_LIT(""), CS_LIT(""), 50};
    char *cursor = NULL;
    enum cs_code rc;

    do {
        struct cs_record_page page;

        rc = store->ops->list(store, &query, &page, soon(), err);
        free(cursor);
        cursor = page.next_cursor;
        page.next_cursor = NULL;
        cs_record_page_clear(&page);
        query.cursor = text(cursor);
    } while (cursor != NULL);
    return rc == CS_OK;
}

/* 64 MiB in pieces of 64 KiB, put and read. */
static bool stream(struct cs_store *store, struct memory *memory, struct cs_err *err)
{
    enum { PIECES = 1024 };
    static char piece[65536];
    const struct cs_object_info info = {.key = CS_LIT("large")};
    struct cs_object_writer *writer;
    struct cs_object_reader *reader;
    struct cs_object object;
    uint64_t size;
    size_t got = 1;
    enum cs_code rc;

    rc = store->ops->put_begin(store, &info, UINT64_MAX, &writer, soon(), err);
    for (int i = 0; i < PIECES && rc == CS_OK; i++)
        rc = store->ops->put_add(store, writer, cs_view_of(piece, sizeof(piece)), err);
    memory->put = private_kib();
    if (rc != CS_OK || store->ops->put_commit(store, writer, &object, err) != CS_OK)
        return false;
    rc = store->ops->open(store, info.key, text(object.version), NULL, &reader, &size,
                          soon(), err);
    cs_object_clear(&object);
    while (rc == CS_OK && got > 0)
        rc = store->ops->read(store, reader, piece, sizeof(piece), &got, err);
    memory->read = private_kib();
    store->ops->close(store, reader);
    return rc == CS_OK && size == PIECES * sizeof(piece);
}

static bool use_memory(const char *folder, int number, void *payload)
{
    struct memory *memory = payload;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct cs_err err = CS_ERR_NONE;
    bool good;

    (void)number;
    memory->empty = private_kib();
    good = use_everything(store, &err) && read_all(store, &err);
    memory->idle = private_kib();
    good = good && stream(store, memory, &err);
    store->ops->free(store);
    return good || went_well(CS_EINTERNAL, &err);
}

static void test_memory(void **state)
{
    struct cs_store *store = store_on(*state, CS_JOURNAL_WAL);
    sqlite3 *handle;
    struct memory *memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    create(store, "#first", "", "", "");
    store->ops->free(store);
    handle = open_sqlite(*state);
    add_rows(handle, 1000, 6000);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    run_children(use_memory, *state, 1, memory);
    if (memory->empty == 0) {
        print_message("memory can't be told here\n");
    } else {
        print_message("private KiB: %ld at first, %ld idle, %ld putting, %ld reading\n",
                      memory->empty, memory->idle, memory->put, memory->read);
        assert_true(memory->idle - memory->empty <= 1536);
        assert_true(memory->put - memory->idle <= 512);
        assert_true(memory->read - memory->idle <= 512);
    }
    (void)munmap(memory, sizeof(*memory));
}

/* ---- time ---- */

/* Not a check but a number for whoever changes something here. */
static void test_print_times(void **state)
{
    enum { MANY = 2000, FEW = 50 };
    struct cs_store *store = store_on(*state, CS_JOURNAL_WAL);
    struct cs_record *record;
    int64_t start_us;
    int64_t get_us;
    int64_t put_us;
    int64_t commit_us;

    create(store, "a", "alice", "running", "2024");
    start_us = cs_clock_monotonic_us();
    for (int i = 0; i < MANY; i++) {
        assert_ok(store->ops->get(store, CS_LIT("a"), &record, soon(), err));
        cs_record_free(record);
    }
    get_us = (cs_clock_monotonic_us() - start_us) / MANY;
    start_us = cs_clock_monotonic_us();
    for (int i = 0; i < FEW; i++)
        put_text(store, "c/x", "hello");
    put_us = (cs_clock_monotonic_us() - start_us) / FEW;
    start_us = cs_clock_monotonic_us();
    for (int i = 0; i < FEW; i++)
        assert_ok(add_to(store, "stats", "n", 1, err));
    commit_us = (cs_clock_monotonic_us() - start_us) / FEW;
    print_message("microseconds: get %ld, put %ld, commit %ld\n", (long)get_us,
                  (long)put_us, (long)commit_us);
    store->ops->free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_list_work),
        FOLDER_TEST(test_plans),
        FOLDER_TEST(test_lists_read_no_details),
        FOLDER_TEST(test_log_work),
        FOLDER_TEST(test_locked),
        FOLDER_TEST(test_late_recount),
        FOLDER_TEST(test_memory),
        FOLDER_TEST(test_print_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
