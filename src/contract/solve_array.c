/* Arrays for the solver: which items there must be, and one for each place. */

#include "contract/solve.h"

typedef struct array_plan {
    solver *s;
    const solve_state *state;
    const solve_terms *all;
    size_t prefix; /* places before this one may differ from each other */
} array_plan;

const solve_terms *
arvo__solve_state_item(solver *s, const solve_state *state, size_t i)
{
    const solve_terms *terms = NULL;
    for (const solve_exists *item = state->items; item != NULL; item = item->next)
        if (item->from == i)
            terms = arvo__solve_push(s, terms, item->term);
    for (const solve_terms *layer = state->layers; layer != NULL; layer = layer->next)
        terms = arvo__solve_item_terms(s, layer->term.doc, layer->term.schema, i, terms);
    return terms;
}

static size_t
prefix_of(const solve_state *state)
{
    size_t prefix = 0;
    for (const solve_terms *layer = state->layers; layer != NULL; layer = layer->next) {
        const size_t count = arvo__solve_prefix_count(layer->term.doc, layer->term.schema);
        prefix = count > prefix ? count : prefix;
    }
    for (const solve_exists *item = state->items; item != NULL; item = item->next)
        prefix = item->from + 1 > prefix ? item->from + 1 : prefix;
    return prefix;
}

/* An item of its own among those before it. */
static solve_answer
item_make(
    const array_plan *plan, size_t i, const arvo_json *made, bool distinct, const arvo_json **value)
{
    solver *const s = plan->s;
    const solve_terms *terms = arvo__solve_state_item(s, plan->state, i);
    if (distinct && arvo_json_count(made) > 0) {
        const arvo_json *const before = arvo_json_copy(s->arena, made);
        if (before == NULL)
            arvo__solve_memory(s);
        else
            terms = arvo__solve_push(s, terms, arvo__solve_synthetic(s, "enum", before, true));
    }
    return arvo__solve(s, terms, value);
}

/* Items [0, count). UNKNOWN where distinct items were looked for one by one in places that differ:
 * another choice further up might have left more. */
static solve_answer
items_make(const array_plan *plan, size_t count, arvo_json *out)
{
    solver *const s = plan->s;
    solve_answer answer = SOLVE_FOUND;
    for (size_t i = 0; i < count; i++) {
        const arvo_json *item = NULL;
        const solve_answer one = item_make(plan, i, out, plan->state->unique, &item);
        if (one == SOLVE_NONE) {
            const bool other_choice = plan->state->unique && i > 0 && plan->prefix > 0;
            return other_choice ? item_make(plan, i, NULL, false, &item) == SOLVE_NONE
                                      ? SOLVE_NONE
                                      : SOLVE_UNKNOWN
                                : SOLVE_NONE;
        }
        if (one == SOLVE_UNKNOWN)
            answer = SOLVE_UNKNOWN;
        arvo_json_push(s->arena, out, one == SOLVE_FOUND ? item : arvo_json_null());
    }
    return answer;
}

static solve_answer
array_accept(const array_plan *plan, const arvo_json *array, const arvo_json **value)
{
    if (arvo__solve_eval_all(plan->s, plan->all, array) != SOLVE_YES)
        return SOLVE_UNKNOWN; /* made as the state says: something is beyond it */
    *value = array;
    return SOLVE_FOUND;
}

/* Fill places after the last that is needed, for schemas that count what they contain. */
static solve_answer
array_longer(const array_plan *plan, arvo_json *array, const arvo_json **value)
{
    solver *const s = plan->s;
    for (size_t i = arvo_json_count(array); i < plan->state->max_items && i < 8; i++) {
        const arvo_json *item = NULL;
        if (item_make(plan, i, array, plan->state->unique, &item) != SOLVE_FOUND)
            break;
        arvo_json_push(s->arena, array, item);
        if (arvo_arena_failed(s->arena))
            break;
        if (arvo__solve_eval_all(s, plan->all, array) == SOLVE_YES) {
            *value = array;
            return SOLVE_FOUND;
        }
    }
    return SOLVE_UNKNOWN;
}

static solve_answer
array_build(const array_plan *plan, const arvo_json **value)
{
    solver *const s = plan->s;
    const size_t count = plan->state->min_items;
    if (count > plan->state->max_items)
        return SOLVE_NONE;
    if (count > SOLVE_ITEMS_MAX)
        return SOLVE_UNKNOWN;
    arvo_json *const array = arvo_json_array_new(s->arena);
    solve_answer answer = items_make(plan, count, array);
    if (arvo_arena_failed(s->arena))
        arvo__solve_memory(s);
    if (answer != SOLVE_FOUND || s->stopped)
        return s->stopped ? SOLVE_UNKNOWN : answer;
    if (s->full && count == 0 && plan->state->max_items > 0) {
        const arvo_json *item = NULL;
        arvo_json *const one = arvo_json_array_new(s->arena);
        if (item_make(plan, 0, one, false, &item) == SOLVE_FOUND) {
            arvo_json_push(s->arena, one, item);
            if (!arvo_arena_failed(s->arena) && array_accept(plan, one, value) == SOLVE_FOUND)
                return SOLVE_FOUND;
        }
    }
    answer = array_accept(plan, array, value);
    return answer == SOLVE_FOUND ? answer : array_longer(plan, array, value);
}

