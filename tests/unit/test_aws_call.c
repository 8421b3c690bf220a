#include "config.h"

#include "unit.h"

#include <signal.h>

#include "fake_aws.h"
#include "json/tree.h"

struct bench {
    struct fake_aws fake;
    struct cs_aws_call call;
    struct cs_net_response response;
    struct cs_aws_error error;
    struct cs_aws_endpoint other; /* of another region */
    unsigned moves;
};

static void start(struct bench *b, const struct cs_retry_policy *policy)
{
    memset(b, 0, sizeof(*b));
    fake_aws_init(&b->fake, policy);
    cs_net_response_init(&b->response, 1u << 20);
    cs_aws_error_init(&b->error);
    cs_aws_endpoint_init(&b->other);
}

static void stop(struct bench *b)
{
    cs_net_response_clear(&b->response);
    cs_aws_error_clear(&b->error);
    cs_aws_endpoint_clear(&b->other);
    fake_aws_clear(&b->fake);
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    start(b, NULL);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    stop(b);
    free(b);
    return 0;
}

static enum cs_code perform(struct bench *b, const struct fake_answer *script,
                            struct cs_err *err)
{
    fake_aws_play(&b->fake, script);
    b->call.service = CS_AWS_S3;
    b->call.operation = "PutObject";
    b->call.subject = CS_LIT("k");
    b->call.endpoint = &b->fake.endpoint;
    b->call.region = CS_LIT("eu-central-1");
    b->call.method = "PUT";
    b->call.path = CS_LIT("/k");
    b->call.body =
        (struct cs_net_body){.kind = CS_NET_BODY_BYTES, .bytes = CS_LIT("the body")};
    b->call.payload = CS_LIT(CS_SIGV4_UNSIGNED);
    if (b->call.deadline.at_us == 0)
        b->call.deadline = cs_deadline_in_ms(60000);
    b->call.response = &b->response;
    b->call.error = &b->error;
    return cs_aws_perform(b->fake.aws, &b->call, err);
}

static const char slow_down[] = "<Error><Code>SlowDown</Code></Error>";

static void test_passing_faults_are_overcome(void **state)
{
    static const struct fake_answer script[] = {
        {503, "", slow_down, FAKE_KEEP, 0},
        {FAKE_NO_ANSWER, NULL, NULL, FAKE_RESET, 0},
        {500, "Content-Type: text/html\r\n", "<html>", FAKE_CLOSE, 0},
        {200, "x-amz-request-id: R1\r\n", "done", FAKE_KEEP, 0},
        {0},
    };
    struct bench *b = *state;

    assert_ok(perform(b, script, err));
    /* the reset met a kept connection: its replacement is no attempt */
    assert_int_equal(b->call.attempts, 3);
    assert_view(cs_buf_view(&b->response.body), "done");
    assert_int_equal(fake_aws_saw(&b->fake, "the body"), 4);
    assert_int_equal(b->fake.counts.retries, 2);
    assert_int_equal(b->fake.counts.throttled, 1);
}

static void test_lasting_faults_are_reported(void **state)
{
    static const struct {
        struct fake_answer answer;
        enum cs_code code;
        unsigned attempts;
    } cases[] = {
        {{403, "", "<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
          FAKE_KEEP, 9},
         CS_EDENIED,
         1},
        {{404, "", "<Error><Code>NoSuchKey</Code></Error>", FAKE_KEEP, 9},
         CS_ENOTFOUND,
         1},
        {{503, "", slow_down, FAKE_KEEP, 9}, CS_EBUSY, 4},
        {{500, "", "", FAKE_KEEP, 9}, CS_EUPSTREAM, 4},
        {{FAKE_NO_ANSWER, NULL, NULL, FAKE_RESET, 9}, CS_EUPSTREAM, 4},
        {{307, "Location: http://127.0.0.1:1/\r\n", "", FAKE_KEEP, 9}, CS_EUPSTREAM, 1},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        const struct fake_answer script[] = {cases[i].answer, {0}};
        struct cs_err why = CS_ERR_NONE;

        assert_int_equal(perform(b, script, &why), cases[i].code);
        assert_int_equal(b->call.attempts, cases[i].attempts);
        assert_int_equal(why.code, cases[i].code);
        assert_true(why.text[0] != '\0');
    }
}

