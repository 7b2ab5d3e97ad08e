/* Diagrams: what is drawn of a machine. Boxes, arrows and their texts, for the writers. */

#include "machine/diagram.h"

#include <stdlib.h>

void
arvo__diagram_text_add(diagram *d, diagram_texts *texts, arvo_str text)
{
    arvo_str *const items =
        arvo__arena_grow(d->arena, texts->items, texts->count, &texts->cap, sizeof(*items));
    if (items == NULL)
        return;
    texts->items = items;
    items[texts->count++] = text;
}

/* ---- The document's part of each state ---- */

/* Children are numbered in JavaScript's key order, one behind the descendants of the other. */
static void
nodes_find(diagram *d, const arvo_json *json, uint16_t number)
{
    const arvo_json *const states = arvo_json_get(json, "states");
    const chart_states children = diagram_chart(d, number)->children;
    d->states[number].json = json;
    for (uint32_t i = 0; i < children.count; i++)
        nodes_find(
            d, arvo_json_get_str(states, diagram_chart(d, children.items[i])->key),
            children.items[i]);
}

/* ---- Arrows ---- */

static void
edge_add(diagram *d, diagram_edge edge, arvo_str label)
{
    diagram_edge *const edges =
        arvo__arena_grow(d->arena, d->edges, d->edge_count, &d->edge_cap, sizeof(*edges));
    if (edges == NULL)
        return;
    d->edges = edges;
    edge.order = d->edge_count;
    if (label.len > 0)
        arvo__diagram_text_add(d, &edge.labels, label);
    edges[d->edge_count++] = edge;
}

static int
edge_place(const diagram_edge *x, const diagram_edge *y)
{
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    if (x->is_error != y->is_error)
        return x->is_error ? 1 : -1;
    return 0;
}

static int
edge_order(const void *a, const void *b)
{
    const diagram_edge *const x = a;
    const diagram_edge *const y = b;
    const int place = edge_place(x, y);
    return place != 0 ? place : (x->order > y->order) - (x->order < y->order);
}

/* Several transitions between the same two states are one arrow with several labels. */
static void
edges_merge(diagram *d)
{
    uint32_t count = 0;
    if (d->edge_count > 0)
        qsort(d->edges, d->edge_count, sizeof(*d->edges), edge_order);
    for (uint32_t i = 0; i < d->edge_count; i++) {
        const diagram_edge *const edge = &d->edges[i];
        if (count > 0 && edge_place(&d->edges[count - 1], edge) == 0)
            for (uint32_t k = 0; k < edge->labels.count; k++)
                arvo__diagram_text_add(d, &d->edges[count - 1].labels, edge->labels.items[k]);
        else
            d->edges[count++] = *edge;
    }
    d->edge_count = count;
}

/* Whether an arrow leads to another part of the chart, into a state that is no neighbour. */
static bool
is_from_afar(const diagram *d, const diagram_edge *edge)
{
    return edge->from_end == DIAGRAM_END_STATE && edge->to_end == DIAGRAM_END_STATE &&
           diagram_chart(d, edge->from)->parent != diagram_chart(d, edge->to)->parent;
}

/* A state of a large chart to which half the others lead, the one for failures say, would hide the
 * rest behind its arrows: they are said in the states that they come from. */
static void
hubs_dissolve(diagram *d)
{
    uint32_t *const counts = arvo_arena_calloc(d->arena, d->machine->state_count, sizeof(*counts));
    if (counts == NULL || d->machine->state_count <= DIAGRAM_SMALL_MAX)
        return;
    for (uint32_t i = 0; i < d->edge_count; i++)
        counts[d->edges[i].to] += is_from_afar(d, &d->edges[i]);
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->edge_count; i++) {
        const diagram_edge *const edge = &d->edges[i];
        if (counts[edge->to] < DIAGRAM_HUB_MIN || !is_from_afar(d, edge)) {
            d->edges[count++] = *edge;
            continue;
        }
        for (uint32_t k = 0; k < edge->labels.count; k++) {
            const arvo_str text = arvo_arena_printf(
                d->arena, "\xe2\x86\x92 %.*s: %.*s", ARVO_FMT(d->states[edge->to].title),
                ARVO_FMT(edge->labels.items[k]));
            if (text.ptr != NULL)
                arvo__diagram_text_add(d, &d->states[edge->from].lines, text);
        }
    }
    d->edge_count = count;
}

