#include "config.h"

#include "campaign/artifacts.h"

#include <stdlib.h>

#include "base/digest.h"
#include "json/scan.h"
#include "json/write.h"

#define BLOCK_BYTES (64u * 1024u)

/* Pages of generated code are never cached by others than the reader's browser,
 * which must ask again each time: a version may have been rolled back. */
#define CACHE_PRIVATE "private, no-cache"

static const struct cs_artifact_kind kinds[] = {
    {"website", "website/index.html", "text/html; charset=utf-8", "index.html",
     CACHE_PRIVATE, true, "s3_website_url"},
    {"pdf", "pdf/campaign_report.pdf", "application/pdf", "campaign_report.pdf",
     CACHE_PRIVATE, false, "s3_pdf_url"},
    {"artifacts", "artifacts/workflow_state.json", "application/json",
     "workflow_state.json", CACHE_PRIVATE, true, "s3_artifacts_url"},
    {"metadata", "metadata/campaign_metadata.json", "application/json",
     "campaign_metadata.json", CACHE_PRIVATE, true, "s3_metadata_url"},
    {"brief", "metadata/campaign_brief.json", "application/json", "campaign_brief.json",
     CACHE_PRIVATE, true, NULL},
};

/* A client's own file: path, type and name come from the file's name. */
static const struct cs_artifact_kind file_kind = {"files/",      "files/", "",  "",
                                                  CACHE_PRIVATE, false,    NULL};

/* What a browser is told; all others are plain bytes to save. */
static const struct {
    struct cs_view ending;
    const char *content_type;
} types_by_ending[] = {
    {CS_LIT_INIT(".css"), "text/css; charset=utf-8"},
    {CS_LIT_INIT(".csv"), "text/csv; charset=utf-8"},
    {CS_LIT_INIT(".gif"), "image/gif"},
    {CS_LIT_INIT(".html"), "text/html; charset=utf-8"},
    {CS_LIT_INIT(".jpeg"), "image/jpeg"},
    {CS_LIT_INIT(".jpg"), "image/jpeg"},
    {CS_LIT_INIT(".json"), "application/json"},
    {CS_LIT_INIT(".md"), "text/markdown; charset=utf-8"},
    {CS_LIT_INIT(".mp4"), "video/mp4"},
    {CS_LIT_INIT(".pdf"), "application/pdf"},
    {CS_LIT_INIT(".png"), "image/png"},
    {CS_LIT_INIT(".svg"), "image/svg+xml"},
    {CS_LIT_INIT(".txt"), "text/plain; charset=utf-8"},
    {CS_LIT_INIT(".webp"), "image/webp"},
    {CS_LIT_INIT(".zip"), "application/zip"},
};

const struct cs_artifact_kind *cs_artifact_kind(struct cs_view name)
{
    const struct cs_view files = cs_view_cstr(file_kind.name);

    for (size_t i = 0; i < CS_COUNT(kinds); i++)
        if (cs_view_eq_cstr(name, kinds[i].name))
            return &kinds[i];
    if (cs_view_starts(name, files) && cs_file_name_valid(cs_view_from(name, files.len)))
        return &file_kind;
    return NULL;
}

static struct cs_view type_by_ending(struct cs_view file_name)
{
    for (size_t i = 0; i < CS_COUNT(types_by_ending); i++) {
        struct cs_view ending = types_by_ending[i].ending;

        if (file_name.len > ending.len &&
            cs_view_eq_nocase(cs_view_from(file_name, file_name.len - ending.len),
                              ending))
            return cs_view_cstr(types_by_ending[i].content_type);
    }
    return CS_LIT("application/octet-stream");
}

struct cs_view cs_artifact_file_name(struct cs_view name)
{
    const struct cs_artifact_kind *kind = cs_artifact_kind(name);

    if (kind == &file_kind)
        return cs_view_from(name, strlen(file_kind.name));
    return cs_view_cstr(kind != NULL ? kind->file_name : "");
}

struct cs_view cs_artifact_content_type(struct cs_view name)
{
    const struct cs_artifact_kind *kind = cs_artifact_kind(name);

