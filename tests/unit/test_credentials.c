#include "config.h"

#include "unit.h"

#include <signal.h>

#include "aws/credentials.h"
#include "aws/profile.h"
#include "fake_http.h"

/* ---- profiles ---- */

static const char config_text[] = "# a comment\r\n"
                                  "[default]\r\n"
                                  "region = eu-central-1 ; where\r\n"
                                  "s3 =\n"
                                  "  max_concurrent_requests = 20\n"
                                  "  region = nested\n"
                                  "[profile  dev ]\n"
                                  "Role_ARN=arn:aws:iam::123456789012:role/test\n"
                                  "source_profile = base#1\n"
                                  "[profile]\n"
                                  "region = nobody\n"
                                  "[dev]\n"
                                  "region = not-a-profile\n"
                                  "[broken\n"
                                  "region = x\n";

static void test_profiles(void **state)
{
    static const struct {
        const char *profile;
        const char *key;
        const char *value;
    } cases[] = {
        {"default", "region", "eu-central-1"},
        {"default", "max_concurrent_requests", NULL},
        {"dev", "role_arn", "arn:aws:iam::123456789012:role/test"},
        {"dev", "source_profile", "base#1"},
        {"dev", "region", NULL},
        {"profile", "region", NULL},
        {"", "region", NULL},
        {"default", "", NULL},
    };
    struct cs_view text = cs_view_cstr(config_text);

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_view value = cs_profile_get(
            text, CS_PROFILE_CONFIG, cs_view_cstr(cases[i].profile), cases[i].key);

        if (cases[i].value == NULL)
            assert_null(value.ptr);
        else
            assert_view(value, cases[i].value);
    }
    assert_true(cs_profile_has(text, CS_PROFILE_CONFIG, CS_LIT("dev")));
    assert_false(cs_profile_has(text, CS_PROFILE_CONFIG, CS_LIT("broken")));
    assert_view(cs_profile_get(text, CS_PROFILE_CREDENTIALS, CS_LIT("dev"), "region"),
                "not-a-profile");
}

/* Indented lines belong to the key above them, when that has no value of its own. */
static void test_nested_settings(void **state)
{
    static const char services[] = "[services local]\n"
                                   " endpoint_url = of-nothing\n"
                                   "S3 = # the gateway\n"
                                   "\r\n"
                                   "; a comment\n"
                                   "  Endpoint_URL = first\n"
                                   "\tendpoint_url = last\r\n"
                                   "sts = here\n"
                                   "  endpoint_url = of-a-value\n"
                                   "dynamodb =\n"
                                   "endpoint_url = not-nested\n"
                                   "[services other]\n"
                                   "  endpoint_url = of-no-key\n"
                                   "[profile local]\n"
                                   "dynamodb =\n"
                                   "  endpoint_url = of-a-profile\n";
    static const struct {
        const char *section, *parent, *value;
    } cases[] = {
        {"local", "s3", "last"},   {"local", "sts", NULL}, {"local", "dynamodb", NULL},
        {"local", "lambda", NULL}, {"other", "s3", NULL},  {"none", "s3", NULL},
    };
    struct cs_view text = cs_view_cstr(services);

    (void)state;
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        struct cs_view value = cs_profile_get_nested(text, CS_PROFILE_SERVICES,
                                                     cs_view_cstr(cases[i].section),
                                                     cases[i].parent, "endpoint_url");

        if (cases[i].value == NULL)
            assert_null(value.ptr);
        else
            assert_view(value, cases[i].value);
    }
    assert_view(cs_profile_get_nested(text, CS_PROFILE_CONFIG, CS_LIT("local"),
                                      "dynamodb", "endpoint_url"),
                "of-a-profile");
    assert_view(
        cs_profile_get(text, CS_PROFILE_SERVICES, CS_LIT("local"), "endpoint_url"),
        "not-nested");
    assert_true(cs_profile_has(text, CS_PROFILE_SERVICES, CS_LIT("other")));
    assert_false(cs_profile_has(text, CS_PROFILE_SERVICES, CS_LIT("default")));
}

/* ---- credentials ---- */

#define SETTINGS_MAX 16

