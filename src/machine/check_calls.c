/* Checks: what goes out and what comes back: emissions, the replies to them, handled events. */

#include "machine/check.h"

#define NAMES_BYTES_MAX 400u /* of a list of types in a message */

/* ---- undeclared-event ---- */

/* Whether an event of the type may come: from outside, from a raise, or from the machine itself. */
static bool
type_may_come(const machine_check *mc, arvo_str type)
{
    return arvo_str_starts(type, ARVO_STR("xstate.")) ||
           arvo_str_equal(type, mc->machine->self->accepts.type) ||
           arvo_machine_service_emitting(mc->machine, type, NULL) != NULL ||
           arvo__map_find(&mc->raised, type) != NULL;
}

static bool
wildcard_may_match(const machine_check *mc, const chart_handler *handler)
{
    const arvo_machine *const machine = mc->machine;
    static const arvo_str own = { "xstate.init", 11 };
    if (chart_wildcard_matches(handler, machine->self->accepts.type) ||
        chart_wildcard_matches(handler, own) || mc->raised.count > 0)
        return true;
    for (size_t i = 0; i < machine->emitted_count; i++)
        if (chart_wildcard_matches(handler, machine->emitted[i].type))
            return true;
    return false;
}

/* The contract of the set that emits a type, or fails with it. */
static const arvo_contract_version *
emitter_find(const arvo_contracts *contracts, arvo_str type)
{
    for (size_t i = 0; contracts != NULL && i < arvo_contracts_count(contracts); i++) {
        const arvo_contract *const contract = arvo_contracts_at(contracts, i);
        for (size_t v = arvo_contract_version_count(contract); v-- > 0;) {
            const arvo_contract_version *const version = arvo_contract_version_at(contract, v);
            if (arvo_contract_version_emit_find(version, type) != NULL)
                return version;
        }
    }
    return NULL;
}

/* The nearest of what may come. */
static arvo_str
handler_help(machine_check *mc, arvo_str type)
{
    const arvo_machine *const machine = mc->machine;
    arvo_str *const names =
        arvo_arena_calloc(mc->arena, machine->emitted_count + 1, sizeof(*names));
    for (size_t i = 0; names != NULL && i < machine->emitted_count; i++)
        names[i] = machine->emitted[i].type;
    return names != NULL ? arvo__check_suggest(mc->arena, type, names, machine->emitted_count)
                         : ARVO_STR_NONE;
}

void
arvo__check_handler(machine_check *mc, const check_where *where, const chart_handler *handler)
{
    if (mc->machine->self == NULL || mc->raises_any)
        return;
    const arvo_str type = handler->descriptor;
    const bool is_wildcard = arvo_str_is(type, "*") || handler->prefix.ptr != NULL;
    if (is_wildcard ? wildcard_may_match(mc, handler) : type_may_come(mc, type))
        return;
    const arvo_contract_version *const emitter =
        is_wildcard ? NULL : emitter_find(mc->machine->contracts, type);
    if (emitter == NULL)
        arvo__check_at_state(
            mc, CHECK_UNDECLARED_EVENT, where->state, arvo_buf_str(&mc->pointer),
            is_wildcard ? ARVO_STR_NONE : handler_help(mc, type),
            "no contract of this machine emits '%.*s', and nothing raises it", ARVO_FMT(type));
    else
        arvo__check_at_state(
            mc, CHECK_UNDECLARED_EVENT, where->state, arvo_buf_str(&mc->pointer),
            emitter->is_orchestrator && emitter == mc->machine->self
                ? ARVO_STR("remove it: a workflow does not get its own answers")
                : ARVO_STR("list its contract, in that version, under contracts.services"),
            "'%.*s' comes from '%.*s', which this machine does not list", ARVO_FMT(type),
            ARVO_FMT(emitter->dataschema));
}

/* ---- unhandled-reply ---- */

static bool
transitions_of(const chart_state *s, arvo_str type)
{
    for (uint32_t i = 0; i < s->handler_count; i++)
        if (arvo_str_equal(s->handlers[i].descriptor, type))
            return true;
    for (uint32_t i = 0; i < s->wildcard_count; i++)
        if (chart_wildcard_matches(s->wildcards[i], type))
            return true;
    return false;
}

