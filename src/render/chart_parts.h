/* render/chart_parts.h: what the readers of charts share; for charts.c and
 * chart_kpis.c alone. */
#ifndef CS_RENDER_CHART_PARTS_H
#define CS_RENDER_CHART_PARTS_H

#include "render/charts.h"
#include "render/labels.h"

#define CS_CHART_ROWS    40u
#define CS_CHART_COLUMNS 32u

/* A chart with room for CS_CHART_ROWS rows, counted by the caller; NULL when the
 * section has as many charts as it may or memory ran out. */
struct cs_chart *cs_chart_add(struct cs_section *section, struct cs_arena *arena,
                              enum cs_chart_kind kind, enum cs_label title,
                              const char *language);

/* A text as one line, cut where it is very long. */
struct cs_view cs_chart_line(struct cs_arena *arena, struct cs_view text);

/* The plain text of a table's cell, as such a line. */
struct cs_view cs_chart_cell(struct cs_arena *arena, cmark_node *cell);

/* The first of the members, by a list of names that NULL ends, that is a string or a
 * number; ptr NULL without one. */
struct cs_view cs_chart_member(const struct cs_json *object, const char *const *names);

#endif
