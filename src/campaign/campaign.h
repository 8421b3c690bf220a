/* campaign/campaign.h: the domain: what a campaign is, who may touch it, and how
 * its record changes.
 *
 * A campaign is one record in the store. Its summary holds what lists show, its
 * detail the rest, both JSON objects whose members are the fields of the API:
 *
 *   summary  campaign_id, user_id, campaign_name, status, created_at, updated_at,
 *            completed_at, execution_time, quality_score, expires_at, tags,
 *            versions (of the artifacts, so that lists can link to them)
 *   detail   campaign_brief, progress_log, files, error, and every field that
 *            the client sent and nobody here knows
 *
 * The summary's updated_at is that of the last change of what lists show; a progress
 * tells its own time in progress_log.last_update (see cs_campaign_updated_at()).
 *
 * detail.files maps an artifact's name ("website", "pdf", "artifacts",
 * "metadata", "files/logo.png") to where its bytes are. Life of a campaign:
 *
 *   running ──complete──▶ completed
 *      └──────fail──────▶ failed            any ──delete──▶ deleting ──▶ gone
 *
 * A campaign being deleted carries no user_id in its record's index fields, so
 * that no list shows it. It leaves the counters with that, or, in a store that can
 * withdraw it unseen, when it is gone. One past its expires_at is treated as gone at
 * once. */
#ifndef CS_CAMPAIGN_CAMPAIGN_H
#define CS_CAMPAIGN_CAMPAIGN_H

#include "base/clock.h"
#include "base/log.h"
#include "render/render.h"
#include "store/store.h"
#include "json/check.h"
#include "json/edit.h"

#define CS_CAMPAIGN_ID_MAX   128u
#define CS_CAMPAIGN_NAME_MAX 256u
#define CS_USER_ID_MAX       128u
#define CS_FILE_NAME_MAX     128u

struct cs_campaign_limits {
    size_t json_bytes;               /* largest JSON body */
    uint64_t file_bytes;             /* largest artifact */
    size_t files;                    /* per campaign */
    size_t part_bytes;               /* of an upload in parts */
    size_t interactions;             /* taken into the metadata of a completion */
    size_t inline_brief_bytes;       /* a longer brief is kept as an object */
    size_t inline_progress_bytes;    /* and a longer progress */
    size_t inline_interaction_bytes; /* and a longer interaction */
};

/* What all functions of this room work on; made by a main, all borrowed. */
struct cs_campaigns {
    struct cs_store *store;
    struct cs_renderer *renderer; /* NULL where nothing is completed */
    struct cs_log *log;
    struct cs_campaign_limits limits;
};

/* Who asks, when, and until when an answer is needed. */
struct cs_call {
    struct cs_view user_id;
    bool admin;
    int64_t now_us;
    struct cs_deadline deadline;
};

enum cs_access {
    CS_ACCESS_OWNER,          /* to change it */
    CS_ACCESS_OWNER_OR_ADMIN, /* to read or delete it */
};

/* [A-Za-z0-9][A-Za-z0-9_-]{0,127} */
bool cs_campaign_id_valid(struct cs_view id);

/* [A-Za-z0-9][A-Za-z0-9._-]{0,127}: the name of a client's own file. */
bool cs_file_name_valid(struct cs_view name);

/* Loads a campaign for a caller. CS_ENOTFOUND also when it is somebody else's,
 * expired, or being deleted (unless deleting_too). *out is freed by
 * cs_record_free(). */
enum cs_code cs_campaign_load(const struct cs_campaigns *campaigns,
                              const struct cs_call *call, struct cs_view id,
                              enum cs_access access, bool deleting_too,
                              struct cs_record **out, struct cs_err *err) CS_MUST_USE;

/* A member that another program keeps in the record, where ours is elsewhere; .ptr NULL
 * in a record of our own. */
struct cs_view cs_campaign_kept(const struct cs_record *record, const char *name);

/* CS_ECONFLICT with a reason unless it is running. */
enum cs_code cs_campaign_must_run(const struct cs_record *record,
                                  struct cs_err *err) CS_MUST_USE;

