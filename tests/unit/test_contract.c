/* Contract documents and sets. */

#include "schema_helpers.h"

#define OBJECT "{'type':'object'}"

static arvo_contracts *contracts;

static int
contracts_setup(void **state)
{
    contracts = arvo_contracts_new(NULL);
    return contracts != NULL ? setup(state) : -1;
}

static int
contracts_teardown(void **state)
{
    arvo_contracts_unref(contracts);
    return teardown(state);
}

static const arvo_contract *
add(const char *text)
{
    const arvo_contract *contract = NULL;
    arvo_error err = { 0 };
    const char *const source = text_of(json(text));
    arvo_str copy = arvo_arena_str_dup(arena, arvo_str_from(source));
    char *const quoted = arvo_arena_alloc(arena, copy.len);
    for (size_t i = 0; i < copy.len; i++)
        quoted[i] = copy.ptr[i] == '\'' ? '"' : copy.ptr[i];
    if (arvo_contracts_add_text(contracts, (arvo_str){ quoted, copy.len }, &contract, &err) !=
        ARVO_OK)
        fail_msg("%s: %s", text, err.text);
    return contract;
}

static bool
is(arvo_str text, const char *expected)
{
    return arvo_str_is(text, expected);
}

/* ---- kind: contract ------------------------------------------------------- */

static const char payment[] =
    "{'kind':'contract','uri':'#/services/payment','type':'com.payment.charge','description':"
    "'Charges.','domain':'external','metadata':{'team':'billing'},'versions':{'1.10.0':{'accepts':"
    "{'type':'object','properties':{'orderId':{'type':'string'},'amount':{'type':'number'}},"
    "'required':['orderId','amount']},'emits':{'evt.payment.charge.success':{'type':'object',"
    "'properties':{'paymentId':{'type':'string'}},'required':['paymentId']},"
    "'evt.payment.charge.refused':" OBJECT "}},'1.2.0':{'accepts':" OBJECT ",'emits':{}},"
    "'1.9.9':{'accepts':true}}}";

static void
test_contract__service(void **state)
{
    (void)state;
    const arvo_contract *const contract = add(payment);
    assert_true(is(arvo_contract_uri(contract), "#/services/payment"));
    assert_true(is(arvo_contract_type(contract), "com.payment.charge"));
    assert_true(is(arvo_contract_description(contract), "Charges."));
    assert_true(is(arvo_contract_domain(contract), "external"));
    assert_false(arvo_contract_is_orchestrator(contract));
    assert_string_equal(text_of(arvo_contract_metadata(contract)), "{'team':'billing'}");
    assert_int_equal(arvo_contract_version_count(contract), 3);
    assert_null(arvo_contract_version_at(contract, 3));

    const arvo_contract_version *const version = arvo_contract_version_at(contract, 0);
    assert_ptr_equal(version->contract, contract);
    assert_true(is(version->uri, "#/services/payment"));
    assert_true(is(version->version, "1.10.0"));
    assert_true(is(version->dataschema, "#/services/payment/1.10.0"));
    assert_false(version->is_orchestrator);
    assert_true(is(version->accepts.type, "com.payment.charge"));
    assert_non_null(arvo_json_get(version->accepts.schema_json, "properties"));
    assert_int_equal(
        arvo_schema_check(version->accepts.schema, json("{}"), arena, NULL, NULL), ARVO_E_INVALID);
    assert_int_equal(version->emit_count, 2);
    assert_true(is(version->emits[0].type, "evt.payment.charge.success"));
    assert_true(is(version->emits[1].type, "evt.payment.charge.refused"));
    assert_true(is(version->system_error.type, "sys.com.payment.charge.error"));
    assert_true(is(version->system_error_dataschema, "#/services/payment/0.0.0"));
    assert_int_equal(
        arvo_schema_check(
            version->system_error.schema,
            json("{'errorName':'a','errorMessage':'b','errorStack':null}"), arena, NULL, NULL),
        ARVO_OK);
    assert_int_equal(
        arvo_schema_check(
            version->system_error.schema, json("{'errorName':'a','errorMessage':'b'}"), arena, NULL,
            NULL),
        ARVO_E_INVALID);
    assert_int_equal(arvo_contract_version_at(contract, 1)->emit_count, 0);
    assert_int_equal(arvo_contract_version_at(contract, 2)->emit_count, 0);
}

static void
test_contract__emit_find(void **state)
{
    (void)state;
    const arvo_contract_version *const version = arvo_contract_version_at(add(payment), 0);
    assert_ptr_equal(
        arvo_contract_version_emit_find(version, ARVO_STR("evt.payment.charge.refused")),
        &version->emits[1]);
    assert_ptr_equal(
        arvo_contract_version_emit_find(version, ARVO_STR("sys.com.payment.charge.error")),
        &version->system_error);
    assert_null(arvo_contract_version_emit_find(version, ARVO_STR("com.payment.charge")));
    assert_null(arvo_contract_version_emit_find(version, ARVO_STR_NONE));
}

