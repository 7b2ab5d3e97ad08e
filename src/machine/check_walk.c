/* Checks: going through a machine document, in the places where something is done or computed. */

#include "machine/check.h"

typedef struct walk {
    machine_check *mc;
    const check_visitor *visitor;
    check_where where;
} walk;

/* ---- Where we are ---- */

static size_t
enter(walk *w, arvo_str key)
{
    const size_t mark = w->mc->pointer.len;
    arvo_json_pointer_push(&w->mc->pointer, key);
    return mark;
}

static size_t
enter_item(walk *w, size_t i)
{
    const size_t mark = w->mc->pointer.len;
    arvo_buf_printf(&w->mc->pointer, "/%zu", i);
    return mark;
}

static void
leave(walk *w, size_t mark)
{
    w->mc->pointer.len = mark;
}

/* Before the pointer is made anew, which forgets that it failed. */
static bool
pointer_is_sound(machine_check *mc)
{
    mc->check->has_failed |= mc->pointer.status == ARVO_E_NOMEM;
    if (mc->pointer.status != ARVO_OK)
        mc->steps_left = 0;
    return mc->pointer.status == ARVO_OK;
}

/* Named parts that name each other make a walk as long as 2 to the number of them. */
static bool
may_go_on(walk *w)
{
    if (w->mc->steps_left == 0)
        return false;
    w->mc->steps_left--;
    return pointer_is_sound(w->mc);
}

/* ---- Templates ---- */

static void
walk_template(walk *w, const arvo_json *value)
{
    if (!may_go_on(w))
        return;
    if (arvo__expr_is(arvo_json_str(value))) {
        const arvo_str text = arvo_json_str(value);
        if (w->visitor->expression != NULL)
            w->visitor->expression(w->mc, &w->where, (arvo_str){ text.ptr + 2, text.len - 3 });
        return;
    }
    const bool is_object = arvo_json_type_of(value) == ARVO_JSON_OBJECT;
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        const size_t mark = is_object ? enter(w, arvo_json_key_at(value, i)) : enter_item(w, i);
        walk_template(w, arvo_json_at(value, i));
        leave(w, mark);
    }
}

static void
walk_template_of(walk *w, const arvo_json *object, const char *key)
{
    const arvo_json *const value = arvo_json_get(object, key);
    if (value == NULL)
        return;
    const size_t mark = enter(w, arvo_str_from(key));
    walk_template(w, value);
    leave(w, mark);
}

/* ---- Named parts ---- */

/* Go on with an entry of `guards` or `actions`, at its own place. */
static void
walk_named(walk *w, const char *table, arvo_str name, void (*go)(walk *w, const arvo_json *json))
{
    const arvo_json *const entry = arvo_json_get_str(arvo_json_get(w->mc->root, table), name);
    if (entry == NULL)
        return;
    const arvo_buf outer = w->mc->pointer;
    w->mc->pointer = (arvo_buf){ .bytes_max = outer.bytes_max, .allocator = outer.allocator };
    (void)enter(w, arvo_str_from(table));
    (void)enter(w, name);
    go(w, entry);
    (void)pointer_is_sound(w->mc);
    arvo_buf_fini(&w->mc->pointer);
    w->mc->pointer = outer;
}

/* ---- Guards ---- */

static void walk_guard(walk *w, const arvo_json *guard);

static void
walk_guard_object(walk *w, const arvo_json *guard)
{
    const arvo_str type = arvo_json_str(arvo_json_get(guard, "type"));
    const arvo_json *const inner = arvo_json_get(guard, "guard");
    const arvo_json *const list = arvo_json_get(guard, "guards");
    if (arvo_str_is(type, "stateIn"))
        return;
    if (arvo_str_is(type, "not")) {
        const size_t mark = enter(w, ARVO_STR("guard"));
        walk_guard(w, inner);
        leave(w, mark);
    } else if (arvo_str_is(type, "and") || arvo_str_is(type, "or")) {
        const size_t mark = enter(w, ARVO_STR("guards"));
        for (size_t i = 0; i < arvo_json_count(list); i++) {
            const size_t item = enter_item(w, i);
            walk_guard(w, arvo_json_at(list, i));
            leave(w, item);
        }
        leave(w, mark);
    } else {
        walk_template_of(w, guard, "params");
        walk_named(w, "guards", type, walk_guard);
    }
}

