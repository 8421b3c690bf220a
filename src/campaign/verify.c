#include "config.h"

#include "campaign/verify.h"

#include <stdlib.h>

#include "base/encoding.h"
#include "campaign/artifacts.h"
#include "campaign/log_names.h"
#include "campaign/long_entries.h"
#include "campaign/remove.h"
#include "json/scan.h"

#define RECORDS_PER_PAGE 200u
#define BLOCK_BYTES      (64u * 1024u)

struct verification {
    const struct cs_campaigns *campaigns;
    const struct cs_call *call;
    const struct cs_verify_options *options;
    struct cs_verify_report *report;
    struct cs_view id;         /* of the campaign being looked at */
    struct cs_log_names names; /* of the campaign whose objects are looked at */
    struct cs_err *err;
    enum cs_code rc;
};

static void tell(struct verification *v, enum cs_finding_kind kind, struct cs_view key,
                 struct cs_view version, const char *text, bool repaired)
{
    const struct cs_finding finding = {kind, key, version, 0, text, repaired};

    v->report->findings++;
    v->report->repaired += repaired ? 1 : 0;
    if (v->options->finding != NULL)
        v->options->finding(v->options->payload, &finding);
}

static void step(struct verification *v)
{
    if (v->options->progress != NULL)
        v->options->progress(v->options->payload,
                             v->report->records + v->report->objects);
}

/* ---- the records: is all there that they name? ---- */

static enum cs_code read_digest(const struct verification *v,
                                struct cs_object_reader *reader,
                                char hex[CS_SHA256_HEX_LEN + 1], struct cs_err *err)
{
    const struct cs_store_ops *ops = v->campaigns->store->ops;
    struct cs_sha256 *digest = cs_sha256_new();
    char *block = malloc(BLOCK_BYTES);
    uint8_t bytes[CS_SHA256_LEN];
    size_t got = 0;
    enum cs_code rc = digest == NULL || block == NULL ? cs_err_nomem(err) : CS_OK;

    while (rc == CS_OK) {
        rc = ops->read(v->campaigns->store, reader, block, BLOCK_BYTES, &got, err);
        if (rc != CS_OK || got == 0)
            break;
        rc = cs_sha256_add(digest, cs_view_of(block, got), err);
    }
    if (rc == CS_OK && (rc = cs_sha256_end(digest, bytes, err)) == CS_OK)
        cs_sha256_hex(hex, bytes);
    cs_sha256_free(digest);
    free(block);
    return rc;
}

/* Whether the record still names it: an artifact that was replaced since the
 * record was read is gone, and rightly so. */
static bool is_still_named(const struct verification *v, struct cs_view name,
                           const struct cs_artifact *artifact)
{
    struct cs_record *record = NULL;
    struct cs_artifact current;
    bool named = false;

    if (v->campaigns->store->ops->get(v->campaigns->store, v->id, &record,
                                      v->call->deadline, NULL) == CS_OK &&
        !cs_campaign_is(record, "deleting"))
        named = cs_artifact_find(record, name, &current, NULL) == CS_OK &&
                cs_view_eq(current.key, artifact->key) &&
                cs_view_eq(current.version, artifact->version);
    cs_record_free(record);
    return named;
}

static bool is_there(const struct verification *v)
{
    struct cs_record *record = NULL;
    bool there = v->campaigns->store->ops->get(v->campaigns->store, v->id, &record,
                                               v->call->deadline, NULL) == CS_OK &&
                 !cs_campaign_is(record, "deleting");

    cs_record_free(record);
    return there;
}

/* CS_ENOTFOUND for one that is not there; tells of one that is not as it was. */
static enum cs_code look_at(struct verification *v, const struct cs_artifact *artifact)
{
    struct cs_store *store =
        cs_store_in_bucket(v->campaigns->store, artifact->bucket, v->err);
    struct cs_object_reader *reader = NULL;
    char hex[CS_SHA256_HEX_LEN + 1] = "";
    uint64_t size = 0;
    enum cs_code rc;

