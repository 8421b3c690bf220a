#include "config.h"

#include "http/fastcgi.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "base/file.h"

/* Largest content that one record can carry, as a multiple of 8. */
#define RECORD_MAX 65528u

#define FEED_MAX 16384u /* fits into a pipe, as large as they usually are */

#define WRITE_STEP (1u << 20) /* libfcgi counts in int */

struct cs_fastcgi {
    FCGX_Request request;
    struct cs_records *records;
    struct cs_carrier carrier;
    struct cs_fastcgi_unanswered *unanswered; /* or NULL */
    size_t params_max;
    int silence_ms;
    int fd;      /* -1: no connection */
    int feed[2]; /* a pipe, empty between requests; -1: none */
};

/* libfcgi replaces ignored and default handlers of these. */
static const int signals_of_library[] = {SIGPIPE, SIGTERM, SIGUSR1};

static enum cs_code start_library(struct cs_err *err)
{
    struct sigaction kept[CS_COUNT(signals_of_library)];
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    int failed;

    for (size_t i = 0; i < CS_COUNT(kept); i++)
        if (sigaction(signals_of_library[i], NULL, &kept[i]) != 0)
            return cs_err_errno(err, errno, "reading a signal's action failed");
    failed = FCGX_Init();
    for (size_t i = 0; i < CS_COUNT(kept); i++)
        if (sigaction(signals_of_library[i], &kept[i], NULL) != 0)
            return cs_err_errno(err, errno, "restoring a signal's action failed");
    if (sigaction(SIGPIPE, &ignore, NULL) != 0)
        return cs_err_errno(err, errno, "ignoring SIGPIPE failed");
    return failed == 0 ? CS_OK
                       : cs_err_set(err, CS_EIO, "libfcgi did not start (%d)", failed);
}

static ssize_t carrier_read(void *payload, char *to, size_t room)
{
    struct cs_fastcgi *fastcgi = payload;

    return cs_records_read(fastcgi->records, to, room);
}

static bool carrier_ready(void *payload, struct cs_deadline deadline)
{
    struct cs_fastcgi *fastcgi = payload;

    return cs_records_ready(fastcgi->records, deadline);
}

static void note_unanswered(struct cs_fastcgi *fastcgi, int fd)
{
    if (fastcgi->unanswered == NULL)
        return;
    fastcgi->unanswered->fd = -1; /* the two belong together */
    fastcgi->unanswered->id = (sig_atomic_t)cs_records_id(fastcgi->records);
    fastcgi->unanswered->fd = fd;
}

static bool carrier_write(void *payload, struct cs_view bytes)
{
    struct cs_fastcgi *fastcgi = payload;

    note_unanswered(fastcgi, -1);
    while (bytes.len > 0) {
        struct cs_view step = cs_view_sub(bytes, 0, WRITE_STEP);

        if (FCGX_PutStr(step.ptr, (int)step.len, fastcgi->request.out) != (int)step.len)
            return false;
        bytes = cs_view_from(bytes, step.len);
    }
    return true;
}

static bool carrier_flush(void *payload)
{
    struct cs_fastcgi *fastcgi = payload;

    return FCGX_FFlush(fastcgi->request.out) == 0;
}

static void close_feed(struct cs_fastcgi *fastcgi)
{
    for (size_t i = 0; i < CS_COUNT(fastcgi->feed); i++) {
        if (fastcgi->feed[i] >= 0)
            (void)close(fastcgi->feed[i]);
        fastcgi->feed[i] = -1;
    }
}

/* Without one, each request has a file of its own. */
static void open_feed(struct cs_fastcgi *fastcgi)
{
    if (pipe2(fastcgi->feed, O_CLOEXEC) != 0) {
        fastcgi->feed[0] = fastcgi->feed[1] = -1;
        return;
    }
    /* never to wait for a reader that is ourselves */
    if (fcntl(fastcgi->feed[1], F_SETFL, O_NONBLOCK) != 0)
        close_feed(fastcgi);
}

