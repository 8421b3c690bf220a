#include "config.h"

#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

#define US_PER_DAY (86400ll * CS_SECOND_US)

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char day_names[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};

struct date_time {
    int year, month, day, hour, minute, second, microsecond;
    int64_t days; /* since 1970-01-01 */
};

static int64_t read_clock(clockid_t id)
{
    struct timespec now = {0, 0};

    if (clock_gettime(id, &now) != 0)
        return 0; /* can't happen for the two clocks asked for here */
    return (int64_t)now.tv_sec * CS_SECOND_US + now.tv_nsec / 1000;
}

int64_t cs_clock_now_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t cs_clock_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

struct cs_deadline cs_deadline_in_ms(int64_t ms)
{
    return (struct cs_deadline){cs_clock_monotonic_us() + ms * 1000};
}

int cs_deadline_left_ms(struct cs_deadline deadline)
{
    int64_t left = (deadline.at_us - cs_clock_monotonic_us() + 999) / 1000;

    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, by counting in
 * years that begin in March, so that the leap day comes last. */
static int64_t days_of_date(int64_t year, int month, int day)
{
    int64_t shifted = month <= 2 ? year - 1 : year;
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t year_of_era = shifted - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
           day_of_year - 719468;
}

/* The inverse of days_of_date(). */
static void date_of_days(struct date_time *out, int64_t days)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;

    out->day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    out->month =
        (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    out->year = (int)(year_of_era + era * 400 + (out->month <= 2 ? 1 : 0));
}

static struct date_time split_time(int64_t time_us)
{
    const int64_t first = days_of_date(0, 1, 1) * US_PER_DAY;
    const int64_t last = days_of_date(10000, 1, 1) * US_PER_DAY - 1;
    struct date_time out;
    int64_t rest;

    time_us = time_us < first ? first : time_us > last ? last : time_us;
    out.days = time_us / US_PER_DAY - (time_us % US_PER_DAY < 0 ? 1 : 0);
    rest = time_us - out.days * US_PER_DAY;
    out.microsecond = (int)(rest % CS_SECOND_US);
    rest /= CS_SECOND_US;
    out.second = (int)(rest % 60);
    out.minute = (int)(rest / 60 % 60);
    out.hour = (int)(rest / 3600);
    date_of_days(&out, out.days);
    return out;
}

/* Writes `value` as `width` digits, leading zeros included. */
static char *put_digits(char *to, int value, int width)
{
    for (int i = width - 1; i >= 0; i--, value /= 10)
        to[i] = (char)('0' + value % 10);
    return to + width;
}

void cs_time_text(char out[CS_TIME_TEXT_LEN + 1], int64_t time_us)
{
    struct date_time t = split_time(time_us);
    const struct {
        int value, width;
        char behind;
    } parts[] = {{t.year, 4, '-'},       {t.month, 2, '-'},  {t.day, 2, 'T'},
                 {t.hour, 2, ':'},       {t.minute, 2, ':'}, {t.second, 2, '.'},
                 {t.microsecond, 6, 'Z'}};
    char *to = out;

    for (size_t i = 0; i < CS_COUNT(parts); i++) {
        to = put_digits(to, parts[i].value, parts[i].width);
        *to++ = parts[i].behind;
    }
    *to = '\0';
}

void cs_time_compact(char out[16], int64_t time_us)
{
    struct date_time t = split_time(time_us);
    char *to = out;

    to = put_digits(to, t.year, 4);
    to = put_digits(to, t.month, 2);
    to = put_digits(to, t.day, 2);
    *to++ = '_';
    to = put_digits(to, t.hour, 2);
    to = put_digits(to, t.minute, 2);
    to = put_digits(to, t.second, 2);
    *to = '\0';
}

void cs_time_http_date(char out[CS_HTTP_DATE_LEN + 1], int64_t time_us)
{
    struct date_time t = split_time(time_us);
    int weekday = (int)(((t.days % 7) + 7) % 7);

    (void)snprintf(out, CS_HTTP_DATE_LEN + 1, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                   day_names[weekday], t.day % 100, month_names[(t.month - 1) % 12],
                   t.year % 10000, t.hour % 100, t.minute % 100, t.second % 100);
}

/* Takes exactly `width` digits off the front. */
static bool take_digits(struct cs_view *rest, size_t width, int *out)
{
    uint64_t value;

    if (rest->len < width || !cs_view_to_u64(cs_view_of(rest->ptr, width), &value))
        return false;
    *out = (int)value;
    *rest = cs_view_from(*rest, width);
    return true;
}

static bool take_byte(struct cs_view *rest, const char *allowed)
{
    if (rest->len == 0 || rest->ptr[0] == '\0' || strchr(allowed, rest->ptr[0]) == NULL)
        return false;
    *rest = cs_view_from(*rest, 1);
    return true;
}

static bool take_date(struct cs_view *rest, struct date_time *t)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap;

    if (!take_digits(rest, 4, &t->year) || !take_byte(rest, "-") ||
        !take_digits(rest, 2, &t->month) || !take_byte(rest, "-") ||
        !take_digits(rest, 2, &t->day))
        return false;
    leap = t->year % 4 == 0 && (t->year % 100 != 0 || t->year % 400 == 0);
    return t->month >= 1 && t->month <= 12 && t->day >= 1 &&
           t->day <= month_days[t->month - 1] && (leap || t->month != 2 || t->day <= 28);
}

