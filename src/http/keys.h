/* http/keys.h: the keys that bearer tokens are checked with. Each key has exactly
 * one algorithm (RFC 8725 sections 3.1 and 3.2), fixed when it is added, never
 * taken from a token. */
#ifndef CS_HTTP_KEYS_H
#define CS_HTTP_KEYS_H

#include "base/log.h"

/* A key set of the size that identity providers publish is far below these. */
#define CS_JWKS_MAX_BYTES (256u << 10)
#define CS_JWKS_MAX_KEYS  64u

#define CS_SECRET_MIN_BYTES 32u /* RFC 7518 section 3.2, for HS256 */
#define CS_RSA_MIN_BITS     2048u

struct cs_keys;

struct cs_keys *cs_keys_new(struct cs_err *err);
void cs_keys_free(struct cs_keys *keys);

/* A shared secret, for HS256. CS_EINVAL when it is too short, or is the text of a
 * public key, which is no secret. */
enum cs_code cs_keys_add_secret(struct cs_keys *keys, struct cs_view secret,
                                struct cs_err *err) CS_MUST_USE;

/* A public key ("BEGIN PUBLIC KEY") for one algorithm, which must suit its kind:
 * RS256 to PS512 for RSA of at least 2048 bits, ES256 for P-256, ES384 for P-384. */
enum cs_code cs_keys_add_pem(struct cs_keys *keys, struct cs_view pem,
                             const char *algorithm, struct cs_err *err) CS_MUST_USE;

/* Reads a JSON Web Key Set (RFC 7517) in place of the one read before; all or
 * nothing. Keys of other kinds or uses are passed over, with a line in the log.
 * An RSA key without `alg` is for RS256 alone, an EC key for the algorithm of its
 * curve. Secret and private keys don't belong into a key set and are passed over.
 * CS_EINVAL when the text is no key set or holds no key that can be used. */
enum cs_code cs_keys_read_set(struct cs_keys *keys, struct cs_view text,
                              struct cs_log *log, struct cs_err *err) CS_MUST_USE;

/* True for a name of RFC 7518 that some key could have here. */
bool cs_keys_algorithm_known(struct cs_view algorithm);

/* Checks the signature of a compact JWS (three parts, well-formed, its header read
 * by the caller) with the key that its header means:
 * - kid given: the keys of that id, else those without one (a secret or a PEM);
 * - no kid: the only key for that algorithm.
 * CS_OK; CS_EUNAUTH when the signature is not that key's; CS_ENOTFOUND when no key
 * is meant; CS_EDENIED when the keys meant are for another algorithm. */
struct cs_signed {
    struct cs_view token;
    struct cs_view algorithm;
    struct cs_view kid; /* .ptr NULL: none */
    size_t signature_bytes;
};
enum cs_code cs_keys_verify(const struct cs_keys *keys,
                            const struct cs_signed *token) CS_MUST_USE;

/* Signs claims (a JSON object) with HS256; appends the compact form to out. */
enum cs_code cs_keys_sign_hs256(struct cs_view secret, struct cs_view claims,
                                struct cs_buf *out, struct cs_err *err) CS_MUST_USE;

#endif
