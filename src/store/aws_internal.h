/* store/aws_internal.h: what the files of the AWS store share; private to
 * store/store_aws.c and store/aws_*.c. */
#ifndef CS_STORE_AWS_INTERNAL_H
#define CS_STORE_AWS_INTERNAL_H

#include "aws/dynamodb.h"
#include "aws/s3.h"
#include "aws/settings.h"
#include "store/aws_meter.h"
#include "store/aws_packing.h"
#include "store/aws_same.h"
#include "store/check.h"
#include "store/recent.h"
#include "store/store_aws.h"

#define CS_AWS_BODY_MAX          (6u << 20) /* a transaction is at most 4 MiB, before escapes */
#define CS_AWS_SHARDS_MAX        64u
#define CS_AWS_STATUS_SHARDS_MAX 32u
#define CS_AWS_INTERNAL          "#store/" /* keys of items that are no records */

#define CS_AWS_VANISHES "vanishes_at" /* attribute that DynamoDB drops items by (TTL) */

/* attributes of a record that was withdrawn: what user_id and status were */
#define CS_AWS_WITHDRAWN_USER   "withdrawn_user_id"
#define CS_AWS_WITHDRAWN_STATUS "withdrawn_status"

#define CS_AWS_USER_INDEX   "user_campaigns_index"
#define CS_AWS_STATUS_INDEX "status_created_index"

/* What reading an item takes memory for; one serves for any number of them. */
struct cs_aws_item_texts {
    struct cs_buf decoded; /* attributes with escapes; room for all of an item */
    struct cs_buf summary; /* with its first members */
    struct cs_buf detail;  /* that was kept compressed */
    struct cs_aws_unpacking unpacking;
};

#define CS_AWS_ITEM_TEXTS_INIT                                        \
    {                                                                 \
        CS_BUF_INIT(SIZE_MAX / 2), CS_BUF_INIT(CS_AWS_ITEM_TEXT_MAX), \
            CS_BUF_INIT(CS_AWS_ITEM_TEXT_MAX), CS_AWS_UNPACKING_INIT  \
    }

#define CS_AWS_OTHERS_MAX 8u

struct cs_aws_store {
    struct cs_store base;
    struct cs_store_names names;
    char *bucket, *table, *bucket_region, *table_region;
    struct cs_store_aws_options options;
    struct cs_aws_settings *settings; /* the options' and the profile's */
    bool shares_settings;             /* they are somebody else's to free */
    size_t counter_shards;
    size_t status_shards;
    size_t attempts;        /* of a call, the first one included */
    bool shards_noted;      /* the table knows them */
    size_t shards_read;     /* what the table knew; 0: not asked yet */
    int64_t shards_read_us; /* when, monotonic */
    bool gzip;              /* objects that are compressible are kept compressed */
    bool create_missing;    /* bucket, table and indexes, at first need */
    /* made at the first call */
    struct cs_net_client *net;
    struct cs_aws_credentials *credentials;
    struct cs_aws *aws;
    struct cs_s3 *s3;
    struct cs_dynamodb *db;
    struct cs_buf body; /* of the DynamoDB request being written */
    struct cs_aws_item_texts texts;
    struct cs_aws_same same;
    struct cs_store_aws_meter *meter; /* its own, or one that is shared */
    struct cs_store_aws_meter own_meter;
    struct cs_recent *recent;
    bool shares_recent;                         /* it is somebody else's to free */
    struct cs_store *others[CS_AWS_OTHERS_MAX]; /* of buckets that old records name */
    size_t other_count;
};

struct cs_aws_store *cs_aws_store_of(struct cs_store *store);

/* Makes client and services where they are not there yet. */
enum cs_code cs_aws_store_open(struct cs_aws_store *store,
                               struct cs_err *err) CS_MUST_USE;

/* Table and bucket (without its tags) as they are to be. */
struct cs_dynamodb_table cs_aws_store_table(const struct cs_aws_store *store);
struct cs_s3_bucket_settings cs_aws_store_bucket(const struct cs_aws_store *store);
/* Whether S3_BUCKET_TAGS can be read. */
enum cs_code cs_aws_store_check_tags(const struct cs_aws_store *store,
                                     struct cs_err *err) CS_MUST_USE;

