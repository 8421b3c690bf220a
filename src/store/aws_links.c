/* Where the objects of a campaign are, as attributes of its item by the names that the
 * original service gave them: for other readers of the table. They are plain addresses,
 * so whoever fetches one brings his own rights. What counts is detail.files, from which
 * they are written anew with each item and which is read in their place. */
#include "config.h"

#include "store/aws_internal.h"
#include "json/scan.h"

#define URL_MAX 8192u

static const struct {
    struct cs_view artifact; /* in detail.files */
    const char *attribute;
} links[] = {
    {CS_LIT_INIT("website"), "s3_website_url"},
    {CS_LIT_INIT("pdf"), "s3_pdf_url"},
    {CS_LIT_INIT("artifacts"), "s3_artifacts_url"},
    {CS_LIT_INIT("metadata"), "s3_metadata_url"},
};

unsigned cs_aws_link_of(struct cs_view attribute)
{
    for (size_t i = 0; i < CS_COUNT(links); i++)
        if (cs_view_eq_cstr(attribute, links[i].attribute))
            return 1u << i;
    return 0;
}

/* A text without escapes, as bucket and key are. */
static struct cs_view plain_text(struct cs_view json)
{
    if (cs_json_kind(json) != '"' || cs_view_find_byte(json, '\\') != SIZE_MAX)
        return cs_view_of(NULL, 0);
    return cs_view_sub(json, 1, json.len - 2);
}

/* The objects' keys, by their place in links; .ptr NULL: there is none. */
struct keys {
    struct cs_view items[CS_COUNT(links)];
    struct cs_view bucket; /* of those that are wanted; empty: of any */
};

static bool take_file(void *payload, struct cs_view name, struct cs_view value)
{
    struct keys *keys = payload;

    for (size_t i = 0; i < CS_COUNT(links); i++) {
        struct cs_view bucket;

        if (!cs_view_eq(name, links[i].artifact))
            continue;
        bucket = plain_text(cs_json_slice(value, "bucket"));
        if (keys->bucket.len == 0 || bucket.len == 0 || cs_view_eq(bucket, keys->bucket))
            keys->items[i] = plain_text(cs_json_slice(value, "key"));
    }
    return true;
}

static void find_keys(struct keys *keys, struct cs_view detail)
{
    if (cs_json_walk_to(&detail, "files"))
        cs_json_each_member(detail, take_file, keys);
}

unsigned cs_aws_links_of(struct cs_view detail)
{
    struct keys keys = {.bucket = CS_LIT("")};
    unsigned found = 0;

    find_keys(&keys, detail);
    for (size_t i = 0; i < CS_COUNT(links); i++)
        if (keys.items[i].ptr != NULL)
            found |= 1u << i;
    return found;
}

enum cs_code cs_aws_links_write(const struct cs_aws_store *store,
                                struct cs_json_writer *w, const struct cs_record *record,
                                struct cs_err *err)
{
    struct keys keys = {.bucket = cs_view_cstr(store->bucket)};
    enum cs_code rc = CS_OK;

    /* of a campaign that is being deleted, whose objects go, nothing is told */
    if (record->user_id.len == 0)
        return CS_OK;
    find_keys(&keys, record->detail);
    for (size_t i = 0; i < CS_COUNT(links) && rc == CS_OK; i++) {
        struct cs_buf url = CS_BUF_INIT(URL_MAX);

        if (keys.items[i].ptr == NULL)
            continue;
        cs_s3_add_url(store->s3, keys.items[i], &url);
        if ((rc = cs_buf_check(&url, err)) == CS_OK)
            cs_item_add_text(w, links[i].attribute, cs_buf_view(&url));
        cs_buf_clear(&url);
    }
    return rc;
}
