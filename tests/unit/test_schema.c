/* Schemas: what compiles, what does not, what is accepted, what is said of the rest. */

#include "schema_helpers.h"

#define DRAFT_7 "'$schema':'http://json-schema.org/draft-07/schema#'"

static arvo_schema *
compile(const char *text)
{
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    if (arvo_schema_compile(json(text), NULL, &schema, &err) != ARVO_OK)
        fail_msg("%s: %s", text, err.text);
    return schema;
}

/* ---- Keywords ------------------------------------------------------------- */

static const struct {
    const char *schema, *valid, *invalid; /* JSON arrays of values */
} keyword_cases[] = {
    { "true", "[null, 1, {}]", "[]" },
    { "false", "[]", "[null, 1, {}]" },
    { "{}", "[null, 1, {}]", "[]" },
    { "{'type':'null'}", "[null]", "[false, 0, '', [], {}]" },
    { "{'type':'boolean'}", "[true, false]", "[null, 0, 'true']" },
    { "{'type':'integer'}", "[0, -3, 1.0, 1e3, 1e300]", "[1.5, '1', null, 1e-3]" },
    { "{'type':'number'}", "[0, 1.5, 1e300]", "['1', null]" },
    { "{'type':'string'}", "['', 'a']", "[1, null, []]" },
    { "{'type':'array'}", "[[], [1]]", "[{}, null]" },
    { "{'type':'object'}", "[{}, {'a':1}]", "[[], null]" },
    { "{'type':['string','null']}", "['', null]", "[1, []]" },
    { "{'type':['integer','string']}", "[1, 2.0, 'a']", "[1.5]" },
    { "{'const':{'a':[1,2]}}", "[{'a':[1.0,2]}]", "[{'a':[2,1]}, {}]" },
    { "{'const':0}", "[0, 0.0]", "[false, null, '0']" },
    { "{'const':null}", "[null]", "[0, false]" },
    { "{'enum':['a','b',1,null,{'k':1}]}", "['a','b',1,1.0,null,{'k':1}]", "['c',2,{'k':2},'']" },
    { "{'enum':['a','b','c','d','e','f','g',1.5,7,null,[1],{'k':1,'l':2}]}",
      "['a','g',1.5,7,7.0,null,[1.0],{'l':2,'k':1}]", "['',8,'h',[],[2],{'k':1},false]" },
    { "{'enum':[]}", "[]", "[1, null]" },
    { "{'minimum':1}", "[1, 1.5, 'a', null]", "[0.5, -1]" },
    { "{'maximum':1.5}", "[1, 1.5]", "[1.6, 2]" },
    { "{'exclusiveMinimum':1}", "[1.1, 2]", "[1, 0]" },
    { "{'exclusiveMaximum':1}", "[0.9]", "[1, 2]" },
    { "{'maximum':9007199254740993}", "[9007199254740993]", "[9007199254740994]" },
    { "{'minimum':1e19}", "[1e19, 1e20]", "[9223372036854775807]" },
    { "{'maximum':-1e19}", "[-1e19]", "[-9223372036854775808]" },
    { "{'multipleOf':2}", "[4, 0, -2, 1e300]", "[3, 2.5]" },
    { "{'multipleOf':0.01}", "[4.02, 0.07, 1.1, 19.99, 1]", "[0.075, 0.005]" },
    { "{'multipleOf':0.0001}", "[0.0075]", "[0.00751]" },
    { "{'multipleOf':2.5}", "[5, 7.5, -2.5]", "[1, 4]" },
    { "{'multipleOf':1e-8}", "[12391239123, 1e-8]", "[1e-9]" },
    { "{'multipleOf':3}", "[9223372036854775806]", "[9223372036854775807, 1e22]" },
    { "{'minLength':2}", "['ab', '\\u00e9\\u00e9', 1]", "['a', '\\u00e9', '\\ud83d\\ude00']" },
    { "{'maxLength':2}", "['ab', '\\ud83d\\ude00\\ud83d\\ude00']", "['abc']" },
    { "{'maxLength':2.0}", "['ab']", "['abc']" },
    { "{'maxLength':1e30}", "['ab']", "[]" },
    { "{'pattern':'^a+$'}", "['aa', 1]", "['ab', '', 'a\\n']" },
    { "{'pattern':'b'}", "['abc']", "['ac']" },
    { "{'minItems':1,'maxItems':2}", "[[1], [1,2], {}]", "[[], [1,2,3]]" },
    { "{'uniqueItems':true}", "[[], [1,'1',true,null,[1],{'a':1}], 'aa']",
      "[[1,1.0], [{'a':1,'b':2},{'b':2,'a':1}], [1,2,3,4,5,6,7,8,9,10,11,12,13,1]]" },
    { "{'uniqueItems':false}", "[[1,1]]", "[]" },
    { "{'items':{'type':'integer'}}", "[[], [1,2], 'a']", "[[1,'2']]" },
    { "{'items':false}", "[[]]", "[[1]]" },
    { "{'prefixItems':[{'type':'string'},{'type':'integer'}]}",
      "[[], ['a'], ['a',1], ['a',1,null]]", "[[1], ['a','b']]" },
    { "{'prefixItems':[{'type':'string'}],'items':{'type':'null'}}", "[['a',null]]", "[['a',1]]" },
    { "{" DRAFT_7 ",'items':[{'type':'string'}],'additionalItems':false}", "[['a'], []]",
      "[['a',1], [1]]" },
    { "{" DRAFT_7 ",'items':{'type':'string'},'additionalItems':false}", "[['a','b']]", "[[1]]" },
    { "{" DRAFT_7 ",'additionalItems':false}", "[[1]]", "[]" },
    { "{'contains':{'const':1}}", "[[2,1], {}]", "[[], [2]]" },
    { "{'contains':{'const':1},'minContains':2,'maxContains':3}", "[[1,1], [1,1,1]]",
      "[[1], [1,1,1,1]]" },
    { "{'contains':{'const':1},'minContains':0}", "[[], [2]]", "[]" },
    { "{'minContains':2}", "[[]]", "[]" },
    { "{'properties':{'a':{'type':'string'}},'required':['a','b']}", "[{'a':'','b':1}, 1]",
      "[{'a':''}, {'b':1}, {'a':1,'b':1}]" },
    { "{'required':['a']}", "[{'a':null}]", "[{}, {'A':1}]" },
    { "{'properties':{'a':true},'additionalProperties':false}", "[{}, {'a':1}]",
      "[{'b':1}, {'a':1,'b':1}]" },
    { "{'properties':{'a':true},'additionalProperties':{'type':'null'}}", "[{'a':1,'b':null}]",
      "[{'b':1}]" },
    { "{'additionalProperties':false}", "[{}]", "[{'a':1}]" },
    { "{'patternProperties':{'^x':{'type':'null'}},'additionalProperties':false}",
      "[{'x1':null}, {}]", "[{'x1':1}, {'y':null}]" },
    { "{'properties':{'x1':{'const':null}},'patternProperties':{'^x':{'type':'null'}}}",
      "[{'x1':null}]", "[{'x1':1}, {'x2':1}]" },
    { "{'propertyNames':{'maxLength':1}}", "[{'a':1}, {}]", "[{'ab':1}]" },
    { "{'minProperties':1,'maxProperties':1}", "[{'a':1}]", "[{}, {'a':1,'b':1}]" },
    { "{'dependentRequired':{'a':['b','c']}}", "[{}, {'b':1}, {'a':1,'b':1,'c':1}]",
      "[{'a':1}, {'a':1,'b':1}]" },
    { "{'dependentSchemas':{'a':{'required':['b']}}}", "[{}, {'a':1,'b':1}]", "[{'a':1}]" },
    { "{" DRAFT_7 ",'dependencies':{'a':['b'],'c':{'required':['d']}}}",
      "[{}, {'a':1,'b':1}, {'c':1,'d':1}]", "[{'a':1}, {'c':1}]" },
    { "{'allOf':[{'minimum':1},{'maximum':2}]}", "[1, 2]", "[0, 3]" },
    { "{'anyOf':[{'type':'string'},{'minimum':2}]}", "['a', 2, null]", "[1]" },
    { "{'oneOf':[{'type':'integer'},{'minimum':2}]}", "[1, 2.5]", "[3, 1.5]" },
    { "{'not':{'type':'string'}}", "[1]", "['a']" },
    { "{'if':{'type':'string'},'then':{'minLength':1},'else':{'const':0}}", "['a', 0]", "['', 1]" },
    { "{'if':{'type':'string'},'then':{'minLength':1}}", "['a', 1]", "['']" },
    { "{'then':false,'else':false}", "[1]", "[]" },
    { "{'$defs':{'n':{'type':'integer'}},'properties':{'a':{'$ref':'#/$defs/n'}}}", "[{'a':1}]",
      "[{'a':'1'}]" },
    { "{'properties':{'next':{'$ref':'#'},'v':{'type':'integer'}},'additionalProperties':false}",
      "[{'next':{'next':{'v':1}}}]", "[{'next':{'next':{'v':'1'}}}, {'next':{'x':1}}]" },
    { "{'$defs':{'a b':{'type':'null'},'c/d~e':{'type':'null'}},'properties':{'x':{'$ref':"
      "'#/$defs/a%20b'},'y':{'$ref':'#/$defs/c~1d~0e'}}}",
      "[{'x':null,'y':null}]", "[{'x':1}, {'y':1}]" },
    { "{" DRAFT_7 ",'definitions':{'n':{'type':'integer'}},'properties':{'a':{'$ref':"
      "'#/definitions/n','minimum':5,'anything':1}}}",
      "[{'a':1}]", "[{'a':'1'}]" },
    { "{'$defs':{'n':{'type':'integer'}},'$ref':'#/$defs/n','minimum':5}", "[5]", "[4, 'a']" },
    { "{'$id':'http://x/root','$defs':{'in':{'$id':'http://x/in','$defs':{'s':{'type':'string'}},"
      "'properties':{'a':{'$ref':'#/$defs/s'}}}},'$ref':'#/$defs/in'}",
      "[{'a':'s'}]", "[{'a':1}]" },
    { "{'title':'t','description':'d','$comment':'c','format':'email','examples':[1],'deprecated':"
      "true,'readOnly':false,'writeOnly':false,'contentEncoding':'base64','contentMediaType':"
      "'text/plain','contentSchema':{'type':'string'},'default':5}",
      "[1, 'not an email']", "[]" },
};

