#include "config.h"

#include "aws/attribute.h"

#include "base/encoding.h"

#define DIGITS_MAX   38u
#define EXPONENT_MAX 125
#define EXPONENT_MIN (-130)
#define DEPTH_MAX    32u /* of nested lists and maps, as DynamoDB has it */

/* ---- numbers ---- */

struct number {
    size_t digits;    /* significant ones */
    int64_t exponent; /* of the first significant digit: d.ddd * 10^exponent */
    bool zero;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* text is a valid JSON number, whose exponent json/scan.h keeps below 5 digits. */
static struct number measure(struct cs_view text)
{
    struct number n = {.zero = true};
    size_t trailing = 0;
    int64_t before = 0; /* digits before the point, behind leading zeros */
    int64_t after = 0;  /* zeros behind the point before the first digit */
    bool point = false;
    int64_t exponent = 0;
    size_t i = 0;

    for (; i < text.len && text.ptr[i] != 'e' && text.ptr[i] != 'E'; i++) {
        char c = text.ptr[i];

        point = point || c == '.';
        if (!is_digit(c))
            continue;
        if (n.zero && c == '0') {
            after += point ? 1 : 0;
            continue;
        }
        n.zero = false;
        n.digits++;
        before += point ? 0 : 1;
        trailing = c == '0' ? trailing + 1 : 0;
    }
    if (i < text.len) {
        bool negative = i + 1 < text.len && text.ptr[i + 1] == '-';

        for (i++; i < text.len; i++)
            if (is_digit(text.ptr[i]) && exponent < 100000)
                exponent = exponent * 10 + (text.ptr[i] - '0');
        exponent = negative ? -exponent : exponent;
    }
    n.exponent = exponent + (before > 0 ? before - 1 : -after - 1);
    n.digits -= trailing;
    return n;
}

static enum cs_code check_number(struct cs_view text, struct cs_err *err)
{
    struct number n = measure(text);

    if (n.zero || (n.digits <= DIGITS_MAX && n.exponent <= EXPONENT_MAX &&
                   n.exponent >= EXPONENT_MIN))
        return CS_OK;
    return cs_err_set(
        err, CS_EINVAL,
        "the number %.*s can't be kept exactly: at most %u digits and an exponent "
        "from %d to %d",
        CS_FMT(text), DIGITS_MAX, EXPONENT_MIN, EXPONENT_MAX);
}

bool cs_attribute_keeps_number(struct cs_view text)
{
    struct cs_view digits =
        cs_view_starts(text, CS_LIT("-")) ? cs_view_from(text, 1) : text;
    size_t point = cs_view_find_byte(digits, '.');

    if (check_number(text, NULL) != CS_OK || cs_view_find_byte(text, 'e') != SIZE_MAX ||
        cs_view_find_byte(text, 'E') != SIZE_MAX)
        return false;
    if (measure(text).zero)
        return cs_view_eq(text, CS_LIT("0"));
    return point == SIZE_MAX || digits.ptr[digits.len - 1] != '0';
}

/* ---- plain JSON to attribute value ---- */

struct walk {
    struct cs_buf *out;
    struct cs_err *err;
    enum cs_code rc;
    bool first;
    unsigned depth;
};

static enum cs_code write_value(struct cs_buf *out, struct cs_view json, unsigned depth,
                                struct cs_err *err);

static bool on_element(void *payload, struct cs_view value)
{
    struct walk *walk = payload;

    if (!walk->first)
        cs_buf_add_byte(walk->out, ',');
    walk->first = false;
    walk->rc = write_value(walk->out, value, walk->depth, walk->err);
    return walk->rc == CS_OK;
}

static bool on_member(void *payload, struct cs_view name, struct cs_view value)
{
    struct walk *walk = payload;

    if (!walk->first)
        cs_buf_add_byte(walk->out, ',');
    walk->first = true; /* the value follows its name without a comma */
    cs_buf_add_byte(walk->out, '"');
    cs_buf_add(walk->out, name);
    cs_buf_add(walk->out, CS_LIT("\":"));
    return on_element(walk, value);
}

static enum cs_code write_value(struct cs_buf *out, struct cs_view json, unsigned depth,
                                struct cs_err *err)
{
    struct walk walk = {out, err, CS_OK, true, depth + 1};

