/* xstate_case.h - replays one recorded run of an XState chart on our machine.
 *
 * A case is {name, machine, events, steps, persisted, snapshot?, createError?}.
 * Its chart is in a small language of its own (log, logctx, raise, emit,
 * assign, throw, enqueue; const, eventIs, ctxLt, not, and, or, stateIn, throw;
 * ctx, add, eventType, eventOutput): here it becomes a machine document. */
#ifndef ARVO_TESTS_INTEROP_XSTATE_CASE_H
#define ARVO_TESTS_INTEROP_XSTATE_CASE_H

#include "golden.h"

#include <arvo/machine.h>

/* ---- What the language cannot say in our documents: failing on purpose ---- */

static void
xstate_throw_action(const arvo_scope *scope)
{
    arvo_scope_fail(
        scope, ARVO_STR("Error"), arvo_json_str(arvo_json_get(scope->params, "message")));
}

static bool
xstate_throw_guard(const arvo_scope *scope)
{
    xstate_throw_action(scope);
    return false;
}

static const arvo_guard_def xstate_guards[] = { { "throw", xstate_throw_guard, NULL }, { 0 } };
static const arvo_action_def xstate_actions[] = { { "throw", xstate_throw_action, NULL }, { 0 } };

/* ---- Building values ---- */

static inline arvo_json *
xstate_object(arvo_arena *arena, const char *key, const arvo_json *value)
{
    arvo_json *object = arvo_json_object_new(arena);
    arvo_json_set(arena, object, arvo_str_from(key), value);
    return object;
}

static inline const arvo_json *
xstate_str(arvo_arena *arena, const char *text)
{
    return arvo_json_string(arena, arvo_str_from(text));
}

/* {type, params: {key: value}} */
static inline const arvo_json *
xstate_typed(arvo_arena *arena, const char *type, const arvo_json *params)
{
    arvo_json *object = xstate_object(arena, "type", xstate_str(arena, type));
    if (params != NULL)
        arvo_json_set(arena, object, ARVO_STR("params"), params);
    return object;
}

static inline const arvo_json *
xstate_expression(arvo_arena *arena, arvo_str text)
{
    return arvo_json_string(arena, arvo_arena_printf(arena, "${ %.*s }", ARVO_FMT(text)));
}

/* ---- Values, guards, actions ---- */

static inline const arvo_json *
xstate_value(arvo_arena *arena, const arvo_json *json)
{
    if (arvo_json_type_of(json) != ARVO_JSON_OBJECT)
        return json;
    const arvo_json *name = arvo_json_get(json, "ctx");
    if (name != NULL)
        return xstate_expression(
            arena, arvo_arena_printf(arena, ".context.%.*s", ARVO_FMT(arvo_json_str(name))));
    const arvo_json *sum = arvo_json_get(json, "add");
    if (sum != NULL)
        return xstate_expression(
            arena, arvo_arena_printf(
                       arena, ".context.%.*s + %d", ARVO_FMT(arvo_json_str(arvo_json_at(sum, 0))),
                       (int)arvo_json_int_or(arvo_json_at(sum, 1), 0)));
    if (arvo_json_get(json, "eventType") != NULL)
        return xstate_expression(arena, ARVO_STR(".event.type"));
    if (arvo_json_get(json, "eventOutput") != NULL)
        return xstate_expression(arena, ARVO_STR(".event.output"));
    arvo_json *object = arvo_json_object_new(arena);
    for (size_t i = 0; i < arvo_json_count(json); i++)
        arvo_json_set(
            arena, object, arvo_json_key_at(json, i), xstate_value(arena, arvo_json_at(json, i)));
    return object;
}

static inline const arvo_json *xstate_guard(arvo_arena *arena, const arvo_json *json);

static inline const arvo_json *
xstate_guard_list(arvo_arena *arena, const char *type, const arvo_json *list)
{
    arvo_json *guards = arvo_json_array_new(arena);
    for (size_t i = 0; i < arvo_json_count(list); i++)
        arvo_json_push(arena, guards, xstate_guard(arena, arvo_json_at(list, i)));
    arvo_json *object = xstate_object(arena, "type", xstate_str(arena, type));
    arvo_json_set(arena, object, ARVO_STR("guards"), guards);
    return object;
}

