#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "unit.h"

#include "base/digest.h"
#include "fcgi_client.h"
#include "http/server.h"

/* A real server loop in a child, on a socket in a folder of its own. Under the
 * sanitizers a fault in the child shows as its exit status. It has time, except where
 * its limits are what is tested: see in_haste(). */

#define IDLE_MS    400
#define SILENCE_MS 400
#define LATE_MS    FCGI_LATE_MS

static volatile sig_atomic_t stop_asked, log_asked;

static void on_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

struct fixture {
    char folder[32];
    char socket[64];
    int listen_fd;
    int begun[2]; /* where /slow says so */
    pid_t pid;
    struct cs_server_options options;
};

/* What the routes of the tests do. */
static void echo(struct cs_request *request, struct cs_response *response)
{
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc =
        cs_request_read_all(request, 16u << 20, cs_response_body(response), &err);

    if (rc != CS_OK) {
        cs_buf_reset(cs_response_body(response));
        cs_buf_add_cstr(cs_response_body(response), cs_code_name(rc));
    }
    cs_response_status(response, rc == CS_OK         ? 200
                                 : rc == CS_ETIMEOUT ? 408
                                 : rc == CS_ETOOBIG  ? 413
                                                     : 400);
}

static void stream(struct cs_response *response, size_t announced, size_t sent)
{
    char block[10000];

    memset(block, 'x', sizeof(block));
    if (cs_response_start(response, announced, NULL) != CS_OK)
        return;
    while (sent > 0) {
        size_t step = sent < sizeof(block) ? sent : sizeof(block);

        if (cs_response_write(response, cs_view_of(block, step), NULL) != CS_OK)
            return;
        sent -= step;
    }
}

static void show_environment(const struct cs_request *request,
                             struct cs_response *response)
{
    cs_buf_add_fmt(cs_response_body(response), "%s|%.*s",
                   getenv("HTTP_PROXY") != NULL ? "set" : "unset",
                   CS_FMT(cs_request_header(request, "Proxy")));
}

/* Says that it has begun, and takes a while. */
static void be_slow(const struct fixture *f)
{
    if (write(f->begun[1], "b", 1) == 1)
        (void)poll(NULL, 0, 300);
}

static void handler(void *payload, struct cs_request *request,
                    struct cs_response *response)
{
    struct cs_view path = cs_request_path(request);

    cs_response_header(response, "Content-Type", CS_LIT("text/plain"));
    if (cs_view_eq(path, CS_LIT("/echo")))
        echo(request, response);
    else if (cs_view_eq(path, CS_LIT("/stream")))
        stream(response, 3000000, 3000000);
    else if (cs_view_eq(path, CS_LIT("/broken")))
        stream(response, 3000000, 1000000);
    else if (cs_view_eq(path, CS_LIT("/environment")))
        show_environment(request, response);
    else if (cs_view_eq(path, CS_LIT("/refuse")))
        cs_response_status(response, 401);
    else if (cs_view_eq(path, CS_LIT("/slow")))
        be_slow(payload);
    else
        cs_buf_add(cs_response_body(response), CS_LIT("ok"));
}

/* SIGTERM is blocked across the fork, so that none comes before there is a handler. */
static void start(struct fixture *f)
{
    struct sigaction stop = {.sa_handler = on_stop};
    struct cs_err err = CS_ERR_NONE;
    sigset_t heard, before;

    sigemptyset(&heard);
    sigaddset(&heard, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &heard, &before), 0);
    f->options.wait_mask = before;
    fflush(NULL);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)sigaction(SIGTERM, &stop, NULL);
        _exit((int)cs_server_run(&f->options, &err));
    }
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

