#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/check.h"
#include "store/local_database.h"
#include "store/local_internal.h"

#define POSITION_LEN 16u /* decimal digits */

static enum cs_code check_exists(struct cs_local_database *database, struct cs_view key,
                                 struct cs_err *err)
{
    struct cs_local_query query = cs_local_query(database, CS_SQL_EXISTS);
    bool found;
    enum cs_code rc;

    cs_local_bind_text(&query, 1, key);
    rc = cs_local_run(&query, &found, err);
    if (rc == CS_OK && !found)
        rc = cs_err_set(err, CS_ENOTFOUND, "there is no record %.*s", CS_FMT(key));
    return rc;
}

/* Remembers the dedupe text; *fresh_out: whether it is new to this key. */
static enum cs_code take_dedupe(struct cs_local_database *database, struct cs_view key,
                                struct cs_view dedupe, bool *fresh_out,
                                struct cs_err *err)
{
    struct cs_local_query query;
    enum cs_code rc;

    *fresh_out = true;
    if (dedupe.len == 0)
        return CS_OK;
    query = cs_local_query(database, CS_SQL_LOG_DEDUPE);
    cs_local_bind_text(&query, 1, key);
    cs_local_bind_text(&query, 2, dedupe);
    rc = cs_local_run(&query, NULL, err);
    *fresh_out = rc == CS_OK && cs_local_changes(database) == 1;
    return rc;
}

static enum cs_code last_seq(struct cs_local_database *database, struct cs_view key,
                             int64_t *seq_out, struct cs_err *err)
{
    struct cs_local_query query = cs_local_query(database, CS_SQL_LOG_LAST);
    bool found;
    enum cs_code rc;

    cs_local_bind_text(&query, 1, key);
    rc = cs_local_step(&query, &found, err);
    *seq_out = found ? cs_local_column_i64(&query, 0) : 0;
    cs_local_query_end(&query);
    return rc;
}

static enum cs_code add_entry(struct cs_local_database *database, struct cs_view key,
                              int64_t seq, struct cs_view entry, struct cs_err *err)
{
    struct cs_local_query query = cs_local_query(database, CS_SQL_LOG_ADD);

    cs_local_bind_text(&query, 1, key);
    cs_local_bind_i64(&query, 2, seq);
    cs_local_bind_text(&query, 3, entry);
    return cs_local_run(&query, NULL, err);
}

static enum cs_code append(struct cs_local_database *database, struct cs_view key,
                           const struct cs_view *entries, size_t count,
                           struct cs_view dedupe, struct cs_err *err)
{
    bool fresh;
    int64_t seq;
    enum cs_code rc;

    if ((rc = check_exists(database, key, err)) != CS_OK ||
        (rc = take_dedupe(database, key, dedupe, &fresh, err)) != CS_OK || !fresh ||
        (rc = last_seq(database, key, &seq, err)) != CS_OK)
        return rc;
    for (size_t i = 0; i < count && rc == CS_OK; i++)
        rc = add_entry(database, key, ++seq, entries[i], err);
    return rc;
}

enum cs_code cs_local_log_append(struct cs_store *store, struct cs_view key,
                                 const struct cs_view *entries, size_t count,
                                 struct cs_view dedupe, struct cs_deadline deadline,
                                 struct cs_err *err)
{
    struct cs_local_database *database;
    enum cs_code rc;

    if ((rc = cs_store_check_record_key(key, err)) != CS_OK ||
        (rc = cs_store_check_log_entries(entries, count, dedupe, err)) != CS_OK ||
        (rc = cs_local_use(cs_local(store), deadline, &database, err)) != CS_OK ||
        (rc = cs_local_begin(database, err)) != CS_OK)
        return rc;
    return cs_local_end(database, append(database, key, entries, count, dedupe, err),
                        err);
}

static enum cs_code read_position(int64_t *seq_out, struct cs_view after,
                                  struct cs_err *err)
{
    uint64_t seq = 0;

    *seq_out = 0;
    if (after.len == 0)
        return CS_OK;
    if (after.len != POSITION_LEN || !cs_view_to_u64(after, &seq))
        return cs_err_field(err, CS_EINVAL, "after", "bad_position",
                            "after is no position of this log: start without it");
    *seq_out = (int64_t)seq;
    return CS_OK;
}

