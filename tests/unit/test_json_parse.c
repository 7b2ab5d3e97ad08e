/* JSON text to values: what is accepted, what is refused and where, and the bounds. */

#include "tests/support.h"

#include <math.h>
#include <time.h>

#include "base/internal.h"
#include "json/internal.h"

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

/* ---- Accepted -------------------------------------------------------------- */

/* Text and what it is written as. */
static const struct accepted {
    const char *text, *written;
} accepted[] = {
    { "null", "null" },
    { "true", "true" },
    { "false", "false" },
    { " \t\r\n null \t\r\n ", "null" },
    { "[]", "[]" },
    { "{}", "{}" },
    { " [ ] ", "[]" },
    { " { } ", "{}" },
    { "[[],{},[[]]]", "[[],{},[[]]]" },
    { "[ 1 , 2 , 3 ]", "[1,2,3]" },
    { "{ \"a\" : 1 , \"b\" : [ ] }", "{\"a\":1,\"b\":[]}" },
    { "{\"\":\"\"}", "{\"\":\"\"}" },
    { "\"\"", "\"\"" },
    { "\"plain\"", "\"plain\"" },
    { "\"exactly 16 bytes\"", "\"exactly 16 bytes\"" },
    { "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x92\xa5\"",
      "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x92\xa5\"" },
    { "\"\x7f\"", "\"\x7f\"" },
    { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
    { "\"\\u0041\\u00e9\\u20AC\\ud83d\\uDCA5\"", "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xa5\"" },
    { "\"\\u0000\\u001f\\u000b\"", "\"\\u0000\\u001f\\u000b\"" },
    { "\"\\ud800\\udc00\\udbff\\udfff\"", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"" },
    { "\"before \\n after, long enough for wide loads\"",
      "\"before \\n after, long enough for wide loads\"" },
    { "{\"k\\u0065y\\n\":1}", "{\"key\\n\":1}" },
    /* of a key given twice the last value, at the first place */
    { "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}" },
    { "{\"a\":1,\"\\u0061\":2}", "{\"a\":2}" },
    { "{\"\":1,\"\":2,\"\":3}", "{\"\":3}" },
    { "[true,false,null,\"x\",-1.5,{\"y\":[]}]", "[true,false,null,\"x\",-1.5,{\"y\":[]}]" },
};

static void
test_json_parse__accepts(void **state)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(accepted); i++) {
        const arvo_json *value = support_json(*state, accepted[i].text);
        assert_string_equal(support_text(*state, value), accepted[i].written);
    }
}

static void
test_json_parse__strings_may_hold_nul(void **state)
{
    const arvo_json *value = support_json(*state, "\"a\\u0000b\"");
    const arvo_str str = arvo_json_str(value);
    assert_int_equal(str.len, 3);
    assert_memory_equal(str.ptr, "a\0b", 3);
}

static void
test_json_parse__plain_is_marked(void **state)
{
    const arvo_json *value = support_json(*state, "[\"plain \xc3\xa9\",\"tab\\t\"]");
    assert_true((arvo_json_at(value, 0)->flags & ARVO__JSON_PLAIN) != 0);
    assert_true((arvo_json_at(value, 1)->flags & ARVO__JSON_PLAIN) == 0);
    assert_true(arvo__json_str_is_plain("0123456789abcdef\xc3\xa9\x7f", 19));
    for (size_t at = 0; at < 20; at++) {
        char text[] = "01234567890123456789";
        static const char escaped[] = { '"', '\\', '\0', '\n', 0x1f };
        for (size_t k = 0; k < sizeof(escaped); k++) {
            text[at] = escaped[k];
            assert_false(arvo__json_str_is_plain(text, 20));
        }
    }
}

/* ---- Numbers ----------------------------------------------------------------- */

