#include "config.h"

#include "unit.h"

#include "base/encoding.h"
#include "tokens.h"

/* ---- form and header ---- */

static void test_form(void **state)
{
    struct cs_authenticator *a = with_secret();
    struct cs_buf token = CS_BUF_INIT(TOKEN_MAX), long_claims = CS_BUF_INIT(TOKEN_MAX);

    (void)state;
    hs_token(&token, SECRET, CS_LIT("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"),
             CS_LIT(GOOD_CLAIMS));
    expect(a, &token, NULL);
    expect_token(a, "", "token_malformed");
    expect_token(a, ".", "token_malformed");
    expect_token(a, "..", "token_malformed");
    expect_token(a, "a.b.c.d.e", "token_malformed");
    expect_token(a, "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..aaaa.aaaa.aaaa",
                 "token_malformed");
    expect_token(a, "e30.e30.", "token_algorithm_refused");
    expect_token(a, "e30=.e30.", "token_malformed");  /* padding */
    expect_token(a, "e3.e30.", "token_malformed");    /* bits left over */
    expect_token(a, "W10.e30.AA", "token_malformed"); /* [] */
    cs_buf_add_byte(&token, '.');
    expect(a, &token, "token_malformed");
    cs_buf_truncate(&token, token.len - 1);
    cs_buf_add_byte(&token, '=');
    expect(a, &token, "token_malformed");
    /* longer than is looked at */
    cs_buf_add_cstr(&long_claims, "{\"sub\":\"u\",\"exp\":1700000060,\"x\":\"");
    for (int i = 0; i < 16384; i++)
        cs_buf_add_byte(&long_claims, 'x');
    cs_buf_add_cstr(&long_claims, "\"}");
    expect_claims(a, cs_buf_cstr(&long_claims), "token_malformed");
    cs_buf_clear(&token);
    cs_buf_clear(&long_claims);
    cs_authenticator_free(a);
}

static void test_header(void **state)
{
    static const struct {
        const char *header, *reason;
    } cases[] = {
        {"{\"alg\":\"HS256\",\"typ\":\"jwt\"}", NULL},
        {"{\"alg\":\"HS256\",\"typ\":\"at+JWT\"}", NULL},
        {"{\"alg\":\"HS256\",\"typ\":\"application/at+jwt\"}", NULL},
        {"{\"alg\":\"HS256\",\"kid\":\"any\"}", NULL},
        {"{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}", "token_header_refused"},
        {"{\"alg\":\"HS256\",\"typ\":1}", "token_header_refused"},
        {"{\"alg\":\"HS256\",\"typ\":null}", "token_header_refused"},
        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", "token_header_refused"},
        {"{\"alg\":\"HS256\",\"crit\":null}", "token_header_refused"},
        {"{\"alg\":\"HS256\",\"jku\":\"https://evil.example/keys\"}",
         "token_header_refused"},
        {"{\"alg\":\"HS256\",\"x5u\":\"https://evil.example/cert\"}",
         "token_header_refused"},
        {"{\"alg\":\"HS256\",\"x5c\":[\"AA==\"]}", "token_header_refused"},
        {"{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}",
         "token_header_refused"},
        {"{\"alg\":\"HS256\",\"b64\":false}", "token_header_refused"},
        {"{\"alg\":\"HS256\",\"kid\":7}", "token_malformed"},
        {"{\"alg\":\"HS256\",\"alg\":\"HS256\"}", "token_malformed"},
        {"{\"alg\":\"none\",\"alg\":\"HS256\"}", "token_malformed"},
        {"{\"alg\":\"HS256\"", "token_malformed"},
        {"{}", "token_algorithm_refused"},
        {"{\"alg\":null}", "token_algorithm_refused"},
        {"{\"alg\":1}", "token_algorithm_refused"},
        {"{\"alg\":\"\"}", "token_algorithm_refused"},
        {"{\"alg\":\"none\"}", "token_algorithm_refused"},
        {"{\"alg\":\"None\"}", "token_algorithm_refused"},
        {"{\"alg\":\"NONE\"}", "token_algorithm_refused"},
        {"{\"alg\":\"nOnE\"}", "token_algorithm_refused"},
        {"{\"alg\":\"hs256\"}", "token_algorithm_refused"},
        {"{\"alg\":\"HS256 \"}", "token_algorithm_refused"},
        {"{\"alg\":\"HS256\\u0000\"}", "token_algorithm_refused"},
        {"{\"alg\":\"HS384\"}", "token_algorithm_refused"},
        {"{\"alg\":\"RS256\"}", "token_algorithm_refused"},
        {"{\"alg\":\"ES256\"}", "token_algorithm_refused"},
    };
    struct cs_authenticator *a = with_secret();

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++)
        expect_header(a, cases[i].header, cases[i].reason);
    cs_authenticator_free(a);
}

