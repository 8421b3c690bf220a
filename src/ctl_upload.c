#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl_remote.h"

#include "base/digest.h"
#include "base/encoding.h"
#include "campaign/artifacts.h"
#include "json/scan.h"
#include "json/write.h"

#define BLOCK_BYTES   (64u << 10)
#define PART_MAX      (8u << 20)
#define PATH_MAX_TEXT 4096u
#define ROUNDS        3 /* of sending what the service still lacks */

/* ---- bodies ---- */

enum cs_code ctl_body_of_bytes(struct ctl_body *out, struct cs_view bytes,
                               struct cs_err *err)
{
    *out = (struct ctl_body){.bytes = bytes, .fd = -1, .size = bytes.len};
    return cs_sha256_hex_of(out->sha256, bytes, err);
}

/* Reads to the end and counts, since that is what will be sent. */
static enum cs_code digest_file(struct ctl_body *body, const char *path,
                                struct cs_err *err)
{
    struct cs_sha256 *digest = cs_sha256_new();
    char *block = malloc(BLOCK_BYTES);
    ssize_t got = 0;
    enum cs_code rc = digest == NULL || block == NULL ? cs_err_nomem(err) : CS_OK;

    while (rc == CS_OK &&
           (got = pread(body->fd, block, BLOCK_BYTES, (off_t)body->size)) > 0) {
        rc = cs_sha256_add(digest, cs_view_of(block, (size_t)got), err);
        body->size += (uint64_t)got;
    }
    if (rc == CS_OK && got < 0)
        rc = cs_err_errno(err, errno, "%s can't be read", path);
    if (rc == CS_OK)
        rc = cs_sha256_end_hex(digest, body->sha256, err);
    cs_sha256_free(digest);
    free(block);
    return rc;
}

enum cs_code ctl_body_of_file(struct ctl_body *out, const char *path, struct cs_err *err)
{
    enum cs_code rc;

    *out = (struct ctl_body){.fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (out->fd < 0)
        return cs_err_errno(err, errno, "%s can't be opened", path);
    if ((rc = digest_file(out, path, err)) != CS_OK)
        ctl_body_clear(out);
    return rc;
}

void ctl_body_clear(struct ctl_body *body)
{
    if (body->fd >= 0)
        (void)close(body->fd);
    *body = (struct ctl_body){.fd = -1};
}

static struct cs_net_body whole(const struct ctl_body *body)
{
    if (body->fd >= 0)
        return (struct cs_net_body){
            .kind = CS_NET_BODY_FILE, .fd = body->fd, .size = body->size};
    return (struct cs_net_body){
        .kind = CS_NET_BODY_BYTES, .bytes = body->bytes, .size = body->size};
}

static enum cs_code read_range(const struct ctl_body *body, uint64_t offset, size_t len,
                               struct cs_buf *out, struct cs_err *err)
{
    char *room;

