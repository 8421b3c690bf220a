/* campaign/artifacts.h: the objects of a campaign: where they lie, what the
 * record says of them, and the ways in which a client brings its own. */
#ifndef CS_CAMPAIGN_ARTIFACTS_H
#define CS_CAMPAIGN_ARTIFACTS_H

#include "campaign/campaign.h"

/* An artifact's name as the API has it ("website", "pdf", "artifacts",
 * "metadata", "brief", "files/logo.png") and all that follows from it. */
struct cs_artifact_kind {
    const char *name; /* without a file's own name for files */
    const char *path; /* below campaigns/{id}/, as the seed layout has it */
    const char *content_type;
    const char *file_name; /* proposed for a download */
    const char *cache_control;
    bool compressible;
    const char *url_member; /* of other programs' records, with its plain address; NULL:
                             * they have none */
};

/* NULL for a name that is no artifact's. */
const struct cs_artifact_kind *cs_artifact_kind(struct cs_view name);

/* "campaigns/{id}/website/index.html"; appended. name is valid. */
void cs_artifact_key(struct cs_buf *out, struct cs_view id, struct cs_view name);

/* "campaigns/{id}/" + folder + "{sha256}.json", of what is named by its content and is no
 * artifact of its own; appended. */
enum cs_code cs_artifact_content_key(struct cs_buf *out, struct cs_view id,
                                     const char *folder, struct cs_view content,
                                     struct cs_err *err) CS_MUST_USE;

/* Media type of an artifact; for a client's file by its ending, and
 * application/octet-stream where that is unknown. */
struct cs_view cs_artifact_content_type(struct cs_view name);

/* The name proposed for a download. */
struct cs_view cs_artifact_file_name(struct cs_view name);

/* What detail.files says of one artifact; views into the record. */
struct cs_artifact {
    struct cs_view key, version, bucket, sha256, content_type;
    uint64_t size;
    bool supplied; /* the client brought it */
};
/* CS_ENOTFOUND with a sentence when the record has none of that name. */
enum cs_code cs_artifact_find(const struct cs_record *record, struct cs_view name,
                              struct cs_artifact *out, struct cs_err *err) CS_MUST_USE;

/* An artifact that another program stored: its record has no `files`, but a plain
 * address. True where that is of this bucket, and of the key that the artifact has in our
 * layout; of version, size and SHA-256 nothing is known (size UINT64_MAX). */
bool cs_artifact_find_told(const struct cs_record *record, struct cs_view name,
                           struct cs_view bucket, struct cs_artifact *out);

/* Calls back for each artifact of the record. */
typedef bool cs_artifact_fn(void *payload, struct cs_view name,
                            const struct cs_artifact *artifact);
void cs_artifact_each(const struct cs_record *record, cs_artifact_fn *callback,
                      void *payload);

/* The JSON that detail.files keeps for a stored object; appended. */
void cs_artifact_json(struct cs_buf *out, const struct cs_object *object,
                      struct cs_view content_type, bool supplied);

/* The summary's `versions`, a JSON object from artifact name to version, for
 * the website, pdf, artifacts and metadata among detail.files; appended. */
void cs_artifact_versions(struct cs_buf *out, struct cs_view files);

/* Calls back for each artifact of which the summary has the version. */
typedef bool cs_artifact_version_fn(void *payload, struct cs_view name,
                                    struct cs_view version);
void cs_artifact_each_listed(const struct cs_record *record,
                             cs_artifact_version_fn *callback, void *payload);

/* Reads bytes as they come: *got_out 0 at the end. */
typedef enum cs_code cs_body_fn(void *payload, char *to, size_t room, size_t *got_out,
                                struct cs_err *err);

struct cs_artifact_upload {
    struct cs_view name;         /* "website", "pdf" or "files/..." */
    struct cs_view content_type; /* empty: by the name */
    uint64_t size;               /* announced, UINT64_MAX when unknown */
    struct cs_view sha256;       /* hex that it must have, or empty */
    cs_body_fn *read;
    void *payload;
};

/* Stores a client's own website, PDF or file, streamed, and records it. A body
 * that is short, too long or of another checksum stores nothing. *out is cleared
 * by the caller. Allowed while running, files also later. */
enum cs_code cs_artifact_put(const struct cs_campaigns *campaigns,
                             const struct cs_call *call, struct cs_view id,
                             const struct cs_artifact_upload *upload,
                             struct cs_object *out, struct cs_err *err) CS_MUST_USE;

/* The whole of a stored object, appended; for the small ones. */
enum cs_code cs_artifact_read(const struct cs_campaigns *campaigns,
                              const struct cs_artifact *artifact, struct cs_buf *out,
                              struct cs_deadline deadline,
                              struct cs_err *err) CS_MUST_USE;

/* Removes one version that no record names any more; a failure is logged, since
 * fsck finds it later. */
void cs_artifact_discard(const struct cs_campaigns *campaigns, struct cs_view key,
                         struct cs_view version, struct cs_deadline deadline);

/* The same of an object that may lie in a former bucket. */
void cs_artifact_discard_from(const struct cs_campaigns *campaigns, struct cs_view bucket,
                              struct cs_view key, struct cs_view version,
                              struct cs_deadline deadline);

#endif