/* "arn:aws:s3:::bucket" or "arn:aws:dynamodb:region:account:table/name", appended. */
void cs_aws_store_add_arn(struct cs_buf *out, const struct cs_aws_store *store,
                          enum cs_aws_service service, const char *account);

/* Value of a setting, NULL when it is not set or empty. */
const char *cs_aws_store_setting(const struct cs_aws_store *store, const char *name);
bool cs_aws_store_flag(const struct cs_aws_store *store, const char *name, bool fallback);

/* Sends store->body; see cs_dynamodb_call(). */
enum cs_code cs_aws_store_call(struct cs_aws_store *store, const char *operation,
                               struct cs_json **out, struct cs_deadline deadline,
                               struct cs_err *err) CS_MUST_USE;

/* Starts store->body anew: "{" and TableName, with consumed capacity asked for. */
void cs_aws_store_begin(struct cs_aws_store *store, struct cs_json_writer *w,
                        bool with_table);

/* The text of a key that was put together; empty when memory lacked for it. */
struct cs_view cs_aws_key_view(const struct cs_buf *key);

/* "Key":{"campaign_id":{"S":key}}; an empty key makes the whole request fail. */
void cs_aws_store_add_key(struct cs_json_writer *w, struct cs_view key);

/* {"campaign_id":{"S":key}} as a text of its own. */
enum cs_code cs_aws_store_key_text(struct cs_buf *out, struct cs_view key,
                                   struct cs_err *err) CS_MUST_USE;

/* A random token, as text, that makes a repeated transaction happen once. */
enum cs_code cs_aws_store_add_token(struct cs_json_writer *w,
                                    struct cs_err *err) CS_MUST_USE;

/* Whether the last call was refused because the condition of its nth write failed. */
bool cs_aws_store_condition_failed(const struct cs_aws_store *store, size_t index);

/* Was it a transaction that lost against another, or against throttling? */
bool cs_aws_store_lost_race(const struct cs_aws_store *store);

/* ---- what may be missing (aws_setup.c) ---- */

/* As cs_aws_store_call(). Where there is no table, it is made and the call repeated
 * once; CS_EUPSTREAM where that is not allowed, CS_EBUSY when it takes too long. */
enum cs_code cs_aws_store_write(struct cs_aws_store *store, const char *operation,
                                struct cs_deadline deadline,
                                struct cs_err *err) CS_MUST_USE;

/* The same for reading: a missing index is made, a missing table is no failure but
 * *out NULL, as one that is to be made at the first write holds nothing. */
enum cs_code cs_aws_store_fetch(struct cs_aws_store *store, const char *operation,
                                struct cs_json **out, struct cs_deadline deadline,
                                struct cs_err *err) CS_MUST_USE;

/* The same, for an answer that cs_dynamodb_answer_bytes() has then, or
 * cs_dynamodb_answer(); *absent_out where the table is not there to answer. */
enum cs_code cs_aws_store_ask(struct cs_aws_store *store, const char *operation,
                              bool *absent_out, struct cs_deadline deadline,
                              struct cs_err *err) CS_MUST_USE;

/* The same, as text: see cs_dynamodb_answer(). */
enum cs_code cs_aws_store_fetch_text(struct cs_aws_store *store, const char *operation,
                                     struct cs_view *out, struct cs_deadline deadline,
                                     struct cs_err *err) CS_MUST_USE;

/* The same over cs_dynamodb_batch_get(). */
enum cs_code cs_aws_store_fetch_many(struct cs_aws_store *store,
                                     const struct cs_view *keys, size_t count,
                                     cs_dynamodb_item_fn *callback, void *payload,
                                     struct cs_deadline deadline,
                                     struct cs_err *err) CS_MUST_USE;

enum cs_code cs_aws_store_make_bucket(struct cs_aws_store *store,
                                      struct cs_deadline deadline,
                                      struct cs_err *err) CS_MUST_USE;
bool cs_aws_store_lacks_bucket(const struct cs_err *err);

/* ---- items (aws_items.c) ---- */

/* "Item":{...} of a record, with the given revision. The store is open. */
enum cs_code cs_aws_item_write(const struct cs_aws_store *store, struct cs_json_writer *w,
                               const struct cs_record *record, uint64_t revision,
                               struct cs_err *err) CS_MUST_USE;

