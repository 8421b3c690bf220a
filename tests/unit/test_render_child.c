#include "config.h"

#include "render_helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "render/child.h"
#include "render/render.h"

/* For what ends by itself: a loaded machine takes its time. */
#define LONG_ENOUGH_MS 120000

struct report {
    int number;
    int files;      /* descriptors open in the child */
    int handled;    /* signals with a handler or ignored, but for those that ask to end */
    long core, cpu; /* limits */
};

enum deed {
    DO_REPORT,
    DO_HEAR, /* signals */
    DO_SPIN,
    DO_ALLOCATE,
    DO_CRASH,
    DO_ABORT,
    DO_OVERFLOW,
    DO_EXIT,
    DO_SLEEP,
    DO_KILL,
    DO_FILL
};

static int overflow(volatile int depth)
{
    volatile char room[4096];

    room[0] = (char)depth;
    return depth < 0 ? room[0] : overflow(depth + 1) + room[0];
}

static void allocate(void)
{
    for (;;) {
        /* volatile: a compiler may leave out memory that nobody looks at */
        char *volatile room = malloc(1u << 20);

        if (room == NULL)
            _exit(CS_CHILD_EXIT_NOMEM);
        memset(room, 1, 1u << 20);
    }
}

static void fill_file(int file)
{
    static const char block[65536];

    while (cs_file_write_all(file, cs_view_of(block, sizeof(block))) == 0)
        ;
}

static bool asks_to_end(int number)
{
    return number == SIGTERM || number == SIGINT || number == SIGQUIT || number == SIGHUP;
}

static void look_around(struct report *report)
{
    struct rlimit value;

    for (int fd = 0; fd < 1024; fd++)
        report->files += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    for (int number = 1; number < 32; number++) {
        struct sigaction action;

        if (!asks_to_end(number) && sigaction(number, NULL, &action) == 0 &&
            action.sa_handler != SIG_DFL)
            report->handled++;
    }
    getrlimit(RLIMIT_CORE, &value);
    report->core = (long)value.rlim_cur;
    getrlimit(RLIMIT_CPU, &value);
    report->cpu = (long)value.rlim_cur;
}

static void work(void *payload, const int files[CS_CHILD_FILES], void *out)
{
    struct report *report = out;

    switch (*(enum deed *)payload) {
    case DO_REPORT:
        break;
    case DO_HEAR:
        for (int number = 1; number < 32; number++)
            if (asks_to_end(number))
                raise(number);
        break;
    case DO_SPIN:
        for (volatile unsigned i = 0;; i++)
            ;
    case DO_ALLOCATE:
        allocate();
        break;
    case DO_CRASH:
        raise(SIGSEGV);
        break;
    case DO_ABORT:
        abort();
    case DO_OVERFLOW:
        report->number = overflow(0);
        break;
    case DO_EXIT:
        _exit(3);
    case DO_SLEEP:
        for (;;)
            pause();
    case DO_KILL:
        raise(SIGKILL);
        break;
    case DO_FILL:
        fill_file(files[1]);
        break;
    }
    look_around(report);
    report->number = 42;
    if (cs_file_write_all(files[1], CS_LIT("hello")) != 0)
        _exit(4);
}

static enum cs_code run(enum deed deed, struct report *report, int file, int64_t ms,
                        struct cs_err *err)
{
    const struct cs_child_job job = {
        .work = work,
        .payload = &deed,
        .files = {-1, file},
        .limits = {.cpu_s = 1, .memory_mib = 64, .file_bytes = 1u << 20},
        .report = report,
        .report_size = sizeof(*report),
    };

    memset(report, 0, sizeof(*report));
    return cs_child_run(&job, cs_deadline_in_ms(ms), err);
}

