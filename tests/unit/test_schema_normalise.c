/* Normalising: what zod's parse would do to the data (spec 3.8, DESIGN 5). */

#include "schema_helpers.h"

#define DRAFT_7 "'$schema':'http://json-schema.org/draft-07/schema#'"

static arvo_schema *
compile_as(const char *text, arvo_additional additional)
{
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    const arvo_schema_opts opts = { .additional = additional };
    if (arvo_schema_compile(json(text), &opts, &schema, &err) != ARVO_OK)
        fail_msg("%s: %s", text, err.text);
    return schema;
}

typedef struct normalise_case {
    const char *schema, *value, *result; /* result NULL: the value itself */
} normalise_case;

static void
run_cases(const normalise_case *cases, size_t count, arvo_additional additional)
{
    for (size_t i = 0; i < count; i++) {
        arvo_schema *const schema = compile_as(cases[i].schema, additional);
        const arvo_json *const value = json(cases[i].value);
        const arvo_json *out = NULL;
        arvo_error err = { 0 };
        if (arvo_schema_normalise(schema, value, arena, &out, &err) != ARVO_OK)
            fail_msg("%s with %s: %s", cases[i].schema, cases[i].value, err.text);
        if (cases[i].result == NULL)
            assert_ptr_equal(out, value);
        else if (strcmp(text_of(out), cases[i].result) != 0)
            fail_msg(
                "%s with %s\ngave %s\n not %s", cases[i].schema, cases[i].value, text_of(out),
                cases[i].result);
        assert_string_equal(text_of(value), text_of(json(cases[i].value)));
        arvo_schema_free(schema);
    }
}

