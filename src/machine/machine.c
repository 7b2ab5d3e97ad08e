/* Machines: creation, life and what they say of themselves. */

#include <arvo/machine.h>

#include <stdlib.h>

#include "machine/compile.h"

#define DEFINITION_BYTES_MAX ARVO_DOCUMENT_BYTES_MAX
#define POINTER_BYTES_MAX    ((size_t)64 * 1024)
#define HASH_SEED_LOW        UINT64_C(0x6172766f6d616368) /* "arvomach" */
#define HASH_SEED_HIGH       UINT64_C(0x696e652d76310000) /* "ine-v1" */

/* ---- Life ---- */

static void
machine_free(arvo_machine *machine)
{
    if (machine == NULL)
        return;
    arvo__expr_set_free(machine->expressions);
    arvo__map_fini(&machine->events);
    arvo__map_fini(&machine->ids);
    arvo_contracts_unref(machine->contracts);
    arvo_arena_free(machine->arena);
    arvo__free(machine->allocator, machine, sizeof(*machine));
}

static arvo_machine *
machine_new(const arvo_machine_setup *setup)
{
    arvo_machine *const machine = arvo__calloc(setup->allocator, 1, sizeof(*machine));
    if (machine == NULL)
        return NULL;
    atomic_init(&machine->refs, 1);
    machine->allocator = setup->allocator;
    machine->events.allocator = setup->allocator;
    machine->ids.allocator = setup->allocator;
    machine->microsteps_max =
        setup->microsteps_max != 0 ? setup->microsteps_max : ARVO_MACHINE_MICROSTEPS_MAX_DEFAULT;
    machine->arena = arvo_arena_new(
        &(arvo_arena_opts){ .allocator = setup->allocator, .chunk_bytes = (size_t)16 * 1024 });
    machine->expressions = arvo__expr_set_new(setup->allocator);
    if (setup->contracts != NULL)
        machine->contracts = arvo_contracts_ref(setup->contracts);
    if (machine->arena == NULL || machine->expressions == NULL) {
        machine_free(machine);
        return NULL;
    }
    return machine;
}

arvo_machine *
arvo_machine_ref(arvo_machine *machine)
{
    ARVO_ASSERT(machine != NULL);
    (void)atomic_fetch_add_explicit(&machine->refs, 1, memory_order_relaxed);
    return machine;
}

void
arvo_machine_unref(arvo_machine *machine)
{
    if (machine != NULL && atomic_fetch_sub_explicit(&machine->refs, 1, memory_order_acq_rel) == 1)
        machine_free(machine);
}

/* ---- Creation ---- */

static bool
definition_hash(arvo_machine *machine)
{
    const arvo_str text = machine->definition;
    uint64_t words[2] = { arvo__hash(text.ptr, text.len, HASH_SEED_LOW),
                          arvo__hash(text.ptr, text.len, HASH_SEED_HIGH) };
    uint8_t bytes[16];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(words[i / 8] >> (8 * (7 - i % 8)));
    char *const hex = arvo_arena_alloc(machine->arena, 2 * sizeof(bytes));
    if (hex == NULL)
        return false;
    arvo__hex(bytes, sizeof(bytes), hex);
    machine->definition_hash = (arvo_str){ hex, 2 * sizeof(bytes) };
    return true;
}

static arvo_status
definition_write(compiler *c)
{
    arvo_machine *const machine = c->machine;
    arvo_buf text = ARVO_BUF_INIT(DEFINITION_BYTES_MAX);
    text.allocator = machine->allocator;
    arvo_json_write(c->root, &text);
    arvo_status st = arvo__buf_status(&text, "the machine's definition", c->err);
    if (st == ARVO_OK) {
        machine->definition = arvo_arena_str_dup(machine->arena, arvo_buf_str(&text));
        if (machine->definition.ptr == NULL || !definition_hash(machine))
            st = arvo__nomem(c->err);
    }
    arvo_buf_fini(&text);
    return st;
}

