/* Compiling transitions: targets, event tables, initial and history defaults. */

#include <stdlib.h>

#include "machine/compile.h"

static const compile_key transition_keys[] = {
    { "target", NULL },
    { "guard", NULL },
    { "actions", NULL },
    { "reenter", NULL },
    { "description", NULL },
    { "meta", NULL },
    { "cond", "XState 5 calls it `guard`" },
    { "internal", "transitions are internal in XState 5; write `reenter: true` for the others" },
    { "in", "write a guard {type: stateIn, params: {state}}" },
    { 0 },
};

static const compile_key initial_keys[] = {
    { "target", NULL }, { "actions", NULL }, { "description", NULL }, { "meta", NULL }, { 0 }
};

/* ---- Targets ---- */

/* The state that a target of `source` names (spec 11.2). */
static uint16_t
target_resolve(compiler *c, uint16_t source, arvo_str target, arvo_error *reason)
{
    const arvo_machine *const machine = c->machine;
    const chart_state *const state = &c->states[source];
    const bool is_relative = target.ptr[0] == '.';
    if (target.ptr[0] == '#')
        return arvo__chart_resolve_id(machine, target, reason);
    if (is_relative && source == CHART_ROOT)
        return arvo__chart_resolve_path(
            machine, source, (arvo_str){ target.ptr + 1, target.len - 1 }, reason);
    if (source == CHART_ROOT) {
        (void)arvo__fail(
            reason, ARVO_E_INVALID, "the root has no siblings; for its child write '.%.*s'",
            ARVO_FMT(target));
        return CHART_NONE;
    }
    if (is_relative) {
        target = arvo_arena_printf(c->arena, "%.*s%.*s", ARVO_FMT(state->key), ARVO_FMT(target));
        if (target.ptr == NULL)
            return CHART_NONE;
    }
    return arvo__chart_resolve_path(machine, state->parent, target, reason);
}

static arvo_status
target_unknown(compiler *c, uint16_t source, arvo_str target, const arvo_error *reason)
{
    arvo_str names[64];
    size_t count = 0;
    arvo__compile_rule(c, CHECK_UNKNOWN_TARGET);
    const uint16_t parent = source != CHART_ROOT ? c->states[source].parent : CHART_ROOT;
    const chart_states siblings = c->states[parent].children;
    for (uint32_t i = 0; i < siblings.count && count < ARVO_COUNT_OF(names); i++)
        names[count++] = c->states[siblings.items[i]].key;
    const arvo_str suggestion = arvo__compile_suggest(c, target, names, count);
    return arvo__compile_fail(
        c, ARVO_E_INVALID, "unknown target '%.*s': %s%.*s", ARVO_FMT(target), reason->text,
        ARVO_FMT(suggestion));
}

static arvo_status
target_compile(compiler *c, uint16_t source, const arvo_json *json, bool of_history, uint16_t *out)
{
    const arvo_str target = arvo_json_str(json);
    if (target.len == 0)
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "a target is a state's name, .child, name.child or #id");
    arvo_error reason = { 0 };
    *out = of_history
               ? arvo__chart_resolve_path(c->machine, c->states[source].parent, target, &reason)
               : target_resolve(c, source, target, &reason);
    if (*out != CHART_NONE)
        return ARVO_OK;
    if (arvo_arena_failed(c->arena))
        return arvo__nomem(c->err);
    return target_unknown(c, source, target, &reason);
}

/* Whether two states can be active together: the same, or in different regions of a parallel one.
 */
static bool
is_orthogonal(const compiler *c, uint16_t a, uint16_t b)
{
    if (a == b)
        return true;
    if (chart_is_descendant(c->machine, a, b) || chart_is_descendant(c->machine, b, a))
        return false;
    uint16_t ancestor = c->states[a].parent;
    while (ancestor != CHART_NONE && !chart_is_descendant(c->machine, b, ancestor))
        ancestor = c->states[ancestor].parent;
    return ancestor != CHART_NONE && c->states[ancestor].type == CHART_PARALLEL;
}

/* A target and its place in the list. */
typedef struct target_place {
    uint16_t state;
    uint32_t at;
} target_place;

