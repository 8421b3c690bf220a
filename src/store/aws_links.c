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
    struct cs_view attribute;
} links[] = {
    {CS_LIT_INIT("website"), CS_LIT_INIT("s3_website_url")},
    {CS_LIT_INIT("pdf"), CS_LIT_INIT("s3_pdf_url")},
    {CS_LIT_INIT("artifacts"), CS_LIT_INIT("s3_artifacts_url")},
    {CS_LIT_INIT("metadata"), CS_LIT_INIT("s3_metadata_url")},
};

unsigned cs_aws_link_of(struct cs_view attribute)
{
    for (size_t i = 0; i < CS_COUNT(links); i++)
        if (cs_view_eq(attribute, links[i].attribute))
            return 1u << i;
    return 0;
}

void cs_aws_links_list(struct cs_buf *out)
{
    for (size_t i = 0; i < CS_COUNT(links); i++) {
        cs_buf_add(out, CS_LIT(", "));
        cs_buf_add(out, links[i].attribute);
    }
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

/* Walks through what detail.files says of the artifact. */
static void walk_file(struct keys *keys, size_t at, struct cs_view *rest)
{
    struct cs_view bucket = cs_view_of(NULL, 0), key = bucket, name;

    while (cs_json_walk_member(rest, &name)) {
        struct cs_view value = cs_json_walk_value(rest);

        if (cs_view_eq(name, CS_LIT("bucket")))
            bucket = plain_text(value);
        else if (cs_view_eq(name, CS_LIT("key")))
            key = plain_text(value);
    }
    if (keys->bucket.len == 0 || bucket.len == 0 || cs_view_eq(bucket, keys->bucket))
        keys->items[at] = key;
}

static void find_keys(struct keys *keys, struct cs_view detail)
{
    struct cs_view rest = detail, name;

    if (!cs_json_walk_to(&rest, "files") || cs_json_kind(rest) != '{')
        return;
    while (cs_json_walk_member(&rest, &name)) {
        size_t at = 0;

        while (at < CS_COUNT(links) && !cs_view_eq(name, links[at].artifact))
            at++;
        if (at < CS_COUNT(links) && cs_json_kind(rest) == '{')
            walk_file(keys, at, &rest);
        else
            (void)cs_json_walk_value(&rest);
    }
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
            cs_item_add_text(w, links[i].attribute.ptr, cs_buf_view(&url));
        cs_buf_clear(&url);
    }
    return rc;
}
