/* Reading, comparing, hashing and building values. */

#include "tests/support.h"

#include <math.h>

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

/* ---- Accessors --------------------------------------------------------------- */

static void
test_json_value__types_and_defaults(void **state)
{
    const arvo_json *v = support_json(
        *state, "{\"n\":null,\"b\":true,\"i\":-3,\"d\":1.5,\"s\":\"x\",\"a\":[1],\"o\":{}}");
    static const struct {
        const char *key, *name;
        arvo_json_type type;
    } cases[] = {
        { "n", "null", ARVO_JSON_NULL },     { "b", "boolean", ARVO_JSON_BOOL },
        { "i", "integer", ARVO_JSON_INT },   { "d", "number", ARVO_JSON_DOUBLE },
        { "s", "string", ARVO_JSON_STRING }, { "a", "array", ARVO_JSON_ARRAY },
        { "o", "object", ARVO_JSON_OBJECT }, { "zz", "absent", ARVO_JSON_ABSENT },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const arvo_json *value = arvo_json_get(v, cases[i].key);
        const arvo_json_type type = cases[i].type;
        assert_int_equal(arvo_json_type_of(value), type);
        assert_string_equal(arvo_json_type_name(type), cases[i].name);
        assert_true(arvo_json_bool_or(value, false) == (type == ARVO_JSON_BOOL));
        assert_int_equal(arvo_json_int_or(value, 9), type == ARVO_JSON_INT ? -3 : 9);
        assert_true(
            arvo_json_number_or(value, 9) == (type == ARVO_JSON_INT      ? -3
                                              : type == ARVO_JSON_DOUBLE ? 1.5
                                                                         : 9));
        assert_str_is(
            arvo_json_str_or(value, ARVO_STR("no")), type == ARVO_JSON_STRING ? "x" : "no");
        assert_true((arvo_json_str(value).ptr != NULL) == (type == ARVO_JSON_STRING));
        assert_true(
            arvo_json_is_number(value) == (type == ARVO_JSON_INT || type == ARVO_JSON_DOUBLE));
        assert_true(
            arvo_json_is_nullish(value) == (type == ARVO_JSON_NULL || type == ARVO_JSON_ABSENT));
        assert_int_equal(arvo_json_count(value), type == ARVO_JSON_ARRAY ? 1 : 0);
        assert_true((arvo_json_at(value, 0) != NULL) == (type == ARVO_JSON_ARRAY));
        assert_null(arvo_json_at(value, 1));
        assert_null(arvo_json_key_at(value, 0).ptr);
        assert_null(arvo_json_get(value, "x"));
    }
    assert_string_equal(arvo_json_type_name((arvo_json_type)99), "unknown");
}

static void
test_json_value__members(void **state)
{
    const arvo_json *v = support_json(*state, "{\"b\":1,\"a\":2,\"\":3}");
    assert_int_equal(arvo_json_count(v), 3);
    assert_str_is(arvo_json_key_at(v, 0), "b");
    assert_str_is(arvo_json_key_at(v, 2), "");
    assert_null(arvo_json_key_at(v, 3).ptr);
    assert_int_equal(arvo_json_int_or(arvo_json_at(v, 1), 0), 2);
    assert_int_equal(arvo_json_int_or(arvo_json_get(v, ""), 0), 3);
    assert_int_equal(arvo_json_int_or(arvo_json_get_str(v, (arvo_str){ "abc", 1 }), 0), 2);
    assert_null(arvo_json_get_str(v, ARVO_STR_NONE));
    assert_null(arvo_json_get(v, "ab"));
}

/* ---- RFC 6901 ------------------------------------------------------------------ */