/* A record from an item. *out is freed by cs_record_free(). */
enum cs_code cs_aws_item_read(struct cs_record **out, const struct cs_json *item,
                              struct cs_err *err) CS_MUST_USE;

void cs_aws_item_texts_clear(struct cs_aws_item_texts *texts);
/* Between requests: keeps the memory unless it is much. */
void cs_aws_item_texts_rest(struct cs_aws_item_texts *texts);

/* The same of the item that *rest stands at in a valid text (json/scan.h), which is
 * walked through; without a tree where this store wrote it. *out is NULL for an item that
 * is no record. */
enum cs_code cs_aws_item_walk(struct cs_record **out, struct cs_view *rest,
                              struct cs_aws_item_texts *texts,
                              struct cs_err *err) CS_MUST_USE;

bool cs_aws_item_is_internal(struct cs_view key);

/* Lets DynamoDB drop the item, a day or more after it has expired. */
void cs_aws_item_vanishes(struct cs_json_writer *w, int64_t expires_at_us);

/* ---- their summaries (aws_summary.c) ---- */

/* What a summary tells of its record: of a withdrawn one, what it was before. */
struct cs_view cs_aws_summary_user_id(const struct cs_record *record);
struct cs_view cs_aws_summary_status(const struct cs_record *record);

/* The attribute `summary`. */
enum cs_code cs_aws_summary_write(struct cs_json_writer *w,
                                  const struct cs_record *record,
                                  struct cs_err *err) CS_MUST_USE;
/* The summary as it was before that; in `out`, where something of it was left out. */
struct cs_view cs_aws_summary_whole(struct cs_buf *out, const struct cs_record *record);

/* ---- where objects are, for other readers (aws_links.c) ---- */

/* A bit for each attribute that tells the address of an artifact; 0: it is none. */
unsigned cs_aws_link_of(struct cs_view attribute);
/* The bits of those that are this store's own, not another program's, in an item with
 * this detail (valid JSON). */
unsigned cs_aws_links_of(struct cs_view detail);

/* These attributes, of a record that lists show. */
enum cs_code cs_aws_links_write(const struct cs_aws_store *store,
                                struct cs_json_writer *w, const struct cs_record *record,
                                struct cs_err *err) CS_MUST_USE;

/* Appends ", s3_website_url, ..." with all of them. */
void cs_aws_links_list(struct cs_buf *out);

/* ---- keys of the status index (aws_shards.c) ---- */

/* Appends the attribute `status` of the record under `key`. */
enum cs_code cs_aws_status_of(const struct cs_aws_store *store, struct cs_buf *out,
                              struct cs_view key, struct cs_view status,
                              struct cs_err *err) CS_MUST_USE;

/* The attribute `status` of a record that has one. */
enum cs_code cs_aws_status_write(const struct cs_aws_store *store,
                                 struct cs_json_writer *w, const struct cs_record *record,
                                 struct cs_err *err) CS_MUST_USE;

/* Appends "completed#3". */
void cs_aws_status_key(struct cs_buf *out, struct cs_view status, size_t shard);
size_t cs_aws_status_shard_of(struct cs_view key, size_t shards);
/* "completed" of "completed#3". */
struct cs_view cs_aws_status_plain(struct cs_view status);

/* Lets the table know how many there are; before the first write that uses them. */
enum cs_code cs_aws_status_note(struct cs_aws_store *store, struct cs_deadline deadline,
                                struct cs_err *err) CS_MUST_USE;
/* How many keys a list must look at, beside the plain one when it is more than 1. */
enum cs_code cs_aws_status_shards(struct cs_aws_store *store, size_t *out,
                                  struct cs_deadline deadline,
                                  struct cs_err *err) CS_MUST_USE;

/* ---- logs (aws_log.c, aws_log_read.c) ---- */

#define CS_AWS_LOG_END      "log_end" /* attribute of a record: its log's mark */
#define CS_AWS_LOG_HEAD     CS_AWS_INTERNAL "log/"
#define CS_AWS_LOG_PIECE    CS_AWS_INTERNAL "log-"
#define CS_AWS_LOG_USED     CS_AWS_INTERNAL "used-"
#define CS_AWS_LOG_OF       "of" /* of a piece: created_at of the campaign that it is of */
#define CS_AWS_LOG_NO_OWNER "-"  /* of one without created_at */
#define CS_AWS_LOG_TOKEN    "token"
#define CS_AWS_LOG_KEY_MAX  2048u

