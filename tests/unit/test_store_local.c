/* What is special about the embedded store: forks, journals, damage, a full disk,
 * its secret. */
#include "config.h"

#include <signal.h>
#include <sys/resource.h>

#include "local_helpers.h"

#include "store/local_database.h"

/* ---- processes ---- */

static bool use_inherited(const char *folder, int number, void *payload)
{
    struct cs_store *store = payload;
    struct cs_record *record;
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc = store->ops->get(store, CS_LIT("a"), &record, soon(), &err);
    bool refused = rc == CS_EINTERNAL && strstr(err.text, "fork") != NULL;

    (void)folder;
    (void)number;
    store->ops->free(store);
    /* ends without a look for leaks: SQLite's memory rightly stays the parent's */
    if (refused)
        (void)execl("/bin/true", "true", (char *)NULL);
    return false;
}

static bool use_first(const char *folder, int number, void *payload)
{
    struct cs_store *store = payload;
    const struct cs_record record =
        record_of(number == 0 ? "x" : "y", "alice", "r", "2024");
    struct cs_err err = CS_ERR_NONE;
    bool good = went_well(write_one(store, CS_WRITE_CREATE, &record, &err), &err);

    (void)folder;
    store->ops->free(store);
    return good;
}

static void test_fork_after_use(void **state)
{
    const char *folder = *state;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct cs_record *record;

    create(store, "a", "alice", "running", "2024");
    run_children(use_inherited, folder, 2, store);
    /* the child that went did not take the parent's database with it */
    create(store, "b", "alice", "running", "2024");
    assert_true(is_there(folder, "campaigns.db-wal"));
    assert_ok(store->ops->get(store, CS_LIT("b"), &record, soon(), err));
    cs_record_free(record);
    assert_intact(folder);
    store->ops->free(store);
}

static void test_fork_before_use(void **state)
{
    const char *folder = *state;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct cs_record *record;

    run_children(use_first, folder, 2, store);
    assert_ok(store->ops->get(store, CS_LIT("x"), &record, soon(), err));
    cs_record_free(record);
    assert_ok(store->ops->get(store, CS_LIT("y"), &record, soon(), err));
    cs_record_free(record);
    store->ops->free(store);
}

/* A store that was removed or moved away under a running process: what is
 * acknowledged from then on is in the new place. */
static void test_root_replaced(void **state)
{
    const char *folder = *state;
    char *root = unit_folder_path(folder, "root");
    char *moved = unit_folder_path(folder, "moved");
    struct cs_store *store = store_on(root, CS_JOURNAL_WAL);
    struct cs_record *record;

    create(store, "a", "alice", "running", "2024");
    put_text(store, "a", "1");
    assert_int_equal(rename(root, moved), 0);
    create(store, "b", "alice", "running", "2024");
    put_text(store, "b", "2");
    assert_true(is_there(root, "objects"));
    assert_int_equal(store->ops->get(store, CS_LIT("a"), &record, soon(), NULL),
                     CS_ENOTFOUND);
    assert_no_object(store, "a", "");
    remove_file(root, "campaigns.db");
    remove_file(root, "campaigns.db-wal");
    remove_file(root, "campaigns.db-shm");
    create(store, "b", "alice", "running", "2024");
    assert_true(is_there(root, "campaigns.db"));
    store->ops->free(store);
    assert_intact(moved);
    assert_intact(root);
    free(root);
    free(moved);
}

/* ---- journals ---- */

static char *journal_of(const char *folder)
{
    sqlite3 *handle = open_sqlite(folder);
    char *mode = ask_sql(handle, "PRAGMA journal_mode");

    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    return mode;
}

static void test_journals(void **state)
{
    const char *folder = *state;
    static const enum cs_local_journal journals[] = {CS_JOURNAL_WAL, CS_JOURNAL_ROLLBACK,
                                                     CS_JOURNAL_WAL};

    for (size_t i = 0; i < CS_COUNT(journals); i++) {
        struct cs_store *store = store_on(folder, journals[i]);
        char key[] = {(char)('a' + i), '\0'};
        char *mode;

        create(store, key, "alice", "running", "2024");
        mode = journal_of(folder);
        assert_int_equal(strcmp(mode, "wal") == 0, journals[i] == CS_JOURNAL_WAL);
        free(mode);
        store->ops->free(store);
    }
    assert_intact(folder);
}

