/* store/local_internal.h: what the files of the embedded store share. */
#ifndef CS_STORE_LOCAL_INTERNAL_H
#define CS_STORE_LOCAL_INTERNAL_H

#include <sys/stat.h>

#include "store/store.h"
#include "store/store_local.h"

struct cs_local_database;

struct cs_local_store {
    struct cs_store base;
    struct cs_store_names names;
    char *root; /* absolute */
    char *bucket_name;
    char *table_name;
    enum cs_local_journal journal;
    struct cs_log *log;
    int root_fd; /* -1 until it is needed */
    dev_t root_dev;
    ino_t root_ino;
    struct cs_local_database *database; /* NULL until it is needed */
};

static inline struct cs_local_store *cs_local(struct cs_store *store)
{
    return (struct cs_local_store *)(void *)store;
}

/* store_local.c */

/* The root folder, opened and made where it lacks; -1 in *fd_out on failure. */
enum cs_code cs_local_root(struct cs_local_store *store, int *fd_out,
                           struct cs_err *err) CS_MUST_USE;

/* The database, opened in this process, with the deadline of the call set. */
enum cs_code cs_local_use(struct cs_local_store *store, struct cs_deadline deadline,
                          struct cs_local_database **out, struct cs_err *err) CS_MUST_USE;

/* local_files.c: names of files, and files that get their name last */

#define CS_LOCAL_OBJECTS     "objects"
#define CS_LOCAL_TMP         "tmp"
#define CS_LOCAL_VERSION_LEN 32u
/* "objects/", each byte of a key as %XX, '@', a version, with room to spare */
#define CS_LOCAL_PATH_MAX (3u * CS_STORE_KEY_MAX + 64u)

/* 32 hex digits: 16 of the time, so that versions sort by age, 16 random ones. */
enum cs_code cs_local_version(char out[CS_LOCAL_VERSION_LEN + 1], int64_t time_us,
                              struct cs_err *err) CS_MUST_USE;
bool cs_local_version_ok(struct cs_view version);
/* The time in a version, in microseconds. */
int64_t cs_local_version_time(struct cs_view version);

/* Appends "objects/<key>@<version>". */
void cs_local_add_path(struct cs_buf *out, struct cs_view key, struct cs_view version);

/* Ends a path at its last slash: it is the folder's then, and what is returned
 * is the file's name in it. */
const char *cs_local_split_path(struct cs_buf *path);

/* Appends the key bytes that a file's name stands for. False, with nothing
 * appended, for a name that cs_local_add_path() never writes: a foreign file. */
bool cs_local_decode_name(struct cs_buf *out, struct cs_view name);

/* Splits "report.pdf@<version>"; false for a file that is no object's. */
bool cs_local_split_name(struct cs_view name, struct cs_view *encoded_out,
                         struct cs_view *version_out);

/* The newest version of the object whose file names in that folder start with
 * `name`; "" when there is none. */
enum cs_code cs_local_newest(int folder_fd, const char *name,
                             char out[CS_LOCAL_VERSION_LEN + 1],
                             struct cs_err *err) CS_MUST_USE;

/* A folder below the root, to be read or fsynced; -1 with errno. */
int cs_local_open_folder(int root_fd, const char *path);

/* A file in tmp/ that is to get a name elsewhere once it is whole. */
struct cs_local_temporary {
    int folder_fd; /* of tmp/ */
    int fd;        /* open for writing */
    char name[48]; /* "" once it is placed */
};
#define CS_LOCAL_TEMPORARY_NONE ((struct cs_local_temporary){-1, -1, ""})

/* mode is that of the file, less what the umask takes. */
enum cs_code cs_local_temporary_make(struct cs_local_temporary *out, int root_fd,
                                     mode_t mode, struct cs_err *err) CS_MUST_USE;
/* Gives it its name unless that is taken, which is durable once the folder is
 * fsynced. 0, or errno. */
int cs_local_temporary_place(struct cs_local_temporary *temporary, int folder_fd,
                             const char *name);
/* Closes it, and removes it when it was not placed. */
void cs_local_temporary_end(struct cs_local_temporary *temporary);

/* local_records.c */
enum cs_code cs_local_get(struct cs_store *store, struct cs_view key,
                          struct cs_record **out, struct cs_deadline deadline,
                          struct cs_err *err);
