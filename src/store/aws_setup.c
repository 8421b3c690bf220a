/* The bucket and the table, made by init or at first need. Nothing here runs while both
 * are there: a call that fails because one is missing comes here, and is then made once
 * more. Several workers may do so at once; each ends up with the same. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/aws_internal.h"

#define REPORT_MAX          65536u
#define CLOCK_SUSPICIOUS_US (60 * CS_SECOND_US)
#define TAGS_MAX            50u /* of one bucket, as S3 allows */

/* ---- what they are to be ---- */

struct cs_dynamodb_table cs_aws_store_table(const struct cs_aws_store *store)
{
    /* no `revision`: a change of it alone is not paid for twice more */
    static const char *const shown_to_user[] = {"status", "summary", "expires_at_us",
                                                NULL};
    static const char *const shown_by_status[] = {"user_id", "summary", "expires_at_us",
                                                  NULL};
    static const struct cs_dynamodb_index indexes[] = {
        {CS_AWS_USER_INDEX, "user_id", "created_at", shown_to_user},
        {CS_AWS_STATUS_INDEX, "status", "created_at", shown_by_status},
    };

    return (struct cs_dynamodb_table){.name = cs_view_cstr(store->table),
                                      .hash = "campaign_id",
                                      .indexes = indexes,
                                      .index_count = CS_COUNT(indexes),
                                      .expiry = CS_AWS_VANISHES};
}

struct cs_s3_bucket_settings cs_aws_store_bucket(const struct cs_aws_store *store)
{
    return (struct cs_s3_bucket_settings){
        .versioning = cs_aws_store_flag(store, "S3_VERSIONING", true),
        .block_public_access = true,
        .encrypt = true};
}

static enum cs_code ensure_table(struct cs_aws_store *store, struct cs_buf *report,
                                 struct cs_deadline deadline, struct cs_err *err)
{
    const struct cs_dynamodb_table table = cs_aws_store_table(store);

    return cs_dynamodb_ensure(store->db, &table, report, deadline, err);
}

/* "name=value,name=value" */
static enum cs_code read_tags(const struct cs_aws_store *store,
                              struct cs_net_header out[TAGS_MAX], size_t *count_out,
                              struct cs_err *err)
{
    struct cs_view rest = cs_view_cstr(cs_aws_store_setting(store, "S3_BUCKET_TAGS"));
    struct cs_view tag;

    *count_out = 0;
    while (rest.len > 0 && cs_view_split(&rest, ',', &tag)) {
        size_t equals = cs_view_find_byte(tag, '=');

        if (equals == SIZE_MAX || equals == 0 || *count_out == TAGS_MAX)
            return cs_err_field(err, CS_EINVAL, "S3_BUCKET_TAGS", "tags_malformed",
                                "S3_BUCKET_TAGS is name=value,name=value with at most "
                                "%u names",
                                TAGS_MAX);
        out[(*count_out)++] =
            (struct cs_net_header){cs_view_trim(cs_view_sub(tag, 0, equals)),
                                   cs_view_trim(cs_view_from(tag, equals + 1))};
    }
    return CS_OK;
}

enum cs_code cs_aws_store_check_tags(const struct cs_aws_store *store, struct cs_err *err)
{
    struct cs_net_header tags[TAGS_MAX];
    size_t count;

    return read_tags(store, tags, &count, err);
}

static enum cs_code ensure_bucket(struct cs_aws_store *store, struct cs_buf *report,
                                  struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_net_header tags[TAGS_MAX];
    struct cs_s3_bucket_settings bucket = cs_aws_store_bucket(store);
    enum cs_code rc;

    bucket.tags = tags;
    if ((rc = read_tags(store, tags, &bucket.tag_count, err)) == CS_OK)
        rc = cs_s3_ensure(store->s3, &bucket, report, deadline, err);
    store->names.bucket_region = cs_s3_region(store->s3);
    return rc;
}

enum cs_code cs_aws_store_init(struct cs_store *base, struct cs_buf *report,
                               struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    enum cs_code rc;

    if ((rc = cs_aws_store_open(store, err)) != CS_OK ||
        (rc = ensure_bucket(store, report, deadline, err)) != CS_OK ||
        (rc = ensure_table(store, report, deadline, err)) != CS_OK)
        return rc;
    return cs_buf_check(report, err);
}

/* ---- at first need ---- */

static void log_report(const struct cs_aws_store *store, struct cs_view report)
{
    struct cs_view line;

    while (report.len > 0 && cs_view_split(&report, '\n', &line))
        if (line.len > 0)
            cs_log_put(store->options.log, CS_LOG_WARN, "AWS set-up at first need",
                       CS_LOG_TEXT("done", line));
}

