#include "config.h"

#include "ctl_remote.h"

#include <poll.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/encoding.h"
#include "base/file.h"
#include "json/scan.h"

#define ANSWER_MAX      (64u << 20)
#define TOKEN_MAX       (64u << 10)
#define URL_MAX         8192u
#define TRIES           8
#define FIRST_PAUSE_MS  250
#define LONGEST_PAUSE_S 120 /* a longer wait is the caller's to decide on */
#define IDLE_TIMEOUT_MS 60000
#define REQUEST_MS      (30 * 60 * 1000)
#define HEADERS_MAX     4u

struct ctl_remote {
    struct ctl *ctl;
    struct cs_net_client *client;
    struct cs_buf base;          /* without a slash at its end */
    struct cs_buf authorization; /* "Bearer <token>"; wiped */
    struct cs_net_response response;
    struct ctl_limits limits;
    bool has_limits;
};

/* ---- opening ---- */

bool ctl_remote_option(struct ctl_remote_options *options, int option, const char *value)
{
    switch (option) {
    case 'U':
        options->url = value;
        return true;
    case 'T':
        options->token_file = value;
        return true;
    case 'C':
        options->ca_file = value;
        return true;
    default:
        return false;
    }
}

static enum cs_code read_token(struct cs_buf *out, const char *file, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_INIT(TOKEN_MAX);
    const char *given = getenv("CAMPAIGNCTL_TOKEN");
    struct cs_view token;
    enum cs_code rc = CS_OK;

    if (file != NULL)
        rc = cs_file_read(&text, file, TOKEN_MAX, err);
    else if (given != NULL)
        cs_buf_add_cstr(&text, given);
    token = cs_view_trim(cs_buf_view(&text));
    if (rc == CS_OK && token.len == 0)
        rc = cs_err_set(err, CS_EINVAL,
                        "a bearer token is needed: give --token-file, or set "
                        "CAMPAIGNCTL_TOKEN");
    for (size_t i = 0; rc == CS_OK && i < token.len; i++)
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~')
            rc = cs_err_set(err, CS_EINVAL,
                            "the token has a character that no token has: is the file "
                            "the right one?");
    cs_buf_add_cstr(out, "Bearer ");
    cs_buf_add(out, token);
    cs_buf_wipe(&text);
    return rc == CS_OK ? cs_buf_check(out, err) : rc;
}

static enum cs_code set_up(struct ctl_remote *remote,
                           const struct ctl_remote_options *options, struct cs_err *err)
{
    const char *ca = options->ca_file != NULL
                         ? options->ca_file
                         : cs_settings_text(remote->ctl->settings, CS_SET_CA_BUNDLE);
    struct cs_view url = cs_view_cstr(options->url);
    enum cs_code rc;

    while (cs_view_ends(url, CS_LIT("/")))
        url.len--;
    cs_buf_add(&remote->base, url);
    if ((rc = cs_buf_check(&remote->base, err)) != CS_OK)
        return rc;
    if (!cs_net_url_is_safe(cs_buf_cstr(&remote->base)))
        return cs_err_set(err, CS_EINVAL,
                          "%s: the token is sent to https addresses alone, or to this "
                          "machine (http://localhost)",
                          options->url);
    if ((rc = read_token(&remote->authorization, options->token_file, err)) != CS_OK)
        return rc;
    remote->client = cs_net_client_new(
        &(struct cs_net_options){.ca_bundle = ca,
                                 .user_agent = "campaignctl/" PACKAGE_VERSION,
                                 .connect_timeout_ms = 10000,
                                 .idle_timeout_ms = IDLE_TIMEOUT_MS},
        err);
    return remote->client != NULL ? CS_OK : err->code;
}

struct ctl_remote *ctl_remote_new(struct ctl *ctl,
                                  const struct ctl_remote_options *options,
                                  struct cs_err *err)
{
    struct ctl_remote *remote = calloc(1, sizeof(*remote));

