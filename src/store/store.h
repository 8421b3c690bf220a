/* store/store.h: what every store offers: versioned objects, records that are
 * written conditionally, an append-only log per record, and counters that move
 * in the same transaction as the records. A store is one file behind this
 * interface and passes tests/unit/test_store.c.
 *
 * The store knows no campaigns. It holds
 *   objects   immutable byte strings under a key ("campaigns/x/pdf/report.pdf");
 *             each put makes a new version, which alone names those bytes;
 *   records   small JSON documents under a key, with a revision for optimistic
 *             locking, and listed by owner or by status when they carry these;
 *   log       entries appended to a record's key, at a cost that does not grow;
 *   counters  64-bit sums by group and name.
 * All calls that can block take a deadline and end by it with CS_ETIMEOUT. */
#ifndef CS_STORE_STORE_H
#define CS_STORE_STORE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"

#define CS_STORE_KEY_MAX     512u           /* bytes of an object's key */
#define CS_RECORD_KEY_MAX    255u           /* bytes of a record's key */
#define CS_RECORD_BYTES_MAX  (350u * 1024u) /* summary and detail together */
#define CS_SUMMARY_BYTES_MAX 2048u          /* what a listing shows; mostly under 1 KiB */
#define CS_LIST_LIMIT_MAX    1000u
#define CS_LOG_ENTRY_MAX     (256u * 1024u)  /* bytes of one entry */
#define CS_LOG_APPEND_MAX    1000u           /* entries of one append */
#define CS_LOG_APPEND_BYTES  (2048u * 1024u) /* and their bytes together */
#define CS_LOG_PAGE_BYTES    (1024u * 1024u) /* a page ends once it has as many */

struct cs_store;

/* Every text borrowed from the store, valid as long as it lives. */
struct cs_store_names {
    struct cs_view kind; /* "local" or "aws" */
    struct cs_view bucket_name;
    struct cs_view bucket_region;
    struct cs_view table_name;
    struct cs_view table_region;
};

/* ---- records ---- */

/* Views are borrowed: from the caller when writing, from the box when reading. */
struct cs_record {
    struct cs_view key; /* 1 to CS_RECORD_KEY_MAX bytes; service records start with '#' */
    uint64_t revision;  /* of the stored record; 0 when it was never stored, and of one
                         * from the list of a user or a status: those need not tell it */
    struct cs_view user_id;    /* listed by user when not empty */
    struct cs_view status;     /* listed by status when not empty */
    struct cs_view created_at; /* RFC 3339 text: the order of both lists */
    int64_t expires_at_us; /* 0: never; the store lists it, and acts on it only where: */
    bool vanishes;         /* nothing hangs on the record, so that the store may drop it
                            * some time after it has expired */
    struct cs_view
        summary;           /* JSON object, at most CS_SUMMARY_BYTES_MAX; lists carry it */
    struct cs_view detail; /* JSON object; read by get alone */
    /* The store's note on where the log ended, of a record that it read or recalled;
     * handed back with a replace, which is refused (CS_ECONFLICT) when the log has
     * grown since. 0 where the store has none. */
    uint64_t log_mark;
    /* The store's own notes on a record that it read; handed back with a replace, empty
     * otherwise. They hold those members of detail that the store keeps apart. */
    struct cs_view extra;
    /* Of a record that was withdrawn (see cs_store_ops.withdraw): the user and the status
     * that it was listed by, and that its summary still tells. Empty otherwise. */
    struct cs_view withdrawn_user_id;
    struct cs_view withdrawn_status;
};

/* A record with the memory that it lives in. */
void cs_record_free(struct cs_record *record);

/* A copy in one allocation, for stores. NULL when out of memory. */
struct cs_record *cs_record_copy(const struct cs_record *record);

/* Which record is withdrawn, from whom, and how it is listed then. */
struct cs_withdrawal {
    struct cs_view key;
    struct cs_view user_id; /* it must be his, */
    bool anyones;           /* or any user's */
    struct cs_view status;  /* it gets */
    int64_t now_us;         /* it has not expired by then */
};

