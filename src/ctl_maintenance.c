#include "config.h"

#include "ctl.h"

#include <getopt.h>
#include <stdio.h>

#include "campaign/listing.h"
#include "campaign/verify.h"
#include "store/store_local.h"
#include "json/write.h"

#define LONG_BUDGET_S      (24ll * 3600)
#define DEFAULT_AGE_S      3600u
#define CRASHED_PUT_AGE_US (24ll * 3600 * CS_SECOND_US)

/* ---- init ---- */

static const char init_help[] =
    "Usage: campaignctl init\n"
    "Makes what the store needs and does not have yet. Safe to repeat.\n";

/* For a command with no option but --help. False: it is over, with *code. */
static bool only_help(const char *name, const char *help, int argc, char **argv,
                      int *code)
{
    static const struct option longs[] = {{"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option = getopt_long(argc, argv, "h", longs, NULL);

    if (option == 'h') {
        (void)fputs(help, stdout);
        *code = CTL_OK;
        return false;
    }
    if (option != -1 || optind < argc) {
        *code = ctl_usage(name, "it takes no arguments");
        return false;
    }
    return true;
}

int ctl_init(struct ctl *ctl, int argc, char **argv)
{
    struct cs_buf report = CS_BUF_INIT(64u * 1024u);
    struct cs_buf answer = CS_BUF_INIT(256u * 1024u);
    struct cs_err err = CS_ERR_NONE;
    struct cs_wiring wiring;
    struct cs_json_writer w;
    int code;

    if (!only_help("init", init_help, argc, argv, &code))
        return code;
    if (cs_wiring_init(&wiring, ctl->settings, ctl->log, false, &err) != CS_OK ||
        wiring.store->ops->init(wiring.store, &report, cs_deadline_in_ms(120000), &err) !=
            CS_OK) {
        code = ctl_fail("init", &err);
    } else if (ctl->json) {
        cs_json_writer_init(&w, &answer);
        cs_json_object(&w);
        cs_json_member_str(&w, "report", cs_view_trim(cs_buf_view(&report)));
        cs_json_object_end(&w);
        code = ctl_print(&answer);
    } else {
        cs_buf_add(&answer, cs_view_trim(cs_buf_view(&report)));
        if (answer.len == 0)
            cs_buf_add_cstr(&answer, "nothing to do: the store is complete");
        code = ctl_print(&answer);
    }
    cs_wiring_clear(&wiring);
    cs_buf_clear(&report);
    cs_buf_clear(&answer);
    return code;
}

/* ---- recount ---- */

static const char recount_help[] =
    "Usage: campaignctl recount\n"
    "Rebuilds the statistics and totals from the records.\n";

int ctl_recount(struct ctl *ctl, int argc, char **argv)
{
    struct cs_buf answer = CS_BUF_INIT(4096);
    struct cs_deadline deadline = cs_deadline_in_ms(LONG_BUDGET_S * 1000);
    struct cs_campaign_totals totals = {.total = 0};
    struct cs_err err = CS_ERR_NONE;
    struct cs_wiring wiring;
    int code;

    if (!only_help("recount", recount_help, argc, argv, &code))
        return code;
    if (ctl_open(ctl, &wiring, &err) != CS_OK ||
        cs_campaign_recount(&wiring.campaigns, deadline, &err) != CS_OK ||
        cs_campaign_totals(&wiring.campaigns, cs_view_of(NULL, 0), &totals, deadline,
                           &err) != CS_OK) {
        code = ctl_fail("recount", &err);
    } else {
        cs_buf_add_fmt(&answer,
                       ctl->json
                           ? "{\"total\":%lld,\"running\":%lld,\"completed\":%lld,"
                             "\"failed\":%lld}"
                           : "%lld campaigns: %lld running, %lld completed, %lld failed",
                       (long long)totals.total, (long long)totals.running,
                       (long long)totals.completed, (long long)totals.failed);
        code = ctl_print(&answer);
    }
    cs_wiring_clear(&wiring);
    cs_buf_clear(&answer);
    return code;
}

/* ---- fsck and cleanup ---- */

static const char fsck_help[] =
    "Usage: campaignctl fsck [--repair] [--bytes] [--age SECONDS]\n"
    "Compares records and objects. Without --repair it only tells. It may run while the\n"
    "service does.\n"
    "\n"
    "  -r, --repair       remove what no record or log names, finish interrupted "
    "deletes\n"
    "  -b, --bytes        read every object and compare its SHA-256 with the record\n"
    "  -a, --age=SECONDS  leave younger objects alone, as they may belong to a "
    "completion\n"
    "                     that is running (default 3600)\n"
    "\n"
    "Exit status: 0 all is well or was mended, 2 something stays to be done.\n";

static const char cleanup_help[] =
    "Usage: campaignctl cleanup [--yes]\n"
    "Lists the campaigns and service records that have expired, and with --yes removes\n"
    "them, objects first. It may run while the service does.\n";

static const char *const finding_names[] = {
    [CS_FINDING_MISSING_OBJECT] = "missing_object",
    [CS_FINDING_WRONG_BYTES] = "wrong_bytes",
    [CS_FINDING_ORPHAN_OBJECT] = "orphan_object",
    [CS_FINDING_ORPHAN_ENTRY] = "orphan_entry",
    [CS_FINDING_UNFINISHED_DELETE] = "unfinished_delete",
    [CS_FINDING_EXPIRED] = "expired",
};

struct finding_list {
    struct ctl *ctl;
    const char *what;
    struct cs_buf json;
    struct cs_json_writer w;
};

static void show_finding(void *payload, const struct cs_finding *finding)
{
    struct finding_list *list = payload;

    if (list->ctl->json) {
        cs_json_object(&list->w);
        cs_json_member_cstr(&list->w, "kind", finding_names[finding->kind]);
        cs_json_member_str(&list->w, "key", finding->key);
        if (finding->version.len > 0)
            cs_json_member_str(&list->w, "version", finding->version);
        cs_json_member_bool(&list->w, "repaired", finding->repaired);
        cs_json_object_end(&list->w);
        return;
    }
    ctl_progress_end(list->ctl);
    (void)printf("%-17s %-8s %.*s%s%.*s: %s\n", finding_names[finding->kind],
                 finding->repaired ? "mended" : "found", CS_FMT(finding->key),
                 finding->version.len > 0 ? "@" : "", CS_FMT(finding->version),
                 finding->text);
}

static void show_progress(void *payload, uint64_t done)
{
    struct finding_list *list = payload;

    ctl_progress(list->ctl, list->what, done, 0);
}

static int report(struct finding_list *list, const struct cs_verify_report *result)
{
    struct cs_buf text = CS_BUF_INIT(256u << 20);
    int code;

    ctl_progress_end(list->ctl);
    if (list->ctl->json) {
        struct cs_json_writer w;

        cs_json_array_end(&list->w);
        cs_json_writer_init(&w, &text);
        cs_json_object(&w);
        cs_json_member_u64(&w, "records", result->records);
        cs_json_member_u64(&w, "objects", result->objects);
        cs_json_member_u64(&w, "young", result->young);
        cs_json_member_u64(&w, "findings", result->findings);
        cs_json_member_u64(&w, "repaired", result->repaired);
        cs_json_member_raw(&w, "list", cs_buf_view(&list->json));
        cs_json_object_end(&w);
    } else {
        ctl_add_count(&text, result->records);
        cs_buf_add_cstr(&text, " records, ");
        ctl_add_count(&text, result->objects);
        cs_buf_add_cstr(&text, " objects: ");
        ctl_add_count(&text, result->findings);
        cs_buf_add_cstr(&text, " found, ");
        ctl_add_count(&text, result->repaired);
        cs_buf_add_cstr(&text, " mended");
        if (result->young > 0) {
            cs_buf_add_cstr(&text, "; ");
            ctl_add_count(&text, result->young);
            cs_buf_add_cstr(&text, " objects are too young to be looked at (--age)");
        }
    }
    code = ctl_print(&text);
    cs_buf_clear(&text);
    if (code == CTL_OK && result->findings > result->repaired)
        code = CTL_FINDINGS;
    return code;
}

typedef enum cs_code verify_fn(const struct cs_campaigns *campaigns,
                               const struct cs_call *call,
                               const struct cs_verify_options *options,
                               struct cs_verify_report *out, struct cs_err *err);

/* What crashed puts of the local store left behind; told on standard error,
 * since it is nobody's data. */
static void clean_local(struct ctl *ctl, struct cs_store *store)
{
    struct cs_local_cleanup cleanup;
    struct cs_err err = CS_ERR_NONE;

    if (!cs_settings_is(ctl->settings, CS_SET_STORE, "local"))
        return;
    if (cs_store_local_cleanup(store, cs_clock_now_us() - CRASHED_PUT_AGE_US, false,
                               &cleanup, cs_deadline_in_ms(600000), &err) != CS_OK)
        (void)ctl_fail("unfinished puts", &err);
    else if (cleanup.files_removed > 0 && !ctl->json)
        (void)printf("removed %llu unfinished puts\n",
                     (unsigned long long)cleanup.files_removed);
}

static int run_verify(struct ctl *ctl, const char *name, verify_fn *verify,
                      const struct cs_verify_options *wanted)
{
    struct finding_list list = {
        .ctl = ctl, .what = name, .json = CS_BUF_INIT(256u << 20)};
    struct cs_verify_options options = *wanted;
    struct cs_call call = ctl_call("", LONG_BUDGET_S);
    struct cs_verify_report result = {.records = 0};
    struct cs_err err = CS_ERR_NONE;
    struct cs_wiring wiring;
    int code;

    cs_json_writer_init(&list.w, &list.json);
    cs_json_array(&list.w);
    options.finding = show_finding;
    options.progress = show_progress;
    options.payload = &list;
    if (ctl_open(ctl, &wiring, &err) != CS_OK ||
        verify(&wiring.campaigns, &call, &options, &result, &err) != CS_OK) {
        ctl_progress_end(ctl);
        code = ctl_fail(name, &err);
    } else {
        if (options.repair)
            clean_local(ctl, wiring.store);
        code = report(&list, &result);
    }
    cs_wiring_clear(&wiring);
    cs_buf_clear(&list.json);
    return code;
}

int ctl_fsck(struct ctl *ctl, int argc, char **argv)
{
    static const struct option longs[] = {
        {"repair", no_argument, NULL, 'r'},
        {"bytes", no_argument, NULL, 'b'},
        {"age", required_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct cs_verify_options options = {.repair = false};
    uint64_t age_s = DEFAULT_AGE_S;
    int option;

    while ((option = getopt_long(argc, argv, "rba:h", longs, NULL)) != -1) {
        switch (option) {
        case 'r':
            options.repair = true;
            break;
        case 'b':
            options.check_bytes = true;
            break;
        case 'a':
            if (!cs_view_to_u64(cs_view_cstr(optarg), &age_s) || age_s > 10000000)
                return ctl_usage("fsck", "--age takes a number of seconds");
            break;
        case 'h':
            (void)fputs(fsck_help, stdout);
            return CTL_OK;
        default:
            return ctl_usage("fsck", "unknown option");
        }
    }
    if (optind < argc)
        return ctl_usage("fsck", "it takes no arguments");
    options.orphan_age_us = (int64_t)age_s * CS_SECOND_US;
    return run_verify(ctl, "fsck", cs_campaigns_verify, &options);
}

int ctl_cleanup(struct ctl *ctl, int argc, char **argv)
{
    static const struct option longs[] = {{"yes", no_argument, NULL, 'y'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct cs_verify_options options = {.repair = false};
    int option;

    while ((option = getopt_long(argc, argv, "yh", longs, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(cleanup_help, stdout);
            return CTL_OK;
        }
        if (option != 'y')
            return ctl_usage("cleanup", "unknown option");
        options.repair = true;
    }
    if (optind < argc)
        return ctl_usage("cleanup", "it takes no arguments");
    return run_verify(ctl, "cleanup", cs_campaigns_cleanup, &options);
}