static inline const arvo_json *
xstate_guard(arvo_arena *arena, const arvo_json *json)
{
    if (arvo_json_type_of(json) != ARVO_JSON_OBJECT)
        return json;
    const arvo_str kind = arvo_json_key_at(json, 0);
    const arvo_json *of = arvo_json_at(json, 0);
    if (arvo_str_is(kind, "const"))
        return xstate_expression(
            arena, arvo_json_bool_or(of, false) ? ARVO_STR("true") : ARVO_STR("false"));
    if (arvo_str_is(kind, "eventIs"))
        return xstate_expression(
            arena, arvo_arena_printf(arena, ".event.type == %s", golden_text(arena, of)));
    if (arvo_str_is(kind, "ctxLt"))
        return xstate_expression(
            arena, arvo_arena_printf(
                       arena, ".context.%.*s < %d", ARVO_FMT(arvo_json_str(arvo_json_at(of, 0))),
                       (int)arvo_json_int_or(arvo_json_at(of, 1), 0)));
    if (arvo_str_is(kind, "and") || arvo_str_is(kind, "or"))
        return xstate_guard_list(arena, arvo_str_is(kind, "and") ? "and" : "or", of);
    if (arvo_str_is(kind, "not")) {
        arvo_json *object = xstate_object(arena, "type", xstate_str(arena, "not"));
        arvo_json_set(arena, object, ARVO_STR("guard"), xstate_guard(arena, of));
        return object;
    }
    if (arvo_str_is(kind, "stateIn"))
        return xstate_typed(arena, "stateIn", xstate_object(arena, "state", of));
    return xstate_typed(arena, "throw", xstate_object(arena, "message", of));
}

static inline const arvo_json *xstate_actions_of(arvo_arena *arena, const arvo_json *json);

/* A list of actions with {if, then} in it becomes the branches of enqueueActions. */
static inline const arvo_json *
xstate_enqueue(arvo_arena *arena, const arvo_json *list)
{
    arvo_json *branches = arvo_json_array_new(arena);
    for (size_t i = 0; i < arvo_json_count(list); i++) {
        const arvo_json *item = arvo_json_at(list, i);
        const arvo_json *guard = arvo_json_get(item, "if");
        const arvo_json *actions = guard != NULL ? arvo_json_get(item, "then") : item;
        arvo_json *branch = xstate_object(arena, "actions", xstate_actions_of(arena, actions));
        if (guard != NULL)
            arvo_json_set(arena, branch, ARVO_STR("guard"), xstate_guard(arena, guard));
        arvo_json_push(arena, branches, branch);
    }
    return xstate_typed(arena, "enqueueActions", branches);
}

/* log with a message of jq: `text` */
static inline const arvo_json *
xstate_log(arvo_arena *arena, arvo_str text)
{
    return xstate_typed(
        arena, "log", xstate_object(arena, "message", xstate_expression(arena, text)));
}

static inline const arvo_json *
xstate_action(arvo_arena *arena, const arvo_json *json)
{
    if (arvo_json_type_of(json) != ARVO_JSON_OBJECT)
        return json;
    const arvo_str kind = arvo_json_key_at(json, 0);
    const arvo_json *of = arvo_json_at(json, 0);
    const arvo_str name = arvo_json_str(of);
    if (arvo_str_is(kind, "log"))
        return xstate_log(
            arena,
            arvo_arena_printf(arena, "%s + \"(\" + .event.type + \")\"", golden_text(arena, of)));
    if (arvo_str_is(kind, "logctx"))
        return xstate_log(
            arena,
            arvo_arena_printf(
                arena, "\"%.*s=\" + (.context.%.*s | tostring)", ARVO_FMT(name), ARVO_FMT(name)));
    if (arvo_str_is(kind, "raise"))
        return xstate_typed(arena, "raise", xstate_object(arena, "type", of));
    if (arvo_str_is(kind, "emit")) {
        arvo_json *params = xstate_object(arena, "type", of);
        const arvo_json *data = arvo_json_get(json, "data");
        if (data != NULL)
            arvo_json_set(arena, params, ARVO_STR("data"), xstate_value(arena, data));
        return xstate_typed(arena, "emit", params);
    }
    if (arvo_str_is(kind, "assign"))
        return xstate_typed(arena, "assign", xstate_value(arena, of));
    if (arvo_str_is(kind, "enqueue"))
        return xstate_enqueue(arena, of);
    return xstate_typed(arena, "throw", xstate_object(arena, "message", of));
}

