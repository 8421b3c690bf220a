/* campaign/complete.h: the completion flow: validate, render what was not
 * brought, store the objects, commit the record, in this order, so that a
 * record never names bytes that are not there. */
#ifndef CS_CAMPAIGN_COMPLETE_H
#define CS_CAMPAIGN_COMPLETE_H

#include "campaign/campaign.h"

struct cs_completion_report {
    bool replayed;           /* it was completed before with this very state */
    bool website_supplied;   /* the generator's or the client's own page is used */
    char website_note[200];  /* why the generator's page is not used, or "" */
    unsigned pages;          /* of a PDF rendered here */
    unsigned missing_glyphs; /* characters that no installed font has */
};

/* body (valid JSON): final_state (an object), or final_state_upload (the id of
 * an upload in parts that holds it); optional execution_time (seconds),
 * quality_score. final_state is stored byte for byte. *out is the completed
 * record, freed by cs_record_free().
 * CS_EINVAL with faults; CS_ECONFLICT when the campaign failed or was completed
 * with another state; CS_ERENDER. Repeating it gives the same result, once. */
enum cs_code cs_campaign_complete(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call, struct cs_view id,
                                  struct cs_view body, struct cs_record **out,
                                  struct cs_completion_report *report,
                                  struct cs_faults *faults,
                                  struct cs_err *err) CS_MUST_USE;

#endif
