#include "config.h"

#include "campaign/complete.h"

#include <stdio.h>

#include "campaign/artifacts.h"
#include "campaign/create.h"
#include "campaign/lifecycle.h"
#include "campaign/long_entries.h"
#include "campaign/progress.h"
#include "campaign/uploads.h"
#include "json/scan.h"
#include "json/write.h"

#define METADATA_BYTES_MAX (32u << 20)
#define EXECUTION_TIME_MAX 1e9
#define QUALITY_SCORE_MAX  1e6
#define ATTEMPTS           4

enum { WEBSITE, PDF, ARTIFACTS, METADATA, OBJECTS };

static const char *const object_names[OBJECTS] = {"website", "pdf", "artifacts",
                                                  "metadata"};

/* Everything that one completion works on; cleared by clear_completion(). */
struct completion {
    const struct cs_campaigns *campaigns;
    const struct cs_call *call;
    struct cs_view id;
    struct cs_view state;         /* final_state, byte for byte */
    struct cs_buf uploaded_state; /* its bytes where it came as an upload */
    struct cs_buf upload_id;
    char state_sha256[CS_SHA256_HEX_LEN + 1];
    struct cs_view execution_time; /* as the client wrote it, .ptr NULL when not given */
    struct cs_view quality_score;
    struct cs_buf measured_time; /* seconds, where the client gave none */
    struct cs_buf brief;
    struct cs_progress progress;
    struct cs_record *record;   /* the ground of the attempt */
    struct cs_buf interactions; /* a JSON array */
    bool interactions_cut;
    struct cs_buf metadata;
    struct cs_buf unknown; /* fields of the body that mean nothing here */
    char completed_at[CS_TIME_TEXT_LEN + 1];
    struct cs_render_output rendered;
    struct cs_object objects[OBJECTS];
    bool stored[OBJECTS];
    bool committed; /* by an attempt whose answer was lost */
    struct cs_completion_report *report;
};

static void clear_objects(struct completion *c)
{
    for (size_t i = 0; i < OBJECTS; i++) {
        cs_object_clear(&c->objects[i]);
        c->stored[i] = false;
    }
}

static void clear_completion(struct completion *c)
{
    cs_buf_clear(&c->uploaded_state);
    cs_buf_clear(&c->upload_id);
    cs_buf_clear(&c->measured_time);
    cs_buf_clear(&c->brief);
    cs_progress_clear(&c->progress);
    cs_buf_clear(&c->interactions);
    cs_buf_clear(&c->metadata);
    cs_buf_clear(&c->unknown);
    cs_render_output_clear(&c->rendered);
    clear_objects(c);
    cs_record_free(c->record);
}

/* ---- 1. validate ---- */

static void check_numbers(struct completion *c, struct cs_view body,
                          struct cs_faults *faults)
{
    const struct cs_field time = {"/execution_time",
                                  cs_json_slice(body, "execution_time"), false};
    const struct cs_field score = {"/quality_score", cs_json_slice(body, "quality_score"),
                                   false};
    double number;

    if (cs_check_number(faults, &time, 0, EXECUTION_TIME_MAX, &number))
        c->execution_time = time.value;
    if (cs_check_number(faults, &score, -QUALITY_SCORE_MAX, QUALITY_SCORE_MAX, &number))
        c->quality_score = score.value;
}

static enum cs_code check_body(struct completion *c, struct cs_view body,
                               struct cs_faults *faults, struct cs_err *err)
{
    const struct cs_field upload = {"/final_state_upload",
                                    cs_json_slice(body, "final_state_upload"), false};
    struct cs_field state = {"/final_state", cs_json_slice(body, "final_state"), true};

