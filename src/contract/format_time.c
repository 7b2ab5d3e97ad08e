/* Dates, times and durations of RFC 3339. */

#include "contract/format.h"

/* Exactly `count` digits at *at; -1 when they are not there. */
static int
digits(arvo_str text, size_t *at, size_t count)
{
    int value = 0;
    if (text.len - *at < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const char c = text.ptr[*at + i];
        if (!format__is_digit(c))
            return -1;
        value = value * 10 + (c - '0');
    }
    *at += count;
    return value;
}

static bool
take(arvo_str text, size_t *at, const char *any_of)
{
    if (*at >= text.len || text.ptr[*at] == '\0' || strchr(any_of, text.ptr[*at]) == NULL)
        return false;
    ++*at;
    return true;
}

static bool
date_at(arvo_str text, size_t *at)
{
    static const int month_days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const int year = digits(text, at, 4);
    if (year < 0 || !take(text, at, "-"))
        return false;
    const int month = digits(text, at, 2);
    if (month < 1 || month > 12 || !take(text, at, "-"))
        return false;
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    const int day = digits(text, at, 2);
    return day >= 1 && day <= month_days[month - 1] + (leap && month == 2);
}

/* A second 60 is the last one of a day in UTC. */
static bool
time_at(arvo_str text, size_t *at)
{
    const int hour = digits(text, at, 2);
    if (hour < 0 || hour > 23 || !take(text, at, ":"))
        return false;
    const int minute = digits(text, at, 2);
    if (minute < 0 || minute > 59 || !take(text, at, ":"))
        return false;
    const int second = digits(text, at, 2);
    if (second < 0 || second > 60)
        return false;
    if (take(text, at, ".")) {
        const size_t first = *at;
        while (*at < text.len && format__is_digit(text.ptr[*at]))
            ++*at;
        if (*at == first)
            return false;
    }
    int offset = 0;
    if (!take(text, at, "Zz")) {
        const bool behind = *at < text.len && text.ptr[*at] == '-';
        if (!take(text, at, "+-"))
            return false;
        const int hours = digits(text, at, 2);
        if (hours < 0 || hours > 23 || !take(text, at, ":"))
            return false;
        const int minutes = digits(text, at, 2);
        if (minutes < 0 || minutes > 59)
            return false;
        offset = behind ? -(hours * 60 + minutes) : hours * 60 + minutes;
    }
    const int utc = (hour * 60 + minute - offset + 2 * 24 * 60) % (24 * 60);
    return second < 60 || utc == 23 * 60 + 59;
}

bool
arvo__format_date(arvo_str text)
{
    size_t at = 0;
    return date_at(text, &at) && at == text.len;
}

bool
arvo__format_time(arvo_str text)
{
    size_t at = 0;
    return time_at(text, &at) && at == text.len;
}

bool
arvo__format_date_time(arvo_str text)
{
    size_t at = 0;
    return date_at(text, &at) && take(text, &at, "Tt") && time_at(text, &at) && at == text.len;
}

/* "3Y6M": numbers with units in this order, none left out between the first and the last.
 * *out_count: how many. */
static bool
units_at(arvo_str text, size_t *at, const char *units, size_t *out_count)
{
    const char *next = NULL; /* the unit that may follow */
    *out_count = 0;
    while (*at < text.len && format__is_digit(text.ptr[*at])) {
        while (*at < text.len && format__is_digit(text.ptr[*at]))
            ++*at;
        if (*at == text.len || text.ptr[*at] == '\0')
            return false;
        const char *const unit = strchr(units, text.ptr[*at]);
        if (unit == NULL || (next != NULL && unit != next))
            return false;
        next = unit + 1;
        ++*at;
        ++*out_count;
    }
    return true;
}

bool
arvo__format_duration(arvo_str text)
{
    size_t at = 0;
    size_t count = 0;
    size_t time_count = 0;
    if (!take(text, &at, "P"))
        return false;
    if (text.len > 2 && text.ptr[text.len - 1] == 'W')
        return units_at(text, &at, "W", &count) && count == 1 && at == text.len;
    if (!units_at(text, &at, "YMD", &count))
        return false;
    if (take(text, &at, "T") && (!units_at(text, &at, "HMS", &time_count) || time_count == 0))
        return false;
    return at == text.len && count + time_count > 0;
}
