/* aws/errors.h: error answers of AWS services, XML (S3, STS) and JSON (DynamoDB),
 * and what may be done about them.
 *
 * Source: Amazon S3 API Reference, "Error responses"; Smithy, "AWS JSON 1.0
 * protocol", operation error serialization; DynamoDB, "Error handling". */
#ifndef CS_AWS_ERRORS_H
#define CS_AWS_ERRORS_H

#include "net/client.h"

enum cs_aws_retry {
    CS_AWS_RETRY_NONE,
    CS_AWS_RETRY_THROTTLING,
    CS_AWS_RETRY_TRANSIENT,
    CS_AWS_RETRY_CREDENTIALS, /* only with new credentials */
    CS_AWS_RETRY_REGION,      /* only in the region that the answer names */
    CS_AWS_RETRY_SKEW,        /* only with the clock corrected by the answer's Date */
    CS_AWS_RETRY_TRANSACTION_CONFLICT, /* the whole transaction again */
    CS_AWS_RETRY_TRANSACTION_THROTTLED
};

enum cs_aws_error_field {
    CS_AWS_ERROR_CODE,
    CS_AWS_ERROR_MESSAGE,
    CS_AWS_ERROR_REQUEST_ID,
    CS_AWS_ERROR_HOST_ID,
    CS_AWS_ERROR_REGION,        /* element Region */
    CS_AWS_ERROR_BUCKET_REGION, /* header x-amz-bucket-region, or taken from ENDPOINT */
    CS_AWS_ERROR_ENDPOINT,
    CS_AWS_ERROR_ITEM, /* JSON text: the item that failed a condition, when asked for */
    CS_AWS_ERROR_FIELDS
};

#define CS_AWS_REASONS_MAX 100u /* writes of one DynamoDB transaction */

struct cs_aws_span { /* a part of `text`; not given where len is SIZE_MAX */
    size_t at;
    size_t len;
};

struct cs_aws_error {
    int status;
    enum cs_aws_retry retry;
    struct cs_aws_span fields[CS_AWS_ERROR_FIELDS];
    struct cs_aws_span
        reasons[CS_AWS_REASONS_MAX]; /* codes, in the order of the writes */
    size_t reason_count;
    struct cs_buf text;
};

void cs_aws_error_init(struct cs_aws_error *error);
void cs_aws_error_clear(struct cs_aws_error *error);

/* Reads an answer of whatever status (an error can come with 200 as well). A body
 * that can't be read is no failure: code and message are then not given and the
 * class comes from the status. CS_ENOMEM alone. */
enum cs_code cs_aws_error_read(struct cs_aws_error *error,
                               const struct cs_net_response *response,
                               struct cs_err *err) CS_MUST_USE;

/* .ptr NULL where it was not given; borrowed. */
struct cs_view cs_aws_error_text(const struct cs_aws_error *error,
                                 enum cs_aws_error_field field);
struct cs_view cs_aws_error_reason(const struct cs_aws_error *error, size_t index);

bool cs_aws_error_is(const struct cs_aws_error *error, const char *code);

/* Turns it into a code and a sentence: denied, not found, conflict, ... with the
 * upstream status and request id. what: "S3 PutObject". */
enum cs_code cs_aws_error_report(const struct cs_aws_error *error, const char *what,
                                 struct cs_err *err);

#endif