static void
test_json_value__pointer(void **state)
{
    /* The document of RFC 6901 section 5, and more. */
    const arvo_json *v = support_json(
        *state, "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,"
                "\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8,\"01\":{\"~1\":9}}");
    static const struct {
        const char *pointer, *found;
    } cases[] = {
        { "/foo", "[\"bar\",\"baz\"]" },
        { "/foo/0", "\"bar\"" },
        { "/foo/1", "\"baz\"" },
        { "/", "0" },
        { "/a~1b", "1" },
        { "/c%d", "2" },
        { "/e^f", "3" },
        { "/g|h", "4" },
        { "/i\\j", "5" },
        { "/k\"l", "6" },
        { "/ ", "7" },
        { "/m~0n", "8" },
        { "/01", "{\"~1\":9}" },
        { "/01/~01", "9" },
        { "/foo/2", NULL },
        { "/foo/-", NULL },
        { "/foo/01", NULL },
        { "/foo/-0", NULL },
        { "/foo/", NULL },
        { "/foo/0/x", NULL },
        { "/foo/1e0", NULL },
        { "/foo/99999999999", NULL },
        { "foo", NULL },
        { "/m~n", NULL },
        { "/m~2n", NULL },
        { "/m~", NULL },
        { "/nope", NULL },
        { "/foo/4294967296", NULL },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const arvo_json *found = arvo_json_pointer_get(v, arvo_str_from(cases[i].pointer));
        if (cases[i].found == NULL)
            assert_null(found);
        else
            assert_string_equal(support_text(*state, found), cases[i].found);
    }
    assert_ptr_equal(arvo_json_pointer_get(v, ARVO_STR("")), v);
    assert_ptr_equal(arvo_json_pointer_get(v, ARVO_STR_NONE), v);
    assert_null(arvo_json_pointer_get(NULL, ARVO_STR("/a")));
}

static void
test_json_value__pointer_push(void **state)
{
    (void)state;
    arvo_buf pointer = ARVO_BUF_INIT(100);
    arvo_json_pointer_push(&pointer, ARVO_STR("a/b"));
    arvo_json_pointer_push(&pointer, ARVO_STR("~"));
    arvo_json_pointer_push(&pointer, ARVO_STR(""));
    arvo_json_pointer_push(&pointer, ARVO_STR("plain"));
    assert_str_is(arvo_buf_str(&pointer), "/a~1b/~0//plain");
    arvo_buf_fini(&pointer);
}

static void
test_json_value__locate(void **state)
{
    (void)state;
    static const char text[] = " {\n"
                               "  \"a\": [10, {\"b\\n\": \"x, ] }\"},\n"
                               "    true],\n"
                               "  \"c/d\" : \"\\\"\",\n"
                               "  \"e\": 1, \"e\":\n"
                               "   2, \"z\": {}\n"
                               "}\n";
    static const struct {
        const char *pointer;
        uint32_t line, column;
    } cases[] = {
        { "", 1, 2 },          { "/a", 2, 8 },     { "/a/0", 2, 9 },   { "/a/1", 2, 13 },
        { "/a/1/b\n", 2, 21 }, { "/a/2", 3, 5 },   { "/c~1d", 4, 11 }, { "/e", 6, 4 },
        { "/z", 6, 12 },       { "/a/3", 0, 0 },   { "/a/01", 0, 0 },  { "/nope", 0, 0 },
        { "/z/y", 0, 0 },      { "/a/0/x", 0, 0 }, { "a", 0, 0 },      { "/c/d", 0, 0 },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        uint32_t line = 77, column = 78;
        const bool found =
            arvo_json_locate(arvo_str_from(text), arvo_str_from(cases[i].pointer), &line, &column);
        assert_true(found == (cases[i].line != 0));
        assert_int_equal(line, found ? cases[i].line : 77);
        assert_int_equal(column, found ? cases[i].column : 78);
    }
    uint32_t line, column;
    assert_false(arvo_json_locate(ARVO_STR("{\"a\":1"), ARVO_STR("/a"), &line, &column));
    assert_false(arvo_json_locate(ARVO_STR(""), ARVO_STR(""), &line, &column));
    assert_false(arvo_json_locate(ARVO_STR_NONE, ARVO_STR("/a"), &line, &column));
}

/* ---- Equality and hash ------------------------------------------------------------ */

