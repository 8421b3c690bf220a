#include "config.h"

#include "render/value.h"

#include <stdlib.h>
#include <unistd.h>

#include "render/document.h"
#include "render/labels.h"
#include "render/text.h"

#define MAX_COLUMNS 12u
#define SHORT_TEXT  40u /* bytes: of texts that are joined by commas into one field */
#define SHORT_COUNT 24u
#define CELL_TEXT   600u /* bytes: longer texts are no table cells */
#define PATH_TEXT   160u

static void add_any(struct cs_value_writer *writer, cmark_node *parent,
                    const struct cs_json *value, int level, struct cs_view above);

void cs_value_writer_init(struct cs_value_writer *writer, struct cs_markdown *markdown,
                          const char *language, cs_value_title_fn *title, size_t max_text)
{
    *writer = (struct cs_value_writer){markdown, language, title, CS_BUF_INIT(max_text)};
}

void cs_value_writer_clear(struct cs_value_writer *writer)
{
    cs_buf_clear(&writer->scratch);
}

static bool is_scalar(const struct cs_json *value)
{
    enum cs_json_type type = cs_json_type(value);

    return type != CS_JSON_ARRAY && type != CS_JSON_OBJECT;
}

static void end_without_memory(const struct cs_buf *buf)
{
    if (buf->failed != CS_OK)
        _exit(CS_DOCUMENT_EXIT_NOMEM);
}

/* The text of anything but a string, array or object. */
static struct cs_view scalar_text(const struct cs_value_writer *writer,
                                  const struct cs_json *value)
{
    switch (cs_json_type(value)) {
    case CS_JSON_NUMBER:
        return cs_json_number_text(value);
    case CS_JSON_BOOL:
        return cs_view_cstr(cs_label(
            writer->language, cs_json_bool(value, false) ? CS_LABEL_YES : CS_LABEL_NO));
    default:
        return cs_view_cstr(cs_label(writer->language, CS_LABEL_EMPTY));
    }
}

static void add_title(struct cs_value_writer *writer, struct cs_buf *out,
                      struct cs_view name)
{
    if (writer->title != NULL)
        writer->title(out, name, writer->language);
    else
        cs_label_from_name(out, name);
    if (out->len == 0)
        cs_buf_add_cstr(out, cs_label(writer->language, CS_LABEL_EMPTY));
    end_without_memory(out);
}

/* ---- tables ---------------------------------------------------------------- */

static cmark_node *add_table(struct cs_value_writer *writer, cmark_node *parent,
                             size_t columns, uint8_t *alignments)
{
    cmark_node *table = cs_markdown_add(writer->markdown, parent, CMARK_NODE_TABLE);

    cmark_gfm_extensions_set_table_columns(table, (uint16_t)columns);
    cmark_gfm_extensions_set_table_alignments(table, (uint16_t)columns, alignments);
    return table;
}

static cmark_node *add_row(struct cs_value_writer *writer, cmark_node *table, bool header)
{
    cmark_node *row = cs_markdown_add(writer->markdown, table, CMARK_NODE_TABLE_ROW);

    cmark_gfm_extensions_set_table_row_is_header(row, header ? 1 : 0);
    return row;
}

static cmark_node *add_cell(struct cs_value_writer *writer, cmark_node *row,
                            struct cs_view text)
{
    cmark_node *cell = cs_markdown_add(writer->markdown, row, CMARK_NODE_TABLE_CELL);

    cs_markdown_add_text(writer->markdown, cell, text);
    return cell;
}

cmark_node *cs_value_fields(struct cs_value_writer *writer, cmark_node *parent)
{
    uint8_t alignments[2] = {0, 0};

    return add_table(writer, parent, 2, alignments);
}

static cmark_node *field_cell(struct cs_value_writer *writer, cmark_node *fields,
                              struct cs_view title)
{
    cmark_node *row = add_row(writer, fields, false);

    add_cell(writer, row, title);
    return add_cell(writer, row, cs_view_of("", 0));
}

void cs_value_field(struct cs_value_writer *writer, cmark_node *fields,
                    struct cs_view name, struct cs_view text)
{
    struct cs_buf clean = CS_BUF_INIT(writer->scratch.max);

