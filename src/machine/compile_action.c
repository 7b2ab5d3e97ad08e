/* Compiling actions: the built-in ones, named ones, functions. */

#include "machine/compile.h"

static const compile_key action_keys[] = { { "type", NULL }, { "params", NULL }, { 0 } };
static const compile_key log_keys[] = { { "message", NULL }, { 0 } };
static const compile_key branch_keys[] = { { "guard", NULL }, { "actions", NULL }, { 0 } };

/* What XState has and Arvo does not: each with what to do instead. */
static const compile_key actor_actions[] = {
    { "sendTo", "actors are not supported: emit an event to the service instead" },
    { "sendParent", "actors are not supported: complete with an output, or emit an event" },
    { "forwardTo", "actors are not supported: emit an event to the service instead" },
    { "respond", "actors are not supported: emit an event instead" },
    { "escalate", "actors are not supported: emit an event instead" },
    { "spawn", "actors are not supported: emit the start event of a child orchestrator instead" },
    { "spawnChild",
      "actors are not supported: emit the start event of a child orchestrator instead" },
    { "stop", "actors are not supported: emit an event that the other side understands as stop" },
    { "stopChild",
      "actors are not supported: emit an event that the other side understands as stop" },
    { "cancel", "delayed events are not supported: emit an event to a timer service instead" },
    { "pure", "write enqueueActions instead" },
    { "choose", "write enqueueActions instead" },
    { 0 },
};

static const compile_key raise_delay = {
    "delay", "a delayed raise is not supported: emit an event to a timer service instead"
};

static arvo_status
compile_params_template(compiler *c, const arvo_json *params, const arvo__template **out)
{
    const size_t mark = arvo__compile_enter(c, ARVO_STR("params"));
    const arvo_status st = arvo__compile_template(c, params, out);
    arvo__compile_leave(c, mark);
    return st;
}

/* ---- assign, raise, log ---- */

static arvo_status
compile_assign(compiler *c, const arvo_json *params, chart_action *action)
{
    action->kind = CHART_ACTION_ASSIGN_OBJECT;
    if (arvo_json_type_of(params) == ARVO_JSON_STRING) {
        const arvo_status st = compile_params_template(c, params, &action->template_);
        if (st != ARVO_OK || arvo__template_is_expression(action->template_))
            return st;
    }
    if (arvo_json_type_of(params) != ARVO_JSON_OBJECT)
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "assign needs `params`: {key: value, ...} or one expression that gives an object");
    action->kind = CHART_ACTION_ASSIGN;
    const size_t count = arvo_json_count(params);
    chart_slot *const slots = arvo__compile_alloc(c, count, sizeof(*slots));
    if (slots == NULL)
        return arvo__nomem(c->err);
    arvo_status st = ARVO_OK;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("params"));
    for (size_t i = 0; i < count && st == ARVO_OK; i++) {
        slots[i].key = arvo_json_key_at(params, i);
        const size_t key_mark = arvo__compile_enter(c, slots[i].key);
        st = arvo__compile_template(c, arvo_json_at(params, i), &slots[i].value);
        arvo__compile_leave(c, key_mark);
    }
    arvo__compile_leave(c, mark);
    action->slots = slots;
    action->slot_count = (uint32_t)count;
    return st;
}

static arvo_status
compile_raise(compiler *c, const arvo_json *params, chart_action *action)
{
    action->kind = CHART_ACTION_RAISE;
    const arvo_json *const type = arvo_json_get(params, "type");
    const bool is_object = arvo_json_type_of(params) == ARVO_JSON_OBJECT;
    if (is_object && arvo_json_get(params, raise_delay.name) != NULL)
        return arvo__compile_fail(c, ARVO_E_UNSUPPORTED, "%s", raise_delay.advice);
    if (is_object && arvo_json_str(type).len == 0)
        return arvo__compile_fail(c, ARVO_E_INVALID, "raise needs `params.type`, an event type");
    const arvo_status st =
        params != NULL ? compile_params_template(c, params, &action->template_) : ARVO_OK;
    if (st != ARVO_OK)
        return st;
    if (!is_object && (params == NULL || !arvo__template_is_expression(action->template_)))
        return arvo__compile_fail(c, ARVO_E_INVALID, "raise needs `params`, an event: {type, ...}");
    return ARVO_OK;
}

