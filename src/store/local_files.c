#include "config.h"

#include "store/local_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encoding.h"
#include "base/file.h"
#include "store/check.h"

#define RANDOM_BYTES 8u /* half of a version */

/* ---- names ---- */

enum cs_code cs_local_version(char out[CS_LOCAL_VERSION_LEN + 1], int64_t time_us,
                              struct cs_err *err)
{
    uint8_t random[RANDOM_BYTES];
    enum cs_code rc;

    out[0] = '\0';
    if ((rc = cs_random_bytes(random, sizeof(random), err)) != CS_OK)
        return rc;
    (void)snprintf(out, CS_LOCAL_VERSION_LEN + 1, "%016llx", (unsigned long long)time_us);
    cs_hex_encode(out + CS_LOCAL_VERSION_LEN / 2, random, sizeof(random));
    return CS_OK;
}

bool cs_local_version_ok(struct cs_view version)
{
    if (version.len != CS_LOCAL_VERSION_LEN)
        return false;
    for (size_t i = 0; i < version.len; i++)
        if (!(version.ptr[i] >= '0' && version.ptr[i] <= '9') &&
            !(version.ptr[i] >= 'a' && version.ptr[i] <= 'f'))
            return false;
    return true;
}

int64_t cs_local_version_time(struct cs_view version)
{
    uint8_t bytes[8];
    uint64_t time_us = 0;

    if (!cs_hex_decode(bytes, sizeof(bytes), cs_view_sub(version, 0, 16)))
        return 0;
    for (size_t i = 0; i < sizeof(bytes); i++)
        time_us = time_us << 8 | bytes[i];
    return time_us > INT64_MAX ? 0 : (int64_t)time_us;
}

void cs_local_add_path(struct cs_buf *out, struct cs_view key, struct cs_view version)
{
    static const char hex[] = "0123456789ABCDEF";

    cs_buf_add_cstr(out, CS_LOCAL_OBJECTS "/");
    for (size_t i = 0; i < key.len; i++) {
        unsigned char byte = (unsigned char)key.ptr[i];
        const char escape[3] = {'%', hex[byte >> 4], hex[byte & 15]};

        if (cs_store_check_plain_byte(key.ptr[i]) || byte == '/')
            cs_buf_add_byte(out, key.ptr[i]);
        else
            cs_buf_add(out, cs_view_of(escape, sizeof(escape)));
    }
    /* '@' is not a plain byte: it stands in no encoded key */
    cs_buf_add_byte(out, '@');
    cs_buf_add(out, version);
}

const char *cs_local_split_path(struct cs_buf *path)
{
    char *slash = strrchr(path->ptr, '/');

    *slash = '\0';
    return slash + 1;
}

/* The byte that "%XX" stands for, or -1 where a key is never written so. */
static int escaped_byte(struct cs_view name, size_t at)
{
    uint8_t byte;

    if (!cs_hex_decode(&byte, 1, cs_view_sub(name, at + 1, 2)))
        return -1;
    for (size_t i = at + 1; i < at + 3; i++)
        if (name.ptr[i] >= 'a' && name.ptr[i] <= 'f')
            return -1;
    return cs_store_check_plain_byte((char)byte) || byte == '/' || byte == '\0' ? -1
                                                                                : byte;
}

bool cs_local_decode_name(struct cs_buf *out, struct cs_view name)
{
    size_t start = out->len;

    if (name.len == 0 || cs_view_eq(name, CS_LIT(".")) || cs_view_eq(name, CS_LIT("..")))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        int byte = (unsigned char)name.ptr[i];

        if (byte == '%') {
            byte = escaped_byte(name, i);
            i += 2;
        } else if (!cs_store_check_plain_byte((char)byte)) {
            byte = -1;
        }
        if (byte < 0) {
            cs_buf_truncate(out, start);
            return false;
        }
        cs_buf_add_byte(out, (char)byte);
    }
    return true;
}

bool cs_local_split_name(struct cs_view name, struct cs_view *encoded_out,
                         struct cs_view *version_out)
{
    size_t at = cs_view_find_byte(name, '@');

