#include "config.h"

#include "aws/settings.h"

#include <stdlib.h>

#include "aws/endpoint.h"

#define WHERE_MAX 8192u
#define SHOWN_MAX 80u /* bytes of a value */

enum kind { FLAG, URL, REGION, COUNT, PATH };

enum id {
    IGNORE_ENDPOINTS, /* first, as it decides on others */
    ENDPOINT,
    ENDPOINT_S3,
    ENDPOINT_DYNAMODB,
    ENDPOINT_STS,
    DEFAULT_REGION,
    DUAL_STACK,
    FIPS,
    CA_BUNDLE,
    ATTEMPTS,
    ID_COUNT
};

static const struct known {
    const char *name;    /* in the environment */
    const char *key;     /* in the profile */
    const char *service; /* that it is nested below in [services]; or NULL */
    enum kind kind;
} known[ID_COUNT] = {
    [IGNORE_ENDPOINTS] = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
                          "ignore_configured_endpoint_urls", NULL, FLAG},
    [ENDPOINT] = {"AWS_ENDPOINT_URL", "endpoint_url", NULL, URL},
    [ENDPOINT_S3] = {"AWS_ENDPOINT_URL_S3", "endpoint_url", "s3", URL},
    [ENDPOINT_DYNAMODB] = {"AWS_ENDPOINT_URL_DYNAMODB", "endpoint_url", "dynamodb", URL},
    [ENDPOINT_STS] = {"AWS_ENDPOINT_URL_STS", "endpoint_url", "sts", URL},
    [DEFAULT_REGION] = {"AWS_DEFAULT_REGION", "region", NULL, REGION},
    [DUAL_STACK] = {"AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", NULL, FLAG},
    [FIPS] = {"AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", NULL, FLAG},
    [CA_BUNDLE] = {"AWS_CA_BUNDLE", "ca_bundle", NULL, PATH},
    [ATTEMPTS] = {"AWS_MAX_ATTEMPTS", "max_attempts", NULL, COUNT},
};

struct cs_aws_settings {
    cs_aws_setting_fn *environment;
    const void *payload;
    char *in_profile[ID_COUNT]; /* NULL: not there */
};

/* ---- what values can be ---- */

bool cs_aws_read_flag(struct cs_view text, bool *out)
{
    static const struct {
        struct cs_view word;
        bool value;
    } words[] = {
        {CS_LIT_INIT("true"), true},   {CS_LIT_INIT("1"), true},
        {CS_LIT_INIT("yes"), true},    {CS_LIT_INIT("on"), true},
        {CS_LIT_INIT("false"), false}, {CS_LIT_INIT("0"), false},
        {CS_LIT_INIT("no"), false},    {CS_LIT_INIT("off"), false},
    };

    for (size_t i = 0; i < CS_COUNT(words); i++)
        if (cs_view_eq_nocase(text, words[i].word)) {
            *out = words[i].value;
            return true;
        }
    return false;
}

static enum cs_code check_flag(struct cs_view value)
{
    bool ignored;

    return cs_aws_read_flag(value, &ignored) ? CS_OK : CS_EINVAL;
}

static enum cs_code check_place(struct cs_view region, struct cs_view url)
{
    const struct cs_aws_endpoint_options options = {
        .service = CS_AWS_STS, .region = region, .url = url};
    struct cs_aws_endpoint endpoint;
    enum cs_code rc;

    cs_aws_endpoint_init(&endpoint);
    rc = cs_aws_endpoint_make(&endpoint, &options, NULL);
    cs_aws_endpoint_clear(&endpoint);
    return rc == CS_OK || rc == CS_ENOMEM ? rc : CS_EINVAL;
}

static enum cs_code check_url(struct cs_view value)
{
    return check_place(CS_LIT("us-east-1"), value);
}

static enum cs_code check_region(struct cs_view value)
{
    return check_place(value, CS_LIT(""));
}

static enum cs_code check_count(struct cs_view value)
{
    uint64_t count;

    return cs_view_to_u64(value, &count) && count >= 1 && count <= CS_AWS_ATTEMPTS_MAX
               ? CS_OK
               : CS_EINVAL;
}

static enum cs_code check_path(struct cs_view value)
{
    (void)value; /* who opens it says what is wrong */
    return CS_OK;
}

