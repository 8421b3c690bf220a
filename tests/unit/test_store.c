/* What every store must do, run on each of them: a new store is one more line in
 * `makers`. The tests are in store_suite_*.c. */
#include "config.h"

#include "store/store_local.h"
#include "store_suite.h"

static struct cs_store *make_local(const char *folder, enum cs_local_journal journal)
{
    const struct cs_store_local_options options = {.root = folder,
                                                   .bucket_name = "outputs",
                                                   .table_name = "campaigns",
                                                   .journal = journal};

    return cs_store_local_new(&options, NULL);
}

static struct cs_store *make_wal(const char *folder)
{
    return make_local(folder, CS_JOURNAL_WAL);
}

static struct cs_store *make_rollback(const char *folder)
{
    return make_local(folder, CS_JOURNAL_ROLLBACK);
}

static const struct {
    const char *name;
    struct cs_store *(*make)(const char *folder);
} makers[] = {
    {"local", make_wal},
    {"local, as on a network file system", make_rollback},
};

typedef int suite_fn(const char *store, struct fixture *fixture);

static suite_fn *const suites[] = {store_suite_records, store_suite_lists,
                                   store_suite_log, store_suite_objects};

int main(void)
{
    int failed = 0;

    for (size_t i = 0; i < CS_COUNT(makers); i++)
        for (size_t k = 0; k < CS_COUNT(suites); k++) {
            struct fixture fixture = {.make = makers[i].make};

            failed += suites[k](makers[i].name, &fixture);
        }
    return failed == 0 ? 0 : 1;
}
