/* render/value.h: JSON of any shape as nodes of a Markdown tree: objects become
 * lists of fields and headings, arrays lists, tables or sequences, strings are
 * Markdown. Nothing is left out. */
#ifndef CS_RENDER_VALUE_H
#define CS_RENDER_VALUE_H

#include "render/markdown.h"
#include "json/tree.h"

/* Gives a member's name as a title, appended to out. NULL: cs_label_from_name. */
typedef void cs_value_title_fn(struct cs_buf *out, struct cs_view name,
                               const char *language);

struct cs_value_writer {
    struct cs_markdown *markdown;
    const char *language;
    cs_value_title_fn *title;
    struct cs_buf scratch;
};

void cs_value_writer_init(struct cs_value_writer *writer, struct cs_markdown *markdown,
                          const char *language, cs_value_title_fn *title,
                          size_t max_text);
void cs_value_writer_clear(struct cs_value_writer *writer);

/* Appends the value's nodes to parent; headings get levels from `level` on, as
 * user data (cs_markdown_level_headings). Linear in the size of the value. */
void cs_value_add(struct cs_value_writer *writer, cmark_node *parent,
                  const struct cs_json *value, int level);

/* The members of an object for which `skip` (may be NULL) is false. False when
 * there was none. */
typedef bool cs_value_skip_fn(void *payload, struct cs_view name);
bool cs_value_add_members(struct cs_value_writer *writer, cmark_node *parent,
                          const struct cs_json *object, int level, cs_value_skip_fn *skip,
                          void *payload);

/* Starts a list of fields, and adds a row of plain texts to one. */
cmark_node *cs_value_fields(struct cs_value_writer *writer, cmark_node *parent);
void cs_value_field(struct cs_value_writer *writer, cmark_node *fields,
                    struct cs_view name, struct cs_view text);

#endif
