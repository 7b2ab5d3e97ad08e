/* The broker between an orchestrator and a handler. */

#include "broker_fixture.h"

static const char *const payment_run[] = { "arvo.orc.order", "com.payment.charge",
                                           "evt.payment.charge.success", "arvo.orc.order.done" };

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

/* Whoever stops may not have passed it on: it is shown again. */
static void
test_broker__what_was_shown_last_before_a_stop_is_shown_again(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, true, 0);
    b.seen.stop_after = 2;
    const arvo_event start =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "domains");
    assert_ok(arvo_broker_publish(b.broker, &start, &b.f.err), b.f.err);
    assert_string_equal(b.seen.types[1], "evt.note.first");
    assert_int_equal(outbox_count(&b), 3);
    b.seen.count = 0;
    b.seen.stop_after = 0;
    assert_ok(arvo_broker_resume(b.broker, &b.f.err), b.f.err);
    static const char *const types[] = { "evt.note.first", "evt.note.second", "evt.note.third" };
    assert_seen(&b.seen, types, ARVO_COUNT_OF(types));
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
    bench_open_handler(&b, "bad"); /* its answer breaks the contract */
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

/* One event that cannot be delivered holds up its own workflow, and no other. Without claims it is
 * tried again by the next resume. */
static void
test_broker__a_bad_event_holds_up_nobody_else(void **state)
{
    (void)state;
    bench b;
    bench_open_handler(&b, "bad"); /* its answer breaks the contract */
    arvo_broker_free(b.broker);
    arvo_memory_ops ops = *arvo_memory_ops_of(b.f.memory);
    ops.outbox_claim = NULL;
    ops.outbox_retry = NULL;
    ops.outbox_dead = NULL;
    ops.outbox_release = NULL;
    ops.outbox_wait = NULL;
    ops.dead_list = NULL;
    ops.dead_retry = NULL;
    ops.dead_drop = NULL;
    ops.close = NULL;
    arvo_memory *plain = NULL;
    assert_ok(arvo_memory_new(&ops, arvo_memory_self(b.f.memory), &plain, &b.f.err), b.f.err);
    bench_broker(&b, (arvo_broker_opts){ .memory = plain });
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
    arvo_memory_close(plain);
    bench_close(&b);
}

/* ---- What the header promises of creating ------------------------------------------- */

static arvo_status
list_fails(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    (void)self;
    (void)after;
    (void)limit;
    (void)each;
    (void)user;
    return arvo_error_set(err, ARVO_E_CORRUPT, ARVO_NO_OFFSET, "the outbox is damaged");
}

static void
test_broker__statuses_of_creating(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, true, 0);
    arvo_memory *damaged = NULL;
    arvo_memory_ops ops = *arvo_memory_ops_of(b.f.memory);
    ops.outbox_list = list_fails;
    ops.close = NULL;
    assert_ok(arvo_memory_new(&ops, arvo_memory_self(b.f.memory), &damaged, &b.f.err), b.f.err);
    arvo_broker *none = NULL;
    arvo_broker_opts opts = { .memory = damaged };
    assert_int_equal(arvo_broker_new(&opts, &none, &b.f.err), ARVO_E_CORRUPT);
    assert_string_equal(b.f.err.text, "the outbox is damaged");
    assert_null(none);
    arvo_memory_close(damaged);

    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        opts = (arvo_broker_opts){ .allocator = &allocator, .memory = b.f.memory };
        arvo_status st = arvo_broker_new(&opts, &none, &b.f.err);
        if (st == ARVO_OK)
            st = arvo_broker_add_handler(none, b.handler, &b.f.err);
        arvo_broker_free(none);
        none = NULL;
        assert_int_equal(heap.live, 0);
        if (heap.calls < n) {
            assert_int_equal(st, ARVO_OK);
            break;
        }
        assert_int_equal(st, ARVO_E_NOMEM);
    }
    bench_close(&b);
}

/* ---- Bounds ----------------------------------------------------------------------- */

