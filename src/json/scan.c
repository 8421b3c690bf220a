#include "config.h"

#include "json/scan.h"

#include "base/encoding.h"
#include "json/names.h"
#include "json/plain.h"

#define WIDE_DIGITS 18u /* integers up to here fit 64 bits */

struct scanner {
    struct cs_view text;
    const char *at, *end; /* the cursor, and the end of the text */
    size_t depth;
    size_t max_depth;
    struct cs_json_names names;
    struct cs_json_facts facts;
    struct cs_err *err;
};

static enum cs_code scan_value(struct scanner *s);

static enum cs_code fault(struct scanner *s, const char *cause)
{
    size_t line = 1;
    size_t column = 1;

    for (const char *at = s->text.ptr; at < s->at; at++) {
        column = *at == '\n' ? 1 : column + 1;
        line += *at == '\n' ? 1 : 0;
    }
    return cs_err_field(s->err, CS_EINVAL, "", "json_invalid",
                        "the JSON is not valid at line %zu, column %zu: %s", line, column,
                        cause);
}

/* The byte at the cursor, '\0' at the end (a NUL in the text is no token either). */
static char peek(const struct scanner *s)
{
    return s->at < s->end ? *s->at : '\0';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(struct scanner *s)
{
    while (s->at < s->end && is_space(*s->at))
        s->at++;
}

/* What is left of the text. */
static struct cs_view left(const struct scanner *s)
{
    return cs_view_of(s->at, (size_t)(s->end - s->at));
}

static size_t skip_digits(struct scanner *s)
{
    const char *from = s->at;

    while (is_digit(peek(s)))
        s->at++;
    return (size_t)(s->at - from);
}

static enum cs_code scan_fraction(struct scanner *s)
{
    s->at++;
    return skip_digits(s) == 0 ? fault(s, "a digit must follow the decimal point")
                               : CS_OK;
}

static enum cs_code scan_exponent(struct scanner *s)
{
    size_t digits;

    s->at++;
    if (peek(s) == '+' || peek(s) == '-')
        s->at++;
    digits = skip_digits(s);
    if (digits == 0)
        return fault(s, "a digit must follow the exponent's e");
    if (digits > 4)
        return fault(s, "the exponent has more than 4 digits, which no reader keeps");
    return CS_OK;
}

static enum cs_code scan_number(struct scanner *s)
{
    enum cs_code rc = CS_OK;
    size_t digits;

    if (peek(s) == '-')
        s->at++;
    digits = skip_digits(s);
    if (digits == 0)
        return fault(s, "a number needs a digit here");
    if (digits > 1 && s->at[-(ptrdiff_t)digits] == '0')
        return fault(s, "a number may not begin with 0");
    if (peek(s) == '.')
        rc = scan_fraction(s);
    else if (digits > WIDE_DIGITS)
        s->facts.wide_integer = true;
    if (rc == CS_OK && (peek(s) == 'e' || peek(s) == 'E'))
        rc = scan_exponent(s);
    return rc;
}

/* Four hex digits of "\u". */
static bool take_unit(struct cs_view text, size_t at, unsigned *out)
{
    uint8_t bytes[2];

    if (!cs_hex_decode(bytes, 2, cs_view_sub(text, at, 4)))
        return false;
    *out = (unsigned)bytes[0] << 8 | bytes[1];
    return true;
}

static bool is_high_surrogate(unsigned unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low_surrogate(unsigned unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* The cursor stands behind the backslash. */
static enum cs_code scan_escape(struct scanner *s)
{
    char c = peek(s);
    unsigned unit;
    unsigned low;

    s->at += s->at < s->end ? 1 : 0;
    s->facts.string_bytes++;
    if (c == '"' || (c != '\0' && strchr("\\/bfnrt", c) != NULL))
        return CS_OK;
    if (c != 'u')
        return fault(s, "unknown escape in a string");
    if (!take_unit(left(s), 0, &unit))
        return fault(s, "four hex digits must follow \\u");
    s->at += 4;
    if (is_low_surrogate(unit))
        return fault(s, "a low surrogate without the high one before it");
    s->facts.string_bytes += unit < 0x80 ? 0 : unit < 0x800 ? 1 : 2;
    if (!is_high_surrogate(unit))
        return CS_OK;
    if (!cs_view_starts(left(s), CS_LIT("\\u")) || !take_unit(left(s), 2, &low) ||
        !is_low_surrogate(low))
        return fault(s, "a high surrogate without the low one behind it");
    s->at += 6;
    s->facts.string_bytes++; /* four bytes for the pair */
    s->facts.escaped_pair = true;
    return CS_OK;
}

/* One character that is not ASCII. */
static enum cs_code scan_wide(struct scanner *s)
{
    struct cs_view rest = left(s);
    uint32_t code_point;

    if (!cs_utf8_next(&rest, &code_point))
        return fault(s, "the text is not UTF-8");
    s->facts.string_bytes += (size_t)(rest.ptr - s->at);
    s->at = rest.ptr;
    return CS_OK;
}

static void pass_plain(struct scanner *s)
{
    const char *behind = cs_json_pass_plain(s->at, s->end);

    s->facts.string_bytes += (size_t)(behind - s->at);
    s->at = behind;
}

/* The cursor stands on the opening quote; *inside_out is what is between the quotes. */
static enum cs_code scan_string(struct scanner *s, struct cs_view *inside_out,
                                bool *escaped_out)
{
    const char *from = ++s->at;
    enum cs_code rc = CS_OK;

    *escaped_out = false;
    while (rc == CS_OK) {
        unsigned char c;

        pass_plain(s);
        if (s->at == s->end)
            break;
        c = (unsigned char)*s->at;
        if (c == '"') {
            *inside_out = cs_view_of(from, (size_t)(s->at - from));
            s->at++;
            return CS_OK;
        }
        if (c < 0x20)
            return fault(s, "a control character in a string must be escaped");
        if (c == '\\') {
            *escaped_out = true;
            s->at++;
            rc = scan_escape(s);
        } else {
            rc = scan_wide(s);
        }
    }
    return rc != CS_OK ? rc : fault(s, "a string is not closed");
}

static enum cs_code scan_word(struct scanner *s, struct cs_view word)
{
    if (!cs_view_starts(left(s), word))
        return fault(s, "a value is expected");
    s->at += word.len;
    return CS_OK;
}

static enum cs_code scan_member(struct scanner *s, size_t first_name)
{
    struct cs_view name = cs_view_of(NULL, 0);
    bool escaped = false;
    enum cs_code rc;

    skip_space(s);
    if (peek(s) != '"')
        return fault(s, "a member's name in double quotes is expected");
    if ((rc = scan_string(s, &name, &escaped)) != CS_OK)
        return rc;
    rc = cs_json_names_add(&s->names, first_name, name, escaped);
    if (rc == CS_EEXISTS)
        return fault(s, "a name stands twice in one object; keep one of them");
    if (rc == CS_EINVAL)
        return fault(s, "a member's name may not hold U+0000");
    if (rc != CS_OK)
        return cs_err_nomem(s->err);
    skip_space(s);
    if (peek(s) != ':')
        return fault(s, "a colon is expected");
    s->at++;
    return scan_value(s);
}

/* The cursor stands on the opening bracket. */
static enum cs_code scan_container(struct scanner *s, char closing)
{
    size_t first_name = s->names.count;
    enum cs_code rc = CS_OK;

    if (++s->depth > s->max_depth)
        return fault(s, "arrays and objects are nested too deeply");
    s->at++;
    skip_space(s);
    if (peek(s) == closing) {
        s->at++;
    } else {
        for (;;) {
            rc = closing == '}' ? scan_member(s, first_name) : scan_value(s);
            if (rc != CS_OK)
                return rc;
            if (peek(s) != ',')
                break;
            s->at++;
        }
        if (peek(s) != closing)
            return fault(s, closing == '}' ? "a comma or } is expected"
                                           : "a comma or ] is expected");
        s->at++;
    }
    s->depth--;
    cs_json_names_drop(&s->names, first_name);
    return CS_OK;
}

/* One value with the white space around it. */
static enum cs_code scan_value(struct scanner *s)
{
    struct cs_view inside;
    bool escaped;
    enum cs_code rc;

    skip_space(s);
    s->facts.values += peek(s) != 'n' ? 1 : 0;
    switch (peek(s)) {
    case '{':
        rc = scan_container(s, '}');
        break;
    case '[':
        rc = scan_container(s, ']');
        break;
    case '"':
        rc = scan_string(s, &inside, &escaped);
        break;
    case 't':
        rc = scan_word(s, CS_LIT("true"));
        break;
    case 'f':
        rc = scan_word(s, CS_LIT("false"));
        break;
    case 'n':
        rc = scan_word(s, CS_LIT("null"));
        break;
    default:
        rc = peek(s) == '-' || is_digit(peek(s)) ? scan_number(s)
                                                 : fault(s, "a value is expected");
    }
    skip_space(s);
    return rc;
}

enum cs_code cs_json_examine(struct cs_view text, const struct cs_json_limits *limits,
                             struct cs_json_facts *facts, struct cs_err *err)
{
    struct scanner s = {
        .text = text,
        .at = text.ptr,
        .end = text.len > 0 ? text.ptr + text.len : text.ptr, /* which may be NULL */
        .max_depth = limits != NULL && limits->max_depth > 0 ? limits->max_depth
                                                             : CS_JSON_MAX_DEPTH,
        .err = err,
    };
    enum cs_code rc;

    cs_json_names_init(&s.names);
    rc = scan_value(&s);
    if (rc == CS_OK && s.at != s.end)
        rc = fault(&s, "something stands behind the value");
    *facts = s.facts;
    cs_json_names_clear(&s.names);
    return rc;
}

enum cs_code cs_json_validate(struct cs_view text, const struct cs_json_limits *limits,
                              struct cs_err *err)
{
    struct cs_json_facts facts;

    return cs_json_examine(text, limits, &facts, err);
}

/* ---- walking valid text ---- */

static const char *pass_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* Whether an odd number of backslashes stands before `at`. */
static bool is_escaped(const char *from, const char *at)
{
    const char *behind = at;

    while (at > from && at[-1] == '\\')
        at--;
    return (behind - at) % 2 != 0;
}

/* The closing quote of the string whose text starts at `from`, or `end`. */
static const char *end_of_string(const char *from, const char *end)
{
    const char *quote = from;

    while ((quote = memchr(quote, '"', (size_t)(end - quote))) != NULL)
        if (is_escaped(from, quote))
            quote++;
        else
            return quote;
    return end;
}

/* Behind the list or object that starts at `from`. */
static const char *end_of_nest(const char *from, const char *end)
{
    size_t depth = 0;

    for (const char *at = from; at < end; at++) {
        switch (*at) {
        case '"':
            at = end_of_string(at + 1, end);
            break;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0)
                return at + 1;
            break;
        default:
            break;
        }
    }
    return end;
}

static bool ends_scalar(char c)
{
    return is_space(c) || c == ',' || c == '}' || c == ']';
}

/* Behind the value that starts at `at`. */
static const char *end_of_value(const char *at, const char *end)
{
    if (at < end && *at == '"') {
        at = end_of_string(at + 1, end);
        return at < end ? at + 1 : end; /* the quote */
    }
    if (at < end && (*at == '{' || *at == '['))
        return end_of_nest(at, end);
    while (at < end && !ends_scalar(*at))
        at++;
    return at;
}

struct cs_view cs_json_walk_value(struct cs_view *rest)
{
    const char *end = rest->ptr + rest->len;
    const char *from = pass_space(rest->ptr, end);
    const char *behind = end_of_value(from, end);

    *rest = cs_view_of(behind, (size_t)(end - behind));
    return cs_view_of(from, (size_t)(behind - from));
}

/* What is behind the opening bracket or the next comma; NULL where there is neither, with
 * *rest behind the closing bracket. */
static const char *step(struct cs_view *rest, char opening, char closing)
{
    const char *end = rest->ptr + rest->len;
    const char *at = pass_space(rest->ptr, end);
    char c = at < end ? *at : '\0';

    *rest = cs_view_of(at, (size_t)(end - at));
    if (c == opening || c == ',')
        at = pass_space(at + 1, end);
    if (at < end && *at == closing && c != ',') {
        *rest = cs_view_of(at + 1, (size_t)(end - at - 1));
        return NULL;
    }
    return c == opening || c == ',' ? at : NULL;
}

bool cs_json_walk_member(struct cs_view *rest, struct cs_view *name_out)
{
    const char *end = rest->ptr + rest->len;
    const char *name = step(rest, '{', '}'), *behind;

    if (name == NULL || name == end || *name != '"')
        return false;
    behind = end_of_string(++name, end);
    *name_out = cs_view_of(name, (size_t)(behind - name));
    behind = pass_space(behind < end ? behind + 1 : end, end);
    behind += behind < end ? 1 : 0; /* the colon */
    *rest = cs_view_of(behind, (size_t)(end - behind));
    return true;
}

bool cs_json_walk_element(struct cs_view *rest)
{
    const char *end = rest->ptr + rest->len;
    const char *at = step(rest, '[', ']');

    if (at == NULL || at == end)
        return false;
    *rest = cs_view_of(at, (size_t)(end - at));
    return true;
}

void cs_json_each_member(struct cs_view text, cs_json_member_fn *callback, void *payload)
{
    struct cs_view name;

    if (cs_json_kind(text) != '{')
        return;
    while (cs_json_walk_member(&text, &name))
        if (!callback(payload, name, cs_json_walk_value(&text)))
            return;
}

void cs_json_each_element(struct cs_view text, cs_json_element_fn *callback,
                          void *payload)
{
    if (cs_json_kind(text) != '[')
        return;
    while (cs_json_walk_element(&text))
        if (!callback(payload, cs_json_walk_value(&text)))
            return;
}

bool cs_json_name_is(struct cs_view written, struct cs_view wanted)
{
    struct cs_buf decoded = CS_BUF_INIT(4096);
    bool same;

    if (written.len < wanted.len) /* escapes are never shorter than what they mean */
        return false;
    if (cs_view_find_byte(written, '\\') == SIZE_MAX)
        return cs_view_eq(written, wanted);
    cs_json_unescape(&decoded, written);
    same = decoded.failed == CS_OK && cs_view_eq(cs_buf_view(&decoded), wanted);
    cs_buf_clear(&decoded);
    return same;
}

bool cs_json_walk_to(struct cs_view *rest, const char *name)
{
    const struct cs_view wanted = cs_view_cstr(name);
    struct cs_view written;

    if (cs_json_kind(*rest) != '{')
        return false;
    while (cs_json_walk_member(rest, &written)) {
        if (cs_json_name_is(written, wanted))
            return true;
        (void)cs_json_walk_value(rest);
    }
    return false;
}

struct cs_view cs_json_slice(struct cs_view text, const char *name)
{
    return cs_json_walk_to(&text, name) ? cs_json_walk_value(&text) : cs_view_of(NULL, 0);
}

char cs_json_kind(struct cs_view value)
{
    size_t at = 0;

    while (at < value.len && is_space(value.ptr[at]))
        at++;
    if (at == value.len)
        return '\0';
    return value.ptr[at] == '-' || is_digit(value.ptr[at]) ? '0' : value.ptr[at];
}

/* Decodes the escape behind a backslash at `at`; returns how many bytes it has. */
static size_t add_escape(struct cs_buf *out, struct cs_view inside, size_t at)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    char c = at < inside.len ? inside.ptr[at] : '\0';
    const char *simple = c == '\0' ? NULL : c == '"' ? from : strchr(from, c);
    unsigned unit;
    unsigned low;

    if (simple != NULL) {
        cs_buf_add_byte(out, to[simple - from]);
        return 1;
    }
    if (!take_unit(inside, at + 1, &unit))
        return 1;
    if (is_high_surrogate(unit) && take_unit(inside, at + 7, &low)) {
        cs_utf8_add(out, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
        return 11;
    }
    cs_utf8_add(out, unit);
    return 5;
}

void cs_json_unescape(struct cs_buf *out, struct cs_view inside)
{
    const char *at = inside.ptr;
    const char *end = inside.len > 0 ? at + inside.len : at; /* which may be NULL */

    while (at < end) {
        const char *plain = cs_json_pass_plain(at, end);

        while (plain < end && *plain != '\\')
            plain = cs_json_pass_plain(plain + 1, end);
        cs_buf_add(out, cs_view_of(at, (size_t)(plain - at)));
        if (plain == end)
            return;
        at = plain + 1 + add_escape(out, inside, (size_t)(plain + 1 - inside.ptr));
    }
}

enum cs_code cs_json_decode_string(struct cs_buf *out, struct cs_view value,
                                   struct cs_err *err)
{
    value = cs_view_trim(value);
    if (value.len < 2 || value.ptr[0] != '"')
        return cs_err_set(err, CS_EINVAL, "a text in double quotes is expected");
    cs_json_unescape(out, cs_view_of(value.ptr + 1, value.len - 2));
    return cs_buf_check(out, err);
}

bool cs_json_slice_string(struct cs_buf *out, struct cs_view text, const char *name)
{
    struct cs_view value = cs_json_slice(text, name);

    return value.ptr != NULL && cs_json_decode_string(out, value, NULL) == CS_OK;
}