    if (cs_json_kind(body) != '{')
        return cs_err_field(err, CS_EINVAL, "", "validation_failed",
                            "the body must be a JSON object");
    check_numbers(c, body, faults);
    if (upload.value.ptr != NULL && state.value.ptr != NULL)
        cs_faults_add(faults, upload.pointer, "ambiguous",
                      "give final_state or final_state_upload, not both");
    else if (upload.value.ptr != NULL)
        (void)cs_check_text(faults, &upload, 1, 64, &c->upload_id);
    else if (cs_check_object(faults, &state))
        c->state = state.value;
    return cs_faults_check(faults, err);
}

static enum cs_code fetch_uploaded_state(struct completion *c, struct cs_err *err)
{
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc;

    if (c->upload_id.len == 0 || c->uploaded_state.len > 0)
        return CS_OK;
    rc = cs_upload_read_state(c->campaigns, c->call, c->id, cs_buf_view(&c->upload_id),
                              &c->uploaded_state, err);
    if (rc != CS_OK)
        return rc;
    c->state = cs_buf_view(&c->uploaded_state);
    rc = cs_json_validate(c->state, NULL, &cause);
    if (rc == CS_EINVAL)
        return cs_err_field(err, CS_EINVAL, "/final_state_upload", "json_invalid",
                            "the uploaded final_state: %s", cause.text);
    if (rc != CS_OK)
        return cs_err_set(err, rc, "%s", cause.text);
    if (cs_json_kind(c->state) != '{')
        return cs_err_field(err, CS_EINVAL, "/final_state_upload", "wrong_type",
                            "the uploaded final_state must be a JSON object");
    return CS_OK;
}

/* What tells a repeated completion from another one. An upload's digest is on
 * record, so that its bytes need not be there any more. */
static enum cs_code digest_state(struct completion *c, struct cs_err *err)
{
    uint8_t digest[CS_SHA256_LEN];
    enum cs_code rc;

    if (c->upload_id.len > 0)
        return cs_upload_state_sha256(c->campaigns, c->call, c->id,
                                      cs_buf_view(&c->upload_id), c->state_sha256, err);
    if ((rc = cs_sha256_of(digest, c->state, err)) == CS_OK)
        cs_sha256_hex(c->state_sha256, digest);
    return rc;
}

/* CS_OK to go on; CS_EEXISTS when this very completion was done before. */
static enum cs_code check_status(struct completion *c, const struct cs_record *record,
                                 struct cs_err *err)
{
    struct cs_artifact artifact;

    if (cs_campaign_is(record, "running"))
        return CS_OK;
    if (!cs_campaign_is(record, "completed"))
        return cs_err_field(err, CS_ECONFLICT, "", "campaign_not_running",
                            "the campaign is %.*s and can't be completed any more",
                            CS_FMT(record->status));
    if (cs_artifact_find(record, CS_LIT("artifacts"), &artifact, NULL) == CS_OK &&
        cs_view_eq_cstr(artifact.sha256, c->state_sha256))
        return CS_EEXISTS;
    return cs_err_field(err, CS_ECONFLICT, "", "campaign_completed",
                        "the campaign was completed before, with another final_state");
}

/* ---- 2. gather and render ---- */

/* "735.250000" without the zeros that say nothing. */
static void add_seconds(struct cs_buf *out, int64_t us)
{
    char fraction[8];
    size_t digits = 6;

    us = us < 0 ? 0 : us;
    cs_buf_add_i64(out, us / CS_SECOND_US);
    (void)snprintf(fraction, sizeof(fraction), "%06d", (int)(us % CS_SECOND_US));
    while (digits > 0 && fraction[digits - 1] == '0')
        digits--;
    if (digits > 0)
        cs_buf_add_fmt(out, ".%.*s", (int)digits, fraction);
}

static void measure_time(struct completion *c, const struct cs_record *record)
{
    int64_t created_us = c->call->now_us;

    cs_buf_reset(&c->measured_time);
    if (cs_time_parse(&created_us, record->created_at, NULL) != CS_OK)
        created_us = c->call->now_us;
    add_seconds(&c->measured_time, c->call->now_us - created_us);
}

