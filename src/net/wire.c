#include "config.h"

#include "net/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "net/answer.h"
#include "net/fault.h"
#include "net/handle.h"
#include "net/response.h"

#define PIECE_BYTES 16384u /* received at once */
#define ORIGIN_MAX  1024u
#define OUT_MAX     (16u << 20) /* far above the longest request of DynamoDB's */
/* Bodies up to this leave together with their head. */
#define CLOSE_TO_HEAD (32u * 1024)
/* Sent at once: TLS tells of no progress before all that it was given has left. */
#define SENT_AT_ONCE (64u * 1024)

struct cs_net_wire {
    const struct cs_net_options *options;
    CURLSH *share;
    CURL *easy; /* of the connection; NULL: there is none */
    curl_socket_t fd;
    struct cs_buf origin; /* "https://host:port", where it leads */
    struct cs_buf out;
    char text[CURL_ERROR_SIZE];
    char in[PIECE_BYTES];
};

struct exchange {
    struct cs_net_wire *wire;
    const struct cs_net_request *request;
    struct cs_net_response *response;
    struct cs_net_answer answer;
    struct cs_view origin; /* of request->url */
    struct cs_view target;
    int64_t started_us;
    int64_t moved_us; /* when bytes moved last */
    bool connected;
    bool answered;  /* a byte of the answer came */
    bool cut_short; /* the request: it was answered, or refused, before its end */
    CURLcode result;
    enum cs_net_fault fault;
    enum cs_code local;
};

struct cs_net_wire *cs_net_wire_new(const struct cs_net_options *options, CURLSH *share)
{
    struct cs_net_wire *wire = calloc(1, sizeof(*wire));

    if (wire == NULL)
        return NULL;
    wire->options = options;
    wire->share = share;
    cs_buf_init(&wire->origin, ORIGIN_MAX);
    cs_buf_init(&wire->out, OUT_MAX);
    return wire;
}

static void hang_up(struct cs_net_wire *wire)
{
    curl_easy_cleanup(wire->easy);
    wire->easy = NULL;
    cs_buf_reset(&wire->origin);
}

void cs_net_wire_free(struct cs_net_wire *wire)
{
    if (wire == NULL)
        return;
    hang_up(wire);
    cs_buf_clear(&wire->origin);
    cs_buf_wipe(&wire->out); /* it held the Authorization header */
    free(wire);
}

/* ---- faults ---- */

static bool fail(struct exchange *x, enum cs_net_fault fault)
{
    x->fault = fault;
    return false;
}

static bool fail_here(struct exchange *x, enum cs_code local)
{
    x->local = local;
    return fail(x, CS_NET_LOCAL);
}

static bool refuse(struct exchange *x, const char *why)
{
    (void)snprintf(x->wire->text, sizeof(x->wire->text), "%s", why);
    return fail_here(x, CS_EINVAL);
}

static bool fail_as(struct exchange *x, CURLcode result)
{
    x->result = result;
    if (result == CURLE_OUT_OF_MEMORY)
        return fail_here(x, CS_ENOMEM);
    x->local = CS_EINVAL; /* what else libcurl refuses is the address */
    return fail(x, cs_net_fault_of(result));
}

/* ---- the connection ---- */

/* What would end the request line, or be something else to the server than to libcurl. */
static bool has_controls(struct cs_view url)
{
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= ' ' || url.ptr[i] == 0x7f)
            return true;
    return false;
}

static bool take_url_apart(struct exchange *x)
{
    struct cs_view whole = cs_view_cstr(x->request->url);
    struct cs_view url = cs_view_sub(whole, 0, cs_view_find_byte(whole, '#'));
    size_t scheme = cs_view_find(url, CS_LIT("://"));
    size_t end = scheme == SIZE_MAX ? url.len : scheme + 3;

    while (end < url.len && url.ptr[end] != '/' && url.ptr[end] != '?')
        end++;
    x->origin = cs_view_sub(url, 0, end);
    x->target = cs_view_from(url, end);
    if (scheme == SIZE_MAX || end == scheme + 3 || has_controls(url) ||
        cs_view_find_byte(x->origin, '@') != SIZE_MAX)
        return refuse(x, "not an address");
    return true;
}

