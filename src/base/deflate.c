#include "config.h"

#include "base/deflate.h"

#include <libdeflate.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

/* ---- at once: libdeflate, in half of zlib's time ---- */

struct cs_deflate {
    struct libdeflate_compressor *compressor;
};

struct cs_deflate *cs_deflate_new(int level)
{
    struct cs_deflate *work = calloc(1, sizeof(*work));

    if (work == NULL)
        return NULL;
    work->compressor = libdeflate_alloc_compressor(level);
    if (work->compressor == NULL) {
        free(work);
        return NULL;
    }
    return work;
}

void cs_deflate_free(struct cs_deflate *work)
{
    if (work == NULL)
        return;
    libdeflate_free_compressor(work->compressor);
    free(work);
}

enum cs_code cs_deflate_add(struct cs_deflate *work, struct cs_buf *out,
                            struct cs_view bytes, struct cs_err *err)
{
    size_t bound = libdeflate_zlib_compress_bound(work->compressor, bytes.len);
    char *room = cs_buf_room(out, bound);
    size_t packed;

    if (room == NULL)
        return cs_buf_check(out, err);
    packed =
        libdeflate_zlib_compress(work->compressor, bytes.ptr, bytes.len, room, bound);
    if (packed == 0)
        return cs_err_set(err, CS_EINTERNAL, "libdeflate could not compress");
    cs_buf_grew(out, packed);
    return CS_OK;
}

uint32_t cs_crc32(struct cs_view bytes)
{
    return libdeflate_crc32(0, bytes.ptr, bytes.len);
}

#define GZIP_TAIL 8u /* checksum and size (RFC 1952 section 2.3.1) */

static uint32_t size_in_tail(struct cs_view packed)
{
    const unsigned char *end = (const unsigned char *)packed.ptr + packed.len;

    return (uint32_t)end[-4] | (uint32_t)end[-3] << 8 | (uint32_t)end[-2] << 16 |
           (uint32_t)end[-1] << 24;
}

struct cs_inflate {
    struct libdeflate_decompressor *decompressor;
};

struct cs_inflate *cs_inflate_new(void)
{
    struct cs_inflate *work = calloc(1, sizeof(*work));

    if (work == NULL)
        return NULL;
    work->decompressor = libdeflate_alloc_decompressor();
    if (work->decompressor == NULL) {
        free(work);
        return NULL;
    }
    return work;
}

void cs_inflate_free(struct cs_inflate *work)
{
    if (work == NULL)
        return;
    libdeflate_free_decompressor(work->decompressor);
    free(work);
}

enum cs_code cs_inflate_gzip(struct cs_inflate *work, struct cs_buf *out,
                             struct cs_view packed, struct cs_err *err)
{
    enum libdeflate_result result;
    size_t size, taken = 0, made = 0;
    char *room;

    if (packed.len < GZIP_TAIL)
        return cs_err_set(err, CS_EINVAL, "no gzip: only %zu bytes", packed.len);
    size = size_in_tail(packed);
    if ((room = cs_buf_room(out, size)) == NULL)
        return cs_buf_check(out, err);
    result = libdeflate_gzip_decompress_ex(work->decompressor, packed.ptr, packed.len,
                                           room, size, &taken, &made);
    if (result != LIBDEFLATE_SUCCESS || taken != packed.len || made != size)
        return cs_err_set(err, CS_EINVAL, "no gzip, or a damaged one");
    cs_buf_grew(out, made);
    return CS_OK;
}

/* ---- gzip, piece by piece: zlib ---- */

#define GZIP_WINDOW (15 + 16) /* the largest window, with gzip's head and tail */
#define GZIP_MEMORY 8         /* zlib's default */
#define GZIP_BLOCK  16384u

struct cs_gzip {
    z_stream stream;
};

struct cs_gzip *cs_gzip_new(int level)
{
    struct cs_gzip *gzip = calloc(1, sizeof(*gzip));

    if (gzip != NULL && deflateInit2(&gzip->stream, level, Z_DEFLATED, GZIP_WINDOW,
                                     GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(gzip);
        return NULL;
    }
    return gzip;
}

void cs_gzip_free(struct cs_gzip *gzip)
{
    if (gzip == NULL)
        return;
    (void)deflateEnd(&gzip->stream);
    free(gzip);
}

enum cs_code cs_gzip_add(struct cs_gzip *gzip, struct cs_buf *out, struct cs_view bytes,
                         bool last, struct cs_err *err)
{
    z_stream *stream = &gzip->stream;

    do {
        struct cs_view piece = cs_view_sub(bytes, 0, INT_MAX);
        bool ends = last && piece.len == bytes.len;

        bytes = cs_view_from(bytes, piece.len);
        stream->next_in = (z_const Bytef *)piece.ptr;
        stream->avail_in = (uInt)piece.len;
        do {
            char *room = cs_buf_room(out, GZIP_BLOCK);

            if (room == NULL)
                return cs_buf_check(out, err);
            stream->next_out = (Bytef *)room;
            stream->avail_out = GZIP_BLOCK;
            if (deflate(stream, ends ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
                return cs_err_set(err, CS_EINTERNAL, "zlib could not compress");
            cs_buf_grew(out, GZIP_BLOCK - stream->avail_out);
        } while (stream->avail_out == 0);
    } while (bytes.len > 0);
    return CS_OK;
}

struct cs_gunzip {
    z_stream stream;
    bool ended;
};

struct cs_gunzip *cs_gunzip_new(void)
{
    struct cs_gunzip *gunzip = calloc(1, sizeof(*gunzip));

    if (gunzip != NULL && inflateInit2(&gunzip->stream, GZIP_WINDOW) != Z_OK) {
        free(gunzip);
        return NULL;
    }
    return gunzip;
}

void cs_gunzip_free(struct cs_gunzip *gunzip)
{
    if (gunzip == NULL)
        return;
    (void)inflateEnd(&gunzip->stream);
    free(gunzip);
}

bool cs_gunzip_ended(const struct cs_gunzip *gunzip)
{
    return gunzip->ended;
}

enum cs_code cs_gunzip_read(struct cs_gunzip *gunzip, struct cs_view *packed, char *to,
                            size_t room, size_t *got_out, struct cs_err *err)
{
    z_stream *stream = &gunzip->stream;
    struct cs_view piece = cs_view_sub(*packed, 0, INT_MAX);
    int rc;

    *got_out = 0;
    if (gunzip->ended || room == 0)
        return CS_OK;
    room = room > INT_MAX ? INT_MAX : room;
    stream->next_in = (z_const Bytef *)piece.ptr;
    stream->avail_in = (uInt)piece.len;
    stream->next_out = (Bytef *)to;
    stream->avail_out = (uInt)room;
    rc = inflate(stream, Z_NO_FLUSH);
    *packed = cs_view_from(*packed, piece.len - stream->avail_in);
    *got_out = room - stream->avail_out;
    gunzip->ended = rc == Z_STREAM_END;
    if (rc == Z_MEM_ERROR)
        return cs_err_nomem(err);
    /* Z_BUF_ERROR: it needs more */
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return cs_err_set(err, CS_EUPSTREAM, "compressed bytes are damaged");
    return CS_OK;
}
