/* dataschema strings, case by case as the original splits them. No departures. */

#include "golden.h"

#include <arvo/event.h>

static void
test_golden_dataschema__every_case_agrees(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_non_null(arena);
    const arvo_json *cases = golden_read(arena, "dataschema.json");
    const size_t count = arvo_json_count(cases);
    assert_true(count >= 11);
    for (size_t i = 0; i < count; i++) {
        const arvo_json *one = arvo_json_at(cases, i);
        const arvo_json *expected = arvo_json_get(one, "out");
        arvo_str uri = ARVO_STR_NONE, version = ARVO_STR_NONE;
        const bool parsed =
            arvo_dataschema_parse(arvo_json_str(arvo_json_get(one, "in")), &uri, &version);
        if (parsed == arvo_json_is_nullish(expected))
            fail_msg("%s: parsed is %d", golden_text(arena, one), parsed);
        if (!parsed)
            continue;
        assert_true(arvo_str_equal(uri, arvo_json_str(arvo_json_get(expected, "uri"))));
        assert_true(arvo_str_equal(version, arvo_json_str(arvo_json_get(expected, "version"))));
    }
    printf("%zu cases\n", count);
    arvo_arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_dataschema__every_case_agrees),
    };
    return cmocka_run_group_tests_name("golden_dataschema", tests, NULL, NULL);
}