/* The exit status of the server. */
static int wait_for_end(struct fixture *f)
{
    struct cs_deadline deadline = cs_deadline_in_ms(LATE_MS);
    int status = -1;
    pid_t got;

    while ((got = waitpid(f->pid, &status, WNOHANG)) == 0 &&
           cs_deadline_left_ms(deadline) > 0)
        (void)poll(NULL, 0, 2);
    if (got == 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, &status, 0);
        fail_msg("the server did not end within %d ms", LATE_MS);
    }
    f->pid = -1;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int stop(struct fixture *f)
{
    assert_int_equal(kill(f->pid, SIGTERM), 0);
    return wait_for_end(f);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    assert_non_null(f);
    memcpy(f->folder, "test_server.XXXXXX", sizeof("test_server.XXXXXX"));
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->socket, sizeof(f->socket), "%s/s", f->folder);
    memcpy(at.sun_path, f->socket, sizeof(f->socket));
    f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(f->listen_fd >= 0);
    assert_int_equal(bind(f->listen_fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(f->listen_fd, 64), 0);
    assert_int_equal(pipe2(f->begun, O_CLOEXEC), 0);
    f->options = (struct cs_server_options){
        .listen_fd = f->listen_fd,
        .serve = {.limits = {.params_max_bytes = 65536, .budget_ms = LATE_MS},
                  .handler = handler,
                  .handler_payload = f},
        .idle_connection_ms = LATE_MS,
        .io_timeout_ms = LATE_MS,
        .stop = &stop_asked,
        .reopen_log = &log_asked,
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->pid > 0)
        assert_int_equal(stop(f), CS_SERVER_STOPPED);
    (void)close(f->listen_fd);
    (void)close(f->begun[0]);
    (void)close(f->begun[1]);
    (void)unlink(f->socket);
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

static void get(struct fixture *f, const char *uri, struct fcgi_answer *answer)
{
    char param[256];
    const char *const params[] = {"REQUEST_METHOD=GET", param, "CONTENT_LENGTH=", NULL};

    snprintf(param, sizeof(param), "REQUEST_URI=%s", uri);
    fcgi_request(f->socket, params, CS_LIT(""), answer);
}

static void expect_alive(struct fixture *f)
{
    struct fcgi_answer answer;

    get(f, "/", &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.ended);
    assert_view(answer.body, "ok");
    fcgi_answer_clear(&answer);
}

/* ---- requests and answers ---- */

static void test_simple(void **state)
{
    struct fixture *f = *state;
    struct fcgi_answer answer;

    start(f);
    get(f, "/", &answer);
    assert_int_equal(answer.status, 200);
    assert_view(answer.body, "ok");
    assert_view(fcgi_header(&answer, "content-length"), "2");
    assert_int_equal(fcgi_header(&answer, "x-request-id").len, 32);
    fcgi_answer_clear(&answer);
}

static void test_body_round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, 8184, 8192, 65536, 3000001};
    struct fixture *f = *state;

    start(f);
    for (size_t i = 0; i < CS_COUNT(sizes); i++) {
        char *bytes = malloc(sizes[i] + 1), length[64];
        const char *const announced[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/echo",
                                         length, NULL};
        const char *const unannounced[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/echo",
                                           NULL};
        struct fcgi_answer answer;

        assert_non_null(bytes);
        assert_ok(cs_random_bytes(bytes, sizes[i], err));
        snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", sizes[i]);
        for (int pass = 0; pass < 2; pass++) {
            fcgi_request(f->socket, pass == 0 ? announced : unannounced,
                         cs_view_of(bytes, sizes[i]), &answer);
            assert_int_equal(answer.status, 200);
            assert_int_equal(answer.body.len, sizes[i]);
            assert_memory_equal(answer.body.ptr, bytes, sizes[i]);
            fcgi_answer_clear(&answer);
        }
        free(bytes);
    }
}

static void test_short_body(void **state)
{
    static const char *const params[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/echo",
                                         "CONTENT_LENGTH=100", NULL};
    struct fixture *f = *state;
    struct fcgi_answer answer;

    start(f);
    fcgi_request(f->socket, params, CS_LIT("only this"), &answer);
    assert_int_equal(answer.status, 400);
    assert_view(answer.body, "short_body");
    fcgi_answer_clear(&answer);
}

