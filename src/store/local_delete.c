#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/check.h"
#include "store/local_internal.h"
#include "store/local_walk.h"

/* A put that runs meanwhile may add to what is being deleted. */
#define PASSES 3

/* Removes a folder below objects/ if it is empty, then those above it, and makes
 * the change durable in the first one that stays. `path` is shortened. */
static enum cs_code prune(int root_fd, struct cs_buf *path, struct cs_err *err)
{
    enum cs_code rc = CS_OK;
    int fd;

    while (strchr(cs_buf_cstr(path), '/') != NULL) {
        size_t cut = (size_t)(strrchr(path->ptr, '/') - path->ptr);
        struct cs_view name = cs_view_from(cs_buf_view(path), cut + 1);
        int failed = 0;

        path->ptr[cut] = '\0';
        fd = cs_local_open_folder(root_fd, path->ptr);
        if (fd < 0 || unlinkat(fd, name.ptr, AT_REMOVEDIR) != 0)
            failed = errno;
        if (fd >= 0)
            (void)close(fd);
        if (failed != 0 && failed != ENOENT) {
            path->ptr[cut] = '/';
            break; /* not empty, or not ours to remove: it stays */
        }
        cs_buf_truncate(path, cut);
    }
    fd = cs_local_open_folder(root_fd, cs_buf_cstr(path));
    if (fd < 0 && errno == ENOENT)
        return CS_OK; /* somebody removes at the same time, and makes it durable */
    if (fd < 0 || fsync(fd) != 0)
        rc = cs_err_errno(err, errno, "a deletion can't be made durable");
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

enum cs_code cs_local_delete_version(struct cs_store *store, struct cs_view key,
                                     struct cs_view version, struct cs_deadline deadline,
                                     struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(CS_LOCAL_PATH_MAX);
    int root_fd;
    int fd = -1;
    const char *name;
    enum cs_code rc;

    (void)deadline; /* a local disk is not waited for otherwise than by waiting */
    if ((rc = cs_store_check_object_key(key, err)) != CS_OK ||
        (rc = cs_local_root(cs_local(store), &root_fd, err)) != CS_OK)
        return rc;
    if (!cs_local_version_ok(version))
        return CS_OK; /* none that was ever given out */
    cs_local_add_path(&path, key, version);
    if ((rc = cs_buf_check(&path, err)) != CS_OK)
        goto out;
    name = cs_local_split_path(&path);
    fd = cs_local_open_folder(root_fd, path.ptr);
    if (fd < 0 && errno == ENOENT)
        goto out;
    if (fd < 0 || (unlinkat(fd, name, 0) != 0 && errno != ENOENT)) {
        rc = cs_err_errno(err, errno, "an object can't be deleted");
        goto out;
    }
    cs_buf_truncate(&path, strlen(path.ptr));
    rc = prune(root_fd, &path, err);
out:
    if (fd >= 0)
        (void)close(fd);
    cs_buf_clear(&path);
    return rc;
}

/* ---- everything under a prefix ---- */

struct removal {
    struct cs_delete_report *report;
    struct cs_buf last_key; /* the versions of a key follow each other */
    enum cs_code failed;    /* the first failure; the others are tried all the same */
    uint64_t seen;
};

static void count_file(struct removal *removal, const struct cs_local_found *found)
{
    removal->report->versions_deleted++;
    removal->report->bytes_deleted += (uint64_t)found->about->st_size;
    if (found->key.len == 0 || cs_view_eq(found->key, cs_buf_view(&removal->last_key)))
        return;
    removal->report->objects_deleted++;
    cs_buf_reset(&removal->last_key);
    cs_buf_add(&removal->last_key, found->key);
}

/* A folder goes when it is empty; one that stays remembers what left it. */
static enum cs_code leave_folder(const struct cs_local_found *found, struct cs_err *err)
{
    if (unlinkat(found->in_fd, found->name, AT_REMOVEDIR) == 0) {
        *found->in_changed = true;
        return CS_OK;
    }
    if (found->changed && fsync(found->own_fd) != 0)
        return cs_err_errno(err, errno, "a deletion can't be made durable");
    return CS_OK;
}

static enum cs_code remove_found(void *payload, const struct cs_local_found *found,
                                 struct cs_err *err)
{
    struct removal *removal = payload;
    enum cs_code rc = CS_OK;

    if (found->about == NULL) {
        rc = leave_folder(found, err);
    } else if (unlinkat(found->in_fd, found->name, 0) == 0) {
        *found->in_changed = true;
        count_file(removal, found);
    } else if (errno != ENOENT) {
        rc = cs_err_errno(err, errno, "an object can't be deleted");
    }
    if (removal->failed == CS_OK)
        removal->failed = rc;
    return CS_OK;
}

static enum cs_code count_found(void *payload, const struct cs_local_found *found,
                                struct cs_err *err)
{
    struct removal *removal = payload;