/* Function tables may be gone once the machine exists. */
static arvo_status
tables_copy(compiler *c)
{
    size_t count = 0;
    const arvo_machine_setup *const setup = c->setup;
    while (setup->guards != NULL && setup->guards[count].name != NULL)
        count++;
    arvo_guard_def *const guards = arvo__compile_alloc(c, count + 1, sizeof(*guards));
    for (size_t i = 0; guards != NULL && i < count; i++) {
        ARVO_ASSERT(setup->guards[i].guard != NULL);
        guards[i] = setup->guards[i];
        guards[i].name = arvo_arena_str_dup(c->arena, arvo_str_from(guards[i].name)).ptr;
    }
    c->guard_functions = guards;
    count = 0;
    while (setup->actions != NULL && setup->actions[count].name != NULL)
        count++;
    arvo_action_def *const actions = arvo__compile_alloc(c, count + 1, sizeof(*actions));
    for (size_t i = 0; actions != NULL && i < count; i++) {
        ARVO_ASSERT(setup->actions[i].action != NULL);
        actions[i] = setup->actions[i];
        actions[i].name = arvo_arena_str_dup(c->arena, arvo_str_from(actions[i].name)).ptr;
    }
    c->action_functions = actions;
    return arvo_arena_failed(c->arena) ? arvo__nomem(c->err) : ARVO_OK;
}

static arvo_status
context_compile(compiler *c)
{
    const arvo_json *const context = arvo_json_get(c->root, "context");
    if (context == NULL)
        return ARVO_OK;
    const size_t mark = arvo__compile_enter(c, ARVO_STR("context"));
    const bool reads_input = c->reads_input; /* reading it here is what the start is for */
    arvo_status st = arvo__compile_template(c, context, &c->machine->context);
    c->reads_input = reads_input;
    if (st == ARVO_OK && arvo_json_type_of(context) != ARVO_JSON_OBJECT &&
        !arvo__template_is_expression(c->machine->context))
        st =
            arvo__compile_fail(c, ARVO_E_INVALID, "must be an object, or an expression giving one");
    arvo__compile_leave(c, mark);
    return st;
}

static arvo_status
compile(compiler *c)
{
    if (arvo_json_type_of(c->root) != ARVO_JSON_OBJECT)
        return arvo__compile_fail(c, ARVO_E_INVALID, "a machine must be an object");
    const arvo_json *const kind = arvo_json_get(c->root, "kind");
    if (kind != NULL && !arvo_str_is(arvo_json_str(kind), "machine")) {
        (void)arvo__compile_enter(c, ARVO_STR("kind"));
        return arvo__compile_fail(c, ARVO_E_INVALID, "must be machine");
    }
    if (arvo_json_get(c->root, "states") == NULL && arvo_json_get(c->root, "id") == NULL)
        return arvo__compile_fail(
            c, ARVO_E_INVALID,
            "a machine without `id` and without `states` does nothing: give it an `id`, `initial` "
            "and `states`");
    arvo_status st = tables_copy(c);
    if (st == ARVO_OK)
        st = definition_write(c);
    if (st == ARVO_OK)
        st = arvo__compile_contracts(c);
    if (st == ARVO_OK)
        st = arvo__compile_chart(c);
    if (st == ARVO_OK)
        st = arvo__compile_named(c);
    if (st == ARVO_OK)
        st = context_compile(c);
    if (st == ARVO_OK)
        st = arvo__compile_transitions(c);
    if (st != ARVO_OK)
        return st;
    st = arvo__expr_set_finish(c->machine->expressions, c->err);
    if (st != ARVO_OK)
        arvo__compile_rule(c, CHECK_BAD_EXPRESSION);
    return st;
}

arvo_status
arvo_machine_create(
    const arvo_machine_setup *setup, const arvo_document *document, arvo_machine **out,
    arvo_error *err)
{
    return arvo__machine_create(setup, document, NULL, out, err);
}

