#include "config.h"

#include "store/store_local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "store/local_database.h"
#include "store/local_internal.h"

#define PATH_BYTES_MAX 4096u
#define SECRET_NAME    "secret"
/* Below either the next completions will fail: better to say so before. */
#define FREE_BYTES_MIN  (64ull << 20)
#define FREE_INODES_MIN 1000u

/* ---- the root folder ---- */

/* Makes a folder and its name durable. 0, or errno. */
static int make_folder(const char *path, const char *parent)
{
    int failed = 0;
    int fd;

    if (mkdir(path, 0710) != 0)
        return errno == EEXIST ? 0 : errno;
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        failed = errno;
    if (fd >= 0)
        (void)close(fd);
    return failed;
}

/* Makes a folder and those above it, through links where there are some: the
 * path is the administrator's. 0, or errno. */
static int make_root(const char *root)
{
    struct cs_view rest = cs_view_cstr(root + 1);
    struct cs_buf path = CS_BUF_INIT(PATH_BYTES_MAX);
    struct cs_buf parent = CS_BUF_INIT(PATH_BYTES_MAX);
    struct cs_view part;
    int failed = 0;

    while (failed == 0 && cs_view_split(&rest, '/', &part)) {
        cs_buf_reset(&parent);
        cs_buf_add(&parent, path.len > 0 ? cs_buf_view(&path) : CS_LIT("/"));
        cs_buf_add_byte(&path, '/');
        cs_buf_add(&path, part);
        failed =
            cs_buf_check(&path, NULL) != CS_OK || cs_buf_check(&parent, NULL) != CS_OK
                ? ENAMETOOLONG
                : make_folder(cs_buf_cstr(&path), cs_buf_cstr(&parent));
    }
    cs_buf_clear(&path);
    cs_buf_clear(&parent);
    return failed;
}

static void forget_root(struct cs_local_store *store)
{
    cs_local_database_free(store->database);
    store->database = NULL;
    if (store->root_fd >= 0)
        (void)close(store->root_fd);
    store->root_fd = -1;
}

static enum cs_code open_root(struct cs_local_store *store, struct cs_err *err)
{
    struct stat about;
    int failed;
    enum cs_code rc;
    int fd = open(store->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        failed = make_root(store->root);
        if (failed != 0)
            return cs_err_errno(err, failed, "the folder %s can't be made", store->root);
        fd = open(store->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0)
        return cs_err_errno(err, errno, "the folder %s can't be opened", store->root);
    if (fstat(fd, &about) != 0) {
        rc = cs_err_errno(err, errno, "the folder %s can't be looked at", store->root);
    } else if ((rc = cs_file_check_private(&about, store->root, err)) == CS_OK &&
               (rc = cs_file_make_folders(fd, CS_LOCAL_OBJECTS, 0750, err)) == CS_OK &&
               (rc = cs_file_make_folders(fd, CS_LOCAL_TMP, 0700, err)) == CS_OK) {
        store->root_fd = fd;
        store->root_dev = about.st_dev;
        store->root_ino = about.st_ino;
        return CS_OK;
    }
    (void)close(fd);
    return rc;
}

/* Somebody may have moved the folder away, or removed it, while we had it open:
 * what would be written then would be acknowledged and lost. */
static bool root_is_current(const struct cs_local_store *store)
{
    struct stat about;

    return stat(store->root, &about) == 0 && about.st_dev == store->root_dev &&
           about.st_ino == store->root_ino;
}

enum cs_code cs_local_root(struct cs_local_store *store, int *fd_out, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    if (store->root_fd >= 0 && !root_is_current(store))
        forget_root(store);
    if (store->root_fd < 0)
        rc = open_root(store, err);
    *fd_out = store->root_fd;
    return rc;
}

static enum cs_code open_database(struct cs_local_store *store, int root_fd,
                                  struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_local_database_place place = {
        .folder = realpath(store->root, NULL),
        .folder_fd = root_fd,
        .journal = store->journal,
        .log = store->log,
    };
    enum cs_code rc;

    if (place.folder == NULL)
        return cs_err_errno(err, errno, "the folder %s can't be found", store->root);
    rc = cs_local_database_open(&store->database, &place, deadline, err);
    free((char *)place.folder);
    return rc;
}

enum cs_code cs_local_use(struct cs_local_store *store, struct cs_deadline deadline,
                          struct cs_local_database **out, struct cs_err *err)
{
    int root_fd;
    enum cs_code rc;

