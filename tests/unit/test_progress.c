#include "config.h"

#include "campaign_fixture.h"

#include <stdio.h>

#include "campaign/lifecycle.h"
#include "campaign/progress.h"
#include "json/scan.h"

/* A long progress is an object; whatever fails, the record names one that is there, and
 * what it does not name is removed, or known to fsck. */

/* ---- what tests do often ---- */

static enum cs_code tell(struct fixture *f, int step, bool is_long, struct cs_err *err)
{
    struct cs_buf told = CS_BUF_INIT(2 * CS_PROGRESS_BYTES_MAX);
    char body[400];
    enum cs_code rc;

    (void)snprintf(body, sizeof(body), "{\"current_step\":%d,\"x\":\"%*s\"}", step,
                   is_long ? 300 : 1, "");
    cs_faults_clear(&f->faults);
    f->call.now_us += CS_SECOND_US;
    rc = cs_campaign_progress(&f->campaigns, &f->call, CS_LIT("c"), cs_view_cstr(body),
                              &told, &f->faults, err);
    cs_buf_clear(&told);
    return rc;
}

static void fail_at(struct fixture *f, size_t call, enum cs_code answer, bool done)
{
    f->faulty.calls = 0;
    f->faulty.fail_at = call;
    f->faulty.answer = answer;
    f->faulty.lose_answer = done;
}

/* The progress that readers see is that of the step. */
static void assert_step(struct fixture *f, const char *step)
{
    struct cs_progress progress = CS_PROGRESS_NONE;
    struct cs_record *record = NULL;

    assert_ok(cs_progress_load(&f->campaigns, &f->call, CS_LIT("c"), CS_ACCESS_OWNER,
                               &record, &progress, err));
    assert_view(cs_json_slice(progress.json, "current_step"), step);
    assert_true(cs_view_eq(cs_campaign_updated_at(record),
                           cs_json_slice(progress.json, "last_update")));
    cs_progress_clear(&progress);
    cs_record_free(record);
}

/* Nothing is missing, and as many objects are left over. */
static void assert_left_over(struct fixture *f, size_t count)
{
    struct findings findings = find_and_repair(f);

    assert_int_equal(findings.of_kind[CS_FINDING_ORPHAN_OBJECT], count);
    assert_int_equal(findings.count, count);
}

/* ---- the tests ---- */

static void test_each_takes_the_place_of_the_one_before(void **state)
{
    static const bool are_long[] = {false, true, true, false, false, true, false};
    struct fixture *f = *state;
    char step[8];

    for (size_t i = 0; i < CS_COUNT(are_long); i++) {
        assert_ok(tell(f, (int)i, are_long[i], err));
        (void)snprintf(step, sizeof(step), "%zu", i);
        assert_step(f, step);
        assert_left_over(f, 0);
    }
}

/* Calls of a long one: its object, its commit. */
static void test_what_fails_leaves_what_was(void **state)
{
    static const struct {
        size_t call;
        enum cs_code answer;
        bool done;
        const char *step;
        size_t left_over;
    } cases[] = {
        {1, CS_OK, false, "1", 0},        /* never stored */
        {2, CS_EUPSTREAM, false, "1", 1}, /* stored, and nobody knows what came of it */
        {2, CS_EUPSTREAM, true, "2", 1},  /* the one before, which nobody removed */
        {2, CS_ENOTFOUND, false, "1", 0}, /* for sure not committed */
        {2, CS_ETOOBIG, false, "1", 0},
    };

    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct fixture *f;

        assert_int_equal(setup_campaign((void **)&f), 0);
        assert_ok(tell(f, 1, true, err));
        fail_at(f, cases[i].call, cases[i].answer, cases[i].done);
        assert_int_not_equal(tell(f, 2, true, NULL), CS_OK);
        fail_at(f, 0, CS_OK, false);
        assert_step(f, cases[i].step);
        assert_left_over(f, cases[i].left_over);
        assert_int_equal(teardown((void **)&f), 0);
    }
    (void)state;
}

/* The commit is done again after a conflict, whether it had been done or not. */
static void test_a_conflict_is_settled(void **state)
{
    static const bool done[] = {false, true};
    struct fixture *f = *state;

    assert_ok(tell(f, 1, true, err));
    for (size_t i = 0; i < CS_COUNT(done); i++) {
        fail_at(f, 2, CS_ECONFLICT, done[i]);
        assert_ok(tell(f, 2, true, err));
        assert_step(f, "2");
        assert_left_over(f, 0);
        fail_at(f, 1, CS_ECONFLICT, done[i]);
        assert_ok(tell(f, 3, false, err));
        assert_step(f, "3");
        assert_left_over(f, 0);
        assert_ok(tell(f, 4, true, err));
    }
    fail_at(f, 0, CS_OK, false);
}

static void test_of_another_or_ended_nothing_is_stored(void **state)
{
    struct fixture *f = *state;

    f->call.user_id = CS_LIT("bob");
    assert_int_equal(tell(f, 1, true, NULL), CS_ENOTFOUND);
    f->call.user_id = CS_LIT("alice");
    assert_left_over(f, 0);
    assert_ok(tell(f, 1, true, err));
    assert_ok(cs_campaign_fail(&f->campaigns, &f->call, CS_LIT("c"),
                               CS_LIT("{\"error\":\"x\"}"), &f->faults, err));
    fail_at(f, 1, CS_OK, false); /* a put would fail otherwise than by the status */
    assert_int_equal(tell(f, 2, true, NULL), CS_ECONFLICT);
    fail_at(f, 0, CS_OK, false);
    assert_left_over(f, 0);
}

/* A reader whose record was overtaken reads again; one whose object is lost is told. */
static void test_an_object_that_is_gone(void **state)
{
    struct fixture *f = *state;
    struct cs_progress progress = CS_PROGRESS_NONE;
    struct cs_record *before = NULL;
    struct cs_record *record = NULL;
    struct cs_err why = CS_ERR_NONE;
    struct cs_delete_report report;

    assert_ok(tell(f, 1, true, err));
    assert_ok(cs_campaign_load(&f->campaigns, &f->call, CS_LIT("c"), CS_ACCESS_OWNER,
                               false, &before, err));
    assert_ok(tell(f, 2, true, err));
    assert_int_equal(
        cs_progress_read(&f->campaigns, before, &progress, f->call.deadline, NULL),
        CS_ECONFLICT);
    cs_record_free(before);
    assert_ok(f->faulty.inner->ops->delete_prefix(f->faulty.inner,
                                                  CS_LIT("campaigns/c/progress/"),
                                                  &report, f->call.deadline, err));
    assert_int_equal(cs_progress_load(&f->campaigns, &f->call, CS_LIT("c"),
                                      CS_ACCESS_OWNER, &record, &progress, &why),
                     CS_EUPSTREAM);
    assert_non_null(strstr(why.text, "fsck"));
    assert_null(record);
    cs_progress_clear(&progress);
    assert_ok(tell(f, 3, true, err));
    assert_step(f, "3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_takes_the_place_of_the_one_before,
                                        setup_campaign, teardown),
        cmocka_unit_test(test_what_fails_leaves_what_was),
        cmocka_unit_test_setup_teardown(test_a_conflict_is_settled, setup_campaign,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_of_another_or_ended_nothing_is_stored,
                                        setup_campaign, teardown),
        cmocka_unit_test_setup_teardown(test_an_object_that_is_gone, setup_campaign,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
