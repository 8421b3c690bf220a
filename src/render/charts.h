/* render/charts.h: figures found in media plans and in the agents' interactions. */
#ifndef CS_RENDER_CHARTS_H
#define CS_RENDER_CHARTS_H

#include "render/arena.h"
#include "render/document.h"
#include "json/tree.h"

/* Adds the charts of a media plan to the section: from `plan` when it holds a list
 * of channels with budgets, shares or dates, else from the first table of the
 * section's content with such columns. None found is no failure. */
void cs_charts_media(struct cs_section *section, struct cs_arena *arena,
                     const struct cs_json *plan, const char *language);

/* Adds the schedule of the first table of the section's content that says when each of
 * its phases is. */
void cs_charts_phases(struct cs_section *section, struct cs_arena *arena,
                      const char *language);

/* Adds what is to become of figures: from lists of objects in `value` that have a
 * baseline and a target, else from the first table of the section's content that has
 * such columns. */
void cs_charts_kpis(struct cs_section *section, struct cs_arena *arena,
                    const struct cs_json *value, const char *language);

/* Adds the time that each agent took, from `started` to its next event. */
void cs_charts_durations(struct cs_section *section, struct cs_arena *arena,
                         const struct cs_json *interactions, const char *language);

/* The number in a text such as "$11,640", "24 750,00 $", "9.1 %": false when there
 * is none. *percent_out tells that a percent sign stands behind it. */
bool cs_charts_number(double *out, bool *percent_out, struct cs_view text);

#endif