arvo_status
arvo__machine_create(
    const arvo_machine_setup *setup, const arvo_document *document, arvo__diagnosis *diagnosis,
    arvo_machine **out, arvo_error *err)
{
    ARVO_ASSERT(document != NULL && out != NULL);

    static const arvo_machine_setup defaults = { 0 };
    if (setup == NULL)
        setup = &defaults;
    arvo_machine *const machine = machine_new(setup);
    if (machine == NULL)
        return arvo__nomem(err);
    compiler c = {
        .machine = machine,
        .arena = machine->arena,
        .setup = setup,
        .document = document,
        .root = arvo_json_copy(machine->arena, document->root),
        .pointer = { .bytes_max = POINTER_BYTES_MAX, .allocator = setup->allocator },
        .diagnosis = diagnosis,
        .err = err,
    };
    arvo_status st = c.root != NULL ? compile(&c) : arvo__nomem(err);
    /* A pointer that could not be held names the wrong place: no answer is better. */
    if (st == ARVO_OK && c.pointer.status != ARVO_OK)
        st = arvo__nomem(err);
    machine->keeps_input = c.reads_input;
    arvo_buf_fini(&c.pointer);
    if (st == ARVO_OK)
        *out = machine;
    else
        machine_free(machine);
    return st;
}

arvo_status
arvo_machine_create_text(
    const arvo_machine_setup *setup, arvo_str json, arvo_machine **out, arvo_error *err)
{
    ARVO_ASSERT(out != NULL);

    arvo_arena *const arena =
        arvo_arena_new(&(arvo_arena_opts){ .allocator = setup != NULL ? setup->allocator : NULL });
    if (arena == NULL)
        return arvo__nomem(err);
    arvo_document document = { .text = json, .first_line = 1 };
    arvo_status st = arvo_json_parse(json, arena, &document.root, err);
    if (st == ARVO_OK)
        st = arvo_machine_create(setup, &document, out, err);
    arvo_arena_free(arena);
    return st;
}

/* ---- Custom machines ---- */

static arvo_status
custom_services(arvo_machine *machine, const char *const *uris, arvo_error *err)
{
    size_t count = 0;
    while (uris != NULL && uris[count] != NULL)
        count++;
    machine->services = arvo_arena_calloc(machine->arena, count + 1, sizeof(*machine->services));
    if (machine->services == NULL)
        return arvo__nomem(err);
    for (size_t i = 0; i < count; i++) {
        const arvo_contract *const contract =
            arvo_contracts_find(machine->contracts, arvo_str_from(uris[i]));
        const arvo_contract_version *const version =
            contract != NULL ? arvo_contract_version_find(contract, ARVO_STR("latest")) : NULL;
        if (version == NULL)
            return arvo__fail(
                err, ARVO_E_NOT_FOUND, "no contract has the URI '%s'; add its document", uris[i]);
        bool is_refused = version->contract == machine->self->contract;
        for (size_t k = 0; k < machine->service_count; k++)
            is_refused |= machine->services[k]->contract == contract;
        if (is_refused)
            return arvo__fail(
                err, ARVO_E_INVALID, "service '%s' is the machine itself, or listed twice",
                uris[i]);
        machine->services[machine->service_count++] = version;
    }
    return arvo__machine_link_services(machine, err);
}

static arvo_status
custom_fill(arvo_machine *machine, const arvo_machine_custom *custom, arvo_error *err)
{
    const arvo_contract *const contract =
        machine->contracts != NULL ? arvo_contracts_find(machine->contracts, custom->self_uri)
                                   : NULL;
    if (contract == NULL)
        return arvo__fail(
            err, ARVO_E_NOT_FOUND, "no contract has the URI '%.*s'; add its document",
            ARVO_FMT(custom->self_uri));
    if (!arvo_contract_is_orchestrator(contract))
        return arvo__fail(
            err, ARVO_E_INVALID,
            "'%.*s' is a service's contract; a machine fulfils an "
            "orchestrator-contract",
            ARVO_FMT(custom->self_uri));
    if (arvo_version_is_valid(custom->version))
        machine->self = arvo_contract_version_find(contract, custom->version);
    if (machine->self == NULL)
        return arvo__fail(
            err, ARVO_E_NOT_FOUND, "contract '%.*s' has no version '%.*s'",
            ARVO_FMT(custom->self_uri), ARVO_FMT(custom->version));
    machine->is_custom = true;
    machine->logic = custom->logic;
    machine->executionunits = custom->executionunits;
    machine->has_executionunits = true;
    machine->id = arvo_arena_str_dup(machine->arena, custom->id);
    machine->version = arvo_arena_str_dup(machine->arena, custom->version);
    machine->definition = arvo_arena_str_dup(
        machine->arena, custom->definition.ptr != NULL ? custom->definition : ARVO_STR(""));
    if (!definition_hash(machine) || arvo_arena_failed(machine->arena))
        return arvo__nomem(err);
    return custom_services(machine, custom->service_uris, err);
}

