/* Counters set right while others commit. DynamoDB has no view of a whole table at one
 * moment, so a round is: look at all counters, count all records, look at all counters
 * again. A group that nobody touched in between has records that stood still, too; what
 * it lacks is then added, in an update that fails when somebody came after all. It is
 * added, not set, so no commit is ever lost. Groups that were touched wait for the next
 * round. */
#include "config.h"

#include <poll.h>
#include <stdlib.h>

#include "store/aws_internal.h"

#define ROUNDS_MAX 6
#define PAUSE_MS   200 /* between the first two rounds; then twice that, and so on */
#define NAMES_MAX  20u /* in one update */

/* One item of counters, as it was seen. */
struct shard {
    char *group;
    uint64_t number;
    uint64_t print;  /* of names and values, whatever their order */
    int64_t changes; /* -1: from before these were counted */
};

struct shards {
    struct shard *items; /* sorted by group and number, once all are there */
    size_t count, room;
};

struct tally { /* of one group and name */
    char *group;
    char *name;
    int64_t counted; /* in the records */
    int64_t kept;    /* in the counters */
};

struct recount {
    struct cs_aws_store *store;
    cs_recount_fn *deltas_of;
    void *payload;
    struct cs_deadline deadline;
    struct tally *tallies; /* sorted by group and name */
    size_t count, room;
    struct shards before, after;
    struct shards *target; /* of the look that is going on */
    size_t busy;           /* groups that have to wait */
};

static void shards_clear(struct shards *shards)
{
    for (size_t i = 0; i < shards->count; i++)
        free(shards->items[i].group);
    free(shards->items);
    *shards = (struct shards){NULL, 0, 0};
}

static void recount_clear(struct recount *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->tallies[i].group);
        free(r->tallies[i].name);
    }
    free(r->tallies);
    r->tallies = NULL;
    r->count = r->room = r->busy = 0;
    shards_clear(&r->before);
    shards_clear(&r->after);
}

/* ---- tallies ---- */

/* Index of the first tally that is not before (group, name). */
static size_t place_of(const struct recount *r, struct cs_view group, struct cs_view name,
                       bool *found_out)
{
    size_t low = 0;
    size_t high = r->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = cs_view_compare(cs_view_cstr(r->tallies[middle].group), group);

        if (order == 0)
            order = cs_view_compare(cs_view_cstr(r->tallies[middle].name), name);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found_out = low < r->count && cs_view_eq_cstr(group, r->tallies[low].group) &&
                 cs_view_eq_cstr(name, r->tallies[low].name);
    return low;
}

/* *out is valid until the next one is found. */
static enum cs_code find_tally(struct recount *r, struct cs_view group,
                               struct cs_view name, struct tally **out,
                               struct cs_err *err)
{
    struct tally fresh = {NULL, NULL, 0, 0};
    bool found;
    size_t at = place_of(r, group, name, &found);

    *out = NULL;
    if (found) {
        *out = &r->tallies[at];
        return CS_OK;
    }
    if (r->count == r->room) {
        size_t room = r->room == 0 ? 64 : r->room * 2;
        struct tally *grown = reallocarray(r->tallies, room, sizeof(*grown));

        if (grown == NULL)
            return cs_err_nomem(err);
        r->tallies = grown;
        r->room = room;
    }
    fresh.group = cs_view_dup(group);
    fresh.name = cs_view_dup(name);
    if (fresh.group == NULL || fresh.name == NULL) {
        free(fresh.group);
        free(fresh.name);
        return cs_err_nomem(err);
    }
    memmove(r->tallies + at + 1, r->tallies + at, (r->count - at) * sizeof(fresh));
    r->tallies[at] = fresh;
    r->count++;
    *out = &r->tallies[at];
    return CS_OK;
}

