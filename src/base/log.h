/* base/log.h: one line per event, "time level pid message key=value ...", to
 * stderr or a file. Values are quoted and escaped, so that nothing from outside
 * can forge a line. Never pass a secret. */
#ifndef CS_BASE_LOG_H
#define CS_BASE_LOG_H

#include "base/buf.h"

enum cs_log_level { CS_LOG_ERROR, CS_LOG_WARN, CS_LOG_INFO, CS_LOG_DEBUG };

struct cs_log; /* shared by all rooms of a process; made in its main */

/* path NULL or "" is stderr. NULL with err set when the file can't be opened. */
struct cs_log *cs_log_new(const char *path, enum cs_log_level level, struct cs_err *err);
void cs_log_free(struct cs_log *log);

/* Opens the file anew, after it was rotated away; keeps the old one on failure. */
enum cs_code cs_log_reopen(struct cs_log *log, struct cs_err *err);

void cs_log_set_level(struct cs_log *log, enum cs_log_level level);
bool cs_log_wants(const struct cs_log *log, enum cs_log_level level);

/* A part of a log line: text, or a number where text.ptr is NULL. */
struct cs_log_field {
    const char *name;
    struct cs_view text;
    int64_t number;
};

#define CS_LOG_TEXT(key, view) ((struct cs_log_field){(key), (view), 0})
#define CS_LOG_NUM(key, value) ((struct cs_log_field){(key), {NULL, 0}, (int64_t)(value)})

/* Writes one line in one write(2). log may be NULL (nothing is written). */
void cs_log_event(struct cs_log *log, enum cs_log_level level, const char *message,
                  const struct cs_log_field *fields, size_t count);

/* cs_log_put(log, CS_LOG_INFO, "listening", CS_LOG_TEXT("socket", path), ...) */
#define cs_log_put(log, level, message, ...)                        \
    do {                                                            \
        const struct cs_log_field cs_log_fields_[] = {__VA_ARGS__}; \
        cs_log_event((log), (level), (message), cs_log_fields_,     \
                     CS_COUNT(cs_log_fields_));                     \
    } while (0)

/* An error with its code, text, field and upstream status. */
void cs_log_err(struct cs_log *log, enum cs_log_level level, const char *message,
                const struct cs_err *err);

#endif
