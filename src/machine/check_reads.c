/* Checks: what expressions read. Only what runs natively is looked into, for only there the parts
 * of an expression are known; paths from the scope are what people write most. */

#include "machine/check.h"
#include "machine/expr_internal.h"

#define PATH_KEYS_MAX 16u
#define DEPTH_MAX     200u

/* A path from the scope: .event.data.price is slot EXPR_EVENT, keys data, price. */
typedef struct read_path {
    uint8_t slot;
    arvo_str keys[PATH_KEYS_MAX];
    size_t count;
} read_path;

/* One read of a field that an event may lack: at one place, from all the events that it sees. */
struct check_read {
    struct check_read *next;
    arvo_str pointer;
    arvo_str name; /* the path */
    arvo_str type; /* of the event that lacks it */
    arvo_str help;
    uint16_t state;
    bool is_had; /* some event has it, or may have it */
};

typedef struct reads {
    machine_check *mc;
    const check_where *where;
} reads;

/* ---- Paths ---- */

/* The keys of a node that is a path from the scope. False: it is none, or one that is too long. */
static bool
path_of(const expr_node *node, read_path *out)
{
    if (node->kind == EXPR_SCOPE) {
        *out = (read_path){ .slot = node->slot };
        return true;
    }
    arvo_str key = node->text;
    if (node->kind == EXPR_INDEX && node->b != NULL && node->b->kind == EXPR_LITERAL)
        key = arvo_json_str(node->b->value);
    else if (node->kind != EXPR_FIELD)
        return false;
    if (node->a == NULL || key.ptr == NULL || !path_of(node->a, out) || out->count == PATH_KEYS_MAX)
        return false;
    out->keys[out->count++] = key;
    return true;
}

static arvo_str
path_text(machine_check *mc, const read_path *path)
{
    arvo_str text =
        arvo_arena_printf(mc->arena, ".%.*s", ARVO_FMT(arvo__expr_scope_names[path->slot]));
    for (size_t i = 0; i < path->count; i++)
        text = arvo_arena_printf(mc->arena, "%.*s.%.*s", ARVO_FMT(text), ARVO_FMT(path->keys[i]));
    return text;
}

/* ---- What a schema has ---- */

/* Keywords that may bring in keys which are not seen here. */
static bool
is_opaque(const arvo_json *schema)
{
    static const char *const keys[] = { "$ref", "allOf", "if", "dependentSchemas",
                                        "patternProperties" };
    for (size_t i = 0; i < ARVO_COUNT_OF(keys); i++)
        if (arvo_json_get(schema, keys[i]) != NULL)
            return true;
    return arvo_json_type_of(schema) != ARVO_JSON_OBJECT;
}

static bool
allows_object(const arvo_json *schema)
{
    const arvo_json *const type = arvo_json_get(schema, "type");
    bool allows = type == NULL || arvo_str_is(arvo_json_str(type), "object");
    for (size_t i = 0; i < arvo_json_count(type); i++)
        allows = allows || arvo_str_is(arvo_json_str(arvo_json_at(type, i)), "object");
    return allows;
}

static bool may_have(const arvo_json *schema, const arvo_str *keys, size_t count, size_t depth);

static bool
any_may_have(const arvo_json *list, const arvo_str *keys, size_t count, size_t depth)
{
    for (size_t i = 0; i < arvo_json_count(list); i++)
        if (may_have(arvo_json_at(list, i), keys, count, depth + 1))
            return true;
    return false;
}

/* Whether normalised data may have something at the keys; a value that is no object has nothing. */
static bool
may_have(const arvo_json *schema, const arvo_str *keys, size_t count, size_t depth)
{
    if (count == 0 || depth > PATH_KEYS_MAX || is_opaque(schema))
        return true;
    const arvo_json *const any = arvo_json_get(schema, "anyOf");
    const arvo_json *const one = arvo_json_get(schema, "oneOf");
    const arvo_json *const properties = arvo_json_get(schema, "properties");
    const arvo_json *const property = arvo_json_get_str(properties, keys[0]);
    if (property != NULL)
        return may_have(property, keys + 1, count - 1, depth + 1);
    if (any != NULL || one != NULL)
        return any_may_have(any, keys, count, depth) || any_may_have(one, keys, count, depth);
    if (!allows_object(schema))
        return arvo_json_get(schema, "type") == NULL;
    const arvo_json *const additional = arvo_json_get(schema, "additionalProperties");
    return arvo_json_count(properties) == 0 ||
           (additional != NULL && arvo_json_bool_or(additional, true));
}

/* ---- unknown-field ---- */

static void
note_read(reads *r, const read_path *path, arvo_str type, bool is_had, arvo_str help)
{
    machine_check *const mc = r->mc;
    const arvo_str pointer = arvo_buf_str(&mc->pointer);
    const arvo_str name = path_text(mc, path);
    for (check_read *read = mc->reads; read != NULL; read = read->next)
        if (arvo_str_equal(read->pointer, pointer) && arvo_str_equal(read->name, name)) {
            read->is_had |= is_had;
            return;
        }
    check_read *const read = arvo_arena_calloc(mc->arena, 1, sizeof(*read));
    if (read == NULL)
        return;
    *read = (check_read){ .next = mc->reads,
                          .pointer = arvo_arena_str_dup(mc->arena, pointer),
                          .name = name,
                          .type = type,
                          .help = help,
                          .state = r->where->state,
                          .is_had = is_had };
    mc->reads = read;
}

