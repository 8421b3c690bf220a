#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/aws_internal.h"

#define DELTAS_MAX  40u
#define NAME_PREFIX "n_" /* of a counter's attribute */

/* ---- in a transaction ---- */

static void shard_key(struct cs_buf *out, size_t shard, struct cs_view group)
{
    cs_buf_reset(out);
    cs_buf_add_fmt(out, CS_AWS_INTERNAL "counters/%zu/", shard);
    cs_buf_add(out, group);
}

/* Sums deltas of one group and name into the first of them; the others get .name
 * without a pointer. */
static enum cs_code merge(struct cs_delta *deltas, size_t count, struct cs_err *err)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i && deltas[i].name.ptr != NULL; k++) {
            if (deltas[k].name.ptr == NULL ||
                !cs_view_eq(deltas[i].group, deltas[k].group) ||
                !cs_view_eq(deltas[i].name, deltas[k].name))
                continue;
            if (__builtin_add_overflow(deltas[k].add, deltas[i].add, &deltas[k].add))
                return cs_err_set(err, CS_ETOOBIG, "a counter can't hold the sum");
            deltas[i].name.ptr = NULL;
        }
    return CS_OK;
}

/* A sum must stay within 64 bits, which DynamoDB's numbers do not mind. */
static void add_clauses(struct cs_buf *update, struct cs_buf *condition, size_t index,
                        int64_t add)
{
    cs_buf_add_fmt(update, "%s#n%zu :a%zu", update->len > 4 ? "," : "", index, index);
    if (add == 0)
        return;
    cs_buf_add_fmt(condition, "%s(attribute_not_exists(#n%zu) OR #n%zu %s :m%zu)",
                   condition->len > 0 ? " AND " : "", index, index,
                   add > 0 ? "<=" : ">=", index);
}

static bool in_group(const struct cs_delta *delta, struct cs_view group)
{
    return delta->name.ptr != NULL && cs_view_eq(delta->group, group);
}

static void add_values(struct cs_json_writer *w, const struct cs_delta *deltas,
                       size_t count, struct cs_view group)
{
    cs_json_key(w, "ExpressionAttributeNames");
    cs_json_object(w);
    for (size_t i = 0; i < count; i++) {
        struct cs_buf name = CS_BUF_INIT(1024);
        char key[16];

        if (!in_group(&deltas[i], group))
            continue;
        (void)snprintf(key, sizeof(key), "#n%zu", i);
        cs_buf_add_cstr(&name, NAME_PREFIX);
        cs_buf_add(&name, deltas[i].name);
        cs_json_member_str(w, key, cs_buf_view(&name));
        cs_buf_clear(&name);
    }
    cs_json_object_end(w);
    cs_json_key(w, "ExpressionAttributeValues");
    cs_json_object(w);
    for (size_t i = 0; i < count; i++) {
        int64_t add = deltas[i].add;
        char key[16];

        if (!in_group(&deltas[i], group))
            continue;
        (void)snprintf(key, sizeof(key), ":a%zu", i);
        cs_item_add_integer(w, key, add);
        (void)snprintf(key, sizeof(key), ":m%zu", i);
        if (add != 0)
            cs_item_add_integer(w, key, add > 0 ? INT64_MAX - add : INT64_MIN - add);
    }
    cs_json_object_end(w);
}

static enum cs_code add_update(struct cs_aws_store *store, struct cs_json_writer *w,
                               const struct cs_delta *deltas, size_t count,
                               struct cs_view group, size_t shard, struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(2048);
    struct cs_buf update = CS_BUF_INIT(4096);
    struct cs_buf condition = CS_BUF_INIT(4096);
    enum cs_code rc;

    shard_key(&key, shard, group);
    cs_buf_add_cstr(&update, "ADD ");
    for (size_t i = 0; i < count; i++)
        if (in_group(&deltas[i], group))
            add_clauses(&update, &condition, i, deltas[i].add);
    cs_json_object(w);
    cs_json_key(w, "Update");
    cs_json_object(w);
    cs_json_member_cstr(w, "TableName", store->table);
    cs_aws_store_add_key(w, cs_buf_view(&key));
    cs_json_member_str(w, "UpdateExpression", cs_buf_view(&update));
    if (condition.len > 0)
        cs_json_member_str(w, "ConditionExpression", cs_buf_view(&condition));
    add_values(w, deltas, count, group);
    cs_json_object_end(w);
    cs_json_object_end(w);
    if ((rc = cs_buf_check(&key, err)) == CS_OK &&
        (rc = cs_buf_check(&update, err)) == CS_OK)
        rc = cs_buf_check(&condition, err);
    cs_buf_clear(&key);
    cs_buf_clear(&update);
    cs_buf_clear(&condition);
    return rc;
}

