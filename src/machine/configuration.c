/* Configurations: which states are active, as a list, as a tree and as XState's state value. */

#include "machine/run.h"

/* ---- Lists ---- */

/* A list under construction: an ordered set, as JavaScript's Set. */
typedef struct node_list {
    uint16_t *items;
    uint64_t *bits;
    uint32_t count;
} node_list;

static bool
list_new(run *r, node_list *list)
{
    list->items = arvo__arena_alloc(r->arena, r->machine->state_count * sizeof(uint16_t));
    list->bits = arvo__arena_alloc(r->arena, r->machine->words * sizeof(uint64_t));
    list->count = 0;
    if (list->items == NULL || list->bits == NULL)
        return arvo__run_nomem(r);
    bits_clear(list->bits, r->machine->words);
    return true;
}

static void
list_add(node_list *list, uint16_t state)
{
    if (bits_has(list->bits, state))
        return;
    bits_add(list->bits, state);
    list->items[list->count++] = state;
}

static run_nodes
list_nodes(const node_list *list)
{
    return (run_nodes){ list->items, list->count, list->bits };
}

bool
arvo__run_nodes_make(run *r, const uint16_t *items, uint32_t count, run_nodes *out)
{
    node_list list;
    if (!list_new(r, &list))
        return false;
    for (uint32_t i = 0; i < count; i++)
        list_add(&list, items[i]);
    *out = list_nodes(&list);
    return true;
}

static void
add_initial(const run *r, node_list *list, uint16_t state)
{
    const chart_state *const node = run_state(r, state);
    list_add(list, state);
    if (node->type == CHART_COMPOUND)
        add_initial(r, list, node->initial);
    else if (node->type == CHART_PARALLEL)
        for (uint32_t i = 0; i < node->regions.count; i++)
            add_initial(r, list, node->regions.items[i]);
}

static void
complete_below(run *r, node_list *list, const uint64_t *has_child)
{
    for (uint32_t i = 0; i < list->count; i++) { /* grows as it goes */
        const uint16_t state = list->items[i];
        const chart_state *const node = run_state(r, state);
        if (node->type == CHART_COMPOUND && !bits_has(has_child, state))
            add_initial(r, list, state);
        for (uint32_t k = 0; node->type == CHART_PARALLEL && k < node->regions.count; k++)
            if (!bits_has(list->bits, node->regions.items[k]))
                add_initial(r, list, node->regions.items[k]);
    }
}

bool
arvo__run_complete(run *r, run_nodes *nodes)
{
    node_list list;
    uint64_t *const has_child = arvo_arena_calloc(r->arena, r->machine->words, sizeof(*has_child));
    if (has_child == NULL || !list_new(r, &list))
        return arvo__run_nomem(r);
    for (uint32_t i = 0; i < nodes->count; i++) {
        const uint16_t parent = run_state(r, nodes->items[i])->parent;
        list_add(&list, nodes->items[i]);
        if (parent != CHART_NONE)
            bits_add(has_child, parent);
    }
    complete_below(r, &list, has_child);
    for (uint32_t i = 0; i < list.count; i++) {
        uint16_t parent = run_state(r, list.items[i])->parent;
        for (; parent != CHART_NONE; parent = run_state(r, parent)->parent)
            list_add(&list, parent);
    }
    *nodes = list_nodes(&list);
    return true;
}

/* ---- The tree of the value ---- */

static bool
is_complete(const run *r, const run_nodes *nodes)
{
    for (uint32_t i = 0; i < nodes->count; i++) {
        const chart_state *const node = run_state(r, nodes->items[i]);
        if (node->type == CHART_COMPOUND && r->first[nodes->items[i]] == CHART_NONE)
            return false;
        if (node->parent != CHART_NONE && !bits_has(nodes->bits, node->parent))
            return false;
        for (uint32_t k = 0; node->type == CHART_PARALLEL && k < node->regions.count; k++)
            if (!bits_has(nodes->bits, node->regions.items[k]))
                return false;
    }
    return true;
}

/* The root has its place even when nothing is active: XState allows leaving everything for nothing.
 */
static void
tree_link(run *r, const run_nodes *nodes)
{
    r->first[CHART_ROOT] = CHART_NONE;
    for (uint32_t i = 0; i < nodes->count; i++)
        r->first[nodes->items[i]] = CHART_NONE;
    for (uint32_t i = nodes->count; i-- > 0;) {
        const uint16_t state = nodes->items[i];
        const uint16_t parent = run_state(r, state)->parent;
        if (parent == CHART_NONE || !bits_has(nodes->bits, parent))
            continue;
        r->next[state] = r->first[parent];
        r->first[parent] = state;
    }
}

