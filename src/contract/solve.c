/* The search: one question about a list of terms, its branches, and what is remembered. */

#include "contract/solve.h"

#include <stdlib.h>

static solve_answer search(
    solver *s, const solve_state *given, const solve_terms *all, size_t frames,
    const arvo_json **value);

/* ---- The solver ------------------------------------------------------------------ */

arvo_status
arvo__solver_init(solver *s, const arvo_allocator *allocator, arvo_error *err)
{
    *s = (solver){ .allocator = allocator, .steps_max = SOLVE_STEPS_MAX, .assumed = SIZE_MAX };
    s->memos.allocator = allocator;
    s->patterns.allocator = allocator;
    s->arena =
        arvo_arena_new(&(arvo_arena_opts){ .allocator = allocator, .bytes_max = SOLVE_BYTES_MAX });
    return s->arena != NULL ? ARVO_OK : arvo__nomem(err);
}

void
arvo__solver_fini(solver *s)
{
    for (struct solve_compiled *item = s->compiled; item != NULL; item = item->next)
        arvo_schema_free(item->schema);
    arvo__map_fini(&s->patterns);
    arvo__map_fini(&s->memos);
    arvo_arena_free(s->arena);
    *s = (solver){ 0 };
}

arvo_status
arvo__solver_status(const solver *s, arvo_error *err)
{
    return s->no_memory ? arvo__nomem(err) : ARVO_OK;
}

bool
arvo__solve_step(solver *s, size_t steps)
{
    s->steps += steps;
    if (s->steps > s->steps_max)
        s->stopped = true;
    return !s->stopped;
}

void
arvo__solve_memory(solver *s)
{
    s->stopped = true;
    /* The solver's own limit is a question too hard, not a machine too small. */
    if (arvo_arena_used(s->arena) < SOLVE_BYTES_MAX / 2)
        s->no_memory = true;
}

void *
arvo__solve_alloc(solver *s, size_t size)
{
    void *const memory = s->stopped ? NULL : arvo_arena_alloc(s->arena, size);
    if (memory == NULL && !s->stopped)
        arvo__solve_memory(s);
    return memory;
}

const solve_terms *
arvo__solve_push(solver *s, const solve_terms *list, solve_term term)
{
    if (list != NULL && !arvo__solve_step(s, list->count / SOLVE_TERMS_STEP))
        return list;
    for (const solve_terms *old = list; old != NULL; old = old->next)
        if (old->term.schema == term.schema && old->term.doc == term.doc &&
            old->term.negated == term.negated)
            return list;
    solve_terms *const item = arvo__solve_alloc(s, sizeof(*item));
    if (item == NULL)
        return list;
    *item = (solve_terms){ term, list, 1 + (list != NULL ? list->count : 0) };
    return item;
}

/* ---- Terms as a key ----------------------------------------------------------------- */

typedef struct term_key {
    uintptr_t schema, doc;
} term_key;

static int
term_key_compare(const void *a, const void *b)
{
    const term_key *const x = a, *const y = b;
    if (x->schema != y->schema)
        return x->schema < y->schema ? -1 : 1;
    return x->doc < y->doc ? -1 : x->doc > y->doc;
}

/* The same for the same set of terms. None: out of memory. */
static arvo_str
terms_key(solver *s, const solve_terms *terms)
{
    size_t count = 0;
    for (const solve_terms *item = terms; item != NULL; item = item->next)
        count++;
    term_key *const keys = arvo__solve_alloc(s, (count + 1) * sizeof(*keys));
    if (keys == NULL)
        return ARVO_STR_NONE;
    size_t i = 0;
    for (; terms != NULL; terms = terms->next) /* documents are aligned: the last bit is free */
        keys[i++] = (term_key){ (uintptr_t)terms->term.schema,
                                (uintptr_t)terms->term.doc | (terms->term.negated ? 1u : 0u) };
    qsort(keys, count, sizeof(*keys), term_key_compare);
    return (arvo_str){ (const char *)keys, count * sizeof(*keys) };
}

