#include "config.h"

#include <stdlib.h>

#include "store/check.h"
#include "store/local_database.h"
#include "store/local_internal.h"
#include "store/local_rows.h"

/* ---- reading ---- */

struct cs_record cs_local_row(const struct cs_local_query *query, bool with_detail)
{
    return (struct cs_record){
        .key = cs_local_column_text(query, 0),
        .revision = (uint64_t)cs_local_column_i64(query, 1),
        .user_id = cs_local_column_text(query, 2),
        .status = cs_local_column_text(query, 3),
        .created_at = cs_local_column_text(query, 4),
        .expires_at_us = cs_local_column_i64(query, 5),
        .summary = cs_local_column_text(query, 6),
        .detail = with_detail ? cs_local_column_text(query, 7) : CS_LIT(""),
    };
}

enum cs_code cs_local_get(struct cs_store *store, struct cs_view key,
                          struct cs_record **out, struct cs_deadline deadline,
                          struct cs_err *err)
{
    struct cs_local_database *database;
    struct cs_local_query query;
    struct cs_record row;
    bool found;
    enum cs_code rc;

    *out = NULL;
    if ((rc = cs_store_check_record_key(key, err)) != CS_OK ||
        (rc = cs_local_use(cs_local(store), deadline, &database, err)) != CS_OK)
        return rc;
    query = cs_local_query(database, CS_SQL_GET);
    cs_local_bind_text(&query, 1, key);
    rc = cs_local_step(&query, &found, err);
    if (rc == CS_OK && !found) {
        rc = cs_err_set(err, CS_ENOTFOUND, "there is no record %.*s", CS_FMT(key));
    } else if (rc == CS_OK) {
        row = cs_local_row(&query, true);
        *out = cs_record_copy(&row);
        if (*out == NULL)
            rc = cs_err_nomem(err);
    }
    cs_local_query_end(&query);
    return rc;
}

/* ---- writing ---- */

static enum cs_code set_detail(struct cs_local_database *database, int64_t id,
                               const struct cs_write *write, struct cs_err *err)
{
    bool remove = write->kind == CS_WRITE_DELETE;
    struct cs_local_query query =
        cs_local_query(database, remove ? CS_SQL_DETAIL_DELETE : CS_SQL_DETAIL_SET);

    cs_local_bind_i64(&query, 1, id);
    if (!remove)
        cs_local_bind_text(&query, 2, write->record->detail);
    return cs_local_run(&query, NULL, err);
}

static void bind_values(struct cs_local_query *query, const struct cs_record *record)
{
    cs_local_bind_text(query, 3, record->user_id);
    cs_local_bind_text(query, 4, record->status);
    cs_local_bind_text(query, 5, record->created_at);
    cs_local_bind_i64(query, 6, record->expires_at_us);
    cs_local_bind_text(query, 7, record->summary);
}

static enum cs_code write_record(struct cs_local_database *database,
                                 const struct cs_write *write, struct cs_err *err)
{
    static const enum cs_local_sql sql[] = {
        [CS_WRITE_CREATE] = CS_SQL_CREATE,
        [CS_WRITE_REPLACE] = CS_SQL_REPLACE,
        [CS_WRITE_DELETE] = CS_SQL_DELETE,
        [CS_WRITE_REPEATABLY] = CS_SQL_REPLACE,
    };
    const struct cs_record *record = write->record;
    struct cs_local_query query = cs_local_query(database, sql[write->kind]);
    int64_t id;
    bool done;
    enum cs_code rc;

    cs_local_bind_text(&query, 1, record->key);
    if (write->kind != CS_WRITE_CREATE)
        cs_local_bind_i64(&query, 2, (int64_t)record->revision);
    if (write->kind != CS_WRITE_DELETE)
        bind_values(&query, record);
    rc = cs_local_step(&query, &done, err);
    id = done ? cs_local_column_i64(&query, 0) : 0;
    cs_local_query_end(&query);
    if (rc != CS_OK)
        return rc;
    if (done)
        return set_detail(database, id, write, err);
    if (write->kind == CS_WRITE_CREATE)
        return cs_err_set(err, CS_EEXISTS, "there is a record %.*s already",
                          CS_FMT(record->key));
    return cs_err_set(err, CS_ECONFLICT,
                      "the record %.*s was changed or removed meanwhile: read it again",
                      CS_FMT(record->key));
}

static enum cs_code add_delta(struct cs_local_database *database,
                              const struct cs_delta *delta, struct cs_err *err)
{
    struct cs_local_query query = cs_local_query(database, CS_SQL_COUNTER_ADD);

    cs_local_bind_text(&query, 1, delta->group);
    cs_local_bind_text(&query, 2, delta->name);
    cs_local_bind_i64(&query, 3, delta->add);
    return cs_local_run(&query, NULL, err);
}

static enum cs_code write_all(struct cs_local_database *database,
                              const struct cs_transaction *transaction,
                              struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < transaction->write_count && rc == CS_OK; i++)
        rc = write_record(database, &transaction->writes[i], err);
    for (size_t i = 0; i < transaction->delta_count && rc == CS_OK; i++)
        rc = add_delta(database, &transaction->deltas[i], err);
    return rc;
}

