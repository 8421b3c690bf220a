#include "config.h"

#include "store/local_database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define DATABASE_NAME  "campaigns.db"
#define APPLICATION_ID 0x43534442 /* "CSDB", so that file(1) and we know it */
#define PATH_BYTES_MAX 4096u
/* Virtual machine steps between two looks at the clock: about 50 microseconds. */
#define STEPS_PER_LOOK 4000

struct cs_local_database {
    sqlite3 *handle;
    sqlite3_stmt *statements[CS_SQL_COUNT]; /* prepared at first use */
    pid_t pid;                              /* of the process that opened it */
    struct cs_deadline deadline;            /* of the call that is running */
    bool is_wal;
};

/* ---- time ---- */

static bool is_late(const struct cs_local_database *database)
{
    return cs_clock_monotonic_us() >= database->deadline.at_us;
}

/* Sleeps a little longer each time, at most until the deadline; false once it
 * has passed. Writers that wait for each other must not do so in step, hence
 * the part that depends on the process. */
static bool wait_for_turn(const struct cs_local_database *database, int attempt)
{
    int64_t left_us = database->deadline.at_us - cs_clock_monotonic_us();
    int64_t most_us = attempt < 5 ? 250ll << attempt : 8000;
    int64_t pause_us = most_us / 2 + (getpid() * 7919ll + attempt * 104729ll) % most_us;
    struct timespec pause;

    if (left_us <= 0)
        return false;
    if (pause_us > left_us)
        pause_us = left_us;
    pause.tv_sec = 0;
    pause.tv_nsec = (long)pause_us * 1000;
    (void)nanosleep(&pause, NULL);
    return true;
}

static int on_busy(void *payload, int attempt)
{
    return wait_for_turn(payload, attempt) ? 1 : 0;
}

static int on_progress(void *payload)
{
    return is_late(payload) ? 1 : 0;
}

/* ---- errors ---- */

static enum cs_code sql_error(const struct cs_local_database *database, int failed,
                              struct cs_err *err)
{
    const char *why = sqlite3_errstr(failed & 0xff);

    switch (failed & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
        if (!is_late(database))
            return cs_err_set(err, CS_EBUSY,
                              "the records are in use by others: try again");
        return cs_err_set(err, CS_ETIMEOUT,
                          "the records could not be reached in time: try again");
    case SQLITE_NOMEM:
        return cs_err_nomem(err);
    case SQLITE_TOOBIG:
        return cs_err_set(err, CS_ETOOBIG, "a record is too large for the database");
    case SQLITE_FULL:
        return cs_err_set(err, CS_EIO,
                          "no space is left for the records: free some on the disk");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return cs_err_set(err, CS_EIO, "%s is damaged (%s): restore it from a backup",
                          DATABASE_NAME, why);
    case SQLITE_IOERR:
        if (failed == SQLITE_IOERR_NOMEM)
            return cs_err_nomem(err);
        return cs_err_set(err, CS_EIO, "%s can't be read or written (%s, %d)",
                          DATABASE_NAME, why, failed >> 8);
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return cs_err_set(err, CS_EIO,
                          "%s can't be opened for writing (%s, %d): check its "
                          "owner and mode, and that it is no link",
                          DATABASE_NAME, why, failed >> 8);
    default:
        return cs_err_set(err, CS_EINTERNAL, "the database refused a statement (%s, %d)",
                          why, failed);
    }
}

/* ---- one statement ---- */

struct cs_local_query cs_local_query(struct cs_local_database *database,
                                     enum cs_local_sql sql)
{
    struct cs_local_query query = {database, database->statements[sql], SQLITE_OK};

    if (query.statement == NULL) {
        query.failed =
            sqlite3_prepare_v3(database->handle, cs_local_sql_texts[sql], -1,
                               SQLITE_PREPARE_PERSISTENT, &query.statement, NULL);
        database->statements[sql] = query.statement;
    }
    return query;
}

void cs_local_query_end(struct cs_local_query *query)
{
    if (query->statement == NULL)
        return;
    /* what it returns is the failure of the step before, which was dealt with */
    (void)sqlite3_reset(query->statement);
    (void)sqlite3_clear_bindings(query->statement);
    query->statement = NULL;
}

