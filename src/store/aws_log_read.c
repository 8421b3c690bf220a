/* Logs: reading and deleting; see aws_log.c for how they are kept. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/aws_internal.h"

#define WINDOW       25u /* pieces read at once */
#define POSITION_LEN 15u /* 10 digits of the piece, 5 of the entry in it */
#define READS_MAX    20u /* of a window in which appends are under way */

/* ---- pieces ---- */

struct window {
    struct cs_aws_unpacking *unpacking;
    struct cs_view key;
    struct cs_view owner; /* whose the pieces are; another's are as good as none */
    uint64_t first;
    bool there[WINDOW];
    struct cs_buf entries[WINDOW]; /* JSON arrays */
    struct cs_buf used[WINDOW];
    int64_t counts[WINDOW];
};

static enum cs_code take_piece(void *payload, const struct cs_json *item,
                               struct cs_err *err)
{
    static const struct cs_view prefix = CS_LIT_INIT(CS_AWS_LOG_PIECE);
    struct window *window = payload;
    struct cs_view key = cs_item_text(item, "campaign_id");
    struct cs_view owner = cs_item_text(item, CS_AWS_LOG_OF);
    struct cs_view packed = cs_json_get_string(cs_json_get(item, "entries"), "B");
    uint64_t number;
    size_t at;
    enum cs_code rc = CS_OK;

    if (!cs_view_to_u64(cs_view_sub(key, prefix.len, 10), &number) ||
        number < window->first || number - window->first >= WINDOW)
        return cs_err_set(err, CS_EUPSTREAM, "a piece of a log that was not asked for");
    at = (size_t)(number - window->first);
    if (owner.ptr != NULL && !cs_view_eq(owner, window->owner))
        return CS_OK;
    window->there[at] = true;
    if (packed.ptr != NULL)
        rc = cs_aws_unpack(window->unpacking, &window->entries[at], packed, err);
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
    struct cs_buf name = CS_BUF_INIT(CS_AWS_LOG_KEY_MAX);
    size_t made = 0;
    enum cs_code rc = CS_OK;

    window->unpacking = &store->texts.unpacking;
    window->first = first;
    for (size_t i = 0; i < WINDOW; i++) {
        cs_buf_init(&window->entries[i], 1u << 20);
        cs_buf_init(&window->used[i], CS_AWS_LOG_KEY_MAX);
        window->counts[i] = 0;
        window->there[i] = false;
    }
    for (; made < count && rc == CS_OK; made++) {
        cs_buf_init(&texts[made], 4 * CS_AWS_LOG_KEY_MAX);
        cs_aws_log_piece_key(&name, window->key, first + made);
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

/* An empty piece where there is none, so that none can turn up any more. */
static enum cs_code close_gap(struct cs_aws_store *store, const struct window *window,
                              uint64_t piece, struct cs_deadline deadline,
                              struct cs_err *err)
{
    struct cs_buf name = CS_BUF_INIT(CS_AWS_LOG_KEY_MAX);
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_log_piece_key(&name, window->key, piece);
    cs_aws_store_begin(store, &w, true);
    cs_json_key(&w, "Item");
    cs_json_object(&w);
    cs_item_add_text(&w, "campaign_id", cs_aws_key_view(&name));
    cs_item_add_text(&w, CS_AWS_LOG_OF, window->owner);
    cs_item_add_integer(&w, "count", 0);
    cs_item_add_text(&w, "entries", CS_LIT("[]"));
    cs_json_object_end(&w);
    cs_json_member_cstr(&w, "ConditionExpression",
                        "attribute_not_exists(campaign_id) OR #of <> :of");
    cs_json_key(&w, "ExpressionAttributeNames");
    cs_json_object(&w);
    cs_json_member_cstr(&w, "#of", CS_AWS_LOG_OF);
    cs_json_object_end(&w);
    cs_json_key(&w, "ExpressionAttributeValues");
    cs_json_object(&w);
    cs_item_add_text(&w, ":of", window->owner);
    cs_json_object_end(&w);
    cs_json_object_end(&w);
    if ((rc = cs_buf_check(&name, err)) == CS_OK)
        rc = cs_aws_store_write(store, "PutItem", deadline, err);
    cs_buf_clear(&name);
    return rc;
}

/* CS_ECONFLICT: one has a piece by now. */
static enum cs_code close_gaps(struct cs_aws_store *store, const struct window *window,
                               size_t count, struct cs_deadline deadline,
                               struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < count && rc == CS_OK; i++)
        if (!window->there[i])
            rc = close_gap(store, window, window->first + i, deadline, err);
    return rc;
}

static enum cs_code read_closed(struct cs_aws_store *store, struct window *window,
                                uint64_t first, size_t count, struct cs_deadline deadline,
                                struct cs_err *err)
{
    enum cs_code rc = CS_ECONFLICT;

    for (unsigned i = 0; i < READS_MAX && rc == CS_ECONFLICT; i++) {
        struct cs_err why = CS_ERR_NONE;

        if (i > 0)
            window_clear(window);
        if ((rc = read_window(store, window, first, count, deadline, &why)) == CS_OK)
            rc = close_gaps(store, window, count, deadline, &why);
        if (rc != CS_OK && rc != CS_ECONFLICT)
            cs_err_hand_on(err, &why);
    }
    return rc == CS_ECONFLICT
               ? cs_err_set(err, CS_EBUSY, "others append to the same log: try again")
               : rc;
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
                                 struct cs_view key, const struct cs_aws_log_end *end,
                                 struct cs_deadline deadline, struct cs_err *err)
{
    struct window *window = calloc(1, sizeof(*window));
    uint64_t next = CS_AWS_LOG_NEXT(end->mark);
    uint64_t at = r->skip_piece;
    enum cs_code rc = window != NULL ? CS_OK : cs_err_nomem(err);

