#include "config.h"

#include "api/routes.h"

#include <inttypes.h>

#include "base/file.h"
#include "campaign/lifecycle.h"
#include "campaign/progress.h"
#include "json/scan.h"
#include "json/write.h"

#define HEALTH_LIFE_US    (5 * CS_SECOND_US)
#define HEALTH_BUDGET_MS  3000
#define OPENAPI_BYTES_MAX (4u << 20)

/* ---- GET /health ---- */

struct part {
    bool good;
    const char *why; /* not, or "" */
};

/* One line a change, not one a question. */
static void log_part(struct cs_log *log, const char *name, struct part before,
                     struct part now)
{
    if (now.good && !before.good)
        cs_log_put(log, CS_LOG_INFO, "health", CS_LOG_TEXT("part", cs_view_cstr(name)),
                   CS_LOG_TEXT("status", CS_LIT("ok")));
    else if (!now.good && (before.good || strcmp(before.why, now.why) != 0))
        cs_log_put(log, CS_LOG_WARN, "health", CS_LOG_TEXT("part", cs_view_cstr(name)),
                   CS_LOG_TEXT("status", CS_LIT("unavailable")),
                   CS_LOG_TEXT("why", cs_view_cstr(now.why)));
}

/* The store is asked every few seconds at most, however often we are. */
static void refresh_health(struct cs_app *app)
{
    int64_t now_us = cs_clock_monotonic_us();
    const struct cs_store_health *now = &app->health;
    struct cs_store_health old;

    if (now_us < app->health_until_us)
        return;
    old = app->health;
    app->store->ops->health(app->store, &app->health,
                            cs_deadline_in_ms(HEALTH_BUDGET_MS));
    app->health_until_us = now_us + HEALTH_LIFE_US;
    log_part(app->log, "s3", (struct part){old.objects_ok, old.objects_text},
             (struct part){now->objects_ok, now->objects_text});
    log_part(app->log, "dynamodb", (struct part){old.records_ok, old.records_text},
             (struct part){now->records_ok, now->records_text});
}

/* Why it is away may name hosts and paths: that is for the log, as anybody may ask. */
static void write_part(struct cs_json_writer *w, const char *name, bool good,
                       const char *detail)
{
    cs_json_key(w, name);
    cs_json_object(w);
    cs_json_member_cstr(w, "status", good ? "ok" : "unavailable");
    if (!good)
        cs_json_member_cstr(w, "detail", detail);
    cs_json_object_end(w);
}

enum cs_code cs_api_health(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_app *app = x->app;
    struct cs_json_writer w;
    bool good;

    refresh_health(app);
    good = app->health.objects_ok && app->health.records_ok;
    cs_json_writer_init(&w, cs_response_body(x->response));
    cs_json_object(&w);
    cs_json_member_cstr(&w, "status", good ? "ok" : "unavailable");
    cs_json_member_cstr(&w, "service", PACKAGE_NAME);
    cs_json_member_cstr(&w, "version", PACKAGE_VERSION);
    cs_json_member_str(&w, "store", app->store->ops->names(app->store)->kind);
    cs_json_member_cstr(&w, "started_as", app->started_as);
    write_part(&w, "s3", app->health.objects_ok,
               "the objects are not reached; the service's log says why");
    write_part(&w, "dynamodb", app->health.records_ok,
               "the records are not reached; the service's log says why");
    cs_json_member_time(&w, "time", x->call.now_us);
    if (app->health.clock_offset_us != 0) {
        cs_json_key(&w, "clock_offset_seconds");
        cs_json_i64(&w, app->health.clock_offset_us / CS_SECOND_US);
    }
    cs_json_object_end(&w);
    if (!good)
        cs_response_header(x->response, "Retry-After", CS_LIT("5"));
    return cs_exchange_answer(x, good ? 200 : 503, err);
}

/* ---- GET /limits ---- */

/* What the web server in front lets through, as far as the settings say. */
static uint64_t body_limit(const struct cs_app *app)
{
    uint64_t front = (uint64_t)cs_settings_integer(app->settings, CS_SET_LIMIT_BODY);
    uint64_t own = app->campaigns.limits.file_bytes;

    return front > 0 && front < own ? front : own;
}

enum cs_code cs_api_limits(struct cs_exchange *x, struct cs_err *err)
{
    const struct cs_campaign_limits *limits = &x->app->campaigns.limits;
    const struct cs_settings *settings = x->app->settings;
    struct cs_json_writer w;

