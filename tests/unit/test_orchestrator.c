/* One event through the ten steps: what goes in, what comes out, what is stored. */

#include "orchestrator_fixture.h"

#define assert_outcome(f, expected) assert_int_equal((f).result.outcome, (expected))

static const arvo_event *
only_event(const fixture *f)
{
    assert_int_equal(f->result.all.count, 1);
    return f->result.all.items[0];
}

/* ---- A run ----------------------------------------------------------------- */

static void
test_orchestrator__start_calls_the_service(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    arvo_event start = fixture_start(&f, subject, "plain");
    start.accesscontrol = ARVO_STR("xyz");
    start.traceparent = ARVO_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_ok(fixture_execute(&f, &start), f.err);

    assert_outcome(f, ARVO_OUTCOME_EXECUTED);
    const arvo_event *call = only_event(&f);
    assert_str_is(call->type, "com.payment.charge");
    assert_str_is(call->to, "com.payment.charge");
    assert_str_is(call->source, "arvo.orc.order");
    assert_str_is(call->redirectto, "arvo.orc.order");
    assert_str_is(call->dataschema, "#/services/payment/1.0.0");
    assert_str_is(call->accesscontrol, "xyz");
    assert_true(arvo_str_equal(call->traceparent, start.traceparent));
    assert_true(arvo_str_equal(call->parentid, start.id));
    assert_true(arvo_str_equal(call->subject, subject));
    assert_int_equal(arvo_json_int_or(call->executionunits, -1), 3);
    /* Normalised: the default is filled in, what the contract does not declare is gone. */
    assert_string_equal(
        support_text(f.arena, call->data),
        "{\"orderId\":\"o-1\",\"amount\":12.5,\"currency\":\"EUR\"}");
    assert_int_equal(f.result.events.count, 1);
    assert_int_equal(f.result.domain_count, 1);
    assert_int_equal(f.result.log_count, 1);
    assert_str_is(f.result.logs[0], "charging");

    arvo_record record;
    assert_true(fixture_read(&f, subject, &record));
    assert_str_is(record.status, "active");
    assert_str_is(record.value, "\"charge\"");
    assert_str_is(record.version, "1.0.0");
    assert_null(record.parent_subject.ptr);
    assert_null(record.last_error.ptr);
    assert_int_equal(record.revision, 1);
    assert_true(arvo_str_equal(record.definition, arvo_machine_definition_hash(f.machines[0])));
    fixture_close(&f);
}

static void
test_orchestrator__completion_goes_to_the_initiator(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_ok(fixture_execute(&f, &start), f.err);
    const arvo_event reply =
        fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p-9'}");
    assert_ok(fixture_execute(&f, &reply), f.err);

    const arvo_event *done = only_event(&f);
    assert_str_is(done->type, "arvo.orc.order.done");
    assert_str_is(done->to, CLIENT);
    assert_str_is(done->dataschema, "#/orc/order/1.0.0");
    assert_string_equal(support_text(f.arena, done->data), "{\"paymentId\":\"p-9\"}");
    assert_true(arvo_str_equal(done->subject, subject));
    assert_str_is(f.result.status, "done");

    /* Whatever comes now is ignored, and the record stays as it is. */
    arvo_record before, after;
    assert_true(fixture_read(&f, subject, &before));
    const arvo_event late =
        fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p-10'}");
    assert_ok(fixture_execute(&f, &late), f.err);
    assert_outcome(f, ARVO_OUTCOME_IGNORED);
    assert_int_equal(f.result.all.count, 0);
    assert_true(fixture_read(&f, subject, &after));
    assert_int_equal(after.revision, before.revision);
    fixture_close(&f);
}

static void
test_orchestrator__completion_follows_redirectto_of_the_subject(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject =
        fixture_subject(&f, "arvo.orc.order", "1.0.0", "{\"redirectto\":\"com.else.where\"}");
    arvo_event start = fixture_start(&f, subject, "now");
    start.redirectto = ARVO_STR("com.not.used"); /* spec A.7 */
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_str_is(only_event(&f)->to, "com.else.where");
    assert_string_equal(support_text(f.arena, only_event(&f)->data), "{\"paymentId\":null}");
    fixture_close(&f);
}

