#include "config.h"

#include "campaign/uploads.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "campaign/upload_record.h"
#include "json/scan.h"
#include "json/write.h"

#define UPLOAD_LIFE_US (7ll * 24 * 3600 * CS_SECOND_US)

/* ---- answers ---- */

static void write_answer(struct cs_buf *answer, struct cs_view name,
                         const struct cs_upload_record *upload, bool with_parts)
{
    struct cs_json_writer w;

    cs_json_writer_init(&w, answer);
    cs_json_object(&w);
    cs_json_member_str(&w, "upload_id", name);
    cs_json_member_str(&w, "target", upload->target);
    cs_json_member_u64(&w, "size", upload->size);
    cs_json_member_u64(&w, "part_bytes", upload->part_bytes);
    cs_json_member_u64(&w, "parts", cs_upload_parts_expected(upload));
    cs_json_member_bool(&w, "finished", upload->finished);
    if (upload->sha256.len > 0)
        cs_json_member_str(&w, "sha256", upload->sha256);
    cs_json_member_time(&w, "expires_at", upload->record->expires_at_us);
    if (with_parts) {
        cs_json_key(&w, "received");
        cs_json_array(&w);
        for (size_t i = 0; i < upload->part_count; i++) {
            cs_json_object(&w);
            cs_json_member_u64(&w, "part", upload->parts[i].number);
            cs_json_member_u64(&w, "bytes", upload->parts[i].size);
            cs_json_member_cstr(&w, "sha256", upload->parts[i].sha256);
            cs_json_object_end(&w);
        }
        cs_json_array_end(&w);
    }
    cs_json_object_end(&w);
}

/* ---- begin ---- */

struct begin {
    struct cs_buf target;
    struct cs_buf sha256;
    struct cs_buf content_type;
    uint64_t size;
};

static bool is_target(struct cs_view target)
{
    return cs_view_eq(target, CS_LIT("final_state")) ||
           cs_view_eq(target, CS_LIT("website")) || cs_view_eq(target, CS_LIT("pdf")) ||
           (cs_view_starts(target, CS_LIT("files/")) && cs_artifact_kind(target) != NULL);
}

static bool is_plain_type(struct cs_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e || text.ptr[i] == '"' ||
            text.ptr[i] == '\\')
            return false;
    return true;
}

static void check_begin(const struct cs_campaigns *campaigns, struct begin *begin,
                        struct cs_view body, struct cs_faults *faults)
{
    const struct cs_field target = {"/target", cs_json_slice(body, "target"), true};
    const struct cs_field size = {"/size", cs_json_slice(body, "size"), true};
    const struct cs_field sha256 = {"/sha256", cs_json_slice(body, "sha256"), false};
    const struct cs_field type = {"/content_type", cs_json_slice(body, "content_type"),
                                  false};
    bool is_state;
    uint64_t max;

    if (cs_check_text(faults, &target, 1, CS_FILE_NAME_MAX + 8, &begin->target) &&
        !is_target(cs_buf_view(&begin->target)))
        cs_faults_add(faults, "/target", "unknown_target",
                      "a target is website, pdf, final_state or files/{name}");
    is_state = cs_view_eq(cs_buf_view(&begin->target), CS_LIT("final_state"));
    max = is_state ? campaigns->limits.json_bytes : campaigns->limits.file_bytes;
    if (max / campaigns->limits.part_bytes >= CS_UPLOAD_PARTS_MAX)
        max = (uint64_t)campaigns->limits.part_bytes * CS_UPLOAD_PARTS_MAX;
    (void)cs_check_integer(faults, &size, max, &begin->size);
    if (cs_check_text(faults, &sha256, 0, CS_SHA256_HEX_LEN, &begin->sha256) &&
        !cs_upload_is_sha256(cs_buf_view(&begin->sha256)))
        cs_faults_add(faults, "/sha256", "pattern", "64 hex digits are expected");
    if (cs_check_text(faults, &type, 1, 128, &begin->content_type) &&
        !is_plain_type(cs_buf_view(&begin->content_type)))
        cs_faults_add(faults, "/content_type", "pattern", "write it as type/subtype");
}

