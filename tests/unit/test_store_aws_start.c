/* What the AWS store says of settings that can't be, and of services that do not answer.
 */
#include "config.h"

#include "unit.h"

#include <signal.h>

#include "base/clock.h"
#include "fake_http.h"
#include "store/store_aws.h"

struct settings {
    const char *first;          /* "NAME=value", in place of the usual one; or NULL */
    const char *bucket, *table; /* NULL: good ones */
    char s3[64];
    char dynamodb[64];
};

static const char *value_of(const char *text, const char *name)
{
    size_t len = strlen(name);

    return text != NULL && strncmp(text, name, len) == 0 && text[len] == '='
               ? text + len + 1
               : NULL;
}

static const char *setting(const void *payload, const char *name)
{
    const struct settings *settings = payload;
    const char *const texts[] = {settings->first,
                                 settings->s3,
                                 settings->dynamodb,
                                 "AWS_REGION=ca-central-1",
                                 "AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
                                 "AWS_SECRET_ACCESS_KEY=test-secret"};
    const char *value = NULL;

    for (size_t i = 0; i < CS_COUNT(texts) && value == NULL; i++)
        value = value_of(texts[i], name);
    return value;
}

static struct cs_store *store_of(const struct settings *settings, struct cs_err *err)
{
    const struct cs_store_aws_options options = {
        .bucket_name = settings->bucket != NULL ? settings->bucket : "outputs",
        .table_name = settings->table != NULL ? settings->table : "campaigns",
        .setting = setting,
        .payload = settings};

    return cs_store_aws_new(&options, err);
}

/* It is told when the store is made, and by the name of the setting. */
static void test_settings(void **state)
{
    static const char *const bad[] = {
        "AWS_ENDPOINT_URL=127.0.0.1:9000",
        "AWS_ENDPOINT_URL_S3=s3.example.com",
        "AWS_ENDPOINT_URL_STS=https://",
        "AWS_ENDPOINT_URL_DYNAMODB=http://a b",
        "S3_PUBLIC_ENDPOINT_URL=ftp://host",
        "AWS_REGION=Canada Central",
        "AWS_USE_FIPS_ENDPOINT=maybe",
        "AWS_USE_DUALSTACK_ENDPOINT=2",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=never",
        "AWS_MAX_ATTEMPTS=0",
        "AWS_MAX_ATTEMPTS=many",
        "DYNAMODB_COUNTER_SHARDS=65",
        "S3_BUCKET_TAGS=team",
        "S3_BUCKET_TAGS=team=a,=b",
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        const struct settings settings = {.first = bad[i]};
        struct cs_err why = CS_ERR_NONE;

        assert_null(store_of(&settings, &why));
        assert_int_equal(why.code, CS_EINVAL);
        assert_non_null(value_of(bad[i], why.field));
        if (strstr(why.text, why.field) == NULL)
            fail_msg("\"%s\" does not name %s", why.text, why.field);
    }
}

static void test_names(void **state)
{
    static const char *const bad[] = {"", "ab", "a/b", "two words", "a:b:c"};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        const struct settings bucket = {.bucket = bad[i]};
        const struct settings table = {.table = bad[i]};
        struct cs_err why = CS_ERR_NONE;

        if (*bad[i] != '\0') {
            assert_null(store_of(&bucket, &why));
            assert_string_equal(why.field, "S3_BUCKET_NAME");
        }
        why = CS_ERR_NONE;
        assert_null(store_of(&table, &why));
        assert_string_equal(why.field, "DYNAMODB_TABLE_NAME");
    }
}

/* Links begin with the endpoint that counts. */
static void link_begins(const struct settings *settings, const char *origin)
{
    const struct cs_object_info info = {.key = CS_LIT("a/x")};
    struct cs_store *store = store_of(settings, NULL);
    struct cs_buf url = CS_BUF_INIT(16384);
    int64_t expires_us;

    assert_non_null(store);
    assert_ok(store->ops->url(store, &info, CS_LIT(""), 60, &url, &expires_us, err));
    if (!cs_view_starts(cs_buf_view(&url), cs_view_cstr(origin)))
        fail_msg("%s does not begin with %s", cs_buf_cstr(&url), origin);
    cs_buf_clear(&url);
    store->ops->free(store);
}

static void test_endpoints_ignored(void **state)
{
    struct settings settings = {.first = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false",
                                .s3 = "AWS_ENDPOINT_URL_S3=http://127.0.0.1:9000"};

    (void)state;
    link_begins(&settings, "http://127.0.0.1:9000/outputs/a/x?");
    settings.first = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true";
    link_begins(&settings, "https://outputs.s3.ca-central-1.amazonaws.com/a/x?");
}

static void hang(void *payload, const struct fake_request *request,
                 struct fake_reply *reply)
{
    (void)payload;
    (void)request;
    reply->then = FAKE_HANG;
}

static void answer(void *payload, const struct fake_request *request,
                   struct fake_reply *reply)
{
    (void)payload;
    (void)request;
    fake_reply_with(reply, 200, "", CS_LIT("{}"));
}

/* Health tells of S3 and of DynamoDB apart, also where one keeps us waiting. */
static void test_health_of_each(void **state)
{
    struct fake_http *silent = fake_http_new(hang, NULL);
    struct fake_http *good = fake_http_new(answer, NULL);
    struct settings settings = {.first = NULL};
    struct cs_store_health health;
    struct cs_store *store;

    (void)state;
    assert_true(snprintf(settings.s3, sizeof(settings.s3),
                         "AWS_ENDPOINT_URL_S3=http://127.0.0.1:%u",
                         fake_http_port(silent)) > 0);
    assert_true(snprintf(settings.dynamodb, sizeof(settings.dynamodb),
                         "AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:%u",
                         fake_http_port(good)) > 0);
    store = store_of(&settings, NULL);
    assert_non_null(store);
    store->ops->health(store, &health, cs_deadline_in_ms(4000));
    assert_false(health.objects_ok);
    assert_true(strlen(health.objects_text) > 0);
    assert_true(health.records_ok);
    assert_string_equal(health.records_text, "");
    store->ops->free(store);
    fake_http_free(good);
    fake_http_free(silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_endpoints_ignored),
        cmocka_unit_test(test_health_of_each),
    };

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
