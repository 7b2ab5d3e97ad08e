/* The statechart algorithm against recorded runs of XState 5.33.3, step by step. */

#include "xstate_case.h"

/* Refused when the machine is loaded, where XState waits for the run, or says nothing. */
static const struct golden_departure refused[] = {
    { "unknown-action-ignored", "an unknown action is a load error" },
    { "unknown-guard-error", "an unknown guard is a load error" },
    { "duplicate-ids-last-wins", "a duplicate id is a load error" },
    { "bad-initial-is-lazy", "an initial that names no child is a load error" },
};

/* Differ only when each step begins from a stored snapshot, as they do in XState. */
static const struct golden_departure not_through_bytes[] = {
    { "always-order-is-activation-order", "a snapshot does not hold the order of activation" },
};

static bool
is_refused(const arvo_json *one, arvo_str name)
{
    return arvo_json_get(one, "createError") != NULL ||
           golden_reason(refused, ARVO_COUNT_OF(refused), name) != NULL;
}

static void
replay_both_ways(
    arvo_arena *arena, const arvo_machine *machine, const arvo_json *one, arvo_str name)
{
    const char *text = xstate_replay(arena, machine, one, false);
    if (text != NULL)
        fail_msg("%.*s: %s", ARVO_FMT(name), text);
    text = xstate_replay(arena, machine, one, true);
    const char *reason = golden_reason(not_through_bytes, ARVO_COUNT_OF(not_through_bytes), name);
    if (reason != NULL && text == NULL)
        fail_msg("%.*s agrees through bytes: take it off the list", ARVO_FMT(name));
    if (reason == NULL && text != NULL)
        fail_msg("%.*s, through bytes: %s", ARVO_FMT(name), text);
}

static void
test_golden_xstate__every_case_agrees(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_non_null(arena);
    const arvo_json *cases = arvo_json_get(golden_read(arena, "xstate-cases.json"), "cases");
    size_t refusals = 0;
    assert_true(arvo_json_count(cases) >= 50);
    for (size_t i = 0; i < arvo_json_count(cases); i++) {
        const arvo_json *one = arvo_json_at(cases, i);
        const arvo_str name = arvo_json_str(arvo_json_get(one, "name"));
        arvo_machine *machine = NULL;
        arvo_error err = { 0 };
        const arvo_status st = xstate_create(arena, one, &machine, &err);
        if (is_refused(one, name)) {
            if (st != ARVO_E_INVALID)
                fail_msg("%.*s is not refused", ARVO_FMT(name));
            refusals++;
            continue;
        }
        if (st != ARVO_OK)
            fail_msg("%.*s: %s", ARVO_FMT(name), err.text);
        replay_both_ways(arena, machine, one, name);
        arvo_machine_unref(machine);
    }
    printf("%zu cases, %zu of them refused at load\n", arvo_json_count(cases), refusals);
    arvo_arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_xstate__every_case_agrees),
    };
    return cmocka_run_group_tests_name("golden_xstate", tests, NULL, NULL);
}
