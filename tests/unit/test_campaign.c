#include "config.h"

#include "campaign_fixture.h"
#include "failing_malloc.h"

#include "campaign/artifacts.h"
#include "campaign/complete.h"
#include "campaign/lifecycle.h"
#include "campaign/listing.h"
#include "campaign/progress.h"
#include "campaign/remove.h"
#include "campaign/uploads.h"
#include "json/scan.h"

/* ---- what tests do often ---- */

struct memory_body {
    struct cs_view rest;
};

static enum cs_code read_memory(void *payload, char *to, size_t room, size_t *got_out,
                                struct cs_err *err)
{
    struct memory_body *body = payload;
    size_t len = body->rest.len < room ? body->rest.len : room;

    (void)err;
    memcpy(to, body->rest.ptr, len);
    body->rest = cs_view_from(body->rest, len);
    *got_out = len;
    return CS_OK;
}

static enum cs_code put_file(struct fixture *f, const char *id, const char *name,
                             const char *bytes, const char *sha256, struct cs_err *err)
{
    struct memory_body body = {cs_view_cstr(bytes)};
    const struct cs_artifact_upload upload = {.name = cs_view_cstr(name),
                                              .content_type = CS_LIT("text/plain"),
                                              .size = UINT64_MAX,
                                              .sha256 = cs_view_cstr(sha256),
                                              .read = read_memory,
                                              .payload = &body};
    struct cs_object object = {.bucket = NULL};
    enum cs_code rc =
        cs_artifact_put(&f->campaigns, &f->call, cs_view_cstr(id), &upload, &object, err);

    cs_object_clear(&object);
    return rc;
}

/* Completes with a website and PDF of the client's own, so that nothing is rendered. */
static enum cs_code complete(struct fixture *f, const char *id, const char *body,
                             struct cs_completion_report *report, struct cs_err *err)
{
    struct cs_record *record = NULL;
    enum cs_code rc;

    cs_faults_clear(&f->faults);
    rc = cs_campaign_complete(&f->campaigns, &f->call, cs_view_cstr(id),
                              cs_view_cstr(body), &record, report, &f->faults, err);
    assert_true((rc == CS_OK) == (record != NULL));
    cs_record_free(record);
    return rc;
}

static void bring_pages(struct fixture *f, const char *id)
{
    assert_ok(put_file(f, id, "website", "<p>own</p>", "", err));
    assert_ok(put_file(f, id, "pdf", "%PDF-own", "", err));
}

/* After any fault: no record names what is not there; orphans go away by repair. */
static void assert_consistent(struct fixture *f)
{
    struct findings findings = find_and_repair(f);

    assert_int_equal(findings.count, findings.repaired);
    assert_int_equal(find_and_repair(f).count, 0);
}

/* The counters as they stand, and as a recount would have them, are the same. */
static void assert_counted(struct fixture *f, int64_t total, int64_t completed)
{
    for (int round = 0; round < 2; round++) {
        struct cs_campaign_totals totals;

        assert_ok(cs_campaign_totals(&f->campaigns, cs_view_of(NULL, 0), &totals,
                                     f->call.deadline, err));
        assert_int_equal(totals.total, total);
        assert_int_equal(totals.completed, completed);
        assert_ok(cs_campaign_totals(&f->campaigns, CS_LIT("alice"), &totals,
                                     f->call.deadline, err));
        assert_int_equal(totals.total, total);
        assert_ok(cs_campaign_recount(&f->campaigns, f->call.deadline, err));
    }
}

/* ---- the tests ---- */

static void test_names(void **state)
{
    (void)state;
    assert_true(cs_campaign_id_valid(CS_LIT("campaign_20241201_120000_123456")));
    assert_true(cs_file_name_valid(CS_LIT("logo.v2.png")));
    assert_false(cs_campaign_id_valid(CS_LIT("")));
    assert_false(cs_campaign_id_valid(CS_LIT("-a")));
    assert_false(cs_campaign_id_valid(CS_LIT("a/b")));
    assert_false(cs_campaign_id_valid(CS_LIT("a.b")));
    assert_false(cs_campaign_id_valid(CS_LIT("a\0b")));
    assert_false(cs_file_name_valid(CS_LIT("..")));
    assert_false(cs_file_name_valid(CS_LIT("a/../b")));
    assert_null(cs_artifact_kind(CS_LIT("files/")));
    assert_null(cs_artifact_kind(CS_LIT("files/../x")));
    assert_non_null(cs_artifact_kind(CS_LIT("files/x")));
}

