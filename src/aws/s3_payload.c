/* How the bytes of an upload are sent: as they are, signed by their SHA-256 or not, or in
 * chunks. */
#include "config.h"

#include "aws/s3_internal.h"

static enum cs_code stream(struct cs_s3_way *out, enum cs_stream_kind kind,
                           const struct cs_net_body *body, struct cs_view encoding,
                           struct cs_err *err)
{
    cs_buf_add(&out->encoding, CS_LIT("aws-chunked"));
    if (encoding.len > 0) {
        cs_buf_add_byte(&out->encoding, ',');
        cs_buf_add(&out->encoding, encoding);
    }
    out->trailing = cs_stream_has_trailer(kind);
    out->streamed = cs_aws_streamed_new(kind, body, err);
    if (out->streamed == NULL)
        return err != NULL && err->code != CS_OK ? err->code : CS_ENOMEM;
    return cs_buf_check(&out->encoding, err);
}

enum cs_code cs_s3_way_choose(struct cs_s3_way *out, const struct cs_s3 *s3,
                              const struct cs_net_body *body, struct cs_view encoding,
                              struct cs_err *err)
{
    bool trailing = cs_s3_checksum_is_sha256(s3);
    bool tls = cs_view_starts(cs_buf_view(&s3->endpoint.origin), CS_LIT("https://"));

    *out = CS_S3_WAY_NONE;
    if (s3->payload == CS_S3_PAYLOAD_SIGNED)
        return CS_OK;
    if (s3->payload == CS_S3_PAYLOAD_CHUNKED || !tls)
        return stream(out, trailing ? CS_STREAM_SIGNED_TRAILER : CS_STREAM_SIGNED, body,
                      encoding, err);
    if (trailing)
        return stream(out, CS_STREAM_UNSIGNED_TRAILER, body, encoding, err);
    out->payload = CS_LIT(CS_SIGV4_UNSIGNED);
    return CS_OK;
}

void cs_s3_way_clear(struct cs_s3_way *way)
{
    cs_aws_streamed_free(way->streamed);
    cs_buf_clear(&way->encoding);
    way->streamed = NULL;
}

size_t cs_s3_way_headers(const struct cs_s3_way *way, struct cs_net_header *out)
{
    size_t count = 0;

    if (way->streamed == NULL)
        return 0;
    out[count++] =
        (struct cs_net_header){CS_LIT("Content-Encoding"), cs_buf_view(&way->encoding)};
    return count + cs_aws_streamed_headers(way->streamed, out + count);
}
