/* Runs native programs: a walk over the node tree, values from the scope's arena. No output is NULL
 * with run->state still EXPR_RUNNING; so is a failure, with the state set: either ends the walk,
 * except where jq catches "no output" (array items, `//`). */

#include "machine/expr_internal.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* `input` NULL: the scope as a whole. */
static const arvo_json *eval(expr_run *run, const expr_node *node, const arvo_json *input);

/* ---- What the other files use ------------------------------------------------- */

const arvo_json *
arvo__expr_fail(expr_run *run, const char *format, ...)
{
    char text[512];
    va_list args;
    if (run->state != EXPR_RUNNING)
        return NULL;
    run->state = EXPR_FAILED;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    arvo__fail(run->err, ARVO_E_EXECUTION, "%s", text);
    return NULL;
}

const arvo_json *
arvo__expr_nomem(expr_run *run)
{
    run->state = EXPR_OUT_OF_MEMORY;
    arvo__nomem(run->err);
    return NULL;
}

void *
arvo__expr_alloc(expr_run *run, size_t size)
{
    if (size > run->bytes_left) {
        arvo__expr_fail(
            run, "it builds more than the %zu bytes an expression may", ARVO_EXPRESSION_BYTES_MAX);
        return NULL;
    }
    run->bytes_left -= size;
    void *ptr = arvo__arena_alloc(run->arena, size);
    if (ptr == NULL)
        arvo__expr_nomem(run);
    return ptr;
}

bool
arvo__expr_spend(expr_run *run, uint64_t steps)
{
    if (ARVO_LIKELY(steps <= run->steps_left)) {
        run->steps_left -= steps;
        return true;
    }
    run->steps_left = 0;
    arvo__expr_fail(run, "it takes more steps than an expression may");
    return false;
}

const char *
arvo__expr_type(const arvo_json *value)
{
    static const char *const names[] = { "null",   "boolean", "boolean", "number",
                                         "string", "array",   "object" };
    return names[arvo__expr_rank(value)];
}

const char *
arvo__expr_show(const arvo_json *value, char *text, size_t size)
{
    const char *type = arvo__expr_type(value);
    switch (value->type) {
    case ARVO_JSON_BOOL:
        (void)snprintf(text, size, "%s (%s)", type, value->as.boolean ? "true" : "false");
        break;
    case ARVO_JSON_INT:
    case ARVO_JSON_DOUBLE:
        (void)snprintf(text, size, "%s (%.17g)", type, arvo__expr_double(value));
        break;
    case ARVO_JSON_STRING: {
        int len = (int)(value->len < 24 ? value->len : 24);
        while (len > 0 && value->len > 24 && ((unsigned char)value->as.string[len] & 0xC0) == 0x80)
            len--; /* whole characters only */
        (void)snprintf(
            text, size, "%s (\"%.*s%s\")", type, len, value->as.string,
            value->len > 24 ? "..." : "");
        break;
    }
    default:
        (void)snprintf(text, size, "%s", type);
        break;
    }
    return text;
}

const arvo_json *
arvo__expr_number(expr_run *run, double number)
{
    arvo_json *out = arvo__expr_alloc(run, sizeof(*out));
    if (out == NULL)
        return NULL;
    /* -0 stays a double: jq's tostring tells it from 0. */
    const int64_t integer = fabs(number) < 0x1p53 ? (int64_t)number : 0;
    if ((double)integer == number && (integer != 0 || !signbit(number))) {
        *out = (arvo_json){ .type = ARVO_JSON_INT, .as.integer = integer };
        return out;
    }
    run->not_finite |= !isfinite(number);
    *out = (arvo_json){ .type = ARVO_JSON_DOUBLE, .as.number = number };
    return out;
}

const arvo_json *
arvo__expr_string(expr_run *run, const char *bytes, size_t len)
{
    arvo_json *out = arvo__expr_alloc(run, sizeof(*out));
    if (out != NULL)
        *out = (arvo_json){ .type = ARVO_JSON_STRING, .len = (uint32_t)len, .as.string = bytes };
    return out;
}

arvo_json *
arvo__expr_array(expr_run *run, size_t count)
{
    if (count > ARVO_EXPRESSION_BYTES_MAX) {
        arvo__expr_fail(run, "the array would be too long");
        return NULL;
    }
    arvo_json *out = arvo__expr_alloc(run, (count + 1) * sizeof(*out));
    if (out != NULL)
        *out = (arvo_json){ .type = ARVO_JSON_ARRAY, .len = (uint32_t)count, .as.items = out + 1 };
    return out;
}

/* ---- The scope ------------------------------------------------------------------ */