static void test_create_tells_all_faults(void **state)
{
    struct fixture *f = *state;
    struct cs_record *record = NULL;
    struct cs_err fault = CS_ERR_NONE;
    struct cs_view faults;

    assert_int_equal(
        create(f,
               "{\"campaign_brief\":[],\"campaign_id\":\"a b\",\"tags\":[1],"
               "\"expires_at\":\"2001-01-01T00:00:00Z\",\"status\":\"completed\"}",
               "", &record, &fault),
        CS_EINVAL);
    assert_string_equal(fault.reason, "validation_failed");
    assert_int_equal(f->faults.count, 6);
    faults = cs_buf_view(&f->faults.json);
    assert_int_not_equal(cs_view_find(faults, CS_LIT("\"/campaign_name\"")), SIZE_MAX);
    assert_int_not_equal(cs_view_find(faults, CS_LIT("\"/campaign_brief\"")), SIZE_MAX);
    assert_int_not_equal(cs_view_find(faults, CS_LIT("\"/campaign_id\"")), SIZE_MAX);
    assert_int_not_equal(cs_view_find(faults, CS_LIT("\"/tags/0\"")), SIZE_MAX);
    assert_int_not_equal(cs_view_find(faults, CS_LIT("\"/expires_at\"")), SIZE_MAX);
    assert_int_not_equal(cs_view_find(faults, CS_LIT("\"/status\"")), SIZE_MAX);
    assert_int_equal(create(f, "[]", "", &record, NULL), CS_EINVAL);
    assert_counted(f, 0, 0);
}

static void test_create_keeps_everything(void **state)
{
    struct fixture *f = *state;
    struct cs_record *record = NULL;
    struct cs_buf brief = CS_BUF_INIT(1u << 20);
    char body[2000];

    assert_ok(create(
        f,
        "{\"campaign_name\":\"L\\u2019\\u00e9t\\u00e9\",\"campaign_brief\":{\"n\":1e2},"
        "\"own\": {\"x\" : [1.0]}}",
        "", &record, err));
    assert_true(cs_view_starts(record->key, CS_LIT("campaign_20241201_120000_")));
    assert_view(cs_campaign_field(record, "own"), "{\"x\" : [1.0]}");
    assert_ok(
        cs_campaign_read_brief(&f->campaigns, record, &brief, f->call.deadline, err));
    assert_view(cs_buf_view(&brief), "{\"n\":1e2}");
    cs_record_free(record);

    /* A brief over the threshold is kept as an object, and comes back the same. */
    (void)snprintf(body, sizeof(body),
                   "{\"campaign_name\":\"N\",\"campaign_brief\":{\"long\":\"%0*d\"}}",
                   500, 7);
    assert_ok(create(f, body, "", &record, err));
    assert_null(cs_json_slice(record->detail, "campaign_brief").ptr);
    cs_buf_reset(&brief);
    assert_ok(
        cs_campaign_read_brief(&f->campaigns, record, &brief, f->call.deadline, err));
    assert_int_equal(brief.len, 500 + strlen("{\"long\":\"\"}"));
    cs_record_free(record);
    cs_buf_clear(&brief);
    assert_counted(f, 2, 0);
    assert_consistent(f);
}

static void test_idempotency(void **state)
{
    struct fixture *f = *state;
    const char *body = "{\"campaign_name\":\"N\",\"campaign_brief\":{}}";
    struct cs_record *first = NULL;
    struct cs_record *second = NULL;
    struct cs_err fault = CS_ERR_NONE;

    assert_int_equal(create(f, body, "key", &first, NULL), CS_OK);
    assert_int_equal(create(f, body, "key", &second, NULL), CS_OK);
    assert_true(cs_view_eq(first->key, second->key));
    cs_record_free(second);
    assert_int_equal(create(f, "{\"campaign_name\":\"M\",\"campaign_brief\":{}}", "key",
                            &second, &fault),
                     CS_ECONFLICT);
    assert_string_equal(fault.reason, "idempotency_key_reused");
    f->call.user_id = CS_LIT("bob"); /* another user's key is another key */
    assert_int_equal(create(f, body, "key", &second, NULL), CS_OK);
    assert_false(cs_view_eq(first->key, second->key));
    cs_record_free(first);
    cs_record_free(second);
}