/* The record as it is after it was withdrawn, when it was `before`; its views are those
 * of `before` and `status`. */
struct cs_record cs_record_withdrawn(const struct cs_record *before,
                                     struct cs_view status);

enum cs_write_kind {
    CS_WRITE_CREATE,  /* the key must be free */
    CS_WRITE_REPLACE, /* the stored revision must be record->revision; it becomes one more
                       */
    CS_WRITE_DELETE,  /* the same condition; only key and revision are looked at */
    CS_WRITE_REPEATABLY /* a replace by a caller to whom CS_ECONFLICT may also be said
                         * when it has happened: he reads again and does the same once
                         * more */
};

struct cs_write {
    enum cs_write_kind kind;
    const struct cs_record *record;
};

struct cs_delta {
    struct cs_view group; /* "stats", "user/alice" */
    struct cs_view name;  /* "completed" */
    int64_t add;
};

/* Happens as a whole or not at all. */
struct cs_transaction {
    const struct cs_write *writes; /* each key at most once, at most 10 */
    size_t write_count;
    const struct cs_delta *deltas; /* at most 40 */
    size_t delta_count;
};

enum cs_list_index { CS_LIST_USER, CS_LIST_STATUS, CS_LIST_ALL };

struct cs_list_query {
    enum cs_list_index index;
    struct cs_view value;  /* the user_id or status; empty for CS_LIST_ALL */
    struct cs_view cursor; /* next_cursor of the page before, or empty */
    size_t limit;          /* 1 to CS_LIST_LIMIT_MAX */
};

/* Newest first (by created_at, then key); CS_LIST_ALL in any stable order, with
 * the records that no index shows. Records come without detail except for
 * CS_LIST_ALL. A page may be shorter than asked for, even empty, and still have
 * a next_cursor: follow it until it is NULL. */
struct cs_record_page {
    struct cs_record **records;
    size_t count;
    char *next_cursor; /* NULL on the last page */
};
void cs_record_page_clear(struct cs_record_page *page);

/* ---- log ---- */

struct cs_log_page {
    struct cs_buf json; /* the entries as a JSON array */
    size_t count;
    char *last_position; /* of the last entry, or NULL when count is 0 */
    bool more;
};
void cs_log_page_clear(struct cs_log_page *page);

/* name is valid during the callback. */
typedef void cs_leftover_fn(void *payload, struct cs_view name, bool removed);

/* ---- what is remembered ---- */

/* A record, and perhaps its whole log, as they were at some time. */
struct cs_recall {
    struct cs_record *record; /* with its log_mark */
    bool whole;               /* the log is remembered, too */
    struct cs_buf log;        /* the entries as a JSON array */
    size_t log_count;
};
void cs_recall_clear(struct cs_recall *recall);

/* ---- counters ---- */

struct cs_counter {
    char *name;
    int64_t value;
};
struct cs_counters {
    struct cs_counter *items;
    size_t count;
};
int64_t cs_counters_get(const struct cs_counters *counters,
                        const char *name); /* 0 if absent */
void cs_counters_clear(struct cs_counters *counters);

#define CS_RECOUNT_DELTAS 40u

/* What a recount asks of the domain: the deltas that one record stands for.
 * deltas_out has room for CS_RECOUNT_DELTAS; returns how many. The record has
 * its detail. The views of the deltas may point into the record or to constants. */
typedef size_t cs_recount_fn(void *payload, const struct cs_record *record,
                             struct cs_delta *deltas_out);

/* ---- objects ---- */

/* What a record keeps of an object, enough to find and check it for ever. */
struct cs_object {
    char *bucket; /* "" where the store has none */
    char *key;
    char *version; /* "" where the store has none */
    uint64_t size;
    char sha256[CS_SHA256_HEX_LEN + 1];
};
void cs_object_clear(struct cs_object *object);

/* How an object is to be served. Views; empty where it does not matter. */
struct cs_object_info {
    struct cs_view key;
    struct cs_view content_type;
    struct cs_view cache_control;
    struct cs_view file_name; /* for Content-Disposition */
    bool saved;               /* by a browser, rather than shown */
    bool compressible;        /* the store may keep it gzip-compressed, invisibly */
};

