#include "config.h"

#include "campaign/long_entries.h"

#include <stdlib.h>

#include "base/digest.h"
#include "json/scan.h"
#include "json/tree.h"
#include "json/write.h"

#define FETCHED_MAX (16u << 20) /* bytes of one object, far above any limit */

/* ---- storing ---- */

static bool is_long(const struct cs_campaigns *campaigns, struct cs_view entry)
{
    return entry.len > campaigns->limits.inline_interaction_bytes;
}

/* The puts with their memory. */
struct putting {
    struct cs_object_source *sources;
    struct cs_buf *keys;
    size_t count;
};

static void putting_clear(struct putting *p)
{
    for (size_t i = 0; i < p->count; i++)
        cs_buf_clear(&p->keys[i]);
    free(p->keys);
    free(p->sources);
}

static enum cs_code prepare(struct putting *p, const struct cs_campaigns *campaigns,
                            struct cs_view id, const struct cs_view *entries,
                            size_t count, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    p->sources = calloc(count, sizeof(*p->sources));
    p->keys = calloc(count, sizeof(*p->keys));
    if (p->sources == NULL || p->keys == NULL)
        return cs_err_nomem(err);
    for (size_t i = 0; i < count && rc == CS_OK; i++) {
        struct cs_buf *key = &p->keys[p->count];

        if (!is_long(campaigns, entries[i]))
            continue;
        cs_buf_init(key, CS_STORE_KEY_MAX);
        rc = cs_artifact_content_key(key, id, CS_LONG_ENTRIES_FOLDER, entries[i], err);
        p->sources[p->count++] =
            (struct cs_object_source){.info = {.key = cs_buf_view(key),
                                               .content_type = CS_LIT("application/json"),
                                               .compressible = true},
                                      .bytes = entries[i],
                                      .fd = -1};
    }
    return rc;
}

static void add_stub(struct cs_buf *out, const struct cs_object *object)
{
    struct cs_json_writer w;

    cs_json_writer_init(&w, out);
    cs_json_array(&w);
    cs_json_cstr(&w, object->key);
    cs_json_cstr(&w, object->version);
    cs_json_u64(&w, object->size);
    cs_json_cstr(&w, object->sha256);
    if (*object->bucket != '\0')
        cs_json_cstr(&w, object->bucket);
    cs_json_array_end(&w);
}

/* Only once all of them are written does the text stay where it is. */
static enum cs_code point_to_stubs(const struct cs_campaigns *campaigns,
                                   struct cs_view *entries, size_t count,
                                   struct cs_long_entries *stored, struct cs_err *err)
{
    size_t *ends = calloc(stored->count, sizeof(*ends));
    size_t from = 0;
    size_t at = 0;
    enum cs_code rc;

    if (ends == NULL)
        return cs_err_nomem(err);
    for (size_t i = 0; i < stored->count; i++) {
        add_stub(&stored->text, &stored->objects[i]);
        ends[i] = stored->text.len;
    }
    rc = cs_buf_check(&stored->text, err);
    for (size_t i = 0; i < count && rc == CS_OK; i++) {
        if (!is_long(campaigns, entries[i]))
            continue;
        entries[i] = cs_view_sub(cs_buf_view(&stored->text), from, ends[at] - from);
        from = ends[at++];
    }
    free(ends);
    return rc;
}

enum cs_code cs_long_entries_store(const struct cs_campaigns *campaigns,
                                   const struct cs_call *call, struct cs_view id,
                                   struct cs_view *entries, size_t count,
                                   struct cs_long_entries *out, struct cs_err *err)
{
    struct putting putting = {.count = 0};
    bool any = false;
    enum cs_code rc;

    *out = CS_LONG_ENTRIES_NONE;
    for (size_t i = 0; i < count && !any; i++)
        any = is_long(campaigns, entries[i]);
    if (!any)
        return CS_OK;
    rc = prepare(&putting, campaigns, id, entries, count, err);
    if (rc == CS_OK) {
        out->objects = calloc(putting.count, sizeof(*out->objects));
        rc = out->objects != NULL ? CS_OK : cs_err_nomem(err);
    }
    if (rc == CS_OK)
        rc = campaigns->store->ops->put(campaigns->store, putting.sources, putting.count,
                                        out->objects, call->deadline, err);
    if (rc == CS_OK) {
        out->count = putting.count;
        rc = point_to_stubs(campaigns, entries, count, out, err);
    }
    putting_clear(&putting);
    return rc;
}

