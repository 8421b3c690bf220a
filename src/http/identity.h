/* http/identity.h: who sends a request. Bearer tokens (RFC 6750) that are JWTs
 * (RFC 7519, with RFC 8725), or the web server's word in gateway mode. */
#ifndef CS_HTTP_IDENTITY_H
#define CS_HTTP_IDENTITY_H

#include "http/message.h"

struct cs_identity {
    char *user_id; /* `sub` */
    char *tenant;  /* `org`, or "" */
    bool admin;
};
void cs_identity_clear(struct cs_identity *identity);

/* Fetches a document (a JWKS) of at most 256 KiB into out; given by the main,
 * since this room has no HTTP client. */
typedef enum cs_code cs_fetch_fn(void *payload, const char *url, struct cs_buf *out,
                                 struct cs_deadline deadline, struct cs_err *err);

struct cs_identity_options {
    bool gateway;          /* AUTH_MODE=gateway: REMOTE_USER and friends as parameters */
    struct cs_view secret; /* HS256 key, at least 32 bytes; or empty */
    const char *public_key_file;      /* PEM; or NULL */
    const char *public_key_algorithm; /* pinned for the PEM: "RS256", "ES256", ... */
    const char *jwks_file;            /* or NULL */
    const char *jwks_url;             /* https only, http for loopback; or NULL */
    int jwks_min_refetch_s;           /* an unknown kid refetches at most this often */
    const char *issuer;               /* required `iss`, or NULL */
    const char *audience;             /* required `aud`, or NULL */
    const char *admin_claim;          /* default "role" */
    const char *admin_value;          /* default "admin" */
    const char *tenant_claim;         /* default "org" */
    int leeway_s;                     /* for exp and nbf */
    cs_fetch_fn *fetch;               /* or NULL: jwks_url is refused */
    void *fetch_payload;
    struct cs_log *log;
};

struct cs_authenticator;

/* Loads the keys (no network). CS_EINVAL with the setting's name in err->field
 * where one is unusable (a secret under 32 bytes, a PEM of another kind, no key at
 * all). Texts are copied, the rest is borrowed. */
struct cs_authenticator *cs_authenticator_new(const struct cs_identity_options *options,
                                              struct cs_err *err);
void cs_authenticator_free(struct cs_authenticator *authenticator);

/* CS_OK with *out set (and else empty). CS_EUNAUTH with err->reason one of
 *   authorization_header_not_received   none arrived, in either spelling
 *   authorization_header_malformed      not one "Bearer <token>"
 *   token_malformed                     no compact JWS of JSON objects, or too long
 *   token_header_refused                crit, jku, jwk, x5u, x5c, or a typ of another
 * kind token_algorithm_refused, token_key_unknown, token_signature_invalid,
 *   token_expired, token_not_yet_valid, token_issuer_refused,
 *   token_audience_refused
 *   token_claim_missing                 exp or sub missing, or of a wrong type
 *   gateway_user_missing
 * CS_EUPSTREAM when the key set can't be fetched and none is cached.
 *
 * A user is 1 to 128 bytes of text without control characters, a tenant 0 to 128.
 * An admin is whose admin claim is the admin value, or a list that has it; a claim
 * within others is named with dots ("realm_access.roles"), after one of the whole
 * name has been looked for. In gateway mode the parameters REMOTE_USER,
 * CAMPAIGN_ADMIN ("1") and CAMPAIGN_TENANT say it: the web server must set all
 * three, and may not take them from a header of the client. */
enum cs_code cs_authenticate(struct cs_authenticator *authenticator,
                             const struct cs_request *request, int64_t now_us,
                             struct cs_identity *out, struct cs_err *err) CS_MUST_USE;

/* The same for a bare token, for tests and campaignctl. The deadline is for the
 * key set, where it must be fetched. */
enum cs_code cs_authenticate_token(struct cs_authenticator *authenticator,
                                   struct cs_view token, int64_t now_us,
                                   struct cs_deadline deadline, struct cs_identity *out,
                                   struct cs_err *err) CS_MUST_USE;

/* Makes an HS256 token (campaignctl token), appended to out. claims is a JSON
 * object; CS_EINVAL where it is none, or the secret has less than 32 bytes. */
enum cs_code cs_token_make(struct cs_view secret, struct cs_view claims,
                           struct cs_buf *out, struct cs_err *err) CS_MUST_USE;

#endif
