/* json/tree.h: JSON text as a tree to walk, over json-c. Objects keep the order
 * of their members. Everything but the root is borrowed from the root. */
#ifndef CS_JSON_TREE_H
#define CS_JSON_TREE_H

#include "json/scan.h"

struct cs_json; /* a node; NULL stands for JSON null and for "not there" */

enum cs_json_type {
    CS_JSON_NULL,
    CS_JSON_BOOL,
    CS_JSON_NUMBER,
    CS_JSON_STRING,
    CS_JSON_ARRAY,
    CS_JSON_OBJECT
};

/* Validates as cs_json_validate() does, then builds the tree. *root_out is
 * freed by cs_json_free(); it is NULL for the text `null` and on failure.
 * Integers that fit neither int64 nor uint64 become strings of their digits,
 * so that no digit is lost. */
enum cs_code cs_json_parse(struct cs_json **root_out, struct cs_view text,
                           const struct cs_json_limits *limits,
                           struct cs_err *err) CS_MUST_USE;
void cs_json_free(struct cs_json *root);

enum cs_json_type cs_json_type(const struct cs_json *node);

/* Member of an object; NULL when the node is no object or has none (or null). */
const struct cs_json *cs_json_get(const struct cs_json *object, const char *name);
bool cs_json_has(const struct cs_json *object, const char *name);

/* Elements of an array or members of an object; 0 for the rest. */
size_t cs_json_length(const struct cs_json *node);
const struct cs_json *cs_json_at(const struct cs_json *array, size_t index);

/* Walks an object: start with {0}; false at the end. */
struct cs_json_iter {
    const struct cs_json *object;
    void *next;
    bool started;
    struct cs_view name;
    const struct cs_json *value;
};
bool cs_json_next(struct cs_json_iter *iter, const struct cs_json *object);

/* The text of a string; .ptr NULL for other kinds. May hold NUL bytes. */
struct cs_view cs_json_string(const struct cs_json *node);
struct cs_view cs_json_get_string(const struct cs_json *object, const char *name);

/* The number as it was written ("200.50"), borrowed; .ptr NULL for other kinds. */
struct cs_view cs_json_number_text(const struct cs_json *node);
double cs_json_number(const struct cs_json *node, double fallback);
bool cs_json_bool(const struct cs_json *node, bool fallback);

/* An integer within int64; false for fractions, other kinds and out of range. */
bool cs_json_integer(const struct cs_json *node, int64_t *out);

/* The node as JSON text, appended. */
void cs_json_write_node(struct cs_buf *out, const struct cs_json *node);

#endif
