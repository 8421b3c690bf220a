#include "config.h"

#include "aws/credentials_internal.h"
#include "aws/endpoint.h"
#include "aws/errors.h"
#include "aws/xml.h"
#include "base/encoding.h"

#define ANSWER_MAX  65536u
#define OWN_HEADERS 2u /* beside those of the signature */

/* ---- the answer ---- */

struct answer {
    struct cs_buf id, secret, token, end;
};

static bool on_element(void *payload, struct cs_view path, struct cs_view text)
{
    static const struct cs_view inside = CS_LIT_INIT("/Credentials/");
    struct answer *answer = payload;
    size_t at = cs_view_find(path, inside);
    struct cs_view name;

    if (at == SIZE_MAX)
        return true;
    name = cs_view_from(path, at + inside.len);
    if (cs_view_eq(name, CS_LIT("AccessKeyId")))
        cs_buf_add(&answer->id, text);
    else if (cs_view_eq(name, CS_LIT("SecretAccessKey")))
        cs_buf_add(&answer->secret, text);
    else if (cs_view_eq(name, CS_LIT("SessionToken")))
        cs_buf_add(&answer->token, text);
    else if (cs_view_eq(name, CS_LIT("Expiration")))
        cs_buf_add(&answer->end, text);
    return true;
}

static enum cs_code read_answer(struct cs_keyset *out, struct cs_view body,
                                struct cs_err *err)
{
    struct answer answer = {CS_BUF_INIT(CS_KEY_TOKEN_MAX), CS_BUF_INIT(CS_KEY_TOKEN_MAX),
                            CS_BUF_INIT(CS_KEY_TOKEN_MAX), CS_BUF_INIT(CS_KEY_TOKEN_MAX)};
    enum cs_code rc;

    if ((rc = cs_xml_read(body, on_element, &answer, err)) != CS_OK ||
        (rc = cs_keyset_set(out, cs_buf_view(&answer.id), cs_buf_view(&answer.secret),
                            cs_buf_view(&answer.token), err)) != CS_OK)
        goto out;
    rc = cs_time_parse(&out->expires_at_us, cs_buf_view(&answer.end), err);
    if (rc != CS_OK)
        cs_keyset_clear(out);
out:
    cs_buf_wipe(&answer.id);
    cs_buf_wipe(&answer.secret);
    cs_buf_wipe(&answer.token);
    cs_buf_clear(&answer.end);
    return rc;
}

/* ---- the request ---- */

static void add_param(struct cs_buf *body, const char *name, struct cs_view value)
{
    if (value.len == 0)
        return;
    if (body->len > 0)
        cs_buf_add_byte(body, '&');
    cs_buf_add_cstr(body, name);
    cs_buf_add_byte(body, '=');
    cs_percent_encode(body, value, false);
}

static enum cs_code make_body(struct cs_buf *body, const struct cs_assume_role *role,
                              struct cs_err *err)
{
    bool web = role->web_identity_file != NULL;
    struct cs_buf token = CS_BUF_INIT(CS_KEY_TOKEN_MAX);
    enum cs_code rc = CS_OK;

    add_param(body, "Action",
              web ? CS_LIT("AssumeRoleWithWebIdentity") : CS_LIT("AssumeRole"));
    add_param(body, "Version", CS_LIT("2011-06-15"));
    add_param(body, "RoleArn", role->role_arn);
    add_param(body, "RoleSessionName",
              role->session_name.len > 0 ? role->session_name : CS_LIT(PACKAGE_NAME));
    add_param(body, "ExternalId", role->external_id);
    add_param(body, "DurationSeconds", cs_view_cstr(role->duration_s));
    if (web && (rc = cs_key_file(&token, role->web_identity_file, err)) == CS_OK)
        add_param(body, "WebIdentityToken", cs_view_trim(cs_buf_view(&token)));
    cs_buf_wipe(&token);
    return rc == CS_OK ? cs_buf_check(body, err) : rc;
}

struct exchange {
    const struct cs_key_search *search;
    const struct cs_assume_role *role;
    struct cs_view region;
    struct cs_aws_endpoint endpoint;
    struct cs_buf body;
    struct cs_buf url;
    struct cs_net_response response;
    struct cs_signer *signer;
    struct cs_signer_headers added;
    struct cs_net_header headers[OWN_HEADERS + CS_SIGNER_ADDED_MAX];
    size_t header_count;
    int64_t now_us; /* of STS's clock, as far as it said */
    unsigned attempts;
    bool skew_corrected;
};

