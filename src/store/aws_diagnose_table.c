#include "config.h"

#include <stdio.h>

#include "store/aws_diagnose.h"

/* No list shows these items: they have neither user nor status, and their keys are
 * among those of the store's own. */
#define ITEM_PREFIX CS_AWS_INTERNAL "doctor/"
#define KEY_MAX     256u

/* ---- the table ---- */

static enum cs_code look(struct cs_aws_diagnosis *d, struct cs_dynamodb_look *out,
                         struct cs_err *err)
{
    const struct cs_dynamodb_table table = cs_aws_store_table(d->store);

    return cs_dynamodb_look(d->store->db, &table, out, d->deadline, err);
}

static enum cs_code find_table(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct cs_dynamodb_look found;
    enum cs_code rc;

    if ((rc = look(d, &found, err)) != CS_OK)
        return rc;
    if (!found.keyed) {
        cs_buf_add_cstr(&d->fix,
                        "name another table in DYNAMODB_TABLE_NAME: the key of this "
                        "one can't be changed");
        return cs_err_set(err, CS_ECONFLICT, "the table's key is not campaign_id alone");
    }
    if (!found.active)
        return cs_err_set(err, CS_EBUSY, "the table is not active");
    cs_buf_add_fmt(&d->text, "%s is active", d->store->table);
    return CS_OK;
}

static enum cs_code check_index(struct cs_aws_diagnosis *d, size_t index,
                                struct cs_err *err)
{
    const struct cs_dynamodb_table table = cs_aws_store_table(d->store);
    const struct cs_dynamodb_index *wanted = &table.indexes[index];
    struct cs_dynamodb_look found;
    enum cs_code rc;

    if ((rc = look(d, &found, err)) != CS_OK)
        return rc;
    if (!found.indexes[index].there) {
        cs_buf_add_cstr(&d->fix, "campaignctl init adds it");
        return cs_err_set(err, CS_ECONFLICT, "the table has no index %s", wanted->name);
    }
    if (!found.indexes[index].active) {
        cs_buf_add_cstr(&d->fix, "wait until it is filled");
        return cs_err_set(err, CS_EBUSY, "the index %s is not active", wanted->name);
    }
    if (found.indexes[index].keyed && found.indexes[index].shows_all) {
        cs_buf_add_fmt(&d->text, "%s, %s", wanted->hash, wanted->range);
        return CS_OK;
    }
    cs_buf_add_cstr(&d->fix, "delete the index (aws dynamodb update-table), then run "
                             "campaignctl init, which adds it as it must be");
    if (!found.indexes[index].keyed)
        return cs_err_set(err, CS_ECONFLICT,
                          "the index %s has another key than %s and %s", wanted->name,
                          wanted->hash, wanted->range);
    return cs_err_set(err, CS_ECONFLICT,
                      "the index %s does not show all attributes that a list needs",
                      wanted->name);
}

static enum cs_code check_user_index(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    return check_index(d, 0, err);
}

static enum cs_code check_status_index(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    return check_index(d, 1, err);
}

static enum cs_code check_expiry(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct cs_buf attribute = CS_BUF_INIT(KEY_MAX);
    enum cs_code rc = cs_dynamodb_look_expiry(d->store->db, cs_view_cstr(d->store->table),
                                              &attribute, d->deadline, err);

    if (rc == CS_OK && attribute.len > 0)
        cs_buf_add_fmt(&d->text, "by %s%s", cs_buf_cstr(&attribute),
                       cs_view_eq_cstr(cs_buf_view(&attribute), CS_AWS_VANISHES)
                           ? ""
                           : ", which is not ours: campaignctl cleanup removes what has "
                             "expired");
    else if (rc == CS_OK)
        cs_buf_add_cstr(&d->text, "off: campaignctl cleanup removes what has expired, "
                                  "campaignctl init switches it on");
    cs_buf_clear(&attribute);
    return rc;
}

/* ---- items ---- */

/* Two items, since one transaction may touch each but once. */
static enum cs_code make_key(struct cs_buf *out, const struct cs_aws_diagnosis *d,
                             const char *name, struct cs_err *err)
{
    cs_buf_add_fmt(out, ITEM_PREFIX "%s/%s", d->id, name);
    return cs_buf_check(out, err);
}

enum action { ACTION_PUT, ACTION_UPDATE, ACTION_DELETE };

/* {"Put": {...}} and the like, on one of the items. */
static enum cs_code add_action(struct cs_aws_diagnosis *d, struct cs_json_writer *w,
                               enum action action, const char *name, struct cs_err *err)
{
    static const char *const names[] = {
        [ACTION_PUT] = "Put",
        [ACTION_UPDATE] = "Update",
        [ACTION_DELETE] = "Delete",
    };
    struct cs_buf key = CS_BUF_INIT(KEY_MAX);
    enum cs_code rc;

