#include "config.h"

#include "api/problem.h"

#include <stdio.h>

#include "json/write.h"

static const struct {
    int status;
    const char *title;
    const char
        *generic; /* said in place of an inner cause; NULL: the cause is for the client */
} answers[CS_CODE_COUNT] = {
    [CS_OK] = {500, "Internal Server Error", "the service failed to say why"},
    [CS_EINVAL] = {400, "Bad Request", NULL},
    [CS_ENOTFOUND] = {404, "Not Found", NULL},
    [CS_EEXISTS] = {409, "Conflict", NULL},
    [CS_ECONFLICT] = {409, "Conflict", NULL},
    [CS_ETOOBIG] = {413, "Content Too Large", NULL},
    [CS_EUNAUTH] = {401, "Unauthorized", NULL},
    [CS_EDENIED] = {403, "Forbidden", NULL},
    [CS_ESHORT] = {400, "Bad Request", NULL},
    [CS_EGONE] = {400, "Bad Request", NULL},
    [CS_ERENDER] = {422, "Unprocessable Content", NULL},
    [CS_ERANGE] = {416, "Range Not Satisfiable", NULL},
    [CS_EUNSUPPORTED] = {415, "Unsupported Media Type", NULL},
    [CS_EBUSY] = {503, "Service Unavailable", NULL},
    [CS_ETIMEOUT] = {504, "Gateway Timeout",
                     "the store did not answer within the request's time; try again"},
    [CS_EUPSTREAM] = {502, "Bad Gateway", NULL},
    [CS_EIO] =
        {500, "Internal Server Error",
         "the store of this machine failed; its administrator finds the cause in the "
         "log under the request id"},
    [CS_ENOMEM] = {503, "Service Unavailable",
                   "the service is short of memory; try again in a moment"},
    [CS_ECRYPTO] = {500, "Internal Server Error",
                    "a cryptographic operation failed; the cause is in the log under the "
                    "request id"},
    [CS_EINTERNAL] =
        {500, "Internal Server Error",
         "a fault of the service; the cause is in the log under the request id"},
};

/* Reasons whose status is another than that of their code; their text is for
 * the client. */
static const struct exception {
    const char *reason;
    int status;
    const char *title;
} exceptions[] = {
    {"validation_failed", 422, "Unprocessable Content"},
    {"method_not_allowed", 405, "Method Not Allowed"},
    {"request_timeout", 408, "Request Timeout"},
    {"precondition_failed", 412, "Precondition Failed"},
};

#define RETRY_AFTER_S 2

/* Reading a body that is no valid JSON is 400; a field in it that breaks a rule,
 * whatever the rule, is 422. */
static const struct exception *exception_of(const struct cs_err *err)
{
    if (err->code == CS_EINVAL && err->field[0] == '/')
        return &exceptions[0];
    for (size_t i = 0; i < CS_COUNT(exceptions); i++)
        if (strcmp(err->reason, exceptions[i].reason) == 0)
            return &exceptions[i];
    return NULL;
}

static enum cs_code known_code(const struct cs_err *err)
{
    return (unsigned)err->code < CS_CODE_COUNT ? err->code : CS_EINTERNAL;
}

int cs_problem_status(const struct cs_err *err)
{
    const struct exception *exception = exception_of(err);

    return exception != NULL ? exception->status : answers[known_code(err)].status;
}

static const char *title_of(const struct cs_err *err)
{
    const struct exception *exception = exception_of(err);

    return exception != NULL ? exception->title : answers[known_code(err)].title;
}

static const char *store_fault_text(enum cs_code code)
{
    if (code == CS_EBUSY)
        return "the store takes no more at the moment; try again later";
    if (code == CS_EUPSTREAM)
        return "the store behind the service failed; try again, and if it goes on, its "
               "administrator finds the cause in the log under the request id";
    return ""; /* the words of the code itself will do */
}

/* What a service behind us refused, and why, is not the client's matter: he is told
 * whether to try again, and the log the rest. */
