/* store/local_walk.h: a walk over a folder of objects and all below it, without
 * following links and without recursion. */
#ifndef CS_STORE_LOCAL_WALK_H
#define CS_STORE_LOCAL_WALK_H

#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/view.h"

/* A file (or whatever is no folder), or a folder that is left, everything in it
 * having been shown. Valid during the callback. */
struct cs_local_found {
    int in_fd;                /* the folder that it stands in */
    const char *name;         /* in that folder */
    const struct stat *about; /* of a file; NULL for a folder */
    int own_fd;               /* of a folder; -1 for a file */
    struct cs_view key;       /* of an object; empty for what is no object's file */
    struct cs_view version;
    bool *in_changed; /* for the callback's use: one flag a folder, false at first */
    bool changed;     /* the flag of a folder that is left */
};

/* CS_OK to go on; anything else ends the walk and is its result. */
typedef enum cs_code cs_local_found_fn(void *payload, const struct cs_local_found *found,
                                       struct cs_err *err);

/* Shows what stands below objects/ under a prefix (as each_object() takes it),
 * sorted by name in each folder. A folder that does not exist holds nothing;
 * the one where the walk begins is not shown when it is left. */
enum cs_code cs_local_walk(int root_fd, struct cs_view prefix,
                           cs_local_found_fn *callback, void *payload,
                           struct cs_deadline deadline, struct cs_err *err) CS_MUST_USE;

/* Appends "objects", or "objects/<folder>" for the key of a folder. */
void cs_local_add_folder_path(struct cs_buf *out, struct cs_view folder);

#endif
