/* Delivery from an outbox with claims, on a clock that the test moves: attempts and their pauses,
 * dead letters, whose fault a failure is, the order of a subject, and what other deliverers see. */

#include "broker_fixture.h"

#include <math.h>

#include "orchestrator/delivery.h"

/* ---- A store on a clock of ours --------------------------------------------------- */

typedef struct clock_of_test {
    int64_t now_ms;
    int64_t step_ms; /* each look at it moves it on */
} clock_of_test;

static int64_t
clock_time_ms(void *self)
{
    clock_of_test *clock = self;
    return clock->now_ms += clock->step_ms;
}

static int64_t
clock_monotonic_ns(void *self)
{
    return ((const clock_of_test *)self)->now_ms * 1000000;
}

static bool
clock_random(void *self, void *bytes, size_t len)
{
    (void)self;
    return arvo_platform_system()->random(NULL, bytes, len);
}

typedef struct office {
    bench b;
    clock_of_test clock;
    arvo_platform platform;
    char behaviour[8]; /* of the payment service, as in broker_fixture.h */
    const arvo_memory_ops *ops;
    void *self;
} office;

static void
office_open(office *o, const char *behaviour, arvo_broker_opts opts)
{
    *o = (office){ .clock = { .now_ms = 1000000 } };
    (void)snprintf(o->behaviour, sizeof(o->behaviour), "%s", behaviour);
    o->platform = (arvo_platform){ .version = ARVO_PLATFORM_OPS_VERSION,
                                   .time_ms = clock_time_ms,
                                   .monotonic_ns = clock_monotonic_ns,
                                   .random = clock_random,
                                   .self = &o->clock };
    arvo_memory *memory = NULL;
    arvo_error err;
    assert_ok(arvo_memory_open_with("memory:?history=on", &o->platform, &memory, &err), err);
    fixture_open_with(&o->b.f, (arvo_orchestrator_opts){ .memory = memory, .lock_wait_ms = -1 });
    o->b.f.memory = memory;
    o->ops = arvo_memory_ops_of(memory);
    o->self = arvo_memory_self(memory);
    o->b.handler = open_handler(&o->b.f, o->behaviour);
    opts.memory = memory;
    bench_broker(&o->b, opts);
}

static void
office_close(office *o)
{
    bench_close(&o->b);
}

static void
office_behave(office *o, const char *behaviour)
{
    (void)snprintf(o->behaviour, sizeof(o->behaviour), "%s", behaviour);
}

/* A produced event of `subject`, as somebody's commit would leave it. */
static void
office_put(office *o, arvo_str subject, const arvo_event *event, const char *json)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_event_write(event, &text);
    const arvo_stored_event row = { .direction = ARVO_PRODUCED,
                                    .subject = subject,
                                    .id = event->id,
                                    .source = event->source,
                                    .type = event->type,
                                    .domains = ARVO_STR("[\"default\"]"),
                                    .json =
                                        json != NULL ? arvo_str_from(json) : arvo_buf_str(&text) };
    const arvo_commit commit = { .subject = subject, .produced = &row, .produced_count = 1 };
    assert_ok(o->ops->commit(o->self, &commit, 1, &o->b.f.err), o->b.f.err);
    arvo_buf_fini(&text);
}

/* A request to the payment service, made by nobody in particular. */
static arvo_event
office_request(office *o, arvo_str subject)
{
    arvo_event event =
        fixture_event(&o->b.f, "com.payment.charge", subject, "{'orderId':'o','amount':1}");
    event.source = ARVO_STR("arvo.orc.order");
    event.to = event.type;
    return event;
}

typedef struct rows {
    size_t count;
    uint32_t attempts;
    int64_t due_ms;
    char error[ARVO_DELIVERY_ERROR_MAX + 1];
    char type[64];
} rows;

static bool
rows_take(void *user, const arvo_outbox_row *row)
{
    rows *r = user;
    if (r->count++ > 0)
        return true;
    r->attempts = row->attempts;
    r->due_ms = row->due_ms;
    (void)snprintf(r->error, sizeof(r->error), "%.*s", ARVO_FMT(row->error));
    (void)snprintf(r->type, sizeof(r->type), "%.*s", ARVO_FMT(row->event.type));
    return true;
}

