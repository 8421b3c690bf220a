/* The suites that every store must pass, on the AWS store against a stand-in for
 * S3 and DynamoDB. Skipped without one, but not where CI is set. */
#include "config.h"

#include "aws_server.h"
#include "store_suite.h"

static struct cs_store *make_with(aws_server_settings settings)
{
    struct cs_store *store = aws_server_store(settings);
    struct cs_buf report = CS_BUF_INIT(65536);

    aws_server_empty();
    assert_ok(store->ops->init(store, &report, soon(), err));
    cs_buf_clear(&report);
    return store;
}

static struct cs_store *make(const char *folder)
{
    (void)folder;
    return make_with(NULL);
}

/* Everything that the settings can spread or change, which nobody may notice. */
static struct cs_store *make_spread(const char *folder)
{
    static const char *const settings[] = {"DYNAMODB_STATUS_SHARDS=3", "S3_GZIP=true",
                                           "S3_CHECKSUM=md5", NULL};

    (void)folder;
    return make_with(settings);
}

/* Uploads in chunks, each signed. */
static struct cs_store *make_chunked(const char *folder)
{
    static const char *const settings[] = {"S3_PAYLOAD=chunked", "S3_GZIP=true", NULL};

    (void)folder;
    return make_with(settings);
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
        struct fixture spread = {.make = make_spread};
        struct fixture chunked = {.make = make_chunked};

        failed += suites[k]("aws", &fixture);
        failed += suites[k]("aws, spread", &spread);
        if (suites[k] == store_suite_objects)
            failed += suites[k]("aws, in chunks", &chunked);
    }
    return failed == 0 ? 0 : 1;
}