/* No signature and none asked for: refused whatever the case of the letters. */
static void test_unsecured(void **state)
{
    static const char *const names[] = {"none", "None", "NONE", "nOnE"};
    struct cs_authenticator *a = with_secret();

    (void)state;
    for (size_t i = 0; i < CS_COUNT(names); i++) {
        struct cs_buf token = CS_BUF_INIT(TOKEN_MAX), header = CS_BUF_INIT(100);

        cs_buf_add_fmt(&header, "{\"alg\":\"%s\"}", names[i]);
        cs_base64url_encode(&token, cs_buf_view(&header));
        cs_buf_add_byte(&token, '.');
        cs_base64url_encode(&token, CS_LIT(GOOD_CLAIMS));
        cs_buf_add_byte(&token, '.');
        expect(a, &token, "token_algorithm_refused");
        cs_buf_clear(&token);
        cs_buf_clear(&header);
    }
    cs_authenticator_free(a);
}

static void test_signature(void **state)
{
    struct cs_authenticator *a = with_secret();
    struct cs_buf token = CS_BUF_INIT(TOKEN_MAX), mac = CS_BUF_INIT(100);
    size_t signature;

    (void)state;
    hs_token(&token, "another test secret of 32 bytes or so",
             CS_LIT("{\"alg\":\"HS256\"}"), CS_LIT(GOOD_CLAIMS));
    expect(a, &token, "token_signature_invalid");
    hs_token(&token, SECRET, CS_LIT("{\"alg\":\"HS256\"}"), CS_LIT(GOOD_CLAIMS));
    signature = token.len - 43;
    for (size_t i = 0; i < 43; i++) { /* each character of it matters */
        char kept = token.ptr[signature + i];

        token.ptr[signature + i] = kept == 'A' ? 'E' : 'A';
        expect(a, &token, "token_signature_invalid");
        token.ptr[signature + i] = kept;
    }
    expect(a, &token, NULL);
    for (size_t len = 0; len < 43; len++) { /* a part of it is none */
        struct cs_identity identity;

        assert_int_equal(cs_authenticate_token(a, cs_view_of(token.ptr, signature + len),
                                               NOW_US, cs_deadline_in_ms(100), &identity,
                                               NULL),
                         CS_EUNAUTH);
    }
    /* nor is it with more behind it */
    assert_ok(
        cs_base64url_decode(&mac, cs_view_from(cs_buf_view(&token), signature), err));
    cs_buf_add_byte(&mac, '\0');
    cs_buf_truncate(&token, signature);
    cs_base64url_encode(&token, cs_buf_view(&mac));
    assert_int_equal(mac.len, 33);
    expect(a, &token, "token_signature_invalid");
    cs_buf_clear(&mac);
    hs_token(&token, SECRET, CS_LIT("{\"alg\":\"HS256\"}"), CS_LIT(GOOD_CLAIMS));
    /* nor in another spelling of the same bytes */
    token.ptr[token.len - 1]++;
    expect(a, &token, "token_malformed");
    cs_buf_clear(&token);
    cs_authenticator_free(a);
}

/* ---- claims ---- */

