#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "store/aws_uploads.h"

#define PART_BYTES (8u << 20)  /* of a put in pieces, in memory */
#define SINGLE_MAX (64u << 20) /* a larger file goes in parts */
#define FILE_PART  (16u << 20)

static struct cs_s3_info info_of(const struct cs_object_info *info, const char *sha256)
{
    return (struct cs_s3_info){.key = info->key,
                               .content_type = info->content_type,
                               .cache_control = info->cache_control,
                               .sha256 = sha256};
}

/* Takes over version. */
static enum cs_code set_object(struct cs_aws_store *store, struct cs_object *out,
                               struct cs_view key, char *version, uint64_t size,
                               const char *sha256, struct cs_err *err)
{
    *out = (struct cs_object){.version = version, .size = size};
    out->bucket = cs_view_dup(cs_view_cstr(store->bucket));
    out->key = cs_view_dup(key);
    memcpy(out->sha256, sha256, sizeof(out->sha256));
    if (out->bucket != NULL && out->key != NULL && out->version != NULL)
        return CS_OK;
    cs_object_clear(out);
    return cs_err_nomem(err);
}

/* ---- put ---- */

/* A source with what is known of it before it is sent. */
struct prepared {
    uint64_t size;
    char sha256[CS_SHA256_HEX_LEN + 1];
    struct cs_aws_packed packed; /* empty where it is sent as it is */
};

static enum cs_code hash_source(const struct cs_object_source *source,
                                struct prepared *out, struct cs_err *err)
{
    const struct cs_file_part file = {.fd = source->fd, .size = source->size};

    out->size = source->fd >= 0 ? source->size : source->bytes.len;
    return source->fd >= 0 ? cs_file_sha256(&file, out->sha256, err)
                           : cs_sha256_hex_of(out->sha256, source->bytes, err);
}

static bool is_large(const struct cs_object_source *source)
{
    return source->fd >= 0 && source->size > SINGLE_MAX;
}

static enum cs_code prepare(const struct cs_aws_store *store,
                            const struct cs_object_source *source, struct prepared *out,
                            struct cs_err *err)
{
    enum cs_code rc = hash_source(source, out, err);

    if (rc == CS_OK && store->gzip && source->info.compressible && !is_large(source))
        rc = cs_aws_pack(&out->packed, source->bytes, source->fd, out->size, err);
    return rc;
}

static struct cs_s3_put put_of(const struct cs_object_source *source,
                               const struct prepared *prepared)
{
    struct cs_s3_put put = {.info = info_of(&source->info, prepared->sha256),
                            .payload_sha256 = prepared->sha256};

    if (prepared->packed.bytes.len > 0)
        cs_aws_packed_put(&prepared->packed, &put);
    else if (source->fd >= 0)
        put.body = (struct cs_net_body){
            .kind = CS_NET_BODY_FILE, .fd = source->fd, .size = source->size};
    else
        put.body =
            (struct cs_net_body){.kind = CS_NET_BODY_BYTES, .bytes = source->bytes};
    return put;
}

/* A large file, in parts that go side by side. */
static enum cs_code put_large(struct cs_aws_store *store,
                              const struct cs_object_source *source,
                              const struct prepared *hash, char **version_out,
                              struct cs_deadline deadline, struct cs_err *err)
{
    const struct cs_s3_info info = info_of(&source->info, hash->sha256);
    struct cs_aws_upload *upload;
    /* 10,000 parts are the most there can be */
    uint64_t part =
        source->size / 9999 + 1 > FILE_PART ? source->size / 9999 + 1 : FILE_PART;
    uint64_t at = 0;
    enum cs_code rc;

    *version_out = NULL;
    if ((rc = cs_aws_upload_begin(store, &info, &upload, deadline, err)) != CS_OK)
        return rc;
    while (at < source->size && rc == CS_OK) {
        struct cs_net_body parts[CS_S3_PARTS_AT_ONCE];
        size_t count = 0;

        for (; count < CS_S3_PARTS_AT_ONCE && at < source->size; count++) {
            uint64_t size = source->size - at < part ? source->size - at : part;

            parts[count] = (struct cs_net_body){
                .kind = CS_NET_BODY_FILE, .fd = source->fd, .offset = at, .size = size};
            at += size;
        }
        rc = cs_s3_upload_parts(upload->parts, parts, count, deadline, err);
    }
    if (rc == CS_OK)
        rc = cs_s3_upload_complete(upload->parts, version_out, deadline, err);
    cs_aws_upload_end(store, upload, rc == CS_OK);
    return rc;
}

/* Those that go in one request each, side by side. */
static enum cs_code put_small(struct cs_aws_store *store,
                              const struct cs_object_source *sources,
                              const struct prepared *prepared, size_t count,
                              struct cs_object *outs, struct cs_deadline deadline,
                              struct cs_err *err)
{
    struct cs_s3_put puts[CS_S3_PUT_MANY_MAX];
    size_t place[CS_S3_PUT_MANY_MAX] = {0};
    size_t small = 0;
    enum cs_code rc;

