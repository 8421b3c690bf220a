#include "config.h"

#include "unit.h"

#include "aws/endpoint.h"

/* ---- settings and names ---- */

struct endpoint_case {
    enum cs_aws_service service;
    const char *region;
    const char *url;
    const char *bucket;
    bool dual_stack, fips, path_style;
    const char *origin; /* NULL: refused */
    const char *path;
};

static const struct endpoint_case endpoint_cases[] = {
    {CS_AWS_S3, "eu-central-1", "", "outputs", false, false, false,
     "https://outputs.s3.eu-central-1.amazonaws.com", ""},
    {CS_AWS_S3, "us-east-1", "", "my.bucket", false, false, false,
     "https://s3.us-east-1.amazonaws.com", "/my.bucket"},
    {CS_AWS_S3, "us-east-1", "", "Old_Bucket", false, false, false,
     "https://s3.us-east-1.amazonaws.com", "/Old_Bucket"},
    {CS_AWS_S3, "eu-west-3", "", "outputs", true, false, false,
     "https://outputs.s3.dualstack.eu-west-3.amazonaws.com", ""},
    {CS_AWS_S3, "us-west-2", "", "outputs", true, true, true,
     "https://s3-fips.dualstack.us-west-2.amazonaws.com", "/outputs"},
    {CS_AWS_S3, "cn-north-1", "", "outputs", false, false, false,
     "https://outputs.s3.cn-north-1.amazonaws.com.cn", ""},
    {CS_AWS_S3, "us-east-1", "http://127.0.0.1:9000/", "outputs", false, false, false,
     "http://127.0.0.1:9000", "/outputs"},
    {CS_AWS_S3, "us-east-1", "https://store.example:443/base/", "outputs", false, false,
     false, "https://store.example", "/base/outputs"},
    {CS_AWS_S3, "us-east-1", "", "", false, false, false,
     "https://s3.us-east-1.amazonaws.com", ""},
    {CS_AWS_DYNAMODB, "ca-central-1", "", "", false, false, false,
     "https://dynamodb.ca-central-1.amazonaws.com", ""},
    {CS_AWS_DYNAMODB, "ca-central-1", "", "", true, false, false,
     "https://dynamodb.ca-central-1.api.aws", ""},
    {CS_AWS_DYNAMODB, "ca-central-1", "", "", false, true, false,
     "https://dynamodb-fips.ca-central-1.amazonaws.com", ""},
    {CS_AWS_DYNAMODB, "us-gov-west-1", "", "", false, true, false,
     "https://dynamodb.us-gov-west-1.amazonaws.com", ""},
    {CS_AWS_STS, "eusc-de-east-1", "", "", false, false, false,
     "https://sts.eusc-de-east-1.amazonaws.eu", ""},
    {CS_AWS_DYNAMODB, "local", "http://localhost:80", "", false, false, false,
     "http://localhost", ""},
    {CS_AWS_DYNAMODB, "local", "http://A.Z-0", "", false, false, false, "http://A.Z-0",
     ""},
    {CS_AWS_S3, "", "", "outputs", false, false, false, NULL, NULL},
    {CS_AWS_S3, "eu central", "", "outputs", false, false, false, NULL, NULL},
    {CS_AWS_S3, "x.evil.example/", "", "outputs", false, false, false, NULL, NULL},
    {CS_AWS_S3, "-eu", "", "outputs", false, false, false, NULL, NULL},
    {CS_AWS_S3, "us-east-1", "", "a/b", false, false, false, NULL, NULL},
    {CS_AWS_S3, "us-east-1", "", "ab", false, false, false, NULL, NULL},
    {CS_AWS_S3, "us-east-1", "", "A", false, false, false, NULL, NULL},
    {CS_AWS_S3, "us-east-1", "ftp://x", "outputs", false, false, false, NULL, NULL},
    {CS_AWS_S3, "us-east-1", "store.example", "outputs", false, false, false, NULL, NULL},
    {CS_AWS_S3, "us-east-1", "http://", "outputs", false, false, false, NULL, NULL},
    {CS_AWS_S3, "us-east-1", "http://user@host", "outputs", false, false, false, NULL,
     NULL},
    {CS_AWS_S3, "us-east-1", "http://host/?x", "outputs", false, false, false, NULL,
     NULL},
};

