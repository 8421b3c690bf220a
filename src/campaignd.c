#include "config.h"

/* campaignd: the FastCGI service. With a listening socket on descriptor 0 it is
 * one worker, as a web server, spawn-fcgi or systemd starts it; with the variables
 * of a CGI request it serves that one request; with --listen it is the supervisor
 * of several workers (pool.h). */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/app.h"
#include "base/file.h"
#include "base/log.h"
#include "config/settings.h"
#include "http/cgi.h"
#include "http/server.h"
#include "listen.h"
#include "notify.h"
#include "pool.h"
#include "wiring.h"

#define EXIT_USAGE  64 /* EX_USAGE of <sysexits.h> */
#define EXIT_CONFIG CS_POOL_EXIT_CONFIG

#define PARAMS_MAX_BYTES   (64u << 10)
#define IDLE_CONNECTION_MS 2000
#define IO_TIMEOUT_MS      30000
#define GRACE_MS           30000
#define QUEUED_MAX_MS      10000

/* mod_fcgid kills what has not ended 3 s after its SIGTERM. */
#define LAST_REQUEST_S 2

/* The state of the process. */
struct main {
    const char *env_file;
    const char **overrides; /* "NAME=value", NULL at the end */
    size_t override_count;
    bool check_only;
    struct cs_log *log;
    int listen_fd;
    struct cs_recent *recent; /* of the pool */
    struct cs_store_aws_meter *meter;
};

/* Changed by the worker's signal handlers alone. */
static volatile sig_atomic_t stop_asked, log_reopen_asked;

/* What the handlers of a worker without a supervisor must know. */
static struct cs_fastcgi_unanswered unanswered = {.fd = -1};

static void on_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

/* The web server won't wait for long: the request under way gets its time. */
static void on_stop_soon(int signal_number)
{
    (void)signal_number;
    if (stop_asked == 0)
        (void)alarm(LAST_REQUEST_S);
    stop_asked = 1;
}

/* It is over: what was being done is left as a crash would leave it, so that the
 * same request, sent again, goes on from there. */
static void on_last_moment(int signal_number)
{
    (void)signal_number;
    cs_fastcgi_give_up(&unanswered);
    _exit(CS_POOL_EXIT_END);
}

static void on_reopen_log(int signal_number)
{
    (void)signal_number;
    log_reopen_asked = log_reopen_asked < SIG_ATOMIC_MAX ? log_reopen_asked + 1 : 0;
}

static const char help_text[] =
    "Usage: campaignd [OPTION]...\n"
    "The FastCGI service of campaignstore.\n"
    "\n"
    "With a listening socket on descriptor 0 (mod_fcgid, spawn-fcgi, systemd) it is one\n"
    "worker; started as a CGI program it answers that one request. Otherwise it opens\n"
    "the socket of --listen and keeps several workers alive.\n"
    "\n"
    "  -l, --listen=ADDRESS   a socket path, 127.0.0.1:port or [::1]:port "
    "(CAMPAIGND_LISTEN)\n"
    "  -w, --workers=N        number of workers (WORKERS)\n"
    "  -e, --env=FILE         settings file (default: .env in the working folder, if "
    "there)\n"
    "  -s, --set=NAME=VALUE   one setting; goes before the environment and the file\n"
    "  -c, --check            read settings, keys and templates, say whether they are "
    "good,\n"
    "                         and end\n"
    "  -V, --version          print the version\n"
    "  -h, --help             print this help\n"
    "\n"
    "Signals to the supervisor:\n"
    "  SIGTERM, SIGINT, SIGQUIT  finish the requests in flight, then end\n"
    "  SIGHUP                    read the settings anew, replace the workers one by one\n"
    "  SIGUSR1                   open the log file anew\n"
    "\n"
    "Examples:\n"
    "  campaignd --listen /run/campaignstore/campaignd.sock --env "
    "/etc/campaignstore/env\n"
    "  campaignd --listen 127.0.0.1:9000 --workers 2 --set LOG_LEVEL=debug\n"
    "  campaignd --check --env /etc/campaignstore/env\n"
    "  spawn-fcgi -n -s /tmp/c.sock -- campaignd\n"
    "\n"
    "Exit status: 0 ended as asked, 1 failed, 64 wrong usage, 78 bad settings.\n"
    "All settings: campaignctl doctor, env.example, campaignd(8).\n";

/* ---- a worker ---- */

