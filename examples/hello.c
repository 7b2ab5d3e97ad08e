/* hello.c - an orchestrator inside a program of your own.
 *
 *     cc hello.c $(pkg-config --cflags --libs arvo) -o hello && ./hello
 */
#include <arvo/arvo.h>
#include <stdio.h>

static const char contract[] = /* documents (docs/documents.md); they could as well be files */
    "{ \"kind\": \"orchestrator-contract\", \"uri\": \"#/orc/hello\", \"name\": \"hello\","
    "  \"versions\": { \"1.0.0\": { \"complete\": { \"type\": \"object\" }, \"init\": {"
    "    \"type\": \"object\", \"properties\": { \"name\": { \"type\": \"string\" } } } } } }";
static const char machine[] =
    "{ \"kind\": \"machine\", \"id\": \"hello\", \"version\": \"1.0.0\","
    "  \"contracts\": { \"self\": \"#/orc/hello\" }, \"initial\": \"greeted\","
    "  \"states\": { \"greeted\": { \"type\": \"final\" } },"
    "  \"output\": { \"greeting\": \"${ \\\"hello, \\\" + .input.data.name }\" } }";

#define TRY(call)                                                                                  \
    if ((call) != ARVO_OK)                                                                         \
    return fprintf(stderr, "hello: %s\n", err.text), 1

int
main(void)
{
    arvo_error err = { 0 };
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_contracts *contracts = arvo_contracts_new(NULL);
    arvo_machine *hello = NULL;
    arvo_memory *memory = NULL;
    arvo_orchestrator *orchestrator = NULL;
    TRY(arvo_contracts_add_text(contracts, arvo_str_from(contract), NULL, &err));
    const arvo_machine_setup setup = { .contracts = contracts };
    TRY(arvo_machine_create_text(&setup, arvo_str_from(machine), &hello, &err));
    TRY(arvo_memory_open("memory:", &memory, &err)); /* or "sqlite:hello.db" */
    const arvo_orchestrator_opts opts = { .memory = memory,
                                          .machines = &hello,
                                          .machine_count = 1 };
    TRY(arvo_orchestrator_create(&opts, &orchestrator, &err));

    arvo_json *data = arvo_json_object_new(arena);
    arvo_json_set(arena, data, ARVO_STR("parentSubject$$"), arvo_json_null());
    arvo_json_set(arena, data, ARVO_STR("name"), arvo_json_string(arena, ARVO_STR("world")));
    const arvo_factory factory = { arvo_machine_self(hello), arvo_platform_system(), NULL, arena };
    const arvo_event fields = { .source = ARVO_STR("com.example.client"), .data = data };
    arvo_event start;
    TRY(arvo_factory_init(&factory, &fields, &start, &err));
    arvo_result result;
    TRY(arvo_orchestrator_execute(orchestrator, &start, arena, &result, &err));

    arvo_buf out = ARVO_BUF_INIT(65536);
    arvo_result_write(&result, &out); /* {"events": [...], "allEventDomains": [...], ...} */
    printf("%.*s\n", ARVO_FMT(arvo_buf_str(&out)));
    arvo_buf_fini(&out);
    arvo_orchestrator_free(orchestrator);
    arvo_memory_close(memory);
    arvo_machine_unref(hello);
    arvo_contracts_unref(contracts);
    arvo_arena_free(arena);
    return 0;
}
