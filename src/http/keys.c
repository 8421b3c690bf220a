#include "config.h"

#include "http/keys.h"

#include <stdlib.h>

#include <cjose/cjose.h>

#include "base/public_key.h"
#include "json/tree.h"

#define KID_MAX 512u

enum kind { KIND_SECRET, KIND_RSA, KIND_P256, KIND_P384 };

/* Every algorithm there is here, the kind of key it takes and the size of its
 * signatures (RFC 7518 sections 3.1 to 3.4). */
static const struct algorithm {
    struct cs_view name;
    enum kind kind;
    size_t signature_bytes; /* 0: as many as the modulus has */
} algorithms[] = {
    {CS_LIT_INIT("HS256"), KIND_SECRET, 32}, {CS_LIT_INIT("RS256"), KIND_RSA, 0},
    {CS_LIT_INIT("RS384"), KIND_RSA, 0},     {CS_LIT_INIT("RS512"), KIND_RSA, 0},
    {CS_LIT_INIT("PS256"), KIND_RSA, 0},     {CS_LIT_INIT("PS384"), KIND_RSA, 0},
    {CS_LIT_INIT("PS512"), KIND_RSA, 0},     {CS_LIT_INIT("ES256"), KIND_P256, 64},
    {CS_LIT_INIT("ES384"), KIND_P384, 96},
};

struct key {
    struct key *next;
    cjose_jwk_t *jwk;
    const struct algorithm *algorithm;
    char *kid; /* NULL: none */
};

struct cs_keys {
    struct key *configured; /* the secret and the PEM */
    struct key *set;        /* of the JWKS */
};

static const struct algorithm *find_algorithm(struct cs_view name)
{
    for (size_t i = 0; i < CS_COUNT(algorithms); i++)
        if (cs_view_eq(algorithms[i].name, name))
            return &algorithms[i];
    return NULL;
}

bool cs_keys_algorithm_known(struct cs_view algorithm)
{
    return find_algorithm(algorithm) != NULL;
}

static void free_list(struct key *key)
{
    struct key *next;

    for (; key != NULL; key = next) {
        next = key->next;
        (void)cjose_jwk_release(key->jwk); /* wipes secrets */
        free(key->kid);
        free(key);
    }
}

struct cs_keys *cs_keys_new(struct cs_err *err)
{
    struct cs_keys *keys = calloc(1, sizeof(*keys));

    if (keys == NULL)
        (void)cs_err_nomem(err);
    return keys;
}

void cs_keys_free(struct cs_keys *keys)
{
    if (keys == NULL)
        return;
    free_list(keys->configured);
    free_list(keys->set);
    free(keys);
}

/* Takes jwk, also where it fails. */
static enum cs_code add_key(struct key **list, cjose_jwk_t *jwk,
                            const struct algorithm *algorithm, struct cs_view kid,
                            struct cs_err *err)
{
    struct key *key = calloc(1, sizeof(*key));
    char *id = kid.ptr != NULL ? cs_view_dup(kid) : NULL;

    if (key == NULL || (kid.ptr != NULL && id == NULL)) {
        (void)cjose_jwk_release(jwk);
        free(key);
        free(id);
        return cs_err_nomem(err);
    }
    *key = (struct key){.next = *list, .jwk = jwk, .algorithm = algorithm, .kid = id};
    *list = key;
    return CS_OK;
}

static enum cs_code refuse_setting(struct cs_err *err, const char *setting,
                                   const char *why)
{
    return cs_err_field(err, CS_EINVAL, setting, "setting_invalid", "%s %s", setting,
                        why);
}

enum cs_code cs_keys_add_secret(struct cs_keys *keys, struct cs_view secret,
                                struct cs_err *err)
{
    cjose_jwk_t *jwk;