    if (remote == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    remote->ctl = ctl;
    cs_buf_init(&remote->base, URL_MAX);
    cs_buf_init(&remote->authorization, TOKEN_MAX + 16);
    cs_net_response_init(&remote->response, ANSWER_MAX);
    if (set_up(remote, options, err) != CS_OK) {
        ctl_remote_free(remote);
        return NULL;
    }
    return remote;
}

void ctl_remote_free(struct ctl_remote *remote)
{
    if (remote == NULL)
        return;
    cs_net_response_clear(&remote->response);
    cs_net_client_free(remote->client);
    cs_buf_clear(&remote->base);
    cs_buf_wipe(&remote->authorization);
    free(remote);
}

/* ---- what an answer means ---- */

static bool is_problem(const struct ctl_remote *remote)
{
    struct cs_view type = cs_net_response_header(&remote->response, "Content-Type");

    return cs_view_starts(type, CS_LIT("application/problem+json")) &&
           cs_json_validate(cs_buf_view(&remote->response.body), NULL, NULL) == CS_OK;
}

static enum cs_code code_of_status(int status)
{
    static const struct {
        int status;
        enum cs_code code;
    } known[] = {{400, CS_EINVAL},    {401, CS_EUNAUTH},   {403, CS_EDENIED},
                 {404, CS_ENOTFOUND}, {409, CS_ECONFLICT}, {413, CS_ETOOBIG},
                 {422, CS_EINVAL},    {429, CS_EBUSY},     {503, CS_EBUSY}};

