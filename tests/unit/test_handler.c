/* Handlers in C, and mocks. */

#include "broker_fixture.h"

static void
test_handler__answers_are_addressed_as_the_request_says(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    arvo_handler *handler = open_handler(&f, "ok");
    assert_str_is(arvo_handler_type(handler), "com.payment.charge");
    assert_false(arvo_handler_is_mock(handler));

    arvo_event_list answers;
    arvo_event event = request(&f);
    assert_ok(arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), f.err);
    assert_int_equal(answers.count, 1);
    assert_str_is(answers.items[0]->to, CLIENT); /* the source, without redirectto */
    assert_str_is(answers.items[0]->source, "com.payment.charge");
    assert_str_is(answers.items[0]->dataschema, "#/services/payment/1.0.0");
    assert_str_is(answers.items[0]->accesscontrol, "abc");
    assert_null(answers.items[0]->redirectto.ptr);
    assert_true(arvo_str_equal(answers.items[0]->parentid, event.id));
    assert_true(arvo_str_equal(answers.items[0]->subject, event.subject));
    assert_int_equal(arvo_json_int_or(answers.items[0]->executionunits, -1), 2);

    event.redirectto = ARVO_STR("com.who.asked");
    assert_ok(arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), f.err);
    assert_str_is(answers.items[0]->to, "com.who.asked");
    arvo_handler_free(handler);
    fixture_close(&f);
}

static void
test_handler__a_request_handled_twice_is_answered_with_the_same_id(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    arvo_handler *handler = open_handler(&f, "ok");
    arvo_event_list first, again, other;
    arvo_event event = request(&f);
    assert_ok(arvo_handler_execute(handler, &event, f.arena, &first, &f.err), f.err);
    assert_ok(arvo_handler_execute(handler, &event, f.arena, &again, &f.err), f.err);
    assert_true(arvo_str_equal(first.items[0]->id, again.items[0]->id));

    /* A UUID of the kind whose bits are the maker's own (RFC 9562, version 8). */
    const arvo_str id = first.items[0]->id;
    assert_int_equal(id.len, ARVO_UUID_BYTES);
    assert_int_equal(id.ptr[14], '8');
    assert_non_null(strchr("89ab", id.ptr[19]));
    for (size_t i = 0; i < id.len; i++)
        assert_non_null(
            strchr(i == 8 || i == 13 || i == 18 || i == 23 ? "-" : "0123456789abcdef", id.ptr[i]));

    /* Another request, or the same id from another source, is answered with another. */
    event.source = ARVO_STR("com.other.client");
    assert_ok(arvo_handler_execute(handler, &event, f.arena, &other, &f.err), f.err);
    assert_false(arvo_str_equal(other.items[0]->id, id));
    event = request(&f);
    assert_ok(arvo_handler_execute(handler, &event, f.arena, &other, &f.err), f.err);
    assert_false(arvo_str_equal(other.items[0]->id, id));
    arvo_handler_free(handler);
    fixture_close(&f);
}

static void
test_handler__a_failure_is_a_system_error_to_the_source(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    arvo_handler *handler = open_handler(&f, "fail");
    arvo_event_list answers;
    arvo_event event = request(&f);
    event.redirectto = ARVO_STR("com.who.asked");
    assert_ok(arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), f.err);
    assert_int_equal(answers.count, 1);
    assert_str_is(answers.items[0]->type, "sys.com.payment.charge.error");
    assert_str_is(answers.items[0]->to, CLIENT); /* spec 10.1.4: redirectto does not count */
    assert_str_is(answers.items[0]->dataschema, "#/services/payment/0.0.0");
    assert_string_equal(
        support_text(f.arena, answers.items[0]->data),
        "{\"errorName\":\"Declined\",\"errorMessage\":\"no money\",\"errorStack\":null}");
    arvo_handler_free(handler);
    fixture_close(&f);
}

/* What the header promises of creating. */
static void
test_handler__statuses_of_creating(void **state)
{
    (void)state;
    static const arvo_handler_version versions[] = { { "1.0.0", charge }, { 0 } };
    const arvo_telemetry old = { .version = ARVO_TELEMETRY_OPS_VERSION + 1 };
    fixture f;
    fixture_open(&f);
    arvo_handler *none = NULL;
    arvo_handler_opts opts = { .contracts = f.contracts,
                               .contract_uri = "#/services/payment",
                               .versions = versions,
                               .telemetry = &old };
    assert_int_equal(arvo_handler_create(&opts, &none, &f.err), ARVO_E_VERSION);
    opts.telemetry = NULL;
    opts.executionunits = -1;
    assert_int_equal(arvo_handler_create(&opts, &none, &f.err), ARVO_E_INVALID);
    opts.executionunits = 0;
    opts.versions = NULL;
    assert_int_equal(arvo_handler_create(&opts, &none, &f.err), ARVO_E_INVALID);
    opts.versions = versions;
    assert_null(none);
    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        opts.allocator = &allocator;
        const arvo_status st = arvo_handler_create(&opts, &none, &f.err);
        arvo_handler_free(none);
        assert_int_equal(heap.live, 0);
        if (heap.calls < n) {
            assert_int_equal(st, ARVO_OK);
            break;
        }
        assert_int_equal(st, ARVO_E_NOMEM);
        assert_null(none);
    }
    fixture_close(&f);
}

