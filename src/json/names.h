/* json/names.h: the names seen in the JSON objects that are open during a scan,
 * so that a name that stands twice in one object is found at constant cost. */
#ifndef CS_JSON_NAMES_H
#define CS_JSON_NAMES_H

#include "base/buf.h"

struct cs_json_seen_name {
    struct cs_view name; /* as written, borrowed from the scanned text */
    size_t object;       /* index of the first name of its object: tells objects apart */
    uint64_t hash;       /* of the decoded name, in the table */
    bool escaped;        /* holds a backslash */
    bool in_table;
};

/* A stack of names: those of an inner object lie above those of the outer one.
 * Objects with more than a few names are found through a hash table, from
 * which names leave in the reverse order in which they came, so that linear
 * probing needs no markers for deleted ones. */
struct cs_json_names {
    struct cs_json_seen_name *items;
    size_t count;
    size_t room;
    uint32_t *slots;   /* index into items + 1; 0 is free */
    size_t slot_count; /* a power of two, or 0 */
    size_t in_table;
    uint64_t seed; /* of the hashes, set with the first items */
    struct cs_buf decoded;
};

void cs_json_names_init(struct cs_json_names *names);
void cs_json_names_clear(struct cs_json_names *names);

/* Adds a name of the object whose names start at index `first` (the count when
 * the object opened). CS_EEXISTS when the object has it already, CS_EINVAL when
 * it holds a NUL (which readers of C would cut), CS_ENOMEM. */
enum cs_code cs_json_names_add(struct cs_json_names *names, size_t first,
                               struct cs_view name, bool escaped) CS_MUST_USE;

/* Forgets the names of the object that closes. */
void cs_json_names_drop(struct cs_json_names *names, size_t first);

#endif
