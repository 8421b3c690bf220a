#include "config.h"

#include "api/problem.h"
#include "api/routes.h"

#define PREFIX "/api/v1"

enum who { EVERYBODY, USER, ADMIN };

struct route {
    const char *method;
    const char
        *path; /* below PREFIX; {} stands for one segment, * at the end for the rest */
    enum who who;
    cs_route_fn *handler;
};

static const struct route routes[] = {
    {"GET", "/health", EVERYBODY, cs_api_health},
    {"GET", "/limits", EVERYBODY, cs_api_limits},
    {"GET", "/metrics", ADMIN, cs_api_metrics},
    {"GET", "/openapi.json", EVERYBODY, cs_api_openapi},
    {"GET", "/signed/*", EVERYBODY, cs_api_signed},
    {"POST", "/campaigns", USER, cs_api_campaign_create},
    {"GET", "/campaigns", USER, cs_api_campaign_list},
    {"GET", "/campaigns/aws/list", USER, cs_api_aws_list},
    {"GET", "/campaigns/aws/stats", ADMIN, cs_api_aws_stats},
    {"GET", "/campaigns/{}", USER, cs_api_campaign_get},
    {"GET", "/campaigns/{}/status", USER, cs_api_campaign_status},
    {"POST", "/campaigns/{}/progress", USER, cs_api_progress},
    {"POST", "/campaigns/{}/interactions", USER, cs_api_interactions_add},
    {"GET", "/campaigns/{}/interactions", USER, cs_api_interactions_list},
    {"POST", "/campaigns/{}/complete", USER, cs_api_complete},
    {"POST", "/campaigns/{}/fail", USER, cs_api_fail},
    {"PUT", "/campaigns/{}/website", USER, cs_api_website_put},
    {"PUT", "/campaigns/{}/pdf", USER, cs_api_pdf_put},
    {"PUT", "/campaigns/{}/files/{}", USER, cs_api_file_put},
    {"GET", "/campaigns/{}/files/{}", USER, cs_api_file_get},
    {"POST", "/campaigns/{}/uploads", USER, cs_api_upload_begin},
    {"GET", "/campaigns/{}/uploads/{}", USER, cs_api_upload_get},
    {"DELETE", "/campaigns/{}/uploads/{}", USER, cs_api_upload_abort},
    {"PUT", "/campaigns/{}/uploads/{}/parts/{}", USER, cs_api_upload_part},
    {"POST", "/campaigns/{}/uploads/{}/complete", USER, cs_api_upload_complete},
    {"GET", "/campaigns/{}/aws", USER, cs_api_aws_get},
    {"DELETE", "/campaigns/{}/aws", USER, cs_api_aws_delete},
    /* website, pdf, artifacts, metadata; the handler refuses other names */
    {"GET", "/campaigns/{}/website", USER, cs_api_artifact_get},
    {"GET", "/campaigns/{}/pdf", USER, cs_api_artifact_get},
    {"GET", "/campaigns/{}/artifacts", USER, cs_api_artifact_get},
    {"GET", "/campaigns/{}/metadata", USER, cs_api_artifact_get},
};

/* Whether the path is of the route's shape; the segments at {} go to params. */
static bool path_matches(const char *pattern, struct cs_view path,
                         struct cs_view params[CS_ROUTE_PARAMS_MAX])
{
    size_t count = 0;
    size_t at = 0;

    for (; *pattern != '\0' && *pattern != '*'; pattern++) {
        if (*pattern == '{') {
            struct cs_view rest = cs_view_from(path, at);
            size_t len = cs_view_find_byte(rest, '/');

            params[count] = cs_view_sub(rest, 0, len);
            if (params[count].len == 0)
                return false;
            at += params[count++].len;
            pattern++; /* to its } */
        } else if (at == path.len || path.ptr[at++] != *pattern) {
            return false;
        }
    }
    return *pattern == '*' || at == path.len;
}

static bool method_matches(const struct route *route, struct cs_view method)
{
    return cs_view_eq_cstr(method, route->method) ||
           (cs_view_eq(method, CS_LIT("HEAD")) && strcmp(route->method, "GET") == 0);
}

/* The path below PREFIX; .ptr NULL for one outside. */
static struct cs_view path_below(struct cs_view path)
{
    const struct cs_view prefix = CS_LIT(PREFIX);

    if (!cs_view_starts(path, prefix))
        return cs_view_of(NULL, 0);
    path = cs_view_from(path, prefix.len);
    return path.len == 0 || path.ptr[0] == '/' ? path : cs_view_of(NULL, 0);
}

static void add_method(struct cs_buf *allow, const char *method)
{
    if (allow->len > 0)
        cs_buf_add_cstr(allow, ", ");
    cs_buf_add_cstr(allow, method);
}

