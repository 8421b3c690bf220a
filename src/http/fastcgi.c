#include "config.h"

#include "http/fastcgi.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <fcgiapp.h>

/* Answers of up to this many bytes are sent in one piece: fewer than one record can
 * carry (65535). */
#define WHOLE_MAX 32768u

#define HEADER_BYTES 8u
#define END_BYTES    24u /* of the stream and of the request */

/* Larger buffers do not stay for the next request. */
#define KEPT_MAX (64u << 10)

#define WRITE_STEP (1u << 20) /* libfcgi counts in int */

struct cs_fastcgi {
    FCGX_Request request;
    struct cs_records *records;
    struct cs_carrier carrier;
    struct cs_fastcgi_unanswered *unanswered; /* or NULL */
    struct cs_buf params;                     /* "NAME=value", each with its NUL */
    char **envp;                              /* into params */
    size_t envp_room;
    struct cs_buf answer; /* room for a record's header, and what was written so far */
    bool streaming;       /* libfcgi has the answer */
    int silence_ms;
    int fd;      /* -1: no connection */
    int feed[2]; /* a pipe, empty between requests; -1: to be made anew */
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
    struct cs_fastcgi_unanswered *unanswered = fastcgi->unanswered;

    if (unanswered == NULL)
        return;
    unanswered->fd = -1; /* all of it belongs together */
    if (fd < 0)
        return;
    atomic_signal_fence(memory_order_seq_cst);
    unanswered->id = (sig_atomic_t)cs_records_id(fastcgi->records);
    if (cs_request_choose_id(unanswered->request_id, fastcgi->envp, NULL) != CS_OK)
        return; /* as the request itself will fail */
    atomic_signal_fence(memory_order_seq_cst);
    unanswered->fd = fd;
}

static void close_feed(struct cs_fastcgi *fastcgi)
{
    for (size_t i = 0; i < CS_COUNT(fastcgi->feed); i++) {
        if (fastcgi->feed[i] >= 0)
            (void)close(fastcgi->feed[i]);
        fastcgi->feed[i] = -1;
    }
}

static enum cs_code open_feed(struct cs_fastcgi *fastcgi, struct cs_err *err)
{
    fastcgi->feed[0] = fastcgi->feed[1] = -1;
    return pipe2(fastcgi->feed, O_CLOEXEC) == 0
               ? CS_OK
               : cs_err_errno(err, errno, "making a pipe failed");
}

/* ---- the answer as a stream of libfcgi ---- */

/* No single write waits longer than that for the peer. */
static bool limit_writing(const struct cs_fastcgi *fastcgi)
{
    struct timeval silence = {fastcgi->silence_ms / 1000,
                              fastcgi->silence_ms % 1000 * 1000};

    return setsockopt(fastcgi->fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof(silence)) ==
           0;
}

/* Lets libfcgi make a request of no parameters, then points it at the connection, to
 * which it only writes. */
static bool make_request(struct cs_fastcgi *fastcgi)
{
    const unsigned id = cs_records_id(fastcgi->records);
    const unsigned char high = (unsigned char)(id >> 8), low = (unsigned char)id;
    /* responder, keep the connection (so that closing it is left to us) */
    const unsigned char spelled[24] = {1, 1, high, low, 0, 8, 0, 0, 0,    1,
                                       1, 0, 0,    0,   0, 0, 1, 4, high, low};
    FCGX_Request *request = &fastcgi->request;

    if (fastcgi->feed[0] < 0 && open_feed(fastcgi, NULL) != CS_OK)
        return false;
    if (write(fastcgi->feed[1], spelled, sizeof(spelled)) != sizeof(spelled))
        return false;
    (void)FCGX_InitRequest(request, -1, 0);
    request->ipcFd = fastcgi->feed[0];
    request->keepConnection = 1;       /* else FCGX_Accept_r() begins by closing it */
    if (FCGX_Accept_r(request) != 0) { /* which has closed it */
        fastcgi->feed[0] = -1;
        close_feed(fastcgi);
        return false;
    }
    request->ipcFd = fastcgi->fd;
    /* else it waits for the peer to close, seconds each time */
    (void)FCGX_Detach(request);
    return true;
}

static bool put(struct cs_fastcgi *fastcgi, struct cs_view bytes)
{
    while (bytes.len > 0) {
        struct cs_view step = cs_view_sub(bytes, 0, WRITE_STEP);

        if (FCGX_PutStr(step.ptr, (int)step.len, fastcgi->request.out) != (int)step.len)
            return false;
        bytes = cs_view_from(bytes, step.len);
    }
    return true;
}

/* From here on the answer goes out as it is written. */
static bool start_stream(struct cs_fastcgi *fastcgi)
{
    if (fastcgi->streaming)
        return true;
    note_unanswered(fastcgi, -1);
    if (!limit_writing(fastcgi) || !make_request(fastcgi))
        return false;
    fastcgi->streaming = true;
    return put(fastcgi, cs_view_from(cs_buf_view(&fastcgi->answer), HEADER_BYTES));
}