    cs_json_writer_init(&w, cs_response_body(x->response));
    cs_json_object(&w);
    cs_json_member_u64(&w, "json_bytes", limits->json_bytes);
    cs_json_member_u64(&w, "file_bytes", limits->file_bytes);
    cs_json_member_u64(&w, "body_bytes", body_limit(x->app));
    cs_json_member_u64(&w, "files_per_campaign", limits->files);
    cs_json_member_u64(&w, "part_bytes", limits->part_bytes);
    cs_json_member_u64(&w, "request_seconds",
                       (uint64_t)cs_settings_integer(settings, CS_SET_LIMIT_REQUEST));
    cs_json_member_u64(&w, "url_seconds",
                       (uint64_t)cs_settings_integer(settings, CS_SET_URL_TTL));
    cs_json_member_u64(&w, "campaign_name_bytes", CS_CAMPAIGN_NAME_MAX);
    cs_json_member_u64(&w, "progress_bytes", CS_PROGRESS_BYTES_MAX);
    cs_json_member_u64(&w, "interactions_per_request", CS_INTERACTIONS_AT_ONCE);
    cs_json_member_u64(&w, "interaction_bytes", CS_INTERACTION_BYTES_MAX);
    cs_json_member_u64(&w, "interactions_bytes_per_request",
                       CS_INTERACTIONS_BYTES_AT_ONCE);
    cs_json_member_u64(&w, "json_depth", CS_JSON_MAX_DEPTH);
    cs_json_object_end(&w);
    return cs_exchange_answer(x, 200, err);
}

/* ---- GET /metrics ---- */

static void add_counter(struct cs_buf *out, const char *name, const char *help)
{
    cs_buf_add_fmt(out, "# HELP campaignstore_%s %s\n# TYPE campaignstore_%s counter\n",
                   name, help, name);
}

static void write_usage(struct cs_buf *out, const struct cs_store_usage *usage)
{
    const struct {
        const char *name, *help;
        uint64_t value;
    } counters[] = {
        {"aws_retries_total", "Calls of AWS that were sent again.", usage->retries},
        {"aws_throttled_total", "Answers of AWS that asked to slow down.",
         usage->throttled},
        {"aws_failures_total", "Calls of AWS that failed in the end.", usage->failures}};

    add_counter(out, "aws_calls_total", "Calls of AWS, each with its retries.");
    cs_buf_add_fmt(out,
                   "campaignstore_aws_calls_total{service=\"s3\"} %" PRIu64 "\n"
                   "campaignstore_aws_calls_total{service=\"dynamodb\"} %" PRIu64 "\n",
                   usage->object_calls, usage->record_calls);
    for (size_t i = 0; i < CS_COUNT(counters); i++) {
        add_counter(out, counters[i].name, counters[i].help);
        cs_buf_add_fmt(out, "campaignstore_%s %" PRIu64 "\n", counters[i].name,
                       counters[i].value);
    }
    add_counter(out, "dynamodb_capacity_units_total",
                "Capacity units that DynamoDB said were consumed, read and write.");
    cs_buf_add_fmt(
        out, "campaignstore_dynamodb_capacity_units_total %" PRIu64 ".%03" PRIu64 "\n",
        usage->capacity_milliunits / 1000, usage->capacity_milliunits % 1000);
}

/* Source: Prometheus, "Exposition formats", the text format 0.0.4. */
enum cs_code cs_api_metrics(struct cs_exchange *x, struct cs_err *err)
{
    const struct cs_store_ops *ops = x->app->store->ops;
    struct cs_buf *body = cs_response_body(x->response);
    struct cs_store_usage usage;

    cs_buf_add_fmt(body,
                   "# HELP campaignstore_info What answers here.\n"
                   "# TYPE campaignstore_info gauge\n"
                   "campaignstore_info{version=\"%s\",store=\"%.*s\"} 1\n",
                   PACKAGE_VERSION, CS_FMT(ops->names(x->app->store)->kind));
    if (ops->usage != NULL) {
        ops->usage(x->app->store, &usage);
        write_usage(body, &usage);
    }
    cs_response_status(x->response, 200);
    cs_response_header(x->response, "Content-Type", CS_LIT("text/plain; version=0.0.4"));
    cs_response_header(x->response, "Cache-Control", CS_LIT("no-store"));
    return cs_buf_check(body, err);
}

/* ---- GET /openapi.json ---- */

enum cs_code cs_api_openapi(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(8192);
    struct cs_buf *body = cs_response_body(x->response);
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc;

    cs_buf_add_cstr(&path, x->app->share_dir);
    cs_buf_add_cstr(&path, "/openapi.json");
    if ((rc = cs_buf_check(&path, &cause)) == CS_OK)
        rc = cs_file_read(body, cs_buf_cstr(&path), OPENAPI_BYTES_MAX, &cause);
    cs_buf_clear(&path);
    if (rc != CS_OK) /* an installation without its files is no fault of the client */
        return cs_err_set(err, rc == CS_ENOTFOUND ? CS_EIO : rc, "%s", cause.text);
    rc = cs_exchange_answer(x, 200, err);
    cs_response_header(x->response, "Cache-Control", CS_LIT("public, max-age=300"));
    return rc;
}