/* Where a worker's requests come from. */
struct listener {
    int fd;       /* -1: one request, by CGI */
    int ready_fd; /* to tell the supervisor; -1: there is none */
    const char *started_as;
    struct cs_log *log;
    struct cs_recent *recent;         /* what the workers of the pool remember together */
    struct cs_store_aws_meter *meter; /* and count */
};

static enum cs_log_level log_level(const struct cs_settings *settings)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    for (size_t i = 0; i < CS_COUNT(names); i++)
        if (cs_settings_is(settings, CS_SET_LOG_LEVEL, names[i]))
            return (enum cs_log_level)i;
    return CS_LOG_INFO;
}

static struct cs_log *open_log(const struct cs_settings *settings, struct cs_err *err)
{
    return cs_log_new(cs_settings_text(settings, CS_SET_LOG_FILE), log_level(settings),
                      err);
}

/* Blocks the signals that a worker hears; they come in only where the server
 * waits, with the mask that is given back. The interrupt key reaches the
 * supervisor too, which tells its workers itself. */
static enum cs_code set_signals(sigset_t *wait_mask, bool supervised, struct cs_err *err)
{
    static const int stops[] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP};
    struct sigaction stop = {.sa_handler = supervised ? on_stop : on_stop_soon,
                             .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction reopen = {.sa_handler = on_reopen_log, .sa_flags = SA_RESTART};
    struct sigaction last = {.sa_handler = on_last_moment};
    sigset_t heard;

    sigemptyset(&heard);
    sigaddset(&heard, SIGUSR1);
    for (size_t i = 0; i < CS_COUNT(stops); i++)
        sigaddset(&heard, stops[i]);
    if (sigprocmask(SIG_BLOCK, &heard, NULL) != 0 ||
        sigprocmask(SIG_BLOCK, NULL, wait_mask) != 0)
        return cs_err_errno(err, errno, "blocking signals failed");
    for (size_t i = 0; i < CS_COUNT(stops); i++) {
        bool ignored = supervised && (stops[i] == SIGINT || stops[i] == SIGHUP);

        (void)sigdelset(wait_mask, stops[i]);
        if (sigaction(stops[i], ignored ? &ignore : &stop, NULL) != 0)
            return cs_err_errno(err, errno, "setting a signal handler failed");
    }
    (void)sigdelset(wait_mask, SIGUSR1);
    if (sigaction(SIGUSR1, &reopen, NULL) != 0 ||
        (!supervised && sigaction(SIGALRM, &last, NULL) != 0))
        return cs_err_errno(err, errno, "setting a signal handler failed");
    return CS_OK;
}

static int exit_code_of(const struct cs_err *err)
{
    return err->code == CS_EINVAL ? EXIT_CONFIG : CS_POOL_EXIT_FAILED;
}

/* What serves requests, put together from the settings. No network call. */
static enum cs_code make_app(struct cs_wiring *wiring, struct cs_app **app_out,
                             const char *started_as, struct cs_err *err)
{
    const struct cs_app_options options = {
        .settings = wiring->settings,
        .campaigns = &wiring->campaigns,
        .share_dir = cs_wiring_share_dir(wiring->settings),
        .started_as = started_as,
        .fetch = cs_wiring_fetch,
        .fetch_payload = wiring,
        .log = wiring->log,
    };

    *app_out = cs_app_new(&options, err);
    return *app_out != NULL ? CS_OK : err->code;
}

static struct cs_serve_options serve_options(const struct cs_settings *settings,
                                             struct cs_app *app, struct cs_log *log)
{
    return (struct cs_serve_options){
        .limits = {.params_max_bytes = PARAMS_MAX_BYTES,
                   .budget_ms =
                       1000 * cs_settings_integer(settings, CS_SET_LIMIT_REQUEST),
                   .queued_max_ms = QUEUED_MAX_MS},
        .handler = cs_api_handle,
        .handler_payload = app,
        .log = log,
    };
}

