/* What the wire does with servers that break off, answer too early, too late or too
 * much: a peer on a loopback port, scripted down to its bytes, with TLS and without. */
#include "config.h"

#include "failing_malloc.h"

#include <dirent.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/client.h"

#define BIG_BODY (16u << 20) /* more than the kernel takes of it in advance */

struct peer;

struct line { /* one connection, on the peer's side */
    struct peer *peer;
    int fd;
    SSL *tls;        /* NULL: plain */
    unsigned number; /* 1 for the first */
};

typedef void peer_script(struct line *line);

struct peer { /* serves one connection after another */
    peer_script *script;
    SSL_CTX *tls;     /* NULL: plain */
    bool mute;        /* no handshake, nothing */
    unsigned resumed; /* TLS sessions that an earlier connection had begun */
    int listener;
    unsigned port;
    pthread_t thread;
    sem_t said; /* what a script tells the test */
    sem_t go;   /* and what it waits for */
};

struct identity { /* of peers with TLS; of all tests */
    SSL_CTX *tls;
    char certificate[32]; /* a file's name */
};

struct bench {
    struct peer peer;
    struct cs_net_client *client;
    struct cs_net_response response;
    char url[128];
};

/* ---- the peer ---- */

static bool say(struct line *line, struct cs_view text)
{
    if (line->tls != NULL)
        return SSL_write(line->tls, text.ptr, (int)text.len) == (int)text.len;
    return send(line->fd, text.ptr, text.len, MSG_NOSIGNAL) == (ssize_t)text.len;
}

static ssize_t take(struct line *line, char *to, size_t room)
{
    return line->tls != NULL ? SSL_read(line->tls, to, (int)room)
                             : recv(line->fd, to, room, 0);
}

/* Reads a request's head; what follows it may come along. False at the end. */
static bool hear_head(struct line *line, char *to, size_t room)
{
    size_t have = 0;
    ssize_t got;

    while (have < room - 1 && (got = take(line, to + have, room - 1 - have)) > 0) {
        have += (size_t)got;
        to[have] = '\0';
        if (strstr(to, "\r\n\r\n") != NULL)
            return true;
    }
    return false;
}

static bool hear(struct line *line)
{
    char head[4096];

    return hear_head(line, head, sizeof(head));
}

/* False once the other side is gone. */
static bool stay(struct line *line, int wait_ms)
{
    struct pollfd watched = {.fd = line->fd, .events = POLLRDHUP};

    return poll(&watched, 1, wait_ms) == 0;
}

static void await(sem_t *word)
{
    while (sem_wait(word) != 0)
        if (errno != EINTR)
            abort();
}

static bool start_tls(struct line *line)
{
    if (line->peer->tls == NULL)
        return true;
    line->tls = SSL_new(line->peer->tls);
    if (line->tls == NULL || SSL_set_fd(line->tls, line->fd) != 1 ||
        SSL_accept(line->tls) != 1)
        return false;
    line->peer->resumed += SSL_session_reused(line->tls) == 1 ? 1 : 0;
    return true;
}

static void *serve(void *payload)
{
    struct peer *peer = payload;
    struct line line = {.peer = peer};

    while ((line.fd = accept(peer->listener, NULL, NULL)) >= 0) {
        line.number++;
        if (peer->mute)
            (void)stay(&line, -1);
        else if (start_tls(&line))
            peer->script(&line);
        SSL_free(line.tls);
        line.tls = NULL;
        (void)close(line.fd);
    }
    return NULL;
}

static void peer_start(struct peer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);

    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer->listener >= 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(peer->listener, 16), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &length),
                     0);
    peer->port = ntohs(address.sin_port);
    assert_int_equal(sem_init(&peer->said, 0, 0), 0);
    assert_int_equal(sem_init(&peer->go, 0, 0), 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, serve, peer), 0);
}

