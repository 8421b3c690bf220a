#include "config.h"

#include "aws/errors.h"

#include <stdio.h>

#include "aws/retry.h"
#include "aws/xml.h"
#include "json/tree.h"

#define TEXT_MAX (512u << 10) /* an item that failed a condition may come along */

static const struct cs_aws_span not_given = {0, SIZE_MAX};

void cs_aws_error_init(struct cs_aws_error *error)
{
    memset(error, 0, sizeof(*error));
    cs_buf_init(&error->text, TEXT_MAX);
    for (size_t i = 0; i < CS_AWS_ERROR_FIELDS; i++)
        error->fields[i] = not_given;
}

void cs_aws_error_clear(struct cs_aws_error *error)
{
    cs_buf_clear(&error->text);
    cs_aws_error_init(error);
}

static struct cs_view text_of(const struct cs_aws_error *error, struct cs_aws_span span)
{
    if (span.len == SIZE_MAX)
        return cs_view_of(NULL, 0);
    return cs_view_of(cs_buf_view(&error->text).ptr + span.at, span.len);
}

struct cs_view cs_aws_error_text(const struct cs_aws_error *error,
                                 enum cs_aws_error_field field)
{
    return text_of(error, error->fields[field]);
}

struct cs_view cs_aws_error_reason(const struct cs_aws_error *error, size_t index)
{
    return index < error->reason_count ? text_of(error, error->reasons[index])
                                       : cs_view_of(NULL, 0);
}

bool cs_aws_error_is(const struct cs_aws_error *error, const char *code)
{
    return cs_view_eq_cstr(cs_aws_error_text(error, CS_AWS_ERROR_CODE), code);
}

static struct cs_aws_span keep(struct cs_aws_error *error, struct cs_view text)
{
    struct cs_aws_span span = {error->text.len, text.len};

    if (text.ptr == NULL)
        return not_given;
    cs_buf_add(&error->text, text);
    return error->text.failed == CS_OK ? span : not_given;
}

/* The first one stands. */
static void set_field(struct cs_aws_error *error, enum cs_aws_error_field field,
                      struct cs_view text)
{
    if (error->fields[field].len == SIZE_MAX && text.ptr != NULL)
        error->fields[field] = keep(error, text);
}

/* ---- bodies ---- */

static bool on_element(void *payload, struct cs_view path, struct cs_view text)
{
    static const struct {
        const char *name;
        enum cs_aws_error_field field;
    } names[] = {
        {"Error/Code", CS_AWS_ERROR_CODE},
        {"Error/Message", CS_AWS_ERROR_MESSAGE},
        {"Error/RequestId", CS_AWS_ERROR_REQUEST_ID},
        {"Error/HostId", CS_AWS_ERROR_HOST_ID},
        {"Error/Region", CS_AWS_ERROR_REGION},
        {"Error/Endpoint", CS_AWS_ERROR_ENDPOINT},
        {"RequestId", CS_AWS_ERROR_REQUEST_ID},
        {"RequestID", CS_AWS_ERROR_REQUEST_ID},
    };
    static const struct cs_view wrapper = CS_LIT_INIT("ErrorResponse/");

    if (cs_view_starts(path, wrapper)) /* as the query protocol of STS answers */
        path = cs_view_from(path, wrapper.len);
    for (size_t i = 0; i < CS_COUNT(names) && text.len > 0; i++)
        if (cs_view_eq_cstr(path, names[i].name))
            set_field(payload, names[i].field, text);
    return true;
}

/* "aws.protocoltests.json10#FooError:http://..." is FooError. */
static struct cs_view bare_code(struct cs_view code)
{
    size_t colon = cs_view_find_byte(code, ':');
    size_t hash;

    if (code.ptr == NULL)
        return code;
    code = cs_view_sub(code, 0, colon);
    hash = cs_view_find_byte(code, '#');
    return hash == SIZE_MAX ? code : cs_view_from(code, hash + 1);
}

