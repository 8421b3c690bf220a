#include "config.h"

#include "http/records.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define BUFFER_BYTES 8192u

#define HEADER_BYTES   8u
#define BEGIN_BYTES    8u
#define FCGI_VERSION   1
#define ROLE_RESPONDER 1
#define LENGTH_4_BYTES 0x80u
#define CANT_MULTIPLEX 1

/* What a peer may send before its parameters end, and beside its body: skipped
 * parameters, padding, records of other requests. */
#define PREAMBLE_MAX_BYTES (4u << 20)
#define BESIDE_MAX_BYTES   (1u << 20)

/* Once a stop is asked for, a connection that was just accepted has this long to
 * bring its request: the web server has it ready to send, and would have to
 * report a failure otherwise. */
#define STOP_GRACE_MS 400

/* A body may come slowly, not endlessly: the time spent waiting for it is at
 * most silence_ms, and a second more for each of these. */
#define SLOWEST_BYTES_PER_S 1024

enum record_type {
    RECORD_BEGIN = 1,
    RECORD_ABORT = 2,
    RECORD_END = 3,
    RECORD_PARAMS = 4,
    RECORD_STDIN = 5,
    RECORD_GET_VALUES = 9,
    RECORD_GET_VALUES_RESULT = 10,
    RECORD_UNKNOWN = 11
};

struct cs_records {
    const struct cs_records_limits *limits;
    int fd;
    size_t at, end; /* unread bytes of buffer */
    unsigned type;  /* of the record under way */
    unsigned record_id;
    size_t content_left; /* of the record under way */
    size_t padding_left;
    unsigned id;       /* of the request; 0 before its begin */
    bool ended;        /* the body has */
    size_t beside;     /* bytes of foreign records, seen since the parameters */
    int64_t waited_ms; /* for the body, in all */
    uint64_t body_bytes;
    struct cs_deadline until;           /* no read waits longer */
    unsigned char header[HEADER_BYTES]; /* of the next record, as far as it is there */
    size_t header_have;
    unsigned char buffer[BUFFER_BYTES];
};

struct cs_records *cs_records_new(const struct cs_records_limits *limits)
{
    struct cs_records *records = calloc(1, sizeof(*records));

    if (records != NULL)
        records->limits = limits;
    return records;
}

void cs_records_free(struct cs_records *records)
{
    free(records);
}

unsigned cs_records_id(const struct cs_records *records)
{
    return records->id;
}

uint64_t cs_records_body_bytes(const struct cs_records *records)
{
    return records->body_bytes;
}

/* ---- waiting ---- */

static bool stop_asked(const struct cs_records *records)
{
    return records->limits->stop != NULL && *records->limits->stop != 0;
}

/* Waits until there is something to read: 1, 0 at the deadline, -1 with errno.
 * Signals come in only while `mask` is in force. */
static int wait_readable(int fd, struct cs_deadline deadline, const sigset_t *mask)
{
    struct pollfd watched = {.fd = fd, .events = POLLIN, .revents = 0};
    int left = cs_deadline_left_ms(deadline);
    struct timespec timeout = {left / 1000, (long)(left % 1000) * 1000000};

    return ppoll(&watched, 1, &timeout, mask);
}

/* While the parameters are awaited: a stop shortens the deadline. */
static enum cs_code wait_for_params(struct cs_records *records,
                                    struct cs_deadline *deadline, struct cs_err *err)
{
    struct cs_deadline grace;
    int got;

    for (;;) {
        grace = cs_deadline_in_ms(STOP_GRACE_MS);
        if (stop_asked(records) && grace.at_us < deadline->at_us)
            *deadline = grace;
        got = wait_readable(records->fd, *deadline, records->limits->wait_mask);
        if (got > 0)
            return CS_OK;
        if (got == 0)
            return cs_err_set(err, CS_ETIMEOUT,
                              "the web server did not send its request in time");
        if (errno != EINTR)
            return cs_err_errno(err, errno, "waiting for the web server failed");
    }
}

/* ---- bytes ---- */

static struct cs_view buffered(const struct cs_records *records)
{
    return cs_view_of(records->buffer + records->at, records->end - records->at);
}

/* Receives what is there into the empty buffer: > 0, 0 at the end of the
 * connection, -1 with errno (EAGAIN when nothing is there). */
