/* tests/unit/local_helpers.h: the local store in tests: stores on one folder,
 * processes that use them at once, and looks behind the interface. */
#ifndef CS_TESTS_LOCAL_HELPERS_H
#define CS_TESTS_LOCAL_HELPERS_H

#include <dirent.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/store_local.h"
#include "store_helpers.h"
#include "unit_folder.h"

static inline struct cs_store *store_on(const char *folder, enum cs_local_journal journal)
{
    const struct cs_store_local_options options = {.root = folder,
                                                   .bucket_name = "outputs",
                                                   .table_name = "campaigns",
                                                   .journal = journal};
    struct cs_store *store = cs_store_local_new(&options, NULL);

    assert_non_null(store);
    return store;
}

static inline int folder_begin(void **state)
{
    *state = unit_folder_make();
    return 0;
}

static inline int folder_end(void **state)
{
    unit_folder_remove(*state);
    return 0;
}

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, folder_begin, folder_end)

/* What a child process does: true for success. It must not use assertions, which
 * would go on with the parent's tests in the child. */
typedef bool child_fn(const char *folder, int number, void *payload);

static inline pid_t start_child(child_fn *work, const char *folder, int number,
                                void *payload)
{
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(work(folder, number, payload) ? 0 : 1);
    return pid;
}

static inline bool child_succeeded(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/* Runs `count` children at once; all must succeed. */
static inline void run_children(child_fn *work, const char *folder, int count,
                                void *payload)
{
    pid_t pids[32];
    int failed = 0;

    assert_true(count <= 32);
    for (int i = 0; i < count; i++)
        pids[i] = start_child(work, folder, i, payload);
    for (int i = 0; i < count; i++)
        failed += child_succeeded(pids[i]) ? 0 : 1;
    assert_int_equal(failed, 0);
}

/* For children: prints why before it says false. */
static inline bool went_well(enum cs_code code, const struct cs_err *err)
{
    if (code != CS_OK)
        (void)fprintf(stderr, "child %ld: %s: %s\n", (long)getpid(), cs_code_name(code),
                      err->text);
    return code == CS_OK;
}

/* A connection of the test's own to the store's database. */
static inline sqlite3 *open_sqlite(const char *folder)
{
    char *path = unit_folder_path(folder, "campaigns.db");
    sqlite3 *handle = NULL;

    assert_int_equal(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL),
                     SQLITE_OK);
    (void)sqlite3_busy_timeout(handle, 10000);
    free(path);
    return handle;
}

static inline void run_sql(sqlite3 *handle, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(handle, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

/* The first column of the first row, copied; NULL when there is no row. */
static inline char *ask_sql(sqlite3 *handle, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    char *answer = NULL;

    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
    if (sqlite3_step(statement) == SQLITE_ROW)
        answer = strdup((const char *)sqlite3_column_text(statement, 0));
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    return answer;
}

static inline void assert_intact(const char *folder)
{
    sqlite3 *handle = open_sqlite(folder);
    char *answer = ask_sql(handle, "PRAGMA integrity_check");

    assert_string_equal(answer, "ok");
    free(answer);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static inline bool is_there(const char *folder, const char *name)
{
    char *path = unit_folder_path(folder, name);
    struct stat about;
    bool there = lstat(path, &about) == 0;

    free(path);
    return there;
}

static inline unsigned mode_of(const char *folder, const char *name)
{
    char *path = unit_folder_path(folder, name);
    struct stat about;

    assert_int_equal(lstat(path, &about), 0);
    free(path);
    return (unsigned)about.st_mode & 07777u;
}

static inline void write_file(const char *folder, const char *name, const char *content)
{
    char *path = unit_folder_path(folder, name);

    assert_ok(cs_file_write(path, text(content), 0600, err));
    free(path);
}

static inline void make_link(const char *folder, const char *name, const char *to)
{
    char *path = unit_folder_path(folder, name);

    assert_int_equal(symlink(to, path), 0);
    free(path);
}

static inline void remove_file(const char *folder, const char *name)
{
    char *path = unit_folder_path(folder, name);

    assert_int_equal(remove(path), 0);
    free(path);
}

/* Names in a folder, the two dots apart. */
static inline int count_names(const char *folder, const char *name)
{
    char *path = unit_folder_path(folder, name);
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, NULL);

    assert_true(count >= 2);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    free(path);
    return count - 2;
}

#endif
