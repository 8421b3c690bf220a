#include "config.h"

#include "ctl_put.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "campaign/artifacts.h"
#include "campaign/complete.h"
#include "campaign/create.h"
#include "campaign/lifecycle.h"
#include "campaign/progress.h"
#include "json/scan.h"
#include "json/write.h"

#define PUT_BUDGET_S 600
#define STEPS        5u

static const char help_text[] =
    "Usage: campaignctl put --user USER [OPTION]... FOLDER\n"
    "       campaignctl put --url URL [OPTION]... FOLDER\n"
    "Makes a completed campaign of the files in FOLDER, here or at a service elsewhere:\n"
    "  brief.json, final_state.json            needed\n"
    "  interactions.json, progress.json        taken where they are there\n"
    "  website.html, report.pdf                in place of those rendered\n"
    "  files/NAME                              further files\n"
    "\n"
    "  -u, --user=USER           the user that the campaign belongs to\n"
    "  -i, --id=ID               its id (default: made from the time)\n"
    "  -n, --name=NAME           its name (default: campaign_name of the brief)\n"
    "  -t, --execution-time=S    how long the generator took, in "
    "seconds\n" CTL_REMOTE_HELP "\n"
    "Repeating it with the same --id and the same files changes nothing. What the\n"
    "server at URL takes at once goes so, the rest in parts; a repeat after an\n"
    "interruption sends only the parts that lack.\n"
    "\n"
    "Examples:\n"
    "  campaignctl put --user alice share/example\n"
    "  campaignctl put --url https://campaigns.example.com/api/v1 --token-file token \\\n"
    "      --id spring share/example\n";

struct put {
    struct ctl *ctl;
    struct cs_wiring wiring;
    const char *user;
    const struct ctl_put_source *source;
    struct cs_call call;
    struct cs_faults faults;
    struct cs_record *record;
    struct cs_buf campaign_id;
};

/* ---- the folder ---- */

static void add_path(struct cs_buf *out, const struct ctl_put_source *source,
                     const char *name)
{
    cs_buf_add_fmt(out, "%s/%s", source->folder, name);
}

enum cs_code ctl_put_read(const struct ctl_put_source *source, const char *name,
                          struct cs_buf *out, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(16384);
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc;

    add_path(&path, source, name);
    if ((rc = cs_buf_check(&path, err)) == CS_OK &&
        (rc = cs_file_read(out, cs_buf_cstr(&path), CTL_PUT_FILE_MAX, err)) == CS_OK &&
        (rc = cs_json_validate(cs_buf_view(out), NULL, &cause)) != CS_OK)
        rc = cs_err_set(err, rc, "%s: %s", cs_buf_cstr(&path), cause.text);
    cs_buf_clear(&path);
    return rc;
}

bool ctl_put_read_optional(const struct ctl_put_source *source, const char *name,
                           struct cs_buf *out, enum cs_code *rc, struct cs_err *err)
{
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code read = ctl_put_read(source, name, out, &cause);

    *rc = read == CS_ENOTFOUND ? CS_OK : read;
    if (*rc != CS_OK)
        cs_err_hand_on(err, &cause);
    return read == CS_OK;
}

enum cs_code ctl_put_creation(const struct ctl_put_source *source, struct cs_buf *out,
                              struct cs_err *err)
{
    struct cs_buf brief = CS_BUF_INIT(CTL_PUT_FILE_MAX);
    struct cs_json_writer w;
    enum cs_code rc = ctl_put_read(source, "brief.json", &brief, err);

    if (rc == CS_OK) {
        cs_json_writer_init(&w, out);
        cs_json_object(&w);
        if (source->name != NULL)
            cs_json_member_cstr(&w, "campaign_name", source->name);
        else
            cs_json_member_raw(&w, "campaign_name",
                               cs_json_slice(cs_buf_view(&brief), "campaign_name"));
        if (source->id != NULL)
            cs_json_member_cstr(&w, "campaign_id", source->id);
        cs_json_member_raw(&w, "campaign_brief", cs_view_trim(cs_buf_view(&brief)));
        cs_json_object_end(&w);
        rc = cs_buf_check(out, err);
    }
    cs_buf_clear(&brief);
    return rc;
}