    *out = NULL;
    if ((rc = cs_local_root(store, &root_fd, err)) != CS_OK)
        return rc;
    if (store->database != NULL) {
        rc = cs_local_database_ready(store->database, deadline, err);
        if (rc == CS_EGONE) {
            cs_local_database_free(store->database);
            store->database = NULL;
        } else if (rc != CS_OK) {
            return rc;
        }
    }
    if (store->database == NULL &&
        (rc = open_database(store, root_fd, deadline, err)) != CS_OK)
        return rc;
    *out = store->database;
    return CS_OK;
}

/* ---- the secret ---- */

/* CS_ENOTFOUND when there is none yet. */
static enum cs_code read_secret(int root_fd, uint8_t out[CS_STORE_SECRET_LEN],
                                struct cs_err *err)
{
    uint8_t bytes[CS_STORE_SECRET_LEN + 1]; /* one more, to see a file that is longer */
    int fd = cs_file_open_below(root_fd, SECRET_NAME, O_RDONLY | O_NONBLOCK, 0);
    enum cs_code rc = CS_OK;
    ssize_t got;

    if (fd < 0 && errno == ENOENT)
        return CS_ENOTFOUND;
    if (fd < 0)
        return cs_err_errno(err, errno, "the store's file \"secret\" can't be opened");
    got = pread(fd, bytes, sizeof(bytes), 0);
    if (got < 0)
        rc = cs_err_errno(err, errno, "the store's file \"secret\" can't be read");
    else if (got != (ssize_t)CS_STORE_SECRET_LEN)
        rc = cs_err_set(
            err, CS_EIO,
            "the store's file \"secret\" has not %u bytes: restore it, or remove it "
            "(all links given out so far end then)",
            CS_STORE_SECRET_LEN);
    else
        memcpy(out, bytes, CS_STORE_SECRET_LEN);
    cs_wipe(bytes, sizeof(bytes));
    (void)close(fd);
    return rc;
}

/* A whole file gets the name, or somebody else's has it already: no process can
 * ever read half a secret, and all read the same. */
static enum cs_code make_secret(int root_fd, struct cs_err *err)
{
    struct cs_local_temporary file = CS_LOCAL_TEMPORARY_NONE;
    uint8_t bytes[CS_STORE_SECRET_LEN];
    int failed;
    enum cs_code rc;

