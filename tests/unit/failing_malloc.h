/* tests/unit/failing_malloc.h: lets the n-th allocation of our own code fail.
 * Included by one file of a test program, whose malloc, calloc and realloc these
 * become. Allocations that the libraries make don't count, as what they do without
 * memory is theirs, unless failing_libraries is set. Under the sanitizers and valgrind,
 * which bring a malloc of their own, nothing fails: failing_works() says so. */
#ifndef CS_TESTS_FAILING_MALLOC_H
#define CS_TESTS_FAILING_MALLOC_H

#include <errno.h>

#include "unit.h"

/* volatile: compilers know malloc, and take it that it reads nothing of ours */
static volatile bool failing_armed;
static bool failing_failed;
static volatile bool failing_libraries;
static volatile size_t failing_left;

#define FAILING_MALLOC (!UNIT_SANITIZED)

#if FAILING_MALLOC
/* glibc's own names for what is replaced here; the linker's for our code. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
extern const char __executable_start, etext;

/* Never inlined: valgrind replaces what is called, and failing_works() is to see it. */
void *malloc(size_t size) __attribute__((noinline));
void *calloc(size_t count, size_t size) __attribute__((noinline));
void *realloc(void *old, size_t size) __attribute__((noinline));

static bool failing_now(const void *caller)
{
    if (!failing_armed)
        return false;
    if (!failing_libraries &&
        ((const char *)caller < &__executable_start || (const char *)caller >= &etext))
        return false;
    if (failing_left-- > 0)
        return false;
    failing_armed = false;
    failing_failed = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return failing_now(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return failing_now(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return failing_now(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
#endif

static inline bool failing_works(void)
{
    void *volatile memory;

    failing_left = 0;
    failing_armed = true;
    memory = malloc(1);
    failing_armed = false;
    if (memory == NULL)
        return true;
    free(memory);
    return false;
}

/* Runs `scenario` with the first allocation failing, then with the second, and so
 * on until it runs through without one failing. It says by `failed` whether it was
 * one of those, and must then end well in its own way: with an error that is
 * named, or an answer that says so. */
typedef void failing_scenario(void *payload, const bool *failed);

static inline size_t failing_each(failing_scenario *scenario, void *payload)
{
    size_t count = 0;

    do {
        failing_left = count++;
        failing_failed = false;
        failing_armed = true;
        scenario(payload, &failing_failed);
        failing_armed = false;
    } while (failing_failed);
    return count - 1;
}

#endif
