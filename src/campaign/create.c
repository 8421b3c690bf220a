#include "config.h"

#include "campaign/create.h"

#include <stdio.h>

#include "campaign/artifacts.h"
#include "json/scan.h"
#include "json/write.h"

#define TAGS_MAX            20u
#define TAG_BYTES_MAX       64u
#define ID_ATTEMPTS         8
#define IDEMPOTENCY_LIFE_US (24ll * 3600 * CS_SECOND_US)

/* ---- create ---- */

struct creation {
    struct cs_view body;
    struct cs_buf id;
    struct cs_buf name;
    struct cs_buf idempotency_record; /* its key; empty when no Idempotency-Key came */
    uint64_t
        spent_revision; /* of that record, where it is there and has expired; else 0 */
    int64_t expires_at_us;
    bool own_id; /* the client gave it */
    struct cs_faults *faults;
};

struct tag_check {
    struct cs_faults *faults;
    size_t count;
};

static bool check_tag(void *payload, struct cs_view value)
{
    struct tag_check *check = payload;
    struct cs_buf text = CS_BUF_INIT(4 * TAG_BYTES_MAX);
    char pointer[32];

    (void)snprintf(pointer, sizeof(pointer), "/tags/%zu", check->count++);
    (void)cs_check_text(
        check->faults,
        &(struct cs_field){.pointer = pointer, .value = value, .required = true}, 1,
        TAG_BYTES_MAX, &text);
    cs_buf_clear(&text);
    return check->count <= TAGS_MAX;
}

static void check_tags(struct creation *creation)
{
    struct tag_check check = {creation->faults, 0};
    struct cs_view tags = cs_json_slice(creation->body, "tags");

    if (tags.ptr == NULL || cs_json_kind(tags) == 'n')
        return;
    if (cs_json_kind(tags) != '[') {
        cs_faults_add(creation->faults, "/tags", "wrong_type",
                      "this field must be an array of texts");
        return;
    }
    cs_json_each_element(tags, check_tag, &check);
    if (check.count > TAGS_MAX)
        cs_faults_add(creation->faults, "/tags", "too_many",
                      "at most %u tags are allowed", TAGS_MAX);
}

static void check_reserved(struct creation *creation)
{
    char pointer[64];

    for (const char *const *field = cs_campaign_reserved_fields; *field != NULL;
         field++) {
        if (cs_json_slice(creation->body, *field).ptr == NULL)
            continue;
        (void)snprintf(pointer, sizeof(pointer), "/%s", *field);
        cs_faults_add(creation->faults, pointer, "reserved",
                      "the service sets this field; leave it out");
    }
}

static void check_creation(struct creation *creation, int64_t now_us)
{
    const struct cs_field name = {"/campaign_name",
                                  cs_json_slice(creation->body, "campaign_name"), true};
    const struct cs_field brief = {"/campaign_brief",
                                   cs_json_slice(creation->body, "campaign_brief"), true};
    const struct cs_field id = {"/campaign_id",
                                cs_json_slice(creation->body, "campaign_id"), false};
    const struct cs_field expires = {"/expires_at",
                                     cs_json_slice(creation->body, "expires_at"), false};

    (void)cs_check_text(creation->faults, &name, 1, CS_CAMPAIGN_NAME_MAX,
                        &creation->name);
    (void)cs_check_object(creation->faults, &brief);
    if (cs_check_text(creation->faults, &id, 1, CS_CAMPAIGN_ID_MAX, &creation->id)) {
        creation->own_id = true;
        if (!cs_campaign_id_valid(cs_buf_view(&creation->id)))
            cs_faults_add(creation->faults, "/campaign_id", "pattern",
                          "an id begins with a letter or digit and goes on with letters, "
                          "digits, _ or -");
    }
    if (cs_check_time(creation->faults, &expires, &creation->expires_at_us) &&
        creation->expires_at_us <= now_us)
        cs_faults_add(creation->faults, "/expires_at", "in_the_past",
                      "this time must lie in the future");
    check_tags(creation);
    check_reserved(creation);
}

/* campaign_YYYYMMDD_HHMMSS_NNNNNN; the last part is random, the conditional
 * write makes it unique. */
static enum cs_code make_id(struct cs_buf *out, int64_t now_us, struct cs_err *err)
{
    char day_and_time[16];
    uint32_t number;
    enum cs_code rc;