static void
each_value(arvo_schema *schema, const char *schema_text, const char *values, arvo_status expected)
{
    const arvo_json *const list = json(values);
    for (size_t i = 0; i < arvo_json_count(list); i++) {
        arvo_schema_report report = { .count = 99 };
        arvo_error err = { 0 };
        const arvo_json *const value = arvo_json_at(list, i);
        const arvo_status st = arvo_schema_check(schema, value, arena, &report, &err);
        if (st != expected)
            fail_msg(
                "%s with %s: %s %s", schema_text, text_of(value), arvo_status_name(st), err.text);
        assert_int_equal(report.count > 0, expected != ARVO_OK);
        assert_int_equal(strlen(err.text) > 0, expected != ARVO_OK);
        assert_int_equal(arvo_schema_check(schema, value, arena, NULL, NULL), expected);
    }
}

static void
test_schema__keywords(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(keyword_cases); i++) {
        arvo_schema *const schema = compile(keyword_cases[i].schema);
        each_value(schema, keyword_cases[i].schema, keyword_cases[i].valid, ARVO_OK);
        each_value(schema, keyword_cases[i].schema, keyword_cases[i].invalid, ARVO_E_INVALID);
        arvo_schema_free(schema);
    }
}

static void
test_schema__no_value_is_null(void **state)
{
    (void)state;
    arvo_schema *const schema = compile("{'type':'null'}");
    assert_int_equal(arvo_schema_check(schema, NULL, arena, NULL, NULL), ARVO_OK);
    arvo_schema_free(schema);
    arvo_schema_free(NULL);
}

