#include "config.h"

#include "base/deflate.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

struct cs_deflate {
    z_stream stream;
};

struct cs_deflate *cs_deflate_new(int level)
{
    struct cs_deflate *work = calloc(1, sizeof(*work));

    if (work != NULL && deflateInit(&work->stream, level) != Z_OK) {
        free(work);
        return NULL;
    }
    return work;
}

void cs_deflate_free(struct cs_deflate *work)
{
    if (work == NULL)
        return;
    (void)deflateEnd(&work->stream);
    free(work);
}

enum cs_code cs_deflate_add(struct cs_deflate *work, struct cs_buf *out,
                            struct cs_view bytes, struct cs_err *err)
{
    static const char nothing[1];
    z_stream *stream = &work->stream;
    size_t bound = deflateBound(stream, bytes.len);
    char *room;

    if (bytes.len > UINT_MAX || bound > UINT_MAX)
        return cs_err_set(err, CS_ETOOBIG, "more than 4 GiB to compress at once");
    if ((room = cs_buf_room(out, bound)) == NULL)
        return cs_buf_check(out, err);
    if (deflateReset(stream) != Z_OK)
        return cs_err_set(err, CS_EINTERNAL, "zlib could not start");
    stream->next_in = (z_const Bytef *)(bytes.len > 0 ? bytes.ptr : nothing);
    stream->avail_in = (uInt)bytes.len;
    stream->next_out = (Bytef *)room;
    stream->avail_out = (uInt)bound;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return cs_err_set(err, CS_EINTERNAL, "zlib could not compress");
    cs_buf_grew(out, bound - stream->avail_out);
    return CS_OK;
}