static void no_child_is_left(void)
{
    int status;

    assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void on_signal(int number)
{
    (void)number;
}

static void test_work_reports(void **state)
{
    struct report report;
    char text[6] = "";
    int file = memfd_create("test", MFD_CLOEXEC);
    int low = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, must not stay open */

    (void)state;
    signal(SIGUSR1, on_signal);
    signal(SIGPIPE, SIG_IGN);
    assert_ok(run(DO_REPORT, &report, file, LONG_ENOUGH_MS, err));
    signal(SIGUSR1, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(report.number, 42);
    assert_int_equal(report.files, 5); /* 0, 1, 2, the report, the file */
    assert_int_equal(report.handled, 0);
    assert_int_equal(report.core, 0);
    assert_int_equal(report.cpu, 1);
    assert_int_equal(pread(file, text, 5, 0), 5);
    assert_string_equal(text, "hello");
    close(file);
    close(low);
    no_child_is_left();
}

/* What is sent to all processes of a terminal or a unit reaches the child, too. */
static void test_who_asks_to_end_waits(void **state)
{
    struct report report;
    int file = memfd_create("test", MFD_CLOEXEC);

    (void)state;
    assert_ok(run(DO_HEAR, &report, file, LONG_ENOUGH_MS, err));
    assert_int_equal(report.number, 42);
    close(file);
    no_child_is_left();
}

static void test_ends_are_told_apart(void **state)
{
    static const struct {
        enum deed deed;
        enum cs_code code;
        const char *reason;
    } cases[] = {
        {DO_SPIN, CS_ERENDER, "render_time"},
        {DO_CRASH, CS_ERENDER, "render_crashed"},
        {DO_ABORT, CS_ERENDER, "render_crashed"},
        {DO_OVERFLOW, CS_ERENDER, "render_crashed"},
        {DO_EXIT, CS_EINTERNAL, ""},
        {DO_KILL, CS_ERENDER, "render_memory"},
        {DO_FILL, CS_ERENDER, "render_size"},
#if !UNIT_SANITIZED
        {DO_ALLOCATE, CS_ERENDER, "render_memory"},
#endif
    };
    int file = memfd_create("test", MFD_CLOEXEC);

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_err err = CS_ERR_NONE;
        struct report report;

        assert_int_equal(run(cases[i].deed, &report, file, LONG_ENOUGH_MS, &err),
                         cases[i].code);
        assert_string_equal(err.reason, cases[i].reason);
        assert_int_not_equal(err.text[0], '\0');
        assert_int_equal(report.number, 0);
        no_child_is_left();
    }
    close(file);
}

static void test_deadline_kills(void **state)
{
    struct report report;
    int64_t start = cs_clock_monotonic_us();
    struct cs_err err = CS_ERR_NONE;

    (void)state;
    assert_int_equal(run(DO_SLEEP, &report, 2, 60, &err), CS_ETIMEOUT);
    assert_true(cs_clock_monotonic_us() - start >= 60000);
    assert_true(cs_clock_monotonic_us() - start < LONG_ENOUGH_MS * 1000);
    no_child_is_left();
    assert_int_equal(run(DO_SLEEP, &report, 2, 0, NULL), CS_ETIMEOUT);
    no_child_is_left();
}

static void test_other_children_are_left_alone(void **state)
{
    struct report report;
    int file = memfd_create("test", MFD_CLOEXEC), status = 0;
    pid_t other = fork();

    (void)state;
    if (other == 0)
        _exit(7);
    assert_ok(run(DO_REPORT, &report, file, LONG_ENOUGH_MS, err));
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(WEXITSTATUS(status), 7);
    close(file);
}

static void test_ignored_sigchld_is_no_hindrance(void **state)
{
    struct report report;
    int file = memfd_create("test", MFD_CLOEXEC);

    (void)state;
    signal(SIGCHLD, SIG_IGN);
    assert_ok(run(DO_REPORT, &report, file, LONG_ENOUGH_MS, err));
    assert_int_equal(run(DO_CRASH, &report, file, LONG_ENOUGH_MS, NULL), CS_ERENDER);
    signal(SIGCHLD, SIG_DFL);
    close(file);
}

/* ---- the whole
 * ------------------------------------------------------------------------- */

static struct cs_renderer *renderer_of(int cpu_s, int memory_mib)
{
    char *share = unit_share_dir();
    const struct cs_renderer_options options = {
        .share_dir = share, .cpu_limit_s = cpu_s, .memory_limit_mib = memory_mib};
    struct cs_renderer *renderer = cs_renderer_new(&options, NULL);

    assert_non_null(renderer);
    free(share);
    return renderer;
}

static void test_website_comes_back(void **state)
{
    struct cs_renderer *renderer = renderer_of(8, 512);
    struct cs_render_input input = {
        .campaign_name = CS_LIT("Name"),
        .state =
            CS_LIT("{\"artifacts\":{\"web_developer\":{\"campaign_website\":\"no\"}}}"),
        .want_website = true,
    };
    struct cs_render_output output;
    char start[16] = "";

    (void)state;
    assert_ok(
        cs_render(renderer, &input, &output, cs_deadline_in_ms(LONG_ENOUGH_MS), err));
    assert_int_equal(pread(output.website_fd, start, 15, 0), 15);
    assert_string_equal(start, "<!DOCTYPE html>");
    assert_int_equal(lseek(output.website_fd, 0, SEEK_END), output.website_size);
    assert_int_equal(output.pdf_fd, -1);
    assert_false(output.website_supplied);
    assert_string_equal(
        output.website_note,
        "the page in /artifacts/web_developer/campaign_website was not used: "
        "there is no HTML in it");
    cs_render_output_clear(&output);
    input.state = CS_LIT("{\"artifacts\":{\"web_developer\":{\"campaign_website\":"
                         "\"<h1>All the words of a page</h1>\"}}}");
    assert_ok(
        cs_render(renderer, &input, &output, cs_deadline_in_ms(LONG_ENOUGH_MS), err));
    assert_true(output.website_supplied);
    assert_string_equal(output.website_note, "");
    cs_render_output_clear(&output);
    cs_renderer_free(renderer);
    no_child_is_left();
}

static void test_rendering_keeps_its_limits(void **state)
{
    struct cs_renderer *renderer = renderer_of(1, 8);
    struct cs_buf text = CS_BUF_INIT(UNIT_MAX);
    struct cs_render_input input = {.want_website = true};
    struct cs_render_output output;
    struct cs_err fault = CS_ERR_NONE;

    (void)state;
    cs_buf_add_cstr(&text, "{\"artifacts\":{\"a\":\"");
    for (size_t i = 0; i < 300000; i++)
        cs_buf_add_cstr(&text, "*a* ");
    cs_buf_add_cstr(&text, "\"}}");
    input.state = cs_buf_view(&text);
#if !UNIT_SANITIZED
    assert_int_equal(
        cs_render(renderer, &input, &output, cs_deadline_in_ms(LONG_ENOUGH_MS), &fault),
        CS_ERENDER);
    assert_string_equal(fault.reason, "render_memory");
    assert_int_equal(output.website_fd, -1);
#endif
    assert_int_equal(cs_render(renderer, &input, &output, cs_deadline_in_ms(0), NULL),
                     CS_ETIMEOUT);
    input.state = CS_LIT("{broken");
    fault = CS_ERR_NONE;
    assert_int_equal(
        cs_render(renderer, &input, &output, cs_deadline_in_ms(LONG_ENOUGH_MS), &fault),
        CS_EINVAL);
    cs_buf_clear(&text);
    cs_renderer_free(renderer);
    no_child_is_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_work_reports),
        cmocka_unit_test(test_who_asks_to_end_waits),
        cmocka_unit_test(test_ends_are_told_apart),
        cmocka_unit_test(test_deadline_kills),
        cmocka_unit_test(test_other_children_are_left_alone),
        cmocka_unit_test(test_ignored_sigchld_is_no_hindrance),
        cmocka_unit_test(test_website_comes_back),
        cmocka_unit_test(test_rendering_keeps_its_limits),
    };

    /* valgrind keeps descriptors and address space for itself, so that a child
     * within it can't be limited. */
    if (getenv("CS_VALGRIND") != NULL) {
        print_message("under valgrind no process can be limited: skipped\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
