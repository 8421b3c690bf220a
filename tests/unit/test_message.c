#include "config.h"

#include <errno.h>

#include "unit.h"

#include "base/clock.h"
#include "http/message.h"

/* A carrier of given bytes that gathers what is written. */
struct fake {
    struct cs_view body; /* still to be read */
    size_t step;         /* at most so many bytes a read */
    int read_errno;      /* at the end of body; 0: a proper end */
    struct cs_buf sent;
    size_t takes; /* bytes taken before the client is gone */
    int flushes;
    bool hangs; /* not ready once the body is read */
    struct cs_carrier carrier;
};

static ssize_t fake_read(void *payload, char *to, size_t room)
{
    struct fake *fake = payload;
    size_t got = fake->body.len < room ? fake->body.len : room;

    if (got > fake->step)
        got = fake->step;
    if (got == 0 && fake->read_errno != 0) {
        errno = fake->read_errno;
        return -1;
    }
    memcpy(to, fake->body.ptr, got);
    fake->body = cs_view_from(fake->body, got);
    return (ssize_t)got;
}

static bool fake_write(void *payload, struct cs_view bytes)
{
    struct fake *fake = payload;

    if (bytes.len > fake->takes)
        return false;
    fake->takes -= bytes.len;
    cs_buf_add(&fake->sent, bytes);
    return true;
}

static bool fake_ready(void *payload, struct cs_deadline deadline)
{
    struct fake *fake = payload;

    return !fake->hangs || (fake->body.len > 0 && deadline.at_us > 0);
}

static bool fake_flush(void *payload)
{
    struct fake *fake = payload;

    fake->flushes++;
    return true;
}

static struct cs_carrier *fake_init(struct fake *fake, const char *body)
{
    *fake = (struct fake){.body = cs_view_cstr(body),
                          .step = 7,
                          .sent = CS_BUF_INIT(1u << 20),
                          .takes = SIZE_MAX,
                          .carrier = {.payload = fake,
                                      .read = fake_read,
                                      .write = fake_write,
                                      .ready = fake_ready,
                                      .flush = fake_flush}};
    return &fake->carrier;
}

#define PARAMS_MAX 4096

/* A request of the given parameters, at most 15. */
static struct cs_request *request_of(struct fake *fake, const char *const *params)
{
    static const struct cs_message_limits limits = {.params_max_bytes = PARAMS_MAX,
                                                    .budget_ms = 5000};
    static char *envp[16]; /* lent to the request, which outlives this call */
    struct cs_request *request;
    size_t count = 0;

    for (; params[count] != NULL; count++)
        envp[count] = (char *)params[count];
    envp[count] = NULL;
    assert_true(count < 16);
    request = cs_request_new(envp, &fake->carrier, &limits, NULL);
    assert_non_null(request);
    return request;
}

#define REQUEST(fake, ...) \
    request_of((fake), (const char *const[]){"REQUEST_METHOD=GET", __VA_ARGS__, NULL})

/* ---- requests ---- */

static void test_address(void **state)
{
    static const struct {
        const char *uri, *path, *query;
    } cases[] = {
        {"REQUEST_URI=/", "/", ""},
        {"REQUEST_URI=/a/b?c=d?e", "/a/b", "c=d?e"},
        {"REQUEST_URI=/a%2Fb%00?", "/a%2Fb%00", ""},
        {"REQUEST_URI=?x", "", "x"},
        {"REQUEST_URI=http://h.example/a?b", "/a", "b"},
        {"REQUEST_URI=HTTPS://h.example:1/a?b", "/a", "b"},
        {"REQUEST_URI=http://h.example", "/", ""},
        {"REQUEST_URI=*", "*", ""},
    };
    struct fake fake;
    struct cs_request *request;

    (void)state;
    fake_init(&fake, "");
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        request = REQUEST(&fake, cases[i].uri);
        assert_view(cs_request_path(request), cases[i].path);
        assert_view(cs_request_query(request), cases[i].query);
        cs_request_free(request);
    }
    request = REQUEST(&fake, "SCRIPT_NAME=/api", "PATH_INFO=/x y?", "QUERY_STRING=q=1");
    assert_view(cs_request_path(request), "/api/x%20y%3F");
    assert_view(cs_request_query(request), "q=1");
    cs_request_free(request);
    request = REQUEST(&fake, "SCRIPT_NAME=/api");
    assert_view(cs_request_query(request), "");
    cs_request_free(request);
}

