/* store/recent.h: what was lately read or committed, in memory that the workers of a
 * pool share: records with their logs. It saves reading again what this service itself
 * wrote a moment ago.
 *
 * What is remembered may be stale, as other programs write, too. So it is good for
 * one thing alone: to be the ground of a commit that is conditional on the record's
 * revision and on the end of its log, and that is done again from a fresh read when
 * the condition fails.
 *
 * The memory has a fixed size; the least recently used entry makes room. A process
 * that is killed in the middle of a change leaves nothing half written: whoever comes
 * next forgets everything. */
#ifndef CS_STORE_RECENT_H
#define CS_STORE_RECENT_H

#include "store/store.h"

#define CS_RECENT_ENTRIES 128u
#define CS_RECENT_ENTRY_BYTES \
    65536u /* record and log together; larger ones are not kept */

struct cs_recent;

/* Shared with the processes that are forked afterwards; pages are taken as they are
 * used. NULL when out of memory. Freed in each process by itself. */
struct cs_recent *cs_recent_new(void);
void cs_recent_free(struct cs_recent *recent);

/* In all of these `realm` tells apart tables that have keys in common, and a NULL
 * `recent` remembers nothing. */

/* Keeps what is known of the log where the record is still the same campaign's, and does
 * not say by its log_mark that the log has grown: marks grow with it. */
void cs_recent_keep(struct cs_recent *recent, struct cs_view realm,
                    const struct cs_record *record);

/* The whole log of a record that is remembered: `entries` without the brackets, and
 * `mark`, which names its end (not 0). */
void cs_recent_keep_log(struct cs_recent *recent, struct cs_view realm,
                        struct cs_view key, struct cs_view entries, size_t count,
                        uint64_t mark);

/* Entries were added to a log that ended at `from` and ends at `mark` now. */
void cs_recent_grow_log(struct cs_recent *recent, struct cs_view realm,
                        struct cs_view key, uint64_t from, const struct cs_view *entries,
                        size_t count, uint64_t mark);

void cs_recent_forget(struct cs_recent *recent, struct cs_view realm, struct cs_view key);

/* End of the log, 0 when it is not known, whether or not the log itself is remembered;
 * adds the record's created_at to what may be NULL. */
uint64_t cs_recent_mark(struct cs_recent *recent, struct cs_view realm,
                        struct cs_view key, struct cs_buf *created_at_out);

/* The same, with the number of entries, where the record is still the same campaign's. */
uint64_t cs_recent_log_end(struct cs_recent *recent, struct cs_view realm,
                           const struct cs_record *record, size_t *count_out);

/* CS_ENOTFOUND unless the record is remembered; see cs_store_ops.recall. */
enum cs_code cs_recent_recall(struct cs_recent *recent, struct cs_view realm,
                              struct cs_view key, struct cs_recall *out,
                              struct cs_err *err) CS_MUST_USE;

#endif