static const struct {
    enum cs_code (*check)(struct cs_view value);
    const char *reason, *remedy;
} kinds[] = {
    [FLAG] = {check_flag, "flag_malformed", "write true or false"},
    [URL] = {check_url, "endpoint_malformed", "an endpoint looks like https://host:port"},
    [REGION] = {check_region, "region_malformed", "a region looks like eu-central-1"},
    [COUNT] = {check_count, "out_of_range", "write a number from 1 to 100"},
    [PATH] = {check_path, "", ""},
};

static enum cs_code check(const struct known *setting, struct cs_view value,
                          const char *field, const char *where, struct cs_err *err)
{
    enum cs_code rc = kinds[setting->kind].check(value);

    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    if (rc == CS_OK)
        return CS_OK;
    return cs_err_field(
        err, CS_EINVAL, field, kinds[setting->kind].reason, "%s is \"%.*s\": %s", where,
        CS_FMT(cs_view_sub(value, 0, SHOWN_MAX)), kinds[setting->kind].remedy);
}

/* ---- the environment ---- */

static const char *from_environment(const struct cs_aws_settings *s, const char *name)
{
    const char *value = s->environment(s->payload, name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool ignores(const struct cs_aws_settings *s, const struct known *setting)
{
    const char *text = from_environment(s, known[IGNORE_ENDPOINTS].name);
    bool ignore = false;

    if (text == NULL)
        text = s->in_profile[IGNORE_ENDPOINTS];
    return setting->kind == URL && cs_aws_read_flag(cs_view_cstr(text), &ignore) &&
           ignore;
}

static enum cs_code check_environment(const struct cs_aws_settings *s, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < ID_COUNT && rc == CS_OK; i++) {
        const char *value = from_environment(s, known[i].name);

        if (value != NULL && !ignores(s, &known[i]))
            rc = check(&known[i], cs_view_cstr(value), known[i].name, known[i].name, err);
    }
    return rc;
}

/* ---- the profile ---- */

struct profile {
    const struct cs_aws_files *files;
    struct cs_view name;
    struct cs_view services; /* section of the endpoints of single services; or empty */
};

static struct cs_view value_of(const struct profile *profile, const struct known *setting)
{
    if (setting->service == NULL)
        return cs_aws_files_get(profile->files, profile->name, setting->key);
    if (profile->services.len == 0)
        return CS_LIT("");
    return cs_profile_get_nested(cs_buf_view(&profile->files->config),
                                 CS_PROFILE_SERVICES, profile->services, setting->service,
                                 setting->key);
}

/* "region in [profile dev] of /etc/aws/config" */
static void add_where(struct cs_buf *out, const struct profile *profile, const char *key)
{
    const struct cs_aws_files *files = profile->files;
    bool is_default = cs_view_eq(profile->name, CS_LIT("default"));

    cs_buf_add_fmt(out, "%s in [", key);
    if (cs_profile_get(cs_buf_view(&files->credentials), CS_PROFILE_CREDENTIALS,
                       profile->name, key)
            .ptr != NULL)
        cs_buf_add_fmt(out, "%.*s] of %s", CS_FMT(profile->name),
                       cs_buf_cstr(&files->credentials_path));
    else
        cs_buf_add_fmt(out, "%s%.*s] of %s", is_default ? "" : "profile ",
                       CS_FMT(profile->name), cs_buf_cstr(&files->config_path));
}

static enum cs_code check_value(const struct profile *profile,
                                const struct known *setting, struct cs_view value,
                                struct cs_err *err)
{
    struct cs_buf where = CS_BUF_INIT(WHERE_MAX);
    enum cs_code rc;

    if (setting->service == NULL)
        add_where(&where, profile, setting->key);
    else
        cs_buf_add_fmt(&where, "%s of %s in [services %.*s] of %s", setting->key,
                       setting->service, CS_FMT(profile->services),
                       cs_buf_cstr(&profile->files->config_path));
    if ((rc = cs_buf_check(&where, err)) == CS_OK)
        rc = check(setting, value, setting->key, cs_buf_cstr(&where), err);
    cs_buf_clear(&where);
    return rc;
}

static enum cs_code check_services(const struct profile *profile, struct cs_err *err)
{
    struct cs_buf where = CS_BUF_INIT(WHERE_MAX);
    enum cs_code rc;

    if (profile->services.len == 0 ||
        cs_profile_has(cs_buf_view(&profile->files->config), CS_PROFILE_SERVICES,
                       profile->services))
        return CS_OK;
    add_where(&where, profile, "services");
    if ((rc = cs_buf_check(&where, err)) == CS_OK)
        rc = cs_err_field(err, CS_EINVAL, "services", "services_missing",
                          "%s names \"%.*s\": write a section [services %.*s], or take "
                          "the line away",
                          cs_buf_cstr(&where), CS_FMT(profile->services),
                          CS_FMT(profile->services));
    cs_buf_clear(&where);
    return rc;
}

static enum cs_code take_profile(struct cs_aws_settings *s, const struct profile *profile,
                                 struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < ID_COUNT && rc == CS_OK; i++) {
        struct cs_view value = value_of(profile, &known[i]);

        if (value.len == 0 || ignores(s, &known[i]))
            continue;
        if ((rc = check_value(profile, &known[i], value, err)) == CS_OK &&
            (s->in_profile[i] = cs_view_dup(value)) == NULL)
            rc = cs_err_nomem(err);
    }
    return rc;
}

