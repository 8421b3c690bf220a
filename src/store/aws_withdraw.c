/* A deletion's first step, in one call that neither reads nor remembers: an update that
 * moves user and status aside and answers with the item as it was. It is no transaction,
 * which would not answer so, and thus moves no counters. Sent again after a lost answer,
 * it finds its own doing and is refused; a look at the record then tells. */
#include "config.h"

#include "store/aws_internal.h"
#include "json/scan.h"

#define TEXT_MAX 4096u

/* A record that was withdrawn before, or by an older version, has no user_id. Of an item
 * that another program wrote, a status is not sure to be there, nor a revision. */
#define NOT_GONE                                             \
    " AND attribute_exists(#status) AND "                    \
    "attribute_not_exists(" CS_AWS_WITHDRAWN_STATUS ") AND " \
    "(attribute_not_exists(expires_at_us) OR expires_at_us > :now)"

/* The right-hand sides are what was there before. */
static const char update[] =
    "SET " CS_AWS_WITHDRAWN_USER " = user_id, " CS_AWS_WITHDRAWN_STATUS " = #status, "
    "#status = :status, revision = if_not_exists(revision, :none) + :one REMOVE user_id";

static enum cs_code write_request(struct cs_aws_store *store,
                                  const struct cs_withdrawal *withdrawal,
                                  struct cs_err *err)
{
    struct cs_buf status = CS_BUF_INIT(TEXT_MAX);
    struct cs_buf expression = CS_BUF_INIT(TEXT_MAX);
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_store_begin(store, &w, true);
    cs_aws_store_add_key(&w, withdrawal->key);
    cs_json_member_cstr(&w, "ReturnValues", "ALL_OLD");
    cs_buf_add_cstr(&expression, update);
    cs_aws_links_list(&expression); /* nobody is to follow them any more */
    cs_json_member_str(&w, "UpdateExpression", cs_buf_view(&expression));
    cs_json_member_cstr(&w, "ConditionExpression",
                        withdrawal->anyones ? "attribute_exists(user_id)" NOT_GONE
                                            : "user_id = :user" NOT_GONE);
    cs_json_key(&w, "ExpressionAttributeNames");
    cs_json_object(&w);
    cs_json_member_cstr(&w, "#status", "status");
    cs_json_object_end(&w);
    cs_json_key(&w, "ExpressionAttributeValues");
    cs_json_object(&w);
    if ((rc = cs_aws_status_of(store, &status, withdrawal->key, withdrawal->status,
                               err)) == CS_OK)
        cs_item_add_text(&w, ":status", cs_buf_view(&status));
    if (!withdrawal->anyones)
        cs_item_add_text(&w, ":user", withdrawal->user_id);
    cs_item_add_integer(&w, ":now", withdrawal->now_us);
    cs_item_add_integer(&w, ":none", 0);
    cs_item_add_integer(&w, ":one", 1);
    cs_json_object_end(&w);
    cs_json_object_end(&w);
    if (rc == CS_OK)
        rc = cs_buf_check(&expression, err);
    cs_buf_clear(&status);
    cs_buf_clear(&expression);
    return rc;
}

static enum cs_code read_before(struct cs_aws_store *store, struct cs_record **out,
                                struct cs_err *err)
{
    struct cs_view answer;
    enum cs_code rc = cs_dynamodb_answer(store->db, &answer, err);

    if (rc == CS_OK && cs_json_walk_to(&answer, "Attributes"))
        rc = cs_aws_item_walk(out, &answer, &store->texts, err);
    cs_aws_item_texts_rest(&store->texts);
    if (rc == CS_OK && *out == NULL)
        rc = cs_err_set(err, CS_EUPSTREAM,
                        "DynamoDB UpdateItem did not tell what it changed");
    return rc;
}

/* Of the condition, or of the update: an item that another program filled to the brim has
 * no room for it, one with other types than ours can't take it. */
static bool is_refusal(const struct cs_aws_store *store, enum cs_code rc)
{
    return rc == CS_ECONFLICT ||
           cs_aws_error_is(cs_dynamodb_error(store->db), "ValidationException");
}

static enum cs_code ask(struct cs_aws_store *store,
                        const struct cs_withdrawal *withdrawal, struct cs_record **out,
                        struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    bool absent = false;
    enum cs_code rc = cs_aws_store_ask(store, "UpdateItem", &absent, deadline, &why);

    if (rc == CS_OK && !absent)
        return read_before(store, out, err);
    if (absent || is_refusal(store, rc))
        return cs_err_set(err, CS_ECONFLICT, "the record %.*s is not to be withdrawn",
                          CS_FMT(withdrawal->key));
    if (cs_aws_store_lost_race(store))
        return cs_err_set(err, CS_EBUSY, "others write the same records: try again");
    cs_err_hand_on(err, &why);
    return rc;
}

enum cs_code cs_aws_store_withdraw(struct cs_store *base,
                                   const struct cs_withdrawal *withdrawal,
                                   struct cs_record **out, struct cs_deadline deadline,
                                   struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_view table = cs_view_cstr(store->table);
    struct cs_record after;
    enum cs_code rc;

    *out = NULL;
    if ((rc = cs_store_check_record_key(withdrawal->key, err)) != CS_OK ||
        (rc = cs_aws_store_open(store, err)) != CS_OK ||
        (rc = write_request(store, withdrawal, err)) != CS_OK)
        return rc;
    if ((rc = ask(store, withdrawal, out, deadline, err)) != CS_OK) {
        cs_recent_forget(store->recent, table, withdrawal->key);
        return rc;
    }
    /* how many entries its log has is told when it is erased */
    after = cs_record_withdrawn(*out, withdrawal->status);
    cs_recent_keep(store->recent, table, &after);
    return CS_OK;
}