static void
test_contract__version_find(void **state)
{
    static const struct {
        const char *asked, *found; /* NULL: none */
    } cases[] = {
        { "latest", "1.10.0" }, { "any", "1.10.0" }, { "oldest", "1.2.0" }, { "1.9.9", "1.9.9" },
        { "1.2.0", "1.2.0" },   { "0.0.0", NULL },   { "2.0.0", NULL },     { "", NULL },
        { "1.2", NULL },        { "LATEST", NULL },
    };
    (void)state;
    const arvo_contract *const contract = add(payment);
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const arvo_contract_version *const found =
            arvo_contract_version_find(contract, arvo_str_from(cases[i].asked));
        assert_int_equal(found != NULL, cases[i].found != NULL);
        if (found != NULL)
            assert_true(is(found->version, cases[i].found));
    }
}

static void
test_contract__defaults(void **state)
{
    (void)state;
    const arvo_contract *const contract =
        add("{'kind':'contract','uri':'#/a','type':'com.a.b','description':null,'domain':null,"
            "'metadata':null,'versions':{'1.0.0':{'accepts':{}}}}");
    assert_null(arvo_contract_description(contract).ptr);
    assert_null(arvo_contract_domain(contract).ptr);
    assert_string_equal(text_of(arvo_contract_metadata(contract)), "{}");
}

/* ---- kind: orchestrator-contract ------------------------------------------ */

