#include "config.h"

#include "json/write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "json/plain.h"

void cs_json_writer_init(struct cs_json_writer *writer, struct cs_buf *out)
{
    *writer = (struct cs_json_writer){.out = out, .comma = false};
}

static void before_value(struct cs_json_writer *writer)
{
    if (writer->comma)
        cs_buf_add_byte(writer->out, ',');
    writer->comma = true;
}

static void open_container(struct cs_json_writer *writer, char bracket)
{
    before_value(writer);
    cs_buf_add_byte(writer->out, bracket);
    writer->comma = false;
}

static void close_container(struct cs_json_writer *writer, char bracket)
{
    cs_buf_add_byte(writer->out, bracket);
    writer->comma = true;
}

void cs_json_object(struct cs_json_writer *writer)
{
    open_container(writer, '{');
}

void cs_json_object_end(struct cs_json_writer *writer)
{
    close_container(writer, '}');
}

void cs_json_array(struct cs_json_writer *writer)
{
    open_container(writer, '[');
}

void cs_json_array_end(struct cs_json_writer *writer)
{
    close_container(writer, ']');
}

void cs_json_key(struct cs_json_writer *writer, const char *name)
{
    cs_json_key_view(writer, cs_view_cstr(name));
}

void cs_json_key_view(struct cs_json_writer *writer, struct cs_view name)
{
    before_value(writer);
    cs_json_quote(writer->out, name);
    cs_buf_add_byte(writer->out, ':');
    writer->comma = false;
}

static void add_escaped(struct cs_buf *out, unsigned char c)
{
    static const char named[] = "\b\t\n\f\r\"\\";
    static const char letters[] = "btnfr\"\\";
    const char *hit = c == 0 ? NULL : strchr(named, c);

    if (hit != NULL) {
        cs_buf_add_byte(out, '\\');
        cs_buf_add_byte(out, letters[hit - named]);
    } else {
        cs_buf_add_fmt(out, "\\u%04x", c);
    }
}

/* A text that needs no escapes. */
static void quote_plain(struct cs_buf *out, struct cs_view text)
{
    char *to = cs_buf_room(out, text.len + 2); /* the text is there: no overflow */

    if (to == NULL)
        return;
    to[0] = '"';
    memcpy(to + 1, text.ptr, text.len);
    to[text.len + 1] = '"';
    cs_buf_grew(out, text.len + 2);
}

void cs_json_quote(struct cs_buf *out, struct cs_view text)
{
    if (text.len > 0 &&
        cs_json_pass_plain(text.ptr, text.ptr + text.len) == text.ptr + text.len) {
        quote_plain(out, text);
        return;
    }
    cs_buf_add_byte(out, '"');
    while (text.len > 0) {
        struct cs_view rest = text;
        uint32_t code_point;
        size_t plain =
            (size_t)(cs_json_pass_plain(text.ptr, text.ptr + text.len) - text.ptr);

        cs_buf_add(out, cs_view_of(text.ptr, plain));
        text = rest = cs_view_from(text, plain);
        if (text.len == 0)
            break;
        if ((unsigned char)text.ptr[0] < 0x80) {
            add_escaped(out, (unsigned char)text.ptr[0]);
            text = cs_view_from(text, 1);
        } else if (cs_utf8_next(&rest, &code_point)) {
            cs_buf_add(out, cs_view_of(text.ptr, text.len - rest.len));
            text = rest;
        } else {
            cs_utf8_add(out, 0xfffd);
            text = cs_view_from(text, 1);
        }
    }
    cs_buf_add_byte(out, '"');
}

void cs_json_str(struct cs_json_writer *writer, struct cs_view text)
{
    if (text.ptr == NULL) {
        cs_json_null(writer);
        return;
    }
    before_value(writer);
    cs_json_quote(writer->out, text);
}

void cs_json_cstr(struct cs_json_writer *writer, const char *text)
{
    cs_json_str(writer, cs_view_cstr(text));
}

void cs_json_u64(struct cs_json_writer *writer, uint64_t value)
{
    before_value(writer);
    cs_buf_add_u64(writer->out, value);
}

void cs_json_i64(struct cs_json_writer *writer, int64_t value)
{
    before_value(writer);
    cs_buf_add_i64(writer->out, value);
}

void cs_json_boolean(struct cs_json_writer *writer, bool value)
{
    cs_json_raw(writer, value ? CS_LIT("true") : CS_LIT("false"));
}

void cs_json_null(struct cs_json_writer *writer)
{
    cs_json_raw(writer, CS_LIT("null"));
}

void cs_json_double(struct cs_json_writer *writer, double value)
{
    char text[40];

    if (!isfinite(value)) {
        cs_json_null(writer);
        return;
    }
    /* 17 digits always read back as the same double; fewer often do. */
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    cs_json_raw(writer, cs_view_cstr(text));
}

void cs_json_raw(struct cs_json_writer *writer, struct cs_view json)
{
    before_value(writer);
    cs_buf_add(writer->out, json.len > 0 ? json : CS_LIT("null"));
}

void cs_json_member_str(struct cs_json_writer *writer, const char *name,
                        struct cs_view text)
{
    cs_json_key(writer, name);
    cs_json_str(writer, text);
}

void cs_json_member_cstr(struct cs_json_writer *writer, const char *name,
                         const char *text)
{
    cs_json_key(writer, name);
    cs_json_cstr(writer, text);
}

void cs_json_member_raw(struct cs_json_writer *writer, const char *name,
                        struct cs_view json)
{
    cs_json_key(writer, name);
    cs_json_raw(writer, json);
}

void cs_json_member_as_written(struct cs_json_writer *writer, struct cs_view name,
                               struct cs_view json)
{
    before_value(writer);
    cs_buf_add_byte(writer->out, '"');
    cs_buf_add(writer->out, name);
    cs_buf_add(writer->out, CS_LIT("\":"));
    writer->comma = false;
    cs_json_raw(writer, json);
}

void cs_json_member_u64(struct cs_json_writer *writer, const char *name, uint64_t value)
{
    cs_json_key(writer, name);
    cs_json_u64(writer, value);
}

void cs_json_quote_time(struct cs_buf *out, int64_t time_us)
{
    char text[CS_TIME_TEXT_LEN + 1];

    cs_time_text(text, time_us);
    cs_json_quote(out, cs_view_cstr(text));
}

void cs_json_member_bool(struct cs_json_writer *writer, const char *name, bool value)
{
    cs_json_key(writer, name);
    cs_json_boolean(writer, value);
}

void cs_json_member_time(struct cs_json_writer *writer, const char *name, int64_t time_us)
{
    char text[CS_TIME_TEXT_LEN + 1];

    cs_time_text(text, time_us);
    cs_json_member_cstr(writer, name, text);
}
