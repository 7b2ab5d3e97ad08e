/* Emissions at run time: from templates or a whole object to an arvo_emission. */

#include "machine/run.h"

static bool
field_wrong(run *r, emission_field field, const char *rule, const arvo_json *value)
{
    return arvo__run_fail(
        r, "an emission's %s must be %s, not a value of type %s", arvo__emission_fields[field],
        rule, arvo_json_type_name(arvo_json_type_of(value)));
}

static bool
field_str(run *r, emission_field field, const arvo_json *value, arvo_str *out)
{
    *out = arvo_json_str(value);
    return out->len > 0 || field_wrong(r, field, "a string that is not empty", value);
}

/* Null means "not given", except of data, which is whatever the machine says. */
static bool
field_set(run *r, arvo_emission *emission, emission_field field, const arvo_json *value)
{
    if (field == EMISSION_DATA) {
        emission->data = value;
        return true;
    }
    if (arvo_json_is_nullish(value) && field != EMISSION_TYPE)
        return true;
    switch (field) {
    case EMISSION_TYPE:
        return field_str(r, field, value, &emission->type);
    case EMISSION_TO:
        return field_str(r, field, value, &emission->to);
    case EMISSION_REDIRECTTO:
        return field_str(r, field, value, &emission->redirectto);
    case EMISSION_ACCESSCONTROL:
        return field_str(r, field, value, &emission->accesscontrol);
    case EMISSION_DATASCHEMA:
        return field_str(r, field, value, &emission->dataschema);
    case EMISSION_ID:
        return field_str(r, field, value, &emission->id);
    case EMISSION_DOMAINS:
        emission->domains = value;
        return arvo_json_type_of(value) == ARVO_JSON_ARRAY ||
               field_wrong(r, field, "a list of domains", value);
    case EMISSION_EXECUTIONUNITS:
        emission->executionunits = value;
        return arvo_json_is_number(value) || field_wrong(r, field, "a number", value);
    case EMISSION_EXTENSIONS:
        emission->extensions = value;
        return arvo_json_type_of(value) == ARVO_JSON_OBJECT ||
               field_wrong(r, field, "an object", value);
    case EMISSION_DATA:
    case EMISSION_FIELD_COUNT:
        break;
    }
    return true;
}

static bool
emission_add(run *r, const arvo_emission *emission)
{
    if (r->emission_count >= ARVO_MACHINE_EMISSIONS_MAX)
        return arvo__run_fail(r, "one step emits more than %u events", ARVO_MACHINE_EMISSIONS_MAX);
    arvo_emission *const list =
        arvo__run_grow(r, r->emissions, r->emission_count, &r->emission_cap, sizeof(*list));
    if (list == NULL)
        return false;
    r->emissions = list;
    list[r->emission_count++] = *emission;
    return true;
}

bool
arvo__run_emit_slots(run *r, const chart_action *action, const arvo_json *params)
{
    arvo_emission emission = { 0 };
    for (uint32_t i = 0; i < action->slot_count; i++) {
        const chart_slot *const slot = &action->slots[i];
        const arvo_json *value = NULL;
        if (!arvo__run_eval(r, slot->value, params, &value) ||
            !field_set(r, &emission, (emission_field)slot->field, value))
            return false;
    }
    return emission_add(r, &emission);
}

bool
arvo__run_emit_object(run *r, const arvo_json *object)
{
    if (arvo_json_type_of(object) != ARVO_JSON_OBJECT)
        return arvo__run_fail(
            r, "an emission must be an object, not a value of type %s",
            arvo_json_type_name(arvo_json_type_of(object)));
    arvo_emission emission = { 0 };
    for (size_t i = 0; i < arvo_json_count(object); i++) {
        const arvo_str key = arvo_json_key_at(object, i);
        const emission_field field = arvo__emission_field_find(key);
        if (field == EMISSION_FIELD_COUNT)
            return arvo__run_fail(r, "an emission has no key '%.*s'", ARVO_FMT(key));
        if (!field_set(r, &emission, field, arvo_json_at(object, i)))
            return false;
    }
    if (emission.type.ptr == NULL)
        return arvo__run_fail(r, "an emission needs a `type`, an event type");
    return emission_add(r, &emission);
}