static void
test_contract__orchestrator(void **state)
{
    (void)state;
    const arvo_contract *const contract =
        add("{'kind':'orchestrator-contract','uri':'#/o/order','name':'order.main','metadata':"
            "{'x':1,'rootType':'mine'},'versions':{'1.0.0':{'init':{'type':'object','properties':"
            "{'id':{'type':'string'}},'required':['id']},'complete':{'type':'object','properties':"
            "{'ok':{'type':'boolean'}}}}}}");
    assert_true(arvo_contract_is_orchestrator(contract));
    assert_true(is(arvo_contract_type(contract), "arvo.orc.order.main"));
    assert_string_equal(
        text_of(arvo_contract_metadata(contract)),
        "{'x':1,'rootType':'order.main','contractType':'ArvoOrchestratorContract',"
        "'completeEventType':'arvo.orc.order.main.done','initEventType':'arvo.orc.order.main'}");
    const arvo_contract_version *const version = arvo_contract_version_at(contract, 0);
    assert_true(version->is_orchestrator);
    assert_true(is(version->accepts.type, "arvo.orc.order.main"));
    assert_int_equal(version->emit_count, 1);
    assert_true(is(version->emits[0].type, "arvo.orc.order.main.done"));
    assert_true(is(version->system_error.type, "sys.arvo.orc.order.main.error"));
    assert_string_equal(
        text_of(version->accepts.schema_json),
        "{'type':'object','properties':{'parentSubject$$':{'type':['string','null'],'minLength':1},"
        "'id':{'type':'string'}},'required':['parentSubject$$','id']}");

    static const struct {
        const char *data;
        arvo_status status;
    } cases[] = {
        { "{'parentSubject$$':null,'id':'1'}", ARVO_OK },
        { "{'parentSubject$$':'s','id':'1'}", ARVO_OK },
        { "{'parentSubject$$':'','id':'1'}", ARVO_E_INVALID },
        { "{'id':'1'}", ARVO_E_INVALID },
        { "{'parentSubject$$':1,'id':'1'}", ARVO_E_INVALID },
        { "{'parentSubject$$':null}", ARVO_E_INVALID },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        assert_int_equal(
            arvo_schema_check(version->accepts.schema, json(cases[i].data), arena, NULL, NULL),
            cases[i].status);
}

static const arvo_json *
init_normalised(const char *init, const char *data)
{
    static unsigned number; /* one contract each */
    number++;
    char text[1024];
    (void)snprintf(
        text, sizeof(text),
        "{'kind':'orchestrator-contract','uri':'#/o/order%u','name':'order%u','versions':{'1.0.0':"
        "{'init':%s,'complete':" OBJECT "}}}",
        number, number, init);
    const arvo_contract_version *const version = arvo_contract_version_at(add(text), 0);
    const arvo_json *out = NULL;
    arvo_error err = { 0 };
    if (arvo_schema_normalise(version->accepts.schema, json(data), arena, &out, &err) != ARVO_OK)
        fail_msg("%s: %s", init, err.text);
    return out;
}

static void
test_contract__init_with_own_parent_subject(void **state)
{
    (void)state;
    assert_string_equal(
        text_of(init_normalised(
            "{'type':'object','properties':{'a':true,'parentSubject$$':{'type':'null'}}}",
            "{'z':1,'a':2}")),
        "{'a':2}");
}

static void
test_contract__init_without_properties_keeps_all(void **state)
{
    (void)state;
    assert_string_equal(
        text_of(init_normalised(OBJECT, "{'z':1,'parentSubject$$':null}")),
        "{'parentSubject$$':null,'z':1}");
}

/* An event's data is an object whether the schema says so or not. */
static void
test_contract__init_needs_no_type(void **state)
{
    (void)state;
    assert_string_equal(
        text_of(init_normalised(
            "{'properties':{'a':{'default':1}}}", "{'z':1,'parentSubject$$':null}")),
        "{'parentSubject$$':null,'a':1}");
    assert_string_equal(
        text_of(init_normalised("{}", "{'z':1,'parentSubject$$':null}")),
        "{'parentSubject$$':null,'z':1}");
    assert_string_equal(
        text_of(init_normalised(
            "{'$ref':'#/$defs/i','$defs':{'i':{'properties':{'a':{'default':1}}}}}",
            "{'z':1,'parentSubject$$':null}")),
        "{'parentSubject$$':null,'a':1}");
}

static void
test_contract__init_by_reference(void **state)
{
    (void)state;
    assert_string_equal(
        text_of(init_normalised(
            "{'type':'object','$ref':'#/$defs/i','$defs':{'i':{'properties':{'a':{'default':1}}}}}",
            "{'z':1,'parentSubject$$':null}")),
        "{'parentSubject$$':null,'a':1}");
}

/* In draft-07 nothing counts beside a $ref, so the reference moves aside. */
static void
test_contract__init_by_reference_in_draft_7(void **state)
{
    (void)state;
    assert_string_equal(
        text_of(init_normalised(
            "{'$schema':'http://json-schema.org/draft-07/schema#','type':'object','$ref':"
            "'#/definitions/i','definitions':{'i':{'properties':{'a':{'default':1}}}}}",
            "{'z':1,'parentSubject$$':null}")),
        "{'parentSubject$$':null,'a':1}");
}

/* ---- arvo-core's exported form -------------------------------------------- */

#define EXPORTED_SCHEMA                                                                            \
    "{'type':'object','properties':{'a':{'type':'number'}},'required':['a'],"                      \
    "'additionalProperties':false,'$schema':'http://json-schema.org/draft-07/schema#'}"
#define EXPORTED_ERROR "{'type':'sys.com.a.b.error','schema':" EXPORTED_SCHEMA "}"

static void
test_contract__exported(void **state)
{
    (void)state;
    const arvo_contract *const contract = add(
        "{'uri':'#/x','description':null,'metadata':{},'versions':[{'version':'1.0.0',"
        "'accepts':{'type':'com.a.b','schema':" EXPORTED_SCHEMA "},'systemError':" EXPORTED_ERROR
        ",'emits':[{'type':'evt.a.b','schema':" EXPORTED_SCHEMA "}],'metadata':{}},"
        "{'version':'2.0.0','accepts':{'type':'com.a.b','schema':" EXPORTED_SCHEMA "},"
        "'systemError':" EXPORTED_ERROR ",'emits':[]}]}");
    assert_true(is(arvo_contract_type(contract), "com.a.b"));
    assert_int_equal(arvo_contract_version_count(contract), 2);
    const arvo_contract_version *const version =
        arvo_contract_version_find(contract, ARVO_STR("1.0.0"));
    assert_int_equal(version->emit_count, 1);
    const arvo_json *out = NULL;
    assert_int_equal(
        arvo_schema_normalise(version->accepts.schema, json("{'b':1,'a':2}"), arena, &out, NULL),
        ARVO_OK);
    assert_string_equal(text_of(out), "{'a':2}");
    assert_true(is(arvo_contract_version_find(contract, ARVO_STR("latest"))->version, "2.0.0"));
}

static void
test_contract__exported_version(void **state)
{
    (void)state;
    const arvo_contract *const contract =
        add("{'uri':'#/x','description':'d','version':'1.2.3','metadata':{'m':1},'accepts':{'type':"
            "'com.a.b','schema':" EXPORTED_SCHEMA "},'systemError':" EXPORTED_ERROR ",'emits':[]}");
    assert_true(is(arvo_contract_version_at(contract, 0)->version, "1.2.3"));
    assert_true(is(arvo_contract_description(contract), "d"));
}

static void
test_contract__exported_orchestrator(void **state)
{
    (void)state;
    const arvo_contract *const contract = add(
        "{'uri':'#/x','description':null,'metadata':{'contractType':"
        "'ArvoOrchestratorContract','rootType':'order'},'versions':[{'version':'1.0.0',"
        "'accepts':{'type':'arvo.orc.order','schema':" EXPORTED_SCHEMA
        "},'systemError':" EXPORTED_ERROR
        ",'emits':[{'type':'arvo.orc.order.done','schema':" EXPORTED_SCHEMA "}],'metadata':{}}]}");
    assert_true(arvo_contract_is_orchestrator(contract));
    assert_true(is(arvo_contract_version_at(contract, 0)->emits[0].type, "arvo.orc.order.done"));
}

/* ---- Wrong documents ------------------------------------------------------ */

static void
refused(const char *yaml, arvo_status status, const char *message)
{
    arvo_document_list list = { 0 };
    arvo_error err = { 0 };
    assert_int_equal(
        arvo_document_parse(ARVO_STR("c.yaml"), arvo_str_from(yaml), arena, &list, &err), ARVO_OK);
    const arvo_contract *contract = NULL;
    const size_t count = arvo_contracts_count(contracts);
    const arvo_status st = arvo_contracts_add(contracts, &list.items[0], &contract, &err);
    if (st != status || strstr(err.text, message) == NULL)
        fail_msg("%s\ngave %s: %s\nnot %s", yaml, arvo_status_name(st), err.text, message);
    assert_null(contract);
    assert_int_equal(arvo_contracts_count(contracts), count);
}

#define SERVICE_HEAD "kind: contract\nuri: '#/a'\ntype: com.a.b\n"
#define VERSIONS     "versions: { 1.0.0: { accepts: {}, emits: {} } }\n"
#define ORC_HEAD     "kind: orchestrator-contract\nuri: '#/a'\nname: order\n"

static void
test_contract__refused(void **state)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        { "1", "c.yaml:1: a contract must be an object" },
        { "a: 1", "c.yaml:1: \"kind\" is missing" },
        { "kind: machine", "c.yaml:1: /kind: not the kind of a contract" },
        { "kind: 1", "/kind: not the kind" },
        { SERVICE_HEAD VERSIONS "tpye: x\n",
          "c.yaml:5: /tpye: unknown key; did you mean \"type\"?" },
        { SERVICE_HEAD VERSIONS "x/y: x\n", "c.yaml:5: /x~1y: unknown key" },
        { "kind: contract\ntype: com.a.b\n" VERSIONS, "\"uri\" is missing" },
        { "kind: contract\nuri: ''\ntype: com.a.b\n" VERSIONS, "/uri: \"\" is not a URI" },
        { "kind: contract\nuri: a b\ntype: com.a.b\n" VERSIONS, "c.yaml:2: /uri: \"a b\" is not" },
        { "kind: contract\nuri: 1\ntype: com.a.b\n" VERSIONS, "/uri: must be a string" },
        { "kind: contract\nuri: a\n" VERSIONS, "\"type\" is missing" },
        { "kind: contract\nuri: a\ntype: com.B.c\n" VERSIONS,
          "/type: \"com.B.c\" is not an event" },
        { "kind: contract\nuri: a\ntype: com.b\n" VERSIONS, "is not an event type" },
        { "kind: contract\nuri: a\ntype: arvo.orc.x\n" VERSIONS,
          "/type: in contract (uri=a), the 'accepts' event (type=arvo.orc.x) must not start with" },
        { SERVICE_HEAD "description: 1\n" VERSIONS, "/description: must be a string or null" },
        { SERVICE_HEAD "domain: A\n" VERSIONS, "/domain: \"A\" is not a domain" },
        { SERVICE_HEAD "domain: all\n" VERSIONS, "/domain: \"all\" is not a domain" },
        { SERVICE_HEAD "metadata: []\n" VERSIONS, "/metadata: must be an object" },
        { SERVICE_HEAD, "\"versions\" is missing" },
        { SERVICE_HEAD "versions: []\n", "/versions: must be an object" },
        { SERVICE_HEAD "versions: {}\n",
          "an ArvoContract (uri=#/a) must have at least one version" },
        { SERVICE_HEAD "versions: { '1.0': { accepts: {} } }\n",
          "/versions/1.0: \"1.0\" is not a" },
        { SERVICE_HEAD "versions: { v1: { accepts: {} } }\n", "is not a version" },
        { SERVICE_HEAD "versions: { 0.0.0: { accepts: {} } }\n",
          "for contract (uri=#/a), the version cannot be '0.0.0'" },
        { SERVICE_HEAD "versions: { 1.0.0: 1 }\n", "/versions/1.0.0: must be an object" },
        { SERVICE_HEAD "versions: { 1.0.0: {} }\n", "/versions/1.0.0: \"accepts\" is missing" },
        { SERVICE_HEAD "versions: { 1.0.0: { accepts: {}, emit: {} } }\n",
          "/versions/1.0.0/emit: unknown key; did you mean \"emits\"?" },
        { SERVICE_HEAD "versions: { 1.0.0: { accepts: {}, emits: [] } }\n",
          "/versions/1.0.0/emits: must be an object" },
        { SERVICE_HEAD "versions: { 1.0.0: { accepts: {}, emits: { a.b: {} } } }\n",
          "/versions/1.0.0/emits/a.b: \"a.b\" is not an event type" },
        { SERVICE_HEAD "versions: { 1.0.0: { accepts: {}, emits: { arvo.orc.x.y: {} } } }\n",
          "the 'emits' event (type=arvo.orc.x.y) must not start with 'arvo.orc.'" },
        { SERVICE_HEAD
          "versions:\n  1.0.0:\n    accepts:\n      properties:\n        a: { type: x }\n",
          "c.yaml:8: /versions/1.0.0/accepts/properties/a/type: \"x\" is not a type" },
        { SERVICE_HEAD "versions: { 1.0.0: { accepts: 1 } }\n",
          "/versions/1.0.0/accepts: must be a schema" },
        { SERVICE_HEAD "versions: { 1.0.0: { accepts: {}, emits: { a.b.c: 1 } } }\n",
          "/versions/1.0.0/emits/a.b.c: must be a schema" },
        { ORC_HEAD "type: a.b.c\n" VERSIONS, "/type: unknown key" },
        { "kind: orchestrator-contract\nuri: a\nname: A\n" VERSIONS,
          "/name: invalid 'name' = 'A'" },
        { "kind: orchestrator-contract\nuri: a\nname: ''\n" VERSIONS, "/name: invalid 'name'" },
        { "kind: orchestrator-contract\nuri: a\nname: a..b\n" VERSIONS,
          "/name: \"arvo.orc.a..b\"" },
        { "kind: orchestrator-contract\nuri: a\nname: .a\n" VERSIONS, "is not an event type" },
        { "kind: orchestrator-contract\nuri: a\n" VERSIONS, "\"name\" is missing" },
        { ORC_HEAD "versions: { 1.0.0: { init: { type: object } } }\n", "\"complete\" is missing" },
        { ORC_HEAD "versions: { 1.0.0: { complete: { type: object } } }\n", "\"init\" is missing" },
        { ORC_HEAD "versions: { 1.0.0: { init: true, complete: { type: object } } }\n",
          "/versions/1.0.0/init: must be a schema with type: object" },
        { ORC_HEAD "versions: { 1.0.0: { init: { type: object }, complete: { type: array } } }\n",
          "/versions/1.0.0/complete: must be a schema with type: object" },
        { ORC_HEAD "versions: { 1.0.0: { init: { type: object }, complete: { type: object }, "
                   "emits: {} } }\n",
          "/versions/1.0.0/emits: unknown key" },
        { "uri: a\nversions: []\n", "must have at least one version" },
        { "uri: a\nversions: [ 1 ]\n", "/versions/0: \"version\" is missing" },
        { "uri: a\nversions: [ { version: 1.0.0 } ]\n",
          "/versions/0/accepts: \"type\" is missing" },
        { "uri: a\nversions: [ { version: x } ]\n", "/versions/0/version: \"x\" is not a version" },
        { "uri: a\nversions: [ { version: 1.0.0, accepts: { type: a.b.c } } ]\n",
          "/versions/0/accepts: \"schema\" is missing" },
        { "uri: a\nversions: [ { version: 1.0.0, accepts: { type: a.b.c, schema: {} } } ]\n",
          "/versions/0/emits: must be an array" },
        { "uri: a\nversions: [ { version: 1.0.0, accepts: { type: a.b.c, schema: {} }, emits: [] "
          "}, "
          "{ version: 1.0.0, accepts: { type: a.b.c, schema: {} }, emits: [] } ]\n",
          "/versions/1: version 1.0.0 is given twice" },
        { "uri: a\nversions: [ { version: 1.0.0, accepts: { type: a.b.c, schema: {} }, emits: [] "
          "}, "
          "{ version: 2.0.0, accepts: { type: a.b.d, schema: {} }, emits: [] } ]\n",
          "/versions/1/accepts/type: every version must accept the same type, \"a.b.c\"" },
        { "uri: a\nversions: [ { version: 1.0.0, accepts: { type: a.b.c, schema: {} }, emits: [ { "
          "type: e.f.g, schema: {} }, { type: e.f.g, schema: {} } ] } ]\n",
          "/versions/0/emits/1: \"e.f.g\" is given twice" },
        { "uri: a\nversion: 1.0.0\naccepts: { type: arvo.orc.a, schema: {} }\nemits: []\n",
          "/accepts/type: in contract (uri=a), the 'accepts' event" },
        { "uri: a\nmetadata: { contractType: ArvoOrchestratorContract }\nversion: 1.0.0\n"
          "accepts: { type: arvo.orc.a, schema: {} }\nemits: []\n",
          "/emits: an orchestrator emits its completion and no other" },
    };
    (void)state;
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        refused(cases[i].yaml, ARVO_E_INVALID, cases[i].message);
    refused(
        SERVICE_HEAD "versions: { 1.0.0: { accepts: { type: 1 } } }\n", ARVO_E_INVALID,
        "/versions/1.0.0/accepts/type: must be the name of a type");
    (void)add(payment); /* the set is sound after all that */
}

