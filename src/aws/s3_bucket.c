#include "config.h"

#include <poll.h>

#include "aws/s3_internal.h"
#include "aws/xml.h"

#define BODY_MAX 65536u
#define POLL_MS  200

enum cs_code cs_s3_check(struct cs_s3 *s3, struct cs_deadline deadline,
                         struct cs_err *err)
{
    const struct cs_s3_request request = {.operation = "HeadBucket", .method = "HEAD"};

    return cs_s3_perform(s3, &request, deadline, err);
}

/* Puts one sub-resource of the bucket; they all ask for a checksum of the body. */
static enum cs_code put_setting(struct cs_s3 *s3, const char *operation,
                                const char *query, const struct cs_buf *body,
                                struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_s3_checksum_header checksum = {.text =
                                                 CS_BUF_INIT(CS_S3_CHECKSUM_TEXT_MAX)};
    struct cs_net_header headers[] = {{CS_LIT("Content-Type"), CS_LIT("application/xml")},
                                      {.name = CS_LIT("")}};
    struct cs_s3_request request = {.operation = operation,
                                    .method = "PUT",
                                    .query = cs_view_cstr(query),
                                    .headers = headers};
    const struct cs_net_body sent = {.kind = CS_NET_BODY_BYTES,
                                     .bytes = cs_buf_view(body)};
    enum cs_code rc;

    if ((rc = cs_buf_check(body, err)) != CS_OK)
        return rc;
    if (body->len > 0)
        request.body = sent;
    if (query[0] != '\0') { /* CreateBucket wants none */
        rc = cs_s3_checksum_add(s3, &sent, NULL, true, &checksum, err);
        headers[1] = checksum.header;
        request.header_count = CS_COUNT(headers);
    }
    if (rc == CS_OK)
        rc = cs_s3_perform(s3, &request, deadline, err);
    cs_buf_clear(&checksum.text);
    return rc;
}

/* us-east-1 is the one region that must not be named. */
static enum cs_code send_create(struct cs_s3 *s3, struct cs_deadline deadline,
                                struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(BODY_MAX);
    enum cs_code rc;

    if (!cs_view_eq(cs_s3_region(s3), CS_LIT("us-east-1"))) {
        cs_buf_add_cstr(&body, "<CreateBucketConfiguration" CS_S3_XMLNS ">");
        cs_xml_add(&body, "LocationConstraint", cs_s3_region(s3));
        cs_buf_add_cstr(&body, "</CreateBucketConfiguration>");
    }
    rc = put_setting(s3, "CreateBucket", "", &body, deadline, err);
    cs_buf_clear(&body);
    return rc;
}

/* For a bucket that was not there a moment ago: whoever of those that make it at the
 * same time is first, it is a fresh one. */
static enum cs_code create(struct cs_s3 *s3, struct cs_deadline deadline,
                           struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    /* "OperationAborted": somebody else is making it right now */
    while ((rc = send_create(s3, deadline, &why)) != CS_OK &&
           cs_aws_error_is(&s3->error, "OperationAborted") &&
           cs_deadline_left_ms(deadline) > 2 * POLL_MS) {
        why = CS_ERR_NONE;
        (void)poll(NULL, 0, POLL_MS);
    }
    if (rc == CS_OK || cs_aws_error_is(&s3->error, "BucketAlreadyOwnedByYou"))
        return CS_OK;
    if (cs_aws_error_is(&s3->error, "BucketAlreadyExists"))
        return cs_err_field(err, CS_EEXISTS, "S3_BUCKET_NAME", "bucket_taken",
                            "the bucket %s belongs to somebody else: set S3_BUCKET_NAME "
                            "to another name",
                            s3->bucket);
    cs_err_hand_on(err, &why);
    return rc;
}