static void test_endpoints(void **state)
{
    struct cs_aws_endpoint endpoint;

    (void)state;
    cs_aws_endpoint_init(&endpoint);
    for (size_t i = 0; i < CS_COUNT(endpoint_cases); i++) {
        const struct endpoint_case *c = &endpoint_cases[i];
        const struct cs_aws_endpoint_options options = {.service = c->service,
                                                        .region = cs_view_cstr(c->region),
                                                        .url = cs_view_cstr(c->url),
                                                        .bucket = cs_view_cstr(c->bucket),
                                                        .dual_stack = c->dual_stack,
                                                        .fips = c->fips,
                                                        .path_style = c->path_style};

        if (c->origin == NULL) {
            assert_int_equal(cs_aws_endpoint_make(&endpoint, &options, NULL), CS_EINVAL);
            continue;
        }
        assert_ok(cs_aws_endpoint_make(&endpoint, &options, err));
        assert_view(cs_buf_view(&endpoint.origin), c->origin);
        assert_view(cs_buf_view(&endpoint.path), c->path);
        assert_view(cs_aws_endpoint_host(&endpoint), strstr(c->origin, "://") + 3);
    }
    cs_aws_endpoint_clear(&endpoint);
}

/* ---- every partition ---- */

#define FLAGS     4 /* plain, FIPS, dual-stack, both */
#define FLAG_FIPS 1u
#define FLAG_DUAL 2u

/* What the endpoint rules of Amazon's own SDKs give, the bucket "outputs" of S3 included.
 * NULL: they give none. */
