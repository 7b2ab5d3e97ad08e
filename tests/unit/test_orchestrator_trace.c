/* What an orchestrator tells its telemetry, and that memory running out is only a status. */

#include "broker_fixture.h"

#include <stdatomic.h>

#define SPANS_MAX 64

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static atomic_size_t malloc_calls;

void *
__wrap_malloc(size_t size)
{
    atomic_fetch_add_explicit(&malloc_calls, 1, memory_order_relaxed);
    return __real_malloc(size);
}

typedef struct recorder {
    char names[SPANS_MAX][128];
    char error_types[SPANS_MAX][64];
    char error_messages[SPANS_MAX][256];
    char tracestates[SPANS_MAX][32];
    char keys[SPANS_MAX][4096]; /* key=value, lines */
    bool ended[SPANS_MAX];
    bool has_parent[SPANS_MAX];
    arvo_trace_context parents[SPANS_MAX];
    arvo_span_kind kinds[SPANS_MAX];
    int64_t starts[SPANS_MAX];
    int64_t ends[SPANS_MAX];
    uint8_t links[SPANS_MAX]; /* first byte of the span id; 0: none */
    size_t count;
    size_t logs;
    bool declines; /* no span is recorded */
    double measures[ARVO_MEASURE_COUNT];
    bool in_span[ARVO_MEASURE_COUNT]; /* measured in a recorded one */
    char details[256];                /* of EVENTS_OUT and EVENTS_FAILED */
} recorder;

static arvo_span *
span_start(void *self, const arvo_span_opts *opts, arvo_trace_context *own)
{
    recorder *r = self;
    if (r->declines)
        return NULL;
    const size_t i = r->count++;
    assert_true(i < SPANS_MAX);
    r->ended[i] = false;
    r->keys[i][0] = '\0';
    (void)snprintf(r->names[i], sizeof(r->names[0]), "%.*s", ARVO_FMT(opts->name));
    (void)snprintf(
        r->tracestates[i], sizeof(r->tracestates[0]), "%.*s", ARVO_FMT(opts->tracestate));
    r->kinds[i] = opts->kind;
    r->starts[i] = opts->start_ns;
    r->has_parent[i] = opts->parent != NULL;
    *own = (arvo_trace_context){ .flags = ARVO_TRACE_SAMPLED };
    memset(own->trace_id, 0xab, sizeof(own->trace_id));
    if (opts->parent != NULL) {
        r->parents[i] = *opts->parent;
        memcpy(own->trace_id, opts->parent->trace_id, sizeof(own->trace_id));
    }
    memset(own->span_id, (int)(i + 1), sizeof(own->span_id));
    return (arvo_span *)(uintptr_t)(i + 1);
}

static void
note(recorder *r, const arvo_span *span, arvo_str key, const char *value)
{
    char *keys = r->keys[(uintptr_t)span - 1];
    const size_t len = strlen(keys);
    (void)snprintf(keys + len, sizeof(r->keys[0]) - len, "%.*s=%s\n", ARVO_FMT(key), value);
}

static void
span_str(void *self, arvo_span *span, arvo_str key, arvo_str value)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "%.*s", ARVO_FMT(value));
    note(self, span, key, text);
}

static void
span_number(void *self, arvo_span *span, arvo_str key, double value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%g", value);
    note(self, span, key, text);
}

static void
span_log(void *self, arvo_span *span, arvo_severity severity, arvo_str message)
{
    (void)span;
    (void)severity;
    assert_true(message.len > 0);
    ((recorder *)self)->logs++;
}

static void
span_link(void *self, arvo_span *span, const arvo_trace_context *other)
{
    ((recorder *)self)->links[(uintptr_t)span - 1] = other->span_id[0];
}

static void
span_end(void *self, arvo_span *span, int64_t end_ns, arvo_str error_type, arvo_str error_message)
{
    recorder *r = self;
    const size_t i = (size_t)(uintptr_t)span - 1;
    assert_false(r->ended[i]);
    r->ended[i] = true;
    r->ends[i] = end_ns;
    (void)snprintf(r->error_types[i], sizeof(r->error_types[0]), "%.*s", ARVO_FMT(error_type));
    (void)snprintf(
        r->error_messages[i], sizeof(r->error_messages[0]), "%.*s", ARVO_FMT(error_message));
}

