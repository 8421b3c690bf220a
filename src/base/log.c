#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define LINE_MAX_BYTES (16u * 1024u)

struct cs_log {
    char *path; /* NULL: standard error */
    int fd;
    enum cs_log_level level;
    struct cs_buf line; /* kept, so that logging needs no memory in steady state */
};

static const char *const level_names[] = {
    [CS_LOG_ERROR] = "error",
    [CS_LOG_WARN] = "warn",
    [CS_LOG_INFO] = "info",
    [CS_LOG_DEBUG] = "debug",
};

static int open_log(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
}

struct cs_log *cs_log_new(const char *path, enum cs_log_level level, struct cs_err *err)
{
    struct cs_log *log = calloc(1, sizeof(*log));

    if (log == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    cs_buf_init(&log->line, LINE_MAX_BYTES);
    log->level = level;
    log->fd = STDERR_FILENO;
    if (path != NULL && *path != '\0') {
        log->path = cs_view_dup(cs_view_cstr(path));
        log->fd = log->path == NULL ? -1 : open_log(path);
        if (log->fd < 0) {
            (void)cs_err_errno(err, log->path == NULL ? ENOMEM : errno,
                               "the log file %s can't be opened", path);
            cs_log_free(log);
            return NULL;
        }
    }
    return log;
}

void cs_log_free(struct cs_log *log)
{
    if (log == NULL)
        return;
    if (log->path != NULL && log->fd >= 0)
        (void)close(log->fd);
    free(log->path);
    cs_buf_clear(&log->line);
    free(log);
}

enum cs_code cs_log_reopen(struct cs_log *log, struct cs_err *err)
{
    int fd;

    if (log->path == NULL)
        return CS_OK;
    fd = open_log(log->path);
    if (fd < 0)
        return cs_err_errno(err, errno, "the log file %s can't be opened anew",
                            log->path);
    (void)close(log->fd);
    log->fd = fd;
    return CS_OK;
}

void cs_log_set_level(struct cs_log *log, enum cs_log_level level)
{
    log->level = level;
}

bool cs_log_wants(const struct cs_log *log, enum cs_log_level level)
{
    return log != NULL && level <= log->level;
}

/* Bare where a value is one harmless word, else quoted with escapes. */
static void add_value(struct cs_buf *line, struct cs_view text)
{
    static const char hex[] = "0123456789abcdef";
    bool bare = text.len > 0;

    for (size_t i = 0; i < text.len && bare; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        bare = c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
    }
    if (bare) {
        cs_buf_add(line, text);
        return;
    }
    cs_buf_add_byte(line, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c == '"' || c == '\\') {
            cs_buf_add_byte(line, '\\');
            cs_buf_add_byte(line, (char)c);
        } else if (c < ' ' || c == 0x7f) {
            const char escape[] = {'\\', 'x', hex[c >> 4], hex[c & 15]};

            cs_buf_add(line, cs_view_of(escape, sizeof(escape)));
        } else {
            cs_buf_add_byte(line, (char)c);
        }
    }
    cs_buf_add_byte(line, '"');
}

void cs_log_event(struct cs_log *log, enum cs_log_level level, const char *message,
                  const struct cs_log_field *fields, size_t count)
{
    char time_text[CS_TIME_TEXT_LEN + 1];
    struct cs_buf *line;

    if (!cs_log_wants(log, level))
        return;
    line = &log->line;
    cs_buf_reset(line);
    cs_time_text(time_text, cs_clock_now_us());
    cs_buf_add_cstr(line, time_text);
    cs_buf_add_byte(line, ' ');
    cs_buf_add_cstr(line, level_names[level]);
    cs_buf_add_byte(line, ' ');
    cs_buf_add_i64(line, getpid());
    cs_buf_add_byte(line, ' ');
    cs_buf_add_cstr(line, message);
    for (size_t i = 0; i < count; i++) {
        cs_buf_add_byte(line, ' ');
        cs_buf_add_cstr(line, fields[i].name);
        cs_buf_add_byte(line, '=');
        if (fields[i].text.ptr != NULL)
            add_value(line, cs_view_sub(fields[i].text, 0, 2048));
        else
            cs_buf_add_i64(line, fields[i].number);
    }
    cs_buf_add_byte(line, '\n');
    /* A log that can't be written must not fail the work that it tells of. */
    (void)cs_file_write_all(log->fd, cs_buf_view(line));
}

void cs_log_err(struct cs_log *log, enum cs_log_level level, const char *message,
                const struct cs_err *err)
{
    cs_log_put(log, level, message,
               CS_LOG_TEXT("code", cs_view_cstr(cs_code_name(err->code))),
               CS_LOG_TEXT("detail", cs_view_cstr(err->text)),
               CS_LOG_TEXT("field", cs_view_cstr(err->field)),
               CS_LOG_NUM("upstream_status", err->upstream_status));
}
