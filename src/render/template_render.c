#include "config.h"

#include "render/template.h"

#include "render/template_ops.h"
#include "render/text.h"

#define MAX_CONTEXTS 128u
#define MAX_PARTIALS 64u

struct rendering {
    const struct cs_templates *templates;
    const struct cs_data *contexts[MAX_CONTEXTS];
    size_t depth;
    size_t partials;
    enum cs_template_mode mode;
    struct cs_buf *out;
    struct cs_buf indent; /* of the partials that are being rendered */
    bool line_start;
    struct cs_err *err;
};

static enum cs_code run(struct rendering *rendering, const struct cs_template *template,
                        size_t from, size_t to);

static const struct cs_data *member(const struct cs_data *object, struct cs_view name)
{
    const struct cs_data *at;

    if (object == NULL || object->kind != CS_DATA_OBJECT)
        return NULL;
    for (at = object->first; at != NULL; at = at->next)
        if (cs_view_eq_cstr(name, at->name))
            return at;
    return NULL;
}

/* The first part of a dotted name is looked for in all contexts, from the inner
 * one outwards; the rest only in what it names. */
static const struct cs_data *look_up(const struct rendering *rendering,
                                     struct cs_view name)
{
    const struct cs_data *found = NULL;
    struct cs_view part;

    if (cs_view_eq(name, CS_LIT(".")))
        return rendering->contexts[rendering->depth - 1];
    if (!cs_view_split(&name, '.', &part))
        return NULL;
    for (size_t i = rendering->depth; i-- > 0 && found == NULL;)
        found = member(rendering->contexts[i], part);
    while (found != NULL && cs_view_split(&name, '.', &part))
        found = member(found, part);
    return found;
}

static bool is_true(const struct cs_data *data)
{
    if (data == NULL)
        return false;
    switch (data->kind) {
    case CS_DATA_FALSE:
        return false;
    case CS_DATA_TEXT:
    case CS_DATA_HTML:
        return data->text.len > 0;
    case CS_DATA_LIST:
        return data->first != NULL;
    case CS_DATA_TRUE:
    case CS_DATA_OBJECT:
        break;
    }
    return true;
}

/* A partial that stood alone on an indented line has each of its lines indented;
 * lines that come out of the data are not lines of the partial. */
static void begin_line(struct rendering *rendering)
{
    if (rendering->line_start && rendering->indent.len > 0)
        cs_buf_add(rendering->out, cs_buf_view(&rendering->indent));
    rendering->line_start = false;
}

static void put_text(struct rendering *rendering, struct cs_view text)
{
    if (rendering->indent.len == 0) {
        cs_buf_add(rendering->out, text);
        rendering->line_start = text.len > 0 && text.ptr[text.len - 1] == '\n';
        return;
    }
    while (text.len > 0) {
        size_t feed = cs_view_find_byte(text, '\n');
        size_t len = feed == SIZE_MAX ? text.len : feed + 1;

        begin_line(rendering);
        cs_buf_add(rendering->out, cs_view_of(text.ptr, len));
        rendering->line_start = feed != SIZE_MAX;
        text = cs_view_from(text, len);
    }
}

static void put_value(struct rendering *rendering, const struct cs_template_op *op)
{
    const struct cs_data *data = look_up(rendering, op->text);
    bool raw;

    begin_line(rendering);
    if (data == NULL || (data->kind != CS_DATA_TEXT && data->kind != CS_DATA_HTML))
        return;
    raw = data->kind == CS_DATA_HTML ||
          (op->kind == CS_OP_RAW && rendering->mode == CS_TEMPLATE_SPEC);
    if (raw)
        cs_buf_add(rendering->out, data->text);
    else
        cs_text_html(rendering->out, data->text);
}

static enum cs_code run_within(struct rendering *rendering, const struct cs_data *context,
                               const struct cs_template *template, size_t from, size_t to)
{
    enum cs_code code;

    if (rendering->depth == MAX_CONTEXTS)
        return cs_err_set(rendering->err, CS_EINVAL,
                          "template %s: sections nest too deep", template->name);
    rendering->contexts[rendering->depth++] = context;
    code = run(rendering, template, from, to);
    rendering->depth--;
    return code;
}

static enum cs_code run_section(struct rendering *rendering,
                                const struct cs_template *template, size_t at)
{
    const struct cs_template_op *op = &template->ops[at];
    const struct cs_data *data = look_up(rendering, op->text);
    enum cs_code code = CS_OK;

    if (op->kind == CS_OP_INVERTED)
        return is_true(data) ? CS_OK : run(rendering, template, at + 1, op->past - 1);
    if (!is_true(data))
        return CS_OK;
    if (data->kind != CS_DATA_LIST)
        return run_within(rendering, data, template, at + 1, op->past - 1);
    for (data = data->first; data != NULL && code == CS_OK; data = data->next)
        code = run_within(rendering, data, template, at + 1, op->past - 1);
    return code;
}

static enum cs_code run_partial(struct rendering *rendering,
                                const struct cs_template_op *op)
{
    const struct cs_template *partial = cs_templates_find(rendering->templates, op->text);
    size_t indent = rendering->indent.len;
    enum cs_code code;

    if (partial == NULL)
        return CS_OK;
    if (rendering->partials == MAX_PARTIALS)
        return cs_err_set(rendering->err, CS_EINVAL,
                          "template %s: partials nest too deep", partial->name);
    rendering->partials++;
    cs_buf_add(&rendering->indent, op->indent);
    code = run(rendering, partial, 0, partial->count);
    if (rendering->indent.failed == CS_OK)
        cs_buf_truncate(&rendering->indent, indent);
    rendering->partials--;
    return code;
}

static enum cs_code run(struct rendering *rendering, const struct cs_template *template,
                        size_t from, size_t to)
{
    enum cs_code code = CS_OK;

    for (size_t at = from; at < to && code == CS_OK; at++) {
        const struct cs_template_op *op = &template->ops[at];

        switch (op->kind) {
        case CS_OP_TEXT:
            put_text(rendering, op->text);
            break;
        case CS_OP_VALUE:
        case CS_OP_RAW:
            put_value(rendering, op);
            break;
        case CS_OP_SECTION:
        case CS_OP_INVERTED:
            code = run_section(rendering, template, at);
            at = op->past - 1;
            break;
        case CS_OP_PARTIAL:
            code = run_partial(rendering, op);
            break;
        case CS_OP_END:
            break;
        }
    }
    return code;
}

enum cs_code cs_templates_render(const struct cs_templates *templates, const char *name,
                                 const struct cs_data *data, enum cs_template_mode mode,
                                 struct cs_buf *out, struct cs_err *err)
{
    const struct cs_template *template = cs_templates_find(templates, cs_view_cstr(name));
    struct rendering rendering = {.templates = templates,
                                  .contexts = {data},
                                  .depth = 1,
                                  .mode = mode,
                                  .out = out,
                                  .indent = CS_BUF_INIT(4096),
                                  .line_start = true,
                                  .err = err};
    enum cs_code code;

    if (template == NULL)
        return cs_err_set(err, CS_ENOTFOUND, "there is no template %s", name);
    code = run(&rendering, template, 0, template->count);
    if (code == CS_OK)
        code = cs_buf_check(&rendering.indent, err);
    if (code == CS_OK)
        code = cs_buf_check(out, err);
    cs_buf_clear(&rendering.indent);
    return code;
}