/* More keys than are searched one by one. */
static void
test_schema__many_properties(void **state)
{
    (void)state;
    arvo_buf text = ARVO_BUF_INIT(1 << 20);
    arvo_buf_printf(&text, "{'additionalProperties':false,'required':['k0','k99'],'properties':{");
    for (int i = 0; i < 100; i++)
        arvo_buf_printf(&text, "%s'k%d':{'const':%d}", i > 0 ? "," : "", i, i);
    arvo_buf_printf(&text, "}}");
    arvo_buf_append_char(&text, '\0');
    arvo_schema *const schema = compile(text.ptr);
    each_value(schema, "many", "[{'k0':0,'k99':99}, {'k99':99,'k50':50,'k0':0}]", ARVO_OK);
    each_value(
        schema, "many", "[{'k0':0}, {'k0':0,'k99':98}, {'k0':0,'k99':99,'k100':100}]",
        ARVO_E_INVALID);
    arvo_schema_free(schema);
    arvo_buf_fini(&text);
}

/* ---- Schemas that are wrong ----------------------------------------------- */

static void
test_schema__refused_schemas(void **state)
{
    static const struct {
        const char *schema;
        arvo_status status;
        const char *message;
    } cases[] = {
        { "1", ARVO_E_INVALID, "must be a schema: an object or a boolean" },
        { "[]", ARVO_E_INVALID, "must be a schema" },
        { "null", ARVO_E_INVALID, "must be a schema" },
        { "{'$schema':'http://json-schema.org/draft-04/schema#'}", ARVO_E_UNSUPPORTED,
          "/$schema: \"http://json-schema.org/draft-04/schema#\" is not supported" },
        { "{'$schema':1}", ARVO_E_INVALID, "/$schema: must be a string" },
        { "{'items':{" DRAFT_7 "}}", ARVO_E_UNSUPPORTED, "/items/$schema: a part of a schema" },
        { "{'type':'text'}", ARVO_E_INVALID, "/type: \"text\" is not a type" },
        { "{'type':1}", ARVO_E_INVALID, "/type: must be the name of a type" },
        { "{'type':[]}", ARVO_E_INVALID, "/type: must be one type at least" },
        { "{'type':['null','null']}", ARVO_E_INVALID, "without repetitions" },
        { "{'type':['null',1]}", ARVO_E_INVALID, "/type: must be" },
        { "{'enum':1}", ARVO_E_INVALID, "/enum: must be an array" },
        { "{'minimum':'1'}", ARVO_E_INVALID, "/minimum: must be a number" },
        { "{'exclusiveMinimum':true}", ARVO_E_INVALID, "/exclusiveMinimum: must be a number" },
        { "{'multipleOf':0}", ARVO_E_INVALID, "/multipleOf: must be greater than 0" },
        { "{'multipleOf':-1}", ARVO_E_INVALID, "greater than 0" },
        { "{'minLength':-1}", ARVO_E_INVALID, "/minLength: must be an integer of 0 or more" },
        { "{'minLength':1.5}", ARVO_E_INVALID, "/minLength: must be an integer" },
        { "{'maxItems':'1'}", ARVO_E_INVALID, "/maxItems" },
        { "{'minContains':-1}", ARVO_E_INVALID, "/minContains" },
        { "{'contains':{},'maxContains':-1}", ARVO_E_INVALID, "/maxContains" },
        { "{'uniqueItems':1}", ARVO_E_INVALID, "/uniqueItems: must be true or false" },
        { "{'pattern':1}", ARVO_E_INVALID, "/pattern: must be a string" },
        { "{'pattern':'('}", ARVO_E_INVALID, "/pattern: not a regular expression" },
        { "{'pattern':'a**'}", ARVO_E_INVALID, "nothing to repeat at byte 2" },
        { "{'patternProperties':{'[':{}}}", ARVO_E_INVALID, "/patternProperties/[: " },
        { "{'patternProperties':1}", ARVO_E_INVALID, "/patternProperties: must be an object" },
        { "{'patternProperties':{'a':1}}", ARVO_E_INVALID,
          "/patternProperties/a: must be a schema" },
        { "{'properties':[]}", ARVO_E_INVALID, "/properties: must be an object of schemas" },
        { "{'properties':{'a/b~c':1}}", ARVO_E_INVALID, "/properties/a~1b~0c: must be a schema" },
        { "{'required':'a'}", ARVO_E_INVALID, "/required: must be an array of keys" },
        { "{'required':[1]}", ARVO_E_INVALID, "/required: item 0 must be a string" },
        { "{'required':['a','a']}", ARVO_E_INVALID, "/required: \"a\" is given twice" },
        { "{'additionalProperties':1}", ARVO_E_INVALID, "/additionalProperties: must be a schema" },
        { "{'dependentRequired':[]}", ARVO_E_INVALID, "/dependentRequired: must be an object" },
        { "{'dependentRequired':{'a':{}}}", ARVO_E_INVALID, "/dependentRequired: must be" },
        { "{'dependentRequired':{'a':[1]}}", ARVO_E_INVALID, "/dependentRequired: must be" },
        { "{'dependentSchemas':{'a':[]}}", ARVO_E_INVALID,
          "/dependentSchemas/a: must be a schema" },
        { "{'propertyNames':1}", ARVO_E_INVALID, "/propertyNames: must be a schema" },
        { "{'items':[{}]}", ARVO_E_INVALID,
          "/items: must be a schema; an array of schemas is called "
          "prefixItems" },
        { "{'prefixItems':[]}", ARVO_E_INVALID, "/prefixItems: must be an array of one schema" },
        { "{'prefixItems':{'a':1}}", ARVO_E_INVALID, "/prefixItems: must be an array of schemas" },
        { "{'prefixItems':[1]}", ARVO_E_INVALID, "/prefixItems/0: must be a schema" },
        { "{'allOf':[]}", ARVO_E_INVALID, "/allOf: must be an array of one schema or more" },
        { "{'anyOf':{}}", ARVO_E_INVALID, "/anyOf: must be" },
        { "{'oneOf':[{},1]}", ARVO_E_INVALID, "/oneOf/1: must be a schema" },
        { "{'not':[]}", ARVO_E_INVALID, "/not: must be a schema" },
        { "{'if':1}", ARVO_E_INVALID, "/if: must be a schema" },
        { "{'else':1}", ARVO_E_INVALID, "/else: must be a schema" },
        { "{'$defs':{'a':{'type':'x'}}}", ARVO_E_INVALID, "/$defs/a/type: " },
        { "{'$defs':[]}", ARVO_E_INVALID, "/$defs: must be an object of schemas" },
        { "{'$ref':1}", ARVO_E_INVALID, "/$ref: must be a string" },
        { "{'$ref':'#/$defs/a'}", ARVO_E_INVALID, "/$ref: \"#/$defs/a\" is not there" },
        { "{'$ref':'#/title','title':'a'}", ARVO_E_INVALID, "is not a schema" },
        { "{'$ref':'http://example.com/a'}", ARVO_E_NOT_FOUND,
          "/$ref: \"http://example.com/a\" means \"http://example.com/a\", which is not there" },
        { "{'$id':'http://example.com/x/y','items':{'$ref':'../a#b'}}", ARVO_E_NOT_FOUND,
          "/items/$ref: \"../a#b\" means \"http://example.com/a\"" },
        { "{'$ref':'#anchor'}", ARVO_E_INVALID, "/$ref: \"#anchor\" is not there" },
        { "{'$dynamicRef':'#a'}", ARVO_E_INVALID, "/$dynamicRef: \"#a\" is not there" },
        { "{'$dynamicRef':1}", ARVO_E_INVALID, "/$dynamicRef: must be a string" },
        { "{'$anchor':'1'}", ARVO_E_INVALID, "/$anchor: must be a name" },
        { "{'$dynamicAnchor':''}", ARVO_E_INVALID, "/$dynamicAnchor: must be a name" },
        { "{'$anchor':'a','items':{'$dynamicAnchor':'a'}}", ARVO_E_INVALID,
          "/items/$dynamicAnchor: another part has the anchor \"a\" too" },
        { "{'$vocabulary':{'a':1}}", ARVO_E_INVALID, "/$vocabulary: must be an object of" },
        { "{'$defs':{'a':{'$id':'x'},'b':{'$id':'./x'}}}", ARVO_E_INVALID,
          "/$defs/b/$id: \"x\" is the $id of another part too" },
        { "{'unevaluatedProperties':1}", ARVO_E_INVALID,
          "/unevaluatedProperties: must be a schema" },
        { "{'unevaluatedItems':[]}", ARVO_E_INVALID, "/unevaluatedItems: must be a schema" },
        { "{'format':1}", ARVO_E_INVALID, "/format: must be a string" },
        { "{'$ref':'#'}", ARVO_E_INVALID, "refers to itself" },
        { "{'$defs':{'a':{'$ref':'#/$defs/b'},'b':{'allOf':[{'$ref':'#/$defs/a'}]}}}",
          ARVO_E_INVALID, "refers to itself without looking into the value" },
        { "{'not':{'if':{'$ref':'#'}}}", ARVO_E_INVALID, "refers to itself" },
        { "{'dependentSchemas':{'a':{'$ref':'#'}}}", ARVO_E_INVALID, "refers to itself" },
        { "{'title':1}", ARVO_E_INVALID, "/title: must be a string" },
        { "{'examples':1}", ARVO_E_INVALID, "/examples: must be an array" },
        { "{'deprecated':1}", ARVO_E_INVALID, "/deprecated: must be true or false" },
        { "{'$id':1}", ARVO_E_INVALID, "/$id: must be a string" },
        { "{'$id':'a#b'}", ARVO_E_INVALID, "/$id: must have no fragment" },
        { "{" DRAFT_7 ",'definitions':{'a':{'$id':'#?'}}}", ARVO_E_INVALID, "/$id: must be" },
        { "{'contentSchema':1}", ARVO_E_INVALID, "/contentSchema: must be a schema" },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_schema *schema = NULL;
        arvo_error err = { 0 };
        const arvo_status st = arvo_schema_compile(json(cases[i].schema), NULL, &schema, &err);
        if (st != cases[i].status || strstr(err.text, cases[i].message) == NULL)
            fail_msg(
                "%s\ngave %s: %s\nnot %s", cases[i].schema, arvo_status_name(st), err.text,
                cases[i].message);
        assert_null(schema);
    }
}