    if ((rc = cs_random_bytes(bytes, sizeof(bytes), err)) != CS_OK ||
        (rc = cs_local_temporary_make(&file, root_fd, 0600, err)) != CS_OK)
        goto out;
    failed = cs_file_write_all(file.fd, cs_view_of(bytes, sizeof(bytes)));
    if (failed == 0 && fsync(file.fd) != 0)
        failed = errno;
    if (failed == 0)
        failed = cs_local_temporary_place(&file, root_fd, SECRET_NAME);
    if ((failed == 0 || failed == EEXIST) && fsync(root_fd) != 0)
        failed = errno;
    if (failed != 0 && failed != EEXIST)
        rc = cs_err_errno(err, failed, "the store's file \"secret\" can't be made");
out:
    cs_local_temporary_end(&file);
    cs_wipe(bytes, sizeof(bytes));
    return rc;
}

static void local_free(struct cs_store *base);

enum cs_code cs_store_local_secret(struct cs_store *store,
                                   uint8_t out[CS_STORE_SECRET_LEN], struct cs_err *err)
{
    int root_fd;
    enum cs_code rc;

    memset(out, 0, CS_STORE_SECRET_LEN);
    if (store->ops->free != local_free)
        return cs_err_set(err, CS_EUNSUPPORTED, "the store keeps no key of signed links");
    if ((rc = cs_local_root(cs_local(store), &root_fd, err)) != CS_OK)
        return rc;
    rc = read_secret(root_fd, out, err);
    if (rc == CS_ENOTFOUND && (rc = make_secret(root_fd, err)) == CS_OK)
        rc = read_secret(root_fd, out, err);
    if (rc == CS_ENOTFOUND)
        rc =
            cs_err_set(err, CS_EIO, "the store's file \"secret\" is removed by somebody");
    return rc;
}

/* ---- life ---- */

static void local_free(struct cs_store *base)
{
    struct cs_local_store *store = cs_local(base);

    if (store == NULL)
        return;
    forget_root(store);
    free(store->root);
    free(store->bucket_name);
    free(store->table_name);
    free(store);
}

static const struct cs_store_names *local_names(const struct cs_store *base)
{
    return &((const struct cs_local_store *)(const void *)base)->names;
}

static enum cs_code local_init(struct cs_store *base, struct cs_buf *report,
                               struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_local_store *store = cs_local(base);
    uint8_t secret[CS_STORE_SECRET_LEN];
    struct cs_local_database *database;
    bool was_there = access(store->root, F_OK) == 0;
    enum cs_code rc;

    if ((rc = cs_local_use(store, deadline, &database, err)) != CS_OK)
        return rc;
    rc = cs_store_local_secret(base, secret, err);
    cs_wipe(secret, sizeof(secret));
    if (rc != CS_OK)
        return rc;
    cs_buf_add_fmt(report, "folder %s: %s\n", store->root, was_there ? "there" : "made");
    cs_buf_add_fmt(
        report, "records: campaigns.db, schema %d, %s\n", cs_local_schema_version,
        cs_local_database_is_wal(database) ? "write-ahead log" : "rollback journal");
    cs_buf_add_cstr(report, "objects: objects/, key of signed links: secret\n");
    return cs_buf_check(report, err);
}

enum cs_code cs_store_local_find(struct cs_store *store, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(PATH_BYTES_MAX);
    struct stat about;
    enum cs_code rc;

    if (store->ops->free != local_free)
        return cs_err_set(err, CS_EUNSUPPORTED, "the store is no local one");
    cs_buf_add_cstr(&path, cs_local(store)->root);
    cs_buf_add_cstr(&path, "/campaigns.db");
    if ((rc = cs_buf_check(&path, err)) == CS_OK &&
        stat(cs_buf_cstr(&path), &about) != 0 && (errno == ENOENT || errno == ENOTDIR))
        rc =
            cs_err_set(err, CS_ENOTFOUND,
                       "there is no store in %s: campaignctl init makes one; or name its "
                       "folder in CAMPAIGN_LOCAL_ROOT, or set CAMPAIGN_STORE=aws",
                       cs_local(store)->root);
    cs_buf_clear(&path);
    return rc;
}

/* ---- health ---- */

/* A file is really made and removed: a mode or a quota shows only then. */
static enum cs_code try_objects(struct cs_local_store *store, struct cs_err *err)
{
    struct cs_local_temporary file = CS_LOCAL_TEMPORARY_NONE;
    struct statvfs space;
    int root_fd;
    enum cs_code rc;

    if ((rc = cs_local_root(store, &root_fd, err)) != CS_OK ||
        (rc = cs_local_temporary_make(&file, root_fd, 0600, err)) != CS_OK)
        return rc;
    cs_local_temporary_end(&file);
    if (faccessat(root_fd, CS_LOCAL_OBJECTS, R_OK | W_OK | X_OK, AT_EACCESS) != 0)
        return cs_err_errno(err, errno, "the folder objects/ can't be used");
    if (fstatvfs(root_fd, &space) != 0)
        return cs_err_errno(err, errno, "the free space can't be found out");
    if ((uint64_t)space.f_bavail * space.f_frsize < FREE_BYTES_MIN)
        return cs_err_set(err, CS_EIO,
                          "less than 64 MiB are free for objects and records");
    if (space.f_files != 0 && space.f_favail < FREE_INODES_MIN)
        return cs_err_set(err, CS_EIO,
                          "less than 1000 more files fit on the file system");
    return CS_OK;
}

static enum cs_code try_records(struct cs_local_store *store, struct cs_deadline deadline,
                                struct cs_err *err)
{
    struct cs_local_database *database;
    struct cs_local_query query;
    enum cs_code rc;

    if ((rc = cs_local_use(store, deadline, &database, err)) != CS_OK)
        return rc;
    query = cs_local_query(database, CS_SQL_PROBE);
    if ((rc = cs_local_run(&query, NULL, err)) != CS_OK)
        return rc;
    if (!cs_local_database_writable(database))
        return cs_err_set(err, CS_EIO, "the records can be read, not written");
    return CS_OK;
}

static void local_health(struct cs_store *base, struct cs_store_health *out,
                         struct cs_deadline deadline)
{
    struct cs_err err = CS_ERR_NONE;