    cs_buf_reset(out);
    if (body->fd < 0) {
        cs_buf_add(out, cs_view_sub(body->bytes, (size_t)offset, len));
        return cs_buf_check(out, err);
    }
    if ((room = cs_buf_room(out, len)) == NULL)
        return cs_buf_check(out, err);
    while (out->len < len) {
        ssize_t got =
            pread(body->fd, room + out->len, len - out->len, (off_t)(offset + out->len));

        if (got <= 0)
            return cs_err_errno(err, got < 0 ? errno : EIO,
                                "a file became shorter while it was sent");
        cs_buf_grew(out, (size_t)got);
    }
    return CS_OK;
}

/* ---- an upload in parts ---- */

struct upload {
    struct ctl_remote *remote;
    struct cs_view campaign_id;
    const char *target;
    const struct ctl_body *body;
    struct cs_buf id;
    uint64_t part_bytes;
    bool finished;
    uint64_t parts;
    bool *there; /* by number - 1 */
};

/* "/campaigns/{id}/uploads[/{upload}{tail}]" */
static void add_path(struct cs_buf *out, const struct upload *upload, const char *tail)
{
    cs_buf_reset(out);
    cs_buf_add_cstr(out, "/campaigns/");
    cs_buf_add(out, upload->campaign_id);
    cs_buf_add_cstr(out, "/uploads");
    if (upload->id.len > 0) {
        cs_buf_add_byte(out, '/');
        cs_buf_add(out, cs_buf_view(&upload->id));
        cs_buf_add_cstr(out, tail);
    }
}

/* What of the service's list agrees with what we have. */
static bool note_part(void *payload, struct cs_view value)
{
    struct upload *upload = payload;
    struct cs_buf given = CS_BUF_INIT(1024);
    struct cs_buf bytes = CS_BUF_INIT(PART_MAX);
    char hex[CS_SHA256_HEX_LEN + 1];
    uint64_t number;

    if (cs_view_to_u64(cs_json_slice(value, "part"), &number) && number >= 1 &&
        number <= upload->parts && cs_json_slice_string(&given, value, "sha256")) {
        uint64_t offset = (number - 1) * upload->part_bytes;
        uint64_t left = upload->body->size - offset;

        if (read_range(upload->body, offset,
                       (size_t)(left < upload->part_bytes ? left : upload->part_bytes),
                       &bytes, NULL) == CS_OK &&
            cs_sha256_hex_of(hex, cs_buf_view(&bytes), NULL) == CS_OK)
            upload->there[number - 1] = cs_view_eq_cstr(cs_buf_view(&given), hex);
    }
    cs_buf_clear(&given);
    cs_buf_clear(&bytes);
    return true;
}

/* Takes in an answer that describes the upload. */
static enum cs_code read_upload(struct upload *upload, struct cs_err *err)
{
    struct cs_view answer = ctl_remote_answer(upload->remote);
    enum cs_code rc;

    cs_buf_reset(&upload->id);
    if ((rc = ctl_remote_text(upload->remote, "upload_id", &upload->id, err)) != CS_OK)
        return rc;
    if (!cs_view_to_u64(cs_json_slice(answer, "part_bytes"), &upload->part_bytes) ||
        upload->part_bytes == 0 || upload->part_bytes > PART_MAX)
        return cs_err_set(err, CS_EUPSTREAM, "the service names no usable size of parts");
    upload->finished = cs_view_eq(cs_json_slice(answer, "finished"), CS_LIT("true"));
    upload->parts =
        upload->body->size == 0 ? 0 : (upload->body->size - 1) / upload->part_bytes + 1;
    free(upload->there);
    upload->there = calloc((size_t)upload->parts + 1, sizeof(*upload->there));
    if (upload->there == NULL)
        return cs_err_nomem(err);
    cs_json_each_element(cs_json_slice(answer, "received"), note_part, upload);
    return CS_OK;
}

static enum cs_code begin(struct upload *upload, const char *salt, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(PATH_MAX_TEXT);
    struct cs_buf body = CS_BUF_INIT(PATH_MAX_TEXT);
    struct cs_buf key = CS_BUF_INIT(PATH_MAX_TEXT);
    char key_hex[CS_SHA256_HEX_LEN + 1];
    struct cs_json_writer w;
    enum cs_code rc;

    cs_json_writer_init(&w, &body);
    cs_json_object(&w);
    cs_json_member_cstr(&w, "target", upload->target);
    cs_json_member_u64(&w, "size", upload->body->size);
    cs_json_member_cstr(&w, "sha256", upload->body->sha256);
    cs_json_object_end(&w);
    cs_buf_add_fmt(&key, "%s ", salt);
    cs_buf_add(&key, cs_buf_view(&body));
    upload->id.len = 0;
    add_path(&path, upload, "");
    if ((rc = cs_buf_check(&body, err)) == CS_OK &&
        (rc = cs_buf_check(&path, err)) == CS_OK &&
        (rc = cs_sha256_hex_of(key_hex, cs_buf_view(&key), err)) == CS_OK)
        rc = ctl_remote_send(upload->remote,
                             &(struct ctl_request){.method = "POST",
                                                   .path = cs_buf_cstr(&path),
                                                   .body = {.kind = CS_NET_BODY_BYTES,
                                                            .bytes = cs_buf_view(&body),
                                                            .size = body.len},
                                                   .idempotency_key = key_hex},
                             err);
    if (rc == CS_OK)
        rc = read_upload(upload, err);
    cs_buf_clear(&path);
    cs_buf_clear(&body);
    cs_buf_clear(&key);
    return rc;
}

/* Finds what an earlier run began. A finished artifact may since have been replaced
 * by another, so it is begun anew. */
static enum cs_code begin_or_find(struct upload *upload, struct cs_err *err)
{
    char salt[2 * 16 + 1];
    uint8_t random[16];
    enum cs_code rc = begin(upload, "", err);

