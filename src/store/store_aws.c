#include "config.h"

#include "store/store_aws.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/encoding.h"
#include "store/aws_internal.h"

/* More and quicker tries than the SDKs' default of 3: the budget of the request ends
 * them, and a person waits for it. */
#define ATTEMPTS      6
#define FIRST_WAIT_US 100000

const char *cs_aws_store_setting(const struct cs_aws_store *store, const char *name)
{
    const char *value = cs_aws_settings_get(store->settings, name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The first of the names that is set. */
static const char *first_of(const struct cs_aws_store *store, const char *const *names)
{
    for (; *names != NULL; names++)
        if (cs_aws_store_setting(store, *names) != NULL)
            return cs_aws_store_setting(store, *names);
    return NULL;
}

bool cs_aws_store_flag(const struct cs_aws_store *store, const char *name, bool fallback)
{
    const char *value = cs_aws_store_setting(store, name);
    bool flag = fallback;

    if (value != NULL && !cs_aws_read_flag(cs_view_cstr(value), &flag))
        return false;
    return flag;
}

struct cs_aws_store *cs_aws_store_of(struct cs_store *store)
{
    return (struct cs_aws_store *)store;
}

static const struct cs_store_names *get_names(const struct cs_store *store)
{
    return &((const struct cs_aws_store *)store)->names;
}

static void free_store(struct cs_store *base)
{
    struct cs_aws_store *store = cs_aws_store_of(base);

    for (size_t i = 0; i < store->other_count; i++)
        free_store(store->others[i]);
    cs_s3_free(store->s3);
    cs_dynamodb_free(store->db);
    cs_aws_free(store->aws);
    cs_aws_credentials_free(store->credentials);
    cs_net_client_free(store->net);
    if (!store->shares_settings)
        cs_aws_settings_free(store->settings);
    cs_buf_clear(&store->body);
    cs_aws_item_texts_clear(&store->texts);
    cs_aws_same_clear(&store->same);
    if (!store->shares_recent)
        cs_recent_free(store->recent);
    free(store->bucket);
    free(store->table);
    free(store->bucket_region);
    free(store->table_region);
    free(store);
}

/* ---- opening ---- */

static enum cs_code open_net(struct cs_aws_store *store, struct cs_err *err)
{
    const struct cs_net_options net = {.ca_bundle =
                                           cs_aws_store_setting(store, "AWS_CA_BUNDLE"),
                                       .proxy = cs_aws_store_setting(store, "AWS_PROXY")};
    const struct cs_aws_credentials_options credentials = {
        .log = store->options.log,
        .setting = cs_aws_settings_get,
        .payload = store->settings,
        .region = cs_view_cstr(store->table_region),
        .dual_stack = cs_aws_store_flag(store, "AWS_USE_DUALSTACK_ENDPOINT", false),
        .fips = cs_aws_store_flag(store, "AWS_USE_FIPS_ENDPOINT", false)};
    struct cs_aws_credentials_options with_net = credentials;
    struct cs_aws_options aws = {.log = store->options.log,
                                 .retry = CS_RETRY_STANDARD,
                                 .counts = &store->meter->counts};

    store->net = cs_net_client_new(&net, err);
    if (store->net == NULL)
        return err != NULL && err->code != CS_OK ? err->code : CS_ENOMEM;
    with_net.net = store->net;
    store->credentials = cs_aws_credentials_new(&with_net);
    if (store->credentials == NULL)
        return cs_err_nomem(err);
    aws.net = store->net;
    aws.credentials = store->credentials;
    aws.retry.max_attempts = (unsigned)store->attempts;
    aws.retry.base_us = FIRST_WAIT_US;
    store->aws = cs_aws_new(&aws);
    return store->aws != NULL ? CS_OK : cs_err_nomem(err);
}

static enum cs_code open_services(struct cs_aws_store *store, struct cs_err *err)
{
    static const char *const s3_urls[] = {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL",
                                          NULL};
    static const char *const db_urls[] = {"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL",
                                          NULL};
    const char *checksum = cs_aws_store_setting(store, "S3_CHECKSUM");
    const char *payload = cs_aws_store_setting(store, "S3_PAYLOAD");
    struct cs_s3_options s3 = {
        .aws = store->aws,
        .region = store->bucket_region,
        .bucket = store->bucket,
        .url = first_of(store, s3_urls),
        .public_url = cs_aws_store_setting(store, "S3_PUBLIC_ENDPOINT_URL"),
        .kms_key = cs_aws_store_setting(store, "S3_KMS_KEY_ID"),
        .dual_stack = cs_aws_store_flag(store, "AWS_USE_DUALSTACK_ENDPOINT", false),
        .fips = cs_aws_store_flag(store, "AWS_USE_FIPS_ENDPOINT", false),
        .path_style = cs_aws_store_flag(store, "S3_PATH_STYLE", false),
    };
    const struct cs_dynamodb_options db = {
        .aws = store->aws,
        .region = store->table_region,
        .url = first_of(store, db_urls),
        .dual_stack = s3.dual_stack,
        .fips = s3.fips,
    };

    if (checksum != NULL && strcmp(checksum, "sha256") == 0)
        s3.checksum = CS_S3_CHECKSUM_SHA256;
    else if (checksum != NULL && strcmp(checksum, "md5") == 0)
        s3.checksum = CS_S3_CHECKSUM_MD5;
    else if (checksum != NULL && strcmp(checksum, "none") == 0)
        s3.checksum = CS_S3_CHECKSUM_NONE;
    if (payload != NULL && strcmp(payload, "chunked") == 0)
        s3.payload = CS_S3_PAYLOAD_CHUNKED;
    else if (payload != NULL && strcmp(payload, "unsigned") == 0)
        s3.payload = CS_S3_PAYLOAD_UNSIGNED;
    store->s3 = cs_s3_new(&s3, err);
    store->db = store->s3 != NULL ? cs_dynamodb_new(&db, err) : NULL;
    if (store->db != NULL)
        return CS_OK;
    return err != NULL && err->code != CS_OK ? err->code : CS_EINVAL;
}

enum cs_code cs_aws_store_open(struct cs_aws_store *store, struct cs_err *err)
{
    enum cs_code rc;

    if (store->db != NULL)
        return CS_OK;
    if (store->aws == NULL && (rc = open_net(store, err)) != CS_OK) {
        cs_aws_credentials_free(store->credentials);
        cs_net_client_free(store->net);
        store->credentials = NULL;
        store->net = NULL;
        return rc;
    }
    if ((rc = open_services(store, err)) != CS_OK) {
        cs_s3_free(store->s3);
        store->s3 = NULL;
    }
    return rc;
}

/* ---- requests ---- */

void cs_aws_store_begin(struct cs_aws_store *store, struct cs_json_writer *w,
                        bool with_table)
{
    cs_buf_reset(&store->body);
    cs_json_writer_init(w, &store->body);
    cs_json_object(w);
    if (with_table)
        cs_json_member_cstr(w, "TableName", store->table);
    cs_json_member_cstr(w, "ReturnConsumedCapacity", "TOTAL");
}

struct cs_view cs_aws_key_view(const struct cs_buf *key)
{
    return key->failed == CS_OK ? cs_buf_view(key) : cs_view_of("", 0);
}

void cs_aws_store_add_key(struct cs_json_writer *w, struct cs_view key)
{
    if (key.len == 0)
        w->out->failed = CS_ENOMEM;
    cs_json_key(w, "Key");
    cs_json_object(w);
    cs_item_add_text(w, "campaign_id", key);
    cs_json_object_end(w);
}

enum cs_code cs_aws_store_key_text(struct cs_buf *out, struct cs_view key,
                                   struct cs_err *err)
{
    struct cs_json_writer w;

    cs_json_writer_init(&w, out);
    cs_json_object(&w);
    if (key.len == 0)
        out->failed = CS_ENOMEM;
    cs_item_add_text(&w, "campaign_id", key);
    cs_json_object_end(&w);
    return cs_buf_check(out, err);
}

enum cs_code cs_aws_store_add_token(struct cs_json_writer *w, struct cs_err *err)
{
    uint8_t bytes[16];
    char hex[2 * sizeof(bytes) + 1];
    enum cs_code rc;

    if ((rc = cs_random_bytes(bytes, sizeof(bytes), err)) != CS_OK)
        return rc;
    cs_hex_encode(hex, bytes, sizeof(bytes));
    cs_json_member_cstr(w, "ClientRequestToken", hex);
    return CS_OK;
}

enum cs_code cs_aws_store_call(struct cs_aws_store *store, const char *operation,
                               struct cs_json **out, struct cs_deadline deadline,
                               struct cs_err *err)
{
    enum cs_code rc;

    if ((rc = cs_buf_check(&store->body, err)) != CS_OK)
        return rc;
    return cs_dynamodb_call(store->db, operation, cs_view_cstr(store->table),
                            cs_buf_view(&store->body), out, deadline, err);
}

bool cs_aws_store_condition_failed(const struct cs_aws_store *store, size_t index)
{
    return cs_view_eq(cs_aws_error_reason(cs_dynamodb_error(store->db), index),
                      CS_LIT("ConditionalCheckFailed"));
}

bool cs_aws_store_lost_race(const struct cs_aws_store *store)
{
    enum cs_aws_retry retry = cs_dynamodb_error(store->db)->retry;

    return retry == CS_AWS_RETRY_TRANSACTION_CONFLICT ||
           retry == CS_AWS_RETRY_TRANSACTION_THROTTLED;
}

/* With settings that are somebody else's to free, or NULL: its own. */
static struct cs_store *make_store(const struct cs_store_aws_options *options,
                                   struct cs_aws_settings *settings, struct cs_err *err);

/* Nothing is made in a bucket that is not ours any more. */
static struct cs_store *in_bucket(struct cs_store *base, struct cs_view bucket,
                                  struct cs_err *err)
{
    struct cs_aws_store *store = cs_aws_store_of(base);
    struct cs_store_aws_options options = store->options;
    struct cs_store *other;
    char *name;

    for (size_t i = 0; i < store->other_count; i++)
        if (cs_view_eq(bucket, get_names(store->others[i])->bucket_name))
            return store->others[i];
    if (store->other_count == CS_AWS_OTHERS_MAX) {
        (void)cs_err_set(err, CS_EUPSTREAM, "records name more than %u other buckets",
                         CS_AWS_OTHERS_MAX);
        return NULL;
    }
    name = cs_view_dup(bucket);
    options.bucket_name = name;
    other = name != NULL ? make_store(&options, store->settings, err) : NULL;
    if (other != NULL) {
        cs_aws_store_of(other)->create_missing = false;
        cs_aws_store_of(other)->meter = store->meter;
        store->others[store->other_count++] = other;
    } else if (name == NULL) {
        (void)cs_err_nomem(err);
    }
    free(name);
    return other;
}

/* ---- the interface ---- */

static enum cs_code no_file_path(struct cs_store *store, const struct cs_object *object,
                                 struct cs_buf *out, struct cs_err *err)
{
    (void)store;
    (void)object;
    (void)out;
    return cs_err_set(err, CS_EUNSUPPORTED, "objects in S3 are no files");
}

static const struct cs_store_ops operations = {
    .free = free_store,
    .names = get_names,
    .init = cs_aws_store_init,
    .health = cs_aws_store_health,
    .usage = cs_aws_store_usage,
    .get = cs_aws_store_get,
    .recall = cs_aws_store_recall,
    .commit = cs_aws_store_commit,
    .withdraw = cs_aws_store_withdraw,
    .list = cs_aws_store_list,
    .log_append = cs_aws_store_log_append,
    .log_read = cs_aws_store_log_read,
    .log_delete = cs_aws_store_log_delete,
    .erase = cs_aws_store_erase,
    .leftovers = cs_aws_store_leftovers,
    .counters = cs_aws_store_counters,
    .recount = cs_aws_store_recount,
    .put = cs_aws_store_put,
    .put_begin = cs_aws_store_put_begin,
    .put_add = cs_aws_store_put_add,
    .put_commit = cs_aws_store_put_commit,
    .put_abort = cs_aws_store_put_abort,
    .open = cs_aws_store_open_object,
    .fetch = cs_aws_store_fetch_objects,
    .read = cs_aws_store_read,
    .close = cs_aws_store_close,
    .url = cs_aws_store_url,
    .in_bucket = in_bucket,
    .file_path = no_file_path,
    .each_object = cs_aws_store_each_object,
    .delete_version = cs_aws_store_delete_version,
    .delete_prefix = cs_aws_store_delete_prefix,
    .delete_folder = cs_aws_store_delete_folder,
};

/* ---- making ---- */

static bool copy_text(char **out, const char *text)
{
    *out = cs_view_dup(cs_view_cstr(text));
    return *out != NULL;
}

/* A number from 1 to max; what *out holds where it is not set. */
static enum cs_code read_count(const struct cs_aws_store *store, const char *name,
                               unsigned max, size_t *out, struct cs_err *err)
{
    const char *text = cs_aws_store_setting(store, name);
    uint64_t count = *out;

    if (text != NULL &&
        (!cs_view_to_u64(cs_view_cstr(text), &count) || count < 1 || count > max))
        return cs_err_field(err, CS_EINVAL, name, "out_of_range",
                            "%s is a number from 1 to %u", name, max);
    *out = (size_t)count;
    return CS_OK;
}

/* What is not of the SDKs' own settings, before the first request needs it. */
static enum cs_code check_places(const struct cs_aws_store *store,
                                 const char *bucket_region, const char *table_region,
                                 struct cs_err *err)
{
    const char *links = cs_aws_store_setting(store, "S3_PUBLIC_ENDPOINT_URL");
    struct cs_aws_endpoint_options options = {
        .service = CS_AWS_STS, .region = CS_LIT("us-east-1"), .url = cs_view_cstr(links)};
    struct cs_aws_endpoint endpoint;
    enum cs_code rc;

    cs_aws_endpoint_init(&endpoint);
    rc = cs_aws_endpoint_make(&endpoint, &options, NULL);
    if (rc == CS_ENOMEM)
        rc = cs_err_nomem(err);
    else if (rc != CS_OK)
        rc = cs_err_field(err, CS_EINVAL, "S3_PUBLIC_ENDPOINT_URL", "endpoint_malformed",
                          "S3_PUBLIC_ENDPOINT_URL is \"%.*s\": an endpoint looks like "
                          "https://host:port",
                          CS_FMT(options.url));
    options = (struct cs_aws_endpoint_options){
        .service = CS_AWS_S3,
        .region = cs_view_cstr(bucket_region),
        .bucket = cs_view_cstr(store->options.bucket_name)};
    if (rc == CS_OK)
        rc = cs_aws_endpoint_make(&endpoint, &options, err);
    options = (struct cs_aws_endpoint_options){.service = CS_AWS_DYNAMODB,
                                               .region = cs_view_cstr(table_region)};
    if (rc == CS_OK)
        rc = cs_aws_endpoint_make(&endpoint, &options, err);
    cs_aws_endpoint_clear(&endpoint);
    return rc;
}

/* DynamoDB Developer Guide, "Naming rules". */
static enum cs_code check_table(struct cs_view name, struct cs_err *err)
{
    bool good = name.len >= 3 && name.len <= 255;

    for (size_t i = 0; i < name.len && good; i++) {
        char c = name.ptr[i];

        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    }
    if (good)
        return CS_OK;
    return cs_err_field(err, CS_EINVAL, "DYNAMODB_TABLE_NAME", "table_malformed",
                        "DYNAMODB_TABLE_NAME is \"%.*s\": a table's name has 3 to 255 "
                        "letters, digits, _, - and .",
                        CS_FMT(name));
}

static enum cs_code fill(struct cs_aws_store *store, struct cs_err *err)
{
    static const char *const bucket_regions[] = {"S3_BUCKET_REGION", "AWS_REGION",
                                                 "AWS_DEFAULT_REGION", NULL};
    static const char *const table_regions[] = {"DYNAMODB_REGION", "AWS_REGION",
                                                "AWS_DEFAULT_REGION", NULL};
    const char *bucket_region = first_of(store, bucket_regions);
    const char *table_region = first_of(store, table_regions);
    enum cs_code rc;

    if (bucket_region == NULL || table_region == NULL)
        return cs_err_field(err, CS_EINVAL, "AWS_REGION", "region_missing",
                            "set AWS_REGION to the region of bucket and table, as in "
                            "ca-central-1");
    store->counter_shards = store->status_shards = 1;
    store->attempts = ATTEMPTS;
    if ((rc = read_count(store, "DYNAMODB_COUNTER_SHARDS", CS_AWS_SHARDS_MAX,
                         &store->counter_shards, err)) != CS_OK ||
        (rc = read_count(store, "DYNAMODB_STATUS_SHARDS", CS_AWS_STATUS_SHARDS_MAX,
                         &store->status_shards, err)) != CS_OK ||
        (rc = read_count(store, "AWS_MAX_ATTEMPTS", CS_AWS_ATTEMPTS_MAX, &store->attempts,
                         err)) != CS_OK ||
        (rc = check_places(store, bucket_region, table_region, err)) != CS_OK ||
        (rc = cs_aws_store_check_tags(store, err)) != CS_OK ||
        (rc = check_table(cs_view_cstr(store->options.table_name), err)) != CS_OK)
        return rc;
    store->gzip = cs_aws_store_flag(store, "S3_GZIP", false);
    store->create_missing = cs_aws_store_flag(store, "AWS_CREATE_MISSING", true);
    if (!copy_text(&store->bucket, store->options.bucket_name) ||
        !copy_text(&store->table, store->options.table_name) ||
        !copy_text(&store->bucket_region, bucket_region) ||
        !copy_text(&store->table_region, table_region))
        return cs_err_nomem(err);
    store->names = (struct cs_store_names){
        .kind = CS_LIT("aws"),
        .bucket_name = cs_view_cstr(store->bucket),
        .bucket_region = cs_view_cstr(store->bucket_region),
        .table_name = cs_view_cstr(store->table),
        .table_region = cs_view_cstr(store->table_region),
    };
    return CS_OK;
}

static struct cs_store *make_store(const struct cs_store_aws_options *options,
                                   struct cs_aws_settings *settings, struct cs_err *err)
{
    struct cs_aws_store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    store->base.ops = &operations;
    store->options = *options;
    cs_buf_init(&store->body, CS_AWS_BODY_MAX);
    store->texts = (struct cs_aws_item_texts)CS_AWS_ITEM_TEXTS_INIT;
    cs_aws_same_init(&store->same);
    store->recent = cs_recent_new(); /* without it nothing is remembered */
    store->meter = &store->own_meter;
    store->shares_settings = settings != NULL;
    store->settings = settings != NULL
                          ? settings
                          : cs_aws_settings_new(options->setting, options->payload, err);
    if (store->settings == NULL || fill(store, err) != CS_OK) {
        free_store(&store->base);
        return NULL;
    }
    return &store->base;
}

struct cs_store *cs_store_aws_new(const struct cs_store_aws_options *options,
                                  struct cs_err *err)
{
    return make_store(options, NULL, err);
}

void cs_store_aws_share(struct cs_store *base, struct cs_recent *recent,
                        struct cs_store_aws_meter *meter)
{
    struct cs_aws_store *store = cs_aws_store_of(base);

    if (meter != NULL)
        store->meter = meter;
    if (recent == NULL)
        return;
    if (!store->shares_recent)
        cs_recent_free(store->recent);
    store->recent = recent;
    store->shares_recent = true;
}
