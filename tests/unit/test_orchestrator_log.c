/* What executions, handlers and deliveries tell the log, and that off costs nothing. */

#include "broker_fixture.h"

#include <stdatomic.h>

#include <arvo/log.h>

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static _Atomic size_t malloc_calls;

void *
__wrap_malloc(size_t size)
{
    atomic_fetch_add(&malloc_calls, 1);
    return __real_malloc(size);
}

/* ---- A listener, and a platform that has it -------------------------------------------- */

#define HEARD_MAX 64

typedef struct heard_record {
    arvo_severity level;
    arvo_log_area area;
    char text[3000]; /* as a line, from the area on */
} heard_record;

static struct {
    heard_record records[HEARD_MAX];
    size_t count;
    arvo_log log;
    arvo_platform platform;
    unsigned clock_calls;
    int64_t skew_ns;      /* added to the monotonic clock */
    int64_t slow_lock_ns; /* how much later it is behind a lock */
} ear;

static void
hear(void *self, const arvo_log_record *record)
{
    (void)self;
    assert_true(ear.count < HEARD_MAX);
    heard_record *heard = &ear.records[ear.count++];
    arvo_buf line = ARVO_BUF_INIT(100000);
    arvo_log_record_write(record, ARVO_LOG_TEXT, &line);
    heard->level = record->level;
    heard->area = record->area;
    /* Behind the time and the level. */
    (void)snprintf(heard->text, sizeof(heard->text), "%.*s", (int)line.len - 1 - 39, line.ptr + 39);
    arvo_buf_fini(&line);
}

static int64_t
ear_monotonic_ns(void *self)
{
    (void)self;
    ear.clock_calls++;
    return arvo_platform_system()->monotonic_ns(NULL) + ear.skew_ns;
}

static const arvo_platform *
ear_open(const char *levels, bool with_data)
{
    memset(&ear, 0, sizeof(ear));
    ear.log = (arvo_log){ .version = ARVO_LOG_OPS_VERSION,
                          .filter = { .with_data = with_data },
                          .write = hear };
    assert_int_equal(arvo_log_filter_parse(arvo_str_from(levels), &ear.log.filter, NULL), ARVO_OK);
    ear.platform = *arvo_platform_system();
    ear.platform.monotonic_ns = ear_monotonic_ns;
    ear.platform.log = &ear.log;
    return &ear.platform;
}

/* The next record is of that level and area, and its line begins with the text. */
static size_t ear_next;

static void
assert_heard(arvo_severity level, arvo_log_area area, const char *text)
{
    if (ear_next >= ear.count)
        fail_msg("not heard: %s", text);
    const heard_record *heard = &ear.records[ear_next++];
    if (heard->level != level || heard->area != area || strstr(heard->text, text) != heard->text)
        fail_msg("heard %s %s, not %s", arvo_log_level_name(heard->level), heard->text, text);
}

static void
assert_heard_all(void)
{
    if (ear_next != ear.count)
        fail_msg("heard also: %s", ear.records[ear_next].text);
    ear.count = ear_next = 0;
}

static const char *
ear_last(void)
{
    return ear_next > 0 ? ear.records[ear_next - 1].text : "";
}

static void
assert_last_has(const char *text)
{
    if (strstr(ear_last(), text) == NULL)
        fail_msg("no %s in: %s", text, ear_last());
}

/* ---- Executions -------------------------------------------------------------------------- */

