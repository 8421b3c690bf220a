#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "unit.h"

#include "base/clock.h"
#include "pool.h"

/* A real supervisor in a child. Its workers tell over a pipe that they have begun,
 * and then wait for SIGTERM. */

#define LATE_MS 60000 /* what no machine is too slow or too busy for */

enum conduct {
    SERVE,
    STUBBORN,     /* does not end when asked to */
    HASTY,        /* the first one becomes ready and ends when it is told to */
    END_AT_START, /* exits with `code` before it is ready */
    DIE_AT_START  /* by a signal */
};

struct plan { /* the settings of these workers */
    int number;
    int workers;
    enum conduct conduct;
    int code;
};

struct event { /* what a worker says */
    pid_t pid;
    int plan;
};

/* What the workers of the next plan see as they begin, before they are ready: how many
 * others serve. In memory of all processes. */
struct witness {
    pid_t old[3];
    int begun;
    int least;
    pid_t hasty;
};

struct fixture {
    struct witness *witness;
    struct plan first, next; /* next: what a reload finds; number 0: nothing good */
    struct cs_log *log;
    pid_t pid; /* of the supervisor */
    int events[2];
    struct cs_pool_options options;
};

static volatile sig_atomic_t term_asked;

static void on_term(int signal_number)
{
    (void)signal_number;
    term_asked = 1;
}

static void look_around(struct witness *witness)
{
    int serving = witness->begun++;

    for (size_t i = 0; i < CS_COUNT(witness->old); i++)
        serving += kill(witness->old[i], 0) == 0;
    if (serving < witness->least)
        witness->least = serving;
}

static int work(void *payload, void *settings, int ready_fd)
{
    const struct fixture *f = payload;
    const struct plan *plan = settings;
    const struct event event = {.pid = getpid(), .plan = plan->number};
    const bool hasty = plan->conduct == HASTY && f->witness->hasty == 0;
    struct sigaction term = {.sa_handler = on_term};
    sigset_t open;

    if (plan->conduct == END_AT_START)
        return plan->code;
    if (plan->conduct == DIE_AT_START)
        raise(SIGKILL);
    sigemptyset(&open);
    (void)sigaction(SIGTERM, &term, NULL);
    (void)sigaction(SIGUSR1, &term, NULL); /* the end that is asked for by a test */
    if (plan->number == 2)
        look_around(f->witness);
    if (hasty) {
        f->witness->hasty = event.pid;
        if (write(f->events[1], &event, sizeof(event)) != (ssize_t)sizeof(event))
            return 9;
        while (!term_asked)
            (void)sigsuspend(&open);
        return write(ready_fd, "r", 1) == 1 ? 0 : 9;
    }
    if (write(ready_fd, "r", 1) != 1 ||
        write(f->events[1], &event, sizeof(event)) != (ssize_t)sizeof(event))
        return 9;
    while (!term_asked || plan->conduct == STUBBORN)
        (void)sigsuspend(&open);
    return 0;
}

static int workers(void *payload, const void *settings)
{
    (void)payload;
    return ((const struct plan *)settings)->workers;
}

static void *copy_plan(const struct plan *plan)
{
    struct plan *copy = malloc(sizeof(*copy));

    if (copy != NULL)
        *copy = *plan;
    return copy;
}

/* Whether it has ended, and nobody has been told. */
static bool is_zombie(pid_t pid)
{
    char path[32], text[256] = "";
    const char *after;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
        text[0] = '\0';
    (void)close(fd);
    after = strrchr(text, ')');
    return after != NULL && after[1] == ' ' && after[2] == 'Z';
}

/* In the supervisor, after its look at who is ready and before that at who has ended. */
static void hurry(pid_t hasty)
{
    struct cs_deadline deadline = cs_deadline_in_ms(LATE_MS);

    (void)kill(hasty, SIGUSR1);
    while (!is_zombie(hasty) && cs_deadline_left_ms(deadline) > 0)
        (void)poll(NULL, 0, 2);
}

static void *reload(void *payload, struct cs_err *err)
{
    const struct fixture *f = payload;

    if (f->witness->hasty != 0)
        hurry(f->witness->hasty);
    else if (f->next.number != 0)
        return copy_plan(&f->next);
    (void)cs_err_set(err, CS_EINVAL, "a bad setting");
    return NULL;
}

static void drop(void *payload, void *settings)
{
    (void)payload;
    free(settings);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->witness = mmap(NULL, sizeof(*f->witness), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(f->witness != MAP_FAILED);
    f->witness->least = INT_MAX;
    f->first = (struct plan){.number = 1, .workers = 3};
    f->options = (struct cs_pool_options){.payload = f,
                                          .work = work,
                                          .workers = workers,
                                          .reload = reload,
                                          .drop = drop,
                                          .grace_ms = 300,
                                          .log = &f->log};
    assert_int_equal(pipe2(f->events, O_CLOEXEC), 0);
    *state = f;
    return 0;
}

static void start(struct fixture *f)
{
    struct cs_err err = CS_ERR_NONE;
    int code;

    fflush(NULL);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid > 0)
        return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)close(f->events[0]);
    f->log = cs_log_new("/dev/null", CS_LOG_DEBUG, &err);
    code = cs_pool_run(&f->options, copy_plan(&f->first), &err);
    /* one that was asked to stop again in its last moment */
    (void)raise(SIGTERM);
    _exit(code);
}

