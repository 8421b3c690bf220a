/* Logs: writing. What is appended at once is a piece, an item of its own with a number;
 * the record says in its attribute `log_end` how many numbers were given away. An append
 * takes its number there, and then puts its piece. So a number may have no piece yet, or
 * never, where the append was interrupted. Whoever reads closes such a gap
 * (aws_log_read.c), so that nothing turns up later before what he has read; an append
 * that finds its number closed takes another. Two plain writes cost a quarter of a
 * transaction of both. Where there is more to write than one piece, a text for dedupe for
 * instance, it is one transaction.
 *
 * Versions before this one kept the number of pieces in an item beside them, the head. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "store/aws_internal.h"

#define PIECE_BYTES (300u * 1024u) /* entries in one item, far below its 400 KB */
#define PIECES_MAX  16u            /* of one append */
#define ACTIONS_MAX 100u           /* of one transaction */
#define TRIES_MAX   20u            /* against others that append to the same log */
#define TOKEN_BYTES 8u

void cs_aws_log_head_key(struct cs_buf *out, struct cs_view key)
{
    cs_buf_reset(out);
    cs_buf_add(out, CS_LIT(CS_AWS_LOG_HEAD));
    cs_buf_add(out, key);
}

/* The number comes before the record's key, so that no key can look like another's
 * piece. */
void cs_aws_log_piece_key(struct cs_buf *out, struct cs_view key, uint64_t piece)
{
    cs_buf_reset(out);
    cs_buf_add_fmt(out, CS_AWS_LOG_PIECE "%010" PRIu64 "/", piece);
    cs_buf_add(out, key);
}

static enum cs_code used_key(struct cs_buf *out, struct cs_view key,
                             struct cs_view dedupe, struct cs_err *err)
{
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc;

    if ((rc = cs_sha256_hex_of(hex, dedupe, err)) != CS_OK)
        return rc;
    cs_buf_reset(out);
    cs_buf_add_fmt(out, CS_AWS_LOG_USED "%s/", hex);
    cs_buf_add(out, key);
    return cs_buf_check(out, err);
}

/* ---- the end ---- */

static enum cs_code read_item(struct cs_aws_store *store, struct cs_view key,
                              struct cs_json **answer_out, struct cs_deadline deadline,
                              struct cs_err *err)
{
    struct cs_json_writer w;

    cs_aws_store_begin(store, &w, true);
    cs_json_member_bool(&w, "ConsistentRead", true);
    cs_json_member_cstr(&w, "ProjectionExpression",
                        "campaign_id, created_at, " CS_AWS_LOG_END ", #next");
    cs_json_key(&w, "ExpressionAttributeNames");
    cs_json_object(&w);
    cs_json_member_cstr(&w, "#next", "next");
    cs_json_object_end(&w);
    cs_aws_store_add_key(&w, key);
    cs_json_object_end(&w);
    return cs_aws_store_fetch(store, "GetItem", answer_out, deadline, err);
}

/* Of what an older version wrote, nobody knows whether it has texts for dedupe. */
static enum cs_code read_head(struct cs_aws_store *store, struct cs_view key,
                              struct cs_aws_log_end *end, struct cs_deadline deadline,
                              struct cs_err *err)
{
    struct cs_buf name = CS_BUF_INIT(CS_AWS_LOG_KEY_MAX);
    struct cs_json *answer = NULL;
    int64_t next = 0;
    enum cs_code rc;

    cs_aws_log_head_key(&name, key);
    if ((rc = cs_buf_check(&name, err)) == CS_OK)
        rc = read_item(store, cs_aws_key_view(&name), &answer, deadline, err);
    if (rc == CS_OK && cs_item_integer(cs_json_get(answer, "Item"), "next", &next) &&
        next > 0)
        end->mark = CS_AWS_LOG_MARK(next, false);
    cs_json_free(answer);
    cs_buf_clear(&name);
    return rc;
}

enum cs_code cs_aws_log_find_end(struct cs_aws_store *store, struct cs_view key,
                                 struct cs_aws_log_end *out, struct cs_deadline deadline,
                                 struct cs_err *err)
{
    struct cs_json *answer = NULL;
    const struct cs_json *item;
    int64_t mark = 0;
    enum cs_code rc;

    *out = CS_AWS_LOG_END_NONE;
    if ((rc = read_item(store, key, &answer, deadline, err)) != CS_OK)
        return rc;
    item = cs_json_get(answer, "Item");
    out->found = item != NULL;
    out->noted = cs_item_integer(item, CS_AWS_LOG_END, &mark) && mark > 1;
    if (out->noted)
        out->mark = (uint64_t)mark;
    cs_buf_add(&out->created_at, cs_item_text(item, "created_at"));
    rc = cs_buf_check(&out->created_at, err);
    cs_json_free(answer);
    if (rc == CS_OK && !out->noted)
        rc = read_head(store, key, out, deadline, err);
    return rc;
}

