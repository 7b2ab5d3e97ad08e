/* What can be said of a schema only when all its nodes are there. */

#include "contract/schema.h"

#define LINK_PASSES_MAX 8u

/* ---- Visiting ------------------------------------------------------------- */

static bool
visit_one(const schema_node *node, bool in_place, schema_visit_fn visit, void *self)
{
    return node == NULL || visit(self, node, in_place);
}

static bool
visit_object(const schema_object *object, schema_visit_fn visit, void *self)
{
    for (size_t i = 0; i < object->entry_count; i++)
        if (!visit_one(object->entries[i].node, false, visit, self))
            return false;
    for (size_t i = 0; i < object->pattern_count; i++)
        if (!visit_one(object->patterns[i].node, false, visit, self))
            return false;
    return visit_one(object->extra_node, false, visit, self);
}

static bool
visit_items(const schema_items *items, schema_visit_fn visit, void *self)
{
    for (size_t i = 0; i < items->prefix_count; i++)
        if (!visit_one(items->prefix[i], false, visit, self))
            return false;
    return visit_one(items->rest, false, visit, self);
}

bool
arvo__schema_op_visit(const schema_op *op, schema_visit_fn visit, void *self)
{
    switch ((schema_code)op->code) {
    case SCHEMA_REF:
    case SCHEMA_NOT:
        return visit_one(op->as.node, true, visit, self);
    case SCHEMA_ALL_OF:
    case SCHEMA_ANY_OF:
    case SCHEMA_ONE_OF:
        for (size_t i = 0; i < op->count; i++)
            if (!visit_one(op->as.nodes[i], true, visit, self))
                return false;
        return true;
    case SCHEMA_CONDITION:
        return visit_one(op->as.condition->when, true, visit, self) &&
               visit_one(op->as.condition->then, true, visit, self) &&
               visit_one(op->as.condition->otherwise, true, visit, self);
    case SCHEMA_DEPENDENT:
        for (size_t i = 0; i < op->count; i++)
            if (!visit_one(op->as.dependents[i].node, true, visit, self))
                return false;
        return true;
    case SCHEMA_ITEMS:
        return visit_items(op->as.items, visit, self);
    case SCHEMA_CONTAINS:
        return visit_one(op->as.contains->node, false, visit, self);
    case SCHEMA_PROPERTIES:
        return visit_object(op->as.object, visit, self);
    case SCHEMA_PROPERTY_NAMES:
    case SCHEMA_UNEVALUATED_ITEMS:
    case SCHEMA_UNEVALUATED_PROPERTIES:
        return visit_one(op->as.node, false, visit, self);
    default:
        return true; /* refers to no node */
    }
}

static size_t
op_count(const schema_node *node)
{
    return node->first[SCHEMA_GROUPS];
}

/* ---- Cycles --------------------------------------------------------------- */

typedef struct cycle_search {
    unsigned depth;
    arvo_status status;
    const schema_node *found;
} cycle_search;

/* Depth-first over the nodes that look at one value, but for $dynamicRef, which a check bounds. No
 * deeper than what a check could follow, so the recursion is bounded. Flags are the only thing that
 * linking changes. */
static bool
cycle_visit(void *self, const schema_node *const_node, bool in_place)
{
    cycle_search *const search = self;
    schema_node *const node = (schema_node *)(uintptr_t)const_node;
    if (!in_place || (node->flags & SCHEMA_NODE_CLOSED) != 0)
        return true;
    if ((node->flags & SCHEMA_NODE_OPEN) != 0 || search->depth == ARVO_SCHEMA_DEPTH_MAX) {
        search->found = node;
        search->status = (node->flags & SCHEMA_NODE_OPEN) != 0 ? ARVO_E_INVALID : ARVO_E_TOO_BIG;
        return false;
    }
    node->flags |= SCHEMA_NODE_OPEN;
    search->depth++;
    for (size_t i = 0; i < op_count(node); i++)
        if (!arvo__schema_op_visit(&node->ops[i], cycle_visit, search))
            return false;
    search->depth--;
    node->flags = (uint8_t)((node->flags & ~SCHEMA_NODE_OPEN) | SCHEMA_NODE_CLOSED);
    return true;
}