static void
test_orchestrator_log__says_what_came_of_events(void **state)
{
    (void)state;
    fixture f;
    fixture_open_with(&f, (arvo_orchestrator_opts){ .platform = ear_open("debug", false) });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    arvo_event start = fixture_start(&f, subject, "plain");
    start.traceparent = ARVO_STR("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01");
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_heard(
        ARVO_LOG_DEBUG, ARVO_LOG_AREA_ORCHESTRATOR,
        "orchestrator: the event was executed emitted=1 status=active handler=arvo.orc.order "
        "eventType=arvo.orc.order eventId=");
    assert_last_has(" traceId=0123456789abcdef0123456789abcdef spanId=0123456789abcdef subject=");
    assert_heard_all();

    assert_ok(fixture_execute(&f, &start), f.err);
    assert_heard(
        ARVO_LOG_DEBUG, ARVO_LOG_AREA_ORCHESTRATOR,
        "orchestrator: the event was consumed before: its recorded outcome is given again ");
    arvo_event other = start;
    other.to = ARVO_STR("com.some.where");
    other.id = ARVO_STR("other");
    assert_ok(fixture_execute(&f, &other), f.err);
    assert_heard(
        ARVO_LOG_INFO, ARVO_LOG_AREA_ORCHESTRATOR,
        "orchestrator: event ignored: it is addressed to someone else ");
    assert_heard_all();
    fixture_close(&f);
}

/* A secret in the event's data is what the expression's error quotes. */
static void
run_secret(const char *levels, bool with_data)
{
    fixture f;
    fixture_open_with(&f, (arvo_orchestrator_opts){ .platform = ear_open(levels, with_data) });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "s3cret");
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_FAILED);
    assert_non_null(strstr(f.result.error_message.ptr, "s3cret")); /* else this shows nothing */
    fixture_close(&f);
}

static void
test_orchestrator_log__data_of_events_is_not_logged(void **state)
{
    (void)state;
    run_secret("debug", false);
    assert_heard(
        ARVO_LOG_WARNING, ARVO_LOG_AREA_ORCHESTRATOR,
        "orchestrator: a workflow error: a system error event goes to the initiator error=");
    assert_null(strstr(ear_last(), "s3cret"));
    assert_heard_all();
    run_secret("debug", true);
    assert_heard(ARVO_LOG_WARNING, ARVO_LOG_AREA_ORCHESTRATOR, "orchestrator: a workflow error");
    assert_last_has("s3cret");
    assert_heard_all();
    run_secret("error", true);
    assert_heard_all();
}

static void
test_orchestrator_log__machines_speak_with_data_only(void **state)
{
    (void)state;
    for (int with_data = 0; with_data < 2; with_data++) {
        fixture f;
        const arvo_platform *platform = ear_open("off,machine=info", with_data != 0);
        fixture_open_with(&f, (arvo_orchestrator_opts){ .platform = platform });
        const arvo_event start =
            fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "plain");
        assert_ok(fixture_execute(&f, &start), f.err);
        if (with_data != 0)
            assert_heard(
                ARVO_LOG_INFO, ARVO_LOG_AREA_MACHINE, "machine: the machine says: charging ");
        assert_heard_all();
        fixture_close(&f);
    }
}

static void
test_orchestrator_log__transaction_errors_are_errors(void **state)
{
    (void)state;
    fixture f;
    fixture_open_with(
        &f, (arvo_orchestrator_opts){ .platform = ear_open("info", false), .lock_wait_ms = -1 });
    arvo_event bad = fixture_start(&f, ARVO_STR("no subject"), "plain");
    assert_int_equal(fixture_execute(&f, &bad), ARVO_E_SUBJECT);
    assert_heard(
        ARVO_LOG_ERROR, ARVO_LOG_AREA_ORCHESTRATOR, "orchestrator: invalid subject: event ");
    assert_last_has("status=E_SUBJECT");

    bool locked = false;
    arvo_lease lease;
    const arvo_memory_ops *ops = arvo_memory_ops_of(f.memory);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    assert_ok(
        ops->lock(arvo_memory_self(f.memory), subject, 60000, 0, &locked, &lease, &f.err), f.err);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_int_equal(fixture_execute(&f, &start), ARVO_E_LOCK_DENIED);
    assert_heard(
        ARVO_LOG_INFO, ARVO_LOG_AREA_ORCHESTRATOR,
        "orchestrator: lock is held by someone else: event ");
    assert_heard_all();
    fixture_close(&f);
}

