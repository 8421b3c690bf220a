#include "config.h"

#include "base/buf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAPACITY 256u

void cs_buf_init(struct cs_buf *buf, size_t max)
{
    *buf = (struct cs_buf)CS_BUF_INIT(max);
}

void cs_buf_clear(struct cs_buf *buf)
{
    free(buf->ptr);
    cs_buf_init(buf, buf->max);
}

void cs_buf_wipe(struct cs_buf *buf)
{
    cs_wipe(buf->ptr, buf->cap);
    cs_buf_clear(buf);
}

void cs_buf_reset(struct cs_buf *buf)
{
    buf->len = 0;
    buf->failed = CS_OK;
    if (buf->ptr != NULL)
        buf->ptr[0] = '\0';
}

void cs_buf_truncate(struct cs_buf *buf, size_t len)
{
    if (len >= buf->len)
        return;
    buf->len = len;
    buf->ptr[len] = '\0';
}

void cs_buf_reserve(struct cs_buf *buf, size_t more)
{
    size_t needed;
    size_t cap;
    char *grown;

    if (buf->failed != CS_OK)
        return;
    /* `needed` counts the NUL; the ceiling does not. */
    if (more > buf->max || buf->len > buf->max - more ||
        __builtin_add_overflow(buf->len + more, (size_t)1, &needed)) {
        buf->failed = CS_ETOOBIG;
        return;
    }
    if (needed <= buf->cap)
        return;
    cap = buf->cap < FIRST_CAPACITY ? FIRST_CAPACITY : buf->cap;
    while (cap < needed)
        cap = cap > SIZE_MAX / 2 ? needed : cap * 2;
    grown = realloc(buf->ptr, cap);
    if (grown == NULL) {
        buf->failed = CS_ENOMEM;
        return;
    }
    if (buf->ptr == NULL)
        grown[0] = '\0';
    buf->ptr = grown;
    buf->cap = cap;
}

char *cs_buf_room(struct cs_buf *buf, size_t room)
{
    cs_buf_reserve(buf, room);
    return buf->failed == CS_OK ? buf->ptr + buf->len : NULL;
}

void cs_buf_grew(struct cs_buf *buf, size_t len)
{
    if (buf->failed != CS_OK)
        return;
    buf->len += len;
    buf->ptr[buf->len] = '\0';
}

/* What cs_buf_reserve() comes to most times, for what is added byte by byte. */
static bool has_room(struct cs_buf *buf, size_t more)
{
    if (buf->failed == CS_OK && more < buf->cap - buf->len && more <= buf->max - buf->len)
        return true;
    cs_buf_reserve(buf, more);
    return buf->failed == CS_OK;
}

void cs_buf_add(struct cs_buf *buf, struct cs_view bytes)
{
    if (bytes.len == 0 || !has_room(buf, bytes.len))
        return;
    memcpy(buf->ptr + buf->len, bytes.ptr, bytes.len);
    buf->len += bytes.len;
    buf->ptr[buf->len] = '\0';
}

void cs_buf_add_cstr(struct cs_buf *buf, const char *text)
{
    cs_buf_add(buf, cs_view_cstr(text));
}

void cs_buf_add_u64(struct cs_buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    cs_buf_add(buf, cs_view_of(digits + at, sizeof(digits) - at));
}

void cs_buf_add_i64(struct cs_buf *buf, int64_t value)
{
    if (value < 0)
        cs_buf_add_byte(buf, '-');
    cs_buf_add_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void cs_buf_add_fmt(struct cs_buf *buf, const char *format, ...)
{
    va_list args;
    int wanted;
    char *room;

    va_start(args, format);
    wanted = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (wanted < 0) {
        buf->failed = buf->failed == CS_OK ? CS_ENOMEM : buf->failed;
        return;
    }
    room = cs_buf_room(buf, (size_t)wanted);
    if (room == NULL)
        return;
    va_start(args, format);
    wanted = vsnprintf(room, (size_t)wanted + 1, format, args);
    va_end(args);
    cs_buf_grew(buf, wanted < 0 ? 0 : (size_t)wanted);
}

enum cs_code cs_buf_check(const struct cs_buf *buf, struct cs_err *err)
{
    if (buf->failed == CS_ETOOBIG)
        return cs_err_set(err, CS_ETOOBIG, "more than %zu bytes, the limit here",
                          buf->max);
    if (buf->failed != CS_OK)
        return cs_err_nomem(err);
    return CS_OK;
}

struct cs_view cs_buf_view(const struct cs_buf *buf)
{
    return cs_view_of(buf->ptr != NULL ? buf->ptr : "", buf->len);
}

const char *cs_buf_cstr(const struct cs_buf *buf)
{
    return buf->ptr != NULL ? buf->ptr : "";
}

char *cs_buf_take(struct cs_buf *buf)
{
    char *taken = buf->ptr;

    if (buf->failed != CS_OK) {
        cs_buf_clear(buf);
        return NULL;
    }
    buf->ptr = NULL;
    cs_buf_init(buf, buf->max);
    return taken;
}

char *cs_view_dup(struct cs_view view)
{
    char *copy = malloc(view.len + 1);

    if (copy == NULL)
        return NULL;
    if (view.len > 0)
        memcpy(copy, view.ptr, view.len);
    copy[view.len] = '\0';
    return copy;
}

void cs_wipe(void *ptr, size_t len)
{
    if (ptr != NULL)
        explicit_bzero(ptr, len);
}
