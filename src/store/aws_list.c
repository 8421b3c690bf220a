#include "config.h"

#include <stdlib.h>

#include "base/encoding.h"
#include "store/aws_internal.h"
#include "json/scan.h"

#define CHECK_LEN  16u /* hex digits in front of a cursor that tie it to its query */
#define CURSOR_MAX 4096u
#define NAMES_MAX  8192u

/* ---- cursors ---- */

/* Where a page ended: the last record's created_at and key; for CS_LIST_ALL the key
 * that the next scan starts behind. */
struct position {
    struct cs_buf created_at;
    struct cs_buf key;
};

static enum cs_code check_text(const struct cs_list_query *query, struct cs_view rest,
                               char out[CS_SHA256_HEX_LEN + 1], struct cs_err *err)
{
    struct cs_buf text = CS_BUF_INIT(NAMES_MAX);
    enum cs_code rc;

    cs_buf_add_fmt(&text, "%d\n%zu\n", (int)query->index, query->value.len);
    cs_buf_add(&text, query->value);
    cs_buf_add(&text, rest);
    if ((rc = cs_buf_check(&text, err)) == CS_OK)
        rc = cs_sha256_hex_of(out, cs_buf_view(&text), err);
    cs_buf_clear(&text);
    return rc;
}

static enum cs_code write_cursor(const struct cs_list_query *query,
                                 struct cs_view created_at, struct cs_view key,
                                 char **out, struct cs_err *err)
{
    char check[CS_SHA256_HEX_LEN + 1];
    struct cs_buf rest = CS_BUF_INIT(CURSOR_MAX);
    struct cs_buf plain = CS_BUF_INIT(CURSOR_MAX);
    struct cs_buf text = CS_BUF_INIT(2 * CURSOR_MAX);
    enum cs_code rc;

    cs_buf_add(&rest, created_at);
    cs_buf_add_byte(&rest, '\n');
    cs_buf_add(&rest, key);
    if ((rc = cs_buf_check(&rest, err)) != CS_OK ||
        (rc = check_text(query, cs_buf_view(&rest), check, err)) != CS_OK)
        goto out;
    cs_buf_add(&plain, cs_view_of(check, CHECK_LEN));
    cs_buf_add(&plain, cs_buf_view(&rest));
    if ((rc = cs_buf_check(&plain, err)) != CS_OK)
        goto out;
    cs_base64url_encode(&text, cs_buf_view(&plain));
    if ((rc = cs_buf_check(&text, err)) == CS_OK)
        *out = cs_buf_take(&text);
out:
    cs_buf_clear(&rest);
    cs_buf_clear(&plain);
    cs_buf_clear(&text);
    return rc;
}

static enum cs_code bad_cursor(struct cs_err *err)
{
    return cs_err_field(err, CS_EINVAL, "cursor", "cursor_invalid",
                        "the cursor is none of this list's: start without one");
}

static enum cs_code read_cursor(const struct cs_list_query *query, struct position *out,
                                struct cs_err *err)
{
    char check[CS_SHA256_HEX_LEN + 1];
    struct cs_buf plain = CS_BUF_INIT(CURSOR_MAX);
    struct cs_view rest;
    size_t line;
    enum cs_code rc;

    if (query->cursor.len == 0)
        return CS_OK;
    rc = cs_base64url_decode(&plain, query->cursor, NULL);
    rest = cs_view_from(cs_buf_view(&plain), CHECK_LEN);
    line = cs_view_find_byte(rest, '\n');
    if (rc != CS_OK || line == SIZE_MAX) {
        rc = rc == CS_ENOMEM ? cs_err_nomem(err) : bad_cursor(err);
        goto out;
    }
    if ((rc = check_text(query, rest, check, err)) != CS_OK)
        goto out;
    if (!cs_view_starts(cs_buf_view(&plain), cs_view_of(check, CHECK_LEN))) {
        rc = bad_cursor(err);
        goto out;
    }
    cs_buf_add(&out->created_at, cs_view_sub(rest, 0, line));
    cs_buf_add(&out->key, cs_view_from(rest, line + 1));
    if ((rc = cs_buf_check(&out->created_at, err)) == CS_OK)
        rc = cs_buf_check(&out->key, err);
out:
    cs_buf_clear(&plain);
    return rc;
}

/* ---- collecting ---- */

struct collecting {
    struct cs_aws_store *store;
    const struct cs_list_query *query;
    struct cs_deadline deadline;
    struct cs_view value; /* of the index's key, in the stream being read */
    struct position from;
    struct cs_buf start; /* ExclusiveStartKey of the next call, or empty */
    struct cs_record **records;
    size_t count, room;
    size_t first; /* record of the stream being read */
    bool more;    /* the service has further items in it */
    bool left;    /* there are further records in one of the streams */
};

