/* Events: rules, defaults, encoding, attributes for telemetry. */

#include "event_fixture.h"

/* ---- Predicates ----------------------------------------------------------------- */

static void
test_event__type_names(void **state)
{
    (void)state;
    static const char *const good[] = { "a.b.c", "1.2.3", "com.example.do.it", "arvo.orc.x" };
    static const char *const bad[] = { "",        "a",     "a.b",     "a..b.c",      ".a.b.c",
                                       "a.b.c.",  "A.b.c", "a.b-c.d", "a.b_c.d",     "a b.c.d",
                                       "a.b.c\n", "..",    "...",     "a.b.\xc3\xa9" };
    for (size_t i = 0; i < ARVO_COUNT_OF(good); i++)
        assert_true(arvo_event_type_is_valid(arvo_str_from(good[i])));
    for (size_t i = 0; i < ARVO_COUNT_OF(bad); i++)
        assert_false(arvo_event_type_is_valid(arvo_str_from(bad[i])));
    assert_false(arvo_event_type_is_valid(ARVO_STR_NONE));
    assert_false(arvo_event_type_is_valid((arvo_str){ "a.b.c\0d", 7 }));
}

static void
test_event__domain_names(void **state)
{
    (void)state;
    static const char *const good[] = {
        "a", "default", "external", "a.b", ".", "all.x", "al", "0"
    };
    static const char *const bad[] = { "", "all", "A", "a b", "a-b", "a\n", "\xc3\xa9" };
    for (size_t i = 0; i < ARVO_COUNT_OF(good); i++)
        assert_true(arvo_domain_is_valid(arvo_str_from(good[i])));
    for (size_t i = 0; i < ARVO_COUNT_OF(bad); i++)
        assert_false(arvo_domain_is_valid(arvo_str_from(bad[i])));
    assert_false(arvo_domain_is_valid(ARVO_STR_NONE));
}

static void
test_event__versions(void **state)
{
    (void)state;
    static const char *const good[] = { "0.0.0", "1.2.3", "01.2.3",
                                        "123456789012345678901234567890.0.0" };
    static const char *const bad[] = { "",        "1",      "1.2",         "1.2.",    "1.2.3.",
                                       "1.2.3.4", ".1.2.3", "v1.2.3",      "1.2.3-a", "1..2.3",
                                       "1.2.3\n", "1,2.3",  "\xd9\xa1.0.0" };
    for (size_t i = 0; i < ARVO_COUNT_OF(good); i++)
        assert_true(arvo_version_is_valid(arvo_str_from(good[i])));
    for (size_t i = 0; i < ARVO_COUNT_OF(bad); i++)
        assert_false(arvo_version_is_valid(arvo_str_from(bad[i])));
    assert_false(arvo_version_is_valid(ARVO_STR_NONE));
}