    if ((rc = make_key(&key, d, name, err)) != CS_OK)
        goto out;
    cs_json_object(w);
    cs_json_key(w, names[action]);
    cs_json_object(w);
    cs_json_member_cstr(w, "TableName", d->store->table);
    if (action == ACTION_PUT) {
        cs_json_key(w, "Item");
        cs_json_object(w);
        cs_item_add_text(w, "campaign_id", cs_buf_view(&key));
        cs_aws_item_vanishes(w, cs_clock_now_us());
        cs_json_object_end(w);
    } else {
        cs_aws_store_add_key(w, cs_buf_view(&key));
    }
    if (action == ACTION_UPDATE) {
        cs_json_member_cstr(w, "UpdateExpression", "SET seen = :yes");
        cs_json_key(w, "ExpressionAttributeValues");
        cs_json_object(w);
        cs_item_add_text(w, ":yes", CS_LIT("yes"));
        cs_json_object_end(w);
    }
    cs_json_object_end(w);
    cs_json_object_end(w);
out:
    cs_buf_clear(&key);
    return rc;
}

struct write {
    enum action action;
    const char *name;
};

static enum cs_code transact(struct cs_aws_diagnosis *d, const struct write *writes,
                             size_t count, struct cs_err *err)
{
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_store_begin(d->store, &w, false);
    if ((rc = cs_aws_store_add_token(&w, err)) != CS_OK)
        return rc;
    cs_json_key(&w, "TransactItems");
    cs_json_array(&w);
    for (size_t i = 0; i < count; i++)
        if ((rc = add_action(d, &w, writes[i].action, writes[i].name, err)) != CS_OK)
            return rc;
    cs_json_array_end(&w);
    cs_json_object_end(&w);
    return cs_aws_store_call(d->store, "TransactWriteItems", NULL, d->deadline, err);
}

static enum cs_code put_item(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    static const struct write writes[] = {{ACTION_PUT, "a"}, {ACTION_PUT, "b"}};

    return transact(d, writes, CS_COUNT(writes), err);
}

static enum cs_code update_item(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    static const struct write writes[] = {{ACTION_UPDATE, "a"}};

    return transact(d, writes, CS_COUNT(writes), err);
}

static enum cs_code delete_item(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    static const struct write writes[] = {{ACTION_DELETE, "a"}, {ACTION_DELETE, "b"}};
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = transact(d, writes, CS_COUNT(writes), &why);

    if (rc == CS_OK || err == NULL)
        return rc;
    *err = why;
    if ((d->have & CS_NEEDS_ITEM) != 0)
        (void)snprintf(err->text, sizeof(err->text),
                       "left behind " ITEM_PREFIX "%s/: %.*s", d->id,
                       (int)(sizeof(err->text) - 60), why.text);
    return rc;
}

static enum cs_code get_item(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(KEY_MAX);
    struct cs_json *answer = NULL;
    struct cs_json_writer w;
    enum cs_code rc;

    if ((rc = make_key(&key, d, "a", err)) == CS_OK) {
        cs_aws_store_begin(d->store, &w, true);
        cs_json_member_bool(&w, "ConsistentRead", true);
        cs_aws_store_add_key(&w, cs_buf_view(&key));
        cs_json_object_end(&w);
        rc = cs_aws_store_call(d->store, "GetItem", &answer, d->deadline, err);
    }
    if (rc == CS_OK && (d->have & CS_NEEDS_ITEM) != 0 &&
        cs_json_get(answer, "Item") == NULL)
        rc = cs_err_set(err, CS_ECONFLICT, "the item that was written is not there");
    cs_json_free(answer);
    cs_buf_clear(&key);
    return rc;
}

static enum cs_code ignore_item(void *payload, const struct cs_json *item,
                                struct cs_err *err)
{
    (void)payload;
    (void)item;
    (void)err;
    return CS_OK;
}

static enum cs_code batch_get(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(KEY_MAX);
    struct cs_buf text = CS_BUF_INIT(2 * KEY_MAX);
    struct cs_view texts[1];
    enum cs_code rc;

    if ((rc = make_key(&key, d, "a", err)) == CS_OK &&
        (rc = cs_aws_store_key_text(&text, cs_buf_view(&key), err)) == CS_OK) {
        texts[0] = cs_buf_view(&text);
        rc = cs_dynamodb_batch_get(d->store->db, cs_view_cstr(d->store->table), texts, 1,
                                   ignore_item, NULL, d->deadline, err);
    }
    cs_buf_clear(&key);
    cs_buf_clear(&text);
    return rc;
}

