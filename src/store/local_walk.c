#include "config.h"

#include "store/local_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/check.h"
#include "store/local_internal.h"

/* Keys have at most CS_KEY_DEPTH_MAX parts; anything deeper is not ours. */
#define LEVELS_MAX    (CS_KEY_DEPTH_MAX + 2u)
#define KEY_BYTES_MAX (LEVELS_MAX * 256u)

struct level {
    int fd;
    struct dirent **entries; /* sorted by name */
    int count;
    int next;
    size_t key_len; /* of the walk's key: this folder's own part, slash included */
    bool foreign;   /* the folder's name is none of ours: nothing in it is an object */
    bool changed;
};

struct walk {
    struct level levels[LEVELS_MAX];
    size_t depth; /* levels in use */
    struct cs_buf key;
    struct cs_view first; /* what names in the first folder must start with */
    cs_local_found_fn *callback;
    void *payload;
    struct cs_deadline deadline;
};

static int is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void pop_level(struct walk *walk)
{
    struct level *level = &walk->levels[--walk->depth];

    for (int i = 0; i < level->count; i++)
        free(level->entries[i]);
    free(level->entries);
    (void)close(level->fd);
}

/* Takes over fd. */
static enum cs_code push_level(struct walk *walk, int fd, bool foreign,
                               struct cs_err *err)
{
    struct level level = {.fd = fd, .key_len = walk->key.len, .foreign = foreign};
    enum cs_code rc = CS_OK;

    if (walk->depth == LEVELS_MAX) {
        rc =
            cs_err_set(err, CS_EIO, "the folders below objects/ are too deep to be ours");
    } else {
        level.count = scandirat(fd, ".", &level.entries, is_entry, by_name);
        if (level.count < 0)
            rc = cs_err_errno(err, errno, "a folder of objects can't be read");
    }
    if (rc == CS_OK)
        walk->levels[walk->depth++] = level;
    else
        (void)close(fd);
    return rc;
}

static enum cs_code enter(struct walk *walk, const char *name, struct cs_err *err)
{
    struct level *in = &walk->levels[walk->depth - 1];
    bool foreign = in->foreign;
    int fd = openat(in->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return CS_OK; /* removed since the folder was read */
    if (fd < 0)
        return cs_err_errno(err, errno, "a folder of objects can't be opened");
    if (!foreign)
        foreign = !cs_local_decode_name(&walk->key, cs_view_cstr(name));
    cs_buf_add_byte(&walk->key, '/');
    return push_level(walk, fd, foreign, err);
}

/* Shows a file; the walk's key holds the key of its folder. */
static enum cs_code show_file(struct walk *walk, const char *name,
                              const struct stat *about, struct cs_err *err)
{
    struct level *in = &walk->levels[walk->depth - 1];
    struct cs_local_found found = {.in_fd = in->fd,
                                   .name = name,
                                   .about = about,
                                   .own_fd = -1,
                                   .in_changed = &in->changed};
    struct cs_view encoded;
    struct cs_view version;

    if (!in->foreign && S_ISREG(about->st_mode) &&
        cs_local_split_name(cs_view_cstr(name), &encoded, &version) &&
        cs_local_decode_name(&walk->key, encoded) &&
        cs_store_check_object_key(cs_buf_view(&walk->key), NULL) == CS_OK) {
        found.key = cs_buf_view(&walk->key);
        found.version = version;
    }
    return walk->callback(walk->payload, &found, err);
}

/* Whether a name is under the prefix: only the first folder holds others. */
static bool is_wanted(struct walk *walk, const char *name)
{
    struct cs_view encoded = cs_view_cstr(name);
    size_t start = walk->key.len;
    bool wanted;

    if (walk->depth > 1 || walk->first.len == 0)
        return true;
    encoded.len = strcspn(name, "@");
    wanted = cs_local_decode_name(&walk->key, encoded) &&
             cs_view_starts(cs_view_from(cs_buf_view(&walk->key), start), walk->first);
    cs_buf_truncate(&walk->key, start);
    return wanted;
}

static enum cs_code visit(struct walk *walk, const struct dirent *entry,
                          struct cs_err *err)
{
    struct level *in = &walk->levels[walk->depth - 1];
    struct stat about;