static ssize_t receive(struct cs_records *records, void *to, size_t room)
{
    ssize_t got;

    do
        got = recv(records->fd, to, room, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return got;
}

static ssize_t refill(struct cs_records *records)
{
    ssize_t got = receive(records, records->buffer, sizeof(records->buffer));

    records->at = 0;
    records->end = got > 0 ? (size_t)got : 0;
    return got;
}

static void start_record(struct cs_records *records,
                         const unsigned char header[HEADER_BYTES])
{
    records->type = header[1];
    records->record_id = (unsigned)header[2] << 8 | header[3];
    records->content_left = (size_t)header[4] << 8 | header[5];
    records->padding_left = header[6];
}

/* Drops what is left of a record from what is buffered; true when it is over. */
static bool skip_record(struct cs_records *records)
{
    size_t have = records->end - records->at;
    size_t left = records->content_left + records->padding_left;
    size_t skipped = left < have ? left : have;

    records->at += skipped;
    if (skipped <= records->content_left) {
        records->content_left -= skipped;
    } else {
        records->padding_left -= skipped - records->content_left;
        records->content_left = 0;
    }
    return records->content_left == 0 && records->padding_left == 0;
}

/* Short answers to what is not for us; a peer that does not take 16 bytes at
 * once is left to its own time-out. */
static void reply(struct cs_records *records, unsigned type, unsigned id,
                  const unsigned char *body, size_t len)
{
    unsigned char record[HEADER_BYTES + 8] = {FCGI_VERSION,
                                              (unsigned char)type,
                                              (unsigned char)(id >> 8),
                                              (unsigned char)id,
                                              0,
                                              (unsigned char)len};

    if (len > 0)
        memcpy(record + HEADER_BYTES, body, len);
    (void)!send(records->fd, record, HEADER_BYTES + len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A record outside our request (section 3.3): a question about the application,
 * or another request on the same connection, which we don't take. */
static void answer_foreign(struct cs_records *records)
{
    const unsigned char unknown[8] = {(unsigned char)records->type};
    const unsigned char refused[8] = {0, 0, 0, 0, CANT_MULTIPLEX};

    if (records->record_id == 0 && records->type == RECORD_GET_VALUES)
        reply(records, RECORD_GET_VALUES_RESULT, 0, NULL, 0);
    else if (records->record_id == 0)
        reply(records, RECORD_UNKNOWN, 0, unknown, sizeof(unknown));
    else if (records->type == RECORD_BEGIN)
        reply(records, RECORD_END, records->record_id, refused, sizeof(refused));
}

/* ---- the part before the body ---- */

/* State of that part, for the functions below. */
struct preamble {
    struct cs_deadline deadline;
    struct cs_buf *params;
    size_t total;   /* bytes seen */
    size_t dropped; /* bytes of parameters above the limit */
    bool complete;
};

static enum cs_code not_fastcgi(struct cs_err *err, const char *what)
{
    return cs_err_set(err, CS_EINVAL, "the connection does not speak FastCGI: %s", what);
}

/* Makes sure that at least one unread byte is buffered. */
static enum cs_code more_params(struct cs_records *records, struct preamble *pre,
                                struct cs_err *err)
{
    enum cs_code rc;
    ssize_t got;

    while (records->at == records->end) {
        got = refill(records);
        if (got > 0) {
            pre->total += (size_t)got;
            break;
        }
        if (got == 0)
            return pre->total == 0
                       ? cs_err_set(err, CS_EGONE, "the connection was closed unused")
                       : not_fastcgi(err, "it ended within the parameters");
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return cs_err_errno(err, errno, "reading from the web server failed");
        if ((rc = wait_for_params(records, &pre->deadline, err)) != CS_OK)
            return rc;
        /* The connection is in use from here on: its time starts anew, once. */
        if (pre->total == 0 && !stop_asked(records))
            pre->deadline = cs_deadline_in_ms(records->limits->idle_ms);
    }
    return pre->total > PREAMBLE_MAX_BYTES
               ? not_fastcgi(err, "the parameters have no end")
               : CS_OK;
}

static enum cs_code read_bytes(struct cs_records *records, struct preamble *pre,
                               unsigned char *to, size_t len, struct cs_err *err)
{
    for (size_t done = 0; done < len;) {
        enum cs_code rc = more_params(records, pre, err);
        struct cs_view have = cs_view_sub(buffered(records), 0, len - done);

        if (rc != CS_OK)
            return rc;
        memcpy(to + done, have.ptr, have.len);
        records->at += have.len;
        done += have.len;
    }
    return CS_OK;
}

static enum cs_code read_begin(struct cs_records *records, struct preamble *pre,
                               struct cs_err *err)
{
    unsigned char begin[BEGIN_BYTES];
    enum cs_code rc;

    if (records->content_left != sizeof(begin))
        return not_fastcgi(err, "a begin record of a wrong size");
    if ((rc = read_bytes(records, pre, begin, sizeof(begin), err)) != CS_OK)
        return rc;
    records->content_left = 0;
    if (((unsigned)begin[0] << 8 | begin[1]) != ROLE_RESPONDER)
        return not_fastcgi(err, "a role other than responder");
    records->id = records->record_id;
    return CS_OK;
}

static enum cs_code read_params_record(struct cs_records *records, struct preamble *pre,
                                       struct cs_err *err)
{
    size_t max = records->limits->params_max_bytes;
    enum cs_code rc;

    pre->complete = records->content_left == 0;
    while (records->content_left > 0) {
        struct cs_view have;
        size_t kept;

        if ((rc = more_params(records, pre, err)) != CS_OK)
            return rc;
        have = cs_view_sub(buffered(records), 0, records->content_left);
        kept = max - pre->params->len < have.len ? max - pre->params->len : have.len;
        cs_buf_add(pre->params, cs_view_sub(have, 0, kept));
        pre->dropped += have.len - kept;
        records->at += have.len;
        records->content_left -= have.len;
    }
    return cs_buf_check(pre->params, err);
}

static enum cs_code skip_rest(struct cs_records *records, struct preamble *pre,
                              struct cs_err *err)
{
    while (!skip_record(records)) {
        enum cs_code rc = more_params(records, pre, err);

        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

/* One record, from its header to the end of its padding. */
static enum cs_code read_record(struct cs_records *records, struct preamble *pre,
                                struct cs_err *err)
{
    unsigned char header[HEADER_BYTES];
    enum cs_code rc = read_bytes(records, pre, header, sizeof(header), err);

    if (rc != CS_OK)
        return rc;
    if (header[0] != FCGI_VERSION)
        return not_fastcgi(err, "a record of an unknown version");
    start_record(records, header);
    if (records->record_id != 0 && records->id == 0 && records->type == RECORD_BEGIN)
        rc = read_begin(records, pre, err);
    else if (records->record_id != 0 && records->record_id == records->id) {
        if (records->type != RECORD_PARAMS)
            return not_fastcgi(err, "a record out of order");
        rc = read_params_record(records, pre, err);
    } else
        answer_foreign(records);
    return rc == CS_OK ? skip_rest(records, pre, err) : rc;
}

/* The length at the front of *rest (section 3.4), which is moved behind it. */
static bool take_length(struct cs_view *rest, size_t *length_out)
{
    const unsigned char *b = (const unsigned char *)rest->ptr;

    if (rest->len == 0)
        return false;
    if ((b[0] & LENGTH_4_BYTES) == 0) {
        *length_out = b[0];
        *rest = cs_view_from(*rest, 1);
        return true;
    }
    if (rest->len < 4)
        return false;
    *length_out =
        ((size_t)b[0] & 0x7f) << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    *rest = cs_view_from(*rest, 4);
    return true;
}

/* Length of the whole pairs at the front, or SIZE_MAX for a name or value that
 * C would read differently than its length says. */
static size_t whole_pairs(struct cs_view params)
{
    struct cs_view rest = params;
    size_t whole = 0, name, value;

    while (take_length(&rest, &name) && take_length(&rest, &value)) {
        /* each is below 2^31, so the sum fits */
        if (rest.len < name + value)
            break;
        if (name == 0 || memchr(rest.ptr, '\0', name + value) != NULL ||
            memchr(rest.ptr, '=', name) != NULL)
            return SIZE_MAX;
        rest = cs_view_from(rest, name + value);
        whole = params.len - rest.len;
    }
    return whole;
}

bool cs_records_take_pair(struct cs_view *rest, struct cs_view *name,
                          struct cs_view *value)
{
    if (!take_length(rest, &name->len) || !take_length(rest, &value->len))
        return false;
    *name = cs_view_sub(*rest, 0, name->len);
    *value = cs_view_sub(cs_view_from(*rest, name->len), 0, value->len);
    *rest = cs_view_from(*rest, name->len + value->len);
    return true;
}

enum cs_code cs_records_open(struct cs_records *records, int fd, struct cs_buf *params,
                             struct cs_err *err)
{
    struct preamble pre = {.deadline = cs_deadline_in_ms(records->limits->idle_ms),
                           .params = params};
    enum cs_code rc;
    size_t whole;

    records->fd = fd;
    records->at = records->end = 0;
    records->id = 0;
    records->content_left = records->padding_left = 0;
    records->ended = false;
    records->header_have = 0;
    records->until = (struct cs_deadline){INT64_MAX};
    records->waited_ms = 0;
    records->body_bytes = 0;
    while (!pre.complete)
        if ((rc = read_record(records, &pre, err)) != CS_OK)
            return rc;
    records->beside = 0;
    whole = whole_pairs(cs_buf_view(params));
    if (whole == SIZE_MAX || (pre.dropped == 0 && whole != params->len))
        return not_fastcgi(err, "malformed parameters");
    cs_buf_truncate(params, whole);
    if (pre.dropped > 0)
        return cs_err_set(err, CS_ETOOBIG, "the parameters are larger than %zu bytes",
                          records->limits->params_max_bytes);
    return CS_OK;
}

/* ---- the body ---- */

bool cs_records_ready(struct cs_records *records, struct cs_deadline deadline)
{
    int got;

    records->until = deadline;
    if (records->ended || records->at < records->end)
        return true;
    do
        got = wait_readable(records->fd, deadline, NULL);
    while (got < 0 && errno == EINTR);
    return got > 0;
}

static ssize_t fault(int errno_value)
{
    errno = errno_value;
    return -1;
}

/* Waits for more of the body, as long as the peer's pace allows. */
static ssize_t wait_for_body(struct cs_records *records)
{
    int64_t allowed = records->limits->silence_ms +
                      (int64_t)(records->body_bytes / SLOWEST_BYTES_PER_S) * 1000;
    int64_t left = allowed - records->waited_ms;
    int64_t until = cs_deadline_left_ms(records->until);
    int64_t began = cs_clock_monotonic_us();
    int got;

    if (left > records->limits->silence_ms)
        left = records->limits->silence_ms;
    if (left > until)
        left = until;
    do
        got = wait_readable(records->fd, (struct cs_deadline){began + left * 1000}, NULL);
    while (got < 0 && errno == EINTR);
    records->waited_ms += (cs_clock_monotonic_us() - began) / 1000;
    if (got == 0)
        return fault(ETIMEDOUT);
    return got;
}

/* Receives into `to`, waiting where nothing is there yet: > 0 or -1. */
static ssize_t receive_body(struct cs_records *records, void *to, size_t room)
{
    for (;;) {
        ssize_t got = receive(records, to, room);

        if (got > 0)
            return got;
        if (got == 0)
            return fault(ECONNRESET); /* a body ends by a record, not by leaving */
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return -1;
        if (wait_for_body(records) < 0)
            return -1;
    }
}

static bool need_buffered(struct cs_records *records)
{
    ssize_t got;

    if (records->at < records->end)
        return true;
    got = receive_body(records, records->buffer, sizeof(records->buffer));
    records->at = 0;
    records->end = got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* The next header, where the record before is over; a time-out in the middle of it
 * loses nothing. */
static bool next_header(struct cs_records *records)
{
    while (!skip_record(records))
        if (!need_buffered(records))
            return false;
    while (records->header_have < HEADER_BYTES) {
        if (!need_buffered(records))
            return false;
        records->header[records->header_have++] = records->buffer[records->at++];
    }
    records->header_have = 0;
    return true;
}

/* The header of the next record, and what it means: 1 body follows, 0 the body
 * is over, -1 with errno. */
static int next_body_record(struct cs_records *records)
{
    for (;;) {
        if (!next_header(records))
            return -1;
        if (records->header[0] != FCGI_VERSION)
            return (int)fault(EPROTO);
        start_record(records, records->header);
        if (records->record_id == records->id)
            break;
        records->beside += HEADER_BYTES + records->content_left;
        if (records->beside > BESIDE_MAX_BYTES)
            return (int)fault(EPROTO);
        answer_foreign(records);
    }
    if (records->type == RECORD_ABORT)
        return (int)fault(ECONNABORTED);
    if (records->type != RECORD_STDIN)
        return (int)fault(EPROTO);
    records->ended = records->content_left == 0;
    return records->ended ? 0 : 1;
}

ssize_t cs_records_read(struct cs_records *records, char *to, size_t room)
{
    ssize_t got;
    int more;

    if (records->ended || room == 0)
        return 0;
    if (records->content_left == 0 && (more = next_body_record(records)) <= 0)
        return more;
    if (room > records->content_left)
        room = records->content_left;
    if (records->at == records->end && room >= sizeof(records->buffer)) {
        got = receive_body(records, to, room); /* straight to where it is wanted */
        if (got < 0)
            return -1;
    } else {
        if (!need_buffered(records))
            return -1;
        if (room > records->end - records->at)
            room = records->end - records->at;
        memcpy(to, records->buffer + records->at, room);
        records->at += room;
        got = (ssize_t)room;
    }
    records->content_left -= (size_t)got;
    records->body_bytes += (uint64_t)got;
    return got;
}