static void
test_orchestrator__version_0_0_0_is_the_latest_for_good(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "0.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_str_is(f.result.version, "1.1.0");
    arvo_record record;
    assert_true(fixture_read(&f, subject, &record));
    assert_str_is(record.version, "1.1.0");
    fixture_close(&f);
}

/* ---- Once ---------------------------------------------------------------------- */

static void
test_orchestrator__redelivery_gives_the_recorded_events(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "domains");
    assert_ok(fixture_execute(&f, &start), f.err);
    const arvo_result first = f.result;
    arvo_buf a = ARVO_BUF_INIT(1 << 20), b = ARVO_BUF_INIT(1 << 20);
    arvo_result_write(&first, &a);

    for (int again = 0; again < 3; again++) {
        assert_ok(fixture_execute(&f, &start), f.err);
        assert_outcome(f, ARVO_OUTCOME_DUPLICATE);
        arvo_buf_reset(&b);
        arvo_result_write(&f.result, &b);
        assert_true(arvo_str_equal(arvo_buf_str(&a), arvo_buf_str(&b)));
    }
    arvo_record record;
    assert_true(fixture_read(&f, subject, &record));
    assert_int_equal(record.revision, 1);

    /* The key is (source, id): the same id from elsewhere is another event. */
    arvo_event other = start;
    other.source = ARVO_STR("com.other.client");
    assert_ok(fixture_execute(&f, &other), f.err);
    assert_outcome(f, ARVO_OUTCOME_EXECUTED);
    arvo_buf_fini(&a);
    arvo_buf_fini(&b);
    fixture_close(&f);
}

/* Two processes took one row of the outbox; the second finds it done when it commits. */
static void
test_orchestrator__an_event_that_someone_else_consumed_is_a_duplicate(void **state)
{
    (void)state;
    fixture f;
    arvo_memory *memory;
    arvo_error err;
    assert_ok(arvo_memory_open("memory:?inbox=0", &memory, &err), err);
    fixture_open_with(&f, (arvo_orchestrator_opts){ .memory = memory });
    f.memory = memory;
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_ok(
        arvo_orchestrator_execute_from(f.orchestrator, &start, 0, f.arena, &f.result, &f.err),
        f.err);
    const arvo_event reply =
        fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
    assert_ok(
        arvo_orchestrator_execute_from(f.orchestrator, &reply, 12345, f.arena, &f.result, &f.err),
        f.err);
    assert_outcome(f, ARVO_OUTCOME_DUPLICATE);
    assert_int_equal(f.result.all.count, 0);
    arvo_record record;
    assert_true(fixture_read(&f, subject, &record));
    assert_int_equal(record.revision, 1);
    assert_str_is(record.status, "active");

    /* The lock was given back. */
    assert_ok(fixture_execute(&f, &reply), f.err);
    assert_outcome(f, ARVO_OUTCOME_EXECUTED);
    fixture_close(&f);
}

static void
test_orchestrator__second_start_is_an_event_like_any_other(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_ok(fixture_execute(&f, &start), f.err);
    char data[2048];
    (void)snprintf(
        data, sizeof(data), "{'parentSubject$$':'%.*s','orderId':'o-2','amount':1}",
        ARVO_FMT(subject));
    const arvo_event second = fixture_event(&f, "arvo.orc.order", subject, data);
    assert_ok(fixture_execute(&f, &second), f.err);
    assert_outcome(f, ARVO_OUTCOME_EXECUTED);
    assert_str_is(f.result.logs[0], "again");
    arvo_record record;
    assert_true(fixture_read(&f, subject, &record));
    assert_null(record.parent_subject.ptr); /* D8 */
    fixture_close(&f);
}

/* ---- Routing ---------------------------------------------------------------------- */

static void
assert_ignored(fixture *f, const arvo_event *event)
{
    assert_ok(fixture_execute(f, event), f->err);
    assert_outcome(*f, ARVO_OUTCOME_IGNORED);
    assert_int_equal(f->result.all.count, 0);
    assert_int_equal(f->result.domain_count, 0);
    arvo_record record;
    assert_false(fixture_read(f, event->subject, &record));
}

static void
test_orchestrator__misrouted_events_are_ignored(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_str foreign = fixture_subject(&f, "arvo.orc.other", "1.0.0", NULL);

    const arvo_event unknown =
        fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
    assert_ignored(&f, &unknown); /* no such instance, and no start */
    const arvo_event elsewhere = fixture_start(&f, foreign, "plain");
    assert_ignored(&f, &elsewhere); /* another orchestrator's subject */
    arvo_event addressed = fixture_start(&f, subject, "plain");
    addressed.to = ARVO_STR("com.some.one");
    assert_ignored(&f, &addressed);
    fixture_close(&f);
}

