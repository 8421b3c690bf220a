/* render/labels_more.h: words of further languages; for labels.c alone. */
#ifndef CS_RENDER_LABELS_MORE_H
#define CS_RENDER_LABELS_MORE_H

#include "render/labels.h"

/* The words by cs_label of a language ("it", "zh-TW"), all of them there; NULL for
 * languages that it does not have. */
const char *const *cs_labels_more(struct cs_view language);

#endif