/* f_type of statfs(2), as the kernel's linux/magic.h has it. */
static void test_network_file_systems(void **state)
{
    static const unsigned long network[] = {0x6969 /* NFS */, 0xff534d42 /* CIFS */,
                                            0xfe534d42 /* SMB2 */, 0x65735546 /* FUSE */,
                                            0x01021997 /* 9P */};
    static const unsigned long local[] = {
        0xef53 /* ext4 */,      0x58465342 /* XFS */,
        0x9123683e /* Btrfs */, 0x2fc12fc1 /* ZFS */,
        0x01021994 /* tmpfs */, 0x794c7630 /* overlay */,
        0xf2f52010 /* F2FS */,  0xca451a4e /* bcachefs */};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(network); i++) {
        assert_true(cs_local_is_network(network[i]));
        /* f_type is signed on some machines */
        assert_true(cs_local_is_network(network[i] | ~0xfffffffful));
    }
    for (size_t i = 0; i < CS_COUNT(local); i++)
        assert_false(cs_local_is_network(local[i]));
}

static void test_root_for_everybody(void **state)
{
    static const mode_t refused[] = {0755, 0711, 0701, 0704, 0777};
    static const mode_t taken[] = {0700, 0710, 0750, 0770};
    const char *folder = *state;
    struct cs_store_local_options options = {
        .root = folder, .bucket_name = "b", .table_name = "t"};

    for (size_t i = 0; i < CS_COUNT(refused); i++) {
        struct cs_err fault = CS_ERR_NONE;

        assert_int_equal(chmod(folder, refused[i]), 0);
        assert_null(cs_store_local_new(&options, &fault));
        assert_int_equal(fault.code, CS_EINVAL);
        assert_non_null(strstr(fault.text, "chmod o-rwx"));
    }
    for (size_t i = 0; i < CS_COUNT(taken); i++) {
        struct cs_store *store;

        assert_int_equal(chmod(folder, taken[i]), 0);
        store = cs_store_local_new(&options, NULL);
        assert_non_null(store);
        store->ops->free(store);
    }
}

/* Private when the store was made, and no more when it is opened. */
static void test_root_opened_to_everybody(void **state)
{
    struct cs_store *store = store_on(*state, CS_JOURNAL_BY_FILE_SYSTEM);
    struct cs_store_health health;

    assert_int_equal(chmod(*state, 0755), 0);
    store->ops->health(store, &health, cs_deadline_in_ms(60000));
    assert_false(health.records_ok);
    assert_non_null(strstr(health.records_text, "chmod o-rwx"));
    assert_int_equal(chmod(*state, 0700), 0);
    store->ops->health(store, &health, cs_deadline_in_ms(60000));
    assert_true(health.records_ok);
    store->ops->free(store);
}

/* A file that is in use in the other mode: the answer comes by the deadline. */
static void test_journal_in_use(void **state)
{
    const char *folder = *state;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct cs_store *other = store_on(folder, CS_JOURNAL_ROLLBACK);
    struct cs_record *record;
    int64_t start_us;

    create(store, "a", "alice", "running", "2024");
    start_us = cs_clock_monotonic_us();
    assert_int_equal(
        other->ops->get(other, CS_LIT("a"), &record, cs_deadline_in_ms(200), NULL),
        CS_ETIMEOUT);
    assert_true(cs_clock_monotonic_us() - start_us < 30 * CS_SECOND_US);
    store->ops->free(store);
    assert_ok(other->ops->get(other, CS_LIT("a"), &record, soon(), err));
    cs_record_free(record);
    other->ops->free(other);
}

/* ---- damage ---- */

static enum cs_code open_and_get(const char *folder, struct cs_err *err)
{
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct cs_record *record;
    enum cs_code rc = store->ops->get(store, CS_LIT("a"), &record, soon(), err);

    if (rc == CS_OK)
        cs_record_free(record);
    store->ops->free(store);
    return rc;
}

static void test_wrong_databases(void **state)
{
    const char *folder = *state;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct cs_err err_newer = CS_ERR_NONE;
    struct cs_err err_other = CS_ERR_NONE;
    struct cs_err err_damaged = CS_ERR_NONE;
    static char garbage[16384];
    sqlite3 *handle;

    create(store, "a", "alice", "running", "2024");
    store->ops->free(store);
    handle = open_sqlite(folder);
    run_sql(handle, "PRAGMA user_version = 1000");
    assert_int_equal(open_and_get(folder, &err_newer), CS_EIO);
    assert_non_null(strstr(err_newer.text, "newer"));
    run_sql(handle, "PRAGMA user_version = 1; PRAGMA application_id = 7");
    assert_int_equal(open_and_get(folder, &err_other), CS_EIO);
    assert_non_null(strstr(err_other.text, "another program"));
    run_sql(handle, "PRAGMA application_id = 1129530434");
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    assert_int_equal(open_and_get(folder, NULL), CS_OK);

    memset(garbage, 'x', sizeof(garbage) - 1);
    write_file(folder, "campaigns.db", garbage);
    assert_int_equal(open_and_get(folder, &err_damaged), CS_EIO);
    assert_non_null(strstr(err_damaged.text, "damaged"));
}