static enum cs_code make_endpoint(struct exchange *x, struct cs_err *err)
{
    const char *url = cs_key_setting(x->search, "AWS_ENDPOINT_URL_STS");
    struct cs_aws_endpoint_options options = {.service = CS_AWS_STS,
                                              .region = x->region,
                                              .dual_stack =
                                                  x->search->options->dual_stack,
                                              .fips = x->search->options->fips};
    enum cs_code rc;

    if (url == NULL)
        url = cs_key_setting(x->search, "AWS_ENDPOINT_URL");
    options.url = cs_view_cstr(url);
    if ((rc = cs_aws_endpoint_make(&x->endpoint, &options, err)) != CS_OK)
        return rc;
    cs_buf_add(&x->url, cs_buf_view(&x->endpoint.origin));
    cs_buf_add(&x->url, cs_buf_view(&x->endpoint.path));
    cs_buf_add_byte(&x->url, '/');
    return cs_buf_check(&x->url, err);
}

static enum cs_code sign(struct exchange *x, struct cs_err *err)
{
    const struct cs_keyset *keys = x->role->signer;
    const struct cs_signer_params params = {
        .access_key_id = cs_view_cstr(keys->access_key_id),
        .secret = cs_view_cstr(keys->secret),
        .token = cs_view_cstr(keys->token),
        .region = x->region,
        .service = cs_aws_service_name(CS_AWS_STS),
        .time_us = x->now_us,
    };
    char payload[CS_SHA256_HEX_LEN + 1];
    struct cs_sigv4_request request = {
        .method = CS_LIT("POST"),
        .path = cs_view_from(cs_buf_view(&x->url), x->endpoint.origin.len),
        .headers = x->headers,
        .header_count = OWN_HEADERS,
        .path_rule = CS_SIGV4_PATH_NORMALIZE,
    };
    enum cs_code rc;

    if ((rc = cs_sha256_hex_of(payload, cs_buf_view(&x->body), err)) != CS_OK)
        return rc;
    request.payload = cs_view_of(payload, CS_SHA256_HEX_LEN);
    if ((rc = cs_signer_sign(x->signer, &params, &request, &x->added, err)) != CS_OK)
        return rc;
    for (size_t i = 0; i < x->added.count; i++)
        x->headers[OWN_HEADERS + i] = x->added.items[i];
    x->header_count = OWN_HEADERS + x->added.count;
    return CS_OK;
}

static const char *operation_of(const struct cs_assume_role *role)
{
    return role->web_identity_file != NULL ? "AWS STS AssumeRoleWithWebIdentity"
                                           : "AWS STS AssumeRole";
}

/* In the form of aws/call.c. */
static void log_exchange(const struct exchange *x, enum cs_code code, int64_t started_us,
                         const struct cs_err *err)
{
    const struct cs_net_response *response = &x->response;
    struct cs_view id = cs_net_response_header(response, "x-amzn-requestid");

    cs_log_put(x->search->options->log, code == CS_OK ? CS_LOG_INFO : CS_LOG_WARN,
               operation_of(x->role), CS_LOG_TEXT("region", x->region),
               CS_LOG_NUM("status", response->status),
               CS_LOG_NUM("bytes", response->bytes_sent + response->bytes_received),
               CS_LOG_NUM("ms", (cs_clock_monotonic_us() - started_us) / 1000),
               CS_LOG_NUM("attempts", x->attempts),
               CS_LOG_TEXT("request_id", id.ptr != NULL ? id : CS_LIT("")),
               CS_LOG_TEXT("units", CS_LIT("")),
               CS_LOG_TEXT("error", cs_view_cstr(err->reason)));
}

static enum cs_code exchange(struct exchange *x, enum cs_aws_retry *again_out,
                             struct cs_err *err)
{
    const struct cs_net_request request = {
        .method = "POST",
        .url = cs_buf_cstr(&x->url),
        .headers = x->headers,
        .header_count = x->header_count,
        .body = {.kind = CS_NET_BODY_BYTES, .bytes = cs_buf_view(&x->body)},
        .deadline = x->search->deadline,
    };
    enum cs_net_fault fault;
    struct cs_aws_error error;
    enum cs_code rc =
        cs_net_perform(x->search->options->net, &request, &x->response, err);

