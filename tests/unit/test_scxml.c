/* What W3C's tests of SCXML check, as far as the language can say it: charts of our own in
 * scxml.json, one per behaviour, under the number of the test (docs/statecharts.md lists the rest).
 *
 * Each is run from stored bytes to stored bytes, and again in memory. */

#include "machine_helpers.h"

#define CASES_BYTES_MAX (256u * 1024u)
#define CASES_MIN       40u

static const arvo_json *
cases_read(void)
{
    static char text[CASES_BYTES_MAX];
    char path[1024];
    const char *const root = getenv("ARVO_SOURCE_ROOT");
    assert_non_null(root);
    (void)snprintf(path, sizeof(path), "%s/tests/unit/scxml.json", root);
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

static const char *
member(const arvo_json *one, const char *key)
{
    const arvo_json *const value = arvo_json_get(one, key);
    return value != NULL ? text_of(value) : "nothing";
}

static void
expect(const arvo_json *one, const char *what, const char *found)
{
    if (strcmp(member(one, what), found) != 0)
        fail_msg(
            "%s: %s\n  %s is %s, not %s", member(one, "id"), member(one, "behaviour"), what, found,
            member(one, what));
}

static void
logs_add(const arvo_machine_output *out, arvo_json *log)
{
    for (size_t i = 0; i < out->log_count; i++)
        arvo_json_push(arena, log, arvo_json_string(arena, out->logs[i]));
}

static const arvo_json *
event_of(const arvo_json *name)
{
    arvo_json *const event = arvo_json_object_new(arena);
    arvo_json_set(arena, event, ARVO_STR("type"), name);
    return event;
}

static void
run_case(const arvo_json *one, bool in_memory)
{
    arvo_machine *const machine = machine_with(NULL, member(one, "machine"));
    const arvo_json *const events = arvo_json_get(one, "events");
    arvo_json *const log = arvo_json_array_new(arena);
    arvo_machine_output out =
        execute(machine, &(arvo_machine_input){ .in_memory = in_memory }, ARVO_OK);
    logs_add(&out, log);
    for (size_t i = 0; i < arvo_json_count(events); i++) {
        const arvo_machine_output before = out;
        arvo_machine_input input = { .state = before.state,
                                     .event = event_of(arvo_json_at(events, i)),
                                     .previous = in_memory ? &before : NULL,
                                     .in_memory = in_memory };
        out = execute(machine, &input, ARVO_OK);
        logs_add(&out, log);
    }
    if (in_memory) {
        const arvo_machine_output before = out;
        out = execute(machine, &(arvo_machine_input){ .previous = &before }, ARVO_OK);
    }
    expect(one, "log", text_of(log));
    const arvo_json *value = NULL;
    assert_int_equal(arvo_json_parse(out.value, arena, &value, NULL), ARVO_OK);
    expect(one, "value", text_of(value));
    const arvo_str status = arvo_str_from(arvo_machine_status_name(out.status));
    expect(one, "status", text_of(arvo_json_string(arena, status)));
    arvo_machine_unref(machine);
}

static void
test_scxml__behaves_as_the_tests_say(void **state)
{
    (void)state;
    const arvo_json *const cases = cases_read();
    assert_true(arvo_json_count(cases) >= CASES_MIN);
    for (size_t i = 0; i < arvo_json_count(cases); i++) {
        run_case(arvo_json_at(cases, i), false);
        run_case(arvo_json_at(cases, i), true);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scxml__behaves_as_the_tests_say),
    };
    return cmocka_run_group_tests_name("scxml", tests, machine_group_setup, machine_group_teardown);
}
