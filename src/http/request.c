#include "config.h"

#include "http/message.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/encoding.h"

#define RANDOM_ID_BYTES 16u
#define HEADER_NAME_MAX 128u
#define HOST_MAX        255u
#define READ_STEP       (64u << 10)

struct cs_request {
    char **envp;                      /* borrowed */
    const struct cs_carrier *carrier; /* borrowed */
    struct cs_view method;
    struct cs_view path;
    struct cs_view query;
    char id[CS_REQUEST_ID_SIZE];
    enum cs_code fault;
    int64_t content_length; /* -1: not announced */
    uint64_t body_read;
    bool body_ended;
    enum cs_code body_failed;
    int64_t received_us;
    struct cs_deadline deadline;
    struct cs_buf encoded_path; /* only where there is no REQUEST_URI */
};

/* ---- parameters ---- */

/* The value of the first parameter of this name, at or behind *envp_io, which
 * is moved behind it. */
static struct cs_view next_param(char ***envp_io, struct cs_view name)
{
    for (char **p = *envp_io; *p != NULL; p++) {
        if ((*p)[0] != name.ptr[0] || strncmp(*p, name.ptr, name.len) != 0 ||
            (*p)[name.len] != '=')
            continue;
        *envp_io = p + 1;
        return cs_view_cstr(*p + name.len + 1);
    }
    return (struct cs_view){NULL, 0};
}

static struct cs_view find_param(const struct cs_request *request, const char *name)
{
    char **envp = request->envp;

    return next_param(&envp, cs_view_cstr(name));
}

struct cs_view cs_request_param(const struct cs_request *request, const char *name)
{
    struct cs_view view = cs_view_cstr(name);

    if (cs_view_starts(view, CS_LIT("HTTP_")) ||
        cs_view_starts(view, CS_LIT("REDIRECT_")))
        return (struct cs_view){NULL, 0};
    return find_param(request, name);
}

/* "If-None-Match" as CGI spells it (RFC 3875 section 4.1.18): HTTP_IF_NONE_MATCH.
 * The two headers that describe the body have names of their own. */
static struct cs_view param_name(char out[HEADER_NAME_MAX], struct cs_view header)
{
    static const char prefix[] = "HTTP_";
    size_t used = 0;

    if (!cs_view_eq_nocase(header, CS_LIT("Content-Type")) &&
        !cs_view_eq_nocase(header, CS_LIT("Content-Length"))) {
        memcpy(out, prefix, sizeof(prefix) - 1);
        used = sizeof(prefix) - 1;
    }
    if (header.len > HEADER_NAME_MAX - used)
        return (struct cs_view){NULL, 0};
    for (size_t i = 0; i < header.len; i++) {
        char c = header.ptr[i];

        out[used++] = c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return cs_view_of(out, used);
}

struct cs_view cs_request_header(const struct cs_request *request, const char *name)
{
    char spelled[HEADER_NAME_MAX];
    struct cs_view param = param_name(spelled, cs_view_cstr(name));
    struct cs_view value;
    char **envp = request->envp;

    if (param.ptr == NULL)
        return (struct cs_view){NULL, 0};
    value = next_param(&envp, param);
    if (!cs_view_eq(param, CS_LIT("HTTP_AUTHORIZATION")))
        return value;
    if (value.len == 0)
        value = find_param(request, "REDIRECT_HTTP_AUTHORIZATION");
    return value.len == 0 ? (struct cs_view){NULL, 0} : value;
}

bool cs_request_header_repeated(const struct cs_request *request, const char *name)
{
    char spelled[HEADER_NAME_MAX];
    struct cs_view param = param_name(spelled, cs_view_cstr(name));
    char **envp = request->envp;

    return param.ptr != NULL && next_param(&envp, param).ptr != NULL &&
           next_param(&envp, param).ptr != NULL;
}

/* ---- address ---- */

/* RFC 9112 section 3.2.2: a server must take the absolute form as well. */
static struct cs_view skip_authority(struct cs_view uri)
{
    static const struct cs_view schemes[] = {CS_LIT_INIT("http://"),
                                             CS_LIT_INIT("https://")};

