/* What JSON Schema leaves to the implementation: formats that refuse, numbers beyond a double,
 * regular expressions as ECMA-262 has them. The cases are our own, written from the RFCs and
 * ECMA-262, in schema_optional.json: by group [{schema, valid: [value], invalid: [value]}]. */

#include "schema_helpers.h"

#define CASES_BYTES_MAX (256u * 1024u)
#define GROUPS          5u
#define CASES_MIN       400u

static const arvo_json *
cases_read(void)
{
    static char text[CASES_BYTES_MAX];
    char path[1024];
    const char *const root = getenv("ARVO_SOURCE_ROOT");
    assert_non_null(root);
    (void)snprintf(path, sizeof(path), "%s/tests/unit/schema_optional.json", root);
    FILE *const file = fopen(path, "rb");
    assert_non_null(file);
    const size_t len = fread(text, 1, sizeof(text), file);
    (void)fclose(file);
    assert_true(len < sizeof(text));
    const arvo_json *cases = NULL;
    arvo_error err = { 0 };
    if (arvo_json_parse((arvo_str){ text, len }, arena, &cases, &err) != ARVO_OK)
        fail_msg("%s: %s", path, err.text);
    return cases;
}

/* How many of the values are answered right; the others are said. */
static size_t
passed(const arvo_schema *schema, const arvo_json *one, const char *key, arvo_status right)
{
    const arvo_json *const values = arvo_json_get(one, key);
    size_t count = 0;
    for (size_t i = 0; i < arvo_json_count(values); i++) {
        const arvo_json *const value = arvo_json_at(values, i);
        const bool is_right = arvo_schema_check(schema, value, arena, NULL, NULL) == right;
        count += is_right;
        if (!is_right)
            printf(
                "  %s should be %s for %s\n", text_of(value), key,
                text_of(arvo_json_get(one, "schema")));
    }
    return count;
}

static void
group_run(arvo_str name, const arvo_json *group, size_t *out_passed, size_t *out_count)
{
    size_t right = 0, count = 0;
    for (size_t i = 0; i < arvo_json_count(group); i++) {
        const arvo_json *const one = arvo_json_at(group, i);
        const arvo_schema_opts opts = { .formats = true };
        arvo_schema *schema = NULL;
        arvo_error err = { 0 };
        if (arvo_schema_compile(arvo_json_get(one, "schema"), &opts, &schema, &err) != ARVO_OK)
            fail_msg("%s: %s", text_of(arvo_json_get(one, "schema")), err.text);
        right += passed(schema, one, "valid", ARVO_OK);
        right += passed(schema, one, "invalid", ARVO_E_INVALID);
        count += arvo_json_count(arvo_json_get(one, "valid"));
        count += arvo_json_count(arvo_json_get(one, "invalid"));
        arvo_schema_free(schema);
    }
    printf("  %.*s: %zu of %zu\n", ARVO_FMT(name), right, count);
    *out_passed += right;
    *out_count += count;
}

static void
test_schema_optional__all_groups(void **state)
{
    (void)state;
    const arvo_json *const groups = cases_read();
    size_t right = 0, count = 0;
    for (size_t i = 0; i < arvo_json_count(groups); i++)
        group_run(arvo_json_key_at(groups, i), arvo_json_at(groups, i), &right, &count);
    assert_int_equal(arvo_json_count(groups), GROUPS);
    assert_true(count >= CASES_MIN);
    assert_int_equal(right, count);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_schema_optional__all_groups, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
