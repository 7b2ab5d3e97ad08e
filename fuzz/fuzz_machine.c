/* Machine documents, as YAML or JSON, started and sent a few events. Laws: a machine that was made
 * writes snapshots that it reads again, unchanged; what is refused is said with its place. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/machine.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static bool
guard_true(const arvo_scope *scope)
{
    return scope->context != NULL;
}

static void
action_assign(const arvo_scope *scope)
{
    arvo_scope_assign(scope, ARVO_STR("touched"), arvo_json_bool(true));
}

/* The snapshot that `out` holds, read and written again. */
static void
snapshot_check(const arvo_machine *machine, const arvo_machine_output *out, arvo_arena *arena)
{
    arvo_machine_output again = { 0 };
    const arvo_machine_input input = { .state = out->state };
    const arvo_status st = arvo_machine_execute(machine, &input, arena, &again, NULL);
    CHECK(st == ARVO_OK || (st == ARVO_E_EXECUTION && out->status == ARVO_MACHINE_ERROR));
    CHECK(arvo_str_equal(out->state, again.state));
    CHECK(out->value.ptr >= out->state.ptr && out->value.len < out->state.len);
}

static void
machine_run(const arvo_machine *machine, arvo_arena *arena)
{
    static const char *const events[] = { "{\"type\":\"A\"}",
                                          "{\"type\":\"a.b\",\"data\":{\"n\":1}}",
                                          "{\"type\":\"flip\"}", "{\"type\":\"A\"}" };
    arvo_machine_output out = { 0 };
    arvo_machine_input input = { 0 };
    arvo_status st = arvo_machine_execute(machine, &input, arena, &out, NULL);
    CHECK(st == ARVO_OK || st == ARVO_E_EXECUTION);
    snapshot_check(machine, &out, arena);
    for (size_t i = 0; i < ARVO_COUNT_OF(events) && st == ARVO_OK; i++) {
        CHECK(arvo_json_parse(arvo_str_from(events[i]), arena, &input.event, NULL) == ARVO_OK);
        input.state = out.state;
        st = arvo_machine_execute(machine, &input, arena, &out, NULL);
        CHECK(st == ARVO_OK || st == ARVO_E_EXECUTION);
        CHECK(st == ARVO_OK || out.error_message.ptr != NULL);
        snapshot_check(machine, &out, arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const arvo_guard_def guards[] = { { "guardTrue", guard_true, NULL }, { 0 } };
    static const arvo_action_def actions[] = { { "actionAssign", action_assign, NULL }, { 0 } };
    static const arvo_machine_setup setup = { .guards = guards,
                                              .actions = actions,
                                              .microsteps_max = 50 };
    arvo_arena *const arena = arvo_arena_new(NULL);
    CHECK(arena != NULL);
    arvo_document_list list = { 0 };
    if (arvo_document_parse(
            ARVO_STR("-"), (arvo_str){ (const char *)data, size }, arena, &list, NULL) != ARVO_OK)
        list.count = 0;
    for (size_t i = 0; i < list.count && i < 4; i++) {
        arvo_machine *machine = NULL;
        arvo_error err = { 0 };
        if (arvo_machine_create(&setup, &list.items[i], &machine, &err) == ARVO_OK) {
            machine_run(machine, arena);
            CHECK(arvo_machine_definition_hash(machine).len == 32);
        } else {
            CHECK(machine == NULL && err.text[0] != '\0');
        }
        arvo_machine_unref(machine);
    }
    arvo_arena_free(arena);
    return 0;
}
