#include "config.h"

#include "unit.h"

#include "aws/errors.h"
#include "aws/retry.h"
#include "aws/xml.h"
#include "base/clock.h"
#include "json/tree.h"

/* ---- XML ---- */

struct seen {
    struct cs_buf text;
    const char *stop_at;
};

static bool note(void *payload, struct cs_view path, struct cs_view text)
{
    struct seen *seen = payload;

    cs_buf_add_fmt(&seen->text, "%.*s=%.*s\n", CS_FMT(path), CS_FMT(text));
    return seen->stop_at == NULL || !cs_view_eq_cstr(path, seen->stop_at);
}

static void test_xml_refuses(void **state)
{
    static const char *const documents[] = {
        "",
        "text",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>",
        "<!DOCTYPE a SYSTEM \"file:///etc/hostname\"><a/>",
        "<a>&undefined;</a>",
        "<a>\xff</a>",
        "<1><2><3><4>",
        "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></"
        "a></a>"
        "</a></a></a></a></a></a></a></a></a>",
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(documents); i++) {
        struct seen seen = {.text = CS_BUF_INIT(4096)};

        assert_int_equal(cs_xml_read(cs_view_cstr(documents[i]), note, &seen, NULL),
                         CS_EUPSTREAM);
        cs_buf_clear(&seen.text);
    }
}

static bool stop_at_once(void *payload, struct cs_view path, struct cs_view text)
{
    (void)payload;
    (void)path;
    (void)text;
    return false;
}

/* Nobody asked for the end of an element that is too deep. */
static void test_xml_refused_stays_refused(void **state)
{
    struct cs_buf text = CS_BUF_INIT(1000);

    (void)state;
    for (unsigned i = 0; i < CS_XML_DEPTH_MAX; i++)
        cs_buf_add(&text, CS_LIT("<R>"));
    cs_buf_add(&text, CS_LIT("<R/>"));
    assert_int_equal(cs_xml_read(cs_buf_view(&text), stop_at_once, NULL, NULL),
                     CS_EUPSTREAM);
    cs_buf_clear(&text);
}

static void test_xml_reads(void **state)
{
    struct seen seen = {.text = CS_BUF_INIT(4096)};

    (void)state;
    assert_ok(
        cs_xml_read(CS_LIT("<?xml version=\"1.0\"?>\n<R xmlns=\"urn:x\"> <C><K>a&amp;b"
                           "&#xe9;</K><E/></C>\n<C><K>c<![CDATA[<d>]]></K></C></R>"),
                    note, &seen, err));
    assert_view(cs_buf_view(&seen.text), "R/C/K=a&b\xc3\xa9\nR/C/E=\nR/C=\n"
                                         "R/C/K=c<d>\nR/C=\nR=\n");
    cs_buf_reset(&seen.text);
    seen.stop_at = "R/A";
    assert_ok(cs_xml_read(CS_LIT("<R><A>1</A><B>2</B></broken>"), note, &seen, err));
    assert_view(cs_buf_view(&seen.text), "R/A=1\n");
    cs_buf_clear(&seen.text);
}

static void test_xml_escape(void **state)
{
    struct cs_buf out = CS_BUF_INIT(4096);

    (void)state;
    cs_xml_add(&out, "Key", cs_view_of("a<&>\"'\r\n\x01\xc3\xa9", 11));
    assert_view(cs_buf_view(&out), "<Key>a&lt;&amp;&gt;&quot;&apos;&#13;\n\xef\xbf\xbd"
                                   "\xc3\xa9</Key>");
    cs_buf_clear(&out);
}

/* ---- errors ---- */

static const struct {
    const char *name;
    enum cs_aws_retry retry;
} retry_names[] = {
    {"none", CS_AWS_RETRY_NONE},
    {"throttling", CS_AWS_RETRY_THROTTLING},
    {"transient", CS_AWS_RETRY_TRANSIENT},
    {"credentials-expired", CS_AWS_RETRY_CREDENTIALS},
    {"region-redirect", CS_AWS_RETRY_REGION},
    {"clock-skew", CS_AWS_RETRY_SKEW},
    {"transaction-conflict", CS_AWS_RETRY_TRANSACTION_CONFLICT},
    {"transaction-throttled", CS_AWS_RETRY_TRANSACTION_THROTTLED},
};