static void write_summary(struct cs_buf *out, const struct begin *begin,
                          uint64_t part_bytes, bool finished)
{
    struct cs_json_writer w;

    cs_json_writer_init(&w, out);
    cs_json_object(&w);
    cs_json_member_str(&w, "target", cs_buf_view(&begin->target));
    cs_json_member_u64(&w, "size", begin->size);
    cs_json_member_u64(&w, "part_bytes", part_bytes);
    if (begin->sha256.len > 0)
        cs_json_member_str(&w, "sha256", cs_buf_view(&begin->sha256));
    if (begin->content_type.len > 0)
        cs_json_member_str(&w, "content_type", cs_buf_view(&begin->content_type));
    cs_json_member_bool(&w, "finished", finished);
    cs_json_object_end(&w);
}

/* An upload's id: random, or what follows from the campaign and the key, so that
 * who lost the answer, or the whole run, finds the upload again. */
static enum cs_code make_name(char out[2 * CS_UPLOAD_ID_BYTES + 1], struct cs_view id,
                              struct cs_view key, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_INIT(CS_CAMPAIGN_ID_MAX + key.len + 16);
    uint8_t bytes[CS_SHA256_LEN];
    enum cs_code rc;

    cs_buf_add_cstr(&text, "upload/");
    cs_buf_add(&text, id);
    cs_buf_add_byte(&text, '/');
    cs_buf_add(&text, key);
    if ((rc = cs_buf_check(&text, err)) == CS_OK)
        rc = key.len > 0 ? cs_sha256_of(bytes, cs_buf_view(&text), err)
                         : cs_random_bytes(bytes, CS_UPLOAD_ID_BYTES, err);
    if (rc == CS_OK)
        cs_hex_encode(out, bytes, CS_UPLOAD_ID_BYTES);
    cs_buf_clear(&text);
    return rc;
}

static enum cs_code store_begin(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view id,
                                struct cs_view name, const struct begin *begin,
                                struct cs_buf *answer, struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(CS_RECORD_KEY_MAX);
    struct cs_buf summary = CS_BUF_INIT(CS_SUMMARY_BYTES_MAX);
    struct cs_record record = {.detail = CS_LIT("{}")};
    const struct cs_write write = {CS_WRITE_CREATE, &record};
    const struct cs_transaction transaction = {&write, 1, NULL, 0};
    struct cs_upload_record upload = {.record = &record};
    enum cs_code rc;

    cs_upload_record_key(&key, id, name);
    write_summary(&summary, begin, campaigns->limits.part_bytes, false);
    if ((rc = cs_buf_check(&key, err)) != CS_OK ||
        (rc = cs_buf_check(&summary, err)) != CS_OK)
        goto out;
    record.key = cs_buf_view(&key);
    record.summary = cs_buf_view(&summary);
    record.expires_at_us = call->now_us + UPLOAD_LIFE_US;
    rc = campaigns->store->ops->commit(campaigns->store, &transaction, call->deadline,
                                       err);
    if (rc != CS_OK)
        goto out;
    upload.target = cs_buf_view(&begin->target);
    upload.sha256 = cs_buf_view(&begin->sha256);
    upload.size = begin->size;
    upload.part_bytes = campaigns->limits.part_bytes;
    write_answer(answer, name, &upload, false);
    rc = cs_buf_check(answer, err);
out:
    cs_buf_clear(&key);
    cs_buf_clear(&summary);
    return rc;
}

/* The upload that the same key began before, with what has arrived of it. */
static enum cs_code find_begun(const struct cs_campaigns *campaigns,
                               const struct cs_call *call, struct cs_view id,
                               struct cs_view name, const struct begin *begin,
                               struct cs_buf *answer, struct cs_err *err)
{
    struct cs_upload_record upload;
    enum cs_code rc =
        cs_upload_record_open(campaigns, call, id, name, true, &upload, err);

    if (rc != CS_OK)
        return rc;
    if (!cs_view_eq(upload.target, cs_buf_view(&begin->target)) ||
        upload.size != begin->size ||
        (begin->sha256.len > 0 &&
         !cs_view_eq_nocase(upload.sha256, cs_buf_view(&begin->sha256)))) {
        rc = cs_err_field(
            err, CS_ECONFLICT, "Idempotency-Key", "idempotency_key_reused",
            "this Idempotency-Key was used for another upload; take a new one");
    } else {
        write_answer(answer, name, &upload, true);
        rc = cs_buf_check(answer, err);
    }
    cs_upload_record_clear(&upload);
    return rc;
}

