#include "config.h"

#include "render/chart_dates.h"

#include "render/text.h"

#define TEXT_MAX    200u /* bytes of a text that are looked at */
#define DAY_TEXT    10u  /* bytes of "2025-01-06" */
#define POINTS_MAX  2u
#define NUMBERS_MAX 4u
#define FIRST_YEAR  1900u
#define LAST_YEAR   2999u
#define SOME_YEAR   2001 /* for days without a year: one without a leap day */

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t era;

    /* The proleptic Gregorian calendar, with years that begin with March. */
    year -= month <= 2 ? 1 : 0;
    era = year / 400;
    year -= era * 400;
    month += month > 2 ? -3 : 9;
    return era * 146097 + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 +
           day - 1 - 719468;
}

static int64_t month_end(int64_t year, int64_t month)
{
    return month == 12 ? days_of(year + 1, 1, 1) - 1 : days_of(year, month + 1, 1) - 1;
}

static bool digits_at(struct cs_view text, size_t at, size_t count, int64_t *out)
{
    uint64_t value;

    if (text.len < at + count || !cs_view_to_u64(cs_view_sub(text, at, count), &value))
        return false;
    *out = (int64_t)value;
    return true;
}

bool cs_span_day(int64_t *out, struct cs_view text)
{
    int64_t year, month, day;

    text = cs_view_trim(text);
    if (!digits_at(text, 0, 4, &year) || !digits_at(text, 5, 2, &month) ||
        !digits_at(text, 8, 2, &day) || text.ptr[4] != '-' || text.ptr[7] != '-' ||
        year < FIRST_YEAR || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    *out = days_of(year, month, day);
    return true;
}

/* ---- words ----------------------------------------------------------------------- */

/* The month that a word is the name of, or the start of one of at least three letters. */
static unsigned month_of(struct cs_view word)
{
    static const char *const names[12][7] = {
        {"january", "janvier", "januar", "enero", "gennaio", "janeiro", "januari"},
        {"february", "fevrier", "februar", "febrero", "febbraio", "fevereiro",
         "februari"},
        {"march", "mars", "marz", "marzo", "marzo", "marco", "maart"},
        {"april", "avril", "april", "abril", "aprile", "abril", "april"},
        {"may", "mai", "mai", "mayo", "maggio", "maio", "mei"},
        {"june", "juin", "juni", "junio", "giugno", "junho", "juni"},
        {"july", "juillet", "juli", "julio", "luglio", "julho", "juli"},
        {"august", "aout", "august", "agosto", "agosto", "agosto", "augustus"},
        {"september", "septembre", "september", "septiembre", "settembre", "setembro",
         "september"},
        {"october", "octobre", "oktober", "octubre", "ottobre", "outubro", "oktober"},
        {"november", "novembre", "november", "noviembre", "novembre", "novembro",
         "november"},
        {"december", "decembre", "dezember", "diciembre", "dicembre", "dezembro",
         "december"},
    };

    for (unsigned month = 0; word.len >= 3 && month < 12; month++)
        for (size_t i = 0; i < CS_COUNT(names[month]); i++)
            if (cs_view_starts(cs_view_cstr(names[month][i]), word))
                return month + 1;
    return 0;
}

static enum cs_span_unit unit_of(struct cs_view word)
{
    static const struct {
        const char *words; /* between spaces */
        enum cs_span_unit unit;
    } units[] = {
        {" day days d jour jours j tag tage dia dias ", CS_UNIT_DAY},
        {" week weeks wk wks w kw semaine semaines sem woche wochen semana semanas ",
         CS_UNIT_WEEK},
        {" month months m mois monat monate mes meses ", CS_UNIT_MONTH},
        {" quarter quarters q quartal quartale trimestre trimestres t ", CS_UNIT_QUARTER},
    };
    struct cs_buf padded = CS_BUF_INIT(TEXT_MAX + 2);
    enum cs_span_unit found = CS_UNIT_NONE;

    cs_buf_add_byte(&padded, ' ');
    cs_buf_add(&padded, word);
    cs_buf_add_byte(&padded, ' ');
    for (size_t i = 0; word.len > 0 && padded.failed == CS_OK && i < CS_COUNT(units); i++)
        if (cs_view_find(cs_view_cstr(units[i].words), cs_buf_view(&padded)) != SIZE_MAX)
            found = units[i].unit;
    cs_buf_clear(&padded);
    return found;
}

enum cs_span_unit cs_span_unit_of(struct cs_view heading)
{
    struct cs_buf slug = CS_BUF_INIT(TEXT_MAX);
    enum cs_span_unit unit = CS_UNIT_NONE;

    cs_text_slug(&slug, cs_view_sub(heading, 0, TEXT_MAX / 2));
    if (slug.failed == CS_OK)
        unit = unit_of(cs_buf_view(&slug));
    cs_buf_clear(&slug);
    return unit;
}

/* ---- the parts of a text ------------------------------------------------------------
 */

/* What a text is made of, in its order. */
struct parts {
    unsigned months[POINTS_MAX];
    size_t month_count;
    unsigned numbers[NUMBERS_MAX];
    size_t number_count;
    unsigned years[POINTS_MAX];
    size_t year_count;
    enum cs_span_unit unit;
    bool number_first; /* before the unit: a length */
    bool words;        /* others than names of months and units */
    bool good;
};

static void add_number(struct parts *parts, struct cs_view digits)
{
    uint64_t value;

    if (!cs_view_to_u64(digits, &value) || value > LAST_YEAR) {
        parts->good = false;
    } else if (value >= FIRST_YEAR) {
        parts->good = parts->good && parts->year_count < POINTS_MAX;
        if (parts->good)
            parts->years[parts->year_count++] = (unsigned)value;
    } else {
        parts->good = parts->good && parts->number_count < NUMBERS_MAX;
        if (parts->good)
            parts->numbers[parts->number_count++] = (unsigned)value;
    }
}

static void add_word(struct parts *parts, struct cs_view word)
{
    unsigned month = month_of(word);
    enum cs_span_unit unit = month == 0 ? unit_of(word) : CS_UNIT_NONE;

    if (month != 0) {
        parts->good = parts->good && parts->month_count < POINTS_MAX;
        if (parts->good)
            parts->months[parts->month_count++] = month;
    } else if (unit != CS_UNIT_NONE) {
        parts->good = parts->good && (parts->unit == CS_UNIT_NONE || parts->unit == unit);
        if (parts->unit == CS_UNIT_NONE)
            parts->number_first = parts->number_count > 0;
        parts->unit = unit;
    } else {
        parts->words = true;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes a slug apart: "3-feb-16-mar", "week-1-2", "w1-3", "1er-sept". */
static struct parts take_apart(struct cs_view slug)
{
    struct parts parts = {.good = true};

    for (size_t at = 0; at < slug.len && parts.good;) {
        size_t from = at;
        bool number = is_digit(slug.ptr[at]);

        while (at < slug.len && slug.ptr[at] != '-' && is_digit(slug.ptr[at]) == number)
            at++;
        if (at == from)
            at++;
        else if (number)
            add_number(&parts, cs_view_of(slug.ptr + from, at - from));
        else if (from == 0 || !is_digit(slug.ptr[from - 1]) || at - from > 2)
            add_word(&parts, cs_view_of(slug.ptr + from, at - from));
        /* else the "st" or "er" of an ordinal number */
    }
    return parts;
}

/* ---- spans ------------------------------------------------------------------------- */

static const struct cs_span none = {.kind = CS_SPAN_NONE};

static bool are_days(const struct parts *parts)
{
    for (size_t i = 0; i < parts->number_count; i++)
        if (parts->numbers[i] < 1 || parts->numbers[i] > 31)
            return false;
    return true;
}

/* "March", "March 3", "3–16 March", "3 Feb – 16 Mar", "March – April", with years or
 * without. */
static struct cs_span by_months(const struct parts *parts)
{
    unsigned last_month = parts->months[parts->month_count - 1];
    bool dated = parts->year_count > 0;
    int64_t year = dated ? parts->years[0] : SOME_YEAR;
    int64_t last_year = dated ? parts->years[parts->year_count - 1] : SOME_YEAR;
    struct cs_span span = {.kind = dated ? CS_SPAN_DATED : CS_SPAN_YEARLESS};

    if (parts->number_count > 2 || !are_days(parts) ||
        (parts->month_count == 2 && parts->number_count == 1))
        return none;
    if (parts->number_count == 0) {
        span.first = days_of(year, parts->months[0], 1);
        span.last = month_end(last_year, last_month);
    } else {
        span.first = days_of(year, parts->months[0], parts->numbers[0]);
        span.last =
            days_of(last_year, last_month, parts->numbers[parts->number_count - 1]);
    }
    if (span.last < span.first && parts->year_count == 1) /* "20 Dec – 10 Jan 2026" */
        span.first -= 365;
    if (span.last < span.first && !dated)
        span.last += 365;
    return span.last >= span.first ? span : none;
}

/* "Week 1–2", "Q1", "Day 1-7"; "2 weeks". */
static struct cs_span by_units(const struct parts *parts, enum cs_span_unit unit)
{
    unsigned first = parts->numbers[0], last = parts->numbers[parts->number_count - 1];

    if (parts->number_count > 2 || first < 1 || last < first)
        return none;
    if (parts->number_first)
        return parts->number_count > 1
                   ? none
                   : (struct cs_span){CS_SPAN_LENGTH, 0, (int64_t)first * unit - 1};
    return (struct cs_span){CS_SPAN_RELATIVE, (int64_t)(first - 1) * unit,
                            (int64_t)last * unit - 1};
}

/* The day that the text ends with, as "2025-01-06 – 2025-02-16" does; else its first. */
static int64_t last_day(struct cs_view text, int64_t first)
{
    int64_t day;

    text = cs_view_trim(text);
    return text.len > 2 * DAY_TEXT &&
                   cs_span_day(&day, cs_view_from(text, text.len - DAY_TEXT)) &&
                   day > first
               ? day
               : first;
}

struct cs_span cs_span_of(struct cs_view text, enum cs_span_unit unit)
{
    struct cs_buf slug = CS_BUF_INIT(TEXT_MAX);
    struct cs_span span = none;
    struct parts parts;

    if (cs_span_day(&span.first, text)) {
        span.kind = CS_SPAN_DATED;
        span.last = last_day(text, span.first);
        return span;
    }
    cs_text_slug(&slug, cs_view_sub(text, 0, TEXT_MAX / 2));
    parts = take_apart(cs_buf_view(&slug));
    parts.good = parts.good && slug.failed == CS_OK;
    cs_buf_clear(&slug);
    if (!parts.good)
        return none;
    if (parts.month_count > 0 && parts.unit == CS_UNIT_NONE)
        return by_months(&parts);
    if (parts.number_count == 0 || parts.month_count > 0)
        return none;
    if (parts.unit != CS_UNIT_NONE)
        return by_units(&parts, parts.unit);
    if (unit != CS_UNIT_NONE && !parts.words)
        return by_units(&parts, unit);
    return none;
}