static const struct number_case {
    const char *text;
    bool is_int;
    double number;
    const char *written;
} numbers[] = {
    { "0", true, 0, "0" },
    { "-0", true, 0, "0" },
    { "-0.0", true, 0, "0" },
    { "-0e5", true, 0, "0" },
    { "1", true, 1, "1" },
    { "-1", true, -1, "-1" },
    { "1.0", true, 1, "1" },
    { "10e-1", true, 1, "1" },
    { "1E2", true, 100, "100" },
    { "1e+2", true, 100, "100" },
    { "0e999999999999", true, 0, "0" },
    { "0.000e-400", true, 0, "0" },
    { "9007199254740991", true, 9007199254740991.0, "9007199254740991" },
    { "9007199254740991.0", true, 9007199254740991.0, "9007199254740991" },
    { "9007199254740992.0", false, 9007199254740992.0, "9007199254740992" },
    { "9007199254740993", true, 9007199254740992.0, "9007199254740993" },
    { "9223372036854775807", true, 9223372036854775808.0, "9223372036854775807" },
    { "-9223372036854775808", true, -9223372036854775808.0, "-9223372036854775808" },
    { "9223372036854775808", false, 9223372036854775808.0, "9223372036854776000" },
    { "-9223372036854775809", false, -9223372036854775808.0, "-9223372036854776000" },
    { "18446744073709551616", false, 18446744073709551616.0, "18446744073709552000" },
    { "10000000000000000000", false, 1e19, "10000000000000000000" },
    { "123456789012345680000", false, 123456789012345680000.0, "123456789012345680000" },
    { "1e21", false, 1e21, "1e+21" },
    { "0.1", false, 0.1, "0.1" },
    { "129.95", false, 129.95, "129.95" },
    { "0.000001", false, 1e-6, "0.000001" },
    { "0.0000001", false, 1e-7, "1e-7" },
    { "1.7976931348623157e308", false, 1.7976931348623157e308, "1.7976931348623157e+308" },
    { "2.2250738585072014e-308", false, 2.2250738585072014e-308, "2.2250738585072014e-308" },
    { "2.2250738585072011e-308", false, 2.2250738585072011e-308, "2.225073858507201e-308" },
    { "4.9e-324", false, 4.9406564584124654e-324, "5e-324" },
    { "2e-324", true, 0, "0" },
    { "1e-400", true, 0, "0" },
    { "-1e-400", true, 0, "0" },
    { "0.3", false, 0.3, "0.3" },
    { "0.30000000000000004", false, 0.1 + 0.2, "0.30000000000000004" },
    /* half-way cases, read to the even neighbour unless a digit far behind says otherwise */
    { "9007199254740993.0", false, 9007199254740992.0, "9007199254740992" },
    { "9007199254740993.00000000000000000000000000001", false, 9007199254740994.0,
      "9007199254740994" },
    { "1.00000000000000011102230246251565404236316680908203125", true, 1.0, "1" },
    { "1.00000000000000011102230246251565404236316680908203126", false, 1.0000000000000002,
      "1.0000000000000002" },
    { "100000000000000000000000000000000000000000e-40", true, 10, "10" },
};

static void
test_json_parse__numbers(void **state)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(numbers); i++) {
        const arvo_json *value = support_json(*state, numbers[i].text);
        if ((arvo_json_type_of(value) == ARVO_JSON_INT) != numbers[i].is_int)
            fail_msg("%s has the wrong type", numbers[i].text);
        assert_true(arvo_json_number_or(value, NAN) == numbers[i].number);
        assert_string_equal(support_text(*state, value), numbers[i].written);
    }
}

static void
test_json_parse__numbers_with_very_many_digits(void **state)
{
    enum { DIGITS = 200000 };
    char *text = malloc(DIGITS + 16);
    assert_non_null(text);
    memset(text, '0', DIGITS);
    memcpy(text, "0.", 2);
    (void)snprintf(text + DIGITS, 16, "7e%d", DIGITS - 1); /* 0.00..07e199999 */
    assert_true(arvo_json_number_or(support_json(*state, text), NAN) == 7);

    memset(text, '9', DIGITS);
    (void)snprintf(text + DIGITS, 16, "e-%d", DIGITS);
    assert_true(arvo_json_number_or(support_json(*state, text), NAN) == 1);
    free(text);
}

static void
test_json_parse__numbers_ignore_the_locale(void **state)
{
    support_comma_locale();
    /* Both the fast and the slow ways in and out. */
    const arvo_json *value =
        support_json(*state, "[1.5,0.30000000000000004,1.7976931348623157e308]");
    const char *written = support_text(*state, value);
    (void)setlocale(LC_ALL, "C");
    assert_string_equal(written, "[1.5,0.30000000000000004,1.7976931348623157e+308]");
}

