/* jq 1.6's functions of the native subset that need no evaluator: input and argument are values. */

#include "machine/expr_internal.h"

#include <math.h>

static const arvo_json *
fail_type(expr_run *run, const arvo_json *value, const char *what)
{
    char shown[64];
    return arvo__expr_fail(run, "%s %s", arvo__expr_show(value, shown, sizeof(shown)), what);
}

static bool
is_string(const arvo_json *value)
{
    return value->type == ARVO_JSON_STRING;
}

static const arvo_json *
call_length(expr_run *run, const arvo_json *input)
{
    switch (input->type) {
    case ARVO_JSON_NULL:
        return arvo__expr_number(run, 0);
    case ARVO_JSON_INT:
    case ARVO_JSON_DOUBLE:
        return arvo__expr_number(run, fabs(arvo__expr_double(input)));
    case ARVO_JSON_STRING:
        return arvo__expr_number(
            run, (double)arvo__utf8_count((arvo_str){ input->as.string, input->len }));
    case ARVO_JSON_ARRAY:
    case ARVO_JSON_OBJECT:
        return arvo__expr_number(run, input->len);
    default:
        return fail_type(run, input, "has no length");
    }
}

static const arvo_json *
call_keys(expr_run *run, const arvo_json *input)
{
    if (input->type != ARVO_JSON_ARRAY && input->type != ARVO_JSON_OBJECT)
        return fail_type(run, input, "has no keys");
    arvo_json *out = arvo__expr_array(run, input->len);
    const arvo_str *keys =
        out != NULL && input->type == ARVO_JSON_OBJECT ? arvo__expr_keys(run, input) : NULL;
    if (out == NULL || run->state != EXPR_RUNNING)
        return NULL;
    for (uint32_t i = 0; i < input->len; i++) {
        if (keys != NULL)
            out->as.items[i] = (arvo_json){ .type = ARVO_JSON_STRING,
                                            .len = (uint32_t)keys[i].len,
                                            .as.string = keys[i].ptr };
        else
            out->as.items[i] = (arvo_json){ .type = ARVO_JSON_INT, .as.integer = i };
    }
    return out;
}

static const arvo_json *
call_has(expr_run *run, const arvo_json *input, const arvo_json *key)
{
    if (input->type == ARVO_JSON_OBJECT && is_string(key))
        return arvo_json_bool(arvo_json_get_str(input, arvo_json_str(key)) != NULL);
    if (input->type == ARVO_JSON_ARRAY && arvo_json_is_number(key)) {
        const double at = arvo__expr_double(key);
        return arvo_json_bool(at > -1 && at < (double)input->len);
    }
    if (input->type == ARVO_JSON_NULL && (is_string(key) || arvo_json_is_number(key)))
        return arvo_json_bool(false);
    return arvo__expr_fail(
        run, "Cannot check whether %s has a %s key", arvo__expr_type(input), arvo__expr_type(key));
}

static bool
ends_in(const arvo_json *text, const arvo_json *end)
{
    return end->len <= text->len &&
           (end->len == 0 ||
            memcmp(text->as.string + text->len - end->len, end->as.string, end->len) == 0);
}

static bool
starts_in(const arvo_json *text, const arvo_json *start)
{
    return start->len <= text->len &&
           (start->len == 0 || memcmp(text->as.string, start->as.string, start->len) == 0);
}

/* Either test needs two strings; either trim gives the input back when it has not. */
static const arvo_json *
call_affix(expr_run *run, expr_function function, const arvo_json *input, const arvo_json *affix)
{
    const bool strings = is_string(input) && is_string(affix);
    const bool front = function == EXPR_F_STARTSWITH || function == EXPR_F_LTRIMSTR;
    const bool fits = strings && (front ? starts_in(input, affix) : ends_in(input, affix));
    if (function == EXPR_F_STARTSWITH || function == EXPR_F_ENDSWITH) {
        if (!strings)
            return arvo__expr_fail(
                run, "%s() requires string inputs", front ? "startswith" : "endswith");
        return arvo_json_bool(fits);
    }
    if (!fits)
        return input;
    return arvo__expr_string(
        run, input->as.string + (front ? affix->len : 0), (size_t)input->len - affix->len);
}

