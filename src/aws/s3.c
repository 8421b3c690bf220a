#include "config.h"

#include "aws/s3.h"

#include <stdlib.h>

#include "aws/s3_internal.h"
#include "aws/xml.h"
#include "base/encoding.h"

#define PATH_MAX_BYTES 8192u /* a key of 1024 bytes, each encoded */

/* ---- the client ---- */

static bool copy_text(char **out, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return true;
    *out = cs_view_dup(cs_view_cstr(text));
    return *out != NULL;
}

static enum cs_code make_endpoints(struct cs_s3 *s3, struct cs_err *err)
{
    struct cs_aws_endpoint_options public_place;
    enum cs_code rc;

    s3->place.region = cs_view_cstr(s3->region);
    public_place = s3->place;
    if (s3->public_url != NULL)
        public_place.url = cs_view_cstr(s3->public_url);
    if ((rc = cs_aws_endpoint_make(&s3->endpoint, &s3->place, err)) != CS_OK)
        return rc;
    return cs_aws_endpoint_make(&s3->public_endpoint, &public_place, err);
}

static enum cs_code fill(struct cs_s3 *s3, const struct cs_s3_options *options,
                         struct cs_err *err)
{
    if (!copy_text(&s3->region, options->region) ||
        !copy_text(&s3->bucket, options->bucket) || !copy_text(&s3->url, options->url) ||
        !copy_text(&s3->public_url, options->public_url) ||
        !copy_text(&s3->kms_key, options->kms_key))
        return cs_err_nomem(err);
    if (s3->bucket == NULL)
        return cs_err_field(err, CS_EINVAL, "S3_BUCKET_NAME", "bucket_malformed",
                            "S3_BUCKET_NAME is not set");
    s3->place = (struct cs_aws_endpoint_options){
        .service = CS_AWS_S3,
        .url = cs_view_cstr(s3->url),
        .bucket = cs_view_cstr(s3->bucket),
        .dual_stack = options->dual_stack,
        .fips = options->fips,
        .path_style = options->path_style,
    };
    return make_endpoints(s3, err);
}

struct cs_s3 *cs_s3_new(const struct cs_s3_options *options, struct cs_err *err)
{
    struct cs_s3 *s3 = calloc(1, sizeof(*s3));

    if (s3 == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    s3->aws = options->aws;
    s3->checksum = options->checksum;
    s3->payload = options->payload;
    cs_aws_endpoint_init(&s3->endpoint);
    cs_aws_endpoint_init(&s3->public_endpoint);
    cs_net_response_init(&s3->response, CS_S3_ANSWER_MAX);
    cs_aws_error_init(&s3->error);
    cs_buf_init(&s3->link_path, PATH_MAX_BYTES);
    cs_buf_init(&s3->link_query, CS_S3_QUERY_MAX);
    if (fill(s3, options, err) != CS_OK) {
        cs_s3_free(s3);
        return NULL;
    }
    return s3;
}

void cs_s3_free(struct cs_s3 *s3)
{
    if (s3 == NULL)
        return;
    cs_aws_endpoint_clear(&s3->endpoint);
    cs_aws_endpoint_clear(&s3->public_endpoint);
    cs_net_response_clear(&s3->response);
    cs_aws_error_clear(&s3->error);
    cs_buf_clear(&s3->link_path);
    cs_buf_clear(&s3->link_query);
    for (size_t i = 0; i < s3->retired_count; i++)
        free(s3->retired[i]);
    free(s3->region);
    free(s3->bucket);
    free(s3->url);
    free(s3->public_url);
    free(s3->kms_key);
    free(s3);
}

struct cs_view cs_s3_region(const struct cs_s3 *s3)
{
    return cs_view_cstr(s3->region);
}

/* The bucket lives elsewhere: from now on it is asked there. */
static bool relocate(struct cs_aws_call *call, struct cs_view region)
{
    struct cs_s3 *s3 = call->owner;
    char *copy;
    char *old = s3->region;

    if (cs_view_eq(region, cs_view_cstr(old))) { /* a call beside this one has moved it */
        call->region = cs_view_cstr(old);
        return true;
    }
    copy = s3->retired_count < CS_S3_RETIRED_MAX ? cs_view_dup(region) : NULL;
    if (copy == NULL)
        return false;
    s3->region = copy;
    if (make_endpoints(s3, NULL) != CS_OK) {
        s3->region = old;
        free(copy);
        if (make_endpoints(s3, NULL) != CS_OK)
            cs_buf_reset(&s3->endpoint.origin);
        return false;
    }
    s3->retired[s3->retired_count++] = old; /* calls beside this one may still name it */
    call->region = cs_view_cstr(s3->region);
    return true;
}

/* ---- calls ---- */

void cs_s3_add_param(struct cs_buf *query, const char *name, struct cs_view value)
{
    if (query->len > 0)
        cs_buf_add_byte(query, '&');
    cs_buf_add_cstr(query, name);
    cs_buf_add_byte(query, '=');
    cs_percent_encode(query, value, false);
}

char *cs_s3_header_dup(const struct cs_net_response *response, const char *name)
{
    return cs_view_dup(cs_net_response_header(response, name));
}

static enum cs_code choose_payload(struct cs_s3_call *out,
                                   const struct cs_s3_request *request,
                                   struct cs_err *err)
{
    enum cs_code rc;

