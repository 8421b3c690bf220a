#include "config.h"

#include "campaign/upload_record.h"

#include <stdlib.h>

#include "base/encoding.h"
#include "json/scan.h"

#define PART_DIGITS 5u /* of the number in a part's key, so that keys sort */

void cs_upload_record_clear(struct cs_upload_record *upload)
{
    for (size_t i = 0; i < upload->part_count; i++)
        free(upload->parts[i].version);
    free(upload->parts);
    upload->parts = NULL;
    upload->part_count = 0;
    cs_record_free(upload->record);
    upload->record = NULL;
}

uint64_t cs_upload_parts_expected(const struct cs_upload_record *upload)
{
    return upload->size == 0 ? 0 : (upload->size - 1) / upload->part_bytes + 1;
}

void cs_upload_record_key(struct cs_buf *out, struct cs_view id, struct cs_view upload)
{
    cs_buf_add_cstr(out, "#upload/");
    cs_buf_add(out, id);
    cs_buf_add_byte(out, '/');
    cs_buf_add(out, upload);
}

void cs_upload_parts_prefix(struct cs_buf *out, struct cs_view id, struct cs_view upload)
{
    cs_buf_add_cstr(out, "campaigns/");
    cs_buf_add(out, id);
    cs_buf_add_cstr(out, "/uploads/");
    cs_buf_add(out, upload);
    cs_buf_add_byte(out, '/');
}

void cs_upload_part_key(struct cs_buf *out, struct cs_view id, struct cs_view upload,
                        const struct cs_upload_part *part)
{
    cs_upload_parts_prefix(out, id, upload);
    cs_buf_add_fmt(out, "%0*llu-%s", (int)PART_DIGITS, (unsigned long long)part->number,
                   part->sha256);
}

bool cs_upload_is_sha256(struct cs_view text)
{
    uint8_t digest[CS_SHA256_LEN];

    return cs_hex_decode(digest, sizeof(digest), text);
}