static void test_headers(void **state)
{
    struct fake fake;
    struct cs_request *request;

    (void)state;
    fake_init(&fake, "");
    request = REQUEST(&fake, "HTTP_IF_NONE_MATCH=\"a\"", "CONTENT_TYPE=text/plain",
                      "HTTP_CONTENT_TYPE=fake",
                      "HTTP_AUTHORIZATION=", "REDIRECT_HTTP_AUTHORIZATION=Bearer x",
                      "HTTP_EMPTY=", "HTTP_TWICE=1", "HTTP_TWICE=2", "REMOTE_ADDR=::1",
                      "REDIRECT_REMOTE_USER=eve");
    assert_view(cs_request_header(request, "If-None-Match"), "\"a\"");
    assert_view(cs_request_header(request, "if-none-match"), "\"a\"");
    assert_null(cs_request_header(request, "If-None").ptr);
    assert_null(cs_request_header(request, "If-None-Match-").ptr);
    assert_view(cs_request_header(request, "Content-Type"), "text/plain");
    assert_view(cs_request_header(request, "authorization"), "Bearer x");
    assert_non_null(cs_request_header(request, "Empty").ptr);
    assert_view(cs_request_header(request, "Twice"), "1");
    assert_true(cs_request_header_repeated(request, "Twice"));
    assert_false(cs_request_header_repeated(request, "Empty"));
    assert_view(cs_request_param(request, "REMOTE_ADDR"), "::1");
    assert_null(cs_request_param(request, "HTTP_IF_NONE_MATCH").ptr);
    assert_null(cs_request_param(request, "REDIRECT_REMOTE_USER").ptr);
    cs_request_free(request);
    request = REQUEST(&fake, "HTTP_AUTHORIZATION=Bearer a",
                      "REDIRECT_HTTP_AUTHORIZATION=Bearer b");
    assert_view(cs_request_header(request, "Authorization"), "Bearer a");
    cs_request_free(request);
    request = REQUEST(&fake, "HTTP_AUTHORIZATION=", "REDIRECT_HTTP_AUTHORIZATION=");
    assert_null(cs_request_header(request, "Authorization").ptr);
    cs_request_free(request);
}

static void test_id(void **state)
{
    static const struct {
        const char *header, *param, *id; /* id NULL: made here */
    } cases[] = {
        {"HTTP_X_REQUEST_ID=A-z_0.9", "REQUEST_ID=other", "A-z_0.9"},
        {"HTTP_X_REQUEST_ID=", "REQUEST_ID=given", "given"},
        {"HTTP_X_REQUEST_ID=a b", "REQUEST_ID=given", "given"},
        {"HTTP_X_REQUEST_ID=a\nb", "REQUEST_ID=", NULL},
        {"HTTP_X_REQUEST_ID=\xc3\xa4", "REQUEST_ID=x/y", NULL},
        {"HTTP_X_REQUEST_ID="
         "0123456789012345678901234567890123456789012345678901234567890123",
         "REQUEST_ID=",
         "0123456789012345678901234567890123456789012345678901234567890123"},
        {"HTTP_X_REQUEST_ID="
         "01234567890123456789012345678901234567890123456789012345678901234",
         "REQUEST_ID=", NULL},
    };
    struct fake fake;

    (void)state;
    fake_init(&fake, "");
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_request *request = REQUEST(&fake, cases[i].header, cases[i].param);

        if (cases[i].id != NULL)
            assert_view(cs_request_id(request), cases[i].id);
        else
            assert_int_equal(cs_request_id(request).len, 32);
        cs_request_free(request);
    }
}

