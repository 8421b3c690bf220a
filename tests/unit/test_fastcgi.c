/* How answers leave: what is small in one record with the end of its request, what is
 * larger or must not wait through libfcgi's stream, and both to a peer that reads
 * slowly, or not at all. */
#include "config.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "unit.h"

#include "fcgi_client.h"
#include "http/fastcgi.h"

#define WHOLE_MAX  32768u /* see http/fastcgi.c */
#define SILENCE_MS 200
#define NARROW     4096 /* bytes that a peer is sent ahead of its reading */

static const struct cs_records_limits limits = {
    .params_max_bytes = 4096, .idle_ms = 5000, .silence_ms = SILENCE_MS};

/* The two ends of a connection, and a request that was read from it. */
struct fixture {
    struct cs_fastcgi *fastcgi;
    struct cs_fastcgi_unanswered unanswered;
    int peer;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->peer = -1;
    assert_non_null(f->fastcgi = cs_fastcgi_new(&limits, &f->unanswered, NULL));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    cs_fastcgi_free(f->fastcgi);
    if (f->peer >= 0)
        (void)close(f->peer);
    free(f);
    return 0;
}

/* The server's end has room for `room` bytes that the peer has not read, 0: as usual. */
static void open_request(struct fixture *f, int room)
{
    static const char *const params[] = {"REQUEST_METHOD=GET", "REQUEST_URI=/a?b=c",
                                         "EMPTY=", "HTTP_X_REQUEST_ID=an-id", NULL};
    struct cs_buf sent = CS_BUF_INIT(FCGI_ANSWER_MAX);
    int ends[2];

    if (f->peer >= 0)
        (void)close(f->peer);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    if (room > 0)
        assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)),
                         0);
    f->peer = ends[1];
    fcgi_head(&sent, params);
    fcgi_stream(&sent, FCGI_STDIN, CS_LIT(""));
    assert_true(fcgi_send(f->peer, cs_buf_view(&sent)));
    cs_buf_clear(&sent);
    assert_ok(cs_fastcgi_open(f->fastcgi, ends[0], err));
}

static bool answer(struct fixture *f, size_t size, size_t step)
{
    const struct cs_carrier *carrier = cs_fastcgi_carrier(f->fastcgi);
    char *bytes = malloc(step);
    bool taken = true;

    assert_non_null(bytes);
    memset(bytes, 'x', step);
    for (size_t left = size; left > 0 && taken;) {
        size_t now = left < step ? left : step;

        taken = carrier->write(carrier->payload, cs_view_of(bytes, now));
        left -= now;
    }
    free(bytes);
    return taken;
}

struct received {
    size_t bytes;   /* of the answer */
    size_t records; /* that carry some of it */
    bool closed;    /* the answer's stream was */
    bool ended;     /* and then the request */
};

static struct received take_apart(struct cs_view raw)
{
    struct received got = {0};

    while (raw.len >= 8) {
        const unsigned char *h = (const unsigned char *)raw.ptr;
        size_t length = (size_t)h[4] << 8 | h[5];

        assert_int_equal(h[0], 1);
        assert_int_equal(h[3], 1); /* the id */
        assert_false(got.ended);
        if (h[1] == FCGI_STDOUT && length > 0) {
            assert_false(got.closed);
            got.bytes += length;
            got.records++;
        } else if (h[1] == FCGI_STDOUT) {
            got.closed = true;
        } else if (h[1] == FCGI_END) {
            got.ended = true;
        }
        raw = cs_view_from(raw, 8 + length + h[6]);
    }
    return got;
}

static struct received receive(int fd)
{
    struct cs_buf raw = CS_BUF_INIT(FCGI_ANSWER_MAX);
    struct received got;

    fcgi_receive_raw(fd, &raw);
    got = take_apart(cs_buf_view(&raw));
    cs_buf_clear(&raw);
    return got;
}

