/* net/client.h: the HTTP client, over libcurl; the only room that sees it.
 *
 * One client per process, made after the fork and used by one thread. It keeps
 * connections, TLS sessions and names warm between requests. It takes nothing
 * from the environment (no http_proxy, no .netrc), follows no redirect, speaks
 * HTTP/1.1 over http and https alone, and always verifies certificates.
 *
 * Every request body can be sent again: a kept connection that turns out dead
 * before a byte of the answer came is replaced once, without the caller's
 * notice. All other repetition is the caller's decision, see struct cs_net_call. Calls
 * that are marked as small have a connection of their own (net/wire.h).
 *
 * SIGPIPE is to be ignored by the process. */
#ifndef CS_NET_CLIENT_H
#define CS_NET_CLIENT_H

#include "base/buf.h"
#include "base/clock.h"
#include "net/header.h"

struct cs_net_client;

/* Texts are copied. */
struct cs_net_options {
    const char *ca_bundle; /* PEM file of trusted roots; NULL: the system's */
    const char *proxy; /* "http://host:port"; NULL: none, whatever the environment says */
    const char *no_proxy; /* hosts reached without it, "a.example,10.0.0.0/8"; or NULL */
    const char *user_agent; /* NULL: the package's name */
    int connect_timeout_ms; /* 0: 3000 */
    int idle_timeout_ms; /* a transfer that moves no byte for so long fails; 0: 10000 */
    size_t keep_connections; /* open connections kept between requests; 0: 16 */
};

/* NULL with err set when out of memory or libcurl fails to start. */
struct cs_net_client *cs_net_client_new(const struct cs_net_options *options,
                                        struct cs_err *err);
void cs_net_client_free(struct cs_net_client *client);

enum cs_net_body_kind {
    CS_NET_BODY_NONE,
    CS_NET_BODY_BYTES, /* `bytes` */
    CS_NET_BODY_FILE,  /* `size` bytes of `fd` from `offset` on, by pread(2) */
    CS_NET_BODY_STREAM /* `size` bytes from `read` */
};

/* Fills `to`; *got_out is 0 at the end alone. */
typedef enum cs_code cs_net_read_fn(void *payload, char *to, size_t room,
                                    size_t *got_out);
/* Goes back to the first byte; called before every start, the first included. */
typedef enum cs_code cs_net_rewind_fn(void *payload);

struct cs_net_body {
    enum cs_net_body_kind kind;
    struct cs_view bytes;
    int fd;
    uint64_t offset;
    uint64_t size;
    cs_net_read_fn *read;
    cs_net_rewind_fn *rewind;
    void *payload;
};

/* All borrowed for the time of the call. */
struct cs_net_request {
    const char *method; /* "GET" when NULL */
    const char *url;    /* absolute; path and query are sent as they stand here */
    const struct cs_net_header *headers; /* Host and Content-Length come by themselves */
    size_t header_count;
    struct cs_net_body body;
    struct cs_deadline
        deadline; /* for the whole exchange; with `hold` until the head is there */
    int connect_timeout_ms; /* 0: the client's */
    int idle_timeout_ms;    /* 0: the client's */
    bool direct;            /* past any proxy */
};

enum cs_net_fault {
    CS_NET_OK,       /* an answer came, whatever its status */
    CS_NET_RESOLVE,  /* no address for the host */
    CS_NET_CONNECT,  /* refused, unreachable, or not within connect_timeout_ms */
    CS_NET_TLS,      /* no TLS session, certificate not trusted */
    CS_NET_LOST,     /* the connection broke before the end of the answer */
    CS_NET_IDLE,     /* nothing moved for idle_timeout_ms */
    CS_NET_DEADLINE, /* the request's deadline passed */
    CS_NET_LOCAL     /* we ended it: body too big, source or sink failed, no memory */
};

/* Takes a piece of the body of a 2xx answer; a failure ends the transfer. Like the
 * body functions above it runs inside the exchange and may not use the client. */
typedef enum cs_code cs_net_sink_fn(void *payload, struct cs_view piece);

struct cs_net_transfer;

/* Init, give it a body ceiling or a sink, use it for any number of requests
 * one after another (its memory is kept), clear. */
struct cs_net_response {
    /* set by the caller */
    struct cs_buf body; /* the body, up to the ceiling; with sink or hold, that of errors;
                           emptied at each start */
    cs_net_sink_fn *sink; /* NULL: body */
    void *sink_payload;
    bool
        hold; /* stop after the head of a 2xx answer; then cs_net_read() gives the body */

