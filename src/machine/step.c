/* Microsteps and macrosteps (spec 11.8, 11.9, 11.11, 11.12). */

#include "machine/run.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- Shared by the parts ---- */

bool
arvo__run_nomem(run *r)
{
    r->status = ARVO_E_NOMEM;
    return false;
}

bool
arvo__run_fail(run *r, const char *format, ...)
{
    arvo_error text = { 0 };
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text.text, sizeof(text.text), format, args);
    va_end(args);
    r->status = ARVO_E_EXECUTION;
    r->error_name = ARVO_STR("Error");
    r->error_message = arvo_arena_str_dup(r->arena, arvo_str_from(text.text));
    return r->error_message.ptr != NULL ? false : arvo__run_nomem(r);
}

void *
arvo__run_grow(run *r, void *items, uint32_t count, uint32_t *cap, size_t size)
{
    if (ARVO_LIKELY(count < *cap))
        return items;
    const uint32_t larger = *cap != 0 ? *cap * 2 : 8;
    void *const copy = larger > *cap ? arvo__arena_alloc(r->arena, (size_t)larger * size) : NULL;
    if (copy == NULL) {
        (void)arvo__run_nomem(r);
        return NULL;
    }
    if (count > 0)
        memcpy(copy, items, count * size);
    *cap = larger;
    return copy;
}

bool
arvo__run_eval(
    run *r, const arvo__template *template_, const arvo_json *params, const arvo_json **out)
{
    arvo_error err;
    r->scope.params = params;
    const arvo_status st =
        arvo__template_eval(template_, r->machine->expressions, NULL, &r->scope, out, &err);
    if (ARVO_LIKELY(st == ARVO_OK))
        return true;
    if (st == ARVO_E_NOMEM)
        return arvo__run_nomem(r);
    return arvo__run_fail(r, "%s", err.text);
}

/* ---- History ---- */

/* What each history child of a state that is left will recall: shallow, the active children; deep,
 * the active leaves below. */
static bool
recall_make(run *r, uint16_t left, bool is_deep, chart_states *out)
{
    uint16_t *const items = arvo__arena_alloc(r->arena, (r->now.nodes.count + 1) * sizeof(*items));
    if (items == NULL)
        return arvo__run_nomem(r);
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->now.nodes.count; i++) {
        const uint16_t state = r->now.nodes.items[i];
        const bool is_recalled = is_deep ? chart_is_leaf(run_state(r, state)) &&
                                               chart_is_descendant(r->machine, state, left)
                                         : run_state(r, state)->parent == left;
        if (is_recalled && run_state(r, state)->type != CHART_HISTORY)
            items[count++] = state;
    }
    *out = (chart_states){ items, count };
    return true;
}

static bool
history_set(run *r, run_history *list, uint32_t *count, uint16_t history)
{
    const chart_state *const node = run_state(r, history);
    uint32_t at = 0;
    while (at < *count && list[at].state != history)
        at++;
    if (at == *count)
        (*count)++;
    list[at].state = history;
    return recall_make(r, node->parent, node->is_deep, &list[at].nodes);
}

/* New entries of the record, or the same list when nothing that is left has a history. */
static bool
history_record(run *r, const run_history **out, uint32_t *out_count)
{
    uint32_t added = 0;
    uint32_t state = r->machine->state_count;
    while ((state = bits_last(r->exiting, 0, state)) != BITS_NONE)
        added += run_state(r, state)->histories.count;
    *out = r->now.history;
    *out_count = r->now.history_count;
    if (added == 0)
        return true;
    run_history *const list =
        arvo__arena_alloc(r->arena, (r->now.history_count + added) * sizeof(*list));
    if (list == NULL)
        return arvo__run_nomem(r);
    uint32_t count = r->now.history_count;
    if (count > 0)
        memcpy(list, r->now.history, count * sizeof(*list));
    state = r->machine->state_count;
    while ((state = bits_last(r->exiting, 0, state)) != BITS_NONE) {
        const chart_states histories = run_state(r, state)->histories;
        for (uint32_t i = 0; i < histories.count; i++)
            if (!history_set(r, list, &count, histories.items[i]))
                return false;
    }
    *out = list;
    *out_count = count;
    return true;
}

/* ---- Leaving ---- */

static bool
exit_set(run *r)
{
    bits_clear(r->exiting);
    for (uint32_t i = 0; i < r->enabled_count; i++) {
        uint32_t from;
        uint32_t to;
        if (!arvo__run_exit_range(r, r->enabled[i], &from, &to))
            return false;
        bits_add_in(r->exiting, r->active, from, to);
    }
    return true;
}

