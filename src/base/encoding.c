#include "config.h"

#include "base/encoding.h"

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

void cs_hex_encode(char *out, const void *bytes, size_t len)
{
    const uint8_t *in = bytes;

    for (size_t i = 0; i < len; i++) {
        *out++ = hex_lower[in[i] >> 4];
        *out++ = hex_lower[in[i] & 15];
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

static void encode64(struct cs_buf *out, struct cs_view bytes, const char *alphabet,
                     bool pad)
{
    const uint8_t *in = (const uint8_t *)bytes.ptr;

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t have = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t group = (uint32_t)in[i] << 16 |
                         (have > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                         (have > 2 ? (uint32_t)in[i + 2] : 0);
        char text[4];

        for (size_t k = 0; k < 4; k++)
            text[k] = k <= have ? alphabet[group >> (18 - 6 * k) & 63] : '=';
        cs_buf_add(out, cs_view_of(text, pad ? 4 : have + 1));
    }
}

void cs_base64_encode(struct cs_buf *out, struct cs_view bytes)
{
    encode64(out, bytes, base64_std, true);
}

void cs_base64url_encode(struct cs_buf *out, struct cs_view bytes)
{
    encode64(out, bytes, base64_url, false);
}

static int value64(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == alphabet[62])
        return 62;
    return c == alphabet[63] ? 63 : -1;
}

/* text is without padding here. */
static enum cs_code decode64(struct cs_buf *out, struct cs_view text,
                             const char *alphabet, struct cs_err *err)
{
    uint32_t group = 0;
    unsigned bits = 0;

    for (size_t i = 0; i < text.len; i++) {
        int value = value64(text.ptr[i], alphabet);

        if (value < 0)
            return cs_err_set(err, CS_EINVAL, "not base64 at byte %zu", i);
        group = group << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            cs_buf_add_byte(out, (char)(group >> bits & 255));
        }
    }
    if (bits >= 6 || (group & ((1u << bits) - 1)) != 0)
        return cs_err_set(err, CS_EINVAL, "base64 that ends in the middle of a byte");
    return cs_buf_check(out, err);
}

enum cs_code cs_base64_decode(struct cs_buf *out, struct cs_view text, struct cs_err *err)
{
    if (text.len % 4 != 0)
        return cs_err_set(err, CS_EINVAL, "base64 whose length is not a multiple of 4");
    for (int padding = 0; padding < 2 && text.len > 0; padding++)
        if (text.ptr[text.len - 1] == '=')
            text.len--;
    return decode64(out, text, base64_std, err);
}

enum cs_code cs_base64url_decode(struct cs_buf *out, struct cs_view text,
                                 struct cs_err *err)
{
    return decode64(out, text, base64_url, err);
}

void cs_percent_encode(struct cs_buf *out, struct cs_view bytes, bool keep_slash)
{
    size_t plain = 0; /* where the run of bytes that stay as they are starts */

    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.ptr[i];
        char escape[3] = {'%', 0, 0};

        if (cs_is_unreserved(c) || (c == '/' && keep_slash))
            continue;
        escape[1] = hex_upper[(unsigned char)c >> 4];
        escape[2] = hex_upper[(unsigned char)c & 15];
        cs_buf_add(out, cs_view_sub(bytes, plain, i - plain));
        cs_buf_add(out, cs_view_of(escape, sizeof(escape)));
        plain = i + 1;
    }
    cs_buf_add(out, cs_view_from(bytes, plain));
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
