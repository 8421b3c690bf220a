/* http/serve.h: one request from its parameters to the last byte of its answer,
 * whatever carries it (http/server.h, http/cgi.h). */
#ifndef CS_HTTP_SERVE_H
#define CS_HTTP_SERVE_H

#include "http/message.h"

typedef void cs_handler_fn(void *payload, struct cs_request *request,
                           struct cs_response *response);

struct cs_serve_options {
    struct cs_message_limits limits;
    cs_handler_fn *handler;
    void *handler_payload;
    struct cs_log *log;
};

/* Makes the request from envp ("NAME=value", NULL at the end), lets the handler
 * answer it, or answers a request that is unfit for a handler, and sends what
 * there is to send. opened is CS_OK, or what the carrier found wrong with the
 * request (CS_ETOOBIG). CS_OK when the answer went out whole; else the
 * connection must be cut. The log gets what a handler can't know: dropped and
 * refused requests, answers that broke off. */
enum cs_code cs_serve(const struct cs_serve_options *options, char **envp,
                      const struct cs_carrier *carrier, enum cs_code opened);

#endif