/* Texts on one line are equal to each other and to nothing on other lines. */
static const char *const classes[][4] = {
    { "null" },
    { "true" },
    { "false" },
    { "0", "-0", "0.0", "0e9" },
    { "1", "1.0", "10e-1" },
    { "-1" },
    { "1.5", "15e-1", "1.50" },
    { "9007199254740992", "9007199254740992.0", "9.007199254740992e15" },
    { "9007199254740993" },
    { "9223372036854775807" },
    { "9223372036854775808", "9.223372036854775808e18" },
    { "-9223372036854775808", "-9223372036854775808.0" },
    { "1e300", "10e299" },
    { "4611686018427387904", "4.611686018427387904e18" },
    { "\"\"" },
    { "\"a\"", "\"\\u0061\"" },
    { "\"1\"" },
    { "\"null\"" },
    { "[]" },
    { "{}" },
    { "[[]]" },
    { "[1,2]", "[1.0,2.0]" },
    { "[2,1]" },
    { "[1,2,null]" },
    { "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "{\"b\":9,\"a\":1,\"b\":2.0}" },
    { "{\"a\":2,\"b\":1}" },
    { "{\"a\":1}" },
    { "{\"a\":null}" },
    { "{\"b\":null}" },
    { "[{\"x\":{\"y\":[1,{\"z\":0}],\"w\":\"\"}}]", "[{\"x\":{\"w\":\"\",\"y\":[1,{\"z\":-0}]}}]" },
};

static void
test_json_value__equal_and_hash(void **state)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(classes); i++)
        for (size_t m = 0; m < 4 && classes[i][m] != NULL; m++)
            for (size_t k = 0; k < ARVO_COUNT_OF(classes); k++)
                for (size_t n = 0; n < 4 && classes[k][n] != NULL; n++) {
                    const arvo_json *a = support_json(*state, classes[i][m]);
                    const arvo_json *b = support_json(*state, classes[k][n]);
                    if (arvo_json_equal(a, b) != (i == k))
                        fail_msg("%s and %s", classes[i][m], classes[k][n]);
                    /* By definition for equals, by all likelihood for the others. */
                    if ((arvo_json_hash(a) == arvo_json_hash(b)) != (i == k))
                        fail_msg("hashes of %s and %s", classes[i][m], classes[k][n]);
                }
    assert_true(arvo_json_equal(NULL, NULL));
    assert_false(arvo_json_equal(NULL, arvo_json_null()));
    assert_false(arvo_json_equal(arvo_json_null(), NULL));
}

static void
test_json_value__equal_with_an_index(void **state)
{
    arvo_json *a = arvo_json_object_new(*state), *b = arvo_json_object_new(*state);
    for (int i = 0; i < 500; i++) {
        arvo_json_set(*state, a, arvo_arena_printf(*state, "k%d", i), arvo_json_int(*state, i));
        arvo_json_set(
            *state, b, arvo_arena_printf(*state, "k%d", 499 - i), arvo_json_int(*state, 499 - i));
    }
    assert_true(arvo_json_equal(a, b));
    assert_true(arvo_json_hash(a) == arvo_json_hash(b));
    arvo_json_set(*state, b, ARVO_STR("k77"), arvo_json_null());
    assert_false(arvo_json_equal(a, b));
    assert_true(arvo_json_hash(a) != arvo_json_hash(b));
}

/* ---- Building ---------------------------------------------------------------------- */

static void
test_json_value__scalars_are_built(void **state)
{
    assert_string_equal(support_text(*state, arvo_json_null()), "null");
    assert_string_equal(support_text(*state, arvo_json_bool(true)), "true");
    assert_string_equal(support_text(*state, arvo_json_bool(false)), "false");
    assert_int_equal(arvo_json_type_of(arvo_json_number(*state, 3.0)), ARVO_JSON_INT);
    assert_int_equal(arvo_json_type_of(arvo_json_number(*state, -0.0)), ARVO_JSON_INT);
    assert_int_equal(arvo_json_type_of(arvo_json_number(*state, 3.5)), ARVO_JSON_DOUBLE);
    assert_int_equal(arvo_json_type_of(arvo_json_number(*state, 1e300)), ARVO_JSON_DOUBLE);
    assert_int_equal(arvo_json_type_of(arvo_json_number(*state, NAN)), ARVO_JSON_NULL);
    assert_int_equal(arvo_json_type_of(arvo_json_number(*state, INFINITY)), ARVO_JSON_NULL);

    char text[] = "text\n";
    const arvo_json *copied = arvo_json_string(*state, arvo_str_from(text));
    const arvo_json *referred = arvo_json_string_ref(*state, arvo_str_from(text));
    assert_string_equal(support_text(*state, copied), "\"text\\n\"");
    text[0] = 'T';
    assert_string_equal(support_text(*state, copied), "\"text\\n\"");
    assert_string_equal(support_text(*state, referred), "\"Text\\n\"");
    assert_string_equal(support_text(*state, arvo_json_string(*state, ARVO_STR(""))), "\"\"");
    assert_string_equal(support_text(*state, arvo_json_string_ref(*state, ARVO_STR_NONE)), "\"\"");
}