/* ---- Refused ------------------------------------------------------------------- */

static const struct refused {
    const char *text;
    size_t len; /* 0: strlen */
    size_t offset;
    const char *message;
} refused[] = {
    { "", 0, 0, "line 1, column 1: expected a value, found the end of the text" },
    { "  \n ", 0, 4, "line 2, column 2: expected a value, found the end of the text" },
    { "\xef\xbb\xbf{}", 0, 0, "line 1, column 1: expected a value, found byte 0xef" },
    { "{\"a\":1,\n \"b\":2 x}", 0, 15,
      "line 2, column 8: expected ',' or '}' after a member, found 'x'" },
    { "[1 2]", 0, 3, "line 1, column 4: expected ',' or ']' after an item, found '2'" },
    { "[1,]", 0, 3, "line 1, column 4: expected a value, found ']'" },
    { "[,1]", 0, 1, NULL },
    { "[", 0, 1, NULL },
    { "[1", 0, 2, NULL },
    { "[1,", 0, 3, NULL },
    { "[1}", 0, 2, NULL },
    { "{", 0, 1, "line 1, column 2: expected a key in double quotes, found the end of the text" },
    { "{\"a\"", 0, 4, "line 1, column 5: expected ':' after a key, found the end of the text" },
    { "{\"a\":", 0, 5, NULL },
    { "{\"a\":1", 0, 6, NULL },
    { "{\"a\":1,", 0, 7, NULL },
    { "{\"a\":1,}", 0, 7, NULL },
    { "{\"a\" 1}", 0, 5, NULL },
    { "{a:1}", 0, 1, NULL },
    { "{1:1}", 0, 1, NULL },
    { "{'a':1}", 0, 1, NULL },
    { "{\"a\":1]", 0, 6, NULL },
    { "{} x", 0, 3, "line 1, column 4: expected nothing more behind the value, found 'x'" },
    { "1 2", 0, 2, NULL },
    { "null\0", 5, 4, "line 1, column 5: expected nothing more behind the value, found byte 0x00" },
    { "\0", 1, 0, NULL },
    { "[1,\0 2]", 7, 3, NULL },
    { "tru", 0, 3, NULL },
    { "tRue", 0, 1, NULL },
    { "truex", 0, 4, NULL },
    { "nul", 0, 3, NULL },
    { "fals", 0, 4, NULL },
    { "True", 0, 0, NULL },
    { "NaN", 0, 0, NULL },
    { "Infinity", 0, 0, NULL },
    { "// no\n1", 0, 0, NULL },
    { "01", 0, 1, NULL },
    { "-", 0, 1, "line 1, column 2: expected a digit, found the end of the text" },
    { "-x", 0, 1, NULL },
    { "+1", 0, 0, NULL },
    { ".5", 0, 0, NULL },
    { "1.", 0, 2, NULL },
    { "1.e5", 0, 2, NULL },
    { "1e", 0, 2, NULL },
    { "1e+", 0, 3, NULL },
    { "1e5.5", 0, 3, NULL },
    { "0x10", 0, 1, NULL },
    { "-Infinity", 0, 1, NULL },
    { "1e309", 0, 0,
      "line 1, column 1: expected a number within the range of a double, found '1'" },
    { "[-1e999999999]", 0, 1, NULL },
    { "\"", 0, 1, "line 1, column 2: expected '\"' to end the string, found the end of the text" },
    { "\"abc", 0, 4, NULL },
    { "\"a\nb\"", 0, 2,
      "line 1, column 3: expected no bare control character in a string, found byte 0x0a" },
    { "\"a\0b\"", 5, 2, NULL },
    { "\"\x1f\"", 0, 1, NULL },
    { "\"\\x\"", 0, 2, NULL },
    { "\"\\", 0, 2, NULL },
    { "\"\\u12\"", 0, 5,
      "line 1, column 6: expected four hexadecimal digits after \\u, found '\"'" },
    { "\"\\u12g4\"", 0, 5, NULL },
    { "\"\\u", 0, 3, NULL },
    { "\"\\U0041\"", 0, 2, NULL },
    { "\"\\udc00\"", 0, 1, NULL },
    { "\"\\ud800\"", 0, 7, NULL },
    { "\"\\ud800x\"", 0, 7, NULL },
    { "\"\\ud800\\n\"", 0, 7, NULL },
    { "\"\\ud800\\u0041\"", 0, 7, NULL },
    { "\"\\ud800\\ud800\"", 0, 7, NULL },
    { "\"\\ud800\\u\"", 0, 7, NULL },
    { "\"\xff\"", 0, 1, "line 1, column 2: expected UTF-8, found byte 0xff" },
    { "\"ab\xc0\x80\"", 0, 3, NULL },
    { "\"\xed\xa0\x80\"", 0, 1, NULL },
    { "\"\xc3\"", 0, 1, NULL },
    { "\"\xe2\x82", 0, 1, NULL },
    { "{\"\xff\":1}", 0, 2, NULL },
    { "\"a\\n\xc3\xa9\xff\"", 0, 6, NULL },
};