static void test_query(void **state)
{
    static const struct {
        const char *query, *value;
        enum cs_code code;
    } cases[] = {
        {"REQUEST_URI=/?q=a", "a", CS_OK},
        {"REQUEST_URI=/?x=1&q=a%20b+c&y", "a b c", CS_OK},
        {"REQUEST_URI=/?%71=a", "a", CS_OK},
        {"REQUEST_URI=/?q", "", CS_OK},
        {"REQUEST_URI=/?q=", "", CS_OK},
        {"REQUEST_URI=/?q=a=b", "a=b", CS_OK},
        {"REQUEST_URI=/?&&q=a&&", "a", CS_OK},
        {"REQUEST_URI=/", "", CS_ENOTFOUND},
        {"REQUEST_URI=/?Q=a&qq=b", "", CS_ENOTFOUND},
        {"REQUEST_URI=/?q=a&q=a", "", CS_EINVAL},
        {"REQUEST_URI=/?q=%4", "", CS_EINVAL},
        {"REQUEST_URI=/?q=%zz", "", CS_EINVAL},
        {"REQUEST_URI=/?%zz=1&q=a", "", CS_EINVAL},
    };
    struct fake fake;

    (void)state;
    fake_init(&fake, "");
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_request *request = REQUEST(&fake, cases[i].query);
        struct cs_buf value = CS_BUF_INIT(100);
        struct cs_err err = CS_ERR_NONE;

        assert_int_equal(cs_request_query_value(request, "q", &value, &err),
                         cases[i].code);
        if (cases[i].code == CS_OK)
            assert_view(cs_buf_view(&value), cases[i].value);
        if (cases[i].code == CS_EINVAL)
            assert_true(err.text[0] != '\0');
        cs_buf_clear(&value);
        cs_request_free(request);
    }
}

static void test_origin(void **state)
{
    static const struct {
        const char *params[4];
        const char *origin; /* NULL: refused */
    } cases[] = {
        {{"HTTPS=on", "HTTP_HOST=c.example", NULL}, "https://c.example"},
        {{"HTTPS=off", "HTTP_HOST=c.example:8080", NULL}, "http://c.example:8080"},
        {{"REQUEST_SCHEME=https", "HTTP_HOST=[::1]:8443", NULL}, "https://[::1]:8443"},
        {{"HTTP_X_FORWARDED_PROTO=https", "HTTP_HOST=c.example", NULL},
         "http://c.example"},
        {{"HTTP_HOST=a/b", "SERVER_NAME=s.example", "SERVER_PORT=80"},
         "http://s.example"},
        {{"HTTP_HOST=", "SERVER_NAME=s.example", "SERVER_PORT=8080"},
         "http://s.example:8080"},
        {{"HTTP_HOST=a@b", "SERVER_NAME=s.example", "SERVER_PORT=x"}, "http://s.example"},
        {{"HTTP_HOST=a b", "SERVER_NAME=", NULL}, NULL},
        {{"HTTP_HOST=a\r\nX: y", NULL, NULL}, NULL},
    };
    struct fake fake;

    (void)state;
    fake_init(&fake, "");
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        const char *const params[] = {"REQUEST_METHOD=GET", cases[i].params[0],
                                      cases[i].params[1], cases[i].params[2], NULL};
        struct cs_request *request = request_of(&fake, params);
        struct cs_buf origin = CS_BUF_INIT(300);
        enum cs_code rc = cs_request_origin(request, &origin, NULL);

        assert_int_equal(rc, cases[i].origin != NULL ? CS_OK : CS_EINVAL);
        if (cases[i].origin != NULL)
            assert_view(cs_buf_view(&origin), cases[i].origin);
        cs_buf_clear(&origin);
        cs_request_free(request);
    }
}

static void test_faults(void **state)
{
    static char big[PARAMS_MAX] = "HTTP_BIG=";
    static const struct {
        const char *params[3];
        enum cs_code fault;
    } cases[] = {
        {{"REQUEST_METHOD=GET", "CONTENT_LENGTH=", NULL}, CS_OK},
        {{"REQUEST_METHOD=GET", "CONTENT_LENGTH=0", NULL}, CS_OK},
        {{"REQUEST_METHOD=GET", "CONTENT_LENGTH= 1", NULL}, CS_EINVAL},
        {{"REQUEST_METHOD=GET", "CONTENT_LENGTH=+1", NULL}, CS_EINVAL},
        {{"REQUEST_METHOD=", NULL, NULL}, CS_EINVAL},
        {{"REQUEST_URI=/", NULL, NULL}, CS_EINVAL},
        {{"REQUEST_METHOD=GET", big, NULL}, CS_ETOOBIG},
    };
    struct fake fake;

    (void)state;
    memset(big + 9, 'x', sizeof(big) - 10);
    fake_init(&fake, "");
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_request *request = request_of(&fake, cases[i].params);

        assert_int_equal(cs_request_fault(request), cases[i].fault);
        cs_request_free(request);
    }
}

