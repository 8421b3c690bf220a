#include "config.h"

#include "json/names.h"

#include <stdlib.h>

#include "json/scan.h"

#define FEW_NAMES   16u /* up to here a plain search is faster than the table */
#define DECODED_MAX (512u << 20)

void cs_json_names_init(struct cs_json_names *names)
{
    *names = (struct cs_json_names){.decoded = CS_BUF_INIT(DECODED_MAX)};
}

void cs_json_names_clear(struct cs_json_names *names)
{
    free(names->items);
    free(names->slots);
    cs_buf_clear(&names->decoded);
    cs_json_names_init(names);
}

/* FNV-1a from a start that whoever sends the names can't know, so that nobody can choose
 * names which all meet in one place. */
static uint64_t hash_of(struct cs_view text, uint64_t seed)
{
    uint64_t hash = 14695981039346656037u ^ seed;

    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 1099511628211u;
    return hash ^ hash >> 32;
}

/* "a" and "\u0061" are one name, so both are hashed and compared decoded. */
static enum cs_code decoded_name(struct cs_json_names *names,
                                 const struct cs_json_seen_name *item,
                                 struct cs_view *out)
{
    *out = item->name;
    if (!item->escaped)
        return CS_OK;
    cs_buf_reset(&names->decoded);
    cs_json_unescape(&names->decoded, item->name);
    *out = cs_buf_view(&names->decoded);
    return names->decoded.failed == CS_OK ? CS_OK : CS_ENOMEM;
}

static bool same_name(struct cs_json_names *names, const struct cs_json_seen_name *a,
                      const struct cs_json_seen_name *b)
{
    size_t first_len;

    if (!a->escaped && !b->escaped)
        return cs_view_eq(a->name, b->name);
    cs_buf_reset(&names->decoded);
    cs_json_unescape(&names->decoded, a->name);
    first_len = names->decoded.len;
    cs_json_unescape(&names->decoded, b->name);
    return cs_view_eq(cs_view_sub(cs_buf_view(&names->decoded), 0, first_len),
                      cs_view_from(cs_buf_view(&names->decoded), first_len));
}

static bool same_object_and_name(struct cs_json_names *names,
                                 const struct cs_json_seen_name *a,
                                 const struct cs_json_seen_name *b)
{
    return a->object == b->object && a->hash == b->hash && same_name(names, a, b);
}

static size_t first_slot(const struct cs_json_names *names,
                         const struct cs_json_seen_name *item)
{
    uint64_t spread = (item->hash + item->object) * 11400714819323198485u;

    return (size_t)(spread >> 32) & (names->slot_count - 1);
}

/* The free slot at the end of the item's probe sequence, or CS_EEXISTS on the way. */
static enum cs_code find_free_slot(struct cs_json_names *names,
                                   const struct cs_json_seen_name *item, size_t *slot_out)
{
    size_t slot = first_slot(names, item);

    for (; names->slots[slot] != 0; slot = (slot + 1) & (names->slot_count - 1))
        if (same_object_and_name(names, &names->items[names->slots[slot] - 1], item))
            return CS_EEXISTS;
    *slot_out = slot;
    return CS_OK;
}

static enum cs_code put_in_table(struct cs_json_names *names, size_t index);

/* Doubles the table and fills it anew in the order of the items, which is the
 * order in which they came. */
static enum cs_code grow_table(struct cs_json_names *names)
{
    size_t slot_count = names->slot_count == 0 ? 256 : names->slot_count * 2;
    uint32_t *slots = calloc(slot_count, sizeof(*slots));
    enum cs_code rc = CS_OK;

    if (slots == NULL)
        return CS_ENOMEM;
    free(names->slots);
    names->slots = slots;
    names->slot_count = slot_count;
    names->in_table = 0;
    for (size_t i = 0; i < names->count && rc == CS_OK; i++)
        if (names->items[i].in_table)
            rc = put_in_table(names, i);
    return rc;
}

static enum cs_code put_in_table(struct cs_json_names *names, size_t index)
{
    enum cs_code rc;
    size_t slot;

    if (names->in_table >= names->slot_count / 2 && (rc = grow_table(names)) != CS_OK)
        return rc;
    if ((rc = find_free_slot(names, &names->items[index], &slot)) != CS_OK)
        return rc;
    names->slots[slot] = (uint32_t)index + 1;
    names->items[index].in_table = true;
    names->in_table++;
    return CS_OK;
}

/* The names from `first` on. */
static enum cs_code add_to_table(struct cs_json_names *names, size_t first)
{
    enum cs_code rc = CS_OK;

    for (size_t i = first; i < names->count && rc == CS_OK; i++) {
        struct cs_json_seen_name *item = &names->items[i];
        struct cs_view name;

        if ((rc = decoded_name(names, item, &name)) != CS_OK)
            return rc;
        item->hash = hash_of(name, names->seed);
        rc = put_in_table(names, i);
    }
    return rc;
}

static enum cs_code make_room(struct cs_json_names *names)
{
    size_t room = names->room == 0 ? 64 : names->room * 2;
    struct cs_json_seen_name *grown;

    if (names->count < names->room)
        return CS_OK;
    if (room > UINT32_MAX / 2)
        return CS_ENOMEM;
    grown = realloc(names->items, room * sizeof(*grown));
    if (grown == NULL)
        return CS_ENOMEM;
    if (names->room == 0) /* where the system has put them is chance enough */
        names->seed = (uint64_t)(uintptr_t)grown * 11400714819323198485u;
    names->items = grown;
    names->room = room;
    return CS_OK;
}

enum cs_code cs_json_names_add(struct cs_json_names *names, size_t first,
                               struct cs_view name, bool escaped)
{
    struct cs_json_seen_name item = {.name = name, .object = first, .escaped = escaped};
    struct cs_view decoded;
    enum cs_code rc;

    if ((rc = make_room(names)) != CS_OK ||
        (rc = decoded_name(names, &item, &decoded)) != CS_OK)
        return rc;
    if (escaped && cs_view_find_byte(decoded, '\0') != SIZE_MAX)
        return CS_EINVAL;
    names->items[names->count++] = item;
    if (names->count - first > FEW_NAMES + 1)
        return add_to_table(names, names->count - 1);
    if (names->count - first > FEW_NAMES) /* all of them, now that they are many */
        return add_to_table(names, first);
    for (size_t i = first; i + 1 < names->count; i++)
        if (same_name(names, &names->items[i], &item))
            return CS_EEXISTS;
    return CS_OK;
}

void cs_json_names_drop(struct cs_json_names *names, size_t first)
{
    while (names->count > first) {
        struct cs_json_seen_name *item = &names->items[--names->count];
        size_t slot;

        if (!item->in_table)
            continue;
        slot = first_slot(names, item);
        while (names->slots[slot] != (uint32_t)names->count + 1)
            slot = (slot + 1) & (names->slot_count - 1);
        names->slots[slot] = 0;
        names->in_table--;
    }
}
