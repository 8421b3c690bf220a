#include "config.h"

#include "store/recent.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    NAME,
    USER,
    STATUS,
    CREATED,
    SUMMARY,
    DETAIL,
    WITHDRAWN_USER,
    WITHDRAWN_STATUS,
    TEXTS
};

struct entry {
    uint64_t used; /* when it was used last; 0: free */
    uint64_t revision;
    int64_t expires_at_us;
    uint64_t noted; /* where the log ends, by the record itself; 0: it does not say */
    uint64_t mark;  /* of the log; 0: not known */
    size_t count;   /* of its entries */
    size_t lengths[TEXTS];
    size_t log_length; /* of the text behind the record's texts */
};

struct cs_recent {
    pthread_mutex_t mutex;
    uint64_t clock; /* counts uses */
    struct entry entries[CS_RECENT_ENTRIES];
    char bytes[CS_RECENT_ENTRIES][CS_RECENT_ENTRY_BYTES];
};

/* ---- the memory ---- */

struct cs_recent *cs_recent_new(void)
{
    struct cs_recent *recent = mmap(NULL, sizeof(*recent), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pthread_mutexattr_t attributes;
    bool good;

    if (recent == MAP_FAILED)
        return NULL;
    if (pthread_mutexattr_init(&attributes) != 0) {
        (void)munmap(recent, sizeof(*recent));
        return NULL;
    }
    good = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
           pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
           pthread_mutex_init(&recent->mutex, &attributes) == 0;
    (void)pthread_mutexattr_destroy(&attributes);
    if (good)
        return recent;
    (void)munmap(recent, sizeof(*recent));
    return NULL;
}

void cs_recent_free(struct cs_recent *recent)
{
    /* the mutex is left to the others */
    if (recent != NULL)
        (void)munmap(recent, sizeof(*recent));
}

static bool lock(struct cs_recent *recent)
{
    int failed;

    if (recent == NULL)
        return false;
    failed = pthread_mutex_lock(&recent->mutex);
    if (failed == EOWNERDEAD) {
        memset(recent->entries, 0, sizeof(recent->entries));
        failed = pthread_mutex_consistent(&recent->mutex);
    }
    return failed == 0;
}

static void unlock(struct cs_recent *recent)
{
    (void)pthread_mutex_unlock(&recent->mutex);
}

/* ---- entries ---- */

static size_t text_length(const struct entry *entry)
{
    size_t sum = 0;

    for (size_t i = 0; i < TEXTS; i++)
        sum += entry->lengths[i];
    return sum;
}

static struct cs_view text_of(const struct cs_recent *recent, const struct entry *entry,
                              size_t which)
{
    const char *at = recent->bytes[entry - recent->entries];

    for (size_t i = 0; i < which; i++)
        at += entry->lengths[i];
    return cs_view_of(at, which < TEXTS ? entry->lengths[which] : entry->log_length);
}

/* The name of an entry is "realm key", and no realm has a space. */
static bool has_name(struct cs_view name, struct cs_view realm, struct cs_view key)
{
    return name.len == realm.len + 1 + key.len && cs_view_starts(name, realm) &&
           name.ptr[realm.len] == ' ' &&
           cs_view_eq(cs_view_from(name, realm.len + 1), key);
}

static struct entry *find(struct cs_recent *recent, struct cs_view realm,
                          struct cs_view key)
{
    for (size_t i = 0; i < CS_RECENT_ENTRIES; i++) {
        struct entry *entry = &recent->entries[i];

        if (entry->used == 0 || !has_name(text_of(recent, entry, NAME), realm, key))
            continue;
        entry->used = ++recent->clock;
        return entry;
    }
    return NULL;
}

static struct entry *least_used(struct cs_recent *recent)
{
    struct entry *least = &recent->entries[0];

