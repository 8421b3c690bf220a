#include "config.h"

#include "wiring.h"

#include <stdlib.h>

#include "render/render.h"
#include "store/store_aws.h"
#include "store/store_local.h"

const char *cs_wiring_share_dir(const struct cs_settings *settings)
{
    const char *setting = cs_settings_text(settings, CS_SET_SHARE_DIR);

    return setting != NULL ? setting : CS_SHARE_DIR;
}

static struct cs_campaign_limits limits_of(const struct cs_settings *settings)
{
    return (struct cs_campaign_limits){
        .json_bytes = (size_t)cs_settings_integer(settings, CS_SET_LIMIT_JSON),
        .file_bytes = (uint64_t)cs_settings_integer(settings, CS_SET_LIMIT_FILE),
        .files = (size_t)cs_settings_integer(settings, CS_SET_LIMIT_FILES),
        .part_bytes = (size_t)cs_settings_integer(settings, CS_SET_LIMIT_PART),
        .interactions = (size_t)cs_settings_integer(settings, CS_SET_LIMIT_INTERACTIONS),
        .inline_brief_bytes = (size_t)cs_settings_integer(settings, CS_SET_INLINE_BRIEF),
        .inline_progress_bytes =
            (size_t)cs_settings_integer(settings, CS_SET_INLINE_PROGRESS),
        .inline_interaction_bytes =
            (size_t)cs_settings_integer(settings, CS_SET_INLINE_INTERACTION),
    };
}

/* What the AWS store asks for: our settings by their names, the SDKs' own, and of the
 * environment what has no such name (HOME). */
static const char *aws_setting(const void *payload, const char *name)
{
    static const enum cs_setting_id ids[] = {
        CS_SET_BUCKET_REGION, CS_SET_TABLE_REGION,   CS_SET_S3_PUBLIC_URL,
        CS_SET_S3_PATH_STYLE, CS_SET_S3_CHECKSUM,    CS_SET_S3_PAYLOAD,
        CS_SET_S3_KMS_KEY,    CS_SET_COUNTER_SHARDS, CS_SET_CREATE_MISSING,
        CS_SET_S3_VERSIONING, CS_SET_S3_BUCKET_TAGS, CS_SET_S3_GZIP,
        CS_SET_STATUS_SHARDS};
    const struct cs_settings *settings = payload;
    const char *value;

    for (size_t i = 0; i < CS_COUNT(ids); i++)
        if (strcmp(cs_setting_describe(ids[i])->name, name) == 0)
            return cs_settings_text(settings, ids[i]);
    value = cs_view_starts(cs_view_cstr(name), CS_LIT("AWS_"))
                ? cs_settings_extra(settings, name, NULL)
                : getenv(name);
    if (value == NULL && strcmp(name, "AWS_CA_BUNDLE") == 0)
        value = cs_settings_text(settings, CS_SET_CA_BUNDLE);
    return value;
}

static struct cs_store *make_aws_store(const struct cs_wiring *wiring, struct cs_err *err)
{
    const struct cs_store_aws_options options = {
        .bucket_name = cs_settings_text(wiring->settings, CS_SET_BUCKET_NAME),
        .table_name = cs_settings_text(wiring->settings, CS_SET_TABLE_NAME),
        .setting = aws_setting,
        .payload = wiring->settings,
        .log = wiring->log,
    };

    return cs_store_aws_new(&options, err);
}

static enum cs_code make_store(struct cs_wiring *out, struct cs_err *err)
{
    const struct cs_store_local_options options = {
        .root = cs_settings_text(out->settings, CS_SET_LOCAL_ROOT),
        .bucket_name = cs_settings_text(out->settings, CS_SET_BUCKET_NAME),
        .table_name = cs_settings_text(out->settings, CS_SET_TABLE_NAME),
        .log = out->log,
    };

    if (cs_settings_is(out->settings, CS_SET_STORE, "aws"))
        out->store = make_aws_store(out, err);
    else
        out->store = cs_store_local_new(&options, err);
    if (out->store != NULL)
        return CS_OK;
    return err != NULL && err->code != CS_OK ? err->code : CS_ENOMEM;
}

static enum cs_code make_renderer(struct cs_wiring *out, struct cs_err *err)
{
    const struct cs_settings *settings = out->settings;
    const struct cs_renderer_options options = {
        .share_dir = cs_wiring_share_dir(settings),
        .theme = cs_settings_text(settings, CS_SET_THEME),
        .fonts = cs_settings_text(settings, CS_SET_FONTS),
        .page_size = cs_settings_text(settings, CS_SET_PAGE_SIZE),
        .cpu_limit_s = (int)cs_settings_integer(settings, CS_SET_RENDER_CPU),
        .memory_limit_mib = (int)cs_settings_integer(settings, CS_SET_RENDER_MEMORY),
        .log = out->log,
    };

    out->renderer = cs_renderer_new(&options, err);
    return out->renderer != NULL ? CS_OK : err != NULL ? err->code : CS_EINVAL;
}

enum cs_code cs_wiring_init(struct cs_wiring *out, const struct cs_settings *settings,
                            struct cs_log *log, bool with_renderer, struct cs_err *err)
{
    enum cs_code rc;

    *out = (struct cs_wiring){.log = log, .settings = settings};
    if ((rc = make_store(out, err)) == CS_OK && with_renderer)
        rc = make_renderer(out, err);
    out->campaigns = (struct cs_campaigns){.store = out->store,
                                           .renderer = out->renderer,
                                           .log = log,
                                           .limits = limits_of(settings)};
    return rc;
}

enum cs_code cs_wiring_check_theme(const struct cs_settings *settings, struct cs_err *err)
{
    struct cs_wiring probe = {.settings = settings};
    enum cs_code rc = make_renderer(&probe, err);

    cs_wiring_clear(&probe);
    return rc;
}

void cs_wiring_share(struct cs_wiring *wiring, struct cs_recent *recent,
                     struct cs_store_aws_meter *meter)
{
    if (cs_settings_is(wiring->settings, CS_SET_STORE, "aws"))
        cs_store_aws_share(wiring->store, recent, meter);
}

void cs_wiring_clear(struct cs_wiring *wiring)
{
    cs_net_client_free(wiring->net);
    cs_renderer_free(wiring->renderer);
    if (wiring->store != NULL)
        wiring->store->ops->free(wiring->store);
    *wiring = (struct cs_wiring){.store = NULL};
}

enum cs_code cs_wiring_fetch(void *payload, const char *url, struct cs_buf *out,
                             struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_wiring *wiring = payload;
    const struct cs_net_options options = {
        .ca_bundle = cs_settings_text(wiring->settings, CS_SET_CA_BUNDLE)};

    if (wiring->net == NULL)
        wiring->net = cs_net_client_new(&options, err);
    if (wiring->net == NULL)
        return err != NULL ? err->code : CS_EUPSTREAM;
    return cs_net_fetch(wiring->net, url, out, deadline, err);
}