static bool carrier_write(void *payload, struct cs_view bytes)
{
    struct cs_fastcgi *fastcgi = payload;
    struct cs_buf *answer = &fastcgi->answer;

    if (!fastcgi->streaming && bytes.len <= HEADER_BYTES + WHOLE_MAX - answer->len) {
        cs_buf_add(answer, bytes);
        return cs_buf_check(answer, NULL) == CS_OK;
    }
    return start_stream(fastcgi) && put(fastcgi, bytes);
}

static bool carrier_flush(void *payload)
{
    struct cs_fastcgi *fastcgi = payload;

    return start_stream(fastcgi) && FCGX_FFlush(fastcgi->request.out) == 0;
}

/* ---- the answer in one piece ---- */

static void set_header(unsigned char out[HEADER_BYTES], unsigned type, unsigned id,
                       size_t len)
{
    const unsigned char header[HEADER_BYTES] = {1,
                                                (unsigned char)type,
                                                (unsigned char)(id >> 8),
                                                (unsigned char)id,
                                                (unsigned char)(len >> 8),
                                                (unsigned char)len};

    memcpy(out, header, sizeof(header));
}

/* All of it, without waiting where the peer takes it at once. */
static bool send_all(const struct cs_fastcgi *fastcgi, struct cs_view bytes)
{
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT;

    while (bytes.len > 0) {
        ssize_t sent = send(fastcgi->fd, bytes.ptr, bytes.len, flags);

        if (sent > 0) {
            bytes = cs_view_from(bytes, (size_t)sent);
        } else if (sent < 0 && (flags & MSG_DONTWAIT) != 0 &&
                   (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (!limit_writing(fastcgi))
                return false;
            flags &= ~MSG_DONTWAIT;
        } else if (sent == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* The answer, the end of the answer, the end of the request (FastCGI 1.0, sections
 * 3.3 and 5.5). */
static void send_whole(struct cs_fastcgi *fastcgi)
{
    const unsigned id = cs_records_id(fastcgi->records);
    struct cs_buf *answer = &fastcgi->answer;
    size_t len = answer->len - HEADER_BYTES;
    unsigned char end[END_BYTES] = {0};

    set_header(end, 6, id, 0);
    set_header(end + HEADER_BYTES, 3, id, 8);
    if (len > 0)
        set_header((unsigned char *)answer->ptr, 6, id, len);
    cs_buf_add(answer, cs_view_of(end, sizeof(end)));
    if (cs_buf_check(answer, NULL) == CS_OK)
        (void)send_all(fastcgi,
                       cs_view_from(cs_buf_view(answer), len > 0 ? 0 : HEADER_BYTES));
}

/* ---- set-up ---- */

struct cs_fastcgi *cs_fastcgi_new(const struct cs_records_limits *limits,
                                  struct cs_fastcgi_unanswered *unanswered,
                                  struct cs_err *err)
{
    struct cs_fastcgi *fastcgi = calloc(1, sizeof(*fastcgi));

    if (fastcgi == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    cs_buf_init(&fastcgi->params, 2 * limits->params_max_bytes);
    cs_buf_init(&fastcgi->answer, HEADER_BYTES + WHOLE_MAX + END_BYTES);
    if (open_feed(fastcgi, err) != CS_OK)
        goto fail;
    if ((fastcgi->records = cs_records_new(limits)) == NULL) {
        (void)cs_err_nomem(err);
        goto fail;
    }
    if (start_library(err) != CS_OK)
        goto fail;
    fastcgi->fd = -1;
    fastcgi->unanswered = unanswered;
    note_unanswered(fastcgi, -1);
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
    cs_buf_clear(&fastcgi->params);
    cs_buf_clear(&fastcgi->answer);
    free(fastcgi->envp);
    free(fastcgi);
}

char **cs_fastcgi_params(struct cs_fastcgi *fastcgi)
{
    return fastcgi->envp;
}

const struct cs_carrier *cs_fastcgi_carrier(struct cs_fastcgi *fastcgi)
{
    return &fastcgi->carrier;
}

/* ---- one request ---- */

static enum cs_code make_room(struct cs_fastcgi *fastcgi, size_t count,
                              struct cs_err *err)
{
    char **grown;

    if (count <= fastcgi->envp_room)
        return CS_OK;
    grown = reallocarray(fastcgi->envp, count, sizeof(*grown));
    if (grown == NULL)
        return cs_err_nomem(err);
    fastcgi->envp = grown;
    fastcgi->envp_room = count;
    return CS_OK;
}

/* The pairs as "NAME=value", as CGI has them. */
static enum cs_code spell_params(struct cs_fastcgi *fastcgi, struct cs_view pairs,
                                 struct cs_err *err)
{
    struct cs_buf *out = &fastcgi->params;
    struct cs_view name, value;
    size_t count = 0;
    enum cs_code rc;
    char *at;

    cs_buf_reset(out);
    for (; cs_records_take_pair(&pairs, &name, &value); count++) {
        cs_buf_add(out, name);
        cs_buf_add_byte(out, '=');
        cs_buf_add(out, value);
        cs_buf_add_byte(out, '\0');
    }
    if ((rc = cs_buf_check(out, err)) != CS_OK ||
        (rc = make_room(fastcgi, count + 1, err)) != CS_OK)
        return rc;
    at = out->ptr;
    for (size_t i = 0; i < count; i++) {
        fastcgi->envp[i] = at;
        at += strlen(at) + 1;
    }
    fastcgi->envp[count] = NULL;
    return CS_OK;
}

/* After a large request. */
static void drop_large(struct cs_fastcgi *fastcgi)
{
    if (fastcgi->params.cap > KEPT_MAX)
        cs_buf_clear(&fastcgi->params);
    if (fastcgi->envp_room > KEPT_MAX / sizeof(char *)) {
        free(fastcgi->envp);
        fastcgi->envp = NULL;
        fastcgi->envp_room = 0;
    }
}

static enum cs_code start_answer(struct cs_fastcgi *fastcgi, struct cs_err *err)
{
    static const char header[HEADER_BYTES] = {0};

    fastcgi->streaming = false;
    cs_buf_reset(&fastcgi->answer);
    cs_buf_add(&fastcgi->answer, cs_view_of(header, sizeof(header)));
    return cs_buf_check(&fastcgi->answer, err);
}

enum cs_code cs_fastcgi_open(struct cs_fastcgi *fastcgi, int fd, struct cs_err *err)
{
    struct cs_buf pairs;
    enum cs_code rc, made = CS_OK;

    cs_buf_init(&pairs, fastcgi->params.max / 2);
    fastcgi->fd = fd;
    rc = cs_records_open(fastcgi->records, fd, &pairs, err);
    if ((rc == CS_OK || rc == CS_ETOOBIG) &&
        (made = spell_params(fastcgi, cs_buf_view(&pairs), err)) == CS_OK)
        made = start_answer(fastcgi, err);
    cs_buf_clear(&pairs);
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

/* A piece of a message, which only reads it. */
static struct iovec piece_of(struct cs_view bytes)
{
    struct iovec piece = {.iov_len = bytes.len};

    memcpy(&piece.iov_base, &bytes.ptr, sizeof(piece.iov_base));
    return piece;
}

void cs_fastcgi_give_up(const struct cs_fastcgi_unanswered *unanswered)
{
    static const struct cs_view start =
        CS_LIT_INIT("Status: 503 Service Unavailable\r\n"
                    "Retry-After: 2\r\n"
                    "Content-Type: application/problem+json\r\n"
                    "Cache-Control: no-store\r\n"
                    "X-Request-Id: ");
    static const struct cs_view middle = CS_LIT_INIT(
        "\r\n"
        "\r\n"
        "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
        "\"detail\":\"The service is being restarted: send the same request again.\","
        "\"code\":\"service_unavailable\",\"request_id\":\"");
    static const struct cs_view end = CS_LIT_INIT("\"}");
    const struct cs_view name = cs_view_cstr(unanswered->request_id);
    const size_t len = start.len + middle.len + end.len + 2 * name.len;
    int fd = unanswered->fd;
    unsigned id = (unsigned)unanswered->id;
    /* the answer, the end of the answer, the end of the request (FastCGI 1.0,
     * sections 3.3 and 5.5) */
    const unsigned char head[HEADER_BYTES] = {1,
                                              6,
                                              (unsigned char)(id >> 8),
                                              (unsigned char)id,
                                              (unsigned char)(len >> 8),
                                              (unsigned char)len};
    const unsigned char tail[END_BYTES] = {1, 6, head[2], head[3], 0, 0, 0, 0,
                                           1, 3, head[2], head[3], 0, 8, 0, 0};
    struct iovec pieces[] = {piece_of(cs_view_of(head, sizeof(head))),
                             piece_of(start),
                             piece_of(name),
                             piece_of(middle),
                             piece_of(name),
                             piece_of(end),
                             piece_of(cs_view_of(tail, sizeof(tail)))};
    const struct msghdr message = {.msg_iov = pieces, .msg_iovlen = CS_COUNT(pieces)};

    if (fd >= 0 && sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
                       (ssize_t)(sizeof(head) + len + sizeof(tail)))
        close_connection(fd);
}

void cs_fastcgi_close(struct cs_fastcgi *fastcgi, bool whole)
{
    FCGX_Request *request = &fastcgi->request;

    if (fastcgi->fd < 0)
        return;
    note_unanswered(fastcgi, -1);
    if (fastcgi->streaming) {
        if (whole)
            FCGX_Finish_r(request); /* closes the connection when writing to it failed */
        else
            FCGX_Free(request, 0);
        fastcgi->fd = request->ipcFd;
    } else if (whole) {
        send_whole(fastcgi);
    }
    if (fastcgi->fd >= 0)
        close_connection(fastcgi->fd);
    fastcgi->fd = -1;
    drop_large(fastcgi);
}

bool cs_fastcgi_was_small(const struct cs_fastcgi *fastcgi)
{
    return !fastcgi->streaming && cs_records_body_bytes(fastcgi->records) == 0;
}