    for (size_t i = 1; i < CS_RECENT_ENTRIES; i++)
        if (recent->entries[i].used < least->used)
            least = &recent->entries[i];
    return least;
}

static void add(char **to, struct cs_view text)
{
    if (text.len > 0)
        memcpy(*to, text.ptr, text.len);
    *to += text.len;
}

/* Writes the record's texts, and moves the log behind them. False: no room. */
static bool write_record(struct cs_recent *recent, struct entry *entry,
                         struct cs_view realm, const struct cs_record *record)
{
    const struct cs_view texts[TEXTS] = {
        [USER] = record->user_id,
        [STATUS] = record->status,
        [CREATED] = record->created_at,
        [SUMMARY] = record->summary,
        [DETAIL] = record->detail,
        [WITHDRAWN_USER] = record->withdrawn_user_id,
        [WITHDRAWN_STATUS] = record->withdrawn_status,
    };
    char *to = recent->bytes[entry - recent->entries];
    struct cs_view log = text_of(recent, entry, TEXTS);
    size_t name_length = realm.len + 1 + record->key.len;
    size_t length = name_length;

    for (size_t i = USER; i < TEXTS; i++)
        length += texts[i].len;
    if (length + log.len > CS_RECENT_ENTRY_BYTES)
        return false;
    memmove(to + length, log.ptr, log.len);
    add(&to, realm);
    add(&to, CS_LIT(" "));
    add(&to, record->key);
    entry->lengths[NAME] = name_length;
    for (size_t i = USER; i < TEXTS; i++) {
        add(&to, texts[i]);
        entry->lengths[i] = texts[i].len;
    }
    entry->revision = record->revision;
    entry->expires_at_us = record->expires_at_us;
    entry->noted = record->log_mark;
    return true;
}

static void forget_log(struct entry *entry)
{
    entry->mark = 0;
    entry->count = 0;
    entry->log_length = 0;
}

void cs_recent_keep(struct cs_recent *recent, struct cs_view realm,
                    const struct cs_record *record)
{
    struct entry *entry;

    /* who wrote attributes of his own may write them again, and knows no revisions */
    if (record->extra.len > 0) {
        cs_recent_forget(recent, realm, record->key);
        return;
    }
    /* what others wrote has no revision to be sure of, and service records are not
     * asked for again */
    if (record->revision == 0 || record->key.len == 0 || record->key.ptr[0] == '#' ||
        !lock(recent))
        return;
    entry = find(recent, realm, record->key);
    if (entry != NULL &&
        (entry->revision > record->revision ||
         !cs_view_eq(text_of(recent, entry, CREATED), record->created_at)))
        *entry = (struct entry){.used = entry->used}; /* another campaign of that name */
    if (entry != NULL && record->log_mark > entry->mark)
        forget_log(entry);
    if (entry == NULL) {
        entry = least_used(recent);
        *entry = (struct entry){.used = ++recent->clock};
    }
    if (!write_record(recent, entry, realm, record))
        entry->used = 0;
    unlock(recent);
}

void cs_recent_keep_log(struct cs_recent *recent, struct cs_view realm,
                        struct cs_view key, struct cs_view entries, size_t count,
                        uint64_t mark)
{
    struct entry *entry;

    if (!lock(recent))
        return;
    entry = find(recent, realm, key);
    if (entry != NULL) {
        size_t at = text_length(entry);
        bool fits = entries.len <= CS_RECENT_ENTRY_BYTES - at;

        entry->mark = fits ? mark : 0;
        entry->count = fits ? count : 0;
        entry->log_length = fits ? entries.len : 0;
        if (fits && entries.len > 0)
            memcpy(recent->bytes[entry - recent->entries] + at, entries.ptr, entries.len);
    }
    unlock(recent);
}

void cs_recent_grow_log(struct cs_recent *recent, struct cs_view realm,
                        struct cs_view key, uint64_t from, const struct cs_view *entries,
                        size_t count, uint64_t mark)
{
    struct entry *entry;
    char *to;
    size_t more = count;

    for (size_t i = 0; i < count; i++)
        more += entries[i].len;
    if (!lock(recent))
        return;
    entry = find(recent, realm, key);
    if (entry != NULL && entry->mark == from &&
        more <= CS_RECENT_ENTRY_BYTES - text_length(entry) - entry->log_length) {
        to = recent->bytes[entry - recent->entries] + text_length(entry) +
             entry->log_length;
        for (size_t i = 0; i < count; i++) {
            size_t comma = entry->count++ > 0;

            add(&to, cs_view_of(",", comma));
            add(&to, entries[i]);
            entry->log_length += comma + entries[i].len;
        }
        entry->mark = mark;
    } else if (entry != NULL) {
        forget_log(entry);
    }
    if (entry != NULL)
        entry->noted = mark;
    unlock(recent);
}

void cs_recent_forget(struct cs_recent *recent, struct cs_view realm, struct cs_view key)
{
    struct entry *entry;

    if (!lock(recent))
        return;
    entry = find(recent, realm, key);
    if (entry != NULL)
        *entry = (struct entry){.used = 0};
    unlock(recent);
}

/* ---- recalling ---- */

/* Known by the record, too, where the log itself has no room here. */
static uint64_t end_of_log(const struct entry *entry)
{
    return entry->mark != 0 ? entry->mark : entry->noted;
}

uint64_t cs_recent_mark(struct cs_recent *recent, struct cs_view realm,
                        struct cs_view key, struct cs_buf *created_at_out)
{
    const struct entry *entry;
    uint64_t mark = 0;

