#include "config.h"

#include "unit.h"

#include "tokens.h"

struct keys {
    cjose_jwk_t *rsa, *other_rsa, *small_rsa, *p256, *p384;
};

static int make_keys(void **state)
{
    struct keys *keys = calloc(1, sizeof(*keys));
    const uint8_t e[] = {1, 0, 1};

    assert_non_null(keys);
    keys->rsa = cjose_jwk_create_RSA_random(2048, e, sizeof(e), NULL);
    keys->other_rsa = cjose_jwk_create_RSA_random(2048, e, sizeof(e), NULL);
    keys->small_rsa = cjose_jwk_create_RSA_random(1024, e, sizeof(e), NULL);
    keys->p256 = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
    keys->p384 = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_384, NULL);
    assert_true(keys->rsa != NULL && keys->other_rsa != NULL && keys->small_rsa != NULL &&
                keys->p256 != NULL && keys->p384 != NULL);
    *state = keys;
    return 0;
}

static int free_keys(void **state)
{
    struct keys *keys = *state;

    (void)cjose_jwk_release(keys->rsa);
    (void)cjose_jwk_release(keys->other_rsa);
    (void)cjose_jwk_release(keys->small_rsa);
    (void)cjose_jwk_release(keys->p256);
    (void)cjose_jwk_release(keys->p384);
    free(keys);
    return 0;
}

/* A member of a key set: the key's own members and some more ("\"alg\":\"RS256\""). */
static void add_jwk(struct cs_buf *set, const cjose_jwk_t *jwk, bool private,
                    const char *kid, const char *more)
{
    char *json = cjose_jwk_to_json(jwk, private, NULL);

    assert_non_null(json);
    cs_buf_add_cstr(set, set->len == 0 ? "{\"keys\":[" : ",");
    cs_buf_add(set, cs_view_of(json, strlen(json) - 1));
    if (kid != NULL)
        cs_buf_add_fmt(set, ",\"kid\":\"%s\"", kid);
    cs_buf_add_fmt(set, "%s%s}", more[0] != '\0' ? "," : "", more);
    cjose_get_dealloc()(json);
}

struct fetcher {
    struct cs_buf set;
    int calls;
    bool fails;
};

static enum cs_code fetch(void *payload, const char *url, struct cs_buf *out,
                          struct cs_deadline deadline, struct cs_err *err)
{
    struct fetcher *fetcher = payload;

    assert_true(strcmp(url, "https://id.example/keys") == 0);
    assert_in_range(cs_deadline_left_ms(deadline), 1, 5000);
    fetcher->calls++;
    if (fetcher->fails)
        return cs_err_set(err, CS_EUPSTREAM, "connection refused");
    cs_buf_add(out, cs_buf_view(&fetcher->set));
    return CS_OK;
}

static struct cs_authenticator *with_fetcher(struct fetcher *fetcher)
{
    return authenticator(
        &(struct cs_identity_options){.jwks_url = "https://id.example/keys",
                                      .jwks_min_refetch_s = 60,
                                      .fetch = fetch,
                                      .fetch_payload = fetcher});
}