static void
test_schema_normalise__cases(void **state)
{
    static const normalise_case cases[] = {
        /* nothing to change: the value itself */
        { "true", "{'a':1}", NULL },
        { "{}", "{'b':1,'a':2}", NULL },
        { "{'type':'object'}", "{'b':1,'a':2}", NULL },
        { "{'type':'object','required':['a']}", "{'b':1,'a':2}", NULL },
        { "{'properties':{'a':true,'b':true}}", "{'a':1,'b':2}", NULL },
        { "{'properties':{'a':true,'b':true}}", "{'b':2}", NULL },
        { "{'properties':{'a':{'default':1}}}", "{'a':null}", NULL },
        { "{'properties':{'a':true},'additionalProperties':true}", "{'a':1,'z':2,'y':3}", NULL },
        { "{'items':{'properties':{'a':true}}}", "[{'a':1},{}]", NULL },
        { "{'patternProperties':{'^x':true}}", "{'x2':1,'x1':1}", NULL },
        { "{'properties':{'a':true}}", "[1]", NULL },
        { "{'anyOf':[{'type':'string'},{'properties':{'a':true}}]}", "{'a':1}", NULL },
        /* undeclared keys */
        { "{'properties':{}}", "{'a':1}", "{}" },
        { "{'properties':{'a':true}}", "{'z':0,'a':1,'y':2}", "{'a':1}" },
        { "{'properties':{'a':true},'required':['z']}", "{'z':0,'a':1}", "{'a':1}" },
        { "{'properties':{'a':true},'additionalProperties':true}", "{'z':0,'a':1,'y':2}",
          "{'a':1,'z':0,'y':2}" },
        { "{'properties':{'a':true},'additionalProperties':{'type':'integer'}}",
          "{'z':0,'a':'x','y':2}", "{'a':'x','z':0,'y':2}" },
        { "{'patternProperties':{'^x':true}}", "{'x1':1,'y':2}", "{'x1':1}" },
        { "{'additionalProperties':{'properties':{'a':true}}}", "{'r':{'a':1,'b':2},'s':{}}",
          "{'r':{'a':1},'s':{}}" },
        /* order */
        { "{'properties':{'a':true,'b':true,'c':true}}", "{'c':3,'a':1,'b':2}",
          "{'a':1,'b':2,'c':3}" },
        { "{'properties':{'b':true,'a':true},'patternProperties':{'^x':true}}",
          "{'x':0,'a':1,'xx':2,'b':3}", "{'b':3,'a':1,'x':0,'xx':2}" },
        /* defaults */
        { "{'properties':{'a':{'default':1},'b':true}}", "{'b':2}", "{'a':1,'b':2}" },
        { "{'properties':{'a':{'default':{'k':[1]}}}}", "{}", "{'a':{'k':[1]}}" },
        { "{'properties':{'a':{'type':'string','default':5}}}", "{}", "{'a':5}" },
        { "{'properties':{'a':{'type':'string','default':'x'}},'required':['a']}", "{}",
          "{'a':'x'}" },
        { "{'properties':{'a':{'$ref':'#/$defs/d'}},'$defs':{'d':{'default':7}}}", "{}",
          "{'a':7}" },
        { "{" DRAFT_7 ",'properties':{'a':{'$ref':'#/definitions/d','default':8}},'definitions':"
          "{'d':{'default':7}}}",
          "{}", "{'a':8}" },
        { "{'properties':{'o':{'properties':{'i':{'default':1}}}}}", "{'o':{}}", "{'o':{'i':1}}" },
        { "{'properties':{'o':{'properties':{'i':{'default':1}}}}}", "{}", NULL },
        { "{'default':1}", "null", NULL },
        { "{'properties':{'o':{'properties':{'i':{'default':1}},'default':{}}}}", "{}",
          "{'o':{'i':1}}" },
        { "{'properties':{'o':{'properties':{'i':{'default':1}},'default':{'z':0}}}}", "{}",
          "{'o':{'i':1}}" },
        { "{'properties':{'o':{'properties':{'p':{'properties':{'i':{'default':1}},'default':{}}},"
          "'default':{}}}}",
          "{}", "{'o':{'p':{'i':1}}}" },
        { "{'properties':{'o':{'properties':{'i':{'default':1}},'required':['j'],'default':"
          "{'z':0}}}}",
          "{}", "{'o':{'z':0}}" },
        /* every level */
        { "{'properties':{'l':{'items':{'properties':{'a':true}}}}}",
          "{'l':[{'a':1},{'a':2,'b':3}]}", "{'l':[{'a':1},{'a':2}]}" },
        { "{'prefixItems':[{'properties':{'a':true}},true],'items':{'properties':{'b':true}}}",
          "[{'a':1,'x':1},{'x':1},{'b':1,'x':1}]", "[{'a':1},{'x':1},{'b':1}]" },
        { "{" DRAFT_7 ",'items':[{'properties':{'a':true}}],'additionalItems':{'properties':{'b':"
          "true}}}",
          "[{'a':1,'x':1},{'b':1,'x':1}]", "[{'a':1},{'b':1}]" },
        { "{'properties':{'v':true,'next':{'$ref':'#'}}}",
          "{'next':{'next':{'x':1,'v':3},'v':2},'v':1}", "{'v':1,'next':{'v':2,'next':{'v':3}}}" },
        { "{'patternProperties':{'^x':{'properties':{'a':true}}}}", "{'x':{'a':1,'b':1}}",
          "{'x':{'a':1}}" },
        { "{'properties':{'x':{'properties':{'a':true}}},'patternProperties':{'^x':{'properties':"
          "{'b':true}}}}",
          "{'x':{'a':1,'b':1,'c':1}}", "{'x':{'a':1,'b':1}}" },
        /* alternatives: the first that fits */
        { "{'anyOf':[{'properties':{'a':{'type':'string'}},'required':['a']},{'properties':{'b':"
          "true}}]}",
          "{'b':1,'a':'s','c':1}", "{'a':'s'}" },
        { "{'anyOf':[{'properties':{'a':{'type':'string'}},'required':['a']},{'properties':{'b':"
          "true}}]}",
          "{'b':1,'a':2,'c':1}", "{'b':1}" },
        { "{'oneOf':[{'properties':{'k':{'const':'a'},'x':true},'required':['k']},{'properties':"
          "{'k':{'const':'b'},'y':{'default':9}},'required':['k']}]}",
          "{'x':1,'k':'b'}", "{'k':'b','y':9}" },
        { "{'anyOf':[{'required':['a']},{'properties':{'b':true}}]}", "{'a':1,'z':1}", NULL },
        { "{'properties':{'base':true},'anyOf':[{'properties':{'k':{'const':1},'a':true},"
          "'required':['k']},{'properties':{'k':{'const':2},'b':true}}]}",
          "{'b':1,'a':2,'k':2,'base':0,'zz':1}", "{'base':0,'k':2,'b':1}" },
        /* all parts together */
        { "{'allOf':[{'properties':{'a':true}},{'properties':{'b':true}}]}", "{'z':0,'b':1,'a':2}",
          "{'a':2,'b':1}" },
        { "{'allOf':[{'properties':{'a':true}},{'required':['b']}]}", "{'b':1,'a':2}", "{'a':2}" },
        { "{'allOf':[{'properties':{'o':{'properties':{'x':true}}}},{'properties':{'o':"
          "{'properties':{'y':{'default':5}}}}}]}",
          "{'o':{'z':1,'x':1}}", "{'o':{'x':1,'y':5}}" },
        { "{'allOf':[{'items':{'properties':{'x':true}}},{'items':{'properties':{'y':true}}}]}",
          "[{'z':1,'y':2,'x':3}]", "[{'x':3,'y':2}]" },
        { "{'$ref':'#/$defs/r','properties':{'a':true},'$defs':{'r':{'properties':{'b':true}}}}",
          "{'c':1,'b':2,'a':3}", "{'a':3,'b':2}" },
        { "{'allOf':[{'properties':{'a':true}},{'properties':{'b':true},'additionalProperties':"
          "true}]}",
          "{'z':0,'b':1,'a':2}", "{'a':2,'b':1,'z':0}" },
        /* conditions */
        { "{'properties':{'k':true},'if':{'properties':{'k':{'const':1}}},'then':{'properties':"
          "{'a':true}},'else':{'properties':{'b':true}}}",
          "{'b':1,'a':2,'k':1}", "{'k':1,'a':2}" },
        { "{'properties':{'k':true},'if':{'properties':{'k':{'const':1}}},'then':{'properties':"
          "{'a':true}},'else':{'properties':{'b':true}}}",
          "{'b':1,'a':2,'k':2}", "{'k':2,'b':1}" },
        { "{'if':{'properties':{'k':{'const':1}}},'then':{'required':['a']}}", "{'a':2,'k':1}",
          NULL },
        { "{'if':{'properties':{'k':{'const':1}}},'then':{'properties':{'a':true}}}",
          "{'z':1,'a':2,'k':1}", "{'a':2,'k':1}" },
        { "{'properties':{'a':true},'dependentSchemas':{'a':{'properties':{'b':true}}}}",
          "{'c':1,'b':2,'a':3}", "{'a':3,'b':2}" },
        /* what only judges changes nothing */
        { "{'not':{'properties':{'a':{'const':1}},'required':['a']}}", "{'b':1,'a':2}", NULL },
        { "{'contains':{'properties':{'a':true},'required':['a']}}", "[{'b':1,'a':1}]", NULL },
    };
    (void)state;
    run_cases(cases, ARVO_COUNT_OF(cases), ARVO_ADDITIONAL_JSON_SCHEMA);
}

