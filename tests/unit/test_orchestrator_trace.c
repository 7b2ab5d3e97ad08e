/* What an orchestrator tells its telemetry, and that memory running out is only a status. */

#include "orchestrator_fixture.h"

#define SPANS_MAX 32

typedef struct recorder {
    char names[SPANS_MAX][128];
    char error_types[SPANS_MAX][64];
    bool ended[SPANS_MAX];
    bool has_parent[SPANS_MAX];
    uint8_t parents[SPANS_MAX][8]; /* span id */
    size_t count;
    size_t logs;
    double measures[ARVO_MEASURE_COUNT];
    char status[32];
    char first_to_emit[64];
} recorder;

static arvo_span *
span_start(
    void *self, arvo_str name, arvo_span_kind kind, const arvo_trace_context *parent,
    arvo_trace_context *own)
{
    (void)kind;
    recorder *r = self;
    assert_true(r->count < SPANS_MAX);
    (void)snprintf(r->names[r->count], sizeof(r->names[0]), "%.*s", ARVO_FMT(name));
    r->has_parent[r->count] = parent != NULL;
    if (parent != NULL)
        memcpy(r->parents[r->count], parent->span_id, 8);
    *own = (arvo_trace_context){ .flags = 1 };
    memset(own->trace_id, 0xab, sizeof(own->trace_id));
    memset(own->span_id, (int)(r->count + 1), sizeof(own->span_id));
    return (arvo_span *)(uintptr_t)++r->count;
}

static void
span_str(void *self, arvo_span *span, arvo_str key, arvo_str value)
{
    (void)span;
    recorder *r = self;
    if (arvo_str_is(key, "arvo.orchestration.status"))
        (void)snprintf(r->status, sizeof(r->status), "%.*s", ARVO_FMT(value));
    if (arvo_str_is(key, "to_emit.0.cloudevents.event_type"))
        (void)snprintf(r->first_to_emit, sizeof(r->first_to_emit), "%.*s", ARVO_FMT(value));
}

static void
span_number(void *self, arvo_span *span, arvo_str key, double value)
{
    (void)self;
    (void)span;
    (void)key;
    (void)value;
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
span_end(void *self, arvo_span *span, arvo_str error_type, arvo_str error_message)
{
    (void)error_message;
    recorder *r = self;
    const size_t i = (size_t)(uintptr_t)span - 1;
    assert_false(r->ended[i]);
    r->ended[i] = true;
    (void)snprintf(r->error_types[i], sizeof(r->error_types[0]), "%.*s", ARVO_FMT(error_type));
}

static void
measure(void *self, arvo_measure which, double value)
{
    ((recorder *)self)->measures[which] += value;
}

static arvo_telemetry
recorder_table(recorder *r)
{
    return (arvo_telemetry){ .version = ARVO_TELEMETRY_OPS_VERSION,
                             .span_start = span_start,
                             .span_str = span_str,
                             .span_number = span_number,
                             .span_log = span_log,
                             .span_end = span_end,
                             .measure = measure,
                             .self = r };
}

static void
test_orchestrator_trace__spans_show_every_phase(void **state)
{
    (void)state;
    static const char *const names[] = { "Orchestrator<#/orc/order>@<arvo.orc.order>",
                                         "Lock",
                                         "Read",
                                         "Resolve Machine",
                                         "Execute Machine",
                                         "createArvoEvent<com.payment.charge>",
                                         "Commit" };
    recorder r = { 0 };
    const arvo_telemetry table = recorder_table(&r);
    fixture f;
    fixture_open_with(&f, (arvo_orchestrator_opts){ .telemetry = &table });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    arvo_event start = fixture_start(&f, subject, "plain");
    start.traceparent = ARVO_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_ok(fixture_execute(&f, &start), f.err);

    assert_int_equal(r.count, ARVO_COUNT_OF(names));
    for (size_t i = 0; i < r.count; i++) {
        assert_string_equal(r.names[i], names[i]);
        assert_true(r.ended[i]);
        assert_string_equal(r.error_types[i], "");
        assert_true(r.has_parent[i]);
    }
    assert_int_equal(r.parents[0][0], 0x00); /* the event's */
    assert_int_equal(r.parents[0][1], 0xf0);
    assert_int_equal(r.parents[1][0], 1); /* the span's own */
    assert_string_equal(r.status, "active");
    assert_string_equal(r.first_to_emit, "com.payment.charge");
    assert_true(r.logs > 0);
    assert_int_equal(r.measures[ARVO_MEASURE_EVENTS_IN], 1);
    assert_int_equal(r.measures[ARVO_MEASURE_EVENTS_OUT], 1);
    assert_true(r.measures[ARVO_MEASURE_TOTAL_NS] > 0);
    /* What is emitted belongs to the span. */
    assert_str_is(
        f.result.all.items[0]->traceparent,
        "00-abababababababababababababababab-0101010101010101-01");

    const arvo_event bad = fixture_event(&f, "evt.payment.charge.success", subject, "{}");
    r.count = 0;
    memset(r.ended, 0, sizeof(r.ended));
    assert_ok(fixture_execute(&f, &bad), f.err);
    assert_string_equal(r.error_types[0], "ContractViolation");
    assert_int_equal(r.measures[ARVO_MEASURE_EVENTS_FAILED], 1);
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_int_equal(r.measures[ARVO_MEASURE_EVENTS_DEDUPLICATED], 1);
    fixture_close(&f);
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
    recorder r = { 0 };
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
    assert_int_equal(r.count, 1);
    assert_string_equal(r.names[0], "ArvoEventHandler<#/services/payment>");
    assert_true(r.ended[0]);
    assert_string_equal(r.error_types[0], "");
    assert_true(r.has_parent[0]);
    assert_string_equal(r.first_to_emit, "evt.payment.charge.success");
    assert_str_is(
        answers.items[0]->traceparent, "00-abababababababababababababababab-0101010101010101-01");
    assert_str_is(answers.items[0]->tracestate, "k=v");

    /* A failure ends it with the error's name, a violation with the status'. */
    opts.user = &r;
    handler = NULL;
    assert_ok(arvo_handler_create(&opts, &handler, &f.err), f.err);
    assert_ok(arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), f.err);
    assert_string_equal(r.error_types[1], "Declined");
    event.type = ARVO_STR("com.payment.refund");
    assert_int_equal(
        arvo_handler_execute(handler, &event, f.arena, &answers, &f.err), ARVO_E_CONFIG);
    assert_string_equal(r.error_types[2], arvo_status_name(ARVO_E_CONFIG));
    assert_true(r.ended[2]);
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
        cmocka_unit_test(test_orchestrator_trace__a_handler_has_a_span_of_its_own),
        cmocka_unit_test(test_orchestrator_trace__memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
