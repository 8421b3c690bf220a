#include "config.h"

#include "unit.h"

#include "net/answer.h"
#include "net/client.h"

struct reading {
    const char *bytes;
    enum cs_code code;
    bool ends; /* the connection, behind the bytes */
    bool whole;
    int status;
    bool persistent;
    const char *body;
};

static const struct reading readings[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", CS_OK, false, true, 200, true,
     "body"},
    {"HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", CS_OK, false, true, 200, true, ""},
    {"HTTP/1.1 400 Bad Request\nContent-Length: 2\n\n{}", CS_OK, false, true, 400, true,
     "{}"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbod", CS_OK, true, false, 200, false,
     "bod"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody", CS_OK,
     false, true, 200, true, "body"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodymore", CS_OK, false, true, 200,
     false, "body"},
    /* whether the connection stays: RFC 9112 section 9.3 */
    {"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\n1", CS_OK,
     false, true, 200, false, "1"},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1", CS_OK, false, true, 200, false,
     "1"},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n1", CS_OK,
     false, true, 200, true, "1"},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\n"
     "Content-Length: 1\r\n\r\n1",
     CS_OK, false, true, 200, false, "1"},
    /* how long the body is: section 6.3 */
    {"HTTP/1.1 204 No Content\r\n\r\n", CS_OK, false, true, 204, true, ""},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", CS_OK, false, true, 304,
     true, ""},
    {"HTTP/1.1 200 OK\r\nX: y\r\n\r\nto the end", CS_OK, true, true, 200, false,
     "to the end"},
    {"HTTP/1.1 200 OK\r\nX: y\r\n\r\nto the", CS_OK, false, false, 200, false, "to the"},
    {"HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\nHTTP/1.1 103 Early\r\nA: "
     "b\r\n\r\n"
     "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
     CS_OK, false, true, 201, true, "x"},
    /* lines that go on: section 5.2 */
    {"HTTP/1.1 200 OK\r\nA: b\r\n Content-Length: 9\r\n\t\r\nContent-Length: 1\r\n\r\nx",
     CS_OK, false, true, 200, true, "x"},
    /* chunks: section 7.1 */
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
     "4\r\nfour\r\nA;name=\"value\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
     CS_OK, false, true, 200, true, "four0123456789"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", CS_OK, false, true,
     200, true, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
     "1\r\na\r\n0\r\n\r\n",
     CS_OK, false, true, 200, false, "a"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n", CS_OK, true,
     false, 200, false, "four"},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
     "1\r\na\r\n0\r\n\r\n",
     CS_OK, false, true, 200, false, "a"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 \t;x\r\na\r\n1 "
     "\r\nb\r\n0\r\n\r\n",
     CS_OK, false, true, 200, true, "ab"},
    /* what is none */
    {"SSH-2.0-OpenSSH\r\n", CS_EUPSTREAM, false, false, 0, false, ""},
    {"HTTP/2 200\r\n", CS_EUPSTREAM, false, false, 0, false, ""},
    {"HTTP/1.1 20 OK\r\n", CS_EUPSTREAM, false, false, 0, false, ""},
    {"HTTP/1.1 2000 OK\r\n", CS_EUPSTREAM, false, false, 0, false, ""},
    {"HTTP/1.1 099 Low\r\n", CS_EUPSTREAM, false, false, 0, false, ""},
    {"\r\nHTTP/1.1 200 OK\r\n", CS_EUPSTREAM, false, false, 0, false, ""},
    {"HTTP/1.1 200 OK\r\nno colon\r\n", CS_EUPSTREAM, false, false, 200, false, ""},
    {"HTTP/1.1 200 OK\r\n folded: b\r\n", CS_EUPSTREAM, false, false, 200, false, ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 2\r\n", CS_EUPSTREAM, false, false, 200,
     false, ""},
    {"HTTP/1.1 200 OK\r\nConnection: x,\r\n\tclose\r\n", CS_EUPSTREAM, false, false, 200,
     false, ""},
    {"HTTP/1.1 200 OK\r\n: b\r\n", CS_EUPSTREAM, false, false, 200, false, ""},
    {"HTTP/1.x 200 OK\r\n", CS_EUPSTREAM, false, false, 0, false, ""},
    {"HTTP/1.1 101 Switching Protocols\r\n", CS_EUPSTREAM, false, false, 0, false, ""},
    {"HTTP/1.1 200 OK\r\nContent-Length : 4\r\n", CS_EUPSTREAM, false, false, 200, false,
     ""},
    {"HTTP/1.1 200 OK\r\nA: b\rContent-Length: 4\r\n", CS_EUPSTREAM, false, false, 200,
     false, ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", CS_EUPSTREAM, false, false, 200, false,
     ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n", CS_EUPSTREAM, false, false, 200,
     false, ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n", CS_EUPSTREAM, false,
     false, 200, false, ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n", CS_EUPSTREAM, false,
     false, 200, false, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n", CS_EUPSTREAM, false,
     false, 200, false, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
     CS_EUPSTREAM, false, false, 200, false, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", CS_EUPSTREAM, false,
     false, 200, false, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", CS_EUPSTREAM, false,
     false, 200, false, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
     CS_EUPSTREAM, false, false, 200, false, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", CS_EUPSTREAM,
     false, false, 200, false, "a"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 2\r\n", CS_EUPSTREAM, false,
     false, 200, false, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n", CS_EUPSTREAM, false,
     false, 200, false, ""},
    /* above a ceiling of 20 bytes */
    {"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n012345678901234567890", CS_ETOOBIG,
     false, false, 200, false, NULL},
};

