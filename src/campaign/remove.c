#include "config.h"

#include "campaign/remove.h"

#include <stdio.h>

#define TOMBSTONE_ATTEMPTS 8

static void note_failure(char *out, size_t size, const struct cs_err *err)
{
    (void)snprintf(out, size, "%.*s", (int)size - 1,
                   *err->text != '\0' ? err->text : cs_code_name(err->code));
}

static bool delete_objects(const struct cs_campaigns *campaigns,
                           const struct cs_call *call, struct cs_view id,
                           struct cs_removal *out)
{
    struct cs_buf prefix = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc;

    cs_buf_add_cstr(&prefix, "campaigns/");
    cs_buf_add(&prefix, id);
    cs_buf_add_byte(&prefix, '/');
    if ((rc = cs_buf_check(&prefix, &err)) == CS_OK)
        rc = campaigns->store->ops->delete_prefix(campaigns->store, cs_buf_view(&prefix),
                                                  &out->objects, call->deadline, &err);
    if (rc != CS_OK)
        note_failure(out->objects_error, sizeof(out->objects_error), &err);
    else if (out->objects.left > 0)
        (void)snprintf(out->objects_error, sizeof(out->objects_error),
                       "a second listing still found %llu versions; repeat the request",
                       (unsigned long long)out->objects.left);
    cs_buf_clear(&prefix);
    return rc == CS_OK && out->objects.left == 0;
}

static enum cs_code delete_it(const struct cs_campaigns *campaigns,
                              const struct cs_call *call, const struct cs_record *record,
                              struct cs_err *err)
{
    struct cs_write write = {CS_WRITE_DELETE, record};
    const struct cs_transaction transaction = {&write, 1, NULL, 0};

    return campaigns->store->ops->commit(campaigns->store, &transaction, call->deadline,
                                         err);
}

/* Where another request moved the tombstone on, it is read again. */
static bool delete_record(const struct cs_campaigns *campaigns,
                          const struct cs_call *call, const struct cs_record *tombstone,
                          struct cs_removal *out)
{
    const struct cs_store_ops *ops = campaigns->store->ops;
    struct cs_view id = tombstone->key;
    struct cs_record *record = NULL;
    struct cs_err err = CS_ERR_NONE;
    uint64_t log_entries = 0;
    bool deleted;
    enum cs_code rc =
        ops->log_delete(campaigns->store, id, &log_entries, call->deadline, &err);

    out->records_deleted = log_entries;
    if (rc == CS_OK)
        rc = delete_it(campaigns, call, tombstone, &err);
    deleted = rc == CS_OK;
    if (rc == CS_ECONFLICT) {
        cs_err_clear(&err);
        rc = ops->get(campaigns->store, id, &record, call->deadline, &err);
        if (rc == CS_OK && cs_campaign_is(record, "deleting")) {
            rc = delete_it(campaigns, call, record, &err);
            deleted = rc == CS_OK;
        } else if (rc == CS_ENOTFOUND) {
            rc = CS_OK; /* somebody else finished it meanwhile */
        }
    }
    out->records_deleted += deleted ? 1 : 0;
    if (rc != CS_OK)
        note_failure(out->records_error, sizeof(out->records_error), &err);
    cs_record_free(record);
    return rc == CS_OK;
}

static void finish(const struct cs_campaigns *campaigns, const struct cs_call *call,
                   const struct cs_record *tombstone, struct cs_removal *out)
{
    struct cs_view id = tombstone->key;

    out->objects_ok = delete_objects(campaigns, call, id, out);
    if (out->objects_ok)
        out->records_ok = delete_record(campaigns, call, tombstone, out);
    else
        (void)snprintf(
            out->records_error, sizeof(out->records_error),
            "the record is kept until the objects are gone; repeat the request");
    cs_log_put(campaigns->log, out->records_ok ? CS_LOG_INFO : CS_LOG_WARN,
               out->records_ok ? "campaign deleted" : "campaign deletion incomplete",
               CS_LOG_TEXT("campaign", id),
               CS_LOG_NUM("objects", out->objects.objects_deleted),
               CS_LOG_NUM("bytes", out->objects.bytes_deleted),
               CS_LOG_TEXT("objects_error", cs_view_cstr(out->objects_error)),
               CS_LOG_TEXT("records_error", cs_view_cstr(out->records_error)));
}

/* *out is the record with its tombstone. */
static enum cs_code set_tombstone(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call,
                                  const struct cs_record *record, struct cs_record **out,
                                  struct cs_err *err)
{
    const struct cs_campaign_change change = {.status = "deleting", .unlist = true};

    if (!cs_campaign_is(record, "deleting"))
        return cs_campaign_commit(campaigns, call, record, &change, out, err);
    *out = cs_record_copy(record);
    return *out != NULL ? CS_OK : cs_err_nomem(err);
}

enum cs_code cs_campaign_remove_record(const struct cs_campaigns *campaigns,
                                       const struct cs_call *call,
                                       const struct cs_record *record,
                                       struct cs_removal *out, struct cs_err *err)
{
    struct cs_record *tombstone = NULL;
    enum cs_code rc;

    *out = (struct cs_removal){.objects_ok = false};
    if ((rc = set_tombstone(campaigns, call, record, &tombstone, err)) == CS_OK)
        finish(campaigns, call, tombstone, out);
    cs_record_free(tombstone);
    return rc;
}

enum cs_code cs_campaign_remove(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view id,
                                struct cs_removal *out, struct cs_err *err)
{
    enum cs_code rc = CS_ECONFLICT;

    *out = (struct cs_removal){.objects_ok = false};
    for (int i = 0; i < TOMBSTONE_ATTEMPTS && rc == CS_ECONFLICT; i++) {
        struct cs_record *record = NULL;
        struct cs_err cause = CS_ERR_NONE;

        rc = cs_campaign_load(campaigns, call, id, CS_ACCESS_OWNER_OR_ADMIN, true,
                              &record, err);
        if (rc != CS_OK)
            return rc;
        rc = cs_campaign_remove_record(campaigns, call, record, out, &cause);
        if (rc != CS_OK && rc != CS_ECONFLICT && err != NULL && err->code == CS_OK)
            *err = cause;
        cs_record_free(record);
    }
    if (rc == CS_ECONFLICT)
        rc = cs_err_field(
            err, CS_EBUSY, "", "campaign_contended",
            "too many others change this campaign at the same time; try again");
    return rc;
}
