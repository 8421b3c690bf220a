#include "config.h"

#include "campaign/campaign.h"

#include <math.h>
#include <stdlib.h>

#include "json/scan.h"
#include "json/write.h"

#define COMMIT_ATTEMPTS    8
#define UNKNOWN_FIELDS_MAX 200u

static bool is_alphanumeric(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_name(struct cs_view text, size_t max, const char *also)
{
    if (text.len == 0 || text.len > max || !is_alphanumeric(text.ptr[0]))
        return false;
    for (size_t i = 1; i < text.len; i++)
        if (!is_alphanumeric(text.ptr[i]) &&
            (text.ptr[i] == '\0' || strchr(also, text.ptr[i]) == NULL))
            return false;
    return true;
}

bool cs_campaign_id_valid(struct cs_view id)
{
    return is_name(id, CS_CAMPAIGN_ID_MAX, "_-");
}

bool cs_file_name_valid(struct cs_view name)
{
    return is_name(name, CS_FILE_NAME_MAX, "._-");
}

struct cs_view cs_campaign_field(const struct cs_record *record, const char *name)
{
    struct cs_view value = cs_json_slice(record->summary, name);

    return value.ptr != NULL ? value : cs_json_slice(record->detail, name);
}

struct cs_view cs_campaign_plain(const struct cs_record *record, const char *name)
{
    struct cs_view value = cs_campaign_field(record, name);

    if (value.len < 2 || value.ptr[0] != '"')
        return cs_view_of(NULL, 0);
    return cs_view_of(value.ptr + 1, value.len - 2);
}

bool cs_campaign_is(const struct cs_record *record, const char *status)
{
    return cs_view_eq_cstr(record->status, status);
}

/* Times of ours are of one width, so that they compare as text; those of other programs
 * need not be, and are left aside. */
static bool is_later(struct cs_view time, struct cs_view than)
{
    size_t width = CS_TIME_TEXT_LEN + 2; /* with its quotes */

    return time.len == width && than.len == width && cs_view_compare(time, than) > 0;
}

struct cs_view cs_campaign_updated_at(const struct cs_record *record)
{
    struct cs_view changed = cs_json_slice(record->summary, "updated_at");
    struct cs_view progress = record->detail;
    struct cs_view told;

    /* once it has ended, which is a change of the summary, there is no more progress */
    if (!cs_campaign_is(record, "running") || !cs_json_walk_to(&progress, "progress_log"))
        return changed;
    told = cs_json_slice(progress, "last_update");
    return is_later(told, changed) ? told : changed;
}

static enum cs_code no_such_campaign(struct cs_view id, struct cs_err *err)
{
    if (id.len == 0)
        id = CS_LIT("of that name");
    return cs_err_field(err, CS_ENOTFOUND, "", "campaign_not_found",
                        "there is no campaign %.*s among yours", CS_FMT(id));
}

/* The owner stands in the summary, since a tombstone has left the index. */
static bool is_owner(const struct cs_record *record, struct cs_view user_id)
{
    struct cs_view owner = cs_json_slice(record->summary, "user_id");

    return cs_json_kind(owner) == '"' &&
           cs_json_name_is(cs_view_sub(owner, 1, owner.len - 2), user_id);
}

static bool may_access(const struct cs_record *record, const struct cs_call *call,
                       enum cs_access access)
{
    return is_owner(record, call->user_id) ||
           (access == CS_ACCESS_OWNER_OR_ADMIN && call->admin);
}

static bool has_expired(const struct cs_record *record, int64_t now_us)
{
    return record->expires_at_us != 0 && record->expires_at_us <= now_us;
}

enum cs_code cs_campaign_load(const struct cs_campaigns *campaigns,
                              const struct cs_call *call, struct cs_view id,
                              enum cs_access access, bool deleting_too,
                              struct cs_record **out, struct cs_err *err)
{
    struct cs_err cause = CS_ERR_NONE;
    struct cs_record *record = NULL;
    enum cs_code rc;
    bool allowed;
    bool gone;

    *out = NULL;
    if (!cs_campaign_id_valid(id))
        return no_such_campaign(cs_view_of(NULL, 0), err);
    rc =
        campaigns->store->ops->get(campaigns->store, id, &record, call->deadline, &cause);
    if (rc == CS_ENOTFOUND)
        return no_such_campaign(id, err);
    if (rc != CS_OK) {
        cs_err_hand_on(err, &cause);
        return rc;
    }
    allowed = may_access(record, call, access);
    gone = has_expired(record, call->now_us);
    if (cs_campaign_is(record, "deleting"))
        gone = !deleting_too;
    if (!allowed || gone) {
        cs_record_free(record);
        return no_such_campaign(id, err);
    }
    *out = record;
    return CS_OK;
}

enum cs_code cs_campaign_recall(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view id,
                                struct cs_recall *out)
{
    enum cs_code rc;

    *out = (struct cs_recall){.record = NULL};
    if (!cs_campaign_id_valid(id))
        return CS_ENOTFOUND;
    rc = campaigns->store->ops->recall(campaigns->store, id, out, NULL);
    if (rc == CS_OK && (!is_owner(out->record, call->user_id) ||
                        has_expired(out->record, call->now_us) ||
                        cs_campaign_is(out->record, "deleting"))) {
        cs_recall_clear(out);
        rc = CS_ENOTFOUND;
    }
    return rc;
}

struct cs_view cs_campaign_kept(const struct cs_record *record, const char *name)
{
    return record->extra.len > 0 ? cs_json_slice(record->detail, name)
                                 : cs_view_of(NULL, 0);
}

enum cs_code cs_campaign_must_run(const struct cs_record *record, struct cs_err *err)
{
    if (cs_campaign_is(record, "running"))
        return CS_OK;
    return cs_err_field(err, CS_ECONFLICT, "", "campaign_not_running",
                        "the campaign is %.*s; only a running one takes this",
                        CS_FMT(record->status));
}

/* ---- fields ---- */

const char *const cs_campaign_reserved_fields[] = {
    "user_id",
    "status",
    "created_at",
    "updated_at",
    "completed_at",
    "s3_website_url",
    "s3_pdf_url",
    "s3_artifacts_url",
    "s3_metadata_url",
    "progress_log",
    "agent_interactions",
    "final_state",
    "files",
    "error",
    "execution_time",
    "quality_score",
    "urls_expire_at",
    "versions",
    "agent_interactions_truncated",
    NULL,
};

/* What requests are made of, beside the reserved ones. */
static const char *const request_fields[] = {
    "campaign_id", "campaign_name", "campaign_brief",
    "expires_at",  "tags",          "final_state_upload",
};

static bool is_known_field(struct cs_view name)
{
    for (const char *const *field = cs_campaign_reserved_fields; *field != NULL; field++)
        if (cs_json_name_is(name, cs_view_cstr(*field)))
            return true;
    for (size_t i = 0; i < CS_COUNT(request_fields); i++)
        if (cs_json_name_is(name, cs_view_cstr(request_fields[i])))
            return true;
    return false;
}

struct unknown_fields {
    struct cs_buf *out;
    size_t count;
};

static bool add_unknown(void *payload, struct cs_view name, struct cs_view value)
{
    struct unknown_fields *unknown = payload;

    if (is_known_field(name))
        return true;
    cs_buf_add_cstr(unknown->out, unknown->count++ > 0 ? ",\"" : "\"");
    cs_buf_add(unknown->out, name);
    cs_buf_add_cstr(unknown->out, "\":");
    cs_buf_add(unknown->out, value);
    return unknown->count <= UNKNOWN_FIELDS_MAX;
}

enum cs_code cs_campaign_unknown(struct cs_buf *out, struct cs_view body,
                                 struct cs_err *err)
{
    struct unknown_fields unknown = {out, 0};

    cs_buf_add_byte(out, '{');
    cs_json_each_member(body, add_unknown, &unknown);
    cs_buf_add_byte(out, '}');
    if (unknown.count > UNKNOWN_FIELDS_MAX)
        return cs_err_field(
            err, CS_ETOOBIG, "", "too_many_fields",
            "at most %u fields of your own go into one request; nest them in "
            "one object",
            UNKNOWN_FIELDS_MAX);
    return cs_buf_check(out, err);
}

/* ---- counters ---- */

/* Seconds as a JSON number ("200.5", "2e2") to microseconds; 0 for what is none. A
 * double is exact to the microsecond for all that a completion takes. */
static int64_t seconds_to_us(struct cs_view text)
{
    char number[64];
    double us;

    if (text.len == 0 || text.len >= sizeof(number))
        return 0;
    memcpy(number, text.ptr, text.len);
    number[text.len] = '\0';
    us = strtod(number, NULL) * (double)CS_SECOND_US;
    return isfinite(us) && us >= 0 && us < 1e18 ? llround(us) : 0;
}

static struct cs_view status_counter(struct cs_view status)
{
    static const struct {
        struct cs_view status, counter;
    } names[] = {
        {CS_LIT_INIT("running"), CS_LIT_INIT("status/running")},
        {CS_LIT_INIT("completed"), CS_LIT_INIT("status/completed")},
        {CS_LIT_INIT("failed"), CS_LIT_INIT("status/failed")},
    };

    for (size_t i = 0; i < CS_COUNT(names); i++)
        if (cs_view_eq(status, names[i].status))
            return names[i].counter;
    return cs_view_of(NULL, 0);
}

size_t cs_campaign_deltas(const struct cs_record *record, int sign,
                          struct cs_buf *owner_group_out, struct cs_delta *deltas_out)
{
    const struct cs_view stats = CS_LIT("stats");
    bool withdrawn = record->withdrawn_status.len > 0;
    struct cs_view status = withdrawn ? record->withdrawn_status : record->status;
    struct cs_view counter = status_counter(status);
    struct cs_view owner;
    size_t count = 0;

    /* Service records count for nothing, nor do campaigns being deleted, unless it
     * began with a withdrawal, which moves no counters. */
    if (record->key.len == 0 || record->key.ptr[0] == '#' || counter.ptr == NULL)
        return 0;
    cs_buf_reset(owner_group_out);
    cs_buf_add_cstr(owner_group_out, "user/");
    cs_buf_add(owner_group_out, withdrawn ? record->withdrawn_user_id : record->user_id);
    owner = cs_buf_view(owner_group_out);
    deltas_out[count++] = (struct cs_delta){stats, CS_LIT("total"), sign};
    deltas_out[count++] = (struct cs_delta){stats, counter, sign};
    /* of a user no more is asked for: a counter more would be one more item that each
     * change of status writes */
    deltas_out[count++] = (struct cs_delta){owner, CS_LIT("total"), sign};
    if (cs_view_eq(status, CS_LIT("completed")))
        deltas_out[count++] = (struct cs_delta){
            stats, CS_LIT("execution_time_us"),
            sign * seconds_to_us(cs_json_slice(record->summary, "execution_time"))};
    return count;
}

/* Sums the deltas of one counter, and leaves out those that come to nothing:
 * a transaction may touch a counter once only. Returns how many are left. */
static size_t merge_deltas(struct cs_delta *deltas, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        size_t same = 0;

        while (same < kept && !(cs_view_eq(deltas[same].group, deltas[i].group) &&
                                cs_view_eq(deltas[same].name, deltas[i].name)))
            same++;
        if (same < kept)
            deltas[same].add += deltas[i].add;
        else
            deltas[kept++] = deltas[i];
    }
    count = kept;
    kept = 0;
    for (size_t i = 0; i < count; i++)
        if (deltas[i].add != 0)
            deltas[kept++] = deltas[i];
    return kept;
}

