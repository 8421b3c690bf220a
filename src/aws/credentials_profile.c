#include "config.h"

#include <stdlib.h>

#include "aws/credentials_internal.h"
#include "aws/shared_files.h"

#define DEPTH_MAX 5u /* of roles assumed one by another */

/* Ways to credentials that AWS's own tools know, and that need a browser or programs
 * of the user's. Passing over them would end with other credentials, or with none and
 * no word of why. */
static enum cs_code other_ways(const struct cs_aws_files *files, struct cs_view profile,
                               struct cs_err *err)
{
    static const struct {
        const char *key;
        const char *what;
    } ways[] = {
        {"sso_session", "logs in by IAM Identity Center (sso_session)"},
        {"sso_start_url", "logs in by IAM Identity Center (sso_start_url)"},
        {"login_session", "logs in by a browser (login_session)"},
        {"credential_process", "runs a program (credential_process)"},
    };

    for (size_t i = 0; i < CS_COUNT(ways); i++)
        if (cs_aws_files_get(files, profile, ways[i].key).len > 0)
            return cs_err_field(
                err, CS_EUNAUTH, "AWS_PROFILE", "credentials_profile_unsupported",
                "profile \"%.*s\" %s, which is not done here: name a profile with keys "
                "or a role, or set what \"aws configure export-credentials\" prints",
                CS_FMT(profile), ways[i].what);
    return CS_ENOTFOUND;
}

static enum cs_code static_keys(const struct cs_aws_files *files, struct cs_view profile,
                                struct cs_keyset *out, struct cs_err *err)
{
    struct cs_view id = cs_aws_files_get(files, profile, "aws_access_key_id");
    struct cs_view secret = cs_aws_files_get(files, profile, "aws_secret_access_key");

    if (id.len == 0 && secret.len == 0)
        return other_ways(files, profile, err);
    if (id.len == 0 || secret.len == 0)
        return cs_err_field(err, CS_EUNAUTH, "AWS_PROFILE", "credentials_incomplete",
                            "profile \"%.*s\" has no %s: it takes both", CS_FMT(profile),
                            id.len == 0 ? "aws_access_key_id" : "aws_secret_access_key");
    return cs_keyset_set(out, id, secret,
                         cs_aws_files_get(files, profile, "aws_session_token"), err);
}

static enum cs_code from_profile(const struct cs_key_search *search,
                                 const struct cs_aws_files *files, struct cs_view profile,
                                 unsigned depth, struct cs_keyset *out,
                                 struct cs_err *err);

static enum cs_code from_credential_source(const struct cs_key_search *search,
                                           struct cs_view name, struct cs_keyset *out,
                                           struct cs_err *err)
{
    static const struct {
        const char *name;
        cs_key_source *find;
    } named[] = {
        {"Environment", cs_keys_from_environment},
        {"EcsContainer", cs_keys_from_container},
        {"Ec2InstanceMetadata", cs_keys_from_instance},
    };

    for (size_t i = 0; i < CS_COUNT(named); i++)
        if (cs_view_eq_cstr(name, named[i].name))
            return named[i].find(search, out, err);
    return cs_err_field(
        err, CS_EUNAUTH, "credential_source", "credentials_source_unknown",
        "credential_source \"%.*s\" is none of Environment, EcsContainer, "
        "Ec2InstanceMetadata",
        CS_FMT(name));
}

/* Who assumes the role: another profile, or this one's own keys when it names itself. */
static enum cs_code source_keys(const struct cs_key_search *search,
                                const struct cs_aws_files *files, struct cs_view profile,
                                unsigned depth, struct cs_keyset *out, struct cs_err *err)
{
    struct cs_view source = cs_aws_files_get(files, profile, "source_profile");
    struct cs_view kind = cs_aws_files_get(files, profile, "credential_source");
    enum cs_code rc;

    if (kind.len > 0)
        rc = from_credential_source(search, kind, out, err);
    else if (source.len > 0 && cs_view_eq(source, profile))
        rc = static_keys(files, profile, out, err);
    else if (source.len > 0)
        rc = from_profile(search, files, source, depth + 1, out, err);
    else
        rc = CS_ENOTFOUND;
    if (rc != CS_ENOTFOUND)
        return rc;
    return cs_err_field(
        err, CS_EUNAUTH, "source_profile", "credentials_source_missing",
        "profile \"%.*s\" has a role_arn and no credentials to assume it with: "
        "give it a source_profile or a credential_source",
        CS_FMT(profile));
}

