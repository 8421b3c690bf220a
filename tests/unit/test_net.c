#include "config.h"

#include "unit.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "fake_http.h"
#include "net/client.h"

struct bench {
    struct fake_http *server;
    struct cs_net_client *client;
    struct cs_net_response response;
    bool small; /* calls go over the wire */
    char url[128];
    /* the script */
    void (*script)(struct bench *bench, const struct fake_request *request,
                   struct fake_reply *reply);
    struct cs_buf seen; /* what a script wants remembered */
};

static void run_script(void *payload, const struct fake_request *request,
                       struct fake_reply *reply)
{
    struct bench *b = payload;

    b->script(b, request, reply);
}

static void echo(struct bench *b, const struct fake_request *request,
                 struct fake_reply *reply)
{
    (void)b;
    fake_reply_with(reply, 200, "X-Kind:  echo \r\nETag: \"one\"\r\n",
                    request->body.len > 0 ? request->body : request->target);
}

static int set_up(void **state)
{
    const struct cs_net_options options = {.connect_timeout_ms = 30000,
                                           .idle_timeout_ms = 30000};
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    b->script = echo;
    cs_buf_init(&b->seen, 1u << 20);
    b->server = fake_http_new(run_script, b);
    b->client = cs_net_client_new(&options, NULL);
    assert_non_null(b->client);
    cs_net_response_init(&b->response, 1u << 20);
    assert_true(snprintf(b->url, sizeof(b->url), "http://127.0.0.1:%u/a/../b%%2F?q=%%20x",
                         fake_http_port(b->server)) > 0);
    *state = b;
    return 0;
}

static int set_up_small(void **state)
{
    int rc = set_up(state);

    ((struct bench *)*state)->small = true;
    return rc;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    cs_net_response_clear(&b->response);
    cs_net_client_free(b->client);
    fake_http_free(b->server);
    cs_buf_clear(&b->seen);
    free(b);
    return 0;
}

static struct cs_net_request request_of(const struct bench *b, const char *method)
{
    return (struct cs_net_request){
        .method = method, .url = b->url, .deadline = cs_deadline_in_ms(60000)};
}

static enum cs_code perform(struct bench *b, const struct cs_net_request *request,
                            struct cs_err *err)
{
    struct cs_net_call call = {
        .request = *request, .response = &b->response, .small = b->small};

    cs_net_perform_many(b->client, &call, 1, 1);
    if (call.code != CS_OK && err != NULL)
        *err = call.err;
    return call.code;
}

/* ---- what must fail ---- */

static void test_refuses_other_protocols(void **state)
{
    static const char *const urls[] = {"file:///etc/hostname", "ftp://127.0.0.1/x",
                                       "gopher://127.0.0.1:1/_x", "", "http://"};
    struct bench *b = *state;

    for (size_t i = 0; i < CS_COUNT(urls); i++) {
        struct cs_net_request request = request_of(b, "GET");

        request.url = urls[i];
        assert_int_not_equal(perform(b, &request, NULL), CS_OK);
        assert_int_equal(b->response.body.len, 0);
    }
    assert_int_equal(fake_http_requests(b->server), 0);
}

static void test_refuses_broken_headers(void **state)
{
    static const struct cs_net_header headers[] = {
        {CS_LIT_INIT("X-A"), CS_LIT_INIT("1\r\nX-B: 2")},
        {CS_LIT_INIT("X\n"), CS_LIT_INIT("1")},
        {CS_LIT_INIT("X-A"), CS_LIT_INIT("1\0002")},
        {CS_LIT_INIT(""), CS_LIT_INIT("1")},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < CS_COUNT(headers); i++) {
        struct cs_net_request request = request_of(b, "GET");

        request.headers = &headers[i];
        request.header_count = 1;
        assert_int_equal(perform(b, &request, NULL), CS_EINVAL);
    }
    assert_int_equal(fake_http_requests(b->server), 0);
}

static void test_refused_connection(void **state)
{
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");
    struct cs_err err = CS_ERR_NONE;

    request.url = "http://127.0.0.1:1/";
    assert_int_equal(perform(b, &request, &err), CS_EUPSTREAM);
    assert_int_equal(b->response.fault, CS_NET_CONNECT);
    assert_string_equal(err.reason, "connect_failed");
    assert_non_null(strstr(err.text, "127.0.0.1:1"));
}

