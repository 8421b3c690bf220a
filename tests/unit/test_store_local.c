/* What is special about the embedded store: its files, links in its way, forks,
 * journals, damage. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <utime.h>

#include "local_helpers.h"

/* ---- files and names ---- */

static void test_layout(void **state)
{
    const char *folder = *state;
    char *root = unit_folder_path(folder, "a/b/data");
    struct cs_store *store = store_on(root, CS_JOURNAL_WAL);
    struct cs_buf report = CS_BUF_INIT(65536);
    struct cs_object object;
    struct cs_buf path = CS_BUF_INIT(4096);
    const mode_t mask = umask(0);
    char *file = NULL;

    assert_false(is_there(folder, "a"));
    assert_ok(store->ops->init(store, &report, soon(), err));
    create(store, "a", "alice", "running", "2024");
    assert_ok(put_bytes(store, "c/x y/é.pdf", CS_LIT("hello"), &object, err));
    (void)umask(mask);
    assert_int_equal(mode_of(root, ""), 0710);
    assert_int_equal(mode_of(root, "campaigns.db"), 0600);
    assert_int_equal(mode_of(root, "campaigns.db-wal"), 0600);
    assert_int_equal(mode_of(root, "campaigns.db-shm"), 0600);
    assert_int_equal(mode_of(root, "secret"), 0600);
    assert_int_equal(mode_of(root, "tmp"), 0700);
    assert_int_equal(mode_of(root, "objects"), 0750);
    assert_int_equal(mode_of(root, "objects/c/x%20y"), 0750);
    assert_int_equal(count_names(root, "tmp"), 0);

    assert_ok(store->ops->file_path(store, &object, &path, err));
    assert_true(asprintf(&file, "c/x%%2520y/%%25C3%%25A9.pdf%%40%s", object.version) > 0);
    assert_string_equal(cs_buf_cstr(&path), file);
    free(file);
    assert_true(asprintf(&file, "objects/c/x%%20y/%%C3%%A9.pdf@%s", object.version) > 0);
    assert_int_equal(mode_of(root, file), 0640);
    free(file);

    cs_object_clear(&object);
    cs_buf_clear(&path);
    cs_buf_clear(&report);
    store->ops->free(store);
    /* the last one to leave puts the light out */
    assert_false(is_there(root, "campaigns.db-wal"));
    free(root);
}

static void test_file_path_of_hostile_objects(void **state)
{
    struct cs_store *store = store_on(*state, CS_JOURNAL_WAL);
    static char version[] = "00000000000000000000000000000000";
    static const struct {
        const char *key;
        const char *version;
    } bad[] = {{"a", ""}, {"a", "x"}, {"../a", version}, {"", version}, {"a/", version}};
    struct cs_buf out = CS_BUF_INIT(4096);
    struct cs_object object = {.size = 0};
    int64_t expires_us = 1;

    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        object.key = (char *)bad[i].key;
        object.version = (char *)bad[i].version;
        assert_int_not_equal(store->ops->file_path(store, &object, &out, NULL), CS_OK);
        assert_int_equal(out.len, 0);
    }
    assert_int_equal(store->ops->url(store, &object, NULL, 60, &out, &expires_us, NULL),
                     CS_EUNSUPPORTED);
    assert_int_equal(expires_us, 0);
    cs_buf_clear(&out);
    store->ops->free(store);
}

/* Names that no key is written as are no objects, whoever put them there. */
static void test_foreign_files(void **state)
{
    const char *folder = *state;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    static const char *const names[] = {"objects/c/x",
                                        "objects/c/x@1",
                                        "objects/c/x@zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
                                        "objects/c/%61@00000000000000000000000000000000",
                                        "objects/c/%2f@00000000000000000000000000000000",
                                        "objects/c/%c3@00000000000000000000000000000000",
                                        "objects/c/a b@00000000000000000000000000000000",
                                        "objects/c/@00000000000000000000000000000000",
                                        "objects/c/%00@00000000000000000000000000000000"};
    struct cs_delete_report report;
    uint64_t entries = 0;

    put_text(store, "c/real", "hello");
    for (size_t i = 0; i < CS_COUNT(names); i++)
        write_file(folder, names[i], "foreign");
    assert_no_object(store, "c/x", "");
    assert_int_equal(count_names(folder, "objects/c"), CS_COUNT(names) + 1);
    (void)entries;
    /* what stands under a deleted prefix goes all the same, and is reported */
    assert_ok(store->ops->delete_prefix(store, CS_LIT("c/"), &report, soon(), err));
    assert_int_equal(report.objects_deleted, 1);
    assert_int_equal(report.versions_deleted, CS_COUNT(names) + 1);
    assert_int_equal(report.left, 0);
    assert_false(is_there(folder, "objects/c"));
    assert_true(is_there(folder, "objects"));
    store->ops->free(store);
}

