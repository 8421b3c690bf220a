#include "config.h"

#include "campaign/lifecycle.h"

#include <stdio.h>
#include <stdlib.h>

#include "campaign/long_entries.h"
#include "json/scan.h"
#include "json/write.h"

#define INTERACTIONS_PER_PAGE 500u
#define ERROR_BYTES_MAX       (64u * 1024u)

/* ---- interactions ---- */

struct interaction_list {
    struct cs_view entries[CS_INTERACTIONS_AT_ONCE]; /* into the body, or into stamped */
    size_t count;
    bool too_many;
    bool nested; /* pointers begin with /interactions */
    bool array;
    struct cs_faults *faults;
};

static bool collect_interaction(void *payload, struct cs_view value)
{
    struct interaction_list *list = payload;

    list->too_many = list->count == CS_INTERACTIONS_AT_ONCE;
    if (!list->too_many)
        list->entries[list->count++] = value;
    return !list->too_many;
}

static void check_interaction(struct interaction_list *list, size_t index)
{
    static const char *const texts[] = {"agent", "action", "status"};
    struct cs_view entry = list->entries[index];
    char base[64] = "";
    char pointer[96];
    struct cs_buf text = CS_BUF_INIT(8192);
    int64_t time_us;

    if (list->array)
        (void)snprintf(base, sizeof(base), "%s/%zu", list->nested ? "/interactions" : "",
                       index);
    if (cs_json_kind(entry) != '{') {
        cs_faults_add(list->faults, base, "wrong_type",
                      "an interaction must be an object");
        return;
    }
    if (entry.len > CS_INTERACTION_BYTES_MAX)
        cs_faults_add(list->faults, base, "too_long", "an interaction has at most %u KiB",
                      CS_INTERACTION_BYTES_MAX / 1024u);
    for (size_t i = 0; i < CS_COUNT(texts); i++) {
        (void)snprintf(pointer, sizeof(pointer), "%s/%s", base, texts[i]);
        cs_buf_reset(&text);
        (void)cs_check_text(
            list->faults,
            &(struct cs_field){pointer, cs_json_slice(entry, texts[i]), i == 0},
            i == 0 ? 1 : 0, 256, &text);
    }
    (void)snprintf(pointer, sizeof(pointer), "%s/timestamp", base);
    (void)cs_check_time(
        list->faults,
        &(struct cs_field){pointer, cs_json_slice(entry, "timestamp"), false}, &time_us);
    cs_buf_clear(&text);
}

static enum cs_code collect_interactions(struct interaction_list *list,
                                         struct cs_view body, struct cs_err *err)
{
    struct cs_view inner = cs_json_slice(body, "interactions");

    list->nested = inner.ptr != NULL;
    if (inner.ptr != NULL)
        body = inner;
    list->array = cs_json_kind(body) == '[';
    if (list->array)
        cs_json_each_element(body, collect_interaction, list);
    else
        (void)collect_interaction(list, body);
    if (list->too_many)
        return cs_err_field(
            err, CS_ETOOBIG, "", "too_many_interactions",
            "at most %u interactions go into one request; send the rest in "
            "another",
            CS_INTERACTIONS_AT_ONCE);
    for (size_t i = 0; i < list->count; i++)
        check_interaction(list, i);
    return cs_faults_check(list->faults, err);
}

/* Copies all entries into `stamped`, those without a timestamp with one, and
 * makes the list's views point there. */
static enum cs_code stamp_interactions(struct interaction_list *list,
                                       struct cs_buf *stamped, int64_t now_us,
                                       struct cs_err *err)
{
    struct cs_buf now = CS_BUF_INIT(64);
    struct cs_json_change stamp;
    size_t from = 0;

    cs_json_quote_time(&now, now_us);
    stamp = (struct cs_json_change){"timestamp", cs_buf_view(&now)};
    for (size_t i = 0; i < list->count; i++) {
        bool has_one = cs_json_slice(list->entries[i], "timestamp").ptr != NULL;
        size_t before = stamped->len;

        cs_json_edit(stamped, list->entries[i], &stamp, has_one ? 0 : 1);
        list->entries[i].len = stamped->len - before;
    }
    /* Only now does the buffer stay where it is. */
    for (size_t i = 0; i < list->count; from += list->entries[i++].len)
        list->entries[i].ptr = cs_buf_cstr(stamped) + from;
    cs_buf_clear(&now);
    return cs_buf_check(stamped, err);
}