    cs_text_line(&clean, text);
    end_without_memory(&clean);
    cs_markdown_add_text(writer->markdown, field_cell(writer, fields, name),
                         cs_buf_view(&clean));
    cs_buf_clear(&clean);
}

/* ---- strings --------------------------------------------------------------- */

/* Moves all inlines from one node to another. */
static void move_inlines(struct cs_value_writer *writer, cmark_node *to, cmark_node *from)
{
    cmark_node *child;

    while ((child = cmark_node_first_child(from)) != NULL) {
        if (cmark_node_append_child(to, child))
            continue;
        /* The cell of a table takes no line breaks: a blank does there. */
        cs_buf_reset(&writer->scratch);
        cs_markdown_plain(&writer->scratch, child, writer->scratch.max);
        end_without_memory(&writer->scratch);
        cs_markdown_add_text(writer->markdown, to, cs_buf_view(&writer->scratch));
        cmark_node_free(child);
    }
}

/* The inlines of a text that is one paragraph, as children of `cell`; false, with
 * the parsed tree in *root_out, when it is more than that. */
static bool add_inlines(struct cs_value_writer *writer, cmark_node *cell,
                        struct cs_view text, int level, cmark_node **root_out)
{
    cmark_node *root = cs_markdown_parse(writer->markdown, text, level);
    cmark_node *first = cmark_node_first_child(root);

    *root_out = NULL;
    if (first != NULL && (cmark_node_get_type(first) != CMARK_NODE_PARAGRAPH ||
                          cmark_node_next(first) != NULL)) {
        *root_out = root;
        return false;
    }
    if (first != NULL) {
        /* The texts point into the paragraph, which does not come along. */
        cmark_node_own(first);
        move_inlines(writer, cell, first);
    }
    cmark_node_free(root);
    return true;
}

static void add_string(struct cs_value_writer *writer, cmark_node *parent,
                       struct cs_view text, int level)
{
    cs_markdown_move_children(parent, cs_markdown_parse(writer->markdown, text, level));
}

/* A scalar's inlines into a cell or paragraph, whatever they are. */
static void add_scalar_inline(struct cs_value_writer *writer, cmark_node *cell,
                              const struct cs_json *value)
{
    cmark_node *root;

    if (cs_json_type(value) != CS_JSON_STRING) {
        cs_markdown_add_text(writer->markdown, cell, scalar_text(writer, value));
        return;
    }
    if (add_inlines(writer, cell, cs_json_string(value), 0, &root))
        return;
    /* A list or a heading in a cell: its source in one line is what fits there. */
    cmark_node_free(root);
    cs_buf_reset(&writer->scratch);
    cs_text_line(&writer->scratch, cs_json_string(value));
    end_without_memory(&writer->scratch);
    cs_markdown_add_text(writer->markdown, cell, cs_buf_view(&writer->scratch));
}

/* ---- objects --------------------------------------------------------------- */

static bool is_short(const struct cs_json *value)
{
    struct cs_view text = cs_json_string(value);

    if (!is_scalar(value))
        return false;
    return text.ptr == NULL || (text.len > 0 && text.len <= SHORT_TEXT &&
                                cs_view_find_byte(text, '\n') == SIZE_MAX &&
                                cs_view_find_byte(text, ',') == SIZE_MAX);
}

/* [14, 16, 20] and ["calm", "dry"] fit into one field. */
static bool is_short_list(const struct cs_json *value)
{
    size_t count = cs_json_length(value);

    if (cs_json_type(value) != CS_JSON_ARRAY || count > SHORT_COUNT)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!is_short(cs_json_at(value, i)))
            return false;
    return true;
}

static void add_short_list(struct cs_value_writer *writer, cmark_node *cell,
                           const struct cs_json *value)
{
    size_t count = cs_json_length(value);

    if (count == 0)
        cs_markdown_add_text(writer->markdown, cell,
                             cs_view_cstr(cs_label(writer->language, CS_LABEL_EMPTY)));
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            cs_markdown_add_text(writer->markdown, cell, CS_LIT(", "));
        add_scalar_inline(writer, cell, cs_json_at(value, i));
    }
}

