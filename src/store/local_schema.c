#include "config.h"

#include "store/local_database.h"

/* Summary and detail stand apart, so that a listing never reads a page that
 * holds details. An index keeps its list in order and shows only the records
 * that belong to it; NULL stands for "not listed". */
const char *const cs_local_schema_steps[] = {
    "CREATE TABLE record ("
    "  id INTEGER PRIMARY KEY,"
    "  key TEXT NOT NULL UNIQUE,"
    "  revision INTEGER NOT NULL,"
    "  user_id TEXT,"
    "  status TEXT,"
    "  created_at TEXT NOT NULL,"
    "  expires_at_us INTEGER NOT NULL,"
    "  summary TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX record_by_user ON record (user_id, created_at, key)"
    "  WHERE user_id IS NOT NULL;"
    "CREATE INDEX record_by_status ON record (status, created_at, key)"
    "  WHERE status IS NOT NULL;"
    "CREATE TABLE detail ("
    "  id INTEGER PRIMARY KEY," /* of the record */
    "  body TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE log ("
    "  key TEXT NOT NULL,"
    "  seq INTEGER NOT NULL,"
    "  entry TEXT NOT NULL,"
    "  PRIMARY KEY (key, seq)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE log_dedupe ("
    "  key TEXT NOT NULL,"
    "  dedupe TEXT NOT NULL,"
    "  PRIMARY KEY (key, dedupe)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE counter ("
    "  group_name TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  value INTEGER NOT NULL,"
    "  PRIMARY KEY (group_name, name)"
    ") STRICT, WITHOUT ROWID;",
};
const int cs_local_schema_version = CS_COUNT(cs_local_schema_steps);

/* The columns of every read, in the order of read_record() in local_records.c. */
#define COLUMNS \
    "r.key, r.revision, r.user_id, r.status, r.created_at, r.expires_at_us, r.summary"

const char *const cs_local_sql_texts[CS_SQL_COUNT] = {
    [CS_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [CS_SQL_COMMIT] = "COMMIT",
    [CS_SQL_ROLLBACK] = "ROLLBACK",
    [CS_SQL_PROBE] = "SELECT id FROM record ORDER BY id DESC LIMIT 1",

    [CS_SQL_GET] =
        "SELECT " COLUMNS ", d.body FROM record r LEFT JOIN detail d ON d.id = r.id"
        " WHERE r.key = ?1",
    [CS_SQL_CREATE] =
        "INSERT INTO record"
        " (key, revision, user_id, status, created_at, expires_at_us, summary)"
        " VALUES (?1, 1, NULLIF(?3, ''), NULLIF(?4, ''), ?5, ?6, ?7)"
        " ON CONFLICT (key) DO NOTHING RETURNING id",
    [CS_SQL_REPLACE] =
        "UPDATE record SET revision = revision + 1, user_id = NULLIF(?3, ''),"
        " status = NULLIF(?4, ''), created_at = ?5, expires_at_us = ?6, summary = ?7"
        " WHERE key = ?1 AND revision = ?2 RETURNING id",
    [CS_SQL_DELETE] = "DELETE FROM record WHERE key = ?1 AND revision = ?2 RETURNING id",
    /* an unchanged detail, which may be hundreds of pages, is not written again */
    [CS_SQL_DETAIL_SET] = "INSERT INTO detail (id, body) VALUES (?1, ?2)"
                          " ON CONFLICT (id) DO UPDATE SET body = excluded.body"
                          " WHERE body <> excluded.body",
    [CS_SQL_DETAIL_DELETE] = "DELETE FROM detail WHERE id = ?1",

    [CS_SQL_LIST_USER] = "SELECT " COLUMNS " FROM record r WHERE r.user_id = ?1"
                         " AND (r.created_at, r.key) < (?2, ?3)"
                         " ORDER BY r.created_at DESC, r.key DESC LIMIT ?4",
    [CS_SQL_LIST_STATUS] = "SELECT " COLUMNS " FROM record r WHERE r.status = ?1"
                           " AND (r.created_at, r.key) < (?2, ?3)"
                           " ORDER BY r.created_at DESC, r.key DESC LIMIT ?4",
    [CS_SQL_LIST_ALL] = "SELECT " COLUMNS ", d.body FROM record r"
                        " LEFT JOIN detail d ON d.id = r.id"
                        " WHERE r.key > ?3 ORDER BY r.key LIMIT ?4",

    [CS_SQL_COUNTER_ADD] =
        "INSERT INTO counter (group_name, name, value) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (group_name, name)"
        " DO UPDATE SET value = value + excluded.value",
    [CS_SQL_COUNTERS] =
        "SELECT name, value FROM counter WHERE group_name = ?1 ORDER BY name",
    [CS_SQL_COUNTERS_CLEAR] = "DELETE FROM counter",

    [CS_SQL_EXISTS] = "SELECT 1 FROM record WHERE key = ?1",
    [CS_SQL_LOG_LAST] = "SELECT seq FROM log WHERE key = ?1 ORDER BY seq DESC LIMIT 1",
    [CS_SQL_LOG_DEDUPE] = "INSERT INTO log_dedupe (key, dedupe) VALUES (?1, ?2)"
                          " ON CONFLICT DO NOTHING",
    [CS_SQL_LOG_ADD] = "INSERT INTO log (key, seq, entry) VALUES (?1, ?2, ?3)",
    [CS_SQL_LOG_READ] = "SELECT seq, entry FROM log WHERE key = ?1 AND seq > ?2"
                        " ORDER BY seq LIMIT ?3",
    [CS_SQL_LOG_DELETE] = "DELETE FROM log WHERE key = ?1",
    [CS_SQL_LOG_DEDUPE_CLEAR] = "DELETE FROM log_dedupe WHERE key = ?1",
};