/* Exit actions, the last in document order first (spec 11.8 (2)). */
static bool
exit_states(run *r)
{
    uint32_t state = r->machine->state_count;
    while ((state = bits_last(r->exiting, 0, state)) != BITS_NONE) {
        if (!arvo__run_actions(r, run_state(r, state)->exit, NULL))
            return false;
        bits_remove(r->active, state);
    }
    return true;
}

/* ---- Reaching final states ---- */

static bool
is_in_final(const run *r, uint16_t state)
{
    const chart_state *const node = run_state(r, state);
    const chart_states regions = node->regions;
    if (node->type == CHART_PARALLEL) {
        for (uint32_t i = 0; i < regions.count; i++)
            if (!is_in_final(r, regions.items[i]))
                return false;
        return true;
    }
    if (node->type != CHART_COMPOUND)
        return node->type == CHART_FINAL;
    for (uint32_t i = 0; i < regions.count; i++)
        if (run_state(r, regions.items[i])->type == CHART_FINAL &&
            bits_has(r->active, regions.items[i]))
            return true;
    return false;
}

static bool
output_of(run *r, uint16_t state, const arvo_json **out)
{
    const chart_state *const node = run_state(r, state);
    *out = NULL;
    return node->output == NULL || arvo__run_eval(r, node->output, NULL, out);
}

/* The machine's output sees the done event of whatever completed it (spec 11.11.3). */
static bool
machine_output(run *r, uint16_t completed)
{
    const arvo_json *inner = NULL;
    r->now.output = NULL;
    if (run_state(r, CHART_ROOT)->output == NULL)
        return true;
    if (completed != CHART_ROOT && !output_of(r, completed, &inner))
        return false;
    arvo_json *const event = arvo_json_object_new(r->arena);
    arvo_json_set_ref(
        r->arena, event, ARVO_STR("type"),
        arvo_json_string_ref(r->arena, run_state(r, completed)->done_type));
    if (inner != NULL)
        arvo_json_set_ref(r->arena, event, ARVO_STR("output"), inner);
    if (arvo_arena_failed(r->arena))
        return arvo__run_nomem(r);
    const arvo_json *const before = r->scope.event;
    r->scope.event = event;
    const bool is_made = output_of(r, CHART_ROOT, &r->now.output);
    r->scope.event = before;
    return is_made;
}

/* A final state was entered: done events for its parent and for the parallel states it completes,
 * and at the top the end of the machine (spec 11.11). */
static bool
final_entered(run *r, uint16_t final)
{
    const uint16_t parent = run_state(r, final)->parent;
    uint16_t above = parent;
    const arvo_json *output = NULL;
    if (parent != CHART_NONE && run_state(r, parent)->type != CHART_PARALLEL)
        above = run_state(r, parent)->parent;
    uint16_t completed = above != CHART_NONE ? above : final;
    if (parent != CHART_NONE && run_state(r, parent)->type == CHART_COMPOUND &&
        (!output_of(r, final, &output) ||
         !arvo__run_raise_done(r, run_state(r, parent)->done_type, output)))
        return false;
    while (above != CHART_NONE && run_state(r, above)->type == CHART_PARALLEL &&
           !bits_has(r->completed, above) && is_in_final(r, above)) {
        bits_add(r->completed, above);
        if (!arvo__run_raise_done(r, run_state(r, above)->done_type, NULL))
            return false;
        completed = above;
        above = run_state(r, above)->parent;
    }
    if (above != CHART_NONE)
        return true;
    r->now.status = ARVO_MACHINE_DONE;
    r->has_changed = true;
    return machine_output(r, completed);
}

/* ---- Entering ---- */

static bool
enter_state(run *r, uint32_t state, bool by_default)
{
    const chart_state *const node = run_state(r, state);
    bits_add(r->active, state);
    return arvo__run_actions(r, node->entry, NULL) &&
           (!by_default || arvo__run_actions(r, node->initial_actions, NULL)) &&
           (node->type != CHART_FINAL || final_entered(r, (uint16_t)state));
}

static bool
enter_states(run *r)
{
    bits_clear(r->completed);
    uint32_t state = bits_next(r->entering, 0, r->machine->state_count);
    for (; state != BITS_NONE; state = bits_next(r->entering, state + 1, r->machine->state_count))
        if (!enter_state(r, state, bits_has(r->by_default, state)))
            return false;
    return true;
}

/* A machine that is done leaves all its states, which stay in its value (spec 11.11.4). */
static bool
exit_for_good(run *r)
{
    uint32_t state = r->machine->state_count;
    while ((state = bits_last(r->active, 0, state)) != BITS_NONE)
        if (!arvo__run_actions(r, run_state(r, state)->exit, NULL))
            return false;
    return true;
}

