#include "config.h"

#include "render/html_tags.h"

static const struct {
    const char *name;
    enum cs_tag_effect effect;
} known_tags[] = {
    {"a", CS_TAG_LINK},        {"abbr", CS_TAG_PLAIN},       {"article", CS_TAG_BLOCK},
    {"b", CS_TAG_STRONG},      {"big", CS_TAG_PLAIN},        {"blockquote", CS_TAG_BLOCK},
    {"br", CS_TAG_BREAK},      {"center", CS_TAG_BLOCK},     {"cite", CS_TAG_EMPH},
    {"del", CS_TAG_DELETED},   {"details", CS_TAG_BLOCK},    {"div", CS_TAG_BLOCK},
    {"em", CS_TAG_EMPH},       {"figcaption", CS_TAG_BLOCK}, {"figure", CS_TAG_BLOCK},
    {"font", CS_TAG_PLAIN},    {"footer", CS_TAG_BLOCK},     {"h1", CS_TAG_HEADING},
    {"h2", CS_TAG_HEADING},    {"h3", CS_TAG_HEADING},       {"h4", CS_TAG_HEADING},
    {"h5", CS_TAG_HEADING},    {"h6", CS_TAG_HEADING},       {"header", CS_TAG_BLOCK},
    {"hr", CS_TAG_RULE},       {"i", CS_TAG_EMPH},           {"img", CS_TAG_IMAGE},
    {"ins", CS_TAG_PLAIN},     {"kbd", CS_TAG_PLAIN},        {"li", CS_TAG_ITEM},
    {"mark", CS_TAG_PLAIN},    {"ol", CS_TAG_BLOCK},         {"p", CS_TAG_BLOCK},
    {"q", CS_TAG_PLAIN},       {"s", CS_TAG_DELETED},        {"section", CS_TAG_BLOCK},
    {"small", CS_TAG_PLAIN},   {"span", CS_TAG_PLAIN},       {"strike", CS_TAG_DELETED},
    {"strong", CS_TAG_STRONG}, {"sub", CS_TAG_PLAIN},        {"summary", CS_TAG_SUMMARY},
    {"sup", CS_TAG_PLAIN},     {"u", CS_TAG_PLAIN},          {"ul", CS_TAG_BLOCK},
};

static const char *const dressing[] = {"align", "class",   "dir",    "height", "id",
                                       "lang",  "loading", "open",   "rel",    "role",
                                       "style", "target",  "valign", "width"};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == ':';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static struct cs_view take_name(struct cs_view *rest)
{
    struct cs_view name = cs_view_of(rest->ptr, 0);

    while (name.len < rest->len && is_name(rest->ptr[name.len]))
        name.len++;
    *rest = cs_view_from(*rest, name.len);
    return name;
}

static void skip_space(struct cs_view *rest)
{
    while (rest->len > 0 && is_space(rest->ptr[0]))
        *rest = cs_view_from(*rest, 1);
}

/* ="value", ='value' or =value; an attribute without one has an empty value. */
static bool take_value(struct cs_view *rest, struct cs_view *value)
{
    size_t len = 0;
    char quote;

    *value = cs_view_of("", 0);
    skip_space(rest);
    if (rest->len == 0 || rest->ptr[0] != '=')
        return true;
    *rest = cs_view_from(*rest, 1);
    skip_space(rest);
    if (rest->len == 0)
        return false;
    quote = rest->ptr[0];
    if (quote == '"' || quote == '\'') {
        *rest = cs_view_from(*rest, 1);
        len = cs_view_find_byte(*rest, quote);
        if (len == SIZE_MAX)
            return false;
        *value = cs_view_of(rest->ptr, len);
        *rest = cs_view_from(*rest, len + 1);
        return true;
    }
    while (len < rest->len && !is_space(rest->ptr[len]) && rest->ptr[len] != '>')
        len++;
    *value = cs_view_of(rest->ptr, len);
    *rest = cs_view_from(*rest, len);
    return len > 0;
}

static void use_attribute(struct cs_tag *tag, struct cs_view name, struct cs_view value)
{
    if (tag->effect == CS_TAG_LINK && cs_view_eq_nocase(name, CS_LIT("href"))) {
        tag->target = value;
        return;
    }
    if (tag->effect == CS_TAG_IMAGE && cs_view_eq_nocase(name, CS_LIT("src"))) {
        tag->target = value;
        return;
    }
    if (tag->effect == CS_TAG_IMAGE && cs_view_eq_nocase(name, CS_LIT("alt"))) {
        tag->alt = value;
        return;
    }
    for (size_t i = 0; i < CS_COUNT(dressing); i++)
        if (cs_view_eq_nocase(name, cs_view_cstr(dressing[i])))
            return;
    tag->effect = CS_TAG_UNKNOWN;
}

static bool read_comment(struct cs_tag *out, struct cs_view text)
{
    size_t end = cs_view_find(cs_view_from(text, 4), CS_LIT("-->"));

    if (end == SIZE_MAX)
        return false;
    out->effect = CS_TAG_COMMENT;
    out->alt = cs_view_trim(cs_view_sub(text, 4, end));
    out->text = cs_view_of(text.ptr, end + 7);
    return true;
}

static void look_up(struct cs_tag *tag)
{
    for (size_t i = 0; i < CS_COUNT(known_tags); i++)
        if (cs_view_eq_nocase(tag->name, cs_view_cstr(known_tags[i].name)))
            tag->effect = known_tags[i].effect;
    if (tag->effect == CS_TAG_HEADING)
        tag->level = tag->name.ptr[1] - '0';
}

bool cs_tag_read(struct cs_tag *out, struct cs_view text)
{
    struct cs_view rest = cs_view_from(text, 1);
    struct cs_view name, value;

    *out = (struct cs_tag){.effect = CS_TAG_UNKNOWN};
    if (cs_view_starts(text, CS_LIT("<!--")))
        return read_comment(out, text);
    if (rest.len > 0 && rest.ptr[0] == '/') {
        out->closing = true;
        rest = cs_view_from(rest, 1);
    }
    if (rest.len == 0 || !is_letter(rest.ptr[0]))
        return false;
    out->name = take_name(&rest);
    look_up(out);
    for (;;) {
        skip_space(&rest);
        if (rest.len > 0 && rest.ptr[0] == '/') {
            rest = cs_view_from(rest, 1);
            continue;
        }
        if (rest.len == 0)
            return false;
        if (rest.ptr[0] == '>')
            break;
        name = take_name(&rest);
        if (name.len == 0 || !take_value(&rest, &value))
            return false;
        use_attribute(out, name, value);
    }
    out->text = cs_view_of(text.ptr, text.len - rest.len + 1);
    return true;
}
