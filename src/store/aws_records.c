#include "config.h"

#include <stdlib.h>

#include "store/aws_internal.h"
#include "json/scan.h"

/* ---- get ---- */

/* *out stays NULL where the answer has no item. */
static enum cs_code read_answer(struct cs_aws_store *store, struct cs_record **out,
                                struct cs_err *err)
{
    struct cs_view bytes = cs_dynamodb_answer_bytes(store->db);
    const struct cs_record *known = cs_aws_same_find(&store->same, bytes);
    struct cs_view answer;
    enum cs_code rc;

    if (known != NULL)
        return (*out = cs_record_copy(known)) != NULL ? CS_OK : cs_err_nomem(err);
    if ((rc = cs_dynamodb_answer(store->db, &answer, err)) != CS_OK)
        return rc;
    if (cs_json_walk_to(&answer, "Item"))
        rc = cs_aws_item_walk(out, &answer, &store->texts, err);
    cs_aws_item_texts_rest(&store->texts);
    if (rc == CS_OK && *out != NULL)
        cs_aws_same_keep(&store->same, bytes, *out);
    return rc;
}

enum cs_code cs_aws_store_get(struct cs_store *base, struct cs_view key,
                              struct cs_record **out, struct cs_deadline deadline,
                              struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_json_writer w;
    bool absent;
    enum cs_code rc;

    *out = NULL;
    if ((rc = cs_store_check_record_key(key, err)) != CS_OK ||
        (rc = cs_aws_store_open(store, err)) != CS_OK)
        return rc;
    cs_aws_store_begin(store, &w, true);
    cs_json_member_bool(&w, "ConsistentRead", true);
    cs_aws_store_add_key(&w, key);
    cs_json_object_end(&w);
    if ((rc = cs_aws_store_ask(store, "GetItem", &absent, deadline, err)) != CS_OK)
        return rc;
    if (!absent)
        rc = read_answer(store, out, err);
    if (rc == CS_OK && *out == NULL)
        rc = cs_err_set(err, CS_ENOTFOUND, "there is no record %.*s", CS_FMT(key));
    if (rc == CS_OK)
        cs_recent_keep(store->recent, cs_view_cstr(store->table), *out);
    else
        cs_recent_forget(store->recent, cs_view_cstr(store->table), key);
    return rc;
}

enum cs_code cs_aws_store_recall(struct cs_store *base, struct cs_view key,
                                 struct cs_recall *out, struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);

    enum cs_code rc =
        cs_recent_recall(store->recent, cs_view_cstr(store->table), key, out, err);

    /* A commit on this ground is to hold of this very campaign, which its created_at
     * tells; that is looked at where a mark is known. */
    if (rc == CS_OK && out->record->log_mark == 0)
        out->record->log_mark = CS_AWS_LOG_EMPTY;
    return rc;
}

/* ---- commit ---- */

/* Revision and end of the log are what they were. Of a record with a log, or a remembered
 * one, the revision alone does not tell: the campaign may have been deleted and made anew
 * meanwhile. */
static void add_unchanged(struct cs_json_writer *w, const struct cs_record *record,
                          bool removes)
{
    struct cs_buf condition = CS_BUF_INIT(1024);
    bool noted = record->log_mark > CS_AWS_LOG_EMPTY;
    bool dated = record->log_mark != 0 && record->created_at.len > 0;

    /* an item that another program wrote has no revision yet */
    cs_buf_add_cstr(&condition, record->revision > 0
                                    ? "revision = :revision"
                                    : "attribute_exists(campaign_id) AND "
                                      "attribute_not_exists(revision)");
    if (dated)
        cs_buf_add_cstr(&condition, " AND created_at = :created_at");
    if (noted)
        cs_buf_add_cstr(&condition, " AND " CS_AWS_LOG_END " = :log_end");
    else if (!removes || record->log_mark != 0)
        cs_buf_add_cstr(&condition, " AND attribute_not_exists(" CS_AWS_LOG_END ")");
    cs_json_member_str(w, "ConditionExpression", cs_buf_view(&condition));
    if (record->revision > 0 || dated || noted) {
        cs_json_key(w, "ExpressionAttributeValues");
        cs_json_object(w);
        if (record->revision > 0)
            cs_item_add_integer(w, ":revision", (int64_t)record->revision);
        if (dated)
            cs_item_add_text(w, ":created_at", record->created_at);
        if (noted)
            cs_item_add_integer(w, ":log_end", (int64_t)record->log_mark);
        cs_json_object_end(w);
    }
    if (condition.failed != CS_OK)
        w->out->failed = condition.failed;
    cs_buf_clear(&condition);
}

