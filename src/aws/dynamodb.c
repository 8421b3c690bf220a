#include "config.h"

#include "aws/dynamodb.h"

#include <poll.h>
#include <stdlib.h>

#include "base/deflate.h"
#include "json/scan.h"

#define ANSWER_MAX   (20u << 20) /* a batch of items may be 16 MiB */
#define REQUEST_MAX  (20u << 20)
#define BATCH_WRITES 25u
#define BATCH_KEYS   100u
#define TARGET_MAX   96u /* bytes of the header that names the operation */

struct cs_dynamodb {
    struct cs_aws *aws;
    char *region;
    struct cs_aws_endpoint endpoint;
    struct cs_net_response response;
    struct cs_aws_error error;
    bool repeated; /* the last call was sent more than once */
};

struct cs_dynamodb *cs_dynamodb_new(const struct cs_dynamodb_options *options,
                                    struct cs_err *err)
{
    const struct cs_aws_endpoint_options endpoint = {
        .service = CS_AWS_DYNAMODB,
        .region = cs_view_cstr(options->region),
        .url = cs_view_cstr(options->url),
        .dual_stack = options->dual_stack,
        .fips = options->fips,
    };
    struct cs_dynamodb *db = calloc(1, sizeof(*db));

    if (db == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    db->aws = options->aws;
    cs_aws_endpoint_init(&db->endpoint);
    cs_net_response_init(&db->response, ANSWER_MAX);
    cs_aws_error_init(&db->error);
    db->region = cs_view_dup(cs_view_cstr(options->region));
    if (db->region == NULL)
        (void)cs_err_nomem(err);
    if (db->region == NULL ||
        cs_aws_endpoint_make(&db->endpoint, &endpoint, err) != CS_OK) {
        cs_dynamodb_free(db);
        return NULL;
    }
    return db;
}

void cs_dynamodb_free(struct cs_dynamodb *db)
{
    if (db == NULL)
        return;
    cs_aws_endpoint_clear(&db->endpoint);
    cs_net_response_clear(&db->response);
    cs_aws_error_clear(&db->error);
    free(db->region);
    free(db);
}

const struct cs_aws_error *cs_dynamodb_error(const struct cs_dynamodb *db)
{
    return &db->error;
}

bool cs_dynamodb_was_repeated(const struct cs_dynamodb *db)
{
    return db->repeated;
}

/* Sums the "CapacityUnits" of the answer: one a table, as callers ask for TOTAL. */
static double units_of(const struct cs_net_response *response)
{
    static const struct cs_view consumed = CS_LIT_INIT("\"ConsumedCapacity\"");
    static const struct cs_view units = CS_LIT_INIT("\"CapacityUnits\":");
    struct cs_view rest = cs_buf_view(&response->body);
    size_t at = cs_view_find(rest, consumed);
    double sum = 0;

    if (at == SIZE_MAX)
        return 0;
    rest = cs_view_from(rest, at);
    while ((at = cs_view_find(rest, units)) != SIZE_MAX) {
        rest = cs_view_from(rest, at + units.len);
        sum += strtod(rest.ptr, NULL); /* the buffer ends in a NUL */
    }
    return sum;
}

/* "DynamoDB_20120810.GetItem"; empty where that is too long. */
static struct cs_view target_of(char out[TARGET_MAX], const char *operation)
{
    static const struct cs_view prefix = CS_LIT_INIT("DynamoDB_20120810.");
    size_t length = strlen(operation);

