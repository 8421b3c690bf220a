/* http/message.h: one request and its response, whatever brings them
 * (http/fastcgi.c does). A handler reads the request, sets status and headers,
 * and either fills the body buffer or starts a stream. */
#ifndef CS_HTTP_MESSAGE_H
#define CS_HTTP_MESSAGE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

struct cs_request;
struct cs_response;

/* ---- request: all views live as long as the request ---- */

struct cs_view cs_request_method(const struct cs_request *request);

/* The path as sent, without query, still percent-encoded: "/api/v1/campaigns/x".
 * From REQUEST_URI; where the web server sets none, SCRIPT_NAME and PATH_INFO,
 * which it has decoded, are encoded again. */
struct cs_view cs_request_path(const struct cs_request *request);
struct cs_view cs_request_query(const struct cs_request *request);

/* A header by its HTTP name ("If-None-Match"); .ptr NULL when absent. An empty
 * Authorization counts as absent, and comes from REDIRECT_HTTP_AUTHORIZATION
 * where a rewrite rule of Apache has moved it there. CGI can't tell "X-A" from
 * "X_A", so no header but Authorization ever says who the client is: see
 * http/identity.h. */
struct cs_view cs_request_header(const struct cs_request *request, const char *name);

/* True when the same header came as two parameters. */
bool cs_request_header_repeated(const struct cs_request *request, const char *name);

/* A parameter that the web server sets itself ("REMOTE_ADDR"). Names that
 * start with HTTP_ or REDIRECT_ give nothing: a client can cause those. */
struct cs_view cs_request_param(const struct cs_request *request, const char *name);

/* Value of a query parameter, decoded, appended to out. CS_ENOTFOUND when it is
 * not there, CS_EINVAL when it is there twice or wrongly encoded. */
enum cs_code cs_request_query_value(const struct cs_request *request, const char *name,
                                    struct cs_buf *out, struct cs_err *err) CS_MUST_USE;

/* Announced length of the body, or -1 when none was announced. */
int64_t cs_request_content_length(const struct cs_request *request);

/* Up to `room` bytes of the body; *got_out is 0 at its end. CS_ESHORT when it
 * ended before its announced end or the connection broke, CS_ETIMEOUT when the
 * peer is silent. A failure is final: every further call returns it again. */
enum cs_code cs_request_read(struct cs_request *request, char *to, size_t room,
                             size_t *got_out, struct cs_err *err) CS_MUST_USE;

/* The whole body of at most max bytes, appended to out. CS_ETOOBIG before
 * reading when the announced length says so. */
enum cs_code cs_request_read_all(struct cs_request *request, size_t max,
                                 struct cs_buf *out, struct cs_err *err) CS_MUST_USE;

/* The request's id: [A-Za-z0-9._-]{1,64}. From the X-Request-Id header, else the
 * parameter REQUEST_ID, else random. */
struct cs_view cs_request_id(const struct cs_request *request);

/* "https://host[:port]" as the client addressed us: the scheme from HTTPS or
 * REQUEST_SCHEME, the rest from the Host header, else SERVER_NAME and
 * SERVER_PORT. CS_EINVAL when none of them is a host. */
enum cs_code cs_request_origin(const struct cs_request *request, struct cs_buf *out,
                               struct cs_err *err) CS_MUST_USE;

/* When the request was taken up, and when its answer must be there. */
int64_t cs_request_received_us(const struct cs_request *request);
struct cs_deadline cs_request_deadline(const struct cs_request *request);

/* ---- response ---- */

void cs_response_status(struct cs_response *response, int status);
int cs_response_get_status(const struct cs_response *response);

/* Sets or replaces a header. Control characters in the value become spaces.
 * Content-Length is not set here; X-Request-Id is there already. Without memory
 * the response becomes a 500. */
void cs_response_header(struct cs_response *response, const char *name,
                        struct cs_view value);
void cs_response_header_fmt(struct cs_response *response, const char *name,
                            const char *format, ...) CS_PRINTF(3, 4);

