/* aws/endpoint.h: where a service answers: partitions, dual-stack, FIPS, endpoints
 * given by the operator, and for S3 the two ways to name a bucket. Pure.
 *
 * Source: AWS General Reference, "Service endpoints"; AWS SDKs and Tools
 * Reference Guide, "Service-specific endpoints". */
#ifndef CS_AWS_ENDPOINT_H
#define CS_AWS_ENDPOINT_H

#include "base/buf.h"

enum cs_aws_service { CS_AWS_S3, CS_AWS_DYNAMODB, CS_AWS_STS, CS_AWS_SERVICE_COUNT };

/* "s3", "dynamodb", "sts": as in a signature's scope. */
struct cs_view cs_aws_service_name(enum cs_aws_service service);

struct cs_aws_endpoint_options {
    enum cs_aws_service service;
    struct cs_view region; /* "eu-central-1" */
    struct cs_view url;    /* the operator's own, "http://127.0.0.1:9000/x"; or empty */
    struct cs_view bucket; /* S3: or empty */
    bool dual_stack;
    bool fips;
    bool path_style; /* S3: always; else it is chosen where the bucket's name needs it */
};

struct cs_aws_endpoint {
    struct cs_buf origin; /* "https://outputs.s3.eu-central-1.amazonaws.com" */
    struct cs_buf path;   /* what every path starts with: "", or "/outputs" */
    bool path_style;
};

void cs_aws_endpoint_init(struct cs_aws_endpoint *endpoint);
void cs_aws_endpoint_clear(struct cs_aws_endpoint *endpoint);

/* What goes into the Host header: the origin without its scheme. */
struct cs_view cs_aws_endpoint_host(const struct cs_aws_endpoint *endpoint);

/* Replaces what out held. CS_EINVAL with the reason for a malformed region, URL
 * or bucket name. */
enum cs_code cs_aws_endpoint_make(struct cs_aws_endpoint *out,
                                  const struct cs_aws_endpoint_options *options,
                                  struct cs_err *err) CS_MUST_USE;

/* "aws", "aws-cn", "aws-us-gov", ...: as in ARNs. */
struct cs_view cs_aws_partition(struct cs_view region);

#endif