static arvo_status
compile_log(compiler *c, const arvo_json *params, chart_action *action)
{
    action->kind = CHART_ACTION_LOG;
    const arvo_json *const message = arvo_json_get(params, "message");
    if (message == NULL)
        return arvo__compile_fail(c, ARVO_E_INVALID, "log needs `params`: {message}");
    const size_t mark = arvo__compile_enter(c, ARVO_STR("params"));
    arvo_status st = arvo__compile_keys(c, params, log_keys, "log's params");
    if (st == ARVO_OK) {
        const size_t key_mark = arvo__compile_enter(c, ARVO_STR("message"));
        st = arvo__compile_template(c, message, &action->template_);
        arvo__compile_leave(c, key_mark);
    }
    arvo__compile_leave(c, mark);
    return st;
}

/* ---- enqueueActions ---- */

static arvo_status
compile_branch(compiler *c, const arvo_json *json, chart_branch *branch)
{
    arvo_status st = arvo__compile_keys(c, json, branch_keys, "an item of enqueueActions");
    if (st != ARVO_OK)
        return st;
    const arvo_json *const actions = arvo_json_get(json, "actions");
    const arvo_json *const guard = arvo_json_get(json, "guard");
    if (actions == NULL)
        return arvo__compile_fail(c, ARVO_E_INVALID, "must be {guard?, actions}");
    if (guard != NULL) {
        const size_t mark = arvo__compile_enter(c, ARVO_STR("guard"));
        st = arvo__compile_guard(c, guard, &branch->guard);
        arvo__compile_leave(c, mark);
    }
    if (st == ARVO_OK) {
        const size_t mark = arvo__compile_enter(c, ARVO_STR("actions"));
        st = arvo__compile_actions(c, actions, &branch->actions);
        arvo__compile_leave(c, mark);
    }
    return st;
}

static arvo_status
compile_enqueue(compiler *c, const arvo_json *params, chart_action *action)
{
    action->kind = CHART_ACTION_ENQUEUE;
    if (arvo_json_type_of(params) != ARVO_JSON_ARRAY)
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "enqueueActions needs `params`: a list of {guard?, actions}");
    const size_t count = arvo_json_count(params);
    chart_branch *const branches = arvo__compile_alloc(c, count, sizeof(*branches));
    if (branches == NULL)
        return arvo__nomem(c->err);
    arvo_status st = ARVO_OK;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("params"));
    for (size_t i = 0; i < count && st == ARVO_OK; i++) {
        const size_t item_mark = arvo__compile_enter_item(c, i);
        st = compile_branch(c, arvo_json_at(params, i), &branches[i]);
        arvo__compile_leave(c, item_mark);
    }
    arvo__compile_leave(c, mark);
    action->branches = branches;
    action->branch_count = (uint32_t)count;
    return st;
}

/* ---- Built-in actions by name ---- */

static arvo_status
compile_emit(compiler *c, const arvo_json *params, chart_action *action)
{
    const size_t mark = arvo__compile_enter(c, ARVO_STR("params"));
    const arvo_status st = arvo__compile_emission(c, params, action);
    arvo__compile_leave(c, mark);
    return st;
}

static const struct builtin {
    const char *name;
    arvo_status (*compile)(compiler *c, const arvo_json *params, chart_action *action);
} builtins[] = {
    { "assign", compile_assign }, { "raise", compile_raise },
    { "emit", compile_emit },     { "enqueueArvoEvent", compile_emit },
    { "log", compile_log },       { "enqueueActions", compile_enqueue },
};

static const struct builtin *
builtin_find(arvo_str name)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(builtins); i++)
        if (arvo_str_is(name, builtins[i].name))
            return &builtins[i];
    return NULL;
}

/* ---- Named actions and functions ---- */

static named_entry *
entry_find(const named_table *table, arvo_str name)
{
    for (size_t i = 0; i < table->count; i++)
        if (arvo_str_equal(table->items[i].name, name))
            return &table->items[i];
    return NULL;
}

static arvo_status
entry_compile(compiler *c, named_entry *entry)
{
    if (entry->is_done)
        return ARVO_OK;
    if (entry->is_open)
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "action '%.*s' refers to itself; break the cycle",
            ARVO_FMT(entry->name));
    arvo_buf outer = c->pointer;
    c->pointer = (arvo_buf){ .bytes_max = outer.bytes_max, .allocator = outer.allocator };
    (void)arvo__compile_enter(c, ARVO_STR("actions"));
    (void)arvo__compile_enter(c, entry->name);
    entry->is_open = true;
    const arvo_status st = arvo__compile_actions(c, entry->json, &entry->actions);
    entry->is_open = false;
    entry->is_done = st == ARVO_OK;
    arvo_buf_fini(&c->pointer);
    c->pointer = outer;
    return st;
}

