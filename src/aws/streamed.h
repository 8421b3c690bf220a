/* aws/streamed.h: the body of an upload on its way in chunks (aws/stream.h): what is read
 * from memory or a file is encoded piece by piece as the connection takes it, so that
 * nobody has to read it before only to sign it. A repetition starts anew, with the
 * signature of its own head. */
#ifndef CS_AWS_STREAMED_H
#define CS_AWS_STREAMED_H

#include "aws/stream.h"
#include "net/client.h"

#define CS_STREAMED_CHUNK 65536u /* bytes; all but the last */

struct cs_aws_streamed;

/* The body is BYTES or FILE, borrowed. NULL with err set: another kind, or no memory. */
struct cs_aws_streamed *cs_aws_streamed_new(enum cs_stream_kind kind,
                                            const struct cs_net_body *body,
                                            struct cs_err *err);
void cs_aws_streamed_free(struct cs_aws_streamed *streamed);

#define CS_STREAMED_HEADERS_MAX 2u
/* What the head must say beside Content-Encoding, which is "aws-chunked" and then the
 * object's own; returns how many. Borrowed from `streamed`. */
size_t cs_aws_streamed_headers(const struct cs_aws_streamed *streamed,
                               struct cs_net_header out[CS_STREAMED_HEADERS_MAX]);

/* What goes into x-amz-content-sha256. */
struct cs_view cs_aws_streamed_payload(const struct cs_aws_streamed *streamed);

/* The checksum that went behind the body, in base64; "" where none did. Borrowed. */
struct cs_view cs_aws_streamed_checksum(const struct cs_aws_streamed *streamed);

bool cs_aws_streamed_is_signed(const struct cs_aws_streamed *streamed);
bool cs_aws_streamed_has_trailer(const struct cs_aws_streamed *streamed);

/* How the head was signed. */
struct cs_aws_streamed_seed {
    const struct cs_hmac_key *key; /* copied, wiped with the body */
    struct cs_view date;
    struct cs_view region;
    struct cs_view service;
    struct cs_view signature;
};

/* *out is the body to send under a head that was signed so; `seed` (copied) is not looked
 * at where the chunks are not signed. */
enum cs_code cs_aws_streamed_start(struct cs_aws_streamed *streamed,
                                   const struct cs_aws_streamed_seed *seed,
                                   struct cs_net_body *out,
                                   struct cs_err *err) CS_MUST_USE;

#endif
