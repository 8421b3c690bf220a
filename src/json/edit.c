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

/* A member with its name as it was written. */
static void write_member(struct cs_json_writer *writer, struct cs_view name,
                         struct cs_view value)
{
    if (writer->comma)
        cs_buf_add_byte(writer->out, ',');
    cs_buf_add_byte(writer->out, '"');
    cs_buf_add(writer->out, name);
    cs_buf_add(writer->out, CS_LIT("\":"));
    writer->comma = false;
    cs_json_raw(writer, value);
}

static bool carry_over(void *payload, struct cs_view name, struct cs_view value)
{
    struct edit *edit = payload;
    const struct cs_json_change *change = find_change(edit, name);

    if (change != NULL)
        value = change->value;
    if (value.ptr == NULL)
        return true;
    write_member(&edit->writer, name, value);
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

struct name_search {
    struct cs_view name; /* decoded */
    bool found;
};

static bool look_for_name(void *payload, struct cs_view name, struct cs_view value)
{
    struct name_search *search = payload;

    (void)value;
    search->found = cs_json_name_is(name, search->name);
    return !search->found;
}

struct merge {
    struct cs_json_writer writer;
    struct cs_view extra;
    struct cs_buf name;
};

static bool carry_over_unless_extra(void *payload, struct cs_view name,
                                    struct cs_view value)
{
    struct merge *merge = payload;
    struct name_search search = {.found = false};

    cs_buf_reset(&merge->name);
    cs_json_unescape(&merge->name, name);
    search.name = cs_buf_view(&merge->name);
    cs_json_each_member(merge->extra, look_for_name, &search);
    if (!search.found)
        write_member(&merge->writer, name, value);
    return true;
}

static bool write_extra(void *payload, struct cs_view name, struct cs_view value)
{
    struct merge *merge = payload;

    write_member(&merge->writer, name, value);
    return true;
}

void cs_json_merge(struct cs_buf *out, struct cs_view object, struct cs_view extra)
{
    struct merge merge = {.extra = extra, .name = CS_BUF_INIT(SIZE_MAX / 4)};

    cs_json_writer_init(&merge.writer, out);
    cs_json_object(&merge.writer);
    cs_json_each_member(object, carry_over_unless_extra, &merge);
    cs_json_each_member(extra, write_extra, &merge);
    cs_json_object_end(&merge.writer);
    if (merge.name.failed != CS_OK)
        out->failed = merge.name.failed;
    cs_buf_clear(&merge.name);
}