static const struct {
    const char *name;
    enum cs_aws_error_field field;
} fields[] = {
    {"code", CS_AWS_ERROR_CODE},
    {"message", CS_AWS_ERROR_MESSAGE},
    {"request_id", CS_AWS_ERROR_REQUEST_ID},
    {"host_id", CS_AWS_ERROR_HOST_ID},
    {"region", CS_AWS_ERROR_REGION},
    {"bucket_region", CS_AWS_ERROR_BUCKET_REGION},
    {"endpoint", CS_AWS_ERROR_ENDPOINT},
};

static void make_response(struct cs_net_response *response, int status, const char *body)
{
    cs_net_response_init(response, 1u << 20);
    response->status = status;
    cs_buf_add_cstr(&response->body, body);
}

static void load_case(struct cs_net_response *response, const struct cs_json *c)
{
    struct cs_json_iter iter = {0};
    struct cs_buf path = CS_BUF_INIT(4096);
    struct cs_buf body;
    int64_t status = 0;

    cs_buf_add_cstr(&path, "aws-errors/");
    cs_buf_add(&path, cs_json_get_string(c, "body_file"));
    unit_read_vector(&body, cs_buf_cstr(&path));
    assert_true(cs_json_integer(cs_json_get(c, "status"), &status));
    make_response(response, (int)status, cs_buf_cstr(&body));
    while (cs_json_next(&iter, cs_json_get(c, "headers")))
        cs_buf_add_fmt(&response->head, "%.*s: %.*s\r\n", CS_FMT(iter.name),
                       CS_FMT(cs_json_string(iter.value)));
    cs_buf_clear(&body);
    cs_buf_clear(&path);
}

static void check_fields(const struct cs_json *c, const struct cs_aws_error *error)
{
    const struct cs_json *expect = cs_json_get(c, "expect");
    struct cs_view name = cs_json_get_string(c, "body_file");

    for (size_t i = 0; i < CS_COUNT(fields); i++) {
        struct cs_view got = cs_aws_error_text(error, fields[i].field);
        struct cs_view expected = cs_json_get_string(expect, fields[i].name);
        /* code and message are always told, the others where it matters */
        bool told = expected.ptr != NULL || i < 2;

        if (told &&
            (!cs_view_eq(got, expected) || (got.ptr == NULL) != (expected.ptr == NULL)))
            fail_msg("%.*s: %s is \"%.*s\", not \"%.*s\"", CS_FMT(name), fields[i].name,
                     CS_FMT(got), CS_FMT(expected));
    }
}

static void check_class(const struct cs_json *c, const struct cs_aws_error *error)
{
    const struct cs_json *expect = cs_json_get(c, "expect");
    struct cs_view wanted = cs_json_get_string(expect, "retry");
    const struct cs_json *codes = cs_json_get(expect, "cancellation_codes");
    bool known = false;

    for (size_t i = 0; i < CS_COUNT(retry_names); i++) {
        if (!cs_view_eq_cstr(wanted, retry_names[i].name))
            continue;
        known = true;
        if (error->retry != retry_names[i].retry)
            fail_msg("%.*s: class %d, not %s", CS_FMT(cs_json_get_string(c, "body_file")),
                     (int)error->retry, retry_names[i].name);
    }
    assert_true(known);
    assert_int_equal(error->reason_count, cs_json_length(codes));
    for (size_t i = 0; i < error->reason_count; i++)
        assert_true(cs_view_eq(cs_aws_error_reason(error, i),
                               cs_json_string(cs_json_at(codes, i))));
}

static void check_item(const struct cs_json *c, const struct cs_aws_error *error)
{
    const struct cs_json *item = cs_json_get(cs_json_get(c, "expect"), "item");
    struct cs_view got = cs_aws_error_text(error, CS_AWS_ERROR_ITEM);
    struct cs_buf texts[2] = {CS_BUF_INIT(4096), CS_BUF_INIT(4096)};
    struct cs_json *read;

    if (item == NULL)
        return;
    assert_ok(cs_json_parse(&read, got, NULL, err));
    cs_json_write_node(&texts[0], read);
    cs_json_write_node(&texts[1], item);
    assert_view(cs_buf_view(&texts[0]), cs_buf_cstr(&texts[1]));
    cs_buf_clear(&texts[0]);
    cs_buf_clear(&texts[1]);
    cs_json_free(read);
}

