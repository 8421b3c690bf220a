#include "config.h"

#include "http/jwks.h"

#include <stdlib.h>

#include "base/file.h"

#define MAX_AGE_US       (3600 * CS_SECOND_US)
#define FETCH_TIMEOUT_MS 5000

struct cs_jwks {
    char *file;
    char *url;
    cs_fetch_fn *fetch;
    void *fetch_payload;
    struct cs_log *log;
    int64_t min_pause_us;
    bool loaded, tried;
    int64_t loaded_us, tried_us;
    unsigned readings;
};

/* A key set that anybody on the way could replace is worth nothing. */
static bool safe_url(struct cs_view url)
{
    static const struct cs_view loopback[] = {CS_LIT_INIT("http://127.0.0.1"),
                                              CS_LIT_INIT("http://[::1]"),
                                              CS_LIT_INIT("http://localhost")};

    if (cs_view_starts(url, CS_LIT("https://")))
        return true;
    for (size_t i = 0; i < CS_COUNT(loopback); i++) {
        struct cs_view rest = cs_view_from(url, loopback[i].len);

        if (cs_view_starts(url, loopback[i]) &&
            (rest.len == 0 || rest.ptr[0] == ':' || rest.ptr[0] == '/'))
            return true;
    }
    return false;
}

static enum cs_code check_options(const struct cs_identity_options *options,
                                  struct cs_err *err)
{
    if (options->jwks_url == NULL)
        return CS_OK;
    if (options->jwks_file != NULL)
        return cs_err_field(err, CS_EINVAL, "JWT_JWKS_URL", "setting_invalid",
                            "JWT_JWKS_FILE and JWT_JWKS_URL are both set: keep one");
    if (!safe_url(cs_view_cstr(options->jwks_url)))
        return cs_err_field(
            err, CS_EINVAL, "JWT_JWKS_URL", "setting_invalid",
            "JWT_JWKS_URL must begin with https:// (http:// is taken for this "
            "machine alone)");
    if (options->fetch == NULL)
        return cs_err_field(err, CS_EINVAL, "JWT_JWKS_URL", "setting_invalid",
                            "JWT_JWKS_URL can't be used here: there is no HTTP client");
    return CS_OK;
}

static bool copy_text(char **out, const char *text)
{
    *out = text != NULL ? cs_view_dup(cs_view_cstr(text)) : NULL;
    return text == NULL || *out != NULL;
}

struct cs_jwks *cs_jwks_new(const struct cs_identity_options *options, struct cs_err *err)
{
    struct cs_jwks *jwks;

    if (check_options(options, err) != CS_OK)
        return NULL;
    jwks = calloc(1, sizeof(*jwks));
    if (jwks == NULL || !copy_text(&jwks->file, options->jwks_file) ||
        !copy_text(&jwks->url, options->jwks_url)) {
        (void)cs_err_nomem(err);
        cs_jwks_free(jwks);
        return NULL;
    }
    jwks->fetch = options->fetch;
    jwks->fetch_payload = options->fetch_payload;
    jwks->log = options->log;
    jwks->min_pause_us = options->jwks_min_refetch_s * CS_SECOND_US;
    return jwks;
}

void cs_jwks_free(struct cs_jwks *jwks)
{
    if (jwks == NULL)
        return;
    free(jwks->file);
    free(jwks->url);
    free(jwks);
}

bool cs_jwks_configured(const struct cs_jwks *jwks)
{
    return jwks->file != NULL || jwks->url != NULL;
}

unsigned cs_jwks_readings(const struct cs_jwks *jwks)
{
    return jwks->readings;
}

static enum cs_code load(struct cs_jwks *jwks, struct cs_keys *keys, int64_t now_us,
                         struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_buf text = CS_BUF_INIT(CS_JWKS_MAX_BYTES);
    struct cs_deadline soon = cs_deadline_in_ms(FETCH_TIMEOUT_MS);
    enum cs_code rc;

    jwks->tried = true;
    jwks->tried_us = now_us;
    if (jwks->file != NULL)
        rc = cs_file_read(&text, jwks->file, CS_JWKS_MAX_BYTES, err);
    else
        rc = jwks->fetch(jwks->fetch_payload, jwks->url, &text,
                         soon.at_us < deadline.at_us ? soon : deadline, err);
    if (rc == CS_OK)
        rc = cs_keys_read_set(keys, cs_buf_view(&text), jwks->log, err);
    if (rc == CS_OK) {
        jwks->loaded = true;
        jwks->readings++;
        jwks->loaded_us = now_us;
    }
    cs_buf_clear(&text);
    return rc;
}

/* The clock may have been set back since. */
static bool passed(int64_t since_us, int64_t now_us, int64_t time_us)
{
    return now_us < since_us || now_us - since_us >= time_us;
}

bool cs_jwks_renew(struct cs_jwks *jwks, struct cs_keys *keys, int64_t now_us,
                   struct cs_deadline deadline)
{
    struct cs_err err = CS_ERR_NONE;

    if (!cs_jwks_configured(jwks) ||
        (jwks->tried && !passed(jwks->tried_us, now_us, jwks->min_pause_us)))
        return false;
    if (load(jwks, keys, now_us, deadline, &err) == CS_OK)
        return true;
    cs_log_err(jwks->log, CS_LOG_WARN, "the key set could not be read", &err);
    return false;
}

enum cs_code cs_jwks_start(struct cs_jwks *jwks, struct cs_keys *keys, int64_t now_us,
                           struct cs_err *err)
{
    struct cs_err inner = CS_ERR_NONE;

    if (jwks->file == NULL ||
        load(jwks, keys, now_us, cs_deadline_in_ms(FETCH_TIMEOUT_MS), &inner) == CS_OK)
        return CS_OK;
    return cs_err_field(err, CS_EINVAL, "JWT_JWKS_FILE", "setting_invalid",
                        "JWT_JWKS_FILE can't be used: %s", inner.text);
}

enum cs_code cs_jwks_ensure(struct cs_jwks *jwks, struct cs_keys *keys, int64_t now_us,
                            struct cs_deadline deadline, struct cs_err *err)
{
    if (!cs_jwks_configured(jwks) ||
        (jwks->loaded && !passed(jwks->loaded_us, now_us, MAX_AGE_US)))
        return CS_OK;
    (void)cs_jwks_renew(jwks, keys, now_us, deadline);
    return jwks->loaded
               ? CS_OK
               : cs_err_field(
                     err, CS_EUPSTREAM, "", "key_set_unavailable",
                     "the keys that tokens are checked with can't be fetched now: try "
                     "again shortly");
}