    for (size_t i = 0; i < count; i++) {
        if (is_large(&sources[i]))
            continue;
        place[small] = i;
        puts[small++] = put_of(&sources[i], &prepared[i]);
    }
    rc = cs_aws_store_put_all(store, puts, small, deadline, err);
    for (size_t k = 0; k < small && rc == CS_OK; k++) {
        size_t i = place[k];

        rc = set_object(store, &outs[i], sources[i].info.key, puts[k].version_out,
                        prepared[i].size, prepared[i].sha256, err);
        puts[k].version_out = NULL;
    }
    for (size_t k = 0; k < small; k++)
        if (rc != CS_OK && puts[k].version_out != NULL)
            free(puts[k].version_out);
    return rc;
}

/* At most CS_S3_PUT_MANY_MAX sources. */
static enum cs_code put_some(struct cs_aws_store *store,
                             const struct cs_object_source *sources, size_t count,
                             struct cs_object *outs, struct cs_deadline deadline,
                             struct cs_err *err)
{
    struct prepared prepared[CS_S3_PUT_MANY_MAX];
    size_t ready = 0;
    enum cs_code rc = CS_OK;

    for (; ready < count && rc == CS_OK; ready++) {
        prepared[ready] = (struct prepared){.packed = CS_AWS_PACKED_NONE};
        rc = prepare(store, &sources[ready], &prepared[ready], err);
    }
    if (rc == CS_OK)
        rc = put_small(store, sources, prepared, count, outs, deadline, err);
    for (size_t i = 0; i < count && rc == CS_OK; i++) {
        char *version;

        if (!is_large(&sources[i]))
            continue;
        rc = put_large(store, &sources[i], &prepared[i], &version, deadline, err);
        if (rc == CS_OK)
            rc = set_object(store, &outs[i], sources[i].info.key, version,
                            prepared[i].size, prepared[i].sha256, err);
    }
    for (size_t i = 0; i < ready; i++)
        cs_buf_clear(&prepared[i].packed.bytes);
    return rc;
}

enum cs_code cs_aws_store_put(struct cs_store *base,
                              const struct cs_object_source *sources, size_t count,
                              struct cs_object *outs, struct cs_deadline deadline,
                              struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < count; i++)
        outs[i] = (struct cs_object){.size = 0};
    for (size_t i = 0; i < count && rc == CS_OK; i++)
        rc = cs_store_check_object_key(sources[i].info.key, err);
    if (rc == CS_OK)
        rc = cs_aws_store_open(store, err);
    for (size_t at = 0; at < count && rc == CS_OK; at += CS_S3_PUT_MANY_MAX)
        rc = put_some(store, sources + at,
                      count - at < CS_S3_PUT_MANY_MAX ? count - at : CS_S3_PUT_MANY_MAX,
                      outs + at, deadline, err);
    for (size_t i = 0; i < count && rc != CS_OK; i++)
        cs_object_clear(&outs[i]);
    return rc;
}

/* ---- put in pieces ---- */

struct cs_object_writer {
    char *key;
    char *content_type;
    char *cache_control;
    bool compressible;
    uint64_t announced; /* UINT64_MAX: not known */
    uint64_t size;
    struct cs_sha256 *digest;
    struct cs_buf part;
    struct cs_aws_upload *upload; /* once one part was full */
    struct cs_deadline deadline;
};

static struct cs_s3_info writer_info(const struct cs_object_writer *writer,
                                     const char *sha256)
{
    return (struct cs_s3_info){.key = cs_view_cstr(writer->key),
                               .content_type = cs_view_cstr(writer->content_type),
                               .cache_control = cs_view_cstr(writer->cache_control),
                               .sha256 = sha256};
}

static void writer_free(struct cs_object_writer *writer)
{
    free(writer->key);
    free(writer->content_type);
    free(writer->cache_control);
    cs_sha256_free(writer->digest);
    cs_buf_clear(&writer->part);
    free(writer);
}

enum cs_code cs_aws_store_put_begin(struct cs_store *base,
                                    const struct cs_object_info *info, uint64_t size,
                                    struct cs_object_writer **out,
                                    struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_object_writer *writer;
    enum cs_code rc;

    *out = NULL;
    if ((rc = cs_store_check_object_key(info->key, err)) != CS_OK ||
        (rc = cs_aws_store_open(cs_aws_store_of(base), err)) != CS_OK)
        return rc;
    writer = calloc(1, sizeof(*writer));
    if (writer == NULL)
        return cs_err_nomem(err);
    writer->key = cs_view_dup(info->key);
    writer->content_type = cs_view_dup(info->content_type);
    writer->cache_control = cs_view_dup(info->cache_control);
    writer->digest = cs_sha256_new();
    writer->compressible = info->compressible;
    writer->announced = size;
    writer->deadline = deadline;
    cs_buf_init(&writer->part, PART_BYTES);
    if (writer->key == NULL || writer->content_type == NULL ||
        writer->cache_control == NULL || writer->digest == NULL) {
        writer_free(writer);
        return cs_err_nomem(err);
    }
    *out = writer;
    return CS_OK;
}

