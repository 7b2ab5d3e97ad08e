/* Handlers, mocks and the broker between them and an orchestrator. */

#include "orchestrator_fixture.h"

#include <arvo/broker.h>

/* ---- What the broker shows -------------------------------------------------- */

#define SEEN_MAX 64

typedef struct seen {
    char types[SEEN_MAX][64];
    arvo_handled_by by[SEEN_MAX];
    uint32_t depths[SEEN_MAX];
    size_t count;
    size_t stop_after; /* 0: never */
} seen;

static bool
see(void *user, const arvo_delivery *delivery)
{
    seen *s = user;
    assert_true(s->count < SEEN_MAX);
    (void)snprintf(
        s->types[s->count], sizeof(s->types[0]), "%.*s", ARVO_FMT(delivery->event->type));
    s->by[s->count] = delivery->handled_by;
    s->depths[s->count] = delivery->depth;
    s->count++;
    return s->stop_after == 0 || s->count < s->stop_after;
}

static const char *const payment_run[] = { "arvo.orc.order", "com.payment.charge",
                                           "evt.payment.charge.success", "arvo.orc.order.done" };

static void
assert_seen(const seen *s, const char *const *types, size_t count)
{
    assert_int_equal(s->count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(s->types[i], types[i]);
}

/* ---- A handler in C ----------------------------------------------------------- */

static bool
charge(const arvo_handling *handling)
{
    const char *behaviour = handling->user;
    arvo_arena *arena = handling->arena;
    /* Normalised: the contract's default is there. */
    assert_str_is(arvo_json_str(arvo_json_get(handling->event->data, "currency")), "EUR");
    if (strcmp(behaviour, "fail") == 0)
        return arvo_handling_fail(handling, ARVO_STR("Declined"), ARVO_STR("no money"));
    arvo_json *data = arvo_json_object_new(arena);
    if (strcmp(behaviour, "bad") != 0)
        arvo_json_set(arena, data, ARVO_STR("paymentId"), arvo_json_string(arena, ARVO_STR("p")));
    const arvo_event answer = { .type = ARVO_STR("evt.payment.charge.success"), .data = data };
    arvo_handling_emit(handling, &answer);
    return true;
}

static arvo_handler *
open_handler(fixture *f, const char *behaviour)
{
    static const arvo_handler_version versions[] = { { "1.0.0", charge }, { 0 } };
    arvo_handler *handler = NULL;
    const arvo_handler_opts opts = { .contracts = f->contracts,
                                     .contract_uri = "#/services/payment",
                                     .versions = versions,
                                     .user = (void *)(uintptr_t)behaviour,
                                     .executionunits = 2 };
    assert_ok(arvo_handler_create(&opts, &handler, &f->err), f->err);
    return handler;
}

static arvo_event
request(fixture *f)
{
    arvo_event event = fixture_event(
        f, "com.payment.charge", fixture_subject(f, "arvo.orc.order", "1.0.0", NULL),
        "{'orderId':'o','amount':1}");
    event.accesscontrol = ARVO_STR("abc");
    return event;
}

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

static arvo_status
open_mock(fixture *f, const char *text, arvo_handler **out)
{
    arvo_document_list documents;
    assert_ok(
        arvo_document_parse(
            ARVO_STR("mock.json"), arvo_str_from(fixture_quotes(f->arena, text)), f->arena,
            &documents, &f->err),
        f->err);
    return arvo_handler_create_mock(f->contracts, &documents.items[0], out, &f->err);
}

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

/* ---- Broker ---------------------------------------------------------------------- */

typedef struct bench {
    fixture f;
    arvo_handler *handler;
    arvo_broker *broker;
    seen seen;
} bench;

static void
bench_open(bench *b, bool with_outbox, uint32_t deliveries_max)
{
    *b = (bench){ 0 };
    fixture_open(&b->f);
    b->handler = open_handler(&b->f, "ok");
    const arvo_broker_opts opts = { .memory = with_outbox ? b->f.memory : NULL,
                                    .deliveries_max = deliveries_max,
                                    .on_event = see,
                                    .user = &b->seen };
    assert_ok(arvo_broker_new(&opts, &b->broker, &b->f.err), b->f.err);
    assert_ok(arvo_broker_add_orchestrator(b->broker, b->f.orchestrator, &b->f.err), b->f.err);
    assert_ok(arvo_broker_add_handler(b->broker, b->handler, &b->f.err), b->f.err);
}

static void
bench_close(bench *b)
{
    arvo_broker_free(b->broker);
    arvo_handler_free(b->handler);
    fixture_close(&b->f);
}

static bool
count_row(void *user, const arvo_stored_event *row)
{
    assert_non_null(row->json.ptr);
    ++*(size_t *)user;
    return true;
}

static size_t
outbox_count(bench *b)
{
    size_t count = 0;
    const arvo_memory_ops *ops = arvo_memory_ops_of(b->f.memory);
    assert_ok(
        ops->outbox_list(arvo_memory_self(b->f.memory), 0, 100, count_row, &count, &b->f.err),
        b->f.err);
    return count;
}

static void
run_once_with(bool with_outbox)
{
    bench b;
    bench_open(&b, with_outbox, 0);
    const arvo_event start =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "plain");
    assert_ok(arvo_broker_publish(b.broker, &start, &b.f.err), b.f.err);
    assert_seen(&b.seen, payment_run, ARVO_COUNT_OF(payment_run));
    assert_int_equal(b.seen.by[0], ARVO_HANDLED_BY_ORCHESTRATOR);
    assert_int_equal(b.seen.by[1], ARVO_HANDLED_BY_HANDLER);
    assert_int_equal(b.seen.by[3], ARVO_HANDLED_BY_NOBODY);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(b.seen.depths[i], i);

    /* Published again: everything is known, nothing is delivered twice. */
    b.seen.count = 0;
    assert_ok(arvo_broker_publish(b.broker, &start, &b.f.err), b.f.err);
    assert_seen(&b.seen, payment_run, 1);
    bench_close(&b);
}