enum cs_code cs_aws_counters_write(struct cs_aws_store *store, struct cs_json_writer *w,
                                   const struct cs_delta *deltas, size_t count,
                                   struct cs_err *err)
{
    struct cs_delta merged[DELTAS_MAX];
    uint8_t random;
    enum cs_code rc;

    if (count == 0)
        return CS_OK;
    if (count > DELTAS_MAX)
        return cs_err_set(err, CS_EINTERNAL, "too many counters in one transaction");
    memcpy(merged, deltas, count * sizeof(merged[0]));
    if ((rc = merge(merged, count, err)) != CS_OK ||
        (rc = cs_random_bytes(&random, sizeof(random), err)) != CS_OK)
        return rc;
    for (size_t i = 0; i < count && rc == CS_OK; i++) {
        bool seen = merged[i].name.ptr == NULL;

        for (size_t k = 0; k < i && !seen; k++)
            seen = in_group(&merged[k], merged[i].group);
        if (!seen)
            rc = add_update(store, w, merged, count, merged[i].group,
                            random % store->counter_shards, err);
    }
    return rc;
}

/* ---- reading ---- */

static enum cs_code add_counter(struct cs_counters *out, struct cs_view name,
                                int64_t value, struct cs_err *err)
{
    struct cs_counter *grown;

    for (size_t i = 0; i < out->count; i++) {
        if (!cs_view_eq_cstr(name, out->items[i].name))
            continue;
        if (__builtin_add_overflow(out->items[i].value, value, &out->items[i].value))
            out->items[i].value = value > 0 ? INT64_MAX : INT64_MIN;
        return CS_OK;
    }
    grown = reallocarray(out->items, out->count + 1, sizeof(*grown));
    if (grown == NULL)
        return cs_err_nomem(err);
    out->items = grown;
    grown[out->count].name = cs_view_dup(name);
    grown[out->count].value = value;
    if (grown[out->count].name == NULL)
        return cs_err_nomem(err);
    out->count++;
    return CS_OK;
}

static enum cs_code read_shard(void *payload, const struct cs_json *item,
                               struct cs_err *err)
{
    static const struct cs_view prefix = CS_LIT_INIT(NAME_PREFIX);
    struct cs_counters *out = payload;
    struct cs_json_iter iter = {0};
    enum cs_code rc = CS_OK;

    while (rc == CS_OK && cs_json_next(&iter, item)) {
        char *name;
        int64_t value;

        if (!cs_view_starts(iter.name, prefix))
            continue;
        name = cs_view_dup(iter.name);
        if (name == NULL)
            return cs_err_nomem(err);
        if (cs_item_integer(item, name, &value))
            rc = add_counter(out, cs_view_from(iter.name, prefix.len), value, err);
        free(name);
    }
    return rc;
}

enum cs_code cs_aws_store_counters(struct cs_store *base, struct cs_view group,
                                   struct cs_counters *out, struct cs_deadline deadline,
                                   struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_buf texts[CS_AWS_SHARDS_MAX];
    struct cs_view keys[CS_AWS_SHARDS_MAX];
    struct cs_buf key = CS_BUF_INIT(2048);
    size_t made = 0;
    enum cs_code rc;

    *out = (struct cs_counters){NULL, 0};
    rc = cs_aws_store_open(store, err);
    for (; made < store->counter_shards && rc == CS_OK; made++) {
        cs_buf_init(&texts[made], 8192);
        shard_key(&key, made, group);
        rc = cs_aws_store_key_text(&texts[made], cs_buf_view(&key), err);
        keys[made] = cs_buf_view(&texts[made]);
    }
    if (rc == CS_OK)
        rc = cs_aws_store_fetch_many(store, keys, made, read_shard, out, deadline, err);
    for (size_t i = 0; i < made; i++)
        cs_buf_clear(&texts[i]);
    cs_buf_clear(&key);
    if (rc != CS_OK)
        cs_counters_clear(out);
    return rc;
}

