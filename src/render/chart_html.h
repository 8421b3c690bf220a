/* render/chart_html.h: charts and the campaign's own pattern as HTML with inline
 * SVG, each drawing with a title and a description. */
#ifndef CS_RENDER_CHART_HTML_H
#define CS_RENDER_CHART_HTML_H

#include "render/document.h"

/* Colours of the parts of a chart, that stand out from the page in both schemes. */
#define CS_CHART_COLOURS 10u
void cs_chart_colours(struct cs_colour out[CS_CHART_COLOURS],
                      const struct cs_scheme *scheme);

/* Appends a <figure>. `id` is unique in the page and made of slug characters. */
void cs_chart_html(struct cs_buf *out, const struct cs_chart *chart, const char *id,
                   const char *language);

/* Appends a decorative drawing of 4:3 that no two campaigns share: shape and
 * arrangement come from the seed text alone, colours from the style sheet's
 * variables. */
void cs_pattern_html(struct cs_buf *out, struct cs_view seed);

#endif
