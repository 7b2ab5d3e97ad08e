/* Paths: the machine that is walked. Its document has the same states and transitions; guards ask
 * the walk, and actions tell it where it is. */

#include "machine/paths.h"

#define POINTER_BYTES_MAX ((size_t)64 * 1024)
#define TABLE_PREFIX      "own:" /* of entries that are kept, so that they hide nothing */

static const arvo_json *
text_json(paths_plan *plan, const char *literal)
{
    return arvo_json_string_ref(plan->arena, arvo_str_from(literal));
}

static void
set(paths_plan *plan, arvo_json *object, const char *key, const arvo_json *value)
{
    if (value != NULL)
        arvo_json_set_ref(plan->arena, object, arvo_str_from(key), value);
}

/* {type, params: {n}} */
static const arvo_json *
numbered(paths_plan *plan, const char *type, size_t n)
{
    arvo_json *const params = arvo_json_object_new(plan->arena);
    arvo_json *const object = arvo_json_object_new(plan->arena);
    set(plan, params, "n", arvo_json_int(plan->arena, (int64_t)n));
    set(plan, object, "type", text_json(plan, type));
    set(plan, object, "params", params);
    return object;
}

/* The number of a new goal; SIZE_MAX: out of memory. */
static size_t
goal_add(paths_plan *plan, arvo_path_goal goal)
{
    arvo_path_goal *const goals = arvo__arena_grow(
        plan->arena, plan->goals, plan->goal_count, &plan->goal_cap, sizeof(*goals));
    if (goals == NULL)
        return SIZE_MAX;
    goal.pointer = arvo_arena_str_dup(plan->arena, arvo_buf_str(&plan->pointer));
    goal.state = arvo_arena_str_dup(plan->arena, goal.state); /* the machine's own */
    plan->goals = goals;
    goals[plan->goal_count] = goal;
    return plan->goal_count++;
}

/* ---- Guards ---- */

static const arvo_json *
table_entry(const paths_plan *plan, const char *table, arvo_str name)
{
    return arvo_json_get_str(arvo_json_get(plan->words.root, table), name);
}

/* Whether states, not data, have a say in it. */
static bool
is_structure(const arvo_json *guard)
{
    static const char *const types[] = { "and", "or", "not", "stateIn" };
    const arvo_str type = arvo_json_str(arvo_json_get(guard, "type"));
    for (size_t i = 0; i < ARVO_COUNT_OF(types); i++)
        if (arvo_str_is(type, types[i]))
            return true;
    return false;
}

static const arvo_json *
guess(paths_plan *plan, const arvo_json *guard)
{
    arvo_str *const guards = arvo__arena_grow(
        plan->arena, plan->guards, plan->guard_count, &plan->guard_cap, sizeof(*guards));
    if (guards == NULL)
        return NULL;
    plan->guards = guards;
    guards[plan->guard_count] = arvo__diagram_guard_text(&plan->words, guard);
    return numbered(plan, PATHS_GUESS, plan->guard_count++);
}

static const arvo_json *copy_guard(paths_plan *plan, const arvo_json *guard);

static const arvo_json *
copy_structure(paths_plan *plan, const arvo_json *guard)
{
    const arvo_json *const inner = arvo_json_get(guard, "guard");
    const arvo_json *const items = arvo_json_get(guard, "guards");
    if (inner == NULL && items == NULL)
        return guard; /* stateIn */
    arvo_json *const object = arvo_json_object_new(plan->arena);
    set(plan, object, "type", arvo_json_get(guard, "type"));
    if (inner != NULL)
        set(plan, object, "guard", copy_guard(plan, inner));
    if (items != NULL) {
        arvo_json *const list = arvo_json_array_new(plan->arena);
        for (size_t i = 0; i < arvo_json_count(items); i++)
            arvo_json_push(plan->arena, list, copy_guard(plan, arvo_json_at(items, i)));
        set(plan, object, "guards", list);
    }
    return object;
}

static const arvo_json *
copy_guard(paths_plan *plan, const arvo_json *guard)
{
    const bool is_object = arvo_json_type_of(guard) == ARVO_JSON_OBJECT;
    const arvo_str name = arvo_json_str(is_object ? arvo_json_get(guard, "type") : guard);
    if (is_object && is_structure(guard))
        return copy_structure(plan, guard);
    if (!is_structure(table_entry(plan, "guards", name)))
        return guess(plan, guard);
    return arvo_json_string_ref(
        plan->arena, arvo_arena_printf(plan->arena, TABLE_PREFIX "%.*s", ARVO_FMT(name)));
}

