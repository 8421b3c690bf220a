#include "config.h"

#include "aws/call.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/operations.h"

#define URL_MAX            (64u << 10)
#define SKEW_SUSPICIOUS_US (4 * 60 * CS_SECOND_US) /* services allow 5 or 15 minutes */
#define WORTH_TRYING_US    20000 /* time that must be left behind a wait */
#define WHAT_MAX           96u   /* bytes of "DynamoDB TransactWriteItems" and the like */

struct cs_aws {
    struct cs_aws_options options;
    struct cs_signer *signer;
    struct cs_retry_bucket bucket;
    struct cs_buf url; /* of the request being started; the client copies it */
    int64_t offset_us; /* the services' clock minus ours */
    uint64_t random;   /* xorshift: jitter needs no better */
    struct cs_aws_counts own_counts; /* where nobody else wants them */
};

/* Nothing else is read on the ground of a count, so no order is asked for. */
static void count(_Atomic uint64_t *counter, uint64_t add)
{
    if (add > 0)
        (void)atomic_fetch_add_explicit(counter, add, memory_order_relaxed);
}

static int64_t system_clock(void *payload)
{
    (void)payload;
    return cs_clock_now_us();
}

struct cs_aws *cs_aws_new(const struct cs_aws_options *options)
{
    struct cs_aws *aws = calloc(1, sizeof(*aws));

    if (aws == NULL)
        return NULL;
    aws->options = *options;
    if (aws->options.now_us == NULL)
        aws->options.now_us = system_clock;
    if (aws->options.retry.max_attempts == 0)
        aws->options.retry = CS_RETRY_STANDARD;
    if (aws->options.counts == NULL)
        aws->options.counts = &aws->own_counts;
    aws->bucket = (struct cs_retry_bucket){CS_RETRY_CAPACITY, CS_RETRY_CAPACITY};
    cs_buf_init(&aws->url, URL_MAX);
    if (cs_random_bytes(&aws->random, sizeof(aws->random), NULL) != CS_OK)
        aws->random = (uint64_t)cs_clock_monotonic_us();
    aws->random |= 1;
    aws->signer = cs_signer_new();
    if (aws->signer == NULL) {
        cs_aws_free(aws);
        return NULL;
    }
    return aws;
}

void cs_aws_free(struct cs_aws *aws)
{
    if (aws == NULL)
        return;
    cs_signer_free(aws->signer);
    cs_buf_wipe(&aws->url);
    free(aws);
}

int64_t cs_aws_now_us(const struct cs_aws *aws)
{
    return aws->options.now_us(aws->options.payload) + aws->offset_us;
}

int64_t cs_aws_clock_offset_us(const struct cs_aws *aws)
{
    return aws->offset_us;
}

double cs_aws_random(struct cs_aws *aws)
{
    if (aws->options.random != NULL)
        return aws->options.random(aws->options.payload);
    aws->random ^= aws->random << 13;
    aws->random ^= aws->random >> 7;
    aws->random ^= aws->random << 17;
    return (double)(aws->random >> 11) / 9007199254740992.0; /* 2^53 */
}

/* ---- signing ---- */

enum cs_code cs_aws_check_credentials(struct cs_aws *aws, struct cs_deadline deadline,
                                      struct cs_aws_keys *out, struct cs_err *err)
{
    return cs_aws_credentials_get(aws->options.credentials, cs_aws_now_us(aws), deadline,
                                  out, err);
}

static enum cs_code start_params(struct cs_aws *aws, enum cs_aws_service service,
                                 struct cs_view region, struct cs_deadline deadline,
                                 struct cs_signer_params *params,
                                 struct cs_aws_keys *keys, struct cs_err *err)
{
    enum cs_code rc = cs_aws_check_credentials(aws, deadline, keys, err);

