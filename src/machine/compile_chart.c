/* Compiling machines: the tree of states, numbered in document order. */

#include "machine/compile.h"

#define NO_INVOKE                                                                                  \
    "invoke is not supported: emit an event that the service's contract accepts, and wait for "    \
    "its reply in `on`"
#define NO_AFTER                                                                                   \
    "after is not supported: emit an event to a timer service, and wait for its reply in `on`"
#define NO_ROUTE "route is not supported: write a transition in `on`"

#define NO_DELAYS                                                                                  \
    "delays are not supported: emit an event to a timer service, and wait for its reply in `on`"
#define NO_ACTORS                                                                                  \
    "actors are not supported: emit an event that a service's contract accepts, and wait for its " \
    "reply in `on`"

static const compile_key root_keys[] = {
    { "kind", NULL },
    { "id", NULL },
    { "version", NULL },
    { "contracts", NULL },
    { "context", NULL },
    { "initial", NULL },
    { "executionunits", NULL },
    { "guards", NULL },
    { "actions", NULL },
    { "states", NULL },
    { "output", NULL },
    { "type", NULL },
    { "on", NULL },
    { "always", NULL },
    { "onDone", NULL },
    { "entry", NULL },
    { "exit", NULL },
    { "tags", NULL },
    { "meta", NULL },
    { "description", NULL },
    { "allow", NULL },
    { "invoke", NO_INVOKE },
    { "after", NO_AFTER },
    { "route", NO_ROUTE },
    { "delays", NO_DELAYS },
    { "actors", NO_ACTORS },
    { 0 },
};

static const compile_key state_keys[] = {
    { "type", NULL },        { "initial", NULL },     { "states", NULL },    { "on", NULL },
    { "always", NULL },      { "onDone", NULL },      { "entry", NULL },     { "exit", NULL },
    { "history", NULL },     { "target", NULL },      { "output", NULL },    { "tags", NULL },
    { "meta", NULL },        { "description", NULL }, { "allow", NULL },     { "id", NULL },
    { "invoke", NO_INVOKE }, { "after", NO_AFTER },   { "route", NO_ROUTE }, { 0 },
};

_Static_assert(ARVO_MACHINE_STATES_MAX <= BITS_MEMBERS_MAX, "a set must hold every state");

/* ---- Counting ---- */

static arvo_status
count_states(compiler *c, const arvo_json *state, uint32_t depth)
{
    if (++c->machine->state_count > ARVO_MACHINE_STATES_MAX)
        return arvo__compile_fail(
            c, ARVO_E_TOO_BIG, "more than %u states; divide the workflow among orchestrators",
            ARVO_MACHINE_STATES_MAX);
    if (depth > ARVO_MACHINE_DEPTH_MAX)
        return arvo__compile_fail(
            c, ARVO_E_TOO_BIG, "states nest deeper than %u", ARVO_MACHINE_DEPTH_MAX);
    if (arvo_json_type_of(state) != ARVO_JSON_OBJECT)
        return arvo__compile_fail(c, ARVO_E_INVALID, "a state must be an object, {} at least");
    const arvo_json *const states = arvo_json_get(state, "states");
    if (states == NULL)
        return ARVO_OK;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("states"));
    if (arvo_json_type_of(states) != ARVO_JSON_OBJECT)
        return arvo__compile_fail(c, ARVO_E_INVALID, "must be an object: name -> state");
    arvo_status st = ARVO_OK;
    for (size_t i = 0; i < arvo_json_count(states) && st == ARVO_OK; i++) {
        const size_t key_mark = arvo__compile_enter(c, arvo_json_key_at(states, i));
        st = arvo_json_key_at(states, i).len > 0
                 ? count_states(c, arvo_json_at(states, i), depth + 1)
                 : arvo__compile_fail(c, ARVO_E_INVALID, "a state's name must not be empty");
        arvo__compile_leave(c, key_mark);
    }
    arvo__compile_leave(c, mark);
    return st;
}