static void
measure(void *self, arvo_measure which, double value, const arvo_labels *labels)
{
    recorder *r = self;
    r->measures[which] += value;
    r->in_span[which] = labels->trace != NULL;
    if (labels->trace != NULL)
        assert_int_equal(labels->trace->flags, ARVO_TRACE_SAMPLED);
    assert_true(labels->handler.len > 0);
    const size_t len = strlen(r->details);
    if (which == ARVO_MEASURE_EVENTS_OUT || which == ARVO_MEASURE_EVENTS_FAILED)
        (void)snprintf(
            r->details + len, sizeof(r->details) - len, "%.*s ", ARVO_FMT(labels->detail));
    else
        assert_null(labels->detail.ptr);
}

static arvo_telemetry
recorder_table(recorder *r)
{
    return (arvo_telemetry){ .version = ARVO_TELEMETRY_OPS_VERSION,
                             .span_start = span_start,
                             .span_str = span_str,
                             .span_number = span_number,
                             .span_log = span_log,
                             .span_link = span_link,
                             .span_end = span_end,
                             .measure = measure,
                             .self = r };
}

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* A recorder is large. */
static recorder r;

static void
recorder_reset(void)
{
    memset(&r, 0, sizeof(r));
}

static size_t
find_span(const char *name, size_t from)
{
    for (size_t i = from; i < r.count; i++)
        if (strcmp(r.names[i], name) == 0)
            return i;
    fail_msg("there is no span %s", name);
    return 0;
}

