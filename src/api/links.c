#include "config.h"

#include "api/links.h"

#include <stdio.h>

#include "api/download.h"
#include "api/routes.h"
#include "base/encoding.h"
#include "campaign/artifacts.h"
#include "store/store_local.h"

#define SIGNED_PATH "/api/v1/signed/"

/* The key of our own links: the setting, or what the local store keeps. */
static enum cs_code link_secret(struct cs_app *app, struct cs_view *out,
                                struct cs_err *err)
{
    const char *setting = cs_settings_text(app->settings, CS_SET_URL_SECRET);
    uint8_t kept[CS_STORE_SECRET_LEN];
    enum cs_code rc = CS_OK;

    if (app->link_secret.len == 0 && setting != NULL) {
        cs_buf_add_cstr(&app->link_secret, setting);
    } else if (app->link_secret.len == 0 &&
               (rc = cs_store_local_secret(app->store, kept, err)) == CS_OK) {
        cs_buf_add(&app->link_secret, cs_view_of(kept, sizeof(kept)));
        cs_wipe(kept, sizeof(kept));
    }
    if (rc == CS_OK)
        rc = cs_buf_check(&app->link_secret, err);
    *out = cs_buf_view(&app->link_secret);
    return rc;
}

/* What is signed: everything that the address may do, and until when. */
static enum cs_code sign(struct cs_app *app, struct cs_view key, struct cs_view version,
                         struct cs_view expires, char hex[CS_SHA256_HEX_LEN + 1],
                         struct cs_err *err)
{
    struct cs_buf text = CS_BUF_INIT(8192);
    struct cs_view secret;
    uint8_t digest[CS_SHA256_LEN];
    enum cs_code rc;

    cs_buf_add_cstr(&text, "campaignstore link 1\n");
    cs_buf_add(&text, key);
    cs_buf_add_byte(&text, '\n');
    cs_buf_add(&text, version);
    cs_buf_add_byte(&text, '\n');
    cs_buf_add(&text, expires);
    if ((rc = link_secret(app, &secret, err)) == CS_OK &&
        (rc = cs_buf_check(&text, err)) == CS_OK &&
        (rc = cs_hmac_sha256(digest, secret, cs_buf_view(&text), err)) == CS_OK)
        cs_sha256_hex(hex, digest);
    cs_buf_clear(&text);
    return rc;
}

static enum cs_code add_origin(struct cs_exchange *x, struct cs_buf *out,
                               struct cs_err *err)
{
    const char *setting = cs_settings_text(x->app->settings, CS_SET_PUBLIC_URL);

    if (setting == NULL)
        return cs_request_origin(x->request, out, err);
    cs_buf_add_cstr(out, setting);
    return cs_buf_check(out, err);
}

static enum cs_code make_own_link(struct cs_exchange *x,
                                  const struct cs_artifact *artifact, int64_t expires_us,
                                  struct cs_buf *out, struct cs_err *err)
{
    char expires[24];
    char signature[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc;

    (void)snprintf(expires, sizeof(expires), "%lld",
                   (long long)(expires_us / CS_SECOND_US));
    rc = sign(x->app, artifact->key, artifact->version, cs_view_cstr(expires), signature,
              err);
    if (rc != CS_OK || (rc = add_origin(x, out, err)) != CS_OK)
        return rc;
    cs_buf_add_cstr(out, SIGNED_PATH);
    cs_percent_encode(out, artifact->key, true);
    cs_buf_add_cstr(out, "?version=");
    cs_percent_encode(out, artifact->version, false);
    cs_buf_add_cstr(out, "&expires=");
    cs_buf_add_cstr(out, expires);
    cs_buf_add_cstr(out, "&signature=");
    cs_buf_add_cstr(out, signature);
    return cs_buf_check(out, err);
}

enum cs_code cs_link_make(struct cs_exchange *x, const struct cs_link *link,
                          struct cs_buf *out, int64_t *expires_us_out, struct cs_err *err)
{
    const struct cs_artifact *artifact = link->artifact;
    int64_t ttl_s = cs_settings_integer(x->app->settings, CS_SET_URL_TTL);
    struct cs_object_info info = {.key = artifact->key,
                                  .content_type = artifact->content_type,
                                  .file_name = cs_artifact_file_name(link->name),
                                  .saved = link->saved ||
                                           !cs_download_is_shown(artifact->content_type)};
    struct cs_err cause = CS_ERR_NONE;
    struct cs_store *store = cs_store_in_bucket(x->app->store, artifact->bucket, &cause);
    enum cs_code rc = cause.code;

