/* api/view.h: a campaign as JSON, as the answers show it. */
#ifndef CS_API_VIEW_H
#define CS_API_VIEW_H

#include "api/exchange.h"
#include "json/write.h"

#define CS_URLS_MAX (256u * 1024u) /* bytes of four links as JSON */

/* Appends {"website": "https://...", ...} for the four artifacts of the seed
 * document, null for what is not there. *expires_us_out is the earliest end of the
 * links, 0 when there are none. */
enum cs_code cs_view_urls(struct cs_exchange *x, struct cs_buf *out,
                          const struct cs_record *record, int64_t *expires_us_out,
                          struct cs_err *err) CS_MUST_USE;

/* The same again as members "s3_website_url", ... of the object that is open. */
void cs_view_url_members(struct cs_json_writer *w, struct cs_view urls);

/* The members of the record's summary, in their order, into the open object. */
void cs_view_summary(struct cs_json_writer *w, const struct cs_record *record);

/* The client's view of detail.files: {"website": {size, sha256, content_type}, ...}. */
void cs_view_files(struct cs_json_writer *w, const struct cs_record *record);

#endif
