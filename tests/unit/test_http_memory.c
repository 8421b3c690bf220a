#include "config.h"

#include "failing_malloc.h"
#include "tokens.h"

#include "http/message.h"

/* Every allocation of requests, answers and identities fails once. */

struct sink {
    struct cs_view body;
    struct cs_buf sent;
};

static ssize_t sink_read(void *payload, char *to, size_t room)
{
    struct sink *sink = payload;
    size_t got = sink->body.len < room ? sink->body.len : room;

    memcpy(to, sink->body.ptr, got);
    sink->body = cs_view_from(sink->body, got);
    return (ssize_t)got;
}

static bool sink_write(void *payload, struct cs_view bytes)
{
    struct sink *sink = payload;
    bool kept_armed = failing_armed;

    failing_armed = false; /* this is the test's own */
    cs_buf_add(&sink->sent, bytes);
    failing_armed = kept_armed;
    return true;
}

static void handle(struct cs_request *request, struct cs_response *response)
{
    struct cs_buf text = CS_BUF_INIT(1000);
    struct cs_err err = CS_ERR_NONE;

    cs_response_status(response, 201);
    cs_response_header(response, "X-A", CS_LIT("1"));
    cs_response_header_fmt(response, "X-B", "%d", 2);
    if (cs_request_read_all(request, 500, &text, &err) != CS_OK ||
        cs_request_query_value(request, "q", &text, &err) != CS_OK ||
        cs_request_origin(request, &text, &err) != CS_OK) {
        assert_int_equal(err.code, CS_ENOMEM);
        cs_response_problem(response, 503, "Service Unavailable", "out_of_memory",
                            "Try again.");
    } else {
        cs_buf_add(cs_response_body(response), cs_buf_view(&text));
    }
    cs_buf_clear(&text);
}

static void exchange(void *payload, const bool *failed)
{
    static char method[] = "REQUEST_METHOD=POST", script[] = "SCRIPT_NAME=/api";
    static char path[] = "PATH_INFO=/x", query[] = "QUERY_STRING=q=b%20c";
    static char length[] = "CONTENT_LENGTH=5", host[] = "HTTP_HOST=c.example";
    static const struct cs_message_limits limits = {.params_max_bytes = 4096,
                                                    .budget_ms = 5000};
    char *envp[] = {method, script, path, query, length, host, NULL};
    struct sink sink = {.body = CS_LIT("hello"), .sent = CS_BUF_INIT(10000)};
    const struct cs_carrier carrier = {
        .payload = &sink, .read = sink_read, .write = sink_write};
    struct cs_err err = CS_ERR_NONE;
    struct cs_request *request = cs_request_new(envp, &carrier, &limits, &err);
    struct cs_response *response =
        request != NULL ? cs_response_new(request, &carrier, &err) : NULL;
    size_t *answers = payload;

    if (response != NULL) {
        handle(request, response);
        assert_int_equal(cs_response_finish(response, &err), CS_OK);
        /* whole, or saying that it could not be made: never a part */
        if (*failed)
            assert_true(cs_response_get_status(response) >= 500);
        else
            assert_true(cs_view_ends(cs_buf_view(&sink.sent),
                                     CS_LIT("\r\n\r\nhellob chttp://c.example")));
        (*answers)++;
    } else {
        assert_true(*failed);
        assert_int_equal(err.code, CS_ENOMEM);
    }
    cs_response_free(response);
    cs_request_free(request);
    cs_buf_clear(&sink.sent);
}

static void test_exchange(void **state)
{
    size_t answers = 0;
    size_t failures = failing_each(exchange, &answers);

    (void)state;
    if (failing_works())
        assert_true(failures >= 8);
    assert_true(answers >= 1);
}

struct identity_case {
    struct cs_buf token;
    char *key_set;
};

static void identify(void *payload, const bool *failed)
{
    const struct identity_case *given = payload;
    const struct cs_identity_options options = {.secret = CS_LIT(SECRET),
                                                .jwks_file = given->key_set,
                                                .issuer = "me",
                                                .audience = "here"};
    struct cs_err err = CS_ERR_NONE;
    struct cs_authenticator *a = cs_authenticator_new(&options, &err);
    struct cs_identity identity = {.user_id = NULL};

    if (a == NULL) {
        assert_true(*failed);
        /* a file that could not be read for want of memory is named as such */
        assert_true(err.code == CS_ENOMEM || err.code == CS_EINVAL);
        return;
    }
    for (int pass = 0; pass < 2; pass++) {
        if (cs_authenticate_token(a, cs_buf_view(&given->token), NOW_US,
                                  cs_deadline_in_ms(100), &identity, &err) == CS_OK) {
            assert_string_equal(identity.user_id, "u");
            assert_string_equal(identity.tenant, "acme");
        } else {
            /* not "bad token": that would sign the user out */
            assert_true(*failed);
            assert_int_equal(err.code, CS_ENOMEM);
            assert_null(identity.user_id);
            assert_null(identity.tenant);
        }
        cs_identity_clear(&identity);
        cs_err_clear(&err);
    }
    cs_authenticator_free(a);
}

static void test_identity(void **state)
{
    struct identity_case given = {.token = CS_BUF_INIT(TOKEN_MAX)};
    char path[] = "test_http_memory.XXXXXX";
    cjose_jwk_t *key = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
    char *json = cjose_jwk_to_json(key, false, NULL);
    struct cs_buf set = CS_BUF_INIT(TOKEN_MAX);
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0 && json != NULL);
    cs_buf_add_fmt(&set, "{\"keys\":[%s]}", json);
    assert_int_equal(cs_file_write_all(fd, cs_buf_view(&set)), 0);
    (void)close(fd);
    given.key_set = path;
    hs_token(&given.token, SECRET, CS_LIT("{\"alg\":\"HS256\"}"),
             CS_LIT("{\"sub\":\"u\",\"exp\":1700000060,\"iss\":\"me\",\"aud\":[\"here\"],"
                    "\"org\":\"acme\"}"));
    if (failing_works())
        assert_true(failing_each(identify, &given) >= 15);
    else
        (void)failing_each(identify, &given);
    (void)unlink(path);
    cjose_get_dealloc()(json);
    (void)cjose_jwk_release(key);
    cs_buf_clear(&set);
    cs_buf_clear(&given.token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_identity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
