/* Compiling machines: id, version, the contract a machine fulfils and the services it may call. */

#include <stdlib.h>

#include "machine/compile.h"

static const compile_key contracts_keys[] = { { "self", NULL }, { "services", NULL }, { 0 } };
static const compile_key reference_keys[] = { { "uri", NULL }, { "version", NULL }, { 0 } };

/* "#/uri", or {uri, version}. */
static arvo_status
reference_read(compiler *c, const arvo_json *json, arvo_str *uri, arvo_str *version)
{
    *version = ARVO_STR_NONE;
    *uri = arvo_json_str(json);
    arvo_status st = ARVO_OK;
    if (arvo_json_type_of(json) == ARVO_JSON_OBJECT) {
        st = arvo__compile_keys(c, json, reference_keys, "a reference to a contract");
        *uri = arvo_json_str(arvo_json_get(json, "uri"));
        if (st == ARVO_OK)
            st = arvo__compile_str(c, json, "version", version);
    }
    if (st == ARVO_OK && uri->len == 0)
        st = arvo__compile_fail(c, ARVO_E_INVALID, "must be a contract's URI, or {uri, version}");
    return st;
}

static arvo_status
contract_find(compiler *c, arvo_str uri, const arvo_contract **out)
{
    *out = c->setup->contracts != NULL ? arvo_contracts_find(c->setup->contracts, uri) : NULL;
    if (*out != NULL)
        return ARVO_OK;
    arvo__compile_rule(c, CHECK_UNKNOWN_CONTRACT);
    return arvo__compile_fail(
        c, ARVO_E_NOT_FOUND, "no contract has the URI '%.*s'; add its document", ARVO_FMT(uri));
}

static arvo_status
version_find(
    compiler *c, const arvo_contract *contract, arvo_str version, const arvo_contract_version **out)
{
    *out = arvo_contract_version_find(contract, version.ptr != NULL ? version : ARVO_STR("latest"));
    if (*out != NULL && (version.ptr == NULL || arvo_version_is_valid(version)))
        return ARVO_OK;
    const arvo_contract_version *const latest =
        arvo_contract_version_find(contract, ARVO_STR("latest"));
    arvo__compile_rule(c, CHECK_VERSION_MISMATCH);
    return arvo__compile_fail(
        c, ARVO_E_NOT_FOUND, "contract '%.*s' has no version '%.*s'; its latest is '%.*s'",
        ARVO_FMT(arvo_contract_uri(contract)), ARVO_FMT(version),
        ARVO_FMT(latest != NULL ? latest->version : ARVO_STR_NONE));
}

/* The machine's version selects the version of its own contract. */
static arvo_status
self_read(compiler *c, const arvo_json *json)
{
    arvo_machine *const machine = c->machine;
    const arvo_contract *contract = NULL;
    arvo_str uri = ARVO_STR_NONE;
    arvo_str version = ARVO_STR_NONE;
    if (json == NULL)
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "needs `self`, the URI of this machine's orchestrator contract");
    const size_t mark = arvo__compile_enter(c, ARVO_STR("self"));
    arvo_status st = reference_read(c, json, &uri, &version);
    if (st == ARVO_OK)
        st = contract_find(c, uri, &contract);
    if (st == ARVO_OK && !arvo_contract_is_orchestrator(contract))
        st = arvo__compile_fail(
            c, ARVO_E_INVALID,
            "'%.*s' is a service's contract; a machine fulfils an "
            "orchestrator-contract",
            ARVO_FMT(uri));
    if (st == ARVO_OK && machine->version.ptr == NULL)
        machine->version = version;
    if (st == ARVO_OK && machine->version.ptr == NULL)
        st = arvo__compile_fail(
            c, ARVO_E_INVALID, "which version of '%.*s'? give the machine a `version`",
            ARVO_FMT(uri));
    if (st == ARVO_OK && version.ptr != NULL && !arvo_str_equal(version, machine->version)) {
        arvo__compile_rule(c, CHECK_VERSION_MISMATCH);
        st = arvo__compile_fail(
            c, ARVO_E_INVALID, "the machine's version is '%.*s', this says '%.*s': make them one",
            ARVO_FMT(machine->version), ARVO_FMT(version));
    }
    if (st == ARVO_OK)
        st = version_find(c, contract, machine->version, &machine->self);
    arvo__compile_leave(c, mark);
    return st;
}

static arvo_status
service_read(compiler *c, const arvo_json *json)
{
    arvo_machine *const machine = c->machine;
    const arvo_contract *contract = NULL;
    const arvo_contract_version *found = NULL;
    arvo_str uri;
    arvo_str version;
    arvo_status st = reference_read(c, json, &uri, &version);
    if (st == ARVO_OK)
        st = contract_find(c, uri, &contract);
    if (st == ARVO_OK)
        st = version_find(c, contract, version, &found);
    if (st != ARVO_OK)
        return st;
    if (arvo_str_equal(uri, machine->self->uri)) {
        arvo__compile_rule(c, CHECK_CIRCULAR_SERVICES);
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "a machine cannot be its own service: that is a loop without end");
    }
    for (size_t i = 0; i < machine->service_count; i++)
        if (arvo_str_equal(machine->services[i]->uri, uri))
            return arvo__compile_fail(
                c, ARVO_E_INVALID,
                "'%.*s' is listed twice; a machine uses one version of a service", ARVO_FMT(uri));
    machine->services[machine->service_count++] = found;
    return ARVO_OK;
}

