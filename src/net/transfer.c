#include "config.h"

#include "net/transfer.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/fault.h"
#include "net/handle.h"
#include "net/response.h"

#define KEPT_MAX       (1u << 20) /* far above the 16 KiB that curl hands out at once */
#define URL_MAX        (1u << 20)
#define WATCH_EVERY_US 20000 /* the idle limits are of seconds */

static size_t on_header(char *bytes, size_t size, size_t count, void *payload)
{
    struct cs_net_transfer *t = payload;
    struct cs_view line = cs_view_of(bytes, size * count);

    t->answered = true;
    /* A new status line: what came before was 1xx. */
    if (cs_view_starts(line, CS_LIT("HTTP/")))
        cs_buf_reset(&t->response->head);
    if (cs_net_header_starts_blank(line))
        cs_net_header_unfold(t->response->head.ptr, t->response->head.len);
    cs_buf_add(&t->response->head, line);
    t->local = cs_buf_check(&t->response->head, NULL);
    return t->local == CS_OK ? line.len : 0;
}

/* One piece is kept; the next one waits in curl until that one was read. */
static size_t hold(struct cs_net_transfer *t, struct cs_view piece)
{
    t->state = CS_NET_HEADED;
    if (t->kept_at < t->kept.len) {
        t->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    cs_buf_reset(&t->kept);
    t->kept_at = 0;
    cs_buf_add(&t->kept, piece);
    t->local = cs_buf_check(&t->kept, NULL);
    return t->local == CS_OK ? piece.len : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *payload)
{
    struct cs_net_transfer *t = payload;
    struct cs_view piece = cs_view_of(bytes, size * count);
    bool good = cs_net_handle_count(t->easy, CURLINFO_RESPONSE_CODE) / 100 == 2;

    t->answered = true;
    if (good && t->response->hold)
        return hold(t, piece);
    if (good && t->response->sink != NULL) {
        t->local = t->response->sink(t->response->sink_payload, piece);
    } else {
        cs_buf_add(&t->response->body, piece);
        t->local = cs_buf_check(&t->response->body, NULL);
    }
    return t->local == CS_OK ? piece.len : 0;
}

static enum cs_code read_file(const struct cs_net_body *body, uint64_t at, char *to,
                              size_t room, size_t *got_out)
{
    ssize_t got = pread(body->fd, to, room, (off_t)(body->offset + at));

    *got_out = got > 0 ? (size_t)got : 0;
    return got > 0 ? CS_OK : CS_EIO; /* a file that ends early is a fault as well */
}

static size_t on_read(char *to, size_t size, size_t count, void *payload)
{
    struct cs_net_transfer *t = payload;
    const struct cs_net_body *body = &t->request->body;
    size_t room = size * count;
    size_t got = 0;

    if (room > body->size - t->body_at)
        room = (size_t)(body->size - t->body_at);
    if (room == 0)
        return 0;
    if (body->kind == CS_NET_BODY_FILE)
        t->local = read_file(body, t->body_at, to, room, &got);
    else
        t->local = body->read(body->payload, to, room, &got);
    if (t->local == CS_OK && got == 0)
        t->local = CS_ESHORT;
    if (t->local != CS_OK)
        return CURL_READFUNC_ABORT;
    t->body_at += got;
    return got;
}

static int on_seek(void *payload, curl_off_t offset, int origin)
{
    struct cs_net_transfer *t = payload;
    const struct cs_net_body *body = &t->request->body;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > body->size)
        return CURL_SEEKFUNC_FAIL;
    if (body->kind == CS_NET_BODY_STREAM) {
        if (offset != 0)
            return CURL_SEEKFUNC_CANTSEEK;
        t->local = body->rewind(body->payload);
        if (t->local != CS_OK)
            return CURL_SEEKFUNC_FAIL;
    }
    t->body_at = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static bool set_text(CURL *easy, CURLoption option, const char *text)
{
    return curl_easy_setopt(easy, option, text) == CURLE_OK;
}

static bool set_long(CURL *easy, CURLoption option, long value)
{
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

static bool set_callbacks(struct cs_net_transfer *t)
{
    CURL *easy = t->easy;

    return curl_easy_setopt(easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CURLU, t->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->text) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, t) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_READDATA, t) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SEEKDATA, t) == CURLE_OK;
}

