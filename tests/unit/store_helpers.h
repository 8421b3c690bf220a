/* tests/unit/store_helpers.h: short ways to write and read a store in tests. */
#ifndef CS_TESTS_STORE_HELPERS_H
#define CS_TESTS_STORE_HELPERS_H

#include "store/store.h"
#include "unit.h"

/* Long enough for a loaded machine under valgrind, short enough to notice. */
static inline struct cs_deadline soon(void)
{
    return cs_deadline_in_ms(60000);
}

static inline struct cs_view text(const char *cstr)
{
    return cs_view_cstr(cstr);
}

static inline struct cs_record record_of(const char *key, const char *user_id,
                                         const char *status, const char *created_at)
{
    return (struct cs_record){
        .key = text(key),
        .user_id = text(user_id),
        .status = text(status),
        .created_at = text(created_at),
        .summary = CS_LIT("{\"name\":\"summary\"}"),
        .detail = CS_LIT("{\"brief\":\"detail\"}"),
    };
}

static inline enum cs_code write_one(struct cs_store *store, enum cs_write_kind kind,
                                     const struct cs_record *record, struct cs_err *err)
{
    const struct cs_write write = {kind, record};
    const struct cs_transaction transaction = {&write, 1, NULL, 0};

    return store->ops->commit(store, &transaction, soon(), err);
}

static inline enum cs_code erase_one(struct cs_store *store,
                                     const struct cs_record *record,
                                     uint64_t *deleted_out, struct cs_err *err)
{
    const struct cs_write write = {CS_WRITE_DELETE, record};
    const struct cs_transaction transaction = {&write, 1, NULL, 0};

    return store->ops->erase(store, &transaction, deleted_out, soon(), err);
}

static inline void create(struct cs_store *store, const char *key, const char *user_id,
                          const char *status, const char *created_at)
{
    const struct cs_record record = record_of(key, user_id, status, created_at);

    assert_ok(write_one(store, CS_WRITE_CREATE, &record, err));
}

static inline enum cs_code add_to(struct cs_store *store, const char *group,
                                  const char *name, int64_t add, struct cs_err *err)
{
    const struct cs_delta delta = {text(group), text(name), add};
    const struct cs_transaction transaction = {NULL, 0, &delta, 1};

    return store->ops->commit(store, &transaction, soon(), err);
}

static inline int64_t counter(struct cs_store *store, const char *group, const char *name)
{
    struct cs_counters counters;
    int64_t value;

    assert_ok(store->ops->counters(store, text(group), &counters, soon(), err));
    value = cs_counters_get(&counters, name);
    cs_counters_clear(&counters);
    return value;
}

static inline enum cs_code put_bytes(struct cs_store *store, const char *key,
                                     struct cs_view bytes, struct cs_object *out,
                                     struct cs_err *err)
{
    const struct cs_object_source source = {
        .info = {.key = text(key), .content_type = CS_LIT("text/plain")},
        .bytes = bytes,
        .fd = -1,
    };

    return store->ops->put(store, &source, 1, out, soon(), err);
}

/* Puts a text and forgets where. */
static inline void put_text(struct cs_store *store, const char *key, const char *cstr)
{
    struct cs_object object;

    assert_ok(put_bytes(store, key, text(cstr), &object, err));
    cs_object_clear(&object);
}

/* All bytes of an object into `out`, read in pieces of `piece` bytes. */
static inline enum cs_code read_object(struct cs_store *store, struct cs_view key,
                                       struct cs_view version,
                                       const struct cs_byte_range *range, size_t piece,
                                       struct cs_buf *out, uint64_t *size_out,
                                       struct cs_err *err)
{
    struct cs_object_reader *reader;
    size_t got = 1;
    enum cs_code rc;

    rc = store->ops->open(store, key, version, range, &reader, size_out, soon(), err);
    if (rc != CS_OK) {
        assert_null(reader);
        return rc;
    }
    while (rc == CS_OK && got > 0) {
        char *room = cs_buf_room(out, piece);

        assert_non_null(room);
        rc = store->ops->read(store, reader, room, piece, &got, err);
        cs_buf_grew(out, got);
    }
    store->ops->close(store, reader);
    return rc;
}

static inline void assert_object(struct cs_store *store, const char *key,
                                 const char *version, const char *expected)
{
    struct cs_buf bytes = CS_BUF_INIT(1u << 20);
    uint64_t size;

    assert_ok(
        read_object(store, text(key), text(version), NULL, 4096, &bytes, &size, err));
    assert_int_equal(size, strlen(expected));
    assert_view(cs_buf_view(&bytes), expected);
    cs_buf_clear(&bytes);
}

static inline void assert_no_object(struct cs_store *store, const char *key,
                                    const char *version)
{
    struct cs_buf bytes = CS_BUF_INIT(1u << 20);
    uint64_t size;

    assert_int_equal(
        read_object(store, text(key), text(version), NULL, 4096, &bytes, &size, NULL),
        CS_ENOTFOUND);
    cs_buf_clear(&bytes);
}

#endif