static enum cs_code begin_or_find(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call, struct cs_view id,
                                  struct cs_view key, const struct begin *begin,
                                  struct cs_buf *answer, struct cs_err *err)
{
    char name[2 * CS_UPLOAD_ID_BYTES + 1];
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc = make_name(name, id, key, err);

    if (rc == CS_OK)
        rc = store_begin(campaigns, call, id, cs_view_cstr(name), begin, answer, &cause);
    if (rc == CS_EEXISTS && key.len > 0) {
        cs_err_clear(&cause);
        rc = find_begun(campaigns, call, id, cs_view_cstr(name), begin, answer, &cause);
    }
    /* an expired one, which cleanup has not met yet, is nothing to go on with */
    if (rc == CS_ENOTFOUND && key.len > 0) {
        cs_err_clear(&cause);
        if ((rc = make_name(name, id, CS_LIT(""), &cause)) == CS_OK)
            rc = store_begin(campaigns, call, id, cs_view_cstr(name), begin, answer,
                             &cause);
    }
    if (rc != CS_OK)
        cs_err_hand_on(err, &cause);
    return rc;
}

enum cs_code cs_upload_begin(const struct cs_campaigns *campaigns,
                             const struct cs_call *call, struct cs_view id,
                             const struct cs_upload_begin *given, struct cs_buf *answer,
                             struct cs_faults *faults, struct cs_err *err)
{
    struct begin begin = {.target = CS_BUF_INIT(2048),
                          .sha256 = CS_BUF_INIT(1024),
                          .content_type = CS_BUF_INIT(2048)};
    struct cs_record *campaign = NULL;
    enum cs_code rc;

    if (cs_json_kind(given->body) != '{')
        return cs_err_field(err, CS_EINVAL, "", "validation_failed",
                            "the body must be a JSON object");
    check_begin(campaigns, &begin, given->body, faults);
    if ((rc = cs_campaign_load(campaigns, call, id, CS_ACCESS_OWNER, false, &campaign,
                               err)) == CS_OK &&
        (rc = cs_faults_check(faults, err)) == CS_OK)
        rc = begin_or_find(campaigns, call, id, given->idempotency_key, &begin, answer,
                           err);
    cs_record_free(campaign);
    cs_buf_clear(&begin.target);
    cs_buf_clear(&begin.sha256);
    cs_buf_clear(&begin.content_type);
    return rc;
}

enum cs_code cs_upload_status(const struct cs_campaigns *campaigns,
                              const struct cs_call *call, struct cs_view id,
                              struct cs_view name, struct cs_buf *answer,
                              struct cs_err *err)
{
    struct cs_upload_record upload;
    enum cs_code rc =
        cs_upload_record_open(campaigns, call, id, name, true, &upload, err);

    if (rc != CS_OK)
        return rc;
    write_answer(answer, name, &upload, true);
    cs_upload_record_clear(&upload);
    return cs_buf_check(answer, err);
}

/* ---- a part ---- */

static enum cs_code check_part(const struct cs_upload_record *upload,
                               const struct cs_upload_arrival *arrival,
                               const char *computed, struct cs_err *err)
{
    if (upload->finished)
        return cs_err_field(err, CS_ECONFLICT, "", "upload_finished",
                            "the upload is finished and takes no more parts");
    if (arrival->number < 1 || arrival->number > cs_upload_parts_expected(upload))
        return cs_err_field(err, CS_EINVAL, "", "part_number_out_of_range",
                            "the parts of this upload are numbered 1 to %llu",
                            (unsigned long long)cs_upload_parts_expected(upload));
    if (arrival->bytes.len != cs_upload_part_size(upload, arrival->number))
        return cs_err_field(
            err, CS_EINVAL, "Content-Length", "part_size_wrong",
            "part %llu has %zu bytes; it must have %llu",
            (unsigned long long)arrival->number, arrival->bytes.len,
            (unsigned long long)cs_upload_part_size(upload, arrival->number));
    if (arrival->sha256.len > 0 &&
        !cs_view_eq_nocase(arrival->sha256, cs_view_cstr(computed)))
        return cs_err_field(
            err, CS_EINVAL, "Content-Digest", "checksum_mismatch",
            "the part arrived with the SHA-256 %s, not the announced one; send "
            "it again",
            computed);
    return CS_OK;
}