struct cs_fastcgi *cs_fastcgi_new(const struct cs_records_limits *limits,
                                  struct cs_fastcgi_unanswered *unanswered,
                                  struct cs_err *err)
{
    struct cs_fastcgi *fastcgi = calloc(1, sizeof(*fastcgi));

    if (fastcgi != NULL)
        open_feed(fastcgi);
    if (fastcgi == NULL || (fastcgi->records = cs_records_new(limits)) == NULL) {
        (void)cs_err_nomem(err);
        goto fail;
    }
    if (start_library(err) != CS_OK)
        goto fail;
    fastcgi->fd = -1;
    fastcgi->unanswered = unanswered;
    note_unanswered(fastcgi, -1);
    fastcgi->params_max = limits->params_max_bytes;
    fastcgi->silence_ms = limits->silence_ms;
    fastcgi->carrier = (struct cs_carrier){.payload = fastcgi,
                                           .read = carrier_read,
                                           .write = carrier_write,
                                           .ready = carrier_ready,
                                           .flush = carrier_flush};
    return fastcgi;
fail:
    cs_fastcgi_free(fastcgi);
    return NULL;
}

void cs_fastcgi_free(struct cs_fastcgi *fastcgi)
{
    if (fastcgi == NULL)
        return;
    cs_records_free(fastcgi->records);
    close_feed(fastcgi);
    free(fastcgi);
}

char **cs_fastcgi_params(struct cs_fastcgi *fastcgi)
{
    return fastcgi->request.envp;
}

const struct cs_carrier *cs_fastcgi_carrier(struct cs_fastcgi *fastcgi)
{
    return &fastcgi->carrier;
}

static void add_record(struct cs_buf *out, unsigned type, unsigned id,
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

/* The request as libfcgi is to see it: responder, keep the connection (so that
 * closing it is left to us), the parameters in as few records as possible. */
static enum cs_code spell_request(struct cs_buf *out, unsigned id, struct cs_view params,
                                  struct cs_err *err)
{
    static const unsigned char begin[8] = {0, 1, 1};

    add_record(out, 1, id, cs_view_of(begin, sizeof(begin)));
    while (params.len > 0) {
        struct cs_view part = cs_view_sub(params, 0, RECORD_MAX);

        add_record(out, 4, id, part);
        params = cs_view_from(params, part.len);
    }
    add_record(out, 4, id, CS_LIT(""));
    return cs_buf_check(out, err);
}

/* A descriptor to read the bytes from. */
static int file_of(struct cs_view bytes)
{
    int fd = cs_file_memory("fastcgi-params");
    int failed;

    if (fd < 0)
        return -1;
    failed = cs_file_write_all(fd, bytes);
    if (failed == 0 && lseek(fd, 0, SEEK_SET) < 0)
        failed = errno;
    if (failed == 0)
        return fd;
    (void)close(fd);
    errno = failed;
    return -1;
}

/* The same without a file where the bytes are few: files cost several times more. */
static int source_of(struct cs_fastcgi *fastcgi, struct cs_view bytes)
{
    if (bytes.len <= FEED_MAX && fastcgi->feed[1] >= 0) {
        if (write(fastcgi->feed[1], bytes.ptr, bytes.len) == (ssize_t)bytes.len)
            return fastcgi->feed[0];
        close_feed(fastcgi); /* with what part of it came in */
    }
    return file_of(bytes);
}

/* Lets libfcgi make its request from the parameters, then points it at the
 * connection, to which it only writes. */
static enum cs_code make_request(struct cs_fastcgi *fastcgi, struct cs_view params,
                                 struct cs_err *err)
{
    struct cs_buf spelled = CS_BUF_INIT(params.len + params.len / RECORD_MAX * 8 + 64);
    FCGX_Request *request = &fastcgi->request;
    enum cs_code rc =
        spell_request(&spelled, cs_records_id(fastcgi->records), params, err);
    int source;

    if (rc != CS_OK)
        goto out;
    source = source_of(fastcgi, cs_buf_view(&spelled));
    if (source < 0) {
        rc = cs_err_errno(err, errno, "handing a request's parameters over failed");
        goto out;
    }
    (void)FCGX_InitRequest(request, -1, 0);
    request->ipcFd = source;
    request->keepConnection = 1;       /* else FCGX_Accept_r() begins by closing it */
    if (FCGX_Accept_r(request) != 0) { /* which has closed source */
        if (source == fastcgi->feed[0]) {
            fastcgi->feed[0] = -1;
            close_feed(fastcgi);
        }
        rc = cs_err_set(err, CS_EINTERNAL, "libfcgi did not take a request's parameters");
        goto out;
    }
    if (source != fastcgi->feed[0])
        (void)close(source);
    request->ipcFd = fastcgi->fd;
    (void)FCGX_Detach(
        request); /* else it waits for the peer to close, seconds each time */
out:
    cs_buf_clear(&spelled);
    return rc;
}

enum cs_code cs_fastcgi_open(struct cs_fastcgi *fastcgi, int fd, struct cs_err *err)
{
    struct timeval silence = {fastcgi->silence_ms / 1000,
                              fastcgi->silence_ms % 1000 * 1000};
    struct cs_buf params;
    enum cs_code rc, made = CS_OK;

    cs_buf_init(&params, fastcgi->params_max);
    fastcgi->fd = fd;
    rc = cs_records_open(fastcgi->records, fd, &params, err);
    if (rc == CS_OK || rc == CS_ETOOBIG) {
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof(silence)) != 0)
            made = cs_err_errno(err, errno, "setting the connection's time-out failed");
        else
            made = make_request(fastcgi, cs_buf_view(&params), err);
    }
    cs_buf_clear(&params);
    if (made != CS_OK)
        rc = made;
    if (rc != CS_OK && rc != CS_ETOOBIG) {
        (void)close(fd);
        fastcgi->fd = -1;
    } else {
        note_unanswered(fastcgi, fd);
    }
    return rc;
}

