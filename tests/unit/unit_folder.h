/* tests/unit/unit_folder.h: a folder of its own for each test, and its removal. */
#ifndef CS_TESTS_UNIT_FOLDER_H
#define CS_TESTS_UNIT_FOLDER_H

#include <ftw.h>

#include "unit.h"

/* A fresh empty folder below $TMPDIR or /tmp; the caller frees the path. */
static inline char *unit_folder_make(void)
{
    const char *below = getenv("TMPDIR");
    char *path = NULL;

    if (asprintf(&path, "%s/campaignstore-XXXXXX", below != NULL ? below : "/tmp") < 0 ||
        mkdtemp(path) == NULL)
        fail_msg("no folder can be made in %s", below != NULL ? below : "/tmp");
    return path;
}

static inline int unit_folder_unlink(const char *path, const struct stat *about, int kind,
                                     struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Removes it with all that is in it (links as such), and frees the path. */
static inline void unit_folder_remove(char *path)
{
    if (path != NULL)
        (void)nftw(path, unit_folder_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

/* folder + "/" + name; the caller frees it. */
static inline char *unit_folder_path(const char *folder, const char *name)
{
    char *path = NULL;

    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

#endif
