#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/s3_internal.h"
#include "aws/xml.h"

#define ID_MAX    4096u
#define ETAG_MAX  256u
#define PARTS_MAX 10000u

struct cs_s3_upload {
    struct cs_s3 *s3;
    char *key;
    char *sha256; /* what the object is to say of itself; "" */
    struct cs_buf id;
    struct cs_buf parts; /* the XML of the parts so far */
    unsigned count;
};

/* ---- begin ---- */

static bool on_id(void *payload, struct cs_view path, struct cs_view text)
{
    struct cs_s3_upload *upload = payload;

    if (cs_view_eq(path, CS_LIT("InitiateMultipartUploadResult/UploadId")))
        cs_buf_add(&upload->id, text);
    return true;
}

void cs_s3_upload_free(struct cs_s3_upload *upload)
{
    if (upload == NULL)
        return;
    cs_buf_clear(&upload->id);
    cs_buf_clear(&upload->parts);
    free(upload->key);
    free(upload->sha256);
    free(upload);
}

/* Says that the parts will come with checksums, where they will. */
static enum cs_code announce(struct cs_s3_upload *upload, const struct cs_s3_info *info,
                             struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_net_header headers[CS_S3_INFO_HEADERS_MAX + 1];
    struct cs_s3_request request = {
        .operation = "CreateMultipartUpload",
        .method = "POST",
        .key = info->key,
        .query = CS_LIT("uploads="),
        .headers = headers,
        .header_count = cs_s3_info_headers(upload->s3, info, headers),
    };

    if (cs_s3_checksum_is_sha256(upload->s3))
        headers[request.header_count++] =
            (struct cs_net_header){CS_LIT("x-amz-checksum-algorithm"), CS_LIT("SHA256")};
    return cs_s3_perform(upload->s3, &request, deadline, err);
}

static enum cs_code begin(struct cs_s3_upload *upload, const struct cs_s3_info *info,
                          struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_s3 *s3 = upload->s3;
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = announce(upload, info, deadline, &why);

    if (rc != CS_OK && cs_s3_checksum_is_sha256(s3) &&
        cs_s3_checksum_is_refused(&s3->error)) {
        why = CS_ERR_NONE;
        if ((rc = cs_s3_checksum_give_up(s3, &s3->error, &why)) == CS_OK)
            rc = announce(upload, info, deadline, &why);
    }
    if (rc != CS_OK) {
        cs_err_hand_on(err, &why);
        return rc;
    }
    if ((rc = cs_xml_read(cs_buf_view(&s3->response.body), on_id, upload, err)) != CS_OK)
        return rc;
    if (upload->id.len == 0)
        return cs_err_set(err, CS_EUPSTREAM,
                          "S3 CreateMultipartUpload gave no upload id");
    return cs_buf_check(&upload->id, err);
}

enum cs_code cs_s3_upload_begin(struct cs_s3 *s3, const struct cs_s3_info *info,
                                struct cs_s3_upload **out, struct cs_deadline deadline,
                                struct cs_err *err)
{
    struct cs_s3_upload *upload = calloc(1, sizeof(*upload));
    enum cs_code rc;

    *out = NULL;
    if (upload == NULL)
        return cs_err_nomem(err);
    upload->s3 = s3;
    cs_buf_init(&upload->id, ID_MAX);
    cs_buf_init(&upload->parts, PARTS_MAX * (ETAG_MAX + CS_S3_CHECKSUM_TEXT_MAX + 150u));
    upload->key = cs_view_dup(info->key);
    upload->sha256 = cs_view_dup(cs_view_cstr(info->sha256));
    rc = upload->key != NULL && upload->sha256 != NULL
             ? begin(upload, info, deadline, err)
             : cs_err_nomem(err);
    if (rc != CS_OK) {
        cs_s3_upload_free(upload);
        return rc;
    }
    *out = upload;
    return CS_OK;
}

struct cs_view cs_s3_upload_id(const struct cs_s3_upload *upload)
{
    return cs_buf_view(&upload->id);
}

/* ---- parts ---- */

static enum cs_code note_part(void *payload, size_t n,
                              const struct cs_net_response *response,
                              struct cs_view checksum, struct cs_err *err)
{
    struct cs_s3_upload *upload = payload;
    struct cs_view etag = cs_net_response_header(response, "etag");

    (void)n; /* they come in their order */
    if (etag.len == 0 || etag.len > ETAG_MAX)
        return cs_err_set(err, CS_EUPSTREAM, "S3 UploadPart gave no ETag");
    upload->count++;
    cs_buf_add_fmt(&upload->parts, "<Part><PartNumber>%u</PartNumber>", upload->count);
    cs_xml_add(&upload->parts, "ETag", etag);
    if (checksum.len > 0)
        cs_xml_add(&upload->parts, "ChecksumSHA256", checksum);
    cs_buf_add_cstr(&upload->parts, "</Part>");
    return cs_buf_check(&upload->parts, err);
}