/* Bytes that are all there: in memory, or in a file from offset 0. */
struct cs_object_source {
    struct cs_object_info info;
    struct cs_view bytes; /* used when fd is -1 */
    int fd;               /* borrowed, readable by pread(2); -1 for `bytes` */
    uint64_t size;        /* of the file; ignored for `bytes` */
};

struct cs_object_writer; /* a put whose bytes come piece by piece */
struct cs_object_reader;

struct cs_byte_range { /* both inclusive, as in RFC 9110 section 14.1.2 */
    uint64_t first;
    uint64_t last;
};

struct cs_object_name {
    struct cs_view key;
    struct cs_view version; /* empty: the newest */
};
#define CS_FETCH_MAX 8u /* objects fetched at once */

struct cs_object_entry { /* of a listing; views valid during the callback */
    struct cs_view key;
    struct cs_view version;
    uint64_t size;
    int64_t modified_us;
};
/* Returns false to stop. */
typedef bool cs_object_entry_fn(void *payload, const struct cs_object_entry *entry);

struct cs_delete_report {
    uint64_t objects_deleted;  /* keys */
    uint64_t versions_deleted; /* versions, markers and unfinished puts included */
    uint64_t bytes_deleted;    /* 0 where the store can't tell */
    uint64_t left;             /* what a second listing still found */
};

/* What remote services were asked, since the process or its pool began. */
struct cs_store_usage {
    uint64_t object_calls; /* each with its retries */
    uint64_t record_calls;
    uint64_t retries;
    uint64_t throttled;           /* answers that said so */
    uint64_t failures;            /* calls */
    uint64_t capacity_milliunits; /* thousandths of what records are paid by */
};

struct cs_store_health {
    bool objects_ok;
    bool records_ok;
    char objects_text[160]; /* why not, or "" */
    char records_text[160];
    int64_t clock_offset_us; /* how far its clock is ahead of ours, where that is more
                              * than a minute; else 0 */
};

/* ---- the interface itself ---- */

struct cs_store_ops {
    void (*free)(struct cs_store *store);
    const struct cs_store_names *(*names)(const struct cs_store *store);

    /* Makes what is missing (folders, database; bucket, table, indexes); says
     * what it did, one line each, in `report`. Safe to run by many at once. */
    enum cs_code (*init)(struct cs_store *store, struct cs_buf *report,
                         struct cs_deadline deadline, struct cs_err *err);
    void (*health)(struct cs_store *store, struct cs_store_health *out,
                   struct cs_deadline deadline);

    /* Asks nobody. May be missing where there are no remote services. */
    void (*usage)(const struct cs_store *store, struct cs_store_usage *out);

    /* CS_ENOTFOUND. *out is freed by cs_record_free(). Sees every commit that
     * was acknowledged before (consistent read). */
    enum cs_code (*get)(struct cs_store *store, struct cs_view key,
                        struct cs_record **out, struct cs_deadline deadline,
                        struct cs_err *err);
    /* What the store remembers of a record, without asking anybody: perhaps stale, so
     * good for nothing but a commit with this very record (changed) as its ground,
     * which fails with CS_ECONFLICT where it was stale. CS_ENOTFOUND when nothing is
     * remembered; a store that reads as quickly remembers nothing. */
    enum cs_code (*recall)(struct cs_store *store, struct cs_view key,
                           struct cs_recall *out, struct cs_err *err);
    /* CS_EEXISTS for a create whose key is taken, CS_ECONFLICT for a revision
     * that is not the stored one (a missing record too); durable when CS_OK. */
    enum cs_code (*commit)(struct cs_store *store,
                           const struct cs_transaction *transaction,
                           struct cs_deadline deadline, struct cs_err *err);
    /* Takes a record out of the list of its user, in one call that needs no look at it:
     * *out is the record as it was, with its detail, and cs_record_withdrawn() what it is
     * now. No counter moves. CS_ECONFLICT where it is not as `withdrawal` asks, or there
     * is none, or the store can't do it this way: nothing has changed, unless the same
     * was done before; reading it tells. May be missing where a look costs nothing. */
    enum cs_code (*withdraw)(struct cs_store *store,
                             const struct cs_withdrawal *withdrawal,
                             struct cs_record **out, struct cs_deadline deadline,
                             struct cs_err *err);
    /* CS_EINVAL (field "cursor") for a cursor that is not one of this query's. */
    enum cs_code (*list)(struct cs_store *store, const struct cs_list_query *query,
                         struct cs_record_page *out, struct cs_deadline deadline,
                         struct cs_err *err);

