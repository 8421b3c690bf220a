#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "store/aws_internal.h"

#define PIECE_BYTES   (300u * 1024u) /* entries in one item, far below its 400 KB */
#define PIECES_MAX    16u            /* of one append */
#define WINDOW        25u            /* pieces read at once */
#define ERASED_MAX    90u /* pieces that a transaction deletes; it has 100 items */
#define TRIES_MAX     20u /* against others that append to the same log */
#define POSITION_LEN  15u /* 10 digits of the piece, 5 of the entry in it */
#define KEY_MAX_BYTES 2048u

static void head_key(struct cs_buf *out, struct cs_view key)
{
    cs_buf_reset(out);
    cs_buf_add(out, CS_LIT(CS_AWS_INTERNAL "log/"));
    cs_buf_add(out, key);
}

/* The number comes before the record's key, so that no key can look like another's
 * piece. */
static void piece_key(struct cs_buf *out, struct cs_view key, uint64_t piece)
{
    cs_buf_reset(out);
    cs_buf_add_fmt(out, CS_AWS_INTERNAL "log-%010" PRIu64 "/", piece);
    cs_buf_add(out, key);
}

static enum cs_code used_key(struct cs_buf *out, struct cs_view key,
                             struct cs_view dedupe, struct cs_err *err)
{
    uint8_t digest[CS_SHA256_LEN];
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc;

    if ((rc = cs_sha256_of(digest, dedupe, err)) != CS_OK)
        return rc;
    cs_sha256_hex(hex, digest);
    cs_buf_reset(out);
    cs_buf_add_fmt(out, CS_AWS_INTERNAL "used-%s/", hex);
    cs_buf_add(out, key);
    return cs_buf_check(out, err);
}

/* Where the log ends; next piece 0 for a log that has none. */
static enum cs_code read_head(struct cs_aws_store *store, struct cs_view key,
                              uint64_t *mark_out, struct cs_deadline deadline,
                              struct cs_err *err)
{
    const struct cs_json *item;
    struct cs_buf name = CS_BUF_INIT(KEY_MAX_BYTES);
    struct cs_json_writer w;
    struct cs_json *answer = NULL;
    int64_t next = 0;
    int64_t plain = 0;
    enum cs_code rc;

    *mark_out = CS_AWS_LOG_MARK(0, true);
    head_key(&name, key);
    cs_aws_store_begin(store, &w, true);
    cs_json_key(&w, "ConsistentRead");
    cs_json_boolean(&w, true);
    cs_aws_store_add_key(&w, cs_aws_key_view(&name));
    cs_json_object_end(&w);
    rc = cs_buf_check(&name, err);
    if (rc == CS_OK)
        rc = cs_aws_store_fetch(store, "GetItem", &answer, deadline, err);
    item = cs_json_get(answer, "Item");
    if (rc == CS_OK && cs_item_integer(item, "next", &next) && next > 0)
        *mark_out = CS_AWS_LOG_MARK(next, cs_item_integer(item, "plain", &plain));
    cs_json_free(answer);
    cs_buf_clear(&name);
    return rc;
}

/* An action on the head that demands that it ends at `mark`. */
static enum cs_code add_head_action(struct cs_aws_store *store, struct cs_json_writer *w,
                                    const char *action, struct cs_view key, uint64_t mark,
                                    struct cs_err *err)
{
    struct cs_buf name = CS_BUF_INIT(KEY_MAX_BYTES);
    uint64_t next = CS_AWS_LOG_NEXT(mark);
    enum cs_code rc;