/* The reserved prefix ends with its dot (D27). */
static void
test_contract__orchard_is_not_reserved(void **state)
{
    (void)state;
    (void)add("{'kind':'contract','uri':'#/t','type':'arvo.orchard.x','versions':{'1.0.0':"
              "{'accepts':{},'emits':{'arvo.orchard.y':{}}}}}");
}

static void
test_contract__text_that_is_not_json(void **state)
{
    (void)state;
    arvo_error err = { 0 };
    const arvo_contract *contract = NULL;
    assert_int_equal(
        arvo_contracts_add_text(contracts, ARVO_STR("{"), &contract, &err), ARVO_E_MALFORMED);
    assert_int_equal(
        arvo_contracts_add_text(contracts, ARVO_STR("{\"kind\":1}"), &contract, &err),
        ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "/kind: not the kind of a contract"));
    assert_null(contract);
}

/* ---- Sets ----------------------------------------------------------------- */

static void
test_contract__set_lookups(void **state)
{
    (void)state;
    assert_int_equal(arvo_contracts_count(contracts), 0);
    assert_null(arvo_contracts_find(contracts, ARVO_STR("#/s/1")));
    assert_null(arvo_contracts_find_type(contracts, ARVO_STR("com.s.n1")));
    for (int i = 0; i < 100; i++) {
        char text[256];
        (void)snprintf(
            text, sizeof(text),
            "{'kind':'contract','uri':'#/s/%d','type':'com.s.n%d','versions':{'1.0.0':{'accepts':"
            "{}}}}",
            i, i);
        const arvo_contract *const made = add(text);
        assert_ptr_equal(arvo_contracts_at(contracts, (size_t)i), made);
    }
    assert_int_equal(arvo_contracts_count(contracts), 100);
    assert_null(arvo_contracts_at(contracts, 100));
    for (size_t i = 0; i < 100; i++) {
        const arvo_contract *const contract = arvo_contracts_at(contracts, i);
        assert_ptr_equal(arvo_contracts_find(contracts, arvo_contract_uri(contract)), contract);
        assert_ptr_equal(
            arvo_contracts_find_type(contracts, arvo_contract_type(contract)), contract);
    }
    assert_null(arvo_contracts_find(contracts, ARVO_STR("#/s/100")));
    assert_null(arvo_contracts_find_type(contracts, ARVO_STR("#/s/1")));
}

