#include "config.h"

#include "campaign/uploads.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "json/scan.h"
#include "json/write.h"

#define UPLOAD_ID_BYTES 12u /* random, hex in the id */
#define UPLOAD_LIFE_US  (7ll * 24 * 3600 * CS_SECOND_US)
#define PART_DIGITS     5u /* of the number in a part's key, so that keys sort */

/* One part that has arrived, as its key tells it. */
struct part {
    uint64_t number;
    uint64_t size;
    char sha256[CS_SHA256_HEX_LEN + 1];
    char *version;
    int64_t modified_us;
};

struct upload {
    struct cs_record *record; /* the service record */
    struct cs_view target;
    uint64_t size;
    uint64_t part_bytes;
    struct cs_view sha256; /* announced or computed; empty where neither */
    struct cs_view content_type;
    bool finished;
    struct part *parts; /* ordered by number, each number once */
    size_t part_count;
};

static void upload_clear(struct upload *upload)
{
    for (size_t i = 0; i < upload->part_count; i++)
        free(upload->parts[i].version);
    free(upload->parts);
    cs_record_free(upload->record);
    *upload = (struct upload){.record = NULL};
}

static uint64_t parts_expected(const struct upload *upload)
{
    return upload->size == 0 ? 0 : (upload->size - 1) / upload->part_bytes + 1;
}

static void record_key(struct cs_buf *out, struct cs_view id, struct cs_view upload)
{
    cs_buf_add_cstr(out, "#upload/");
    cs_buf_add(out, id);
    cs_buf_add_byte(out, '/');
    cs_buf_add(out, upload);
}

static void parts_prefix(struct cs_buf *out, struct cs_view id, struct cs_view upload)
{
    cs_buf_add_cstr(out, "campaigns/");
    cs_buf_add(out, id);
    cs_buf_add_cstr(out, "/uploads/");
    cs_buf_add(out, upload);
    cs_buf_add_byte(out, '/');
}

static void part_key(struct cs_buf *out, struct cs_view id, struct cs_view upload,
                     const struct part *part)
{
    parts_prefix(out, id, upload);
    cs_buf_add_fmt(out, "%0*llu-%s", (int)PART_DIGITS, (unsigned long long)part->number,
                   part->sha256);
}

static bool is_sha256(struct cs_view text)
{
    uint8_t digest[CS_SHA256_LEN];

    return cs_hex_decode(digest, sizeof(digest), text);
}

static bool is_upload_id(struct cs_view text)
{
    uint8_t id[UPLOAD_ID_BYTES];

    return cs_hex_decode(id, sizeof(id), text);
}

/* ---- loading ---- */

static struct cs_view plain_text(struct cs_view object, const char *name)
{
    struct cs_view value = cs_json_slice(object, name);

    return value.len >= 2 && value.ptr[0] == '"'
               ? cs_view_of(value.ptr + 1, value.len - 2)
               : cs_view_of(NULL, 0);
}

static enum cs_code no_such_upload(struct cs_err *err)
{
    return cs_err_field(err, CS_ENOTFOUND, "", "upload_not_found",
                        "the campaign has no such upload; it may have expired");
}

/* The service record alone. The campaign's owner has been checked before. */
static enum cs_code load_upload(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view id,
                                struct cs_view name, struct upload *out,
                                struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(CS_RECORD_KEY_MAX);
    struct cs_view summary;
    enum cs_code rc;

    *out = (struct upload){.record = NULL};
    if (!is_upload_id(name))
        return no_such_upload(err);
    record_key(&key, id, name);
    if ((rc = cs_buf_check(&key, err)) == CS_OK)
        rc = campaigns->store->ops->get(campaigns->store, cs_buf_view(&key), &out->record,
                                        call->deadline, NULL);
    cs_buf_clear(&key);
    if (rc == CS_ENOTFOUND ||
        (rc == CS_OK && out->record->expires_at_us <= call->now_us)) {
        upload_clear(out);
        return no_such_upload(err);
    }
    if (rc != CS_OK)
        return cs_err_set(err, rc, "the upload's record could not be read");
    summary = out->record->summary;
    out->target = plain_text(summary, "target");
    out->sha256 = plain_text(summary, "sha256");
    out->content_type = plain_text(summary, "content_type");
    out->finished = cs_view_eq(cs_json_slice(summary, "finished"), CS_LIT("true"));
    if (!cs_view_to_u64(cs_json_slice(summary, "size"), &out->size) ||
        !cs_view_to_u64(cs_json_slice(summary, "part_bytes"), &out->part_bytes) ||
        out->part_bytes == 0) {
        upload_clear(out);
        return cs_err_set(err, CS_EINTERNAL, "the upload's record can't be read");
    }
    return CS_OK;
}