static int
target_order(const void *a, const void *b)
{
    const target_place *const x = a;
    const target_place *const y = b;
    if (x->state != y->state)
        return x->state < y->state ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static arvo_status
targets_clash(compiler *c, const target_place *x, const target_place *y)
{
    const bool in_order = x->at < y->at;
    const arvo_str a = c->states[in_order ? x->state : y->state].id;
    const arvo_str b = c->states[in_order ? y->state : x->state].id;
    (void)arvo__compile_enter_item(c, in_order ? y->at : x->at);
    return arvo__compile_fail(
        c, ARVO_E_INVALID,
        "'%.*s' and '%.*s' cannot be active together: targets of a list lie in different regions "
        "of a parallel state; keep one of the two",
        ARVO_FMT(a), ARVO_FMT(b));
}

/* XState enters all of them, and shows the first in its value. In the order of the document it is
 * enough to look at neighbours: what holds two targets together holds two neighbours between. */
static arvo_status
targets_check(compiler *c, const chart_states *targets)
{
    if (targets->count < 2)
        return ARVO_OK;
    target_place *const places = arvo__compile_alloc(c, targets->count, sizeof(*places));
    if (places == NULL)
        return arvo__nomem(c->err);
    for (uint32_t i = 0; i < targets->count; i++)
        places[i] = (target_place){ targets->items[i], i };
    qsort(places, targets->count, sizeof(*places), target_order);
    for (uint32_t i = 1; i < targets->count; i++)
        if (!is_orthogonal(c, places[i - 1].state, places[i].state))
            return targets_clash(c, &places[i - 1], &places[i]);
    return ARVO_OK;
}

/* One target or a list of them; "" means none, as in XState. */
static arvo_status
targets_compile(
    compiler *c, uint16_t source, const arvo_json *json, bool of_history, chart_states *out)
{
    const arvo_json_type type = arvo_json_type_of(json);
    if (json == NULL || (type == ARVO_JSON_STRING && arvo_json_str(json).len == 0))
        return ARVO_OK;
    const bool is_list = type == ARVO_JSON_ARRAY;
    const size_t count = is_list ? arvo_json_count(json) : 1;
    uint16_t *const items = arvo__compile_alloc(c, count, sizeof(*items));
    if (items == NULL)
        return arvo__nomem(c->err);
    arvo_status st = ARVO_OK;
    for (size_t i = 0; i < count && st == ARVO_OK; i++) {
        const size_t mark = c->pointer.len;
        if (is_list)
            (void)arvo__compile_enter_item(c, i);
        st = target_compile(
            c, source, is_list ? arvo_json_at(json, i) : json, of_history, &items[i]);
        arvo__compile_leave(c, mark);
    }
    *out = (chart_states){ items, (uint32_t)count };
    return st == ARVO_OK ? targets_check(c, out) : st;
}

/* ---- Transitions ---- */

static arvo_status
transition_object(compiler *c, const arvo_json *json, chart_transition *t)
{
    arvo_status st = arvo__compile_keys(c, json, transition_keys, "a transition");
    const arvo_json *const reenter = arvo_json_get(json, "reenter");
    const arvo_json *const guard = arvo_json_get(json, "guard");
    if (st == ARVO_OK && reenter != NULL && arvo_json_type_of(reenter) != ARVO_JSON_BOOL)
        st = arvo__compile_fail(c, ARVO_E_INVALID, "reenter must be true or false");
    if (st != ARVO_OK)
        return st;
    t->reenter = arvo_json_bool_or(reenter, false);
    size_t mark = arvo__compile_enter(c, ARVO_STR("target"));
    st = targets_compile(c, t->source, arvo_json_get(json, "target"), false, &t->targets);
    arvo__compile_leave(c, mark);
    if (st == ARVO_OK && guard != NULL) {
        mark = arvo__compile_enter(c, ARVO_STR("guard"));
        st = arvo__compile_guard(c, guard, &t->guard);
        arvo__compile_leave(c, mark);
    }
    if (st == ARVO_OK) {
        mark = arvo__compile_enter(c, ARVO_STR("actions"));
        st = arvo__compile_actions(c, arvo_json_get(json, "actions"), &t->actions);
        arvo__compile_leave(c, mark);
    }
    return st;
}

static void
transition_settle(compiler *c, chart_transition *t)
{
    t->is_static = true;
    for (uint32_t i = 0; i < t->targets.count; i++)
        if (c->states[t->targets.items[i]].type == CHART_HISTORY)
            t->is_static = false;
    t->domain = CHART_NONE;
    c->machine->is_loose |= !t->is_static;
    if (t->is_static)
        t->domain = arvo__chart_domain(c->machine, t, t->targets.items, t->targets.count);
}

static arvo_status
transition_compile(compiler *c, uint16_t source, const arvo_json *json, chart_transition *t)
{
    arvo_status st = ARVO_OK;
    t->source = source;
    switch (arvo_json_type_of(json)) {
    case ARVO_JSON_NULL: /* forbidden: takes the event and does nothing */
        break;
    case ARVO_JSON_STRING:
        st = targets_compile(c, source, json, false, &t->targets);
        break;
    case ARVO_JSON_OBJECT:
        st = transition_object(c, json, t);
        break;
    default:
        st = arvo__compile_fail(
            c, ARVO_E_INVALID,
            "a transition is a target, {target, guard, actions}, a list of these, or null");
    }
    if (st == ARVO_OK)
        transition_settle(c, t);
    return st;
}

static arvo_status
transitions_compile(compiler *c, uint16_t source, const arvo_json *json, chart_transitions *out)
{
    const bool is_list = arvo_json_type_of(json) == ARVO_JSON_ARRAY;
    const size_t count = is_list ? arvo_json_count(json) : 1;
    chart_transition *const items = arvo__compile_alloc(c, count, sizeof(*items));
    if (items == NULL)
        return arvo__nomem(c->err);
    arvo_status st = ARVO_OK;
    for (size_t i = 0; i < count && st == ARVO_OK; i++) {
        const size_t mark = c->pointer.len;
        if (is_list)
            (void)arvo__compile_enter_item(c, i);
        st = transition_compile(c, source, is_list ? arvo_json_at(json, i) : json, &items[i]);
        arvo__compile_leave(c, mark);
    }
    *out = (chart_transitions){ items, (uint32_t)count };
    return st;
}

/* ---- Event tables ---- */

static arvo_status
event_number(compiler *c, arvo_str descriptor, uint32_t *out)
{
    const uintptr_t known = (uintptr_t)arvo__map_find(&c->machine->events, descriptor);
    if (known != 0) {
        *out = (uint32_t)known - 1;
        return ARVO_OK;
    }
    *out = c->event_count++;
    if (!arvo__map_set(&c->machine->events, descriptor, (void *)(uintptr_t)(c->event_count)))
        return arvo__nomem(c->err);
    return ARVO_OK;
}

/* "a.b.*" takes "a.b" and whatever begins with "a.b." (spec 11.3.3). Returns whether it is a
 * wildcard. */
static bool
wildcard_read(chart_handler *handler)
{
    const arvo_str text = handler->descriptor;
    if (arvo_str_is(text, "*"))
        return true;
    if (text.len < 2 || memcmp(text.ptr + text.len - 2, ".*", 2) != 0)
        return false;
    handler->prefix = (arvo_str){ text.ptr, text.len - 2 };
    return true;
}

/* Events that only XState's actors and delays send. */
static const struct actor_event {
    arvo_str prefix;
    const char *advice;
} actor_events[] = {
    { { "xstate.done.actor.", 18 },
      "no actor ever sends this: write the type of the reply of the service that is called" },
    { { "xstate.error.actor.", 19 },
      "no actor ever sends this: write sys.{type}.error, of the service that is called" },
    { { "xstate.snapshot.", 16 },
      "no actor ever sends this: write the type of an event that a service emits" },
    { { "xstate.after.", 13 },
      "no delay ever sends this: write the type of the reply of a timer service" },
};

static const char *
actor_event_advice(arvo_str descriptor)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(actor_events); i++) {
        const arvo_str prefix = actor_events[i].prefix;
        if (descriptor.len > prefix.len && memcmp(descriptor.ptr, prefix.ptr, prefix.len) == 0)
            return actor_events[i].advice;
    }
    return NULL;
}