/* Where the members of one object go: fields one after another share a table. */
struct member_sink {
    cmark_node *parent;
    cmark_node *fields; /* open list of fields, or NULL */
    int level;
    struct cs_view above; /* title of the heading above, for paths */
};

static cmark_node *sink_field(struct cs_value_writer *writer, struct member_sink *sink,
                              struct cs_view title)
{
    if (sink->fields == NULL)
        sink->fields = cs_value_fields(writer, sink->parent);
    return field_cell(writer, sink->fields, title);
}

/* A heading for what does not fit into a field. Below the levels that can be
 * told apart by eye, it names what it belongs to. */
static void sink_heading(struct cs_value_writer *writer, struct member_sink *sink,
                         struct cs_view title)
{
    struct cs_buf path = CS_BUF_INIT(writer->scratch.max);

    sink->fields = NULL;
    if (sink->level > 3 && sink->above.len > 0) {
        cs_text_cut(&path, sink->above, PATH_TEXT);
        cs_buf_add_cstr(&path, " › ");
    }
    cs_buf_add(&path, title);
    end_without_memory(&path);
    cs_markdown_add_heading(writer->markdown, sink->parent, cs_buf_view(&path),
                            sink->level);
    cs_buf_clear(&path);
}

static void sink_string(struct cs_value_writer *writer, struct member_sink *sink,
                        struct cs_view title, struct cs_view text)
{
    cmark_node *cell = cs_markdown_node(writer->markdown, CMARK_NODE_PARAGRAPH);
    cmark_node *root, *field;

    if (add_inlines(writer, cell, text, sink->level, &root)) {
        field = sink_field(writer, sink, title);
        if (cmark_node_first_child(cell) == NULL)
            cs_markdown_add_text(
                writer->markdown, field,
                cs_view_cstr(cs_label(writer->language, CS_LABEL_EMPTY)));
        else
            move_inlines(writer, field, cell);
    } else {
        sink_heading(writer, sink, title);
        cs_markdown_move_children(sink->parent, root);
    }
    cmark_node_free(cell);
}

/* Follows {"a": {"b": {"c": 1}}} down to where it branches: "A › B › C". */
static const struct cs_json *follow_chain(struct cs_value_writer *writer,
                                          struct cs_buf *title,
                                          const struct cs_json *value)
{
    while (cs_json_type(value) == CS_JSON_OBJECT && cs_json_length(value) == 1) {
        struct cs_json_iter iter = {0};
        struct cs_buf name = CS_BUF_INIT(writer->scratch.max);

        if (!cs_json_next(&iter, value))
            break;
        add_title(writer, &name, iter.name);
        cs_buf_add_cstr(title, " › ");
        cs_buf_add(title, cs_buf_view(&name));
        cs_buf_clear(&name);
        value = iter.value;
    }
    end_without_memory(title);
    return value;
}

static void sink_member(struct cs_value_writer *writer, struct member_sink *sink,
                        struct cs_view name, const struct cs_json *value)
{
    struct cs_buf title_buf = CS_BUF_INIT(writer->scratch.max);
    struct cs_view title;

    add_title(writer, &title_buf, name);
    value = follow_chain(writer, &title_buf, value);
    title = cs_buf_view(&title_buf);
    if (cs_json_type(value) == CS_JSON_STRING) {
        sink_string(writer, sink, title, cs_json_string(value));
    } else if (is_scalar(value)) {
        cs_markdown_add_text(writer->markdown, sink_field(writer, sink, title),
                             scalar_text(writer, value));
    } else if (is_short_list(value)) {
        add_short_list(writer, sink_field(writer, sink, title), value);
    } else {
        sink_heading(writer, sink, title);
        add_any(writer, sink->parent, value, sink->level + 1, title);
    }
    cs_buf_clear(&title_buf);
}

