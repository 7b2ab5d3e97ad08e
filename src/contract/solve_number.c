/* Numbers for the solver: exact comparison, and a number within bounds that is a multiple of some
 * and not of others. multipleOf is read as a decimal fraction, so that 0.01 is a hundredth. */

#include "contract/solve.h"

#include <math.h>

#define INT_EDGE 9223372036854775808.0 /* 2^63 */

/* numerator / 10^k in lowest terms */
typedef struct ratio {
    int64_t over, under;
} ratio;

/* ---- Comparison ------------------------------------------------------------------ */

static int
compare_int_double(int64_t a, double b)
{
    if (b >= INT_EDGE)
        return -1;
    if (b < -INT_EDGE)
        return 1;
    const double whole = floor(b);
    const int64_t floor_b = (int64_t)whole;
    if (a != floor_b)
        return a < floor_b ? -1 : 1;
    return b > whole ? -1 : 0;
}

int
arvo__solve_number_compare(const arvo_json *a, const arvo_json *b)
{
    const bool a_int = arvo_json_type_of(a) == ARVO_JSON_INT;
    const bool b_int = arvo_json_type_of(b) == ARVO_JSON_INT;
    if (a_int && b_int) {
        const int64_t x = arvo_json_int_or(a, 0), y = arvo_json_int_or(b, 0);
        return x < y ? -1 : x > y;
    }
    if (a_int)
        return compare_int_double(arvo_json_int_or(a, 0), arvo_json_number_or(b, 0));
    if (b_int)
        return -compare_int_double(arvo_json_int_or(b, 0), arvo_json_number_or(a, 0));
    const double x = arvo_json_number_or(a, 0), y = arvo_json_number_or(b, 0);
    return x < y ? -1 : x > y;
}

bool
arvo__solve_bounds_empty(const solve_state *state)
{
    if (state->lower.value == NULL || state->upper.value == NULL)
        return false;
    const int order = arvo__solve_number_compare(state->lower.value, state->upper.value);
    return order > 0 || (order == 0 && (state->lower.strict || state->upper.strict));
}

static bool
in_bounds(const solve_state *state, const arvo_json *value)
{
    if (state->lower.value != NULL) {
        const int order = arvo__solve_number_compare(value, state->lower.value);
        if (order < 0 || (order == 0 && state->lower.strict))
            return false;
    }
    if (state->upper.value != NULL) {
        const int order = arvo__solve_number_compare(value, state->upper.value);
        if (order > 0 || (order == 0 && state->upper.strict))
            return false;
    }
    return true;
}

/* ---- Fractions --------------------------------------------------------------------- */

