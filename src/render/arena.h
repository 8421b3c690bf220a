/* render/arena.h: memory for the many small strings of one document, freed all
 * at once. Failure is sticky: after it every answer is NULL (or ""), and
 * cs_arena_check() at the end of the work says so. */
#ifndef CS_RENDER_ARENA_H
#define CS_RENDER_ARENA_H

#include "base/buf.h"

struct cs_arena_chunk;

struct cs_arena {
    struct cs_arena_chunk *chunks;
    char *next;
    size_t left;
    bool failed;
};

void cs_arena_init(struct cs_arena *arena);
void cs_arena_clear(struct cs_arena *arena);

/* Zeroed memory, aligned for any object; NULL without memory. */
void *cs_arena_alloc(struct cs_arena *arena, size_t count, size_t size);

/* A NUL-terminated copy; "" without memory. */
const char *cs_arena_text(struct cs_arena *arena, struct cs_view text);

enum cs_code cs_arena_check(const struct cs_arena *arena, struct cs_err *err) CS_MUST_USE;

#endif
