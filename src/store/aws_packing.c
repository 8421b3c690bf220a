/* Objects that S3 keeps compressed, with Content-Encoding: gzip, so that links to them
 * work in browsers as they are. Their size as it was put stands in the metadata. And
 * texts in items of DynamoDB, which costs by the KB. */
#include "config.h"

#include "store/aws_packing.h"

#include <inttypes.h>
#include <stdio.h>

#include "aws/attribute.h"
#include "base/deflate.h"
#include "base/encoding.h"
#include "base/file.h"

#define LEVEL         6
#define WORTH_IT      1024u  /* bytes; less gains nothing */
#define TEXT_WORTH_IT 512u   /* bytes of a text in an item */
#define OVERHEAD_MAX  65536u /* of what can't be compressed */

struct file_packing {
    struct cs_gzip *gzip;
    struct cs_buf *out;
    uint64_t left; /* bytes of the file */
};

static enum cs_code pack_block(void *payload, struct cs_view block, struct cs_err *err)
{
    struct file_packing *packing = payload;

    packing->left -= block.len;
    return cs_gzip_add(packing->gzip, packing->out, block, packing->left == 0, err);
}

static enum cs_code pack_file(struct cs_gzip *gzip, struct cs_buf *out, int fd,
                              uint64_t size, struct cs_err *err)
{
    struct file_packing packing = {gzip, out, size};

    return cs_file_each_block(&(struct cs_file_part){.fd = fd, .size = size}, pack_block,
                              &packing, err);
}

enum cs_code cs_aws_pack(struct cs_aws_packed *out, struct cs_view bytes, int fd,
                         uint64_t size, struct cs_err *err)
{
    struct cs_gzip *gzip;
    enum cs_code rc;

    *out = CS_AWS_PACKED_NONE;
    if (size < WORTH_IT)
        return CS_OK;
    if ((gzip = cs_gzip_new(LEVEL)) == NULL)
        return cs_err_nomem(err);
    cs_buf_init(&out->bytes, (size_t)size + OVERHEAD_MAX);
    rc = fd >= 0 ? pack_file(gzip, &out->bytes, fd, size, err)
                 : cs_gzip_add(gzip, &out->bytes, bytes, true, err);
    cs_gzip_free(gzip);
    /* a little smaller is not worth the work of each reading */
    if (rc == CS_OK && out->bytes.len < size - size / 16) {
        (void)snprintf(out->size, sizeof(out->size), "%" PRIu64, size);
        if ((rc = cs_sha256_hex_of(out->sha256, cs_buf_view(&out->bytes), err)) == CS_OK)
            return CS_OK;
    }
    cs_buf_clear(&out->bytes);
    return rc;
}

void cs_aws_packed_put(const struct cs_aws_packed *packed, struct cs_s3_put *put)
{
    put->info.content_encoding = CS_LIT("gzip");
    put->info.size = cs_view_cstr(packed->size);
    put->body = (struct cs_net_body){.kind = CS_NET_BODY_BYTES,
                                     .bytes = cs_buf_view(&packed->bytes)};
    put->payload_sha256 = packed->sha256;
}

/* ---- texts in items ---- */

enum cs_code cs_aws_item_add_packed(struct cs_json_writer *w, const char *name,
                                    struct cs_view text, struct cs_err *err)
{
    struct cs_buf packed = CS_BUF_INIT(text.len + OVERHEAD_MAX);
    struct cs_gzip *gzip;
    enum cs_code rc;

    if (text.len < TEXT_WORTH_IT) {
        cs_item_add_text(w, name, text);
        return CS_OK;
    }
    if ((gzip = cs_gzip_new(LEVEL)) == NULL)
        return cs_err_nomem(err);
    rc = cs_gzip_add(gzip, &packed, text, true, err);
    cs_gzip_free(gzip);
    if (rc == CS_OK && packed.len < text.len - text.len / 16)
        cs_item_add_binary(w, name, cs_buf_view(&packed));
    else if (rc == CS_OK)
        cs_item_add_text(w, name, text);
    cs_buf_clear(&packed);
    return rc;
}

void cs_aws_unpacking_clear(struct cs_aws_unpacking *unpacking)
{
    cs_inflate_free(unpacking->inflate);
    cs_buf_clear(&unpacking->packed);
    unpacking->inflate = NULL;
}

enum cs_code cs_aws_unpack(struct cs_aws_unpacking *unpacking, struct cs_buf *out,
                           struct cs_view base64, struct cs_err *err)
{
    enum cs_code rc;

    if (unpacking->inflate == NULL && (unpacking->inflate = cs_inflate_new()) == NULL)
        return cs_err_nomem(err);
    cs_buf_reset(&unpacking->packed);
    if ((rc = cs_base64_decode(&unpacking->packed, base64, err)) == CS_OK)
        rc = cs_inflate_gzip(unpacking->inflate, out, cs_buf_view(&unpacking->packed),
                             err);
    /* too large is what the end of a damaged one says */
    return rc == CS_EINVAL || rc == CS_ETOOBIG ? CS_EUPSTREAM : rc;
}
