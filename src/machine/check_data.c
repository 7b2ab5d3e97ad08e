/* Checks: whether data as it is written in a document can be what a schema asks for. Expressions
 * may become anything, and schemas are read only as far as they are simple: what is refused here is
 * refused at run time, whatever the expressions give. */

#include <math.h>

#include "machine/check.h"

#define DEPTH_MAX 32u /* of data that is looked into */

typedef struct shape {
    machine_check *mc;
    check_rule rule;
    uint16_t state;
    arvo_str type;  /* of the event whose data it is */
    arvo_str help;  /* none: the rule's */
    bool strips;    /* undeclared keys are dropped, or that is not known */
    bool is_silent; /* only asking */
    uint32_t depth;
    arvo_buf pointer;
    size_t base; /* length of the part that leads to the data */
} shape;

static bool refuses(shape *s, const arvo_json *schema, const arvo_json *value);

static bool
holds_expression(const arvo_json *value, uint32_t depth)
{
    if (depth > DEPTH_MAX || arvo__expr_is(arvo_json_str(value)))
        return true;
    for (size_t i = 0; i < arvo_json_count(value); i++)
        if (holds_expression(arvo_json_at(value, i), depth + 1))
            return true;
    return false;
}

static void
say_helping(shape *s, arvo_str help, arvo_str text)
{
    if (s->is_silent)
        return;
    const arvo_str pointer = arvo_buf_str(&s->pointer);
    const arvo_str inner = { pointer.ptr + s->base, pointer.len - s->base };
    arvo__check_at_state(
        s->mc, s->rule, s->state, pointer, help, "data of '%.*s'%s%.*s: %.*s", ARVO_FMT(s->type),
        inner.len > 0 ? " at " : "", ARVO_FMT(inner), ARVO_FMT(text));
}

static void
say(shape *s, arvo_str text)
{
    say_helping(s, s->help, text);
}

/* ---- Types ---- */

static bool
type_is(const arvo_json *value, arvo_str name)
{
    switch (arvo_json_type_of(value)) {
    case ARVO_JSON_NULL:
        return arvo_str_is(name, "null");
    case ARVO_JSON_BOOL:
        return arvo_str_is(name, "boolean");
    case ARVO_JSON_INT:
        return arvo_str_is(name, "integer") || arvo_str_is(name, "number");
    case ARVO_JSON_DOUBLE: {
        const double number = arvo_json_number_or(value, 0);
        return arvo_str_is(name, "number") ||
               (arvo_str_is(name, "integer") && floor(number) >= number);
    }
    case ARVO_JSON_STRING:
        return arvo_str_is(name, "string");
    case ARVO_JSON_ARRAY:
        return arvo_str_is(name, "array");
    default:
        return arvo_str_is(name, "object");
    }
}

static bool
refuses_type(shape *s, const arvo_json *schema, const arvo_json *value)
{
    const arvo_json *const type = arvo_json_get(schema, "type");
    arvo_str names = arvo_json_str(type);
    bool fits = type == NULL || type_is(value, names);
    for (size_t i = 0; i < arvo_json_count(type) && !fits; i++) {
        const arvo_str name = arvo_json_str(arvo_json_at(type, i));
        fits = type_is(value, name);
        names = arvo_arena_printf(
            s->mc->arena, "%.*s%s%.*s", ARVO_FMT(names), i > 0 ? " or " : "", ARVO_FMT(name));
    }
    if (!fits) {
        const arvo_str text = arvo_arena_printf(
            s->mc->arena, "%s where the schema wants %.*s",
            arvo_json_type_name(arvo_json_type_of(value)), ARVO_FMT(names));
        say(s, text);
    }
    return !fits;
}

/* ---- Scalars: whatever the schema says of them alone ---- */

static bool
refuses_scalar(shape *s, const arvo_json *schema, const arvo_json *value)
{
    arvo_schema *compiled = NULL;
    const arvo_schema_opts opts = { .allocator = s->mc->check->allocator };
    arvo_status st = arvo_schema_compile(schema, &opts, &compiled, NULL);
    s->mc->check->has_failed |= st == ARVO_E_NOMEM;
    if (st != ARVO_OK)
        return false; /* refers to what is elsewhere */
    arvo_schema_report report = { 0 };
    st = arvo_schema_check(compiled, value, s->mc->arena, &report, NULL);
    s->mc->check->has_failed |= st == ARVO_E_NOMEM;
    if (st == ARVO_E_INVALID && report.count > 0)
        say(s, report.issues[0].message);
    arvo_schema_free(compiled);
    return st == ARVO_E_INVALID;
}

