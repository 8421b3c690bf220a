#include "config.h"

/* campaignctl: what an operator needs: set up, look, mend. */

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "store/store_local.h"

static const char help_text[] =
    "Usage: campaignctl [OPTION]... COMMAND [ARGUMENT]...\n"
    "Sets up, looks into and mends a campaignstore, on the store that the settings "
    "name.\n"
    "\n"
    "Commands:\n"
    "  init                   make what the store needs and does not have yet\n"
    "  doctor                 show the settings and try everything, with a fix for each "
    "failure\n"
    "  policy                 print the smallest IAM policy for the AWS store\n"
    "  token                  make a bearer token for a user or a service\n"
    "  list                   list campaigns\n"
    "  show ID                show one campaign\n"
    "  put FOLDER             make a completed campaign of brief.json, "
    "interactions.json,\n"
    "                         progress.json and final_state.json\n"
    "  delete ID...           delete campaigns, with a receipt for each\n"
    "  recount                rebuild the statistics from the records\n"
    "  fsck                   find, and with --repair mend, what records and objects\n"
    "                         disagree about\n"
    "  cleanup                find, and with --yes remove, what has expired\n"
    "list, show, put and delete do the same at a service elsewhere, by its API: --url.\n"
    "\n"
    "Options:\n"
    "  -e, --env=FILE         settings file (default: .env in the working folder, if "
    "there)\n"
    "  -s, --set=NAME=VALUE   one setting; goes before the environment and the file\n"
    "  -j, --json             answer in JSON, for programs\n"
    "  -V, --version          print the version\n"
    "  -h, --help             print this help; COMMAND --help explains a command\n"
    "\n"
    "Examples:\n"
    "  campaignctl init\n"
    "  campaignctl token --sub alice --ttl 3600\n"
    "  campaignctl put --user alice share/example\n"
    "  campaignctl list --url https://campaigns.example.com/api/v1 --token-file token\n"
    "  campaignctl fsck --repair\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 something was found that stays, 64 wrong usage,\n"
    "66 no such campaign or file, 78 bad settings.\n";

static const struct {
    const char *name;
    ctl_command_fn *run;
} commands[] = {
    {"cleanup", ctl_cleanup}, {"delete", ctl_delete}, {"doctor", ctl_doctor},
    {"fsck", ctl_fsck},       {"init", ctl_init},     {"list", ctl_list},
    {"policy", ctl_policy},   {"put", ctl_put},       {"recount", ctl_recount},
    {"show", ctl_show},       {"token", ctl_token},
};

