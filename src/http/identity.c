#include "config.h"

#include "http/identity.h"

#include <stdlib.h>

#include "base/digest.h"
#include "base/encoding.h"
#include "base/file.h"
#include "http/jwks.h"
#include "http/jwt.h"

#define PEM_MAX_BYTES (64u << 10)
#define NAME_MAX_LEN  128u /* bytes of a user or a tenant */

/* Tokens verified lately: checking an RSA signature takes longer than all the rest
 * of a small request. A slot is found by the token's digest and holds what the last
 * token there said; the times are checked at each use. */
#define CACHE_SLOTS 64u

struct cached {
    bool used;
    uint8_t digest[CS_SHA256_LEN];
    double expires_s, not_before_s;
    struct cs_identity identity;
};

struct cs_authenticator {
    bool gateway;
    struct cs_keys *keys;
    struct cs_jwks *jwks;
    struct cs_jwt_rules rules;
    unsigned set_seen; /* the reading of the key set that the cache stands on */
    char *issuer, *audience, *admin_claim, *admin_value, *tenant_claim;
    struct cached cache[CACHE_SLOTS];
};

void cs_identity_clear(struct cs_identity *identity)
{
    free(identity->user_id);
    free(identity->tenant);
    *identity = (struct cs_identity){.user_id = NULL};
}

static enum cs_code copy_identity(struct cs_identity *out, const struct cs_identity *from,
                                  struct cs_err *err)
{
    out->user_id = cs_view_dup(cs_view_cstr(from->user_id));
    out->tenant = cs_view_dup(cs_view_cstr(from->tenant));
    out->admin = from->admin;
    if (out->user_id != NULL && out->tenant != NULL)
        return CS_OK;
    cs_identity_clear(out);
    return cs_err_nomem(err);
}

/* ---- set-up ---- */

static void forget_tokens(struct cs_authenticator *a)
{
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        cs_identity_clear(&a->cache[i].identity);
    cs_wipe(a->cache, sizeof(a->cache));
}

static enum cs_code add_pem_file(struct cs_authenticator *a,
                                 const struct cs_identity_options *options,
                                 struct cs_err *err)
{
    struct cs_buf pem = CS_BUF_INIT(PEM_MAX_BYTES);
    struct cs_err inner = CS_ERR_NONE;
    enum cs_code rc = cs_file_read(&pem, options->public_key_file, PEM_MAX_BYTES, &inner);

    if (rc == CS_OK)
        rc = cs_keys_add_pem(a->keys, cs_buf_view(&pem),
                             options->public_key_algorithm != NULL
                                 ? options->public_key_algorithm
                                 : "RS256",
                             err);
    else
        rc = cs_err_field(err, CS_EINVAL, "JWT_PUBLIC_KEY_FILE", "setting_invalid",
                          "JWT_PUBLIC_KEY_FILE can't be read: %s", inner.text);
    cs_buf_clear(&pem);
    return rc;
}

static enum cs_code load_keys(struct cs_authenticator *a,
                              const struct cs_identity_options *options,
                              struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    if (options->secret.len == 0 && options->public_key_file == NULL &&
        !cs_jwks_configured(a->jwks))
        return cs_err_field(
            err, CS_EINVAL, "JWT_SECRET", "setting_missing",
            "there is no key to check tokens with: set one of JWT_SECRET, "
            "JWT_PUBLIC_KEY_FILE, JWT_JWKS_FILE and JWT_JWKS_URL");
    if (options->secret.len > 0)
        rc = cs_keys_add_secret(a->keys, options->secret, err);
    if (rc == CS_OK && options->public_key_file != NULL)
        rc = add_pem_file(a, options, err);
    return rc == CS_OK ? cs_jwks_start(a->jwks, a->keys, cs_clock_now_us(), err) : rc;
}

/* NULL stays NULL; false when out of memory. */
static bool copy_text(char **out, const char *text, const char *fallback)
{
    const char *chosen = text != NULL ? text : fallback;

    if (chosen == NULL)
        return true;
    *out = cs_view_dup(cs_view_cstr(chosen));
    return *out != NULL;
}

