/* aws/caller.h: whose credentials these are.
 *
 * Source: AWS STS API Reference, "GetCallerIdentity". */
#ifndef CS_AWS_CALLER_H
#define CS_AWS_CALLER_H

#include "aws/call.h"

/* Asks STS in `region`, or at `url` where that is not empty, and appends the ARN of
 * the user or role. It needs no permission. */
enum cs_code cs_aws_caller(struct cs_aws *aws, struct cs_view region, struct cs_view url,
                           struct cs_buf *arn_out, struct cs_deadline deadline,
                           struct cs_err *err) CS_MUST_USE;

#endif
