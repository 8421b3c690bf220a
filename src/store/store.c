#include "config.h"

#include "store/store.h"

#include <stdlib.h>

#define BLOCK_BYTES (64u * 1024u)

void cs_record_free(struct cs_record *record)
{
    free(record);
}

/* Copies bytes to *at, moves *at behind them and returns where they are now. */
static struct cs_view pack(char **at, struct cs_view bytes)
{
    struct cs_view packed = cs_view_of(*at, bytes.len);

    if (bytes.len > 0)
        memcpy(*at, bytes.ptr, bytes.len);
    *at += bytes.len;
    return packed;
}

struct cs_record *cs_record_copy(const struct cs_record *record)
{
    const size_t parts[] = {record->key.len,
                            record->user_id.len,
                            record->status.len,
                            record->created_at.len,
                            record->summary.len,
                            record->detail.len,
                            record->extra.len,
                            record->withdrawn_user_id.len,
                            record->withdrawn_status.len};
    size_t size = sizeof(*record);
    struct cs_record *copy;
    char *at;

    for (size_t i = 0; i < CS_COUNT(parts); i++)
        if (__builtin_add_overflow(size, parts[i], &size))
            return NULL;
    copy = malloc(size);
    if (copy == NULL)
        return NULL;
    at = (char *)(copy + 1);
    *copy = *record;
    copy->key = pack(&at, record->key);
    copy->user_id = pack(&at, record->user_id);
    copy->status = pack(&at, record->status);
    copy->created_at = pack(&at, record->created_at);
    copy->summary = pack(&at, record->summary);
    copy->detail = pack(&at, record->detail);
    copy->extra = pack(&at, record->extra);
    copy->withdrawn_user_id = pack(&at, record->withdrawn_user_id);
    copy->withdrawn_status = pack(&at, record->withdrawn_status);
    return copy;
}

struct cs_record cs_record_withdrawn(const struct cs_record *before,
                                     struct cs_view status)
{
    struct cs_record after = *before;

    after.revision++;
    after.user_id = CS_LIT("");
    after.status = status;
    after.withdrawn_user_id = before->user_id;
    after.withdrawn_status = before->status;
    return after;
}

void cs_recall_clear(struct cs_recall *recall)
{
    cs_record_free(recall->record);
    cs_buf_clear(&recall->log);
    recall->record = NULL;
}

void cs_record_page_clear(struct cs_record_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        cs_record_free(page->records[i]);
    free(page->records);
    free(page->next_cursor);
    *page = (struct cs_record_page){NULL, 0, NULL};
}

void cs_log_page_clear(struct cs_log_page *page)
{
    cs_buf_clear(&page->json);
    free(page->last_position);
    page->count = 0;
    page->last_position = NULL;
    page->more = false;
}

int64_t cs_counters_get(const struct cs_counters *counters, const char *name)
{
    for (size_t i = 0; i < counters->count; i++)
        if (strcmp(counters->items[i].name, name) == 0)
            return counters->items[i].value;
    return 0;
}

void cs_counters_clear(struct cs_counters *counters)
{
    for (size_t i = 0; i < counters->count; i++)
        free(counters->items[i].name);
    free(counters->items);
    *counters = (struct cs_counters){NULL, 0};
}

void cs_object_clear(struct cs_object *object)
{
    free(object->bucket);
    free(object->key);
    free(object->version);
    *object = (struct cs_object){.size = 0};
}

static enum cs_code fetch_one(struct cs_store *store, const struct cs_object_name *name,
                              struct cs_buf *out, struct cs_deadline deadline,
                              struct cs_err *err)
{
    struct cs_object_reader *reader = NULL;
    uint64_t size = 0;
    size_t got = 0;
    enum cs_code rc = store->ops->open(store, name->key, name->version, NULL, &reader,
                                       &size, deadline, err);

    if (rc != CS_OK)
        return rc;
    do {
        char *room = cs_buf_room(out, BLOCK_BYTES);

        rc = room == NULL ? cs_buf_check(out, err)
                          : store->ops->read(store, reader, room, BLOCK_BYTES, &got, err);
        if (rc == CS_OK)
            cs_buf_grew(out, got);
    } while (rc == CS_OK && got > 0);
    store->ops->close(store, reader);
    return rc;
}

struct cs_store *cs_store_in_bucket(struct cs_store *store, struct cs_view bucket,
                                    struct cs_err *err)
{
    if (bucket.len == 0 || store->ops->in_bucket == NULL ||
        cs_view_eq(bucket, store->ops->names(store)->bucket_name))
        return store;
    return store->ops->in_bucket(store, bucket, err);
}

enum cs_code cs_store_fetch_each(struct cs_store *store,
                                 const struct cs_object_name *names, size_t count,
                                 struct cs_buf *outs, struct cs_deadline deadline,
                                 struct cs_err *err)
{
    enum cs_code rc = CS_OK;

    for (size_t i = 0; i < count && rc == CS_OK; i++)
        rc = fetch_one(store, &names[i], &outs[i], deadline, err);
    return rc;
}
