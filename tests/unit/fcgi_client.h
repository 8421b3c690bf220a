/* tests/unit/fcgi_client.h: a small FastCGI client, written out from the
 * specification, for the tests of the server. It sends what it is told to,
 * right or wrong. */
#ifndef CS_TESTS_FCGI_CLIENT_H
#define CS_TESTS_FCGI_CLIENT_H

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit.h"

#include "base/clock.h"

enum {
    FCGI_BEGIN = 1,
    FCGI_ABORT,
    FCGI_END,
    FCGI_PARAMS,
    FCGI_STDIN,
    FCGI_STDOUT,
    FCGI_STDERR
};

#define FCGI_ANSWER_MAX (64u << 20)
#define FCGI_LATE_MS    60000 /* what no machine is too slow or too busy for */

/* ---- sending ---- */

static inline void fcgi_record(struct cs_buf *out, unsigned type, unsigned id,
                               struct cs_view content)
{
    const unsigned char header[8] = {1,
                                     (unsigned char)type,
                                     (unsigned char)(id >> 8),
                                     (unsigned char)id,
                                     (unsigned char)(content.len >> 8),
                                     (unsigned char)content.len};

    cs_buf_add(out, cs_view_of(header, sizeof(header)));
    cs_buf_add(out, content);
}

static inline void fcgi_length(struct cs_buf *out, size_t length)
{
    if (length > 127) {
        cs_buf_add_byte(out, (char)(0x80 | length >> 24));
        cs_buf_add_byte(out, (char)(length >> 16));
        cs_buf_add_byte(out, (char)(length >> 8));
    }
    cs_buf_add_byte(out, (char)length);
}

/* "NAME=value" as a name-value pair. */
static inline void fcgi_pair(struct cs_buf *out, const char *param)
{
    struct cs_view view = cs_view_cstr(param);
    size_t equals = cs_view_find_byte(view, '=');

    fcgi_length(out, equals);
    fcgi_length(out, view.len - equals - 1);
    cs_buf_add(out, cs_view_sub(view, 0, equals));
    cs_buf_add(out, cs_view_from(view, equals + 1));
}

static inline void fcgi_stream(struct cs_buf *out, unsigned type, struct cs_view content)
{
    while (content.len > 0) {
        struct cs_view part = cs_view_sub(content, 0, 32768);

        fcgi_record(out, type, 1, part);
        content = cs_view_from(content, part.len);
    }
    fcgi_record(out, type, 1, CS_LIT(""));
}

static const char fcgi_begin_body[8] = {0, 1, 0, 0, 0, 0, 0, 0};

/* Begin and parameters: "REQUEST_METHOD=..." and so on, NULL at the end. */
static inline void fcgi_head(struct cs_buf *out, const char *const *params)
{
    struct cs_buf pairs = CS_BUF_INIT(FCGI_ANSWER_MAX);

    fcgi_record(out, FCGI_BEGIN, 1, cs_view_of(fcgi_begin_body, sizeof(fcgi_begin_body)));
    for (; *params != NULL; params++)
        fcgi_pair(&pairs, *params);
    fcgi_stream(out, FCGI_PARAMS, cs_buf_view(&pairs));
    cs_buf_clear(&pairs);
}

static inline int fcgi_connect(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && strlen(path) < sizeof(at.sun_path));
    memcpy(at.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
        fail_msg("connecting to %s: %s", path, strerror(errno));
    return fd;
}

/* False when the peer does not take it. */
static inline bool fcgi_send(int fd, struct cs_view bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (sent < 0)
            return false;
        bytes = cs_view_from(bytes, (size_t)sent);
    }
    return true;
}

/* ---- receiving ---- */

struct fcgi_answer {
    bool ended; /* an end-of-request record came */
    int protocol_status;
    int status;        /* of HTTP; 0: none */
    struct cs_buf out; /* all of stdout */
    struct cs_view head, body;
};

static inline void fcgi_answer_clear(struct fcgi_answer *answer)
{
    cs_buf_clear(&answer->out);
}

/* Reads until the connection is closed; fails the test after FCGI_LATE_MS. */
static inline void fcgi_receive_raw(int fd, struct cs_buf *raw)
{
    struct cs_deadline deadline = cs_deadline_in_ms(FCGI_LATE_MS);

    for (;;) {
        struct pollfd watched = {.fd = fd, .events = POLLIN};
        char *to = cs_buf_room(raw, 65536);
        ssize_t got;

        assert_non_null(to);
        if (poll(&watched, 1, cs_deadline_left_ms(deadline)) <= 0)
            fail_msg("no answer within %d ms", FCGI_LATE_MS);
        got = recv(fd, to, 65536, 0);
        if (got <= 0)
            return;
        cs_buf_grew(raw, (size_t)got);
    }
}

static inline void fcgi_parse(struct fcgi_answer *answer, struct cs_view raw)
{
    uint64_t status = 0;
    size_t end;

    while (raw.len >= 8) {
        const unsigned char *h = (const unsigned char *)raw.ptr;
        size_t length = (size_t)h[4] << 8 | h[5];
        struct cs_view content = cs_view_sub(raw, 8, length);

        if (content.len < length)
            break;
        if (h[1] == FCGI_STDOUT)
            cs_buf_add(&answer->out, content);
        if (h[1] == FCGI_END) {
            answer->ended = true;
            answer->protocol_status = content.ptr[4];
        }
        raw = cs_view_from(raw, 8 + length + h[6]);
    }
    end = cs_view_find(cs_buf_view(&answer->out), CS_LIT("\r\n\r\n"));
    if (end == SIZE_MAX)
        return;
    answer->head = cs_view_sub(cs_buf_view(&answer->out), 0, end + 2);
    answer->body = cs_view_from(cs_buf_view(&answer->out), end + 4);
    assert_true(cs_view_starts(answer->head, CS_LIT("Status: ")));
    assert_true(cs_view_to_u64(cs_view_sub(answer->head, 8, 3), &status));
    answer->status = (int)status;
}

static inline void fcgi_receive(int fd, struct fcgi_answer *answer)
{
    struct cs_buf raw = CS_BUF_INIT(FCGI_ANSWER_MAX);

    *answer = (struct fcgi_answer){.out = CS_BUF_INIT(FCGI_ANSWER_MAX)};
    fcgi_receive_raw(fd, &raw);
    fcgi_parse(answer, cs_buf_view(&raw));
    cs_buf_clear(&raw);
}

/* One whole request. */
static inline void fcgi_request(const char *path, const char *const *params,
                                struct cs_view body, struct fcgi_answer *answer)
{
    struct cs_buf sent = CS_BUF_INIT(FCGI_ANSWER_MAX);
    int fd = fcgi_connect(path);

    fcgi_head(&sent, params);
    fcgi_stream(&sent, FCGI_STDIN, body);
    (void)fcgi_send(fd, cs_buf_view(&sent));
    fcgi_receive(fd, answer);
    (void)close(fd);
    cs_buf_clear(&sent);
}

/* The value of a header of the answer, .ptr NULL when it is not there. */
static inline struct cs_view fcgi_header(const struct fcgi_answer *answer,
                                         const char *name)
{
    struct cs_view rest = answer->head, line;

    while (cs_view_split(&rest, '\n', &line)) {
        size_t colon = cs_view_find_byte(line, ':');

        if (colon != SIZE_MAX &&
            cs_view_eq_nocase(cs_view_sub(line, 0, colon), cs_view_cstr(name)))
            return cs_view_trim(cs_view_from(line, colon + 1));
    }
    return (struct cs_view){NULL, 0};
}

#endif