static rows
office_dead(office *o)
{
    rows r = { 0 };
    assert_ok(o->ops->dead_list(o->self, 0, 0, rows_take, &r, &o->b.f.err), o->b.f.err);
    return r;
}

/* What another deliverer could have now; it gives it back. */
static rows
office_claimable(office *o)
{
    rows r = { 0 };
    const arvo_claim claim = { .token = { 7 } };
    assert_ok(o->ops->outbox_claim(o->self, &claim, rows_take, &r, &o->b.f.err), o->b.f.err);
    assert_ok(o->ops->outbox_release(o->self, &claim, &o->b.f.err), o->b.f.err);
    return r;
}

static arvo_str
office_subject(office *o)
{
    return fixture_subject(&o->b.f, "arvo.orc.order", "1.0.0", NULL);
}

/* ---- Attempts -------------------------------------------------------------------------- */

static void
test_delivery__a_failed_delivery_waits_then_is_tried_again(void **state)
{
    (void)state;
    office o;
    office_open(&o, "bad", (arvo_broker_opts){ .retry = { .first_ms = 1000, .factor = 2 } });
    const arvo_event start = fixture_start(&o.b.f, office_subject(&o), "plain");
    assert_int_equal(arvo_broker_publish(o.b.broker, &start, &o.b.f.err), ARVO_E_CONTRACT);
    assert_int_equal(o.b.seen.count, 2);
    assert_int_equal(o.b.seen.statuses[1], ARVO_E_CONTRACT);
    assert_int_equal(outbox_count(&o.b), 1);
    assert_int_equal(office_claimable(&o).count, 0); /* not yet due */

    /* Before it is due there is nothing to do, and nothing is wrong. */
    assert_ok(arvo_broker_resume(o.b.broker, &o.b.f.err), o.b.f.err);
    assert_int_equal(o.b.seen.count, 2);

    o.clock.now_ms += 1000;
    const rows due = office_claimable(&o);
    assert_int_equal(due.count, 1);
    assert_int_equal(due.attempts, 1);
    assert_true(due.due_ms > 1000000 + 499 && due.due_ms <= 1000000 + 1000);
    assert_non_null(strstr(due.error, "paymentId"));
    office_behave(&o, "ok");
    assert_ok(arvo_broker_resume(o.b.broker, &o.b.f.err), o.b.f.err);
    assert_string_equal(o.b.seen.types[o.b.seen.count - 1], "arvo.orc.order.done");
    assert_int_equal(outbox_count(&o.b), 0);
    office_close(&o);
}

static void
test_delivery__the_last_attempt_makes_a_dead_letter(void **state)
{
    (void)state;
    office o;
    office_open(&o, "bad", (arvo_broker_opts){ .retry = { .attempts_max = 3 } });
    const arvo_event start = fixture_start(&o.b.f, office_subject(&o), "plain");
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        assert_int_equal(office_dead(&o).count, 0);
        const arvo_status st = attempt == 1 ? arvo_broker_publish(o.b.broker, &start, &o.b.f.err)
                                            : arvo_broker_resume(o.b.broker, &o.b.f.err);
        assert_int_equal(st, ARVO_E_CONTRACT);
        o.clock.now_ms += 60 * 60 * 1000;
    }
    const rows dead = office_dead(&o);
    assert_int_equal(dead.count, 1);
    assert_int_equal(dead.attempts, 3);
    assert_string_equal(dead.type, "com.payment.charge");
    assert_non_null(strstr(dead.error, "paymentId"));
    assert_int_equal(outbox_count(&o.b), 0);
    assert_ok(arvo_broker_resume(o.b.broker, &o.b.f.err), o.b.f.err);
    assert_int_equal(o.b.seen.count, 4);
    office_close(&o);
}