    if ((rc = cs_random_bytes(&number, sizeof(number), err)) != CS_OK)
        return rc;
    cs_time_compact(day_and_time, now_us);
    cs_buf_reset(out);
    cs_buf_add_fmt(out, "campaign_%s_%06u", day_and_time, (unsigned)(number % 1000000u));
    return cs_buf_check(out, err);
}

/* The fields of the record itself come first: a store need not keep those twice. */
static void write_summary(struct cs_buf *out, const struct creation *creation,
                          const struct cs_call *call)
{
    struct cs_buf now = CS_BUF_INIT(64);
    struct cs_buf expires = CS_BUF_INIT(64);
    struct cs_view tags = cs_json_slice(creation->body, "tags");
    struct cs_json_writer writer;

    cs_json_quote_time(&now, call->now_us);
    cs_json_writer_init(&writer, out);
    cs_json_object(&writer);
    cs_json_member_str(&writer, "campaign_id", cs_buf_view(&creation->id));
    cs_json_member_str(&writer, "user_id", call->user_id);
    cs_json_member_cstr(&writer, "status", "running");
    cs_json_member_raw(&writer, "created_at", cs_buf_view(&now));
    cs_json_member_raw(&writer, "updated_at", cs_buf_view(&now));
    cs_json_member_str(&writer, "campaign_name", cs_buf_view(&creation->name));
    if (creation->expires_at_us != 0) {
        cs_json_quote_time(&expires, creation->expires_at_us);
        cs_json_member_raw(&writer, "expires_at", cs_buf_view(&expires));
    }
    /* Room is left for what completion adds; longer tags are in the detail only. */
    if (tags.ptr != NULL && cs_json_kind(tags) == '[' && out->len + tags.len < 700)
        cs_json_member_raw(&writer, "tags", tags);
    cs_json_object_end(&writer);
    cs_buf_clear(&now);
    cs_buf_clear(&expires);
}

/* The body without what the summary holds: brief, tags, and the unknown fields. */
static void write_detail(struct cs_buf *out, const struct creation *creation,
                         struct cs_view files)
{
    struct cs_view brief = cs_json_slice(creation->body, "campaign_brief");
    const struct cs_json_change changes[] = {
        {"campaign_id", {NULL, 0}},
        {"campaign_name", {NULL, 0}},
        {"expires_at", {NULL, 0}},
        {"campaign_brief", files.len > 0 ? cs_view_of(NULL, 0) : brief},
        {"files", files.len > 0 ? files : cs_view_of(NULL, 0)},
    };

    cs_json_edit(out, creation->body, changes, CS_COUNT(changes));
}

static bool is_long_brief(const struct cs_campaigns *campaigns,
                          const struct creation *creation)
{
    return cs_json_slice(creation->body, "campaign_brief").len >
           campaigns->limits.inline_brief_bytes;
}

/* A long brief becomes an object, which detail.files then names. */
static enum cs_code store_brief(const struct cs_campaigns *campaigns,
                                const struct cs_call *call,
                                const struct creation *creation, struct cs_buf *files_out,
                                struct cs_err *err)
{
    struct cs_view brief = cs_json_slice(creation->body, "campaign_brief");
    const struct cs_artifact_kind *kind = cs_artifact_kind(CS_LIT("brief"));
    struct cs_buf key = CS_BUF_INIT(CS_STORE_KEY_MAX);
    struct cs_object object = {.bucket = NULL};
    struct cs_object_source source = {.bytes = brief, .fd = -1};
    enum cs_code rc;

    cs_artifact_key(&key, cs_buf_view(&creation->id), CS_LIT("brief"));
    source.info =
        (struct cs_object_info){.key = cs_buf_view(&key),
                                .content_type = cs_view_cstr(kind->content_type),
                                .compressible = true};
    rc = campaigns->store->ops->put(campaigns->store, &source, 1, &object, call->deadline,
                                    err);
    if (rc == CS_OK) {
        cs_buf_add_cstr(files_out, "{\"brief\":");
        cs_artifact_json(files_out, &object, source.info.content_type, true);
        cs_buf_add_byte(files_out, '}');
        rc = cs_buf_check(files_out, err);
    }
    cs_object_clear(&object);
    cs_buf_clear(&key);
    return rc;
}