static void
test_handler__wrong_requests_and_answers_are_refused(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    arvo_handler *handler = open_handler(&f, "bad");
    arvo_event_list answers = { NULL, 77 };
    arvo_event event = request(&f);
    assert_int_equal(
        arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), ARVO_E_CONTRACT);
    assert_non_null(strstr(f.err.text, "paymentId"));

    event.dataschema = ARVO_STR("#/services/other/1.0.0");
    assert_int_equal(
        arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), ARVO_E_CONTRACT);
    event.dataschema = ARVO_STR("#/services/payment/7.0.0");
    assert_int_equal(
        arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), ARVO_E_CONFIG);
    event.dataschema = ARVO_STR_NONE;
    event.data = support_json(f.arena, "{\"orderId\":1}");
    assert_int_equal(
        arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), ARVO_E_CONTRACT);
    event.type = ARVO_STR("com.other.type");
    assert_int_equal(
        arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), ARVO_E_CONFIG);
    assert_int_equal(answers.count, 77); /* untouched */
    arvo_handler_free(handler);

    arvo_handler *none = NULL;
    static const arvo_handler_version no_version[] = { { 0 } };
    static const arvo_handler_version wrong_version[] = { { "1.0.0", charge },
                                                          { "2.0.0", charge },
                                                          { 0 } };
    arvo_handler_opts opts = { .contracts = f.contracts,
                               .contract_uri = "#/services/nothing",
                               .versions = no_version };
    assert_int_equal(arvo_handler_create(&opts, &none, &f.err), ARVO_E_NOT_FOUND);
    opts.contract_uri = "#/services/payment";
    assert_int_equal(arvo_handler_create(&opts, &none, &f.err), ARVO_E_INVALID);
    opts.versions = wrong_version;
    assert_int_equal(arvo_handler_create(&opts, &none, &f.err), ARVO_E_INVALID);
    assert_null(none);
    arvo_handler_free(NULL);
    fixture_close(&f);
}

/* ---- Mocks --------------------------------------------------------------------- */

static const char mock_text[] =
    "{'kind':'mock','type':'com.payment.charge','replies':["
    "{'guard':'${ .event.data.amount > 100 }','error':{'name':'TooMuch','message':"
    "'${ .event.data.orderId }'}},"
    "{'guard':'${ .event.data.amount >= 0 }','type':'evt.payment.charge.success','data':"
    "{'paymentId':'${ .event.data.orderId }'}}]}";

static void
test_mock__the_first_reply_whose_guard_holds(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    arvo_handler *mock = NULL;
    assert_ok(open_mock(&f, mock_text, &mock), f.err);
    assert_true(arvo_handler_is_mock(mock));
    static const struct {
        const char *data, *type, *answer;
    } cases[] = {
        { "{\"orderId\":\"o\",\"amount\":5}", "evt.payment.charge.success",
          "{\"paymentId\":\"o\"}" },
        { "{\"orderId\":\"o\",\"amount\":500}", "sys.com.payment.charge.error",
          "{\"errorName\":\"TooMuch\",\"errorMessage\":\"o\",\"errorStack\":null}" },
        { "{\"orderId\":\"o\",\"amount\":-1}", "sys.com.payment.charge.error", NULL },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_event_list answers;
        arvo_event event = request(&f);
        event.data = support_json(f.arena, cases[i].data);
        assert_ok(arvo_handler_execute(mock, &event, f.arena, &answers, &f.err), f.err);
        assert_int_equal(answers.count, 1);
        assert_str_is(answers.items[0]->type, cases[i].type);
        if (cases[i].answer != NULL)
            assert_string_equal(support_text(f.arena, answers.items[0]->data), cases[i].answer);
    }
    arvo_handler_free(mock);
    fixture_close(&f);
}