    if (kind == NULL || kind == &file_kind)
        return type_by_ending(cs_artifact_file_name(name));
    return cs_view_cstr(kind->content_type);
}

static void add_folder(struct cs_buf *out, struct cs_view id)
{
    cs_buf_add_cstr(out, "campaigns/");
    cs_buf_add(out, id);
    cs_buf_add_byte(out, '/');
}

enum cs_code cs_artifact_content_key(struct cs_buf *out, struct cs_view id,
                                     const char *folder, struct cs_view content,
                                     struct cs_err *err)
{
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc = cs_sha256_hex_of(hex, content, err);

    if (rc != CS_OK)
        return rc;
    add_folder(out, id);
    cs_buf_add_cstr(out, folder);
    cs_buf_add_cstr(out, hex);
    cs_buf_add_cstr(out, ".json");
    return cs_buf_check(out, err);
}

void cs_artifact_key(struct cs_buf *out, struct cs_view id, struct cs_view name)
{
    const struct cs_artifact_kind *kind = cs_artifact_kind(name);

    add_folder(out, id);
    if (kind == NULL)
        return;
    cs_buf_add_cstr(out, kind->path);
    if (kind == &file_kind)
        cs_buf_add(out, cs_artifact_file_name(name));
}

/* ---- what the record says ---- */

/* Keys, versions and types are of our own making: plain ASCII without escapes. */
static struct cs_view plain_text(struct cs_view value)
{
    if (value.len < 2 || value.ptr[0] != '"')
        return CS_LIT("");
    return cs_view_of(value.ptr + 1, value.len - 2);
}

static void take_member(struct cs_artifact *out, struct cs_view name,
                        struct cs_view value)
{
    const struct {
        struct cs_view name;
        struct cs_view *to;
    } texts[] = {
        {CS_LIT("key"), &out->key},
        {CS_LIT("version"), &out->version},
        {CS_LIT("bucket"), &out->bucket},
        {CS_LIT("sha256"), &out->sha256},
        {CS_LIT("content_type"), &out->content_type},
    };

    for (size_t i = 0; i < CS_COUNT(texts); i++) {
        if (cs_view_eq(name, texts[i].name)) {
            *texts[i].to = plain_text(value);
            return;
        }
    }
    if (cs_view_eq(name, CS_LIT("size")) && !cs_view_to_u64(value, &out->size))
        out->size = 0;
    if (cs_view_eq(name, CS_LIT("supplied")))
        out->supplied = cs_view_eq(value, CS_LIT("true"));
}

/* Walks through the object that *rest stands at. */
static void walk_artifact(struct cs_artifact *out, struct cs_view *rest)
{
    static const struct cs_view none = CS_LIT_INIT("");
    struct cs_view name;

    *out = (struct cs_artifact){.key = none,
                                .version = none,
                                .bucket = none,
                                .sha256 = none,
                                .content_type = none};
    if (cs_json_kind(*rest) != '{')
        (void)cs_json_walk_value(rest);
    else
        while (cs_json_walk_member(rest, &name))
            take_member(out, name, cs_json_walk_value(rest));
}

/* Steps to the members of the record's files; false where it has none. */
static bool walk_to_files(struct cs_view *rest, const struct cs_record *record)
{
    *rest = record->detail;
    return cs_json_walk_to(rest, "files") && cs_json_kind(*rest) == '{';
}

enum cs_code cs_artifact_find(const struct cs_record *record, struct cs_view name,
                              struct cs_artifact *out, struct cs_err *err)
{
    struct cs_view rest, found;

    if (walk_to_files(&rest, record)) {
        while (cs_json_walk_member(&rest, &found)) {
            if (cs_view_eq(found, name)) {
                walk_artifact(out, &rest);
                return CS_OK;
            }
            (void)cs_json_walk_value(&rest);
        }
    }
    *out = (struct cs_artifact){.size = 0};
    return cs_err_field(err, CS_ENOTFOUND, "", "artifact_not_found",
                        "the campaign has no %.*s yet; it is %.*s", CS_FMT(name),
                        CS_FMT(record->status));
}

