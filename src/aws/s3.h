/* aws/s3.h: one bucket of Amazon S3 over aws/call.h. Keys are bytes as the caller
 * has them; they are percent-encoded once, here. No ACL header is ever sent.
 *
 * Source: Amazon S3 API Reference, API version 2006-03-01. */
#ifndef CS_AWS_S3_H
#define CS_AWS_S3_H

#include "aws/call.h"

struct cs_s3;

enum cs_s3_checksum {
    CS_S3_CHECKSUM_AUTO, /* SHA-256 until the server answers that it knows none */
    CS_S3_CHECKSUM_SHA256,
    CS_S3_CHECKSUM_MD5, /* Content-MD5 */
    CS_S3_CHECKSUM_NONE /* the signed payload alone protects the bytes */
};

/* How the bytes of an object or part are vouched for by the request's signature. */
enum cs_s3_payload {
    CS_S3_PAYLOAD_SIGNED,  /* by their SHA-256 in the head: read once before they are sent
                            */
    CS_S3_PAYLOAD_CHUNKED, /* in chunks, each signed; an object's checksum trails */
    CS_S3_PAYLOAD_UNSIGNED /* not, where TLS does; else CHUNKED. The checksum trails, too
                            */
};

struct cs_s3_options {
    struct cs_aws *aws; /* borrowed */
    const char *region; /* texts are copied */
    const char *bucket;
    const char *url;        /* the operator's own endpoint, or NULL */
    const char *public_url; /* the same for presigned URLs, where clients reach another */
    const char *kms_key;    /* SSE-KMS with this key; NULL: the bucket's default */
    bool dual_stack;
    bool fips;
    bool path_style;
    enum cs_s3_checksum checksum;
    enum cs_s3_payload payload;
};

/* NULL with err set: malformed bucket, region or endpoint, or no memory. */
struct cs_s3 *cs_s3_new(const struct cs_s3_options *options, struct cs_err *err);
void cs_s3_free(struct cs_s3 *s3);

/* The region that the bucket answered from: another than the configured one after
 * a redirect. Borrowed. */
struct cs_view cs_s3_region(const struct cs_s3 *s3);

/* ---- objects ---- */

struct cs_s3_info { /* views; empty where it does not matter */
    struct cs_view key;
    struct cs_view content_type;
    struct cs_view cache_control;
    struct cs_view content_disposition;
    struct cs_view content_encoding;
    const char *sha256;  /* hex, kept as metadata "sha256"; NULL: none */
    struct cs_view size; /* decimal, of the bytes before their encoding; as metadata */
};

struct cs_s3_put {
    struct cs_s3_info info;
    struct cs_net_body body;    /* BYTES or FILE */
    const char *payload_sha256; /* hex, of the body as it is sent */
    char *version_out; /* freed by the caller; "" without versioning, NULL on failure */
};

/* PutObject for each, side by side. The first failure is returned, and none has a version
 * then. A server that refuses the checksum header of the mode that was asked for
 * is CS_EUNSUPPORTED with the setting's name. */
enum cs_code cs_s3_put_many(struct cs_s3 *s3, struct cs_s3_put *puts, size_t count,
                            struct cs_deadline deadline, struct cs_err *err) CS_MUST_USE;

#define CS_S3_PUT_MANY_MAX 32u

struct cs_s3_get {
    struct cs_view key;
    struct cs_view version;  /* or empty */
    const char *range;       /* "bytes=0-9", or NULL */
    struct cs_view if_match; /* the ETag that it must have, or empty */
    bool head;               /* HeadObject */
};

/* response->hold set: cs_net_read() gives the body; aws/s3_reader.h makes good what
 * breaks meanwhile. CS_ENOTFOUND for a missing key or version, CS_ERANGE,
 * CS_ECONFLICT for another ETag. */
enum cs_code cs_s3_get(struct cs_s3 *s3, const struct cs_s3_get *get,
                       struct cs_net_response *response, struct cs_deadline deadline,
                       struct cs_err *err) CS_MUST_USE;

/* One of the objects that are asked for side by side. */
struct cs_s3_fetch {
    struct cs_view key;
    struct cs_view version;          /* or empty */
    struct cs_net_response response; /* initialised by the caller, with its ceiling, and
                                      * cleared by him */
};
#define CS_S3_GET_MANY_MAX 16u

/* The whole of each. The first failure is returned; CS_ENOTFOUND for a missing key or
 * version. */
enum cs_code cs_s3_get_many(struct cs_s3 *s3, struct cs_s3_fetch *fetches, size_t count,
                            struct cs_deadline deadline, struct cs_err *err) CS_MUST_USE;

/* One version, or (version empty) the newest, which sets a marker in a versioned
 * bucket. What is missing is CS_OK. */
enum cs_code cs_s3_delete(struct cs_s3 *s3, struct cs_view key, struct cs_view version,
                          struct cs_deadline deadline, struct cs_err *err) CS_MUST_USE;

/* Copies within the bucket. *version_out is freed by the caller. */
enum cs_code cs_s3_copy(struct cs_s3 *s3, struct cs_view from,
                        struct cs_view from_version, struct cs_view to,
                        char **version_out, struct cs_deadline deadline,
                        struct cs_err *err) CS_MUST_USE;

struct cs_s3_link {
    const char *method; /* "GET" or "PUT" */
    struct cs_view key;
    struct cs_view version;
    struct cs_view content_type; /* that the answer is to have; or empty */
    struct cs_view content_disposition;
    int64_t ttl_s;
    struct cs_deadline deadline;
};

