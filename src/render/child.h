/* render/child.h: work done in a process of its own, with limits on processor
 * time, memory, files and wall time, so that no input can hurt the caller. */
#ifndef CS_RENDER_CHILD_H
#define CS_RENDER_CHILD_H

#include "base/buf.h"
#include "base/clock.h"

#define CS_CHILD_FILES  2u
#define CS_CHILD_REPORT 2048u /* bytes; fits a pipe, so that writing never waits */

/* Exit status of work that found no memory where that can't be returned. */
#define CS_CHILD_EXIT_NOMEM 77

struct cs_child_limits {
    int cpu_s;           /* processor time */
    int memory_mib;      /* address space beyond what the caller has; not under
                            AddressSanitizer */
    uint64_t file_bytes; /* of each file written */
};

/* The work. `files` are the caller's, under other numbers; all other descriptors but
 * stderr are closed, signals are as at a program's start, but for those that ask the
 * service to end, which are ignored. Fills the report, which reaches the caller only
 * when the work returns. */
typedef void cs_child_work(void *payload, const int files[CS_CHILD_FILES], void *report);

struct cs_child_job {
    cs_child_work *work;
    void *payload;             /* seen by the child as it was at the call */
    int files[CS_CHILD_FILES]; /* -1 where not used */
    struct cs_child_limits limits;
    void *report;       /* filled by the work; plain data without pointers */
    size_t report_size; /* at most CS_CHILD_REPORT */
};

/* Forks, runs the work, waits for it; leaves no process behind, whatever happens,
 * and waits for no child but its own. CS_OK when the work returned. CS_ERENDER with
 * reason "render_time", "render_memory", "render_size" or "render_crashed" when it did
 * not, CS_ETIMEOUT when the deadline passed first (the child is killed then), CS_EBUSY
 * when none could be started. */
enum cs_code cs_child_run(const struct cs_child_job *job, struct cs_deadline deadline,
                          struct cs_err *err) CS_MUST_USE;

#endif
