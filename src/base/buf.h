/* base/buf.h: a growing run of bytes with a ceiling, for everything that is
 * built piece by piece.
 *
 * Appending never fails half-way: the first append that would pass the ceiling
 * or finds no memory marks the buffer as failed, later ones do nothing, and
 * cs_buf_check() at the end of the work says whether all of it is there. So a
 * writer of text reads as the text does. The bytes are always followed by a NUL
 * that is not counted. */
#ifndef CS_BASE_BUF_H
#define CS_BASE_BUF_H

#include <stdarg.h>

#include "base/err.h"
#include "base/view.h"

struct cs_buf {
    char *ptr; /* NULL until the first append */
    size_t len;
    size_t cap;
    size_t max;          /* ceiling in bytes, fixed at init */
    enum cs_code failed; /* CS_OK, CS_ETOOBIG or CS_ENOMEM */
};

/* Takes no memory yet. End it with cs_buf_clear() or cs_buf_take(). */
void cs_buf_init(struct cs_buf *buf, size_t max);

/* A buffer declared in place, ready to use. */
#define CS_BUF_INIT(ceiling)                                               \
    {                                                                      \
        .ptr = NULL, .len = 0, .cap = 0, .max = (ceiling), .failed = CS_OK \
    }

/* Frees the memory; the buffer can be used again. */
void cs_buf_clear(struct cs_buf *buf);

/* The same, after overwriting the bytes. For secrets. */
void cs_buf_wipe(struct cs_buf *buf);

/* Empties it and keeps the memory. */
void cs_buf_reset(struct cs_buf *buf);

/* Cuts it to len bytes, which it must have. */
void cs_buf_truncate(struct cs_buf *buf, size_t len);

/* Makes room for `more` further bytes at once. */
void cs_buf_reserve(struct cs_buf *buf, size_t more);

void cs_buf_add(struct cs_buf *buf, struct cs_view bytes);
void cs_buf_add_cstr(struct cs_buf *buf, const char *text);
static inline void cs_buf_add_byte(struct cs_buf *buf, char byte)
{
    if (buf->failed != CS_OK || buf->len + 1 >= buf->cap || buf->len >= buf->max) {
        cs_buf_add(buf, cs_view_of(&byte, 1));
        return;
    }
    buf->ptr[buf->len++] = byte;
    buf->ptr[buf->len] = '\0';
}
void cs_buf_add_u64(struct cs_buf *buf, uint64_t value);
void cs_buf_add_i64(struct cs_buf *buf, int64_t value);
void cs_buf_add_fmt(struct cs_buf *buf, const char *format, ...) CS_PRINTF(2, 3);

/* Bytes to write into: at least `room` of them behind the end, or NULL when
 * the buffer has failed. What was written is then added by cs_buf_grew(). */
char *cs_buf_room(struct cs_buf *buf, size_t room);
void cs_buf_grew(struct cs_buf *buf, size_t len);

/* CS_OK when every append fitted; else the reason (CS_ETOOBIG, CS_ENOMEM). */
enum cs_code cs_buf_check(const struct cs_buf *buf, struct cs_err *err) CS_MUST_USE;

/* The bytes, borrowed until the next change. Never a NULL pointer. */
struct cs_view cs_buf_view(const struct cs_buf *buf);

/* The bytes as a C string, borrowed; "" when empty. */
const char *cs_buf_cstr(const struct cs_buf *buf);

/* Hands the memory over: the caller frees it with free(); the buffer is empty
 * again. NULL when the buffer has failed or nothing was ever added. */
char *cs_buf_take(struct cs_buf *buf);

/* A NUL-terminated copy in memory of its own (free() it), or NULL. */
char *cs_view_dup(struct cs_view view);

/* Overwrites memory in a way that the compiler may not leave out. */
void cs_wipe(void *ptr, size_t len);

#endif