struct part_list {
    struct part *parts;
    size_t count;
    size_t room;
    size_t prefix_len;
    bool failed;
};

static bool read_part_key(struct cs_view name, struct part *out)
{
    if (name.len != PART_DIGITS + 1 + CS_SHA256_HEX_LEN || name.ptr[PART_DIGITS] != '-' ||
        !cs_view_to_u64(cs_view_sub(name, 0, PART_DIGITS), &out->number) ||
        !is_sha256(cs_view_from(name, PART_DIGITS + 1)))
        return false;
    memcpy(out->sha256, name.ptr + PART_DIGITS + 1, CS_SHA256_HEX_LEN);
    out->sha256[CS_SHA256_HEX_LEN] = '\0';
    return true;
}

static bool collect_part(void *payload, const struct cs_object_entry *entry)
{
    struct part_list *list = payload;
    struct part part = {.size = entry->size, .modified_us = entry->modified_us};

    if (!read_part_key(cs_view_from(entry->key, list->prefix_len), &part))
        return true;
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : list->room * 2;
        struct part *grown = realloc(list->parts, room * sizeof(*grown));

        list->failed = grown == NULL;
        if (list->failed)
            return false;
        list->parts = grown;
        list->room = room;
    }
    part.version = cs_view_dup(entry->version);
    list->failed = part.version == NULL;
    if (!list->failed)
        list->parts[list->count++] = part;
    return !list->failed;
}

/* By number; of several with one number the newest first. */
static int compare_parts(const void *left, const void *right)
{
    const struct part *a = left;
    const struct part *b = right;

    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return a->modified_us > b->modified_us ? -1 : a->modified_us < b->modified_us ? 1 : 0;
}

static enum cs_code load_parts(const struct cs_campaigns *campaigns,
                               const struct cs_call *call, struct cs_view id,
                               struct cs_view name, struct upload *upload,
                               struct cs_err *err)
{
    struct cs_buf prefix = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct part_list list = {.parts = NULL};
    size_t kept = 0;
    enum cs_code rc;

    parts_prefix(&prefix, id, name);
    list.prefix_len = prefix.len;
    rc = campaigns->store->ops->each_object(campaigns->store, cs_buf_view(&prefix),
                                            collect_part, &list, call->deadline, err);
    if (rc == CS_OK && list.failed)
        rc = cs_err_nomem(err);
    if (list.count > 0)
        qsort(list.parts, list.count, sizeof(*list.parts), compare_parts);
    for (size_t i = 0; i < list.count; i++) {
        if (kept > 0 && list.parts[kept - 1].number == list.parts[i].number)
            free(list.parts[i].version);
        else
            list.parts[kept++] = list.parts[i];
    }
    upload->parts = list.parts;
    upload->part_count = kept;
    cs_buf_clear(&prefix);
    return rc;
}

/* The campaign (owner only), the upload, and its parts where they are wanted. */
static enum cs_code open_upload(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view id,
                                struct cs_view name, bool with_parts, struct upload *out,
                                struct cs_err *err)
{
    struct cs_record *campaign = NULL;
    enum cs_code rc;