    *params = (struct cs_signer_params){
        .access_key_id = keys->access_key_id,
        .secret = keys->secret,
        .token = keys->token,
        .region = region,
        .service = cs_aws_service_name(service),
        .time_us = cs_aws_now_us(aws),
        .content_sha256 = service == CS_AWS_S3,
    };
    return rc;
}

static enum cs_sigv4_path path_rule(enum cs_aws_service service)
{
    return service == CS_AWS_S3 ? CS_SIGV4_PATH_S3 : CS_SIGV4_PATH_NORMALIZE;
}

/* Writes origin and path; returns where the path starts. */
static size_t start_url(struct cs_buf *url, const struct cs_aws_endpoint *endpoint,
                        struct cs_view path)
{
    cs_buf_reset(url);
    cs_buf_add(url, cs_buf_view(&endpoint->origin));
    cs_buf_add(url, cs_buf_view(&endpoint->path));
    cs_buf_add(url, path);
    return endpoint->origin.len;
}

/* The chunks go on from the signature that the head has just got. */
static enum cs_code start_stream(struct cs_aws *aws, struct cs_aws_call *call,
                                 const struct cs_signer_params *params,
                                 struct cs_net_body *out, struct cs_err *err)
{
    char date[CS_SIGV4_DATE_LEN + 1];
    struct cs_aws_streamed_seed seed = {
        .date = cs_view_of(date, CS_SIGV4_DATE_LEN),
        .region = params->region,
        .service = params->service,
        .signature = cs_signer_last_signature(aws->signer),
    };
    enum cs_code rc;

    cs_sigv4_date(date, params->time_us);
    if (cs_aws_streamed_is_signed(call->streamed) &&
        (rc = cs_signer_key(aws->signer, params, cs_view_of(date, 8), &seed.key, err)) !=
            CS_OK)
        return rc;
    return cs_aws_streamed_start(call->streamed, &seed, out, err);
}

static enum cs_code sign_call(struct cs_aws *aws, struct cs_aws_call *call,
                              struct cs_net_request *out, struct cs_err *err)
{
    struct cs_signer_params params;
    struct cs_signer_headers added;
    struct cs_aws_keys keys;
    struct cs_sigv4_request request = {
        .method = cs_view_cstr(call->method),
        .query = call->query,
        .headers = call->all,
        .header_count = call->header_count + 1,
        .payload = call->payload,
        .path_rule = path_rule(call->service),
    };
    size_t path_at;
    enum cs_code rc;

    if ((rc = start_params(aws, call->service, call->region, call->deadline, &params,
                           &keys, err)) != CS_OK)
        return rc;
    path_at = start_url(&aws->url, call->endpoint, call->path);
    request.path = cs_view_from(cs_buf_view(&aws->url), path_at);
    call->all[0] =
        (struct cs_net_header){CS_LIT("Host"), cs_aws_endpoint_host(call->endpoint)};
    for (size_t i = 0; i < call->header_count; i++)
        call->all[1 + i] = call->headers[i];
    if ((rc = cs_signer_sign(aws->signer, &params, &request, &added, err)) != CS_OK)
        return rc;
    for (size_t i = 0; i < added.count; i++)
        call->all[1 + call->header_count + i] = added.items[i];
    if (call->query.len > 0) {
        cs_buf_add_byte(&aws->url, '?');
        cs_buf_add(&aws->url, call->query);
    }
    *out = (struct cs_net_request){
        .method = call->method,
        .url = cs_buf_cstr(&aws->url),
        .headers = call->all,
        .header_count = 1 + call->header_count + added.count,
        .body = call->body,
        .deadline = call->deadline,
    };
    if (call->streamed != NULL &&
        (rc = start_stream(aws, call, &params, &out->body, err)) != CS_OK)
        return rc;
    return cs_buf_check(&aws->url, err);
}

/* The date is taken, and everything signed, anew at each attempt. */
static enum cs_code prepare(struct cs_net_call *net, struct cs_err *err)
{
    struct cs_aws_call *call = net->payload;