/* Earlier arrivals of the same number are superseded. */
static void discard_superseded(const struct cs_campaigns *campaigns,
                               const struct cs_call *call, struct cs_view id,
                               struct cs_view name, const struct cs_upload_part *kept,
                               const struct cs_upload_record *before)
{
    for (size_t i = 0; i < before->part_count; i++) {
        struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);

        if (before->parts[i].number != kept->number)
            continue;
        cs_upload_part_key(&key, id, name, &before->parts[i]);
        cs_artifact_discard(campaigns, cs_buf_view(&key),
                            cs_view_cstr(before->parts[i].version), call->deadline);
        cs_buf_clear(&key);
    }
}

static enum cs_code store_part(const struct cs_campaigns *campaigns,
                               const struct cs_call *call, struct cs_view id,
                               struct cs_view name, const struct cs_upload_part *part,
                               struct cs_view bytes, struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_object stored = {.bucket = NULL};
    struct cs_object_source source = {.bytes = bytes, .fd = -1};
    enum cs_code rc;

    cs_upload_part_key(&key, id, name, part);
    source.info = (struct cs_object_info){
        .key = cs_buf_view(&key), .content_type = CS_LIT("application/octet-stream")};
    if ((rc = cs_buf_check(&key, err)) == CS_OK)
        rc = campaigns->store->ops->put(campaigns->store, &source, 1, &stored,
                                        call->deadline, err);
    cs_object_clear(&stored);
    cs_buf_clear(&key);
    return rc;
}

static void write_arrival(struct cs_buf *answer, const struct cs_upload_part *part)
{
    struct cs_json_writer w;

    cs_json_writer_init(&w, answer);
    cs_json_object(&w);
    cs_json_member_u64(&w, "part", part->number);
    cs_json_member_u64(&w, "bytes", part->size);
    cs_json_member_cstr(&w, "sha256", part->sha256);
    cs_json_object_end(&w);
}

enum cs_code cs_upload_part(const struct cs_campaigns *campaigns,
                            const struct cs_call *call, struct cs_view id,
                            struct cs_view name, const struct cs_upload_arrival *arrival,
                            struct cs_buf *answer, struct cs_err *err)
{
    struct cs_upload_part part = {.number = arrival->number, .size = arrival->bytes.len};
    struct cs_upload_record upload;
    uint8_t digest[CS_SHA256_LEN];
    enum cs_code rc =
        cs_upload_record_open(campaigns, call, id, name, true, &upload, err);

    if (rc != CS_OK)
        return rc;
    if ((rc = cs_sha256_of(digest, arrival->bytes, err)) != CS_OK)
        goto out;
    cs_sha256_hex(part.sha256, digest);
    if ((rc = check_part(&upload, arrival, part.sha256, err)) != CS_OK ||
        (rc = store_part(campaigns, call, id, name, &part, arrival->bytes, err)) != CS_OK)
        goto out;
    discard_superseded(campaigns, call, id, name, &part, &upload);
    write_arrival(answer, &part);
    rc = cs_buf_check(answer, err);
out:
    cs_upload_record_clear(&upload);
    return rc;
}

/* ---- complete ---- */

/* Marks the upload as finished, with the digest of its bytes on record. */
static enum cs_code finish_record(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call,
                                  const struct cs_upload_record *upload,
                                  const char *sha256, struct cs_err *err)
{
    struct cs_buf quoted = CS_BUF_INIT(128);
    struct cs_buf summary = CS_BUF_INIT(CS_SUMMARY_BYTES_MAX);
    struct cs_record next = *upload->record;
    const struct cs_write write = {CS_WRITE_REPLACE, &next};
    const struct cs_transaction transaction = {&write, 1, NULL, 0};
    struct cs_json_change changes[] = {{"finished", CS_LIT_INIT("true")},
                                       {"sha256", {NULL, 0}}};
    enum cs_code rc;

    cs_json_quote(&quoted, cs_view_cstr(sha256));
    changes[1].value = cs_buf_view(&quoted);
    cs_json_edit(&summary, upload->record->summary, changes, CS_COUNT(changes));
    next.summary = cs_buf_view(&summary);
    if ((rc = cs_buf_check(&summary, err)) == CS_OK)
        rc = campaigns->store->ops->commit(campaigns->store, &transaction, call->deadline,
                                           err);
    cs_buf_clear(&quoted);
    cs_buf_clear(&summary);
    return rc;
}

