#include "config.h"

#include "config/settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

#define ENV_FILE_MAX (256u * 1024u)

static const struct cs_setting table[CS_SETTING_COUNT] = {
#define CS_SETTING(id, name_, kind_, fallback_, choices_, min_, max_, secret_, help_) \
    [CS_SET_##id] = {.name = (name_),                                                 \
                     .kind = CS_SETTING_##kind_,                                      \
                     .fallback = (fallback_),                                         \
                     .choices = (choices_),                                           \
                     .min = (min_),                                                   \
                     .max = (max_),                                                   \
                     .secret = (secret_),                                             \
                     .help = (help_)},
#include "config/settings.def"
#undef CS_SETTING
};

/* A name of the environment with one of these beginnings is ours: when the
 * table does not have it, it is a slip of the pen and not somebody else's. */
static const char *const our_prefixes[] = {
    "CAMPAIGN_",    "CAMPAIGND_", "S3_BUCKET_", "DYNAMODB_",   "JWT_",   "AUTH_ADMIN_",
    "AUTH_TENANT_", "AUTH_MODE",  "RENDER_",    "WORKER_MAX_", "LIMIT_",
};

/* Names that may stand beside ours, by the conventions of the AWS SDKs. */
static const char *const foreign_prefixes[] = {"AWS_"};

struct cs_settings {
    struct {
        char *text;
        char *origin;
        int64_t integer;
    } values[CS_SETTING_COUNT];
    struct {
        char *name;
        char *text;
        enum cs_setting_source source;
    } * extra; /* AWS_* names that are none of ours */
    size_t extra_count;
};

const struct cs_setting *cs_setting_describe(enum cs_setting_id id)
{
    return &table[id];
}

static bool has_prefix(struct cs_view name, const char *const *prefixes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cs_view_starts(name, cs_view_cstr(prefixes[i])))
            return true;
    return false;
}

static bool find_setting(struct cs_view name, enum cs_setting_id *id_out)
{
    for (size_t i = 0; i < CS_SETTING_COUNT; i++) {
        if (cs_view_eq_cstr(name, table[i].name)) {
            *id_out = (enum cs_setting_id)i;
            return true;
        }
    }
    return false;
}

/* How far two names are apart: what is left of the longer one between their common
 * beginning and their common end. Enough to find a typing slip. */
static size_t distance(struct cs_view a, struct cs_view b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    size_t longer = a.len < b.len ? b.len : a.len;
    size_t front = 0;
    size_t back = 0;

    while (front < shorter && a.ptr[front] == b.ptr[front])
        front++;
    while (back < shorter - front && a.ptr[a.len - 1 - back] == b.ptr[b.len - 1 - back])
        back++;
    return longer - front - back;
}

static const char *nearest_name(struct cs_view name)
{
    size_t best = SIZE_MAX;
    const char *found = table[0].name;

    for (size_t i = 0; i < CS_SETTING_COUNT; i++) {
        size_t apart = distance(name, cs_view_cstr(table[i].name));

        if (apart < best) {
            best = apart;
            found = table[i].name;
        }
    }
    return found;
}

static enum cs_code check_integer(const struct cs_setting *setting, struct cs_view value,
                                  int64_t *out)
{
    bool negative = value.len > 0 && value.ptr[0] == '-';
    uint64_t magnitude;

    if (!cs_view_to_u64(negative ? cs_view_from(value, 1) : value, &magnitude) ||
        magnitude > INT64_MAX)
        return CS_EINVAL;
    *out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return *out >= setting->min && *out <= setting->max ? CS_OK : CS_EINVAL;
}

static bool is_choice(struct cs_view value, const char *choices)
{
    struct cs_view rest = cs_view_cstr(choices);
    struct cs_view choice;

    while (cs_view_split(&rest, '|', &choice))
        if (cs_view_eq(value, choice))
            return true;
    return false;
}