bool cs_value_add_members(struct cs_value_writer *writer, cmark_node *parent,
                          const struct cs_json *object, int level, cs_value_skip_fn *skip,
                          void *payload)
{
    struct member_sink sink = {.parent = parent, .level = level};
    struct cs_json_iter iter = {0};
    bool any = false;

    while (cs_json_next(&iter, object)) {
        if (skip != NULL && skip(payload, iter.name))
            continue;
        sink_member(writer, &sink, iter.name, iter.value);
        any = true;
    }
    return any;
}

/* ---- arrays ---------------------------------------------------------------- */

struct columns {
    struct cs_view names[MAX_COLUMNS];
    bool numeric[MAX_COLUMNS]; /* every value is a number */
    size_t count;
};

static bool add_column(struct columns *columns, struct cs_view name,
                       const struct cs_json *value)
{
    bool number = cs_json_type(value) == CS_JSON_NUMBER || value == NULL;
    struct cs_view text = cs_json_string(value);

    if (!is_scalar(value) || text.len > CELL_TEXT ||
        (text.len > 0 && cs_view_find_byte(text, '\n') != SIZE_MAX))
        return false;
    for (size_t i = 0; i < columns->count; i++) {
        if (!cs_view_eq(columns->names[i], name))
            continue;
        columns->numeric[i] = columns->numeric[i] && number;
        return true;
    }
    if (columns->count == MAX_COLUMNS)
        return false;
    columns->names[columns->count] = name;
    columns->numeric[columns->count++] = number;
    return true;
}

/* At least two objects of scalars with few names between them make a table. */
static bool find_columns(struct columns *columns, const struct cs_json *array)
{
    size_t count = cs_json_length(array);
    size_t cells = 0;

    columns->count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct cs_json *row = cs_json_at(array, i);
        struct cs_json_iter iter = {0};

        if (cs_json_type(row) != CS_JSON_OBJECT)
            return false;
        cells += cs_json_length(row);
        while (cs_json_next(&iter, row))
            if (!add_column(columns, iter.name, iter.value))
                return false;
    }
    /* A sparse table reads worse than its rows one by one. */
    return count >= 2 && columns->count > 0 && cells * 2 >= count * columns->count;
}

static void add_object_table(struct cs_value_writer *writer, cmark_node *parent,
                             const struct cs_json *array, const struct columns *columns)
{
    uint8_t alignments[MAX_COLUMNS] = {0};
    cmark_node *table, *row;

    for (size_t i = 0; i < columns->count; i++)
        alignments[i] = columns->numeric[i] ? 'r' : 0;
    table = add_table(writer, parent, columns->count, alignments);
    row = add_row(writer, table, true);
    for (size_t i = 0; i < columns->count; i++) {
        struct cs_buf title = CS_BUF_INIT(writer->scratch.max);

        add_title(writer, &title, columns->names[i]);
        add_cell(writer, row, cs_buf_view(&title));
        cs_buf_clear(&title);
    }
    for (size_t i = 0; i < cs_json_length(array); i++) {
        const struct cs_json *object = cs_json_at(array, i);
        cmark_node *cells[MAX_COLUMNS];
        struct cs_json_iter iter = {0};

        row = add_row(writer, table, false);
        for (size_t c = 0; c < columns->count; c++)
            cells[c] = add_cell(writer, row, cs_view_of("", 0));
        while (cs_json_next(&iter, object))
            for (size_t c = 0; c < columns->count; c++)
                if (cs_view_eq(columns->names[c], iter.name))
                    add_scalar_inline(writer, cells[c], iter.value);
    }
}

static cmark_node *add_list(struct cs_value_writer *writer, cmark_node *parent)
{
    cmark_node *list = cs_markdown_add(writer->markdown, parent, CMARK_NODE_LIST);

    cmark_node_set_list_type(list, CMARK_BULLET_LIST);
    cmark_node_set_list_tight(list, 1);
    return list;
}

/* What an element of a list calls itself. */
static struct cs_view element_name(const struct cs_json *value)
{
    static const char *const names[] = {"name",  "title", "role", "agent",
                                        "label", "type",  "id"};