/* What Apache's configuration says that the client has announced, and what arrives. */
static void test_cut_off(void **state)
{
    static const struct {
        const char *length, *announced;
        enum cs_code fault;
    } cases[] = {
        {"CONTENT_LENGTH=5", "ANNOUNCED_LENGTH=5", CS_OK},
        {"CONTENT_LENGTH=5", "REDIRECT_ANNOUNCED_LENGTH=5", CS_OK},
        {"CONTENT_LENGTH=5", "ANNOUNCED_LENGTH=", CS_OK},
        {"CONTENT_LENGTH=", "ANNOUNCED_LENGTH=0", CS_OK},
        {"CONTENT_LENGTH=0", "ANNOUNCED_LENGTH=0", CS_OK},
        {"CONTENT_LENGTH=", "ANNOUNCED_LENGTH=5", CS_ESHORT},
        {"CONTENT_LENGTH=", "REDIRECT_ANNOUNCED_LENGTH=5", CS_ESHORT},
        {"CONTENT_LENGTH=0", "ANNOUNCED_LENGTH=5", CS_ESHORT},
        {"CONTENT_LENGTH=4", "ANNOUNCED_LENGTH=5", CS_ESHORT},
        {"CONTENT_LENGTH=5", "ANNOUNCED_LENGTH=4", CS_ESHORT},
        {"CONTENT_LENGTH=5", "ANNOUNCED_LENGTH=five", CS_ESHORT},
        {"CONTENT_LENGTH=5", "ANNOUNCED_LENGTH=5, 5", CS_ESHORT},
        {"CONTENT_LENGTH=x", "ANNOUNCED_LENGTH=x", CS_EINVAL},
    };
    struct fake fake;

    (void)state;
    fake_init(&fake, "");
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_request *request = REQUEST(&fake, cases[i].length, cases[i].announced);

        assert_int_equal(cs_request_fault(request), cases[i].fault);
        cs_request_free(request);
    }
}

/* Since when a request has waited: told by the web server, in microseconds. */
static void test_waited(void **state)
{
    static const struct {
        const char *before, *behind; /* the number */
        int64_t ago_us;
        const char *length;
        int64_t max_ms;
        enum cs_code fault;
    } cases[] = {
        {"t=", "", 5000000, "CONTENT_LENGTH=", 10000, CS_OK},
        {"t=", "", 11000000, "CONTENT_LENGTH=", 10000, CS_EBUSY},
        {"t=", "", 11000000, "CONTENT_LENGTH=0", 10000, CS_EBUSY},
        /* the body may have been slow */
        {"t=", "", 11000000, "CONTENT_LENGTH=1", 10000, CS_OK},
        {"t=", "", 11000000, "CONTENT_LENGTH=", 0, CS_OK},
        /* clocks that differ, and what is no time */
        {"t=", "", -11000000, "CONTENT_LENGTH=", 10000, CS_OK},
        {"", "", 11000000, "CONTENT_LENGTH=", 10000, CS_OK},
        {"t=", "x", 11000000, "CONTENT_LENGTH=", 10000, CS_OK},
        {"t=", "00000000000000", 11000000, "CONTENT_LENGTH=", 10000, CS_OK},
    };
    struct fake fake;

    (void)state;
    fake_init(&fake, "");
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        const struct cs_message_limits limits = {.params_max_bytes = PARAMS_MAX,
                                                 .budget_ms = 5000,
                                                 .queued_max_ms = cases[i].max_ms};
        struct cs_buf start = CS_BUF_INIT(100);
        char *envp[] = {(char *)"REQUEST_METHOD=GET", (char *)cases[i].length, NULL,
                        NULL};
        struct cs_request *request;

        cs_buf_add_cstr(&start, "HTTP_X_REQUEST_START=");
        cs_buf_add_cstr(&start, cases[i].before);
        cs_buf_add_i64(&start, cs_clock_now_us() - cases[i].ago_us);
        cs_buf_add_cstr(&start, cases[i].behind);
        envp[2] = (char *)cs_buf_cstr(&start);
        request = cs_request_new(envp, &fake.carrier, &limits, NULL);
        assert_non_null(request);
        assert_int_equal(cs_request_fault(request), cases[i].fault);
        cs_request_free(request);
        cs_buf_clear(&start);
    }
}