/* Each text is also given with garbage right behind its end, which must not be looked at. */
static void
test_json_parse__refuses_and_says_where(void **state)
{
    arvo_arena *arena = *state;
    for (size_t i = 0; i < ARVO_COUNT_OF(refused); i++) {
        const size_t len = refused[i].len != 0 ? refused[i].len : strlen(refused[i].text);
        char *exact = malloc(len + 1);
        assert_non_null(exact);
        memcpy(exact, refused[i].text, len);
        exact[len] = '"';

        const size_t used = arvo_arena_used(arena);
        const arvo_json *value = (const arvo_json *)(const void *)exact;
        arvo_error err = { 0 };
        assert_int_equal(
            arvo_json_parse((arvo_str){ exact, len }, arena, &value, &err), ARVO_E_MALFORMED);
        assert_int_equal(err.status, ARVO_E_MALFORMED);
        assert_ptr_equal(value, exact);
        assert_int_equal(arvo_arena_used(arena), used);
        if (err.offset != refused[i].offset)
            fail_msg("%s: %s (offset %zu)", refused[i].text, err.text, err.offset);
        if (refused[i].message != NULL)
            assert_string_equal(err.text, refused[i].message);
        char place[48];
        (void)snprintf(place, sizeof(place), "line %u, column %u: ", err.line, err.column);
        assert_memory_equal(err.text, place, strlen(place));
        assert_int_equal(
            arvo_json_parse((arvo_str){ exact, len }, arena, &value, NULL), ARVO_E_MALFORMED);
        free(exact);
    }
}

/* Whatever is cut off a text that needs all of itself, the rest is refused at its end. */
static void
test_json_parse__refuses_every_cut(void **state)
{
    static const char text[] =
        "{\"a\\n\\u00e9\":[1.5e3,true,null,{\"b\":\"\xc3\xa9\"}],\"c\":\"x\"}";
    for (size_t len = 0; len + 1 < sizeof(text); len++) {
        const arvo_json *value = NULL;
        arvo_error err;
        assert_int_equal(
            arvo_json_parse((arvo_str){ text, len }, *state, &value, &err), ARVO_E_MALFORMED);
        assert_true(err.offset <= len);
    }
    assert_non_null(support_json(*state, text));
}

/* ---- Bounds ---------------------------------------------------------------------- */

static char *
nested(size_t depth, char open, char close)
{
    char *text = malloc(2 * depth + 1);
    assert_non_null(text);
    memset(text, open, depth);
    memset(text + depth, close, depth);
    text[2 * depth] = '\0';
    return text;
}

