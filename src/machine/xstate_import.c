/* XState configurations as machine documents. Pure. */

#include "machine/xstate.h"

/* ---- Strings that are code ---- */

static arvo_str
trimmed(arvo_str text)
{
    while (text.len > 0 && (unsigned char)text.ptr[0] <= ' ')
        text = (arvo_str){ text.ptr + 1, text.len - 1 };
    return text;
}

static bool
is_expression(arvo_str text)
{
    return arvo_str_starts(trimmed(text), ARVO_STR("${"));
}

/* A function as JavaScript prints it: `function ...` or `(...) => ...`. */
static bool
is_function(arvo_str text)
{
    text = trimmed(text);
    if (arvo_str_starts(text, ARVO_STR("async ")))
        text = trimmed((arvo_str){ text.ptr + 6, text.len - 6 });
    if (arvo_str_starts(text, ARVO_STR("function")))
        return text.len > 8 && strchr(" (*", text.ptr[8]) != NULL;
    const char *const arrow = text.len > 0 ? memmem(text.ptr, text.len, "=>", 2) : NULL;
    if (arrow == NULL)
        return false;
    if (text.ptr[0] == '(' || text.ptr[0] == '{')
        return true;
    for (const char *at = text.ptr; at < arrow; at++)
        if (!(*at >= 'a' && *at <= 'z') && !(*at >= 'A' && *at <= 'Z') && *at != '_' && *at != ' ')
            return false;
    return true;
}

/* Whatever goes into the document as it is: no code may hide in it. */
static const arvo_json *
import_value(xstate_walk *w, const arvo_json *value)
{
    if (!arvo__xstate_descend(w))
        return NULL;
    if (is_function(arvo_json_str(value)))
        arvo__xstate_error(
            w, "a JavaScript function: write an expression, \"${ ... }\" (docs/expressions.md)");
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        const size_t mark = arvo_json_type_of(value) == ARVO_JSON_ARRAY
                                ? arvo__xstate_enter_item(w, i)
                                : arvo__xstate_enter(w, arvo_json_key_at(value, i));
        (void)import_value(w, arvo_json_at(value, i));
        arvo__xstate_leave(w, mark);
    }
    w->depth--;
    return value;
}

static const arvo_json *
import_copy(xstate_walk *w, const arvo_json *value)
{
    (void)w;
    return value;
}

/* ---- Names ---- */

/* Somebody must say what a guard or action does; said once for each name. */
static void
name_note(xstate_walk *w, const char *what, arvo_str name)
{
    const arvo_str key = arvo_arena_printf(w->arena, "%s %.*s", what, ARVO_FMT(name));
    if (key.ptr == NULL || arvo__map_find(&w->names, key) != NULL)
        return;
    if (!arvo__map_set(&w->names, key, w))
        w->arena->failed = true;
    arvo__xstate_note(
        w, "%s '%.*s': write it under `%ss`, or supply a function of that name", what,
        ARVO_FMT(name), what);
}

static void
name_check(xstate_walk *w, const char *what, arvo_str name)
{
    if (is_function(name))
        arvo__xstate_error(
            w, "a JavaScript function: %s",
            strcmp(what, "guard") == 0
                ? "write an expression, \"${ ... }\", or a name"
                : "write one of Arvo's actions (docs/documents.md), or a name");
    else if (name.len > 0)
        name_note(w, what, name);
}

/* Members beside those that are known would be lost. `more` is a key, or NULL. */
static void
keys_check(xstate_walk *w, const arvo_json *object, const char *what, const char *more)
{
    for (size_t i = 0; i < arvo_json_count(object); i++) {
        const arvo_str key = arvo_json_key_at(object, i);
        const size_t mark = arvo__xstate_enter(w, key);
        const bool is_known = arvo_str_is(key, "type") || arvo_str_is(key, "params") ||
                              (more != NULL && arvo_str_is(key, more));
        if (!is_known)
            arvo__xstate_error(w, "no counterpart in %s: move it into its `params`", what);
        arvo__xstate_leave(w, mark);
    }
}

/* ---- Guards ---- */

static const arvo_json *import_guard(xstate_walk *w, const arvo_json *guard);

static const arvo_json *
import_guard_list(xstate_walk *w, const arvo_json *list)
{
    return arvo__xstate_each(w, list, import_guard);
}