/* ---- Microsteps ---- */

/* The next list: what stayed, then what was entered, in document order; of a machine that is done,
 * document order reversed. */
static bool
nodes_next(run *r)
{
    const run_nodes before = r->now.nodes;
    uint32_t count = bits_count(r->active);
    uint16_t *const items = arvo__arena_alloc(r->arena, (count + 1) * sizeof(*items));
    uint64_t *const bits = arvo__arena_alloc(r->arena, r->machine->words * sizeof(*bits));
    if (items == NULL || bits == NULL)
        return arvo__run_nomem(r);
    bits_copy(bits, r->active);
    count = 0;
    if (r->now.status == ARVO_MACHINE_DONE) {
        uint32_t state = r->machine->state_count;
        while ((state = bits_last(bits, 0, state)) != BITS_NONE)
            items[count++] = (uint16_t)state;
    } else {
        for (uint32_t i = 0; i < before.count; i++)
            if (!bits_has(r->exiting, before.items[i]))
                items[count++] = before.items[i];
        uint32_t state = bits_next(r->entering, 0, r->machine->state_count);
        for (; state != BITS_NONE;
             state = bits_next(r->entering, state + 1, r->machine->state_count))
            if (!bits_has(before.bits, state) || bits_has(r->exiting, state))
                items[count++] = (uint16_t)state;
    }
    r->now.nodes = (run_nodes){ items, count, bits };
    r->has_changed = true;
    return arvo__run_tree(r);
}

static bool
transition_actions(run *r)
{
    for (uint32_t i = 0; i < r->enabled_count; i++)
        if (!arvo__run_actions(r, r->enabled[i]->actions, NULL))
            return false;
    return true;
}

/* ---- Microsteps of transitions whose entries are known ---- */

#define PLAIN_TRANSITIONS_MAX 8u
#define PLAIN_EXITS_MAX       64u

typedef struct plain_step {
    const chart_transition *by_range[PLAIN_TRANSITIONS_MAX]; /* in document order */
    uint32_t count;
    uint32_t entry_count;
    uint16_t exits[PLAIN_EXITS_MAX]; /* the last in document order first */
    uint32_t exit_count;
} plain_step;

/* Those with targets, if they leave ranges of states that do not meet: then none is in the way of
 * another, and what they enter together is what each enters alone. */
static bool
plain_ranges(const run *r, plain_step *step)
{
    if (r->enabled_count > PLAIN_TRANSITIONS_MAX)
        return false;
    for (uint32_t i = 0; i < r->enabled_count; i++) {
        const chart_transition *const t = r->enabled[i];
        if (!t->is_plain)
            return false;
        if (t->exit_from >= t->exit_to)
            continue;
        uint32_t at = step->count++;
        for (; at > 0 && step->by_range[at - 1]->exit_from > t->exit_from; at--)
            step->by_range[at] = step->by_range[at - 1];
        step->by_range[at] = t;
        step->entry_count += t->entry_count;
    }
    for (uint32_t i = 1; i < step->count; i++)
        if (step->by_range[i - 1]->exit_to > step->by_range[i]->exit_from)
            return false;
    return true;
}

static bool
plain_leaves(const plain_step *step, uint16_t state)
{
    for (uint32_t i = 0; i < step->count; i++)
        if (step->by_range[i]->exit_from <= state && state < step->by_range[i]->exit_to)
            return true;
    return false;
}

/* False: more than a list holds, or something that a history will recall. */
static bool
plain_exits(const run *r, plain_step *step)
{
    for (uint32_t i = 0; i < r->now.nodes.count; i++) {
        const uint16_t state = r->now.nodes.items[i];
        if (!plain_leaves(step, state))
            continue;
        if (step->exit_count == PLAIN_EXITS_MAX || run_state(r, state)->histories.count > 0)
            return false;
        uint32_t at = step->exit_count++;
        for (; at > 0 && step->exits[at - 1] < state; at--)
            step->exits[at] = step->exits[at - 1];
        step->exits[at] = state;
    }
    return true;
}

/* As nodes_next(). */
static bool
plain_nodes_next(run *r, const plain_step *step)
{
    const run_nodes before = r->now.nodes;
    uint16_t *const items =
        arvo__arena_alloc(r->arena, (before.count + step->entry_count) * sizeof(*items));
    uint64_t *const bits = arvo__arena_alloc(r->arena, r->machine->words * sizeof(*bits));
    if (items == NULL || bits == NULL)
        return arvo__run_nomem(r);
    bits_copy(bits, r->active);
    uint32_t count = 0;
    for (uint32_t i = 0; i < before.count; i++)
        if (!plain_leaves(step, before.items[i]))
            items[count++] = before.items[i];
    for (uint32_t i = 0; i < step->count; i++)
        for (uint32_t k = 0; k < step->by_range[i]->entry_count; k++)
            items[count++] = step->by_range[i]->entries[k].state;
    r->now.nodes = (run_nodes){ items, count, bits };
    r->has_changed = true;
    return arvo__run_tree(r);
}