static enum cs_code role_keys(const struct cs_key_search *search,
                              const struct cs_aws_files *files, struct cs_view profile,
                              unsigned depth, struct cs_keyset *out, struct cs_err *err)
{
    char *web_file = NULL;
    char *duration = NULL;
    struct cs_keyset source = {.access_key_id = NULL};
    struct cs_assume_role role = {
        .role_arn = cs_aws_files_get(files, profile, "role_arn"),
        .session_name = cs_aws_files_get(files, profile, "role_session_name"),
        .external_id = cs_aws_files_get(files, profile, "external_id"),
        .region = cs_aws_files_get(files, profile, "region"),
        .signer = &source,
    };
    struct cs_view file = cs_aws_files_get(files, profile, "web_identity_token_file");
    struct cs_view seconds = cs_aws_files_get(files, profile, "duration_seconds");
    enum cs_code rc = CS_OK;

    if ((file.len > 0 && (web_file = cs_view_dup(file)) == NULL) ||
        (seconds.len > 0 && (duration = cs_view_dup(seconds)) == NULL)) {
        rc = cs_err_nomem(err);
        goto out;
    }
    role.duration_s = duration;
    if (web_file != NULL) {
        role.web_identity_file = web_file;
        role.signer = NULL;
    } else {
        rc = source_keys(search, files, profile, depth, &source, err);
    }
    if (rc == CS_OK)
        rc = cs_keys_assume_role(search, &role, out, err);
out:
    cs_keyset_clear(&source);
    free(web_file);
    free(duration);
    return rc;
}

static enum cs_code from_profile(const struct cs_key_search *search,
                                 const struct cs_aws_files *files, struct cs_view profile,
                                 unsigned depth, struct cs_keyset *out,
                                 struct cs_err *err)
{
    if (depth >= DEPTH_MAX)
        return cs_err_field(err, CS_EUNAUTH, "source_profile", "credentials_source_loop",
                            "the profiles name each other as source_profile in a circle");
    if (!cs_aws_files_has(files, profile)) {
        if (depth == 0)
            return CS_ENOTFOUND;
        return cs_err_field(err, CS_EUNAUTH, "source_profile",
                            "credentials_source_missing",
                            "there is no profile \"%.*s\", which a source_profile names",
                            CS_FMT(profile));
    }
    if (cs_aws_files_get(files, profile, "role_arn").len > 0)
        return role_keys(search, files, profile, depth, out, err);
    return static_keys(files, profile, out, err);
}

enum cs_code cs_keys_from_profile(const struct cs_key_search *search,
                                  struct cs_keyset *out, struct cs_err *err)
{
    const char *named = cs_key_setting(search, "AWS_PROFILE");
    const struct cs_aws_credentials_options *options = search->options;
    struct cs_view profile = cs_aws_files_profile(options->setting, options->payload);
    struct cs_aws_files files;
    enum cs_code rc;

    if ((rc = cs_aws_files_read(&files, options->setting, options->payload, err)) !=
        CS_OK)
        goto out;
    rc = from_profile(search, &files, profile, 0, out, err);
    if (rc == CS_ENOTFOUND && named != NULL && cs_aws_files_has(&files, profile))
        rc = cs_err_field(err, CS_EUNAUTH, "AWS_PROFILE", "credentials_profile_empty",
                          "the profile \"%s\" that AWS_PROFILE names has no credentials: "
                          "give it keys or a role_arn",
                          named);
    else if (rc == CS_ENOTFOUND && named != NULL)
        rc = cs_err_field(err, CS_EUNAUTH, "AWS_PROFILE", "credentials_profile_missing",
                          "there is no profile \"%s\", which AWS_PROFILE names, in the "
                          "shared config and credentials files",
                          named);
out:
    cs_aws_files_wipe(&files);
    return rc;
}
