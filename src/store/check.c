#include "config.h"

#include "store/check.h"

#include "base/encoding.h"

#define WRITES_MAX 10u
#define DELTAS_MAX 40u
#define TEXT_MAX   255u /* bytes of a user id, a status, a time, a dedupe text */
#define GROUP_MAX                                                         \
    320u /* bytes of a counter's group, which may hold a user id, or name \
          */

static enum cs_code bad_key(struct cs_err *err, const char *why)
{
    return cs_err_field(err, CS_EINVAL, "key", "bad_key", "the object's key %s", why);
}

bool cs_store_check_plain_byte(char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

static bool has_control(struct cs_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

static size_t encoded_len(struct cs_view part)
{
    size_t len = 0;

    for (size_t i = 0; i < part.len; i++)
        len += cs_store_check_plain_byte(part.ptr[i]) ? 1 : 3;
    return len;
}

/* One name between slashes. */
static enum cs_code check_part(struct cs_view part, struct cs_err *err)
{
    if (part.len == 0)
        return bad_key(err, "has an empty part: remove the extra slash");
    if (cs_view_eq(part, CS_LIT(".")) || cs_view_eq(part, CS_LIT("..")))
        return bad_key(err, "may not hold \".\" or \"..\" as a part");
    if (encoded_len(part) > CS_KEY_PART_MAX)
        return bad_key(err,
                       "has a part of more than 200 bytes (a byte that is not a letter, "
                       "digit, '.', '_' or '-' counts three): shorten the name");
    return CS_OK;
}

/* What holds for a key and for every cut of one. */
static enum cs_code check_key_bytes(struct cs_view key, struct cs_err *err)
{
    if (key.len > CS_STORE_KEY_MAX)
        return bad_key(err, "is longer than 512 bytes: shorten it");
    if (has_control(key))
        return bad_key(err, "holds control characters: remove them");
    return CS_OK;
}

/* All parts but an unfinished last one. */
static enum cs_code check_parts(struct cs_view key, bool last_too, struct cs_err *err)
{
    struct cs_view rest = key;
    struct cs_view part;
    size_t depth = 0;
    enum cs_code rc;

    while (cs_view_split(&rest, '/', &part)) {
        if (rest.ptr == NULL && !last_too)
            break;
        if (++depth > CS_KEY_DEPTH_MAX)
            return bad_key(err, "has more than 32 parts");
        if ((rc = check_part(part, err)) != CS_OK)
            return rc;
    }
    return CS_OK;
}

enum cs_code cs_store_check_object_key(struct cs_view key, struct cs_err *err)
{
    enum cs_code rc;

    if (key.len == 0)
        return bad_key(err, "is empty");
    if ((rc = check_key_bytes(key, err)) != CS_OK)
        return rc;
    if (cs_utf8_fault(key) != SIZE_MAX)
        return bad_key(err, "is not UTF-8");
    return check_parts(key, true, err);
}

enum cs_code cs_store_check_prefix(struct cs_view prefix, struct cs_err *err)
{
    enum cs_code rc;

    if ((rc = check_key_bytes(prefix, err)) != CS_OK)
        return rc;
    return check_parts(prefix, false, err);
}

enum cs_code cs_store_check_folder_prefix(struct cs_view prefix, struct cs_err *err)
{
    if (!cs_view_ends(prefix, CS_LIT("/")))
        return cs_err_field(
            err, CS_EINVAL, "prefix", "bad_prefix",
            "only a whole folder can be deleted: end the prefix with '/'");
    return cs_store_check_object_key(cs_view_of(prefix.ptr, prefix.len - 1), err);
}

enum cs_code cs_store_check_text(struct cs_view text, const char *field, size_t max,
                                 struct cs_err *err)
{
    if (text.len == 0)
        return cs_err_field(err, CS_EINVAL, field, "empty", "%s is empty", field);
    if (text.len > max)
        return cs_err_field(err, CS_EINVAL, field, "too_long",
                            "%s is longer than %zu bytes: shorten it", field, max);
    if (has_control(text) || cs_utf8_fault(text) != SIZE_MAX)
        return cs_err_field(err, CS_EINVAL, field, "bad_text",
                            "%s holds control characters or is not UTF-8", field);
    return CS_OK;
}

/* The same for a text that may be absent. */
static enum cs_code check_optional(struct cs_view text, const char *field, size_t max,
                                   struct cs_err *err)
{
    return text.len == 0 ? CS_OK : cs_store_check_text(text, field, max, err);
}

enum cs_code cs_store_check_record_key(struct cs_view key, struct cs_err *err)
{
    return cs_store_check_text(key, "key", CS_RECORD_KEY_MAX, err);
}

static enum cs_code check_record(const struct cs_record *record, struct cs_err *err)
{
    enum cs_code rc;

    if ((rc = check_optional(record->user_id, "user_id", TEXT_MAX, err)) != CS_OK ||
        (rc = check_optional(record->status, "status", TEXT_MAX, err)) != CS_OK ||
        (rc = check_optional(record->created_at, "created_at", TEXT_MAX, err)) != CS_OK)
        return rc;
    if (record->created_at.len == 0 &&
        (record->user_id.len > 0 || record->status.len > 0))
        return cs_err_field(err, CS_EINVAL, "created_at", "empty",
                            "a record that is listed needs created_at");
    if (record->summary.len > CS_SUMMARY_BYTES_MAX)
        return cs_err_set(err, CS_ETOOBIG,
                          "a record's summary has %zu bytes, the limit is %u",
                          record->summary.len, CS_SUMMARY_BYTES_MAX);
    /* what another program put there is not refused for its size */
    if (record->detail.len >
        CS_RECORD_BYTES_MAX - record->summary.len + record->extra.len)
        return cs_err_set(err, CS_ETOOBIG, "a record has %zu bytes, the limit is %u",
                          record->detail.len + record->summary.len, CS_RECORD_BYTES_MAX);
    return CS_OK;
}

static enum cs_code check_writes(const struct cs_transaction *transaction,
                                 struct cs_err *err)
{
    enum cs_code rc;

    for (size_t i = 0; i < transaction->write_count; i++) {
        const struct cs_write *write = &transaction->writes[i];

        if ((rc = cs_store_check_record_key(write->record->key, err)) != CS_OK)
            return rc;
        for (size_t k = 0; k < i; k++)
            if (cs_view_eq(transaction->writes[k].record->key, write->record->key))
                return cs_err_set(err, CS_EINTERNAL,
                                  "a transaction writes one key twice");
        if (write->kind != CS_WRITE_DELETE &&
            (rc = check_record(write->record, err)) != CS_OK)
            return rc;
    }
    return CS_OK;
}

enum cs_code cs_store_check_delta(const struct cs_delta *delta, struct cs_err *err)
{
    enum cs_code rc;

    if ((rc = cs_store_check_text(delta->group, "group", GROUP_MAX, err)) != CS_OK)
        return rc;
    return cs_store_check_text(delta->name, "name", GROUP_MAX, err);
}

enum cs_code cs_store_check_transaction(const struct cs_transaction *transaction,
                                        struct cs_err *err)
{
    enum cs_code rc;

    if (transaction->write_count > WRITES_MAX || transaction->delta_count > DELTAS_MAX)
        return cs_err_set(
            err, CS_EINTERNAL,
            "a transaction of %zu writes and %zu counters, the limits are %u and %u",
            transaction->write_count, transaction->delta_count, WRITES_MAX, DELTAS_MAX);
    if ((rc = check_writes(transaction, err)) != CS_OK)
        return rc;
    for (size_t i = 0; i < transaction->delta_count; i++)
        if ((rc = cs_store_check_delta(&transaction->deltas[i], err)) != CS_OK)
            return rc;
    return CS_OK;
}

enum cs_code cs_store_check_erase(const struct cs_transaction *transaction,
                                  struct cs_err *err)
{
    if (transaction->write_count != 1 || transaction->writes->kind != CS_WRITE_DELETE)
        return cs_err_set(err, CS_EINTERNAL, "an erasure deletes one record");
    return cs_store_check_transaction(transaction, err);
}

enum cs_code cs_store_check_list_query(const struct cs_list_query *query,
                                       struct cs_err *err)
{
    if (query->limit < 1 || query->limit > CS_LIST_LIMIT_MAX)
        return cs_err_field(err, CS_EINVAL, "limit", "out_of_range",
                            "limit must be from 1 to %u", CS_LIST_LIMIT_MAX);
    if (query->index == CS_LIST_ALL)
        return CS_OK;
    return cs_store_check_text(
        query->value, query->index == CS_LIST_USER ? "user_id" : "status", TEXT_MAX, err);
}

enum cs_code cs_store_check_log_entries(const struct cs_view *entries, size_t count,
                                        struct cs_view dedupe, struct cs_err *err)
{
    size_t total = 0;

    if (count < 1 || count > CS_LOG_APPEND_MAX)
        return cs_err_set(err, CS_EINVAL, "append from 1 to %u entries at a time",
                          CS_LOG_APPEND_MAX);
    for (size_t i = 0; i < count; i++) {
        if (entries[i].len == 0)
            return cs_err_set(err, CS_EINVAL, "log entry %zu is empty", i);
        if (entries[i].len > CS_LOG_ENTRY_MAX)
            return cs_err_set(err, CS_ETOOBIG,
                              "log entry %zu has %zu bytes, the limit is %u", i,
                              entries[i].len, CS_LOG_ENTRY_MAX);
        total += entries[i].len;
    }
    if (total > CS_LOG_APPEND_BYTES)
        return cs_err_set(err, CS_ETOOBIG,
                          "%zu bytes of log entries at once, the limit is %u", total,
                          CS_LOG_APPEND_BYTES);
    return check_optional(dedupe, "dedupe", TEXT_MAX, err);
}

enum cs_code cs_store_check_within(struct cs_view prefix,
                                   const struct cs_object_entry *entries, size_t count,
                                   struct cs_err *err)
{
    for (size_t i = 0; i < count; i++)
        if (!cs_view_starts(entries[i].key, prefix))
            return cs_err_set(err, CS_EINVAL, "%.*s does not lie below %.*s",
                              CS_FMT(entries[i].key), CS_FMT(prefix));
    return CS_OK;
}