static enum cs_code keep(struct collecting *c, struct cs_record *record,
                         struct cs_err *err)
{
    if (c->count == c->room) {
        size_t room = c->room == 0 ? 64 : c->room * 2;
        struct cs_record **grown =
            reallocarray(c->records, room, sizeof(struct cs_record *));

        if (grown == NULL) {
            cs_record_free(record);
            return cs_err_nomem(err);
        }
        c->records = grown;
        c->room = room;
    }
    c->records[c->count++] = record;
    return CS_OK;
}

/* Behind the cursor in the order of the list: older, or as old with a smaller key. */
static bool is_behind(const struct collecting *c, const struct cs_record *record)
{
    int order;

    if (c->query->cursor.len == 0 || c->query->index == CS_LIST_ALL)
        return true;
    order = cs_view_compare(record->created_at, cs_buf_view(&c->from.created_at));
    return order < 0 ||
           (order == 0 && cs_view_compare(record->key, cs_buf_view(&c->from.key)) < 0);
}

/* Takes what stands between the brackets of "Items"; *rest is moved behind it. */
static enum cs_code take_items(struct collecting *c, struct cs_view *rest,
                               struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    while (rc == CS_OK && cs_json_walk_element(rest)) {
        struct cs_record *record;

        rc = cs_aws_item_walk(&record, rest, &c->store->texts, err);
        if (rc != CS_OK || record == NULL)
            continue;
        if (c->query->index != CS_LIST_ALL)
            record->detail = record->extra =
                cs_view_of("", 0); /* an index may show more than it needs to */
        if (is_behind(c, record))
            rc = keep(c, record, err);
        else
            cs_record_free(record);
    }
    return rc;
}

/* The items, and where the next call goes on. */
static enum cs_code take_answer(struct collecting *c, struct cs_view answer,
                                struct cs_err *err)
{
    struct cs_view name, last = cs_view_of(NULL, 0);
    enum cs_code rc = CS_OK;

    while (rc == CS_OK && cs_json_walk_member(&answer, &name)) {
        if (cs_view_eq(name, CS_LIT("Items")) && cs_json_kind(answer) == '[')
            rc = take_items(c, &answer, err);
        else if (cs_view_eq(name, CS_LIT("LastEvaluatedKey")))
            last = cs_json_walk_value(&answer);
        else
            (void)cs_json_walk_value(&answer);
    }
    c->more = last.ptr != NULL;
    cs_buf_reset(&c->start);
    cs_buf_add(&c->start, last);
    if (rc == CS_OK && c->query->index == CS_LIST_ALL) {
        cs_buf_reset(&c->from.key);
        (void)cs_json_slice_string(&c->from.key, cs_json_slice(last, "campaign_id"), "S");
    }
    cs_aws_item_texts_rest(&c->store->texts);
    return rc == CS_OK ? cs_buf_check(&c->start, err) : rc;
}

static void write_query(struct collecting *c, struct cs_json_writer *w)
{
    bool by_user = c->query->index == CS_LIST_USER;
    bool behind = c->from.created_at.len > 0;

    cs_json_member_cstr(w, "IndexName",
                        by_user ? CS_AWS_USER_INDEX : CS_AWS_STATUS_INDEX);
    cs_json_member_bool(w, "ScanIndexForward", false);
    cs_json_member_cstr(w, "KeyConditionExpression",
                        behind ? "#v = :v AND created_at <= :t" : "#v = :v");
    cs_json_key(w, "ExpressionAttributeNames");
    cs_json_object(w);
    cs_json_member_cstr(w, "#v", by_user ? "user_id" : "status");
    cs_json_object_end(w);
    cs_json_key(w, "ExpressionAttributeValues");
    cs_json_object(w);
    cs_item_add_text(w, ":v", c->value);
    if (behind)
        cs_item_add_text(w, ":t", cs_buf_view(&c->from.created_at));
    cs_json_object_end(w);
}

static enum cs_code fetch(struct collecting *c, struct cs_err *err)
{
    bool all = c->query->index == CS_LIST_ALL;
    struct cs_view answer;
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_store_begin(c->store, &w, true);
    if (all) {
        cs_json_member_bool(&w, "ConsistentRead", true);
    } else {
        write_query(c, &w);
    }
    /* one more than asked for, to be certain of the last; and the cursor's own record,
     * which comes again */
    cs_json_member_u64(&w, "Limit",
                       c->query->limit + (all                          ? 0u
                                          : c->from.created_at.len > 0 ? 2u
                                                                       : 1u));
    if (c->start.len > 0)
        cs_json_member_raw(&w, "ExclusiveStartKey", cs_buf_view(&c->start));
    cs_json_object_end(&w);
    /* what goes through all records acts on what is not there: no table is no answer */
    if (!all)
        rc = cs_aws_store_fetch_text(c->store, "Query", &answer, c->deadline, err);
    else if ((rc = cs_aws_store_call(c->store, "Scan", NULL, c->deadline, err)) == CS_OK)
        rc = cs_dynamodb_answer(c->store->db, &answer, err);
    if (rc != CS_OK)
        return rc == CS_ENOTFOUND ? CS_EUPSTREAM : rc;
    return take_answer(c, answer, err);
}