/* ---- changing a record ---- */

/* What expires_at says in the summary, for the record's own field. */
static int64_t expiry_of(struct cs_view summary)
{
    struct cs_buf text = CS_BUF_INIT(64);
    int64_t time_us = 0;

    if (cs_json_slice_string(&text, summary, "expires_at") &&
        cs_time_parse(&time_us, cs_buf_view(&text), NULL) != CS_OK)
        time_us = 0;
    cs_buf_clear(&text);
    return time_us;
}

/* The summary with the change, and updated_at and status in it where those change. */
static void edit_summary(struct cs_buf *out, const struct cs_record *record,
                         const struct cs_campaign_change *change, int64_t now_us)
{
    struct cs_buf first = CS_BUF_INIT(64u * 1024u);
    struct cs_buf status = CS_BUF_INIT(256);
    struct cs_buf quoted_now = CS_BUF_INIT(64);
    struct cs_json_change own[2];
    size_t own_count = 0;

    cs_json_quote_time(&quoted_now, now_us);
    if (!change->unlisted)
        own[own_count++] =
            (struct cs_json_change){"updated_at", cs_buf_view(&quoted_now)};
    if (change->status != NULL) {
        cs_json_quote(&status, cs_view_cstr(change->status));
        own[own_count++] = (struct cs_json_change){"status", cs_buf_view(&status)};
    }
    cs_json_edit(&first, record->summary, change->summary, change->summary_count);
    cs_json_edit(out, cs_buf_view(&first), own, own_count);
    if (first.failed != CS_OK)
        out->failed = first.failed;
    cs_buf_clear(&first);
    cs_buf_clear(&status);
    cs_buf_clear(&quoted_now);
}