/* The exit status of the supervisor, within max_ms. */
static int wait_for_end(struct fixture *f, int max_ms)
{
    struct cs_deadline deadline = cs_deadline_in_ms(max_ms);
    int status = -1;
    pid_t got;

    while ((got = waitpid(f->pid, &status, WNOHANG)) == 0 &&
           cs_deadline_left_ms(deadline) > 0)
        (void)poll(NULL, 0, 2);
    if (got == 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, &status, 0);
        f->pid = 0;
        fail_msg("the supervisor did not end within %d ms", max_ms);
    }
    f->pid = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int stop(struct fixture *f)
{
    assert_int_equal(kill(f->pid, SIGTERM), 0);
    return wait_for_end(f, LATE_MS);
}

/* Asks again and again: two signals that come together may be heard as one. */
static int insist(struct fixture *f)
{
    struct cs_deadline deadline = cs_deadline_in_ms(LATE_MS);
    siginfo_t ended = {.si_pid = 0};

    assert_int_equal(kill(f->pid, SIGINT), 0);
    do {
        (void)poll(NULL, 0, 50);
        assert_int_equal(kill(f->pid, SIGTERM), 0);
        assert_int_equal(waitid(P_PID, (id_t)f->pid, &ended, WEXITED | WNOHANG | WNOWAIT),
                         0);
    } while (ended.si_pid == 0 && cs_deadline_left_ms(deadline) > 0);
    return wait_for_end(f, 0);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->pid > 0)
        assert_int_equal(stop(f), 0);
    (void)close(f->events[0]);
    (void)close(f->events[1]);
    (void)munmap(f->witness, sizeof(*f->witness));
    free(f);
    return 0;
}

/* The next worker that says it has begun; pid 0 when none does within max_ms. */
static struct event next_event(struct fixture *f, int max_ms)
{
    struct pollfd watched = {.fd = f->events[0], .events = POLLIN};
    struct event event = {.pid = 0};

    if (poll(&watched, 1, max_ms) > 0)
        assert_int_equal(read(f->events[0], &event, sizeof(event)), (int)sizeof(event));
    return event;
}

static void expect_started(struct fixture *f, int count, int plan, pid_t *pids)
{
    for (int i = 0; i < count; i++) {
        struct event event = next_event(f, LATE_MS);

        assert_true(event.pid > 0);
        assert_int_equal(event.plan, plan);
        if (pids != NULL)
            pids[i] = event.pid;
    }
}

static void expect_gone(pid_t pid)
{
    struct cs_deadline deadline = cs_deadline_in_ms(LATE_MS);

    while (kill(pid, 0) == 0) {
        assert_true(cs_deadline_left_ms(deadline) > 0);
        (void)poll(NULL, 0, 2);
    }
}

static void test_start_and_stop(void **state)
{
    struct fixture *f = *state;
    pid_t pids[3];

    start(f);
    expect_started(f, 3, 1, pids);
    assert_int_equal(next_event(f, 100).pid, 0);
    assert_int_equal(stop(f), 0);
    for (int i = 0; i < 3; i++)
        expect_gone(pids[i]);
}

static void test_killed_worker_is_replaced(void **state)
{
    static const int signals[] = {SIGKILL, SIGUSR2, SIGUSR1 /* ends by itself, well */};
    struct fixture *f = *state;
    pid_t pids[3];

    start(f);
    expect_started(f, 3, 1, pids);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(kill(pids[i % 3], signals[i % 3]), 0);
        expect_started(f, 1, 1, &pids[i % 3]);
    }
    assert_int_equal(next_event(f, 50).pid, 0);
}

static void test_reload(void **state)
{
    struct fixture *f = *state;
    pid_t old[3];

    f->next = (struct plan){.number = 2, .workers = 5};
    start(f);
    expect_started(f, 3, 1, old);
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    expect_started(f, 5, 2, NULL);
    for (int i = 0; i < 3; i++)
        expect_gone(old[i]);
    assert_int_equal(next_event(f, 50).pid, 0);
}

/* Never fewer than are wanted: as each new one begins, the others are that many. */
static void test_reload_one_by_one(void **state)
{
    struct fixture *f = *state;
    pid_t old[3];

    f->next = (struct plan){.number = 2, .workers = 3};
    start(f);
    expect_started(f, 3, 1, old);
    memcpy(f->witness->old, old, sizeof(old));
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    expect_started(f, 3, 2, NULL);
    assert_int_equal(f->witness->begun, 3);
    assert_true(f->witness->least >= 3);
    for (int i = 0; i < 3; i++)
        expect_gone(old[i]);
}