static void test_the_deadline_holds(void **state)
{
    static const struct fake_answer later[] = {
        {503, "Retry-After: 15\r\n", slow_down, FAKE_KEEP, 9}, {0}};
    static const struct fake_answer silent[] = {
        {FAKE_NO_ANSWER, NULL, NULL, FAKE_HANG, 9}, {0}};
    struct bench *b = *state;
    struct cs_err why = CS_ERR_NONE;
    int64_t started = cs_clock_monotonic_us();

    /* told to come back after the deadline: no use in waiting */
    b->call.deadline = cs_deadline_in_ms(14000);
    assert_int_equal(perform(b, later, &why), CS_EBUSY);
    assert_int_equal(why.retry_after_s, 15);
    assert_int_equal(b->call.attempts, 1);
    b->call.deadline = cs_deadline_in_ms(200);
    assert_int_equal(perform(b, silent, NULL), CS_ETIMEOUT);
    assert_true(cs_clock_monotonic_us() - started < 14 * CS_SECOND_US);
}

/* How often a call is sent before it fails, and that it is when it may be. */
static void test_attempts_of_the_vectors(void **state)
{
    struct cs_json *root;
    const struct cs_json *rows;
    struct cs_buf text;

    (void)state;
    unit_read_vector(&text, "retry/standard-retry.json");
    assert_ok(cs_json_parse(&root, cs_buf_view(&text), NULL, err));
    rows = cs_json_get(cs_json_at(cs_json_get(root, "profiles"), 0), "max_attempts");
    assert_int_equal(cs_json_length(rows), 3);
    for (size_t i = 0; i < cs_json_length(rows); i++) {
        const struct cs_json *row = cs_json_at(rows, i);
        bool retry = cs_json_bool(cs_json_get(row, "retry"), false);
        struct cs_retry_policy policy = {.base_us = 1000, .cap_us = 1000};
        struct fake_answer script[] = {{503, "", "", FAKE_KEEP, 0}, {.status = 0}};
        struct bench b;
        int64_t attempt = 0;
        int64_t max = 0;

        assert_true(cs_json_integer(cs_json_get(row, "attempt"), &attempt));
        assert_true(cs_json_integer(cs_json_get(row, "max_attempts"), &max));
        policy.max_attempts = (unsigned)max;
        script[0].times = (unsigned)attempt; /* the next one would succeed */
        start(&b, &policy);
        assert_int_equal(perform(&b, script, NULL) == CS_OK, retry);
        assert_int_equal(b.call.attempts, attempt + retry);
        stop(&b);
    }
    cs_json_free(root);
    cs_buf_clear(&text);
}

static void test_retry_after_is_heeded(void **state)
{
    static const struct fake_answer script[] = {
        {503, "Retry-After: 1\r\n", slow_down, FAKE_KEEP, 0}, {0}};
    struct bench *b = *state;
    int64_t started = cs_clock_monotonic_us();
    struct cs_view dates[2];
    struct cs_view seen;

    assert_ok(perform(b, script, err));
    assert_true(cs_clock_monotonic_us() - started >= CS_SECOND_US);
    /* and each attempt is signed when it is made */
    seen = cs_buf_view(&b->fake.seen);
    for (size_t i = 0; i < CS_COUNT(dates); i++) {
        size_t at = cs_view_find(seen, CS_LIT("X-Amz-Date: "));

        assert_true(at != SIZE_MAX);
        seen = cs_view_from(seen, at + strlen("X-Amz-Date: "));
        dates[i] = cs_view_sub(seen, 0, CS_SIGV4_DATE_LEN);
    }
    assert_false(cs_view_eq(dates[0], dates[1]));
}

static void test_the_bucket_runs_dry(void **state)
{
    static const struct fake_answer down[] = {{500, "", "", FAKE_KEEP, 10000}, {0}};
    struct bench *b = *state;
    unsigned attempts = 0;

    for (int i = 0; i < 60; i++) {
        assert_int_equal(perform(b, down, NULL), CS_EUPSTREAM);
        attempts += b->call.attempts;
    }
    /* 60 first attempts, and 500 tokens at 5 each */
    assert_int_equal(attempts, 60 + 100);
}

