/* campaign/progress.h: how far a campaign is: what its client told last.
 *
 * A short progress stands in the record's detail, as progress_log. A longer one is an
 * object, campaigns/{id}/progress/{sha256}.json, which detail.files.progress names, and
 * progress_log has its last_update alone. Each takes the place of the one before. */
#ifndef CS_CAMPAIGN_PROGRESS_H
#define CS_CAMPAIGN_PROGRESS_H

#include "campaign/campaign.h"

#define CS_PROGRESS_BYTES_MAX (1024u * 1024u)

/* Sets progress_log from a body: current_step, step_name, step_description,
 * completed_steps, total_steps, any other field; last_update is added.
 * CS_ECONFLICT unless the campaign is running. */
enum cs_code cs_campaign_progress(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call, struct cs_view id,
                                  struct cs_view body, struct cs_buf *progress_out,
                                  struct cs_faults *faults,
                                  struct cs_err *err) CS_MUST_USE;

/* A progress as it was told: raw JSON, NULL where there is none yet. */
struct cs_progress {
    struct cs_view json; /* into the record, or into `fetched` */
    struct cs_buf fetched;
};
#define CS_PROGRESS_NONE \
    ((struct cs_progress){.fetched = CS_BUF_INIT(2 * CS_PROGRESS_BYTES_MAX)})
void cs_progress_clear(struct cs_progress *progress);

/* That of a record, which must outlive it. CS_ECONFLICT without a reason when its object
 * is gone: the next one took its place since the record was read. */
enum cs_code cs_progress_read(const struct cs_campaigns *campaigns,
                              const struct cs_record *record, struct cs_progress *out,
                              struct cs_deadline deadline,
                              struct cs_err *err) CS_MUST_USE;

/* cs_campaign_load() with the progress of the record. Both are cleared by the caller. */
enum cs_code cs_progress_load(const struct cs_campaigns *campaigns,
                              const struct cs_call *call, struct cs_view id,
                              enum cs_access access, struct cs_record **record_out,
                              struct cs_progress *out, struct cs_err *err) CS_MUST_USE;

#endif