/* Nothing is to be read before something was asked. TLS has records of its own, which
 * libcurl keeps to itself. */
static bool is_alive(struct cs_net_wire *wire)
{
    struct pollfd watched = {.fd = wire->fd, .events = POLLIN};
    char byte;
    size_t got;

    return poll(&watched, 1, 0) == 0 ||
           curl_easy_recv(wire->easy, &byte, 1, &got) == CURLE_AGAIN;
}

static long connect_limit_ms(const struct exchange *x)
{
    return x->request->connect_timeout_ms > 0 ? x->request->connect_timeout_ms
                                              : x->wire->options->connect_timeout_ms;
}

/* To where wire->origin says, within limit_ms. */
static CURLcode open_connection(struct cs_net_wire *wire, long limit_ms)
{
    CURL *easy = wire->easy;
    CURLcode result;

    if ((result = curl_easy_setopt(easy, CURLOPT_URL, cs_buf_cstr(&wire->origin))) !=
            CURLE_OK ||
        (result = curl_easy_setopt(easy, CURLOPT_PROXY, "")) != CURLE_OK ||
        (result = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, wire->text)) != CURLE_OK ||
        (result = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, limit_ms)) !=
            CURLE_OK ||
        (result = curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L)) != CURLE_OK ||
        (result = curl_easy_perform(easy)) != CURLE_OK)
        return result;
    return curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &wire->fd);
}

static bool connect_anew(struct exchange *x)
{
    struct cs_net_wire *wire = x->wire;
    long limit_ms = connect_limit_ms(x);
    int64_t left_ms = (x->request->deadline.at_us - x->started_us) / 1000;
    bool by_deadline = left_ms < limit_ms; /* the sooner of both */
    CURLcode result;

    hang_up(wire);
    if (left_ms <= 0)
        return fail(x, CS_NET_DEADLINE);
    cs_buf_add(&wire->origin, x->origin);
    wire->easy = cs_net_handle_new(wire->options, wire->share);
    if (wire->easy == NULL || cs_buf_check(&wire->origin, NULL) != CS_OK)
        return fail_here(x, CS_ENOMEM);
    result = open_connection(wire, by_deadline ? (long)left_ms : limit_ms);
    if (by_deadline && result == CURLE_OPERATION_TIMEDOUT)
        return fail(x, CS_NET_DEADLINE);
    if (result != CURLE_OK)
        return fail_as(x, result);
    x->connected = true;
    x->moved_us = cs_clock_monotonic_us(); /* until here a limit of its own held */
    x->response->connect_us = cs_net_handle_connect_us(wire->easy);
    return true;
}

static bool be_connected(struct exchange *x, bool fresh)
{
    if (!fresh && x->wire->easy != NULL &&
        cs_view_eq(cs_buf_view(&x->wire->origin), x->origin) && is_alive(x->wire))
        return true;
    return connect_anew(x);
}

/* ---- bytes ---- */

static bool wait_for(struct exchange *x, short events)
{
    struct pollfd watched = {.fd = x->wire->fd, .events = events};
    int idle_ms = x->request->idle_timeout_ms > 0 ? x->request->idle_timeout_ms
                                                  : x->wire->options->idle_timeout_ms;
    int64_t idle_at_us = x->moved_us + idle_ms * 1000ll;
    int64_t end_us = x->request->deadline.at_us;
    int ready;

    do {
        int64_t now_us = cs_clock_monotonic_us();
        int64_t left_us = (end_us < idle_at_us ? end_us : idle_at_us) - now_us;

        if (left_us <= 0)
            return fail(x, end_us <= now_us ? CS_NET_DEADLINE : CS_NET_IDLE);
        ready = poll(&watched, 1, (int)((left_us + 999) / 1000));
    } while (ready == 0 || (ready < 0 && errno == EINTR));
    return ready > 0 || fail(x, CS_NET_LOST);
}

