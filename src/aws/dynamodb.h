/* aws/dynamodb.h: DynamoDB over aws/call.h. Requests are JSON texts that the caller
 * writes (aws/attribute.h helps), answers are trees; this file knows the protocol,
 * the limits of batches, tables and their indexes.
 *
 * Source: DynamoDB API Reference, API version 2012-08-10. */
#ifndef CS_AWS_DYNAMODB_H
#define CS_AWS_DYNAMODB_H

#include "aws/attribute.h"
#include "aws/call.h"

struct cs_dynamodb;

struct cs_dynamodb_options {
    struct cs_aws *aws; /* borrowed */
    const char *region; /* copied */
    const char *url;    /* the operator's own endpoint, or NULL; copied */
    bool dual_stack;
    bool fips;
};

/* NULL with err set: a malformed region or endpoint, or no memory. */
struct cs_dynamodb *cs_dynamodb_new(const struct cs_dynamodb_options *options,
                                    struct cs_err *err);
void cs_dynamodb_free(struct cs_dynamodb *db);

/* Any operation ("GetItem", "Query", "TransactWriteItems", "UpdateTimeToLive", ...).
 * subject is the table, for the log. *out (may be NULL) is the answer's tree, freed
 * by the caller. On failure cs_dynamodb_error() has the service's words. */
enum cs_code cs_dynamodb_call(struct cs_dynamodb *db, const char *operation,
                              struct cs_view subject, struct cs_view body,
                              struct cs_json **out, struct cs_deadline deadline,
                              struct cs_err *err) CS_MUST_USE;

/* The last answer's bytes, not looked at; borrowed until the next call. */
struct cs_view cs_dynamodb_answer_bytes(const struct cs_dynamodb *db);

/* The text of the last call's answer, found to be valid JSON; valid until the next call.
 * For those that cut out what they need (json/scan.h), which is cheaper than a tree. */
enum cs_code cs_dynamodb_answer(const struct cs_dynamodb *db, struct cs_view *out,
                                struct cs_err *err) CS_MUST_USE;

/* Of the last call; valid until the next. */
const struct cs_aws_error *cs_dynamodb_error(const struct cs_dynamodb *db);

/* Whether the last call was sent more than once, so that a condition of its own may have
 * failed on what it had done itself before its answer was lost. */
bool cs_dynamodb_was_repeated(const struct cs_dynamodb *db);

/* BatchWriteItem for any number of {"PutRequest":...} and {"DeleteRequest":...}
 * texts: in batches of 25, what was left unprocessed again, within the deadline. */
enum cs_code cs_dynamodb_batch_write(struct cs_dynamodb *db, struct cs_view table,
                                     const struct cs_view *requests, size_t count,
                                     struct cs_deadline deadline,
                                     struct cs_err *err) CS_MUST_USE;

/* BatchGetItem, consistent, for any number of keys ({"id":{"S":"x"}} texts): in
 * batches of 100, unprocessed ones again. Items come in any order; missing ones not
 * at all. The callback returns a failure to stop. */
typedef enum cs_code cs_dynamodb_item_fn(void *payload, const struct cs_json *item,
                                         struct cs_err *err);
enum cs_code cs_dynamodb_batch_get(struct cs_dynamodb *db, struct cs_view table,
                                   const struct cs_view *keys, size_t count,
                                   cs_dynamodb_item_fn *callback, void *payload,
                                   struct cs_deadline deadline,
                                   struct cs_err *err) CS_MUST_USE;

/* ---- tables ---- */

struct cs_dynamodb_index {
    const char *name;
    const char *hash;           /* S attribute */
    const char *range;          /* S attribute */
    const char *const *include; /* further attributes it shows, NULL at the end */
};

struct cs_dynamodb_table {
    struct cs_view name;
    const char *hash; /* S attribute, the key */
    const struct cs_dynamodb_index *indexes;
    size_t index_count;
    const char *expiry; /* N attribute, in seconds since 1970, behind which the service
                         * drops an item within days (TTL); NULL: none */
};

/* Makes the table (paid by request) or adds the indexes that it lacks, one after
 * another, and waits until all are active; switches the expiry on, where the table has
 * no other one. Adds a line to report for what it did. A table of another key is
 * CS_ECONFLICT; CS_EBUSY when it is not active in time. Safe to run by many at once. */
enum cs_code cs_dynamodb_ensure(struct cs_dynamodb *db,
                                const struct cs_dynamodb_table *table,
                                struct cs_buf *report, struct cs_deadline deadline,
                                struct cs_err *err) CS_MUST_USE;

#define CS_DYNAMODB_INDEXES_MAX 20u /* what the service allows a table */

/* What there is of what is wanted. */
struct cs_dynamodb_look {
    bool keyed;  /* by the key that is wanted */
    bool active; /* the table itself */
    struct {
        bool there;
        bool keyed;
        bool active;
        bool shows_all;                 /* at least the attributes that are wanted */
    } indexes[CS_DYNAMODB_INDEXES_MAX]; /* in the order of table->indexes */
};

/* DescribeTable. CS_ENOTFOUND without the table. */
enum cs_code cs_dynamodb_look(struct cs_dynamodb *db,
                              const struct cs_dynamodb_table *table,
                              struct cs_dynamodb_look *out, struct cs_deadline deadline,
                              struct cs_err *err) CS_MUST_USE;

/* DescribeTimeToLive. Appends the name of the attribute by which items expire;
 * nothing when they don't. */
enum cs_code cs_dynamodb_look_expiry(struct cs_dynamodb *db, struct cs_view table,
                                     struct cs_buf *attribute_out,
                                     struct cs_deadline deadline,
                                     struct cs_err *err) CS_MUST_USE;

/* Whether there is such a table; waits until one that is there is active (CS_EBUSY
 * when it is not in time). Calls on a table that is being made or restored fail as
 * if there were none: only this tells. */
enum cs_code cs_dynamodb_find(struct cs_dynamodb *db, struct cs_view name,
                              bool *found_out, struct cs_deadline deadline,
                              struct cs_err *err) CS_MUST_USE;

#endif
