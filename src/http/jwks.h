/* http/jwks.h: where the key set comes from, and when it is read again. */
#ifndef CS_HTTP_JWKS_H
#define CS_HTTP_JWKS_H

#include "http/identity.h"
#include "http/keys.h"

struct cs_jwks;

/* NULL with err set: both a file and a URL, a URL that is not https (http for
 * loopback), or no way to fetch it. Does no work yet. */
struct cs_jwks *cs_jwks_new(const struct cs_identity_options *options,
                            struct cs_err *err);
void cs_jwks_free(struct cs_jwks *jwks);

/* True when there is a file or a URL at all. */
bool cs_jwks_configured(const struct cs_jwks *jwks);

/* The file, at the start: CS_EINVAL with the setting's name when it is unusable.
 * A URL is fetched when a token first needs it. */
enum cs_code cs_jwks_start(struct cs_jwks *jwks, struct cs_keys *keys, int64_t now_us,
                           struct cs_err *err) CS_MUST_USE;

/* Makes sure that there is a set, and that it is not hours old: a key that was
 * withdrawn must not be good for ever. CS_EUPSTREAM when there is none. */
enum cs_code cs_jwks_ensure(struct cs_jwks *jwks, struct cs_keys *keys, int64_t now_us,
                            struct cs_deadline deadline, struct cs_err *err) CS_MUST_USE;

/* A token names a key that is not there: reads the set again, unless that was done
 * a short time ago. True when there is a new one. On failure the old one stays. */
bool cs_jwks_renew(struct cs_jwks *jwks, struct cs_keys *keys, int64_t now_us,
                   struct cs_deadline deadline);

/* How often the set has been read: another number, another set. */
unsigned cs_jwks_readings(const struct cs_jwks *jwks);

#endif