static struct cs_view execution_time(const struct completion *c)
{
    return c->execution_time.ptr != NULL ? c->execution_time
                                         : cs_buf_view(&c->measured_time);
}

static enum cs_code render(struct completion *c, const struct cs_record *record,
                           struct cs_err *err)
{
    struct cs_buf name = CS_BUF_INIT(8 * CS_CAMPAIGN_NAME_MAX);
    struct cs_buf shown = CS_BUF_INIT(METADATA_BYTES_MAX);
    struct cs_artifact own;
    bool own_website = cs_artifact_find(record, CS_LIT("website"), &own, NULL) == CS_OK;
    bool own_pdf = cs_artifact_find(record, CS_LIT("pdf"), &own, NULL) == CS_OK;
    struct cs_render_input input = {
        .campaign_id = c->id,
        .status = CS_LIT("completed"),
        .created_at = record->created_at,
        .completed_at = cs_view_cstr(c->completed_at),
        .execution_time = execution_time(c),
        .quality_score = c->quality_score,
        .brief = cs_buf_view(&c->brief),
        .state = c->state,
        .progress = c->progress.json,
        .want_website = !own_website,
        .want_pdf = !own_pdf,
    };
    enum cs_code rc = CS_OK;

    cs_render_output_clear(&c->rendered);
    (void)cs_json_slice_string(&name, record->summary, "campaign_name");
    input.campaign_name = cs_buf_view(&name);
    if (input.want_website || input.want_pdf)
        rc = cs_long_entries_shorten(c->campaigns, cs_buf_view(&c->interactions), &shown,
                                     err);
    input.interactions = cs_buf_view(&shown);
    if (rc == CS_OK && (input.want_website || input.want_pdf))
        rc = cs_render(c->campaigns->renderer, &input, &c->rendered, c->call->deadline,
                       err);
    if (rc == CS_OK) {
        c->report->website_supplied = own_website || c->rendered.website_supplied;
        c->report->pages = c->rendered.pages;
        c->report->missing_glyphs = c->rendered.missing_glyphs;
        memcpy(c->report->website_note, c->rendered.website_note,
               sizeof(c->report->website_note));
    }
    cs_buf_clear(&name);
    cs_buf_clear(&shown);
    return rc;
}

/* The seed document's "metadata": the brief, the progress and the interactions,
 * beside the facts of the record. */
static enum cs_code write_metadata(struct completion *c, const struct cs_record *record,
                                   struct cs_err *err)
{
    struct cs_json_writer w;

    cs_buf_reset(&c->metadata);
    cs_json_writer_init(&w, &c->metadata);
    cs_json_object(&w);
    cs_json_member_str(&w, "campaign_id", c->id);
    cs_json_member_raw(&w, "user_id", cs_json_slice(record->summary, "user_id"));
    cs_json_member_raw(&w, "campaign_name",
                       cs_json_slice(record->summary, "campaign_name"));
    cs_json_member_cstr(&w, "status", "completed");
    cs_json_member_str(&w, "created_at", record->created_at);
    cs_json_member_cstr(&w, "completed_at", c->completed_at);
    cs_json_member_raw(&w, "execution_time", execution_time(c));
    cs_json_member_raw(&w, "quality_score", c->quality_score);
    cs_json_member_raw(&w, "tags", cs_json_slice(record->detail, "tags"));
    cs_json_member_raw(&w, "campaign_brief", cs_buf_view(&c->brief));
    cs_json_member_raw(&w, "progress_log", c->progress.json);
    cs_json_member_raw(&w, "agent_interactions", cs_buf_view(&c->interactions));
    cs_json_key(&w, "agent_interactions_truncated");
    cs_json_boolean(&w, c->interactions_cut);
    cs_json_object_end(&w);
    return cs_buf_check(&c->metadata, err);
}

