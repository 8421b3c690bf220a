#include "config.h"

#include "http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/fastcgi.h"

/* Above this, memory comes from the system in pieces of its own, and goes back
 * there at once. Fixed, since malloc would raise it by itself after the first
 * large buffer. The buffer of a page of a list with its links, 128 KiB, is below it:
 * else each such answer paid for its pages anew, in page faults. */
#define OWN_PIECE_BYTES (256 << 10)

/* What may stay at the top of the heap: what such an answer takes, and some more; and
 * what growth is worth a trim. */
#define KEPT_BYTES        (512 << 10)
#define TRIM_GROWTH_BYTES (512u << 10)

/* Of small requests one after the other, which leave nothing behind, after how many the
 * memory is looked at. */
#define SMALL_IN_A_ROW 16u

/* Pause when the process or the machine is out of descriptors or memory. */
#define EXHAUSTED_PAUSE_MS 100

struct server {
    const struct cs_server_options *options;
    struct cs_records_limits limits;
    struct cs_fastcgi *fastcgi;
    int epoll_fd; /* of the listening socket */
    int statm_fd;
    unsigned small_in_a_row;
    size_t page_bytes;
    size_t resident_before; /* after the last trim */
    long faults_seen;       /* page faults until the last look at the memory */
    uint64_t requests;
    sig_atomic_t log_opened;
};

/* ---- memory ---- */

/* Resident bytes of this process, 0 when unknown. */
static size_t resident_bytes(const struct server *server)
{
    char text[128];
    struct cs_view rest, size, resident;
    ssize_t got = pread(server->statm_fd, text, sizeof(text), 0);
    uint64_t pages;

    if (got <= 0)
        return 0;
    rest = cs_view_of(text, (size_t)got);
    if (!cs_view_split(&rest, ' ', &size) || !cs_view_split(&rest, ' ', &resident) ||
        !cs_view_to_u64(resident, &pages))
        return 0;
    return (size_t)pages * server->page_bytes;
}

/* Memory becomes resident by page faults alone: without a new one there is nothing
 * to look at, which spares most requests the reading of /proc. */
static bool may_have_grown(struct server *server)
{
    struct rusage usage;
    long faults;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return true;
    faults = usage.ru_minflt + usage.ru_majflt;
    if (faults == server->faults_seen)
        return false;
    server->faults_seen = faults;
    return true;
}

static bool is_to_look(struct server *server)
{
    if (cs_fastcgi_was_small(server->fastcgi))
        return server->small_in_a_row++ % SMALL_IN_A_ROW == 0;
    server->small_in_a_row = 0;
    return true;
}

/* Gives back what a large request has left; true when this worker has become too big. */
static bool settle_memory(struct server *server)
{
    size_t max = server->options->max_memory_bytes;
    size_t resident;

    if (!is_to_look(server) || !may_have_grown(server))
        return false;
    resident = resident_bytes(server);
    if (resident > server->resident_before + TRIM_GROWTH_BYTES) {
        (void)malloc_trim(KEPT_BYTES);
        resident = resident_bytes(server);
        server->resident_before = resident;
    }
    return max > 0 && resident > max;
}

/* ---- one request ---- */