static enum cs_code make(struct cs_aws_store *store,
                         enum cs_code (*ensure)(struct cs_aws_store *store,
                                                struct cs_buf *report,
                                                struct cs_deadline deadline,
                                                struct cs_err *err),
                         struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_buf report = CS_BUF_INIT(REPORT_MAX);
    enum cs_code rc = ensure(store, &report, deadline, err);

    log_report(store, cs_buf_view(&report));
    cs_buf_clear(&report);
    /* whatever it was, it is no fault of what the caller asked for */
    return rc == CS_ENOTFOUND || rc == CS_EEXISTS || rc == CS_ECONFLICT ? CS_EUPSTREAM
                                                                        : rc;
}

static enum cs_code no_table(const struct cs_aws_store *store, struct cs_err *err)
{
    return cs_err_field(err, CS_EUPSTREAM, "DYNAMODB_TABLE_NAME", "table_missing",
                        "there is no DynamoDB table %s in %s: run campaignctl init, or "
                        "set AWS_CREATE_MISSING=true",
                        store->table, store->table_region);
}

static enum cs_code make_table(struct cs_aws_store *store, struct cs_deadline deadline,
                               struct cs_err *err)
{
    if (!store->create_missing)
        return no_table(store, err);
    return make(store, ensure_table, deadline, err);
}

static enum cs_code make_index(struct cs_aws_store *store, struct cs_deadline deadline,
                               struct cs_err *err)
{
    if (!store->create_missing)
        return cs_err_field(err, CS_EUPSTREAM, "DYNAMODB_TABLE_NAME", "index_missing",
                            "the DynamoDB table %s lacks an index: run campaignctl init, "
                            "or set AWS_CREATE_MISSING=true",
                            store->table);
    return make(store, ensure_table, deadline, err);
}

enum cs_code cs_aws_store_make_bucket(struct cs_aws_store *store,
                                      struct cs_deadline deadline, struct cs_err *err)
{
    if (!store->create_missing)
        return cs_err_field(err, CS_EUPSTREAM, "S3_BUCKET_NAME", "bucket_missing",
                            "there is no S3 bucket %s: run campaignctl init, or set "
                            "AWS_CREATE_MISSING=true",
                            store->bucket);
    return make(store, ensure_bucket, deadline, err);
}

bool cs_aws_store_lacks_bucket(const struct cs_err *err)
{
    return strcmp(err->reason, "NoSuchBucket") == 0;
}

/* A table that is being made or restored answers as a missing one does, so it is looked
 * at: only one that is not there at all is as good as an empty one. */
static enum cs_code settle_table(struct cs_aws_store *store, bool *absent_out,
                                 struct cs_deadline deadline, struct cs_err *err)
{
    bool found = false;
    enum cs_code rc =
        cs_dynamodb_find(store->db, cs_view_cstr(store->table), &found, deadline, err);

    *absent_out = rc == CS_OK && !found;
    if (*absent_out && !store->create_missing)
        return no_table(store, err);
    return rc;
}

/* ---- calls that do so ---- */

static bool lacks_index(const struct cs_aws_store *store)
{
    static const struct cs_view signs[] = {
        CS_LIT_INIT("specified index"), CS_LIT_INIT("backfilling"),
        CS_LIT_INIT("Invalid index") /* of stand-ins, under another code */
    };
    struct cs_view message =
        cs_aws_error_text(cs_dynamodb_error(store->db), CS_AWS_ERROR_MESSAGE);

    for (size_t i = 0; i < CS_COUNT(signs); i++)
        if (cs_view_find(message, signs[i]) != SIZE_MAX)
            return true;
    return false;
}

static bool lacks_table(const struct cs_aws_store *store)
{
    return cs_aws_error_is(cs_dynamodb_error(store->db), "ResourceNotFoundException") &&
           !lacks_index(store);
}

/* A table that is missing is a fault of the set-up, not a missing record. */
static enum cs_code not_ours(enum cs_code rc)
{
    return rc == CS_ENOTFOUND ? CS_EUPSTREAM : rc;
}

enum cs_code cs_aws_store_write(struct cs_aws_store *store, const char *operation,
                                struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = cs_aws_store_call(store, operation, NULL, deadline, &why);

    if (rc != CS_OK && lacks_table(store)) {
        why = CS_ERR_NONE;
        if ((rc = make_table(store, deadline, &why)) == CS_OK)
            rc = cs_aws_store_call(store, operation, NULL, deadline, &why);
    }
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return not_ours(rc);
}