    if (length > TARGET_MAX - prefix.len)
        return cs_view_of("", 0);
    memcpy(out, prefix.ptr, prefix.len);
    memcpy(out + prefix.len, operation, length);
    return cs_view_of(out, prefix.len + length);
}

/* An object, and of the checksum that it was sent with, as TLS may end before us;
 * stand-ins for the service may send none. Those who read an answer validate the whole of
 * it. */
static bool is_sound(const struct cs_aws_call *call)
{
    struct cs_view body = cs_view_trim(cs_buf_view(&call->response->body));
    struct cs_view told = cs_net_response_header(call->response, "x-amz-crc32");
    uint64_t checksum;

    if (body.len < 2 || body.ptr[0] != '{' || body.ptr[body.len - 1] != '}')
        return false;
    return !cs_view_to_u64(told, &checksum) ||
           checksum == cs_crc32(cs_buf_view(&call->response->body));
}

/* What the reader of an answer found: no fault of whoever asked. */
static enum cs_code as_answer(enum cs_code rc, struct cs_err *err)
{
    if (rc == CS_OK || rc == CS_ENOMEM)
        return rc == CS_OK ? CS_OK : cs_err_nomem(err);
    return cs_err_set(err, CS_EUPSTREAM, "DynamoDB: the answer is no valid JSON");
}

enum cs_code cs_dynamodb_call(struct cs_dynamodb *db, const char *operation,
                              struct cs_view subject, struct cs_view body,
                              struct cs_json **out, struct cs_deadline deadline,
                              struct cs_err *err)
{
    char target[TARGET_MAX];
    char payload[CS_SHA256_HEX_LEN + 1];
    const struct cs_net_header headers[] = {
        {CS_LIT("Content-Type"), CS_LIT("application/x-amz-json-1.0")},
        {CS_LIT("X-Amz-Target"), target_of(target, operation)},
    };
    struct cs_aws_call call = {
        .service = CS_AWS_DYNAMODB,
        .operation = operation,
        .subject = subject,
        .endpoint = &db->endpoint,
        .region = cs_view_cstr(db->region),
        .method = "POST",
        .path = CS_LIT("/"),
        .headers = headers,
        .header_count = CS_COUNT(headers),
        .body = {.kind = CS_NET_BODY_BYTES, .bytes = body},
        .payload = cs_view_of(payload, CS_SHA256_HEX_LEN),
        .deadline = deadline,
        .is_sound = is_sound,
        .units_of = units_of,
        .response = &db->response,
        .error = &db->error,
    };
    enum cs_code rc;

    if (out != NULL)
        *out = NULL;
    db->repeated = false;
    if (headers[1].value.len == 0)
        return cs_err_set(err, CS_EINTERNAL, "an operation's name is too long");
    if ((rc = cs_sha256_hex_of(payload, body, err)) != CS_OK)
        return rc;
    rc = cs_aws_perform(db->aws, &call, err);
    db->repeated = call.attempts > 1 || db->response.tries > 1;
    if (rc == CS_OK && out != NULL)
        rc = as_answer(cs_json_parse(out, cs_buf_view(&db->response.body), NULL, NULL),
                       err);
    return rc;
}

struct cs_view cs_dynamodb_answer_bytes(const struct cs_dynamodb *db)
{
    return cs_buf_view(&db->response.body);
}

enum cs_code cs_dynamodb_answer(const struct cs_dynamodb *db, struct cs_view *out,
                                struct cs_err *err)
{
    struct cs_view text = cs_dynamodb_answer_bytes(db);
    enum cs_code rc = cs_json_validate(text, NULL, NULL);

    *out = rc == CS_OK ? text : cs_view_of(NULL, 0);
    return as_answer(rc, err);
}

/* ---- batches ---- */

struct batch {
    struct cs_dynamodb *db;
    struct cs_view table;
    struct cs_deadline deadline;
    const char *operation;
    const char *left;              /* member of an answer: what is to be sent again */
    cs_dynamodb_item_fn *callback; /* for each item that comes; or NULL */
    void *payload;
    struct cs_buf body;
    unsigned pauses; /* on end */
};

/* Waits before what was left over is sent again, longer each time and by chance, so that
 * those who were throttled together do not come back together; false when no time is
 * left. */
static bool pause_batch(struct batch *batch)
{
    static const struct cs_retry_policy policy = {.base_us = 50000, .cap_us = 2000000};
    int64_t wait_us =
        cs_retry_backoff_us(&policy, ++batch->pauses, cs_aws_random(batch->db->aws));

    if (cs_deadline_left_ms(batch->deadline) * 1000ll <= wait_us)
        return false;
    (void)poll(NULL, 0, (int)((wait_us + 999) / 1000));
    return true;
}

static void begin_items(struct batch *batch, struct cs_json_writer *w)
{
    cs_buf_reset(&batch->body);
    cs_json_writer_init(w, &batch->body);
    cs_json_object(w);
    cs_json_member_cstr(w, "ReturnConsumedCapacity", "TOTAL");
    cs_json_key(w, "RequestItems");
}

static enum cs_code end_items(struct batch *batch, struct cs_json_writer *w,
                              struct cs_err *err)
{
    cs_json_object_end(w);
    return cs_buf_check(&batch->body, err);
}

static void write_list(struct cs_json_writer *w, const struct cs_view *texts,
                       size_t count)
{
    cs_json_array(w);
    for (size_t i = 0; i < count; i++)
        cs_json_raw(w, texts[i]);
    cs_json_array_end(w);
}

static enum cs_code hand_over(const struct batch *batch, const struct cs_json *answer,
                              struct cs_err *err)
{
    struct cs_json_iter iter = {0};
    enum cs_code rc = CS_OK;

