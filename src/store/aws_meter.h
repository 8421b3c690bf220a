/* store/aws_meter.h: what AWS was asked, by all processes that share the memory of it. */
#ifndef CS_STORE_AWS_METER_H
#define CS_STORE_AWS_METER_H

#include "aws/call.h"
#include "store/store_aws.h"

struct cs_store_aws_meter {
    struct cs_aws_counts counts;
};

void cs_aws_store_usage(const struct cs_store *base, struct cs_store_usage *out);

#endif
