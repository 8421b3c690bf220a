#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "store/aws_internal.h"

#define URL_WAIT_MS 5000 /* for a refresh of the credentials, at most */

/* ---- reading ---- */

struct cs_object_reader {
    struct cs_net_response response;
};

static bool whole_size(const struct cs_net_response *response, uint64_t *size_out)
{
    struct cs_view range = cs_net_response_header(response, "content-range");
    size_t slash = cs_view_find_byte(range, '/');

    if (range.ptr != NULL && slash != SIZE_MAX)
        return cs_view_to_u64(cs_view_from(range, slash + 1), size_out);
    return cs_view_to_u64(cs_net_response_header(response, "content-length"), size_out);
}

/* The size, for an answer that says that the range lies outside of it. */
static enum cs_code out_of_range(struct cs_aws_store *store, struct cs_view key,
                                 struct cs_view version, uint64_t *size_out,
                                 struct cs_deadline deadline, struct cs_err *err)
{
    const struct cs_s3_get head = {.key = key, .version = version, .head = true};
    struct cs_net_response response;
    enum cs_code rc;

    cs_net_response_init(&response, CS_NET_FETCH_MAX);
    rc = cs_s3_get(store->s3, &head, &response, deadline, err);
    if (rc == CS_OK && whole_size(&response, size_out))
        rc = cs_err_set(err, CS_ERANGE, "the object has %" PRIu64 " bytes", *size_out);
    cs_net_response_clear(&response);
    return rc == CS_OK ? CS_ERANGE : rc;
}

static enum cs_code start_read(struct cs_aws_store *store, const struct cs_s3_get *get,
                               struct cs_object_reader *reader, uint64_t *size_out,
                               struct cs_deadline deadline, struct cs_err *err)
{
    enum cs_code rc;

    if ((rc = cs_s3_get(store->s3, get, &reader->response, deadline, err)) != CS_OK)
        return rc;
    if (!whole_size(&reader->response, size_out))
        return cs_err_set(err, CS_EUPSTREAM,
                          "S3 GetObject did not tell the object's size");
    return CS_OK;
}

enum cs_code cs_aws_store_open_object(struct cs_store *base, struct cs_view key,
                                      struct cs_view version,
                                      const struct cs_byte_range *range,
                                      struct cs_object_reader **out, uint64_t *size_out,
                                      struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_s3_get get = {.key = key, .version = version};
    struct cs_object_reader *reader;
    struct cs_err why = CS_ERR_NONE;
    char text[64];
    enum cs_code rc;

    *out = NULL;
    *size_out = 0;
    if ((rc = cs_store_check_object_key(key, err)) != CS_OK ||
        (rc = cs_aws_store_open(store, err)) != CS_OK)
        return rc;
    if (range != NULL && range->last < range->first)
        return out_of_range(store, key, version, size_out, deadline, err);
    if (range != NULL) {
        (void)snprintf(text, sizeof(text), "bytes=%" PRIu64 "-%" PRIu64, range->first,
                       range->last > INT64_MAX ? (uint64_t)INT64_MAX : range->last);
        get.range = text;
        if (range->first > INT64_MAX)
            return out_of_range(store, key, version, size_out, deadline, err);
    }
    reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return cs_err_nomem(err);
    cs_net_response_init(&reader->response, 1u << 20);
    reader->response.hold = true;
    rc = start_read(store, &get, reader, size_out, deadline, &why);
    if (rc == CS_OK) {
        *out = reader;
        return CS_OK;
    }
    cs_aws_store_close(base, reader);
    if (rc == CS_ERANGE)
        return out_of_range(store, key, version, size_out, deadline, err);
    if (rc == CS_ENOTFOUND && cs_aws_store_lacks_bucket(&why))
        rc = CS_EUPSTREAM; /* a fault of the set-up, not a missing object */
    if (err != NULL && err->code == CS_OK)
        *err = why;
    return rc;
}

enum cs_code cs_aws_store_read(struct cs_store *base, struct cs_object_reader *reader,
                               char *to, size_t room, size_t *got_out, struct cs_err *err)
{
    (void)base;
    return cs_net_read(&reader->response, to, room, got_out, err);
}

void cs_aws_store_close(struct cs_store *base, struct cs_object_reader *reader)
{
    (void)base;
    if (reader == NULL)
        return;
    cs_net_response_clear(&reader->response);
    free(reader);
}

/* ---- links ---- */

/* RFC 6266: an ASCII name for old readers, and the true one where it is another. */
static void write_disposition(struct cs_buf *out, const struct cs_object_info *info)
{
    struct cs_view name = info->file_name;
    bool plain = true;

    cs_buf_add_cstr(out, info->saved ? "attachment" : "inline");
    cs_buf_add_cstr(out, "; filename=\"");
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool fits = c >= 0x20 && c < 0x7f && strchr("\"\\%", c) == NULL;

        plain = plain && fits;
        cs_buf_add_byte(out, fits ? c : '_');
    }
    cs_buf_add_byte(out, '"');
    if (plain)
        return;
    cs_buf_add_cstr(out, "; filename*=UTF-8''");
    cs_percent_encode(out, name, false);
}

enum cs_code cs_aws_store_url(struct cs_store *base, const struct cs_object *object,
                              const struct cs_object_info *info, int64_t ttl_s,
                              struct cs_buf *out, int64_t *expires_us_out,
                              struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_buf disposition = CS_BUF_INIT(4096);
    struct cs_s3_link link = {.method = "GET",
                              .key = cs_view_cstr(object->key),
                              .version = cs_view_cstr(object->version),
                              .ttl_s = ttl_s,
                              .deadline = cs_deadline_in_ms(URL_WAIT_MS)};
    enum cs_code rc;

    *expires_us_out = 0;
    if ((rc = cs_aws_store_open(store, err)) != CS_OK)
        return rc;
    if (info != NULL)
        link.content_type = info->content_type;
    if (info != NULL && info->file_name.len > 0) {
        write_disposition(&disposition, info);
        link.content_disposition = cs_buf_view(&disposition);
    }
    if ((rc = cs_buf_check(&disposition, err)) == CS_OK)
        rc = cs_s3_presign(store->s3, &link, out, expires_us_out, err);
    cs_buf_clear(&disposition);
    return rc;
}
