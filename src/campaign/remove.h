/* campaign/remove.h: deleting a campaign: tombstone, objects, log, record, so
 * that whatever is interrupted can be told apart and finished by a repeat. */
#ifndef CS_CAMPAIGN_REMOVE_H
#define CS_CAMPAIGN_REMOVE_H

#include "campaign/campaign.h"

/* The receipt: what was deleted where, and what is left. */
struct cs_removal {
    bool objects_ok;
    struct cs_delete_report objects;
    char objects_error[200]; /* why not, or "" */
    bool records_ok;
    uint64_t records_deleted; /* record and log entries */
    char records_error[200];
};

/* CS_OK when the tombstone is set, whatever came after: the receipt tells.
 * CS_ENOTFOUND for an unknown campaign, also after it was deleted. */
enum cs_code cs_campaign_remove(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view id,
                                struct cs_removal *out, struct cs_err *err) CS_MUST_USE;

/* The same for a record that is at hand (cleanup of expired campaigns). */
enum cs_code cs_campaign_remove_record(const struct cs_campaigns *campaigns,
                                       const struct cs_call *call,
                                       const struct cs_record *record,
                                       struct cs_removal *out,
                                       struct cs_err *err) CS_MUST_USE;

#endif