static void
test_orchestrator__child_gets_a_subject_of_its_own(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", "{\"step\":\"1\"}");
    const arvo_event start = fixture_start(&f, subject, "child");
    assert_ok(fixture_execute(&f, &start), f.err);
    const arvo_event *child = only_event(&f);
    assert_str_is(child->type, "arvo.orc.child");
    assert_false(arvo_str_equal(child->subject, subject));

    arvo_subject decoded;
    assert_ok(arvo_subject_decode(NULL, child->subject, f.arena, &decoded, &f.err), f.err);
    assert_str_is(decoded.orchestrator_name, "arvo.orc.child");
    assert_str_is(decoded.orchestrator_version, "1.0.0");
    assert_str_is(decoded.initiator, "arvo.orc.order");
    assert_str_is(arvo_json_str(arvo_json_get(decoded.meta, "redirectto")), "arvo.orc.order");
    assert_str_is(arvo_json_str(arvo_json_get(decoded.meta, "step")), "1");

    /* Its answer comes back on our subject. */
    const arvo_event done = fixture_event(&f, "arvo.orc.child.done", subject, "{'r':4}");
    assert_ok(fixture_execute(&f, &done), f.err);
    assert_str_is(only_event(&f)->type, "arvo.orc.order.done");
    fixture_close(&f);
}

static void
test_orchestrator__a_child_answers_on_its_parents_subject(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str parent = fixture_subject(&f, "arvo.orc.parent", "1.0.0", NULL);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    char data[2048];
    (void)snprintf(
        data, sizeof(data), "{'parentSubject$$':'%.*s','orderId':'o','amount':1,'mode':'now'}",
        ARVO_FMT(parent));
    const arvo_event start = fixture_event(&f, "arvo.orc.order", subject, data);
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_true(arvo_str_equal(only_event(&f)->subject, parent));
    arvo_record record;
    assert_true(fixture_read(&f, subject, &record));
    assert_true(arvo_str_equal(record.parent_subject, parent));
    fixture_close(&f);
}

/* ---- Domains ------------------------------------------------------------------------- */

static void
test_orchestrator__events_are_bucketed_by_domain(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "domains");
    assert_ok(fixture_execute(&f, &start), f.err);

    assert_int_equal(f.result.all.count, 3);
    assert_str_is(f.result.all.items[0]->type, "evt.note.first");
    assert_str_is(f.result.all.items[1]->type, "evt.note.second");
    assert_str_is(f.result.all.items[2]->type, "evt.note.third");
    assert_int_equal(f.result.domain_count, 3); /* in the order of their first use */
    assert_str_is(f.result.domains[0].name, "external");
    assert_str_is(f.result.domains[1].name, "analytics");
    assert_str_is(f.result.domains[2].name, "default");
    assert_int_equal(arvo_result_domain(&f.result, "external").count, 2);
    assert_int_equal(arvo_result_domain(&f.result, "analytics").count, 1);
    assert_int_equal(f.result.events.count, 2);
    assert_int_equal(arvo_result_domain(&f.result, "nowhere").count, 0);
    assert_str_is(f.result.event_domains[0], "[\"external\",\"analytics\"]");

    const arvo_event *second = f.result.all.items[1];
    assert_str_is(second->id, "fixed-id"); /* D16 */
    assert_str_is(second->to, "com.some.where");
    assert_int_equal(arvo_json_int_or(second->executionunits, -1), 0);
    assert_str_is(arvo_json_str(arvo_json_get(second->extensions, "tenant")), "t1");
    fixture_close(&f);
}

static void
test_orchestrator__an_empty_list_of_domains_is_a_workflow_error(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "nodomain");
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_outcome(f, ARVO_OUTCOME_FAILED);
    assert_str_is(only_event(&f)->type, "sys.arvo.orc.order.error");
    fixture_close(&f);
}

/* ---- Workflow errors ------------------------------------------------------------------- */

