/* json/scan.h: strict validation of JSON text (RFC 8259, UTF-8 without BOM) in
 * one pass, without building a tree. What a client sends is checked here first,
 * and what must be kept byte for byte is cut out of the text here, since a tree
 * has forgotten how a number or a string was written. */
#ifndef CS_JSON_SCAN_H
#define CS_JSON_SCAN_H

#include "base/buf.h"

struct cs_json_limits {
    size_t max_depth; /* nested arrays and objects; 0: CS_JSON_MAX_DEPTH */
};

#define CS_JSON_MAX_DEPTH 128u

/* What a valid text turned out to hold. */
struct cs_json_facts {
    bool wide_integer;   /* an integer of more than 18 digits, beyond 64 bits perhaps */
    bool escaped_pair;   /* a character written as two escapes (\ud83d\ude00) */
    size_t values;       /* all but null */
    size_t string_bytes; /* of all strings and names, decoded */
};

/* CS_OK for one valid JSON value with nothing but white space around it.
 * Duplicate names within one object are refused, as are lone surrogates in
 * escapes, and numbers beyond what any reader keeps (an exponent over 4 digits).
 * CS_EINVAL names line, column and cause, reason is "json_invalid". */
enum cs_code cs_json_validate(struct cs_view text, const struct cs_json_limits *limits,
                              struct cs_err *err) CS_MUST_USE;

/* The same; *facts is set when CS_OK. */
enum cs_code cs_json_examine(struct cs_view text, const struct cs_json_limits *limits,
                             struct cs_json_facts *facts, struct cs_err *err) CS_MUST_USE;

/* ---- the rest takes text that was found valid ---- */

/* A walk over a text with what it nests, in one go: *rest is what is left of it.
 *
 *     while (cs_json_walk_member(&rest, &name))
 *         value = cs_json_walk_value(&rest);
 *
 * From the opening bracket, or from behind a value, they step to the next member's
 * value (its name as written between the quotes) or to the next element; false where
 * there is none: then *rest is behind the closing bracket, or has not moved because
 * neither the one nor the other is there. What they step to is taken by
 * cs_json_walk_value(), without white space around it, or is walked through itself. */
bool cs_json_walk_member(struct cs_view *rest, struct cs_view *name_out);
bool cs_json_walk_element(struct cs_view *rest);
struct cs_view cs_json_walk_value(struct cs_view *rest);

/* Steps to the value of one member of the object that *rest starts with; false where
 * there is none. */
bool cs_json_walk_to(struct cs_view *rest, const char *name);

/* Calls back for each member of the object that `text` holds, in order, with
 * the name as written between its quotes (escapes not decoded) and the value's
 * exact bytes, without white space around them. Stops early when the callback
 * returns false; does nothing when text holds no object. */
typedef bool cs_json_member_fn(void *payload, struct cs_view name, struct cs_view value);
void cs_json_each_member(struct cs_view text, cs_json_member_fn *callback, void *payload);

/* The same for the elements of an array. */
typedef bool cs_json_element_fn(void *payload, struct cs_view value);
void cs_json_each_element(struct cs_view text, cs_json_element_fn *callback,
                          void *payload);

/* The exact bytes of one member's value of the object in `text`. ptr is NULL
 * when `text` is no object or has no such member. */
struct cs_view cs_json_slice(struct cs_view text, const char *name);

/* Whether a name as written between its quotes means `wanted`, escapes decoded. */
bool cs_json_name_is(struct cs_view written, struct cs_view wanted);

/* First byte of a value tells its kind: '{' '[' '"' 't' 'f' 'n', '0' for numbers;
 * '\0' for nothing. */
char cs_json_kind(struct cs_view value);

/* Decodes the escapes of what stands between the quotes of a string, appended. */
void cs_json_unescape(struct cs_buf *out, struct cs_view inside);

/* The decoded text of a JSON string value ("..." with quotes), appended to out.
 * CS_EINVAL when the value is no string. */
enum cs_code cs_json_decode_string(struct cs_buf *out, struct cs_view value,
                                   struct cs_err *err) CS_MUST_USE;

/* Appends the decoded text of member `name`; false when it is missing or no
 * string, or out has failed. */
bool cs_json_slice_string(struct cs_buf *out, struct cs_view text, const char *name);

#endif
