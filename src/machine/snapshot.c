/* Persisted snapshots: XState's JSON form, to and from bytes (spec 11.14, 11.15). */

#include "machine/run.h"

#include "json/internal.h"

/* ---- Reading ---- */

typedef struct snapshot_parts {
    const arvo_json *status;
    const arvo_json *output;
    const arvo_json *error;
    const arvo_json *value;
    const arvo_json *history;
    const arvo_json *context;
    const arvo_json *children;
} snapshot_parts;

static arvo_status
wrong(arvo_error *err, const char *what)
{
    return arvo__fail(
        err, ARVO_E_INCOMPATIBLE_STATE,
        "the stored state does not fit the machine: %s; run the version that stored it", what);
}

static void
parts_read(const arvo_json *root, snapshot_parts *parts)
{
    static const struct part {
        arvo_str key;
        size_t offset;
    } rows[] = {
        { { "status", 6 }, offsetof(snapshot_parts, status) },
        { { "value", 5 }, offsetof(snapshot_parts, value) },
        { { "historyValue", 12 }, offsetof(snapshot_parts, history) },
        { { "context", 7 }, offsetof(snapshot_parts, context) },
        { { "children", 8 }, offsetof(snapshot_parts, children) },
        { { "output", 6 }, offsetof(snapshot_parts, output) },
        { { "error", 5 }, offsetof(snapshot_parts, error) },
    };
    for (size_t i = 0; i < arvo_json_count(root); i++) {
        const arvo_str key = arvo_json_key_at(root, i);
        for (size_t k = 0; k < ARVO_COUNT_OF(rows); k++)
            if (arvo_str_equal(key, rows[k].key)) {
                *(const arvo_json **)(void *)((char *)parts + rows[k].offset) =
                    arvo_json_at(root, i);
                break;
            }
    }
}

static bool
status_read(const arvo_json *json, arvo_machine_status *out)
{
    const arvo_str name = arvo_json_str(json);
    for (int i = ARVO_MACHINE_ACTIVE; i <= ARVO_MACHINE_STOPPED; i++)
        if (arvo_str_is(name, arvo_machine_status_name((arvo_machine_status)i))) {
            *out = (arvo_machine_status)i;
            return true;
        }
    return false;
}

/* The state that a stored id means; CHART_NONE: no longer there. */
static uint16_t
stored_state(const run *r, arvo_str id)
{
    const uintptr_t found = id.ptr != NULL ? (uintptr_t)arvo__map_find(&r->machine->ids, id) : 0;
    return found != 0 ? (uint16_t)(found - 1) : CHART_NONE;
}

/* Entries whose states are gone are dropped, as XState does. */
static bool
history_entry(run *r, const arvo_json *stored, uint16_t history, run_history *entry)
{
    uint16_t *const items =
        arvo__arena_alloc(r->arena, (arvo_json_count(stored) + 1) * sizeof(*items));
    if (items == NULL)
        return arvo__run_nomem(r);
    uint32_t count = 0;
    const uint16_t parent = run_state(r, history)->parent;
    for (size_t i = 0; i < arvo_json_count(stored); i++) {
        const arvo_json *const item = arvo_json_at(stored, i);
        const uint16_t state = stored_state(r, arvo_json_str(arvo_json_get(item, "id")));
        /* A recalled state lies below the history's parent in every chart. */
        if (state != CHART_NONE && chart_is_descendant(r->machine, state, parent) &&
            run_state(r, state)->type != CHART_HISTORY && count < r->machine->state_count)
            items[count++] = state;
    }
    *entry = (run_history){ history, { items, count } };
    return true;
}