/* The sentence about a bad value never shows a secret one. */
static enum cs_code bad_value(const struct cs_setting *setting, struct cs_view value,
                              const char *origin, struct cs_err *err)
{
    struct cs_view shown =
        setting->secret ? CS_LIT("(secret)") : cs_view_sub(value, 0, 60);

    if (setting->kind == CS_SETTING_INTEGER)
        return cs_err_field(
            err, CS_EINVAL, setting->name, "setting_invalid",
            "%s is \"%.*s\" (%s): it must be a whole number of %s from %lld to "
            "%lld",
            setting->name, CS_FMT(shown), origin, setting->choices,
            (long long)setting->min, (long long)setting->max);
    if (setting->kind == CS_SETTING_TEXT)
        return cs_err_field(err, CS_EINVAL, setting->name, "setting_invalid",
                            "%s (%s) has a NUL byte in it", setting->name, origin);
    return cs_err_field(
        err, CS_EINVAL, setting->name, "setting_invalid",
        "%s is \"%.*s\" (%s): it must be one of %s", setting->name, CS_FMT(shown), origin,
        setting->kind == CS_SETTING_BOOLEAN ? "true, false" : setting->choices);
}

static enum cs_code check_value(const struct cs_setting *setting, struct cs_view value,
                                const char *origin, int64_t *integer_out,
                                struct cs_err *err)
{
    bool good = true;

    *integer_out = 0;
    if (cs_view_find_byte(value, '\0') != SIZE_MAX)
        good = false;
    else if (setting->kind == CS_SETTING_INTEGER)
        good = check_integer(setting, value, integer_out) == CS_OK;
    else if (setting->kind == CS_SETTING_CHOICE)
        good = is_choice(value, setting->choices);
    else if (setting->kind == CS_SETTING_BOOLEAN) {
        good = is_choice(value, "true|false|1|0|yes|no|on|off");
        *integer_out = good && is_choice(value, "true|1|yes|on") ? 1 : 0;
    }
    return good ? CS_OK : bad_value(setting, value, origin, err);
}

static void free_wiped(char *text)
{
    if (text != NULL)
        cs_wipe(text, strlen(text));
    free(text);
}

/* Sets one value; an empty one means "not set", so the default holds. */
static enum cs_code set_value(struct cs_settings *settings, enum cs_setting_id id,
                              struct cs_view value, const char *origin,
                              struct cs_err *err)
{
    const struct cs_setting *setting = &table[id];
    char *text;
    char *where;
    int64_t integer;
    enum cs_code rc;

    if (value.len == 0) {
        value = cs_view_cstr(setting->fallback);
        origin = "default";
    }
    if ((rc = check_value(setting, value, origin, &integer, err)) != CS_OK)
        return rc;
    text = cs_view_dup(value);
    where = cs_view_dup(cs_view_cstr(origin));
    if (text == NULL || where == NULL) {
        free(text);
        free(where);
        return cs_err_nomem(err);
    }
    free_wiped(settings->values[id].text);
    free(settings->values[id].origin);
    settings->values[id].text = text;
    settings->values[id].origin = where;
    settings->values[id].integer = integer;
    return CS_OK;
}

static enum cs_code unknown_name(struct cs_view name, const char *origin,
                                 struct cs_err *err)
{
    char field[CS_ERR_FIELD_MAX];

    (void)snprintf(field, sizeof(field), "%.*s", CS_FMT(name));
    return cs_err_field(err, CS_EINVAL, field, "setting_unknown",
                        "%.*s (%s) is no setting of campaignstore; did you mean %s? "
                        "(env.example lists them all)",
                        CS_FMT(cs_view_sub(name, 0, 60)), origin, nearest_name(name));
}

static enum cs_code add_extra(struct cs_settings *settings, struct cs_view name,
                              struct cs_err *err)
{
    void *grown =
        realloc(settings->extra, (settings->extra_count + 1) * sizeof(*settings->extra));
    char *name_copy = cs_view_dup(name);

    if (grown != NULL)
        settings->extra = grown;
    if (grown == NULL || name_copy == NULL) {
        free(name_copy);
        return cs_err_nomem(err);
    }
    settings->extra[settings->extra_count].name = name_copy;
    settings->extra[settings->extra_count++].text = NULL;
    return CS_OK;
}

/* In place of what a source before had. */
static enum cs_code keep_extra(struct cs_settings *settings, struct cs_view name,
                               struct cs_view value, enum cs_setting_source source,
                               struct cs_err *err)
{
    char *text = cs_view_dup(value);
    size_t at = 0;
    enum cs_code rc = text != NULL ? CS_OK : cs_err_nomem(err);

