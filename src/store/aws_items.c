#include "config.h"

#include <stdlib.h>

#include "store/aws_internal.h"

#define TEXT_MAX (8u << 20) /* JSON made of an item of 400 KiB written by others */

/* Attributes that are no members of summary or detail. */
static const char *const own_names[] = {"campaign_id", "user_id",      "status",
                                        "created_at",  "revision",     "summary",
                                        "detail",      "expires_at_us"};

/* Members that the summary of an item has which another program wrote: what lists
 * show, by the names of the original service. */
static const char *const summary_names[] = {
    "campaign_name", "completed_at",     "execution_time",  "s3_website_url",
    "s3_pdf_url",    "s3_artifacts_url", "s3_metadata_url", "updated_at"};

static bool is_among(struct cs_view name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cs_view_eq_cstr(name, names[i]))
            return true;
    return false;
}

bool cs_aws_item_is_internal(struct cs_view key)
{
    return cs_view_starts(key, CS_LIT(CS_AWS_INTERNAL));
}

/* ---- writing ---- */

struct copying {
    struct cs_json_writer *w;
    struct cs_err *err;
    enum cs_code rc;
};

/* Plain members of the summary are repeated as attributes, for people and programs
 * that read the table; `summary` itself is what counts. */
static bool copy_member(void *payload, struct cs_view name, struct cs_view value)
{
    struct copying *copying = payload;
    char kind = cs_json_kind(value);
    bool plain = kind == '"' || kind == 't' || kind == 'f' ||
                 (kind == '0' && cs_attribute_keeps_number(value));

    if (!plain || name.len == 0 || cs_view_find_byte(name, '\\') != SIZE_MAX ||
        is_among(name, own_names, CS_COUNT(own_names)))
        return true;
    cs_json_key_view(copying->w, name);
    copying->rc = cs_attribute_from_json(copying->w->out, value, copying->err);
    copying->w->comma = true;
    return copying->rc == CS_OK;
}

static void add_text(struct cs_json_writer *w, const char *name, struct cs_view text)
{
    if (text.len > 0)
        cs_item_add_text(w, name, text);
}

enum cs_code cs_aws_item_write(struct cs_json_writer *w, const struct cs_record *record,
                               uint64_t revision, struct cs_err *err)
{
    struct copying copying = {w, err, CS_OK};

    if (cs_aws_item_is_internal(record->key))
        return cs_err_set(err, CS_EINVAL, "keys that start with %s are the store's own",
                          CS_AWS_INTERNAL);
    cs_json_key(w, "Item");
    cs_json_object(w);
    cs_item_add_text(w, "campaign_id", record->key);
    cs_item_add_integer(w, "revision", (int64_t)revision);
    add_text(w, "user_id", record->user_id);
    add_text(w, "status", record->status);
    add_text(w, "created_at", record->created_at);
    if (record->expires_at_us != 0)
        cs_item_add_integer(w, "expires_at_us", record->expires_at_us);
    cs_item_add_text(w, "summary", record->summary);
    add_text(w, "detail", record->detail);
    if (cs_json_kind(record->summary) == '{' &&
        cs_json_validate(record->summary, NULL, NULL) == CS_OK)
        cs_json_each_member(record->summary, copy_member, &copying);
    cs_json_object_end(w);
    return copying.rc;
}

/* ---- reading ---- */

/* Attributes of a foreign item as one JSON object: those of the summary, or all the
 * others. */
static enum cs_code gather(struct cs_buf *out, const struct cs_json *item, bool summary,
                           struct cs_err *err)
{
    struct cs_json_iter iter = {0};
    enum cs_code rc = CS_OK;
    bool first = true;

    cs_buf_add_byte(out, '{');
    while (rc == CS_OK && cs_json_next(&iter, item)) {
        if (is_among(iter.name, own_names, CS_COUNT(own_names)) ||
            is_among(iter.name, summary_names, CS_COUNT(summary_names)) != summary)
            continue;
        if (!first)
            cs_buf_add_byte(out, ',');
        first = false;
        cs_json_quote(out, iter.name);
        cs_buf_add_byte(out, ':');
        rc = cs_attribute_to_json(out, iter.value, err);
    }
    cs_buf_add_byte(out, '}');
    return rc == CS_OK ? cs_buf_check(out, err) : rc;
}

enum cs_code cs_aws_item_read(struct cs_record **out, const struct cs_json *item,
                              struct cs_err *err)
{
    struct cs_buf summary = CS_BUF_INIT(TEXT_MAX);
    struct cs_buf detail = CS_BUF_INIT(TEXT_MAX);
    struct cs_record record = {
        .key = cs_item_text(item, "campaign_id"),
        .user_id = cs_item_text(item, "user_id"),
        .status = cs_item_text(item, "status"),
        .created_at = cs_item_text(item, "created_at"),
        .summary = cs_item_text(item, "summary"),
        .detail = cs_item_text(item, "detail"),
    };
    int64_t revision = 0;
    enum cs_code rc = CS_OK;

    *out = NULL;
    if (record.key.ptr == NULL)
        return cs_err_set(err, CS_EUPSTREAM, "an item of the table has no campaign_id");
    if (cs_item_integer(item, "revision", &revision) && revision > 0)
        record.revision = (uint64_t)revision;
    if (!cs_item_integer(item, "expires_at_us", &record.expires_at_us))
        record.expires_at_us = 0;
    if (record.summary.ptr == NULL) {
        if ((rc = gather(&summary, item, true, err)) != CS_OK ||
            (rc = gather(&detail, item, false, err)) != CS_OK)
            goto out;
        record.summary = cs_buf_view(&summary);
        record.detail = cs_buf_view(&detail);
    }
    *out = cs_record_copy(&record);
    rc = *out != NULL ? CS_OK : cs_err_nomem(err);
out:
    cs_buf_clear(&summary);
    cs_buf_clear(&detail);
    return rc;
}