static void test_key_set(void **state)
{
    const struct keys *keys = *state;
    struct fetcher fetcher = {.set = CS_BUF_INIT(TOKEN_MAX)};
    const struct {
        const cjose_jwk_t *jwk;
        const char *alg, *kid, *reason;
    } cases[] = {
        {keys->rsa, "RS256", "plain", NULL}, /* without alg: RS256 and no other */
        {keys->rsa, "RS384", "plain", "token_algorithm_refused"},
        {keys->rsa, "RS512", "plain", "token_algorithm_refused"},
        {keys->rsa, "PS256", "plain", "token_algorithm_refused"},
        {keys->other_rsa, "RS256", "plain", "token_signature_invalid"},
        {keys->rsa, "RS384", "rs384", NULL},
        {keys->rsa, "RS256", "rs384", "token_algorithm_refused"},
        {keys->rsa, "RS512", "rs512", NULL},
        {keys->rsa, "PS256", "ps256", NULL},
        {keys->rsa, "PS384", "ps384", NULL},
        {keys->rsa, "PS512", "ps512", NULL},
        {keys->rsa, "RS256", "ps256", "token_algorithm_refused"},
        {keys->p256, "ES256", "p256", NULL},
        {keys->p384, "ES384", "p384", NULL},
        {keys->p384, "ES384", "p256", "token_algorithm_refused"},
        {keys->rsa, "RS256", "p256", "token_algorithm_refused"},
        {keys->rsa, "RS256", "unknown", "token_key_unknown"},
        {keys->rsa, "RS256", "", "token_key_unknown"},
        {keys->rsa, "PS256", NULL, NULL}, /* one key there is for it */
        {keys->rsa, "RS256", "encrypt", "token_key_unknown"},
        {keys->rsa, "RS256", "signs-only", "token_key_unknown"},
        {keys->p256, "ES256", "wrong-alg", "token_key_unknown"},
        {keys->rsa, "RS256", "private", "token_key_unknown"},
        {keys->small_rsa, "RS256", "small", "token_key_unknown"},
    };
    struct cs_authenticator *a = with_fetcher(&fetcher);
    struct cs_buf token = CS_BUF_INIT(TOKEN_MAX);

    add_jwk(&fetcher.set, keys->rsa, false, "plain", "");
    add_jwk(&fetcher.set, keys->rsa, false, "rs384", "\"alg\":\"RS384\",\"use\":\"sig\"");
    add_jwk(&fetcher.set, keys->rsa, false, "rs512",
            "\"alg\":\"RS512\",\"key_ops\":[\"verify\"]");
    add_jwk(&fetcher.set, keys->rsa, false, "ps256", "\"alg\":\"PS256\"");
    add_jwk(&fetcher.set, keys->rsa, false, "ps384", "\"alg\":\"PS384\"");
    add_jwk(&fetcher.set, keys->rsa, false, "ps512", "\"alg\":\"PS512\"");
    add_jwk(&fetcher.set, keys->p256, false, "p256", "");
    add_jwk(&fetcher.set, keys->p384, false, "p384", "\"alg\":\"ES384\"");
    add_jwk(&fetcher.set, keys->rsa, false, "encrypt", "\"use\":\"enc\"");
    add_jwk(&fetcher.set, keys->rsa, false, "signs-only", "\"key_ops\":[\"sign\"]");
    add_jwk(&fetcher.set, keys->p256, false, "wrong-alg", "\"alg\":\"RS256\"");
    add_jwk(&fetcher.set, keys->rsa, true, "private", "");
    add_jwk(&fetcher.set, keys->small_rsa, false, "small", "");
    cs_buf_add_cstr(&fetcher.set,
                    ",{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"},7,"
                    "{\"kty\":\"oct\",\"k\":\"dGhpcyBpcyBhIHRlc3Qgc2VjcmV0LCAzMiBieXR"
                    "lcyBhbmQgbW9yZQ\",\"kid\":\"oct\"}]}");
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        jws_token(&token, cases[i].jwk, cases[i].alg, cases[i].kid, GOOD_CLAIMS);
        expect(a, &token, cases[i].reason);
    }
    /* a secret in a key set is none */
    hs_token(&token, SECRET, CS_LIT("{\"alg\":\"HS256\",\"kid\":\"oct\"}"),
             CS_LIT(GOOD_CLAIMS));
    expect(a, &token, "token_key_unknown");
    cs_buf_clear(&token);
    cs_buf_clear(&fetcher.set);
    cs_authenticator_free(a);
}

/* The signature of a good token, cut or lengthened byte by byte. */
static void test_signature_size(void **state)
{
    const struct keys *keys = *state;
    const struct {
        const cjose_jwk_t *jwk;
        const char *alg, *kid;
        size_t bytes;
    } cases[] = {
        {keys->rsa, "RS256", "rs", 256},
        {keys->rsa, "PS256", "ps", 256},
        {keys->p256, "ES256", "p256", 64},
        {keys->p384, "ES384", "p384", 96},
    };
    struct fetcher fetcher = {.set = CS_BUF_INIT(TOKEN_MAX)};
    struct cs_authenticator *a = with_fetcher(&fetcher);
    struct cs_buf token = CS_BUF_INIT(TOKEN_MAX), signature = CS_BUF_INIT(1000);

    add_jwk(&fetcher.set, keys->rsa, false, "rs", "");
    add_jwk(&fetcher.set, keys->rsa, false, "ps", "\"alg\":\"PS256\"");
    add_jwk(&fetcher.set, keys->p256, false, "p256", "");
    add_jwk(&fetcher.set, keys->p384, false, "p384", "");
    cs_buf_add_cstr(&fetcher.set, "]}");
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        size_t at;

        jws_token(&token, cases[i].jwk, cases[i].alg, cases[i].kid, GOOD_CLAIMS);
        expect(a, &token, NULL);
        for (at = token.len; token.ptr[at - 1] != '.';)
            at--;
        cs_buf_reset(&signature);
        assert_ok(
            cs_base64url_decode(&signature, cs_view_from(cs_buf_view(&token), at), err));
        assert_int_equal(signature.len, cases[i].bytes);
        cs_buf_add(&signature, CS_LIT("\0\0\0"));
        for (size_t bytes = 0; bytes <= signature.len; bytes++) {
            cs_buf_truncate(&token, at);
            cs_base64url_encode(&token, cs_view_sub(cs_buf_view(&signature), 0, bytes));
            expect(a, &token, bytes == cases[i].bytes ? NULL : "token_signature_invalid");
        }
    }
    cs_buf_clear(&token);
    cs_buf_clear(&signature);
    cs_buf_clear(&fetcher.set);
    cs_authenticator_free(a);
}