static void test_only_the_owner(void **state)
{
    struct fixture *f = *state;
    struct cs_record *record = NULL;
    struct cs_call other = f->call;

    create_ok(f, BODY("c"));
    other.user_id = CS_LIT("bob");
    assert_int_equal(cs_campaign_load(&f->campaigns, &other, CS_LIT("c"),
                                      CS_ACCESS_OWNER_OR_ADMIN, false, &record, NULL),
                     CS_ENOTFOUND);
    other.admin = true;
    assert_int_equal(cs_campaign_load(&f->campaigns, &other, CS_LIT("c"), CS_ACCESS_OWNER,
                                      false, &record, NULL),
                     CS_ENOTFOUND);
    assert_int_equal(cs_campaign_load(&f->campaigns, &other, CS_LIT("c"),
                                      CS_ACCESS_OWNER_OR_ADMIN, false, &record, NULL),
                     CS_OK);
    cs_record_free(record);
}

static void test_expired_is_gone_at_the_second(void **state)
{
    struct fixture *f = *state;
    struct cs_record *record = NULL;
    struct cs_verify_report report;
    const struct cs_verify_options repair = {.repair = true};

    create_ok(f, "{\"campaign_id\":\"e\",\"campaign_name\":\"N\",\"campaign_brief\":{},"
                 "\"expires_at\":\"2024-12-01T12:00:01Z\"}");
    f->call.now_us = 1733054400999999;
    assert_int_equal(cs_campaign_load(&f->campaigns, &f->call, CS_LIT("e"),
                                      CS_ACCESS_OWNER, false, &record, NULL),
                     CS_OK);
    cs_record_free(record);
    f->call.now_us = 1733054401000000;
    assert_int_equal(cs_campaign_load(&f->campaigns, &f->call, CS_LIT("e"),
                                      CS_ACCESS_OWNER, false, &record, NULL),
                     CS_ENOTFOUND);
    assert_ok(cs_campaigns_cleanup(&f->campaigns, &f->call, &repair, &report, err));
    assert_int_equal(report.repaired, 1);
    assert_counted(f, 0, 0);
}

static void test_completion_and_its_repeat(void **state)
{
    struct fixture *f = *state;
    struct cs_completion_report report;
    struct cs_record *record = NULL;
    struct cs_artifact artifact;
    struct cs_buf bytes = CS_BUF_INIT(1u << 20);
    struct cs_err fault = CS_ERR_NONE;

    create_ok(f, BODY("c"));
    bring_pages(f, "c");
    assert_int_equal(complete(f, "c", "{\"final_state\":[]}", &report, NULL), CS_EINVAL);
    assert_int_equal(
        complete(f, "c", "{\"final_state\":{},\"execution_time\":-1}", &report, NULL),
        CS_EINVAL);
    assert_int_equal(complete(f, "c",
                              "{\"final_state\": { \"b\":1.0, \"a\":1e5 },"
                              "\"execution_time\":200.5}",
                              &report, NULL),
                     CS_OK);
    assert_false(report.replayed);
    assert_ok(cs_campaign_load(&f->campaigns, &f->call, CS_LIT("c"), CS_ACCESS_OWNER,
                               false, &record, err));
    assert_view(cs_json_slice(record->summary, "execution_time"), "200.5");
    assert_ok(cs_artifact_find(record, CS_LIT("artifacts"), &artifact, err));
    assert_ok(cs_artifact_read(&f->campaigns, &artifact, &bytes, f->call.deadline, err));
    assert_view(cs_buf_view(&bytes), "{ \"b\":1.0, \"a\":1e5 }");
    cs_record_free(record);
    assert_int_equal(
        complete(f, "c", "{\"final_state\": { \"b\":1.0, \"a\":1e5 }}", &report, NULL),
        CS_OK);
    assert_true(report.replayed);
    assert_int_equal(complete(f, "c", "{\"final_state\":{\"b\":1}}", &report, &fault),
                     CS_ECONFLICT);
    assert_string_equal(fault.reason, "campaign_completed");
    cs_buf_clear(&bytes);
    assert_counted(f, 1, 1);
    assert_consistent(f);
}

