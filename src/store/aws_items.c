#include "config.h"

#include <stdlib.h>

#include "store/aws_internal.h"
#include "json/scan.h"

#define TEXT_MAX         CS_AWS_ITEM_TEXT_MAX
#define KEPT_MAX         (256u << 10) /* bytes of memory, between requests */
#define VANISHES_AFTER_S (24 * 3600)  /* so that no difference of clocks matters */

/* Attributes that are no members of summary or detail. */
static const struct cs_view own_names[] = {CS_LIT_INIT("campaign_id"),
                                           CS_LIT_INIT("user_id"),
                                           CS_LIT_INIT("status"),
                                           CS_LIT_INIT("created_at"),
                                           CS_LIT_INIT("revision"),
                                           CS_LIT_INIT("summary"),
                                           CS_LIT_INIT("detail"),
                                           CS_LIT_INIT("expires_at_us"),
                                           CS_LIT_INIT(CS_AWS_VANISHES),
                                           CS_LIT_INIT(CS_AWS_LOG_END),
                                           CS_LIT_INIT(CS_AWS_WITHDRAWN_USER),
                                           CS_LIT_INIT(CS_AWS_WITHDRAWN_STATUS)};

/* Of an item which another program wrote, what belongs into a summary: what lists show,
 * by the names of the original service. The rest is detail. */
static const struct cs_view summary_names[] = {
    CS_LIT_INIT("campaign_name"), CS_LIT_INIT("completed_at"),
    CS_LIT_INIT("execution_time"), CS_LIT_INIT("quality_score"),
    CS_LIT_INIT("updated_at")};
#define SUMMARY_VALUE_MAX 512u /* bytes; a longer one is detail, too */
#define MEMBERS_MAX       64u  /* of a summary, that are looked at */

bool cs_aws_item_is_internal(struct cs_view key)
{
    return cs_view_starts(key, CS_LIT(CS_AWS_INTERNAL));
}

/* ---- writing ---- */

struct copying {
    struct cs_json_writer *w;
    bool foreign;
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

    /* what changes with each step is of no use to others, unless they wrote it, too */
    if (!copying->foreign && cs_view_eq(name, CS_LIT("updated_at")))
        return true;
    if (!plain || name.len == 0 || cs_view_find_byte(name, '\\') != SIZE_MAX ||
        cs_view_is_among(name, own_names, CS_COUNT(own_names)))
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

/* Attributes of other programs stay what they are, sets and binaries too, as long as
 * nobody changed the member of detail that they were read as. */
struct splitting {
    struct cs_json_writer *w;
    const struct cs_json *extra; /* the attributes as they were read */
    struct cs_view summary;
    unsigned links;    /* addresses that are written anew, whoever wrote them before */
    struct cs_buf own; /* what is left for the attribute `detail` */
    struct cs_buf name;
    struct cs_buf text;
    struct cs_err *err;
    enum cs_code rc;
};

static bool is_unchanged(struct splitting *s, const struct cs_json *attribute,
                         struct cs_view value)
{
    cs_buf_reset(&s->text);
    s->rc = cs_attribute_to_json(&s->text, attribute, s->err);
    return s->rc == CS_OK && cs_view_eq(cs_buf_view(&s->text), value);
}

static bool split_member(void *payload, struct cs_view name, struct cs_view value)
{
    struct splitting *s = payload;
    const struct cs_json *attribute;

    if ((cs_aws_link_of(name) & s->links) != 0)
        return true;
    cs_buf_reset(&s->name);
    cs_buf_add(&s->name, name);
    if ((s->rc = cs_buf_check(&s->name, s->err)) != CS_OK)
        return false;
    attribute = cs_json_get(s->extra, cs_buf_cstr(&s->name));
    if (attribute != NULL && cs_view_find_byte(name, '\\') == SIZE_MAX &&
        cs_json_slice(s->summary, cs_buf_cstr(&s->name)).ptr == NULL &&
        is_unchanged(s, attribute, value)) {
        cs_json_key_view(s->w, name);
        s->rc = cs_attribute_rewrite(s->w->out, attribute, s->err);
        s->w->comma = true;
        return s->rc == CS_OK;
    }
    cs_buf_add(&s->own, s->own.len > 0 ? CS_LIT(",\"") : CS_LIT("{\""));
    cs_buf_add(&s->own, name);
    cs_buf_add(&s->own, CS_LIT("\":"));
    cs_buf_add(&s->own, value);
    return s->rc == CS_OK;
}

static enum cs_code write_split(struct cs_json_writer *w, const struct cs_record *record,
                                struct cs_err *err)
{
    struct cs_json *extra = NULL;
    struct splitting s = {.w = w,
                          .summary = record->summary,
                          .links = cs_aws_links_of(record->detail),
                          .own = CS_BUF_INIT(TEXT_MAX),
                          .name = CS_BUF_INIT(TEXT_MAX),
                          .text = CS_BUF_INIT(TEXT_MAX),
                          .err = err};
    enum cs_code rc = cs_json_parse(&extra, record->extra, NULL, err);