static bool
is_attribute(arvo_str key)
{
    static const char *const names[] = {
        "id",         "source",          "specversion",    "type",        "subject",
        "time",       "datacontenttype", "dataschema",     "data",        "to",
        "redirectto", "accesscontrol",   "executionunits", "traceparent", "tracestate",
        "parentid",   "domain",          "data_base64",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(names); i++)
        if (arvo_str_is(key, names[i]))
            return true;
    return false;
}

/* A path into an event whose data the rule describes. What is not an attribute may be an extension,
 * unless it is what the data has: then `.data` was forgotten. */
static void
read_of_event(reads *r, const read_path *path, const arvo_event_rule *rule)
{
    if (path->count == 0)
        return;
    if (arvo_str_is(path->keys[0], "data")) {
        note_read(
            r, path, rule->type, may_have(rule->schema_json, path->keys + 1, path->count - 1, 0),
            ARVO_STR_NONE);
        return;
    }
    const arvo_json *const properties = arvo_json_get(rule->schema_json, "properties");
    const bool is_forgotten =
        !is_attribute(path->keys[0]) && arvo_json_get_str(properties, path->keys[0]) != NULL;
    arvo_str help = ARVO_STR_NONE;
    if (is_forgotten)
        help = arvo_arena_printf(
            r->mc->arena, "write .%.*s.data.%.*s", ARVO_FMT(arvo__expr_scope_names[path->slot]),
            ARVO_FMT(path->keys[0]));
    note_read(r, path, rule->type, !is_forgotten, help);
}

/* The rule of the one event that the place sees; NULL: it may see several, or an unknown one. */
static const arvo_event_rule *
event_rule(const reads *r)
{
    const arvo_machine *const machine = r->mc->machine;
    const arvo_event_rule *rule = NULL;
    const arvo_str type = r->where->event;
    if (type.ptr == NULL || machine->self == NULL)
        return NULL;
    if (arvo__map_find(&r->mc->raised, type) != NULL)
        return NULL;
    if (arvo_str_equal(type, machine->self->accepts.type)) /* a second start */
        return &machine->self->accepts;
    return arvo_machine_service_emitting(machine, type, &rule) != NULL ? rule : NULL;
}

static void
read_path_of(reads *r, const read_path *path, bool is_tolerant)
{
    machine_check *const mc = r->mc;
    if (path->slot == EXPR_CONTEXT && path->count > 0)
        arvo__check_context_read(mc, r->where, path->keys[0]);
    if (is_tolerant || mc->machine->self == NULL)
        return;
    if (path->slot == EXPR_INPUT)
        read_of_event(r, path, &mc->machine->self->accepts);
    if (path->slot != EXPR_EVENT || r->where->slot == CHECK_SLOT_NAMED)
        return;
    const arvo_event_rule *const rule = event_rule(r);
    if (rule != NULL && !mc->raises_any)
        read_of_event(r, path, rule);
    else
        note_read(r, path, ARVO_STR_NONE, true, ARVO_STR_NONE);
}

/* `a // b` asks whether there is an a, so it may be missing. */
static void
read_node(reads *r, const expr_node *node, bool is_tolerant, uint32_t depth)
{
    read_path path;
    if (node == NULL || depth > DEPTH_MAX)
        return;
    if (path_of(node, &path)) {
        read_path_of(r, &path, is_tolerant || node->optional);
        return;
    }
    const bool asks = node->kind == EXPR_ALTERNATIVE;
    read_node(r, node->a, is_tolerant || asks, depth + 1);
    read_node(r, node->b, is_tolerant, depth + 1);
    read_node(r, node->c, is_tolerant, depth + 1);
    for (uint32_t i = 0; node->items != NULL && i < node->count; i++)
        read_node(r, node->items[i], is_tolerant, depth + 1);
}

void
arvo__check_expression(machine_check *mc, const check_where *where, arvo_str program)
{
    arvo_arena *const scratch = arvo_arena_new(
        &(arvo_arena_opts){ .allocator = mc->check->allocator, .chunk_bytes = 8192 });
    expr_tokens tokens;
    expr_native native = { 0 };
    reads r = { .mc = mc, .where = where };
    if (scratch == NULL) {
        mc->check->has_failed = true;
        return;
    }
    arvo_status st = arvo__expr_lex(program, scratch, &tokens, NULL);
    if (st == ARVO_OK)
        st = arvo__expr_parse(program, &tokens, scratch, &native);
    if (st == ARVO_OK)
        read_node(&r, native.root, false, 0);
    mc->check->has_failed |= st == ARVO_E_NOMEM;
    arvo_arena_free(scratch);
}

void
arvo__check_fields(machine_check *mc)
{
    for (const check_read *read = mc->reads; read != NULL; read = read->next)
        if (!read->is_had)
            arvo__check_at_state(
                mc, CHECK_UNKNOWN_FIELD, read->state, read->pointer, read->help,
                "%.*s is never there: the schema of '%.*s' does not have it", ARVO_FMT(read->name),
                ARVO_FMT(read->type));
}
