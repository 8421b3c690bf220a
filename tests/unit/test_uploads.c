#include "config.h"

#include "campaign_fixture.h"

#include "campaign/uploads.h"
#include "json/scan.h"

/* An upload that is begun again with the same Idempotency-Key; what becomes of the
 * parts is in test_campaign. */

static enum cs_code begin(struct fixture *f, const char *body, const char *key,
                          struct cs_buf *answer, struct cs_err *err)
{
    cs_faults_clear(&f->faults);
    return cs_upload_begin(
        &f->campaigns, &f->call, CS_LIT("c"),
        &(struct cs_upload_begin){cs_view_cstr(body), cs_view_cstr(key)}, answer,
        &f->faults, err);
}

#define PDF "{\"target\":\"pdf\",\"size\":5000}"

/* The id of the upload that the key begins or finds; whether its first part is there. */
static bool begin_ok(struct fixture *f, const char *key, struct cs_buf *id)
{
    struct cs_buf answer = CS_BUF_INIT(1u << 16);
    bool has_first_part;

    assert_ok(begin(f, PDF, key, &answer, err));
    cs_buf_reset(id);
    assert_true(cs_json_slice_string(id, cs_buf_view(&answer), "upload_id"));
    has_first_part = strstr(cs_buf_cstr(&answer), "\"received\":[{\"part\":1,") != NULL;
    cs_buf_clear(&answer);
    return has_first_part;
}

static void test_found_again(void **state)
{
    struct fixture *f = *state;
    struct cs_buf answer = CS_BUF_INIT(1024);
    struct cs_buf first = CS_BUF_INIT(100);
    struct cs_buf id = CS_BUF_INIT(100);
    char part[4096];

    memset(part, 'x', sizeof(part));
    assert_false(begin_ok(f, "one", &first));
    assert_ok(cs_upload_part(
        &f->campaigns, &f->call, CS_LIT("c"), cs_buf_view(&first),
        &(struct cs_upload_arrival){1, cs_view_of(part, sizeof(part)), CS_LIT("")},
        &answer, err));
    assert_true(begin_ok(f, "one", &id));
    assert_string_equal(cs_buf_cstr(&id), cs_buf_cstr(&first));
    assert_false(begin_ok(f, "two", &id));
    assert_string_not_equal(cs_buf_cstr(&id), cs_buf_cstr(&first));
    assert_false(begin_ok(f, "", &id));
    assert_string_not_equal(cs_buf_cstr(&id), cs_buf_cstr(&first));
    cs_buf_clear(&answer);
    cs_buf_clear(&first);
    cs_buf_clear(&id);
}

static void test_key_for_something_else(void **state)
{
    static const char *const others[] = {
        "{\"target\":\"pdf\",\"size\":5001}", "{\"target\":\"website\",\"size\":5000}",
        ("{\"target\":\"pdf\",\"size\":5000,\"sha256\":"
         "\"a81bc81b3f5e7d9c2b4a6f8e0d1c3b5a7968574635241302f1e0d9c8b7a69584\"}")};
    struct fixture *f = *state;
    struct cs_buf answer = CS_BUF_INIT(1024);
    struct cs_buf id = CS_BUF_INIT(100);

    assert_false(begin_ok(f, "one", &id));
    for (size_t i = 0; i < CS_COUNT(others); i++) {
        struct cs_err fault = CS_ERR_NONE;

        assert_int_equal(begin(f, others[i], "one", &answer, &fault), CS_ECONFLICT);
        assert_string_equal(fault.reason, "idempotency_key_reused");
    }
    cs_buf_clear(&answer);
    cs_buf_clear(&id);
}

static void test_expired_is_begun_anew(void **state)
{
    struct fixture *f = *state;
    struct cs_buf first = CS_BUF_INIT(100);
    struct cs_buf id = CS_BUF_INIT(100);

    assert_false(begin_ok(f, "one", &first));
    f->call.now_us += 8ll * 24 * 3600 * CS_SECOND_US;
    assert_false(begin_ok(f, "one", &id));
    assert_string_not_equal(cs_buf_cstr(&id), cs_buf_cstr(&first));
    cs_buf_clear(&first);
    cs_buf_clear(&id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found_again, setup_campaign, teardown),
        cmocka_unit_test_setup_teardown(test_key_for_something_else, setup_campaign,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_expired_is_begun_anew, setup_campaign,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
