#include "config.h"

#include <stdlib.h>

#include "base/encoding.h"
#include "store/aws_uploads.h"

/* A bucket that is to be made at the first put holds nothing yet. */
static enum cs_code list(struct cs_aws_store *store, enum cs_s3_list kind,
                         struct cs_view prefix, cs_s3_entry_fn *callback, void *payload,
                         struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc =
        cs_s3_list(store->s3, kind, prefix, callback, payload, deadline, &why);

    if (rc != CS_OK && cs_aws_store_lacks_bucket(&why) && store->create_missing)
        return CS_OK;
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc == CS_ENOTFOUND ? CS_EUPSTREAM : rc;
}

/* S3's name for the version of an object that was put while the bucket kept none (S3 User
 * Guide, "Deleting objects from versioning-suspended buckets"); the answer to its put
 * named none. */
#define NO_VERSION "null"

struct each {
    struct cs_view prefix;
    cs_object_entry_fn *callback;
    void *payload;
};

static bool hand_on(void *payload, const struct cs_s3_entry *entry)
{
    const struct each *each = payload;
    const struct cs_object_entry out = {
        entry->key,
        cs_view_eq_cstr(entry->version, NO_VERSION) ? CS_LIT("") : entry->version,
        entry->size, entry->modified_us};

    return entry->marker || !cs_view_starts(entry->key, each->prefix) ||
           each->callback(each->payload, &out);
}

enum cs_code cs_aws_store_each_object(struct cs_store *base, struct cs_view prefix,
                                      cs_object_entry_fn *callback, void *payload,
                                      struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct each each = {prefix, callback, payload};
    size_t fault = cs_utf8_fault(prefix);
    enum cs_code rc;

    if ((rc = cs_store_check_prefix(prefix, err)) != CS_OK ||
        (rc = cs_aws_store_open(store, err)) != CS_OK)
        return rc;
    /* A prefix may be cut within a character, which S3 would not take. */
    return list(store, CS_S3_LIST_VERSIONS, cs_view_sub(prefix, 0, fault), hand_on, &each,
                deadline, err);
}

struct dropping {
    struct cs_aws_store *store;
    struct cs_view key;
    struct cs_deadline deadline;
    enum cs_code rc;
    struct cs_err *err;
};

static bool drop_upload(void *payload, const struct cs_s3_entry *entry)
{
    struct dropping *d = payload;

    if (cs_view_eq(entry->key, d->key))
        d->rc = cs_s3_upload_drop(d->store->s3, entry->key, entry->version, d->deadline,
                                  d->err);
    return d->rc == CS_OK;
}

/* With the note go the uploads that it speaks of. */
static enum cs_code drop_noted(struct cs_aws_store *store, struct cs_view key,
                               struct cs_deadline deadline, struct cs_err *err)
{
    struct dropping d = {
        .store = store, .key = key, .deadline = deadline, .rc = CS_OK, .err = err};
    enum cs_code rc =
        list(store, CS_S3_LIST_UPLOADS, key, drop_upload, &d, deadline, err);

    return rc != CS_OK ? rc : d.rc;
}

enum cs_code cs_aws_store_delete_version(struct cs_store *base, struct cs_view key,
                                         struct cs_view version,
                                         struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_view noted;
    enum cs_code rc;

    if ((rc = cs_store_check_object_key(key, err)) != CS_OK ||
        (rc = cs_aws_store_open(store, err)) != CS_OK ||
        (cs_aws_upload_is_note(key, &noted) &&
         (rc = drop_noted(store, noted, deadline, err)) != CS_OK))
        return rc;
    return cs_s3_delete(store->s3, key, version.len > 0 ? version : CS_LIT(NO_VERSION),
                        deadline, err);
}

struct sweep {
    struct cs_aws_store *store;
    struct cs_delete_report *report;
    struct cs_deadline deadline;
    const struct cs_object_entry *known; /* were deleted before anything was listed */
    size_t known_count;
    struct cs_buf texts; /* key NUL version NUL, of each name below */
    size_t count;
    struct cs_buf last_key;
    bool found; /* something was listed */
    enum cs_code rc;
    struct cs_err err;
};

static void flush_sweep(struct sweep *s)
{
    struct cs_s3_name *names = calloc(CS_S3_DELETE_MAX, sizeof(*names));
    const char *at = cs_buf_cstr(&s->texts);

    if (names == NULL)
        s->rc = cs_err_nomem(&s->err);
    else
        s->rc = cs_buf_check(&s->texts, &s->err);
    for (size_t i = 0; i < s->count && s->rc == CS_OK; i++) {
        names[i].key = cs_view_cstr(at);
        at += names[i].key.len + 1;
        names[i].version = cs_view_cstr(at);
        at += names[i].version.len + 1;
    }
    if (s->rc == CS_OK)
        s->rc = cs_s3_delete_many(s->store->s3, names, s->count, s->deadline, &s->err);
    cs_buf_reset(&s->texts);
    s->count = 0;
    free(names);
}

static bool is_known(const struct sweep *s, struct cs_view key)
{
    for (size_t i = 0; i < s->known_count; i++)
        if (cs_view_eq(s->known[i].key, key))
            return true;
    return false;
}