static bool
history_read(run *r, const arvo_json *json)
{
    const size_t stored_count = arvo_json_count(json);
    if (stored_count == 0)
        return true;
    run_history *const list = arvo__arena_alloc(r->arena, stored_count * sizeof(*list));
    if (list == NULL)
        return arvo__run_nomem(r);
    uint32_t count = 0;
    for (size_t i = 0; i < stored_count; i++) {
        const uint16_t history = stored_state(r, arvo_json_key_at(json, i));
        if (history == CHART_NONE || run_state(r, history)->type != CHART_HISTORY)
            continue;
        if (!history_entry(r, arvo_json_at(json, i), history, &list[count]))
            return false;
        if (list[count].nodes.count > 0)
            count++;
    }
    r->now.history = list;
    r->now.history_count = count;
    return true;
}

static arvo_status
parts_check(const snapshot_parts *parts, arvo_error *err)
{
    if (arvo_json_type_of(parts->context) != ARVO_JSON_OBJECT)
        return wrong(err, "its context is not an object");
    if (parts->history != NULL && arvo_json_type_of(parts->history) != ARVO_JSON_NULL &&
        arvo_json_type_of(parts->history) != ARVO_JSON_OBJECT)
        return wrong(err, "its historyValue is not an object");
    if (arvo_json_type_of(parts->children) != ARVO_JSON_OBJECT)
        return wrong(err, "it has no children object");
    if (arvo_json_count(parts->children) > 0)
        return wrong(err, "it has running actors, which are not supported");
    return ARVO_OK;
}

/* The form that most stored snapshots have, written by us or by XState: active, without history.
 * Its value is read as text and only the context becomes JSON. False: it has another form, or
 * something is wrong with it, which the long way will find. */
static bool
read_plain(run *r, arvo_str text)
{
    const arvo_str head = ARVO_STR("{\"status\":\"active\",\"value\":");
    const arvo_str middle = ARVO_STR(",\"historyValue\":{},\"context\":");
    const arvo_str tail = ARVO_STR(",\"children\":{}}");
    if (text.len < head.len + middle.len + tail.len || memcmp(text.ptr, head.ptr, head.len) != 0 ||
        memcmp(text.ptr + text.len - tail.len, tail.ptr, tail.len) != 0)
        return false;
    const arvo_str inner = { text.ptr + head.len, text.len - head.len - tail.len };
    const arvo_str rest = arvo__run_nodes_from_text(r, inner, &r->now.nodes);
    if (rest.len < middle.len || memcmp(rest.ptr, middle.ptr, middle.len) != 0)
        return false;
    const arvo_str context = { rest.ptr + middle.len, rest.len - middle.len };
    r->now.status = ARVO_MACHINE_ACTIVE;
    return arvo_json_parse(context, r->arena, &r->now.context, NULL) == ARVO_OK &&
           arvo_json_type_of(r->now.context) == ARVO_JSON_OBJECT;
}

arvo_status
arvo__snapshot_read(run *r, arvo_str text, arvo_error *err)
{
    if (read_plain(r, text))
        return arvo__run_tree_completed(r) ? ARVO_OK : arvo__nomem(err);
    const arvo_json *root = NULL;
    snapshot_parts parts = { 0 };
    arvo_error reason;
    arvo_status st = arvo_json_parse(text, r->arena, &root, &reason);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(err);
    if (st != ARVO_OK)
        return wrong(err, reason.text);
    if (arvo_json_type_of(root) != ARVO_JSON_OBJECT)
        return wrong(err, "it is not an object");
    parts_read(root, &parts);
    if (!status_read(parts.status, &r->now.status))
        return wrong(err, "its status is not active, done, error or stopped");
    st = parts_check(&parts, err);
    if (st != ARVO_OK)
        return st;
    arvo_str what = ARVO_STR_NONE;
    r->now.context = parts.context;
    r->now.output = parts.output;
    r->now.error = parts.error;
    if (!arvo__run_nodes_from_value(r, parts.value, &r->now.nodes, &what))
        return what.ptr != NULL ? wrong(err, what.ptr) : arvo__nomem(err);
    if (!history_read(r, parts.history) || !arvo__run_tree_completed(r))
        return arvo__nomem(err);
    return ARVO_OK;
}