struct bench {
    struct fake_http *server;
    struct cs_net_client *net;
    struct cs_aws_credentials *credentials;
    char base[64]; /* "http://127.0.0.1:port" */
    char folder[32];
    struct {
        const char *name;
        char value[256];
    } settings[SETTINGS_MAX];
    size_t setting_count;
    bool down;       /* the server answers 500 */
    bool silent;     /* or nothing */
    unsigned shaken; /* or fails so many more times, in one way and another */
    bool strict;     /* STS takes signatures of T0 alone, and says so */
    bool off;        /* or 403, as a metadata service that is switched off */
    unsigned answers;
    struct cs_buf seen;
};

static const char *setting(const void *payload, const char *name)
{
    const struct bench *b = payload;

    for (size_t i = 0; i < b->setting_count; i++)
        if (strcmp(b->settings[i].name, name) == 0)
            return b->settings[i].value;
    return NULL;
}

static void set(struct bench *b, const char *name, const char *value)
{
    size_t i = 0;

    while (i < b->setting_count && strcmp(b->settings[i].name, name) != 0)
        i++;
    assert_true(i < SETTINGS_MAX);
    b->settings[i].name = name;
    assert_true(
        snprintf(b->settings[i].value, sizeof(b->settings[i].value), "%s", value) >= 0);
    if (i == b->setting_count)
        b->setting_count++;
}

static void set_url(struct bench *b, const char *name, const char *path)
{
    char url[128];

    assert_true(snprintf(url, sizeof(url), "%s%s", b->base, path) > 0);
    set(b, name, url);
}

static void write_file(struct bench *b, const char *variable, const char *name,
                       const char *text)
{
    char path[128];

    assert_true(snprintf(path, sizeof(path), "%s/%s", b->folder, name) > 0);
    assert_ok(cs_file_write(path, cs_view_cstr(text), 0600, err));
    set(b, variable, path);
}

static void json_keys(struct fake_reply *reply, unsigned number, const char *end)
{
    struct cs_buf body = CS_BUF_INIT(4096);

    cs_buf_add_fmt(&body,
                   "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIATEST%u\","
                   "\"SecretAccessKey\":\"test-secret\",\"Token\":\"test-token\","
                   "\"Expiration\":\"%s\"}",
                   number, end);
    fake_reply_with(reply, 200, "", cs_buf_view(&body));
    cs_buf_clear(&body);
}

static void sts_keys(struct fake_reply *reply, const char *action)
{
    struct cs_buf body = CS_BUF_INIT(4096);

    cs_buf_add_fmt(
        &body,
        "<%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><%sResult>"
        "<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role-secret"
        "</SecretAccessKey><SessionToken>role-token</SessionToken><Expiration>"
        "2030-01-01T01:00:00Z</Expiration></Credentials></%sResult></%sResponse>",
        action, action, action, action);
    fake_reply_with(reply, 200, "", cs_buf_view(&body));
    cs_buf_clear(&body);
}

static void sts_error(struct fake_reply *reply, int status, const char *headers,
                      const char *code, const char *message)
{
    struct cs_buf body = CS_BUF_INIT(4096);

    cs_buf_add_fmt(&body,
                   "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code>"
                   "<Message>%s</Message></Error></ErrorResponse>",
                   code, message);
    fake_reply_with(reply, status, headers, cs_buf_view(&body));
    cs_buf_clear(&body);
}