static void hang(struct bench *b, const struct fake_request *request,
                 struct fake_reply *reply)
{
    (void)b;
    (void)request;
    reply->then = FAKE_HANG;
}

static void test_deadline_ends_a_silent_server(void **state)
{
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");
    int64_t started = cs_clock_monotonic_us();

    b->script = hang;
    request.deadline = cs_deadline_in_ms(150);
    assert_int_equal(perform(b, &request, NULL), CS_ETIMEOUT);
    assert_int_equal(b->response.fault, CS_NET_DEADLINE);
    assert_in_range(cs_clock_monotonic_us() - started, 140000, 20000000);
    /* One that has passed before: nothing is waited for. */
    request.deadline = cs_deadline_in_ms(0);
    assert_int_equal(perform(b, &request, NULL), CS_ETIMEOUT);
}

static void test_idle_limit(void **state)
{
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");

    b->script = hang;
    request.idle_timeout_ms = 100;
    assert_int_equal(perform(b, &request, NULL), CS_ETIMEOUT);
    assert_int_equal(b->response.fault, CS_NET_IDLE);
    /* The limit is no memory of the handle: the next one succeeds. */
    b->script = echo;
    request = request_of(b, "GET");
    assert_ok(perform(b, &request, err));
}

static void truncated(struct bench *b, const struct fake_request *request,
                      struct fake_reply *reply)
{
    (void)b;
    (void)request;
    cs_buf_add_cstr(&reply->bytes, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    reply->then = FAKE_CLOSE;
}

static void test_truncated_body(void **state)
{
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");

    b->script = truncated;
    assert_int_equal(perform(b, &request, NULL), CS_EUPSTREAM);
    assert_int_equal(b->response.fault, CS_NET_LOST);
    assert_int_equal(b->response.tries, 1);
}

static void long_body(struct bench *b, const struct fake_request *request,
                      struct fake_reply *reply)
{
    (void)b;
    (void)request;
    cs_buf_add_cstr(&reply->bytes, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
    for (int i = 0; i < 300000; i++)
        cs_buf_add_byte(&reply->bytes, (char)('a' + i % 26));
}

static void test_ceiling(void **state)
{
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");

    b->script = long_body;
    b->response.body.max = 1000;
    assert_int_equal(perform(b, &request, NULL), CS_ETOOBIG);
    assert_int_equal(b->response.fault, CS_NET_LOCAL);
}

static void redirect(struct bench *b, const struct fake_request *request,
                     struct fake_reply *reply)
{
    (void)b;
    (void)request;
    fake_reply_with(reply, 307, "Location: /elsewhere\r\n", CS_LIT("moved"));
}

static void test_follows_no_redirect(void **state)
{
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");

    b->script = redirect;
    assert_ok(perform(b, &request, err));
    assert_int_equal(b->response.status, 307);
    assert_int_equal(fake_http_requests(b->server), 1);
    assert_view(cs_net_response_header(&b->response, "location"), "/elsewhere");
}

static void test_ignores_the_environment(void **state)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "ALL_PROXY",
                                        "all_proxy"};
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");

    for (size_t i = 0; i < CS_COUNT(names); i++)
        assert_int_equal(setenv(names[i], "http://127.0.0.1:1/", 1), 0);
    assert_ok(perform(b, &request, err));
    for (size_t i = 0; i < CS_COUNT(names); i++)
        assert_int_equal(unsetenv(names[i]), 0);
}

static void test_proxy_by_option_alone(void **state)
{
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");
    char proxy[64];
    struct cs_net_options options = {.proxy = proxy};
    struct cs_net_client *client;

    assert_true(snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u",
                         fake_http_port(b->server)) > 0);
    assert_int_equal(setenv("no_proxy", "*", 1), 0);
    client = cs_net_client_new(&options, NULL);
    assert_non_null(client);
    request.url = "http://service.invalid/x";
    assert_ok(cs_net_perform(client, &request, &b->response, err));
    assert_view(cs_buf_view(&b->response.body), "http://service.invalid/x");
    request.direct = true;
    assert_int_equal(cs_net_perform(client, &request, &b->response, NULL), CS_EUPSTREAM);
    assert_int_equal(b->response.fault, CS_NET_RESOLVE);
    assert_int_equal(unsetenv("no_proxy"), 0);
    cs_net_client_free(client);
}