    cs_buf_truncate(&walk->key, in->key_len);
    if (!is_wanted(walk, entry->d_name))
        return CS_OK;
    if (entry->d_type == DT_DIR)
        return enter(walk, entry->d_name, err);
    if (fstatat(in->fd, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? CS_OK
                               : cs_err_errno(err, errno, "an object can't be looked at");
    if (S_ISDIR(about.st_mode)) /* where the file system names no types */
        return enter(walk, entry->d_name, err);
    return show_file(walk, entry->d_name, &about, err);
}

static enum cs_code leave(struct walk *walk, struct cs_err *err)
{
    struct level *own = &walk->levels[walk->depth - 1];
    enum cs_code rc = CS_OK;

    if (walk->depth > 1) {
        struct level *in = own - 1;
        const struct cs_local_found found = {.in_fd = in->fd,
                                             .name = in->entries[in->next - 1]->d_name,
                                             .own_fd = own->fd,
                                             .in_changed = &in->changed,
                                             .changed = own->changed};

        rc = walk->callback(walk->payload, &found, err);
    }
    pop_level(walk);
    return rc;
}

static enum cs_code step(struct walk *walk, struct cs_err *err)
{
    struct level *level = &walk->levels[walk->depth - 1];
    enum cs_code rc;

    if (cs_clock_monotonic_us() >= walk->deadline.at_us)
        return cs_err_set(err, CS_ETIMEOUT,
                          "the objects could not all be listed in time");
    if (level->next == level->count)
        return leave(walk, err);
    rc = visit(walk, level->entries[level->next++], err);
    return rc == CS_OK ? cs_buf_check(&walk->key, err) : rc;
}

void cs_local_add_folder_path(struct cs_buf *out, struct cs_view folder)
{
    if (folder.len == 0) {
        cs_buf_add_cstr(out, CS_LOCAL_OBJECTS);
        return;
    }
    cs_local_add_path(out, folder, CS_LIT(""));
    if (cs_buf_check(out, NULL) == CS_OK)
        cs_buf_truncate(out, out->len - 1); /* the '@' */
}

/* Opens the folder that all keys with the prefix stand in. */
static enum cs_code begin(struct walk *walk, int root_fd, struct cs_view prefix,
                          struct cs_err *err)
{
    struct cs_buf path = CS_BUF_INIT(CS_LOCAL_PATH_MAX);
    size_t folder_len = prefix.len;
    enum cs_code rc;
    int fd;

    while (folder_len > 0 && prefix.ptr[folder_len - 1] != '/')
        folder_len--;
    walk->first = cs_view_from(prefix, folder_len);
    cs_buf_add(&walk->key, cs_view_of(prefix.ptr, folder_len));
    cs_local_add_folder_path(&path,
                             cs_view_of(prefix.ptr, folder_len > 0 ? folder_len - 1 : 0));
    if ((rc = cs_buf_check(&path, err)) == CS_OK &&
        (rc = cs_buf_check(&walk->key, err)) == CS_OK) {
        fd = cs_local_open_folder(root_fd, cs_buf_cstr(&path));
        if (fd >= 0)
            rc = push_level(walk, fd, false, err);
        else if (errno != ENOENT && errno != ENOTDIR)
            rc = cs_err_errno(err, errno, "a folder of objects can't be opened");
    }
    cs_buf_clear(&path);
    return rc;
}

enum cs_code cs_local_walk(int root_fd, struct cs_view prefix,
                           cs_local_found_fn *callback, void *payload,
                           struct cs_deadline deadline, struct cs_err *err)
{
    struct walk *walk = calloc(1, sizeof(*walk));
    enum cs_code rc;

    if (walk == NULL)
        return cs_err_nomem(err);
    cs_buf_init(&walk->key, KEY_BYTES_MAX);
    walk->callback = callback;
    walk->payload = payload;
    walk->deadline = deadline;
    rc = begin(walk, root_fd, prefix, err);
    while (rc == CS_OK && walk->depth > 0)
        rc = step(walk, err);
    while (walk->depth > 0)
        pop_level(walk);
    cs_buf_clear(&walk->key);
    free(walk);
    return rc;
}

/* ---- the listing that the interface offers ---- */

struct listing {
    cs_object_entry_fn *callback;
    void *payload;
    bool stopped;
};

static enum cs_code list_one(void *payload, const struct cs_local_found *found,
                             struct cs_err *err)
{
    struct listing *listing = payload;
    struct cs_object_entry entry = {found->key, found->version, 0, 0};

    (void)err;
    if (found->key.len == 0)
        return CS_OK;
    entry.size = (uint64_t)found->about->st_size;
    entry.modified_us = found->about->st_mtim.tv_sec * CS_SECOND_US +
                        found->about->st_mtim.tv_nsec / 1000;
    listing->stopped = !listing->callback(listing->payload, &entry);
    return listing->stopped ? CS_EGONE : CS_OK;
}

enum cs_code cs_local_each_object(struct cs_store *store, struct cs_view prefix,
                                  cs_object_entry_fn *callback, void *payload,
                                  struct cs_deadline deadline, struct cs_err *err)
{
    struct listing listing = {callback, payload, false};
    int root_fd;
    enum cs_code rc;

    if ((rc = cs_store_check_prefix(prefix, err)) != CS_OK ||
        (rc = cs_local_root(cs_local(store), &root_fd, err)) != CS_OK)
        return rc;
    rc = cs_local_walk(root_fd, prefix, list_one, &listing, deadline, err);
    return listing.stopped ? CS_OK : rc;
}
