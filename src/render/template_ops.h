/* render/template_ops.h: what templates are compiled to. Part of
 * render/template.c. */
#ifndef CS_RENDER_TEMPLATE_OPS_H
#define CS_RENDER_TEMPLATE_OPS_H

#include "render/template.h"

enum cs_template_op_kind {
    CS_OP_TEXT,     /* text */
    CS_OP_VALUE,    /* text: name */
    CS_OP_RAW,      /* text: name */
    CS_OP_SECTION,  /* text: name; past: index behind its CS_OP_END */
    CS_OP_INVERTED, /* the same */
    CS_OP_END,
    CS_OP_PARTIAL /* text: name; indent: white space before a stand-alone tag */
};

struct cs_template_op {
    enum cs_template_op_kind kind;
    struct cs_view text; /* into the template's source */
    struct cs_view indent;
    size_t past;
};

struct cs_template {
    char *name;
    char *source;
    struct cs_template_op *ops;
    size_t count;
    size_t room;
};

struct cs_templates {
    struct cs_template *items;
    size_t count;
};

/* NULL when there is none of that name. */
const struct cs_template *cs_templates_find(const struct cs_templates *templates,
                                            struct cs_view name);

#endif