/* ---- Actions ---- */

static void copy_actions(paths_plan *plan, const arvo_json *actions, arvo_json *into);

static void
copy_raise(paths_plan *plan, const arvo_json *params, arvo_json *into)
{
    const arvo_str type = arvo_json_str(arvo_json_get(params, "type"));
    if (type.ptr == NULL || arvo__expr_is(type)) {
        plan->has_computed_raises = true;
        return;
    }
    arvo_json *const event = arvo_json_object_new(plan->arena);
    arvo_json *const action = arvo_json_object_new(plan->arena);
    set(plan, event, "type", arvo_json_get(params, "type"));
    set(plan, action, "type", text_json(plan, "raise"));
    set(plan, action, "params", event);
    arvo_json_push(plan->arena, into, action);
}

static void
copy_branches(paths_plan *plan, const arvo_json *branches, arvo_json *into)
{
    arvo_json *const list = arvo_json_array_new(plan->arena);
    arvo_json *const action = arvo_json_object_new(plan->arena);
    for (size_t i = 0; i < arvo_json_count(branches); i++) {
        const arvo_json *const branch = arvo_json_at(branches, i);
        const arvo_json *const guard = arvo_json_get(branch, "guard");
        arvo_json *const actions = arvo_json_array_new(plan->arena);
        copy_actions(plan, arvo_json_get(branch, "actions"), actions);
        if (arvo_json_count(actions) == 0)
            continue; /* whatever its guard says, nothing follows */
        arvo_json *const copy = arvo_json_object_new(plan->arena);
        if (guard != NULL)
            set(plan, copy, "guard", copy_guard(plan, guard));
        set(plan, copy, "actions", actions);
        arvo_json_push(plan->arena, list, copy);
    }
    set(plan, action, "type", text_json(plan, "enqueueActions"));
    set(plan, action, "params", list);
    if (arvo_json_count(list) > 0)
        arvo_json_push(plan->arena, into, action);
}

static void
copy_action(paths_plan *plan, const arvo_json *action, arvo_json *into)
{
    const bool is_object = arvo_json_type_of(action) == ARVO_JSON_OBJECT;
    const arvo_str type = arvo_json_str(is_object ? arvo_json_get(action, "type") : action);
    if (arvo_str_is(type, "raise"))
        copy_raise(plan, arvo_json_get(action, "params"), into);
    else if (arvo_str_is(type, "enqueueActions"))
        copy_branches(plan, arvo_json_get(action, "params"), into);
    else if (table_entry(plan, "actions", type) != NULL)
        arvo_json_push(
            plan->arena, into,
            arvo_json_string_ref(
                plan->arena, arvo_arena_printf(plan->arena, TABLE_PREFIX "%.*s", ARVO_FMT(type))));
}

static void
copy_actions(paths_plan *plan, const arvo_json *actions, arvo_json *into)
{
    const bool is_list = arvo_json_type_of(actions) == ARVO_JSON_ARRAY;
    const size_t count = is_list ? arvo_json_count(actions) : actions != NULL ? 1 : 0;
    for (size_t i = 0; i < count; i++)
        copy_action(plan, is_list ? arvo_json_at(actions, i) : actions, into);
}

/* ---- Transitions ---- */

/* A target or a list of them, as written. */
static arvo_str
target_text(paths_plan *plan, const arvo_json *target)
{
    arvo_str text = arvo_json_str(target);
    for (size_t i = 0; arvo_json_type_of(target) == ARVO_JSON_ARRAY && i < arvo_json_count(target);
         i++)
        text = arvo_arena_printf(
            plan->arena, "%.*s%s%.*s", ARVO_FMT(text), i > 0 ? ", " : "",
            ARVO_FMT(arvo_json_str(arvo_json_at(target, i))));
    return text.ptr != NULL ? text : ARVO_STR("");
}