void cs_long_entries_discard(const struct cs_campaigns *campaigns,
                             const struct cs_long_entries *entries,
                             struct cs_deadline deadline)
{
    for (size_t i = 0; i < entries->count; i++)
        cs_artifact_discard(campaigns, cs_view_cstr(entries->objects[i].key),
                            cs_view_cstr(entries->objects[i].version), deadline);
}

void cs_long_entries_clear(struct cs_long_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        cs_object_clear(&entries->objects[i]);
    free(entries->objects);
    cs_buf_clear(&entries->text);
    *entries = CS_LONG_ENTRIES_NONE;
}

/* ---- reading ---- */

static bool is_stub(struct cs_view entry)
{
    return cs_json_kind(entry) == '[';
}

/* Bytes of the entry as it was sent. */
static uint64_t size_of(const struct cs_json *stub)
{
    int64_t size = 0;

    return cs_json_integer(cs_json_at(stub, 2), &size) && size > 0 ? (uint64_t)size : 0;
}

static struct cs_artifact artifact_of(const struct cs_json *stub)
{
    return (struct cs_artifact){.key = cs_json_string(cs_json_at(stub, 0)),
                                .version = cs_json_string(cs_json_at(stub, 1)),
                                .size = size_of(stub),
                                .sha256 = cs_json_string(cs_json_at(stub, 3)),
                                .bucket = cs_json_string(cs_json_at(stub, 4))};
}

struct expanding {
    const struct cs_campaigns *campaigns;
    struct cs_deadline deadline;
    struct cs_err *err;
    enum cs_code rc;
    /* the plan: the entries that fit */
    size_t max;
    uint64_t bytes;
    size_t taken;
    struct cs_json **stubs; /* of the long ones among them */
    size_t count, room;
    /* carried out */
    struct cs_buf *out;
    size_t entry, stub;                  /* the next */
    struct cs_buf fetched[CS_FETCH_MAX]; /* those of a round */
};

static struct expanding expanding(const struct cs_campaigns *campaigns, size_t max,
                                  struct cs_deadline deadline, struct cs_err *err)
{
    struct expanding e = {.campaigns = campaigns,
                          .deadline = deadline,
                          .err = err,
                          .rc = CS_OK,
                          .max = max};

    for (size_t i = 0; i < CS_FETCH_MAX; i++)
        cs_buf_init(&e.fetched[i], FETCHED_MAX);
    return e;
}

static void expanding_clear(struct expanding *e)
{
    for (size_t i = 0; i < e->count; i++)
        cs_json_free(e->stubs[i]);
    free(e->stubs);
    for (size_t i = 0; i < CS_FETCH_MAX; i++)
        cs_buf_clear(&e->fetched[i]);
}

static enum cs_code keep_stub(struct expanding *e, struct cs_json *stub)
{
    if (e->count == e->room) {
        size_t room = e->room == 0 ? 16 : e->room * 2;
        struct cs_json **grown = reallocarray(e->stubs, room, sizeof(struct cs_json *));

        if (grown == NULL)
            return cs_err_nomem(e->err);
        e->stubs = grown;
        e->room = room;
    }
    e->stubs[e->count++] = stub;
    return CS_OK;
}

static bool plan_entry(void *payload, struct cs_view entry)
{
    struct expanding *e = payload;
    struct cs_json *stub = NULL;
    uint64_t size = entry.len;

    if (is_stub(entry) && (e->rc = cs_json_parse(&stub, entry, NULL, e->err)) == CS_OK)
        size = size_of(stub);
    if (e->rc != CS_OK || (e->taken > 0 && e->bytes + size > e->max) ||
        (stub != NULL && (e->rc = keep_stub(e, stub)) != CS_OK)) {
        cs_json_free(stub);
        return false;
    }
    e->bytes += size;
    e->taken++;
    return true;
}

static enum cs_code check_digest(const struct cs_artifact *artifact, struct cs_view bytes,
                                 struct cs_err *err)
{
    uint8_t digest[CS_SHA256_LEN];
    char hex[CS_SHA256_HEX_LEN + 1];
    enum cs_code rc = cs_sha256_of(digest, bytes, err);

    if (rc != CS_OK)
        return rc;
    cs_sha256_hex(hex, digest);
    return cs_view_eq_cstr(artifact->sha256, hex) ? CS_OK : CS_ENOTFOUND;
}