/* ---- recount ---- */

struct total { /* of one group and name */
    char *group;
    char *name;
    int64_t value;
};

struct recount {
    struct cs_aws_store *store;
    cs_recount_fn *deltas_of;
    void *payload;
    struct cs_deadline deadline;
    struct total *totals; /* sorted by group and name */
    size_t count, room;
    struct cs_buf requests; /* texts of a batch, each ended by a NUL */
    size_t request_count;
};

/* Index of the first total that is not before (group, name). */
static size_t place_of(const struct recount *r, const struct cs_delta *delta,
                       bool *found_out)
{
    size_t low = 0;
    size_t high = r->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = cs_view_compare(cs_view_cstr(r->totals[middle].group), delta->group);

        if (order == 0)
            order = cs_view_compare(cs_view_cstr(r->totals[middle].name), delta->name);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found_out = low < r->count && cs_view_eq_cstr(delta->group, r->totals[low].group) &&
                 cs_view_eq_cstr(delta->name, r->totals[low].name);
    return low;
}

static enum cs_code add_total(struct recount *r, const struct cs_delta *delta,
                              struct cs_err *err)
{
    struct total fresh = {NULL, NULL, delta->add};
    bool found;
    size_t at = place_of(r, delta, &found);

    if (found)
        return __builtin_add_overflow(r->totals[at].value, delta->add,
                                      &r->totals[at].value)
                   ? cs_err_set(err, CS_ETOOBIG, "a counter can't hold the sum")
                   : CS_OK;
    if (r->count == r->room) {
        size_t room = r->room == 0 ? 64 : r->room * 2;
        struct total *grown = reallocarray(r->totals, room, sizeof(*grown));

        if (grown == NULL)
            return cs_err_nomem(err);
        r->totals = grown;
        r->room = room;
    }
    fresh.group = cs_view_dup(delta->group);
    fresh.name = cs_view_dup(delta->name);
    if (fresh.group == NULL || fresh.name == NULL) {
        free(fresh.group);
        free(fresh.name);
        return cs_err_nomem(err);
    }
    memmove(r->totals + at + 1, r->totals + at, (r->count - at) * sizeof(fresh));
    r->totals[at] = fresh;
    r->count++;
    return CS_OK;
}

static enum cs_code flush(struct recount *r, struct cs_err *err)
{
    struct cs_view requests[25];
    const char *at = cs_buf_cstr(&r->requests);
    enum cs_code rc;

    if ((rc = cs_buf_check(&r->requests, err)) != CS_OK)
        return rc;
    for (size_t i = 0; i < r->request_count; i++) {
        requests[i] = cs_view_cstr(at);
        at += requests[i].len + 1;
    }
    rc = cs_dynamodb_batch_write(r->store->db, cs_view_cstr(r->store->table), requests,
                                 r->request_count, r->deadline, err);
    cs_buf_reset(&r->requests);
    r->request_count = 0;
    return rc;
}

static enum cs_code end_request(struct recount *r, struct cs_err *err)
{
    cs_buf_add_byte(&r->requests, '\0');
    return ++r->request_count == 25 ? flush(r, err) : CS_OK;
}

static enum cs_code delete_item(struct recount *r, struct cs_view key, struct cs_err *err)
{
    struct cs_json_writer w;

    cs_json_writer_init(&w, &r->requests);
    cs_json_object(&w);
    cs_json_key(&w, "DeleteRequest");
    cs_json_object(&w);
    cs_aws_store_add_key(&w, key);
    cs_json_object_end(&w);
    cs_json_object_end(&w);
    return end_request(r, err);
}

