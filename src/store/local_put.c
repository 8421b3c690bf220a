#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "store/check.h"
#include "store/local_internal.h"

/* The kernel is told to start writing out whenever that much is new, so that the
 * fsync at the end of a large put has little left to wait for. */
#define FLUSH_BYTES (8ll << 20)
/* Tries at a folder that somebody else removes, being empty, before our file is
 * in it. */
#define PLACE_TRIES 16

struct cs_object_writer {
    struct cs_local_temporary file;
    struct cs_sha256 *digest;
    char *key;
    uint64_t announced; /* UINT64_MAX when unknown */
    uint64_t written;
    int64_t flushed; /* offset up to which writing out was asked for */
    struct cs_deadline deadline;
};

static void writer_free(struct cs_object_writer *writer)
{
    if (writer == NULL)
        return;
    cs_local_temporary_end(&writer->file);
    cs_sha256_free(writer->digest);
    free(writer->key);
    free(writer);
}

static enum cs_code check_time(struct cs_deadline deadline, struct cs_err *err)
{
    if (cs_clock_monotonic_us() < deadline.at_us)
        return CS_OK;
    return cs_err_set(err, CS_ETIMEOUT,
                      "the object could not be stored in time: try again");
}

enum cs_code cs_local_put_begin(struct cs_store *store, const struct cs_object_info *info,
                                uint64_t size, struct cs_object_writer **out,
                                struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_object_writer *writer;
    int root_fd;
    enum cs_code rc;

    *out = NULL;
    if ((rc = cs_store_check_object_key(info->key, err)) != CS_OK ||
        (rc = cs_local_root(cs_local(store), &root_fd, err)) != CS_OK)
        return rc;
    writer = calloc(1, sizeof(*writer));
    if (writer == NULL)
        return cs_err_nomem(err);
    writer->file = CS_LOCAL_TEMPORARY_NONE;
    writer->announced = size;
    writer->deadline = deadline;
    writer->digest = cs_sha256_new();
    writer->key = cs_view_dup(info->key);
    if (writer->digest == NULL || writer->key == NULL) {
        writer_free(writer);
        return cs_err_nomem(err);
    }
    if ((rc = cs_local_temporary_make(&writer->file, root_fd, 0640, err)) != CS_OK) {
        writer_free(writer);
        return rc;
    }
    *out = writer;
    return CS_OK;
}

enum cs_code cs_local_put_add(struct cs_store *store, struct cs_object_writer *writer,
                              struct cs_view bytes, struct cs_err *err)
{
    int64_t now_at;
    int failed;
    enum cs_code rc;

    (void)store;
    if (bytes.len == 0)
        return CS_OK;
    if (bytes.len > writer->announced - writer->written)
        return cs_err_set(err, CS_EINVAL, "more than the announced %llu bytes",
                          (unsigned long long)writer->announced);
    if ((rc = check_time(writer->deadline, err)) != CS_OK ||
        (rc = cs_sha256_add(writer->digest, bytes, err)) != CS_OK)
        return rc;
    failed = cs_file_write_all(writer->file.fd, bytes);
    if (failed != 0)
        return cs_err_errno(err, failed, "an object can't be written");
    writer->written += bytes.len;
    now_at = (int64_t)writer->written;
    if (now_at - writer->flushed >= FLUSH_BYTES) {
        /* only advice: the fsync at the end is what counts */
        (void)sync_file_range(writer->file.fd, writer->flushed, now_at - writer->flushed,
                              SYNC_FILE_RANGE_WRITE);
        writer->flushed = now_at;
    }
    return CS_OK;
}

/* Opens the folder that the file is to stand in, made where it lacks. CS_ENOTFOUND
 * when it could not be made: somebody who deletes may remove the empty folders on
 * the way to it as they are made, so that only the last try tells why. */