/* ---- What a state still allows ------------------------------------------------------- */

static bool
has_key(const solve_keys *list, arvo_str key)
{
    for (; list != NULL; list = list->next)
        if (arvo_str_equal(list->key, key))
            return true;
    return false;
}

static size_t
required_count(const solve_state *state)
{
    size_t count = 0;
    for (const solve_keys *item = state->required; item != NULL; item = item->next)
        count += !has_key(item->next, item->key);
    return count;
}

/* false: no object can be in this state. */
static bool
object_possible(solver *s, const solve_state *state)
{
    if (state->min_keys > state->max_keys || required_count(state) > state->max_keys)
        return false;
    const arvo_json *ignored = NULL;
    for (const solve_keys *item = state->required; item != NULL; item = item->next) {
        if (has_key(state->absent, item->key))
            return false;
        const arvo_json *const name = arvo_json_string_ref(s->arena, item->key);
        if (state->names != NULL && arvo__solve_eval_all(s, state->names, name) == SOLVE_NO)
            return false;
    }
    for (const solve_keys *item = state->required; item != NULL; item = item->next) {
        const solve_terms *const terms = arvo__solve_state_key(s, state, item->key);
        const arvo_str hint = s->hint;
        s->hint = item->key;
        const bool is_none = terms != NULL && arvo__solve(s, terms, &ignored) == SOLVE_NONE;
        s->hint = hint;
        if (is_none)
            return false;
    }
    return true;
}

static bool
array_possible(solver *s, const solve_state *state)
{
    if (state->min_items > state->max_items)
        return false;
    const arvo_json *ignored = NULL;
    for (const solve_exists *item = state->items; item != NULL; item = item->next) {
        const solve_terms *const terms = arvo__solve_state_item(s, state, item->from);
        if (terms != NULL && arvo__solve(s, terms, &ignored) == SOLVE_NONE)
            return false;
    }
    return true;
}

static bool
values_possible(solver *s, const solve_state *state)
{
    for (size_t i = 0; i < arvo_json_count(state->one_of); i++)
        if (arvo__solve_eval_all(s, state->seen, arvo_json_at(state->one_of, i)) != SOLVE_NO)
            return true;
    return false;
}

/* Drop the types that nothing can have any more. false: none is left. */
static bool
settle(solver *s, solve_state *state)
{
    if (state->empty || s->stopped)
        return !state->empty;
    if ((state->types & SOLVE_NUMBER) != 0 && arvo__solve_bounds_empty(state))
        state->types &= ~(unsigned)SOLVE_NUMBER;
    if (state->min_length > state->max_length)
        state->types &= ~(unsigned)SOLVE_STRING;
    if ((state->types & SOLVE_ARRAY) != 0 && !array_possible(s, state))
        state->types &= ~(unsigned)SOLVE_ARRAY;
    if ((state->types & SOLVE_OBJECT) != 0 && !object_possible(s, state))
        state->types &= ~(unsigned)SOLVE_OBJECT;
    if (state->types != 0 && state->one_of != NULL && !values_possible(s, state))
        state->types = 0;
    return state->types != 0 || s->stopped;
}

/* ---- Branches -------------------------------------------------------------------------- */

static bool
present_implied(solver *s, const solve_state *state, const solve_action *action)
{
    if (state->types != SOLVE_OBJECT || action->also != NULL ||
        !has_key(state->required, action->key))
        return false;
    const arvo_json *ignored = NULL;
    const solve_terms *const terms =
        arvo__solve_push(s, arvo__solve_state_key(s, state, action->key), solve_not(action->term));
    return arvo__solve(s, terms, &ignored) == SOLVE_NONE;
}

