#include "config.h"

#include "render/child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

#if defined(__SANITIZE_ADDRESS__)
#define SHADOW_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SHADOW_MEMORY 1
#endif
#endif
#ifndef SHADOW_MEMORY
#define SHADOW_MEMORY 0
#endif

#define OPEN_FILES 64
#define REPORT_FD  3
#define FIRST_FD   4
#define HIGH_FD    16 /* above all that are set in place */

/* ---- in the child -------------------------------------------------------------------
 */

/* What asks the service to end may be sent to all of its processes, as a terminal does:
 * the rendering is part of a request that is finished first, and ends with its parent. */
static void reset_signals(void)
{
    static const int stops[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &plain, NULL); /* fails for SIGKILL and the like */
    for (size_t i = 0; i < CS_COUNT(stops); i++)
        (void)sigaction(stops[i], &ignore, NULL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool limit(__rlimit_resource_t resource, rlim_t soft, rlim_t hard)
{
    struct rlimit value = {.rlim_cur = soft, .rlim_max = hard};
    struct rlimit now;

    if (getrlimit(resource, &now) == 0 && now.rlim_max != RLIM_INFINITY &&
        hard > now.rlim_max) {
        value.rlim_max = now.rlim_max;
        value.rlim_cur = soft > now.rlim_max ? now.rlim_max : soft;
    }
    return setrlimit(resource, &value) == 0;
}

/* Pages of address space that the process has, in bytes; 0 when not known. */
static uint64_t address_space(void)
{
    struct cs_buf text = CS_BUF_INIT(1u << 20);
    struct cs_view rest, pages;
    uint64_t count = 0;

    if (cs_file_read(&text, "/proc/self/statm", 4096, NULL) == CS_OK) {
        rest = cs_buf_view(&text);
        if (!cs_view_split(&rest, ' ', &pages) || !cs_view_to_u64(pages, &count))
            count = 0;
    }
    cs_buf_clear(&text);
    return count * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool set_limits(const struct cs_child_limits *limits)
{
    rlim_t cpu = (rlim_t)limits->cpu_s;
    uint64_t memory = address_space() + ((uint64_t)limits->memory_mib << 20);

    return limit(RLIMIT_CORE, 0, 0) && limit(RLIMIT_CPU, cpu, cpu + 1) &&
           limit(RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES) &&
           limit(RLIMIT_FSIZE, limits->file_bytes, limits->file_bytes) &&
           (SHADOW_MEMORY || limit(RLIMIT_AS, memory, memory));
}

static void close_from(unsigned first)
{
#ifdef HAVE_CLOSE_RANGE
    if (close_range(first, ~0U, 0) == 0)
        return;
#endif
    for (long fd = (long)first, last = sysconf(_SC_OPEN_MAX); fd < last && fd < 65536;
         fd++)
        (void)close((int)fd);
}

/* Puts the descriptors that are needed in their places and closes all others. */
static bool arrange_files(const struct cs_child_job *job, int report_fd,
                          int files_out[CS_CHILD_FILES])
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int moved[CS_CHILD_FILES];

    report_fd = fcntl(report_fd, F_DUPFD, HIGH_FD);
    if (null_fd < 0 || report_fd < 0)
        return false;
    for (size_t i = 0; i < CS_CHILD_FILES; i++) {
        moved[i] = job->files[i] < 0 ? -1 : fcntl(job->files[i], F_DUPFD, HIGH_FD);
        if (job->files[i] >= 0 && moved[i] < 0)
            return false;
    }
    if (dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0 || dup2(report_fd, REPORT_FD) < 0)
        return false;
    for (size_t i = 0; i < CS_CHILD_FILES; i++) {
        files_out[i] = moved[i] < 0 ? -1 : FIRST_FD + (int)i;
        if (moved[i] >= 0 && dup2(moved[i], files_out[i]) < 0)
            return false;
        if (moved[i] < 0)
            (void)close(FIRST_FD + (int)i);
    }
    close_from(FIRST_FD + CS_CHILD_FILES);
    return true;
}

static void run_child(const struct cs_child_job *job, int report_fd, pid_t parent)
{
    _Alignas(max_align_t) unsigned char report[CS_CHILD_REPORT] = {0};
    int files[CS_CHILD_FILES];

    /* The parent may have died before its death was subscribed to. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(EXIT_FAILURE);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    reset_signals();
    if (!arrange_files(job, report_fd, files) || !set_limits(&job->limits))
        _exit(EXIT_FAILURE);
    job->work(job->payload, files, report);
    if (cs_file_write_all(REPORT_FD, cs_view_of(report, job->report_size)) != 0)
        _exit(EXIT_FAILURE);
    _exit(EXIT_SUCCESS);
}

/* ---- in the caller --------------------------------------------------------------------
 */

/* Waits until the child has closed its end of the pipe, which it does by ending.
 * False when the deadline passed first. */
static bool wait_for_end(int report_fd, struct cs_deadline deadline,
                         unsigned char *report, size_t *size)
{
    struct pollfd end = {.fd = report_fd, .events = POLLIN};

    for (;;) {
        int left = cs_deadline_left_ms(deadline);
        ssize_t got;

        if (left == 0)
            return false;
        if (poll(&end, 1, left) <= 0)
            continue; /* interrupted or too late: the clock tells */
        got = read(report_fd, report + *size, CS_CHILD_REPORT - *size);
        if (got == 0)
            return true;
        if (got > 0)
            *size += (size_t)got;
        else if (errno != EINTR && errno != EAGAIN)
            return true;
        if (*size == CS_CHILD_REPORT)
            return true; /* more than any report: what follows is looked at as a whole */
    }
}

static bool reap(pid_t pid, int *status)
{
    pid_t ended;

    do
        ended = waitpid(pid, status, 0);
    while (ended < 0 && errno == EINTR);
    return ended == pid;
}

static enum cs_code crashed(struct cs_err *err, int number)
{
    return cs_err_field(
        err, CS_ERENDER, "", "render_crashed",
        "rendering crashed on this input (signal %d); the state is kept as it "
        "is, bring your own website and PDF, or report the fault",
        number);
}

static enum cs_code over_memory(struct cs_err *err, const struct cs_child_limits *limits)
{
    return cs_err_field(
        err, CS_ERENDER, "", "render_memory",
        "rendering needs more than %d MiB of memory: make the state smaller or "
        "raise RENDER_MEMORY_MIB",
        limits->memory_mib);
}

static enum cs_code over_time(struct cs_err *err, const struct cs_child_limits *limits)
{
    return cs_err_field(
        err, CS_ERENDER, "", "render_time",
        "rendering needs more than %d s of processor time: make the state "
        "smaller or raise RENDER_CPU_SECONDS",
        limits->cpu_s);
}

/* Why a child ended that did not hand in a report. */
static enum cs_code explain(const struct cs_child_job *job, int status,
                            struct cs_err *err)
{
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

    if (WIFEXITED(status) && WEXITSTATUS(status) == CS_CHILD_EXIT_NOMEM)
        return over_memory(err, &job->limits);
    if (number == SIGXCPU)
        return over_time(err, &job->limits);
    if (number == SIGXFSZ)
        return cs_err_field(err, CS_ERENDER, "", "render_size",
                            "the rendering is larger than %" PRIu64
                            " MiB: make the state smaller",
                            job->limits.file_bytes >> 20);
    /* Not by us, so by the kernel, for all of the machine's memory. */
    if (number == SIGKILL)
        return over_memory(err, &job->limits);
    if (number != 0)
        return crashed(err, number);
    return cs_err_set(err, CS_EINTERNAL, "the rendering process ended with status %d",
                      WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static pid_t start(const struct cs_child_job *job, const int report[2],
                   struct cs_err *err)
{
    sigset_t all, before;
    pid_t parent = getpid();
    pid_t pid;

    /* No handler of the caller may run in the child. */
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        run_child(job, report[1], parent);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        (void)cs_err_set(err, CS_EBUSY,
                         "no process can be started for rendering: try again later");
    return pid;
}

enum cs_code cs_child_run(const struct cs_child_job *job, struct cs_deadline deadline,
                          struct cs_err *err)
{
    unsigned char report[CS_CHILD_REPORT];
    size_t size = 0;
    int pipe_fds[2];
    int status = 0;
    bool ended, known;
    pid_t pid;

    if (job->report_size > CS_CHILD_REPORT)
        return cs_err_set(err, CS_EINTERNAL, "a report of %zu bytes", job->report_size);
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return cs_err_errno(err, errno, "no pipe for the rendering process");
    pid = start(job, pipe_fds, err);
    (void)close(pipe_fds[1]);
    if (pid < 0) {
        (void)close(pipe_fds[0]);
        return CS_EBUSY;
    }
    ended = wait_for_end(pipe_fds[0], deadline, report, &size);
    (void)close(pipe_fds[0]);
    if (!ended)
        (void)kill(pid, SIGKILL);
    known = reap(pid, &status);
    if (!ended)
        return cs_err_set(err, CS_ETIMEOUT,
                          "rendering did not end in time: try again, or make "
                          "the state smaller");
    if (size != job->report_size || !known || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0) {
        /* Where the caller's process ignores SIGCHLD, the status is lost. */
        if (size == job->report_size && !known)
            goto out;
        return explain(job, known ? status : SIGKILL, err);
    }
out:
    memcpy(job->report, report, job->report_size);
    return CS_OK;
}
