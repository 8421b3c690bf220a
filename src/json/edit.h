/* json/edit.h: a JSON object with some members set, added or removed, the
 * others carried over byte for byte. Records are changed this way, so fields
 * that nobody here knows survive every change. */
#ifndef CS_JSON_EDIT_H
#define CS_JSON_EDIT_H

#include "base/buf.h"

struct cs_json_change {
    const char *name;
    struct cs_view value; /* raw JSON; .ptr NULL removes the member */
};

/* Appends `object` (valid JSON; empty counts as {}) with the changes. Members
 * keep their order; new ones come last in the order of the changes. */
void cs_json_edit(struct cs_buf *out, struct cs_view object,
                  const struct cs_json_change *changes, size_t count);

/* Appends `object` with all members of `extra` set; both are JSON objects, either
 * may be empty. The cost grows with the product of their members. */
void cs_json_merge(struct cs_buf *out, struct cs_view object, struct cs_view extra);

#endif