static arvo_status
services_read(compiler *c, const arvo_json *json)
{
    if (json == NULL)
        return ARVO_OK;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("services"));
    if (arvo_json_type_of(json) != ARVO_JSON_OBJECT)
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "must be an object: name -> URI or {uri, version}");
    c->machine->services =
        arvo__compile_alloc(c, arvo_json_count(json), sizeof(*c->machine->services));
    if (c->machine->services == NULL)
        return arvo__nomem(c->err);
    arvo_status st = ARVO_OK;
    for (size_t i = 0; i < arvo_json_count(json) && st == ARVO_OK; i++) {
        const size_t key_mark = arvo__compile_enter(c, arvo_json_key_at(json, i));
        st = service_read(c, arvo_json_at(json, i));
        arvo__compile_leave(c, key_mark);
    }
    if (st == ARVO_OK) {
        arvo_error reason = { 0 };
        st = arvo__machine_link_services(c->machine, &reason);
        if (st != ARVO_OK)
            st = arvo__compile_fail(c, st, "%s", reason.text);
    }
    arvo__compile_leave(c, mark);
    return st;
}

static arvo_status
head_read(compiler *c)
{
    arvo_machine *const machine = c->machine;
    arvo_status st = ARVO_OK;
    machine->id = ARVO_STR("(machine)"); /* XState's default */
    st = arvo__compile_str(c, c->root, "id", &machine->id);
    if (st == ARVO_OK)
        st = arvo__compile_str(c, c->root, "version", &machine->version);
    if (st == ARVO_OK && machine->version.ptr != NULL &&
        (!arvo_version_is_valid(machine->version) ||
         arvo_str_is(machine->version, ARVO_VERSION_WILDCARD))) {
        (void)arvo__compile_enter(c, ARVO_STR("version"));
        return arvo__compile_fail(
            c, ARVO_E_INVALID, "must be three numbers such as 1.0.0, and not 0.0.0");
    }
    const arvo_json *const units = arvo_json_get(c->root, "executionunits");
    if (st == ARVO_OK && units != NULL) {
        machine->executionunits = arvo_json_number_or(units, -1);
        machine->has_executionunits = true;
        if (machine->executionunits < 0) {
            (void)arvo__compile_enter(c, ARVO_STR("executionunits"));
            return arvo__compile_fail(c, ARVO_E_INVALID, "must be a number, 0 or more");
        }
    }
    return st;
}

arvo_status
arvo__compile_contracts(compiler *c)
{
    arvo_status st = head_read(c);
    const arvo_json *const json = arvo_json_get(c->root, "contracts");
    if (st != ARVO_OK || json == NULL)
        return st;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("contracts"));
    if (arvo_json_type_of(json) != ARVO_JSON_OBJECT)
        return arvo__compile_fail(c, ARVO_E_INVALID, "must be an object: {self, services}");
    st = arvo__compile_keys(c, json, contracts_keys, "contracts");
    if (st == ARVO_OK)
        st = self_read(c, arvo_json_get(json, "self"));
    if (st == ARVO_OK)
        st = services_read(c, arvo_json_get(json, "services"));
    arvo__compile_leave(c, mark);
    return st;
}

/* ---- Tables of types ---- */

static int
service_order(const void *a, const void *b)
{
    const machine_service *const x = a;
    const machine_service *const y = b;
    const size_t len = x->type.len < y->type.len ? x->type.len : y->type.len;
    const int order = len > 0 ? memcmp(x->type.ptr, y->type.ptr, len) : 0;
    return order != 0 ? order : (x->type.len > y->type.len) - (x->type.len < y->type.len);
}

static void
emitted_add(
    arvo_machine *machine, const arvo_contract_version *version, const arvo_event_rule *rule)
{
    machine->emitted[machine->emitted_count++] =
        (machine_service){ .type = rule->type, .version = version, .rule = rule };
}

arvo_status
arvo__machine_link_services(arvo_machine *machine, arvo_error *err)
{
    size_t emit_count = 0;
    for (size_t i = 0; i < machine->service_count; i++)
        emit_count += machine->services[i]->emit_count + 1;
    machine->accepted =
        arvo_arena_calloc(machine->arena, machine->service_count + 1, sizeof(machine_service));
    machine->emitted = arvo_arena_calloc(machine->arena, emit_count + 1, sizeof(machine_service));
    if (machine->accepted == NULL || machine->emitted == NULL)
        return arvo__nomem(err);
    for (size_t i = 0; i < machine->service_count; i++) {
        const arvo_contract_version *const version = machine->services[i];
        machine->accepted[machine->accepted_count++] =
            (machine_service){ .type = version->accepts.type, .version = version };
        for (size_t k = 0; k < version->emit_count; k++)
            emitted_add(machine, version, &version->emits[k]);
        emitted_add(machine, version, &version->system_error);
    }
    qsort(machine->accepted, machine->accepted_count, sizeof(machine_service), service_order);
    qsort(machine->emitted, machine->emitted_count, sizeof(machine_service), service_order);
    for (size_t i = 1; i < machine->emitted_count; i++) {
        const machine_service *const a = &machine->emitted[i - 1];
        const machine_service *const b = &machine->emitted[i];
        if (arvo_str_equal(a->type, b->type))
            return arvo__fail(
                err, ARVO_E_INVALID,
                "'%.*s' and '%.*s' both emit '%.*s': a machine could not tell whose it is",
                ARVO_FMT(a->version->uri), ARVO_FMT(b->version->uri), ARVO_FMT(a->type));
    }
    return ARVO_OK;
}
