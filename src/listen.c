#include "config.h"

#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define BACKLOG 511

#define TAKE_OVER_MS   3000
#define TAKE_OVER_STEP 50

/* An address as the kernel wants it. */
struct address {
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } at;
    socklen_t len;
};

bool cs_listen_inherited(int fd)
{
    int listening = 0;
    socklen_t len = sizeof(listening);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 &&
           listening != 0;
}

static bool is_path(const char *address)
{
    return strchr(address, '/') != NULL;
}

static enum cs_code path_address(struct address *out, const char *path,
                                 struct cs_err *err)
{
    size_t len = strlen(path);

    if (len >= sizeof(out->at.un.sun_path))
        return cs_err_field(err, CS_EINVAL, "CAMPAIGND_LISTEN", "listen_address",
                            "the path of a socket can have %zu bytes at most, %s has %zu",
                            sizeof(out->at.un.sun_path) - 1, path, len);
    out->at.un.sun_family = AF_UNIX;
    memcpy(out->at.un.sun_path, path, len + 1);
    out->len = sizeof(out->at.un);
    return CS_OK;
}

static enum cs_code bad_address(const char *address, struct cs_err *err)
{
    return cs_err_field(
        err, CS_EINVAL, "CAMPAIGND_LISTEN", "listen_address",
        "can't listen on \"%s\": give the path of a socket, 127.0.0.1:port or "
        "[::1]:port",
        address);
}

static enum cs_code loopback_address(struct address *out, const char *address,
                                     struct cs_err *err)
{
    static const struct cs_view v4 = CS_LIT_INIT("127.0.0.1:"),
                                v6 = CS_LIT_INIT("[::1]:");
    struct cs_view view = cs_view_cstr(address);
    bool six = cs_view_starts(view, v6);
    uint64_t port;

    if ((!six && !cs_view_starts(view, v4)) ||
        !cs_view_to_u64(cs_view_from(view, six ? v6.len : v4.len), &port) || port == 0 ||
        port > UINT16_MAX)
        return bad_address(address, err);
    if (six) {
        out->at.in6.sin6_family = AF_INET6;
        out->at.in6.sin6_addr = in6addr_loopback;
        out->at.in6.sin6_port = htons((uint16_t)port);
        out->len = sizeof(out->at.in6);
    } else {
        out->at.in.sin_family = AF_INET;
        out->at.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        out->at.in.sin_port = htons((uint16_t)port);
        out->len = sizeof(out->at.in);
    }
    return CS_OK;
}

static bool somebody_listens(const struct address *address)
{
    int fd =
        socket(address->at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool connected;

    if (fd < 0)
        return false;
    /* EAGAIN: there is a listener, and its queue is full. */
    connected = connect(fd, &address->at.any, address->len) == 0 || errno == EAGAIN;
    (void)close(fd);
    return connected;
}

/* Removes the file of a socket that nobody listens on. */
static enum cs_code clear_path(const struct address *address, struct cs_err *err)
{
    const char *path = address->at.un.sun_path;
    struct cs_deadline deadline = cs_deadline_in_ms(TAKE_OVER_MS);
    struct stat status;

    if (lstat(path, &status) != 0)
        return errno == ENOENT ? CS_OK : cs_err_errno(err, errno, "%s", path);
    if (!S_ISSOCK(status.st_mode))
        return cs_err_field(
            err, CS_EEXISTS, "CAMPAIGND_LISTEN", "listen_address",
            "%s is there and is not a socket: remove it or take another path", path);
    while (somebody_listens(address)) {
        if (cs_deadline_left_ms(deadline) == 0)
            return cs_err_field(err, CS_EEXISTS, "CAMPAIGND_LISTEN", "listen_address",
                                "another process listens on %s: stop it first", path);
        (void)poll(NULL, 0, TAKE_OVER_STEP);
    }
    if (unlink(path) != 0 && errno != ENOENT)
        return cs_err_errno(err, errno, "the old socket %s can't be removed", path);
    return CS_OK;
}

static enum cs_code bind_and_listen(int fd, const struct address *address,
                                    const char *text, mode_t mode, struct cs_err *err)
{
    const int on = 1;
    bool path = address->at.any.sa_family == AF_UNIX;

    if (!path && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return cs_err_errno(err, errno, "setting up %s failed", text);
    if (bind(fd, &address->at.any, address->len) != 0)
        return errno == EADDRINUSE
                   ? cs_err_field(err, CS_EEXISTS, "CAMPAIGND_LISTEN", "listen_address",
                                  "another process listens on %s: stop it first", text)
                   : cs_err_errno(err, errno, "can't listen on %s", text);
    /* The umask has kept it to ourselves until here. */
    if (path && chmod(text, mode) != 0)
        return cs_err_errno(err, errno, "setting the mode of %s failed", text);
    if (listen(fd, BACKLOG) != 0)
        return cs_err_errno(err, errno, "can't listen on %s", text);
    return CS_OK;
}

enum cs_code cs_listen_open(int *fd_out, const char *address, mode_t mode,
                            struct cs_err *err)
{
    struct address at = {.len = 0};
    enum cs_code rc;
    int fd;

    *fd_out = -1;
    rc = is_path(address) ? path_address(&at, address, err)
                          : loopback_address(&at, address, err);
    if (rc == CS_OK && is_path(address))
        rc = clear_path(&at, err);
    if (rc != CS_OK)
        return rc;
    fd = socket(at.at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return cs_err_errno(err, errno, "can't make a socket for %s", address);
    if ((rc = bind_and_listen(fd, &at, address, mode, err)) != CS_OK) {
        (void)close(fd);
        return rc;
    }
    *fd_out = fd;
    return CS_OK;
}

void cs_listen_remove(const char *address)
{
    if (is_path(address))
        (void)unlink(address);
}