static enum cs_code check_together(const struct cs_buf *stamped, struct cs_err *err)
{
    if (stamped->len <= CS_INTERACTIONS_BYTES_AT_ONCE)
        return CS_OK;
    return cs_err_field(err, CS_ETOOBIG, "", "too_many_interactions",
                        "at most %u KiB of interactions go into one request; send the "
                        "rest in another",
                        CS_INTERACTIONS_BYTES_AT_ONCE / 1024u);
}

enum cs_code cs_campaign_interact(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call, struct cs_view id,
                                  struct cs_view body, struct cs_view idempotency_key,
                                  size_t *appended_out, struct cs_faults *faults,
                                  struct cs_err *err)
{
    struct interaction_list *list = calloc(1, sizeof(*list));
    struct cs_buf stamped =
        CS_BUF_INIT(campaigns->limits.json_bytes + CS_INTERACTIONS_AT_ONCE * 64u);
    struct cs_long_entries stored = CS_LONG_ENTRIES_NONE;
    struct cs_record *record = NULL;
    enum cs_code rc;

    *appended_out = 0;
    if (list == NULL)
        return cs_err_nomem(err);
    list->faults = faults;
    if ((rc = collect_interactions(list, body, err)) != CS_OK ||
        (rc = stamp_interactions(list, &stamped, call->now_us, err)) != CS_OK ||
        (rc = check_together(&stamped, err)) != CS_OK ||
        (rc = cs_campaign_load(campaigns, call, id, CS_ACCESS_OWNER, false, &record,
                               err)) != CS_OK ||
        (rc = cs_campaign_must_run(record, err)) != CS_OK ||
        (rc = cs_long_entries_store(campaigns, call, id, list->entries, list->count,
                                    &stored, err)) != CS_OK)
        goto out;
    if (list->count > 0)
        rc = campaigns->store->ops->log_append(campaigns->store, id, list->entries,
                                               list->count, idempotency_key,
                                               call->deadline, err);
    /* of others nobody knows whether they happened */
    if (rc == CS_ENOTFOUND || rc == CS_EBUSY)
        cs_long_entries_discard(campaigns, &stored, call->deadline);
    if (rc == CS_OK)
        *appended_out = list->count;
out:
    cs_record_free(record);
    cs_long_entries_clear(&stored);
    cs_buf_clear(&stamped);
    free(list);
    return rc;
}

/* ---- reading them ---- */

#define KEPT "kept." /* before the number of those that were read */

struct kept_page {
    struct cs_log_page *page;
    size_t from, limit, seen;
};

static bool add_kept(void *payload, struct cs_view entry)
{
    struct kept_page *kept = payload;

    if (kept->seen++ < kept->from)
        return true;
    cs_buf_add_byte(&kept->page->json, kept->page->count++ > 0 ? ',' : '[');
    cs_buf_add(&kept->page->json, entry);
    return kept->page->count < kept->limit;
}

/* An empty page where all of them were read. */
static enum cs_code read_kept(struct cs_view entries, size_t from, size_t limit,
                              struct cs_log_page *out, struct cs_err *err)
{
    struct cs_buf position = CS_BUF_INIT(64);
    struct kept_page kept = {out, from, limit, 0};
    enum cs_code rc;

    *out = (struct cs_log_page){.json = CS_BUF_INIT(CS_INTERACTIONS_BYTES_MAX)};
    if (cs_json_kind(entries) == '[')
        cs_json_each_element(entries, add_kept, &kept);
    if (out->count == 0)
        return CS_OK;
    cs_buf_add_byte(&out->json, ']');
    cs_buf_add_fmt(&position, KEPT "%zu", from + out->count);
    if ((rc = cs_buf_check(&out->json, err)) == CS_OK &&
        (rc = cs_buf_check(&position, err)) == CS_OK) {
        out->last_position = cs_view_dup(cs_buf_view(&position));
        rc = out->last_position != NULL ? CS_OK : cs_err_nomem(err);
    }
    out->more = true; /* the log, as far as is known here */
    cs_buf_clear(&position);
    return rc;
}

enum cs_code cs_campaign_interaction_page(const struct cs_campaigns *campaigns,
                                          const struct cs_record *record,
                                          struct cs_view after, size_t limit,
                                          struct cs_log_page *out,
                                          struct cs_deadline deadline, struct cs_err *err)
{
    bool is_kept = cs_view_starts(after, CS_LIT(KEPT));
    uint64_t from = 0;
    enum cs_code rc = CS_OK;