/* All totals of one group as one item, from index `at` on; returns where it ends. */
static size_t put_group(struct recount *r, size_t at)
{
    struct cs_buf key = CS_BUF_INIT(2048);
    struct cs_json_writer w;
    size_t end = at;

    shard_key(&key, 0, cs_view_cstr(r->totals[at].group));
    cs_json_writer_init(&w, &r->requests);
    cs_json_object(&w);
    cs_json_key(&w, "PutRequest");
    cs_json_object(&w);
    cs_json_key(&w, "Item");
    cs_json_object(&w);
    cs_item_add_text(&w, "campaign_id", cs_buf_view(&key));
    for (; end < r->count && strcmp(r->totals[end].group, r->totals[at].group) == 0;
         end++) {
        struct cs_buf name = CS_BUF_INIT(1024);

        cs_buf_add_cstr(&name, NAME_PREFIX);
        cs_buf_add_cstr(&name, r->totals[end].name);
        cs_item_add_integer(&w, cs_buf_cstr(&name), r->totals[end].value);
        cs_buf_clear(&name);
    }
    cs_json_object_end(&w);
    cs_json_object_end(&w);
    cs_json_object_end(&w);
    cs_buf_clear(&key);
    return end;
}

static enum cs_code count_item(struct recount *r, const struct cs_json *item,
                               struct cs_err *err)
{
    struct cs_view key = cs_item_text(item, "campaign_id");
    struct cs_delta deltas[CS_RECOUNT_DELTAS];
    struct cs_record *record;
    size_t count;
    enum cs_code rc;

    if (cs_view_starts(key, CS_LIT(CS_AWS_INTERNAL "counters/")))
        return delete_item(r, key, err);
    if (cs_aws_item_is_internal(key))
        return CS_OK;
    if ((rc = cs_aws_item_read(&record, item, err)) != CS_OK)
        return rc;
    count = r->deltas_of(r->payload, record, deltas);
    for (size_t i = 0; i < count && rc == CS_OK; i++)
        rc = add_total(r, &deltas[i], err);
    cs_record_free(record);
    return rc;
}

static enum cs_code scan_page(struct recount *r, struct cs_buf *start, struct cs_err *err)
{
    const struct cs_json *items;
    const struct cs_json *last;
    struct cs_json_writer w;
    struct cs_json *answer;
    enum cs_code rc;

    cs_aws_store_begin(r->store, &w, true);
    cs_json_key(&w, "ConsistentRead");
    cs_json_boolean(&w, true);
    if (start->len > 0)
        cs_json_member_raw(&w, "ExclusiveStartKey", cs_buf_view(start));
    cs_json_object_end(&w);
    if ((rc = cs_aws_store_call(r->store, "Scan", &answer, r->deadline, err)) != CS_OK)
        return rc;
    items = cs_json_get(answer, "Items");
    for (size_t i = 0; i < cs_json_length(items) && rc == CS_OK; i++)
        rc = count_item(r, cs_json_at(items, i), err);
    cs_buf_reset(start);
    last = cs_json_get(answer, "LastEvaluatedKey");
    if (last != NULL)
        cs_json_write_node(start, last);
    cs_json_free(answer);
    return rc == CS_OK ? cs_buf_check(start, err) : rc;
}

/* The old counters go while the records are read, the new ones come at the end: what
 * is committed in between may be missed, so a recount wants a quiet hour. */
enum cs_code cs_aws_store_recount(struct cs_store *base, cs_recount_fn *deltas_of,
                                  void *payload, struct cs_deadline deadline,
                                  struct cs_err *err)
{
    struct recount r = {.store = cs_aws_store_of(base),
                        .deltas_of = deltas_of,
                        .payload = payload,
                        .deadline = deadline,
                        .requests = CS_BUF_INIT(CS_AWS_BODY_MAX)};
    struct cs_buf start = CS_BUF_INIT(8192);
    enum cs_code rc = cs_aws_store_open(r.store, err);

    do {
        if (rc == CS_OK)
            rc = scan_page(&r, &start, err);
    } while (rc == CS_OK && start.len > 0);
    if (rc == CS_OK)
        rc = flush(&r, err);
    for (size_t at = 0; at < r.count && rc == CS_OK;) {
        at = put_group(&r, at);
        rc = end_request(&r, err);
    }
    if (rc == CS_OK)
        rc = flush(&r, err);
    for (size_t i = 0; i < r.count; i++) {
        free(r.totals[i].group);
        free(r.totals[i].name);
    }
    free(r.totals);
    cs_buf_clear(&r.requests);
    cs_buf_clear(&start);
    return rc;
}