    for (size_t i = 0; i < CS_COUNT(schemes); i++) {
        struct cs_view rest;
        size_t slash;

        if (!cs_view_eq_nocase(cs_view_sub(uri, 0, schemes[i].len), schemes[i]))
            continue;
        rest = cs_view_from(uri, schemes[i].len);
        slash = cs_view_find_byte(rest, '/');
        return slash == SIZE_MAX ? CS_LIT("/") : cs_view_from(rest, slash);
    }
    return uri;
}

static enum cs_code read_address(struct cs_request *request, struct cs_err *err)
{
    struct cs_view uri = find_param(request, "REQUEST_URI");
    size_t mark;

    if (uri.len > 0) {
        uri = skip_authority(uri);
        mark = cs_view_find_byte(uri, '?');
        request->path = cs_view_sub(uri, 0, mark);
        request->query = mark == SIZE_MAX ? CS_LIT("") : cs_view_from(uri, mark + 1);
        return CS_OK;
    }
    cs_percent_encode(&request->encoded_path, find_param(request, "SCRIPT_NAME"), true);
    cs_percent_encode(&request->encoded_path, find_param(request, "PATH_INFO"), true);
    request->path = cs_buf_view(&request->encoded_path);
    request->query = find_param(request, "QUERY_STRING");
    if (request->query.ptr == NULL)
        request->query = CS_LIT("");
    return cs_buf_check(&request->encoded_path, err);
}

static bool is_id_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '_' || c == '-';
}

static bool take_id(char out[CS_REQUEST_ID_SIZE], char **envp, struct cs_view param)
{
    struct cs_view given = next_param(&envp, param);

    if (given.len == 0 || given.len >= CS_REQUEST_ID_SIZE)
        return false;
    for (size_t i = 0; i < given.len; i++)
        if (!is_id_byte(given.ptr[i]))
            return false;
    memcpy(out, given.ptr, given.len);
    out[given.len] = '\0';
    return true;
}

enum cs_code cs_request_choose_id(char out[CS_REQUEST_ID_SIZE], char **envp,
                                  struct cs_err *err)
{
    uint8_t random[RANDOM_ID_BYTES];
    enum cs_code rc;

    out[0] = '\0';
    if (take_id(out, envp, CS_LIT("HTTP_X_REQUEST_ID")) ||
        take_id(out, envp, CS_LIT("REQUEST_ID")))
        return CS_OK;
    if ((rc = cs_random_bytes(random, sizeof(random), err)) == CS_OK)
        cs_hex_encode(out, random, sizeof(random));
    return rc;
}

/* What the client announced, where the web server tells it beside the length of
 * what it hands on: mod_fcgid makes an empty body of one that Apache cut off. */
static bool is_cut_off(const struct cs_request *request, uint64_t length)
{
    struct cs_view text = find_param(request, "ANNOUNCED_LENGTH");
    uint64_t announced;

    if (text.len == 0)
        text = find_param(request, "REDIRECT_ANNOUNCED_LENGTH");
    return text.len > 0 && (!cs_view_to_u64(text, &announced) || announced != length);
}

static enum cs_code read_length(struct cs_request *request)
{
    struct cs_view text = find_param(request, "CONTENT_LENGTH");
    uint64_t length = 0;

    request->content_length = -1;
    if (text.len == 0)
        return is_cut_off(request, 0) ? CS_ESHORT : CS_OK;
    if (!cs_view_to_u64(text, &length) || length > INT64_MAX)
        return CS_EINVAL;
    request->content_length = (int64_t)length;
    return is_cut_off(request, length) ? CS_ESHORT : CS_OK;
}

/* A web server that hands requests on one at a time lets them wait, and clients
 * give up. A body may have taken its time to come in, so it is no sign. */
static bool has_waited(const struct cs_request *request, int64_t max_ms)
{
    struct cs_view start = cs_request_header(request, "X-Request-Start");
    uint64_t start_us;

    return max_ms > 0 && request->content_length <= 0 &&
           cs_view_starts(start, CS_LIT("t=")) &&
           cs_view_to_u64(cs_view_from(start, 2), &start_us) && start_us <= INT64_MAX &&
           request->received_us - (int64_t)start_us > max_ms * 1000;
}

static enum cs_code check_size(char *const *envp, size_t max)
{
    size_t total = 0;

    for (; *envp != NULL; envp++)
        if ((total += strlen(*envp) + 1) > max)
            return CS_ETOOBIG;
    return CS_OK;
}