static void test_skewed_clock(void **state)
{
    static const int64_t offsets_s[] = {3600, -3600};
    struct bench *b = *state;
    char date[CS_HTTP_DATE_LEN + 1];
    char headers[64];
    const struct fake_answer script[] = {
        {403, headers, "<Error><Code>RequestTimeTooSkewed</Code></Error>", FAKE_KEEP, 0},
        {200, "", "", FAKE_KEEP, 0},
        {403, headers, "<Error><Code>SignatureDoesNotMatch</Code></Error>", FAKE_KEEP, 9},
        {0}};

    for (size_t i = 0; i < CS_COUNT(offsets_s); i++) {
        b->fake.clock_offset_us = offsets_s[i] * CS_SECOND_US;
        cs_time_http_date(date, cs_clock_now_us());
        assert_true(snprintf(headers, sizeof(headers), "Date: %s\r\n", date) > 0);
        assert_ok(perform(b, script, err));
        assert_int_equal(b->call.attempts, 2);
        assert_in_range(cs_aws_now_us(b->fake.aws), cs_clock_now_us() - 60 * CS_SECOND_US,
                        cs_clock_now_us() + 60 * CS_SECOND_US);
        /* with the clocks at one, a refused signature is what it says */
        fake_aws_play(&b->fake, NULL);
        assert_int_equal(perform(b, script + 2, NULL), CS_EDENIED);
        assert_int_equal(b->call.attempts, 1);
    }
}

static void test_a_clock_that_is_never_right(void **state)
{
    struct bench *b = *state;
    char date[CS_HTTP_DATE_LEN + 1];
    char headers[64];
    const struct fake_answer always[] = {
        {403, headers, "<Error><Code>RequestTimeTooSkewed</Code></Error>", FAKE_KEEP, 9},
        {0}};

    cs_time_http_date(date, cs_clock_now_us());
    assert_true(snprintf(headers, sizeof(headers), "Date: %s\r\n", date) > 0);
    assert_int_not_equal(perform(b, always, NULL), CS_OK);
    assert_int_equal(b->call.attempts, 2);
}

/* Whatever the service says: a refusal far from our clock is a matter of clocks. */
static void test_hidden_skew(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum cs_code code;
    } cases[] = {
        {403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", CS_OK},
        {403, "<Error><Code>AccessDenied</Code></Error>", CS_OK},
        {403, "", CS_OK},
        {400, "{\"__type\":\"InvalidSignatureException\"}", CS_OK},
        {400, "", CS_OK},
        {403, "<Error><Code>InvalidAccessKeyId</Code></Error>", CS_EDENIED},
        {409, "", CS_EUPSTREAM},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        char date[CS_HTTP_DATE_LEN + 1];
        char headers[64];
        const struct fake_answer script[] = {
            {cases[i].status, headers, cases[i].body, FAKE_KEEP, 0}, {0}};
        struct bench b;

        start(&b, NULL);
        b.fake.clock_offset_us = 3600 * CS_SECOND_US;
        cs_time_http_date(date, cs_clock_now_us());
        assert_true(snprintf(headers, sizeof(headers), "Date: %s\r\n", date) > 0);
        assert_int_equal(perform(&b, script, NULL), cases[i].code);
        assert_int_equal(b.call.attempts, cases[i].code == CS_OK ? 2 : 1);
        stop(&b);
    }
}

/* What an earlier attempt met is not said of the call. */
static void test_an_error_that_was_overcome(void **state)
{
    static const struct fake_answer overcome[] = {{503, "", slow_down, FAKE_KEEP, 0},
                                                  {0}};
    static const struct fake_answer lost[] = {{503, "", slow_down, FAKE_CLOSE, 0},
                                              {FAKE_NO_ANSWER, NULL, NULL, FAKE_RESET, 9},
                                              {0}};
    struct bench *b = *state;
    struct cs_err why = CS_ERR_NONE;

    assert_ok(perform(b, overcome, err));
    assert_int_equal(b->call.attempts, 2);
    assert_null(cs_aws_error_text(b->call.error, CS_AWS_ERROR_CODE).ptr);
    assert_int_equal(perform(b, lost, &why), CS_EUPSTREAM);
    assert_null(cs_aws_error_text(b->call.error, CS_AWS_ERROR_CODE).ptr);
    assert_null(strstr(why.text, "SlowDown"));
}

static bool is_sound(const struct cs_aws_call *call)
{
    return !cs_view_eq(cs_buf_view(&call->response->body), CS_LIT("damaged"));
}