static const arvo_json *
copy_transition(paths_plan *plan, uint16_t state, arvo_str event, const arvo_json *transition)
{
    const bool is_object = arvo_json_type_of(transition) == ARVO_JSON_OBJECT;
    const bool is_target = arvo_json_type_of(transition) == ARVO_JSON_STRING;
    const arvo_json *const guard = arvo_json_get(transition, "guard");
    const arvo_json *const target = is_target ? transition : arvo_json_get(transition, "target");
    const arvo_path_goal goal = {
        .is_transition = true,
        .state = plan->machine->states[state].id,
        .event = event,
        .guard = guard != NULL ? arvo__diagram_guard_text(&plan->words, guard) : ARVO_STR(""),
        .target = target_text(plan, target),
    };
    arvo_json *const copy = arvo_json_object_new(plan->arena);
    arvo_json *const actions = arvo_json_array_new(plan->arena);
    const size_t number = goal_add(plan, goal);
    arvo_json_push(plan->arena, actions, numbered(plan, PATHS_MARK, number));
    set(plan, copy, "target", target);
    if (is_object) {
        set(plan, copy, "reenter", arvo_json_get(transition, "reenter"));
        if (guard != NULL)
            set(plan, copy, "guard", copy_guard(plan, guard));
        copy_actions(plan, arvo_json_get(transition, "actions"), actions);
    }
    set(plan, copy, "actions", actions);
    return copy;
}

static const arvo_json *
copy_transitions(paths_plan *plan, uint16_t state, arvo_str event, const arvo_json *transitions)
{
    if (arvo_json_type_of(transitions) != ARVO_JSON_ARRAY)
        return copy_transition(plan, state, event, transitions);
    arvo_json *const list = arvo_json_array_new(plan->arena);
    const size_t mark = plan->pointer.len;
    for (size_t i = 0; i < arvo_json_count(transitions); i++) {
        arvo_buf_printf(&plan->pointer, "/%zu", i);
        arvo_json_push(
            plan->arena, list, copy_transition(plan, state, event, arvo_json_at(transitions, i)));
        plan->pointer.len = mark;
    }
    return list;
}

static const arvo_json *
copy_on(paths_plan *plan, uint16_t state, const arvo_json *on)
{
    arvo_json *const object = arvo_json_object_new(plan->arena);
    const size_t mark = plan->pointer.len;
    for (size_t i = 0; i < arvo_json_count(on); i++) {
        const arvo_str event = arvo_json_key_at(on, i);
        arvo_json_pointer_push(&plan->pointer, event);
        arvo_json_set_ref(
            plan->arena, object, event, copy_transitions(plan, state, event, arvo_json_at(on, i)));
        plan->pointer.len = mark;
    }
    return object;
}

/* ---- States ---- */

/* At its place: `on`, `always` and `onDone`. */
static void
copy_reactions(paths_plan *plan, uint16_t state, const arvo_json *json, arvo_json *into)
{
    static const char *const keys[] = { "on", "always", "onDone" };
    const size_t mark = plan->pointer.len;
    for (size_t i = 0; i < ARVO_COUNT_OF(keys); i++) {
        const arvo_str key = arvo_str_from(keys[i]);
        const arvo_json *const value = arvo_json_get(json, keys[i]);
        if (value == NULL || (i == 1 && arvo_json_type_of(value) == ARVO_JSON_NULL))
            continue;
        arvo_json_pointer_push(&plan->pointer, key);
        set(plan, into, keys[i],
            i == 0 ? copy_on(plan, state, value) : copy_transitions(plan, state, key, value));
        plan->pointer.len = mark;
    }
}

static const arvo_json *
copy_initial(paths_plan *plan, const arvo_json *initial)
{
    if (arvo_json_type_of(initial) != ARVO_JSON_OBJECT)
        return initial;
    arvo_json *const copy = arvo_json_object_new(plan->arena);
    arvo_json *const actions = arvo_json_array_new(plan->arena);
    copy_actions(plan, arvo_json_get(initial, "actions"), actions);
    set(plan, copy, "target", arvo_json_get(initial, "target"));
    set(plan, copy, "actions", actions);
    return copy;
}

static void
copy_entry(
    paths_plan *plan, const arvo_json *json, const char *key, const arvo_json *mark,
    arvo_json *into)
{
    arvo_json *const actions = arvo_json_array_new(plan->arena);
    if (mark != NULL)
        arvo_json_push(plan->arena, actions, mark);
    copy_actions(plan, arvo_json_get(json, key), actions);
    if (arvo_json_count(actions) > 0)
        set(plan, into, key, actions);
}

