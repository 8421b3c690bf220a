/* campaign/upload_record.h: what is kept of an upload in parts, and reading its
 * parts one after the other. For uploads.c. */
#ifndef CS_CAMPAIGN_UPLOAD_RECORD_H
#define CS_CAMPAIGN_UPLOAD_RECORD_H

#include "campaign/campaign.h"

#define CS_UPLOAD_ID_BYTES 12u /* random, hex in the id */

/* One part that has arrived, as its key tells it. */
struct cs_upload_part {
    uint64_t number;
    uint64_t size;
    char sha256[CS_SHA256_HEX_LEN + 1];
    char *version;
    int64_t modified_us;
};

/* Views live as long as `record`. */
struct cs_upload_record {
    struct cs_record *record; /* the service record */
    struct cs_view target;
    uint64_t size;
    uint64_t part_bytes;
    struct cs_view sha256; /* announced or computed; empty where neither */
    struct cs_view content_type;
    bool finished;
    struct cs_upload_part *parts; /* ordered by number, each number once, the newest */
    size_t part_count;
};
void cs_upload_record_clear(struct cs_upload_record *upload);

/* Key of the service record, and what the keys of all parts begin with; appended. */
void cs_upload_record_key(struct cs_buf *out, struct cs_view id, struct cs_view upload);
void cs_upload_parts_prefix(struct cs_buf *out, struct cs_view id, struct cs_view upload);
void cs_upload_part_key(struct cs_buf *out, struct cs_view id, struct cs_view upload,
                        const struct cs_upload_part *part);

/* 64 hex digits. */
bool cs_upload_is_sha256(struct cs_view text);

/* The record alone, without looking whose campaign it is. CS_ENOTFOUND also
 * when it has expired. */
enum cs_code cs_upload_record_load(const struct cs_campaigns *campaigns,
                                   const struct cs_call *call, struct cs_view id,
                                   struct cs_view name, struct cs_upload_record *out,
                                   struct cs_err *err) CS_MUST_USE;

/* For the campaign's owner alone; with the parts that have arrived if wanted. */
enum cs_code cs_upload_record_open(const struct cs_campaigns *campaigns,
                                   const struct cs_call *call, struct cs_view id,
                                   struct cs_view name, bool with_parts,
                                   struct cs_upload_record *out,
                                   struct cs_err *err) CS_MUST_USE;

uint64_t cs_upload_parts_expected(const struct cs_upload_record *upload);

/* Bytes that part `number` (from 1) must have. */
uint64_t cs_upload_part_size(const struct cs_upload_record *upload, uint64_t number);

/* CS_ECONFLICT names the first part that has not arrived. */
enum cs_code cs_upload_check_all_parts(const struct cs_upload_record *upload,
                                       struct cs_err *err) CS_MUST_USE;

/* The bytes of all parts in order. */
struct cs_part_stream {
    const struct cs_campaigns *campaigns;
    const struct cs_call *call;
    struct cs_view id;
    struct cs_view name;
    const struct cs_upload_record *upload;
    size_t next; /* index of the part to open next */
    struct cs_object_reader *reader;
};

/* A cs_body_fn whose payload is the stream. */
enum cs_code cs_part_stream_read(void *payload, char *to, size_t room, size_t *got_out,
                                 struct cs_err *err);
void cs_part_stream_close(struct cs_part_stream *stream);

/* Reads all of it: SHA-256 as hex, and the bytes into copy unless that is NULL. */
enum cs_code cs_part_stream_digest(struct cs_part_stream *stream, struct cs_buf *copy,
                                   char hex_out[CS_SHA256_HEX_LEN + 1],
                                   struct cs_err *err) CS_MUST_USE;

#endif
