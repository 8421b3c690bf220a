/* campaign/long_entries.h: interactions that are too long for the log. Each is an object
 * below campaigns/{id}/interactions/, and in the log stands an array in its place: its
 * key, version, bytes and SHA-256. What clients send are objects, so nobody can forge
 * one.
 *
 * These objects belong to the log: they go with the campaign. One whose append was
 * interrupted is named by no log, and fsck removes it. */
#ifndef CS_CAMPAIGN_LONG_ENTRIES_H
#define CS_CAMPAIGN_LONG_ENTRIES_H

#include "campaign/artifacts.h"

#define CS_LONG_ENTRIES_FOLDER "interactions/" /* below campaigns/{id}/ */

struct cs_long_entries {
    struct cs_object *objects;
    size_t count;
    struct cs_buf text; /* what stands in their places */
};
#define CS_LONG_ENTRIES_NONE ((struct cs_long_entries){.text = CS_BUF_INIT(1u << 20)})

/* Stores those of the entries that are longer than limits.inline_interaction_bytes, and
 * points the entries to what stands in their places, in out->text. */
enum cs_code cs_long_entries_store(const struct cs_campaigns *campaigns,
                                   const struct cs_call *call, struct cs_view id,
                                   struct cs_view *entries, size_t count,
                                   struct cs_long_entries *out,
                                   struct cs_err *err) CS_MUST_USE;

/* Removes them again; for an append that certainly did not happen. */
void cs_long_entries_discard(const struct cs_campaigns *campaigns,
                             const struct cs_long_entries *entries,
                             struct cs_deadline deadline);
void cs_long_entries_clear(struct cs_long_entries *entries);

/* Calls back for each that the campaign's log names, until that returns false. Of the
 * artifact key, version, bucket, size and SHA-256 are set; views valid during the
 * callback. */
typedef bool cs_long_entry_fn(void *payload, const struct cs_artifact *entry);
enum cs_code cs_long_entries_each(const struct cs_campaigns *campaigns, struct cs_view id,
                                  cs_long_entry_fn *callback, void *payload,
                                  struct cs_deadline deadline,
                                  struct cs_err *err) CS_MUST_USE;

/* Appends the array of a log with all entries as they were sent, at most max bytes, and
 * at least one; *taken_out is how many. */
enum cs_code cs_long_entries_expand(const struct cs_campaigns *campaigns,
                                    struct cs_view array, size_t max, struct cs_buf *out,
                                    size_t *taken_out, struct cs_deadline deadline,
                                    struct cs_err *err) CS_MUST_USE;

/* Appends the array with agent, action, status and timestamp alone of each long entry:
 * what a report shows of it. */
enum cs_code cs_long_entries_shorten(const struct cs_campaigns *campaigns,
                                     struct cs_view array, struct cs_buf *out,
                                     struct cs_err *err) CS_MUST_USE;

/* A page of the log with all entries as they were sent; it is shorter where long ones are
 * in it. */
enum cs_code cs_long_entries_page(const struct cs_campaigns *campaigns, struct cs_view id,
                                  struct cs_view after, size_t limit,
                                  struct cs_log_page *out, struct cs_deadline deadline,
                                  struct cs_err *err) CS_MUST_USE;

#endif