    if (rc != CS_OK || !upload->finished || strcmp(upload->target, "final_state") == 0)
        return rc;
    if ((rc = cs_random_bytes(random, sizeof(random), err)) != CS_OK)
        return rc;
    cs_hex_encode(salt, random, sizeof(random));
    return begin(upload, salt, err);
}

static enum cs_code send_part(struct upload *upload, uint64_t number,
                              struct cs_buf *bytes, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(PATH_MAX_TEXT);
    uint64_t offset = (number - 1) * upload->part_bytes;
    uint64_t left = upload->body->size - offset;
    char tail[48];
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc;

    (void)snprintf(tail, sizeof(tail), "/parts/%llu", (unsigned long long)number);
    add_path(&path, upload, tail);
    if ((rc = cs_buf_check(&path, err)) == CS_OK &&
        (rc = read_range(upload->body, offset,
                         (size_t)(left < upload->part_bytes ? left : upload->part_bytes),
                         bytes, err)) == CS_OK &&
        (rc = cs_sha256_hex_of(hex, cs_buf_view(bytes), err)) == CS_OK)
        rc = ctl_remote_send(
            upload->remote,
            &(struct ctl_request){.method = "PUT",
                                  .path = cs_buf_cstr(&path),
                                  .content_type = CS_LIT("application/octet-stream"),
                                  .body = {.kind = CS_NET_BODY_BYTES,
                                           .bytes = cs_buf_view(bytes),
                                           .size = bytes->len},
                                  .sha256 = hex},
            err);
    cs_buf_clear(&path);
    return rc;
}

static enum cs_code send_parts(struct upload *upload, struct cs_err *err)
{
    struct cs_buf bytes = CS_BUF_INIT(PART_MAX);
    enum cs_code rc = CS_OK;

    for (uint64_t number = 1; number <= upload->parts && rc == CS_OK; number++) {
        if (upload->there[number - 1])
            continue;
        ctl_remote_progress(upload->remote, upload->target, number - 1, upload->parts);
        rc = send_part(upload, number, &bytes, err);
        upload->there[number - 1] = rc == CS_OK;
    }
    ctl_remote_progress(upload->remote, upload->target, upload->parts, upload->parts);
    cs_buf_clear(&bytes);
    return rc;
}

static enum cs_code finish(struct upload *upload, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(PATH_MAX_TEXT);
    struct cs_buf body = CS_BUF_INIT(256);
    enum cs_code rc;

    add_path(&path, upload, "/complete");
    cs_buf_add_fmt(&body, "{\"sha256\":\"%s\"}", upload->body->sha256);
    if ((rc = cs_buf_check(&path, err)) == CS_OK &&
        (rc = cs_buf_check(&body, err)) == CS_OK)
        rc = ctl_remote_send(upload->remote,
                             &(struct ctl_request){.method = "POST",
                                                   .path = cs_buf_cstr(&path),
                                                   .body = {.kind = CS_NET_BODY_BYTES,
                                                            .bytes = cs_buf_view(&body),
                                                            .size = body.len}},
                             err);
    cs_buf_clear(&path);
    cs_buf_clear(&body);
    return rc;
}

/* Asks what has arrived. */
static enum cs_code look(struct upload *upload, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(PATH_MAX_TEXT);
    enum cs_code rc;

    add_path(&path, upload, "");
    if ((rc = cs_buf_check(&path, err)) == CS_OK)
        rc = ctl_remote_send(
            upload->remote,
            &(struct ctl_request){.method = "GET", .path = cs_buf_cstr(&path)}, err);
    cs_buf_clear(&path);
    return rc == CS_OK ? read_upload(upload, err) : rc;
}

static enum cs_code send_all(struct upload *upload, struct cs_err *err)
{
    enum cs_code rc = begin_or_find(upload, err);