    if (request->streamed != NULL) {
        out->call.payload = cs_aws_streamed_payload(request->streamed);
        out->call.streamed = request->streamed;
    } else if (request->payload.len > 0) {
        out->call.payload = request->payload;
    } else {
        if ((rc = cs_sha256_hex_of(out->payload, request->body.bytes, err)) != CS_OK)
            return rc;
        out->call.payload = cs_view_of(out->payload, CS_SHA256_HEX_LEN);
    }
    return CS_OK;
}

/* Whether an answer of 2xx is S3's: what is then taken for stored, or a list for all that
 * there is, must not have been a page of a proxy on the way. */
static bool is_sound(const struct cs_aws_call *call)
{
    static const struct {
        const char *operation;
        struct cs_view root; /* of its XML; empty: an ETag, or at least no body */
    } answers[] = {
        {"PutObject", CS_LIT_INIT("")},
        {"UploadPart", CS_LIT_INIT("")},
        {"CopyObject", CS_LIT_INIT("<CopyObjectResult")},
        {"CreateMultipartUpload", CS_LIT_INIT("<InitiateMultipartUploadResult")},
        /* ...Result; of some servers ...Response */
        {"CompleteMultipartUpload", CS_LIT_INIT("<CompleteMultipartUpload")},
        {"DeleteObjects", CS_LIT_INIT("<DeleteResult")},
        {"ListObjectsV2", CS_LIT_INIT("<ListBucketResult")},
        {"ListObjectVersions", CS_LIT_INIT("<ListVersionsResult")},
        {"ListMultipartUploads", CS_LIT_INIT("<ListMultipartUploadsResult")},
    };

    struct cs_view body = cs_buf_view(&call->response->body);
    size_t i = 0;

    while (i < CS_COUNT(answers) && strcmp(call->operation, answers[i].operation) != 0)
        i++;
    if (i == CS_COUNT(answers))
        return true;
    if (answers[i].root.len > 0)
        return cs_view_find(body, answers[i].root) != SIZE_MAX;
    return body.len == 0 || cs_net_response_header(call->response, "etag").len > 0;
}

enum cs_code cs_s3_call_init(struct cs_s3_call *out, struct cs_s3 *s3,
                             const struct cs_s3_request *request,
                             struct cs_net_response *response, struct cs_aws_error *error,
                             struct cs_deadline deadline, struct cs_err *err)
{
    enum cs_code rc;

    cs_buf_init(&out->path, PATH_MAX_BYTES);
    out->call = (struct cs_aws_call){
        .service = CS_AWS_S3,
        .operation = request->operation,
        .subject = request->key.len > 0 ? request->key : cs_view_cstr(s3->bucket),
        .subject_name = request->key.len > 0 ? NULL : "bucket",
        .endpoint = &s3->endpoint,
        .region = cs_view_cstr(s3->region),
        .method = request->method,
        .query = request->query,
        .headers = request->headers,
        .header_count = request->header_count,
        .body = request->body,
        .deadline = deadline,
        .error_in_200 = request->error_in_200,
        .relocate = relocate,
        .is_sound = is_sound,
        .owner = s3,
        .response = response,
        .error = error,
    };
    cs_buf_add_byte(&out->path, '/');
    cs_percent_encode(&out->path, request->key, true);
    if ((rc = cs_buf_check(&out->path, err)) == CS_OK)
        rc = choose_payload(out, request, err);
    if (request->key.len == 0 && s3->endpoint.path.len > 0)
        cs_buf_reset(&out->path); /* "/bucket", not "/bucket/" */
    out->call.path = cs_buf_view(&out->path);
    return rc;
}

void cs_s3_call_clear(struct cs_s3_call *call)
{
    cs_buf_clear(&call->path);
}

static enum cs_code perform_into(struct cs_s3 *s3, const struct cs_s3_request *request,
                                 struct cs_net_response *response,
                                 struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_s3_call call;
    enum cs_code rc;

    rc = cs_s3_call_init(&call, s3, request, response, &s3->error, deadline, err);
    if (rc == CS_OK)
        rc = cs_aws_perform(s3->aws, &call.call, err);
    cs_s3_call_clear(&call);
    return rc;
}

enum cs_code cs_s3_perform(struct cs_s3 *s3, const struct cs_s3_request *request,
                           struct cs_deadline deadline, struct cs_err *err)
{
    return perform_into(s3, request, &s3->response, deadline, err);
}

/* ---- put ---- */

size_t cs_s3_info_headers(const struct cs_s3 *s3, const struct cs_s3_info *info,
                          struct cs_net_header *out)
{
    const struct cs_net_header all[] = {
        {CS_LIT("Content-Type"), info->content_type},
        {CS_LIT("Cache-Control"), info->cache_control},
        {CS_LIT("Content-Disposition"), info->content_disposition},
        {CS_LIT("Content-Encoding"), info->content_encoding},
        {CS_LIT("x-amz-meta-sha256"), cs_view_cstr(info->sha256)},
        {CS_LIT("x-amz-meta-size"), info->size},
        {CS_LIT("x-amz-server-side-encryption"),
         s3->kms_key != NULL ? CS_LIT("aws:kms") : cs_view_of("", 0)},
        {CS_LIT("x-amz-server-side-encryption-aws-kms-key-id"),
         cs_view_cstr(s3->kms_key)},
    };
    size_t count = 0;

