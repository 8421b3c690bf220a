#include "config.h"

#include "campaign/remove.h"

#include <stdio.h>
#include <stdlib.h>

#include "campaign/artifacts.h"

#define TOMBSTONE_ATTEMPTS 8
#define NAMED_MAX          200u /* objects that are deleted without being listed */

static void note_failure(char *out, size_t size, const struct cs_err *err)
{
    (void)snprintf(out, size, "%.*s", (int)size - 1,
                   *err->text != '\0' ? err->text : cs_code_name(err->code));
}

/* The objects that the record names, which are mostly all that there are. */
struct named {
    struct cs_view prefix;
    struct cs_view bucket;
    struct cs_object_entry entries[NAMED_MAX];
    size_t count;
    bool too_many;
};

static bool add_named(void *payload, struct cs_view name,
                      const struct cs_artifact *artifact)
{
    struct named *named = payload;

    (void)name;
    if (!cs_view_starts(artifact->key, named->prefix) ||
        !cs_view_eq(artifact->bucket, named->bucket))
        return true; /* a list finds what there is of it; see delete_elsewhere() */
    named->too_many = named->count == NAMED_MAX;
    if (!named->too_many)
        named->entries[named->count++] = (struct cs_object_entry){
            .key = artifact->key, .version = artifact->version, .size = artifact->size};
    return !named->too_many;
}

/* Of a deletion that was interrupted, nobody knows how far it came. */
static enum cs_code delete_folder(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call, struct cs_view prefix,
                                  const struct cs_record *before,
                                  struct cs_delete_report *out, struct cs_err *err)
{
    const struct cs_store_ops *ops = campaigns->store->ops;
    struct named *named = calloc(1, sizeof(*named));
    enum cs_code rc;

    if (named == NULL)
        return cs_err_nomem(err);
    named->prefix = prefix;
    named->bucket = ops->names(campaigns->store)->bucket_name;
    if (!cs_campaign_is(before, "deleting"))
        cs_artifact_each(before, add_named, named);
    if (cs_campaign_is(before, "deleting") || named->too_many)
        rc = ops->delete_prefix(campaigns->store, prefix, out, call->deadline, err);
    else
        rc = ops->delete_folder(campaigns->store, prefix, named->entries, named->count,
                                out, call->deadline, err);
    free(named);
    return rc;
}

/* What the record names in buckets that were configured once. */
struct elsewhere {
    const struct cs_campaigns *campaigns;
    const struct cs_call *call;
    struct cs_view prefix;
    struct cs_view bucket; /* of the last one that was gone through */
    struct cs_delete_report *report;
    enum cs_code rc;
    struct cs_err *err;
};

static bool delete_elsewhere(void *payload, struct cs_view name,
                             const struct cs_artifact *artifact)
{
    struct elsewhere *e = payload;
    struct cs_delete_report report;
    struct cs_store *store =
        cs_store_in_bucket(e->campaigns->store, artifact->bucket, e->err);

    (void)name;
    if (store == e->campaigns->store || cs_view_eq(artifact->bucket, e->bucket))
        return true;
    e->bucket = artifact->bucket;
    e->rc = store == NULL ? CS_EUPSTREAM
                          : store->ops->delete_prefix(store, e->prefix, &report,
                                                      e->call->deadline, e->err);
    if (e->rc != CS_OK)
        return false;
    e->report->objects_deleted += report.objects_deleted;
    e->report->versions_deleted += report.versions_deleted;
    e->report->bytes_deleted += report.bytes_deleted;
    e->report->left += report.left;
    return true;
}

static bool delete_objects(const struct cs_campaigns *campaigns,
                           const struct cs_call *call, const struct cs_record *before,
                           struct cs_removal *out)
{
    struct cs_buf prefix = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_err err = CS_ERR_NONE;
    struct elsewhere elsewhere = {.campaigns = campaigns,
                                  .call = call,
                                  .report = &out->objects,
                                  .rc = CS_OK,
                                  .err = &err};
    enum cs_code rc;

    cs_artifact_key(&prefix, before->key, CS_LIT(""));
    if ((rc = cs_buf_check(&prefix, &err)) == CS_OK)
        rc = delete_folder(campaigns, call, cs_buf_view(&prefix), before, &out->objects,
                           &err);
    if (rc == CS_OK) {
        elsewhere.prefix = cs_buf_view(&prefix);
        cs_artifact_each(before, delete_elsewhere, &elsewhere);
        rc = elsewhere.rc;
    }
    if (rc != CS_OK)
        note_failure(out->objects_error, sizeof(out->objects_error), &err);
    else if (out->objects.left > 0)
        (void)snprintf(out->objects_error, sizeof(out->objects_error),
                       "a second listing still found %llu versions; repeat the request",
                       (unsigned long long)out->objects.left);
    cs_buf_clear(&prefix);
    return rc == CS_OK && out->objects.left == 0;
}

/* A record that was withdrawn counts until it goes; another was counted out when it got
 * its tombstone. */
