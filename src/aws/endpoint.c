#include "config.h"

#include "aws/endpoint.h"

#define ORIGIN_MAX 512u
#define REGION_MAX 63u

struct partition {
    struct cs_view name;
    struct cs_view region_prefix; /* "" ends the search */
    struct cs_view suffix;
    struct cs_view dual_stack_suffix; /* of all but S3 */
};

static const struct partition partitions[] = {
    {CS_LIT_INIT("aws-cn"), CS_LIT_INIT("cn-"), CS_LIT_INIT("amazonaws.com.cn"),
     CS_LIT_INIT("api.amazonwebservices.com.cn")},
    {CS_LIT_INIT("aws-us-gov"), CS_LIT_INIT("us-gov-"), CS_LIT_INIT("amazonaws.com"),
     CS_LIT_INIT("api.aws")},
    {CS_LIT_INIT("aws-iso"), CS_LIT_INIT("us-iso-"), CS_LIT_INIT("c2s.ic.gov"),
     CS_LIT_INIT("api.aws.ic.gov")},
    {CS_LIT_INIT("aws-iso-b"), CS_LIT_INIT("us-isob-"), CS_LIT_INIT("sc2s.sgov.gov"),
     CS_LIT_INIT("api.aws.scloud")},
    {CS_LIT_INIT("aws-iso-e"), CS_LIT_INIT("eu-isoe-"), CS_LIT_INIT("cloud.adc-e.uk"),
     CS_LIT_INIT("api.cloud-aws.adc-e.uk")},
    {CS_LIT_INIT("aws-iso-f"), CS_LIT_INIT("us-isof-"), CS_LIT_INIT("csp.hci.ic.gov"),
     CS_LIT_INIT("api.aws.hci.ic.gov")},
    {CS_LIT_INIT("aws-eusc"), CS_LIT_INIT("eusc-"), CS_LIT_INIT("amazonaws.eu"),
     CS_LIT_INIT("api.amazonwebservices.eu")},
    {CS_LIT_INIT("aws"), CS_LIT_INIT(""), CS_LIT_INIT("amazonaws.com"),
     CS_LIT_INIT("api.aws")},
};

static const struct cs_view service_names[CS_AWS_SERVICE_COUNT] = {
    [CS_AWS_S3] = CS_LIT_INIT("s3"),
    [CS_AWS_DYNAMODB] = CS_LIT_INIT("dynamodb"),
    [CS_AWS_STS] = CS_LIT_INIT("sts"),
};

struct cs_view cs_aws_service_name(enum cs_aws_service service)
{
    return service_names[service];
}

static const struct partition *partition_of(struct cs_view region)
{
    const struct partition *p = partitions;

    while (p->region_prefix.len > 0 && !cs_view_starts(region, p->region_prefix))
        p++;
    return p;
}

struct cs_view cs_aws_partition(struct cs_view region)
{
    return partition_of(region)->name;
}

void cs_aws_endpoint_init(struct cs_aws_endpoint *endpoint)
{
    cs_buf_init(&endpoint->origin, ORIGIN_MAX);
    cs_buf_init(&endpoint->path, ORIGIN_MAX);
    endpoint->path_style = false;
}

void cs_aws_endpoint_clear(struct cs_aws_endpoint *endpoint)
{
    cs_buf_clear(&endpoint->origin);
    cs_buf_clear(&endpoint->path);
}

struct cs_view cs_aws_endpoint_host(const struct cs_aws_endpoint *endpoint)
{
    struct cs_view origin = cs_buf_view(&endpoint->origin);

    return cs_view_from(origin, cs_view_find_byte(origin, ':') + sizeof("://") - 1);
}

static bool is_digit_or_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static enum cs_code check_region(struct cs_view region, struct cs_err *err)
{
    bool good = region.len > 0 && region.len <= REGION_MAX;

    for (size_t i = 0; i < region.len && good; i++)
        good = is_digit_or_lower(region.ptr[i]) || (region.ptr[i] == '-' && i > 0);
    if (good)
        return CS_OK;
    return cs_err_field(err, CS_EINVAL, "AWS_REGION", "region_malformed",
                        "\"%.*s\" is no region; set AWS_REGION to one like eu-central-1",
                        CS_FMT(region));
}

/* Amazon's SDKs refuse it as well. */
static enum cs_code check_fips(const struct cs_aws_endpoint_options *options,
                               struct cs_err *err)
{
    if (!options->fips || options->service != CS_AWS_S3 ||
        !cs_view_eq(cs_aws_partition(options->region), CS_LIT("aws-cn")))
        return CS_OK;
    return cs_err_field(err, CS_EINVAL, "AWS_USE_FIPS_ENDPOINT", "no_fips_endpoint",
                        "S3 has no FIPS endpoint in %.*s; set AWS_USE_FIPS_ENDPOINT to "
                        "false",
                        CS_FMT(options->region));
}

/* S3 User Guide, "Bucket naming rules". Old buckets of us-east-1 may break them:
 * those are taken too, and reached by path. */
static enum cs_code check_bucket(struct cs_view bucket, struct cs_err *err)
{
    bool good = bucket.len >= 3 && bucket.len <= 255;