/* ---- Types ---- */

static const struct type_name {
    const char *name;
    chart_type type;
} type_names[] = {
    { "atomic", CHART_ATOMIC }, { "compound", CHART_COMPOUND }, { "parallel", CHART_PARALLEL },
    { "final", CHART_FINAL },   { "history", CHART_HISTORY },
};

static arvo_status
type_given(compiler *c, const arvo_json *json, chart_state *state)
{
    const arvo_str name = arvo_json_str(arvo_json_get(json, "type"));
    for (size_t i = 0; i < ARVO_COUNT_OF(type_names); i++)
        if (arvo_str_is(name, type_names[i].name)) {
            state->type = (uint8_t)type_names[i].type;
            return ARVO_OK;
        }
    return arvo__compile_fail(
        c, ARVO_E_INVALID, "type must be atomic, compound, parallel, final or history");
}

/* history: true, "shallow" or "deep". */
static arvo_status
history_read(compiler *c, const arvo_json *history, chart_state *state)
{
    const arvo_str kind = arvo_json_str(history);
    state->is_deep = arvo_str_is(kind, "deep");
    if (history == NULL || state->is_deep || arvo_str_is(kind, "shallow") ||
        arvo_json_type_of(history) == ARVO_JSON_BOOL)
        return ARVO_OK;
    return arvo__compile_fail(c, ARVO_E_INVALID, "history must be shallow or deep");
}

/* Keys that mean nothing on a state of this type would be silently lost. */
static arvo_status
type_check(compiler *c, const arvo_json *json, const chart_state *state)
{
    const size_t child_count = arvo_json_count(arvo_json_get(json, "states"));
    const bool is_root = state->parent == CHART_NONE;
    if (state->type == CHART_HISTORY) {
        if (is_root)
            return arvo__compile_fail(c, ARVO_E_INVALID, "the root cannot be a history state");
        static const char *const refused[] = { "states", "initial", "on",   "always",
                                               "onDone", "entry",   "exit", "output" };
        for (size_t i = 0; i < ARVO_COUNT_OF(refused); i++)
            if (arvo_json_get(json, refused[i]) != NULL)
                return arvo__compile_fail(
                    c, ARVO_E_INVALID, "a history state is never active: `%s` has no effect in it",
                    refused[i]);
    } else if (arvo_json_get(json, "target") != NULL) {
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "target belongs to a history state; write `always` for a transition without an event");
    } else if (
        arvo_json_bool_or(arvo_json_get(json, "history"), true) &&
        arvo_json_get(json, "history") != NULL) {
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "history belongs to a state of type history: write a child "
            "{type: history, history: ...} instead");
    }
    if ((state->type == CHART_ATOMIC || state->type == CHART_FINAL) && child_count > 0)
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "a state of this type has no states; leave out its type");
    if (state->type == CHART_COMPOUND && child_count == 0)
        return arvo__compile_fail(c, ARVO_E_INVALID, "a compound state needs `states`");
    if (!is_root && state->type != CHART_FINAL && arvo_json_get(json, "output") != NULL)
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "output belongs to final states and to the machine");
    return ARVO_OK;
}

/* XState never takes it in these places, and says nothing. */
static arvo_status
done_check(compiler *c, const arvo_json *json, const chart_state *state)
{
    const bool is_root = state->parent == CHART_NONE;
    if (arvo_json_get(json, "onDone") == NULL || (!is_root && !chart_is_leaf(state)))
        return ARVO_OK;
    (void)arvo__compile_enter(c, ARVO_STR("onDone"));
    return arvo__compile_fail(
        c, ARVO_E_INVALID, "%s",
        is_root ? "never taken, for a machine that is done ends: write `output`, or `entry` of the "
                  "final state"
                : "never taken, for it waits for a final child, and this state has no `states`: "
                  "write `on` or `always`");
}

