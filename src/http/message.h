/* http/message.h: one request and its response, whatever brings them
 * (http/fastcgi.c does). A handler reads the request, sets status and headers,
 * and either fills the body buffer or starts a stream. */
#ifndef CS_HTTP_MESSAGE_H
#define CS_HTTP_MESSAGE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

struct cs_request;
struct cs_response;

/* ---- request: all views live as long as the request ---- */

struct cs_view cs_request_method(const struct cs_request *request);

/* The path as sent, without query, still percent-encoded: "/api/v1/campaigns/x". */
struct cs_view cs_request_path(const struct cs_request *request);
struct cs_view cs_request_query(const struct cs_request *request);

/* A header by its HTTP name ("If-None-Match"); .ptr NULL when absent. Never
 * holds an identity: see http/identity.h. */
struct cs_view cs_request_header(const struct cs_request *request, const char *name);

/* A parameter that the web server sets itself ("REMOTE_ADDR"). Names that
 * start with HTTP_ give nothing: those are headers. */
struct cs_view cs_request_param(const struct cs_request *request, const char *name);

/* Value of a query parameter, decoded, appended to out. CS_ENOTFOUND when it is
 * not there, CS_EINVAL when it is there twice or wrongly encoded. */
enum cs_code cs_request_query_value(const struct cs_request *request, const char *name,
                                    struct cs_buf *out, struct cs_err *err) CS_MUST_USE;

/* Announced length of the body, or -1 when none was announced. */
int64_t cs_request_content_length(const struct cs_request *request);

/* Up to `room` bytes of the body; *got_out is 0 at its end. CS_ESHORT when it
 * ended before its announced end, CS_ETIMEOUT when the peer is silent. */
enum cs_code cs_request_read(struct cs_request *request, char *to, size_t room,
                             size_t *got_out, struct cs_err *err) CS_MUST_USE;

/* The whole body of at most max bytes into out. CS_ETOOBIG before reading when
 * the announced length says so. */
enum cs_code cs_request_read_all(struct cs_request *request, size_t max, struct cs_buf *out,
                                 struct cs_err *err) CS_MUST_USE;

/* The request's id, given by the front server or made here: [A-Za-z0-9._-]{1,64}. */
struct cs_view cs_request_id(const struct cs_request *request);

/* "https://host[:port]" as the client addressed us. */
enum cs_code cs_request_origin(const struct cs_request *request, struct cs_buf *out,
                               struct cs_err *err) CS_MUST_USE;

/* When the request was taken up, and when its answer must be there. */
int64_t cs_request_received_us(const struct cs_request *request);
struct cs_deadline cs_request_deadline(const struct cs_request *request);

/* ---- response ---- */

void cs_response_status(struct cs_response *response, int status);
int cs_response_get_status(const struct cs_response *response);

/* Sets or replaces a header. Control characters in the value become spaces. */
void cs_response_header(struct cs_response *response, const char *name, struct cs_view value);
void cs_response_header_fmt(struct cs_response *response, const char *name,
                            const char *format, ...) CS_PRINTF(3, 4);

/* The body to fill, sent with its Content-Length when the handler returns. */
struct cs_buf *cs_response_body(struct cs_response *response);

/* Sends status and headers now; the body follows by cs_response_write(). size
 * is the Content-Length. For HEAD and 304 writes are swallowed. */
enum cs_code cs_response_start(struct cs_response *response, uint64_t size,
                               struct cs_err *err) CS_MUST_USE;
bool cs_response_started(const struct cs_response *response);

/* CS_EGONE when the client has left: stop reading the source. */
enum cs_code cs_response_write(struct cs_response *response, struct cs_view bytes,
                               struct cs_err *err) CS_MUST_USE;

/* ---- for the carriers of messages and for tests ---- */

/* How bytes really get in and out; payload is the carrier's. */
struct cs_carrier {
    void *payload;
    /* -1 on error, 0 at the end */
    ssize_t (*read)(void *payload, char *to, size_t room);
    bool (*write)(void *payload, struct cs_view bytes);
};

struct cs_message_limits {
    size_t params_max_bytes; /* all parameters together: 431 above */
    int64_t budget_ms;       /* from taking a request up to its deadline */
};

/* envp as FastCGI or CGI give it ("NAME=value", NULL at the end), borrowed. */
struct cs_request *cs_request_new(char **envp, const struct cs_carrier *carrier,
                                  const struct cs_message_limits *limits, struct cs_err *err);
void cs_request_free(struct cs_request *request);
struct cs_response *cs_response_new(const struct cs_request *request,
                                    const struct cs_carrier *carrier, struct cs_err *err);
/* Sends what was not sent; drains what is left of the request's body up to a cap. */
enum cs_code cs_response_finish(struct cs_response *response, struct cs_err *err);
uint64_t cs_response_bytes(const struct cs_response *response);
void cs_response_free(struct cs_response *response);

#endif