void cs_local_bind_text(struct cs_local_query *query, int index, struct cs_view text)
{
    if (query->failed == SQLITE_OK)
        query->failed =
            sqlite3_bind_text64(query->statement, index, text.ptr != NULL ? text.ptr : "",
                                text.len, SQLITE_STATIC, SQLITE_UTF8);
}

void cs_local_bind_i64(struct cs_local_query *query, int index, int64_t value)
{
    if (query->failed == SQLITE_OK)
        query->failed = sqlite3_bind_int64(query->statement, index, value);
}

void cs_local_bind_last(struct cs_local_query *query, int index)
{
    /* SQLite's order of types: each BLOB comes after each TEXT */
    if (query->failed == SQLITE_OK)
        query->failed = sqlite3_bind_zeroblob(query->statement, index, 0);
}

enum cs_code cs_local_step(struct cs_local_query *query, bool *row_out,
                           struct cs_err *err)
{
    *row_out = false;
    if (query->failed == SQLITE_OK) {
        int result = sqlite3_step(query->statement);

        *row_out = result == SQLITE_ROW;
        if (result == SQLITE_ROW || result == SQLITE_DONE)
            return CS_OK;
        query->failed = result;
    }
    return sql_error(query->database, query->failed, err);
}

enum cs_code cs_local_run(struct cs_local_query *query, bool *row_out, struct cs_err *err)
{
    bool row;
    enum cs_code rc = cs_local_step(query, &row, err);

    if (row_out != NULL)
        *row_out = row;
    cs_local_query_end(query);
    return rc;
}

struct cs_view cs_local_column_text(const struct cs_local_query *query, int column)
{
    const unsigned char *text = sqlite3_column_text(query->statement, column);

    /* in this order: asking for the text may change the count of its bytes */
    return cs_view_of(text, (size_t)sqlite3_column_bytes(query->statement, column));
}

int64_t cs_local_column_i64(const struct cs_local_query *query, int column)
{
    return sqlite3_column_int64(query->statement, column);
}

int64_t cs_local_changes(struct cs_local_database *database)
{
    return sqlite3_changes64(database->handle);
}

/* ---- transactions ---- */

enum cs_code cs_local_begin(struct cs_local_database *database, struct cs_err *err)
{
    struct cs_local_query query = cs_local_query(database, CS_SQL_BEGIN);

    return cs_local_run(&query, NULL, err);
}

enum cs_code cs_local_end(struct cs_local_database *database, enum cs_code rc,
                          struct cs_err *err)
{
    struct cs_local_query query;

    if (rc == CS_OK) {
        query = cs_local_query(database, CS_SQL_COMMIT);
        rc = cs_local_run(&query, NULL, err);
    }
    /* SQLite may have rolled back already, on its own */
    if (rc != CS_OK && sqlite3_get_autocommit(database->handle) == 0) {
        database->deadline.at_us = INT64_MAX;
        query = cs_local_query(database, CS_SQL_ROLLBACK);
        if (cs_local_run(&query, NULL, NULL) != CS_OK)
            (void)sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
    }
    return rc;
}

/* ---- opening ---- */

static int execute(struct cs_local_database *database, const char *sql)
{
    return sqlite3_exec(database->handle, sql, NULL, NULL, NULL);
}

/* The one value of a pragma: a number, or whether it is a certain word. */
static int ask(struct cs_local_database *database, const char *sql, int *number_out,
               const char *word, bool *is_word_out)
{
    sqlite3_stmt *statement = NULL;
    const unsigned char *text;
    int failed = sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL);

    if (failed == SQLITE_OK) {
        int result = sqlite3_step(statement);

        failed = result == SQLITE_ROW ? SQLITE_OK : result;
    }
    if (failed == SQLITE_OK && number_out != NULL)
        *number_out = sqlite3_column_int(statement, 0);
    if (failed == SQLITE_OK && word != NULL) {
        text = sqlite3_column_text(statement, 0);
        if (text == NULL)
            failed = SQLITE_NOMEM;
        else
            *is_word_out = strcmp((const char *)text, word) == 0;
    }
    (void)sqlite3_finalize(statement);
    return failed;
}

/* File systems whose files may be open on another machine, or behind a process:
 * memory is not shared there, and locks are what they happen to be. */
