#include "config.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "unit.h"

#include "listen.h"

static char folder[] = "test_listen.XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/socket", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void expect_refused(const char *address, enum cs_code code)
{
    struct cs_err err = CS_ERR_NONE;
    int fd = 7;

    assert_int_equal(cs_listen_open(&fd, address, 0660, &err), code);
    assert_int_equal(fd, -1);
    assert_true(err.text[0] != '\0');
}

static bool connects(const char *to)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected;

    memcpy(at.sun_path, to, strlen(to) + 1);
    connected = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    (void)close(fd);
    return connected;
}

static void test_path(void **state)
{
    struct stat status;
    int fd;

    (void)state;
    assert_ok(cs_listen_open(&fd, path, 0620, err));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0620);
    assert_true(connects(path));
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true(cs_listen_inherited(fd));
    /* a second one does not push the first one aside */
    expect_refused(path, CS_EEXISTS);
    assert_true(connects(path));
    cs_listen_remove(path);
    assert_int_equal(access(path, F_OK), -1);
    (void)close(fd);
}

/* What a killed process leaves behind. */
static void test_stale_path(void **state)
{
    int fd;

    (void)state;
    assert_ok(cs_listen_open(&fd, path, 0660, err));
    (void)close(fd);
    assert_int_equal(access(path, F_OK), 0);
    assert_ok(cs_listen_open(&fd, path, 0660, err));
    assert_true(connects(path));
    cs_listen_remove(path);
    (void)close(fd);
}

/* Nothing but a socket is ever removed. */
static void test_other_files(void **state)
{
    (void)state;
    assert_ok(cs_file_write(path, CS_LIT("precious"), 0600, err));
    expect_refused(path, CS_EEXISTS);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    expect_refused(path, CS_EEXISTS);
    assert_int_equal(unlink(path), 0);
    expect_refused("test_listen.missing/socket", CS_EIO);
}

static void test_addresses(void **state)
{
    static const char *const refused[] = {
        "",          "socket",          "9000",         ":9000",
        "*:9000",    "0.0.0.0:9000",    "127.0.0.1",    "127.0.0.1:",
        "[::]:9000", "localhost:9000",  "127.0.0.1:0",  "127.0.0.1:65536",
        "[::1]",     "127.0.0.1:+9000", "127.0.0.1: 1", "192.0.2.1:9000",
    };
    char long_path[200];

    (void)state;
    for (size_t i = 0; i < CS_COUNT(refused); i++)
        expect_refused(refused[i], CS_EINVAL);
    memset(long_path, 'x', sizeof(long_path));
    long_path[0] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    expect_refused(long_path, CS_EINVAL);
}

static void test_loopback(void **state)
{
    char address[32];
    int fd = -1, second, tries = 0;

    (void)state;
    /* some port that is free */
    for (int port = 20000 + (int)(getpid() % 20000); fd < 0 && tries < 50;
         port++, tries++) {
        snprintf(address, sizeof(address), "127.0.0.1:%d", port);
        (void)!cs_listen_open(&fd, address, 0660, NULL);
    }
    assert_true(fd >= 0);
    assert_true(cs_listen_inherited(fd));
    assert_int_equal(cs_listen_open(&second, address, 0660, NULL), CS_EEXISTS);
    cs_listen_remove(address); /* nothing to remove, nothing removed */
    (void)close(fd);
}

static void test_not_inherited(void **state)
{
    int pair[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_false(cs_listen_inherited(pair[0]));
    assert_false(cs_listen_inherited(null));
    assert_false(cs_listen_inherited(-1));
    (void)close(pair[0]);
    (void)close(pair[1]);
    (void)close(null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),        cmocka_unit_test(test_stale_path),
        cmocka_unit_test(test_other_files), cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_loopback),    cmocka_unit_test(test_not_inherited),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