static void
test_orchestrator_log__violations_are_details(void **state)
{
    (void)state;
    fixture f;
    fixture_open_with(
        &f, (arvo_orchestrator_opts){ .platform = ear_open("info", false),
                                      .violations = ARVO_VIOLATIONS_RETURN });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event bad = fixture_event(&f, "arvo.orc.order", subject, "{'orderId':'s3cret'}");
    assert_int_equal(fixture_execute(&f, &bad), ARVO_E_CONTRACT);
    assert_heard(
        ARVO_LOG_ERROR, ARVO_LOG_AREA_ORCHESTRATOR,
        "orchestrator: contract violation: nothing has changed status=E_CONTRACT");
    assert_heard_all();
    fixture_close(&f);
}

/* ---- Locks --------------------------------------------------------------------------------- */

static arvo_memory *inner; /* where it really is */

static arvo_status
slow_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *acquired, arvo_lease *out,
    arvo_error *err)
{
    (void)self;
    ear.skew_ns += ear.slow_lock_ns;
    return arvo_memory_ops_of(inner)->lock(
        arvo_memory_self(inner), subject, ttl_ms, wait_ms, acquired, out, err);
}

static arvo_status
keeping_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    (void)self, (void)subject, (void)lease;
    return arvo_error_set(err, ARVO_E_IO, ARVO_NO_OFFSET, "at postgres://a:s3cret@h: gone");
}

static arvo_status
inner_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *found, arvo_record *out, arvo_error *err)
{
    (void)self;
    return arvo_memory_ops_of(inner)->read(
        arvo_memory_self(inner), subject, arena, found, out, err);
}

static arvo_status
inner_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    (void)self;
    return arvo_memory_ops_of(inner)->write(
        arvo_memory_self(inner), subject, record, previous, lease, err);
}

static void
test_orchestrator_log__slow_and_kept_locks_are_warnings(void **state)
{
    (void)state;
    static const arvo_memory_ops ops = { .version = ARVO_MEMORY_OPS_VERSION,
                                         .name = "slow",
                                         .read = inner_read,
                                         .write = inner_write,
                                         .lock = slow_lock,
                                         .unlock = keeping_unlock };
    fixture f;
    arvo_memory *memory = NULL;
    const arvo_platform *platform = ear_open("warning", false);
    assert_int_equal(arvo_memory_open("memory:", &inner, NULL), ARVO_OK);
    assert_int_equal(arvo_memory_new(&ops, NULL, &memory, NULL), ARVO_OK);
    fixture_open_with(&f, (arvo_orchestrator_opts){ .memory = memory, .platform = platform });
    const arvo_event start =
        fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "plain");
    ear.slow_lock_ns = (int64_t)1000000 * (ARVO_LOG_SLOW_LOCK_MS + 1);
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_heard(
        ARVO_LOG_WARNING, ARVO_LOG_AREA_LEASE,
        "lease: the lock on the subject was long in coming waitedMs=1001 handler=");
    assert_heard(
        ARVO_LOG_WARNING, ARVO_LOG_AREA_LEASE,
        "lease: the lock was not given back, and ends by itself with its lease: at "
        "postgres://a:***@h: gone ");
    assert_heard_all();
    fixture_close(&f);
    arvo_memory_close(memory);
    arvo_memory_close(inner);
}

/* ---- Handlers and deliveries ------------------------------------------------------------------
 */

static void
test_orchestrator_log__services_that_fail_are_heard(void **state)
{
    (void)state;
    const arvo_platform *platform = ear_open("info", false);
    bench b;
    bench_open_handler(&b, "fail");
    arvo_broker_free(b.broker);
    bench_broker(&b, (arvo_broker_opts){ .memory = b.f.memory, .platform = platform });
    arvo_event event = request(&b.f);
    event.to = event.type;
    assert_ok(arvo_broker_publish(b.broker, &event, &b.f.err), b.f.err);
    assert_heard(
        ARVO_LOG_INFO, ARVO_LOG_AREA_HANDLER,
        "handler: the service answered with an error error=Declined "
        "handler=com.payment.charge eventType=com.payment.charge ");
    assert_heard_all();
    bench_close(&b);
}

