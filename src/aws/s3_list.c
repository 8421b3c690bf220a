#include "config.h"

#include <poll.h>
#include <stdlib.h>

#include "aws/s3_internal.h"
#include "aws/xml.h"
#include "base/clock.h"
#include "base/encoding.h"

#define TEXT_MAX  8192u
#define PAGES_MAX 1000000u /* a server that never ends must not keep us */

/* ---- pages ---- */

/* How each list spells what all of them say. */
static const struct {
    const char *operation;
    const char *fixed;    /* query parameter that asks for this list */
    const char *items[2]; /* elements with one entry each */
    const char *id;       /* element of the version or upload id */
    const char
        *key_marker; /* query parameter to go on with, and the element that gives it */
    const char *next_key;
    const char *id_marker;
    const char *next_id;
} kinds[] = {
    [CS_S3_LIST_OBJECTS] = {"ListObjectsV2",
                            "list-type=2",
                            {"Contents", NULL},
                            NULL,
                            "continuation-token",
                            "NextContinuationToken",
                            NULL,
                            NULL},
    [CS_S3_LIST_VERSIONS] = {"ListObjectVersions",
                             "versions=",
                             {"Version", "DeleteMarker"},
                             "VersionId",
                             "key-marker",
                             "NextKeyMarker",
                             "version-id-marker",
                             "NextVersionIdMarker"},
    [CS_S3_LIST_UPLOADS] = {"ListMultipartUploads",
                            "uploads=",
                            {"Upload", NULL},
                            "UploadId",
                            "key-marker",
                            "NextKeyMarker",
                            "upload-id-marker",
                            "NextUploadIdMarker"},
};

struct named_entry {
    struct cs_s3_entry entry;
    struct cs_buf key;
    struct cs_buf version;
};

struct page {
    enum cs_s3_list kind;
    cs_s3_entry_fn *callback;
    void *payload;
    bool encoded;   /* keys come percent-encoded, since XML can't hold every byte */
    bool stopped;   /* by the callback */
    bool truncated; /* more pages follow */
    enum cs_code failed;
    struct named_entry read; /* as far as it is */
    struct named_entry held; /* read whole; see hand_on() */
    bool holds;
    struct cs_buf next_key;
    struct cs_buf next_id;
};

static void decode(struct page *page, struct cs_buf *out, struct cs_view text)
{
    cs_buf_reset(out);
    if (!page->encoded)
        cs_buf_add(out, text);
    else if (cs_percent_decode(out, text, true, NULL) != CS_OK)
        page->failed = CS_EUPSTREAM;
}

/* An unreadable time is left out: it decides nothing. */
static void set_time(struct page *page, struct cs_view text)
{
    if (cs_time_parse(&page->read.entry.modified_us, text, NULL) != CS_OK)
        page->read.entry.modified_us = 0;
}

static void read_field(struct page *page, struct cs_view name, struct cs_view text)
{
    const char *id = kinds[page->kind].id;

    if (cs_view_eq(name, CS_LIT("Key")))
        decode(page, &page->read.key, text);
    else if (id != NULL && cs_view_eq_cstr(name, id))
        cs_buf_reset(&page->read.version), cs_buf_add(&page->read.version, text);
    else if (cs_view_eq(name, CS_LIT("Size")))
        (void)cs_view_to_u64(text, &page->read.entry.size);
    else if (cs_view_eq(name, CS_LIT("LastModified")) ||
             cs_view_eq(name, CS_LIT("Initiated")))
        set_time(page, text);
    else if (cs_view_eq(name, CS_LIT("IsLatest")))
        page->read.entry.latest = cs_view_eq(text, CS_LIT("true"));
}

/* An entry is handed on once the one behind it has been read: who deletes it thus never
 * deletes the last of a page before the next page came. Servers differ in what follows a
 * version that is gone; some say that nothing does. */
static bool hand_on(struct page *page)
{
    if (page->holds) {
        page->holds = false;
        page->held.entry.key = cs_buf_view(&page->held.key);
        page->held.entry.version = cs_buf_view(&page->held.version);
        page->stopped = !page->callback(page->payload, &page->held.entry);
    }
    return !page->stopped;
}

