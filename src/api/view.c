#include "config.h"

#include "api/view.h"

#include "api/links.h"
#include "json/scan.h"

#define URL_USUAL 768u /* bytes of one */

static const struct {
    struct cs_view artifact;
    const char *member; /* of a campaign in an answer */
} linked[CS_VIEW_URLS] = {
    {CS_LIT_INIT("website"), "s3_website_url"},
    {CS_LIT_INIT("pdf"), "s3_pdf_url"},
    {CS_LIT_INIT("artifacts"), "s3_artifacts_url"},
    {CS_LIT_INIT("metadata"), "s3_metadata_url"},
};

/* The artifacts of the record, by their place in `linked`. */
struct links {
    struct cs_view campaign_id;
    struct cs_artifact artifacts[CS_VIEW_URLS];
    bool there[CS_VIEW_URLS];
    struct cs_buf keys[CS_VIEW_URLS];
};

/* Its place in `linked`, or CS_VIEW_URLS. */
static size_t place_of(struct cs_view artifact)
{
    size_t i = 0;

    while (i < CS_VIEW_URLS && !cs_view_eq(artifact, linked[i].artifact))
        i++;
    return i;
}

static bool take_artifact(void *payload, struct cs_view name,
                          const struct cs_artifact *artifact)
{
    struct links *links = payload;
    size_t i = place_of(name);

    if (i < CS_VIEW_URLS) {
        links->artifacts[i] = *artifact;
        links->there[i] = true;
    }
    return true;
}

/* A record from a list has no detail: what a link needs follows from the
 * campaign's id and the version in the summary. */
static bool take_listed(void *payload, struct cs_view name, struct cs_view version)
{
    struct links *links = payload;
    size_t i = place_of(name);

    if (i < CS_VIEW_URLS) {
        cs_artifact_key(&links->keys[i], links->campaign_id, name);
        links->artifacts[i] =
            (struct cs_artifact){.key = cs_buf_view(&links->keys[i]),
                                 .version = version,
                                 .content_type = cs_artifact_content_type(name)};
        links->there[i] = true;
    }
    return true;
}

/* Writes the value of a member, and brings the earliest end forward. */
static enum cs_code write_url(struct cs_json_writer *w, struct cs_exchange *x,
                              const struct cs_link *link, struct cs_buf *scratch,
                              int64_t *earliest_us, struct cs_err *err)
{
    int64_t expires_us = 0;
    enum cs_code rc;

    cs_buf_reset(scratch);
    cs_buf_reserve(scratch, URL_USUAL);
    cs_buf_reserve(w->out, URL_USUAL);
    if ((rc = cs_link_make(x, link, scratch, &expires_us, err)) != CS_OK)
        return rc;
    cs_json_str(w, cs_buf_view(scratch));
    if (*earliest_us == 0 || expires_us < *earliest_us)
        *earliest_us = expires_us;
    return CS_OK;
}

static enum cs_code write_urls(struct cs_view_urls *urls, struct cs_exchange *x,
                               const struct links *links, struct cs_err *err)
{
    struct cs_buf scratch = CS_BUF_INIT(CS_URLS_MAX / CS_VIEW_URLS);
    size_t start[CS_VIEW_URLS], end[CS_VIEW_URLS]; /* of the values */
    struct cs_json_writer w;
    enum cs_code rc = CS_OK;

    cs_json_writer_init(&w, &urls->object);
    cs_json_object(&w);
    for (size_t i = 0; i < CS_VIEW_URLS && rc == CS_OK; i++) {
        const struct cs_link link = {.name = linked[i].artifact,
                                     .artifact = &links->artifacts[i]};

        cs_json_key_view(&w, link.name);
        start[i] = urls->object.len;
        if (links->there[i])
            rc = write_url(&w, x, &link, &scratch, &urls->expires_us, err);
        else
            cs_json_null(&w);
        end[i] = urls->object.len;
    }
    cs_json_object_end(&w);
    cs_buf_clear(&scratch);
    if (rc != CS_OK || (rc = cs_buf_check(&urls->object, err)) != CS_OK)
        return rc;
    for (size_t i = 0; i < CS_VIEW_URLS; i++)
        urls->values[i] = cs_view_of(urls->object.ptr + start[i], end[i] - start[i]);
    return CS_OK;
}

/* Of objects that another program stored, its record tells the addresses: plain ones,
 * which get a link where they are of our bucket, */
static void take_told(struct links *links, struct cs_exchange *x,
                      const struct cs_record *record)
{
    struct cs_view bucket = x->app->store->ops->names(x->app->store)->bucket_name;

    for (size_t i = 0; i < CS_VIEW_URLS; i++)
        if (!links->there[i])
            links->there[i] = cs_artifact_find_told(record, linked[i].artifact, bucket,
                                                    &links->artifacts[i]);
}

