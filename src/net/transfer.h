/* net/transfer.h: one exchange on one curl easy handle; private to this room. */
#ifndef CS_NET_TRANSFER_H
#define CS_NET_TRANSFER_H

#include <curl/curl.h>

#include "net/client.h"

enum cs_net_state {
    CS_NET_FREE,
    CS_NET_RUNNING,
    CS_NET_HEADED, /* a held answer whose head is there */
    CS_NET_DONE
};

enum cs_net_shape { /* what libcurl is told of method and body */
                    CS_NET_SHAPE_NONE,
                    CS_NET_SHAPE_POST, /* a POST of bytes: all that DynamoDB ever gets */
                    CS_NET_SHAPE_OTHER
};

struct cs_net_transfer {
    struct cs_net_client *client;
    CURL *easy;
    enum cs_net_state state;
    CURLcode result;
    const struct cs_net_request *request; /* NULL once only the held body is left */
    struct cs_net_response *response;
    CURLU *url; /* of the handle, taken apart: calls of one address share that work */
    struct cs_buf url_text;    /* what `url` was made of, with its NUL; empty: nothing */
    struct curl_slist *fields; /* ours, so that a request allocates nothing for them */
    size_t field_room;
    struct cs_buf field_text;
    struct cs_net_set { /* what the handle is set to */
        enum cs_net_shape shape;
        const char *no_proxy;
        long connect_ms;
        bool fresh;
    } set;
    uint64_t body_at;
    bool answered;           /* a byte of the answer came */
    bool paused;             /* by us: kept is full */
    enum cs_net_fault fault; /* set by our own timers */
    enum cs_code local;      /* why source, sink or a ceiling ended it */
    int idle_ms;
    int64_t started_us;
    int64_t moved_us;   /* when bytes moved last */
    int64_t watched_us; /* when that was looked at */
    int64_t moved_bytes;
    int64_t waited_us;  /* for a held body, in all */
    struct cs_buf kept; /* of a held body: received, not yet read */
    size_t kept_at;
    char text[CURL_ERROR_SIZE];
};

/* NULL when out of memory. */
struct cs_net_transfer *cs_net_transfer_new(struct cs_net_client *client,
                                            const struct cs_net_options *options,
                                            CURLSH *share);
void cs_net_transfer_free(struct cs_net_transfer *transfer);

/* Readies it for one exchange; fresh: not on a kept connection. */
enum cs_code cs_net_transfer_ready(struct cs_net_transfer *transfer,
                                   const struct cs_net_request *request,
                                   struct cs_net_response *response,
                                   const struct cs_net_options *options, bool fresh,
                                   struct cs_err *err) CS_MUST_USE;

/* Sets transfer->fault when its deadline or its idle limit has passed. */
void cs_net_transfer_watch(struct cs_net_transfer *transfer, int64_t now_us);

/* Whether a kept connection was found dead before the answer began. */
bool cs_net_transfer_died_idle(const struct cs_net_transfer *transfer);

/* Writes what happened into the response and turns it into a code. */
enum cs_code cs_net_transfer_outcome(struct cs_net_transfer *transfer,
                                     struct cs_err *err) CS_MUST_USE;

#endif
