/* Every recorded chart as an XState configuration and back: nothing is lost on the way. */

#include "xstate_case.h"

#include <arvo/xstate.h>

static void
test_xstate_config__every_chart_comes_back(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_non_null(arena);
    const arvo_json *cases = arvo_json_get(golden_read(arena, "xstate-cases.json"), "cases");
    size_t count = 0;
    for (size_t i = 0; i < arvo_json_count(cases); i++) {
        const arvo_json *one = arvo_json_at(cases, i);
        const arvo_json *document = xstate_document(arena, arvo_json_get(one, "machine"));
        arvo_machine *machine = NULL;
        const arvo_status st = xstate_create(arena, one, &machine, NULL);
        arvo_machine_unref(machine);
        if (st != ARVO_OK)
            continue; /* a chart that is refused has nothing to bring back */
        const arvo_json *config = NULL;
        const arvo_json *again = NULL;
        arvo_xstate_report report;
        arvo_error err = { 0 };
        if (arvo_xstate_export(document, arena, &config, &report, &err) != ARVO_OK ||
            arvo_xstate_import(config, arena, &again, &report, &err) != ARVO_OK)
            fail_msg("%.*s: %s", ARVO_FMT(arvo_json_str(arvo_json_get(one, "name"))), err.text);
        /* Without an id export writes none, and import XState's default. */
        if (arvo_json_get(document, "id") == NULL) {
            arvo_json *named = arvo_json_clone(arena, document);
            arvo_json_set(arena, named, ARVO_STR("id"), arvo_json_get(again, "id"));
            document = named;
        }
        if (!arvo_json_equal(document, again))
            fail_msg("%s\nbecame\n%s", golden_text(arena, document), golden_text(arena, again));
        count++;
    }
    assert_true(count >= 40);
    printf("%zu charts\n", count);
    arvo_arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xstate_config__every_chart_comes_back),
    };
    return cmocka_run_group_tests_name("xstate_config", tests, NULL, NULL);
}