    while (rc == CS_OK && at < next && !r->page->more) {
        size_t want = r->limit - r->page->count + 1;

        if (want > WINDOW)
            want = WINDOW;
        if (want > next - at)
            want = (size_t)(next - at);
        window->key = key;
        window->owner = cs_aws_log_owner(end);
        rc = end->noted ? read_closed(store, window, at, want, deadline, err)
                        : read_window(store, window, at, want, deadline, err);
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
    struct cs_aws_log_end end = CS_AWS_LOG_END_NONE;
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
        (rc = cs_aws_log_find_end(store, key, &end, deadline, err)) != CS_OK ||
        (rc = read_entries(store, &r, key, &end, deadline, err)) != CS_OK ||
        (rc = end_page(&r, err)) != CS_OK)
        cs_log_page_clear(out);
    else if (after.len == 0 && !out->more &&
             (end.noted || end.mark == CS_AWS_LOG_EMPTY)) /* or else it moves elsewhere */
        cs_recent_keep_log(store->recent, cs_view_cstr(store->table), key,
                           cs_view_sub(cs_buf_view(&out->json), 1, out->json.len - 2),
                           out->count, end.mark);
    cs_aws_log_end_clear(&end);
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
    struct cs_buf name = CS_BUF_INIT(CS_AWS_LOG_KEY_MAX);
    size_t requests = 0;
    enum cs_code rc;

    for (size_t i = 0; i < count; i++) {
        cs_aws_log_piece_key(&name, window->key, window->first + i);
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

/* The head of a log that an older version began. */
static enum cs_code delete_head(struct cs_aws_store *store, struct cs_view key,
                                struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_buf head = CS_BUF_INIT(CS_AWS_LOG_KEY_MAX);
    struct cs_buf text = CS_BUF_INIT(4 * CS_AWS_LOG_KEY_MAX);
    enum cs_code rc;

    cs_aws_log_head_key(&head, key);
    add_delete(&text, cs_aws_key_view(&head));
    rc = send_deletes(store, &text, 1, deadline, err);
    cs_buf_clear(&head);
    cs_buf_clear(&text);
    return rc;
}

/* The head goes last: until then a repeated call finds what is left. */
enum cs_code cs_aws_log_delete_pieces(struct cs_aws_store *store, struct cs_view key,
                                      const struct cs_aws_log_end *end,
                                      uint64_t *deleted_out, struct cs_deadline deadline,
                                      struct cs_err *err)
{
    uint64_t next = CS_AWS_LOG_NEXT(end->mark);
    struct window *window;
    enum cs_code rc = CS_OK;

    *deleted_out = 0;
    if (next == 0)
        return CS_OK;
    window = calloc(1, sizeof(*window));
    if (window == NULL)
        return cs_err_nomem(err);
    window->key = key;
    window->owner = cs_aws_log_owner(end);
    for (uint64_t at = 0; at < next && rc == CS_OK; at += WINDOW) {
        size_t count = next - at < WINDOW ? (size_t)(next - at) : WINDOW;

        rc = read_window(store, window, at, count, deadline, err);
        if (rc == CS_OK)
            rc = delete_window(store, window, count, deleted_out, deadline, err);
        window_clear(window);
    }
    if (rc == CS_OK && !CS_AWS_LOG_PLAIN(end->mark))
        rc = delete_head(store, key, deadline, err);
    free(window);
    return rc;
}

/* The record forgets the numbers that were given away, unless more are meanwhile. */
static enum cs_code reset_end(struct cs_aws_store *store, struct cs_view key,
                              const struct cs_aws_log_end *end,
                              struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_store_begin(store, &w, true);
    cs_aws_store_add_key(&w, key);
    cs_json_member_cstr(&w, "UpdateExpression", "REMOVE " CS_AWS_LOG_END);
    cs_json_member_cstr(&w, "ConditionExpression", CS_AWS_LOG_END " = :end");
    cs_json_key(&w, "ExpressionAttributeValues");
    cs_json_object(&w);
    cs_item_add_integer(&w, ":end", (int64_t)end->mark);
    cs_json_object_end(&w);
    cs_json_object_end(&w);
    rc = cs_aws_store_write(store, "UpdateItem", deadline, &why);
    if (rc == CS_OK || rc == CS_ECONFLICT)
        return CS_OK;
    cs_err_hand_on(err, &why);
    return rc;
}

enum cs_code cs_aws_store_log_delete(struct cs_store *base, struct cs_view key,
                                     uint64_t *deleted_out, struct cs_deadline deadline,
                                     struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_aws_log_end end = CS_AWS_LOG_END_NONE;
    enum cs_code rc;

    *deleted_out = 0;
    if ((rc = cs_store_check_record_key(key, err)) != CS_OK ||
        (rc = cs_aws_store_open(store, err)) != CS_OK)
        return rc;
    cs_recent_forget(store->recent, cs_view_cstr(store->table), key);
    if ((rc = cs_aws_log_find_end(store, key, &end, deadline, err)) == CS_OK &&
        (rc = cs_aws_log_delete_pieces(store, key, &end, deleted_out, deadline, err)) ==
            CS_OK &&
        end.noted)
        rc = reset_end(store, key, &end, deadline, err);
    cs_aws_log_end_clear(&end);
    return rc;
}
