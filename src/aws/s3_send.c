/* Bodies on their way to S3, side by side: of objects and of parts. Their bytes are sent
 * as they are, signed by their SHA-256 or not, or in chunks; the checksum that the mode
 * asks for goes along in the head, or behind them. */
#include "config.h"

#include <stdlib.h>

#include "aws/s3_internal.h"

#define ENCODING_MAX 128u
#define HEADERS_MAX  (CS_S3_INFO_HEADERS_MAX + 1u + CS_STREAMED_HEADERS_MAX)

/* One of them, with all the memory of its call. */
struct sending {
    struct cs_s3_call call;
    struct cs_net_response response;
    struct cs_aws_error error;
    struct cs_net_header headers[HEADERS_MAX];
    size_t header_count;
    char sha256[CS_SHA256_HEX_LEN + 1];    /* of the body, where it was not given */
    struct cs_aws_streamed *streamed;      /* NULL: it goes as it is */
    struct cs_buf encoding;                /* Content-Encoding, where streamed */
    struct cs_s3_checksum_header checksum; /* where not */
};

static void init(struct sending *s)
{
    *s = (struct sending){.encoding = CS_BUF_INIT(ENCODING_MAX),
                          .checksum = {.text = CS_BUF_INIT(CS_S3_CHECKSUM_TEXT_MAX)}};
    cs_buf_init(&s->call.path, 0);
    cs_net_response_init(&s->response, CS_S3_ANSWER_MAX);
    cs_aws_error_init(&s->error);
}

static void clear(struct sending *s)
{
    cs_s3_call_clear(&s->call);
    cs_net_response_clear(&s->response);
    cs_aws_error_clear(&s->error);
    cs_aws_streamed_free(s->streamed);
    cs_buf_clear(&s->encoding);
    cs_buf_clear(&s->checksum.text);
}

/* ---- one ---- */

/* Whether the client's options have it sent in chunks, and of which kind. */
static bool goes_in_chunks(const struct cs_s3 *s3, enum cs_stream_kind *kind_out)
{
    bool trailing = cs_s3_checksum_is_sha256(s3);
    bool tls = cs_view_starts(cs_buf_view(&s3->endpoint.origin), CS_LIT("https://"));

    if (s3->payload == CS_S3_PAYLOAD_UNSIGNED && tls) {
        *kind_out = CS_STREAM_UNSIGNED_TRAILER;
        return trailing;
    }
    *kind_out = trailing ? CS_STREAM_SIGNED_TRAILER : CS_STREAM_SIGNED;
    return s3->payload != CS_S3_PAYLOAD_SIGNED;
}

static enum cs_code stream(struct sending *s, enum cs_stream_kind kind,
                           const struct cs_net_body *body, struct cs_view encoding,
                           struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    s->streamed = cs_aws_streamed_new(kind, body, &why);
    if (s->streamed == NULL) {
        cs_err_hand_on(err, &why);
        return why.code;
    }
    cs_buf_add(&s->encoding, CS_LIT("aws-chunked"));
    if (encoding.len > 0) {
        cs_buf_add_byte(&s->encoding, ',');
        cs_buf_add(&s->encoding, encoding);
    }
    if ((rc = cs_buf_check(&s->encoding, err)) != CS_OK)
        return rc;
    s->headers[s->header_count++] =
        (struct cs_net_header){CS_LIT("Content-Encoding"), cs_buf_view(&s->encoding)};
    s->header_count += cs_aws_streamed_headers(s->streamed, s->headers + s->header_count);
    return CS_OK;
}

static enum cs_code hash_body(const struct cs_net_body *body,
                              char hex[CS_SHA256_HEX_LEN + 1], struct cs_err *err)
{
    const struct cs_file_part file = cs_s3_body_file(body);

    return body->kind == CS_NET_BODY_FILE ? cs_file_sha256(&file, hex, err)
                                          : cs_sha256_hex_of(hex, body->bytes, err);
}

/* As it is. Its digest is made once, for the signature and the checksum. */
static enum cs_code protect(struct sending *s, const struct cs_s3 *s3,
                            const struct cs_s3_outgoing *what,
                            struct cs_s3_request *request, struct cs_err *err)
{
    const char *sha256 = what->sha256;
    enum cs_code rc;

    request->payload = CS_LIT(CS_SIGV4_UNSIGNED);
    if (s3->payload == CS_S3_PAYLOAD_SIGNED) {
        if (sha256 == NULL) {
            if ((rc = hash_body(&request->body, s->sha256, err)) != CS_OK)
                return rc;
            sha256 = s->sha256;
        }
        request->payload = cs_view_cstr(sha256);
    }
    rc = cs_s3_checksum_add(s3, &request->body, sha256, false, &s->checksum, err);
    if (rc == CS_OK && s->checksum.count > 0)
        s->headers[s->header_count++] = s->checksum.header;
    return rc;
}