/* {type: and|or|not} with what it joins in params, or beside the type. */
static const arvo_json *
import_joined(xstate_walk *w, const arvo_json *guard, arvo_str type)
{
    const bool is_not = arvo_str_is(type, "not");
    const char *const key = is_not ? "guard" : "guards";
    const arvo_json *const params = arvo_json_get(guard, "params");
    const xstate_convert_fn convert = is_not ? import_guard : import_guard_list;
    const arvo_json *joined = NULL;
    keys_check(w, guard, "a guard", key);
    if (arvo_json_get(params, key) != NULL && arvo_json_count(params) == 1 &&
        arvo_json_get(guard, key) == NULL) {
        const size_t mark = arvo__xstate_enter(w, ARVO_STR("params"));
        joined = arvo__xstate_member(w, params, key, convert);
        arvo__xstate_leave(w, mark);
    } else if (arvo_json_get(guard, key) != NULL && params == NULL) {
        joined = arvo__xstate_member(w, guard, key, convert);
    } else {
        arvo__xstate_error(
            w, "needs params: {%s}, and no others: JSON has lost what this guard joins", key);
    }
    arvo_json *const object = arvo_json_object_new(w->arena);
    xstate_set(w, object, "type", arvo_json_get(guard, "type"));
    xstate_set(w, object, key, joined);
    return object;
}

static const arvo_json *
import_guard_object(xstate_walk *w, const arvo_json *guard)
{
    const arvo_str type = arvo_json_str(arvo_json_get(guard, "type"));
    const arvo_json *const params = arvo_json_get(guard, "params");
    if (arvo_str_is(type, XSTATE_EXPRESSION)) {
        const arvo_json *const expression = arvo_json_get(params, "expression");
        if (is_expression(arvo_json_str(expression)) && arvo_json_count(params) == 1 &&
            arvo_json_count(guard) == 2)
            return expression;
        arvo__xstate_error(w, "needs params: {expression: \"${ ... }\"}");
        return guard;
    }
    if (arvo_str_is(type, "and") || arvo_str_is(type, "or") || arvo_str_is(type, "not"))
        return import_joined(w, guard, type);
    if (type.len == 0)
        arvo__xstate_error(w, "a guard is a name or {type, params}");
    if (!arvo_str_is(type, "stateIn"))
        name_check(w, "guard", type);
    keys_check(w, guard, "a guard", NULL);
    if (params != NULL)
        (void)arvo__xstate_member(w, guard, "params", import_value);
    return guard;
}

static const arvo_json *
import_guard(xstate_walk *w, const arvo_json *guard)
{
    if (!arvo__xstate_descend(w))
        return NULL;
    const arvo_json *result = guard;
    if (arvo_json_type_of(guard) == ARVO_JSON_OBJECT)
        result = import_guard_object(w, guard);
    else if (arvo_json_str(guard).len == 0)
        arvo__xstate_error(
            w, "not a guard: JSON cannot hold functions; write a name or \"${ ... }\"");
    else if (!is_expression(arvo_json_str(guard)))
        name_check(w, "guard", arvo_json_str(guard));
    w->depth--;
    return result;
}

/* ---- Actions ---- */

#define NO_ACTORS "actors are not supported: emit an event that a service's contract accepts"

/* XState's own that Arvo has not. */
static const struct {
    const char *type;
    const char *advice;
} refused_actions[] = {
    { "xstate.sendTo", NO_ACTORS },
    { "xstate.sendParent", "no parent to send to: complete with an `output`, or emit an event" },
    { "xstate.forwardTo", NO_ACTORS },
    { "xstate.escalate", NO_ACTORS },
    { "xstate.respond", NO_ACTORS },
    { "xstate.send", "XState 4's send: raise an event, or emit one" },
    { "xstate.spawnChild", NO_ACTORS },
    { "xstate.stopChild", NO_ACTORS },
    { "xstate.spawn", NO_ACTORS },
    { "xstate.stop", NO_ACTORS },
    { "xstate.invoke", NO_ACTORS },
    { "xstate.cancel", "delayed events are not supported: emit an event to a timer service" },
    { "xstate.choose", "XState 4's choose: write enqueueActions" },
    { "xstate.pure", "XState 4's pure: write enqueueActions" },
};