static void test_no_empty_folders_stay(void **state)
{
    const char *folder = *state;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct cs_object object;

    put_text(store, "a/b/x", "1");
    assert_ok(put_bytes(store, "a/b/c/d/y", CS_LIT("2"), &object, err));
    assert_ok(store->ops->delete_version(store, text(object.key), text(object.version),
                                         soon(), err));
    assert_false(is_there(folder, "objects/a/b/c"));
    assert_object(store, "a/b/x", "", "1");
    /* of what is long gone */
    assert_ok(store->ops->delete_version(store, text(object.key), text(object.version),
                                         soon(), err));
    cs_object_clear(&object);
    store->ops->free(store);
}

/* The newest is what was put last, also after the clock was set back. */
static void test_clock_set_back(void **state)
{
    const char *folder = *state;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    static const char future[] = "7ffffffffffff000ffffffffffffffff";
    struct cs_object object;
    char *path = NULL;

    put_text(store, "a/b", "old");
    assert_true(asprintf(&path, "objects/a/b@%s", future) > 0);
    write_file(folder, path, "from the future");
    assert_object(store, "a/b", "", "from the future");
    assert_ok(put_bytes(store, "a/b", CS_LIT("new"), &object, err));
    assert_true(strcmp(object.version, future) > 0);
    assert_object(store, "a/b", "", "new");
    cs_object_clear(&object);
    free(path);
    store->ops->free(store);
}

static void test_cleanup(void **state)
{
    const char *folder = *state;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    const struct cs_object_info info = {.key = CS_LIT("a")};
    const int64_t day_ago = cs_clock_now_us() - 86400 * CS_SECOND_US;
    const struct utimbuf old = {(time_t)(day_ago / CS_SECOND_US) - 60,
                                (time_t)(day_ago / CS_SECOND_US) - 60};
    struct cs_object_writer *writer;
    struct cs_local_cleanup cleanup;
    struct cs_object object;
    char *path;

    assert_ok(store->ops->put_begin(store, &info, UINT64_MAX, &writer, soon(), err));
    assert_ok(store->ops->put_add(store, writer, CS_LIT("hello"), err));
    write_file(folder, "tmp/1-0123456789abcdef", "left over");
    path = unit_folder_path(folder, "tmp/1-0123456789abcdef");
    assert_int_equal(utime(path, &old), 0);
    free(path);
    for (int dry_run = 1; dry_run >= 0; dry_run--) {
        assert_ok(
            cs_store_local_cleanup(store, day_ago, dry_run == 1, &cleanup, soon(), err));
        assert_int_equal(cleanup.files_removed, 1);
        assert_int_equal(cleanup.bytes_removed, 9);
        assert_int_equal(count_names(folder, "tmp"), 1 + dry_run);
    }
    assert_ok(store->ops->put_commit(store, writer, &object, err));
    assert_object(store, "a", "", "hello");
    cs_object_clear(&object);
    store->ops->free(store);
}

/* ---- links ---- */

/* The folder `name` of a fresh store is replaced by a link to one outside, which
 * must be neither read nor written nor emptied; `key` would lead there. */
static void try_linked_folder(const char *root, const char *name, const char *outside,
                              const char *key)
{
    struct cs_store *store = store_on(root, CS_JOURNAL_WAL);
    struct cs_buf report = CS_BUF_INIT(4096);
    struct cs_object object;
    struct cs_delete_report deleted;
    struct cs_object_reader *reader;
    uint64_t size;
    static const char *const versions[] = {"", "00000000000000000000000000000000"};

    assert_ok(store->ops->init(store, &report, soon(), err));
    if (is_there(root, name))
        remove_file(root, name);
    make_link(root, name, outside);
    assert_int_equal(put_bytes(store, key, CS_LIT("x"), &object, NULL), CS_EIO);
    for (size_t i = 0; i < CS_COUNT(versions); i++)
        assert_int_not_equal(store->ops->open(store, text(key), text(versions[i]), NULL,
                                              &reader, &size, soon(), NULL),
                             CS_OK);
    (void)store->ops->delete_version(store, text(key), text(versions[1]), soon(), NULL);
    (void)store->ops->delete_prefix(store, CS_LIT("c/"), &deleted, soon(), NULL);
    assert_int_equal(deleted.versions_deleted, 0);
    store->ops->free(store);
    cs_buf_clear(&report);
}

static void test_links_to_folders(void **state)
{
    const char *folder = *state;
    static const struct {
        const char *root;
        const char *name;
        const char *key;
    } cases[] = {{"1", "objects/c", "c/x"}, {"2", "objects", "x"}, {"3", "tmp", "c/x"}};
    char *outside = unit_folder_path(folder, "outside");

    assert_int_equal(mkdir(outside, 0700), 0);
    write_file(outside, "x@00000000000000000000000000000000", "secret");
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        char *root = unit_folder_path(folder, cases[i].root);

        try_linked_folder(root, cases[i].name, outside, cases[i].key);
        assert_int_equal(count_names(folder, "outside"), 1);
        free(root);
    }
    free(outside);
}