static void
assert_system_error(fixture *f, const arvo_event *event, const char *name, const char *part)
{
    assert_outcome(*f, ARVO_OUTCOME_FAILED);
    const arvo_event *error = only_event(f);
    assert_str_is(error->type, "sys.arvo.orc.order.error");
    assert_str_is(error->to, CLIENT);
    assert_str_is(error->source, "arvo.orc.order");
    assert_str_is(error->dataschema, "#/orc/order/0.0.0");
    assert_null(error->redirectto.ptr);
    assert_true(arvo_str_equal(error->parentid, event->id));
    assert_true(arvo_str_equal(error->subject, event->subject));
    assert_str_is(arvo_json_str(arvo_json_get(error->data, "errorName")), name);
    const arvo_str message = arvo_json_str(arvo_json_get(error->data, "errorMessage"));
    assert_non_null(message.ptr);
    assert_non_null(strstr(arvo_arena_str_dup(f->arena, message).ptr, part));
    assert_int_equal(
        arvo_json_type_of(arvo_json_get(error->data, "errorStack")), ARVO_JSON_NULL); /* D34 */
}

static void
test_orchestrator__a_failed_start_leaves_a_record(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_event(
        &f, "arvo.orc.order", subject, "{'parentSubject$$':null,'orderId':'o','amount':'much'}");
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_system_error(&f, &start, "ContractViolation", "amount");

    arvo_record record;
    assert_true(fixture_read(&f, subject, &record));
    assert_str_is(record.status, "error");
    assert_null(record.state.ptr);
    assert_non_null(record.last_error.ptr);
    const arvo_json *last =
        support_json(f.arena, arvo_arena_str_dup(f.arena, record.last_error).ptr);
    assert_true(arvo_str_equal(arvo_json_str(arvo_json_get(last, "eventId")), start.id));

    /* Redelivered: the same error event. A new start on that subject: nothing. */
    const arvo_str id = only_event(&f)->id;
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_outcome(f, ARVO_OUTCOME_DUPLICATE);
    assert_true(arvo_str_equal(only_event(&f)->id, id));
    const arvo_event again = fixture_start(&f, subject, "plain");
    assert_ok(fixture_execute(&f, &again), f.err);
    assert_outcome(f, ARVO_OUTCOME_IGNORED);
    fixture_close(&f);
}

static void
test_orchestrator__an_unknown_version_is_a_workflow_error(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "9.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_system_error(&f, &start, "ConfigViolation", "9.0.0");
    fixture_close(&f);
}

static void
test_orchestrator__an_error_leaves_the_state_and_is_remembered(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_ok(fixture_execute(&f, &start), f.err);
    arvo_record before, after;
    assert_true(fixture_read(&f, subject, &before));

    const arvo_event bad = fixture_event(&f, "evt.payment.charge.success", subject, "{}");
    assert_ok(fixture_execute(&f, &bad), f.err);
    assert_system_error(&f, &bad, "ContractViolation", "paymentId");
    assert_true(fixture_read(&f, subject, &after));
    assert_true(arvo_str_equal(after.state, before.state));
    assert_str_is(after.status, "active");
    assert_non_null(after.last_error.ptr);

    /* It still takes the right answer, which clears the error. */
    const arvo_event good =
        fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
    assert_ok(fixture_execute(&f, &good), f.err);
    assert_str_is(only_event(&f)->type, "arvo.orc.order.done");
    assert_true(fixture_read(&f, subject, &after));
    assert_null(after.last_error.ptr);
    fixture_close(&f);
}

static void
test_orchestrator__wrong_events_of_an_instance_are_workflow_errors(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_ok(fixture_execute(&f, &start), f.err);

    const arvo_event undeclared = fixture_event(&f, "evt.no.contract", subject, "{}");
    assert_ok(fixture_execute(&f, &undeclared), f.err);
    assert_system_error(&f, &undeclared, "ConfigViolation", "evt.no.contract");

    arvo_event uri = fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
    uri.dataschema = ARVO_STR("#/services/other/1.0.0");
    assert_ok(fixture_execute(&f, &uri), f.err);
    assert_system_error(&f, &uri, "ContractViolation", "#/services/other");

    arvo_event version =
        fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
    version.dataschema = ARVO_STR("#/services/payment/2.0.0");
    assert_ok(fixture_execute(&f, &version), f.err);
    assert_system_error(&f, &version, "ContractViolation", "2.0.0");
    fixture_close(&f);
}

