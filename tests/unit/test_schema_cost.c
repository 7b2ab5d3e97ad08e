/* What a check may cost: no malloc (the linker sends those calls through here), and no more steps
 * for nested alternatives than for flat ones. */

#include "schema_helpers.h"

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static size_t malloc_calls;

void *
__wrap_malloc(size_t size)
{
    malloc_calls++;
    return __real_malloc(size);
}

static arvo_schema *
compile(const char *text)
{
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    if (arvo_schema_compile(json(text), &(arvo_schema_opts){ .formats = true }, &schema, &err) !=
        ARVO_OK)
        fail_msg("%s: %s", text, err.text);
    return schema;
}

/* ---- malloc --------------------------------------------------------------- */

/* Each value is accepted, and together they meet every keyword that looks at one. */
static const struct {
    const char *schema, *value;
} accepted[] = {
    { "{'type':['integer','null']}", "1.0" },
    { "{'const':{'a':[1]}}", "{'a':[1]}" },
    { "{'enum':['a','b','c','d','e','f','g','h','i','j']}", "'j'" },
    { "{'$ref':'#/$defs/a','$defs':{'a':{'minimum':1}}}", "1" },
    { "{'$dynamicAnchor':'a','properties':{'k':{'$dynamicRef':'#a'}}}", "{'k':{'k':1}}" },
    { "{'allOf':[{'minimum':1},{'maximum':3}]}", "2" },
    { "{'anyOf':[{'type':'string'},{'minimum':1}]}", "2" },
    { "{'oneOf':[{'type':'string'},{'minimum':1}]}", "2" },
    { "{'not':{'type':'string'}}", "2" },
    { "{'if':{'minimum':1},'then':{'maximum':3},'else':false}", "2" },
    { "{'exclusiveMinimum':1,'exclusiveMaximum':3,'multipleOf':0.01}", "2.05" },
    { "{'minLength':1,'maxLength':6,'pattern':'^(?:[a-z]+-)+[0-9]{4}|\\\\p{L}+$'}",
      "'\\u00e9\\u00e9\\u00e9'" },
    { "{'format':'regex'}", "'^(?:a|b)+$'" },
    { "{'format':'date-time'}", "'2024-05-31T09:12:44Z'" },
    { "{'format':'idn-hostname'}", "'b\\u00fccher.example'" },
    { "{'format':'uri'}", "'https://example.com/a?b#c'" },
    { "{'format':'email'}", "'ada@example.com'" },
    { "{'prefixItems':[true],'items':{'type':'integer'},'minItems':1,'maxItems':20}", "[1,2,3]" },
    { "{'uniqueItems':true}", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14]" },
    { "{'contains':{'const':2},'minContains':1,'maxContains':2,'unevaluatedItems':{'type':"
      "'integer'}}",
      "[1,2,3]" },
    { "{'properties':{'a':{'default':1}},'patternProperties':{'^x':{}},'required':['a'],"
      "'additionalProperties':{'type':'string'},'minProperties':1,'maxProperties':9}",
      "{'a':1,'x1':2,'other':'s'}" },
    { "{'propertyNames':{'pattern':'^[a-z]$'}}", "{'a':1,'b':2}" },
    { "{'dependentRequired':{'a':['b']},'dependentSchemas':{'a':{'required':['b']}}}",
      "{'a':1,'b':2}" },
    { "{'anyOf':[{'properties':{'a':true}}],'unevaluatedProperties':{'type':'integer'}}",
      "{'a':'x','b':2}" },
};

