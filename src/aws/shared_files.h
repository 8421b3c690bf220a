/* aws/shared_files.h: the shared config and credentials files of the AWS tools, read:
 * ~/.aws/config and ~/.aws/credentials, or where AWS_CONFIG_FILE and
 * AWS_SHARED_CREDENTIALS_FILE say.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files". */
#ifndef CS_AWS_SHARED_FILES_H
#define CS_AWS_SHARED_FILES_H

#include "aws/profile.h"
#include "base/buf.h"

/* Value of a setting (environment over .env, as the caller has it); NULL or ""
 * when it is not set. Asked for AWS_* names and HOME. */
typedef const char *cs_aws_setting_fn(const void *payload, const char *name);

struct cs_aws_files {
    struct cs_buf config_path, credentials_path; /* "": neither named nor at home */
    struct cs_buf config, credentials; /* texts; a missing file is an empty one */
};

/* Fills *out, to be wiped also after a failure: CS_EIO for a file that can't be read,
 * CS_ETOOBIG, CS_ENOMEM. */
enum cs_code cs_aws_files_read(struct cs_aws_files *out, cs_aws_setting_fn *setting,
                               const void *payload, struct cs_err *err) CS_MUST_USE;
void cs_aws_files_wipe(struct cs_aws_files *files);

/* The one that AWS_PROFILE names, or "default". */
struct cs_view cs_aws_files_profile(cs_aws_setting_fn *setting, const void *payload);

bool cs_aws_files_has(const struct cs_aws_files *files, struct cs_view profile);

/* Value of a profile's key, .ptr NULL when there is none. The credentials file wins where
 * both have it. */
struct cs_view cs_aws_files_get(const struct cs_aws_files *files, struct cs_view profile,
                                const char *key);

#endif
