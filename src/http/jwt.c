#include "config.h"

#include "http/jwt.h"

#include <math.h>

#include "base/clock.h"
#include "base/encoding.h"

void cs_jwt_clear(struct cs_jwt *jwt)
{
    cs_json_free(jwt->claims);
    *jwt = (struct cs_jwt){.claims = NULL};
}

enum cs_code cs_jwt_refuse(struct cs_err *err, const char *reason, const char *text)
{
    return cs_err_field(err, CS_EUNAUTH, "Authorization", reason, "%s", text);
}

static enum cs_code malformed(struct cs_err *err)
{
    return cs_jwt_refuse(err, "token_malformed",
                         "the token is not a signed JSON Web Token: get a new one");
}

/* Three parts between two dots. Five are an encrypted token, which is refused
 * here, before anything looks into it. */
static bool split_token(struct cs_view token, struct cs_view parts[3])
{
    for (size_t i = 0; i < 2; i++) {
        size_t dot = cs_view_find_byte(token, '.');

        if (dot == SIZE_MAX)
            return false;
        parts[i] = cs_view_sub(token, 0, dot);
        token = cs_view_from(token, dot + 1);
    }
    parts[2] = token;
    return cs_view_find_byte(token, '.') == SIZE_MAX;
}

/* An object in one part of the token, checked to have no member twice. */
static enum cs_code read_part(struct cs_json **out, struct cs_view part,
                              struct cs_err *err)
{
    static const struct cs_json_limits limits = {.max_depth = 16};
    struct cs_buf text = CS_BUF_INIT(CS_TOKEN_MAX_BYTES);
    enum cs_code rc = cs_base64url_decode(&text, part, NULL);

    if (rc == CS_OK)
        rc = cs_json_parse(out, cs_buf_view(&text), &limits, NULL);
    if (rc == CS_OK && cs_json_type(*out) != CS_JSON_OBJECT)
        rc = CS_EINVAL;
    cs_buf_clear(&text);
    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    return rc == CS_OK ? CS_OK : malformed(err);
}

/* The signature's size. The library takes some other spellings of the same signature,
 * which would be other tokens. */
static enum cs_code measure_signature(struct cs_view part, size_t *bytes_out,
                                      struct cs_err *err)
{
    struct cs_buf bytes = CS_BUF_INIT(CS_TOKEN_MAX_BYTES);
    enum cs_code rc = cs_base64url_decode(&bytes, part, NULL);

    *bytes_out = bytes.len;
    cs_buf_clear(&bytes);
    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    return rc == CS_OK ? CS_OK : malformed(err);
}

/* "JWT" and "at+jwt" (RFC 9068), which may be written as whole media types. */
static bool good_type(struct cs_view type)
{
    static const struct cs_view prefix = CS_LIT_INIT("application/");

    if (cs_view_eq_nocase(cs_view_sub(type, 0, prefix.len), prefix))
        type = cs_view_from(type, prefix.len);
    return cs_view_eq_nocase(type, CS_LIT("JWT")) ||
           cs_view_eq_nocase(type, CS_LIT("at+jwt"));
}

/* RFC 8725: a token doesn't choose how it is checked, nor with which key. */
static enum cs_code check_header(const struct cs_json *header, struct cs_err *err)
{
    static const char *const refused[] = {"crit", "jku", "jwk", "x5u", "x5c", "b64"};

    for (size_t i = 0; i < CS_COUNT(refused); i++)
        if (cs_json_has(header, refused[i]))
            return cs_err_field(err, CS_EUNAUTH, "Authorization", "token_header_refused",
                                "the token's header has \"%s\", which is not taken here",
                                refused[i]);
    if (cs_json_has(header, "typ") && !good_type(cs_json_get_string(header, "typ")))
        return cs_jwt_refuse(
            err, "token_header_refused",
            "the token's typ must be JWT or at+jwt: this is another kind");
    if (cs_json_has(header, "kid") && cs_json_get_string(header, "kid").ptr == NULL)
        return malformed(err);
    return CS_OK;
}

static enum cs_code check_signature(const struct cs_keys *keys, struct cs_view token,
                                    const struct cs_json *header,
                                    struct cs_view signature, struct cs_err *err)
{
    struct cs_signed signed_token = {.token = token,
                                     .algorithm = cs_json_get_string(header, "alg"),
                                     .kid = cs_json_get_string(header, "kid")};
    enum cs_code rc = measure_signature(signature, &signed_token.signature_bytes, err);

