#include "config.h"

#include "aws/s3_internal.h"
#include "aws/xml.h"

bool cs_s3_clock_offset(const struct cs_s3 *s3, int64_t *offset_us_out)
{
    return cs_aws_answer_offset(s3->aws, &s3->response, offset_us_out);
}

/* Reads one sub-resource of the bucket; one that was never set is no failure. */
static enum cs_code look(struct cs_s3 *s3, const char *operation, const char *query,
                         const char *never_set, cs_xml_element_fn *callback,
                         void *payload, struct cs_deadline deadline, struct cs_err *err)
{
    const struct cs_s3_request request = {
        .operation = operation, .method = "GET", .query = cs_view_cstr(query)};
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = cs_s3_perform(s3, &request, deadline, &why);

    if (rc == CS_OK)
        return cs_xml_read(cs_buf_view(&s3->response.body), callback, payload, err);
    if (never_set != NULL && cs_aws_error_is(&s3->error, never_set))
        return CS_OK;
    cs_err_hand_on(err, &why);
    return rc;
}

static bool on_versioning(void *payload, struct cs_view path, struct cs_view text)
{
    bool *enabled = payload;

    /* below VersioningConfiguration, which not all servers call so */
    if (cs_view_ends(path, CS_LIT("/Status")))
        *enabled = cs_view_eq(text, CS_LIT("Enabled"));
    return true;
}

enum cs_code cs_s3_look_versioning(struct cs_s3 *s3, bool *enabled_out,
                                   struct cs_deadline deadline, struct cs_err *err)
{
    *enabled_out = false;
    return look(s3, "GetBucketVersioning", "versioning=", NULL, on_versioning,
                enabled_out, deadline, err);
}

static bool on_rule(void *payload, struct cs_view path, struct cs_view text)
{
    static const char *const rules[] = {
        "PublicAccessBlockConfiguration/BlockPublicAcls",
        "PublicAccessBlockConfiguration/IgnorePublicAcls",
        "PublicAccessBlockConfiguration/BlockPublicPolicy",
        "PublicAccessBlockConfiguration/RestrictPublicBuckets",
    };
    unsigned *held = payload;

    for (size_t i = 0; i < CS_COUNT(rules); i++)
        if (cs_view_eq_cstr(path, rules[i]) && cs_view_eq_nocase(text, CS_LIT("true")))
            *held |= 1u << i;
    return true;
}

enum cs_code cs_s3_look_private(struct cs_s3 *s3, bool *private_out,
                                struct cs_deadline deadline, struct cs_err *err)
{
    unsigned held = 0;
    enum cs_code rc = look(s3, "GetPublicAccessBlock",
                           "publicAccessBlock=", "NoSuchPublicAccessBlockConfiguration",
                           on_rule, &held, deadline, err);

    *private_out = rc == CS_OK && held == 0xf;
    return rc;
}

static bool on_algorithm(void *payload, struct cs_view path, struct cs_view text)
{
    if (cs_view_eq(path, CS_LIT("ServerSideEncryptionConfiguration/Rule/"
                                "ApplyServerSideEncryptionByDefault/SSEAlgorithm")))
        cs_buf_add(payload, text);
    return true;
}

enum cs_code cs_s3_look_encryption(struct cs_s3 *s3, struct cs_buf *algorithm_out,
                                   struct cs_deadline deadline, struct cs_err *err)
{
    return look(s3, "GetBucketEncryption",
                "encryption=", "ServerSideEncryptionConfigurationNotFoundError",
                on_algorithm, algorithm_out, deadline, err);
}