bool cs_local_is_network(unsigned long type)
{
    static const unsigned long network[] = {
        0x6969,     /* NFS */
        0x517b,     /* SMB */
        0xfe534d42, /* SMB2 */
        0xff534d42, /* CIFS */
        0x65735546, /* FUSE */
        0x00c36400, /* Ceph */
        0x0bd00bd0, /* Lustre */
        0x5346414f, /* AFS */
        0x6b414653, /* kAFS */
        0x73757245, /* Coda */
        0x01021997, /* 9P */
        0x47504653, /* GPFS */
        0x01161970, /* GFS2 */
        0x7461636f, /* OCFS2 */
        0x786f4256, /* VirtualBox */
        0xbacbacbc, /* VMware */
    };
    for (size_t i = 0; i < CS_COUNT(network); i++)
        if ((type & 0xffffffffu) == network[i])
            return true;
    return false;
}

static bool is_on_network(int folder_fd)
{
    struct statfs about;

    /* where it can't be told: the journal that works everywhere */
    return fstatfs(folder_fd, &about) != 0 ||
           cs_local_is_network((unsigned long)about.f_type);
}

/* The mode of a write-ahead log is kept in the file and can change only while
 * nobody else has it open; that of the rollback journal is the connection's. */
static int choose_journal(struct cs_local_database *database,
                          const struct cs_local_database_place *place)
{
    bool wal = place->journal == CS_JOURNAL_BY_FILE_SYSTEM
                   ? !is_on_network(place->folder_fd)
                   : place->journal == CS_JOURNAL_WAL;
    int failed;

    for (int attempt = 0;; attempt++) {
        failed = ask(database,
                     wal ? "PRAGMA journal_mode = wal" : "PRAGMA journal_mode = truncate",
                     NULL, "wal", &database->is_wal);
        if (failed == SQLITE_OK && (wal || !database->is_wal))
            break;
        if ((failed & 0xff) != SQLITE_BUSY && failed != SQLITE_OK)
            return failed;
        if (!wait_for_turn(database, attempt))
            return SQLITE_BUSY;
    }
    if (wal && !database->is_wal)
        cs_log_put(place->log, CS_LOG_WARN, "no write-ahead log here: writers are slower",
                   CS_LOG_TEXT("folder", cs_view_cstr(place->folder)));
    return SQLITE_OK;
}

static enum cs_code set_up(struct cs_local_database *database,
                           const struct cs_local_database_place *place,
                           struct cs_err *err)
{
    int failed;

    (void)sqlite3_busy_handler(database->handle, on_busy, database);
    sqlite3_progress_handler(database->handle, STEPS_PER_LOOK, on_progress, database);
    (void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if ((failed = execute(database, "PRAGMA mmap_size = 0;"
                                    "PRAGMA cache_size = -384;"
                                    "PRAGMA synchronous = FULL;"
                                    "PRAGMA temp_store = MEMORY;"
                                    "PRAGMA journal_size_limit = 8388608;")) !=
            SQLITE_OK ||
        (failed = choose_journal(database, place)) != SQLITE_OK)
        return sql_error(database, failed, err);
    return CS_OK;
}

static enum cs_code take_steps(struct cs_local_database *database, struct cs_err *err)
{
    char pragma[96];
    int version = 0;
    int failed = ask(database, "PRAGMA user_version", &version, NULL, NULL);

    while (failed == SQLITE_OK && version < cs_local_schema_version)
        failed = execute(database, cs_local_schema_steps[version++]);
    (void)snprintf(pragma, sizeof(pragma),
                   "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
                   version);
    if (failed == SQLITE_OK)
        failed = execute(database, pragma);
    return failed == SQLITE_OK ? CS_OK : sql_error(database, failed, err);
}

static enum cs_code update_schema(struct cs_local_database *database, struct cs_err *err)
{
    int application = 0;
    int version = 0;
    /* in this order: another process sets both at once, perhaps just between */
    int failed = ask(database, "PRAGMA user_version", &version, NULL, NULL);
    enum cs_code rc;