static void test_refuses_use_after_fork(void **state)
{
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");
    pid_t child = fork();
    int status = 0;

    if (child == 0)
        _exit(perform(b, &request, NULL) == CS_EINTERNAL ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- what must work ---- */

static void remember(struct bench *b, const struct fake_request *request,
                     struct fake_reply *reply)
{
    cs_buf_reset(&b->seen);
    cs_buf_add(&b->seen, request->head);
    fake_reply_with(reply, 200, "", request->body);
}

static void test_sends_what_it_is_given(void **state)
{
    static const struct cs_net_header headers[] = {
        {CS_LIT_INIT("X-Empty"), CS_LIT_INIT("")},
        {CS_LIT_INIT("X-Full"), CS_LIT_INIT("a b")},
    };
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "PUT");
    const char *seen;

    b->script = remember;
    request.headers = headers;
    request.header_count = CS_COUNT(headers);
    request.body =
        (struct cs_net_body){.kind = CS_NET_BODY_BYTES, .bytes = CS_LIT("bytes")};
    assert_ok(perform(b, &request, err));
    assert_view(cs_buf_view(&b->response.body), "bytes");
    assert_int_equal(b->response.bytes_sent, 5);
    seen = cs_buf_cstr(&b->seen);
    assert_non_null(strstr(seen, "PUT /a/../b%2F?q=%20x HTTP/1.1\r\n"));
    assert_non_null(strstr(seen, "X-Empty:"));
    assert_non_null(strstr(seen, "X-Full: a b\r\n"));
    assert_non_null(strstr(seen, "Content-Length: 5\r\n"));
    assert_null(strstr(seen, "Expect:"));
    assert_null(strstr(seen, "Content-Type:"));
}

static void test_methods_on_one_handle(void **state)
{
    static const char *const methods[] = {"PUT",  "GET",  "HEAD",   "DELETE", "POST",
                                          "HEAD", "POST", "DELETE", "GET",    "PUT"};
    struct bench *b = *state;

    b->script = remember;
    for (size_t i = 0; i < CS_COUNT(methods); i++) {
        struct cs_net_request request = request_of(b, methods[i]);

        assert_ok(perform(b, &request, err));
        assert_memory_equal(cs_buf_cstr(&b->seen), methods[i], strlen(methods[i]));
        assert_int_equal(b->response.status, 200);
    }
    assert_int_equal(cs_net_client_counts(b->client).connections, 1);
}

/* One handle serves them all, and remembers the address that it was last given. */
static void test_each_request_goes_to_its_own_address(void **state)
{
    static const char *const targets[] = {"/one?x=1", "/one?x=1", "/two",
                                          "",         "/two",     "/one?x=1"};
    struct bench *b = *state;

    for (size_t i = 0; i < CS_COUNT(targets); i++) {
        struct cs_net_request request = request_of(b, "GET");
        char url[128];

        assert_true(snprintf(url, sizeof(url), "http://127.0.0.1:%u%s",
                             fake_http_port(b->server), targets[i]) > 0);
        request.url = targets[i][0] != '\0' ? url : "http://";
        if (targets[i][0] == '\0') {
            assert_int_equal(perform(b, &request, NULL), CS_EINVAL);
            continue;
        }
        assert_ok(perform(b, &request, err));
        assert_view(cs_buf_view(&b->response.body), targets[i]);
    }
    assert_int_equal(cs_net_client_counts(b->client).connections, 1);
}

static void test_reads_headers_and_keeps_the_connection(void **state)
{
    struct bench *b = *state;

    for (int i = 0; i < 50; i++) {
        struct cs_net_request request = request_of(b, "GET");

        assert_ok(perform(b, &request, err));
        assert_view(cs_net_response_header(&b->response, "x-KIND"), "echo");
        assert_view(cs_net_response_header(&b->response, "etag"), "\"one\"");
        assert_null(cs_net_response_header(&b->response, "x-kin").ptr);
        assert_int_equal(b->response.reused, i > 0);
        assert_true(b->response.total_us > 0);
    }
    assert_int_equal(fake_http_connections(b->server), 1);
    assert_int_equal(cs_net_client_counts(b->client).requests, 50);
}

static void dies_once(struct bench *b, const struct fake_request *request,
                      struct fake_reply *reply)
{
    (void)b;
    fake_reply_with(reply, 200, "", request->body);
    reply->then = request->connection == 1 ? FAKE_DIE_ON_NEXT : FAKE_KEEP;
}

/* The whole request was read before the reset. */
static void dies_having_read(struct bench *b, const struct fake_request *request,
                             struct fake_reply *reply)
{
    (void)b;
    if (request->connection == 2)
        reply->then = FAKE_RESET;
    else
        fake_reply_with(reply, 200, "", request->body);
}

static void resets_puts_once(struct bench *b, const struct fake_request *request,
                             struct fake_reply *reply)
{
    (void)b;
    if (request->number == 2)
        reply->then = FAKE_RESET;
    else
        fake_reply_with(reply, 200, "", request->body);
}

struct stream {
    struct cs_view bytes;
    size_t at;
    unsigned rewinds;
};

static enum cs_code stream_read(void *payload, char *to, size_t room, size_t *got_out)
{
    struct stream *stream = payload;
    struct cs_view piece =
        cs_view_sub(stream->bytes, stream->at, room < 1000 ? room : 1000);

    memcpy(to, piece.ptr, piece.len);
    stream->at += piece.len;
    *got_out = piece.len;
    return CS_OK;
}

static enum cs_code stream_rewind(void *payload)
{
    struct stream *stream = payload;

    stream->at = 0;
    stream->rewinds++;
    return CS_OK;
}

static void check_dead_connection(struct bench *b, const struct cs_net_body *body,
                                  struct cs_view bytes)
{
    struct cs_net_request request = request_of(b, "PUT");

    b->script = dies_once;
    request.body = *body;
    assert_ok(perform(b, &request, err));
    assert_ok(perform(b, &request, err));
    assert_true(cs_view_eq(cs_buf_view(&b->response.body), bytes));
    assert_int_equal(fake_http_connections(b->server), 2);
    b->script = dies_having_read;
    assert_ok(perform(b, &request, err));
    assert_true(cs_view_eq(cs_buf_view(&b->response.body), bytes));
    assert_int_equal(fake_http_connections(b->server), 3);
}

static struct cs_view big_text(struct cs_buf *buf, size_t len)
{
    cs_buf_init(buf, len);
    for (size_t i = 0; i < len; i++)
        cs_buf_add_byte(buf, (char)('a' + i % 23));
    assert_int_equal(cs_buf_check(buf, NULL), CS_OK);
    return cs_buf_view(buf);
}

static void test_dead_connection_with_bytes(void **state)
{
    struct cs_buf text;
    struct cs_net_body body = {.kind = CS_NET_BODY_BYTES,
                               .bytes = big_text(&text, 900000)};

    check_dead_connection(*state, &body, body.bytes);
    cs_buf_clear(&text);
}

static void test_dead_connection_with_a_stream(void **state)
{
    struct cs_buf text;
    struct stream stream = {.bytes = big_text(&text, 900000)};
    struct cs_net_body body = {.kind = CS_NET_BODY_STREAM,
                               .size = stream.bytes.len,
                               .read = stream_read,
                               .rewind = stream_rewind,
                               .payload = &stream};

    check_dead_connection(*state, &body, stream.bytes);
    assert_true(stream.rewinds >= 2);
    cs_buf_clear(&text);
}

static void test_dead_connection_with_a_file(void **state)
{
    struct cs_buf text;
    struct cs_view bytes = big_text(&text, 900000);
    char name[] = "/tmp/test_net_XXXXXX";
    struct cs_net_body body = {
        .kind = CS_NET_BODY_FILE, .fd = mkstemp(name), .size = 700000};

    assert_true(body.fd >= 0);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(cs_file_write_all(body.fd, bytes), 0);
    body.offset = 100000;
    check_dead_connection(*state, &body, cs_view_sub(bytes, 100000, 700000));
    /* A file that is shorter than it was said to be. */
    {
        struct bench *b = *state;
        struct cs_net_request request = request_of(b, "PUT");

        body.size = 800001;
        request.body = body;
        assert_int_equal(perform(b, &request, NULL), CS_EIO);
    }
    assert_int_equal(close(body.fd), 0);
    cs_buf_clear(&text);
}

/* libcurl then makes the second start itself, with the body sent to its end. */
static void test_dead_connection_with_a_short_file(void **state)
{
    struct cs_buf text;
    struct cs_view bytes = big_text(&text, 19000);
    char name[] = "/tmp/test_net_XXXXXX";
    struct cs_net_body body = {
        .kind = CS_NET_BODY_FILE, .fd = mkstemp(name), .size = bytes.len};

    assert_true(body.fd >= 0);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(cs_file_write_all(body.fd, bytes), 0);
    {
        struct bench *b = *state;
        struct cs_net_request post = request_of(b, "POST");
        struct cs_net_request put = request_of(b, "PUT");

        post.body = (struct cs_net_body){.kind = CS_NET_BODY_BYTES, .bytes = CS_LIT("x")};
        put.body = body;
        b->script = resets_puts_once;
        assert_ok(perform(b, &post, err));
        assert_ok(perform(b, &put, err));
        assert_true(cs_view_eq(cs_buf_view(&b->response.body), bytes));
        assert_int_equal(fake_http_connections(b->server), 2);
    }
    assert_int_equal(close(body.fd), 0);
    cs_buf_clear(&text);
}

static void always_dies(struct bench *b, const struct fake_request *request,
                        struct fake_reply *reply)
{
    (void)b;
    if (request->number == 1)
        fake_reply_with(reply, 200, "", CS_LIT(""));
    reply->then = request->number == 1 ? FAKE_DIE_ON_NEXT : FAKE_RESET;
}

static void test_a_dead_connection_is_replaced_once(void **state)
{
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");

    b->script = always_dies;
    assert_ok(perform(b, &request, err));
    assert_int_equal(perform(b, &request, NULL), CS_EUPSTREAM);
    assert_int_equal(b->response.fault, CS_NET_LOST);
    assert_int_equal(fake_http_connections(b->server), 2);
}

/* ---- many at once ---- */

struct many {
    struct bench *bench;
    unsigned ends;
    unsigned starts;
};

static enum cs_code count_start(struct cs_net_call *call, struct cs_err *err)
{
    struct many *many = call->payload;

    many->starts++;
    call->request = request_of(many->bench, "GET");
    if (many->starts == 100)
        return cs_err_set(err, CS_EDENIED, "not this one");
    return CS_OK;
}

static bool once_more(struct cs_net_call *call)
{
    struct many *many = call->payload;

    many->ends++;
    if (call->response->status != 503)
        return false;
    call->not_before_us = cs_clock_monotonic_us() + 2000;
    return true;
}

static void busy_at_first(struct bench *b, const struct fake_request *request,
                          struct fake_reply *reply)
{
    (void)b;
    fake_reply_with(reply, request->number % 3 == 0 ? 503 : 200, "", CS_LIT("x"));
}

static void test_many_with_repetition(void **state)
{
    enum { N = 40, PARALLEL = 4 };
    struct bench *b = *state;
    struct many many = {.bench = b};
    struct cs_net_call calls[N];
    struct cs_net_response responses[N];

    b->script = busy_at_first;
    for (size_t i = 0; i < N; i++) {
        cs_net_response_init(&responses[i], 100);
        calls[i] = (struct cs_net_call){.response = &responses[i],
                                        .prepare = count_start,
                                        .again = once_more,
                                        .payload = &many};
    }
    cs_net_perform_many(b->client, calls, N, PARALLEL);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(calls[i].code, CS_OK);
        assert_int_equal(responses[i].status, 200);
        cs_net_response_clear(&responses[i]);
    }
    assert_true(many.ends > N);
    assert_int_equal(many.ends, fake_http_requests(b->server));
    assert_in_range(fake_http_connections(b->server), 1, PARALLEL);
}