static void test_a_damaged_answer(void **state)
{
    static const struct fake_answer once[] = {{200, "", "damaged", FAKE_KEEP, 0}, {0}};
    static const struct fake_answer always[] = {{200, "", "damaged", FAKE_KEEP, 9}, {0}};
    struct bench *b = *state;
    struct cs_err why = CS_ERR_NONE;

    b->call.is_sound = is_sound;
    assert_ok(perform(b, once, err));
    assert_int_equal(b->call.attempts, 2);
    assert_int_equal(perform(b, always, &why), CS_EUPSTREAM);
    assert_int_equal(b->call.attempts, 4);
    assert_string_equal(why.reason, "answer_damaged");
    assert_string_equal(
        why.text, "S3 PutObject: the answer is not the service's, or was damaged on its "
                  "way");
}

/* Waits are drawn from all of their range. */
static void test_own_random_numbers(void **state)
{
    struct bench *b = *state;
    const struct cs_aws_options options = {.net = b->fake.net,
                                           .credentials = b->fake.credentials};
    struct cs_aws *aws = cs_aws_new(&options);
    double least = 1;
    double most = 0;

    assert_non_null(aws);
    for (int i = 0; i < 1000; i++) { /* all in one half: once in 2^1000 */
        double drawn = cs_aws_random(aws);

        least = drawn < least ? drawn : least;
        most = drawn > most ? drawn : most;
    }
    assert_true(least >= 0 && least < 0.5);
    assert_true(most >= 0.5 && most < 1);
    cs_aws_free(aws);
}

static bool move(struct cs_aws_call *call, struct cs_view region)
{
    struct bench *b = call->owner;
    const struct cs_aws_endpoint_options options = {
        .service = CS_AWS_S3, .region = region, .url = cs_view_cstr(b->fake.url)};

    b->moves++;
    call->region = CS_LIT("eu-west-3");
    call->endpoint = &b->other;
    return cs_aws_endpoint_make(&b->other, &options, NULL) == CS_OK;
}

static void test_wrong_region(void **state)
{
    static const struct fake_answer script[] = {
        {400, "",
         "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></"
         "Error>",
         FAKE_KEEP, 2},
        {0}};
    static const struct fake_answer redirect[] = {
        {301, "x-amz-bucket-region: eu-west-3\r\nLocation: http://127.0.0.1:1/\r\n", "",
         FAKE_KEEP, 0},
        {0}};
    struct bench *b = *state;

    assert_int_equal(perform(b, redirect, NULL), CS_EUPSTREAM); /* nobody to move it */
    b->call.relocate = move;
    b->call.owner = b;
    assert_ok(perform(b, redirect, err));
    assert_int_equal(b->moves, 1);
    assert_int_equal(fake_aws_saw(&b->fake, "/eu-west-3/s3/aws4_request"), 1);
    assert_int_equal(perform(b, script, NULL), CS_EUPSTREAM); /* once alone */
    assert_int_equal(b->call.attempts, 2);
}

static void test_expired_credentials(void **state)
{
    static const struct fake_answer script[] = {
        {400, "", "{\"__type\":\"ExpiredTokenException\"}", FAKE_KEEP, 0}, {0}};
    static const struct fake_answer always[] = {
        {400, "", "{\"__type\":\"ExpiredTokenException\"}", FAKE_KEEP, 9}, {0}};
    struct bench *b = *state;

    assert_ok(perform(b, script, err));
    assert_int_equal(b->call.attempts, 2);
    assert_int_equal(perform(b, always, NULL), CS_EUPSTREAM);
    assert_int_equal(b->call.attempts, 2);
}

static void test_no_credentials(void **state)
{
    struct bench *b = *state;
    struct cs_err why = CS_ERR_NONE;

    b->fake.access_key = NULL;
    assert_int_equal(perform(b, NULL, &why), CS_EUNAUTH);
    assert_string_equal(why.reason, "credentials_incomplete");
    assert_int_equal(fake_http_requests(b->fake.server), 0);
}

static void test_error_in_200(void **state)
{
    static const struct fake_answer script[] = {{200, "", slow_down, FAKE_KEEP, 0}, {0}};
    struct bench *b = *state;

    b->call.error_in_200 = true;
    assert_ok(perform(b, script, err));
    assert_int_equal(b->call.attempts, 2);
}

