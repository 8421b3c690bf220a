#include "config.h"

#include "http/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/write.h"

/* A handler that has more to say than this streams it. */
#define BODY_MAX (512u << 20)

/* All headers of an answer; a Location with a presigned URL takes 2 to 3 KiB. */
#define HEADERS_MAX (64u << 10)

/* Draining costs no memory, so time is its bound; the bytes only stop a peer
 * that sends faster than it should ever need to. */
#define DRAIN_MAX_BYTES (256ull << 20)
#define DRAIN_MAX_MS    1000

struct header {
    struct header *next;
    struct cs_view name;
    struct cs_view value;
    char bytes[]; /* name, value */
};

struct cs_response {
    struct cs_request *request;       /* borrowed */
    const struct cs_carrier *carrier; /* borrowed */
    int status;
    struct header *headers; /* in the order they were set */
    struct cs_buf body;
    enum cs_code failed; /* sticky: a header that could not be set, a broken connection */
    bool started;
    bool bodiless;    /* HEAD, 204 and 304 */
    uint64_t size;    /* announced */
    uint64_t written; /* of the announced */
    uint64_t sent;    /* body bytes that really went out */
};

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {422, "Unprocessable Content"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {507, "Insufficient Storage"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < CS_COUNT(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Other";
}

struct cs_response *cs_response_new(struct cs_request *request,
                                    const struct cs_carrier *carrier, struct cs_err *err)
{
    struct cs_response *response = calloc(1, sizeof(*response));

    if (response == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    response->request = request;
    response->carrier = carrier;
    response->status = 200;
    cs_buf_init(&response->body, BODY_MAX);
    cs_response_header(response, "X-Request-Id", cs_request_id(request));
    return response;
}

static void drop_headers(struct cs_response *response)
{
    struct header *next;

    for (struct header *h = response->headers; h != NULL; h = next) {
        next = h->next;
        free(h);
    }
    response->headers = NULL;
}

void cs_response_free(struct cs_response *response)
{
    if (response == NULL)
        return;
    drop_headers(response);
    cs_buf_clear(&response->body);
    free(response);
}

void cs_response_status(struct cs_response *response, int status)
{
    response->status = status;
}

int cs_response_get_status(const struct cs_response *response)
{
    return response->status;
}

struct cs_buf *cs_response_body(struct cs_response *response)
{
    return &response->body;
}

bool cs_response_started(const struct cs_response *response)
{
    return response->started;
}

uint64_t cs_response_bytes(const struct cs_response *response)
{
    return response->sent;
}

/* ---- headers ---- */

/* A `token` of RFC 9110 section 5.6.2, as far as our own names need it. */
static bool is_header_name(struct cs_view name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return name.len > 0;
}

/* The link that holds the header of this name, or the end of the list. */
static struct header **find_header(struct cs_response *response, struct cs_view name)
{
    struct header **link = &response->headers;

    while (*link != NULL && !cs_view_eq_nocase((*link)->name, name))
        link = &(*link)->next;
    return link;
}

static struct header *make_header(struct cs_view name, struct cs_view value)
{
    struct header *header = calloc(1, sizeof(*header) + name.len + value.len);

    if (header == NULL)
        return NULL;
    memcpy(header->bytes, name.ptr, name.len);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        header->bytes[name.len + i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    header->name = cs_view_of(header->bytes, name.len);
    header->value = cs_view_trim(cs_view_of(header->bytes + name.len, value.len));
    return header;
}

void cs_response_header(struct cs_response *response, const char *name,
                        struct cs_view value)
{
    struct cs_view view = cs_view_cstr(name);
    struct header *header = NULL, **link;

    if (response->failed != CS_OK)
        return;
    if (!is_header_name(view) || value.len > HEADERS_MAX) {
        response->failed = CS_EINTERNAL;
        return;
    }
    if ((header = make_header(view, value)) == NULL) {
        response->failed = CS_ENOMEM;
        return;
    }
    link = find_header(response, view);
    if (*link != NULL) {
        header->next = (*link)->next;
        free(*link);
    }
    *link = header;
}

void cs_response_header_fmt(struct cs_response *response, const char *name,
                            const char *format, ...)
{
    struct cs_buf value = CS_BUF_INIT(HEADERS_MAX);
    char *room = NULL;
    va_list args;
    int wanted;

    va_start(args, format);
    wanted = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (wanted >= 0 && (room = cs_buf_room(&value, (size_t)wanted)) != NULL) {
        va_start(args, format);
        wanted = vsnprintf(room, (size_t)wanted + 1, format, args);
        va_end(args);
    }
    if (room == NULL || wanted < 0) {
        response->failed = response->failed == CS_OK ? CS_ENOMEM : response->failed;
    } else {
        cs_buf_grew(&value, (size_t)wanted);
        cs_response_header(response, name, cs_buf_view(&value));
    }
    cs_buf_clear(&value);
}

/* ---- sending ---- */

static enum cs_code put(struct cs_response *response, struct cs_view bytes,
                        struct cs_err *err)
{
    if (bytes.len == 0 || response->carrier->write(response->carrier->payload, bytes))
        return CS_OK;
    response->failed = CS_EGONE;
    return cs_err_set(err, CS_EGONE, "the client has left before its answer was sent");
}

enum cs_code cs_response_start(struct cs_response *response, uint64_t size,
                               struct cs_err *err)
{
    struct cs_buf head = CS_BUF_INIT(2 * HEADERS_MAX);
    bool empty_status = response->status == 204 || response->status == 304;
    enum cs_code rc;

    if (response->started)
        return cs_err_set(err, CS_EINTERNAL, "the answer has begun already");
    if (response->failed != CS_OK)
        return cs_err_set(err, response->failed,
                          "a header of the answer could not be set");
    cs_buf_add(&head, CS_LIT("Status: "));
    cs_buf_add_u64(&head, (uint64_t)response->status);
    cs_buf_add_byte(&head, ' ');
    cs_buf_add_cstr(&head, reason_of(response->status));
    cs_buf_add(&head, CS_LIT("\r\n"));
    for (const struct header *h = response->headers; h != NULL; h = h->next) {
        cs_buf_add(&head, h->name);
        cs_buf_add(&head, CS_LIT(": "));
        cs_buf_add(&head, h->value);
        cs_buf_add(&head, CS_LIT("\r\n"));
    }
    if (!empty_status) { /* RFC 9110 section 8.6 */
        cs_buf_add(&head, CS_LIT("Content-Length: "));
        cs_buf_add_u64(&head, size);
        cs_buf_add(&head, CS_LIT("\r\n"));
    }
    cs_buf_add(&head, CS_LIT("\r\n"));
    if ((rc = cs_buf_check(&head, err)) == CS_OK) {
        response->started = true;
        response->size = size;
        response->bodiless =
            empty_status ||
            cs_view_eq(cs_request_method(response->request), CS_LIT("HEAD"));
        rc = put(response, cs_buf_view(&head), err);
    }
    cs_buf_clear(&head);
    return rc;
}

enum cs_code cs_response_write(struct cs_response *response, struct cs_view bytes,
                               struct cs_err *err)
{
    enum cs_code rc;

    if (!response->started)
        return cs_err_set(err, CS_EINTERNAL, "the answer has not begun yet");
    if (response->failed != CS_OK)
        return cs_err_set(err, response->failed, "the answer can't be sent any more");
    if (bytes.len > response->size - response->written) {
        response->failed = CS_EINTERNAL;
        return cs_err_set(err, CS_EINTERNAL, "the answer is longer than was announced");
    }
    response->written += bytes.len;
    if (response->bodiless)
        return CS_OK;
    if ((rc = put(response, bytes, err)) == CS_OK)
        response->sent += bytes.len;
    return rc;
}

void cs_response_problem(struct cs_response *response, int status, const char *title,
                         const char *code, const char *detail)
{
    struct cs_json_writer w;

    drop_headers(response);
    cs_buf_clear(&response->body);
    response->failed = CS_OK;
    response->status = status;
    cs_response_header(response, "X-Request-Id", cs_request_id(response->request));
    cs_response_header(response, "Content-Type", CS_LIT("application/problem+json"));
    cs_response_header(response, "Cache-Control", CS_LIT("no-store"));
    cs_json_writer_init(&w, &response->body);
    cs_json_object(&w);
    cs_json_member_cstr(&w, "type", "about:blank");
    cs_json_member_cstr(&w, "title", title);
    cs_json_member_u64(&w, "status", (uint64_t)status);
    cs_json_member_cstr(&w, "detail", detail);
    cs_json_member_cstr(&w, "code", code);
    cs_json_member_str(&w, "request_id", cs_request_id(response->request));
    cs_json_object_end(&w);
}

/* What is said when there is no memory left to say anything else. */
static enum cs_code send_last_resort(struct cs_response *response, struct cs_err *err)
{
    static const struct cs_view answer = CS_LIT_INIT(
        "Status: 500 Internal Server Error\r\n"
        "Content-Type: application/problem+json\r\n"
        "Cache-Control: no-store\r\n"
        "\r\n"
        "{\"type\":\"about:blank\",\"title\":\"Internal Server Error\",\"status\":500,"
        "\"detail\":\"The answer could not be made; please try again.\","
        "\"code\":\"internal\"}");

    response->status = 500;
    response->started = true;
    response->size = response->written = 0;
    response->failed = CS_OK;
    return put(response, answer, err);
}

static enum cs_code send_body(struct cs_response *response, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    if (cs_buf_check(&response->body, NULL) != CS_OK)
        return send_last_resort(response, err);
    rc = cs_response_start(response, response->body.len, NULL);
    if (rc != CS_OK && !response->started)
        return send_last_resort(response, err);
    if (rc != CS_OK)
        return cs_err_set(err, rc, "the client has left before its answer was sent");
    return cs_response_write(response, cs_buf_view(&response->body), err);
}

/* Mostly the body has been read to its end. Where it has not, the answer goes
 * out first: the web server may stop sending once it has it. */
static enum cs_code settle_request(struct cs_response *response, struct cs_err *err)
{
    const struct cs_carrier *carrier = response->carrier;

    if (cs_request_drain(response->request, DRAIN_MAX_BYTES, (struct cs_deadline){0}))
        return CS_OK;
    if (carrier->flush != NULL && !carrier->flush(carrier->payload))
        return cs_err_set(err, CS_EGONE,
                          "the client has left before its answer was sent");
    (void)cs_request_drain(response->request, DRAIN_MAX_BYTES,
                           cs_deadline_in_ms(DRAIN_MAX_MS));
    return CS_OK;
}

enum cs_code cs_response_finish(struct cs_response *response, struct cs_err *err)
{
    enum cs_code rc = response->failed;

    if (!response->started)
        rc = send_body(response, err);
    else if (rc != CS_OK)
        rc = cs_err_set(err, rc, "the answer broke off");
    else if (response->written < response->size && !response->bodiless)
        rc = cs_err_set(err, CS_EINTERNAL, "the answer is shorter than was announced");
    return rc == CS_OK ? settle_request(response, err) : rc;
}