static void test_many_reloads(void **state)
{
    struct fixture *f = *state;

    f->next = (struct plan){.number = 2, .workers = 2};
    start(f);
    expect_started(f, 3, 1, NULL);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(kill(f->pid, SIGHUP), 0);
        (void)poll(NULL, 0, i % 4);
    }
    expect_started(f, 2, 2, NULL);
    for (struct event event = next_event(f, 500); event.pid != 0;
         event = next_event(f, 500))
        assert_int_equal(event.plan, 2);
}

static void test_bad_reload(void **state)
{
    struct fixture *f = *state;
    pid_t pids[3];

    start(f);
    expect_started(f, 3, 1, pids);
    assert_int_equal(kill(f->pid, SIGHUP), 0); /* next.number is 0 */
    assert_int_equal(next_event(f, 100).pid, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kill(pids[i], 0), 0);
}

/* Settings that read well and don't work: the old workers and settings stay. */
static void test_reload_that_does_not_start(void **state)
{
    struct fixture *f = *state;
    pid_t pids[3];

    f->next =
        (struct plan){.number = 2, .workers = 3, .conduct = END_AT_START, .code = 78};
    start(f);
    expect_started(f, 3, 1, pids);
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    assert_int_equal(next_event(f, 200).pid, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kill(pids[i], 0), 0);
    assert_int_equal(kill(pids[0], SIGKILL), 0);
    expect_started(f, 1, 1, NULL);
}

/* A worker that has served all that it may before the supervisor looks was ready: the new
 * settings are good. */
static void test_ready_and_gone_at_once(void **state)
{
    struct fixture *f = *state;

    f->next = (struct plan){.number = 2, .workers = 3, .conduct = HASTY};
    start(f);
    expect_started(f, 3, 1, NULL);
    assert_int_equal(kill(f->pid, SIGHUP), 0);
    expect_started(f, 1, 2, NULL);
    assert_int_equal(kill(f->pid, SIGHUP), 0); /* in which it is hurried */
    expect_started(f, 3, 2, NULL);
}

static void test_never_ready(void **state)
{
    struct fixture *f = *state;

    f->first.conduct = END_AT_START;
    f->first.code = CS_POOL_EXIT_CONFIG;
    start(f);
    assert_int_equal(wait_for_end(f, LATE_MS), CS_POOL_EXIT_CONFIG);
    f->first.conduct = DIE_AT_START;
    start(f);
    assert_int_equal(wait_for_end(f, LATE_MS), CS_POOL_EXIT_FAILED);
}

static void test_stubborn_worker(void **state)
{
    struct fixture *f = *state;
    pid_t pids[3];

    f->first.conduct = STUBBORN;
    start(f);
    expect_started(f, 3, 1, pids);
    assert_int_equal(stop(f), 0); /* after grace_ms, by SIGKILL */
    f->options.grace_ms = 10 * LATE_MS;
    start(f);
    expect_started(f, 3, 1, pids);
    assert_int_equal(insist(f), 0);
    for (int i = 0; i < 3; i++)
        expect_gone(pids[i]);
}

static void test_workers_follow_a_killed_supervisor(void **state)
{
    struct fixture *f = *state;
    pid_t pids[3];

    /* so that the orphans are reaped here */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    start(f);
    expect_started(f, 3, 1, pids);
    assert_int_equal(kill(f->pid, SIGKILL), 0);
    assert_int_equal(waitpid(f->pid, NULL, 0), f->pid);
    f->pid = 0;
    for (int i = 0; i < 3; i++) {
        struct cs_deadline deadline = cs_deadline_in_ms(LATE_MS);

        while (waitpid(pids[i], NULL, WNOHANG) == 0) {
            assert_true(cs_deadline_left_ms(deadline) > 0);
            (void)poll(NULL, 0, 2);
        }
    }
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void test_stop_at_random_moments(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 60; i++) {
        sigset_t term, before;

        /* kept until the supervisor hears it */
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        assert_int_equal(sigprocmask(SIG_BLOCK, &term, &before), 0);
        start(f);
        assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
        usleep((unsigned)(i * 137 % 5000));
        assert_int_equal(stop(f), 0);
        while (next_event(f, 0).pid != 0)
            ;
    }
}

#define with_pool(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_pool(test_start_and_stop),
        with_pool(test_killed_worker_is_replaced),
        with_pool(test_reload),
        with_pool(test_reload_one_by_one),
        with_pool(test_many_reloads),
        with_pool(test_bad_reload),
        with_pool(test_reload_that_does_not_start),
        with_pool(test_ready_and_gone_at_once),
        with_pool(test_never_ready),
        with_pool(test_stubborn_worker),
        with_pool(test_workers_follow_a_killed_supervisor),
        with_pool(test_stop_at_random_moments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