/* What one delivery made is in the queue whole, also where that is more than the queue may hold. */
static void
test_broker__a_full_queue_loses_nothing(void **state)
{
    (void)state;
    bench b;
    bench_open_with(&b, "ok", (arvo_broker_opts){ .queue_max = 1 });
    const arvo_event start =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "domains");
    assert_int_equal(arvo_broker_publish(b.broker, &start, &b.f.err), ARVO_E_FULL);
    assert_non_null(strstr(b.f.err.text, "queue_max"));
    assert_ok(arvo_broker_resume(b.broker, &b.f.err), b.f.err);
    static const char *const types[] = { "arvo.orc.order", "evt.note.first", "evt.note.second",
                                         "evt.note.third" };
    assert_seen(&b.seen, types, ARVO_COUNT_OF(types));
    assert_ok(arvo_broker_resume(b.broker, &b.f.err), b.f.err);
    assert_int_equal(b.seen.count, ARVO_COUNT_OF(types));
    bench_close(&b);
}

static void
test_broker__a_failure_in_the_queue_holds_up_nobody_else(void **state)
{
    (void)state;
    bench b;
    bench_open_with(&b, "bad", (arvo_broker_opts){ 0 });
    const arvo_event stuck =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "plain");
    assert_int_equal(arvo_broker_publish(b.broker, &stuck, &b.f.err), ARVO_E_CONTRACT);

    b.seen.count = 0;
    const arvo_event fine =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "now");
    assert_ok(arvo_broker_publish(b.broker, &fine, &b.f.err), b.f.err);
    static const char *const types[] = { "arvo.orc.order", "arvo.orc.order.done" };
    assert_seen(&b.seen, types, ARVO_COUNT_OF(types));

    b.seen.count = 0; /* resuming tries again */
    assert_int_equal(arvo_broker_resume(b.broker, &b.f.err), ARVO_E_CONTRACT);
    assert_int_equal(b.seen.count, 1);
    assert_string_equal(b.seen.types[0], "com.payment.charge");
    bench_close(&b);
}

/* What is left to another app costs nothing of the limit of deliveries. */
static void
test_broker__what_others_made_is_not_counted(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, true, 0);
    for (int i = 0; i < 5; i++) {
        const arvo_event start =
            fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "plain");
        b.seen.stop_after = b.seen.count + 1;
        assert_ok(arvo_broker_publish(b.broker, &start, &b.f.err), b.f.err);
    }
    assert_int_equal(outbox_count(&b), 5);
    arvo_broker *other = NULL;
    const arvo_broker_opts opts = { .memory = b.f.memory, .deliveries_max = 2 };
    assert_ok(arvo_broker_new(&opts, &other, &b.f.err), b.f.err);
    assert_ok(arvo_broker_resume(other, &b.f.err), b.f.err);
    arvo_broker_free(other);
    bench_close(&b);
}

/* `to` that names somebody else is not overruled by the subject. */
static void
test_broker__an_event_for_somebody_else_is_not_handed_to_its_workflow(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, true, 0);
    const arvo_str subject = fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL);
    arvo_event event = fixture_event(&b.f, "evt.some.thing", subject, "{}");
    event.to = ARVO_STR("com.some.where");
    assert_ok(arvo_broker_publish(b.broker, &event, &b.f.err), b.f.err);
    assert_int_equal(b.seen.count, 1);
    assert_int_equal(b.seen.by[0], ARVO_HANDLED_BY_NOBODY);
    bench_close(&b);
}

/* ---- Out of memory ------------------------------------------------------------------ */

/* A row of the outbox in so many domains that reading them takes memory of its own. */
static void
put_in_many_domains(bench *b)
{
    arvo_buf domains = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    for (int i = 0; i < 5000; i++)
        arvo_buf_append_str(&domains, i == 0 ? ARVO_STR("[\"first\",") : ARVO_STR("\"more\","));
    arvo_buf_append_str(&domains, ARVO_STR("\"default\"]"));

    arvo_event event = request(&b->f);
    event.to = event.type;
    arvo_buf json = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_event_write(&event, &json);
    const arvo_stored_event row = { .direction = ARVO_PRODUCED,
                                    .subject = event.subject,
                                    .id = event.id,
                                    .source = event.source,
                                    .type = event.type,
                                    .domains = arvo_buf_str(&domains),
                                    .json = arvo_buf_str(&json) };
    const arvo_commit commit = { .subject = event.subject, .produced = &row, .produced_count = 1 };
    assert_ok(
        arvo_memory_ops_of(b->f.memory)
            ->commit(arvo_memory_self(b->f.memory), &commit, 1, &b->f.err),
        b->f.err);
    arvo_buf_fini(&domains);
    arvo_buf_fini(&json);
}