static inline const arvo_json *
xstate_actions_of(arvo_arena *arena, const arvo_json *json)
{
    if (arvo_json_type_of(json) != ARVO_JSON_ARRAY)
        return xstate_action(arena, json);
    arvo_json *list = arvo_json_array_new(arena);
    for (size_t i = 0; i < arvo_json_count(json); i++)
        arvo_json_push(arena, list, xstate_action(arena, arvo_json_at(json, i)));
    return list;
}

/* ---- Charts ---- */

static inline const arvo_json *xstate_part(arvo_arena *arena, arvo_str key, const arvo_json *json);

/* Every member of an object, or item of a list, by `key` or by its own key. */
static inline const arvo_json *
xstate_parts(arvo_arena *arena, const arvo_json *json)
{
    if (arvo_json_type_of(json) == ARVO_JSON_ARRAY) {
        arvo_json *list = arvo_json_array_new(arena);
        for (size_t i = 0; i < arvo_json_count(json); i++)
            arvo_json_push(arena, list, xstate_parts(arena, arvo_json_at(json, i)));
        return list;
    }
    if (arvo_json_type_of(json) != ARVO_JSON_OBJECT)
        return json;
    arvo_json *object = arvo_json_object_new(arena);
    for (size_t i = 0; i < arvo_json_count(json); i++)
        arvo_json_set(
            arena, object, arvo_json_key_at(json, i),
            xstate_part(arena, arvo_json_key_at(json, i), arvo_json_at(json, i)));
    return object;
}

/* States and event types may have any name: `on` and `states` lead to names, not keys. */
static inline const arvo_json *
xstate_named(arvo_arena *arena, const arvo_json *json)
{
    arvo_json *object = arvo_json_object_new(arena);
    for (size_t i = 0; i < arvo_json_count(json); i++)
        arvo_json_set(
            arena, object, arvo_json_key_at(json, i), xstate_parts(arena, arvo_json_at(json, i)));
    return object;
}

static inline const arvo_json *
xstate_part(arvo_arena *arena, arvo_str key, const arvo_json *json)
{
    if (arvo_str_is(key, "entry") || arvo_str_is(key, "exit") || arvo_str_is(key, "actions"))
        return xstate_actions_of(arena, json);
    if (arvo_str_is(key, "guard"))
        return xstate_guard(arena, json);
    if (arvo_str_is(key, "output"))
        return xstate_value(arena, json);
    if (arvo_str_is(key, "context"))
        return json;
    if (arvo_str_is(key, "on") || arvo_str_is(key, "states"))
        return xstate_named(arena, json);
    return xstate_parts(arena, json);
}

static inline const arvo_json *
xstate_document(arvo_arena *arena, const arvo_json *machine)
{
    arvo_json *object = xstate_object(arena, "kind", xstate_str(arena, "machine"));
    const arvo_json *parts = xstate_parts(arena, machine);
    for (size_t i = 0; i < arvo_json_count(parts); i++)
        arvo_json_set(arena, object, arvo_json_key_at(parts, i), arvo_json_at(parts, i));
    return object;
}

/* ---- Comparing ---- */

/* Where a step differs from the recorded one: an arena text, or NULL. */
static inline const char *
xstate_differs(arvo_arena *arena, const char *what, const arvo_json *ours, const arvo_json *theirs)
{
    const char *a = golden_text(arena, ours);
    const char *b = golden_text(arena, theirs);
    if (strcmp(a, b) == 0)
        return NULL;
    return arvo_arena_printf(arena, "%s is %s, was %s", what, a, b).ptr;
}

static inline const arvo_json *
xstate_logs(arvo_arena *arena, const arvo_machine_output *out)
{
    arvo_json *list = arvo_json_array_new(arena);
    for (size_t i = 0; i < out->log_count; i++)
        arvo_json_push(arena, list, arvo_json_string(arena, out->logs[i]));
    return list;
}

static inline const arvo_json *
xstate_emissions(arvo_arena *arena, const arvo_machine_output *out)
{
    arvo_json *list = arvo_json_array_new(arena);
    for (size_t i = 0; i < out->emission_count; i++) {
        arvo_json *emission =
            xstate_object(arena, "type", arvo_json_string(arena, out->emissions[i].type));
        if (out->emissions[i].data != NULL)
            arvo_json_set(arena, emission, ARVO_STR("data"), out->emissions[i].data);
        arvo_json_push(arena, list, emission);
    }
    return list;
}

