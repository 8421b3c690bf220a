/* json/check.h: checks of what a client sent, field by field. All faults of a
 * body are collected, each with a JSON pointer (RFC 6901), so that one answer
 * tells everything that is wrong. */
#ifndef CS_JSON_CHECK_H
#define CS_JSON_CHECK_H

#include "base/buf.h"

struct cs_faults {
    struct cs_buf json; /* "{...},{...}": the elements of errors[] */
    size_t count;
};

void cs_faults_init(struct cs_faults *faults);
void cs_faults_clear(struct cs_faults *faults);

/* pointer "/tags/3"; code a stable word; then a sentence with the remedy. */
void cs_faults_add(struct cs_faults *faults, const char *pointer, const char *code,
                   const char *format, ...) CS_PRINTF(4, 5);

/* CS_OK, or CS_EINVAL with reason "validation_failed" and the first fault's
 * pointer when there are any. */
enum cs_code cs_faults_check(const struct cs_faults *faults,
                             struct cs_err *err) CS_MUST_USE;

/* The checks. `value` is a slice of valid JSON, .ptr NULL when absent. All
 * return true when the value is there and good; a fault is added when it is
 * there and bad, or absent and required. */
struct cs_field {
    const char *pointer;
    struct cs_view value;
    bool required;
};

/* A string of min to max bytes, without control characters; its decoded text
 * is appended to out. */
bool cs_check_text(struct cs_faults *faults, const struct cs_field *field, size_t min,
                   size_t max, struct cs_buf *out);
bool cs_check_object(struct cs_faults *faults, const struct cs_field *field);
/* A number from min to max (both allowed), as written. */
bool cs_check_number(struct cs_faults *faults, const struct cs_field *field, double min,
                     double max, double *out);
/* A whole number from 0 to max. */
bool cs_check_integer(struct cs_faults *faults, const struct cs_field *field,
                      uint64_t max, uint64_t *out);
/* A string that holds an RFC 3339 time. */
bool cs_check_time(struct cs_faults *faults, const struct cs_field *field,
                   int64_t *time_us_out);

#endif