static void test_links_to_files(void **state)
{
    const char *folder = *state;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct cs_delete_report report;
    struct cs_object object;
    struct cs_object_reader *reader;
    uint64_t size;
    char *outside = unit_folder_make();
    char *target = unit_folder_path(outside, "target");
    char *name = NULL;

    write_file(outside, "target", "secret");
    assert_ok(put_bytes(store, "c/x", CS_LIT("hello"), &object, err));
    assert_true(asprintf(&name, "objects/c/x@%s", object.version) > 0);
    remove_file(folder, name);
    make_link(folder, name, target);
    make_link(folder, "objects/c/to-a-folder", outside);
    for (int i = 0; i < 2; i++)
        assert_int_not_equal(store->ops->open(store, CS_LIT("c/x"),
                                              i == 0 ? CS_LIT("") : text(object.version),
                                              NULL, &reader, &size, soon(), NULL),
                             CS_OK);
    /* links are removed as such */
    assert_ok(store->ops->delete_prefix(store, CS_LIT("c/"), &report, soon(), err));
    assert_int_equal(report.left, 0);
    assert_false(is_there(folder, "objects/c"));
    assert_true(is_there(outside, "target"));
    cs_object_clear(&object);
    store->ops->free(store);
    unit_folder_remove(outside);
    free(target);
    free(name);
}

static void test_links_to_databases(void **state)
{
    const char *folder = *state;
    static const char *const names[] = {"campaigns.db", "campaigns.db-wal",
                                        "campaigns.db-shm", "campaigns.db-journal"};
    char *outside = unit_folder_path(folder, "outside");

    write_file(folder, "outside", "");
    for (size_t i = 0; i < CS_COUNT(names); i++) {
        char *root = unit_folder_path(folder, names[i] + 9);
        struct cs_store *store = store_on(root, CS_JOURNAL_WAL);
        struct cs_record *record;
        struct stat about;

        assert_int_equal(mkdir(root, 0700), 0);
        make_link(root, names[i], outside);
        assert_int_equal(store->ops->get(store, CS_LIT("a"), &record, soon(), NULL),
                         CS_EIO);
        assert_int_equal(stat(outside, &about), 0);
        assert_int_equal(about.st_size, 0);
        store->ops->free(store);
        free(root);
    }
    free(outside);
}

/* The root itself may well be reached by a link: that is the administrator's. */
static void test_root_behind_a_link(void **state)
{
    const char *folder = *state;
    char *behind = unit_folder_path(folder, "link/data");
    char *real = unit_folder_path(folder, "real");
    struct cs_store *store;

    assert_int_equal(mkdir(real, 0700), 0);
    make_link(folder, "link", "real");
    store = store_on(behind, CS_JOURNAL_WAL);
    create(store, "a", "alice", "running", "2024");
    put_text(store, "a", "hello");
    assert_object(store, "a", "", "hello");
    assert_true(is_there(folder, "real/data/campaigns.db"));
    store->ops->free(store);
    free(behind);
    free(real);
}

/* A pipe in an object's place must not hold the reader up. */
static void test_pipe_in_place_of_an_object(void **state)
{
    const char *folder = *state;
    struct cs_store *store = store_on(folder, CS_JOURNAL_WAL);
    struct cs_object_reader *reader;
    uint64_t size;
    char *path = unit_folder_path(folder, "objects/c/x@00000000000000000000000000000000");

    put_text(store, "c/y", "hello");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(store->ops->open(store, CS_LIT("c/x"), CS_LIT(""), NULL, &reader,
                                      &size, soon(), NULL),
                     CS_EIO);
    assert_null(reader);
    free(path);
    store->ops->free(store);
}

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
    assert_true(cs_clock_monotonic_us() - start_us < 5 * CS_SECOND_US);
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
        FOLDER_TEST(test_layout),
        FOLDER_TEST(test_file_path_of_hostile_objects),
        FOLDER_TEST(test_foreign_files),
        FOLDER_TEST(test_no_empty_folders_stay),
        FOLDER_TEST(test_clock_set_back),
        FOLDER_TEST(test_cleanup),
        FOLDER_TEST(test_links_to_folders),
        FOLDER_TEST(test_links_to_files),
        FOLDER_TEST(test_links_to_databases),
        FOLDER_TEST(test_root_behind_a_link),
        FOLDER_TEST(test_pipe_in_place_of_an_object),
        FOLDER_TEST(test_fork_after_use),
        FOLDER_TEST(test_fork_before_use),
        FOLDER_TEST(test_root_replaced),
        FOLDER_TEST(test_journals),
        FOLDER_TEST(test_journal_in_use),
        FOLDER_TEST(test_wrong_databases),
        FOLDER_TEST(test_health),
        FOLDER_TEST(test_no_room),
        FOLDER_TEST(test_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
