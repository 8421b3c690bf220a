/* render/document_facts.h: the facts around a document's sections: title,
 * client, language, palette, tagline, call to action. Part of render/document.c. */
#ifndef CS_RENDER_DOCUMENT_FACTS_H
#define CS_RENDER_DOCUMENT_FACTS_H

#include "render/arena.h"
#include "render/document.h"
#include "json/tree.h"

/* What the brief says; before the sections, which need the language. */
void cs_facts_from_brief(struct cs_document *document, struct cs_arena *arena,
                         struct cs_view campaign_name, const struct cs_json *brief,
                         const struct cs_json *state);

/* What stands in the artifacts: tagline, summary, call to action, key visual. */
void cs_facts_from_sections(struct cs_document *document, struct cs_arena *arena,
                            const struct cs_json *brief, const struct cs_json *state);

#endif
