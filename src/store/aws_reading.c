/* Objects as they were put, whether S3 keeps them compressed or not, and links to them.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/s3_reader.h"
#include "base/deflate.h"
#include "base/encoding.h"
#include "store/aws_internal.h"

#define URL_WAIT_MS 5000 /* for a refresh of the credentials, at most */
#define BLOCK_LEN   16384u

/* ---- reading ---- */

/* Of an object that is kept compressed. */
struct unpacking {
    struct cs_gunzip *gunzip;
    char block[BLOCK_LEN];
    struct cs_view input; /* of the block, not yet used */
    uint64_t skip;        /* bytes to leave out first */
    uint64_t left;        /* bytes to give after that */
    bool to_end;          /* the last of them is the object's last */
};

struct cs_object_reader {
    struct cs_s3_reader *body;
    struct unpacking *unpacking; /* NULL: the bytes are as they were put */
};

/* What an answer says of the object. */
struct object_look {
    bool packed;   /* compressed by this store */
    uint64_t size; /* as it was put */
    bool sized;
};

/* Stand-ins for S3 keep the "aws-chunked" of the upload before it. */
static bool is_gzip(struct cs_view encoding)
{
    static const struct cs_view chunked = CS_LIT_INIT("aws-chunked,");

    if (cs_view_starts(encoding, chunked))
        encoding = cs_view_trim(cs_view_from(encoding, chunked.len));
    return cs_view_eq_nocase(encoding, CS_LIT("gzip"));
}

static struct object_look look_at(const struct cs_net_response *response)
{
    struct cs_view range = cs_net_response_header(response, "content-range");
    size_t slash = cs_view_find_byte(range, '/');
    struct cs_view size = cs_net_response_header(response, "content-length");
    struct object_look look = {.packed = false};

    if (range.ptr != NULL && slash != SIZE_MAX)
        size = cs_view_from(range, slash + 1);
    /* Others' objects may be encoded, too, but do not say how long they were: those
     * are given as they are. */
    look.packed =
        is_gzip(cs_net_response_header(response, "content-encoding")) &&
        cs_view_to_u64(cs_net_response_header(response, "x-amz-meta-size"), &look.size);
    look.sized = look.packed || cs_view_to_u64(size, &look.size);
    return look;
}

/* For an answer that says that the range lies outside of the object as it is kept. */
static enum cs_code look_by_head(struct cs_aws_store *store, const struct cs_s3_get *get,
                                 struct object_look *out, struct cs_deadline deadline,
                                 struct cs_err *err)
{
    const struct cs_s3_get head = {
        .key = get->key, .version = get->version, .head = true};
    struct cs_net_response response;
    enum cs_code rc;

    cs_net_response_init(&response, CS_NET_FETCH_MAX);
    if ((rc = cs_s3_get(store->s3, &head, &response, deadline, err)) == CS_OK)
        *out = look_at(&response);
    cs_net_response_clear(&response);
    if (rc == CS_OK && !out->sized)
        return cs_err_set(err, CS_EUPSTREAM,
                          "S3 HeadObject did not tell the object's size");
    return rc;
}

static enum cs_code start_read(struct cs_aws_store *store, const struct cs_s3_get *get,
                               struct cs_object_reader *reader, struct object_look *out,
                               struct cs_deadline deadline, struct cs_err *err)
{
    enum cs_code rc;

    if ((rc = cs_s3_reader_open(store->s3, get, &reader->body, deadline, err)) != CS_OK)
        return rc;
    *out = look_at(cs_s3_reader_response(reader->body));
    return CS_OK;
}

static enum cs_code out_of_range(uint64_t size, struct cs_err *err)
{
    return cs_err_set(err, CS_ERANGE, "the object has %" PRIu64 " bytes", size);
}

static enum cs_code start_unpacking(struct cs_object_reader *reader, uint64_t size,
                                    const struct cs_byte_range *range, struct cs_err *err)
{
    struct unpacking *u = calloc(1, sizeof(*u));

    reader->unpacking = u;
    if (u == NULL || (u->gunzip = cs_gunzip_new()) == NULL)
        return cs_err_nomem(err);
    u->left = size;
    u->to_end = true;
    if (range == NULL)
        return CS_OK;
    u->skip = range->first;
    u->left = size - range->first;
    if (range->last - range->first < u->left - 1) {
        u->left = range->last - range->first + 1;
        u->to_end = false;
    }
    return CS_OK;
}

/* A range of a compressed object was asked for: S3 counts other bytes than we do, so
 * the whole of that same version is read, up to the end of the range. */
static enum cs_code read_packed(struct cs_aws_store *store, struct cs_s3_get *get,
                                const struct cs_byte_range *range,
                                struct cs_object_reader *reader, struct object_look *look,
                                struct cs_deadline deadline, struct cs_err *err)
{
    char *version = NULL;
    enum cs_code rc;

