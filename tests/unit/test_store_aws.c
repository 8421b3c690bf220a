/* The suites that every store must pass, on the AWS store against a stand-in for
 * S3 and DynamoDB. Skipped without one, but not where CI is set. */
#include "config.h"

#include "aws_server.h"
#include "store_suite.h"

static struct cs_store *make(const char *folder)
{
    struct cs_store *store = aws_server_store(NULL);
    struct cs_buf report = CS_BUF_INIT(65536);

    (void)folder;
    aws_server_empty();
    assert_ok(store->ops->init(store, &report, soon(), err));
    cs_buf_clear(&report);
    return store;
}

typedef int suite_fn(const char *store, struct fixture *fixture);

static suite_fn *const suites[] = {store_suite_records, store_suite_lists,
                                   store_suite_log, store_suite_objects};

int main(void)
{
    int failed = aws_server_missing();

    if (failed != 0)
        return failed;
    for (size_t k = 0; k < CS_COUNT(suites); k++) {
        struct fixture fixture = {.make = make};

        failed += suites[k]("aws", &fixture);
    }
    return failed == 0 ? 0 : 1;
}