static void test_unknown_fields_are_kept(void **state)
{
    struct fixture *f = *state;
    struct cs_completion_report report;
    struct cs_record *record = NULL;
    struct cs_buf body = CS_BUF_INIT(1u << 16);
    struct cs_err fault = CS_ERR_NONE;

    create_ok(f, "{\"campaign_id\":\"c\",\"campaign_name\":\"N\",\"campaign_brief\":{},"
                 "\"model\":\"one\"}");
    bring_pages(f, "c");
    assert_int_equal(complete(f, "c",
                              "{\"final_state\":{},\"model\":\"two\",\"cost\": 1.50,"
                              "\"user_id\":\"mallory\",\"files\":{}}",
                              &report, NULL),
                     CS_OK);
    assert_ok(cs_campaign_load(&f->campaigns, &f->call, CS_LIT("c"), CS_ACCESS_OWNER,
                               false, &record, err));
    assert_view(cs_json_slice(record->detail, "model"), "\"two\"");
    assert_view(cs_json_slice(record->detail, "cost"), "1.50");
    assert_null(cs_json_slice(record->detail, "user_id").ptr);
    assert_null(cs_json_slice(record->detail, "final_state").ptr);
    cs_record_free(record);
    assert_consistent(f);

    create_ok(f, BODY("d"));
    assert_ok(cs_campaign_fail(&f->campaigns, &f->call, CS_LIT("d"),
                               CS_LIT("{\"error\":\"e\",\"retries\":3}"), &f->faults,
                               err));
    assert_ok(cs_campaign_load(&f->campaigns, &f->call, CS_LIT("d"), CS_ACCESS_OWNER,
                               false, &record, err));
    assert_view(cs_json_slice(record->detail, "retries"), "3");
    cs_record_free(record);

    create_ok(f, BODY("e"));
    cs_buf_add_cstr(&body, "{\"error\":\"e\"");
    for (int i = 0; i < 201; i++)
        cs_buf_add_fmt(&body, ",\"f%d\":1", i);
    cs_buf_add_byte(&body, '}');
    assert_int_equal(cs_campaign_fail(&f->campaigns, &f->call, CS_LIT("e"),
                                      cs_buf_view(&body), &f->faults, &fault),
                     CS_ETOOBIG);
    assert_string_equal(fault.reason, "too_many_fields");
    cs_buf_clear(&body);
}

static bool count_artifact(void *payload, struct cs_view name,
                           const struct cs_artifact *artifact)
{
    size_t *count = payload;

    assert_true(name.len > 0 && artifact->key.ptr != NULL);
    ++*count;
    return true;
}

/* Also in a record that another program wrote. */
static void test_artifacts_of_a_record(void **state)
{
    static const struct {
        const char *detail;
        size_t count;
        const char *key; /* of the website */
    } cases[] = {
        {"", 0, NULL},
        {"{}", 0, NULL},
        {"{\"files\":null}", 0, NULL},
        {"{\"files\":[{\"website\":{\"key\":\"k\"}}]}", 0, NULL},
        {"{\"files\":{}, \"website\":{\"key\":\"k\"}}", 0, NULL},
        {"{\"files\":{\"website\":\"k\",\"pdf\":[{\"key\":\"p\"}]},\"key\":\"x\"}", 2,
         ""},
        {"{\"a\":{\"files\":{\"b\":{}}},\"files\":{\"pdf\":{\"key\":\"p\",\"more\":{"
         "\"key\":\"n\"}},"
         " \"website\" : { \"more\":[1], \"key\" : \"w\" } }, \"z\":{\"key\":\"x\"}}",
         2, "w"},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        const struct cs_record record = {.detail = cs_view_cstr(cases[i].detail)};
        struct cs_artifact artifact;
        size_t count = 0;

        cs_artifact_each(&record, count_artifact, &count);
        assert_int_equal(count, cases[i].count);
        assert_int_equal(cs_artifact_find(&record, CS_LIT("website"), &artifact, NULL),
                         cases[i].key != NULL ? CS_OK : CS_ENOTFOUND);
        if (cases[i].key != NULL)
            assert_view(artifact.key, cases[i].key);
    }
}