    if (range->first >= look->size)
        return out_of_range(look->size, err);
    if (get->version.len == 0 && reader->body != NULL) {
        version = cs_view_dup(cs_net_response_header(cs_s3_reader_response(reader->body),
                                                     "x-amz-version-id"));
        if (version == NULL)
            return cs_err_nomem(err);
        get->version = cs_view_cstr(version);
    }
    cs_s3_reader_free(reader->body);
    reader->body = NULL;
    get->range = NULL;
    rc = start_read(store, get, reader, look, deadline, err);
    free(version);
    if (rc != CS_OK)
        return rc;
    if (!look->packed || range->first >= look->size)
        return cs_err_set(err, CS_ECONFLICT, "the object was replaced while it was read");
    return start_unpacking(reader, look->size, range, err);
}

static enum cs_code open_reader(struct cs_aws_store *store, struct cs_s3_get *get,
                                const struct cs_byte_range *range,
                                struct cs_object_reader *reader, struct object_look *look,
                                struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = CS_ERANGE;

    if (range == NULL || (range->first <= range->last && range->first <= INT64_MAX))
        rc = start_read(store, get, reader, look, deadline, &why);
    if (rc == CS_ERANGE) {
        why = CS_ERR_NONE;
        rc = look_by_head(store, get, look, deadline, &why);
        if (rc == CS_OK && (!look->packed || range == NULL || range->first > range->last))
            rc = out_of_range(look->size, &why);
    }
    if (rc == CS_OK && look->packed)
        rc = range != NULL ? read_packed(store, get, range, reader, look, deadline, &why)
                           : start_unpacking(reader, look->size, NULL, &why);
    if (rc == CS_ENOTFOUND && cs_aws_store_lacks_bucket(&why))
        rc = CS_EUPSTREAM; /* a fault of the set-up, not a missing object */
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

enum cs_code cs_aws_store_open_object(struct cs_store *base, struct cs_view key,
                                      struct cs_view version,
                                      const struct cs_byte_range *range,
                                      struct cs_object_reader **out, uint64_t *size_out,
                                      struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_s3_get get = {.key = key, .version = version};
    struct object_look look = {.packed = false};
    struct cs_object_reader *reader;
    char text[64];
    enum cs_code rc;

    *out = NULL;
    *size_out = 0;
    if ((rc = cs_store_check_object_key(key, err)) != CS_OK ||
        (rc = cs_aws_store_open(store, err)) != CS_OK)
        return rc;
    if (range != NULL) {
        (void)snprintf(text, sizeof(text), "bytes=%" PRIu64 "-%" PRIu64, range->first,
                       range->last > INT64_MAX ? (uint64_t)INT64_MAX : range->last);
        get.range = text;
    }
    reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return cs_err_nomem(err);
    rc = open_reader(store, &get, range, reader, &look, deadline, err);
    *size_out = look.size;
    if (rc == CS_OK)
        *out = reader;
    else
        cs_aws_store_close(base, reader);
    return rc;
}

/* The next bytes of the object as it is kept, into the block. */
static enum cs_code refill(struct cs_object_reader *reader, struct cs_err *err)
{
    struct unpacking *u = reader->unpacking;
    size_t got = 0;
    enum cs_code rc = cs_s3_reader_read(reader->body, u->block, BLOCK_LEN, &got, err);

    if (rc == CS_OK && got == 0)
        rc = cs_err_set(err, CS_EUPSTREAM, "a compressed object ends too early");
    u->input = cs_view_of(u->block, got);
    return rc;
}

/* At least one byte of the object as it was put, from where it stands. */
static enum cs_code unpack(struct cs_object_reader *reader, char *to, size_t room,
                           size_t *got_out, struct cs_err *err)
{
    struct unpacking *u = reader->unpacking;
    enum cs_code rc = CS_OK;

    *got_out = 0;
    while (rc == CS_OK && *got_out == 0 && !cs_gunzip_ended(u->gunzip)) {
        if (u->input.len == 0)
            rc = refill(reader, err);
        if (rc == CS_OK)
            rc = cs_gunzip_read(u->gunzip, &u->input, to, room, got_out, err);
    }
    return rc;
}

/* Behind the last byte: the stream must end there, which checks its checksum. */
static enum cs_code check_end(struct cs_object_reader *reader, struct cs_err *err)
{
    char byte;
    size_t got;
    enum cs_code rc = unpack(reader, &byte, 1, &got, err);

    if (rc == CS_OK && got > 0)
        return cs_err_set(err, CS_EUPSTREAM,
                          "a compressed object is longer than it should be");
    return rc;
}

static enum cs_code read_unpacked(struct cs_object_reader *reader, char *to, size_t room,
                                  size_t *got_out, struct cs_err *err)
{
    struct unpacking *u = reader->unpacking;
    size_t got = 0;
    enum cs_code rc = CS_OK;

    *got_out = 0;
    if (u->left == 0)
        return u->to_end ? check_end(reader, err) : CS_OK;
    for (;;) {
        if ((rc = unpack(reader, to, room, &got, err)) != CS_OK)
            return rc;
        if (got == 0)
            return cs_err_set(err, CS_EUPSTREAM,
                              "a compressed object is shorter than it should be");
        if (got > u->skip)
            break;
        u->skip -= got;
    }
    got -= (size_t)u->skip;
    if (u->skip > 0)
        memmove(to, to + u->skip, got);
    u->skip = 0;
    if (got > u->left) {
        if (u->to_end)
            return cs_err_set(err, CS_EUPSTREAM,
                              "a compressed object is longer than it should be");
        got = (size_t)u->left;
    }
    u->left -= got;
    *got_out = got;
    return CS_OK;
}

enum cs_code cs_aws_store_read(struct cs_store *base, struct cs_object_reader *reader,
                               char *to, size_t room, size_t *got_out, struct cs_err *err)
{
    (void)base;
    *got_out = 0;
    if (reader->unpacking != NULL)
        return read_unpacked(reader, to, room, got_out, err);
    return cs_s3_reader_read(reader->body, to, room, got_out, err);
}

void cs_aws_store_close(struct cs_store *base, struct cs_object_reader *reader)
{
    (void)base;
    if (reader == NULL)
        return;
    cs_s3_reader_free(reader->body);
    if (reader->unpacking != NULL)
        cs_gunzip_free(reader->unpacking->gunzip);
    free(reader->unpacking);
    free(reader);
}

/* ---- whole objects ---- */

static enum cs_code take_body(const struct cs_net_response *response, struct cs_buf *out,
                              struct cs_err *err)
{
    const struct object_look look = look_at(response);
    size_t from = out->len;

    struct cs_inflate *inflate;
    enum cs_code rc;

    if (!look.packed) {
        cs_buf_add(out, cs_buf_view(&response->body));
        return cs_buf_check(out, err);
    }
    inflate = cs_inflate_new();
    if (inflate == NULL)
        return cs_err_nomem(err);
    rc = cs_inflate_gzip(inflate, out, cs_buf_view(&response->body), err);
    cs_inflate_free(inflate);
    if (rc == CS_EINVAL || (rc == CS_OK && out->len - from != look.size)) {
        cs_err_clear(err);
        return cs_err_set(err, CS_EUPSTREAM,
                          "a compressed object is not what its head says");
    }
    return rc;
}

enum cs_code cs_aws_store_fetch_objects(struct cs_store *base,
                                        const struct cs_object_name *names, size_t count,
                                        struct cs_buf *outs, struct cs_deadline deadline,
                                        struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_s3_fetch fetches[CS_FETCH_MAX];
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    if (count > CS_FETCH_MAX)
        return cs_err_set(err, CS_EINTERNAL, "too many objects at once");
    if ((rc = cs_aws_store_open(store, err)) != CS_OK)
        return rc;
    for (size_t i = 0; i < count; i++) {
        fetches[i] =
            (struct cs_s3_fetch){.key = names[i].key, .version = names[i].version};
        cs_net_response_init(&fetches[i].response, outs[i].max);
        if (rc == CS_OK)
            rc = cs_store_check_object_key(names[i].key, &why);
    }
    if (rc == CS_OK)
        rc = cs_s3_get_many(store->s3, fetches, count, deadline, &why);
    if (rc == CS_ENOTFOUND && cs_aws_store_lacks_bucket(&why))
        rc = CS_EUPSTREAM; /* a fault of the set-up, not a missing object */
    for (size_t i = 0; i < count; i++) {
        if (rc == CS_OK)
            rc = take_body(&fetches[i].response, &outs[i], &why);
        cs_net_response_clear(&fetches[i].response);
    }
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
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
        bool fits = c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '%';

        plain = plain && fits;
        cs_buf_add_byte(out, fits ? c : '_');
    }
    cs_buf_add_byte(out, '"');
    if (plain)
        return;
    cs_buf_add_cstr(out, "; filename*=UTF-8''");
    cs_percent_encode(out, name, false);
}

enum cs_code cs_aws_store_url(struct cs_store *base, const struct cs_object_info *info,
                              struct cs_view version, int64_t ttl_s, struct cs_buf *out,
                              int64_t *expires_us_out, struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_buf disposition = CS_BUF_INIT(4096);
    struct cs_s3_link link = {.method = "GET",
                              .key = info->key,
                              .version = version,
                              .content_type = info->content_type,
                              .ttl_s = ttl_s,
                              .deadline = cs_deadline_in_ms(URL_WAIT_MS)};
    enum cs_code rc;

    *expires_us_out = 0;
    if ((rc = cs_aws_store_open(store, err)) != CS_OK)
        return rc;
    if (info->file_name.len > 0) {
        write_disposition(&disposition, info);
        link.content_disposition = cs_buf_view(&disposition);
    }
    if ((rc = cs_buf_check(&disposition, err)) == CS_OK)
        rc = cs_s3_presign(store->s3, &link, out, expires_us_out, err);
    cs_buf_clear(&disposition);
    return rc;
}
