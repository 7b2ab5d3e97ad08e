/* Machine documents as XState configurations. Pure. */

#include "machine/xstate.h"

/* ---- Guards ---- */

static bool
is_expression(arvo_str text)
{
    size_t begin = 0;
    while (begin < text.len && (unsigned char)text.ptr[begin] <= ' ')
        begin++;
    return text.len - begin >= 2 && text.ptr[begin] == '$' && text.ptr[begin + 1] == '{';
}

static void
name_check(xstate_walk *w, arvo_str name)
{
    if (arvo_str_starts(name, ARVO_STR("xstate.")) || arvo_str_is(name, XSTATE_EXPRESSION))
        arvo__xstate_error(
            w, "'%.*s' has a meaning of its own in the configuration: choose another name",
            ARVO_FMT(name));
}

static const arvo_json *export_guard(xstate_walk *w, const arvo_json *guard);

static const arvo_json *
export_guard_list(xstate_walk *w, const arvo_json *list)
{
    return arvo__xstate_each(w, list, export_guard);
}

static const arvo_json *
export_guard_object(xstate_walk *w, const arvo_json *guard)
{
    const arvo_str type = arvo_json_str(arvo_json_get(guard, "type"));
    if ((arvo_str_is(type, "and") || arvo_str_is(type, "or")) &&
        arvo_json_type_of(arvo_json_get(guard, "guards")) == ARVO_JSON_ARRAY)
        return arvo__xstate_typed(
            w, arvo_str_is(type, "and") ? "and" : "or", "guards",
            arvo__xstate_member(w, guard, "guards", export_guard_list));
    if (arvo_str_is(type, "not") && arvo_json_get(guard, "guard") != NULL)
        return arvo__xstate_typed(
            w, "not", "guard", arvo__xstate_member(w, guard, "guard", export_guard));
    name_check(w, type);
    return guard;
}

static const arvo_json *
export_guard(xstate_walk *w, const arvo_json *guard)
{
    if (!arvo__xstate_descend(w))
        return NULL;
    const arvo_str text = arvo_json_str(guard);
    const arvo_json *result = guard;
    if (arvo_json_type_of(guard) == ARVO_JSON_OBJECT)
        result = export_guard_object(w, guard);
    else if (is_expression(text))
        result = arvo__xstate_typed(w, XSTATE_EXPRESSION, "expression", guard);
    else
        name_check(w, text);
    w->depth--;
    return result;
}

/* ---- Actions ---- */

static const arvo_json *export_action(xstate_walk *w, const arvo_json *action);

static const arvo_json *
export_actions(xstate_walk *w, const arvo_json *actions)
{
    return arvo__xstate_each(w, actions, export_action);
}

/* {guard?, actions}, of enqueueActions and of transitions: the rest as it is. */
static const arvo_json *
export_guarded(xstate_walk *w, const arvo_json *object)
{
    if (arvo_json_type_of(object) != ARVO_JSON_OBJECT)
        return object;
    arvo_json *const copy = arvo_json_clone(w->arena, object);
    if (arvo_json_get(object, "guard") != NULL)
        xstate_set(w, copy, "guard", arvo__xstate_member(w, object, "guard", export_guard));
    if (arvo_json_get(object, "actions") != NULL)
        xstate_set(w, copy, "actions", arvo__xstate_member(w, object, "actions", export_actions));
    return copy;
}

static const arvo_json *
export_branches(xstate_walk *w, const arvo_json *branches)
{
    return arvo__xstate_each(w, branches, export_guarded);
}

static const arvo_json *
export_builtin(xstate_walk *w, const arvo_json *action, const xstate_action *builtin)
{
    const arvo_json *params = arvo_json_get(action, "params");
    if (strcmp(builtin->name, "log") == 0 && arvo_json_count(params) == 1)
        params = arvo_json_get(params, "message");
    else if (strcmp(builtin->name, "log") == 0)
        params = NULL; /* not one that a machine has */
    else if (strcmp(builtin->name, "enqueueActions") == 0)
        params = arvo__xstate_member(w, action, "params", export_branches);
    return params != NULL ? arvo__xstate_typed(w, builtin->type, builtin->param, params) : action;
}

static const arvo_json *
export_action(xstate_walk *w, const arvo_json *action)
{
    const bool is_object = arvo_json_type_of(action) == ARVO_JSON_OBJECT;
    const arvo_str type = arvo_json_str(is_object ? arvo_json_get(action, "type") : action);
    if (!arvo__xstate_descend(w))
        return NULL;
    const xstate_action *builtin = arvo__xstate_actions;
    while (builtin->name != NULL && !arvo_str_is(type, builtin->name))
        builtin++;
    const arvo_json *result = action;
    if (is_object && builtin->name != NULL)
        result = export_builtin(w, action, builtin);
    else
        name_check(w, type);
    w->depth--;
    return result;
}

/* ---- Transitions ---- */

static void
meta_check(xstate_walk *w, const arvo_json *meta)
{
    const size_t mark = arvo__xstate_enter(w, ARVO_STR("meta"));
    if (arvo_json_get(meta, XSTATE_OWN_KEY) != NULL)
        arvo__xstate_error(
            w, "`" XSTATE_OWN_KEY "` in it is where the configuration keeps what XState has not: "
               "choose another name");
    arvo__xstate_leave(w, mark);
}

