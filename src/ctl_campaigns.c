#include "config.h"

#include "ctl_remote.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "campaign/artifacts.h"
#include "campaign/listing.h"
#include "campaign/remove.h"
#include "json/scan.h"
#include "json/write.h"

#define LIST_BUDGET_S   600
#define DELETE_BUDGET_S 600
#define PAGE            100u

/* ---- list ---- */

static const char list_help[] =
    "Usage: campaignctl list [--user USER | --status STATUS] [--limit N]\n"
    "       campaignctl list --url URL [--user USER] [--status STATUS] [--limit N]\n"
    "Lists campaigns, newest first. At a service elsewhere those of the token's user;\n"
    "another user's is for administrators.\n"
    "\n"
    "  -u, --user=USER           the campaigns of one user\n"
    "  -S, --status=STATUS       running, completed, failed or deleting, of all users\n"
    "  -n, --limit=N             at most so many (default 1000)\n" CTL_REMOTE_HELP;

/* Of all users there is a list by status alone. */
static const char *const statuses[] = {"running", "completed", "failed", "deleting"};
#define STREAMS_MAX CS_COUNT(statuses)

struct stream {
    struct cs_list_query query;
    struct cs_record_page page;
    size_t at; /* the record that is next */
    bool begun;
};

struct list {
    struct ctl *ctl;
    struct stream streams[STREAMS_MAX];
    size_t stream_count;
    uint64_t left;
    struct cs_buf text;
    struct cs_json_writer w;
    struct cs_buf last; /* key of the campaign that was shown last */
    uint64_t shown;
};

static bool json_member(void *payload, struct cs_view name, struct cs_view value)
{
    cs_json_member_as_written(payload, name, value);
    return true;
}

static void add_decoded(struct cs_buf *out, struct cs_view summary, const char *name)
{
    struct cs_buf text = CS_BUF_INIT(64u * 1024u);

    if (cs_json_slice_string(&text, summary, name))
        cs_buf_add(out, cs_buf_view(&text));
    else
        cs_buf_add_byte(out, '-');
    cs_buf_clear(&text);
}

static void show_row(struct list *list, const struct cs_record *record)
{
    if (list->ctl->json) {
        cs_json_object(&list->w);
        cs_json_each_member(record->summary, json_member, &list->w);
        cs_json_object_end(&list->w);
        return;
    }
    cs_buf_add_fmt(&list->text, "%s%-34.*s %-9.*s %.19s  ",
                   list->text.len > 0 ? "\n" : "", CS_FMT(record->key),
                   CS_FMT(record->status),
                   record->created_at.len >= 19 ? record->created_at.ptr : "-");
    add_decoded(&list->text, record->summary, "user_id");
    cs_buf_add_cstr(&list->text, "  ");
    add_decoded(&list->text, record->summary, "campaign_name");
}

/* The stream's next record, NULL at its end. */
static enum cs_code peek(const struct list *list, struct stream *stream,
                         struct cs_store *store, struct cs_deadline deadline,
                         const struct cs_record **out, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    while (rc == CS_OK && stream->at == stream->page.count &&
           (!stream->begun || stream->page.next_cursor != NULL)) {
        char *cursor = stream->page.next_cursor;

        stream->page.next_cursor = NULL;
        cs_record_page_clear(&stream->page);
        stream->begun = true;
        stream->at = 0;
        stream->query.cursor = cs_view_cstr(cursor);
        stream->query.limit = list->left < PAGE ? (size_t)list->left : PAGE;
        rc = store->ops->list(store, &stream->query, &stream->page, deadline, err);
        free(cursor);
    }
    *out = stream->at < stream->page.count ? stream->page.records[stream->at] : NULL;
    return rc;
}

/* Newest first, as each stream is. */
static bool goes_before(const struct cs_record *record, const struct cs_record *other)
{
    int order = cs_view_compare(record->created_at, other->created_at);

    return order > 0 || (order == 0 && cs_view_compare(record->key, other->key) > 0);
}

static enum cs_code show_next(struct list *list, struct cs_store *store,
                              struct cs_deadline deadline, bool *more_out,
                              struct cs_err *err)
{
    const struct cs_record *best = NULL;
    struct stream *from = NULL;

