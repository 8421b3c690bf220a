#include "config.h"

#include "base/view.h"

static unsigned char lower(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int cs_view_compare(struct cs_view a, struct cs_view b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);

    if (order != 0 || a.len == b.len)
        return order;
    return a.len < b.len ? -1 : 1;
}

bool cs_view_eq_nocase(struct cs_view a, struct cs_view b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

bool cs_view_ends(struct cs_view view, struct cs_view suffix)
{
    return view.len >= suffix.len &&
           cs_view_eq(cs_view_from(view, view.len - suffix.len), suffix);
}

bool cs_view_is_among(struct cs_view view, const struct cs_view *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cs_view_eq(view, list[i]))
            return true;
    return false;
}

struct cs_view cs_view_trim(struct cs_view view)
{
    while (view.len > 0 && is_space(view.ptr[0]))
        view = cs_view_from(view, 1);
    while (view.len > 0 && is_space(view.ptr[view.len - 1]))
        view.len--;
    return view;
}

size_t cs_view_find(struct cs_view view, struct cs_view needle)
{
    const char *hit;

    if (needle.len == 0)
        return 0;
    if (view.len < needle.len)
        return SIZE_MAX;
    hit = memmem(view.ptr, view.len, needle.ptr, needle.len);
    return hit == NULL ? SIZE_MAX : (size_t)(hit - view.ptr);
}

bool cs_view_split(struct cs_view *rest, char separator, struct cs_view *part_out)
{
    size_t at;

    if (rest->ptr == NULL)
        return false;
    at = cs_view_find_byte(*rest, separator);
    if (at == SIZE_MAX) {
        *part_out = *rest;
        *rest = cs_view_of(NULL, 0);
    } else {
        *part_out = cs_view_of(rest->ptr, at);
        *rest = cs_view_from(*rest, at + 1);
    }
    return true;
}

bool cs_view_to_u64(struct cs_view view, uint64_t *out)
{
    uint64_t value = 0;

    if (view.len == 0)
        return false;
    for (size_t i = 0; i < view.len; i++) {
        unsigned digit = (unsigned)((unsigned char)view.ptr[i]) - '0';

        if (digit > 9 || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool cs_view_eq_secret(struct cs_view a, struct cs_view b)
{
    unsigned difference = a.len == b.len ? 0 : 1;

    if (difference != 0)
        return false;
    for (size_t i = 0; i < a.len; i++)
        difference |= (unsigned char)a.ptr[i] ^ (unsigned char)b.ptr[i];
    return difference == 0;
}
