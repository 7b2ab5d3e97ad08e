/* unevaluatedProperties and unevaluatedItems. */

#include "schema_helpers.h"

typedef struct case_of {
    const char *schema;
    const char *value;
    bool valid;
} case_of;

static void
run_cases(const case_of *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        arvo_schema *schema = NULL;
        arvo_error err = { 0 };
        if (arvo_schema_compile(json(cases[i].schema), NULL, &schema, &err) != ARVO_OK)
            fail_msg("%s: %s", cases[i].schema, err.text);
        arvo_schema_report report = { 0 };
        const arvo_status st =
            arvo_schema_check(schema, json(cases[i].value), arena, &report, &err);
        if (st != (cases[i].valid ? ARVO_OK : ARVO_E_INVALID))
            fail_msg(
                "%s with %s gave %s: %s", cases[i].schema, cases[i].value, arvo_status_name(st),
                err.text);
        assert_int_equal(report.count > 0, !cases[i].valid);
        arvo_schema_free(schema);
    }
}

#define NO_MORE "'unevaluatedProperties':false"
#define NO_REST "'unevaluatedItems':false"

static void
test_schema_unevaluated__properties(void **state)
{
    static const case_of cases[] = {
        { "{" NO_MORE "}", "{}", true },
        { "{" NO_MORE "}", "[1]", true },
        { "{" NO_MORE "}", "{'a':1}", false },
        { "{'unevaluatedProperties':{'type':'string'}}", "{'a':'x'}", true },
        { "{'unevaluatedProperties':{'type':'string'}}", "{'a':1}", false },
        { "{'properties':{'a':true},'patternProperties':{'^p':true}," NO_MORE "}", "{'a':1,'pq':2}",
          true },
        { "{" NO_MORE ",'properties':{'a':true}}", "{'b':1}", false },
        { "{'additionalProperties':true," NO_MORE "}", "{'b':1}", true },
        { "{'allOf':[{'properties':{'a':true}},{'properties':{'b':true}}]," NO_MORE "}",
          "{'a':1,'b':2}", true },
        /* Every alternative that holds counts, not the first only. */
        { "{'anyOf':[{'properties':{'a':true}},{'properties':{'b':true}}]," NO_MORE "}",
          "{'a':1,'b':2}", true },
        { "{'anyOf':[{'properties':{'a':true}},{'properties':{'b':{'type':'null'}}}]," NO_MORE "}",
          "{'a':1,'b':2}", false },
        { "{'oneOf':[{'required':['a'],'properties':{'a':true}},"
          "{'required':['b'],'properties':{'b':true}}]," NO_MORE "}",
          "{'b':1}", true },
        { "{'not':{'not':{'properties':{'a':true}}}," NO_MORE "}", "{'a':1}", false },
        { "{'if':{'required':['a'],'properties':{'a':true}},'else':{'properties':{'b':true}},"
          "" NO_MORE "}",
          "{'a':1}", true },
        { "{'if':{'required':['a'],'properties':{'a':true}},'else':{'properties':{'b':true}},"
          "" NO_MORE "}",
          "{'b':1}", true },
        { "{'dependentSchemas':{'a':{'properties':{'a':true,'b':true}}}," NO_MORE "}",
          "{'a':1,'b':2}", true },
        { "{'dependentSchemas':{'a':{'properties':{'a':true,'b':true}}}," NO_MORE "}", "{'b':2}",
          false },
        { "{'$ref':'#/$defs/x'," NO_MORE ",'$defs':{'x':{'properties':{'a':true}}}}", "{'a':1}",
          true },
        /* A cousin is not seen, an inner one that lets all through is. */
        { "{'allOf':[{'properties':{'a':true}},{" NO_MORE "}]}", "{'a':1}", false },
        { "{'allOf':[{'unevaluatedProperties':true}]," NO_MORE "}", "{'a':1}", true },
        /* Of the parts of a value their own are asked. */
        { "{'properties':{'a':{'properties':{'b':true}}}," NO_MORE "}", "{'a':{'c':1}}", true },
        { "{'properties':{'a':{'properties':{'b':true}," NO_MORE "}}," NO_MORE "}", "{'a':{'b':1}}",
          true },
        { "{'properties':{'a':{" NO_MORE "}}}", "{'a':{'b':1}}", false },
        { "{'propertyNames':{" NO_MORE "}," NO_MORE "}", "{'a':1}", false },
    };
    (void)state;
    run_cases(cases, ARVO_COUNT_OF(cases));
}

