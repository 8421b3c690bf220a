/* Summaries in items. A record is paid for by the KB, so a summary is kept without the
 * members that every campaign's starts with, which the item and its rows in the indexes
 * have as attributes, too. */
#include "config.h"

#include "store/aws_internal.h"

struct cs_view cs_aws_summary_user_id(const struct cs_record *record)
{
    return record->withdrawn_status.len > 0 ? record->withdrawn_user_id : record->user_id;
}

struct cs_view cs_aws_summary_status(const struct cs_record *record)
{
    return record->withdrawn_status.len > 0 ? record->withdrawn_status : record->status;
}

static void add_head(struct cs_buf *out, const struct cs_record *record)
{
    const struct {
        struct cs_view name;
        struct cs_view text;
    } members[] = {{CS_LIT("{\"campaign_id\":"), record->key},
                   {CS_LIT(",\"user_id\":"), cs_aws_summary_user_id(record)},
                   {CS_LIT(",\"status\":"), cs_aws_summary_status(record)},
                   {CS_LIT(",\"created_at\":"), record->created_at}};

    for (size_t i = 0; i < CS_COUNT(members); i++) {
        cs_buf_add(out, members[i].name);
        cs_json_quote(out, members[i].text);
    }
}

static bool is_tail(struct cs_view summary)
{
    return summary.len > 0 && (summary.ptr[0] == ',' || summary.ptr[0] == '}');
}

enum cs_code cs_aws_summary_write(struct cs_json_writer *w,
                                  const struct cs_record *record, struct cs_err *err)
{
    struct cs_buf head = CS_BUF_INIT(CS_AWS_ITEM_TEXT_MAX);
    struct cs_view summary = record->summary;
    enum cs_code rc;

    add_head(&head, record);
    if ((rc = cs_buf_check(&head, err)) == CS_OK) {
        if (cs_view_starts(summary, cs_buf_view(&head)) &&
            is_tail(cs_view_from(summary, head.len)))
            summary = cs_view_from(summary, head.len);
        cs_item_add_text(w, "summary", summary);
    }
    cs_buf_clear(&head);
    return rc;
}

struct cs_view cs_aws_summary_whole(struct cs_buf *out, const struct cs_record *record)
{
    if (!is_tail(record->summary))
        return record->summary;
    add_head(out, record);
    cs_buf_add(out, record->summary);
    return cs_buf_view(out);
}