    if (depth > DEPTH_MAX)
        return cs_err_set(err, CS_EINVAL, "more than %u lists and objects nested",
                          DEPTH_MAX);
    switch (cs_json_kind(json)) {
    case '{':
        cs_buf_add(out, CS_LIT("{\"M\":{"));
        cs_json_each_member(json, on_member, &walk);
        cs_buf_add(out, CS_LIT("}}"));
        return walk.rc;
    case '[':
        cs_buf_add(out, CS_LIT("{\"L\":["));
        cs_json_each_element(json, on_element, &walk);
        cs_buf_add(out, CS_LIT("]}"));
        return walk.rc;
    case '"':
        cs_buf_add(out, CS_LIT("{\"S\":"));
        cs_buf_add(out, json);
        break;
    case '0':
        cs_buf_add(out, CS_LIT("{\"N\":\""));
        cs_buf_add(out, json);
        cs_buf_add_byte(out, '"');
        walk.rc = check_number(json, err);
        break;
    case 't':
    case 'f':
        cs_buf_add(out, CS_LIT("{\"BOOL\":"));
        cs_buf_add(out, json);
        break;
    case 'n':
        cs_buf_add(out, CS_LIT("{\"NULL\":true"));
        break;
    default:
        return cs_err_set(err, CS_EINVAL, "not a JSON value");
    }
    cs_buf_add_byte(out, '}');
    return walk.rc;
}

enum cs_code cs_attribute_from_json(struct cs_buf *out, struct cs_view json,
                                    struct cs_err *err)
{
    enum cs_code rc = write_value(out, cs_view_trim(json), 0, err);

    return rc == CS_OK ? cs_buf_check(out, err) : rc;
}

/* ---- attribute value to plain JSON, or to itself ---- */

enum tag {
    TAG_S,
    TAG_N,
    TAG_B,
    TAG_BOOL,
    TAG_NULL,
    TAG_L,
    TAG_M,
    TAG_SS,
    TAG_NS,
    TAG_BS
};

static const struct {
    const char *name;
    enum cs_json_type type;
    bool number; /* texts that are numbers */
} tags[] = {
    [TAG_S] = {"S", CS_JSON_STRING, false},
    [TAG_N] = {"N", CS_JSON_STRING, true},
    [TAG_B] = {"B", CS_JSON_STRING, false},
    [TAG_BOOL] = {"BOOL", CS_JSON_BOOL, false},
    [TAG_NULL] = {"NULL", CS_JSON_BOOL, false},
    [TAG_L] = {"L", CS_JSON_ARRAY, false},
    [TAG_M] = {"M", CS_JSON_OBJECT, false},
    [TAG_SS] = {"SS", CS_JSON_ARRAY, false},
    [TAG_NS] = {"NS", CS_JSON_ARRAY, true},
    [TAG_BS] = {"BS", CS_JSON_ARRAY, false},
};

static enum cs_code malformed(struct cs_err *err)
{
    return cs_err_set(err, CS_EUPSTREAM,
                      "DynamoDB answered with a malformed attribute value");
}

/* One member alone, of a known name, with a value of its type. */
static enum cs_code find_tag(const struct cs_json *value, enum tag *tag_out,
                             const struct cs_json **inner_out, struct cs_err *err)
{
    struct cs_json_iter iter = {0};

    if (cs_json_type(value) != CS_JSON_OBJECT || cs_json_length(value) != 1 ||
        !cs_json_next(&iter, value))
        return malformed(err);
    for (size_t i = 0; i < CS_COUNT(tags); i++) {
        if (!cs_view_eq_cstr(iter.name, tags[i].name))
            continue;
        if (cs_json_type(iter.value) != tags[i].type)
            break;
        *tag_out = (enum tag)i;
        *inner_out = iter.value;
        return CS_OK;
    }
    return malformed(err);
}

/* JSON's own number syntax, to which the text is held before it is written bare. */
static bool is_number(struct cs_view text)
{
    return cs_json_kind(text) == '0' && cs_view_trim(text).len == text.len &&
           cs_json_validate(text, NULL, NULL) == CS_OK;
}

static enum cs_code read_value(struct cs_buf *out, const struct cs_json *value,
                               bool plain, unsigned depth, struct cs_err *err);

static enum cs_code read_text(struct cs_buf *out, const struct cs_json *inner,
                              bool number, bool plain, struct cs_err *err)
{
    struct cs_view text = cs_json_string(inner);

    if (text.ptr == NULL || (number && !is_number(text)))
        return malformed(err);
    if (number && plain)
        cs_buf_add(out, text);
    else
        cs_json_quote(out, text);
    return CS_OK;
}

static enum cs_code read_list(struct cs_buf *out, const struct cs_json *inner,
                              enum tag tag, bool plain, unsigned depth,
                              struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    cs_buf_add_byte(out, '[');
    for (size_t i = 0; i < cs_json_length(inner) && rc == CS_OK; i++) {
        if (i > 0)
            cs_buf_add_byte(out, ',');
        rc = tag == TAG_L
                 ? read_value(out, cs_json_at(inner, i), plain, depth + 1, err)
                 : read_text(out, cs_json_at(inner, i), tags[tag].number, plain, err);
    }
    cs_buf_add_byte(out, ']');
    return rc;
}

static enum cs_code read_map(struct cs_buf *out, const struct cs_json *inner, bool plain,
                             unsigned depth, struct cs_err *err)
{
    struct cs_json_iter iter = {0};
    enum cs_code rc = CS_OK;
    bool first = true;

    cs_buf_add_byte(out, '{');
    while (rc == CS_OK && cs_json_next(&iter, inner)) {
        if (!first)
            cs_buf_add_byte(out, ',');
        first = false;
        cs_json_quote(out, iter.name);
        cs_buf_add_byte(out, ':');
        rc = read_value(out, iter.value, plain, depth + 1, err);
    }
    cs_buf_add_byte(out, '}');
    return rc;
}

static enum cs_code read_inner(struct cs_buf *out, const struct cs_json *inner,
                               enum tag tag, bool plain, unsigned depth,
                               struct cs_err *err)
{
    switch (tag) {
    case TAG_S:
    case TAG_N:
    case TAG_B:
        return read_text(out, inner, tags[tag].number, plain, err);
    case TAG_BOOL:
        cs_buf_add(out, cs_json_bool(inner, false) ? CS_LIT("true") : CS_LIT("false"));
        return CS_OK;
    case TAG_NULL:
        cs_buf_add(out, plain ? CS_LIT("null") : CS_LIT("true"));
        return CS_OK;
    case TAG_M:
        return read_map(out, inner, plain, depth, err);
    default:
        return read_list(out, inner, tag, plain, depth, err);
    }
}

static enum cs_code read_value(struct cs_buf *out, const struct cs_json *value,
                               bool plain, unsigned depth, struct cs_err *err)
{
    const struct cs_json *inner = NULL;
    enum tag tag = TAG_NULL;
    enum cs_code rc;

    if (depth > CS_JSON_MAX_DEPTH)
        return malformed(err);
    if ((rc = find_tag(value, &tag, &inner, err)) != CS_OK)
        return rc;
    if (!plain) {
        cs_buf_add(out, CS_LIT("{\""));
        cs_buf_add_cstr(out, tags[tag].name);
        cs_buf_add(out, CS_LIT("\":"));
    }
    rc = read_inner(out, inner, tag, plain, depth, err);
    if (!plain)
        cs_buf_add_byte(out, '}');
    return rc;
}

enum cs_code cs_attribute_to_json(struct cs_buf *out, const struct cs_json *value,
                                  struct cs_err *err)
{
    enum cs_code rc = read_value(out, value, true, 0, err);