/* *absent tells that there is no table, and so no answer. */
static enum cs_code fetch(struct cs_aws_store *store, const char *operation,
                          struct cs_json **out, bool *absent, struct cs_deadline deadline,
                          struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = cs_aws_store_call(store, operation, out, deadline, &why);

    *absent = false;
    if (rc != CS_OK && (lacks_table(store) || lacks_index(store))) {
        bool index = lacks_index(store);

        why = CS_ERR_NONE;
        rc = index ? make_index(store, deadline, &why)
                   : settle_table(store, absent, deadline, &why);
        if (rc == CS_OK && !*absent)
            rc = cs_aws_store_call(store, operation, out, deadline, &why);
    }
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return not_ours(rc);
}

enum cs_code cs_aws_store_fetch(struct cs_aws_store *store, const char *operation,
                                struct cs_json **out, struct cs_deadline deadline,
                                struct cs_err *err)
{
    bool absent;

    return fetch(store, operation, out, &absent, deadline, err);
}

enum cs_code cs_aws_store_ask(struct cs_aws_store *store, const char *operation,
                              bool *absent_out, struct cs_deadline deadline,
                              struct cs_err *err)
{
    return fetch(store, operation, NULL, absent_out, deadline, err);
}

enum cs_code cs_aws_store_fetch_text(struct cs_aws_store *store, const char *operation,
                                     struct cs_view *out, struct cs_deadline deadline,
                                     struct cs_err *err)
{
    bool absent;
    enum cs_code rc = cs_aws_store_ask(store, operation, &absent, deadline, err);

    *out = CS_LIT("");
    return rc != CS_OK || absent ? rc : cs_dynamodb_answer(store->db, out, err);
}

enum cs_code cs_aws_store_fetch_many(struct cs_aws_store *store,
                                     const struct cs_view *keys, size_t count,
                                     cs_dynamodb_item_fn *callback, void *payload,
                                     struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    bool absent = false;
    enum cs_code rc = cs_dynamodb_batch_get(store->db, cs_view_cstr(store->table), keys,
                                            count, callback, payload, deadline, &why);

    /* the table can't go missing after a first batch: nothing was handed over yet */
    if (rc == CS_ENOTFOUND && lacks_table(store)) {
        why = CS_ERR_NONE;
        if ((rc = settle_table(store, &absent, deadline, &why)) == CS_OK && !absent)
            rc = cs_dynamodb_batch_get(store->db, cs_view_cstr(store->table), keys, count,
                                       callback, payload, deadline, &why);
    }
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return not_ours(rc);
}

/* ---- health ---- */

/* As corrected after a refusal, or as the last answer had it. */
static int64_t suspicious_offset(const struct cs_aws_store *store)
{
    int64_t offset_us = cs_aws_clock_offset_us(store->aws);

    if (offset_us == 0 && !cs_s3_clock_offset(store->s3, &offset_us))
        return 0;
    return offset_us > CLOCK_SUSPICIOUS_US || offset_us < -CLOCK_SUSPICIOUS_US ? offset_us
                                                                               : 0;
}

/* S3 that does not answer leaves time to ask DynamoDB, so that only what is away is
 * told as away. */
static struct cs_deadline half_of(struct cs_deadline deadline)
{
    return cs_deadline_in_ms(cs_deadline_left_ms(deadline) / 2);
}

void cs_aws_store_health(struct cs_store *base, struct cs_store_health *out,
                         struct cs_deadline deadline)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_err objects = CS_ERR_NONE;
    struct cs_err records = CS_ERR_NONE;
    struct cs_json_writer w;
    enum cs_code rc;

    memset(out, 0, sizeof(*out));
    if (cs_aws_store_open(store, &objects) != CS_OK) {
        records = objects;
    } else {
        rc = cs_s3_check(store->s3, half_of(deadline), &objects);
        /* what the first need makes is as good as there */
        out->objects_ok = rc == CS_OK || (rc == CS_ENOTFOUND && store->create_missing);
        /* reading what is not there costs half a unit and needs no further right */
        cs_aws_store_begin(store, &w, true);
        cs_aws_store_add_key(&w, CS_LIT(CS_AWS_INTERNAL "health"));
        cs_json_object_end(&w);
        rc = cs_aws_store_call(store, "GetItem", NULL, deadline, &records);
        out->records_ok = rc == CS_OK || (rc == CS_ENOTFOUND && store->create_missing);
        out->clock_offset_us = suspicious_offset(store);
    }
    (void)snprintf(out->objects_text, sizeof(out->objects_text), "%.150s", objects.text);
    (void)snprintf(out->records_text, sizeof(out->records_text), "%.150s", records.text);
}
