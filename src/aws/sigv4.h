/* aws/sigv4.h: AWS Signature Version 4 in pure stages: no clock, no network, no
 * globals. Each stage appends to a buffer of the caller; aws/signer.h puts them
 * together.
 *
 * Source: AWS IAM User Guide, "Create a signed AWS API request"; Amazon S3 API
 * Reference, "Authenticating Requests". */
#ifndef CS_AWS_SIGV4_H
#define CS_AWS_SIGV4_H

#include "base/buf.h"
#include "base/digest.h"
#include "net/header.h"

#define CS_SIGV4_KEY_LEN     32u  /* bytes: one HMAC-SHA-256 output */
#define CS_SIGV4_SECRET_MAX  256u /* bytes: longest secret access key taken */
#define CS_SIGV4_HEADERS_MAX 48u
#define CS_SIGV4_PARAMS_MAX  64u /* query parameters */
#define CS_SIGV4_DATE_LEN    16u /* "YYYYMMDDTHHMMSSZ" */
#define CS_SIGV4_HEX_LEN     64u

#define CS_SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

/* How the path becomes the canonical one. */
enum cs_sigv4_path {
    CS_SIGV4_PATH_S3,       /* S3: as it is on the wire, encoded once */
    CS_SIGV4_PATH_ENCODE,   /* other services: encoded again as it stands */
    CS_SIGV4_PATH_NORMALIZE /* and dot segments and repeated slashes taken out before */
};

struct cs_sigv4_scope {     /* views borrowed from the caller */
    struct cs_view day;     /* UTC day, exactly 8 digits "YYYYMMDD" */
    struct cs_view region;  /* for example "eu-central-1" */
    struct cs_view service; /* "s3" or "dynamodb" */
};

struct cs_sigv4_request {
    struct cs_view method;
    struct cs_view path;                 /* as it is sent; empty stands for "/" */
    struct cs_view query;                /* as it is sent, without '?' */
    bool query_is_canonical;             /* taken as it is */
    const struct cs_net_header *headers; /* Host must be among them */
    size_t header_count;
    struct cs_view payload; /* lower-case hex SHA-256, or one of the literal stand-ins */
    enum cs_sigv4_path path_rule;
};

/* Appends the canonical request. *signed_headers_out is the list "host;x-amz-date"
 * within out, valid until out changes. Headers that hops may alter (Connection,
 * Expect, User-Agent, ...) and Authorization are left out.
 * Errors: CS_EINVAL (no Host), CS_ETOOBIG (too many headers or parameters, or
 * out's ceiling), CS_ENOMEM. */
enum cs_code cs_sigv4_canonical_request(struct cs_buf *out,
                                        const struct cs_sigv4_request *request,
                                        struct cs_view *signed_headers_out,
                                        struct cs_err *err) CS_MUST_USE;

/* The query's part of it alone: parameters encoded, in order, each with its '='.
 * Errors: CS_ETOOBIG, CS_ENOMEM. */
enum cs_code cs_sigv4_canonical_query(struct cs_buf *out, struct cs_view query,
                                      struct cs_err *err) CS_MUST_USE;

/* The names alone, for a query signature: appends "host;x-amz-meta-a". */
enum cs_code cs_sigv4_signed_headers(struct cs_buf *out,
                                     const struct cs_sigv4_request *request,
                                     struct cs_err *err) CS_MUST_USE;

/* Appends "20150830/us-east-1/iam/aws4_request". */
void cs_sigv4_scope_text(struct cs_buf *out, const struct cs_sigv4_scope *scope);

/* Appends the string to sign of a request. date is "YYYYMMDDTHHMMSSZ". */
enum cs_code cs_sigv4_string_to_sign(struct cs_buf *out, struct cs_view date,
                                     const struct cs_sigv4_scope *scope,
                                     struct cs_view canonical_request,
                                     struct cs_err *err) CS_MUST_USE;

/* Derives the signing key for one UTC day, region and service.
 * key_out  owned by the caller, who ends it with cs_wipe(); all zero on failure.
 * secret   copied only into memory that is wiped before the return.
 * Errors: CS_EINVAL (malformed scope), CS_ETOOBIG, CS_ECRYPTO. */
enum cs_code cs_sigv4_signing_key(uint8_t key_out[CS_SIGV4_KEY_LEN],
                                  struct cs_view secret,
                                  const struct cs_sigv4_scope *scope,
                                  struct cs_err *err) CS_MUST_USE;

/* The signature in lower-case hex, with a NUL. key is the signing key made ready. */
enum cs_code cs_sigv4_signature(char out[CS_SIGV4_HEX_LEN + 1],
                                const struct cs_hmac_key *key,
                                struct cs_view string_to_sign,
                                struct cs_err *err) CS_MUST_USE;

/* "YYYYMMDDTHHMMSSZ" with a NUL. */
void cs_sigv4_date(char out[CS_SIGV4_DATE_LEN + 1], int64_t time_us);

#endif