static void
test_schema_unevaluated__items(void **state)
{
    static const case_of cases[] = {
        { "{" NO_REST "}", "[]", true },
        { "{" NO_REST "}", "{'a':1}", true },
        { "{" NO_REST "}", "[1]", false },
        { "{'prefixItems':[true]," NO_REST "}", "[1]", true },
        { "{'prefixItems':[true]," NO_REST "}", "[1,2]", false },
        { "{'prefixItems':[true],'items':true," NO_REST "}", "[1,2]", true },
        { "{'prefixItems':[true],'contains':{'type':'string'}," NO_REST "}", "[1,'a','b']", true },
        { "{'prefixItems':[true],'contains':{'type':'string'}," NO_REST "}", "[1,'a',2]", false },
        { "{'contains':{'type':'string'},'minContains':0," NO_REST "}", "['a','b']", true },
        { "{'contains':{'type':'string'},'minContains':0," NO_REST "}", "[1]", false },
        { "{'anyOf':[{'prefixItems':[true]},{'prefixItems':[true,true]}]," NO_REST "}", "[1,2]",
          true },
        { "{'anyOf':[{'prefixItems':[true]},{'prefixItems':[true,{'type':'null'}]}]," NO_REST "}",
          "[1,2]", false },
        { "{'unevaluatedItems':{'type':'integer'},'allOf':[{'prefixItems':[true]}]}", "['a',1]",
          true },
        { "{'unevaluatedItems':{'type':'integer'},'allOf':[{'prefixItems':[true]}]}", "['a','b']",
          false },
        { "{'allOf':[{'unevaluatedItems':{'type':'integer'}}]," NO_REST "}", "[1,2]", true },
    };
    (void)state;
    run_cases(cases, ARVO_COUNT_OF(cases));
}

/* More than the 64 that need no memory of their own. */
static void
test_schema_unevaluated__many(void **state)
{
    (void)state;
    for (size_t count = 60; count < 140; count++) {
        arvo_json *const items = arvo_json_array_new(arena);
        arvo_json *const object = arvo_json_object_new(arena);
        for (size_t i = 0; i < count; i++) {
            arvo_json_push(arena, items, arvo_json_int(arena, (int64_t)i));
            arvo_json_set(arena, object, arvo_arena_printf(arena, "k%zu", i), arvo_json_bool(true));
        }
        arvo_schema *schema = NULL;
        const char *const text = "{'anyOf':[{'contains':{'maximum':63}},{'contains':{'minimum':64},"
                                 "'minContains':0}]," NO_REST
                                 ",'allOf':[{'patternProperties':{'^k':true}}]," NO_MORE "}";
        assert_int_equal(arvo_schema_compile(json(text), NULL, &schema, NULL), ARVO_OK);
        assert_int_equal(arvo_schema_check(schema, items, arena, NULL, NULL), ARVO_OK);
        assert_int_equal(arvo_schema_check(schema, object, arena, NULL, NULL), ARVO_OK);
        arvo_json_push(arena, items, arvo_json_null());
        arvo_json_set(arena, object, ARVO_STR("other"), arvo_json_null());
        const arvo_json *const strings = json("['a']");
        assert_int_equal(arvo_schema_check(schema, strings, arena, NULL, NULL), ARVO_OK);
        arvo_error err = { 0 };
        assert_int_equal(arvo_schema_check(schema, object, arena, NULL, &err), ARVO_E_INVALID);
        assert_string_equal(err.text, "/other: is an unknown key");
        arvo_schema_free(schema);
    }
}