static enum cs_code too_big(struct cs_err *err)
{
    return cs_err_field(
        err, CS_ETOOBIG, "", "record_too_big",
        "the campaign's own fields would pass %u KiB; send large parts as "
        "files or within final_state",
        CS_RECORD_BYTES_MAX / 1024u);
}

#define ARTIFACT_ROOM 512u /* bytes of one in detail.files, and more than most take */
#define SUMMARY_ROOM  512u /* what a change of status adds */

enum cs_code cs_campaign_check_room(const struct cs_record *record,
                                    struct cs_view unknown, size_t artifacts,
                                    struct cs_err *err)
{
    size_t limit = CS_RECORD_BYTES_MAX + record->extra.len;
    size_t beside = record->summary.len + SUMMARY_ROOM + artifacts * ARTIFACT_ROOM;
    struct cs_buf detail = CS_BUF_INIT(limit);
    bool fits = record->detail.len + unknown.len + beside <= limit;

    if (!fits) { /* unless members take the place of others */
        cs_json_merge(&detail, record->detail, unknown);
        fits = cs_buf_check(&detail, NULL) == CS_OK && detail.len + beside <= limit;
    }
    cs_buf_clear(&detail);
    return fits ? CS_OK : too_big(err);
}

enum cs_code cs_campaign_commit(const struct cs_campaigns *campaigns,
                                const struct cs_call *call,
                                const struct cs_record *record,
                                const struct cs_campaign_change *change,
                                struct cs_record **after_out, struct cs_err *err)
{
    struct cs_buf summary = CS_BUF_INIT(CS_SUMMARY_BYTES_MAX);
    size_t detail_max = CS_RECORD_BYTES_MAX + record->extra.len;
    struct cs_buf changed = CS_BUF_INIT(detail_max);
    struct cs_buf detail = CS_BUF_INIT(detail_max);
    struct cs_buf old_group = CS_BUF_INIT(CS_USER_ID_MAX + 16);
    struct cs_buf new_group = CS_BUF_INIT(CS_USER_ID_MAX + 16);
    struct cs_delta deltas[2 * CS_CAMPAIGN_DELTAS_MAX];
    struct cs_record next = *record;
    struct cs_write write = {change->repeatable ? CS_WRITE_REPEATABLY : CS_WRITE_REPLACE,
                             &next};
    struct cs_transaction transaction = {&write, 1, deltas, 0};
    enum cs_code rc;

