/* tests/unit/fake_aws.h: an AWS client whose services are a scripted server on a
 * loopback port. The script is a list of answers, given one after another. */
#ifndef CS_TESTS_FAKE_AWS_H
#define CS_TESTS_FAKE_AWS_H

#include "aws/call.h"
#include "fake_http.h"

#define FAKE_NO_ANSWER (-1)

struct fake_answer {
    int status; /* FAKE_NO_ANSWER: the connection is reset; 0 ends the script */
    const char *headers;
    const char *body;
    enum fake_then then;
    unsigned times; /* 0: once */
};

struct fake_aws {
    struct fake_http *server;
    struct cs_net_client *net;
    struct cs_aws_credentials *credentials;
    struct cs_aws *aws;
    struct cs_aws_counts counts;
    struct cs_aws_endpoint endpoint;
    char url[64];
    const struct fake_answer *script; /* past its end: 200 without a body */
    size_t answer;
    unsigned given;
    struct cs_buf seen;      /* heads and bodies of all requests, one after another */
    int64_t clock_offset_us; /* of our clock */
    const char *access_key;
    double random; /* what every wait draws */
    unsigned draws;
};

/* policy NULL: 4 attempts, 1 ms base. */
void fake_aws_init(struct fake_aws *fake, const struct cs_retry_policy *policy);
void fake_aws_clear(struct fake_aws *fake);

/* Starts a new script; what was seen before is forgotten. */
void fake_aws_play(struct fake_aws *fake, const struct fake_answer *script);

/* How often a text stands in what was seen. */
unsigned fake_aws_saw(const struct fake_aws *fake, const char *text);

#endif
