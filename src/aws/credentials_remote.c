#include "config.h"

#include "aws/credentials_internal.h"
#include "aws/retry.h"

#define ANSWER_MAX 65536u
#define METADATA_MS \
    1000 /* to connect, and to answer: what is not there must not be waited for */

static const char metadata_ipv4[] = "http://169.254.169.254";
static const char metadata_ipv6[] = "http://[fd00:ec2::254]";
static const char container_host[] = "http://169.254.170.2";

static struct cs_deadline within(const struct cs_key_search *search, int ms)
{
    struct cs_deadline soon = cs_deadline_in_ms(ms);

    return soon.at_us < search->deadline.at_us ? soon : search->deadline;
}

static enum cs_code ask_once(const struct cs_key_search *search, const char *method,
                             const char *url, const struct cs_net_header *header,
                             struct cs_net_response *response, struct cs_err *err)
{
    const struct cs_net_request request = {
        .method = method,
        .url = url,
        .headers = header,
        .header_count = header != NULL && header->value.len > 0 ? 1 : 0,
        .deadline = within(search, METADATA_MS),
        .connect_timeout_ms = METADATA_MS,
        .direct = true,
    };

    return cs_net_perform(search->options->net, &request, response, err);
}

static bool is_passing_status(int status)
{
    return cs_retry_is_transient(status, CS_LIT("")) ||
           cs_retry_is_throttling(status, CS_LIT(""));
}

/* A host that does not answer is asked no second time: it may well not exist. */
static bool is_passing(enum cs_code rc, const struct cs_net_response *response)
{
    return rc == CS_OK ? is_passing_status(response->status)
                       : response->fault == CS_NET_LOST;
}

