/* http/jwt.h: JSON Web Tokens (RFC 7519, RFC 8725), signed, in compact form. */
#ifndef CS_HTTP_JWT_H
#define CS_HTTP_JWT_H

#include "http/keys.h"
#include "json/tree.h"

#define CS_TOKEN_MAX_BYTES (16u << 10)

/* What a token says, once its signature has been checked. */
struct cs_jwt {
    struct cs_json *claims; /* an object */
    double expires_s;       /* `exp`: seconds since 1970 */
    double not_before_s;    /* `nbf`, 0 where there is none */
};
void cs_jwt_clear(struct cs_jwt *jwt);

/* What the claims must say. */
struct cs_jwt_rules {
    const char *issuer;   /* `iss`, or NULL */
    const char *audience; /* one of `aud`, or NULL */
    int leeway_s;         /* for exp and nbf */
};

/* Form, header and signature, and the types of exp and nbf. CS_EUNAUTH with a
 * reason of http/identity.h. CS_ENOTFOUND when no key is meant: a fresher key set
 * may have it. */
enum cs_code cs_jwt_verify(struct cs_jwt *out, const struct cs_keys *keys,
                           struct cs_view token, struct cs_err *err) CS_MUST_USE;

/* The times, which pass; to be checked at each use. */
enum cs_code cs_jwt_check_times(double expires_s, double not_before_s, int leeway_s,
                                int64_t now_us, struct cs_err *err) CS_MUST_USE;

/* iss and aud. */
enum cs_code cs_jwt_check_parties(const struct cs_jwt *jwt,
                                  const struct cs_jwt_rules *rules,
                                  struct cs_err *err) CS_MUST_USE;

/* CS_EUNAUTH with this reason. */
enum cs_code cs_jwt_refuse(struct cs_err *err, const char *reason, const char *text);

#endif