static enum cs_code ready(struct sending *s, struct cs_s3 *s3,
                          const struct cs_s3_outgoing *what, struct cs_deadline deadline,
                          struct cs_err *err)
{
    struct cs_s3_request request = what->request;
    struct cs_s3_info info = {.key = request.key};
    struct cs_view encoding;
    enum cs_stream_kind kind;
    bool chunked = goes_in_chunks(s3, &kind);
    enum cs_code rc;

    if (what->info != NULL)
        info = *what->info;
    encoding = info.content_encoding;
    if (chunked)
        info.content_encoding = cs_view_of("", 0); /* stream() says it */
    if (what->info != NULL)
        s->header_count = cs_s3_info_headers(s3, &info, s->headers);
    rc = chunked ? stream(s, kind, &request.body, encoding, err)
                 : protect(s, s3, what, &request, err);
    if (rc != CS_OK)
        return rc;
    request.streamed = s->streamed;
    request.headers = s->headers;
    request.header_count = s->header_count;
    return cs_s3_call_init(&s->call, s3, &request, &s->response, &s->error, deadline,
                           err);
}

/* ---- all ---- */

static enum cs_code send_once(struct cs_s3 *s3, struct sending *all,
                              const struct cs_s3_batch *batch,
                              struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_aws_call *calls[CS_S3_SEND_MAX] = {NULL};
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < batch->count && rc == CS_OK; i++) {
        rc = ready(&all[i], s3, &batch->items[i], deadline, err);
        calls[i] = &all[i].call.call;
    }
    if (rc != CS_OK)
        return rc;
    cs_aws_perform_many(s3->aws, calls, batch->count, batch->count, err);
    for (size_t i = 0; i < batch->count && rc == CS_OK; i++)
        rc = calls[i]->code;
    return rc;
}

static bool has_checksum(const struct sending *s)
{
    return s->checksum.count > 0 ||
           (s->streamed != NULL && cs_aws_streamed_has_trailer(s->streamed));
}

/* The first that was refused because of its checksum; NULL: none was. */
static const struct cs_aws_error *refused_checksum(const struct sending *all,
                                                   size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (has_checksum(&all[i]) && cs_s3_checksum_is_refused(&all[i].error))
            return &all[i].error;
    return NULL;
}

/* The SHA-256 that went along, in base64; "" where none did. */
static struct cs_view sent_checksum(const struct sending *s, const struct cs_s3 *s3)
{
    if (s->streamed != NULL)
        return cs_aws_streamed_checksum(s->streamed);
    return s->checksum.count > 0 && cs_s3_checksum_is_sha256(s3)
               ? s->checksum.header.value
               : cs_view_of("", 0);
}

static enum cs_code send_and_repeat(struct cs_s3 *s3, struct sending *all,
                                    const struct cs_s3_batch *batch,
                                    struct cs_deadline deadline, struct cs_err *err)
{
    const struct cs_aws_error *refused;
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = send_once(s3, all, batch, deadline, &why);

    /* Not every server that speaks S3 knows the newer headers. */
    if (rc != CS_OK && (refused = refused_checksum(all, batch->count)) != NULL) {
        why = CS_ERR_NONE;
        if ((rc = cs_s3_checksum_give_up(s3, refused, &why)) == CS_OK) {
            for (size_t i = 0; i < batch->count; i++) {
                clear(&all[i]);
                init(&all[i]);
            }
            rc = send_once(s3, all, batch, deadline, &why);
        }
    }
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

enum cs_code cs_s3_send(struct cs_s3 *s3, const struct cs_s3_batch *batch,
                        struct cs_deadline deadline, struct cs_err *err)
{
    struct sending *all;
    enum cs_code rc;

    if (batch->count == 0)
        return CS_OK;
    if (batch->count > CS_S3_SEND_MAX)
        return cs_err_set(err, CS_EINTERNAL, "too many bodies at once");
    all = calloc(batch->count, sizeof(*all));
    if (all == NULL)
        return cs_err_nomem(err);
    for (size_t i = 0; i < batch->count; i++)
        init(&all[i]);
    rc = send_and_repeat(s3, all, batch, deadline, err);
    for (size_t i = 0; i < batch->count && rc == CS_OK; i++)
        rc = batch->sent(batch->payload, i, &all[i].response, sent_checksum(&all[i], s3),
                         err);
    for (size_t i = 0; i < batch->count; i++)
        clear(&all[i]);
    free(all);
    return rc;
}
