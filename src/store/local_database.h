/* store/local_database.h: the embedded store's SQLite connection: opened in the
 * process that uses it, its schema, its statements prepared once, transactions
 * that end by a deadline. Only store_local and local_* files include it. */
#ifndef CS_STORE_LOCAL_DATABASE_H
#define CS_STORE_LOCAL_DATABASE_H

#include <sqlite3.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "store/store_local.h"

/* Every statement of the store; their texts are in local_schema.c. */
enum cs_local_sql {
    CS_SQL_BEGIN,
    CS_SQL_COMMIT,
    CS_SQL_ROLLBACK,
    CS_SQL_PROBE,
    CS_SQL_GET,
    CS_SQL_CREATE,
    CS_SQL_REPLACE,
    CS_SQL_DELETE,
    CS_SQL_DETAIL_SET,
    CS_SQL_DETAIL_DELETE,
    CS_SQL_LIST_USER,
    CS_SQL_LIST_STATUS,
    CS_SQL_LIST_ALL,
    CS_SQL_COUNTER_ADD,
    CS_SQL_COUNTERS,
    CS_SQL_COUNTERS_CLEAR,
    CS_SQL_EXISTS,
    CS_SQL_LOG_LAST,
    CS_SQL_LOG_DEDUPE,
    CS_SQL_LOG_ADD,
    CS_SQL_LOG_READ,
    CS_SQL_LOG_DELETE,
    CS_SQL_LOG_DEDUPE_CLEAR,
    CS_SQL_COUNT
};

extern const char *const cs_local_sql_texts[CS_SQL_COUNT];

/* The steps from an empty database to the present schema; user_version says how
 * many a database has taken. A new release appends steps and changes none. */
extern const char *const cs_local_schema_steps[];
extern const int cs_local_schema_version;

struct cs_local_database;

struct cs_local_database_place {
    const char *folder; /* absolute, without symbolic links */
    int folder_fd;      /* the same, open */
    enum cs_local_journal journal;
    struct cs_log *log; /* may be NULL */
};

/* Whether statfs(2)'s f_type is of a file system that other machines or processes
 * have a part in (NFS, SMB, FUSE, ...): no write-ahead log there. */
bool cs_local_is_network(unsigned long type);

/* Opens folder/campaigns.db, makes it and brings its schema up to date where
 * that is needed. *out is NULL on failure. */
enum cs_code cs_local_database_open(struct cs_local_database **out,
                                    const struct cs_local_database_place *place,
                                    struct cs_deadline deadline,
                                    struct cs_err *err) CS_MUST_USE;

/* In a process that did not open it, nothing is done: all of it belongs to the
 * other process. */
void cs_local_database_free(struct cs_local_database *database);

/* To be called before each use: sets the deadline of what follows.
 * CS_EINTERNAL in a process that did not open it; CS_EGONE, with err as it was,
 * when the file was moved or removed, so that it must be opened anew. */
enum cs_code cs_local_database_ready(struct cs_local_database *database,
                                     struct cs_deadline deadline,
                                     struct cs_err *err) CS_MUST_USE;

bool cs_local_database_writable(struct cs_local_database *database);
bool cs_local_database_is_wal(const struct cs_local_database *database);

/* ---- one statement ---- */

/* A statement in use. The first failure sticks: the calls after it do nothing,
 * and cs_local_step() returns it. */
struct cs_local_query {
    struct cs_local_database *database;
    sqlite3_stmt *statement; /* cached, reset by cs_local_query_end() */
    int failed;              /* an SQLite result code */
};

struct cs_local_query cs_local_query(struct cs_local_database *database,
                                     enum cs_local_sql sql);
void cs_local_query_end(struct cs_local_query *query); /* twice does no harm */

/* Texts are borrowed until the query ends. A NULL view is bound as "". */
void cs_local_bind_text(struct cs_local_query *query, int index, struct cs_view text);
void cs_local_bind_i64(struct cs_local_query *query, int index, int64_t value);
/* A value that every text sorts before. */
void cs_local_bind_last(struct cs_local_query *query, int index);

/* *row_out: whether there is a row; its columns are valid until the next step. */
enum cs_code cs_local_step(struct cs_local_query *query, bool *row_out,
                           struct cs_err *err) CS_MUST_USE;

/* Steps once, ends the query, and says whether a row came: for statements whose
 * rows are of no interest. row_out may be NULL. */
enum cs_code cs_local_run(struct cs_local_query *query, bool *row_out,
                          struct cs_err *err) CS_MUST_USE;

struct cs_view cs_local_column_text(const struct cs_local_query *query, int column);
int64_t cs_local_column_i64(const struct cs_local_query *query, int column);

/* Rows that the last statement changed. */
int64_t cs_local_changes(struct cs_local_database *database);

/* ---- transactions ---- */

/* Takes the right to write at once, so that no commit fails for want of it. */
enum cs_code cs_local_begin(struct cs_local_database *database,
                            struct cs_err *err) CS_MUST_USE;

/* Commits when rc is CS_OK, else rolls back; returns rc or why the commit failed.
 * No transaction is open afterwards. */
enum cs_code cs_local_end(struct cs_local_database *database, enum cs_code rc,
                          struct cs_err *err) CS_MUST_USE;

#endif
