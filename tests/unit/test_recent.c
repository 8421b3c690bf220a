/* What workers remember together: found again, grown, forgotten, pushed out; and a
 * process that is killed while it holds the lock. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/recent.h"
#include "unit.h"

static const struct cs_view table = CS_LIT_INIT("campaigns");

static struct cs_record make(const char *key, uint64_t revision, const char *detail)
{
    return (struct cs_record){.key = cs_view_cstr(key),
                              .revision = revision,
                              .user_id = CS_LIT("alice"),
                              .status = CS_LIT("running"),
                              .created_at = CS_LIT("2024-12-01T12:00:00.000000Z"),
                              .expires_at_us = 7,
                              .summary = CS_LIT("{\"a\":1}"),
                              .detail = cs_view_cstr(detail)};
}

static void keep(struct cs_recent *recent, const char *key, uint64_t revision,
                 const char *detail)
{
    const struct cs_record record = make(key, revision, detail);

    cs_recent_keep(recent, table, &record);
}

/* The log, or "-" where nothing is recalled. */
static const char *log_of(struct cs_recent *recent, const char *key, char out[256])
{
    struct cs_recall recall;

    (void)snprintf(out, 256, "-");
    if (cs_recent_recall(recent, table, cs_view_cstr(key), &recall, NULL) == CS_OK &&
        recall.whole)
        (void)snprintf(out, 256, "%zu %s", recall.log_count, cs_buf_cstr(&recall.log));
    cs_recall_clear(&recall);
    return out;
}

static void test_a_record_and_its_log(void **state)
{
    const struct cs_view two[] = {CS_LIT_INIT("{\"n\":1}"), CS_LIT_INIT("{\"n\":2}")};
    struct cs_recent *recent = cs_recent_new();
    struct cs_recall recall;
    char text[256];

    (void)state;
    assert_non_null(recent);
    keep(recent, "x", 1, "{\"d\":1}");
    assert_string_equal(log_of(recent, "x", text), "-"); /* the log is not known yet */
    cs_recent_keep_log(recent, table, CS_LIT("x"), CS_LIT(""), 0, 1);
    assert_string_equal(log_of(recent, "x", text), "0 []");
    assert_int_equal(cs_recent_mark(recent, table, CS_LIT("x"), NULL), 1);
    cs_recent_grow_log(recent, table, CS_LIT("x"), 1, two, 2, 2);
    assert_string_equal(log_of(recent, "x", text), "2 [{\"n\":1},{\"n\":2}]");
    keep(recent, "x", 2, "{\"d\":\"a longer one than it was before\"}");
    assert_string_equal(log_of(recent, "x", text), "2 [{\"n\":1},{\"n\":2}]");
    cs_recent_grow_log(recent, table, CS_LIT("x"), 2, two, 1, 3);
    assert_string_equal(log_of(recent, "x", text), "3 [{\"n\":1},{\"n\":2},{\"n\":1}]");

    assert_int_equal(cs_recent_recall(recent, table, CS_LIT("x"), &recall, NULL), CS_OK);
    assert_int_equal(recall.record->revision, 2);
    assert_int_equal(recall.record->log_mark, 3);
    assert_int_equal(recall.record->expires_at_us, 7);
    assert_true(cs_view_eq(recall.record->key, CS_LIT("x")));
    assert_true(cs_view_eq(recall.record->user_id, CS_LIT("alice")));
    assert_true(cs_view_eq(recall.record->summary, CS_LIT("{\"a\":1}")));
    assert_true(cs_view_eq(recall.record->detail,
                           CS_LIT("{\"d\":\"a longer one than it was before\"}")));
    cs_recall_clear(&recall);
    cs_recent_free(recent);
}