enum cs_code cs_local_commit(struct cs_store *store,
                             const struct cs_transaction *transaction,
                             struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_local_database *database;
    enum cs_code rc;

    if ((rc = cs_store_check_transaction(transaction, err)) != CS_OK ||
        (rc = cs_local_use(cs_local(store), deadline, &database, err)) != CS_OK ||
        (rc = cs_local_begin(database, err)) != CS_OK)
        return rc;
    return cs_local_end(database, write_all(database, transaction, err), err);
}

enum cs_code cs_local_erase(struct cs_store *store,
                            const struct cs_transaction *transaction,
                            uint64_t *deleted_out, struct cs_deadline deadline,
                            struct cs_err *err)
{
    struct cs_local_database *database;
    enum cs_code rc;

    *deleted_out = 0;
    if ((rc = cs_store_check_erase(transaction, err)) != CS_OK ||
        (rc = cs_local_use(cs_local(store), deadline, &database, err)) != CS_OK ||
        (rc = cs_local_begin(database, err)) != CS_OK)
        return rc;
    if ((rc = write_all(database, transaction, err)) == CS_OK)
        rc = cs_local_log_clear(database, transaction->writes->record->key, deleted_out,
                                err);
    rc = cs_local_end(database, rc, err);
    if (rc != CS_OK)
        *deleted_out = 0;
    return rc;
}

/* ---- counters ---- */

/* Room for one more; the array doubles, from 8 on, whenever it is full. */
static enum cs_code grow(struct cs_counters *counters, struct cs_err *err)
{
    size_t count = counters->count;
    struct cs_counter *grown;

    if (count != 0 && (count < 8 || (count & (count - 1)) != 0))
        return CS_OK;
    grown = reallocarray(counters->items, count == 0 ? 8 : count * 2, sizeof(*grown));
    if (grown == NULL)
        return cs_err_nomem(err);
    counters->items = grown;
    return CS_OK;
}

static enum cs_code add_counter(struct cs_counters *counters, struct cs_view name,
                                int64_t value, struct cs_err *err)
{
    char *copy;

    if (grow(counters, err) != CS_OK || (copy = cs_view_dup(name)) == NULL)
        return cs_err_nomem(err);
    counters->items[counters->count++] = (struct cs_counter){copy, value};
    return CS_OK;
}

enum cs_code cs_local_counters(struct cs_store *store, struct cs_view group,
                               struct cs_counters *out, struct cs_deadline deadline,
                               struct cs_err *err)
{
    const struct cs_delta wanted = {group, CS_LIT("any"), 0};
    struct cs_local_database *database;
    struct cs_local_query query;
    bool row;
    enum cs_code rc;

    *out = (struct cs_counters){NULL, 0};
    if ((rc = cs_store_check_delta(&wanted, err)) != CS_OK ||
        (rc = cs_local_use(cs_local(store), deadline, &database, err)) != CS_OK)
        return rc;
    query = cs_local_query(database, CS_SQL_COUNTERS);
    cs_local_bind_text(&query, 1, group);
    while ((rc = cs_local_step(&query, &row, err)) == CS_OK && row)
        if ((rc = add_counter(out, cs_local_column_text(&query, 0),
                              cs_local_column_i64(&query, 1), err)) != CS_OK)
            break;
    cs_local_query_end(&query);
    if (rc != CS_OK)
        cs_counters_clear(out);
    return rc;
}

/* ---- counting anew ---- */

static enum cs_code count_record(struct cs_local_database *database,
                                 const struct cs_record *record, cs_recount_fn *deltas_of,
                                 void *payload, struct cs_err *err)
{
    struct cs_delta deltas[CS_RECOUNT_DELTAS];
    size_t count = deltas_of(payload, record, deltas);
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < count && rc == CS_OK; i++)
        if ((rc = cs_store_check_delta(&deltas[i], err)) == CS_OK)
            rc = add_delta(database, &deltas[i], err);
    return rc;
}

static enum cs_code count_all(struct cs_local_database *database,
                              cs_recount_fn *deltas_of, void *payload, struct cs_err *err)
{
    struct cs_local_query query = cs_local_query(database, CS_SQL_COUNTERS_CLEAR);
    struct cs_record row;
    bool found;
    enum cs_code rc;

    if ((rc = cs_local_run(&query, NULL, err)) != CS_OK)
        return rc;
    query = cs_local_query(database, CS_SQL_LIST_ALL);
    cs_local_bind_text(&query, 3, CS_LIT(""));
    cs_local_bind_i64(&query, 4, INT64_MAX);
    while ((rc = cs_local_step(&query, &found, err)) == CS_OK && found) {
        row = cs_local_row(&query, true);
        if ((rc = count_record(database, &row, deltas_of, payload, err)) != CS_OK)
            break;
    }
    cs_local_query_end(&query);
    return rc;
}

enum cs_code cs_local_recount(struct cs_store *store, cs_recount_fn *deltas_of,
                              void *payload, struct cs_deadline deadline,
                              struct cs_err *err)
{
    struct cs_local_database *database;
    enum cs_code rc;

    if ((rc = cs_local_use(cs_local(store), deadline, &database, err)) != CS_OK ||
        (rc = cs_local_begin(database, err)) != CS_OK)
        return rc;
    return cs_local_end(database, count_all(database, deltas_of, payload, err), err);
}