/* Closing with bytes unread makes the peer's kernel drop what it has not yet
 * given to the peer: so what has arrived is taken first. */
static void close_connection(int fd)
{
    char block[4096];
    ssize_t got = recv(fd, block, sizeof(block), MSG_DONTWAIT);

    if (got > 0 && shutdown(fd, SHUT_WR) == 0)
        do
            got = recv(fd, block, sizeof(block), MSG_DONTWAIT);
        while (got > 0);
    (void)close(fd);
}

void cs_fastcgi_give_up(const struct cs_fastcgi_unanswered *unanswered)
{
    static const char answer[] =
        "Status: 503 Service Unavailable\r\n"
        "Retry-After: 2\r\n"
        "Content-Type: application/problem+json\r\n"
        "Cache-Control: no-store\r\n"
        "\r\n"
        "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
        "\"detail\":\"The service is being restarted: send the same request again.\","
        "\"code\":\"service_unavailable\"}";
    const size_t len = sizeof(answer) - 1;
    int fd = unanswered->fd;
    unsigned id = (unsigned)unanswered->id;
    /* the answer, the end of the answer, the end of the request (FastCGI 1.0,
     * sections 3.3 and 5.5) */
    const unsigned char head[8] = {1,
                                   6,
                                   (unsigned char)(id >> 8),
                                   (unsigned char)id,
                                   (unsigned char)(len >> 8),
                                   (unsigned char)len};
    const unsigned char tail[24] = {1, 6, head[2], head[3], 0, 0, 0, 0,
                                    1, 3, head[2], head[3], 0, 8, 0, 0};

    if (fd < 0)
        return;
    if (send(fd, head, sizeof(head), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(head) &&
        send(fd, answer, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len &&
        send(fd, tail, sizeof(tail), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(tail))
        close_connection(fd);
}

void cs_fastcgi_close(struct cs_fastcgi *fastcgi, bool whole)
{
    FCGX_Request *request = &fastcgi->request;

    if (fastcgi->fd < 0)
        return;
    note_unanswered(fastcgi, -1);
    if (whole)
        FCGX_Finish_r(request); /* closes the connection when writing to it failed */
    else
        FCGX_Free(request, 0);
    if (request->ipcFd >= 0)
        close_connection(request->ipcFd);
    fastcgi->fd = -1;
}
