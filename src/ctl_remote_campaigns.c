#include "config.h"

#include <stdio.h>

#include "ctl_remote.h"

#include "base/encoding.h"
#include "campaign/campaign.h"
#include "json/scan.h"
#include "json/write.h"

#define PATH_TEXT_MAX 8192u
#define TEXT_MAX      (1u << 30)
#define PAGE          100u

static enum cs_code ask(struct ctl_remote *remote, const char *method,
                        const struct cs_buf *path, struct cs_err *err)
{
    enum cs_code rc = cs_buf_check(path, err);

    if (rc != CS_OK)
        return rc;
    return ctl_remote_send(
        remote, &(struct ctl_request){.method = method, .path = cs_buf_cstr(path)}, err);
}

/* "/campaigns/{id}"; an id that none can be never reaches a path. */
static enum cs_code add_path(struct cs_buf *path, const char *id, const char *tail,
                             struct cs_err *err)
{
    if (!cs_campaign_id_valid(cs_view_cstr(id)))
        return cs_err_set(err, CS_ENOTFOUND, "%s is no campaign id", id);
    cs_buf_add_fmt(path, "/campaigns/%s%s", id, tail);
    return cs_buf_check(path, err);
}

/* ---- list ---- */

struct list {
    struct ctl *ctl;
    struct cs_buf text;
    struct cs_json_writer w;
    uint64_t left;
};

static void add_text(struct cs_buf *out, struct cs_view campaign, const char *name)
{
    if (!cs_json_slice_string(out, campaign, name))
        cs_buf_add_byte(out, '-');
}

static bool show_row(void *payload, struct cs_view campaign)
{
    struct list *list = payload;
    struct cs_buf id = CS_BUF_INIT(1024);
    struct cs_buf status = CS_BUF_INIT(1024);
    struct cs_buf created = CS_BUF_INIT(1024);

    if (list->ctl->json) {
        cs_json_raw(&list->w, campaign);
    } else {
        add_text(&id, campaign, "campaign_id");
        add_text(&status, campaign, "status");
        add_text(&created, campaign, "created_at");
        cs_buf_add_fmt(&list->text, "%s%-34s %-9s %.19s  ",
                       list->text.len > 0 ? "\n" : "", cs_buf_cstr(&id),
                       cs_buf_cstr(&status), cs_buf_cstr(&created));
        add_text(&list->text, campaign, "user_id");
        cs_buf_add_cstr(&list->text, "  ");
        add_text(&list->text, campaign, "campaign_name");
    }
    cs_buf_clear(&id);
    cs_buf_clear(&status);
    cs_buf_clear(&created);
    return --list->left > 0;
}

static void add_query(struct cs_buf *path, const char *name, struct cs_view value)
{
    if (value.len == 0)
        return;
    cs_buf_add_fmt(path, "&%s=", name);
    cs_percent_encode(path, value, false);
}

static enum cs_code list_pages(struct list *list, struct ctl_remote *remote,
                               const struct ctl_remote_list *wanted, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(PATH_TEXT_MAX);
    struct cs_buf cursor = CS_BUF_INIT(PATH_TEXT_MAX / 4);
    enum cs_code rc;

    do {
        cs_buf_reset(&path);
        cs_buf_add_fmt(&path, "/campaigns?limit=%u",
                       (unsigned)(list->left < PAGE ? list->left : PAGE));
        add_query(&path, "user_id", cs_view_cstr(wanted->user));
        add_query(&path, "status", cs_view_cstr(wanted->status));
        add_query(&path, "cursor", cs_buf_view(&cursor));
        if ((rc = ask(remote, "GET", &path, err)) != CS_OK)
            break;
        cs_json_each_element(cs_json_slice(ctl_remote_answer(remote), "campaigns"),
                             show_row, list);
        cs_buf_reset(&cursor);
        (void)cs_json_slice_string(&cursor, ctl_remote_answer(remote), "next_cursor");
        rc = cs_buf_check(&cursor, err);
    } while (rc == CS_OK && cursor.len > 0 && list->left > 0);
    cs_buf_clear(&path);
    cs_buf_clear(&cursor);
    return rc;
}

