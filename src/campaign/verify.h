/* campaign/verify.h: do records and objects agree? fsck finds what a crash may
 * leave behind, and removes it where that is safe; cleanup removes what has
 * expired. Both may run while the service does. */
#ifndef CS_CAMPAIGN_VERIFY_H
#define CS_CAMPAIGN_VERIFY_H

#include "campaign/campaign.h"

enum cs_finding_kind {
    CS_FINDING_MISSING_OBJECT, /* a record or a log names an object that is not there:
                                * data is lost */
    CS_FINDING_WRONG_BYTES,    /* the object's size or SHA-256 is not the recorded one */
    CS_FINDING_ORPHAN_OBJECT,  /* neither does: repaired by removing it */
    CS_FINDING_ORPHAN_ENTRY,   /* of the log of a campaign that is gone: the same */
    CS_FINDING_UNFINISHED_DELETE, /* a tombstone: repaired by finishing the delete */
    CS_FINDING_EXPIRED            /* past its expires_at: cleanup removes it */
};

struct cs_finding {
    enum cs_finding_kind kind;
    struct cs_view key; /* of the record or object */
    struct cs_view version;
    uint64_t size;
    const char *text; /* one sentence */
    bool repaired;
};
typedef void cs_finding_fn(void *payload, const struct cs_finding *finding);
/* done counts records and objects looked at so far. */
typedef void cs_progress_fn(void *payload, uint64_t done);

struct cs_verify_options {
    bool repair;
    bool check_bytes;      /* read every object and compare its SHA-256 */
    int64_t orphan_age_us; /* younger objects may belong to a running completion */
    cs_finding_fn *finding;
    cs_progress_fn *progress; /* or NULL */
    void *payload;
};

struct cs_verify_report {
    uint64_t records;
    uint64_t objects;
    uint64_t young; /* of these, what was left alone */
    uint64_t findings;
    uint64_t repaired;
};

enum cs_code cs_campaigns_verify(const struct cs_campaigns *campaigns,
                                 const struct cs_call *call,
                                 const struct cs_verify_options *options,
                                 struct cs_verify_report *out,
                                 struct cs_err *err) CS_MUST_USE;

/* Removes expired campaigns and service records (finding, repair and progress
 * as above; without repair it only tells). */
enum cs_code cs_campaigns_cleanup(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call,
                                  const struct cs_verify_options *options,
                                  struct cs_verify_report *out,
                                  struct cs_err *err) CS_MUST_USE;

#endif
