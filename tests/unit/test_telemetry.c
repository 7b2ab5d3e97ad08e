/* W3C trace context, and the check of a listener's table. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <arvo/telemetry.h>

#define TRACEPARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void
test_telemetry__trace_context_is_read(void **state)
{
    (void)state;
    static const uint8_t trace[16] = { 0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,
                                       0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c };
    static const uint8_t span[8] = { 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31 };
    arvo_trace_context context = { 0 };
    assert_true(arvo_trace_context_parse(ARVO_STR(TRACEPARENT), &context));
    assert_memory_equal(context.trace_id, trace, 16);
    assert_memory_equal(context.span_id, span, 8);
    assert_int_equal(context.flags, 1);
}

static void
test_telemetry__trace_context_is_written_as_read(void **state)
{
    (void)state;
    static const char *const cases[] = {
        TRACEPARENT,
        "00-00000000000000000000000000000001-0000000000000001-00",
        "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-ff",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_trace_context context;
        char out[ARVO_TRACEPARENT_BYTES + 1];
        memset(out, '!', sizeof(out));
        assert_true(arvo_trace_context_parse(arvo_str_from(cases[i]), &context));
        arvo_trace_context_format(&context, out);
        assert_memory_equal(out, cases[i], ARVO_TRACEPARENT_BYTES);
        assert_int_equal(out[ARVO_TRACEPARENT_BYTES], '!');
    }
}

static void
test_telemetry__malformed_trace_context_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "tp",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
        "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333x-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_trace_context context, before;
        memset(&context, 7, sizeof(context));
        before = context;
        if (arvo_trace_context_parse(arvo_str_from(cases[i]), &context))
            fail_msg("accepted: %s", cases[i]);
        assert_memory_equal(&context, &before, sizeof(context));
    }
    arvo_trace_context context;
    assert_false(arvo_trace_context_parse(ARVO_STR_NONE, &context));
}

/* What is known of a later version is used; its flags may mean something else. */
static void
test_telemetry__later_trace_context_is_read_as_far_as_known(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-what-the-future-brings",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_trace_context context;
        assert_true(arvo_trace_context_parse(arvo_str_from(cases[i]), &context));
        assert_int_equal(context.flags, ARVO_TRACE_SAMPLED);
        assert_int_equal(context.span_id[7], 0x31);
    }
}