static arvo_status
type_read(compiler *c, const arvo_json *json, chart_state *state)
{
    const arvo_json *const history = arvo_json_get(json, "history");
    arvo_status st = history_read(c, history, state);
    if (st != ARVO_OK)
        return st;
    if (arvo_json_get(json, "type") != NULL)
        st = type_given(c, json, state);
    else if (arvo_json_count(arvo_json_get(json, "states")) > 0)
        state->type = CHART_COMPOUND;
    else if (history != NULL && arvo_json_bool_or(history, true))
        state->type = CHART_HISTORY;
    if (st == ARVO_OK)
        st = type_check(c, json, state);
    return st == ARVO_OK ? done_check(c, json, state) : st;
}

/* ---- Ids and notes ---- */

static arvo_status
id_read(compiler *c, const arvo_json *json, uint16_t number, arvo_str path)
{
    chart_state *const state = &c->states[number];
    state->id = path;
    arvo_status st = number != CHART_ROOT ? arvo__compile_str(c, json, "id", &state->id) : ARVO_OK;
    if (st != ARVO_OK)
        return st;
    const uintptr_t other = (uintptr_t)arvo__map_find(&c->machine->ids, state->id);
    arvo__compile_rule(c, other != 0 ? CHECK_DUPLICATE_ID : CHECK_RULE_COUNT);
    if (other != 0)
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "the id '%.*s' is taken by another state; give one of them an `id`",
            ARVO_FMT(state->id));
    state->done_type = arvo_arena_printf(c->arena, "xstate.done.state.%.*s", ARVO_FMT(state->id));
    if (state->done_type.ptr == NULL ||
        !arvo__map_set(&c->machine->ids, state->id, (void *)(uintptr_t)(number + 1u)))
        return arvo__nomem(c->err);
    return ARVO_OK;
}

static arvo_status
notes_read(compiler *c, const arvo_json *json, chart_state *state)
{
    const arvo_json *const tags = arvo_json_get(json, "tags");
    const arvo_json *const description = arvo_json_get(json, "description");
    bool is_right = tags == NULL || arvo_json_type_of(tags) == ARVO_JSON_STRING ||
                    arvo_json_type_of(tags) == ARVO_JSON_ARRAY;
    for (size_t i = 0; i < arvo_json_count(tags); i++)
        is_right = is_right && arvo_json_type_of(arvo_json_at(tags, i)) == ARVO_JSON_STRING;
    if (!is_right)
        return arvo__compile_fail(c, ARVO_E_INVALID, "tags must be a string or a list of strings");
    if (description != NULL && arvo_json_type_of(description) != ARVO_JSON_STRING)
        return arvo__compile_fail(c, ARVO_E_INVALID, "description must be a string");
    state->tags = tags;
    state->meta = arvo_json_get(json, "meta");
    return ARVO_OK;
}

/* Warnings of the checker that are right here: [{rule, reason}]. Which rules there are is the
 * checker's to say, so that a document loads in a version that does not know one. */
static arvo_status
allow_read(compiler *c, const arvo_json *json)
{
    static const compile_key keys[] = { { "rule", NULL }, { "reason", NULL }, { 0 } };
    const arvo_json *const allow = arvo_json_get(json, "allow");
    if (allow == NULL)
        return ARVO_OK;
    arvo__compile_rule(c, CHECK_BAD_ALLOW);
    const size_t mark = arvo__compile_enter(c, ARVO_STR("allow"));
    if (arvo_json_type_of(allow) != ARVO_JSON_ARRAY)
        return arvo__compile_fail(c, ARVO_E_INVALID, "must be a list of {rule, reason}");
    arvo_status st = ARVO_OK;
    for (size_t i = 0; i < arvo_json_count(allow) && st == ARVO_OK; i++) {
        const arvo_json *const item = arvo_json_at(allow, i);
        const size_t item_mark = arvo__compile_enter_item(c, i);
        st = arvo__compile_keys(c, item, keys, "an item of allow");
        if (st == ARVO_OK && (arvo_json_str(arvo_json_get(item, "rule")).len == 0 ||
                              arvo_json_str(arvo_json_get(item, "reason")).len == 0))
            st = arvo__compile_fail(
                c, ARVO_E_INVALID, "needs a `rule`, and a `reason` why it is right here");
        arvo__compile_leave(c, item_mark);
    }
    arvo__compile_leave(c, mark);
    arvo__compile_rule(c, st == ARVO_OK ? CHECK_RULE_COUNT : CHECK_BAD_ALLOW);
    return st;
}

