/* Event factories (spec 4). */

#include "schema_helpers.h"

static arvo_contracts *contracts;
static arvo_factory service;
static arvo_factory orchestrator;

/* ---- A world without surprises -------------------------------------------- */

static int64_t
fixed_time(void *self)
{
    (void)self;
    return 1700000000123;
}

static bool
fixed_random(void *self, void *bytes, size_t len)
{
    (void)self;
    memset(bytes, 0x5a, len);
    return true;
}

static bool
no_random(void *self, void *bytes, size_t len)
{
    (void)self;
    (void)bytes;
    (void)len;
    return false;
}

static const arvo_platform platform = { .version = ARVO_PLATFORM_OPS_VERSION,
                                        .time_ms = fixed_time,
                                        .monotonic_ns = fixed_time,
                                        .random = fixed_random };

static const arvo_contract_version *
version_of(const char *document)
{
    const arvo_contract *contract = NULL;
    arvo_error err = { 0 };
    const arvo_document made = { .root = json(document) };
    if (arvo_contracts_add(contracts, &made, &contract, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return arvo_contract_version_at(contract, 0);
}

static int
factory_setup(void **state)
{
    contracts = arvo_contracts_new(NULL);
    if (contracts == NULL || setup(state) != 0)
        return -1;
    service = (arvo_factory){ .platform = &platform, .arena = arena };
    orchestrator = service;
    service.version = version_of(
        "{'kind':'contract','uri':'#/s','type':'com.pay.charge','versions':{'1.2.0':{'accepts':"
        "{'type':'object','properties':{'amount':{'type':'number'},'currency':{'type':'string',"
        "'default':'EUR'}},'required':['amount']},'emits':{'evt.pay.charged':{'type':'object',"
        "'properties':{'ok':{'type':'boolean'}}}}}}}");
    orchestrator.version = version_of(
        "{'kind':'orchestrator-contract','uri':'#/o','name':'order','versions':{'2.0.0':{'init':"
        "{'type':'object','properties':{'id':{'type':'string'}},'required':['id']},'complete':"
        "{'type':'object','properties':{'ok':{'type':'boolean'}},'required':['ok']}}}}");
    return 0;
}

static int
factory_teardown(void **state)
{
    arvo_contracts_unref(contracts);
    return teardown(state);
}

static arvo_subject
decoded(arvo_str text)
{
    arvo_subject subject = { 0 };
    arvo_error err = { 0 };
    if (arvo_subject_decode(NULL, text, arena, &subject, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return subject;
}

static void
same(arvo_str text, const char *expected)
{
    if (!arvo_str_is(text, expected))
        fail_msg("%.*s is not %s", ARVO_FMT(text), expected);
}

/* ---- accepts, emits ------------------------------------------------------- */

static void
test_factory__accepts(void **state)
{
    (void)state;
    arvo_event event = { 0 };
    arvo_error err = { 0 };
    const arvo_event fields = { .source = ARVO_STR("com.test.client"),
                                .type = ARVO_STR("is.not.used"),
                                .data = json("{'zz':1,'amount':5}"),
                                .accesscontrol = ARVO_STR("me"),
                                .domain = ARVO_STR("billing") };
    if (arvo_factory_accepts(&service, &fields, &event, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    same(event.type, "com.pay.charge");
    same(event.to, "com.pay.charge");
    same(event.source, "com.test.client");
    same(event.dataschema, "#/s/1.2.0");
    same(event.datacontenttype, ARVO_EVENT_CONTENT_TYPE);
    same(event.time, "2023-11-14T22:13:20.123+00:00");
    same(event.accesscontrol, "me");
    same(event.domain, "billing");
    assert_null(event.redirectto.ptr);
    assert_string_equal(text_of(event.data), "{'amount':5,'currency':'EUR'}");
    const arvo_subject subject = decoded(event.subject);
    same(subject.orchestrator_name, "com.pay.charge");
    same(subject.orchestrator_version, "1.2.0");
    same(subject.initiator, "com.test.client");
    same(subject.domain, "billing");
    assert_int_equal(arvo_json_count(subject.meta), 0);
}

static void
test_factory__given_fields_pass_through(void **state)
{
    (void)state;
    arvo_event event = { 0 };
    const arvo_event fields = { .id = ARVO_STR("7"),
                                .source = ARVO_STR("any/source"),
                                .subject = ARVO_STR("a-subject"),
                                .data = json("{'amount':5}"),
                                .time = ARVO_STR("2024-01-01T00:00:00.000+00:00"),
                                .to = ARVO_STR("com.other.place"),
                                .redirectto = ARVO_STR("com.back.here"),
                                .executionunits = json("3.5"),
                                .traceparent = ARVO_STR("tp"),
                                .parentid = ARVO_STR("6") };
    assert_int_equal(arvo_factory_accepts(&service, &fields, &event, NULL), ARVO_OK);
    same(event.id, "7");
    same(event.subject, "a-subject");
    same(event.to, "com.other.place");
    same(event.redirectto, "com.back.here");
    same(event.parentid, "6");
    same(event.traceparent, "tp");
    assert_string_equal(text_of(event.executionunits), "3.5");
    same(event.time, "2024-01-01T00:00:00.000+00:00");
}

static void
test_factory__redirectto_goes_into_the_subject(void **state)
{
    (void)state;
    arvo_event event = { 0 };
    const arvo_event fields = { .source = ARVO_STR("com.test.client"),
                                .data = json("{'amount':5}"),
                                .redirectto = ARVO_STR("com.back.here") };
    assert_int_equal(arvo_factory_accepts(&service, &fields, &event, NULL), ARVO_OK);
    assert_string_equal(text_of(decoded(event.subject).meta), "{'redirectto':'com.back.here'}");
}

static void
test_factory__accepts_refuses(void **state)
{
    (void)state;
    arvo_event event = { .id = ARVO_STR("untouched") };
    arvo_error err = { 0 };
    arvo_event fields = { .source = ARVO_STR("com.test.client"), .data = json("{}") };
    assert_int_equal(arvo_factory_accepts(&service, &fields, &event, &err), ARVO_E_INVALID);
    assert_string_equal(
        err.text, "Accept Event data validation failed: /amount: is missing (expected number)");
    fields.data = NULL;
    assert_int_equal(arvo_factory_accepts(&service, &fields, &event, &err), ARVO_E_INVALID);
    assert_non_null(strstr(err.text, "expected object, got null"));
    fields.data = json("{'amount':5}");
    fields.source = ARVO_STR("not an event type");
    assert_int_equal(arvo_factory_accepts(&service, &fields, &event, &err), ARVO_E_INVALID);
    same(event.id, "untouched");
}

static void
test_factory__no_random_source(void **state)
{
    (void)state;
    arvo_platform broken = platform;
    broken.random = no_random;
    arvo_factory factory = service;
    factory.platform = &broken;
    arvo_event event = { 0 };
    arvo_error err = { 0 };
    const arvo_event fields = { .source = ARVO_STR("com.test.client"),
                                .data = json("{'amount':5}") };
    assert_int_equal(arvo_factory_accepts(&factory, &fields, &event, &err), ARVO_E_IO);
}

static void
test_factory__emits(void **state)
{
    (void)state;
    arvo_event event = { 0 };
    arvo_error err = { 0 };
    arvo_event fields = { .source = ARVO_STR("com.pay.charge"),
                          .type = ARVO_STR("evt.pay.charged"),
                          .data = json("{'ok':true,'zz':1}") };
    assert_int_equal(arvo_factory_emits(&service, &fields, &event, &err), ARVO_OK);
    same(event.type, "evt.pay.charged");
    same(event.dataschema, "#/s/1.2.0");
    assert_string_equal(text_of(event.data), "{'ok':true}");
    same(decoded(event.subject).orchestrator_name, "evt.pay.charged");

    fields.data = json("{'ok':1}");
    assert_int_equal(arvo_factory_emits(&service, &fields, &event, &err), ARVO_E_INVALID);
    assert_string_equal(
        err.text, "Emit Event data validation failed: /ok: expected boolean, got 1");
    fields.type = ARVO_STR("evt.pay.other");
    assert_int_equal(arvo_factory_emits(&service, &fields, &event, &err), ARVO_E_INVALID);
    assert_string_equal(
        err.text, "Emit Event data validation failed: No contract available for evt.pay.other");
    fields.type = ARVO_STR("sys.com.pay.charge.error");
    assert_int_equal(arvo_factory_emits(&service, &fields, &event, &err), ARVO_E_INVALID);
}

/* ---- system errors -------------------------------------------------------- */

static void
test_factory__system_error(void **state)
{
    (void)state;
    arvo_event event = { 0 };
    const arvo_event fields = { .source = ARVO_STR("com.pay.charge") };
    assert_int_equal(
        arvo_factory_system_error(
            &service, &fields, ARVO_STR("Error"), ARVO_STR("it broke"), ARVO_STR_NONE, &event,
            NULL),
        ARVO_OK);
    same(event.type, "sys.com.pay.charge.error");
    same(event.dataschema, "#/s/0.0.0");
    assert_string_equal(
        text_of(event.data), "{'errorName':'Error','errorMessage':'it broke','errorStack':null}");
    same(decoded(event.subject).orchestrator_version, "1.2.0");
    assert_int_equal(
        arvo_factory_system_error(
            &service, &fields, ARVO_STR("E"), ARVO_STR(""), ARVO_STR("at a"), &event, NULL),
        ARVO_OK);
    assert_string_equal(
        text_of(event.data), "{'errorName':'E','errorMessage':'','errorStack':'at a'}");
}

/* ---- init, complete ------------------------------------------------------- */

static void
test_factory__init(void **state)
{
    (void)state;
    arvo_event event = { 0 };
    arvo_error err = { 0 };
    const arvo_event fields = { .source = ARVO_STR("com.test.client"),
                                .data = json("{'id':'1','parentSubject$$':null}") };
    if (arvo_factory_init(&orchestrator, &fields, &event, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    same(event.type, "arvo.orc.order");
    same(event.dataschema, "#/o/2.0.0");
    assert_string_equal(text_of(event.data), "{'parentSubject$$':null,'id':'1'}");
    const arvo_subject subject = decoded(event.subject);
    same(subject.orchestrator_name, "arvo.orc.order");
    same(subject.orchestrator_version, "2.0.0");
    same(subject.initiator, "com.test.client");
}

static arvo_str
parent_subject(void)
{
    arvo_str parent = ARVO_STR_NONE;
    arvo_error err = { 0 };
    const arvo_subject_new_opts opts = { .name = ARVO_STR("arvo.orc.parent"),
                                         .version = ARVO_STR("1.0.0"),
                                         .initiator = ARVO_STR("com.who.began"),
                                         .meta = json("{'k':'v'}") };
    if (arvo_subject_new(NULL, &opts, &platform, arena, &parent, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    return parent;
}

static const arvo_json *
child_data(arvo_str parent)
{
    arvo_json *const data = arvo_json_object_new(arena);
    arvo_json_set(arena, data, ARVO_STR("id"), arvo_json_string(arena, ARVO_STR("1")));
    arvo_json_set(arena, data, ARVO_STR("parentSubject$$"), arvo_json_string(arena, parent));
    return data;
}

/* A factory's child answers whoever began its parent, unless redirected (spec 4.1). */
static void
test_factory__init_of_a_child(void **state)
{
    (void)state;
    arvo_event event = { 0 };
    arvo_error err = { 0 };
    arvo_event fields = { .source = ARVO_STR("arvo.orc.parent"),
                          .data = child_data(parent_subject()) };
    if (arvo_factory_init(&orchestrator, &fields, &event, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    arvo_subject subject = decoded(event.subject);
    same(subject.orchestrator_name, "arvo.orc.order");
    same(subject.initiator, "arvo.orc.parent");
    assert_string_equal(text_of(subject.meta), "{'k':'v','redirectto':'com.who.began'}");

    fields.redirectto = ARVO_STR("com.back.here");
    assert_int_equal(arvo_factory_init(&orchestrator, &fields, &event, &err), ARVO_OK);
    subject = decoded(event.subject);
    assert_string_equal(text_of(subject.meta), "{'k':'v','redirectto':'com.back.here'}");

    fields.subject = ARVO_STR("given");
    assert_int_equal(arvo_factory_init(&orchestrator, &fields, &event, &err), ARVO_OK);
    same(event.subject, "given");
}

/* accepts() knows nothing of parents. */
static void
test_factory__accepts_ignores_the_parent(void **state)
{
    (void)state;
    arvo_event event = { 0 };
    const arvo_event fields = { .source = ARVO_STR("com.test.client"),
                                .data = child_data(parent_subject()) };
    assert_int_equal(arvo_factory_accepts(&orchestrator, &fields, &event, NULL), ARVO_OK);
    same(decoded(event.subject).initiator, "com.test.client");
}

static void
test_factory__init_refuses(void **state)
{
    (void)state;
    arvo_event event = { 0 };
    arvo_error err = { 0 };
    arvo_event fields = { .source = ARVO_STR("com.test.client"), .data = json("{'id':'1'}") };
    assert_int_equal(arvo_factory_init(&orchestrator, &fields, &event, &err), ARVO_E_INVALID);
    assert_string_equal(
        err.text,
        "Init Event data validation failed: /parentSubject$$: is missing (expected null or "
        "string)");
    fields.data = child_data(ARVO_STR("no subject"));
    const arvo_status st = arvo_factory_init(&orchestrator, &fields, &event, &err);
    assert_true(st == ARVO_E_MALFORMED || st == ARVO_E_INVALID);
    assert_int_equal(arvo_factory_init(&service, &fields, &event, &err), ARVO_E_INVALID);
    assert_string_equal(err.text, "This factory can only be used for ArvoOrchestratorContract");
}

static void
test_factory__complete(void **state)
{
    (void)state;
    arvo_event event = { 0 };
    arvo_error err = { 0 };
    arvo_event fields = { .source = ARVO_STR("arvo.orc.order"), .data = json("{'ok':true}") };
    assert_int_equal(arvo_factory_complete(&orchestrator, &fields, &event, &err), ARVO_OK);
    same(event.type, "arvo.orc.order.done");
    same(event.dataschema, "#/o/2.0.0");
    fields.data = json("{}");
    assert_int_equal(arvo_factory_complete(&orchestrator, &fields, &event, &err), ARVO_E_INVALID);
    assert_string_equal(
        err.text, "Emit Event data validation failed: /ok: is missing (expected boolean)");
    assert_int_equal(arvo_factory_complete(&service, &fields, &event, &err), ARVO_E_INVALID);
}

static void
test_factory__out_of_memory(void **state)
{
    (void)state;
    const arvo_event fields = { .source = ARVO_STR("arvo.orc.parent"),
                                .data = child_data(parent_subject()) };
    bool done = false;
    for (size_t n = 1; !done; n++) {
        failing f = { .left = n };
        const arvo_allocator allocator = { failing_alloc, failing_free, &f };
        arvo_arena *const small =
            arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 64 });
        arvo_factory factory = orchestrator;
        factory.arena = small;
        arvo_event event = { 0 };
        arvo_status st = ARVO_E_NOMEM;
        if (small != NULL)
            st = arvo_factory_init(&factory, &fields, &event, NULL);
        assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
        done = st == ARVO_OK;
        arvo_arena_free(small);
        assert_int_equal(f.live, 0);
        assert_true(n < 1000);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, factory_setup, factory_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_factory__accepts),
        CASE(test_factory__given_fields_pass_through),
        CASE(test_factory__redirectto_goes_into_the_subject),
        CASE(test_factory__accepts_refuses),
        CASE(test_factory__no_random_source),
        CASE(test_factory__emits),
        CASE(test_factory__system_error),
        CASE(test_factory__init),
        CASE(test_factory__init_of_a_child),
        CASE(test_factory__accepts_ignores_the_parent),
        CASE(test_factory__init_refuses),
        CASE(test_factory__complete),
        CASE(test_factory__out_of_memory),
    };
    return cmocka_run_group_tests_name("factory", tests, NULL, NULL);
}