static void
test_schema__errors_name_the_place_in_the_document(void **state)
{
    (void)state;
    arvo_document_list list = { 0 };
    assert_int_equal(
        arvo_document_parse(
            ARVO_STR("c.yaml"),
            ARVO_STR("accepts:\n  type: object\n  properties:\n    a:\n      type: strin\n"), arena,
            &list, NULL),
        ARVO_OK);
    const arvo_schema_opts opts = { .document = &list.items[0], .pointer = ARVO_STR("/accepts") };
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    assert_int_equal(
        arvo_schema_compile(arvo_json_get(list.items[0].root, "accepts"), &opts, &schema, &err),
        ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "c.yaml:5: /accepts/properties/a/type: \"strin\" is not a"));
    assert_int_equal(err.line, 5);
}

/* ---- What is said --------------------------------------------------------- */

static void
test_schema__messages(void **state)
{
    static const struct {
        const char *schema, *value, *message;
    } cases[] = {
        { "{'type':'string'}", "12", "(root): expected string, got 12" },
        { "{'type':['string','null','integer']}", "true",
          "(root): expected null, integer or string, got true" },
        { "{'properties':{'a':{'type':'number'}}}", "{'a':'x'}", "/a: expected number, got \"x\"" },
        { "{'properties':{'a':{'items':{'type':'null'}}}}", "{'a':[null,1,[]]}",
          "/a/1: expected null, got 1; /a/2: expected null, got an array" },
        { "{'properties':{'a/b':{'type':'null'}}}", "{'a/b':1}", "/a~1b: expected null, got 1" },
        { "{'required':['a','b']}", "{}", "/a: is missing; /b: is missing" },
        { "{'properties':{'a':{'type':'string'}},'required':['a']}", "{}",
          "/a: is missing (expected string)" },
        { "{'properties':{'amount':true},'additionalProperties':false}", "{'amuont':1}",
          "/amuont: is an unknown key; did you mean \"amount\"?" },
        { "{'properties':{'amount':true},'additionalProperties':false}", "{'zzzzzz':1}",
          "/zzzzzz: is an unknown key" },
        { "{'enum':['a',1,null]}", "'b'", "(root): expected one of \"a\", 1, null, got \"b\"" },
        { "{'const':'a'}", "{}", "(root): expected \"a\", got an object" },
        { "{'minimum':5}", "4.5", "(root): expected a number at least 5, got 4.5" },
        { "{'exclusiveMaximum':5}", "5", "(root): expected a number less than 5, got 5" },
        { "{'minLength':3}", "'ab'", "(root): expected 3 characters at least, got 2" },
        { "{'maxItems':1}", "[1,2]", "(root): expected 1 items at most, got 2" },
        { "{'pattern':'^a$'}", "'b'", "(root): expected a string like /^a$/, got \"b\"" },
        { "{'uniqueItems':true}", "[1,2,1]",
          "(root): expected items without repetitions, got item 2 equal to 0" },
        { "{'anyOf':[{'type':'string'},{'type':'null'}]}", "1",
          "(root): expected null or string, got 1" },
        { "{'anyOf':[{'properties':{'k':{'const':'a'},'x':{'type':'string'}}},{'properties':{'k':"
          "{'const':'b'},'x':{'type':'number'}}}]}",
          "{'k':'b','x':'1'}",
          "(root): fits none of the 2 alternatives; nearest is number 1; /x: expected number, got "
          "\"1\"" },
        { "{'oneOf':[{'minimum':1},{'minimum':2}]}", "3",
          "(root): expected exactly one alternative, got both 0 and 1" },
        { "{'not':{'type':'null'}}", "null", "(root): null is what is not allowed here" },
        { "false", "1", "(root): nothing is allowed here" },
        { "{'type':'null'}", "'0123456789012345678901234567890123456789 and more'",
          "(root): expected null, got \"0123456789012345678901234567890123456789...\"" },
        { "{'dependentRequired':{'a':['b']}}", "{'a':1}",
          "(root): the key \"a\" needs \"b\" beside it" },
        { "{'propertyNames':{'maxLength':1}}", "{'ab':1}",
          "(root): the key \"ab\" is not allowed here" },
        { "{'contains':{'const':1}}", "[]", "(root): expected 1 fitting items at least, got 0" },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_schema *const schema = compile(cases[i].schema);
        arvo_error err = { 0 };
        assert_int_equal(
            arvo_schema_check(schema, json(cases[i].value), arena, NULL, &err), ARVO_E_INVALID);
        if (strcmp(err.text, cases[i].message) != 0)
            fail_msg("%s\nsaid: %s\n not: %s", cases[i].schema, err.text, cases[i].message);
        arvo_schema_free(schema);
    }
}