enum cs_code cs_campaign_read_brief(const struct cs_campaigns *campaigns,
                                    const struct cs_record *record, struct cs_buf *out,
                                    struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_view brief = cs_json_slice(record->detail, "campaign_brief");
    struct cs_artifact artifact;

    if (brief.ptr == NULL &&
        cs_artifact_find(record, CS_LIT("brief"), &artifact, NULL) == CS_OK)
        return cs_artifact_read(campaigns, &artifact, out, deadline, err);
    cs_buf_add(out, brief.len > 0 ? brief : CS_LIT("null"));
    return cs_buf_check(out, err);
}

/* ---- idempotency ---- */

/* "#idempotency/<hex>": the key is hashed with its user, so that any text will
 * do and none meets another user's. */
static enum cs_code idempotency_record_key(struct cs_buf *out, struct cs_view user_id,
                                           struct cs_view key, struct cs_err *err)
{
    uint8_t digest[CS_SHA256_LEN];
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc = cs_hmac_sha256(digest, user_id, key, err);

    if (rc != CS_OK)
        return rc;
    cs_sha256_hex(hex, digest);
    cs_buf_add_fmt(out, "#idempotency/%s", hex);
    return cs_buf_check(out, err);
}

/* What the key stands for: the campaign, and a digest of the body. */
static enum cs_code idempotency_summary(struct cs_buf *out, struct cs_view id,
                                        struct cs_view body, struct cs_err *err)
{
    uint8_t digest[CS_SHA256_LEN];
    char hex[CS_SHA256_HEX_LEN + 1];
    struct cs_json_writer writer;
    enum cs_code rc = cs_sha256_of(digest, body, err);

    if (rc != CS_OK)
        return rc;
    cs_sha256_hex(hex, digest);
    cs_json_writer_init(&writer, out);
    cs_json_object(&writer);
    cs_json_member_cstr(&writer, "body_sha256", hex);
    cs_json_member_str(&writer, "campaign", id);
    cs_json_object_end(&writer);
    return cs_buf_check(out, err);
}

/* CS_ENOTFOUND when the key was never used, or too long ago. */
static enum cs_code replay(const struct cs_campaigns *campaigns,
                           const struct cs_call *call, struct creation *creation,
                           struct cs_record **out, struct cs_err *err)
{
    struct cs_record *used = NULL;
    struct cs_buf id = CS_BUF_INIT(4 * CS_CAMPAIGN_ID_MAX);
    struct cs_buf expected = CS_BUF_INIT(1024);
    enum cs_code rc = campaigns->store->ops->get(
        campaigns->store, cs_buf_view(&creation->idempotency_record), &used,
        call->deadline, err);

    if (rc != CS_OK)
        goto out;
    if (used->expires_at_us <= call->now_us) {
        creation->spent_revision = used->revision;
        rc = CS_ENOTFOUND;
        goto out;
    }
    (void)cs_json_slice_string(&id, used->summary, "campaign");
    rc = idempotency_summary(&expected, cs_buf_view(&id), creation->body, err);
    if (rc != CS_OK)
        goto out;
    if (!cs_view_eq(cs_buf_view(&expected), used->summary)) {
        rc = cs_err_field(
            err, CS_ECONFLICT, "Idempotency-Key", "idempotency_key_reused",
            "this Idempotency-Key was used for another body; take a new one");
        goto out;
    }
    rc = cs_campaign_load(campaigns, call, cs_buf_view(&id), CS_ACCESS_OWNER, false, out,
                          err);
    if (rc == CS_ENOTFOUND) {
        cs_err_clear(err);
        rc = cs_err_field(
            err, CS_ECONFLICT, "Idempotency-Key", "idempotency_key_spent",
            "the campaign that this Idempotency-Key made is deleted; take a new "
            "one");
    }
out:
    cs_record_free(used);
    cs_buf_clear(&id);
    cs_buf_clear(&expected);
    return rc;
}

/* ---- the create itself ---- */

/* What a creation is made of before it is committed. */
struct creation_record {
    struct cs_buf summary;
    struct cs_buf detail;
    struct cs_buf files;
    char created_at[CS_TIME_TEXT_LEN + 1];
    struct cs_record record; /* views into the buffers above */
};