static const struct {
    const char *region;
    const char *partition;
    const char *hosts[CS_AWS_SERVICE_COUNT][FLAGS];
} regions[] = {
    {"us-east-1",
     "aws",
     {
         [CS_AWS_S3] = {"outputs.s3.us-east-1.amazonaws.com",
                        "outputs.s3-fips.us-east-1.amazonaws.com",
                        "outputs.s3.dualstack.us-east-1.amazonaws.com",
                        "outputs.s3-fips.dualstack.us-east-1.amazonaws.com"},
         [CS_AWS_DYNAMODB] = {"dynamodb.us-east-1.amazonaws.com",
                              "dynamodb-fips.us-east-1.amazonaws.com",
                              "dynamodb.us-east-1.api.aws",
                              "dynamodb-fips.us-east-1.api.aws"},
         [CS_AWS_STS] = {"sts.us-east-1.amazonaws.com",
                         "sts-fips.us-east-1.amazonaws.com", "sts.us-east-1.api.aws",
                         "sts-fips.us-east-1.api.aws"},
     }},
    {"eu-central-1",
     "aws",
     {
         [CS_AWS_S3] = {"outputs.s3.eu-central-1.amazonaws.com",
                        "outputs.s3-fips.eu-central-1.amazonaws.com",
                        "outputs.s3.dualstack.eu-central-1.amazonaws.com",
                        "outputs.s3-fips.dualstack.eu-central-1.amazonaws.com"},
         [CS_AWS_DYNAMODB] = {"dynamodb.eu-central-1.amazonaws.com",
                              "dynamodb-fips.eu-central-1.amazonaws.com",
                              "dynamodb.eu-central-1.api.aws",
                              "dynamodb-fips.eu-central-1.api.aws"},
         [CS_AWS_STS] = {"sts.eu-central-1.amazonaws.com",
                         "sts-fips.eu-central-1.amazonaws.com",
                         "sts.eu-central-1.api.aws", "sts-fips.eu-central-1.api.aws"},
     }},
    {"cn-north-1",
     "aws-cn",
     {
         [CS_AWS_S3] = {"outputs.s3.cn-north-1.amazonaws.com.cn", NULL,
                        "outputs.s3.dualstack.cn-north-1.amazonaws.com.cn", NULL},
         [CS_AWS_DYNAMODB] = {"dynamodb.cn-north-1.amazonaws.com.cn",
                              "dynamodb-fips.cn-north-1.amazonaws.com.cn",
                              "dynamodb.cn-north-1.api.amazonwebservices.com.cn",
                              "dynamodb-fips.cn-north-1.api.amazonwebservices.com.cn"},
         [CS_AWS_STS] = {"sts.cn-north-1.amazonaws.com.cn",
                         "sts-fips.cn-north-1.amazonaws.com.cn",
                         "sts.cn-north-1.api.amazonwebservices.com.cn",
                         "sts-fips.cn-north-1.api.amazonwebservices.com.cn"},
     }},
    {"cn-northwest-1",
     "aws-cn",
     {
         [CS_AWS_S3] = {"outputs.s3.cn-northwest-1.amazonaws.com.cn", NULL,
                        "outputs.s3.dualstack.cn-northwest-1.amazonaws.com.cn", NULL},
         [CS_AWS_DYNAMODB] =
             {"dynamodb.cn-northwest-1.amazonaws.com.cn",
              "dynamodb-fips.cn-northwest-1.amazonaws.com.cn",
              "dynamodb.cn-northwest-1.api.amazonwebservices.com.cn",
              "dynamodb-fips.cn-northwest-1.api.amazonwebservices.com.cn"},
         [CS_AWS_STS] = {"sts.cn-northwest-1.amazonaws.com.cn",
                         "sts-fips.cn-northwest-1.amazonaws.com.cn",
                         "sts.cn-northwest-1.api.amazonwebservices.com.cn",
                         "sts-fips.cn-northwest-1.api.amazonwebservices.com.cn"},
     }},
    {"us-gov-west-1",
     "aws-us-gov",
     {
         [CS_AWS_S3] = {"outputs.s3.us-gov-west-1.amazonaws.com",
                        "outputs.s3-fips.us-gov-west-1.amazonaws.com",
                        "outputs.s3.dualstack.us-gov-west-1.amazonaws.com",
                        "outputs.s3-fips.dualstack.us-gov-west-1.amazonaws.com"},
         [CS_AWS_DYNAMODB] = {"dynamodb.us-gov-west-1.amazonaws.com",
                              "dynamodb.us-gov-west-1.amazonaws.com",
                              "dynamodb.us-gov-west-1.api.aws",
                              "dynamodb-fips.us-gov-west-1.api.aws"},
         [CS_AWS_STS] = {"sts.us-gov-west-1.amazonaws.com",
                         "sts.us-gov-west-1.amazonaws.com", "sts.us-gov-west-1.api.aws",
                         "sts-fips.us-gov-west-1.api.aws"},
     }},
    {"us-gov-east-1",
     "aws-us-gov",
     {
         [CS_AWS_S3] = {"outputs.s3.us-gov-east-1.amazonaws.com",
                        "outputs.s3-fips.us-gov-east-1.amazonaws.com",
                        "outputs.s3.dualstack.us-gov-east-1.amazonaws.com",
                        "outputs.s3-fips.dualstack.us-gov-east-1.amazonaws.com"},
         [CS_AWS_DYNAMODB] = {"dynamodb.us-gov-east-1.amazonaws.com",
                              "dynamodb.us-gov-east-1.amazonaws.com",
                              "dynamodb.us-gov-east-1.api.aws",
                              "dynamodb-fips.us-gov-east-1.api.aws"},
         [CS_AWS_STS] = {"sts.us-gov-east-1.amazonaws.com",
                         "sts.us-gov-east-1.amazonaws.com", "sts.us-gov-east-1.api.aws",
                         "sts-fips.us-gov-east-1.api.aws"},
     }},
    {"us-iso-east-1",
     "aws-iso",
     {
         [CS_AWS_S3] = {"outputs.s3.us-iso-east-1.c2s.ic.gov",
                        "outputs.s3-fips.us-iso-east-1.c2s.ic.gov",
                        "outputs.s3.dualstack.us-iso-east-1.c2s.ic.gov",
                        "outputs.s3-fips.dualstack.us-iso-east-1.c2s.ic.gov"},
         [CS_AWS_DYNAMODB] = {"dynamodb.us-iso-east-1.c2s.ic.gov",
                              "dynamodb-fips.us-iso-east-1.c2s.ic.gov",
                              "dynamodb.us-iso-east-1.api.aws.ic.gov",
                              "dynamodb-fips.us-iso-east-1.api.aws.ic.gov"},
         [CS_AWS_STS] = {"sts.us-iso-east-1.c2s.ic.gov",
                         "sts-fips.us-iso-east-1.c2s.ic.gov",
                         "sts.us-iso-east-1.api.aws.ic.gov",
                         "sts-fips.us-iso-east-1.api.aws.ic.gov"},
     }},
    {"us-isob-east-1",
     "aws-iso-b",
     {
         [CS_AWS_S3] = {"outputs.s3.us-isob-east-1.sc2s.sgov.gov",
                        "outputs.s3-fips.us-isob-east-1.sc2s.sgov.gov",
                        "outputs.s3.dualstack.us-isob-east-1.sc2s.sgov.gov",
                        "outputs.s3-fips.dualstack.us-isob-east-1.sc2s.sgov.gov"},
         [CS_AWS_DYNAMODB] = {"dynamodb.us-isob-east-1.sc2s.sgov.gov",
                              "dynamodb-fips.us-isob-east-1.sc2s.sgov.gov",
                              "dynamodb.us-isob-east-1.api.aws.scloud",
                              "dynamodb-fips.us-isob-east-1.api.aws.scloud"},
         [CS_AWS_STS] = {"sts.us-isob-east-1.sc2s.sgov.gov",
                         "sts-fips.us-isob-east-1.sc2s.sgov.gov",
                         "sts.us-isob-east-1.api.aws.scloud",
                         "sts-fips.us-isob-east-1.api.aws.scloud"},
     }},
    {"eu-isoe-west-1",
     "aws-iso-e",
     {
         [CS_AWS_S3] = {"outputs.s3.eu-isoe-west-1.cloud.adc-e.uk",
                        "outputs.s3-fips.eu-isoe-west-1.cloud.adc-e.uk",
                        "outputs.s3.dualstack.eu-isoe-west-1.cloud.adc-e.uk",
                        "outputs.s3-fips.dualstack.eu-isoe-west-1.cloud.adc-e.uk"},
         [CS_AWS_DYNAMODB] = {"dynamodb.eu-isoe-west-1.cloud.adc-e.uk",
                              "dynamodb-fips.eu-isoe-west-1.cloud.adc-e.uk",
                              "dynamodb.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
                              "dynamodb-fips.eu-isoe-west-1.api.cloud-aws.adc-e.uk"},
         [CS_AWS_STS] = {"sts.eu-isoe-west-1.cloud.adc-e.uk",
                         "sts-fips.eu-isoe-west-1.cloud.adc-e.uk",
                         "sts.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
                         "sts-fips.eu-isoe-west-1.api.cloud-aws.adc-e.uk"},
     }},
    {"us-isof-south-1",
     "aws-iso-f",
     {
         [CS_AWS_S3] = {"outputs.s3.us-isof-south-1.csp.hci.ic.gov",
                        "outputs.s3-fips.us-isof-south-1.csp.hci.ic.gov",
                        "outputs.s3.dualstack.us-isof-south-1.csp.hci.ic.gov",
                        "outputs.s3-fips.dualstack.us-isof-south-1.csp.hci.ic.gov"},
         [CS_AWS_DYNAMODB] = {"dynamodb.us-isof-south-1.csp.hci.ic.gov",
                              "dynamodb-fips.us-isof-south-1.csp.hci.ic.gov",
                              "dynamodb.us-isof-south-1.api.aws.hci.ic.gov",
                              "dynamodb-fips.us-isof-south-1.api.aws.hci.ic.gov"},
         [CS_AWS_STS] = {"sts.us-isof-south-1.csp.hci.ic.gov",
                         "sts-fips.us-isof-south-1.csp.hci.ic.gov",
                         "sts.us-isof-south-1.api.aws.hci.ic.gov",
                         "sts-fips.us-isof-south-1.api.aws.hci.ic.gov"},
     }},
    {"eusc-de-east-1",
     "aws-eusc",
     {
         [CS_AWS_S3] = {"outputs.s3.eusc-de-east-1.amazonaws.eu",
                        "outputs.s3-fips.eusc-de-east-1.amazonaws.eu",
                        "outputs.s3.dualstack.eusc-de-east-1.amazonaws.eu",
                        "outputs.s3-fips.dualstack.eusc-de-east-1.amazonaws.eu"},
         [CS_AWS_DYNAMODB] = {"dynamodb.eusc-de-east-1.amazonaws.eu",
                              "dynamodb-fips.eusc-de-east-1.amazonaws.eu",
                              "dynamodb.eusc-de-east-1.api.amazonwebservices.eu",
                              "dynamodb-fips.eusc-de-east-1.api.amazonwebservices.eu"},
         [CS_AWS_STS] = {"sts.eusc-de-east-1.amazonaws.eu",
                         "sts-fips.eusc-de-east-1.amazonaws.eu",
                         "sts.eusc-de-east-1.api.amazonwebservices.eu",
                         "sts-fips.eusc-de-east-1.api.amazonwebservices.eu"},
     }},
};