    *out = (struct cs_store_health){.objects_ok = false};
    out->objects_ok = try_objects(cs_local(base), &err) == CS_OK;
    (void)snprintf(out->objects_text, sizeof(out->objects_text), "%.159s", err.text);
    cs_err_clear(&err);
    out->records_ok = try_records(cs_local(base), deadline, &err) == CS_OK;
    (void)snprintf(out->records_text, sizeof(out->records_text), "%.159s", err.text);
}

static enum cs_code local_recall(struct cs_store *store, struct cs_view key,
                                 struct cs_recall *out, struct cs_err *err)
{
    (void)store;
    (void)key;
    *out = (struct cs_recall){.record = NULL};
    return cs_err_set(err, CS_ENOTFOUND, "nothing is remembered");
}

/* A record goes together with its log. */
static enum cs_code no_leftovers(struct cs_store *store, bool repair,
                                 cs_leftover_fn *tell, void *payload,
                                 struct cs_deadline deadline, struct cs_err *err)
{
    (void)store;
    (void)repair;
    (void)tell;
    (void)payload;
    (void)deadline;
    (void)err;
    return CS_OK;
}

static const struct cs_store_ops local_ops = {
    .free = local_free,
    .names = local_names,
    .init = local_init,
    .health = local_health,
    .get = cs_local_get,
    .recall = local_recall,
    .commit = cs_local_commit,
    .list = cs_local_list,
    .log_append = cs_local_log_append,
    .log_read = cs_local_log_read,
    .log_delete = cs_local_log_delete,
    .erase = cs_local_erase,
    .leftovers = no_leftovers,
    .counters = cs_local_counters,
    .recount = cs_local_recount,
    .put = cs_local_put,
    .put_begin = cs_local_put_begin,
    .put_add = cs_local_put_add,
    .put_commit = cs_local_put_commit,
    .put_abort = cs_local_put_abort,
    .open = cs_local_open,
    .fetch = cs_store_fetch_each,
    .read = cs_local_read,
    .close = cs_local_close,
    .url = cs_local_url,
    .file_path = cs_local_file_path,
    .each_object = cs_local_each_object,
    .delete_version = cs_local_delete_version,
    .delete_prefix = cs_local_delete_prefix,
    .delete_folder = cs_local_delete_folder,
};

/* The path that `root` means now, without slashes at its end. */
static char *absolute_path(const char *root)
{
    struct cs_buf path = CS_BUF_INIT(PATH_BYTES_MAX);
    char *folder = NULL;

    if (root[0] != '/') {
        folder = getcwd(NULL, 0);
        if (folder == NULL)
            return NULL;
        cs_buf_add_cstr(&path, folder);
        cs_buf_add_byte(&path, '/');
        free(folder);
    }
    cs_buf_add_cstr(&path, root);
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        cs_buf_truncate(&path, path.len - 1);
    return cs_buf_take(&path);
}

struct cs_store *cs_store_local_new(const struct cs_store_local_options *options,
                                    struct cs_err *err)
{
    struct cs_local_store *store = calloc(1, sizeof(*store));
    struct stat about;

    if (store == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    store->base.ops = &local_ops;
    store->root_fd = -1;
    store->journal = options->journal;
    store->log = options->log;
    store->root = absolute_path(options->root);
    store->bucket_name = cs_view_dup(cs_view_cstr(options->bucket_name));
    store->table_name = cs_view_dup(cs_view_cstr(options->table_name));
    if (store->root == NULL || store->bucket_name == NULL || store->table_name == NULL) {
        (void)cs_err_nomem(err);
        local_free(&store->base);
        return NULL;
    }
    store->names = (struct cs_store_names){
        .kind = CS_LIT("local"),
        .bucket_name = cs_view_cstr(store->bucket_name),
        .bucket_region = CS_LIT("local"),
        .table_name = cs_view_cstr(store->table_name),
        .table_region = CS_LIT("local"),
    };
    if (stat(store->root, &about) == 0 &&
        cs_file_check_private(&about, store->root, err) != CS_OK) {
        local_free(&store->base);
        return NULL;
    }
    return &store->base;
}
