/* Which transitions are taken (spec 11.3 to 11.6). */

#include "machine/run.h"

/* ---- Candidates ---- */

bool
arvo__run_enable(run *r, const chart_transition *t)
{
    const chart_transition **const list =
        arvo__run_grow(r, r->enabled, r->enabled_count, &r->enabled_cap, sizeof(*list));
    if (list == NULL)
        return false;
    r->enabled = list;
    list[r->enabled_count++] = t;
    return true;
}

/* A guard's failure says where it happened: XState wraps it too. */
static bool
guard_failed(run *r, const chart_transition *t)
{
    if (r->status != ARVO_E_EXECUTION)
        return false;
    const arvo_str name = t->guard->name;
    const arvo_str text = arvo_arena_printf(
        r->arena, "guard %s%.*s%sfor event '%.*s' in state '%.*s' failed: %.*s",
        name.ptr != NULL ? "'" : "", ARVO_FMT(name), name.ptr != NULL ? "' " : "",
        ARVO_FMT(r->event.type), ARVO_FMT(run_state(r, t->source)->id), ARVO_FMT(r->error_message));
    if (text.ptr == NULL)
        return arvo__run_nomem(r);
    r->error_message = text;
    return false;
}

/* The first whose guard holds. */
static bool
take_first(run *r, const chart_transitions *transitions, bool *taken)
{
    for (uint32_t i = 0; i < transitions->count; i++) {
        const chart_transition *const t = &transitions->items[i];
        bool holds = true;
        if (t->guard != NULL && !arvo__run_guard(r, t->guard, NULL, &holds))
            return guard_failed(r, t);
        if (holds) {
            *taken = true;
            return arvo__run_enable(r, t);
        }
    }
    return true;
}