static void test_artifacts_of_the_client(void **state)
{
    struct fixture *f = *state;
    struct cs_err fault = CS_ERR_NONE;

    create_ok(f, BODY("c"));
    assert_int_equal(put_file(f, "c", "metadata", "x", "", NULL), CS_ENOTFOUND);
    assert_int_equal(put_file(f, "c", "files/../x", "x", "", NULL), CS_ENOTFOUND);
    assert_int_equal(put_file(f, "nobody", "pdf", "x", "", NULL), CS_ENOTFOUND);
    assert_int_equal(
        put_file(f, "c", "files/a", "abc",
                 "0000000000000000000000000000000000000000000000000000000000000000",
                 &fault),
        CS_EINVAL);
    assert_string_equal(fault.reason, "checksum_mismatch");
    assert_ok(put_file(f, "c", "files/a", "abc",
                       "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
                       err));
    assert_ok(put_file(f, "c", "files/a", "again", "", err));
    assert_ok(put_file(f, "c", "files/b", "b", "", err));
    assert_ok(put_file(f, "c", "files/c", "c", "", err));
    cs_err_clear(&fault);
    assert_int_equal(put_file(f, "c", "files/d", "d", "", &fault), CS_ETOOBIG);
    assert_string_equal(fault.reason, "too_many_files");
    assert_consistent(f);
}

static void test_failing_keeps_the_state(void **state)
{
    struct fixture *f = *state;
    struct cs_completion_report report;

    create_ok(f, BODY("c"));
    assert_int_equal(cs_campaign_fail(&f->campaigns, &f->call, CS_LIT("c"), CS_LIT("{}"),
                                      &f->faults, NULL),
                     CS_EINVAL);
    cs_faults_clear(&f->faults);
    for (int i = 0; i < 2; i++) /* the same again is the same */
        assert_ok(cs_campaign_fail(&f->campaigns, &f->call, CS_LIT("c"),
                                   CS_LIT("{\"error\":\"model timed out\"}"), &f->faults,
                                   err));
    assert_int_equal(cs_campaign_fail(&f->campaigns, &f->call, CS_LIT("c"),
                                      CS_LIT("{\"error\":\"another\"}"), &f->faults,
                                      NULL),
                     CS_ECONFLICT);
    assert_int_equal(complete(f, "c", "{\"final_state\":{}}", &report, NULL),
                     CS_ECONFLICT);
    assert_counted(f, 1, 0);
}

/* ---- faults of the store ---- */

/* Each call of a completion's way fails in turn; the same request again then
 * succeeds, once, and leaves nothing behind. */
static void completion_under_faults(struct fixture *f, bool lose_answer)
{
    int64_t done = 0;
    bool failed = true;

    f->faulty.lose_answer = lose_answer;
    for (size_t at = 1; failed; at++) {
        struct cs_completion_report report;
        struct cs_err fault = CS_ERR_NONE;
        char id[32];
        char body[200];

        (void)snprintf(id, sizeof(id), "c%zu", at);
        (void)snprintf(
            body, sizeof(body),
            "{\"campaign_id\":\"%s\",\"campaign_name\":\"N\",\"campaign_brief\":{}}", id);
        f->faulty.fail_at = 0;
        create_ok(f, body);
        bring_pages(f, id);
        f->faulty.calls = 0;
        f->faulty.fail_at = at;
        failed = complete(f, id, "{\"final_state\":{\"a\":1}}", &report, &fault) != CS_OK;
        f->faulty.fail_at = 0;
        assert_consistent(f);
        assert_int_equal(complete(f, id, "{\"final_state\":{\"a\":1}}", &report, NULL),
                         CS_OK);
        assert_consistent(f);
        done++;
    }
    assert_true(done >= 3); /* the put, the commit, and the one without a fault */
    assert_counted(f, done, done);
}

static void test_completion_under_faults(void **state)
{
    completion_under_faults(*state, false);
}

static void test_completion_whose_answer_is_lost(void **state)
{
    completion_under_faults(*state, true);
}

/* No record names what is not there; nor is there what no record names, if `tidy`. */
static void assert_all_there(struct fixture *f, bool tidy)
{
    size_t kinds[8] = {0};
    struct cs_verify_options options = {
        .check_bytes = true, .finding = count_finding, .payload = kinds};
    struct cs_call later = f->call;
    struct cs_verify_report report;

    later.now_us = cs_clock_now_us() + CS_SECOND_US;
    assert_ok(cs_campaigns_verify(&f->campaigns, &later, &options, &report, err));
    assert_int_equal(kinds[CS_FINDING_MISSING_OBJECT], 0);
    assert_int_equal(kinds[CS_FINDING_WRONG_BYTES], 0);
    if (tidy)
        assert_int_equal(report.findings, 0);
}

