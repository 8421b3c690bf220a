#include "config.h"

#include "aws/stream.h"

#include <stdlib.h>

#include "base/encoding.h"

#define CHECKSUM_TEXT_LEN 44u /* base64 of 32 bytes */
#define SCOPE_MAX         256u

struct cs_stream {
    enum cs_stream_kind kind;
    struct cs_hmac_key key;
    char previous[CS_SIGV4_HEX_LEN + 1]; /* signature of what came before */
    struct cs_buf prefix;                /* "date LF scope LF" of every string to sign */
    struct cs_buf to_sign;
    struct cs_sha256 *whole; /* of all bytes, for the trailer */
    struct cs_buf checksum;  /* the trailer's */
};

static const struct cs_view payloads[] = {
    [CS_STREAM_SIGNED] = CS_LIT_INIT("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
    [CS_STREAM_SIGNED_TRAILER] =
        CS_LIT_INIT("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
    [CS_STREAM_UNSIGNED_TRAILER] = CS_LIT_INIT("STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
};

static const char empty_sha256[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#define SIGNATURE_LABEL ";chunk-signature="
#define TRAILER_LABEL   "x-amz-trailer-signature:"

struct cs_view cs_stream_payload(enum cs_stream_kind kind)
{
    return payloads[kind];
}

struct cs_stream *cs_stream_new(const struct cs_stream_options *options,
                                struct cs_err *err)
{
    struct cs_stream *stream;

    if (cs_stream_is_signed(options->kind) &&
        (options->key == NULL || options->seed.len != CS_SIGV4_HEX_LEN)) {
        (void)cs_err_set(err, CS_EINVAL,
                         "a signed stream needs a key and a seed signature");
        return NULL;
    }
    stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    stream->kind = options->kind;
    cs_buf_init(&stream->prefix, SCOPE_MAX);
    cs_buf_init(&stream->to_sign, 2 * SCOPE_MAX + 4 * CS_SIGV4_HEX_LEN);
    cs_buf_init(&stream->checksum, CHECKSUM_TEXT_LEN + 1);
    stream->whole = cs_sha256_new();
    if (cs_stream_is_signed(options->kind)) {
        stream->key = *options->key;
        memcpy(stream->previous, options->seed.ptr, CS_SIGV4_HEX_LEN);
        cs_buf_add(&stream->prefix, options->date);
        cs_buf_add_byte(&stream->prefix, '\n');
        cs_sigv4_scope_text(&stream->prefix, &options->scope);
        cs_buf_add_byte(&stream->prefix, '\n');
    }
    if (stream->whole == NULL || cs_buf_check(&stream->prefix, err) != CS_OK) {
        (void)cs_err_nomem(err);
        cs_stream_free(stream);
        return NULL;
    }
    return stream;
}

void cs_stream_free(struct cs_stream *stream)
{
    if (stream == NULL)
        return;
    cs_sha256_free(stream->whole);
    cs_buf_clear(&stream->prefix);
    cs_buf_clear(&stream->to_sign);
    cs_buf_clear(&stream->checksum);
    cs_wipe(stream, sizeof(*stream));
    free(stream);
}

static size_t hex_digits(uint64_t value)
{
    size_t digits = 1;

    while ((value >>= 4) != 0)
        digits++;
    return digits;
}

static uint64_t chunk_length(enum cs_stream_kind kind, uint64_t size)
{
    uint64_t head = hex_digits(size) + 2;

    if (cs_stream_is_signed(kind))
        head += sizeof(SIGNATURE_LABEL) - 1 + CS_SIGV4_HEX_LEN;
    return head + size + (size > 0 ? 2 : 0);
}

uint64_t cs_stream_length(enum cs_stream_kind kind, uint64_t size, size_t chunk_size)
{
    uint64_t whole = size / chunk_size;
    uint64_t rest = size % chunk_size;
    uint64_t length = whole * chunk_length(kind, chunk_size) + chunk_length(kind, 0);

    if (rest > 0)
        length += chunk_length(kind, rest);
    if (cs_stream_has_trailer(kind))
        length += sizeof(CS_STREAM_TRAILER ":") - 1 + CHECKSUM_TEXT_LEN + 2;
    if (kind == CS_STREAM_SIGNED_TRAILER)
        length += sizeof(TRAILER_LABEL) - 1 + CS_SIGV4_HEX_LEN + 2;
    return length + 2;
}

/* Signs what the digest in hex stands for, and remembers the signature. */
static enum cs_code sign_next(struct cs_stream *stream, struct cs_view algorithm,
                              bool with_headers, const char *digest_hex,
                              struct cs_err *err)
{
    struct cs_buf *text = &stream->to_sign;
    enum cs_code rc;

    cs_buf_reset(text);
    cs_buf_add(text, algorithm);
    cs_buf_add_byte(text, '\n');
    cs_buf_add(text, cs_buf_view(&stream->prefix));
    cs_buf_add_cstr(text, stream->previous);
    cs_buf_add_byte(text, '\n');
    if (with_headers) {
        cs_buf_add_cstr(text, empty_sha256);
        cs_buf_add_byte(text, '\n');
    }
    cs_buf_add_cstr(text, digest_hex);
    if ((rc = cs_buf_check(text, err)) != CS_OK)
        return rc;
    return cs_sigv4_signature(stream->previous, &stream->key, cs_buf_view(text), err);
}

static void add_hex(struct cs_buf *out, uint64_t value)
{
    cs_buf_add_fmt(out, "%llx", (unsigned long long)value);
}

static enum cs_code add_chunk_head(struct cs_stream *stream, struct cs_view bytes,
                                   struct cs_buf *out, struct cs_err *err)
{
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc;

    add_hex(out, bytes.len);
    if (cs_stream_is_signed(stream->kind)) {
        if ((rc = cs_sha256_hex_of(hex, bytes, err)) != CS_OK)
            return rc;
        if ((rc = sign_next(stream, CS_LIT("AWS4-HMAC-SHA256-PAYLOAD"), true, hex,
                            err)) != CS_OK)
            return rc;
        cs_buf_add(out, CS_LIT(SIGNATURE_LABEL));
        cs_buf_add_cstr(out, stream->previous);
    }
    cs_buf_add(out, CS_LIT("\r\n"));
    return CS_OK;
}

enum cs_code cs_stream_chunk(struct cs_stream *stream, struct cs_view bytes,
                             struct cs_buf *out, struct cs_err *err)
{
    enum cs_code rc;

    if (bytes.len == 0)
        return cs_err_set(err, CS_EINVAL, "an empty chunk would end the stream");
    if (cs_stream_has_trailer(stream->kind) &&
        (rc = cs_sha256_add(stream->whole, bytes, err)) != CS_OK)
        return rc;
    if ((rc = add_chunk_head(stream, bytes, out, err)) != CS_OK)
        return rc;
    cs_buf_add(out, bytes);
    cs_buf_add(out, CS_LIT("\r\n"));
    return cs_buf_check(out, err);
}

static enum cs_code add_trailer(struct cs_stream *stream, struct cs_buf *out,
                                struct cs_err *err)
{
    struct cs_buf line = CS_BUF_INIT(128);
    uint8_t digest[CS_SHA256_LEN];
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc;

    if ((rc = cs_sha256_end(stream->whole, digest, err)) != CS_OK)
        goto out;
    cs_base64_encode(&stream->checksum, cs_view_of(digest, sizeof(digest)));
    if ((rc = cs_buf_check(&stream->checksum, err)) != CS_OK)
        goto out;
    cs_buf_add(&line, CS_LIT(CS_STREAM_TRAILER ":"));
    cs_buf_add(&line, cs_buf_view(&stream->checksum));
    cs_buf_add(out, cs_buf_view(&line));
    cs_buf_add(out, CS_LIT("\r\n"));
    if (stream->kind != CS_STREAM_SIGNED_TRAILER)
        goto out;
    cs_buf_add_byte(&line, '\n'); /* the canonical form of the trailer ends its line so */
    if ((rc = cs_buf_check(&line, err)) != CS_OK ||
        (rc = cs_sha256_hex_of(hex, cs_buf_view(&line), err)) != CS_OK)
        goto out;
    if ((rc = sign_next(stream, CS_LIT("AWS4-HMAC-SHA256-TRAILER"), false, hex, err)) !=
        CS_OK)
        goto out;
    cs_buf_add(out, CS_LIT(TRAILER_LABEL));
    cs_buf_add_cstr(out, stream->previous);
    cs_buf_add(out, CS_LIT("\r\n"));
out:
    cs_buf_clear(&line);
    return rc;
}

enum cs_code cs_stream_end(struct cs_stream *stream, struct cs_buf *out,
                           struct cs_err *err)
{
    enum cs_code rc;

    if ((rc = add_chunk_head(stream, cs_view_of("", 0), out, err)) != CS_OK)
        return rc;
    if (cs_stream_has_trailer(stream->kind) &&
        (rc = add_trailer(stream, out, err)) != CS_OK)
        return rc;
    cs_buf_add(out, CS_LIT("\r\n"));
    return cs_buf_check(out, err);
}

struct cs_view cs_stream_checksum(const struct cs_stream *stream)
{
    return cs_buf_view(&stream->checksum);
}
