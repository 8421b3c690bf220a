#include "config.h"

#include "json/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "json/scan.h"
#include "json/write.h"

#define FAULTS_BYTES_MAX (64u * 1024u)
#define FAULTS_MAX       50u                /* more help nobody */
#define EXACT_MAX        9007199254740992.0 /* 2^53: doubles hold all integers up to it */

void cs_faults_init(struct cs_faults *faults)
{
    cs_buf_init(&faults->json, FAULTS_BYTES_MAX);
    faults->count = 0;
}

void cs_faults_clear(struct cs_faults *faults)
{
    cs_buf_clear(&faults->json);
    faults->count = 0;
}

void cs_faults_add(struct cs_faults *faults, const char *pointer, const char *code,
                   const char *format, ...)
{
    struct cs_json_writer writer;
    char text[CS_ERR_TEXT_MAX];
    va_list args;

    if (faults->count++ >= FAULTS_MAX)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    cs_json_writer_init(&writer, &faults->json);
    writer.comma = faults->json.len > 0;
    cs_json_object(&writer);
    cs_json_member_cstr(&writer, "pointer", pointer);
    cs_json_member_cstr(&writer, "code", code);
    cs_json_member_cstr(&writer, "detail", text);
    cs_json_object_end(&writer);
}

enum cs_code cs_faults_check(const struct cs_faults *faults, struct cs_err *err)
{
    struct cs_buf pointer = CS_BUF_INIT(CS_ERR_FIELD_MAX);

    if (faults->count == 0)
        return CS_OK;
    /* The first element's pointer stands for all where only one can be named. */
    (void)cs_json_slice_string(&pointer, cs_buf_view(&faults->json), "pointer");
    (void)cs_err_field(err, CS_EINVAL, cs_buf_cstr(&pointer), "validation_failed",
                       "%zu field%s of the body %s not valid; errors tells which and why",
                       faults->count, faults->count == 1 ? "" : "s",
                       faults->count == 1 ? "is" : "are");
    cs_buf_clear(&pointer);
    return CS_EINVAL;
}

/* False, with a fault where it is due, when there is no value to look at. */
static bool is_there(struct cs_faults *faults, const struct cs_field *field)
{
    if (field->value.ptr != NULL && cs_json_kind(field->value) != 'n')
        return true;
    if (field->required)
        cs_faults_add(faults, field->pointer, "required", "this field must be given");
    return false;
}

static bool is_kind(struct cs_faults *faults, const struct cs_field *field, char kind,
                    const char *name)
{
    if (!is_there(faults, field))
        return false;
    if (cs_json_kind(field->value) == kind)
        return true;
    cs_faults_add(faults, field->pointer, "wrong_type", "this field must be %s", name);
    return false;
}

static bool has_control_character(struct cs_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

bool cs_check_text(struct cs_faults *faults, const struct cs_field *field, size_t min,
                   size_t max, struct cs_buf *out)
{
    size_t from = out->len;
    struct cs_view text;

    if (!is_kind(faults, field, '"', "a text"))
        return false;
    if (cs_json_decode_string(out, field->value, NULL) != CS_OK) {
        cs_faults_add(faults, field->pointer, "too_long", "at most %zu bytes are allowed",
                      max);
        return false;
    }
    text = cs_view_from(cs_buf_view(out), from);
    if (text.len < min || text.len > max)
        cs_faults_add(faults, field->pointer, text.len < min ? "too_short" : "too_long",
                      "the text has %zu bytes; %zu to %zu are allowed", text.len, min,
                      max);
    else if (has_control_character(text))
        cs_faults_add(faults, field->pointer, "control_character",
                      "control characters are not allowed here");
    else
        return true;
    return false;
}

bool cs_check_object(struct cs_faults *faults, const struct cs_field *field)
{
    return is_kind(faults, field, '{', "an object");
}

/* strtod needs a NUL; numbers as long as that are nobody's measurement. */
static bool read_number(struct cs_view value, double *out)
{
    char text[64];

    if (value.len >= sizeof(text))
        return false;
    memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    *out = strtod(text, NULL);
    return isfinite(*out);
}

bool cs_check_number(struct cs_faults *faults, const struct cs_field *field, double min,
                     double max, double *out)
{
    double value;

    if (!is_kind(faults, field, '0', "a number"))
        return false;
    if (!read_number(field->value, &value) || value < min || value > max) {
        cs_faults_add(faults, field->pointer, "out_of_range",
                      "this number must lie between %g and %g", min, max);
        return false;
    }
    *out = value;
    return true;
}

/* Also as 12.0 or 1e3, which are whole numbers to JSON Schema, and what some
 * languages write for one. */
static bool read_integer(struct cs_view value, uint64_t *out)
{
    double number;

    if (cs_view_to_u64(value, out))
        return true;
    if (!read_number(value, &number) || number < 0 || number > EXACT_MAX ||
        floor(number) != number)
        return false;
    *out = (uint64_t)number;
    return true;
}

bool cs_check_integer(struct cs_faults *faults, const struct cs_field *field,
                      uint64_t max, uint64_t *out)
{
    if (!is_kind(faults, field, '0', "a whole number"))
        return false;
    if (!read_integer(field->value, out) || *out > max) {
        cs_faults_add(faults, field->pointer, "out_of_range",
                      "this must be a whole number from 0 to %llu",
                      (unsigned long long)max);
        return false;
    }
    return true;
}

bool cs_check_time(struct cs_faults *faults, const struct cs_field *field,
                   int64_t *time_us_out)
{
    struct cs_buf text = CS_BUF_INIT(256);
    bool good = cs_check_text(faults, field, 1, 64, &text);

    if (good && cs_time_parse(time_us_out, cs_buf_view(&text), NULL) != CS_OK) {
        cs_faults_add(faults, field->pointer, "not_a_time",
                      "write the time as 2024-12-01T12:00:00Z (RFC 3339)");
        good = false;
    }
    cs_buf_clear(&text);
    return good;
}