/* Whatever a commit is answered with, and whether it was done or not. */
static void commit_is_told(struct fixture *f, const char *id, enum cs_code answer,
                           bool done)
{
    enum cs_code expected = answer == CS_ECONFLICT ? CS_OK : answer;
    struct cs_completion_report report;
    char body[200];

    (void)snprintf(
        body, sizeof(body),
        "{\"campaign_id\":\"%s\",\"campaign_name\":\"N\",\"campaign_brief\":{}}", id);
    create_ok(f, body);
    bring_pages(f, id);
    assert_ok(put_file(f, id, "files/a", "first", "", err));

    f->faulty.answer = answer;
    f->faulty.lose_answer = done;
    f->faulty.calls = 0;
    f->faulty.fail_at = 1; /* the commit: pieces of a put are not counted */
    assert_int_equal(put_file(f, id, "files/a", "second", "", NULL), expected);
    assert_all_there(f, expected == CS_OK);
    f->faulty.fail_at = 0;
    assert_ok(put_file(f, id, "files/a", "third", "", err));
    assert_all_there(f, expected == CS_OK);

    f->faulty.calls = 0;
    f->faulty.fail_at = 2; /* the commit behind the put */
    assert_int_equal(complete(f, id, "{\"final_state\":{\"a\":1}}", &report, NULL),
                     expected);
    assert_false(report.replayed);
    assert_all_there(f, expected == CS_OK);
    f->faulty.fail_at = 0;
    assert_ok(complete(f, id, "{\"final_state\":{\"a\":1}}", &report, err));
    assert_int_equal(report.replayed, done || expected == CS_OK);
    assert_consistent(f);
}

static void test_a_record_names_what_is_there(void **state)
{
    struct fixture *f = *state;

    commit_is_told(f, "conflict", CS_ECONFLICT, false);
    commit_is_told(f, "conflict-done", CS_ECONFLICT, true);
    commit_is_told(f, "busy", CS_EBUSY, false);
    commit_is_told(f, "busy-done", CS_EBUSY, true);
    commit_is_told(f, "failed", CS_EUPSTREAM, false);
    commit_is_told(f, "failed-done", CS_EUPSTREAM, true);
    commit_is_told(f, "late", CS_ETIMEOUT, false);
    commit_is_told(f, "late-done", CS_ETIMEOUT, true);
    assert_counted(f, 8, 8);
}

static void test_a_completion_that_never_gets_through(void **state)
{
    struct fixture *f = *state;
    struct cs_completion_report report;
    struct cs_err fault = CS_ERR_NONE;

    create_ok(f, BODY("c"));
    bring_pages(f, "c");
    f->faulty.every_commit = true;
    f->faulty.answer = CS_ECONFLICT;
    assert_int_equal(complete(f, "c", "{\"final_state\":{}}", &report, &fault), CS_EBUSY);
    assert_string_equal(fault.reason, "campaign_contended");
    assert_all_there(f, true);
    f->faulty.lose_answer = true; /* and one whose answers alone do not */
    assert_ok(complete(f, "c", "{\"final_state\":{}}", &report, err));
    assert_false(report.replayed);
    assert_all_there(f, true);
    assert_counted(f, 1, 1);
}

/* Another worker of the pool, to the same store. */
static void complete_elsewhere(void *payload)
{
    struct fixture *f = payload;
    struct cs_campaigns other = f->campaigns;
    struct cs_completion_report report;
    struct cs_record *record = NULL;
    struct cs_faults faults;

    other.store = f->faulty.inner;
    cs_faults_init(&faults);
    assert_ok(cs_campaign_complete(&other, &f->call, CS_LIT("c"),
                                   CS_LIT("{\"final_state\":{\"a\":1}}"), &record,
                                   &report, &faults, err));
    assert_false(report.replayed);
    cs_record_free(record);
    cs_faults_clear(&faults);
}

static void test_two_completions_at_once(void **state)
{
    static const struct {
        const char *body;
        enum cs_code expected;
    } cases[] = {{"{\"final_state\":{\"a\":1}}", CS_OK},
                 {"{\"final_state\":{\"a\":2}}", CS_ECONFLICT}};
    struct fixture *f = *state;

    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_completion_report report;
        struct cs_removal removal;

        create_ok(f, BODY("c"));
        bring_pages(f, "c");
        f->faulty.before_commit = complete_elsewhere;
        f->faulty.payload = f;
        assert_int_equal(complete(f, "c", cases[i].body, &report, NULL),
                         cases[i].expected);
        assert_int_equal(report.replayed, cases[i].expected == CS_OK);
        assert_all_there(f, true);
        assert_counted(f, 1, 1);
        assert_ok(
            cs_campaign_remove(&f->campaigns, &f->call, CS_LIT("c"), &removal, err));
    }
}

