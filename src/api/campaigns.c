#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/download.h"
#include "api/routes.h"
#include "api/view.h"
#include "campaign/artifacts.h"
#include "campaign/create.h"
#include "campaign/lifecycle.h"
#include "campaign/listing.h"
#include "campaign/progress.h"
#include "json/scan.h"

/* ---- POST /campaigns ---- */

static enum cs_code answer_created(struct cs_exchange *x, const struct cs_record *record,
                                   struct cs_err *err)
{
    struct cs_json_writer w;

    cs_json_writer_init(&w, cs_response_body(x->response));
    cs_json_object(&w);
    cs_view_summary(&w, record);
    cs_json_object_end(&w);
    cs_response_header_fmt(x->response, "Location", "/api/v1/campaigns/%.*s",
                           CS_FMT(record->key));
    return cs_exchange_answer(x, 201, err);
}

enum cs_code cs_api_campaign_create(struct cs_exchange *x, struct cs_err *err)
{
    size_t max = x->app->campaigns.limits.json_bytes;
    struct cs_buf body = CS_BUF_INIT(max);
    struct cs_record *record = NULL;
    struct cs_view key;
    bool replayed = false;
    enum cs_code rc = cs_exchange_idempotency_key(x, &key, err);

    if (rc == CS_OK)
        rc = cs_exchange_json(x, &body, max, false, err);
    if (rc == CS_OK)
        rc = cs_campaign_create(&x->app->campaigns, &x->call, cs_buf_view(&body), key,
                                &record, &replayed, &x->faults, err);
    if (rc == CS_OK && replayed)
        cs_response_header(x->response, "Idempotency-Replayed", CS_LIT("true"));
    if (rc == CS_OK)
        rc = answer_created(x, record, err);
    cs_record_free(record);
    cs_buf_clear(&body);
    return rc;
}

/* ---- GET /campaigns and /campaigns/aws/list ---- */

struct list_request {
    struct cs_buf cursor, status, text, user_id, urls, total;
    struct cs_campaign_query query;
    /* From the cursor: the total where it was known, or else how many campaigns the
     * pages before had. */
    uint64_t counted;
    bool total_known;
};

static void list_request_clear(struct list_request *list)
{
    cs_buf_clear(&list->cursor);
    cs_buf_clear(&list->status);
    cs_buf_clear(&list->text);
    cs_buf_clear(&list->user_id);
    cs_buf_clear(&list->urls);
    cs_buf_clear(&list->total);
}

static enum cs_code check_list_query(struct cs_exchange *x, struct list_request *list,
                                     struct cs_err *err)
{
    if (list->user_id.len > 0 && !x->call.admin &&
        !cs_view_eq(cs_buf_view(&list->user_id), x->call.user_id))
        return cs_err_field(err, CS_EDENIED, "user_id", "admin_required",
                            "only an administrator may list the campaigns of others");
    return CS_OK;
}

/* What is counted goes on with the cursor, "<total>.<the store's>" or "~<campaigns of
 * the pages so far>.<the store's>", so that a page costs no look at the counters. */
static void take_counted(struct list_request *list)
{
    struct cs_view cursor = list->query.cursor;
    size_t dot = cs_view_find_byte(cursor, '.');
    size_t sign = cursor.len > 0 && cursor.ptr[0] == '~' ? 1 : 0;
    uint64_t counted;

    if (dot == SIZE_MAX ||
        !cs_view_to_u64(cs_view_sub(cursor, sign, dot - sign), &counted) ||
        counted > INT64_MAX)
        return;
    list->counted = counted;
    list->total_known = sign == 0;
    list->query.cursor = cs_view_from(cursor, dot + 1);
}

static enum cs_code read_list_query(struct cs_exchange *x, struct list_request *list,
                                    struct cs_err *err)
{
    uint64_t limit;
    enum cs_code rc;