/* The status is the answer's; an error that came with 200 is told as one with the status
 * that S3 would have given it. */
static void check_status(const struct cs_json *c, const struct cs_aws_error *error)
{
    const struct cs_json *expect = cs_json_get(c, "expect");
    struct cs_err why = CS_ERR_NONE;
    int64_t status = 0;

    assert_true(cs_json_integer(cs_json_get(c, "status"), &status));
    assert_int_equal(error->status, status);
    if (cs_json_has(expect, "treat_as_status"))
        assert_true(cs_aws_error_report(error, "S3 CopyObject", &why) == CS_EBUSY ||
                    why.code == CS_EUPSTREAM);
}

/* So that no expectation is passed over. */
static void check_members(const struct cs_json *c)
{
    static const char *const others[] = {"retry",           "cancellation_codes", "item",
                                         "status_as_given", "treat_as_status",    "note"};
    struct cs_json_iter iter = {0};

    while (cs_json_next(&iter, cs_json_get(c, "expect"))) {
        bool known = false;

        for (size_t i = 0; i < CS_COUNT(fields); i++)
            known = known || cs_view_eq_cstr(iter.name, fields[i].name);
        for (size_t i = 0; i < CS_COUNT(others); i++)
            known = known || cs_view_eq_cstr(iter.name, others[i]);
        if (!known)
            fail_msg("nothing looks at \"%.*s\"", CS_FMT(iter.name));
    }
}

static void test_error_vectors(void **state)
{
    struct cs_json *root;
    const struct cs_json *cases;
    struct cs_aws_error error;
    struct cs_buf text;

    (void)state;
    cs_aws_error_init(&error);
    unit_read_vector(&text, "aws-errors/index.json");
    assert_ok(cs_json_parse(&root, cs_buf_view(&text), NULL, err));
    cases = cs_json_get(root, "cases");
    assert_int_equal(cs_json_length(cases), 55);
    for (size_t i = 0; i < cs_json_length(cases); i++) {
        const struct cs_json *c = cs_json_at(cases, i);
        struct cs_net_response response;

        load_case(&response, c);
        assert_ok(cs_aws_error_read(&error, &response, err));
        check_fields(c, &error);
        check_class(c, &error);
        check_item(c, &error);
        check_status(c, &error);
        check_members(c);
        cs_net_response_clear(&response);
    }
    cs_aws_error_clear(&error);
    cs_json_free(root);
    cs_buf_clear(&text);
}

static void test_broken_bodies(void **state)
{
    static const char *const bodies[] = {"<Error><Code>Slow",
                                         "<Error><Code>NoSuchKey</Code><Message>cut",
                                         "{\"__type\":\"Thrott",
                                         "{\"__type\":5,\"message\":[]}",
                                         "{}",
                                         "[]",
                                         "<html><body>busy</body></html>",
                                         "\xff\xfe",
                                         "{\"CancellationReasons\":[1,null,{}]}"};
    struct cs_aws_error error;

    (void)state;
    cs_aws_error_init(&error);
    for (size_t i = 0; i < CS_COUNT(bodies); i++) {
        struct cs_net_response response;

        make_response(&response, 503, bodies[i]);
        assert_ok(cs_aws_error_read(&error, &response, err));
        assert_null(cs_aws_error_text(&error, CS_AWS_ERROR_CODE).ptr);
        assert_int_equal(error.retry, CS_AWS_RETRY_TRANSIENT);
        cs_net_response_clear(&response);
    }
    cs_aws_error_clear(&error);
}