/* The public key as an HMAC key, in every spelling that the peer knows. */
static void test_confusion(void **state)
{
    const struct keys *keys = *state;
    struct fetcher fetcher = {.set = CS_BUF_INIT(TOKEN_MAX)};
    struct cs_authenticator *a = with_fetcher(&fetcher);
    struct cs_buf token = CS_BUF_INIT(TOKEN_MAX);
    char *json = cjose_jwk_to_json(keys->rsa, false, NULL);

    assert_non_null(json);
    add_jwk(&fetcher.set, keys->rsa, false, "k", "");
    cs_buf_add_cstr(&fetcher.set, "]}");
    hs_token(&token, json, CS_LIT("{\"alg\":\"HS256\",\"kid\":\"k\"}"),
             CS_LIT(GOOD_CLAIMS));
    expect(a, &token, "token_algorithm_refused");
    hs_token(&token, json, CS_LIT("{\"alg\":\"HS256\"}"), CS_LIT(GOOD_CLAIMS));
    expect(a, &token, "token_algorithm_refused");
    cjose_get_dealloc()(json);
    cs_buf_clear(&token);
    cs_buf_clear(&fetcher.set);
    cs_authenticator_free(a);
}

static void test_refetch(void **state)
{
    const struct keys *keys = *state;
    struct fetcher fetcher = {.set = CS_BUF_INIT(TOKEN_MAX), .fails = true};
    struct cs_authenticator *a = with_fetcher(&fetcher);
    struct cs_buf first = CS_BUF_INIT(TOKEN_MAX), second = CS_BUF_INIT(TOKEN_MAX);
    struct cs_identity identity;
    struct cs_err err = CS_ERR_NONE;

    jws_token(&first, keys->rsa, "RS256", "one", "{\"sub\":\"u\",\"exp\":1900000000}");
    jws_token(&second, keys->other_rsa, "RS256", "two",
              "{\"sub\":\"u\",\"exp\":1900000000}");
    assert_int_equal(fetcher.calls, 0); /* none at the start */
    assert_int_equal(cs_authenticate_token(a, cs_buf_view(&first), NOW_US,
                                           cs_deadline_in_ms(900), &identity, &err),
                     CS_EUPSTREAM);
    assert_int_equal(fetcher.calls, 1);
    fetcher.fails = false;
    add_jwk(&fetcher.set, keys->rsa, false, "one", "");
    cs_buf_add_cstr(&fetcher.set, "]}");
    /* not again at once */
    assert_int_equal(cs_authenticate_token(a, cs_buf_view(&first),
                                           NOW_US + 59 * CS_SECOND_US,
                                           cs_deadline_in_ms(900), &identity, NULL),
                     CS_EUPSTREAM);
    assert_int_equal(fetcher.calls, 1);
    expect_at(a, cs_buf_view(&first), NOW_US + 60 * CS_SECOND_US, NULL);
    assert_int_equal(fetcher.calls, 2);
    /* an unknown id, many times: one more call */
    for (int i = 0; i < 10; i++)
        expect_at(a, cs_buf_view(&second), NOW_US + 120 * CS_SECOND_US,
                  "token_key_unknown");
    assert_int_equal(fetcher.calls, 3);
    /* the provider changes its key; the old one goes with it, remembered or not */
    cs_buf_reset(&fetcher.set);
    add_jwk(&fetcher.set, keys->other_rsa, false, "two", "");
    cs_buf_add_cstr(&fetcher.set, "]}");
    expect_at(a, cs_buf_view(&first), NOW_US + 180 * CS_SECOND_US, NULL);
    expect_at(a, cs_buf_view(&second), NOW_US + 180 * CS_SECOND_US, NULL);
    assert_int_equal(fetcher.calls, 4);
    expect_at(a, cs_buf_view(&first), NOW_US + 181 * CS_SECOND_US, "token_key_unknown");
    /* what can't be used leaves the old set as it is */
    cs_buf_reset(&fetcher.set);
    cs_buf_add_cstr(&fetcher.set, "{\"keys\":[]}");
    expect_at(a, cs_buf_view(&first), NOW_US + 400 * CS_SECOND_US, "token_key_unknown");
    fetcher.fails = true;
    expect_at(a, cs_buf_view(&first), NOW_US + 500 * CS_SECOND_US, "token_key_unknown");
    expect_at(a, cs_buf_view(&second), NOW_US + 500 * CS_SECOND_US, NULL);
    /* an old set is renewed though all its keys are known */
    fetcher.calls = 0;
    expect_at(a, cs_buf_view(&second), NOW_US + 4000 * CS_SECOND_US, NULL);
    assert_int_equal(fetcher.calls, 1);
    cs_buf_clear(&first);
    cs_buf_clear(&second);
    cs_buf_clear(&fetcher.set);
    cs_authenticator_free(a);
}