static void test_partitions(void **state)
{
    struct cs_aws_endpoint endpoint;

    (void)state;
    cs_aws_endpoint_init(&endpoint);
    for (size_t i = 0; i < CS_COUNT(regions) * CS_AWS_SERVICE_COUNT * FLAGS; i++) {
        size_t row = i / FLAGS / CS_AWS_SERVICE_COUNT;
        enum cs_aws_service service =
            (enum cs_aws_service)(i / FLAGS % CS_AWS_SERVICE_COUNT);
        const char *host = regions[row].hosts[service][i % FLAGS];
        const struct cs_aws_endpoint_options options = {
            .service = service,
            .region = cs_view_cstr(regions[row].region),
            .bucket = cs_view_cstr(service == CS_AWS_S3 ? "outputs" : ""),
            .dual_stack = (i & FLAG_DUAL) != 0,
            .fips = (i & FLAG_FIPS) != 0};

        assert_view(cs_aws_partition(options.region), regions[row].partition);
        if (host == NULL) {
            struct cs_err why = CS_ERR_NONE;

            assert_int_equal(cs_aws_endpoint_make(&endpoint, &options, &why), CS_EINVAL);
            assert_string_equal(why.field, "AWS_USE_FIPS_ENDPOINT");
            continue;
        }
        assert_ok(cs_aws_endpoint_make(&endpoint, &options, err));
        assert_true(cs_view_starts(cs_buf_view(&endpoint.origin), CS_LIT("https://")));
        assert_view(cs_aws_endpoint_host(&endpoint), host);
        assert_view(cs_buf_view(&endpoint.path), "");
    }
    cs_aws_endpoint_clear(&endpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_partitions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