/* For where bytes move on and on, and nothing is waited for. */
static bool is_in_time(struct exchange *x)
{
    return x->moved_us < x->request->deadline.at_us || fail(x, CS_NET_DEADLINE);
}

static bool take_bytes(struct exchange *x, struct cs_view bytes)
{
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc;

    x->moved_us = cs_clock_monotonic_us();
    if (!x->answered)
        x->response->first_byte_us = x->moved_us - x->started_us;
    x->answered = true;
    if ((rc = cs_net_answer_take(&x->answer, bytes, &err)) == CS_OK)
        return true;
    (void)snprintf(x->wire->text, sizeof(x->wire->text), "%.200s", err.text);
    return rc == CS_EUPSTREAM ? fail(x, CS_NET_LOST) : fail_here(x, rc);
}

/* Takes what is there; *result is CURLE_AGAIN where that was nothing. */
static bool receive(struct exchange *x, CURLcode *result)
{
    size_t got = 0;

    *result = curl_easy_recv(x->wire->easy, x->wire->in, sizeof(x->wire->in), &got);
    if (*result == CURLE_AGAIN)
        return true;
    if (*result != CURLE_OK)
        return fail_as(x, *result);
    /* libcurl does not tell an end that TLS announced from one that it did not: of an
     * answer without a length only its reader sees that it was cut. */
    if (got == 0)
        return cs_net_answer_ends(&x->answer) || fail(x, CS_NET_LOST);
    return take_bytes(x, cs_view_of(x->wire->in, got));
}

static bool receive_answer(struct exchange *x)
{
    CURLcode result = CURLE_AGAIN; /* it can't be there yet */

    while (x->answer.phase != CS_NET_ANSWER_WHOLE)
        if (!is_in_time(x) || (result == CURLE_AGAIN && !wait_for(x, POLLIN)) ||
            !receive(x, &result))
            return false;
    return true;
}

/* A server that takes no more may say why before it closes (RFC 9112 section 9.5): the
 * answer is looked for where sending stops, and then the rest is not sent. */
static bool send_bytes(struct exchange *x, struct cs_view bytes)
{
    while (bytes.len > 0 && !x->cut_short) {
        struct cs_view piece = cs_view_sub(bytes, 0, SENT_AT_ONCE);
        size_t sent = 0;
        CURLcode result = curl_easy_send(x->wire->easy, piece.ptr, piece.len, &sent);

        if (result == CURLE_AGAIN) {
            if (!wait_for(x, POLLIN | POLLOUT) || !receive(x, &result))
                return false;
            /* once it is whole nothing more is heard, whatever it says */
            x->cut_short =
                x->answer.status >= 300 || x->answer.phase == CS_NET_ANSWER_WHOLE;
            continue;
        }
        if (result != CURLE_OK && result != CURLE_SEND_ERROR)
            return fail_as(x, result);
        x->cut_short = result == CURLE_SEND_ERROR;
        bytes = cs_view_from(bytes, sent);
        x->moved_us = cs_clock_monotonic_us();
        if (!is_in_time(x))
            return false;
    }
    return true;
}

/* ---- the request ---- */

static bool has_header(const struct cs_net_request *request, struct cs_view name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (cs_view_eq_nocase(request->headers[i].name, name))
            return true;
    return false;
}

static void add_field(struct cs_buf *out, struct cs_view name, struct cs_view value)
{
    cs_buf_add(out, name);
    cs_buf_add(out, CS_LIT(": "));
    cs_buf_add(out, value);
    cs_buf_add(out, CS_LIT("\r\n"));
}