static void test_many(void **state)
{
    enum { N = 30 };
    static const struct fake_answer script[] = {
        {503, "", slow_down, FAKE_KEEP, 0},
        {200, "", "x", FAKE_KEEP, 4},
        {FAKE_NO_ANSWER, NULL, NULL, FAKE_RESET, 2},
        {0}};
    struct bench *b = *state;
    struct cs_aws_call calls[N];
    struct cs_aws_call *pointers[N];
    struct cs_net_response responses[N];
    struct cs_aws_error *errors = calloc(N, sizeof(*errors));

    assert_non_null(errors);
    assert_ok(perform(b, NULL, err)); /* fills the model call */
    fake_aws_play(&b->fake, script);
    for (size_t i = 0; i < N; i++) {
        calls[i] = b->call;
        cs_net_response_init(&responses[i], 1000);
        cs_aws_error_init(&errors[i]);
        calls[i].response = &responses[i];
        calls[i].error = &errors[i];
        pointers[i] = &calls[i];
    }
    cs_aws_perform_many(b->fake.aws, pointers, N, 6, NULL);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(calls[i].code, CS_OK);
        cs_net_response_clear(&responses[i]);
        cs_aws_error_clear(&errors[i]);
    }
    free(errors);
}

static void test_presigned(void **state)
{
    struct bench *b = *state;
    struct cs_buf url = CS_BUF_INIT(4096);
    int64_t before_us = cs_clock_now_us();
    int64_t expires_at_us = 0;
    struct cs_aws_presign what = {.service = CS_AWS_S3,
                                  .endpoint = &b->fake.endpoint,
                                  .region = CS_LIT("eu-central-1"),
                                  .method = "GET",
                                  .path = CS_LIT("/outputs/a%20b"),
                                  .query = CS_LIT("versionId=7"),
                                  .ttl_s = 60,
                                  .deadline = cs_deadline_in_ms(60000)};

    assert_ok(cs_aws_presign(b->fake.aws, &what, &url, &expires_at_us, err));
    assert_memory_equal(url.ptr, b->fake.url, strlen(b->fake.url));
    assert_non_null(strstr(url.ptr, "/outputs/a%20b?X-Amz-Algorithm="));
    assert_non_null(strstr(url.ptr, "&X-Amz-Expires=60&"));
    assert_non_null(strstr(url.ptr, "&versionId=7&X-Amz-Signature="));
    assert_in_range(expires_at_us, before_us + 59 * CS_SECOND_US,
                    cs_clock_now_us() + 60 * CS_SECOND_US);
    for (what.ttl_s = 0; what.ttl_s <= 604801; what.ttl_s += 604801) {
        assert_int_equal(cs_aws_presign(b->fake.aws, &what, &url, &expires_at_us, NULL),
                         CS_EINVAL);
        assert_int_equal(expires_at_us, 0);
    }
    cs_buf_clear(&url);
}

static const char *temporary(const void *payload, const char *name)
{
    const struct fake_aws *fake = payload;

    if (strcmp(name, "AWS_CONTAINER_CREDENTIALS_FULL_URI") == 0)
        return fake->url;
    return strcmp(name, "AWS_EC2_METADATA_DISABLED") == 0 ? "true" : NULL;
}