    for (size_t i = 0; i < CS_COUNT(known); i++)
        if (known[i].status == status)
            return known[i].code;
    return CS_EUPSTREAM;
}

struct fields {
    struct cs_buf text;
};

/* "; /campaign_name: this field is missing" for each of errors[]. */
static bool add_field(void *payload, struct cs_view value)
{
    struct fields *fields = payload;

    cs_buf_add_cstr(&fields->text, "; ");
    (void)cs_json_slice_string(&fields->text, value, "pointer");
    cs_buf_add_cstr(&fields->text, ": ");
    (void)cs_json_slice_string(&fields->text, value, "detail");
    return true;
}

/* The sentence of the service for an answer that is no success. */
static enum cs_code explain(const struct ctl_remote *remote,
                            const struct ctl_request *request, struct cs_err *err)
{
    int status = remote->response.status;
    struct cs_view body = cs_buf_view(&remote->response.body);
    struct cs_buf detail = CS_BUF_INIT(64u << 10);
    struct cs_buf reason = CS_BUF_INIT(1024);
    struct fields fields = {CS_BUF_INIT(64u << 10)};
    enum cs_code rc = code_of_status(status);

    if (err != NULL)
        err->upstream_status = status;
    if (is_problem(remote)) {
        (void)cs_json_slice_string(&detail, body, "detail");
        (void)cs_json_slice_string(&reason, body, "code");
        cs_json_each_element(cs_json_slice(body, "errors"), add_field, &fields);
        (void)cs_err_field(err, rc, "", cs_buf_cstr(&reason), "the service says: %s%s",
                           cs_buf_cstr(&detail), cs_buf_cstr(&fields.text));
    } else {
        (void)cs_err_set(err, rc,
                         "%s %s%s was answered with status %d and no explanation: is "
                         "this the address of the API, as https://host/api/v1?",
                         request->method, cs_buf_cstr(&remote->base), request->path,
                         status);
    }
    cs_buf_clear(&detail);
    cs_buf_clear(&reason);
    cs_buf_clear(&fields.text);
    return rc;
}

/* A server in front that takes no body of this size says 413, or a plain 500
 * (mod_fcgid), or closes the connection while it is sent. */
static bool is_refused_for_size(const struct ctl_remote *remote, enum cs_code rc)
{
    if (rc != CS_OK)
        return remote->response.fault == CS_NET_LOST;
    return remote->response.status == 413 ||
           ((remote->response.status == 500 || remote->response.status == 400) &&
            !is_problem(remote));
}

static bool is_passing(const struct ctl_remote *remote, enum cs_code rc)
{
    static const int statuses[] = {408, 425, 429, 502, 503, 504};

    if (rc != CS_OK)
        return remote->response.fault == CS_NET_CONNECT ||
               remote->response.fault == CS_NET_LOST ||
               remote->response.fault == CS_NET_IDLE;
    for (size_t i = 0; i < CS_COUNT(statuses); i++)
        if (remote->response.status == statuses[i])
            return true;
    /* a worker that was ended in the middle of the request */
    return remote->response.status == 500 && !is_problem(remote);
}

/* ---- waiting ---- */

/* Seconds that Retry-After asks for, -1 where it is not there (RFC 9110 10.2.3). */
static int64_t retry_after_s(const struct ctl_remote *remote)
{
    struct cs_view text = cs_net_response_header(&remote->response, "Retry-After");
    int64_t at_us;
    uint64_t seconds;

    if (text.ptr == NULL)
        return -1;
    if (cs_view_to_u64(text, &seconds))
        return seconds < INT32_MAX ? (int64_t)seconds : INT32_MAX;
    if (!cs_time_parse_http_date(&at_us, text))
        return -1;
    at_us -= cs_clock_now_us();
    return at_us > 0 ? (at_us + CS_SECOND_US - 1) / CS_SECOND_US : 0;
}

/* False when the wait that is asked for is too long to sit out. */
static bool pause_before(const struct ctl_remote *remote, int attempt)
{
    int64_t asked_s = remote->response.status != 0 ? retry_after_s(remote) : -1;
    int64_t pause_ms = (int64_t)FIRST_PAUSE_MS << attempt;
    uint16_t random = 0;

    if (asked_s > LONGEST_PAUSE_S)
        return false;
    if (asked_s >= 0) {
        pause_ms = asked_s * 1000;
    } else if (cs_random_bytes(&random, sizeof(random), NULL) == CS_OK) {
        /* so that many who were refused at once do not come back at once */
        pause_ms = pause_ms / 2 + pause_ms / 2 * random / UINT16_MAX;
    }
    (void)poll(NULL, 0, (int)pause_ms);
    return true;
}

/* ---- sending ---- */

static void add_header(struct cs_net_header *headers, size_t *count, const char *name,
                       struct cs_view value)
{
    headers[(*count)++] = (struct cs_net_header){cs_view_cstr(name), value};
}

/* "sha-256=:<base64>:" (RFC 9530). */
static void add_digest(struct cs_buf *out, const char *sha256)
{
    uint8_t digest[CS_SHA256_LEN];

    if (!cs_hex_decode(digest, sizeof(digest), cs_view_cstr(sha256)))
        return;
    cs_buf_add_cstr(out, "sha-256=:");
    cs_base64_encode(out, cs_view_of(digest, sizeof(digest)));
    cs_buf_add_byte(out, ':');
}

static enum cs_code send_once(struct ctl_remote *remote,
                              const struct ctl_request *request, struct cs_err *err)
{
    struct cs_buf url = CS_BUF_INIT(2 * URL_MAX);
    struct cs_buf digest = CS_BUF_INIT(128);
    struct cs_net_header headers[HEADERS_MAX];
    struct cs_net_request out = {.method = request->method,
                                 .headers = headers,
                                 .body = request->body,
                                 .deadline = cs_deadline_in_ms(REQUEST_MS)};
    enum cs_code rc;

    cs_buf_add(&url, cs_buf_view(&remote->base));
    cs_buf_add_cstr(&url, request->path);
    add_header(headers, &out.header_count, "Authorization",
               cs_buf_view(&remote->authorization));
    if (request->body.kind != CS_NET_BODY_NONE)
        add_header(headers, &out.header_count, "Content-Type",
                   request->content_type.len > 0 ? request->content_type
                                                 : CS_LIT("application/json"));
    if (request->idempotency_key != NULL)
        add_header(headers, &out.header_count, "Idempotency-Key",
                   cs_view_cstr(request->idempotency_key));
    if (request->sha256 != NULL) {
        add_digest(&digest, request->sha256);
        add_header(headers, &out.header_count, "Content-Digest", cs_buf_view(&digest));
    }
    if ((rc = cs_buf_check(&url, err)) == CS_OK &&
        (rc = cs_buf_check(&digest, err)) == CS_OK) {
        out.url = cs_buf_cstr(&url);
        rc = cs_net_perform(remote->client, &out, &remote->response, err);
    }
    cs_buf_clear(&url);
    cs_buf_clear(&digest);
    return rc;
}

static enum cs_code check_answer(const struct ctl_remote *remote,
                                 const struct ctl_request *request, struct cs_err *err)
{
    struct cs_view body = cs_buf_view(&remote->response.body);

    if (remote->response.status / 100 != 2)
        return explain(remote, request, err);
    if (body.len > 0 && cs_json_validate(body, NULL, NULL) != CS_OK)
        return cs_err_set(err, CS_EUPSTREAM,
                          "%s%s did not answer with JSON: is this the address of the "
                          "API, as https://host/api/v1?",
                          cs_buf_cstr(&remote->base), request->path);
    return CS_OK;
}

enum cs_code ctl_remote_send(struct ctl_remote *remote, const struct ctl_request *request,
                             struct cs_err *err)
{
    for (int attempt = 0;; attempt++) {
        struct cs_err cause = CS_ERR_NONE;
        enum cs_code rc = send_once(remote, request, &cause);

        if (request->may_be_too_big && is_refused_for_size(remote, rc))
            return cs_err_set(err, CS_ETOOBIG,
                              "a server in front of the service refuses %llu bytes",
                              (unsigned long long)request->body.size);
        if (attempt + 1 < TRIES && is_passing(remote, rc) &&
            pause_before(remote, attempt))
            continue;
        if (rc == CS_OK)
            rc = check_answer(remote, request, &cause);
        if (rc != CS_OK)
            cs_err_hand_on(err, &cause);
        return rc;
    }
}

struct cs_view ctl_remote_answer(const struct ctl_remote *remote)
{
    return cs_buf_view(&remote->response.body);
}

enum cs_code ctl_remote_text(const struct ctl_remote *remote, const char *name,
                             struct cs_buf *out, struct cs_err *err)
{
    if (cs_json_slice_string(out, ctl_remote_answer(remote), name))
        return CS_OK;
    return cs_err_set(err, CS_EUPSTREAM, "the answer of the service has no %s", name);
}

void ctl_remote_progress(struct ctl_remote *remote, const char *what, uint64_t done,
                         uint64_t total)
{
    ctl_progress(remote->ctl, what, done, total);
}

/* ---- limits ---- */

static uint64_t limit(const struct ctl_remote *remote, const char *name,
                      uint64_t fallback)
{
    uint64_t value;

    return cs_view_to_u64(cs_json_slice(ctl_remote_answer(remote), name), &value)
               ? value
               : fallback;
}

enum cs_code ctl_remote_limits(struct ctl_remote *remote, const struct ctl_limits **out,
                               struct cs_err *err)
{
    enum cs_code rc;

    *out = &remote->limits;
    if (remote->has_limits)
        return CS_OK;
    rc = ctl_remote_send(remote,
                         &(struct ctl_request){.method = "GET", .path = "/limits"}, err);
    if (rc != CS_OK)
        return rc;
    remote->limits = (struct ctl_limits){
        .body_bytes = limit(remote, "body_bytes", CTL_SMALL_BODY),
        .json_bytes = limit(remote, "json_bytes", CTL_SMALL_BODY),
        .interactions = limit(remote, "interactions_per_request", 100),
        .interactions_bytes =
            limit(remote, "interactions_bytes_per_request", CTL_SMALL_BODY),
    };
    remote->has_limits = true;
    return CS_OK;
}

void ctl_remote_learn(struct ctl_remote *remote, uint64_t body_bytes)
{
    if (body_bytes < remote->limits.body_bytes)
        remote->limits.body_bytes = body_bytes;
}