/* Files that nobody named may be of somebody else's home, as that of who started a web
 * server: credentials that stand there are missed when they are looked for. */
static enum cs_code read_files(const struct cs_aws_settings *s, struct cs_aws_files *out,
                               struct cs_err *err)
{
    static const char *const names[] = {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
                                        "AWS_PROFILE"};
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = cs_aws_files_read(out, s->environment, s->payload, &why);

    if (rc == CS_OK)
        return CS_OK;
    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    for (size_t i = 0; i < CS_COUNT(names); i++)
        if (from_environment(s, names[i]) != NULL)
            return cs_err_field(err, CS_EINVAL, names[i], "file_unreadable",
                                "%s: let this user read it, or set AWS_CONFIG_FILE and "
                                "AWS_SHARED_CREDENTIALS_FILE to other files",
                                why.text);
    return CS_OK;
}

static enum cs_code read_profile(struct cs_aws_settings *s, struct cs_err *err)
{
    struct cs_aws_files files;
    struct profile profile = {.files = &files,
                              .name = cs_aws_files_profile(s->environment, s->payload)};
    enum cs_code rc = read_files(s, &files, err);

    if (rc == CS_OK) {
        profile.services = cs_aws_files_get(&files, profile.name, "services");
        if ((rc = check_services(&profile, err)) == CS_OK)
            rc = take_profile(s, &profile, err);
    }
    cs_aws_files_wipe(&files);
    return rc;
}

/* ---- both ---- */

struct cs_aws_settings *cs_aws_settings_new(cs_aws_setting_fn *environment,
                                            const void *payload, struct cs_err *err)
{
    struct cs_aws_settings *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    s->environment = environment;
    s->payload = payload;
    if (read_profile(s, err) == CS_OK && check_environment(s, err) == CS_OK)
        return s;
    cs_aws_settings_free(s);
    return NULL;
}

void cs_aws_settings_free(struct cs_aws_settings *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < ID_COUNT; i++)
        free(s->in_profile[i]);
    free(s);
}

static const char *endpoint(const struct cs_aws_settings *s, enum id id)
{
    const char *const by_rank[] = {from_environment(s, known[id].name),
                                   from_environment(s, known[ENDPOINT].name),
                                   s->in_profile[id], s->in_profile[ENDPOINT]};

    for (size_t i = 0; i < CS_COUNT(by_rank); i++)
        if (by_rank[i] != NULL)
            return by_rank[i];
    return NULL;
}

const char *cs_aws_settings_get(const void *settings, const char *name)
{
    const struct cs_aws_settings *s = settings;
    const char *value;
    size_t i = 0;

    while (i < ID_COUNT && strcmp(known[i].name, name) != 0)
        i++;
    if (i < ID_COUNT && known[i].kind == URL)
        return ignores(s, &known[i]) ? NULL : endpoint(s, (enum id)i);
    value = from_environment(s, name);
    return value != NULL || i == ID_COUNT ? value : s->in_profile[i];
}