    if (after_out != NULL)
        *after_out = NULL;
    edit_summary(&summary, record, change, call->now_us);
    cs_json_edit(&changed, record->detail, change->detail, change->detail_count);
    cs_json_merge(&detail, cs_buf_view(&changed), change->unknown);
    if (changed.failed != CS_OK)
        detail.failed = changed.failed;
    if (cs_buf_check(&summary, NULL) == CS_ETOOBIG ||
        cs_buf_check(&detail, NULL) == CS_ETOOBIG) {
        rc = too_big(err);
        goto out;
    }
    if ((rc = cs_buf_check(&summary, err)) != CS_OK ||
        (rc = cs_buf_check(&detail, err)) != CS_OK)
        goto out;
    next.summary = cs_buf_view(&summary);
    next.detail = cs_buf_view(&detail);
    /* of an item that another program filled to the brim, its tombstone keeps nothing */
    if (change->unlist && record->extra.len > 0)
        next.detail = next.extra = CS_LIT("{}");
    next.expires_at_us = expiry_of(next.summary);
    if (change->status != NULL)
        next.status = cs_view_cstr(change->status);
    if (change->status != NULL) {
        transaction.delta_count = cs_campaign_deltas(record, -1, &old_group, deltas);
        transaction.delta_count +=
            cs_campaign_deltas(&next, 1, &new_group, deltas + transaction.delta_count);
        transaction.delta_count = merge_deltas(deltas, transaction.delta_count);
    }
    if (change->unlist)
        next.user_id = CS_LIT("");
    rc = campaigns->store->ops->commit(campaigns->store, &transaction, call->deadline,
                                       err);
    if (rc == CS_OK && after_out != NULL) {
        next.revision++;
        *after_out = cs_record_copy(&next);
        rc = *after_out != NULL ? CS_OK : cs_err_nomem(err);
    }
out:
    cs_buf_clear(&summary);
    cs_buf_clear(&changed);
    cs_buf_clear(&detail);
    cs_buf_clear(&old_group);
    cs_buf_clear(&new_group);
    return rc;
}

enum cs_code cs_campaign_edit(const struct cs_campaigns *campaigns,
                              const struct cs_call *call, struct cs_view id,
                              cs_campaign_edit_fn *edit, void *payload,
                              struct cs_err *err)
{
    enum cs_code rc = CS_ECONFLICT;

    for (int attempt = 0; attempt < COMMIT_ATTEMPTS; attempt++) {
        struct cs_campaign_change change = {.status = NULL};
        struct cs_record *record = NULL;
        struct cs_err cause = CS_ERR_NONE;

        rc = cs_campaign_load(campaigns, call, id, CS_ACCESS_OWNER, false, &record, err);
        if (rc != CS_OK)
            return rc;
        rc = edit(payload, record, &change, err);
        if (rc == CS_OK) {
            rc = cs_campaign_commit(campaigns, call, record, &change, NULL, &cause);
            if (rc != CS_OK && rc != CS_ECONFLICT)
                cs_err_hand_on(err, &cause);
        } else {
            cs_record_free(record);
            return rc;
        }
        cs_record_free(record);
        if (rc != CS_ECONFLICT)
            return rc;
    }
    return cs_err_field(
        err, CS_EBUSY, "", "campaign_contended",
        "too many others change this campaign at the same time; try again");
}