static void add_condition(struct cs_json_writer *w, const struct cs_write *write)
{
    if (write->kind == CS_WRITE_CREATE)
        cs_json_member_cstr(w, "ConditionExpression",
                            "attribute_not_exists(campaign_id)");
    else
        add_unchanged(w, write->record, write->kind == CS_WRITE_DELETE);
}

static enum cs_code add_write(struct cs_aws_store *store, struct cs_json_writer *w,
                              const struct cs_write *write, struct cs_err *err)
{
    bool removes = write->kind == CS_WRITE_DELETE;
    uint64_t revision = write->kind == CS_WRITE_CREATE ? 1 : write->record->revision + 1;
    enum cs_code rc = CS_OK;

    cs_json_object(w);
    cs_json_key(w, removes ? "Delete" : "Put");
    cs_json_object(w);
    cs_json_member_cstr(w, "TableName", store->table);
    if (removes)
        cs_aws_store_add_key(w, write->record->key);
    else
        rc = cs_aws_item_write(store, w, write->record, revision, err);
    add_condition(w, write);
    cs_json_object_end(w);
    cs_json_object_end(w);
    return rc;
}

static enum cs_code write_transaction(struct cs_aws_store *store,
                                      const struct cs_transaction *transaction,
                                      struct cs_err *err)
{
    const struct cs_write *writes = transaction->writes;
    size_t count = transaction->write_count;
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_store_begin(store, &w, false);
    if ((rc = cs_aws_store_add_token(&w, err)) != CS_OK)
        return rc;
    cs_json_key(&w, "TransactItems");
    cs_json_array(&w);
    for (size_t i = 0; i < count; i++)
        if ((rc = add_write(store, &w, &writes[i], err)) != CS_OK)
            return rc;
    rc = cs_aws_counters_write(store, &w, transaction->deltas, transaction->delta_count,
                               err);
    cs_json_array_end(&w);
    cs_json_object_end(&w);
    return rc;
}

/* A change that moves no counter needs no transaction, which consumes twice as much.
 * But only a transaction has a token, by which one that is sent again after its answer
 * was lost succeeds again. */
static bool is_plain(const struct cs_transaction *transaction)
{
    const struct cs_write *write = transaction->writes;

    return transaction->write_count == 1 && transaction->delta_count == 0 &&
           write->kind == CS_WRITE_REPEATABLY && write->record->revision > 0 &&
           write->record->extra.len == 0;
}

