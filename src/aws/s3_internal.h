/* aws/s3_internal.h: what the files of the S3 client share; private to aws/s3*.c. */
#ifndef CS_AWS_S3_INTERNAL_H
#define CS_AWS_S3_INTERNAL_H

#include "aws/s3.h"
#include "base/file.h"

#define CS_S3_ANSWER_MAX (8u << 20) /* a page of 1000 versions with the longest keys */
#define CS_S3_QUERY_MAX  16384u
#define CS_S3_XMLNS      " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

#define CS_S3_RETIRED_MAX 8u

struct cs_s3 {
    struct cs_aws *aws;
    struct cs_aws_endpoint_options place; /* views into the texts below */
    struct cs_aws_endpoint endpoint;
    struct cs_aws_endpoint public_endpoint;
    char *region, *bucket, *url, *public_url, *kms_key;
    char *retired[CS_S3_RETIRED_MAX]; /* regions that the bucket was looked for in */
    size_t retired_count;
    enum cs_s3_checksum checksum;
    enum cs_s3_payload payload;
    struct cs_net_response response; /* of single calls */
    struct cs_aws_error error;
    struct cs_buf link_path, link_query; /* of the URL being presigned */
};

struct cs_s3_request {
    const char *operation;
    const char *method;
    struct cs_view key;   /* raw; empty for the bucket itself */
    struct cs_view query; /* encoded */
    const struct cs_net_header *headers;
    size_t header_count;
    struct cs_net_body body;
    struct cs_view payload;           /* hex; empty: of the empty body or of body.bytes */
    struct cs_aws_streamed *streamed; /* or NULL; says the payload itself */
    bool error_in_200;
};

/* One call with its memory, for those that run side by side. */
struct cs_s3_call {
    struct cs_aws_call call;
    struct cs_buf path;
    char payload[CS_SHA256_HEX_LEN + 1];
};

/* Fills `out` so that cs_aws_perform() can run it; *request is borrowed until then.
 * End it with cs_s3_call_clear(). */
enum cs_code cs_s3_call_init(struct cs_s3_call *out, struct cs_s3 *s3,
                             const struct cs_s3_request *request,
                             struct cs_net_response *response, struct cs_aws_error *error,
                             struct cs_deadline deadline, struct cs_err *err) CS_MUST_USE;
void cs_s3_call_clear(struct cs_s3_call *call);

/* A single call; the answer is in s3->response, an error in s3->error. */
enum cs_code cs_s3_perform(struct cs_s3 *s3, const struct cs_s3_request *request,
                           struct cs_deadline deadline, struct cs_err *err) CS_MUST_USE;

/* A version that is none by its form is a missing one, like any other. */
bool cs_s3_is_bad_version(const struct cs_aws_error *error, struct cs_view version);

/* "name=value" with '&' before it where needed; value encoded. */
void cs_s3_add_param(struct cs_buf *query, const char *name, struct cs_view value);

/* Copy of a header of the answer; "" when it has none. NULL: no memory. */
char *cs_s3_header_dup(const struct cs_net_response *response, const char *name);

/* The file that a body of that kind is read from. */
static inline struct cs_file_part cs_s3_body_file(const struct cs_net_body *body)
{
    return (struct cs_file_part){body->fd, body->offset, body->size};
}

/* A checksum header with its value. */
struct cs_s3_checksum_header {
    struct cs_buf text;
    struct cs_net_header header;
    size_t count; /* 1, or 0 where the mode wants none */
};
#define CS_S3_CHECKSUM_TEXT_MAX 64u

/* What the mode asks for; `needed`: of calls that must have one. sha256 is that of the
 * body in hex, or NULL where body->bytes are to be looked at. out->text is initialised
 * by the caller and cleared when the call is over. */
enum cs_code cs_s3_checksum_add(const struct cs_s3 *s3, const struct cs_net_body *body,
                                const char *sha256, bool needed,
                                struct cs_s3_checksum_header *out,
                                struct cs_err *err) CS_MUST_USE;

/* The mode asks for SHA-256, in a header or behind the body. */
bool cs_s3_checksum_is_sha256(const struct cs_s3 *s3);

/* The server says that it does not know the headers of such checksums. */
bool cs_s3_checksum_is_refused(const struct cs_aws_error *error);

/* What that leads to. CS_OK: the mode was AUTO, nothing newer is sent from now on, and
 * the call is to be made again. Else CS_EUNSUPPORTED with the setting's name: a mode that
 * was asked for is not given up in silence. */
enum cs_code cs_s3_checksum_give_up(struct cs_s3 *s3, const struct cs_aws_error *error,
                                    struct cs_err *err) CS_MUST_USE;

#define CS_S3_INFO_HEADERS_MAX 9u
/* Headers that say what an object is, encryption included; returns how many. */
size_t cs_s3_info_headers(const struct cs_s3 *s3, const struct cs_s3_info *info,
                          struct cs_net_header *out);

/* A body to be sent: of an object, or of a part of one. All borrowed. */
struct cs_s3_outgoing {
    struct cs_s3_request request;  /* its body is BYTES or FILE; headers and payload come
                                    * by themselves */
    const struct cs_s3_info *info; /* of the object; NULL for a part */
    const char *sha256;            /* of the body, in hex; NULL for a part */
};

/* Takes the answer to the nth, and the SHA-256 that went along with it, in base64: ""
 * where the mode wants none. Both are gone afterwards. */
typedef enum cs_code cs_s3_sent_fn(void *payload, size_t n,
                                   const struct cs_net_response *response,
                                   struct cs_view checksum, struct cs_err *err);

struct cs_s3_batch {
    const struct cs_s3_outgoing *items;
    size_t count; /* at most CS_S3_SEND_MAX */
    cs_s3_sent_fn *sent;
    void *payload;
};
#define CS_S3_SEND_MAX CS_S3_PUT_MANY_MAX

/* All of them side by side, and then `sent` for each in its order. The first failure is
 * returned: `sent` is not called then, or no more. */
enum cs_code cs_s3_send(struct cs_s3 *s3, const struct cs_s3_batch *batch,
                        struct cs_deadline deadline, struct cs_err *err) CS_MUST_USE;

#endif