    (void)err;
    if (found->about != NULL)
        removal->seen++;
    return CS_OK;
}

/* One pass of deletion, then a listing of what is there. */
static enum cs_code remove_once(int root_fd, struct cs_view prefix,
                                struct removal *removal, struct cs_deadline deadline,
                                struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(CS_LOCAL_PATH_MAX);
    enum cs_code rc;

    rc = cs_local_walk(root_fd, prefix, remove_found, removal, deadline, err);
    if (rc == CS_OK) {
        cs_local_add_folder_path(&path, cs_view_of(prefix.ptr, prefix.len - 1));
        if ((rc = cs_buf_check(&path, err)) == CS_OK)
            rc = prune(root_fd, &path, err);
    }
    cs_buf_clear(&path);
    removal->seen = 0;
    if (rc == CS_OK)
        rc = cs_local_walk(root_fd, prefix, count_found, removal, deadline, err);
    removal->report->left = removal->seen;
    return rc;
}

enum cs_code cs_local_delete_prefix(struct cs_store *store, struct cs_view prefix,
                                    struct cs_delete_report *out,
                                    struct cs_deadline deadline, struct cs_err *err)
{
    struct removal removal = {.report = out, .last_key = CS_BUF_INIT(CS_STORE_KEY_MAX)};
    int root_fd;
    enum cs_code rc;

    *out = (struct cs_delete_report){.left = 0};
    if ((rc = cs_store_check_folder_prefix(prefix, err)) != CS_OK ||
        (rc = cs_local_root(cs_local(store), &root_fd, err)) != CS_OK)
        return rc;
    for (int pass = 0; pass < PASSES; pass++) {
        rc = remove_once(root_fd, prefix, &removal, deadline, err);
        if (rc != CS_OK || removal.failed != CS_OK || out->left == 0)
            break;
    }
    cs_buf_clear(&removal.last_key);
    return rc != CS_OK ? rc : removal.failed;
}

/* A list costs no more here than to know what is in it. */
enum cs_code cs_local_delete_folder(struct cs_store *store, struct cs_view prefix,
                                    const struct cs_object_entry *known, size_t count,
                                    struct cs_delete_report *out,
                                    struct cs_deadline deadline, struct cs_err *err)
{
    enum cs_code rc;

    *out = (struct cs_delete_report){.left = 0};
    if ((rc = cs_store_check_folder_prefix(prefix, err)) != CS_OK ||
        (rc = cs_store_check_within(prefix, known, count, err)) != CS_OK)
        return rc;
    return cs_local_delete_prefix(store, prefix, out, deadline, err);
}

/* ---- what crashed puts left ---- */

static enum cs_code clean_one(int fd, const char *name, int64_t before_us, bool dry_run,
                              struct cs_local_cleanup *out, struct cs_err *err)
{
    struct stat about;
    int64_t modified_us;

    if (fstatat(fd, name, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT
                   ? CS_OK
                   : cs_err_errno(err, errno, "a file in tmp/ can't be looked at");
    modified_us = about.st_mtim.tv_sec * CS_SECOND_US + about.st_mtim.tv_nsec / 1000;
    if (S_ISDIR(about.st_mode) || modified_us >= before_us)
        return CS_OK;
    if (!dry_run && unlinkat(fd, name, 0) != 0)
        return errno == ENOENT
                   ? CS_OK
                   : cs_err_errno(err, errno, "a file in tmp/ can't be removed");
    out->files_removed++;
    out->bytes_removed += (uint64_t)about.st_size;
    return CS_OK;
}

enum cs_code cs_store_local_cleanup(struct cs_store *store, int64_t before_us,
                                    bool dry_run, struct cs_local_cleanup *out,
                                    struct cs_deadline deadline, struct cs_err *err)
{
    int root_fd;
    int fd;
    DIR *folder;
    struct dirent *entry;
    enum cs_code rc;

    *out = (struct cs_local_cleanup){0, 0};
    if ((rc = cs_local_root(cs_local(store), &root_fd, err)) != CS_OK)
        return rc;
    fd = cs_local_open_folder(root_fd, CS_LOCAL_TMP);
    if (fd < 0 && errno == ENOENT)
        return CS_OK;
    folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        rc = cs_err_errno(err, errno, "the folder tmp/ can't be read");
        if (fd >= 0)
            (void)close(fd);
        return rc;
    }
    while (rc == CS_OK && (errno = 0, (entry = readdir(folder)) != NULL)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        rc = cs_clock_monotonic_us() >= deadline.at_us
                 ? cs_err_set(err, CS_ETIMEOUT, "tmp/ could not be cleaned in time")
                 : clean_one(fd, entry->d_name, before_us, dry_run, out, err);
    }
    if (rc == CS_OK && errno != 0)
        rc = cs_err_errno(err, errno, "the folder tmp/ can't be read");
    (void)closedir(folder);
    return rc;
}