/* arvo-core's exported form: zod writes additionalProperties false where it strips. */
static void
test_schema_normalise__zod(void **state)
{
    static const normalise_case cases[] = {
        { "{'properties':{'a':true},'additionalProperties':false}", "{'z':0,'a':1}", "{'a':1}" },
        { "{'properties':{'o':{'properties':{'a':true},'additionalProperties':false}},"
          "'additionalProperties':true}",
          "{'z':0,'o':{'a':1,'b':2}}", "{'o':{'a':1},'z':0}" },
        { "{'properties':{},'additionalProperties':false}", "{'z':0}", "{}" },
        { "{'type':['null','null']}", "null", NULL },
    };
    (void)state;
    run_cases(cases, ARVO_COUNT_OF(cases), ARVO_ADDITIONAL_ZOD);
    arvo_schema *const schema =
        compile_as("{'properties':{},'additionalProperties':false}", ARVO_ADDITIONAL_ZOD);
    assert_int_equal(arvo_schema_check(schema, json("{'z':0}"), arena, NULL, NULL), ARVO_OK);
    arvo_schema_free(schema);
}

static void
test_schema_normalise__refused(void **state)
{
    static const struct {
        const char *schema, *value, *message;
    } cases[] = {
        { "{'properties':{'a':true},'additionalProperties':false}", "{'b':1}",
          "/b: is an unknown key" },
        { "{'properties':{'a':{'type':'string','default':'x'}}}", "{'a':null}",
          "/a: expected string, got null" },
        { "{'properties':{'a':{'default':'x'},'b':true},'required':['a','b']}", "{}",
          "/b: is missing" },
        { "{'type':'object'}", "[]", "(root): expected object, got an array" },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_schema *const schema = compile_as(cases[i].schema, ARVO_ADDITIONAL_JSON_SCHEMA);
        const arvo_json *out = NULL;
        arvo_error err = { 0 };
        assert_int_equal(
            arvo_schema_normalise(schema, json(cases[i].value), arena, &out, &err), ARVO_E_INVALID);
        assert_string_equal(err.text, cases[i].message);
        assert_null(out);
        assert_int_equal(
            arvo_schema_normalise(schema, json(cases[i].value), arena, &out, NULL), ARVO_E_INVALID);
        arvo_schema_free(schema);
    }
}

