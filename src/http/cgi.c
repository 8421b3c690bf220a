#include "config.h"

#include "http/cgi.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* A pipe that is ready takes this much without blocking (POSIX, write()). */
#define WRITE_STEP PIPE_BUF

struct cgi {
    const struct cs_cgi_options *options;
    uint64_t left; /* of the body */
};

static struct cs_view variable(char *const *envp, const char *name)
{
    size_t len = strlen(name);

    for (; *envp != NULL; envp++)
        if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
            return cs_view_cstr(*envp + len + 1);
    return CS_LIT("");
}

bool cs_cgi_asked(char *const *envp)
{
    return cs_view_starts(variable(envp, "GATEWAY_INTERFACE"), CS_LIT("CGI/")) &&
           variable(envp, "REQUEST_METHOD").len > 0;
}

bool cs_cgi_has_arguments(char *const *envp)
{
    struct cs_view query = variable(envp, "QUERY_STRING");

    return query.len > 0 && cs_view_find_byte(query, '=') == SIZE_MAX;
}

/* ---- the carrier ---- */

/* True when the descriptor is ready; false with errno. */
static bool wait_for(int fd, short events, int timeout_ms)
{
    struct pollfd watched = {.fd = fd, .events = events};
    struct cs_deadline deadline = cs_deadline_in_ms(timeout_ms);
    int got;

    do
        got = poll(&watched, 1, cs_deadline_left_ms(deadline));
    while (got < 0 && errno == EINTR);
    if (got == 0)
        errno = ETIMEDOUT;
    return got > 0;
}

static ssize_t carrier_read(void *payload, char *to, size_t room)
{
    struct cgi *cgi = payload;
    ssize_t got;

    if (cgi->left < room)
        room = (size_t)cgi->left;
    if (room == 0)
        return 0;
    if (!wait_for(cgi->options->in_fd, POLLIN, cgi->options->io_timeout_ms))
        return -1;
    do
        got = read(cgi->options->in_fd, to, room);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        cgi->left -= (uint64_t)got;
    return got;
}

static bool carrier_ready(void *payload, struct cs_deadline deadline)
{
    const struct cgi *cgi = payload;

    return cgi->left == 0 ||
           wait_for(cgi->options->in_fd, POLLIN, cs_deadline_left_ms(deadline));
}

static bool write_all(int fd, struct cs_view bytes, int timeout_ms)
{
    while (bytes.len > 0) {
        struct cs_view step = cs_view_sub(bytes, 0, WRITE_STEP);
        ssize_t put;

        if (!wait_for(fd, POLLOUT, timeout_ms))
            return false;
        put = write(fd, step.ptr, step.len);
        if (put < 0 && errno != EINTR)
            return false;
        bytes = cs_view_from(bytes, put > 0 ? (size_t)put : 0);
    }
    return true;
}

static bool carrier_write(void *payload, struct cs_view bytes)
{
    const struct cgi *cgi = payload;

    return write_all(cgi->options->out_fd, bytes, cgi->options->io_timeout_ms);
}

void cs_cgi_refuse_arguments(char **envp, int out_fd)
{
    struct cs_buf answer = CS_BUF_INIT(1024);
    char id[CS_REQUEST_ID_SIZE];

    if (cs_request_choose_id(id, envp, NULL) == CS_OK)
        cs_buf_add_fmt(
            &answer,
            "Status: 400 Bad Request\r\n"
            "Content-Type: application/problem+json\r\n"
            "Cache-Control: no-store\r\n"
            "X-Request-Id: %s\r\n"
            "\r\n"
            "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
            "\"detail\":\"The query must be made of name=value pairs.\","
            "\"code\":\"query_malformed\",\"request_id\":\"%s\"}",
            id, id);
    /* an answer that can't be made leaves the web server's own, a 500 */
    if (cs_buf_check(&answer, NULL) == CS_OK)
        (void)write_all(out_fd, cs_buf_view(&answer), 1000);
    cs_buf_clear(&answer);
}

/* ---- the request ---- */

/* How much of standard input is ours. What is no number is for the request to
 * refuse. A body of unknown length can't be told from what the web server leaves
 * open behind it. */
static enum cs_code find_body(struct cgi *cgi, char *const *envp)
{
    struct cs_view length = variable(envp, "CONTENT_LENGTH");

    if (!cs_view_to_u64(length, &cgi->left))
        cgi->left = 0;
    return length.len == 0 && variable(envp, "HTTP_TRANSFER_ENCODING").len > 0
               ? CS_EUNSUPPORTED
               : CS_OK;
}

enum cs_code cs_cgi_run(const struct cs_cgi_options *options, char **envp,
                        struct cs_err *err)
{
    struct cgi cgi = {.options = options};
    const struct cs_carrier carrier = {.payload = &cgi,
                                       .read = carrier_read,
                                       .write = carrier_write,
                                       .ready = carrier_ready};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    enum cs_code opened = find_body(&cgi, envp), rc;

    if (sigaction(SIGPIPE, &ignore, NULL) != 0)
        return cs_err_errno(err, errno, "ignoring SIGPIPE failed");
    rc = cs_serve(&options->serve, envp, &carrier, opened);
    return rc == CS_OK ? rc : cs_err_set(err, rc, "the answer did not go out whole");
}