    s.extra = extra;
    if (rc == CS_OK) {
        cs_json_each_member(record->detail, split_member, &s);
        rc = s.rc;
    }
    cs_buf_add(&s.own, s.own.len > 0 ? CS_LIT("}") : CS_LIT("{}"));
    if (rc == CS_OK && (rc = cs_buf_check(&s.own, err)) == CS_OK)
        cs_item_add_text(w, "detail", cs_buf_view(&s.own));
    cs_json_free(extra);
    cs_buf_clear(&s.own);
    cs_buf_clear(&s.name);
    cs_buf_clear(&s.text);
    return rc;
}

void cs_aws_item_vanishes(struct cs_json_writer *w, int64_t expires_at_us)
{
    cs_item_add_integer(w, CS_AWS_VANISHES,
                        expires_at_us / CS_SECOND_US + VANISHES_AFTER_S);
}

enum cs_code cs_aws_item_write(const struct cs_aws_store *store, struct cs_json_writer *w,
                               const struct cs_record *record, uint64_t revision,
                               struct cs_err *err)
{
    struct copying copying = {w, record->extra.len > 0, err, CS_OK};
    enum cs_code rc = CS_OK;

    if (cs_aws_item_is_internal(record->key))
        return cs_err_set(err, CS_EINVAL, "keys that start with %s are the store's own",
                          CS_AWS_INTERNAL);
    cs_json_key(w, "Item");
    cs_json_object(w);
    cs_item_add_text(w, "campaign_id", record->key);
    cs_item_add_integer(w, "revision", (int64_t)revision);
    add_text(w, "user_id", record->user_id);
    if ((rc = cs_aws_status_write(store, w, record, err)) != CS_OK)
        return rc;
    add_text(w, "created_at", record->created_at);
    add_text(w, CS_AWS_WITHDRAWN_USER, record->withdrawn_user_id);
    add_text(w, CS_AWS_WITHDRAWN_STATUS, record->withdrawn_status);
    if (record->expires_at_us != 0)
        cs_item_add_integer(w, "expires_at_us", record->expires_at_us);
    if (record->expires_at_us != 0 && record->vanishes)
        cs_aws_item_vanishes(w, record->expires_at_us);
    if (record->log_mark > CS_AWS_LOG_EMPTY)
        cs_item_add_integer(w, CS_AWS_LOG_END, (int64_t)record->log_mark);
    if ((rc = cs_aws_summary_write(w, record, err)) != CS_OK)
        return rc;
    if (record->extra.len > 0)
        rc = write_split(w, record, err);
    else if (record->detail.len > 0)
        rc = cs_aws_item_add_packed(w, "detail", record->detail, err);
    if (rc == CS_OK && cs_json_kind(record->summary) == '{' &&
        cs_json_validate(record->summary, NULL, NULL) == CS_OK)
        cs_json_each_member(record->summary, copy_member, &copying);
    if (rc == CS_OK && (rc = copying.rc) == CS_OK)
        rc = cs_aws_links_write(store, w, record, err);
    cs_json_object_end(w);
    return rc;
}

/* ---- reading ---- */

/* Names of the members of a summary: their attributes are copies. */
struct copies {
    struct cs_view names[MEMBERS_MAX];
    size_t count;
};

static bool note_copy(void *payload, struct cs_view name, struct cs_view value)
{
    struct copies *copies = payload;

    (void)value;
    if (copies->count < MEMBERS_MAX)
        copies->names[copies->count++] = name;
    return copies->count < MEMBERS_MAX;
}

static bool is_copy(const struct copies *copies, struct cs_view name)
{
    for (size_t i = 0; i < copies->count; i++)
        if (cs_view_eq(copies->names[i], name))
            return true;
    return false;
}

/* The texts that a record is made of, where they are not attributes of the item. */
struct texts {
    struct cs_buf whole;    /* a summary with its head */
    struct cs_buf unpacked; /* a detail that was kept compressed */
    struct cs_buf summary;
    struct cs_buf detail; /* with the attributes of others as its last members */
    struct cs_buf extra;  /* these attributes */
    struct cs_buf value;
};

static void add_member(struct cs_buf *out, struct cs_view name, struct cs_view value)
{
    cs_buf_add_byte(out, out->len > 0 ? ',' : '{');
    cs_json_quote(out, name);
    cs_buf_add_byte(out, ':');
    cs_buf_add(out, value);
}

static bool is_short(struct cs_view json)
{
    char kind = cs_json_kind(json);

    return json.len <= SUMMARY_VALUE_MAX && kind != '{' && kind != '[';
}

/* Of a member that was changed here and that the other program wrote once more, ours
 * stands. */
static bool is_ours_too(struct texts *t, const struct cs_record *record,
                        struct cs_view name)
{
    cs_buf_reset(&t->value);
    cs_buf_add(&t->value, name);
    return cs_buf_check(&t->value, NULL) == CS_OK &&
           cs_json_slice(record->detail, cs_buf_cstr(&t->value)).ptr != NULL;
}

static bool is_time(struct cs_view name, const struct cs_json *attribute)
{
    return (cs_view_eq(name, CS_LIT("completed_at")) ||
            cs_view_eq(name, CS_LIT("updated_at"))) &&
           cs_json_get_string(attribute, "S").len > 0;
}

static enum cs_code take_attribute(struct texts *t, struct cs_view name,
                                   const struct cs_json *attribute, bool foreign,
                                   struct cs_err *err)
{
    enum cs_code rc;