/* Two equal items at places i < k. */
static solve_answer
repeat_at(const array_plan *plan, size_t i, size_t k, const arvo_json **value)
{
    solver *const s = plan->s;
    const solve_terms *terms = arvo__solve_state_item(s, plan->state, i);
    for (const solve_terms *more = arvo__solve_state_item(s, plan->state, k); more != NULL;
         more = more->next)
        terms = arvo__solve_push(s, terms, more->term);
    const arvo_json *both = NULL;
    const solve_answer answer = arvo__solve(s, terms, &both);
    if (answer != SOLVE_FOUND)
        return answer;
    arvo_json *const array = arvo_json_array_new(s->arena);
    const size_t count = plan->state->min_items > k ? plan->state->min_items : k + 1;
    if (count > SOLVE_ITEMS_MAX)
        return SOLVE_UNKNOWN;
    for (size_t place = 0; place < count; place++) {
        const arvo_json *item = both;
        if (place != i && place != k) {
            const solve_answer one = item_make(plan, place, NULL, false, &item);
            if (one != SOLVE_FOUND)
                return one;
        }
        arvo_json_push(s->arena, array, item);
    }
    if (arvo_arena_failed(s->arena))
        arvo__solve_memory(s);
    return s->stopped ? SOLVE_UNKNOWN : array_accept(plan, array, value);
}

static solve_answer
repeated_build(const array_plan *plan, const arvo_json **value)
{
    solve_answer answer = SOLVE_NONE;
    const size_t last = plan->prefix + 1; /* two places behind the prefix stand for all */
    for (size_t i = 0; i < last; i++) {
        for (size_t k = i + 1; k <= last && k < plan->state->max_items; k++) {
            answer = solve_worse(answer, repeat_at(plan, i, k, value));
            if (answer == SOLVE_FOUND || plan->s->stopped)
                return answer;
        }
    }
    return answer;
}

/* Settle the first "some item" by trying each place that can make a difference: those of the
 * prefix, and behind it as many as there are such items. */
static solve_answer
some_item_build(const array_plan *plan, const arvo_json **value)
{
    solver *const s = plan->s;
    solve_state next = *plan->state;
    const solve_exists *wanted = NULL;
    size_t open = 0;
    next.exists = NULL;
    for (const solve_exists *item = plan->state->exists; item != NULL; item = item->next) {
        if (item->act != SOLVE_ACT_SOME_ITEM)
            continue;
        open++;
        if (wanted == NULL) {
            wanted = item;
            next.exists = item->next; /* those before it are for objects */
        }
    }
    if (wanted == NULL)
        return plan->state->repeated ? repeated_build(plan, value) : array_build(plan, value);
    solve_answer answer = SOLVE_NONE;
    const size_t first = wanted->from, last = (plan->prefix > first ? plan->prefix : first) + open;
    for (size_t i = first; i <= last && i < plan->state->max_items && !s->stopped; i++) {
        solve_exists *const placed = arvo__solve_alloc(s, sizeof(*placed));
        if (placed == NULL)
            return SOLVE_UNKNOWN;
        *placed = *wanted;
        placed->from = i;
        placed->next = plan->state->items;
        array_plan inner = *plan;
        solve_state placed_state = next;
        placed_state.items = placed;
        if (placed_state.min_items < i + 1)
            placed_state.min_items = i + 1;
        inner.state = &placed_state;
        inner.prefix = prefix_of(&placed_state);
        answer = solve_worse(answer, some_item_build(&inner, value));
        if (answer == SOLVE_FOUND)
            return answer;
    }
    return s->stopped ? SOLVE_UNKNOWN : answer;
}

solve_answer
arvo__solve_array(
    solver *s, const solve_state *state, const solve_terms *all, const arvo_json **value)
{
    const array_plan plan = { s, state, all, prefix_of(state) };
    size_t wanted = 0;
    for (const solve_exists *item = state->exists; item != NULL; item = item->next)
        wanted += item->act == SOLVE_ACT_SOME_ITEM;
    if (plan.prefix > SOLVE_ITEMS_MAX || wanted > 6)
        return SOLVE_UNKNOWN;
    return some_item_build(&plan, value);
}