static enum cs_code add_up(int64_t *sum, int64_t add, struct cs_err *err)
{
    return __builtin_add_overflow(*sum, add, sum)
               ? cs_err_set(err, CS_ETOOBIG, "a counter can't hold the sum")
               : CS_OK;
}

/* ---- looking ---- */

typedef enum cs_code item_fn(struct recount *r, const struct cs_json *item,
                             struct cs_err *err);

static enum cs_code scan_page(struct recount *r, bool counters, item_fn *use,
                              struct cs_buf *start, struct cs_err *err)
{
    const struct cs_json *items;
    const struct cs_json *last;
    struct cs_json_writer w;
    struct cs_json *answer;
    enum cs_code rc;

    cs_aws_store_begin(r->store, &w, true);
    cs_json_member_bool(&w, "ConsistentRead", true);
    if (counters) {
        cs_json_member_cstr(&w, "FilterExpression", "begins_with(campaign_id, :prefix)");
        cs_json_key(&w, "ExpressionAttributeValues");
        cs_json_object(&w);
        cs_item_add_text(&w, ":prefix", CS_LIT(CS_AWS_COUNTERS));
        cs_json_object_end(&w);
    }
    if (start->len > 0)
        cs_json_member_raw(&w, "ExclusiveStartKey", cs_buf_view(start));
    cs_json_object_end(&w);
    if ((rc = cs_aws_store_call(r->store, "Scan", &answer, r->deadline, err)) != CS_OK)
        return rc == CS_ENOTFOUND ? CS_EUPSTREAM : rc;
    items = cs_json_get(answer, "Items");
    for (size_t i = 0; i < cs_json_length(items) && rc == CS_OK; i++)
        rc = use(r, cs_json_at(items, i), err);
    cs_buf_reset(start);
    last = cs_json_get(answer, "LastEvaluatedKey");
    if (last != NULL)
        cs_json_write_node(start, last);
    cs_json_free(answer);
    return rc == CS_OK ? cs_buf_check(start, err) : rc;
}

static enum cs_code scan(struct recount *r, bool counters, item_fn *use,
                         struct cs_err *err)
{
    struct cs_buf start = CS_BUF_INIT(8192);
    enum cs_code rc;

    do {
        rc = scan_page(r, counters, use, &start, err);
    } while (rc == CS_OK && start.len > 0);
    cs_buf_clear(&start);
    return rc;
}

static uint64_t hash(uint64_t start, struct cs_view text)
{
    for (size_t i = 0; i < text.len; i++)
        start = (start ^ (unsigned char)text.ptr[i]) * 1099511628211u;
    return start;
}

/* The values of a shard, into its print; and into the tallies at the first look. */
static enum cs_code take_values(struct recount *r, const struct cs_json *item,
                                struct shard *shard, struct cs_err *err)
{
    static const struct cs_view prefix = CS_LIT_INIT(CS_AWS_COUNTER_PREFIX);
    bool counts =
        r->target == &r->before && shard->number < (uint64_t)r->store->counter_shards;
    struct cs_json_iter iter = {0};
    enum cs_code rc = CS_OK;

    while (rc == CS_OK && cs_json_next(&iter, item)) {
        struct tally *tally;
        struct cs_view text = cs_json_get_string(iter.value, "N");
        int64_t value;
        char *name;

        if (!cs_view_starts(iter.name, prefix))
            continue;
        shard->print += hash(hash(14695981039346656037u, iter.name), text);
        if (!counts)
            continue;
        if ((name = cs_view_dup(iter.name)) == NULL)
            return cs_err_nomem(err);
        if (cs_item_integer(item, name, &value) &&
            (rc = find_tally(r, cs_view_cstr(shard->group),
                             cs_view_from(iter.name, prefix.len), &tally, err)) == CS_OK)
            rc = add_up(&tally->kept, value, err);
        free(name);
    }
    return rc;
}

