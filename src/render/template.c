#include "config.h"

#include "render/template.h"

#include <stdlib.h>

#include "render/template_ops.h"

#define MAX_DELIMITER 16u
#define MAX_NESTING   64u

/* ---- data ------------------------------------------------------------------------ */

struct cs_data *cs_data_new(struct cs_arena *arena)
{
    struct cs_data *data = cs_arena_alloc(arena, 1, sizeof(*data));

    if (data != NULL)
        data->kind = CS_DATA_OBJECT;
    return data;
}

struct cs_data *cs_data_add(struct cs_arena *arena, struct cs_data *parent,
                            const char *name, enum cs_data_kind kind)
{
    struct cs_data *data = cs_arena_alloc(arena, 1, sizeof(*data));

    if (data == NULL || parent == NULL)
        return NULL;
    data->kind = kind;
    data->name = name;
    if (parent->last == NULL)
        parent->first = data;
    else
        parent->last->next = data;
    parent->last = data;
    return data;
}

static void add_bytes(struct cs_arena *arena, struct cs_data *parent, const char *name,
                      enum cs_data_kind kind, struct cs_view text)
{
    struct cs_data *data = cs_data_add(arena, parent, name, kind);

    if (data != NULL)
        data->text = text;
}

void cs_data_add_text(struct cs_arena *arena, struct cs_data *parent, const char *name,
                      struct cs_view text)
{
    add_bytes(arena, parent, name, CS_DATA_TEXT, text);
}

void cs_data_add_cstr(struct cs_arena *arena, struct cs_data *parent, const char *name,
                      const char *text)
{
    add_bytes(arena, parent, name, CS_DATA_TEXT, cs_view_cstr(text));
}

void cs_data_add_html(struct cs_arena *arena, struct cs_data *parent, const char *name,
                      struct cs_view html)
{
    add_bytes(arena, parent, name, CS_DATA_HTML, html);
}

void cs_data_add_bool(struct cs_arena *arena, struct cs_data *parent, const char *name,
                      bool value)
{
    (void)cs_data_add(arena, parent, name, value ? CS_DATA_TRUE : CS_DATA_FALSE);
}

/* ---- compiling --------------------------------------------------------------------- */

struct compiler {
    struct cs_template *template;
    struct cs_view source;
    size_t at; /* first byte not compiled yet */
    char open[MAX_DELIMITER + 1], close[MAX_DELIMITER + 1];
    size_t sections[MAX_NESTING]; /* indices of the open sections' ops */
    size_t depth;
    struct cs_err *err;
};

/* A tag found in the source. */
struct tag {
    size_t start, end; /* of the whole tag */
    char sigil;        /* one of "#^/>&!={", or '\0' */
    struct cs_view content;
};

static enum cs_code fault(const struct compiler *compiler, size_t at, const char *what,
                          struct cs_view name)
{
    size_t line = 1;

    for (size_t i = 0; i < at && i < compiler->source.len; i++)
        line += compiler->source.ptr[i] == '\n' ? 1 : 0;
    return cs_err_set(compiler->err, CS_EINVAL, "template %s, line %zu: %s%s%.*s%s",
                      compiler->template->name, line, what, name.len > 0 ? " \"" : "",
                      CS_FMT(name), name.len > 0 ? "\"" : "");
}

static enum cs_code add_op(struct compiler *compiler, struct cs_template_op op)
{
    struct cs_template *template = compiler->template;
    struct cs_template_op *grown;
    size_t room;

    if (op.kind == CS_OP_TEXT && op.text.len == 0)
        return CS_OK;
    if (template->count == template->room) {
        room = template->room * 2 + 16;
        grown = realloc(template->ops, room * sizeof(*grown));
        if (grown == NULL)
            return cs_err_nomem(compiler->err);
        template->ops = grown;
        template->room = room;
    }
    template->ops[template->count++] = op;
    return CS_OK;
}

static enum cs_code add_text(struct compiler *compiler, size_t from, size_t to)
{
    return add_op(compiler, (struct cs_template_op){
                                .kind = CS_OP_TEXT,
                                .text = cs_view_sub(compiler->source, from, to - from)});
}