static enum cs_code set_up(struct cs_authenticator *a,
                           const struct cs_identity_options *options, struct cs_err *err)
{
    a->gateway = options->gateway;
    if (!copy_text(&a->issuer, options->issuer, NULL) ||
        !copy_text(&a->audience, options->audience, NULL) ||
        !copy_text(&a->admin_claim, options->admin_claim, "role") ||
        !copy_text(&a->admin_value, options->admin_value, "admin") ||
        !copy_text(&a->tenant_claim, options->tenant_claim, "org"))
        return cs_err_nomem(err);
    a->rules = (struct cs_jwt_rules){
        .issuer = a->issuer, .audience = a->audience, .leeway_s = options->leeway_s};
    if ((a->keys = cs_keys_new(err)) == NULL)
        return CS_ENOMEM;
    if (a->gateway)
        return CS_OK;
    if ((a->jwks = cs_jwks_new(options, err)) == NULL)
        return CS_EINVAL;
    return load_keys(a, options, err);
}

struct cs_authenticator *cs_authenticator_new(const struct cs_identity_options *options,
                                              struct cs_err *err)
{
    struct cs_authenticator *a = calloc(1, sizeof(*a));

    if (a == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    if (set_up(a, options, err) != CS_OK) {
        cs_authenticator_free(a);
        return NULL;
    }
    return a;
}

void cs_authenticator_free(struct cs_authenticator *authenticator)
{
    if (authenticator == NULL)
        return;
    forget_tokens(authenticator);
    cs_keys_free(authenticator->keys);
    cs_jwks_free(authenticator->jwks);
    free(authenticator->issuer);
    free(authenticator->audience);
    free(authenticator->admin_claim);
    free(authenticator->admin_value);
    free(authenticator->tenant_claim);
    free(authenticator);
}

/* ---- what a token says ---- */

/* Well-formed text without control characters, as a name may be printed and stored. */
static bool is_name(struct cs_view text, size_t min)
{
    uint32_t c;

    if (text.ptr == NULL || text.len < min || text.len > NAME_MAX_LEN)
        return false;
    while (text.len > 0)
        if (!cs_utf8_next(&text, &c) || c < 0x20 || (c >= 0x7f && c < 0xa0))
            return false;
    return true;
}

/* A claim by its whole name, else by the steps of a dotted one. */
static const struct cs_json *find_claim(const struct cs_json *claims, const char *name)
{
    struct cs_view rest = cs_view_cstr(name), step;
    const struct cs_json *at = claims;
    char key[NAME_MAX_LEN + 1];

    if (cs_json_has(claims, name))
        return cs_json_get(claims, name);
    while (at != NULL && cs_view_split(&rest, '.', &step)) {
        if (step.len > NAME_MAX_LEN)
            return NULL;
        memcpy(key, step.ptr, step.len);
        key[step.len] = '\0';
        at = cs_json_get(at, key);
    }
    return at;
}

static bool says(const struct cs_json *claim, const char *value)
{
    if (cs_json_type(claim) == CS_JSON_BOOL)
        return strcmp(value, "true") == 0 && cs_json_bool(claim, false);
    return cs_json_type(claim) == CS_JSON_STRING &&
           cs_view_eq_cstr(cs_json_string(claim), value);
}

static bool is_admin(const struct cs_authenticator *a, const struct cs_json *claims)
{
    const struct cs_json *claim = find_claim(claims, a->admin_claim);

    if (cs_json_type(claim) != CS_JSON_ARRAY)
        return says(claim, a->admin_value);
    for (size_t i = 0; i < cs_json_length(claim); i++)
        if (says(cs_json_at(claim, i), a->admin_value))
            return true;
    return false;
}

static enum cs_code read_identity(const struct cs_authenticator *a,
                                  const struct cs_json *claims, struct cs_identity *out,
                                  struct cs_err *err)
{
    const struct cs_json *tenant_claim = find_claim(claims, a->tenant_claim);
    struct cs_view user = cs_json_get_string(claims, "sub");
    struct cs_view tenant =
        tenant_claim == NULL ? CS_LIT("") : cs_json_string(tenant_claim);