/* A log's mark: the number of its next piece, made different from 0, and whether it is
 * plain: without texts for dedupe, that is known to consist of its pieces alone. */
#define CS_AWS_LOG_MARK(next, plain) (((uint64_t)(next) + 1) << 1 | ((plain) ? 1 : 0))
#define CS_AWS_LOG_NEXT(mark)        (((mark) >> 1) - 1)
#define CS_AWS_LOG_PLAIN(mark)       (((mark)&1) != 0)
/* Of a log that was never written to: its record has no such attribute. */
#define CS_AWS_LOG_EMPTY CS_AWS_LOG_MARK(0, true)

struct cs_aws_log_end {
    bool found;    /* there is such a record */
    bool noted;    /* its item says where the log ends */
    uint64_t mark; /* not 0 */
    struct cs_buf created_at;
};

#define CS_AWS_LOG_END_NONE \
    ((struct cs_aws_log_end){.mark = CS_AWS_LOG_EMPTY, .created_at = CS_BUF_INIT(1024)})

/* Asks the table. *out goes to cs_aws_log_end_clear(). */
enum cs_code cs_aws_log_find_end(struct cs_aws_store *store, struct cs_view key,
                                 struct cs_aws_log_end *out, struct cs_deadline deadline,
                                 struct cs_err *err) CS_MUST_USE;
void cs_aws_log_end_clear(struct cs_aws_log_end *end);
/* What tells the pieces of this campaign from those of another of that name. */
struct cs_view cs_aws_log_owner(const struct cs_aws_log_end *end);

/* In place of what out held. */
void cs_aws_log_head_key(struct cs_buf *out, struct cs_view key);
void cs_aws_log_piece_key(struct cs_buf *out, struct cs_view key, uint64_t piece);

/* Whether a transaction can delete the log that has this mark, beside other actions. */
bool cs_aws_log_is_short(uint64_t mark, size_t others);
/* Its Delete actions. */
enum cs_code cs_aws_log_erase(struct cs_aws_store *store, struct cs_json_writer *w,
                              struct cs_view key, uint64_t mark,
                              struct cs_err *err) CS_MUST_USE;

/* All that there is of a log but what the record says of it. */
enum cs_code cs_aws_log_delete_pieces(struct cs_aws_store *store, struct cs_view key,
                                      const struct cs_aws_log_end *end,
                                      uint64_t *deleted_out, struct cs_deadline deadline,
                                      struct cs_err *err) CS_MUST_USE;

/* ---- the interface, by file ---- */

enum cs_code cs_aws_store_init(struct cs_store *base, struct cs_buf *report,
                               struct cs_deadline deadline, struct cs_err *err);
void cs_aws_store_health(struct cs_store *base, struct cs_store_health *out,
                         struct cs_deadline deadline);

enum cs_code cs_aws_store_get(struct cs_store *base, struct cs_view key,
                              struct cs_record **out, struct cs_deadline deadline,
                              struct cs_err *err);
enum cs_code cs_aws_store_recall(struct cs_store *base, struct cs_view key,
                                 struct cs_recall *out, struct cs_err *err);
enum cs_code cs_aws_store_commit(struct cs_store *base,
                                 const struct cs_transaction *transaction,
                                 struct cs_deadline deadline, struct cs_err *err);
enum cs_code cs_aws_store_withdraw(struct cs_store *base,
                                   const struct cs_withdrawal *withdrawal,
                                   struct cs_record **out, struct cs_deadline deadline,
                                   struct cs_err *err);
enum cs_code cs_aws_store_list(struct cs_store *base, const struct cs_list_query *query,
                               struct cs_record_page *out, struct cs_deadline deadline,
                               struct cs_err *err);
enum cs_code cs_aws_store_log_append(struct cs_store *base, struct cs_view key,
                                     const struct cs_view *entries, size_t count,
                                     struct cs_view dedupe, struct cs_deadline deadline,
                                     struct cs_err *err);
enum cs_code cs_aws_store_log_read(struct cs_store *base, struct cs_view key,
                                   struct cs_view after, size_t limit,
                                   struct cs_log_page *out, struct cs_deadline deadline,
                                   struct cs_err *err);
