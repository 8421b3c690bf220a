/* tests/unit/fake_http.h: an HTTP server on a loopback port whose answers a test
 * scripts, for what real servers do not do when asked. A thread a connection;
 * the handler is called by one of them at a time. */
#ifndef CS_TESTS_FAKE_HTTP_H
#define CS_TESTS_FAKE_HTTP_H

#include "base/buf.h"

struct fake_request {
    struct cs_view method;
    struct cs_view target;
    struct cs_view head; /* request line and headers */
    struct cs_view body;
    unsigned connection; /* 1 for the first accepted */
    unsigned number;     /* 1 for the first request of all */
};

enum fake_then {
    FAKE_KEEP,        /* keep the connection for the next request */
    FAKE_CLOSE,       /* close it after the answer */
    FAKE_RESET,       /* reset it after the answer */
    FAKE_DIE_ON_NEXT, /* keep it, and reset it when the next request comes */
    FAKE_HANG,        /* say no more until the client goes away */
    FAKE_CUT          /* of scripts: close it 3 bytes before the answer's end */
};

struct fake_reply {
    struct cs_buf bytes; /* the raw answer */
    enum fake_then then;
};

typedef void fake_handler(void *payload, const struct fake_request *request,
                          struct fake_reply *reply);

struct fake_http;

struct fake_http *fake_http_new(fake_handler *handler, void *payload);
void fake_http_free(struct fake_http *server); /* waits for its threads */
unsigned fake_http_port(const struct fake_http *server);
unsigned fake_http_connections(struct fake_http *server);
unsigned fake_http_requests(struct fake_http *server);

/* "HTTP/1.1 <status> ..." with Content-Length and the given further headers,
 * each ended by CR LF ("" for none). */
void fake_reply_with(struct fake_reply *reply, int status, const char *headers,
                     struct cs_view body);

/* Value of a request's header; .ptr NULL when there is none. */
struct cs_view fake_header(const struct fake_request *request, const char *name);

#endif