static enum cs_code wrong_digest(const char *computed, struct cs_err *err)
{
    return cs_err_field(
        err, CS_EINVAL, "/sha256", "checksum_mismatch",
        "the parts together have the SHA-256 %s, not the announced one; send "
        "the wrong parts again",
        computed);
}

/* An artifact is put together in the store; its parts are then of no use. */
static enum cs_code assemble_artifact(struct cs_part_stream *stream,
                                      struct cs_view sha256,
                                      char hex_out[CS_SHA256_HEX_LEN + 1],
                                      struct cs_err *err)
{
    const struct cs_upload_record *upload = stream->upload;
    struct cs_artifact_upload request = {
        .name = upload->target,
        .content_type = upload->content_type.len > 0
                            ? upload->content_type
                            : cs_artifact_content_type(upload->target),
        .size = upload->size,
        .sha256 = sha256,
        .read = cs_part_stream_read,
        .payload = stream,
    };
    struct cs_object stored = {.bucket = NULL};
    enum cs_code rc = cs_artifact_put(stream->campaigns, stream->call, stream->id,
                                      &request, &stored, err);

    cs_part_stream_close(stream);
    if (rc == CS_OK)
        memcpy(hex_out, stored.sha256, sizeof(stored.sha256));
    cs_object_clear(&stored);
    return rc;
}

static enum cs_code finish_upload(struct cs_part_stream *stream, struct cs_view sha256,
                                  struct cs_err *err)
{
    const struct cs_upload_record *upload = stream->upload;
    bool is_state = cs_view_eq(upload->target, CS_LIT("final_state"));
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc = cs_upload_check_all_parts(upload, err);

    if (rc != CS_OK)
        return rc;
    rc = is_state ? cs_part_stream_digest(stream, NULL, hex, err)
                  : assemble_artifact(stream, sha256, hex, err);
    if (rc != CS_OK)
        return rc;
    if (sha256.len > 0 && !cs_view_eq_nocase(sha256, cs_view_cstr(hex)))
        return wrong_digest(hex, err);
    rc = finish_record(stream->campaigns, stream->call, upload, hex, err);
    if (rc == CS_OK && !is_state)
        cs_upload_forget(stream->campaigns, stream->id, stream->name,
                         stream->call->deadline);
    return rc;
}

enum cs_code cs_upload_complete(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view id,
                                struct cs_view name, struct cs_view body,
                                struct cs_buf *answer, struct cs_faults *faults,
                                struct cs_err *err)
{
    const struct cs_field given = {"/sha256", cs_json_slice(body, "sha256"), false};
    struct cs_buf sha256 = CS_BUF_INIT(1024);
    struct cs_upload_record upload = {.record = NULL};
    struct cs_part_stream stream = {campaigns, call, id, name, &upload, 0, NULL};
    enum cs_code rc;

    if (cs_check_text(faults, &given, 0, CS_SHA256_HEX_LEN, &sha256) &&
        !cs_upload_is_sha256(cs_buf_view(&sha256)))
        cs_faults_add(faults, "/sha256", "pattern", "64 hex digits are expected");
    if ((rc = cs_upload_record_open(campaigns, call, id, name, true, &upload, err)) !=
            CS_OK ||
        (rc = cs_faults_check(faults, err)) != CS_OK)
        goto out;
    if (upload.sha256.len > 0 && sha256.len > 0 &&
        !cs_view_eq_nocase(upload.sha256, cs_buf_view(&sha256))) {
        rc = cs_err_field(err, CS_EINVAL, "/sha256", "checksum_mismatch",
                          "this is not the SHA-256 that the upload began with");
        goto out;
    }
    if (sha256.len == 0)
        cs_buf_add(&sha256, upload.sha256);
    if (!upload.finished) {
        if ((rc = finish_upload(&stream, cs_buf_view(&sha256), err)) != CS_OK)
            goto out;
        cs_upload_record_clear(&upload);
        if ((rc = cs_upload_record_load(campaigns, call, id, name, &upload, err)) !=
            CS_OK)
            goto out;
    }
    write_answer(answer, name, &upload, false);
    rc = cs_buf_check(answer, err);
out:
    cs_upload_record_clear(&upload);
    cs_buf_clear(&sha256);
    return rc;
}