static void test_times(void **state)
{
    struct cs_authenticator *a = with_secret();
    struct cs_buf token = CS_BUF_INIT(TOKEN_MAX);

    (void)state;
    expect_claims(a, "{\"sub\":\"u\"}", "token_claim_missing");
    expect_claims(a, "{\"sub\":\"u\",\"exp\":\"1700000060\"}", "token_claim_missing");
    expect_claims(a, "{\"sub\":\"u\",\"exp\":null}", "token_claim_missing");
    expect_claims(a, "{\"sub\":\"u\",\"exp\":true}", "token_claim_missing");
    expect_claims(a, "{\"sub\":\"u\",\"exp\":99999999999999999999999}",
                  "token_claim_missing");
    expect_claims(a, "{\"sub\":\"u\",\"exp\":-1}", "token_expired");
    expect_claims(a, "{\"sub\":\"u\",\"exp\":1699999999}", "token_expired");
    expect_claims(a, "{\"sub\":\"u\",\"exp\":1700000000}", "token_expired");
    expect_claims(a, "{\"sub\":\"u\",\"exp\":1700000000.5}", NULL);
    expect_claims(a, "{\"sub\":\"u\",\"exp\":1e300}", NULL);
    expect_claims(a, "{\"sub\":\"u\",\"exp\":1700000060,\"nbf\":1700000000}", NULL);
    expect_claims(a, "{\"sub\":\"u\",\"exp\":1700000060,\"nbf\":1700000000.5}",
                  "token_not_yet_valid");
    expect_claims(a, "{\"sub\":\"u\",\"exp\":1700000060,\"nbf\":\"x\"}",
                  "token_claim_missing");
    /* remembered tokens expire as well */
    hs_token(&token, SECRET, CS_LIT("{\"alg\":\"HS256\"}"),
             CS_LIT("{\"sub\":\"u\",\"exp\":1700000060,\"nbf\":1700000000}"));
    expect(a, &token, NULL);
    expect(a, &token, NULL);
    expect_at(a, cs_buf_view(&token), NOW_US + 60 * CS_SECOND_US, "token_expired");
    expect_at(a, cs_buf_view(&token), NOW_US - 1, "token_not_yet_valid");
    expect(a, &token, NULL);
    cs_authenticator_free(a);
    a = authenticator(
        &(struct cs_identity_options){.secret = CS_LIT(SECRET), .leeway_s = 30});
    expect_at(a, cs_buf_view(&token), NOW_US + 89 * CS_SECOND_US, NULL);
    expect_at(a, cs_buf_view(&token), NOW_US + 90 * CS_SECOND_US, "token_expired");
    expect_at(a, cs_buf_view(&token), NOW_US - 30 * CS_SECOND_US, NULL);
    expect_at(a, cs_buf_view(&token), NOW_US - 31 * CS_SECOND_US, "token_not_yet_valid");
    cs_buf_clear(&token);
    cs_authenticator_free(a);
}

static void test_parties(void **state)
{
#define GOOD "\"sub\":\"u\",\"exp\":1700000060"
    static const struct {
        const char *claims, *reason;
    } cases[] = {
        {"{" GOOD ",\"iss\":\"me\",\"aud\":\"here\"}", NULL},
        {"{" GOOD ",\"iss\":\"me\",\"aud\":[\"there\",\"here\"]}", NULL},
        {"{" GOOD ",\"aud\":\"here\"}", "token_issuer_refused"},
        {"{" GOOD ",\"iss\":\"ME\",\"aud\":\"here\"}", "token_issuer_refused"},
        {"{" GOOD ",\"iss\":[\"me\"],\"aud\":\"here\"}", "token_issuer_refused"},
        {"{" GOOD ",\"iss\":\"me\"}", "token_audience_refused"},
        {"{" GOOD ",\"iss\":\"me\",\"aud\":\"there\"}", "token_audience_refused"},
        {"{" GOOD ",\"iss\":\"me\",\"aud\":[]}", "token_audience_refused"},
        {"{" GOOD ",\"iss\":\"me\",\"aud\":[[\"here\"]]}", "token_audience_refused"},
        {"{" GOOD ",\"iss\":\"me\",\"aud\":{\"here\":1}}", "token_audience_refused"},
    };
    struct cs_authenticator *a = authenticator(&(struct cs_identity_options){
        .secret = CS_LIT(SECRET), .issuer = "me", .audience = "here"});

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++)
        expect_claims(a, cases[i].claims, cases[i].reason);
    cs_authenticator_free(a);
}

static void test_subject(void **state)
{
    static const struct {
        const char *sub, *reason;
    } cases[] = {
        {"\"a\"", NULL},
        {"\"J\\u00f6rg \\ud83d\\ude00\"", NULL},
        {"\"\"", "token_claim_missing"},
        {"1", "token_claim_missing"},
        {"null", "token_claim_missing"},
        {"[\"a\"]", "token_claim_missing"},
        {"\"a\\u0000b\"", "token_claim_missing"},
        {"\"a\\nb\"", "token_claim_missing"},
        {"\"a\\u0085b\"", "token_claim_missing"},
        {"\"a\\u007f\"", "token_claim_missing"},
    };
    struct cs_authenticator *a = with_secret();
    char text[256];

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        snprintf(text, sizeof(text), "{\"sub\":%s,\"exp\":1700000060}", cases[i].sub);
        expect_claims(a, text, cases[i].reason);
    }
    expect_claims(a, "{\"exp\":1700000060}", "token_claim_missing");
    for (int len = 128; len <= 129; len++) {
        snprintf(text, sizeof(text), "{\"sub\":\"%0*d\",\"exp\":1700000060}", len, 7);
        expect_claims(a, text, len == 128 ? NULL : "token_claim_missing");
    }
    expect_claims(a, "{" GOOD ",\"org\":7}", "token_claim_missing");
    expect_claims(a, "{" GOOD ",\"sub\":\"v\"}", "token_malformed"); /* twice */
    expect_claims(a, "[1]", "token_malformed");
    cs_authenticator_free(a);
}

