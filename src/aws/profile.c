#include "config.h"

#include "aws/profile.h"

/* The name of the profile that "[...]" opens; .ptr NULL when it opens none. */
static struct cs_view section_name(struct cs_view line, enum cs_profile_file kind)
{
    static const struct cs_view prefix = CS_LIT_INIT("profile");
    size_t end = cs_view_find_byte(line, ']');
    struct cs_view name;
    struct cs_view rest;

    if (end == SIZE_MAX)
        return cs_view_of(NULL, 0);
    name = cs_view_trim(cs_view_sub(line, 1, end - 1));
    if (kind == CS_PROFILE_CREDENTIALS || cs_view_eq(name, CS_LIT("default")))
        return name;
    rest = cs_view_from(name, prefix.len);
    if (!cs_view_starts(name, prefix) || rest.len == 0 ||
        (rest.ptr[0] != ' ' && rest.ptr[0] != '\t'))
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

/* Walks the lines of one profile; key NULL asks for the section alone. */
static bool find(struct cs_view text, enum cs_profile_file kind, struct cs_view profile,
                 const char *key, struct cs_view *value_out)
{
    struct cs_view line;
    bool inside = false;
    bool found = false;

    while (cs_view_split(&text, '\n', &line)) {
        size_t equals = cs_view_find_byte(line, '=');

        if (line.len == 0 || strchr("#; \t\r", line.ptr[0]) != NULL)
            continue; /* comments, blank lines, nested settings */
        if (line.ptr[0] == '[') {
            struct cs_view name = section_name(line, kind);

            inside = name.ptr != NULL && cs_view_eq(name, profile);
            found = found || (inside && key == NULL);
        } else if (inside && key != NULL && equals != SIZE_MAX &&
                   cs_view_eq_nocase(cs_view_trim(cs_view_sub(line, 0, equals)),
                                     cs_view_cstr(key))) {
            *value_out = without_comment(cs_view_from(line, equals + 1));
            found = true;
        }
    }
    return found;
}

bool cs_profile_has(struct cs_view text, enum cs_profile_file kind,
                    struct cs_view profile)
{
    return find(text, kind, profile, NULL, NULL);
}

struct cs_view cs_profile_get(struct cs_view text, enum cs_profile_file kind,
                              struct cs_view profile, const char *key)
{
    struct cs_view value = {NULL, 0};

    return find(text, kind, profile, key, &value) ? value : cs_view_of(NULL, 0);
}