void cs_aws_log_end_clear(struct cs_aws_log_end *end)
{
    cs_buf_clear(&end->created_at);
}

struct cs_view cs_aws_log_owner(const struct cs_aws_log_end *end)
{
    return end->created_at.len > 0 ? cs_buf_view(&end->created_at)
                                   : CS_LIT(CS_AWS_LOG_NO_OWNER);
}

/* ---- erase ---- */

bool cs_aws_log_is_short(uint64_t mark, size_t others)
{
    return mark != 0 && CS_AWS_LOG_PLAIN(mark) && others <= ACTIONS_MAX &&
           CS_AWS_LOG_NEXT(mark) <= ACTIONS_MAX - others;
}

enum cs_code cs_aws_log_erase(struct cs_aws_store *store, struct cs_json_writer *w,
                              struct cs_view key, uint64_t mark, struct cs_err *err)
{
    struct cs_buf name = CS_BUF_INIT(CS_AWS_LOG_KEY_MAX);
    enum cs_code rc = CS_OK;

    for (uint64_t i = 0; i < CS_AWS_LOG_NEXT(mark) && rc == CS_OK; i++) {
        cs_aws_log_piece_key(&name, key, i);
        cs_json_object(w);
        cs_json_key(w, "Delete");
        cs_json_object(w);
        cs_json_member_cstr(w, "TableName", store->table);
        cs_aws_store_add_key(w, cs_aws_key_view(&name));
        cs_json_object_end(w);
        cs_json_object_end(w);
        rc = cs_buf_check(&name, err);
    }
    cs_buf_clear(&name);
    return rc;
}

/* ---- append ---- */

struct appending {
    struct cs_aws_store *store;
    struct cs_view key;
    const struct cs_view *entries;
    size_t count;
    struct cs_buf used; /* key of the dedupe item; empty without one */
    size_t
        ends[PIECES_MAX]; /* entries are cut into pieces; index behind each one's last */
    size_t piece_count;
    struct cs_aws_log_end end;
    char token[2 * TOKEN_BYTES + 1]; /* tells the pieces from others' */
};

static enum cs_code cut(struct appending *a, struct cs_err *err)
{
    size_t bytes = 0;

    a->piece_count = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (bytes > 0 && bytes + a->entries[i].len > PIECE_BYTES) {
            if (a->piece_count + 1 == PIECES_MAX)
                return cs_err_set(err, CS_ETOOBIG, "too many log entries at once");
            a->ends[a->piece_count++] = i;
            bytes = 0;
        }
        bytes += a->entries[i].len + 1;
    }
    a->ends[a->piece_count++] = a->count;
    return CS_OK;
}

static uint64_t mark_after(const struct appending *a)
{
    return CS_AWS_LOG_MARK(CS_AWS_LOG_NEXT(a->end.mark) + a->piece_count,
                           CS_AWS_LOG_PLAIN(a->end.mark) && a->used.len == 0);
}

/* The members of an update of the record that takes the next numbers, on condition that
 * it is still the same campaign's and nobody took them meanwhile. */
static void add_move(const struct appending *a, struct cs_json_writer *w)
{
    static const char *const conditions[2][2] = {
        {"attribute_exists(campaign_id) AND attribute_not_exists(" CS_AWS_LOG_END ")",
         "created_at = :created_at AND attribute_not_exists(" CS_AWS_LOG_END ")"},
        {CS_AWS_LOG_END " = :end",
         "created_at = :created_at AND " CS_AWS_LOG_END " = :end"}};
    bool dated = a->end.created_at.len > 0;

    cs_aws_store_add_key(w, a->key);
    cs_json_member_cstr(w, "UpdateExpression", "SET " CS_AWS_LOG_END " = :after");
    cs_json_member_cstr(w, "ConditionExpression", conditions[a->end.noted][dated]);
    cs_json_key(w, "ExpressionAttributeValues");
    cs_json_object(w);
    cs_item_add_integer(w, ":after", (int64_t)mark_after(a));
    if (a->end.noted)
        cs_item_add_integer(w, ":end", (int64_t)a->end.mark);
    if (dated)
        cs_item_add_text(w, ":created_at", cs_buf_view(&a->end.created_at));
    cs_json_object_end(w);
}