static enum cs_code open_target(int root_fd, const char *folder, bool last_try,
                                int *fd_out, struct cs_err *err)
{
    enum cs_code rc;

    *fd_out = cs_local_open_folder(root_fd, folder);
    if (*fd_out < 0 && errno == ENOENT) {
        rc = cs_file_make_folders(root_fd, folder, 0750, last_try ? err : NULL);
        if (rc != CS_OK)
            return last_try ? rc : CS_ENOTFOUND;
        *fd_out = cs_local_open_folder(root_fd, folder);
        if (*fd_out < 0 && errno == ENOENT)
            return CS_ENOTFOUND;
    }
    return *fd_out >= 0 ? CS_OK
                        : cs_err_errno(err, errno, "a folder of objects can't be opened");
}

/* Names the version and the file after it: later than all that are there, even
 * when the clock was set back. `name` ends with '@' and gets the version.
 * CS_ENOTFOUND when the folder is no more. */
static enum cs_code place(struct cs_object_writer *writer, int folder_fd,
                          struct cs_buf *name, char version[CS_LOCAL_VERSION_LEN + 1],
                          struct cs_err *err)
{
    char newest[CS_LOCAL_VERSION_LEN + 1];
    int64_t now_us = cs_clock_now_us();
    int64_t newest_us;
    int failed;
    enum cs_code rc;

    if ((rc = cs_local_newest(folder_fd, cs_buf_cstr(name), newest, err)) != CS_OK)
        return rc;
    newest_us = newest[0] == '\0' ? 0 : cs_local_version_time(cs_view_cstr(newest));
    if ((rc = cs_local_version(version, now_us > newest_us ? now_us : newest_us + 1,
                               err)) != CS_OK)
        return rc;
    cs_buf_add_cstr(name, version);
    if ((rc = cs_buf_check(name, err)) != CS_OK)
        return rc;
    failed = cs_local_temporary_place(&writer->file, folder_fd, cs_buf_cstr(name));
    cs_buf_truncate(name, name->len - CS_LOCAL_VERSION_LEN);
    if (failed == ENOENT)
        return CS_ENOTFOUND;
    if (failed == 0 && fsync(folder_fd) != 0)
        failed = errno;
    return failed == 0 ? CS_OK : cs_err_errno(err, failed, "an object can't be named");
}

static enum cs_code publish(struct cs_object_writer *writer, int root_fd,
                            char version[CS_LOCAL_VERSION_LEN + 1], struct cs_err *err)
{
    struct cs_buf folder = CS_BUF_INIT(CS_LOCAL_PATH_MAX);
    struct cs_buf name = CS_BUF_INIT(CS_LOCAL_PATH_MAX);
    int fd;
    enum cs_code rc;

    cs_local_add_path(&folder, cs_view_cstr(writer->key), CS_LIT(""));
    if ((rc = cs_buf_check(&folder, err)) != CS_OK)
        goto out;
    cs_buf_add_cstr(&name, cs_local_split_path(&folder));
    if ((rc = cs_buf_check(&name, err)) != CS_OK)
        goto out;
    rc = CS_ENOTFOUND;
    for (int i = 0; i < PLACE_TRIES && rc == CS_ENOTFOUND; i++) {
        rc = open_target(root_fd, cs_buf_cstr(&folder), i + 1 == PLACE_TRIES, &fd, err);
        if (rc != CS_OK)
            continue;
        rc = place(writer, fd, &name, version, err);
        (void)close(fd);
    }
    if (rc == CS_ENOTFOUND)
        rc = cs_err_set(err, CS_EIO,
                        "the folder of an object, or its file in tmp/, is removed "
                        "again and again");
out:
    cs_buf_clear(&folder);
    cs_buf_clear(&name);
    return rc;
}

static enum cs_code fill_object(struct cs_object *out, struct cs_object_writer *writer,
                                const char *version, struct cs_err *err)
{
    uint8_t digest[CS_SHA256_LEN];
    enum cs_code rc;

    if ((rc = cs_sha256_end(writer->digest, digest, err)) != CS_OK)
        return rc;
    cs_sha256_hex(out->sha256, digest);
    out->size = writer->written;
    out->bucket = cs_view_dup(CS_LIT(""));
    out->key = cs_view_dup(cs_view_cstr(writer->key));
    out->version = cs_view_dup(cs_view_cstr(version));
    if (out->bucket != NULL && out->key != NULL && out->version != NULL)
        return CS_OK;
    return cs_err_nomem(err);
}