static const arvo_json *import_action(xstate_walk *w, const arvo_json *action);

static const arvo_json *
import_actions(xstate_walk *w, const arvo_json *actions)
{
    return arvo__xstate_each(w, actions, import_action);
}

static const arvo_json *
import_branch(xstate_walk *w, const arvo_json *branch)
{
    if (arvo_json_type_of(branch) != ARVO_JSON_OBJECT || arvo_json_get(branch, "actions") == NULL) {
        arvo__xstate_error(w, "must be {guard?, actions}");
        return branch;
    }
    arvo_json *const copy = arvo_json_clone(w->arena, branch);
    if (arvo_json_get(branch, "guard") != NULL)
        xstate_set(w, copy, "guard", arvo__xstate_member(w, branch, "guard", import_guard));
    xstate_set(w, copy, "actions", arvo__xstate_member(w, branch, "actions", import_actions));
    return copy;
}

static const arvo_json *
import_branches(xstate_walk *w, const arvo_json *branches)
{
    return arvo__xstate_each(w, branches, import_branch);
}

/* Params beside the one that matters: an id or a label can go, a delay cannot. */
static void
params_check(xstate_walk *w, const arvo_json *params, const char *known)
{
    const size_t mark = arvo__xstate_enter(w, ARVO_STR("params"));
    for (size_t i = 0; i < arvo_json_count(params); i++) {
        const arvo_str key = arvo_json_key_at(params, i);
        const size_t key_mark = arvo__xstate_enter(w, key);
        if (arvo_str_is(key, "delay"))
            arvo__xstate_error(
                w, "delayed events are not supported: emit an event to a timer service");
        else if (!arvo_str_is(key, known))
            arvo__xstate_note(w, "no counterpart, and no effect: left out");
        arvo__xstate_leave(w, key_mark);
    }
    arvo__xstate_leave(w, mark);
}

/* An event by its type alone is an event. */
static const arvo_json *
import_event(xstate_walk *w, const arvo_json *event)
{
    const arvo_str type = arvo_json_str(event);
    if (type.ptr == NULL || is_expression(type) || is_function(type))
        return import_value(w, event);
    arvo_json *const object = arvo_json_object_new(w->arena);
    xstate_set(w, object, "type", event);
    return object;
}

static const arvo_json *
import_builtin(xstate_walk *w, const arvo_json *action, const xstate_action *builtin)
{
    const arvo_json *const params = arvo_json_get(action, "params");
    xstate_convert_fn convert = import_value;
    if (strcmp(builtin->name, "enqueueActions") == 0)
        convert = import_branches;
    else if (strcmp(builtin->param, "event") == 0)
        convert = import_event;
    if (arvo_json_get(params, builtin->param) == NULL) {
        arvo__xstate_error(
            w,
            "needs params: {%s}: JSON has lost what was a function; write %s with its params "
            "(docs/documents.md)",
            builtin->param, builtin->name);
        return action;
    }
    keys_check(w, action, "an action", NULL);
    params_check(w, params, builtin->param);
    const size_t mark = arvo__xstate_enter(w, ARVO_STR("params"));
    const arvo_json *const value = arvo__xstate_member(w, params, builtin->param, convert);
    arvo__xstate_leave(w, mark);
    if (strcmp(builtin->name, "log") == 0)
        return arvo__xstate_typed(w, "log", "message", value);
    arvo_json *const result = arvo_json_object_new(w->arena);
    xstate_set(w, result, "type", arvo_json_string_ref(w->arena, arvo_str_from(builtin->name)));
    xstate_set(w, result, "params", value);
    return result;
}

static bool
is_builtin_name(arvo_str type)
{
    for (const xstate_action *row = arvo__xstate_actions; row->name != NULL; row++)
        if (arvo_str_is(type, row->name))
            return true;
    return arvo_str_is(type, "enqueueArvoEvent");
}