/* ---- Keys ---- */

static arvo_status
key_quote(compiler *c, chart_state *state)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    text.allocator = c->setup->allocator;
    arvo_json_write_str(state->key, &text);
    if (text.status == ARVO_OK)
        state->quoted = arvo_arena_str_dup(c->arena, arvo_buf_str(&text));
    arvo_buf_fini(&text);
    return state->quoted.ptr != NULL ? ARVO_OK : arvo__nomem(c->err);
}

/* An index of the children, so that a stored value finds one of many without asking all. */
static arvo_status
children_index(compiler *c, chart_state *state)
{
    const chart_states children = state->children;
    if (children.count < CHART_INDEX_MIN)
        return ARVO_OK;
    uint16_t *const index = arvo__compile_alloc(c, children.count, sizeof(*index));
    if (index == NULL)
        return arvo__nomem(c->err);
    memcpy(index, children.items, children.count * sizeof(*index));
    for (uint32_t gap = children.count / 2; gap > 0; gap /= 2) /* Shell sort */
        for (uint32_t i = gap; i < children.count; i++) {
            const uint16_t moved = index[i];
            uint32_t at = i;
            for (; at >= gap &&
                   arvo__chart_key_order(c->states[index[at - gap]].key, c->states[moved].key) > 0;
                 at -= gap)
                index[at] = index[at - gap];
            index[at] = moved;
        }
    state->by_key = index;
    return ARVO_OK;
}

/* ---- Numbering ---- */

static arvo_status
read_state(compiler *c, const arvo_json *json, uint16_t parent, arvo_str key, arvo_str path);

/* The children in JavaScript's key order, which is XState's document order. */
static arvo_status
read_children(compiler *c, const arvo_json *states, uint16_t number, arvo_str path)
{
    const size_t count = arvo_json_count(states);
    size_t *const order = arvo__compile_alloc(c, count, sizeof(*order));
    uint16_t *const all = arvo__compile_alloc(c, count * 3, sizeof(*all));
    if (order == NULL || all == NULL)
        return arvo__nomem(c->err);
    uint16_t *const regions = all + count;
    uint16_t *const histories = regions + count;
    uint32_t region_count = 0;
    uint32_t history_count = 0;
    arvo__js_key_order(states, order);
    const size_t mark = arvo__compile_enter(c, ARVO_STR("states"));
    for (size_t i = 0; i < count; i++) {
        const arvo_str key = arvo_json_key_at(states, order[i]);
        const uint16_t child = (uint16_t)c->machine->state_count;
        const arvo_str child_path =
            arvo_arena_printf(c->arena, "%.*s.%.*s", ARVO_FMT(path), ARVO_FMT(key));
        if (child_path.ptr == NULL)
            return arvo__nomem(c->err);
        const size_t key_mark = arvo__compile_enter(c, key);
        const arvo_status st =
            read_state(c, arvo_json_at(states, order[i]), number, key, child_path);
        if (st != ARVO_OK)
            return st;
        arvo__compile_leave(c, key_mark);
        all[i] = child;
        if (c->states[child].type == CHART_HISTORY)
            histories[history_count++] = child;
        else
            regions[region_count++] = child;
        c->states[number].has_number_keys |= c->states[child].is_number_key;
    }
    arvo__compile_leave(c, mark);
    c->states[number].children = (chart_states){ all, (uint32_t)count };
    c->states[number].regions = (chart_states){ regions, region_count };
    c->states[number].histories = (chart_states){ histories, history_count };
    return children_index(c, &c->states[number]);
}