/* A '*' anywhere else matches no event, and XState says nothing. */
static arvo_status
descriptor_check(compiler *c, arvo_str descriptor)
{
    const char *const advice = actor_event_advice(descriptor);
    if (advice != NULL)
        return arvo__compile_fail(c, ARVO_E_UNSUPPORTED, "%s", advice);
    if (descriptor.len == 0)
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "an event needs a type; for a transition without an event write `always`");
    chart_handler handler = { .descriptor = descriptor };
    const size_t tail = !wildcard_read(&handler) ? 0 : handler.prefix.ptr != NULL ? 2 : 1;
    const char *const star = memchr(descriptor.ptr, '*', descriptor.len - tail);
    if (star == NULL)
        return ARVO_OK;
    size_t head = (size_t)(star - descriptor.ptr);
    while (head > 0 && descriptor.ptr[head - 1] != '.')
        head--;
    return arvo__compile_fail(
        c, ARVO_E_INVALID,
        "`*` stands alone or ends a type behind a dot; this matches no event: write `%.*s*`, and "
        "a guard on .event.type",
        (int)head, descriptor.ptr);
}

/* Length as JavaScript counts it: UTF-16 units. */
static size_t
js_length(arvo_str text)
{
    size_t units = 0;
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char byte = (unsigned char)text.ptr[i];
        units += (byte & 0xc0u) != 0x80u;
        units += byte >= 0xf0u;
    }
    return units;
}