    *out = (struct upload){.record = NULL};
    rc = cs_campaign_load(campaigns, call, id, CS_ACCESS_OWNER, false, &campaign, err);
    cs_record_free(campaign);
    if (rc == CS_OK)
        rc = load_upload(campaigns, call, id, name, out, err);
    if (rc == CS_OK && with_parts)
        rc = load_parts(campaigns, call, id, name, out, err);
    if (rc != CS_OK)
        upload_clear(out);
    return rc;
}

/* ---- answers ---- */

static void write_answer(struct cs_buf *answer, struct cs_view name,
                         const struct upload *upload, bool with_parts)
{
    struct cs_json_writer w;

    cs_json_writer_init(&w, answer);
    cs_json_object(&w);
    cs_json_member_str(&w, "upload_id", name);
    cs_json_member_str(&w, "target", upload->target);
    cs_json_member_u64(&w, "size", upload->size);
    cs_json_member_u64(&w, "part_bytes", upload->part_bytes);
    cs_json_member_u64(&w, "parts", parts_expected(upload));
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
        !is_sha256(cs_buf_view(&begin->sha256)))
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

static enum cs_code store_begin(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view id,
                                const struct begin *begin, struct cs_buf *answer,
                                struct cs_err *err)
{
    uint8_t random[UPLOAD_ID_BYTES];
    char name[2 * UPLOAD_ID_BYTES + 1];
    struct cs_buf key = CS_BUF_INIT(CS_RECORD_KEY_MAX);
    struct cs_buf summary = CS_BUF_INIT(CS_SUMMARY_BYTES_MAX);
    struct cs_record record = {.detail = CS_LIT("{}")};
    const struct cs_write write = {CS_WRITE_CREATE, &record};
    const struct cs_transaction transaction = {&write, 1, NULL, 0};
    struct upload upload = {.record = &record};
    enum cs_code rc;

    if ((rc = cs_random_bytes(random, sizeof(random), err)) != CS_OK)
        return rc;
    cs_hex_encode(name, random, sizeof(random));
    record_key(&key, id, cs_view_cstr(name));
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
    write_answer(answer, cs_view_cstr(name), &upload, false);
    rc = cs_buf_check(answer, err);
out:
    cs_buf_clear(&key);
    cs_buf_clear(&summary);
    return rc;
}

enum cs_code cs_upload_begin(const struct cs_campaigns *campaigns,
                             const struct cs_call *call, struct cs_view id,
                             struct cs_view body, struct cs_buf *answer,
                             struct cs_faults *faults, struct cs_err *err)
{
    struct begin begin = {.target = CS_BUF_INIT(2048),
                          .sha256 = CS_BUF_INIT(1024),
                          .content_type = CS_BUF_INIT(2048)};
    struct cs_record *campaign = NULL;
    enum cs_code rc;

    if (cs_json_kind(body) != '{')
        return cs_err_field(err, CS_EINVAL, "", "validation_failed",
                            "the body must be a JSON object");
    check_begin(campaigns, &begin, body, faults);
    if ((rc = cs_campaign_load(campaigns, call, id, CS_ACCESS_OWNER, false, &campaign,
                               err)) == CS_OK &&
        (rc = cs_faults_check(faults, err)) == CS_OK)
        rc = store_begin(campaigns, call, id, &begin, answer, err);
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
    struct upload upload;
    enum cs_code rc = open_upload(campaigns, call, id, name, true, &upload, err);

    if (rc != CS_OK)
        return rc;
    write_answer(answer, name, &upload, true);
    upload_clear(&upload);
    return cs_buf_check(answer, err);
}

/* ---- a part ---- */

static uint64_t part_size(const struct upload *upload, uint64_t number)
{
    uint64_t before = (number - 1) * upload->part_bytes;

    return upload->size - before < upload->part_bytes ? upload->size - before
                                                      : upload->part_bytes;
}