/* "#store/counters/<number>/<group>" */
static enum cs_code take_shard(struct recount *r, const struct cs_json *item,
                               struct cs_err *err)
{
    struct cs_view key =
        cs_view_from(cs_item_text(item, "campaign_id"), sizeof(CS_AWS_COUNTERS) - 1);
    size_t slash = cs_view_find_byte(key, '/');
    struct shards *shards = r->target;
    struct shard shard = {.changes = -1};
    enum cs_code rc;

    if (slash == SIZE_MAX || !cs_view_to_u64(cs_view_sub(key, 0, slash), &shard.number))
        return CS_OK;
    if (shards->count == shards->room) {
        size_t room = shards->room == 0 ? 64 : shards->room * 2;
        struct shard *grown = reallocarray(shards->items, room, sizeof(*grown));

        if (grown == NULL)
            return cs_err_nomem(err);
        shards->items = grown;
        shards->room = room;
    }
    if (!cs_item_integer(item, "changes", &shard.changes))
        shard.changes = -1;
    if ((shard.group = cs_view_dup(cs_view_from(key, slash + 1))) == NULL)
        return cs_err_nomem(err);
    rc = take_values(r, item, &shard, err);
    shards->items[shards->count++] = shard;
    return rc;
}

static int compare_shards(const void *left, const void *right)
{
    const struct shard *a = left;
    const struct shard *b = right;
    int order = strcmp(a->group, b->group);

    if (order != 0)
        return order;
    return a->number < b->number ? -1 : a->number > b->number;
}

static enum cs_code look(struct recount *r, struct shards *out, struct cs_err *err)
{
    enum cs_code rc;

    r->target = out;
    rc = scan(r, true, take_shard, err);
    if (out->count > 1)
        qsort(out->items, out->count, sizeof(*out->items), compare_shards);
    return rc;
}

static enum cs_code count_item(struct recount *r, const struct cs_json *item,
                               struct cs_err *err)
{
    struct cs_delta deltas[CS_RECOUNT_DELTAS];
    struct cs_record *record;
    size_t count;
    enum cs_code rc;

    if (cs_aws_item_is_internal(cs_item_text(item, "campaign_id")))
        return CS_OK;
    if ((rc = cs_aws_item_read(&record, item, err)) != CS_OK)
        return rc;
    count = r->deltas_of(r->payload, record, deltas);
    for (size_t i = 0; i < count && rc == CS_OK; i++) {
        struct tally *tally;

        if ((rc = find_tally(r, deltas[i].group, deltas[i].name, &tally, err)) == CS_OK)
            rc = add_up(&tally->counted, deltas[i].add, err);
    }
    cs_record_free(record);
    return rc;
}

/* ---- setting right ---- */

/* The shards of one group: returns how many, *first_out the first. */
static size_t shards_of(const struct shards *shards, const char *group, size_t *first_out)
{
    size_t low = 0;
    size_t high = shards->count;
    size_t end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(shards->items[middle].group, group) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < shards->count && strcmp(shards->items[end].group, group) == 0;)
        end++;
    *first_out = low;
    return end - low;
}

static bool is_quiet(const struct recount *r, const char *group)
{
    size_t was;
    size_t is;
    size_t count = shards_of(&r->before, group, &was);

    if (shards_of(&r->after, group, &is) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct shard *a = &r->before.items[was + i];
        const struct shard *b = &r->after.items[is + i];

        if (a->number != b->number || a->print != b->print || a->changes != b->changes)
            return false;
    }
    return true;
}

/* An update or a deletion that is done only where nobody changed the shard since it was
 * seen; *done_out false where somebody did. (Repeated after a lost answer it finds its
 * own change, and the next round finds that nothing is left to do.) */
