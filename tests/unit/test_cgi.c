#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

#include "base/digest.h"
#include "http/cgi.h"

/* One request at a time, from a pipe to a file or a pipe. */

#define SILENCE_MS 100
#define BODY_MAX   (1u << 20)

struct fixture {
    int in[2];
    int out_fd;
    struct cs_cgi_options options;
    struct cs_buf answer;
};

static void echo(struct cs_request *request, struct cs_response *response)
{
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc =
        cs_request_read_all(request, BODY_MAX, cs_response_body(response), &err);

    if (rc != CS_OK) {
        cs_buf_reset(cs_response_body(response));
        cs_buf_add_cstr(cs_response_body(response), cs_code_name(rc));
    }
}

static void stream(struct cs_response *response)
{
    char block[10000];

    memset(block, 'x', sizeof(block));
    if (cs_response_start(response, 300 * sizeof(block), NULL) != CS_OK)
        return;
    for (int i = 0; i < 300; i++)
        if (cs_response_write(response, cs_view_of(block, sizeof(block)), NULL) != CS_OK)
            return;
}

static void handler(void *payload, struct cs_request *request,
                    struct cs_response *response)
{
    struct cs_view path = cs_request_path(request);

    (void)payload;
    cs_response_header(response, "Content-Type", CS_LIT("text/plain"));
    if (cs_view_eq(path, CS_LIT("/echo")))
        echo(request, response);
    else if (cs_view_eq(path, CS_LIT("/stream")))
        stream(response);
    else if (cs_view_eq(path, CS_LIT("/token")))
        cs_buf_add(cs_response_body(response),
                   cs_request_header(request, "Authorization"));
    else
        cs_buf_add(cs_response_body(response), CS_LIT("ok"));
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(pipe2(f->in, O_CLOEXEC), 0);
    f->out_fd = memfd_create("answer", MFD_CLOEXEC);
    assert_true(f->out_fd >= 0);
    cs_buf_init(&f->answer, 8u << 20);
    f->options = (struct cs_cgi_options){
        .serve = {.limits = {.params_max_bytes = 65536, .budget_ms = 5000},
                  .handler = handler},
        .in_fd = f->in[0],
        .out_fd = f->out_fd,
        .io_timeout_ms = SILENCE_MS,
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)close(f->in[0]);
    if (f->in[1] >= 0)
        (void)close(f->in[1]);
    (void)close(f->out_fd);
    cs_buf_clear(&f->answer);
    free(f);
    return 0;
}

static void send_body(struct fixture *f, struct cs_view bytes)
{
    assert_int_equal(write(f->in[1], bytes.ptr, bytes.len), bytes.len);
}

static void end_body(struct fixture *f)
{
    (void)close(f->in[1]);
    f->in[1] = -1;
}

static char **copy_list(const char *const *list)
{
    size_t count = 0;
    char **copy;

    while (list[count] != NULL)
        count++;
    copy = calloc(count + 1, sizeof(*copy));
    assert_non_null(copy);
    while (count-- > 0) {
        copy[count] = cs_view_dup(cs_view_cstr(list[count]));
        assert_non_null(copy[count]);
    }
    return copy;
}

static void free_list(char **list)
{
    for (char **item = list; *item != NULL; item++)
        free(*item);
    free(list);
}

/* Runs the request; the whole answer is in f->answer then. */
static enum cs_code run(struct fixture *f, const char *const *variables)
{
    char **envp = copy_list(variables);
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc = cs_cgi_run(&f->options, envp, &err);
    off_t size = lseek(f->out_fd, 0, SEEK_END);
    char *to;

    free_list(envp);
    if (size > 0) { /* a pipe has none */
        to = cs_buf_room(&f->answer, (size_t)size);
        assert_non_null(to);
        assert_int_equal(pread(f->out_fd, to, (size_t)size, 0), size);
        cs_buf_grew(&f->answer, (size_t)size);
    }
    return rc;
}

static void expect_status(struct fixture *f, const char *status)
{
    struct cs_view answer = cs_buf_view(&f->answer);

    if (!cs_view_starts(answer, CS_LIT("Status: ")) ||
        !cs_view_starts(cs_view_from(answer, 8), cs_view_cstr(status)))
        fail_msg("no %s: %.*s", status, CS_FMT(answer));
}