    if (secret.len < CS_SECRET_MIN_BYTES)
        return refuse_setting(err, "JWT_SECRET",
                              "is too short: take at least 32 random bytes, as from "
                              "'openssl rand -base64 48'");
    if (cs_view_find(secret, CS_LIT("-----BEGIN ")) != SIZE_MAX)
        return refuse_setting(err, "JWT_SECRET",
                              "is the text of a key or certificate: give its file as "
                              "JWT_PUBLIC_KEY_FILE");
    jwk = cjose_jwk_create_oct_spec((const uint8_t *)secret.ptr, secret.len, NULL);
    if (jwk == NULL)
        return cs_err_set(err, CS_ECRYPTO, "the key JWT_SECRET could not be set up");
    return add_key(&keys->configured, jwk, find_algorithm(CS_LIT("HS256")),
                   (struct cs_view){NULL, 0}, err);
}

/* ---- PEM ---- */

static enum kind kind_of(const struct cs_public_key *key)
{
    return key->kind == CS_PUBLIC_KEY_RSA    ? KIND_RSA
           : key->kind == CS_PUBLIC_KEY_P256 ? KIND_P256
                                             : KIND_P384;
}

static cjose_jwk_t *make_jwk(struct cs_public_key *key)
{
    const cjose_jwk_rsa_keyspec rsa = {.n = key->first,
                                       .nlen = key->first_len,
                                       .e = key->second,
                                       .elen = key->second_len};
    const cjose_jwk_ec_keyspec ec = {
        .crv = key->kind == CS_PUBLIC_KEY_P256 ? CJOSE_JWK_EC_P_256 : CJOSE_JWK_EC_P_384,
        .x = key->first,
        .xlen = key->first_len,
        .y = key->second,
        .ylen = key->second_len};

    return key->kind == CS_PUBLIC_KEY_RSA ? cjose_jwk_create_RSA_spec(&rsa, NULL)
                                          : cjose_jwk_create_EC_spec(&ec, NULL);
}

enum cs_code cs_keys_add_pem(struct cs_keys *keys, struct cs_view pem,
                             const char *algorithm, struct cs_err *err)
{
    const struct algorithm *found = find_algorithm(cs_view_cstr(algorithm));
    struct cs_err inner = CS_ERR_NONE;
    struct cs_public_key key;
    cjose_jwk_t *jwk;

    if (found == NULL || found->kind == KIND_SECRET)
        return refuse_setting(err, "JWT_ALGORITHM", "is not an algorithm of public keys");
    if (cs_public_key_read(&key, pem, &inner) != CS_OK)
        return cs_err_field(err, CS_EINVAL, "JWT_PUBLIC_KEY_FILE", "setting_invalid",
                            "JWT_PUBLIC_KEY_FILE: %s", inner.text);
    if (kind_of(&key) != found->kind)
        return refuse_setting(
            err, "JWT_PUBLIC_KEY_FILE",
            "is not a key for the algorithm of JWT_ALGORITHM (RS and PS take "
            "RSA, ES256 takes P-256, ES384 takes P-384)");
    if (key.kind == CS_PUBLIC_KEY_RSA && key.first_len < CS_RSA_MIN_BITS / 8)
        return refuse_setting(err, "JWT_PUBLIC_KEY_FILE",
                              "is an RSA key of less than 2048 bits");
    if ((jwk = make_jwk(&key)) == NULL)
        return cs_err_set(err, CS_ECRYPTO,
                          "the key of JWT_PUBLIC_KEY_FILE could not be set up");
    return add_key(&keys->configured, jwk, found, (struct cs_view){NULL, 0}, err);
}

/* ---- key sets ---- */

/* The algorithm of a key of a set, by its members; NULL with *why where it is
 * not one to check signatures with. */
static const struct algorithm *set_algorithm(const struct cs_json *key, const char **why)
{
    struct cs_view kty = cs_json_get_string(key, "kty"),
                   crv = cs_json_get_string(key, "crv");
    struct cs_view given = cs_json_get_string(key, "alg"), implied = {NULL, 0};
    const struct algorithm *named, *usual;

    *why = "its kind is not supported";
    if (cs_view_eq(kty, CS_LIT("RSA")))
        implied = CS_LIT("RS256");
    else if (cs_view_eq(kty, CS_LIT("EC")) && cs_view_eq(crv, CS_LIT("P-256")))
        implied = CS_LIT("ES256");
    else if (cs_view_eq(kty, CS_LIT("EC")) && cs_view_eq(crv, CS_LIT("P-384")))
        implied = CS_LIT("ES384");
    if ((usual = find_algorithm(implied)) == NULL)
        return NULL;
    *why = "its alg is not one of such a key";
    named = cs_json_has(key, "alg") ? find_algorithm(given) : usual;
    return named != NULL && named->kind == usual->kind ? named : NULL;
}

