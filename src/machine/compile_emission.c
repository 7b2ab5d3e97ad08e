/* Compiling emissions: which keys an emitted event may have, and what is wrong with constant ones.
 */

#include "event/internal.h"
#include "machine/compile.h"

static const compile_key emission_keys[] = {
    { "type", NULL },
    { "data", NULL },
    { "domains", NULL },
    { "to", NULL },
    { "redirectto", NULL },
    { "accesscontrol", NULL },
    { "executionunits", NULL },
    { "dataschema", NULL },
    { "id", NULL },
    { "extensions", NULL },
    { "source", "an event's source is its orchestrator: remove it" },
    { "subject",
      "an event's subject is the workflow's (a child's start event gets one of its own): "
      "remove it" },
    { 0 },
};

/* A workflow that is started without being listed would get this one's subject, and never begin. */
static arvo_status
check_child(compiler *c, arvo_str type)
{
    if (!arvo_str_starts(type, ARVO_STR(ARVO_RESERVED_PREFIX)) ||
        arvo_machine_service_find(c->machine, type) != NULL)
        return ARVO_OK;
    const bool is_own = arvo_str_equal(type, c->machine->self->accepts.type);
    arvo__compile_rule(c, is_own ? CHECK_CIRCULAR_SERVICES : CHECK_UNLISTED_SERVICE);
    if (is_own)
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "'%.*s' starts this workflow itself: a workflow cannot start its own kind",
            ARVO_FMT(type));
    const arvo_contract *contract = arvo_contracts_find_type(c->setup->contracts, type);
    if (contract == NULL)
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "'%.*s' belongs to orchestrators: of their events a workflow emits only the start of "
            "one "
            "that is listed under contracts.services",
            ARVO_FMT(type));
    return arvo__compile_fail(
        c, ARVO_E_INVALID,
        "'%.*s' starts another workflow: list its contract '%.*s' under contracts.services",
        ARVO_FMT(type), ARVO_FMT(arvo_contract_uri(contract)));
}

static arvo_status
check_type(compiler *c, const arvo_json *value)
{
    const arvo_str type = arvo_json_str(value);
    if (type.len == 0)
        return arvo__compile_fail(c, ARVO_E_INVALID, "an emission needs a `type`, an event type");
    /* Without contracts the machine is only simulated, and may use any names. */
    const arvo_contract_version *const self = c->machine->self;
    if (self == NULL)
        return ARVO_OK;
    if (!arvo_event_type_is_valid(type))
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "'%.*s' is no event type: three or more segments of a-z and 0-9, joined by dots",
            ARVO_FMT(type));
    if (self->emit_count > 0 && arvo_str_equal(type, self->emits[0].type))
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "'%.*s' is this workflow's completion: reach a final state of the root instead",
            ARVO_FMT(type));
    if (arvo_str_equal(type, self->system_error.type))
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "'%.*s' says that this workflow failed, which is Arvo's to say: end in a final state",
            ARVO_FMT(type));
    return check_child(c, type);
}

static arvo_status
check_domains(compiler *c, const arvo_json *value)
{
    if (arvo_json_type_of(value) == ARVO_JSON_NULL)
        return ARVO_OK;
    arvo__compile_rule(c, CHECK_BAD_DOMAINS);
    if (arvo_json_type_of(value) != ARVO_JSON_ARRAY || arvo_json_count(value) == 0)
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "must be a list of at least one domain; leave it out for `default`");
    for (size_t i = 0; i < arvo_json_count(value); i++) {
        const arvo_str domain = arvo_json_str(arvo_json_at(value, i));
        if (!arvo_domain_is_valid(domain))
            return arvo__compile_fail(
                c, ARVO_E_INVALID,
                "item %zu is no domain: a-z, 0-9 and dots, and not `all`, which is reserved", i);
    }
    return ARVO_OK;
}

static arvo_status
check_string(compiler *c, const arvo_json *value)
{
    if (arvo_json_is_nullish(value) || arvo_json_str(value).len > 0)
        return ARVO_OK;
    return arvo__compile_fail(c, ARVO_E_INVALID, "must be a string that is not empty");
}

static arvo_status
check_object(compiler *c, const arvo_json *value)
{
    if (arvo_json_is_nullish(value) || arvo_json_type_of(value) == ARVO_JSON_OBJECT)
        return ARVO_OK;
    return arvo__compile_fail(c, ARVO_E_INVALID, "must be an object");
}