static void
test_schema__report(void **state)
{
    (void)state;
    arvo_schema *const schema =
        compile("{'properties':{'a':{'$ref':'#/$defs/n'}},'$defs':{'n':{'type':'integer'}}}");
    arvo_schema_report report = { 0 };
    assert_int_equal(
        arvo_schema_check(schema, json("{'a':'x'}"), arena, &report, NULL), ARVO_E_INVALID);
    assert_int_equal(report.count, 1);
    assert_false(report.more);
    assert_true(arvo_str_is(report.issues[0].path, "/a"));
    assert_true(arvo_str_is(report.issues[0].keyword, "type"));
    assert_true(arvo_str_is(report.issues[0].schema, "/$defs/n/type"));
    assert_true(arvo_str_is(report.issues[0].message, "expected integer, got \"x\""));
    assert_int_equal(arvo_schema_check(schema, json("{'a':1}"), arena, &report, NULL), ARVO_OK);
    assert_int_equal(report.count, 0);
    arvo_schema_free(schema);
}

static void
test_schema__report_is_bounded(void **state)
{
    (void)state;
    arvo_schema *const schema = compile("{'items':{'type':'null'}}");
    arvo_schema_report report = { 0 };
    arvo_error err = { 0 };
    assert_int_equal(
        arvo_schema_check(
            schema, json("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]"), arena, &report, &err),
        ARVO_E_INVALID);
    assert_int_equal(report.count, 16);
    assert_false(report.more);
    assert_int_equal(
        arvo_schema_check(
            schema, json("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]"), arena, &report, &err),
        ARVO_E_INVALID);
    assert_int_equal(report.count, ARVO_SCHEMA_ISSUES_MAX);
    assert_true(report.more);
    arvo_schema_free(schema);
}