struct cs_request *cs_request_new(char **envp, const struct cs_carrier *carrier,
                                  const struct cs_message_limits *limits,
                                  struct cs_err *err)
{
    struct cs_request *request = calloc(1, sizeof(*request));

    if (request == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    request->content_length = -1;
    request->envp = envp;
    request->carrier = carrier;
    request->received_us = cs_clock_now_us();
    request->deadline = cs_deadline_in_ms(limits->budget_ms);
    request->method = find_param(request, "REQUEST_METHOD");
    request->fault = check_size(envp, limits->params_max_bytes);
    if (request->fault == CS_OK)
        request->fault = request->method.len > 0 ? read_length(request) : CS_EINVAL;
    if (request->fault == CS_OK && has_waited(request, limits->queued_max_ms))
        request->fault = CS_EBUSY;
    cs_buf_init(&request->encoded_path, SIZE_MAX - 1);
    if (read_address(request, err) != CS_OK ||
        cs_request_choose_id(request->id, envp, err) != CS_OK) {
        cs_request_free(request);
        return NULL;
    }
    return request;
}

enum cs_code cs_request_fault(const struct cs_request *request)
{
    return request->fault;
}

void cs_request_free(struct cs_request *request)
{
    if (request == NULL)
        return;
    cs_buf_clear(&request->encoded_path);
    free(request);
}

struct cs_view cs_request_method(const struct cs_request *request)
{
    return request->method;
}

struct cs_view cs_request_path(const struct cs_request *request)
{
    return request->path;
}

struct cs_view cs_request_query(const struct cs_request *request)
{
    return request->query;
}

struct cs_view cs_request_id(const struct cs_request *request)
{
    return cs_view_cstr(request->id);
}

int64_t cs_request_content_length(const struct cs_request *request)
{
    return request->content_length;
}

int64_t cs_request_received_us(const struct cs_request *request)
{
    return request->received_us;
}

struct cs_deadline cs_request_deadline(const struct cs_request *request)
{
    return request->deadline;
}

enum cs_code cs_request_query_value(const struct cs_request *request, const char *name,
                                    struct cs_buf *out, struct cs_err *err)
{
    struct cs_view rest = request->query, pair;
    struct cs_buf key = CS_BUF_INIT(request->query.len + 1);
    bool found = false;
    enum cs_code rc = CS_OK;

    while (rc == CS_OK && cs_view_split(&rest, '&', &pair)) {
        size_t equals = cs_view_find_byte(pair, '=');

        cs_buf_reset(&key);
        if ((rc = cs_percent_decode(&key, cs_view_sub(pair, 0, equals), true, err)) !=
            CS_OK)
            break;
        if (!cs_view_eq_cstr(cs_buf_view(&key), name))
            continue;
        if (found)
            rc =
                cs_err_field(err, CS_EINVAL, name, "query_repeated",
                             "the query parameter %s is given twice: give it once", name);
        else if (equals != SIZE_MAX)
            rc = cs_percent_decode(out, cs_view_from(pair, equals + 1), true, err);
        found = true;
    }
    cs_buf_clear(&key);
    if (rc == CS_EINVAL) /* a no-op where the sentence is set already */
        rc = cs_err_field(err, rc, name, "query_malformed",
                          "the query string is not correctly percent-encoded");
    if (rc != CS_OK)
        return rc;
    return found ? cs_buf_check(out, err) : CS_ENOTFOUND;
}

static bool is_host_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '-' || c == ':' || c == '[' || c == ']' || c == '_';
}

/* What ends up in links must be a host and a port, nothing more. */
static bool is_host(struct cs_view host)
{
    if (host.len == 0 || host.len > HOST_MAX)
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (!is_host_byte(host.ptr[i]))
            return false;
    return true;
}

enum cs_code cs_request_origin(const struct cs_request *request, struct cs_buf *out,
                               struct cs_err *err)
{
    struct cs_view https = find_param(request, "HTTPS");
    bool secure =
        (https.len > 0 && !cs_view_eq_nocase(https, CS_LIT("off"))) ||
        cs_view_eq_nocase(find_param(request, "REQUEST_SCHEME"), CS_LIT("https"));
    struct cs_view host = cs_request_header(request, "Host");
    struct cs_view name = find_param(request, "SERVER_NAME");
    struct cs_view port = find_param(request, "SERVER_PORT");
    uint64_t number = 0;