    if (cs_aws_operation_find(call->service, call->operation) == NULL)
        return cs_err_set(err, CS_EINTERNAL, "%s is not listed in aws/operations.c",
                          call->operation);
    if (call->response->tries == 0) /* else a kept connection had died: no answer yet */
        call->attempts++;
    return sign_call(call->aws, call, &net->request, err);
}

/* ---- what an answer means ---- */

bool cs_aws_answer_offset(const struct cs_aws *aws,
                          const struct cs_net_response *response, int64_t *offset_us_out)
{
    int64_t theirs_us;

    if (!cs_time_parse_http_date(&theirs_us, cs_net_response_header(response, "date")))
        return false;
    *offset_us_out = theirs_us - aws->options.now_us(aws->options.payload);
    return true;
}

/* A refused signature together with a Date far from ours is a matter of clocks,
 * whatever the service called it. */
static bool is_hidden_skew(struct cs_aws *aws, const struct cs_aws_call *call)
{
    int64_t offset_us;
    int64_t off;

    if (call->response->status != 403 && call->response->status != 400)
        return false;
    if (!cs_aws_error_is(call->error, "SignatureDoesNotMatch") &&
        !cs_aws_error_is(call->error, "InvalidSignatureException") &&
        !cs_aws_error_is(call->error, "AccessDenied") &&
        cs_aws_error_text(call->error, CS_AWS_ERROR_CODE).ptr != NULL)
        return false;
    if (!cs_aws_answer_offset(aws, call->response, &offset_us))
        return false;
    off = offset_us - aws->offset_us;
    return off > SKEW_SUSPICIOUS_US || off < -SKEW_SUSPICIOUS_US;
}

static void what_text(const struct cs_aws_call *call, char *out, size_t size)
{
    static const char *const names[] = {
        [CS_AWS_S3] = "S3", [CS_AWS_DYNAMODB] = "DynamoDB", [CS_AWS_STS] = "AWS STS"};

    (void)snprintf(out, size, "%s %s", names[call->service], call->operation);
}

/* Names the permission that lacks, where the service itself does not. */
static void name_permission(struct cs_aws_call *call)
{
    const struct cs_aws_operation *operation =
        cs_aws_operation_find(call->service, call->operation);
    bool versioned = cs_view_find(call->query, CS_LIT("versionId=")) != SIZE_MAX;
    struct cs_buf actions = CS_BUF_INIT(256);
    size_t at = strlen(call->err.text);

    /* an answer to HEAD has no code; other codes are about credentials */
    if (!cs_aws_error_is(call->error, "AccessDenied") &&
        !cs_aws_error_is(call->error, "AccessDeniedException") &&
        cs_aws_error_text(call->error, CS_AWS_ERROR_CODE).ptr != NULL)
        return;
    if (operation == NULL || strstr(call->err.text, "not authorized to perform") != NULL)
        return;
    cs_aws_operation_add_actions(&actions, operation, versioned);
    (void)snprintf(call->err.text + at, sizeof(call->err.text) - at,
                   " (the IAM permission %s is needed)", cs_buf_cstr(&actions));
    cs_buf_clear(&actions);
}

static enum cs_aws_retry judge_good(struct cs_aws_call *call)
{
    char what[96];

    if (call->is_sound == NULL || call->is_sound(call))
        return CS_AWS_RETRY_NONE;
    what_text(call, what, sizeof(what));
    call->code = cs_err_field(
        &call->err, CS_EUPSTREAM, "", "answer_damaged",
        "%s: the answer is not the service's, or was damaged on its way", what);
    return CS_AWS_RETRY_TRANSIENT;
}