static bool take_end(struct cs_view *rest, struct cs_view end)
{
    if (!cs_view_ends(*rest, end))
        return false;
    rest->len -= end.len;
    return true;
}

/* "https://bucket.s3...", or "https://host/bucket/". */
static bool is_of_bucket(struct cs_view front, struct cs_view bucket)
{
    bool secure = cs_view_starts(front, CS_LIT("https://"));
    struct cs_view host = cs_view_from(front, secure ? 8 : 7);

    if ((!secure && !cs_view_starts(front, CS_LIT("http://"))) || bucket.len == 0 ||
        !take_end(&front, CS_LIT("/")))
        return false;
    if (cs_view_starts(host, bucket) &&
        cs_view_starts(cs_view_from(host, bucket.len), CS_LIT(".s3")))
        return true;
    return take_end(&front, bucket) && cs_view_ends(front, CS_LIT("/"));
}

bool cs_artifact_find_told(const struct cs_record *record, struct cs_view name,
                           struct cs_view bucket, struct cs_artifact *out)
{
    const struct cs_artifact_kind *kind = cs_artifact_kind(name);
    struct cs_view url = CS_LIT("");
    struct cs_view front;
    bool told;

    if (record->extra.len > 0 && kind != NULL && kind->url_member != NULL)
        url = plain_text(cs_json_slice(record->detail, kind->url_member));
    front = url;
    told = url.len > 0 && take_end(&front, cs_view_cstr(kind->path)) &&
           take_end(&front, CS_LIT("/")) && take_end(&front, record->key) &&
           take_end(&front, CS_LIT("campaigns/")) && is_of_bucket(front, bucket);
    *out = (struct cs_artifact){.key = cs_view_from(url, front.len),
                                .version = CS_LIT(""),
                                .bucket = CS_LIT(""),
                                .sha256 = CS_LIT(""),
                                .content_type = cs_artifact_content_type(name),
                                .size = UINT64_MAX};
    return told;
}

void cs_artifact_each(const struct cs_record *record, cs_artifact_fn *callback,
                      void *payload)
{
    struct cs_artifact artifact;
    struct cs_view rest, name;

    if (!walk_to_files(&rest, record))
        return;
    while (cs_json_walk_member(&rest, &name)) {
        walk_artifact(&artifact, &rest);
        if (!callback(payload, name, &artifact))
            return;
    }
}

void cs_artifact_json(struct cs_buf *out, const struct cs_object *object,
                      struct cs_view content_type, bool supplied)
{
    struct cs_json_writer writer;

    cs_json_writer_init(&writer, out);
    cs_json_object(&writer);
    if (*object->bucket != '\0')
        cs_json_member_cstr(&writer, "bucket", object->bucket);
    cs_json_member_cstr(&writer, "key", object->key);
    if (*object->version != '\0')
        cs_json_member_cstr(&writer, "version", object->version);
    cs_json_member_u64(&writer, "size", object->size);
    cs_json_member_cstr(&writer, "sha256", object->sha256);
    cs_json_member_str(&writer, "content_type", content_type);
    if (supplied)
        cs_json_member_raw(&writer, "supplied", CS_LIT("true"));
    cs_json_object_end(&writer);
}

static bool add_version(void *payload, struct cs_view name, struct cs_view value)
{
    struct cs_json_writer *w = payload;
    const struct cs_artifact_kind *kind = cs_artifact_kind(name);

    if (kind == NULL || kind == &file_kind || cs_view_eq(name, CS_LIT("brief")))
        return true;
    cs_json_key_view(w, name);
    cs_json_str(w, plain_text(cs_json_slice(value, "version")));
    return true;
}

void cs_artifact_versions(struct cs_buf *out, struct cs_view files)
{
    struct cs_json_writer w;

    cs_json_writer_init(&w, out);
    cs_json_object(&w);
    cs_json_each_member(files, add_version, &w);
    cs_json_object_end(&w);
}