arvo_status
arvo_machine_create_custom(
    const arvo_machine_setup *setup, const arvo_machine_custom *custom, arvo_machine **out,
    arvo_error *err)
{
    ARVO_ASSERT(setup != NULL && custom != NULL && out != NULL);

    arvo_machine *const machine = machine_new(setup);
    if (machine == NULL)
        return arvo__nomem(err);
    const arvo_status st = custom_fill(machine, custom, err);
    if (st == ARVO_OK)
        *out = machine;
    else
        machine_free(machine);
    return st;
}

/* ---- Accessors ---- */

arvo_str
arvo_machine_id(const arvo_machine *machine)
{
    return machine->id;
}

arvo_str
arvo_machine_version(const arvo_machine *machine)
{
    return machine->version;
}

arvo_str
arvo_machine_source(const arvo_machine *machine)
{
    return machine->self != NULL ? machine->self->accepts.type : ARVO_STR_NONE;
}

const arvo_contract_version *
arvo_machine_self(const arvo_machine *machine)
{
    return machine->self;
}

size_t
arvo_machine_service_count(const arvo_machine *machine)
{
    return machine->service_count;
}

const arvo_contract_version *
arvo_machine_service_at(const arvo_machine *machine, size_t i)
{
    return i < machine->service_count ? machine->services[i] : NULL;
}

static const machine_service *
service_search(const machine_service *table, size_t count, arvo_str type)
{
    size_t from = 0;
    while (from < count) {
        const size_t middle = from + (count - from) / 2;
        const arvo_str other = table[middle].type;
        const size_t len = type.len < other.len ? type.len : other.len;
        int order = len > 0 ? memcmp(type.ptr, other.ptr, len) : 0;
        if (order == 0)
            order = (type.len > other.len) - (type.len < other.len);
        if (order == 0)
            return &table[middle];
        if (order < 0)
            count = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

const arvo_contract_version *
arvo_machine_service_find(const arvo_machine *machine, arvo_str type)
{
    const machine_service *const found =
        service_search(machine->accepted, machine->accepted_count, type);
    return found != NULL ? found->version : NULL;
}

const arvo_contract_version *
arvo_machine_service_emitting(
    const arvo_machine *machine, arvo_str type, const arvo_event_rule **out_rule)
{
    const machine_service *const found =
        service_search(machine->emitted, machine->emitted_count, type);
    if (out_rule != NULL)
        *out_rule = found != NULL ? found->rule : NULL;
    return found != NULL ? found->version : NULL;
}

double
arvo_machine_executionunits(const arvo_machine *machine)
{
    return machine->executionunits;
}

bool
arvo_machine_has_executionunits(const arvo_machine *machine)
{
    return machine->has_executionunits;
}

arvo_str
arvo_machine_definition(const arvo_machine *machine)
{
    return machine->definition;
}

arvo_str
arvo_machine_definition_hash(const arvo_machine *machine)
{
    return machine->definition_hash;
}

const void *
arvo_machine_logic(const arvo_machine *machine)
{
    return machine->logic;
}

bool
arvo_machine_keeps_input(const arvo_machine *machine)
{
    return machine->keeps_input;
}