/* Names are literal even where values are expressions, whose text is as good as what they give. */
static arvo_status
check_extensions(compiler *c, const arvo_json *value)
{
    for (size_t i = 0; arvo_json_type_of(value) == ARVO_JSON_OBJECT && i < arvo_json_count(value);
         i++) {
        const arvo_str key = arvo_json_key_at(value, i);
        const char *const fault = arvo__event_extension_fault(key, arvo_json_at(value, i));
        if (fault == NULL)
            continue;
        const size_t mark = arvo__compile_enter(c, key);
        const arvo_status st = arvo__compile_fail(c, ARVO_E_INVALID, "the extension %s", fault);
        arvo__compile_leave(c, mark);
        return st;
    }
    return ARVO_OK;
}

static arvo_status
check_units(compiler *c, const arvo_json *value)
{
    if (arvo_json_is_nullish(value) ||
        (arvo_json_is_number(value) && arvo_json_number_or(value, -1) >= 0))
        return ARVO_OK;
    return arvo__compile_fail(c, ARVO_E_INVALID, "must be a number, 0 or more");
}

static arvo_status (*const constant_checks[EMISSION_FIELD_COUNT])(
    compiler *c, const arvo_json *value) = {
    [EMISSION_TYPE] = check_type,
    [EMISSION_DATA] = check_object,
    [EMISSION_DOMAINS] = check_domains,
    [EMISSION_TO] = check_string,
    [EMISSION_REDIRECTTO] = check_string,
    [EMISSION_ACCESSCONTROL] = check_string,
    [EMISSION_EXECUTIONUNITS] = check_units,
    [EMISSION_DATASCHEMA] = check_string,
    [EMISSION_ID] = check_string,
    [EMISSION_EXTENSIONS] = check_object,
};

static arvo_status
compile_field(compiler *c, const arvo_json *value, chart_slot *slot)
{
    slot->field = arvo__emission_field_find(slot->key);
    arvo_status st = slot->field == EMISSION_EXTENSIONS ? check_extensions(c, value) : ARVO_OK;
    if (st != ARVO_OK)
        return st;
    st = arvo__compile_template(c, value, &slot->value);
    const arvo_json *constant = NULL;
    if (st != ARVO_OK || !arvo__template_is_constant(slot->value, &constant))
        return st;
    /* Data without contracts is anybody's business. */
    if (slot->field == EMISSION_DATA && c->machine->self == NULL)
        return ARVO_OK;
    const arvo_status checked = constant_checks[slot->field](c, constant);
    if (checked == ARVO_OK)
        arvo__compile_rule(c, CHECK_RULE_COUNT);
    return checked;
}

static arvo_status
compile_fields(compiler *c, const arvo_json *params, chart_action *out)
{
    arvo_status st = arvo__compile_keys(c, params, emission_keys, "an emission");
    if (st != ARVO_OK)
        return st;
    if (arvo_json_get(params, "type") == NULL)
        return check_type(c, NULL);
    const size_t count = arvo_json_count(params);
    chart_slot *const slots = arvo__compile_alloc(c, count, sizeof(*slots));
    if (slots == NULL)
        return arvo__nomem(c->err);
    for (size_t i = 0; i < count && st == ARVO_OK; i++) {
        slots[i].key = arvo_json_key_at(params, i);
        const size_t mark = arvo__compile_enter(c, slots[i].key);
        st = compile_field(c, arvo_json_at(params, i), &slots[i]);
        arvo__compile_leave(c, mark);
    }
    out->kind = CHART_ACTION_EMIT;
    out->slots = slots;
    out->slot_count = (uint32_t)count;
    return st;
}

arvo_status
arvo__compile_emission(compiler *c, const arvo_json *params, chart_action *out)
{
    if (arvo_json_type_of(params) == ARVO_JSON_OBJECT)
        return compile_fields(c, params, out);
    if (arvo_json_type_of(params) == ARVO_JSON_STRING) {
        out->kind = CHART_ACTION_EMIT_OBJECT;
        const arvo_status st = arvo__compile_template(c, params, &out->template_);
        if (st != ARVO_OK || arvo__template_is_expression(out->template_))
            return st;
    }
    return arvo__compile_fail(c, ARVO_E_INVALID, "an emission is an object: {type, data, ...}");
}