static int
handler_order(const void *a, const void *b)
{
    const chart_handler *const x = a;
    const chart_handler *const y = b;
    return (x->event > y->event) - (x->event < y->event);
}

/* The longest first, then as written. */
static arvo_status
wildcards_link(compiler *c, chart_state *state, const arvo_str *written, size_t written_count)
{
    const chart_handler **const list = arvo__compile_alloc(c, state->handler_count, sizeof(*list));
    if (list == NULL)
        return arvo__nomem(c->err);
    uint32_t count = 0;
    for (size_t w = 0; w < written_count; w++) {
        for (uint32_t i = 0; i < state->handler_count; i++) {
            const chart_handler *const handler = &state->handlers[i];
            chart_handler copy = *handler;
            if (!arvo_str_equal(handler->descriptor, written[w]) || !wildcard_read(&copy))
                continue;
            uint32_t at = count++;
            for (; at > 0 && js_length(list[at - 1]->descriptor) < js_length(written[w]); at--)
                list[at] = list[at - 1];
            list[at] = handler;
        }
    }
    state->wildcards = list;
    state->wildcard_count = count;
    return ARVO_OK;
}

static arvo_status
handler_compile(
    compiler *c, uint16_t number, arvo_str descriptor, const arvo_json *json, chart_handler *out)
{
    *out = (chart_handler){ .descriptor = descriptor };
    (void)wildcard_read(out);
    const arvo_status st = event_number(c, descriptor, &out->event);
    return st == ARVO_OK ? transitions_compile(c, number, json, &out->transitions) : st;
}

static arvo_status
on_compile(
    compiler *c, uint16_t number, const arvo_json *on, chart_handler *handlers, size_t *count)
{
    if (on == NULL)
        return ARVO_OK;
    arvo_status st = ARVO_OK;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("on"));
    if (arvo_json_type_of(on) != ARVO_JSON_OBJECT)
        return arvo__compile_fail(c, ARVO_E_INVALID, "must be an object: event type -> transition");
    const size_t on_count = arvo_json_count(on);
    size_t *const order = arvo__compile_alloc(c, on_count, sizeof(*order));
    if (order == NULL)
        return arvo__nomem(c->err);
    arvo__js_key_order(on, order);
    for (size_t i = 0; i < on_count && st == ARVO_OK; i++) {
        const arvo_str descriptor = arvo_json_key_at(on, order[i]);
        const size_t key_mark = arvo__compile_enter(c, descriptor);
        st = descriptor_check(c, descriptor);
        if (st == ARVO_OK)
            st = handler_compile(
                c, number, descriptor, arvo_json_at(on, order[i]), &handlers[(*count)++]);
        arvo__compile_leave(c, key_mark);
    }
    arvo__compile_leave(c, mark);
    return st;
}

/* onDone is an entry of `on` by another name, and takes the place of one written out. */
static arvo_status
done_compile(
    compiler *c, uint16_t number, const arvo_json *json, chart_handler *handlers, size_t *count)
{
    if (json == NULL)
        return ARVO_OK;
    const arvo_str descriptor = c->states[number].done_type;
    size_t at = 0;
    while (at < *count && !arvo_str_equal(handlers[at].descriptor, descriptor))
        at++;
    if (at == *count)
        (*count)++;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("onDone"));
    const arvo_status st = handler_compile(c, number, descriptor, json, &handlers[at]);
    arvo__compile_leave(c, mark);
    return st;
}