    if (foreign && is_time(name, attribute))
        return CS_OK; /* add_times() has it */
    cs_buf_reset(&t->value);
    if ((rc = cs_attribute_to_json(&t->value, attribute, err)) != CS_OK ||
        (rc = cs_buf_check(&t->value, err)) != CS_OK)
        return rc;
    if (foreign && cs_view_is_among(name, summary_names, CS_COUNT(summary_names)) &&
        is_short(cs_buf_view(&t->value))) {
        add_member(&t->summary, name, cs_buf_view(&t->value));
        return CS_OK;
    }
    add_member(&t->detail, name, cs_buf_view(&t->value));
    cs_buf_reset(&t->value);
    if ((rc = cs_attribute_rewrite(&t->value, attribute, err)) == CS_OK)
        add_member(&t->extra, name, cs_buf_view(&t->value));
    return rc;
}

/* A time without a zone, as Python writes them, is one in UTC. */
static void quote_time(struct cs_buf *out, struct cs_view text)
{
    int64_t time_us;

    if (cs_time_parse(&time_us, text, NULL) == CS_OK)
        cs_json_quote_time(out, time_us);
    else
        cs_json_quote(out, text);
}

static void add_time(struct texts *t, const char *name, struct cs_view text)
{
    if (text.len == 0)
        return;
    cs_buf_reset(&t->value);
    quote_time(&t->value, text);
    add_member(&t->summary, cs_view_cstr(name), cs_buf_view(&t->value));
}

/* The times of an item of another program; it may not say when it was changed. */
static void add_times(struct texts *t, const struct cs_record *record,
                      const struct cs_json *item)
{
    struct cs_view completed_at = cs_item_text(item, "completed_at");
    struct cs_view updated_at = cs_item_text(item, "updated_at");

    if (updated_at.len == 0)
        updated_at = completed_at.len > 0 ? completed_at : record->created_at;
    add_time(t, "created_at", record->created_at);
    add_time(t, "completed_at", completed_at);
    add_time(t, "updated_at", updated_at);
}

/* What our own records have in their summaries. */
static void start_summary(struct texts *t, const struct cs_record *record,
                          const struct cs_json *item)
{
    const struct {
        struct cs_view name;
        struct cs_view text;
    } members[] = {{CS_LIT("campaign_id"), record->key},
                   {CS_LIT("user_id"), cs_aws_summary_user_id(record)},
                   {CS_LIT("status"), cs_aws_summary_status(record)}};

    for (size_t i = 0; i < CS_COUNT(members); i++) {
        if (members[i].text.len == 0 || members[i].text.len > SUMMARY_VALUE_MAX)
            continue;
        cs_buf_reset(&t->value);
        cs_json_quote(&t->value, members[i].text);
        add_member(&t->summary, members[i].name, cs_buf_view(&t->value));
    }
    add_times(t, record, item);
}

/* Completes the record by the attributes that this store did not write. */
static enum cs_code take_others(struct texts *t, const struct cs_json *item,
                                struct cs_record *record, struct cs_err *err)
{
    bool foreign = record->summary.ptr == NULL;
    unsigned links = cs_aws_links_of(record->detail);
    struct copies copies = {.count = 0};
    struct cs_json_iter iter = {0};
    enum cs_code rc = CS_OK;

