/* base/public_key.h: the numbers of a public key in PEM. */
#ifndef CS_BASE_PUBLIC_KEY_H
#define CS_BASE_PUBLIC_KEY_H

#include "base/buf.h"

enum cs_public_key_kind { CS_PUBLIC_KEY_RSA, CS_PUBLIC_KEY_P256, CS_PUBLIC_KEY_P384 };

#define CS_PUBLIC_KEY_NUMBER_MAX 2048u /* bytes: an RSA modulus of 16384 bits */

/* Big-endian, without leading zeros for RSA, of the curve's full width (32 or 48
 * bytes) for the others. */
struct cs_public_key {
    enum cs_public_key_kind kind;
    size_t first_len, second_len;
    uint8_t first[CS_PUBLIC_KEY_NUMBER_MAX];  /* the modulus n, or x */
    uint8_t second[CS_PUBLIC_KEY_NUMBER_MAX]; /* the exponent e, or y */
};

/* Reads "-----BEGIN PUBLIC KEY-----" (RFC 7468 section 13). CS_EINVAL for all else,
 * CS_EUNSUPPORTED for a key of another kind. */
enum cs_code cs_public_key_read(struct cs_public_key *out, struct cs_view pem,
                                struct cs_err *err) CS_MUST_USE;

#endif
