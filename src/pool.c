#include "config.h"

#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "notify.h"

#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS  5000
#define START_TRIES    5 /* in a row, while none was ever ready */

enum stage { STARTING, READY, LEAVING };

struct worker {
    pid_t pid;
    enum stage stage;
    unsigned generation;
    int ready_fd;               /* while STARTING, else -1 */
    struct cs_deadline kill_at; /* while LEAVING */
};

/* One state of the settings. */
struct generation {
    unsigned number;
    void *settings; /* NULL: none */
};

struct pool {
    const struct cs_pool_options *options;
    struct worker *workers;
    size_t count, capacity;
    struct generation current, previous; /* previous: while it is being replaced */
    unsigned generations;                /* numbers given so far */
    int signal_fd;
    bool stopping;
    bool ever_ready;
    bool announced; /* systemd knows that the current generation serves */
    int exit_code;
    int failures; /* starts in a row that came to nothing */
    struct cs_deadline next_start;
    bool held_back; /* the last step was, until next_start */
};

static const int handled[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGCHLD};

static struct cs_log *log_of(const struct pool *pool)
{
    return *pool->options->log;
}

/* ---- workers ---- */

static size_t count_stage(const struct pool *pool, enum stage stage, bool of_current)
{
    size_t count = 0;

    for (size_t i = 0; i < pool->count; i++)
        count += pool->workers[i].stage == stage &&
                 (pool->workers[i].generation == pool->current.number) == of_current;
    return count;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* The child's side of a fork; does not return. */
static void become_worker(struct pool *pool, pid_t supervisor, int ready_fd)
{
    const struct cs_pool_options *options = pool->options;
    sigset_t child;

    /* The parent may have died before the kernel was told what to do then. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != supervisor)
        _exit(CS_POOL_EXIT_FAILED);
    close_fd(&pool->signal_fd);
    for (size_t i = 0; i < pool->count; i++)
        close_fd(&pool->workers[i].ready_fd);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_UNBLOCK, &child, NULL);
    exit(options->work(options->payload, pool->current.settings, ready_fd));
}

static bool reserve_worker(struct pool *pool)
{
    size_t capacity = pool->capacity == 0 ? 16 : pool->capacity * 2;
    struct worker *grown;

    if (pool->count < pool->capacity)
        return true;
    grown = realloc(pool->workers, capacity * sizeof(*grown));
    if (grown == NULL)
        return false;
    pool->workers = grown;
    pool->capacity = capacity;
    return true;
}

static void start_failed(struct pool *pool)
{
    int pause = FIRST_PAUSE_MS;

    for (int i = 0; i < pool->failures && pause < LAST_PAUSE_MS; i++)
        pause *= 2;
    pool->failures++;
    pool->next_start = cs_deadline_in_ms(pause < LAST_PAUSE_MS ? pause : LAST_PAUSE_MS);
}

static void start_worker(struct pool *pool)
{
    pid_t supervisor = getpid(), pid = -1;
    int ends[2] = {-1, -1};

    if (reserve_worker(pool) && pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0)
        pid = fork();
    if (pid == 0) {
        close_fd(&ends[0]);
        become_worker(pool, supervisor, ends[1]);
    }
    close_fd(&ends[1]);
    if (pid < 0) {
        cs_log_put(log_of(pool), CS_LOG_ERROR, "a worker could not be started",
                   CS_LOG_NUM("errno", errno));
        close_fd(&ends[0]);
        start_failed(pool);
        return;
    }
    pool->workers[pool->count++] = (struct worker){.pid = pid,
                                                   .stage = STARTING,
                                                   .generation = pool->current.number,
                                                   .ready_fd = ends[0]};
}

static void retire(struct pool *pool, struct worker *worker)
{
    if (worker->stage == LEAVING)
        return;
    worker->stage = LEAVING;
    worker->kill_at = cs_deadline_in_ms(pool->options->grace_ms);
    (void)kill(worker->pid, SIGTERM);
}

static void retire_all(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        retire(pool, &pool->workers[i]);
}

static void kill_overdue(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->workers[i];

        if (worker->stage != LEAVING || cs_deadline_left_ms(worker->kill_at) > 0)
            continue;
        cs_log_put(log_of(pool), CS_LOG_WARN,
                   "a worker did not end in time and is killed",
                   CS_LOG_NUM("worker", worker->pid));
        (void)kill(worker->pid, SIGKILL);
        worker->kill_at = cs_deadline_in_ms(pool->options->grace_ms);
    }
}

/* ---- generations ---- */

static void drop_generation(struct pool *pool, struct generation *generation)
{
    if (generation->settings != NULL)
        pool->options->drop(pool->options->payload, generation->settings);
    generation->settings = NULL;
}

static void reload(struct pool *pool)
{
    struct cs_err err = CS_ERR_NONE;
    void *settings;

    if (pool->stopping)
        return;
    cs_notify_reloading();
    settings = pool->options->reload(pool->options->payload, &err);
    if (settings == NULL) {
        cs_log_err(log_of(pool), CS_LOG_ERROR, "the settings stay as they were", &err);
        cs_notify("READY=1");
        return;
    }
    /* With a replacement under way already, what it replaces stays `previous`. */
    if (pool->previous.settings != NULL)
        drop_generation(pool, &pool->current);
    else
        pool->previous = pool->current;
    pool->current = (struct generation){++pool->generations, settings};
    pool->announced = false;
    pool->failures = 0;
    pool->next_start = (struct cs_deadline){0};
    cs_log_put(log_of(pool), CS_LOG_INFO, "settings read anew: replacing the workers",
               CS_LOG_NUM("generation", pool->current.number));
}

/* A new generation whose first worker fails is given up: the old one goes on. */
static void give_up_generation(struct pool *pool)
{
    cs_log_put(log_of(pool), CS_LOG_ERROR,
               "no worker starts with the new settings: the old ones stay",
               CS_LOG_NUM("generation", pool->current.number));
    for (size_t i = 0; i < pool->count; i++)
        if (pool->workers[i].generation == pool->current.number)
            retire(pool, &pool->workers[i]);
    drop_generation(pool, &pool->current);
    pool->current = pool->previous;
    pool->previous.settings = NULL;
}

/* ---- events ---- */

static void finish(struct pool *pool, int exit_code)
{
    if (!pool->stopping)
        cs_notify("STOPPING=1");
    pool->stopping = true;
    pool->exit_code = exit_code;
    retire_all(pool);
}

/* A worker ended before it was ready. */
static void judge_start(struct pool *pool, const struct worker *worker, int status)
{
    bool bad_config = WIFEXITED(status) && WEXITSTATUS(status) == CS_POOL_EXIT_CONFIG;

    start_failed(pool);
    if (pool->previous.settings != NULL && worker->generation == pool->current.number &&
        count_stage(pool, READY, true) == 0)
        give_up_generation(pool);
    else if (!pool->ever_ready && (bad_config || pool->failures >= START_TRIES))
        finish(pool, bad_config ? CS_POOL_EXIT_CONFIG : CS_POOL_EXIT_FAILED);
}

static void worker_ended(struct pool *pool, const struct worker *worker, int status)
{
    bool planned = WIFEXITED(status) && WEXITSTATUS(status) == CS_POOL_EXIT_END;

    cs_log_put(log_of(pool),
               worker->stage == LEAVING || planned ? CS_LOG_INFO : CS_LOG_ERROR,
               worker->stage == LEAVING ? "worker ended"
               : planned                ? "worker is replaced"
                                        : "worker died",
               CS_LOG_NUM("worker", worker->pid),
               CS_LOG_NUM(WIFSIGNALED(status) ? "signal" : "exit",
                          WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
    if (worker->stage == STARTING && !pool->stopping)
        judge_start(pool, worker, status);
}

static void worker_ready(struct pool *pool, struct worker *worker)
{
    char byte;

    if (read(worker->ready_fd, &byte, 1) == 1) {
        if (worker->stage == STARTING)
            worker->stage = READY;
        pool->ever_ready = true;
        pool->failures = 0;
        cs_log_put(log_of(pool), CS_LOG_INFO, "worker ready",
                   CS_LOG_NUM("worker", worker->pid));
    }
    /* Without a byte it has ended: its status is on the way. */
    close_fd(&worker->ready_fd);
}

static void reap(struct pool *pool)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < pool->count; i++) {
            struct worker gone = pool->workers[i];

            if (gone.pid != pid)
                continue;
            if (gone.ready_fd >= 0) /* it may have been ready, and that not yet heard */
                worker_ready(pool, &gone);
            pool->workers[i] = pool->workers[--pool->count];
            worker_ended(pool, &gone, status);
            break;
        }
    }
}

static void reopen_log(struct pool *pool)
{
    struct cs_err err = CS_ERR_NONE;

    if (cs_log_reopen(log_of(pool), &err) != CS_OK)
        cs_log_err(log_of(pool), CS_LOG_ERROR, "the log could not be opened anew", &err);
    for (size_t i = 0; i < pool->count; i++)
        (void)kill(pool->workers[i].pid, SIGUSR1);
}

static void stop(struct pool *pool)
{
    if (!pool->stopping) {
        cs_log_put(log_of(pool), CS_LOG_INFO, "stopping",
                   CS_LOG_NUM("workers", pool->count));
        finish(pool, 0);
        return;
    }
    for (size_t i = 0; i < pool->count; i++) /* asked twice: no patience left */
        (void)kill(pool->workers[i].pid, SIGKILL);
}

static void take_signals(struct pool *pool)
{
    struct signalfd_siginfo info;

    while (read(pool->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGTERM:
        case SIGINT:
        case SIGQUIT:
            stop(pool);
            break;
        case SIGHUP:
            reload(pool);
            break;
        case SIGUSR1:
            reopen_log(pool);
            break;
        default:
            break; /* SIGCHLD: reap() follows */
        }
    }
}

/* ---- the loop ---- */

/* The worker to part with: one with old settings, else any that is ready. */
static struct worker *pick_surplus(struct pool *pool)
{
    struct worker *surplus = NULL;

    for (size_t i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->workers[i];

        if (worker->stage != LEAVING && worker->generation != pool->current.number)
            return worker;
        if (worker->stage == READY)
            surplus = worker;
    }
    return surplus;
}

/* Takes the next step towards as many workers of the current generation as are
 * wanted; true when there may be another. */
static bool step(struct pool *pool)
{
    size_t want =
        (size_t)pool->options->workers(pool->options->payload, pool->current.settings);
    size_t starting = count_stage(pool, STARTING, true),
           ready = count_stage(pool, READY, true);
    size_t old = count_stage(pool, STARTING, false) + count_stage(pool, READY, false);
    size_t total = starting + ready + old;

    if (total > want && starting == 0) {
        retire(pool, pick_surplus(pool));
        return true;
    }
    pool->held_back = total < want || (old > 0 && starting == 0);
    if (pool->held_back && cs_deadline_left_ms(pool->next_start) == 0) {
        start_worker(pool);
        return true;
    }
    if (old == 0 && ready > 0 && starting == 0 && !pool->announced) {
        drop_generation(pool, &pool->previous);
        pool->announced = true;
        cs_notify("READY=1");
    }
    return false;
}

static int next_timeout(const struct pool *pool)
{
    int timeout = -1;

    for (size_t i = 0; i < pool->count; i++) {
        const struct worker *worker = &pool->workers[i];
        int left = cs_deadline_left_ms(worker->kill_at);

        if (worker->stage == LEAVING && (timeout < 0 || left < timeout))
            timeout = left;
    }
    if (!pool->stopping && pool->held_back) {
        int left = cs_deadline_left_ms(pool->next_start);

        if (timeout < 0 || left < timeout)
            timeout = left;
    }
    return timeout;
}

/* Waits for a signal, a worker that becomes ready, or the next time-out. */
static enum cs_code wait_for_event(struct pool *pool, struct cs_err *err)
{
    struct pollfd *watched = calloc(pool->count + 1, sizeof(*watched));
    enum cs_code rc = CS_OK;

    if (watched == NULL)
        return cs_err_nomem(err);
    watched[0] = (struct pollfd){.fd = pool->signal_fd, .events = POLLIN};
    for (size_t i = 0; i < pool->count; i++) /* poll(2) passes over a -1 */
        watched[i + 1] =
            (struct pollfd){.fd = pool->workers[i].ready_fd, .events = POLLIN};
    if (poll(watched, (nfds_t)pool->count + 1, next_timeout(pool)) < 0 && errno != EINTR)
        rc = cs_err_errno(err, errno, "waiting for the workers failed");
    for (size_t i = 0; rc == CS_OK && i < pool->count; i++)
        if (watched[i + 1].fd >= 0 && watched[i + 1].revents != 0)
            worker_ready(pool, &pool->workers[i]);
    free(watched);
    return rc;
}

static enum cs_code supervise(struct pool *pool, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    while (rc == CS_OK) {
        take_signals(pool);
        reap(pool);
        kill_overdue(pool);
        if (pool->stopping && pool->count == 0)
            return CS_OK;
        while (!pool->stopping && step(pool))
            ;
        rc = wait_for_event(pool, err);
    }
    return rc;
}

static void fill_handled(sigset_t *mask)
{
    sigemptyset(mask);
    for (size_t i = 0; i < CS_COUNT(handled); i++)
        sigaddset(mask, handled[i]);
}

enum cs_code cs_pool_hold_signals(struct cs_err *err)
{
    sigset_t mask;

    fill_handled(&mask);
    return sigprocmask(SIG_BLOCK, &mask, NULL) == 0
               ? CS_OK
               : cs_err_errno(err, errno, "blocking signals failed");
}

static enum cs_code hear_signals(struct pool *pool, struct cs_err *err)
{
    sigset_t mask;

    if (cs_pool_hold_signals(err) != CS_OK)
        return err->code;
    fill_handled(&mask);
    pool->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    return pool->signal_fd >= 0 ? CS_OK
                                : cs_err_errno(err, errno, "no descriptor for signals");
}

int cs_pool_run(const struct cs_pool_options *options, void *settings, struct cs_err *err)
{
    struct pool pool = {.options = options,
                        .current = {.number = 1, .settings = settings},
                        .generations = 1,
                        .signal_fd = -1,
                        .exit_code = 0};

    if (hear_signals(&pool, err) != CS_OK || supervise(&pool, err) != CS_OK)
        pool.exit_code = CS_POOL_EXIT_FAILED;
    for (size_t i = 0; i < pool.count; i++) { /* only after a failure of our own */
        (void)kill(pool.workers[i].pid, SIGTERM);
        close_fd(&pool.workers[i].ready_fd);
    }
    drop_generation(&pool, &pool.current);
    drop_generation(&pool, &pool.previous);
    close_fd(&pool.signal_fd);
    free(pool.workers);
    return pool.exit_code;
}