static bool
is_handled(const check_reach *after, arvo_str type)
{
    for (uint32_t i = 0; i < after->machine->state_count; i++)
        if (after->seen[i] && transitions_of(&after->machine->states[i], type))
            return true;
    return false;
}

/* Whether the workflow may wait for anything at all, so that a reply finds it at work. */
static bool
waits_anywhere(const check_reach *after)
{
    for (uint32_t i = 0; i < after->machine->state_count; i++) {
        const chart_state *const s = &after->machine->states[i];
        bool passes = false;
        for (uint32_t k = 0; k < s->always.count; k++)
            passes = passes || s->always.items[k].guard == NULL;
        if (after->seen[i] && s->type == CHART_ATOMIC && !passes)
            return true;
    }
    return false;
}

/* The state is active, in whatever of its states, and so are the other regions around it. */
static void
after_state(const machine_check *mc, check_reach *after, uint16_t state)
{
    const arvo_machine *const machine = mc->machine;
    uint16_t outermost = state;
    for (uint16_t at = state; at != CHART_NONE; at = machine->states[at].parent) {
        arvo__check_reach_add(after, at);
        if (machine->states[at].type == CHART_PARALLEL)
            outermost = at;
    }
    for (uint32_t i = outermost; i < machine->states[outermost].end; i++)
        if (mc->reachable[i])
            arvo__check_reach_add(after, (uint16_t)i);
}

/* What may be active from the moment of an action on. */
static bool
after_action(const machine_check *mc, const check_where *where, check_reach *after)
{
    if (!arvo__check_reach_init(after, mc->machine, mc->arena))
        return false;
    after->history = mc->reachable;
    const chart_transition *const t = where->transition;
    if (t == NULL || t->targets.count == 0)
        after_state(mc, after, where->state);
    for (uint32_t i = 0; t != NULL && i < t->targets.count; i++) {
        arvo__check_reach_enter(after, t->targets.items[i]);
        after_state(mc, after, t->targets.items[i]);
    }
    arvo__check_reach_follow(after);
    return true;
}

static arvo_str
names_add(machine_check *mc, arvo_str names, arvo_str name)
{
    if (names.len > NAMES_BYTES_MAX)
        return names;
    return arvo_arena_printf(
        mc->arena, "%.*s%s'%.*s'", ARVO_FMT(names), names.len > 0 ? ", " : "", ARVO_FMT(name));
}

/* Whether an emission may go to a program of this app; one for other domains than `default` goes to
 * whoever serves them, a person, say, who does not fail. */
static bool
may_be_default(const arvo_json *params)
{
    const arvo_json *const domains = arvo_json_get(params, "domains");
    if (arvo_json_type_of(domains) != ARVO_JSON_ARRAY)
        return true;
    for (size_t i = 0; i < arvo_json_count(domains); i++)
        if (arvo__expr_is(arvo_json_str(arvo_json_at(domains, i))) ||
            arvo_str_is(arvo_json_str(arvo_json_at(domains, i)), "default"))
            return true;
    return false;
}

static void
check_replies(
    machine_check *mc, const check_where *where, arvo_str pointer, const arvo_json *params,
    const arvo_contract_version *service)
{
    const arvo_arena_mark mark = arvo_arena_mark_get(mc->arena);
    check_reach after;
    arvo_str names = ARVO_STR("");
    if (!mc->reachable[where->state] || !after_action(mc, where, &after) || !waits_anywhere(&after))
        return;
    /* Replies go to whom the call names; errors come back to the caller. */
    const bool is_redirected = !arvo_json_is_nullish(arvo_json_get(params, "redirectto"));
    for (size_t i = 0; i < service->emit_count && !is_redirected; i++)
        if (!is_handled(&after, service->emits[i].type))
            names = names_add(mc, names, service->emits[i].type);
    if (may_be_default(params) && !is_handled(&after, service->system_error.type))
        names = names_add(mc, names, service->system_error.type);
    if (names.len == 0) {
        if (!arvo_arena_failed(mc->arena)) /* rewinding would forget it */
            arvo_arena_rewind(mc->arena, mark);
        return;
    }
    arvo__check_at_state(
        mc, CHECK_UNHANDLED_REPLY, where->state, pointer, ARVO_STR_NONE,
        "no state after this call of '%.*s' handles %.*s", ARVO_FMT(service->accepts.type),
        ARVO_FMT(names));
}