static void
test_orchestrator_log__says_what_becomes_of_deliveries(void **state)
{
    (void)state;
    for (uint32_t attempts = 1; attempts <= 2; attempts++) {
        const arvo_platform *platform = ear_open("info", false);
        bench b;
        bench_open_handler(&b, "bad");
        arvo_broker_free(b.broker);
        bench_broker(
            &b, (arvo_broker_opts){ .memory = b.f.memory,
                                    .platform = platform,
                                    .retry = { .attempts_max = attempts } });
        const arvo_event start =
            fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "plain");
        assert_int_equal(arvo_broker_publish(b.broker, &start, &b.f.err), ARVO_E_CONTRACT);
        if (attempts == 1)
            assert_heard(
                ARVO_LOG_ERROR, ARVO_LOG_AREA_BROKER,
                "broker: the delivery failed for good: the event is a dead letter outbox=2 "
                "status=E_CONTRACT attempts=1 handler=com.payment.charge ");
        else
            assert_heard(
                ARVO_LOG_WARNING, ARVO_LOG_AREA_BROKER,
                "broker: the delivery failed and is tried again outbox=2 status=E_CONTRACT "
                "attempts=1 retryMs=");
        assert_heard_all();
        bench_close(&b);
    }
}

/* ---- Off --------------------------------------------------------------------------------------
 */

/* Allocations of one warmed-up execution; its clock calls are in ear.clock_calls. */
static size_t
cost_of(const arvo_platform *platform)
{
    fixture f = { 0 };
    arvo_memory *plain = NULL;
    assert_ok(arvo_memory_open("memory:", &plain, &f.err), f.err);
    fixture_open_with(&f, (arvo_orchestrator_opts){ .memory = plain, .platform = platform });
    arvo_event events[2];
    for (size_t i = 0; i < 2; i++)
        events[i] =
            fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "plain");
    const arvo_event more =
        fixture_event(&f, "evt.payment.charge.success", events[0].subject, "{'paymentId':'p'}");
    assert_ok(fixture_execute(&f, &events[0]), f.err);
    assert_ok(fixture_execute(&f, &events[1]), f.err);
    ear.clock_calls = 0;
    const size_t before = atomic_load(&malloc_calls);
    assert_ok(fixture_execute(&f, &more), f.err);
    const size_t calls = atomic_load(&malloc_calls) - before;
    fixture_close(&f);
    arvo_memory_close(plain);
    return calls;
}

static unsigned counted;

static void
count(void *self, const arvo_log_record *record)
{
    (void)self, (void)record;
    counted++;
}

static void
test_orchestrator_log__off_costs_no_clock_and_no_allocation(void **state)
{
    (void)state;
    const size_t before = atomic_load(&malloc_calls);
    (void)ear_open("off", true);
    ear.log.write = count;
    assert_int_equal(cost_of(&ear.platform), 0);
    assert_int_equal(ear.clock_calls, 0);
    assert_int_equal(counted, 0);
    assert_true(atomic_load(&malloc_calls) > before); /* the wrapper is in place */

    (void)ear_open("debug", true);
    ear.log.write = count;
    assert_int_equal(cost_of(&ear.platform), 0); /* on, neither */
    assert_int_equal(ear.clock_calls, 2);
    assert_true(counted > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orchestrator_log__says_what_came_of_events),
        cmocka_unit_test(test_orchestrator_log__data_of_events_is_not_logged),
        cmocka_unit_test(test_orchestrator_log__machines_speak_with_data_only),
        cmocka_unit_test(test_orchestrator_log__transaction_errors_are_errors),
        cmocka_unit_test(test_orchestrator_log__violations_are_details),
        cmocka_unit_test(test_orchestrator_log__slow_and_kept_locks_are_warnings),
        cmocka_unit_test(test_orchestrator_log__services_that_fail_are_heard),
        cmocka_unit_test(test_orchestrator_log__says_what_becomes_of_deliveries),
        cmocka_unit_test(test_orchestrator_log__off_costs_no_clock_and_no_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