/* What the record says of its log is remembered without the log. */
static void test_a_record_alone(void **state)
{
    const struct cs_view one = CS_LIT("{}");
    struct cs_recent *recent = cs_recent_new();
    struct cs_record record = make("x", 1, "{}");
    struct cs_recall recall;

    (void)state;
    assert_non_null(recent);
    for (uint64_t mark = 0; mark < 10; mark += 5) {
        record.log_mark = mark;
        cs_recent_keep(recent, table, &record);
        assert_int_equal(cs_recent_recall(recent, table, CS_LIT("x"), &recall, NULL),
                         CS_OK);
        assert_false(recall.whole);
        assert_int_equal(recall.record->log_mark, mark);
        cs_recall_clear(&recall);
    }
    cs_recent_grow_log(recent, table, CS_LIT("x"), 5, &one, 1, 7);
    assert_int_equal(cs_recent_recall(recent, table, CS_LIT("x"), &recall, NULL), CS_OK);
    assert_false(recall.whole);
    assert_int_equal(recall.record->log_mark, 7);
    cs_recall_clear(&recall);
    cs_recent_free(recent);
}

static void test_what_is_not_remembered(void **state)
{
    const struct cs_view one = CS_LIT("{}");
    struct cs_recent *recent = cs_recent_new();
    struct cs_record other = make("x", 1, "{}");
    struct cs_recall recall;
    char text[256];

    (void)state;
    assert_non_null(recent);
    keep(recent, "x", 3, "{}");
    cs_recent_keep_log(recent, table, CS_LIT("x"), CS_LIT("{}"), 1, 5);
    /* another table, another end of the log, a campaign made anew, another's record */
    assert_int_equal(
        cs_recent_recall(recent, CS_LIT("other"), CS_LIT("x"), &recall, NULL),
        CS_ENOTFOUND);
    cs_recent_grow_log(recent, table, CS_LIT("x"), 6, &one, 1, 7);
    assert_string_equal(log_of(recent, "x", text), "-");
    cs_recent_keep_log(recent, table, CS_LIT("x"), CS_LIT("{}"), 1, 5);
    other.created_at = CS_LIT("2024-12-02T12:00:00.000000Z");
    cs_recent_keep(recent, table, &other);
    assert_string_equal(log_of(recent, "x", text), "-");
    keep(recent, "y", 0, "{}");
    cs_recent_keep_log(recent, table, CS_LIT("y"), CS_LIT(""), 0, 1);
    assert_string_equal(log_of(recent, "y", text), "-");
    keep(recent, "#idempotency/y", 1, "{}");
    assert_int_equal(
        cs_recent_recall(recent, table, CS_LIT("#idempotency/y"), &recall, NULL),
        CS_ENOTFOUND);

    cs_recent_keep_log(recent, table, CS_LIT("x"), CS_LIT(""), 0, 1);
    cs_recent_forget(recent, table, CS_LIT("x"));
    assert_string_equal(log_of(recent, "x", text), "-");
    cs_recent_free(recent);

    /* without memory all is a no */
    keep(NULL, "x", 1, "{}");
    cs_recent_forget(NULL, table, CS_LIT("x"));
    assert_string_equal(log_of(NULL, "x", text), "-");
}

/* What says that the log is another, or may be, is not passed over. */
static void test_a_log_that_may_be_another(void **state)
{
    static const struct {
        uint64_t revision;
        uint64_t log_mark;
        const char *extra;
        const char *log;
    } cases[] = {{5, 0, "", "1 [{}]"},
                 {6, 2, "", "1 [{}]"},
                 {4, 0, "", "-"},
                 {6, 3, "", "-"},
                 {6, 0, "{}", "-"}};
    const struct cs_view entry = CS_LIT("{}");

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_recent *recent = cs_recent_new();
        struct cs_record record = make("x", cases[i].revision, "{}");
        struct cs_recall recall;
        char text[256];

        assert_non_null(recent);
        keep(recent, "x", 5, "{}");
        cs_recent_keep_log(recent, table, CS_LIT("x"), entry, 1, 2);
        record.log_mark = cases[i].log_mark;
        record.extra = cs_view_cstr(cases[i].extra);
        cs_recent_keep(recent, table, &record);
        assert_string_equal(log_of(recent, "x", text), cases[i].log);
        assert_int_equal(cs_recent_recall(recent, table, CS_LIT("x"), &recall, NULL),
                         record.extra.len > 0 ? CS_ENOTFOUND : CS_OK);
        cs_recall_clear(&recall);
        cs_recent_free(recent);
    }
}