static void
test_delivery__pauses_grow_are_spread_and_bounded(void **state)
{
    (void)state;
    arvo_retry retry;
    arvo_error err;
    assert_ok(arvo__retry_check(&(arvo_retry){ 0 }, &retry, &err), err);
    double expected = ARVO_RETRY_FIRST_MS_DEFAULT;
    for (uint32_t n = 1; n < ARVO_RETRY_ATTEMPTS_MAX_DEFAULT; n++) {
        int64_t least = INT64_MAX, most = 0;
        for (int64_t seq = 1; seq <= 200; seq++) {
            arvo_delivery delivery = { 0 };
            arvo__delivery_judge(&retry, ARVO_E_CONTRACT, seq, n - 1, &delivery);
            assert_int_equal(delivery.attempts, n);
            assert_false(delivery.is_dead);
            least = delivery.retry_ms < least ? delivery.retry_ms : least;
            most = delivery.retry_ms > most ? delivery.retry_ms : most;
        }
        const double whole = expected < (double)ARVO_RETRY_CAP_MS_DEFAULT
                                 ? expected
                                 : (double)ARVO_RETRY_CAP_MS_DEFAULT;
        assert_true((double)least >= whole / 2 && (double)least < whole * 0.55);
        assert_true((double)most <= whole && (double)most > whole * 0.95);
        expected *= ARVO_RETRY_FACTOR_DEFAULT;
    }
    arvo_delivery last = { 0 };
    arvo__delivery_judge(&retry, ARVO_E_CONTRACT, 1, ARVO_RETRY_ATTEMPTS_MAX_DEFAULT - 1, &last);
    assert_true(last.is_dead);
    assert_int_equal(last.retry_ms, 0);
}

static void
test_delivery__retry_options_are_checked(void **state)
{
    (void)state;
    static const arvo_retry bad[] = {
        { .attempts_max = 1001 },  { .first_ms = -1 },        { .factor = 0.5 },
        { .factor = (double)NAN }, { .cap_ms = -5 },          { .factor = (double)INFINITY },
        { .cap_ms = INT64_MAX },   { .first_ms = INT64_MAX },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(bad); i++) {
        arvo_broker *none = NULL;
        arvo_error err;
        const arvo_broker_opts opts = { .retry = bad[i] };
        assert_int_equal(arvo_broker_new(&opts, &none, &err), ARVO_E_INVALID);
        assert_non_null(strstr(err.text, "retry"));
        assert_null(none);
    }
}

/* ---- Whose fault --------------------------------------------------------------------------- */

static void
test_delivery__what_is_no_event_is_a_dead_letter_at_once(void **state)
{
    (void)state;
    office o;
    office_open(&o, "ok", (arvo_broker_opts){ 0 });
    const arvo_str subject = office_subject(&o);
    const arvo_event event = office_request(&o, subject);
    office_put(&o, subject, &event, "{\"type\":");
    const arvo_event fine = office_request(&o, subject);
    office_put(&o, subject, &fine, NULL);
    assert_int_equal(arvo_broker_resume(o.b.broker, &o.b.f.err), ARVO_E_MALFORMED);
    assert_non_null(strstr(o.b.f.err.text, "outbox event"));
    assert_int_equal(office_dead(&o).count, 1);
    assert_int_equal(office_dead(&o).attempts, 1);
    /* It was shown by its columns, and the one behind it went on. */
    assert_string_equal(o.b.seen.types[0], "com.payment.charge");
    assert_int_equal(o.b.seen.statuses[0], ARVO_E_MALFORMED);
    assert_int_equal(o.b.seen.by[1], ARVO_HANDLED_BY_HANDLER);
    assert_int_equal(o.b.seen.statuses[1], ARVO_OK);
    assert_int_equal(outbox_count(&o.b), 0);

    arvo_event lost = fixture_start(&o.b.f, ARVO_STR("no orchestration subject"), "plain");
    office_put(&o, ARVO_STR("no orchestration subject"), &lost, NULL);
    assert_int_equal(arvo_broker_resume(o.b.broker, &o.b.f.err), ARVO_E_SUBJECT);
    assert_int_equal(office_dead(&o).count, 2);
    office_close(&o);
}