static bool
is_error_event(arvo_str event)
{
    static const char ending[] = ".error";
    const size_t len = sizeof(ending) - 1;
    return event.len > len && memcmp(event.ptr, "sys.", 4) == 0 &&
           memcmp(event.ptr + event.len - len, ending, len) == 0;
}

/* ---- Transitions ---- */

/* Whether an arrow can show it: not when the target is a box around its source without a mark
 * inside that the arrow could end at, or the box itself. */
static bool
is_drawable(const diagram *d, uint16_t from, uint16_t to)
{
    const bool leaves_box = from == to && d->states[from].is_box;
    const bool goes_out = chart_is_descendant(d->machine, from, to);
    return !leaves_box && (!goes_out || diagram_chart(d, to)->type == CHART_COMPOUND);
}

static void
transition_draw(diagram *d, arvo_str event, const arvo_json *json, const chart_transition *t)
{
    diagram_state *const source = &d->states[t->source];
    const arvo_str text = arvo__diagram_transition_text(d, event, json, ARVO_STR_NONE);
    if (t->targets.count == 0) {
        const bool is_refused = t->actions.count == 0;
        const arvo_str none = ARVO_STR("nothing");
        arvo__diagram_text_add(
            d, &source->lines,
            is_refused ? arvo__diagram_transition_text(d, event, json, none) : text);
        return;
    }
    for (uint32_t i = 0; i < t->targets.count; i++) {
        const uint16_t to = t->targets.items[i];
        if (!is_drawable(d, t->source, to)) {
            const arvo_str target = d->states[to].title;
            arvo__diagram_text_add(
                d, &source->lines, arvo__diagram_transition_text(d, event, json, target));
            continue;
        }
        diagram_edge edge = { .from = t->source, .to = to, .is_error = is_error_event(event) };
        if (chart_is_descendant(d->machine, to, t->source)) {
            edge.from_end = DIAGRAM_END_ANY;
            source->has_any = true;
        } else if (chart_is_descendant(d->machine, t->source, to)) {
            edge.to_end = DIAGRAM_END_INITIAL;
        }
        edge_add(d, edge, text);
    }
}

/* The document's transitions and the chart's are in the same order. */
static void
transitions_draw(
    diagram *d, arvo_str event, const arvo_json *json, const chart_transitions *transitions)
{
    const bool is_list = arvo_json_type_of(json) == ARVO_JSON_ARRAY;
    for (uint32_t i = 0; i < transitions->count; i++)
        transition_draw(d, event, is_list ? arvo_json_at(json, i) : json, &transitions->items[i]);
}

static const chart_handler *
handler_of(const chart_state *state, arvo_str descriptor)
{
    for (uint32_t i = 0; i < state->handler_count; i++)
        if (arvo_str_equal(state->handlers[i].descriptor, descriptor))
            return &state->handlers[i];
    return NULL;
}

static void
events_draw(diagram *d, uint16_t number)
{
    const chart_state *const chart = diagram_chart(d, number);
    const arvo_json *const json = d->states[number].json;
    const arvo_json *const on = arvo_json_get(json, "on");
    const arvo_json *const done = arvo_json_get(json, "onDone");
    for (size_t i = 0; i < arvo_json_count(on); i++) {
        const arvo_str event = arvo_json_key_at(on, i);
        const chart_handler *const handler = handler_of(chart, event);
        const bool is_replaced = done != NULL && arvo_str_equal(event, chart->done_type);
        if (handler != NULL && !is_replaced)
            transitions_draw(d, event, arvo_json_at(on, i), &handler->transitions);
    }
    const chart_handler *const handler = done != NULL ? handler_of(chart, chart->done_type) : NULL;
    if (handler != NULL)
        transitions_draw(d, ARVO_STR("onDone"), done, &handler->transitions);
    if (chart->always.count > 0)
        transitions_draw(d, ARVO_STR("always"), arvo_json_get(json, "always"), &chart->always);
}

