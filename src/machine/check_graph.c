/* Checks: states that are never entered, states that are never left, and `always` without end. */

#include "machine/check.h"

#define LIST_MAX        1000u /* transitions of a list that are compared with each other */
#define NAMES_BYTES_MAX 400u  /* of a circle's states in a message */

/* ---- unreachable-state ---- */

/* The outermost ones: what is in them goes without saying. History states are never active. */
static void
check_unreachable(machine_check *mc)
{
    const arvo_machine *const machine = mc->machine;
    for (uint32_t i = 1; i < machine->state_count; i++) {
        const chart_state *const s = &machine->states[i];
        if (mc->reachable[i] || s->type == CHART_HISTORY || !mc->reachable[s->parent])
            continue;
        arvo__check_at_state(
            mc, CHECK_UNREACHABLE_STATE, (uint16_t)i, mc->pointers[i], ARVO_STR_NONE,
            "nothing leads to '%.*s'", ARVO_FMT(s->key));
    }
}

/* ---- dead-end ---- */

/* Whether a transition leads anywhere, or does anything where it stays. */
static bool
is_useful(const chart_transition *t)
{
    return t->targets.count > 0 || t->actions.count > 0;
}

static bool
any_useful(const chart_transitions *transitions)
{
    for (uint32_t i = 0; i < transitions->count; i++)
        if (is_useful(&transitions->items[i]))
            return true;
    return false;
}

/* Whether a state itself can react to anything. */
static bool
state_reacts(const machine_check *mc, uint16_t state)
{
    const chart_state *const s = &mc->machine->states[state];
    if (any_useful(&s->always))
        return true;
    for (uint32_t i = 0; i < s->handler_count; i++)
        if (arvo__check_handler_lives(mc->machine, mc->reachable, state, &s->handlers[i]) &&
            any_useful(&s->handlers[i].transitions))
            return true;
    return false;
}

static bool
leads_outside(const arvo_machine *machine, const chart_transitions *transitions, uint16_t of)
{
    for (uint32_t i = 0; i < transitions->count; i++)
        for (uint32_t k = 0; k < transitions->items[i].targets.count; k++)
            if (!chart_is_descendant(machine, transitions->items[i].targets.items[k], of))
                return true;
    return false;
}

/* Whether something in the other regions of `parallel` lets its state `in` be left. Where nobody
 * waits for the regions to be done, a region may well be at rest while others go on. */
static bool
regions_react(const machine_check *mc, uint16_t parallel, uint16_t in)
{
    const arvo_machine *const machine = mc->machine;
    const chart_state *const p = &machine->states[parallel];
    const bool is_awaited =
        parallel == CHART_ROOT || arvo__check_handler_find(machine, parallel, p->done_type) != NULL;
    for (uint32_t i = parallel + 1u; i < p->end; i++) {
        if (!mc->reachable[i] || i == in)
            continue;
        const chart_state *const s = &machine->states[i];
        bool reacts = leads_outside(machine, &s->always, parallel);
        for (uint32_t h = 0; h < s->handler_count && !reacts; h++)
            reacts = leads_outside(machine, &s->handlers[h].transitions, parallel);
        if (reacts || (!is_awaited && state_reacts(mc, (uint16_t)i)))
            return true;
    }
    return false;
}

/* Whether anything can happen while `state` is active, from `first`, which is the state or an
 * ancestor of it, upwards. */
static bool
has_way_out(const machine_check *mc, uint16_t state, uint16_t first)
{
    for (uint16_t at = first; at != CHART_NONE; at = mc->machine->states[at].parent)
        if (state_reacts(mc, at) ||
            (mc->machine->states[at].type == CHART_PARALLEL && regions_react(mc, at, state)))
            return true;
    return false;
}

static void
check_dead_end(machine_check *mc, uint16_t state)
{
    const chart_state *const s = &mc->machine->states[state];
    if (s->type == CHART_ATOMIC) {
        if (!has_way_out(mc, state, state))
            arvo__check_at_state(
                mc, CHECK_DEAD_END, state, mc->pointers[state], ARVO_STR_NONE,
                "'%.*s' is not final, and nothing leads out of it", ARVO_FMT(s->key));
        return;
    }
    /* A final child ends its parent; a region's end is its parallel state's business. */
    const bool is_region =
        s->parent == CHART_NONE || mc->machine->states[s->parent].type == CHART_PARALLEL;
    if (s->type == CHART_COMPOUND && !is_region &&
        arvo__check_may_be_done(mc->machine, mc->reachable, state) &&
        !has_way_out(mc, state, state))
        arvo__check_at_state(
            mc, CHECK_DEAD_END, state, mc->pointers[state],
            ARVO_STR("add `onDone`, or another transition out of it"),
            "'%.*s' comes to its final state, and nothing leads on", ARVO_FMT(s->key));
}

/* ---- endless-always ---- */

enum { ENDLESS_NOT = 0, ENDLESS_IN, ENDLESS_TOLD };

typedef struct endless {
    machine_check *mc;
    uint8_t *is_in; /* by state: a leaf from which `always` goes on and on, as far as is known */
} endless;

