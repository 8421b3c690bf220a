/* base/digest.h: SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104) and random
 * bytes; with base/encoding.h the only place that sees OpenSSL. */
#ifndef CS_BASE_DIGEST_H
#define CS_BASE_DIGEST_H

#include "base/buf.h"

#define CS_SHA256_LEN     32u
#define CS_SHA256_HEX_LEN 64u

struct cs_sha256; /* a digest in progress */

/* NULL when out of memory. */
struct cs_sha256 *cs_sha256_new(void);
void cs_sha256_free(struct cs_sha256 *digest);

/* Starts anew; a fresh one needs no reset. */
enum cs_code cs_sha256_reset(struct cs_sha256 *digest, struct cs_err *err) CS_MUST_USE;
enum cs_code cs_sha256_add(struct cs_sha256 *digest, struct cs_view bytes,
                           struct cs_err *err) CS_MUST_USE;

/* Ends it; only reset or free may follow. */
enum cs_code cs_sha256_end(struct cs_sha256 *digest, uint8_t out[CS_SHA256_LEN],
                           struct cs_err *err) CS_MUST_USE;

/* One call for bytes that are all there. */
enum cs_code cs_sha256_of(uint8_t out[CS_SHA256_LEN], struct cs_view bytes,
                          struct cs_err *err) CS_MUST_USE;

/* out may not overlap key or bytes. */
enum cs_code cs_hmac_sha256(uint8_t out[CS_SHA256_LEN], struct cs_view key,
                            struct cs_view bytes, struct cs_err *err) CS_MUST_USE;

/* A key that signs more than once, with what HMAC digests of it alone done before
 * (RFC 2104 section 4): that is half of the work for a short text. As secret as the key
 * itself: its owner ends it with cs_wipe(). May be copied. */
struct cs_hmac_key {
    uint64_t inner[14], outer[14]; /* private */
};
enum cs_code cs_hmac_key_init(struct cs_hmac_key *out, struct cs_view key,
                              struct cs_err *err) CS_MUST_USE;
enum cs_code cs_hmac_key_sign(uint8_t out[CS_SHA256_LEN], const struct cs_hmac_key *key,
                              struct cs_view bytes, struct cs_err *err) CS_MUST_USE;

/* MD5 (RFC 1321), for servers that know no better checksum: it finds accidents, and
 * keeps nobody out. */
#define CS_MD5_LEN 16u
struct cs_md5;
struct cs_md5 *cs_md5_new(void); /* NULL when out of memory */
void cs_md5_free(struct cs_md5 *digest);
enum cs_code cs_md5_add(struct cs_md5 *digest, struct cs_view bytes,
                        struct cs_err *err) CS_MUST_USE;
enum cs_code cs_md5_end(struct cs_md5 *digest, uint8_t out[CS_MD5_LEN],
                        struct cs_err *err) CS_MUST_USE;

/* Lower-case hex of a digest, with a NUL. */
void cs_sha256_hex(char out[CS_SHA256_HEX_LEN + 1], const uint8_t digest[CS_SHA256_LEN]);

/* Both at once; "" on failure. */
enum cs_code cs_sha256_hex_of(char out[CS_SHA256_HEX_LEN + 1], struct cs_view bytes,
                              struct cs_err *err) CS_MUST_USE;
enum cs_code cs_sha256_end_hex(struct cs_sha256 *digest, char out[CS_SHA256_HEX_LEN + 1],
                               struct cs_err *err) CS_MUST_USE;

/* Random bytes good enough for keys. */
enum cs_code cs_random_bytes(void *out, size_t len, struct cs_err *err) CS_MUST_USE;

#endif
