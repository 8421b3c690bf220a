/* aws/credentials.h: credentials as the AWS SDKs find them, in this order:
 *
 *   1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *   2. AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN
 *   3. the profile (AWS_PROFILE, "default") of the shared config and credentials
 *      files: keys, role_arn with source_profile or credential_source, or
 *      web_identity_token_file
 *   4. the container endpoint (ECS, EKS Pod Identity)
 *   5. the instance metadata service, version 2 alone
 *
 * The first that is configured decides; one that is configured and fails is an
 * error. Faults that may pass are sat out, with three attempts at most. Temporary ones
 * are refreshed ahead of their end; when that fails, or takes a request longer than
 * three seconds, the old ones serve until then. They live in memory only and are wiped.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers". */
#ifndef CS_AWS_CREDENTIALS_H
#define CS_AWS_CREDENTIALS_H

#include "aws/shared_files.h"
#include "base/log.h"
#include "net/client.h"

struct cs_aws_credentials_options {
    struct cs_net_client *net; /* borrowed */
    struct cs_log *log;        /* borrowed, may be NULL */
    cs_aws_setting_fn *setting;
    const void *payload;
    struct cs_view region; /* of STS, where the profile names none; borrowed for good */
    bool dual_stack;       /* of STS */
    bool fips;
};

struct cs_aws_credentials;

/* No file is read and nothing is asked before the first use. NULL: no memory. */
struct cs_aws_credentials *cs_aws_credentials_new(
    const struct cs_aws_credentials_options *options);
void cs_aws_credentials_free(struct cs_aws_credentials *credentials);

struct cs_aws_keys { /* borrowed until the next call on the credentials */
    struct cs_view access_key_id;
    struct cs_view secret;
    struct cs_view token;  /* "" for long-lived keys */
    int64_t expires_at_us; /* 0: never */
    const char *source;    /* "environment", "profile", ...: for people */
};

/* CS_EUNAUTH when none are found, with what was tried; or why the source that is
 * configured gives none; CS_EUPSTREAM or CS_ETIMEOUT where that may pass. A failure is
 * remembered for ten seconds, one that may pass for one. */
enum cs_code cs_aws_credentials_get(struct cs_aws_credentials *credentials,
                                    int64_t now_us, struct cs_deadline deadline,
                                    struct cs_aws_keys *out,
                                    struct cs_err *err) CS_MUST_USE;

/* A service called them expired: the next get asks anew. */
void cs_aws_credentials_expire(struct cs_aws_credentials *credentials);

#endif
