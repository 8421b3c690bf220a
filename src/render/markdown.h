/* render/markdown.h: Markdown as language models write it, as cmark-gfm trees
 * that keep the promises of render/document.h: no HTML, no unsafe address, no
 * deep nesting. */
#ifndef CS_RENDER_MARKDOWN_H
#define CS_RENDER_MARKDOWN_H

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm-extension_api.h>
#include <cmark-gfm.h>

/* Node types of the extensions; valid after cs_markdown_init(). */
extern cmark_node_type CMARK_NODE_TABLE, CMARK_NODE_TABLE_ROW, CMARK_NODE_TABLE_CELL,
    CMARK_NODE_STRIKETHROUGH;

#include "base/buf.h"

#define CS_MARKDOWN_EXTENSIONS 4u

struct cs_markdown {
    cmark_mem *mem;
    cmark_syntax_extension *extensions[CS_MARKDOWN_EXTENSIONS];
    cmark_syntax_extension *table;
    cmark_syntax_extension *strikethrough;
    struct cs_buf text; /* the text being parsed */
    bool in_html;       /* reading what an HTML block became: no second time */
};

/* Registers the extensions with the library, once per process. CS_EINTERNAL when
 * the library lacks one. */
enum cs_code cs_markdown_init(struct cs_markdown *markdown, size_t max_text,
                              struct cs_err *err) CS_MUST_USE;
void cs_markdown_clear(struct cs_markdown *markdown);

/* Parses a text to a CMARK_NODE_DOCUMENT, freed by cmark_node_free() or by the
 * tree that takes its children over. Headings carry their level plus `offset` as
 * user data until cs_markdown_level_headings(). Linear in the text; ends the
 * process (CS_DOCUMENT_EXIT_NOMEM) without memory. */
cmark_node *cs_markdown_parse(struct cs_markdown *markdown, struct cs_view text,
                              int offset);

/* New nodes by the same memory. `text` and `url` must be clean UTF-8 without NUL. */
cmark_node *cs_markdown_node(struct cs_markdown *markdown, cmark_node_type type);
cmark_node *cs_markdown_add(struct cs_markdown *markdown, cmark_node *parent,
                            cmark_node_type type);
void cs_markdown_add_text(struct cs_markdown *markdown, cmark_node *parent,
                          struct cs_view text);

/* Adds a heading with the given level as user data. */
cmark_node *cs_markdown_add_heading(struct cs_markdown *markdown, cmark_node *parent,
                                    struct cs_view text, int level);

/* Moves all children of `from` behind those of `to`, and frees `from`. */
void cs_markdown_move_children(cmark_node *to, cmark_node *from);

/* Gives all headings of the tree their final levels, 3 to 6, from the levels in
 * their user data: deeper is deeper, nothing is skipped. */
void cs_markdown_level_headings(cmark_node *root);

/* Appends the plain text of a subtree: breaks become spaces, images their
 * alternative text. At most `max` bytes are added (cut between characters). */
void cs_markdown_plain(struct cs_buf *out, cmark_node *node, size_t max);

#endif
