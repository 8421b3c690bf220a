/* json/write.h: JSON text written straight into a buffer; commas by themselves.
 *
 *   struct cs_json_writer w;
 *   cs_json_writer_init(&w, &buf);
 *   cs_json_object(&w);
 *   cs_json_key(&w, "status"); cs_json_str(&w, status);
 *   cs_json_object_end(&w);
 *   return cs_buf_check(&buf, err);
 */
#ifndef CS_JSON_WRITE_H
#define CS_JSON_WRITE_H

#include "base/buf.h"

struct cs_json_writer {
    struct cs_buf *out;
    bool comma; /* the next value or key needs one before it */
};

void cs_json_writer_init(struct cs_json_writer *writer, struct cs_buf *out);

void cs_json_object(struct cs_json_writer *writer);
void cs_json_object_end(struct cs_json_writer *writer);
void cs_json_array(struct cs_json_writer *writer);
void cs_json_array_end(struct cs_json_writer *writer);

void cs_json_key(struct cs_json_writer *writer, const char *name);
void cs_json_key_view(struct cs_json_writer *writer, struct cs_view name);

/* A string; .ptr NULL writes null. Bytes that are not UTF-8 become U+FFFD. */
void cs_json_str(struct cs_json_writer *writer, struct cs_view text);
void cs_json_cstr(struct cs_json_writer *writer, const char *text);
void cs_json_u64(struct cs_json_writer *writer, uint64_t value);
void cs_json_i64(struct cs_json_writer *writer, int64_t value);
void cs_json_boolean(struct cs_json_writer *writer, bool value);
void cs_json_null(struct cs_json_writer *writer);

/* The shortest decimal that reads back as the same double; null when not finite. */
void cs_json_double(struct cs_json_writer *writer, double value);

/* Text that is valid JSON already; empty writes null. */
void cs_json_raw(struct cs_json_writer *writer, struct cs_view json);

/* Key and value in one. */
void cs_json_member_str(struct cs_json_writer *writer, const char *name,
                        struct cs_view text);
void cs_json_member_cstr(struct cs_json_writer *writer, const char *name,
                         const char *text);
void cs_json_member_raw(struct cs_json_writer *writer, const char *name,
                        struct cs_view json);

/* A member as cs_json_each_member() gives it: the name as written between its quotes,
 * escapes and all. */
void cs_json_member_as_written(struct cs_json_writer *writer, struct cs_view name,
                               struct cs_view json);

void cs_json_member_u64(struct cs_json_writer *writer, const char *name, uint64_t value);
void cs_json_member_bool(struct cs_json_writer *writer, const char *name, bool value);
void cs_json_member_time(struct cs_json_writer *writer, const char *name,
                         int64_t time_us);

/* A bare JSON string with quotes, without a writer. */
void cs_json_quote(struct cs_buf *out, struct cs_view text);

/* A time as a bare JSON string, in the form of cs_time_text(). */
void cs_json_quote_time(struct cs_buf *out, int64_t time_us);

#endif