static bool for_verifying(const struct cs_json *key)
{
    const struct cs_json *operations = cs_json_get(key, "key_ops");

    if (cs_json_has(key, "use") &&
        !cs_view_eq_cstr(cs_json_get_string(key, "use"), "sig"))
        return false;
    if (operations == NULL)
        return true;
    for (size_t i = 0; i < cs_json_length(operations); i++)
        if (cs_view_eq_cstr(cs_json_string(cs_json_at(operations, i)), "verify"))
            return true;
    return false;
}

static cjose_jwk_t *import_key(const struct cs_json *key)
{
    struct cs_buf text = CS_BUF_INIT(CS_JWKS_MAX_BYTES);
    cjose_jwk_t *jwk = NULL;

    cs_json_write_node(&text, key);
    if (cs_buf_check(&text, NULL) == CS_OK)
        jwk = cjose_jwk_import(cs_buf_cstr(&text), text.len, NULL);
    cs_buf_clear(&text);
    return jwk;
}

/* The key of one member of the set; NULL with *why where it is passed over. */
static cjose_jwk_t *set_key(const struct cs_json *key,
                            const struct algorithm **algorithm_out, const char **why)
{
    cjose_jwk_t *jwk;

    if ((*algorithm_out = set_algorithm(key, why)) == NULL)
        return NULL;
    *why = "it is not for checking signatures";
    if (!for_verifying(key))
        return NULL;
    *why = "it is a private key, which must not be in a key set";
    if (cs_json_has(key, "d"))
        return NULL;
    *why = "its id is too long";
    if (cs_json_get_string(key, "kid").len > KID_MAX)
        return NULL;
    *why = "it is damaged";
    if ((jwk = import_key(key)) == NULL)
        return NULL;
    *why = "it is an RSA key of less than 2048 bits";
    if ((*algorithm_out)->kind == KIND_RSA &&
        cjose_jwk_get_keysize(jwk, NULL) < CS_RSA_MIN_BITS) {
        (void)cjose_jwk_release(jwk);
        return NULL;
    }
    return jwk;
}

static enum cs_code read_set_keys(struct key **list, const struct cs_json *members,
                                  struct cs_log *log, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < cs_json_length(members) && i < CS_JWKS_MAX_KEYS;
         i++) {
        const struct cs_json *member = cs_json_at(members, i);
        const struct algorithm *algorithm = NULL;
        const char *why = NULL;
        cjose_jwk_t *jwk = set_key(member, &algorithm, &why);

        if (jwk != NULL)
            rc = add_key(list, jwk, algorithm, cs_json_get_string(member, "kid"), err);
        else
            cs_log_put(log, CS_LOG_INFO, "a key of the key set is passed over",
                       CS_LOG_TEXT("kid", cs_json_get_string(member, "kid")),
                       CS_LOG_TEXT("why", cs_view_cstr(why)));
    }
    return rc;
}

enum cs_code cs_keys_read_set(struct cs_keys *keys, struct cs_view text,
                              struct cs_log *log, struct cs_err *err)
{
    struct cs_json *root = NULL;
    struct key *list = NULL;
    enum cs_code rc;

    if (text.len > CS_JWKS_MAX_BYTES)
        return cs_err_set(err, CS_EINVAL, "the key set is larger than %u bytes",
                          CS_JWKS_MAX_BYTES);
    if ((rc = cs_json_parse(&root, text, NULL, err)) != CS_OK)
        goto out;
    if (cs_json_type(cs_json_get(root, "keys")) != CS_JSON_ARRAY)
        rc = cs_err_set(err, CS_EINVAL, "the key set has no list \"keys\"");
    else
        rc = read_set_keys(&list, cs_json_get(root, "keys"), log, err);
    if (rc == CS_OK && list == NULL)
        rc = cs_err_set(err, CS_EINVAL, "the key set holds no key that can be used");
    if (rc == CS_OK) {
        free_list(keys->set);
        keys->set = list;
        list = NULL;
    }
out:
    free_list(list);
    cs_json_free(root);
    return rc;
}

