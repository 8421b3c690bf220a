#include "config.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_BLOCK 16384u
#define PART_BLOCK 65536u

enum cs_code cs_file_each_block(const struct cs_file_part *part, cs_file_block_fn *use,
                                void *payload, struct cs_err *err)
{
    char *block = malloc(PART_BLOCK);
    uint64_t at = 0;
    enum cs_code rc = block != NULL ? CS_OK : cs_err_nomem(err);

    while (rc == CS_OK && at < part->size) {
        uint64_t left = part->size - at;
        ssize_t got =
            pread(part->fd, block, left < PART_BLOCK ? (size_t)left : PART_BLOCK,
                  (off_t)(part->offset + at));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = cs_err_errno(err, errno, "a file can't be read");
        else if (got == 0)
            rc = cs_err_set(err, CS_ESHORT, "a file is shorter than it was said to be");
        else
            rc = use(payload, cs_view_of(block, (size_t)got), err);
        at += got > 0 ? (uint64_t)got : 0;
    }
    free(block);
    return rc;
}

static enum cs_code add_to_digest(void *digest, struct cs_view block, struct cs_err *err)
{
    return cs_sha256_add(digest, block, err);
}

enum cs_code cs_file_sha256(const struct cs_file_part *part,
                            char out[CS_SHA256_HEX_LEN + 1], struct cs_err *err)
{
    struct cs_sha256 *digest = cs_sha256_new();
    enum cs_code rc = digest != NULL ? CS_OK : cs_err_nomem(err);

    out[0] = '\0';
    if (rc == CS_OK)
        rc = cs_file_each_block(part, add_to_digest, digest, err);
    if (rc == CS_OK)
        rc = cs_sha256_end_hex(digest, out, err);
    cs_sha256_free(digest);
    return rc;
}

/* Reads on to the end, a block at a time, never more than out may hold. */
static enum cs_code read_blocks(struct cs_buf *out, int fd, const char *path, size_t max,
                                struct cs_err *err)
{
    size_t total = 0;

    for (;;) {
        size_t left =
            max - total < out->max - out->len ? max - total : out->max - out->len;
        size_t block = left < READ_BLOCK ? left : READ_BLOCK;
        char probe = 0;
        char *room = block > 0 ? cs_buf_room(out, block) : &probe;
        ssize_t got;

        if (room == NULL)
            return cs_buf_check(out, err);
        got = read(fd, room, block > 0 ? block : 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cs_err_errno(err, errno, "%s can't be read", path);
        if (got == 0)
            return CS_OK;
        if (block == 0)
            return cs_err_set(err, CS_ETOOBIG, "%s has more than %zu bytes, the limit",
                              path, total);
        cs_buf_grew(out, (size_t)got);
        total += (size_t)got;
    }
}

static enum cs_code open_to_read(int *fd_out, const char *path, struct cs_err *err)
{
    *fd_out = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (*fd_out >= 0)
        return CS_OK;
    if (errno == ENOENT)
        return cs_err_set(err, CS_ENOTFOUND, "%s does not exist", path);
    return cs_err_errno(err, errno, "%s can't be opened", path);
}

enum cs_code cs_file_read(struct cs_buf *out, const char *path, size_t max,
                          struct cs_err *err)
{
    int fd;
    enum cs_code rc = open_to_read(&fd, path, err);

    if (rc == CS_OK) {
        rc = read_blocks(out, fd, path, max, err);
        (void)close(fd);
    }
    return rc;
}

enum cs_code cs_file_check_private(const struct stat *about, const char *path,
                                   struct cs_err *err)
{
    mode_t open_to_all =
        about->st_mode & (S_ISDIR(about->st_mode) ? S_IRWXO : S_IROTH | S_IWOTH);

    if (open_to_all == 0)
        return CS_OK;
    return cs_err_set(err, CS_EINVAL,
                      "%s may be %s by every user of this machine (mode %04o): chmod "
                      "o-rwx it",
                      path, (open_to_all & S_IWOTH) != 0 ? "changed" : "read",
                      (unsigned)about->st_mode & 07777u);
}

enum cs_code cs_file_read_private(struct cs_buf *out, const char *path, size_t max,
                                  struct cs_err *err)
{
    struct stat about;
    int fd;
    enum cs_code rc = open_to_read(&fd, path, err);

