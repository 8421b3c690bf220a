#include "config.h"

#include "ctl.h"

#include <getopt.h>
#include <stdio.h>

#include "base/file.h"
#include "campaign/complete.h"
#include "campaign/create.h"
#include "campaign/lifecycle.h"
#include "json/scan.h"
#include "json/write.h"

#define FILE_MAX     (1u << 30)
#define PUT_BUDGET_S 600
#define STEPS        5u

static const char help_text[] =
    "Usage: campaignctl put --user USER [OPTION]... FOLDER\n"
    "Makes a completed campaign of the files in FOLDER:\n"
    "  brief.json, final_state.json            needed\n"
    "  interactions.json, progress.json        taken where they are there\n"
    "\n"
    "  -u, --user=USER           the user that the campaign belongs to\n"
    "  -i, --id=ID               its id (default: made from the time)\n"
    "  -n, --name=NAME           its name (default: campaign_name of the brief)\n"
    "  -t, --execution-time=S    how long the generator took, in seconds\n"
    "\n"
    "Repeating it with the same --id and the same files changes nothing.\n"
    "\n"
    "Example:\n"
    "  campaignctl put --user alice share/example\n";

struct put {
    struct ctl *ctl;
    struct cs_wiring wiring;
    const char *folder;
    const char *user;
    const char *id;
    const char *name;
    const char *execution_time;
    struct cs_call call;
    struct cs_faults faults;
    struct cs_record *record;
    struct cs_buf campaign_id;
};

/* Reads a JSON file of the folder. CS_ENOTFOUND only where it is optional. */
static enum cs_code read_json(const struct put *put, const char *name, struct cs_buf *out,
                              struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(16384);
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc;

    cs_buf_add_fmt(&path, "%s/%s", put->folder, name);
    if ((rc = cs_buf_check(&path, err)) == CS_OK &&
        (rc = cs_file_read(out, cs_buf_cstr(&path), FILE_MAX, err)) == CS_OK &&
        (rc = cs_json_validate(cs_buf_view(out), NULL, &cause)) != CS_OK)
        rc = cs_err_set(err, rc, "%s: %s", cs_buf_cstr(&path), cause.text);
    cs_buf_clear(&path);
    return rc;
}

/* True where the file is there and good; a missing optional file is no error. */
static bool read_optional(const struct put *put, const char *name, struct cs_buf *out,
                          enum cs_code *rc, struct cs_err *err)
{
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code read = read_json(put, name, out, &cause);

    *rc = read == CS_ENOTFOUND ? CS_OK : read;
    if (*rc != CS_OK)
        *err = cause;
    return read == CS_OK;
}

static enum cs_code create(struct put *put, struct cs_err *err)
{
    struct cs_buf brief = CS_BUF_INIT(FILE_MAX);
    struct cs_buf body = CS_BUF_INIT(FILE_MAX);
    struct cs_json_writer w;
    bool replayed;
    enum cs_code rc = read_json(put, "brief.json", &brief, err);

    if (rc != CS_OK)
        goto out;
    cs_json_writer_init(&w, &body);
    cs_json_object(&w);
    if (put->name != NULL)
        cs_json_member_cstr(&w, "campaign_name", put->name);
    else
        cs_json_member_raw(&w, "campaign_name",
                           cs_json_slice(cs_buf_view(&brief), "campaign_name"));
    if (put->id != NULL)
        cs_json_member_cstr(&w, "campaign_id", put->id);
    cs_json_member_raw(&w, "campaign_brief", cs_buf_view(&brief));
    cs_json_object_end(&w);
    if ((rc = cs_buf_check(&body, err)) != CS_OK)
        goto out;
    rc = cs_campaign_create(&put->wiring.campaigns, &put->call, cs_buf_view(&body),
                            CS_LIT(""), &put->record, &replayed, &put->faults, err);
    /* An id of the operator's own that is there already: go on with it. */
    if (rc == CS_EEXISTS && put->id != NULL) {
        cs_err_clear(err);
        rc = cs_campaign_load(&put->wiring.campaigns, &put->call, cs_view_cstr(put->id),
                              CS_ACCESS_OWNER, false, &put->record, err);
    }
    if (rc == CS_OK)
        cs_buf_add(&put->campaign_id, put->record->key);
out:
    cs_buf_clear(&brief);
    cs_buf_clear(&body);
    return rc;
}