    if (store == NULL)
        return CS_EUPSTREAM;
    rc = store->ops->open(store, artifact->key, artifact->version, NULL, &reader, &size,
                          v->call->deadline, v->err);
    if (rc == CS_ENOTFOUND)
        cs_err_clear(v->err);
    if (rc == CS_OK && v->options->check_bytes)
        rc = read_digest(v, reader, hex, v->err);
    if (rc == CS_OK && (size != artifact->size ||
                        (*hex != '\0' && !cs_view_eq_cstr(artifact->sha256, hex))))
        tell(v, CS_FINDING_WRONG_BYTES, artifact->key, artifact->version,
             "the object does not have the recorded size or SHA-256", false);
    if (reader != NULL)
        store->ops->close(store, reader);
    return rc;
}

static bool check_artifact(void *payload, struct cs_view name,
                           const struct cs_artifact *artifact)
{
    struct verification *v = payload;

    v->rc = look_at(v, artifact);
    if (v->rc != CS_ENOTFOUND)
        return v->rc == CS_OK;
    v->rc = CS_OK;
    if (is_still_named(v, name, artifact))
        tell(v, CS_FINDING_MISSING_OBJECT, artifact->key, artifact->version,
             "the record names an object that is not there", false);
    return true;
}

/* What the log names once it names until the campaign is deleted. */
static bool check_entry(void *payload, const struct cs_artifact *entry)
{
    struct verification *v = payload;

    v->rc = look_at(v, entry);
    if (v->rc != CS_ENOTFOUND)
        return v->rc == CS_OK;
    v->rc = CS_OK;
    if (is_there(v))
        tell(v, CS_FINDING_MISSING_OBJECT, entry->key, entry->version,
             "the log of interactions names an object that is not there", false);
    return true;
}

static enum cs_code finish_delete(struct verification *v, const struct cs_record *record)
{
    struct cs_removal removal = {.objects_ok = false};
    enum cs_code rc = CS_OK;

    if (v->options->repair)
        rc = cs_campaign_remove_record(v->campaigns, v->call, record, &removal, v->err);
    tell(v, CS_FINDING_UNFINISHED_DELETE, record->key, cs_view_of(NULL, 0),
         "a delete was interrupted", removal.records_ok);
    return rc;
}

static enum cs_code check_record(struct verification *v, const struct cs_record *record)
{
    struct cs_record *current = NULL;
    enum cs_code rc = CS_OK;

    v->report->records++;
    step(v);
    if (record->key.ptr[0] == '#')
        return CS_OK;
    if (cs_campaign_is(record, "deleting"))
        return finish_delete(v, record);
    v->rc = CS_OK;
    v->id = record->key;
    /* Read anew: between the listing and now it may have been completed or deleted. */
    if (v->campaigns->store->ops->get(v->campaigns->store, record->key, &current,
                                      v->call->deadline, NULL) == CS_OK &&
        !cs_campaign_is(current, "deleting")) {
        cs_artifact_each(current, check_artifact, v);
        rc = v->rc != CS_OK ? v->rc
                            : cs_long_entries_each(v->campaigns, record->key, check_entry,
                                                   v, v->call->deadline, v->err);
    }
    cs_record_free(current);
    return rc != CS_OK ? rc : v->rc;
}

typedef enum cs_code record_fn(struct verification *v, const struct cs_record *record);

static enum cs_code each_record(struct verification *v, record_fn *visit)
{
    struct cs_list_query query = {.index = CS_LIST_ALL, .limit = RECORDS_PER_PAGE};
    struct cs_record_page page = {.count = 0};
    char *cursor = NULL;
    enum cs_code rc = CS_OK;

    do {
        query.cursor = cs_view_cstr(cursor);
        rc = v->campaigns->store->ops->list(v->campaigns->store, &query, &page,
                                            v->call->deadline, v->err);
        for (size_t i = 0; i < page.count && rc == CS_OK; i++)
            rc = visit(v, page.records[i]);
        free(cursor);
        cursor = page.next_cursor;
        page.next_cursor = NULL;
        cs_record_page_clear(&page);
    } while (rc == CS_OK && cursor != NULL);
    free(cursor);
    return rc;
}

/* ---- the objects: does a record name each? ---- */

struct orphan_search {
    const struct cs_object_entry *entry;
    bool named;
};

