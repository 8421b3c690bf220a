/* One status is one key of its index, and so one partition, which takes 1,000 writes a
 * second at most. Spread over N keys ("completed#0", ...) it takes N times as many. The
 * largest N that was ever used stands in an item of the table, so that lists find what
 * was written when it was larger. */
#include "config.h"

#include <stdlib.h>

#include "store/aws_internal.h"

#define SHARDS_KEY CS_AWS_INTERNAL "status-shards"
#define KEY_MAX    4096u               /* twice what DynamoDB takes as a key */
#define KNOWN_US   (10 * CS_SECOND_US) /* another worker may have begun to use more */

void cs_aws_status_key(struct cs_buf *out, struct cs_view status, size_t shard)
{
    cs_buf_add(out, status);
    cs_buf_add_fmt(out, "#%zu", shard);
}

/* FNV-1a: a campaign stays in its shard for life, whatever its status. */
size_t cs_aws_status_shard_of(struct cs_view key, size_t shards)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * 16777619u;
    return hash % shards;
}

static size_t suffix_at(struct cs_view status)
{
    size_t at = status.len;
    uint64_t shard;

    while (at > 0 && status.ptr[at - 1] != '#')
        at--;
    return at > 1 && cs_view_to_u64(cs_view_from(status, at), &shard) ? at - 1
                                                                      : status.len;
}

struct cs_view cs_aws_status_plain(struct cs_view status)
{
    return status.ptr == NULL ? status : cs_view_sub(status, 0, suffix_at(status));
}

enum cs_code cs_aws_status_of(const struct cs_aws_store *store, struct cs_buf *out,
                              struct cs_view key, struct cs_view status,
                              struct cs_err *err)
{
    if (cs_aws_status_plain(status).len != status.len)
        return cs_err_field(err, CS_EINVAL, "status", "status_reserved",
                            "a status can't end in '#' and a number");
    /* until the table knows of the others, under the one key that every list looks at */
    if (store->shards_noted)
        cs_aws_status_key(out, status, cs_aws_status_shard_of(key, store->status_shards));
    else
        cs_buf_add(out, status);
    return cs_buf_check(out, err);
}

enum cs_code cs_aws_status_write(const struct cs_aws_store *store,
                                 struct cs_json_writer *w, const struct cs_record *record,
                                 struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(KEY_MAX);
    enum cs_code rc;

    if (record->status.len == 0)
        return CS_OK;
    if ((rc = cs_aws_status_of(store, &key, record->key, record->status, err)) == CS_OK)
        cs_item_add_text(w, "status", cs_buf_view(&key));
    cs_buf_clear(&key);
    return rc;
}

enum cs_code cs_aws_status_note(struct cs_aws_store *store, struct cs_deadline deadline,
                                struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    struct cs_json_writer w;
    enum cs_code rc;

    if (store->status_shards == 1 || store->shards_noted)
        return CS_OK;
    cs_aws_store_begin(store, &w, true);
    cs_aws_store_add_key(&w, CS_LIT(SHARDS_KEY));
    cs_json_member_cstr(&w, "UpdateExpression", "SET shards = :n");
    cs_json_member_cstr(&w, "ConditionExpression",
                        "attribute_not_exists(shards) OR shards < :n");
    cs_json_key(&w, "ExpressionAttributeValues");
    cs_json_object(&w);
    cs_item_add_integer(&w, ":n", (int64_t)store->status_shards);
    cs_json_object_end(&w);
    cs_json_object_end(&w);
    rc = cs_aws_store_write(store, "UpdateItem", deadline, &why);
    if (rc == CS_OK || cs_aws_error_is(cs_dynamodb_error(store->db),
                                       "ConditionalCheckFailedException")) {
        store->shards_noted = true;
        return CS_OK;
    }
    cs_err_hand_on(err, &why);
    return rc;
}

enum cs_code cs_aws_status_shards(struct cs_aws_store *store, size_t *out,
                                  struct cs_deadline deadline, struct cs_err *err)
{
    int64_t now_us = cs_clock_monotonic_us();
    struct cs_json *answer = NULL;
    struct cs_json_writer w;
    int64_t shards = 1;
    enum cs_code rc;

    if (store->shards_read == 0 || now_us > store->shards_read_us + KNOWN_US) {
        cs_aws_store_begin(store, &w, true);
        cs_json_member_bool(&w, "ConsistentRead", true);
        cs_aws_store_add_key(&w, CS_LIT(SHARDS_KEY));
        cs_json_object_end(&w);
        if ((rc = cs_aws_store_fetch(store, "GetItem", &answer, deadline, err)) != CS_OK)
            return rc;
        if (!cs_item_integer(cs_json_get(answer, "Item"), "shards", &shards) ||
            shards < 1 || shards > CS_AWS_STATUS_SHARDS_MAX)
            shards = 1;
        cs_json_free(answer);
        store->shards_read = (size_t)shards;
        store->shards_read_us = now_us;
    }
    *out = store->shards_read > store->status_shards ? store->shards_read
                                                     : store->status_shards;
    return CS_OK;
}
