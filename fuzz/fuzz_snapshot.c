/* Stored snapshots: any bytes given to a chart with every kind of state. Laws: what is not a state
 * of the chart is refused as incompatible; what is accepted is written so that it reads the same.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arvo/machine.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static const char document[] =
    "{\"kind\":\"machine\",\"id\":\"m\",\"context\":{\"n\":0},\"initial\":\"a\","
    "\"output\":{\"n\":\"${ .context.n }\"},\"states\":{"
    "\"a\":{\"on\":{\"go\":\"p\",\"back\":\"p.h\",\"deep\":\"p.d\",\"end\":\"z\"}},"
    "\"p\":{\"type\":\"parallel\",\"on\":{\"out\":\"a\"},\"onDone\":\"z\",\"states\":{"
    "\"r\":{\"initial\":\"x\",\"states\":{\"x\":{\"on\":{\"go\":\"y\"}},"
    "\"y\":{\"entry\":{\"type\":\"assign\",\"params\":{\"n\":\"${ .context.n + 1 }\"}},"
    "\"on\":{\"go\":\"f\"}},\"f\":{\"type\":\"final\"}}},"
    "\"7\":{\"initial\":\"u\",\"states\":{\"u\":{\"always\":{\"guard\":\"${ .context.n > 0 }\","
    "\"target\":\"f\"}},\"f\":{\"type\":\"final\",\"output\":1}}},"
    "\"h\":{\"type\":\"history\"},\"d\":{\"type\":\"history\",\"history\":\"deep\"}}},"
    "\"z\":{\"type\":\"final\"}}}";

static const arvo_machine *
chart(void)
{
    static arvo_machine *machine;
    if (machine == NULL)
        CHECK(arvo_machine_create_text(NULL, arvo_str_from(document), &machine, NULL) == ARVO_OK);
    return machine;
}

static void
send_all(const arvo_machine *machine, arvo_str state, arvo_arena *arena)
{
    static const char *const events[] = { "go", "out", "back", "deep", "end", "other" };
    for (size_t i = 0; i < ARVO_COUNT_OF(events); i++) {
        arvo_json *event = arvo_json_object_new(arena);
        arvo_json_set(
            arena, event, ARVO_STR("type"), arvo_json_string(arena, arvo_str_from(events[i])));
        arvo_machine_output out = { 0 };
        const arvo_machine_input input = { .state = state, .event = event };
        const arvo_status st = arvo_machine_execute(machine, &input, arena, &out, NULL);
        CHECK(st == ARVO_OK || st == ARVO_E_EXECUTION);
        arvo_machine_output again = { 0 };
        const arvo_machine_input stored = { .state = out.state };
        (void)!arvo_machine_execute(machine, &stored, arena, &again, NULL);
        CHECK(arvo_str_equal(out.state, again.state));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arvo_arena *const arena = arvo_arena_new(NULL);
    CHECK(arena != NULL);
    const arvo_machine *const machine = chart();
    arvo_machine_output out = { 0 };
    arvo_error err = { 0 };
    const arvo_machine_input input = { .state = { (const char *)data, size } };
    const arvo_status st = data != NULL ? arvo_machine_execute(machine, &input, arena, &out, &err)
                                        : ARVO_E_INCOMPATIBLE_STATE;
    if (st == ARVO_OK)
        send_all(machine, out.state, arena);
    else
        CHECK(st == ARVO_E_INCOMPATIBLE_STATE || (st == ARVO_E_EXECUTION && out.state.len > 0));
    arvo_arena_free(arena);
    return 0;
}