static const arvo_json *
call_case(expr_run *run, expr_function function, const arvo_json *input)
{
    if (!is_string(input))
        return fail_type(run, input, "has no letters: a string is required");
    char *bytes = arvo__expr_alloc(run, input->len);
    if (bytes == NULL)
        return NULL;
    const char first = function == EXPR_F_ASCII_UPCASE ? 'a' : 'A';
    for (uint32_t i = 0; i < input->len; i++) {
        const char c = input->as.string[i];
        bytes[i] = c >= first && c <= first + 25 ? (char)(c ^ 0x20) : c;
    }
    return arvo__expr_string(run, bytes, input->len);
}

static const arvo_json *
call_number(expr_run *run, expr_function function, const arvo_json *input)
{
    if (!arvo_json_is_number(input))
        return fail_type(run, input, "number required");
    const double number = arvo__expr_double(input);
    switch (function) {
    case EXPR_F_FLOOR:
        return arvo__expr_number(run, floor(number));
    case EXPR_F_CEIL:
        return arvo__expr_number(run, ceil(number));
    case EXPR_F_ROUND:
        return arvo__expr_number(run, round(number));
    default:
        return arvo__expr_number(run, sqrt(number));
    }
}

/* Folds the items with `+`, from null. */
static const arvo_json *
call_add(expr_run *run, const arvo_json *input)
{
    if (input->type != ARVO_JSON_ARRAY && input->type != ARVO_JSON_OBJECT)
        return arvo__expr_fail(run, "Cannot iterate over %s", arvo__expr_type(input));
    const arvo_json *sum = arvo_json_null();
    for (uint32_t i = 0; sum != NULL && i < input->len; i++)
        sum = arvo__expr_binary(
            run, '+', sum,
            input->type == ARVO_JSON_ARRAY ? &input->as.items[i] : &input->as.members[i].value);
    return sum;
}

/* A string fails with itself; null gives no output, as in jq. */
static const arvo_json *
call_error(expr_run *run, const arvo_json *message)
{
    if (message->type == ARVO_JSON_NULL)
        return NULL;
    const arvo_json *text = arvo__expr_tostring(run, message);
    if (text == NULL)
        return NULL;
    return arvo__expr_fail(run, "%.*s", (int)(text->len < 400 ? text->len : 400), text->as.string);
}

const arvo_json *
arvo__expr_call(expr_run *run, expr_function function, const arvo_json *input, const arvo_json *arg)
{
    switch (function) {
    case EXPR_F_LENGTH:
        return call_length(run, input);
    case EXPR_F_NOT:
        return arvo_json_bool(!arvo__json_is_truthy(input));
    case EXPR_F_TYPE: {
        const arvo_str name = arvo_str_from(arvo__expr_type(input));
        return arvo__expr_string(run, name.ptr, name.len);
    }
    case EXPR_F_KEYS:
        return call_keys(run, input);
    case EXPR_F_HAS:
        return call_has(run, input, arg);
    case EXPR_F_STARTSWITH:
    case EXPR_F_ENDSWITH:
    case EXPR_F_LTRIMSTR:
    case EXPR_F_RTRIMSTR:
        return call_affix(run, function, input, arg);
    case EXPR_F_ASCII_DOWNCASE:
    case EXPR_F_ASCII_UPCASE:
        return call_case(run, function, input);
    case EXPR_F_FLOOR:
    case EXPR_F_CEIL:
    case EXPR_F_ROUND:
    case EXPR_F_SQRT:
        return call_number(run, function, input);
    case EXPR_F_ADD:
        return call_add(run, input);
    case EXPR_F_ERROR:
        return call_error(run, arg);
    case EXPR_F_TOSTRING:
        return arvo__expr_tostring(run, input);
    case EXPR_F_TOJSON:
        return arvo__expr_tojson(run, input);
    case EXPR_F_TONUMBER:
        return arvo__expr_tonumber(run, input);
    default:
        ARVO_ASSERT(function == EXPR_F_LENGTH); /* the evaluator has run all others itself */
        return NULL;
    }
}
