/* pool.h: the supervisor: keeps a number of worker processes alive.
 *
 * A worker that crashes or ends by itself is replaced at once; one that fails
 * before it was ready is tried again with growing pauses. Signals:
 *   SIGTERM SIGINT SIGQUIT  every worker gets SIGTERM and may finish its request;
 *                           a second one, or the end of grace_ms, kills them
 *   SIGHUP                  new settings; workers are replaced one by one, each
 *                           old one asked to end when a new one is ready
 *   SIGUSR1                 the log is opened anew, here and in the workers
 * Workers end when the supervisor is killed. Nothing but fork, wait and signals
 * happens in this process, so that nothing is inherited that must not be. */
#ifndef CS_POOL_H
#define CS_POOL_H

#include "base/log.h"

/* Exit codes of a worker. */
#define CS_POOL_EXIT_END    0 /* stopped, or due for replacement */
#define CS_POOL_EXIT_FAILED 1
#define CS_POOL_EXIT_CONFIG                                    \
    78 /* EX_CONFIG of <sysexits.h>: trying again is of no use \
        */

struct cs_pool_options {
    void *payload;
    /* The worker, in its own process. Writes a byte to ready_fd when it is about
     * to take requests. SIGTERM, SIGINT, SIGQUIT, SIGHUP and SIGUSR1 are blocked
     * when it begins. Returns its exit code. */
    int (*work)(void *payload, void *settings, int ready_fd);
    int (*workers)(void *payload, const void *settings); /* how many, at least 1 */
    /* SIGHUP: new settings, or NULL with err set, and all stays as it is. */
    void *(*reload)(void *payload, struct cs_err *err);
    void (*drop)(void *payload, void *settings); /* settings that nobody uses any more */
    int grace_ms;                                /* for requests in flight */
    struct cs_log *const *log; /* where to find it: reload may change it */
};

/* From here on the pool's signals wait for cs_pool_run. To be called before the
 * pid file or the socket tells others whom to signal. */
enum cs_code cs_pool_hold_signals(struct cs_err *err);

/* Runs until it is told to stop: 0. CS_POOL_EXIT_CONFIG or CS_POOL_EXIT_FAILED
 * when no worker ever became ready. settings are handed over. The signals stay
 * blocked when it returns: one that comes while the process ends must not change
 * its exit status, or keep it from removing its socket. */
int cs_pool_run(const struct cs_pool_options *options, void *settings,
                struct cs_err *err);

#endif