    while (at < settings->extra_count && !cs_view_eq_cstr(name, settings->extra[at].name))
        at++;
    if (rc == CS_OK && at == settings->extra_count)
        rc = add_extra(settings, name, err);
    if (rc != CS_OK) {
        free_wiped(text);
        return rc;
    }
    free_wiped(settings->extra[at].text);
    settings->extra[at].text = text;
    settings->extra[at].source = source;
    return CS_OK;
}

/* ---- the .env file ---- */

/* A value as shells and dotenv libraries read it: bare up to " #", or quoted
 * with ' (literal) or " (with \n, \", \\ and \$). */
static enum cs_code read_env_value(struct cs_view raw, struct cs_buf *out,
                                   const char *origin, struct cs_err *err)
{
    char quote;
    size_t i;

    raw = cs_view_trim(raw);
    cs_buf_reset(out);
    if (raw.len == 0 || (raw.ptr[0] != '"' && raw.ptr[0] != '\'')) {
        size_t comment = cs_view_find(raw, CS_LIT(" #"));

        cs_buf_add(out, cs_view_trim(cs_view_sub(raw, 0, comment)));
        return cs_buf_check(out, err);
    }
    quote = raw.ptr[0];
    for (i = 1; i < raw.len && raw.ptr[i] != quote; i++) {
        char c = raw.ptr[i];

        if (c == '\\' && quote == '"' && i + 1 < raw.len) {
            c = raw.ptr[++i];
            c = c == 'n' ? '\n' : c;
        }
        cs_buf_add_byte(out, c);
    }
    if (i >= raw.len)
        return cs_err_set(err, CS_EINVAL, "%s: the quote %c is not closed", origin,
                          quote);
    raw = cs_view_trim(cs_view_from(raw, i + 1));
    if (raw.len > 0 && raw.ptr[0] != '#')
        return cs_err_set(err, CS_EINVAL, "%s: something stands behind the closing quote",
                          origin);
    return cs_buf_check(out, err);
}

static enum cs_code read_env_line(struct cs_settings *settings, struct cs_view line,
                                  const char *origin, struct cs_buf *value,
                                  struct cs_err *err)
{
    enum cs_setting_id id;
    struct cs_view name;
    size_t equals;
    enum cs_code rc;

    line = cs_view_trim(line);
    if (line.len == 0 || line.ptr[0] == '#')
        return CS_OK;
    if (cs_view_starts(line, CS_LIT("export ")))
        line = cs_view_trim(cs_view_from(line, strlen("export ")));
    equals = cs_view_find_byte(line, '=');
    if (equals == SIZE_MAX)
        return cs_err_set(err, CS_EINVAL, "%s: NAME=value is expected", origin);
    name = cs_view_trim(cs_view_sub(line, 0, equals));
    if ((rc = read_env_value(cs_view_from(line, equals + 1), value, origin, err)) !=
        CS_OK)
        return rc;
    if (find_setting(name, &id))
        return set_value(settings, id, cs_buf_view(value), origin, err);
    if (has_prefix(name, foreign_prefixes, CS_COUNT(foreign_prefixes)))
        return keep_extra(settings, name, cs_buf_view(value), CS_SOURCE_FILE, err);
    return unknown_name(name, origin, err);
}

static enum cs_code read_env_file(struct cs_settings *settings, const char *path,
                                  bool required, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_INIT(ENV_FILE_MAX);
    struct cs_buf value = CS_BUF_INIT(ENV_FILE_MAX);
    struct cs_buf origin = CS_BUF_INIT(8192);
    struct cs_err cause = CS_ERR_NONE;
    struct cs_view rest;
    struct cs_view line;
    size_t number = 0;
    enum cs_code rc = cs_file_read_private(&text, path, ENV_FILE_MAX, &cause);

    if (rc == CS_ENOTFOUND && !required) {
        rc = CS_OK;
        goto out;
    }
    if (rc != CS_OK) {
        rc =
            cs_err_set(err, CS_EINVAL, "the settings file can't be read: %s", cause.text);
        goto out;
    }
    rest = cs_buf_view(&text);
    while (rc == CS_OK && cs_view_split(&rest, '\n', &line)) {
        cs_buf_reset(&origin);
        cs_buf_add_fmt(&origin, "%s line %zu", path, ++number);
        if ((rc = cs_buf_check(&origin, err)) == CS_OK)
            rc = read_env_line(settings, line, cs_buf_cstr(&origin), &value, err);
    }
out:
    cs_buf_wipe(&text);
    cs_buf_wipe(&value);
    cs_buf_clear(&origin);
    return rc;
}

