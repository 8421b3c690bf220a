#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/aws_internal.h"

#define DELTAS_MAX 40u

/* ---- in a transaction ---- */

void cs_aws_counters_key(struct cs_buf *out, size_t shard, struct cs_view group)
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
        cs_buf_add_cstr(&name, CS_AWS_COUNTER_PREFIX);
        cs_buf_add(&name, deltas[i].name);
        cs_json_member_str(w, key, cs_buf_view(&name));
        if (name.failed != CS_OK)
            w->out->failed = name.failed;
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
    cs_item_add_integer(w, ":one", 1);
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

    cs_aws_counters_key(&key, shard, group);
    cs_buf_add_cstr(&update, "ADD ");
    for (size_t i = 0; i < count; i++)
        if (in_group(&deltas[i], group))
            add_clauses(&update, &condition, i, deltas[i].add);
    /* a recount sees by it that somebody was here, also when all adds up to nothing */
    cs_buf_add_cstr(&update, ",changes :one");
    cs_json_object(w);
    cs_json_key(w, "Update");
    cs_json_object(w);
    cs_json_member_cstr(w, "TableName", store->table);
    cs_aws_store_add_key(w, cs_aws_key_view(&key));
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
    static const struct cs_view prefix = CS_LIT_INIT(CS_AWS_COUNTER_PREFIX);
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
        cs_aws_counters_key(&key, made, group);
        rc = cs_aws_store_key_text(&texts[made], cs_aws_key_view(&key), err);
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