    if (!is_host(host) && !is_host(name))
        return cs_err_field(err, CS_EINVAL, "Host", "host_invalid",
                            "the Host header is missing or is not a host name");
    cs_buf_add_cstr(out, secure ? "https://" : "http://");
    cs_buf_add(out, is_host(host) ? host : name);
    if (!is_host(host) && cs_view_to_u64(port, &number) &&
        number != (secure ? 443u : 80u))
        cs_buf_add_fmt(out, ":%llu", (unsigned long long)number);
    return cs_buf_check(out, err);
}

/* ---- body ---- */

static enum cs_code body_fault(struct cs_request *request, enum cs_code code,
                               struct cs_err *err)
{
    request->body_failed = code;
    if (code == CS_ETIMEOUT)
        return cs_err_field(err, code, "", "request_timeout",
                            "the body did not arrive in time: send it again, in smaller "
                            "parts on a slow line");
    return cs_err_field(err, code, "Content-Length", "short_body",
                        "the body ended after %llu bytes, before its announced end",
                        (unsigned long long)request->body_read);
}

enum cs_code cs_request_read(struct cs_request *request, char *to, size_t room,
                             size_t *got_out, struct cs_err *err)
{
    ssize_t got;

    *got_out = 0;
    if (request->body_failed != CS_OK)
        return body_fault(request, request->body_failed, err);
    if (request->content_length >= 0) {
        uint64_t left = (uint64_t)request->content_length - request->body_read;

        room = left < room ? (size_t)left : room;
    }
    if (request->body_ended || room == 0)
        return CS_OK;
    if (room > SSIZE_MAX)
        room = SSIZE_MAX;
    got = request->carrier->read(request->carrier->payload, to, room);
    if (got < 0)
        return body_fault(request, errno == ETIMEDOUT ? CS_ETIMEOUT : CS_ESHORT, err);
    if (got == 0) {
        request->body_ended = true;
        return request->content_length < 0 ? CS_OK : body_fault(request, CS_ESHORT, err);
    }
    request->body_read += (uint64_t)got;
    *got_out = (size_t)got;
    return CS_OK;
}

static enum cs_code body_too_big(size_t max, struct cs_err *err)
{
    return cs_err_field(err, CS_ETOOBIG, "Content-Length", "body_too_large",
                        "the body is larger than the %zu bytes that this route takes; "
                        "GET /api/v1/limits tells how to upload in parts",
                        max);
}

/* Whether the body has ended: at max bytes, one more tells a body of exactly
 * that size from a longer one. */
static enum cs_code expect_end(struct cs_request *request, size_t max, struct cs_err *err)
{
    char extra;
    size_t got = 0;
    enum cs_code rc = cs_request_read(request, &extra, 1, &got, err);

    return rc == CS_OK && got > 0 ? body_too_big(max, err) : rc;
}

enum cs_code cs_request_read_all(struct cs_request *request, size_t max,
                                 struct cs_buf *out, struct cs_err *err)
{
    size_t total = 0, got = 0;
    enum cs_code rc;

    if (request->content_length >= 0) {
        if ((uint64_t)request->content_length > max)
            return body_too_big(max, err);
        max = (size_t)request->content_length;
        cs_buf_reserve(out, max);
    }
    while (total < max) {
        size_t room = max - total < READ_STEP ? max - total : READ_STEP;
        char *to = cs_buf_room(out, room);

        if (to == NULL)
            return cs_buf_check(out, err);
        if ((rc = cs_request_read(request, to, room, &got, err)) != CS_OK || got == 0)
            return rc;
        cs_buf_grew(out, got);
        total += got;
    }
    return expect_end(request, max, err);
}

bool cs_request_drain(struct cs_request *request, uint64_t max,
                      struct cs_deadline deadline)
{
    char block[4096];
    const struct cs_carrier *carrier = request->carrier;
    ssize_t got = 1;

    if (request->body_failed != CS_OK || request->body_ended)
        return request->body_ended;
    for (uint64_t total = 0; total < max && got > 0; total += (uint64_t)got) {
        if (carrier->ready != NULL && !carrier->ready(carrier->payload, deadline))
            return false;
        got = carrier->read(carrier->payload, block, sizeof(block));
    }
    request->body_ended = got == 0;
    return request->body_ended;
}
