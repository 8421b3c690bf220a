/* campaign/create.h: how a campaign begins, once per request however often the
 * request is sent. */
#ifndef CS_CAMPAIGN_CREATE_H
#define CS_CAMPAIGN_CREATE_H

#include "campaign/campaign.h"

/* Creates a campaign from a body (valid JSON): campaign_name, campaign_brief;
 * optional campaign_id, tags, expires_at; other fields are kept. With an
 * idempotency_key (may be empty) the same request again gives the same campaign,
 * *replayed_out true; the same key with another body is CS_ECONFLICT.
 * *out is the stored record, freed by cs_record_free().
 * CS_EINVAL with faults; CS_EEXISTS when campaign_id is taken. */
enum cs_code cs_campaign_create(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view body,
                                struct cs_view idempotency_key, struct cs_record **out,
                                bool *replayed_out, struct cs_faults *faults,
                                struct cs_err *err) CS_MUST_USE;

/* The brief, also when it is kept as an object: raw JSON, appended. */
enum cs_code cs_campaign_read_brief(const struct cs_campaigns *campaigns,
                                    const struct cs_record *record, struct cs_buf *out,
                                    struct cs_deadline deadline,
                                    struct cs_err *err) CS_MUST_USE;

#endif
