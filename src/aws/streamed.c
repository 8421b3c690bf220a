#include "config.h"

#include "aws/streamed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WIRE_MAX  (CS_STREAMED_CHUNK + 1024u) /* a chunk with its head, or the end */
#define SCOPE_MAX 256u

struct cs_aws_streamed {
    enum cs_stream_kind kind;
    struct cs_net_body body; /* as it is */
    uint64_t size;           /* of it */
    char size_text[24];
    char *block; /* a chunk of a file */
    /* the seed */
    struct cs_hmac_key key;
    char date[CS_SIGV4_DATE_LEN + 1];
    char signature[CS_SIGV4_HEX_LEN + 1];
    struct cs_buf region;
    struct cs_buf service;
    /* how far it is */
    struct cs_stream *stream;
    uint64_t at; /* in the body */
    bool ended;
    struct cs_buf wire; /* encoded, from wire_at on to be sent */
    size_t wire_at;
};

struct cs_aws_streamed *cs_aws_streamed_new(enum cs_stream_kind kind,
                                            const struct cs_net_body *body,
                                            struct cs_err *err)
{
    bool file = body->kind == CS_NET_BODY_FILE;
    struct cs_aws_streamed *streamed;

    if (!file && body->kind != CS_NET_BODY_BYTES) {
        (void)cs_err_set(err, CS_EINVAL, "only bytes and files go in chunks");
        return NULL;
    }
    streamed = calloc(1, sizeof(*streamed));
    if (streamed == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    streamed->kind = kind;
    streamed->body = *body;
    streamed->size = file ? body->size : body->bytes.len;
    (void)snprintf(streamed->size_text, sizeof(streamed->size_text), "%" PRIu64,
                   streamed->size);
    cs_buf_init(&streamed->region, SCOPE_MAX);
    cs_buf_init(&streamed->service, SCOPE_MAX);
    cs_buf_init(&streamed->wire, WIRE_MAX);
    streamed->block = file ? malloc(CS_STREAMED_CHUNK) : NULL;
    if (file && streamed->block == NULL) {
        (void)cs_err_nomem(err);
        cs_aws_streamed_free(streamed);
        return NULL;
    }
    return streamed;
}

void cs_aws_streamed_free(struct cs_aws_streamed *streamed)
{
    if (streamed == NULL)
        return;
    cs_stream_free(streamed->stream);
    cs_buf_clear(&streamed->region);
    cs_buf_clear(&streamed->service);
    cs_buf_clear(&streamed->wire);
    free(streamed->block);
    cs_wipe(streamed, sizeof(*streamed));
    free(streamed);
}

bool cs_aws_streamed_is_signed(const struct cs_aws_streamed *streamed)
{
    return cs_stream_is_signed(streamed->kind);
}

bool cs_aws_streamed_has_trailer(const struct cs_aws_streamed *streamed)
{
    return cs_stream_has_trailer(streamed->kind);
}

struct cs_view cs_aws_streamed_payload(const struct cs_aws_streamed *streamed)
{
    return cs_stream_payload(streamed->kind);
}

struct cs_view cs_aws_streamed_checksum(const struct cs_aws_streamed *streamed)
{
    return streamed->stream != NULL ? cs_stream_checksum(streamed->stream)
                                    : cs_view_of("", 0);
}

size_t cs_aws_streamed_headers(const struct cs_aws_streamed *streamed,
                               struct cs_net_header out[CS_STREAMED_HEADERS_MAX])
{
    size_t count = 0;

    out[count++] = (struct cs_net_header){CS_LIT("x-amz-decoded-content-length"),
                                          cs_view_cstr(streamed->size_text)};
    if (cs_stream_has_trailer(streamed->kind))
        out[count++] =
            (struct cs_net_header){CS_LIT("x-amz-trailer"), CS_LIT(CS_STREAM_TRAILER)};
    return count;
}

/* ---- on the way ---- */

static enum cs_code next_block(struct cs_aws_streamed *streamed, struct cs_view *out)
{
    uint64_t left = streamed->size - streamed->at;
    size_t want = left < CS_STREAMED_CHUNK ? (size_t)left : CS_STREAMED_CHUNK;
    size_t have = 0;

