#include "config.h"

#include "aws/credentials.h"

#include <poll.h>
#include <stdlib.h>

#include "aws/credentials_internal.h"
#include "aws/retry.h"
#include "base/file.h"
#include "json/scan.h"

#define REFRESH_AHEAD_US (5 * 60 * CS_SECOND_US)
#define RETRY_LATER_US \
    (30 * CS_SECOND_US) /* a failed refresh, while the old ones are good */
#define FAILED_FOR_US \
    (10 * CS_SECOND_US)            /* a failed search is not repeated for so long */
#define BROKEN_FOR_US CS_SECOND_US /* nor one that met a fault which may pass */
#define AHEAD_MS      3000 /* what a request spends at most while the old ones are good */

struct cs_aws_credentials {
    struct cs_aws_credentials_options options;
    struct cs_keyset keys;
    bool expired;          /* a service said so */
    int64_t not_before_us; /* no search before this time */
    struct cs_err failure; /* of the last search */
};

static const struct {
    const char *name;
    cs_key_source *find;
} sources[] = {
    {"environment", cs_keys_from_environment},
    {"web identity", cs_keys_from_web_identity},
    {"profile", cs_keys_from_profile},
    {"container", cs_keys_from_container},
    {"instance", cs_keys_from_instance},
};

struct cs_aws_credentials *cs_aws_credentials_new(
    const struct cs_aws_credentials_options *options)
{
    struct cs_aws_credentials *c = calloc(1, sizeof(*c));

    if (c != NULL)
        c->options = *options;
    return c;
}

void cs_aws_credentials_free(struct cs_aws_credentials *c)
{
    if (c == NULL)
        return;
    cs_keyset_clear(&c->keys);
    free(c);
}

void cs_aws_credentials_expire(struct cs_aws_credentials *c)
{
    c->expired = true;
    c->not_before_us = 0;
}

/* ---- sets ---- */