    /* set by the exchange */
    int status; /* 0 when no answer came */
    enum cs_net_fault fault;
    uint64_t bytes_sent; /* of bodies */
    uint64_t bytes_received;
    int64_t connect_us;    /* until connection and TLS stood; 0 on a kept connection */
    int64_t first_byte_us; /* until the first byte of the answer */
    int64_t total_us;
    unsigned tries; /* 2 when a dead kept connection was replaced, else 1 */
    bool reused;    /* a kept connection served it */

    /* private */
    struct cs_buf head;
    struct cs_net_transfer *held;
};

void cs_net_response_init(struct cs_net_response *response, size_t body_max);
void cs_net_response_clear(struct cs_net_response *response);

/* Value of the first header of that name, without case, trimmed; .ptr NULL when
 * there is none. Borrowed until the next request. */
struct cs_view cs_net_response_header(const struct cs_net_response *response,
                                      const char *name);

/* One exchange. CS_OK means that an answer came, of whatever status. Else
 * response->fault tells what happened: CS_ETIMEOUT for IDLE and DEADLINE and a
 * connect that took too long, CS_EUPSTREAM for the other network faults,
 * CS_ETOOBIG for a body over the ceiling, or what source or sink returned. */
enum cs_code cs_net_perform(struct cs_net_client *client,
                            const struct cs_net_request *request,
                            struct cs_net_response *response,
                            struct cs_err *err) CS_MUST_USE;

/* One of many exchanges that run side by side. */
struct cs_net_call {
    struct cs_net_request request;
    struct cs_net_response *response;
    /* One of very many to the same server, of a few KiB both ways: run by itself it goes
     * over a connection that is kept for such calls, at less than half of the processor
     * time. Its body is none or of bytes, and its method not HEAD. */
    bool small;
    /* Called right before each start, also of one in place of a connection that died
     * (response->tries is not 0 then); may fill in `request`, from memory that lasts
     * until the next call of any `prepare`. NULL: nothing to do. A failure ends this
     * call with that code. */
    enum cs_code (*prepare)(struct cs_net_call *call, struct cs_err *err);
    /* Called at each end; true has it started again, not before `not_before_us`
     * of the monotonic clock. NULL: never again. */
    bool (*again)(struct cs_net_call *call);
    void *payload;
    int64_t not_before_us;
    enum cs_code code; /* how it ended */
    struct cs_err err;
    struct cs_net_transfer *transfer; /* private; NULL */
    bool ended;                       /* private; false */
};

/* Runs them all to their end, at most `parallel` (at least 1) at a time, in
 * their order. Look at each call's code. The callbacks may use the client. */
void cs_net_perform_many(struct cs_net_client *client, struct cs_net_call *calls,
                         size_t count, size_t parallel);

/* The next bytes of a held body; *got_out is 0 at its end and never before. The
 * idle limit holds for each read, and for all of them together where less than a KB
 * comes in a second; the reader's own pauses do not count. */
enum cs_code cs_net_read(struct cs_net_response *response, char *to, size_t room,
                         size_t *got_out, struct cs_err *err) CS_MUST_USE;

/* Gives up what is left of a held body; a body read to its end leaves the
 * connection warm. */
void cs_net_release(struct cs_net_response *response);

/* Since the client was made. */
struct cs_net_counts {
    uint64_t requests;    /* exchanges started, replacements included */
    uint64_t connections; /* opened */
    uint64_t replaced;    /* kept connections found dead and replaced */
};
struct cs_net_counts cs_net_client_counts(const struct cs_net_client *client);

/* Whether what is sent there stays secret on the way: https, or http to a loopback
 * address. */
bool cs_net_url_is_safe(const char *url);

/* Longest document that cs_net_fetch() takes. */
#define CS_NET_FETCH_MAX (256u * 1024u)

/* GETs a document and appends it to out: https, or http to a loopback address
 * alone, else CS_EINVAL; CS_EUPSTREAM for any status but 200. payload is the
 * client, so that the function can be handed over as a pointer. */
enum cs_code cs_net_fetch(void *payload, const char *url, struct cs_buf *out,
                          struct cs_deadline deadline, struct cs_err *err) CS_MUST_USE;

#endif