    if (at == SIZE_MAX)
        return false;
    *encoded_out = cs_view_sub(name, 0, at);
    *version_out = cs_view_from(name, at + 1);
    return cs_local_version_ok(*version_out);
}

/* ---- folders ---- */

int cs_local_open_folder(int root_fd, const char *path)
{
    return cs_file_open_below(root_fd, path, O_RDONLY | O_DIRECTORY, 0);
}

enum cs_code cs_local_newest(int folder_fd, const char *name,
                             char out[CS_LOCAL_VERSION_LEN + 1], struct cs_err *err)
{
    /* opened anew: reading moves an offset that duplicates would share */
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    enum cs_code rc = CS_OK;

    out[0] = '\0';
    if (folder == NULL) {
        rc = cs_err_errno(err, errno, "a folder of objects can't be read");
        if (fd >= 0)
            (void)close(fd);
        return rc;
    }
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        struct cs_view file = cs_view_cstr(entry->d_name);
        struct cs_view version = cs_view_from(file, strlen(name));

        if (cs_view_starts(file, cs_view_cstr(name)) && cs_local_version_ok(version) &&
            strcmp(version.ptr, out) > 0)
            memcpy(out, version.ptr, CS_LOCAL_VERSION_LEN + 1);
    }
    if (errno != 0)
        rc = cs_err_errno(err, errno, "a folder of objects can't be read");
    (void)closedir(folder);
    return rc;
}

/* ---- files that get their name last ---- */

static int open_tmp(int root_fd, struct cs_err *err)
{
    int fd = cs_local_open_folder(root_fd, CS_LOCAL_TMP);

    if (fd < 0 && errno == ENOENT) {
        if (cs_file_make_folders(root_fd, CS_LOCAL_TMP, 0700, err) != CS_OK)
            return -1;
        fd = cs_local_open_folder(root_fd, CS_LOCAL_TMP);
    }
    if (fd < 0)
        (void)cs_err_errno(err, errno, "the folder tmp/ can't be opened");
    return fd;
}

enum cs_code cs_local_temporary_make(struct cs_local_temporary *out, int root_fd,
                                     mode_t mode, struct cs_err *err)
{
    uint8_t random[RANDOM_BYTES];
    char digits[2 * RANDOM_BYTES + 1];
    enum cs_code rc;

    *out = CS_LOCAL_TEMPORARY_NONE;
    if ((rc = cs_random_bytes(random, sizeof(random), err)) != CS_OK)
        return rc;
    out->folder_fd = open_tmp(root_fd, err);
    if (out->folder_fd < 0)
        return CS_EIO;
    cs_hex_encode(digits, random, sizeof(random));
    (void)snprintf(out->name, sizeof(out->name), "%ld-%s", (long)getpid(), digits);
    out->fd = openat(out->folder_fd, out->name,
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (out->fd < 0) {
        rc = cs_err_errno(err, errno, "no file can be made in tmp/");
        out->name[0] = '\0';
        cs_local_temporary_end(out);
    }
    return rc;
}

int cs_local_temporary_place(struct cs_local_temporary *temporary, int folder_fd,
                             const char *name)
{
    if (renameat2(temporary->folder_fd, temporary->name, folder_fd, name,
                  RENAME_NOREPLACE) == 0) {
        temporary->name[0] = '\0';
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    /* file systems without that flag, as NFS, have hard links, which do the
     * same; cs_local_temporary_end() then removes the first name */
    return linkat(temporary->folder_fd, temporary->name, folder_fd, name, 0) == 0 ? 0
                                                                                  : errno;
}

void cs_local_temporary_end(struct cs_local_temporary *temporary)
{
    if (temporary->name[0] != '\0')
        (void)unlinkat(temporary->folder_fd, temporary->name, 0);
    if (temporary->fd >= 0)
        (void)close(temporary->fd);
    if (temporary->folder_fd >= 0)
        (void)close(temporary->folder_fd);
    *temporary = CS_LOCAL_TEMPORARY_NONE;
}