static void test_classes_beyond_the_vectors(void **state)
{
    static const struct {
        int status;
        const char *headers;
        const char *body;
        enum cs_aws_retry retry;
        enum cs_code report;
    } cases[] = {
        {403, "", "<Error><Code>RequestTimeTooSkewed</Code></Error>", CS_AWS_RETRY_SKEW,
         CS_EDENIED},
        {400, "",
         "{\"__type\":\"x#InvalidSignatureException\",\"message\":\"Signature expired: "
         "2\"}",
         CS_AWS_RETRY_SKEW, CS_EUPSTREAM},
        {301, "x-amz-bucket-region: eu-west-3\r\n", "", CS_AWS_RETRY_REGION,
         CS_EUPSTREAM},
        {400, "x-amz-bucket-region: eu-west-3\r\n", "", CS_AWS_RETRY_REGION,
         CS_EUPSTREAM},
        {307, "", "<Error><Code>TemporaryRedirect</Code></Error>", CS_AWS_RETRY_REGION,
         CS_EUPSTREAM},
        {400, "", "<Error><Code>ExpiredToken</Code></Error>", CS_AWS_RETRY_CREDENTIALS,
         CS_EUPSTREAM},
        {200, "", "<Error><Code>InternalError</Code></Error>", CS_AWS_RETRY_TRANSIENT,
         CS_EUPSTREAM},
        {403, "",
         "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>",
         CS_AWS_RETRY_NONE, CS_EDENIED},
        {412, "", "<Error><Code>PreconditionFailed</Code></Error>", CS_AWS_RETRY_NONE,
         CS_ECONFLICT},
        {416, "", "", CS_AWS_RETRY_NONE, CS_ERANGE},
        {501, "", "", CS_AWS_RETRY_NONE, CS_EUNSUPPORTED},
        {400, "", "{\"__type\":\"x#AccessDeniedException\"}", CS_AWS_RETRY_NONE,
         CS_EDENIED},
        {501, "", "<Error><Code>NotImplemented</Code></Error>", CS_AWS_RETRY_NONE,
         CS_EUNSUPPORTED},
        {503, "", "<Error><Code>SlowDown</Code></Error>", CS_AWS_RETRY_THROTTLING,
         CS_EBUSY},
        {400, "",
         "{\"__type\":\"TransactionCanceledException\",\"CancellationReasons\":["
         "{\"Code\":\"ThrottlingError\"},{\"Code\":\"TransactionConflict\"}]}",
         CS_AWS_RETRY_TRANSACTION_THROTTLED, CS_EBUSY},
    };
    struct cs_aws_error error;

    (void)state;
    cs_aws_error_init(&error);
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_err why = CS_ERR_NONE;
        struct cs_net_response response;

        make_response(&response, cases[i].status, cases[i].body);
        cs_buf_add_cstr(&response.head, cases[i].headers);
        assert_ok(cs_aws_error_read(&error, &response, err));
        assert_int_equal(error.retry, cases[i].retry);
        assert_int_equal(cs_aws_error_report(&error, "S3 GetObject", &why),
                         cases[i].report);
        assert_int_equal(why.upstream_status, cases[i].status);
        assert_non_null(strstr(why.text, "S3 GetObject"));
        cs_net_response_clear(&response);
    }
    cs_aws_error_clear(&error);
}

/* ---- retries ---- */

static const struct cs_json *standard_profile(struct cs_json **root)
{
    const struct cs_json *profile;
    struct cs_buf text;

    unit_read_vector(&text, "retry/standard-retry.json");
    assert_ok(cs_json_parse(root, cs_buf_view(&text), NULL, err));
    cs_buf_clear(&text);
    profile = cs_json_at(cs_json_get(*root, "profiles"), 0);
    assert_view(cs_json_get_string(profile, "name"), "standard");
    return profile;
}

static int number(const struct cs_json *object, const char *name)
{
    int64_t value = 0;

    (void)cs_json_integer(cs_json_get(object, name), &value);
    return (int)value;
}

static void check_detector(const struct cs_json *cases,
                           bool (*detector)(int status, struct cs_view code))
{
    assert_true(cs_json_length(cases) > 10);
    for (size_t i = 0; i < cs_json_length(cases); i++) {
        const struct cs_json *c = cs_json_at(cases, i);

        assert_int_equal(
            detector(number(c, "status"), cs_json_get_string(c, "error_code")),
            cs_json_bool(cs_json_get(c, "retryable"), false));
    }
}