/* Sets Allow to what the path takes; false when it takes nothing at all. */
static bool add_allow(struct cs_exchange *x, struct cs_view path)
{
    struct cs_buf allow = CS_BUF_INIT(256);
    bool any = false;

    for (size_t i = 0; i < CS_COUNT(routes); i++) {
        if (!path_matches(routes[i].path, path, x->params))
            continue;
        any = true;
        add_method(&allow, routes[i].method);
        if (strcmp(routes[i].method, "GET") == 0)
            add_method(&allow, "HEAD");
    }
    if (any) {
        add_method(&allow, "OPTIONS");
        cs_response_header(x->response, "Allow", cs_buf_view(&allow));
    }
    cs_buf_clear(&allow);
    return any;
}

static enum cs_code authenticate(struct cs_exchange *x, enum who who, struct cs_err *err)
{
    enum cs_code rc;

    if (who == EVERYBODY)
        return CS_OK;
    rc = cs_authenticate(x->app->authenticator, x->request, x->call.now_us, &x->identity,
                         err);
    if (rc != CS_OK)
        return rc;
    x->call.user_id = cs_view_cstr(x->identity.user_id);
    x->call.admin = x->identity.admin;
    if (who == ADMIN && !x->identity.admin)
        return cs_err_field(err, CS_EDENIED, "", "admin_required",
                            "only an administrator may do this");
    return CS_OK;
}

static const struct route *find_route(struct cs_exchange *x)
{
    struct cs_view path = path_below(cs_request_path(x->request));
    struct cs_view method = cs_request_method(x->request);

    for (size_t i = 0; path.ptr != NULL && i < CS_COUNT(routes); i++)
        if (method_matches(&routes[i], method) &&
            path_matches(routes[i].path, path, x->params))
            return &routes[i];
    return NULL;
}

/* Which addresses there are, and what they take, is not for strangers; but
 * everybody may know of the open ones. */
static enum who who_may_know(struct cs_exchange *x, struct cs_view path)
{
    for (size_t i = 0; path.ptr != NULL && i < CS_COUNT(routes); i++)
        if (routes[i].who == EVERYBODY && path_matches(routes[i].path, path, x->params))
            return EVERYBODY;
    return path.ptr != NULL ? USER : EVERYBODY;
}

/* Browsers ask with OPTIONS beforehand, and without a token. */
static enum cs_code answer_without_route(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_view path = path_below(cs_request_path(x->request));
    struct cs_view method = cs_request_method(x->request);
    bool options = cs_view_eq(method, CS_LIT("OPTIONS"));
    enum cs_code rc = authenticate(x, options ? EVERYBODY : who_may_know(x, path), err);

    if (rc != CS_OK)
        return rc;
    if (path.ptr == NULL || !add_allow(x, path))
        return cs_err_field(
            err, CS_ENOTFOUND, "", "route_not_found",
            "there is nothing at this address; /api/v1/openapi.json lists what "
            "there is");
    if (options) {
        cs_response_status(x->response, 204);
        return CS_OK;
    }
    return cs_err_field(
        err, CS_EUNSUPPORTED, "", "method_not_allowed",
        "this address does not take %.*s; the header Allow lists what it takes",
        CS_FMT(cs_view_sub(method, 0, 20)));
}

static enum cs_code dispatch(struct cs_exchange *x, struct cs_err *err)
{
    const struct route *route = find_route(x);
    enum cs_code rc;

    if (route == NULL)
        return answer_without_route(x, err);
    if ((rc = authenticate(x, route->who, err)) != CS_OK)
        return rc;
    x->handling = true;
    return route->handler(x, err);
}

static void log_request(struct cs_exchange *x, int64_t started_us)
{
    cs_log_put(
        x->app->log, CS_LOG_INFO, "request",
        CS_LOG_TEXT("request_id", cs_request_id(x->request)),
        CS_LOG_TEXT("method", cs_request_method(x->request)),
        CS_LOG_TEXT("path", cs_request_path(x->request)),
        CS_LOG_NUM("status", cs_response_get_status(x->response)),
        CS_LOG_TEXT("user", x->call.user_id.len > 0 ? x->call.user_id : CS_LIT("-")),
        CS_LOG_NUM("us", cs_clock_monotonic_us() - started_us));
}

void cs_api_handle(void *app, struct cs_request *request, struct cs_response *response)
{
    struct cs_exchange x = {.app = app, .request = request, .response = response};
    int64_t started_us = cs_clock_monotonic_us();
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc;

    cs_faults_init(&x.faults);
    x.call.now_us = cs_clock_now_us();
    x.call.deadline = cs_request_deadline(request);
    rc = dispatch(&x, &err);
    if (rc != CS_OK && !cs_response_started(response)) {
        if (err.code == CS_OK)
            (void)cs_err_set(&err, rc, "%s", "");
        cs_problem_answer(&x, &err);
    } else if (rc != CS_OK && rc != CS_EGONE) {
        cs_log_err(x.app->log, CS_LOG_ERROR, "an answer was cut short", &err);
    }
    log_request(&x, started_us);
    cs_faults_clear(&x.faults);
    cs_identity_clear(&x.identity);
}