static void read_claims(struct cs_authenticator *a, const char *claims,
                        struct cs_identity *out)
{
    struct cs_buf token = CS_BUF_INIT(TOKEN_MAX);

    hs_token(&token, SECRET, CS_LIT("{\"alg\":\"HS256\"}"), cs_view_cstr(claims));
    for (int pass = 0; pass < 2; pass++) { /* from the token, and as remembered */
        cs_identity_clear(out);
        assert_ok(cs_authenticate_token(a, cs_buf_view(&token), NOW_US,
                                        cs_deadline_in_ms(100), out, err));
    }
    cs_buf_clear(&token);
}

static void test_rights(void **state)
{
    static const struct {
        const char *claims;
        bool admin;
        const char *tenant;
    } cases[] = {
        {"{" GOOD "}", false, ""},
        {"{" GOOD ",\"role\":\"admin\",\"org\":\"acme\"}", true, "acme"},
        {"{" GOOD ",\"role\":[\"user\",\"admin\"]}", true, ""},
        {"{" GOOD ",\"role\":\"administrator\"}", false, ""},
        {"{" GOOD ",\"role\":\"user admin\"}", false, ""},
        {"{" GOOD ",\"role\":[[\"admin\"]]}", false, ""},
        {"{" GOOD ",\"role\":{\"admin\":true}}", false, ""},
        {"{" GOOD ",\"role\":true,\"admin\":true}", false, ""},
        {"{" GOOD ",\"Role\":\"admin\",\"org\":null}", false, ""},
    };
    struct cs_authenticator *a = with_secret();
    struct cs_identity identity = {.user_id = NULL};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        read_claims(a, cases[i].claims, &identity);
        assert_string_equal(identity.user_id, "u");
        assert_string_equal(identity.tenant, cases[i].tenant);
        assert_int_equal(identity.admin, cases[i].admin);
    }
    cs_authenticator_free(a);
    a = authenticator(&(struct cs_identity_options){.secret = CS_LIT(SECRET),
                                                    .admin_claim = "realm_access.roles",
                                                    .admin_value = "campaign-admin"});
    read_claims(a, "{" GOOD ",\"realm_access\":{\"roles\":[\"campaign-admin\"]}}",
                &identity);
    assert_true(identity.admin);
    read_claims(a, "{" GOOD ",\"realm_access.roles\":\"campaign-admin\"}", &identity);
    assert_true(identity.admin);
    read_claims(a, "{" GOOD ",\"realm_access\":{\"roles\":[\"x\"]}}", &identity);
    assert_false(identity.admin);
    cs_identity_clear(&identity);
    cs_authenticator_free(a);
}

/* ---- requests ---- */

static void expect_request(struct cs_authenticator *a, char **envp, const char *reason,
                           struct cs_identity *out)
{
    const struct cs_carrier carrier = {.payload = NULL};
    const struct cs_message_limits limits = {.params_max_bytes = 65536,
                                             .budget_ms = 1000};
    struct cs_err err = CS_ERR_NONE;
    struct cs_request *request = cs_request_new(envp, &carrier, &limits, &err);
    enum cs_code rc;

    assert_non_null(request);
    rc = cs_authenticate(a, request, NOW_US, out, &err);
    assert_string_equal(err.reason, reason != NULL ? reason : "");
    assert_int_equal(rc, reason != NULL ? CS_EUNAUTH : CS_OK);
    cs_request_free(request);
}