static void
walk_guard(walk *w, const arvo_json *guard)
{
    if (guard == NULL || !may_go_on(w))
        return;
    if (arvo_json_type_of(guard) == ARVO_JSON_OBJECT)
        walk_guard_object(w, guard);
    else if (arvo__expr_is(arvo_json_str(guard)))
        walk_template(w, guard);
    else
        walk_named(w, "guards", arvo_json_str(guard), walk_guard);
}

static void
walk_guard_of(walk *w, const arvo_json *object)
{
    const size_t mark = enter(w, ARVO_STR("guard"));
    walk_guard(w, arvo_json_get(object, "guard"));
    leave(w, mark);
}

/* ---- Actions ---- */

static void walk_actions(walk *w, const arvo_json *actions);

static void
walk_actions_of(walk *w, const arvo_json *object, const char *key)
{
    const size_t mark = enter(w, arvo_str_from(key));
    walk_actions(w, arvo_json_get(object, key));
    leave(w, mark);
}

static void
walk_branches(walk *w, const arvo_json *branches)
{
    const size_t mark = enter(w, ARVO_STR("params"));
    for (size_t i = 0; i < arvo_json_count(branches); i++) {
        const size_t item = enter_item(w, i);
        walk_guard_of(w, arvo_json_at(branches, i));
        walk_actions_of(w, arvo_json_at(branches, i), "actions");
        leave(w, item);
    }
    leave(w, mark);
}

static void
walk_action(walk *w, const arvo_json *action)
{
    if (!may_go_on(w))
        return;
    const bool is_object = arvo_json_type_of(action) == ARVO_JSON_OBJECT;
    const arvo_str name = arvo_json_str(is_object ? arvo_json_get(action, "type") : action);
    const arvo_json *const params = is_object ? arvo_json_get(action, "params") : NULL;
    if (w->visitor->action != NULL)
        w->visitor->action(w->mc, &w->where, name, params);
    if (arvo_str_is(name, "enqueueActions")) {
        walk_branches(w, params);
        return;
    }
    if (is_object)
        walk_template_of(w, action, "params");
    walk_named(w, "actions", name, walk_actions);
}

static void
walk_actions(walk *w, const arvo_json *actions)
{
    if (arvo_json_type_of(actions) != ARVO_JSON_ARRAY) {
        if (actions != NULL)
            walk_action(w, actions);
        return;
    }
    for (size_t i = 0; i < arvo_json_count(actions); i++) {
        const size_t mark = enter_item(w, i);
        walk_action(w, arvo_json_at(actions, i));
        leave(w, mark);
    }
}

/* ---- Transitions ---- */

static bool
is_wildcard(arvo_str descriptor)
{
    return arvo_str_is(descriptor, "*") ||
           (descriptor.len >= 2 && memcmp(descriptor.ptr + descriptor.len - 2, ".*", 2) == 0);
}

/* One or several, at the place where the pointer stands. */
static void
walk_transitions(walk *w, const arvo_json *json, const chart_transitions *compiled)
{
    const bool is_list = arvo_json_type_of(json) == ARVO_JSON_ARRAY;
    const size_t count = is_list ? arvo_json_count(json) : 1;
    if (w->visitor->transitions != NULL && is_list)
        w->visitor->transitions(w->mc, &w->where, json);
    for (size_t i = 0; i < count && i < compiled->count; i++) {
        const arvo_json *const one = is_list ? arvo_json_at(json, i) : json;
        const size_t mark = w->mc->pointer.len;
        w->where.transition = &compiled->items[i];
        if (is_list)
            (void)enter_item(w, i);
        if (arvo_json_type_of(one) == ARVO_JSON_OBJECT) {
            walk_guard_of(w, one);
            walk_actions_of(w, one, "actions");
        }
        leave(w, mark);
    }
    w->where.transition = NULL;
}

