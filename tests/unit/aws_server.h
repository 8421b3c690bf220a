/* tests/unit/aws_server.h: the stand-in for S3 and DynamoDB at CS_AWS_ENDPOINT (a moto
 * server: it can be emptied), stores on it, and clients that see what they wrote. */
#ifndef CS_TESTS_AWS_SERVER_H
#define CS_TESTS_AWS_SERVER_H

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>

#include "aws/dynamodb.h"
#include "aws/s3.h"
#include "store/store_aws.h"
#include "store_helpers.h"

/* "NAME=value" texts, NULL at the end: on top of the settings that all tests need. */
typedef const char *const *aws_server_settings;

static inline const char *aws_server_setting(const void *payload, const char *name)
{
    static const char *const always[] = {"AWS_REGION=ca-central-1",
                                         "AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
                                         "AWS_SECRET_ACCESS_KEY=test-secret", NULL};
    const char *const *const lists[] = {payload, always};
    size_t len = strlen(name);

    if (strcmp(name, "AWS_ENDPOINT_URL") == 0)
        return getenv("CS_AWS_ENDPOINT");
    for (size_t i = 0; i < CS_COUNT(lists); i++)
        for (const char *const *at = lists[i]; at != NULL && *at != NULL; at++)
            if (strncmp(*at, name, len) == 0 && (*at)[len] == '=')
                return *at + len + 1;
    return NULL;
}

static inline struct cs_store *aws_server_store(aws_server_settings settings)
{
    const struct cs_store_aws_options options = {.bucket_name = "outputs",
                                                 .table_name = "campaigns",
                                                 .setting = aws_server_setting,
                                                 .payload = settings};
    struct cs_store *store = cs_store_aws_new(&options, NULL);

    assert_non_null(store);
    return store;
}

static inline void aws_server_empty(void)
{
    const struct cs_net_options options = {.connect_timeout_ms = 30000};
    struct cs_net_client *client = cs_net_client_new(&options, NULL);
    struct cs_net_response response;
    char url[256];
    const struct cs_net_request request = {
        .method = "POST", .url = url, .deadline = cs_deadline_in_ms(60000)};

    assert_non_null(client);
    assert_true(
        snprintf(url, sizeof(url), "%s/moto-api/reset", getenv("CS_AWS_ENDPOINT")) > 0);
    cs_net_response_init(&response, 65536);
    assert_ok(cs_net_perform(client, &request, &response, err));
    assert_int_equal(response.status, 200);
    cs_net_response_clear(&response);
    cs_net_client_free(client);
}

/* Clients of their own, that know nothing of a store. */
struct aws_server {
    struct cs_net_client *net;
    struct cs_aws_credentials *credentials;
    struct cs_aws *aws;
    struct cs_dynamodb *db;
    struct cs_s3 *s3;
};

static inline void aws_server_open(struct aws_server *server)
{
    const struct cs_net_options net = {.connect_timeout_ms = 30000};
    struct cs_aws_credentials_options credentials = {.setting = aws_server_setting,
                                                     .region = CS_LIT("ca-central-1")};
    struct cs_aws_options aws = {.log = NULL};
    struct cs_dynamodb_options db = {.region = "ca-central-1",
                                     .url = getenv("CS_AWS_ENDPOINT")};
    struct cs_s3_options s3 = {
        .region = "ca-central-1", .bucket = "outputs", .url = getenv("CS_AWS_ENDPOINT")};

    server->net = cs_net_client_new(&net, NULL);
    assert_non_null(server->net);
    credentials.net = aws.net = server->net;
    server->credentials = cs_aws_credentials_new(&credentials);
    assert_non_null(server->credentials);
    aws.credentials = server->credentials;
    server->aws = cs_aws_new(&aws);
    assert_non_null(server->aws);
    db.aws = s3.aws = server->aws;
    server->db = cs_dynamodb_new(&db, NULL);
    server->s3 = cs_s3_new(&s3, NULL);
    assert_non_null(server->db);
    assert_non_null(server->s3);
}

static inline void aws_server_close(struct aws_server *server)
{
    cs_s3_free(server->s3);
    cs_dynamodb_free(server->db);
    cs_aws_free(server->aws);
    cs_aws_credentials_free(server->credentials);
    cs_net_client_free(server->net);
}

/* The answer of a call that must succeed. Freed by cs_json_free(). */
static inline struct cs_json *aws_server_ask(struct aws_server *server,
                                             const char *operation, const char *body)
{
    struct cs_json *answer = NULL;

    assert_ok(cs_dynamodb_call(server->db, operation, CS_LIT("campaigns"), text(body),
                               &answer, soon(), err));
    return answer;
}

static inline void aws_server_do(struct aws_server *server, const char *operation,
                                 const char *body)
{
    cs_json_free(aws_server_ask(server, operation, body));
}

/* Exit status of a test program that can't run, or 0. */
static inline int aws_server_missing(void)
{
    if (getenv("CS_AWS_ENDPOINT") != NULL) {
        /* programs that empty one server take turns: the lock is held until the end */
        int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (folder < 0 || flock(folder, LOCK_EX) != 0)
            return 1;
        return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? 1 : 0;
    }
    print_message("CS_AWS_ENDPOINT names no server: skipped\n");
    return getenv("CI") != NULL ? 1 : 77;
}

#endif