static void
test_orchestrator_trace__spans_show_every_phase(void **state)
{
    (void)state;
    static const char *const names[] = { "Orchestrator<#/orc/order>@<arvo.orc.order>",
                                         "Lock",
                                         "Read",
                                         "Route",
                                         "Resolve Machine",
                                         "Validate",
                                         "Execute Machine",
                                         "Emit",
                                         "createArvoEvent<com.payment.charge>",
                                         "Commit" };
    static const arvo_measure timed[] = {
        ARVO_MEASURE_LOCK_WAIT_NS, ARVO_MEASURE_LOCK_HOLD_NS, ARVO_MEASURE_READ_NS,
        ARVO_MEASURE_VALIDATE_NS,  ARVO_MEASURE_EXECUTE_NS,   ARVO_MEASURE_EMIT_NS,
        ARVO_MEASURE_COMMIT_NS,    ARVO_MEASURE_TOTAL_NS,
    };
    recorder_reset();
    const arvo_telemetry table = recorder_table(&r);
    fixture f;
    fixture_open_with(&f, (arvo_orchestrator_opts){ .telemetry = &table });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    arvo_event start = fixture_start(&f, subject, "plain");
    start.traceparent = ARVO_STR(PARENT);
    start.tracestate = ARVO_STR("k=v");
    assert_ok(fixture_execute(&f, &start), f.err);

    assert_int_equal(r.count, ARVO_COUNT_OF(names));
    int64_t before = r.starts[0];
    for (size_t i = 0; i < r.count; i++) {
        assert_string_equal(r.names[i], names[i]);
        assert_true(r.ended[i]);
        assert_string_equal(r.error_types[i], "");
        assert_string_equal(r.tracestates[i], "k=v");
        assert_true(r.has_parent[i]);
        assert_int_equal(r.parents[i].trace_id[0], 0x4b);
        assert_int_equal(r.parents[i].span_id[1], i == 0 ? 0xf0 : 1);
        assert_int_equal(r.kinds[i], i == 0 ? ARVO_SPAN_PRODUCER : ARVO_SPAN_INTERNAL);
        assert_true(before <= r.starts[i] && r.starts[i] <= r.ends[i] && r.ends[i] <= r.ends[0]);
        before = r.starts[i];
    }
    assert_non_null(strstr(r.keys[0], "arvo.orchestration.status=active\n"));
    assert_non_null(strstr(r.keys[0], "arvo.execution.outcome=executed\n"));
    assert_non_null(strstr(r.keys[0], "messaging.destination.name=arvo.orc.order\n"));
    assert_non_null(strstr(r.keys[0], "messaging.message.conversation_id="));
    assert_non_null(strstr(r.keys[0], "to_process.0.cloudevents.event_type=arvo.orc.order\n"));
    assert_non_null(strstr(r.keys[0], "to_emit.0.cloudevents.event_type=com.payment.charge\n"));
    assert_non_null(strstr(r.keys[0], "to_emit.0.domains.0=default\n"));
    assert_non_null(strstr(r.keys[4], "arvo.parsed.subject.orchestrator.version=1.0.0\n"));
    assert_non_null(strstr(r.keys[6], "arvo.machine.type=arvo.orc.order\n"));
    assert_non_null(strstr(r.keys[8], "cloudevents.event_type=com.payment.charge\n"));
    assert_true(r.logs > 0);
    for (size_t i = 0; i < ARVO_COUNT_OF(timed); i++)
        assert_true(r.measures[timed[i]] > 0 && r.in_span[timed[i]]);
    assert_int_equal(r.measures[ARVO_MEASURE_EVENTS_IN], 1);
    assert_string_equal(r.details, "default ");
    assert_int_equal(r.measures[ARVO_MEASURE_TRACE_MALFORMED], 0);
    /* What is emitted belongs to the span. */
    assert_str_is(
        f.result.all.items[0]->traceparent,
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0101010101010101-01");
    assert_str_is(f.result.all.items[0]->tracestate, "k=v");
    fixture_close(&f);
}

static void
test_orchestrator_trace__failures_and_redelivery_are_told_apart(void **state)
{
    (void)state;
    recorder_reset();
    const arvo_telemetry table = recorder_table(&r);
    fixture f;
    fixture_open_with(&f, (arvo_orchestrator_opts){ .telemetry = &table });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_false(r.has_parent[0]);
    const uint8_t first = 1; /* its span's id */

    r.count = 0;
    const arvo_event bad = fixture_event(&f, "evt.payment.charge.success", subject, "{}");
    assert_ok(fixture_execute(&f, &bad), f.err);
    assert_string_equal(r.error_types[0], "ContractViolation");
    const size_t phase = find_span("Validate", 0);
    assert_string_equal(r.error_types[phase], "ContractViolation");
    assert_string_equal(r.error_messages[phase], r.error_messages[0]);
    assert_non_null(strstr(r.error_messages[0], "paymentId"));
    (void)find_span("ArvoOrchestratorEventFactory.systemError<sys.arvo.orc.order.error>", phase);
    assert_int_equal(r.measures[ARVO_MEASURE_EVENTS_FAILED], 1);
    assert_non_null(strstr(r.details, "ContractViolation "));

    /* Delivered again: its parent is the event's, and it names the span that did the work. */
    r.count = 0;
    memset(r.links, 0, sizeof(r.links));
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_DUPLICATE);
    assert_int_equal(r.links[0], first);
    assert_non_null(strstr(r.keys[0], "arvo.execution.outcome=duplicate\n"));
    assert_int_equal(r.measures[ARVO_MEASURE_EVENTS_DEDUPLICATED], 1);
    assert_int_equal(r.measures[ARVO_MEASURE_EVENTS_OUT], 2);
    fixture_close(&f);
}