static void read_reasons(struct cs_aws_error *error, const struct cs_json *reasons)
{
    size_t count = cs_json_length(reasons);

    for (size_t i = 0; i < count && i < CS_AWS_REASONS_MAX; i++)
        error->reasons[error->reason_count++] =
            keep(error, cs_json_get_string(cs_json_at(reasons, i), "Code"));
}

static void read_json(struct cs_aws_error *error, struct cs_view body)
{
    struct cs_json *root;
    const struct cs_json *item;
    enum cs_code rc = cs_json_parse(&root, body, NULL, NULL);

    if (rc == CS_ENOMEM)
        error->text.failed = rc;
    if (rc != CS_OK)
        return; /* an intermediary's page, or cut short: the status has to do */
    set_field(error, CS_AWS_ERROR_CODE, bare_code(cs_json_get_string(root, "__type")));
    set_field(error, CS_AWS_ERROR_CODE, bare_code(cs_json_get_string(root, "code")));
    set_field(error, CS_AWS_ERROR_MESSAGE, cs_json_get_string(root, "message"));
    set_field(error, CS_AWS_ERROR_MESSAGE, cs_json_get_string(root, "Message"));
    item = cs_json_get(root, "Item");
    if (item != NULL) {
        size_t at = error->text.len;

        cs_json_write_node(&error->text, item);
        error->fields[CS_AWS_ERROR_ITEM] = (struct cs_aws_span){at, error->text.len - at};
    }
    read_reasons(error, cs_json_get(root, "CancellationReasons"));
    cs_json_free(root);
}

static void read_body(struct cs_aws_error *error, struct cs_view body)
{
    enum cs_code rc = CS_OK;

    body = cs_view_trim(body);
    if (body.len == 0)
        return;
    if (body.ptr[0] == '{')
        read_json(error, body);
    else if (body.ptr[0] == '<')
        rc = cs_xml_read(body, on_element, error, NULL);
    if (rc == CS_ENOMEM)
        error->text.failed = rc;
    if (rc != CS_OK)
        /* what was read before the fault may be half a text */
        error->fields[CS_AWS_ERROR_CODE] = error->fields[CS_AWS_ERROR_MESSAGE] =
            not_given;
}

/* "foo.s3.eu-central-1.amazonaws.com" names eu-central-1, and so do "s3-eu-central-1",
 * "s3-fips.eu-central-1" and "s3.dualstack.eu-central-1". */
static struct cs_view region_in(struct cs_view endpoint)
{
    struct cs_view rest = endpoint;
    struct cs_view part;
    bool after_s3 = false;

    while (endpoint.ptr != NULL && cs_view_split(&rest, '.', &part)) {
        if (after_s3 && !cs_view_eq(part, CS_LIT("dualstack")))
            return cs_view_eq(part, CS_LIT("amazonaws")) ? CS_LIT("us-east-1") : part;
        after_s3 = after_s3 || cs_view_eq(part, CS_LIT("s3")) ||
                   cs_view_eq(part, CS_LIT("s3-fips"));
        if (!after_s3 && cs_view_starts(part, CS_LIT("s3-")))
            return cs_view_from(part, 3);
    }
    return cs_view_of(NULL, 0);
}

/* ---- classes ---- */

static enum cs_aws_retry transaction_class(const struct cs_aws_error *error)
{
    static const struct cs_view throttled[] = {
        CS_LIT_INIT("ThrottlingError"), CS_LIT_INIT("ProvisionedThroughputExceeded"),
        CS_LIT_INIT("RequestLimitExceeded")};
    bool slow = false;
    bool conflict = false;

    for (size_t i = 0; i < error->reason_count; i++) {
        struct cs_view reason = cs_aws_error_reason(error, i);

        if (cs_view_eq(reason, CS_LIT("TransactionConflict")))
            conflict = true;
        else if (cs_view_is_among(reason, throttled, CS_COUNT(throttled)))
            slow = true;
        else if (!cs_view_eq(reason, CS_LIT("None")))
            return CS_AWS_RETRY_NONE;
    }
    if (slow)
        return CS_AWS_RETRY_TRANSACTION_THROTTLED;
    return conflict ? CS_AWS_RETRY_TRANSACTION_CONFLICT : CS_AWS_RETRY_NONE;
}

