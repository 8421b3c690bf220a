/* http/records.h: reads the records of one FastCGI connection (FastCGI 1.0,
 * sections 3 to 5).
 *
 * libfcgi reads whatever a peer announces: it takes memory for parameters of
 * 2 GiB, writes past a 64-byte answer when asked for the same value often
 * enough, and waits as long as it takes. So it is never given the connection to
 * read from. This module does the reading, with a bound for every length and
 * every wait. */
#ifndef CS_HTTP_RECORDS_H
#define CS_HTTP_RECORDS_H

#include <signal.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"

struct cs_records_limits {
    size_t params_max_bytes; /* of all parameters together */
    int idle_ms;    /* until the first byte; then again until the last parameter */
    int silence_ms; /* between two pieces of a body */
    const sigset_t *wait_mask; /* while waiting for the parameters; NULL: as it is */
    const volatile sig_atomic_t *stop; /* cuts that wait short; or NULL */
};

struct cs_records;

/* One is made for each worker, and used for one connection after the other.
 * limits are borrowed. NULL when out of memory. */
struct cs_records *cs_records_new(const struct cs_records_limits *limits);
void cs_records_free(struct cs_records *records);

/* Begins with a connection (a blocking stream socket, borrowed) and reads up to
 * the end of the parameters. params gets their name-value pairs as they came
 * (section 3.4), whole pairs only, checked to lie within it and to hold no NUL.
 * CS_EGONE      closed before the first byte
 * CS_ETIMEOUT   silent, or not complete in time
 * CS_ETOOBIG    more than params_max_bytes: all were read, params holds the first
 * CS_EINVAL     not FastCGI, or not a responder's request
 * CS_EIO, CS_ENOMEM */
enum cs_code cs_records_open(struct cs_records *records, int fd, struct cs_buf *params,
                             struct cs_err *err) CS_MUST_USE;

/* Takes the pair at the front of such pairs; false at their end. */
bool cs_records_take_pair(struct cs_view *rest, struct cs_view *name,
                          struct cs_view *value);

/* The id of the request, 1 to 65535. */
unsigned cs_records_id(const struct cs_records *records);

/* Bytes of its body that came in so far. */
uint64_t cs_records_body_bytes(const struct cs_records *records);

/* Reads on in the body: -1 on error (errno; ETIMEDOUT when the peer is silent or
 * keeps on trickling), 0 at its end. */
ssize_t cs_records_read(struct cs_records *records, char *to, size_t room);

/* True as soon as there is something to read, false at the deadline. The reads that
 * follow wait no longer than that either. */
bool cs_records_ready(struct cs_records *records, struct cs_deadline deadline);

#endif