static void
action_check(xstate_walk *w, const arvo_json *action, arvo_str type)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(refused_actions); i++)
        if (arvo_str_is(type, refused_actions[i].type)) {
            arvo__xstate_error(w, "%.*s: %s", ARVO_FMT(type), refused_actions[i].advice);
            return;
        }
    if (type.len == 0)
        arvo__xstate_error(
            w, "not an action: JSON cannot hold functions; write a name or {type, params}");
    else if (arvo_str_starts(type, ARVO_STR("xstate.")))
        arvo__xstate_error(w, "'%.*s' has no counterpart", ARVO_FMT(type));
    else if (!is_builtin_name(type))
        name_check(w, "action", type);
    keys_check(w, action, "an action", NULL);
    if (arvo_json_get(action, "params") != NULL)
        (void)arvo__xstate_member(w, action, "params", import_value);
}

static const arvo_json *
import_action(xstate_walk *w, const arvo_json *action)
{
    const bool is_object = arvo_json_type_of(action) == ARVO_JSON_OBJECT;
    const arvo_str type = arvo_json_str(is_object ? arvo_json_get(action, "type") : action);
    if (!arvo__xstate_descend(w))
        return NULL;
    const xstate_action *builtin = arvo__xstate_actions;
    while (builtin->type != NULL && !arvo_str_is(type, builtin->type))
        builtin++;
    const arvo_json *result = action;
    if (builtin->type != NULL)
        result = import_builtin(w, action, builtin);
    else
        action_check(w, is_object ? action : NULL, type);
    w->depth--;
    return result;
}

/* ---- Tables of keys ---- */

typedef enum key_kind { KEY_TAKE = 0, KEY_RENAME, KEY_DROP, KEY_REFUSE } key_kind;

typedef struct key_row {
    const char *key;
    key_kind kind;
    xstate_convert_fn convert; /* TAKE and RENAME */
    const char *text;          /* RENAME: the new name; REFUSE: advice; DROP: why */
} key_row;

static const key_row *
key_find(const key_row *rows, arvo_str key)
{
    while (rows->key != NULL && !arvo_str_is(key, rows->key))
        rows++;
    return rows->key != NULL ? rows : NULL;
}

static void
import_key(xstate_walk *w, const arvo_json *from, arvo_str key, const key_row *row, arvo_json *into)
{
    const size_t mark = arvo__xstate_enter(w, key);
    const arvo_json *const value = arvo_json_get_str(from, key);
    if (row == NULL) {
        arvo__xstate_error(w, "no counterpart: remove it, or keep it under `meta`");
    } else if (row->kind == KEY_REFUSE) {
        arvo__xstate_error(w, "%s", row->text);
    } else if (row->kind == KEY_RENAME && arvo_json_get(from, row->text) != NULL) {
        arvo__xstate_error(w, "XState 5 calls it `%s`, which is there too: remove one", row->text);
    } else if (row->kind == KEY_DROP) {
        arvo__xstate_note(w, "%s: left out", row->text);
    } else {
        if (row->kind == KEY_RENAME)
            arvo__xstate_note(w, "written as `%s`, its name in XState 5", row->text);
        xstate_set(w, into, row->kind == KEY_RENAME ? row->text : row->key, row->convert(w, value));
    }
    arvo__xstate_leave(w, mark);
}

/* ---- Transitions ---- */

static const arvo_json *
import_internal(xstate_walk *w, const arvo_json *value)
{
    (void)w;
    return arvo_json_bool(!arvo_json_bool_or(value, true));
}

static const key_row transition_rows[] = {
    { "target", KEY_TAKE, import_copy, NULL },
    { "guard", KEY_TAKE, import_guard, NULL },
    { "actions", KEY_TAKE, import_actions, NULL },
    { "reenter", KEY_TAKE, import_copy, NULL },
    { "description", KEY_TAKE, import_copy, NULL },
    { "meta", KEY_TAKE, import_copy, NULL },
    { "cond", KEY_RENAME, import_guard, "guard" },
    { "internal", KEY_RENAME, import_internal, "reenter" },
    { "in", KEY_REFUSE, NULL, "write a guard {type: stateIn, params: {state}}" },
    { "delay", KEY_REFUSE, NULL, "delays are not supported: emit an event to a timer service" },
    { "eventType", KEY_DROP, NULL, "of machine.definition, known from its place" },
    { "source", KEY_DROP, NULL, "of machine.definition, known from its place" },
    { 0 },
};