static void expect_body(struct fixture *f, const char *body)
{
    const char *at = strstr(cs_buf_cstr(&f->answer), "\r\n\r\n");

    assert_non_null(at);
    assert_string_equal(at + 4, body);
}

/* ---- what is a CGI request ---- */

static void test_asked(void **state)
{
    static const struct {
        const char *envp[4];
        bool asked, arguments;
    } cases[] = {
        {{"GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=GET", NULL}, true, false},
        {{"REQUEST_METHOD=GET", "QUERY_STRING=a=b", "GATEWAY_INTERFACE=CGI/1.2", NULL},
         true,
         false},
        {{"GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=GET", "QUERY_STRING=", NULL},
         true,
         false},
        {{"GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=GET",
          "QUERY_STRING=--set+LOG_FILE", NULL},
         true,
         true},
        {{"GATEWAY_INTERFACE=CGI/1.1", NULL}, false, false},
        {{"GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=", NULL}, false, false},
        {{"GATEWAY_INTERFACE=other", "REQUEST_METHOD=GET", NULL}, false, false},
        {{"XGATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=GET", NULL}, false, false},
        {{NULL}, false, false},
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        char **envp = copy_list(cases[i].envp);

        assert_int_equal(cs_cgi_asked(envp), cases[i].asked);
        assert_int_equal(cs_cgi_has_arguments(envp), cases[i].arguments);
        free_list(envp);
    }
}

static void test_arguments_are_refused(void **state)
{
    struct fixture *f = *state;
    char *envp[] = {(char *)"HTTP_X_REQUEST_ID=an-id", NULL};
    char text[1024] = "";

    cs_cgi_refuse_arguments(envp, f->out_fd);
    assert_true(pread(f->out_fd, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "Status: 400 "));
    assert_non_null(strstr(text, "query_malformed"));
    assert_non_null(strstr(text, "\r\nX-Request-Id: an-id\r\n"));
    assert_non_null(strstr(text, "\"request_id\":\"an-id\""));
}

/* ---- requests and answers ---- */