/* "Item":{...} */
static enum cs_code add_piece(struct appending *a, struct cs_json_writer *w, size_t piece,
                              struct cs_err *err)
{
    struct cs_buf name = CS_BUF_INIT(CS_AWS_LOG_KEY_MAX);
    struct cs_buf text = CS_BUF_INIT(PIECE_BYTES + CS_LOG_ENTRY_MAX + 1024u);
    size_t first = piece == 0 ? 0 : a->ends[piece - 1];
    enum cs_code rc;

    cs_aws_log_piece_key(&name, a->key, CS_AWS_LOG_NEXT(a->end.mark) + piece);
    for (size_t i = first; i < a->ends[piece]; i++) {
        cs_buf_add_byte(&text, i == first ? '[' : ',');
        cs_buf_add(&text, a->entries[i]);
    }
    cs_buf_add_byte(&text, ']');
    cs_json_key(w, "Item");
    cs_json_object(w);
    cs_item_add_text(w, "campaign_id", cs_aws_key_view(&name));
    cs_item_add_text(w, CS_AWS_LOG_OF, cs_aws_log_owner(&a->end));
    cs_item_add_text(w, CS_AWS_LOG_TOKEN, cs_view_cstr(a->token));
    cs_item_add_integer(w, "count", (int64_t)(a->ends[piece] - first));
    rc = cs_aws_item_add_packed(w, "entries", cs_buf_view(&text), err);
    if (piece == 0 && a->used.len > 0)
        cs_item_add_text(w, "used", cs_buf_view(&a->used));
    cs_json_object_end(w);
    if (rc == CS_OK && (rc = cs_buf_check(&text, err)) == CS_OK)
        rc = cs_buf_check(&name, err);
    cs_buf_clear(&text);
    cs_buf_clear(&name);
    return rc;
}

/* ---- as one transaction ---- */

static void begin_action(struct appending *a, struct cs_json_writer *w,
                         const char *action)
{
    cs_json_object(w);
    cs_json_key(w, action);
    cs_json_object(w);
    cs_json_member_cstr(w, "TableName", a->store->table);
}

static void end_action(struct cs_json_writer *w)
{
    cs_json_object_end(w);
    cs_json_object_end(w);
}

static void add_used(struct appending *a, struct cs_json_writer *w)
{
    begin_action(a, w, "Put");
    cs_json_key(w, "Item");
    cs_json_object(w);
    cs_item_add_text(w, "campaign_id", cs_buf_view(&a->used));
    cs_json_object_end(w);
    cs_json_member_cstr(w, "ConditionExpression", "attribute_not_exists(campaign_id)");
    end_action(w);
}

static enum cs_code write_together(struct appending *a, struct cs_err *err)
{
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_store_begin(a->store, &w, false);
    if ((rc = cs_aws_store_add_token(&w, err)) != CS_OK)
        return rc;
    cs_json_key(&w, "TransactItems");
    cs_json_array(&w);
    begin_action(a, &w, "Update");
    add_move(a, &w);
    end_action(&w);
    if (a->used.len > 0)
        add_used(a, &w);
    for (size_t i = 0; i < a->piece_count && rc == CS_OK; i++) {
        begin_action(a, &w, "Put");
        rc = add_piece(a, &w, i, err);
        end_action(&w);
    }
    cs_json_array_end(&w);
    cs_json_object_end(&w);
    return rc;
}

static enum cs_code append_together(struct appending *a, bool *again_out,
                                    struct cs_deadline deadline, struct cs_err *err)
{
    enum cs_code rc = write_together(a, err);

    if (rc != CS_OK)
        return rc;
    rc = cs_aws_store_write(a->store, "TransactWriteItems", deadline, err);
    if (rc == CS_OK)
        return rc;
    if (a->used.len > 0 && cs_aws_store_condition_failed(a->store, 1)) {
        cs_err_clear(err);
        return CS_OK; /* done before */
    }
    *again_out = cs_aws_store_condition_failed(a->store, 0);
    return rc;
}

/* ---- as two writes ---- */

static enum cs_code move_end(struct appending *a, struct cs_deadline deadline,
                             struct cs_err *err)
{
    struct cs_json_writer w;

    cs_aws_store_begin(a->store, &w, true);
    add_move(a, &w);
    cs_json_object_end(&w);
    return cs_aws_store_write(a->store, "UpdateItem", deadline, err);
}

/* Over what a campaign of that name before may have left, not over what closed the gap;
 * and over itself, where it is sent again because its answer was lost. */