/* {meta: {arvo: {forbidden: true}}} and nothing else. */
static bool
is_forbidden(const arvo_json *transition)
{
    const arvo_json *const meta = arvo_json_get(transition, "meta");
    const arvo_json *const own = arvo_json_get(meta, XSTATE_OWN_KEY);
    return arvo_json_count(transition) == 1 && arvo_json_count(meta) == 1 &&
           arvo_json_count(own) == 1 &&
           arvo_json_bool_or(arvo_json_get(own, XSTATE_FORBIDDEN), false);
}

static const arvo_json *
import_transition(xstate_walk *w, const arvo_json *transition)
{
    if (is_forbidden(transition))
        return arvo_json_null();
    if (arvo_json_type_of(transition) != ARVO_JSON_OBJECT)
        return transition;
    if (arvo_json_get(arvo_json_get(transition, "meta"), XSTATE_OWN_KEY) != NULL)
        arvo__xstate_error(
            w, "meta." XSTATE_OWN_KEY " says that this transition does nothing: remove it, or the "
               "rest");
    arvo_json *const object = arvo_json_object_new(w->arena);
    for (size_t i = 0; i < arvo_json_count(transition); i++) {
        const arvo_str key = arvo_json_key_at(transition, i);
        import_key(w, transition, key, key_find(transition_rows, key), object);
    }
    return object;
}

static const arvo_json *
import_transitions(xstate_walk *w, const arvo_json *transitions)
{
    return arvo__xstate_each(w, transitions, import_transition);
}

/* Events that come from what Arvo has not. */
static void
event_check(xstate_walk *w, arvo_str type)
{
    static const char *const actors[] = { "done.invoke.",       "error.platform.",
                                          "xstate.done.actor.", "xstate.error.actor.",
                                          "xstate.snapshot.",   "xstate.after.",
                                          "xstate.route." };
    if (type.len == 0)
        arvo__xstate_error(w, "a transition without an event is written under `always`");
    for (size_t i = 0; i < ARVO_COUNT_OF(actors); i++)
        if (arvo_str_starts(type, arvo_str_from(actors[i])))
            arvo__xstate_error(
                w, "an event of XState's actors or timers, which never comes: handle the reply of "
                   "the service instead");
}

static const arvo_json *
import_on(xstate_walk *w, const arvo_json *on)
{
    for (size_t i = 0; i < arvo_json_count(on); i++) {
        const size_t mark = arvo__xstate_enter(w, arvo_json_key_at(on, i));
        event_check(w, arvo_json_key_at(on, i));
        arvo__xstate_leave(w, mark);
    }
    return arvo__xstate_members(w, on, import_transitions);
}

static const arvo_json *
import_initial(xstate_walk *w, const arvo_json *initial)
{
    return import_transition(w, initial);
}

/* ---- States ---- */

static const arvo_json *import_state(xstate_walk *w, const arvo_json *state);

static const arvo_json *
import_states(xstate_walk *w, const arvo_json *states)
{
    return arvo__xstate_members(w, states, import_state);
}

#define STATE_ROWS                                                                                 \
    { "id", KEY_TAKE, import_copy, NULL }, { "type", KEY_TAKE, import_copy, NULL },                \
        { "initial", KEY_TAKE, import_initial, NULL },                                             \
        { "states", KEY_TAKE, import_states, NULL }, { "on", KEY_TAKE, import_on, NULL },          \
        { "always", KEY_TAKE, import_transitions, NULL },                                          \
        { "onDone", KEY_TAKE, import_transitions, NULL },                                          \
        { "entry", KEY_TAKE, import_actions, NULL }, { "exit", KEY_TAKE, import_actions, NULL },   \
        { "history", KEY_TAKE, import_copy, NULL }, { "target", KEY_TAKE, import_copy, NULL },     \
        { "output", KEY_TAKE, import_value, NULL }, { "tags", KEY_TAKE, import_copy, NULL },       \
        { "meta", KEY_TAKE, import_copy, NULL }, { "description", KEY_TAKE, import_copy, NULL },   \
        { "allow", KEY_TAKE, import_copy, NULL }, { "data", KEY_RENAME, import_value, "output" },  \
        { "onEntry", KEY_RENAME, import_actions, "entry" },                                        \
        { "onExit", KEY_RENAME, import_actions, "exit" },                                          \
        { "invoke", KEY_REFUSE, NULL, NO_INVOKE }, { "after", KEY_REFUSE, NULL, NO_AFTER },        \
        { "activities", KEY_REFUSE, NULL, NO_INVOKE },                                             \
        { "route", KEY_REFUSE, NULL, "write a transition in `on`" },                               \
        { "onError", KEY_REFUSE, NULL, "handle the service's sys.{type}.error event in `on`" },    \
        { "transitions", KEY_REFUSE, NULL, "of machine.definition: export machine.config" },       \
        { "key", KEY_DROP, NULL, "the state's name says it" },                                     \
    {                                                                                              \
        "order", KEY_DROP, NULL, "the order of the text says it"                                   \
    }

