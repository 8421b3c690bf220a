/* base/file.h: files below a root folder, opened without following links, and
 * written so that they are either whole and durable or not there. */
#ifndef CS_BASE_FILE_H
#define CS_BASE_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/digest.h"

/* A run of bytes of an open file. */
struct cs_file_part {
    int fd; /* borrowed; its own position is neither used nor changed */
    uint64_t offset;
    uint64_t size;
};

/* Gives `use` its bytes block by block, so that its size costs no memory, until that
 * fails. CS_ESHORT for a file that ends too early, CS_EIO, CS_ENOMEM. */
typedef enum cs_code cs_file_block_fn(void *payload, struct cs_view block,
                                      struct cs_err *err);
enum cs_code cs_file_each_block(const struct cs_file_part *part, cs_file_block_fn *use,
                                void *payload, struct cs_err *err) CS_MUST_USE;

/* Their SHA-256 in hex; the same errors, and "" then. */
enum cs_code cs_file_sha256(const struct cs_file_part *part,
                            char out[CS_SHA256_HEX_LEN + 1],
                            struct cs_err *err) CS_MUST_USE;

/* Reads a whole file of at most max bytes into out (appended). CS_ENOTFOUND,
 * CS_ETOOBIG, CS_EIO. */
enum cs_code cs_file_read(struct cs_buf *out, const char *path, size_t max,
                          struct cs_err *err) CS_MUST_USE;

/* The same for a file with secrets in it: CS_EINVAL, with the remedy, for one that
 * users other than its owner and group may read or change. */
enum cs_code cs_file_read_private(struct cs_buf *out, const char *path, size_t max,
                                  struct cs_err *err) CS_MUST_USE;
/* A folder may not be entered by them either. */
enum cs_code cs_file_check_private(const struct stat *about, const char *path,
                                   struct cs_err *err) CS_MUST_USE;

/* A file without a name, in memory where the kernel has that, else in $TMPDIR or
 * /tmp. -1 with errno set on failure. */
int cs_file_memory(const char *name);

/* Writes a whole file: temporary name, fsync, rename, fsync of the folder. */
enum cs_code cs_file_write(const char *path, struct cs_view bytes, mode_t mode,
                           struct cs_err *err) CS_MUST_USE;

/* Opens a path relative to root_fd for which no component may be "..", absolute
 * or a symbolic link. flags and mode as open(2), O_CLOEXEC is added. -1 with
 * errno set on failure; ELOOP or EXDEV where a link or an escape was met. */
int cs_file_open_below(int root_fd, const char *path, int flags, mode_t mode);

/* Makes every folder of a relative path below root_fd, as cs_file_open_below
 * would walk it, and makes their names durable. */
enum cs_code cs_file_make_folders(int root_fd, const char *path, mode_t mode,
                                  struct cs_err *err) CS_MUST_USE;

/* All of the bytes, over partial writes and EINTR. 0, or errno. */
int cs_file_write_all(int fd, struct cs_view bytes);

#endif