    for (size_t i = 0; i < list->stream_count; i++) {
        const struct cs_record *record;
        enum cs_code rc = peek(list, &list->streams[i], store, deadline, &record, err);

        if (rc != CS_OK)
            return rc;
        if (record != NULL && (best == NULL || goes_before(record, best))) {
            best = record;
            from = &list->streams[i];
        }
    }
    *more_out = best != NULL;
    if (best == NULL)
        return CS_OK;
    from->at++;
    /* one whose status has just changed stands in two streams */
    if (best->key.ptr[0] == '#' || cs_view_eq(best->key, cs_buf_view(&list->last)))
        return CS_OK;
    cs_buf_reset(&list->last);
    cs_buf_add(&list->last, best->key);
    show_row(list, best);
    list->shown++;
    list->left--;
    return cs_buf_check(&list->last, err);
}

static enum cs_code show_all(struct list *list, struct cs_store *store,
                             struct cs_err *err)
{
    struct cs_deadline deadline = cs_deadline_in_ms(LIST_BUDGET_S * 1000ll);
    bool more = true;
    enum cs_code rc = CS_OK;

    while (rc == CS_OK && more && list->left > 0)
        rc = show_next(list, store, deadline, &more, err);
    for (size_t i = 0; i < list->stream_count; i++)
        cs_record_page_clear(&list->streams[i].page);
    return rc;
}

static void choose_streams(struct list *list, const struct ctl_remote_list *wanted)
{
    const char *status = wanted->status;

    list->stream_count = wanted->user != NULL || status != NULL ? 1 : STREAMS_MAX;
    for (size_t i = 0; i < list->stream_count; i++)
        list->streams[i].query = (struct cs_list_query){
            .index = CS_LIST_STATUS,
            .value = cs_view_cstr(status != NULL ? status : statuses[i])};
    if (wanted->user != NULL)
        list->streams[0].query = (struct cs_list_query){
            .index = CS_LIST_USER, .value = cs_view_cstr(wanted->user)};
}

static int run_list(struct ctl *ctl, const struct ctl_remote_list *wanted)
{
    struct list list = {.ctl = ctl,
                        .left = wanted->limit,
                        .text = CS_BUF_INIT(1u << 30),
                        .last = CS_BUF_INIT(CS_RECORD_KEY_MAX)};
    struct cs_err err = CS_ERR_NONE;
    struct cs_wiring wiring;
    int code;

    choose_streams(&list, wanted);
    cs_json_writer_init(&list.w, &list.text);
    if (ctl->json)
        cs_json_array(&list.w);
    if (ctl_open(ctl, &wiring, &err) != CS_OK ||
        show_all(&list, wiring.store, &err) != CS_OK) {
        code = ctl_fail("list", &err);
    } else {
        if (ctl->json)
            cs_json_array_end(&list.w);
        else if (list.shown == 0)
            cs_buf_add_cstr(&list.text, "no campaigns");
        code = ctl_print(&list.text);
    }
    cs_wiring_clear(&wiring);
    cs_buf_clear(&list.text);
    cs_buf_clear(&list.last);
    return code;
}

int ctl_list(struct ctl *ctl, int argc, char **argv)
{
    static const struct option longs[] = {
        {"user", required_argument, NULL, 'u'},  {"status", required_argument, NULL, 'S'},
        {"limit", required_argument, NULL, 'n'}, CTL_REMOTE_LONG,
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
    };
    struct ctl_remote_options remote = {.url = NULL};
    struct ctl_remote_list wanted = {.limit = 1000};
    int option;

    while ((option = getopt_long(argc, argv, "u:S:n:h" CTL_REMOTE_SHORT, longs, NULL)) !=
           -1) {
        switch (option) {
        case 'u':
            wanted.user = optarg;
            break;
        case 'S':
            wanted.status = optarg;
            break;
        case 'n':
            if (!cs_view_to_u64(cs_view_cstr(optarg), &wanted.limit) || wanted.limit == 0)
                return ctl_usage("list", "--limit takes a number");
            break;
        case 'h':
            (void)fputs(list_help, stdout);
            return CTL_OK;
        default:
            if (!ctl_remote_option(&remote, option, optarg))
                return ctl_usage("list", "unknown option");
        }
    }
    if (optind < argc)
        return ctl_usage("list", "it takes options alone");
    if (remote.url != NULL)
        return ctl_list_remote(ctl, &wanted, &remote);
    if (wanted.user != NULL && wanted.status != NULL)
        return ctl_usage("list", "give --user or --status");
    return run_list(ctl, &wanted);
}

