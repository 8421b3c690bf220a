#include "config.h"

#include "api/download.h"
#include "api/links.h"
#include "api/routes.h"
#include "campaign/artifacts.h"
#include "json/write.h"

/* ---- PUT ---- */

static enum cs_code read_body(void *payload, char *to, size_t room, size_t *got_out,
                              struct cs_err *err)
{
    return cs_request_read(payload, to, room, got_out, err);
}

static enum cs_code answer_with_artifact(struct cs_exchange *x, struct cs_view name,
                                         struct cs_view content_type,
                                         const struct cs_object *object,
                                         struct cs_err *err)
{
    const struct cs_artifact artifact = {.key = cs_view_cstr(object->key),
                                         .version = cs_view_cstr(object->version),
                                         .bucket = cs_view_cstr(object->bucket),
                                         .content_type = content_type,
                                         .size = object->size};
    struct cs_buf url = CS_BUF_INIT(64u * 1024u);
    struct cs_json_writer w;
    int64_t expires_us = 0;
    const struct cs_link link = {.name = name, .artifact = &artifact};
    enum cs_code rc = cs_link_make(x, &link, &url, &expires_us, err);

    if (rc == CS_OK) {
        cs_json_writer_init(&w, cs_response_body(x->response));
        cs_json_object(&w);
        cs_json_member_str(&w, "campaign_id", x->params[0]);
        cs_json_member_str(&w, "name", name);
        cs_json_member_u64(&w, "size", object->size);
        cs_json_member_cstr(&w, "sha256", object->sha256);
        cs_json_member_str(&w, "content_type", content_type);
        cs_json_member_str(&w, "url", cs_buf_view(&url));
        cs_json_member_time(&w, "url_expires_at", expires_us);
        cs_json_object_end(&w);
        rc = cs_exchange_answer(x, 200, err);
    }
    cs_buf_clear(&url);
    return rc;
}

/* A type that a client gives for a file of its own, where it is a plain one. */
static struct cs_view content_type_of(struct cs_exchange *x, struct cs_view name)
{
    struct cs_view given = cs_request_header(x->request, "Content-Type");
    bool plain =
        given.len > 0 && given.len <= 128 && cs_view_find_byte(given, '/') != SIZE_MAX;

    for (size_t i = 0; i < given.len && plain; i++)
        plain = given.ptr[i] >= 0x20 && given.ptr[i] < 0x7f && given.ptr[i] != '"' &&
                given.ptr[i] != '\\';
    if (!cs_view_starts(name, CS_LIT("files/")) || !plain ||
        cs_view_eq_nocase(given, CS_LIT("application/x-www-form-urlencoded")))
        return cs_artifact_content_type(name);
    return given;
}

static enum cs_code put_artifact(struct cs_exchange *x, struct cs_view name,
                                 struct cs_err *err)
{
    int64_t announced = cs_request_content_length(x->request);
    struct cs_buf sha256 = CS_BUF_INIT(2 * CS_SHA256_LEN + 8);
    struct cs_object object = {.bucket = NULL};
    struct cs_artifact_upload upload = {
        .name = name,
        .content_type = content_type_of(x, name),
        .size = announced < 0 ? UINT64_MAX : (uint64_t)announced,
        .read = read_body,
        .payload = x->request,
    };
    enum cs_code rc = cs_exchange_digest(x, &sha256, err);

    upload.sha256 = cs_buf_view(&sha256);
    if (rc == CS_OK)
        rc = cs_artifact_put(&x->app->campaigns, &x->call, x->params[0], &upload, &object,
                             err);
    if (rc == CS_OK)
        rc = answer_with_artifact(x, name, upload.content_type, &object, err);
    cs_object_clear(&object);
    cs_buf_clear(&sha256);
    return rc;
}

enum cs_code cs_api_website_put(struct cs_exchange *x, struct cs_err *err)
{
    return put_artifact(x, CS_LIT("website"), err);
}