    *out = (struct cs_log_page){.count = 0};
    if ((is_kept && cs_view_to_u64(cs_view_from(after, strlen(KEPT)), &from)) ||
        after.len == 0) {
        rc = read_kept(cs_campaign_kept(record, "agent_interactions"), (size_t)from,
                       limit, out, err);
        after = CS_LIT("");
    }
    if (rc != CS_OK || out->count > 0) {
        if (rc != CS_OK)
            cs_log_page_clear(out);
        return rc;
    }
    cs_log_page_clear(out);
    return cs_long_entries_page(campaigns, record->key, after, limit, out, deadline, err);
}

enum cs_code cs_campaign_interactions(const struct cs_campaigns *campaigns,
                                      const struct cs_record *record, size_t max,
                                      struct cs_buf *out, bool *cut_out,
                                      struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_buf position = CS_BUF_INIT(1024);
    size_t from = out->len;
    size_t taken = 0;
    bool more = true;
    enum cs_code rc = CS_OK;

    cs_buf_add_byte(out, '[');
    *cut_out = false;
    while (more && !*cut_out && rc == CS_OK) {
        struct cs_log_page page = {.count = 0};

        rc = cs_campaign_interaction_page(campaigns, record, cs_buf_view(&position),
                                          INTERACTIONS_PER_PAGE, &page, deadline, err);
        if (rc == CS_OK && page.count > 0) {
            struct cs_view entries = cs_buf_view(&page.json);

            if (taken > 0)
                cs_buf_add_byte(out, ',');
            cs_buf_add(out, cs_view_sub(entries, 1, entries.len - 2));
            taken += page.count;
            cs_buf_reset(&position);
            cs_buf_add_cstr(&position, page.last_position);
        }
        more = rc == CS_OK && page.more;
        *cut_out = more && (taken >= max || out->len - from > CS_INTERACTIONS_BYTES_MAX);
        cs_log_page_clear(&page);
    }
    cs_buf_add_byte(out, ']');
    cs_buf_clear(&position);
    return rc != CS_OK ? rc : cs_buf_check(out, err);
}

/* ---- fail ---- */

struct failure {
    struct cs_view error;
    struct cs_json_change detail;
    struct cs_json_change summary;
    struct cs_buf now;
    struct cs_buf unknown;
    bool done; /* it had failed with this very error before */
};

static enum cs_code edit_failure(void *payload, const struct cs_record *record,
                                 struct cs_campaign_change *change_out,
                                 struct cs_err *err)
{
    struct failure *failure = payload;

    failure->done = cs_campaign_is(record, "failed") &&
                    cs_view_eq(cs_json_slice(record->detail, "error"), failure->error);
    if (failure->done)
        return CS_EEXISTS;
    failure->detail = (struct cs_json_change){"error", failure->error};
    failure->summary =
        (struct cs_json_change){"completed_at", cs_buf_view(&failure->now)};
    *change_out = (struct cs_campaign_change){.summary = &failure->summary,
                                              .summary_count = 1,
                                              .detail = &failure->detail,
                                              .detail_count = 1,
                                              .unknown = cs_buf_view(&failure->unknown),
                                              .status = "failed"};
    return cs_campaign_must_run(record, err);
}

enum cs_code cs_campaign_fail(const struct cs_campaigns *campaigns,
                              const struct cs_call *call, struct cs_view id,
                              struct cs_view body, struct cs_faults *faults,
                              struct cs_err *err)
{
    struct failure failure = {.error = cs_json_slice(body, "error"),
                              .now = CS_BUF_INIT(64),
                              .unknown = CS_BUF_INIT(CS_RECORD_BYTES_MAX)};
    char kind = cs_json_kind(failure.error);
    enum cs_code rc;

    if (cs_json_kind(body) != '{')
        return cs_err_field(err, CS_EINVAL, "", "validation_failed",
                            "the body must be a JSON object");
    if (failure.error.ptr == NULL || kind == 'n')
        cs_faults_add(faults, "/error", "required", "say what went wrong");
    else if (kind != '"' && kind != '{')
        cs_faults_add(faults, "/error", "wrong_type",
                      "this field must be a text or an object");
    else if (failure.error.len > ERROR_BYTES_MAX)
        cs_faults_add(faults, "/error", "too_long", "at most %u KiB are allowed",
                      ERROR_BYTES_MAX / 1024u);
    if ((rc = cs_faults_check(faults, err)) != CS_OK)
        return rc;
    cs_json_quote_time(&failure.now, call->now_us);
    if ((rc = cs_campaign_unknown(&failure.unknown, body, err)) == CS_OK)
        rc = cs_campaign_edit(campaigns, call, id, edit_failure, &failure, err);
    if (rc == CS_EEXISTS && failure.done)
        rc = CS_OK;
    cs_buf_clear(&failure.now);
    cs_buf_clear(&failure.unknown);
    return rc;
}
