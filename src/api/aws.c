#include "config.h"

#include "api/routes.h"
#include "api/view.h"
#include "campaign/create.h"
#include "campaign/listing.h"
#include "campaign/progress.h"
#include "campaign/remove.h"

/* ---- GET /campaigns/{id}/aws ---- */

#define AROUND 1024u /* bytes of an answer, about, beside what it shows */

/* The record as the seed document shows DynamoDB's: every field, URLs included,
 * but the state, which is an artifact. */
static void write_services(struct cs_exchange *x, struct cs_json_writer *w,
                           const struct cs_record *record,
                           const struct cs_view_urls *urls, struct cs_view brief,
                           struct cs_view progress)
{
    static const struct cs_view elsewhere[] = {
        CS_LIT_INIT("files"), CS_LIT_INIT("campaign_brief"), CS_LIT_INIT("progress_log")};
    const struct cs_store_names *names = x->app->store->ops->names(x->app->store);

    cs_json_key(w, "aws_services");
    cs_json_object(w);
    cs_json_key(w, "s3");
    cs_json_object(w);
    cs_json_member_str(w, "bucket_name", names->bucket_name);
    cs_json_member_str(w, "region", names->bucket_region);
    cs_json_member_raw(w, "files", cs_buf_view(&urls->object));
    cs_json_object_end(w);
    cs_json_key(w, "dynamodb");
    cs_json_object(w);
    cs_json_member_str(w, "table_name", names->table_name);
    cs_json_member_str(w, "region", names->table_region);
    cs_json_key(w, "data");
    cs_json_object(w);
    cs_view_summary(w, record);
    cs_view_url_members(w, urls);
    cs_json_member_raw(w, "campaign_brief", brief);
    if (progress.len > 0)
        cs_json_member_raw(w, "progress_log", progress);
    cs_view_detail(w, record, elsewhere, CS_COUNT(elsewhere));
    cs_json_object_end(w);
    cs_json_object_end(w);
    cs_json_object_end(w);
}

enum cs_code cs_api_aws_get(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_record *record = NULL;
    struct cs_view_urls urls = CS_VIEW_URLS_NONE;
    struct cs_buf brief = CS_BUF_INIT(x->app->campaigns.limits.json_bytes);
    struct cs_progress progress = CS_PROGRESS_NONE;
    struct cs_json_writer w;
    enum cs_code rc = cs_progress_load(&x->app->campaigns, &x->call, x->params[0],
                                       CS_ACCESS_OWNER_OR_ADMIN, &record, &progress, err);

    if (rc != CS_OK || (rc = cs_view_make_urls(&urls, x, record, err)) != CS_OK ||
        (rc = cs_campaign_read_brief(&x->app->campaigns, record, &brief, x->call.deadline,
                                     err)) != CS_OK)
        goto out;
    cs_buf_reserve(cs_response_body(x->response),
                   2 * urls.object.len + record->summary.len + record->detail.len +
                       brief.len + progress.fetched.len + AROUND);
    cs_json_writer_init(&w, cs_response_body(x->response));
    cs_json_object(&w);
    cs_json_member_str(&w, "campaign_id", record->key);
    write_services(x, &w, record, &urls, cs_buf_view(&brief), progress.json);
    if (urls.expires_us != 0)
        cs_json_member_time(&w, "urls_expire_at", urls.expires_us);
    cs_json_object_end(&w);
    rc = cs_exchange_answer(x, 200, err);
out:
    cs_record_free(record);
    cs_view_urls_clear(&urls);
    cs_progress_clear(&progress);
    cs_buf_clear(&brief);
    return rc;
}

/* ---- GET /campaigns/aws/stats ---- */

static void write_seconds(struct cs_json_writer *w, const char *name, double us)
{
    cs_json_key(w, name);
    cs_json_double(w, us / (double)CS_SECOND_US);
}

enum cs_code cs_api_aws_stats(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_campaign_totals totals;
    struct cs_json_writer w;
    enum cs_code rc = cs_campaign_totals(&x->app->campaigns, cs_view_of(NULL, 0), &totals,
                                         x->call.deadline, err);

    if (rc != CS_OK)
        return rc;
    cs_json_writer_init(&w, cs_response_body(x->response));
    cs_json_object(&w);
    cs_json_key(&w, "aws_stats");
    cs_json_object(&w);
    cs_json_member_u64(&w, "total_campaigns", (uint64_t)totals.total);
    cs_json_key(&w, "status_counts");
    cs_json_object(&w);
    cs_json_member_u64(&w, "completed", (uint64_t)totals.completed);
    cs_json_member_u64(&w, "running", (uint64_t)totals.running);
    cs_json_member_u64(&w, "failed", (uint64_t)totals.failed);
    cs_json_object_end(&w);
    cs_json_member_u64(&w, "completed_campaigns", (uint64_t)totals.completed);
    write_seconds(&w, "average_execution_time",
                  totals.completed > 0
                      ? (double)totals.execution_time_us / (double)totals.completed
                      : 0.0);
    write_seconds(&w, "total_execution_time", (double)totals.execution_time_us);
    cs_json_object_end(&w);
    cs_json_object_end(&w);
    return cs_exchange_answer(x, 200, err);
}

/* ---- DELETE /campaigns/{id}/aws ---- */

static void write_receipt(struct cs_json_writer *w, const struct cs_removal *removal)
{
    cs_json_key(w, "s3");
    cs_json_object(w);
    cs_json_member_bool(w, "success", removal->objects_ok);
    cs_json_member_u64(w, "objects_deleted", removal->objects.objects_deleted);
    cs_json_member_u64(w, "versions_deleted", removal->objects.versions_deleted);
    cs_json_member_u64(w, "bytes_deleted", removal->objects.bytes_deleted);
    cs_json_member_u64(w, "left", removal->objects.left);
    if (!removal->objects_ok)
        cs_json_member_cstr(w, "error", removal->objects_error);
    cs_json_object_end(w);
    cs_json_key(w, "dynamodb");
    cs_json_object(w);
    cs_json_member_bool(w, "success", removal->records_ok);
    cs_json_member_u64(w, "items_deleted", removal->records_deleted);
    if (!removal->records_ok)
        cs_json_member_cstr(w, "error", removal->records_error);
    cs_json_object_end(w);
}

/* What is left undone makes the answer a 503, so that a client that looks at
 * the status alone asks again, which finishes it. */
enum cs_code cs_api_aws_delete(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_removal removal;
    struct cs_json_writer w;
    enum cs_code rc =
        cs_campaign_remove(&x->app->campaigns, &x->call, x->params[0], &removal, err);
    bool done;

    if (rc != CS_OK)
        return rc;
    done = removal.objects_ok && removal.records_ok;
    cs_json_writer_init(&w, cs_response_body(x->response));
    cs_json_object(&w);
    cs_json_member_str(&w, "campaign_id", x->params[0]);
    cs_json_key(&w, "deletion_results");
    cs_json_object(&w);
    write_receipt(&w, &removal);
    cs_json_object_end(&w);
    cs_json_member_cstr(
        &w, "message",
        done ? "Campaign deletion completed"
             : "Campaign deletion incomplete: repeat the request to finish it");
    cs_json_object_end(&w);
    if (!done)
        cs_response_header(x->response, "Retry-After", CS_LIT("2"));
    return cs_exchange_answer(x, done ? 200 : 503, err);
}
