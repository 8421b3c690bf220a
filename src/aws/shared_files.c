#include "config.h"

#include "aws/shared_files.h"

#include "base/file.h"

#define FILE_MAX     (1u << 20)
#define PATH_MAX_LEN 4096u

struct place {
    const char *variable;
    const char *below_home;
    struct cs_buf *path, *text;
};

static enum cs_code read_file(const struct place *place, cs_aws_setting_fn *setting,
                              const void *payload, struct cs_err *err)
{
    struct cs_view named = cs_view_cstr(setting(payload, place->variable));
    struct cs_view home = cs_view_cstr(setting(payload, "HOME"));
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    if (named.len > 0)
        cs_buf_add(place->path, named);
    else if (home.len > 0)
        cs_buf_add_fmt(place->path, "%.*s/.aws/%s", CS_FMT(home), place->below_home);
    else
        return CS_OK;
    if ((rc = cs_buf_check(place->path, &why)) == CS_OK)
        rc = cs_file_read(place->text, cs_buf_cstr(place->path), FILE_MAX, &why);
    if (rc == CS_OK || rc == CS_ENOTFOUND)
        return CS_OK;
    cs_err_hand_on(err, &why);
    return rc;
}

enum cs_code cs_aws_files_read(struct cs_aws_files *out, cs_aws_setting_fn *setting,
                               const void *payload, struct cs_err *err)
{
    const struct place config = {"AWS_CONFIG_FILE", "config", &out->config_path,
                                 &out->config};
    const struct place credentials = {"AWS_SHARED_CREDENTIALS_FILE", "credentials",
                                      &out->credentials_path, &out->credentials};
    enum cs_code rc;

    *out = (struct cs_aws_files){CS_BUF_INIT(PATH_MAX_LEN), CS_BUF_INIT(PATH_MAX_LEN),
                                 CS_BUF_INIT(FILE_MAX), CS_BUF_INIT(FILE_MAX)};
    if ((rc = read_file(&config, setting, payload, err)) != CS_OK)
        return rc;
    return read_file(&credentials, setting, payload, err);
}

void cs_aws_files_wipe(struct cs_aws_files *files)
{
    cs_buf_clear(&files->config_path);
    cs_buf_clear(&files->credentials_path);
    cs_buf_wipe(&files->config);
    cs_buf_wipe(&files->credentials);
}

struct cs_view cs_aws_files_profile(cs_aws_setting_fn *setting, const void *payload)
{
    struct cs_view named = cs_view_cstr(setting(payload, "AWS_PROFILE"));

    return named.len > 0 ? named : CS_LIT("default");
}

bool cs_aws_files_has(const struct cs_aws_files *files, struct cs_view profile)
{
    return cs_profile_has(cs_buf_view(&files->credentials), CS_PROFILE_CREDENTIALS,
                          profile) ||
           cs_profile_has(cs_buf_view(&files->config), CS_PROFILE_CONFIG, profile);
}

struct cs_view cs_aws_files_get(const struct cs_aws_files *files, struct cs_view profile,
                                const char *key)
{
    struct cs_view value = cs_profile_get(cs_buf_view(&files->credentials),
                                          CS_PROFILE_CREDENTIALS, profile, key);

    if (value.ptr != NULL)
        return value;
    return cs_profile_get(cs_buf_view(&files->config), CS_PROFILE_CONFIG, profile, key);
}