/* A record of another program has the addresses of its objects, and no versions. */
static bool has_address(const struct cs_record *record, struct cs_view key)
{
    static const char *const members[] = {"s3_website_url", "s3_pdf_url",
                                          "s3_artifacts_url", "s3_metadata_url"};
    struct cs_buf url = CS_BUF_INIT(65536);
    bool has = false;

    for (size_t i = 0; i < CS_COUNT(members) && !has && url.failed == CS_OK; i++) {
        cs_buf_reset(&url);
        has = (cs_json_slice_string(&url, record->summary, members[i]) ||
               cs_json_slice_string(&url, record->detail, members[i])) &&
              cs_view_find(cs_buf_view(&url), key) != SIZE_MAX;
    }
    has = has || url.failed != CS_OK;
    cs_buf_clear(&url);
    return has;
}

static bool names_entry(void *payload, struct cs_view name,
                        const struct cs_artifact *artifact)
{
    struct orphan_search *search = payload;

    (void)name;
    search->named = cs_view_eq(artifact->key, search->entry->key) &&
                    cs_view_eq(artifact->version, search->entry->version);
    return !search->named;
}

/* "campaigns/{id}/rest" to its parts; false for a key of another shape. */
static bool split_key(struct cs_view key, struct cs_view *id, struct cs_view *rest)
{
    const struct cs_view prefix = CS_LIT("campaigns/");
    size_t slash;

    if (!cs_view_starts(key, prefix))
        return false;
    key = cs_view_from(key, prefix.len);
    slash = cs_view_find_byte(key, '/');
    if (slash == SIZE_MAX)
        return false;
    *id = cs_view_sub(key, 0, slash);
    *rest = cs_view_from(key, slash + 1);
    return cs_campaign_id_valid(*id);
}

/* Parts of an upload belong to their upload's record. */
static enum cs_code upload_exists(struct verification *v, struct cs_view id,
                                  struct cs_view rest, bool *named)
{
    struct cs_buf key = CS_BUF_INIT(CS_RECORD_KEY_MAX);
    struct cs_record *record = NULL;
    struct cs_view upload = cs_view_from(rest, strlen("uploads/"));
    enum cs_code rc;

