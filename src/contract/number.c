/* Exact comparison and divisibility of JSON numbers. */

#include <math.h>

#include "contract/schema.h"
#include "json/number.h"

static int
compare_int_double(int64_t a, double b)
{
    /* Beyond these no int64 is; within them the whole part of b is one. */
    if (b >= 9223372036854775808.0)
        return -1;
    if (b < -9223372036854775808.0)
        return 1;
    const int64_t whole = (int64_t)b; /* towards zero */
    if (a != whole)
        return a < whole ? -1 : 1;
    const double fraction = b - (double)whole;
    return (fraction < 0) - (fraction > 0);
}

int
arvo__number_compare(const arvo_json *a, const arvo_json *b)
{
    const bool a_int = a->type == ARVO_JSON_INT;
    const bool b_int = b->type == ARVO_JSON_INT;
    if (a_int && b_int)
        return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
    if (a_int)
        return compare_int_double(a->as.integer, b->as.number);
    if (b_int)
        return -compare_int_double(b->as.integer, a->as.number);
    return (a->as.number > b->as.number) - (a->as.number < b->as.number);
}

bool
arvo__number_is_integral(double value)
{
    return floor(value) == value;
}

/* A number above or equal to zero as digits * 10^exponent. */
typedef struct decimal {
    uint64_t digits;
    int exponent;
} decimal;

/* The shortest decimal form is what the JSON text said, up to 17 digits. */
static decimal
decimal_from_double(double value)
{
    char text[ARVO__NUMBER_TEXT_MAX];
    const size_t len = arvo__number_format(value < 0 ? -value : value, text);
    decimal out = { 0 };
    bool behind_point = false;
    size_t i = 0;
    for (; i < len && text[i] != 'e'; i++) {
        if (text[i] == '.') {
            behind_point = true;
            continue;
        }
        /* Below 1e21 a number is written without an exponent: past 17 digits come zeros only. */
        if (out.digits >= UINT64_C(1000000000000000000)) {
            out.exponent += behind_point ? 0 : 1;
            continue;
        }
        out.digits = out.digits * 10 + (uint64_t)(text[i] - '0');
        out.exponent -= behind_point ? 1 : 0;
    }
    if (i < len) {
        const bool negative = text[i + 1] == '-';
        int exponent = 0;
        for (i += 2; i < len; i++)
            exponent = exponent * 10 + (text[i] - '0');
        out.exponent += negative ? -exponent : exponent;
    }
    return out;
}

static decimal
decimal_from(const arvo_json *value)
{
    if (value->type == ARVO_JSON_DOUBLE)
        return decimal_from_double(value->as.number);
    const int64_t integer = value->as.integer;
    return (decimal){ .digits = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer };
}

static uint64_t
multiply_mod(uint64_t a, uint64_t b, uint64_t m)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)a * b % m);
}

static uint64_t
power_of_ten_mod(int exponent, uint64_t m)
{
    uint64_t result = 1 % m;
    uint64_t base = 10 % m;
    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2 != 0)
            result = multiply_mod(result, base, m);
        base = multiply_mod(base, base, m);
    }
    return result;
}

bool
arvo__number_is_multiple(const arvo_json *value, const arvo_json *divisor)
{
    const decimal a = decimal_from(value);
    decimal b = decimal_from(divisor);
    if (a.digits == 0)
        return true;
    if (b.digits == 0)
        return false;
    if (a.exponent >= b.exponent)
        return multiply_mod(
                   a.digits % b.digits, power_of_ten_mod(a.exponent - b.exponent, b.digits),
                   b.digits) == 0;
    /* a * 10^-n is a multiple of b exactly when a is one of b * 10^n. */
    for (; b.exponent > a.exponent; b.exponent--) {
        if (b.digits > a.digits / 10)
            return false; /* larger than a, which is not zero */
        b.digits *= 10;
    }
    return a.digits % b.digits == 0;
}