/* null takes the event and does nothing; XState says so with undefined, which JSON has not. */
static const arvo_json *
export_transition(xstate_walk *w, const arvo_json *transition)
{
    if (arvo_json_type_of(transition) == ARVO_JSON_NULL) {
        arvo_json *const own = arvo_json_object_new(w->arena);
        arvo_json *const meta = arvo_json_object_new(w->arena);
        arvo_json *const object = arvo_json_object_new(w->arena);
        xstate_set(w, own, XSTATE_FORBIDDEN, arvo_json_bool(true));
        xstate_set(w, meta, XSTATE_OWN_KEY, own);
        xstate_set(w, object, "meta", meta);
        return object;
    }
    meta_check(w, arvo_json_get(transition, "meta"));
    return export_guarded(w, transition);
}

static const arvo_json *
export_transitions(xstate_walk *w, const arvo_json *transitions)
{
    return arvo__xstate_each(w, transitions, export_transition);
}

static const arvo_json *
export_always(xstate_walk *w, const arvo_json *transitions)
{
    return arvo_json_type_of(transitions) == ARVO_JSON_NULL ? transitions
                                                            : export_transitions(w, transitions);
}

static const arvo_json *
export_on(xstate_walk *w, const arvo_json *on)
{
    return arvo__xstate_members(w, on, export_transitions);
}

/* ---- States ---- */

static const arvo_json *export_state(xstate_walk *w, const arvo_json *state);

static const arvo_json *
export_states(xstate_walk *w, const arvo_json *states)
{
    return arvo__xstate_members(w, states, export_state);
}

static const struct {
    const char *key;
    xstate_convert_fn convert;
} parts[] = {
    { "on", export_on },         { "always", export_always }, { "onDone", export_transitions },
    { "entry", export_actions }, { "exit", export_actions },  { "initial", export_guarded },
    { "states", export_states },
};

static const arvo_json *
export_state(xstate_walk *w, const arvo_json *state)
{
    if (arvo_json_type_of(state) != ARVO_JSON_OBJECT) {
        arvo__xstate_error(w, "a state must be an object");
        return state;
    }
    if (!arvo__xstate_descend(w))
        return NULL;
    arvo_json *const copy = arvo_json_clone(w->arena, state);
    for (size_t i = 0; i < ARVO_COUNT_OF(parts); i++)
        if (arvo_json_get(state, parts[i].key) != NULL)
            xstate_set(
                w, copy, parts[i].key,
                arvo__xstate_member(w, state, parts[i].key, parts[i].convert));
    w->depth--;
    return copy;
}

/* ---- The machine ---- */

static bool
is_own_key(arvo_str key)
{
    for (size_t i = 0; arvo__xstate_own_keys[i] != NULL; i++)
        if (arvo_str_is(key, arvo__xstate_own_keys[i]))
            return true;
    return false;
}

/* meta with what XState has not under `arvo`; the document's own beside it, where it is one that
 * can have members. */
static const arvo_json *
export_meta(xstate_walk *w, const arvo_json *document)
{
    const arvo_json *const meta = arvo_json_get(document, "meta");
    arvo_json *const own = arvo_json_object_new(w->arena);
    for (size_t i = 0; i < arvo_json_count(document); i++) {
        const arvo_str key = arvo_json_key_at(document, i);
        if (!is_own_key(key))
            continue;
        const size_t mark = arvo__xstate_enter(w, key);
        arvo_json_set(w->arena, own, key, arvo_json_at(document, i));
        arvo__xstate_note(w, "XState has no such key: carried in meta.%s", XSTATE_OWN_KEY);
        arvo__xstate_leave(w, mark);
    }
    meta_check(w, meta);
    const bool is_kept = arvo_json_type_of(meta) == ARVO_JSON_OBJECT && arvo_json_count(meta) > 0;
    if (arvo_json_count(own) == 0 && (meta == NULL || is_kept))
        return meta;
    arvo_json *const result =
        is_kept ? arvo_json_clone(w->arena, meta) : arvo_json_object_new(w->arena);
    if (!is_kept)
        xstate_set(w, own, "meta", meta);
    xstate_set(w, result, XSTATE_OWN_KEY, own);
    return result;
}

static bool
has_expression(const arvo_json *value, uint32_t depth)
{
    bool has = is_expression(arvo_json_str(value));
    for (size_t i = 0; i < arvo_json_count(value) && !has && depth < XSTATE_DEPTH_MAX; i++)
        has = has_expression(arvo_json_at(value, i), depth + 1);
    return has;
}

static const arvo_json *
export_machine(xstate_walk *w, const arvo_json *document)
{
    const arvo_json *const states = export_state(w, document);
    arvo_json *const config = arvo_json_object_new(w->arena);
    for (size_t i = 0; i < arvo_json_count(states); i++) {
        const arvo_str key = arvo_json_key_at(states, i);
        if (!is_own_key(key) && !arvo_str_is(key, "kind") && !arvo_str_is(key, "meta"))
            arvo_json_set(w->arena, config, key, arvo_json_at(states, i));
    }
    xstate_set(w, config, "meta", export_meta(w, document));
    if (has_expression(document, 0))
        arvo__xstate_note(
            w, "expressions are carried as strings, \"${ ... }\": XState needs functions in their "
               "place to run it");
    return config;
}

arvo_status
arvo_xstate_export(
    const arvo_json *document, arvo_arena *arena, const arvo_json **out, arvo_xstate_report *report,
    arvo_error *err)
{
    ARVO_ASSERT(arena != NULL && out != NULL && report != NULL);

    if (arvo_json_type_of(document) != ARVO_JSON_OBJECT ||
        !arvo_str_is(arvo_json_str(arvo_json_get(document, "kind")), "machine"))
        return arvo__fail(err, ARVO_E_INVALID, "not a machine document (kind: machine)");
    xstate_walk w = { .arena = arena };
    return arvo__xstate_finish(&w, export_machine(&w, document), out, report, err);
}