static bool
terms_implied(const solve_state *state, const solve_terms *terms)
{
    for (; terms != NULL; terms = terms->next) {
        bool seen = false;
        for (const solve_terms *old = state->seen; old != NULL && !seen; old = old->next)
            seen = old->term.negated == terms->term.negated &&
                   arvo__solve_same(
                       old->term.doc, old->term.schema, terms->term.doc, terms->term.schema);
        if (!seen)
            return false;
    }
    return true;
}

/* Whether the alternative holds in every value of the state: then there is no choice to make. */
static bool
implied(solver *s, const solve_state *state, const solve_action *action)
{
    switch (action->act) {
    case SOLVE_ACT_TERMS:
        return terms_implied(state, action->terms);
    case SOLVE_ACT_TYPES:
        return (state->types & ~(unsigned)action->n) == 0;
    case SOLVE_ACT_NOT_VALUE:
        return action->strict && (state->types & arvo__solve_types_of(action->value)) == 0;
    case SOLVE_ACT_ABSENT:
        return state->types == SOLVE_OBJECT && has_key(state->absent, action->key);
    case SOLVE_ACT_ABSENT_IF_OBJECT:
        return (state->types & SOLVE_OBJECT) == 0 || has_key(state->absent, action->key);
    case SOLVE_ACT_PRESENT:
        return present_implied(s, state, action);
    default:
        return false;
    }
}

typedef struct choice {
    const solve_branch *branch;
    size_t viable;
    bool positive;
    solve_state *states; /* what each viable alternative makes of the state */
} choice;

/* Try every alternative for a moment. false: the branch is decided already (implied). */
static bool
branch_look(solver *s, const solve_state *state, const solve_branch *branch, choice *out)
{
    *out = (choice){ .branch = branch };
    for (size_t i = 0; i < branch->count; i++)
        if (implied(s, state, &branch->actions[i]))
            return false;
    out->states = arvo__solve_alloc(s, branch->count * sizeof(*out->states));
    if (out->states == NULL)
        return true;
    const solve_action *const first = &branch->actions[0];
    out->positive =
        first->act == SOLVE_ACT_TERMS && first->terms != NULL && !first->terms->term.negated;
    for (size_t i = 0; i < branch->count && !s->stopped; i++) {
        solve_state *const next = &out->states[out->viable];
        *next = *state;
        arvo__solve_apply(s, next, &branch->actions[i]);
        out->viable += settle(s, next);
    }
    return true;
}

/* Fewer choices first; a choice between schemas before one between ways to break them. */
static bool
is_better(const choice *a, const choice *b)
{
    if (b->branch == NULL || a->viable <= 1)
        return true;
    if (b->viable <= 1)
        return false;
    if (a->positive != b->positive)
        return a->positive;
    return a->viable < b->viable;
}

static const solve_branch *
branches_without(solver *s, const solve_branch *list, const solve_branch *gone)
{
    const solve_branch *kept = NULL;
    for (; list != NULL; list = list->next) {
        if (list == gone)
            continue;
        solve_branch *const item = arvo__solve_alloc(s, sizeof(*item));
        if (item == NULL)
            return kept;
        *item = (solve_branch){ list->actions, list->count, kept };
        kept = item;
    }
    return kept;
}

/* The branch to settle next; none: all are implied. */
static choice
branch_choose(solver *s, solve_state *state)
{
    choice best = { 0 };
    const solve_branch *kept = NULL;
    /* The first one comes first: a copy without nothing is the list turned round. */
    const solve_branch *const list = branches_without(s, state->branches, NULL);
    state->branches = NULL; /* alternatives are looked at without the others */
    for (const solve_branch *branch = list; branch != NULL && !s->stopped; branch = branch->next) {
        choice found;
        if (!branch_look(s, state, branch, &found))
            continue;
        solve_branch *const item = arvo__solve_alloc(s, sizeof(*item));
        if (item == NULL)
            break;
        *item = (solve_branch){ branch->actions, branch->count, kept };
        kept = item;
        found.branch = item;
        if (is_better(&found, &best))
            best = found;
        if (best.viable == 0)
            break;
    }
    state->branches = kept;
    return best;
}

