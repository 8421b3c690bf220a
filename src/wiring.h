/* wiring.h: what both programs need, put together from the settings: the store,
 * the renderer, the HTTP client. Made in the process that uses it, after forks. */
#ifndef CS_WIRING_H
#define CS_WIRING_H

#include "campaign/campaign.h"
#include "config/settings.h"
#include "net/client.h"
#include "store/recent.h"
#include "store/store_aws.h"

struct cs_wiring {
    struct cs_store *store;
    struct cs_renderer *renderer;       /* NULL unless asked for */
    struct cs_net_client *net;          /* made at first need, see cs_wiring_fetch() */
    struct cs_log *log;                 /* borrowed */
    const struct cs_settings *settings; /* borrowed */
    struct cs_campaigns campaigns;
};

/* No network call is made. All of *out is defined on failure. */
enum cs_code cs_wiring_init(struct cs_wiring *out, const struct cs_settings *settings,
                            struct cs_log *log, bool with_renderer,
                            struct cs_err *err) CS_MUST_USE;
void cs_wiring_clear(struct cs_wiring *wiring);

/* Whether rendering can start with the settings: the theme is there and whole. For the
 * process that starts the workers, so that a fault of all of them is said once. */
enum cs_code cs_wiring_check_theme(const struct cs_settings *settings,
                                   struct cs_err *err) CS_MUST_USE;

/* Lets the store remember and count in memory that workers share, where it has a use for
 * it. Borrowed; NULL: it does so by itself. */
void cs_wiring_share(struct cs_wiring *wiring, struct cs_recent *recent,
                     struct cs_store_aws_meter *meter);

/* A cs_fetch_fn whose payload is the wiring. */
enum cs_code cs_wiring_fetch(void *payload, const char *url, struct cs_buf *out,
                             struct cs_deadline deadline, struct cs_err *err);

/* The folder with themes and openapi.json: the setting, or the installed one. */
const char *cs_wiring_share_dir(const struct cs_settings *settings);

#endif
