/* base/encoding.h: hex, base64 (RFC 4648), percent-encoding (RFC 3986), UTF-8. */
#ifndef CS_BASE_ENCODING_H
#define CS_BASE_ENCODING_H

#include "base/buf.h"

/* Value of one hex digit of either case, or -1. */
int cs_hex_value(char c);

/* Lower-case hex; out takes 2 * len bytes and a NUL. */
void cs_hex_encode(char *out, const void *bytes, size_t len);

/* Reads exactly 2 * len hex digits of either case; false for anything else. */
bool cs_hex_decode(void *out, size_t len, struct cs_view text);

/* RFC 4648 section 4, with padding. */
void cs_base64_encode(struct cs_buf *out, struct cs_view bytes);

/* RFC 4648 section 5, without padding. */
void cs_base64url_encode(struct cs_buf *out, struct cs_view bytes);

/* Strict: a foreign byte, wrong padding or left-over bits are CS_EINVAL. */
enum cs_code cs_base64_decode(struct cs_buf *out, struct cs_view text,
                              struct cs_err *err) CS_MUST_USE;
enum cs_code cs_base64url_decode(struct cs_buf *out, struct cs_view text,
                                 struct cs_err *err) CS_MUST_USE;

/* Letters, digits and "-._~" (RFC 3986 section 2.3). */
static inline bool cs_is_unreserved(char c)
{
    /* a bit for each byte, 64 to a word */
    static const uint64_t unreserved[4] = {
        0x03ff600000000000, /* - . 0-9 */
        0x47fffffe87fffffe, /* A-Z _ a-z ~ */
    };
    unsigned char byte = (unsigned char)c;

    return (unreserved[byte / 64] >> byte % 64 & 1) != 0;
}

/* Every byte but the unreserved ones of RFC 3986 section 2.3 becomes %XX with
 * upper-case digits; keep_slash leaves '/' as it is, for paths. */
void cs_percent_encode(struct cs_buf *out, struct cs_view bytes, bool keep_slash);

/* %XX decoded; plus_is_space as in query strings. CS_EINVAL for a broken escape. */
enum cs_code cs_percent_decode(struct cs_buf *out, struct cs_view text,
                               bool plus_is_space, struct cs_err *err) CS_MUST_USE;

/* The next code point of UTF-8 text (RFC 3629: no surrogates, no overlong
 * forms, at most U+10FFFF); moves *rest behind it. False at a fault, with
 * *rest unchanged, and at the end. */
bool cs_utf8_next(struct cs_view *rest, uint32_t *code_point_out);

/* Appends one code point. */
void cs_utf8_add(struct cs_buf *out, uint32_t code_point);

/* Offset of the first byte that is not well-formed UTF-8, or SIZE_MAX. */
size_t cs_utf8_fault(struct cs_view text);

#endif
