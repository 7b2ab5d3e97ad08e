/* Questions about a compiled chart: which state a path names, what is entered by default. */

#include "machine/chart.h"

#define SEGMENT_BYTES_MAX 512u /* of an id with escapes in a path */

const char *const arvo__emission_fields[EMISSION_FIELD_COUNT] = {
    "type",          "data",           "domains",    "to", "redirectto",
    "accesscontrol", "executionunits", "dataschema", "id", "extensions",
};

emission_field
arvo__emission_field_find(arvo_str key)
{
    uint32_t i = 0;
    while (i < EMISSION_FIELD_COUNT && !arvo_str_is(key, arvo__emission_fields[i]))
        i++;
    return (emission_field)i;
}

/* ---- Paths ---- */

/* The next segment of a path as it is written, escapes in it; false: no more. Segments are divided
 * by dots; a backslash takes the next character as it is. */
static bool
path_next(arvo_str *rest, arvo_str *segment)
{
    if (rest->ptr == NULL)
        return false;
    size_t i = 0;
    while (i < rest->len && rest->ptr[i] != '.')
        i += rest->ptr[i] == '\\' ? 2 : 1;
    if (i > rest->len)
        i = rest->len;
    *segment = (arvo_str){ rest->ptr, i };
    if (i < rest->len)
        *rest = (arvo_str){ rest->ptr + i + 1, rest->len - i - 1 };
    else
        *rest = ARVO_STR_NONE;
    return true;
}

/* Whether a segment, its escapes undone, is `name`. */
static bool
segment_is(arvo_str segment, arvo_str name)
{
    size_t n = 0;
    for (size_t i = 0; i < segment.len; i++, n++) {
        if (segment.ptr[i] == '\\' && ++i == segment.len)
            break;
        if (n == name.len || name.ptr[n] != segment.ptr[i])
            return false;
    }
    return n == name.len;
}

static bool
segment_is_id(arvo_str segment)
{
    const size_t at = segment.len > 1 && segment.ptr[0] == '\\' ? 1 : 0;
    return segment.len > at && segment.ptr[at] == '#';
}

static uint16_t
id_find(const arvo_machine *machine, arvo_str segment)
{
    char plain[SEGMENT_BYTES_MAX];
    size_t len = 0;
    if (memchr(segment.ptr, '\\', segment.len) != NULL) {
        for (size_t i = 0; i < segment.len && len < sizeof(plain); i++) {
            if (segment.ptr[i] == '\\' && ++i == segment.len)
                break;
            plain[len++] = segment.ptr[i];
        }
        segment = (arvo_str){ plain, len };
    }
    const uintptr_t found = (uintptr_t)arvo__map_find(&machine->ids, segment);
    return found != 0 ? (uint16_t)(found - 1) : CHART_NONE;
}

static uint16_t
child_find(const arvo_machine *machine, uint16_t parent, arvo_str segment)
{
    const chart_states children = machine->states[parent].children;
    for (uint32_t i = 0; i < children.count; i++)
        if (segment_is(segment, machine->states[children.items[i]].key))
            return children.items[i];
    return CHART_NONE;
}