    if (batch->callback == NULL)
        return CS_OK;
    while (rc == CS_OK && cs_json_next(&iter, cs_json_get(answer, "Responses")))
        for (size_t i = 0; i < cs_json_length(iter.value) && rc == CS_OK; i++)
            rc = batch->callback(batch->payload, cs_json_at(iter.value, i), err);
    return rc;
}

/* Sends batch->body and leaves in it what is to be sent again; *more_out: there is
 * something. */
static enum cs_code send_batch(struct batch *batch, bool *more_out, struct cs_err *err)
{
    const struct cs_json *rest;
    struct cs_json_writer w;
    struct cs_json *answer;
    enum cs_code rc;

    rc = cs_dynamodb_call(batch->db, batch->operation, batch->table,
                          cs_buf_view(&batch->body), &answer, batch->deadline, err);
    if (rc == CS_OK)
        rc = hand_over(batch, answer, err);
    rest = cs_json_get(answer, batch->left);
    *more_out = rc == CS_OK && cs_json_length(rest) > 0;
    if (*more_out) {
        begin_items(batch, &w);
        cs_json_write_node(&batch->body, rest);
        rc = end_items(batch, &w, err);
    }
    cs_json_free(answer);
    return rc;
}

static enum cs_code send_until_taken(struct batch *batch, struct cs_err *err)
{
    bool more;
    enum cs_code rc;

    batch->pauses = 0;
    while ((rc = send_batch(batch, &more, err)) == CS_OK && more)
        if (!pause_batch(batch))
            return cs_err_set(err, CS_EBUSY,
                              "DynamoDB %s: not all was taken in the time allowed",
                              batch->operation);
    return rc;
}

enum cs_code cs_dynamodb_batch_write(struct cs_dynamodb *db, struct cs_view table,
                                     const struct cs_view *requests, size_t count,
                                     struct cs_deadline deadline, struct cs_err *err)
{
    struct batch batch = {.db = db,
                          .table = table,
                          .deadline = deadline,
                          .operation = "BatchWriteItem",
                          .left = "UnprocessedItems",
                          .body = CS_BUF_INIT(REQUEST_MAX)};
    enum cs_code rc = CS_OK;

    for (size_t at = 0; at < count && rc == CS_OK; at += BATCH_WRITES) {
        struct cs_json_writer w;

        begin_items(&batch, &w);
        cs_json_object(&w);
        cs_json_key_view(&w, table);
        write_list(&w, requests + at,
                   count - at < BATCH_WRITES ? count - at : BATCH_WRITES);
        cs_json_object_end(&w);
        if ((rc = end_items(&batch, &w, err)) == CS_OK)
            rc = send_until_taken(&batch, err);
    }
    cs_buf_clear(&batch.body);
    return rc;
}

enum cs_code cs_dynamodb_batch_get(struct cs_dynamodb *db, struct cs_view table,
                                   const struct cs_view *keys, size_t count,
                                   cs_dynamodb_item_fn *callback, void *payload,
                                   struct cs_deadline deadline, struct cs_err *err)
{
    struct batch batch = {.db = db,
                          .table = table,
                          .deadline = deadline,
                          .operation = "BatchGetItem",
                          .left = "UnprocessedKeys",
                          .callback = callback,
                          .payload = payload,
                          .body = CS_BUF_INIT(REQUEST_MAX)};
    enum cs_code rc = CS_OK;

    for (size_t at = 0; at < count && rc == CS_OK; at += BATCH_KEYS) {
        struct cs_json_writer w;

        begin_items(&batch, &w);
        cs_json_object(&w);
        cs_json_key_view(&w, table);
        cs_json_object(&w);
        cs_json_member_bool(&w, "ConsistentRead", true);
        cs_json_key(&w, "Keys");
        write_list(&w, keys + at, count - at < BATCH_KEYS ? count - at : BATCH_KEYS);
        cs_json_object_end(&w);
        cs_json_object_end(&w);
        if ((rc = end_items(&batch, &w, err)) == CS_OK)
            rc = send_until_taken(&batch, err);
    }
    cs_buf_clear(&batch.body);
    return rc;
}
