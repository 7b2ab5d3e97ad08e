/* Checks: which states can be reached from where. */

#include "machine/check.h"

enum { UNSEEN = 0, ACTIVE = 1, ENTERED = 2 }; /* ENTERED: with its own initial states */

bool
arvo__check_reach_init(check_reach *r, const arvo_machine *machine, arvo_arena *arena)
{
    *r = (check_reach){
        .machine = machine,
        .seen = arvo_arena_calloc(arena, machine->state_count, 1),
        .queue = arvo_arena_calloc(arena, machine->state_count, sizeof(*r->queue)),
    };
    return r->seen != NULL && r->queue != NULL;
}

void
arvo__check_reach_add(check_reach *r, uint16_t state)
{
    if (r->seen[state] != UNSEEN)
        return;
    r->seen[state] = ACTIVE;
    r->queue[r->queued++] = state;
}

/* A history state: where it leads by default, and whatever it may restore. */
static void
enter_history(check_reach *r, uint16_t state)
{
    const chart_state *const s = &r->machine->states[state];
    const uint32_t end = r->machine->states[s->parent].end;
    for (uint32_t i = 0; i < s->targets.count; i++)
        arvo__check_reach_enter(r, s->targets.items[i]);
    for (uint32_t d = s->parent + 1u; r->history != NULL && d < end; d++)
        if (r->history[d] != UNSEEN)
            arvo__check_reach_add(r, (uint16_t)d);
}

/* A state with what is entered along with it. As deep as the chart, for no history state leads back
 * to itself by default. */
static void
enter_default(check_reach *r, uint16_t state)
{
    const chart_state *const s = &r->machine->states[state];
    arvo__check_reach_add(r, state);
    if (r->seen[state] == ENTERED)
        return;
    r->seen[state] = ENTERED;
    if (s->type == CHART_HISTORY)
        enter_history(r, state);
    if (s->initial != CHART_NONE)
        enter_default(r, s->initial);
    for (uint32_t i = 0; s->type == CHART_PARALLEL && i < s->regions.count; i++)
        enter_default(r, s->regions.items[i]);
}

/* Its ancestors become active, and their other regions by default. */
void
arvo__check_reach_enter(check_reach *r, uint16_t state)
{
    uint16_t below = state;
    uint16_t at = r->machine->states[state].parent;
    for (; at != CHART_NONE; below = at, at = r->machine->states[at].parent) {
        const chart_state *const s = &r->machine->states[at];
        arvo__check_reach_add(r, at);
        for (uint32_t i = 0; s->type == CHART_PARALLEL && i < s->regions.count; i++)
            if (s->regions.items[i] != below)
                enter_default(r, s->regions.items[i]);
    }
    enter_default(r, state);
}

bool
arvo__check_may_be_done(const arvo_machine *machine, const uint8_t *seen, uint16_t state)
{
    const chart_state *const s = &machine->states[state];
    if (s->type == CHART_FINAL)
        return seen[state] != UNSEEN;
    bool all = s->type == CHART_PARALLEL;
    for (uint32_t i = 0; i < s->regions.count; i++) {
        const uint16_t child = s->regions.items[i];
        const bool is_final = machine->states[child].type == CHART_FINAL && seen[child] != UNSEEN;
        if (s->type == CHART_COMPOUND && is_final)
            return true;
        all = all && arvo__check_may_be_done(machine, seen, child);
    }
    return all;
}

bool
arvo__check_handler_lives(
    const arvo_machine *machine, const uint8_t *seen, uint16_t state, const chart_handler *handler)
{
    return !arvo_str_equal(handler->descriptor, machine->states[state].done_type) ||
           arvo__check_may_be_done(machine, seen, state);
}

const chart_handler *
arvo__check_handler_find(const arvo_machine *machine, uint16_t state, arvo_str descriptor)
{
    const chart_state *const s = &machine->states[state];
    const uintptr_t number = (uintptr_t)arvo__map_find(&machine->events, descriptor);
    uint32_t from = 0;
    uint32_t end = number != 0 ? s->handler_count : 0;
    while (from < end) {
        const uint32_t middle = from + (end - from) / 2;
        if (s->handlers[middle].event + 1 == number)
            return &s->handlers[middle];
        if (s->handlers[middle].event + 1 < number)
            from = middle + 1;
        else
            end = middle;
    }
    return NULL;
}

/* ---- Following transitions ---- */

static void
follow_transitions(check_reach *r, const chart_transitions *transitions)
{
    for (uint32_t i = 0; i < transitions->count; i++)
        for (uint32_t k = 0; k < transitions->items[i].targets.count; k++)
            arvo__check_reach_enter(r, transitions->items[i].targets.items[k]);
}

/* Not those of onDone: what they wait for may yet be reached. */
static void
follow_state(check_reach *r, uint16_t state)
{
    const chart_state *const s = &r->machine->states[state];
    follow_transitions(r, &s->always);
    for (uint32_t i = 0; i < s->handler_count; i++)
        if (!arvo_str_equal(s->handlers[i].descriptor, s->done_type))
            follow_transitions(r, &s->handlers[i].transitions);
}

/* A shallow history state enters the child that it recalls with that one's own initial states: any
 * child that may ever have been active. */
static void
follow_history(check_reach *r, uint16_t state)
{
    const chart_state *const s = &r->machine->states[state];
    const chart_states siblings = r->machine->states[s->parent].regions;
    const uint8_t *const active = r->history != NULL ? r->history : r->seen;
    for (uint32_t i = 0; i < siblings.count && !s->is_deep; i++)
        if (active[siblings.items[i]] != UNSEEN)
            enter_default(r, siblings.items[i]);
}

/* What hangs on more than one state. True: more was reached. */
static bool
follow_others(check_reach *r)
{
    for (uint32_t state = 0; state < r->machine->state_count; state++) {
        const chart_state *const s = &r->machine->states[state];
        if (r->seen[state] != UNSEEN && s->type == CHART_HISTORY)
            follow_history(r, (uint16_t)state);
        if (r->seen[state] == UNSEEN || chart_is_leaf(s) || s->type == CHART_HISTORY)
            continue;
        const chart_handler *const done =
            arvo__check_handler_find(r->machine, (uint16_t)state, s->done_type);
        if (done != NULL && arvo__check_handler_lives(r->machine, r->seen, (uint16_t)state, done))
            follow_transitions(r, &done->transitions);
    }
    return r->queued > 0;
}

void
arvo__check_reach_follow(check_reach *r)
{
    do {
        while (r->queued > 0)
            follow_state(r, r->queue[--r->queued]);
    } while (follow_others(r));
}