static void
test_json_parse__depth_is_bounded(void **state)
{
    char *deepest = nested(ARVO_JSON_DEPTH_MAX, '[', ']');
    assert_string_equal(support_text(*state, support_json(*state, deepest)), deepest);
    free(deepest);

    char *deeper = nested(ARVO_JSON_DEPTH_MAX + 1, '[', ']');
    const arvo_json *value = NULL;
    arvo_error err;
    assert_int_equal(arvo_json_parse(arvo_str_from(deeper), *state, &value, &err), ARVO_E_TOO_BIG);
    assert_int_equal(err.offset, ARVO_JSON_DEPTH_MAX);
    /* The bound may be lowered, not raised. */
    const arvo_json_parse_opts more = { .depth_max = 1000000 };
    assert_int_equal(
        arvo_json_parse_opt(arvo_str_from(deeper), &more, *state, &value, &err), ARVO_E_TOO_BIG);
    free(deeper);

    const arvo_json_parse_opts less = { .depth_max = 2 };
    assert_int_equal(arvo_json_parse_opt(ARVO_STR("[{}]"), &less, *state, &value, &err), ARVO_OK);
    assert_int_equal(
        arvo_json_parse_opt(ARVO_STR("[{\"a\":[]}]"), &less, *state, &value, &err), ARVO_E_TOO_BIG);
    assert_int_equal(err.offset, 6);

    char *hostile = nested(1000000, '[', ']');
    assert_int_equal(arvo_json_parse(arvo_str_from(hostile), *state, &value, &err), ARVO_E_TOO_BIG);
    free(hostile);
}

static void
test_json_parse__size_is_bounded(void **state)
{
    const arvo_json_parse_opts opts = { .bytes_max = 6 };
    const arvo_json *value = NULL;
    arvo_error err;
    assert_int_equal(arvo_json_parse_opt(ARVO_STR("[1234]"), &opts, *state, &value, &err), ARVO_OK);
    assert_int_equal(
        arvo_json_parse_opt(ARVO_STR("[12345]"), &opts, *state, &value, &err), ARVO_E_TOO_BIG);
    assert_string_equal(err.text, "the text has 7 bytes, more than the limit of 6");
    assert_int_equal(err.offset, ARVO_NO_OFFSET);
    assert_int_equal(
        arvo_json_parse((arvo_str){ "", ARVO_JSON_BYTES_MAX_DEFAULT + 1 }, *state, &value, &err),
        ARVO_E_TOO_BIG);
}

static void
test_json_parse__long_strings(void **state)
{
    enum { LEN = 10 * 1024 * 1024 };
    char *text = malloc(LEN + 2);
    assert_non_null(text);
    memset(text, 'x', LEN + 2);
    text[0] = text[LEN + 1] = '"';
    const arvo_json *value = NULL;
    assert_int_equal(arvo_json_parse((arvo_str){ text, LEN + 2 }, *state, &value, NULL), ARVO_OK);
    assert_int_equal(arvo_json_str(value).len, LEN);

    for (size_t i = 1; i < LEN; i += 2)
        memcpy(text + i, "\\n", 2);
    assert_int_equal(arvo_json_parse((arvo_str){ text, LEN + 2 }, *state, &value, NULL), ARVO_OK);
    assert_int_equal(arvo_json_str(value).len, LEN / 2);

    text[LEN + 1] = 'x';
    assert_int_equal(
        arvo_json_parse((arvo_str){ text, LEN + 2 }, *state, &value, NULL), ARVO_E_MALFORMED);
    free(text);
}

/* A million keys, each of them twice: found by an index, so bounded by seconds even where a
 * comparison of all with all would take hours. */
static void
test_json_parse__a_million_keys_twice(void **state)
{
    enum { KEYS = 500000 };
    arvo_buf text = ARVO_BUF_INIT(ARVO_JSON_BYTES_MAX_DEFAULT);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < KEYS; i++)
            arvo_buf_printf(&text, "%c\"%u\":%u", i + round == 0 ? '{' : ',', i, i + round);
    arvo_buf_append_char(&text, '}');
    assert_int_equal(text.status, ARVO_OK);

    const clock_t begin = clock();
    const arvo_json *value = NULL;
    assert_int_equal(arvo_json_parse(arvo_buf_str(&text), *state, &value, NULL), ARVO_OK);
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 20);
    arvo_buf_fini(&text);

    assert_int_equal(arvo_json_count(value), KEYS);
    for (unsigned i = 0; i < KEYS; i += 997) {
        char key[16];
        (void)snprintf(key, sizeof(key), "%u", i);
        assert_int_equal(arvo_json_int_or(arvo_json_get(value, key), -1), i + 1);
        assert_str_is(arvo_json_key_at(value, i), key);
    }
    assert_null(arvo_json_get(value, "500000"));
}