    if (!is_name(user, 1))
        return cs_jwt_refuse(
            err, "token_claim_missing",
            "the token has no sub, or one that is not 1 to 128 bytes of text");
    if (!is_name(tenant, 0))
        return cs_jwt_refuse(err, "token_claim_missing",
                             "the token's tenant is not at most 128 bytes of text");
    out->user_id = cs_view_dup(user);
    out->tenant = cs_view_dup(tenant);
    out->admin = is_admin(a, claims);
    if (out->user_id != NULL && out->tenant != NULL)
        return CS_OK;
    cs_identity_clear(out);
    return cs_err_nomem(err);
}

/* ---- checking one ---- */

static struct cached *slot_of(struct cs_authenticator *a,
                              const uint8_t digest[CS_SHA256_LEN])
{
    return &a->cache[digest[0] % CACHE_SLOTS];
}

static void remember(struct cs_authenticator *a, const uint8_t digest[CS_SHA256_LEN],
                     const struct cs_jwt *jwt, const struct cs_identity *identity)
{
    struct cached *slot = slot_of(a, digest);
    struct cs_identity copy = {.user_id = NULL};

    if (copy_identity(&copy, identity, NULL) != CS_OK)
        return; /* it is a cache: without memory the next use checks again */
    cs_identity_clear(&slot->identity);
    slot->used = true;
    slot->expires_s = jwt->expires_s;
    slot->not_before_s = jwt->not_before_s;
    slot->identity = copy;
    memcpy(slot->digest, digest, CS_SHA256_LEN);
}

/* A set that was read anew may lack the key that a token was checked with. */
static void follow_set(struct cs_authenticator *a)
{
    if (a->set_seen == cs_jwks_readings(a->jwks))
        return;
    a->set_seen = cs_jwks_readings(a->jwks);
    forget_tokens(a);
}

/* A key that is not known may be a new one. */
static enum cs_code verify(struct cs_authenticator *a, struct cs_jwt *jwt,
                           struct cs_view token, int64_t now_us,
                           struct cs_deadline deadline, struct cs_err *err)
{
    enum cs_code rc = cs_jwt_verify(jwt, a->keys, token, err);

    if (rc == CS_ENOTFOUND && cs_jwks_renew(a->jwks, a->keys, now_us, deadline)) {
        follow_set(a);
        rc = cs_jwt_verify(jwt, a->keys, token, err);
    }
    if (rc == CS_ENOTFOUND)
        return cs_jwt_refuse(err, "token_key_unknown",
                             "the token was signed with a key that is not known here");
    return rc;
}

static enum cs_code check_token(struct cs_authenticator *a, struct cs_view token,
                                int64_t now_us, struct cs_deadline deadline,
                                struct cs_jwt *jwt, struct cs_identity *out,
                                struct cs_err *err)
{
    enum cs_code rc = verify(a, jwt, token, now_us, deadline, err);

    if (rc == CS_OK)
        rc = cs_jwt_check_times(jwt->expires_s, jwt->not_before_s, a->rules.leeway_s,
                                now_us, err);
    if (rc == CS_OK)
        rc = cs_jwt_check_parties(jwt, &a->rules, err);
    return rc == CS_OK ? read_identity(a, jwt->claims, out, err) : rc;
}

enum cs_code cs_authenticate_token(struct cs_authenticator *authenticator,
                                   struct cs_view token, int64_t now_us,
                                   struct cs_deadline deadline, struct cs_identity *out,
                                   struct cs_err *err)
{
    uint8_t digest[CS_SHA256_LEN];
    struct cs_jwt jwt = {.claims = NULL};
    const struct cached *slot;
    enum cs_code rc;