static bool sweep_version(void *payload, const struct cs_s3_entry *entry)
{
    struct sweep *s = payload;

    s->found = true;
    if (!cs_view_eq(entry->key, cs_buf_view(&s->last_key))) {
        s->report->objects_deleted += !is_known(s, entry->key);
        cs_buf_reset(&s->last_key);
        cs_buf_add(&s->last_key, entry->key);
    }
    s->report->versions_deleted++;
    s->report->bytes_deleted += entry->size;
    cs_buf_add(&s->texts, entry->key);
    cs_buf_add_byte(&s->texts, '\0');
    cs_buf_add(&s->texts, entry->version);
    cs_buf_add_byte(&s->texts, '\0');
    if (++s->count == CS_S3_DELETE_MAX)
        flush_sweep(s);
    return s->rc == CS_OK;
}

static bool sweep_upload(void *payload, const struct cs_s3_entry *entry)
{
    struct sweep *s = payload;

    s->rc =
        cs_s3_upload_drop(s->store->s3, entry->key, entry->version, s->deadline, &s->err);
    s->report->versions_deleted += s->rc == CS_OK ? 1 : 0;
    return s->rc == CS_OK;
}

static bool count_left(void *payload, const struct cs_s3_entry *entry)
{
    struct sweep *s = payload;

    (void)entry;
    s->report->left++;
    return true;
}

static enum cs_code run_list(struct sweep *s, enum cs_s3_list kind, struct cs_view prefix,
                             cs_s3_entry_fn *callback)
{
    enum cs_code rc = list(s->store, kind, prefix, callback, s, s->deadline, &s->err);

    if (rc == CS_OK && s->rc == CS_OK && s->count > 0)
        flush_sweep(s);
    return rc != CS_OK ? rc : s->rc;
}

/* What the caller knows of. False: it is to be found by listing. */
static bool delete_known(struct sweep *s)
{
    struct cs_s3_name *names = calloc(s->known_count, sizeof(*names));
    bool done = false;

    if (names != NULL) {
        for (size_t i = 0; i < s->known_count; i++)
            names[i] = (struct cs_s3_name){s->known[i].key, s->known[i].version};
        done = cs_s3_delete_many(s->store->s3, names, s->known_count, s->deadline,
                                 NULL) == CS_OK;
    }
    for (size_t i = 0; i < s->known_count && done; i++) {
        s->report->objects_deleted++;
        s->report->versions_deleted++;
        s->report->bytes_deleted += s->known[i].size;
    }
    free(names);
    return done;
}

/* After what is known, one list that shows nothing has seen all: a put that is not
 * finished would have left a note. */
static enum cs_code sweep_all(struct sweep *s, struct cs_view prefix, bool knows)
{
    uint64_t versions;
    enum cs_code rc = run_list(s, CS_S3_LIST_VERSIONS, prefix, sweep_version);

    if (rc != CS_OK || (knows && !s->found))
        return rc;
    versions = s->report->versions_deleted;
    if ((rc = run_list(s, CS_S3_LIST_UPLOADS, prefix, sweep_upload)) == CS_OK &&
        (rc = run_list(s, CS_S3_LIST_VERSIONS, prefix, count_left)) == CS_OK &&
        s->report->versions_deleted > versions) /* the first list found none otherwise */
        rc = run_list(s, CS_S3_LIST_UPLOADS, prefix, count_left);
    return rc;
}

enum cs_code cs_aws_store_delete_folder(struct cs_store *base, struct cs_view prefix,
                                        const struct cs_object_entry *known,
                                        size_t known_count, struct cs_delete_report *out,
                                        struct cs_deadline deadline, struct cs_err *err)
{
    struct sweep s = {.store = cs_aws_store_of(base),
                      .report = out,
                      .deadline = deadline,
                      .known = known,
                      .known_count = known_count,
                      .texts = CS_BUF_INIT(4u << 20),
                      .last_key = CS_BUF_INIT(4096),
                      .err = CS_ERR_NONE};
    bool knows = known != NULL && known_count <= CS_S3_DELETE_MAX;
    enum cs_code rc;

    memset(out, 0, sizeof(*out));
    if ((rc = cs_store_check_folder_prefix(prefix, err)) != CS_OK ||
        (rc = cs_store_check_within(prefix, known, known_count, err)) != CS_OK ||
        (rc = cs_aws_store_open(s.store, err)) != CS_OK)
        return rc;
    knows = knows && (known_count == 0 || delete_known(&s));
    if (!knows)
        s.known_count = 0;
    rc = sweep_all(&s, prefix, knows);
    cs_buf_clear(&s.texts);
    cs_buf_clear(&s.last_key);
    if (rc != CS_OK)
        cs_err_hand_on(err, &s.err);
    return rc;
}

enum cs_code cs_aws_store_delete_prefix(struct cs_store *base, struct cs_view prefix,
                                        struct cs_delete_report *out,
                                        struct cs_deadline deadline, struct cs_err *err)
{
    return cs_aws_store_delete_folder(base, prefix, NULL, 0, out, deadline, err);
}