static bool end_entry(struct page *page, bool marker)
{
    struct named_entry ended = page->read;

    ended.entry.marker = marker;
    if (cs_buf_check(&ended.key, NULL) != CS_OK ||
        cs_buf_check(&ended.version, NULL) != CS_OK)
        page->failed = CS_ENOMEM;
    if (page->failed != CS_OK || !hand_on(page))
        return false;
    page->read = page->held;
    page->held = ended;
    page->holds = true;
    memset(&page->read.entry, 0, sizeof(page->read.entry));
    cs_buf_reset(&page->read.key);
    cs_buf_reset(&page->read.version);
    return true;
}

static bool on_element(void *payload, struct cs_view path, struct cs_view text)
{
    struct page *page = payload;
    struct cs_view root;
    struct cs_view item;

    if (!cs_view_split(&path, '/', &root) || !cs_view_split(&path, '/', &item))
        return true;
    for (size_t i = 0; i < CS_COUNT(kinds[page->kind].items); i++) {
        if (kinds[page->kind].items[i] == NULL ||
            !cs_view_eq_cstr(item, kinds[page->kind].items[i]))
            continue;
        if (path.ptr == NULL)
            return end_entry(page, i == 1);
        read_field(page, path, text);
        return true;
    }
    if (cs_view_eq(item, CS_LIT("IsTruncated")))
        page->truncated = cs_view_eq(text, CS_LIT("true"));
    else if (cs_view_eq_cstr(item, kinds[page->kind].next_key))
        cs_buf_add(&page->next_key, text);
    else if (kinds[page->kind].next_id != NULL &&
             cs_view_eq_cstr(item, kinds[page->kind].next_id))
        cs_buf_add(&page->next_id, text);
    return true;
}

/* The elements that say how keys are written come behind them in some servers'
 * answers, so they are looked for first. */
static bool says_encoded(struct cs_view body)
{
    return cs_view_find(body, CS_LIT("<EncodingType>url</EncodingType>")) != SIZE_MAX;
}

static void write_query(struct cs_buf *query, struct page *page, struct cs_view prefix)
{
    struct cs_buf marker = CS_BUF_INIT(TEXT_MAX);

    cs_buf_reset(query);
    cs_buf_add_cstr(query, kinds[page->kind].fixed);
    cs_s3_add_param(query, "encoding-type", CS_LIT("url"));
    if (prefix.len > 0)
        cs_s3_add_param(query, "prefix", prefix);
    if (page->next_key.len > 0) {
        /* a continuation token is no key and comes as it is */
        if (page->kind == CS_S3_LIST_OBJECTS)
            cs_buf_add(&marker, cs_buf_view(&page->next_key));
        else
            decode(page, &marker, cs_buf_view(&page->next_key));
        cs_s3_add_param(query, kinds[page->kind].key_marker, cs_buf_view(&marker));
        if (page->next_id.len > 0)
            cs_s3_add_param(query, kinds[page->kind].id_marker,
                            cs_buf_view(&page->next_id));
    }
    cs_buf_clear(&marker);
}

static enum cs_code read_page(struct cs_s3 *s3, struct page *page, struct cs_buf *query,
                              struct cs_view prefix, struct cs_deadline deadline,
                              struct cs_err *err)
{
    struct cs_s3_request request = {.operation = kinds[page->kind].operation,
                                    .method = "GET"};
    struct cs_buf body = CS_BUF_INIT(CS_S3_ANSWER_MAX);
    enum cs_code rc;

    write_query(query, page, prefix);
    if ((rc = cs_buf_check(query, err)) != CS_OK)
        return rc;
    request.query = cs_buf_view(query);
    if ((rc = cs_s3_perform(s3, &request, deadline, err)) != CS_OK)
        return rc;
    page->truncated = false;
    cs_buf_reset(&page->next_key);
    cs_buf_reset(&page->next_id);
    /* The callback may use the client: the page gets out of its way. */
    cs_buf_add(&body, cs_buf_view(&s3->response.body));
    page->encoded = says_encoded(cs_buf_view(&body));
    if ((rc = cs_buf_check(&body, err)) == CS_OK)
        rc = cs_xml_read(cs_buf_view(&body), on_element, page, err);
    cs_buf_clear(&body);
    if (rc == CS_OK && page->failed != CS_OK)
        rc = cs_err_set(err, page->failed, "a page of the list of objects can't be read");
    return rc;
}