static void
test_delivery__a_lock_that_is_denied_is_nobodys_fault(void **state)
{
    (void)state;
    office o;
    office_open(&o, "ok", (arvo_broker_opts){ .retry = { .attempts_max = 1 } });
    const arvo_str subject = office_subject(&o);
    const arvo_event start = fixture_start(&o.b.f, subject, "plain");
    office_put(&o, subject, &start, NULL);
    bool acquired = false;
    arvo_lease lease;
    assert_ok(o.ops->lock(o.self, subject, 0, 0, &acquired, &lease, &o.b.f.err), o.b.f.err);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(arvo_broker_resume(o.b.broker, &o.b.f.err), ARVO_E_LOCK_DENIED);
        const rows left = office_claimable(&o); /* given back */
        assert_int_equal(left.count, 1);
        assert_int_equal(left.attempts, 0);
    }
    assert_int_equal(office_dead(&o).count, 0);
    assert_ok(o.ops->unlock(o.self, subject, &lease, &o.b.f.err), o.b.f.err);
    o.b.seen.count = 0;
    assert_ok(arvo_broker_resume(o.b.broker, &o.b.f.err), o.b.f.err);
    assert_int_equal(o.b.seen.statuses[0], ARVO_OK);
    office_close(&o);
}

static void
test_delivery__which_failures_count(void **state)
{
    (void)state;
    static const struct {
        arvo_status status;
        int follows; /* 0: nothing; 1: it waits; 2: dead at once */
    } table[] = {
        { ARVO_E_NOMEM, 0 },       { ARVO_E_IO, 0 },
        { ARVO_E_STALE, 0 },       { ARVO_E_TIMEOUT, 0 },
        { ARVO_E_FULL, 0 },        { ARVO_E_LOCK_FAILED, 0 },
        { ARVO_E_LOCK_DENIED, 0 }, { ARVO_E_READ_FAILED, 0 },
        { ARVO_E_CORRUPT, 0 },     { ARVO_E_WRITE_FAILED, 0 },
        { ARVO_E_VERSION, 0 },     { ARVO_E_CONTRACT, 1 },
        { ARVO_E_CONFIG, 1 },      { ARVO_E_EXECUTION, 1 },
        { ARVO_E_NOT_FOUND, 1 },   { ARVO_E_INCOMPATIBLE_STATE, 1 },
        { ARVO_E_UNSUPPORTED, 1 }, { ARVO_E_MALFORMED, 2 },
        { ARVO_E_INVALID, 2 },     { ARVO_E_TOO_BIG, 2 },
        { ARVO_E_SUBJECT, 2 },
    };
    arvo_retry retry;
    arvo_error err;
    assert_ok(arvo__retry_check(&(arvo_retry){ 0 }, &retry, &err), err);
    for (size_t i = 0; i < ARVO_COUNT_OF(table); i++) {
        arvo_delivery delivery = { 0 };
        arvo__delivery_judge(&retry, table[i].status, 9, 4, &delivery);
        assert_int_equal(delivery.attempts, table[i].follows == 0 ? 4 : 5);
        assert_int_equal(delivery.retry_ms > 0, table[i].follows == 1);
        assert_int_equal(delivery.is_dead, table[i].follows == 2);
    }
}

/* ---- Order, and others -------------------------------------------------------------------------
 */

static void
test_delivery__behind_one_that_failed_its_subject_waits_and_nobody_else(void **state)
{
    (void)state;
    office o;
    office_open(&o, "bad", (arvo_broker_opts){ .retry = { .attempts_max = 2 } });
    const arvo_str poisoned = office_subject(&o), fine = office_subject(&o);
    const arvo_event bad = office_request(&o, poisoned);
    const arvo_event behind = fixture_start(&o.b.f, poisoned, "now");
    const arvo_event other = fixture_start(&o.b.f, fine, "now");
    office_put(&o, poisoned, &bad, NULL);
    office_put(&o, poisoned, &behind, NULL);
    office_put(&o, fine, &other, NULL);
    assert_int_equal(arvo_broker_resume(o.b.broker, &o.b.f.err), ARVO_E_CONTRACT);
    static const char *const first[] = { "com.payment.charge", "arvo.orc.order",
                                         "arvo.orc.order.done" };
    assert_seen(&o.b.seen, first, ARVO_COUNT_OF(first));
    arvo_record record;
    assert_false(fixture_read(&o.b.f, poisoned, &record)); /* the second of it has to wait */
    assert_true(fixture_read(&o.b.f, fine, &record));
    assert_int_equal(office_claimable(&o).count, 0); /* for everybody */

    /* As a dead letter it is in nobody's way. */
    o.clock.now_ms += 60 * 60 * 1000;
    o.b.seen.count = 0;
    assert_int_equal(arvo_broker_resume(o.b.broker, &o.b.f.err), ARVO_E_CONTRACT);
    assert_seen(&o.b.seen, first, ARVO_COUNT_OF(first));
    assert_true(fixture_read(&o.b.f, poisoned, &record));
    assert_int_equal(office_dead(&o).count, 1);
    office_close(&o);
}

