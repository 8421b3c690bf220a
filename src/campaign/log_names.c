#include "config.h"

#include "campaign/log_names.h"

#include <stdlib.h>

#include "campaign/long_entries.h"

#define NAME_MAX_BYTES (2u * CS_STORE_KEY_MAX)

static int compare(const void *left, const void *right)
{
    const char *a = *(const char *const *)left;
    const char *b = *(const char *const *)right;
    int order = strcmp(a, b);

    return order != 0 ? order : strcmp(a + strlen(a) + 1, b + strlen(b) + 1);
}

static void add_name(struct cs_buf *out, struct cs_view key, struct cs_view version)
{
    cs_buf_add(out, key);
    cs_buf_add_byte(out, '\0');
    cs_buf_add(out, version);
    cs_buf_add_byte(out, '\0');
}

static bool take_name(void *payload, const struct cs_artifact *entry)
{
    struct cs_log_names *names = payload;

    add_name(&names->texts, entry->key, entry->version);
    names->count++;
    return names->texts.failed == CS_OK;
}

static enum cs_code sort_names(struct cs_log_names *names, struct cs_err *err)
{
    const char *at = cs_buf_cstr(&names->texts);

    if (names->count == 0)
        return CS_OK;
    names->names = calloc(names->count, sizeof(*names->names));
    if (names->names == NULL)
        return cs_err_nomem(err);
    for (size_t i = 0; i < names->count; i++) {
        names->names[i] = at;
        at += strlen(at) + 1;
        at += strlen(at) + 1;
    }
    qsort(names->names, names->count, sizeof(*names->names), compare);
    return CS_OK;
}

enum cs_code cs_log_names_load(struct cs_log_names *names,
                               const struct cs_campaigns *campaigns, struct cs_view id,
                               struct cs_deadline deadline, struct cs_err *err)
{
    enum cs_code rc;

    if (names->id.len > 0 && cs_view_eq(cs_buf_view(&names->id), id))
        return CS_OK;
    cs_log_names_clear(names);
    rc = cs_long_entries_each(campaigns, id, take_name, names, deadline, err);
    if (rc == CS_OK && (rc = cs_buf_check(&names->texts, err)) == CS_OK)
        rc = sort_names(names, err);
    if (rc == CS_OK) {
        cs_buf_add(&names->id, id);
        rc = cs_buf_check(&names->id, err);
    }
    if (rc != CS_OK)
        cs_log_names_clear(names);
    return rc;
}

bool cs_log_names_have(const struct cs_log_names *names, struct cs_view key,
                       struct cs_view version)
{
    struct cs_buf text = CS_BUF_INIT(NAME_MAX_BYTES);
    const char *name;
    bool have;

    if (names->count == 0)
        return false;
    add_name(&text, key, version);
    name = cs_buf_cstr(&text);
    /* what could not be looked up is not said to be missing */
    have = text.failed != CS_OK || bsearch(&name, names->names, names->count,
                                           sizeof(*names->names), compare) != NULL;
    cs_buf_clear(&text);
    return have;
}

void cs_log_names_clear(struct cs_log_names *names)
{
    cs_buf_clear(&names->id);
    cs_buf_clear(&names->texts);
    free(names->names);
    *names = CS_LOG_NAMES_NONE;
}