/* ---- 3. store ---- */

static void object_source(const struct completion *c, size_t which, struct cs_view key,
                          struct cs_object_source *out)
{
    struct cs_view name = cs_view_cstr(object_names[which]);
    const struct cs_artifact_kind *kind = cs_artifact_kind(name);

    *out = (struct cs_object_source){
        .info = {.key = key,
                 .content_type = cs_view_cstr(kind->content_type),
                 .cache_control = cs_view_cstr(kind->cache_control),
                 .file_name = cs_view_cstr(kind->file_name),
                 .compressible = kind->compressible},
        .fd = -1,
    };
    if (which == WEBSITE) {
        out->fd = c->rendered.website_fd;
        out->size = c->rendered.website_size;
    } else if (which == PDF) {
        out->fd = c->rendered.pdf_fd;
        out->size = c->rendered.pdf_size;
    } else {
        out->bytes = which == ARTIFACTS ? c->state : cs_buf_view(&c->metadata);
    }
}

static bool is_wanted(const struct completion *c, size_t which)
{
    return which == ARTIFACTS || which == METADATA ||
           (which == WEBSITE ? c->rendered.website_fd : c->rendered.pdf_fd) >= 0;
}

static enum cs_code store_objects(struct completion *c, struct cs_err *err)
{
    struct cs_buf keys[OBJECTS];
    struct cs_object_source sources[OBJECTS];
    struct cs_object stored[OBJECTS] = {{.bucket = NULL}};
    size_t which[OBJECTS];
    size_t count = 0;
    enum cs_code rc;

    for (size_t i = 0; i < OBJECTS; i++) {
        cs_buf_init(&keys[i], CS_STORE_KEY_MAX);
        if (!is_wanted(c, i))
            continue;
        cs_artifact_key(&keys[i], c->id, cs_view_cstr(object_names[i]));
        object_source(c, i, cs_buf_view(&keys[i]), &sources[count]);
        which[count++] = i;
    }
    rc = c->campaigns->store->ops->put(c->campaigns->store, sources, count, stored,
                                       c->call->deadline, err);
    for (size_t i = 0; i < count && rc == CS_OK; i++) {
        c->objects[which[i]] = stored[i];
        c->stored[which[i]] = true;
    }
    for (size_t i = 0; i < OBJECTS; i++)
        cs_buf_clear(&keys[i]);
    return rc;
}

/* ---- 4. commit ---- */

static void add_files(struct cs_buf *out, const struct completion *c,
                      const struct cs_record *record)
{
    struct cs_buf pointers[OBJECTS];
    struct cs_json_change changes[OBJECTS];
    size_t count = 0;

    for (size_t i = 0; i < OBJECTS; i++) {
        cs_buf_init(&pointers[i], 8192);
        if (!c->stored[i])
            continue;
        cs_artifact_json(&pointers[i], &c->objects[i],
                         cs_artifact_content_type(cs_view_cstr(object_names[i])), false);
        changes[count++] =
            (struct cs_json_change){object_names[i], cs_buf_view(&pointers[i])};
    }
    cs_json_edit(out, cs_json_slice(record->detail, "files"), changes, count);
    for (size_t i = 0; i < OBJECTS; i++)
        cs_buf_clear(&pointers[i]);
}

static enum cs_code commit(struct completion *c, struct cs_record **after_out,
                           struct cs_err *err)
{
    struct cs_buf files = CS_BUF_INIT(CS_RECORD_BYTES_MAX);
    struct cs_buf completed_at = CS_BUF_INIT(64);
    struct cs_buf versions = CS_BUF_INIT(CS_SUMMARY_BYTES_MAX);
    struct cs_json_change summary[] = {
        {"completed_at", {NULL, 0}},
        {"execution_time", execution_time(c)},
        {"quality_score", c->quality_score},
        {"versions", {NULL, 0}},
    };
    struct cs_json_change detail[] = {{"files", {NULL, 0}}};
    struct cs_campaign_change change = {.summary = summary,
                                        .summary_count = CS_COUNT(summary),
                                        .detail = detail,
                                        .detail_count = CS_COUNT(detail),
                                        .unknown = cs_buf_view(&c->unknown),
                                        .status = "completed"};
    enum cs_code rc;

