/* Actions at run time (spec 11.8): each sees the context that those before it left. */

#include "machine/run.h"

/* ---- Effects ---- */

bool
arvo__run_assign(run *r, const arvo_json *values)
{
    arvo_json *const context = arvo_json_clone(r->arena, r->now.context);
    for (size_t i = 0; i < arvo_json_count(values); i++)
        arvo_json_set_ref(r->arena, context, arvo_json_key_at(values, i), arvo_json_at(values, i));
    if (context == NULL || arvo_arena_failed(r->arena))
        return arvo__run_nomem(r);
    r->now.context = context;
    r->scope.context = context;
    r->has_changed = true; /* even when nothing is different (spec 11.9.1) */
    return true;
}

bool
arvo__run_raise(run *r, const arvo_json *event)
{
    const arvo_str type = arvo_json_str(arvo_json_get(event, "type"));
    if (type.ptr == NULL)
        return arvo__run_fail(r, "a raised event must be an object with a string `type`");
    run_event *const queue =
        arvo__run_grow(r, r->queue, r->queue_count, &r->queue_cap, sizeof(*queue));
    if (queue == NULL)
        return false;
    r->queue = queue;
    run_event *const queued = &queue[r->queue_count++];
    *queued = (run_event){ .json = event, .type = type };
    run_event_resolve(r, queued);
    return true;
}

bool
arvo__run_raise_done(run *r, arvo_str type, const arvo_json *output)
{
    arvo_json *const event = arvo_json_object_new(r->arena);
    arvo_json_set_ref(r->arena, event, ARVO_STR("type"), arvo_json_string_ref(r->arena, type));
    if (output != NULL)
        arvo_json_set_ref(r->arena, event, ARVO_STR("output"), output);
    return arvo_arena_failed(r->arena) ? arvo__run_nomem(r) : arvo__run_raise(r, event);
}

bool
arvo__run_log(run *r, arvo_str message)
{
    if (r->start_failed)
        return true;
    if (r->log_count >= ARVO_MACHINE_EMISSIONS_MAX)
        return arvo__run_fail(r, "one step logs more than %u lines", ARVO_MACHINE_EMISSIONS_MAX);
    arvo_str *const logs = arvo__run_grow(r, r->logs, r->log_count, &r->log_cap, sizeof(*logs));
    if (logs == NULL)
        return false;
    r->logs = logs;
    logs[r->log_count++] = message;
    return true;
}

/* ---- Built-in actions ---- */

/* All values are taken before any is set. */
static bool
run_assign(run *r, const chart_action *action, const arvo_json *params)
{
    arvo_json *const context = arvo_json_clone(r->arena, r->now.context);
    if (context == NULL)
        return arvo__run_nomem(r);
    for (uint32_t i = 0; i < action->slot_count; i++) {
        const arvo_json *value = NULL;
        if (!arvo__run_eval(r, action->slots[i].value, params, &value))
            return false;
        arvo_json_set_ref(r->arena, context, action->slots[i].key, value);
    }
    if (arvo_arena_failed(r->arena))
        return arvo__run_nomem(r);
    r->now.context = context;
    r->scope.context = context;
    r->has_changed = true;
    return true;
}

static bool
run_assign_object(run *r, const chart_action *action, const arvo_json *params)
{
    const arvo_json *values = NULL;
    if (!arvo__run_eval(r, action->template_, params, &values))
        return false;
    if (!arvo_json_is_nullish(values) && arvo_json_type_of(values) != ARVO_JSON_OBJECT)
        return arvo__run_fail(
            r, "assign needs an object, its expression gave a value of type %s",
            arvo_json_type_name(arvo_json_type_of(values)));
    return arvo__run_assign(r, values);
}

static bool
run_log(run *r, const chart_action *action, const arvo_json *params)
{
    const arvo_json *value = NULL;
    if (!arvo__run_eval(r, action->template_, params, &value))
        return false;
    arvo_str message = arvo_json_str(value);
    if (message.ptr == NULL) {
        arvo_buf text = ARVO_BUF_INIT(ARVO_EXPRESSION_BYTES_MAX);
        text.allocator = r->machine->allocator;
        arvo_json_write(value, &text);
        const arvo_status st = text.status;
        if (st == ARVO_OK)
            message = arvo_arena_str_dup(r->arena, arvo_buf_str(&text));
        arvo_buf_fini(&text);
        if (st == ARVO_E_TOO_BIG)
            return arvo__run_fail(
                r, "a logged value is larger than %zu bytes, or nested deeper than %u",
                ARVO_EXPRESSION_BYTES_MAX, ARVO_JSON_DEPTH_MAX);
        if (message.ptr == NULL)
            return arvo__run_nomem(r);
    }
    return arvo__run_log(r, message);
}