static void
test_broker__delivers_from_the_outbox_until_nothing_moves(void **state)
{
    (void)state;
    run_once_with(true);
}

static void
test_broker__delivers_from_a_queue_without_an_outbox(void **state)
{
    (void)state;
    run_once_with(false);
}

static void
test_broker__what_was_left_is_delivered_later(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, true, 0);
    b.seen.stop_after = 2; /* as if the process died behind the second event */
    const arvo_event start =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "plain");
    assert_ok(arvo_broker_publish(b.broker, &start, &b.f.err), b.f.err);
    assert_seen(&b.seen, payment_run, 2);
    assert_int_equal(outbox_count(&b), 1);

    b.seen.stop_after = 0;
    assert_ok(arvo_broker_resume(b.broker, &b.f.err), b.f.err);
    assert_seen(&b.seen, payment_run, ARVO_COUNT_OF(payment_run));
    assert_int_equal(outbox_count(&b), 0);
    assert_ok(arvo_broker_resume(b.broker, &b.f.err), b.f.err);
    assert_int_equal(b.seen.count, ARVO_COUNT_OF(payment_run));
    bench_close(&b);
}

static void
test_broker__other_domains_are_shown_not_delivered(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, true, 0);
    const arvo_event start =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "domains");
    assert_ok(arvo_broker_publish(b.broker, &start, &b.f.err), b.f.err);
    assert_int_equal(b.seen.count, 4);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(b.seen.by[i], ARVO_HANDLED_BY_NOBODY);
    assert_int_equal(outbox_count(&b), 0);
    bench_close(&b);
}

static void
test_broker__an_event_from_outside_finds_its_workflow_by_subject(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, true, 0);
    const arvo_str subject = fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&b.f, subject, "child");
    assert_ok(arvo_broker_publish(b.broker, &start, &b.f.err), b.f.err);
    arvo_event answer = fixture_event(&b.f, "arvo.orc.child.done", subject, "{'r':1}");
    answer.to = answer.type; /* what an event has whose author said nothing */
    b.seen.count = 0;
    assert_ok(arvo_broker_publish(b.broker, &answer, &b.f.err), b.f.err);
    assert_int_equal(b.seen.by[0], ARVO_HANDLED_BY_ORCHESTRATOR);
    assert_string_equal(b.seen.types[1], "arvo.orc.order.done");
    bench_close(&b);
}

static void
test_broker__bounds_and_addresses(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, true, 2);
    assert_int_equal(arvo_broker_add_handler(b.broker, b.handler, &b.f.err), ARVO_E_EXISTS);
    const arvo_event start =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "plain");
    assert_int_equal(arvo_broker_publish(b.broker, &start, &b.f.err), ARVO_E_FULL);
    assert_int_equal(outbox_count(&b), 1); /* it is still there */
    assert_ok(arvo_broker_resume(b.broker, &b.f.err), b.f.err);
    bench_close(&b);
    arvo_broker_free(NULL);
}

