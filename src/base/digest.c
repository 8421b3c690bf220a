#include "config.h"

#include "base/digest.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
/* SHA256_Init() and its sisters are marked deprecated, not slated for removal:
 * with EVP every digest starts with an allocation in OpenSSL 3.0, and an HMAC
 * with thirteen, for the same compression function below. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/encoding.h"

#define BLOCK_LEN 64u /* of SHA-256 */

struct cs_sha256 {
    SHA256_CTX state;
};

static enum cs_code crypto_error(struct cs_err *err, const char *what)
{
    return cs_err_set(err, CS_ECRYPTO, "%s failed in OpenSSL", what);
}

struct cs_sha256 *cs_sha256_new(void)
{
    struct cs_sha256 *digest = calloc(1, sizeof(*digest));

    if (digest != NULL && cs_sha256_reset(digest, NULL) != CS_OK) {
        cs_sha256_free(digest);
        return NULL;
    }
    return digest;
}

void cs_sha256_free(struct cs_sha256 *digest)
{
    if (digest == NULL)
        return;
    cs_wipe(digest, sizeof(*digest));
    free(digest);
}

enum cs_code cs_sha256_reset(struct cs_sha256 *digest, struct cs_err *err)
{
    return SHA256_Init(&digest->state) == 1
               ? CS_OK
               : crypto_error(err, "starting a SHA-256 digest");
}

enum cs_code cs_sha256_add(struct cs_sha256 *digest, struct cs_view bytes,
                           struct cs_err *err)
{
    return SHA256_Update(&digest->state, bytes.ptr, bytes.len) == 1
               ? CS_OK
               : crypto_error(err, "a SHA-256 digest");
}

enum cs_code cs_sha256_end(struct cs_sha256 *digest, uint8_t out[CS_SHA256_LEN],
                           struct cs_err *err)
{
    return SHA256_Final(out, &digest->state) == 1
               ? CS_OK
               : crypto_error(err, "ending a SHA-256 digest");
}

enum cs_code cs_sha256_of(uint8_t out[CS_SHA256_LEN], struct cs_view bytes,
                          struct cs_err *err)
{
    struct cs_sha256 digest;
    enum cs_code rc;

    if ((rc = cs_sha256_reset(&digest, err)) == CS_OK &&
        (rc = cs_sha256_add(&digest, bytes, err)) == CS_OK)
        rc = cs_sha256_end(&digest, out, err);
    return rc;
}

struct cs_md5 {
    MD5_CTX state;
};

struct cs_md5 *cs_md5_new(void)
{
    struct cs_md5 *digest = calloc(1, sizeof(*digest));

    if (digest != NULL && MD5_Init(&digest->state) != 1) {
        free(digest);
        return NULL;
    }
    return digest;
}

void cs_md5_free(struct cs_md5 *digest)
{
    free(digest);
}

enum cs_code cs_md5_add(struct cs_md5 *digest, struct cs_view bytes, struct cs_err *err)
{
    return MD5_Update(&digest->state, bytes.ptr, bytes.len) == 1
               ? CS_OK
               : crypto_error(err, "an MD5 digest");
}

enum cs_code cs_md5_end(struct cs_md5 *digest, uint8_t out[CS_MD5_LEN],
                        struct cs_err *err)
{
    return MD5_Final(out, &digest->state) == 1
               ? CS_OK
               : crypto_error(err, "ending an MD5 digest");
}

/* ---- HMAC: two nested digests, each begun with the key under a pad (RFC 2104) ---- */

static_assert(sizeof(SHA256_CTX) <= sizeof(((struct cs_hmac_key *)NULL)->inner),
              "the state of a SHA-256 digest has grown");

/* Begins one of them and keeps its state. */
static enum cs_code keep_padded(uint64_t *state_out, const uint8_t key[BLOCK_LEN],
                                uint8_t pad, struct cs_err *err)
{
    struct cs_sha256 digest;
    uint8_t block[BLOCK_LEN];
    enum cs_code rc;

    for (size_t i = 0; i < BLOCK_LEN; i++)
        block[i] = key[i] ^ pad;
    if ((rc = cs_sha256_reset(&digest, err)) == CS_OK &&
        (rc = cs_sha256_add(&digest, cs_view_of(block, sizeof(block)), err)) == CS_OK)
        memcpy(state_out, &digest.state, sizeof(digest.state));
    cs_wipe(block, sizeof(block));
    cs_wipe(&digest, sizeof(digest));
    return rc;
}