/* ---- Objects and arrays ---- */

static bool
refuses_missing(shape *s, const arvo_json *schema, const arvo_json *value)
{
    const arvo_json *const required = arvo_json_get(schema, "required");
    const arvo_json *const properties = arvo_json_get(schema, "properties");
    bool refused = false;
    for (size_t i = 0; i < arvo_json_count(required); i++) {
        const arvo_str key = arvo_json_str(arvo_json_at(required, i));
        const arvo_json *const property = arvo_json_get_str(properties, key);
        if (arvo_json_get_str(value, key) != NULL || arvo_json_get(property, "default") != NULL ||
            arvo_json_get(property, "$ref") != NULL)
            continue;
        const bool is_parent = arvo_str_is(key, "parentSubject$$");
        say_helping(
            s,
            is_parent ? ARVO_STR("add parentSubject$$: \"${ .input.subject }\", so that the child "
                                 "answers to this workflow")
                      : s->help,
            arvo_arena_printf(s->mc->arena, "'%.*s' is required, and missing", ARVO_FMT(key)));
        refused = true;
    }
    return refused;
}

static bool
refuses_member(shape *s, const arvo_json *schema, arvo_str key, const arvo_json *value)
{
    const arvo_json *const property = arvo_json_get_str(arvo_json_get(schema, "properties"), key);
    const arvo_json *const additional = arvo_json_get(schema, "additionalProperties");
    if (property != NULL)
        return refuses(s, property, value);
    if (arvo_json_get(schema, "patternProperties") != NULL)
        return false;
    if (arvo_json_type_of(additional) == ARVO_JSON_OBJECT)
        return refuses(s, additional, value);
    if (arvo_json_bool_or(additional, true) || s->strips)
        return false;
    say(s, ARVO_STR("this key is not declared, and the schema allows no others"));
    return true;
}

static bool
refuses_object(shape *s, const arvo_json *schema, const arvo_json *value)
{
    bool refused = refuses_missing(s, schema, value);
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        const size_t mark = s->pointer.len;
        arvo_json_pointer_push(&s->pointer, arvo_json_key_at(value, i));
        refused |= refuses_member(s, schema, arvo_json_key_at(value, i), arvo_json_at(value, i));
        s->pointer.len = mark;
    }
    return refused;
}

static bool
refuses_array(shape *s, const arvo_json *schema, const arvo_json *value)
{
    const arvo_json *const items = arvo_json_get(schema, "items");
    bool refused = false;
    if (arvo_json_get(schema, "prefixItems") != NULL ||
        arvo_json_type_of(items) != ARVO_JSON_OBJECT)
        return false;
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        const size_t mark = s->pointer.len;
        arvo_buf_printf(&s->pointer, "/%zu", i);
        refused |= refuses(s, items, arvo_json_at(value, i));
        s->pointer.len = mark;
    }
    return refused;
}

/* ---- Alternatives ---- */

static bool
refuses_all_of(shape *s, const arvo_json *schema, const arvo_json *value)
{
    const arvo_json *const all = arvo_json_get(schema, "allOf");
    bool refused = false;
    for (size_t i = 0; i < arvo_json_count(all); i++)
        refused |= refuses(s, arvo_json_at(all, i), value);
    return refused;
}

static bool
refuses_any_of(shape *s, const arvo_json *list, const arvo_json *value)
{
    const bool was_silent = s->is_silent;
    bool refused = arvo_json_count(list) > 0;
    s->is_silent = true;
    for (size_t i = 0; i < arvo_json_count(list) && refused; i++)
        refused = refuses(s, arvo_json_at(list, i), value);
    s->is_silent = was_silent;
    if (refused)
        say(s, ARVO_STR("fits none of the alternatives of the schema"));
    return refused;
}