static arvo_status
read_state(compiler *c, const arvo_json *json, uint16_t parent, arvo_str key, arvo_str path)
{
    const uint16_t number = (uint16_t)c->machine->state_count++;
    chart_state *const state = &c->states[number];
    uint32_t index;
    c->nodes[number] = json;
    state->key = key;
    state->parent = parent;
    state->initial = CHART_NONE;
    state->is_number_key = arvo__js_is_index(key, &index);
    state->depth = parent != CHART_NONE ? (uint8_t)(c->states[parent].depth + 1) : 0;

    arvo_status st = arvo__compile_keys(
        c, json, number == CHART_ROOT ? root_keys : state_keys,
        number == CHART_ROOT ? "a machine" : "a state");
    if (st == ARVO_OK)
        st = type_read(c, json, state);
    if (st == ARVO_OK)
        st = key_quote(c, state);
    if (st == ARVO_OK)
        st = id_read(c, json, number, path);
    if (st == ARVO_OK)
        st = notes_read(c, json, state);
    if (st == ARVO_OK)
        st = allow_read(c, json);
    if (st == ARVO_OK)
        st = read_children(c, arvo_json_get(json, "states"), number, path);
    state->end = (uint16_t)c->machine->state_count;
    return st;
}

arvo_status
arvo__compile_chart(compiler *c)
{
    arvo_machine *const machine = c->machine;
    arvo_status st = count_states(c, c->root, 0);
    if (st != ARVO_OK)
        return st;
    const uint32_t count = machine->state_count;
    c->states = arvo__compile_alloc(c, count, sizeof(*c->states));
    c->nodes = arvo__compile_alloc(c, count, sizeof(*c->nodes));
    if (c->states == NULL || c->nodes == NULL)
        return arvo__nomem(c->err);
    machine->states = c->states;
    machine->words = bits_words(count);
    machine->state_count = 0;
    return read_state(c, c->root, CHART_NONE, machine->id, machine->id);
}

/* ---- History states that lead back to themselves ---- */

#define HISTORY_CHAIN_MAX 1000u

enum { UNSEEN = 0, OPEN, CLOSED };

static arvo_status
follow(compiler *c, uint16_t number, uint8_t *seen, uint32_t depth)
{
    const chart_state *const state = &c->states[number];
    chart_states next = state->type == CHART_PARALLEL ? state->regions : state->targets;
    if (state->type == CHART_COMPOUND)
        next = (chart_states){ &state->initial, 1 };
    if (seen[number] == CLOSED || next.count == 0)
        return ARVO_OK;
    if (seen[number] == OPEN || depth > HISTORY_CHAIN_MAX)
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "entering '%.*s' by default never ends: a history state on the way leads back to it; "
            "give it a `target` elsewhere",
            ARVO_FMT(state->id));
    seen[number] = OPEN;
    arvo_status st = ARVO_OK;
    for (uint32_t i = 0; i < next.count && st == ARVO_OK; i++)
        st = follow(c, next.items[i], seen, depth + 1);
    seen[number] = CLOSED;
    return st;
}

arvo_status
arvo__compile_histories(compiler *c)
{
    uint8_t *const seen = arvo__compile_alloc(c, c->machine->state_count, 1);
    if (seen == NULL)
        return arvo__nomem(c->err);
    arvo_status st = ARVO_OK;
    for (uint32_t i = 0; i < c->machine->state_count && st == ARVO_OK; i++)
        if (c->states[i].type == CHART_HISTORY)
            st = follow(c, (uint16_t)i, seen, 0);
    return st;
}
