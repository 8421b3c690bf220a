/* Items of logs whose record is gone. A log goes with its record; but an append that
 * took its number and then stood still for longer than the record lived puts its piece
 * when nobody looks for it any more. */
#include "config.h"

#include <stdlib.h>

#include "store/aws_internal.h"

#define WINDOW 25u /* records looked for at once */

/* One item of a log. */
struct leftover {
    char *item;            /* its key */
    char *of;              /* created_at of the campaign that it is of; NULL: unknown */
    struct cs_view record; /* key of the record, within `item` */
    bool alive;            /* the record is there */
};

struct search {
    struct cs_aws_store *store;
    struct leftover *items; /* of one page of the scan, sorted by record */
    size_t count, room;
    size_t first, end; /* those whose records are being looked for */
    struct cs_deadline deadline;
};

static void forget_items(struct search *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->items[i].item);
        free(s->items[i].of);
    }
    s->count = 0;
}

static enum cs_code copy_text(char **out, struct cs_view text, struct cs_err *err)
{
    *out = NULL;
    if (text.ptr == NULL)
        return CS_OK;
    *out = cs_view_dup(text);
    return *out != NULL ? CS_OK : cs_err_nomem(err);
}

static enum cs_code keep_item(struct search *s, const struct cs_json *item,
                              struct cs_err *err)
{
    struct leftover *kept;
    struct cs_view rest;
    enum cs_code rc;

    if (s->count == s->room) {
        size_t room = s->room == 0 ? 64 : s->room * 2;
        struct leftover *grown = reallocarray(s->items, room, sizeof(*grown));

        if (grown == NULL)
            return cs_err_nomem(err);
        s->items = grown;
        s->room = room;
    }
    kept = &s->items[s->count++];
    *kept = (struct leftover){.item = NULL};
    if ((rc = copy_text(&kept->item, cs_item_text(item, "campaign_id"), err)) != CS_OK ||
        (rc = copy_text(&kept->of, cs_item_text(item, CS_AWS_LOG_OF), err)) != CS_OK)
        return rc;
    /* "#store/log-0000000001/<key>" and the like */
    rest = cs_view_from(cs_view_cstr(kept->item), strlen(CS_AWS_INTERNAL));
    kept->record = cs_view_from(rest, cs_view_find_byte(rest, '/') + 1);
    return CS_OK;
}

/* ---- one page of all items ---- */

static void write_scan(struct search *s, const struct cs_buf *start,
                       struct cs_json_writer *w)
{
    cs_aws_store_begin(s->store, w, true);
    cs_json_member_bool(w, "ConsistentRead", true);
    cs_json_member_cstr(w, "ProjectionExpression", "campaign_id, #of");
    cs_json_member_cstr(w, "FilterExpression",
                        "begins_with(campaign_id, :log) OR "
                        "begins_with(campaign_id, :piece) OR "
                        "begins_with(campaign_id, :used)");
    cs_json_key(w, "ExpressionAttributeNames");
    cs_json_object(w);
    cs_json_member_cstr(w, "#of", CS_AWS_LOG_OF);
    cs_json_object_end(w);
    cs_json_key(w, "ExpressionAttributeValues");
    cs_json_object(w);
    cs_item_add_text(w, ":log", CS_LIT(CS_AWS_LOG_HEAD));
    cs_item_add_text(w, ":piece", CS_LIT(CS_AWS_LOG_PIECE));
    cs_item_add_text(w, ":used", CS_LIT(CS_AWS_LOG_USED));
    cs_json_object_end(w);
    if (start->len > 0)
        cs_json_member_raw(w, "ExclusiveStartKey", cs_buf_view(start));
    cs_json_object_end(w);
}

/* start: where it goes on; empty afterwards: it was the last page. */
static enum cs_code scan_page(struct search *s, struct cs_buf *start, struct cs_err *err)
{
    const struct cs_json *items;
    const struct cs_json *last;
    struct cs_json_writer w;
    struct cs_json *answer;
    enum cs_code rc;

    write_scan(s, start, &w);
    rc = cs_aws_store_call(s->store, "Scan", &answer, s->deadline, err);
    if (rc != CS_OK)
        return rc == CS_ENOTFOUND ? CS_EUPSTREAM : rc;
    items = cs_json_get(answer, "Items");
    for (size_t i = 0; i < cs_json_length(items) && rc == CS_OK; i++)
        rc = keep_item(s, cs_json_at(items, i), err);
    cs_buf_reset(start);
    last = cs_json_get(answer, "LastEvaluatedKey");
    if (last != NULL)
        cs_json_write_node(start, last);
    cs_json_free(answer);
    return rc != CS_OK ? rc : cs_buf_check(start, err);
}

/* ---- whose record is there? ---- */