static enum cs_code fields_too_big(struct cs_err *err)
{
    return cs_err_field(err, CS_ETOOBIG, "", "record_too_big",
                        "the fields beside campaign_brief pass %u KiB; send large parts "
                        "as files or within final_state",
                        CS_RECORD_BYTES_MAX / 1024u);
}

/* Whether a record can hold the fields beside a brief that becomes an object: before that
 * is written. */
static enum cs_code check_fields(const struct creation *creation,
                                 const struct cs_buf *summary, struct cs_err *err)
{
    struct cs_buf detail = CS_BUF_INIT(CS_RECORD_BYTES_MAX);
    struct cs_record record = {.summary = cs_buf_view(summary)};
    bool fits;

    write_detail(&detail, creation, CS_LIT("{}"));
    record.detail = cs_buf_view(&detail);
    fits = cs_buf_check(&detail, NULL) != CS_ETOOBIG &&
           cs_campaign_check_room(&record, CS_LIT(""), 1, NULL) == CS_OK;
    cs_buf_clear(&detail);
    return fits ? CS_OK : fields_too_big(err);
}

static enum cs_code build_record(const struct cs_campaigns *campaigns,
                                 const struct cs_call *call,
                                 const struct creation *creation,
                                 struct creation_record *out, struct cs_err *err)
{
    enum cs_code rc;

    write_summary(&out->summary, creation, call);
    if (is_long_brief(campaigns, creation) &&
        ((rc = check_fields(creation, &out->summary, err)) != CS_OK ||
         (rc = store_brief(campaigns, call, creation, &out->files, err)) != CS_OK))
        return rc;
    write_detail(&out->detail, creation, cs_buf_view(&out->files));
    if (cs_buf_check(&out->detail, NULL) == CS_ETOOBIG)
        return fields_too_big(err);
    if ((rc = cs_buf_check(&out->summary, err)) != CS_OK ||
        (rc = cs_buf_check(&out->detail, err)) != CS_OK)
        return rc;
    cs_time_text(out->created_at, call->now_us);
    out->record = (struct cs_record){.key = cs_buf_view(&creation->id),
                                     .user_id = call->user_id,
                                     .status = CS_LIT("running"),
                                     .created_at = cs_view_cstr(out->created_at),
                                     .expires_at_us = creation->expires_at_us,
                                     .summary = cs_buf_view(&out->summary),
                                     .detail = cs_buf_view(&out->detail)};
    return CS_OK;
}

/* The campaign, its counters, and what the Idempotency-Key stands for, at once.
 * The record of a key that has expired is written over. */
static enum cs_code commit_record(const struct cs_campaigns *campaigns,
                                  const struct cs_call *call,
                                  const struct creation *creation,
                                  const struct cs_record *record, struct cs_err *err)
{
    struct cs_buf group = CS_BUF_INIT(CS_USER_ID_MAX + 16);
    struct cs_buf key_summary = CS_BUF_INIT(1024);
    struct cs_delta deltas[CS_CAMPAIGN_DELTAS_MAX];
    struct cs_record key_record = {.key = cs_buf_view(&creation->idempotency_record),
                                   .revision = creation->spent_revision,
                                   .expires_at_us = call->now_us + IDEMPOTENCY_LIFE_US,
                                   .vanishes = true,
                                   .detail = CS_LIT("{}")};
    const struct cs_write writes[] = {
        {CS_WRITE_CREATE, record},
        {creation->spent_revision > 0 ? CS_WRITE_REPLACE : CS_WRITE_CREATE, &key_record}};
    const struct cs_transaction transaction = {
        writes, key_record.key.len > 0 ? 2 : 1, deltas,
        cs_campaign_deltas(record, 1, &group, deltas)};
    enum cs_code rc = idempotency_summary(&key_summary, record->key, creation->body, err);

    if (rc == CS_OK) {
        key_record.summary = cs_buf_view(&key_summary);
        rc = campaigns->store->ops->commit(campaigns->store, &transaction, call->deadline,
                                           err);
    }
    cs_buf_clear(&group);
    cs_buf_clear(&key_summary);
    return rc;
}

