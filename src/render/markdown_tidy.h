/* render/markdown_tidy.h: what is taken out of a parsed Markdown tree: HTML,
 * unsafe addresses, nesting past any use. Part of render/markdown.c. */
#ifndef CS_RENDER_MARKDOWN_TIDY_H
#define CS_RENDER_MARKDOWN_TIDY_H

#include "render/markdown.h"

/* Works in place; headings get their level plus `offset` as user data. */
void cs_markdown_tidy(struct cs_markdown *markdown, cmark_node *root, int offset);

#endif