static void
test_schema_normalise__recursive_default(void **state)
{
    (void)state;
    arvo_schema *const schema = compile_as(
        "{'properties':{'next':{'$ref':'#','default':{}}}}", ARVO_ADDITIONAL_JSON_SCHEMA);
    const arvo_json *out = NULL;
    assert_int_equal(arvo_schema_normalise(schema, json("{}"), arena, &out, NULL), ARVO_OK);
    assert_non_null(arvo_json_get(out, "next"));
    arvo_schema_free(schema);
}

/* A plain check knows no defaults: what is required must be there. */
static void
test_schema_normalise__check_alone_knows_no_defaults(void **state)
{
    (void)state;
    arvo_schema *const schema = compile_as(
        "{'properties':{'a':{'default':1}},'required':['a']}", ARVO_ADDITIONAL_JSON_SCHEMA);
    assert_int_equal(arvo_schema_check(schema, json("{}"), arena, NULL, NULL), ARVO_E_INVALID);
    const arvo_json *out = NULL;
    assert_int_equal(arvo_schema_normalise(schema, json("{}"), arena, &out, NULL), ARVO_OK);
    assert_string_equal(text_of(out), "{'a':1}");
    arvo_schema_free(schema);
}

/* Normalising twice is normalising once. */
static void
test_schema_normalise__is_idempotent(void **state)
{
    (void)state;
    arvo_schema *const schema = compile_as(
        "{'properties':{'a':{'default':1},'b':{'items':{'properties':{'x':true,'y':{'default':2}}}}"
        "},'allOf':[{'properties':{'c':true}}]}",
        ARVO_ADDITIONAL_JSON_SCHEMA);
    const arvo_json *once = NULL;
    const arvo_json *twice = NULL;
    assert_int_equal(
        arvo_schema_normalise(
            schema, json("{'c':0,'b':[{'z':1,'x':1},{'y':1,'x':0}],'d':5}"), arena, &once, NULL),
        ARVO_OK);
    assert_string_equal(text_of(once), "{'a':1,'b':[{'x':1,'y':2},{'x':0,'y':1}],'c':0}");
    assert_int_equal(arvo_schema_normalise(schema, once, arena, &twice, NULL), ARVO_OK);
    assert_string_equal(text_of(twice), text_of(once));
    arvo_schema_free(schema);
}

static void
test_schema_normalise__leaves_no_scratch(void **state)
{
    (void)state;
    arvo_schema *const schema = compile_as(
        "{'properties':{'a':{'uniqueItems':true},'b':{'pattern':'^x'}}}",
        ARVO_ADDITIONAL_JSON_SCHEMA);
    const arvo_json *const value = json("{'a':[1,2,3,4,5,6,7,8,9,10,11,12,13,14],'b':'xy'}");
    const arvo_json *out = NULL;
    const size_t used = arvo_arena_used(arena);
    assert_int_equal(arvo_schema_normalise(schema, value, arena, &out, NULL), ARVO_OK);
    assert_int_equal(arvo_schema_check(schema, value, arena, NULL, NULL), ARVO_OK);
    assert_int_equal(arvo_arena_used(arena), used);
    arvo_schema_free(schema);
}