static void test_health(void **state)
{
    const char *folder = *state;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct cs_store_health health;

    store->ops->health(store, &health, soon());
    assert_true(health.objects_ok && health.records_ok);
    assert_string_equal(health.objects_text, "");
    assert_string_equal(health.records_text, "");
    assert_int_equal(count_names(folder, "tmp"), 0);
    remove_file(folder, "tmp");
    write_file(folder, "tmp", "in the way");
    store->ops->health(store, &health, soon());
    assert_false(health.objects_ok);
    assert_true(health.records_ok);
    assert_true(strlen(health.objects_text) > 0);
    store->ops->free(store);
    write_file(folder, "campaigns.db", "this is no database, it is far too short a text");
    store = store_on(folder, CS_JOURNAL_WAL);
    store->ops->health(store, &health, soon());
    assert_false(health.records_ok);
    assert_true(strlen(health.records_text) > 0);
    store->ops->free(store);
}

/* A file system that takes no more: an error with a sentence, nothing half
 * stored, and all is well once there is room again. */
static bool fill_up(const char *folder, int number, void *payload)
{
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct rlimit limit;
    static char big[1u << 20];
    struct cs_record record = record_of("big", "alice", "running", "2024");
    struct cs_err put_err = CS_ERR_NONE;
    struct cs_err commit_err = CS_ERR_NONE;
    struct cs_err err = CS_ERR_NONE;
    struct cs_object object;
    bool good;

    (void)number;
    (void)payload;
    memset(big, 'x', sizeof(big));
    record.detail = cs_view_of(big, 300000);
    (void)sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    good = went_well(add_to(store, "stats", "n", 1, &err), &err) &&
           getrlimit(RLIMIT_FSIZE, &limit) == 0;
    limit.rlim_cur = 200000;
    good = good && setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           put_bytes(store, "big", cs_view_of(big, sizeof(big)), &object, &put_err) ==
               CS_EIO &&
           write_one(store, CS_WRITE_CREATE, &record, &commit_err) == CS_EIO &&
           put_err.text[0] != '\0' && commit_err.text[0] != '\0';
    limit.rlim_cur = limit.rlim_max;
    good = good && setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           went_well(write_one(store, CS_WRITE_CREATE, &record, &err), &err);
    store->ops->free(store);
    return good;
}

static void test_no_room(void **state)
{
    const char *folder = *state;

    run_children(fill_up, folder, 1, NULL);
    assert_int_equal(count_names(folder, "tmp"), 0);
    assert_int_equal(count_names(folder, "objects"), 0);
    assert_intact(folder);
}

/* ---- the secret ---- */

static void test_secret(void **state)
{
    const char *folder = *state;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    uint8_t first[CS_STORE_SECRET_LEN];
    uint8_t second[CS_STORE_SECRET_LEN];
    static const uint8_t zeros[CS_STORE_SECRET_LEN];
    char *target = unit_folder_path(folder, "elsewhere");

    assert_ok(cs_store_local_secret(store, first, err));
    assert_ok(cs_store_local_secret(store, second, err));
    assert_memory_equal(first, second, sizeof(first));
    assert_memory_not_equal(first, zeros, sizeof(first));
    assert_int_equal(mode_of(folder, "secret"), 0600);
    assert_int_equal(count_names(folder, "tmp"), 0);
    write_file(folder, "secret", "too short");
    assert_int_equal(cs_store_local_secret(store, first, NULL), CS_EIO);
    assert_memory_equal(first, zeros, sizeof(first));
    remove_file(folder, "secret");
    write_file(folder, "elsewhere", "0123456789abcdef0123456789abcdef");
    make_link(folder, "secret", target);
    assert_int_equal(cs_store_local_secret(store, first, NULL), CS_EIO);
    free(target);
    store->ops->free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_fork_after_use),
        FOLDER_TEST(test_fork_before_use),
        FOLDER_TEST(test_root_replaced),
        FOLDER_TEST(test_journals),
        FOLDER_TEST(test_journal_in_use),
        FOLDER_TEST(test_wrong_databases),
        FOLDER_TEST(test_health),
        FOLDER_TEST(test_no_room),
        FOLDER_TEST(test_secret),
        FOLDER_TEST(test_root_for_everybody),
        FOLDER_TEST(test_root_opened_to_everybody),
        cmocka_unit_test(test_network_file_systems),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