/* Side by side what lies in one bucket. */
static enum cs_code fetch_all(struct expanding *e, const struct cs_object_name *names,
                              const struct cs_view *buckets, size_t count,
                              struct cs_err *err)
{
    enum cs_code rc = CS_OK;
    size_t run;

    for (size_t i = 0; i < count && rc == CS_OK; i += run) {
        struct cs_store *store = cs_store_in_bucket(e->campaigns->store, buckets[i], err);

        for (run = 1; i + run < count && cs_view_eq(buckets[i + run], buckets[i]);)
            run++;
        rc = store == NULL ? CS_EUPSTREAM
                           : store->ops->fetch(store, names + i, run, e->fetched + i,
                                               e->deadline, err);
    }
    return rc;
}

/* From e->stub on. */
static enum cs_code fetch_round(struct expanding *e)
{
    struct cs_object_name names[CS_FETCH_MAX];
    struct cs_view buckets[CS_FETCH_MAX];
    struct cs_err why = CS_ERR_NONE;
    size_t count = 0;
    enum cs_code rc;

    for (; count < CS_FETCH_MAX && e->stub + count < e->count; count++) {
        const struct cs_artifact artifact = artifact_of(e->stubs[e->stub + count]);

        names[count] = (struct cs_object_name){artifact.key, artifact.version};
        buckets[count] = artifact.bucket;
        cs_buf_reset(&e->fetched[count]);
    }
    rc = fetch_all(e, names, buckets, count, &why);
    for (size_t i = 0; i < count && rc == CS_OK; i++) {
        const struct cs_artifact artifact = artifact_of(e->stubs[e->stub + i]);

        if ((rc = cs_buf_check(&e->fetched[i], &why)) == CS_OK)
            rc = check_digest(&artifact, cs_buf_view(&e->fetched[i]), &why);
        if (rc == CS_ENOTFOUND)
            why.text[0] = '\0';
    }
    if (rc == CS_ENOTFOUND)
        return cs_err_set(e->err, CS_EUPSTREAM,
                          "an object of a long interaction is missing or damaged; "
                          "campaignctl fsck --bytes tells which");
    if (rc != CS_OK && e->err != NULL && e->err->code == CS_OK)
        *e->err = why;
    return rc;
}

static bool expand_entry(void *payload, struct cs_view entry)
{
    struct expanding *e = payload;

    if (e->entry == e->taken)
        return false;
    if (e->entry++ > 0)
        cs_buf_add_byte(e->out, ',');
    if (!is_stub(entry)) {
        cs_buf_add(e->out, entry);
        return true;
    }
    if (e->stub % CS_FETCH_MAX == 0 && (e->rc = fetch_round(e)) != CS_OK)
        return false;
    cs_buf_add(e->out, cs_buf_view(&e->fetched[e->stub % CS_FETCH_MAX]));
    e->stub++;
    return true;
}

static enum cs_code carry_out(struct expanding *e, struct cs_view array,
                              struct cs_buf *out)
{
    e->out = out;
    cs_buf_add_byte(out, '[');
    cs_json_each_element(array, expand_entry, e);
    cs_buf_add_byte(out, ']');
    return e->rc != CS_OK ? e->rc : cs_buf_check(out, e->err);
}

enum cs_code cs_long_entries_expand(const struct cs_campaigns *campaigns,
                                    struct cs_view array, size_t max, struct cs_buf *out,
                                    size_t *taken_out, struct cs_deadline deadline,
                                    struct cs_err *err)
{
    struct expanding e = expanding(campaigns, max, deadline, err);
    enum cs_code rc;

    cs_json_each_element(array, plan_entry, &e);
    *taken_out = e.taken;
    rc = e.rc != CS_OK ? e.rc : carry_out(&e, array, out);
    expanding_clear(&e);
    return rc;
}

struct shortening {
    const struct cs_campaigns *campaigns;
    struct cs_buf *out;
    bool begun;
};

static bool shorten_entry(void *payload, struct cs_view entry)
{
    static const char *const shown[] = {"agent", "action", "status", "timestamp"};
    struct shortening *s = payload;
    struct cs_json_writer w;

    if (s->begun)
        cs_buf_add_byte(s->out, ',');
    s->begun = true;
    if (!is_long(s->campaigns, entry)) {
        cs_buf_add(s->out, entry);
        return true;
    }
    cs_json_writer_init(&w, s->out);
    cs_json_object(&w);
    for (size_t i = 0; i < CS_COUNT(shown); i++) {
        struct cs_view value = cs_json_slice(entry, shown[i]);

        if (value.ptr != NULL)
            cs_json_member_raw(&w, shown[i], value);
    }
    cs_json_object_end(&w);
    return true;
}