/* and are shown as they are where they are of others, which need not be ours to sign
 * for. */
static void take_others(struct cs_view_urls *urls, const struct cs_record *record)
{
    for (size_t i = 0; i < CS_VIEW_URLS; i++) {
        struct cs_view told = cs_json_slice(record->detail, linked[i].member);

        if (cs_json_kind(urls->values[i]) != '"' && cs_json_kind(told) == '"' &&
            !cs_view_eq(told, CS_LIT("\"\"")))
            urls->values[i] = told;
    }
}

enum cs_code cs_view_make_urls(struct cs_view_urls *urls, struct cs_exchange *x,
                               const struct cs_record *record, struct cs_err *err)
{
    struct links links = {.campaign_id = record->key};
    enum cs_code rc;

    cs_buf_reset(&urls->object);
    memset(urls->values, 0, sizeof(urls->values));
    urls->expires_us = 0;
    for (size_t i = 0; i < CS_VIEW_URLS; i++)
        cs_buf_init(&links.keys[i], CS_STORE_KEY_MAX);
    if (record->detail.len > 0)
        cs_artifact_each(record, take_artifact, &links);
    else
        cs_artifact_each_listed(record, take_listed, &links);
    if (record->extra.len > 0)
        take_told(&links, x, record);
    rc = write_urls(urls, x, &links, err);
    if (rc == CS_OK && record->extra.len > 0)
        take_others(urls, record);
    for (size_t i = 0; i < CS_VIEW_URLS; i++)
        cs_buf_clear(&links.keys[i]);
    return rc;
}

void cs_view_urls_clear(struct cs_view_urls *urls)
{
    cs_buf_clear(&urls->object);
    *urls = CS_VIEW_URLS_NONE;
}

void cs_view_url_members(struct cs_json_writer *w, const struct cs_view_urls *urls)
{
    for (size_t i = 0; i < CS_VIEW_URLS; i++)
        cs_json_member_raw(w, linked[i].member, urls->values[i]);
}

/* The members between two pointers into an object's text, as they stand there. */
static void write_run(struct cs_json_writer *w, const char *from, const char *end)
{
    if (from != NULL)
        cs_json_raw(w, cs_view_of(from, (size_t)(end - from)));
}

void cs_view_summary(struct cs_json_writer *w, const struct cs_record *record)
{
    bool whole = record->detail.len > 0; /* not of a list, which shows what is there */
    struct cs_view rest = record->summary;
    const char *from = NULL, *end = NULL;
    struct cs_view name;

    if (cs_json_kind(rest) != '{')
        return;
    while (cs_json_walk_member(&rest, &name)) {
        bool is_time = whole && cs_view_eq(name, CS_LIT("updated_at"));

        (void)cs_json_walk_value(&rest);
        if (is_time || cs_view_eq(name, CS_LIT("versions"))) { /* ours, for links */
            write_run(w, from, end);
            from = NULL;
            if (is_time)
                cs_json_member_raw(w, "updated_at", cs_campaign_updated_at(record));
            continue;
        }
        if (from == NULL)
            from = name.ptr - 1; /* its quote */
        end = rest.ptr;
    }
    write_run(w, from, end);
}

static bool is_address(struct cs_view name)
{
    for (size_t i = 0; i < CS_VIEW_URLS; i++)
        if (cs_view_eq_cstr(name, linked[i].member))
            return true;
    return false;
}

void cs_view_detail(struct cs_json_writer *w, const struct cs_record *record,
                    const struct cs_view *elsewhere, size_t count)
{
    struct cs_view rest = record->detail, name;

    if (cs_json_kind(rest) != '{')
        return;
    while (cs_json_walk_member(&rest, &name)) {
        struct cs_view value = cs_json_walk_value(&rest);
        bool told = cs_view_is_among(name, elsewhere, count) ||
                    (record->extra.len > 0 && is_address(name)) ||
                    (cs_view_eq(name, CS_LIT("tags")) &&
                     cs_json_slice(record->summary, "tags").ptr != NULL);

        if (!told)
            cs_json_member_as_written(w, name, value);
    }
}

static bool write_file(void *payload, struct cs_view name,
                       const struct cs_artifact *artifact)
{
    struct cs_json_writer *w = payload;

    if (cs_artifact_kind(name) == NULL) /* a long progress, which is shown as such */
        return true;
    cs_json_key_view(w, name);
    cs_json_object(w);
    cs_json_member_u64(w, "size", artifact->size);
    cs_json_member_str(w, "sha256", artifact->sha256);
    cs_json_member_str(w, "content_type", artifact->content_type);
    cs_json_member_bool(w, "supplied", artifact->supplied);
    cs_json_object_end(w);
    return true;
}

void cs_view_files(struct cs_json_writer *w, const struct cs_record *record)
{
    cs_json_object(w);
    cs_artifact_each(record, write_file, w);
    cs_json_object_end(w);
}
