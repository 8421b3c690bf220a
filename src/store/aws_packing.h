/* store/aws_packing.h: what is kept compressed (gzip): texts in items of DynamoDB, and
 * objects. Private to the AWS store. */
#ifndef CS_STORE_AWS_PACKING_H
#define CS_STORE_AWS_PACKING_H

#include "aws/s3.h"
#include "json/write.h"

struct cs_inflate;

/* ---- texts in items ---- */

#define CS_AWS_ITEM_TEXT_MAX (8u << 20) /* JSON made of 400 KiB written by others */

/* What reading compressed texts takes memory for, made at the first one. */
struct cs_aws_unpacking {
    struct cs_inflate *inflate;
    struct cs_buf packed;
};

#define CS_AWS_UNPACKING_INIT                   \
    {                                           \
        NULL, CS_BUF_INIT(CS_AWS_ITEM_TEXT_MAX) \
    }

/* A member "name" of an item: {"S":text}, or {"B":...} of what it compresses to where
 * that is worth it. */
enum cs_code cs_aws_item_add_packed(struct cs_json_writer *w, const char *name,
                                    struct cs_view text, struct cs_err *err) CS_MUST_USE;

void cs_aws_unpacking_clear(struct cs_aws_unpacking *unpacking);

/* Appends the text of such a {"B":base64}. CS_EUPSTREAM for what is none. */
enum cs_code cs_aws_unpack(struct cs_aws_unpacking *unpacking, struct cs_buf *out,
                           struct cs_view base64, struct cs_err *err) CS_MUST_USE;

/* ---- objects ---- */

struct cs_aws_packed {
    struct cs_buf bytes;                /* empty: it is not worth it */
    char size[24];                      /* as it was, decimal */
    char sha256[CS_SHA256_HEX_LEN + 1]; /* of the compressed bytes */
};

#define CS_AWS_PACKED_NONE ((struct cs_aws_packed){.bytes = CS_BUF_INIT(0)})

/* Compresses `bytes`, or the first `size` bytes of the file where fd is not -1. The
 * caller ends out->bytes by cs_buf_clear(). */
enum cs_code cs_aws_pack(struct cs_aws_packed *out, struct cs_view bytes, int fd,
                         uint64_t size, struct cs_err *err) CS_MUST_USE;

/* Lets a put send them. Borrowed by the put. */
void cs_aws_packed_put(const struct cs_aws_packed *packed, struct cs_s3_put *put);

#endif
