/* listen.h: the socket that the supervisor listens on. */
#ifndef CS_LISTEN_H
#define CS_LISTEN_H

#include <sys/types.h>

#include "base/buf.h"

/* True when fd is a socket that listens: then a web server or systemd has
 * started this process as one worker. */
bool cs_listen_inherited(int fd);

/* Opens "/path/to/socket" (given `mode`), "127.0.0.1:port" or "[::1]:port".
 * FastCGI knows no passwords, so other addresses are refused. The file of a
 * socket that nobody listens on any more is replaced; where somebody does, he is
 * given three seconds to end, as the workers of a supervisor that was killed do.
 * CS_EINVAL for an address of another kind, CS_EEXISTS for one in use, CS_EIO. */
enum cs_code cs_listen_open(int *fd_out, const char *address, mode_t mode,
                            struct cs_err *err) CS_MUST_USE;

/* Removes the file of a socket path; does nothing for other addresses. */
void cs_listen_remove(const char *address);

#endif
