/* http/server.h: the loop of one worker: accept a FastCGI connection, take its
 * request, hand it to the handler, finish, close, again. A connection carries
 * one request: one that were kept would hold this worker for itself. */
#ifndef CS_HTTP_SERVER_H
#define CS_HTTP_SERVER_H

#include <signal.h>

#include "http/message.h"

typedef void cs_handler_fn(void *payload, struct cs_request *request,
                           struct cs_response *response);

struct cs_server_options {
    int listen_fd;
    struct cs_message_limits limits;
    /* A connection that sends nothing is closed after this; once it began, its
     * parameters must be complete within the same time again (2000). */
    int idle_connection_ms;
    int io_timeout_ms;       /* silence in the middle of a body or an answer (30000) */
    uint64_t max_requests;   /* then the loop ends; 0: never */
    size_t max_memory_bytes; /* resident set above which the loop ends; 0: never */
    cs_handler_fn *handler;
    void *handler_payload;
    /* Both are changed by the main's signal handlers: `stop` to anything but 0,
     * `reopen_log` to another value each time. The main has these signals blocked;
     * they are let in only while waiting, so that none is lost between a check
     * and the wait behind it. */
    const volatile sig_atomic_t *stop;
    const volatile sig_atomic_t *reopen_log;
    sigset_t wait_mask; /* the mask while waiting: the signals above are not in it */
    struct cs_log *log;
};

enum cs_server_end { CS_SERVER_STOPPED, CS_SERVER_RECYCLE, CS_SERVER_FAILED };

/* Serves until a stop, a recycle or a fault of the listening socket (which is
 * made non-blocking, and stays open). A connection that was accepted before the
 * stop and whose request is under way is answered first. The log gets what a handler
 * can't know: dropped connections, refused requests, answers that broke off. */
enum cs_server_end cs_server_run(const struct cs_server_options *options,
                                 struct cs_err *err);

#endif
