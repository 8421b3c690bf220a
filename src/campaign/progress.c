#include "config.h"

#include "campaign/progress.h"

#include "campaign/artifacts.h"
#include "json/scan.h"
#include "json/write.h"

#define NAME       "progress" /* in detail.files */
#define READS      5          /* of a record whose progress is replaced all the time */
#define TIME_ALONE 64u        /* bytes at most of what stands for a long one */

/* ---- telling ---- */

static enum cs_code check_progress(struct cs_view body, struct cs_faults *faults,
                                   struct cs_err *err)
{
    static const struct {
        const char *pointer, *name;
        bool is_number;
    } fields[] = {
        {"/current_step", "current_step", true},
        {"/completed_steps", "completed_steps", true},
        {"/total_steps", "total_steps", true},
        {"/step_name", "step_name", false},
        {"/step_description", "step_description", false},
    };
    struct cs_buf text = CS_BUF_INIT(CS_PROGRESS_BYTES_MAX);
    uint64_t number;

    if (cs_json_kind(body) != '{')
        return cs_err_field(err, CS_EINVAL, "", "validation_failed",
                            "the body must be a JSON object");
    if (body.len > CS_PROGRESS_BYTES_MAX)
        return cs_err_field(err, CS_ETOOBIG, "", "progress_too_big",
                            "a progress has at most %u KiB; log details as interactions",
                            CS_PROGRESS_BYTES_MAX / 1024u);
    for (size_t i = 0; i < CS_COUNT(fields); i++) {
        const struct cs_field field = {fields[i].pointer,
                                       cs_json_slice(body, fields[i].name), false};

        cs_buf_reset(&text);
        if (fields[i].is_number)
            (void)cs_check_integer(faults, &field, 1000000, &number);
        else
            (void)cs_check_text(faults, &field, 0, 2000, &text);
    }
    cs_buf_clear(&text);
    return cs_faults_check(faults, err);
}

/* What a record names stays until the next one is committed, also where a bucket keeps no
 * versions: the key is its content's. */
static enum cs_code store_object(const struct cs_campaigns *campaigns,
                                 const struct cs_call *call, struct cs_view id,
                                 struct cs_view json, struct cs_object *out,
                                 struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_object_source source = {.bytes = json, .fd = -1};
    enum cs_code rc = cs_artifact_content_key(&key, id, NAME "/", json, err);

    source.info = (struct cs_object_info){.key = cs_buf_view(&key),
                                          .content_type = CS_LIT("application/json"),
                                          .compressible = true};
    if (rc == CS_OK)
        rc = campaigns->store->ops->put(campaigns->store, &source, 1, out, call->deadline,
                                        err);
    cs_buf_clear(&key);
    return rc;
}

struct progress_edit {
    struct cs_object stored;            /* of a long one, or empty */
    struct cs_buf told, pointer, files; /* progress_log, files.progress, files */
    struct cs_buf bucket, key, version; /* of the object that the one before had */
    struct cs_json_change changes[2];
};

static void note_old(struct progress_edit *edit, const struct cs_artifact *old)
{
    cs_buf_reset(&edit->bucket);
    cs_buf_reset(&edit->key);
    cs_buf_reset(&edit->version);
    cs_buf_add(&edit->bucket, old->bucket);
    cs_buf_add(&edit->key, old->key);
    cs_buf_add(&edit->version, old->version);
}

/* CS_EEXISTS: the record names the stored object already, as the commit of an attempt
 * before was done, though its answer was lost. */
static enum cs_code edit_progress(void *payload, const struct cs_record *record,
                                  struct cs_campaign_change *change_out,
                                  struct cs_err *err)
{
    struct progress_edit *edit = payload;
    struct cs_artifact old;
    bool had = cs_artifact_find(record, CS_LIT(NAME), &old, NULL) == CS_OK;
    bool has = edit->stored.key != NULL;
    const struct cs_json_change entry = {NAME, has ? cs_buf_view(&edit->pointer)
                                                   : cs_view_of(NULL, 0)};

    if (had && has && cs_view_eq_cstr(old.key, edit->stored.key) &&
        cs_view_eq_cstr(old.version, edit->stored.version))
        return CS_EEXISTS;
    if (had)
        note_old(edit, &old);
    edit->changes[0] = (struct cs_json_change){"progress_log", cs_buf_view(&edit->told)};
    *change_out = (struct cs_campaign_change){.detail = edit->changes,
                                              .detail_count = had || has ? 2 : 1,
                                              .repeatable = true,
                                              .unlisted = true};
    if (had || has) {
        cs_buf_reset(&edit->files);
        cs_json_edit(&edit->files, cs_json_slice(record->detail, "files"), &entry, 1);
        edit->changes[1] = (struct cs_json_change){"files", cs_buf_view(&edit->files)};
    }
    if (cs_campaign_must_run(record, err) != CS_OK)
        return CS_ECONFLICT;
    return cs_buf_check(&edit->files, err);
}

/* Stores a long progress; the record is then told its time alone. Only the owner of a
 * running campaign stores anything. */
static enum cs_code store_long(const struct cs_campaigns *campaigns,
                               const struct cs_call *call, struct cs_view id,
                               struct cs_view json, struct progress_edit *edit,
                               struct cs_err *err)
{
    struct cs_record *record = NULL;
    struct cs_json_writer w;
    enum cs_code rc =
        cs_campaign_load(campaigns, call, id, CS_ACCESS_OWNER, false, &record, err);

