/* aws/stream.h: bodies in aws-chunked encoding, each chunk signed after the one
 * before it, with or without a trailing checksum; or unsigned with a trailing
 * checksum. A pure encoder: bytes of the object in, bytes of the wire out.
 *
 * Source: Amazon S3 API Reference, "Transferring Payload in Multiple Chunks". */
#ifndef CS_AWS_STREAM_H
#define CS_AWS_STREAM_H

#include "aws/sigv4.h"

enum cs_stream_kind {
    CS_STREAM_SIGNED,          /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
    CS_STREAM_SIGNED_TRAILER,  /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER */
    CS_STREAM_UNSIGNED_TRAILER /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};

static inline bool cs_stream_is_signed(enum cs_stream_kind kind)
{
    return kind != CS_STREAM_UNSIGNED_TRAILER;
}

static inline bool cs_stream_has_trailer(enum cs_stream_kind kind)
{
    return kind != CS_STREAM_SIGNED;
}

/* What goes into x-amz-content-sha256 (and struct cs_sigv4_request.payload). */
struct cs_view cs_stream_payload(enum cs_stream_kind kind);

/* The trailer is x-amz-checksum-sha256; x-amz-trailer announces it. */
#define CS_STREAM_TRAILER "x-amz-checksum-sha256"

struct cs_stream;

struct cs_stream_options {
    enum cs_stream_kind kind;
    const struct cs_hmac_key *key; /* signing key, copied; NULL when unsigned */
    struct cs_view date;           /* as signed in the head, copied */
    struct cs_sigv4_scope scope;
    struct cs_view seed; /* signature of the head, 64 hex digits */
};

/* NULL with err set: CS_EINVAL, CS_ENOMEM. Keys are wiped by free. */
struct cs_stream *cs_stream_new(const struct cs_stream_options *options,
                                struct cs_err *err);
void cs_stream_free(struct cs_stream *stream);

/* Content-Length of the encoding of `size` bytes in chunks of chunk_size, of which S3
 * wants at least 8192. */
uint64_t cs_stream_length(enum cs_stream_kind kind, uint64_t size, size_t chunk_size);

/* Appends one encoded chunk of at least one byte. All but the last must have the
 * chunk_size that cs_stream_length() was told. */
enum cs_code cs_stream_chunk(struct cs_stream *stream, struct cs_view bytes,
                             struct cs_buf *out, struct cs_err *err) CS_MUST_USE;

/* Appends the closing empty chunk and the trailer. */
enum cs_code cs_stream_end(struct cs_stream *stream, struct cs_buf *out,
                           struct cs_err *err) CS_MUST_USE;

/* The checksum that trailed, in base64; "" before the end, or where none trails. */
struct cs_view cs_stream_checksum(const struct cs_stream *stream);

#endif
