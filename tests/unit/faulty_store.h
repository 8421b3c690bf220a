/* tests/unit/faulty_store.h: a store whose calls fail when a test wants them to. */
#ifndef CS_TESTS_FAULTY_STORE_H
#define CS_TESTS_FAULTY_STORE_H

#include "store/store.h"

/* A store before which calls can be made to fail: the next `fail_at`-th call of
 * the kinds that change something, or an answer that is lost after the deed. */
struct faulty_store {
    struct cs_store store; /* first: is a store itself */
    struct cs_store_ops ops;
    struct cs_store *inner;
    size_t calls;
    size_t fail_at; /* 0: never; counted from 1 */
    bool lose_answer;
    enum cs_code answer; /* of a commit that fails; CS_OK: CS_EUPSTREAM */
    bool every_commit;   /* fails, whatever fail_at says */
    void (*before_commit)(void *payload); /* called once, if not NULL */
    void *payload;
};

static bool fails_now(struct cs_store *store)
{
    struct faulty_store *faulty = (struct faulty_store *)store;

    return ++faulty->calls == faulty->fail_at;
}

static enum cs_code faulty_commit(struct cs_store *store,
                                  const struct cs_transaction *transaction,
                                  struct cs_deadline deadline, struct cs_err *err)
{
    struct faulty_store *faulty = (struct faulty_store *)store;
    bool fails = fails_now(store) || faulty->every_commit;
    void (*before)(void *payload) = faulty->before_commit;
    enum cs_code rc = CS_OK;

    faulty->before_commit = NULL;
    if (before != NULL)
        before(faulty->payload);
    if (!fails || faulty->lose_answer)
        rc = faulty->inner->ops->commit(faulty->inner, transaction, deadline, err);
    if (!fails)
        return rc;
    cs_err_clear(err);
    return cs_err_set(err, faulty->answer != CS_OK ? faulty->answer : CS_EUPSTREAM,
                      "injected");
}

static enum cs_code faulty_put(struct cs_store *store,
                               const struct cs_object_source *sources, size_t count,
                               struct cs_object *outs, struct cs_deadline deadline,
                               struct cs_err *err)
{
    struct faulty_store *faulty = (struct faulty_store *)store;

    if (fails_now(store)) {
        /* All but the last arrive, and nobody is told. */
        if (count > 1 && faulty->inner->ops->put(faulty->inner, sources, count - 1, outs,
                                                 deadline, err) == CS_OK)
            for (size_t i = 0; i + 1 < count; i++)
                cs_object_clear(&outs[i]);
        return cs_err_set(err, CS_EUPSTREAM, "injected");
    }
    return faulty->inner->ops->put(faulty->inner, sources, count, outs, deadline, err);
}

static enum cs_code faulty_delete_prefix(struct cs_store *store, struct cs_view prefix,
                                         struct cs_delete_report *out,
                                         struct cs_deadline deadline, struct cs_err *err)
{
    struct faulty_store *faulty = (struct faulty_store *)store;

    if (fails_now(store))
        return cs_err_set(err, CS_EUPSTREAM, "injected");
    return faulty->inner->ops->delete_prefix(faulty->inner, prefix, out, deadline, err);
}

static enum cs_code faulty_delete_folder(struct cs_store *store, struct cs_view prefix,
                                         const struct cs_object_entry *known,
                                         size_t count, struct cs_delete_report *out,
                                         struct cs_deadline deadline, struct cs_err *err)
{
    struct faulty_store *faulty = (struct faulty_store *)store;

    if (fails_now(store))
        return cs_err_set(err, CS_EUPSTREAM, "injected");
    return faulty->inner->ops->delete_folder(faulty->inner, prefix, known, count, out,
                                             deadline, err);
}

static enum cs_code faulty_erase(struct cs_store *store,
                                 const struct cs_transaction *transaction,
                                 uint64_t *deleted_out, struct cs_deadline deadline,
                                 struct cs_err *err)
{
    struct faulty_store *faulty = (struct faulty_store *)store;
    bool fails = fails_now(store);
    enum cs_code rc = CS_OK;

    *deleted_out = 0;
    if (!fails || faulty->lose_answer)
        rc = faulty->inner->ops->erase(faulty->inner, transaction, deleted_out, deadline,
                                       err);
    return fails ? cs_err_set(err, CS_EUPSTREAM, "injected") : rc;
}

/* The calls that are only passed on. */
#define INNER(store) (((struct faulty_store *)(store))->inner)