static void wipe_text(char **text)
{
    if (*text != NULL)
        cs_wipe(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void cs_keyset_clear(struct cs_keyset *keys)
{
    wipe_text(&keys->access_key_id);
    wipe_text(&keys->secret);
    wipe_text(&keys->token);
    keys->expires_at_us = 0;
    keys->source = NULL;
}

enum cs_code cs_keyset_set(struct cs_keyset *keys, struct cs_view access_key_id,
                           struct cs_view secret, struct cs_view token,
                           struct cs_err *err)
{
    if (access_key_id.len == 0 || secret.len == 0)
        return cs_err_set(err, CS_EUNAUTH,
                          "AWS credentials without a key id or a secret");
    keys->access_key_id = cs_view_dup(access_key_id);
    keys->secret = cs_view_dup(secret);
    keys->token = cs_view_dup(token);
    if (keys->access_key_id != NULL && keys->secret != NULL && keys->token != NULL)
        return CS_OK;
    cs_keyset_clear(keys);
    return cs_err_nomem(err);
}

/* Cut out of the text, so that the secret is in no memory that nobody wipes. */
enum cs_code cs_keyset_from_json(struct cs_keyset *out, struct cs_view json,
                                 struct cs_err *err)
{
    static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "Token",
                                        "Expiration"};
    struct cs_buf texts[CS_COUNT(names)];
    enum cs_code rc = cs_json_validate(json, NULL, err);

    for (size_t i = 0; i < CS_COUNT(names); i++) {
        cs_buf_init(&texts[i], CS_KEY_TOKEN_MAX);
        if (rc != CS_OK)
            continue;
        cs_buf_reserve(&texts[i], cs_json_slice(json, names[i]).len);
        (void)cs_json_slice_string(&texts[i], json, names[i]);
        rc = cs_buf_check(&texts[i], err);
    }
    if (rc == CS_OK)
        rc = cs_keyset_set(out, cs_buf_view(&texts[0]), cs_buf_view(&texts[1]),
                           cs_buf_view(&texts[2]), err);
    if (rc == CS_OK && texts[3].len > 0 &&
        (rc = cs_time_parse(&out->expires_at_us, cs_buf_view(&texts[3]), err)) != CS_OK)
        cs_keyset_clear(out);
    for (size_t i = 0; i < CS_COUNT(names); i++)
        cs_buf_wipe(&texts[i]);
    return rc;
}

/* ---- the search ---- */

const char *cs_key_setting(const struct cs_key_search *search, const char *name)
{
    const char *value = search->options->setting(search->options->payload, name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

enum cs_code cs_key_file(struct cs_buf *out, const char *path, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = cs_file_read(out, path, CS_KEY_TOKEN_MAX, &why);

    if (rc == CS_OK)
        return CS_OK;
    if (rc == CS_ENOMEM)
        return cs_err_nomem(err);
    return cs_err_set(err, CS_EUNAUTH, "the token file %s can't be read: %s", path,
                      why.text);
}

bool cs_key_again(const struct cs_key_search *search, unsigned attempt,
                  const struct cs_net_response *response)
{
    /* a request waits for this, so the waits are short ones */
    static const struct cs_retry_policy policy = {
        .max_attempts = 3, .base_us = 100000, .cap_us = 1000000};
    int64_t asked_us = cs_retry_after_us(cs_net_response_header(response, "retry-after"),
                                         search->now_us);
    uint16_t chance = UINT16_MAX; /* without any: the longest wait */
    int64_t wait_us;

    if (attempt >= policy.max_attempts)
        return false;
    (void)!cs_random_bytes(&chance, sizeof(chance), NULL);
    wait_us = cs_retry_backoff_us(&policy, attempt, chance / (double)UINT16_MAX);
    if (wait_us < asked_us)
        wait_us = asked_us;
    if (cs_deadline_left_ms(search->deadline) * 1000ll <= wait_us)
        return false;
    (void)poll(NULL, 0, (int)((wait_us + 999) / 1000));
    return true;
}

enum cs_code cs_keys_from_environment(const struct cs_key_search *search,
                                      struct cs_keyset *out, struct cs_err *err)
{
    const char *id = cs_key_setting(search, "AWS_ACCESS_KEY_ID");
    const char *secret = cs_key_setting(search, "AWS_SECRET_ACCESS_KEY");
    const char *token = cs_key_setting(search, "AWS_SESSION_TOKEN");

    if (id == NULL && secret == NULL)
        return CS_ENOTFOUND;
    if (id == NULL || secret == NULL)
        return cs_err_field(
            err, CS_EUNAUTH, id == NULL ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
            "credentials_incomplete",
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: set both");
    return cs_keyset_set(out, cs_view_cstr(id), cs_view_cstr(secret), cs_view_cstr(token),
                         err);
}

static enum cs_code search_all(const struct cs_key_search *search, struct cs_keyset *out,
                               struct cs_err *err)
{
    for (size_t i = 0; i < CS_COUNT(sources); i++) {
        enum cs_code rc = sources[i].find(search, out, err);

        if (rc == CS_OK)
            out->source = sources[i].name;
        if (rc != CS_ENOTFOUND)
            return rc;
    }
    return cs_err_field(
        err, CS_EUNAUTH, "AWS_ACCESS_KEY_ID", "credentials_missing",
        "no AWS credentials: neither in the environment or .env, nor a web "
        "identity, a profile, a container endpoint or an instance role");
}

static bool are_good_at(const struct cs_keyset *keys, int64_t time_us)
{
    return keys->access_key_id != NULL &&
           (keys->expires_at_us == 0 || keys->expires_at_us > time_us);
}

/* Some sources hand out the same keys until shortly before their end, or past it: not
 * every request is to ask them. */
static int64_t next_search_us(const struct cs_keyset *found, int64_t now_us)
{
    int64_t later_us = now_us + RETRY_LATER_US;

    if (are_good_at(found, now_us + REFRESH_AHEAD_US))
        return 0;
    return found->expires_at_us > now_us && found->expires_at_us < later_us
               ? found->expires_at_us
               : later_us;
}

/* What a source calls malformed, too long or forbidden is so of ours, and must not be
 * taken for a word about the request that needed the keys. */
static enum cs_code as_credentials_fault(enum cs_code code, struct cs_err *why)
{
    switch (code) {
    case CS_ENOMEM:
    case CS_EUPSTREAM:
    case CS_ETIMEOUT:
    case CS_EBUSY:
        return code;
    default:
        if (why->upstream_status == 0)
            why->code = CS_EUNAUTH;
        return why->code;
    }
}

static enum cs_code refresh(struct cs_aws_credentials *c, int64_t now_us,
                            struct cs_deadline deadline)
{
    const struct cs_key_search search = {&c->options, now_us, deadline};
    struct cs_keyset fresh = {.access_key_id = NULL};
    char end[CS_TIME_TEXT_LEN + 1] = "forever";
    enum cs_code rc;

    c->failure = CS_ERR_NONE;
    rc = search_all(&search, &fresh, &c->failure);
    if (rc != CS_OK)
        return as_credentials_fault(rc, &c->failure);
    cs_keyset_clear(&c->keys);
    c->keys = fresh;
    c->expired = false;
    c->not_before_us = next_search_us(&c->keys, now_us);
    if (fresh.expires_at_us != 0)
        cs_time_text(end, fresh.expires_at_us);
    cs_log_put(c->options.log, CS_LOG_INFO, "AWS credentials",
               CS_LOG_TEXT("source", cs_view_cstr(fresh.source)),
               CS_LOG_TEXT("until", cs_view_cstr(end)));
    return CS_OK;
}

/* What a failed refresh means: the old ones go on while they are good. */
static enum cs_code fall_back(struct cs_aws_credentials *c, int64_t now_us,
                              enum cs_code why, struct cs_err *err)
{
    if (why == CS_ENOMEM)
        return cs_err_nomem(err);
    cs_log_err(c->options.log, CS_LOG_WARN, "AWS credentials not refreshed", &c->failure);
    if (are_good_at(&c->keys, now_us) && !c->expired) {
        c->not_before_us = now_us + RETRY_LATER_US;
        return CS_OK;
    }
    c->not_before_us =
        now_us +
        (why == CS_EUPSTREAM || why == CS_ETIMEOUT ? BROKEN_FOR_US : FAILED_FOR_US);
    cs_err_hand_on(err, &c->failure);
    return why;
}

/* No wait is longer: a clock that was set back meanwhile makes none of it. */
static bool is_too_soon(const struct cs_aws_credentials *c, int64_t now_us)
{
    int64_t left_us = c->not_before_us - now_us;

    return left_us > 0 && left_us <= RETRY_LATER_US;
}

static enum cs_code ensure(struct cs_aws_credentials *c, int64_t now_us,
                           struct cs_deadline deadline, struct cs_err *err)
{
    bool good = are_good_at(&c->keys, now_us) && !c->expired;
    struct cs_deadline soon = cs_deadline_in_ms(AHEAD_MS);
    enum cs_code rc;

    if (good && are_good_at(&c->keys, now_us + REFRESH_AHEAD_US))
        return CS_OK;
    if (is_too_soon(c, now_us)) {
        if (good || c->failure.code == CS_OK)
            return CS_OK;
        cs_err_hand_on(err, &c->failure);
        return c->failure.code;
    }
    rc = refresh(c, now_us, good && soon.at_us < deadline.at_us ? soon : deadline);
    return rc == CS_OK ? CS_OK : fall_back(c, now_us, rc, err);
}

enum cs_code cs_aws_credentials_get(struct cs_aws_credentials *c, int64_t now_us,
                                    struct cs_deadline deadline, struct cs_aws_keys *out,
                                    struct cs_err *err)
{
    enum cs_code rc;

    *out = (struct cs_aws_keys){.source = ""};
    if ((rc = ensure(c, now_us, deadline, err)) != CS_OK)
        return rc;
    out->access_key_id = cs_view_cstr(c->keys.access_key_id);
    out->secret = cs_view_cstr(c->keys.secret);
    out->token = cs_view_cstr(c->keys.token);
    out->expires_at_us = c->keys.expires_at_us;
    out->source = c->keys.source;
    return CS_OK;
}