static const arvo_action_def *
function_find(const compiler *c, arvo_str name)
{
    for (const arvo_action_def *def = c->action_functions; def != NULL && def->name != NULL; def++)
        if (arvo_str_is(name, def->name))
            return def;
    return NULL;
}

/* XState's own JSON calls them "xstate.sendTo" and so on. A document or a program may have an
 * action of its own by such a name. */
static const compile_key *
forbidden_find(const compiler *c, arvo_str name)
{
    static const arvo_str prefix = { "xstate.", 7 };
    if (entry_find(&c->actions, name) != NULL || function_find(c, name) != NULL)
        return NULL;
    if (name.len > prefix.len && memcmp(name.ptr, prefix.ptr, prefix.len) == 0)
        name = (arvo_str){ name.ptr + prefix.len, name.len - prefix.len };
    for (const compile_key *actor = actor_actions; actor->name != NULL; actor++)
        if (arvo_str_is(name, actor->name))
            return actor;
    return NULL;
}

static arvo_status
name_unknown(compiler *c, arvo_str name)
{
    arvo_str names[64];
    size_t count = 0;
    for (size_t i = 0; i < ARVO_COUNT_OF(builtins); i++)
        names[count++] = arvo_str_from(builtins[i].name);
    for (size_t i = 0; i < c->actions.count && count < ARVO_COUNT_OF(names); i++)
        names[count++] = c->actions.items[i].name;
    const arvo_action_def *def = c->action_functions;
    for (; def != NULL && def->name != NULL && count < ARVO_COUNT_OF(names); def++)
        names[count++] = arvo_str_from(def->name);
    const arvo_str suggestion = arvo__compile_suggest(c, name, names, count);
    arvo__compile_rule(c, CHECK_UNKNOWN_ACTION);
    return arvo__compile_fail(
        c, ARVO_E_INVALID,
        "unknown action '%.*s': not built in, not in `actions`, and no function of that name was "
        "given%.*s",
        ARVO_FMT(name), ARVO_FMT(suggestion));
}

static arvo_status
compile_name(compiler *c, arvo_str name, const arvo_json *params, chart_action *action)
{
    named_entry *const entry = entry_find(&c->actions, name);
    arvo_status st = ARVO_OK;
    if (entry != NULL) {
        action->kind = CHART_ACTION_NAMED;
        action->named = &entry->actions;
        st = entry_compile(c, entry);
    } else {
        action->kind = CHART_ACTION_CALL;
        action->function = function_find(c, name);
        if (action->function == NULL)
            st = name_unknown(c, name);
    }
    if (st == ARVO_OK && params != NULL)
        st = compile_params_template(c, params, &action->template_);
    return st;
}

/* ---- Any action ---- */

static arvo_status
compile_action(compiler *c, const arvo_json *json, chart_action *action)
{
    const arvo_json *params = NULL;
    arvo_str name = arvo_json_str(json);
    if (arvo_json_type_of(json) == ARVO_JSON_OBJECT) {
        name = arvo_json_str(arvo_json_get(json, "type"));
        params = arvo_json_get(json, "params");
    }
    const compile_key *const forbidden = forbidden_find(c, name);
    if (forbidden != NULL)
        return arvo__compile_fail(
            c, ARVO_E_UNSUPPORTED, "%s: %s", forbidden->name, forbidden->advice);
    if (arvo_json_type_of(json) == ARVO_JSON_OBJECT) {
        const bool is_delayed =
            arvo_str_is(name, "raise") && arvo_json_get(json, raise_delay.name) != NULL;
        if (is_delayed)
            return arvo__compile_fail(c, ARVO_E_UNSUPPORTED, "%s", raise_delay.advice);
        const arvo_status st = arvo__compile_keys(c, json, action_keys, "an action");
        if (st != ARVO_OK)
            return st;
    }
    if (name.len == 0)
        return arvo__compile_fail(c, ARVO_E_INVALID, "an action is a name or {type, params}");
    action->name = name;
    const struct builtin *const builtin = builtin_find(name);
    if (builtin != NULL)
        return builtin->compile(c, params, action);
    return compile_name(c, name, params, action);
}