static void test_what_is_too_large(void **state)
{
    struct cs_recent *recent = cs_recent_new();
    char *large = calloc(1, CS_RECENT_ENTRY_BYTES);
    char text[256];
    struct cs_view entry;

    (void)state;
    assert_non_null(recent);
    assert_non_null(large);
    memset(large, 'x', CS_RECENT_ENTRY_BYTES - 1);
    keep(recent, "x", 1, "{}");
    cs_recent_keep_log(recent, table, CS_LIT("x"), CS_LIT(""), 0, 1);
    entry = cs_view_cstr(large);
    cs_recent_grow_log(recent, table, CS_LIT("x"), 1, &entry, 1, 2);
    assert_string_equal(log_of(recent, "x", text), "-");
    cs_recent_keep_log(recent, table, CS_LIT("x"), entry, 1, 2);
    assert_string_equal(log_of(recent, "x", text), "-");
    cs_recent_keep_log(recent, table, CS_LIT("x"), CS_LIT("1"), 1, 1);
    keep(recent, "x", 2, large);
    assert_string_equal(log_of(recent, "x", text), "-");
    free(large);
    cs_recent_free(recent);
}

static void test_the_least_used_makes_room(void **state)
{
    struct cs_recent *recent = cs_recent_new();
    char key[32];
    size_t found = 0;

    (void)state;
    assert_non_null(recent);
    for (unsigned i = 0; i < 2 * CS_RECENT_ENTRIES; i++) {
        (void)snprintf(key, sizeof(key), "c%u", i);
        keep(recent, key, 1, "{}");
        cs_recent_keep_log(recent, table, cs_view_cstr(key), CS_LIT(""), 0, 1);
        assert_int_equal(cs_recent_mark(recent, table, CS_LIT("c0"), NULL), 1); /* used */
    }
    for (unsigned i = 0; i < 2 * CS_RECENT_ENTRIES; i++) {
        (void)snprintf(key, sizeof(key), "c%u", i);
        found += cs_recent_mark(recent, table, cs_view_cstr(key), NULL) != 0;
    }
    assert_int_equal(found, CS_RECENT_ENTRIES);
    cs_recent_free(recent);
}

static void work_for_ever(struct cs_recent *recent)
{
    const struct cs_view one = CS_LIT("{}");

    for (uint64_t i = 1;; i++) {
        keep(recent, "x", i, "{}");
        cs_recent_keep_log(recent, table, CS_LIT("x"), CS_LIT("{}"), 1, 1);
        cs_recent_grow_log(recent, table, CS_LIT("x"), 1, &one, 1, 2);
    }
}

/* Wherever it hits: the others go on, and what they see is whole. */
static void test_processes_are_killed(void **state)
{
    struct cs_recent *recent = cs_recent_new();
    char text[256];

    (void)state;
    assert_non_null(recent);
    for (int i = 0; i < 100; i++) {
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0)
            work_for_ever(recent);
        for (int k = 0; k < 20 + i; k++) {
            const char *log = log_of(recent, "x", text);

            assert_true(strcmp(log, "-") == 0 || strcmp(log, "1 [{}]") == 0 ||
                        strcmp(log, "2 [{},{}]") == 0);
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    keep(recent, "x", UINT64_MAX, "{}");
    cs_recent_keep_log(recent, table, CS_LIT("x"), CS_LIT(""), 0, 1);
    assert_string_equal(log_of(recent, "x", text), "0 []");
    cs_recent_free(recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_and_its_log),
        cmocka_unit_test(test_a_record_alone),
        cmocka_unit_test(test_what_is_not_remembered),
        cmocka_unit_test(test_a_log_that_may_be_another),
        cmocka_unit_test(test_what_is_too_large),
        cmocka_unit_test(test_the_least_used_makes_room),
        cmocka_unit_test(test_processes_are_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