static void
test_orchestrator__bad_emissions_and_failing_expressions(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str a = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event bad_call = fixture_start(&f, a, "badcall");
    assert_ok(fixture_execute(&f, &bad_call), f.err);
    assert_system_error(&f, &bad_call, "ContractViolation", "amount");

    const arvo_str b = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event bad_guard = fixture_start(&f, b, "not a number");
    assert_ok(fixture_execute(&f, &bad_guard), f.err);
    assert_system_error(&f, &bad_guard, "Error", "");
    fixture_close(&f);
}

static void
test_orchestrator__violations_may_be_returned_instead(void **state)
{
    (void)state;
    fixture f;
    fixture_open_with(&f, (arvo_orchestrator_opts){ .violations = ARVO_VIOLATIONS_RETURN });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "9.0.0", NULL);
    const arvo_event unknown = fixture_start(&f, subject, "plain");
    assert_int_equal(fixture_execute(&f, &unknown), ARVO_E_CONFIG);
    arvo_record record;
    assert_false(fixture_read(&f, subject, &record));

    const arvo_str other = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event call = fixture_start(&f, other, "badcall");
    assert_int_equal(fixture_execute(&f, &call), ARVO_E_CONTRACT);
    const arvo_event domain = fixture_start(&f, other, "nodomain");
    assert_int_equal(fixture_execute(&f, &domain), ARVO_E_EXECUTION);
    assert_false(fixture_read(&f, other, &record));
    /* A guard that fails is no violation: still an event. */
    const arvo_event guard = fixture_start(&f, other, "x");
    assert_ok(fixture_execute(&f, &guard), f.err);
    assert_outcome(f, ARVO_OUTCOME_FAILED);
    fixture_close(&f);
}

/* ---- Transaction errors -------------------------------------------------------------------- */

static void
test_orchestrator__a_bad_subject_is_a_transaction_error(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_event event = fixture_start(&f, ARVO_STR("not-a-subject"), "plain");
    assert_int_equal(fixture_execute(&f, &event), ARVO_E_SUBJECT);
    assert_non_null(strstr(f.err.text, "subject"));
    fixture_close(&f);
}

static void
test_orchestrator__a_held_lock_is_denied(void **state)
{
    (void)state;
    fixture f;
    fixture_open_with(&f, (arvo_orchestrator_opts){ .lock_wait_ms = -1 });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_memory_ops *ops = arvo_memory_ops_of(f.memory);
    void *self = arvo_memory_self(f.memory);
    bool acquired = false;
    arvo_lease lease;
    assert_ok(ops->lock(self, subject, 60000, 0, &acquired, &lease, &f.err), f.err);
    assert_true(acquired);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_int_equal(fixture_execute(&f, &start), ARVO_E_LOCK_DENIED);
    assert_ok(ops->unlock(self, subject, &lease, &f.err), f.err);
    assert_ok(fixture_execute(&f, &start), f.err);
    fixture_close(&f);
}

/* A store in front of memory: whose operations fail on demand. */
typedef struct faulty {
    arvo_memory *inner;
    bool fail_lock, fail_read, fail_write;
    unsigned locks, unlocks;
} faulty;

static arvo_status
faulty_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *found, arvo_record *out, arvo_error *err)
{
    const faulty *store = self;
    if (store->fail_read)
        return arvo_error_set(err, ARVO_E_IO, ARVO_NO_OFFSET, "read failed on purpose");
    return arvo_memory_ops_of(store->inner)
        ->read(arvo_memory_self(store->inner), subject, arena, found, out, err);
}

static arvo_status
faulty_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    const faulty *store = self;
    if (store->fail_write)
        return arvo_error_set(err, ARVO_E_IO, ARVO_NO_OFFSET, "write failed on purpose");
    return arvo_memory_ops_of(store->inner)
        ->write(arvo_memory_self(store->inner), subject, record, previous, lease, err);
}

static arvo_status
faulty_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *acquired, arvo_lease *out,
    arvo_error *err)
{
    faulty *store = self;
    if (store->fail_lock)
        return arvo_error_set(err, ARVO_E_IO, ARVO_NO_OFFSET, "lock failed on purpose");
    const arvo_status st =
        arvo_memory_ops_of(store->inner)
            ->lock(arvo_memory_self(store->inner), subject, ttl_ms, wait_ms, acquired, out, err);
    store->locks += st == ARVO_OK && *acquired;
    return st;
}