static struct cs_err without_upstream(const struct cs_exchange *x,
                                      const struct cs_err *err)
{
    struct cs_err shown = *err;
    enum cs_code code = known_code(err);

    if (err->upstream_status == 0 &&
        !(x->handling &&
          (code == CS_EUNAUTH || code == CS_EUPSTREAM || code == CS_ETIMEOUT)))
        return shown;
    shown.code = code == CS_EBUSY || code == CS_ETIMEOUT ? code : CS_EUPSTREAM;
    shown.field[0] = '\0';
    shown.reason[0] = '\0';
    (void)snprintf(shown.text, sizeof(shown.text), "%s", store_fault_text(shown.code));
    return shown;
}

static void add_headers(struct cs_exchange *x, const struct cs_err *err, int status)
{
    struct cs_response *response = x->response;

    if (status == 401 && strncmp(err->reason, "authorization_header", 20) == 0)
        cs_response_header(response, "WWW-Authenticate", CS_LIT("Bearer"));
    else if (status == 401)
        cs_response_header_fmt(response, "WWW-Authenticate",
                               "Bearer error=\"invalid_token\", error_description=\"%s\"",
                               err->reason);
    if (status == 503 || status == 504 || (status == 502 && err->retry_after_s > 0))
        cs_response_header_fmt(response, "Retry-After", "%d",
                               err->retry_after_s > 0 ? err->retry_after_s
                                                      : RETRY_AFTER_S);
    if (status == 416)
        cs_response_header_fmt(response, "Content-Range", "bytes */%llu",
                               (unsigned long long)x->range_size);
    cs_response_header(response, "Content-Type", CS_LIT("application/problem+json"));
    cs_response_header(response, "Cache-Control", CS_LIT("no-store"));
}

/* One element for errors[] where the error names a field by itself. */
static void write_single_error(struct cs_json_writer *w, const struct cs_err *err,
                               const char *reason)
{
    cs_json_object(w);
    cs_json_member_cstr(w, "pointer", err->field);
    cs_json_member_cstr(w, "code", reason);
    cs_json_member_cstr(w, "detail", err->text);
    cs_json_object_end(w);
}

static void write_errors(struct cs_exchange *x, struct cs_json_writer *w,
                         const struct cs_err *err, const char *reason)
{
    if (x->faults.count == 0 && err->field[0] != '/')
        return;
    cs_json_key(w, "errors");
    cs_json_array(w);
    if (x->faults.count > 0)
        cs_json_raw(w, cs_buf_view(&x->faults.json));
    else
        write_single_error(w, err, reason);
    cs_json_array_end(w);
}

static const char *detail_of(const struct cs_err *err)
{
    const char *generic = answers[known_code(err)].generic;

    if (generic != NULL && exception_of(err) == NULL)
        return generic;
    return *err->text != '\0' ? err->text : title_of(err);
}

static const char *reason_of(const struct cs_err *err)
{
    return *err->reason != '\0' ? err->reason : cs_code_name(known_code(err));
}

void cs_problem_answer(struct cs_exchange *x, const struct cs_err *cause)
{
    struct cs_buf *body = cs_response_body(x->response);
    struct cs_buf type = CS_BUF_INIT(256);
    const struct cs_err shown = without_upstream(x, cause);
    const struct cs_err *err = &shown;
    const char *reason = reason_of(err);
    int status = cs_problem_status(err);
    struct cs_json_writer w;

    if (status >= 500)
        cs_log_put(x->app->log, CS_LOG_ERROR, "request failed",
                   CS_LOG_TEXT("request_id", cs_request_id(x->request)),
                   CS_LOG_TEXT("code", cs_view_cstr(reason_of(cause))),
                   CS_LOG_TEXT("detail", cs_view_cstr(cause->text)),
                   CS_LOG_NUM("upstream_status", cause->upstream_status));
    cs_response_status(x->response, status);
    add_headers(x, err, status);
    cs_buf_reset(body);
    cs_buf_add_cstr(&type, "urn:campaignstore:problem:");
    cs_buf_add_cstr(&type, reason);
    cs_json_writer_init(&w, body);
    cs_json_object(&w);
    cs_json_member_str(&w, "type", cs_buf_view(&type));
    cs_json_member_cstr(&w, "title", title_of(err));
    cs_json_member_u64(&w, "status", (uint64_t)status);
    cs_json_member_cstr(&w, "detail", detail_of(err));
    cs_json_member_cstr(&w, "code", reason);
    cs_json_member_str(&w, "request_id", cs_request_id(x->request));
    write_errors(x, &w, err, reason);
    cs_json_object_end(&w);
    cs_buf_clear(&type);
}