/* A call whose address stands in memory that all calls share, as it is prepared. */
struct shared_url {
    const struct bench *bench;
    char (*text)[128];
    unsigned number;
};

static enum cs_code write_url(struct cs_net_call *call, struct cs_err *err)
{
    struct shared_url *url = call->payload;

    (void)err;
    assert_true(snprintf(*url->text, sizeof(*url->text), "http://127.0.0.1:%u/%u",
                         fake_http_port(url->bench->server), url->number) > 0);
    call->request = request_of(url->bench, "GET");
    call->request.url = *url->text;
    return CS_OK;
}

static void dies_on_next(struct bench *b, const struct fake_request *request,
                         struct fake_reply *reply)
{
    echo(b, request, reply);
    reply->then = FAKE_DIE_ON_NEXT;
}

/* libcurl itself replaces a dead connection, but no more than five in a handle's life:
 * the rounds go on until it is up to us. */
static void test_a_call_anew_goes_where_it_was_to_go(void **state)
{
    enum { N = 3, ROUNDS = 12 };
    struct bench *b = *state;
    char text[128];
    struct shared_url urls[N];
    struct cs_net_call calls[N];
    struct cs_net_response responses[N];

    b->script = dies_on_next;
    for (unsigned i = 0; i < N; i++) {
        cs_net_response_init(&responses[i], 100);
        urls[i] = (struct shared_url){b, &text, i};
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < N; i++)
            calls[i] = (struct cs_net_call){
                .response = &responses[i], .prepare = write_url, .payload = &urls[i]};
        cs_net_perform_many(b->client, calls, N, N);
        for (unsigned i = 0; i < N; i++) {
            char expected[16];

            assert_true(snprintf(expected, sizeof(expected), "/%u", i) > 0);
            assert_int_equal(calls[i].code, CS_OK);
            assert_string_equal(cs_buf_cstr(&responses[i].body), expected);
        }
    }
    for (unsigned i = 0; i < N; i++)
        cs_net_response_clear(&responses[i]);
    if (cs_net_client_counts(b->client).replaced == 0)
        skip(); /* this libcurl leaves nothing to us */
}