static enum cs_code send_if_unchanged(struct recount *r, const char *operation,
                                      struct cs_json_writer *w, int64_t changes,
                                      bool *done_out, struct cs_err *err)
{
    struct cs_err why = CS_ERR_NONE;
    enum cs_code rc;

    cs_json_member_cstr(w, "ConditionExpression",
                        changes < 0 ? "attribute_not_exists(changes)"
                                    : "changes = :seen");
    cs_json_object_end(w);
    rc = cs_aws_store_call(r->store, operation, NULL, r->deadline, &why);
    *done_out = rc == CS_OK;
    if (rc == CS_OK || cs_aws_error_is(cs_dynamodb_error(r->store->db),
                                       "ConditionalCheckFailedException"))
        return CS_OK;
    cs_err_hand_on(err, &why);
    return rc == CS_ENOTFOUND ? CS_EUPSTREAM : rc;
}

/* What failed to be written makes the whole request fail. */
static void pass_on(struct cs_json_writer *w, const struct cs_buf *part)
{
    if (part->failed != CS_OK)
        w->out->failed = part->failed;
}

static void add_name(struct cs_json_writer *w, size_t index, const struct tally *tally)
{
    struct cs_buf key = CS_BUF_INIT(32);
    struct cs_buf name = CS_BUF_INIT(1024);

    cs_buf_add_fmt(&key, "#n%zu", index);
    cs_buf_add_cstr(&name, CS_AWS_COUNTER_PREFIX);
    cs_buf_add_cstr(&name, tally->name);
    cs_json_member_str(w, cs_buf_cstr(&key), cs_buf_view(&name));
    pass_on(w, &key);
    pass_on(w, &name);
    cs_buf_clear(&key);
    cs_buf_clear(&name);
}

static void add_value(struct cs_json_writer *w, size_t index, int64_t value)
{
    struct cs_buf key = CS_BUF_INIT(32);

    cs_buf_add_fmt(&key, ":a%zu", index);
    cs_item_add_integer(w, cs_buf_cstr(&key), value);
    pass_on(w, &key);
    cs_buf_clear(&key);
}

/* Adds to the first shard of the group what some of its names lack. */
static enum cs_code add_missing(struct recount *r, const struct tally *const *wrong,
                                size_t count, int64_t changes, bool *done_out,
                                struct cs_err *err)
{
    struct cs_buf key = CS_BUF_INIT(2048);
    struct cs_buf update = CS_BUF_INIT(4096);
    struct cs_json_writer w;
    enum cs_code rc;

    cs_aws_counters_key(&key, 0, cs_view_cstr(wrong[0]->group));
    cs_aws_store_begin(r->store, &w, true);
    cs_aws_store_add_key(&w, cs_aws_key_view(&key));
    cs_buf_add_cstr(&update, "ADD changes :one");
    for (size_t i = 0; i < count; i++)
        cs_buf_add_fmt(&update, ", #n%zu :a%zu", i, i);
    cs_json_member_str(&w, "UpdateExpression", cs_buf_view(&update));
    cs_json_key(&w, "ExpressionAttributeNames");
    cs_json_object(&w);
    for (size_t i = 0; i < count; i++)
        add_name(&w, i, wrong[i]);
    cs_json_object_end(&w);
    cs_json_key(&w, "ExpressionAttributeValues");
    cs_json_object(&w);
    for (size_t i = 0; i < count; i++)
        add_value(&w, i, wrong[i]->counted - wrong[i]->kept);
    cs_item_add_integer(&w, ":one", 1);
    if (changes >= 0)
        cs_item_add_integer(&w, ":seen", changes);
    cs_json_object_end(&w);
    if ((rc = cs_buf_check(&key, err)) == CS_OK &&
        (rc = cs_buf_check(&update, err)) == CS_OK)
        rc = send_if_unchanged(r, "UpdateItem", &w, changes, done_out, err);
    cs_buf_clear(&key);
    cs_buf_clear(&update);
    return rc;
}

/* Tallies from `at` to `end` are of one group that stood still. */
static enum cs_code correct(struct recount *r, size_t at, size_t end, struct cs_err *err)
{
    const struct tally *wrong[NAMES_MAX];
    size_t first;
    size_t shards = shards_of(&r->after, r->tallies[at].group, &first);
    int64_t changes = -1;
    bool done = true;
    enum cs_code rc = CS_OK;