static enum cs_code ask(const struct cs_key_search *search, const char *method,
                        const char *url, const struct cs_net_header *header,
                        struct cs_net_response *response, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    unsigned attempt = 0;
    enum cs_code rc;

    do {
        why = CS_ERR_NONE;
        rc = ask_once(search, method, url, header, response, &why);
    } while (is_passing(rc, response) && cs_key_again(search, ++attempt, response));
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

static enum cs_code bad_status(const char *what, const struct cs_net_response *response,
                               struct cs_err *err)
{
    if (err != NULL && err->code == CS_OK)
        err->upstream_status = response->status;
    return cs_err_set(err,
                      is_passing_status(response->status) ? CS_EUPSTREAM : CS_EUNAUTH,
                      "%s answered with status %d", what, response->status);
}

/* Keys, as JSON from a GET of `url`; `service` names who is asked in a failure. */
static enum cs_code ask_for_keys(const struct cs_key_search *search, const char *service,
                                 const char *url, const struct cs_net_header *header,
                                 struct cs_keyset *out, struct cs_err *err)
{
    struct cs_net_response response;
    enum cs_code rc;

    cs_net_response_init(&response, ANSWER_MAX);
    rc = ask(search, "GET", url, header, &response, err);
    if (rc == CS_OK)
        rc = response.status == 200
                 ? cs_keyset_from_json(out, cs_buf_view(&response.body), err)
                 : bad_status(service, &response, err);
    cs_buf_wipe(&response.body);
    cs_net_response_clear(&response);
    return rc;
}

/* ---- container ---- */

/* Plain http goes to the addresses of ECS, EKS and this machine alone: the token
 * would else be sent in the clear to wherever the variable points. */
static bool is_allowed(const char *url)
{
    static const struct cs_view agents[] = {
        CS_LIT_INIT("http://169.254.170.2"),
        CS_LIT_INIT("http://169.254.170.23"),
        CS_LIT_INIT("http://[fd00:ec2::23]"),
    };
    struct cs_view text = cs_view_cstr(url);

    for (size_t i = 0; i < CS_COUNT(agents); i++) {
        struct cs_view behind = cs_view_from(text, agents[i].len);

        if (cs_view_starts(text, agents[i]) &&
            (behind.len == 0 || behind.ptr[0] == '/' || behind.ptr[0] == ':') &&
            cs_view_find_byte(text, '@') == SIZE_MAX)
            return true;
    }
    return cs_net_url_is_safe(url);
}

static enum cs_code container_url(const struct cs_key_search *search, struct cs_buf *url,
                                  struct cs_err *err)
{
    const char *relative =
        cs_key_setting(search, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = cs_key_setting(search, "AWS_CONTAINER_CREDENTIALS_FULL_URI");

    if (relative == NULL && full == NULL)
        return CS_ENOTFOUND;
    if (relative != NULL) {
        cs_buf_add_cstr(url, container_host);
        if (relative[0] != '/')
            cs_buf_add_byte(url, '/');
        cs_buf_add_cstr(url, relative);
    } else if (is_allowed(full)) {
        cs_buf_add_cstr(url, full);
    } else {
        return cs_err_field(
            err, CS_EUNAUTH, "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "credentials_url_refused",
            "credentials are asked for over https, or from this machine or the "
            "container agent alone");
    }
    return cs_buf_check(url, err);
}

static enum cs_code container_token(const struct cs_key_search *search,
                                    struct cs_buf *token, struct cs_err *err)
{
    const char *file = cs_key_setting(search, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *text = cs_key_setting(search, "AWS_CONTAINER_AUTHORIZATION_TOKEN");

    if (file != NULL)
        return cs_key_file(token, file, err);
    if (text != NULL)
        cs_buf_add_cstr(token, text);
    return cs_buf_check(token, err);
}

enum cs_code cs_keys_from_container(const struct cs_key_search *search,
                                    struct cs_keyset *out, struct cs_err *err)
{
    struct cs_buf url = CS_BUF_INIT(4096);
    struct cs_buf token = CS_BUF_INIT(CS_KEY_TOKEN_MAX);
    struct cs_net_header header = {.name = CS_LIT("Authorization")};
    enum cs_code rc;

    if ((rc = container_url(search, &url, err)) != CS_OK ||
        (rc = container_token(search, &token, err)) != CS_OK)
        goto out;
    header.value = cs_view_trim(cs_buf_view(&token));
    rc = ask_for_keys(search, "the container's credentials endpoint", cs_buf_cstr(&url),
                      &header, out, err);
out:
    cs_buf_wipe(&token);
    cs_buf_clear(&url);
    return rc;
}

/* ---- instance metadata, version 2 ---- */

static const char *metadata_host(const struct cs_key_search *search)
{
    const char *own = cs_key_setting(search, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = cs_key_setting(search, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

    if (own != NULL)
        return own;
    return mode != NULL && cs_view_eq_nocase(cs_view_cstr(mode), CS_LIT("IPv6"))
               ? metadata_ipv6
               : metadata_ipv4;
}

static void metadata_url(const struct cs_key_search *search, struct cs_buf *url,
                         const char *path)
{
    struct cs_view host = cs_view_cstr(metadata_host(search));

    while (host.len > 0 && host.ptr[host.len - 1] == '/')
        host.len--;
    cs_buf_reset(url);
    cs_buf_add(url, host);
    cs_buf_add_cstr(url, path);
}

/* What says that there is no such service here, or that it is switched off. */
static bool is_absent(int status)
{
    return status == 403 || status == 404 || status == 405;
}

/* No answer to the first question means that this is no such instance. */
static enum cs_code session_token(const struct cs_key_search *search, struct cs_buf *url,
                                  struct cs_buf *token, struct cs_err *err)
{
    static const struct cs_net_header ttl = {
        CS_LIT_INIT("X-aws-ec2-metadata-token-ttl-seconds"), CS_LIT_INIT("21600")};
    struct cs_net_response response;
    enum cs_code rc;

    cs_net_response_init(&response, CS_KEY_TOKEN_MAX);
    metadata_url(search, url, "/latest/api/token");
    if ((rc = cs_buf_check(url, err)) != CS_OK)
        goto out;
    rc = ask(search, "PUT", cs_buf_cstr(url), &ttl, &response, NULL);
    if (rc == CS_ENOMEM)
        rc = cs_err_nomem(err);
    else if (rc != CS_OK || is_absent(response.status))
        rc = CS_ENOTFOUND;
    else if (response.status != 200)
        rc = bad_status("the instance metadata service", &response, err);
    else
        cs_buf_add(token, cs_view_trim(cs_buf_view(&response.body)));
out:
    cs_buf_wipe(&response.body);
    cs_net_response_clear(&response);
    return rc == CS_OK ? cs_buf_check(token, err) : rc;
}

static enum cs_code role_name(const struct cs_key_search *search, struct cs_buf *url,
                              const struct cs_net_header *header, struct cs_err *err)
{
    struct cs_net_response response;
    struct cs_view rest;
    struct cs_view name = {NULL, 0};
    enum cs_code rc;

    cs_net_response_init(&response, ANSWER_MAX);
    metadata_url(search, url, "/latest/meta-data/iam/security-credentials/");
    rc = ask(search, "GET", cs_buf_cstr(url), header, &response, err);
    if (rc == CS_OK && response.status == 404)
        rc = CS_ENOTFOUND; /* an instance without a role */
    else if (rc == CS_OK && response.status != 200)
        rc = bad_status("the instance metadata service", &response, err);
    if (rc == CS_OK) {
        rest = cs_view_trim(cs_buf_view(&response.body));
        (void)cs_view_split(&rest, '\n', &name);
        cs_buf_add(url, cs_view_trim(name));
        rc = cs_buf_check(url, err);
    }
    cs_net_response_clear(&response);
    return rc;
}

enum cs_code cs_keys_from_instance(const struct cs_key_search *search,
                                   struct cs_keyset *out, struct cs_err *err)
{
    const char *disabled = cs_key_setting(search, "AWS_EC2_METADATA_DISABLED");
    struct cs_buf url = CS_BUF_INIT(4096);
    struct cs_buf token = CS_BUF_INIT(CS_KEY_TOKEN_MAX);
    struct cs_net_header header = {.name = CS_LIT("X-aws-ec2-metadata-token")};
    enum cs_code rc;

    if (disabled != NULL && cs_view_eq_nocase(cs_view_cstr(disabled), CS_LIT("true")))
        return CS_ENOTFOUND;
    if ((rc = session_token(search, &url, &token, err)) != CS_OK)
        goto out;
    header.value = cs_buf_view(&token);
    if ((rc = role_name(search, &url, &header, err)) == CS_OK)
        rc = ask_for_keys(search, "the instance metadata service", cs_buf_cstr(&url),
                          &header, out, err);
out:
    cs_buf_wipe(&token);
    cs_buf_clear(&url);
    return rc;
}