static enum cs_code batch_write(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(KEY_MAX);
    struct cs_buf text = CS_BUF_INIT(4 * KEY_MAX);
    struct cs_json_writer w;
    struct cs_view texts[1];
    enum cs_code rc;

    if ((rc = make_key(&key, d, "b", err)) != CS_OK)
        goto out;
    cs_json_writer_init(&w, &text);
    cs_json_object(&w);
    cs_json_key(&w, "DeleteRequest");
    cs_json_object(&w);
    cs_aws_store_add_key(&w, cs_buf_view(&key));
    cs_json_object_end(&w);
    cs_json_object_end(&w);
    texts[0] = cs_buf_view(&text);
    if ((rc = cs_buf_check(&text, err)) == CS_OK)
        rc = cs_dynamodb_batch_write(d->store->db, cs_view_cstr(d->store->table), texts,
                                     1, d->deadline, err);
out:
    cs_buf_clear(&key);
    cs_buf_clear(&text);
    return rc;
}

static enum cs_code query(struct cs_aws_diagnosis *d, size_t index, struct cs_err *err)
{
    const struct cs_dynamodb_table table = cs_aws_store_table(d->store);
    const struct cs_dynamodb_index *wanted = &table.indexes[index];
    struct cs_json_writer w;

    cs_aws_store_begin(d->store, &w, true);
    cs_json_member_cstr(&w, "IndexName", wanted->name);
    cs_json_member_cstr(&w, "KeyConditionExpression", "#v = :v");
    cs_json_key(&w, "ExpressionAttributeNames");
    cs_json_object(&w);
    cs_json_member_cstr(&w, "#v", wanted->hash);
    cs_json_object_end(&w);
    cs_json_key(&w, "ExpressionAttributeValues");
    cs_json_object(&w);
    cs_item_add_text(&w, ":v", CS_LIT(ITEM_PREFIX));
    cs_json_object_end(&w);
    cs_json_member_u64(&w, "Limit", 1);
    cs_json_object_end(&w);
    return cs_aws_store_call(d->store, "Query", NULL, d->deadline, err);
}

static enum cs_code query_user_index(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    return query(d, 0, err);
}

static enum cs_code query_status_index(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    return query(d, 1, err);
}

static enum cs_code scan(struct cs_aws_diagnosis *d, struct cs_err *err)
{
    struct cs_json_writer w;

    cs_aws_store_begin(d->store, &w, true);
    cs_json_member_u64(&w, "Limit", 1);
    cs_json_object_end(&w);
    return cs_aws_store_call(d->store, "Scan", NULL, d->deadline, err);
}

/* ---- the steps ---- */

#define NEEDS (CS_NEEDS_KEYS | CS_NEEDS_TABLE)

/* clang-format off */
static const struct cs_aws_probe probes[] = {
    {.name = "table", .run = find_table, .needs = CS_NEEDS_KEYS, .loses = CS_NEEDS_TABLE,
     .operation = "DescribeTable", .fix = "wait until the table is made, or look at it in the "
     "console"},
    {.needs = NEEDS, .name = "table: index " CS_AWS_USER_INDEX, .run = check_user_index,
     .operation = "DescribeTable"},
    {.needs = NEEDS, .name = "table: index " CS_AWS_STATUS_INDEX, .run = check_status_index,
     .operation = "DescribeTable"},
    {.needs = NEEDS, .name = "table: expiry", .run = check_expiry, .operation = "DescribeTimeToLive",
     .only_for = "this step"},
    {.needs = NEEDS, .name = "item: put", .run = put_item, .gives = CS_NEEDS_ITEM,
     .operation = "TransactWriteItems", .action = "dynamodb:PutItem"},
    {.needs = NEEDS, .name = "item: get", .run = get_item, .operation = "GetItem"},
    {.needs = NEEDS, .name = "item: update", .run = update_item,
     .operation = "TransactWriteItems", .action = "dynamodb:UpdateItem"},
    {.needs = NEEDS, .name = "item: get in a batch", .run = batch_get, .operation = "BatchGetItem"},
    {.needs = NEEDS, .name = "item: write in a batch", .run = batch_write,
     .operation = "BatchWriteItem"},
    {.needs = NEEDS, .name = "item: delete", .run = delete_item, .operation = "TransactWriteItems",
     .action = "dynamodb:DeleteItem"},
    {.needs = NEEDS, .name = "query: " CS_AWS_USER_INDEX, .run = query_user_index,
     .operation = "Query", .resource = "/index/" CS_AWS_USER_INDEX,
     .fix = "campaignctl init adds the index"},
    {.needs = NEEDS, .name = "query: " CS_AWS_STATUS_INDEX, .run = query_status_index,
     .operation = "Query", .resource = "/index/" CS_AWS_STATUS_INDEX,
     .only_for = "campaignctl list",
     .fix = "campaignctl init adds the index"},
    {.needs = NEEDS, .name = "scan", .run = scan, .operation = "Scan",
     .only_for = "campaignctl recount, fsck and cleanup"},
};
/* clang-format on */

void cs_aws_diagnose_table(struct cs_aws_diagnosis *d)
{
    cs_aws_probe_run(d, CS_AWS_DYNAMODB, probes, CS_COUNT(probes));
}