/* ---- abort, and use as final_state ---- */

enum cs_code cs_upload_abort(const struct cs_campaigns *campaigns,
                             const struct cs_call *call, struct cs_view id,
                             struct cs_view name, struct cs_err *err)
{
    struct cs_upload_record upload;
    struct cs_delete_report report;
    struct cs_buf prefix = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_write write = {.kind = CS_WRITE_DELETE};
    const struct cs_transaction transaction = {&write, 1, NULL, 0};
    enum cs_code rc =
        cs_upload_record_open(campaigns, call, id, name, false, &upload, err);

    if (rc != CS_OK)
        return rc;
    cs_upload_parts_prefix(&prefix, id, name);
    write.record = upload.record;
    rc = campaigns->store->ops->delete_prefix(campaigns->store, cs_buf_view(&prefix),
                                              &report, call->deadline, err);
    if (rc == CS_OK)
        rc = campaigns->store->ops->commit(campaigns->store, &transaction, call->deadline,
                                           err);
    cs_buf_clear(&prefix);
    cs_upload_record_clear(&upload);
    return rc;
}

void cs_upload_forget(const struct cs_campaigns *campaigns, struct cs_view id,
                      struct cs_view name, struct cs_deadline deadline)
{
    struct cs_buf prefix = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_err err = CS_ERR_NONE;
    struct cs_delete_report report;

    cs_upload_parts_prefix(&prefix, id, name);
    if (campaigns->store->ops->delete_prefix(campaigns->store, cs_buf_view(&prefix),
                                             &report, deadline, &err) != CS_OK)
        cs_log_err(campaigns->log, CS_LOG_WARN,
                   "the parts of a finished upload are left over", &err);
    cs_buf_clear(&prefix);
}

static enum cs_code bad_state_upload(struct cs_err *err)
{
    return cs_err_field(err, CS_EINVAL, "/final_state_upload", "upload_unusable",
                        "this is no finished upload for final_state of this campaign");
}

enum cs_code cs_upload_state_sha256(const struct cs_campaigns *campaigns,
                                    const struct cs_call *call, struct cs_view id,
                                    struct cs_view name, char out[CS_SHA256_HEX_LEN + 1],
                                    struct cs_err *err)
{
    struct cs_record *campaign = NULL;
    struct cs_upload_record upload = {.record = NULL};
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc;

    rc = cs_campaign_load(campaigns, call, id, CS_ACCESS_OWNER, false, &campaign, err);
    cs_record_free(campaign);
    if (rc != CS_OK)
        return rc;
    rc = cs_upload_record_load(campaigns, call, id, name, &upload, &cause);
    if (rc == CS_ENOTFOUND ||
        (rc == CS_OK && (!upload.finished || upload.sha256.len != CS_SHA256_HEX_LEN ||
                         !cs_view_eq(upload.target, CS_LIT("final_state")))))
        rc = bad_state_upload(err);
    else if (rc != CS_OK)
        rc = cs_err_set(err, rc, "%s", cause.text);
    else
        (void)snprintf(out, CS_SHA256_HEX_LEN + 1, "%.*s", CS_FMT(upload.sha256));
    cs_upload_record_clear(&upload);
    return rc;
}

enum cs_code cs_upload_read_state(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call, struct cs_view id,
                                  struct cs_view name, struct cs_buf *out,
                                  struct cs_err *err)
{
    struct cs_upload_record upload;
    struct cs_part_stream stream = {campaigns, call, id, name, &upload, 0, NULL};
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc =
        cs_upload_record_open(campaigns, call, id, name, true, &upload, err);

    if (rc != CS_OK)
        return rc;
    if ((rc = cs_upload_check_all_parts(&upload, err)) == CS_OK &&
        (rc = cs_part_stream_digest(&stream, out, hex, err)) == CS_OK &&
        !cs_view_eq_nocase(upload.sha256, cs_view_cstr(hex)))
        rc = bad_state_upload(err);
    cs_upload_record_clear(&upload);
    return rc;
}