    upload = cs_view_sub(upload, 0, cs_view_find_byte(upload, '/'));
    cs_buf_add_cstr(&key, "#upload/");
    cs_buf_add(&key, id);
    cs_buf_add_byte(&key, '/');
    cs_buf_add(&key, upload);
    rc = v->campaigns->store->ops->get(v->campaigns->store, cs_buf_view(&key), &record,
                                       v->call->deadline, NULL);
    *named = rc == CS_OK;
    cs_record_free(record);
    cs_buf_clear(&key);
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

/* What is left of one that is being deleted goes with it. */
static enum cs_code log_names(struct verification *v, const struct cs_record *record,
                              const struct cs_object_entry *entry, bool *named)
{
    enum cs_code rc = CS_OK;

    *named = cs_campaign_is(record, "deleting");
    if (!*named && (rc = cs_log_names_load(&v->names, v->campaigns, record->key,
                                           v->call->deadline, v->err)) == CS_OK)
        *named = cs_log_names_have(&v->names, entry->key, entry->version);
    return rc;
}

static enum cs_code is_named(struct verification *v, const struct cs_object_entry *entry,
                             bool *named)
{
    struct orphan_search search = {entry, false};
    struct cs_record *record = NULL;
    struct cs_view id;
    struct cs_view rest;
    enum cs_code rc;

    *named = true;
    if (!split_key(entry->key, &id, &rest))
        return CS_OK; /* not of our making: left alone */
    rc = v->campaigns->store->ops->get(v->campaigns->store, id, &record,
                                       v->call->deadline, NULL);
    *named = false;
    if (rc == CS_OK && cs_view_starts(rest, CS_LIT("uploads/")))
        rc = upload_exists(v, id, rest, named);
    else if (rc == CS_OK && cs_view_starts(rest, CS_LIT(CS_LONG_ENTRIES_FOLDER)))
        rc = log_names(v, record, entry, named);
    else if (rc == CS_OK) {
        cs_artifact_each(record, names_entry, &search);
        *named = search.named || has_address(record, entry->key);
    }
    cs_record_free(record);
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static bool check_object(void *payload, const struct cs_object_entry *entry)
{
    struct verification *v = payload;
    bool named;
    bool removed = false;

    v->report->objects++;
    step(v);
    if (entry->modified_us > v->call->now_us - v->options->orphan_age_us) {
        v->report->young++;
        return true;
    }
    if ((v->rc = is_named(v, entry, &named)) != CS_OK)
        return false;
    if (named)
        return true;
    if (v->options->repair) {
        v->rc = v->campaigns->store->ops->delete_version(
            v->campaigns->store, entry->key, entry->version, v->call->deadline, v->err);
        removed = v->rc == CS_OK;
    }
    tell(v, CS_FINDING_ORPHAN_OBJECT, entry->key, entry->version,
         "neither record nor log names this object", removed);
    return v->rc == CS_OK;
}

static struct verification begin(const struct cs_campaigns *campaigns,
                                 const struct cs_call *call,
                                 const struct cs_verify_options *options,
                                 struct cs_verify_report *report, struct cs_err *err)
{
    *report = (struct cs_verify_report){.records = 0};
    return (struct verification){.campaigns = campaigns,
                                 .call = call,
                                 .options = options,
                                 .report = report,
                                 .names = CS_LOG_NAMES_NONE,
                                 .err = err,
                                 .rc = CS_OK};
}

static void tell_leftover(void *payload, struct cs_view name, bool removed)
{
    tell(payload, CS_FINDING_ORPHAN_ENTRY, name, cs_view_of(NULL, 0),
         "the campaign whose log this belongs to is gone", removed);
}

enum cs_code cs_campaigns_verify(const struct cs_campaigns *campaigns,
                                 const struct cs_call *call,
                                 const struct cs_verify_options *options,
                                 struct cs_verify_report *out, struct cs_err *err)
{
    struct verification v = begin(campaigns, call, options, out, err);
    enum cs_code rc = each_record(&v, check_record);

    if (rc == CS_OK)
        rc = campaigns->store->ops->leftovers(campaigns->store, options->repair,
                                              tell_leftover, &v, call->deadline, err);
    if (rc != CS_OK)
        return rc;
    rc = campaigns->store->ops->each_object(campaigns->store, CS_LIT("campaigns/"),
                                            check_object, &v, call->deadline, err);
    cs_log_names_clear(&v.names);
    return rc != CS_OK ? rc : v.rc;
}

/* ---- cleanup ---- */

static enum cs_code remove_service_record(struct verification *v,
                                          const struct cs_record *record)
{
    struct cs_write write = {CS_WRITE_DELETE, record};
    const struct cs_transaction transaction = {&write, 1, NULL, 0};
    enum cs_code rc = v->campaigns->store->ops->commit(v->campaigns->store, &transaction,
                                                       v->call->deadline, v->err);

    if (rc != CS_ECONFLICT)
        return rc;
    cs_err_clear(v->err); /* changed meanwhile: the next cleanup sees it */
    return CS_OK;
}

static enum cs_code clean_record(struct verification *v, const struct cs_record *record)
{
    struct cs_removal removal = {.objects_ok = false};
    bool service = record->key.ptr[0] == '#';
    bool done = false;
    enum cs_code rc = CS_OK;

    v->report->records++;
    step(v);
    if (record->expires_at_us == 0 || record->expires_at_us > v->call->now_us)
        return CS_OK;
    if (v->options->repair && service) {
        rc = remove_service_record(v, record);
        done = rc == CS_OK;
    } else if (v->options->repair) {
        rc = cs_campaign_remove_record(v->campaigns, v->call, record, &removal, v->err);
        done = removal.records_ok;
        if (rc == CS_ECONFLICT) {
            cs_err_clear(v->err);
            rc = CS_OK;
        }
    }
    tell(v, CS_FINDING_EXPIRED, record->key, cs_view_of(NULL, 0), "it has expired", done);
    return rc;
}

enum cs_code cs_campaigns_cleanup(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call,
                                  const struct cs_verify_options *options,
                                  struct cs_verify_report *out, struct cs_err *err)
{
    struct verification v = begin(campaigns, call, options, out, err);

    return each_record(&v, clean_record);
}
