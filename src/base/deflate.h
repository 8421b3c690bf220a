/* base/deflate.h: compression in the zlib format (RFC 1950), and both ways in the gzip
 * format (RFC 1952), with the checksum of the latter. */
#ifndef CS_BASE_DEFLATE_H
#define CS_BASE_DEFLATE_H

#include "base/buf.h"

struct cs_deflate; /* memory for one compression after the other */

/* level is 1 (fast) to 12 (small). NULL when out of memory. */
struct cs_deflate *cs_deflate_new(int level);
void cs_deflate_free(struct cs_deflate *work);

/* Appends all of the bytes, compressed, as one stream of its own. */
enum cs_code cs_deflate_add(struct cs_deflate *work, struct cs_buf *out,
                            struct cs_view bytes, struct cs_err *err) CS_MUST_USE;

struct cs_inflate; /* memory for one decompression after the other */

/* NULL when out of memory. */
struct cs_inflate *cs_inflate_new(void);
void cs_inflate_free(struct cs_inflate *work);

/* Appends all of a gzip member that is there as a whole: several times faster than piece
 * by piece. CS_EINVAL for what is none, or has anything behind it; CS_ETOOBIG beyond the
 * ceiling of out. */
enum cs_code cs_inflate_gzip(struct cs_inflate *work, struct cs_buf *out,
                             struct cs_view packed, struct cs_err *err) CS_MUST_USE;

/* CRC-32 of RFC 1952 section 8. */
uint32_t cs_crc32(struct cs_view bytes);

/* ---- gzip, piece by piece ---- */

struct cs_gzip; /* one stream; the same bytes give the same stream, however cut */

/* NULL when out of memory. */
struct cs_gzip *cs_gzip_new(int level);
void cs_gzip_free(struct cs_gzip *gzip);

/* Appends what the next bytes compress to; `last` ends the stream. */
enum cs_code cs_gzip_add(struct cs_gzip *gzip, struct cs_buf *out, struct cs_view bytes,
                         bool last, struct cs_err *err) CS_MUST_USE;

struct cs_gunzip;

/* NULL when out of memory. */
struct cs_gunzip *cs_gunzip_new(void);
void cs_gunzip_free(struct cs_gunzip *gunzip);

/* Takes what it needs off the front of *packed and writes at most `room` bytes; *got_out
 * is 0 only when it needs more, or at the end of the stream. CS_EUPSTREAM for what is no
 * gzip, or fails its checksum. */
enum cs_code cs_gunzip_read(struct cs_gunzip *gunzip, struct cs_view *packed, char *to,
                            size_t room, size_t *got_out, struct cs_err *err) CS_MUST_USE;
/* Whether the stream was read to its end, checksum included. */
bool cs_gunzip_ended(const struct cs_gunzip *gunzip);

#endif
