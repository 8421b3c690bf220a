/* store/store_aws.h: the store on AWS: objects in one S3 bucket, records, log and
 * counters in one DynamoDB table.
 *
 * The table's key is campaign_id. Items:
 *   <key>                      a record: user_id, status, created_at only when it
 *                              has them (so that the indexes show just those),
 *                              revision, expires_at_us, `summary` and `detail` as
 *                              exact JSON text (what is long compressed, gzip);
 *                              `log_end`, the numbers that its log gave away; and
 *                              for other readers of the table, as attributes of
 *                              their own names, the plain members of the summary
 *                              and the addresses of its objects (s3_website_url, ...)
 *                              A record that the store may drop has vanishes_at,
 *                              the seconds by which DynamoDB's TTL does
 *   #store/log-<n>/<key>       a piece of its log: the entries of one append
 *   #store/log/<key>           of logs that older versions began: `next` piece
 *   #store/used-<hash>/<key>   a dedupe text that was used on the key
 *   #store/counters/<n>/<group> shard n of a group of counters
 *   #store/status-shards       the most keys that a status was ever spread over
 * Where statuses are spread, the attribute `status` is "completed#3".
 * An item without `summary` was written by another program: its attributes are read
 * as summary and detail. They stay attributes, of their own types, when it is written
 * again, as long as nothing changed them; so do attributes that others add to ours. */
#ifndef CS_STORE_STORE_AWS_H
#define CS_STORE_STORE_AWS_H

#include "base/log.h"
#include "store/store.h"

/* Value of a setting by name, environment over .env; NULL or "" when not set. */
typedef const char *cs_store_aws_setting_fn(const void *payload, const char *name);

struct cs_store_aws_options {
    const char *bucket_name; /* texts are copied */
    const char *table_name;
    /* Asked for S3_BUCKET_REGION, DYNAMODB_REGION, S3_PUBLIC_ENDPOINT_URL, S3_PATH_STYLE,
     * S3_CHECKSUM (auto, sha256, md5, none), S3_PAYLOAD (signed, chunked, unsigned),
     * S3_KMS_KEY_ID, AWS_PROXY, DYNAMODB_COUNTER_SHARDS, DYNAMODB_STATUS_SHARDS,
     * AWS_CREATE_MISSING (not set: true), S3_VERSIONING (not set: true), S3_BUCKET_TAGS,
     * S3_GZIP, and whatever aws/settings.h and aws/credentials.h ask for. */
    cs_store_aws_setting_fn *setting;
    const void *payload;
    struct cs_log *log; /* borrowed; may be NULL */
};

/* Connects nowhere yet: everything of the network is made at the first call, in the
 * process that makes it. The profile is read now. NULL with err set for a missing region,
 * a malformed name or setting, and no memory. */
struct cs_store *cs_store_aws_new(const struct cs_store_aws_options *options,
                                  struct cs_err *err);

/* Where what is asked of AWS is counted: memory that processes share which were forked
 * after it was made. NULL: out of memory. */
struct cs_store_aws_meter *cs_store_aws_meter_new(void);
void cs_store_aws_meter_free(struct cs_store_aws_meter *meter);

/* Lets `base`, one of cs_store_aws_new(), remember and count in memory that it shares
 * with others; borrowed, each may be NULL. Without it each does so by itself. To be said
 * before the first call. */
struct cs_recent;
void cs_store_aws_share(struct cs_store *base, struct cs_recent *recent,
                        struct cs_store_aws_meter *meter);

/* ---- diagnosis ---- */

enum cs_store_aws_result { CS_STORE_AWS_OK, CS_STORE_AWS_FAILED, CS_STORE_AWS_SKIPPED };

/* Views valid during the callback; "" where there is nothing to say. */
struct cs_store_aws_step {
    const char *name; /* "object: put" */
    enum cs_store_aws_result result;
    struct cs_view text;    /* what was found; why it failed or was skipped */
    struct cs_view fix;     /* what to do about a failure */
    struct cs_view missing; /* "s3:PutObject on arn:...": the permission that lacks */
};
typedef void cs_store_aws_step_fn(void *payload, const struct cs_store_aws_step *step);

/* Tries one by one what the store needs, credentials first, and tells of each step.
 * What it writes has names that no campaign can have and no list shows, and is taken
 * away again. store is one of cs_store_aws_new(). */
void cs_store_aws_diagnose(struct cs_store *store, cs_store_aws_step_fn *tell,
                           void *payload, struct cs_deadline deadline);

/* ---- permissions ---- */

struct cs_store_aws_grants {
    const char *account; /* 12 digits; NULL: any account ("*") */
    bool create;         /* of bucket, table and indexes */
    bool operate;        /* beside what the service does: lists by status, going through
                          * all items, and what cs_store_aws_diagnose() looks at */
};

/* Appends the smallest IAM policy that the store works with, as its settings have it:
 * JSON, a statement for each purpose. Asks nobody. */
enum cs_code cs_store_aws_policy(struct cs_store *store,
                                 const struct cs_store_aws_grants *grants,
                                 struct cs_buf *out, struct cs_err *err) CS_MUST_USE;

#endif
