#include "config.h"

#include "render/arena.h"

#include <stdlib.h>

#define CHUNK_SIZE 16384u
#define ALIGNMENT  16u

struct cs_arena_chunk {
    _Alignas(ALIGNMENT) struct cs_arena_chunk *next;
};

void cs_arena_init(struct cs_arena *arena)
{
    *arena = (struct cs_arena){.chunks = NULL};
}

void cs_arena_clear(struct cs_arena *arena)
{
    struct cs_arena_chunk *chunk = arena->chunks;

    while (chunk != NULL) {
        struct cs_arena_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
    cs_arena_init(arena);
}

static bool grow(struct cs_arena *arena, size_t bytes)
{
    size_t room = bytes > CHUNK_SIZE ? bytes : CHUNK_SIZE;
    struct cs_arena_chunk *chunk = calloc(1, sizeof(*chunk) + room);

    if (chunk == NULL) {
        arena->failed = true;
        return false;
    }
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->next = (char *)(chunk + 1);
    arena->left = room;
    return true;
}

void *cs_arena_alloc(struct cs_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    void *room;

    if (arena->failed)
        return NULL;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2) {
        arena->failed = true;
        return NULL;
    }
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (bytes > arena->left && !grow(arena, bytes))
        return NULL;
    room = arena->next;
    arena->next += bytes;
    arena->left -= bytes;
    return room;
}

const char *cs_arena_text(struct cs_arena *arena, struct cs_view text)
{
    char *copy;

    if (text.len == 0 || text.len == SIZE_MAX)
        return "";
    copy = cs_arena_alloc(arena, text.len + 1, 1);
    if (copy == NULL)
        return "";
    memcpy(copy, text.ptr, text.len);
    return copy;
}

enum cs_code cs_arena_check(const struct cs_arena *arena, struct cs_err *err)
{
    return arena->failed ? cs_err_nomem(err) : CS_OK;
}
