/* campaign/listing.h: lists of campaigns and statistics. */
#ifndef CS_CAMPAIGN_LISTING_H
#define CS_CAMPAIGN_LISTING_H

#include "campaign/campaign.h"

struct cs_campaign_query {
    struct cs_view user_id; /* whose campaigns; empty: by status, over all users */
    struct cs_view status;  /* only these; empty: all */
    struct cs_view text; /* only those whose name holds it, whatever the case (ASCII) */
    struct cs_view cursor;
    size_t limit; /* 1 to 100 */
};

#define CS_CAMPAIGN_LIST_MAX 100u

/* A page, newest first; expired campaigns are left out. With filters a page may
 * be short and still have a next_cursor, since one call looks at a bounded
 * number of records. Cleared by cs_record_page_clear(). */
enum cs_code cs_campaign_list(const struct cs_campaigns *campaigns,
                              const struct cs_call *call,
                              const struct cs_campaign_query *query,
                              struct cs_record_page *out, struct cs_err *err) CS_MUST_USE;

struct cs_campaign_totals {
    int64_t total;
    int64_t running;
    int64_t completed;
    int64_t failed;
    int64_t execution_time_us; /* over the completed ones */
};

/* From counters alone: what it costs does not depend on how many there are.
 * user_id empty: over all users. */
enum cs_code cs_campaign_totals(const struct cs_campaigns *campaigns,
                                struct cs_view user_id, struct cs_campaign_totals *out,
                                struct cs_deadline deadline,
                                struct cs_err *err) CS_MUST_USE;

/* Rebuilds all counters from the records. */
enum cs_code cs_campaign_recount(const struct cs_campaigns *campaigns,
                                 struct cs_deadline deadline,
                                 struct cs_err *err) CS_MUST_USE;

#endif