static void test_simple(void **state)
{
    static const char *const envp[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/", NULL};
    struct fixture *f = *state;

    assert_int_equal(run(f, envp), CS_OK);
    expect_status(f, "200 ");
    expect_body(f, "ok");
}

static void test_head_has_no_body(void **state)
{
    static const char *const envp[] = {"REQUEST_METHOD=HEAD", "REQUEST_URI=/", NULL};
    struct fixture *f = *state;

    assert_int_equal(run(f, envp), CS_OK);
    expect_status(f, "200 ");
    expect_body(f, "");
}

static void test_body_ends_at_its_length(void **state)
{
    static const char *const envp[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/echo",
                                       "CONTENT_LENGTH=5", NULL};
    struct fixture *f = *state;
    char rest[8] = "";

    send_body(f, CS_LIT("hello, world"));
    assert_int_equal(run(f, envp), CS_OK);
    expect_status(f, "200 ");
    expect_body(f, "hello");
    assert_int_equal(read(f->in[0], rest, 7), 7);
    assert_string_equal(rest, ", world");
}

/* Standard input may stay open behind the body, and where there is none. */
static void test_no_length_is_no_body(void **state)
{
    static const char *const envps[][4] = {
        {"REQUEST_METHOD=POST", "REQUEST_URI=/echo", NULL},
        {"REQUEST_METHOD=POST", "REQUEST_URI=/echo", "CONTENT_LENGTH=", NULL},
        {"REQUEST_METHOD=POST", "REQUEST_URI=/echo", "CONTENT_LENGTH=0", NULL},
    };

    for (size_t i = 0; i < CS_COUNT(envps); i++) {
        struct fixture *f = *state;

        send_body(f, CS_LIT("not ours"));
        assert_int_equal(run(f, envps[i]), CS_OK);
        expect_status(f, "200 ");
        expect_body(f, "");
        (void)tear_down(state);
        (void)set_up(state);
    }
}

static void test_chunked_is_refused(void **state)
{
    static const char *const envp[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/echo",
                                       "HTTP_TRANSFER_ENCODING=chunked", NULL};
    struct fixture *f = *state;

    send_body(f, CS_LIT("hello"));
    assert_int_equal(run(f, envp), CS_OK);
    expect_status(f, "411 ");
}

static void test_wrong_length_is_refused(void **state)
{
    static const char *const lengths[] = {"CONTENT_LENGTH=x", "CONTENT_LENGTH=-1",
                                          "CONTENT_LENGTH=5 ",
                                          "CONTENT_LENGTH=99999999999999999999"};

    for (size_t i = 0; i < CS_COUNT(lengths); i++) {
        struct fixture *f = *state;
        const char *const envp[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/echo",
                                    lengths[i], NULL};

        assert_int_equal(run(f, envp), CS_OK);
        expect_status(f, "400 ");
        (void)tear_down(state);
        (void)set_up(state);
    }
}

static void test_short_body(void **state)
{
    static const char *const envp[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/echo",
                                       "CONTENT_LENGTH=100", NULL};
    struct fixture *f = *state;

    send_body(f, CS_LIT("hello"));
    end_body(f);
    assert_int_equal(run(f, envp), CS_OK);
    expect_body(f, cs_code_name(CS_ESHORT));
}

static void test_silent_body(void **state)
{
    static const char *const envp[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/echo",
                                       "CONTENT_LENGTH=100", NULL};
    struct fixture *f = *state;

    send_body(f, CS_LIT("hello"));
    assert_int_equal(run(f, envp), CS_OK);
    expect_body(f, cs_code_name(CS_ETIMEOUT));
}

/* A handler that has no use for the body. */
static void test_unread_body(void **state)
{
    static const char *const envp[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/",
                                       "CONTENT_LENGTH=40000", NULL};
    struct fixture *f = *state;
    char rest[40000];

    memset(rest, 'x', sizeof(rest));
    send_body(f, cs_view_of(rest, sizeof(rest)));
    assert_int_equal(run(f, envp), CS_OK);
    expect_body(f, "ok");
    assert_int_equal(fcntl(f->in[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(read(f->in[0], rest, 1), -1); /* it is taken all the same */
}

static void test_token_that_apache_moved(void **state)
{
    static const char *const envp[] = {
        "REQUEST_METHOD=GET", "REQUEST_URI=/token",
        "HTTP_AUTHORIZATION=", "REDIRECT_HTTP_AUTHORIZATION=Bearer a", NULL};
    struct fixture *f = *state;

    assert_int_equal(run(f, envp), CS_OK);
    expect_body(f, "Bearer a");
}

static void test_too_large_headers(void **state)
{
    struct fixture *f = *state;
    const char *envp[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/", NULL, NULL};
    char *large = malloc(70001);

    assert_non_null(large);
    memset(large, 'x', 70000);
    large[70000] = '\0';
    memcpy(large, "HTTP_X=", 7);
    envp[2] = large;
    assert_int_equal(run(f, envp), CS_OK);
    expect_status(f, "431 ");
    free(large);
}

/* ---- answers that can't be sent ---- */

static void use_pipe(struct fixture *f, int *read_end)
{
    int out[2];

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    (void)close(f->out_fd);
    f->out_fd = f->options.out_fd = out[1];
    *read_end = out[0];
}

static void test_client_that_left(void **state)
{
    static const char *const envp[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/stream", NULL};
    struct fixture *f = *state;
    int read_end;

    use_pipe(f, &read_end);
    (void)close(read_end);
    assert_int_equal(run(f, envp), CS_EGONE);
}

static void test_client_that_does_not_read(void **state)
{
    static const char *const envp[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/stream", NULL};
    struct fixture *f = *state;
    int read_end;

    use_pipe(f, &read_end);
    assert_int_equal(run(f, envp), CS_EGONE);
    (void)close(read_end);
}

static void test_large_answer(void **state)
{
    static const char *const envp[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/stream", NULL};
    struct fixture *f = *state;

    assert_int_equal(run(f, envp), CS_OK);
    expect_status(f, "200 ");
    assert_true(f->answer.len > 3000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked),
        cmocka_unit_test_setup_teardown(test_arguments_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_simple, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head_has_no_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_body_ends_at_its_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_length_is_no_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_chunked_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_length_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_short_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silent_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unread_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_token_that_apache_moved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_large_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_client_that_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_client_that_does_not_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_large_answer, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