static void
test_contract__duplicates(void **state)
{
    (void)state;
    (void)add(payment);
    refused(
        "kind: contract\nuri: '#/services/payment'\ntype: com.other.x\n" VERSIONS, ARVO_E_EXISTS,
        "c.yaml:2: /uri: there is a contract with the uri \"#/services/payment\" already");
    refused(
        "kind: contract\nuri: '#/other'\ntype: com.payment.charge\n" VERSIONS, ARVO_E_EXISTS,
        "c.yaml:3: /type: the contract \"#/services/payment\" accepts \"com.payment.charge\"");
    assert_int_equal(arvo_contracts_count(contracts), 1);
}

static void
test_contract__many_versions(void **state)
{
    (void)state;
    for (size_t count = ARVO_CONTRACT_VERSIONS_MAX; count <= ARVO_CONTRACT_VERSIONS_MAX + 1;
         count++) {
        arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
        arvo_buf_printf(
            &text,
            "{\"kind\":\"contract\",\"uri\":\"#/%zu\",\"type\":\"com.a.n%zu\",\"versions\":{",
            count, count);
        for (size_t i = 1; i <= count; i++)
            arvo_buf_printf(&text, "%s\"1.0.%zu\":{\"accepts\":{}}", i > 1 ? "," : "", i);
        arvo_buf_printf(&text, "}}");
        const arvo_contract *contract = NULL;
        const arvo_status st =
            arvo_contracts_add_text(contracts, arvo_buf_str(&text), &contract, NULL);
        arvo_buf_fini(&text);
        assert_int_equal(st, count > ARVO_CONTRACT_VERSIONS_MAX ? ARVO_E_TOO_BIG : ARVO_OK);
        if (st == ARVO_OK)
            assert_true(
                is(arvo_contract_version_find(contract, ARVO_STR("latest"))->version, "1.0.10000"));
    }
}