static bool is_upload_id(struct cs_view text)
{
    uint8_t id[CS_UPLOAD_ID_BYTES];

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
enum cs_code cs_upload_record_load(const struct cs_campaigns *campaigns,
                                   const struct cs_call *call, struct cs_view id,
                                   struct cs_view name, struct cs_upload_record *out,
                                   struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(CS_RECORD_KEY_MAX);
    struct cs_view summary;
    enum cs_code rc;

    *out = (struct cs_upload_record){.record = NULL};
    if (!is_upload_id(name))
        return no_such_upload(err);
    cs_upload_record_key(&key, id, name);
    if ((rc = cs_buf_check(&key, err)) == CS_OK)
        rc = campaigns->store->ops->get(campaigns->store, cs_buf_view(&key), &out->record,
                                        call->deadline, NULL);
    cs_buf_clear(&key);
    if (rc == CS_ENOTFOUND ||
        (rc == CS_OK && out->record->expires_at_us <= call->now_us)) {
        cs_upload_record_clear(out);
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
        cs_upload_record_clear(out);
        return cs_err_set(err, CS_EINTERNAL, "the upload's record can't be read");
    }
    return CS_OK;
}

struct part_list {
    struct cs_upload_part *parts;
    size_t count;
    size_t room;
    size_t prefix_len;
    bool failed;
};

static bool read_part_key(struct cs_view name, struct cs_upload_part *out)
{
    if (name.len != PART_DIGITS + 1 + CS_SHA256_HEX_LEN || name.ptr[PART_DIGITS] != '-' ||
        !cs_view_to_u64(cs_view_sub(name, 0, PART_DIGITS), &out->number) ||
        !cs_upload_is_sha256(cs_view_from(name, PART_DIGITS + 1)))
        return false;
    memcpy(out->sha256, name.ptr + PART_DIGITS + 1, CS_SHA256_HEX_LEN);
    out->sha256[CS_SHA256_HEX_LEN] = '\0';
    return true;
}

static bool collect_part(void *payload, const struct cs_object_entry *entry)
{
    struct part_list *list = payload;
    struct cs_upload_part part = {.size = entry->size, .modified_us = entry->modified_us};

    if (!read_part_key(cs_view_from(entry->key, list->prefix_len), &part))
        return true;
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : list->room * 2;
        struct cs_upload_part *grown = realloc(list->parts, room * sizeof(*grown));

        if (grown == NULL) {
            list->failed = true;
            return false;
        }
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
    const struct cs_upload_part *a = left;
    const struct cs_upload_part *b = right;

    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return a->modified_us > b->modified_us ? -1 : a->modified_us < b->modified_us ? 1 : 0;
}

static enum cs_code load_parts(const struct cs_campaigns *campaigns,
                               const struct cs_call *call, struct cs_view id,
                               struct cs_view name, struct cs_upload_record *upload,
                               struct cs_err *err)
{
    struct cs_buf prefix = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct part_list list = {.parts = NULL};
    size_t kept = 0;
    enum cs_code rc;

    cs_upload_parts_prefix(&prefix, id, name);
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
enum cs_code cs_upload_record_open(const struct cs_campaigns *campaigns,
                                   const struct cs_call *call, struct cs_view id,
                                   struct cs_view name, bool with_parts,
                                   struct cs_upload_record *out, struct cs_err *err)
{
    struct cs_record *campaign = NULL;
    enum cs_code rc;

    *out = (struct cs_upload_record){.record = NULL};
    rc = cs_campaign_load(campaigns, call, id, CS_ACCESS_OWNER, false, &campaign, err);
    cs_record_free(campaign);
    if (rc == CS_OK)
        rc = cs_upload_record_load(campaigns, call, id, name, out, err);
    if (rc == CS_OK && with_parts)
        rc = load_parts(campaigns, call, id, name, out, err);
    if (rc != CS_OK)
        cs_upload_record_clear(out);
    return rc;
}

uint64_t cs_upload_part_size(const struct cs_upload_record *upload, uint64_t number)
{
    uint64_t before = (number - 1) * upload->part_bytes;

    return upload->size - before < upload->part_bytes ? upload->size - before
                                                      : upload->part_bytes;
}

/* ---- all parts, one after the other ---- */

static enum cs_code open_next_part(struct cs_part_stream *stream, struct cs_err *err)
{
    const struct cs_upload_part *part = &stream->upload->parts[stream->next];
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    uint64_t size;
    enum cs_code rc;

    cs_upload_part_key(&key, stream->id, stream->name, part);
    if ((rc = cs_buf_check(&key, err)) == CS_OK)
        rc = stream->campaigns->store->ops->open(
            stream->campaigns->store, cs_buf_view(&key), cs_view_cstr(part->version),
            NULL, &stream->reader, &size, stream->call->deadline, err);
    stream->next++;
    cs_buf_clear(&key);
    return rc;
}

void cs_part_stream_close(struct cs_part_stream *stream)
{
    if (stream->reader != NULL)
        stream->campaigns->store->ops->close(stream->campaigns->store, stream->reader);
    stream->reader = NULL;
}

enum cs_code cs_part_stream_read(void *payload, char *to, size_t room, size_t *got_out,
                                 struct cs_err *err)
{
    struct cs_part_stream *stream = payload;
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
            cs_part_stream_close(stream);
    }
    return rc;
}

/* Hands every byte to a digest and, where wanted, to a buffer. */
enum cs_code cs_part_stream_digest(struct cs_part_stream *stream, struct cs_buf *copy,
                                   char hex_out[CS_SHA256_HEX_LEN + 1],
                                   struct cs_err *err)
{
    struct cs_sha256 *digest = cs_sha256_new();
    char *block = malloc(64u * 1024u);
    uint8_t bytes[CS_SHA256_LEN];
    size_t got = 0;
    enum cs_code rc = digest == NULL || block == NULL ? cs_err_nomem(err) : CS_OK;

    while (rc == CS_OK) {
        rc = cs_part_stream_read(stream, block, 64u * 1024u, &got, err);
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
    cs_part_stream_close(stream);
    cs_sha256_free(digest);
    free(block);
    return rc;
}

enum cs_code cs_upload_check_all_parts(const struct cs_upload_record *upload,
                                       struct cs_err *err)
{
    uint64_t expected = cs_upload_parts_expected(upload);

    for (uint64_t number = 1; number <= expected; number++) {
        bool there =
            number <= upload->part_count && upload->parts[number - 1].number == number &&
            upload->parts[number - 1].size == cs_upload_part_size(upload, number);

        if (!there)
            return cs_err_field(
                err, CS_ECONFLICT, "", "upload_incomplete",
                "part %llu of %llu has not arrived; send it and complete again",
                (unsigned long long)number, (unsigned long long)expected);
    }
    return CS_OK;
}