static enum cs_code serve(const struct cs_settings *settings, struct cs_app *app,
                          const struct listener *from, struct cs_err *err)
{
    struct cs_server_options server = {
        .serve = serve_options(settings, app, from->log),
        .listen_fd = from->fd,
        .idle_connection_ms = IDLE_CONNECTION_MS,
        .io_timeout_ms = IO_TIMEOUT_MS,
        .stop = &stop_asked,
        .reopen_log = &log_reopen_asked,
    };
    bool supervised = from->ready_fd >= 0;
    enum cs_code rc = set_signals(&server.wait_mask, supervised, err);

    if (supervised) {
        server.max_requests =
            (uint64_t)cs_settings_integer(settings, CS_SET_WORKER_REQUESTS);
        server.max_memory_bytes =
            (size_t)cs_settings_integer(settings, CS_SET_WORKER_MEMORY) << 20;
    } else {
        /* One that ended by itself would take a request along that the web server
         * has just given to it. */
        server.unanswered = &unanswered;
    }

    if (rc != CS_OK)
        return rc;
    if (supervised) { /* fails only when the supervisor is gone */
        (void)!write(from->ready_fd, "r", 1);
        (void)close(from->ready_fd);
    }
    return cs_server_run(&server, err) == CS_SERVER_FAILED ? CS_EIO : CS_OK;
}

static enum cs_code serve_cgi(const struct cs_settings *settings, struct cs_app *app,
                              const struct listener *from, struct cs_err *err)
{
    const struct cs_cgi_options cgi = {
        .serve = serve_options(settings, app, from->log),
        .in_fd = STDIN_FILENO,
        .out_fd = STDOUT_FILENO,
        .io_timeout_ms = IO_TIMEOUT_MS,
    };

    return cs_cgi_run(&cgi, environ, err);
}

static int run_worker(const struct cs_settings *settings, const struct listener *from)
{
    struct cs_err err = CS_ERR_NONE;
    struct cs_wiring wiring;
    struct cs_app *app = NULL;
    int code = CS_POOL_EXIT_END;

    if (cs_wiring_init(&wiring, settings, from->log, true, &err) == CS_OK)
        cs_wiring_share(&wiring, from->recent, from->meter);
    if (err.code != CS_OK || make_app(&wiring, &app, from->started_as, &err) != CS_OK ||
        (from->fd >= 0 ? serve : serve_cgi)(settings, app, from, &err) != CS_OK) {
        cs_log_err(from->log, CS_LOG_ERROR, "the worker failed", &err);
        code = exit_code_of(&err);
    }
    cs_app_free(app);
    cs_wiring_clear(&wiring);
    return code;
}

/* All that a worker would do before its first request. */
static int check(const struct cs_settings *settings)
{
    struct cs_err err = CS_ERR_NONE;
    struct cs_wiring wiring;
    struct cs_app *app = NULL;
    bool good = cs_wiring_init(&wiring, settings, NULL, true, &err) == CS_OK &&
                make_app(&wiring, &app, "fastcgi", &err) == CS_OK;

    cs_app_free(app);
    cs_wiring_clear(&wiring);
    if (!good) {
        (void)fprintf(stderr, "campaignd: %s\n", err.text);
        return exit_code_of(&err);
    }
    return puts("The settings are good.") < 0 ? CS_POOL_EXIT_FAILED : 0;
}

/* ---- the pool ---- */

static int pool_work(void *payload, void *settings, int ready_fd)
{
    struct main *state = payload;
    struct cs_err err = CS_ERR_NONE;
    const struct listener from = {.fd = state->listen_fd,
                                  .ready_fd = ready_fd,
                                  .started_as = "pool",
                                  .log = open_log(settings, &err),
                                  .recent = state->recent,
                                  .meter = state->meter};
    int code;

    if (from.log == NULL) {
        cs_log_err(state->log, CS_LOG_ERROR, "the worker has no log", &err);
        return CS_POOL_EXIT_CONFIG;
    }
    code = run_worker(settings, &from);
    cs_log_free(from.log);
    return code;
}

static int pool_workers(void *payload, const void *settings)
{
    (void)payload;
    return (int)cs_settings_integer(settings, CS_SET_WORKERS);
}

static struct cs_settings *load(const struct main *state, struct cs_err *err)
{
    return cs_settings_load(state->env_file, environ, state->overrides, err);
}

static void *pool_reload(void *payload, struct cs_err *err)
{
    struct main *state = payload;
    struct cs_settings *settings = load(state, err);
    struct cs_log *log = settings != NULL ? open_log(settings, err) : NULL;

    if (log == NULL || cs_wiring_check_theme(settings, err) != CS_OK) {
        cs_log_free(log);
        cs_settings_free(settings);
        return NULL;
    }
    cs_log_free(state->log);
    state->log = log;
    return settings;
}

static void pool_drop(void *payload, void *settings)
{
    (void)payload;
    cs_settings_free(settings);
}

