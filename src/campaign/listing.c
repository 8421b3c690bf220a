#include "config.h"

#include "campaign/listing.h"

#include <stdlib.h>

#include "json/scan.h"

#define LOOKED_AT_MAX 1000u /* records that one call looks at when filters hide some */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool contains_nocase(struct cs_view text, struct cs_view needle)
{
    for (size_t at = 0; at + needle.len <= text.len; at++) {
        size_t same = 0;

        while (same < needle.len && lower(text.ptr[at + same]) == lower(needle.ptr[same]))
            same++;
        if (same == needle.len)
            return true;
    }
    return needle.len == 0;
}

static bool matches(const struct cs_record *record, const struct cs_campaign_query *query,
                    int64_t now_us)
{
    struct cs_buf name = CS_BUF_INIT(8 * CS_CAMPAIGN_NAME_MAX);
    bool match;

    if (record->expires_at_us != 0 && record->expires_at_us <= now_us)
        return false;
    if (query->status.len > 0 && !cs_view_eq(record->status, query->status))
        return false;
    if (query->text.len == 0)
        return true;
    match = cs_json_slice_string(&name, record->summary, "campaign_name") &&
            contains_nocase(cs_buf_view(&name), query->text);
    cs_buf_clear(&name);
    return match;
}

/* Moves the matching records of a page to `out`, at most `limit` in all. */
static void take_matching(struct cs_record_page *page,
                          const struct cs_campaign_query *query, int64_t now_us,
                          struct cs_record_page *out)
{
    for (size_t i = 0; i < page->count; i++) {
        if (!matches(page->records[i], query, now_us))
            continue;
        out->records[out->count++] = page->records[i];
        page->records[i] = NULL;
    }
}

enum cs_code cs_campaign_list(const struct cs_campaigns *campaigns,
                              const struct cs_call *call,
                              const struct cs_campaign_query *query,
                              struct cs_record_page *out, struct cs_err *err)
{
    bool by_user = query->user_id.len > 0;
    struct cs_list_query next = {
        .index = by_user ? CS_LIST_USER : CS_LIST_STATUS,
        .value = by_user ? query->user_id : query->status,
        .cursor = query->cursor,
    };
    size_t looked_at = 0;
    enum cs_code rc = CS_OK;

    *out = (struct cs_record_page){.count = 0};
    out->records = calloc(query->limit, sizeof(struct cs_record *));
    if (out->records == NULL)
        return cs_err_nomem(err);
    do {
        struct cs_record_page page = {.count = 0};

        /* Never more than are still wanted, so that the cursor stands behind the
         * last record that was taken. */
        next.limit = query->limit - out->count;
        rc = campaigns->store->ops->list(campaigns->store, &next, &page, call->deadline,
                                         err);
        free(out->next_cursor);
        out->next_cursor = page.next_cursor;
        page.next_cursor = NULL;
        looked_at += next.limit;
        if (rc == CS_OK)
            take_matching(&page, query, call->now_us, out);
        cs_record_page_clear(&page);
        next.cursor = cs_view_cstr(out->next_cursor);
    } while (rc == CS_OK && out->next_cursor != NULL && out->count < query->limit &&
             looked_at < LOOKED_AT_MAX);
    if (rc != CS_OK)
        cs_record_page_clear(out);
    return rc;
}

/* Not below 0, where campaigns were deleted that another program made and nobody had
 * counted yet. */
static int64_t sum_of(const struct cs_counters *counters, const char *name)
{
    int64_t sum = cs_counters_get(counters, name);

    return sum > 0 ? sum : 0;
}

enum cs_code cs_campaign_totals(const struct cs_campaigns *campaigns,
                                struct cs_view user_id, struct cs_campaign_totals *out,
                                struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_buf group = CS_BUF_INIT(CS_USER_ID_MAX + 16);
    struct cs_counters counters = {.count = 0};
    enum cs_code rc;

    *out = (struct cs_campaign_totals){.total = 0};
    cs_buf_add_cstr(&group, user_id.len > 0 ? "user/" : "stats");
    cs_buf_add(&group, user_id);
    if ((rc = cs_buf_check(&group, err)) == CS_OK)
        rc = campaigns->store->ops->counters(campaigns->store, cs_buf_view(&group),
                                             &counters, deadline, err);
    if (rc == CS_OK)
        *out = (struct cs_campaign_totals){
            .total = sum_of(&counters, "total"),
            .running = sum_of(&counters, "status/running"),
            .completed = sum_of(&counters, "status/completed"),
            .failed = sum_of(&counters, "status/failed"),
            .execution_time_us = sum_of(&counters, "execution_time_us"),
        };
    cs_counters_clear(&counters);
    cs_buf_clear(&group);
    return rc;
}

static size_t deltas_of(void *payload, const struct cs_record *record,
                        struct cs_delta *deltas_out)
{
    return cs_campaign_deltas(record, 1, payload, deltas_out);
}

enum cs_code cs_campaign_recount(const struct cs_campaigns *campaigns,
                                 struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_buf owner_group = CS_BUF_INIT(CS_USER_ID_MAX + 16);
    enum cs_code rc = campaigns->store->ops->recount(campaigns->store, deltas_of,
                                                     &owner_group, deadline, err);

    cs_buf_clear(&owner_group);
    return rc;
}