    if (foreign)
        start_summary(t, record, item);
    else
        cs_json_each_member(record->summary, note_copy, &copies);
    if (record->detail.len > 2) /* more than {} */
        cs_buf_add(&t->detail,
                   cs_view_sub(record->detail, 0, cs_view_trim(record->detail).len - 1));
    while (rc == CS_OK && cs_json_next(&iter, item))
        if (!cs_view_is_among(iter.name, own_names, CS_COUNT(own_names)) &&
            !is_copy(&copies, iter.name) && !is_ours_too(t, record, iter.name) &&
            (cs_aws_link_of(iter.name) & links) == 0)
            rc = take_attribute(t, iter.name, iter.value, foreign, err);
    if (rc != CS_OK || (!foreign && t->extra.len == 0))
        return rc;
    cs_buf_add(&t->summary, t->summary.len > 0 ? CS_LIT("}") : CS_LIT("{}"));
    cs_buf_add(&t->detail, t->detail.len > 0 ? CS_LIT("}") : CS_LIT("{}"));
    cs_buf_add(&t->extra, t->extra.len > 0 ? CS_LIT("}") : CS_LIT("{}"));
    if ((rc = cs_buf_check(&t->summary, err)) != CS_OK ||
        (rc = cs_buf_check(&t->detail, err)) != CS_OK ||
        (rc = cs_buf_check(&t->extra, err)) != CS_OK)
        return rc;
    if (foreign)
        record->summary = cs_buf_view(&t->summary);
    record->detail = cs_buf_view(&t->detail);
    record->extra = cs_buf_view(&t->extra);
    return CS_OK;
}

/* Puts the texts that are kept shorter back to what they were. */
static enum cs_code fill_in(struct texts *t, const struct cs_json *item,
                            struct cs_record *record, struct cs_err *err)
{
    struct cs_view packed = cs_json_get_string(cs_json_get(item, "detail"), "B");
    struct cs_aws_unpacking unpacking = CS_AWS_UNPACKING_INIT;
    enum cs_code rc = CS_OK;

    record->summary = cs_aws_summary_whole(&t->whole, record);
    if (packed.ptr != NULL &&
        (rc = cs_aws_unpack(&unpacking, &t->unpacked, packed, err)) == CS_OK)
        record->detail = cs_buf_view(&t->unpacked);
    cs_aws_unpacking_clear(&unpacking);
    return rc != CS_OK ? rc : cs_buf_check(&t->whole, err);
}

enum cs_code cs_aws_item_read(struct cs_record **out, const struct cs_json *item,
                              struct cs_err *err)
{
    struct texts texts = {CS_BUF_INIT(TEXT_MAX), CS_BUF_INIT(TEXT_MAX),
                          CS_BUF_INIT(TEXT_MAX), CS_BUF_INIT(TEXT_MAX),
                          CS_BUF_INIT(TEXT_MAX), CS_BUF_INIT(TEXT_MAX)};
    struct cs_record record = {
        .key = cs_item_text(item, "campaign_id"),
        .user_id = cs_item_text(item, "user_id"),
        .status = cs_aws_status_plain(cs_item_text(item, "status")),
        .created_at = cs_item_text(item, "created_at"),
        .summary = cs_item_text(item, "summary"),
        .detail = cs_item_text(item, "detail"),
        .withdrawn_user_id = cs_item_text(item, CS_AWS_WITHDRAWN_USER),
        .withdrawn_status =
            cs_aws_status_plain(cs_item_text(item, CS_AWS_WITHDRAWN_STATUS)),
    };
    int64_t revision = 0, vanishes_at = 0, log_end = 0;
    enum cs_code rc;