/* ---- signatures ---- */

/* The keys that a token means, counted; *last_out is one of them. */
struct choice {
    size_t meant;           /* by their id */
    size_t suitable;        /* of these, for its algorithm */
    const struct key *last; /* suitable one */
};

static void choose(struct choice *choice, const struct key *list,
                   const struct cs_signed *token, bool by_kid)
{
    for (const struct key *key = list; key != NULL; key = key->next) {
        if (by_kid && !(key->kid != NULL && cs_view_eq_cstr(token->kid, key->kid)))
            continue;
        choice->meant++;
        if (!cs_view_eq(key->algorithm->name, token->algorithm))
            continue;
        choice->suitable++;
        choice->last = key;
    }
}

/* The library compares as many bytes as a signature should have, whether it has them
 * or not, and no more. */
static bool right_size(const struct key *key, size_t signature_bytes)
{
    size_t bytes = key->algorithm->signature_bytes;

    if (bytes == 0)
        bytes = (cjose_jwk_get_keysize(key->jwk, NULL) + 7) / 8;
    return signature_bytes == bytes;
}

static enum cs_code verify_with(const struct key *key, const struct cs_signed *token)
{
    cjose_jws_t *jws;
    bool good;

    if (!right_size(key, token->signature_bytes))
        return CS_EUNAUTH;
    jws = cjose_jws_import(token->token.ptr, token->token.len, NULL);
    good = jws != NULL && cjose_jws_verify(jws, key->jwk, NULL);
    cjose_jws_release(jws);
    return good ? CS_OK : CS_EUNAUTH;
}

enum cs_code cs_keys_verify(const struct cs_keys *keys, const struct cs_signed *token)
{
    struct choice choice = {0, 0, NULL};

    if (token->kid.ptr != NULL) {
        choose(&choice, keys->set, token, true);
        if (choice.meant == 0) /* keys without an id are meant by any */
            choose(&choice, keys->configured, token, false);
    } else {
        choose(&choice, keys->configured, token, false);
        choose(&choice, keys->set, token, false);
    }
    if (choice.meant == 0)
        return CS_ENOTFOUND;
    if (choice.suitable == 0)
        return CS_EDENIED;
    /* Trying one key after the other would let a token fit a key it does not name. */
    if (choice.suitable > 1)
        return CS_ENOTFOUND;
    return verify_with(choice.last, token);
}

static enum cs_code sign_with(cjose_jwk_t *jwk, cjose_header_t *header,
                              struct cs_view claims, struct cs_buf *out)
{
    cjose_jws_t *jws =
        cjose_jws_sign(jwk, header, (const uint8_t *)claims.ptr, claims.len, NULL);
    const char *compact = NULL;
    bool good = jws != NULL && cjose_jws_export(jws, &compact, NULL);

    if (good)
        cs_buf_add_cstr(out, compact);
    cjose_jws_release(jws);
    return good ? CS_OK : CS_ECRYPTO;
}

enum cs_code cs_keys_sign_hs256(struct cs_view secret, struct cs_view claims,
                                struct cs_buf *out, struct cs_err *err)
{
    cjose_jwk_t *jwk = NULL;
    cjose_header_t *header = NULL;
    enum cs_code rc = CS_ECRYPTO;

    if (secret.len < CS_SECRET_MIN_BYTES)
        return refuse_setting(err, "JWT_SECRET",
                              "is too short: take at least 32 random bytes");
    jwk = cjose_jwk_create_oct_spec((const uint8_t *)secret.ptr, secret.len, NULL);
    header = cjose_header_new(NULL);
    if (jwk != NULL && header != NULL &&
        cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_HS256, NULL) &&
        cjose_header_set(header, "typ", "JWT", NULL))
        rc = sign_with(jwk, header, claims, out);
    if (header != NULL)
        cjose_header_release(header);
    (void)cjose_jwk_release(jwk);
    if (rc != CS_OK)
        return cs_err_set(err, rc, "the token could not be signed");
    return cs_buf_check(out, err);
}