void cs_artifact_each_listed(const struct cs_record *record,
                             cs_artifact_version_fn *callback, void *payload)
{
    struct cs_view rest = record->summary, name;

    if (!cs_json_walk_to(&rest, "versions") || cs_json_kind(rest) != '{')
        return;
    while (cs_json_walk_member(&rest, &name))
        if (!callback(payload, name, plain_text(cs_json_walk_value(&rest))))
            return;
}

/* ---- a client's own ---- */

static bool may_be_supplied(struct cs_view name)
{
    return cs_view_eq(name, CS_LIT("website")) || cs_view_eq(name, CS_LIT("pdf")) ||
           (cs_artifact_kind(name) == &file_kind);
}

static enum cs_code stream_body(const struct cs_campaigns *campaigns,
                                const struct cs_artifact_upload *upload,
                                struct cs_object_writer *writer, struct cs_err *err)
{
    char *block = malloc(BLOCK_BYTES);
    uint64_t total = 0;
    size_t got = 0;
    enum cs_code rc = CS_OK;

    if (block == NULL)
        return cs_err_nomem(err);
    do {
        rc = upload->read(upload->payload, block, BLOCK_BYTES, &got, err);
        total += got;
        if (rc == CS_OK && total > campaigns->limits.file_bytes)
            rc = cs_err_field(err, CS_ETOOBIG, "", "file_too_big",
                              "an artifact has at most %llu bytes",
                              (unsigned long long)campaigns->limits.file_bytes);
        if (rc == CS_OK && got > 0)
            rc = campaigns->store->ops->put_add(campaigns->store, writer,
                                                cs_view_of(block, got), err);
    } while (rc == CS_OK && got > 0);
    free(block);
    return rc;
}

void cs_artifact_discard_from(const struct cs_campaigns *campaigns, struct cs_view bucket,
                              struct cs_view key, struct cs_view version,
                              struct cs_deadline deadline)
{
    struct cs_err err = CS_ERR_NONE;
    struct cs_store *store = cs_store_in_bucket(campaigns->store, bucket, &err);

    if (version.len == 0)
        return;
    if (store == NULL ||
        store->ops->delete_version(store, key, version, deadline, &err) != CS_OK)
        cs_log_put(campaigns->log, CS_LOG_WARN,
                   "an object that no record names is left over", CS_LOG_TEXT("key", key),
                   CS_LOG_TEXT("version", version),
                   CS_LOG_TEXT("detail", cs_view_cstr(err.text)));
}

void cs_artifact_discard(const struct cs_campaigns *campaigns, struct cs_view key,
                         struct cs_view version, struct cs_deadline deadline)
{
    cs_artifact_discard_from(campaigns, cs_view_of("", 0), key, version, deadline);
}

static enum cs_code store_upload(const struct cs_campaigns *campaigns,
                                 const struct cs_call *call, struct cs_view id,
                                 const struct cs_artifact_upload *upload,
                                 struct cs_object *out, struct cs_err *err)
{
    const struct cs_store_ops *ops = campaigns->store->ops;
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_object_writer *writer = NULL;
    struct cs_object_info info;
    enum cs_code rc;

    cs_artifact_key(&key, id, upload->name);
    info = (struct cs_object_info){
        .key = cs_buf_view(&key),
        .content_type = upload->content_type,
        .cache_control = cs_view_cstr(cs_artifact_kind(upload->name)->cache_control),
        .compressible = cs_artifact_kind(upload->name)->compressible,
        .file_name = cs_artifact_file_name(upload->name),
    };
    if ((rc = cs_buf_check(&key, err)) != CS_OK ||
        (rc = ops->put_begin(campaigns->store, &info, upload->size, &writer,
                             call->deadline, err)) != CS_OK)
        goto out;
    if ((rc = stream_body(campaigns, upload, writer, err)) != CS_OK) {
        ops->put_abort(campaigns->store, writer);
        goto out;
    }
    rc = ops->put_commit(campaigns->store, writer, out, err);
    if (rc == CS_OK && upload->sha256.len > 0 &&
        !cs_view_eq_nocase(upload->sha256, cs_view_cstr(out->sha256))) {
        rc = cs_err_field(
            err, CS_EINVAL, "Content-Digest", "checksum_mismatch",
            "the bytes that arrived have the SHA-256 %s, not the announced one; "
            "send them again",
            out->sha256);
        cs_artifact_discard(campaigns, cs_view_cstr(out->key), cs_view_cstr(out->version),
                            call->deadline);
    }
out:
    cs_buf_clear(&key);
    return rc;
}