/* Everything that can fail without a trace is done before the file gets its
 * name, which is the last step. */
static enum cs_code finish(struct cs_local_store *store, struct cs_object_writer *writer,
                           struct cs_object *out, struct cs_err *err)
{
    char version[CS_LOCAL_VERSION_LEN + 1] = "00000000000000000000000000000000";
    int root_fd;
    enum cs_code rc;

    if (writer->announced != UINT64_MAX && writer->written < writer->announced)
        return cs_err_set(err, CS_ESHORT, "%llu bytes of the announced %llu came",
                          (unsigned long long)writer->written,
                          (unsigned long long)writer->announced);
    if ((rc = check_time(writer->deadline, err)) != CS_OK ||
        (rc = cs_local_root(store, &root_fd, err)) != CS_OK ||
        (rc = fill_object(out, writer, version, err)) != CS_OK)
        return rc;
    if (fsync(writer->file.fd) != 0)
        return cs_err_errno(err, errno, "an object can't be made durable");
    if ((rc = publish(writer, root_fd, version, err)) != CS_OK)
        return rc;
    memcpy(out->version, version, sizeof(version));
    return CS_OK;
}

enum cs_code cs_local_put_commit(struct cs_store *store, struct cs_object_writer *writer,
                                 struct cs_object *out, struct cs_err *err)
{
    enum cs_code rc;

    *out = (struct cs_object){.size = 0};
    rc = finish(cs_local(store), writer, out, err);
    if (rc != CS_OK)
        cs_object_clear(out);
    writer_free(writer);
    return rc;
}

void cs_local_put_abort(struct cs_store *store, struct cs_object_writer *writer)
{
    (void)store;
    writer_free(writer);
}

/* ---- whole objects ---- */

struct adding {
    struct cs_store *store;
    struct cs_object_writer *writer;
};

static enum cs_code add_block(void *payload, struct cs_view block, struct cs_err *err)
{
    struct adding *adding = payload;

    return cs_local_put_add(adding->store, adding->writer, block, err);
}

static enum cs_code add_file(struct cs_store *store, struct cs_object_writer *writer,
                             const struct cs_object_source *source, struct cs_err *err)
{
    const struct cs_file_part file = {.fd = source->fd, .size = source->size};
    struct adding adding = {store, writer};

    return cs_file_each_block(&file, add_block, &adding, err);
}

static enum cs_code put_one(struct cs_store *store, const struct cs_object_source *source,
                            struct cs_object *out, struct cs_deadline deadline,
                            struct cs_err *err)
{
    bool from_file = source->fd >= 0;
    uint64_t size = from_file ? source->size : source->bytes.len;
    struct cs_object_writer *writer;
    enum cs_code rc;

    if ((rc = cs_local_put_begin(store, &source->info, size, &writer, deadline, err)) !=
        CS_OK)
        return rc;
    rc = from_file ? add_file(store, writer, source, err)
                   : cs_local_put_add(store, writer, source->bytes, err);
    if (rc == CS_OK)
        return cs_local_put_commit(store, writer, out, err);
    cs_local_put_abort(store, writer);
    return rc;
}

enum cs_code cs_local_put(struct cs_store *store, const struct cs_object_source *sources,
                          size_t count, struct cs_object *outs,
                          struct cs_deadline deadline, struct cs_err *err)
{
    size_t done = 0;
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < count; i++)
        outs[i] = (struct cs_object){.size = 0};
    while (done < count &&
           (rc = put_one(store, &sources[done], &outs[done], deadline, err)) == CS_OK)
        done++;
    if (rc == CS_OK)
        return CS_OK;
    while (done > 0) {
        struct cs_object *out = &outs[--done];

        /* a leftover that no record names is harmless: fsck finds it */
        (void)cs_local_delete_version(store, cs_view_cstr(out->key),
                                      cs_view_cstr(out->version), deadline, NULL);
        cs_object_clear(out);
    }
    return rc;
}