static void
walk_events(walk *w, const arvo_json *node)
{
    const arvo_json *const on = arvo_json_get(node, "on");
    const size_t mark = enter(w, ARVO_STR("on"));
    for (size_t i = 0; i < arvo_json_count(on); i++) {
        const arvo_str descriptor = arvo_json_key_at(on, i);
        const chart_handler *const handler =
            arvo__check_handler_find(w->mc->machine, w->where.state, descriptor);
        if (handler == NULL)
            continue;
        const size_t key_mark = enter(w, descriptor);
        w->where.event = is_wildcard(descriptor) ? ARVO_STR_NONE : descriptor;
        if (w->visitor->handler != NULL)
            w->visitor->handler(w->mc, &w->where, handler);
        walk_transitions(w, arvo_json_at(on, i), &handler->transitions);
        w->where.event = ARVO_STR_NONE;
        leave(w, key_mark);
    }
    leave(w, mark);
}

static void
walk_other_transitions(walk *w, const arvo_json *node)
{
    const chart_state *const s = &w->mc->machine->states[w->where.state];
    const arvo_json *const always = arvo_json_get(node, "always");
    const arvo_json *const done = arvo_json_get(node, "onDone");
    const chart_handler *const handler =
        done != NULL ? arvo__check_handler_find(w->mc->machine, w->where.state, s->done_type)
                     : NULL;
    if (always != NULL) {
        const size_t mark = enter(w, ARVO_STR("always"));
        walk_transitions(w, always, &s->always);
        leave(w, mark);
    }
    if (handler != NULL) {
        const size_t mark = enter(w, ARVO_STR("onDone"));
        w->where.event = s->done_type;
        walk_transitions(w, done, &handler->transitions);
        w->where.event = ARVO_STR_NONE;
        leave(w, mark);
    }
}

/* ---- All of it ---- */

static void
walk_state(walk *w, uint16_t state)
{
    machine_check *const mc = w->mc;
    const arvo_json *const node = mc->nodes[state];
    const arvo_json *const initial = arvo_json_get(node, "initial");
    (void)pointer_is_sound(mc);
    arvo_buf_reset(&mc->pointer);
    arvo_buf_append_str(&mc->pointer, mc->pointers[state]);
    w->where = (check_where){ .state = state, .slot = CHECK_SLOT_STATE };
    walk_actions_of(w, node, "entry");
    walk_actions_of(w, node, "exit");
    if (arvo_json_type_of(initial) == ARVO_JSON_OBJECT) {
        const size_t mark = enter(w, ARVO_STR("initial"));
        walk_actions_of(w, initial, "actions");
        leave(w, mark);
    }
    w->where.slot = CHECK_SLOT_TRANSITION;
    walk_events(w, node);
    walk_other_transitions(w, node);
    w->where.slot = CHECK_SLOT_STATE;
    walk_template_of(w, node, "output");
}

/* Entries of `guards` and `actions` in themselves, referred to or not. */
static void
walk_tables(walk *w)
{
    const arvo_json *const guards = arvo_json_get(w->mc->root, "guards");
    const arvo_json *const actions = arvo_json_get(w->mc->root, "actions");
    w->where = (check_where){ .state = CHART_ROOT, .slot = CHECK_SLOT_NAMED };
    for (size_t i = 0; i < arvo_json_count(guards); i++)
        walk_named(w, "guards", arvo_json_key_at(guards, i), walk_guard);
    for (size_t i = 0; i < arvo_json_count(actions); i++)
        walk_named(w, "actions", arvo_json_key_at(actions, i), walk_actions);
}

bool
arvo__check_walk(machine_check *mc, const check_visitor *visitor)
{
    walk w = { .mc = mc, .visitor = visitor };
    mc->steps_left = CHECK_STEPS_MAX;
    arvo_buf_reset(&mc->pointer);
    w.where = (check_where){ .state = CHART_ROOT, .slot = CHECK_SLOT_STATE };
    walk_template_of(&w, mc->root, "context");
    for (uint32_t i = 0; i < mc->machine->state_count; i++)
        walk_state(&w, (uint16_t)i);
    walk_tables(&w);
    return pointer_is_sound(mc) && mc->steps_left > 0;
}