enum cs_code cs_s3_list(struct cs_s3 *s3, enum cs_s3_list kind, struct cs_view prefix,
                        cs_s3_entry_fn *callback, void *payload,
                        struct cs_deadline deadline, struct cs_err *err)
{
    struct page page = {
        .kind = kind,
        .callback = callback,
        .payload = payload,
        .read = {.key = CS_BUF_INIT(TEXT_MAX), .version = CS_BUF_INIT(TEXT_MAX)},
        .held = {.key = CS_BUF_INIT(TEXT_MAX), .version = CS_BUF_INIT(TEXT_MAX)},
        .next_key = CS_BUF_INIT(TEXT_MAX),
        .next_id = CS_BUF_INIT(TEXT_MAX)};
    struct cs_buf query = CS_BUF_INIT(CS_S3_QUERY_MAX);
    enum cs_code rc;

    for (size_t pages = 0;; pages++) {
        rc = read_page(s3, &page, &query, prefix, deadline, err);
        if (rc != CS_OK || page.stopped || !page.truncated)
            break;
        /* An end here would hide what follows, and the same call again never end. */
        if (page.next_key.len == 0)
            rc = cs_err_set(err, CS_EUPSTREAM,
                            "the list of objects goes on, but does not say from where");
        else if (pages == PAGES_MAX)
            rc = cs_err_set(err, CS_EUPSTREAM, "the list of objects does not end");
        if (rc != CS_OK)
            break;
    }
    if (rc == CS_OK && !page.stopped)
        (void)hand_on(&page);
    cs_buf_clear(&page.read.key);
    cs_buf_clear(&page.read.version);
    cs_buf_clear(&page.held.key);
    cs_buf_clear(&page.held.version);
    cs_buf_clear(&page.next_key);
    cs_buf_clear(&page.next_id);
    cs_buf_clear(&query);
    return rc;
}

/* ---- deleting many ---- */

struct refusals {
    struct cs_buf code; /* of the first */
    struct cs_buf key;
    size_t count;
    size_t passing; /* of them: faults that may pass */
};

static bool on_refusal(void *payload, struct cs_view path, struct cs_view text)
{
    struct refusals *r = payload;
    bool code = cs_view_eq(path, CS_LIT("DeleteResult/Error/Code"));

    if (code && (cs_retry_is_transient(200, text) || cs_retry_is_throttling(200, text)))
        r->passing++;
    if (cs_view_eq(path, CS_LIT("DeleteResult/Error")))
        r->count++;
    else if (r->count == 0 && code)
        cs_buf_add(&r->code, text);
    else if (r->count == 0 && cs_view_eq(path, CS_LIT("DeleteResult/Error/Key")))
        cs_buf_add(&r->key, text);
    return true;
}

/* *passing_out: there are refusals, and all of them may pass. */
static enum cs_code check_refusals(struct cs_s3 *s3, bool *passing_out,
                                   struct cs_err *err)
{
    struct refusals refusals = {CS_BUF_INIT(TEXT_MAX), CS_BUF_INIT(TEXT_MAX), 0, 0};
    enum cs_code rc;

    rc = cs_xml_read(cs_buf_view(&s3->response.body), on_refusal, &refusals, err);
    *passing_out =
        rc == CS_OK && refusals.count > 0 && refusals.passing == refusals.count;
    if (rc == CS_OK && refusals.count > 0)
        rc = cs_err_set(err,
                        cs_view_eq(cs_buf_view(&refusals.code), CS_LIT("AccessDenied"))
                            ? CS_EDENIED
                            : CS_EUPSTREAM,
                        "S3 DeleteObjects: %zu not deleted, the first %s: %s",
                        refusals.count, cs_buf_cstr(&refusals.key),
                        cs_buf_cstr(&refusals.code));
    cs_buf_clear(&refusals.code);
    cs_buf_clear(&refusals.key);
    return rc;
}

