/* Values to text: compact, pretty, strings, numbers as ECMAScript prints them. */

#include "tests/support.h"

#include <math.h>

#include "base/internal.h"

static int
arena_setup(void **state)
{
    *state = arvo_arena_new(NULL);
    return *state != NULL ? 0 : -1;
}

static int
arena_teardown(void **state)
{
    arvo_arena_free(*state);
    return 0;
}

static void
test_json_write__absent_is_null(void **state)
{
    (void)state;
    arvo_buf buf = ARVO_BUF_INIT(100);
    arvo_json_write(NULL, &buf);
    arvo_json_write_pretty(NULL, 2, &buf);
    assert_str_is(arvo_buf_str(&buf), "nullnull");
    arvo_buf_fini(&buf);
}

static void
test_json_write__strings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *written;
    } cases[] = {
        { "", 0, "\"\"" },
        { "plain", 5, "\"plain\"" },
        { "\"\\/", 3, "\"\\\"\\\\/\"" },
        { "\0\x01\x07\b\t\n\x0b\f\r\x0e\x1f\x7f", 12,
          "\"\\u0000\\u0001\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u001f\x7f\"" },
        { "caf\xc3\xa9\n", 6, "\"caf\xc3\xa9\\n\"" },
        { "\xe2\x80\xa8", 3, "\"\xe2\x80\xa8\"" }, /* U+2028, as JSON.stringify leaves it */
        { "a long text with its \" far behind", 33, "\"a long text with its \\\" far behind\"" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_buf buf = ARVO_BUF_INIT(200);
        arvo_json_write_str((arvo_str){ cases[i].text, cases[i].len }, &buf);
        assert_str_is(arvo_buf_str(&buf), cases[i].written);
        arvo_buf_fini(&buf);

        /* A maximum of just that length is enough, and one byte less is not. */
        buf = ARVO_BUF_INIT(strlen(cases[i].written));
        arvo_json_write_str((arvo_str){ cases[i].text, cases[i].len }, &buf);
        assert_int_equal(buf.status, ARVO_OK);
        arvo_buf_fini(&buf);
        buf = ARVO_BUF_INIT(strlen(cases[i].written) - 1);
        arvo_json_write_str((arvo_str){ cases[i].text, cases[i].len }, &buf);
        assert_int_equal(buf.status, ARVO_E_TOO_BIG);
        assert_int_equal(buf.len, 0);
        arvo_buf_fini(&buf);
    }
}