    /* Appends `count` entries (JSON texts), all or none. A dedupe text that was
     * used on this key before makes the call a success that changes nothing.
     * CS_ENOTFOUND when there is no record under the key. */
    enum cs_code (*log_append)(struct cs_store *store, struct cs_view key,
                               const struct cs_view *entries, size_t count,
                               struct cs_view dedupe, struct cs_deadline deadline,
                               struct cs_err *err);
    /* Oldest first, behind position `after` (empty: from the start). Positions
     * are of one width and sort as the entries do. At most CS_LIST_LIMIT_MAX;
     * a page may be shorter than asked for when its entries are large: `more`
     * says whether to go on. CS_EINVAL (field "after") for what is no position. */
    enum cs_code (*log_read)(struct cs_store *store, struct cs_view key,
                             struct cs_view after, size_t limit, struct cs_log_page *out,
                             struct cs_deadline deadline, struct cs_err *err);
    enum cs_code (*log_delete)(struct cs_store *store, struct cs_view key,
                               uint64_t *deleted_out, struct cs_deadline deadline,
                               struct cs_err *err);

    /* A commit that deletes one record, with its log: `transaction` has one
     * CS_WRITE_DELETE, and the counters that move as the record goes. *deleted_out
     * entries, or as many parts as they were appended in, where counting them would take
     * a read. Where it fails, some of the log may be gone. */
    enum cs_code (*erase)(struct cs_store *store,
                          const struct cs_transaction *transaction, uint64_t *deleted_out,
                          struct cs_deadline deadline, struct cs_err *err);

    /* What the store still keeps of logs whose record is gone: told by the store's own
     * names, and removed where `repair`. */
    enum cs_code (*leftovers)(struct cs_store *store, bool repair, cs_leftover_fn *tell,
                              void *payload, struct cs_deadline deadline,
                              struct cs_err *err);

    enum cs_code (*counters)(struct cs_store *store, struct cs_view group,
                             struct cs_counters *out, struct cs_deadline deadline,
                             struct cs_err *err);
    /* Sets all counters anew from all records. */
    enum cs_code (*recount)(struct cs_store *store, cs_recount_fn *deltas_of,
                            void *payload, struct cs_deadline deadline,
                            struct cs_err *err);

    /* Stores all sources, in parallel where that helps; outs[i] belongs to
     * sources[i] and is cleared by the caller. On failure no out is set, and
     * objects may be left over, which no record names. */
    enum cs_code (*put)(struct cs_store *store, const struct cs_object_source *sources,
                        size_t count, struct cs_object *outs, struct cs_deadline deadline,
                        struct cs_err *err);

    /* A put in pieces. size is the announced size, UINT64_MAX when unknown.
     * Ends with commit or abort, which both free the writer; nothing can be
     * read under the key before commit returned CS_OK. */
    enum cs_code (*put_begin)(struct cs_store *store, const struct cs_object_info *info,
                              uint64_t size, struct cs_object_writer **out,
                              struct cs_deadline deadline, struct cs_err *err);
    enum cs_code (*put_add)(struct cs_store *store, struct cs_object_writer *writer,
                            struct cs_view bytes, struct cs_err *err);
    enum cs_code (*put_commit)(struct cs_store *store, struct cs_object_writer *writer,
                               struct cs_object *out, struct cs_err *err);
    void (*put_abort)(struct cs_store *store, struct cs_object_writer *writer);

