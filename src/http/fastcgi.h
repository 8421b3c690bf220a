/* http/fastcgi.h: one FastCGI request over libfcgi: a carrier of messages.
 * The only module that sees <fcgiapp.h>.
 *
 * libfcgi never accepts, and never reads from, a connection (http/records.h says
 * why). Most answers are small: they are kept until they are complete, and sent with
 * the end of the request in one piece. One that is larger, or that must go out before
 * it is complete, goes through libfcgi's stream. */
#ifndef CS_HTTP_FASTCGI_H
#define CS_HTTP_FASTCGI_H

#include <signal.h>

#include "http/message.h"
#include "http/records.h"

struct cs_fastcgi;

/* A request that no byte has been answered to yet, as a signal handler sees it. */
struct cs_fastcgi_unanswered {
    volatile sig_atomic_t fd; /* -1: there is none, and the rest says nothing */
    volatile sig_atomic_t id; /* of the FastCGI request */
    char request_id[CS_REQUEST_ID_SIZE]; /* for people */
};

/* Answers it with 503 and Retry-After; for a handler that ends the process then,
 * and async-signal-safe. */
void cs_fastcgi_give_up(const struct cs_fastcgi_unanswered *unanswered);

/* Starts libfcgi, keeping the process's signal handlers as they are, but for
 * SIGPIPE, which is ignored from here on. limits are borrowed; so is unanswered,
 * which is kept up to date, or NULL. */
struct cs_fastcgi *cs_fastcgi_new(const struct cs_records_limits *limits,
                                  struct cs_fastcgi_unanswered *unanswered,
                                  struct cs_err *err);
void cs_fastcgi_free(struct cs_fastcgi *fastcgi);

/* Takes over an accepted connection and reads its request up to the body.
 * Errors as cs_records_open(). After CS_OK and after CS_ETOOBIG (the parameters
 * that fitted are there, so that the client can be told) the request is open
 * until cs_fastcgi_close(); after all others the connection is closed. */
enum cs_code cs_fastcgi_open(struct cs_fastcgi *fastcgi, int fd,
                             struct cs_err *err) CS_MUST_USE;

/* Of the open request: its parameters ("NAME=value", NULL at the end), and how
 * its body comes in and its answer goes out. Borrowed until it is closed. */
char **cs_fastcgi_params(struct cs_fastcgi *fastcgi);
const struct cs_carrier *cs_fastcgi_carrier(struct cs_fastcgi *fastcgi);

/* Ends the request and closes its connection. whole: the answer is complete and
 * the end-of-request record says so; else the connection is just cut. */
void cs_fastcgi_close(struct cs_fastcgi *fastcgi, bool whole);

/* Whether the request that was closed last had no body, and a small answer. */
bool cs_fastcgi_was_small(const struct cs_fastcgi *fastcgi);

#endif