static void
test_json_value__containers_grow(void **state)
{
    arvo_json *array = arvo_json_array_new(*state);
    arvo_json *object = arvo_json_object_new(*state);
    for (int i = 0; i < 3000; i++) {
        /* The value lies between two growths of the container, which then cannot grow in place. */
        arvo_json_push(*state, array, i % 7 == 0 ? arvo_json_null() : arvo_json_int(*state, i));
        char key[16];
        (void)snprintf(key, sizeof(key), "k%d", i);
        arvo_json_set(*state, object, arvo_str_from(key), arvo_json_int(*state, i));
    }
    assert_int_equal(arvo_json_count(array), 3000);
    assert_int_equal(arvo_json_count(object), 3000);
    for (int i = 0; i < 3000; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(arvo_json_int_or(arvo_json_at(array, (size_t)i), 0), i % 7 == 0 ? 0 : i);
        assert_str_is(arvo_json_key_at(object, (size_t)i), key);
        assert_int_equal(arvo_json_int_or(arvo_json_get(object, key), -1), i);
    }
    assert_false(arvo_arena_failed(*state));
}

/* With nothing else allocated in between, a container grows where it is. */
static void
test_json_value__growth_in_place(void **state)
{
    arvo_json *array = arvo_json_array_new(*state), *object = arvo_json_object_new(*state);
    static const char keys[] = "abcdefghijklmnopqrstuvwxyz";
    for (int i = 0; i < 100; i++)
        arvo_json_push(*state, array, arvo_json_bool(i % 2 == 0));
    for (size_t i = 0; i < 26; i++)
        arvo_json_set_ref(*state, object, (arvo_str){ keys + i, 1 }, arvo_json_null());
    for (size_t i = 0; i < 100; i++)
        assert_true(arvo_json_bool_or(arvo_json_at(array, i), i % 2 != 0) == (i % 2 == 0));
    for (size_t i = 0; i < 26; i++)
        assert_memory_equal(arvo_json_key_at(object, i).ptr, keys + i, 1);
}

static void
test_json_value__set_replaces_in_place(void **state)
{
    arvo_json *object = arvo_json_object_new(*state);
    char key[] = "a";
    arvo_json_set(*state, object, arvo_str_from(key), arvo_json_int(*state, 1));
    key[0] = 'x'; /* the key was copied */
    arvo_json_set_ref(*state, object, ARVO_STR("b"), arvo_json_int(*state, 2));
    arvo_json_set(*state, object, ARVO_STR("a"), NULL); /* null: the arena is sound */
    arvo_json_set(*state, object, ARVO_STR_NONE, arvo_json_bool(true));
    assert_string_equal(support_text(*state, object), "{\"a\":null,\"b\":2,\"\":true}");
    arvo_json *array = arvo_json_array_new(*state);
    arvo_json_push(*state, array, NULL);
    assert_string_equal(support_text(*state, array), "[null]");
    arvo_json_push(*state, NULL, arvo_json_null());
    arvo_json_set(*state, NULL, ARVO_STR("k"), arvo_json_null());
}

static void
test_json_value__clone_shares_nothing_that_changes(void **state)
{
    static const char *const texts[] = { "{\"a\":1,\"b\":{\"c\":2}}", "{}", "[1,[2]]", "[]" };
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++) {
        const arvo_json *value = support_json(*state, texts[i]);
        arvo_json *clone = arvo_json_clone(*state, value);
        assert_true(arvo_json_equal(clone, value));
        if (texts[i][0] == '{') {
            arvo_json_set(*state, clone, ARVO_STR("a"), arvo_json_bool(true));
            arvo_json_set(*state, clone, ARVO_STR("new"), arvo_json_bool(true));
            assert_true(arvo_json_bool_or(arvo_json_get(clone, "a"), false));
            assert_ptr_equal(
                arvo_json_get(arvo_json_get(clone, "b"), "c"),
                arvo_json_get(arvo_json_get(value, "b"), "c"));
        } else {
            arvo_json_push(*state, clone, arvo_json_bool(true));
            assert_int_equal(arvo_json_count(clone), arvo_json_count(value) + 1);
        }
        assert_string_equal(support_text(*state, value), texts[i]);
    }
    assert_null(arvo_json_clone(*state, NULL));
    assert_int_equal(arvo_json_int_or(arvo_json_clone(*state, arvo_json_int(*state, 4)), 0), 4);
}