struct cs_net_transfer *cs_net_transfer_new(struct cs_net_client *client,
                                            const struct cs_net_options *options,
                                            CURLSH *share)
{
    struct cs_net_transfer *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->client = client;
    cs_buf_init(&t->field_text, CS_NET_HEAD_MAX);
    cs_buf_init(&t->kept, KEPT_MAX);
    cs_buf_init(&t->url_text, URL_MAX);
    t->easy = cs_net_handle_new(options, share);
    t->url = curl_url();
    if (t->easy == NULL || t->url == NULL || !set_callbacks(t)) {
        cs_net_transfer_free(t);
        return NULL;
    }
    return t;
}

void cs_net_transfer_free(struct cs_net_transfer *t)
{
    if (t == NULL)
        return;
    curl_easy_cleanup(t->easy);
    curl_url_cleanup(t->url);
    cs_buf_wipe(&t->url_text); /* presigned ones carry a signature */
    free(t->fields);
    cs_buf_wipe(&t->field_text); /* it held the Authorization header */
    cs_buf_clear(&t->kept);
    free(t);
}

/* "Name: value", and "Name;" for an empty value, which is how curl is told to
 * send one instead of dropping the header. */
static void add_field(struct cs_buf *text, const struct cs_net_header *header)
{
    cs_buf_add(text, header->name);
    cs_buf_add(text, header->value.len > 0 ? CS_LIT(": ") : CS_LIT(";"));
    cs_buf_add(text, header->value);
    cs_buf_add_byte(text, '\0');
}

static void add_line(struct cs_buf *text, struct cs_view line)
{
    cs_buf_add(text, line);
    cs_buf_add_byte(text, '\0');
}

static enum cs_code make_room(struct cs_net_transfer *t, size_t count, struct cs_err *err)
{
    struct curl_slist *grown;

    if (count <= t->field_room)
        return CS_OK;
    grown = reallocarray(t->fields, count, sizeof(*grown));
    if (grown == NULL)
        return cs_err_nomem(err);
    t->fields = grown;
    t->field_room = count;
    return CS_OK;
}

static enum cs_code fill_fields(struct cs_net_transfer *t, struct cs_err *err)
{
    const struct cs_net_request *request = t->request;
    size_t count = request->header_count;
    bool typed = false;
    enum cs_code rc;
    char *at;

    if ((rc = make_room(t, count + 2, err)) != CS_OK)
        return rc;
    cs_buf_reset(&t->field_text);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct cs_net_header *header = &request->headers[i];

        if (!cs_net_header_is_plain(header))
            return cs_err_set(err, CS_EINVAL, "a header with a line break or NUL in it");
        typed = typed || cs_view_eq_nocase(header->name, CS_LIT("content-type"));
        add_field(&t->field_text, header);
    }
    /* Curl's own wish to send these is switched off by a line without a value. */
    add_line(&t->field_text, CS_LIT("Expect:"));
    count++;
    if (!typed) {
        add_line(&t->field_text, CS_LIT("Content-Type:"));
        count++;
    }
    if ((rc = cs_buf_check(&t->field_text, err)) != CS_OK)
        return rc;
    at = t->field_text.ptr;
    for (size_t i = 0; i < count; i++) {
        t->fields[i].data = at;
        t->fields[i].next = i + 1 < count ? &t->fields[i + 1] : NULL;
        at += strlen(at) + 1;
    }
    return curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->fields) == CURLE_OK
               ? CS_OK
               : cs_err_nomem(err);
}

/* curl would take the same address apart again at each exchange. */
static enum cs_code set_url(struct cs_net_transfer *t, const char *url,
                            struct cs_err *err)
{
    struct cs_view text = cs_view_of(url, strlen(url) + 1);
    CURLUcode code;

    if (cs_view_eq(cs_buf_view(&t->url_text), text))
        return CS_OK;
    cs_buf_wipe(&t->url_text);
    code = curl_url_set(t->url, CURLUPART_URL, url,
                        CURLU_PATH_AS_IS | CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_OUT_OF_MEMORY)
        return cs_err_nomem(err);
    if (code != CURLUE_OK)
        return cs_err_set(err, CS_EINVAL, "not an address: %s", curl_url_strerror(code));
    cs_buf_add(&t->url_text, text);
    return cs_buf_check(&t->url_text, err);
}