/* The other side of each connection is to be closed before. */
static void peer_stop(struct peer *peer)
{
    (void)shutdown(peer->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(peer->thread, NULL), 0);
    (void)close(peer->listener);
    (void)sem_destroy(&peer->said);
    (void)sem_destroy(&peer->go);
}

/* ---- scripts ---- */

static void echo_target(struct line *line)
{
    char head[4096];
    char text[4200];

    while (hear_head(line, head, sizeof(head))) {
        struct cs_view rest = cs_view_cstr(head);
        struct cs_view target;

        if (!cs_view_split(&rest, ' ', &target) || !cs_view_split(&rest, ' ', &target) ||
            snprintf(text, sizeof(text),
                     "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%.*s", target.len,
                     CS_FMT(target)) < 0 ||
            !say(line, cs_view_cstr(text)))
            return;
    }
}

static void fold(struct line *line)
{
    while (hear(line))
        if (!say(line, CS_LIT("HTTP/1.1 200 OK\r\nX-Long: one\r\n two\r\n"
                              "Content-Length: 0\r\n\r\n")))
            return;
}

static void silent(struct line *line)
{
    (void)hear(line);
    (void)stay(line, -1);
}

/* Its end does not reach a peer that takes nothing: the test says when. */
static void answer_early(struct line *line)
{
    (void)hear(line);
    (void)say(line, CS_LIT("HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\n\r\nbig"));
    await(&line->peer->go);
}

