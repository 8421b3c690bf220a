#include "config.h"

#include "unit_folder.h"

#include "campaign/create.h"
#include "campaign/uploads.h"
#include "store/store_local.h"
#include "json/scan.h"

/* An upload that is begun again with the same Idempotency-Key; what becomes of the
 * parts is in test_campaign. */

struct fixture {
    char *folder;
    struct cs_campaigns campaigns;
    struct cs_call call;
    struct cs_faults faults;
    struct cs_buf answer;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct cs_record *record = NULL;
    bool replayed;

    assert_non_null(f);
    f->folder = unit_folder_make();
    f->campaigns.store = cs_store_local_new(
        &(struct cs_store_local_options){
            .root = f->folder, .bucket_name = "outputs", .table_name = "campaigns"},
        NULL);
    assert_non_null(f->campaigns.store);
    f->campaigns.limits = (struct cs_campaign_limits){
        .json_bytes = 1u << 20, .file_bytes = 1u << 20, .files = 3, .part_bytes = 4096};
    f->call = (struct cs_call){.user_id = CS_LIT("alice"),
                               .now_us = 1733054400123000,
                               .deadline = cs_deadline_in_ms(120000)};
    cs_faults_init(&f->faults);
    cs_buf_init(&f->answer, 1u << 16);
    assert_ok(cs_campaign_create(
        &f->campaigns, &f->call,
        CS_LIT("{\"campaign_id\":\"c\",\"campaign_name\":\"C\",\"campaign_brief\":{}}"),
        CS_LIT(""), &record, &replayed, &f->faults, err));
    cs_record_free(record);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    f->campaigns.store->ops->free(f->campaigns.store);
    unit_folder_remove(f->folder);
    cs_faults_clear(&f->faults);
    cs_buf_clear(&f->answer);
    free(f);
    return 0;
}

static enum cs_code begin(struct fixture *f, const char *body, const char *key,
                          struct cs_err *err)
{
    cs_buf_reset(&f->answer);
    return cs_upload_begin(
        &f->campaigns, &f->call, CS_LIT("c"),
        &(struct cs_upload_begin){cs_view_cstr(body), cs_view_cstr(key)}, &f->answer,
        &f->faults, err);
}

#define PDF "{\"target\":\"pdf\",\"size\":5000}"

/* The id of the upload that the key begins or finds. */
static void begin_ok(struct fixture *f, const char *key, struct cs_buf *id)
{
    assert_ok(begin(f, PDF, key, err));
    cs_buf_reset(id);
    assert_true(cs_json_slice_string(id, cs_buf_view(&f->answer), "upload_id"));
}

static bool has_first_part(const struct fixture *f)
{
    return strstr(cs_buf_cstr(&f->answer), "\"received\":[{\"part\":1,") != NULL;
}

static void test_found_again(void **state)
{
    struct fixture *f = *state;
    struct cs_buf answer = CS_BUF_INIT(1024);
    struct cs_buf first = CS_BUF_INIT(100);
    struct cs_buf id = CS_BUF_INIT(100);
    char part[4096];

    memset(part, 'x', sizeof(part));
    begin_ok(f, "one", &first);
    assert_false(has_first_part(f));
    assert_ok(cs_upload_part(
        &f->campaigns, &f->call, CS_LIT("c"), cs_buf_view(&first),
        &(struct cs_upload_arrival){1, cs_view_of(part, sizeof(part)), CS_LIT("")},
        &answer, err));
    begin_ok(f, "one", &id);
    assert_string_equal(cs_buf_cstr(&id), cs_buf_cstr(&first));
    assert_true(has_first_part(f));
    begin_ok(f, "two", &id);
    assert_string_not_equal(cs_buf_cstr(&id), cs_buf_cstr(&first));
    assert_false(has_first_part(f));
    begin_ok(f, "", &id);
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
    struct cs_buf id = CS_BUF_INIT(100);

    begin_ok(f, "one", &id);
    for (size_t i = 0; i < CS_COUNT(others); i++) {
        struct cs_err fault = CS_ERR_NONE;

        assert_int_equal(begin(f, others[i], "one", &fault), CS_ECONFLICT);
        assert_string_equal(fault.reason, "idempotency_key_reused");
    }
    cs_buf_clear(&id);
}

static void test_expired_is_begun_anew(void **state)
{
    struct fixture *f = *state;
    struct cs_buf first = CS_BUF_INIT(100);
    struct cs_buf id = CS_BUF_INIT(100);

    begin_ok(f, "one", &first);
    f->call.now_us += 8ll * 24 * 3600 * CS_SECOND_US;
    begin_ok(f, "one", &id);
    assert_string_not_equal(cs_buf_cstr(&id), cs_buf_cstr(&first));
    cs_buf_clear(&first);
    cs_buf_clear(&id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_key_for_something_else, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expired_is_begun_anew, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
