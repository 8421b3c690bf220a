/* api/exchange.h: one request on its way through the api room. */
#ifndef CS_API_EXCHANGE_H
#define CS_API_EXCHANGE_H

#include "api/app.h"

#define CS_ROUTE_PARAMS_MAX 3u

struct cs_app {
    const struct cs_settings *settings; /* borrowed */
    struct cs_log *log;                 /* borrowed */
    const char *started_as;
    const char *share_dir;
    struct cs_campaigns campaigns;
    struct cs_store *store; /* that of the campaigns */
    struct cs_authenticator *authenticator;
    struct cs_buf link_secret;     /* key of signed links; read at first need */
    struct cs_store_health health; /* cached */
    int64_t health_until_us;       /* of the monotonic clock */
};

struct cs_exchange {
    struct cs_app *app;
    struct cs_request *request;
    struct cs_response *response;
    struct cs_identity identity; /* empty on public routes */
    struct cs_call call;
    struct cs_view params[CS_ROUTE_PARAMS_MAX]; /* parts of the path, as sent */
    struct cs_faults faults;
    uint64_t range_size; /* of the object, for a 416 */
    bool handling;       /* the caller may ask this: faults from here on are not his */
};

typedef enum cs_code cs_route_fn(struct cs_exchange *x, struct cs_err *err);

/* ---- parts that the resources share (exchange.c) ---- */

/* The body as valid JSON. CS_EUNSUPPORTED for another media type, CS_EINVAL
 * for what is no JSON; an absent body is CS_EINVAL unless optional, then {}. */
enum cs_code cs_exchange_json(struct cs_exchange *x, struct cs_buf *out, size_t max,
                              bool optional, struct cs_err *err) CS_MUST_USE;

/* A query parameter as a whole number from min to max, or the fallback. */
enum cs_code cs_exchange_query_number(struct cs_exchange *x, const char *name,
                                      uint64_t min, uint64_t max, uint64_t fallback,
                                      uint64_t *out, struct cs_err *err) CS_MUST_USE;

/* A query parameter as text into out; an absent one is empty and CS_OK. */
enum cs_code cs_exchange_query_text(struct cs_exchange *x, const char *name,
                                    struct cs_buf *out, struct cs_err *err) CS_MUST_USE;

/* The Idempotency-Key, .ptr NULL when there is none. CS_EINVAL unless it is at
 * most 255 bytes of printable ASCII. */
enum cs_code cs_exchange_idempotency_key(struct cs_exchange *x, struct cs_view *out,
                                         struct cs_err *err) CS_MUST_USE;

/* Says of a store's refusal which query parameter it is about; any other error
 * stays as it is. */
enum cs_code cs_exchange_query_refused(enum cs_code rc, const struct cs_err *cause,
                                       struct cs_err *err) CS_MUST_USE;

/* The same where only some values are allowed, separated by '|' in choices. */
enum cs_code cs_exchange_query_choice(struct cs_exchange *x, const char *name,
                                      const char *choices, struct cs_buf *out,
                                      struct cs_err *err) CS_MUST_USE;

/* Answers with JSON that stands in the response's body. */
enum cs_code cs_exchange_answer(struct cs_exchange *x, int status, struct cs_err *err);

/* Whether If-None-Match names the tag (with quotes); then 304 is set. */
bool cs_exchange_not_modified(struct cs_exchange *x, const char *etag);

/* The announced SHA-256 of the body (Content-Digest, RFC 9530) as hex, or empty.
 * CS_EINVAL for a digest that can't be read or is of another algorithm alone. */
enum cs_code cs_exchange_digest(struct cs_exchange *x, struct cs_buf *hex_out,
                                struct cs_err *err) CS_MUST_USE;

#endif