/* Reads the answer into call->error, call->code and call->err; returns the class. */
static enum cs_aws_retry judge(struct cs_aws *aws, struct cs_aws_call *call,
                               const struct cs_net_call *net)
{
    char what[WHAT_MAX];
    int status = call->response->status;

    call->err = CS_ERR_NONE;
    call->code = net->code;
    cs_aws_error_clear(call->error);
    if (net->code != CS_OK) {
        enum cs_net_fault fault = call->response->fault;

        call->err = net->err;
        return fault == CS_NET_LOCAL || fault == CS_NET_DEADLINE ? CS_AWS_RETRY_NONE
                                                                 : CS_AWS_RETRY_TRANSIENT;
    }
    if (status / 100 == 2 &&
        !(call->error_in_200 && cs_view_find(cs_buf_view(&call->response->body),
                                             CS_LIT("<Error>")) != SIZE_MAX))
        return judge_good(call);
    call->code = cs_aws_error_read(call->error, call->response, &call->err);
    if (call->code != CS_OK)
        return CS_AWS_RETRY_NONE;
    if (call->error->retry == CS_AWS_RETRY_NONE && is_hidden_skew(aws, call))
        call->error->retry = CS_AWS_RETRY_SKEW;
    what_text(call, what, sizeof(what));
    call->code = cs_aws_error_report(call->error, what, &call->err);
    if (call->code == CS_EDENIED)
        name_permission(call);
    return call->error->retry;
}

/* ---- again ---- */

static bool correct_clock(struct cs_aws *aws, struct cs_aws_call *call)
{
    int64_t offset_us;

    if (call->skew_corrected || !cs_aws_answer_offset(aws, call->response, &offset_us))
        return false;
    call->skew_corrected = true;
    aws->offset_us = offset_us;
    cs_log_put(aws->options.log, CS_LOG_WARN, "AWS clock offset corrected",
               CS_LOG_NUM("offset_ms", offset_us / 1000));
    return true;
}

static bool renew_credentials(struct cs_aws *aws, struct cs_aws_call *call)
{
    if (call->renewed)
        return false;
    call->renewed = true;
    cs_aws_credentials_expire(aws->options.credentials);
    return true;
}

static bool move_region(struct cs_aws_call *call)
{
    struct cs_view region = cs_aws_error_text(call->error, CS_AWS_ERROR_BUCKET_REGION);

    if (region.ptr == NULL)
        region = cs_aws_error_text(call->error, CS_AWS_ERROR_REGION);
    if (call->relocated || call->relocate == NULL || region.len == 0)
        return false;
    call->relocated = true;
    return call->relocate(call, region);
}

static bool wait_for_next(struct cs_aws *aws, struct cs_aws_call *call,
                          struct cs_net_call *net)
{
    const struct cs_retry_policy *policy = &aws->options.retry;
    enum cs_net_fault fault = call->response->fault;
    int cost = fault == CS_NET_IDLE || net->code == CS_ETIMEOUT ? CS_RETRY_COST_TIMEOUT
                                                                : CS_RETRY_COST;
    int64_t wait_us = cs_retry_backoff_us(policy, call->attempts, cs_aws_random(aws));
    int64_t asked_us = cs_retry_after_us(
        cs_net_response_header(call->response, "retry-after"), cs_aws_now_us(aws));
    int64_t at_us;

    if (asked_us > wait_us)
        wait_us = asked_us;
    call->err.retry_after_s = (int)((wait_us + CS_SECOND_US - 1) / CS_SECOND_US);
    at_us = cs_clock_monotonic_us() + wait_us;
    if (call->attempts >= policy->max_attempts ||
        at_us + WORTH_TRYING_US > call->deadline.at_us ||
        !cs_retry_take(&aws->bucket, cost))
        return false;
    call->taken = cost;
    net->not_before_us = at_us;
    return true;
}