static bool is_skew(const struct cs_aws_error *error, struct cs_view code)
{
    static const struct cs_view codes[] = {CS_LIT_INIT("RequestTimeTooSkewed"),
                                           CS_LIT_INIT("RequestInTheFuture"),
                                           CS_LIT_INIT("RequestExpired")};
    struct cs_view message = cs_aws_error_text(error, CS_AWS_ERROR_MESSAGE);

    if (cs_view_is_among(code, codes, CS_COUNT(codes)))
        return true;
    /* DynamoDB and STS have one code for all faults of a signature. */
    return (cs_view_eq(code, CS_LIT("InvalidSignatureException")) ||
            cs_view_eq(code, CS_LIT("SignatureDoesNotMatch"))) &&
           (cs_view_starts(message, CS_LIT("Signature expired")) ||
            cs_view_starts(message, CS_LIT("Signature not yet current")));
}

static bool is_wrong_region(const struct cs_aws_error *error, struct cs_view code)
{
    static const struct cs_view codes[] = {
        CS_LIT_INIT("PermanentRedirect"), CS_LIT_INIT("TemporaryRedirect"),
        CS_LIT_INIT("Redirect"), CS_LIT_INIT("IncorrectEndpoint"),
        CS_LIT_INIT("IllegalLocationConstraintException")};
    bool named = error->fields[CS_AWS_ERROR_BUCKET_REGION].len != SIZE_MAX ||
                 error->fields[CS_AWS_ERROR_REGION].len != SIZE_MAX;

    if (cs_view_is_among(code, codes, CS_COUNT(codes)))
        return true;
    if (cs_view_eq(code, CS_LIT("AuthorizationHeaderMalformed")) ||
        cs_view_eq(code, CS_LIT("AuthorizationQueryParametersError")))
        return named;
    /* An answer to HEAD has no body to say more. */
    return code.ptr == NULL && named &&
           (error->status == 301 || error->status == 307 || error->status == 400);
}

static enum cs_aws_retry class_of(const struct cs_aws_error *error)
{
    static const struct cs_view expired[] = {CS_LIT_INIT("ExpiredToken"),
                                             CS_LIT_INIT("ExpiredTokenException"),
                                             CS_LIT_INIT("TokenRefreshRequired")};
    struct cs_view code = cs_aws_error_text(error, CS_AWS_ERROR_CODE);

    if (cs_view_eq(code, CS_LIT("TransactionCanceledException")))
        return transaction_class(error);
    if (cs_view_eq(code, CS_LIT("TransactionConflictException")))
        return CS_AWS_RETRY_TRANSACTION_CONFLICT;
    if (cs_view_is_among(code, expired, CS_COUNT(expired)))
        return CS_AWS_RETRY_CREDENTIALS;
    if (is_skew(error, code))
        return CS_AWS_RETRY_SKEW;
    if (is_wrong_region(error, code))
        return CS_AWS_RETRY_REGION;
    if (cs_retry_is_throttling(error->status, code))
        return CS_AWS_RETRY_THROTTLING;
    if (cs_retry_is_transient(error->status, code))
        return CS_AWS_RETRY_TRANSIENT;
    return CS_AWS_RETRY_NONE;
}

static struct cs_view or_none(struct cs_view text)
{
    return text.len > 0 ? text : cs_view_of(NULL, 0);
}