static const arvo_json *
scope_member(const arvo_scope *scope, unsigned slot)
{
    const arvo_json *const members[EXPR_SCOPE_COUNT] = { scope->context, scope->event, scope->input,
                                                         scope->params };
    return members[slot] != NULL ? members[slot] : arvo_json_null();
}

/* The scope as one object, built once per run. */
static const arvo_json *
scope_whole(expr_run *run)
{
    if (run->whole != NULL)
        return run->whole;
    arvo_json *whole = arvo_json_object_new(run->arena);
    for (unsigned i = 0; i < EXPR_SCOPE_COUNT; i++)
        arvo_json_set_ref(
            run->arena, whole, arvo__expr_scope_names[i], scope_member(run->scope, i));
    if (whole == NULL || arvo_arena_failed(run->arena))
        return arvo__expr_nomem(run);
    run->whole = whole;
    return whole;
}

static const arvo_json *
as_value(expr_run *run, const arvo_json *input)
{
    return input != NULL ? input : scope_whole(run);
}

/* ---- Nodes ------------------------------------------------------------------------ */

static const arvo_json *
eval_field(expr_run *run, const expr_node *node, const arvo_json *input)
{
    const arvo_json *base = eval(run, node->a, input);
    if (base == NULL)
        return NULL;
    if (ARVO_LIKELY(base->type == ARVO_JSON_OBJECT)) {
        const arvo_json *member = arvo_json_get_str(base, node->text);
        return member != NULL ? member : arvo_json_null();
    }
    if (base->type == ARVO_JSON_NULL)
        return base;
    if (node->optional)
        return NULL;
    return arvo__expr_fail(
        run, "Cannot index %s with \"%.*s\"", arvo__expr_type(base),
        (int)(node->text.len < 64 ? node->text.len : 64), node->text.ptr);
}

/* The key is evaluated before what it indexes. */
static const arvo_json *
eval_index(expr_run *run, const expr_node *node, const arvo_json *input)
{
    const arvo_json *key = eval(run, node->b, input);
    const arvo_json *base = key != NULL ? eval(run, node->a, input) : NULL;
    return base != NULL ? arvo__expr_index(run, base, key, node->optional) : NULL;
}

static const arvo_json *
eval_slice(expr_run *run, const expr_node *node, const arvo_json *input)
{
    const arvo_json *from = NULL, *to = NULL;
    if (node->b != NULL && (from = eval(run, node->b, input)) == NULL)
        return NULL;
    if (node->c != NULL && (to = eval(run, node->c, input)) == NULL)
        return NULL;
    const arvo_json *base = eval(run, node->a, input);
    return base != NULL ? arvo__expr_slice(run, base, from, to, node->optional) : NULL;
}

static const arvo_json *
eval_negate(expr_run *run, const expr_node *node, const arvo_json *input)
{
    char shown[64];
    const arvo_json *value = eval(run, node->a, input);
    if (value == NULL)
        return NULL;
    if (!arvo_json_is_number(value))
        return arvo__expr_fail(
            run, "%s cannot be negated", arvo__expr_show(value, shown, sizeof(shown)));
    return arvo__expr_number(run, -arvo__expr_double(value));
}

/* jq evaluates the right side first; it shows when one fails and the other has no output. */
static const arvo_json *
eval_binary(expr_run *run, const expr_node *node, const arvo_json *input)
{
    const arvo_json *right = eval(run, node->b, input);
    const arvo_json *left = right != NULL ? eval(run, node->a, input) : NULL;
    return left != NULL ? arvo__expr_binary(run, node->op, left, right) : NULL;
}

static const arvo_json *
eval_logic(expr_run *run, const expr_node *node, const arvo_json *input)
{
    const arvo_json *left = eval(run, node->a, input);
    if (left == NULL)
        return NULL;
    if (arvo__json_is_truthy(left) == (node->kind == EXPR_OR))
        return arvo_json_bool(node->kind == EXPR_OR);
    const arvo_json *right = eval(run, node->b, input);
    return right != NULL ? arvo_json_bool(arvo__json_is_truthy(right)) : NULL;
}

/* The parts of a string, from the last to the first, as jq adds them up. */
static const arvo_json *
eval_format(expr_run *run, const expr_node *node, const arvo_json *input)
{
    const arvo_json **parts = arvo__expr_alloc(run, node->count * sizeof(*parts));
    size_t len = 0;
    if (parts == NULL)
        return NULL;
    for (uint32_t i = node->count; i > 0; i--) {
        const arvo_json *part = eval(run, node->items[i - 1], input);
        parts[i - 1] = part != NULL ? arvo__expr_tostring(run, part) : NULL;
        if (parts[i - 1] == NULL)
            return NULL;
        len += parts[i - 1]->len;
    }
    char *bytes = arvo__expr_alloc(run, len);
    if (bytes == NULL)
        return NULL;
    size_t at = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        if (parts[i]->len > 0)
            memcpy(bytes + at, parts[i]->as.string, parts[i]->len);
        at += parts[i]->len;
    }
    return arvo__expr_string(run, bytes, len);
}