static int compare(const void *left, const void *right)
{
    const struct leftover *a = left;
    const struct leftover *b = right;

    return cs_view_compare(a->record, b->record);
}

/* What is of another campaign of that name is as dead as what is of none. */
static enum cs_code mark_alive(void *payload, const struct cs_json *item,
                               struct cs_err *err)
{
    struct search *s = payload;
    struct cs_view key = cs_item_text(item, "campaign_id");
    struct cs_view created_at = cs_item_text(item, "created_at");

    (void)err;
    if (created_at.len == 0)
        created_at = CS_LIT(CS_AWS_LOG_NO_OWNER);
    for (size_t i = s->first; i < s->end; i++)
        if (cs_view_eq(s->items[i].record, key))
            s->items[i].alive =
                s->items[i].of == NULL || cs_view_eq_cstr(created_at, s->items[i].of);
    return CS_OK;
}

/* From s->first on, as many as have WINDOW records together. Items are seen before
 * their records are read, and no piece is put before its record. */
static enum cs_code look_for_records(struct search *s, struct cs_err *err)
{
    struct cs_buf texts[WINDOW];
    struct cs_view keys[WINDOW];
    size_t made = 0;
    enum cs_code rc = CS_OK;

    for (s->end = s->first; s->end < s->count && rc == CS_OK; s->end++) {
        struct cs_view record = s->items[s->end].record;

        if (s->end > s->first && cs_view_eq(record, s->items[s->end - 1].record))
            continue;
        if (made == WINDOW)
            break;
        cs_buf_init(&texts[made], 4 * CS_AWS_LOG_KEY_MAX);
        rc = cs_aws_store_key_text(&texts[made], record, err);
        keys[made] = cs_buf_view(&texts[made]);
        made++;
    }
    if (rc == CS_OK && made > 0)
        rc = cs_aws_store_fetch_many(s->store, keys, made, mark_alive, s, s->deadline,
                                     err);
    for (size_t i = 0; i < made; i++)
        cs_buf_clear(&texts[i]);
    return rc;
}

/* ---- taking away ---- */

/* *gone_out: false where it has become another's meanwhile. */
static enum cs_code delete_item(struct search *s, const struct leftover *leftover,
                                bool *gone_out, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_store_begin(s->store, &w, true);
    cs_aws_store_add_key(&w, cs_view_cstr(leftover->item));
    if (leftover->of != NULL) {
        cs_json_member_cstr(&w, "ConditionExpression", "#of = :of");
        cs_json_key(&w, "ExpressionAttributeNames");
        cs_json_object(&w);
        cs_json_member_cstr(&w, "#of", CS_AWS_LOG_OF);
        cs_json_object_end(&w);
        cs_json_key(&w, "ExpressionAttributeValues");
        cs_json_object(&w);
        cs_item_add_text(&w, ":of", cs_view_cstr(leftover->of));
        cs_json_object_end(&w);
    }
    cs_json_object_end(&w);
    rc = cs_aws_store_write(s->store, "DeleteItem", s->deadline, &why);
    *gone_out = rc == CS_OK;
    if (rc == CS_OK || rc == CS_ECONFLICT)
        return CS_OK;
    cs_err_hand_on(err, &why);
    return rc;
}

static enum cs_code tell_window(struct search *s, bool repair, cs_leftover_fn *tell,
                                void *payload, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = s->first; i < s->end && rc == CS_OK; i++) {
        bool gone = false;

        if (s->items[i].alive)
            continue;
        if (repair && (rc = delete_item(s, &s->items[i], &gone, err)) != CS_OK)
            break;
        if (gone || !repair)
            tell(payload, cs_view_cstr(s->items[i].item), gone);
    }
    return rc;
}

enum cs_code cs_aws_store_leftovers(struct cs_store *base, bool repair,
                                    cs_leftover_fn *tell, void *payload,
                                    struct cs_deadline deadline, struct cs_err *err)
{
    struct search s = {.store = cs_aws_store_of(base), .deadline = deadline};
    struct cs_buf start = CS_BUF_INIT(4 * CS_AWS_LOG_KEY_MAX);
    enum cs_code rc = cs_aws_store_open(s.store, err);

    do {
        if (rc == CS_OK)
            rc = scan_page(&s, &start, err);
        if (rc == CS_OK && s.count > 1)
            qsort(s.items, s.count, sizeof(*s.items), compare);
        for (s.first = 0; s.first < s.count && rc == CS_OK; s.first = s.end)
            if ((rc = look_for_records(&s, err)) == CS_OK)
                rc = tell_window(&s, repair, tell, payload, err);
        forget_items(&s);
    } while (rc == CS_OK && start.len > 0);
    free(s.items);
    cs_buf_clear(&start);
    return rc;
}
