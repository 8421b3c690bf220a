/* store/check.h: the rules that every store holds its callers to, so that what
 * one store takes, all stores take. Pure. */
#ifndef CS_STORE_CHECK_H
#define CS_STORE_CHECK_H

#include "store/store.h"

/* An object's key is 1 to CS_STORE_KEY_MAX bytes of UTF-8 without control
 * characters: at most CS_KEY_DEPTH_MAX parts between slashes, none of them
 * empty, "." or ".." or longer than CS_KEY_PART_MAX bytes once each byte outside
 * [A-Za-z0-9._-] is written as %XX. CS_EINVAL with field "key". */
#define CS_KEY_DEPTH_MAX 32u
#define CS_KEY_PART_MAX  200u
enum cs_code cs_store_check_object_key(struct cs_view key,
                                       struct cs_err *err) CS_MUST_USE;

/* Whether a byte of a key stands for itself in a file name. */
bool cs_store_check_plain_byte(char byte);

/* The beginning of a key: "" or any cut of one. */
enum cs_code cs_store_check_prefix(struct cs_view prefix, struct cs_err *err) CS_MUST_USE;

/* A prefix that names a folder: it ends in '/', so that deleting what belongs
 * to "x" can't reach what belongs to "xy". */
enum cs_code cs_store_check_folder_prefix(struct cs_view prefix,
                                          struct cs_err *err) CS_MUST_USE;

/* Text without control characters, of 1 to max bytes of UTF-8. */
enum cs_code cs_store_check_text(struct cs_view text, const char *field, size_t max,
                                 struct cs_err *err) CS_MUST_USE;

enum cs_code cs_store_check_record_key(struct cs_view key,
                                       struct cs_err *err) CS_MUST_USE;

/* Counts, sizes and texts of a whole transaction; CS_EINVAL or CS_ETOOBIG. */
enum cs_code cs_store_check_transaction(const struct cs_transaction *transaction,
                                        struct cs_err *err) CS_MUST_USE;

/* The same of one for cs_store_ops.erase. */
enum cs_code cs_store_check_erase(const struct cs_transaction *transaction,
                                  struct cs_err *err) CS_MUST_USE;

enum cs_code cs_store_check_delta(const struct cs_delta *delta,
                                  struct cs_err *err) CS_MUST_USE;

/* All but the cursor. */
enum cs_code cs_store_check_list_query(const struct cs_list_query *query,
                                       struct cs_err *err) CS_MUST_USE;

enum cs_code cs_store_check_log_entries(const struct cs_view *entries, size_t count,
                                        struct cs_view dedupe,
                                        struct cs_err *err) CS_MUST_USE;

/* Every key lies below the prefix. */
enum cs_code cs_store_check_within(struct cs_view prefix,
                                   const struct cs_object_entry *entries, size_t count,
                                   struct cs_err *err) CS_MUST_USE;

#endif