static void
test_telemetry__tracestate_is_checked(void **state)
{
    (void)state;
    char many[32 * 4 + 8] = "", longest[600];
    static const char *const good[] = {
        "k=v",
        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
        "a=1 , b=2",
        "a=1,,",
        "fw529a3039@dt=FfD~$",
        "0/*-_=x y",
    };
    static const char *const bad[] = {
        "",     ",",       " ",     "k",      "=v",         "k=",
        "K=v",  "k=v=w",   "k=\t",  "k v=w",  "_k=v",       "@v=w",
        "a@=v", "a@b@c=v", "a@1=v", "k=\x7f", "k=v;w=\xc3", "t@waytoolong0system=v"
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(good); i++)
        if (!arvo_tracestate_is_valid(arvo_str_from(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < ARVO_COUNT_OF(bad); i++)
        if (arvo_tracestate_is_valid(arvo_str_from(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    assert_false(arvo_tracestate_is_valid(ARVO_STR_NONE));
    assert_false(arvo_tracestate_is_valid((arvo_str){ "k", 0 }));
    assert_false(arvo_tracestate_is_valid((arvo_str){ "k\0=v", 4 }));

    /* 32 members, not 33; 512 bytes, not 513. */
    for (unsigned i = 0; i < ARVO_TRACESTATE_MEMBERS_MAX; i++)
        memcpy(many + (size_t)4 * i, "a=1,", 5);
    assert_true(arvo_tracestate_is_valid(arvo_str_from(many)));
    memcpy(many + (size_t)4 * ARVO_TRACESTATE_MEMBERS_MAX, "a=1", 4);
    assert_false(arvo_tracestate_is_valid(arvo_str_from(many)));
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "a=", 2);
    memcpy(longest + 256, ",b=", 3);
    assert_true(arvo_tracestate_is_valid((arvo_str){ longest, 512 }));
    assert_false(arvo_tracestate_is_valid((arvo_str){ longest, 513 }));
}

static arvo_span *
start(void *self, const arvo_span_opts *opts, arvo_trace_context *own)
{
    (void)self, (void)opts, (void)own;
    return NULL;
}

static void
link_to(void *self, arvo_span *span, const arvo_trace_context *other)
{
    (void)self, (void)span, (void)other;
}

static void
str(void *self, arvo_span *span, arvo_str key, arvo_str value)
{
    (void)self, (void)span, (void)key, (void)value;
}

static void
number(void *self, arvo_span *span, arvo_str key, double value)
{
    (void)self, (void)span, (void)key, (void)value;
}

static void
log_line(void *self, arvo_span *span, arvo_severity severity, arvo_str message)
{
    (void)self, (void)span, (void)severity, (void)message;
}

static void
end(void *self, arvo_span *span, int64_t end_ns, arvo_str type, arvo_str message)
{
    (void)self, (void)span, (void)end_ns, (void)type, (void)message;
}

static void
measure(void *self, arvo_measure what, double value, const arvo_labels *labels)
{
    (void)self, (void)what, (void)value, (void)labels;
}

static const arvo_telemetry whole = {
    .version = ARVO_TELEMETRY_OPS_VERSION,
    .span_start = start,
    .span_str = str,
    .span_number = number,
    .span_log = log_line,
    .span_link = link_to,
    .span_end = end,
    .measure = measure,
};

static void
test_telemetry__whole_table_passes(void **state)
{
    (void)state;
    arvo_error err = { 0 };
    assert_int_equal(arvo_telemetry_check(&whole, &err), ARVO_OK);
    assert_int_equal(arvo_telemetry_check(NULL, &err), ARVO_OK);
    assert_string_equal(err.text, "");
}

static void
expect_missing(const arvo_telemetry *table, const char *name)
{
    arvo_error err = { 0 };
    assert_int_equal(arvo_telemetry_check(table, &err), ARVO_E_INVALID);
    assert_int_equal(err.status, ARVO_E_INVALID);
    assert_non_null(strstr(err.text, name));
    assert_int_equal(arvo_telemetry_check(table, NULL), ARVO_E_INVALID);
}

static void
test_telemetry__missing_function_is_named(void **state)
{
    (void)state;
    arvo_telemetry table = whole;
    table.span_start = NULL;
    expect_missing(&table, "span_start");
    table = whole;
    table.span_str = NULL;
    expect_missing(&table, "span_str");
    table = whole;
    table.span_number = NULL;
    expect_missing(&table, "span_number");
    table = whole;
    table.span_log = NULL;
    expect_missing(&table, "span_log");
    table = whole;
    table.span_link = NULL;
    expect_missing(&table, "span_link");
    table = whole;
    table.span_end = NULL;
    expect_missing(&table, "span_end");
    table = whole;
    table.measure = NULL;
    expect_missing(&table, "measure");
}

static void
test_telemetry__unknown_version_is_refused(void **state)
{
    (void)state;
    arvo_telemetry table = whole;
    arvo_error err = { 0 };
    table.version = 1;
    assert_int_equal(arvo_telemetry_check(&table, &err), ARVO_E_VERSION);
    assert_non_null(strstr(err.text, "version 1"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_telemetry__trace_context_is_read),
        cmocka_unit_test(test_telemetry__trace_context_is_written_as_read),
        cmocka_unit_test(test_telemetry__malformed_trace_context_is_refused),
        cmocka_unit_test(test_telemetry__later_trace_context_is_read_as_far_as_known),
        cmocka_unit_test(test_telemetry__tracestate_is_checked),
        cmocka_unit_test(test_telemetry__whole_table_passes),
        cmocka_unit_test(test_telemetry__missing_function_is_named),
        cmocka_unit_test(test_telemetry__unknown_version_is_refused),
    };
    return cmocka_run_group_tests_name("telemetry", tests, NULL, NULL);
}
