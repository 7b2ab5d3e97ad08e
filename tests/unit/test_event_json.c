/* Events as JSON: reading and writing. */

#include "event_fixture.h"

/* ---- Reading ---------------------------------------------------------------------- */

static arvo_status
parse(const char *text, arvo_event *out, arvo_error *err)
{
    return arvo_event_parse(arvo_str_from(text), arena, out, err);
}

static void
expect_refused(const char *text, arvo_status status, const char *wanted)
{
    arvo_event event = { .id = ARVO_STR("kept") };
    arvo_error err = { 0 };
    const size_t used = arvo_arena_used(arena);
    assert_int_equal(parse(text, &event, &err), status);
    assert_int_equal(err.status, status);
    if (strstr(err.text, wanted) == NULL)
        fail_msg("expected '%s' in: %s", wanted, err.text);
    assert_true(arvo_str_is(event.id, "kept"));
    assert_int_equal(arvo_arena_used(arena), used);
}

static void
test_event_json__reads_with_nullable_keys_absent(void **state)
{
    (void)state;
    arvo_event event;
    arvo_error err = { 0 };
    if (parse("{" REQUIRED ",\"data\":{\"a\":1}}", &event, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    assert_true(arvo_str_is(event.id, "e1"));
    assert_int_equal(arvo_json_int_or(arvo_json_get(event.data, "a"), 0), 1);
    assert_null(event.dataschema.ptr);
    assert_null(event.to.ptr);
    assert_null(event.accesscontrol.ptr);
    assert_null(event.redirectto.ptr);
    assert_null(event.executionunits);
    assert_null(event.traceparent.ptr);
    assert_null(event.tracestate.ptr);
    assert_null(event.parentid.ptr);
    assert_null(event.domain.ptr);
    assert_null(event.extensions);
}

static void
test_event_json__reads_extensions_in_order(void **state)
{
    (void)state;
    arvo_event event;
    assert_int_equal(
        parse(
            "{\"zz\":1," REQUIRED ",\"data\":{},\"b1\":\"x\",\"a\":null,\"c\":false}", &event,
            NULL),
        ARVO_OK);
    assert_int_equal(arvo_json_count(event.extensions), 4);
    assert_true(arvo_str_is(arvo_json_key_at(event.extensions, 0), "zz"));
    assert_true(arvo_str_is(arvo_json_key_at(event.extensions, 1), "b1"));
    assert_true(arvo_str_is(arvo_json_key_at(event.extensions, 2), "a"));
    assert_true(arvo_str_is(arvo_json_key_at(event.extensions, 3), "c"));
    assert_non_null(strstr(
        written(&event), "\"time\":\"2024-01-01T00:00:00Z\",\"zz\":1,\"b1\":\"x\",\"a\":null,\"c\":"
                         "false,\"to\":null"));
}

static void
test_event_json__last_of_duplicate_keys_wins(void **state)
{
    (void)state;
    arvo_event event;
    assert_int_equal(
        parse("{\"id\":1," REQUIRED ",\"data\":[],\"x\":1,\"data\":{},\"x\":2}", &event, NULL),
        ARVO_OK);
    assert_true(arvo_str_is(event.id, "e1"));
    assert_int_equal(arvo_json_count(event.extensions), 1);
    assert_int_equal(arvo_json_int_or(arvo_json_get(event.extensions, "x"), 0), 2);
}

static void
test_event_json__wrong_types_are_named(void **state)
{
    (void)state;
    expect_refused(
        "{" REQUIRED ",\"data\":{},\"id\":7}", ARVO_E_INVALID,
        "id must be non-empty text, not integer");
    expect_refused(
        "{" REQUIRED ",\"data\":{},\"to\":{}}", ARVO_E_INVALID,
        "to must be null or a non-empty URI, not object");
    expect_refused("{" REQUIRED ",\"data\":{},\"domain\":true}", ARVO_E_INVALID, "domain must be");
    expect_refused(
        "{" REQUIRED ",\"data\":7}", ARVO_E_INVALID, "data must be an object, not integer");
    expect_refused("{" REQUIRED ",\"data\":null}", ARVO_E_INVALID, "data is missing");
    expect_refused("{" REQUIRED "}", ARVO_E_INVALID, "data is missing");
    expect_refused(
        "{" REQUIRED ",\"data\":{},\"executionunits\":\"1\"}", ARVO_E_INVALID,
        "executionunits must be");
    expect_refused("{" REQUIRED ",\"data\":{},\"id\":null}", ARVO_E_INVALID, "id is missing");
    expect_refused("{" REQUIRED ",\"data\":{},\"Bad\":1}", ARVO_E_INVALID, "extension \"Bad\"");
    expect_refused(
        "{" REQUIRED ",\"data\":{},\"data_base64\":\"\"}", ARVO_E_INVALID,
        "extension \"data_base64\"");
    expect_refused("{" REQUIRED ",\"data\":{},\"x\":{}}", ARVO_E_INVALID, "extension \"x\"");
    expect_refused("{}", ARVO_E_INVALID, "source is missing");
    expect_refused("[]", ARVO_E_INVALID, "must be an object, not array");
    expect_refused("null", ARVO_E_INVALID, "must be an object, not null");
    /* The `to` that has the wrong type is not said to be missing as well. */
    arvo_event event;
    arvo_error err = { 0 };
    assert_int_equal(
        parse(
            "{" REQUIRED ",\"data\":{},\"to\":1,\"datacontenttype\":\"" ARVO_EVENT_CONTENT_TYPE
            "\"}",
            &event, &err),
        ARVO_E_INVALID);
    assert_null(strstr(err.text, "given"));
}

static void
test_event_json__not_json_is_malformed(void **state)
{
    (void)state;
    expect_refused("", ARVO_E_MALFORMED, "event: ");
    expect_refused("{" REQUIRED ",\"data\":{}", ARVO_E_MALFORMED, "event: line 1");
    expect_refused("{" REQUIRED ",\"data\":{}} x", ARVO_E_MALFORMED, "event: ");
    expect_refused("{" REQUIRED ",\"data\":{\"a\":\"\xff\"}}", ARVO_E_MALFORMED, "event: ");
}

static void
test_event_json__object_argument_may_be_absent(void **state)
{
    (void)state;
    arvo_event event;
    arvo_error err = { 0 };
    assert_int_equal(arvo_event_from_json(NULL, arena, &event, &err), ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "must be an object"));
}

static void
test_event_json__too_big_is_refused(void **state)
{
    (void)state;
    const size_t len = ARVO_EVENT_BYTES_MAX + 1;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, ' ', len);
    arvo_event event;
    arvo_error err = { 0 };
    assert_int_equal(
        arvo_event_parse((arvo_str){ text, len }, arena, &event, &err), ARVO_E_TOO_BIG);
    assert_int_equal(err.status, ARVO_E_TOO_BIG);
    free(text);
}

