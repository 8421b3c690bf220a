#include "config.h"

#include "api/download.h"

#include <stdlib.h>

#include "base/encoding.h"

#define BLOCK_BYTES (64u * 1024u)

/* A generated page is somebody else's code: it gets an origin of its own, no
 * script, no form, no request. Style and embedded images work. */
#define PAGE_POLICY                                                               \
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "   \
    "style-src 'unsafe-inline'; img-src data:; font-src data:; media-src data:; " \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

/* PDFs, images and the like: viewers need no right at all. */
#define FILE_POLICY \
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"

enum range_kind { RANGE_NONE, RANGE_GOOD, RANGE_OUTSIDE };

/* One "bytes=" range (RFC 9110 section 14.1.2). What is no such range, or more
 * than one, is ignored, as the RFC allows. */
static enum range_kind read_range(struct cs_view header, uint64_t size,
                                  struct cs_byte_range *out)
{
    const struct cs_view unit = CS_LIT("bytes=");
    size_t dash;
    uint64_t first = 0;
    uint64_t last = 0;
    bool has_first;
    bool has_last;

    if (!cs_view_starts(header, unit) || cs_view_find_byte(header, ',') != SIZE_MAX)
        return RANGE_NONE;
    header = cs_view_trim(cs_view_from(header, unit.len));
    dash = cs_view_find_byte(header, '-');
    if (dash == SIZE_MAX)
        return RANGE_NONE;
    has_first = cs_view_to_u64(cs_view_sub(header, 0, dash), &first);
    has_last = cs_view_to_u64(cs_view_from(header, dash + 1), &last);
    if ((!has_first && dash > 0) || (!has_last && dash + 1 < header.len) ||
        (!has_first && !has_last) || (has_first && has_last && last < first))
        return RANGE_NONE;
    if (!has_first) { /* the last so many bytes */
        first = last < size ? size - last : 0;
        if (last == 0 || size == 0)
            return RANGE_OUTSIDE;
        last = size - 1;
    }
    if (first >= size)
        return RANGE_OUTSIDE;
    *out = (struct cs_byte_range){first, has_last && last < size ? last : size - 1};
    return RANGE_GOOD;
}

/* If-Range with another tag than ours means: the whole, please. */
static bool range_applies(struct cs_exchange *x, const char *etag)
{
    struct cs_view condition = cs_request_header(x->request, "If-Range");

    return condition.len == 0 || cs_view_eq_cstr(condition, etag);
}

static void add_disposition(struct cs_exchange *x, struct cs_view name, bool save)
{
    struct cs_view file_name = cs_artifact_file_name(name);

    /* File names are from an allow-list, so they need no quoting rules. */
    cs_response_header_fmt(x->response, "Content-Disposition", "%s; filename=\"%.*s\"",
                           save ? "attachment" : "inline", CS_FMT(file_name));
}

bool cs_download_is_shown(struct cs_view type)
{
    static const struct cs_view shown[] = {
        CS_LIT_INIT("text/html"),       CS_LIT_INIT("text/plain"),
        CS_LIT_INIT("application/pdf"), CS_LIT_INIT("application/json"),
        CS_LIT_INIT("image/"),          CS_LIT_INIT("video/"),
        CS_LIT_INIT("text/csv"),        CS_LIT_INIT("text/markdown")};

    for (size_t i = 0; i < CS_COUNT(shown); i++)
        if (cs_view_starts(type, shown[i]))
            return true;
    return false;
}

/* If-Match (RFC 9110 section 13.1.1): one of the tags, or any. */
static enum cs_code check_match(struct cs_exchange *x, const char *etag,
                                struct cs_err *err)
{
    struct cs_view rest = cs_request_header(x->request, "If-Match");
    struct cs_view tag;

    if (rest.len == 0)
        return CS_OK;
    while (cs_view_split(&rest, ',', &tag)) {
        tag = cs_view_trim(tag);
        if (cs_view_eq(tag, CS_LIT("*")) || cs_view_eq_cstr(tag, etag))
            return CS_OK;
    }
    return cs_err_field(
        err, CS_ECONFLICT, "If-Match", "precondition_failed",
        "the artifact is another version than If-Match names: get it anew");
}