    *out = NULL;
    if (record.key.ptr == NULL)
        return cs_err_set(err, CS_EUPSTREAM, "an item of the table has no campaign_id");
    if (cs_item_integer(item, "revision", &revision) && revision > 0)
        record.revision = (uint64_t)revision;
    if (!cs_item_integer(item, "expires_at_us", &record.expires_at_us))
        record.expires_at_us = 0;
    if (cs_item_integer(item, CS_AWS_LOG_END, &log_end) && log_end > 0)
        record.log_mark = (uint64_t)log_end;
    record.vanishes = cs_item_integer(item, CS_AWS_VANISHES, &vanishes_at);
    if ((rc = fill_in(&texts, item, &record, err)) == CS_OK &&
        (rc = take_others(&texts, item, &record, err)) == CS_OK) {
        *out = cs_record_copy(&record);
        rc = *out != NULL ? CS_OK : cs_err_nomem(err);
    }
    cs_buf_clear(&texts.whole);
    cs_buf_clear(&texts.unpacked);
    cs_buf_clear(&texts.summary);
    cs_buf_clear(&texts.detail);
    cs_buf_clear(&texts.extra);
    cs_buf_clear(&texts.value);
    return rc;
}

/* ---- reading the text of an item ---- */

/* Of an item whose attributes are ours, or copies from its summary. */
struct own_item {
    struct cs_record record;
    struct cs_aws_item_texts *texts; /* what the record's views are of */
    struct copies others;            /* names of the attributes that should be copies */
    bool strange;                    /* it has something that only a tree tells */
};

void cs_aws_item_texts_clear(struct cs_aws_item_texts *texts)
{
    cs_buf_clear(&texts->decoded);
    cs_buf_clear(&texts->summary);
    cs_buf_clear(&texts->detail);
    cs_aws_unpacking_clear(&texts->unpacking);
}

void cs_aws_item_texts_rest(struct cs_aws_item_texts *texts)
{
    if (texts->decoded.cap + texts->summary.cap + texts->detail.cap +
            texts->unpacking.packed.cap >
        KEPT_MAX)
        cs_aws_item_texts_clear(texts);
}

/* Where the text of an attribute goes; NULL for one that is none of ours. */
static struct cs_view *place_of(struct cs_record *record, struct cs_view name)
{
    const struct {
        struct cs_view name;
        struct cs_view *place;
    } places[] = {{CS_LIT("campaign_id"), &record->key},
                  {CS_LIT("user_id"), &record->user_id},
                  {CS_LIT("status"), &record->status},
                  {CS_LIT("created_at"), &record->created_at},
                  {CS_LIT("summary"), &record->summary},
                  {CS_LIT("detail"), &record->detail},
                  {CS_LIT(CS_AWS_WITHDRAWN_USER), &record->withdrawn_user_id},
                  {CS_LIT(CS_AWS_WITHDRAWN_STATUS), &record->withdrawn_status}};

    for (size_t i = 0; i < CS_COUNT(places); i++)
        if (cs_view_eq(places[i].name, name))
            return places[i].place;
    return NULL;
}

/* What {"S":"..."} or {"N":"..."} has between the quotes; .ptr NULL for another type. */
static struct cs_view walk_attribute(struct cs_view *rest, struct cs_view *type_out)
{
    struct cs_view value = cs_view_of(NULL, 0);
    struct cs_view type;

    *type_out = cs_view_of(NULL, 0);
    if (cs_json_kind(*rest) != '{')
        value = cs_json_walk_value(rest);
    else
        while (cs_json_walk_member(rest, &type)) {
            *type_out = type;
            value = cs_json_walk_value(rest);
        }
    return cs_json_kind(value) == '"' ? cs_view_sub(value, 1, value.len - 2)
                                      : cs_view_of(NULL, 0);
}

/* False for a number that is none of ours. */
static bool take_number(struct cs_record *record, struct cs_view name,
                        struct cs_view digits)
{
    int64_t value = 0;

    if (!cs_attribute_integer(digits, &value) || value < 0)
        return false;
    if (cs_view_eq(name, CS_LIT("revision")))
        record->revision = (uint64_t)value;
    else if (cs_view_eq(name, CS_LIT("expires_at_us")))
        record->expires_at_us = value;
    else if (cs_view_eq(name, CS_LIT(CS_AWS_VANISHES)))
        record->vanishes = true;
    else if (cs_view_eq(name, CS_LIT(CS_AWS_LOG_END)))
        record->log_mark = (uint64_t)value;
    else
        return false;
    return true;
}

static struct cs_view decoded(struct own_item *own, struct cs_view inside)
{
    struct cs_buf *out = &own->texts->decoded;
    size_t from = out->len;

