/* render/template.h: Mustache templates (mustache(5), specification 1.4.2:
 * comments, delimiters, interpolation, sections, inverted sections, partials),
 * compiled once and rendered many times.
 *
 * Text of the data is data: it is never read as a template. */
#ifndef CS_RENDER_TEMPLATE_H
#define CS_RENDER_TEMPLATE_H

#include "render/arena.h"

/* ---- what a template is filled with -------------------------------------------- */

enum cs_data_kind {
    CS_DATA_FALSE,
    CS_DATA_TRUE,
    CS_DATA_TEXT, /* escaped where it is put into the page; "" counts as false */
    CS_DATA_HTML, /* made by us, put in as it is; "" counts as false */
    CS_DATA_LIST,
    CS_DATA_OBJECT
};

/* A value; its memory is the arena's. Text is borrowed. */
struct cs_data {
    enum cs_data_kind kind;
    const char *name; /* of a member of an object, else NULL */
    struct cs_view text;
    struct cs_data *first, *last; /* elements or members */
    struct cs_data *next;
};

/* A root to hang members on; NULL without memory, which all functions below take. */
struct cs_data *cs_data_new(struct cs_arena *arena);

/* Adds a member to an object or, with a NULL name, an element to a list. The name
 * is borrowed. Returns the new value, to hang more on where it is an object or list. */
struct cs_data *cs_data_add(struct cs_arena *arena, struct cs_data *parent,
                            const char *name, enum cs_data_kind kind);
void cs_data_add_text(struct cs_arena *arena, struct cs_data *parent, const char *name,
                      struct cs_view text);
void cs_data_add_cstr(struct cs_arena *arena, struct cs_data *parent, const char *name,
                      const char *text);
void cs_data_add_html(struct cs_arena *arena, struct cs_data *parent, const char *name,
                      struct cs_view html);
void cs_data_add_bool(struct cs_arena *arena, struct cs_data *parent, const char *name,
                      bool value);

/* ---- templates ------------------------------------------------------------------ */

struct cs_templates; /* templates that may name each other as partials */

struct cs_templates *cs_templates_new(struct cs_err *err);
void cs_templates_free(struct cs_templates *templates);

/* Compiles a template. CS_EINVAL names template, line and fault. Takes copies. */
enum cs_code cs_templates_add(struct cs_templates *templates, const char *name,
                              struct cs_view source, struct cs_err *err) CS_MUST_USE;

/* CS_EINVAL when a template names a partial that is not there. (Rendering puts
 * nothing in its place, as the specification wants.) */
enum cs_code cs_templates_check(const struct cs_templates *templates,
                                struct cs_err *err) CS_MUST_USE;

bool cs_templates_has(const struct cs_templates *templates, const char *name);

enum cs_template_mode {
    CS_TEMPLATE_SPEC, /* {{{name}}} and {{&name}} put texts in as they are */
    CS_TEMPLATE_SAFE  /* texts are always escaped, whatever the template says */
};

/* Appends the rendering. CS_ENOTFOUND: no such template. CS_EINVAL: partials or
 * sections nest too deep. */
enum cs_code cs_templates_render(const struct cs_templates *templates, const char *name,
                                 const struct cs_data *data, enum cs_template_mode mode,
                                 struct cs_buf *out, struct cs_err *err) CS_MUST_USE;

#endif