enum cs_code cs_long_entries_shorten(const struct cs_campaigns *campaigns,
                                     struct cs_view array, struct cs_buf *out,
                                     struct cs_err *err)
{
    struct shortening s = {campaigns, out, false};

    cs_buf_add_byte(out, '[');
    cs_json_each_element(array, shorten_entry, &s);
    cs_buf_add_byte(out, ']');
    return cs_buf_check(out, err);
}

static bool note_stub(void *payload, struct cs_view entry)
{
    bool *any = payload;

    *any = is_stub(entry);
    return !*any;
}

/* Those that fit, as they were sent; *fit_out is how many. Nothing is fetched for a page
 * that has to be asked for again. */
static enum cs_code expand_page(const struct cs_campaigns *campaigns,
                                struct cs_log_page *page, size_t *fit_out,
                                struct cs_deadline deadline, struct cs_err *err)
{
    struct cs_buf whole = CS_BUF_INIT(2 * CS_LOG_PAGE_BYTES + CS_LOG_ENTRY_MAX);
    struct expanding e = expanding(campaigns, CS_LOG_PAGE_BYTES, deadline, err);
    struct cs_view array = cs_buf_view(&page->json);
    bool any = false;
    enum cs_code rc = CS_OK;

    *fit_out = page->count;
    cs_json_each_element(array, note_stub, &any);
    if (!any)
        return CS_OK;
    cs_json_each_element(array, plan_entry, &e);
    *fit_out = e.taken;
    rc = e.rc;
    if (rc == CS_OK && e.taken == page->count) {
        rc = carry_out(&e, array, &whole);
        cs_buf_clear(&page->json);
        page->json = whole;
    }
    expanding_clear(&e);
    return rc;
}

/* The log knows where it may be read on from for its own pages alone: what does not fit
 * is asked for once more, with fewer entries. */
enum cs_code cs_long_entries_page(const struct cs_campaigns *campaigns, struct cs_view id,
                                  struct cs_view after, size_t limit,
                                  struct cs_log_page *out, struct cs_deadline deadline,
                                  struct cs_err *err)
{
    size_t fit = 0;
    enum cs_code rc;

    for (;;) {
        rc = campaigns->store->ops->log_read(campaigns->store, id, after, limit, out,
                                             deadline, err);
        if (rc != CS_OK)
            return rc;
        rc = expand_page(campaigns, out, &fit, deadline, err);
        if (rc == CS_OK && fit == out->count)
            return CS_OK;
        cs_log_page_clear(out);
        if (rc != CS_OK)
            return rc;
        limit = fit;
    }
}

/* ---- going through them ---- */

struct visiting {
    cs_long_entry_fn *callback;
    void *payload;
    bool stopped;
    struct cs_err *err;
    enum cs_code rc;
};

static bool visit_entry(void *payload, struct cs_view entry)
{
    struct visiting *v = payload;
    struct cs_artifact artifact;
    struct cs_json *stub;

    if (!is_stub(entry))
        return true;
    if ((v->rc = cs_json_parse(&stub, entry, NULL, v->err)) != CS_OK)
        return false;
    artifact = artifact_of(stub);
    v->stopped = !v->callback(v->payload, &artifact);
    cs_json_free(stub);
    return !v->stopped;
}

enum cs_code cs_long_entries_each(const struct cs_campaigns *campaigns, struct cs_view id,
                                  cs_long_entry_fn *callback, void *payload,
                                  struct cs_deadline deadline, struct cs_err *err)
{
    struct visiting v = {callback, payload, false, err, CS_OK};
    char *after = NULL;
    bool more = true;

    while (v.rc == CS_OK && more && !v.stopped) {
        struct cs_log_page page;

        v.rc = campaigns->store->ops->log_read(campaigns->store, id, cs_view_cstr(after),
                                               CS_LIST_LIMIT_MAX, &page, deadline, err);
        if (v.rc != CS_OK)
            break;
        cs_json_each_element(cs_buf_view(&page.json), visit_entry, &v);
        free(after);
        after = page.last_position;
        page.last_position = NULL;
        more = page.more;
        cs_log_page_clear(&page);
    }
    free(after);
    return v.rc;
}