    if (rc == CS_OK && (rc = cs_campaign_must_run(record, err)) == CS_OK &&
        (rc = cs_campaign_check_room(record, CS_LIT(""), 1, err)) == CS_OK)
        rc = store_object(campaigns, call, id, json, &edit->stored, err);
    cs_record_free(record);
    if (rc != CS_OK)
        return rc;
    cs_artifact_json(&edit->pointer, &edit->stored, CS_LIT("application/json"), false);
    cs_json_writer_init(&w, &edit->told);
    cs_json_object(&w);
    cs_json_member_raw(&w, "last_update", cs_json_slice(json, "last_update"));
    cs_json_object_end(&w);
    return cs_buf_check(&edit->pointer, err);
}

static enum cs_code commit(const struct cs_campaigns *campaigns,
                           const struct cs_call *call, struct cs_view id,
                           struct cs_view json, struct cs_err *err)
{
    struct progress_edit edit = {.stored = {.key = NULL},
                                 .told = CS_BUF_INIT(CS_RECORD_BYTES_MAX),
                                 .pointer = CS_BUF_INIT(8192),
                                 .files = CS_BUF_INIT(CS_RECORD_BYTES_MAX),
                                 .bucket = CS_BUF_INIT(CS_STORE_KEY_MAX),
                                 .key = CS_BUF_INIT(CS_STORE_KEY_MAX),
                                 .version = CS_BUF_INIT(2048)};
    enum cs_code rc = CS_OK;

    if (json.len > campaigns->limits.inline_progress_bytes)
        rc = store_long(campaigns, call, id, json, &edit, err);
    else
        cs_buf_add(&edit.told, json);
    if (rc != CS_OK || (rc = cs_buf_check(&edit.told, err)) != CS_OK)
        goto out;
    rc = cs_campaign_edit(campaigns, call, id, edit_progress, &edit, err);
    if (rc == CS_EEXISTS)
        rc = CS_OK;
    /* what no record names is of no use; of other failures nobody knows what they did */
    if (rc == CS_OK && edit.key.len > 0)
        cs_artifact_discard_from(campaigns, cs_buf_view(&edit.bucket),
                                 cs_buf_view(&edit.key), cs_buf_view(&edit.version),
                                 call->deadline);
    else if (edit.stored.key != NULL &&
             (rc == CS_ENOTFOUND || rc == CS_ECONFLICT || rc == CS_ETOOBIG))
        cs_artifact_discard(campaigns, cs_view_cstr(edit.stored.key),
                            cs_view_cstr(edit.stored.version), call->deadline);
out:
    cs_object_clear(&edit.stored);
    cs_buf_clear(&edit.told);
    cs_buf_clear(&edit.pointer);
    cs_buf_clear(&edit.files);
    cs_buf_clear(&edit.bucket);
    cs_buf_clear(&edit.key);
    cs_buf_clear(&edit.version);
    return rc;
}

enum cs_code cs_campaign_progress(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call, struct cs_view id,
                                  struct cs_view body, struct cs_buf *progress_out,
                                  struct cs_faults *faults, struct cs_err *err)
{
    struct cs_buf now = CS_BUF_INIT(64);
    struct cs_json_change stamp;
    enum cs_code rc = check_progress(body, faults, err);

    if (rc != CS_OK)
        return rc;
    cs_json_quote_time(&now, call->now_us);
    stamp = (struct cs_json_change){"last_update", cs_buf_view(&now)};
    cs_json_edit(progress_out, body, &stamp, 1);
    if ((rc = cs_buf_check(progress_out, err)) == CS_OK)
        rc = commit(campaigns, call, id, cs_buf_view(progress_out), err);
    cs_buf_clear(&now);
    return rc;
}

/* ---- reading ---- */

void cs_progress_clear(struct cs_progress *progress)
{
    cs_buf_clear(&progress->fetched);
    *progress = CS_PROGRESS_NONE;
}

enum cs_code cs_progress_read(const struct cs_campaigns *campaigns,
                              const struct cs_record *record, struct cs_progress *out,
                              struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_err cause = CS_ERR_NONE;
    struct cs_artifact object;
    enum cs_code rc;

    cs_buf_reset(&out->fetched);
    out->json = cs_json_slice(record->detail, "progress_log");
    if (out->json.len > TIME_ALONE ||
        cs_artifact_find(record, CS_LIT(NAME), &object, NULL) != CS_OK)
        return CS_OK;
    rc = cs_artifact_read(campaigns, &object, &out->fetched, deadline, &cause);
    out->json = cs_buf_view(&out->fetched);
    if (rc == CS_ENOTFOUND)
        return CS_ECONFLICT;
    if (rc != CS_OK)
        cs_err_hand_on(err, &cause);
    return rc;
}

enum cs_code cs_progress_load(const struct cs_campaigns *campaigns,
                              const struct cs_call *call, struct cs_view id,
                              enum cs_access access, struct cs_record **record_out,
                              struct cs_progress *out, struct cs_err *err)
{
    enum cs_code rc;

    for (int i = 0; i < READS; i++) {
        rc = cs_campaign_load(campaigns, call, id, access, false, record_out, err);
        if (rc == CS_OK)
            rc = cs_progress_read(campaigns, *record_out, out, call->deadline, err);
        if (rc != CS_ECONFLICT)
            return rc;
        cs_record_free(*record_out);
        *record_out = NULL;
    }
    return cs_err_set(err, CS_EUPSTREAM,
                      "the object of a long progress is missing; campaignctl fsck tells "
                      "which");
}
