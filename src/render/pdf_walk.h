/* render/pdf_walk.h: goes over a cmark-gfm tree, entering and leaving each node,
 * without recursion and without memory. */
#ifndef CS_RENDER_PDF_WALK_H
#define CS_RENDER_PDF_WALK_H

#include <cmark-gfm.h>
#include <stdbool.h>
#include <stddef.h>

struct cs_pdf_walk {
    cmark_node *root;
    cmark_node *node; /* NULL before the first step */
    bool entering;    /* else the node is left; leaves are entered and left as well */
    bool skip;        /* set on entering: what is in the node is not visited */
};

/* Goes on to the next event; false behind the last one. */
static inline bool cs_pdf_walk_next(struct cs_pdf_walk *walk)
{
    cmark_node *next;

    if (walk->node == NULL) {
        walk->node = walk->root;
        walk->entering = true;
        return walk->root != NULL;
    }
    if (walk->entering) {
        next = walk->skip ? NULL : cmark_node_first_child(walk->node);
        walk->skip = false;
        walk->entering = next != NULL;
        walk->node = next != NULL ? next : walk->node;
        return true;
    }
    if (walk->node == walk->root)
        return false;
    next = cmark_node_next(walk->node);
    walk->entering = next != NULL;
    walk->node = next != NULL ? next : cmark_node_parent(walk->node);
    return true;
}

#endif