/* ---- Writing ---------------------------------------------------------------------- */

static void
test_event_json__writes_what_it_reads(void **state)
{
    (void)state;
    static const char text[] =
        "{\"id\":\"e\\\"1\\n\",\"source\":\"com.src.a\",\"specversion\":\"1.0\",\"type\":\"a.b.c\","
        "\"subject\":\"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/==\","
        "\"datacontenttype\":\"application/cloudevents+json;charset=UTF-8;profile=arvo\","
        "\"dataschema\":\"#/a/1.0.0\",\"data\":{\"b\":[1,2.5,null],\"a\":{\"\":\"\xc3\xa9\"}},"
        "\"time\":\"2024-01-01T00:00:00Z\",\"ext\":\"\\\\\",\"to\":\"x\",\"accesscontrol\":"
        "\"sixteen bytes \\\\ and more than those\",\"redirectto\":\"y\",\"executionunits\":2.5,"
        "\"traceparent\":\"\\u0001\",\"tracestate\":\"eight by\\t\",\"parentid\":\"p\","
        "\"domain\":\"external\"}";
    arvo_event event;
    arvo_error err = { 0 };
    if (parse(text, &event, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    assert_string_equal(written(&event), text);

    const arvo_json *value = arvo_event_to_json(&event, arena);
    arvo_buf buf = ARVO_BUF_INIT(4096);
    arvo_json_write(value, &buf);
    assert_true(arvo_str_is(arvo_buf_str(&buf), text));
    arvo_buf_fini(&buf);
}

/* A byte that needs an escape, at each place of strings of each length. */
static void
test_event_json__escapes_at_every_place(void **state)
{
    (void)state;
    static const char bytes[] = { '"', '\\', '\n', '\x01', '\x1f' };
    for (size_t len = 1; len <= 50; len++)
        for (size_t at = 0; at < len; at++) {
            char text[50];
            memset(text, 'a' + (int)(len % 26), sizeof(text));
            text[at] = bytes[(at + len) % sizeof(bytes)];
            arvo_event event = sound();
            event.id = (arvo_str){ text, len };
            event.parentid = event.id;
            arvo_event again;
            arvo_error err = { 0 };
            if (parse(written(&event), &again, &err) != ARVO_OK)
                fail_msg("%s", err.text);
            assert_true(arvo_str_equal(event.id, again.id));
            assert_true(arvo_str_equal(event.parentid, again.parentid));
        }
}

static void
test_event_json__writes_plain_bytes_unescaped(void **state)
{
    (void)state;
    char text[256 - 0x20 + 1];
    size_t len = 0;
    for (unsigned c = 0x20; c < 0x80; c++)
        if (c != '"' && c != '\\')
            text[len++] = (char)c;
    memcpy(text + len, "\xc3\xa9\xf0\x9d\x84\x9e", 6);
    len += 6;
    arvo_event event = sound();
    event.accesscontrol = (arvo_str){ text, len };
    text[len] = '\0';
    char wanted[300];
    snprintf(wanted, sizeof(wanted), "\"accesscontrol\":\"%s\",", text);
    assert_non_null(strstr(written(&event), wanted));
}

/* An unfinished event, too, is written as JSON. */
static void
test_event_json__writes_missing_values_as_null(void **state)
{
    (void)state;
    const arvo_event empty = { 0 };
    assert_string_equal(
        written(&empty),
        "{\"id\":null,\"source\":null,\"specversion\":null,\"type\":null,\"subject\":null,"
        "\"datacontenttype\":null,\"dataschema\":null,\"data\":null,\"time\":null,\"to\":null,"
        "\"accesscontrol\":null,\"redirectto\":null,\"executionunits\":null,\"traceparent\":null,"
        "\"tracestate\":null,\"parentid\":null,\"domain\":null}");
}

/* The buffer may be as small as the text: nothing more is reserved. */
static void
test_event_json__fills_a_buffer_exactly(void **state)
{
    (void)state;
    arvo_event event = sound();
    event.id = ARVO_STR("with \"escapes\" \n in it");
    event.extensions = json("{\"x\":[1]}");
    const size_t len = strlen(written(&event));
    for (size_t max = 0; max <= len; max++) {
        arvo_buf buf = ARVO_BUF_INIT(max);
        arvo_event_write(&event, &buf);
        assert_int_equal(buf.status, max == len ? ARVO_OK : ARVO_E_TOO_BIG);
        assert_true(buf.len <= max);
        arvo_buf_fini(&buf);
    }
}

static void
test_event_json__appends_to_a_buffer(void **state)
{
    (void)state;
    const arvo_event event = sound();
    arvo_buf buf = ARVO_BUF_INIT(4096);
    arvo_buf_append(&buf, "[", 1);
    arvo_event_write(&event, &buf);
    arvo_buf_append(&buf, "]", 1);
    char wanted[4096];
    snprintf(wanted, sizeof(wanted), "[%s]", written(&event));
    assert_true(arvo_str_is(arvo_buf_str(&buf), wanted));
    arvo_buf_fini(&buf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_event_json__reads_with_nullable_keys_absent, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_event_json__reads_extensions_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_event_json__last_of_duplicate_keys_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_json__wrong_types_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_json__not_json_is_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_event_json__object_argument_may_be_absent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_json__too_big_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_json__writes_what_it_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_json__escapes_at_every_place, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_event_json__writes_plain_bytes_unescaped, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_event_json__writes_missing_values_as_null, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_json__fills_a_buffer_exactly, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_json__appends_to_a_buffer, setup, teardown),
    };
    return cmocka_run_group_tests_name("event_json", tests, NULL, NULL);
}
