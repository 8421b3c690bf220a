#include "config.h"

#include "api/view.h"

#include <stdio.h>

#include "api/links.h"
#include "json/scan.h"

static const char *const artifact_names[] = {"website", "pdf", "artifacts", "metadata"};

/* The artifacts of the record, by their place in artifact_names. */
struct links {
    struct cs_artifact artifacts[CS_COUNT(artifact_names)];
    bool there[CS_COUNT(artifact_names)];
    struct cs_buf keys[CS_COUNT(artifact_names)];
};

static bool take_artifact(void *payload, struct cs_view name,
                          const struct cs_artifact *artifact)
{
    struct links *links = payload;

    for (size_t i = 0; i < CS_COUNT(artifact_names); i++) {
        if (!cs_view_eq_cstr(name, artifact_names[i]))
            continue;
        links->artifacts[i] = *artifact;
        links->there[i] = true;
    }
    return true;
}

/* A record from a list has no detail: what a link needs follows from the
 * campaign's id and the version in the summary. */
static void find_artifacts(struct links *links, const struct cs_record *record)
{
    if (record->detail.len > 0) {
        cs_artifact_each(record, take_artifact, links);
        return;
    }
    if (cs_json_slice(record->summary, "versions").ptr == NULL)
        return; /* nothing to link to: most campaigns that still run */
    for (size_t i = 0; i < CS_COUNT(artifact_names); i++) {
        struct cs_view name = cs_view_cstr(artifact_names[i]);
        struct cs_view version = cs_artifact_listed_version(record, name);

        if (version.ptr == NULL)
            continue;
        cs_artifact_key(&links->keys[i], record->key, name);
        links->artifacts[i] =
            (struct cs_artifact){.key = cs_buf_view(&links->keys[i]),
                                 .version = version,
                                 .content_type = cs_artifact_content_type(name)};
        links->there[i] = true;
    }
}

enum cs_code cs_view_urls(struct cs_exchange *x, struct cs_buf *out,
                          const struct cs_record *record, int64_t *expires_us_out,
                          struct cs_err *err)
{
    struct links links = {.there = {false}};
    struct cs_buf url = CS_BUF_INIT(CS_URLS_MAX / CS_COUNT(artifact_names));
    struct cs_json_writer w;
    enum cs_code rc = CS_OK;

    *expires_us_out = 0;
    for (size_t i = 0; i < CS_COUNT(artifact_names); i++)
        cs_buf_init(&links.keys[i], CS_STORE_KEY_MAX);
    find_artifacts(&links, record);
    cs_json_writer_init(&w, out);
    cs_json_object(&w);
    for (size_t i = 0; i < CS_COUNT(artifact_names) && rc == CS_OK; i++) {
        const struct cs_link link = {.name = cs_view_cstr(artifact_names[i]),
                                     .artifact = &links.artifacts[i]};
        int64_t expires_us = 0;

        cs_json_key(&w, artifact_names[i]);
        if (!links.there[i]) {
            cs_json_null(&w);
            continue;
        }
        cs_buf_reset(&url);
        rc = cs_link_make(x, &link, &url, &expires_us, err);
        cs_json_str(&w, cs_buf_view(&url));
        if (*expires_us_out == 0 || expires_us < *expires_us_out)
            *expires_us_out = expires_us;
    }
    cs_json_object_end(&w);
    for (size_t i = 0; i < CS_COUNT(artifact_names); i++)
        cs_buf_clear(&links.keys[i]);
    cs_buf_clear(&url);
    return rc != CS_OK ? rc : cs_buf_check(out, err);
}

static bool write_url_member(void *payload, struct cs_view name, struct cs_view value)
{
    char full[64];

    (void)snprintf(full, sizeof(full), "s3_%.*s_url", CS_FMT(name));
    cs_json_member_raw(payload, full, value);
    return true;
}

void cs_view_url_members(struct cs_json_writer *w, struct cs_view urls)
{
    cs_json_each_member(urls, write_url_member, w);
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

static bool write_file(void *payload, struct cs_view name,
                       const struct cs_artifact *artifact)
{
    struct cs_json_writer *w = payload;

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
