/* campaign/lifecycle.h: interactions, failing. Creating, progress, completing and
 * deleting have files of their own. */
#ifndef CS_CAMPAIGN_LIFECYCLE_H
#define CS_CAMPAIGN_LIFECYCLE_H

#include "campaign/campaign.h"

#define CS_INTERACTIONS_AT_ONCE       1000u
#define CS_INTERACTION_BYTES_MAX      (1024u * 1024u)
#define CS_INTERACTIONS_BYTES_AT_ONCE CS_LOG_APPEND_BYTES
#define CS_INTERACTIONS_BYTES_MAX     (16u << 20) /* that are shown with a campaign */

/* Appends one interaction (an object) or many (an array, or {"interactions":
 * [...]}). Each has agent, action, message, status, timestamp, all optional but
 * agent, and any other field; a missing timestamp becomes call->now_us. */
enum cs_code cs_campaign_interact(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call, struct cs_view id,
                                  struct cs_view body, struct cs_view idempotency_key,
                                  size_t *appended_out, struct cs_faults *faults,
                                  struct cs_err *err) CS_MUST_USE;

/* A page of the interactions, oldest first: those that another program keeps in the
 * record itself, then those of the log. `after` is last_position of the page before, or
 * empty. The caller has checked that the campaign may be read. */
enum cs_code cs_campaign_interaction_page(const struct cs_campaigns *campaigns,
                                          const struct cs_record *record,
                                          struct cs_view after, size_t limit,
                                          struct cs_log_page *out,
                                          struct cs_deadline deadline,
                                          struct cs_err *err) CS_MUST_USE;

/* All of them as a JSON array, appended; at most about max entries and 16 MiB, *cut_out
 * tells whether some were left out. */
enum cs_code cs_campaign_interactions(const struct cs_campaigns *campaigns,
                                      const struct cs_record *record, size_t max,
                                      struct cs_buf *out, bool *cut_out,
                                      struct cs_deadline deadline,
                                      struct cs_err *err) CS_MUST_USE;

/* Status failed with the body's `error` (a text or an object); the rest is kept.
 * The same error again is a success that changes nothing. */
enum cs_code cs_campaign_fail(const struct cs_campaigns *campaigns,
                              const struct cs_call *call, struct cs_view id,
                              struct cs_view body, struct cs_faults *faults,
                              struct cs_err *err) CS_MUST_USE;

#endif
