/* aws/caller.h: whose credentials these are.
 *
 * Source: AWS STS API Reference, "GetCallerIdentity". */
#ifndef CS_AWS_CALLER_H
#define CS_AWS_CALLER_H

#include "aws/call.h"

/* Asks STS, which is at `place` (its service is not looked at), and appends the ARN of
 * the user or role. It needs no permission. */
enum cs_code cs_aws_caller(struct cs_aws *aws,
                           const struct cs_aws_endpoint_options *place,
                           struct cs_buf *arn_out, struct cs_deadline deadline,
                           struct cs_err *err) CS_MUST_USE;

#endif