static void test_detectors(void **state)
{
    struct cs_json *root;
    const struct cs_json *profile = standard_profile(&root);

    (void)state;
    check_detector(cs_json_get(profile, "throttling_responses"), cs_retry_is_throttling);
    check_detector(cs_json_get(profile, "transient_responses"), cs_retry_is_transient);
    cs_json_free(root);
}

static void test_backoff(void **state)
{
    const struct cs_retry_policy policy = CS_RETRY_STANDARD;
    struct cs_json *root;
    const struct cs_json *profile = standard_profile(&root);
    const struct cs_json *waits =
        cs_json_get(cs_json_get(profile, "backoff"), "with_rand_1");
    const struct cs_json *bounds = cs_json_get(cs_json_get(profile, "backoff"), "bounds");

    (void)state;
    assert_int_equal(policy.max_attempts, number(profile, "max_attempts_default"));
    for (size_t i = 0; i < cs_json_length(waits); i++) {
        int64_t seconds = 0;

        assert_true(cs_json_integer(cs_json_at(waits, i), &seconds));
        assert_int_equal(cs_retry_backoff_us(&policy, (unsigned)i + 1, 1.0),
                         seconds * CS_SECOND_US);
        assert_int_equal(cs_retry_backoff_us(&policy, (unsigned)i + 1, 0.0), 0);
    }
    assert_int_equal(cs_retry_backoff_us(&policy, 4000000000u, 1.0), 20 * CS_SECOND_US);
    for (size_t i = 0; i < cs_json_length(bounds); i++) {
        const struct cs_json *b = cs_json_at(bounds, i);

        for (double random = 0; random <= 1; random += 0.125) {
            int64_t wait_us =
                cs_retry_backoff_us(&policy, (unsigned)number(b, "attempt"), random);

            assert_in_range(wait_us, number(b, "min") * CS_SECOND_US,
                            number(b, "max") * CS_SECOND_US);
        }
    }
    cs_json_free(root);
}

/* Steps as {op, kind, outcome, amount, ok, left}. */
static void run_trace(const struct cs_json *trace)
{
    const struct cs_json *steps = cs_json_get(trace, "steps");
    struct cs_retry_bucket bucket = {number(trace, "capacity"),
                                     number(trace, "capacity")};
    int taken = 0;

    for (size_t i = 0; i < cs_json_length(steps); i++) {
        const struct cs_json *step = cs_json_at(steps, i);
        struct cs_view op = cs_json_get_string(step, "op");
        struct cs_view outcome = cs_json_get_string(step, "outcome");
        int cost = cs_view_eq(op, CS_LIT("acquire_amount")) ? number(step, "amount")
                   : cs_view_eq(cs_json_get_string(step, "kind"), CS_LIT("timeout"))
                       ? CS_RETRY_COST_TIMEOUT
                       : CS_RETRY_COST;

        if (!cs_view_eq(op, CS_LIT("release"))) {
            bool ok = cs_retry_take(&bucket, cost);

            assert_int_equal(ok, cs_json_bool(cs_json_get(step, "ok"), false));
            taken = ok ? cost : taken;
        } else if (cs_view_eq(outcome, CS_LIT("success-after-retry"))) {
            cs_retry_give(&bucket, taken);
        } else if (cs_view_eq(outcome, CS_LIT("success-without-retry"))) {
            cs_retry_give(&bucket, CS_RETRY_REWARD);
        }
        assert_int_equal(bucket.left, number(step, "left"));
    }
}

static void run_raw_trace(const struct cs_json *trace)
{
    const struct cs_json *steps = cs_json_get(trace, "steps");
    struct cs_retry_bucket bucket = {number(trace, "capacity"),
                                     number(trace, "capacity")};

    for (size_t i = 0; i < cs_json_length(steps); i++) {
        const struct cs_json *step = cs_json_at(steps, i);
        int64_t amount = 0;
        int64_t left = 0;

        assert_true(cs_json_integer(cs_json_at(step, 1), &amount));
        assert_true(cs_json_integer(cs_json_at(step, 3), &left));
        if (cs_view_eq(cs_json_string(cs_json_at(step, 0)), CS_LIT("acquire")))
            assert_int_equal(cs_retry_take(&bucket, (int)amount),
                             cs_json_bool(cs_json_at(step, 2), false));
        else
            cs_retry_give(&bucket, (int)amount);
        assert_int_equal(bucket.left, left);
    }
}

