#include "config.h"

#include "json/edit.h"

#include "json/scan.h"
#include "json/write.h"

struct edit {
    struct cs_json_writer writer;
    const struct cs_json_change *changes;
    size_t count;
};

static const struct cs_json_change *find_change(const struct edit *edit,
                                                struct cs_view name)
{
    for (size_t i = 0; i < edit->count; i++)
        if (cs_json_name_is(name, cs_view_cstr(edit->changes[i].name)))
            return &edit->changes[i];
    return NULL;
}

static bool carry_over(void *payload, struct cs_view name, struct cs_view value)
{
    struct edit *edit = payload;
    const struct cs_json_change *change = find_change(edit, name);

    if (change != NULL)
        value = change->value;
    if (value.ptr == NULL)
        return true;
    if (edit->writer.comma)
        cs_buf_add_byte(edit->writer.out, ',');
    cs_buf_add_byte(edit->writer.out, '"');
    cs_buf_add(edit->writer.out, name);
    cs_buf_add(edit->writer.out, CS_LIT("\":"));
    edit->writer.comma = false;
    cs_json_raw(&edit->writer, value);
    return true;
}

void cs_json_edit(struct cs_buf *out, struct cs_view object,
                  const struct cs_json_change *changes, size_t count)
{
    struct edit edit = {.changes = changes, .count = count};

    cs_json_writer_init(&edit.writer, out);
    cs_json_object(&edit.writer);
    cs_json_each_member(object, carry_over, &edit);
    for (size_t i = 0; i < count; i++)
        if (changes[i].value.ptr != NULL &&
            cs_json_slice(object, changes[i].name).ptr == NULL)
            cs_json_member_raw(&edit.writer, changes[i].name, changes[i].value);
    cs_json_object_end(&edit.writer);
}