enum cs_code cs_api_pdf_put(struct cs_exchange *x, struct cs_err *err)
{
    return put_artifact(x, CS_LIT("pdf"), err);
}

typedef enum cs_code named_fn(struct cs_exchange *x, struct cs_view name,
                              struct cs_err *err);

static enum cs_code with_file_name(struct cs_exchange *x, named_fn *act,
                                   struct cs_err *err)
{
    struct cs_buf name = CS_BUF_INIT(8192);
    enum cs_code rc;

    cs_buf_add_cstr(&name, "files/");
    cs_buf_add(&name, x->params[1]);
    if ((rc = cs_buf_check(&name, err)) == CS_OK)
        rc = act(x, cs_buf_view(&name), err);
    cs_buf_clear(&name);
    return rc;
}

enum cs_code cs_api_file_put(struct cs_exchange *x, struct cs_err *err)
{
    return with_file_name(x, put_artifact, err);
}

/* ---- GET ---- */

/* Where the store gives out addresses of its own, the client is sent there for the
 * bytes. What takes knowledge of ours (conditions, HEAD) is answered here. */
static bool is_elsewhere(struct cs_exchange *x, const struct cs_artifact *artifact)
{
    struct cs_view kind = x->app->store->ops->names(x->app->store)->kind;

    return !cs_view_eq(kind, CS_LIT("local")) && cs_download_is_plain(x, artifact);
}

static enum cs_code redirect(struct cs_exchange *x, struct cs_view name,
                             const struct cs_artifact *artifact, struct cs_err *err)
{
    struct cs_buf url = CS_BUF_INIT(64u * 1024u);
    struct cs_buf download = CS_BUF_INIT(64);
    struct cs_link link = {.name = name, .artifact = artifact};
    int64_t expires_us;
    enum cs_code rc = cs_exchange_query_text(x, "download", &download, err);

    link.saved = cs_view_eq(cs_buf_view(&download), CS_LIT("1"));
    if (rc == CS_OK && (rc = cs_link_make(x, &link, &url, &expires_us, err)) == CS_OK) {
        cs_response_status(x->response, 302);
        cs_response_header(x->response, "Location", cs_buf_view(&url));
        cs_response_header(x->response, "Cache-Control", CS_LIT("no-store"));
    }
    cs_buf_clear(&url);
    cs_buf_clear(&download);
    return rc;
}

static enum cs_code find(struct cs_exchange *x, const struct cs_record *record,
                         struct cs_view name, struct cs_artifact *out, struct cs_err *err)
{
    struct cs_view bucket = x->app->store->ops->names(x->app->store)->bucket_name;
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = cs_artifact_find(record, name, out, &why);

    if (rc == CS_ENOTFOUND && cs_artifact_find_told(record, name, bucket, out))
        return CS_OK;
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

static enum cs_code get_artifact(struct cs_exchange *x, struct cs_view name,
                                 struct cs_err *err)
{
    struct cs_record *record = NULL;
    struct cs_artifact artifact;
    enum cs_code rc = cs_campaign_load(&x->app->campaigns, &x->call, x->params[0],
                                       CS_ACCESS_OWNER_OR_ADMIN, false, &record, err);

    if (rc == CS_OK)
        rc = find(x, record, name, &artifact, err);
    if (rc == CS_OK)
        rc = is_elsewhere(x, &artifact) ? redirect(x, name, &artifact, err)
                                        : cs_download(x, name, &artifact, err);
    cs_record_free(record);
    return rc;
}

enum cs_code cs_api_artifact_get(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_view path = cs_request_path(x->request);
    size_t slash = path.len;

    while (slash > 0 && path.ptr[slash - 1] != '/')
        slash--;
    return get_artifact(x, cs_view_from(path, slash), err);
}

enum cs_code cs_api_file_get(struct cs_exchange *x, struct cs_err *err)
{
    return with_file_name(x, get_artifact, err);
}