    head_key(&name, key);
    cs_json_object(w);
    cs_json_key(w, action);
    cs_json_object(w);
    cs_json_member_cstr(w, "TableName", store->table);
    cs_aws_store_add_key(w, cs_aws_key_view(&name));
    cs_json_member_cstr(w, "ConditionExpression",
                        next == 0 ? "attribute_not_exists(#next)" : "#next = :next");
    cs_json_key(w, "ExpressionAttributeNames");
    cs_json_object(w);
    cs_json_member_cstr(w, "#next", "next");
    cs_json_object_end(w);
    if (next != 0) {
        cs_json_key(w, "ExpressionAttributeValues");
        cs_json_object(w);
        cs_item_add_integer(w, ":next", (int64_t)next);
        cs_json_object_end(w);
    }
    cs_json_object_end(w);
    cs_json_object_end(w);
    rc = cs_buf_check(&name, err);
    cs_buf_clear(&name);
    return rc;
}

enum cs_code cs_aws_log_check(struct cs_aws_store *store, struct cs_json_writer *w,
                              struct cs_view key, uint64_t mark, struct cs_err *err)
{
    return add_head_action(store, w, "ConditionCheck", key, mark, err);
}

bool cs_aws_log_is_short(uint64_t mark)
{
    return mark != 0 && CS_AWS_LOG_PLAIN(mark) && CS_AWS_LOG_NEXT(mark) <= ERASED_MAX;
}

enum cs_code cs_aws_log_erase(struct cs_aws_store *store, struct cs_json_writer *w,
                              struct cs_view key, uint64_t mark, struct cs_err *err)
{
    struct cs_buf name = CS_BUF_INIT(KEY_MAX_BYTES);
    enum cs_code rc = add_head_action(store, w, "Delete", key, mark, err);