/* A link lives no longer than the credentials that signed it, and says so. */
static void test_presigned_by_temporary_credentials(void **state)
{
    struct bench *b = *state;
    char end[CS_TIME_TEXT_LEN + 1];
    char keys[512];
    const struct fake_answer script[] = {{200, "", keys, FAKE_KEEP, 0}, {0}};
    const struct cs_aws_credentials_options options = {.net = b->fake.net,
                                                       .setting = temporary,
                                                       .payload = &b->fake,
                                                       .region = CS_LIT("eu-central-1")};
    struct cs_aws_options aws_options = {.net = b->fake.net,
                                         .credentials = cs_aws_credentials_new(&options),
                                         .retry = CS_RETRY_STANDARD};
    struct cs_aws_presign what = {.service = CS_AWS_S3,
                                  .endpoint = &b->fake.endpoint,
                                  .region = CS_LIT("eu-central-1"),
                                  .method = "GET",
                                  .path = CS_LIT("/outputs/a"),
                                  .ttl_s = (int64_t)7 * 24 * 3600,
                                  .deadline = cs_deadline_in_ms(60000)};
    struct cs_aws *aws;
    struct cs_buf url = CS_BUF_INIT(4096);
    int64_t end_us = cs_clock_now_us() + (int64_t)3600 * CS_SECOND_US;
    int64_t expires_at_us = 0;

    assert_non_null(aws_options.credentials);
    aws = cs_aws_new(&aws_options);
    assert_non_null(aws);
    cs_time_text(end, end_us);
    assert_true(snprintf(keys, sizeof(keys),
                         "{\"AccessKeyId\":\"ASIATEST\",\"SecretAccessKey\":\"s\","
                         "\"Token\":\"t\",\"Expiration\":\"%s\"}",
                         end) > 0);
    fake_aws_play(&b->fake, script);
    assert_ok(cs_aws_presign(aws, &what, &url, &expires_at_us, err));
    assert_in_range(expires_at_us, end_us - 60 * CS_SECOND_US, end_us);
    assert_null(strstr(url.ptr, "X-Amz-Expires=604800"));
    assert_non_null(strstr(url.ptr, "X-Amz-Security-Token=t&"));
    /* and no longer than was asked for */
    cs_buf_reset(&url);
    what.ttl_s = 60;
    assert_ok(cs_aws_presign(aws, &what, &url, &expires_at_us, err));
    assert_non_null(strstr(cs_buf_cstr(&url), "X-Amz-Expires=60&"));
    assert_true(expires_at_us < end_us - 60 * CS_SECOND_US);
    cs_buf_clear(&url);
    cs_aws_free(aws);
    cs_aws_credentials_free(aws_options.credentials);
}

/* So that no policy lacks what is called. */
static void test_only_listed_operations_are_called(void **state)
{
    static const struct fake_answer script[] = {{0}};
    struct bench *b = *state;
    struct cs_err why = CS_ERR_NONE;

    assert_ok(perform(b, script, err));
    b->call.operation = "PutBucketPolicy";
    cs_buf_reset(&b->fake.seen);
    assert_int_equal(cs_aws_perform(b->fake.aws, &b->call, &why), CS_EINTERNAL);
    assert_non_null(strstr(why.text, "PutBucketPolicy"));
    assert_int_equal(b->fake.seen.len, 0);
}

static void test_the_permission_that_lacks_is_named(void **state)
{
    static const struct {
        const char *body;
        const char *said;
        const char *not_said; /* NULL: nothing */
    } cases[] = {
        {"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
         "(the IAM permission s3:PutObject is needed)", NULL},
        {"", "(the IAM permission s3:PutObject is needed)", NULL},
        {"<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/u is not "
         "authorized to perform: kms:GenerateDataKey</Message></Error>",
         "kms:GenerateDataKey", "s3:PutObject"},
        {"<Error><Code>InvalidAccessKeyId</Code></Error>", "InvalidAccessKeyId",
         "IAM permission"},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        const struct fake_answer script[] = {{403, "", cases[i].body, FAKE_KEEP, 1}, {0}};
        struct cs_err why = CS_ERR_NONE;

        assert_int_equal(perform(b, script, &why), CS_EDENIED);
        assert_non_null(strstr(why.text, cases[i].said));
        if (cases[i].not_said != NULL)
            assert_null(strstr(why.text, cases[i].not_said));
    }
}

#define with_bench(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_bench(test_lasting_faults_are_reported),
        with_bench(test_no_credentials),
        with_bench(test_the_deadline_holds),
        with_bench(test_the_bucket_runs_dry),
        with_bench(test_passing_faults_are_overcome),
        cmocka_unit_test(test_attempts_of_the_vectors),
        with_bench(test_retry_after_is_heeded),
        with_bench(test_skewed_clock),
        with_bench(test_a_clock_that_is_never_right),
        cmocka_unit_test(test_hidden_skew),
        with_bench(test_an_error_that_was_overcome),
        with_bench(test_a_damaged_answer),
        with_bench(test_own_random_numbers),
        with_bench(test_wrong_region),
        with_bench(test_expired_credentials),
        with_bench(test_error_in_200),
        with_bench(test_many),
        with_bench(test_presigned),
        with_bench(test_presigned_by_temporary_credentials),
        with_bench(test_the_permission_that_lacks_is_named),
        with_bench(test_only_listed_operations_are_called),
    };

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
