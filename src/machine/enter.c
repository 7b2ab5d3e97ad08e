/* Which states are entered (spec 11.7). */

#include "machine/run.h"

/* Of states entered by default one from another. Deeper than any chart that ends: what a history
 * state recalls may lead back to it. */
#define ENTRY_DEPTH_MAX 2000u

static bool add_descendants(run *r, uint16_t state);

static void
enter(run *r, uint16_t state, bool by_default)
{
    bits_add(r->entering, state);
    if (by_default)
        bits_add(r->by_default, state);
}

/* A region is filled in unless something below it is entered already. */
static bool
add_regions(run *r, uint16_t parallel, bool by_default)
{
    const chart_states regions = run_state(r, parallel)->regions;
    for (uint32_t i = 0; i < regions.count; i++) {
        const uint16_t region = regions.items[i];
        if (bits_any_in(r->entering, region + 1u, run_state(r, region)->end))
            continue;
        enter(r, region, by_default);
        if (!add_descendants(r, region))
            return false;
    }
    return true;
}

/* `state` and its ancestors below `until` (CHART_NONE: to the root). */
static bool
add_ancestors(run *r, uint16_t state, uint16_t until)
{
    for (; state != CHART_NONE && state != until; state = run_state(r, state)->parent) {
        bits_add(r->entering, state);
        if (run_state(r, state)->type == CHART_PARALLEL && !add_regions(r, state, false))
            return false;
    }
    return true;
}

static bool
add_proper_ancestors(run *r, uint16_t state, uint16_t until)
{
    return state == until || add_ancestors(r, run_state(r, state)->parent, until);
}

static bool
add_recalled(run *r, const chart_state *history, const chart_states *recalled)
{
    for (uint32_t i = 0; i < recalled->count; i++) {
        bits_add(r->entering, recalled->items[i]);
        if (!add_descendants(r, recalled->items[i]))
            return false;
    }
    for (uint32_t i = 0; i < recalled->count; i++)
        if (!add_proper_ancestors(r, recalled->items[i], history->parent))
            return false;
    return true;
}

/* Unrecorded: the default. Falling back on the parent's initial runs the parent's initial actions,
 * but not those of the child that is entered so. */
static bool
add_history(run *r, uint16_t state)
{
    const chart_state *const node = run_state(r, state);
    const run_history *const recalled = arvo__run_recall(r, state);
    r->met_history = true;
    if (recalled != NULL)
        return add_recalled(r, node, &recalled->nodes);
    for (uint32_t i = 0; i < node->targets.count; i++) {
        bits_add(r->entering, node->targets.items[i]);
        if (node->defaults_to_initial)
            bits_add(r->by_default, node->parent);
        if (!add_descendants(r, node->targets.items[i]))
            return false;
    }
    for (uint32_t i = 0; i < node->targets.count; i++)
        if (!add_proper_ancestors(r, node->targets.items[i], node->parent))
            return false;
    return true;
}

static bool
add_descendants_of(run *r, uint16_t state)
{
    const chart_state *const node = run_state(r, state);
    switch ((chart_type)node->type) {
    case CHART_HISTORY:
        return add_history(r, state);
    case CHART_COMPOUND:
        if (run_state(r, node->initial)->type != CHART_HISTORY)
            enter(r, node->initial, true);
        return add_descendants(r, node->initial) && add_proper_ancestors(r, node->initial, state);
    case CHART_PARALLEL:
        return add_regions(r, state, true);
    case CHART_ATOMIC:
    case CHART_FINAL:
        break;
    }
    return true;
}

static bool
add_descendants(run *r, uint16_t state)
{
    if (!run_work(r))
        return false;
    if (++r->entry_depth > ENTRY_DEPTH_MAX)
        return arvo__run_fail(
            r, "entering state '%.*s' never ends: what its history recalls leads back to it",
            ARVO_FMT(run_state(r, state)->id));
    const bool is_done = add_descendants_of(r, state);
    r->entry_depth--;
    return is_done;
}

/* Ancestors of a target that the domain does not hold already; `outside`: see entry_of. */
static bool
add_target_ancestors(run *r, uint16_t target, uint16_t domain, uint16_t outside)
{
    if (target == domain)
        return true;
    for (uint16_t state = run_state(r, target)->parent; state != CHART_NONE && state != domain;
         state = run_state(r, state)->parent) {
        if (outside == CHART_NONE || chart_is_descendant(r->machine, state, outside))
            bits_add(r->entering, state);
        if (run_state(r, state)->type == CHART_PARALLEL && !add_regions(r, state, false))
            return false;
    }
    return true;
}

static bool
entry_of(run *r, const chart_transition *t)
{
    chart_states effective;
    if (!arvo__run_effective(r, t, &effective))
        return false;
    const uint16_t domain = arvo__run_domain(r, t, &effective);
    for (uint32_t i = 0; i < t->targets.count; i++) {
        const uint16_t target = t->targets.items[i];
        const bool is_entered = t->source != target || t->source != domain || t->reenter;
        if (run_state(r, target)->type != CHART_HISTORY && is_entered)
            enter(r, target, true);
        if (!add_descendants(r, target))
            return false;
    }
    /* A transition of the root that re-enters it has nothing that stays outside. */
    const uint16_t outside = t->source == CHART_ROOT && t->reenter ? CHART_NONE : domain;
    for (uint32_t i = 0; i < effective.count; i++) {
        if (!add_target_ancestors(r, effective.items[i], domain, outside))
            return false;
        if (domain != CHART_NONE && run_state(r, domain)->type == CHART_PARALLEL &&
            !add_regions(r, domain, false))
            return false;
    }
    return true;
}

bool
arvo__run_entry_set(run *r)
{
    bits_clear(r->entering);
    bits_clear(r->by_default);
    r->entry_depth = 0;
    for (uint32_t i = 0; i < r->enabled_count; i++)
        if (!entry_of(r, r->enabled[i]))
            return false;
    return true;
}