/* States come before all transitions in the list of goals, so that they are gone through twice. */
static void
states_number(paths_plan *plan, uint16_t state, const arvo_json *json, size_t *numbers)
{
    const chart_state *const chart = &plan->machine->states[state];
    const size_t mark = plan->pointer.len;
    if (chart->type != CHART_HISTORY)
        numbers[state] = goal_add(plan, (arvo_path_goal){ .state = chart->id });
    for (uint32_t i = 0; i < chart->children.count; i++) {
        const uint16_t child = chart->children.items[i];
        const arvo_str key = plan->machine->states[child].key;
        arvo_json_pointer_push(&plan->pointer, ARVO_STR("states"));
        arvo_json_pointer_push(&plan->pointer, key);
        states_number(plan, child, arvo_json_get_str(arvo_json_get(json, "states"), key), numbers);
        plan->pointer.len = mark;
    }
}

static const arvo_json *
copy_state(paths_plan *plan, uint16_t state, const arvo_json *json, const size_t *numbers)
{
    static const char *const kept[] = { "type", "history", "target", "id" };
    const chart_state *const chart = &plan->machine->states[state];
    arvo_json *const copy = arvo_json_object_new(plan->arena);
    for (size_t i = 0; i < ARVO_COUNT_OF(kept); i++)
        set(plan, copy, kept[i], arvo_json_get(json, kept[i]));
    set(plan, copy, "initial", copy_initial(plan, arvo_json_get(json, "initial")));
    if (chart->type == CHART_HISTORY)
        return copy;
    copy_entry(plan, json, "entry", numbered(plan, PATHS_MARK, numbers[state]), copy);
    copy_entry(plan, json, "exit", NULL, copy);
    copy_reactions(plan, state, json, copy);
    arvo_json *const states = arvo_json_object_new(plan->arena);
    const size_t mark = plan->pointer.len;
    for (uint32_t i = 0; i < chart->children.count; i++) {
        const uint16_t child = chart->children.items[i];
        const arvo_str key = plan->machine->states[child].key;
        arvo_json_pointer_push(&plan->pointer, ARVO_STR("states"));
        arvo_json_pointer_push(&plan->pointer, key);
        const arvo_json *const inner = arvo_json_get_str(arvo_json_get(json, "states"), key);
        arvo_json_set_ref(plan->arena, states, key, copy_state(plan, child, inner, numbers));
        plan->pointer.len = mark;
    }
    if (chart->children.count > 0)
        set(plan, copy, "states", states);
    return copy;
}

/* ---- The machine ---- */

static const arvo_json *
copy_table(paths_plan *plan, const char *key, bool of_guards)
{
    const arvo_json *const table = arvo_json_get(plan->words.root, key);
    arvo_json *const object = arvo_json_object_new(plan->arena);
    for (size_t i = 0; i < arvo_json_count(table); i++) {
        const arvo_json *const entry = arvo_json_at(table, i);
        if (of_guards && !is_structure(entry))
            continue;
        arvo_json *const actions = arvo_json_array_new(plan->arena);
        if (!of_guards)
            copy_actions(plan, entry, actions);
        const arvo_str name = arvo_arena_printf(
            plan->arena, TABLE_PREFIX "%.*s", ARVO_FMT(arvo_json_key_at(table, i)));
        if (name.ptr != NULL)
            arvo_json_set_ref(
                plan->arena, object, name, of_guards ? copy_guard(plan, entry) : actions);
    }
    return object;
}

const arvo_json *
arvo__paths_plan(paths_plan *plan)
{
    const arvo_json *const root = plan->words.root;
    size_t *const numbers =
        arvo_arena_calloc(plan->arena, plan->machine->state_count, sizeof(*numbers));
    if (numbers == NULL)
        return NULL;
    plan->pointer = ARVO_BUF_INIT(POINTER_BYTES_MAX);
    plan->pointer.allocator = plan->machine->allocator;
    states_number(plan, CHART_ROOT, root, numbers);
    arvo_json *const copy =
        arvo_json_clone(plan->arena, copy_state(plan, CHART_ROOT, root, numbers));
    set(plan, copy, "id", arvo_json_string_ref(plan->arena, plan->machine->id));
    set(plan, copy, "guards", copy_table(plan, "guards", true));
    set(plan, copy, "actions", copy_table(plan, "actions", false));
    const bool is_whole = plan->pointer.status == ARVO_OK && !arvo_arena_failed(plan->arena);
    arvo_buf_fini(&plan->pointer);
    return is_whole ? copy : NULL;
}