/* Appends the plain address of an object: who may fetch it so, the bucket's policy says.
 */
void cs_s3_add_url(const struct cs_s3 *s3, struct cs_view key, struct cs_buf *out);

/* Appends a presigned URL; see cs_aws_presign(). */
enum cs_code cs_s3_presign(struct cs_s3 *s3, const struct cs_s3_link *link,
                           struct cs_buf *out, int64_t *expires_at_us,
                           struct cs_err *err) CS_MUST_USE;

/* ---- lists ---- */

struct cs_s3_entry { /* views valid during the callback */
    struct cs_view key;
    struct cs_view
        version; /* "" where the bucket has none; the upload's id in lists of uploads */
    uint64_t size;
    int64_t modified_us;
    bool marker; /* a delete marker */
    bool latest;
};
/* False stops the listing. */
typedef bool cs_s3_entry_fn(void *payload, const struct cs_s3_entry *entry);

enum cs_s3_list {
    CS_S3_LIST_OBJECTS,  /* ListObjectsV2 */
    CS_S3_LIST_VERSIONS, /* ListObjectVersions: versions and markers */
    CS_S3_LIST_UPLOADS   /* ListMultipartUploads */
};

/* All pages of what starts with prefix. Entries may be deleted as they are handed on. */
enum cs_code cs_s3_list(struct cs_s3 *s3, enum cs_s3_list kind, struct cs_view prefix,
                        cs_s3_entry_fn *callback, void *payload,
                        struct cs_deadline deadline, struct cs_err *err) CS_MUST_USE;

struct cs_s3_name {
    struct cs_view key;
    struct cs_view version;
};

/* DeleteObjects, at most 1000 at once. CS_EUPSTREAM, or CS_EDENIED, when one could
 * not be deleted. */
#define CS_S3_DELETE_MAX 1000u
enum cs_code cs_s3_delete_many(struct cs_s3 *s3, const struct cs_s3_name *names,
                               size_t count, struct cs_deadline deadline,
                               struct cs_err *err) CS_MUST_USE;

/* ---- uploads in parts ---- */

struct cs_s3_upload; /* of one object, with its parts so far */

enum cs_code cs_s3_upload_begin(struct cs_s3 *s3, const struct cs_s3_info *info,
                                struct cs_s3_upload **out, struct cs_deadline deadline,
                                struct cs_err *err) CS_MUST_USE;
/* Its id at S3. Borrowed. */
struct cs_view cs_s3_upload_id(const struct cs_s3_upload *upload);
/* The next `count` parts, side by side, each BYTES or FILE. S3 wants all but the last to
 * have 5 MiB. */
enum cs_code cs_s3_upload_parts(struct cs_s3_upload *upload,
                                const struct cs_net_body *parts, size_t count,
                                struct cs_deadline deadline,
                                struct cs_err *err) CS_MUST_USE;
#define CS_S3_PARTS_AT_ONCE 8u
/* Makes the object. The upload is freed only by free or abort. */
enum cs_code cs_s3_upload_complete(struct cs_s3_upload *upload, char **version_out,
                                   struct cs_deadline deadline,
                                   struct cs_err *err) CS_MUST_USE;
void cs_s3_upload_free(struct cs_s3_upload *upload);
/* Tells S3 to drop the parts, and frees. Failing to is logged: the lifecycle rule
 * or a deletion of the prefix takes them later. */
void cs_s3_upload_abort(struct cs_s3_upload *upload, struct cs_deadline deadline);
/* Drops an upload that a listing named. A missing one is CS_OK. */
enum cs_code cs_s3_upload_drop(struct cs_s3 *s3, struct cs_view key,
                               struct cs_view upload_id, struct cs_deadline deadline,
                               struct cs_err *err) CS_MUST_USE;

/* ---- the bucket ---- */

struct cs_s3_bucket_settings {
    bool versioning;
    bool block_public_access;
    bool encrypt; /* by default: SSE-KMS where the client has a key, else SSE-S3 */
    const struct cs_net_header *tags;
    size_t tag_count;
};

/* Makes the bucket where it is missing and gives a new one its settings; an old
 * one's are left alone, but versioning is switched on where asked for. Adds a line
 * to report for what it did. Safe to run by many at once. */
enum cs_code cs_s3_ensure(struct cs_s3 *s3, const struct cs_s3_bucket_settings *settings,
                          struct cs_buf *report, struct cs_deadline deadline,
                          struct cs_err *err) CS_MUST_USE;

/* How the bucket is set up. What it was never told is false or "". */
enum cs_code cs_s3_look_versioning(struct cs_s3 *s3, bool *enabled_out,
                                   struct cs_deadline deadline,
                                   struct cs_err *err) CS_MUST_USE;
/* All four rules of the public access block hold. */
enum cs_code cs_s3_look_private(struct cs_s3 *s3, bool *private_out,
                                struct cs_deadline deadline,
                                struct cs_err *err) CS_MUST_USE;
/* Appends "AES256", "aws:kms" or "aws:kms:dsse". */
enum cs_code cs_s3_look_encryption(struct cs_s3 *s3, struct cs_buf *algorithm_out,
                                   struct cs_deadline deadline,
                                   struct cs_err *err) CS_MUST_USE;

/* How far the service's clock is ahead of ours, by the last single answer. */
bool cs_s3_clock_offset(const struct cs_s3 *s3, int64_t *offset_us_out);

/* HeadBucket. */
enum cs_code cs_s3_check(struct cs_s3 *s3, struct cs_deadline deadline,
                         struct cs_err *err) CS_MUST_USE;

#endif