static void test_bad_length(void **state)
{
    static const char *const lengths[] = {"CONTENT_LENGTH=-1", "CONTENT_LENGTH=1x",
                                          "CONTENT_LENGTH=99999999999999999999",
                                          "CONTENT_LENGTH=9223372036854775808"};
    struct fixture *f = *state;

    start(f);
    for (size_t i = 0; i < CS_COUNT(lengths); i++) {
        const char *const params[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/echo",
                                      lengths[i], NULL};
        struct fcgi_answer answer;

        fcgi_request(f->socket, params, CS_LIT("abc"), &answer);
        assert_int_equal(answer.status, 400);
        assert_true(cs_view_find(answer.body, CS_LIT("request_malformed")) != SIZE_MAX);
        fcgi_answer_clear(&answer);
    }
}

/* 65536 is the limit: one header just below passes, one above is told so. */
static void test_large_params(void **state)
{
    static const struct {
        size_t value;
        int status;
    } cases[] = {{60000, 200}, {70000, 431}, {1000000, 431}};
    struct fixture *f = *state;

    start(f);
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        char *param = malloc(cases[i].value + 32);
        const char *const params[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/", param,
                                      "HTTP_LAST=1", NULL};
        struct fcgi_answer answer;

        assert_non_null(param);
        memcpy(param, "HTTP_BIG=", 9);
        memset(param + 9, 'a', cases[i].value);
        param[9 + cases[i].value] = '\0';
        fcgi_request(f->socket, params, CS_LIT(""), &answer);
        assert_int_equal(answer.status, cases[i].status);
        assert_true(answer.ended);
        fcgi_answer_clear(&answer);
        free(param);
    }
    expect_alive(f);
}

static void test_stream(void **state)
{
    struct fixture *f = *state;
    struct fcgi_answer answer;

    start(f);
    get(f, "/stream", &answer);
    assert_int_equal(answer.body.len, 3000000);
    assert_true(answer.ended);
    fcgi_answer_clear(&answer);
    /* What is shorter than announced must not look whole. */
    get(f, "/broken", &answer);
    assert_true(answer.body.len < 3000000);
    assert_false(answer.ended);
    fcgi_answer_clear(&answer);
}

static void test_client_gone(void **state)
{
    static const char *const params[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/stream",
                                         NULL};
    struct fixture *f = *state;

    start(f);
    for (int i = 0; i < 20; i++) {
        struct cs_buf sent = CS_BUF_INIT(FCGI_ANSWER_MAX);
        int fd = fcgi_connect(f->socket);

        fcgi_head(&sent, params);
        fcgi_stream(&sent, FCGI_STDIN, CS_LIT(""));
        assert_true(fcgi_send(fd, cs_buf_view(&sent)));
        (void)close(fd);
        cs_buf_clear(&sent);
    }
    expect_alive(f);
}

/* An answer that is made without reading the body arrives whole all the same. */
static void test_unread_body(void **state)
{
    static const char *const params[] = {"REQUEST_METHOD=PUT", "REQUEST_URI=/refuse",
                                         "CONTENT_LENGTH=5000000", NULL};
    struct fixture *f = *state;
    struct fcgi_answer answer;
    char *body = calloc(1, 5000000);

    assert_non_null(body);
    start(f);
    fcgi_request(f->socket, params, cs_view_of(body, 5000000), &answer);
    assert_int_equal(answer.status, 401);
    assert_true(answer.ended);
    fcgi_answer_clear(&answer);
    free(body);
}

/* A peer that stops within a record header is not waited for longer than others. */
static void test_unfinished_record(void **state)
{
    static const char *const params[] = {"REQUEST_METHOD=PUT", "REQUEST_URI=/refuse",
                                         NULL};
    struct fixture *f = *state;
    struct cs_buf sent = CS_BUF_INIT(FCGI_ANSWER_MAX);
    struct fcgi_answer answer;
    int fd;

    f->options.io_timeout_ms = 10 * LATE_MS;
    start(f);
    fd = fcgi_connect(f->socket);
    fcgi_head(&sent, params);
    fcgi_record(&sent, FCGI_STDIN, 1, CS_LIT("some"));
    cs_buf_add(&sent, CS_LIT("\1\5\0"));
    assert_true(fcgi_send(fd, cs_buf_view(&sent)));
    fcgi_receive(fd, &answer); /* long before that limit */
    assert_int_equal(answer.status, 401);
    assert_true(answer.ended);
    fcgi_answer_clear(&answer);
    cs_buf_clear(&sent);
    (void)close(fd);
}