static enum cs_code pass_get(struct cs_store *store, struct cs_view key,
                             struct cs_record **out, struct cs_deadline deadline,
                             struct cs_err *err)
{
    return INNER(store)->ops->get(INNER(store), key, out, deadline, err);
}
static enum cs_code pass_list(struct cs_store *store, const struct cs_list_query *query,
                              struct cs_record_page *out, struct cs_deadline deadline,
                              struct cs_err *err)
{
    return INNER(store)->ops->list(INNER(store), query, out, deadline, err);
}
static enum cs_code pass_log_append(struct cs_store *store, struct cs_view key,
                                    const struct cs_view *entries, size_t count,
                                    struct cs_view dedupe, struct cs_deadline deadline,
                                    struct cs_err *err)
{
    return INNER(store)->ops->log_append(INNER(store), key, entries, count, dedupe,
                                         deadline, err);
}
static enum cs_code pass_log_read(struct cs_store *store, struct cs_view key,
                                  struct cs_view after, size_t limit,
                                  struct cs_log_page *out, struct cs_deadline deadline,
                                  struct cs_err *err)
{
    return INNER(store)->ops->log_read(INNER(store), key, after, limit, out, deadline,
                                       err);
}
static enum cs_code pass_counters(struct cs_store *store, struct cs_view group,
                                  struct cs_counters *out, struct cs_deadline deadline,
                                  struct cs_err *err)
{
    return INNER(store)->ops->counters(INNER(store), group, out, deadline, err);
}
static enum cs_code pass_recount(struct cs_store *store, cs_recount_fn *deltas_of,
                                 void *payload, struct cs_deadline deadline,
                                 struct cs_err *err)
{
    return INNER(store)->ops->recount(INNER(store), deltas_of, payload, deadline, err);
}
static enum cs_code pass_put_begin(struct cs_store *store,
                                   const struct cs_object_info *info, uint64_t size,
                                   struct cs_object_writer **out,
                                   struct cs_deadline deadline, struct cs_err *err)
{
    return INNER(store)->ops->put_begin(INNER(store), info, size, out, deadline, err);
}
static enum cs_code pass_put_add(struct cs_store *store, struct cs_object_writer *writer,
                                 struct cs_view bytes, struct cs_err *err)
{
    return INNER(store)->ops->put_add(INNER(store), writer, bytes, err);
}
static enum cs_code pass_put_commit(struct cs_store *store,
                                    struct cs_object_writer *writer,
                                    struct cs_object *out, struct cs_err *err)
{
    return INNER(store)->ops->put_commit(INNER(store), writer, out, err);
}
static void pass_put_abort(struct cs_store *store, struct cs_object_writer *writer)
{
    INNER(store)->ops->put_abort(INNER(store), writer);
}
static enum cs_code pass_leftovers(struct cs_store *store, bool repair,
                                   cs_leftover_fn *tell, void *payload,
                                   struct cs_deadline deadline, struct cs_err *err)
{
    return INNER(store)->ops->leftovers(INNER(store), repair, tell, payload, deadline,
                                        err);
}
static enum cs_code pass_open(struct cs_store *store, struct cs_view key,
                              struct cs_view version, const struct cs_byte_range *range,
                              struct cs_object_reader **out, uint64_t *size_out,
                              struct cs_deadline deadline, struct cs_err *err)
{
    return INNER(store)->ops->open(INNER(store), key, version, range, out, size_out,
                                   deadline, err);
}
static enum cs_code pass_read(struct cs_store *store, struct cs_object_reader *reader,
                              char *to, size_t room, size_t *got_out, struct cs_err *err)
{
    return INNER(store)->ops->read(INNER(store), reader, to, room, got_out, err);
}
static void pass_close(struct cs_store *store, struct cs_object_reader *reader)
{
    INNER(store)->ops->close(INNER(store), reader);
}
static enum cs_code pass_each_object(struct cs_store *store, struct cs_view prefix,
                                     cs_object_entry_fn *callback, void *payload,
                                     struct cs_deadline deadline, struct cs_err *err)
{
    return INNER(store)->ops->each_object(INNER(store), prefix, callback, payload,
                                          deadline, err);
}
static enum cs_code pass_delete_version(struct cs_store *store, struct cs_view key,
                                        struct cs_view version,
                                        struct cs_deadline deadline, struct cs_err *err)
{
    return INNER(store)->ops->delete_version(INNER(store), key, version, deadline, err);
}

static const struct cs_store_names *pass_names(const struct cs_store *store)
{
    const struct cs_store *inner = ((const struct faulty_store *)store)->inner;

    return inner->ops->names(inner);
}

static enum cs_code pass_recall(struct cs_store *store, struct cs_view key,
                                struct cs_recall *out, struct cs_err *err)
{
    struct cs_store *inner = ((struct faulty_store *)store)->inner;

    return inner->ops->recall(inner, key, out, err);
}

static const struct cs_store_ops faulty_ops = {
    .names = pass_names,
    .get = pass_get,
    .recall = pass_recall,
    .commit = faulty_commit,
    .list = pass_list,
    .log_append = pass_log_append,
    .log_read = pass_log_read,
    .erase = faulty_erase,
    .counters = pass_counters,
    .recount = pass_recount,
    .put = faulty_put,
    .put_begin = pass_put_begin,
    .put_add = pass_put_add,
    .put_commit = pass_put_commit,
    .put_abort = pass_put_abort,
    .leftovers = pass_leftovers,
    .open = pass_open,
    .fetch = cs_store_fetch_each,
    .read = pass_read,
    .close = pass_close,
    .each_object = pass_each_object,
    .delete_version = pass_delete_version,
    .delete_prefix = faulty_delete_prefix,
    .delete_folder = faulty_delete_folder,
};

#endif