/* It is content with the head, says so, and that it says no more. */
static void answer_early_and_end(struct line *line)
{
    (void)hear(line);
    (void)say(line, CS_LIT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbig"));
    if (line->tls != NULL)
        (void)SSL_shutdown(line->tls);
    (void)shutdown(line->fd, SHUT_WR);
    await(&line->peer->go);
}

static void answer_late(struct line *line)
{
    (void)hear(line);
    if (line->number == 1) {
        (void)stay(line, -1);
        (void)say(line, CS_LIT("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"));
        return;
    }
    (void)say(line, CS_LIT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown"));
    (void)stay(line, -1);
}

static void answer_twice(struct line *line)
{
    (void)hear(line);
    (void)say(line, CS_LIT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown"));
    (void)say(line, CS_LIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale"));
    (void)sem_post(&line->peer->said);
    (void)stay(line, -1);
}

static void trickle(struct line *line)
{
    (void)hear(line);
    (void)say(line, CS_LIT("HTTP/1.1 200 OK\r\nX: "));
    while (stay(line, 10) && say(line, CS_LIT("a")))
        continue;
}

/* Up to a length that no test waits for. */
static void trickle_body(struct line *line)
{
    (void)hear(line);
    (void)say(line, CS_LIT("HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\na"));
    for (int i = 1; i < 3000 && stay(line, 10); i++)
        if (!say(line, CS_LIT("a")))
            return;
}

static void nonsense(struct line *line)
{
    (void)hear(line);
    (void)say(line, CS_LIT("SSH-2.0-nonsense\r\n"));
    (void)stay(line, -1);
}

static void break_off(struct line *line)
{
    (void)hear(line);
    (void)say(line, CS_LIT("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
}

/* By one that says goodbye, and by others that just go. */
static void answer_one(struct line *line)
{
    (void)hear(line);
    (void)say(line, CS_LIT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"));
    if (line->number == 1)
        (void)SSL_shutdown(line->tls);
}

static void answer_one_and_listen(struct line *line)
{
    (void)hear(line);
    (void)say(line, CS_LIT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"));
    if (line->tls != NULL)
        (void)SSL_shutdown(line->tls);
    (void)shutdown(line->fd, SHUT_WR);
    (void)sem_post(&line->peer->said);
    (void)stay(line, -1);
}

static void die_having_read(struct line *line)
{
    (void)hear(line);
    (void)say(line, CS_LIT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"));
    (void)hear(line);
}

static void answer_in_chunks(struct line *line)
{
    while (hear(line))
        if (!say(line, CS_LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "4\r\nfour\r\n0\r\n\r\n")))
            return;
}

/* ---- the tests' side ---- */

static void start(struct bench *b, const struct cs_net_options *options)
{
    peer_start(&b->peer);
    b->client = cs_net_client_new(options, NULL);
    assert_non_null(b->client);
    cs_net_response_init(&b->response, 1000);
    assert_true(snprintf(b->url, sizeof(b->url), "http%s://127.0.0.1:%u/",
                         b->peer.tls != NULL ? "s" : "", b->peer.port) > 0);
}

/* Plain without an identity. */
static void bench_start(struct bench *b, peer_script *script,
                        const struct identity *identity)
{
    const struct cs_net_options options = {
        .connect_timeout_ms = 5000,
        .idle_timeout_ms = 10000,
        .ca_bundle = identity != NULL ? identity->certificate : NULL};

    *b = (struct bench){
        .peer = {.script = script, .tls = identity != NULL ? identity->tls : NULL}};
    start(b, &options);
}

static void bench_stop(struct bench *b)
{
    cs_net_response_clear(&b->response);
    cs_net_client_free(b->client);
    peer_stop(&b->peer);
}

static struct cs_net_request request_of(const struct bench *b, struct cs_view body)
{
    return (struct cs_net_request){
        .method = "POST",
        .url = b->url,
        .body = {.kind = CS_NET_BODY_BYTES, .bytes = body},
        .deadline = cs_deadline_in_ms(20000),
    };
}

static enum cs_code perform(struct bench *b, const struct cs_net_request *request,
                            struct cs_err *err)
{
    struct cs_net_call call = {
        .request = *request, .response = &b->response, .small = true};

    cs_net_perform_many(b->client, &call, 1, 1);
    if (call.code != CS_OK && err != NULL)
        *err = call.err;
    return call.code;
}

/* libcurl sees the origin alone: what else an address must not hold is up to us. */
static void test_refuses_broken_addresses(void **state)
{
    static const char *const targets[] = {"/a\r\nX: y", "/a b", "/\x7f", "/?a\tb", " /"};
    struct bench b;

    (void)state;
    bench_start(&b, echo_target, NULL);
    for (size_t i = 0; i < CS_COUNT(targets); i++) {
        struct cs_net_request request = request_of(&b, CS_LIT(""));
        struct cs_err why = CS_ERR_NONE;
        char url[160];

        assert_true(snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", b.peer.port,
                             targets[i]) > 0);
        request.url = url;
        assert_int_equal(perform(&b, &request, &why), CS_EINVAL);
        assert_non_null(strstr(why.text, "not an address"));
    }
    assert_int_equal(cs_net_client_counts(b.client).connections, 0);
    bench_stop(&b);
}

static void test_keeps_the_fragment_to_itself(void **state)
{
    static const char *const texts[][2] = {
        {"/a?b#c?d", "/a?b"}, {"#c/d", "/"}, {"?a", "/?a"}};
    struct bench b;

    (void)state;
    bench_start(&b, echo_target, NULL);
    for (size_t i = 0; i < CS_COUNT(texts); i++) {
        struct cs_net_request request = request_of(&b, CS_LIT(""));
        char url[160];

        assert_true(snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", b.peer.port,
                             texts[i][0]) > 0);
        request.url = url;
        assert_ok(perform(&b, &request, err));
        assert_view(cs_buf_view(&b.response.body), texts[i][1]);
    }
    assert_int_equal(cs_net_client_counts(b.client).connections, 1);
    bench_stop(&b);
}

static void test_refuses_what_is_not_for_it(void **state)
{
    struct bench b;
    struct cs_net_request request;

    (void)state;
    bench_start(&b, echo_target, NULL);
    request = request_of(&b, CS_LIT(""));
    request.body = (struct cs_net_body){.kind = CS_NET_BODY_FILE, .fd = -1, .size = 3};
    assert_int_equal(perform(&b, &request, NULL), CS_EINVAL);
    request = request_of(&b, CS_LIT(""));
    request.method = "HEAD";
    assert_int_equal(perform(&b, &request, NULL), CS_EINVAL);
    assert_int_equal(cs_net_client_counts(b.client).connections, 0);
    bench_stop(&b);
}

/* Both ways of a call read a field that goes on in a second line alike. */
static void test_reads_folded_fields(void **state)
{
    struct bench b;
    struct cs_net_request request;

    (void)state;
    bench_start(&b, fold, NULL);
    request = request_of(&b, CS_LIT(""));
    assert_ok(perform(&b, &request, err));
    assert_view(cs_net_response_header(&b.response, "x-long"), "one   two");
    cs_net_client_free(b.client); /* which ends its connection, the peer's only one */
    b.client = cs_net_client_new(&(struct cs_net_options){0}, NULL);
    assert_non_null(b.client);
    assert_ok(cs_net_perform(b.client, &request, &b.response, err));
    assert_view(cs_net_response_header(&b.response, "x-long"), "one   two");
    bench_stop(&b);
}

static void check_early_answer(peer_script *script, int status,
                               const struct identity *identity)
{
    struct bench b;
    struct cs_net_request request;
    char *body = calloc(1, BIG_BODY);

    assert_non_null(body);
    bench_start(&b, script, identity);
    for (unsigned i = 1; i <= 2; i++) {
        request = request_of(&b, cs_view_of(body, BIG_BODY));
        assert_ok(perform(&b, &request, err));
        assert_int_equal(b.response.status, status);
        assert_view(cs_buf_view(&b.response.body), "big");
        /* with half a body on its way, the connection is of no more use */
        assert_int_equal(cs_net_client_counts(b.client).connections, i);
        assert_int_equal(sem_post(&b.peer.go), 0);
    }
    bench_stop(&b);
    free(body);
}

static void test_hears_why_a_body_is_not_taken(void **state)
{
    check_early_answer(answer_early, 413, NULL);
    check_early_answer(answer_early, 413, *state);
}

static void test_hears_that_a_body_is_not_needed(void **state)
{
    check_early_answer(answer_early_and_end, 200, NULL);
    check_early_answer(answer_early_and_end, 200, *state);
}

static void test_a_late_answer_is_nobody_elses(void **state)
{
    struct bench b;
    struct cs_net_request request;

    (void)state;
    bench_start(&b, answer_late, NULL);
    request = request_of(&b, CS_LIT("1"));
    request.deadline = cs_deadline_in_ms(200);
    assert_int_equal(perform(&b, &request, NULL), CS_ETIMEOUT);
    assert_int_equal(b.response.fault, CS_NET_DEADLINE);
    request = request_of(&b, CS_LIT("2"));
    assert_ok(perform(&b, &request, err));
    assert_view(cs_buf_view(&b.response.body), "own");
    assert_false(b.response.reused);
    bench_stop(&b);
}

static void test_a_second_answer_is_nobody_elses(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, answer_twice, NULL);
    for (unsigned i = 1; i <= 3; i++) {
        struct cs_net_request request = request_of(&b, CS_LIT(""));

        assert_ok(perform(&b, &request, err));
        assert_view(cs_buf_view(&b.response.body), "own");
        assert_int_equal(cs_net_client_counts(b.client).connections, i);
        await(&b.peer.said);
    }
    bench_stop(&b);
}

/* Bytes that come one at a time keep the idle limit away, the deadline they don't. */
static void test_a_trickle_ends_with_the_deadline(void **state)
{
    struct bench b;
    struct cs_net_request request;

    (void)state;
    bench_start(&b, trickle, NULL);
    request = request_of(&b, CS_LIT(""));
    request.deadline = cs_deadline_in_ms(300);
    assert_int_equal(perform(&b, &request, NULL), CS_ETIMEOUT);
    assert_int_equal(b.response.fault, CS_NET_DEADLINE);
    bench_stop(&b);
}

/* A held body has no deadline: bytes that come one at a time are too few all the same. */
static void check_held_trickle(const struct identity *identity)
{
    struct bench b;
    struct cs_net_request request;
    char bytes[64];
    size_t got = 0;
    size_t all = 0;
    enum cs_code rc;

    bench_start(&b, trickle_body, identity);
    request = request_of(&b, CS_LIT(""));
    request.idle_timeout_ms = 1000;
    b.response.hold = true;
    assert_ok(cs_net_perform(b.client, &request, &b.response, err));
    while ((rc = cs_net_read(&b.response, bytes, sizeof(bytes), &got, NULL)) == CS_OK &&
           got > 0)
        all += got;
    assert_int_equal(rc, CS_ETIMEOUT);
    assert_int_equal(b.response.fault, CS_NET_IDLE);
    assert_true(all > 0 && all < 3000);
    bench_stop(&b);
}

static void test_a_held_trickle_ends(void **state)
{
    check_held_trickle(NULL);
    check_held_trickle(*state);
}

static size_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

static void test_faults_leave_no_descriptors(void **state)
{
    static const struct {
        peer_script *script;
        enum cs_net_fault fault;
        int deadline_ms;
    } cases[] = {
        {silent, CS_NET_DEADLINE, 100},
        {nonsense, CS_NET_LOST, 20000},
        {break_off, CS_NET_LOST, 20000},
    };
    size_t before = open_descriptors();

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct bench b;

        bench_start(&b, cases[i].script, NULL);
        for (int k = 0; k < 3; k++) {
            struct cs_net_request request = request_of(&b, CS_LIT(""));

            request.deadline = cs_deadline_in_ms(cases[i].deadline_ms);
            assert_int_not_equal(perform(&b, &request, NULL), CS_OK);
            assert_int_equal(b.response.fault, cases[i].fault);
            request = request_of(&b, CS_LIT(""));
            request.url = "http://127.0.0.1:1/";
            assert_int_equal(perform(&b, &request, NULL), CS_EUPSTREAM);
            assert_int_equal(b.response.fault, CS_NET_CONNECT);
        }
        bench_stop(&b);
    }
    assert_int_equal(open_descriptors(), before);
}

/* ---- with TLS ---- */

static void test_new_connections_resume_the_session(void **state)
{
    struct bench b;

    bench_start(&b, answer_one, *state);
    for (unsigned i = 1; i <= 4; i++) {
        struct cs_net_request request = request_of(&b, CS_LIT("x"));

        assert_ok(perform(&b, &request, err));
        assert_view(cs_buf_view(&b.response.body), "one");
        assert_int_equal(cs_net_client_counts(b.client).connections, i);
        assert_true(b.response.connect_us > 0);
    }
    bench_stop(&b);
    assert_int_equal(b.peer.resumed, 3);
}

static void test_a_connection_that_dies_with_a_request_is_replaced(void **state)
{
    struct bench b;

    bench_start(&b, die_having_read, *state);
    for (unsigned i = 1; i <= 4; i++) {
        struct cs_net_request request = request_of(&b, CS_LIT("x"));

        assert_ok(perform(&b, &request, err));
        assert_view(cs_buf_view(&b.response.body), "one");
        assert_int_equal(b.response.tries, i == 1 ? 1 : 2);
        assert_int_equal(cs_net_client_counts(b.client).replaced, i - 1);
        assert_int_equal(cs_net_client_counts(b.client).connections, i);
        assert_int_equal(cs_net_client_counts(b.client).requests, 2 * i - 1);
    }
    bench_stop(&b);
}

static void test_refuses_strange_certificates(void **state)
{
    const struct identity *identity = *state;
    const struct cs_net_options options = {.connect_timeout_ms = 5000};
    struct bench b = {.peer = {.script = answer_one, .tls = identity->tls}};
    struct cs_net_request request;
    struct cs_err why = CS_ERR_NONE;

    start(&b, &options);
    request = request_of(&b, CS_LIT("x"));
    assert_int_equal(perform(&b, &request, &why), CS_EUPSTREAM);
    assert_int_equal(b.response.fault, CS_NET_TLS);
    assert_string_equal(why.reason, "tls_failed");
    assert_int_equal(cs_net_client_counts(b.client).connections, 0);
    bench_stop(&b);
}

static enum cs_code perform_by_the_set(struct bench *b,
                                       const struct cs_net_request *request,
                                       struct cs_err *err)
{
    return cs_net_perform(b->client, request, &b->response, err);
}

/* On either way of a call. */
static void test_a_handshake_ends_with_its_limits(void **state)
{
    static enum cs_code (*const ways[])(struct bench *, const struct cs_net_request *,
                                        struct cs_err *) = {perform, perform_by_the_set};
    const struct identity *identity = *state;
    const struct cs_net_options options = {.connect_timeout_ms = 5000};
    struct bench b = {.peer = {.mute = true, .tls = identity->tls}};

    start(&b, &options);
    for (size_t i = 0; i < CS_COUNT(ways); i++) {
        struct cs_net_request request = request_of(&b, CS_LIT("x"));

        request.connect_timeout_ms = 100;
        assert_int_equal(ways[i](&b, &request, NULL), CS_ETIMEOUT);
        assert_int_equal(b.response.fault, CS_NET_CONNECT);
        request = request_of(&b, CS_LIT("x"));
        request.deadline = cs_deadline_in_ms(100);
        assert_int_equal(ways[i](&b, &request, NULL), CS_ETIMEOUT);
        assert_int_equal(b.response.fault, CS_NET_DEADLINE);
    }
    bench_stop(&b);
}

/* Not even on a connection that is there. */
static void test_what_is_too_late_is_not_asked(void **state)
{
    struct bench b;
    struct cs_net_request request;

    (void)state;
    bench_start(&b, echo_target, NULL);
    request = request_of(&b, CS_LIT(""));
    assert_ok(perform(&b, &request, err));
    for (int i = 0; i < 2; i++) {
        struct cs_err why = CS_ERR_NONE;

        request.deadline = cs_deadline_in_ms(0);
        assert_int_equal(i == 0 ? perform(&b, &request, &why)
                                : perform_by_the_set(&b, &request, &why),
                         CS_ETIMEOUT);
        assert_int_equal(b.response.fault, CS_NET_DEADLINE);
        assert_string_equal(why.reason, "deadline");
        assert_int_equal(b.response.status, 0);
        assert_null(cs_net_response_header(&b.response, "content-length").ptr);
    }
    assert_int_equal(cs_net_client_counts(b.client).requests, 1);
    request.deadline = cs_deadline_in_ms(20000);
    assert_ok(perform(&b, &request, err));
    assert_int_equal(cs_net_client_counts(b.client).connections, 1);
    bench_stop(&b);
}

/* What the other side will say no more on is not used again, and costs no try. */
static void check_half_closed(const struct identity *identity)
{
    struct bench b;

    bench_start(&b, answer_one_and_listen, identity);
    for (unsigned i = 1; i <= 3; i++) {
        struct cs_net_request request = request_of(&b, CS_LIT("x"));

        assert_ok(perform(&b, &request, err));
        assert_view(cs_buf_view(&b.response.body), "one");
        assert_int_equal(b.response.tries, 1);
        assert_int_equal(cs_net_client_counts(b.client).connections, i);
        await(&b.peer.said);
    }
    assert_int_equal(cs_net_client_counts(b.client).replaced, 0);
    bench_stop(&b);
}

static void test_a_half_closed_connection_is_left(void **state)
{
    check_half_closed(NULL);
    check_half_closed(*state);
}

/* ---- without memory ---- */

static void two_calls(void *payload, const bool *failed)
{
    const struct bench *peer = payload;
    const struct cs_net_options options = {.connect_timeout_ms = 5000};
    struct cs_err err = CS_ERR_NONE;
    struct bench b = *peer;

    b.client = cs_net_client_new(&options, &err);
    if (b.client == NULL) {
        assert_true(*failed);
        assert_int_equal(err.code, CS_ENOMEM);
        return;
    }
    cs_net_response_init(&b.response, 1000);
    for (int i = 0; i < 2; i++) {
        struct cs_net_request request = request_of(&b, CS_LIT("body"));
        enum cs_code rc = perform(&b, &request, &err);

        if (rc != CS_OK) {
            assert_true(*failed);
            assert_int_equal(rc, CS_ENOMEM);
            assert_int_equal(err.code, CS_ENOMEM);
            /* and the same call succeeds with memory */
            rc = perform(&b, &request, &err);
        }
        assert_int_equal(rc, CS_OK);
        assert_view(cs_buf_view(&b.response.body), "four");
    }
    cs_net_response_clear(&b.response);
    cs_net_client_free(b.client);
}

static void test_failing_allocations(void **state)
{
    struct bench b;
    size_t failures;

    (void)state;
    bench_start(&b, answer_in_chunks, NULL);
    failures = failing_each(two_calls, &b);
    if (failing_works())
        assert_true(failures >= 7); /* client, its texts, wire, origin, request, answer */
    bench_stop(&b);
}

/* ---- */

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *certificate_of(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name;

    assert_non_null(certificate);
    name = X509_get_subject_name(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 86400));
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"peer", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    add_extension(certificate, NID_subject_alt_name, "IP:127.0.0.1");
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static int make_identity(void **state)
{
    struct identity *identity = calloc(1, sizeof(*identity));
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate;
    FILE *file;
    int fd;

    if (identity == NULL || key == NULL) /* gcc does not see that an assertion ends it */
        return -1;
    certificate = certificate_of(key);
    memcpy(identity->certificate, "test_net_wire.XXXXXX", sizeof("test_net_wire.XXXXXX"));
    fd = mkstemp(identity->certificate);
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
    identity->tls = SSL_CTX_new(TLS_server_method());
    assert_non_null(identity->tls);
    assert_int_equal(SSL_CTX_use_certificate(identity->tls, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(identity->tls, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    *state = identity;
    return 0;
}

static int drop_identity(void **state)
{
    struct identity *identity = *state;

    (void)unlink(identity->certificate);
    SSL_CTX_free(identity->tls);
    free(identity);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_broken_addresses),
        cmocka_unit_test(test_keeps_the_fragment_to_itself),
        cmocka_unit_test(test_refuses_what_is_not_for_it),
        cmocka_unit_test(test_reads_folded_fields),
        cmocka_unit_test(test_hears_why_a_body_is_not_taken),
        cmocka_unit_test(test_hears_that_a_body_is_not_needed),
        cmocka_unit_test(test_a_late_answer_is_nobody_elses),
        cmocka_unit_test(test_a_second_answer_is_nobody_elses),
        cmocka_unit_test(test_a_trickle_ends_with_the_deadline),
        cmocka_unit_test(test_a_held_trickle_ends),
        cmocka_unit_test(test_faults_leave_no_descriptors),
        cmocka_unit_test(test_new_connections_resume_the_session),
        cmocka_unit_test(test_a_connection_that_dies_with_a_request_is_replaced),
        cmocka_unit_test(test_refuses_strange_certificates),
        cmocka_unit_test(test_a_handshake_ends_with_its_limits),
        cmocka_unit_test(test_what_is_too_late_is_not_asked),
        cmocka_unit_test(test_a_half_closed_connection_is_left),
        cmocka_unit_test(test_failing_allocations),
    };

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
    return cmocka_run_group_tests(tests, make_identity, drop_identity);
}
