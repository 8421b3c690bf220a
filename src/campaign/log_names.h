/* campaign/log_names.h: the objects that a campaign's log names, for fsck: it goes
 * through all objects of a campaign, one after the other. */
#ifndef CS_CAMPAIGN_LOG_NAMES_H
#define CS_CAMPAIGN_LOG_NAMES_H

#include "campaign/campaign.h"

struct cs_log_names {
    struct cs_buf id;    /* the campaign whose they are; empty: none was loaded */
    struct cs_buf texts; /* key NUL version NUL ... */
    const char **names;  /* into texts, sorted */
    size_t count;
};

/* Keys and versions of the long interactions of a whole log take up to that much. */
#define CS_LOG_NAMES_MAX (1u << 30)
#define CS_LOG_NAMES_NONE                                         \
    ((struct cs_log_names){.id = CS_BUF_INIT(CS_CAMPAIGN_ID_MAX), \
                           .texts = CS_BUF_INIT(CS_LOG_NAMES_MAX)})

/* Reads the log of that campaign, unless it did so last time. */
enum cs_code cs_log_names_load(struct cs_log_names *names,
                               const struct cs_campaigns *campaigns, struct cs_view id,
                               struct cs_deadline deadline,
                               struct cs_err *err) CS_MUST_USE;

bool cs_log_names_have(const struct cs_log_names *names, struct cs_view key,
                       struct cs_view version);

void cs_log_names_clear(struct cs_log_names *names);

#endif