static void write_names(struct cs_buf *body, const struct cs_s3_name *names, size_t count)
{
    cs_buf_add_cstr(body, "<Delete" CS_S3_XMLNS "><Quiet>true</Quiet>");
    for (size_t i = 0; i < count; i++) {
        cs_buf_add_cstr(body, "<Object>");
        cs_xml_add(body, "Key", names[i].key);
        if (names[i].version.len > 0)
            cs_xml_add(body, "VersionId", names[i].version);
        cs_buf_add_cstr(body, "</Object>");
    }
    cs_buf_add_cstr(body, "</Delete>");
}

static enum cs_code send_names(struct cs_s3 *s3, const struct cs_net_body *body,
                               struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_s3_checksum_header checksum = {.text =
                                                 CS_BUF_INIT(CS_S3_CHECKSUM_TEXT_MAX)};
    struct cs_net_header headers[] = {{CS_LIT("Content-Type"), CS_LIT("application/xml")},
                                      {.name = CS_LIT("")}};
    struct cs_s3_request request = {.operation = "DeleteObjects",
                                    .method = "POST",
                                    .query = CS_LIT("delete="),
                                    .headers = headers,
                                    .header_count = CS_COUNT(headers),
                                    .body = *body};
    enum cs_code rc;

    /* This call needs a checksum header, whatever the mode for puts. */
    if ((rc = cs_s3_checksum_add(s3, body, NULL, true, &checksum, err)) == CS_OK) {
        headers[1] = checksum.header;
        rc = cs_s3_perform(s3, &request, deadline, err);
    }
    cs_buf_clear(&checksum.text);
    return rc;
}

/* Not every server that speaks S3 knows the newer headers. */
static enum cs_code send_names_known(struct cs_s3 *s3, const struct cs_net_body *body,
                                     struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc = send_names(s3, body, deadline, &why);

    if (rc != CS_OK && cs_s3_checksum_is_sha256(s3) &&
        cs_s3_checksum_is_refused(&s3->error)) {
        why = CS_ERR_NONE;
        if ((rc = cs_s3_checksum_give_up(s3, &s3->error, &why)) == CS_OK)
            rc = send_names(s3, body, deadline, &why);
    }
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
    return rc;
}

/* Before the attempt behind `attempt`; false where there is to be none. */
static bool pause_deleting(struct cs_s3 *s3, unsigned attempt,
                           struct cs_deadline deadline)
{
    static const struct cs_retry_policy policy = {
        .max_attempts = 4, .base_us = 200000, .cap_us = 2000000};
    int64_t wait_us = cs_retry_backoff_us(&policy, attempt, cs_aws_random(s3->aws));

    if (attempt >= policy.max_attempts ||
        cs_deadline_left_ms(deadline) * 1000ll <= wait_us)
        return false;
    (void)poll(NULL, 0, (int)((wait_us + 999) / 1000));
    return true;
}

static enum cs_code delete_names(struct cs_s3 *s3, const struct cs_net_body *body,
                                 bool *passing_out, struct cs_deadline deadline,
                                 struct cs_err *err)
{
    enum cs_code rc = send_names_known(s3, body, deadline, err);

    *passing_out = false;
    return rc == CS_OK ? check_refusals(s3, passing_out, err) : rc;
}

enum cs_code cs_s3_delete_many(struct cs_s3 *s3, const struct cs_s3_name *names,
                               size_t count, struct cs_deadline deadline,
                               struct cs_err *err)
{
    struct cs_buf body = CS_BUF_INIT(CS_S3_ANSWER_MAX);
    struct cs_net_body sent = {.kind = CS_NET_BODY_BYTES};
    struct cs_err why = CS_ERR_NONE;
    unsigned attempt = 0;
    bool passing = false;
    enum cs_code rc;

    if (count == 0)
        return CS_OK;
    write_names(&body, names, count);
    if ((rc = cs_buf_check(&body, err)) != CS_OK)
        goto out;
    sent.bytes = cs_buf_view(&body);
    /* An answer of 200 may still say of single objects that they failed for now; those
     * that are gone already do no harm among them. */
    do {
        why = CS_ERR_NONE;
        rc = delete_names(s3, &sent, &passing, deadline, &why);
    } while (passing && pause_deleting(s3, ++attempt, deadline));
    if (rc != CS_OK)
        cs_err_hand_on(err, &why);
out:
    cs_buf_clear(&body);
    return rc;
}
