#include "config.h"

#include "api/app.h"

#include <stdlib.h>

#include "api/exchange.h"
#include "base/file.h"

#define SECRET_MAX     (16u * 1024u)
#define URL_SECRET_MIN 32u

/* JWT_SECRET, or what JWT_SECRET_FILE holds without the newline at its end. */
static enum cs_code read_secret(const struct cs_settings *settings, struct cs_buf *out,
                                struct cs_err *err)
{
    const char *text = cs_settings_text(settings, CS_SET_JWT_SECRET);
    const char *path = cs_settings_text(settings, CS_SET_JWT_SECRET_FILE);
    struct cs_err cause = CS_ERR_NONE;

    if (text != NULL && path != NULL)
        return cs_err_field(err, CS_EINVAL, "JWT_SECRET_FILE", "setting_invalid",
                            "JWT_SECRET and JWT_SECRET_FILE are both set: keep one");
    if (text != NULL) {
        cs_buf_add_cstr(out, text);
    } else if (path != NULL) {
        if (cs_file_read(out, path, SECRET_MAX, &cause) != CS_OK)
            return cs_err_field(err, CS_EINVAL, "JWT_SECRET_FILE", "setting_invalid",
                                "JWT_SECRET_FILE: %s", cause.text);
        while (out->len > 0 &&
               (out->ptr[out->len - 1] == '\n' || out->ptr[out->len - 1] == '\r'))
            cs_buf_truncate(out, out->len - 1);
    }
    return cs_buf_check(out, err);
}

static enum cs_code make_authenticator(struct cs_app *app,
                                       const struct cs_app_options *options,
                                       struct cs_err *err)
{
    const struct cs_settings *settings = options->settings;
    struct cs_buf secret = CS_BUF_INIT(SECRET_MAX);
    struct cs_identity_options identity = {
        .gateway = cs_settings_is(settings, CS_SET_AUTH_MODE, "gateway"),
        .public_key_file = cs_settings_text(settings, CS_SET_JWT_PUBLIC_KEY_FILE),
        .public_key_algorithm = cs_settings_text(settings, CS_SET_JWT_ALGORITHM),
        .jwks_file = cs_settings_text(settings, CS_SET_JWT_JWKS_FILE),
        .jwks_url = cs_settings_text(settings, CS_SET_JWT_JWKS_URL),
        .jwks_min_refetch_s = (int)cs_settings_integer(settings, CS_SET_JWT_JWKS_REFETCH),
        .issuer = cs_settings_text(settings, CS_SET_JWT_ISSUER),
        .audience = cs_settings_text(settings, CS_SET_JWT_AUDIENCE),
        .admin_claim = cs_settings_text(settings, CS_SET_ADMIN_CLAIM),
        .admin_value = cs_settings_text(settings, CS_SET_ADMIN_VALUE),
        .tenant_claim = cs_settings_text(settings, CS_SET_TENANT_CLAIM),
        .leeway_s = (int)cs_settings_integer(settings, CS_SET_JWT_LEEWAY),
        .fetch = options->fetch,
        .fetch_payload = options->fetch_payload,
        .log = options->log,
    };
    enum cs_code rc = read_secret(settings, &secret, err);

    if (rc == CS_OK) {
        identity.secret = cs_buf_view(&secret);
        app->authenticator = cs_authenticator_new(&identity, err);
        if (app->authenticator == NULL)
            rc = CS_EINVAL;
    }
    cs_buf_wipe(&secret);
    return rc;
}

struct cs_app *cs_app_new(const struct cs_app_options *options, struct cs_err *err)
{
    const char *url_secret = cs_settings_text(options->settings, CS_SET_URL_SECRET);
    struct cs_app *app = calloc(1, sizeof(*app));

    if (app == NULL) {
        (void)cs_err_nomem(err);
        return NULL;
    }
    cs_buf_init(&app->link_secret, SECRET_MAX);
    app->settings = options->settings;
    app->log = options->log;
    app->started_as = options->started_as;
    app->share_dir = options->share_dir;
    app->campaigns = *options->campaigns;
    app->store = options->campaigns->store;
    app->health = (struct cs_store_health){.objects_ok = true, .records_ok = true};
    if (url_secret != NULL && strlen(url_secret) < URL_SECRET_MIN)
        (void)cs_err_field(err, CS_EINVAL, "CAMPAIGN_URL_SECRET", "setting_invalid",
                           "CAMPAIGN_URL_SECRET has %zu bytes; it needs at least %u",
                           strlen(url_secret), URL_SECRET_MIN);
    else if (make_authenticator(app, options, err) == CS_OK)
        return app;
    cs_app_free(app);
    return NULL;
}

void cs_app_free(struct cs_app *app)
{
    if (app == NULL)
        return;
    cs_authenticator_free(app->authenticator);
    cs_buf_wipe(&app->link_secret);
    free(app);
}