static void
test_schema_explain__misses_no_key_that_has_a_default(void **state)
{
    (void)state;
    arvo_schema *schema = NULL;
    assert_int_equal(
        arvo_schema_compile(
            json("{'properties':{'a':{'default':1},'b':{'type':'integer'}},'required':['a','b']}"),
            NULL, &schema, NULL),
        ARVO_OK);
    arvo_schema_report report = { 0 };
    arvo_error err = { 0 };
    assert_int_equal(arvo_schema_explain(schema, json("{}"), arena, &report, &err), ARVO_E_INVALID);
    assert_int_equal(report.count, 1);
    assert_true(arvo_str_is(report.issues[0].path, "/b"));
    assert_string_equal(err.text, "/b: is missing (expected integer)");
    assert_int_equal(arvo_schema_explain(schema, json("{'b':1}"), arena, &report, NULL), ARVO_OK);
    assert_int_equal(report.count, 0);
    arvo_schema_free(schema);
}

/* ---- No malloc ------------------------------------------------------------ */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_COUNT 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAN_COUNT 0
#else
#define CAN_COUNT 1
#endif
#else
#define CAN_COUNT 1
#endif

#if CAN_COUNT && defined(__GLIBC__)
/* The program's malloc stands before the C library's, for shared libraries as well. */
static size_t malloc_calls;
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);

void *
malloc(size_t size)
{
    malloc_calls++;
    return __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
    malloc_calls++;
    return __libc_calloc(count, size);
}

void *
realloc(void *ptr, size_t size)
{
    malloc_calls++;
    return __libc_realloc(ptr, size);
}

static void
test_schema_normalise__calls_no_malloc(void **state)
{
    (void)state;
    arvo_schema *const schema = compile_as(
        "{'properties':{'a':{'type':'string','pattern':'^[a-z]+$'},'b':{'default':1},'l':"
        "{'uniqueItems':true,'items':{'enum':['a','b',1,2,3,4,5,6,7,8,9,10,11,12]}},'r':{'anyOf':"
        "[{'type':'null'},{'properties':{'x':{'default':0}}}]}},'required':['a']}",
        ARVO_ADDITIONAL_JSON_SCHEMA);
    const arvo_json *const clean =
        json("{'a':'abc','b':2,'l':['a','b',1,2,3,4,5,6,7,8,9,10,11,12]}");
    const arvo_json *const dirty = json("{'zz':1,'r':{'y':1},'a':'abc','l':['a']}");
    const arvo_json *const wrong = json("{'a':5,'l':['c'],'r':[]}");
    size_t calls = 0;
    for (int round = 0; round < 3; round++) {
        calls = malloc_calls;
        const arvo_arena_mark mark = arvo_arena_mark_get(arena);
        const arvo_json *out = NULL;
        arvo_schema_report report = { 0 };
        arvo_error err = { 0 };
        assert_int_equal(arvo_schema_check(schema, clean, arena, NULL, NULL), ARVO_OK);
        assert_int_equal(arvo_schema_normalise(schema, clean, arena, &out, NULL), ARVO_OK);
        assert_ptr_equal(out, clean);
        assert_int_equal(arvo_schema_normalise(schema, dirty, arena, &out, NULL), ARVO_OK);
        assert_ptr_not_equal(out, dirty);
        assert_int_equal(arvo_schema_check(schema, wrong, arena, &report, &err), ARVO_E_INVALID);
        arvo_arena_rewind(arena, mark);
        calls = malloc_calls - calls;
    }
    assert_true(malloc_calls > 0);
    assert_int_equal(calls, 0); /* of the last round: the arena has grown by then */
    arvo_schema_free(schema);
}
#else
static void
test_schema_normalise__calls_no_malloc(void **state)
{
    (void)state;
    skip(); /* a sanitizer owns malloc here */
}
#endif

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_schema_normalise__cases, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_normalise__zod, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_normalise__refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_normalise__recursive_default, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_schema_normalise__check_alone_knows_no_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_normalise__is_idempotent, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_schema_explain__misses_no_key_that_has_a_default, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_normalise__leaves_no_scratch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_normalise__calls_no_malloc, setup, teardown),
    };
    return cmocka_run_group_tests_name("schema_normalise", tests, NULL, NULL);
}
