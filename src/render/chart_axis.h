/* render/chart_axis.h: the marks of a calendar's axis, for the website and the report. */
#ifndef CS_RENDER_CHART_AXIS_H
#define CS_RENDER_CHART_AXIS_H

#include "render/document.h"

#define CS_CHART_TICKS 8u

struct cs_chart_tick {
    double at;     /* from 0, where the first day begins, to 1, where the last one ends */
    char text[64]; /* "Jan 2025", "Feb", "2026", or "2025-01-20" on a calendar of weeks */
};

/* The days of a schedule, first and last one included: from the earliest start to the
 * latest end, but no more than 200 years. */
struct cs_chart_calendar {
    int64_t first, last;
};
struct cs_chart_calendar cs_chart_calendar(const struct cs_chart *chart);

/* The place of a day's beginning on the calendar, as in a tick. */
double cs_chart_place(const struct cs_chart_calendar *calendar, int64_t day);

/* Fills in at most `most` (up to CS_CHART_TICKS) marks: first days of months or years,
 * or of weeks where there are no two months. Gives how many they are: none where the
 * schedule has no dates, as its days count from any day. */
size_t cs_chart_ticks(struct cs_chart_tick out[CS_CHART_TICKS], size_t most,
                      const struct cs_chart *chart, const char *language);

#endif