static void test_bucket(void **state)
{
    struct cs_json *root;
    const struct cs_json *profile = standard_profile(&root);
    const struct cs_json *traces = cs_json_get(profile, "bucket_traces");
    const struct cs_json *raw = cs_json_get(profile, "raw_bucket_traces");
    const struct cs_json *tokens = cs_json_get(profile, "token_bucket");

    (void)state;
    assert_int_equal(CS_RETRY_CAPACITY, number(tokens, "capacity"));
    assert_int_equal(CS_RETRY_COST, number(tokens, "cost_retry"));
    assert_int_equal(CS_RETRY_COST_TIMEOUT, number(tokens, "cost_retry_timeout"));
    assert_int_equal(cs_json_length(traces), 8);
    for (size_t i = 0; i < cs_json_length(traces); i++)
        run_trace(cs_json_at(traces, i));
    assert_int_equal(cs_json_length(raw), 5);
    for (size_t i = 0; i < cs_json_length(raw); i++)
        run_raw_trace(cs_json_at(raw, i));
    cs_json_free(root);
}

static void test_retry_after(void **state)
{
    static const struct {
        const char *header;
        int64_t seconds;
    } cases[] = {
        {"", 0},
        {"-5", 0},
        {"soon", 0},
        {"0", 0},
        {"7", 7},
        {"99999999999999", 86400},
        {"99999999999999999999999", 0},
        {"Sun, 06 Nov 1994 08:49:40 GMT", 3},
        {"Sun, 06 Nov 1994 08:49:30 GMT", 0},
        {"Sun, 06 Xxx 1994 08:49:40 GMT", 0},
        {"Sun, 06 anF 1994 08:49:40 GMT", 0},
        {"Sunday, 06-Nov-94 08:49:40 GMT", 0},
    };
    int64_t now_us = 0;

    (void)state;
    assert_ok(cs_time_parse(&now_us, CS_LIT("1994-11-06T08:49:37Z"), err));
    for (size_t i = 0; i < CS_COUNT(cases); i++)
        assert_int_equal(cs_retry_after_us(cs_view_cstr(cases[i].header), now_us),
                         cases[i].seconds * CS_SECOND_US);
}

static void test_regions_in_endpoints(void **state)
{
    static const char *const cases[][2] = {
        {"b.s3.eu-west-1.amazonaws.com", "eu-west-1"},
        {"b.s3-us-west-2.amazonaws.com", "us-west-2"},
        {"b.s3.amazonaws.com", "us-east-1"},
        {"b.s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"},
        {"b.s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"},
        {"b.s3-fips.dualstack.us-east-2.amazonaws.com", "us-east-2"},
        {"b.example.com", NULL},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_net_response response;
        struct cs_aws_error error;
        struct cs_view region;

        make_response(&response, 301, "");
        cs_buf_add_fmt(&response.body,
                       "<Error><Code>PermanentRedirect</Code><Endpoint>%s</Endpoint>"
                       "</Error>",
                       cases[i][0]);
        cs_aws_error_init(&error);
        assert_ok(cs_aws_error_read(&error, &response, err));
        assert_int_equal(error.retry, CS_AWS_RETRY_REGION);
        region = cs_aws_error_text(&error, CS_AWS_ERROR_BUCKET_REGION);
        if (cases[i][1] == NULL)
            assert_null(region.ptr);
        else
            assert_view(region, cases[i][1]);
        cs_aws_error_clear(&error);
        cs_net_response_clear(&response);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xml_refuses),
        cmocka_unit_test(test_xml_refused_stays_refused),
        cmocka_unit_test(test_xml_reads),
        cmocka_unit_test(test_xml_escape),
        cmocka_unit_test(test_regions_in_endpoints),
        cmocka_unit_test(test_broken_bodies),
        cmocka_unit_test(test_error_vectors),
        cmocka_unit_test(test_classes_beyond_the_vectors),
        cmocka_unit_test(test_detectors),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_retry_after),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
