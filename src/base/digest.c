#include "config.h"

#include "base/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/encoding.h"

struct cs_sha256 {
    EVP_MD_CTX *context;
    EVP_MD *method; /* fetched once: an implicit fetch per digest costs more than the
                       digest */
};

static enum cs_code crypto_error(struct cs_err *err, const char *what)
{
    return cs_err_set(err, CS_ECRYPTO, "%s failed in OpenSSL", what);
}

struct cs_sha256 *cs_sha256_new(void)
{
    struct cs_sha256 *digest = calloc(1, sizeof(*digest));

    if (digest == NULL)
        return NULL;
    digest->context = EVP_MD_CTX_new();
    digest->method = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (digest->context == NULL || digest->method == NULL ||
        cs_sha256_reset(digest, NULL) != CS_OK) {
        cs_sha256_free(digest);
        return NULL;
    }
    return digest;
}

void cs_sha256_free(struct cs_sha256 *digest)
{
    if (digest == NULL)
        return;
    EVP_MD_CTX_free(digest->context);
    EVP_MD_free(digest->method);
    free(digest);
}

enum cs_code cs_sha256_reset(struct cs_sha256 *digest, struct cs_err *err)
{
    if (EVP_DigestInit_ex(digest->context, digest->method, NULL) != 1)
        return crypto_error(err, "starting a SHA-256 digest");
    return CS_OK;
}

enum cs_code cs_sha256_add(struct cs_sha256 *digest, struct cs_view bytes,
                           struct cs_err *err)
{
    if (EVP_DigestUpdate(digest->context, bytes.ptr, bytes.len) != 1)
        return crypto_error(err, "a SHA-256 digest");
    return CS_OK;
}

enum cs_code cs_sha256_end(struct cs_sha256 *digest, uint8_t out[CS_SHA256_LEN],
                           struct cs_err *err)
{
    if (EVP_DigestFinal_ex(digest->context, out, NULL) != 1)
        return crypto_error(err, "ending a SHA-256 digest");
    return CS_OK;
}

enum cs_code cs_sha256_of(uint8_t out[CS_SHA256_LEN], struct cs_view bytes,
                          struct cs_err *err)
{
    if (EVP_Digest(bytes.ptr != NULL ? bytes.ptr : "", bytes.len, out, NULL, EVP_sha256(),
                   NULL) != 1)
        return crypto_error(err, "a SHA-256 digest");
    return CS_OK;
}

enum cs_code cs_hmac_sha256(uint8_t out[CS_SHA256_LEN], struct cs_view key,
                            struct cs_view bytes, struct cs_err *err)
{
    if (key.len > INT_MAX)
        return cs_err_set(err, CS_ETOOBIG, "an HMAC key of %zu bytes", key.len);
    if (HMAC(EVP_sha256(), key.ptr != NULL ? key.ptr : "", (int)key.len,
             (const unsigned char *)(bytes.ptr != NULL ? bytes.ptr : ""), bytes.len, out,
             NULL) == NULL)
        return crypto_error(err, "HMAC-SHA-256");
    return CS_OK;
}

void cs_sha256_hex(char out[CS_SHA256_HEX_LEN + 1], const uint8_t digest[CS_SHA256_LEN])
{
    cs_hex_encode(out, digest, CS_SHA256_LEN);
}

enum cs_code cs_random_bytes(void *out, size_t len, struct cs_err *err)
{
    char *at = out;

    /* getrandom() is safe across fork, which a library's own pool need not be. */
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0)
            return cs_err_set(err, CS_ECRYPTO, "the kernel gave no random bytes");
        at += got;
        len -= (size_t)got;
    }
    return CS_OK;
}