    if (store != NULL)
        rc = store->ops->url(store, &info, artifact->version, ttl_s, out, expires_us_out,
                             &cause);
    if (rc == CS_EUNSUPPORTED) {
        *expires_us_out = (x->call.now_us / CS_SECOND_US + ttl_s) * CS_SECOND_US;
        rc = make_own_link(x, artifact, *expires_us_out, out, err);
    } else if (rc != CS_OK) {
        cs_err_hand_on(err, &cause);
    }
    return rc;
}

/* ---- serving a signed address ---- */

struct signed_address {
    struct cs_buf key;
    struct cs_buf version;
    struct cs_buf expires;
    struct cs_buf signature;
};

static enum cs_code read_address(struct cs_exchange *x, struct signed_address *address,
                                 struct cs_err *err)
{
    struct cs_view path = cs_request_path(x->request);
    enum cs_code rc;

    path = cs_view_from(path, strlen(SIGNED_PATH));
    if ((rc = cs_percent_decode(&address->key, path, false, err)) != CS_OK ||
        (rc = cs_exchange_query_text(x, "version", &address->version, err)) != CS_OK ||
        (rc = cs_exchange_query_text(x, "expires", &address->expires, err)) != CS_OK)
        return rc;
    return cs_exchange_query_text(x, "signature", &address->signature, err);
}

static enum cs_code check_address(struct cs_exchange *x,
                                  const struct signed_address *address,
                                  struct cs_err *err)
{
    char expected[CS_SHA256_HEX_LEN + 1] = "";
    struct cs_err cause = CS_ERR_NONE;
    uint64_t expires_s = 0;
    enum cs_code rc =
        sign(x->app, cs_buf_view(&address->key), cs_buf_view(&address->version),
             cs_buf_view(&address->expires), expected, &cause);

    /* without a key we never gave a link out */
    if (rc != CS_OK && rc != CS_EUNSUPPORTED) {
        cs_err_hand_on(err, &cause);
        return rc;
    }
    if (rc == CS_EUNSUPPORTED ||
        !cs_view_eq_secret(cs_buf_view(&address->signature), cs_view_cstr(expected)))
        return cs_err_field(err, CS_EDENIED, "", "link_invalid",
                            "the link is not one of this service, or was altered");
    if (!cs_view_to_u64(cs_buf_view(&address->expires), &expires_s) ||
        expires_s <= (uint64_t)(x->call.now_us / CS_SECOND_US))
        return cs_err_field(err, CS_EDENIED, "", "link_expired",
                            "the link has expired; ask the API for a new one");
    return CS_OK;
}

/* The artifact's name within the key "campaigns/{id}/...". */
static struct cs_view name_of_key(struct cs_view key)
{
    static const char *const names[] = {"website", "pdf", "artifacts", "metadata",
                                        "brief"};
    struct cs_view rest = key;
    struct cs_view part;
    bool more = cs_view_split(&rest, '/', &part); /* campaigns */

    more = more && cs_view_split(&rest, '/', &part); /* the id */
    if (!more)
        return cs_view_of(NULL, 0);
    for (size_t i = 0; i < CS_COUNT(names); i++)
        if (cs_view_eq_cstr(rest, cs_artifact_kind(cs_view_cstr(names[i]))->path))
            return cs_view_cstr(names[i]);
    return rest; /* files/{name} */
}

enum cs_code cs_api_signed(struct cs_exchange *x, struct cs_err *err)
{
    struct signed_address address = {CS_BUF_INIT(4096), CS_BUF_INIT(4096),
                                     CS_BUF_INIT(64), CS_BUF_INIT(256)};
    enum cs_code rc = read_address(x, &address, err);

    if (rc == CS_OK && (rc = check_address(x, &address, err)) == CS_OK) {
        struct cs_view name = name_of_key(cs_buf_view(&address.key));
        const struct cs_artifact artifact = {.key = cs_buf_view(&address.key),
                                             .version = cs_buf_view(&address.version),
                                             .content_type =
                                                 cs_artifact_content_type(name),
                                             .size = UINT64_MAX};

        rc = cs_download(x, name, &artifact, err);
    }
    cs_buf_clear(&address.key);
    cs_buf_clear(&address.version);
    cs_buf_clear(&address.expires);
    cs_buf_clear(&address.signature);
    return rc;
}