enum cs_code ctl_put_completion(const struct ctl_put_source *source, const char *member,
                                struct cs_view value, struct cs_buf *out,
                                struct cs_err *err)
{
    struct cs_json_writer w;
    enum cs_code rc;

    cs_json_writer_init(&w, out);
    cs_json_object(&w);
    cs_json_member_raw(&w, member, cs_view_trim(value));
    if (source->execution_time != NULL)
        cs_json_member_raw(&w, "execution_time", cs_view_cstr(source->execution_time));
    cs_json_object_end(&w);
    rc = cs_buf_check(out, err);
    return rc == CS_OK ? cs_json_validate(cs_buf_view(out), NULL, err) : rc;
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* One file, where it is there. */
static enum cs_code take_artifact(const struct ctl_put_source *source, const char *file,
                                  const char *name, ctl_put_artifact_fn *callback,
                                  void *payload, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(16384);
    struct ctl_body body;
    enum cs_code rc;

    add_path(&path, source, file);
    if ((rc = cs_buf_check(&path, err)) == CS_OK &&
        access(cs_buf_cstr(&path), F_OK) == 0 &&
        (rc = ctl_body_of_file(&body, cs_buf_cstr(&path), err)) == CS_OK) {
        rc = callback(payload, name, &body, err);
        ctl_body_clear(&body);
    }
    cs_buf_clear(&path);
    return rc;
}

enum cs_code ctl_put_each_artifact(const struct ctl_put_source *source,
                                   ctl_put_artifact_fn *callback, void *payload,
                                   struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(16384);
    struct dirent **entries = NULL;
    int count = 0;
    enum cs_code rc;

    add_path(&path, source, "files");
    if ((rc = cs_buf_check(&path, err)) == CS_OK &&
        (rc = take_artifact(source, "website.html", "website", callback, payload, err)) ==
            CS_OK &&
        (rc = take_artifact(source, "report.pdf", "pdf", callback, payload, err)) ==
            CS_OK)
        count = scandir(cs_buf_cstr(&path), &entries, is_shown, alphasort);
    if (count < 0 && errno != ENOENT)
        rc = cs_err_errno(err, errno, "%s can't be read", cs_buf_cstr(&path));
    for (int i = 0; i < count; i++) {
        cs_buf_reset(&path);
        cs_buf_add_fmt(&path, "files/%s", entries[i]->d_name);
        free(entries[i]);
        if (rc == CS_OK && (rc = cs_buf_check(&path, err)) == CS_OK)
            rc = take_artifact(source, cs_buf_cstr(&path), cs_buf_cstr(&path), callback,
                               payload, err);
    }
    free(entries);
    cs_buf_clear(&path);
    return rc;
}

/* ---- into the store of this machine ---- */

static enum cs_code create(struct put *put, struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(CTL_PUT_FILE_MAX);
    const char *id = put->source->id;
    bool replayed;
    enum cs_code rc = ctl_put_creation(put->source, &body, err);

    if (rc != CS_OK)
        goto out;
    rc = cs_campaign_create(&put->wiring.campaigns, &put->call, cs_buf_view(&body),
                            CS_LIT(""), &put->record, &replayed, &put->faults, err);
    /* An id of the operator's own that is there already: go on with it. */
    if (rc == CS_EEXISTS && id != NULL) {
        cs_err_clear(err);
        rc = cs_campaign_load(&put->wiring.campaigns, &put->call, cs_view_cstr(id),
                              CS_ACCESS_OWNER, false, &put->record, err);
    }
    if (rc == CS_OK)
        cs_buf_add(&put->campaign_id, put->record->key);
out:
    cs_buf_clear(&body);
    return rc;
}

static enum cs_code add_run(struct put *put, struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(CTL_PUT_FILE_MAX);
    struct cs_buf ignored = CS_BUF_INIT(CTL_PUT_FILE_MAX);
    size_t appended;
    enum cs_code rc;

    if (!cs_campaign_is(put->record, "running"))
        return CS_OK;
    if (ctl_put_read_optional(put->source, "interactions.json", &body, &rc, err))
        rc = cs_campaign_interact(
            &put->wiring.campaigns, &put->call, cs_buf_view(&put->campaign_id),
            cs_buf_view(&body), CS_LIT("campaignctl put"), &appended, &put->faults, err);
    ctl_progress(put->ctl, "put", 2, STEPS);
    cs_buf_reset(&body);
    if (rc == CS_OK &&
        ctl_put_read_optional(put->source, "progress.json", &body, &rc, err))
        rc = cs_campaign_progress(&put->wiring.campaigns, &put->call,
                                  cs_buf_view(&put->campaign_id), cs_buf_view(&body),
                                  &ignored, &put->faults, err);
    cs_buf_clear(&body);
    cs_buf_clear(&ignored);
    return rc;
}

struct file_reader {
    const struct ctl_body *body;
    uint64_t at;
};

static enum cs_code read_body(void *payload, char *to, size_t room, size_t *got_out,
                              struct cs_err *err)
{
    struct file_reader *reader = payload;
    ssize_t got = pread(reader->body->fd, to, room, (off_t)reader->at);