/* ---- bodies ---- */

static void expect_body(const char *length, const char *body, int read_errno, size_t max,
                        enum cs_code code)
{
    struct fake fake;
    struct cs_buf out = CS_BUF_INIT(1000);
    struct cs_err err = CS_ERR_NONE;
    struct cs_request *request;

    fake_init(&fake, body);
    fake.read_errno = read_errno;
    request = REQUEST(&fake, length);
    assert_int_equal(cs_request_read_all(request, max, &out, &err), code);
    if (code == CS_OK)
        assert_view(cs_buf_view(&out), body);
    else
        assert_true(err.text[0] != '\0');
    cs_buf_clear(&out);
    cs_request_free(request);
}

static void test_bodies(void **state)
{
    (void)state;
    expect_body("CONTENT_LENGTH=0", "", 0, 20, CS_OK);
    expect_body("CONTENT_LENGTH=", "", 0, 20, CS_OK);
    expect_body("CONTENT_LENGTH=", "", 0, 0, CS_OK);
    expect_body("CONTENT_LENGTH=20", "01234567890123456789", 0, 20, CS_OK);
    expect_body("CONTENT_LENGTH=20", "01234567890123456789", ECONNRESET, 20, CS_OK);
    expect_body("CONTENT_LENGTH=", "01234567890123456789", 0, 20, CS_OK);
    expect_body("CONTENT_LENGTH=21", "01234567890123456789x", 0, 20, CS_ETOOBIG);
    expect_body("CONTENT_LENGTH=", "01234567890123456789x", 0, 20, CS_ETOOBIG);
    expect_body("CONTENT_LENGTH=", "x", 0, 0, CS_ETOOBIG);
    expect_body("CONTENT_LENGTH=9223372036854775807", "x", 0, 20, CS_ETOOBIG);
    expect_body("CONTENT_LENGTH=20", "0123456789", 0, 20, CS_ESHORT);
    expect_body("CONTENT_LENGTH=20", "", 0, 20, CS_ESHORT);
    expect_body("CONTENT_LENGTH=20", "0123456789", ECONNRESET, 20, CS_ESHORT);
    expect_body("CONTENT_LENGTH=", "0123456789", ECONNRESET, 20, CS_ESHORT);
    expect_body("CONTENT_LENGTH=20", "0123456789", ETIMEDOUT, 20, CS_ETIMEOUT);
}

static void test_body_failure_is_final(void **state)
{
    struct fake fake;
    struct cs_request *request;
    char byte[10];
    size_t got;

    (void)state;
    fake_init(&fake, "");
    request = REQUEST(&fake, "CONTENT_LENGTH=20");
    assert_int_equal(cs_request_read(request, byte, sizeof(byte), &got, NULL), CS_ESHORT);
    fake.body = CS_LIT("late bytes");
    assert_int_equal(cs_request_read(request, byte, sizeof(byte), &got, NULL), CS_ESHORT);
    assert_int_equal(got, 0);
    cs_request_free(request);
}

/* A body is never read past its announced end. */
static void test_body_excess(void **state)
{
    struct fake fake;
    struct cs_buf out = CS_BUF_INIT(100);
    struct cs_request *request;

    (void)state;
    fake_init(&fake, "0123456789");
    request = REQUEST(&fake, "CONTENT_LENGTH=4");
    assert_ok(cs_request_read_all(request, 50, &out, err));
    assert_view(cs_buf_view(&out), "0123");
    cs_buf_clear(&out);
    cs_request_free(request);
}

/* ---- responses ---- */

/* What a handler did is finished; the whole answer is expected. */
static void expect_sent(struct fake *fake, struct cs_request *request,
                        struct cs_response *response, const char *sent)
{
    assert_ok(cs_response_finish(response, err));
    assert_view(cs_buf_view(&fake->sent), sent);
    cs_response_free(response);
    cs_request_free(request);
    cs_buf_clear(&fake->sent);
}