    *out = (struct cs_identity){.user_id = NULL};
    if (authenticator->gateway)
        return cs_err_set(err, CS_EUNSUPPORTED, "AUTH_MODE=gateway takes no tokens");
    if ((rc = cs_jwks_ensure(authenticator->jwks, authenticator->keys, now_us, deadline,
                             err)) != CS_OK)
        return rc;
    follow_set(authenticator);
    if ((rc = cs_sha256_of(digest, token, err)) != CS_OK)
        return rc;
    slot = slot_of(authenticator, digest);
    if (slot->used && memcmp(slot->digest, digest, sizeof(digest)) == 0) {
        rc = cs_jwt_check_times(slot->expires_s, slot->not_before_s,
                                authenticator->rules.leeway_s, now_us, err);
        return rc == CS_OK ? copy_identity(out, &slot->identity, err) : rc;
    }
    rc = check_token(authenticator, token, now_us, deadline, &jwt, out, err);
    if (rc == CS_OK)
        remember(authenticator, digest, &jwt, out);
    cs_jwt_clear(&jwt);
    return rc;
}

/* ---- requests ---- */

/* RFC 6750 section 2.1: the scheme in any case, blanks, and a b64token. */
static bool is_token_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~+/", c) != NULL);
}

static bool bearer_token(struct cs_view header, struct cs_view *token_out)
{
    static const struct cs_view scheme = CS_LIT_INIT("Bearer ");
    struct cs_view token = cs_view_from(header, scheme.len);
    size_t used = 0;

    if (!cs_view_eq_nocase(cs_view_sub(header, 0, scheme.len), scheme))
        return false;
    token = cs_view_trim(token);
    while (used < token.len && is_token_byte(token.ptr[used]))
        used++;
    for (size_t i = used; i < token.len; i++)
        if (token.ptr[i] != '=')
            return false;
    *token_out = token;
    return used > 0;
}

static enum cs_code gateway_identity(const struct cs_request *request,
                                     struct cs_identity *out, struct cs_err *err)
{
    struct cs_view user = cs_request_param(request, "REMOTE_USER");
    struct cs_view tenant = cs_request_param(request, "CAMPAIGN_TENANT");

    if (tenant.ptr == NULL)
        tenant = CS_LIT("");
    if (!is_name(user, 1) || !is_name(tenant, 0))
        return cs_err_field(
            err, CS_EUNAUTH, "REMOTE_USER", "gateway_user_missing",
            "the web server has named no user (REMOTE_USER): sign in there");
    out->user_id = cs_view_dup(user);
    out->tenant = cs_view_dup(tenant);
    out->admin = cs_view_eq(cs_request_param(request, "CAMPAIGN_ADMIN"), CS_LIT("1"));
    if (out->user_id != NULL && out->tenant != NULL)
        return CS_OK;
    cs_identity_clear(out);
    return cs_err_nomem(err);
}

enum cs_code cs_authenticate(struct cs_authenticator *authenticator,
                             const struct cs_request *request, int64_t now_us,
                             struct cs_identity *out, struct cs_err *err)
{
    struct cs_view header, token;

    *out = (struct cs_identity){.user_id = NULL};
    if (authenticator->gateway)
        return gateway_identity(request, out, err);
    header = cs_request_header(request, "Authorization");
    if (header.ptr == NULL)
        return cs_jwt_refuse(
            err, "authorization_header_not_received",
            "no Authorization header has arrived here: send \"Authorization: "
            "Bearer <token>\", and check that the web server passes it on");
    if (cs_request_header_repeated(request, "Authorization") ||
        !bearer_token(header, &token))
        return cs_jwt_refuse(err, "authorization_header_malformed",
                             "the Authorization header must be \"Bearer <token>\", once");
    return cs_authenticate_token(authenticator, token, now_us,
                                 cs_request_deadline(request), out, err);
}

enum cs_code cs_token_make(struct cs_view secret, struct cs_view claims,
                           struct cs_buf *out, struct cs_err *err)
{
    struct cs_json *root = NULL;
    enum cs_code rc = cs_json_parse(&root, claims, NULL, err);

    if (rc == CS_OK && cs_json_type(root) != CS_JSON_OBJECT)
        rc = cs_err_set(err, CS_EINVAL, "the claims of a token are a JSON object");
    if (rc == CS_OK)
        rc = cs_keys_sign_hs256(secret, claims, out, err);
    cs_json_free(root);
    return rc;
}