static void
test_broker__a_delivery_that_fails_is_shown_and_stays(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, true, 0);
    arvo_handler_free(b.handler);
    arvo_broker_free(b.broker);
    b.handler = open_handler(&b.f, "bad"); /* its answer breaks the contract */
    const arvo_broker_opts opts = { .memory = b.f.memory, .on_event = see, .user = &b.seen };
    assert_ok(arvo_broker_new(&opts, &b.broker, &b.f.err), b.f.err);
    assert_ok(arvo_broker_add_orchestrator(b.broker, b.f.orchestrator, &b.f.err), b.f.err);
    assert_ok(arvo_broker_add_handler(b.broker, b.handler, &b.f.err), b.f.err);
    const arvo_event start =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "plain");
    assert_int_equal(arvo_broker_publish(b.broker, &start, &b.f.err), ARVO_E_CONTRACT);
    assert_int_equal(b.seen.count, 2);
    assert_int_equal(outbox_count(&b), 1);
    bench_close(&b);
}

/* Two apps on one store: what neither made here nor is served here stays for its own. */
static void
test_broker__what_others_made_is_left_to_them(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, true, 0);
    b.seen.stop_after = 1;
    const arvo_event start =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "plain");
    assert_ok(arvo_broker_publish(b.broker, &start, &b.f.err), b.f.err);
    assert_int_equal(outbox_count(&b), 1);

    seen other_seen = { 0 };
    arvo_broker *other = NULL;
    const arvo_broker_opts opts = { .memory = b.f.memory, .on_event = see, .user = &other_seen };
    assert_ok(arvo_broker_new(&opts, &other, &b.f.err), b.f.err);
    assert_ok(arvo_broker_resume(other, &b.f.err), b.f.err);
    assert_int_equal(other_seen.count, 0);
    assert_int_equal(outbox_count(&b), 1);
    arvo_broker_free(other);

    b.seen.stop_after = 0;
    assert_ok(arvo_broker_resume(b.broker, &b.f.err), b.f.err);
    assert_seen(&b.seen, payment_run, ARVO_COUNT_OF(payment_run));
    bench_close(&b);
}

/* One event that cannot be delivered holds up its own workflow, and no other. */
static void
test_broker__a_bad_event_holds_up_nobody_else(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, true, 0);
    arvo_handler_free(b.handler);
    arvo_broker_free(b.broker);
    b.handler = open_handler(&b.f, "bad");
    const arvo_broker_opts opts = { .memory = b.f.memory, .on_event = see, .user = &b.seen };
    assert_ok(arvo_broker_new(&opts, &b.broker, &b.f.err), b.f.err);
    assert_ok(arvo_broker_add_orchestrator(b.broker, b.f.orchestrator, &b.f.err), b.f.err);
    assert_ok(arvo_broker_add_handler(b.broker, b.handler, &b.f.err), b.f.err);
    const arvo_event stuck =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "plain");
    assert_int_equal(arvo_broker_publish(b.broker, &stuck, &b.f.err), ARVO_E_CONTRACT);

    b.seen.count = 0;
    const arvo_event fine =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "now");
    assert_int_equal(arvo_broker_publish(b.broker, &fine, &b.f.err), ARVO_OK);
    assert_int_equal(b.seen.count, 2); /* the start, and its completion */
    assert_string_equal(b.seen.types[1], "arvo.orc.order.done");
    assert_int_equal(outbox_count(&b), 1);

    b.seen.count = 0; /* resuming tries again */
    assert_int_equal(arvo_broker_resume(b.broker, &b.f.err), ARVO_E_CONTRACT);
    assert_int_equal(b.seen.count, 1);
    bench_close(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handler__answers_are_addressed_as_the_request_says),
        cmocka_unit_test(test_handler__a_request_handled_twice_is_answered_with_the_same_id),
        cmocka_unit_test(test_handler__a_failure_is_a_system_error_to_the_source),
        cmocka_unit_test(test_handler__wrong_requests_and_answers_are_refused),
        cmocka_unit_test(test_mock__the_first_reply_whose_guard_holds),
        cmocka_unit_test(test_mock__wrong_documents_name_the_place),
        cmocka_unit_test(test_broker__delivers_from_the_outbox_until_nothing_moves),
        cmocka_unit_test(test_broker__delivers_from_a_queue_without_an_outbox),
        cmocka_unit_test(test_broker__what_was_left_is_delivered_later),
        cmocka_unit_test(test_broker__other_domains_are_shown_not_delivered),
        cmocka_unit_test(test_broker__an_event_from_outside_finds_its_workflow_by_subject),
        cmocka_unit_test(test_broker__bounds_and_addresses),
        cmocka_unit_test(test_broker__a_delivery_that_fails_is_shown_and_stays),
        cmocka_unit_test(test_broker__what_others_made_is_left_to_them),
        cmocka_unit_test(test_broker__a_bad_event_holds_up_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