/* An arena that gets no large chunk asks for a small one: fail a few times in a row. */
static void *
alloc_failing_thrice(void *self, size_t size)
{
    support_allocator *heap = self;
    if (heap->fail_at != 0 && heap->calls + 1 >= heap->fail_at && heap->calls < heap->fail_at + 2) {
        heap->calls++;
        return NULL;
    }
    return support_alloc(self, size);
}

/* With the n-th allocation failing, then again with memory enough: handled once in the end. */
static void
test_broker__out_of_memory_loses_nothing_of_the_outbox(void **state)
{
    (void)state;
    size_t failures = 0;
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        bench b;
        bench_open_handler(&b, "ok");
        arvo_broker_free(b.broker);
        put_in_many_domains(&b);
        support_allocator heap = support_allocator_fail_at(0);
        arvo_allocator allocator = support_allocator_ops(&heap);
        allocator.alloc = alloc_failing_thrice;
        bench_broker(&b, (arvo_broker_opts){ .allocator = &allocator, .memory = b.f.memory });

        heap.fail_at = heap.calls + n;
        const arvo_status st = arvo_broker_resume(b.broker, &b.f.err);
        failed = heap.calls >= heap.fail_at;
        heap.fail_at = 0;
        if (st != ARVO_OK) {
            failures++;
            assert_int_equal(st, ARVO_E_NOMEM);
            assert_non_null(strstr(b.f.err.text, "memory"));
            assert_ok(arvo_broker_resume(b.broker, &b.f.err), b.f.err);
        }
        assert_int_equal(outbox_count(&b), 0);
        size_t handled = 0;
        for (size_t i = 0; i < b.seen.count; i++)
            handled += b.seen.by[i] == ARVO_HANDLED_BY_HANDLER && b.seen.statuses[i] == ARVO_OK;
        assert_int_equal(handled, 1);
        arvo_broker_free(b.broker);
        b.broker = NULL;
        assert_int_equal(heap.live, 0);
        bench_close(&b);
    }
    assert_true(failures > 1);
}

/* In the queue in memory, what was made may be lost, and is said to be. */
static void
test_broker__out_of_memory_in_the_queue_is_a_status(void **state)
{
    (void)state;
    size_t failures = 0;
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        support_allocator heap = support_allocator_fail_at(0);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        bench b;
        bench_open_with(&b, "ok", (arvo_broker_opts){ .allocator = &allocator });
        const arvo_event start =
            fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "plain");
        heap.fail_at = heap.calls + n;
        const arvo_status st = arvo_broker_publish(b.broker, &start, &b.f.err);
        failed = heap.calls >= heap.fail_at;
        if (st == ARVO_OK)
            assert_seen(&b.seen, payment_run, ARVO_COUNT_OF(payment_run));
        else
            assert_int_equal(st, ARVO_E_NOMEM);
        failures += st != ARVO_OK;
        arvo_broker_free(b.broker);
        b.broker = NULL;
        assert_int_equal(heap.live, 0);
        bench_close(&b);
    }
    assert_true(failures > 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broker__delivers_from_the_outbox_until_nothing_moves),
        cmocka_unit_test(test_broker__delivers_from_a_queue_without_an_outbox),
        cmocka_unit_test(test_broker__what_was_left_is_delivered_later),
        cmocka_unit_test(test_broker__other_domains_are_shown_not_delivered),
        cmocka_unit_test(test_broker__what_was_shown_last_before_a_stop_is_shown_again),
        cmocka_unit_test(test_broker__an_event_from_outside_finds_its_workflow_by_subject),
        cmocka_unit_test(test_broker__bounds_and_addresses),
        cmocka_unit_test(test_broker__a_delivery_that_fails_is_shown_and_stays),
        cmocka_unit_test(test_broker__what_others_made_is_left_to_them),
        cmocka_unit_test(test_broker__a_bad_event_holds_up_nobody_else),
        cmocka_unit_test(test_broker__statuses_of_creating),
        cmocka_unit_test(test_broker__a_full_queue_loses_nothing),
        cmocka_unit_test(test_broker__a_failure_in_the_queue_holds_up_nobody_else),
        cmocka_unit_test(test_broker__what_others_made_is_not_counted),
        cmocka_unit_test(test_broker__an_event_for_somebody_else_is_not_handed_to_its_workflow),
        cmocka_unit_test(test_broker__out_of_memory_loses_nothing_of_the_outbox),
        cmocka_unit_test(test_broker__out_of_memory_in_the_queue_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