static void
test_event__version_order(void **state)
{
    (void)state;
    /* Ascending; equal ones on one line. */
    static const char *const ladder[][2] = {
        { "0.0.0", "00.0.000" },
        { "0.0.1", "0.0.01" },
        { "0.0.2", "0.0.2" },
        { "0.0.10", "0.0.10" },
        { "0.1.0", "0.01.0" },
        { "0.10.0", "0.10.0" },
        { "1.0.0", "001.0.0" },
        { "2.9.9", "2.9.9" },
        { "10.0.0", "10.0.0" },
        { "99999999999999999999.0.0", "99999999999999999999.0.0" },
        { "100000000000000000000.0.0", "0100000000000000000000.0.0" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(ladder); i++)
        for (size_t j = 0; j < ARVO_COUNT_OF(ladder); j++) {
            const int order =
                arvo_version_compare(arvo_str_from(ladder[i][0]), arvo_str_from(ladder[j][1]));
            assert_int_equal(order < 0, i < j);
            assert_int_equal(order > 0, i > j);
        }
}

static void
test_event__dataschema_parts(void **state)
{
    (void)state;
    arvo_str uri = ARVO_STR("kept"), version = ARVO_STR("kept");
    assert_false(arvo_dataschema_parse(ARVO_STR_NONE, &uri, &version));
    assert_false(arvo_dataschema_parse(ARVO_STR(""), &uri, &version));
    assert_false(arvo_dataschema_parse(ARVO_STR("/"), &uri, &version));
    assert_false(arvo_dataschema_parse(ARVO_STR("#/a/b"), &uri, &version));
    assert_true(arvo_str_is(uri, "kept") && arvo_str_is(version, "kept"));
    assert_true(arvo_dataschema_parse(ARVO_STR("#/a//1.0.0"), &uri, &version));
    assert_true(arvo_str_is(uri, "#/a/") && arvo_str_is(version, "1.0.0"));
}

/* ---- Rules ---------------------------------------------------------------------- */

static void
test_event__sound_event_passes(void **state)
{
    (void)state;
    arvo_event event = sound();
    expect_sound(&event);
    event.dataschema = ARVO_STR("#/a/1.0.0");
    event.accesscontrol = ARVO_STR("role:a");
    event.redirectto = ARVO_STR("x");
    event.executionunits = json("-1.5");
    event.traceparent = ARVO_STR("any text");
    event.tracestate = ARVO_STR("\xc3\xa9");
    event.parentid = ARVO_STR("not a uri: [ ]");
    event.domain = ARVO_STR("external");
    event.extensions = json("{\"b\":1,\"a1\":null,\"c\":true,\"d\":\"\"}");
    expect_sound(&event);
    event.executionunits = arvo_json_null();
    event.extensions = arvo_json_null();
    expect_sound(&event);
}

#define BREAK(field, value, text)                                                                  \
    do {                                                                                           \
        arvo_event event = sound();                                                                \
        event.field = (value);                                                                     \
        expect_broken(&event, text);                                                               \
    } while (0)

static void
test_event__each_rule_is_checked(void **state)
{
    (void)state;
    BREAK(id, ARVO_STR(""), "id must be non-empty text, not \"\"");
    BREAK(id, ARVO_STR_NONE, "id is missing");
    BREAK(id, ARVO_STR("\xff"), "id must be non-empty text, not \"\\xff\"");
    BREAK(source, ARVO_STR_NONE, "source is missing");
    BREAK(source, ARVO_STR(""), "source must be");
    BREAK(source, ARVO_STR("a b"), "source must be a non-empty URI, not \"a b\"");
    BREAK(specversion, ARVO_STR("0.3"), "specversion must be \"1.0\", not \"0.3\"");
    BREAK(specversion, ARVO_STR(""), "specversion must be");
    BREAK(type, ARVO_STR("a.b"), "type must be 3 or more");
    BREAK(type, ARVO_STR_NONE, "type is missing");
    BREAK(subject, ARVO_STR(""), "subject must be");
    BREAK(subject, ARVO_STR("%2F"), "subject must be");
    BREAK(datacontenttype, ARVO_STR("text/plain"), "datacontenttype must be");
    BREAK(datacontenttype, ARVO_STR(""), "datacontenttype must be");
    BREAK(datacontenttype, ARVO_STR("application/json \xff"), "datacontenttype must be");
    BREAK(dataschema, ARVO_STR(""), "dataschema must be null or");
    BREAK(dataschema, ARVO_STR("a b/1.0.0"), "dataschema must be null or");
    BREAK(data, NULL, "data is missing");
    BREAK(data, arvo_json_null(), "data is missing");
    BREAK(data, json("[1]"), "data must be an object, not array");
    BREAK(data, json("\"x\""), "data must be an object, not \"x\"");
    BREAK(time, ARVO_STR("now"), "time must be a date-time as");
    BREAK(time, ARVO_STR_NONE, "time is missing");
    BREAK(to, ARVO_STR(""), "to must be null or");
    BREAK(to, ARVO_STR_NONE, "to must be given when datacontenttype is Arvo's own");
    BREAK(to, ARVO_STR("a b"), "to must be null or");
    BREAK(accesscontrol, ARVO_STR(""), "accesscontrol must be null or");
    BREAK(redirectto, ARVO_STR(""), "redirectto must be null or");
    BREAK(redirectto, ARVO_STR("<"), "redirectto must be null or");
    BREAK(executionunits, json("\"1\""), "executionunits must be null or a number, not \"1\"");
    BREAK(executionunits, json("true"), "executionunits must be null or a number, not bool");
    BREAK(traceparent, ARVO_STR(""), "traceparent must be null or");
    BREAK(tracestate, ARVO_STR(""), "tracestate must be null or");
    BREAK(tracestate, ARVO_STR("\x80"), "tracestate must be null or");
    BREAK(parentid, ARVO_STR(""), "parentid must be null or");
    BREAK(domain, ARVO_STR(""), "domain must be null or");
    BREAK(domain, ARVO_STR("all"), "domain must be null or");
    BREAK(domain, ARVO_STR("A"), "domain must be null or");
}

static void
test_event__extensions_are_checked(void **state)
{
    (void)state;
    BREAK(extensions, json("[]"), "extensions must be an object of scalars, not array");
    BREAK(extensions, json("{\"Foo\":1}"), "extension \"Foo\" is named with more than");
    BREAK(extensions, json("{\"a-b\":1}"), "extension \"a-b\" is named");
    BREAK(extensions, json("{\"\":1}"), "extension \"\" has an empty name");
    BREAK(extensions, json("{\"foo\":{}}"), "extension \"foo\" is no text, number, bool or null");
    BREAK(extensions, json("{\"foo\":[]}"), "extension \"foo\" is no text");
    BREAK(
        extensions, json("{\"A\":1,\"B\":1,\"C\":1,\"D\":1,\"E\":1,\"F\":1}"),
        "and 2 extensions more");
}

/* D30: none of the standard names may be taken. */
static void
test_event__extension_names_cannot_collide(void **state)
{
    (void)state;
    static const char *const names[] = {
        "id",         "source",      "specversion",    "type",       "subject",  "datacontenttype",
        "dataschema", "data",        "time",           "to",         "domain",   "accesscontrol",
        "redirectto", "traceparent", "executionunits", "tracestate", "parentid",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(names); i++) {
        arvo_json *extensions = arvo_json_object_new(arena);
        arvo_json_set(arena, extensions, arvo_str_from(names[i]), json("1"));
        BREAK(extensions, extensions, "has the name of a standard attribute");
        assert_int_not_equal(
            arvo__event_field_of(names[i], strlen(names[i])), ARVO__EVENT_FIELD_COUNT);
    }
    static const char *const others[] = { "i",
                                          "tx",
                                          "tim3",
                                          "sourcf",
                                          "subjecu",
                                          "parentie",
                                          "x",
                                          "datasch3ma",
                                          "specversiom",
                                          "accesscontrom",
                                          "executionunit5",
                                          "datacontenttypf",
                                          "averyverylongname" };
    for (size_t i = 0; i < ARVO_COUNT_OF(others); i++)
        assert_int_equal(
            arvo__event_field_of(others[i], strlen(others[i])), ARVO__EVENT_FIELD_COUNT);
}

static void
test_event__foreign_content_type_needs_no_to(void **state)
{
    (void)state;
    static const char *const types[] = {
        "application/json", "x application/json y", "application/cloudevents+json",
        "application/json;\xc3\xa9", "application/cloudevents+json;charset=UTF-8;profile=arv0"
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(types); i++) {
        arvo_event event = sound();
        event.datacontenttype = arvo_str_from(types[i]);
        event.to = ARVO_STR_NONE;
        expect_sound(&event);
    }
}

static void
test_event__error_names_every_broken_rule(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "id",          "source",     "specversion",    "type",     "subject",    "datacontenttype",
        "dataschema",  "data",       "time",           "to",       "redirectto", "accesscontrol",
        "traceparent", "tracestate", "executionunits", "parentid", "domain",     "extensions",
    };
    char many[200];
    memset(many, ' ', sizeof(many));
    const arvo_str wrong = { many, sizeof(many) };
    const arvo_event event = {
        .id = ARVO_STR(""),
        .source = wrong,
        .specversion = wrong,
        .type = wrong,
        .subject = wrong,
        .datacontenttype = wrong,
        .dataschema = wrong,
        .data = json("[]"),
        .time = wrong,
        .extensions = json("[]"),
        .to = wrong,
        .accesscontrol = ARVO_STR(""),
        .redirectto = wrong,
        .executionunits = json("\"\""),
        .traceparent = ARVO_STR(""),
        .tracestate = ARVO_STR(""),
        .parentid = ARVO_STR(""),
        .domain = wrong,
    };
    arvo_error err = { 0 };
    assert_int_equal(arvo_event_validate(&event, &err), ARVO_E_INVALID);
    for (size_t i = 0; i < ARVO_COUNT_OF(fields); i++) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), " %s: ", fields[i]);
        if (strstr(err.text, wanted) == NULL)
            fail_msg("no '%s' in: %s", wanted, err.text);
    }
    assert_true(strlen(err.text) < sizeof(err.text) - 1); /* not cut */
}