/* Retried and dead letters do not keep those behind them in the batch from being in order. */
static void
test_delivery__a_retried_event_is_delivered_before_those_behind_it(void **state)
{
    (void)state;
    office o;
    office_open(&o, "bad", (arvo_broker_opts){ 0 });
    const arvo_str subject = office_subject(&o);
    for (int i = 0; i < 5; i++) {
        const arvo_event event = office_request(&o, subject);
        office_put(&o, subject, &event, NULL);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(arvo_broker_resume(o.b.broker, &o.b.f.err), ARVO_E_CONTRACT);
        assert_int_equal(o.b.seen.count, 1 + (size_t)i); /* the first one alone, each time */
        o.clock.now_ms += 60 * 60 * 1000;
    }
    office_behave(&o, "ok");
    assert_ok(arvo_broker_resume(o.b.broker, &o.b.f.err), o.b.f.err);
    assert_int_equal(o.b.seen.count, 3 + 2 * 5); /* and the answers */
    office_close(&o);
}

static void
test_delivery__what_somebody_else_claimed_is_theirs(void **state)
{
    (void)state;
    office o;
    office_open(&o, "ok", (arvo_broker_opts){ 0 });
    const arvo_str subject = office_subject(&o);
    const arvo_event event = office_request(&o, subject);
    office_put(&o, subject, &event, NULL);
    rows taken = { 0 };
    const arvo_claim claim = { .token = { 9 }, .ttl_ms = 5000 };
    assert_ok(o.ops->outbox_claim(o.self, &claim, rows_take, &taken, &o.b.f.err), o.b.f.err);
    assert_int_equal(taken.count, 1);
    assert_ok(arvo_broker_resume(o.b.broker, &o.b.f.err), o.b.f.err);
    assert_int_equal(o.b.seen.count, 0);
    o.clock.now_ms += 5001; /* they died */
    assert_ok(arvo_broker_resume(o.b.broker, &o.b.f.err), o.b.f.err);
    assert_int_equal(o.b.seen.by[0], ARVO_HANDLED_BY_HANDLER);
    office_close(&o);
}

static void
test_delivery__claims_are_given_back_at_the_end(void **state)
{
    (void)state;
    office o;
    office_open(&o, "ok", (arvo_broker_opts){ 0 });
    arvo_event event;
    for (int i = 0; i < 4; i++) {
        const arvo_str subject = office_subject(&o);
        event = office_request(&o, subject);
        if (i == 0) { /* another app's */
            event.source = ARVO_STR("com.some.body");
            event.to = ARVO_STR("com.some.where");
        }
        office_put(&o, subject, &event, NULL);
    }
    o.b.seen.stop_after = 1; /* as a signal would */
    assert_ok(arvo_broker_resume(o.b.broker, &o.b.f.err), o.b.f.err);
    assert_int_equal(office_claimable(&o).count, 4); /* three, and the answer of the first */
    o.b.seen.stop_after = 0;
    assert_ok(arvo_broker_resume(o.b.broker, &o.b.f.err), o.b.f.err);
    const rows left = office_claimable(&o);
    assert_int_equal(left.count, 1); /* the other app's */
    assert_int_equal(left.attempts, 0);
    office_close(&o);
}

/* A long line of one workflow's events does not keep another's from being delivered in its turn. */
static void
test_delivery__events_are_delivered_by_age(void **state)
{
    (void)state;
    office o;
    office_open(&o, "ok", (arvo_broker_opts){ 0 });
    const arvo_str many = office_subject(&o), one = office_subject(&o);
    for (int i = 0; i < 20; i++) {
        const arvo_event event = office_request(&o, i == 10 ? one : many);
        office_put(&o, event.subject, &event, NULL);
    }
    o.b.seen.stop_after = 11;
    assert_ok(arvo_broker_resume(o.b.broker, &o.b.f.err), o.b.f.err);
    size_t ones = 0;
    const arvo_str history_of = one;
    assert_ok(o.ops->history(o.self, history_of, count_row, &ones, &o.b.f.err), o.b.f.err);
    assert_int_equal(ones, 2); /* the request, and its answer: the eleventh that was delivered */
    office_close(&o);
}