#define NO_INVOKE                                                                                  \
    "not supported: emit an event that the service's contract accepts in `entry`, and handle its " \
    "replies in `on`"
#define NO_AFTER                                                                                   \
    "not supported: emit an event to a timer service in `entry`, and handle its reply in `on`"

static const key_row state_rows[] = { STATE_ROWS, { 0 } };

static const key_row machine_rows[] = {
    STATE_ROWS,
    { "context", KEY_TAKE, import_value, NULL },
    { "version", KEY_TAKE, import_copy, NULL },
    { "types", KEY_DROP, NULL, "for TypeScript only" },
    { "tsTypes", KEY_DROP, NULL, "for TypeScript only" },
    { "schema", KEY_DROP, NULL, "for TypeScript only" },
    { "schemas", KEY_DROP, NULL, "for TypeScript only" },
    { "predictableActionArguments", KEY_DROP, NULL, "as XState 5 does it always" },
    { "preserveActionOrder", KEY_DROP, NULL, "as XState 5 does it always" },
    { "strict", KEY_DROP, NULL, "of XState 4" },
    { "delimiter", KEY_REFUSE, NULL, "of XState 4: write targets with dots" },
    { "actors", KEY_REFUSE, NULL, NO_INVOKE },
    { "delays", KEY_REFUSE, NULL, NO_AFTER },
    { 0 },
};

static void
import_rows(xstate_walk *w, const arvo_json *from, const key_row *rows, arvo_json *into)
{
    for (size_t i = 0; i < arvo_json_count(from); i++) {
        const arvo_str key = arvo_json_key_at(from, i);
        import_key(w, from, key, key_find(rows, key), into);
    }
}

static const arvo_json *
import_state(xstate_walk *w, const arvo_json *state)
{
    if (!arvo__xstate_descend(w))
        return NULL;
    arvo_json *const object = arvo_json_object_new(w->arena);
    if (arvo_json_type_of(state) != ARVO_JSON_OBJECT)
        arvo__xstate_error(w, "a state must be an object, {} at least");
    import_rows(w, state, state_rows, object);
    w->depth--;
    return object;
}

/* ---- The machine ---- */

/* What export put into meta.arvo; `meta` in it stands for one that could not have members. */
static const arvo_json *
own_read(xstate_walk *w, const arvo_json *config)
{
    const arvo_json *const own = arvo_json_get(arvo_json_get(config, "meta"), XSTATE_OWN_KEY);
    const size_t mark = arvo__xstate_enter(w, ARVO_STR("meta"));
    (void)arvo__xstate_enter(w, ARVO_STR(XSTATE_OWN_KEY));
    if (own != NULL && arvo_json_type_of(own) != ARVO_JSON_OBJECT)
        arvo__xstate_error(w, "must be an object: it holds what XState has not");
    if (arvo_json_get(own, "meta") != NULL && arvo_json_count(arvo_json_get(config, "meta")) > 1)
        arvo__xstate_error(w, "has a meta of its own, beside other members of meta: remove one");
    for (size_t i = 0; i < arvo_json_count(own); i++) {
        const arvo_str key = arvo_json_key_at(own, i);
        bool is_known = arvo_str_is(key, "meta");
        for (size_t k = 0; arvo__xstate_own_keys[k] != NULL; k++)
            is_known = is_known || arvo_str_is(key, arvo__xstate_own_keys[k]);
        if (!is_known)
            arvo__xstate_error(w, "'%.*s' is none of Arvo's keys", ARVO_FMT(key));
    }
    arvo__xstate_leave(w, mark);
    return own;
}

