/* http/server.h: the loop of one worker: accept a FastCGI connection, take its
 * request, hand it to the handler, finish, close, again. A connection carries
 * one request: one that were kept would hold this worker for itself. */
#ifndef CS_HTTP_SERVER_H
#define CS_HTTP_SERVER_H

#include <signal.h>

#include "http/fastcgi.h"
#include "http/serve.h"

struct cs_server_options {
    int listen_fd;
    struct cs_serve_options serve;
    /* A connection that sends nothing is closed after this; once it began, its
     * parameters must be complete within the same time again (2000). */
    int idle_connection_ms;
    int io_timeout_ms;       /* silence in the middle of a body or an answer (30000) */
    uint64_t max_requests;   /* then the loop ends; 0: never */
    size_t max_memory_bytes; /* resident set above which the loop ends; 0: never */
    /* Both are changed by the main's signal handlers: `stop` to anything but 0,
     * `reopen_log` to another value each time. The main has these signals blocked;
     * they are let in only while waiting, so that none is lost between a check
     * and the wait behind it. */
    const volatile sig_atomic_t *stop;
    const volatile sig_atomic_t *reopen_log;
    sigset_t wait_mask; /* the mask while waiting: the signals above are not in it */
    /* Where a worker is killed soon after it was asked to end: the signals are let in
     * while a request is served, too, and the main's handlers may answer what is
     * unanswered by cs_fastcgi_give_up(), and end. NULL: a request under way is
     * always finished. */
    struct cs_fastcgi_unanswered *unanswered;
};

enum cs_server_end { CS_SERVER_STOPPED, CS_SERVER_RECYCLE, CS_SERVER_FAILED };

/* Serves until a stop, a recycle or a fault of the listening socket (which is
 * made non-blocking, and stays open). A connection that was accepted before the
 * stop and whose request is under way is answered first, as far as the main lets
 * it. */
enum cs_server_end cs_server_run(const struct cs_server_options *options,
                                 struct cs_err *err);

#endif