static void
test_json_write__doubles(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *written;
    } cases[] = {
        { 0.0, "0" },
        { -0.0, "0" },
        { 1.0, "1" },
        { -1.5, "-1.5" },
        { 0.1, "0.1" },
        { 1.0 / 3, "0.3333333333333333" },
        { 2.0 / 3, "0.6666666666666666" },
        { 100.25, "100.25" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 129.95, "129.95" },
        { 1e15, "1000000000000000" },
        { 999999999999999.9, "999999999999999.9" },
        { 9007199254740991.0, "9007199254740991" },
        { 9007199254740992.0, "9007199254740992" },
        { 9007199254740994.0, "9007199254740994" },
        { 1e16, "10000000000000000" },
        { 123456789012345680000.0, "123456789012345680000" },
        { 999999999999999900000.0, "999999999999999900000" },
        { 1e21, "1e+21" },
        { 1.5e21, "1.5e+21" },
        { -1.7976931348623157e308, "-1.7976931348623157e+308" },
        { 0.001, "0.001" },
        { 0.000001, "0.000001" },
        { 0.00000123, "0.00000123" },
        { 0.0000001, "1e-7" },
        { 0.000000123, "1.23e-7" },
        { 1e-10, "1e-10" },
        { 5e-324, "5e-324" },
        { 1.5e-323, "1.5e-323" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
        /* powers of two, whose shortest form is above the nearest one */
        { 7.120236347223045e-307, "7.120236347223045e-307" },
        { 7.174648137343064e-43, "7.174648137343064e-43" },
        { 9.5367431640625e-7, "9.5367431640625e-7" },
        { 4.35, "4.35" },
        { 1e23, "1e+23" },
        { 9.9e22, "9.9e+22" },
        { NAN, "null" },
        { INFINITY, "null" },
        { -INFINITY, "null" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_buf buf = ARVO_BUF_INIT(strlen(cases[i].written));
        arvo_json_write_double(cases[i].number, &buf);
        assert_str_is(arvo_buf_str(&buf), cases[i].written);
        arvo_buf_fini(&buf);
    }
}

/* Whatever the bits, the text reads back as the same number. */
static void
test_json_write__doubles_round_trip(void **state)
{
    uint64_t bits = 88172645463325252ULL; /* xorshift, always the same numbers */
    arvo_buf buf = ARVO_BUF_INIT(64);
    for (int i = 0; i < 100000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double number;
        memcpy(&number, &bits, sizeof(number));
        if (i % 2 == 0) /* the numbers people write */
            number = (double)(int64_t)(bits >> 24) / (i % 4 == 0 ? 100 : 1e6);
        if (!isfinite(number))
            continue;
        arvo_buf_reset(&buf);
        arvo_json_write_double(number, &buf);
        const arvo_arena_mark mark = arvo_arena_mark_get(*state);
        const arvo_json *value = NULL;
        assert_int_equal(arvo_json_parse(arvo_buf_str(&buf), *state, &value, NULL), ARVO_OK);
        assert_true(arvo_json_number_or(value, NAN) == number);
        arvo_arena_rewind(*state, mark);
    }
    arvo_buf_fini(&buf);
}

static void
test_json_write__integers(void **state)
{
    static const struct {
        int64_t integer;
        const char *written;
    } cases[] = { { 0, "0" },
                  { 7, "7" },
                  { -7, "-7" },
                  { 1000000, "1000000" },
                  { INT64_MAX, "9223372036854775807" },
                  { INT64_MIN, "-9223372036854775808" } };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        assert_string_equal(
            support_text(*state, arvo_json_int(*state, cases[i].integer)), cases[i].written);
}

/* What JSON.stringify(value, null, 2) gives. */
static void
test_json_write__pretty(void **state)
{
    const arvo_json *value = support_json(
        *state, "{\"a\":1,\"e\":{},\"f\":[],\"g\":[1,\"x\",[null]],\"h\\n\":{\"i\":{\"j\":true}}}");
    static const char two[] = "{\n"
                              "  \"a\": 1,\n"
                              "  \"e\": {},\n"
                              "  \"f\": [],\n"
                              "  \"g\": [\n"
                              "    1,\n"
                              "    \"x\",\n"
                              "    [\n"
                              "      null\n"
                              "    ]\n"
                              "  ],\n"
                              "  \"h\\n\": {\n"
                              "    \"i\": {\n"
                              "      \"j\": true\n"
                              "    }\n"
                              "  }\n"
                              "}";
    arvo_buf buf = ARVO_BUF_INIT(4096);
    arvo_json_write_pretty(value, 2, &buf);
    assert_str_is(arvo_buf_str(&buf), two);

    arvo_buf_reset(&buf);
    arvo_json_write_pretty(value, 0, &buf);
    assert_str_is(arvo_buf_str(&buf), support_text(*state, value));

    arvo_buf_reset(&buf);
    arvo_json_write_pretty(support_json(*state, "[1]"), 99, &buf); /* as 10 */
    assert_str_is(arvo_buf_str(&buf), "[\n          1\n]");

    arvo_buf_reset(&buf);
    arvo_json_write_pretty(support_json(*state, "\"x\""), 2, &buf);
    assert_str_is(arvo_buf_str(&buf), "\"x\"");
    arvo_buf_fini(&buf);
}

/* What could not be read back is not written. */
static void
test_json_write__depth_is_bounded(void **state)
{
    const arvo_json *value = arvo_json_null();
    for (unsigned depth = 1; depth <= ARVO_JSON_DEPTH_MAX + 1; depth++) {
        arvo_json *outer =
            depth % 2 != 0 ? arvo_json_array_new(*state) : arvo_json_object_new(*state);
        if (depth % 2 != 0)
            arvo_json_push(*state, outer, value);
        else
            arvo_json_set_ref(*state, outer, ARVO_STR("k"), value);
        value = outer;
        arvo_buf buf = ARVO_BUF_INIT(1 << 20);
        arvo_json_write(value, &buf);
        assert_int_equal(buf.status, depth <= ARVO_JSON_DEPTH_MAX ? ARVO_OK : ARVO_E_TOO_BIG);
        if (buf.status == ARVO_OK)
            assert_true(arvo_json_equal(support_json(*state, support_text(*state, value)), value));
        arvo_buf_reset(&buf);
        arvo_json_write_pretty(value, 1, &buf);
        assert_int_equal(buf.status, depth <= ARVO_JSON_DEPTH_MAX ? ARVO_OK : ARVO_E_TOO_BIG);
        arvo_buf_fini(&buf);
    }
}

/* Every maximum below the length fails, that length succeeds. */
static void
test_json_write__maximum_is_exact(void **state)
{
    static const char text[] =
        "{\"a\":[1,-2.5,true,false,null,{},[]],\"key\\n\":\"plain\",\"s\":\"esc\\u0001\"}";
    const arvo_json *value = support_json(*state, text);
    for (size_t max = 0; max < sizeof(text) + 8; max++) {
        arvo_buf buf = ARVO_BUF_INIT(max);
        arvo_json_write(value, &buf);
        if (max < sizeof(text) - 1) {
            assert_int_equal(buf.status, ARVO_E_TOO_BIG);
            assert_true(buf.len <= max);
            assert_memory_equal(arvo_buf_str(&buf).ptr, text, buf.len);
        } else {
            assert_str_is(arvo_buf_str(&buf), text);
        }
        arvo_buf_fini(&buf);
    }
}

static void
test_json_write__survives_each_failing_allocation(void **state)
{
    arvo_json *value = arvo_json_array_new(*state);
    for (int i = 0; i < 1000; i++)
        arvo_json_push(*state, value, arvo_json_string_ref(*state, ARVO_STR("some text\n")));
    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        arvo_buf buf = { .bytes_max = 1 << 20, .allocator = &allocator };
        arvo_json_write_pretty(value, 2, &buf);
        const bool done = heap.calls < n;
        assert_int_equal(buf.status, done ? ARVO_OK : ARVO_E_NOMEM);
        arvo_buf_fini(&buf);
        assert_int_equal(heap.live, 0);
        if (done)
            break;
        assert_true(n < 100);
    }
}

int
main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_json_write__##name, arena_setup, arena_teardown)
    const struct CMUnitTest tests[] = {
        TEST(absent_is_null),     TEST(strings),          TEST(doubles),
        TEST(doubles_round_trip), TEST(integers),         TEST(pretty),
        TEST(depth_is_bounded),   TEST(maximum_is_exact), TEST(survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