    cs_json_quote(&completed_at, cs_view_cstr(c->completed_at));
    add_files(&files, c, c->record);
    cs_artifact_versions(&versions, cs_buf_view(&files));
    summary[0].value = cs_buf_view(&completed_at);
    summary[3].value = cs_buf_view(&versions);
    detail[0].value = cs_buf_view(&files);
    if ((rc = cs_buf_check(&files, err)) == CS_OK &&
        (rc = cs_buf_check(&versions, err)) == CS_OK)
        rc =
            cs_campaign_commit(c->campaigns, c->call, c->record, &change, after_out, err);
    cs_buf_clear(&files);
    cs_buf_clear(&versions);
    cs_buf_clear(&completed_at);
    return rc;
}

static bool is_named(const struct cs_record *record, const char *name,
                     const struct cs_object *object)
{
    struct cs_artifact named;

    return cs_artifact_find(record, cs_view_cstr(name), &named, NULL) == CS_OK &&
           cs_view_eq_cstr(named.key, object->key) &&
           cs_view_eq_cstr(named.version, object->version);
}

/* Removes what the attempt before stored, except where the record, read since, names it:
 * the commit that ended in a conflict had been done before, and its answer was lost. */
static void discard_objects(struct completion *c, const struct cs_record *record)
{
    for (size_t i = 0; i < OBJECTS; i++) {
        if (!c->stored[i])
            continue;
        if (record != NULL && is_named(record, object_names[i], &c->objects[i]))
            c->committed = true;
        else
            cs_artifact_discard(c->campaigns, cs_view_cstr(c->objects[i].key),
                                cs_view_cstr(c->objects[i].version), c->call->deadline);
    }
    clear_objects(c);
}

/* ---- the flow ---- */

/* The record and its interactions: what the store remembers, or what it reads. */
static enum cs_code load(struct completion *c, bool from_memory, struct cs_err *err)
{
    struct cs_recall recall = {.record = NULL};
    enum cs_code rc;

    cs_record_free(c->record);
    c->record = NULL;
    cs_buf_reset(&c->interactions);
    if (from_memory &&
        cs_campaign_recall(c->campaigns, c->call, c->id, &recall) == CS_OK &&
        recall.whole && cs_campaign_is(recall.record, "running") &&
        recall.log_count <= c->campaigns->limits.interactions) {
        size_t taken = 0;

        c->interactions_cut = false;
        rc = cs_long_entries_expand(c->campaigns, cs_buf_view(&recall.log),
                                    CS_INTERACTIONS_BYTES_MAX, &c->interactions, &taken,
                                    c->call->deadline, err);
        if (rc != CS_OK || taken == recall.log_count) {
            c->record = recall.record;
            recall.record = NULL;
            cs_recall_clear(&recall);
            return rc;
        }
        cs_buf_reset(&c->interactions);
    }
    cs_recall_clear(&recall);
    rc = cs_campaign_load(c->campaigns, c->call, c->id, CS_ACCESS_OWNER, false,
                          &c->record, err);
    if (rc == CS_OK || rc == CS_ENOTFOUND)
        discard_objects(c, c->record);
    if (rc != CS_OK || (rc = check_status(c, c->record, err)) != CS_OK)
        return rc;
    return cs_campaign_interactions(c->campaigns, c->record,
                                    c->campaigns->limits.interactions, &c->interactions,
                                    &c->interactions_cut, c->call->deadline, err);
}