/* ---- Waiting
 * -------------------------------------------------------------------------------------- */

static bool
mend_after_two(void *user, const arvo_delivery *delivery)
{
    office *o = user;
    if (delivery->attempts == 2)
        office_behave(o, "ok");
    return true;
}

static void
test_delivery__a_broker_that_waits_returns_when_nothing_is_left(void **state)
{
    (void)state;
    office o;
    office_open(&o, "bad", (arvo_broker_opts){ 0 });
    arvo_broker_free(o.b.broker);
    const arvo_broker_opts opts = {
        .memory = o.b.f.memory, .waits = true, .on_event = mend_after_two, .user = &o
    };
    assert_ok(arvo_broker_new(&opts, &o.b.broker, &o.b.f.err), o.b.f.err);
    assert_ok(arvo_broker_add_orchestrator(o.b.broker, o.b.f.orchestrator, &o.b.f.err), o.b.f.err);
    assert_ok(arvo_broker_add_handler(o.b.broker, o.b.handler, &o.b.f.err), o.b.f.err);
    o.clock.step_ms = 100; /* time passes by itself */
    const arvo_event start = fixture_start(&o.b.f, office_subject(&o), "plain");
    assert_ok(arvo_broker_publish(o.b.broker, &start, &o.b.f.err), o.b.f.err);
    arvo_record record;
    assert_true(fixture_read(&o.b.f, start.subject, &record));
    assert_str_is(record.status, "done");
    assert_int_equal(outbox_count(&o.b), 0);
    office_close(&o);
}

/* Somebody died with a claim: it ends while we wait for it. */
static void
test_delivery__patience_outlasts_the_claims_of_the_dead(void **state)
{
    (void)state;
    office o;
    office_open(&o, "ok", (arvo_broker_opts){ .patience_ms = 400 });
    const arvo_str subject = office_subject(&o);
    const arvo_event event = office_request(&o, subject);
    office_put(&o, subject, &event, NULL);
    rows taken = { 0 };
    const arvo_claim claim = { .token = { 9 }, .ttl_ms = 5000 };
    assert_ok(o.ops->outbox_claim(o.self, &claim, rows_take, &taken, &o.b.f.err), o.b.f.err);
    assert_ok(arvo_broker_resume(o.b.broker, &o.b.f.err), o.b.f.err); /* it has an end */
    assert_int_equal(o.b.seen.count, 0);
    o.clock.step_ms = 1000; /* time passes by itself */
    assert_ok(arvo_broker_resume(o.b.broker, &o.b.f.err), o.b.f.err);
    assert_int_equal(o.b.seen.by[0], ARVO_HANDLED_BY_HANDLER);
    assert_int_equal(outbox_count(&o.b), 0);
    office_close(&o);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivery__a_failed_delivery_waits_then_is_tried_again),
        cmocka_unit_test(test_delivery__the_last_attempt_makes_a_dead_letter),
        cmocka_unit_test(test_delivery__pauses_grow_are_spread_and_bounded),
        cmocka_unit_test(test_delivery__retry_options_are_checked),
        cmocka_unit_test(test_delivery__what_is_no_event_is_a_dead_letter_at_once),
        cmocka_unit_test(test_delivery__a_lock_that_is_denied_is_nobodys_fault),
        cmocka_unit_test(test_delivery__which_failures_count),
        cmocka_unit_test(test_delivery__behind_one_that_failed_its_subject_waits_and_nobody_else),
        cmocka_unit_test(test_delivery__a_retried_event_is_delivered_before_those_behind_it),
        cmocka_unit_test(test_delivery__what_somebody_else_claimed_is_theirs),
        cmocka_unit_test(test_delivery__claims_are_given_back_at_the_end),
        cmocka_unit_test(test_delivery__events_are_delivered_by_age),
        cmocka_unit_test(test_delivery__patience_outlasts_the_claims_of_the_dead),
        cmocka_unit_test(test_delivery__a_broker_that_waits_returns_when_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
