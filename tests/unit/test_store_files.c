/* The embedded store's files: when they are durable, their names and modes, links
 * in their way. */
#include "config.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <utime.h>

#include "local_helpers.h"

/* ---- what is made durable, and when ---- */

/* The calls that matter, in their order: f, a file is made durable; d, a folder;
 * r, a file gets its name; u, a name goes; s, the database is made durable. */
static char trace[64];

static void add_to_trace(char what)
{
    size_t len = strlen(trace);

    if (len + 1 < sizeof(trace))
        trace[len] = what;
}

int fsync(int fd)
{
    struct stat about;

    add_to_trace(fstat(fd, &about) == 0 && S_ISDIR(about.st_mode) ? 'd' : 'f');
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    add_to_trace('s');
    return (int)syscall(SYS_fdatasync, fd);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    add_to_trace('r');
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

int unlinkat(int fd, const char *name, int flags)
{
    add_to_trace('u');
    return (int)syscall(SYS_unlinkat, fd, name, flags);
}

static void start_trace(void)
{
    memset(trace, 0, sizeof(trace));
}

static void test_durable_in_order(void **state)
{
    struct cs_store *store = store_on(*state, CS_JOURNAL_WAL);
    struct cs_object object;

    create(store, "a", "alice", "running", "2024");
    start_trace();
    put_text(store, "a/b/x", "1");
    assert_string_equal(trace, "fddrd"); /* two new folders in between */
    start_trace();
    assert_ok(put_bytes(store, "a/b/x", CS_LIT("2"), &object, err));
    assert_string_equal(trace, "frd");
    start_trace();
    assert_ok(store->ops->delete_version(store, text(object.key), text(object.version),
                                         soon(), err));
    assert_string_equal(trace, "uud"); /* the second tries whether the folder is empty */
    start_trace();
    create(store, "b", "alice", "running", "2024");
    assert_string_equal(trace, "s");
    cs_object_clear(&object);
    store->ops->free(store);
}

/* ---- files and names ---- */

/* A key made of what has led out of folders before. */
static struct cs_view hostile_key(char *room, size_t size, uint32_t *random)
{
    static const struct cs_view pieces[] = {
        CS_LIT_INIT(".."), CS_LIT_INIT("."),        CS_LIT_INIT("/"),
        CS_LIT_INIT("//"), CS_LIT_INIT("%2e%2e"),   CS_LIT_INIT("%2F"),
        CS_LIT_INIT("\\"), CS_LIT_INIT("\0"),       CS_LIT_INIT("#"),
        CS_LIT_INIT("?"),  CS_LIT_INIT("\xc0\xae"), CS_LIT_INIT("%00"),
        CS_LIT_INIT("@"),  CS_LIT_INIT("a"),        CS_LIT_INIT("b"),
        CS_LIT_INIT("\n"), CS_LIT_INIT("é"),        CS_LIT_INIT(" "),
        CS_LIT_INIT("A"),  CS_LIT_INIT("~"),
    };
    size_t len = 0;
    size_t count;

    *random = *random * 1664525u + 1013904223u;
    count = 1 + (*random >> 24) % 7;
    while (count-- > 0) {
        struct cs_view piece;

        *random = *random * 1664525u + 1013904223u;
        piece = pieces[(*random >> 16) % CS_COUNT(pieces)];
        if (len + piece.len > size)
            break;
        memcpy(room + len, piece.ptr, piece.len);
        len += piece.len;
    }
    return cs_view_of(room, len);
}

static void test_many_hostile_keys(void **state)
{
    const char *folder = *state;
    char *root = unit_folder_path(folder, "root");
    struct cs_store *store = store_on(root, CS_JOURNAL_WAL);
    uint32_t random = 1;
    int stored = 0;
    int refused = 0;

    create(store, "a", "alice", "running", "2024");
    for (int i = 0; i < 10000; i++) {
        char room[64];
        struct cs_view key = hostile_key(room, sizeof(room), &random);
        struct cs_object_source source = {.info = {.key = key}, .bytes = key, .fd = -1};
        struct cs_object object;
        struct cs_object_reader *reader;
        uint64_t size;
        enum cs_code rc =
            store->ops->open(store, key, CS_LIT(""), NULL, &reader, &size, soon(), NULL);

        /* what is there is what was stored under this very key */
        if (rc == CS_OK) {
            char read[64];
            size_t got;

            assert_ok(store->ops->read(store, reader, read, sizeof(read), &got, err));
            assert_true(cs_view_eq(cs_view_of(read, got), key));
            store->ops->close(store, reader);
        } else if (rc == CS_ENOTFOUND && stored < 300) {
            assert_ok(store->ops->put(store, &source, 1, &object, soon(), err));
            cs_object_clear(&object);
            stored++;
        } else if (rc != CS_ENOTFOUND) {
            assert_int_equal(rc, CS_EINVAL);
            refused++;
        }
    }
    assert_int_equal(stored, 300);
    assert_true(refused > 3000);
    assert_int_equal(count_names(folder, ""), 1);
    assert_int_equal(count_names(root, ""), 5); /* database, its two, objects/, tmp/ */
    store->ops->free(store);
    free(root);
}

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
    const struct cs_object_info info = {.key = CS_LIT("a")};
    int64_t expires_us = 1;

    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        object.key = (char *)bad[i].key;
        object.version = (char *)bad[i].version;
        assert_int_not_equal(store->ops->file_path(store, &object, &out, NULL), CS_OK);
        assert_int_equal(out.len, 0);
    }
    assert_int_equal(
        store->ops->url(store, &info, cs_view_cstr(version), 60, &out, &expires_us, NULL),
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
    struct cs_delete_report report;

    put_text(store, "a/b/x", "1");
    assert_ok(put_bytes(store, "a/b/c/d/y", CS_LIT("2"), &object, err));
    assert_ok(store->ops->delete_version(store, text(object.key), text(object.version),
                                         soon(), err));
    assert_false(is_there(folder, "objects/a/b/c"));
    assert_object(store, "a/b/x", "", "1");
    /* of what is long gone */
    assert_ok(store->ops->delete_version(store, text(object.key), text(object.version),
                                         soon(), err));
    put_text(store, "a/b/c/d/y", "3");
    put_text(store, "a/b/e/z", "4");
    assert_ok(store->ops->delete_prefix(store, CS_LIT("a/b/c/"), &report, soon(), err));
    assert_false(is_there(folder, "objects/a/b/c"));
    assert_object(store, "a/b/e/z", "", "4");
    assert_ok(store->ops->delete_prefix(store, CS_LIT("a/"), &report, soon(), err));
    assert_int_equal(report.objects_deleted, 2);
    assert_int_equal(count_names(folder, "objects"), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_durable_in_order),
        FOLDER_TEST(test_many_hostile_keys),
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
