/* Timestamps: written as UTC, and recognised in the sense of spec 1.5.1. */

#include <arvo/platform.h>

#include <string.h>

#include "base/internal.h"

#define TIME_MS_PER_DAY ((int64_t)86400000)
#define TIME_MS_MIN     ((int64_t)-62167219200000) /* 0000-01-01T00:00:00.000 */
#define TIME_MS_MAX     ((int64_t)253402300799999) /* 9999-12-31T23:59:59.999 */

/* Days from 0000-03-01 to 1970-01-01. Counted from a first of March, the leap day is the last day
 * of a year and the lengths of the months repeat every five. */
#define TIME_DAYS_MARCH_0 719468u
#define TIME_DAYS_400     146097u /* of 400 years */

static inline void
time_put2(char *out, unsigned value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
}

static void
time_put_date(char *out, int64_t days_since_epoch)
{
    /* January and February of the year 0000 lie before its March: one whole cycle is added, and
     * taken off the year again. */
    const uint32_t days = (uint32_t)(days_since_epoch + TIME_DAYS_MARCH_0 + TIME_DAYS_400);
    const uint32_t cycle = days / TIME_DAYS_400;
    const uint32_t day_of_cycle = days % TIME_DAYS_400;
    const uint32_t year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 - day_of_cycle / 146096) / 365;
    const uint32_t day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    const uint32_t month_from_march = (5 * day_of_year + 2) / 153;
    const uint32_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    const uint32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    const uint32_t year = 400 * cycle + year_of_cycle + (month <= 2 ? 1 : 0) - 400;

    time_put2(out, year / 100);
    time_put2(out + 2, year % 100);
    out[4] = '-';
    time_put2(out + 5, month);
    out[7] = '-';
    time_put2(out + 8, day);
}

void
arvo_timestamp_format(int64_t time_ms, char *out)
{
    ARVO_ASSERT(out != NULL);
    if (time_ms < TIME_MS_MIN)
        time_ms = TIME_MS_MIN;
    if (time_ms > TIME_MS_MAX)
        time_ms = TIME_MS_MAX;

    int64_t days = time_ms / TIME_MS_PER_DAY;
    int64_t rest = time_ms % TIME_MS_PER_DAY;
    if (rest < 0) {
        rest += TIME_MS_PER_DAY;
        days--;
    }
    const uint32_t ms = (uint32_t)rest;
    const uint32_t seconds = ms / 1000;

    time_put_date(out, days);
    out[10] = 'T';
    time_put2(out + 11, seconds / 3600);
    out[13] = ':';
    time_put2(out + 14, seconds / 60 % 60);
    out[16] = ':';
    time_put2(out + 17, seconds % 60);
    out[19] = '.';
    out[20] = (char)('0' + ms % 1000 / 100);
    time_put2(out + 21, ms % 100);
    memcpy(out + 23, "+00:00", 6);
}

static inline bool
time_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Two digits as a number; 100 or more when they are not digits. */
static inline unsigned
time_get2(const char *p)
{
    const unsigned tens = (unsigned)(unsigned char)p[0] - '0';
    const unsigned ones = (unsigned)(unsigned char)p[1] - '0';
    return tens <= 9 && ones <= 9 ? tens * 10 + ones : 100;
}

/* YYYY-MM-DD, a day of the (proleptic Gregorian) calendar. */
static bool
time_date_is_valid(const char *p)
{
    static const unsigned char days_of_month[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const unsigned century = time_get2(p), year = time_get2(p + 2);
    const unsigned month = time_get2(p + 5), day = time_get2(p + 8);

    if (century > 99 || year > 99 || p[4] != '-' || p[7] != '-')
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_of_month[month - 1])
        return false;
    const bool leap = year != 0 ? year % 4 == 0 : century % 4 == 0;
    return month != 2 || day <= 28 || leap;
}

/* `Z`, or a sign and two pairs of digits with or without a colon between them; any digits. */
static bool
time_offset_is_valid(arvo_str text)
{
    if (text.len == 1)
        return text.ptr[0] == 'Z';
    if (text.len != 5 && text.len != 6)
        return false;
    if ((text.ptr[0] != '+' && text.ptr[0] != '-') || (text.len == 6 && text.ptr[3] != ':'))
        return false;
    return time_get2(text.ptr + 1) <= 99 && time_get2(text.ptr + text.len - 2) <= 99;
}

bool
arvo_timestamp_is_valid(arvo_str text)
{
    const char *p = text.ptr;
    if (p == NULL || text.len < 17) /* 2024-01-01T00:00Z */
        return false;
    if (!time_date_is_valid(p) || p[10] != 'T' || p[13] != ':')
        return false;
    if (time_get2(p + 11) > 23 || time_get2(p + 14) > 59)
        return false;

    size_t at = 16;
    if (p[at] == ':') {
        if (text.len < 20 || time_get2(p + 17) > 59)
            return false;
        at = 19;
        if (p[at] == '.') {
            const size_t fraction = ++at;
            while (at < text.len && time_is_digit(p[at]))
                at++;
            if (at == fraction)
                return false;
        }
    }
    return time_offset_is_valid((arvo_str){ p + at, text.len - at });
}