static void test_environment(void **state)
{
    static const char *const params[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/environment",
                                         "HTTP_PROXY=http://evil.example", NULL};
    struct fixture *f = *state;
    struct fcgi_answer answer;

    start(f);
    fcgi_request(f->socket, params, CS_LIT(""), &answer);
    assert_view(answer.body, "unset|http://evil.example");
    fcgi_answer_clear(&answer);
}

static void test_keep_connection_refused(void **state)
{
    static const char begin[8] = {0, 1, 1, 0, 0, 0, 0, 0}; /* FCGI_KEEP_CONN */
    struct fixture *f = *state;
    struct cs_buf sent = CS_BUF_INIT(FCGI_ANSWER_MAX),
                  pairs = CS_BUF_INIT(FCGI_ANSWER_MAX);
    struct fcgi_answer answer;
    int fd;

    start(f);
    fd = fcgi_connect(f->socket);
    fcgi_pair(&pairs, "REQUEST_METHOD=GET");
    fcgi_pair(&pairs, "REQUEST_URI=/");
    fcgi_record(&sent, FCGI_BEGIN, 1, cs_view_of(begin, 8));
    fcgi_stream(&sent, FCGI_PARAMS, cs_buf_view(&pairs));
    fcgi_stream(&sent, FCGI_STDIN, CS_LIT(""));
    assert_true(fcgi_send(fd, cs_buf_view(&sent)));
    fcgi_receive(fd, &answer); /* returns when the server closes */
    assert_int_equal(answer.status, 200);
    assert_true(answer.ended);
    fcgi_answer_clear(&answer);
    cs_buf_clear(&sent);
    cs_buf_clear(&pairs);
    (void)close(fd);
}

/* ---- time ---- */

static void in_haste(struct fixture *f)
{
    f->options.idle_connection_ms = IDLE_MS;
    f->options.io_timeout_ms = SILENCE_MS;
}

/* Since `began_us`, which was before the server knew of the connection. */
static int64_t ms_until_closed(int fd, int64_t began_us)
{
    struct cs_buf raw = CS_BUF_INIT(FCGI_ANSWER_MAX);

    fcgi_receive_raw(fd, &raw);
    cs_buf_clear(&raw);
    return (cs_clock_monotonic_us() - began_us) / 1000;
}

static void test_idle_connection(void **state)
{
    struct fixture *f = *state;
    int64_t began_us = cs_clock_monotonic_us();
    int fd;

    in_haste(f);
    start(f);
    fd = fcgi_connect(f->socket);
    assert_in_range(ms_until_closed(fd, began_us), IDLE_MS, LATE_MS - 1);
    (void)close(fd);
    expect_alive(f);
}

static void test_partial_head(void **state)
{
    struct fixture *f = *state;
    int64_t began_us = cs_clock_monotonic_us();
    int fd;

    in_haste(f);
    start(f);
    fd = fcgi_connect(f->socket);
    assert_true(fcgi_send(fd, cs_view_of("\1\1\0\1\0\10", 6)));
    assert_in_range(ms_until_closed(fd, began_us), IDLE_MS, LATE_MS - 1);
    (void)close(fd);
    expect_alive(f);
}

