/* aws/call.h: one call of an AWS service from end to end: credentials, signature,
 * exchange, and again where that helps and the time allows it. Clock skew, a wrong
 * bucket region and expired credentials are put right once each. One log line a
 * call. The services' own files (aws/s3.h, aws/dynamodb.h) stand on this one. */
#ifndef CS_AWS_CALL_H
#define CS_AWS_CALL_H

#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/errors.h"
#include "aws/retry.h"
#include "aws/signer.h"
#include "aws/streamed.h"

struct cs_aws; /* one per process: signing context, tokens of the retries, clock offset */

/* What was asked of the services. Each is added to atomically, so that processes may
 * share them in memory that they have mapped together. */
struct cs_aws_counts {
    _Atomic uint64_t calls[CS_AWS_SERVICE_COUNT];
    _Atomic uint64_t retries;
    _Atomic uint64_t throttled;  /* answers */
    _Atomic uint64_t failures;   /* calls that ended without 2xx */
    _Atomic uint64_t milliunits; /* thousandths of DynamoDB's capacity units, read and
                                  * write together */
};

struct cs_aws_options {
    struct cs_net_client *net;              /* borrowed */
    struct cs_aws_credentials *credentials; /* borrowed */
    struct cs_log *log;                     /* borrowed, may be NULL */
    struct cs_retry_policy retry;           /* all zero: CS_RETRY_STANDARD */
    int64_t (*now_us)(void *payload);       /* NULL: the system's clock */
    double (*random)(void *payload);        /* from 0 to below 1; NULL: of its own */
    void *payload;
    struct cs_aws_counts *counts; /* borrowed, what it does is added; may be NULL */
};

/* NULL: out of memory. */
struct cs_aws *cs_aws_new(const struct cs_aws_options *options);
void cs_aws_free(struct cs_aws *aws);

#define CS_AWS_HEADERS_MAX 20u

/* Everything is borrowed for the time of the call. */
struct cs_aws_call {
    enum cs_aws_service service;
    const char *operation;    /* "PutObject" */
    struct cs_view subject;   /* key or table, for the log and for sentences */
    const char *subject_name; /* in the log; NULL: "key", "table", "region" */
    const struct cs_aws_endpoint *endpoint;
    struct cs_view region;
    const char *method;
    struct cs_view path;  /* percent-encoded, from '/' on, behind endpoint->path */
    struct cs_view query; /* percent-encoded, without '?' */
    const struct cs_net_header *headers; /* at most CS_AWS_HEADERS_MAX */
    size_t header_count;
    struct cs_net_body body;
    struct cs_view payload; /* hex SHA-256 of the body, or a literal stand-in */
    struct cs_aws_streamed
        *streamed; /* sends `body` in chunks, with its payload; or NULL */
    struct cs_deadline deadline;
    bool error_in_200; /* S3 may answer 200 and then an error (CopyObject, ...) */
    /* Points endpoint and region to the region that the service named; false when
     * that can't be. NULL: never tried. */
    bool (*relocate)(struct cs_aws_call *call, struct cs_view region);
    /* Whether an answer of 2xx is the operation's own and arrived as it was sent; one
     * that is not, such as a page of a proxy on the way, is asked for again. NULL: not
     * looked at. */
    bool (*is_sound)(const struct cs_aws_call *call);
    /* Reads consumed capacity units out of a good answer, for log and metrics. */
    double (*units_of)(const struct cs_net_response *response);
    void *owner; /* for relocate(); not looked at */

    struct cs_net_response *response; /* with its ceiling, sink or hold set */
    struct cs_aws_error *error;       /* initialised; read when the call has failed */

    /* set by the call */
    enum cs_code code;
    struct cs_err err;
    unsigned attempts;
    double units;

    /* private */
    struct cs_aws *aws;
    struct cs_net_header all[CS_AWS_HEADERS_MAX + CS_SIGNER_ADDED_MAX + 1];
    int64_t started_us;
    int taken; /* tokens of the last retry */
    bool renewed, skew_corrected, relocated, settled;
};

/* The operation must be one of aws/operations.h.
 * CS_OK for an answer of 2xx. Otherwise what cs_aws_error_report() made of the
 * service's error, CS_EUPSTREAM or CS_ETIMEOUT for the network's, CS_EUNAUTH
 * without credentials. */
enum cs_code cs_aws_perform(struct cs_aws *aws, struct cs_aws_call *call,
                            struct cs_err *err) CS_MUST_USE;

/* Side by side, at most `parallel` at a time, each with its own repetitions. */
void cs_aws_perform_many(struct cs_aws *aws, struct cs_aws_call *const *calls,
                         size_t count, size_t parallel, struct cs_err *err);

#define CS_AWS_MANY_MAX 64u /* of one cs_aws_perform_many() */

/* A URL that anybody may use until *expires_at_us: ttl_s from now, or the end of
 * the credentials where that comes first. */
struct cs_aws_presign {
    enum cs_aws_service service;
    const struct cs_aws_endpoint *endpoint;
    struct cs_view region;
    const char *method;
    struct cs_view path;
    struct cs_view query; /* in canonical form: names in order, percent-encoded */
    int64_t ttl_s;
    struct cs_deadline deadline; /* of a refresh of the credentials */
};
enum cs_code cs_aws_presign(struct cs_aws *aws, const struct cs_aws_presign *what,
                            struct cs_buf *out, int64_t *expires_at_us,
                            struct cs_err *err) CS_MUST_USE;

/* For waits: from 0 to below 1. */
double cs_aws_random(struct cs_aws *aws);

/* Time as the services see it, as far as they said. */
int64_t cs_aws_now_us(const struct cs_aws *aws);
int64_t cs_aws_clock_offset_us(const struct cs_aws *aws);

/* How far the clock of an answer that was just received is ahead of ours, by its
 * Date; false when it has none. */
bool cs_aws_answer_offset(const struct cs_aws *aws,
                          const struct cs_net_response *response, int64_t *offset_us_out);

/* Credentials can be had. Asks for them when there are none. */
enum cs_code cs_aws_check_credentials(struct cs_aws *aws, struct cs_deadline deadline,
                                      struct cs_aws_keys *out,
                                      struct cs_err *err) CS_MUST_USE;

#endif