static const chart_handler *
handler_find(const chart_state *node, uint32_t event)
{
    uint32_t from = 0;
    uint32_t to = node->handler_count;
    while (from < to) {
        const uint32_t middle = from + (to - from) / 2;
        if (node->handlers[middle].event == event)
            return &node->handlers[middle];
        if (node->handlers[middle].event < event)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

/* Exact descriptors before wildcards, longer wildcards before shorter (spec 11.3.2, 11.18). */
static bool
take_in_state(run *r, uint16_t state, bool *taken)
{
    const chart_state *const node = run_state(r, state);
    const chart_handler *const exact =
        r->event.number != BITS_NONE ? handler_find(node, r->event.number) : NULL;
    if (exact != NULL && !take_first(r, &exact->transitions, taken))
        return false;
    for (uint32_t i = 0; i < node->wildcard_count && !*taken; i++) {
        const chart_handler *const wildcard = node->wildcards[i];
        if (wildcard != exact && chart_wildcard_matches(wildcard, r->event.type) &&
            !take_first(r, &wildcard->transitions, taken))
            return false;
    }
    return true;
}

/* Children first; a state is asked only when nothing below it reacts (spec 11.3.1). */
static bool
take_below(run *r, uint16_t state, bool *taken)
{
    const chart_state *const node = run_state(r, state);
    const uint16_t first = r->first[state];
    bool below = false;
    for (uint16_t child = first; child != CHART_NONE; child = r->next[child]) {
        bool by_child = false;
        if (!take_below(r, child, &by_child))
            return false;
        below |= by_child;
        if (node->type == CHART_COMPOUND && chart_is_leaf(run_state(r, first)))
            break; /* its value is that child's name alone */
    }
    if (below) {
        *taken = true;
        return true;
    }
    return take_in_state(r, state, taken);
}

bool
arvo__run_select_event(run *r)
{
    bool taken = false;
    r->enabled_count = 0;
    return take_below(r, CHART_ROOT, &taken);
}

static bool
is_enabled(const run *r, const chart_transition *t)
{
    for (uint32_t i = 0; i < r->enabled_count; i++)
        if (r->enabled[i] == t)
            return true;
    return false;
}

/* From one leaf up to the root: the first that holds. */
static bool
take_always(run *r, uint16_t leaf)
{
    for (uint16_t state = leaf; state != CHART_NONE; state = run_state(r, state)->parent) {
        const chart_transitions *const always = &run_state(r, state)->always;
        for (uint32_t i = 0; i < always->count; i++) {
            bool holds = true;
            if (!arvo__run_guard(r, always->items[i].guard, NULL, &holds))
                return false;
            if (holds)
                return is_enabled(r, &always->items[i]) || arvo__run_enable(r, &always->items[i]);
        }
    }
    return true;
}

/* In the order the leaves became active (spec 11.4). */
bool
arvo__run_select_always(run *r)
{
    r->enabled_count = 0;
    for (uint32_t i = 0; r->machine->has_always && i < r->now.nodes.count; i++) {
        const uint16_t state = r->now.nodes.items[i];
        if (run_state(r, state)->asks_always && chart_is_leaf(run_state(r, state)) &&
            !take_always(r, state))
            return false;
    }
    return true;
}

/* ---- Domains ---- */

const run_history *
arvo__run_recall(const run *r, uint16_t state)
{
    for (uint32_t i = 0; i < r->now.history_count; i++)
        if (r->now.history[i].state == state)
            return &r->now.history[i];
    return NULL;
}

typedef struct effective_list {
    uint16_t *items;
    uint32_t count;
    uint32_t cap;
} effective_list;

static bool
effective_push(run *r, effective_list *list, uint16_t state)
{
    uint16_t *const items = arvo__run_grow(r, list->items, list->count, &list->cap, sizeof(*items));
    if (items == NULL)
        return false;
    list->items = items;
    items[list->count++] = state;
    return true;
}

/* What a history state recalls is entered as it is; its default may be a history state again. */
static bool
effective_add(run *r, effective_list *list, uint16_t target)
{
    if (run_state(r, target)->type != CHART_HISTORY)
        return effective_push(r, list, target);
    const run_history *const recalled = arvo__run_recall(r, target);
    const chart_states next = recalled != NULL ? recalled->nodes : run_state(r, target)->targets;
    for (uint32_t i = 0; i < next.count; i++) {
        const bool is_added = recalled != NULL ? effective_push(r, list, next.items[i])
                                               : effective_add(r, list, next.items[i]);
        if (!is_added || !run_work(r))
            return false;
    }
    return true;
}

bool
arvo__run_effective(run *r, const chart_transition *t, chart_states *out)
{
    *out = t->targets;
    if (t->is_static)
        return true;
    effective_list list = { 0 };
    for (uint32_t i = 0; i < t->targets.count; i++)
        if (!effective_add(r, &list, t->targets.items[i]))
            return false;
    *out = (chart_states){ list.items, list.count };
    return true;
}

uint16_t
arvo__run_domain(const run *r, const chart_transition *t, const chart_states *effective)
{
    return t->is_static ? t->domain
                        : arvo__chart_domain(r->machine, t, effective->items, effective->count);
}

bool
arvo__run_exit_range(run *r, const chart_transition *t, uint32_t *from, uint32_t *to)
{
    chart_states effective;
    *from = *to = 0;
    if (t->targets.count == 0)
        return true;
    if (!arvo__run_effective(r, t, &effective))
        return false;
    const uint16_t domain = arvo__run_domain(r, t, &effective);
    /* Without a domain everything is left, the root too. */
    *from = domain != CHART_NONE ? domain + 1u : 0;
    *to = domain != CHART_NONE ? run_state(r, domain)->end : r->machine->state_count;
    return true;
}

/* ---- Conflicts ---- */

typedef struct kept_transition {
    const chart_transition *t;
    uint32_t from;
    uint32_t to;
    bool is_dropped;
} kept_transition;

static bool
is_conflict(const run *r, const kept_transition *a, const kept_transition *b)
{
    const uint32_t from = a->from > b->from ? a->from : b->from;
    const uint32_t to = a->to < b->to ? a->to : b->to;
    return bits_any_in(r->now.nodes.bits, from, to);
}

/* Whether `kept` makes room for t1; what it drops is marked (spec 11.5). */
static bool
makes_room(const run *r, kept_transition *kept, uint32_t count, const kept_transition *t1)
{
    uint32_t i = 0;
    bool is_taken = true;
    for (; i < count && is_taken; i++) {
        if (!is_conflict(r, t1, &kept[i]))
            continue;
        if (chart_is_descendant(r->machine, t1->t->source, kept[i].t->source))
            kept[i].is_dropped = true;
        else
            is_taken = false;
    }
    for (uint32_t k = 0; k < i && !is_taken; k++)
        kept[k].is_dropped = false;
    return is_taken;
}

bool
arvo__run_remove_conflicts(run *r)
{
    if (r->enabled_count < 2)
        return true;
    kept_transition *const kept = arvo__arena_alloc(r->arena, r->enabled_count * sizeof(*kept));
    if (kept == NULL)
        return arvo__run_nomem(r);
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->enabled_count; i++) {
        kept_transition t1 = { .t = r->enabled[i] };
        if (!arvo__run_exit_range(r, t1.t, &t1.from, &t1.to))
            return false;
        if (!makes_room(r, kept, count, &t1))
            continue;
        uint32_t left = 0;
        for (uint32_t k = 0; k < count; k++)
            if (!kept[k].is_dropped)
                kept[left++] = kept[k];
        kept[left] = t1;
        count = left + 1;
    }
    for (uint32_t i = 0; i < count; i++)
        r->enabled[i] = kept[i].t;
    r->enabled_count = count;
    return true;
}