    for (size_t i = 0; i < CS_COUNT(names); i++) {
        struct cs_view text = cs_json_get_string(value, names[i]);

        if (text.len > 0 && text.len <= SHORT_TEXT * 2)
            return text;
    }
    return cs_view_of(NULL, 0);
}

static void add_element_heading(struct cs_value_writer *writer, struct member_sink *sink,
                                const struct cs_json *value, size_t index)
{
    struct cs_buf title = CS_BUF_INIT(writer->scratch.max);

    cs_buf_add_u64(&title, index + 1);
    if (cs_json_type(value) == CS_JSON_OBJECT && element_name(value).len > 0) {
        cs_buf_add_cstr(&title, ". ");
        cs_text_line(&title, element_name(value));
    }
    end_without_memory(&title);
    sink_heading(writer, sink, cs_buf_view(&title));
    cs_buf_clear(&title);
}

/* One element of an array that is no table: short things are items of a list,
 * texts with structure of their own stand one after another, the rest gets a
 * heading. *list is the open list, or NULL. */
static void add_element(struct cs_value_writer *writer, struct member_sink *sink,
                        const struct cs_json *value, size_t index, cmark_node **list)
{
    cmark_node *paragraph, *root;

    if (is_scalar(value) || is_short_list(value)) {
        paragraph = cs_markdown_node(writer->markdown, CMARK_NODE_PARAGRAPH);
        root = NULL;
        if (cs_json_type(value) == CS_JSON_STRING)
            add_inlines(writer, paragraph, cs_json_string(value), sink->level - 1, &root);
        else if (is_scalar(value))
            add_scalar_inline(writer, paragraph, value);
        else
            add_short_list(writer, paragraph, value);
        if (root == NULL) {
            *list = *list != NULL ? *list : add_list(writer, sink->parent);
            cmark_node_append_child(
                cs_markdown_add(writer->markdown, *list, CMARK_NODE_ITEM), paragraph);
            return;
        }
        cmark_node_free(paragraph);
        *list = NULL;
        cs_markdown_move_children(sink->parent, root);
        return;
    }
    *list = NULL;
    add_element_heading(writer, sink, value, index);
    add_any(writer, sink->parent, value, sink->level + 1, sink->above);
}

static void add_array(struct cs_value_writer *writer, cmark_node *parent,
                      const struct cs_json *array, int level, struct cs_view above)
{
    struct member_sink sink = {.parent = parent, .level = level, .above = above};
    struct columns columns;
    cmark_node *list = NULL;

    if (find_columns(&columns, array)) {
        add_object_table(writer, parent, array, &columns);
        return;
    }
    for (size_t i = 0; i < cs_json_length(array); i++)
        add_element(writer, &sink, cs_json_at(array, i), i, &list);
}

/* ---- anything -------------------------------------------------------------- */

static void add_object(struct cs_value_writer *writer, cmark_node *parent,
                       const struct cs_json *object, int level, struct cs_view above)
{
    struct member_sink sink = {.parent = parent, .level = level, .above = above};
    struct cs_json_iter iter = {0};

    while (cs_json_next(&iter, object))
        sink_member(writer, &sink, iter.name, iter.value);
}

static void add_any(struct cs_value_writer *writer, cmark_node *parent,
                    const struct cs_json *value, int level, struct cs_view above)
{
    enum cs_json_type type = cs_json_type(value);

    if (type == CS_JSON_STRING) {
        add_string(writer, parent, cs_json_string(value), level - 1);
    } else if (is_scalar(value) || cs_json_length(value) == 0) {
        cs_markdown_add_text(
            writer->markdown,
            cs_markdown_add(writer->markdown, parent, CMARK_NODE_PARAGRAPH),
            is_scalar(value) ? scalar_text(writer, value)
                             : cs_view_cstr(cs_label(writer->language, CS_LABEL_EMPTY)));
    } else if (type == CS_JSON_ARRAY) {
        add_array(writer, parent, value, level, above);
    } else {
        add_object(writer, parent, value, level, above);
    }
}

void cs_value_add(struct cs_value_writer *writer, cmark_node *parent,
                  const struct cs_json *value, int level)
{
    add_any(writer, parent, value, level, cs_view_of("", 0));
}