/* ---- States ---- */

static void
actions_line(diagram *d, uint16_t number, const char *key, const chart_actions *actions)
{
    diagram_state *const state = &d->states[number];
    if (actions->count == 0)
        return;
    const arvo_str text = arvo__diagram_actions_text(d, arvo_json_get(state->json, key));
    const arvo_str line = arvo_arena_printf(d->arena, "%s / %.*s", key, ARVO_FMT(text));
    if (line.ptr != NULL)
        arvo__diagram_text_add(d, &state->lines, line);
}

static void
title_set(diagram *d, uint16_t number)
{
    const arvo_machine *const machine = d->machine;
    diagram_state *const state = &d->states[number];
    state->title = diagram_chart(d, number)->key;
    if (number == CHART_ROOT && machine->version.ptr != NULL) {
        state->title = arvo_arena_printf(
            d->arena, "%.*s %.*s", ARVO_FMT(machine->id), ARVO_FMT(machine->version));
        if (state->title.ptr == NULL)
            state->title = ARVO_STR("");
    }
}

static void
history_draw(diagram *d, uint16_t number)
{
    const chart_state *const chart = diagram_chart(d, number);
    if (chart->type != CHART_HISTORY || arvo_json_get(d->states[number].json, "target") == NULL)
        return;
    for (uint32_t i = 0; i < chart->targets.count; i++)
        if (!chart_is_descendant(d->machine, number, chart->targets.items[i]))
            edge_add(
                d, (diagram_edge){ .from = number, .to = chart->targets.items[i] },
                ARVO_STR("else"));
}

static void
state_draw(diagram *d, uint16_t number)
{
    const chart_state *const chart = diagram_chart(d, number);
    const arvo_json *const initial = arvo_json_get(d->states[number].json, "initial");
    actions_line(d, number, "entry", &chart->entry);
    actions_line(d, number, "exit", &chart->exit);
    d->states[number].initial =
        chart->initial_actions.count > 0
            ? arvo__diagram_transition_text(d, ARVO_STR(""), initial, ARVO_STR_NONE)
            : ARVO_STR("");
    events_draw(d, number);
    history_draw(d, number);
}

/* ---- Lit states ---- */

static arvo_status
unknown_state(const diagram *d, uint16_t parent, arvo_str key, arvo_error *err)
{
    return arvo__fail(
        err, ARVO_E_INCOMPATIBLE_STATE,
        "the snapshot does not fit the machine: state '%.*s' has no child '%.*s'; draw the version "
        "that stored it",
        ARVO_FMT(diagram_chart(d, parent)->id), ARVO_FMT(key));
}

/* A value is a child's name, or an object: child -> value. Its depth is the chart's at most,
 * because each level must be one of the chart's. */
static arvo_status
light(diagram *d, uint16_t parent, const arvo_json *value, arvo_error *err)
{
    const bool is_name = arvo_json_type_of(value) == ARVO_JSON_STRING;
    const size_t count = is_name ? 1 : arvo_json_count(value);
    d->states[parent].is_active = true;
    if (!is_name && arvo_json_type_of(value) != ARVO_JSON_OBJECT)
        return arvo__fail(
            err, ARVO_E_INCOMPATIBLE_STATE,
            "the snapshot does not fit the machine: the value of state '%.*s' is neither a name "
            "nor "
            "an object",
            ARVO_FMT(diagram_chart(d, parent)->id));
    for (size_t i = 0; i < count; i++) {
        const arvo_str key = is_name ? arvo_json_str(value) : arvo_json_key_at(value, i);
        const uint16_t child = arvo__chart_child(d->machine, parent, key);
        if (child == CHART_NONE)
            return unknown_state(d, parent, key, err);
        d->states[child].is_active = true;
        const arvo_status st = is_name ? ARVO_OK : light(d, child, arvo_json_at(value, i), err);
        if (st != ARVO_OK)
            return st;
    }
    return ARVO_OK;
}

