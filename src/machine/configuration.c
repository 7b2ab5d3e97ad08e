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
    bits_clear(list->bits);
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
    uint64_t *const has_child = arvo__arena_alloc(r->arena, r->machine->words * sizeof(*has_child));
    if (has_child == NULL || !list_new(r, &list))
        return arvo__run_nomem(r);
    bits_clear(has_child);
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
static bool
tree_link(run *r, const run_nodes *nodes)
{
    const uint32_t count = r->machine->state_count;
    if (r->links == NULL)
        r->links = arvo__arena_alloc(r->arena, 2 * (size_t)count * sizeof(*r->links));
    if (r->links == NULL)
        return arvo__run_nomem(r);
    uint16_t *const first = r->links;
    uint16_t *const next = first + count;
    r->first = first;
    r->next = next;
    first[CHART_ROOT] = CHART_NONE;
    for (uint32_t i = 0; i < nodes->count; i++)
        first[nodes->items[i]] = CHART_NONE;
    for (uint32_t i = nodes->count; i-- > 0;) {
        const uint16_t state = nodes->items[i];
        const uint16_t parent = run_state(r, state)->parent;
        if (parent == CHART_NONE || !bits_has(nodes->bits, parent))
            continue;
        next[state] = first[parent];
        first[parent] = state;
    }
    return true;
}

/* JavaScript puts keys that are array indices first, ascending: those are in document order. */
static void
tree_number_keys_first(run *r, uint16_t parent)
{
    uint16_t *const first = r->links;
    uint16_t *const next = first + r->machine->state_count;
    uint16_t indices = CHART_NONE; /* head of the sorted chain */
    uint16_t others = CHART_NONE;
    uint16_t *others_end = &others;
    for (uint16_t child = first[parent]; child != CHART_NONE;) {
        const uint16_t following = next[child];
        if (run_state(r, child)->is_number_key) {
            uint16_t *at = &indices;
            while (*at != CHART_NONE && *at < child)
                at = &next[*at];
            next[child] = *at;
            *at = child;
        } else {
            *others_end = child;
            next[child] = CHART_NONE;
            others_end = &next[child];
        }
        child = following;
    }
    uint16_t *end = &indices;
    while (*end != CHART_NONE)
        end = &next[*end];
    *end = others;
    first[parent] = indices;
}

/* Whether the value of an active state is an object of all its children. Of a compound state with
 * several, which a history alone can make active together, no child may be a leaf for that. */
static bool
is_object_of_all(const run *r, uint16_t state)
{
    const uint16_t *const first = r->links;
    const uint16_t *const next = first + r->machine->state_count;
    if (run_state(r, state)->type == CHART_PARALLEL)
        return true;
    for (uint16_t child = first[state]; child != CHART_NONE; child = next[child])
        if (chart_is_leaf(run_state(r, child)))
            return false;
    return true;
}

static bool
tree_build(run *r, run_nodes *nodes)
{
    if (!tree_link(r, nodes))
        return false;
    if (!is_complete(r, nodes) && (!arvo__run_complete(r, nodes) || !tree_link(r, nodes)))
        return false;
    for (uint32_t i = 0; i < nodes->count; i++) {
        const chart_state *const node = run_state(r, nodes->items[i]);
        if (node->has_number_keys && is_object_of_all(r, nodes->items[i]))
            tree_number_keys_first(r, nodes->items[i]);
    }
    return true;
}

bool
arvo__run_tree(run *r)
{
    run_nodes nodes = r->now.nodes;
    return tree_build(r, &nodes);
}

bool
arvo__run_tree_completed(run *r)
{
    return tree_build(r, &r->now.nodes);
}

/* ---- Values ---- */

/* Of an active state: the key of an atomic child, else an object (spec 11.13). */
static void
value_write(const run *r, uint16_t state, arvo_buf *text)
{
    const uint16_t child = r->first[state];
    if (run_state(r, state)->type == CHART_COMPOUND && child != CHART_NONE &&
        chart_is_leaf(run_state(r, child))) {
        run_put_str(text, run_state(r, child)->quoted);
        return;
    }
    run_put(text, "{", 1);
    for (uint16_t c = child; c != CHART_NONE; c = r->next[c]) {
        if (c != child)
            run_put(text, ",", 1);
        run_put_str(text, run_state(r, c)->quoted);
        run_put(text, ":", 1);
        value_write(r, c, text);
    }
    run_put(text, "}", 1);
}

