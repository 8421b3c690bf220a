#include "config.h"

#include "base/encoding.h"

#include <endian.h>

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";
static const char base64_std[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int cs_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The digits of four bytes at once, a digit in each byte of the word. */
static uint64_t hex_digits(const uint8_t *in)
{
    const uint64_t each = 0x0101010101010101u;
    uint32_t four;
    uint64_t wide, halves;

    memcpy(&four, in, sizeof(four));
    wide = le32toh(four);
    wide = (wide | wide << 16) & 0x0000ffff0000ffffu;
    wide = (wide | wide << 8) & 0x00ff00ff00ff00ffu;
    halves = (wide >> 4 | wide << 8) & each * 0x0f;
    /* 10 and more carry into the upper half when 6 is added */
    return halves + each * '0' + ((halves + each * 6) >> 4 & each) * ('a' - '0' - 10);
}

void cs_hex_encode(char *out, const void *bytes, size_t len)
{
    const uint8_t *in = bytes;

    for (; len >= 4; len -= 4, in += 4, out += 8) {
        uint64_t digits = htole64(hex_digits(in));

        memcpy(out, &digits, sizeof(digits));
    }
    for (; len > 0; len--, in++) {
        *out++ = hex_lower[*in >> 4];
        *out++ = hex_lower[*in & 15];
    }
    *out = '\0';
}

bool cs_hex_decode(void *out, size_t len, struct cs_view text)
{
    uint8_t *to = out;

    if (text.len / 2 != len || text.len % 2 != 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = cs_hex_value(text.ptr[2 * i]);
        int low = cs_hex_value(text.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void encode_group(char text_out[4], const uint8_t bytes[3], const char *alphabet)
{
    uint32_t group = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];

    for (size_t i = 0; i < 4; i++)
        text_out[i] = alphabet[group >> (18 - 6 * i) & 63];
}

static void encode64(struct cs_buf *out, struct cs_view bytes, const char *alphabet,
                     bool pad)
{
    const uint8_t *in = (const uint8_t *)bytes.ptr;
    size_t groups = bytes.len / 3, left = bytes.len % 3;
    char *to = cs_buf_room(out, groups * 4); /* the bytes are there: no overflow */
    uint8_t last[3] = {0};
    char text[4];

    for (size_t i = 0; i < groups && to != NULL; i++, in += 3, to += 4)
        encode_group(to, in, alphabet);
    cs_buf_grew(out, groups * 4);
    if (left == 0)
        return;
    memcpy(last, in, left);
    encode_group(text, last, alphabet);
    cs_buf_add(out, cs_view_of(text, left + 1));
    if (pad)
        cs_buf_add(out, cs_view_of("==", 3 - left));
}

void cs_base64_encode(struct cs_buf *out, struct cs_view bytes)
{
    encode64(out, bytes, base64_std, true);
}

void cs_base64url_encode(struct cs_buf *out, struct cs_view bytes)
{
    encode64(out, bytes, base64_url, false);
}

/* A digit's value and one more, so that what is no digit has 0. */
#define LETTERS_AND_DIGITS                                                              \
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,  \
    22, 23, 24, 25, 26, ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, \
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, ['0'] = 53, 54, 55, 56, 57, 58, 59, \
    60, 61, 62

static const uint8_t values_std[256] = {LETTERS_AND_DIGITS, ['+'] = 63, ['/'] = 64};
static const uint8_t values_url[256] = {LETTERS_AND_DIGITS, ['-'] = 63, ['_'] = 64};

/* The three bytes of four digits; false where one of them is none. */
static bool decode_group(uint8_t bytes_out[3], const uint8_t text[4],
                         const uint8_t values[256])
{
    uint32_t a = values[text[0]], b = values[text[1]];
    uint32_t c = values[text[2]], d = values[text[3]];
    uint32_t group = (a << 18) + (b << 12) + (c << 6) + d - 0x041041; /* one of each */

    bytes_out[0] = (uint8_t)(group >> 16);
    bytes_out[1] = (uint8_t)(group >> 8);
    bytes_out[2] = (uint8_t)group;
    return a != 0 && b != 0 && c != 0 && d != 0;
}

static enum cs_code foreign_byte(struct cs_view text, const uint8_t values[256],
                                 struct cs_err *err)
{
    size_t at = 0;

    while (at < text.len && values[(uint8_t)text.ptr[at]] != 0)
        at++;
    return cs_err_set(err, CS_EINVAL, "not base64 at byte %zu", at);
}

/* text is without padding here. */
static enum cs_code decode64(struct cs_buf *out, struct cs_view text,
                             const uint8_t values[256], struct cs_err *err)
{
    const uint8_t *in = (const uint8_t *)text.ptr;
    size_t groups = text.len / 4, left = text.len % 4;
    size_t len = groups * 3 + (left > 0 ? left - 1 : 0);
    uint8_t *to = (uint8_t *)cs_buf_room(out, len);
    uint8_t last[4] = {'A', 'A', 'A', 'A'}, bytes[3]; /* A is all zero bits */

    if (to == NULL)
        return cs_buf_check(out, err);
    for (size_t i = 0; i < groups; i++, in += 4, to += 3)
        if (!decode_group(to, in, values))
            return foreign_byte(text, values, err);
    if (left > 0) {
        memcpy(last, in, left);
        if (!decode_group(bytes, last, values))
            return foreign_byte(text, values, err);
        memcpy(to, bytes, left - 1);
        if (left == 1 || bytes[left - 1] != 0)
            return cs_err_set(err, CS_EINVAL, "base64 that ends in the middle of a byte");
    }
    cs_buf_grew(out, len);
    return CS_OK;
}

enum cs_code cs_base64_decode(struct cs_buf *out, struct cs_view text, struct cs_err *err)
{
    if (text.len % 4 != 0)
        return cs_err_set(err, CS_EINVAL, "base64 whose length is not a multiple of 4");
    for (int padding = 0; padding < 2 && text.len > 0; padding++)
        if (text.ptr[text.len - 1] == '=')
            text.len--;
    return decode64(out, text, values_std, err);
}

enum cs_code cs_base64url_decode(struct cs_buf *out, struct cs_view text,
                                 struct cs_err *err)
{
    return decode64(out, text, values_url, err);
}

static void add_percent(struct cs_buf *out, unsigned char byte)
{
    const char escape[3] = {'%', hex_upper[byte >> 4], hex_upper[byte & 15]};

    cs_buf_add(out, cs_view_of(escape, sizeof(escape)));
}

void cs_percent_encode(struct cs_buf *out, struct cs_view bytes, bool keep_slash)
{
    const char kept =
        keep_slash ? '/' : '-'; /* a byte that stays beside the unreserved */
    size_t at = 0;

    while (at < bytes.len) {
        size_t plain = at;

        while (at < bytes.len &&
               (cs_is_unreserved(bytes.ptr[at]) || bytes.ptr[at] == kept))
            at++;
        cs_buf_add(out, cs_view_of(bytes.ptr + plain, at - plain));
        if (at < bytes.len)
            add_percent(out, (unsigned char)bytes.ptr[at++]);
    }
}

enum cs_code cs_percent_decode(struct cs_buf *out, struct cs_view text,
                               bool plus_is_space, struct cs_err *err)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '%') {
            uint8_t byte;

            if (!cs_hex_decode(&byte, 1, cs_view_sub(text, i + 1, 2)))
                return cs_err_set(err, CS_EINVAL,
                                  "a %% without two hex digits at byte %zu", i);
            c = (char)byte;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        cs_buf_add_byte(out, c);
    }
    return cs_buf_check(out, err);
}

bool cs_utf8_next(struct cs_view *rest, uint32_t *code_point_out)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first;
    uint32_t code;
    size_t len;

    if (rest->len == 0)
        return false;
    first = (uint8_t)rest->ptr[0];
    len = first < 0x80       ? 1
          : first >> 5 == 6  ? 2
          : first >> 4 == 14 ? 3
          : first >> 3 == 30 ? 4
                             : 0;
    if (len == 0 || rest->len < len)
        return false;
    code = len == 1 ? first : first & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        uint8_t next = (uint8_t)rest->ptr[i];

        if (next >> 6 != 2)
            return false;
        code = code << 6 | (next & 0x3fu);
    }
    if (code < smallest[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return false;
    *code_point_out = code;
    *rest = cs_view_from(*rest, len);
    return true;
}

void cs_utf8_add(struct cs_buf *out, uint32_t code_point)
{
    char bytes[4];
    size_t len = code_point < 0x80      ? 1
                 : code_point < 0x800   ? 2
                 : code_point < 0x10000 ? 3
                                        : 4;

    for (size_t i = len; i-- > 1; code_point >>= 6)
        bytes[i] = (char)(0x80 | (code_point & 0x3f));
    bytes[0] = (char)(len == 1 ? code_point : (0xf00u >> len & 0xf0u) | code_point);
    cs_buf_add(out, cs_view_of(bytes, len));
}

size_t cs_utf8_fault(struct cs_view text)
{
    struct cs_view rest = text;
    uint32_t code_point;

    while (rest.len > 0) {
        if ((uint8_t)rest.ptr[0] < 0x80)
            rest = cs_view_from(rest, 1);
        else if (!cs_utf8_next(&rest, &code_point))
            return text.len - rest.len;
    }
    return SIZE_MAX;
}
