/* custom_engine.c - another state machine framework, a store and a registry of your own.
 *
 * The orchestrator asks three parties: a registry for the machine, an engine to run it, a memory to
 * keep its state. Here the engine is forty lines: a workflow is a list of steps, each calls a
 * service, each reply moves to the next step. Everything else stays Arvo's: contracts, routing,
 * locks, deduplication, the outbox. */

#include <arvo/arvo.h>

#include <stdio.h>

static const char *const contracts_text[] = {
    "{ \"kind\": \"contract\", \"uri\": \"#/services/step\", \"type\": \"com.step.run\","
    "  \"versions\": { \"1.0.0\": { \"accepts\": { \"type\": \"object\", \"properties\":"
    "    { \"step\": { \"type\": \"string\" } }, \"required\": [\"step\"] },"
    "    \"emits\": { \"evt.step.run.success\": { \"type\": \"object\" } } } } }",
    "{ \"kind\": \"orchestrator-contract\", \"uri\": \"#/orc/steps\", \"name\": \"steps\","
    "  \"versions\": { \"1.0.0\": { \"init\": { \"type\": \"object\" },"
    "    \"complete\": { \"type\": \"object\", \"properties\": { \"steps\": { \"type\": "
    "\"integer\" } } } } } }",
};

/* The logic of a machine of this framework: what arvo_machine_logic() gives back. */
typedef struct steps {
    const char *const *names; /* ended by NULL */
} steps;

/* The state is any JSON object of the engine's own; here {"at": N}. */
static arvo_status
steps_execute(
    void *self, const arvo_machine *machine, const arvo_machine_input *input, arvo_arena *arena,
    arvo_machine_output *out, arvo_error *err)
{
    (void)self;
    const steps *logic = arvo_machine_logic(machine);
    int64_t at = 0;
    if (input->state.ptr != NULL) {
        const arvo_json *state = NULL;
        const arvo_status st = arvo_json_parse(input->state, arena, &state, err);
        at = arvo_json_int_or(arvo_json_get(state, "at"), -1) + 1;
        if (st != ARVO_OK || at < 1)
            return arvo_error_set(
                err, ARVO_E_INCOMPATIBLE_STATE, ARVO_NO_OFFSET, "the state has no step");
    }

    *out = (arvo_machine_output){ 0 };
    out->value = arvo_arena_printf(arena, "%lld", (long long)at);
    out->state = arvo_arena_printf(arena, "{\"at\":%lld}", (long long)at);
    if (logic->names[at] == NULL) {
        arvo_json *result = arvo_json_object_new(arena);
        arvo_json_set(arena, result, ARVO_STR("steps"), arvo_json_int(arena, at));
        out->status = ARVO_MACHINE_DONE;
        out->became_done = true;
        out->output = result;
    } else {
        arvo_json *data = arvo_json_object_new(arena);
        arvo_json_set(
            arena, data, ARVO_STR("step"),
            arvo_json_string(arena, arvo_str_from(logic->names[at])));
        arvo_emission *call = arvo_arena_calloc(arena, 1, sizeof(*call));
        if (call != NULL)
            *call = (arvo_emission){ .type = ARVO_STR("com.step.run"), .data = data };
        out->emissions = call;
        out->emission_count = 1;
    }
    return arvo_arena_failed(arena)
               ? arvo_error_set(err, ARVO_E_NOMEM, ARVO_NO_OFFSET, "out of memory")
               : ARVO_OK;
}

/* A registry may look anywhere: a database, a network of plug-ins. This one knows one machine. */
static arvo_status
one_machine(void *self, arvo_str name, arvo_str version, const arvo_machine **out, arvo_error *err)
{
    (void)err;
    (void)version;
    const arvo_machine *machine = self;
    *out = arvo_str_equal(name, arvo_machine_source(machine)) ? machine : NULL;
    return ARVO_OK;
}