/* ---- All of it ---- */

static arvo_status
diagram_fill(diagram *d, arvo_error *err)
{
    const arvo_machine *const machine = d->machine;
    arvo_status st = arvo_json_parse(machine->definition, d->arena, &d->root, err);
    if (st != ARVO_OK)
        return st;
    d->states = arvo_arena_calloc(d->arena, machine->state_count, sizeof(*d->states));
    if (d->states == NULL)
        return arvo__nomem(err);
    nodes_find(d, d->root, CHART_ROOT);
    for (uint32_t i = 0; i < machine->state_count; i++) {
        d->states[i].is_box = machine->states[i].children.count > 0;
        title_set(d, (uint16_t)i);
    }
    for (uint32_t i = 0; i < machine->state_count; i++)
        state_draw(d, (uint16_t)i);
    edges_merge(d);
    hubs_dissolve(d);
    if (d->opts->value != NULL)
        st = light(d, CHART_ROOT, d->opts->value, err);
    if (st == ARVO_OK && arvo_arena_failed(d->arena))
        st = arvo__nomem(err);
    return st;
}

static arvo_status
write_svg(const diagram *d, arvo_buf *out, arvo_error *err)
{
    if (d->machine->state_count > ARVO_DIAGRAM_STATES_MAX)
        return arvo__fail(
            err, ARVO_E_TOO_BIG,
            "a picture has at most %u states, this machine has %u; write .dot, and lay it out with "
            "a tool for large graphs (sfdp, say)",
            ARVO_DIAGRAM_STATES_MAX, d->machine->state_count);
    arvo_buf dot = ARVO_BUF_INIT(ARVO_DIAGRAM_BYTES_MAX);
    dot.allocator = d->machine->allocator;
    arvo__diagram_dot(d, &dot);
    arvo_status st = arvo__buf_status(&dot, "the diagram", err);
    if (st == ARVO_OK)
        st = arvo__diagram_svg(d->machine->allocator, arvo_buf_str(&dot), out, err);
    arvo_buf_fini(&dot);
    return st;
}

static arvo_status
diagram_write(const diagram *d, arvo_buf *out, arvo_error *err)
{
    const size_t before = out->len;
    arvo_status st = ARVO_OK;
    if (d->opts->format == ARVO_DIAGRAM_SVG)
        st = write_svg(d, out, err);
    else if (d->opts->format == ARVO_DIAGRAM_MERMAID)
        arvo__diagram_mermaid(d, out);
    else
        arvo__diagram_dot(d, out);
    if (st == ARVO_OK)
        st = arvo__buf_status(out, "the diagram", err);
    if (st != ARVO_OK)
        out->len = before;
    return st;
}

arvo_status
arvo_diagram_write(
    const arvo_machine *machine, const arvo_diagram_opts *opts, arvo_buf *out, arvo_error *err)
{
    ARVO_ASSERT(machine != NULL && out != NULL);

    static const arvo_diagram_opts defaults = { 0 };
    if (machine->is_custom)
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED, "machine '%.*s' has no chart: an engine of its own runs it",
            ARVO_FMT(machine->id));
    diagram d = {
        .machine = machine,
        .opts = opts != NULL ? opts : &defaults,
        .arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = machine->allocator }),
    };
    if (d.arena == NULL)
        return arvo__nomem(err);
    arvo_status st = diagram_fill(&d, err);
    if (st == ARVO_OK)
        st = diagram_write(&d, out, err);
    arvo_arena_free(d.arena);
    return st;
}
