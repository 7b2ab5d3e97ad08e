/* The checker on charts recorded from XState: nothing false. What it rightly finds in them is
 * listed, for they were made to show how charts run, and some of their states are never left. */

#include <arvo/check.h>

#include "xstate_case.h"

/* "rule state, rule state", in the order of the findings: states with nothing in them that the
 * chart ends in, states that only a snapshot begins in, and what is refused at load. */
static const struct golden_departure true_findings[] = {
    { "entry-exit-order", "unreachable-state b.b1, dead-end b.b2" },
    { "cross-region", "unreachable-state p.r1.y" },
    { "parallel-conflict-first-wins-stay", "unreachable-state p.r2.d, dead-end q" },
    { "parallel-order-follows-value-keys", "dead-end r1.y, dead-end r2.d" },
    { "assign-order", "dead-end a" },
    { "empty-parallel", "dead-end q" },
    { "atomic-regions", "dead-end x, dead-end y" },
    { "atomic-root", "dead-end " },
    { "final-regions", "dead-end end" },
    { "history-parallel-visited", "unreachable-state on.B.b2" },
    { "unknown-action-ignored", "unknown-action a" },
    { "unknown-guard-error", "unknown-guard a" },
    { "initial-action-error", "dead-end a" },
    { "guard-error-on", "dead-end b" },
    { "guards-combinators", "dead-end r1.y, dead-end r2.d" },
    { "multi-target", "dead-end p.r1.x, dead-end p.r1.y, dead-end p.r2.c, dead-end p.r2.d" },
    { "escaped-dot-key", "dead-end c.d" },
    { "duplicate-ids-last-wins", "duplicate-id b" },
    { "err-bad-target", "unknown-target a" },
    { "err-bad-id-target", "unknown-target a" },
    { "err-null-event", "invalid-document " },
    { "bad-initial-is-lazy", "bad-initial b" },
    { "rehydrate-partial", "unreachable-state p, dead-end a.a2" },
    { "rehydrate-partial-parallel", "unreachable-state p, dead-end a.a2" },
    { "rehydrate-done", "unreachable-state p, dead-end a.a2" },
    { "rehydrate-stopped", "unreachable-state p, dead-end a.a2" },
    { "parallel-done-within-compound", "dead-end end" },
    { "exit-actions-see-updated-context", "dead-end c" },
};

static const char *
findings_text(arvo_arena *arena, const arvo_check *check)
{
    arvo_str text = ARVO_STR("");
    for (size_t i = 0; i < arvo_check_count(check); i++) {
        const arvo_finding *finding = arvo_check_at(check, i);
        text = arvo_arena_printf(
            arena, "%.*s%s%s %.*s", ARVO_FMT(text), i > 0 ? ", " : "", finding->rule->id,
            ARVO_FMT(finding->state));
    }
    return text.ptr;
}

static const char *
check_case(arvo_arena *arena, const arvo_json *one)
{
    const arvo_machine_setup setup = { .guards = xstate_guards, .actions = xstate_actions };
    const arvo_document document = {
        .root = xstate_document(arena, arvo_json_get(one, "machine")),
    };
    arvo_check *check = arvo_check_new(NULL);
    assert_non_null(check);
    assert_int_equal(arvo_machine_check(&setup, &document, check, NULL, NULL), ARVO_OK);
    const char *text = findings_text(arena, check);
    arvo_check_free(check);
    return text;
}

static void
test_golden_check__nothing_false_is_found(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_non_null(arena);
    const arvo_json *cases = arvo_json_get(golden_read(arena, "xstate-cases.json"), "cases");
    size_t wrong = 0;
    for (size_t i = 0; i < arvo_json_count(cases); i++) {
        const arvo_json *one = arvo_json_at(cases, i);
        const arvo_str name = arvo_json_str(arvo_json_get(one, "name"));
        const char *found = check_case(arena, one);
        const char *listed = golden_reason(true_findings, ARVO_COUNT_OF(true_findings), name);
        if (strcmp(found, listed != NULL ? listed : "") == 0)
            continue;
        printf("    { \"%.*s\", \"%s\" },\n", ARVO_FMT(name), found);
        wrong++;
    }
    assert_int_equal(wrong, 0);
    arvo_arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_check__nothing_false_is_found),
    };
    return cmocka_run_group_tests_name("golden_check", tests, NULL, NULL);
}