static bool
plain_enter(run *r, const plain_step *step)
{
    bits_clear(r->completed);
    for (uint32_t i = 0; i < step->count; i++)
        for (uint32_t k = 0; k < step->by_range[i]->entry_count; k++) {
            const chart_entry entry = step->by_range[i]->entries[k];
            if (!run_work(r) || !enter_state(r, entry.state, entry.by_default))
                return false;
        }
    return true;
}

static bool
plain_microstep(run *r, const plain_step *step)
{
    bits_copy(r->active, r->now.nodes.bits);
    for (uint32_t i = 0; i < step->exit_count; i++) {
        if (!arvo__run_actions(r, run_state(r, step->exits[i])->exit, NULL))
            return false;
        bits_remove(r->active, step->exits[i]);
    }
    if (!transition_actions(r) || !plain_enter(r, step))
        return false;
    const bool is_done = r->now.status == ARVO_MACHINE_DONE;
    if (is_done && !exit_for_good(r))
        return false;
    if (bits_equal(r->active, r->now.nodes.bits))
        return true;
    return is_done ? nodes_next(r) : plain_nodes_next(r, step);
}

/* ---- Any microstep ---- */

/* Take the transitions in run->enabled (spec 11.8). */
static bool
microstep(run *r, bool is_initial)
{
    if (r->enabled_count == 0)
        return true;
    plain_step plain;
    plain.count = plain.entry_count = plain.exit_count = 0;
    if (!is_initial && plain_ranges(r, &plain) && plain_exits(r, &plain))
        return plain_microstep(r, &plain);
    const run_history *history = r->now.history;
    uint32_t history_count = r->now.history_count;
    bits_copy(r->active, r->now.nodes.bits);
    bits_clear(r->exiting);
    if (!arvo__run_remove_conflicts(r))
        return false;
    if (!is_initial &&
        (!exit_set(r) || !history_record(r, &history, &history_count) || !exit_states(r)))
        return false;
    /* From here on what this microstep recorded can be recalled. */
    const bool has_recorded = history != r->now.history;
    r->now.history = history;
    r->now.history_count = history_count;
    if (!transition_actions(r) || !arvo__run_entry_set(r))
        return false;
    if (is_initial)
        bits_add(r->by_default, CHART_ROOT);
    if (!enter_states(r) || (r->now.status == ARVO_MACHINE_DONE && !exit_for_good(r)))
        return false;
    if (!has_recorded && bits_equal(r->active, r->now.nodes.bits))
        return true;
    return nodes_next(r);
}

/* ---- Macrosteps ---- */

static void
event_set(run *r, const run_event *event)
{
    r->event = *event;
    r->scope.event = event->json;
}

/* Eventless transitions and raised events, until nothing moves (spec 11.9). */
static bool
settle(run *r)
{
    bool asks_always = true;
    for (uint32_t steps = 0; r->now.status == ARVO_MACHINE_ACTIVE; steps++) {
        if (steps >= r->machine->microsteps_max)
            return arvo__run_fail(
                r, "no end after %u microsteps: states or raised events go round in a circle",
                r->machine->microsteps_max);
        r->enabled_count = 0;
        if (asks_always && !arvo__run_select_always(r))
            return false;
        const bool is_eventless = r->enabled_count > 0;
        if (!is_eventless) {
            if (r->queue_head == r->queue_count)
                return true;
            event_set(r, &r->queue[r->queue_head++]);
            if (!arvo__run_select_event(r))
                return false;
        }
        r->has_changed = false;
        if (!microstep(r, false))
            return false;
        asks_always = !is_eventless || r->has_changed;
    }
    return true;
}

bool
arvo__run_start(run *r)
{
    r->enabled_count = 0;
    if (!arvo__run_enable(r, &r->machine->start) || !microstep(r, true))
        return false;
    return settle(r);
}

bool
arvo__run_event(run *r)
{
    /* XState takes an event of this type for the start, which has been. */
    if (arvo_str_is(r->event.type, "xstate.init"))
        return settle(r);
    if (arvo_str_is(r->event.type, "*"))
        return arvo__run_fail(r, "an event's type cannot be the wildcard '*'");
    if (!arvo__run_select_event(r) || !microstep(r, false))
        return false;
    return settle(r);
}