static void test_a_failed_preparation_ends_that_call_alone(void **state)
{
    struct bench *b = *state;
    struct many many = {.bench = b, .starts = 98};
    struct cs_net_call calls[3];
    struct cs_net_response responses[3];

    for (size_t i = 0; i < 3; i++) {
        cs_net_response_init(&responses[i], 100);
        calls[i] = (struct cs_net_call){
            .response = &responses[i], .prepare = count_start, .payload = &many};
    }
    cs_net_perform_many(b->client, calls, 3, 1);
    assert_int_equal(calls[0].code, CS_OK);
    assert_int_equal(calls[1].code, CS_EDENIED);
    assert_int_equal(responses[1].status, 0);
    assert_int_equal(calls[2].code, CS_OK);
    for (size_t i = 0; i < 3; i++)
        cs_net_response_clear(&responses[i]);
}

/* ---- held bodies ---- */

static void test_held_body(void **state)
{
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");
    struct cs_net_response other;
    char piece[7000];
    size_t got = 1;
    size_t total = 0;

    cs_net_response_init(&other, 1u << 20);
    b->script = long_body;
    b->response.hold = true;
    assert_ok(perform(b, &request, err));
    assert_int_equal(b->response.status, 200);
    while (got > 0) {
        assert_ok(cs_net_read(&b->response, piece, sizeof(piece), &got, err));
        for (size_t i = 0; i < got; i++, total++)
            assert_int_equal(piece[i], 'a' + (int)total % 26);
        /* Another exchange in between must not disturb it. */
        if (total == 7000)
            assert_ok(cs_net_perform(b->client, &request, &other, err));
    }
    assert_int_equal(total, 300000);
    cs_net_release(&b->response);
    /* Read to its end, it left the connection warm. */
    assert_ok(perform(b, &request, err));
    cs_net_release(&b->response);
    assert_int_equal(fake_http_connections(b->server), 2);
    cs_net_response_clear(&other);
}

