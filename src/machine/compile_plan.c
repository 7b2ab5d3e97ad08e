/* Compiling transitions, last part: what those leave and enter whose steps never differ.
 *
 * Most transitions lead to the same states whatever is active and whatever a
 * history recalls. For these the algorithm itself (enter.c) is asked once,
 * here, and a step only goes through the list.
 */

#include "machine/compile.h"
#include "machine/run.h"

#define PLAN_ENTRIES_MAX 64u /* a transition that enters more is worked out in each step */

typedef struct planner {
    compiler *c;
    arvo_arena *scratch;
    run run;
} planner;

static bool
planner_init(planner *p, compiler *c)
{
    const size_t words = c->machine->words;
    *p = (planner){ .c = c,
                    .scratch =
                        arvo_arena_new(&(arvo_arena_opts){ .allocator = c->setup->allocator }) };
    p->run.machine = c->machine;
    p->run.arena = p->scratch;
    if (p->scratch == NULL)
        return false;
    p->run.entering = arvo__arena_alloc(p->scratch, words * sizeof(uint64_t));
    p->run.by_default = arvo__arena_alloc(p->scratch, words * sizeof(uint64_t));
    return p->run.entering != NULL && p->run.by_default != NULL;
}

static bool
entries_keep(planner *p, chart_transition *t)
{
    const uint64_t *const entering = p->run.entering;
    const uint32_t count = bits_count(entering);
    chart_entry *const entries = arvo__compile_alloc(p->c, count, sizeof(*entries));
    if (entries == NULL)
        return false;
    t->entries = entries;
    uint32_t s = bits_next(entering, t->exit_from, t->exit_to);
    for (; s != BITS_NONE; s = bits_next(entering, s + 1, t->exit_to))
        entries[t->entry_count++] = (chart_entry){ (uint16_t)s, bits_has(p->run.by_default, s) };
    t->is_plain = t->entry_count == count; /* none lies outside what is left */
    return true;
}

static arvo_status
plan(planner *p, chart_transition *t)
{
    run *const r = &p->run;
    uint32_t from;
    uint32_t to;
    if (!t->is_static)
        return ARVO_OK;
    const chart_transition *list[1] = { t };
    r->enabled = list;
    r->enabled_count = 1;
    r->work = RUN_WORK_MAX - PLAN_ENTRIES_MAX;
    r->status = ARVO_OK;
    r->met_history = false;
    const arvo_arena_mark mark = arvo_arena_mark_get(p->scratch);
    bool is_right = arvo__run_exit_range(r, t, &from, &to) && arvo__run_entry_set(r);
    const bool is_small = is_right && bits_count(r->entering) <= PLAN_ENTRIES_MAX;
    t->exit_from = (uint16_t)from;
    t->exit_to = (uint16_t)to;
    if (is_small && !r->met_history)
        is_right = entries_keep(p, t);
    else
        is_right = r->status != ARVO_E_NOMEM;
    arvo_arena_rewind(p->scratch, mark);
    r->enabled = NULL;
    return is_right ? ARVO_OK : arvo__nomem(p->c->err);
}

static arvo_status
plan_all(planner *p, const chart_transitions *transitions)
{
    arvo_status st = ARVO_OK;
    for (uint32_t i = 0; i < transitions->count && st == ARVO_OK; i++) {
        /* Const to the algorithm; they lie in our arena, and nobody has seen them yet. */
        chart_transition *const t = (chart_transition *)(uintptr_t)&transitions->items[i];
        st = plan(p, t);
    }
    return st;
}

arvo_status
arvo__compile_plans(compiler *c)
{
    planner p;
    arvo_status st = planner_init(&p, c) ? ARVO_OK : arvo__nomem(c->err);
    for (uint32_t s = 0; s < c->machine->state_count && st == ARVO_OK; s++) {
        const chart_state *const state = &c->states[s];
        st = plan_all(&p, &state->always);
        for (uint32_t h = 0; h < state->handler_count && st == ARVO_OK; h++)
            st = plan_all(&p, &state->handlers[h].transitions);
    }
    arvo_arena_free(p.scratch);
    return st;
}