    *list = (struct list_request){.cursor = CS_BUF_INIT(4096),
                                  .status = CS_BUF_INIT(64),
                                  .text = CS_BUF_INIT(CS_CAMPAIGN_NAME_MAX),
                                  .user_id = CS_BUF_INIT(CS_USER_ID_MAX),
                                  .urls = CS_BUF_INIT(8),
                                  .total = CS_BUF_INIT(8)};
    if ((rc = cs_exchange_query_number(x, "limit", 1, CS_CAMPAIGN_LIST_MAX, 50, &limit,
                                       err)) != CS_OK ||
        (rc = cs_exchange_query_text(x, "cursor", &list->cursor, err)) != CS_OK ||
        (rc = cs_exchange_query_choice(x, "status", "running|completed|failed",
                                       &list->status, err)) != CS_OK ||
        (rc = cs_exchange_query_text(x, "q", &list->text, err)) != CS_OK ||
        (rc = cs_exchange_query_text(x, "user_id", &list->user_id, err)) != CS_OK ||
        (rc = cs_exchange_query_choice(x, "urls", "true|false", &list->urls, err)) !=
            CS_OK ||
        (rc = cs_exchange_query_choice(x, "total", "true|false", &list->total, err)) !=
            CS_OK ||
        (rc = check_list_query(x, list, err)) != CS_OK)
        return rc;
    list->query = (struct cs_campaign_query){
        .user_id = list->user_id.len > 0 ? cs_buf_view(&list->user_id) : x->call.user_id,
        .status = cs_buf_view(&list->status),
        .text = cs_buf_view(&list->text),
        .cursor = cs_buf_view(&list->cursor),
        .limit = limit,
    };
    take_counted(list);
    return CS_OK;
}

/* with_urls: four signed links a campaign, which cost more than the rest of a list. */
static enum cs_code write_campaigns(struct cs_exchange *x, struct cs_json_writer *w,
                                    const struct cs_record_page *page, bool with_urls,
                                    struct cs_err *err)
{
    struct cs_view_urls urls = CS_VIEW_URLS_NONE;
    int64_t earliest_us = 0;
    enum cs_code rc = CS_OK;

    cs_json_key(w, "campaigns");
    cs_json_array(w);
    for (size_t i = 0; i < page->count && rc == CS_OK; i++) {
        cs_json_object(w);
        cs_view_summary(w, page->records[i]);
        if (with_urls) {
            rc = cs_view_make_urls(&urls, x, page->records[i], err);
            cs_json_member_raw(w, "s3_urls", cs_buf_view(&urls.object));
        }
        cs_json_object_end(w);
        if (urls.expires_us != 0 && (earliest_us == 0 || urls.expires_us < earliest_us))
            earliest_us = urls.expires_us;
    }
    cs_json_array_end(w);
    if (earliest_us != 0)
        cs_json_member_time(w, "urls_expire_at", earliest_us);
    cs_view_urls_clear(&urls);
    return rc;
}

static bool is_filtered(const struct cs_campaign_query *query)
{
    return query->status.len > 0 || query->text.len > 0;
}

/* How many campaigns the user has in all, where that is known without a further call:
 * the list ends on this page. Otherwise the counter, if the client asked for it. */
static enum cs_code find_total(struct cs_exchange *x, struct list_request *list,
                               const struct cs_record_page *page, struct cs_err *err)
{
    struct cs_campaign_totals totals;
    enum cs_code rc;

    if (list->total_known)
        return CS_OK;
    list->counted += page->count;
    if (page->next_cursor == NULL && !is_filtered(&list->query)) {
        list->total_known = true;
        return CS_OK;
    }
    if (!cs_view_eq(cs_buf_view(&list->total), CS_LIT("true")))
        return CS_OK;
    rc = cs_campaign_totals(&x->app->campaigns, list->query.user_id, &totals,
                            x->call.deadline, err);
    list->counted = (uint64_t)totals.total;
    list->total_known = rc == CS_OK;
    return rc;
}

static void write_total(struct cs_json_writer *w, const struct list_request *list)
{
    if (list->total_known)
        cs_json_member_u64(w, "total", list->counted);
    else
        cs_json_member_raw(w, "total", CS_LIT("null"));
}

static void write_cursor(struct cs_json_writer *w, const struct list_request *list,
                         const struct cs_record_page *page)
{
    struct cs_buf cursor = CS_BUF_INIT(8192);

    cs_buf_add_fmt(&cursor, "%s%" PRIu64 ".", list->total_known ? "" : "~",
                   list->counted);
    if (page->next_cursor != NULL)
        cs_buf_add_cstr(&cursor, page->next_cursor);
    cs_json_member_cstr(w, "next_cursor",
                        page->next_cursor != NULL ? cs_buf_cstr(&cursor) : NULL);
    if (cursor.failed != CS_OK)
        w->out->failed = cursor.failed;
    cs_buf_clear(&cursor);
}