static const arvo_json *
eval_array(expr_run *run, const expr_node *node, const arvo_json *input)
{
    arvo_json *out = arvo__expr_array(run, node->count);
    if (out == NULL)
        return NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        const arvo_json *item = eval(run, node->items[i], input);
        if (item != NULL)
            out->as.items[count++] = *item;
        else if (run->state != EXPR_RUNNING)
            return NULL;
    }
    out->len = count;
    return out;
}

static const arvo_json *
eval_object(expr_run *run, const expr_node *node, const arvo_json *input)
{
    char shown[64];
    const size_t bytes = (node->count + 1u) * sizeof(struct arvo__member);
    if (bytes > run->bytes_left)
        return arvo__expr_fail(run, "the object would be too large");
    run->bytes_left -= bytes;
    arvo_json *out = arvo_json_object_new(run->arena);
    for (uint32_t i = 0; i < node->count; i += 2) {
        const arvo_json *key = eval(run, node->items[i], input);
        const arvo_json *value = key != NULL ? eval(run, node->items[i + 1], input) : NULL;
        if (value == NULL)
            return NULL;
        if (key->type != ARVO_JSON_STRING)
            return arvo__expr_fail(
                run, "%s cannot be an object key: a string is required",
                arvo__expr_show(key, shown, sizeof(shown)));
        arvo_json_set_ref(run->arena, out, arvo_json_str(key), value);
    }
    return out == NULL || arvo_arena_failed(run->arena) ? arvo__expr_nomem(run) : out;
}

/* ---- Functions of items --------------------------------------------------------- */

static const arvo_json *
item_of(const arvo_json *list, uint32_t i)
{
    return list->type == ARVO_JSON_ARRAY ? &list->as.items[i] : &list->as.members[i].value;
}

static const arvo_json *
eval_map(expr_run *run, const expr_node *node, const arvo_json *list)
{
    arvo_json *out = arvo__expr_array(run, list->len);
    if (out == NULL)
        return NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < list->len; i++) {
        const arvo_json *item = eval(run, node->a, item_of(list, i));
        if (item != NULL)
            out->as.items[count++] = *item;
        else if (run->state != EXPR_RUNNING)
            return NULL;
    }
    out->len = count;
    return out;
}

/* any stops at the first item that holds, all at the first that does not. */
static const arvo_json *
eval_any_all(expr_run *run, const expr_node *node, const arvo_json *list)
{
    const bool any = node->op == EXPR_F_ANY;
    for (uint32_t i = 0; i < list->len; i++) {
        const arvo_json *item = item_of(list, i);
        const arvo_json *holds = node->a != NULL ? eval(run, node->a, item) : item;
        if (run->state != EXPR_RUNNING || !arvo__expr_spend(run, 1))
            return NULL;
        if (holds != NULL && arvo__json_is_truthy(holds) == any)
            return arvo_json_bool(any);
    }
    return arvo_json_bool(!any);
}

static const arvo_json *
eval_call(expr_run *run, const expr_node *node, const arvo_json *input)
{
    const arvo_json *arg = NULL, *value = NULL;
    switch (node->op) {
    case EXPR_F_EMPTY:
        return NULL;
    case EXPR_F_SELECT:
        arg = eval(run, node->a, input);
        return arg != NULL && arvo__json_is_truthy(arg) ? as_value(run, input) : NULL;
    case EXPR_F_MAP:
    case EXPR_F_ANY:
    case EXPR_F_ALL:
        value = as_value(run, input);
        if (value == NULL)
            return NULL;
        if (value->type != ARVO_JSON_ARRAY && value->type != ARVO_JSON_OBJECT)
            return arvo__expr_fail(run, "Cannot iterate over %s", arvo__expr_type(value));
        return node->op == EXPR_F_MAP ? eval_map(run, node, value) : eval_any_all(run, node, value);
    default:
        if (node->a != NULL && (arg = eval(run, node->a, input)) == NULL)
            return NULL;
        value = as_value(run, input);
        return value != NULL ? arvo__expr_call(run, (expr_function)node->op, value, arg) : NULL;
    }
}