/* Goes on from a kept state to the end. */
static enum cs_code end_padded(uint8_t out[CS_SHA256_LEN], const uint64_t *state,
                               struct cs_view bytes, struct cs_err *err)
{
    struct cs_sha256 digest;
    enum cs_code rc;

    memcpy(&digest.state, state, sizeof(digest.state));
    if ((rc = cs_sha256_add(&digest, bytes, err)) == CS_OK)
        rc = cs_sha256_end(&digest, out, err);
    cs_wipe(&digest, sizeof(digest));
    return rc;
}

enum cs_code cs_hmac_key_init(struct cs_hmac_key *out, struct cs_view key,
                              struct cs_err *err)
{
    uint8_t block[BLOCK_LEN] = {0};
    enum cs_code rc = CS_OK;

    memset(out, 0, sizeof(*out));
    if (key.len > sizeof(block))
        rc = cs_sha256_of(block, key, err);
    else if (key.len > 0)
        memcpy(block, key.ptr, key.len);
    if (rc == CS_OK && (rc = keep_padded(out->inner, block, 0x36, err)) == CS_OK)
        rc = keep_padded(out->outer, block, 0x5c, err);
    cs_wipe(block, sizeof(block));
    if (rc != CS_OK)
        cs_wipe(out, sizeof(*out));
    return rc;
}

enum cs_code cs_hmac_key_sign(uint8_t out[CS_SHA256_LEN], const struct cs_hmac_key *key,
                              struct cs_view bytes, struct cs_err *err)
{
    uint8_t inner[CS_SHA256_LEN];
    enum cs_code rc;

    if ((rc = end_padded(inner, key->inner, bytes, err)) == CS_OK)
        rc = end_padded(out, key->outer, cs_view_of(inner, sizeof(inner)), err);
    cs_wipe(inner, sizeof(inner));
    return rc;
}

enum cs_code cs_hmac_sha256(uint8_t out[CS_SHA256_LEN], struct cs_view key,
                            struct cs_view bytes, struct cs_err *err)
{
    struct cs_hmac_key ready;
    enum cs_code rc;

    if ((rc = cs_hmac_key_init(&ready, key, err)) == CS_OK)
        rc = cs_hmac_key_sign(out, &ready, bytes, err);
    cs_wipe(&ready, sizeof(ready));
    return rc;
}

void cs_sha256_hex(char out[CS_SHA256_HEX_LEN + 1], const uint8_t digest[CS_SHA256_LEN])
{
    cs_hex_encode(out, digest, CS_SHA256_LEN);
}

enum cs_code cs_sha256_hex_of(char out[CS_SHA256_HEX_LEN + 1], struct cs_view bytes,
                              struct cs_err *err)
{
    uint8_t digest[CS_SHA256_LEN];
    enum cs_code rc = cs_sha256_of(digest, bytes, err);

    out[0] = '\0';
    if (rc == CS_OK)
        cs_sha256_hex(out, digest);
    return rc;
}

enum cs_code cs_sha256_end_hex(struct cs_sha256 *digest, char out[CS_SHA256_HEX_LEN + 1],
                               struct cs_err *err)
{
    uint8_t bytes[CS_SHA256_LEN];
    enum cs_code rc = cs_sha256_end(digest, bytes, err);

    out[0] = '\0';
    if (rc == CS_OK)
        cs_sha256_hex(out, bytes);
    return rc;
}

/* Kernels older than getrandom() (3.17) have the device. */
static ssize_t read_random_device(void *out, size_t len)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, out, len) : -1;

    if (fd >= 0)
        (void)close(fd);
    return got;
}

enum cs_code cs_random_bytes(void *out, size_t len, struct cs_err *err)
{
    char *at = out;

    /* getrandom() is safe across fork, which a library's own pool need not be. */
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno == ENOSYS)
            got = read_random_device(at, len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return cs_err_set(err, CS_ECRYPTO, "the kernel gave no random bytes");
        at += got;
        len -= (size_t)got;
    }
    return CS_OK;
}