static bool set_bytes(CURL *easy, struct cs_view bytes)
{
    return set_long(easy, CURLOPT_POST, 1) &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, bytes.len > 0 ? bytes.ptr : "") ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)bytes.len) ==
               CURLE_OK;
}

static bool set_method(struct cs_net_transfer *t)
{
    const struct cs_net_request *request = t->request;
    const struct cs_net_body *body = &request->body;
    const char *method = request->method != NULL ? request->method : "GET";
    bool post = body->kind == CS_NET_BODY_BYTES && strcmp(method, "POST") == 0;
    CURL *easy = t->easy;

    /* Each option costs a copy or a look-up; most calls are of one shape. */
    if (post && t->set.shape == CS_NET_SHAPE_POST)
        return set_bytes(easy, body->bytes);
    t->set.shape = post ? CS_NET_SHAPE_POST : CS_NET_SHAPE_OTHER;

    /* Back to a plain GET first, whatever the handle did before. Fields left over from
     * a POST would keep libcurl from going back in the body of a later PUT. */
    if (curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL) != CURLE_OK ||
        !set_long(easy, CURLOPT_NOBODY, 0) || !set_long(easy, CURLOPT_UPLOAD, 0) ||
        !set_long(easy, CURLOPT_HTTPGET, 1) ||
        !set_text(easy, CURLOPT_CUSTOMREQUEST, NULL))
        return false;
    if (strcmp(method, "HEAD") == 0)
        return set_long(easy, CURLOPT_NOBODY, 1);
    if (body->kind == CS_NET_BODY_FILE || body->kind == CS_NET_BODY_STREAM) {
        if (!set_long(easy, CURLOPT_UPLOAD, 1) ||
            curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body->size) !=
                CURLE_OK)
            return false;
    } else if (body->kind == CS_NET_BODY_BYTES || strcmp(method, "PUT") == 0 ||
               strcmp(method, "POST") == 0) {
        /* PUT and POST say Content-Length: 0 where they have no body. */
        if (!set_bytes(easy, body->kind == CS_NET_BODY_BYTES ? body->bytes : CS_LIT("")))
            return false;
    }
    return post || strcmp(method, "GET") == 0 ||
           set_text(easy, CURLOPT_CUSTOMREQUEST, method);
}

static bool set_connection(struct cs_net_transfer *t, const char *no_proxy,
                           long connect_ms, bool fresh)
{
    CURL *easy = t->easy;

    if ((t->set.no_proxy != no_proxy && !set_text(easy, CURLOPT_NOPROXY, no_proxy)) ||
        (t->set.connect_ms != connect_ms &&
         !set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms)) ||
        (t->set.fresh != fresh && !set_long(easy, CURLOPT_FRESH_CONNECT, fresh ? 1 : 0)))
        return false;
    t->set.no_proxy = no_proxy; /* a literal, or the client's: it stays where it is */
    t->set.connect_ms = connect_ms;
    t->set.fresh = fresh;
    return true;
}

static void clear_marks(struct cs_net_transfer *t)
{
    t->result = CURLE_OK;
    t->body_at = 0;
    t->answered = false;
    t->paused = false;
    t->fault = CS_NET_OK;
    t->local = CS_OK;
    t->kept_at = 0;
    t->text[0] = '\0';
    t->started_us = cs_clock_monotonic_us();
    t->moved_us = t->started_us;
    t->watched_us = t->started_us;
    t->moved_bytes = 0;
    t->waited_us = 0;
    cs_buf_reset(&t->kept);
}

enum cs_code cs_net_transfer_ready(struct cs_net_transfer *t,
                                   const struct cs_net_request *request,
                                   struct cs_net_response *response,
                                   const struct cs_net_options *options, bool fresh,
                                   struct cs_err *err)
{
    int connect_ms = request->connect_timeout_ms > 0 ? request->connect_timeout_ms
                                                     : options->connect_timeout_ms;
    const char *no_proxy = request->direct             ? "*"
                           : options->no_proxy != NULL ? options->no_proxy
                                                       : "";
    enum cs_code rc;