struct count_files {
    size_t count;
    struct cs_view except;
};

static bool count_file(void *payload, struct cs_view name,
                       const struct cs_artifact *artifact)
{
    struct count_files *files = payload;

    (void)artifact;
    if (cs_artifact_kind(name) == &file_kind && !cs_view_eq(name, files->except))
        files->count++;
    return true;
}

/* What must hold before bytes are taken, and again when they are recorded. */
static enum cs_code check_upload(const struct cs_campaigns *campaigns,
                                 const struct cs_record *record,
                                 const struct cs_artifact_upload *upload,
                                 struct cs_err *err)
{
    struct count_files files = {.except = upload->name};

    if (!may_be_supplied(upload->name))
        return cs_err_field(
            err, CS_ENOTFOUND, "", "artifact_unknown",
            "only website, pdf and files/{name} can be uploaded; a name "
            "begins with a letter or digit and goes on with letters, digits, "
            "., _ or -");
    if (upload->size != UINT64_MAX && upload->size > campaigns->limits.file_bytes)
        return cs_err_field(err, CS_ETOOBIG, "Content-Length", "file_too_big",
                            "an artifact has at most %llu bytes",
                            (unsigned long long)campaigns->limits.file_bytes);
    if (cs_artifact_kind(upload->name) != &file_kind &&
        !cs_campaign_is(record, "running"))
        return cs_err_field(
            err, CS_ECONFLICT, "", "campaign_not_running",
            "the campaign is %.*s; its website and PDF can be brought only "
            "while it is running",
            CS_FMT(record->status));
    cs_artifact_each(record, count_file, &files);
    if (files.count >= campaigns->limits.files)
        return cs_err_field(err, CS_ETOOBIG, "", "too_many_files",
                            "a campaign has at most %zu files; delete it or use fewer",
                            campaigns->limits.files);
    return CS_OK;
}

struct upload_edit {
    const struct cs_campaigns *campaigns;
    const struct cs_artifact_upload *upload;
    const struct cs_object *stored;
    struct cs_view pointer;
    struct cs_buf files;
    struct cs_buf versions;
    struct cs_json_change detail;
    struct cs_json_change summary;
    struct cs_buf old_bucket;
    struct cs_buf old_key;
    struct cs_buf old_version;
};

/* CS_EEXISTS: the record names what was stored already, as the commit of an attempt
 * before, though its answer was lost, was done. */
static enum cs_code edit_upload(void *payload, const struct cs_record *record,
                                struct cs_campaign_change *change_out, struct cs_err *err)
{
    struct upload_edit *edit = payload;
    struct cs_buf name = CS_BUF_INIT(CS_FILE_NAME_MAX + 16);
    struct cs_json_change entry;
    struct cs_artifact old = {.size = 0};
    enum cs_code rc;

    if (cs_artifact_find(record, edit->upload->name, &old, NULL) == CS_OK &&
        cs_view_eq_cstr(old.key, edit->stored->key) &&
        cs_view_eq_cstr(old.version, edit->stored->version))
        return CS_EEXISTS;
    if ((rc = check_upload(edit->campaigns, record, edit->upload, err)) != CS_OK)
        return rc;
    cs_buf_reset(&edit->old_bucket);
    cs_buf_add(&edit->old_bucket, old.bucket);
    cs_buf_reset(&edit->old_key);
    cs_buf_reset(&edit->old_version);
    cs_buf_add(&edit->old_key, old.key);
    cs_buf_add(&edit->old_version, old.version);
    cs_buf_add(&name, edit->upload->name);
    cs_buf_reset(&edit->files);
    entry = (struct cs_json_change){cs_buf_cstr(&name), edit->pointer};
    cs_json_edit(&edit->files, cs_json_slice(record->detail, "files"), &entry, 1);
    cs_buf_reset(&edit->versions);
    cs_artifact_versions(&edit->versions, cs_buf_view(&edit->files));
    edit->detail = (struct cs_json_change){"files", cs_buf_view(&edit->files)};
    edit->summary = (struct cs_json_change){"versions", cs_buf_view(&edit->versions)};
    *change_out = (struct cs_campaign_change){.summary = &edit->summary,
                                              .summary_count = 1,
                                              .detail = &edit->detail,
                                              .detail_count = 1};
    if ((rc = cs_buf_check(&name, err)) == CS_OK &&
        (rc = cs_buf_check(&edit->versions, err)) == CS_OK)
        rc = cs_buf_check(&edit->files, err);
    cs_buf_clear(&name);
    return rc;
}