/* CS_EEXISTS: it was done before, and c->record is how. */
static enum cs_code attempt(struct completion *c, bool from_memory,
                            struct cs_record **after_out, struct cs_err *err)
{
    enum cs_code rc = load(c, from_memory, err);

    if (rc != CS_OK ||
        (rc = cs_campaign_check_room(c->record, cs_buf_view(&c->unknown), OBJECTS,
                                     err)) != CS_OK ||
        (rc = fetch_uploaded_state(c, err)) != CS_OK)
        return rc;
    measure_time(c, c->record);
    cs_buf_reset(&c->brief);
    if ((rc = cs_campaign_read_brief(c->campaigns, c->record, &c->brief,
                                     c->call->deadline, err)) != CS_OK ||
        (rc = cs_progress_read(c->campaigns, c->record, &c->progress, c->call->deadline,
                               err)) != CS_OK ||
        (rc = render(c, c->record, err)) != CS_OK ||
        (rc = write_metadata(c, c->record, err)) != CS_OK ||
        (rc = store_objects(c, err)) != CS_OK)
        return rc;
    return commit(c, after_out, err);
}

/* Again where somebody else changed the campaign meanwhile. A conflict with a
 * reason is the campaign's status, and settles it. */
static enum cs_code attempt_until_settled(struct completion *c,
                                          struct cs_record **after_out,
                                          struct cs_err *err)
{
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc;

    for (int i = 0; i < ATTEMPTS; i++) {
        cs_err_clear(&cause);
        rc = attempt(c, i == 0, after_out, &cause);
        if (rc != CS_ECONFLICT || *cause.reason != '\0')
            goto out;
    }
    cs_err_clear(&cause);
    if ((rc = load(c, false, &cause)) == CS_OK) /* what became of the last one? */
        rc = cs_err_field(
            &cause, CS_EBUSY, "", "campaign_contended",
            "too many others change this campaign at the same time; try again");
out:
    if (rc != CS_OK && rc != CS_EEXISTS)
        cs_err_hand_on(err, &cause);
    return rc;
}

enum cs_code cs_campaign_complete(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call, struct cs_view id,
                                  struct cs_view body, struct cs_record **out,
                                  struct cs_completion_report *report,
                                  struct cs_faults *faults, struct cs_err *err)
{
    struct completion c = {
        .campaigns = campaigns,
        .call = call,
        .id = id,
        .uploaded_state = CS_BUF_INIT(campaigns->limits.json_bytes),
        .upload_id = CS_BUF_INIT(1024),
        .measured_time = CS_BUF_INIT(64),
        .brief = CS_BUF_INIT(campaigns->limits.json_bytes),
        .progress = CS_PROGRESS_NONE,
        .interactions = CS_BUF_INIT(METADATA_BYTES_MAX),
        .metadata =
            CS_BUF_INIT(2 * (size_t)METADATA_BYTES_MAX + campaigns->limits.json_bytes),
        .unknown = CS_BUF_INIT(CS_RECORD_BYTES_MAX),
        .rendered = {.website_fd = -1, .pdf_fd = -1},
        .report = report,
    };
    enum cs_code rc;

    *out = NULL;
    *report = (struct cs_completion_report){.replayed = false};
    cs_time_text(c.completed_at, call->now_us);
    if ((rc = check_body(&c, body, faults, err)) != CS_OK ||
        (rc = cs_campaign_unknown(&c.unknown, body, err)) != CS_OK ||
        (rc = digest_state(&c, err)) != CS_OK)
        goto out;
    rc = attempt_until_settled(&c, out, err);
    report->replayed = rc == CS_EEXISTS && !c.committed;
    if (rc == CS_EEXISTS) {
        *out = c.record;
        c.record = NULL;
        rc = CS_OK;
    }
    if (rc == CS_OK && c.upload_id.len > 0)
        cs_upload_forget(campaigns, id, cs_buf_view(&c.upload_id), call->deadline);
out:
    clear_completion(&c);
    return rc;
}