static enum cs_code add_headers(struct cs_exchange *x, struct cs_view name,
                                const struct cs_artifact *artifact, const char *etag,
                                struct cs_err *err)
{
    struct cs_buf download = CS_BUF_INIT(64);
    const struct cs_artifact_kind *kind = cs_artifact_kind(name);
    struct cs_view type = artifact->content_type;
    bool page = cs_view_starts(type, CS_LIT("text/html"));
    enum cs_code rc = cs_exchange_query_text(x, "download", &download, err);

    if (rc != CS_OK)
        return rc;
    cs_response_header(x->response, "Content-Type", type);
    if (*etag != '\0')
        cs_response_header(x->response, "ETag", cs_view_cstr(etag));
    cs_response_header(x->response, "X-Content-Type-Options", CS_LIT("nosniff"));
    cs_response_header(x->response, "Content-Security-Policy",
                       page ? CS_LIT(PAGE_POLICY) : CS_LIT(FILE_POLICY));
    cs_response_header(x->response, "Referrer-Policy", CS_LIT("no-referrer"));
    cs_response_header(x->response, "Cross-Origin-Resource-Policy",
                       CS_LIT("same-origin"));
    cs_response_header(
        x->response, "Cache-Control",
        cs_view_cstr(kind != NULL ? kind->cache_control : "private, no-cache"));
    add_disposition(x, name,
                    cs_view_eq(cs_buf_view(&download), CS_LIT("1")) ||
                        !cs_download_is_shown(type));
    cs_buf_clear(&download);
    return CS_OK;
}

/* X-Accel-Redirect names an address, X-Sendfile a path as it is. */
static bool name_file(struct cs_exchange *x, struct cs_view path)
{
    const char *header = cs_settings_text(x->app->settings, CS_SET_ACCEL_HEADER);
    struct cs_buf plain = CS_BUF_INIT(path.len + 1);
    bool done = true;

    if (strcmp(header, "X-Sendfile") == 0) {
        done = cs_percent_decode(&plain, path, false, NULL) == CS_OK &&
               cs_buf_check(&plain, NULL) == CS_OK;
        path = cs_buf_view(&plain);
        cs_response_header(x->response, "Accept-Ranges", CS_LIT("bytes"));
    }
    if (done)
        cs_response_header(x->response, header, path);
    cs_buf_clear(&plain);
    return done;
}

/* Lets the web server send the file; false when it can't. */
static bool hand_over(struct cs_exchange *x, const struct cs_artifact *artifact)
{
    const char *prefix = cs_settings_text(x->app->settings, CS_SET_ACCEL_PREFIX);
    struct cs_buf path = CS_BUF_INIT(8192);
    char *texts[3] = {cs_view_dup(artifact->bucket), cs_view_dup(artifact->key),
                      cs_view_dup(artifact->version)};
    struct cs_object object = {texts[0], texts[1], texts[2], artifact->size, ""};
    bool done = false;

    if (prefix != NULL && texts[0] != NULL && texts[1] != NULL && texts[2] != NULL) {
        cs_buf_add_cstr(&path, prefix);
        done =
            x->app->store->ops->file_path(x->app->store, &object, &path, NULL) == CS_OK &&
            cs_buf_check(&path, NULL) == CS_OK;
    }
    if (done)
        done = name_file(x, cs_buf_view(&path));
    cs_object_clear(&object);
    cs_buf_clear(&path);
    return done;
}

enum cs_code cs_download_copy(struct cs_exchange *x, struct cs_object_reader *reader,
                              struct cs_err *err)
{
    struct cs_store *store = x->app->store;
    char *block = malloc(BLOCK_BYTES);
    size_t got = 0;
    enum cs_code rc = block == NULL ? cs_err_nomem(err) : CS_OK;

    while (rc == CS_OK) {
        rc = store->ops->read(store, reader, block, BLOCK_BYTES, &got, err);
        if (rc != CS_OK || got == 0)
            break;
        rc = cs_response_write(x->response, cs_view_of(block, got), err);
    }
    free(block);
    return rc;
}

