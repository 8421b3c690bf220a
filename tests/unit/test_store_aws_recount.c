/* Counters are set right while others commit, and no commit is lost over it. */
#include "config.h"

#include <sys/wait.h>
#include <unistd.h>

#include "aws_server.h"

#define WRITERS 2u
#define EACH    25u

static int empty(void **state)
{
    (void)state;
    aws_server_empty();
    return 0;
}

static size_t count_record(void *payload, const struct cs_record *record,
                           struct cs_delta *out)
{
    (void)payload;
    out[0] = (struct cs_delta){CS_LIT("stats"), record->status, 1};
    return 1;
}

/* A record and its counter, as one. */
static enum cs_code create_counted(struct cs_store *store, const char *key)
{
    const struct cs_record record =
        record_of(key, "ann", "running", "2026-01-01T00:00:00.000000Z");
    const struct cs_write write = {CS_WRITE_CREATE, &record};
    const struct cs_delta delta = {CS_LIT("stats"), CS_LIT("running"), 1};
    const struct cs_transaction transaction = {&write, 1, &delta, 1};

    return store->ops->commit(store, &transaction, soon(), NULL);
}

static int write_many(unsigned number, aws_server_settings settings)
{
    struct cs_store *store = aws_server_store(settings);
    enum cs_code rc = CS_OK;

    for (unsigned i = 0; i < EACH && rc == CS_OK; i++) {
        char key[32];

        if (snprintf(key, sizeof(key), "w%u-%u", number, i) < 0)
            return 1;
        /* the two writers and the recount are in each other's way */
        do {
            rc = create_counted(store, key);
        } while (rc == CS_EBUSY);
    }
    store->ops->free(store);
    return rc == CS_OK ? 0 : 1;
}

static void recount_beside_writers(aws_server_settings settings)
{
    struct cs_store *store = aws_server_store(settings);
    pid_t children[WRITERS];
    unsigned left = WRITERS;
    enum cs_code rc;

    assert_int_equal(create_counted(store, "first"), CS_OK);
    store->ops->free(store); /* the writers take nothing of it with them */
    for (unsigned i = 0; i < WRITERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(write_many(i, settings));
    }
    store = aws_server_store(settings);
    while (left > 0) {
        rc = store->ops->recount(store, count_record, NULL, soon(), NULL);
        assert_true(rc == CS_OK || rc == CS_EBUSY);
        for (unsigned i = 0; i < WRITERS; i++) {
            int status;

            if (children[i] == 0 || waitpid(children[i], &status, WNOHANG) == 0)
                continue;
            assert_int_equal(status, 0);
            children[i] = 0;
            left--;
        }
    }
    assert_int_equal(counter(store, "stats", "running"), 1 + WRITERS * EACH);
    assert_ok(store->ops->recount(store, count_record, NULL, soon(), err));
    assert_int_equal(counter(store, "stats", "running"), 1 + WRITERS * EACH);
    store->ops->free(store);
}

static void test_beside_writers(void **state)
{
    static const char *const spread[] = {"DYNAMODB_COUNTER_SHARDS=4", NULL};

    (void)state;
    recount_beside_writers(NULL);
    aws_server_empty();
    recount_beside_writers(spread);
}

static void test_corrections(void **state)
{
    struct cs_store *store = aws_server_store(NULL);
    char name[32];

    (void)state;
    create(store, "a", "ann", "running", "2026-01-01T00:00:00.000000Z");
    assert_ok(add_to(store, "stats", "running", 41, err));
    for (unsigned i = 0; i < 50; i++) { /* more than one update takes */
        assert_true(snprintf(name, sizeof(name), "gone%u", i) > 0);
        assert_ok(add_to(store, "stats", name, (int64_t)i - 10, err));
    }
    assert_ok(add_to(store, "user/nobody", "running", -3, err));
    for (int round = 0; round < 2; round++) {
        assert_ok(store->ops->recount(store, count_record, NULL, soon(), err));
        assert_int_equal(counter(store, "stats", "running"), 1);
        assert_int_equal(counter(store, "stats", "gone49"), 0);
        assert_int_equal(counter(store, "stats", "gone0"), 0);
        assert_int_equal(counter(store, "user/nobody", "running"), 0);
    }
    store->ops->free(store);
}

/* Fewer shards than before: what the others hold counts no longer, and is gone when
 * there are more again. */
static void test_fewer_shards(void **state)
{
    static const char *const many[] = {"DYNAMODB_COUNTER_SHARDS=8", NULL};
    struct cs_store *wide = aws_server_store(many);
    struct cs_store *narrow = aws_server_store(NULL);

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        char key[16];

        assert_true(snprintf(key, sizeof(key), "c%u", i) > 0);
        assert_int_equal(create_counted(wide, key), CS_OK);
    }
    assert_int_equal(counter(wide, "stats", "running"), 20);
    assert_ok(narrow->ops->recount(narrow, count_record, NULL, soon(), err));
    assert_int_equal(counter(narrow, "stats", "running"), 20);
    assert_int_equal(counter(wide, "stats", "running"), 20);
    wide->ops->free(wide);
    narrow->ops->free(narrow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_beside_writers, empty),
        cmocka_unit_test_setup(test_corrections, empty),
        cmocka_unit_test_setup(test_fewer_shards, empty),
    };
    int missing = aws_server_missing();

    return missing != 0 ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
