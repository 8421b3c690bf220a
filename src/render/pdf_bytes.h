/* render/pdf_bytes.h: big-endian numbers in font files. The readers give 0
 * outside of the view, so that a cut table reads as zeros. */
#ifndef CS_RENDER_PDF_BYTES_H
#define CS_RENDER_PDF_BYTES_H

#include "base/buf.h"

static inline uint16_t cs_be16(struct cs_view view, size_t at)
{
    const unsigned char *p = (const unsigned char *)view.ptr;

    if (view.len < 2 || at > view.len - 2)
        return 0;
    return (uint16_t)((unsigned)p[at] << 8 | p[at + 1]);
}

static inline int16_t cs_be16s(struct cs_view view, size_t at)
{
    return (int16_t)cs_be16(view, at);
}

static inline uint32_t cs_be32(struct cs_view view, size_t at)
{
    return (uint32_t)cs_be16(view, at) << 16 | cs_be16(view, at + 2);
}

static inline void cs_be16_add(struct cs_buf *out, unsigned value)
{
    const char bytes[2] = {(char)(unsigned char)(value >> 8), (char)(unsigned char)value};

    cs_buf_add(out, cs_view_of(bytes, sizeof(bytes)));
}

static inline void cs_be32_add(struct cs_buf *out, uint32_t value)
{
    cs_be16_add(out, value >> 16);
    cs_be16_add(out, value & 0xffffu);
}

#endif