/* What the store remembers of a campaign of the caller's, not expired nor
 * being deleted, good as the ground of a commit alone (see cs_store_ops.recall);
 * CS_ENOTFOUND where that is of no use. Never says anything about the campaign: only a
 * load does. */
enum cs_code cs_campaign_recall(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view id,
                                struct cs_recall *out) CS_MUST_USE;

/* Fields of a loaded record, raw JSON; .ptr NULL where absent. */
struct cs_view cs_campaign_field(const struct cs_record *record, const char *name);
/* A field that is a plain string without escapes, without its quotes. */
struct cs_view cs_campaign_plain(const struct cs_record *record, const char *name);

bool cs_campaign_is(const struct cs_record *record, const char *status);

/* When the campaign changed last, as a JSON string: by a progress, too, where the
 * record has its detail. .ptr NULL where the record does not say. */
struct cs_view cs_campaign_updated_at(const struct cs_record *record);

/* Fields that the service sets itself; a client can't. NULL at the end. */
extern const char *const cs_campaign_reserved_fields[];

/* Of a request's body those members that mean nothing here, as a JSON object:
 * they are kept in the record. CS_ETOOBIG for more than 200. */
enum cs_code cs_campaign_unknown(struct cs_buf *out, struct cs_view body,
                                 struct cs_err *err) CS_MUST_USE;

/* A change of a campaign: what to set in summary and detail, and the status
 * it moves to. */
struct cs_campaign_change {
    const struct cs_json_change *summary;
    size_t summary_count;
    const struct cs_json_change *detail;
    size_t detail_count;
    struct cs_view unknown; /* an object of cs_campaign_unknown(), or empty */
    const char *status;     /* NULL: stays */
    bool unlist;            /* drop it from the owner's list (deleting) */
    bool repeatable;        /* see CS_WRITE_REPEATABLY */
    bool unlisted;          /* detail tells when: the summary, which a store may have to
                             * write once more for each list, stays as it is */
};

/* Commits the change on top of `record`, with the counters that a change of
 * status moves. CS_ECONFLICT when the record has changed since it was loaded.
 * *after_out, when after_out is not NULL, is the record as it is then (NULL on
 * failure); freed by cs_record_free(). */
enum cs_code cs_campaign_commit(const struct cs_campaigns *campaigns,
                                const struct cs_call *call,
                                const struct cs_record *record,
                                const struct cs_campaign_change *change,
                                struct cs_record **after_out,
                                struct cs_err *err) CS_MUST_USE;

/* CS_ETOOBIG ("record_too_big") where the record would be too large with the members of
 * `unknown` (as in struct cs_campaign_change) and `artifacts` further artifacts: so that
 * it is known before any object is written. */
enum cs_code cs_campaign_check_room(const struct cs_record *record,
                                    struct cs_view unknown, size_t artifacts,
                                    struct cs_err *err) CS_MUST_USE;

/* Loads for CS_ACCESS_OWNER, lets `edit` say what to change, commits, and does
 * it again when somebody else was faster. */
typedef enum cs_code cs_campaign_edit_fn(void *payload, const struct cs_record *record,
                                         struct cs_campaign_change *change_out,
                                         struct cs_err *err);
enum cs_code cs_campaign_edit(const struct cs_campaigns *campaigns,
                              const struct cs_call *call, struct cs_view id,
                              cs_campaign_edit_fn *edit, void *payload,
                              struct cs_err *err) CS_MUST_USE;

/* The deltas of the counters that a record stands for, times `sign` (1 or -1).
 * Groups: "stats" over all, "user/<id>" for its owner. deltas_out takes
 * CS_CAMPAIGN_DELTAS_MAX; texts in *owner_group_out must outlive them. */
#define CS_CAMPAIGN_DELTAS_MAX 8u
size_t cs_campaign_deltas(const struct cs_record *record, int sign,
                          struct cs_buf *owner_group_out, struct cs_delta *deltas_out);

#endif