    if (rc != CS_OK)
        return rc;
    if (!cs_keys_algorithm_known(signed_token.algorithm))
        return cs_jwt_refuse(err, "token_algorithm_refused",
                             "the token's algorithm is not one that is taken here");
    rc = cs_keys_verify(keys, &signed_token);
    if (rc == CS_EDENIED)
        return cs_jwt_refuse(err, "token_algorithm_refused",
                             "the token's algorithm is not the one of its key");
    if (rc == CS_EUNAUTH)
        return cs_jwt_refuse(err, "token_signature_invalid",
                             "the token's signature is not good: get a new token");
    return rc;
}

/* A NumericDate (RFC 7519 section 2), which may have a fraction. */
static bool read_time(const struct cs_json *claims, const char *name, double *out)
{
    *out = cs_json_number(cs_json_get(claims, name), NAN);
    return isfinite(*out);
}

static enum cs_code read_times(struct cs_jwt *jwt, struct cs_err *err)
{
    if (!read_time(jwt->claims, "exp", &jwt->expires_s))
        return cs_jwt_refuse(err, "token_claim_missing",
                             "the token has no exp, or one that is no number");
    jwt->not_before_s = 0;
    if (cs_json_has(jwt->claims, "nbf") &&
        !read_time(jwt->claims, "nbf", &jwt->not_before_s))
        return cs_jwt_refuse(err, "token_claim_missing", "the token's nbf is no number");
    return CS_OK;
}

enum cs_code cs_jwt_verify(struct cs_jwt *out, const struct cs_keys *keys,
                           struct cs_view token, struct cs_err *err)
{
    struct cs_view parts[3];
    struct cs_json *header = NULL;
    enum cs_code rc;

    *out = (struct cs_jwt){.claims = NULL};
    if (token.len == 0 || token.len > CS_TOKEN_MAX_BYTES || !split_token(token, parts))
        return malformed(err);
    if ((rc = read_part(&header, parts[0], err)) != CS_OK)
        goto out;
    if ((rc = check_header(header, err)) != CS_OK)
        goto out;
    if ((rc = check_signature(keys, token, header, parts[2], err)) != CS_OK)
        goto out;
    if ((rc = read_part(&out->claims, parts[1], err)) != CS_OK)
        goto out;
    rc = read_times(out, err);
out:
    cs_json_free(header);
    if (rc != CS_OK)
        cs_jwt_clear(out);
    return rc;
}

enum cs_code cs_jwt_check_times(double expires_s, double not_before_s, int leeway_s,
                                int64_t now_us, struct cs_err *err)
{
    double now_s = (double)now_us / (double)CS_SECOND_US;

    if (now_s >= expires_s + leeway_s)
        return cs_jwt_refuse(err, "token_expired",
                             "the token has expired: get a new one");
    if (now_s + leeway_s < not_before_s)
        return cs_jwt_refuse(err, "token_not_yet_valid",
                             "the token is not valid yet: check the clocks, or wait");
    return CS_OK;
}

static bool is_audience(const struct cs_json *claim, const char *audience)
{
    if (cs_json_type(claim) == CS_JSON_STRING)
        return cs_view_eq_cstr(cs_json_string(claim), audience);
    if (cs_json_type(claim) == CS_JSON_ARRAY)
        for (size_t i = 0; i < cs_json_length(claim); i++)
            if (cs_json_type(cs_json_at(claim, i)) == CS_JSON_STRING &&
                cs_view_eq_cstr(cs_json_string(cs_json_at(claim, i)), audience))
                return true;
    return false;
}

enum cs_code cs_jwt_check_parties(const struct cs_jwt *jwt,
                                  const struct cs_jwt_rules *rules, struct cs_err *err)
{
    struct cs_view issuer = cs_json_get_string(jwt->claims, "iss");

    if (rules->issuer != NULL &&
        (issuer.ptr == NULL || !cs_view_eq_cstr(issuer, rules->issuer)))
        return cs_jwt_refuse(err, "token_issuer_refused",
                             "the token is not from the issuer that is trusted here");
    if (rules->audience != NULL &&
        !is_audience(cs_json_get(jwt->claims, "aud"), rules->audience))
        return cs_jwt_refuse(err, "token_audience_refused",
                             "the token was issued for another service");
    return CS_OK;
}