static void write_file(const char *name, struct cs_view bytes)
{
    assert_ok(cs_file_write(name, bytes, 0600, err));
}

static void test_files(void **state)
{
    const struct keys *keys = *state;
    struct cs_buf set = CS_BUF_INIT(TOKEN_MAX), token = CS_BUF_INIT(TOKEN_MAX);
    char folder[] = "test_identity.XXXXXX", path[64];
    struct cs_authenticator *a;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/keys", folder);
    add_jwk(&set, keys->p256, false, "k", "");
    cs_buf_add_cstr(&set, "]}");
    write_file(path, cs_buf_view(&set));
    a = authenticator(&(struct cs_identity_options){.jwks_file = path});
    jws_token(&token, keys->p256, "ES256", "k", GOOD_CLAIMS);
    expect(a, &token, NULL);
    cs_authenticator_free(a);
    write_file(path, CS_LIT("{\"keys\":[]}"));
    refuse_options(&(struct cs_identity_options){.jwks_file = path}, "JWT_JWKS_FILE");
    write_file(path, CS_LIT("not json"));
    refuse_options(&(struct cs_identity_options){.jwks_file = path}, "JWT_JWKS_FILE");
    refuse_options(&(struct cs_identity_options){.public_key_file = path},
                   "JWT_PUBLIC_KEY_FILE");
    assert_int_equal(unlink(path), 0);
    refuse_options(&(struct cs_identity_options){.jwks_file = path}, "JWT_JWKS_FILE");
    refuse_options(&(struct cs_identity_options){.public_key_file = path},
                   "JWT_PUBLIC_KEY_FILE");
    assert_int_equal(rmdir(folder), 0);
    cs_buf_clear(&set);
    cs_buf_clear(&token);
}

static void test_options(void **state)
{
    static const char pem[] =
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n";
    struct fetcher fetcher = {.calls = 0};
    static const char *const bad_urls[] = {"http://id.example/keys",
                                           "http://localhost.evil.example/",
                                           "http://127.0.0.1.evil.example/",
                                           "ftp://x/",
                                           "keys.json",
                                           "http://127.0.0.1@evil.example/"};

    (void)state;
    refuse_options(&(struct cs_identity_options){.gateway = false}, "JWT_SECRET");
    refuse_options(&(struct cs_identity_options){.secret = CS_LIT(
                                                     "31 bytes are not quite enough..")},
                   "JWT_SECRET");
    refuse_options(&(struct cs_identity_options){.secret = cs_view_cstr(pem)},
                   "JWT_SECRET");
    for (size_t i = 0; i < CS_COUNT(bad_urls); i++)
        refuse_options(&(struct cs_identity_options){.jwks_url = bad_urls[i],
                                                     .fetch = fetch,
                                                     .fetch_payload = &fetcher},
                       "JWT_JWKS_URL");
    refuse_options(&(struct cs_identity_options){.jwks_url = "https://id.example/keys"},
                   "JWT_JWKS_URL");
    refuse_options(&(struct cs_identity_options){.jwks_url = "https://id.example/keys",
                                                 .jwks_file = "x",
                                                 .fetch = fetch},
                   "JWT_JWKS_URL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_set),   cmocka_unit_test(test_signature_size),
        cmocka_unit_test(test_confusion), cmocka_unit_test(test_refetch),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