enum cs_code cs_aws_error_read(struct cs_aws_error *error,
                               const struct cs_net_response *response, struct cs_err *err)
{
    static const struct {
        const char *name;
        enum cs_aws_error_field field;
    } headers[] = {
        {"x-amz-bucket-region", CS_AWS_ERROR_BUCKET_REGION},
        {"x-amzn-requestid", CS_AWS_ERROR_REQUEST_ID},
        {"x-amz-request-id", CS_AWS_ERROR_REQUEST_ID},
        {"x-amz-id-2", CS_AWS_ERROR_HOST_ID},
    };

    cs_aws_error_clear(error);
    error->status = response->status;
    set_field(error, CS_AWS_ERROR_CODE,
              or_none(bare_code(cs_net_response_header(response, "x-amzn-errortype"))));
    for (size_t i = 0; i < CS_COUNT(headers); i++)
        set_field(error, headers[i].field,
                  or_none(cs_net_response_header(response, headers[i].name)));
    read_body(error, cs_buf_view(&response->body));
    if (error->fields[CS_AWS_ERROR_BUCKET_REGION].len == SIZE_MAX) {
        /* room first: what is copied lies in the buffer that it is copied to */
        cs_buf_reserve(&error->text, error->text.len);
        set_field(error, CS_AWS_ERROR_BUCKET_REGION,
                  region_in(cs_aws_error_text(error, CS_AWS_ERROR_ENDPOINT)));
    }
    error->retry = class_of(error);
    return error->text.failed == CS_ENOMEM ? cs_err_nomem(err) : CS_OK;
}

/* ---- reports ---- */

/* The only reason that is the caller's matter: others changed what he saw. */
static bool condition_failed(const struct cs_aws_error *error)
{
    for (size_t i = 0; i < error->reason_count; i++)
        if (cs_view_eq(cs_aws_error_reason(error, i), CS_LIT("ConditionalCheckFailed")))
            return true;
    return false;
}

static enum cs_code report_code(const struct cs_aws_error *error)
{
    static const struct {
        const char *code;
        enum cs_code means;
    } codes[] = {
        {"ConditionalCheckFailedException", CS_ECONFLICT},
        {"PreconditionFailed", CS_ECONFLICT},
        {"ResourceInUseException", CS_EEXISTS},
        {"BucketAlreadyOwnedByYou", CS_EEXISTS},
        {"BucketAlreadyExists", CS_EEXISTS},
        {"ResourceNotFoundException", CS_ENOTFOUND},
        {"AccessDeniedException", CS_EDENIED},
        {"InvalidRange", CS_ERANGE},
        {"NotImplemented", CS_EUNSUPPORTED},
        {"EntityTooLarge", CS_ETOOBIG},
    };

    switch (error->retry) {
    case CS_AWS_RETRY_THROTTLING:
    case CS_AWS_RETRY_TRANSACTION_THROTTLED:
    case CS_AWS_RETRY_TRANSACTION_CONFLICT:
        return CS_EBUSY;
    default:
        break;
    }
    if (cs_aws_error_is(error, "TransactionCanceledException"))
        return condition_failed(error) ? CS_ECONFLICT : CS_EUPSTREAM;
    for (size_t i = 0; i < CS_COUNT(codes); i++)
        if (cs_aws_error_is(error, codes[i].code))
            return codes[i].means;
    switch (error->status) {
    case 404:
        return CS_ENOTFOUND;
    case 403:
    case 401:
        return CS_EDENIED;
    case 412:
        return CS_ECONFLICT;
    case 416:
        return CS_ERANGE;
    case 501:
        return CS_EUNSUPPORTED;
    default:
        return CS_EUPSTREAM;
    }
}

static void copy_text(char *out, size_t size, struct cs_view text)
{
    (void)snprintf(out, size, "%.*s", CS_FMT(text));
}

enum cs_code cs_aws_error_report(const struct cs_aws_error *error, const char *what,
                                 struct cs_err *err)
{
    struct cs_view code = cs_aws_error_text(error, CS_AWS_ERROR_CODE);
    struct cs_view message = cs_aws_error_text(error, CS_AWS_ERROR_MESSAGE);
    enum cs_code means = report_code(error);
    char reason[64];

    if (err == NULL || err->code != CS_OK)
        return means;
    copy_text(reason, sizeof(reason), code);
    err->upstream_status = error->status;
    copy_text(err->request_id, sizeof(err->request_id),
              cs_aws_error_text(error, CS_AWS_ERROR_REQUEST_ID));
    if (code.ptr == NULL)
        return cs_err_field(err, means, "", "", "%s: status %d", what, error->status);
    return cs_err_field(err, means, "", reason, "%s: %.*s%s%.*s", what, CS_FMT(code),
                        message.len > 0 ? ": " : "", CS_FMT(message));
}