/* ---- Hostile schemas and data --------------------------------------------- */

/* allOf of two references to the next level, 2^30 leaves. */
static void
test_schema__combinatorial_schema_stops(void **state)
{
    (void)state;
    arvo_buf text = ARVO_BUF_INIT(1 << 20);
    arvo_buf_printf(&text, "{'$ref':'#/$defs/d0','$defs':{");
    for (int i = 0; i < 30; i++)
        arvo_buf_printf(
            &text, "'d%d':{'allOf':[{'$ref':'#/$defs/d%d'},{'$ref':'#/$defs/d%d'}]},", i, i + 1,
            i + 1);
    arvo_buf_printf(&text, "'d30':{'type':'null'}}}");
    arvo_buf_append_char(&text, '\0');
    arvo_schema *const schema = compile(text.ptr);
    arvo_error err = { 0 };
    const arvo_json *out = NULL;
    assert_int_equal(arvo_schema_check(schema, json("null"), arena, NULL, &err), ARVO_E_TOO_BIG);
    assert_non_null(strstr(err.text, "more than 4000000 steps"));
    assert_int_equal(
        arvo_schema_normalise(schema, json("null"), arena, &out, &err), ARVO_E_TOO_BIG);
    assert_null(out);
    /* Refused at the first leaf; to list all leaves would take too long, and that is no error. */
    arvo_schema_report report = { 0 };
    assert_int_equal(arvo_schema_check(schema, json("1"), arena, &report, &err), ARVO_E_INVALID);
    assert_int_equal(report.count, ARVO_SCHEMA_ISSUES_MAX);
    assert_true(report.more);
    arvo_schema_free(schema);
    arvo_buf_fini(&text);
}