static enum cs_code check_part(const struct upload *upload, uint64_t number,
                               struct cs_view bytes, struct cs_view announced,
                               const char *computed, struct cs_err *err)
{
    if (upload->finished)
        return cs_err_field(err, CS_ECONFLICT, "", "upload_finished",
                            "the upload is finished and takes no more parts");
    if (number < 1 || number > parts_expected(upload))
        return cs_err_field(err, CS_EINVAL, "", "part_number_out_of_range",
                            "the parts of this upload are numbered 1 to %llu",
                            (unsigned long long)parts_expected(upload));
    if (bytes.len != part_size(upload, number))
        return cs_err_field(err, CS_EINVAL, "Content-Length", "part_size_wrong",
                            "part %llu has %zu bytes; it must have %llu",
                            (unsigned long long)number, bytes.len,
                            (unsigned long long)part_size(upload, number));
    if (announced.len > 0 && !cs_view_eq_nocase(announced, cs_view_cstr(computed)))
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
                               struct cs_view name, const struct part *kept,
                               const struct upload *before)
{
    for (size_t i = 0; i < before->part_count; i++) {
        struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);

        if (before->parts[i].number != kept->number)
            continue;
        part_key(&key, id, name, &before->parts[i]);
        cs_artifact_discard(campaigns, cs_buf_view(&key),
                            cs_view_cstr(before->parts[i].version), call->deadline);
        cs_buf_clear(&key);
    }
}

enum cs_code cs_upload_part(const struct cs_campaigns *campaigns,
                            const struct cs_call *call, struct cs_view id,
                            struct cs_view name, uint64_t number, struct cs_view bytes,
                            struct cs_view sha256, struct cs_buf *answer,
                            struct cs_err *err)
{
    struct upload upload;
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_object stored = {.bucket = NULL};
    struct cs_object_source source = {.bytes = bytes, .fd = -1};
    struct part part = {.number = number};
    struct cs_json_writer w;
    uint8_t digest[CS_SHA256_LEN];
    enum cs_code rc = open_upload(campaigns, call, id, name, true, &upload, err);

    if (rc != CS_OK)
        return rc;
    if ((rc = cs_sha256_of(digest, bytes, err)) != CS_OK)
        goto out;
    cs_sha256_hex(part.sha256, digest);
    if ((rc = check_part(&upload, number, bytes, sha256, part.sha256, err)) != CS_OK)
        goto out;
    part_key(&key, id, name, &part);
    if ((rc = cs_buf_check(&key, err)) != CS_OK)
        goto out;
    source.info = (struct cs_object_info){
        .key = cs_buf_view(&key), .content_type = CS_LIT("application/octet-stream")};
    rc = campaigns->store->ops->put(campaigns->store, &source, 1, &stored, call->deadline,
                                    err);
    if (rc != CS_OK)
        goto out;
    discard_superseded(campaigns, call, id, name, &part, &upload);
    cs_json_writer_init(&w, answer);
    cs_json_object(&w);
    cs_json_member_u64(&w, "part", number);
    cs_json_member_u64(&w, "bytes", bytes.len);
    cs_json_member_cstr(&w, "sha256", part.sha256);
    cs_json_object_end(&w);
    rc = cs_buf_check(answer, err);
out:
    cs_object_clear(&stored);
    cs_buf_clear(&key);
    upload_clear(&upload);
    return rc;
}

/* ---- all parts, one after the other ---- */

struct part_stream {
    const struct cs_campaigns *campaigns;
    const struct cs_call *call;
    struct cs_view id;
    struct cs_view name;
    const struct upload *upload;
    size_t next; /* index of the part to open next */
    struct cs_object_reader *reader;
};

static enum cs_code open_next_part(struct part_stream *stream, struct cs_err *err)
{
    const struct part *part = &stream->upload->parts[stream->next];
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    uint64_t size;
    enum cs_code rc;

    part_key(&key, stream->id, stream->name, part);
    if ((rc = cs_buf_check(&key, err)) == CS_OK)
        rc = stream->campaigns->store->ops->open(
            stream->campaigns->store, cs_buf_view(&key), cs_view_cstr(part->version),
            NULL, &stream->reader, &size, stream->call->deadline, err);
    stream->next++;
    cs_buf_clear(&key);
    return rc;
}