    if (streamed->body.kind == CS_NET_BODY_BYTES) {
        *out = cs_view_sub(streamed->body.bytes, (size_t)streamed->at, want);
        return CS_OK;
    }
    while (have < want) {
        ssize_t got = pread(streamed->body.fd, streamed->block + have, want - have,
                            (off_t)(streamed->body.offset + streamed->at + have));

        if (got <= 0) /* a file that ends early is a fault as well */
            return got == 0 ? CS_ESHORT : CS_EIO;
        have += (size_t)got;
    }
    *out = cs_view_of(streamed->block, have);
    return CS_OK;
}

static enum cs_code encode_next(struct cs_aws_streamed *streamed)
{
    struct cs_view block;
    enum cs_code rc;

    cs_buf_reset(&streamed->wire);
    streamed->wire_at = 0;
    if (streamed->at == streamed->size) {
        streamed->ended = true;
        return cs_stream_end(streamed->stream, &streamed->wire, NULL);
    }
    if ((rc = next_block(streamed, &block)) != CS_OK)
        return rc;
    streamed->at += block.len;
    return cs_stream_chunk(streamed->stream, block, &streamed->wire, NULL);
}

static enum cs_code read_wire(void *payload, char *to, size_t room, size_t *got_out)
{
    struct cs_aws_streamed *streamed = payload;
    struct cs_view piece;
    enum cs_code rc;

    *got_out = 0;
    if (streamed->wire_at == streamed->wire.len) {
        if (streamed->ended)
            return CS_OK;
        if ((rc = encode_next(streamed)) != CS_OK)
            return rc;
    }
    piece = cs_view_sub(cs_buf_view(&streamed->wire), streamed->wire_at, room);
    memcpy(to, piece.ptr, piece.len);
    streamed->wire_at += piece.len;
    *got_out = piece.len;
    return CS_OK;
}

static enum cs_code rewind_wire(void *payload)
{
    struct cs_aws_streamed *streamed = payload;
    const struct cs_stream_options options = {
        .kind = streamed->kind,
        .key = &streamed->key,
        .date = cs_view_cstr(streamed->date),
        .scope = {.day = cs_view_of(streamed->date, 8),
                  .region = cs_buf_view(&streamed->region),
                  .service = cs_buf_view(&streamed->service)},
        .seed = cs_view_cstr(streamed->signature),
    };

    cs_stream_free(streamed->stream);
    streamed->stream = cs_stream_new(&options, NULL);
    streamed->at = 0;
    streamed->ended = false;
    streamed->wire_at = 0;
    cs_buf_reset(&streamed->wire);
    return streamed->stream != NULL ? CS_OK : CS_ENOMEM;
}

static enum cs_code keep_seed(struct cs_aws_streamed *streamed,
                              const struct cs_aws_streamed_seed *seed, struct cs_err *err)
{
    enum cs_code rc;

    if (seed->date.len != CS_SIGV4_DATE_LEN || seed->signature.len != CS_SIGV4_HEX_LEN)
        return cs_err_set(err, CS_EINVAL,
                          "a body in chunks needs how its head was signed");
    streamed->key = *seed->key;
    memcpy(streamed->date, seed->date.ptr, CS_SIGV4_DATE_LEN);
    memcpy(streamed->signature, seed->signature.ptr, CS_SIGV4_HEX_LEN);
    cs_buf_reset(&streamed->region);
    cs_buf_reset(&streamed->service);
    cs_buf_add(&streamed->region, seed->region);
    cs_buf_add(&streamed->service, seed->service);
    if ((rc = cs_buf_check(&streamed->region, err)) != CS_OK)
        return rc;
    return cs_buf_check(&streamed->service, err);
}

enum cs_code cs_aws_streamed_start(struct cs_aws_streamed *streamed,
                                   const struct cs_aws_streamed_seed *seed,
                                   struct cs_net_body *out, struct cs_err *err)
{
    enum cs_code rc;

    if (cs_stream_is_signed(streamed->kind) &&
        (rc = keep_seed(streamed, seed, err)) != CS_OK)
        return rc;
    *out = (struct cs_net_body){
        .kind = CS_NET_BODY_STREAM,
        .size = cs_stream_length(streamed->kind, streamed->size, CS_STREAMED_CHUNK),
        .read = read_wire,
        .rewind = rewind_wire,
        .payload = streamed,
    };
    return CS_OK;
}