static void test_delete_under_faults(void **state)
{
    struct fixture *f = *state;
    bool failed = true;
    size_t rounds = 0;

    for (size_t at = 1; failed; at++) {
        struct cs_removal removal = {.objects_ok = false};
        struct cs_record *record = NULL;
        enum cs_code rc;

        f->faulty.fail_at = 0;
        create_ok(f, BODY("d"));
        bring_pages(f, "d");
        f->faulty.calls = 0;
        f->faulty.fail_at = at;
        rc = cs_campaign_remove(&f->campaigns, &f->call, CS_LIT("d"), &removal, NULL);
        failed = rc != CS_OK || !removal.records_ok;
        f->faulty.fail_at = 0;
        assert_true(rc != CS_OK || removal.records_ok || *removal.records_error != '\0');
        if (failed) { /* the repeat finishes what is left */
            assert_ok(
                cs_campaign_remove(&f->campaigns, &f->call, CS_LIT("d"), &removal, err));
            assert_true(removal.objects_ok && removal.records_ok);
        }
        assert_int_equal(cs_campaign_load(&f->campaigns, &f->call, CS_LIT("d"),
                                          CS_ACCESS_OWNER, true, &record, NULL),
                         CS_ENOTFOUND);
        assert_int_equal(
            cs_campaign_remove(&f->campaigns, &f->call, CS_LIT("d"), &removal, NULL),
            CS_ENOTFOUND);
        assert_consistent(f);
        assert_counted(f, 0, 0);
        rounds++;
    }
    assert_true(rounds >= 4); /* tombstone, objects, record with log, and none */
}

/* ---- uploads in parts ---- */

static void test_upload_in_parts(void **state)
{
    struct fixture *f = *state;
    struct cs_buf answer = CS_BUF_INIT(1u << 16);
    struct cs_buf id = CS_BUF_INIT(100);
    struct cs_buf bytes = CS_BUF_INIT(1u << 16);
    struct cs_completion_report report;
    struct cs_err fault = CS_ERR_NONE;
    char body[200];

    create_ok(f, BODY("c"));
    bring_pages(f, "c");
    cs_buf_add_cstr(&bytes, "{\"a\":\"");
    while (bytes.len < 9000)
        cs_buf_add_byte(&bytes, 'x');
    cs_buf_add_cstr(&bytes, "\"}");
    (void)snprintf(body, sizeof(body), "{\"target\":\"final_state\",\"size\":%zu}",
                   bytes.len);
    assert_ok(cs_upload_begin(&f->campaigns, &f->call, CS_LIT("c"),
                              &(struct cs_upload_begin){cs_view_cstr(body), CS_LIT("")},
                              &answer, &f->faults, err));
    assert_true(cs_json_slice_string(&id, cs_buf_view(&answer), "upload_id"));
    for (uint64_t part = 3; part >= 1; part--) { /* any order; one is missing at first */
        if (part == 2)
            continue;
        assert_ok(cs_upload_part(
            &f->campaigns, &f->call, CS_LIT("c"), cs_buf_view(&id),
            &(struct cs_upload_arrival){
                part, cs_view_sub(cs_buf_view(&bytes), (part - 1) * 4096, 4096),
                CS_LIT("")},
            &answer, err));
    }
    assert_int_equal(
        cs_upload_part(&f->campaigns, &f->call, CS_LIT("c"), cs_buf_view(&id),
                       &(struct cs_upload_arrival){2, CS_LIT("short"), CS_LIT("")},
                       &answer, NULL),
        CS_EINVAL);
    assert_int_equal(
        cs_upload_part(&f->campaigns, &f->call, CS_LIT("c"), cs_buf_view(&id),
                       &(struct cs_upload_arrival){4, CS_LIT("x"), CS_LIT("")}, &answer,
                       NULL),
        CS_EINVAL);
    assert_int_equal(cs_upload_complete(&f->campaigns, &f->call, CS_LIT("c"),
                                        cs_buf_view(&id), CS_LIT("{}"), &answer,
                                        &f->faults, &fault),
                     CS_ECONFLICT);
    assert_string_equal(fault.reason, "upload_incomplete");
    assert_non_null(strstr(fault.text, "part 2 of 3"));
    assert_ok(
        cs_upload_part(&f->campaigns, &f->call, CS_LIT("c"), cs_buf_view(&id),
                       &(struct cs_upload_arrival){
                           2, cs_view_sub(cs_buf_view(&bytes), 4096, 4096), CS_LIT("")},
                       &answer, err));
    for (int i = 0; i < 2; i++)
        assert_ok(cs_upload_complete(&f->campaigns, &f->call, CS_LIT("c"),
                                     cs_buf_view(&id), CS_LIT("{}"), &answer, &f->faults,
                                     err));
    (void)snprintf(body, sizeof(body), "{\"final_state_upload\":\"%s\"}",
                   cs_buf_cstr(&id));
    for (int i = 0; i < 2; i++) { /* its parts are gone the second time */
        assert_int_equal(complete(f, "c", body, &report, NULL), CS_OK);
        assert_int_equal(report.replayed, i == 1);
    }
    cs_buf_clear(&answer);
    cs_buf_clear(&id);
    cs_buf_clear(&bytes);
    assert_consistent(f);
}

