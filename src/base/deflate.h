/* base/deflate.h: compression in the zlib format (RFC 1950). */
#ifndef CS_BASE_DEFLATE_H
#define CS_BASE_DEFLATE_H

#include "base/buf.h"

struct cs_deflate; /* memory for one compression after the other */

/* level is 1 (fast) to 9 (small). NULL when out of memory. */
struct cs_deflate *cs_deflate_new(int level);
void cs_deflate_free(struct cs_deflate *work);

/* Appends all of the bytes, compressed, as one stream of its own. */
enum cs_code cs_deflate_add(struct cs_deflate *work, struct cs_buf *out,
                            struct cs_view bytes, struct cs_err *err) CS_MUST_USE;

#endif
