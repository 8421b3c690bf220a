/* What signing a DynamoDB GetItem costs: nothing from the heap once the first is
 * done, nor does presigning, and not much beyond the digests that it is made of. With
 * CS_BENCH set it prints that, and holds it to twice the digests. */
#include "config.h"

#include "failing_malloc.h"
#include "unit.h"

#include "aws/signer.h"
#include "base/clock.h"

#define ROUNDS     50
#define REPEATS    400
#define BENCH_MAX  2.0
#define COUNT_FROM 1000000u

static const struct cs_view body =
    CS_LIT_INIT("{\"TableName\":\"campaigns\",\"ReturnConsumedCapacity\":\"TOTAL\","
                "\"ConsistentRead\":true,\"Key\":{\"campaign_id\":"
                "{\"S\":\"campaign_20241201_120000_123456\"}}}");

static const struct cs_signer_params params = {
    .access_key_id = CS_LIT_INIT("AKIDEXAMPLE"),
    .secret = CS_LIT_INIT("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    .region = CS_LIT_INIT("ca-central-1"),
    .service = CS_LIT_INIT("dynamodb"),
    .time_us = 1733054400000000,
};

static void sign(struct cs_signer *signer)
{
    static const struct cs_net_header headers[] = {
        {CS_LIT_INIT("Host"), CS_LIT_INIT("dynamodb.ca-central-1.amazonaws.com")},
        {CS_LIT_INIT("Content-Type"), CS_LIT_INIT("application/x-amz-json-1.0")},
        {CS_LIT_INIT("X-Amz-Target"), CS_LIT_INIT("DynamoDB_20120810.GetItem")},
    };
    struct cs_signer_headers added;
    uint8_t digest[CS_SHA256_LEN];
    char payload[CS_SHA256_HEX_LEN + 1];
    struct cs_sigv4_request request = {.method = CS_LIT("POST"),
                                       .path = CS_LIT("/"),
                                       .headers = headers,
                                       .header_count = CS_COUNT(headers),
                                       .path_rule = CS_SIGV4_PATH_NORMALIZE};

    assert_ok(cs_sha256_of(digest, body, err));
    cs_sha256_hex(payload, digest);
    request.payload = cs_view_of(payload, CS_SHA256_HEX_LEN);
    assert_ok(cs_signer_sign(signer, &params, &request, &added, err));
}

static void presign(struct cs_signer *signer, struct cs_buf *out)
{
    static const struct cs_net_header host = {
        CS_LIT_INIT("Host"), CS_LIT_INIT("outputs.s3.ca-central-1.amazonaws.com")};
    const struct cs_sigv4_request request = {.method = CS_LIT("GET"),
                                             .path = CS_LIT("/website/index.html"),
                                             .query = CS_LIT("versionId=1"),
                                             .headers = &host,
                                             .header_count = 1,
                                             .payload = CS_LIT(CS_SIGV4_UNSIGNED),
                                             .path_rule = CS_SIGV4_PATH_S3};

    cs_buf_reset(out);
    assert_ok(cs_signer_presign(signer, &params, &request, 3600, out, err));
}

/* The digests that a signature can't do without: of the body, of the canonical
 * request, and the HMAC of the string to sign. */
static void digest_alone(const struct cs_signer *signer)
{
    static const uint8_t key[CS_SIGV4_KEY_LEN] = {1};
    uint8_t digest[CS_SHA256_LEN];

    assert_ok(cs_sha256_of(digest, body, err));
    assert_ok(cs_sha256_of(digest, cs_signer_canonical_request(signer), err));
    assert_ok(cs_hmac_sha256(digest, cs_view_of(key, sizeof(key)),
                             cs_signer_string_to_sign(signer), err));
}

static void test_signing_takes_nothing_from_the_heap(void **state)
{
    struct cs_signer *signer = cs_signer_new();
    struct cs_buf url = CS_BUF_INIT(8192);

    (void)state;
    assert_non_null(signer);
    failing_libraries = true; /* what OpenSSL takes counts, too */
    if (!failing_works()) {
        cs_signer_free(signer);
        skip();
    }
    cs_buf_reserve(&url, 2048);
    sign(signer);
    presign(signer, &url);
    failing_left = COUNT_FROM;
    failing_armed = true;
    for (int i = 0; i < REPEATS; i++) {
        sign(signer);
        presign(signer, &url);
    }
    failing_armed = false;
    assert_int_equal(COUNT_FROM - failing_left, 0);
    cs_buf_clear(&url);
    cs_signer_free(signer);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void test_signing_costs_little_beyond_its_digests(void **state)
{
    struct cs_signer *signer = cs_signer_new();
    int64_t signing_us = INT64_MAX;
    int64_t digests_us = INT64_MAX;
    double ratio;

    (void)state;
    if (getenv("CS_BENCH") == NULL) {
        cs_signer_free(signer);
        skip();
    }
    assert_non_null(signer);
    sign(signer);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = cs_clock_monotonic_us();
        int64_t middle;

        for (int i = 0; i < REPEATS; i++)
            sign(signer);
        middle = cs_clock_monotonic_us();
        for (int i = 0; i < REPEATS; i++)
            digest_alone(signer);
        signing_us = least(signing_us, middle - start);
        digests_us = least(digests_us, cs_clock_monotonic_us() - middle);
    }
    ratio = (double)signing_us / (double)digests_us;
    (void)printf("signing a GetItem: %.2f us, its digests alone: %.2f us, ratio %.2f\n",
                 (double)signing_us / REPEATS, (double)digests_us / REPEATS, ratio);
    assert_true(ratio <= BENCH_MAX);
    cs_signer_free(signer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signing_takes_nothing_from_the_heap),
        cmocka_unit_test(test_signing_costs_little_beyond_its_digests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