enum cs_code cs_local_commit(struct cs_store *store,
                             const struct cs_transaction *transaction,
                             struct cs_deadline deadline, struct cs_err *err);
enum cs_code cs_local_counters(struct cs_store *store, struct cs_view group,
                               struct cs_counters *out, struct cs_deadline deadline,
                               struct cs_err *err);
enum cs_code cs_local_recount(struct cs_store *store, cs_recount_fn *deltas_of,
                              void *payload, struct cs_deadline deadline,
                              struct cs_err *err);

/* local_list.c */
enum cs_code cs_local_list(struct cs_store *store, const struct cs_list_query *query,
                           struct cs_record_page *out, struct cs_deadline deadline,
                           struct cs_err *err);

/* local_log.c */
enum cs_code cs_local_log_append(struct cs_store *store, struct cs_view key,
                                 const struct cs_view *entries, size_t count,
                                 struct cs_view dedupe, struct cs_deadline deadline,
                                 struct cs_err *err);
enum cs_code cs_local_log_read(struct cs_store *store, struct cs_view key,
                               struct cs_view after, size_t limit,
                               struct cs_log_page *out, struct cs_deadline deadline,
                               struct cs_err *err);
/* Within a transaction. */
enum cs_code cs_local_log_clear(struct cs_local_database *database, struct cs_view key,
                                uint64_t *deleted_out, struct cs_err *err) CS_MUST_USE;
enum cs_code cs_local_erase(struct cs_store *store,
                            const struct cs_transaction *transaction,
                            uint64_t *deleted_out, struct cs_deadline deadline,
                            struct cs_err *err);
enum cs_code cs_local_log_delete(struct cs_store *store, struct cs_view key,
                                 uint64_t *deleted_out, struct cs_deadline deadline,
                                 struct cs_err *err);

/* local_put.c */
enum cs_code cs_local_put(struct cs_store *store, const struct cs_object_source *sources,
                          size_t count, struct cs_object *outs,
                          struct cs_deadline deadline, struct cs_err *err);
enum cs_code cs_local_put_begin(struct cs_store *store, const struct cs_object_info *info,
                                uint64_t size, struct cs_object_writer **out,
                                struct cs_deadline deadline, struct cs_err *err);
enum cs_code cs_local_put_add(struct cs_store *store, struct cs_object_writer *writer,
                              struct cs_view bytes, struct cs_err *err);
enum cs_code cs_local_put_commit(struct cs_store *store, struct cs_object_writer *writer,
                                 struct cs_object *out, struct cs_err *err);
void cs_local_put_abort(struct cs_store *store, struct cs_object_writer *writer);

/* local_read.c */
enum cs_code cs_local_open(struct cs_store *store, struct cs_view key,
                           struct cs_view version, const struct cs_byte_range *range,
                           struct cs_object_reader **out, uint64_t *size_out,
                           struct cs_deadline deadline, struct cs_err *err);
enum cs_code cs_local_read(struct cs_store *store, struct cs_object_reader *reader,
                           char *to, size_t room, size_t *got_out, struct cs_err *err);
void cs_local_close(struct cs_store *store, struct cs_object_reader *reader);
enum cs_code cs_local_url(struct cs_store *store, const struct cs_object_info *info,
                          struct cs_view version, int64_t ttl_s, struct cs_buf *out,
                          int64_t *expires_us_out, struct cs_err *err);
enum cs_code cs_local_file_path(struct cs_store *store, const struct cs_object *object,
                                struct cs_buf *out, struct cs_err *err);

/* local_walk.c */
enum cs_code cs_local_each_object(struct cs_store *store, struct cs_view prefix,
                                  cs_object_entry_fn *callback, void *payload,
                                  struct cs_deadline deadline, struct cs_err *err);

/* local_delete.c */
enum cs_code cs_local_delete_version(struct cs_store *store, struct cs_view key,
                                     struct cs_view version, struct cs_deadline deadline,
                                     struct cs_err *err);
enum cs_code cs_local_delete_folder(struct cs_store *store, struct cs_view prefix,
                                    const struct cs_object_entry *known, size_t count,
                                    struct cs_delete_report *out,
                                    struct cs_deadline deadline, struct cs_err *err);
enum cs_code cs_local_delete_prefix(struct cs_store *store, struct cs_view prefix,
                                    struct cs_delete_report *out,
                                    struct cs_deadline deadline, struct cs_err *err);

#endif
