#include "config.h"

#include "base/public_key.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define PEM_MAX_BYTES (64u << 10)

static EVP_PKEY *read_pem(struct cs_view pem)
{
    BIO *source =
        pem.len <= PEM_MAX_BYTES ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
    EVP_PKEY *key = source != NULL ? PEM_read_bio_PUBKEY(source, NULL, NULL, NULL) : NULL;

    BIO_free(source);
    return key;
}

/* A number of the key, `width` bytes wide, or as wide as it is where that is 0. */
static bool read_number(const EVP_PKEY *key, const char *name, size_t width,
                        uint8_t out[CS_PUBLIC_KEY_NUMBER_MAX], size_t *len_out)
{
    BIGNUM *number = NULL;
    bool good = EVP_PKEY_get_bn_param(key, name, &number) == 1;

    if (good && width == 0)
        width = (size_t)BN_num_bytes(number);
    good = good && width > 0 && width <= CS_PUBLIC_KEY_NUMBER_MAX &&
           BN_bn2binpad(number, out, (int)width) == (int)width;
    *len_out = good ? width : 0;
    BN_free(number);
    return good;
}

static bool read_kind(const EVP_PKEY *key, enum cs_public_key_kind *out)
{
    char curve[32];
    size_t len = 0;

    if (EVP_PKEY_is_a(key, "RSA")) {
        *out = CS_PUBLIC_KEY_RSA;
        return true;
    }
    if (!EVP_PKEY_is_a(key, "EC") ||
        EVP_PKEY_get_group_name(key, curve, sizeof(curve), &len) != 1)
        return false;
    *out = strcmp(curve, "prime256v1") == 0 ? CS_PUBLIC_KEY_P256 : CS_PUBLIC_KEY_P384;
    return strcmp(curve, "prime256v1") == 0 || strcmp(curve, "secp384r1") == 0;
}

static bool read_numbers(const EVP_PKEY *key, struct cs_public_key *out)
{
    bool rsa = out->kind == CS_PUBLIC_KEY_RSA;
    size_t width = rsa ? 0 : out->kind == CS_PUBLIC_KEY_P256 ? 32 : 48;

    return read_number(key, rsa ? OSSL_PKEY_PARAM_RSA_N : OSSL_PKEY_PARAM_EC_PUB_X, width,
                       out->first, &out->first_len) &&
           read_number(key, rsa ? OSSL_PKEY_PARAM_RSA_E : OSSL_PKEY_PARAM_EC_PUB_Y, width,
                       out->second, &out->second_len);
}

enum cs_code cs_public_key_read(struct cs_public_key *out, struct cs_view pem,
                                struct cs_err *err)
{
    EVP_PKEY *key = read_pem(pem);
    enum cs_code rc = CS_OK;

    memset(out, 0, sizeof(*out));
    if (key == NULL)
        rc = cs_err_set(
            err, CS_EINVAL,
            "there is no public key: it must begin with -----BEGIN PUBLIC KEY----- "
            "('openssl pkey -in private.pem -pubout' makes it)");
    else if (!read_kind(key, &out->kind))
        rc = cs_err_set(
            err, CS_EUNSUPPORTED,
            "the key is of a kind that is not taken here: RSA, P-256 and P-384 are");
    else if (!read_numbers(key, out))
        rc = cs_err_set(err, CS_EUNSUPPORTED, "the key's numbers are out of range");
    EVP_PKEY_free(key);
    return rc;
}