enum cs_code cs_aws_store_log_delete(struct cs_store *base, struct cs_view key,
                                     uint64_t *deleted_out, struct cs_deadline deadline,
                                     struct cs_err *err);
enum cs_code cs_aws_store_leftovers(struct cs_store *base, bool repair,
                                    cs_leftover_fn *tell, void *payload,
                                    struct cs_deadline deadline, struct cs_err *err);
enum cs_code cs_aws_store_erase(struct cs_store *base,
                                const struct cs_transaction *transaction,
                                uint64_t *deleted_out, struct cs_deadline deadline,
                                struct cs_err *err);
enum cs_code cs_aws_store_counters(struct cs_store *base, struct cs_view group,
                                   struct cs_counters *out, struct cs_deadline deadline,
                                   struct cs_err *err);
enum cs_code cs_aws_store_recount(struct cs_store *base, cs_recount_fn *deltas_of,
                                  void *payload, struct cs_deadline deadline,
                                  struct cs_err *err);
#define CS_AWS_COUNTERS       CS_AWS_INTERNAL "counters/"
#define CS_AWS_COUNTER_PREFIX "n_" /* of a counter's attribute */
/* Key of a shard of a group's counters, in place of what out held. */
void cs_aws_counters_key(struct cs_buf *out, size_t shard, struct cs_view group);
/* The transaction's updates of counters; *count_out items were written. */
enum cs_code cs_aws_counters_write(struct cs_aws_store *store, struct cs_json_writer *w,
                                   const struct cs_delta *deltas, size_t count,
                                   struct cs_err *err) CS_MUST_USE;

enum cs_code cs_aws_store_put(struct cs_store *base,
                              const struct cs_object_source *sources, size_t count,
                              struct cs_object *outs, struct cs_deadline deadline,
                              struct cs_err *err);
enum cs_code cs_aws_store_put_begin(struct cs_store *base,
                                    const struct cs_object_info *info, uint64_t size,
                                    struct cs_object_writer **out,
                                    struct cs_deadline deadline, struct cs_err *err);
enum cs_code cs_aws_store_put_add(struct cs_store *base, struct cs_object_writer *writer,
                                  struct cs_view bytes, struct cs_err *err);
enum cs_code cs_aws_store_put_commit(struct cs_store *base,
                                     struct cs_object_writer *writer,
                                     struct cs_object *out, struct cs_err *err);
void cs_aws_store_put_abort(struct cs_store *base, struct cs_object_writer *writer);
enum cs_code cs_aws_store_open_object(struct cs_store *base, struct cs_view key,
                                      struct cs_view version,
                                      const struct cs_byte_range *range,
                                      struct cs_object_reader **out, uint64_t *size_out,
                                      struct cs_deadline deadline, struct cs_err *err);
enum cs_code cs_aws_store_read(struct cs_store *base, struct cs_object_reader *reader,
                               char *to, size_t room, size_t *got_out,
                               struct cs_err *err);
void cs_aws_store_close(struct cs_store *base, struct cs_object_reader *reader);
enum cs_code cs_aws_store_fetch_objects(struct cs_store *base,
                                        const struct cs_object_name *names, size_t count,
                                        struct cs_buf *outs, struct cs_deadline deadline,
                                        struct cs_err *err);
enum cs_code cs_aws_store_url(struct cs_store *base, const struct cs_object_info *info,
                              struct cs_view version, int64_t ttl_s, struct cs_buf *out,
                              int64_t *expires_us_out, struct cs_err *err);
enum cs_code cs_aws_store_each_object(struct cs_store *base, struct cs_view prefix,
                                      cs_object_entry_fn *callback, void *payload,
                                      struct cs_deadline deadline, struct cs_err *err);
enum cs_code cs_aws_store_delete_version(struct cs_store *base, struct cs_view key,
                                         struct cs_view version,
                                         struct cs_deadline deadline, struct cs_err *err);
enum cs_code cs_aws_store_delete_prefix(struct cs_store *base, struct cs_view prefix,
                                        struct cs_delete_report *out,
                                        struct cs_deadline deadline, struct cs_err *err);
enum cs_code cs_aws_store_delete_folder(struct cs_store *base, struct cs_view prefix,
                                        const struct cs_object_entry *known,
                                        size_t known_count, struct cs_delete_report *out,
                                        struct cs_deadline deadline, struct cs_err *err);

#endif