/* The leaf that a transition surely ends in; CHART_NONE: several, or that depends. */
static uint16_t
next_leaf(const endless *e, const chart_transition *t)
{
    const arvo_machine *const machine = e->mc->machine;
    if (t->targets.count != 1)
        return CHART_NONE;
    uint16_t at = t->targets.items[0];
    while (machine->states[at].type == CHART_COMPOUND)
        at = machine->states[at].initial;
    for (uint16_t up = at; up != CHART_NONE; up = machine->states[up].parent)
        if (machine->states[up].type == CHART_PARALLEL)
            return CHART_NONE;
    return machine->states[at].type == CHART_ATOMIC ? at : CHART_NONE;
}

/* Whether some `always` of the leaf or its ancestors is surely taken, and whichever it is leads to
 * another leaf of the set. */
static bool
goes_on(const endless *e, uint16_t leaf)
{
    const arvo_machine *const machine = e->mc->machine;
    for (uint16_t at = leaf; at != CHART_NONE; at = machine->states[at].parent) {
        const chart_transitions always = machine->states[at].always;
        for (uint32_t i = 0; i < always.count; i++) {
            const uint16_t next = next_leaf(e, &always.items[i]);
            if (next == CHART_NONE || next == leaf || !e->is_in[next])
                return false;
            if (always.items[i].guard == NULL)
                return true;
        }
    }
    return false;
}

/* Where the first `always` of a leaf that goes on leads. */
static uint16_t
endless_next(const endless *e, uint16_t leaf)
{
    const arvo_machine *const machine = e->mc->machine;
    uint16_t owner = leaf;
    while (machine->states[owner].always.count == 0)
        owner = machine->states[owner].parent;
    return next_leaf(e, &machine->states[owner].always.items[0]);
}

/* The circle that a leaf leads to, once. */
static void
endless_report(endless *e, uint16_t leaf)
{
    machine_check *const mc = e->mc;
    for (uint32_t i = 0; i < mc->machine->state_count; i++)
        leaf = endless_next(e, leaf); /* now surely on the circle */
    if (e->is_in[leaf] == ENDLESS_TOLD)
        return;
    uint16_t first = leaf;
    for (uint16_t at = endless_next(e, leaf); at != leaf; at = endless_next(e, at))
        first = at < first ? at : first;
    arvo_str names = mc->paths[first];
    uint16_t at = first;
    do {
        e->is_in[at] = ENDLESS_TOLD;
        at = endless_next(e, at);
        if (names.len < NAMES_BYTES_MAX)
            names = arvo_arena_printf(
                mc->arena, "%.*s -> %.*s", ARVO_FMT(names), ARVO_FMT(mc->paths[at]));
    } while (at != first);
    const arvo_str pointer =
        arvo_arena_printf(mc->arena, "%.*s/always", ARVO_FMT(mc->pointers[first]));
    arvo__check_at_state(
        mc, CHECK_ENDLESS_ALWAYS, first, pointer, ARVO_STR_NONE,
        "`always` leads from state to state without end: %.*s", ARVO_FMT(names));
}

static void
check_endless(machine_check *mc)
{
    const uint32_t count = mc->machine->state_count;
    endless e = { .mc = mc, .is_in = arvo_arena_calloc(mc->arena, count, 1) };
    if (e.is_in == NULL)
        return;
    for (uint32_t i = 0; i < count; i++)
        if (mc->machine->states[i].type == CHART_ATOMIC && mc->reachable[i])
            e.is_in[i] = ENDLESS_IN;
    /* What is left when nothing more falls out: each leads only to others that are left. */
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < count; i++)
            if (e.is_in[i] && !goes_on(&e, (uint16_t)i)) {
                e.is_in[i] = ENDLESS_NOT;
                changed = true;
            }
    }
    for (uint32_t i = 0; i < count; i++)
        if (e.is_in[i])
            endless_report(&e, (uint16_t)i);
}

/* ---- shadowed-transition ---- */

/* Whether a transition is taken whenever it is looked at. */
static bool
is_unguarded(const arvo_json *transition)
{
    const arvo_json *const guard = arvo_json_get(transition, "guard");
    return guard == NULL || arvo_str_is(arvo_json_str(guard), "${ true }");
}

/* Of a list the first transition whose guard holds is taken: none behind one without a guard, and
 * none behind one with the same. Guards give the same for the same, in C too. */
void
arvo__check_order(machine_check *mc, const check_where *where, const arvo_json *list)
{
    const size_t count = mc->is_repaired ? 0 : arvo_json_count(list);
    for (size_t i = 1; i < count && i < LIST_MAX; i++) {
        size_t before = 0;
        while (before < i && !is_unguarded(arvo_json_at(list, before)) &&
               !arvo_json_equal(
                   arvo_json_get(arvo_json_at(list, before), "guard"),
                   arvo_json_get(arvo_json_at(list, i), "guard")))
            before++;
        if (before == i)
            continue;
        const bool is_free = is_unguarded(arvo_json_at(list, before));
        const arvo_str pointer =
            arvo_arena_printf(mc->arena, "%.*s/%zu", ARVO_FMT(arvo_buf_str(&mc->pointer)), i);
        arvo__check_at_state(
            mc, CHECK_SHADOWED_TRANSITION, where->state, pointer, ARVO_STR_NONE,
            "this transition is never taken: number %zu of the list %s", before + 1,
            is_free ? "always is, before it" : "has the same guard, and is taken before it");
        if (is_free)
            return; /* one is enough for all that follow */
    }
}

void
arvo__check_graph(machine_check *mc)
{
    check_unreachable(mc);
    for (uint32_t i = 0; i < mc->machine->state_count; i++)
        if (mc->reachable[i])
            check_dead_end(mc, (uint16_t)i);
    check_endless(mc);
}