/* Adds entries until the page is full; the last one's number in *seq_out. */
static enum cs_code fill_page(struct cs_local_query *query, size_t limit,
                              struct cs_log_page *out, int64_t *seq_out,
                              struct cs_err *err)
{
    bool row;
    enum cs_code rc;

    cs_buf_add_byte(&out->json, '[');
    while ((rc = cs_local_step(query, &row, err)) == CS_OK && row) {
        if (out->count == limit || out->json.len >= CS_LOG_PAGE_BYTES) {
            out->more = true;
            break;
        }
        if (out->count > 0)
            cs_buf_add_byte(&out->json, ',');
        cs_buf_add(&out->json, cs_local_column_text(query, 1));
        *seq_out = cs_local_column_i64(query, 0);
        out->count++;
    }
    cs_buf_add_byte(&out->json, ']');
    return rc == CS_OK ? cs_buf_check(&out->json, err) : rc;
}

static enum cs_code read_page(struct cs_local_database *database, struct cs_view key,
                              int64_t seq, size_t limit, struct cs_log_page *out,
                              struct cs_err *err)
{
    struct cs_local_query query = cs_local_query(database, CS_SQL_LOG_READ);
    char position[POSITION_LEN + 8];
    enum cs_code rc;

    cs_local_bind_text(&query, 1, key);
    cs_local_bind_i64(&query, 2, seq);
    cs_local_bind_i64(&query, 3, (int64_t)limit + 1);
    rc = fill_page(&query, limit, out, &seq, err);
    cs_local_query_end(&query);
    if (rc != CS_OK || out->count == 0)
        return rc;
    (void)snprintf(position, sizeof(position), "%0*lld", (int)POSITION_LEN,
                   (long long)seq);
    out->last_position = cs_view_dup(cs_view_cstr(position));
    return out->last_position != NULL ? CS_OK : cs_err_nomem(err);
}

enum cs_code cs_local_log_read(struct cs_store *store, struct cs_view key,
                               struct cs_view after, size_t limit,
                               struct cs_log_page *out, struct cs_deadline deadline,
                               struct cs_err *err)
{
    struct cs_local_database *database;
    int64_t seq;
    enum cs_code rc;

    *out = (struct cs_log_page){
        .json = CS_BUF_INIT(CS_LOG_PAGE_BYTES + CS_LOG_ENTRY_MAX + 16u)};
    if (limit < 1 || limit > CS_LIST_LIMIT_MAX)
        return cs_err_field(err, CS_EINVAL, "limit", "out_of_range",
                            "limit must be from 1 to %u", CS_LIST_LIMIT_MAX);
    if ((rc = cs_store_check_record_key(key, err)) == CS_OK &&
        (rc = read_position(&seq, after, err)) == CS_OK &&
        (rc = cs_local_use(cs_local(store), deadline, &database, err)) == CS_OK)
        rc = read_page(database, key, seq, limit, out, err);
    if (rc != CS_OK)
        cs_log_page_clear(out);
    return rc;
}

enum cs_code cs_local_log_clear(struct cs_local_database *database, struct cs_view key,
                                uint64_t *deleted_out, struct cs_err *err)
{
    struct cs_local_query query = cs_local_query(database, CS_SQL_LOG_DELETE);
    enum cs_code rc;

    cs_local_bind_text(&query, 1, key);
    if ((rc = cs_local_run(&query, NULL, err)) != CS_OK)
        return rc;
    *deleted_out = (uint64_t)cs_local_changes(database);
    query = cs_local_query(database, CS_SQL_LOG_DEDUPE_CLEAR);
    cs_local_bind_text(&query, 1, key);
    return cs_local_run(&query, NULL, err);
}

enum cs_code cs_local_log_delete(struct cs_store *store, struct cs_view key,
                                 uint64_t *deleted_out, struct cs_deadline deadline,
                                 struct cs_err *err)
{
    struct cs_local_database *database;
    enum cs_code rc;

    *deleted_out = 0;
    if ((rc = cs_store_check_record_key(key, err)) != CS_OK ||
        (rc = cs_local_use(cs_local(store), deadline, &database, err)) != CS_OK ||
        (rc = cs_local_begin(database, err)) != CS_OK)
        return rc;
    rc = cs_local_end(database, cs_local_log_clear(database, key, deleted_out, err), err);
    if (rc != CS_OK)
        *deleted_out = 0;
    return rc;
}
