/* createArvoEvent, case by case: the JSON text byte for byte, the telemetry attributes, and which
 * attributes a refusal names. */

#include "golden.h"

#include <arvo/event.h>

#include "event/internal.h"

/* In every case that succeeds the JSON has `,"domain":null` before its last brace (v3), and the
 * attributes have `cloudevents.arvo.event_domain` = "N/A" (v3). Beyond that: */
static const struct golden_departure departures[] = {
    { "ext shadows core fields (DEFECT)",
      "D30: an extension with the name of a standard attribute is refused" },
};

static int64_t
no_clock(void *self)
{
    (void)self;
    fail_msg("every golden case brings its own time");
    return 0;
}

static bool
no_random(void *self, void *bytes, size_t len)
{
    (void)self, (void)bytes, (void)len;
    fail_msg("every golden case brings its own id");
    return false;
}

static const arvo_platform platform = {
    .version = ARVO_PLATFORM_OPS_VERSION,
    .time_ms = no_clock,
    .monotonic_ns = no_clock,
    .random = no_random,
};

static arvo_status
create(const arvo_json *one, arvo_arena *arena, arvo_event *out, arvo_error *err)
{
    const arvo_json *input = arvo_json_get(one, "input");
    arvo_event fields = { .data = arvo_json_get(input, "data"),
                          .executionunits = arvo_json_get(input, "executionunits"),
                          .extensions = arvo_json_get(one, "extensions") };
    for (size_t i = 0; i < arvo_json_count(input); i++) {
        const arvo_str key = arvo_json_key_at(input, i);
        const unsigned field = arvo__event_field_of(key.ptr, key.len);
        assert_int_not_equal(field, ARVO__EVENT_FIELD_COUNT);
        if (field < ARVO__EVENT_STRING_COUNT)
            *arvo__event_string(&fields, field) = arvo_json_str(arvo_json_at(input, i));
    }
    return arvo_event_create(&fields, &platform, arena, out, err);
}

/* ---- Success ------------------------------------------------------------------------ */

static void
check_text(const arvo_json *one, arvo_arena *arena, const arvo_event *event)
{
    const arvo_str original = arvo_json_str(arvo_json_get(one, "json"));
    const arvo_str expected =
        arvo_arena_printf(arena, "%.*s,\"domain\":null}", (int)(original.len - 1), original.ptr);
    arvo_buf buf = ARVO_BUF_INIT(100000);
    arvo_event_write(event, &buf);
    if (!arvo_str_equal(arvo_buf_str(&buf), expected))
        fail_msg("wrote %.*s\nexpected %.*s", ARVO_FMT(arvo_buf_str(&buf)), ARVO_FMT(expected));

    /* What was written is read again, and the original's text as well. */
    arvo_event again;
    arvo_error err = { 0 };
    if (arvo_event_parse(arvo_buf_str(&buf), arena, &again, &err) != ARVO_OK ||
        arvo_event_parse(original, arena, &again, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    assert_true(
        arvo_str_is(arvo_buf_str(&buf), golden_text(arena, arvo_event_to_json(&again, arena))));
    arvo_buf_fini(&buf);
}

struct attributes {
    arvo_arena *arena;
    arvo_json *object;
};

static arvo_span *
attributes_start(void *self, const arvo_span_opts *opts, arvo_trace_context *own)
{
    (void)self, (void)opts, (void)own;
    return NULL;
}

static void
attributes_str(void *self, arvo_span *span, arvo_str key, arvo_str value)
{
    (void)span;
    struct attributes *seen = self;
    arvo_json_set(seen->arena, seen->object, key, arvo_json_string(seen->arena, value));
}

static void
attributes_number(void *self, arvo_span *span, arvo_str key, double value)
{
    (void)span;
    struct attributes *seen = self;
    arvo_json_set(seen->arena, seen->object, key, arvo_json_number(seen->arena, value));
}

static void
check_attributes(const arvo_json *one, arvo_arena *arena, const arvo_event *event)
{
    struct attributes seen = { arena, arvo_json_object_new(arena) };
    const arvo_telemetry telemetry = { .version = ARVO_TELEMETRY_OPS_VERSION,
                                       .span_start = attributes_start,
                                       .span_str = attributes_str,
                                       .span_number = attributes_number,
                                       .self = &seen };
    arvo__event_attributes(event, ARVO_STR(""), &telemetry, NULL);

    arvo_json *expected = arvo_json_clone(arena, arvo_json_get(one, "otel"));
    arvo_json_set(
        arena, expected, ARVO_STR("cloudevents.arvo.event_domain"),
        arvo_json_string(arena, ARVO_STR("N/A")));
    assert_string_equal(golden_text(arena, seen.object), golden_text(arena, expected));
}

/* ---- Refusal ------------------------------------------------------------------------ */

/* Our line names each attribute that the original complains of, and no other. */
static void
check_refusal(const arvo_json *one, const char *text)
{
    const arvo_json *issues = arvo_json_get(one, "error");
    assert_true(arvo_json_count(issues) > 0);
    for (size_t i = 0; i < arvo_json_count(issues); i++) {
        const arvo_str name =
            arvo_json_str(arvo_json_at(arvo_json_get(arvo_json_at(issues, i), "path"), 0));
        char wanted[100];
        (void)snprintf(
            wanted, sizeof(wanted), "%.*s",
            ARVO_FMT(name.ptr != NULL ? name : ARVO_STR("data must be an object")));
        if (arvo_json_is_nullish(arvo_json_get(arvo_json_get(one, "input"), "data")))
            (void)snprintf(wanted, sizeof(wanted), "data is missing");
        if (strstr(text, wanted) == NULL)
            fail_msg("no '%s' in: %s", wanted, text);
    }
    if (strchr(text, ';') != NULL)
        fail_msg("the original names one attribute: %s", text);
}

static void
test_golden_events__every_case_agrees(void **state)
{
    (void)state;
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_non_null(arena);
    const arvo_json *cases = golden_read(arena, "events.json");
    const size_t count = arvo_json_count(cases);
    size_t departed = 0;
    assert_true(count >= 64);
    for (size_t i = 0; i < count; i++) {
        const arvo_json *one = arvo_json_at(cases, i);
        const arvo_str name = arvo_json_str(arvo_json_get(one, "name"));
        const char *reason = golden_reason(departures, ARVO_COUNT_OF(departures), name);
        const bool ok = arvo_json_bool_or(arvo_json_get(one, "ok"), false);
        arvo_event event;
        arvo_error err = { 0 };
        const arvo_status st = create(one, arena, &event, &err);
        assert_true(st == ARVO_OK || st == ARVO_E_INVALID);
        if ((st == ARVO_OK) == (reason != NULL ? !ok : ok)) {
            departed += reason != NULL;
        } else {
            fail_msg("%.*s: %s %s", ARVO_FMT(name), arvo_status_name(st), err.text);
        }
        if (reason != NULL)
            continue;
        if (st == ARVO_OK) {
            check_text(one, arena, &event);
            check_attributes(one, arena, &event);
        } else {
            check_refusal(one, err.text);
        }
    }
    assert_int_equal(departed, ARVO_COUNT_OF(departures));
    printf("%zu cases, %zu departures\n", count, departed);
    arvo_arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_events__every_case_agrees),
    };
    return cmocka_run_group_tests_name("golden_events", tests, NULL, NULL);
}