/* A fresh bucket may not be known everywhere at once. */
static enum cs_code wait_for_it(struct cs_s3 *s3, struct cs_deadline deadline,
                                struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    while ((rc = cs_s3_check(s3, deadline, &why)) == CS_ENOTFOUND &&
           cs_deadline_left_ms(deadline) > 2 * POLL_MS) {
        why = CS_ERR_NONE;
        (void)poll(NULL, 0, POLL_MS);
    }
    if (rc == CS_ENOTFOUND)
        rc = cs_err_set(err, CS_EBUSY,
                        "the bucket %s is still being made: try again in a while",
                        s3->bucket);
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

static enum cs_code set_versioning(struct cs_s3 *s3, struct cs_deadline deadline,
                                   struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(BODY_MAX);
    enum cs_code rc;

    cs_buf_add_cstr(&body,
                    "<VersioningConfiguration" CS_S3_XMLNS "><Status>Enabled</Status>"
                    "</VersioningConfiguration>");
    rc = put_setting(s3, "PutBucketVersioning", "versioning=", &body, deadline, err);
    cs_buf_clear(&body);
    return rc;
}

static enum cs_code block_public(struct cs_s3 *s3, struct cs_deadline deadline,
                                 struct cs_err *err)
{
    static const char *const rules[] = {"BlockPublicAcls", "IgnorePublicAcls",
                                        "BlockPublicPolicy", "RestrictPublicBuckets"};
    struct cs_buf body = CS_BUF_INIT(BODY_MAX);
    enum cs_code rc;

    cs_buf_add_cstr(&body, "<PublicAccessBlockConfiguration" CS_S3_XMLNS ">");
    for (size_t i = 0; i < CS_COUNT(rules); i++)
        cs_xml_add(&body, rules[i], CS_LIT("true"));
    cs_buf_add_cstr(&body, "</PublicAccessBlockConfiguration>");
    rc = put_setting(s3, "PutPublicAccessBlock", "publicAccessBlock=", &body, deadline,
                     err);
    cs_buf_clear(&body);
    return rc;
}

static enum cs_code set_encryption(struct cs_s3 *s3, struct cs_deadline deadline,
                                   struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(BODY_MAX);
    enum cs_code rc;

    cs_buf_add_cstr(&body, "<ServerSideEncryptionConfiguration" CS_S3_XMLNS
                           "><Rule><ApplyServerSideEncryptionByDefault>");
    cs_xml_add(&body, "SSEAlgorithm",
               s3->kms_key != NULL ? CS_LIT("aws:kms") : CS_LIT("AES256"));
    if (s3->kms_key != NULL)
        cs_xml_add(&body, "KMSMasterKeyID", cs_view_cstr(s3->kms_key));
    cs_buf_add_cstr(&body, "</ApplyServerSideEncryptionByDefault>");
    if (s3->kms_key != NULL)
        cs_xml_add(&body, "BucketKeyEnabled", CS_LIT("true"));
    cs_buf_add_cstr(&body, "</Rule></ServerSideEncryptionConfiguration>");
    rc = put_setting(s3, "PutBucketEncryption", "encryption=", &body, deadline, err);
    cs_buf_clear(&body);
    return rc;
}

static enum cs_code set_tags(struct cs_s3 *s3,
                             const struct cs_s3_bucket_settings *settings,
                             struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(BODY_MAX);
    enum cs_code rc;

    cs_buf_add_cstr(&body, "<Tagging" CS_S3_XMLNS "><TagSet>");
    for (size_t i = 0; i < settings->tag_count; i++) {
        cs_buf_add_cstr(&body, "<Tag>");
        cs_xml_add(&body, "Key", settings->tags[i].name);
        cs_xml_add(&body, "Value", settings->tags[i].value);
        cs_buf_add_cstr(&body, "</Tag>");
    }
    cs_buf_add_cstr(&body, "</TagSet></Tagging>");
    rc = put_setting(s3, "PutBucketTagging", "tagging=", &body, deadline, err);
    cs_buf_clear(&body);
    return rc;
}

/* Servers that speak S3 without being it may lack a setting, and say so. The bucket is
 * of use all the same, so that is reported and is no failure; a bucket without versions
 * would not be, so versioning does not come here. */
static enum cs_code optional(const struct cs_s3 *s3, enum cs_code rc, const char *setting,
                             const struct cs_err *why, struct cs_buf *report,
                             struct cs_err *err)
{
    if (rc == CS_OK)
        return CS_OK;
    if (rc == CS_EDENIED) { /* AWS has the same by default */
        cs_buf_add_fmt(report, "S3 bucket %s: %s left as it is: %s\n", s3->bucket,
                       setting, why->text);
        return CS_OK;
    }
    if (cs_aws_error_is(&s3->error, "NotImplemented")) {
        cs_buf_add_fmt(report, "S3 bucket %s: the server has no %s: left out\n",
                       s3->bucket, setting);
        return CS_OK;
    }
    cs_err_hand_on(err, why);
    return rc;
}

/* What a fresh bucket gets. */
static enum cs_code set_up(struct cs_s3 *s3, const struct cs_s3_bucket_settings *settings,
                           struct cs_buf *report, struct cs_deadline deadline,
                           struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = CS_OK;

    if (settings->block_public_access)
        rc = optional(s3, block_public(s3, deadline, &why), "public access block", &why,
                      report, err);
    why = CS_ERR_NONE;
    if (rc == CS_OK && settings->encrypt)
        rc = optional(s3, set_encryption(s3, deadline, &why), "default encryption", &why,
                      report, err);
    why = CS_ERR_NONE;
    if (rc == CS_OK && settings->tag_count > 0)
        rc = optional(s3, set_tags(s3, settings, deadline, &why), "bucket tags", &why,
                      report, err);
    return rc;
}

/* Of a bucket of another account S3 says no more than this. */
static enum cs_code no_access(const struct cs_s3 *s3, const struct cs_err *why,
                              struct cs_err *err)
{
    enum cs_code rc = cs_err_field(err, CS_EDENIED, "S3_BUCKET_NAME", "bucket_denied",
                                   "S3 gives no access to the bucket %s: check the "
                                   "credentials, allow s3:ListBucket, "
                                   "or set S3_BUCKET_NAME to another name where it is "
                                   "another account's, as names are "
                                   "shared by all",
                                   s3->bucket);

    if (err != NULL)
        err->upstream_status = why->upstream_status;
    return rc;
}

enum cs_code cs_s3_ensure(struct cs_s3 *s3, const struct cs_s3_bucket_settings *settings,
                          struct cs_buf *report, struct cs_deadline deadline,
                          struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    bool made = false;
    enum cs_code rc = cs_s3_check(s3, deadline, &why);

    if (rc == CS_ENOTFOUND) {
        made = true;
        if ((rc = create(s3, deadline, err)) == CS_OK)
            rc = wait_for_it(s3, deadline, err);
    } else if (rc == CS_EDENIED) {
        rc = no_access(s3, &why, err);
    } else if (rc != CS_OK) {
        cs_err_hand_on(err, &why);
    }
    if (rc == CS_OK && made)
        rc = set_up(s3, settings, report, deadline, err);
    if (rc == CS_OK && settings->versioning)
        rc = set_versioning(s3, deadline, err);
    if (rc == CS_OK)
        cs_buf_add_fmt(report, "S3 bucket %s in %s %s\n", s3->bucket, s3->region,
                       made ? "created" : "is there");
    return rc;
}