/* JavaScript puts keys that are array indices first, ascending: those are in document order. */
static void
tree_number_keys_first(run *r, uint16_t parent)
{
    uint16_t indices = CHART_NONE; /* head of the sorted chain */
    uint16_t others = CHART_NONE;
    uint16_t *others_end = &others;
    for (uint16_t child = r->first[parent]; child != CHART_NONE;) {
        const uint16_t following = r->next[child];
        if (run_state(r, child)->is_number_key) {
            uint16_t *at = &indices;
            while (*at != CHART_NONE && *at < child)
                at = &r->next[*at];
            r->next[child] = *at;
            *at = child;
        } else {
            *others_end = child;
            r->next[child] = CHART_NONE;
            others_end = &r->next[child];
        }
        child = following;
    }
    uint16_t *end = &indices;
    while (*end != CHART_NONE)
        end = &r->next[*end];
    *end = others;
    r->first[parent] = indices;
}

bool
arvo__run_tree(run *r)
{
    run_nodes nodes = r->now.nodes;
    tree_link(r, &nodes);
    if (!is_complete(r, &nodes)) {
        if (!arvo__run_complete(r, &nodes))
            return false;
        tree_link(r, &nodes);
    }
    for (uint32_t i = 0; i < nodes.count; i++) {
        const chart_state *const node = run_state(r, nodes.items[i]);
        if (node->has_number_keys && node->type == CHART_PARALLEL)
            tree_number_keys_first(r, nodes.items[i]);
    }
    return true;
}

/* ---- Values ---- */

/* Of an active state: the key of an atomic child, else an object (spec 11.13). */
static const arvo_json *
value_of(run *r, uint16_t state)
{
    const chart_state *const node = run_state(r, state);
    const uint16_t child = r->first[state];
    if (node->type == CHART_COMPOUND && child != CHART_NONE && chart_is_leaf(run_state(r, child)))
        return arvo_json_string_ref(r->arena, run_state(r, child)->key);
    arvo_json *const object = arvo_json_object_new(r->arena);
    for (uint16_t c = child; c != CHART_NONE; c = r->next[c])
        arvo_json_set_ref(r->arena, object, run_state(r, c)->key, value_of(r, c));
    return object;
}

const arvo_json *
arvo__run_value(run *r)
{
    return value_of(r, CHART_ROOT);
}

/* ---- From a persisted value ---- */

static uint16_t
value_child(run *r, uint16_t state, arvo_str key, arvo_str *what)
{
    const uint16_t child = arvo__chart_child(r->machine, state, key);
    if (child != CHART_NONE && (run_state(r, child)->type != CHART_HISTORY || r->machine->is_loose))
        return child;
    *what = arvo_arena_printf(
        r->arena, "state '%.*s' does not exist in '%.*s'", ARVO_FMT(key),
        ARVO_FMT(run_state(r, state)->id));
    return CHART_NONE;
}

/* The places of a value's keys as JavaScript orders them; NULL: as written. */
static const size_t *
value_order(run *r, uint16_t state, const arvo_json *value)
{
    if (!run_state(r, state)->has_number_keys)
        return NULL;
    size_t *const order = arvo_arena_calloc(r->arena, arvo_json_count(value) + 1, sizeof(*order));
    if (order != NULL)
        arvo__js_key_order(value, order);
    return order;
}

/* In the order XState makes its list: the state, all its children, then each child's own. */
static bool
add_value(run *r, node_list *list, uint16_t state, const arvo_json *value, arvo_str *what)
{
    const chart_state *const node = run_state(r, state);
    list_add(list, CHART_ROOT);
    list_add(list, state);
    if (arvo_json_type_of(value) == ARVO_JSON_STRING) {
        const uint16_t child = value_child(r, state, arvo_json_str(value), what);
        if (child != CHART_NONE)
            list_add(list, child);
        return child != CHART_NONE;
    }
    const size_t count = arvo_json_count(value);
    if (arvo_json_type_of(value) != ARVO_JSON_OBJECT ||
        (node->type == CHART_COMPOUND && count > 1 && !r->machine->is_loose)) {
        *what = arvo_arena_printf(
            r->arena, "state '%.*s' has a value of the wrong shape", ARVO_FMT(node->id));
        return false;
    }
    const size_t *const order = value_order(r, state, value);
    for (size_t i = 0; i < count; i++) {
        const arvo_str key = arvo_json_key_at(value, order != NULL ? order[i] : i);
        const uint16_t child = value_child(r, state, key, what);
        if (child == CHART_NONE)
            return false;
        list_add(list, child);
    }
    for (size_t i = 0; i < count; i++) {
        const size_t at = order != NULL ? order[i] : i;
        const uint16_t child = arvo__chart_child(r->machine, state, arvo_json_key_at(value, at));
        if (!add_value(r, list, child, arvo_json_at(value, at), what))
            return false;
    }
    return true;
}

bool
arvo__run_nodes_from_value(run *r, const arvo_json *value, run_nodes *out, arvo_str *what)
{
    node_list list;
    if (!list_new(r, &list) || !add_value(r, &list, CHART_ROOT, value, what))
        return false;
    run_nodes nodes = list_nodes(&list);
    if (!arvo__run_complete(r, &nodes))
        return false;
    *out = nodes;
    return true;
}
