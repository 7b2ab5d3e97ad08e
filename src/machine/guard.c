/* Guards at run time (spec 11.10). */

#include "machine/run.h"

static bool guard_holds(run *r, const chart_guard *guard, const arvo_json *params, bool *out);

/* ---- stateIn ---- */

/* The active child of `state` that a value's key names; CHART_NONE: not active. */
static uint16_t
active_child(const run *r, uint16_t state, arvo_str key)
{
    for (uint16_t child = r->first[state]; child != CHART_NONE; child = r->next[child])
        if (arvo_str_equal(run_state(r, child)->key, key))
            return child;
    return CHART_NONE;
}

/* XState's partial match of a value against that of `state` (spec 11.13): a leaf under a compound
 * state is a string, everything else an object of the active children. */
static bool
value_matches(const run *r, uint16_t state, const arvo_json *value)
{
    const chart_state *const node = run_state(r, state);
    const uint16_t child = r->first[state];
    const arvo_str key = arvo_json_str(value);
    if (node->type == CHART_COMPOUND && child != CHART_NONE && chart_is_leaf(run_state(r, child)))
        return key.ptr != NULL && arvo_str_equal(run_state(r, child)->key, key);
    if (key.ptr != NULL)
        return active_child(r, state, key) != CHART_NONE;
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        const uint16_t inner = active_child(r, state, arvo_json_key_at(value, i));
        if (inner == CHART_NONE || !value_matches(r, inner, arvo_json_at(value, i)))
            return false;
    }
    return true;
}

/* ---- Functions and lists ---- */

static bool
call(run *r, const chart_guard *guard, const arvo_json *params, bool *out)
{
    r->impl = (struct arvo__scope_impl){ .run = r };
    r->scope.params = params;
    r->scope.user = guard->function->user;
    *out = guard->function->guard(&r->scope);
    r->scope.user = NULL;
    if (!r->impl.has_failed)
        return true;
    r->error_name = r->impl.fail_name;
    r->error_message = r->impl.fail_message;
    r->status = ARVO_E_EXECUTION;
    return false;
}

/* `and` ends at the first that does not hold, `or` at the first that does. */
static bool
list_holds(run *r, const chart_guard *guard, const arvo_json *params, bool *out)
{
    const bool ends_at = guard->kind == CHART_GUARD_OR;
    *out = !ends_at;
    for (uint32_t i = 0; i < guard->guard_count && *out != ends_at; i++)
        if (!guard_holds(r, guard->guards[i], params, out))
            return false;
    return true;
}

static bool
expression_holds(run *r, const chart_guard *guard, const arvo_json *params, bool *out)
{
    const arvo_json *value = NULL;
    if (!arvo__run_eval(r, guard->template_, params, &value))
        return false;
    *out = arvo__json_is_truthy(value);
    return true;
}

static bool
guard_holds(run *r, const chart_guard *guard, const arvo_json *params, bool *out)
{
    if (!run_work(r))
        return false;
    const arvo_json *own = NULL; /* params of a named guard */
    switch (guard->kind) {
    case CHART_GUARD_EXPRESSION:
        return expression_holds(r, guard, params, out);
    case CHART_GUARD_AND:
    case CHART_GUARD_OR:
        return list_holds(r, guard, params, out);
    case CHART_GUARD_NOT:
        if (!guard_holds(r, guard->guards[0], params, out))
            return false;
        *out = !*out;
        return true;
    case CHART_GUARD_STATE:
        *out = bits_has(r->now.nodes.bits, guard->state);
        return true;
    case CHART_GUARD_STATE_VALUE:
        *out = value_matches(r, CHART_ROOT, guard->value);
        return true;
    case CHART_GUARD_CALL:
    case CHART_GUARD_NAMED:
        break;
    }
    if (guard->template_ != NULL && !arvo__run_eval(r, guard->template_, params, &own))
        return false;
    return guard->kind == CHART_GUARD_CALL ? call(r, guard, own, out)
                                           : guard_holds(r, guard->guards[0], own, out);
}

bool
arvo__run_guard(run *r, const chart_guard *guard, const arvo_json *params, bool *out)
{
    if (guard != NULL)
        return guard_holds(r, guard, params, out);
    *out = true;
    return true;
}