/* Of a setting that is missing or can't be, the field is its name. */
static bool names_setting(const struct cs_err *err)
{
    const char *at = err->field;

    while ((*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || *at == '_')
        at++;
    return err->code == CS_EINVAL && at != err->field && *at == '\0';
}

int ctl_fail(const char *what, const struct cs_err *err)
{
    (void)fprintf(stderr, "campaignctl: %s: %s\n", what,
                  *err->text != '\0' ? err->text : cs_code_name(err->code));
    switch (err->code) {
    case CS_ENOTFOUND:
        return CTL_NO_INPUT;
    default:
        return names_setting(err) ? CTL_CONFIG : CTL_FAILED;
    }
}

int ctl_usage(const char *command, const char *problem)
{
    (void)fprintf(stderr, "campaignctl %s: %s\nTry 'campaignctl %s --help'.\n", command,
                  problem, command);
    return CTL_USAGE;
}

void ctl_progress(struct ctl *ctl, const char *what, uint64_t done, uint64_t total)
{
    const int width = 30;
    int64_t now_us = cs_clock_monotonic_us();

    if (!ctl->progress || now_us - ctl->shown_us < CS_SECOND_US / 10)
        return;
    ctl->shown_us = now_us;
    if (total == 0) {
        (void)fprintf(stderr, "\r\033[K%s: %llu", what, (unsigned long long)done);
    } else {
        int filled =
            (int)(done >= total ? (uint64_t)width : done * (uint64_t)width / total);

        (void)fprintf(stderr, "\r\033[K%s [%.*s%*s] %3d%%", what, filled,
                      "##############################", width - filled, "",
                      (int)(done >= total ? 100 : done * 100 / total));
    }
    (void)fflush(stderr);
}

void ctl_progress_end(struct ctl *ctl)
{
    if (ctl->progress && ctl->shown_us != 0)
        (void)fprintf(stderr, "\r\033[K");
    ctl->shown_us = 0;
}

int ctl_print(const struct cs_buf *text)
{
    struct cs_err err = CS_ERR_NONE;

    if (cs_buf_check(text, &err) != CS_OK)
        return ctl_fail("output", &err);
    if (fwrite(cs_buf_cstr(text), 1, text->len, stdout) != text->len ||
        fputc('\n', stdout) == EOF || fflush(stdout) != 0) {
        (void)fprintf(stderr, "campaignctl: the output can't be written\n");
        return CTL_FAILED;
    }
    return CTL_OK;
}

struct cs_call ctl_call(const char *user_id, int64_t budget_s)
{
    return (struct cs_call){.user_id = cs_view_cstr(user_id),
                            .admin = true,
                            .now_us = cs_clock_now_us(),
                            .deadline = cs_deadline_in_ms(budget_s * 1000)};
}

enum cs_code ctl_open(const struct ctl *ctl, struct cs_wiring *out, struct cs_err *err)
{
    enum cs_code rc = cs_wiring_init(out, ctl->settings, ctl->log, false, err);

    if (rc == CS_OK && cs_settings_is(ctl->settings, CS_SET_STORE, "local"))
        rc = cs_store_local_find(out->store, err);
    return rc;
}

void ctl_add_count(struct cs_buf *out, uint64_t count)
{
    if (count >= 1000) {
        ctl_add_count(out, count / 1000);
        cs_buf_add_fmt(out, ",%03u", (unsigned)(count % 1000));
    } else {
        cs_buf_add_u64(out, count);
    }
}

void ctl_add_bytes(struct cs_buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < CS_COUNT(units)) {
        value /= 1024;
        unit++;
    }
    cs_buf_add_fmt(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* ---- main ---- */

struct options {
    const char *env_file;
    const char **overrides;
    size_t override_count;
    bool json;
};

/* Stops at the command, whose own options follow it. CTL_OK, or an exit status;
 * *done when nothing is left to do. */
static int read_options(struct options *options, int argc, char **argv, bool *done)
{
    static const struct option longs[] = {
        {"env", required_argument, NULL, 'e'}, {"set", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},      {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},      {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "+e:s:jVh", longs, NULL)) != -1) {
        switch (option) {
        case 'e':
            options->env_file = optarg;
            break;
        case 's':
            options->overrides[options->override_count++] = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'V':
            (void)printf("campaignctl %s\n", PACKAGE_VERSION);
            *done = true;
            return CTL_OK;
        case 'h':
            (void)fputs(help_text, stdout);
            *done = true;
            return CTL_OK;
        default:
            (void)fprintf(stderr, "Try 'campaignctl --help'.\n");
            return CTL_USAGE;
        }
    }
    return CTL_OK;
}

static ctl_command_fn *find_command(const char *name)
{
    for (size_t i = 0; name != NULL && i < CS_COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run;
    return NULL;
}

static int run(const struct options *options, int argc, char **argv)
{
    ctl_command_fn *command = find_command(argc > 0 ? argv[0] : NULL);
    struct cs_err err = CS_ERR_NONE;
    struct cs_settings *settings;
    struct ctl ctl = {.json = options->json, .progress = isatty(STDERR_FILENO) != 0};
    int code;

    if (command == NULL) {
        (void)fprintf(stderr,
                      argc > 0 ? "campaignctl: there is no command %s\n"
                               : "campaignctl: a command is missing%s\n",
                      argc > 0 ? argv[0] : "");
        (void)fprintf(stderr, "Try 'campaignctl --help'.\n");
        return CTL_USAGE;
    }
    settings = cs_settings_load(options->env_file, environ, options->overrides, &err);
    if (settings == NULL) {
        (void)ctl_fail("settings", &err);
        return CTL_CONFIG;
    }
    ctl.settings = settings;
    /* Only what goes wrong, so that the answer stands alone. */
    ctl.log = cs_log_new(NULL, CS_LOG_WARN, &err);
    optind = 0; /* the command reads options of its own */
    code = ctl.log != NULL ? command(&ctl, argc, argv) : ctl_fail("log", &err);
    cs_log_free(ctl.log);
    cs_settings_free(settings);
    return code;
}

int main(int argc, char **argv)
{
    struct options options = {.overrides = calloc((size_t)argc + 1, sizeof(char *))};
    bool done = false;
    int code;

    /* as campaignd has it: the web server's group may read what is put here */
    (void)umask(umask(077) | 027);
    if (options.overrides == NULL ||
        sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL) != 0) {
        free(options.overrides);
        return CTL_FAILED;
    }
    code = read_options(&options, argc, argv, &done);
    if (code == CTL_OK && !done)
        code = run(&options, argc - optind, argv + optind);
    free(options.overrides);
    return code;
}