static void test_answer(void **state)
{
    struct fake fake;
    struct cs_request *request;
    struct cs_response *response;

    (void)state;
    request = (fake_init(&fake, ""), REQUEST(&fake, "REQUEST_ID=r"));
    response = cs_response_new(request, &fake.carrier, NULL);
    cs_response_status(response, 201);
    cs_response_header(response, "Location", CS_LIT("/x"));
    cs_response_header(response, "X-A", CS_LIT("1"));
    cs_response_header(response, "location", CS_LIT("/y\r\nSet-Cookie: a\0b"));
    cs_response_header_fmt(response, "X-B", "%d\n", 7);
    cs_buf_add(cs_response_body(response), CS_LIT("made"));
    expect_sent(
        &fake, request, response,
        "Status: 201 Created\r\nX-Request-Id: r\r\nlocation: /y  Set-Cookie: a b\r\n"
        "X-A: 1\r\nX-B: 7\r\nContent-Length: 4\r\n\r\nmade");
    assert_int_equal(fake.flushes, 0);
}

static void test_bodiless(void **state)
{
    static const int statuses[] = {204, 304};
    struct fake fake;
    struct cs_request *request;
    struct cs_response *response;

    (void)state;
    for (size_t i = 0; i < CS_COUNT(statuses); i++) {
        request = (fake_init(&fake, ""), REQUEST(&fake, "REQUEST_ID=r"));
        response = cs_response_new(request, &fake.carrier, NULL);
        cs_response_status(response, statuses[i]);
        cs_buf_add(cs_response_body(response), CS_LIT("not sent"));
        expect_sent(&fake, request, response,
                    statuses[i] == 204
                        ? "Status: 204 No Content\r\nX-Request-Id: r\r\n\r\n"
                        : "Status: 304 Not Modified\r\nX-Request-Id: r\r\n\r\n");
    }
    fake_init(&fake, "");
    request = request_of(
        &fake, (const char *const[]){"REQUEST_METHOD=HEAD", "REQUEST_ID=r", NULL});
    response = cs_response_new(request, &fake.carrier, NULL);
    assert_ok(cs_response_start(response, 1000000, err));
    assert_ok(cs_response_write(response, CS_LIT("a part of it"), err));
    expect_sent(&fake, request, response,
                "Status: 200 OK\r\nX-Request-Id: r\r\nContent-Length: 1000000\r\n\r\n");
}

static void test_stream(void **state)
{
    struct fake fake;
    struct cs_request *request;
    struct cs_response *response;

    (void)state;
    request = (fake_init(&fake, ""), REQUEST(&fake, "REQUEST_ID=r"));
    response = cs_response_new(request, &fake.carrier, NULL);
    assert_int_equal(cs_response_write(response, CS_LIT("x"), NULL), CS_EINTERNAL);
    assert_ok(cs_response_start(response, 6, err));
    assert_true(cs_response_started(response));
    assert_int_equal(cs_response_start(response, 6, NULL), CS_EINTERNAL);
    assert_ok(cs_response_write(response, CS_LIT("abc"), err));
    /* less than announced */
    assert_int_equal(cs_response_finish(response, NULL), CS_EINTERNAL);
    assert_ok(cs_response_write(response, CS_LIT("def"), err));
    assert_ok(cs_response_finish(response, err));
    assert_int_equal(cs_response_bytes(response), 6);
    /* more */
    assert_int_equal(cs_response_write(response, CS_LIT("g"), NULL), CS_EINTERNAL);
    assert_true(cs_view_ends(cs_buf_view(&fake.sent), CS_LIT("\r\n\r\nabcdef")));
    cs_buf_clear(&fake.sent);
    cs_response_free(response);
    cs_request_free(request);
}