static void test_parameters(void **state)
{
    struct fixture *f = *state;
    char **params;

    open_request(f, 0);
    params = cs_fastcgi_params(f->fastcgi);
    assert_string_equal(params[0], "REQUEST_METHOD=GET");
    assert_string_equal(params[1], "REQUEST_URI=/a?b=c");
    assert_string_equal(params[2], "EMPTY=");
    assert_string_equal(params[3], "HTTP_X_REQUEST_ID=an-id");
    assert_null(params[4]);
    cs_fastcgi_close(f->fastcgi, true);
}

static void test_around_one_piece(void **state)
{
    static const struct {
        size_t size, step;
        bool one_piece;
    } cases[] = {
        {1, 1, true},
        {WHOLE_MAX - 1, 1000, true},
        {WHOLE_MAX, WHOLE_MAX, true},
        {WHOLE_MAX, 1000, true},
        {WHOLE_MAX + 1, WHOLE_MAX + 1, false},
        {WHOLE_MAX + 1, WHOLE_MAX, false},
        {WHOLE_MAX + 1, 1000, false},
        {70000, 70000, false},
        {1, 1, true}, /* after a stream, too */
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct received got;

        open_request(f, 0);
        assert_true(answer(f, cases[i].size, cases[i].step));
        cs_fastcgi_close(f->fastcgi, true);
        got = receive(f->peer);
        assert_int_equal(got.bytes, cases[i].size);
        assert_int_equal(got.records == 1, cases[i].one_piece);
        assert_true(got.closed && got.ended);
    }
}

static void test_no_answer(void **state)
{
    struct fixture *f = *state;
    struct received got;

    open_request(f, 0);
    cs_fastcgi_close(f->fastcgi, true);
    got = receive(f->peer);
    assert_int_equal(got.records, 0);
    assert_true(got.ended);
}

/* What is cut short must not look whole, nor may a part of it arrive as an answer. */
static void test_cut(void **state)
{
    static const size_t sizes[] = {100, 70000};
    struct fixture *f = *state;

    for (size_t i = 0; i < CS_COUNT(sizes); i++) {
        open_request(f, 0);
        assert_true(answer(f, sizes[i], 1000));
        cs_fastcgi_close(f->fastcgi, false);
        assert_false(receive(f->peer).ended);
    }
}

static void test_flushed(void **state)
{
    struct fixture *f = *state;
    const struct cs_carrier *carrier = cs_fastcgi_carrier(f->fastcgi);
    struct pollfd watched;
    struct received got;

    open_request(f, 0);
    assert_true(answer(f, 100, 100));
    watched = (struct pollfd){.fd = f->peer, .events = POLLIN};
    assert_int_equal(poll(&watched, 1, 0), 0);
    assert_true(carrier->flush(carrier->payload));
    assert_int_equal(poll(&watched, 1, 0), 1);
    assert_true(answer(f, 100, 100));
    cs_fastcgi_close(f->fastcgi, true);
    got = receive(f->peer);
    assert_int_equal(got.bytes, 200);
    assert_true(got.closed && got.ended);
}

