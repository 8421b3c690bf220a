/* tests/unit/store_suite.h: the parts of the test that every store must pass. */
#ifndef CS_TESTS_STORE_SUITE_H
#define CS_TESTS_STORE_SUITE_H

#include "store_helpers.h"
#include "unit_folder.h"

/* Each test of a suite begins with an empty store. */
struct fixture {
    struct cs_store *(*make)(const char *folder); /* a new store; the folder is empty */
    char *folder;
    struct cs_store *store;
};

/* Each runs its tests on the store that fixture->make() makes, and returns how
 * many failed. */
int store_suite_records(const char *store, struct fixture *fixture);
int store_suite_lists(const char *store, struct fixture *fixture);
int store_suite_log(const char *store, struct fixture *fixture);
int store_suite_objects(const char *store, struct fixture *fixture);

static inline int fixture_begin(void **state)
{
    struct fixture *fixture = *state;

    fixture->folder = unit_folder_make();
    fixture->store = fixture->make(fixture->folder);
    assert_non_null(fixture->store);
    return 0;
}

static inline int fixture_end(void **state)
{
    struct fixture *fixture = *state;

    fixture->store->ops->free(fixture->store);
    unit_folder_remove(fixture->folder);
    return 0;
}

static inline struct cs_store *store_of(void **state)
{
    return ((struct fixture *)*state)->store;
}

#define TEST(name)                                       \
    {                                                    \
#name, name, fixture_begin, fixture_end, fixture \
    }

#define run_suite(store, suite, tests)            \
    (print_message("%s: %s\n", (store), (suite)), \
     cmocka_run_group_tests(tests, NULL, NULL))

#endif