static void
test_schema__regex_that_backtracks_stops(void **state)
{
    (void)state;
    arvo_schema *const schema = compile("{'pattern':'^(a|aa)+\\\\1*$'}");
    arvo_error err = { 0 };
    assert_int_equal(
        arvo_schema_check(
            schema, json("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'"),
            arena, NULL, &err),
        ARVO_E_TOO_BIG);
    assert_non_null(strstr(err.text, "takes a regular expression too long"));
    arvo_schema_free(schema);
}

/* Each of these matches nearly meets its own bound; together they meet that of the check. */
static void
test_schema__regexes_spend_the_steps_of_the_check(void **state)
{
    (void)state;
    arvo_schema *const schema = compile("{'items':{'not':{'pattern':'^(a+)+[bc]$'}}}");
    arvo_json *const list = arvo_json_array_new(arena);
    for (size_t i = 0; i < 100000; i++)
        arvo_json_push(arena, list, json("'aaaaaaaaaaaaa'"));
    arvo_error err = { 0 };
    assert_int_equal(arvo_schema_check(schema, list, arena, NULL, &err), ARVO_E_TOO_BIG);
    assert_non_null(strstr(err.text, "steps"));
    arvo_schema_free(schema);
}

static void
test_schema__depth_is_bounded(void **state)
{
    (void)state;
    for (int depth = 126; depth <= 129; depth++) {
        arvo_buf text = ARVO_BUF_INIT(1 << 20);
        for (int i = 0; i < depth; i++)
            arvo_buf_printf(&text, "{'not':");
        arvo_buf_printf(&text, "true");
        for (int i = 0; i < depth; i++)
            arvo_buf_printf(&text, "}");
        arvo_buf_append_char(&text, '\0');
        arvo_schema *schema = NULL;
        arvo_error err = { 0 };
        const arvo_status st = arvo_schema_compile(json(text.ptr), NULL, &schema, &err);
        if (depth < (int)ARVO_SCHEMA_DEPTH_MAX) {
            assert_int_equal(st, ARVO_OK);
            assert_int_equal(
                arvo_schema_check(schema, json("1"), arena, NULL, NULL),
                depth % 2 == 0 ? ARVO_OK : ARVO_E_INVALID);
        } else {
            assert_int_equal(st, ARVO_E_TOO_BIG);
            assert_non_null(strstr(err.text, "nested deeper than 128"));
        }
        arvo_schema_free(schema);
        arvo_buf_fini(&text);
    }
}

static void
test_schema__chain_of_references_is_bounded(void **state)
{
    (void)state;
    arvo_buf text = ARVO_BUF_INIT(1 << 20);
    arvo_buf_printf(&text, "{'$ref':'#/$defs/d0','$defs':{");
    for (int i = 0; i < 500; i++)
        arvo_buf_printf(&text, "'d%d':{'$ref':'#/$defs/d%d'},", i, i + 1);
    arvo_buf_printf(&text, "'d500':{}}}");
    arvo_buf_append_char(&text, '\0');
    arvo_schema *schema = NULL;
    arvo_error err = { 0 };
    const arvo_status st = arvo_schema_compile(json(text.ptr), NULL, &schema, &err);
    /* Found while compiling or, where the search began from the other end, while checking. */
    if (st == ARVO_OK)
        assert_int_equal(arvo_schema_check(schema, json("1"), arena, NULL, &err), ARVO_E_TOO_BIG);
    else
        assert_int_equal(st, ARVO_E_TOO_BIG);
    arvo_schema_free(schema);
    arvo_buf_fini(&text);
}