static bool write_request(struct exchange *x)
{
    const struct cs_net_request *request = x->request;
    struct cs_view host =
        cs_view_from(x->origin, cs_view_find(x->origin, CS_LIT("://")) + 3);
    struct cs_buf *out = &x->wire->out;
    enum cs_code rc;

    if (request->body.kind != CS_NET_BODY_NONE && request->body.kind != CS_NET_BODY_BYTES)
        return refuse(x, "a body that is not in memory");
    if (request->method != NULL && strcmp(request->method, "HEAD") == 0)
        return refuse(x, "a HEAD, whose answer has no body");
    cs_buf_reset(out);
    cs_buf_add_cstr(out, request->method != NULL ? request->method : "GET");
    cs_buf_add(out, cs_view_starts(x->target, CS_LIT("/")) ? CS_LIT(" ") : CS_LIT(" /"));
    cs_buf_add(out, x->target);
    cs_buf_add(out, CS_LIT(" HTTP/1.1\r\n"));
    if (!has_header(request, CS_LIT("host")))
        add_field(out, CS_LIT("Host"), host);
    add_field(out, CS_LIT("User-Agent"), cs_view_cstr(x->wire->options->user_agent));
    for (size_t i = 0; i < request->header_count; i++) {
        if (!cs_net_header_is_plain(&request->headers[i]))
            return refuse(x, "a header with a line break or NUL in it");
        add_field(out, request->headers[i].name, request->headers[i].value);
    }
    cs_buf_add(out, CS_LIT("Content-Length: "));
    cs_buf_add_u64(out, request->body.bytes.len);
    cs_buf_add(out, CS_LIT("\r\n\r\n"));
    if (request->body.bytes.len <= CLOSE_TO_HEAD)
        cs_buf_add(out, request->body.bytes);
    return (rc = cs_buf_check(out, NULL)) == CS_OK || fail_here(x, rc);
}

static bool send_request(struct exchange *x)
{
    struct cs_view body = x->request->body.bytes;

    if (!send_bytes(x, cs_buf_view(&x->wire->out)) ||
        (body.len > CLOSE_TO_HEAD && !send_bytes(x, body)))
        return false;
    x->response->bytes_sent = x->cut_short ? 0 : body.len;
    return true;
}

/* ---- */

static enum cs_code outcome(const struct exchange *x, struct cs_err *err)
{
    struct cs_net_response *response = x->response;

    response->fault = x->fault;
    response->reused = !x->connected;
    response->bytes_received = response->body.len;
    response->total_us = cs_clock_monotonic_us() - x->started_us;
    if (x->fault == CS_NET_OK) {
        response->status = x->answer.status;
        return CS_OK;
    }
    return cs_net_fault_report(
        &(struct cs_net_outcome){
            .fault = x->fault,
            .local = x->local,
            .url = x->request->url,
            .detail = x->wire->text,
            .slow = x->result == CURLE_OPERATION_TIMEDOUT,
        },
        err);
}

enum cs_code cs_net_wire_exchange(struct cs_net_wire *wire,
                                  const struct cs_net_request *request,
                                  struct cs_net_response *response, bool fresh,
                                  struct cs_net_wire_news *news, struct cs_err *err)
{
    struct exchange x = {.wire = wire, .request = request, .response = response};

    cs_net_response_empty(response);
    cs_net_answer_init(&x.answer, &response->head, &response->body);
    wire->text[0] = '\0';
    x.started_us = x.moved_us = cs_clock_monotonic_us();
    if (take_url_apart(&x) && write_request(&x) &&
        !(be_connected(&x, fresh) && send_request(&x) && receive_answer(&x) &&
          x.answer.persistent && !x.cut_short))
        hang_up(wire);
    *news = (struct cs_net_wire_news){
        .connected = x.connected,
        .died_idle = !x.connected && x.fault == CS_NET_LOST && !x.answered,
    };
    cs_net_answer_clear(&x.answer);
    return outcome(&x, err);
}