/* Feeds the bytes in two pieces, and each of those in pieces of `step`. */
static void read_in_pieces(const struct reading *reading, size_t cut, size_t step)
{
    struct cs_buf head = CS_BUF_INIT(1000);
    struct cs_buf body = CS_BUF_INIT(20);
    struct cs_view bytes = cs_view_cstr(reading->bytes);
    struct cs_net_answer answer;
    enum cs_code rc = CS_OK;

    cs_net_answer_init(&answer, &head, &body);
    for (size_t at = 0, len; rc == CS_OK && at < bytes.len; at += len) {
        len = at < cut && at + step > cut ? cut - at : step;
        len = len < bytes.len - at ? len : bytes.len - at;
        rc = cs_net_answer_take(&answer, cs_view_sub(bytes, at, len), NULL);
    }
    assert_int_equal(rc, reading->code);
    if (reading->ends)
        assert_int_equal(cs_net_answer_ends(&answer), reading->whole);
    assert_int_equal(answer.phase == CS_NET_ANSWER_WHOLE, reading->whole);
    assert_int_equal(answer.status, reading->status);
    if (reading->body != NULL)
        assert_string_equal(cs_buf_cstr(&body), reading->body);
    if (reading->whole)
        assert_int_equal(answer.persistent, reading->persistent);
    if (reading->whole)
        assert_true(cs_view_starts(cs_buf_view(&head), CS_LIT("HTTP/1.")));
    cs_net_answer_clear(&answer);
    cs_buf_clear(&head);
    cs_buf_clear(&body);
}

static void test_readings(void **state)
{
    (void)state;
    for (size_t i = 0; i < CS_COUNT(readings); i++) {
        size_t len = strlen(readings[i].bytes);

        print_message("%.60s\n", readings[i].bytes);
        for (size_t cut = 0; cut <= len; cut++)
            read_in_pieces(&readings[i], cut, len);
        read_in_pieces(&readings[i], 0, 1);
        read_in_pieces(&readings[i], 0, 3);
    }
}

static void test_folded_fields(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nA: one\r\n  two\n\tthree\r\nB: b\r\n"
                               "Content-Length: 0\r\n\r\n";

    (void)state;
    for (size_t step = 1; step < sizeof(text); step++) {
        struct cs_net_response response;
        struct cs_net_answer answer;

        cs_net_response_init(&response, 20);
        cs_net_answer_init(&answer, &response.head, &response.body);
        for (size_t at = 0; at < strlen(text); at += step)
            assert_ok(cs_net_answer_take(&answer,
                                         cs_view_sub(cs_view_cstr(text), at, step), err));
        assert_int_equal(answer.phase, CS_NET_ANSWER_WHOLE);
        assert_view(cs_net_response_header(&response, "a"), "one    two \tthree");
        assert_view(cs_net_response_header(&response, "b"), "b");
        cs_net_answer_clear(&answer);
        cs_net_response_clear(&response);
    }
}

static void test_lines_without_end(void **state)
{
    static const char *const starts[] = {
        "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"};

    (void)state;
    for (size_t i = 0; i < CS_COUNT(starts); i++) {
        struct cs_buf head = CS_BUF_INIT(65536);
        struct cs_buf body = CS_BUF_INIT(20);
        struct cs_net_answer answer;
        enum cs_code rc;

        cs_net_answer_init(&answer, &head, &body);
        rc = cs_net_answer_take(&answer, cs_view_cstr(starts[i]), NULL);
        for (size_t fed = 0; rc == CS_OK && fed < 100000; fed++)
            rc = cs_net_answer_take(&answer, CS_LIT("a"), NULL);
        assert_int_equal(rc, CS_ETOOBIG);
        cs_net_answer_clear(&answer);
        cs_buf_clear(&head);
        cs_buf_clear(&body);
    }
}

static void test_a_head_holds_no_nul(void **state)
{
    static const struct cs_view heads[] = {
        CS_LIT_INIT("HTTP/1.1 200 O\0K\r\n"),
        CS_LIT_INIT("HTTP/1.1 200 OK\r\nA: b\0c\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < CS_COUNT(heads); i++) {
        struct cs_buf head = CS_BUF_INIT(1000);
        struct cs_buf body = CS_BUF_INIT(20);
        struct cs_net_answer answer;

        cs_net_answer_init(&answer, &head, &body);
        assert_int_equal(cs_net_answer_take(&answer, heads[i], NULL), CS_EUPSTREAM);
        cs_net_answer_clear(&answer);
        cs_buf_clear(&head);
        cs_buf_clear(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readings),
        cmocka_unit_test(test_folded_fields),
        cmocka_unit_test(test_lines_without_end),
        cmocka_unit_test(test_a_head_holds_no_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
