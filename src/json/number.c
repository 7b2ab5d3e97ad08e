/* Numbers as ECMAScript reads and prints them: correctly rounded in, shortest
 * round trip out, whatever the locale. */

#include "json/number.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_EXACT_MAX 9007199254740992.0 /* 2^53: below it doubles hold every integer */

/* Powers of ten that a double holds exactly. */
static const double number_tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

static locale_t number_locale;
static pthread_once_t number_locale_once = PTHREAD_ONCE_INIT;

static void
number_locale_init(void)
{
    number_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

double
arvo__number_strtod(const char *text, char **end)
{
    (void)pthread_once(&number_locale_once, number_locale_init);
    /* Without memory for a locale the process's own is what is left. */
    return number_locale != (locale_t)0 ? strtod_l(text, end, number_locale) : strtod(text, end);
}

void
arvo__number_set(struct arvo_json *out, double number)
{
    if (fabs(number) < NUMBER_EXACT_MAX && number == trunc(number)) {
        out->type = ARVO_JSON_INT;
        out->as.integer = (int64_t)number; /* -0 becomes 0, as it would when written */
    } else {
        out->type = ARVO_JSON_DOUBLE;
        out->as.number = number;
    }
}

/* ---- Reading ------------------------------------------------------------------ */

typedef struct number_scan {
    uint64_t mantissa; /* of the first 19 significant digits */
    int digits;        /* significant digits seen */
    int exponent;      /* of the mantissa's last digit */
    bool integral;     /* no fraction, no exponent */
} number_scan;

static inline bool
number_is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static void
number_take(number_scan *scan, char c, bool fraction)
{
    if (scan->digits < 19) {
        scan->mantissa = scan->mantissa * 10 + (uint64_t)(c - '0');
        if (scan->mantissa != 0)
            scan->digits++;
        scan->exponent -= fraction;
    } else {
        scan->digits++;
        scan->exponent += !fraction;
    }
}

static const char *
number_scan_exponent(const char *p, number_scan *scan, bool *ok)
{
    p++;
    const bool minus = *p == '-';
    if (*p == '+' || *p == '-')
        p++;
    *ok = number_is_digit(*p);
    int exponent = 0;
    for (; number_is_digit(*p); p++)
        if (exponent < 100000) /* far outside any double; keeps the sum in an int */
            exponent = exponent * 10 + (*p - '0');
    scan->exponent += minus ? -exponent : exponent;
    scan->integral = false;
    return p;
}

/* `p` is behind the sign. Returns behind the number; *ok false at a syntax error there. */
static const char *
number_scan_text(const char *p, number_scan *scan, bool *ok)
{
    *ok = number_is_digit(*p);
    if (!*ok)
        return p;
    if (*p == '0')
        p++;
    else
        for (; number_is_digit(*p); p++)
            number_take(scan, *p, false);
    if (*p == '.') {
        p++;
        scan->integral = false;
        *ok = number_is_digit(*p);
        if (!*ok)
            return p;
        for (; number_is_digit(*p); p++)
            number_take(scan, *p, true);
    }
    if (*p == 'e' || *p == 'E')
        p = number_scan_exponent(p, scan, ok);
    return p;
}

/* W. D. Clinger, "How to read floating point numbers accurately" (1990): a mantissa below 2^53 and
 * an exact power of ten leave one rounding, so the result is the correct one. */
static bool
number_exact(const number_scan *scan, double *out)
{
    if (scan->digits > 19 || scan->mantissa > (uint64_t)NUMBER_EXACT_MAX || scan->exponent < -22 ||
        scan->exponent > 22)
        return false;
    const double mantissa = (double)scan->mantissa;
    *out = scan->exponent < 0 ? mantissa / number_tens[-scan->exponent]
                              : mantissa * number_tens[scan->exponent];
    return true;
}

arvo__number_result
arvo__number_parse(const char *text, const char **end, struct arvo_json *out)
{
    number_scan scan = { .integral = true };
    const bool minus = *text == '-';
    bool ok;

    const char *p = number_scan_text(text + minus, &scan, &ok);
    *end = p;
    if (!ok)
        return ARVO__NUMBER_SYNTAX;

    if (scan.integral && scan.digits <= 19 && scan.exponent == 0) {
        const uint64_t limit = (uint64_t)INT64_MAX + minus;
        if (scan.mantissa <= limit) {
            out->type = ARVO_JSON_INT;
            out->as.integer = minus ? (int64_t)(0 - scan.mantissa) : (int64_t)scan.mantissa;
            return ARVO__NUMBER_OK;
        }
    }

    double number;
    if (number_exact(&scan, &number)) {
        arvo__number_set(out, minus ? -number : number);
        return ARVO__NUMBER_OK;
    }
    number = arvo__number_strtod(text, NULL);
    if (!isfinite(number))
        return ARVO__NUMBER_RANGE;
    arvo__number_set(out, number);
    return ARVO__NUMBER_OK;
}

/* ---- Printing ------------------------------------------------------------------- */

size_t
arvo__integer_format(int64_t integer, char *out)
{
    char text[20];
    size_t len = 0;
    uint64_t rest = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    do {
        text[sizeof(text) - ++len] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);

    size_t used = 0;
    if (integer < 0)
        out[used++] = '-';
    memcpy(out + used, text + sizeof(text) - len, len);
    return used + len;
}

/* Digits of the shortest decimal that reads back as `number` (> 0), without trailing zeros, and
 * `point`: the number is 0.d1d2... * 10^point. */
typedef struct number_decimal {
    char digits[20];
    int len;
    int point;
} number_decimal;

/* Most numbers people write have few decimals: if some integer below 10^15 divided by 10^k is the
 * number, it is the shortest (two decimals of at most 15 digits are two doubles). */
static bool
number_decimal_few(double number, number_decimal *out)
{
    if (number >= 1e15 || number < 1e-5)
        return false;
    for (int k = 1; k <= 17; k++) {
        const double scaled = nearbyint(number * number_tens[k]);
        if (scaled >= 1e15)
            return false;
        if (scaled / number_tens[k] == number) {
            char text[20];
            const size_t len = arvo__integer_format((int64_t)scaled, text);
            memcpy(out->digits, text, len);
            out->len = (int)len;
            out->point = (int)len - k;
            return true;
        }
    }
    return false;
}

static bool
number_decimal_is(const number_decimal *decimal, double number)
{
    char text[48];
    (void)snprintf(
        text, sizeof(text), "%.*se%d", decimal->len, decimal->digits,
        decimal->point - decimal->len);
    return arvo__number_strtod(text, NULL) == number;
}

/* `number` correctly rounded to `precision` digits. */
static void
number_decimal_round(double number, int precision, number_decimal *out)
{
    char text[48];
    (void)snprintf(text, sizeof(text), "%.*e", precision - 1, number);
    out->len = 0;
    const char *p = text;
    for (; *p != 'e'; p++) /* the decimal point is the locale's: skip whatever is no digit */
        if (number_is_digit(*p) && out->len < precision)
            out->digits[out->len++] = *p;
    out->point = (int)strtol(p + 1, NULL, 10) + 1;
}

/* One more in the last digit. A carry past the first makes no shorter decimal: false. */
static bool
number_decimal_next(number_decimal *decimal)
{
    int i = decimal->len - 1;
    for (; i >= 0 && decimal->digits[i] == '9'; i--)
        decimal->digits[i] = '0';
    if (i < 0)
        return false;
    decimal->digits[i]++;
    return true;
}

static void
number_decimal_any(double number, number_decimal *out)
{
    /* A subnormal has fewer significant digits than 15, so the search begins at one. Doubles lie
     * twice as dense below a power of two as above it: there the decimal above may read back when
     * the nearest one, below, does not. */
    int exponent;
    const bool is_power = frexp(number, &exponent) == 0.5;
    out->len = 0;
    for (int precision = number < 2.2250738585072014e-308 ? 1 : 15; precision < 17; precision++) {
        number_decimal_round(number, precision, out);
        if (number_decimal_is(out, number))
            break;
        if (is_power && number_decimal_next(out) && number_decimal_is(out, number))
            break;
        out->len = 0;
    }
    if (out->len == 0)
        number_decimal_round(number, 17, out);
    while (out->len > 1 && out->digits[out->len - 1] == '0')
        out->len--;
}

/* ECMA-262, Number::toString: k digits, n = point. */
static size_t
number_layout(const number_decimal *decimal, char *out)
{
    const int k = decimal->len, n = decimal->point;
    size_t used = 0;

    if (n > 0 && n <= 21) {
        for (int i = 0; i < k || i < n; i++) {
            if (i == n)
                out[used++] = '.';
            out[used++] = i < k ? decimal->digits[i] : '0';
        }
        return used;
    }
    if (n > -6 && n <= 0) {
        out[used++] = '0';
        out[used++] = '.';
        for (int i = n; i < 0; i++)
            out[used++] = '0';
        memcpy(out + used, decimal->digits, (size_t)k);
        return used + (size_t)k;
    }
    out[used++] = decimal->digits[0];
    if (k > 1) {
        out[used++] = '.';
        memcpy(out + used, decimal->digits + 1, (size_t)k - 1);
        used += (size_t)k - 1;
    }
    out[used++] = 'e';
    out[used++] = n - 1 < 0 ? '-' : '+';
    return used + arvo__integer_format(n - 1 < 0 ? 1 - n : n - 1, out + used);
}

size_t
arvo__number_format(double number, char *out)
{
    if (fabs(number) < NUMBER_EXACT_MAX && number == trunc(number))
        return arvo__integer_format((int64_t)number, out); /* -0 too: ECMAScript prints 0 */

    number_decimal decimal;
    size_t used = 0;
    if (number < 0) {
        out[used++] = '-';
        number = -number;
    }
    if (!number_decimal_few(number, &decimal))
        number_decimal_any(number, &decimal);
    return used + number_layout(&decimal, out + used);
}