static enum cs_code commit_creation(const struct cs_campaigns *campaigns,
                                    const struct cs_call *call,
                                    const struct creation *creation,
                                    struct cs_record **out, struct cs_err *err)
{
    struct creation_record made = {.summary = CS_BUF_INIT(CS_SUMMARY_BYTES_MAX),
                                   .detail = CS_BUF_INIT(CS_RECORD_BYTES_MAX),
                                   .files = CS_BUF_INIT(CS_RECORD_BYTES_MAX)};
    enum cs_code rc = build_record(campaigns, call, creation, &made, err);

    if (rc == CS_OK)
        rc = commit_record(campaigns, call, creation, &made.record, err);
    if (rc == CS_OK) {
        made.record.revision = 1;
        *out = cs_record_copy(&made.record);
        rc = *out != NULL ? CS_OK : cs_err_nomem(err);
    }
    cs_buf_clear(&made.summary);
    cs_buf_clear(&made.detail);
    cs_buf_clear(&made.files);
    return rc;
}

static enum cs_code create_under_free_id(const struct cs_campaigns *campaigns,
                                         const struct cs_call *call,
                                         struct creation *creation,
                                         struct cs_record **out, struct cs_err *err)
{
    for (int attempt = 0; attempt < ID_ATTEMPTS; attempt++) {
        struct cs_err cause = CS_ERR_NONE;
        enum cs_code rc =
            creation->own_id ? CS_OK : make_id(&creation->id, call->now_us, err);

        if (rc != CS_OK)
            return rc;
        rc = commit_creation(campaigns, call, creation, out, &cause);
        if (rc == CS_EEXISTS && !creation->own_id)
            continue;
        if (rc == CS_EEXISTS)
            return cs_err_field(err, CS_EEXISTS, "/campaign_id", "campaign_exists",
                                "the id %s is taken; choose another or leave it out",
                                cs_buf_cstr(&creation->id));
        if (rc != CS_OK)
            cs_err_hand_on(err, &cause);
        return rc;
    }
    return cs_err_set(err, CS_EBUSY, "no free id was found; try again");
}

/* CS_ENOTFOUND: this request is the first of its key, or has none. */
static enum cs_code find_replay(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct creation *creation,
                                struct cs_view idempotency_key, struct cs_record **out,
                                struct cs_err *err)
{
    struct cs_err cause = CS_ERR_NONE;
    enum cs_code rc;

    if (idempotency_key.len == 0)
        return CS_ENOTFOUND;
    rc = idempotency_record_key(&creation->idempotency_record, call->user_id,
                                idempotency_key, err);
    if (rc != CS_OK)
        return rc;
    rc = replay(campaigns, call, creation, out, &cause);
    if (rc != CS_OK && rc != CS_ENOTFOUND)
        cs_err_hand_on(err, &cause);
    return rc;
}

enum cs_code cs_campaign_create(const struct cs_campaigns *campaigns,
                                const struct cs_call *call, struct cs_view body,
                                struct cs_view idempotency_key, struct cs_record **out,
                                bool *replayed_out, struct cs_faults *faults,
                                struct cs_err *err)
{
    struct creation creation = {.body = body,
                                .id = CS_BUF_INIT(8 * CS_CAMPAIGN_ID_MAX),
                                .name = CS_BUF_INIT(8 * CS_CAMPAIGN_NAME_MAX),
                                .idempotency_record = CS_BUF_INIT(CS_RECORD_KEY_MAX),
                                .faults = faults};
    enum cs_code rc;

    *out = NULL;
    *replayed_out = false;
    if (cs_json_kind(body) != '{')
        return cs_err_field(err, CS_EINVAL, "", "validation_failed",
                            "the body must be a JSON object");
    check_creation(&creation, call->now_us);
    if ((rc = cs_faults_check(faults, err)) != CS_OK)
        goto out;
    rc = find_replay(campaigns, call, &creation, idempotency_key, out, err);
    *replayed_out = rc == CS_OK;
    if (rc != CS_ENOTFOUND)
        goto out;
    rc = create_under_free_id(campaigns, call, &creation, out, err);
    /* Two requests with one key at the same moment: the loser answers as the winner. */
    if (rc != CS_OK && creation.idempotency_record.len > 0 &&
        replay(campaigns, call, &creation, out, NULL) == CS_OK) {
        cs_err_clear(err);
        *replayed_out = true;
        rc = CS_OK;
    }
out:
    cs_buf_clear(&creation.id);
    cs_buf_clear(&creation.name);
    cs_buf_clear(&creation.idempotency_record);
    return rc;
}