/* Options of show and delete, which both take ids. -1: go on; else the exit status. */
static int read_ids(const char *command, const char *help, int argc, char **argv,
                    struct ctl_remote_options *remote)
{
    static const struct option longs[] = {
        CTL_REMOTE_LONG, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "h" CTL_REMOTE_SHORT, longs, NULL)) != -1) {
        if (option == 'h')
            return fputs(help, stdout) < 0 ? CTL_FAILED : CTL_OK;
        if (!ctl_remote_option(remote, option, optarg))
            return ctl_usage(command, "unknown option");
    }
    return -1;
}

/* ---- show ---- */

static const char show_help[] = "Usage: campaignctl show [--url URL] ID\n"
                                "Shows a campaign's record and its artifacts.\n"
                                "\n" CTL_REMOTE_HELP;

static bool show_member(void *payload, struct cs_view name, struct cs_view value)
{
    struct cs_buf *out = payload;

    if (cs_view_eq(name, CS_LIT("files")) || cs_view_eq(name, CS_LIT("versions")))
        return true;
    cs_buf_add_fmt(out, "%-16.*s ", CS_FMT(name));
    if (value.len > 0 && value.ptr[0] == '"')
        (void)!cs_json_decode_string(out, value, NULL);
    else if (value.len > 300)
        cs_buf_add_fmt(out, "%.*s... (%zu bytes; --json shows all)", 200, value.ptr,
                       value.len);
    else
        cs_buf_add(out, value);
    cs_buf_add_byte(out, '\n');
    return true;
}

static bool show_artifact(void *payload, struct cs_view name,
                          const struct cs_artifact *artifact)
{
    struct cs_buf *out = payload;

    cs_buf_add_fmt(out, "  %-20.*s %-26.*s ", CS_FMT(name),
                   CS_FMT(artifact->content_type));
    ctl_add_bytes(out, artifact->size);
    cs_buf_add_fmt(out, "  sha256 %.*s%s\n", CS_FMT(artifact->sha256),
                   artifact->supplied ? "  (supplied)" : "");
    return true;
}

static void show_record(const struct ctl *ctl, const struct cs_record *record,
                        struct cs_buf *out)
{
    struct cs_json_writer w;

    if (ctl->json) {
        cs_json_writer_init(&w, out);
        cs_json_object(&w);
        cs_json_each_member(record->summary, json_member, &w);
        cs_json_each_member(record->detail, json_member, &w);
        cs_json_object_end(&w);
        return;
    }
    cs_json_each_member(record->summary, show_member, out);
    cs_json_each_member(record->detail, show_member, out);
    cs_buf_add_cstr(out, "artifacts\n");
    cs_artifact_each(record, show_artifact, out);
    cs_buf_truncate(out, out->len - 1);
}

int ctl_show(struct ctl *ctl, int argc, char **argv)
{
    struct cs_buf text = CS_BUF_INIT(64u << 20);
    struct cs_call call = ctl_call("", LIST_BUDGET_S);
    struct cs_err err = CS_ERR_NONE;
    struct cs_record *record = NULL;
    struct ctl_remote_options remote = {.url = NULL};
    struct cs_wiring wiring;
    int code = read_ids("show", show_help, argc, argv, &remote);

    if (code >= 0)
        return code;
    if (argc - optind != 1)
        return ctl_usage("show", "give one campaign id");
    argv += optind;
    if (remote.url != NULL)
        return ctl_show_remote(ctl, argv[0], &remote);
    if (ctl_open(ctl, &wiring, &err) != CS_OK ||
        cs_campaign_load(&wiring.campaigns, &call, cs_view_cstr(argv[0]),
                         CS_ACCESS_OWNER_OR_ADMIN, true, &record, &err) != CS_OK) {
        code = ctl_fail(argv[0], &err);
    } else {
        show_record(ctl, record, &text);
        code = ctl_print(&text);
    }
    cs_record_free(record);
    cs_wiring_clear(&wiring);
    cs_buf_clear(&text);
    return code;
}

