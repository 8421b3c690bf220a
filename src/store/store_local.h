/* store/store_local.h: the embedded store: records in SQLite, objects as files. */
#ifndef CS_STORE_STORE_LOCAL_H
#define CS_STORE_STORE_LOCAL_H

#include "base/log.h"
#include "store/store.h"

struct cs_store_local_options {
    const char *root;        /* folder of the store; made by init with mode 0700 */
    const char *bucket_name; /* as the API shows it */
    const char *table_name;
    struct cs_log *log; /* borrowed; may be NULL */
};

/* Opens nothing yet: the database is opened at the first call, in the process
 * that makes it. NULL with err set when out of memory. */
struct cs_store *cs_store_local_new(const struct cs_store_local_options *options,
                                    struct cs_err *err);

#endif
