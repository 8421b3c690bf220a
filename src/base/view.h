/* base/view.h: a borrowed run of bytes, by value; no NUL is needed behind it. */
#ifndef CS_BASE_VIEW_H
#define CS_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cs_view {
    const char *ptr; /* NULL where there is no value at all; "" is a value */
    size_t len;
};

#define CS_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A string literal as a view, in code and in static tables. */
#define CS_LIT(literal) ((struct cs_view){"" literal, sizeof(literal) - 1})
#define CS_LIT_INIT(literal)            \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }

/* For printf's "%.*s": CS_FMT(view) gives both arguments, length capped at 512. */
#define CS_FMT(view) \
    ((view).len > 512 ? 512 : (int)(view).len), ((view).ptr ? (view).ptr : "")

static inline struct cs_view cs_view_of(const void *ptr, size_t len)
{
    return (struct cs_view){(const char *)ptr, len};
}

static inline struct cs_view cs_view_cstr(const char *text)
{
    return (struct cs_view){text, text != NULL ? strlen(text) : 0};
}

static inline bool cs_view_eq(struct cs_view a, struct cs_view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool cs_view_eq_cstr(struct cs_view a, const char *b)
{
    return cs_view_eq(a, cs_view_cstr(b));
}

/* Order of the bytes, as memcmp. */
int cs_view_compare(struct cs_view a, struct cs_view b);

/* ASCII letters compared without case; other bytes as they are. */
bool cs_view_eq_nocase(struct cs_view a, struct cs_view b);

static inline bool cs_view_starts(struct cs_view view, struct cs_view prefix)
{
    return view.len >= prefix.len && cs_view_eq(cs_view_of(view.ptr, prefix.len), prefix);
}

bool cs_view_ends(struct cs_view view, struct cs_view suffix);

/* Whether it is one of the list. */
bool cs_view_is_among(struct cs_view view, const struct cs_view *list, size_t count);

/* What is left from offset on; empty past the end. */
static inline struct cs_view cs_view_from(struct cs_view view, size_t offset)
{
    if (offset > view.len)
        offset = view.len;
    return cs_view_of(offset == 0 ? view.ptr : view.ptr + offset, view.len - offset);
}

/* The len bytes from offset on, fewer at the end. */
static inline struct cs_view cs_view_sub(struct cs_view view, size_t offset, size_t len)
{
    struct cs_view rest = cs_view_from(view, offset);

    return cs_view_of(rest.ptr, rest.len < len ? rest.len : len);
}

/* Without leading and trailing space, tab, CR and LF. */
struct cs_view cs_view_trim(struct cs_view view);

/* Offset of the first such byte or run, or SIZE_MAX. */
static inline size_t cs_view_find_byte(struct cs_view view, char byte)
{
    const char *hit =
        view.len == 0 ? NULL : (const char *)memchr(view.ptr, byte, view.len);

    return hit == NULL ? SIZE_MAX : (size_t)(hit - view.ptr);
}
size_t cs_view_find(struct cs_view view, struct cs_view needle);

/* Takes the part before the next separator off the front of *rest. Returns
 * false when nothing is left. "a,,b" gives "a", "", "b". */
bool cs_view_split(struct cs_view *rest, char separator, struct cs_view *part_out);

/* Decimal digits alone, no sign, no space; false when there are none, others,
 * or the number does not fit. */
bool cs_view_to_u64(struct cs_view view, uint64_t *out);

/* In time that depends on the lengths alone. For secrets. */
bool cs_view_eq_secret(struct cs_view a, struct cs_view b);

#endif