static const solve_branch *
branches_join(solver *s, const solve_branch *list, const solve_branch *more)
{
    for (; more != NULL; more = more->next) {
        solve_branch *const item = arvo__solve_alloc(s, sizeof(*item));
        if (item == NULL)
            return list;
        *item = (solve_branch){ more->actions, more->count, list };
        list = item;
    }
    return list;
}

/* ---- Building a value --------------------------------------------------------------------- */

static solve_answer
try_values(
    solver *s, const arvo_json *const *values, size_t count, const solve_terms *all,
    const arvo_json **value)
{
    solve_answer answer = SOLVE_NONE;
    for (size_t i = 0; i < count; i++) {
        const solve_truth is = arvo__solve_eval_all(s, all, values[i]);
        if (is == SOLVE_YES) {
            *value = values[i];
            return SOLVE_FOUND;
        }
        if (is == SOLVE_MAYBE)
            answer = SOLVE_UNKNOWN;
    }
    return answer;
}

static solve_answer
build_listed(solver *s, const solve_state *state, const solve_terms *all, const arvo_json **value)
{
    const size_t count = arvo_json_count(state->one_of);
    solve_answer answer = SOLVE_NONE;
    for (size_t i = 0; i < count && answer != SOLVE_FOUND; i++) {
        const arvo_json *const item = arvo_json_at(state->one_of, (i + s->seed) % count);
        answer = solve_worse(answer, try_values(s, &item, 1, all, value));
    }
    return answer;
}

static bool
build_suggested(
    solver *s, const solve_state *state, const solve_terms *all, const arvo_json **value)
{
    for (const solve_values *item = state->suggested; item != NULL; item = item->next)
        if (try_values(s, &item->value, 1, all, value) == SOLVE_FOUND)
            return true;
    return false;
}

static solve_answer
build_type(
    solver *s, const solve_state *state, unsigned type, const solve_terms *all,
    const arvo_json **value)
{
    const bool first = (s->seed & 1) == 0;
    const arvo_json *const bools[] = { arvo_json_bool(first), arvo_json_bool(!first) };
    const arvo_json *const null = arvo_json_null();
    switch (type) {
    case SOLVE_OBJECT:
        return arvo__solve_object(s, state, all, value);
    case SOLVE_ARRAY:
        return arvo__solve_array(s, state, all, value);
    case SOLVE_STRING:
        return arvo__solve_string(s, state, all, value);
    case SOLVE_INT:
    case SOLVE_FRACTION:
        return arvo__solve_number(s, state, type == SOLVE_FRACTION, all, value);
    case SOLVE_BOOL:
        return try_values(s, bools, 2, all, value);
    default:
        return try_values(s, &null, 1, all, value);
    }
}

static solve_answer
build(solver *s, const solve_state *state, const solve_terms *all, const arvo_json **value)
{
    static const unsigned order[] = { SOLVE_STRING, SOLVE_OBJECT, SOLVE_INT, SOLVE_FRACTION,
                                      SOLVE_ARRAY,  SOLVE_BOOL,   SOLVE_NULL };
    if (state->one_of != NULL)
        return build_listed(s, state, all, value);
    if (s->realistic && build_suggested(s, state, all, value))
        return SOLVE_FOUND;
    solve_answer answer = SOLVE_NONE;
    for (size_t i = 0; i < ARVO_COUNT_OF(order) && !s->stopped; i++) {
        if ((state->types & order[i]) == 0)
            continue;
        const solve_answer one = build_type(s, state, order[i], all, value);
        answer = solve_worse(answer, one);
        if (answer == SOLVE_FOUND)
            return answer;
    }
    /* A value that a builder did not think of may be among the suggested ones. */
    if (answer == SOLVE_UNKNOWN && build_suggested(s, state, all, value))
        return SOLVE_FOUND;
    return s->stopped ? SOLVE_UNKNOWN : answer;
}

/* ---- The search ------------------------------------------------------------------------------ */