    for (size_t i = 0; i < CS_COUNT(all); i++)
        if (all[i].value.len > 0)
            out[count++] = all[i];
    return count;
}

static enum cs_code take_version(void *payload, size_t n,
                                 const struct cs_net_response *response,
                                 struct cs_view checksum, struct cs_err *err)
{
    struct cs_s3_put *puts = payload;

    (void)checksum;
    puts[n].version_out = cs_s3_header_dup(response, "x-amz-version-id");
    return puts[n].version_out != NULL ? CS_OK : cs_err_nomem(err);
}

enum cs_code cs_s3_put_many(struct cs_s3 *s3, struct cs_s3_put *puts, size_t count,
                            struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_s3_outgoing items[CS_S3_PUT_MANY_MAX];
    const struct cs_s3_batch batch = {items, count, take_version, puts};
    enum cs_code rc;

    for (size_t i = 0; i < count; i++)
        puts[i].version_out = NULL;
    if (count > CS_S3_PUT_MANY_MAX)
        return cs_err_set(err, CS_EINTERNAL, "too many puts at once");
    for (size_t i = 0; i < count; i++)
        items[i] = (struct cs_s3_outgoing){.request = {.operation = "PutObject",
                                                       .method = "PUT",
                                                       .key = puts[i].info.key,
                                                       .body = puts[i].body},
                                           .info = &puts[i].info,
                                           .sha256 = puts[i].payload_sha256};
    rc = cs_s3_send(s3, &batch, deadline, err);
    for (size_t i = 0; i < count && rc != CS_OK; i++) {
        free(puts[i].version_out);
        puts[i].version_out = NULL;
    }
    return rc;
}

/* ---- get, delete, copy ---- */

bool cs_s3_is_bad_version(const struct cs_aws_error *error, struct cs_view version)
{
    return version.len > 0 && error->status == 400 &&
           (cs_aws_error_is(error, "InvalidArgument") ||
            cs_aws_error_is(error, "NoSuchVersion") ||
            cs_aws_error_text(error, CS_AWS_ERROR_CODE).ptr == NULL);
}

enum cs_code cs_s3_get(struct cs_s3 *s3, const struct cs_s3_get *get,
                       struct cs_net_response *response, struct cs_deadline deadline,
                       struct cs_err *err)
{
    struct cs_net_header headers[2];
    struct cs_buf query = CS_BUF_INIT(CS_S3_QUERY_MAX);
    struct cs_s3_request request = {.operation = get->head ? "HeadObject" : "GetObject",
                                    .method = get->head ? "HEAD" : "GET",
                                    .key = get->key,
                                    .headers = headers};
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    if (get->range != NULL)
        headers[request.header_count++] =
            (struct cs_net_header){CS_LIT("Range"), cs_view_cstr(get->range)};
    if (get->if_match.len > 0)
        headers[request.header_count++] =
            (struct cs_net_header){CS_LIT("If-Match"), get->if_match};
    if (get->version.len > 0)
        cs_s3_add_param(&query, "versionId", get->version);
    request.query = cs_buf_view(&query);
    if ((rc = cs_buf_check(&query, &why)) == CS_OK)
        rc = perform_into(s3, &request, response, deadline, &why);
    cs_buf_clear(&query);
    if (rc == CS_EUPSTREAM && cs_s3_is_bad_version(&s3->error, get->version))
        return cs_err_set(err, CS_ENOTFOUND, "there is no such version");
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

enum cs_code cs_s3_delete(struct cs_s3 *s3, struct cs_view key, struct cs_view version,
                          struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_buf query = CS_BUF_INIT(CS_S3_QUERY_MAX);
    struct cs_s3_request request = {
        .operation = "DeleteObject", .method = "DELETE", .key = key};
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    if (version.len > 0)
        cs_s3_add_param(&query, "versionId", version);
    request.query = cs_buf_view(&query);
    if ((rc = cs_buf_check(&query, &why)) == CS_OK)
        rc = cs_s3_perform(s3, &request, deadline, &why);
    cs_buf_clear(&query);
    if (rc == CS_ENOTFOUND && !cs_aws_error_is(&s3->error, "NoSuchBucket"))
        return CS_OK;
    if (rc == CS_EUPSTREAM && cs_s3_is_bad_version(&s3->error, version))
        return CS_OK;
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

enum cs_code cs_s3_copy(struct cs_s3 *s3, struct cs_view from,
                        struct cs_view from_version, struct cs_view to,
                        char **version_out, struct cs_deadline deadline,
                        struct cs_err *err)
{
    struct cs_buf source = CS_BUF_INIT(PATH_MAX_BYTES);
    const struct cs_s3_info info = {.key = to}; /* the encryption alone is ours */
    struct cs_net_header headers[CS_S3_INFO_HEADERS_MAX + 1];
    struct cs_s3_request request = {.operation = "CopyObject",
                                    .method = "PUT",
                                    .key = to,
                                    .headers = headers,
                                    .error_in_200 = true};
    enum cs_code rc;

    *version_out = NULL;
    cs_buf_add_cstr(&source, s3->bucket);
    cs_buf_add_byte(&source, '/');
    cs_percent_encode(&source, from, true);
    if (from_version.len > 0) {
        cs_buf_add(&source, CS_LIT("?versionId="));
        cs_percent_encode(&source, from_version, false);
    }
    request.header_count = cs_s3_info_headers(s3, &info, headers);
    headers[request.header_count++] =
        (struct cs_net_header){CS_LIT("x-amz-copy-source"), cs_buf_view(&source)};
    if ((rc = cs_buf_check(&source, err)) == CS_OK)
        rc = cs_s3_perform(s3, &request, deadline, err);
    cs_buf_clear(&source);
    if (rc == CS_OK) {
        *version_out = cs_s3_header_dup(&s3->response, "x-amz-version-id");
        rc = *version_out != NULL ? CS_OK : cs_err_nomem(err);
    }
    return rc;
}

/* ---- addresses ---- */

void cs_s3_add_url(const struct cs_s3 *s3, struct cs_view key, struct cs_buf *out)
{
    cs_buf_add(out, cs_buf_view(&s3->public_endpoint.origin));
    cs_buf_add(out, cs_buf_view(&s3->public_endpoint.path));
    cs_buf_add_byte(out, '/');
    cs_percent_encode(out, key, true);
}

enum cs_code cs_s3_presign(struct cs_s3 *s3, const struct cs_s3_link *link,
                           struct cs_buf *out, int64_t *expires_at_us, struct cs_err *err)
{
    struct cs_buf *path = &s3->link_path;
    struct cs_buf *query = &s3->link_query;
    struct cs_aws_presign what = {.service = CS_AWS_S3,
                                  .endpoint = &s3->public_endpoint,
                                  .region = cs_view_cstr(s3->region),
                                  .method = link->method,
                                  .ttl_s = link->ttl_s,
                                  .deadline = link->deadline};
    enum cs_code rc;

    *expires_at_us = 0;
    cs_buf_reset(path);
    cs_buf_reset(query);
    cs_buf_add_byte(path, '/');
    cs_percent_encode(path, link->key, true);
    /* in the order of their names */
    if (link->content_disposition.len > 0)
        cs_s3_add_param(query, "response-content-disposition", link->content_disposition);
    if (link->content_type.len > 0)
        cs_s3_add_param(query, "response-content-type", link->content_type);
    if (link->version.len > 0)
        cs_s3_add_param(query, "versionId", link->version);
    what.path = cs_buf_view(path);
    what.query = cs_buf_view(query);
    if ((rc = cs_buf_check(path, err)) != CS_OK ||
        (rc = cs_buf_check(query, err)) != CS_OK)
        return rc;
    return cs_aws_presign(s3->aws, &what, out, expires_at_us, err);
}