    t->request = request;
    t->response = response;
    t->idle_ms = request->idle_timeout_ms > 0 ? request->idle_timeout_ms
                                              : options->idle_timeout_ms;
    clear_marks(t);
    cs_net_response_empty(response);
    if (request->body.kind != CS_NET_BODY_BYTES && request->body.size > INT64_MAX)
        return cs_err_set(err, CS_ETOOBIG,
                          "a request body of more bytes than can be counted");
    if (request->body.kind == CS_NET_BODY_STREAM &&
        (rc = request->body.rewind(request->body.payload)) != CS_OK)
        return cs_err_set(err, rc, "the request body can't be read from its start");
    if ((rc = fill_fields(t, err)) != CS_OK ||
        (rc = set_url(t, request->url, err)) != CS_OK)
        return rc;
    if (!set_method(t) || !set_connection(t, no_proxy, connect_ms, fresh))
        return cs_err_set(err, CS_EINTERNAL, "libcurl refused an option of the request");
    t->state = CS_NET_RUNNING;
    return CS_OK;
}

void cs_net_transfer_watch(struct cs_net_transfer *t, int64_t now_us)
{
    int64_t bytes;

    if (t->state == CS_NET_DONE || t->fault != CS_NET_OK)
        return;
    if (t->state == CS_NET_RUNNING && t->request->deadline.at_us <= now_us) {
        t->fault = CS_NET_DEADLINE;
        return;
    }
    if (now_us - t->watched_us < WATCH_EVERY_US)
        return;
    t->watched_us = now_us;
    bytes = cs_net_handle_number(t->easy, CURLINFO_SIZE_UPLOAD_T) +
            cs_net_handle_number(t->easy, CURLINFO_SIZE_DOWNLOAD_T) +
            (int64_t)t->response->head.len;
    /* Until the connection stands its own limit holds. */
    if (bytes != t->moved_bytes ||
        cs_net_handle_number(t->easy, CURLINFO_PRETRANSFER_TIME_T) == 0) {
        t->moved_bytes = bytes;
        t->moved_us = now_us;
    } else if (now_us - t->moved_us > t->idle_ms * 1000ll) {
        t->fault = CS_NET_IDLE;
    }
}

bool cs_net_transfer_died_idle(const struct cs_net_transfer *t)
{
    switch (t->result) {
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_FAIL_REWIND:
        break;
    default:
        return false;
    }
    return t->fault == CS_NET_OK && t->local == CS_OK && !t->answered &&
           cs_net_handle_count(t->easy, CURLINFO_NUM_CONNECTS) == 0;
}

static enum cs_net_fault fault_of(const struct cs_net_transfer *t)
{
    if (t->local != CS_OK)
        return CS_NET_LOCAL;
    return t->fault != CS_NET_OK ? t->fault : cs_net_fault_of(t->result);
}

static enum cs_code local_code(const struct cs_net_transfer *t)
{
    if (t->local != CS_OK)
        return t->local;
    return t->result == CURLE_OUT_OF_MEMORY ? CS_ENOMEM : CS_EINVAL;
}

enum cs_code cs_net_transfer_outcome(struct cs_net_transfer *t, struct cs_err *err)
{
    struct cs_net_response *response = t->response;
    enum cs_net_fault fault = fault_of(t);

    response->fault = fault;
    response->reused = cs_net_handle_count(t->easy, CURLINFO_NUM_CONNECTS) == 0;
    response->bytes_sent =
        (uint64_t)cs_net_handle_number(t->easy, CURLINFO_SIZE_UPLOAD_T);
    response->bytes_received =
        (uint64_t)cs_net_handle_number(t->easy, CURLINFO_SIZE_DOWNLOAD_T);
    response->first_byte_us =
        cs_net_handle_number(t->easy, CURLINFO_STARTTRANSFER_TIME_T);
    response->total_us = cs_clock_monotonic_us() - t->started_us;
    if (!response->reused)
        response->connect_us = cs_net_handle_connect_us(t->easy);
    if (fault != CS_NET_OK)
        return cs_net_fault_report(
            &(struct cs_net_outcome){
                .fault = fault,
                .local = local_code(t),
                .url = t->request != NULL ? t->request->url : NULL,
                .detail = t->text,
                .slow = t->result == CURLE_OPERATION_TIMEDOUT,
            },
            err);
    response->status = (int)cs_net_handle_count(t->easy, CURLINFO_RESPONSE_CODE);
    return CS_OK;
}