static solve_answer
search_branch(
    solver *s, const solve_state *state, const choice *chosen, const solve_terms *all,
    size_t frames, const arvo_json **value)
{
    const solve_branch *const rest = branches_without(s, state->branches, chosen->branch);
    solve_answer answer = SOLVE_NONE;
    for (size_t i = 0; i < chosen->viable; i++) {
        solve_state *const next = &chosen->states[(i + s->seed) % chosen->viable];
        next->branches = branches_join(s, rest, next->branches);
        answer = solve_worse(answer, search(s, next, all, frames + 1, value));
        if (answer == SOLVE_FOUND || s->stopped)
            break;
    }
    return s->stopped && answer != SOLVE_FOUND ? SOLVE_UNKNOWN : answer;
}

static solve_answer
search(
    solver *s, const solve_state *given, const solve_terms *all, size_t frames,
    const arvo_json **value)
{
    solve_state state = *given;
    if (!arvo__solve_step(s, 1) || frames > SOLVE_FRAMES_MAX)
        return SOLVE_UNKNOWN;
    if (!settle(s, &state))
        return SOLVE_NONE;
    if (state.branches != NULL) {
        const choice chosen = branch_choose(s, &state);
        if (s->stopped)
            return SOLVE_UNKNOWN;
        if (chosen.branch != NULL)
            return search_branch(s, &state, &chosen, all, frames, value);
    }
    return build(s, &state, all, value);
}

static solve_answer
solve_fresh(solver *s, const solve_terms *terms, const arvo_json **value)
{
    solve_state *const state = arvo__solve_alloc(s, sizeof(*state));
    if (state == NULL)
        return SOLVE_UNKNOWN;
    arvo__solve_state_init(state);
    for (const solve_terms *item = terms; item != NULL; item = item->next)
        arvo__solve_expand(s, state, item->term);
    return s->stopped ? SOLVE_UNKNOWN : search(s, state, terms, 0, value);
}

/* Answer it, and remember the answer unless it relied on the assumption that a question further
 * out, still open, has none. */
static solve_answer
solve_open(solver *s, solve_memo *memo, const solve_terms *terms)
{
    const size_t assumed = s->assumed;
    const size_t level = ++s->depth;
    const size_t expanding = s->expanding;
    s->assumed = SIZE_MAX;
    s->expanding = 0;
    memo->level = level;
    memo->value = NULL;
    memo->answer = solve_fresh(s, terms, &memo->value);
    memo->level = 0;
    s->depth--;
    s->expanding = expanding;
    memo->closed = memo->answer == SOLVE_FOUND || s->assumed >= level;
    const size_t relied = memo->closed ? SIZE_MAX : s->assumed;
    s->assumed = relied < assumed ? relied : assumed;
    return memo->answer;
}

solve_answer
arvo__solve(solver *s, const solve_terms *terms, const arvo_json **value)
{
    if (!arvo__solve_step(s, 1) || s->depth >= SOLVE_DEPTH_MAX)
        return SOLVE_UNKNOWN;
    const arvo_str key = terms_key(s, terms);
    if (key.ptr == NULL)
        return SOLVE_UNKNOWN;
    solve_memo *memo = arvo__map_find(&s->memos, key);
    if (memo == NULL) {
        memo = arvo__solve_alloc(s, sizeof(*memo));
        if (memo == NULL)
            return SOLVE_UNKNOWN;
        *memo = (solve_memo){ 0 };
        if (!arvo__map_set(&s->memos, key, memo)) {
            arvo__solve_memory(s);
            return SOLVE_UNKNOWN;
        }
    }
    if (memo->level > 0) {
        s->assumed = memo->level < s->assumed ? memo->level : s->assumed;
        return SOLVE_NONE;
    }
    const solve_answer answer = memo->closed ? memo->answer : solve_open(s, memo, terms);
    if (answer == SOLVE_FOUND)
        *value = memo->value;
    return answer;
}