/* Whether `value`, a template, is refused whatever its expressions give. */
static bool
refuses(shape *s, const arvo_json *schema, const arvo_json *value)
{
    if (arvo__expr_is(arvo_json_str(value)) || arvo_json_get(schema, "$ref") != NULL ||
        arvo_json_type_of(schema) != ARVO_JSON_OBJECT || s->depth >= DEPTH_MAX ||
        s->pointer.status != ARVO_OK)
        return false;
    if (refuses_type(s, schema, value))
        return true;
    s->depth++;
    bool refused = false;
    if (arvo_json_type_of(value) == ARVO_JSON_OBJECT)
        refused = refuses_object(s, schema, value);
    else if (arvo_json_type_of(value) == ARVO_JSON_ARRAY)
        refused = refuses_array(s, schema, value);
    else
        refused = refuses_scalar(s, schema, value);
    const bool is_scalar = arvo_json_count(value) == 0 &&
                           arvo_json_type_of(value) != ARVO_JSON_OBJECT &&
                           arvo_json_type_of(value) != ARVO_JSON_ARRAY;
    if (!refused && !is_scalar)
        refused = refuses_all_of(s, schema, value) ||
                  refuses_any_of(s, arvo_json_get(schema, "anyOf"), value) ||
                  refuses_any_of(s, arvo_json_get(schema, "oneOf"), value);
    s->depth--;
    return refused;
}

/* ---- Data ---- */

static bool
strips(const arvo_check *check, arvo_str uri)
{
    for (size_t i = 0; i < check->stripping_count; i++)
        if (arvo_str_equal(check->stripping[i], uri))
            return true;
    return !check->knows_stripping;
}

/* What the parts do not show, the whole may: the schema itself has the last word on constants. */
static void
check_constant(shape *s, const arvo_event_rule *rule, const arvo_json *value)
{
    arvo_error err = { 0 };
    const arvo_json *normal = NULL;
    if (holds_expression(value, 0))
        return;
    const arvo_status st = arvo_schema_normalise(rule->schema, value, s->mc->arena, &normal, &err);
    s->mc->check->has_failed |= st == ARVO_E_NOMEM;
    if (st == ARVO_E_INVALID)
        say(s, arvo_str_from(err.text));
}

static void
check_value(
    shape *s, const arvo_event_rule *rule, arvo_str uri, arvo_str pointer, const arvo_json *value)
{
    s->type = rule->type;
    s->strips = strips(s->mc->check, uri);
    s->pointer = (arvo_buf){ .bytes_max = (size_t)64 * 1024, .allocator = s->mc->check->allocator };
    arvo_buf_append_str(&s->pointer, pointer);
    s->base = s->pointer.len;
    if (value != NULL && !refuses(s, rule->schema_json, value))
        check_constant(s, rule, value);
    s->mc->check->has_failed |= s->pointer.status == ARVO_E_NOMEM;
    arvo_buf_fini(&s->pointer);
}

void
arvo__check_data(
    machine_check *mc, uint16_t state, const arvo_json *params, const arvo_event_rule *rule,
    arvo_str uri)
{
    const arvo_json *data = arvo_json_get(params, "data");
    const bool is_none = arvo_json_is_nullish(data);
    const arvo_str pointer = arvo_arena_printf(
        mc->arena, "%.*s/params%s", ARVO_FMT(arvo_buf_str(&mc->pointer)), is_none ? "" : "/data");
    shape s = { .mc = mc, .rule = CHECK_REFUSED_DATA, .state = state };
    if (is_none) { /* as the orchestrator has it then */
        data = arvo_json_null();
        s.help = ARVO_STR("add `data`");
    }
    check_value(&s, rule, uri, pointer, data);
}

void
arvo__check_output(machine_check *mc)
{
    const arvo_contract_version *const self = mc->machine->self;
    const arvo_json *output = arvo_json_get(mc->root, "output");
    if (self == NULL || self->emit_count == 0 ||
        !arvo__check_may_be_done(mc->machine, mc->reachable, CHART_ROOT))
        return;
    const bool is_none = output == NULL;
    if (is_none)
        output = arvo_json_object_new(mc->arena);
    shape s = { .mc = mc, .rule = CHECK_REFUSED_OUTPUT, .state = CHART_ROOT };
    if (is_none)
        s.help = ARVO_STR("give the machine an `output`: without one it is {}");
    check_value(
        &s, &self->emits[0], self->uri, is_none ? ARVO_STR("") : ARVO_STR("/output"), output);
}