static void
test_contract__references(void **state)
{
    (void)state;
    const arvo_contract *const contract = add(payment);
    assert_ptr_equal(arvo_contracts_ref(contracts), contracts);
    arvo_contracts_unref(contracts);
    assert_true(is(arvo_contract_uri(contract), "#/services/payment"));
    arvo_contracts_unref(NULL);
}

/* ---- Other documents ---- */

static arvo_status
shop_find(void *self, arvo_str uri, const arvo_json **out, arvo_error *err)
{
    static const struct {
        const char *uri, *text;
    } documents[] = {
        { "https://shop.example/a%2Fb",
          "{'$id':'https://shop.example/a%2Fb','properties':{'n':{'$ref':'#/$defs/n'},'next':{"
          "'$ref':'#'},'code':{'$ref':'codes'},'$ref':{'const':{'$ref':'x'}}},'$defs':{'n':{"
          "'type':'integer','default':7}}}" },
        { "https://shop.example/codes", "{'enum':['A','B'],'default':'A'}" },
        { "https://shop.example/seven",
          "{'$schema':'http://json-schema.org/draft-07/schema#','type':'integer'}" },
        { "https://shop.example/anchors", "{'$ref':'#m','$defs':{'m':{'$anchor':'m',"
                                          "'type':'integer'}}}" },
        { "https://shop.example/note", "{'type':'a note'}" },
    };
    (void)err;
    ++*(size_t *)self;
    for (size_t i = 0; i < ARVO_COUNT_OF(documents); i++)
        if (arvo_str_is(uri, documents[i].uri)) {
            *out = json(documents[i].text);
            return ARVO_OK;
        }
    return ARVO_E_NOT_FOUND;
}