    if (!lock(recent))
        return 0;
    entry = find(recent, realm, key);
    if (entry != NULL) {
        mark = end_of_log(entry);
        if (created_at_out != NULL)
            cs_buf_add(created_at_out, text_of(recent, entry, CREATED));
    }
    unlock(recent);
    return mark;
}

uint64_t cs_recent_log_end(struct cs_recent *recent, struct cs_view realm,
                           const struct cs_record *record, size_t *count_out)
{
    const struct entry *entry;
    uint64_t mark = 0;

    *count_out = 0;
    if (!lock(recent))
        return 0;
    entry = find(recent, realm, record->key);
    if (entry != NULL &&
        cs_view_eq(text_of(recent, entry, CREATED), record->created_at)) {
        mark = entry->mark;
        *count_out = entry->count;
    }
    unlock(recent);
    return mark;
}

enum cs_code cs_recent_recall(struct cs_recent *recent, struct cs_view realm,
                              struct cs_view key, struct cs_recall *out,
                              struct cs_err *err)
{
    const struct entry *entry;
    bool found = false;

    *out = (struct cs_recall){.log = CS_BUF_INIT(CS_RECENT_ENTRY_BYTES + 2)};
    if (!lock(recent))
        return cs_err_set(err, CS_ENOTFOUND, "nothing is remembered");
    entry = find(recent, realm, key);
    if (entry != NULL) {
        const struct cs_record record = {
            .key = key,
            .revision = entry->revision,
            .user_id = text_of(recent, entry, USER),
            .status = text_of(recent, entry, STATUS),
            .created_at = text_of(recent, entry, CREATED),
            .expires_at_us = entry->expires_at_us,
            .summary = text_of(recent, entry, SUMMARY),
            .detail = text_of(recent, entry, DETAIL),
            .log_mark = end_of_log(entry),
            .withdrawn_user_id = text_of(recent, entry, WITHDRAWN_USER),
            .withdrawn_status = text_of(recent, entry, WITHDRAWN_STATUS)};

        found = true;
        out->whole = entry->mark != 0;
        out->record = cs_record_copy(&record);
        out->log_count = entry->count;
        cs_buf_add_byte(&out->log, '[');
        cs_buf_add(&out->log, text_of(recent, entry, TEXTS));
        cs_buf_add_byte(&out->log, ']');
    }
    unlock(recent);
    if (!found)
        return cs_err_set(err, CS_ENOTFOUND, "nothing is remembered");
    if (out->record != NULL && cs_buf_check(&out->log, NULL) == CS_OK)
        return CS_OK;
    cs_recall_clear(out);
    return cs_err_nomem(err);
}