    if (rc != CS_OK)
        return rc;
    if (fstat(fd, &about) != 0)
        rc = cs_err_errno(err, errno, "%s can't be looked at", path);
    else if (S_ISREG(about.st_mode)) /* a pipe is nobody else's */
        rc = cs_file_check_private(&about, path, err);
    if (rc == CS_OK)
        rc = read_blocks(out, fd, path, max, err);
    (void)close(fd);
    return rc;
}

/* What memfd_create() stands for where the kernel is older than it (3.17). */
static int nameless_file(void)
{
    const char *folder = getenv("TMPDIR");
    char *path = NULL;
    int fd;

    if (asprintf(&path, "%s/campaignstore-XXXXXX",
                 folder != NULL && folder[0] == '/' ? folder : "/tmp") < 0) {
        errno = ENOMEM;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0 && unlink(path) != 0) {
        int saved = errno;

        (void)close(fd);
        errno = saved;
        fd = -1;
    }
    free(path);
    return fd;
}

int cs_file_memory(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    return fd < 0 && errno == ENOSYS ? nameless_file() : fd;
}

int cs_file_write_all(int fd, struct cs_view bytes)
{
    while (bytes.len > 0) {
        ssize_t done = write(fd, bytes.ptr, bytes.len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        bytes = cs_view_from(bytes, (size_t)done);
    }
    return 0;
}

/* Makes a rename or a new name in the folder of `path` durable. */
static int sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder =
        slash == NULL
            ? cs_view_dup(CS_LIT("."))
            : cs_view_dup(cs_view_of(path, slash == path ? 1 : (size_t)(slash - path)));
    int failed = 0;
    int fd;

    if (folder == NULL)
        return ENOMEM;
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        failed = errno;
    if (fd >= 0)
        (void)close(fd);
    free(folder);
    return failed;
}

enum cs_code cs_file_write(const char *path, struct cs_view bytes, mode_t mode,
                           struct cs_err *err)
{
    struct cs_buf temporary = CS_BUF_INIT(8192);
    enum cs_code rc;
    int failed;
    int fd;

    cs_buf_add_fmt(&temporary, "%s.%ld.new", path, (long)getpid());
    if ((rc = cs_buf_check(&temporary, err)) != CS_OK)
        goto out;
    fd = open(temporary.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        rc = cs_err_errno(err, errno, "%s can't be created", path);
        goto out;
    }
    failed = cs_file_write_all(fd, bytes);
    if (failed == 0 && fsync(fd) != 0)
        failed = errno;
    if (close(fd) != 0 && failed == 0)
        failed = errno;
    if (failed == 0 && rename(temporary.ptr, path) != 0)
        failed = errno;
    if (failed == 0)
        failed = sync_folder_of(path);
    if (failed != 0) {
        (void)unlink(temporary.ptr);
        rc = cs_err_errno(err, failed, "%s can't be written", path);
    }
out:
    cs_buf_clear(&temporary);
    return rc;
}

/* Where the kernel is older than openat2 (5.6): component by component. */
static int walk_below(int root_fd, const char *path, int flags, mode_t mode)
{
    struct cs_view rest = cs_view_cstr(path);
    struct cs_view part;
    int folder = root_fd;
    int fd = -1;

    while (cs_view_split(&rest, '/', &part)) {
        bool last = rest.ptr == NULL;
        char *name;

        if (part.len == 0 || cs_view_eq(part, CS_LIT(".")) ||
            cs_view_eq(part, CS_LIT(".."))) {
            errno = EXDEV;
            fd = -1;
        } else if ((name = cs_view_dup(part)) == NULL) {
            fd = -1;
        } else {
            fd = openat(folder, name,
                        last ? flags | O_NOFOLLOW | O_CLOEXEC
                             : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                        mode);
            free(name);
        }
        if (folder != root_fd) {
            int saved = errno;

            (void)close(folder);
            errno = saved;
        }
        if (fd < 0)
            return -1;
        folder = fd;
    }
    return fd;
}

int cs_file_open_below(int root_fd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return walk_below(root_fd, path, flags, mode);
    return fd;
}

/* One folder of the path: made where it lacks, its name then made durable. */
static int make_folder(int parent_fd, const char *name, mode_t mode)
{
    if (mkdirat(parent_fd, name, mode) == 0)
        return fsync(parent_fd);
    return errno == EEXIST ? 0 : -1;
}

enum cs_code cs_file_make_folders(int root_fd, const char *path, mode_t mode,
                                  struct cs_err *err)
{
    struct cs_view rest = cs_view_cstr(path);
    struct cs_view part;
    int folder = dup(root_fd);
    int failed = folder < 0 ? errno : 0;

    while (failed == 0 && cs_view_split(&rest, '/', &part)) {
        char *name = cs_view_dup(part);
        int next = -1;

        if (name == NULL)
            failed = ENOMEM;
        else if (part.len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            failed = EINVAL;
        else if (make_folder(folder, name, mode) != 0 ||
                 (next = openat(folder, name,
                                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
            failed = errno;
        free(name);
        if (next >= 0) {
            (void)close(folder);
            folder = next;
        }
    }
    if (folder >= 0)
        (void)close(folder);
    if (failed != 0)
        return cs_err_errno(err, failed, "the folder %s can't be made", path);
    return CS_OK;
}