static void shake(struct bench *b, const struct fake_request *request,
                  struct fake_reply *reply)
{
    if (b->shaken-- % 2 == 1) {
        cs_buf_add(&reply->bytes,
                   CS_LIT("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
        reply->then = FAKE_CLOSE;
    } else if (cs_view_eq(request->target, CS_LIT("/"))) {
        sts_error(reply, 400, "", "Throttling", "Rate exceeded");
    } else {
        fake_reply_with(reply, 503, "", CS_LIT(""));
    }
}

/* Plays container endpoint, metadata service and STS at once. */
static void play(void *payload, const struct fake_request *request,
                 struct fake_reply *reply)
{
    struct bench *b = payload;
    struct cs_view token = fake_header(request, "x-aws-ec2-metadata-token");
    bool trusted = cs_view_eq(token, CS_LIT("session"));

    cs_buf_reset(&b->seen);
    cs_buf_add(&b->seen, request->head);
    cs_buf_add(&b->seen, request->body);
    b->answers++;
    if (b->silent)
        reply->then = FAKE_HANG;
    else if (b->down)
        fake_reply_with(reply, 500, "", CS_LIT("down"));
    else if (b->shaken > 0)
        shake(b, request, reply);
    else if (b->strict && !cs_view_starts(fake_header(request, "x-amz-date"),
                                          CS_LIT("20300101T000000Z")))
        sts_error(reply, 403, "Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n",
                  "SignatureDoesNotMatch", "Signature expired: it is too old");
    else if (b->off)
        fake_reply_with(reply, 403, "", CS_LIT(""));
    else if (cs_view_eq(request->target, CS_LIT("/latest/api/token")) &&
             cs_view_eq(request->method, CS_LIT("PUT")))
        fake_reply_with(reply, 200, "", CS_LIT("session"));
    else if (cs_view_starts(request->target, CS_LIT("/latest/")) && !trusted)
        fake_reply_with(reply, 401, "", CS_LIT(""));
    else if (cs_view_ends(request->target, CS_LIT("/security-credentials/")))
        fake_reply_with(reply, 200, "", CS_LIT("test-role\n"));
    else if (cs_view_ends(request->target, CS_LIT("/security-credentials/test-role")))
        json_keys(reply, b->answers, "2030-01-01T01:00:00Z");
    else if (cs_view_eq(request->target, CS_LIT("/login")))
        fake_reply_with(reply, 200, "", CS_LIT("<html>Log in first</html>"));
    else if (cs_view_eq(request->target, CS_LIT("/someday")))
        json_keys(reply, b->answers, "someday");
    else if (cs_view_eq(request->target, CS_LIT("/escaped")))
        fake_reply_with(reply, 200, "",
                        CS_LIT("{\"Token\":\"a\\/b\\u003d\",\"AccessKeyId\":\"ASIAJSON\","
                               "\"SecretAccessKey\":\"s\\u002b\",\"Expiration\":null}"));
    else if (cs_view_eq(request->target, CS_LIT("/container")))
        json_keys(reply, b->answers, "2030-01-01T01:00:00Z");
    else if (cs_view_find(request->body, CS_LIT("Action=AssumeRoleWithWebIdentity&")) !=
             SIZE_MAX)
        sts_keys(reply, "AssumeRoleWithWebIdentity");
    else if (cs_view_find(request->body, CS_LIT("Action=AssumeRole&")) != SIZE_MAX)
        sts_keys(reply, "AssumeRole");
    else
        fake_reply_with(reply, 404, "", CS_LIT(""));
}

static int set_up(void **state)
{
    const struct cs_net_options net_options = {.connect_timeout_ms = 30000,
                                               .idle_timeout_ms = 60000};
    struct bench *b = calloc(1, sizeof(*b));
    struct cs_aws_credentials_options options = {
        .setting = setting, .payload = b, .region = CS_LIT("eu-central-1")};

    assert_non_null(b);
    cs_buf_init(&b->seen, 1u << 20);
    b->server = fake_http_new(play, b);
    assert_true(snprintf(b->base, sizeof(b->base), "http://127.0.0.1:%u",
                         fake_http_port(b->server)) > 0);
    assert_true(snprintf(b->folder, sizeof(b->folder), "/tmp/test_credentials_XXXXXX") >
                0);
    assert_non_null(mkdtemp(b->folder));
    b->net = cs_net_client_new(&net_options, NULL);
    options.net = b->net;
    b->credentials = cs_aws_credentials_new(&options);
    assert_non_null(b->credentials);
    set(b, "AWS_EC2_METADATA_DISABLED", "true");
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"config", "credentials", "token"};
    char path[128];

    cs_aws_credentials_free(b->credentials);
    cs_net_client_free(b->net);
    fake_http_free(b->server);
    for (size_t i = 0; i < CS_COUNT(names); i++) {
        assert_true(snprintf(path, sizeof(path), "%s/%s", b->folder, names[i]) > 0);
        (void)unlink(path);
    }
    (void)rmdir(b->folder);
    cs_buf_clear(&b->seen);
    free(b);
    return 0;
}

/* 2030-01-01T00:00:00Z: an hour before the temporary ones of the server end. */
#define T0         (1893456000ll * CS_SECOND_US)
#define MINUTES(n) ((n)*60 * CS_SECOND_US)

static enum cs_code ask_at(struct bench *b, int64_t now_us, struct cs_aws_keys *keys,
                           struct cs_err *err)
{
    return cs_aws_credentials_get(b->credentials, now_us, cs_deadline_in_ms(60000), keys,
                                  err);
}

static void refused(struct bench *b, const char *reason)
{
    struct cs_aws_keys keys;
    struct cs_err why = CS_ERR_NONE;

    cs_aws_credentials_expire(b->credentials);
    assert_int_equal(ask_at(b, T0, &keys, &why), CS_EUNAUTH);
    assert_string_equal(why.reason, reason);
    assert_int_equal(keys.access_key_id.len, 0);
}

static void test_what_is_refused(void **state)
{
    struct bench *b = *state;

    refused(b, "credentials_missing");
    set(b, "AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    refused(b, "credentials_incomplete");
    set(b, "AWS_ACCESS_KEY_ID", "");
    set(b, "AWS_PROFILE", "nobody");
    refused(b, "credentials_profile_missing");
    write_file(b, "AWS_CONFIG_FILE", "config",
               "[profile nobody]\nrole_arn=r\n[profile a]\nrole_arn=r\nsource_profile=b\n"
               "[profile b]\nrole_arn=r\nsource_profile=a\n[profile c]\nrole_arn=r\n"
               "source_profile=none\n[profile d]\nrole_arn=r\ncredential_source=Moon\n");
    refused(b, "credentials_source_missing");
    set(b, "AWS_PROFILE", "a");
    refused(b, "credentials_source_loop");
    set(b, "AWS_PROFILE", "c");
    refused(b, "credentials_source_missing");
    set(b, "AWS_PROFILE", "d");
    refused(b, "credentials_source_unknown");
    set(b, "AWS_PROFILE", "");
    set(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/keys");
    refused(b, "credentials_url_refused");
    set(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1@192.0.2.1/keys");
    refused(b, "credentials_url_refused");
    set(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1.example/keys");
    refused(b, "credentials_url_refused");
    set(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.2:80@192.0.2.1/");
    refused(b, "credentials_url_refused");
    set(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.254/");
    refused(b, "credentials_url_refused");
    set(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "ftp://127.0.0.1/keys");
    refused(b, "credentials_url_refused");
    assert_int_equal(b->answers, 0);
}

static void refused_profile(struct bench *b, const char *name, const char *reason)
{
    set(b, "AWS_PROFILE", name);
    refused(b, reason);
}

/* Each profile that gives nothing says why; none is passed over. */
static void test_profiles_without_keys(void **state)
{
    struct bench *b = *state;

    write_file(
        b, "AWS_CONFIG_FILE", "config",
        "[default]\nsso_session=corp\n[profile empty]\nregion=eu-central-1\n"
        "[profile session]\nsso_session=corp\n[profile old]\nsso_start_url=https://"
        "corp.example.com/start\n[profile browser]\nlogin_session=arn\n"
        "[profile program]\ncredential_process=/bin/true\n[profile id]\n"
        "aws_access_key_id=AKIDEXAMPLE\n[profile secret]\naws_secret_access_key="
        "test-secret\n[profile role]\nrole_arn=r\nsource_profile=session\n");
    refused(b, "credentials_profile_unsupported");
    refused_profile(b, "none", "credentials_profile_missing");
    refused_profile(b, "empty", "credentials_profile_empty");
    refused_profile(b, "session", "credentials_profile_unsupported");
    refused_profile(b, "old", "credentials_profile_unsupported");
    refused_profile(b, "browser", "credentials_profile_unsupported");
    refused_profile(b, "program", "credentials_profile_unsupported");
    refused_profile(b, "role", "credentials_profile_unsupported");
    refused_profile(b, "id", "credentials_incomplete");
    refused_profile(b, "secret", "credentials_incomplete");
    assert_int_equal(b->answers, 0);
}

static void test_environment_first(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;

    set(b, "AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    set(b, "AWS_SECRET_ACCESS_KEY", "test-secret");
    set(b, "AWS_SESSION_TOKEN", "test-token");
    set_url(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/container");
    assert_ok(ask_at(b, T0, &keys, err));
    assert_view(keys.access_key_id, "AKIDEXAMPLE");
    assert_view(keys.token, "test-token");
    assert_int_equal(keys.expires_at_us, 0);
    assert_string_equal(keys.source, "environment");
    assert_int_equal(b->answers, 0);
}

static void test_shared_files(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;

    write_file(b, "AWS_CONFIG_FILE", "config",
               "[default]\naws_access_key_id=CONFIG\naws_secret_access_key=c\n");
    write_file(
        b, "AWS_SHARED_CREDENTIALS_FILE", "credentials",
        "[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = a+b/c=\n");
    assert_ok(ask_at(b, T0, &keys, err));
    assert_view(keys.access_key_id, "AKIDFILE");
    assert_view(keys.secret, "a+b/c=");
    assert_view(keys.token, "");
    assert_string_equal(keys.source, "profile");
}

static void test_assumed_role(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;

    write_file(b, "AWS_CONFIG_FILE", "config",
               "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/test\n"
               "source_profile = base\nexternal_id = x y\nregion = eu-west-3\n"
               "duration_seconds = 900\n[profile base]\naws_access_key_id = AKIDBASE\n"
               "aws_secret_access_key = s\n");
    set(b, "AWS_PROFILE", "dev");
    set_url(b, "AWS_ENDPOINT_URL_STS", "");
    assert_ok(ask_at(b, T0, &keys, err));
    assert_view(keys.access_key_id, "ASIAROLE");
    assert_view(keys.token, "role-token");
    assert_int_equal(keys.expires_at_us, T0 + MINUTES(60));
    assert_non_null(strstr(cs_buf_cstr(&b->seen),
                           "Credential=AKIDBASE/20300101/eu-west-3/sts/aws4_request"));
    assert_non_null(strstr(cs_buf_cstr(&b->seen),
                           "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Ftest"));
    assert_non_null(
        strstr(cs_buf_cstr(&b->seen), "ExternalId=x%20y&DurationSeconds=900"));
}

/* The connection that STS is asked by, as a proxy sees it. */
static void assert_sts_at(struct bench *b, const char *region, bool dual_stack, bool fips,
                          const char *host)
{
    const struct cs_net_options net_options = {.connect_timeout_ms = 30000,
                                               .proxy = b->base};
    struct cs_aws_credentials_options options = {
        .net = cs_net_client_new(&net_options, NULL),
        .setting = setting,
        .payload = b,
        .region = cs_view_cstr(region),
        .dual_stack = dual_stack,
        .fips = fips};
    struct cs_aws_credentials *credentials = cs_aws_credentials_new(&options);
    struct cs_aws_keys keys;
    char line[128];

    assert_non_null(options.net);
    assert_non_null(credentials);
    cs_buf_reset(&b->seen);
    assert_int_not_equal(
        cs_aws_credentials_get(credentials, T0, cs_deadline_in_ms(60000), &keys, NULL),
        CS_OK);
    assert_true(snprintf(line, sizeof(line), "CONNECT %s:443 HTTP/1.1\r\n", host) > 0);
    assert_true(cs_view_starts(cs_buf_view(&b->seen), cs_view_cstr(line)));
    cs_aws_credentials_free(credentials);
    cs_net_client_free(options.net);
}

static void test_endpoint_of_sts(void **state)
{
    struct bench *b = *state;

    set(b, "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web");
    write_file(b, "AWS_WEB_IDENTITY_TOKEN_FILE", "token", "web.token\n");
    assert_sts_at(b, "eu-central-1", false, false, "sts.eu-central-1.amazonaws.com");
    assert_sts_at(b, "eu-central-1", false, true, "sts-fips.eu-central-1.amazonaws.com");
    assert_sts_at(b, "eu-central-1", true, false, "sts.eu-central-1.api.aws");
    assert_sts_at(b, "cn-north-1", false, false, "sts.cn-north-1.amazonaws.com.cn");
    assert_sts_at(b, "us-gov-west-1", false, true, "sts.us-gov-west-1.amazonaws.com");
}

static void test_web_identity(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;

    set(b, "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web");
    set_url(b, "AWS_ENDPOINT_URL", "/");
    set(b, "AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token");
    assert_int_equal(ask_at(b, T0, &keys, NULL), CS_EUNAUTH);
    cs_aws_credentials_expire(b->credentials);
    write_file(b, "AWS_WEB_IDENTITY_TOKEN_FILE", "token", "web.token\n");
    assert_ok(ask_at(b, T0, &keys, err));
    assert_view(keys.access_key_id, "ASIAROLE");
    assert_non_null(strstr(cs_buf_cstr(&b->seen), "WebIdentityToken=web.token"));
    assert_null(strstr(cs_buf_cstr(&b->seen), "Authorization:"));
}

/* The same, told by a profile. */
static void test_web_identity_of_a_profile(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;
    char config[256];

    write_file(b, "TOKEN", "token", "web.token\n"); /* a setting that nobody reads */
    assert_true(snprintf(config, sizeof(config),
                         "[default]\nrole_arn=arn:aws:iam::123456789012:role/web\n"
                         "web_identity_token_file=%s/token\nduration_seconds=1234\n",
                         b->folder) > 0);
    write_file(b, "AWS_CONFIG_FILE", "config", config);
    set_url(b, "AWS_ENDPOINT_URL", "/");
    assert_ok(ask_at(b, T0, &keys, err));
    assert_view(keys.access_key_id, "ASIAROLE");
    assert_string_equal(keys.source, "profile");
    assert_non_null(strstr(cs_buf_cstr(&b->seen), "WebIdentityToken=web.token"));
    assert_non_null(strstr(cs_buf_cstr(&b->seen), "DurationSeconds=1234"));
    assert_null(strstr(cs_buf_cstr(&b->seen), "Authorization:"));
}

/* Each source goes before those behind it, all of which have keys. */
static void test_order_of_the_sources(void **state)
{
    static const struct {
        const char *source;
        const char *without; /* the setting that is taken from it */
    } cases[] = {{"environment", "AWS_ACCESS_KEY_ID"},
                 {"web identity", "AWS_WEB_IDENTITY_TOKEN_FILE"},
                 {"profile", "AWS_SHARED_CREDENTIALS_FILE"},
                 {"container", "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
                 {"instance", "AWS_EC2_METADATA_SERVICE_ENDPOINT"}};
    struct bench *b = *state;
    struct cs_aws_keys keys;

    set(b, "AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    set(b, "AWS_SECRET_ACCESS_KEY", "test-secret");
    set(b, "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web");
    set_url(b, "AWS_ENDPOINT_URL", "/");
    write_file(b, "AWS_WEB_IDENTITY_TOKEN_FILE", "token", "web.token\n");
    write_file(b, "AWS_SHARED_CREDENTIALS_FILE", "credentials",
               "[default]\naws_access_key_id=AKIDFILE\naws_secret_access_key=s\n");
    set_url(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/container");
    set(b, "AWS_EC2_METADATA_DISABLED", "false");
    set(b, "AWS_EC2_METADATA_SERVICE_ENDPOINT", b->base);
    for (size_t i = 0; i < CS_COUNT(cases); i++) {
        assert_ok(ask_at(b, T0, &keys, err));
        assert_string_equal(keys.source, cases[i].source);
        set(b, cases[i].without, "");
        if (i == 0)
            set(b, "AWS_SECRET_ACCESS_KEY", "");
        cs_aws_credentials_expire(b->credentials);
    }
}

static void test_container(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;

    set_url(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/container");
    write_file(b, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "token", "pod-token\n");
    assert_ok(ask_at(b, T0, &keys, err));
    assert_view(keys.access_key_id, "ASIATEST1");
    assert_string_equal(keys.source, "container");
    assert_non_null(strstr(cs_buf_cstr(&b->seen), "Authorization: pod-token\r\n"));
}

static void test_what_the_container_says(void **state)
{
    static const char *const broken[] = {"/login", "/someday", "/nowhere"};
    struct bench *b = *state;
    struct cs_aws_keys keys;
    struct cs_err why = CS_ERR_NONE;
    char other[64];

    set_url(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/escaped");
    assert_ok(ask_at(b, T0, &keys, err));
    assert_view(keys.access_key_id, "ASIAJSON");
    assert_view(keys.secret, "s+");
    assert_view(keys.token, "a/b=");
    assert_int_equal(keys.expires_at_us, 0);
    /* no fault of those whose requests need the keys, whatever it is */
    for (size_t i = 0; i < CS_COUNT(broken); i++) {
        set_url(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", broken[i]);
        cs_aws_credentials_expire(b->credentials);
        why = CS_ERR_NONE;
        assert_int_equal(ask_at(b, T0, &keys, &why), CS_EUNAUTH);
        assert_int_equal(why.code, CS_EUNAUTH);
    }
    /* the whole of 127.0.0.0/8 is this machine */
    assert_true(snprintf(other, sizeof(other), "http://127.0.0.2:%u/keys",
                         fake_http_port(b->server)) > 0);
    set(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", other);
    cs_aws_credentials_expire(b->credentials);
    why = CS_ERR_NONE;
    assert_int_not_equal(ask_at(b, T0, &keys, &why), CS_OK);
    assert_string_not_equal(why.reason, "credentials_url_refused");
    set_url(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/container");
    set(b, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "two\r\nlines");
    cs_aws_credentials_expire(b->credentials);
    assert_int_equal(ask_at(b, T0, &keys, NULL), CS_EUNAUTH);
    set(b, "AWS_CONFIG_FILE", "/"); /* no file */
    cs_aws_credentials_expire(b->credentials);
    assert_int_equal(ask_at(b, T0, &keys, NULL), CS_EUNAUTH);
}

static void test_instance(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;

    set(b, "AWS_EC2_METADATA_DISABLED", "false");
    set_url(b, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "/");
    assert_ok(ask_at(b, T0, &keys, err));
    assert_view(keys.access_key_id, "ASIATEST3");
    assert_string_equal(keys.source, "instance");
}

static void test_a_metadata_service_that_is_off_is_none(void **state)
{
    struct bench *b = *state;

    set(b, "AWS_EC2_METADATA_DISABLED", "false");
    set_url(b, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "");
    b->off = true;
    refused(b, "credentials_missing");
    assert_int_equal(b->answers, 1);
}

static void test_a_dead_metadata_service_costs_little_and_once(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;
    int64_t started = cs_clock_monotonic_us();

    set(b, "AWS_EC2_METADATA_DISABLED", "false");
    set_url(b, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "");
    b->silent = true;
    for (int i = 0; i < 20; i++)
        assert_int_equal(ask_at(b, T0 + i, &keys, NULL), CS_EUNAUTH);
    assert_true(cs_clock_monotonic_us() - started < 15 * CS_SECOND_US);
    assert_int_equal(b->answers, 1);
}

static void test_refresh(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;

    set_url(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/container");
    assert_ok(ask_at(b, T0, &keys, err));
    assert_ok(ask_at(b, T0 + MINUTES(54), &keys, err));
    assert_int_equal(b->answers, 1);
    /* ahead of the end, the service down: the old ones go on, and it is left alone */
    b->down = true;
    assert_ok(ask_at(b, T0 + MINUTES(56), &keys, err));
    assert_ok(ask_at(b, T0 + MINUTES(56) + 1, &keys, err));
    assert_view(keys.access_key_id, "ASIATEST1");
    assert_int_equal(b->answers, 1 + 3);
    b->down = false;
    assert_ok(ask_at(b, T0 + MINUTES(57), &keys, err));
    assert_view(keys.access_key_id, "ASIATEST5");
    /* past the end, the service down */
    b->down = true;
    assert_int_equal(ask_at(b, T0 + MINUTES(61), &keys, NULL), CS_EUPSTREAM);
    assert_int_equal(keys.secret.len, 0);
    /* a service says that they are expired */
    b->down = false;
    cs_aws_credentials_expire(b->credentials);
    assert_ok(ask_at(b, T0, &keys, err));
    assert_view(keys.access_key_id, "ASIATEST9");
}

/* What ends three minutes later, and again once it has ended. */
static void test_keys_near_their_end_are_not_asked_for_each_time(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;

    set_url(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/container");
    for (int i = 0; i < 20; i++)
        assert_ok(ask_at(b, T0 + MINUTES(57) + i, &keys, err));
    assert_int_equal(b->answers, 1);
    assert_ok(ask_at(b, T0 + MINUTES(58), &keys, err));
    assert_int_equal(b->answers, 2);
    /* they end before their turn, and so are asked for */
    assert_ok(ask_at(b, T0 + MINUTES(60) - CS_SECOND_US, &keys, err));
    assert_int_equal(b->answers, 3);
    for (int i = 0; i < 20; i++)
        assert_ok(ask_at(b, T0 + MINUTES(60) + i, &keys, err));
    assert_int_equal(b->answers, 4);
    cs_aws_credentials_expire(b->credentials);
    assert_ok(ask_at(b, T0 + MINUTES(60), &keys, err));
    assert_view(keys.access_key_id, "ASIATEST5");
}

/* A clock that was a day ahead when the keys came, until an answer corrected it. */
static void test_a_clock_that_is_set_back(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;

    set_url(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/container");
    assert_ok(ask_at(b, T0 + 24 * MINUTES(60), &keys, err));
    assert_ok(ask_at(b, T0, &keys, err));
    assert_int_equal(b->answers, 1);
    assert_ok(ask_at(b, T0 + MINUTES(56), &keys, err));
    assert_view(keys.access_key_id, "ASIATEST2");
}

static void use_role(struct bench *b)
{
    write_file(b, "AWS_CONFIG_FILE", "config",
               "[default]\nrole_arn = arn:aws:iam::123456789012:role/test\n"
               "source_profile = default\naws_access_key_id = AKIDBASE\n"
               "aws_secret_access_key = s\n");
    set_url(b, "AWS_ENDPOINT_URL_STS", "");
}

static void test_passing_faults_are_sat_out(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;

    use_role(b);
    b->shaken = 2;
    assert_ok(ask_at(b, T0, &keys, err));
    assert_view(keys.access_key_id, "ASIAROLE");
    assert_int_equal(b->answers, 3);
    write_file(b, "AWS_CONFIG_FILE", "config", "");
    set_url(b, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/container");
    cs_aws_credentials_expire(b->credentials);
    b->shaken = 2;
    assert_ok(ask_at(b, T0, &keys, err));
    assert_view(keys.access_key_id, "ASIATEST6");
    /* and no longer than three times */
    cs_aws_credentials_expire(b->credentials);
    b->shaken = 3;
    assert_int_equal(ask_at(b, T0, &keys, NULL), CS_EUPSTREAM);
    assert_int_equal(b->answers, 9);
    /* which is not held against the requests of the next second */
    assert_ok(ask_at(b, T0 + CS_SECOND_US, &keys, err));
}

static void test_the_clock_of_sts(void **state)
{
    struct bench *b = *state;
    struct cs_aws_keys keys;

    use_role(b);
    b->strict = true;
    assert_ok(ask_at(b, T0 - MINUTES(30), &keys, err));
    assert_view(keys.access_key_id, "ASIAROLE");
    assert_int_equal(b->answers, 2);
}

static void test_a_refresh_ahead_leaves_the_request_its_time(void **state)
{
    struct bench *b = *state;
    struct cs_deadline deadline = cs_deadline_in_ms(60000);
    struct cs_aws_keys keys;

    use_role(b);
    assert_ok(ask_at(b, T0, &keys, err));
    b->silent = true;
    assert_ok(
        cs_aws_credentials_get(b->credentials, T0 + MINUTES(56), deadline, &keys, err));
    assert_int_equal(b->answers, 2);
    assert_true(cs_deadline_left_ms(deadline) > 30000);
}

#define with_bench(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_nested_settings),
        with_bench(test_what_is_refused),
        with_bench(test_profiles_without_keys),
        with_bench(test_environment_first),
        with_bench(test_shared_files),
        with_bench(test_assumed_role),
        with_bench(test_web_identity),
        with_bench(test_web_identity_of_a_profile),
        with_bench(test_order_of_the_sources),
        with_bench(test_endpoint_of_sts),
        with_bench(test_container),
        with_bench(test_what_the_container_says),
        with_bench(test_instance),
        with_bench(test_a_metadata_service_that_is_off_is_none),
        with_bench(test_a_dead_metadata_service_costs_little_and_once),
        with_bench(test_refresh),
        with_bench(test_keys_near_their_end_are_not_asked_for_each_time),
        with_bench(test_a_clock_that_is_set_back),
        with_bench(test_passing_faults_are_sat_out),
        with_bench(test_the_clock_of_sts),
        with_bench(test_a_refresh_ahead_leaves_the_request_its_time),
    };

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