static inline const char *
xstate_step_differs(arvo_arena *arena, const arvo_machine_output *out, const arvo_json *step)
{
    const arvo_json *status = xstate_str(arena, arvo_machine_status_name(out->status));
    const arvo_json *value = NULL;
    if (arvo_json_parse(out->value, arena, &value, NULL) != ARVO_OK)
        return "the value is no JSON";
    const char *text = xstate_differs(arena, "value", value, arvo_json_get(step, "value"));
    if (text == NULL)
        text = xstate_differs(arena, "status", status, arvo_json_get(step, "status"));
    if (text == NULL)
        text = xstate_differs(arena, "log", xstate_logs(arena, out), arvo_json_get(step, "log"));
    if (text == NULL)
        text = xstate_differs(
            arena, "emitted", xstate_emissions(arena, out), arvo_json_get(step, "emitted"));
    const bool has_failed = !arvo_json_is_nullish(arvo_json_get(step, "error"));
    if (text == NULL && has_failed != (out->error_message.ptr != NULL))
        text = arvo_arena_printf(
                   arena, "error is '%.*s', was %s", ARVO_FMT(out->error_message),
                   golden_text(arena, arvo_json_get(step, "error")))
                   .ptr;
    return text;
}

/* The snapshot, member by member; of an error only that there is one: the texts are our own. */
static inline const char *
xstate_snapshot_differs(
    arvo_arena *arena, const arvo_machine_output *out, const arvo_json *persisted)
{
    static const char *const keys[] = { "status",       "output",  "value",
                                        "historyValue", "context", "children" };
    const arvo_json *ours = NULL;
    arvo_error err = { 0 };
    if (arvo_json_parse(out->state, arena, &ours, &err) != ARVO_OK)
        return arvo_arena_printf(arena, "snapshot is no JSON: %s", err.text).ptr;
    const char *text = NULL;
    for (size_t i = 0; i < ARVO_COUNT_OF(keys) && text == NULL; i++)
        text = xstate_differs(
            arena, keys[i], arvo_json_get(ours, keys[i]), arvo_json_get(persisted, keys[i]));
    if (text == NULL &&
        (arvo_json_get(ours, "error") != NULL) != (arvo_json_get(persisted, "error") != NULL))
        text = "the snapshot's error differs";
    return text;
}

/* ---- Running ---- */

static inline arvo_status
xstate_create(arvo_arena *arena, const arvo_json *one, arvo_machine **out, arvo_error *err)
{
    const arvo_machine_setup setup = { .guards = xstate_guards, .actions = xstate_actions };
    const arvo_document document = {
        .root = xstate_document(arena, arvo_json_get(one, "machine")),
    };
    return arvo_machine_create(&setup, &document, out, err);
}

/* Replay: NULL when all agrees, else an arena text. `through_bytes`: each step begins from the
 * snapshot that the one before wrote, as after a restart. */
static inline const char *
xstate_replay(
    arvo_arena *arena, const arvo_machine *machine, const arvo_json *one, bool through_bytes)
{
    const arvo_json *steps = arvo_json_get(one, "steps");
    const arvo_json *snapshot = arvo_json_get(one, "snapshot");
    arvo_machine_output before = { 0 };
    for (size_t i = 0; i < arvo_json_count(steps); i++) {
        const arvo_json *step = arvo_json_at(steps, i);
        arvo_machine_input input = { 0 };
        if (i > 0 && through_bytes)
            input.state = before.state;
        else if (i > 0)
            input.previous = &before;
        else if (snapshot != NULL)
            input.state = arvo_str_from(golden_text(arena, snapshot));
        if (i > 0)
            input.event = arvo_json_type_of(arvo_json_get(step, "event")) == ARVO_JSON_STRING
                              ? xstate_object(arena, "type", arvo_json_get(step, "event"))
                              : arvo_json_get(step, "event");
        arvo_machine_output out;
        arvo_error err = { 0 };
        const arvo_status st = arvo_machine_execute(machine, &input, arena, &out, &err);
        if (st != ARVO_OK && st != ARVO_E_EXECUTION)
            return arvo_arena_printf(arena, "step %zu: %s", i, err.text).ptr;
        /* From bytes a failed machine reports its failure again; an actor is silent. */
        const char *text = NULL;
        if (through_bytes && before.status == ARVO_MACHINE_ERROR && i > 0)
            text = st == ARVO_E_EXECUTION ? NULL : "a stored failure is not reported";
        else
            text = xstate_step_differs(arena, &out, step);
        if (text != NULL)
            return arvo_arena_printf(arena, "step %zu: %s", i, text).ptr;
        before = out;
    }
    return xstate_snapshot_differs(arena, &before, arvo_json_get(one, "persisted"));
}

#endif