#define REFERRING(ref)                                                                             \
    "{'kind':'contract','uri':'#/s','type':'com.a.b','versions':{'1.0.0':{'accepts':{'type':"      \
    "'object','properties':{'a':{'$ref':'" ref "'}},'$defs':{'own':true}}}}}"

static void
test_contract__documents_elsewhere(void **state)
{
    (void)state;
    size_t calls = 0;
    arvo_contracts_find_from(contracts, shop_find, &calls);
    const arvo_contract *const contract = add(REFERRING("https://shop.example/a%2Fb"));
    arvo_contracts_find_from(contracts, NULL, NULL);
    assert_true(calls > 0);
    const arvo_event_rule *const rule = &arvo_contract_version_at(contract, 0)->accepts;
    assert_string_equal(
        text_of(rule->schema_json),
        text_of(json(
            "{'type':'object','properties':{'a':{'$ref':'#/$defs/https:~1~1shop.example~1a%252Fb'}"
            "},'$defs':{'own':true,'https://shop.example/a%2Fb':{'properties':{'n':{'$ref':"
            "'#/$defs/https:~1~1shop.example~1a%252Fb/$defs/n'},'next':{'$ref':"
            "'#/$defs/https:~1~1shop.example~1a%252Fb'},'code':{'$ref':"
            "'#/$defs/https:~1~1shop.example~1codes'},'$ref':{'const':{'$ref':'x'}}},'$defs':{'n':"
            "{'type':'integer','default':7}}},'https://shop.example/codes':{'enum':['A','B'],"
            "'default':'A'}}}")));

    /* It stands alone, and says the same. */
    arvo_schema *alone = NULL;
    assert_int_equal(arvo_schema_compile(rule->schema_json, NULL, &alone, NULL), ARVO_OK);
    const arvo_schema *const both[] = { rule->schema, alone };
    for (size_t i = 0; i < ARVO_COUNT_OF(both); i++) {
        const arvo_json *out = NULL;
        assert_int_equal(
            arvo_schema_normalise(
                both[i], json("{'a':{'next':{'code':'B','x':1}}}"), arena, &out, NULL),
            ARVO_OK);
        assert_string_equal(text_of(out), "{'a':{'n':7,'next':{'n':7,'code':'B'},'code':'A'}}");
        assert_int_equal(
            arvo_schema_check(both[i], json("{'a':{'code':'C'}}"), arena, NULL, NULL),
            ARVO_E_INVALID);
    }
    arvo_schema_free(alone);
}

static void
test_contract__documents_that_stay_elsewhere(void **state)
{
    (void)state;
    static const char *const cases[] = { REFERRING("https://shop.example/seven"),
                                         REFERRING("https://shop.example/anchors"),
                                         REFERRING("#/$defs/own"),
                                         /* Under a misspelt keyword, and to what is no schema. */
                                         "{'kind':'contract','uri':'#/s','type':'com.a.b',"
                                         "'versions':{'1.0.0':{'accepts':{'type':'object',"
                                         "'Properties':{'a':{'$ref':'https://shop.example/"
                                         "note'}}}}}}" };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        size_t calls = 0;
        arvo_contracts *const set = arvo_contracts_new(NULL);
        arvo_contracts_find_from(set, shop_find, &calls);
        const arvo_json *const text = json(cases[i]);
        const arvo_document document = { .root = text, .file = ARVO_STR("-") };
        const arvo_contract *contract = NULL;
        arvo_error err = { 0 };
        if (arvo_contracts_add(set, &document, &contract, &err) != ARVO_OK)
            fail_msg("%s: %s", cases[i], err.text);
        const arvo_json *const accepts =
            arvo_json_get(arvo_json_get(arvo_json_get(text, "versions"), "1.0.0"), "accepts");
        const arvo_event_rule *const rule = &arvo_contract_version_at(contract, 0)->accepts;
        assert_true(arvo_json_equal(rule->schema_json, accepts));
        assert_int_equal(
            arvo_schema_check(rule->schema, json("{'a':'x'}"), arena, NULL, NULL),
            i < 2 ? ARVO_E_INVALID : ARVO_OK);
        arvo_contracts_unref(set);
    }
}