/* ---- no memory ---- */

/* 256 bytes: the progress is an object */
#define TEXT_64   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG_TEXT TEXT_64 TEXT_64 TEXT_64 TEXT_64

static void whole_life(void *payload, const bool *failed)
{
    struct fixture *f = payload;
    struct cs_completion_report report;
    struct cs_record *record = NULL;
    struct cs_buf progress = CS_BUF_INIT(1u << 16);
    struct cs_removal removal;
    size_t appended;
    bool replayed;
    enum cs_code rc;

    cs_faults_clear(&f->faults);
    rc = cs_campaign_create(&f->campaigns, &f->call, CS_LIT(BODY("m")), CS_LIT("key"),
                            &record, &replayed, &f->faults, NULL);
    if (rc == CS_OK)
        rc = cs_campaign_progress(&f->campaigns, &f->call, CS_LIT("m"),
                                  CS_LIT("{\"current_step\":1,\"x\":\"" LONG_TEXT "\"}"),
                                  &progress, &f->faults, NULL);
    if (rc == CS_OK)
        rc = cs_campaign_interact(&f->campaigns, &f->call, CS_LIT("m"),
                                  CS_LIT("[{\"agent\":\"a\",\"message\":\"m\"}]"),
                                  CS_LIT(""), &appended, &f->faults, NULL);
    if (rc == CS_OK && (rc = put_file(f, "m", "website", "<p>", "", NULL)) == CS_OK &&
        (rc = put_file(f, "m", "pdf", "%PDF", "", NULL)) == CS_OK)
        rc = complete(f, "m", "{\"final_state\":{\"a\":[1]}}", &report, NULL);
    if (rc == CS_OK)
        rc = cs_campaign_remove(&f->campaigns, &f->call, CS_LIT("m"), &removal, NULL);
    if (rc != CS_OK && !*failed)
        fail_msg("%s without a failed allocation", cs_code_name(rc));
    cs_record_free(record);
    cs_buf_clear(&progress);
    failing_armed = false;
    /* Whatever came of it, a delete and a check leave a clean store. */
    rc = cs_campaign_remove(&f->campaigns, &f->call, CS_LIT("m"), &removal, NULL);
    assert_true(rc == CS_OK || rc == CS_ENOTFOUND);
    assert_consistent(f);
    f->call.now_us += 48ll * 3600 * CS_SECOND_US; /* the idempotency key expires */
}

static void test_every_allocation_fails_once(void **state)
{
    size_t allocations = failing_each(whole_life, *state);

    assert_true(!failing_works() || allocations > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_create_tells_all_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create_keeps_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idempotency, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_the_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expired_is_gone_at_the_second, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_completion_and_its_repeat, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_fields_are_kept, setup, teardown),
        cmocka_unit_test(test_artifacts_of_a_record),
        cmocka_unit_test_setup_teardown(test_artifacts_of_the_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failing_keeps_the_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_completion_under_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_completion_whose_answer_is_lost, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_record_names_what_is_there, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_completion_that_never_gets_through, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_two_completions_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delete_under_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upload_in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_allocation_fails_once, setup,
                                        teardown),
    };

    return cmocka_run_group_tests_name("campaign", tests, NULL, NULL);
}
