#include "config.h"

#include "aws/profile.h"

/* What a section's name begins with; sections without it are of another kind. */
static const struct cs_view prefixes[] = {
    [CS_PROFILE_CONFIG] = CS_LIT_INIT("profile"),
    [CS_PROFILE_SERVICES] = CS_LIT_INIT("services"),
    [CS_PROFILE_CREDENTIALS] = CS_LIT_INIT(""),
};

struct wanted {
    enum cs_profile_kind kind;
    struct cs_view name;
    const char *parent; /* of a nested key; else NULL */
    const char *key;    /* NULL: the section alone */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The name of the section that "[...]" opens; .ptr NULL when it is of another kind. */
static struct cs_view section_name(struct cs_view line, enum cs_profile_kind kind)
{
    struct cs_view prefix = prefixes[kind];
    size_t end = cs_view_find_byte(line, ']');
    struct cs_view name;
    struct cs_view rest;

    if (end == SIZE_MAX)
        return cs_view_of(NULL, 0);
    name = cs_view_trim(cs_view_sub(line, 1, end - 1));
    if (prefix.len == 0 ||
        (kind == CS_PROFILE_CONFIG && cs_view_eq(name, CS_LIT("default"))))
        return name;
    rest = cs_view_from(name, prefix.len);
    if (!cs_view_starts(name, prefix) || rest.len == 0 || !is_blank(rest.ptr[0]))
        return cs_view_of(NULL, 0);
    return cs_view_trim(rest);
}

/* A comment behind the value needs white space before it. */
static struct cs_view without_comment(struct cs_view value)
{
    for (size_t i = 1; i < value.len; i++)
        if ((value.ptr[i] == '#' || value.ptr[i] == ';') &&
            (value.ptr[i - 1] == ' ' || value.ptr[i - 1] == '\t'))
            return cs_view_trim(cs_view_sub(value, 0, i));
    return cs_view_trim(value);
}

/* Whether the line is "key = value" of this key. */
static bool read_pair(struct cs_view line, const char *key, struct cs_view *value_out)
{
    size_t equals = cs_view_find_byte(line, '=');

    if (equals == SIZE_MAX ||
        !cs_view_eq_nocase(cs_view_trim(cs_view_sub(line, 0, equals)), cs_view_cstr(key)))
        return false;
    *value_out = without_comment(cs_view_from(line, equals + 1));
    return true;
}

/* A line of the section wanted. *nested: whether indented lines are below the parent. */
static bool read_line(struct cs_view line, const struct wanted *wanted, bool *nested,
                      struct cs_view *value_out)
{
    struct cs_view parents;

    if (is_blank(line.ptr[0]))
        return *nested && read_pair(line, wanted->key, value_out);
    if (wanted->parent == NULL)
        return read_pair(line, wanted->key, value_out);
    *nested = read_pair(line, wanted->parent, &parents) && parents.len == 0;
    return false;
}

static bool find(struct cs_view text, const struct wanted *wanted,
                 struct cs_view *value_out)
{
    struct cs_view line;
    bool inside = false;
    bool nested = false;
    bool found = false;

    while (cs_view_split(&text, '\n', &line)) {
        struct cs_view plain = cs_view_trim(line);

        if (plain.len == 0 || plain.ptr[0] == '#' || plain.ptr[0] == ';')
            continue;
        if (line.ptr[0] == '[') {
            struct cs_view name = section_name(line, wanted->kind);

            inside = name.ptr != NULL && cs_view_eq(name, wanted->name);
            nested = false;
            found = found || (inside && wanted->key == NULL);
        } else if (inside && wanted->key != NULL) {
            found = read_line(line, wanted, &nested, value_out) || found;
        }
    }
    return found;
}

bool cs_profile_has(struct cs_view text, enum cs_profile_kind kind, struct cs_view name)
{
    const struct wanted wanted = {.kind = kind, .name = name};

    return find(text, &wanted, NULL);
}

struct cs_view cs_profile_get(struct cs_view text, enum cs_profile_kind kind,
                              struct cs_view name, const char *key)
{
    return cs_profile_get_nested(text, kind, name, NULL, key);
}

struct cs_view cs_profile_get_nested(struct cs_view text, enum cs_profile_kind kind,
                                     struct cs_view name, const char *parent,
                                     const char *key)
{
    const struct wanted wanted = {
        .kind = kind, .name = name, .parent = parent, .key = key};
    struct cs_view value = {NULL, 0};

    return find(text, &wanted, &value) ? value : cs_view_of(NULL, 0);
}