/* The peer begins to read when the first bytes are there, and takes all of it. */
static void test_narrow(void **state)
{
    static const size_t sizes[] = {WHOLE_MAX, 200000};
    struct fixture *f = *state;

    for (size_t i = 0; i < CS_COUNT(sizes); i++) {
        int status = -1;
        pid_t reader;

        open_request(f, NARROW);
        fflush(NULL);
        assert_true((reader = fork()) >= 0);
        if (reader == 0) {
            struct received got;

            cs_fastcgi_close(f->fastcgi, false); /* its copy of the other end */
            got = receive(f->peer);
            _exit(got.bytes == sizes[i] && got.closed && got.ended ? 0 : 1);
        }
        assert_true(answer(f, sizes[i], 1000));
        cs_fastcgi_close(f->fastcgi, true);
        assert_int_equal(waitpid(reader, &status, 0), reader);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* It is given up after the silence that is allowed; the next one is served. */
static void test_peer_that_never_reads(void **state)
{
    static const size_t sizes[] = {WHOLE_MAX, 200000};
    struct fixture *f = *state;

    for (size_t i = 0; i < CS_COUNT(sizes); i++) {
        open_request(f, NARROW);
        (void)answer(f, sizes[i], 1000);
        cs_fastcgi_close(f->fastcgi, true);
        assert_false(receive(f->peer).ended);
    }
    open_request(f, 0);
    assert_true(answer(f, 10, 10));
    cs_fastcgi_close(f->fastcgi, true);
    assert_true(receive(f->peer).ended);
}

/* Answers what is open, as a handler does in the middle of a request. */
static void expect_given_up(struct fixture *f)
{
    struct fcgi_answer got;

    assert_true(f->unanswered.fd >= 0);
    cs_fastcgi_give_up(&f->unanswered);
    fcgi_receive(f->peer, &got);
    assert_true(got.ended);
    assert_int_equal(got.protocol_status, 0);
    assert_int_equal(got.status, 503);
    assert_view(fcgi_header(&got, "Retry-After"), "2");
    assert_view(fcgi_header(&got, "Content-Type"), "application/problem+json");
    assert_view(fcgi_header(&got, "X-Request-Id"), "an-id");
    assert_view(
        got.body,
        "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
        "\"detail\":\"The service is being restarted: send the same request again.\","
        "\"code\":\"service_unavailable\",\"request_id\":\"an-id\"}");
    fcgi_answer_clear(&got);
}

static void test_given_up(void **state)
{
    struct fixture *f = *state;

    open_request(f, 0);
    expect_given_up(f);
    /* the handler has closed the connection, and would have ended the process */
    f->unanswered.fd = -1;
}

/* What was written is not sent yet: the client has not seen any of it. */
static void test_given_up_before_the_end(void **state)
{
    struct fixture *f = *state;

    open_request(f, 0);
    assert_true(answer(f, 100, 100));
    expect_given_up(f);
    f->unanswered.fd = -1;
}

static void test_nothing_to_give_up(void **state)
{
    struct fixture *f = *state;
    const struct cs_carrier *carrier = cs_fastcgi_carrier(f->fastcgi);
    struct received got;

    cs_fastcgi_give_up(&f->unanswered); /* before the first request */
    open_request(f, 0);
    assert_true(answer(f, 100, 100));
    assert_true(carrier->flush(carrier->payload));
    assert_int_equal(f->unanswered.fd, -1);
    cs_fastcgi_give_up(&f->unanswered); /* an answer that has begun */
    assert_true(answer(f, 100, 100));
    cs_fastcgi_close(f->fastcgi, true);
    cs_fastcgi_give_up(&f->unanswered); /* after it */
    got = receive(f->peer);
    assert_int_equal(got.bytes, 200);
    assert_true(got.ended);
}

/* A peer that takes nothing does not keep the process: part of an answer is none. */
static void test_given_up_on_a_full_connection(void **state)
{
    static const char block[NARROW];
    struct fixture *f = *state;

    open_request(f, NARROW);
    while (send(f->unanswered.fd, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        continue;
    cs_fastcgi_give_up(&f->unanswered);
    assert_true(fcntl(f->unanswered.fd, F_GETFD) >= 0);
    cs_fastcgi_close(f->fastcgi, false);
}

#define with_fastcgi(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_fastcgi(test_parameters),
        with_fastcgi(test_around_one_piece),
        with_fastcgi(test_no_answer),
        with_fastcgi(test_cut),
        with_fastcgi(test_flushed),
        with_fastcgi(test_narrow),
        with_fastcgi(test_peer_that_never_reads),
        with_fastcgi(test_given_up),
        with_fastcgi(test_given_up_before_the_end),
        with_fastcgi(test_nothing_to_give_up),
        with_fastcgi(test_given_up_on_a_full_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
