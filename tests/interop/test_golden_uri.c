/* encodeURI and validateURI, case by case as the original answers. No departures. */

#include "golden.h"

#include <arvo/uri.h>

static void
test_golden_uri__every_case_agrees(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_non_null(arena);
    const arvo_json *cases = golden_read(arena, "uri.json");
    const size_t count = arvo_json_count(cases);
    assert_true(count >= 41);
    for (size_t i = 0; i < count; i++) {
        const arvo_json *one = arvo_json_at(cases, i);
        const arvo_str in = arvo_json_str(arvo_json_get(one, "in"));
        const arvo_str encoded = arvo_json_str(arvo_json_get(one, "encodeURI"));
        const bool valid = arvo_json_bool_or(arvo_json_get(one, "validateURI"), false);

        arvo_buf buf = ARVO_BUF_INIT(1000);
        arvo_error err = { 0 };
        if (arvo_uri_encode(in, &buf, &err) != ARVO_OK)
            fail_msg("%s: %s", golden_text(arena, one), err.text);
        if (!arvo_str_equal(arvo_buf_str(&buf), encoded))
            fail_msg("%s: encoded %.*s", golden_text(arena, one), ARVO_FMT(arvo_buf_str(&buf)));
        if (arvo_uri_is_valid(in) != valid)
            fail_msg("%s: valid is not %d", golden_text(arena, one), valid);
        assert_int_equal(arvo_uri_is_plain(in), arvo_str_equal(in, encoded));
        arvo_buf_fini(&buf);
    }
    printf("%zu cases\n", count);
    arvo_arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_uri__every_case_agrees),
    };
    return cmocka_run_group_tests_name("golden_uri", tests, NULL, NULL);
}