/* The service, as a handler. */
static bool
run_step(const arvo_handling *handling)
{
    const arvo_str step = arvo_json_str(arvo_json_get(handling->event->data, "step"));
    printf("step: %.*s\n", ARVO_FMT(step));
    const arvo_event answer = { .type = ARVO_STR("evt.step.run.success"),
                                .data = arvo_json_object_new(handling->arena) };
    arvo_handling_emit(handling, &answer);
    return true;
}

static bool
show(void *user, const arvo_delivery *delivery)
{
    if (arvo_str_is(delivery->event->type, "arvo.orc.steps.done"))
        *(int64_t *)user = arvo_json_int_or(arvo_json_get(delivery->event->data, "steps"), -1);
    return true;
}

#define TRY(call)                                                                                  \
    if ((call) != ARVO_OK)                                                                         \
    return fprintf(stderr, "custom_engine: %s\n", err.text), 1

int
main(void)
{
    static const char *const names[] = { "measure", "cut", "polish", NULL };
    static const steps logic = { names };
    static const char *const services[] = { "#/services/step", NULL };
    arvo_error err = { 0 };
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_contracts *contracts = arvo_contracts_new(NULL);
    for (size_t i = 0; i < 2; i++)
        TRY(arvo_contracts_add_text(contracts, arvo_str_from(contracts_text[i]), NULL, &err));

    arvo_machine *machine = NULL;
    const arvo_machine_setup setup = { .contracts = contracts };
    const arvo_machine_custom custom = { .id = ARVO_STR("steps"),
                                         .self_uri = ARVO_STR("#/orc/steps"),
                                         .version = ARVO_STR("1.0.0"),
                                         .service_uris = services,
                                         .definition = ARVO_STR("\"measure, cut, polish\""),
                                         .logic = &logic };
    TRY(arvo_machine_create_custom(&setup, &custom, &machine, &err));

    arvo_memory *memory = NULL;
    TRY(arvo_memory_open("memory:", &memory, &err)); /* examples/custom_store.c makes its own */
    const arvo_engine engine = { ARVO_ENGINE_OPS_VERSION, steps_execute, NULL };
    const arvo_registry registry = { ARVO_REGISTRY_OPS_VERSION, one_machine, machine };
    arvo_orchestrator *orchestrator = NULL;
    const arvo_orchestrator_opts opts = { .memory = memory,
                                          .machines = &machine,
                                          .machine_count = 1,
                                          .registry = &registry,
                                          .engine = &engine };
    TRY(arvo_orchestrator_create(&opts, &orchestrator, &err));

    arvo_handler *handler = NULL;
    const arvo_handler_version versions[] = { { "1.0.0", run_step }, { 0 } };
    const arvo_handler_opts handler_opts = { .contracts = contracts,
                                             .contract_uri = "#/services/step",
                                             .versions = versions };
    TRY(arvo_handler_create(&handler_opts, &handler, &err));

    int64_t steps_done = 0;
    arvo_broker *broker = NULL;
    TRY(arvo_broker_new(
        &(arvo_broker_opts){ .memory = memory, .on_event = show, .user = &steps_done }, &broker,
        &err));
    TRY(arvo_broker_add_orchestrator(broker, orchestrator, &err));
    TRY(arvo_broker_add_handler(broker, handler, &err));

    arvo_json *data = arvo_json_object_new(arena);
    arvo_json_set(arena, data, ARVO_STR("parentSubject$$"), arvo_json_null());
    const arvo_factory factory = { arvo_machine_self(machine), arvo_platform_system(), NULL,
                                   arena };
    const arvo_event fields = { .source = ARVO_STR("com.example.client"), .data = data };
    arvo_event start;
    TRY(arvo_factory_init(&factory, &fields, &start, &err));
    TRY(arvo_broker_publish(broker, &start, &err));
    printf("done after %lld steps\n", (long long)steps_done);

    arvo_broker_free(broker);
    arvo_handler_free(handler);
    arvo_orchestrator_free(orchestrator);
    arvo_memory_close(memory);
    arvo_machine_unref(machine);
    arvo_contracts_unref(contracts);
    arvo_arena_free(arena);
    return steps_done == 3 ? 0 : 1;
}
