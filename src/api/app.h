/* api/app.h: one worker's application: the campaigns, the keys, and the handler
 * of all requests. Made in the worker, after the fork. */
#ifndef CS_API_APP_H
#define CS_API_APP_H

#include "campaign/campaign.h"
#include "config/settings.h"
#include "http/identity.h"
#include "http/message.h"

struct cs_app;

/* All borrowed. */
struct cs_app_options {
    const struct cs_settings *settings;
    const struct cs_campaigns *campaigns;
    const char *share_dir;  /* holds openapi.json */
    const char *started_as; /* shown by /health: "pool", "fastcgi" or "cgi" */
    cs_fetch_fn *fetch;     /* for a key set with an address */
    void *fetch_payload;
    struct cs_log *log;
};

/* Reads the keys that the settings name; no network call is made. */
struct cs_app *cs_app_new(const struct cs_app_options *options, struct cs_err *err);
void cs_app_free(struct cs_app *app);

/* Answers one request; a cs_handler_fn whose payload is the app. */
void cs_api_handle(void *app, struct cs_request *request, struct cs_response *response);

#endif
