/* The IAM policy without memory: it is whole, or not there and an error says so. What
 * it says is for tests/e2e/test_aws_policy.py. */
#include "config.h"

#include "failing_malloc.h"
#include "store/store_aws.h"

static const char *setting(const void *payload, const char *name)
{
    (void)payload;
    if (strcmp(name, "AWS_REGION") == 0)
        return "cn-north-1";
    if (strcmp(name, "S3_KMS_KEY_ID") == 0)
        return "alias/store";
    return strcmp(name, "S3_BUCKET_TAGS") == 0 ? "team=a" : NULL;
}

static enum cs_code make(struct cs_buf *out, struct cs_err *err)
{
    const struct cs_store_aws_options options = {
        .bucket_name = "outputs", .table_name = "campaigns", .setting = setting};
    const struct cs_store_aws_grants grants = {.create = true, .operate = true};
    struct cs_store *store = cs_store_aws_new(&options, err);
    enum cs_code rc;

    if (store == NULL)
        return err->code;
    rc = cs_store_aws_policy(store, &grants, out, err);
    store->ops->free(store);
    return rc;
}

static void make_starved(void *payload, const bool *failed)
{
    const struct cs_buf *whole = payload;
    struct cs_buf text = CS_BUF_INIT(65536);
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = make(&text, &why);

    failing_armed = false;
    if (*failed) {
        assert_int_equal(rc, CS_ENOMEM);
        assert_int_equal(why.code, CS_ENOMEM);
    } else {
        assert_int_equal(rc, CS_OK);
        assert_string_equal(cs_buf_cstr(&text), cs_buf_cstr(whole));
    }
    cs_buf_clear(&text);
}

static void test_without_memory(void **state)
{
    struct cs_buf whole = CS_BUF_INIT(65536);
    size_t allocations;

    (void)state;
    assert_ok(make(&whole, err));
    assert_non_null(strstr(cs_buf_cstr(&whole), "arn:aws-cn:kms:cn-north-1:*:key/*"));
    allocations = failing_each(make_starved, &whole);
    assert_true(!failing_works() || allocations > 10);
    cs_buf_clear(&whole);
}

static void test_too_long_to_be_written(void **state)
{
    struct cs_buf small = CS_BUF_INIT(1000);
    struct cs_err why = CS_ERR_NONE;

    (void)state;
    assert_int_equal(make(&small, &why), CS_ETOOBIG);
    cs_buf_clear(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_too_long_to_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
