/* api/links.h: addresses of artifacts that work without a token for a while:
 * presigned by the store, or signed by us and served under /api/v1/signed/. */
#ifndef CS_API_LINKS_H
#define CS_API_LINKS_H

#include "api/exchange.h"
#include "campaign/artifacts.h"

struct cs_link {
    struct cs_view name; /* of the artifact */
    const struct cs_artifact *artifact;
    bool saved; /* always; otherwise what browsers can show safely is shown */
};

/* Appends the URL; *expires_us_out is its true end. */
enum cs_code cs_link_make(struct cs_exchange *x, const struct cs_link *link,
                          struct cs_buf *out, int64_t *expires_us_out,
                          struct cs_err *err) CS_MUST_USE;

#endif