static void
test_mock__an_error_is_made_of_strings(void **state)
{
    (void)state;
    static const char *const errors[] = { "{'message':'${ .event.data.amount }'}",
                                          "{'name':7,'message':'m'}" };
    fixture f;
    fixture_open(&f);
    for (size_t i = 0; i < ARVO_COUNT_OF(errors); i++) {
        char text[256];
        (void)snprintf(
            text, sizeof(text),
            "{'kind':'mock','type':'com.payment.charge','replies':[{'error':%s}]}", errors[i]);
        arvo_handler *mock = NULL;
        assert_ok(open_mock(&f, text, &mock), f.err);
        const arvo_event event = request(&f);
        arvo_event_list answers;
        assert_ok(arvo_handler_execute(mock, &event, f.arena, &answers, &f.err), f.err);
        assert_int_equal(answers.count, 1);
        assert_string_equal(
            support_text(f.arena, answers.items[0]->data),
            "{\"errorName\":\"MockError\",\"errorMessage\":\"the name and the message of an error "
            "must be strings\",\"errorStack\":null}");
        arvo_handler_free(mock);
    }
    fixture_close(&f);
}

/* An arena that ends anywhere is the caller's to know of, and no answer of the service's. */
static void
test_mock__out_of_memory_is_no_answer(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    arvo_handler *mock = NULL;
    assert_ok(open_mock(&f, mock_text, &mock), f.err);
    arvo_event event = request(&f);
    event.data = support_json(f.arena, "{\"orderId\":\"o\",\"amount\":5}");
    size_t failures = 0;
    for (size_t bytes = 64;; bytes += 16) {
        arvo_arena *arena =
            arvo_arena_new(&(arvo_arena_opts){ .chunk_bytes = 64, .bytes_max = bytes });
        assert_non_null(arena);
        arvo_event_list answers = { NULL, 77 };
        const arvo_status st = arvo_handler_execute(mock, &event, arena, &answers, &f.err);
        if (st == ARVO_OK) {
            assert_str_is(answers.items[0]->type, "evt.payment.charge.success");
            arvo_arena_free(arena);
            break;
        }
        assert_int_equal(st, ARVO_E_NOMEM);
        assert_string_equal(f.err.text, "out of memory");
        assert_int_equal(answers.count, 77);
        arvo_arena_free(arena);
        failures++;
    }
    assert_true(failures > 10);
    arvo_handler_free(mock);
    fixture_close(&f);
}

static void
test_mock__wrong_documents_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "{'kind':'mock','type':'x','replies':[{'type':'a.b.c'}]}", "/type" },
        { "{'kind':'mock','type':'com.a.b'}", "/replies" },
        { "{'kind':'mock','type':'com.a.b','replies':[]}", "/replies" },
        { "{'kind':'mock','type':'com.a.b','replies':[7]}", "/replies/0" },
        { "{'kind':'mock','type':'com.a.b','replies':[{'data':{}}]}", "/replies/0" },
        { "{'kind':'mock','type':'com.a.b','replies':[{'type':'a.b.c','error':{'message':'m'}}]}",
          "/replies/0" },
        { "{'kind':'mock','type':'com.a.b','replies':[{'error':{'name':'m'}}]}",
          "/replies/0/error" },
        { "{'kind':'mock','type':'com.a.b','replies':[{'type':'a.b.c','gaurd':true}]}", "gaurd" },
        { "{'kind':'mock','type':'com.a.b','replies':[{'type':'a.b.c','data':'${ .evnt }'}]}",
          "/replies/0/data" },
        { "{'kind':'mock','type':'com.a.b','reply':[]}", "reply" },
    };
    fixture f;
    fixture_open(&f);
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        arvo_handler *mock = NULL;
        assert_int_equal(open_mock(&f, cases[i].text, &mock), ARVO_E_INVALID);
        assert_null(mock);
        assert_non_null(strstr(f.err.text, "mock.json:1"));
        if (strstr(f.err.text, cases[i].part) == NULL)
            fail_msg("%s does not name %s", f.err.text, cases[i].part);
    }
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handler__answers_are_addressed_as_the_request_says),
        cmocka_unit_test(test_handler__a_request_handled_twice_is_answered_with_the_same_id),
        cmocka_unit_test(test_handler__a_failure_is_a_system_error_to_the_source),
        cmocka_unit_test(test_handler__statuses_of_creating),
        cmocka_unit_test(test_handler__wrong_requests_and_answers_are_refused),
        cmocka_unit_test(test_mock__the_first_reply_whose_guard_holds),
        cmocka_unit_test(test_mock__an_error_is_made_of_strings),
        cmocka_unit_test(test_mock__out_of_memory_is_no_answer),
        cmocka_unit_test(test_mock__wrong_documents_name_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