    if (shards > 0 && r->after.items[first].number == 0)
        changes = r->after.items[first].changes;
    while (at < end && rc == CS_OK && done) {
        size_t count = 0;

        for (; at < end && count < NAMES_MAX; at++) {
            int64_t lacks;

            if (__builtin_sub_overflow(r->tallies[at].counted, r->tallies[at].kept,
                                       &lacks))
                return cs_err_set(err, CS_ETOOBIG, "a counter can't hold the sum");
            if (lacks != 0)
                wrong[count++] = &r->tallies[at];
        }
        if (count > 0)
            rc = add_missing(r, wrong, count, changes, &done, err);
        if (count > 0)
            changes = changes < 0 ? 1 : changes + 1;
    }
    r->busy += done ? 0 : 1;
    return rc;
}

/* Shards that the present number leaves out are read by nobody; they go, so that they
 * are not there when it is raised again. */
static enum cs_code drop_unused(struct recount *r, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < r->after.count && rc == CS_OK; i++) {
        const struct shard *shard = &r->after.items[i];
        struct cs_buf key = CS_BUF_INIT(2048);
        struct cs_json_writer w;
        bool done;

        if (shard->number < (uint64_t)r->store->counter_shards)
            continue;
        cs_aws_counters_key(&key, (size_t)shard->number, cs_view_cstr(shard->group));
        cs_aws_store_begin(r->store, &w, true);
        cs_aws_store_add_key(&w, cs_aws_key_view(&key));
        if (shard->changes >= 0) {
            cs_json_key(&w, "ExpressionAttributeValues");
            cs_json_object(&w);
            cs_item_add_integer(&w, ":seen", shard->changes);
            cs_json_object_end(&w);
        }
        if ((rc = cs_buf_check(&key, err)) == CS_OK)
            rc = send_if_unchanged(r, "DeleteItem", &w, shard->changes, &done, err);
        cs_buf_clear(&key);
    }
    return rc;
}

static enum cs_code correct_all(struct recount *r, struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t at = 0, end; at < r->count && rc == CS_OK; at = end) {
        for (end = at + 1;
             end < r->count && strcmp(r->tallies[end].group, r->tallies[at].group) == 0;)
            end++;
        if (is_quiet(r, r->tallies[at].group))
            rc = correct(r, at, end, err);
        else
            r->busy++;
    }
    return rc == CS_OK ? drop_unused(r, err) : rc;
}

enum cs_code cs_aws_store_recount(struct cs_store *base, cs_recount_fn *deltas_of,
                                  void *payload, struct cs_deadline deadline,
                                  struct cs_err *err)
{
    struct recount r = {.store = cs_aws_store_of(base),
                        .deltas_of = deltas_of,
                        .payload = payload,
                        .deadline = deadline};
    int wait_ms = PAUSE_MS;
    enum cs_code rc = cs_aws_store_open(r.store, err);

    for (int round = 1; rc == CS_OK; round++) {
        if ((rc = look(&r, &r.before, err)) == CS_OK &&
            (rc = scan(&r, false, count_item, err)) == CS_OK &&
            (rc = look(&r, &r.after, err)) == CS_OK)
            rc = correct_all(&r, err);
        if (rc != CS_OK || r.busy == 0)
            break;
        if (round == ROUNDS_MAX || cs_deadline_left_ms(deadline) <= wait_ms) {
            rc = cs_err_set(err, CS_EBUSY,
                            "%zu groups of counters were changed all the while and are "
                            "left as they are: run it again when less is written",
                            r.busy);
            break;
        }
        recount_clear(&r);
        (void)poll(NULL, 0, wait_ms);
        wait_ms *= 2;
    }
    recount_clear(&r);
    return rc;
}