static enum cs_code list_campaigns(struct cs_exchange *x, bool with_urls,
                                   struct cs_err *err)
{
    struct cs_record_page page = {.count = 0};
    struct list_request list;
    struct cs_err cause = CS_ERR_NONE;
    struct cs_json_writer w;
    enum cs_code rc = read_list_query(x, &list, err);

    if (rc != CS_OK)
        goto out;
    if (list.urls.len > 0)
        with_urls = cs_view_eq(cs_buf_view(&list.urls), CS_LIT("true"));
    rc = cs_campaign_list(&x->app->campaigns, &x->call, &list.query, &page, &cause);
    if (rc != CS_OK) {
        rc = cs_exchange_query_refused(rc, &cause, err);
        goto out;
    }
    if ((rc = find_total(x, &list, &page, err)) != CS_OK)
        goto out;
    cs_json_writer_init(&w, cs_response_body(x->response));
    cs_json_object(&w);
    if ((rc = write_campaigns(x, &w, &page, with_urls, err)) != CS_OK)
        goto out;
    write_total(&w, &list);
    cs_json_member_str(&w, "user_id", list.query.user_id);
    write_cursor(&w, &list, &page);
    cs_json_object_end(&w);
    rc = cs_exchange_answer(x, 200, err);
out:
    cs_record_page_clear(&page);
    list_request_clear(&list);
    return rc;
}

enum cs_code cs_api_campaign_list(struct cs_exchange *x, struct cs_err *err)
{
    return list_campaigns(x, false, err);
}

enum cs_code cs_api_aws_list(struct cs_exchange *x, struct cs_err *err)
{
    return list_campaigns(x, true, err);
}

/* ---- GET /campaigns/{id}/status ---- */

enum cs_code cs_api_campaign_status(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_record *record = NULL;
    struct cs_progress progress = CS_PROGRESS_NONE;
    struct cs_json_writer w;
    char etag[32];
    enum cs_code rc = cs_progress_load(&x->app->campaigns, &x->call, x->params[0],
                                       CS_ACCESS_OWNER_OR_ADMIN, &record, &progress, err);

    if (rc != CS_OK)
        goto out;
    (void)snprintf(etag, sizeof(etag), "\"%llu\"", (unsigned long long)record->revision);
    cs_response_header(x->response, "ETag", cs_view_cstr(etag));
    if (cs_exchange_not_modified(x, etag))
        goto out;
    cs_json_writer_init(&w, cs_response_body(x->response));
    cs_json_object(&w);
    cs_json_member_str(&w, "campaign_id", record->key);
    cs_json_member_str(&w, "status", record->status);
    cs_json_member_raw(&w, "updated_at", cs_campaign_updated_at(record));
    cs_json_member_raw(&w, "completed_at",
                       cs_json_slice(record->summary, "completed_at"));
    cs_json_member_raw(&w, "progress_log", progress.json);
    cs_json_member_raw(&w, "error", cs_json_slice(record->detail, "error"));
    cs_json_object_end(&w);
    rc = cs_exchange_answer(x, 200, err);
    cs_response_header(x->response, "Cache-Control", CS_LIT("private, no-cache"));
out:
    cs_progress_clear(&progress);
    cs_record_free(record);
    return rc;
}

/* ---- GET /campaigns/{id} ---- */

/* The answer is head + the state's own bytes + tail, so that the state, which
 * may be large, is never held in memory. */
struct whole_record {
    struct cs_buf head;
    struct cs_buf tail;
    struct cs_artifact state;
    bool has_state;
    struct cs_view kept_state; /* in the record itself, as another program has it */
};

/* GET .../interactions pages through all others where this cuts. */
static enum cs_code write_interactions(struct cs_exchange *x, struct cs_json_writer *w,
                                       const struct cs_record *record, struct cs_err *err)
{
    bool cut = false;
    enum cs_code rc;

    cs_json_key(w, "agent_interactions");
    rc = cs_campaign_interactions(&x->app->campaigns, record,
                                  x->app->campaigns.limits.interactions, w->out, &cut,
                                  x->call.deadline, err);
    w->comma = true; /* the array went past the writer */
    cs_json_member_bool(w, "agent_interactions_truncated", cut);
    return rc;
}