    /* version empty: the newest. range NULL: all of it; CS_ERANGE outside of
     * it. *size_out is the size of the whole object. Freed by close. */
    enum cs_code (*open)(struct cs_store *store, struct cs_view key,
                         struct cs_view version, const struct cs_byte_range *range,
                         struct cs_object_reader **out, uint64_t *size_out,
                         struct cs_deadline deadline, struct cs_err *err);
    /* *got_out is 0 at the end and never before. */
    enum cs_code (*read)(struct cs_store *store, struct cs_object_reader *reader,
                         char *to, size_t room, size_t *got_out, struct cs_err *err);
    void (*close)(struct cs_store *store, struct cs_object_reader *reader);

    /* All bytes of some objects, at most CS_FETCH_MAX, side by side where that helps:
     * appended to outs[i], within its ceiling. */
    enum cs_code (*fetch)(struct cs_store *store, const struct cs_object_name *names,
                          size_t count, struct cs_buf *outs, struct cs_deadline deadline,
                          struct cs_err *err);

    /* Where clients can fetch it without us: a presigned URL for at most
     * ttl_s, its true end in *expires_us_out. The answer to it has the content_type,
     * and proposes the file_name, that info names. CS_EUNSUPPORTED where the store
     * has no such thing. */
    enum cs_code (*url)(struct cs_store *store, const struct cs_object_info *info,
                        struct cs_view version, int64_t ttl_s, struct cs_buf *out,
                        int64_t *expires_us_out, struct cs_err *err);
    /* The store of the objects in `bucket`, as a record names it, where that is not the
     * one that is configured now: with the same credentials and endpoints, for objects
     * alone; borrowed, for as long as `store`. NULL with err set. May be missing where
     * there are no buckets; see cs_store_in_bucket(). */
    struct cs_store *(*in_bucket)(struct cs_store *store, struct cs_view bucket,
                                  struct cs_err *err);

    /* The file's path below the store's object folder, percent-encoded, for
     * X-Accel-Redirect and X-Sendfile. It is a plain file, reached without a link.
     * CS_EUNSUPPORTED where objects are no files. */
    enum cs_code (*file_path)(struct cs_store *store, const struct cs_object *object,
                              struct cs_buf *out, struct cs_err *err);

    /* Every version of every object whose key starts with prefix ("" for all);
     * the versions of one key follow each other, oldest first. The callback may
     * delete what it is shown. */
    enum cs_code (*each_object)(struct cs_store *store, struct cs_view prefix,
                                cs_object_entry_fn *callback, void *payload,
                                struct cs_deadline deadline, struct cs_err *err);
    /* One version; a missing one is CS_OK. */
    enum cs_code (*delete_version)(struct cs_store *store, struct cs_view key,
                                   struct cs_view version, struct cs_deadline deadline,
                                   struct cs_err *err);
    /* All versions, markers and unfinished puts under the prefix, which must
     * end in '/' (CS_EINVAL), then lists again; out->left is what that found. */
    enum cs_code (*delete_prefix)(struct cs_store *store, struct cs_view prefix,
                                  struct cs_delete_report *out,
                                  struct cs_deadline deadline, struct cs_err *err);
    /* The same of a folder whose versions the caller knows, to which a list can be
     * spared: `known` go first, and when the list that follows shows nothing, that is
     * all. known (not NULL) lies below prefix; what of it was gone before is counted,
     * too. Fails or finds more: goes on as delete_prefix does. */
    enum cs_code (*delete_folder)(struct cs_store *store, struct cs_view prefix,
                                  const struct cs_object_entry *known, size_t count,
                                  struct cs_delete_report *out,
                                  struct cs_deadline deadline, struct cs_err *err);
};

struct cs_store { /* first member of each store's own struct */
    const struct cs_store_ops *ops;
};

/* Where an object of that bucket is: mostly `store` itself. Bucket "" is the store's own.
 * NULL with err set. */
struct cs_store *cs_store_in_bucket(struct cs_store *store, struct cs_view bucket,
                                    struct cs_err *err);

/* A fetch for stores where nothing is gained side by side: by open, read and close. */
enum cs_code cs_store_fetch_each(struct cs_store *store,
                                 const struct cs_object_name *names, size_t count,
                                 struct cs_buf *outs, struct cs_deadline deadline,
                                 struct cs_err *err);

#endif