/* "0660" as a mode. */
static enum cs_code socket_mode(const struct cs_settings *settings, mode_t *out,
                                struct cs_err *err)
{
    const char *text = cs_settings_text(settings, CS_SET_SOCKET_MODE);
    char *end = NULL;
    unsigned long mode = text != NULL ? strtoul(text, &end, 8) : 0660;

    if (end != NULL && (*end != '\0' || mode > 0777 || mode == 0))
        return cs_err_field(
            err, CS_EINVAL, "CAMPAIGND_SOCKET_MODE", "setting_invalid",
            "CAMPAIGND_SOCKET_MODE is \"%s\": give an octal file mode as 0660", text);
    *out = (mode_t)mode;
    return CS_OK;
}

static enum cs_code write_pid(const char *path, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_INIT(32);
    enum cs_code rc;

    cs_buf_add_i64(&text, getpid());
    cs_buf_add_byte(&text, '\n');
    rc = cs_buf_check(&text, err);
    if (rc == CS_OK)
        rc = cs_file_write(path, cs_buf_view(&text), 0644, err);
    cs_buf_clear(&text);
    return rc;
}

/* Consumes settings, which reloads may replace. */
static int run_pool(struct main *state, struct cs_settings *settings,
                    const char *listen_at)
{
    const struct cs_pool_options options = {.payload = state,
                                            .work = pool_work,
                                            .workers = pool_workers,
                                            .reload = pool_reload,
                                            .drop = pool_drop,
                                            .grace_ms = GRACE_MS,
                                            .log = &state->log};
    const char *pid_text = cs_settings_text(settings, CS_SET_PID_FILE);
    char *address = cs_view_dup(cs_view_cstr(listen_at));
    char *pid_file = pid_text != NULL ? cs_view_dup(cs_view_cstr(pid_text)) : NULL;
    struct cs_err err = CS_ERR_NONE;
    mode_t mode = 0;
    int code = CS_POOL_EXIT_FAILED;

    state->listen_fd = -1;
    state->recent = cs_recent_new(); /* without it each remembers by itself */
    state->meter = cs_store_aws_meter_new();
    if (address == NULL || (pid_text != NULL && pid_file == NULL))
        (void)cs_err_nomem(&err);
    else if (cs_pool_hold_signals(&err) == CS_OK &&
             socket_mode(settings, &mode, &err) == CS_OK &&
             cs_wiring_check_theme(settings, &err) == CS_OK &&
             cs_listen_open(&state->listen_fd, address, mode, &err) == CS_OK &&
             (pid_file == NULL || write_pid(pid_file, &err) == CS_OK)) {
        cs_log_put(state->log, CS_LOG_INFO, "listening",
                   CS_LOG_TEXT("address", cs_view_cstr(address)));
        code = cs_pool_run(&options, settings, &err);
        settings = NULL; /* the pool has dropped them */
    }
    if (err.code != CS_OK) {
        cs_log_err(state->log, CS_LOG_ERROR, "the service ends", &err);
        code = exit_code_of(&err);
    }
    if (state->listen_fd >= 0) {
        /* first: who waits for the socket writes his own as soon as that is gone */
        if (pid_file != NULL)
            (void)unlink(pid_file);
        cs_listen_remove(address);
        (void)close(state->listen_fd);
    }
    cs_recent_free(state->recent);
    cs_store_aws_meter_free(state->meter);
    cs_settings_free(settings);
    free(address);
    free(pid_file);
    return code;
}

/* ---- options ---- */

static int usage_error(const char *problem)
{
    (void)fprintf(stderr, "campaignd: %s\nTry 'campaignd --help'.\n", problem);
    return EXIT_USAGE;
}

/* Adds "NAME=value" to the overrides; false when out of memory. */
static bool add_override(struct main *state, const char *name, const char *value)
{
    const char **grown = realloc(state->overrides,
                                 (state->override_count + 2) * sizeof(*state->overrides));
    struct cs_buf text = CS_BUF_INIT(SIZE_MAX - 1);

    if (grown == NULL)
        return false;
    state->overrides = grown;
    if (name != NULL) {
        cs_buf_add_cstr(&text, name);
        cs_buf_add_byte(&text, '=');
    }
    cs_buf_add_cstr(&text, value);
    grown[state->override_count] = cs_buf_take(&text);
    if (grown[state->override_count] == NULL)
        return false;
    grown[++state->override_count] = NULL;
    return true;
}

static void free_overrides(struct main *state)
{
    for (size_t i = 0; i < state->override_count; i++)
        free((char *)state->overrides[i]);
    free(state->overrides);
}