static void
test_schema_unevaluated__messages(void **state)
{
    (void)state;
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    assert_int_equal(
        arvo_schema_compile(
            json("{'allOf':[{'properties':{'a':{'type':'string'}}}]," NO_MORE "}"), NULL, &schema,
            &err),
        ARVO_OK);
    assert_int_equal(
        arvo_schema_check(schema, json("{'a':'x','b':1,'c':2}"), arena, NULL, &err),
        ARVO_E_INVALID);
    assert_string_equal(err.text, "/b: is an unknown key; /c: is an unknown key");
    /* What failed is not unknown as well. */
    assert_int_equal(
        arvo_schema_check(schema, json("{'a':1,'b':1}"), arena, NULL, &err), ARVO_E_INVALID);
    assert_string_equal(err.text, "/a: expected string, got 1; /b: is an unknown key");
    arvo_schema_free(schema);
    assert_int_equal(
        arvo_schema_compile(
            json("{'anyOf':[{'properties':{'a':{'type':'string'}}},{'type':'array'}]," NO_MORE "}"),
            NULL, &schema, &err),
        ARVO_OK);
    assert_int_equal(arvo_schema_check(schema, json("{'a':1}"), arena, NULL, &err), ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "/a: expected string, got 1"));
    assert_null(strstr(err.text, "unknown"));
    arvo_schema_free(schema);
}

/* What they let through stays when normalising. */
static void
test_schema_unevaluated__normalises(void **state)
{
    static const struct {
        const char *schema, *value, *expected;
    } cases[] = {
        { "{'properties':{'a':{'default':1}},'unevaluatedProperties':true}", "{'b':2}",
          "{'a':1,'b':2}" },
        { "{'allOf':[{'properties':{'a':{'default':1}}}]," NO_MORE "}", "{}", "{'a':1}" },
        { "{'if':{'properties':{'a':{'const':1}}},'then':{'properties':{'b':true}}," NO_MORE "}",
          "{'a':1,'b':2}", "{'a':1,'b':2}" },
        { "{'prefixItems':[{'properties':{'a':true}}],'unevaluatedItems':true}",
          "[{'a':1,'b':2},{'c':3}]", "[{'a':1},{'c':3}]" },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_schema *schema = NULL;
        const arvo_json *out = NULL;
        arvo_error err = { 0 };
        assert_int_equal(arvo_schema_compile(json(cases[i].schema), NULL, &schema, &err), ARVO_OK);
        if (arvo_schema_normalise(schema, json(cases[i].value), arena, &out, &err) != ARVO_OK)
            fail_msg("%s: %s", cases[i].schema, err.text);
        assert_string_equal(text_of(out), cases[i].expected);
        arvo_schema_free(schema);
    }
}

/* Nested alternatives over a large value: a clear end, and no more memory than what is open. */
static void
test_schema_unevaluated__is_bounded(void **state)
{
    (void)state;
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_buf_printf(&text, "{'$defs':{'d0':{'properties':{'k':true}}");
    for (unsigned i = 1; i <= 24; i++)
        arvo_buf_printf(
            &text, ",'d%u':{'anyOf':[{'$ref':'#/$defs/d%u'},{'$ref':'#/$defs/d%u'}]}", i, i - 1,
            i - 1);
    arvo_buf_printf(&text, "},'$ref':'#/$defs/d24'," NO_MORE "}");
    arvo_buf_append_char(&text, '\0');
    arvo_schema *schema = NULL;
    assert_int_equal(arvo_schema_compile(json(text.ptr), NULL, &schema, NULL), ARVO_OK);
    arvo_buf_fini(&text);
    arvo_json *const object = arvo_json_object_new(arena);
    for (unsigned i = 0; i < 100; i++)
        arvo_json_set(arena, object, arvo_arena_printf(arena, "k%u", i), arvo_json_null());
    arvo_arena *const small = arvo_arena_new(&(arvo_arena_opts){ .bytes_max = 256 * 1024 });
    arvo_error err = { 0 };
    assert_int_equal(arvo_schema_check(schema, object, small, NULL, &err), ARVO_E_TOO_BIG);
    assert_non_null(strstr(err.text, "steps"));
    arvo_arena_free(small);
    arvo_schema_free(schema);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_schema_unevaluated__properties, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_unevaluated__items, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_unevaluated__many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_unevaluated__messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_unevaluated__normalises, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_unevaluated__is_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