static arvo_status
events_compile(compiler *c, uint16_t number)
{
    chart_state *const state = &c->states[number];
    const arvo_json *const json = c->nodes[number];
    const arvo_json *const on = arvo_json_get(json, "on");
    const arvo_json *const done = arvo_json_get(json, "onDone");
    if (on == NULL && done == NULL)
        return ARVO_OK;
    const size_t room = arvo_json_count(on) + 1;
    chart_handler *const handlers = arvo__compile_alloc(c, room, sizeof(*handlers));
    arvo_str *const written = arvo__compile_alloc(c, room, sizeof(*written));
    if (handlers == NULL || written == NULL)
        return arvo__nomem(c->err);
    size_t count = 0;
    arvo_status st = on_compile(c, number, on, handlers, &count);
    if (st == ARVO_OK)
        st = done_compile(c, number, done, handlers, &count);
    if (st != ARVO_OK)
        return st;
    for (size_t i = 0; i < count; i++)
        written[i] = handlers[i].descriptor;
    qsort(handlers, count, sizeof(*handlers), handler_order);
    state->handlers = handlers;
    state->handler_count = (uint32_t)count;
    return wildcards_link(c, state, written, count);
}

/* ---- Defaults ---- */

/* Where it would have no effect. XState does run the actions of a parallel state's. */
static arvo_status
initial_check(compiler *c, const chart_state *state, const arvo_json *initial)
{
    if (state->type == CHART_PARALLEL && arvo_json_get(initial, "actions") == NULL)
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "a parallel state enters all its regions at once: leave it out");
    if (chart_is_leaf(state))
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "this state has no `states` to enter: leave it out, or add them");
    return ARVO_OK;
}

static arvo_status
initial_compile(compiler *c, uint16_t number)
{
    chart_state *const state = &c->states[number];
    const arvo_json *const initial = arvo_json_get(c->nodes[number], "initial");
    if (initial == NULL && state->type != CHART_COMPOUND)
        return ARVO_OK;
    arvo__compile_rule(c, CHECK_BAD_INITIAL);
    if (initial == NULL)
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "needs `initial`, the child to enter first; '%.*s', say",
            ARVO_FMT(c->states[state->children.items[0]].key));
    const size_t mark = arvo__compile_enter(c, ARVO_STR("initial"));
    arvo_status st = initial_check(c, state, initial);
    arvo_str key = arvo_json_str(initial);
    if (st == ARVO_OK && arvo_json_type_of(initial) == ARVO_JSON_OBJECT) {
        st = arvo__compile_keys(c, initial, initial_keys, "an initial transition");
        key = arvo_json_str(arvo_json_get(initial, "target"));
    }
    if (st == ARVO_OK && key.ptr != NULL)
        state->initial = arvo__chart_child(c->machine, number, key);
    if (st == ARVO_OK && state->initial == CHART_NONE) {
        arvo_str names[64];
        size_t count = 0;
        for (uint32_t i = 0; i < state->children.count && count < ARVO_COUNT_OF(names); i++)
            names[count++] = c->states[state->children.items[i]].key;
        const arvo_str suggestion = arvo__compile_suggest(c, key, names, count);
        st = arvo__compile_fail(
            c, ARVO_E_INVALID, "'%.*s' is no child of this state: name one of its `states`%.*s",
            ARVO_FMT(key), ARVO_FMT(suggestion));
    }
    if (st == ARVO_OK)
        arvo__compile_rule(c, CHECK_RULE_COUNT);
    if (st == ARVO_OK && c->states[state->initial].type == CHART_HISTORY)
        c->machine->is_loose = true;
    if (st == ARVO_OK && arvo_json_type_of(initial) == ARVO_JSON_OBJECT) {
        const size_t actions_mark = arvo__compile_enter(c, ARVO_STR("actions"));
        st = arvo__compile_actions(c, arvo_json_get(initial, "actions"), &state->initial_actions);
        arvo__compile_leave(c, actions_mark);
    }
    arvo__compile_leave(c, mark);
    return st;
}