/* -1: go on; else the exit code. */
static int read_options(struct main *state, int argc, char **argv)
{
    static const struct option options[] = {{"listen", required_argument, NULL, 'l'},
                                            {"workers", required_argument, NULL, 'w'},
                                            {"env", required_argument, NULL, 'e'},
                                            {"set", required_argument, NULL, 's'},
                                            {"check", no_argument, NULL, 'c'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    bool stored = true;
    int option;

    while (stored &&
           (option = getopt_long(argc, argv, "l:w:e:s:cVh", options, NULL)) != -1) {
        switch (option) {
        case 'l':
            stored = add_override(state, "CAMPAIGND_LISTEN", optarg);
            break;
        case 'w':
            stored = add_override(state, "WORKERS", optarg);
            break;
        case 'e':
            state->env_file = optarg;
            break;
        case 's':
            if (strchr(optarg, '=') == NULL)
                return usage_error("--set wants NAME=VALUE");
            stored = add_override(state, NULL, optarg);
            break;
        case 'c':
            state->check_only = true;
            break;
        case 'V':
            return printf("campaignd %s\n", PACKAGE_VERSION) < 0 ? CS_POOL_EXIT_FAILED
                                                                 : 0;
        case 'h':
            return fputs(help_text, stdout) < 0 ? CS_POOL_EXIT_FAILED : 0;
        default: /* getopt_long has said what is wrong */
            (void)fputs("Try 'campaignd --help'.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (!stored)
        return usage_error("out of memory");
    if (optind < argc)
        return usage_error("it takes options alone, no other arguments");
    return -1;
}

/* For ps and pgrep, also where a loader of our own has started it. */
static void name_process(void)
{
    (void)prctl(PR_SET_NAME, "campaignd");
}

/* Keys and tokens are in this process's memory: it leaves no core file, and no
 * other process of the same user may look into it. */
static void protect_process(void)
{
    const struct rlimit none = {0, 0};

    /* never anything for others; for the group what the administrator left it */
    (void)umask(umask(077) | 027);
    (void)setrlimit(RLIMIT_CORE, &none);
#ifndef CS_SANITIZED /* which looks for leaks by tracing itself */
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* Not the supervisor: a worker that somebody else has started. */
static int run_single(struct main *state, const struct cs_settings *settings, bool cgi)
{
    return run_worker(settings, &(struct listener){.fd = cgi ? -1 : STDIN_FILENO,
                                                   .ready_fd = -1,
                                                   .started_as = cgi ? "cgi" : "fastcgi",
                                                   .log = state->log});
}

static int run(struct main *state, struct cs_settings *settings)
{
    const char *listen_at = cs_settings_text(settings, CS_SET_LISTEN);
    bool inherited = cs_listen_inherited(STDIN_FILENO);
    bool cgi = !inherited && cs_cgi_asked(environ);
    struct cs_err err = CS_ERR_NONE;
    int code;

    if (!inherited && !cgi && listen_at == NULL) {
        cs_settings_free(settings);
        return usage_error(
            "there is no FastCGI socket on descriptor 0: give --listen ADDRESS");
    }
    if ((state->log = open_log(settings, &err)) == NULL) {
        (void)fprintf(stderr, "campaignd: %s\n", err.text);
        cs_settings_free(settings);
        return EXIT_CONFIG;
    }
    if (!inherited && !cgi)
        return run_pool(state, settings, listen_at);
    code = run_single(state, settings, cgi);
    cs_settings_free(settings);
    return code;
}

int main(int argc, char **argv)
{
    struct main state = {.listen_fd = -1};
    struct cs_err err = CS_ERR_NONE;
    struct cs_settings *settings = NULL;
    int code;

    if (cs_cgi_asked(environ) && cs_cgi_has_arguments(environ)) {
        cs_cgi_refuse_arguments(environ, STDOUT_FILENO);
        return 0;
    }
    if ((code = read_options(&state, argc, argv)) >= 0)
        goto out;
    name_process();
    protect_process();
    if ((settings = load(&state, &err)) == NULL) {
        (void)fprintf(stderr, "campaignd: %s\n", err.text);
        code = EXIT_CONFIG;
    } else if (state.check_only) {
        code = check(settings);
        cs_settings_free(settings);
    } else {
        code = run(&state, settings);
    }
out:
    cs_log_free(state.log);
    free_overrides(&state);
    return code;
}
