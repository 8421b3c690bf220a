#include "config.h"

#include <stdlib.h>

#include "base/encoding.h"
#include "store/check.h"
#include "store/local_database.h"
#include "store/local_internal.h"
#include "store/local_rows.h"

/* A cursor is the place of the last record that a page showed: what follows is
 * found by one descent of the index, however many records come before it. Its
 * text, before base64url: version, index and digest of the listed value, so that
 * it fits one list alone; then created_at and key, one a line. */
#define CURSOR_MAX    1024u
#define VALUE_HEX_LEN 16u
/* A page of CS_LIST_ALL, whose records carry details, ends once it has as many. */
#define PAGE_BYTES_MAX (4u << 20)

struct cursor {
    struct cs_view created_at;
    struct cs_view key;
};

static enum cs_code add_head(struct cs_buf *out, const struct cs_list_query *query,
                             struct cs_err *err)
{
    static const char letters[] = {
        [CS_LIST_USER] = 'u', [CS_LIST_STATUS] = 's', [CS_LIST_ALL] = 'a'};
    uint8_t digest[CS_SHA256_LEN];
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc;

    if ((rc = cs_sha256_of(digest, query->value, err)) != CS_OK)
        return rc;
    cs_sha256_hex(hex, digest);
    cs_buf_add_byte(out, '1');
    cs_buf_add_byte(out, letters[query->index]);
    cs_buf_add(out, cs_view_of(hex, VALUE_HEX_LEN));
    cs_buf_add_byte(out, '\n');
    return CS_OK;
}

/* Writes the cursor behind `record`. */
static enum cs_code make_cursor(char **out, const struct cs_list_query *query,
                                const struct cs_record *record, struct cs_err *err)
{
    struct cs_buf plain = CS_BUF_INIT(CURSOR_MAX);
    struct cs_buf text = CS_BUF_INIT(2 * CURSOR_MAX);
    enum cs_code rc;

    if ((rc = add_head(&plain, query, err)) == CS_OK) {
        cs_buf_add(&plain, record->created_at);
        cs_buf_add_byte(&plain, '\n');
        cs_buf_add(&plain, record->key);
        if ((rc = cs_buf_check(&plain, err)) == CS_OK)
            cs_base64url_encode(&text, cs_buf_view(&plain));
        if (rc == CS_OK && (rc = cs_buf_check(&text, err)) == CS_OK)
            *out = cs_buf_take(&text);
    }
    cs_buf_clear(&plain);
    cs_buf_clear(&text);
    return rc;
}

/* Reads query->cursor into `plain`, which the views of *out point into. */
static enum cs_code read_cursor(struct cursor *out, struct cs_buf *plain,
                                const struct cs_list_query *query, struct cs_err *err)
{
    struct cs_buf head = CS_BUF_INIT(CURSOR_MAX);
    struct cs_view rest;
    bool good;
    enum cs_code rc;

    if (query->cursor.len == 0)
        return CS_OK;
    if ((rc = add_head(&head, query, err)) != CS_OK ||
        (rc = cs_buf_check(&head, err)) != CS_OK)
        goto out;
    rc = cs_base64url_decode(plain, query->cursor, NULL);
    if (rc == CS_ENOMEM) {
        rc = cs_err_nomem(err);
        goto out;
    }
    rest = cs_buf_view(plain);
    good = rc == CS_OK && cs_view_starts(rest, cs_buf_view(&head));
    rest = cs_view_from(rest, head.len);
    good = good && cs_view_split(&rest, '\n', &out->created_at) && rest.ptr != NULL;
    out->key = rest;
    good = good && cs_store_check_record_key(out->key, NULL) == CS_OK;
    rc = good ? CS_OK
              : cs_err_field(err, CS_EINVAL, "cursor", "bad_cursor",
                             "the cursor is not one of this list: start without it");
out:
    cs_buf_clear(&head);
    return rc;
}

static void bind_place(struct cs_local_query *statement,
                       const struct cs_list_query *query, const struct cursor *cursor)
{
    if (query->index != CS_LIST_ALL)
        cs_local_bind_text(statement, 1, query->value);
    if (query->cursor.len > 0 || query->index == CS_LIST_ALL) {
        if (query->index != CS_LIST_ALL)
            cs_local_bind_text(statement, 2, cursor->created_at);
        cs_local_bind_text(statement, 3, cursor->key);
    } else {
        cs_local_bind_last(statement, 2);
        cs_local_bind_last(statement, 3);
    }
    /* one more than asked for, to know whether there is a next page */
    cs_local_bind_i64(statement, 4, (int64_t)query->limit + 1);
}

/* Adds rows until the page is full; *more_out: whether one was left over. */
static enum cs_code fill_page(struct cs_local_query *statement,
                              const struct cs_list_query *query,
                              struct cs_record_page *out, bool *more_out,
                              struct cs_err *err)
{
    size_t bytes = 0;
    bool row;
    enum cs_code rc;

    *more_out = false;
    while ((rc = cs_local_step(statement, &row, err)) == CS_OK && row) {
        struct cs_record record;

        if (out->count == query->limit || bytes >= PAGE_BYTES_MAX) {
            *more_out = true;
            break;
        }
        record = cs_local_row(statement, query->index == CS_LIST_ALL);
        out->records[out->count] = cs_record_copy(&record);
        if (out->records[out->count] == NULL)
            return cs_err_nomem(err);
        out->count++;
        bytes += record.detail.len + record.summary.len;
    }
    return rc;
}

static enum cs_code list_from(struct cs_local_database *database,
                              const struct cs_list_query *query,
                              const struct cursor *cursor, struct cs_record_page *out,
                              struct cs_err *err)
{
    static const enum cs_local_sql sql[] = {
        [CS_LIST_USER] = CS_SQL_LIST_USER,
        [CS_LIST_STATUS] = CS_SQL_LIST_STATUS,
        [CS_LIST_ALL] = CS_SQL_LIST_ALL,
    };
    struct cs_local_query statement;
    bool more;
    enum cs_code rc;

    out->records = calloc(query->limit, sizeof(struct cs_record *));
    if (out->records == NULL)
        return cs_err_nomem(err);
    statement = cs_local_query(database, sql[query->index]);
    bind_place(&statement, query, cursor);
    rc = fill_page(&statement, query, out, &more, err);
    cs_local_query_end(&statement);
    if (rc == CS_OK && more)
        rc = make_cursor(&out->next_cursor, query, out->records[out->count - 1], err);
    return rc;
}

enum cs_code cs_local_list(struct cs_store *store, const struct cs_list_query *query,
                           struct cs_record_page *out, struct cs_deadline deadline,
                           struct cs_err *err)
{
    struct cs_buf plain = CS_BUF_INIT(CURSOR_MAX);
    struct cursor cursor = {CS_LIT(""), CS_LIT("")};
    struct cs_local_database *database;
    enum cs_code rc;

    *out = (struct cs_record_page){NULL, 0, NULL};
    if ((rc = cs_store_check_list_query(query, err)) == CS_OK &&
        (rc = read_cursor(&cursor, &plain, query, err)) == CS_OK &&
        (rc = cs_local_use(cs_local(store), deadline, &database, err)) == CS_OK)
        rc = list_from(database, query, &cursor, out, err);
    if (rc != CS_OK)
        cs_record_page_clear(out);
    cs_buf_clear(&plain);
    return rc;
}