/* Around the number of members at which an object gets its index. */
static void
test_json_parse__objects_of_every_size(void **state)
{
    for (unsigned count = 0; count <= 80; count++) {
        arvo_buf text = ARVO_BUF_INIT(100000);
        arvo_buf_append_char(&text, '{');
        for (unsigned i = 0; i < count; i++) /* some keys differ in the middle only */
            arvo_buf_printf(&text, "%s\"key-%03u-end\":%u", i > 0 ? "," : "", i, i);
        for (unsigned i = 0; i < count; i += 3)
            arvo_buf_printf(&text, ",\"key-%03u-end\":\"again\"", i);
        arvo_buf_append_char(&text, '}');
        const arvo_json *value = NULL;
        assert_int_equal(arvo_json_parse(arvo_buf_str(&text), *state, &value, NULL), ARVO_OK);
        assert_int_equal(arvo_json_count(value), count);
        for (unsigned i = 0; i < count; i++) {
            char key[16];
            (void)snprintf(key, sizeof(key), "key-%03u-end", i);
            assert_str_is(arvo_json_key_at(value, i), key);
            const arvo_json *member = arvo_json_get(value, key);
            if (i % 3 == 0)
                assert_str_is(arvo_json_str(member), "again");
            else
                assert_int_equal(arvo_json_int_or(member, -1), i);
        }
        assert_null(arvo_json_get(value, "key-999-end"));
        arvo_buf_fini(&text);
    }
}

/* ---- Memory ------------------------------------------------------------------------ */

static void
test_json_parse__allocates_nothing_once_warm(void **state)
{
    (void)state;
    support_allocator heap = { 0 };
    const arvo_allocator allocator = support_allocator_ops(&heap);
    arvo_arena *arena =
        arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 256 });
    assert_non_null(arena);
    size_t warm = 0;
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < ARVO_COUNT_OF(accepted); i++)
            (void)support_json(arena, accepted[i].text);
        arvo_arena_reset(arena);
        if (round == 1)
            warm = heap.calls;
    }
    assert_int_equal(heap.calls, warm);
    arvo_arena_free(arena);
    assert_int_equal(heap.live, 0);
}

static void
test_json_parse__survives_each_failing_allocation(void **state)
{
    (void)state;
    arvo_buf text = ARVO_BUF_INIT(1 << 20);
    arvo_buf_append_char(&text, '[');
    for (int i = 0; i < 300; i++)
        arvo_buf_printf(&text, "{\"k%d\":[%d,\"v\\n\"],\"x\":{}},", i, i);
    arvo_buf_append_char(&text, '{');
    for (int i = 0; i < 300; i++)
        arvo_buf_printf(&text, "%s\"k%d\":1", i > 0 ? "," : "", i);
    arvo_buf_append(&text, "}]", 2);

    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        arvo_arena *arena =
            arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 256 });
        const bool done = arena != NULL && n > 1;
        arvo_status st = ARVO_E_NOMEM;
        if (arena != NULL) {
            const arvo_json *value = NULL;
            arvo_error err = { 0 };
            st = arvo_json_parse(arvo_buf_str(&text), arena, &value, &err);
            assert_int_equal(st, value != NULL ? ARVO_OK : ARVO_E_NOMEM);
            assert_true(st == ARVO_OK || strcmp(err.text, "out of memory") == 0);
            assert_true(st == ARVO_OK || arvo_arena_used(arena) == 0);
            assert_false(arvo_arena_failed(arena));
        }
        arvo_arena_free(arena);
        assert_int_equal(heap.live, 0);
        if (done && heap.calls < n) {
            assert_int_equal(st, ARVO_OK);
            break;
        }
        assert_true(n < 1000);
    }
    arvo_buf_fini(&text);
}

int
main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_json_parse__##name, arena_setup, arena_teardown)
    const struct CMUnitTest tests[] = {
        TEST(accepts),
        TEST(strings_may_hold_nul),
        TEST(plain_is_marked),
        TEST(numbers),
        TEST(numbers_with_very_many_digits),
        TEST(numbers_ignore_the_locale),
        TEST(refuses_and_says_where),
        TEST(refuses_every_cut),
        TEST(depth_is_bounded),
        TEST(size_is_bounded),
        TEST(long_strings),
        TEST(a_million_keys_twice),
        TEST(objects_of_every_size),
        TEST(allocates_nothing_once_warm),
        TEST(survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
