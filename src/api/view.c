#include "config.h"

#include "api/view.h"

#include "api/links.h"
#include "json/scan.h"

static const char *const artifact_names[] = {"website", "pdf", "artifacts", "metadata"};

/* A record from a list has no detail: what a link needs follows from the
 * campaign's id and the version in the summary. */
static bool find_artifact(const struct cs_record *record, struct cs_view name,
                          struct cs_buf *key, struct cs_artifact *out)
{
    struct cs_view version;

    if (record->detail.len > 0)
        return cs_artifact_find(record, name, out, NULL) == CS_OK;
    version = cs_artifact_listed_version(record, name);
    cs_artifact_key(key, record->key, name);
    *out = (struct cs_artifact){.key = cs_buf_view(key),
                                .version = version,
                                .content_type = cs_artifact_content_type(name)};
    return version.ptr != NULL;
}

static enum cs_code write_url(struct cs_exchange *x, struct cs_json_writer *w,
                              const struct cs_record *record, const char *name,
                              int64_t *expires_us, struct cs_err *err)
{
    struct cs_buf url = CS_BUF_INIT(64u * 1024u);
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_artifact artifact;
    const struct cs_link link = {.name = cs_view_cstr(name), .artifact = &artifact};
    int64_t own_expires_us = 0;
    enum cs_code rc = CS_OK;

    if (!find_artifact(record, cs_view_cstr(name), &key, &artifact)) {
        cs_json_null(w);
        goto out;
    }
    rc = cs_link_make(x, &link, &url, &own_expires_us, err);
    if (rc == CS_OK) {
        cs_json_str(w, cs_buf_view(&url));
        if (*expires_us == 0 || own_expires_us < *expires_us)
            *expires_us = own_expires_us;
    }
out:
    cs_buf_clear(&url);
    cs_buf_clear(&key);
    return rc;
}

enum cs_code cs_view_urls(struct cs_exchange *x, struct cs_json_writer *w,
                          const struct cs_record *record, const char *prefix,
                          const char *suffix, int64_t *expires_us_out, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    *expires_us_out = 0;
    for (size_t i = 0; i < CS_COUNT(artifact_names) && rc == CS_OK; i++) {
        struct cs_buf name = CS_BUF_INIT(64);

        cs_buf_add_cstr(&name, prefix);
        cs_buf_add_cstr(&name, artifact_names[i]);
        cs_buf_add_cstr(&name, suffix);
        cs_json_key_view(w, cs_buf_view(&name));
        rc = write_url(x, w, record, artifact_names[i], expires_us_out, err);
        cs_buf_clear(&name);
    }
    return rc;
}

static bool write_member(void *payload, struct cs_view name, struct cs_view value)
{
    struct cs_json_writer *w = payload;

    if (cs_view_eq(name, CS_LIT("versions"))) /* ours, for links */
        return true;
    cs_json_key_view(w, name);
    cs_json_raw(w, value);
    return true;
}

void cs_view_summary(struct cs_json_writer *w, const struct cs_record *record)
{
    cs_json_each_member(record->summary, write_member, w);
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