/* ---- Writing ---- */

static void *
text_alloc(void *self, size_t size)
{
    return arvo__arena_alloc(self, size);
}

static void
text_free(void *self, void *ptr, size_t size)
{
    /* The arena's owner rewinds it. */
    (void)self;
    (void)ptr;
    (void)size;
}

#define WRITE_LITERAL(text, literal) run_put((text), (literal), sizeof(literal) - 1)

static void
history_write(const run *r, arvo_buf *text)
{
    for (uint32_t i = 0; i < r->now.history_count; i++) {
        const run_history *const entry = &r->now.history[i];
        if (i > 0)
            arvo_buf_append_char(text, ',');
        arvo_json_write_str(run_state(r, entry->state)->id, text);
        WRITE_LITERAL(text, ":[");
        for (uint32_t k = 0; k < entry->nodes.count; k++) {
            if (k > 0)
                arvo_buf_append_char(text, ',');
            WRITE_LITERAL(text, "{\"id\":");
            arvo_json_write_str(run_state(r, entry->nodes.items[k])->id, text);
            arvo_buf_append_char(text, '}');
        }
        arvo_buf_append_char(text, ']');
    }
}

/* Levels around the context in whatever a snapshot is stored in: itself, a record, and some to
 * spare. */
#define STATE_DEPTH 6u

/* Key order of spec 11.14; returns where the value lies. */
static arvo_str
snapshot_text(const run *r, arvo_buf *text)
{
    if (r->now.status == ARVO_MACHINE_ACTIVE) {
        WRITE_LITERAL(text, "{\"status\":\"active\"");
    } else {
        WRITE_LITERAL(text, "{\"status\":\"");
        run_put_str(text, arvo_str_from(arvo_machine_status_name(r->now.status)));
        WRITE_LITERAL(text, "\"");
    }
    if (r->now.output != NULL) {
        WRITE_LITERAL(text, ",\"output\":");
        arvo__json_write_inside(r->now.output, STATE_DEPTH, text);
    }
    if (r->now.error != NULL) {
        WRITE_LITERAL(text, ",\"error\":");
        arvo_json_write(r->now.error, text);
    }
    WRITE_LITERAL(text, ",\"value\":");
    const size_t from = text->len;
    arvo__run_value_write(r, text);
    const size_t len = text->len - from;
    WRITE_LITERAL(text, ",\"historyValue\":{");
    history_write(r, text);
    WRITE_LITERAL(text, "},\"context\":");
    arvo__json_write_inside(r->now.context, STATE_DEPTH, text);
    WRITE_LITERAL(text, ",\"children\":{}}");
    return (arvo_str){ text->ptr != NULL ? text->ptr + from : NULL, len };
}

bool
arvo__snapshot_write(run *r, size_t size_hint, arvo_machine_output *out)
{
    const arvo_allocator allocator = { text_alloc, text_free, r->arena };
    arvo_buf text = { .bytes_max = ARVO_BUF_BYTES_MAX_DEFAULT, .allocator = &allocator };
    if (arvo_arena_failed(r->arena))
        return arvo__run_nomem(r);
    (void)arvo_buf_reserve(&text, size_hint);
    const arvo_str value_text = snapshot_text(r, &text);
    if (text.status == ARVO_E_TOO_BIG)
        return arvo__run_fail(
            r, "the state cannot be stored: its context or output is nested deeper than %u",
            ARVO_JSON_DEPTH_MAX - STATE_DEPTH);
    if (text.status != ARVO_OK)
        return arvo__run_nomem(r);
    /* Give back what was reserved too much, when nothing lies behind it. */
    const size_t used = (text.len + 7u) & ~(size_t)7u;
    if (text.cap >= used && text.ptr + ((text.cap + 7u) & ~(size_t)7u) == r->arena->cursor)
        r->arena->cursor = text.ptr + used;
    out->state = arvo_buf_str(&text);
    out->value = value_text;
    return true;
}