static void long_then_lost(struct bench *b, const struct fake_request *request,
                           struct fake_reply *reply)
{
    long_body(b, request, reply);
    cs_buf_truncate(&reply->bytes, 200000);
    reply->then = FAKE_CLOSE;
}

/* Reads what is left; the code that ended it, and how much came. */
static enum cs_code read_out(struct cs_net_response *response, size_t *total_out)
{
    enum cs_code rc = CS_OK;
    char piece[5000];
    size_t got = 1;

    *total_out = 0;
    while (rc == CS_OK && got > 0) {
        rc = cs_net_read(response, piece, sizeof(piece), &got, NULL);
        *total_out += got;
    }
    return rc;
}

static void test_held_body_that_breaks(void **state)
{
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");
    enum cs_code rc;
    size_t total;

    /* Broken at once: seen with the head or behind it, as the moment has it. */
    b->script = truncated;
    b->response.hold = true;
    rc = perform(b, &request, NULL);
    if (rc == CS_OK) {
        rc = read_out(&b->response, &total);
        cs_net_release(&b->response);
    }
    assert_int_equal(rc, CS_EUPSTREAM);
    /* Broken later: the end of the body is never reported. */
    b->script = long_then_lost;
    assert_ok(perform(b, &request, err));
    assert_int_equal(read_out(&b->response, &total), CS_EUPSTREAM);
    assert_in_range(total, 1, 200000);
    cs_net_release(&b->response);
}