static arvo_status
compile_list(compiler *c, const arvo_json *json, chart_actions *out)
{
    const bool is_list = arvo_json_type_of(json) == ARVO_JSON_ARRAY;
    const size_t count = is_list ? arvo_json_count(json) : 1;
    chart_action *const items = arvo__compile_alloc(c, count, sizeof(*items));
    if (items == NULL)
        return arvo__nomem(c->err);
    arvo_status st = ARVO_OK;
    for (size_t i = 0; i < count && st == ARVO_OK; i++) {
        const size_t mark = c->pointer.len;
        if (is_list)
            (void)arvo__compile_enter_item(c, i);
        st = compile_action(c, is_list ? arvo_json_at(json, i) : json, &items[i]);
        arvo__compile_leave(c, mark);
    }
    *out = (chart_actions){ items, (uint32_t)count };
    return st;
}

arvo_status
arvo__compile_actions(compiler *c, const arvo_json *json, chart_actions *out)
{
    if (json == NULL)
        return ARVO_OK;
    if (++c->depth > COMPILE_NESTING_MAX)
        return arvo__compile_fail(
            c, ARVO_E_TOO_BIG, "actions nest deeper than %u; name some of them in `actions`",
            COMPILE_NESTING_MAX);
    const arvo_status st = compile_list(c, json, out);
    c->depth--;
    return st;
}

/* ---- The document's named entries ---- */

static arvo_status
table_read(compiler *c, const char *key, const arvo_str *reserved, size_t count, named_table *out)
{
    const arvo_json *const json = arvo_json_get(c->root, key);
    if (json == NULL)
        return ARVO_OK;
    const size_t mark = arvo__compile_enter(c, arvo_str_from(key));
    if (arvo_json_type_of(json) != ARVO_JSON_OBJECT)
        return arvo__compile_fail(c, ARVO_E_INVALID, "must be an object: name -> definition");
    out->items = arvo__compile_alloc(c, arvo_json_count(json), sizeof(*out->items));
    if (out->items == NULL)
        return arvo__nomem(c->err);
    for (size_t i = 0; i < arvo_json_count(json); i++) {
        named_entry *const entry = &out->items[out->count++];
        entry->name = arvo_json_key_at(json, i);
        entry->json = arvo_json_at(json, i);
        for (size_t k = 0; k < count; k++)
            if (arvo_str_equal(entry->name, reserved[k])) {
                (void)arvo__compile_enter(c, entry->name);
                return arvo__compile_fail(
                    c, ARVO_E_INVALID, "this name is built in; choose another");
            }
    }
    arvo__compile_leave(c, mark);
    return ARVO_OK;
}

static arvo_status
names_read(compiler *c)
{
    static const arvo_str guards[] = { { "and", 3 }, { "or", 2 }, { "not", 3 }, { "stateIn", 7 } };
    arvo_str actions[ARVO_COUNT_OF(builtins) + ARVO_COUNT_OF(actor_actions)];
    size_t count = 0;
    for (size_t i = 0; i < ARVO_COUNT_OF(builtins); i++)
        actions[count++] = arvo_str_from(builtins[i].name);
    arvo_status st = table_read(c, "guards", guards, ARVO_COUNT_OF(guards), &c->guards);
    if (st == ARVO_OK)
        st = table_read(c, "actions", actions, count, &c->actions);
    for (size_t i = 0; i < c->guards.count && st == ARVO_OK; i++) {
        c->guards.items[i].guard = arvo__compile_alloc(c, 1, sizeof(chart_guard));
        if (c->guards.items[i].guard == NULL)
            st = arvo__nomem(c->err);
    }
    return st;
}

/* Each entry is compiled by way of a reference to it, so that cycles are found in one place. */
arvo_status
arvo__compile_named(compiler *c)
{
    arvo_status st = names_read(c);
    for (size_t i = 0; i < c->guards.count && st == ARVO_OK; i++) {
        const chart_guard *unused = NULL;
        const arvo_json *const name = arvo_json_string_ref(c->arena, c->guards.items[i].name);
        if (name == NULL)
            return arvo__nomem(c->err);
        st = c->guards.items[i].name.len > 0
                 ? arvo__compile_guard(c, name, &unused)
                 : arvo__compile_fail(c, ARVO_E_INVALID, "a guard's name must not be empty");
    }
    for (size_t i = 0; i < c->actions.count && st == ARVO_OK; i++)
        st = entry_compile(c, &c->actions.items[i]);
    return st;
}