/* Headers that nobody can read start a new trace; a state that nobody can read is left out. */
static void
test_orchestrator_trace__malformed_headers_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *traceparent, *tracestate;
        bool is_parent;
        const char *state;
    } cases[] = {
        { "nonsense", "k=v", false, "" },
        { "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", NULL, false, "" },
        { PARENT, "not a state", true, "" },
        { PARENT, "k=v", true, "k=v" },
        { NULL, "k=v", false, "" },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        recorder_reset();
        const arvo_telemetry table = recorder_table(&r);
        fixture f;
        fixture_open_with(&f, (arvo_orchestrator_opts){ .telemetry = &table });
        const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
        arvo_event start = fixture_start(&f, subject, "plain");
        start.traceparent = arvo_str_from(cases[i].traceparent);
        start.tracestate = arvo_str_from(cases[i].tracestate);
        assert_ok(fixture_execute(&f, &start), f.err);
        assert_int_equal(r.has_parent[0], cases[i].is_parent);
        assert_string_equal(r.tracestates[0], cases[i].state);
        assert_int_equal(r.measures[ARVO_MEASURE_TRACE_MALFORMED], i < 3);
        const arvo_event *emitted = f.result.all.items[0];
        assert_str_is(
            emitted->traceparent, cases[i].is_parent
                                      ? "00-4bf92f3577b34da6a3ce929d0e0e4736-0101010101010101-01"
                                      : "00-abababababababababababababababab-0101010101010101-01");
        assert_int_equal(emitted->tracestate.ptr != NULL, *cases[i].state != '\0');
        fixture_close(&f);
    }
}

/* What is not recorded passes the context on, and a listener may give one to pass on. */
static arvo_span *
give_context(void *self, const arvo_span_opts *opts, arvo_trace_context *own)
{
    (void)self;
    assert_null(opts->parent);
    memset(own->trace_id, 0xcd, sizeof(own->trace_id));
    memset(own->span_id, 0xef, sizeof(own->span_id));
    return NULL;
}

static void
test_orchestrator_trace__what_is_not_recorded_is_passed_on(void **state)
{
    (void)state;
    recorder_reset();
    r.declines = true;
    arvo_telemetry table = recorder_table(&r);
    fixture f;
    fixture_open_with(&f, (arvo_orchestrator_opts){ .telemetry = &table });
    arvo_event start =
        fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "plain");
    start.traceparent = ARVO_STR(PARENT);
    start.tracestate = ARVO_STR("k=v");
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_str_is(f.result.all.items[0]->traceparent, PARENT);
    assert_str_is(f.result.all.items[0]->tracestate, "k=v");
    assert_true(r.measures[ARVO_MEASURE_EXECUTE_NS] > 0);
    assert_false(r.in_span[ARVO_MEASURE_EXECUTE_NS]);

    table.span_start = give_context;
    start = fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "plain");
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_str_is(
        f.result.all.items[0]->traceparent,
        "00-cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd-efefefefefefefef-00");
    fixture_close(&f);
}

/* The platform of a run, counting who asks for the time. */
static unsigned clock_calls;

static int64_t
counted_clock(void *self)
{
    (void)self;
    clock_calls++;
    return arvo_platform_system()->monotonic_ns(NULL);
}

/* Allocations of one warmed-up execution; its clock calls are in clock_calls. */
static size_t
cost_of(const arvo_telemetry *telemetry)
{
    arvo_platform platform = *arvo_platform_system();
    platform.monotonic_ns = counted_clock;
    fixture f = { 0 };
    arvo_memory *plain = NULL;
    assert_ok(arvo_memory_open("memory:", &plain, &f.err), f.err);
    const arvo_orchestrator_opts opts = { .memory = plain,
                                          .platform = &platform,
                                          .telemetry = telemetry };
    fixture_open_with(&f, opts);
    size_t before = 0;
    const arvo_event first =
        fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "plain");
    const arvo_event again =
        fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "plain");
    assert_ok(fixture_execute(&f, &first), f.err);
    const arvo_event more =
        fixture_event(&f, "evt.payment.charge.success", first.subject, "{'paymentId':'p'}");
    assert_ok(fixture_execute(&f, &again), f.err);
    clock_calls = 0;
    before = atomic_load(&malloc_calls);
    assert_ok(fixture_execute(&f, &more), f.err);
    const size_t calls = atomic_load(&malloc_calls) - before;
    fixture_close(&f);
    arvo_memory_close(plain);
    return calls;
}