static arvo_status
faulty_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    faulty *store = self;
    store->unlocks++;
    return arvo_memory_ops_of(store->inner)
        ->unlock(arvo_memory_self(store->inner), subject, lease, err);
}

static const arvo_memory_ops faulty_ops = { .version = ARVO_MEMORY_OPS_VERSION,
                                            .name = "faulty",
                                            .read = faulty_read,
                                            .write = faulty_write,
                                            .lock = faulty_lock,
                                            .unlock = faulty_unlock };

static void
test_orchestrator__a_store_that_fails(void **state)
{
    (void)state;
    fixture f;
    faulty store = { 0 };
    arvo_error err;
    arvo_memory *memory;
    assert_ok(arvo_memory_open("memory:", &store.inner, &err), err);
    assert_ok(arvo_memory_new(&faulty_ops, &store, &memory, &err), err);
    fixture_open_with(&f, (arvo_orchestrator_opts){ .memory = memory });
    f.memory = memory;
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");

    store.fail_lock = true;
    assert_int_equal(fixture_execute(&f, &start), ARVO_E_LOCK_FAILED);
    assert_non_null(strstr(f.err.text, "on purpose"));
    store.fail_lock = false;
    store.fail_read = true;
    assert_int_equal(fixture_execute(&f, &start), ARVO_E_READ_FAILED);
    store.fail_read = false;
    store.fail_write = true;
    assert_int_equal(fixture_execute(&f, &start), ARVO_E_WRITE_FAILED);
    store.fail_write = false;
    assert_int_equal(store.locks, store.unlocks); /* never left behind */

    /* read, write, lock and unlock are enough to run on. */
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_outcome(f, ARVO_OUTCOME_EXECUTED);
    const arvo_event reply =
        fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
    assert_ok(fixture_execute(&f, &reply), f.err);
    assert_str_is(f.result.status, "done");
    assert_int_equal(store.locks, store.unlocks);
    fixture_close(&f);
    arvo_memory_close(store.inner);
}

static arvo_status
lost_state(
    void *self, const arvo_machine *machine, const arvo_machine_input *input, arvo_arena *arena,
    arvo_machine_output *out, arvo_error *err)
{
    (void)self;
    arvo_machine_input changed = *input;
    if (input->state.ptr != NULL)
        changed.state = ARVO_STR("{\"status\":\"active\",\"value\":\"gone\",\"historyValue\":{},"
                                 "\"context\":{},\"children\":{}}");
    return arvo_machine_execute(machine, &changed, arena, out, err);
}

static void
test_orchestrator__a_state_that_does_not_fit_is_a_transaction_error(void **state)
{
    (void)state;
    const arvo_engine engine = { .version = ARVO_ENGINE_OPS_VERSION, .execute = lost_state };
    fixture f;
    fixture_open_with(&f, (arvo_orchestrator_opts){ .engine = &engine });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_ok(fixture_execute(&f, &start), f.err);
    const arvo_event reply =
        fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
    assert_int_equal(fixture_execute(&f, &reply), ARVO_E_INCOMPATIBLE_STATE);
    arvo_record record;
    assert_true(fixture_read(&f, subject, &record));
    assert_int_equal(record.revision, 1);
    fixture_close(&f);
}

/* ---- Creation ---------------------------------------------------------------------------------
 */