static enum cs_code put_plain(struct cs_aws_store *store, const struct cs_write *write,
                              struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_store_begin(store, &w, true);
    if ((rc = cs_aws_item_write(store, &w, write->record, write->record->revision + 1,
                                err)) != CS_OK)
        return rc;
    add_condition(&w, write);
    cs_json_object_end(&w);
    rc = cs_aws_store_write(store, "PutItem", deadline, &why);
    if (rc == CS_ECONFLICT)
        return cs_err_set(err, rc, "the record %.*s was changed meanwhile",
                          CS_FMT(write->record->key));
    if (rc != CS_OK && cs_aws_store_lost_race(store))
        return cs_err_set(err, CS_EBUSY, "others write the same records: try again");
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

/* Says which of the conditions failed. */
static enum cs_code explain(struct cs_aws_store *store,
                            const struct cs_transaction *transaction, enum cs_code rc,
                            const struct cs_err *why, struct cs_err *err)
{
    const struct cs_aws_error *error = cs_dynamodb_error(store->db);
    for (size_t i = 0; i < transaction->write_count; i++) {
        const struct cs_write *write = &transaction->writes[i];

        if (!cs_aws_store_condition_failed(store, i))
            continue;
        if (write->kind == CS_WRITE_CREATE)
            return cs_err_set(err, CS_EEXISTS, "the record %.*s exists already",
                              CS_FMT(write->record->key));
        return cs_err_set(err, CS_ECONFLICT, "the record %.*s was changed meanwhile",
                          CS_FMT(write->record->key));
    }
    for (size_t i = transaction->write_count; i < error->reason_count; i++)
        if (cs_aws_store_condition_failed(store, i))
            return cs_err_set(err, CS_ETOOBIG, "a counter can't hold the sum");
    for (size_t i = 0; i < transaction->write_count; i++) {
        const struct cs_record *record = transaction->writes[i].record;

        if (record->extra.len > 0 &&
            cs_view_eq(cs_aws_error_reason(error, i), CS_LIT("ValidationError")))
            return cs_err_set(
                err, CS_ETOOBIG,
                "the item of %.*s, which another program wrote, is too near "
                "to the 400 KB that DynamoDB allows to be changed",
                CS_FMT(record->key));
    }
    if (cs_aws_store_lost_race(store))
        return cs_err_set(err, CS_EBUSY, "others write the same records: try again");
    cs_err_hand_on(err, why);
    return rc;
}

/* Whether the stored record is the one that was to be created: of the same microsecond,
 * user and content. */
static bool is_stored(struct cs_aws_store *store, const struct cs_record *record,
                      struct cs_deadline deadline)
{
    struct cs_record *found;
    bool same;

    if (cs_aws_store_get(&store->base, record->key, &found, deadline, NULL) != CS_OK)
        return false;
    same = found->revision == 1 && cs_view_eq(found->user_id, record->user_id) &&
           cs_view_eq(found->created_at, record->created_at) &&
           cs_view_eq(found->summary, record->summary) &&
           cs_view_eq(found->detail, record->detail);
    cs_record_free(found);
    return same;
}

/* A creation that was sent again after its answer was lost finds what it made itself.
 * DynamoDB knows it by its token; not every server that speaks its language does. All
 * that the transaction creates is looked at: it happened whole or not at all. */
static bool happened_before(struct cs_aws_store *store,
                            const struct cs_transaction *transaction,
                            struct cs_deadline deadline)
{
    size_t created = 0;

    if (!cs_dynamodb_was_repeated(store->db))
        return false;
    for (size_t i = 0; i < transaction->write_count; i++) {
        const struct cs_write *write = &transaction->writes[i];

        if (write->kind != CS_WRITE_CREATE)
            continue;
        if (!is_stored(store, write->record, deadline))
            return false;
        created++;
    }
    return created > 0;
}

/* What failed may have happened all the same, so nothing is remembered of it. */
static void remember(struct cs_aws_store *store, const struct cs_transaction *transaction,
                     bool happened)
{
    struct cs_view table = cs_view_cstr(store->table);

    for (size_t i = 0; i < transaction->write_count; i++) {
        const struct cs_write *write = &transaction->writes[i];
        struct cs_record record = *write->record;

        if (!happened || write->kind == CS_WRITE_DELETE) {
            cs_recent_forget(store->recent, table, record.key);
            continue;
        }
        record.revision = write->kind == CS_WRITE_CREATE ? 1 : record.revision + 1;
        cs_recent_keep(store->recent, table, &record);
        if (write->kind == CS_WRITE_CREATE)
            cs_recent_keep_log(store->recent, table, record.key, CS_LIT(""), 0,
                               CS_AWS_LOG_EMPTY);
    }
}

enum cs_code cs_aws_store_commit(struct cs_store *base,
                                 const struct cs_transaction *transaction,
                                 struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    if ((rc = cs_store_check_transaction(transaction, err)) != CS_OK ||
        (rc = cs_aws_store_open(store, err)) != CS_OK)
        return rc;
    if (transaction->write_count + transaction->delta_count == 0)
        return CS_OK;
    if ((rc = cs_aws_status_note(store, deadline, err)) != CS_OK)
        return rc;
    if (is_plain(transaction)) {
        rc = put_plain(store, transaction->writes, deadline, err);
        remember(store, transaction, rc == CS_OK);
        return rc;
    }
    if ((rc = write_transaction(store, transaction, err)) != CS_OK)
        return rc;
    rc = cs_aws_store_write(store, "TransactWriteItems", deadline, &why);
    if (rc != CS_OK) {
        struct cs_err cause = CS_ERR_NONE;

        rc = explain(store, transaction, rc, &why, &cause);
        if (rc == CS_EEXISTS && happened_before(store, transaction, deadline))
            rc = CS_OK;
        else
            cs_err_hand_on(err, &cause);
    }
    remember(store, transaction, rc == CS_OK);
    return rc;
}

/* ---- erase ---- */

/* A log of an older version has its end in an item of its own. */
#define HEAD_AT    1u /* place of the guard against it among the actions */
#define BESIDE_LOG 2u /* actions on the record and that guard */

static enum cs_code guard_head(struct cs_aws_store *store, struct cs_json_writer *w,
                               struct cs_view key, struct cs_err *err)
{
    struct cs_buf head = CS_BUF_INIT(CS_AWS_LOG_KEY_MAX);
    enum cs_code rc;

    cs_aws_log_head_key(&head, key);
    cs_json_object(w);
    cs_json_key(w, "Delete");
    cs_json_object(w);
    cs_json_member_cstr(w, "TableName", store->table);
    cs_aws_store_add_key(w, cs_aws_key_view(&head));
    cs_json_member_cstr(w, "ConditionExpression", "attribute_not_exists(campaign_id)");
    cs_json_object_end(w);
    cs_json_object_end(w);
    rc = cs_buf_check(&head, err);
    cs_buf_clear(&head);
    return rc;
}

/* guarded: nothing is known of the log; fails unless there is none. */
static enum cs_code erase_at_once(struct cs_aws_store *store,
                                  const struct cs_transaction *transaction, bool guarded,
                                  struct cs_deadline deadline, struct cs_err *err)
{
    const struct cs_record *record = transaction->writes->record;
    struct cs_err why = CS_ERR_NONE;
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_store_begin(store, &w, false);
    if ((rc = cs_aws_store_add_token(&w, err)) != CS_OK)
        return rc;
    cs_json_key(&w, "TransactItems");
    cs_json_array(&w);
    if ((rc = add_write(store, &w, transaction->writes, err)) != CS_OK ||
        (guarded && (rc = guard_head(store, &w, record->key, err)) != CS_OK) ||
        (rc = cs_aws_log_erase(store, &w, record->key, record->log_mark, err)) != CS_OK ||
        (rc = cs_aws_counters_write(store, &w, transaction->deltas,
                                    transaction->delta_count, err)) != CS_OK)
        return rc;
    cs_json_array_end(&w);
    cs_json_object_end(&w);
    rc = cs_aws_store_write(store, "TransactWriteItems", deadline, &why);
    remember(store, transaction, rc == CS_OK);
    if (rc != CS_OK && guarded && cs_aws_store_condition_failed(store, HEAD_AT))
        return cs_err_set(err, CS_ECONFLICT,
                          "the record %.*s has a log of an older version",
                          CS_FMT(record->key));
    return rc == CS_OK ? CS_OK : explain(store, transaction, rc, &why, err);
}

/* The log is counted as it goes, and the record goes last. */
static enum cs_code erase_in_steps(struct cs_aws_store *store,
                                   const struct cs_transaction *transaction,
                                   uint64_t *deleted_out, struct cs_deadline deadline,
                                   struct cs_err *err)
{
    const struct cs_record *record = transaction->writes->record;
    struct cs_aws_log_end end = CS_AWS_LOG_END_NONE;
    enum cs_code rc = CS_OK;

    if (record->log_mark > CS_AWS_LOG_EMPTY) {
        end.mark = record->log_mark;
        cs_buf_add(&end.created_at, record->created_at);
        rc = cs_buf_check(&end.created_at, err);
    } else {
        rc = cs_aws_log_find_end(store, record->key, &end, deadline, err);
    }
    if (rc == CS_OK)
        rc = cs_aws_log_delete_pieces(store, record->key, &end, deleted_out, deadline,
                                      err);
    cs_aws_log_end_clear(&end);
    return rc != CS_OK ? rc
                       : cs_aws_store_commit(&store->base, transaction, deadline, err);
}

enum cs_code cs_aws_store_erase(struct cs_store *base,
                                const struct cs_transaction *transaction,
                                uint64_t *deleted_out, struct cs_deadline deadline,
                                struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_record known;
    const struct cs_write write = {CS_WRITE_DELETE, &known};
    const struct cs_transaction with_log = {&write, 1, transaction->deltas,
                                            transaction->delta_count};
    struct cs_err why = CS_ERR_NONE;
    bool guarded;
    size_t entries = 0;
    uint64_t mark;
    enum cs_code rc;

    *deleted_out = 0;
    if ((rc = cs_store_check_erase(transaction, err)) != CS_OK ||
        (rc = cs_aws_store_open(store, err)) != CS_OK)
        return rc;
    known = *transaction->writes->record;
    mark = cs_recent_log_end(store->recent, cs_view_cstr(store->table), &known, &entries);
    if (known.log_mark == 0)
        known.log_mark = mark;
    if (known.log_mark == 0)
        known.log_mark = CS_AWS_LOG_EMPTY;
    guarded = known.log_mark == CS_AWS_LOG_EMPTY && mark != CS_AWS_LOG_EMPTY;
    if (!cs_aws_log_is_short(known.log_mark, BESIDE_LOG + transaction->delta_count))
        return erase_in_steps(store, transaction, deleted_out, deadline, err);
    if (known.log_mark != mark) /* nobody remembers how many */
        entries = (size_t)CS_AWS_LOG_NEXT(known.log_mark);
    rc = erase_at_once(store, &with_log, guarded, deadline, &why);
    if (guarded && rc == CS_ECONFLICT)
        return erase_in_steps(store, transaction, deleted_out, deadline, err);
    *deleted_out = rc == CS_OK ? entries : 0;
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}