static enum cs_code add_run(struct put *put, struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(FILE_MAX);
    struct cs_buf ignored = CS_BUF_INIT(FILE_MAX);
    size_t appended;
    enum cs_code rc;

    if (!cs_campaign_is(put->record, "running"))
        return CS_OK;
    if (read_optional(put, "interactions.json", &body, &rc, err))
        rc = cs_campaign_interact(
            &put->wiring.campaigns, &put->call, cs_buf_view(&put->campaign_id),
            cs_buf_view(&body), CS_LIT("campaignctl put"), &appended, &put->faults, err);
    ctl_progress(put->ctl, "put", 2, STEPS);
    cs_buf_reset(&body);
    if (rc == CS_OK && read_optional(put, "progress.json", &body, &rc, err))
        rc = cs_campaign_progress(&put->wiring.campaigns, &put->call,
                                  cs_buf_view(&put->campaign_id), cs_buf_view(&body),
                                  &ignored, &put->faults, err);
    cs_buf_clear(&body);
    cs_buf_clear(&ignored);
    return rc;
}

static enum cs_code complete(struct put *put, struct cs_completion_report *report,
                             struct cs_err *err)
{
    struct cs_buf state = CS_BUF_INIT(FILE_MAX);
    struct cs_buf body = CS_BUF_INIT(FILE_MAX);
    struct cs_record *completed = NULL;
    struct cs_json_writer w;
    enum cs_code rc = read_json(put, "final_state.json", &state, err);

    if (rc != CS_OK)
        goto out;
    cs_json_writer_init(&w, &body);
    cs_json_object(&w);
    cs_json_member_raw(&w, "final_state", cs_view_trim(cs_buf_view(&state)));
    if (put->execution_time != NULL)
        cs_json_member_raw(&w, "execution_time", cs_view_cstr(put->execution_time));
    cs_json_object_end(&w);
    if ((rc = cs_buf_check(&body, err)) == CS_OK &&
        (rc = cs_json_validate(cs_buf_view(&body), NULL, err)) == CS_OK)
        rc = cs_campaign_complete(&put->wiring.campaigns, &put->call,
                                  cs_buf_view(&put->campaign_id), cs_buf_view(&body),
                                  &completed, report, &put->faults, err);
    if (rc == CS_OK) {
        cs_record_free(put->record);
        put->record = completed;
    }
out:
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

int ctl_put(struct ctl *ctl, int argc, char **argv)
{
    static const struct option longs[] = {
        {"user", required_argument, NULL, 'u'},
        {"id", required_argument, NULL, 'i'},
        {"name", required_argument, NULL, 'n'},
        {"execution-time", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct put put = {.ctl = ctl};
    int option;

    while ((option = getopt_long(argc, argv, "u:i:n:t:h", longs, NULL)) != -1) {
        switch (option) {
        case 'u':
            put.user = optarg;
            break;
        case 'i':
            put.id = optarg;
            break;
        case 'n':
            put.name = optarg;
            break;
        case 't':
            put.execution_time = optarg;
            break;
        case 'h':
            (void)fputs(help_text, stdout);
            return CTL_OK;
        default:
            return ctl_usage("put", "unknown option");
        }
    }
    if (put.user == NULL || *put.user == '\0')
        return ctl_usage("put", "--user USER is needed: whose campaign it is");
    if (argc - optind != 1)
        return ctl_usage("put", "give one folder");
    put.folder = argv[optind];
    return run(&put);
}