    return rc == CS_OK ? cs_buf_check(out, err) : rc;
}

enum cs_code cs_attribute_rewrite(struct cs_buf *out, const struct cs_json *value,
                                  struct cs_err *err)
{
    enum cs_code rc = read_value(out, value, false, 0, err);

    return rc == CS_OK ? cs_buf_check(out, err) : rc;
}

/* ---- items ---- */

struct cs_view cs_item_text(const struct cs_json *item, const char *name)
{
    return cs_json_get_string(cs_json_get(item, name), "S");
}

bool cs_attribute_integer(struct cs_view text, int64_t *out)
{
    bool negative = cs_view_starts(text, CS_LIT("-"));
    uint64_t value;

    if (!cs_view_to_u64(negative ? cs_view_from(text, 1) : text, &value) ||
        value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool cs_item_integer(const struct cs_json *item, const char *name, int64_t *out)
{
    return cs_attribute_integer(cs_json_get_string(cs_json_get(item, name), "N"), out);
}

void cs_item_add_text(struct cs_json_writer *w, const char *name, struct cs_view text)
{
    cs_json_key(w, name);
    cs_json_object(w);
    cs_json_member_str(w, "S", text);
    cs_json_object_end(w);
}

void cs_item_add_integer(struct cs_json_writer *w, const char *name, int64_t value)
{
    cs_json_key(w, name);
    cs_json_object(w);
    cs_json_key(w, "N");
    cs_buf_add_byte(w->out, '"');
    cs_buf_add_i64(w->out, value);
    cs_buf_add_byte(w->out, '"');
    cs_json_object_end(w);
}

void cs_item_add_binary(struct cs_json_writer *w, const char *name, struct cs_view bytes)
{
    cs_json_key(w, name);
    cs_json_object(w);
    cs_json_key(w, "B");
    cs_buf_add_byte(w->out, '"');
    cs_base64_encode(w->out, bytes);
    cs_buf_add_byte(w->out, '"');
    cs_json_object_end(w);
}
