#include "config.h"

#include "json/tree.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>

/* struct cs_json is json-c's object under a name of ours, so that no other room
 * depends on the library. */
static struct json_object *inner(const struct cs_json *node)
{
    return (struct json_object *)(uintptr_t)node;
}

static struct cs_json *outer(struct json_object *object)
{
    return (struct cs_json *)object;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

#define PAIR_LEN 12u /* \ud83d\ude00 */

/* Writes a character that was written as two escapes as itself; false for
 * anything else. The library takes some of them (those whose lower 16 bits look
 * like a surrogate, U+1D800 for one) for halves of pairs, and replaces them. */
static bool add_pair(struct cs_buf *out, struct cs_view rest)
{
    if (rest.len < PAIR_LEN || rest.ptr[1] != 'u' ||
        (rest.ptr[2] != 'd' && rest.ptr[2] != 'D') ||
        strchr("89abAB", rest.ptr[3]) == NULL)
        return false;
    cs_json_unescape(out, cs_view_sub(rest, 0, PAIR_LEN));
    return true;
}

/* Writes the text so that the library keeps what is in it: quotes around the
 * integers that 64 bits can't hold, so that they are read as text with every
 * digit, and no escaped pairs. text is valid JSON. */
static void adapt(struct cs_buf *out, struct cs_view text)
{
    bool in_string = false;
    size_t i = 0;

    while (i < text.len) {
        char c = text.ptr[i];
        size_t from = i;
        size_t digits_from;

        if (in_string && c == '\\' && add_pair(out, cs_view_from(text, i))) {
            i += PAIR_LEN;
            continue;
        }
        if (in_string || (c != '-' && !is_digit(c))) {
            if (c == '"')
                in_string = !in_string;
            i += in_string && c == '\\' ? 2 : 1;
            cs_buf_add(out, cs_view_sub(text, from, i - from));
            continue;
        }
        digits_from = c == '-' ? ++i : i;
        while (i < text.len && is_digit(text.ptr[i]))
            i++;
        if (i - digits_from > 18 &&
            (i == text.len || strchr(".eE", text.ptr[i]) == NULL)) {
            cs_buf_add_byte(out, '"');
            cs_buf_add(out, cs_view_sub(text, from, i - from));
            cs_buf_add_byte(out, '"');
        } else {
            while (i < text.len &&
                   (is_digit(text.ptr[i]) || strchr("+-.eE", text.ptr[i])))
                i++;
            cs_buf_add(out, cs_view_sub(text, from, i - from));
        }
    }
}

static enum cs_code build_tree(struct cs_json **root_out, struct cs_view text,
                               size_t max_depth, struct cs_err *err)
{
    struct json_tokener *tokener;
    struct json_object *root;
    enum json_tokener_error error;

    if (text.len > INT_MAX)
        return cs_err_set(err, CS_ETOOBIG, "JSON of more than 2 GiB");
    /* One more level than was validated: the library counts the scalar too. Its own
     * strictness stays off: the text was checked, and json-c 0.18 takes every
     * character beyond ASCII for a control character then. */
    tokener = json_tokener_new_ex((int)max_depth + 2);
    if (tokener == NULL)
        return cs_err_nomem(err);
    root = json_tokener_parse_ex(tokener, text.ptr, (int)text.len);
    error = json_tokener_get_error(tokener);
    /* A bare number at the end of the text could go on: tell that it does not. */
    if (error == json_tokener_continue) {
        root = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
    }
    json_tokener_free(tokener);
    if (error != json_tokener_success) {
        json_object_put(root);
        return error == json_tokener_error_size
                   ? cs_err_nomem(err)
                   : cs_err_field(err, CS_EINVAL, "", "json_invalid",
                                  "the JSON can't be read: %s",
                                  json_tokener_error_desc(error));
    }
    *root_out = outer(root);
    return CS_OK;
}

/* Adds up what the tree holds, to be compared with what the text held. */
static void count(struct cs_json_facts *facts, const struct cs_json *node)
{
    struct cs_json_iter iter = {.object = NULL};
    size_t length = cs_json_length(node);

    facts->values += node != NULL ? 1 : 0;
    facts->string_bytes += cs_json_string(node).len;
    if (cs_json_type(node) == CS_JSON_OBJECT) {
        while (cs_json_next(&iter, node)) {
            facts->string_bytes += iter.name.len;
            count(facts, iter.value);
        }
        return;
    }
    for (size_t i = 0; i < length; i++)
        count(facts, cs_json_at(node, i));
}

/* The library gives no error when it finds no memory for a string or a member, but
 * a tree without them. The depth is bounded: the text was examined. */
static enum cs_code check_whole(const struct cs_json *root,
                                const struct cs_json_facts *text, struct cs_err *err)
{
    struct cs_json_facts tree = {.values = 0};

    count(&tree, root);
    return tree.values == text->values && tree.string_bytes == text->string_bytes
               ? CS_OK
               : cs_err_nomem(err);
}

enum cs_code cs_json_parse(struct cs_json **root_out, struct cs_view text,
                           const struct cs_json_limits *limits, struct cs_err *err)
{
    size_t max_depth =
        limits != NULL && limits->max_depth > 0 ? limits->max_depth : CS_JSON_MAX_DEPTH;
    struct cs_buf adapted = CS_BUF_INIT(SIZE_MAX / 4);
    struct cs_json_facts facts;
    enum cs_code rc;

    *root_out = NULL;
    if ((rc = cs_json_examine(text, limits, &facts, err)) != CS_OK)
        return rc;
    if (facts.wide_integer || facts.escaped_pair) {
        adapt(&adapted, text);
        if ((rc = cs_buf_check(&adapted, err)) != CS_OK)
            goto out;
        text = cs_buf_view(&adapted);
        if ((rc = cs_json_examine(text, limits, &facts, err)) != CS_OK)
            goto out;
    }
    if ((rc = build_tree(root_out, text, max_depth, err)) != CS_OK)
        goto out;
    rc = check_whole(*root_out, &facts, err);
    if (rc != CS_OK) {
        cs_json_free(*root_out);
        *root_out = NULL;
    }
out:
    cs_buf_clear(&adapted);
    return rc;
}

void cs_json_free(struct cs_json *root)
{
    json_object_put(inner(root));
}

enum cs_json_type cs_json_type(const struct cs_json *node)
{
    switch (json_object_get_type(inner(node))) {
    case json_type_boolean:
        return CS_JSON_BOOL;
    case json_type_int:
    case json_type_double:
        return CS_JSON_NUMBER;
    case json_type_string:
        return CS_JSON_STRING;
    case json_type_array:
        return CS_JSON_ARRAY;
    case json_type_object:
        return CS_JSON_OBJECT;
    case json_type_null:
        break;
    }
    return CS_JSON_NULL;
}

const struct cs_json *cs_json_get(const struct cs_json *object, const char *name)
{
    struct json_object *value = NULL;

    if (cs_json_type(object) != CS_JSON_OBJECT ||
        !json_object_object_get_ex(inner(object), name, &value))
        return NULL;
    return outer(value);
}

bool cs_json_has(const struct cs_json *object, const char *name)
{
    return cs_json_type(object) == CS_JSON_OBJECT &&
           json_object_object_get_ex(inner(object), name, NULL);
}

size_t cs_json_length(const struct cs_json *node)
{
    switch (cs_json_type(node)) {
    case CS_JSON_ARRAY:
        return json_object_array_length(inner(node));
    case CS_JSON_OBJECT:
        return (size_t)json_object_object_length(inner(node));
    default:
        return 0;
    }
}

const struct cs_json *cs_json_at(const struct cs_json *array, size_t index)
{
    if (cs_json_type(array) != CS_JSON_ARRAY || index >= cs_json_length(array))
        return NULL;
    return outer(json_object_array_get_idx(inner(array), index));
}

bool cs_json_next(struct cs_json_iter *iter, const struct cs_json *object)
{
    struct lh_entry *entry;

    if (!iter->started) {
        iter->started = true;
        iter->object = object;
        iter->next = cs_json_type(object) == CS_JSON_OBJECT
                         ? json_object_get_object(inner(object))->head
                         : NULL;
    }
    entry = iter->next;
    if (entry == NULL)
        return false;
    iter->name = cs_view_cstr(lh_entry_k(entry));
    iter->value = outer(lh_entry_v(entry));
    iter->next = entry->next;
    return true;
}

struct cs_view cs_json_string(const struct cs_json *node)
{
    if (cs_json_type(node) != CS_JSON_STRING)
        return cs_view_of(NULL, 0);
    return cs_view_of(json_object_get_string(inner(node)),
                      (size_t)json_object_get_string_len(inner(node)));
}

struct cs_view cs_json_get_string(const struct cs_json *object, const char *name)
{
    return cs_json_string(cs_json_get(object, name));
}

struct cs_view cs_json_number_text(const struct cs_json *node)
{
    if (cs_json_type(node) != CS_JSON_NUMBER)
        return cs_view_of(NULL, 0);
    /* The library keeps the source text of fractions; integers print as written. */
    return cs_view_cstr(
        json_object_to_json_string_ext(inner(node), JSON_C_TO_STRING_PLAIN));
}

double cs_json_number(const struct cs_json *node, double fallback)
{
    return cs_json_type(node) == CS_JSON_NUMBER ? json_object_get_double(inner(node))
                                                : fallback;
}

bool cs_json_bool(const struct cs_json *node, bool fallback)
{
    return cs_json_type(node) == CS_JSON_BOOL ? json_object_get_boolean(inner(node))
                                              : fallback;
}

bool cs_json_integer(const struct cs_json *node, int64_t *out)
{
    struct cs_view text = cs_json_number_text(node);
    bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t magnitude;

    if (!cs_view_to_u64(negative ? cs_view_from(text, 1) : text, &magnitude) ||
        magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

void cs_json_write_node(struct cs_buf *out, const struct cs_json *node)
{
    size_t len = 0;
    const char *text = json_object_to_json_string_length(
        inner(node), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

    if (text == NULL)
        out->failed = CS_ENOMEM;
    else
        cs_buf_add(out, cs_view_of(text, len));
}