    *got_out = got > 0 ? (size_t)got : 0;
    reader->at += *got_out;
    return got >= 0 ? CS_OK : cs_err_errno(err, errno, "a file can't be read");
}

static enum cs_code put_artifact(void *payload, const char *name,
                                 const struct ctl_body *body, struct cs_err *err)
{
    struct put *put = payload;
    struct file_reader reader = {body, 0};
    const struct cs_artifact_upload upload = {
        .name = cs_view_cstr(name),
        .content_type = cs_artifact_content_type(cs_view_cstr(name)),
        .size = body->size,
        .sha256 = cs_view_cstr(body->sha256),
        .read = read_body,
        .payload = &reader};
    struct cs_object stored = {.bucket = NULL};
    enum cs_code rc;

    if (cs_artifact_kind(upload.name) == NULL)
        return cs_err_set(err, CS_EINVAL, "%s: " CTL_PUT_BAD_NAME, name);
    rc = cs_artifact_put(&put->wiring.campaigns, &put->call,
                         cs_buf_view(&put->campaign_id), &upload, &stored, err);
    cs_object_clear(&stored);
    return rc;
}

static enum cs_code add_artifacts(struct put *put, struct cs_err *err)
{
    if (!cs_campaign_is(put->record, "running"))
        return CS_OK;
    return ctl_put_each_artifact(put->source, put_artifact, put, err);
}

static enum cs_code complete(struct put *put, struct cs_completion_report *report,
                             struct cs_err *err)
{
    struct cs_buf state = CS_BUF_INIT(CTL_PUT_FILE_MAX);
    struct cs_buf body = CS_BUF_INIT(CTL_PUT_FILE_MAX);
    struct cs_record *completed = NULL;
    enum cs_code rc = ctl_put_read(put->source, "final_state.json", &state, err);