static void close_part(struct part_stream *stream)
{
    if (stream->reader != NULL)
        stream->campaigns->store->ops->close(stream->campaigns->store, stream->reader);
    stream->reader = NULL;
}

static enum cs_code read_parts(void *payload, char *to, size_t room, size_t *got_out,
                               struct cs_err *err)
{
    struct part_stream *stream = payload;
    enum cs_code rc = CS_OK;

    *got_out = 0;
    while (rc == CS_OK && *got_out == 0) {
        if (stream->reader == NULL && stream->next == stream->upload->part_count)
            return CS_OK;
        if (stream->reader == NULL && (rc = open_next_part(stream, err)) != CS_OK)
            return rc;
        rc = stream->campaigns->store->ops->read(stream->campaigns->store, stream->reader,
                                                 to, room, got_out, err);
        if (rc == CS_OK && *got_out == 0)
            close_part(stream);
    }
    return rc;
}

/* Hands every byte to a digest and, where wanted, to a buffer. */
static enum cs_code digest_parts(struct part_stream *stream, struct cs_buf *copy,
                                 char hex_out[CS_SHA256_HEX_LEN + 1], struct cs_err *err)
{
    struct cs_sha256 *digest = cs_sha256_new();
    char *block = malloc(64u * 1024u);
    uint8_t bytes[CS_SHA256_LEN];
    size_t got = 0;
    enum cs_code rc = digest == NULL || block == NULL ? cs_err_nomem(err) : CS_OK;

    while (rc == CS_OK) {
        rc = read_parts(stream, block, 64u * 1024u, &got, err);
        if (rc != CS_OK || got == 0)
            break;
        rc = cs_sha256_add(digest, cs_view_of(block, got), err);
        if (copy != NULL)
            cs_buf_add(copy, cs_view_of(block, got));
    }
    if (rc == CS_OK && (rc = cs_sha256_end(digest, bytes, err)) == CS_OK)
        cs_sha256_hex(hex_out, bytes);
    if (rc == CS_OK && copy != NULL)
        rc = cs_buf_check(copy, err);
    close_part(stream);
    cs_sha256_free(digest);
    free(block);
    return rc;
}

/* ---- complete ---- */

static enum cs_code check_all_parts(const struct upload *upload, struct cs_err *err)
{
    uint64_t expected = parts_expected(upload);

    for (uint64_t number = 1; number <= expected; number++) {
        bool there = number <= upload->part_count &&
                     upload->parts[number - 1].number == number &&
                     upload->parts[number - 1].size == part_size(upload, number);

        if (!there)
            return cs_err_field(
                err, CS_ECONFLICT, "", "upload_incomplete",
                "part %llu of %llu has not arrived; send it and complete again",
                (unsigned long long)number, (unsigned long long)expected);
    }
    return CS_OK;
}