/* ---- Defaults ------------------------------------------------------------- */

/* A property's default is its schema's own, or that of the schema it refers to. The chain of
 * references has no cycle by now. */
static const arvo_json *
default_of(const schema_node *node)
{
    while (node != NULL && node->default_value == NULL)
        node = node->ref;
    return node != NULL ? node->default_value : NULL;
}

static void
defaults_resolve(schema_object *object)
{
    for (size_t i = 0; i < object->entry_count; i++) {
        schema_entry *const entry = &object->entries[i];
        entry->default_value = default_of(entry->node);
        object->default_count += entry->default_value != NULL;
    }
}

static bool
default_settle(schema_run *run, schema_entry *entry)
{
    if (entry->node == NULL || entry->default_value == NULL)
        return true;
    run->dirty = false;
    const bool fits = arvo__schema_node_check(run, entry->node, entry->default_value);
    if (run->status != ARVO_OK)
        return false;
    if (!fits || !run->dirty)
        return true;
    const arvo_json *const settled =
        arvo__schema_node_normalise(run, entry->node, entry->default_value);
    if (settled == NULL)
        return false;
    entry->default_value = settled;
    return true;
}

/* Parts come after what holds them, so inner defaults are settled before outer ones use them. */
arvo_status
arvo__schema_defaults_settle(schema_node *last, arvo_arena *arena)
{
    schema_run run = arvo__schema_run_begin(arena, true);
    for (schema_node *node = last; node != NULL; node = node->previous) {
        for (size_t i = 0; i < op_count(node); i++) {
            if (node->ops[i].code != SCHEMA_PROPERTIES)
                continue;
            schema_object *const object = node->ops[i].as.object;
            for (size_t k = 0; k < object->entry_count; k++)
                if (!default_settle(&run, &object->entries[k]))
                    return run.status;
        }
    }
    return ARVO_OK;
}

/* ---- What normalising may change ------------------------------------------ */

static bool
changes_visit(void *self, const schema_node *node, bool in_place)
{
    bool *const changes = self;
    (void)in_place;
    *changes = *changes || (node->flags & SCHEMA_NODE_CHANGES) != 0;
    return !*changes;
}

static bool
node_changes(const schema_node *node)
{
    bool changes = false;
    for (size_t i = 0; i < op_count(node) && !changes; i++) {
        const schema_op *const op = &node->ops[i];
        if (op->code == SCHEMA_PROPERTIES)
            changes = op->as.object->has_say;
        if (op->code == SCHEMA_DYNAMIC_REF)
            changes = true; /* what it means is known only when it is followed */
        if (!changes)
            (void)arvo__schema_op_visit(op, changes_visit, &changes);
    }
    return changes;
}

/* Parts are made after what holds them, so one pass from the last node settles all but what $refs
 * carry backwards. A chain of references that is still unsettled after a few passes counts as
 * changing: that costs time, never a wrong result. */
static void
changes_mark(schema_node *last)
{
    bool settled = false;
    for (unsigned pass = 0; pass < LINK_PASSES_MAX && !settled; pass++) {
        settled = true;
        for (schema_node *node = last; node != NULL; node = node->previous) {
            if ((node->flags & SCHEMA_NODE_CHANGES) != 0 || !node_changes(node))
                continue;
            node->flags |= SCHEMA_NODE_CHANGES;
            settled = false;
        }
    }
    for (schema_node *node = last; node != NULL && !settled; node = node->previous)
        node->flags |= SCHEMA_NODE_CHANGES;
}

arvo_status
arvo__schema_link(schema_node *last, const schema_node **out_cyclic)
{
    cycle_search search = { .status = ARVO_OK };
    for (schema_node *node = last; node != NULL; node = node->previous) {
        if (!cycle_visit(&search, node, true)) {
            *out_cyclic = search.found;
            return search.status;
        }
    }
    for (schema_node *node = last; node != NULL; node = node->previous)
        for (size_t i = 0; i < op_count(node); i++)
            if (node->ops[i].code == SCHEMA_PROPERTIES)
                defaults_resolve(node->ops[i].as.object);
    changes_mark(last);
    return ARVO_OK;
}
