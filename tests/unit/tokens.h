/* tests/unit/tokens.h: makes bearer tokens, right and wrong ones, and says what is
 * expected of them. All keys are made for tests. */
#ifndef CS_TESTS_TOKENS_H
#define CS_TESTS_TOKENS_H

#include <cjose/cjose.h>

#include "unit.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/encoding.h"
#include "http/identity.h"
#include "json/tree.h"

#define NOW_US    (1700000000ll * CS_SECOND_US)
#define SECRET    "this is a test secret, 32 bytes and more"
#define TOKEN_MAX (64u << 10)

/* ---- making tokens ---- */

/* HS256 over any two texts, well-formed or not. */
static inline void hs_token(struct cs_buf *out, const char *secret, struct cs_view header,
                            struct cs_view claims)
{
    uint8_t mac[CS_SHA256_LEN];

    cs_buf_reset(out);
    cs_base64url_encode(out, header);
    cs_buf_add_byte(out, '.');
    cs_base64url_encode(out, claims);
    assert_ok(cs_hmac_sha256(mac, cs_view_cstr(secret), cs_buf_view(out), err));
    cs_buf_add_byte(out, '.');
    cs_base64url_encode(out, cs_view_of(mac, sizeof(mac)));
}

/* A signature with any key of cjose. */
static inline void jws_token(struct cs_buf *out, const cjose_jwk_t *jwk, const char *alg,
                             const char *kid, const char *claims)
{
    cjose_header_t *header = cjose_header_new(NULL);
    const char *compact = NULL;
    cjose_jws_t *jws;

    assert_true(cjose_header_set(header, "alg", alg, NULL));
    if (kid != NULL)
        assert_true(cjose_header_set(header, "kid", kid, NULL));
    jws = cjose_jws_sign(jwk, header, (const uint8_t *)claims, strlen(claims), NULL);
    assert_non_null(jws);
    assert_true(cjose_jws_export(jws, &compact, NULL));
    cs_buf_reset(out);
    cs_buf_add_cstr(out, compact);
    cjose_jws_release(jws);
    cjose_header_release(header);
}

#define GOOD_CLAIMS "{\"sub\":\"user-1\",\"exp\":1700000060}"

/* ---- expecting ---- */

static inline struct cs_authenticator *authenticator(
    const struct cs_identity_options *options)
{
    struct cs_err err = CS_ERR_NONE;
    struct cs_authenticator *made = cs_authenticator_new(options, &err);

    if (made == NULL)
        fail_msg("no authenticator: %s", err.text);
    return made;
}

static inline struct cs_authenticator *with_secret(void)
{
    return authenticator(&(struct cs_identity_options){.secret = CS_LIT(SECRET)});
}

/* reason NULL: accepted. */
static inline void expect_at(struct cs_authenticator *a, struct cs_view token,
                             int64_t now_us, const char *reason)
{
    struct cs_identity identity;
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc =
        cs_authenticate_token(a, token, now_us, cs_deadline_in_ms(1000), &identity, &err);

    if (reason == NULL && rc != CS_OK)
        fail_msg("refused: %s: %s", err.reason, err.text);
    if (reason != NULL) {
        assert_string_equal(err.reason, reason);
        assert_int_equal(rc, CS_EUNAUTH);
        assert_null(identity.user_id);
    }
    cs_identity_clear(&identity);
}

static inline void expect(struct cs_authenticator *a, const struct cs_buf *token,
                          const char *reason)
{
    expect_at(a, cs_buf_view(token), NOW_US, reason);
}

static inline void expect_claims(struct cs_authenticator *a, const char *claims,
                                 const char *reason)
{
    struct cs_buf token = CS_BUF_INIT(TOKEN_MAX);

    hs_token(&token, SECRET, CS_LIT("{\"alg\":\"HS256\"}"), cs_view_cstr(claims));
    expect(a, &token, reason);
    cs_buf_clear(&token);
}

static inline void expect_header(struct cs_authenticator *a, const char *header,
                                 const char *reason)
{
    struct cs_buf token = CS_BUF_INIT(TOKEN_MAX);

    hs_token(&token, SECRET, cs_view_cstr(header), CS_LIT(GOOD_CLAIMS));
    expect(a, &token, reason);
    cs_buf_clear(&token);
}

static inline void expect_token(struct cs_authenticator *a, const char *token,
                                const char *reason)
{
    expect_at(a, cs_view_cstr(token), NOW_US, reason);
}

static inline void refuse_options(const struct cs_identity_options *options,
                                  const char *field)
{
    struct cs_err err = CS_ERR_NONE;
    struct cs_authenticator *made = cs_authenticator_new(options, &err);

    assert_null(made);
    assert_int_equal(err.code, CS_EINVAL);
    assert_string_equal(err.field, field);
}

#endif