static enum cs_code erase(const struct cs_campaigns *campaigns,
                          const struct cs_call *call, const struct cs_record *tombstone,
                          struct cs_removal *out, struct cs_err *err)
{
    struct cs_buf owner_group = CS_BUF_INIT(CS_USER_ID_MAX + 16);
    struct cs_delta deltas[CS_CAMPAIGN_DELTAS_MAX];
    const struct cs_write write = {CS_WRITE_DELETE, tombstone};
    const struct cs_transaction transaction = {
        &write, 1, deltas, cs_campaign_deltas(tombstone, -1, &owner_group, deltas)};
    uint64_t log_entries = 0;
    enum cs_code rc = campaigns->store->ops->erase(campaigns->store, &transaction,
                                                   &log_entries, call->deadline, err);

    out->records_deleted += log_entries + (rc == CS_OK ? 1 : 0);
    cs_buf_clear(&owner_group);
    return rc;
}

/* Where another request moved the tombstone on, it is read again. */
static bool delete_record(const struct cs_campaigns *campaigns,
                          const struct cs_call *call, const struct cs_record *tombstone,
                          struct cs_removal *out)
{
    const struct cs_store_ops *ops = campaigns->store->ops;
    struct cs_record *record = NULL;
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc = erase(campaigns, call, tombstone, out, &err);

    if (rc == CS_ECONFLICT) {
        cs_err_clear(&err);
        rc = ops->get(campaigns->store, tombstone->key, &record, call->deadline, &err);
        if (rc == CS_OK && cs_campaign_is(record, "deleting"))
            rc = erase(campaigns, call, record, out, &err);
        else if (rc == CS_ENOTFOUND)
            rc = CS_OK; /* somebody else finished it meanwhile */
    }
    if (rc != CS_OK)
        note_failure(out->records_error, sizeof(out->records_error), &err);
    cs_record_free(record);
    return rc == CS_OK;
}

static void finish(const struct cs_campaigns *campaigns, const struct cs_call *call,
                   const struct cs_record *before, const struct cs_record *tombstone,
                   struct cs_removal *out)
{
    out->objects_ok = delete_objects(campaigns, call, before, out);
    if (out->objects_ok)
        out->records_ok = delete_record(campaigns, call, tombstone, out);
    else
        (void)snprintf(
            out->records_error, sizeof(out->records_error),
            "the record is kept until the objects are gone; repeat the request");
    cs_log_put(campaigns->log, out->records_ok ? CS_LOG_INFO : CS_LOG_WARN,
               out->records_ok ? "campaign deleted" : "campaign deletion incomplete",
               CS_LOG_TEXT("campaign", tombstone->key),
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
        finish(campaigns, call, record, tombstone, out);
    cs_record_free(tombstone);
    return rc;
}

/* Takes the campaign out of the lists without a look at it; *before is what it was. */
static enum cs_code withdraw(const struct cs_campaigns *campaigns,
                             const struct cs_call *call, struct cs_view id,
                             struct cs_record **before, struct cs_err *err)
{
    const struct cs_withdrawal withdrawal = {.key = id,
                                             .user_id = call->user_id,
                                             .anyones = call->admin,
                                             .status = CS_LIT("deleting"),
                                             .now_us = call->now_us};

    *before = NULL;
    if (campaigns->store->ops->withdraw == NULL || !cs_campaign_id_valid(id))
        return CS_ECONFLICT;
    return campaigns->store->ops->withdraw(campaigns->store, &withdrawal, before,
                                           call->deadline, err);
}

/* Says why it could not be withdrawn, or does it step by step. */
static enum cs_code look_and_remove(const struct cs_campaigns *campaigns,
                                    const struct cs_call *call, struct cs_view id,
                                    struct cs_removal *out, struct cs_err *err)
{
    enum cs_code rc = CS_ECONFLICT;

    for (int i = 0; i < TOMBSTONE_ATTEMPTS && rc == CS_ECONFLICT; i++) {
        struct cs_record *record = NULL;
        struct cs_err cause = CS_ERR_NONE;

        rc = cs_campaign_load(campaigns, call, id, CS_ACCESS_OWNER_OR_ADMIN, true,
                              &record, err);
        if (rc != CS_OK)
            return rc;
        rc = cs_campaign_remove_record(campaigns, call, record, out, &cause);
        if (rc != CS_OK && rc != CS_ECONFLICT)
            cs_err_hand_on(err, &cause);
        cs_record_free(record);
    }
    if (rc == CS_ECONFLICT)
        rc = cs_err_field(
            err, CS_EBUSY, "", "campaign_contended",
            "too many others change this campaign at the same time; try again");
    return rc;
}

enum cs_code cs_campaign_remove(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view id,
                                struct cs_removal *out, struct cs_err *err)
{
    struct cs_err cause = CS_ERR_NONE;
    struct cs_record tombstone;
    struct cs_record *before;
    enum cs_code rc;

    *out = (struct cs_removal){.objects_ok = false};
    rc = withdraw(campaigns, call, id, &before, &cause);
    if (rc == CS_ECONFLICT)
        return look_and_remove(campaigns, call, id, out, err);
    if (rc == CS_OK) {
        tombstone = cs_record_withdrawn(before, CS_LIT("deleting"));
        finish(campaigns, call, before, &tombstone, out);
    } else {
        cs_err_hand_on(err, &cause);
    }
    cs_record_free(before);
    return rc;
}