int
arvo__chart_key_order(arvo_str a, arvo_str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len > 0 ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

static uint16_t
index_search(const arvo_machine *machine, const chart_state *parent, arvo_str key)
{
    uint32_t from = 0;
    uint32_t to = parent->children.count;
    while (from < to) {
        const uint32_t middle = from + (to - from) / 2;
        const uint16_t child = parent->by_key[middle];
        const int order = arvo__chart_key_order(key, machine->states[child].key);
        if (order == 0)
            return child;
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return CHART_NONE;
}

uint16_t
arvo__chart_child(const arvo_machine *machine, uint16_t parent, arvo_str key)
{
    if (machine->states[parent].by_key != NULL)
        return index_search(machine, &machine->states[parent], key);
    const chart_states children = machine->states[parent].children;
    for (uint32_t i = 0; i < children.count; i++)
        if (arvo_str_equal(key, machine->states[children.items[i]].key))
            return children.items[i];
    return CHART_NONE;
}

/* Walk the segments of `rest` down from `state`. An empty segment ends the walk, as in XState. */
static uint16_t
path_walk(const arvo_machine *machine, uint16_t state, arvo_str rest, arvo_error *err)
{
    arvo_str segment;
    while (path_next(&rest, &segment) && segment.len > 0) {
        if (segment_is_id(segment)) {
            state = arvo__chart_resolve_id(machine, segment, err);
            if (state == CHART_NONE)
                return CHART_NONE;
            continue;
        }
        const uint16_t child = child_find(machine, state, segment);
        if (child == CHART_NONE) {
            (void)arvo__fail(
                err, ARVO_E_INVALID, "state '%.*s' has no child '%.*s'",
                ARVO_FMT(machine->states[state].id), ARVO_FMT(segment));
            return CHART_NONE;
        }
        state = child;
    }
    return state;
}

uint16_t
arvo__chart_resolve_id(const arvo_machine *machine, arvo_str text, arvo_error *err)
{
    arvo_str rest = text;
    arvo_str id;
    (void)path_next(&rest, &id);
    if (segment_is_id(id)) {
        const size_t skip = id.ptr[0] == '\\' ? 2 : 1;
        id = (arvo_str){ id.ptr + skip, id.len - skip };
    }
    const uint16_t state = id_find(machine, id);
    if (state == CHART_NONE) {
        (void)arvo__fail(err, ARVO_E_INVALID, "no state has the id '%.*s'", ARVO_FMT(id));
        return CHART_NONE;
    }
    return path_walk(machine, state, rest, err);
}

uint16_t
arvo__chart_resolve_path(const arvo_machine *machine, uint16_t from, arvo_str text, arvo_error *err)
{
    if (text.len > 0 && text.ptr[0] == '#') {
        const uint16_t state = arvo__chart_resolve_id(machine, text, err);
        if (state != CHART_NONE)
            return state;
    }
    return path_walk(machine, from, text, err);
}

/* ---- Domains and defaults ---- */

static uint16_t
common_ancestor(
    const arvo_machine *machine, uint16_t source, const uint16_t *targets, uint32_t count)
{
    const uint16_t head = count > 0 ? targets[0] : source;
    uint16_t ancestor = machine->states[head].parent;
    for (; ancestor != CHART_NONE; ancestor = machine->states[ancestor].parent) {
        bool holds_all = chart_is_descendant(machine, source, ancestor);
        for (uint32_t i = 1; i < count && holds_all; i++)
            holds_all = chart_is_descendant(machine, targets[i], ancestor);
        if (holds_all)
            return ancestor;
    }
    return CHART_NONE;
}

uint16_t
arvo__chart_domain(
    const arvo_machine *machine, const chart_transition *transition, const uint16_t *targets,
    uint32_t target_count)
{
    const uint16_t source = transition->source;
    if (!transition->reenter) {
        bool is_within = true;
        for (uint32_t i = 0; i < target_count && is_within; i++)
            is_within = targets[i] == source || chart_is_descendant(machine, targets[i], source);
        if (is_within)
            return source;
    }
    const uint16_t ancestor = common_ancestor(machine, source, targets, target_count);
    if (ancestor != CHART_NONE || transition->reenter)
        return ancestor;
    return CHART_ROOT;
}

void
arvo__chart_initial_states(
    const arvo_machine *machine, uint16_t state, uint16_t *items, uint32_t *count)
{
    const chart_state *const node = &machine->states[state];
    items[(*count)++] = state;
    if (node->type == CHART_COMPOUND)
        arvo__chart_initial_states(machine, node->initial, items, count);
    else if (node->type == CHART_PARALLEL)
        for (uint32_t i = 0; i < node->regions.count; i++)
            arvo__chart_initial_states(machine, node->regions.items[i], items, count);
}

/* ---- JavaScript's key order ---- */

bool
arvo__js_is_index(arvo_str key, uint32_t *value)
{
    if (key.len == 0 || key.len > 10 || (key.len > 1 && key.ptr[0] == '0'))
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] < '0' || key.ptr[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(key.ptr[i] - '0');
    }
    if (number >= UINT32_MAX)
        return false;
    *value = (uint32_t)number;
    return true;
}

void
arvo__js_key_order(const arvo_json *object, size_t *order)
{
    const size_t count = arvo_json_count(object);
    size_t indices = 0;
    uint32_t number;
    uint32_t other;
    for (size_t i = 0; i < count; i++) {
        if (!arvo__js_is_index(arvo_json_key_at(object, i), &number))
            continue;
        size_t at = indices++;
        while (at > 0 && arvo__js_is_index(arvo_json_key_at(object, order[at - 1]), &other) &&
               other > number) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    for (size_t i = 0; i < count; i++)
        if (!arvo__js_is_index(arvo_json_key_at(object, i), &number))
            order[indices++] = i;
}