enum cs_code cs_artifact_put(const struct cs_campaigns *campaigns,
                             const struct cs_call *call, struct cs_view id,
                             const struct cs_artifact_upload *upload,
                             struct cs_object *out, struct cs_err *err)
{
    struct upload_edit edit = {.campaigns = campaigns,
                               .upload = upload,
                               .stored = out,
                               .files = CS_BUF_INIT(CS_RECORD_BYTES_MAX),
                               .versions = CS_BUF_INIT(CS_SUMMARY_BYTES_MAX),
                               .old_bucket = CS_BUF_INIT(CS_STORE_KEY_MAX),
                               .old_key = CS_BUF_INIT(CS_STORE_KEY_MAX),
                               .old_version = CS_BUF_INIT(2048)};
    struct cs_buf pointer = CS_BUF_INIT(8192);
    struct cs_record *record = NULL;
    enum cs_code rc;

    if ((rc = cs_campaign_load(campaigns, call, id, CS_ACCESS_OWNER, false, &record,
                               err)) != CS_OK ||
        (rc = check_upload(campaigns, record, upload, err)) != CS_OK ||
        (rc = cs_campaign_check_room(record, cs_view_of("", 0), 1, err)) != CS_OK ||
        (rc = store_upload(campaigns, call, id, upload, out, err)) != CS_OK)
        goto out;
    cs_artifact_json(&pointer, out, upload->content_type, true);
    edit.pointer = cs_buf_view(&pointer);
    if ((rc = cs_buf_check(&pointer, err)) == CS_OK)
        rc = cs_campaign_edit(campaigns, call, id, edit_upload, &edit, err);
    if (rc == CS_EEXISTS)
        rc = CS_OK;
    /* The version that no record names is of no use: the old one when the new one took
     * its place, the new one when the commit failed for sure. A store that was busy at
     * last may have done it before. */
    if (rc == CS_OK && edit.old_version.len > 0)
        cs_artifact_discard_from(campaigns, cs_buf_view(&edit.old_bucket),
                                 cs_buf_view(&edit.old_key),
                                 cs_buf_view(&edit.old_version), call->deadline);
    else if (rc == CS_ENOTFOUND || rc == CS_ECONFLICT || rc == CS_ETOOBIG)
        cs_artifact_discard(campaigns, cs_view_cstr(out->key), cs_view_cstr(out->version),
                            call->deadline);
out:
    cs_record_free(record);
    cs_buf_clear(&pointer);
    cs_buf_clear(&edit.files);
    cs_buf_clear(&edit.versions);
    cs_buf_clear(&edit.old_bucket);
    cs_buf_clear(&edit.old_key);
    cs_buf_clear(&edit.old_version);
    return rc;
}

enum cs_code cs_artifact_read(const struct cs_campaigns *campaigns,
                              const struct cs_artifact *artifact, struct cs_buf *out,
                              struct cs_deadline deadline, struct cs_err *err)
{
    const struct cs_object_name name = {artifact->key, artifact->version};
    struct cs_store *store = cs_store_in_bucket(campaigns->store, artifact->bucket, err);

    return store == NULL ? CS_EUPSTREAM
                         : cs_store_fetch_each(store, &name, 1, out, deadline, err);
}
