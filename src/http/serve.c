#include "config.h"

#include "http/serve.h"

/* The handler logs what it answers; here is what it can't know. */
static void log_fault(const struct cs_serve_options *options,
                      const struct cs_request *request,
                      const struct cs_response *response, const struct cs_err *err)
{
    cs_log_put(options->log, CS_LOG_WARN, "answer broken off",
               CS_LOG_TEXT("request_id", cs_request_id(request)),
               CS_LOG_NUM("status", cs_response_get_status(response)),
               CS_LOG_NUM("bytes", cs_response_bytes(response)),
               CS_LOG_TEXT("code", cs_view_cstr(cs_code_name(err->code))),
               CS_LOG_TEXT("error", cs_view_cstr(err->text)));
}

static void log_refusal(const struct cs_serve_options *options,
                        const struct cs_request *request, int status)
{
    cs_log_put(options->log, CS_LOG_INFO, "request refused",
               CS_LOG_TEXT("request_id", cs_request_id(request)),
               CS_LOG_TEXT("method", cs_request_method(request)),
               CS_LOG_NUM("status", status));
}

static const struct refusal {
    enum cs_code fault;
    int status;
    const char *title, *code, *detail;
} refusals[] = {
    {CS_ETOOBIG, 431, "Request Header Fields Too Large", "headers_too_large",
     "The request's headers are too large in all: send fewer or shorter ones."},
    {CS_EUNSUPPORTED, 411, "Length Required", "length_required",
     "A body needs a Content-Length here: send it without Transfer-Encoding."},
    {CS_EBUSY, 503, "Service Unavailable", "overloaded",
     "The request has waited for too long behind others: wait for the seconds in "
     "Retry-After and send it again."},
    {CS_ESHORT, 413, "Content Too Large", "body_too_large",
     "The web server cut the body off: GET /api/v1/limits tells the sizes, and how to "
     "upload in parts."},
    {CS_EINVAL, 400, "Bad Request", "request_malformed",
     "Content-Length must be a number of bytes."},
};

static void fill_in(const struct cs_serve_options *options, struct cs_request *request,
                    struct cs_response *response, enum cs_code fault)
{
    const struct refusal *refusal = refusals;

    if (fault == CS_OK) {
        options->handler(options->handler_payload, request, response);
        return;
    }
    while (refusal->fault != fault && refusal->fault != CS_EINVAL)
        refusal++;
    cs_response_problem(response, refusal->status, refusal->title, refusal->code,
                        refusal->detail);
    if (refusal->status == 503)
        cs_response_header(response, "Retry-After", CS_LIT("2"));
    log_refusal(options, request, refusal->status);
}

enum cs_code cs_serve(const struct cs_serve_options *options, char **envp,
                      const struct cs_carrier *carrier, enum cs_code opened)
{
    struct cs_err err = CS_ERR_NONE;
    struct cs_request *request = cs_request_new(envp, carrier, &options->limits, &err);
    struct cs_response *response = NULL;
    enum cs_code code = CS_EINTERNAL;

    if (request != NULL && (response = cs_response_new(request, carrier, &err)) != NULL) {
        fill_in(options, request, response,
                opened == CS_OK ? cs_request_fault(request) : opened);
        code = cs_response_finish(response, &err);
        if (code != CS_OK)
            log_fault(options, request, response, &err);
    } else {
        cs_log_err(options->log, CS_LOG_ERROR, "request dropped", &err);
    }
    cs_response_free(response);
    cs_request_free(request);
    return code;
}