static bool may_try_again(struct cs_aws *aws, struct cs_aws_call *call,
                          struct cs_net_call *net, enum cs_aws_retry class)
{
    net->not_before_us = 0;
    switch (class) {
    case CS_AWS_RETRY_NONE:
        return false;
    case CS_AWS_RETRY_CREDENTIALS:
        return renew_credentials(aws, call);
    case CS_AWS_RETRY_SKEW:
        return correct_clock(aws, call);
    case CS_AWS_RETRY_REGION:
        return move_region(call);
    case CS_AWS_RETRY_THROTTLING:
    case CS_AWS_RETRY_TRANSACTION_THROTTLED:
        count(&aws->options.counts->throttled, 1);
        break;
    default:
        break;
    }
    return wait_for_next(aws, call, net);
}

/* A held body is read after the call: what was announced is counted. */
static uint64_t bytes_of(const struct cs_net_response *response)
{
    uint64_t announced = 0;

    if (response->held != NULL &&
        !cs_view_to_u64(cs_net_response_header(response, "content-length"), &announced))
        announced = 0;
    return response->bytes_sent + response->bytes_received + announced;
}

static void log_call(struct cs_aws *aws, const struct cs_aws_call *call)
{
    static const char *const subject_names[] = {
        [CS_AWS_S3] = "key", [CS_AWS_DYNAMODB] = "table", [CS_AWS_STS] = "region"};
    char what[WHAT_MAX];
    char units[32] = "";
    struct cs_view code = cs_aws_error_text(call->error, CS_AWS_ERROR_CODE);
    struct cs_view id = cs_aws_error_text(call->error, CS_AWS_ERROR_REQUEST_ID);
    bool bad = call->code == CS_EDENIED || call->code == CS_EUNAUTH ||
               call->code == CS_EUPSTREAM || call->code == CS_ETIMEOUT;

    if (!cs_log_wants(aws->options.log, bad ? CS_LOG_WARN : CS_LOG_INFO))
        return;
    what_text(call, what, sizeof(what));
    if (call->units > 0)
        (void)snprintf(units, sizeof(units), "%.1f", call->units);
    if (id.ptr == NULL)
        id = cs_net_response_header(call->response, "x-amzn-requestid");
    if (id.ptr == NULL)
        id = cs_net_response_header(call->response, "x-amz-request-id");
    if (code.ptr == NULL)
        code = cs_view_cstr(call->err.reason);
    cs_log_put(aws->options.log, bad ? CS_LOG_WARN : CS_LOG_INFO, what,
               CS_LOG_TEXT(call->subject_name != NULL ? call->subject_name
                                                      : subject_names[call->service],
                           call->subject),
               CS_LOG_NUM("status", call->response->status),
               CS_LOG_NUM("bytes", bytes_of(call->response)),
               CS_LOG_NUM("ms", (cs_clock_monotonic_us() - call->started_us) / 1000),
               CS_LOG_NUM("attempts", call->attempts),
               CS_LOG_TEXT("request_id", id.ptr != NULL ? id : cs_view_of("", 0)),
               CS_LOG_TEXT("units", cs_view_cstr(units)), CS_LOG_TEXT("error", code));
}

static void settle(struct cs_aws *aws, struct cs_aws_call *call)
{
    call->settled = true;
    if (call->code == CS_OK) {
        cs_retry_give(&aws->bucket, call->taken > 0 ? call->taken : CS_RETRY_REWARD);
        if (call->units_of != NULL)
            call->units = call->units_of(call->response);
    } else {
        count(&aws->options.counts->failures, 1);
    }
    count(&aws->options.counts->milliunits, (uint64_t)llround(call->units * 1000));
    count(&aws->options.counts->retries, call->attempts > 1 ? call->attempts - 1 : 0);
    log_call(aws, call);
}

static bool again(struct cs_net_call *net)
{
    struct cs_aws_call *call = net->payload;
    enum cs_aws_retry class = judge(call->aws, call, net);

    if (call->code == CS_OK || !may_try_again(call->aws, call, net, class)) {
        settle(call->aws, call);
        return false;
    }
    if (call->response->held != NULL)
        cs_net_release(call->response);
    return true;
}