/* ---- the other sources ---- */

static enum cs_code read_pair(struct cs_settings *settings, const char *pair,
                              enum cs_setting_source source, struct cs_err *err)
{
    const char *origin = source == CS_SOURCE_OPTION ? "option" : "environment";
    struct cs_view name = cs_view_cstr(pair);
    size_t equals = cs_view_find_byte(name, '=');
    enum cs_setting_id id;

    if (equals == SIZE_MAX)
        return source == CS_SOURCE_OPTION
                   ? cs_err_set(err, CS_EINVAL, "\"%.60s\": NAME=value is expected", pair)
                   : CS_OK;
    name.len = equals;
    if (find_setting(name, &id))
        return set_value(settings, id, cs_view_cstr(pair + equals + 1), origin, err);
    if (has_prefix(name, foreign_prefixes, CS_COUNT(foreign_prefixes)))
        /* of the environment an empty one is as good as none, as to the SDKs */
        return source == CS_SOURCE_OPTION || pair[equals + 1] != '\0'
                   ? keep_extra(settings, name, cs_view_cstr(pair + equals + 1), source,
                                err)
                   : CS_OK;
    if (source == CS_SOURCE_OPTION ||
        has_prefix(name, our_prefixes, CS_COUNT(our_prefixes)))
        return unknown_name(name, origin, err);
    return CS_OK;
}

struct cs_settings *cs_settings_load(const char *env_file, char *const *environment,
                                     const char *const *overrides, struct cs_err *err)
{
    struct cs_settings *settings = calloc(1, sizeof(*settings));
    enum cs_code rc = CS_OK;

    if (settings == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    for (size_t i = 0; i < CS_SETTING_COUNT && rc == CS_OK; i++)
        rc = set_value(settings, (enum cs_setting_id)i, cs_view_cstr(table[i].fallback),
                       "default", err);
    if (rc == CS_OK)
        rc = read_env_file(settings, env_file != NULL ? env_file : ".env",
                           env_file != NULL, err);
    for (size_t i = 0; environment != NULL && environment[i] != NULL && rc == CS_OK; i++)
        rc = read_pair(settings, environment[i], CS_SOURCE_ENVIRONMENT, err);
    for (size_t i = 0; overrides != NULL && overrides[i] != NULL && rc == CS_OK; i++)
        rc = read_pair(settings, overrides[i], CS_SOURCE_OPTION, err);
    if (rc != CS_OK) {
        cs_settings_free(settings);
        return NULL;
    }
    return settings;
}

void cs_settings_free(struct cs_settings *settings)
{
    if (settings == NULL)
        return;
    for (size_t i = 0; i < CS_SETTING_COUNT; i++) {
        free_wiped(settings->values[i].text);
        free(settings->values[i].origin);
    }
    for (size_t i = 0; i < settings->extra_count; i++) {
        free(settings->extra[i].name);
        free_wiped(settings->extra[i].text);
    }
    free(settings->extra);
    free(settings);
}

const char *cs_settings_text(const struct cs_settings *settings, enum cs_setting_id id)
{
    const char *text = settings->values[id].text;

    return *text == '\0' ? NULL : text;
}

int64_t cs_settings_integer(const struct cs_settings *settings, enum cs_setting_id id)
{
    return settings->values[id].integer;
}

bool cs_settings_flag(const struct cs_settings *settings, enum cs_setting_id id)
{
    return settings->values[id].integer != 0;
}

bool cs_settings_is(const struct cs_settings *settings, enum cs_setting_id id,
                    const char *choice)
{
    return strcmp(settings->values[id].text, choice) == 0;
}

const char *cs_settings_origin(const struct cs_settings *settings, enum cs_setting_id id)
{
    return settings->values[id].origin;
}

const char *cs_settings_extra(const struct cs_settings *settings, const char *name,
                              enum cs_setting_source *source_out)
{
    for (size_t i = 0; i < settings->extra_count; i++) {
        const char *text = settings->extra[i].text;

        if (strcmp(settings->extra[i].name, name) != 0)
            continue;
        if (source_out != NULL)
            *source_out = settings->extra[i].source;
        return text != NULL && *text != '\0' ? text : NULL;
    }
    return NULL;
}