/* ---- delete ---- */

static const char delete_help[] = "Usage: campaignctl delete [--url URL] ID...\n"
                                  "Deletes campaigns with everything that belongs to "
                                  "them, and prints a receipt for each.\n"
                                  "\n"
                                  "Exit status: 0 all are gone, 2 something is left "
                                  "(repeat to finish), 66 not found.\n"
                                  "\n" CTL_REMOTE_HELP;

static void add_receipt(const struct ctl *ctl, struct cs_json_writer *w, const char *id,
                        const struct cs_removal *removal)
{
    if (!ctl->json) {
        cs_buf_add_fmt(w->out, "%s%s: %s, %llu objects (%llu bytes), %llu records%s%s",
                       w->out->len > 0 ? "\n" : "", id,
                       removal->records_ok ? "deleted" : "incomplete",
                       (unsigned long long)removal->objects.objects_deleted,
                       (unsigned long long)removal->objects.bytes_deleted,
                       (unsigned long long)removal->records_deleted,
                       removal->objects_ok ? "" : "; ", removal->objects_error);
        return;
    }
    cs_json_object(w);
    cs_json_member_cstr(w, "campaign_id", id);
    cs_json_member_bool(w, "success", removal->objects_ok && removal->records_ok);
    cs_json_member_u64(w, "objects_deleted", removal->objects.objects_deleted);
    cs_json_member_u64(w, "versions_deleted", removal->objects.versions_deleted);
    cs_json_member_u64(w, "bytes_deleted", removal->objects.bytes_deleted);
    cs_json_member_u64(w, "left", removal->objects.left);
    cs_json_member_u64(w, "records_deleted", removal->records_deleted);
    cs_json_member_cstr(w, "objects_error", removal->objects_error);
    cs_json_member_cstr(w, "records_error", removal->records_error);
    cs_json_object_end(w);
}

/* One after the other; goes on after a failure, and returns the worst status. */
static int delete_all(struct ctl *ctl, const struct cs_wiring *wiring, char **ids,
                      size_t count, struct cs_json_writer *w)
{
    int worst = CTL_OK;

    for (size_t i = 0; i < count; i++) {
        struct cs_call call = ctl_call("", DELETE_BUDGET_S);
        struct cs_err err = CS_ERR_NONE;
        struct cs_removal removal;

        ctl_progress(ctl, "delete", i, count);
        if (cs_campaign_remove(&wiring->campaigns, &call, cs_view_cstr(ids[i]), &removal,
                               &err) != CS_OK) {
            ctl_progress_end(ctl);
            worst = ctl_fail(ids[i], &err);
            continue;
        }
        add_receipt(ctl, w, ids[i], &removal);
        if (!removal.records_ok && worst == CTL_OK)
            worst = CTL_FINDINGS;
    }
    ctl_progress_end(ctl);
    return worst;
}

int ctl_delete(struct ctl *ctl, int argc, char **argv)
{
    struct cs_buf text = CS_BUF_INIT(256u << 20);
    struct cs_err err = CS_ERR_NONE;
    struct cs_json_writer w;
    struct ctl_remote_options remote = {.url = NULL};
    struct cs_wiring wiring;
    size_t count;
    int code = read_ids("delete", delete_help, argc, argv, &remote);

    if (code >= 0)
        return code;
    if (optind >= argc)
        return ctl_usage("delete", "give at least one campaign id");
    argv += optind;
    count = (size_t)(argc - optind);
    if (remote.url != NULL)
        return ctl_delete_remote(ctl, argv, count, &remote);
    cs_json_writer_init(&w, &text);
    if (ctl->json)
        cs_json_array(&w);
    if (ctl_open(ctl, &wiring, &err) != CS_OK) {
        code = ctl_fail("delete", &err);
    } else {
        code = delete_all(ctl, &wiring, argv, count, &w);
        if (ctl->json)
            cs_json_array_end(&w);
        if (text.len > 0 && ctl_print(&text) != CTL_OK)
            code = CTL_FAILED;
    }
    cs_wiring_clear(&wiring);
    cs_buf_clear(&text);
    return code;
}
