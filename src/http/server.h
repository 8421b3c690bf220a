/* http/server.h: the loop of one worker: accept a FastCGI connection, take its
 * request, hand it to the handler, finish, again. */
#ifndef CS_HTTP_SERVER_H
#define CS_HTTP_SERVER_H

#include <signal.h>

#include "http/message.h"

typedef void cs_handler_fn(void *payload, struct cs_request *request,
                           struct cs_response *response);

struct cs_server_options {
    int listen_fd;
    struct cs_message_limits limits;
    int idle_connection_ms;   /* a connection that sends nothing is closed after this (2000) */
    int io_timeout_ms;        /* silence in the middle of a request (30000) */
    uint64_t max_requests;    /* then the loop ends; 0: never */
    size_t max_memory_bytes;  /* resident set above which the loop ends; 0: never */
    cs_handler_fn *handler;
    void *handler_payload;
    /* Set by the main's signal handlers. The signals in `wake` are blocked and
     * let in only while waiting, so that none is lost between check and accept. */
    const volatile sig_atomic_t *stop;
    const volatile sig_atomic_t *reopen_log;
    sigset_t wait_mask; /* the mask while waiting */
    struct cs_log *log;
};

enum cs_server_end { CS_SERVER_STOPPED, CS_SERVER_RECYCLE, CS_SERVER_FAILED };

enum cs_server_end cs_server_run(const struct cs_server_options *options, struct cs_err *err);

#endif