/* Marks the upload as finished, with the digest of its bytes on record. */
static enum cs_code finish_record(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call, const struct upload *upload,
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
static enum cs_code assemble_artifact(struct part_stream *stream, struct cs_view sha256,
                                      char hex_out[CS_SHA256_HEX_LEN + 1],
                                      struct cs_err *err)
{
    const struct upload *upload = stream->upload;
    struct cs_artifact_upload request = {
        .name = upload->target,
        .content_type = upload->content_type.len > 0
                            ? upload->content_type
                            : cs_artifact_content_type(upload->target),
        .size = upload->size,
        .sha256 = sha256,
        .read = read_parts,
        .payload = stream,
    };
    struct cs_object stored = {.bucket = NULL};
    enum cs_code rc = cs_artifact_put(stream->campaigns, stream->call, stream->id,
                                      &request, &stored, err);

    close_part(stream);
    if (rc == CS_OK)
        memcpy(hex_out, stored.sha256, sizeof(stored.sha256));
    cs_object_clear(&stored);
    return rc;
}

static enum cs_code finish_upload(struct part_stream *stream, struct cs_view sha256,
                                  struct cs_err *err)
{
    const struct upload *upload = stream->upload;
    bool is_state = cs_view_eq(upload->target, CS_LIT("final_state"));
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc = check_all_parts(upload, err);

    if (rc != CS_OK)
        return rc;
    rc = is_state ? digest_parts(stream, NULL, hex, err)
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
    struct upload upload = {.record = NULL};
    struct part_stream stream = {campaigns, call, id, name, &upload, 0, NULL};
    enum cs_code rc;

    if (cs_check_text(faults, &given, 0, CS_SHA256_HEX_LEN, &sha256) &&
        !is_sha256(cs_buf_view(&sha256)))
        cs_faults_add(faults, "/sha256", "pattern", "64 hex digits are expected");
    if ((rc = open_upload(campaigns, call, id, name, true, &upload, err)) != CS_OK ||
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
        upload_clear(&upload);
        if ((rc = load_upload(campaigns, call, id, name, &upload, err)) != CS_OK)
            goto out;
    }
    write_answer(answer, name, &upload, false);
    rc = cs_buf_check(answer, err);
out:
    upload_clear(&upload);
    cs_buf_clear(&sha256);
    return rc;
}

/* ---- abort, and use as final_state ---- */

enum cs_code cs_upload_abort(const struct cs_campaigns *campaigns,
                             const struct cs_call *call, struct cs_view id,
                             struct cs_view name, struct cs_err *err)
{
    struct upload upload;
    struct cs_delete_report report;
    struct cs_buf prefix = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_write write = {.kind = CS_WRITE_DELETE};
    const struct cs_transaction transaction = {&write, 1, NULL, 0};
    enum cs_code rc = open_upload(campaigns, call, id, name, false, &upload, err);

    if (rc != CS_OK)
        return rc;
    parts_prefix(&prefix, id, name);
    write.record = upload.record;
    rc = campaigns->store->ops->delete_prefix(campaigns->store, cs_buf_view(&prefix),
                                              &report, call->deadline, err);
    if (rc == CS_OK)
        rc = campaigns->store->ops->commit(campaigns->store, &transaction, call->deadline,
                                           err);
    cs_buf_clear(&prefix);
    upload_clear(&upload);
    return rc;
}

void cs_upload_forget(const struct cs_campaigns *campaigns, struct cs_view id,
                      struct cs_view name, struct cs_deadline deadline)
{
    struct cs_buf prefix = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_err err = CS_ERR_NONE;
    struct cs_delete_report report;

    parts_prefix(&prefix, id, name);
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
    struct upload upload = {.record = NULL};
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc;

    rc = cs_campaign_load(campaigns, call, id, CS_ACCESS_OWNER, false, &campaign, err);
    cs_record_free(campaign);
    if (rc != CS_OK)
        return rc;
    rc = load_upload(campaigns, call, id, name, &upload, &cause);
    if (rc == CS_ENOTFOUND ||
        (rc == CS_OK && (!upload.finished || upload.sha256.len != CS_SHA256_HEX_LEN ||
                         !cs_view_eq(upload.target, CS_LIT("final_state")))))
        rc = bad_state_upload(err);
    else if (rc != CS_OK)
        rc = cs_err_set(err, rc, "%s", cause.text);
    else
        (void)snprintf(out, CS_SHA256_HEX_LEN + 1, "%.*s", CS_FMT(upload.sha256));
    upload_clear(&upload);
    return rc;
}

enum cs_code cs_upload_read_state(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call, struct cs_view id,
                                  struct cs_view name, struct cs_buf *out,
                                  struct cs_err *err)
{
    struct upload upload;
    struct part_stream stream = {campaigns, call, id, name, &upload, 0, NULL};
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc = open_upload(campaigns, call, id, name, true, &upload, err);

    if (rc != CS_OK)
        return rc;
    if ((rc = check_all_parts(&upload, err)) == CS_OK &&
        (rc = digest_parts(&stream, out, hex, err)) == CS_OK &&
        !cs_view_eq_nocase(upload.sha256, cs_view_cstr(hex)))
        rc = bad_state_upload(err);
    upload_clear(&upload);
    return rc;
}