    if (cs_view_find_byte(inside, '\\') == SIZE_MAX)
        return inside;
    cs_json_unescape(out, inside);
    return cs_view_from(cs_buf_view(out), from);
}

static bool take_packed(struct own_item *own, struct cs_view inside)
{
    struct cs_aws_item_texts *texts = own->texts;

    if (cs_aws_unpack(&texts->unpacking, &texts->detail, decoded(own, inside), NULL) !=
        CS_OK)
        return false;
    own->record.detail = cs_buf_view(&texts->detail);
    return true;
}

/* False for what is neither one of our own attributes nor, perhaps, a copy. */
static bool take_own(struct own_item *own, struct cs_view name, struct cs_view type,
                     struct cs_view inside)
{
    struct cs_view *place = place_of(&own->record, name);

    if (place == &own->record.detail && cs_view_eq(type, CS_LIT("B")))
        return inside.ptr != NULL && take_packed(own, inside);
    if (place != NULL) {
        *place = decoded(own, inside);
        return cs_view_eq(type, CS_LIT("S")) && inside.ptr != NULL;
    }
    if (cs_view_eq(type, CS_LIT("N")) && take_number(&own->record, name, inside))
        return true;
    return !cs_view_is_among(name, own_names, CS_COUNT(own_names)) &&
           cs_view_find_byte(name, '\\') == SIZE_MAX &&
           note_copy(&own->others, name, inside);
}

static bool others_are_copies(const struct own_item *own)
{
    struct copies copies = {.count = 0};
    unsigned links = 0;

    if (own->others.count == 0)
        return true;
    cs_json_each_member(own->record.summary, note_copy, &copies);
    for (size_t i = 0; i < own->others.count; i++) {
        unsigned link = cs_aws_link_of(own->others.names[i]);

        if (link == 0 && !is_copy(&copies, own->others.names[i]))
            return false;
        links |= link;
    }
    return links == 0 || (links & ~cs_aws_links_of(own->record.detail)) == 0;
}

/* Walks through the item; true where the record is all that it says. */
static bool read_own(struct own_item *own, struct cs_view *rest)
{
    struct cs_view name, type;

    while (cs_json_walk_member(rest, &name)) {
        struct cs_view inside = walk_attribute(rest, &type);

        own->strange = own->strange || !take_own(own, name, type, inside);
    }
    if (own->strange || own->texts->decoded.failed != CS_OK ||
        own->record.key.ptr == NULL || own->record.summary.ptr == NULL)
        return false;
    own->record.status = cs_aws_status_plain(own->record.status);
    own->record.withdrawn_status = cs_aws_status_plain(own->record.withdrawn_status);
    own->record.summary = cs_aws_summary_whole(&own->texts->summary, &own->record);
    return own->texts->summary.failed == CS_OK && others_are_copies(own);
}

static enum cs_code read_tree(struct cs_record **out, struct cs_view item,
                              struct cs_err *err)
{
    struct cs_json *tree = NULL;
    enum cs_code rc = cs_json_parse(&tree, item, NULL, err);

    if (rc == CS_OK && !cs_aws_item_is_internal(cs_item_text(tree, "campaign_id")))
        rc = cs_aws_item_read(out, tree, err);
    cs_json_free(tree);
    return rc;
}

enum cs_code cs_aws_item_walk(struct cs_record **out, struct cs_view *rest,
                              struct cs_aws_item_texts *texts, struct cs_err *err)
{
    struct own_item own = {.texts = texts};
    struct cs_view item = *rest;
    enum cs_code rc = CS_OK;
    bool whole;

    *out = NULL;
    cs_buf_reset(&texts->decoded);
    cs_buf_reset(&texts->summary);
    cs_buf_reset(&texts->detail);
    /* decoded, a text is never longer than it was written: so it never moves */
    cs_buf_reserve(&texts->decoded, rest->len);
    whole = cs_json_kind(item) == '{' && read_own(&own, rest);
    if (cs_json_kind(item) != '{')
        (void)cs_json_walk_value(rest);
    item.len -= rest->len;
    if (!whole)
        rc = read_tree(out, item, err);
    else if (!cs_aws_item_is_internal(own.record.key) &&
             (*out = cs_record_copy(&own.record)) == NULL)
        rc = cs_err_nomem(err);
    return rc;
}
