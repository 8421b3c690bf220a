/* render/chart_dates.h: when something happens, as media plans write it. */
#ifndef CS_RENDER_CHART_DATES_H
#define CS_RENDER_CHART_DATES_H

#include "base/buf.h"

enum cs_span_kind {
    CS_SPAN_NONE,
    CS_SPAN_DATED,    /* days since 1970-01-01: "2025-01-06", "3 Feb 2025" */
    CS_SPAN_YEARLESS, /* days of a year that is not said: "March 3", "3 Feb – 16 Mar" */
    CS_SPAN_RELATIVE, /* days since the campaign's first: "Week 1–2", "Q1", "Day 1-7" */
    CS_SPAN_LENGTH    /* from 0 on, to follow what is before it: "2 weeks" */
};

struct cs_span {
    enum cs_span_kind kind;
    int64_t first, last; /* days, first <= last */
};

/* Lengths in days of what a column of bare numbers counts, by its heading ("Weeks"). */
enum cs_span_unit {
    CS_UNIT_NONE = 0,
    CS_UNIT_DAY = 1,
    CS_UNIT_WEEK = 7,
    CS_UNIT_MONTH = 30,
    CS_UNIT_QUARTER = 91
};
enum cs_span_unit cs_span_unit_of(struct cs_view heading);

/* The span that a text means, in English, French, German, Spanish, Italian, Portuguese or
 * Dutch where it has words; bare numbers count `unit`. The kind is CS_SPAN_NONE when it
 * means none. */
struct cs_span cs_span_of(struct cs_view text, enum cs_span_unit unit);

/* Days since 1970-01-01 of "2025-01-06" (more may follow); false otherwise. */
bool cs_span_day(int64_t *out, struct cs_view text);

#endif