enum cs_code cs_s3_upload_parts(struct cs_s3_upload *upload,
                                const struct cs_net_body *parts, size_t count,
                                struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_s3_outgoing items[CS_S3_PARTS_AT_ONCE];
    struct cs_buf queries[CS_S3_PARTS_AT_ONCE];
    const struct cs_s3_batch batch = {items, count, note_part, upload};
    enum cs_code rc = CS_OK;

    if (count > CS_S3_PARTS_AT_ONCE)
        return cs_err_set(err, CS_EINTERNAL, "too many parts at once");
    if (upload->count + count > PARTS_MAX)
        return cs_err_set(err, CS_ETOOBIG, "an object of more than %u parts", PARTS_MAX);
    for (size_t i = 0; i < count; i++) {
        cs_buf_init(&queries[i], CS_S3_QUERY_MAX);
        cs_buf_add_fmt(&queries[i], "partNumber=%zu", upload->count + 1 + i);
        cs_s3_add_param(&queries[i], "uploadId", cs_buf_view(&upload->id));
        if (rc == CS_OK)
            rc = cs_buf_check(&queries[i], err);
        items[i] = (struct cs_s3_outgoing){.request = {.operation = "UploadPart",
                                                       .method = "PUT",
                                                       .key = cs_view_cstr(upload->key),
                                                       .query = cs_buf_view(&queries[i]),
                                                       .body = parts[i]}};
    }
    if (rc == CS_OK)
        rc = cs_s3_send(upload->s3, &batch, deadline, err);
    for (size_t i = 0; i < count; i++)
        cs_buf_clear(&queries[i]);
    return rc;
}

/* ---- end ---- */

static enum cs_code take_version(struct cs_s3_upload *upload, char **version_out,
                                 struct cs_err *err)
{
    *version_out = cs_s3_header_dup(&upload->s3->response, "x-amz-version-id");
    return *version_out != NULL ? CS_OK : cs_err_nomem(err);
}

/* A completion whose answer was lost on its way finds no upload when it is repeated, as
 * that is an object now: of these bytes, if it says so. */
static enum cs_code find_completed(struct cs_s3_upload *upload, char **version_out,
                                   struct cs_deadline deadline, const struct cs_err *gone,
                                   struct cs_err *err)
{
    const struct cs_s3_get get = {.key = cs_view_cstr(upload->key), .head = true};
    struct cs_net_response *response = &upload->s3->response;
    enum cs_code rc = cs_s3_get(upload->s3, &get, response, deadline, NULL);

    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    if (rc == CS_OK && upload->sha256[0] != '\0' &&
        cs_view_eq_cstr(cs_net_response_header(response, "x-amz-meta-sha256"),
                        upload->sha256))
        return take_version(upload, version_out, err);
    cs_err_hand_on(err, gone);
    return gone->code;
}

enum cs_code cs_s3_upload_complete(struct cs_s3_upload *upload, char **version_out,
                                   struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_buf query = CS_BUF_INIT(CS_S3_QUERY_MAX);
    struct cs_buf body = CS_BUF_INIT(upload->parts.len + 200);
    const struct cs_net_header header = {CS_LIT("Content-Type"),
                                         CS_LIT("application/xml")};
    struct cs_s3_request request = {.operation = "CompleteMultipartUpload",
                                    .method = "POST",
                                    .key = cs_view_cstr(upload->key),
                                    .headers = &header,
                                    .header_count = 1,
                                    .error_in_200 = true};
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    *version_out = NULL;
    cs_s3_add_param(&query, "uploadId", cs_buf_view(&upload->id));
    cs_buf_add_cstr(&body, "<CompleteMultipartUpload" CS_S3_XMLNS ">");
    cs_buf_add(&body, cs_buf_view(&upload->parts));
    cs_buf_add_cstr(&body, "</CompleteMultipartUpload>");
    request.query = cs_buf_view(&query);
    request.body =
        (struct cs_net_body){.kind = CS_NET_BODY_BYTES, .bytes = cs_buf_view(&body)};
    if ((rc = cs_buf_check(&query, &why)) == CS_OK &&
        (rc = cs_buf_check(&body, &why)) == CS_OK)
        rc = cs_s3_perform(upload->s3, &request, deadline, &why);
    cs_buf_clear(&query);
    cs_buf_clear(&body);
    if (rc == CS_OK)
        return take_version(upload, version_out, err);
    if (rc == CS_ENOTFOUND && cs_aws_error_is(&upload->s3->error, "NoSuchUpload"))
        return find_completed(upload, version_out, deadline, &why, err);
    cs_err_hand_on(err, &why);
    return rc;
}

enum cs_code cs_s3_upload_drop(struct cs_s3 *s3, struct cs_view key,
                               struct cs_view upload_id, struct cs_deadline deadline,
                               struct cs_err *err)
{
    struct cs_buf query = CS_BUF_INIT(CS_S3_QUERY_MAX);
    struct cs_s3_request request = {
        .operation = "AbortMultipartUpload", .method = "DELETE", .key = key};
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    cs_s3_add_param(&query, "uploadId", upload_id);
    request.query = cs_buf_view(&query);
    if ((rc = cs_buf_check(&query, &why)) == CS_OK)
        rc = cs_s3_perform(s3, &request, deadline, &why);
    cs_buf_clear(&query);
    if (rc == CS_ENOTFOUND)
        return CS_OK;
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

void cs_s3_upload_abort(struct cs_s3_upload *upload, struct cs_deadline deadline)
{
    if (upload == NULL)
        return;
    /* the call itself logs a failure */
    (void)!cs_s3_upload_drop(upload->s3, cs_view_cstr(upload->key),
                             cs_buf_view(&upload->id), deadline, NULL);
    cs_s3_upload_free(upload);
}
