/* base/err.h: the one error type. A function that can fail returns enum cs_code
 * and takes `struct cs_err *err` last: the caller gives it (NULL where the
 * sentence is of no use), the first error set in it wins, so the layer that
 * found the fault names it and the layers above only hand it on. */
#ifndef CS_BASE_ERR_H
#define CS_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

enum cs_code {
    CS_OK = 0,
    CS_EINVAL,       /* the input breaks a rule; text names the field and the remedy */
    CS_ENOTFOUND,    /* what was asked for does not exist (or is not the caller's) */
    CS_EEXISTS,      /* what was to be created exists already */
    CS_ECONFLICT,    /* the state forbids it, or somebody else changed it meanwhile */
    CS_ETOOBIG,      /* over a limit; text names the limit */
    CS_EUNAUTH,      /* no or bad credentials */
    CS_EDENIED,      /* good credentials without the right */
    CS_ESHORT,       /* the body ended before its announced end */
    CS_EGONE,        /* the peer went away: nobody is left to answer */
    CS_ERENDER,      /* the input can't be rendered within its limits */
    CS_ERANGE,       /* a byte range outside the object */
    CS_EUNSUPPORTED, /* understood, and not offered */
    CS_EBUSY,        /* overloaded or rate limited: try again later */
    CS_ETIMEOUT,     /* the deadline passed */
    CS_EUPSTREAM,    /* a service behind us failed or answered nonsense */
    CS_EIO,          /* reading or writing on this machine failed */
    CS_ENOMEM,
    CS_ECRYPTO,   /* the cryptographic library failed */
    CS_EINTERNAL, /* a fault of ours */
    CS_CODE_COUNT
};

#define CS_ERR_TEXT_MAX  320u /* bytes with the NUL; longer texts are cut with "..." */
#define CS_ERR_FIELD_MAX 160u

struct cs_err {
    enum cs_code code;
    int upstream_status;          /* HTTP status of the service behind us, or 0 */
    int retry_after_s;            /* seconds to wait before trying again, or 0 */
    char field[CS_ERR_FIELD_MAX]; /* JSON pointer or header or setting, or "" */
    char reason[64];              /* stable word for programs, or "" */
    char request_id[96];          /* of the service behind us, or "" */
    char text[CS_ERR_TEXT_MAX];   /* one sentence, no newline */
};

#define CS_MUST_USE     __attribute__((warn_unused_result))
#define CS_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* An empty error. */
#define CS_ERR_NONE ((struct cs_err){.code = CS_OK})

/* Sets the error unless one is set already or err is NULL. Returns code, so
 * that `return cs_err_set(err, CS_EINVAL, "...")` reads well. */
enum cs_code cs_err_set(struct cs_err *err, enum cs_code code, const char *format, ...)
    CS_PRINTF(3, 4);

/* The same with a field (JSON pointer, header or setting name) and a stable reason. */
enum cs_code cs_err_field(struct cs_err *err, enum cs_code code, const char *field,
                          const char *reason, const char *format, ...) CS_PRINTF(5, 6);

/* CS_EIO with the text of errno behind the sentence; CS_ENOMEM for ENOMEM. */
enum cs_code cs_err_errno(struct cs_err *err, int errno_value, const char *format, ...)
    CS_PRINTF(3, 4);

/* Out of memory; needs none itself. */
enum cs_code cs_err_nomem(struct cs_err *err);

#if defined(__clang_analyzer__) && !defined(CS_BASE_ERR_IMPLEMENTATION)
/* An analyser sees one file at a time, so it is told here that these return their
 * code, which is never CS_OK. */
#define cs_err_set(err, code, ...)   ((void)cs_err_set(err, code, __VA_ARGS__), (code))
#define cs_err_field(err, code, ...) ((void)cs_err_field(err, code, __VA_ARGS__), (code))
#define cs_err_errno(...)            ((void)cs_err_errno(__VA_ARGS__), CS_EIO)
#define cs_err_nomem(err)            ((void)cs_err_nomem(err), CS_ENOMEM)
#endif

/* Hands on what a lower layer said: *err becomes *why, unless one is set in it already or
 * err is NULL. */
void cs_err_hand_on(struct cs_err *err, const struct cs_err *why);

/* Forgets an error that was dealt with. */
void cs_err_clear(struct cs_err *err);

/* Short stable name of a code ("not_found"), for logs and programs. */
const char *cs_code_name(enum cs_code code);

#endif
