/* Examples, counterexamples and containment of schemas. */

#include "random_schema.h"

#include <arvo/example.h>

static arvo_schema_source
source(const char *text)
{
    return (arvo_schema_source){ .schema = json(text) };
}

static const char *
containment_of(const char *inner, const char *outer)
{
    static const char *const names[] = { "contained", "not contained", "undecided" };
    const arvo_schema_source a = source(inner), b = source(outer);
    arvo_containment is = ARVO_UNDECIDED;
    const arvo_json *witness = NULL;
    arvo_error err = { 0 };
    if (arvo_schema_contained(&a, &b, arena, &is, &witness, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    assert_true((witness != NULL) == (is == ARVO_NOT_CONTAINED));
    if (witness != NULL)
        printf("  %s\n    in %s\n    shows %s\n", inner, outer, text_of(witness));
    return names[is];
}

static void
test_contained__is_proven(void **state)
{
    static const char *const cases[][2] = {
        { "{'type':'integer'}", "{'type':'number'}" },
        { "{'type':'integer'}", "{'multipleOf':0.5}" },
        { "{'type':'integer','minimum':1,'maximum':3}", "{'enum':[1,2,3,4]}" },
        { "{'type':'string','minLength':3}", "{'type':'string','minLength':2}" },
        { "{'type':'string','pattern':'^[a-c]{2}$'}", "{'type':'string','pattern':'^[a-z]+$'}" },
        { "{'type':'string','pattern':'^[a-c]{2}$'}", "{'type':'string','maxLength':2}" },
        { "{'enum':['a','b']}", "{'type':'string'}" },
        { "{'type':'boolean'}", "{'enum':[true,false]}" },
        { "{'type':'object','properties':{'a':{'type':'integer'}},'required':['a']}",
          "{'type':'object','properties':{'a':{'type':'number'}}}" },
        { "{'type':'object','properties':{'a':{'type':'integer'}},'additionalProperties':false}",
          "{'type':'object','properties':{'a':{'type':'number'},'b':{'type':'string'}}}" },
        { "{'type':'object','properties':{'kind':{'const':'a'}},'required':['kind']}",
          "{'oneOf':[{'type':'object','properties':{'kind':{'const':'a'}},'required':['kind']},"
          "{'type':'object','properties':{'kind':{'const':'b'}},'required':['kind']}]}" },
        { "{'type':'object','properties':{'kind':{'enum':['a','b']}},'required':['kind']}",
          "{'anyOf':[{'type':'object','properties':{'kind':{'const':'a'}},'required':['kind']},"
          "{'type':'object','properties':{'kind':{'const':'b'}},'required':['kind']}]}" },
        { "{'type':'number','minimum':0,'maximum':10}",
          "{'anyOf':[{'type':'number','maximum':5},{'type':'number','exclusiveMinimum':5}]}" },
        { "{'type':'array','items':{'type':'integer'},'minItems':2}",
          "{'type':'array','items':{'type':'number'},'minItems':1}" },
        { "{'$defs':{'t':{'type':'object','properties':{'v':{'type':'integer'},'next':{'$ref':"
          "'#/$defs/t'}},'required':['v']}},'$ref':'#/$defs/t'}",
          "{'$defs':{'u':{'type':'object','properties':{'v':{'type':'number'},'next':{'$ref':"
          "'#/$defs/u'}}}},'$ref':'#/$defs/u'}" },
        { "false", "{'type':'string'}" },
        { "{'type':'object','required':['a'],'properties':{'a':false}}", "false" },
        { "{'type':'object','patternProperties':{'^x':{'type':'integer'}}}",
          "{'type':'object','patternProperties':{'^x':{'type':'number'}}}" },
        { "{'if':{'type':'string'},'then':{'maxLength':3},'else':{'type':'integer'}}",
          "{'type':['string','integer']}" },
        { "{'type':'array','uniqueItems':true,'items':{'type':'boolean'}}",
          "{'type':'array','maxItems':2}" },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        if (strcmp(containment_of(cases[i][0], cases[i][1]), "contained") != 0)
            fail_msg(
                "%s in %s: %s", cases[i][0], cases[i][1], containment_of(cases[i][0], cases[i][1]));
}

static void
test_contained__is_refuted_by_a_witness(void **state)
{
    static const char *const cases[][2] = {
        { "{'type':'number'}", "{'type':'integer'}" },
        { "true", "{'type':'string'}" },
        { "{'type':'string'}", "{'type':'string','maxLength':5}" },
        { "{'type':'string','pattern':'^[a-z]+$'}", "{'type':'string','pattern':'^[a-y]+$'}" },
        { "{'enum':['a','b','c']}", "{'enum':['a','b']}" },
        { "{'type':'object','properties':{'a':{'type':'integer'}}}",
          "{'type':'object','properties':{'a':{'type':'integer'}},'required':['a']}" },
        { "{'type':'object','properties':{'a':{'type':'integer'}}}",
          "{'type':'object','properties':{'a':{'type':'integer'}},'additionalProperties':false}" },
        { "{'type':'object','properties':{'a':{'type':'object','properties':{'b':{'type':"
          "'integer'}},'required':['b']}},'required':['a']}",
          "{'type':'object','properties':{'a':{'type':'object','properties':{'b':{'type':"
          "'integer','maximum':9}}}}}" },
        { "{'type':'array','items':{'type':'integer'}}",
          "{'type':'array','items':{'type':'integer'},'uniqueItems':true}" },
        { "{'type':'array'}", "{'type':'array','contains':{'type':'string'}}" },
        { "{'type':'integer'}", "{'type':'integer','multipleOf':2}" },
        { "{'type':'number'}", "{'type':'number','multipleOf':0.01}" },
        { "{'type':'object'}", "{'type':'object','propertyNames':{'maxLength':4}}" },
        { "{'type':'object'}", "{'type':'object','minProperties':1}" },
        { "{'$defs':{'t':{'type':'object','properties':{'v':{'type':'number'},'next':{'$ref':"
          "'#/$defs/t'}},'required':['v']}},'$ref':'#/$defs/t'}",
          "{'$defs':{'u':{'type':'object','properties':{'v':{'type':'number'},'next':{'$ref':"
          "'#/$defs/v'}}},'v':{'type':'object','properties':{'v':{'type':'integer'}}}},"
          "'$ref':'#/$defs/u'}" },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        if (strcmp(containment_of(cases[i][0], cases[i][1]), "not contained") != 0)
            fail_msg(
                "%s in %s: %s", cases[i][0], cases[i][1], containment_of(cases[i][0], cases[i][1]));
}

static void
test_example__is_made(void **state)
{
    static const char *const cases[] = {
        "{'type':'object','properties':{'orderId':{'type':'string'},'amount':{'type':'number',"
        "'exclusiveMinimum':0,'multipleOf':0.01},'email':{'type':'string','format':'email'},"
        "'currency':{'enum':['EUR','USD']},'items':{'type':'array','items':{'type':'object',"
        "'properties':{'sku':{'type':'string','pattern':'^[A-Z]{3}-[0-9]{4}$'},'count':{'type':"
        "'integer','minimum':1}},'required':['sku','count']},'minItems':1}},'required':['orderId'"
        ",'amount']}",
        "{'$ref':'#/$defs/tree','$defs':{'tree':{'type':'object','properties':{'name':{'type':"
        "'string'},'children':{'type':'array','items':{'$ref':'#/$defs/tree'}}},'required':["
        "'name','children']}}}",
        "{'oneOf':[{'type':'object','properties':{'kind':{'const':'a'},'x':{'type':'integer'}},"
        "'required':['kind','x']},{'type':'object','properties':{'kind':{'const':'b'}},"
        "'required':['kind']}]}",
        ("{'type':'object','properties':{'a':{'type':'string'},'b':{'type':'integer'}},"
         "'dependentRequired':{'a':['b']}}"),
        "{'type':'array','uniqueItems':true,'minItems':5,'items':{'type':'integer'}}",
        "{'type':'string','minLength':40}",
        "{'type':'object','minProperties':3}",
        "{'type':'integer','minimum':9007199254740993}",
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const arvo_schema_source from = source(cases[i]);
        const arvo_json *value = NULL;
        arvo_error err = { 0 };
        if (arvo_example_make(&from, NULL, arena, &value, &err) != ARVO_OK)
            fail_msg("%s: %s", cases[i], err.text);
        printf("  %s\n", text_of(value));
    }
}

static void
test_counterexamples__break_one_rule_each(void **state)
{
    const arvo_schema_source from = source(
        "{'type':'object','properties':{'orderId':{'type':'string','minLength':2,'pattern':'^o'},"
        "'amount':{'type':'number','exclusiveMinimum':0,'multipleOf':0.01},'currency':{'enum':"
        "['EUR','USD']},'items':{'type':'array','items':{'type':'integer'},'minItems':1,"
        "'uniqueItems':true},'to':{'oneOf':[{'type':'object','properties':{'kind':{'const':'a'}},"
        "'required':['kind']},{'type':'null'}]}},'required':['orderId','amount'],"
        "'additionalProperties':false}");
    arvo_counterexample_list list = { 0 };
    arvo_error err = { 0 };
    (void)state;
    if (arvo_counterexamples_make(&from, NULL, arena, &list, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    arvo_schema *schema = NULL;
    assert_int_equal(arvo_schema_compile(from.schema, NULL, &schema, NULL), ARVO_OK);
    for (size_t i = 0; i < list.count; i++) {
        const arvo_counterexample *const item = &list.items[i];
        printf(
            "  %.*s %.*s %d\n    %s\n    %.*s%.*s\n", ARVO_FMT(item->rule), ARVO_FMT(item->key),
            item->named, text_of(item->value), ARVO_FMT(item->message), ARVO_FMT(item->why));
        assert_non_null(item->value);
        assert_int_equal(arvo_schema_check(schema, item->value, arena, NULL, NULL), ARVO_E_INVALID);
    }
    arvo_schema_free(schema);
}

/* `levels` objects in each other, and a rule in the innermost. */
static arvo_counterexample_list
counterexamples_of_nested(size_t levels)
{
    char text[4096];
    size_t len = 0;
    for (size_t i = 0; i < levels; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "{'properties':{'a':");
    len += (size_t)snprintf(text + len, sizeof(text) - len, "{'type':'string'}");
    for (size_t i = 0; i < levels; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "}}");
    const arvo_schema_source from = source(text);
    arvo_counterexample_list list = { 0 };
    arvo_error err = { 0 };
    if (arvo_counterexamples_make(&from, NULL, arena, &list, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return list;
}

static void
test_counterexamples__say_what_lies_too_deep(void **state)
{
    (void)state;
    const arvo_counterexample_list seen = counterexamples_of_nested(32);
    assert_int_equal(seen.count, 1);
    assert_false(seen.more);
    const arvo_counterexample_list deeper = counterexamples_of_nested(33);
    assert_int_equal(deeper.count, 0);
    assert_true(deeper.more);
}

static void
test_example__says_what_cannot_be(void **state)
{
    const arvo_schema_source none = source("{'type':'integer','exclusiveMinimum':1,'maximum':1}");
    const arvo_schema_source strange = source("{'type':'string','pattern':'(?=b)a'}");
    const arvo_schema_source wrong = source("{'type':'sting'}");
    const arvo_json *value = NULL;
    arvo_error err = { 0 };
    (void)state;
    assert_int_equal(arvo_example_make(&none, NULL, arena, &value, &err), ARVO_E_NOT_FOUND);
    assert_int_equal(arvo_example_make(&strange, NULL, arena, &value, &err), ARVO_E_UNSUPPORTED);
    assert_int_equal(arvo_example_make(&wrong, NULL, arena, &value, &err), ARVO_E_INVALID);
    assert_null(value);
}

static void
test_example__survives_every_failed_allocation(void **state)
{
    const arvo_schema_source from = source(
        "{'type':'object','properties':{'a':{'type':'string','pattern':'^x[0-9]{2}$'},'b':{'type':"
        "'array','items':{'type':'integer'},'minItems':2,'uniqueItems':true}},'required':['a','b'],"
        "'not':{'required':['c']}}");
    (void)state;
    for (size_t left = 0; left < 200; left++) {
        failing memory = { .left = left };
        const arvo_allocator allocator = { failing_alloc, failing_free, &memory };
        const arvo_example_opts opts = { .allocator = &allocator };
        arvo_counterexample_list list = { 0 };
        const arvo_json *value = NULL;
        const arvo_status st = arvo_example_make(&from, &opts, arena, &value, NULL);
        assert_int_equal(memory.live, 0);
        memory.left = left;
        const arvo_status list_st = arvo_counterexamples_make(&from, &opts, arena, &list, NULL);
        assert_int_equal(memory.live, 0);
        if (st == ARVO_OK && list_st == ARVO_OK)
            return;
        assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
        assert_true(list_st == ARVO_OK || list_st == ARVO_E_NOMEM);
    }
    fail_msg("more than 200 allocations");
}

/* ---- Random pairs ---- */

#define PAIRS_DEFAULT 1500u

typedef struct verdicts {
    size_t contained, refuted, undecided, values;
} verdicts;

static bool
accepts(const arvo_schema_source *from, const arvo_schema *schema, const arvo_json *value)
{
    const arvo_json *ignored = NULL;
    return from->normalising
               ? arvo_schema_normalise(schema, value, arena, &ignored, NULL) == ARVO_OK
               : arvo_schema_check(schema, value, arena, NULL, NULL) == ARVO_OK;
}

static arvo_schema *
compiled(const arvo_schema_source *from)
{
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    const arvo_schema_opts opts = { .additional = from->additional };
    if (arvo_schema_compile(from->schema, &opts, &schema, &err) != ARVO_OK)
        fail_msg("%s: %s", text_of(from->schema), err.text);
    return schema;
}

/* What is said to be contained must hold for every value that anybody can think of. */
static void
contained_check(
    chance *c, const arvo_schema_source *inner, const arvo_schema_source *outer, verdicts *seen)
{
    arvo_schema *const inner_schema = compiled(inner);
    arvo_schema *const outer_schema = compiled(outer);
    for (size_t i = 0; i < 60; i++) {
        const arvo_json *value = random_value(c, 3);
        const arvo_example_opts opts = { .seed = i / 2, .minimal = i % 4 == 0 };
        if (i % 2 == 0 && arvo_example_make(inner, &opts, arena, &value, NULL) != ARVO_OK)
            continue;
        if (!accepts(inner, inner_schema, value))
            continue;
        seen->values++;
        if (!accepts(outer, outer_schema, value))
            fail_msg(
                "%s in %s is refuted by %s", text_of(inner->schema), text_of(outer->schema),
                text_of(value));
    }
    arvo_schema_free(inner_schema);
    arvo_schema_free(outer_schema);
}

static void
refuted_check(
    const arvo_schema_source *inner, const arvo_schema_source *outer, const arvo_json *witness)
{
    arvo_schema *const inner_schema = compiled(inner);
    arvo_schema *const outer_schema = compiled(outer);
    assert_true(accepts(inner, inner_schema, witness));
    assert_false(accepts(outer, outer_schema, witness));
    arvo_schema_free(inner_schema);
    arvo_schema_free(outer_schema);
}

static void
pair_check(
    chance *c, const arvo_schema_source *inner, const arvo_schema_source *outer, verdicts *seen)
{
    arvo_containment is = ARVO_UNDECIDED;
    const arvo_json *witness = NULL;
    arvo_error err = { 0 };
    if (arvo_schema_contained(inner, outer, arena, &is, &witness, &err) != ARVO_OK)
        fail_msg("%s, %s: %s", text_of(inner->schema), text_of(outer->schema), err.text);
    if (is == ARVO_CONTAINED) {
        seen->contained++;
        contained_check(c, inner, outer, seen);
    } else if (is == ARVO_NOT_CONTAINED) {
        seen->refuted++;
        refuted_check(inner, outer, witness);
    } else {
        seen->undecided++;
        if (getenv("ARVO_SHOW_UNDECIDED") != NULL)
            printf("  undecided: %s in %s\n", text_of(inner->schema), text_of(outer->schema));
    }
}

static size_t
number_from(const char *name, size_t otherwise)
{
    const char *const text = getenv(name);
    return text != NULL ? (size_t)strtoul(text, NULL, 10) : otherwise;
}

static void
test_contained__holds_for_random_pairs(void **state)
{
    chance c = { number_from("ARVO_RANDOM_SEED", 1) };
    const size_t pairs = number_from("ARVO_RANDOM_PAIRS", PAIRS_DEFAULT);
    verdicts seen = { 0 };
    (void)state;
    for (size_t i = 0; i < pairs; i++) {
        arvo_arena_reset(arena);
        arvo_schema_source inner = { .schema = random_schema(&c, 3) };
        arvo_schema_source outer = { .schema = random_schema(&c, 3) };
        inner.normalising = outer.normalising = below(&c, 2) == 0;
        if (below(&c, 6) == 0)
            inner.additional = outer.additional = ARVO_ADDITIONAL_ZOD;
        pair_check(&c, &inner, &outer, &seen);
    }
    printf(
        "  %zu pairs: %zu contained (%zu values tried), %zu refuted, %zu undecided (%.1f %%)\n",
        pairs, seen.contained, seen.values, seen.refuted, seen.undecided,
        100.0 * (double)seen.undecided / (double)pairs);
    assert_true(seen.contained > 0 && seen.refuted > 0 && seen.undecided * 10 < pairs);
}

/* ---- Changes whose effect is known ---- */

typedef struct change {
    const char *from, *to;
    bool forward, back; /* from in to; to in from */
} change;

/* A schema set into another at some depth, so that the change is far from the top. */
static const arvo_json *
wrapped(const arvo_json *schema, size_t depth, const arvo_json *sibling)
{
    for (size_t i = 0; i < depth; i++) {
        arvo_json *const out = arvo_json_object_new(arena);
        arvo_json *const part = arvo_json_object_new(arena);
        if (i % 3 == 2) {
            put(out, "type", arvo_json_string(arena, ARVO_STR("array")));
            put(out, "items", schema);
            put(out, "minItems", arvo_json_int(arena, 1));
        } else {
            arvo_json *const required = arvo_json_array_new(arena);
            arvo_json_push(arena, required, arvo_json_string(arena, ARVO_STR("x")));
            put(part, "x", schema);
            put(part, "y", sibling);
            put(out, "type", arvo_json_string(arena, ARVO_STR("object")));
            put(out, "properties", part);
            if (i % 2 == 0)
                put(out, "required", required);
        }
        schema = out;
    }
    return schema;
}

static const change changes[] = {
    { "{'type':'integer'}", "{'type':'number'}", true, false },
    { "{'type':'integer','minimum':3}", "{'type':'integer','minimum':2}", true, false },
    { "{'type':'number','maximum':3}", "{'type':'number','exclusiveMaximum':3}", false, true },
    { "{'type':'integer','maximum':3}", "{'type':'integer','exclusiveMaximum':4}", true, true },
    { "{'type':'string','maxLength':3}", "{'type':'string','maxLength':4}", true, false },
    { "{'type':'string','pattern':'^a+$'}", "{'type':'string','pattern':'^a*$'}", true, false },
    { "{'enum':['a','b']}", "{'enum':['a','b','c']}", true, false },
    { "{'enum':['a','b']}", "{'anyOf':[{'const':'b'},{'const':'a'}]}", true, true },
    { "{'type':'string'}", "{'type':['string','null']}", true, false },
    { "{'type':'object','required':['a','b']}", "{'type':'object','required':['b']}", true, false },
    { "{'type':'object','properties':{'a':{'type':'string'}}}", "{'type':'object'}", true, false },
    { "{'type':'object','properties':{'a':true},'additionalProperties':false}",
      "{'type':'object','properties':{'a':true,'b':true},'additionalProperties':false}", true,
      false },
    { "{'type':'array','minItems':2}", "{'type':'array','minItems':1}", true, false },
    { "{'type':'array','items':{'type':'boolean'},'maxItems':2}",
      "{'type':'array','items':{'type':'boolean'},'maxItems':1}", false, true },
    { "{'type':'array','uniqueItems':true}", "{'type':'array'}", true, false },
    { "{'type':'integer','multipleOf':4}", "{'type':'integer','multipleOf':2}", true, false },
    { "{'not':{'type':'string'}}", "{'not':{'type':['string','null']}}", false, true },
    { "{'oneOf':[{'type':'string'},{'type':'integer'}]}",
      "{'anyOf':[{'type':'integer'},{'type':'string'}]}", true, true },
    { "{'allOf':[{'minimum':1},{'maximum':5}]}", "{'minimum':1,'maximum':5}", true, true },
    { "{'if':{'required':['a']},'then':{'required':['b']}}", "{'dependentRequired':{'a':['b']}}",
      true, true },
    { "{'type':'object','if':{'required':['a']},'then':{'required':['b']}}",
      "{'type':'object','dependentRequired':{'a':['b']}}", true, true },
};

static void
test_contained__knows_changes_at_any_depth(void **state)
{
    chance c = { 7 };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(changes); i++) {
        for (size_t depth = 0; depth < 7; depth++) {
            arvo_arena_reset(arena);
            const arvo_json *const sibling = random_schema(&c, 1);
            const arvo_json *const usable =
                arvo_json_type_of(sibling) == ARVO_JSON_OBJECT ? sibling : arvo_json_bool(true);
            const arvo_schema_source from = { .schema =
                                                  wrapped(json(changes[i].from), depth, usable) };
            const arvo_schema_source to = { .schema = wrapped(json(changes[i].to), depth, usable) };
            verdicts forward = { 0 }, back = { 0 };
            pair_check(&c, &from, &to, &forward);
            pair_check(&c, &to, &from, &back);
            if (forward.contained != changes[i].forward || forward.refuted == changes[i].forward ||
                back.contained != changes[i].back || back.refuted == changes[i].back)
                fail_msg("%s, %s at depth %zu", changes[i].from, changes[i].to, depth);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_contained__is_proven, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contained__is_refuted_by_a_witness, setup, teardown),
        cmocka_unit_test_setup_teardown(test_example__is_made, setup, teardown),
        cmocka_unit_test_setup_teardown(test_example__says_what_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_example__survives_every_failed_allocation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counterexamples__break_one_rule_each, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_counterexamples__say_what_lies_too_deep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contained__holds_for_random_pairs, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_contained__knows_changes_at_any_depth, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