    fault = x->response.fault;
    *again_out = fault == CS_NET_OK || fault == CS_NET_LOCAL || fault == CS_NET_DEADLINE
                     ? CS_AWS_RETRY_NONE
                     : CS_AWS_RETRY_TRANSIENT;
    if (rc != CS_OK || x->response.status == 200)
        return rc;
    cs_aws_error_init(&error);
    if ((rc = cs_aws_error_read(&error, &x->response, err)) == CS_OK) {
        *again_out = error.retry;
        rc = cs_aws_error_report(&error, operation_of(x->role), err);
    }
    cs_aws_error_clear(&error);
    return rc == CS_ENOTFOUND ? CS_EUNAUTH : rc;
}

static bool correct_clock(struct exchange *x)
{
    int64_t theirs_us;

    if (x->skew_corrected ||
        !cs_time_parse_http_date(&theirs_us,
                                 cs_net_response_header(&x->response, "date")))
        return false;
    x->skew_corrected = true;
    x->now_us = theirs_us;
    return true;
}

static bool may_try_again(struct exchange *x, enum cs_aws_retry class)
{
    switch (class) {
    case CS_AWS_RETRY_SKEW:
        return correct_clock(x);
    case CS_AWS_RETRY_TRANSIENT:
    case CS_AWS_RETRY_THROTTLING:
        return cs_key_again(x->search, x->attempts, &x->response);
    default:
        return false;
    }
}

static enum cs_code send(struct exchange *x, struct cs_err *err)
{
    int64_t started_us = cs_clock_monotonic_us();
    enum cs_aws_retry class = CS_AWS_RETRY_NONE;
    struct cs_err why;
    enum cs_code rc;

    do {
        why = CS_ERR_NONE;
        x->attempts++;
        if (x->role->signer != NULL && (rc = sign(x, &why)) != CS_OK)
            break;
        rc = exchange(x, &class, &why);
    } while (rc != CS_OK && may_try_again(x, class));
    log_exchange(x, rc, started_us, &why);
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

enum cs_code cs_keys_assume_role(const struct cs_key_search *search,
                                 const struct cs_assume_role *role, struct cs_keyset *out,
                                 struct cs_err *err)
{
    struct exchange x = {
        .search = search,
        .role = role,
        .region = role->region.len > 0 ? role->region : search->options->region,
        .body = CS_BUF_INIT(2 * CS_KEY_TOKEN_MAX),
        .url = CS_BUF_INIT(4096),
        .now_us = search->now_us,
    };
    enum cs_code rc;

    cs_aws_endpoint_init(&x.endpoint);
    cs_net_response_init(&x.response, ANSWER_MAX);
    x.signer = cs_signer_new();
    if (x.signer == NULL) {
        rc = cs_err_nomem(err);
        goto out;
    }
    if ((rc = make_endpoint(&x, err)) != CS_OK ||
        (rc = make_body(&x.body, role, err)) != CS_OK)
        goto out;
    x.headers[0] =
        (struct cs_net_header){CS_LIT("Host"), cs_aws_endpoint_host(&x.endpoint)};
    x.headers[1] = (struct cs_net_header){CS_LIT("Content-Type"),
                                          CS_LIT("application/x-www-form-urlencoded")};
    x.header_count = OWN_HEADERS;
    if ((rc = send(&x, err)) == CS_OK)
        rc = read_answer(out, cs_buf_view(&x.response.body), err);
out:
    cs_signer_free(x.signer);
    cs_aws_endpoint_clear(&x.endpoint);
    cs_buf_wipe(&x.response.body);
    cs_net_response_clear(&x.response);
    cs_buf_wipe(&x.body);
    cs_buf_clear(&x.url);
    return rc;
}

enum cs_code cs_keys_from_web_identity(const struct cs_key_search *search,
                                       struct cs_keyset *out, struct cs_err *err)
{
    const char *file = cs_key_setting(search, "AWS_WEB_IDENTITY_TOKEN_FILE");
    const char *arn = cs_key_setting(search, "AWS_ROLE_ARN");
    const struct cs_assume_role role = {
        .role_arn = cs_view_cstr(arn),
        .session_name = cs_view_cstr(cs_key_setting(search, "AWS_ROLE_SESSION_NAME")),
        .web_identity_file = file,
    };

    if (file == NULL || arn == NULL)
        return CS_ENOTFOUND;
    return cs_keys_assume_role(search, &role, out, err);
}