/* The part that was asked for, or all of it, by this worker. */
static enum cs_code stream(struct cs_exchange *x, const struct cs_artifact *artifact,
                           bool with_range, struct cs_err *err)
{
    struct cs_store *store = cs_store_in_bucket(x->app->store, artifact->bucket, err);
    struct cs_object_reader *reader = NULL;
    struct cs_byte_range range = {0, 0};
    enum range_kind kind = RANGE_NONE;
    uint64_t size = 0;
    enum cs_code rc;

    if (store == NULL)
        return err->code;
    if ((rc = store->ops->open(store, artifact->key, artifact->version, NULL, &reader,
                               &size, x->call.deadline, err)) != CS_OK)
        return rc;
    x->range_size = size;
    cs_response_header(x->response, "Accept-Ranges", CS_LIT("bytes"));
    if (with_range)
        kind = read_range(cs_request_header(x->request, "Range"), size, &range);
    if (kind == RANGE_OUTSIDE) {
        store->ops->close(store, reader);
        return cs_err_field(err, CS_ERANGE, "Range", "range_not_satisfiable",
                            "the artifact has %llu bytes; the range lies outside",
                            (unsigned long long)size);
    }
    if (kind == RANGE_GOOD) {
        store->ops->close(store, reader);
        reader = NULL;
        rc = store->ops->open(store, artifact->key, artifact->version, &range, &reader,
                              &size, x->call.deadline, err);
        if (rc != CS_OK)
            return rc;
        cs_response_status(x->response, 206);
        cs_response_header_fmt(x->response, "Content-Range", "bytes %llu-%llu/%llu",
                               (unsigned long long)range.first,
                               (unsigned long long)range.last, (unsigned long long)size);
        size = range.last - range.first + 1;
    }
    if ((rc = cs_response_start(x->response, size, err)) == CS_OK)
        rc = cs_download_copy(x, reader, err);
    store->ops->close(store, reader);
    return rc;
}

/* The web server compares conditions with a tag of its own, and answers a range
 * outside in its own words: those are ours. */
static bool may_hand_over(struct cs_exchange *x, const struct cs_artifact *artifact)
{
    struct cs_view range = cs_request_header(x->request, "Range");
    struct cs_byte_range part;

    if (cs_request_header(x->request, "If-Match").len > 0)
        return false;
    return range.len == 0 || (cs_request_header(x->request, "If-Range").len == 0 &&
                              read_range(range, artifact->size, &part) != RANGE_OUTSIDE);
}

bool cs_download_is_plain(struct cs_exchange *x, const struct cs_artifact *artifact)
{
    return cs_view_eq(cs_request_method(x->request), CS_LIT("GET")) &&
           cs_request_header(x->request, "If-None-Match").len == 0 &&
           may_hand_over(x, artifact);
}

enum cs_code cs_download(struct cs_exchange *x, struct cs_view name,
                         const struct cs_artifact *artifact, struct cs_err *err)
{
    struct cs_buf etag = CS_BUF_INIT(4096); /* none where nothing tells two apart */
    struct cs_view tag = artifact->sha256.len > 0 ? artifact->sha256 : artifact->version;
    enum cs_code rc;

    if (tag.len > 0)
        cs_buf_add_fmt(&etag, "\"%.*s\"", CS_FMT(tag));
    if ((rc = cs_buf_check(&etag, err)) != CS_OK ||
        (rc = check_match(x, cs_buf_cstr(&etag), err)) != CS_OK ||
        (rc = add_headers(x, name, artifact, cs_buf_cstr(&etag), err)) != CS_OK)
        goto out;
    cs_response_status(x->response, 200);
    if (etag.len > 0 && cs_exchange_not_modified(x, cs_buf_cstr(&etag)))
        goto out;
    if (may_hand_over(x, artifact) && hand_over(x, artifact))
        goto out;
    rc = stream(x, artifact, range_applies(x, cs_buf_cstr(&etag)), err);
out:
    cs_buf_clear(&etag);
    return rc;
}
