/* tests/unit/unit.h: what every unit test includes: cmocka in its required
 * order, checks for our own types, and the way to the public test data. */
#ifndef CS_TESTS_UNIT_H
#define CS_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"

/* Whether the sanitizers are built in, as gcc and as clang tell it. */
#if defined(__SANITIZE_ADDRESS__)
#define UNIT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNIT_SANITIZED 1
#endif
#endif
#ifndef UNIT_SANITIZED
#define UNIT_SANITIZED 0
#endif

#define assert_view(view, text)                                  \
    do {                                                         \
        struct cs_view unit_view_ = (view);                      \
        assert_int_equal(unit_view_.len, strlen(text));          \
        assert_memory_equal(unit_view_.ptr, text, strlen(text)); \
    } while (0)

/* Fails with the error's own sentence. */
#define assert_ok(call)                                                              \
    do {                                                                             \
        struct cs_err unit_err_ = CS_ERR_NONE, *err = &unit_err_;                    \
        enum cs_code unit_code_ = (call);                                            \
        if (unit_code_ != CS_OK)                                                     \
            fail_msg("%s: %s: %s", #call, cs_code_name(unit_code_), unit_err_.text); \
    } while (0)

/* The path of a file of the public vectors, or NULL (with a message) where they
 * are not there. Freed by the caller. */
static inline char *unit_data_path(const char *variable, const char *name)
{
    const char *root = getenv(variable);
    char *path = NULL;

    if (root == NULL || asprintf(&path, "%s/%s", root, name) < 0)
        return NULL;
    if (access(path, R_OK) == 0)
        return path;
    print_message("%s is not there: skipped (%s)\n", path, variable);
    free(path);
    return NULL;
}

/* Reads a vector file into a fresh buffer; skips the running test where absent. */
static inline void unit_read_vector(struct cs_buf *out, const char *name)
{
    char *path = unit_data_path("CS_VECTORS", name);

    cs_buf_init(out, 64u << 20);
    if (path == NULL)
        skip();
    assert_int_equal(cs_file_read(out, path, 64u << 20, NULL), CS_OK);
    free(path);
}

#endif