static void
test_orchestrator_trace__off_costs_no_clock_and_no_allocation(void **state)
{
    (void)state;
    const size_t before = atomic_load(&malloc_calls);
    assert_int_equal(cost_of(NULL), 0);
    assert_int_equal(clock_calls, 0);
    assert_true(atomic_load(&malloc_calls) > before); /* the wrapper is in place */

    recorder_reset();
    r.declines = true;
    const arvo_telemetry table = recorder_table(&r);
    assert_int_equal(cost_of(&table), 0);
    assert_true(clock_calls >= 8); /* the counting works */
}

static bool
decline(const arvo_handling *handling)
{
    if (handling->user != NULL)
        return arvo_handling_fail(handling, ARVO_STR("Declined"), ARVO_STR("no money"));
    const arvo_event answer = { .type = ARVO_STR("evt.payment.charge.success"),
                                .data = support_json(handling->arena, "{\"paymentId\":\"p\"}") };
    arvo_handling_emit(handling, &answer);
    return true;
}

static void
test_orchestrator_trace__a_handler_has_a_span_of_its_own(void **state)
{
    (void)state;
    static const arvo_handler_version versions[] = { { "1.0.0", decline }, { 0 } };
    recorder_reset();
    const arvo_telemetry table = recorder_table(&r);
    fixture f;
    fixture_open(&f);
    arvo_handler_opts opts = { .contracts = f.contracts,
                               .contract_uri = "#/services/payment",
                               .versions = versions,
                               .telemetry = &table };
    arvo_event event = fixture_event(
        &f, "com.payment.charge", fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL),
        "{'orderId':'o','amount':1}");
    event.traceparent = ARVO_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    event.tracestate = ARVO_STR("k=v");

    arvo_handler *handler = NULL;
    arvo_event_list answers;
    assert_ok(arvo_handler_create(&opts, &handler, &f.err), f.err);
    assert_ok(arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), f.err);
    arvo_handler_free(handler);
    assert_int_equal(r.count, 2);
    assert_string_equal(r.names[0], "ArvoEventHandler<#/services/payment>");
    assert_string_equal(r.names[1], "ArvoEventFactory.emits<evt.payment.charge.success>");
    assert_int_equal(r.kinds[0], ARVO_SPAN_CONSUMER);
    assert_true(r.ended[0] && r.ended[1]);
    assert_string_equal(r.error_types[0], "");
    assert_int_equal(r.parents[0].span_id[1], 0xf0);
    assert_int_equal(r.parents[1].span_id[1], 1);
    assert_non_null(
        strstr(r.keys[0], "to_emit.0.cloudevents.event_type=evt.payment.charge.success\n"));
    assert_non_null(strstr(r.keys[1], "arvo.contract.version=1.0.0\n"));
    assert_true(r.measures[ARVO_MEASURE_HANDLER_NS] > 0 && r.in_span[ARVO_MEASURE_HANDLER_NS]);
    assert_str_is(
        answers.items[0]->traceparent, "00-4bf92f3577b34da6a3ce929d0e0e4736-0101010101010101-01");
    assert_str_is(answers.items[0]->tracestate, "k=v");

    /* A failure ends it with the error's name, a violation with the status'. */
    opts.user = &r;
    handler = NULL;
    assert_ok(arvo_handler_create(&opts, &handler, &f.err), f.err);
    assert_ok(arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), f.err);
    assert_string_equal(r.error_types[2], "Declined");
    event.type = ARVO_STR("com.payment.refund");
    assert_int_equal(
        arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), ARVO_E_CONFIG);
    assert_string_equal(r.error_types[3], arvo_status_name(ARVO_E_CONFIG));
    assert_true(r.ended[3]);
    arvo_handler_free(handler);

    /* A table with holes is refused. */
    arvo_telemetry hollow = table;
    hollow.span_end = NULL;
    opts.telemetry = &hollow;
    handler = NULL;
    assert_int_equal(arvo_handler_create(&opts, &handler, &f.err), ARVO_E_INVALID);
    assert_null(handler);
    fixture_close(&f);
}

/* One workflow through the broker, its service a mock without telemetry of its own: every span's
 * parent is there. */