static void
own_meta(xstate_walk *w, const arvo_json *config, const arvo_json *own, arvo_json *document)
{
    const arvo_json *const meta = arvo_json_get(config, "meta");
    if (own == NULL || arvo_json_get(own, "meta") != NULL) {
        xstate_set(w, document, "meta", own == NULL ? meta : arvo_json_get(own, "meta"));
        return;
    }
    arvo_json *const rest = arvo_json_object_new(w->arena);
    for (size_t i = 0; i < arvo_json_count(meta); i++)
        if (!arvo_str_is(arvo_json_key_at(meta, i), XSTATE_OWN_KEY))
            arvo_json_set(w->arena, rest, arvo_json_key_at(meta, i), arvo_json_at(meta, i));
    if (arvo_json_count(rest) > 0)
        xstate_set(w, document, "meta", rest);
}

/* Names that the document defines itself need nobody to supply them. */
static void
names_define(xstate_walk *w, const arvo_json *own, const char *table, const char *what)
{
    const arvo_json *const entries = arvo_json_get(own, table);
    for (size_t i = 0; i < arvo_json_count(entries); i++) {
        const arvo_str key =
            arvo_arena_printf(w->arena, "%s %.*s", what, ARVO_FMT(arvo_json_key_at(entries, i)));
        if (key.ptr != NULL && !arvo__map_set(&w->names, key, w))
            w->arena->failed = true;
    }
}

static const arvo_json *
import_machine(xstate_walk *w, const arvo_json *config)
{
    arvo_json *const document = arvo_json_object_new(w->arena);
    const arvo_json *const own = own_read(w, config);
    names_define(w, own, "guards", "guard");
    names_define(w, own, "actions", "action");
    xstate_set(w, document, "kind", arvo_json_string_ref(w->arena, ARVO_STR("machine")));
    xstate_set(w, document, "id", arvo_json_get(config, "id"));
    if (arvo_json_get(config, "id") == NULL) {
        xstate_set(w, document, "id", arvo_json_string_ref(w->arena, ARVO_STR("(machine)")));
        arvo__xstate_note(w, "no id: XState's default, (machine), is written; choose a name");
    }
    xstate_set(w, document, "version", arvo_json_get(config, "version"));
    for (size_t i = 0; arvo__xstate_own_keys[i] != NULL; i++)
        xstate_set(
            w, document, arvo__xstate_own_keys[i], arvo_json_get(own, arvo__xstate_own_keys[i]));
    own_meta(w, config, own, document);
    arvo_json *const rest = arvo_json_object_new(w->arena);
    import_rows(w, config, machine_rows, rest);
    for (size_t i = 0; i < arvo_json_count(rest); i++)
        if (!arvo_str_is(arvo_json_key_at(rest, i), "meta"))
            arvo_json_set(w->arena, document, arvo_json_key_at(rest, i), arvo_json_at(rest, i));
    return document;
}

arvo_status
arvo_xstate_import(
    const arvo_json *config, arvo_arena *arena, const arvo_json **out, arvo_xstate_report *report,
    arvo_error *err)
{
    ARVO_ASSERT(arena != NULL && out != NULL && report != NULL);

    if (arvo_json_type_of(config) != ARVO_JSON_OBJECT)
        return arvo__fail(
            err, ARVO_E_INVALID,
            "not an XState configuration: must be an object, what "
            "createMachine() takes");
    if (arvo_json_get(config, "kind") != NULL)
        return arvo__fail(
            err, ARVO_E_INVALID, "has a `kind`: it is one of Arvo's documents already");
    static const char *const signs[] = {
        "states", "initial", "on", "type", "id", "entry", "always"
    };
    bool is_config = false;
    for (size_t i = 0; i < ARVO_COUNT_OF(signs); i++)
        is_config = is_config || arvo_json_get(config, signs[i]) != NULL;
    if (!is_config)
        return arvo__fail(
            err, ARVO_E_INVALID,
            "not an XState configuration: it has neither id nor states; give what createMachine() "
            "takes, without what stands around it");
    xstate_walk w = { .arena = arena };
    return arvo__xstate_finish(&w, import_machine(&w, config), out, report, err);
}