/* The body to fill, sent with its Content-Length when the handler returns. */
struct cs_buf *cs_response_body(struct cs_response *response);

/* Sends status and headers now; the body follows by cs_response_write(). size
 * is the Content-Length. For HEAD, 204 and 304 writes are swallowed. */
enum cs_code cs_response_start(struct cs_response *response, uint64_t size,
                               struct cs_err *err) CS_MUST_USE;
bool cs_response_started(const struct cs_response *response);

/* CS_EGONE when the client has left: stop reading the source. CS_EINTERNAL for
 * more bytes than were announced. */
enum cs_code cs_response_write(struct cs_response *response, struct cs_view bytes,
                               struct cs_err *err) CS_MUST_USE;

/* ---- for the carriers of messages and for tests ---- */

/* How bytes really get in and out; payload is the carrier's. */
struct cs_carrier {
    void *payload;
    /* -1 on error (errno ETIMEDOUT when the peer is silent), 0 at the end */
    ssize_t (*read)(void *payload, char *to, size_t room);
    bool (*write)(void *payload, struct cs_view bytes);
    /* True as soon as there is something to read, false at the deadline, which is
     * also that of the reads that follow. NULL where a read never blocks. */
    bool (*ready)(void *payload, struct cs_deadline deadline);
    /* Sends what the carrier has gathered so far. NULL where it gathers nothing. */
    bool (*flush)(void *payload);
};

struct cs_message_limits {
    size_t params_max_bytes; /* all parameters together: 431 above */
    int64_t budget_ms;       /* from taking a request up to its deadline */
    int64_t queued_max_ms;   /* before it is taken up: 503 above; 0: for ever */
};

#define CS_REQUEST_ID_SIZE 65u /* with its NUL */

/* The id of a request with these parameters: as the web server has given it
 * (X-Request-Id, REQUEST_ID) where that is [A-Za-z0-9._-]{1,64}, else a random one. */
enum cs_code cs_request_choose_id(char out[CS_REQUEST_ID_SIZE], char **envp,
                                  struct cs_err *err) CS_MUST_USE;

/* envp as FastCGI or CGI give it ("NAME=value", NULL at the end), borrowed, as
 * is the carrier. NULL when out of memory or of random bytes. A request that
 * breaks a rule is made all the same, so that it can be answered. */
struct cs_request *cs_request_new(char **envp, const struct cs_carrier *carrier,
                                  const struct cs_message_limits *limits,
                                  struct cs_err *err);

/* What makes a request unfit for a handler: CS_ETOOBIG for more parameters than
 * the limit, CS_EINVAL for a CONTENT_LENGTH that is no number or a missing
 * method, CS_ESHORT for a body that the web server has cut off (the parameter
 * ANNOUNCED_LENGTH says what the client announced), CS_EBUSY for one without a body
 * that has waited for too long behind others (the header X-Request-Start says since
 * when, as "t=" and microseconds of Unix time); else CS_OK. */
enum cs_code cs_request_fault(const struct cs_request *request);

void cs_request_free(struct cs_request *request);

/* Reads what is left of the body and drops it, at most max bytes until the
 * deadline. True when its end was met. */
bool cs_request_drain(struct cs_request *request, uint64_t max,
                      struct cs_deadline deadline);

struct cs_response *cs_response_new(struct cs_request *request,
                                    const struct cs_carrier *carrier, struct cs_err *err);

/* Fills in an RFC 9457 answer, for faults that are found before a handler runs.
 * Everything that was set before is dropped. code and detail are constants. */
void cs_response_problem(struct cs_response *response, int status, const char *title,
                         const char *code, const char *detail);

/* Sends what was not sent, then drains what is left of the request's body (for
 * at most a second: a web server that is still sending would take the answer
 * for a failure). CS_EGONE, or CS_EINTERNAL when fewer bytes were written than
 * announced: the connection must then be cut, so that nobody takes the answer
 * for whole. */
enum cs_code cs_response_finish(struct cs_response *response, struct cs_err *err);
uint64_t cs_response_bytes(const struct cs_response *response);
void cs_response_free(struct cs_response *response);

#endif