    if (failed == SQLITE_OK)
        failed = ask(database, "PRAGMA application_id", &application, NULL, NULL);
    if (failed != SQLITE_OK)
        return sql_error(database, failed, err);
    if (application != APPLICATION_ID && (application != 0 || version != 0))
        return cs_err_set(err, CS_EIO, "%s belongs to another program", DATABASE_NAME);
    if (version > cs_local_schema_version)
        return cs_err_set(
            err, CS_EIO,
            "%s was written by a newer release (schema %d, this one knows %d): "
            "install that release",
            DATABASE_NAME, version, cs_local_schema_version);
    if (version == cs_local_schema_version)
        return CS_OK;
    if ((rc = cs_local_begin(database, err)) != CS_OK)
        return rc;
    /* another process may have been quicker: take_steps looks again */
    return cs_local_end(database, take_steps(database, err), err);
}

/* Makes the file with our mode, which its companions inherit, and sees that
 * none of them is a link. */
static enum cs_code prepare_files(int folder_fd, struct cs_err *err)
{
    static const char *const names[] = {DATABASE_NAME, DATABASE_NAME "-wal",
                                        DATABASE_NAME "-shm", DATABASE_NAME "-journal"};
    struct stat about;
    int fd;

    fd = cs_file_open_below(folder_fd, DATABASE_NAME, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 && errno != EEXIST)
        return cs_err_errno(err, errno, "%s can't be made", DATABASE_NAME);
    if (fd >= 0)
        (void)close(fd);
    for (size_t i = 0; i < CS_COUNT(names); i++)
        if (fstatat(folder_fd, names[i], &about, AT_SYMLINK_NOFOLLOW) == 0 &&
            !S_ISREG(about.st_mode))
            return cs_err_set(err, CS_EIO, "%s is no plain file: remove it", names[i]);
    return CS_OK;
}

static enum cs_code open_handle(struct cs_local_database *database, const char *folder,
                                struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(PATH_BYTES_MAX);
    enum cs_code rc;
    int failed;

    cs_buf_add_cstr(&path, folder);
    cs_buf_add_cstr(&path, "/" DATABASE_NAME);
    if ((rc = cs_buf_check(&path, err)) == CS_OK) {
        failed = sqlite3_open_v2(cs_buf_cstr(&path), &database->handle,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                     SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
                                 NULL);
        if (failed != SQLITE_OK)
            rc = sql_error(database, failed, err);
    }
    cs_buf_clear(&path);
    return rc;
}

static void close_database(struct cs_local_database *database)
{
    for (size_t i = 0; i < CS_COUNT(database->statements); i++)
        (void)sqlite3_finalize(database->statements[i]);
    (void)sqlite3_close(database->handle);
    free(database);
}

void cs_local_database_free(struct cs_local_database *database)
{
    /* closing in a forked process would drop locks and files that the process
     * that opened them still uses; so it stays there, memory and all */
    if (database != NULL && database->pid == getpid())
        close_database(database);
}

enum cs_code cs_local_database_open(struct cs_local_database **out,
                                    const struct cs_local_database_place *place,
                                    struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_local_database *database = calloc(1, sizeof(*database));
    enum cs_code rc;

    *out = NULL;
    if (database == NULL)
        return cs_err_nomem(err);
    database->pid = getpid();
    database->deadline = deadline;
    if ((rc = prepare_files(place->folder_fd, err)) != CS_OK ||
        (rc = open_handle(database, place->folder, err)) != CS_OK ||
        (rc = set_up(database, place, err)) != CS_OK ||
        (rc = update_schema(database, err)) != CS_OK) {
        close_database(database);
        return rc;
    }
    *out = database;
    return CS_OK;
}

enum cs_code cs_local_database_ready(struct cs_local_database *database,
                                     struct cs_deadline deadline, struct cs_err *err)
{
    int moved = 0;

    if (database->pid != getpid())
        return cs_err_set(
            err, CS_EINTERNAL,
            "the database was opened before a fork: open the store in the process "
            "that uses it");
    database->deadline = deadline;
    if (sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
            SQLITE_OK &&
        moved != 0)
        return CS_EGONE;
    return CS_OK;
}

bool cs_local_database_writable(struct cs_local_database *database)
{
    return sqlite3_db_readonly(database->handle, "main") == 0;
}

bool cs_local_database_is_wal(const struct cs_local_database *database)
{
    return database->is_wal;
}