/* ---- Emissions ---- */

static bool
is_declared(const arvo_contracts *contracts, arvo_str type)
{
    return arvo_contracts_find_type(contracts, type) != NULL ||
           emitter_find(contracts, type) != NULL;
}

static arvo_str
emission_help(machine_check *mc, arvo_str type)
{
    const arvo_machine *const machine = mc->machine;
    arvo_str *const names =
        arvo_arena_calloc(mc->arena, machine->accepted_count + 1, sizeof(*names));
    for (size_t i = 0; names != NULL && i < machine->accepted_count; i++)
        names[i] = machine->accepted[i].type;
    return names != NULL ? arvo__check_suggest(mc->arena, type, names, machine->accepted_count)
                         : ARVO_STR_NONE;
}

static void
check_stranger(
    machine_check *mc, const check_where *where, arvo_str pointer, const arvo_json *params,
    arvo_str type)
{
    const arvo_contract *const contract = arvo_contracts_find_type(mc->machine->contracts, type);
    if (contract != NULL)
        arvo__check_at_state(
            mc, CHECK_UNLISTED_SERVICE, where->state, pointer, ARVO_STR_NONE,
            "'%.*s' is a service's, whose contract '%.*s' this machine does not list",
            ARVO_FMT(type), ARVO_FMT(arvo_contract_uri(contract)));
    else if (may_be_default(params) && !is_declared(mc->machine->contracts, type))
        arvo__check_at_state(
            mc, CHECK_UNDECLARED_EMISSION, where->state, pointer, emission_help(mc, type),
            "no contract declares '%.*s', so nobody checks what it says", ARVO_FMT(type));
}

/* Those that are constant within a list that is not wholly so. */
static void
check_domains(machine_check *mc, const check_where *where, const arvo_json *domains)
{
    for (size_t i = 0; i < arvo_json_count(domains); i++) {
        const arvo_json *const item = arvo_json_at(domains, i);
        if (arvo__expr_is(arvo_json_str(item)) || arvo_domain_is_valid(arvo_json_str(item)))
            continue;
        const arvo_str pointer = arvo_arena_printf(
            mc->arena, "%.*s/params/domains/%zu", ARVO_FMT(arvo_buf_str(&mc->pointer)), i);
        arvo__check_at_state(
            mc, CHECK_BAD_DOMAINS, where->state, pointer, ARVO_STR_NONE,
            "this is no domain: a-z, 0-9 and dots, and not `all`, which is reserved");
    }
}

void
arvo__check_emission(machine_check *mc, const check_where *where, const arvo_json *params)
{
    const arvo_json *const type_json = arvo_json_get(params, "type");
    const arvo_str type = arvo_json_str(type_json);
    if (arvo_json_type_of(params) != ARVO_JSON_OBJECT || mc->machine->self == NULL)
        return;
    if (arvo_json_type_of(arvo_json_get(params, "domains")) == ARVO_JSON_ARRAY)
        check_domains(mc, where, arvo_json_get(params, "domains"));
    if (type.len == 0 || arvo__expr_is(arvo_json_str(type_json)))
        return;
    const arvo_str here = arvo_buf_str(&mc->pointer);
    const arvo_str pointer = arvo_arena_printf(mc->arena, "%.*s/params/type", ARVO_FMT(here));
    const arvo_contract_version *const service = arvo_machine_service_find(mc->machine, type);
    if (service == NULL) {
        /* Who gives the schema of the data himself knows that no contract does. */
        if (arvo_json_get(params, "dataschema") == NULL)
            check_stranger(mc, where, pointer, params, type);
        return;
    }
    arvo__check_data(mc, where->state, params, &service->accepts, service->uri);
    if (!mc->is_repaired && where->slot != CHECK_SLOT_NAMED)
        check_replies(mc, where, pointer, params, service);
}