    for (size_t i = 0; i < bucket.len && good; i++) {
        char c = bucket.ptr[i];

        good = is_digit_or_lower(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
               c == '_';
    }
    if (good)
        return CS_OK;
    return cs_err_field(err, CS_EINVAL, "S3_BUCKET_NAME", "bucket_malformed",
                        "S3_BUCKET_NAME is \"%.*s\": a bucket's name has at least 3 "
                        "letters, digits, - and .",
                        CS_FMT(bucket));
}

/* A name with a dot matches no certificate as a host; others are no host at all. */
static bool can_be_host(struct cs_view bucket)
{
    if (bucket.len > 63 || bucket.ptr[0] == '-' || bucket.ptr[bucket.len - 1] == '-')
        return false;
    for (size_t i = 0; i < bucket.len; i++)
        if (!is_digit_or_lower(bucket.ptr[i]) && bucket.ptr[i] != '-')
            return false;
    return true;
}

/* ---- the operator's own ---- */

static void strip_port(struct cs_view *authority, struct cs_view port)
{
    if (cs_view_ends(*authority, port))
        authority->len -= port.len;
}

/* The default port is left out, since curl leaves it out of the Host header. */
static enum cs_code use_url(struct cs_aws_endpoint *out, struct cs_view url,
                            struct cs_err *err)
{
    bool secure = cs_view_starts(url, CS_LIT("https://"));
    struct cs_view authority = cs_view_from(url, secure ? 8 : 7);
    struct cs_view path;
    size_t slash = cs_view_find_byte(authority, '/');

    path = slash == SIZE_MAX ? cs_view_of("", 0) : cs_view_from(authority, slash);
    authority = cs_view_sub(authority, 0, slash);
    while (path.len > 0 && path.ptr[path.len - 1] == '/')
        path.len--;
    if ((!secure && !cs_view_starts(url, CS_LIT("http://"))) || authority.len == 0 ||
        cs_view_find_byte(url, '?') != SIZE_MAX ||
        cs_view_find_byte(url, '#') != SIZE_MAX ||
        cs_view_find_byte(authority, '@') != SIZE_MAX ||
        cs_view_find_byte(url, ' ') != SIZE_MAX)
        return cs_err_field(err, CS_EINVAL, "AWS_ENDPOINT_URL", "endpoint_malformed",
                            "\"%.*s\" is no endpoint; one looks like https://host:port",
                            CS_FMT(url));
    strip_port(&authority, secure ? CS_LIT(":443") : CS_LIT(":80"));
    cs_buf_add(&out->origin, secure ? CS_LIT("https://") : CS_LIT("http://"));
    cs_buf_add(&out->origin, authority);
    cs_buf_add(&out->path, path);
    return CS_OK;
}

/* ---- AWS's ---- */

static void add_s3_host(struct cs_buf *out, const struct cs_aws_endpoint_options *options)
{
    cs_buf_add(out, options->fips ? CS_LIT("s3-fips.") : CS_LIT("s3."));
    if (options->dual_stack)
        cs_buf_add(out, CS_LIT("dualstack."));
    cs_buf_add(out, options->region);
    cs_buf_add_byte(out, '.');
    cs_buf_add(out, partition_of(options->region)->suffix);
}

static void add_host(struct cs_buf *out, const struct cs_aws_endpoint_options *options)
{
    const struct partition *partition = partition_of(options->region);
    /* In the government partition the ordinary endpoints are the FIPS ones. */
    bool fips = options->fips && (options->dual_stack ||
                                  !cs_view_eq(partition->name, CS_LIT("aws-us-gov")));

    cs_buf_add(out, cs_aws_service_name(options->service));
    if (fips)
        cs_buf_add(out, CS_LIT("-fips"));
    cs_buf_add_byte(out, '.');
    cs_buf_add(out, options->region);
    cs_buf_add_byte(out, '.');
    cs_buf_add(out,
               options->dual_stack ? partition->dual_stack_suffix : partition->suffix);
}

enum cs_code cs_aws_endpoint_make(struct cs_aws_endpoint *out,
                                  const struct cs_aws_endpoint_options *options,
                                  struct cs_err *err)
{
    struct cs_view bucket = options->bucket;
    bool own = options->url.len > 0;
    enum cs_code rc;

    cs_buf_reset(&out->origin);
    cs_buf_reset(&out->path);
    if ((rc = check_region(options->region, err)) != CS_OK ||
        (bucket.len > 0 && (rc = check_bucket(bucket, err)) != CS_OK))
        return rc;
    /* An endpoint of the operator's own is seldom reachable under more names than one. */
    out->path_style = options->path_style || own ||
                      !can_be_host(bucket.len > 0 ? bucket : CS_LIT("none"));
    if (own) {
        if ((rc = use_url(out, options->url, err)) != CS_OK)
            return rc;
    } else {
        if ((rc = check_fips(options, err)) != CS_OK)
            return rc;
        cs_buf_add(&out->origin, CS_LIT("https://"));
        if (bucket.len > 0 && !out->path_style) {
            cs_buf_add(&out->origin, bucket);
            cs_buf_add_byte(&out->origin, '.');
        }
        if (options->service == CS_AWS_S3)
            add_s3_host(&out->origin, options);
        else
            add_host(&out->origin, options);
    }
    if (bucket.len > 0 && out->path_style) {
        cs_buf_add_byte(&out->path, '/');
        cs_buf_add(&out->path, bucket);
    }
    if ((rc = cs_buf_check(&out->origin, err)) != CS_OK)
        return rc;
    return cs_buf_check(&out->path, err);
}