static enum cs_code put_piece(struct appending *a, struct cs_deadline deadline,
                              struct cs_err *err)
{
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_store_begin(a->store, &w, true);
    if ((rc = add_piece(a, &w, 0, err)) != CS_OK)
        return rc;
    cs_json_member_cstr(
        &w, "ConditionExpression",
        "attribute_not_exists(campaign_id) OR #of <> :of OR #token = :token");
    cs_json_key(&w, "ExpressionAttributeNames");
    cs_json_object(&w);
    cs_json_member_cstr(&w, "#of", CS_AWS_LOG_OF);
    cs_json_member_cstr(&w, "#token", CS_AWS_LOG_TOKEN);
    cs_json_object_end(&w);
    cs_json_key(&w, "ExpressionAttributeValues");
    cs_json_object(&w);
    cs_item_add_text(&w, ":of", cs_aws_log_owner(&a->end));
    cs_item_add_text(&w, ":token", cs_view_cstr(a->token));
    cs_json_object_end(&w);
    cs_json_object_end(&w);
    return cs_aws_store_write(a->store, "PutItem", deadline, err);
}

static enum cs_code append_apart(struct appending *a, bool *again_out,
                                 struct cs_deadline deadline, struct cs_err *err)
{
    enum cs_code rc = move_end(a, deadline, err);

    if (rc == CS_OK)
        rc = put_piece(a, deadline, err);
    *again_out = rc == CS_ECONFLICT;
    return rc;
}

/* ---- either ---- */

/* What is remembered will do for a first try, as the append depends on it. */
static enum cs_code find_end(struct appending *a, bool first, struct cs_deadline deadline,
                             struct cs_err *err)
{
    cs_aws_log_end_clear(&a->end);
    a->end = CS_AWS_LOG_END_NONE;
    if (first)
        a->end.mark = cs_recent_mark(a->store->recent, cs_view_cstr(a->store->table),
                                     a->key, &a->end.created_at);
    if (!first || a->end.mark == 0 || a->end.created_at.failed != CS_OK) {
        cs_aws_log_end_clear(&a->end);
        return cs_aws_log_find_end(a->store, a->key, &a->end, deadline, err);
    }
    a->end.found = true;
    a->end.noted = a->end.mark != CS_AWS_LOG_EMPTY;
    return CS_OK;
}

/* One try; *again_out when somebody else came in between. */
static enum cs_code try_append(struct appending *a, bool first, bool *again_out,
                               struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_view table = cs_view_cstr(a->store->table);
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    *again_out = false;
    if ((rc = find_end(a, first, deadline, err)) != CS_OK)
        return rc;
    if (!a->end.found)
        return cs_err_set(err, CS_ENOTFOUND, "there is no record %.*s", CS_FMT(a->key));
    rc = a->used.len == 0 && a->piece_count == 1
             ? append_apart(a, again_out, deadline, &why)
             : append_together(a, again_out, deadline, &why);
    if (rc == CS_OK)
        cs_recent_grow_log(a->store->recent, table, a->key, a->end.mark, a->entries,
                           a->count, mark_after(a));
    else
        cs_recent_forget(a->store->recent, table, a->key);
    if (rc != CS_OK && !*again_out)
        cs_err_hand_on(err, &why);
    return rc;
}

enum cs_code cs_aws_store_log_append(struct cs_store *base, struct cs_view key,
                                     const struct cs_view *entries, size_t count,
                                     struct cs_view dedupe, struct cs_deadline deadline,
                                     struct cs_err *err)
{
    struct appending a = {.store = cs_aws_store_of(base),
                          .key = key,
                          .entries = entries,
                          .count = count,
                          .used = CS_BUF_INIT(CS_AWS_LOG_KEY_MAX),
                          .end = CS_AWS_LOG_END_NONE};
    uint8_t random[TOKEN_BYTES];
    bool again = true;
    enum cs_code rc;

    if ((rc = cs_store_check_record_key(key, err)) != CS_OK ||
        (rc = cs_store_check_log_entries(entries, count, dedupe, err)) != CS_OK ||
        (rc = cs_aws_store_open(a.store, err)) != CS_OK || (rc = cut(&a, err)) != CS_OK ||
        (rc = cs_random_bytes(random, sizeof(random), err)) != CS_OK)
        return rc;
    cs_hex_encode(a.token, random, sizeof(random));
    if (dedupe.len > 0)
        rc = used_key(&a.used, key, dedupe, err);
    for (unsigned i = 0; rc == CS_OK && again; i++) {
        rc = try_append(&a, i == 0, &again, deadline, err);
        if (again && i < TRIES_MAX)
            rc = CS_OK;
        else if (again)
            rc = cs_err_set(err, CS_EBUSY, "others append to the same log: try again");
        again = again && i < TRIES_MAX;
    }
    cs_aws_log_end_clear(&a.end);
    cs_buf_clear(&a.used);
    return rc;
}