    for (int round = 1; rc == CS_OK && !upload->finished; round++) {
        struct cs_err cause = CS_ERR_NONE;

        if ((rc = send_parts(upload, err)) != CS_OK)
            return rc;
        rc = finish(upload, &cause);
        if (rc == CS_OK)
            return CS_OK;
        /* the answer of the first may have been lost, or parts were cleaned away */
        if (round == ROUNDS || rc != CS_ECONFLICT) {
            cs_err_hand_on(err, &cause);
            return rc;
        }
        rc = look(upload, err);
    }
    return rc;
}

enum cs_code ctl_remote_upload(struct ctl_remote *remote, struct cs_view campaign_id,
                               const char *target, const struct ctl_body *body,
                               struct cs_buf *upload_id_out, struct cs_err *err)
{
    struct upload upload = {.remote = remote,
                            .campaign_id = campaign_id,
                            .target = target,
                            .body = body,
                            .id = CS_BUF_INIT(256)};
    enum cs_code rc = send_all(&upload, err);

    cs_buf_add(upload_id_out, cs_buf_view(&upload.id));
    free(upload.there);
    cs_buf_clear(&upload.id);
    return rc == CS_OK ? cs_buf_check(upload_id_out, err) : rc;
}

/* ---- an artifact ---- */

static enum cs_code put_whole(struct ctl_remote *remote, struct cs_view campaign_id,
                              const char *target, const struct ctl_body *body,
                              struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(PATH_MAX_TEXT);
    enum cs_code rc;

    cs_buf_add_cstr(&path, "/campaigns/");
    cs_buf_add(&path, campaign_id);
    cs_buf_add_byte(&path, '/');
    cs_percent_encode(&path, cs_view_cstr(target), true);
    if ((rc = cs_buf_check(&path, err)) == CS_OK)
        rc = ctl_remote_send(
            remote,
            &(struct ctl_request){.method = "PUT",
                                  .path = cs_buf_cstr(&path),
                                  .content_type =
                                      cs_artifact_content_type(cs_view_cstr(target)),
                                  .body = whole(body),
                                  .sha256 = body->sha256,
                                  .may_be_too_big = body->size > CTL_SMALL_BODY},
            err);
    cs_buf_clear(&path);
    return rc;
}

enum cs_code ctl_remote_put(struct ctl_remote *remote, struct cs_view campaign_id,
                            const char *target, const struct ctl_body *body,
                            struct cs_err *err)
{
    struct cs_buf upload_id = CS_BUF_INIT(256);
    const struct ctl_limits *limits;
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc = ctl_remote_limits(remote, &limits, err);

    if (rc != CS_OK)
        return rc;
    if (body->size <= limits->body_bytes) {
        rc = put_whole(remote, campaign_id, target, body, &cause);
        if (rc != CS_ETOOBIG || body->size <= CTL_SMALL_BODY) {
            if (rc != CS_OK)
                cs_err_hand_on(err, &cause);
            return rc;
        }
        ctl_remote_learn(remote, CTL_SMALL_BODY);
    }
    rc = ctl_remote_upload(remote, campaign_id, target, body, &upload_id, err);
    cs_buf_clear(&upload_id);
    return rc;
}
