/* campaign/uploads.h: any body in parts small enough for hosts that limit
 * bodies; resumable, with a checksum for each part and for the whole.
 *
 * An upload is a service record "#upload/{campaign}/{upload}" that says what it
 * will become; its parts are objects "campaigns/{id}/uploads/{upload}/{n}-{sha256}",
 * so the parts that have arrived are seen by listing them, in any order and
 * from any number of workers. Completing copies them into their target and
 * removes them. */
#ifndef CS_CAMPAIGN_UPLOADS_H
#define CS_CAMPAIGN_UPLOADS_H

#include "campaign/artifacts.h"
#include "campaign/campaign.h"

#define CS_UPLOAD_PARTS_MAX 99999u

struct cs_upload_begin {
    struct cs_view body;            /* JSON, see below */
    struct cs_view idempotency_key; /* or empty */
};

/* body: target ("website", "pdf", "files/...", "final_state"), size (bytes),
 * optional sha256 (hex of the whole), content_type. Appends the answer, a JSON
 * object: upload_id, target, size, part_bytes, parts, expires_at. An upload that
 * the same idempotency_key began before is found again, with received[] as
 * cs_upload_status() has it; CS_ECONFLICT where it was for something else. */
enum cs_code cs_upload_begin(const struct cs_campaigns *campaigns,
                             const struct cs_call *call, struct cs_view id,
                             const struct cs_upload_begin *given, struct cs_buf *answer,
                             struct cs_faults *faults, struct cs_err *err) CS_MUST_USE;

/* What has arrived: the same object with received[] of {part, bytes, sha256}. */
enum cs_code cs_upload_status(const struct cs_campaigns *campaigns,
                              const struct cs_call *call, struct cs_view id,
                              struct cs_view name, struct cs_buf *answer,
                              struct cs_err *err) CS_MUST_USE;

/* A part as it arrives. */
struct cs_upload_arrival {
    uint64_t number; /* from 1 */
    struct cs_view bytes;
    struct cs_view sha256; /* announced, hex; or empty */
};

/* Each part but the last has exactly part_bytes. The same part again replaces
 * the one before. The answer has part, bytes and sha256. */
enum cs_code cs_upload_part(const struct cs_campaigns *campaigns,
                            const struct cs_call *call, struct cs_view id,
                            struct cs_view name, const struct cs_upload_arrival *arrival,
                            struct cs_buf *answer, struct cs_err *err) CS_MUST_USE;

/* Puts the parts together and checks size and sha256. For the target
 * final_state the parts are kept until the campaign is completed with it. */
enum cs_code cs_upload_complete(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view id,
                                struct cs_view name, struct cs_view body,
                                struct cs_buf *answer, struct cs_faults *faults,
                                struct cs_err *err) CS_MUST_USE;

/* Gives the upload up and removes its parts. */
enum cs_code cs_upload_abort(const struct cs_campaigns *campaigns,
                             const struct cs_call *call, struct cs_view id,
                             struct cs_view name, struct cs_err *err) CS_MUST_USE;

/* SHA-256 (hex) of a finished upload for final_state, also after its parts are
 * gone. CS_EINVAL (field /final_state_upload) when it is none, or not finished. */
enum cs_code cs_upload_state_sha256(const struct cs_campaigns *campaigns,
                                    const struct cs_call *call, struct cs_view id,
                                    struct cs_view name, char out[CS_SHA256_HEX_LEN + 1],
                                    struct cs_err *err) CS_MUST_USE;

/* Its bytes, appended and checked against that digest. */
enum cs_code cs_upload_read_state(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call, struct cs_view id,
                                  struct cs_view name, struct cs_buf *out,
                                  struct cs_err *err) CS_MUST_USE;

/* Removes the parts of an upload that is used up; a failure is logged, since
 * cleanup finds what is left. The record stays until it expires, so that a
 * repeated completion is known again. */
void cs_upload_forget(const struct cs_campaigns *campaigns, struct cs_view id,
                      struct cs_view name, struct cs_deadline deadline);

#endif