static void test_client_gone(void **state)
{
    struct fake fake;
    struct cs_request *request;
    struct cs_response *response;

    (void)state;
    for (size_t takes = 0; takes <= 100; takes += 100) {
        request = (fake_init(&fake, ""), REQUEST(&fake, "REQUEST_ID=r"));
        fake.takes = takes;
        response = cs_response_new(request, &fake.carrier, NULL);
        assert_int_equal(cs_response_start(response, 1000, NULL),
                         takes == 0 ? CS_EGONE : CS_OK);
        for (int i = 0; i < 3; i++)
            (void)!cs_response_write(
                response, CS_LIT("0123456789012345678901234567890123456"), NULL);
        assert_int_equal(cs_response_write(response, CS_LIT("x"), NULL), CS_EGONE);
        assert_int_equal(cs_response_finish(response, NULL), CS_EGONE);
        cs_buf_clear(&fake.sent);
        cs_response_free(response);
        cs_request_free(request);
    }
}

/* A header that can't be set makes a 500, not an answer without it. */
static void test_bad_header(void **state)
{
    static const char *const names[] = {"", "A B", "A:", "A\r\nB"};
    struct fake fake;

    (void)state;
    for (size_t i = 0; i < CS_COUNT(names); i++) {
        struct cs_request *request =
            (fake_init(&fake, ""), REQUEST(&fake, "REQUEST_ID=r"));
        struct cs_response *response = cs_response_new(request, &fake.carrier, NULL);

        cs_response_header(response, names[i], CS_LIT("x"));
        cs_buf_add(cs_response_body(response), CS_LIT("secret"));
        assert_ok(cs_response_finish(response, err));
        assert_int_equal(cs_response_get_status(response), 500);
        assert_true(cs_view_starts(cs_buf_view(&fake.sent), CS_LIT("Status: 500 ")));
        assert_int_equal(cs_view_find(cs_buf_view(&fake.sent), CS_LIT("secret")),
                         SIZE_MAX);
        cs_buf_clear(&fake.sent);
        cs_response_free(response);
        cs_request_free(request);
    }
}

static void test_problem(void **state)
{
    struct fake fake;
    struct cs_request *request = (fake_init(&fake, ""), REQUEST(&fake, "REQUEST_ID=r"));
    struct cs_response *response = cs_response_new(request, &fake.carrier, NULL);

    (void)state;
    cs_response_header(response, "Location", CS_LIT("/x"));
    cs_buf_add(cs_response_body(response), CS_LIT("half an answer"));
    cs_response_problem(response, 431, "Too Large", "headers_too_large",
                        "Send \"fewer\".");
    expect_sent(&fake, request, response,
                "Status: 431 Request Header Fields Too Large\r\nX-Request-Id: r\r\n"
                "Content-Type: application/problem+json\r\nCache-Control: no-store\r\n"
                "Content-Length: 126\r\n\r\n"
                "{\"type\":\"about:blank\",\"title\":\"Too Large\",\"status\":431,"
                "\"detail\":\"Send \\\"fewer\\\".\",\"code\":\"headers_too_large\","
                "\"request_id\":\"r\"}");
}

/* What the handler left of the body is read, after the answer has gone out. */
static void test_drain(void **state)
{
    struct fake fake;
    struct cs_request *request;
    struct cs_response *response;

    (void)state;
    for (int hangs = 0; hangs < 2; hangs++) {
        request =
            (fake_init(&fake, "not read by the handler"), REQUEST(&fake, "REQUEST_ID=r"));
        fake.hangs = hangs != 0;
        response = cs_response_new(request, &fake.carrier, NULL);
        assert_ok(cs_response_finish(response, err));
        assert_int_equal(fake.body.len, 0);
        assert_int_equal(fake.flushes, hangs);
        cs_buf_clear(&fake.sent);
        cs_response_free(response);
        cs_request_free(request);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address),     cmocka_unit_test(test_headers),
        cmocka_unit_test(test_id),          cmocka_unit_test(test_query),
        cmocka_unit_test(test_origin),      cmocka_unit_test(test_faults),
        cmocka_unit_test(test_cut_off),     cmocka_unit_test(test_waited),
        cmocka_unit_test(test_bodies),      cmocka_unit_test(test_body_failure_is_final),
        cmocka_unit_test(test_body_excess), cmocka_unit_test(test_answer),
        cmocka_unit_test(test_bodiless),    cmocka_unit_test(test_stream),
        cmocka_unit_test(test_client_gone), cmocka_unit_test(test_bad_header),
        cmocka_unit_test(test_problem),     cmocka_unit_test(test_drain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