static void
test_event__error_shortens_and_escapes_values(void **state)
{
    (void)state;
    char text[100];
    memset(text, 'x', sizeof(text));
    text[0] = '\n';
    text[1] = '\0';
    memcpy(text + 2, "\xc3\xa9", 2);
    BREAK(type, ((arvo_str){ text, sizeof(text) }), "not \"\\x0a\\x00\xc3\xa9xxx");
    BREAK(type, ((arvo_str){ text, sizeof(text) }), "xxx...\"");
    BREAK(type, ARVO_STR("\xf0\x9d"), "\"\\xf0\\x9d\"");
}

/* ---- Creating -------------------------------------------------------------------- */

static void
test_event__create_fills_in_defaults(void **state)
{
    (void)state;
    const arvo_event fields = { .source = ARVO_STR("com.src.a"),
                                .type = ARVO_STR("a.b.c"),
                                .subject = ARVO_STR("s"),
                                .data = json("{}") };
    arvo_event event = { 0 };
    arvo_error err = { 0 };
    assert_int_equal(arvo_event_create(&fields, &platform, arena, &event, &err), ARVO_OK);
    assert_string_equal(
        written(&event),
        "{\"id\":\"abababab-abab-4bab-abab-abababababab\",\"source\":\"com.src.a\","
        "\"specversion\":\"1.0\",\"type\":\"a.b.c\",\"subject\":\"s\",\"datacontenttype\":"
        "\"application/cloudevents+json;charset=UTF-8;profile=arvo\",\"dataschema\":null,"
        "\"data\":{},\"time\":\"2024-01-01T00:00:00.123+00:00\",\"to\":\"a.b.c\","
        "\"accesscontrol\":null,\"redirectto\":null,\"executionunits\":null,\"traceparent\":null,"
        "\"tracestate\":null,\"parentid\":null,\"domain\":null}");
    expect_sound(&event);
}

