/* json/plain.h: the bytes that stand for themselves in a JSON string, which is what
 * most of a text is made of: passed eight at a time. */
#ifndef CS_JSON_PLAIN_H
#define CS_JSON_PLAIN_H

#include <endian.h>

#include "base/view.h"

#define CS_JSON_BLOCK 8

/* Printable ASCII but the quote and the backslash. */
static inline bool cs_json_is_plain(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* How many of eight bytes are, up to the first that is not. The upper bit of such a
 * byte gets set by one of the terms; those of bytes behind it may be set by what was
 * borrowed for it, which is why the first one counts. */
static inline size_t cs_json_plain_in_block(const char *at)
{
    const uint64_t each = 0x0101010101010101u;
    uint64_t block, others;

    memcpy(&block, at, sizeof(block));
    block = le64toh(block);
    others = block | (block - each * 0x20) | ((block ^ each * '"') - each) |
             ((block ^ each * '\\') - each) | ((block ^ each * 0x7f) - each);
    others &= each * 0x80;
    return others == 0 ? CS_JSON_BLOCK : (size_t)__builtin_ctzll(others) / 8;
}

/* The first byte from `at` on that is none, or `end`. The last block overlaps with the
 * one before it. */
static inline const char *cs_json_pass_plain(const char *at, const char *end)
{
    const char *from = at;
    size_t plain = CS_JSON_BLOCK;

    while (plain == CS_JSON_BLOCK && end - at >= CS_JSON_BLOCK) {
        plain = cs_json_plain_in_block(at);
        at += plain;
    }
    if (plain < CS_JSON_BLOCK || at == end)
        return at;
    if (end - from >= CS_JSON_BLOCK)
        return end - CS_JSON_BLOCK + cs_json_plain_in_block(end - CS_JSON_BLOCK);
    while (at < end && cs_json_is_plain(*at))
        at++;
    return at;
}

#endif