static const arvo_json *
eval(expr_run *run, const expr_node *node, const arvo_json *input)
{
    const arvo_json *value;
    if (!arvo__expr_spend(run, 1))
        return NULL;
    switch ((expr_kind)node->kind) {
    case EXPR_SCOPE:
        return scope_member(run->scope, node->slot);
    case EXPR_FIELD:
        return eval_field(run, node, input);
    case EXPR_LITERAL:
        return node->value;
    case EXPR_BINARY:
        return eval_binary(run, node, input);
    case EXPR_AND:
    case EXPR_OR:
        return eval_logic(run, node, input);
    case EXPR_PIPE:
        value = eval(run, node->a, input);
        return value != NULL ? eval(run, node->b, value) : NULL;
    case EXPR_IDENTITY:
        return as_value(run, input);
    case EXPR_INDEX:
        return eval_index(run, node, input);
    case EXPR_SLICE:
        return eval_slice(run, node, input);
    case EXPR_VARIABLE:
        return run->vars[node->slot];
    case EXPR_BIND:
        value = eval(run, node->a, input);
        if (value == NULL)
            return NULL;
        run->vars[node->slot] = value;
        return eval(run, node->b, input);
    case EXPR_FORMAT:
        return eval_format(run, node, input);
    case EXPR_NEGATE:
        return eval_negate(run, node, input);
    case EXPR_ALTERNATIVE:
        value = eval(run, node->a, input);
        if (run->state != EXPR_RUNNING)
            return NULL;
        return value != NULL && arvo__json_is_truthy(value) ? value : eval(run, node->b, input);
    case EXPR_IF:
        value = eval(run, node->a, input);
        if (value == NULL)
            return NULL;
        return eval(run, arvo__json_is_truthy(value) ? node->b : node->c, input);
    case EXPR_ARRAY:
        return eval_array(run, node, input);
    case EXPR_OBJECT:
        return eval_object(run, node, input);
    case EXPR_CALL:
        return eval_call(run, node, input);
    }
    return NULL;
}

/* ---- The result ------------------------------------------------------------------- */

/* A value built of shares of one another may be far larger as text than in memory. */
static bool
result_fits(expr_run *run, const arvo_json *value, unsigned depth)
{
    if (depth > ARVO_JSON_DEPTH_MAX) {
        arvo__expr_fail(run, "its value is nested too deeply");
        return false;
    }
    const bool array = value->type == ARVO_JSON_ARRAY, object = value->type == ARVO_JSON_OBJECT;
    const size_t bytes = sizeof(*value) + (value->type == ARVO_JSON_STRING ? value->len : 0);
    if (bytes > run->bytes_left) {
        arvo__expr_fail(run, "its value is too large");
        return false;
    }
    run->bytes_left -= bytes;
    for (uint32_t i = 0; (array || object) && i < value->len; i++)
        if (!arvo__expr_spend(run, 1) || !result_fits(run, item_of(value, i), depth + 1))
            return false;
    return true;
}

/* What jq prints for what JSON cannot say: null for NaN, the largest double for infinity. */
static const arvo_json *
result_finite(expr_run *run, const arvo_json *value)
{
    if (value->type == ARVO_JSON_DOUBLE && !isfinite(value->as.number)) {
        const double number = value->as.number;
        return isnan(number) ? arvo_json_null()
                             : arvo__expr_number(run, number > 0 ? DBL_MAX : -DBL_MAX);
    }
    if (value->type != ARVO_JSON_ARRAY && value->type != ARVO_JSON_OBJECT)
        return value;
    arvo_json *out = arvo_json_clone(run->arena, value);
    if (out == NULL)
        return arvo__expr_nomem(run);
    for (uint32_t i = 0; i < value->len; i++) {
        const arvo_json *item = result_finite(run, item_of(value, i));
        if (item == NULL)
            return NULL;
        if (value->type == ARVO_JSON_ARRAY)
            out->as.items[i] = *item;
        else
            out->as.members[i].value = *item;
    }
    return out;
}

arvo_status
arvo__expr_native_eval(
    const expr_native *native, const arvo_scope *scope, const arvo_json **out, arvo_error *err)
{
    expr_run run; /* vars are set before they are read */
    run.scope = scope;
    run.arena = scope->arena;
    run.whole = NULL;
    run.steps_left = EXPR_STEPS_MAX;
    run.bytes_left = ARVO_EXPRESSION_BYTES_MAX;
    run.state = EXPR_RUNNING;
    run.not_finite = false;
    run.err = err;

    const arvo_json *value = eval(&run, native->root, NULL);
    if (value != NULL && native->grows) {
        run.steps_left = EXPR_STEPS_MAX;
        run.bytes_left = ARVO_EXPRESSION_BYTES_MAX;
        if (!result_fits(&run, value, 1))
            value = NULL;
    }
    if (value != NULL && run.not_finite)
        value = result_finite(&run, value);
    if (run.state == EXPR_OUT_OF_MEMORY)
        return ARVO_E_NOMEM;
    if (run.state == EXPR_FAILED)
        return ARVO_E_EXECUTION;
    *out = value;
    return ARVO_OK;
}