static void
test_event__create_encodes_uris(void **state)
{
    (void)state;
    const arvo_event fields = {
        .id = ARVO_STR("i d"),
        .source = ARVO_STR("a b"),
        .type = ARVO_STR("a.b.c"),
        .subject = ARVO_STR("a%20b"),
        .dataschema = ARVO_STR("#/\xc3\xa9/1.0.0"),
        .data = json("{}"),
        .time = ARVO_STR("2024-01-01T00:00Z"),
        .to = ARVO_STR("x y"),
        .accesscontrol = ARVO_STR("r o"),
        .redirectto = ARVO_STR("[r]"),
        .traceparent = ARVO_STR("t p"),
        .tracestate = ARVO_STR("t s"),
        .parentid = ARVO_STR("p 1"),
        .domain = ARVO_STR("external"),
    };
    arvo_event event = { 0 };
    arvo_error err = { 0 };
    if (arvo_event_create(&fields, &platform, arena, &event, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    assert_true(arvo_str_is(event.id, "i d"));
    assert_true(arvo_str_is(event.source, "a%20b"));
    assert_true(arvo_str_is(event.subject, "a%2520b"));
    assert_true(arvo_str_is(event.dataschema, "#/%C3%A9/1.0.0"));
    assert_true(arvo_str_is(event.to, "x%20y"));
    assert_true(arvo_str_is(event.accesscontrol, "r o"));
    assert_true(arvo_str_is(event.redirectto, "%5Br%5D"));
    assert_true(arvo_str_is(event.traceparent, "t p"));
    assert_true(arvo_str_is(event.tracestate, "t s"));
    assert_true(arvo_str_is(event.parentid, "p%201"));
    assert_true(arvo_str_is(event.domain, "external"));
    expect_sound(&event);
}

/* Every byte of text is in the arena: what the caller gave may go. */
static void
test_event__create_copies_text(void **state)
{
    (void)state;
    char source[] = "com.src.a", subject[] = "s s";
    const arvo_event fields = { .source = { source, strlen(source) },
                                .type = ARVO_STR("a.b.c"),
                                .subject = { subject, strlen(subject) },
                                .data = json("{}") };
    arvo_event event = { 0 };
    assert_int_equal(arvo_event_create(&fields, &platform, arena, &event, NULL), ARVO_OK);
    memset(source, '!', sizeof(source));
    memset(subject, '!', sizeof(subject));
    assert_true(arvo_str_is(event.source, "com.src.a"));
    assert_true(arvo_str_is(event.subject, "s%20s"));
}

static void
test_event__create_reports_and_leaves_out_alone(void **state)
{
    (void)state;
    arvo_event fields = sound(), event = { .id = ARVO_STR("kept") };
    arvo_error err = { 0 };
    const size_t used = arvo_arena_used(arena);
    fields.accesscontrol = ARVO_STR("");
    fields.source = ARVO_STR("");
    assert_int_equal(arvo_event_create(&fields, &platform, arena, &event, &err), ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "accesscontrol must be"));
    assert_non_null(strstr(err.text, "source must be"));
    assert_int_equal(arvo_arena_used(arena), used);
    assert_true(arvo_str_is(event.id, "kept"));
}

/* The default of `to` is the type: a wrong type is not reported twice. */
static void
test_event__create_blames_the_type_once(void **state)
{
    (void)state;
    static const char *const types[] = { "", "a.b", NULL };
    for (size_t i = 0; i < ARVO_COUNT_OF(types); i++) {
        arvo_event fields = sound(), event;
        arvo_error err = { 0 };
        fields.type = arvo_str_from(types[i]);
        fields.to = ARVO_STR_NONE;
        assert_int_equal(
            arvo_event_create(&fields, &platform, arena, &event, &err), ARVO_E_INVALID);
        assert_non_null(strstr(err.text, "type "));
        assert_null(strstr(err.text, ";"));
    }
}

static void
test_event__create_refuses_what_is_not_utf8(void **state)
{
    (void)state;
#define BAD_UTF8(field)                                                                            \
    do {                                                                                           \
        arvo_event fields = sound(), event;                                                        \
        arvo_error err = { 0 };                                                                    \
        fields.field = ARVO_STR("x\xed\xa0\x80");                                                  \
        assert_int_equal(                                                                          \
            arvo_event_create(&fields, &platform, arena, &event, &err), ARVO_E_INVALID);           \
        assert_non_null(strstr(err.text, #field " must be"));                                      \
    } while (0)
    BAD_UTF8(id);
    BAD_UTF8(source);
    BAD_UTF8(subject);
    BAD_UTF8(dataschema);
    BAD_UTF8(to);
    BAD_UTF8(redirectto);
    BAD_UTF8(accesscontrol);
    BAD_UTF8(traceparent);
    BAD_UTF8(tracestate);
    BAD_UTF8(parentid);
    BAD_UTF8(domain);
    BAD_UTF8(type);
#undef BAD_UTF8
}

static void
test_event__create_reports_a_failed_random_source(void **state)
{
    (void)state;
    arvo_event fields = sound(), event;
    arvo_error err = { 0 };
    fields.id = ARVO_STR_NONE;
    still.broken = true;
    const arvo_status without_id = arvo_event_create(&fields, &platform, arena, &event, &err);
    fields.id = ARVO_STR("given");
    const arvo_status with_id = arvo_event_create(&fields, &platform, arena, &event, NULL);
    still.broken = false;
    assert_int_equal(without_id, ARVO_E_IO);
    assert_int_equal(err.status, ARVO_E_IO);
    assert_int_equal(with_id, ARVO_OK);
}

/* ---- Telemetry ------------------------------------------------------------------ */

struct seen {
    char text[4096];
    size_t len;
};

static arvo_span *
seen_start(void *self, const arvo_span_opts *opts, arvo_trace_context *own)
{
    (void)self, (void)opts, (void)own;
    return NULL;
}

static void
seen_str(void *self, arvo_span *span, arvo_str key, arvo_str value)
{
    (void)span;
    struct seen *seen = self;
    seen->len += (size_t)snprintf(
        seen->text + seen->len, sizeof(seen->text) - seen->len, "%.*s=%.*s\n", ARVO_FMT(key),
        ARVO_FMT(value));
}

static void
seen_number(void *self, arvo_span *span, arvo_str key, double value)
{
    (void)span;
    struct seen *seen = self;
    seen->len += (size_t)snprintf(
        seen->text + seen->len, sizeof(seen->text) - seen->len, "%.*s:%g\n", ARVO_FMT(key), value);
}

static void
seen_log(void *self, arvo_span *span, arvo_severity severity, arvo_str message)
{
    (void)self, (void)span, (void)severity, (void)message;
}

static void
seen_link(void *self, arvo_span *span, const arvo_trace_context *other)
{
    (void)self, (void)span, (void)other;
}

static void
seen_end(void *self, arvo_span *span, int64_t end_ns, arvo_str type, arvo_str message)
{
    (void)self, (void)span, (void)end_ns, (void)type, (void)message;
}

static void
seen_measure(void *self, arvo_measure measure, double value, const arvo_labels *labels)
{
    (void)self, (void)measure, (void)value, (void)labels;
}

static void
test_event__attributes_for_telemetry(void **state)
{
    (void)state;
    struct seen seen = { .len = 0 };
    const arvo_telemetry telemetry = {
        .version = ARVO_TELEMETRY_OPS_VERSION,
        .span_start = seen_start,
        .span_str = seen_str,
        .span_number = seen_number,
        .span_log = seen_log,
        .span_link = seen_link,
        .span_end = seen_end,
        .measure = seen_measure,
        .self = &seen,
    };
    arvo_error err = { 0 };
    assert_int_equal(arvo_telemetry_check(&telemetry, &err), ARVO_OK);
    arvo_event event = sound();
    event.id = ARVO_STR("");         /* shown as N/A ... */
    event.redirectto = ARVO_STR(""); /* ... but this only when it is null */
    event.executionunits = json("0");
    event.domain = ARVO_STR("external");
    arvo__event_attributes(&event, ARVO_STR("to_emit.3."), &telemetry, NULL);
    assert_string_equal(
        seen.text, "to_emit.3.cloudevents.event_id=N/A\n"
                   "to_emit.3.cloudevents.event_source=com.src.a\n"
                   "to_emit.3.cloudevents.event_spec_version=1.0\n"
                   "to_emit.3.cloudevents.event_subject=s\n"
                   "to_emit.3.cloudevents.event_type=a.b.c\n"
                   "to_emit.3.cloudevents.event_time=2024-01-01T00:00:00Z\n"
                   "to_emit.3.cloudevents.event_datacontenttype=" ARVO_EVENT_CONTENT_TYPE "\n"
                   "to_emit.3.cloudevents.event_dataschema=N/A\n"
                   "to_emit.3.cloudevents.arvo.event_redirectto=\n"
                   "to_emit.3.cloudevents.arvo.event_to=a.b.c\n"
                   "to_emit.3.cloudevents.arvo.event_executionunits:0\n"
                   "to_emit.3.cloudevents.arvo.event_parentid=N/A\n"
                   "to_emit.3.cloudevents.arvo.event_domain=external\n");
}

/* ---- Out of memory ----------------------------------------------------------------- */

/* Hands out `left` pieces of memory, then fails. */
static void *
short_alloc(void *self, size_t size)
{
    size_t *left = self;
    if (*left == 0)
        return NULL;
    --*left;
    return malloc(size);
}

static void
short_free(void *self, void *ptr, size_t size)
{
    (void)self;
    (void)size;
    free(ptr);
}

static arvo_status
work_with(const arvo_allocator *allocator)
{
    static const char text[] =
        "{" REQUIRED ",\"data\":{\"a\":[1,2,3,4,5,6,7,8,9]},\"x\":1,\"y\":2}";
    arvo_arena *small =
        arvo_arena_new(&(arvo_arena_opts){ .allocator = allocator, .chunk_bytes = 256 });
    if (small == NULL)
        return ARVO_E_NOMEM;

    arvo_buf buf = ARVO_BUF_INIT(65536);
    buf.allocator = allocator;
    arvo_event event, again;
    arvo_error err = { 0 };
    arvo_status st = arvo_event_parse(arvo_str_from(text), small, &event, &err);
    if (st == ARVO_OK)
        st = arvo_event_create(&event, &platform, small, &again, &err);
    if (st == ARVO_OK && arvo_event_to_json(&again, small) == NULL)
        st = arvo__nomem(&err);
    if (st == ARVO_OK) {
        arvo_event_write(&again, &buf);
        st = arvo__buf_status(&buf, "event", &err);
    }
    if (st != ARVO_OK)
        assert_int_equal(err.status, st);
    arvo_buf_fini(&buf);
    arvo_arena_free(small);
    return st;
}

static void
test_event__every_allocation_may_fail(void **state)
{
    (void)state;
    size_t count = 0;
    arvo_status st = ARVO_E_NOMEM;
    for (; st != ARVO_OK; count++) {
        assert_true(count < 1000);
        size_t left = count;
        const arvo_allocator allocator = { short_alloc, short_free, &left };
        st = work_with(&allocator);
        assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
    }
    assert_true(count > 4); /* the loop did meet failures */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event__type_names),
        cmocka_unit_test(test_event__domain_names),
        cmocka_unit_test(test_event__versions),
        cmocka_unit_test(test_event__version_order),
        cmocka_unit_test(test_event__dataschema_parts),
        cmocka_unit_test_setup_teardown(test_event__sound_event_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event__each_rule_is_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event__extensions_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_event__extension_names_cannot_collide, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_event__foreign_content_type_needs_no_to, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event__error_names_every_broken_rule, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_event__error_shortens_and_escapes_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event__create_fills_in_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event__create_encodes_uris, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event__create_copies_text, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_event__create_reports_and_leaves_out_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event__create_blames_the_type_once, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_event__create_refuses_what_is_not_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_event__create_reports_a_failed_random_source, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event__attributes_for_telemetry, setup, teardown),
        cmocka_unit_test(test_event__every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