/* All guards see the context from before; then the actions run in order (spec 11.8.5). */
static bool
run_enqueue(run *r, const chart_action *action, const arvo_json *params)
{
    bool *const holds = arvo__arena_alloc(r->arena, action->branch_count + 1u);
    if (holds == NULL)
        return arvo__run_nomem(r);
    for (uint32_t i = 0; i < action->branch_count; i++)
        if (!arvo__run_guard(r, action->branches[i].guard, params, &holds[i]))
            return false;
    for (uint32_t i = 0; i < action->branch_count; i++)
        if (holds[i] && !arvo__run_actions(r, action->branches[i].actions, params))
            return false;
    return true;
}

static bool
run_raise(run *r, const chart_action *action, const arvo_json *params)
{
    const arvo_json *event = NULL;
    return arvo__run_eval(r, action->template_, params, &event) && arvo__run_raise(r, event);
}

static bool
run_emit_object(run *r, const chart_action *action, const arvo_json *params)
{
    const arvo_json *object = NULL;
    return arvo__run_eval(r, action->template_, params, &object) &&
           arvo__run_emit_object(r, object);
}

/* ---- Functions ---- */

static bool
effects_do(run *r, const run_effect *effects, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const run_effect *const effect = &effects[i];
        bool is_done = false;
        switch (effect->kind) {
        case RUN_ASSIGN: {
            arvo_json *const values = arvo_json_object_new(r->arena);
            arvo_json_set_ref(r->arena, values, effect->text, effect->value);
            is_done = values != NULL ? arvo__run_assign(r, values) : arvo__run_nomem(r);
            break;
        }
        case RUN_RAISE:
            is_done = arvo__run_raise(r, effect->value);
            break;
        case RUN_EMIT:
            is_done = arvo__run_emit_object(r, effect->value);
            break;
        case RUN_LOG:
            is_done = arvo__run_log(r, effect->text);
            break;
        }
        if (!is_done)
            return false;
    }
    return true;
}

static bool
run_call(run *r, const chart_action *action, const arvo_json *params)
{
    if (r->start_failed)
        return true;
    r->impl = (struct arvo__scope_impl){ .run = r, .is_action = true };
    r->scope.params = params;
    r->scope.user = action->function->user;
    action->function->action(&r->scope);
    r->scope.user = NULL;
    if (arvo_arena_failed(r->arena))
        return arvo__run_nomem(r);
    if (!r->impl.has_failed)
        return effects_do(r, r->impl.effects, r->impl.effect_count);
    r->error_name = r->impl.fail_name;
    r->error_message = r->impl.fail_message;
    if (r->is_start) { /* as if it ran when the start is over */
        r->start_failed = true;
        return true;
    }
    r->status = ARVO_E_EXECUTION;
    return false;
}

/* ---- Any action ---- */

static bool
run_action(run *r, const chart_action *action, const arvo_json *params)
{
    const arvo_json *own = NULL; /* params of a named action */
    switch (action->kind) {
    case CHART_ACTION_ASSIGN:
        return run_assign(r, action, params);
    case CHART_ACTION_ASSIGN_OBJECT:
        return run_assign_object(r, action, params);
    case CHART_ACTION_RAISE:
        return run_raise(r, action, params);
    case CHART_ACTION_EMIT:
        return arvo__run_emit_slots(r, action, params);
    case CHART_ACTION_EMIT_OBJECT:
        return run_emit_object(r, action, params);
    case CHART_ACTION_LOG:
        return run_log(r, action, params);
    case CHART_ACTION_ENQUEUE:
        return run_enqueue(r, action, params);
    case CHART_ACTION_CALL:
    case CHART_ACTION_NAMED:
        break;
    }
    if (action->template_ != NULL && !arvo__run_eval(r, action->template_, params, &own))
        return false;
    return action->kind == CHART_ACTION_CALL ? run_call(r, action, own)
                                             : arvo__run_actions(r, *action->named, own);
}

bool
arvo__run_actions_all(run *r, chart_actions actions, const arvo_json *params)
{
    for (uint32_t i = 0; i < actions.count; i++)
        if (!run_work(r) || !run_action(r, &actions.items[i], params))
            return false;
    return true;
}