static void test_authorization_header(void **state)
{
    static const struct {
        const char *before, *after, *reason;
    } cases[] = {
        {"HTTP_AUTHORIZATION=Bearer ", "", NULL},
        {"HTTP_AUTHORIZATION=bearer ", "", NULL},
        {"HTTP_AUTHORIZATION=BEARER   ", "  ", NULL},
        {"REDIRECT_HTTP_AUTHORIZATION=Bearer ", "", NULL},
        {"HTTP_AUTHORIZATION=", " ", "authorization_header_malformed"},
        {"HTTP_AUTHORIZATION=Basic ", "", "authorization_header_malformed"},
        {"HTTP_AUTHORIZATION=Bearer", "", "authorization_header_malformed"},
        {"HTTP_AUTHORIZATION=Bearer\t", "", "authorization_header_malformed"},
        {"HTTP_AUTHORIZATION=Bearer x ", "", "authorization_header_malformed"},
        {"HTTP_AUTHORIZATION=Bearer x, Bearer ", "", "authorization_header_malformed"},
        {"HTTP_AUTHORIZATION=Bearer ", ", x", "authorization_header_malformed"},
        {"HTTP_X_AUTHORIZATION=Bearer ", "", "authorization_header_not_received"},
        {"AUTHORIZATION=Bearer ", "", "authorization_header_not_received"},
        {"REMOTE_USER=", "", "authorization_header_not_received"},
    };
    struct cs_authenticator *a = with_secret();
    struct cs_buf token = CS_BUF_INIT(TOKEN_MAX);
    struct cs_identity identity;

    (void)state;
    hs_token(&token, SECRET, CS_LIT("{\"alg\":\"HS256\"}"), CS_LIT(GOOD_CLAIMS));
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_buf header = CS_BUF_INIT(TOKEN_MAX);
        char method[] = "REQUEST_METHOD=GET", empty[] = "HTTP_AUTHORIZATION=";
        bool moved = strncmp(cases[i].before, "REDIRECT", 8) == 0;
        char *envp[] = {method, NULL, NULL, NULL};

        cs_buf_add_fmt(&header, "%s%s%s", cases[i].before, cs_buf_cstr(&token),
                       cases[i].after);
        envp[moved ? 2 : 1] = header.ptr;
        if (moved)
            envp[1] = empty; /* counts as absent */
        expect_request(a, envp, cases[i].reason, &identity);
        if (cases[i].reason == NULL)
            assert_string_equal(identity.user_id, "user-1");
        cs_identity_clear(&identity);
        if (!moved) { /* twice is one too many */
            envp[2] = header.ptr;
            if (strncmp(cases[i].before, "HTTP_AUTH", 9) == 0)
                expect_request(a, envp, "authorization_header_malformed", &identity);
        }
        cs_buf_clear(&header);
    }
    cs_buf_clear(&token);
    cs_authenticator_free(a);
}

static void test_gateway(void **state)
{
    char method[] = "REQUEST_METHOD=GET", user[] = "REMOTE_USER=anna",
         none[] = "REMOTE_USER=";
    char admin[] = "CAMPAIGN_ADMIN=1", tenant[] = "CAMPAIGN_TENANT=acme",
         bad[] = "REMOTE_USER=a\nb";
    char fake1[] = "HTTP_REMOTE_USER=eve", fake2[] = "HTTP_CAMPAIGN_ADMIN=1";
    char fake3[] = "HTTP_X_FORWARDED_USER=eve", fake4[] = "HTTP_AUTHORIZATION=Bearer x";
    struct cs_authenticator *a =
        authenticator(&(struct cs_identity_options){.gateway = true});
    struct cs_identity identity;

    (void)state;
    expect_request(a, (char *[]){method, fake1, fake2, fake3, fake4, NULL},
                   "gateway_user_missing", &identity);
    expect_request(a, (char *[]){method, none, NULL}, "gateway_user_missing", &identity);
    expect_request(a, (char *[]){method, bad, NULL}, "gateway_user_missing", &identity);
    expect_request(a, (char *[]){method, user, fake1, fake2, NULL}, NULL, &identity);
    assert_string_equal(identity.user_id, "anna");
    assert_string_equal(identity.tenant, "");
    assert_false(identity.admin);
    cs_identity_clear(&identity);
    expect_request(a, (char *[]){method, user, admin, tenant, NULL}, NULL, &identity);
    assert_string_equal(identity.tenant, "acme");
    assert_true(identity.admin);
    cs_identity_clear(&identity);
    cs_authenticator_free(a);
}