static void serve(struct server *server, int fd)
{
    bool heard = server->options->unanswered != NULL;
    struct cs_err err = CS_ERR_NONE;
    sigset_t before;
    enum cs_code code = cs_fastcgi_open(server->fastcgi, fd, &err);

    if (code != CS_OK && code != CS_ETOOBIG) {
        /* Connections closed unused are how load balancers and supervisors probe. */
        cs_log_err(server->options->serve.log,
                   code == CS_EGONE ? CS_LOG_DEBUG : CS_LOG_WARN, "connection dropped",
                   &err);
        return;
    }
    if (heard)
        (void)sigprocmask(SIG_SETMASK, &server->options->wait_mask, &before);
    code = cs_serve(&server->options->serve, cs_fastcgi_params(server->fastcgi),
                    cs_fastcgi_carrier(server->fastcgi), code);
    cs_fastcgi_close(server->fastcgi, code == CS_OK);
    if (heard)
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

/* ---- the loop ---- */

static void reopen_log(struct server *server)
{
    struct cs_err err = CS_ERR_NONE;
    sig_atomic_t asked = *server->options->reopen_log;

    if (asked == server->log_opened)
        return;
    server->log_opened = asked;
    if (cs_log_reopen(server->options->serve.log, &err) != CS_OK)
        cs_log_err(server->options->serve.log, CS_LOG_ERROR,
                   "the log could not be opened anew", &err);
}

/* Every idle worker waits on one socket: of a plain poll(2) all would wake for each
 * connection, and all but one in vain. Linux has had the flag since 4.5. */
static int watch(int listen_fd)
{
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    int fd = epoll_create1(EPOLL_CLOEXEC);

    if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, listen_fd, &wanted) == 0)
        return fd;
    wanted.events = EPOLLIN;
    if (epoll_ctl(fd, EPOLL_CTL_ADD, listen_fd, &wanted) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* Waits for a connection or a signal. Where a connection came it has to be taken, even
 * when a signal came, too: no other worker may have been woken for it. */
static enum cs_code wait_for_connection(const struct server *server, bool *came_out,
                                        struct cs_err *err)
{
    struct epoll_event event = {.events = 0};
    int got = epoll_pwait(server->epoll_fd, &event, 1, -1, &server->options->wait_mask);

    *came_out = got > 0;
    if (got < 0 && errno != EINTR)
        return cs_err_errno(err, errno, "waiting for a connection failed");
    if (got > 0 && (event.events & EPOLLERR) != 0)
        return cs_err_set(err, CS_EIO, "the listening socket is broken");
    return CS_OK;
}

static void pause_exhausted(const struct server *server)
{
    const struct timespec pause = {0, EXHAUSTED_PAUSE_MS * 1000000l};

    (void)ppoll(NULL, 0, &pause, &server->options->wait_mask);
}

/* Waits for a connection and takes it. *fd_out is -1 when there was none, for
 * whatever passing reason. */
static enum cs_code take_connection(struct server *server, int *fd_out,
                                    struct cs_err *err)
{
    bool came;
    enum cs_code rc = wait_for_connection(server, &came, err);

    *fd_out = -1;
    if (rc != CS_OK || !came)
        return rc;
    *fd_out = accept4(server->options->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (*fd_out >= 0)
        return CS_OK;
    switch (errno) {
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
        return cs_err_errno(err, errno, "accepting connections failed");
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        (void)cs_err_errno(err, errno, "no connection can be accepted for now");
        cs_log_err(server->options->serve.log, CS_LOG_ERROR, "exhausted", err);
        cs_err_clear(err);
        pause_exhausted(server);
        return CS_OK;
    default: /* another worker was faster, or it failed before it was taken (accept(2)) */
        return CS_OK;
    }
}

/* A wait that finds a connection at once lets no signal in, so a server that is
 * never idle does it here. */
static void let_signals_in(const struct server *server)
{
    sigset_t held;

    if (sigprocmask(SIG_SETMASK, &server->options->wait_mask, &held) == 0)
        (void)sigprocmask(SIG_SETMASK, &held, NULL);
}

static enum cs_server_end loop(struct server *server, struct cs_err *err)
{
    const struct cs_server_options *options = server->options;
    int fd = -1;

    for (;;) {
        let_signals_in(server);
        reopen_log(server);
        if (*options->stop != 0)
            return CS_SERVER_STOPPED;
        if (take_connection(server, &fd, err) != CS_OK)
            return CS_SERVER_FAILED;
        if (fd < 0)
            continue;
        serve(server, fd);
        server->requests++;
        if (settle_memory(server) ||
            (options->max_requests > 0 && server->requests >= options->max_requests))
            return CS_SERVER_RECYCLE;
    }
}

static enum cs_code prepare(struct server *server, struct cs_err *err)
{
    const struct cs_server_options *options = server->options;
    int flags = fcntl(options->listen_fd, F_GETFL);
    long page = sysconf(_SC_PAGESIZE);

    if (flags < 0 || fcntl(options->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return cs_err_errno(err, errno, "the listening socket can't be used");
    if ((server->epoll_fd = watch(options->listen_fd)) < 0)
        return cs_err_errno(err, errno, "the listening socket can't be waited for");
    if ((server->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) < 0)
        cs_log_put(options->serve.log, CS_LOG_WARN,
                   "/proc is not readable: workers are not replaced for their memory",
                   CS_LOG_NUM("errno", errno));
    (void)mallopt(M_MMAP_THRESHOLD, OWN_PIECE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    server->page_bytes = page > 0 ? (size_t)page : 4096;
    server->resident_before = resident_bytes(server);
    server->log_opened = *options->reopen_log;
    server->limits = (struct cs_records_limits){
        .params_max_bytes = options->serve.limits.params_max_bytes,
        .idle_ms = options->idle_connection_ms,
        .silence_ms = options->io_timeout_ms,
        .wait_mask = &options->wait_mask,
        .stop = options->stop,
    };
    server->fastcgi = cs_fastcgi_new(&server->limits, options->unanswered, err);
    return server->fastcgi != NULL ? CS_OK : CS_EIO;
}

enum cs_server_end cs_server_run(const struct cs_server_options *options,
                                 struct cs_err *err)
{
    struct server server = {.options = options, .epoll_fd = -1, .statm_fd = -1};
    enum cs_server_end end = CS_SERVER_FAILED;

    if (prepare(&server, err) == CS_OK)
        end = loop(&server, err);
    cs_fastcgi_free(server.fastcgi);
    if (server.statm_fd >= 0)
        (void)close(server.statm_fd);
    if (server.epoll_fd >= 0)
        (void)close(server.epoll_fd);
    return end;
}
