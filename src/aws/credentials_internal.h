/* aws/credentials_internal.h: what the sources of credentials share; private to
 * aws/credentials*.c. */
#ifndef CS_AWS_CREDENTIALS_INTERNAL_H
#define CS_AWS_CREDENTIALS_INTERNAL_H

#include "aws/credentials.h"
#include "aws/signer.h"

#define CS_KEY_TOKEN_MAX 65536u /* bytes of a token or a token file */

struct cs_keyset { /* owned texts; "" token for long-lived keys */
    char *access_key_id;
    char *secret;
    char *token;
    int64_t expires_at_us;
    const char *source;
};

/* Wipes and frees. */
void cs_keyset_clear(struct cs_keyset *keys);

/* Fills an empty set with copies. Refuses empty keys (CS_EUNAUTH). */
enum cs_code cs_keyset_set(struct cs_keyset *keys, struct cs_view access_key_id,
                           struct cs_view secret, struct cs_view token,
                           struct cs_err *err) CS_MUST_USE;

/* One search through the sources. */
struct cs_key_search {
    const struct cs_aws_credentials_options *options;
    int64_t now_us;
    struct cs_deadline deadline;
};

/* NULL when not set or empty. */
const char *cs_key_setting(const struct cs_key_search *search, const char *name);

/* Reads a token file whole; one that is missing is CS_EUNAUTH. */
enum cs_code cs_key_file(struct cs_buf *out, const char *path,
                         struct cs_err *err) CS_MUST_USE;

/* After a fault that may pass: waits, as the SDKs' standard mode does, and says whether
 * to ask once more. attempt is counted from 1, the one that has just failed. */
bool cs_key_again(const struct cs_key_search *search, unsigned attempt,
                  const struct cs_net_response *response);

/* A source: CS_ENOTFOUND, without an error set, when it is not configured. */
typedef enum cs_code cs_key_source(const struct cs_key_search *search,
                                   struct cs_keyset *out, struct cs_err *err);

cs_key_source cs_keys_from_environment;
cs_key_source cs_keys_from_web_identity;
cs_key_source cs_keys_from_profile;
cs_key_source cs_keys_from_container;
cs_key_source cs_keys_from_instance;

/* The JSON of the container endpoint and of the metadata service. */
enum cs_code cs_keyset_from_json(struct cs_keyset *out, struct cs_view json,
                                 struct cs_err *err) CS_MUST_USE;

struct cs_assume_role {
    struct cs_view role_arn;
    struct cs_view session_name; /* "": the package's name */
    struct cs_view external_id;  /* or "" */
    struct cs_view region;       /* of STS; "": that of the options */
    const char *duration_s;      /* as text, or NULL */
    const struct cs_keyset
        *signer;                   /* who assumes the role; NULL with web_identity_file */
    const char *web_identity_file; /* file that holds the token, or NULL */
};

/* AssumeRole or AssumeRoleWithWebIdentity of STS. */
enum cs_code cs_keys_assume_role(const struct cs_key_search *search,
                                 const struct cs_assume_role *role, struct cs_keyset *out,
                                 struct cs_err *err) CS_MUST_USE;

#endif
