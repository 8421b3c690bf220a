#include "config.h"

#include "fake_aws.h"

#include <stdio.h>
#include <stdlib.h>

static void must(bool holds)
{
    if (!holds)
        abort();
}

static const char *setting(const void *payload, const char *name)
{
    const struct fake_aws *fake = payload;

    if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0)
        return fake->access_key;
    if (strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0)
        return "test-secret";
    return NULL;
}

static int64_t clock_of(void *payload)
{
    struct fake_aws *fake = payload;

    return cs_clock_now_us() + fake->clock_offset_us;
}

static double random_of(void *payload)
{
    struct fake_aws *fake = payload;

    fake->draws++;
    return fake->random;
}

static void give(struct fake_reply *reply, const struct fake_answer *answer)
{
    if (answer->status != FAKE_NO_ANSWER)
        fake_reply_with(reply, answer->status,
                        answer->headers != NULL ? answer->headers : "",
                        cs_view_cstr(answer->body));
    reply->then = answer->then;
    if (answer->then == FAKE_CUT)
        cs_buf_truncate(&reply->bytes, reply->bytes.len - 3);
    if (answer->status == FAKE_NO_ANSWER && answer->then == FAKE_KEEP)
        reply->then = FAKE_RESET;
}

static void play(void *payload, const struct fake_request *request,
                 struct fake_reply *reply)
{
    struct fake_aws *fake = payload;
    const struct fake_answer *answer =
        fake->script != NULL ? &fake->script[fake->answer] : NULL;

    cs_buf_add(&fake->seen, request->head);
    cs_buf_add(&fake->seen, request->body);
    cs_buf_add(&fake->seen, CS_LIT("\n"));
    if (answer == NULL || answer->status == 0) {
        fake_reply_with(reply, 200, "", CS_LIT(""));
        return;
    }
    give(reply, answer);
    if (++fake->given >= answer->times) {
        fake->answer++;
        fake->given = 0;
    }
}

void fake_aws_init(struct fake_aws *fake, const struct cs_retry_policy *policy)
{
    static const struct cs_retry_policy quick = {
        .max_attempts = 4, .base_us = 1000, .cap_us = 20000};
    const struct cs_net_options net_options = {.connect_timeout_ms = 30000,
                                               .idle_timeout_ms = 30000};
    struct cs_aws_credentials_options credentials = {
        .setting = setting, .payload = fake, .region = CS_LIT("eu-central-1")};
    struct cs_aws_options options = {.retry = policy != NULL ? *policy : quick,
                                     .now_us = clock_of,
                                     .random = random_of,
                                     .payload = fake,
                                     .counts = &fake->counts};
    struct cs_aws_endpoint_options endpoint = {.service = CS_AWS_DYNAMODB,
                                               .region = CS_LIT("eu-central-1")};

    memset(fake, 0, sizeof(*fake));
    fake->access_key = "AKIDEXAMPLE";
    fake->random = 0.5;
    cs_buf_init(&fake->seen, 512u << 20);
    fake->server = fake_http_new(play, fake);
    must(snprintf(fake->url, sizeof(fake->url), "http://127.0.0.1:%u",
                  fake_http_port(fake->server)) > 0);
    fake->net = cs_net_client_new(&net_options, NULL);
    credentials.net = fake->net;
    fake->credentials = cs_aws_credentials_new(&credentials);
    options.net = fake->net;
    options.credentials = fake->credentials;
    fake->aws = cs_aws_new(&options);
    must(fake->net != NULL && fake->credentials != NULL && fake->aws != NULL);
    cs_aws_endpoint_init(&fake->endpoint);
    endpoint.url = cs_view_cstr(fake->url);
    must(cs_aws_endpoint_make(&fake->endpoint, &endpoint, NULL) == CS_OK);
}

void fake_aws_clear(struct fake_aws *fake)
{
    cs_aws_free(fake->aws);
    cs_aws_credentials_free(fake->credentials);
    cs_net_client_free(fake->net);
    fake_http_free(fake->server);
    cs_aws_endpoint_clear(&fake->endpoint);
    cs_buf_clear(&fake->seen);
}

void fake_aws_play(struct fake_aws *fake, const struct fake_answer *script)
{
    fake->script = script;
    fake->answer = 0;
    fake->given = 0;
    cs_buf_reset(&fake->seen);
}

unsigned fake_aws_saw(const struct fake_aws *fake, const char *text)
{
    struct cs_view rest = cs_buf_view(&fake->seen);
    struct cs_view wanted = cs_view_cstr(text);
    unsigned count = 0;
    size_t at;

    while ((at = cs_view_find(rest, wanted)) != SIZE_MAX) {
        count++;
        rest = cs_view_from(rest, at + wanted.len);
    }
    return count;
}