/* hh:mm:ss with an optional fraction; a leap second counts as the one after. */
static bool take_time(struct cs_view *rest, struct date_time *t)
{
    if (!take_digits(rest, 2, &t->hour) || !take_byte(rest, ":") ||
        !take_digits(rest, 2, &t->minute) || !take_byte(rest, ":") ||
        !take_digits(rest, 2, &t->second) || t->hour > 23 || t->minute > 59 ||
        t->second > 60)
        return false;
    t->microsecond = 0;
    if (take_byte(rest, ".")) {
        int scale = 100000;
        int digit;

        if (!take_digits(rest, 1, &digit))
            return false;
        do {
            t->microsecond += digit * scale;
            scale /= 10;
        } while (take_digits(rest, 1, &digit));
    }
    return true;
}

static bool take_offset(struct cs_view *rest, int *minutes_out)
{
    int hours;
    int minutes;
    bool west;

    *minutes_out = 0;
    if (rest->len == 0 || take_byte(rest, "Zz"))
        return true;
    west = rest->ptr[0] == '-';
    if (!take_byte(rest, "+-") || !take_digits(rest, 2, &hours) ||
        !take_byte(rest, ":") || !take_digits(rest, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *minutes_out = (hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

enum cs_code cs_time_parse(int64_t *time_us_out, struct cs_view text, struct cs_err *err)
{
    struct cs_view rest = text;
    struct date_time t;
    int offset_minutes;

    *time_us_out = 0;
    if (!take_date(&rest, &t) || !take_byte(&rest, "Tt ") || !take_time(&rest, &t) ||
        !take_offset(&rest, &offset_minutes) || rest.len != 0)
        return cs_err_set(
            err, CS_EINVAL,
            "\"%.*s\" is no time: write it as 2024-12-01T12:00:00Z (RFC 3339)",
            CS_FMT(cs_view_sub(text, 0, 40)));
    *time_us_out = (days_of_date(t.year, t.month, t.day) * 86400 + t.hour * 3600 +
                    (t.minute - offset_minutes) * 60 + t.second) *
                       CS_SECOND_US +
                   t.microsecond;
    return CS_OK;
}

bool cs_time_parse_http_date(int64_t *time_us_out, struct cs_view text)
{
    char iso[] = "YYYY-MM-DDThh:mm:ssZ";
    struct cs_view name = cs_view_sub(text, 8, 3);
    size_t month = 0;

    if (text.len != CS_HTTP_DATE_LEN || !cs_view_ends(text, CS_LIT(" GMT")))
        return false;
    while (month < 12 && !cs_view_eq_cstr(name, month_names[month]))
        month++;
    if (month++ == 12)
        return false;
    memcpy(iso, text.ptr + 12, 4);
    iso[5] = (char)('0' + month / 10);
    iso[6] = (char)('0' + month % 10);
    memcpy(iso + 8, text.ptr + 5, 2);
    memcpy(iso + 11, text.ptr + 17, 8);
    return cs_time_parse(time_us_out, cs_view_of(iso, sizeof(iso) - 1), NULL) == CS_OK;
}