static void
test_schema_cost__a_check_calls_no_malloc(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(accepted); i++) {
        arvo_schema *const schema = compile(accepted[i].schema);
        const arvo_json *const value = json(accepted[i].value);
        /* The first check lets the arena grow. */
        for (size_t turn = 0; turn < 2; turn++) {
            const arvo_arena_mark mark = arvo_arena_mark_get(arena);
            const arvo_json *out = NULL;
            malloc_calls = 0;
            const arvo_status checked = arvo_schema_check(schema, value, arena, NULL, NULL);
            const arvo_status normalised = arvo_schema_normalise(schema, value, arena, &out, NULL);
            const size_t calls = malloc_calls;
            assert_int_equal(checked, ARVO_OK);
            assert_int_equal(normalised, ARVO_OK);
            if (turn > 0 && calls > 0)
                fail_msg("%s: %zu calls", accepted[i].schema, calls);
            arvo_arena_rewind(arena, mark);
        }
        arvo_schema_free(schema);
    }
}

static void
test_schema_cost__normalising_calls_no_malloc(void **state)
{
    (void)state;
    arvo_schema *const schema = compile(
        "{'anyOf':[{'required':['b']},{'properties':{'a':true,'list':{'items':{'$ref':'#'}},"
        "'d':{'default':{}}}}]}");
    const arvo_json *const value = json("{'x':1,'list':[{'a':1,'y':2},{'y':3}],'a':2}");
    for (size_t turn = 0; turn < 2; turn++) {
        const arvo_arena_mark mark = arvo_arena_mark_get(arena);
        const arvo_json *out = NULL;
        malloc_calls = 0;
        assert_int_equal(arvo_schema_normalise(schema, value, arena, &out, NULL), ARVO_OK);
        const size_t calls = malloc_calls;
        assert_string_equal(text_of(out), "{'a':2,'list':[{'a':1,'d':{}},{'d':{}}],'d':{}}");
        if (turn > 0)
            assert_int_equal(calls, 0);
        arvo_arena_rewind(arena, mark);
    }
    arvo_schema_free(schema);
}

/* ---- Steps ---------------------------------------------------------------- */

#define NESTED_LEVELS 100
#define NESTED_ITEMS  60000

/* A list in objects in objects, each of which is an alternative: what an inner one took is found
 * out once, not once per level above it. Else these would take more steps than a check may. */
static void
test_schema_cost__nested_alternatives_are_tried_once(void **state)
{
    (void)state;
    static const char *const schemas[] = {
        "{'anyOf':[{'type':'null'},{'properties':{'in':{'$ref':'#'},'list':{'items':{'type':"
        "'integer'}},'d':{'default':1}}}]}",
        "{'oneOf':[{'type':'null'},{'type':'object','properties':{'in':{'$ref':'#'},'list':{"
        "'items':{'type':'integer'}},'d':{'default':1}}}]}",
    };
    arvo_buf text = ARVO_BUF_INIT((size_t)1 << 20);
    for (size_t i = 0; i < NESTED_LEVELS; i++)
        arvo_buf_append_str(&text, ARVO_STR("{'in':"));
    arvo_buf_append_str(&text, ARVO_STR("{'list':[0"));
    for (size_t i = 1; i < NESTED_ITEMS; i++)
        arvo_buf_append_str(&text, ARVO_STR(",1"));
    arvo_buf_append_str(&text, ARVO_STR("]}"));
    for (size_t i = 0; i < NESTED_LEVELS; i++)
        arvo_buf_append_char(&text, '}');
    arvo_buf_append_char(&text, '\0');
    const arvo_json *const value = json(text.ptr);
    for (size_t i = 0; i < ARVO_COUNT_OF(schemas); i++) {
        arvo_schema *const schema = compile(schemas[i]);
        const arvo_json *out = NULL;
        arvo_error err = { 0 };
        if (arvo_schema_normalise(schema, value, arena, &out, &err) != ARVO_OK)
            fail_msg("%s", err.text);
        const arvo_json *inner = out;
        for (size_t k = 0; k < NESTED_LEVELS; k++)
            inner = arvo_json_get(inner, "in");
        assert_int_equal(arvo_json_int_or(arvo_json_get(inner, "d"), 0), 1);
        arvo_schema_free(schema);
    }
    arvo_buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_schema_cost__a_check_calls_no_malloc, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_schema_cost__normalising_calls_no_malloc, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_schema_cost__nested_alternatives_are_tried_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