    if (rc == CS_OK &&
        (rc = ctl_put_completion(put->source, "final_state", cs_buf_view(&state), &body,
                                 err)) == CS_OK)
        rc = cs_campaign_complete(&put->wiring.campaigns, &put->call,
                                  cs_buf_view(&put->campaign_id), cs_buf_view(&body),
                                  &completed, report, &put->faults, err);
    if (rc == CS_OK) {
        cs_record_free(put->record);
        put->record = completed;
    }
    cs_buf_clear(&state);
    cs_buf_clear(&body);
    return rc;
}

static int print_result(struct put *put, const struct cs_completion_report *report)
{
    struct cs_buf text = CS_BUF_INIT(1u << 20);
    struct cs_json_writer w;
    int code;

    if (put->ctl->json) {
        cs_json_writer_init(&w, &text);
        cs_json_object(&w);
        cs_json_member_str(&w, "campaign_id", put->record->key);
        cs_json_member_str(&w, "status", put->record->status);
        cs_json_member_u64(&w, "pdf_pages", report->pages);
        cs_json_member_u64(&w, "missing_glyphs", report->missing_glyphs);
        cs_json_member_bool(&w, "replayed", report->replayed);
        cs_json_object_end(&w);
    } else {
        cs_buf_add_fmt(&text, "%.*s completed", CS_FMT(put->record->key));
        if (report->replayed)
            cs_buf_add_cstr(&text, " before, with the same state");
        else
            cs_buf_add_fmt(&text, ": PDF of %u pages", report->pages);
        if (report->missing_glyphs > 0)
            cs_buf_add_fmt(&text, ", %u characters that no font has",
                           report->missing_glyphs);
    }
    code = ctl_print(&text);
    cs_buf_clear(&text);
    return code;
}

static int run(struct put *put)
{
    struct cs_completion_report report = {.pages = 0};
    struct cs_err err = CS_ERR_NONE;
    enum cs_code rc;
    int code;

    cs_faults_init(&put->faults);
    cs_buf_init(&put->campaign_id, CS_CAMPAIGN_ID_MAX);
    rc = cs_wiring_init(&put->wiring, put->ctl->settings, put->ctl->log, true, &err);
    put->call = ctl_call(put->user, PUT_BUDGET_S);
    if (rc == CS_OK)
        rc = create(put, &err);
    ctl_progress(put->ctl, "put", 1, STEPS);
    if (rc == CS_OK)
        rc = add_run(put, &err);
    ctl_progress(put->ctl, "put", 3, STEPS);
    if (rc == CS_OK)
        rc = add_artifacts(put, &err);
    put->call.now_us = cs_clock_now_us();
    if (rc == CS_OK)
        rc = complete(put, &report, &err);
    ctl_progress_end(put->ctl);
    code = rc == CS_OK ? print_result(put, &report) : ctl_fail("put", &err);
    if (rc != CS_OK && put->faults.count > 0)
        (void)fprintf(stderr, "%s\n", cs_buf_cstr(&put->faults.json));
    cs_record_free(put->record);
    cs_buf_clear(&put->campaign_id);
    cs_faults_clear(&put->faults);
    cs_wiring_clear(&put->wiring);
    return code;
}

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, const char **user,
                        struct ctl_put_source *source, struct ctl_remote_options *remote)
{
    static const struct option longs[] = {
        {"user", required_argument, NULL, 'u'},
        {"id", required_argument, NULL, 'i'},
        {"name", required_argument, NULL, 'n'},
        {"execution-time", required_argument, NULL, 't'},
        CTL_REMOTE_LONG,
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const struct {
        int option;
        const char **value;
    } values[] = {{'u', user},
                  {'i', &source->id},
                  {'n', &source->name},
                  {'t', &source->execution_time}};
    int option;

    while ((option = getopt_long(argc, argv, "u:i:n:t:h" CTL_REMOTE_SHORT, longs,
                                 NULL)) != -1) {
        if (option == 'h')
            return fputs(help_text, stdout) < 0 ? CTL_FAILED : CTL_OK;
        if (option == '?')
            return ctl_usage("put", "unknown option");
        (void)ctl_remote_option(remote, option, optarg);
        for (size_t i = 0; i < CS_COUNT(values); i++)
            if (values[i].option == option)
                *values[i].value = optarg;
    }
    return -1;
}

int ctl_put(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_remote_options remote = {.url = NULL};
    struct ctl_put_source source = {.folder = NULL};
    struct put put = {.ctl = ctl, .source = &source};
    int code = read_options(argc, argv, &put.user, &source, &remote);

    if (code >= 0)
        return code;
    if (remote.url != NULL && put.user != NULL)
        return ctl_usage("put", "give --user or --url: a remote campaign belongs to the "
                                "user of the token");
    if (remote.url == NULL && (put.user == NULL || *put.user == '\0'))
        return ctl_usage("put", "--user USER is needed: whose campaign it is");
    if (argc - optind != 1)
        return ctl_usage("put", "give one folder");
    source.folder = argv[optind];
    return remote.url != NULL ? ctl_put_remote(ctl, &source, &remote) : run(&put);
}