static void
test_orchestrator_trace__a_workflow_is_one_tree(void **state)
{
    (void)state;
    recorder_reset();
    const arvo_telemetry table = recorder_table(&r);
    bench b = { 0 };
    fixture_open_with(&b.f, (arvo_orchestrator_opts){ .telemetry = &table });
    assert_ok(
        open_mock(
            &b.f,
            "{'kind':'mock','type':'com.payment.charge','replies':[{'type':"
            "'evt.payment.charge.success','data':{'paymentId':'p'}}]}",
            &b.handler),
        b.f.err);
    bench_broker(&b, (arvo_broker_opts){ .memory = b.f.memory, .telemetry = &table });
    const arvo_event start =
        fixture_start(&b.f, fixture_subject(&b.f, "arvo.orc.order", "1.0.0", NULL), "plain");
    assert_ok(arvo_broker_publish(b.broker, &start, &b.f.err), b.f.err);

    const size_t service = find_span("ArvoEventHandler<#/services/payment>", 0);
    const size_t second = find_span("Orchestrator<#/orc/order>@<evt.payment.charge.success>", 0);
    assert_int_equal(r.parents[service].span_id[0], 1);
    assert_int_equal(r.parents[second].span_id[0], service + 1);
    for (size_t i = 0; i < r.count; i++) {
        assert_true(r.ended[i]);
        assert_int_equal(r.has_parent[i], i > 0);
        if (i > 0) {
            assert_int_equal(r.parents[i].trace_id[0], 0xab);
            assert_in_range(r.parents[i].span_id[0], 1, i);
        }
    }
    bench_close(&b);
}

/* Every allocation of creation and of one execution fails once; nothing leaks, nothing is written
 * by halves. */
static void
test_orchestrator_trace__memory_may_run_out_anywhere(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
        const arvo_event start = fixture_start(&f, subject, "child");
        const arvo_orchestrator_opts opts = {
            .allocator = &allocator, .memory = f.memory, .machines = f.machines, .machine_count = 2
        };
        arvo_arena *arena =
            arvo_arena_new(&(arvo_arena_opts){ .allocator = &allocator, .chunk_bytes = 256 });
        arvo_orchestrator *orchestrator = NULL, *sharing = NULL;
        arvo_status st = ARVO_E_NOMEM;
        if (arena != NULL)
            st = arvo_orchestrator_create(&opts, &orchestrator, &f.err);
        arvo_orchestrator_opts more = opts;
        more.shares_with = orchestrator;
        if (st == ARVO_OK)
            st = arvo_orchestrator_create(&more, &sharing, &f.err);
        if (st == ARVO_OK) {
            arvo_result result;
            st = arvo_orchestrator_execute(orchestrator, &start, arena, &result, &f.err);
            arvo_record record;
            assert_int_equal(fixture_read(&f, subject, &record), st == ARVO_OK);
        }
        arvo_orchestrator_free(orchestrator);
        arvo_orchestrator_free(sharing);
        arvo_arena_free(arena);
        assert_int_equal(heap.live, 0);
        if (heap.calls < n) {
            assert_int_equal(st, ARVO_OK);
            break;
        }
        if (st != ARVO_OK) /* a cache that cannot grow, say, is no failure */
            assert_int_equal(st, ARVO_E_NOMEM);
        failures += st != ARVO_OK;
    }
    assert_true(failures > 5);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orchestrator_trace__spans_show_every_phase),
        cmocka_unit_test(test_orchestrator_trace__failures_and_redelivery_are_told_apart),
        cmocka_unit_test(test_orchestrator_trace__malformed_headers_are_counted),
        cmocka_unit_test(test_orchestrator_trace__what_is_not_recorded_is_passed_on),
        cmocka_unit_test(test_orchestrator_trace__off_costs_no_clock_and_no_allocation),
        cmocka_unit_test(test_orchestrator_trace__a_workflow_is_one_tree),
        cmocka_unit_test(test_orchestrator_trace__a_handler_has_a_span_of_its_own),
        cmocka_unit_test(test_orchestrator_trace__memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