/* A byte now and then does not hold the worker longer than silence does. */
static void test_trickled_head(void **state)
{
    char more[1000]; /* half a minute, a byte at a time */
    const char *const params[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/", more, NULL};
    struct fixture *f = *state;
    struct cs_buf sent = CS_BUF_INIT(FCGI_ANSWER_MAX);
    bool taken = true;
    int fd;

    memset(more, 'a', sizeof(more) - 1);
    memcpy(more, "HTTP_MORE=", strlen("HTTP_MORE="));
    more[sizeof(more) - 1] = '\0';
    in_haste(f);
    start(f);
    fd = fcgi_connect(f->socket);
    fcgi_head(&sent, params);
    for (size_t i = 0; taken && i < sent.len; i++) {
        taken = fcgi_send(fd, cs_view_of(sent.ptr + i, 1));
        (void)poll(NULL, 0, 30);
    }
    assert_false(taken);
    (void)close(fd);
    cs_buf_clear(&sent);
    expect_alive(f);
}

static void test_silent_body(void **state)
{
    static const char *const params[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/echo",
                                         "CONTENT_LENGTH=100", NULL};
    struct fixture *f = *state;
    struct cs_buf sent = CS_BUF_INIT(FCGI_ANSWER_MAX);
    struct fcgi_answer answer;
    int fd;

    f->options.io_timeout_ms = SILENCE_MS;
    start(f);
    fd = fcgi_connect(f->socket);
    fcgi_head(&sent, params);
    fcgi_record(&sent, FCGI_STDIN, 1, CS_LIT("some"));
    assert_true(fcgi_send(fd, cs_buf_view(&sent)));
    fcgi_receive(fd, &answer);
    assert_int_equal(answer.status, 408);
    fcgi_answer_clear(&answer);
    cs_buf_clear(&sent);
    (void)close(fd);
    expect_alive(f);
}

static void test_many_idle_connections(void **state)
{
    struct fixture *f = *state;
    int fds[4];

    in_haste(f);
    start(f);
    for (size_t i = 0; i < CS_COUNT(fds); i++)
        fds[i] = fcgi_connect(f->socket);
    expect_alive(f); /* behind them in the queue */
    for (size_t i = 0; i < CS_COUNT(fds); i++)
        (void)close(fds[i]);
}

/* ---- signals ---- */

static void test_term_at_random_moments(void **state)
{
    struct fixture *f = *state;

    in_haste(f);
    for (int i = 0; i < 200; i++) {
        uint16_t random = 0;
        bool busy = i % 10 == 1;
        int fd = -1;

        assert_ok(cs_random_bytes(&random, sizeof(random), err));
        start(f);
        if (busy) /* an idle connection, or one that is just being made */
            fd = fcgi_connect(f->socket);
        usleep(random % 4000u);
        assert_int_equal(stop(f), CS_SERVER_STOPPED);
        if (fd >= 0)
            (void)close(fd);
    }
}

/* The request under way when the signal comes is answered. */
static void test_term_during_request(void **state)
{
    static const char *const params[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/slow", NULL};
    struct fixture *f = *state;
    struct cs_buf sent = CS_BUF_INIT(FCGI_ANSWER_MAX);
    struct fcgi_answer answer;
    char byte;
    int fd;

    start(f);
    expect_alive(f);
    fd = fcgi_connect(f->socket);
    fcgi_head(&sent, params);
    fcgi_stream(&sent, FCGI_STDIN, CS_LIT(""));
    assert_true(fcgi_send(fd, cs_buf_view(&sent)));
    assert_int_equal(read(f->begun[0], &byte, 1), 1);
    assert_int_equal(kill(f->pid, SIGTERM), 0);
    fcgi_receive(fd, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.ended);
    assert_int_equal(wait_for_end(f), CS_SERVER_STOPPED);
    fcgi_answer_clear(&answer);
    cs_buf_clear(&sent);
    (void)close(fd);
}

/* One connection follows the other, so that the server never waits for one. */
static void test_term_when_never_idle(void **state)
{
    static const char *const params[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/slow", NULL};
    struct fixture *f = *state;
    struct cs_buf sent = CS_BUF_INIT(FCGI_ANSWER_MAX);
    struct fcgi_answer answer;
    int waiting[40]; /* twelve seconds of work */
    char byte;

    fcgi_head(&sent, params);
    fcgi_stream(&sent, FCGI_STDIN, CS_LIT(""));
    for (size_t i = 0; i < CS_COUNT(waiting); i++) {
        waiting[i] = fcgi_connect(f->socket);
        assert_true(fcgi_send(waiting[i], cs_buf_view(&sent)));
    }
    start(f);
    fcgi_receive(waiting[0], &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(stop(f), CS_SERVER_STOPPED);
    /* the last is as it was */
    assert_true(recv(waiting[CS_COUNT(waiting) - 1], &byte, 1, MSG_DONTWAIT) < 0);
    for (size_t i = 0; i < CS_COUNT(waiting); i++)
        (void)close(waiting[i]);
    fcgi_answer_clear(&answer);
    cs_buf_clear(&sent);
}

static void test_recycle(void **state)
{
    struct fixture *f = *state;

    f->options.max_requests = 3;
    start(f);
    for (int i = 0; i < 3; i++)
        expect_alive(f);
    assert_int_equal(wait_for_end(f), CS_SERVER_RECYCLE);
    f->options.max_requests = 0;
    f->options.max_memory_bytes = 1;
    start(f);
    expect_alive(f);
    assert_int_equal(wait_for_end(f), CS_SERVER_RECYCLE);
    f->options.max_memory_bytes = 0;
}

/* libfcgi brings handlers of its own. */
static void test_signal_actions(void **state)
{
    struct fixture *f = *state;
    struct cs_err err = CS_ERR_NONE;
    struct sigaction now, set = {.sa_handler = on_stop};

    stop_asked = 1; /* the loop ends before it begins */
    assert_int_equal(sigaction(SIGUSR1, &set, NULL), 0);
    assert_int_equal(cs_server_run(&f->options, &err), CS_SERVER_STOPPED);
    stop_asked = 0;
    assert_int_equal(sigaction(SIGUSR1, NULL, &now), 0);
    assert_true(now.sa_handler == on_stop);
    assert_int_equal(sigaction(SIGTERM, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
    assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_IGN);
}

/* ---- hostile bytes ---- */

static void send_hostile(struct fixture *f, struct cs_view bytes)
{
    struct cs_buf raw = CS_BUF_INIT(FCGI_ANSWER_MAX);
    int fd = fcgi_connect(f->socket);

    (void)fcgi_send(fd, bytes);
    (void)shutdown(fd, SHUT_WR);
    fcgi_receive_raw(fd, &raw);
    (void)close(fd);
    cs_buf_clear(&raw);
}

#define BEGIN "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"

static void test_hostile_records(void **state)
{
    static const struct cs_view cases[] = {
        CS_LIT_INIT("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        CS_LIT_INIT("\2\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"), /* version */
        CS_LIT_INIT("\1\1\0\0\0\10\0\0\0\1\0\0\0\0\0\0"), /* begin without an id */
        CS_LIT_INIT("\1\1\0\1\0\7\0\0\0\1\0\0\0\0\0"),    /* begin too short */
        CS_LIT_INIT("\1\1\0\1\0\10\0\0\0\3\0\0\0\0\0\0"), /* role filter */
        CS_LIT_INIT("\1\4\0\1\0\0\0\0"),                  /* parameters without a begin */
        CS_LIT_INIT(BEGIN "\1\5\0\1\0\0\0\0"),            /* body before parameters */
        CS_LIT_INIT(BEGIN "\1\4\0\1\0\4\0\0\377\377\377\377\1\4\0\1\0\0\0\0"),
        /* names and values of 2 GiB - 2 */
        CS_LIT_INIT(BEGIN
                    "\1\4\0\1\0\10\0\0\377\377\377\376\377\377\377\376\1\4\0\1\0\0\0\0"),
        CS_LIT_INIT(BEGIN
                    "\1\4\0\1\0\11\0\0\377\377\377\377\377\377\377\377X\1\4\0\1\0\0\0\0"),
        CS_LIT_INIT(BEGIN "\1\4\0\1\0\3\0\0\5\5a\1\4\0\1\0\0\0\0"),   /* past the end */
        CS_LIT_INIT(BEGIN "\1\4\0\1\0\4\0\0\1\1\0b\1\4\0\1\0\0\0\0"), /* NUL in a name */
        CS_LIT_INIT(BEGIN "\1\4\0\1\0\4\0\0\1\1=b\1\4\0\1\0\0\0\0"),  /* '=' in a name */
        CS_LIT_INIT(BEGIN "\1\4\0\1\0\2\0\0\0\0\1\4\0\1\0\0\0\0"),    /* no name */
        CS_LIT_INIT(BEGIN "\1\4\0\1\377\377\377\0"),       /* announced, not sent */
        CS_LIT_INIT(BEGIN BEGIN BEGIN "\1\4\0\1\0\0\0\0"), /* begun thrice */
        CS_LIT_INIT(
            BEGIN "\1\1\0\2\0\10\0\0\0\1\0\0\0\0\0\0\1\4\0\1\0\0\0\0"), /* multiplexed */
        CS_LIT_INIT("\1\13\0\0\0\10\0\0\0\0\0\0\0\0\0\0"),              /* management */
    };
    struct fixture *f = *state;

    start(f);
    for (size_t i = 0; i < CS_COUNT(cases); i++)
        for (size_t len = cases[i].len > 40 ? cases[i].len - 40 : 0; len <= cases[i].len;
             len++)
            send_hostile(f, cs_view_sub(cases[i], 0, len));
    expect_alive(f);
}

/* The question that overflows a 64-byte answer of libfcgi when it is put often,
 * before the request and within its body. */
static void test_management_flood(void **state)
{
    static const char *const params[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/echo",
                                         NULL};
    struct fixture *f = *state;
    struct cs_buf question = CS_BUF_INIT(FCGI_ANSWER_MAX),
                  sent = CS_BUF_INIT(FCGI_ANSWER_MAX);

    start(f);
    for (int i = 0; i < 50; i++)
        fcgi_pair(&question, "FCGI_MAX_CONNS=");
    fcgi_record(&sent, 9, 0, cs_buf_view(&question));
    fcgi_head(&sent, params);
    for (int i = 0; i < 50; i++)
        fcgi_record(&sent, 9, 0, cs_buf_view(&question));
    fcgi_stream(&sent, FCGI_STDIN, CS_LIT("hello"));
    send_hostile(f, cs_buf_view(&sent));
    expect_alive(f);
    cs_buf_clear(&question);
    cs_buf_clear(&sent);
}

/* A well-formed request with some bytes changed, cut or doubled. */
static void test_mutations(void **state)
{
    static const char *const params[] = {"REQUEST_METHOD=POST", "REQUEST_URI=/echo",
                                         "CONTENT_LENGTH=11", "HTTP_HOST=x.example",
                                         NULL};
    struct fixture *f = *state;
    struct cs_buf whole = CS_BUF_INIT(FCGI_ANSWER_MAX);

    start(f);
    fcgi_head(&whole, params);
    fcgi_stream(&whole, FCGI_STDIN, CS_LIT("hello world"));
    for (int i = 0; i < 400; i++) {
        struct cs_buf mutant = CS_BUF_INIT(FCGI_ANSWER_MAX);
        uint16_t dice[8];

        assert_ok(cs_random_bytes(dice, sizeof(dice), err));
        cs_buf_add(&mutant, cs_buf_view(&whole));
        for (int change = 0; change <= dice[0] % 3; change++)
            mutant.ptr[dice[1 + change] % mutant.len] = (char)dice[4 + change];
        if (dice[7] % 4 == 0)
            cs_buf_truncate(&mutant, dice[7] % mutant.len);
        send_hostile(f, cs_buf_view(&mutant));
        cs_buf_clear(&mutant);
    }
    expect_alive(f);
    cs_buf_clear(&whole);
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_server(test_simple),
        with_server(test_body_round_trip),
        with_server(test_short_body),
        with_server(test_bad_length),
        with_server(test_large_params),
        with_server(test_stream),
        with_server(test_client_gone),
        with_server(test_unread_body),
        with_server(test_unfinished_record),
        with_server(test_environment),
        with_server(test_keep_connection_refused),
        with_server(test_idle_connection),
        with_server(test_partial_head),
        with_server(test_trickled_head),
        with_server(test_silent_body),
        with_server(test_many_idle_connections),
        with_server(test_term_at_random_moments),
        with_server(test_term_during_request),
        with_server(test_term_when_never_idle),
        with_server(test_recycle),
        with_server(test_signal_actions),
        with_server(test_hostile_records),
        with_server(test_management_flood),
        with_server(test_mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
