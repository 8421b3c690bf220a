/* The checksum of a body that goes along in a header, for the server to check. */
#include "config.h"

#include "aws/s3_internal.h"
#include "base/encoding.h"

static enum cs_code add_md5(void *digest, struct cs_view block, struct cs_err *err)
{
    return cs_md5_add(digest, block, err);
}

static enum cs_code md5_text(struct cs_buf *out, const struct cs_net_body *body,
                             struct cs_err *err)
{
    const struct cs_file_part file = cs_s3_body_file(body);
    struct cs_md5 *digest = cs_md5_new();
    uint8_t bytes[CS_MD5_LEN];
    enum cs_code rc;

    if (digest == NULL)
        return cs_err_nomem(err);
    rc = body->kind == CS_NET_BODY_FILE ? cs_file_each_block(&file, add_md5, digest, err)
                                        : cs_md5_add(digest, body->bytes, err);
    if (rc == CS_OK && (rc = cs_md5_end(digest, bytes, err)) == CS_OK)
        cs_base64_encode(out, cs_view_of(bytes, sizeof(bytes)));
    cs_md5_free(digest);
    return rc;
}

static enum cs_code sha256_text(struct cs_buf *out, const struct cs_net_body *body,
                                const char *hex, struct cs_err *err)
{
    uint8_t digest[CS_SHA256_LEN];
    enum cs_code rc;

    if (hex == NULL) {
        if ((rc = cs_sha256_of(digest, body->bytes, err)) != CS_OK)
            return rc;
    } else if (!cs_hex_decode(digest, sizeof(digest), cs_view_cstr(hex))) {
        return cs_err_set(err, CS_EINVAL, "a put without the SHA-256 of its body");
    }
    cs_base64_encode(out, cs_view_of(digest, sizeof(digest)));
    return CS_OK;
}

bool cs_s3_checksum_is_sha256(const struct cs_s3 *s3)
{
    return s3->checksum == CS_S3_CHECKSUM_AUTO || s3->checksum == CS_S3_CHECKSUM_SHA256;
}

enum cs_code cs_s3_checksum_add(const struct cs_s3 *s3, const struct cs_net_body *body,
                                const char *sha256, bool needed,
                                struct cs_s3_checksum_header *out, struct cs_err *err)
{
    bool modern = cs_s3_checksum_is_sha256(s3);
    enum cs_code rc;

    out->count = 0;
    cs_buf_reset(&out->text);
    if (s3->checksum == CS_S3_CHECKSUM_NONE && !needed)
        return CS_OK;
    /* what every server that speaks S3 has always known */
    rc = modern ? sha256_text(&out->text, body, sha256, err)
                : md5_text(&out->text, body, err);
    if (rc != CS_OK || (rc = cs_buf_check(&out->text, err)) != CS_OK)
        return rc;
    out->count = 1;
    out->header = (struct cs_net_header){modern ? CS_LIT("x-amz-checksum-sha256")
                                                : CS_LIT("Content-MD5"),
                                         cs_buf_view(&out->text)};
    return CS_OK;
}

/* Some answer with 501; Backblaze B2 says 400 InvalidArgument, "Unsupported header
 * 'x-amz-checksum-sha256' received for this API call". */
bool cs_s3_checksum_is_refused(const struct cs_aws_error *error)
{
    struct cs_view message = cs_aws_error_text(error, CS_AWS_ERROR_MESSAGE);

    return error->status == 501 ||
           (error->status == 400 && cs_aws_error_is(error, "InvalidArgument") &&
            cs_view_find(message, CS_LIT("x-amz-checksum-")) != SIZE_MAX);
}

enum cs_code cs_s3_checksum_give_up(struct cs_s3 *s3, const struct cs_aws_error *error,
                                    struct cs_err *err)
{
    if (s3->checksum == CS_S3_CHECKSUM_AUTO || s3->checksum == CS_S3_CHECKSUM_NONE) {
        s3->checksum = CS_S3_CHECKSUM_NONE;
        return CS_OK;
    }
    if (err != NULL && err->code == CS_OK)
        err->upstream_status = error->status;
    return cs_err_field(err, CS_EUNSUPPORTED, "S3_CHECKSUM", "checksum_refused",
                        "the server does not take the checksum header of S3_CHECKSUM: "
                        "set it to auto, md5 or none");
}