static int64_t
gcd(int64_t a, int64_t b)
{
    while (b != 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static ratio
ratio_reduced(int64_t over, int64_t under)
{
    const int64_t common = gcd(over, under);
    return (ratio){ over / common, under / common };
}

/* A positive number of at most 15 digits with at most 9 of them behind the point. */
static bool
ratio_read(const arvo_json *value, ratio *out)
{
    if (arvo_json_type_of(value) == ARVO_JSON_INT) {
        const int64_t over = arvo_json_int_or(value, 0);
        *out = (ratio){ over, 1 };
        return over > 0;
    }
    const double number = arvo_json_number_or(value, 0);
    double scale = 1;
    for (int digits = 0; digits <= 9; digits++, scale *= 10) {
        const double over = round(number * scale);
        if (over >= 1e15)
            return false;
        /* The nearest double of over/scale is what a reader of that decimal gets. */
        if (over > 0 && over / scale == number) {
            *out = ratio_reduced((int64_t)over, (int64_t)scale);
            return true;
        }
    }
    return false;
}

/* The smallest number that both divide; false: too large. */
static bool
ratio_lcm(ratio a, ratio b, ratio *out)
{
    const int64_t over_gcd = gcd(a.over, b.over);
    int64_t over;
    if (__builtin_mul_overflow(a.over / over_gcd, b.over, &over))
        return false;
    *out = ratio_reduced(over, gcd(a.under, b.under));
    return true;
}

/* Whether every multiple of `step` is one of `of`. */
static bool
ratio_divides(ratio of, ratio step)
{
    /* step / of = (step.over * of.under) / (step.under * of.over) must be whole. */
    int64_t top, bottom;
    if (__builtin_mul_overflow(step.over, of.under, &top) ||
        __builtin_mul_overflow(step.under, of.over, &bottom))
        return false;
    return top % bottom == 0;
}

/* The step that all multiples have in common, whole numbers included when `fraction` is false.
 * SOLVE_NO: none needed; SOLVE_MAYBE: beyond this arithmetic. */
static solve_truth
step_of(const solve_state *state, bool fraction, ratio *out)
{
    solve_truth has = fraction ? SOLVE_NO : SOLVE_YES;
    *out = (ratio){ 1, 1 };
    for (const solve_values *item = state->multiples; item != NULL; item = item->next) {
        ratio of;
        if (!ratio_read(item->value, &of))
            return SOLVE_MAYBE;
        if (has == SOLVE_NO)
            *out = of;
        else if (!ratio_lcm(*out, of, out))
            return SOLVE_MAYBE;
        has = SOLVE_YES;
    }
    return has;
}

static bool
excluded_by_step(const solve_state *state, ratio step, bool fraction)
{
    if (fraction && step.under == 1)
        return true; /* only whole numbers */
    for (const solve_values *item = state->not_multiples; item != NULL; item = item->next) {
        ratio of;
        if (ratio_read(item->value, &of) && ratio_divides(of, step))
            return true;
    }
    return false;
}

/* ---- A number ------------------------------------------------------------------------- */

static double
bound_or(solve_bound bound, double otherwise)
{
    return bound.value != NULL ? arvo_json_number_or(bound.value, otherwise) : otherwise;
}

static const arvo_json *
number_make(solver *s, int64_t k, ratio step)
{
    int64_t over;
    if (__builtin_mul_overflow(k, step.over, &over))
        return NULL;
    if (step.under == 1)
        return arvo_json_int(s->arena, over);
    return arvo_json_number(s->arena, (double)over / (double)step.under);
}

static solve_answer
number_try(
    solver *s, const solve_state *state, bool fraction, const arvo_json *number,
    const solve_terms *all, const arvo_json **value)
{
    if (number == NULL)
        return SOLVE_UNKNOWN;
    if (!in_bounds(state, number) || (arvo__solve_types_of(number) == SOLVE_FRACTION) != fraction)
        return SOLVE_NONE;
    const solve_truth is = arvo__solve_eval_all(s, all, number);
    if (is == SOLVE_YES)
        *value = number;
    return is == SOLVE_YES ? SOLVE_FOUND : is == SOLVE_MAYBE ? SOLVE_UNKNOWN : SOLVE_NONE;
}

/* Multiples of the step, from the one nearest to what people would choose. */
static solve_answer
number_on_grid(
    solver *s, const solve_state *state, bool fraction, ratio step, const solve_terms *all,
    const arvo_json **value)
{
    const double size = (double)step.over / (double)step.under;
    const double low = ceil(bound_or(state->lower, -1e18) / size) - 1;
    const double high = floor(bound_or(state->upper, 1e18) / size) + 1;
    if (low > high)
        return SOLVE_NONE;
    /* Beyond this the doubles themselves are too far apart to say "none". */
    const bool exact = fabs(low) < 9e15 && fabs(high) < 9e15;
    double start = state->lower.value != NULL ? low : high < 0 ? high : 0;
    if (s->realistic && start <= 0 && high > 1 + (double)(s->seed % 7))
        start = 1 + (double)(s->seed % 7);
    solve_answer answer = SOLVE_NONE;
    for (int64_t i = 0; i <= (int64_t)SOLVE_TRIES_MAX && arvo__solve_step(s, 1); i++) {
        bool any = false;
        for (int side = 0; side < (i == 0 ? 1 : 2); side++) {
            const double k = side == 0 ? start + (double)i : start - (double)i;
            if (k < low || k > high || fabs(k) > 9e18)
                continue;
            any = true;
            const arvo_json *const number = number_make(s, (int64_t)k, step);
            answer = solve_worse(answer, number_try(s, state, fraction, number, all, value));
            if (answer == SOLVE_FOUND)
                return answer;
        }
        if (!any)
            return exact ? answer : SOLVE_UNKNOWN; /* all were tried */
    }
    return SOLVE_UNKNOWN;
}

/* Numbers with a fraction and no step: between the bounds there is always another. */
static solve_answer
number_between(solver *s, const solve_state *state, const solve_terms *all, const arvo_json **value)
{
    static const double parts[] = { 0.5, 0.25, 0.75, 0.1, 0.01, 0.001, 0.0001, 0.00001, 0.333 };
    const double low = bound_or(state->lower, -INFINITY), high = bound_or(state->upper, INFINITY);
    if (low == high) { /* the one number, if it has a fraction at all */
        const arvo_json *const only = arvo_json_number(s->arena, low);
        return number_try(s, state, true, only, all, value);
    }
    const double base = isfinite(low) ? floor(low) : isfinite(high) ? floor(high) - 1 : 0;
    solve_answer answer = SOLVE_UNKNOWN;
    for (size_t i = 0; i < 8 * ARVO_COUNT_OF(parts) && answer != SOLVE_FOUND; i++) {
        const double whole = base + (double)(i / ARVO_COUNT_OF(parts));
        const double number = whole + parts[i % ARVO_COUNT_OF(parts)];
        answer = solve_worse(
            answer, number_try(s, state, true, arvo_json_number(s->arena, number), all, value));
    }
    for (size_t i = 1; i < 16 && answer != SOLVE_FOUND && isfinite(low) && isfinite(high); i++) {
        const double number = low + (high - low) * (double)i / 16;
        answer = solve_worse(
            answer, number_try(s, state, true, arvo_json_number(s->arena, number), all, value));
    }
    return answer;
}

static solve_answer
number_at_bounds(
    solver *s, const solve_state *state, bool fraction, const solve_terms *all,
    const arvo_json **value)
{
    solve_answer answer = SOLVE_NONE;
    if (state->lower.value != NULL)
        answer = number_try(s, state, fraction, state->lower.value, all, value);
    if (answer != SOLVE_FOUND && state->upper.value != NULL)
        answer =
            solve_worse(answer, number_try(s, state, fraction, state->upper.value, all, value));
    return answer;
}

solve_answer
arvo__solve_number(
    solver *s, const solve_state *state, bool fraction, const solve_terms *all,
    const arvo_json **value)
{
    if (arvo__solve_bounds_empty(state))
        return SOLVE_NONE;
    ratio step;
    const solve_truth has = step_of(state, fraction, &step);
    if (has == SOLVE_YES && excluded_by_step(state, step, fraction))
        return SOLVE_NONE;
    solve_answer answer = SOLVE_UNKNOWN;
    if (has == SOLVE_YES)
        answer = number_on_grid(s, state, fraction, step, all, value);
    else if (has == SOLVE_NO)
        answer = number_between(s, state, all, value);
    if (answer != SOLVE_UNKNOWN)
        return answer;
    const solve_answer edge = number_at_bounds(s, state, fraction, all, value);
    return edge == SOLVE_FOUND ? edge : answer;
}