int ctl_list_remote(struct ctl *ctl, const struct ctl_remote_list *wanted,
                    const struct ctl_remote_options *options)
{
    struct list list = {.ctl = ctl, .text = CS_BUF_INIT(TEXT_MAX), .left = wanted->limit};
    struct cs_err err = CS_ERR_NONE;
    struct ctl_remote *remote = ctl_remote_new(ctl, options, &err);
    int code;

    cs_json_writer_init(&list.w, &list.text);
    if (ctl->json)
        cs_json_array(&list.w);
    if (remote == NULL || list_pages(&list, remote, wanted, &err) != CS_OK) {
        code = ctl_fail("list", &err);
    } else {
        if (ctl->json)
            cs_json_array_end(&list.w);
        else if (list.text.len == 0)
            cs_buf_add_cstr(&list.text, "no campaigns");
        code = ctl_print(&list.text);
    }
    ctl_remote_free(remote);
    cs_buf_clear(&list.text);
    return code;
}

/* ---- show ---- */

static bool show_member(void *payload, struct cs_view name, struct cs_view value)
{
    struct cs_buf *out = payload;

    cs_buf_add_fmt(out, "%s%-16.*s ", out->len > 0 ? "\n" : "", CS_FMT(name));
    if (cs_json_kind(value) == '"')
        (void)!cs_json_decode_string(out, value, NULL);
    else if (value.len > 300)
        cs_buf_add_fmt(out, "%.*s... (%zu bytes; --json shows all)", 200, value.ptr,
                       value.len);
    else
        cs_buf_add(out, value);
    return true;
}

int ctl_show_remote(struct ctl *ctl, const char *id,
                    const struct ctl_remote_options *options)
{
    struct cs_buf path = CS_BUF_INIT(PATH_TEXT_MAX);
    struct cs_buf text = CS_BUF_INIT(TEXT_MAX);
    struct cs_err err = CS_ERR_NONE;
    struct ctl_remote *remote = ctl_remote_new(ctl, options, &err);
    int code;

    if (remote == NULL || add_path(&path, id, "", &err) != CS_OK ||
        ask(remote, "GET", &path, &err) != CS_OK) {
        code = ctl_fail(id, &err);
    } else {
        if (ctl->json)
            cs_buf_add(&text, ctl_remote_answer(remote));
        else
            cs_json_each_member(ctl_remote_answer(remote), show_member, &text);
        code = ctl_print(&text);
    }
    ctl_remote_free(remote);
    cs_buf_clear(&path);
    cs_buf_clear(&text);
    return code;
}

/* ---- delete ---- */

/* One campaign's receipt; the exit status. A delete that could not be finished is
 * answered with 503, also after it was repeated. */
static int delete_one(struct ctl *ctl, struct ctl_remote *remote, const char *id,
                      struct cs_json_writer *w)
{
    struct cs_buf path = CS_BUF_INIT(PATH_TEXT_MAX);
    struct cs_err err = CS_ERR_NONE;
    int code = CTL_OK;

    if (add_path(&path, id, "/aws", &err) != CS_OK ||
        ask(remote, "DELETE", &path, &err) != CS_OK) {
        ctl_progress_end(ctl);
        code = ctl_fail(id, &err);
        if (err.upstream_status == 503)
            code = CTL_FINDINGS;
    } else if (ctl->json) {
        cs_json_raw(w, ctl_remote_answer(remote));
    } else {
        cs_buf_add_fmt(w->out, "%s%s: deleted", w->out->len > 0 ? "\n" : "", id);
    }
    cs_buf_clear(&path);
    return code;
}

int ctl_delete_remote(struct ctl *ctl, char **ids, size_t count,
                      const struct ctl_remote_options *options)
{
    struct cs_buf text = CS_BUF_INIT(TEXT_MAX);
    struct cs_err err = CS_ERR_NONE;
    struct ctl_remote *remote = ctl_remote_new(ctl, options, &err);
    struct cs_json_writer w;
    int worst = CTL_OK;

    cs_json_writer_init(&w, &text);
    if (ctl->json)
        cs_json_array(&w);
    if (remote == NULL)
        worst = ctl_fail("delete", &err);
    for (size_t i = 0; remote != NULL && i < count; i++) {
        int code;

        ctl_progress(ctl, "delete", i, count);
        code = delete_one(ctl, remote, ids[i], &w);
        if (worst == CTL_OK || worst == CTL_FINDINGS)
            worst = code != CTL_OK ? code : worst;
    }
    ctl_progress_end(ctl);
    if (ctl->json)
        cs_json_array_end(&w);
    if (remote != NULL && text.len > 0 && ctl_print(&text) != CTL_OK)
        worst = CTL_FAILED;
    ctl_remote_free(remote);
    cs_buf_clear(&text);
    return worst;
}