static void
test_contract__documents_that_are_nowhere(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        { REFERRING("https://shop.example/d/none#/x"),
          "\"https://shop.example/d/none#/x\" means \"https://shop.example/d/none\", which is not "
          "there; documents are read from mapped folders only: --remotes "
          "DIR=https://shop.example/d" },
        { REFERRING("none"), "documents are read from mapped folders only" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_error err = { 0 };
        const arvo_document document = { .root = json(cases[i].text), .file = ARVO_STR("-") };
        assert_int_equal(arvo_contracts_add(contracts, &document, NULL, &err), ARVO_E_NOT_FOUND);
        const char *const found = strstr(err.text, cases[i].says);
        assert_non_null(found);
        assert_string_equal(found, cases[i].says); /* to its end */
    }
}

static void
test_contract__out_of_memory(void **state)
{
    (void)state;
    static const char service[] =
        "{\"kind\":\"contract\",\"uri\":\"#/a\",\"type\":\"com.a.b\",\"versions\":{\"1.0.0\":"
        "{\"accepts\":{\"properties\":{\"a\":{\"pattern\":\"^x\"},\"b\":{\"$ref\":"
        "\"https://shop.example/codes\"}}},\"emits\":{\"evt.a.b\":{}}}}}";
    static const char orchestrator[] =
        "{\"kind\":\"orchestrator-contract\",\"uri\":\"#/o\",\"name\":\"a\",\"versions\":"
        "{\"1.0.0\":{\"init\":{\"type\":\"object\"},\"complete\":{\"type\":\"object\"}}}}";
    size_t calls = 0;
    bool done = false;
    for (size_t n = 0; !done; n++) {
        failing f = { .left = n };
        const arvo_allocator allocator = { failing_alloc, failing_free, &f };
        arvo_contracts *const set = arvo_contracts_new(&allocator);
        arvo_status st = ARVO_E_NOMEM;
        if (set != NULL) {
            arvo_contracts_find_from(set, shop_find, &calls);
            st = arvo_contracts_add_text(set, arvo_str_from(service), NULL, NULL);
            if (st == ARVO_OK)
                st = arvo_contracts_add_text(set, arvo_str_from(orchestrator), NULL, NULL);
            assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
            f.left = 1000; /* what failed may be tried again */
            if (st != ARVO_OK && arvo_contracts_count(set) == 0)
                assert_int_equal(
                    arvo_contracts_add_text(set, arvo_str_from(service), NULL, NULL), ARVO_OK);
            if (st != ARVO_OK)
                assert_int_equal(
                    arvo_contracts_add_text(set, arvo_str_from(orchestrator), NULL, NULL), ARVO_OK);
            assert_int_equal(arvo_contracts_count(set), 2);
            assert_non_null(arvo_contracts_find_type(set, ARVO_STR("arvo.orc.a")));
        }
        done = st == ARVO_OK;
        arvo_contracts_unref(set);
        assert_int_equal(f.live, 0);
        assert_true(n < 1000);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, contracts_setup, contracts_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_contract__service),
        CASE(test_contract__emit_find),
        CASE(test_contract__version_find),
        CASE(test_contract__defaults),
        CASE(test_contract__orchestrator),
        CASE(test_contract__init_with_own_parent_subject),
        CASE(test_contract__init_without_properties_keeps_all),
        CASE(test_contract__init_needs_no_type),
        CASE(test_contract__init_by_reference),
        CASE(test_contract__init_by_reference_in_draft_7),
        CASE(test_contract__exported),
        CASE(test_contract__exported_version),
        CASE(test_contract__exported_orchestrator),
        CASE(test_contract__refused),
        CASE(test_contract__orchard_is_not_reserved),
        CASE(test_contract__text_that_is_not_json),
        CASE(test_contract__set_lookups),
        CASE(test_contract__duplicates),
        CASE(test_contract__many_versions),
        CASE(test_contract__references),
        CASE(test_contract__documents_elsewhere),
        CASE(test_contract__documents_that_stay_elsewhere),
        CASE(test_contract__documents_that_are_nowhere),
        CASE(test_contract__out_of_memory),
    };
    return cmocka_run_group_tests_name("contract", tests, NULL, NULL);
}
