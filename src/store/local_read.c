#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encoding.h"
#include "base/file.h"
#include "store/check.h"
#include "store/local_internal.h"

struct cs_object_reader {
    int fd;
    uint64_t at;
    uint64_t left;
};

static enum cs_code no_object(struct cs_err *err, struct cs_view key)
{
    return cs_err_set(err, CS_ENOTFOUND, "there is no object %.*s", CS_FMT(key));
}

/* Appends the newest version to a path that ends with '@'. */
static enum cs_code add_newest(struct cs_buf *path, int root_fd, struct cs_view key,
                               struct cs_err *err)
{
    char newest[CS_LOCAL_VERSION_LEN + 1] = "";
    struct cs_buf folder = CS_BUF_INIT(CS_LOCAL_PATH_MAX);
    const char *name;
    enum cs_code rc;
    int fd;

    cs_buf_add(&folder, cs_buf_view(path));
    if ((rc = cs_buf_check(&folder, err)) == CS_OK) {
        name = cs_local_split_path(&folder);
        fd = cs_local_open_folder(root_fd, cs_buf_cstr(&folder));
        if (fd >= 0) {
            rc = cs_local_newest(fd, name, newest, err);
            (void)close(fd);
        } else if (errno != ENOENT) {
            rc = cs_err_errno(err, errno, "a folder of objects can't be opened");
        }
    }
    cs_buf_clear(&folder);
    if (rc == CS_OK && newest[0] == '\0')
        return no_object(err, key);
    cs_buf_add_cstr(path, newest);
    return rc;
}

static enum cs_code open_file(struct cs_local_store *store, struct cs_view key,
                              struct cs_view version, int *fd_out, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(CS_LOCAL_PATH_MAX);
    int root_fd;
    enum cs_code rc;

    *fd_out = -1;
    if ((rc = cs_store_check_object_key(key, err)) != CS_OK ||
        (rc = cs_local_root(store, &root_fd, err)) != CS_OK)
        return rc;
    if (version.len > 0 && !cs_local_version_ok(version))
        return no_object(err, key);
    cs_local_add_path(&path, key, version);
    if ((rc = cs_buf_check(&path, err)) == CS_OK && version.len == 0)
        rc = add_newest(&path, root_fd, key, err);
    if (rc == CS_OK && (rc = cs_buf_check(&path, err)) == CS_OK) {
        /* O_NONBLOCK: a pipe that somebody put there must not hold us */
        *fd_out = cs_file_open_below(root_fd, cs_buf_cstr(&path),
                                     O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
        if (*fd_out < 0 && (errno == ENOENT || errno == ENOTDIR))
            rc = no_object(err, key);
        else if (*fd_out < 0)
            rc = cs_err_errno(err, errno, "the object %.*s can't be opened", CS_FMT(key));
    }
    cs_buf_clear(&path);
    return rc;
}

/* Holds the reader to the range. */
static enum cs_code choose_range(struct cs_object_reader *reader, uint64_t size,
                                 const struct cs_byte_range *range, struct cs_err *err)
{
    uint64_t last;

    reader->at = 0;
    reader->left = size;
    if (range == NULL)
        return CS_OK;
    if (range->first >= size || range->last < range->first)
        return cs_err_set(err, CS_ERANGE,
                          "the range is outside of the object's %llu bytes",
                          (unsigned long long)size);
    last = range->last < size ? range->last : size - 1;
    reader->at = range->first;
    reader->left = last - range->first + 1;
    return CS_OK;
}

enum cs_code cs_local_open(struct cs_store *store, struct cs_view key,
                           struct cs_view version, const struct cs_byte_range *range,
                           struct cs_object_reader **out, uint64_t *size_out,
                           struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_object_reader *reader;
    struct stat about;
    enum cs_code rc;

    (void)deadline; /* a local disk is not waited for otherwise than by waiting */
    *out = NULL;
    *size_out = 0;
    reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return cs_err_nomem(err);
    if ((rc = open_file(cs_local(store), key, version, &reader->fd, err)) != CS_OK)
        goto out;
    if (fstat(reader->fd, &about) != 0)
        rc = cs_err_errno(err, errno, "an object can't be looked at");
    else if (!S_ISREG(about.st_mode))
        rc = cs_err_set(err, CS_EIO, "the object %.*s is no plain file", CS_FMT(key));
    else {
        *size_out = (uint64_t)about.st_size;
        rc = choose_range(reader, *size_out, range, err);
    }
out:
    if (rc == CS_OK)
        *out = reader;
    else
        cs_local_close(store, reader);
    return rc;
}

enum cs_code cs_local_read(struct cs_store *store, struct cs_object_reader *reader,
                           char *to, size_t room, size_t *got_out, struct cs_err *err)
{
    ssize_t got;

    (void)store;
    *got_out = 0;
    if (room > reader->left)
        room = (size_t)reader->left;
    if (room == 0)
        return CS_OK;
    do
        got = pread(reader->fd, to, room, (off_t)reader->at);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return cs_err_errno(err, errno, "an object can't be read");
    if (got == 0)
        return cs_err_set(err, CS_EIO, "an object became shorter while it was read");
    reader->at += (uint64_t)got;
    reader->left -= (uint64_t)got;
    *got_out = (size_t)got;
    return CS_OK;
}

void cs_local_close(struct cs_store *store, struct cs_object_reader *reader)
{
    (void)store;
    if (reader == NULL)
        return;
    if (reader->fd >= 0)
        (void)close(reader->fd);
    free(reader);
}

enum cs_code cs_local_url(struct cs_store *store, const struct cs_object_info *info,
                          struct cs_view version, int64_t ttl_s, struct cs_buf *out,
                          int64_t *expires_us_out, struct cs_err *err)
{
    (void)store;
    (void)info;
    (void)version;
    (void)ttl_s;
    (void)out;
    *expires_us_out = 0;
    return cs_err_set(err, CS_EUNSUPPORTED,
                      "the local store is not reached by URLs of its own");
}

enum cs_code cs_local_file_path(struct cs_store *store, const struct cs_object *object,
                                struct cs_buf *out, struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(CS_LOCAL_PATH_MAX);
    struct cs_view key = cs_view_cstr(object->key);
    struct cs_view version = cs_view_cstr(object->version);
    struct cs_object_reader *reader = NULL;
    struct cs_deadline none = {0};
    uint64_t size;
    enum cs_code rc;

    if (!cs_local_version_ok(version))
        return no_object(err, key);
    /* not every web server looks for links on the way */
    if ((rc = cs_local_open(store, key, version, NULL, &reader, &size, none, err)) !=
        CS_OK)
        return rc;
    cs_local_close(store, reader);
    cs_local_add_path(&path, key, version);
    if ((rc = cs_buf_check(&path, err)) == CS_OK)
        cs_percent_encode(
            out, cs_view_from(cs_buf_view(&path), strlen(CS_LOCAL_OBJECTS "/")), true);
    cs_buf_clear(&path);
    return rc == CS_OK ? cs_buf_check(out, err) : rc;
}
