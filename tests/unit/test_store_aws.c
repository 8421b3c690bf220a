/* The suites that every store must pass, on the AWS store against a stand-in for
 * S3 and DynamoDB at CS_AWS_ENDPOINT (a moto server: it can be emptied between the
 * tests). Skipped without one, but not where CI is set. */
#include "config.h"

#include <signal.h>

#include "net/client.h"
#include "store/store_aws.h"
#include "store_suite.h"

static const char *setting(const void *payload, const char *name)
{
    static const struct {
        const char *name;
        const char *value;
    } settings[] = {
        {"AWS_REGION", "ca-central-1"},
        {"AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"},
        {"AWS_SECRET_ACCESS_KEY", "test-secret"},
    };

    (void)payload;
    if (strcmp(name, "AWS_ENDPOINT_URL") == 0)
        return getenv("CS_AWS_ENDPOINT");
    for (size_t i = 0; i < CS_COUNT(settings); i++)
        if (strcmp(name, settings[i].name) == 0)
            return settings[i].value;
    return NULL;
}

static void empty_the_server(void)
{
    const struct cs_net_options options = {.connect_timeout_ms = 2000};
    struct cs_net_client *client = cs_net_client_new(&options, NULL);
    struct cs_net_response response;
    char url[256];
    const struct cs_net_request request = {
        .method = "POST", .url = url, .deadline = cs_deadline_in_ms(10000)};

    assert_non_null(client);
    assert_true(
        snprintf(url, sizeof(url), "%s/moto-api/reset", getenv("CS_AWS_ENDPOINT")) > 0);
    cs_net_response_init(&response, 65536);
    assert_ok(cs_net_perform(client, &request, &response, err));
    assert_int_equal(response.status, 200);
    cs_net_response_clear(&response);
    cs_net_client_free(client);
}

static struct cs_store *make(const char *folder)
{
    const struct cs_store_aws_options options = {
        .bucket_name = "outputs", .table_name = "campaigns", .setting = setting};
    struct cs_store *store = cs_store_aws_new(&options, NULL);
    struct cs_buf report = CS_BUF_INIT(65536);

    (void)folder;
    assert_non_null(store);
    empty_the_server();
    assert_ok(store->ops->init(store, &report, soon(), err));
    cs_buf_clear(&report);
    return store;
}

typedef int suite_fn(const char *store, struct fixture *fixture);

static suite_fn *const suites[] = {store_suite_records, store_suite_lists,
                                   store_suite_log, store_suite_objects};

int main(void)
{
    int failed = 0;

    if (getenv("CS_AWS_ENDPOINT") == NULL) {
        print_message("CS_AWS_ENDPOINT names no server: skipped\n");
        return getenv("CI") != NULL ? 1 : 77;
    }
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
    for (size_t k = 0; k < CS_COUNT(suites); k++) {
        struct fixture fixture = {.make = make};

        failed += suites[k]("aws", &fixture);
    }
    return failed == 0 ? 0 : 1;
}