static void missing(struct bench *b, const struct fake_request *request,
                    struct fake_reply *reply)
{
    (void)b;
    (void)request;
    fake_reply_with(reply, 404, "", CS_LIT("no such thing"));
}

static void test_held_error_has_its_body(void **state)
{
    struct bench *b = *state;
    struct cs_net_request request = request_of(b, "GET");

    b->script = missing;
    b->response.hold = true;
    assert_ok(perform(b, &request, err));
    assert_int_equal(b->response.status, 404);
    assert_view(cs_buf_view(&b->response.body), "no such thing");
}

/* ---- fetch ---- */

static void test_fetch(void **state)
{
    static const char *const refused[] = {
        "http://192.0.2.1/keys",         "http://127.0.0.1.example/k",
        "http://localhost.example/k",    "file:///etc/hostname",
        "http://example.org@192.0.2.1/", "nonsense"};
    struct bench *b = *state;
    struct cs_buf out = CS_BUF_INIT(100);
    struct cs_err why = CS_ERR_NONE;

    for (size_t i = 0; i < CS_COUNT(refused); i++)
        assert_int_equal(
            cs_net_fetch(b->client, refused[i], &out, cs_deadline_in_ms(1000), NULL),
            CS_EINVAL);
    assert_int_equal(fake_http_requests(b->server), 0);
    assert_ok(cs_net_fetch(b->client, b->url, &out, cs_deadline_in_ms(60000), err));
    assert_view(cs_buf_view(&out), "/a/../b%2F?q=%20x");
    b->script = missing;
    assert_int_equal(
        cs_net_fetch(b->client, b->url, &out, cs_deadline_in_ms(60000), &why),
        CS_EUPSTREAM);
    assert_int_equal(why.upstream_status, 404);
    b->script = long_body;
    assert_int_equal(
        cs_net_fetch(b->client, b->url, &out, cs_deadline_in_ms(60000), NULL),
        CS_ETOOBIG);
    cs_buf_clear(&out);
}

#define with_bench(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define with_both(test) \
    with_bench(test), cmocka_unit_test_setup_teardown(test, set_up_small, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_both(test_refuses_other_protocols),
        with_both(test_refuses_broken_headers),
        with_both(test_refused_connection),
        with_both(test_deadline_ends_a_silent_server),
        with_both(test_idle_limit),
        with_both(test_truncated_body),
        with_both(test_ceiling),
        with_both(test_follows_no_redirect),
        with_both(test_ignores_the_environment),
        with_bench(test_proxy_by_option_alone),
        with_both(test_refuses_use_after_fork),
        with_both(test_sends_what_it_is_given),
        with_bench(test_methods_on_one_handle),
        with_both(test_each_request_goes_to_its_own_address),
        with_both(test_reads_headers_and_keeps_the_connection),
        with_both(test_dead_connection_with_bytes),
        with_bench(test_dead_connection_with_a_stream),
        with_bench(test_dead_connection_with_a_file),
        with_bench(test_dead_connection_with_a_short_file),
        with_both(test_a_dead_connection_is_replaced_once),
        with_bench(test_a_call_anew_goes_where_it_was_to_go),
        with_bench(test_many_with_repetition),
        with_bench(test_a_failed_preparation_ends_that_call_alone),
        with_bench(test_held_body),
        with_bench(test_held_body_that_breaks),
        with_bench(test_held_error_has_its_body),
        with_bench(test_fetch),
    };

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