static enum cs_code write_head(struct cs_exchange *x, const struct cs_record *record,
                               struct cs_view progress, struct whole_record *whole,
                               struct cs_err *err)
{
    static const struct cs_view elsewhere[] = {
        CS_LIT_INIT("files"), CS_LIT_INIT("campaign_brief"), CS_LIT_INIT("progress_log"),
        /* of another program's record */
        CS_LIT_INIT("agent_interactions"), CS_LIT_INIT("final_state")};
    struct cs_buf brief = CS_BUF_INIT(x->app->campaigns.limits.json_bytes);
    struct cs_view_urls urls = CS_VIEW_URLS_NONE;
    struct cs_json_writer w;
    enum cs_code rc;

    cs_json_writer_init(&w, &whole->head);
    cs_json_object(&w);
    cs_view_summary(&w, record);
    if ((rc = cs_view_make_urls(&urls, x, record, err)) != CS_OK ||
        (rc = cs_campaign_read_brief(&x->app->campaigns, record, &brief, x->call.deadline,
                                     err)) != CS_OK)
        goto out;
    cs_view_url_members(&w, &urls);
    if (urls.expires_us != 0)
        cs_json_member_time(&w, "urls_expire_at", urls.expires_us);
    cs_json_key(&w, "files");
    cs_view_files(&w, record);
    cs_json_member_raw(&w, "campaign_brief", cs_buf_view(&brief));
    cs_json_member_raw(&w, "progress_log", progress);
    cs_view_detail(&w, record, elsewhere, CS_COUNT(elsewhere));
    if ((rc = write_interactions(x, &w, record, err)) != CS_OK)
        goto out;
    cs_json_key(&w, "final_state");
    rc = cs_buf_check(&whole->head, err);
out:
    cs_view_urls_clear(&urls);
    cs_buf_clear(&brief);
    return rc;
}

static enum cs_code send_whole(struct cs_exchange *x, const struct whole_record *whole,
                               struct cs_err *err)
{
    struct cs_store *store = cs_store_in_bucket(x->app->store, whole->state.bucket, err);
    struct cs_object_reader *reader = NULL;
    struct cs_view kept = whole->kept_state.len > 0 ? whole->kept_state : CS_LIT("null");
    uint64_t state_size = kept.len;
    enum cs_code rc = CS_OK;

    if (store == NULL)
        return err->code;
    if (whole->has_state)
        rc = store->ops->open(store, whole->state.key, whole->state.version, NULL,
                              &reader, &state_size, x->call.deadline, err);
    if (rc == CS_OK && (rc = cs_exchange_answer(x, 200, err)) == CS_OK)
        rc = cs_response_start(x->response,
                               whole->head.len + state_size + whole->tail.len, err);
    if (rc == CS_OK)
        rc = cs_response_write(x->response, cs_buf_view(&whole->head), err);
    if (rc == CS_OK)
        rc = reader != NULL ? cs_download_copy(x, reader, err)
                            : cs_response_write(x->response, kept, err);
    if (rc == CS_OK)
        rc = cs_response_write(x->response, cs_buf_view(&whole->tail), err);
    if (reader != NULL)
        store->ops->close(store, reader);
    return rc;
}

enum cs_code cs_api_campaign_get(struct cs_exchange *x, struct cs_err *err)
{
    struct whole_record whole = {.head = CS_BUF_INIT(256u << 20),
                                 .tail = CS_BUF_INIT(16)};
    struct cs_record *record = NULL;
    struct cs_progress progress = CS_PROGRESS_NONE;
    enum cs_code rc = cs_progress_load(&x->app->campaigns, &x->call, x->params[0],
                                       CS_ACCESS_OWNER_OR_ADMIN, &record, &progress, err);

    if (rc != CS_OK)
        goto out;
    whole.has_state =
        cs_artifact_find(record, CS_LIT("artifacts"), &whole.state, NULL) == CS_OK;
    whole.kept_state = cs_campaign_kept(record, "final_state");
    cs_buf_add_byte(&whole.tail, '}');
    if ((rc = cs_buf_check(&whole.tail, err)) == CS_OK &&
        (rc = write_head(x, record, progress.json, &whole, err)) == CS_OK)
        rc = send_whole(x, &whole, err);
out:
    cs_progress_clear(&progress);
    cs_record_free(record);
    cs_buf_clear(&whole.head);
    cs_buf_clear(&whole.tail);
    return rc;
}