void
arvo__run_value_write(const run *r, arvo_buf *text)
{
    value_write(r, CHART_ROOT, text);
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
    *out = list_nodes(&list);
    return true;
}

/* ---- From the text of a value ---- */

#define TEXT_KEYS_MAX 16u /* of one object; a value with more goes through JSON */

/* Text that is being read; `at` NULL: it has another form than ours. */
typedef struct value_text {
    const char *at;
    const char *end;
} value_text;

static bool
text_take(value_text *t, char c)
{
    if (t->at == NULL || t->at == t->end || *t->at != c)
        return false;
    t->at++;
    return true;
}

/* A string without escapes: what it says must be a state's key, which the caller checks. */
static arvo_str
text_string(value_text *t)
{
    if (!text_take(t, '"')) {
        t->at = NULL;
        return ARVO_STR_NONE;
    }
    const char *const begin = t->at;
    while (t->at < t->end && *t->at != '"' && *t->at != '\\')
        t->at++;
    const arvo_str string = { begin, (size_t)(t->at - begin) };
    if (!text_take(t, '"'))
        t->at = NULL;
    return string;
}

/* Over a string, or an object of such values. */
static void
text_skip(value_text *t)
{
    uint32_t depth = 0;
    do {
        if (text_take(t, '{')) {
            depth++;
        } else if (depth > 0 && text_take(t, '}')) {
            depth--;
        } else if (t->at == NULL || t->at == t->end) {
            t->at = NULL;
        } else if (depth > 0 && (*t->at == ',' || *t->at == ':')) {
            t->at++;
        } else {
            (void)text_string(t);
        }
    } while (t->at != NULL && depth > 0);
}

static uint16_t
text_child(const run *r, const node_list *list, uint16_t state, value_text *t)
{
    const arvo_str key = text_string(t);
    const uint16_t child =
        t->at != NULL ? arvo__chart_child(r->machine, state, key) : (uint16_t)CHART_NONE;
    if (child != CHART_NONE && run_state(r, child)->type != CHART_HISTORY &&
        !bits_has(list->bits, child))
        return child;
    t->at = NULL;
    return CHART_NONE;
}

/* As add_value(): all children of an object first, then what is in each. */
static void
add_text(const run *r, node_list *list, uint16_t state, value_text *t)
{
    const chart_state *const node = run_state(r, state);
    uint16_t children[TEXT_KEYS_MAX];
    const char *inner[TEXT_KEYS_MAX];
    uint32_t count = 0;
    if (node->type == CHART_COMPOUND && t->at != NULL && t->at < t->end && *t->at == '"') {
        const uint16_t child = text_child(r, list, state, t);
        if (child != CHART_NONE)
            list_add(list, child);
        return;
    }
    if (node->has_number_keys || !text_take(t, '{'))
        t->at = NULL;
    while (t->at != NULL && !text_take(t, '}')) {
        if (count == TEXT_KEYS_MAX || (count > 0 && !text_take(t, ',')) ||
            (count > 0 && node->type == CHART_COMPOUND)) {
            t->at = NULL;
            return;
        }
        children[count] = text_child(r, list, state, t);
        if (!text_take(t, ':'))
            t->at = NULL;
        if (t->at == NULL)
            return;
        list_add(list, children[count]);
        inner[count++] = t->at;
        text_skip(t);
    }
    for (uint32_t i = 0; i < count && t->at != NULL; i++) {
        value_text child = { inner[i], t->end };
        add_text(r, list, children[i], &child);
        if (child.at == NULL)
            t->at = NULL;
    }
}

arvo_str
arvo__run_nodes_from_text(run *r, arvo_str text, run_nodes *out)
{
    node_list list;
    value_text t = { text.ptr, text.ptr + text.len };
    if (!list_new(r, &list))
        return ARVO_STR_NONE;
    list_add(&list, CHART_ROOT);
    add_text(r, &list, CHART_ROOT, &t);
    if (t.at == NULL)
        return ARVO_STR_NONE;
    *out = list_nodes(&list);
    return (arvo_str){ t.at, (size_t)(t.end - t.at) };
}
