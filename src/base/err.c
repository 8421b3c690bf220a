#include "config.h"

#define CS_BASE_ERR_IMPLEMENTATION

#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[CS_CODE_COUNT] = {
    [CS_OK] = "ok",
    [CS_EINVAL] = "invalid",
    [CS_ENOTFOUND] = "not_found",
    [CS_EEXISTS] = "exists",
    [CS_ECONFLICT] = "conflict",
    [CS_ETOOBIG] = "too_big",
    [CS_EUNAUTH] = "unauthorized",
    [CS_EDENIED] = "denied",
    [CS_ESHORT] = "short_body",
    [CS_EGONE] = "peer_gone",
    [CS_ERENDER] = "render_failed",
    [CS_ERANGE] = "range",
    [CS_EUNSUPPORTED] = "unsupported",
    [CS_EBUSY] = "busy",
    [CS_ETIMEOUT] = "timeout",
    [CS_EUPSTREAM] = "upstream",
    [CS_EIO] = "io",
    [CS_ENOMEM] = "out_of_memory",
    [CS_ECRYPTO] = "crypto",
    [CS_EINTERNAL] = "internal",
};

const char *cs_code_name(enum cs_code code)
{
    return (unsigned)code < CS_CODE_COUNT ? code_names[code] : "unknown";
}

/* Copies as much as fits; a cut text ends in "..." so that nobody takes it for whole. */
static void copy_text(char *out, size_t size, const char *text)
{
    int wanted = snprintf(out, size, "%s", text);

    if (wanted >= 0 && (size_t)wanted >= size && size > 4)
        memcpy(out + size - 4, "...", 4);
}

static void format_text(struct cs_err *err, const char *format, va_list args)
    CS_PRINTF(2, 0);

static void format_text(struct cs_err *err, const char *format, va_list args)
{
    int wanted = vsnprintf(err->text, sizeof(err->text), format, args);

    if (wanted < 0)
        copy_text(err->text, sizeof(err->text),
                  "(the error text could not be formatted)");
    else if ((size_t)wanted >= sizeof(err->text))
        memcpy(err->text + sizeof(err->text) - 4, "...", 4);
    for (char *p = err->text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
}

enum cs_code cs_err_set(struct cs_err *err, enum cs_code code, const char *format, ...)
{
    va_list args;

    if (err == NULL || err->code != CS_OK)
        return code;
    err->code = code;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    return code;
}

enum cs_code cs_err_field(struct cs_err *err, enum cs_code code, const char *field,
                          const char *reason, const char *format, ...)
{
    va_list args;

    if (err == NULL || err->code != CS_OK)
        return code;
    err->code = code;
    copy_text(err->field, sizeof(err->field), field);
    copy_text(err->reason, sizeof(err->reason), reason);
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    return code;
}

enum cs_code cs_err_errno(struct cs_err *err, int errno_value, const char *format, ...)
{
    va_list args;
    size_t used;

    if (errno_value == ENOMEM)
        return cs_err_nomem(err);
    if (err == NULL || err->code != CS_OK)
        return CS_EIO;
    err->code = CS_EIO;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    used = strlen(err->text);
    copy_text(err->text + used, sizeof(err->text) - used, ": ");
    used = strlen(err->text);
    copy_text(err->text + used, sizeof(err->text) - used, strerror(errno_value));
    return CS_EIO;
}

enum cs_code cs_err_nomem(struct cs_err *err)
{
    return cs_err_set(err, CS_ENOMEM, "out of memory");
}

void cs_err_hand_on(struct cs_err *err, const struct cs_err *why)
{
    if (err != NULL && err->code == CS_OK)
        *err = *why;
}

void cs_err_clear(struct cs_err *err)
{
    if (err != NULL)
        *err = CS_ERR_NONE;
}
