/* store/store_local.h: the embedded store: records in SQLite, objects as files.
 *
 * Below its root folder (mode 0710; the group is let through to objects/, less
 * what the umask takes, so that a web server in it can send them):
 *   campaigns.db                the records, log and counters (with -wal and -shm)
 *   objects/<key>@<version>     one file (mode 0640) per version of an object; the
 *                               key's slashes are folders, bytes of it outside
 *                               [A-Za-z0-9._-] are written as %XX
 *   tmp/                        puts that have not ended
 *   secret                      32 random bytes: the key of signed links
 * Any number of processes may use it at once. Nothing below the root is
 * reached through a symbolic link. */
#ifndef CS_STORE_STORE_LOCAL_H
#define CS_STORE_STORE_LOCAL_H

#include "base/log.h"
#include "store/store.h"

/* How SQLite keeps a transaction apart until it is whole. */
enum cs_local_journal {
    CS_JOURNAL_BY_FILE_SYSTEM, /* a write-ahead log, unless the file system is a network's
                                */
    CS_JOURNAL_WAL,            /* fast; needs memory shared by all processes */
    CS_JOURNAL_ROLLBACK        /* works on network file systems too */
};

struct cs_store_local_options {
    const char *root;        /* folder of the store; made by init with mode 0710. A
                              * relative one is taken from the working folder at once */
    const char *bucket_name; /* as the API shows it */
    const char *table_name;
    enum cs_local_journal journal;
    struct cs_log *log; /* borrowed; may be NULL */
};

/* Opens nothing yet: the database is opened at the first call, in the process
 * that makes it, and refused (CS_EINTERNAL) in one forked later. NULL with err
 * set when out of memory; CS_EINVAL where the root is there and other users may
 * look into it. */
struct cs_store *cs_store_local_new(const struct cs_store_local_options *options,
                                    struct cs_err *err);

/* For stores made by cs_store_local_new() alone; others get CS_EUNSUPPORTED: */

/* Whether there is one, for those who only look: every other call makes what is missing.
 * CS_ENOTFOUND with a sentence on what to do. */
enum cs_code cs_store_local_find(struct cs_store *store, struct cs_err *err) CS_MUST_USE;

#define CS_STORE_SECRET_LEN 32u

/* The key of signed links, made at the first call by any process. The caller
 * wipes it. All zero on failure. */
enum cs_code cs_store_local_secret(struct cs_store *store,
                                   uint8_t out[CS_STORE_SECRET_LEN],
                                   struct cs_err *err) CS_MUST_USE;

struct cs_local_cleanup {
    uint64_t files_removed; /* or found, in a dry run */
    uint64_t bytes_removed;
};

/* Removes what crashed puts left in tmp/ and was last written before
 * `before_us` (of cs_clock_now_us(); a day ago is a good choice, so that no
 * running put is hit). A dry run only counts. */
enum cs_code cs_store_local_cleanup(struct cs_store *store, int64_t before_us,
                                    bool dry_run, struct cs_local_cleanup *out,
                                    struct cs_deadline deadline,
                                    struct cs_err *err) CS_MUST_USE;

#endif