static enum cs_code send_part(struct cs_aws_store *store, struct cs_object_writer *writer,
                              struct cs_err *err)
{
    const struct cs_s3_info info = writer_info(writer, NULL);
    const struct cs_net_body body = {.kind = CS_NET_BODY_BYTES,
                                     .bytes = cs_buf_view(&writer->part)};
    enum cs_code rc = CS_OK;

    if (writer->upload == NULL)
        rc = cs_aws_upload_begin(store, &info, &writer->upload, writer->deadline, err);
    if (rc == CS_OK)
        rc = cs_s3_upload_parts(writer->upload->parts, &body, 1, writer->deadline, err);
    cs_buf_reset(&writer->part);
    return rc;
}

enum cs_code cs_aws_store_put_add(struct cs_store *base, struct cs_object_writer *writer,
                                  struct cs_view bytes, struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    enum cs_code rc;

    if (bytes.len > writer->announced - writer->size)
        return cs_err_set(err, CS_EINVAL, "more bytes than were announced");
    if ((rc = cs_sha256_add(writer->digest, bytes, err)) != CS_OK)
        return rc;
    writer->size += bytes.len;
    while (bytes.len > 0) {
        struct cs_view piece = cs_view_sub(bytes, 0, PART_BYTES - writer->part.len);

        cs_buf_add(&writer->part, piece);
        if ((rc = cs_buf_check(&writer->part, err)) != CS_OK)
            return rc;
        bytes = cs_view_from(bytes, piece.len);
        if (writer->part.len == PART_BYTES &&
            (rc = send_part(store, writer, err)) != CS_OK)
            return rc;
    }
    return CS_OK;
}

/* All bytes are still here. (Those of a larger one went before its size was known, which
 * stands beside compressed bytes: it is kept as it came.) */
static enum cs_code finish_small(struct cs_aws_store *store,
                                 const struct cs_object_writer *writer,
                                 struct cs_s3_put *put, char **version_out,
                                 struct cs_err *err)
{
    struct cs_aws_packed packed = CS_AWS_PACKED_NONE;
    enum cs_code rc = CS_OK;

    if (store->gzip && writer->compressible)
        rc = cs_aws_pack(&packed, cs_buf_view(&writer->part), -1, writer->size, err);
    if (packed.bytes.len > 0)
        cs_aws_packed_put(&packed, put);
    if (rc == CS_OK) {
        rc = cs_aws_store_put_all(store, put, 1, writer->deadline, err);
        *version_out = put->version_out;
    }
    cs_buf_clear(&packed.bytes);
    return rc;
}

static enum cs_code finish_put(struct cs_aws_store *store,
                               struct cs_object_writer *writer, const char *sha256,
                               char **version_out, struct cs_err *err)
{
    struct cs_s3_put put = {
        .info = writer_info(writer, sha256),
        .body = {.kind = CS_NET_BODY_BYTES, .bytes = cs_buf_view(&writer->part)},
        .payload_sha256 = sha256};
    enum cs_code rc = CS_OK;

    *version_out = NULL;
    if (writer->upload == NULL)
        return finish_small(store, writer, &put, version_out, err);
    if (writer->part.len > 0)
        rc = send_part(store, writer, err);
    if (rc == CS_OK)
        rc = cs_s3_upload_complete(writer->upload->parts, version_out, writer->deadline,
                                   err);
    if (rc == CS_OK) {
        cs_aws_upload_end(store, writer->upload, true);
        writer->upload = NULL;
    }
    return rc;
}

enum cs_code cs_aws_store_put_commit(struct cs_store *base,
                                     struct cs_object_writer *writer,
                                     struct cs_object *out, struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    char sha256[CS_SHA256_HEX_LEN + 1];
    char *version = NULL;
    enum cs_code rc = CS_OK;

    *out = (struct cs_object){.size = 0};
    if (writer->announced != UINT64_MAX && writer->size < writer->announced)
        rc = cs_err_set(err, CS_ESHORT, "%" PRIu64 " of %" PRIu64 " bytes came",
                        writer->size, writer->announced);
    if (rc == CS_OK && (rc = cs_sha256_end_hex(writer->digest, sha256, err)) == CS_OK)
        rc = finish_put(store, writer, sha256, &version, err);
    if (rc == CS_OK)
        rc = set_object(store, out, cs_view_cstr(writer->key), version, writer->size,
                        sha256, err);
    cs_aws_store_put_abort(base, writer);
    return rc;
}

void cs_aws_store_put_abort(struct cs_store *base, struct cs_object_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->upload != NULL)
        cs_aws_upload_end(cs_aws_store_of(base), writer->upload, false);
    writer_free(writer);
}
