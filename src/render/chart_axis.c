#include "config.h"

#include "render/chart_axis.h"

#include "base/clock.h"
#include "render/labels.h"

#define DAY_US    (86400 * CS_SECOND_US)
#define SPAN_MOST (366 * 200) /* days; more is a slip of the data, not a plan */
#define TEXT_ROOM 0.15        /* of the width, for the longest month with its year */
#define WEEKS     4u          /* marks of a calendar of weeks: their texts are long */

struct cs_chart_calendar cs_chart_calendar(const struct cs_chart *chart)
{
    struct cs_chart_calendar calendar = {chart->rows[0].start_day,
                                         chart->rows[0].end_day};

    for (size_t i = 1; i < chart->count; i++) {
        if (chart->rows[i].start_day < calendar.first)
            calendar.first = chart->rows[i].start_day;
        if (chart->rows[i].end_day > calendar.last)
            calendar.last = chart->rows[i].end_day;
    }
    if (calendar.last - calendar.first > SPAN_MOST)
        calendar.last = calendar.first + SPAN_MOST;
    return calendar;
}

double cs_chart_place(const struct cs_chart_calendar *calendar, int64_t day)
{
    double place = (double)(day - calendar->first) /
                   ((double)(calendar->last - calendar->first) + 1);

    return place < 0 ? 0 : place > 1 ? 1 : place;
}

struct month {
    int64_t first_day;
    unsigned year, number; /* 1 to 12 */
};

/* The month of a day. */
static struct month month_of(int64_t day)
{
    char text[CS_TIME_TEXT_LEN + 1];
    uint64_t year = 0, number = 0, in_month = 0;

    cs_time_text(text, day * DAY_US); /* "2024-12-01T..." */
    (void)cs_view_to_u64(cs_view_of(text, 4), &year);
    (void)cs_view_to_u64(cs_view_of(text + 5, 2), &number);
    (void)cs_view_to_u64(cs_view_of(text + 8, 2), &in_month);
    return (struct month){day - (int64_t)in_month + 1, (unsigned)year, (unsigned)number};
}

static struct month month_after(const struct month *month)
{
    return month_of(month->first_day + 31);
}

/* A text's word by its number from 0, between blanks. */
static struct cs_view word_of(const char *words, unsigned number)
{
    struct cs_view rest = cs_view_cstr(words), word = rest;

    for (unsigned i = 0; i <= number && cs_view_split(&rest, ' ', &word); i++)
        ;
    return word;
}

static void keep_text(struct cs_chart_tick *tick, const struct cs_buf *text)
{
    size_t len = text->failed == CS_OK && text->len < sizeof(tick->text) ? text->len : 0;

    memcpy(tick->text, len > 0 ? text->ptr : "", len);
    tick->text[len] = '\0';
}

/* "Feb", or with its year: "Feb 2025"; the year alone for its first month where only
 * those are marked. */
static void name_month(struct cs_chart_tick *tick, const struct month *month,
                       bool with_year, bool year_alone, const char *language)
{
    const char *form = with_year ? cs_label(language, CS_LABEL_MONTH_AND_YEAR) : "{m}";
    struct cs_buf text = CS_BUF_INIT(256);

    for (const char *c = year_alone ? "{y}" : form; *c != '\0'; c++) {
        if (strncmp(c, "{m}", 3) == 0)
            cs_buf_add(&text,
                       word_of(cs_label(language, CS_LABEL_MONTHS), month->number - 1));
        else if (strncmp(c, "{y}", 3) == 0)
            cs_buf_add_u64(&text, month->year);
        else
            cs_buf_add_byte(&text, *c);
        c += *c == '{' ? 2 : 0;
    }
    keep_text(tick, &text);
    cs_buf_clear(&text);
}

/* Months from one mark to the next: a number that years can be cut by. */
static unsigned step_of(const struct cs_chart_calendar *calendar, size_t most)
{
    static const unsigned steps[] = {1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200};
    double months = (double)(calendar->last - calendar->first + 1) / 30.5;
    size_t i = 0;

    while (i + 1 < CS_COUNT(steps) && months / steps[i] > (double)most)
        i++;
    return steps[i];
}

static size_t mark_months(struct cs_chart_tick *out, size_t most,
                          const struct cs_chart_calendar *calendar, const char *language)
{
    struct month month = month_of(calendar->first);
    unsigned step = step_of(calendar, most), year = 0;
    size_t count = 0;

    if (month.first_day < calendar->first) { /* its text where it has room */
        const struct month next = month_after(&month);

        if (step == 1 && cs_chart_place(calendar, next.first_day) > TEXT_ROOM) {
            out[count].at = 0;
            name_month(&out[count++], &month, true, false, language);
            year = month.year;
        }
        month = next;
    }
    for (; month.first_day <= calendar->last && count < most;
         month = month_after(&month)) {
        if ((month.year * 12 + month.number - 1) % step != 0)
            continue;
        out[count].at = cs_chart_place(calendar, month.first_day);
        name_month(&out[count++], &month, month.year != year, step >= 12, language);
        year = month.year;
    }
    return count;
}

static size_t mark_weeks(struct cs_chart_tick *out, size_t most,
                         const struct cs_chart_calendar *calendar)
{
    int64_t room = most < WEEKS ? (int64_t)most : WEEKS;
    int64_t days = calendar->last - calendar->first + 1;
    int64_t step = ((days + room - 1) / room + 6) / 7 * 7;
    size_t count = 0;

    for (int64_t day = calendar->first; day <= calendar->last && count < most;
         day += step) {
        char text[CS_TIME_TEXT_LEN + 1];

        cs_time_text(text, day * DAY_US);
        out[count].at = cs_chart_place(calendar, day);
        memcpy(out[count].text, text, 10);
        out[count++].text[10] = '\0';
    }
    return count;
}

size_t cs_chart_ticks(struct cs_chart_tick out[CS_CHART_TICKS], size_t most,
                      const struct cs_chart *chart, const char *language)
{
    const struct cs_chart_calendar calendar = cs_chart_calendar(chart);
    size_t count;

    if (chart->undated)
        return 0;
    most = most < CS_CHART_TICKS ? most : CS_CHART_TICKS;
    count = mark_months(out, most, &calendar, language);
    return count > 1 ? count : mark_weeks(out, most, &calendar);
}