static void test_make(void **state)
{
    struct cs_buf token = CS_BUF_INIT(TOKEN_MAX);
    struct cs_authenticator *a = with_secret();

    (void)state;
    assert_ok(cs_token_make(CS_LIT(SECRET), CS_LIT(GOOD_CLAIMS), &token, err));
    expect(a, &token, NULL);
    assert_int_equal(cs_token_make(CS_LIT("short"), CS_LIT(GOOD_CLAIMS), &token, NULL),
                     CS_EINVAL);
    assert_int_equal(cs_token_make(CS_LIT(SECRET), CS_LIT("[]"), &token, NULL),
                     CS_EINVAL);
    assert_int_equal(cs_token_make(CS_LIT(SECRET), CS_LIT("{"), &token, NULL), CS_EINVAL);
    cs_buf_clear(&token);
    cs_authenticator_free(a);
}

/* ---- RFC 7515 ---- */

/* An authenticator with the key of a case: the secret, or the PEM in a file. */
static struct cs_authenticator *for_case(const struct cs_json *item)
{
    const struct cs_json *jwk = cs_json_get(item, "public_or_shared_jwk");
    struct cs_buf secret = CS_BUF_INIT(1000), set = CS_BUF_INIT(10000);
    char path[] = "test_identity.XXXXXX";
    struct cs_authenticator *a;

    if (cs_view_eq_cstr(cs_json_get_string(jwk, "kty"), "oct")) {
        assert_ok(cs_base64url_decode(&secret, cs_json_get_string(jwk, "k"), err));
        a = authenticator(&(struct cs_identity_options){.secret = cs_buf_view(&secret)});
    } else {
        int fd = mkstemp(path);
        bool pem = cs_json_has(item, "public_key_pem");

        cs_buf_add_cstr(&set, "{\"keys\":[");
        cs_json_write_node(&set, jwk);
        cs_buf_add_cstr(&set, "]}");
        assert_true(fd >= 0);
        assert_int_equal(
            cs_file_write_all(fd, pem ? cs_json_get_string(item, "public_key_pem")
                                      : cs_buf_view(&set)),
            0);
        (void)close(fd);
        a = authenticator(&(struct cs_identity_options){
            .public_key_file = pem ? path : NULL,
            .public_key_algorithm = pem ? cs_json_get_string(item, "alg").ptr : NULL,
            .jwks_file = pem ? NULL : path});
        (void)unlink(path);
    }
    cs_buf_clear(&secret);
    cs_buf_clear(&set);
    return a;
}

static void test_rfc7515(void **state)
{
    struct cs_buf text;
    struct cs_json *root = NULL;
    const struct cs_json *valid, *reject;

    (void)state;
    unit_read_vector(&text, "jwt/rfc7515-examples.json");
    assert_ok(cs_json_parse(&root, cs_buf_view(&text), NULL, err));
    valid = cs_json_get(root, "valid");
    reject = cs_json_get(root, "reject");
    assert_true(cs_json_length(valid) == 3 && cs_json_length(reject) == 14);
    for (size_t i = 0; i < cs_json_length(valid); i++) {
        const struct cs_json *item = cs_json_at(valid, i);
        struct cs_authenticator *a = for_case(item);
        int64_t at_s = 0;

        assert_true(cs_json_integer(cs_json_get(item, "evaluate_at"), &at_s));
        /* All is good but that these examples have no sub, which is the last check. */
        expect_at(a, cs_json_get_string(item, "token"), at_s * CS_SECOND_US,
                  "token_claim_missing");
        expect_at(a, cs_json_get_string(item, "token"), (at_s + 2) * CS_SECOND_US,
                  "token_expired");
        cs_authenticator_free(a);
    }
    for (size_t i = 0; i < cs_json_length(reject); i++) {
        const struct cs_json *item = cs_json_at(reject, i);
        struct cs_authenticator *a =
            cs_json_has(item, "public_or_shared_jwk") ? for_case(item) : with_secret();
        struct cs_identity identity;
        struct cs_err err = CS_ERR_NONE;

        assert_int_equal(cs_authenticate_token(a, cs_json_get_string(item, "token"),
                                               1300819379 * CS_SECOND_US,
                                               cs_deadline_in_ms(100), &identity, &err),
                         CS_EUNAUTH);
        /* refused for its form or signature, not for lacking a sub */
        assert_string_not_equal(err.reason, "token_claim_missing");
        cs_authenticator_free(a);
    }
    cs_json_free(root);
    cs_buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_unsecured),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_parties),
        cmocka_unit_test(test_subject),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_authorization_header),
        cmocka_unit_test(test_gateway),
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_rfc7515),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