static void
test_json_value__clone_of_a_large_object(void **state)
{
    arvo_json *object = arvo_json_object_new(*state);
    for (int i = 0; i < 100; i++)
        arvo_json_set(
            *state, object, arvo_arena_printf(*state, "k%d", i), arvo_json_int(*state, i));
    arvo_json *clone = arvo_json_clone(*state, object);
    arvo_json_set(*state, clone, ARVO_STR("k50"), arvo_json_null());
    arvo_json_set(*state, clone, ARVO_STR("k100"), arvo_json_int(*state, 100));
    assert_int_equal(arvo_json_count(clone), 101);
    assert_int_equal(arvo_json_count(object), 100);
    assert_int_equal(arvo_json_int_or(arvo_json_get(object, "k50"), -1), 50);
    assert_int_equal(arvo_json_int_or(arvo_json_get(clone, "k99"), -1), 99);
    assert_int_equal(arvo_json_int_or(arvo_json_get(clone, "k100"), -1), 100);
    assert_null(arvo_json_get(object, "k100"));
}

static void
test_json_value__copy_outlives_its_source(void **state)
{
    arvo_arena *other = arvo_arena_new(NULL);
    assert_non_null(other);
    arvo_buf text = ARVO_BUF_INIT(100000);
    arvo_buf_append_str(&text, ARVO_STR("{\"a\":[1,2.5,\"x\\n\",\"\",null,{}],\"\":true"));
    for (int i = 0; i < 60; i++)
        arvo_buf_printf(&text, ",\"key-%d\":{\"v\":%d}", i, i);
    arvo_buf_append_char(&text, '}');
    const arvo_json *value = NULL;
    assert_int_equal(arvo_json_parse(arvo_buf_str(&text), other, &value, NULL), ARVO_OK);
    const arvo_json *copy = arvo_json_copy(*state, value);
    arvo_arena_free(other);

    assert_str_is(arvo_buf_str(&text), support_text(*state, copy));
    assert_int_equal(arvo_json_int_or(arvo_json_get(arvo_json_get(copy, "key-59"), "v"), -1), 59);
    assert_null(arvo_json_copy(*state, NULL));
    arvo_buf_fini(&text);
}

/* A whole value built without a look at the results; one question at the end. */
static const arvo_json *
build_all(arvo_arena *arena)
{
    arvo_json *object = arvo_json_object_new(arena);
    arvo_json *array = arvo_json_array_new(arena);
    for (int i = 0; i < 60; i++) {
        arvo_json_push(arena, array, arvo_json_string(arena, ARVO_STR("some text")));
        arvo_json_set(
            arena, object, arvo_arena_printf(arena, "key-%d", i), arvo_json_number(arena, i + 0.5));
    }
    arvo_json_set_ref(arena, object, ARVO_STR("array"), array);
    arvo_json *clone = arvo_json_clone(arena, object);
    arvo_json_set(arena, clone, ARVO_STR("copy"), arvo_json_copy(arena, object));
    return clone;
}

static void
test_json_value__survives_each_failing_allocation(void **state)
{
    const arvo_json *whole = build_all(*state);
    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        arvo_arena *arena =
            arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 256 });
        const bool done = arena != NULL;
        if (arena != NULL) {
            const arvo_json *value = build_all(arena);
            /* A chunk smaller than wished for is no failure. */
            assert_true(!arvo_arena_failed(arena) || heap.calls >= n);
            assert_true(arvo_arena_failed(arena) || arvo_json_equal(value, whole));
        }
        arvo_arena_free(arena);
        assert_int_equal(heap.live, 0);
        if (done && heap.calls < n)
            break;
        assert_true(n < 1000);
    }
}

int
main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_json_value__##name, arena_setup, arena_teardown)
    const struct CMUnitTest tests[] = {
        TEST(types_and_defaults),
        TEST(members),
        TEST(pointer),
        TEST(pointer_push),
        TEST(locate),
        TEST(equal_and_hash),
        TEST(equal_with_an_index),
        TEST(scalars_are_built),
        TEST(containers_grow),
        TEST(growth_in_place),
        TEST(set_replaces_in_place),
        TEST(clone_shares_nothing_that_changes),
        TEST(clone_of_a_large_object),
        TEST(copy_outlives_its_source),
        TEST(survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
