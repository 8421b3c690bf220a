#include "config.h"

#include "campaign/complete.h"

#include "api/routes.h"
#include "api/view.h"

static void write_render(struct cs_json_writer *w,
                         const struct cs_completion_report *report)
{
    cs_json_key(w, "render");
    cs_json_object(w);
    cs_json_member_bool(w, "website_supplied", report->website_supplied);
    if (*report->website_note != '\0')
        cs_json_member_cstr(w, "website_note", report->website_note);
    cs_json_member_u64(w, "pdf_pages", report->pages);
    cs_json_member_u64(w, "missing_glyphs", report->missing_glyphs);
    cs_json_object_end(w);
}

static enum cs_code answer(struct cs_exchange *x, const struct cs_record *record,
                           const struct cs_completion_report *report, struct cs_err *err)
{
    struct cs_view_urls urls = CS_VIEW_URLS_NONE;
    struct cs_json_writer w;
    enum cs_code rc = cs_view_make_urls(&urls, x, record, err);

    if (rc != CS_OK)
        goto out;
    cs_json_writer_init(&w, cs_response_body(x->response));
    cs_json_object(&w);
    cs_view_summary(&w, record);
    cs_view_url_members(&w, &urls);
    cs_json_member_raw(&w, "s3_urls", cs_buf_view(&urls.object));
    cs_json_member_time(&w, "urls_expire_at", urls.expires_us);
    cs_json_key(&w, "files");
    cs_view_files(&w, record);
    if (!report->replayed)
        write_render(&w, report);
    cs_json_object_end(&w);
    rc = cs_exchange_answer(x, 200, err);
out:
    cs_view_urls_clear(&urls);
    return rc;
}

enum cs_code cs_api_complete(struct cs_exchange *x, struct cs_err *err)
{
    size_t max = x->app->campaigns.limits.json_bytes;
    struct cs_buf body = CS_BUF_INIT(max);
    struct cs_completion_report report;
    struct cs_record *record = NULL;
    enum cs_code rc = cs_exchange_json(x, &body, max, false, err);

    if (rc == CS_OK)
        rc = cs_campaign_complete(&x->app->campaigns, &x->call, x->params[0],
                                  cs_buf_view(&body), &record, &report, &x->faults, err);
    if (rc == CS_OK)
        rc = answer(x, record, &report, err);
    cs_record_free(record);
    cs_buf_clear(&body);
    return rc;
}
