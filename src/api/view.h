/* api/view.h: a campaign as JSON, as the answers show it. */
#ifndef CS_API_VIEW_H
#define CS_API_VIEW_H

#include "api/exchange.h"
#include "json/write.h"

#define CS_URLS_MAX (256u * 1024u) /* bytes of four links as JSON */

#define CS_VIEW_URLS 4u /* the four artifacts of the seed document */

/* The links to a campaign's artifacts. */
struct cs_view_urls {
    struct cs_buf
        object; /* {"website": "https://...", ...}, null for what is not there */
    struct cs_view values[CS_VIEW_URLS]; /* its members' values: views into it; of an
                                          * object of another program, into the record */
    int64_t expires_us; /* the earliest end of the links, 0 when there are none */
};
#define CS_VIEW_URLS_NONE ((struct cs_view_urls){.object = CS_BUF_INIT(CS_URLS_MAX)})
void cs_view_urls_clear(struct cs_view_urls *urls);

/* Makes them for a record; whatever was in *urls is gone. */
enum cs_code cs_view_make_urls(struct cs_view_urls *urls, struct cs_exchange *x,
                               const struct cs_record *record,
                               struct cs_err *err) CS_MUST_USE;

/* Writes them as members "s3_website_url", ... of the object that is open. */
void cs_view_url_members(struct cs_json_writer *w, const struct cs_view_urls *urls);

/* The members of the record's summary, in their order, into the open object. */
void cs_view_summary(struct cs_json_writer *w, const struct cs_record *record);

/* Those of its detail, but for the ones that stand elsewhere in the answer, for tags
 * that the summary has, too, and for addresses, which are among the urls. */
void cs_view_detail(struct cs_json_writer *w, const struct cs_record *record,
                    const struct cs_view *elsewhere, size_t count);

/* The client's view of detail.files: {"website": {size, sha256, content_type}, ...}. */
void cs_view_files(struct cs_json_writer *w, const struct cs_record *record);

#endif