static void
test_schema__deep_value_of_a_recursive_schema(void **state)
{
    (void)state;
    arvo_schema *const schema =
        compile("{'$ref':'#/$defs/t','$defs':{'t':{'allOf':[{'type':'array'}],'items':{'$ref':"
                "'#/$defs/t'}}}}");
    arvo_buf text = ARVO_BUF_INIT(1 << 20);
    for (int i = 0; i < 256; i++)
        arvo_buf_append_char(&text, '[');
    for (int i = 0; i < 256; i++)
        arvo_buf_append_char(&text, ']');
    arvo_buf_append_char(&text, '\0');
    assert_int_equal(arvo_schema_check(schema, json(text.ptr), arena, NULL, NULL), ARVO_OK);
    arvo_schema_free(schema);
    arvo_buf_fini(&text);
}

static void
test_schema__large_unique_array(void **state)
{
    (void)state;
    arvo_schema *const schema = compile("{'uniqueItems':true}");
    arvo_json *const array = arvo_json_array_new(arena);
    for (int i = 0; i < 100000; i++)
        arvo_json_push(arena, array, arvo_json_int(arena, i));
    assert_int_equal(arvo_schema_check(schema, array, arena, NULL, NULL), ARVO_OK);
    arvo_json_push(arena, array, arvo_json_int(arena, 77777));
    assert_int_equal(arvo_schema_check(schema, array, arena, NULL, NULL), ARVO_E_INVALID);
    arvo_schema_free(schema);
}

/* ---- Memory --------------------------------------------------------------- */

static void
test_schema__out_of_memory(void **state)
{
    (void)state;
    const arvo_json *const text = json(
        "{'properties':{'a':{'pattern':'^[a-z]+$','minLength':1},'b':{'enum':[1,'x'],'default':1},"
        "'c':{'$ref':'#/$defs/d'},'e':{'anyOf':[{'const':{'k':1}},{'type':'null'}]}},"
        "'patternProperties':{'^x':{'items':{'type':'string'},'uniqueItems':true}},"
        "'dependentRequired':{'a':['c']},'required':['a'],'$defs':{'d':{'contains':true,'if':true,"
        "'then':{'minItems':1}}}}");
    const arvo_json *const value = json("{'a':'abc','x':['1','2','3','4','5','6','7','8','9','10',"
                                        "'11','12','13'],'c':[1],'zz':1}");
    bool done = false;
    for (size_t n = 0; !done; n++) {
        failing f = { .left = n };
        const arvo_allocator allocator = { failing_alloc, failing_free, &f };
        const arvo_schema_opts opts = { .allocator = &allocator };
        arvo_schema *schema = NULL;
        arvo_error err = { 0 };
        arvo_arena *const scratch =
            arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 64 });
        const arvo_json *out = NULL;
        arvo_status st = arvo_schema_compile(text, &opts, &schema, &err);
        if (st == ARVO_OK)
            st = scratch != NULL ? arvo_schema_normalise(schema, value, scratch, &out, &err)
                                 : ARVO_E_NOMEM;
        if (st != ARVO_OK && st != ARVO_E_NOMEM)
            fail_msg("allocation %zu: %s %s", n, arvo_status_name(st), err.text);
        assert_int_equal(out != NULL, st == ARVO_OK);
        done = st == ARVO_OK;
        arvo_schema_free(schema);
        arvo_arena_free(scratch);
        assert_int_equal(f.live, 0);
        assert_true(n < 2000);
    }
}

static void
test_schema__report_out_of_memory(void **state)
{
    (void)state;
    arvo_schema *const schema = compile("{'items':{'enum':['a','b']}}");
    const arvo_json *const value = json("['c','d']");
    bool done = false;
    for (size_t n = 1; !done; n++) {
        failing f = { .left = n };
        const arvo_allocator allocator = { failing_alloc, failing_free, &f };
        arvo_arena *const scratch =
            arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 64 });
        arvo_schema_report report = { 0 };
        arvo_error err = { 0 };
        const arvo_status st = scratch != NULL
                                   ? arvo_schema_check(schema, value, scratch, &report, &err)
                                   : ARVO_E_NOMEM;
        assert_true(st == ARVO_E_INVALID || st == ARVO_E_NOMEM);
        done = st == ARVO_E_INVALID && report.count == 2;
        arvo_arena_free(scratch);
        assert_int_equal(f.live, 0);
        assert_true(n < 200);
    }
    arvo_schema_free(schema);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_schema__keywords, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema__no_value_is_null, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema__many_properties, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema__refused_schemas, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_schema__errors_name_the_place_in_the_document, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema__messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema__report, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema__report_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema__combinatorial_schema_stops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema__regex_that_backtracks_stops, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_schema__regexes_spend_the_steps_of_the_check, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema__depth_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_schema__chain_of_references_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_schema__deep_value_of_a_recursive_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema__large_unique_array, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema__out_of_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema__report_out_of_memory, setup, teardown),
    };
    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