/* Whether the page is certain: enough records, and behind the last of them one of
 * another time. DynamoDB has no order among those of one time; the list has. */
static bool is_certain(const struct collecting *c)
{
    struct cs_record *const *records;
    size_t count = c->count - c->first;

    if (!c->more)
        return true;
    if (count <= c->query->limit)
        return false;
    records = c->records + c->first;
    return !cs_view_eq(records[count - 1]->created_at,
                       records[c->query->limit - 1]->created_at);
}

static int compare(const void *left, const void *right)
{
    const struct cs_record *a = *(struct cs_record *const *)left;
    const struct cs_record *b = *(struct cs_record *const *)right;
    int order = cs_view_compare(b->created_at, a->created_at);

    return order != 0 ? order : cs_view_compare(b->key, a->key);
}

/* Reads what one key of the index has for the page, and lets the page be the best of
 * that and of what was there before. */
static enum cs_code read_stream(struct collecting *c, struct cs_view value,
                                struct cs_err *err)
{
    enum cs_code rc;

    c->value = value;
    c->first = c->count;
    cs_buf_reset(&c->start);
    do {
        rc = fetch(c, err);
    } while (rc == CS_OK && !is_certain(c));
    if (c->count > 1)
        qsort(c->records, c->count, sizeof(struct cs_record *), compare);
    c->left = c->left || c->more || c->count > c->query->limit;
    while (c->count > c->query->limit)
        cs_record_free(c->records[--c->count]);
    return rc;
}

/* A status may be spread over several keys of its index; records from before that was
 * so have the plain one. */
static enum cs_code read_status(struct collecting *c, struct cs_err *err)
{
    struct cs_buf value = CS_BUF_INIT(CURSOR_MAX);
    size_t shards = 1;
    enum cs_code rc = cs_aws_status_shards(c->store, &shards, c->deadline, err);

    if (rc == CS_OK)
        rc = read_stream(c, c->query->value, err);
    for (size_t i = 0; i < shards && shards > 1 && rc == CS_OK; i++) {
        cs_buf_reset(&value);
        cs_aws_status_key(&value, c->query->value, i);
        if ((rc = cs_buf_check(&value, err)) == CS_OK)
            rc = read_stream(c, cs_buf_view(&value), err);
    }
    cs_buf_clear(&value);
    return rc;
}

static enum cs_code read_page(struct collecting *c, struct cs_err *err)
{
    switch (c->query->index) {
    case CS_LIST_USER:
        return read_stream(c, c->query->value, err);
    case CS_LIST_STATUS:
        return read_status(c, err);
    default:
        return fetch(c, err);
    }
}

static enum cs_code finish(struct collecting *c, struct cs_record_page *out,
                           struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    if (c->query->index != CS_LIST_ALL) {
        if (c->count > 0 && c->left)
            rc = write_cursor(c->query, c->records[c->count - 1]->created_at,
                              c->records[c->count - 1]->key, &out->next_cursor, err);
    } else if (c->more) {
        rc = write_cursor(c->query, CS_LIT(""), cs_buf_view(&c->from.key),
                          &out->next_cursor, err);
    }
    if (rc != CS_OK)
        return rc;
    out->records = c->records;
    out->count = c->count;
    c->records = NULL;
    c->count = 0;
    return CS_OK;
}

static enum cs_code start_scan(struct collecting *c, struct cs_err *err)
{
    if (c->query->index != CS_LIST_ALL || c->from.key.len == 0)
        return CS_OK;
    return cs_aws_store_key_text(&c->start, cs_buf_view(&c->from.key), err);
}

enum cs_code cs_aws_store_list(struct cs_store *base, const struct cs_list_query *query,
                               struct cs_record_page *out, struct cs_deadline deadline,
                               struct cs_err *err)
{
    struct collecting c = {.store = cs_aws_store_of(base),
                           .query = query,
                           .deadline = deadline,
                           .from = {CS_BUF_INIT(CURSOR_MAX), CS_BUF_INIT(CURSOR_MAX)},
                           .start = CS_BUF_INIT(NAMES_MAX)};
    enum cs_code rc;

    *out = (struct cs_record_page){NULL, 0, NULL};
    if ((rc = cs_store_check_list_query(query, err)) == CS_OK &&
        (rc = cs_aws_store_open(c.store, err)) == CS_OK &&
        (rc = read_cursor(query, &c.from, err)) == CS_OK)
        rc = start_scan(&c, err);
    if (rc == CS_OK)
        rc = read_page(&c, err);
    if (rc == CS_OK)
        rc = finish(&c, out, err);
    while (c.count > 0)
        cs_record_free(c.records[--c.count]);
    free(c.records);
    cs_buf_clear(&c.from.created_at);
    cs_buf_clear(&c.from.key);
    cs_buf_clear(&c.start);
    return rc;
}