static void
test_orchestrator__options_are_checked(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    arvo_orchestrator *other = NULL;
    arvo_machine *twice[2] = { f.machines[0], f.machines[0] };
    const arvo_engine old = { .version = 99 };
    const arvo_registry hollow = { .version = ARVO_REGISTRY_OPS_VERSION };
    const arvo_orchestrator_opts wrong[] = {
        { .machines = f.machines, .machine_count = 2 },
        { .memory = f.memory },
        { .memory = f.memory, .machines = twice, .machine_count = 2 },
        { .memory = f.memory, .machines = f.machines, .machine_count = 2, .engine = &old },
        { .memory = f.memory, .machines = f.machines, .machine_count = 2, .registry = &hollow },
        { .memory = f.memory, .machines = f.machines, .machine_count = 2, .executionunits = -1 },
        { .memory = f.memory,
          .machines = f.machines,
          .machine_count = 2,
          .lenient_subjects = true,
          .shares_with = f.orchestrator },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(wrong); i++) {
        assert_int_equal(arvo_orchestrator_create(&wrong[i], &other, &f.err), ARVO_E_INVALID);
        assert_null(other);
        assert_true(strlen(f.err.text) > 10);
    }
    assert_str_is(arvo_orchestrator_source(f.orchestrator), "arvo.orc.order");
    assert_int_equal(arvo_orchestrator_machine_count(f.orchestrator), 2);
    assert_ptr_equal(arvo_orchestrator_machine_at(f.orchestrator, 1), f.machines[1]);
    assert_null(arvo_orchestrator_machine_at(f.orchestrator, 2));
    assert_ptr_equal(arvo_orchestrator_memory(f.orchestrator), f.memory);
    arvo_orchestrator_free(NULL);
    const arvo_telemetry other_version = { .version = ARVO_TELEMETRY_OPS_VERSION + 1 };
    const arvo_orchestrator_opts newer = {
        .memory = f.memory, .machines = f.machines, .machine_count = 2, .telemetry = &other_version
    };
    assert_int_equal(arvo_orchestrator_create(&newer, &other, &f.err), ARVO_E_VERSION);
    assert_null(other);
    fixture_close(&f);
}

static void
test_orchestrator__result_is_written_as_an_object(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "domains");
    assert_ok(fixture_execute(&f, &start), f.err);
    arvo_buf text = ARVO_BUF_INIT(1 << 20);
    arvo_result_write(&f.result, &text);
    arvo_buf_append_char(&text, '\0');
    assert_int_equal(text.status, ARVO_OK);
    const arvo_json *result = support_json(f.arena, text.ptr);
    assert_int_equal(arvo_json_count(arvo_json_get(result, "events")), 2);
    assert_string_equal(
        support_text(f.arena, arvo_json_get(result, "allEventDomains")),
        "[\"external\",\"analytics\",\"default\"]");
    const arvo_json *domained = arvo_json_get(result, "domainedEvents");
    assert_int_equal(arvo_json_count(arvo_json_get(domained, "all")), 3);
    assert_int_equal(arvo_json_count(arvo_json_get(domained, "external")), 2);
    arvo_buf_fini(&text);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orchestrator__start_calls_the_service),
        cmocka_unit_test(test_orchestrator__completion_goes_to_the_initiator),
        cmocka_unit_test(test_orchestrator__completion_follows_redirectto_of_the_subject),
        cmocka_unit_test(test_orchestrator__version_0_0_0_is_the_latest_for_good),
        cmocka_unit_test(test_orchestrator__redelivery_gives_the_recorded_events),
        cmocka_unit_test(test_orchestrator__an_event_that_someone_else_consumed_is_a_duplicate),
        cmocka_unit_test(test_orchestrator__second_start_is_an_event_like_any_other),
        cmocka_unit_test(test_orchestrator__misrouted_events_are_ignored),
        cmocka_unit_test(test_orchestrator__child_gets_a_subject_of_its_own),
        cmocka_unit_test(test_orchestrator__a_child_answers_on_its_parents_subject),
        cmocka_unit_test(test_orchestrator__events_are_bucketed_by_domain),
        cmocka_unit_test(test_orchestrator__an_empty_list_of_domains_is_a_workflow_error),
        cmocka_unit_test(test_orchestrator__a_failed_start_leaves_a_record),
        cmocka_unit_test(test_orchestrator__an_unknown_version_is_a_workflow_error),
        cmocka_unit_test(test_orchestrator__an_error_leaves_the_state_and_is_remembered),
        cmocka_unit_test(test_orchestrator__wrong_events_of_an_instance_are_workflow_errors),
        cmocka_unit_test(test_orchestrator__bad_emissions_and_failing_expressions),
        cmocka_unit_test(test_orchestrator__violations_may_be_returned_instead),
        cmocka_unit_test(test_orchestrator__a_bad_subject_is_a_transaction_error),
        cmocka_unit_test(test_orchestrator__a_held_lock_is_denied),
        cmocka_unit_test(test_orchestrator__a_store_that_fails),
        cmocka_unit_test(test_orchestrator__a_state_that_does_not_fit_is_a_transaction_error),
        cmocka_unit_test(test_orchestrator__options_are_checked),
        cmocka_unit_test(test_orchestrator__result_is_written_as_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