/* Finds the next tag. False with CS_OK in *code_out at the end of the source. */
static bool find_tag(struct compiler *compiler, struct tag *tag, enum cs_code *code_out)
{
    struct cs_view rest = cs_view_from(compiler->source, compiler->at);
    size_t open = cs_view_find(rest, cs_view_cstr(compiler->open));
    struct cs_view close = cs_view_cstr(compiler->close);
    char triple[MAX_DELIMITER + 2];
    size_t end, extra = 0;

    *code_out = CS_OK;
    if (open == SIZE_MAX)
        return false;
    *tag = (struct tag){.start = compiler->at + open};
    rest = cs_view_from(rest, open + strlen(compiler->open));
    if (rest.len > 0 && strchr("#^/>&!={", rest.ptr[0]) != NULL && rest.ptr[0] != '\0') {
        tag->sigil = rest.ptr[0];
        rest = cs_view_from(rest, 1);
    }
    if (tag->sigil == '{' || tag->sigil == '=') {
        triple[0] = tag->sigil == '{' ? '}' : '=';
        memcpy(triple + 1, compiler->close, close.len + 1);
        close = cs_view_cstr(triple);
        extra = 1;
    }
    end = cs_view_find(rest, close);
    if (end == SIZE_MAX) {
        *code_out = fault(compiler, tag->start, "a tag is not closed", cs_view_of("", 0));
        return false;
    }
    tag->content = cs_view_trim(cs_view_of(rest.ptr, end));
    tag->end =
        (size_t)(rest.ptr - compiler->source.ptr) + end + strlen(compiler->close) + extra;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Tags other than values that stand alone on their line take the line with them:
 * widens [*from, *to) over it, and gives the indentation. */
static bool stands_alone(const struct compiler *compiler, const struct tag *tag,
                         size_t *from, size_t *to)
{
    struct cs_view source = compiler->source;
    size_t before = tag->start, after = tag->end;

    if (tag->sigil == '\0' || tag->sigil == '{' || tag->sigil == '&')
        return false;
    while (before > 0 && is_blank(source.ptr[before - 1]))
        before--;
    while (after < source.len && is_blank(source.ptr[after]))
        after++;
    if (before > 0 && source.ptr[before - 1] != '\n')
        return false;
    if (after + 1 < source.len && source.ptr[after] == '\r' &&
        source.ptr[after + 1] == '\n')
        after += 2;
    else if (after < source.len && source.ptr[after] == '\n')
        after++;
    else if (after < source.len)
        return false;
    *from = before;
    *to = after;
    return true;
}

static bool take_delimiter(char out[MAX_DELIMITER + 1], struct cs_view text)
{
    if (text.len == 0 || text.len > MAX_DELIMITER ||
        cs_view_find_byte(text, '=') != SIZE_MAX)
        return false;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

static enum cs_code set_delimiters(struct compiler *compiler, const struct tag *tag)
{
    struct cs_view text = tag->content;
    size_t gap = 0, second;

    while (gap < text.len && !is_blank(text.ptr[gap]))
        gap++;
    second = gap;
    while (second < text.len && is_blank(text.ptr[second]))
        second++;
    if (!take_delimiter(compiler->open, cs_view_of(text.ptr, gap)) ||
        !take_delimiter(compiler->close, cs_view_from(text, second)))
        return fault(compiler, tag->start, "delimiters must be two short words:", text);
    return CS_OK;
}

static enum cs_code open_section(struct compiler *compiler, const struct tag *tag)
{
    if (compiler->depth == MAX_NESTING)
        return fault(compiler, tag->start, "sections nest too deep at", tag->content);
    compiler->sections[compiler->depth++] = compiler->template->count;
    return add_op(compiler,
                  (struct cs_template_op){.kind = tag->sigil == '#' ? CS_OP_SECTION
                                                                    : CS_OP_INVERTED,
                                          .text = tag->content});
}

static enum cs_code close_section(struct compiler *compiler, const struct tag *tag)
{
    struct cs_template_op *open;
    enum cs_code code;

    if (compiler->depth == 0)
        return fault(compiler, tag->start, "no section is open to be closed by",
                     tag->content);
    open = &compiler->template->ops[compiler->sections[compiler->depth - 1]];
    if (!cs_view_eq(open->text, tag->content))
        return fault(compiler, tag->start, "another section must be closed before",
                     tag->content);
    code = add_op(compiler, (struct cs_template_op){.kind = CS_OP_END});
    if (code == CS_OK)
        compiler->template->ops[compiler->sections[--compiler->depth]].past =
            compiler->template->count;
    return code;
}

static enum cs_code compile_tag(struct compiler *compiler, const struct tag *tag,
                                struct cs_view indent)
{
    if (tag->sigil != '!' && tag->content.len == 0)
        return fault(compiler, tag->start, "a tag has no name", cs_view_of("", 0));
    switch (tag->sigil) {
    case '!':
        return CS_OK;
    case '=':
        return set_delimiters(compiler, tag);
    case '#':
    case '^':
        return open_section(compiler, tag);
    case '/':
        return close_section(compiler, tag);
    case '>':
        return add_op(compiler, (struct cs_template_op){.kind = CS_OP_PARTIAL,
                                                        .text = tag->content,
                                                        .indent = indent});
    case '{':
    case '&':
        return add_op(compiler,
                      (struct cs_template_op){.kind = CS_OP_RAW, .text = tag->content});
    default:
        return add_op(compiler,
                      (struct cs_template_op){.kind = CS_OP_VALUE, .text = tag->content});
    }
}

static enum cs_code compile(struct compiler *compiler)
{
    enum cs_code code = CS_OK;
    struct tag tag;

    while (code == CS_OK && find_tag(compiler, &tag, &code)) {
        size_t from = tag.start, to = tag.end;
        struct cs_view indent = cs_view_of("", 0);

        if (stands_alone(compiler, &tag, &from, &to))
            indent = cs_view_sub(compiler->source, from, tag.start - from);
        code = add_text(compiler, compiler->at, from);
        if (code == CS_OK)
            code = compile_tag(compiler, &tag, indent);
        compiler->at = to;
    }
    if (code == CS_OK)
        code = add_text(compiler, compiler->at, compiler->source.len);
    if (code == CS_OK && compiler->depth > 0) {
        struct cs_template_op *open =
            &compiler->template->ops[compiler->sections[compiler->depth - 1]];

        code = fault(compiler, (size_t)(open->text.ptr - compiler->source.ptr),
                     "a section is not closed:", open->text);
    }
    return code;
}

/* ---- the set ------------------------------------------------------------------------
 */

struct cs_templates *cs_templates_new(struct cs_err *err)
{
    struct cs_templates *templates = calloc(1, sizeof(*templates));

    if (templates == NULL)
        (void)cs_err_nomem(err);
    return templates;
}

static void clear_template(struct cs_template *template)
{
    free(template->name);
    free(template->source);
    free(template->ops);
    *template = (struct cs_template){.name = NULL};
}

void cs_templates_free(struct cs_templates *templates)
{
    if (templates == NULL)
        return;
    for (size_t i = 0; i < templates->count; i++)
        clear_template(&templates->items[i]);
    free(templates->items);
    free(templates);
}

const struct cs_template *cs_templates_find(const struct cs_templates *templates,
                                            struct cs_view name)
{
    for (size_t i = 0; i < templates->count; i++)
        if (cs_view_eq_cstr(name, templates->items[i].name))
            return &templates->items[i];
    return NULL;
}

bool cs_templates_has(const struct cs_templates *templates, const char *name)
{
    return cs_templates_find(templates, cs_view_cstr(name)) != NULL;
}

enum cs_code cs_templates_add(struct cs_templates *templates, const char *name,
                              struct cs_view source, struct cs_err *err)
{
    struct cs_template template = {.name = cs_view_dup(cs_view_cstr(name)),
                                   .source = cs_view_dup(source)};
    struct compiler compiler = {
        .template = &template, .open = "{{", .close = "}}", .err = err};
    struct cs_template *grown;
    enum cs_code code = CS_OK;

    compiler.source = cs_view_of(template.source, source.len);
    if (template.name == NULL || template.source == NULL)
        code = cs_err_nomem(err);
    else if (cs_templates_has(templates, name))
        code = cs_err_set(err, CS_EEXISTS, "template %s is there twice", name);
    else
        code = compile(&compiler);
    if (code == CS_OK) {
        grown = realloc(templates->items, (templates->count + 1) * sizeof(*grown));
        if (grown == NULL) {
            code = cs_err_nomem(err);
        } else {
            templates->items = grown;
            templates->items[templates->count++] = template;
            return CS_OK;
        }
    }
    clear_template(&template);
    return code;
}

enum cs_code cs_templates_check(const struct cs_templates *templates, struct cs_err *err)
{
    for (size_t i = 0; i < templates->count; i++) {
        const struct cs_template *template = &templates->items[i];

        for (size_t op = 0; op < template->count; op++)
            if (template->ops[op].kind == CS_OP_PARTIAL &&
                cs_templates_find(templates, template->ops[op].text) == NULL)
                return cs_err_set(err, CS_EINVAL, "template %s needs a partial \"%.*s\"",
                                  template->name, CS_FMT(template->ops[op].text));
    }
    return CS_OK;
}