static void begin(struct cs_aws *aws, struct cs_aws_call *call, struct cs_net_call *net)
{
    call->aws = aws;
    call->attempts = 0;
    call->units = 0;
    call->taken = 0;
    call->renewed = call->skew_corrected = call->relocated = call->settled = false;
    call->started_us = cs_clock_monotonic_us();
    call->code = CS_OK;
    call->err = CS_ERR_NONE;
    cs_aws_error_clear(call->error);
    count(&aws->options.counts->calls[call->service], 1);
    *net = (struct cs_net_call){
        .response = call->response,
        .small = call->service == CS_AWS_DYNAMODB,
        .prepare = prepare,
        .again = again,
        .payload = call,
    };
}

void cs_aws_perform_many(struct cs_aws *aws, struct cs_aws_call *const *calls,
                         size_t count, size_t parallel, struct cs_err *err)
{
    struct cs_net_call nets[CS_AWS_MANY_MAX];

    if (count > CS_AWS_MANY_MAX) {
        for (size_t i = 0; i < count; i++)
            calls[i]->code = cs_err_set(err, CS_EINTERNAL, "too many calls at once");
        return;
    }
    for (size_t i = 0; i < count; i++)
        begin(aws, calls[i], &nets[i]);
    cs_net_perform_many(aws->options.net, nets, count, parallel);
    for (size_t i = 0; i < count; i++) {
        /* one that could not be started, at first or again, ended outside of again() */
        if (!calls[i]->settled) {
            calls[i]->code = nets[i].code;
            calls[i]->err = nets[i].err;
            settle(aws, calls[i]);
        }
        if (calls[i]->code != CS_OK)
            cs_err_hand_on(err, &calls[i]->err);
    }
}

enum cs_code cs_aws_perform(struct cs_aws *aws, struct cs_aws_call *call,
                            struct cs_err *err)
{
    cs_aws_perform_many(aws, &call, 1, 1, err);
    return call->code;
}

/* ---- presigned URLs ---- */

enum cs_code cs_aws_presign(struct cs_aws *aws, const struct cs_aws_presign *what,
                            struct cs_buf *out, int64_t *expires_at_us,
                            struct cs_err *err)
{
    const struct cs_net_header host = {CS_LIT("Host"),
                                       cs_aws_endpoint_host(what->endpoint)};
    struct cs_sigv4_request request = {
        .method = cs_view_cstr(what->method),
        .query = what->query,
        .query_is_canonical = true,
        .headers = &host,
        .header_count = 1,
        .payload = CS_LIT(CS_SIGV4_UNSIGNED),
        .path_rule = path_rule(what->service),
    };
    struct cs_signer_params params;
    struct cs_aws_keys keys;
    int64_t ttl_s = what->ttl_s;
    size_t path_at;
    enum cs_code rc;

    *expires_at_us = 0;
    if ((rc = start_params(aws, what->service, what->region, what->deadline, &params,
                           &keys, err)) != CS_OK)
        return rc;
    if (keys.expires_at_us != 0 &&
        ttl_s > (keys.expires_at_us - params.time_us) / CS_SECOND_US)
        ttl_s = (keys.expires_at_us - params.time_us) / CS_SECOND_US;
    if (ttl_s < 1 && what->ttl_s >= 1)
        return cs_err_set(err, CS_EUNAUTH,
                          "the AWS credentials are at their end: no link can be signed");
    path_at = start_url(&aws->url, what->endpoint, what->path);
    if ((rc = cs_buf_check(&aws->url, err)) != CS_OK)
        return rc;
    request.path = cs_view_from(cs_buf_view(&aws->url), path_at);
    cs_buf_add(out, cs_buf_view(&aws->url));
    cs_buf_add_byte(out, '?');
    rc = cs_signer_presign(aws->signer, &params, &request, ttl_s, out, err);
    if (rc == CS_OK)
        *expires_at_us =
            params.time_us / CS_SECOND_US * CS_SECOND_US + ttl_s * CS_SECOND_US;
    return rc;
}
