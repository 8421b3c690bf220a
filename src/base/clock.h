/* base/clock.h: time as numbers and as text. Only cs_clock_* read a clock;
 * everything else is given the time. */
#ifndef CS_BASE_CLOCK_H
#define CS_BASE_CLOCK_H

#include "base/buf.h"

#define CS_SECOND_US 1000000ll

/* "2024-12-01T12:00:00.123000Z": RFC 3339, UTC, microseconds, fixed width, so
 * that the texts sort as the times do. */
#define CS_TIME_TEXT_LEN 27u

/* Microseconds since 1970-01-01T00:00:00Z. */
int64_t cs_clock_now_us(void);

/* Microseconds of a clock that never steps, for durations and deadlines. */
int64_t cs_clock_monotonic_us(void);

/* A point of the monotonic clock by which an answer must be there. Passed by
 * value down to every call that can block. */
struct cs_deadline {
    int64_t at_us; /* of cs_clock_monotonic_us() */
};

struct cs_deadline cs_deadline_in_ms(int64_t ms);

/* Milliseconds left, 0 when passed, at most INT_MAX. */
int cs_deadline_left_ms(struct cs_deadline deadline);

/* out is NUL-terminated. time_us is held within the years 0000 to 9999. */
void cs_time_text(char out[CS_TIME_TEXT_LEN + 1], int64_t time_us);

/* "20241201_120000", for ids; out is NUL-terminated. */
void cs_time_compact(char out[16], int64_t time_us);

/* Reads an RFC 3339 time with any offset and any number of fraction digits
 * (those past microseconds are cut). A time without an offset is taken as
 * UTC, as the service that this one replaces wrote them. CS_EINVAL otherwise. */
enum cs_code cs_time_parse(int64_t *time_us_out, struct cs_view text,
                           struct cs_err *err) CS_MUST_USE;

/* "Sun, 01 Dec 2024 12:00:00 GMT" (RFC 9110 section 5.6.7); out NUL-terminated. */
#define CS_HTTP_DATE_LEN 29u
void cs_time_http_date(char out[CS_HTTP_DATE_LEN + 1], int64_t time_us);

/* Reads that form, the only one sent today; false for anything else. */
bool cs_time_parse_http_date(int64_t *time_us_out, struct cs_view text);

#endif
