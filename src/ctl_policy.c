#include "config.h"

#include "ctl.h"

#include <getopt.h>
#include <stdio.h>

#include "store/store_aws.h"

#define ACCOUNT_LEN 12u
#define POLICY_MAX  (256u << 10)

static const char help_text[] =
    "Usage: campaignctl policy [OPTION]...\n"
    "Prints the smallest IAM policy that the AWS store works with, as the settings have "
    "it:\n"
    "bucket, table, regions, S3_KMS_KEY_ID, S3_VERSIONING, S3_BUCKET_TAGS, and\n"
    "AWS_CREATE_MISSING, which brings the permissions to make bucket and table.\n"
    "\n"
    "  --for=WHOM     service (default): what campaignd calls; operator: what\n"
    "                 campaignctl calls, too: to make bucket and table (init), to list\n"
    "                 by status, to go through all items (recount, fsck, cleanup), and\n"
    "                 to look how bucket and table are set up (doctor)\n"
    "  --account=ID   name the AWS account in the ARNs (default: any, \"*\")\n"
    "  --help         print this help\n"
    "\n"
    "Example:\n"
    "  campaignctl --set CAMPAIGN_STORE=aws policy > policy.json\n";

static bool is_account(const char *text)
{
    return strlen(text) == ACCOUNT_LEN && strspn(text, "0123456789") == ACCOUNT_LEN;
}

static bool is_whom(const char *text)
{
    return strcmp(text, "service") == 0 || strcmp(text, "operator") == 0;
}

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, struct cs_store_aws_grants *grants)
{
    static const struct option longs[] = {{"account", required_argument, NULL, 'a'},
                                          {"for", required_argument, NULL, 'f'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (option == 'a' && is_account(optarg)) {
            grants->account = optarg;
        } else if (option == 'f' && is_whom(optarg)) {
            grants->operate = strcmp(optarg, "operator") == 0;
        } else if (option == 'h') {
            return fputs(help_text, stdout) < 0 ? CTL_FAILED : CTL_OK;
        } else {
            return ctl_usage("policy", option == 'a'   ? "an account has 12 digits"
                                       : option == 'f' ? "--for takes service or operator"
                                                       : "it takes the options below");
        }
    }
    return optind < argc ? ctl_usage("policy", "it takes no arguments") : -1;
}

int ctl_policy(struct ctl *ctl, int argc, char **argv)
{
    struct cs_store_aws_grants grants = {
        .create = cs_settings_flag(ctl->settings, CS_SET_CREATE_MISSING)};
    struct cs_buf text = CS_BUF_INIT(POLICY_MAX);
    struct cs_err err = CS_ERR_NONE;
    struct cs_wiring wiring;
    int code = read_options(argc, argv, &grants);

    if (code >= 0)
        return code;
    grants.create = grants.create || grants.operate;
    if (!cs_settings_is(ctl->settings, CS_SET_STORE, "aws")) {
        (void)fprintf(stderr, "campaignctl: policy: the local store needs none; set "
                              "CAMPAIGN_STORE=aws\n");
        return CTL_CONFIG;
    }
    if (cs_wiring_init(&wiring, ctl->settings, ctl->log, false, &err) != CS_OK ||
        cs_store_aws_policy(wiring.store, &grants, &text, &err) != CS_OK)
        code = ctl_fail("policy", &err);
    else
        code = ctl_print(&text);
    cs_wiring_clear(&wiring);
    cs_buf_clear(&text);
    return code;
}