/* XState would make the second history state active, which no snapshot can hold. */
static arvo_status
history_check(compiler *c, uint16_t number)
{
    const chart_states targets = c->states[number].targets;
    for (uint32_t i = 0; i < targets.count; i++)
        if (c->states[targets.items[i]].type == CHART_HISTORY)
            return arvo__compile_fail(
                c, ARVO_E_INVALID,
                "the default of a history state must not be the history state '%.*s': give it a "
                "`target`",
                ARVO_FMT(c->states[targets.items[i]].id));
    return ARVO_OK;
}

/* Where a history state leads that has nothing to recall (spec 11.7, 11.18). */
static arvo_status
history_compile(compiler *c, uint16_t number)
{
    chart_state *const state = &c->states[number];
    if (state->type != CHART_HISTORY)
        return ARVO_OK;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("target"));
    const arvo_status st = targets_compile(
        c, number, arvo_json_get(c->nodes[number], "target"), true, &state->targets);
    arvo__compile_leave(c, mark);
    if (st != ARVO_OK)
        return st;
    if (state->targets.count > 0)
        return history_check(c, number);
    const chart_state *const parent = &c->states[state->parent];
    state->defaults_to_initial = parent->type != CHART_PARALLEL;
    state->targets =
        (chart_states){ state->defaults_to_initial ? &parent->initial : &state->parent, 1 };
    return history_check(c, number);
}

/* ---- States ---- */

static arvo_status
actions_of(compiler *c, uint16_t number, const char *key, chart_actions *out)
{
    const size_t mark = arvo__compile_enter(c, arvo_str_from(key));
    const arvo_status st = arvo__compile_actions(c, arvo_json_get(c->nodes[number], key), out);
    arvo__compile_leave(c, mark);
    return st;
}

static arvo_status
output_compile(compiler *c, uint16_t number)
{
    const arvo_json *const output = arvo_json_get(c->nodes[number], "output");
    if (output == NULL)
        return ARVO_OK;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("output"));
    const arvo_status st = arvo__compile_template(c, output, &c->states[number].output);
    arvo__compile_leave(c, mark);
    return st;
}

static arvo_status
always_compile(compiler *c, uint16_t number)
{
    const uint16_t parent = c->states[number].parent;
    const arvo_json *const always = arvo_json_get(c->nodes[number], "always");
    c->states[number].asks_always = parent != CHART_NONE && c->states[parent].asks_always;
    if (always == NULL || arvo_json_type_of(always) == ARVO_JSON_NULL)
        return ARVO_OK;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("always"));
    const arvo_status st = transitions_compile(c, number, always, &c->states[number].always);
    c->states[number].asks_always |= c->states[number].always.count > 0;
    c->machine->has_always |= c->states[number].always.count > 0;
    arvo__compile_leave(c, mark);
    return st;
}

static arvo_status
state_compile(compiler *c, uint16_t number)
{
    chart_state *const state = &c->states[number];
    arvo_status st = initial_compile(c, number);
    if (st == ARVO_OK)
        st = history_compile(c, number);
    if (st == ARVO_OK)
        st = actions_of(c, number, "entry", &state->entry);
    if (st == ARVO_OK)
        st = actions_of(c, number, "exit", &state->exit);
    if (st == ARVO_OK)
        st = events_compile(c, number);
    if (st == ARVO_OK)
        st = always_compile(c, number);
    if (st == ARVO_OK)
        st = output_compile(c, number);
    for (uint32_t i = 0; i < state->children.count && st == ARVO_OK; i++) {
        const uint16_t child = state->children.items[i];
        const size_t mark = arvo__compile_enter(c, ARVO_STR("states"));
        (void)arvo__compile_enter(c, c->states[child].key);
        st = state_compile(c, child);
        arvo__compile_leave(c, mark);
    }
    return st;
}

arvo_status
arvo__compile_transitions(compiler *c)
{
    arvo_machine *const machine = c->machine;
    arvo_status st = state_compile(c, CHART_ROOT);
    if (st == ARVO_OK)
        st = arvo__compile_histories(c);
    if (st != ARVO_OK)
        return st;
    uint16_t *const items = arvo__compile_alloc(c, machine->state_count, sizeof(*items));
    if (items == NULL)
        return arvo__nomem(c->err);
    uint32_t count = 0;
    arvo__chart_initial_states(machine, CHART_ROOT, items, &count);
    machine->start =
        (chart_transition){ .source = CHART_ROOT, .reenter = true, .targets = { items, count } };
    transition_settle(c, &machine->start);
    return arvo__compile_plans(c);
}
