#include "config.h"

#include "api/routes.h"
#include "campaign/lifecycle.h"
#include "campaign/progress.h"
#include "json/write.h"

#define INTERACTIONS_PER_PAGE 100u
#define INTERACTIONS_MAX      1000u

static void start_answer(struct cs_exchange *x, struct cs_json_writer *w)
{
    cs_json_writer_init(w, cs_response_body(x->response));
    cs_json_object(w);
    cs_json_member_str(w, "campaign_id", x->params[0]);
}

enum cs_code cs_api_progress(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(x->app->campaigns.limits.json_bytes);
    struct cs_buf progress = CS_BUF_INIT(2 * CS_PROGRESS_BYTES_MAX);
    struct cs_json_writer w;
    enum cs_code rc =
        cs_exchange_json(x, &body, x->app->campaigns.limits.json_bytes, false, err);

    if (rc == CS_OK)
        rc = cs_campaign_progress(&x->app->campaigns, &x->call, x->params[0],
                                  cs_buf_view(&body), &progress, &x->faults, err);
    if (rc == CS_OK) {
        start_answer(x, &w);
        cs_json_member_raw(&w, "progress_log", cs_buf_view(&progress));
        cs_json_object_end(&w);
        rc = cs_exchange_answer(x, 200, err);
    }
    cs_buf_clear(&body);
    cs_buf_clear(&progress);
    return rc;
}

enum cs_code cs_api_interactions_add(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(x->app->campaigns.limits.json_bytes);
    struct cs_json_writer w;
    struct cs_view key;
    size_t appended = 0;
    enum cs_code rc = cs_exchange_idempotency_key(x, &key, err);

    if (rc == CS_OK)
        rc = cs_exchange_json(x, &body, x->app->campaigns.limits.json_bytes, false, err);
    if (rc == CS_OK)
        rc = cs_campaign_interact(&x->app->campaigns, &x->call, x->params[0],
                                  cs_buf_view(&body), key, &appended, &x->faults, err);
    if (rc == CS_OK) {
        start_answer(x, &w);
        cs_json_member_u64(&w, "appended", appended);
        cs_json_object_end(&w);
        rc = cs_exchange_answer(x, 201, err);
    }
    cs_buf_clear(&body);
    return rc;
}

enum cs_code cs_api_interactions_list(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_buf after = CS_BUF_INIT(1024);
    struct cs_log_page page = {.count = 0};
    struct cs_record *record = NULL;
    struct cs_err cause = CS_ERR_NONE;
    struct cs_json_writer w;
    uint64_t limit;
    enum cs_code rc;

    if ((rc = cs_exchange_query_number(x, "limit", 1, INTERACTIONS_MAX,
                                       INTERACTIONS_PER_PAGE, &limit, err)) != CS_OK ||
        (rc = cs_exchange_query_text(x, "after", &after, err)) != CS_OK ||
        (rc = cs_campaign_load(&x->app->campaigns, &x->call, x->params[0],
                               CS_ACCESS_OWNER_OR_ADMIN, false, &record, err)) != CS_OK)
        goto out;
    rc = cs_campaign_interaction_page(&x->app->campaigns, record, cs_buf_view(&after),
                                      (size_t)limit, &page, x->call.deadline, &cause);
    if (rc != CS_OK) {
        rc = cs_exchange_query_refused(rc, &cause, err);
        goto out;
    }
    start_answer(x, &w);
    cs_json_member_raw(&w, "interactions",
                       page.count > 0 ? cs_buf_view(&page.json) : CS_LIT("[]"));
    cs_json_member_u64(&w, "count", page.count);
    /* Where to go on, also to see later what is appended after this page. */
    cs_json_member_str(&w, "after",
                       page.last_position != NULL ? cs_view_cstr(page.last_position)
                       : after.len > 0            ? cs_buf_view(&after)
                                                  : cs_view_of(NULL, 0));
    cs_json_member_bool(&w, "more", page.more);
    cs_json_object_end(&w);
    rc = cs_exchange_answer(x, 200, err);
out:
    cs_record_free(record);
    cs_log_page_clear(&page);
    cs_buf_clear(&after);
    return rc;
}

enum cs_code cs_api_fail(struct cs_exchange *x, struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(x->app->campaigns.limits.json_bytes);
    struct cs_json_writer w;
    enum cs_code rc =
        cs_exchange_json(x, &body, x->app->campaigns.limits.json_bytes, false, err);

    if (rc == CS_OK)
        rc = cs_campaign_fail(&x->app->campaigns, &x->call, x->params[0],
                              cs_buf_view(&body), &x->faults, err);
    if (rc == CS_OK) {
        start_answer(x, &w);
        cs_json_member_cstr(&w, "status", "failed");
        cs_json_object_end(&w);
        rc = cs_exchange_answer(x, 200, err);
    }
    cs_buf_clear(&body);
    return rc;
}