    for (uint64_t i = 0; i < CS_AWS_LOG_NEXT(mark) && rc == CS_OK; i++) {
        piece_key(&name, key, i);
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

static void add_record_check(struct appending *a, struct cs_json_writer *w)
{
    begin_action(a, w, "ConditionCheck");
    cs_aws_store_add_key(w, a->key);
    cs_json_member_cstr(w, "ConditionExpression", "attribute_exists(campaign_id)");
    end_action(w);
}

static void add_head(struct appending *a, struct cs_json_writer *w, uint64_t next)
{
    struct cs_buf name = CS_BUF_INIT(KEY_MAX_BYTES);

    head_key(&name, a->key);
    begin_action(a, w, "Update");
    cs_aws_store_add_key(w, cs_aws_key_view(&name));
    cs_json_member_cstr(w, "UpdateExpression",
                        a->used.len > 0 ? "SET #next = :after REMOVE plain"
                        : next == 0     ? "SET #next = :after, plain = :one"
                                        : "SET #next = :after");
    cs_json_member_cstr(w, "ConditionExpression",
                        next == 0 ? "attribute_not_exists(#next)" : "#next = :next");
    cs_json_key(w, "ExpressionAttributeNames");
    cs_json_object(w);
    cs_json_member_cstr(w, "#next", "next");
    cs_json_object_end(w);
    cs_json_key(w, "ExpressionAttributeValues");
    cs_json_object(w);
    if (next != 0)
        cs_item_add_integer(w, ":next", (int64_t)next);
    else if (a->used.len == 0)
        cs_item_add_integer(w, ":one", 1);
    cs_item_add_integer(w, ":after", (int64_t)(next + a->piece_count));
    cs_json_object_end(w);
    end_action(w);
    cs_buf_clear(&name);
}

static enum cs_code add_piece(struct appending *a, struct cs_json_writer *w,
                              uint64_t next, size_t piece, struct cs_err *err)
{
    struct cs_buf name = CS_BUF_INIT(KEY_MAX_BYTES);
    struct cs_buf text = CS_BUF_INIT(PIECE_BYTES + CS_LOG_ENTRY_MAX + 1024u);
    size_t first = piece == 0 ? 0 : a->ends[piece - 1];
    enum cs_code rc;

    piece_key(&name, a->key, next + piece);
    for (size_t i = first; i < a->ends[piece]; i++) {
        cs_buf_add_byte(&text, i == first ? '[' : ',');
        cs_buf_add(&text, a->entries[i]);
    }
    cs_buf_add_byte(&text, ']');
    begin_action(a, w, "Put");
    cs_json_key(w, "Item");
    cs_json_object(w);
    cs_item_add_text(w, "campaign_id", cs_aws_key_view(&name));
    cs_item_add_integer(w, "count", (int64_t)(a->ends[piece] - first));
    rc = cs_aws_item_add_packed(w, "entries", cs_buf_view(&text), err);
    if (piece == 0 && a->used.len > 0)
        cs_item_add_text(w, "used", cs_buf_view(&a->used));
    cs_json_object_end(w);
    end_action(w);
    if (rc == CS_OK && (rc = cs_buf_check(&text, err)) == CS_OK)
        rc = cs_buf_check(&name, err);
    cs_buf_clear(&text);
    cs_buf_clear(&name);
    return rc;
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

static enum cs_code write_append(struct appending *a, uint64_t next, struct cs_err *err)
{
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_store_begin(a->store, &w, false);
    if ((rc = cs_aws_store_add_token(&w, err)) != CS_OK)
        return rc;
    cs_json_key(&w, "TransactItems");
    cs_json_array(&w);
    add_record_check(a, &w);
    add_head(a, &w, next);
    if (a->used.len > 0)
        add_used(a, &w);
    for (size_t i = 0; i < a->piece_count && rc == CS_OK; i++)
        rc = add_piece(a, &w, next, i, err);
    cs_json_array_end(&w);
    cs_json_object_end(&w);
    return rc;
}

/* Where the log ends: what is remembered will do, as the append depends on it. */
static enum cs_code find_end(struct appending *a, bool first, uint64_t *mark_out,
                             struct cs_deadline deadline, struct cs_err *err)
{
    *mark_out =
        first ? cs_recent_mark(a->store->recent, cs_view_cstr(a->store->table), a->key)
              : 0;
    return *mark_out != 0 ? CS_OK : read_head(a->store, a->key, mark_out, deadline, err);
}

/* One try; *again_out when somebody else appended in between. */
static enum cs_code try_append(struct appending *a, bool first, bool *again_out,
                               struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_view table = cs_view_cstr(a->store->table);
    struct cs_err why = CS_ERR_NONE;
    uint64_t mark;
    uint64_t after;
    enum cs_code rc;

    *again_out = false;
    if ((rc = find_end(a, first, &mark, deadline, err)) != CS_OK ||
        (rc = write_append(a, CS_AWS_LOG_NEXT(mark), err)) != CS_OK)
        return rc;
    rc = cs_aws_store_write(a->store, "TransactWriteItems", deadline, &why);
    if (rc == CS_OK) {
        after = CS_AWS_LOG_MARK(CS_AWS_LOG_NEXT(mark) + a->piece_count,
                                CS_AWS_LOG_PLAIN(mark) && a->used.len == 0);
        cs_recent_grow_log(a->store->recent, table, a->key, mark, a->entries, a->count,
                           after);
        return CS_OK;
    }
    if (cs_aws_store_condition_failed(a->store, 0))
        return cs_err_set(err, CS_ENOTFOUND, "there is no record %.*s", CS_FMT(a->key));
    if (a->used.len > 0 && cs_aws_store_condition_failed(a->store, 2))
        return CS_OK; /* done before */
    *again_out = cs_aws_store_condition_failed(a->store, 1);
    if (err != NULL && err->code == CS_OK && !*again_out)
        *err = why;
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
                          .used = CS_BUF_INIT(KEY_MAX_BYTES)};
    bool again = true;
    enum cs_code rc;

    if ((rc = cs_store_check_record_key(key, err)) != CS_OK ||
        (rc = cs_store_check_log_entries(entries, count, dedupe, err)) != CS_OK ||
        (rc = cs_aws_store_open(a.store, err)) != CS_OK || (rc = cut(&a, err)) != CS_OK)
        return rc;
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
    cs_buf_clear(&a.used);
    return rc;
}

/* ---- reading pieces ---- */

struct window {
    struct cs_view key;
    uint64_t first;
    struct cs_buf entries[WINDOW]; /* JSON arrays; empty where a piece is missing */
    struct cs_buf used[WINDOW];
    int64_t counts[WINDOW];
};

static enum cs_code take_piece(void *payload, const struct cs_json *item,
                               struct cs_err *err)
{
    static const struct cs_view prefix = CS_LIT_INIT(CS_AWS_INTERNAL "log-");
    struct window *window = payload;
    struct cs_view key = cs_item_text(item, "campaign_id");
    struct cs_view packed = cs_json_get_string(cs_json_get(item, "entries"), "B");
    uint64_t number;
    size_t at;
    enum cs_code rc = CS_OK;

    if (!cs_view_to_u64(cs_view_sub(key, prefix.len, 10), &number) ||
        number < window->first || number - window->first >= WINDOW)
        return cs_err_set(err, CS_EUPSTREAM, "a piece of a log that was not asked for");
    at = (size_t)(number - window->first);
    if (packed.ptr != NULL)
        rc = cs_aws_unpack(&window->entries[at], packed, err);
    else
        cs_buf_add(&window->entries[at], cs_item_text(item, "entries"));
    cs_buf_add(&window->used[at], cs_item_text(item, "used"));
    if (!cs_item_integer(item, "count", &window->counts[at]))
        window->counts[at] = 0;
    return rc != CS_OK ? rc : cs_buf_check(&window->entries[at], err);
}

static void window_clear(struct window *window)
{
    for (size_t i = 0; i < WINDOW; i++) {
        cs_buf_clear(&window->entries[i]);
        cs_buf_clear(&window->used[i]);
    }
}

static enum cs_code read_window(struct cs_aws_store *store, struct window *window,
                                uint64_t first, size_t count, struct cs_deadline deadline,
                                struct cs_err *err)
{
    struct cs_buf texts[WINDOW];
    struct cs_view keys[WINDOW];
    struct cs_buf name = CS_BUF_INIT(KEY_MAX_BYTES);
    size_t made = 0;
    enum cs_code rc = CS_OK;

    window->first = first;
    for (size_t i = 0; i < WINDOW; i++) {
        cs_buf_init(&window->entries[i], 1u << 20);
        cs_buf_init(&window->used[i], KEY_MAX_BYTES);
        window->counts[i] = 0;
    }
    for (; made < count && rc == CS_OK; made++) {
        cs_buf_init(&texts[made], 4 * KEY_MAX_BYTES);
        piece_key(&name, window->key, first + made);
        rc = cs_aws_store_key_text(&texts[made], cs_aws_key_view(&name), err);
        keys[made] = cs_buf_view(&texts[made]);
    }
    if (rc == CS_OK)
        rc =
            cs_aws_store_fetch_many(store, keys, made, take_piece, window, deadline, err);
    for (size_t i = 0; i < made; i++)
        cs_buf_clear(&texts[i]);
    cs_buf_clear(&name);
    return rc;
}

/* ---- log_read ---- */

struct reading {
    struct cs_log_page *page;
    size_t limit;
    uint64_t piece; /* of the entry being looked at */
    uint64_t entry; /* its place in the piece, from 0 */
    uint64_t skip_piece,
        skip_to; /* entries before skip_to in that piece were read before */
    uint64_t last_piece, last_entry;
};

static bool take_entry(void *payload, struct cs_view value)
{
    struct reading *r = payload;
    uint64_t entry = r->entry++;

    if (r->piece == r->skip_piece && entry < r->skip_to)
        return true;
    if (r->page->count == r->limit ||
        (r->page->count > 0 && r->page->json.len + value.len > CS_LOG_PAGE_BYTES)) {
        r->page->more = true;
        return false;
    }
    cs_buf_add_byte(&r->page->json, r->page->count == 0 ? '[' : ',');
    cs_buf_add(&r->page->json, value);
    r->page->count++;
    r->last_piece = r->piece;
    r->last_entry = entry;
    return true;
}

/* A position names the last entry that was read. */
static enum cs_code read_position(struct reading *r, struct cs_view after,
                                  struct cs_err *err)
{
    if (after.len == 0)
        return CS_OK;
    if (after.len != POSITION_LEN ||
        !cs_view_to_u64(cs_view_sub(after, 0, 10), &r->skip_piece) ||
        !cs_view_to_u64(cs_view_from(after, 10), &r->skip_to))
        return cs_err_field(err, CS_EINVAL, "after", "position_invalid",
                            "\"%.*s\" is no position in a log", CS_FMT(after));
    r->skip_to++;
    return CS_OK;
}

static enum cs_code end_page(struct reading *r, struct cs_err *err)
{
    char position[32];

    cs_buf_add_cstr(&r->page->json, r->page->count == 0 ? "[]" : "]");
    if (r->page->count > 0) {
        (void)snprintf(position, sizeof(position), "%010" PRIu64 "%05" PRIu64,
                       r->last_piece, r->last_entry);
        r->page->last_position = cs_view_dup(cs_view_cstr(position));
        if (r->page->last_position == NULL)
            return cs_err_nomem(err);
    }
    return cs_buf_check(&r->page->json, err);
}

static enum cs_code read_entries(struct cs_aws_store *store, struct reading *r,
                                 struct cs_view key, uint64_t next,
                                 struct cs_deadline deadline, struct cs_err *err)
{
    struct window *window = calloc(1, sizeof(*window));
    uint64_t at = r->skip_piece;
    enum cs_code rc = window != NULL ? CS_OK : cs_err_nomem(err);

    while (rc == CS_OK && at < next && !r->page->more) {
        size_t want = r->limit - r->page->count + 1;

        if (want > WINDOW)
            want = WINDOW;
        if (want > next - at)
            want = (size_t)(next - at);
        window->key = key;
        rc = read_window(store, window, at, want, deadline, err);
        for (size_t i = 0; i < want && rc == CS_OK && !r->page->more; i++) {
            r->piece = at + i;
            r->entry = 0;
            cs_json_each_element(cs_buf_view(&window->entries[i]), take_entry, r);
        }
        window_clear(window);
        at += want;
    }
    free(window);
    return rc;
}

enum cs_code cs_aws_store_log_read(struct cs_store *base, struct cs_view key,
                                   struct cs_view after, size_t limit,
                                   struct cs_log_page *out, struct cs_deadline deadline,
                                   struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct reading r = {.page = out, .limit = limit};
    uint64_t mark;
    enum cs_code rc;

    *out = (struct cs_log_page){
        .json = CS_BUF_INIT(2 * CS_LOG_PAGE_BYTES + CS_LOG_ENTRY_MAX)};
    if ((rc = cs_store_check_record_key(key, err)) != CS_OK)
        return rc;
    if (limit < 1 || limit > CS_LIST_LIMIT_MAX)
        return cs_err_field(err, CS_EINVAL, "limit", "out_of_range",
                            "limit is a number from 1 to %u", CS_LIST_LIMIT_MAX);
    if ((rc = read_position(&r, after, err)) != CS_OK ||
        (rc = cs_aws_store_open(store, err)) != CS_OK ||
        (rc = read_head(store, key, &mark, deadline, err)) != CS_OK ||
        (rc = read_entries(store, &r, key, CS_AWS_LOG_NEXT(mark), deadline, err)) !=
            CS_OK ||
        (rc = end_page(&r, err)) != CS_OK)
        cs_log_page_clear(out);
    else if (after.len == 0 && !out->more)
        cs_recent_keep_log(store->recent, cs_view_cstr(store->table), key,
                           cs_view_sub(cs_buf_view(&out->json), 1, out->json.len - 2),
                           out->count, mark);
    return rc;
}

/* ---- log_delete ---- */

static void add_delete(struct cs_buf *out, struct cs_view key)
{
    struct cs_json_writer w;

    cs_json_writer_init(&w, out);
    cs_json_object(&w);
    cs_json_key(&w, "DeleteRequest");
    cs_json_object(&w);
    cs_aws_store_add_key(&w, key);
    cs_json_object_end(&w);
    cs_json_object_end(&w);
    cs_buf_add_byte(out, '\0');
}

static enum cs_code send_deletes(struct cs_aws_store *store, const struct cs_buf *texts,
                                 size_t count, struct cs_deadline deadline,
                                 struct cs_err *err)
{
    struct cs_view requests[2 * WINDOW + 1];
    const char *at = cs_buf_cstr(texts);
    enum cs_code rc;

    if ((rc = cs_buf_check(texts, err)) != CS_OK)
        return rc;
    for (size_t i = 0; i < count; i++) {
        requests[i] = cs_view_cstr(at);
        at += requests[i].len + 1;
    }
    return cs_dynamodb_batch_write(store->db, cs_view_cstr(store->table), requests, count,
                                   deadline, err);
}

static enum cs_code delete_window(struct cs_aws_store *store, struct window *window,
                                  size_t count, uint64_t *deleted,
                                  struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_buf texts = CS_BUF_INIT(1u << 20);
    struct cs_buf name = CS_BUF_INIT(KEY_MAX_BYTES);
    size_t requests = 0;
    enum cs_code rc;

    for (size_t i = 0; i < count; i++) {
        piece_key(&name, window->key, window->first + i);
        add_delete(&texts, cs_aws_key_view(&name));
        requests++;
        *deleted += window->counts[i] > 0 ? (uint64_t)window->counts[i] : 0;
        if (window->used[i].len == 0)
            continue;
        add_delete(&texts, cs_aws_key_view(&window->used[i]));
        requests++;
    }
    rc = send_deletes(store, &texts, requests, deadline, err);
    cs_buf_clear(&texts);
    cs_buf_clear(&name);
    return rc;
}

/* The head goes last: until then a repeated call finds what is left. */
enum cs_code cs_aws_store_log_delete(struct cs_store *base, struct cs_view key,
                                     uint64_t *deleted_out, struct cs_deadline deadline,
                                     struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct window *window;
    struct cs_buf head = CS_BUF_INIT(KEY_MAX_BYTES);
    struct cs_buf text = CS_BUF_INIT(4 * KEY_MAX_BYTES);
    uint64_t mark;
    uint64_t next;
    enum cs_code rc;

    *deleted_out = 0;
    if ((rc = cs_store_check_record_key(key, err)) != CS_OK ||
        (rc = cs_aws_store_open(store, err)) != CS_OK ||
        (rc = read_head(store, key, &mark, deadline, err)) != CS_OK ||
        (next = CS_AWS_LOG_NEXT(mark)) == 0)
        return rc;
    window = calloc(1, sizeof(*window));
    if (window == NULL)
        return cs_err_nomem(err);
    window->key = key;
    for (uint64_t at = 0; at < next && rc == CS_OK; at += WINDOW) {
        size_t count = next - at < WINDOW ? (size_t)(next - at) : WINDOW;

        rc = read_window(store, window, at, count, deadline, err);
        if (rc == CS_OK)
            rc = delete_window(store, window, count, deleted_out, deadline, err);
        window_clear(window);
    }
    if (rc == CS_OK) {
        head_key(&head, key);
        add_delete(&text, cs_aws_key_view(&head));
        rc = send_deletes(store, &text, 1, deadline, err);
    }
    free(window);
    cs_buf_clear(&head);
    cs_buf_clear(&text);
    return rc;
}
