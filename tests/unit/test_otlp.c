/* The exporter without a network: settings, sampling, what a request looks like, what a receiver
 * may answer, and memory that runs out. Receivers that misbehave: tests/e2e/test_telemetry.py. */

#include "../support.h"

#include "telemetry/otlp_internal.h"

/* ---- Settings -------------------------------------------------------------------------- */

typedef struct given {
    const char *const *pairs; /* NAME, VALUE, ..., NULL */
    unsigned warnings;
    char last[640];
} given;

static const char *
look_up(void *user, const char *name)
{
    const given *g = user;
    for (const char *const *pair = g->pairs; *pair != NULL; pair += 2)
        if (strcmp(pair[0], name) == 0)
            return pair[1];
    return NULL;
}

static void
take_warning(void *user, const char *line)
{
    given *g = user;
    g->warnings++;
    (void)snprintf(g->last, sizeof(g->last), "%s", line);
}

static otlp_settings
read_settings(given *g, const char *const *pairs)
{
    *g = (given){ .pairs = pairs };
    const arvo_otlp_opts opts = { .setting = look_up, .warn = take_warning, .user = g };
    otlp_settings settings = { .arena = arvo_arena_new(NULL) };
    assert_non_null(settings.arena);
    assert_true(arvo__otlp_settings_read(&opts, &settings));
    return settings;
}

static void
test_otlp__defaults_are_those_of_the_specification(void **state)
{
    (void)state;
    static const char *const none[] = { NULL };
    given g;
    otlp_settings s = read_settings(&g, none);
    const otlp_target *traces = &s.targets[ARVO_OTLP_TRACES];
    assert_string_equal(traces->url, "http://localhost:4318/v1/traces");
    assert_false(traces->json || traces->gzip);
    assert_int_equal(s.sampler, OTLP_ALWAYS_ON);
    assert_true(s.parent_decides && traces->exports);
    assert_int_equal(traces->timeout_ms, 10000);
    assert_int_equal(traces->export_ms, 30000);
    assert_int_equal(traces->delay_ms, 5000);
    assert_int_equal(traces->queue_max, 2048);
    assert_int_equal(traces->batch_max, 512);
    assert_int_equal(s.attributes_max, 128);
    assert_str_is(s.resource[0].key, "service.name");
    assert_str_is(s.resource[0].value, "unknown_service:arvo");
    assert_int_equal(g.warnings, 0);
    arvo_arena_free(s.arena);
}

static void
test_otlp__settings_are_read_or_named(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        unsigned warnings;
    } cases[] = {
        { "OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318", 0 },
        { "OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector", 1 },
        { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://", 1 },
        { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://a b", 1 },
        { "OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/JSON", 0 },
        { "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 1 },
        { "OTEL_TRACES_SAMPLER", "jaeger_remote", 1 },
        { "OTEL_TRACES_SAMPLER", "", 0 },
        { "OTEL_BSP_MAX_QUEUE_SIZE", "0", 1 },
        { "OTEL_BSP_MAX_QUEUE_SIZE", "12x", 1 },
        { "OTEL_BSP_MAX_QUEUE_SIZE", "99999999999999999999", 1 },
        { "OTEL_BSP_SCHEDULE_DELAY", "1", 0 },
        { "OTEL_TRACES_EXPORTER", "zipkin", 1 },
        { "OTEL_METRICS_EXPORTER", "prometheus", 1 },
        { "OTEL_METRIC_EXPORT_INTERVAL", "1000", 0 },
        { "OTEL_METRIC_EXPORT_INTERVAL", "soon", 1 },
        { "OTEL_EXPORTER_OTLP_TIMEOUT", "0", 1 }, /* once, though two signals read it */
        { "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Cumulative", 0 },
        { "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta", 1 },
        { "OTEL_SDK_DISABLED", "perhaps", 1 },
        { "OTEL_EXPORTER_OTLP_HEADERS", "a=b,c=%41%zz", 0 },
        { "OTEL_EXPORTER_OTLP_HEADERS", "a=x%0d%0ab: c", 1 },
        { "OTEL_EXPORTER_OTLP_HEADERS", "=b", 1 },
        { "OTEL_RESOURCE_ATTRIBUTES", "a=%ff", 1 },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const char *const pairs[] = { cases[i].name, cases[i].value, NULL };
        given g;
        otlp_settings s = read_settings(&g, pairs);
        if (g.warnings != cases[i].warnings)
            fail_msg("%s=%s: %u warnings", cases[i].name, cases[i].value, g.warnings);
        if (g.warnings > 0)
            assert_non_null(strstr(g.last, cases[i].name));
        arvo_arena_free(s.arena);
    }
}

static void
test_otlp__secrets_are_masked_and_lists_are_decoded(void **state)
{
    (void)state;
    static const char *const pairs[] = { "OTEL_EXPORTER_OTLP_ENDPOINT",
                                         "https://user:pass@host:1/base//",
                                         "OTEL_EXPORTER_OTLP_HEADERS",
                                         " a = b%20c , d=e=f ",
                                         "OTEL_SERVICE_NAME",
                                         "mine",
                                         "OTEL_RESOURCE_ATTRIBUTES",
                                         "service.name=other,k=v",
                                         NULL };
    given g;
    otlp_settings s = read_settings(&g, pairs);
    assert_string_equal(s.targets[ARVO_OTLP_TRACES].url, "https://user:pass@host:1/base/v1/traces");
    assert_string_equal(s.targets[ARVO_OTLP_TRACES].url_shown, "https://***@host:1/base/v1/traces");
    assert_int_equal(s.targets[ARVO_OTLP_TRACES].header_count, 2);
    assert_str_is(s.targets[ARVO_OTLP_TRACES].headers[0].key, "a");
    assert_str_is(s.targets[ARVO_OTLP_TRACES].headers[0].value, "b c");
    assert_str_is(s.targets[ARVO_OTLP_TRACES].headers[1].value, "e=f");
    assert_str_is(s.resource[0].value, "mine");
    assert_str_is(s.resource[1].key, "k");
    arvo_arena_free(s.arena);
}

static void
test_otlp__wanted_only_when_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *pairs[7];
        bool wanted;
    } cases[] = {
        { { NULL }, false },
        { { "OTEL_SERVICE_NAME", "x", NULL }, false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://h", NULL }, true },
        { { "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://h", NULL }, true },
        { { "OTEL_TRACES_EXPORTER", "otlp", NULL }, true },
        { { "OTEL_METRICS_EXPORTER", "otlp", NULL }, true },
        { { "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://h", NULL }, true },
        { { "OTEL_TRACES_EXPORTER", "none", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://h", NULL },
          true }, /* metrics */
        { { "OTEL_TRACES_EXPORTER", "none", "OTEL_METRICS_EXPORTER", "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT", "http://h", NULL },
          false },
        { { "OTEL_SDK_DISABLED", "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://h", NULL }, false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "", NULL }, false },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        given g = { .pairs = cases[i].pairs };
        const arvo_otlp_opts opts = { .setting = look_up, .user = &g };
        assert_int_equal(arvo_otlp_is_wanted(&opts), cases[i].wanted);
    }
}

static void
test_otlp__signals_have_settings_of_their_own(void **state)
{
    (void)state;
    static const char *const pairs[] = { "OTEL_EXPORTER_OTLP_ENDPOINT",
                                         "http://all:1/",
                                         "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
                                         "http://m:2/x",
                                         "OTEL_EXPORTER_OTLP_PROTOCOL",
                                         "http/json",
                                         "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
                                         "http/protobuf",
                                         "OTEL_EXPORTER_OTLP_HEADERS",
                                         "a=b",
                                         "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
                                         "c=d,e=f",
                                         "OTEL_METRIC_EXPORT_INTERVAL",
                                         "250",
                                         "OTEL_TRACES_EXPORTER",
                                         "none",
                                         NULL };
    given g;
    otlp_settings s = read_settings(&g, pairs);
    const otlp_target *traces = &s.targets[ARVO_OTLP_TRACES];
    const otlp_target *metrics = &s.targets[ARVO_OTLP_METRICS];
    assert_string_equal(traces->url, "http://all:1/v1/traces");
    assert_string_equal(metrics->url, "http://m:2/x");
    assert_true(traces->json && !metrics->json);
    assert_int_equal(traces->header_count, 1);
    assert_int_equal(metrics->header_count, 2);
    assert_int_equal(traces->delay_ms, 5000);
    assert_int_equal(metrics->delay_ms, 250);
    assert_int_equal(metrics->export_ms, 30000);
    assert_true(!traces->exports && metrics->exports);
    assert_int_equal(g.warnings, 0);
    arvo_arena_free(s.arena);

    /* One that is asked for by name, and no endpoint: the others are not. */
    static const char *const one[] = { "OTEL_TRACES_EXPORTER", "otlp", NULL };
    s = read_settings(&g, one);
    assert_true(s.targets[ARVO_OTLP_TRACES].exports && !s.targets[ARVO_OTLP_METRICS].exports);
    arvo_arena_free(s.arena);
}

/* ---- Sampling and spans -------------------------------------------------------------------- */

/* An exporter whose threads do not run: what ends stays in the queue. */
static void
still_begin(arvo_otlp *otlp, const char *const *pairs, given *g)
{
    *otlp = (arvo_otlp){ .settings = read_settings(g, pairs) };
    assert_true(arvo__otlp_pipes_init(otlp));
    otlp->table = arvo__otlp_table(otlp);
}

static void
still_end(arvo_otlp *otlp)
{
    arvo__otlp_pipes_fini(otlp);
    arvo_arena_free(otlp->settings.arena);
}

static void
test_otlp__a_ratio_is_kept_and_is_the_same_for_a_trace(void **state)
{
    (void)state;
    static const char *const pairs[] = { "OTEL_TRACES_SAMPLER",
                                         "traceidratio",
                                         "OTEL_TRACES_SAMPLER_ARG",
                                         "0.25",
                                         "OTEL_BSP_MAX_QUEUE_SIZE",
                                         "100000",
                                         NULL };
    given g;
    arvo_otlp otlp;
    still_begin(&otlp, pairs, &g);
    const arvo_telemetry *t = &otlp.table;
    unsigned taken = 0;
    for (unsigned i = 0; i < 8000; i++) {
        arvo_trace_context own = { .flags = 0 }, again = { .flags = 0 };
        const arvo_span_opts opts = { .name = ARVO_STR("a"), .kind = ARVO_SPAN_PRODUCER };
        arvo_span *span = t->span_start(t->self, &opts, &own);
        assert_int_equal(own.flags, span != NULL);
        const arvo_span_opts child = { .name = ARVO_STR("b"),
                                       .kind = ARVO_SPAN_PRODUCER,
                                       .parent = &own };
        arvo_span *below = t->span_start(t->self, &child, &again);
        assert_int_equal(span != NULL, below != NULL);
        taken += span != NULL;
        if (span != NULL) {
            assert_memory_equal(below->parent_id, own.span_id, 8);
            assert_memory_equal(again.trace_id, own.trace_id, 16);
            assert_memory_not_equal(again.span_id, own.span_id, 8);
            t->span_end(t->self, below, 2, ARVO_STR_NONE, ARVO_STR_NONE);
            t->span_end(t->self, span, 2, ARVO_STR_NONE, ARVO_STR_NONE);
        }
    }
    assert_in_range(taken, 1700, 2300); /* 2000, and eight standard deviations */
    assert_int_equal(otlp.pipes[ARVO_OTLP_TRACES].counts.items, 2 * taken);
    still_end(&otlp);
}

static void
test_otlp__the_parents_decision_is_respected(void **state)
{
    (void)state;
    static const struct {
        const char *sampler;
        uint8_t flags;
        bool taken;
    } cases[] = {
        { "parentbased_always_off", 1, true },
        { "parentbased_always_on", 0, false },
        { "always_off", 1, false },
        { "always_on", 0, true },
        { "parentbased_traceidratio", 1, true },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        const char *const pairs[] = { "OTEL_TRACES_SAMPLER", cases[i].sampler,
                                      "OTEL_TRACES_SAMPLER_ARG", "0", NULL };
        given g;
        arvo_otlp otlp;
        still_begin(&otlp, pairs, &g);
        const arvo_trace_context parent = { { 1 }, { 2 }, cases[i].flags };
        arvo_trace_context own = { .flags = 0 };
        const arvo_span_opts opts = { .name = ARVO_STR("a"),
                                      .kind = ARVO_SPAN_PRODUCER,
                                      .parent = &parent };
        arvo_span *span = otlp.table.span_start(&otlp, &opts, &own);
        assert_int_equal(span != NULL, cases[i].taken);
        if (span != NULL)
            otlp.table.span_end(&otlp, span, 1, ARVO_STR_NONE, ARVO_STR_NONE);
        else if (cases[i].flags != 0) /* who comes next is told */
            assert_true(own.flags == 0 && own.trace_id[0] == 1 && own.span_id[0] == 2);
        else
            assert_int_equal(own.trace_id[0], 0); /* the header says so already */
        still_end(&otlp);
    }
}

static void
test_otlp__a_full_queue_takes_no_more(void **state)
{
    (void)state;
    static const char *const pairs[] = { "OTEL_BSP_MAX_QUEUE_SIZE", "40", NULL };
    given g;
    arvo_otlp otlp;
    still_begin(&otlp, pairs, &g);
    const arvo_trace_context parent = { { 1 }, { 2 }, 1 };
    const arvo_span_opts execution = { .name = ARVO_STR("a"), .kind = ARVO_SPAN_CONSUMER };
    const arvo_span_opts phase = { .name = ARVO_STR("b"), .parent = &parent };
    arvo_trace_context own = { .flags = 0 };
    for (unsigned i = 0; i < 50; i++) {
        arvo_span *span = otlp.table.span_start(&otlp, &phase, &own); /* of one under way */
        assert_non_null(span);
        otlp.table.span_end(&otlp, span, 1, ARVO_STR_NONE, ARVO_STR_NONE);
    }
    assert_int_equal(atomic_load(&otlp.pipes[ARVO_OTLP_TRACES].queued), 40);
    assert_int_equal(otlp.pipes[ARVO_OTLP_TRACES].counts.dropped, 10);
    assert_null(otlp.table.span_start(&otlp, &execution, &own));
    assert_int_equal(atomic_load(&otlp.not_recorded), 1);
    assert_int_equal(own.trace_id[0], 0);
    still_end(&otlp);
}

/* ---- Requests ------------------------------------------------------------------------------- */

/* One span with everything in it, as a request. */
static void
write_one(bool json, arvo_buf *out)
{
    static const char *const pairs[] = { "OTEL_SERVICE_NAME", "s", NULL };
    given g;
    arvo_otlp otlp;
    still_begin(&otlp, pairs, &g);
    otlp.settings.targets[ARVO_OTLP_TRACES].json = json;
    otlp.settings.resource_count = 1; /* the rest differs from run to run */
    otlp.settings.attributes_max = 2;
    const arvo_trace_context parent = { { 0xab, 1 }, { 2 }, 1 };
    const arvo_trace_context other = { { 3 }, { 4 }, 1 };
    arvo_trace_context own;
    const arvo_span_opts opts = { .name = ARVO_STR("n"),
                                  .kind = ARVO_SPAN_PRODUCER,
                                  .parent = &parent,
                                  .tracestate = ARVO_STR("k=v"),
                                  .start_ns = 5 };
    arvo_span *span = otlp.table.span_start(&otlp, &opts, &own);
    memset(span->context.span_id, 0x11, 8);
    otlp.table.span_str(&otlp, span, ARVO_STR("a\"b"), ARVO_STR("\xc3\xa9"));
    otlp.table.span_number(&otlp, span, ARVO_STR("x"), -2);
    otlp.table.span_str(&otlp, span, ARVO_STR("more"), ARVO_STR("")); /* one too many */
    otlp.table.span_link(&otlp, span, &other);
    otlp.table.span_end(&otlp, span, 9, ARVO_STR("E"), ARVO_STR("m"));
    *out = ARVO_BUF_INIT(100000);
    arvo__otlp_write_spans(&otlp.settings, otlp.pipes[ARVO_OTLP_TRACES].queue, 1000, out);
    assert_int_equal(out->status, ARVO_OK);
    still_end(&otlp);
}

static void
test_otlp__a_request_in_json(void **state)
{
    (void)state;
    static const char expected[] =
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":\"s\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"arvo-instrumentation\","
        "\"version\":\"1.0.0\"},\"spans\":[{\"traceId\":\"ab010000000000000000000000000000\","
        "\"spanId\":\"1111111111111111\",\"parentSpanId\":\"0200000000000000\",\"name\":\"n\","
        "\"traceState\":\"k=v\",\"kind\":4,\"startTimeUnixNano\":\"1005\",\"endTimeUnixNano\":"
        "\"1009\",\"flags\":1,\"attributes\":[{\"key\":\"a\\\"b\",\"value\":{\"stringValue\":"
        "\"\xc3\xa9\"}},{\"key\":\"x\",\"value\":{\"intValue\":\"-2\"}},{\"key\":\"error.type\","
        "\"value\":{\"stringValue\":\"E\"}},{\"key\":\"exception.type\",\"value\":{\"stringValue\":"
        "\"E\"}},{\"key\":\"exception.message\",\"value\":{\"stringValue\":\"m\"}}],"
        "\"droppedAttributesCount\":1,\"events\":[{\"timeUnixNano\":\"1009\",\"name\":\"exception\""
        ",\"attributes\":[{\"key\":\"exception.type\",\"value\":{\"stringValue\":\"E\"}},{\"key\":"
        "\"exception.message\",\"value\":{\"stringValue\":\"m\"}}]}],\"links\":[{\"traceId\":"
        "\"03000000000000000000000000000000\",\"spanId\":\"0400000000000000\",\"flags\":1}],"
        "\"status\":{\"message\":\"m\",\"code\":2}}]}]}]}";
    arvo_buf out;
    write_one(true, &out);
    assert_str_is(arvo_buf_str(&out), expected);
    arvo_buf_fini(&out);
}

static void
test_otlp__numbers_ignore_the_locale(void **state)
{
    (void)state;
    static const char *const pairs[] = { "OTEL_TRACES_SAMPLER", "traceidratio",
                                         "OTEL_TRACES_SAMPLER_ARG", "0.25", NULL };
    support_comma_locale();
    given g;
    otlp_settings settings = read_settings(&g, pairs);
    arvo_buf out = ARVO_BUF_INIT(1000);
    otlp_writer w;
    arvo__otlp_open(&w, &out, true);
    arvo__otlp_double(&w, (otlp_field){ 1, "a" }, 0.5);
    arvo__otlp_double(&w, (otlp_field){ 2, "b" }, -1e300);
    arvo__otlp_close_message(&w);
    (void)setlocale(LC_ALL, "C");
    assert_str_is(arvo_buf_str(&out), "{\"a\":0.5,\"b\":-1e+300}");
    assert_true(settings.ratio_bound == UINT64_C(1) << 61);
    assert_int_equal(g.warnings, 0);
    arvo_buf_fini(&out);
    arvo_arena_free(settings.arena);
}

/* Members in the order in which they stand, at any depth: what the bytes say without definitions.
 */
static void
test_otlp__a_request_in_protobuf(void **state)
{
    (void)state;
    arvo_buf out;
    write_one(false, &out);
    const uint8_t *p = (const uint8_t *)out.ptr;
    assert_int_equal(p[0], 1 << 3 | 2); /* resource_spans, of two length bytes */
    assert_int_equal((p[1] & 0x7f) + 128 * p[2], out.len - 3);
    assert_int_equal(p[3], 1 << 3 | 2); /* resource */
    static const uint8_t attribute[] = { 0x0a, 0x13, 0x0a, 0x0c, 's',  'e', 'r',
                                         'v',  'i',  'c',  'e',  '.',  'n', 'a',
                                         'm',  'e',  0x12, 3,    0x0a, 1,   's' };
    assert_memory_equal(p + 5, attribute, 2);
    assert_memory_equal(p + 7, attribute + 2, sizeof(attribute) - 2);
    static const uint8_t number[] = { 0x4a, 0x12, 0x0a, 1,    'x',  0x12, 0x0b, 0x18, 0xfe,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };
    static const uint8_t times[] = { 0x39, 0xed, 3, 0, 0, 0, 0, 0, 0,
                                     0x41, 0xf1, 3, 0, 0, 0, 0, 0, 0 };
    assert_non_null(memmem(out.ptr, out.len, number + 2, sizeof(number) - 2));
    assert_non_null(memmem(out.ptr, out.len, times, sizeof(times)));
    static const uint8_t status[] = { 15 << 3 | 2, 5, 2 << 3 | 2, 1, 'm', 3 << 3, 2 };
    assert_memory_equal(p + out.len - sizeof(status), status, sizeof(status));
    arvo_buf_fini(&out);
}

static size_t
observe_two(void *user, arvo_metrics_sample *out)
{
    (void)user;
    out[0] = (arvo_metrics_sample){ .family = 0, .label = "a", .value = 2.5 };
    out[1] = (arvo_metrics_sample){ .family = 1, .value = 7 };
    return 2;
}

/* A histogram, a sum, and a source's gauge and count as a request. */
static uint64_t
write_measured(bool json, arvo_buf *out)
{
    static const char *const pairs[] = { "OTEL_SERVICE_NAME", "s", NULL };
    static const arvo_metrics_family families[] = {
        { .name = "g_bytes", .help = "G.", .unit = "bytes", .label = "k" },
        { .name = "c", .help = "C.", .is_counter = true },
    };
    const arvo_metrics_source source = { families, 2, observe_two, NULL };
    given g;
    otlp_settings settings = read_settings(&g, pairs);
    settings.targets[ARVO_OTLP_METRICS].json = json;
    settings.resource_count = 1;
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    const arvo_telemetry *t = arvo_metrics_telemetry(metrics);
    const arvo_labels labels = { .handler = ARVO_STR("h"), .detail = ARVO_STR("d") };
    t->measure(t->self, ARVO_MEASURE_COMMIT_NS, 2000, &labels);
    t->measure(t->self, ARVO_MEASURE_COMMIT_NS, 1e11, &labels);
    t->measure(t->self, ARVO_MEASURE_EVENTS_OUT, 3, &labels);
    assert_int_equal(arvo_metrics_add(metrics, &source, NULL), ARVO_OK);
    *out = ARVO_BUF_INIT(100000);
    const uint64_t points = arvo__otlp_write_metrics(&settings, metrics, 1234567890123, out);
    assert_int_equal(out->status, ARVO_OK);
    arvo_metrics_free(metrics);
    arvo_arena_free(settings.arena);
    return points;
}

static void
test_otlp__metrics_in_json(void **state)
{
    (void)state;
    arvo_buf out;
    arvo_arena *arena = arvo_arena_new(NULL);
    const uint64_t points = write_measured(true, &out);
    arvo_buf_append_char(&out, '\0');
    static const char *const parts[] = {
        "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":\"s\"}}]},\"scopeMetrics\":[{\"scope\":{\"name\":"
        "\"arvo-instrumentation\",\"version\":\"1.0.0\"},\"metrics\":[{\"name\":"
        "\"arvo_commit_seconds\",\"description\":\"Time to commit an outcome to the store.\","
        "\"unit\":\"s\",\"histogram\":{\"dataPoints\":[{\"startTimeUnixNano\":\"",
        "\"timeUnixNano\":\"1234567890123\",\"count\":\"2\",\"sum\":100.000002,\"bucketCounts\":["
        "\"0\",\"1\",\"0\",",
        ",\"1\"],\"explicitBounds\":[0.000001,0.0000025,",
        ",5,10],\"attributes\":[{\"key\":\"handler\",\"value\":{\"stringValue\":\"h\"}}]}],"
        "\"aggregationTemporality\":2}}",
        "\"asInt\":\"3\",\"attributes\":[{\"key\":\"handler\",\"value\":{\"stringValue\":\"h\"}},{"
        "\"key\":\"domain\",\"value\":{\"stringValue\":\"d\"}}]}],\"aggregationTemporality\":2,"
        "\"isMonotonic\":true}}",
        "{\"name\":\"g_bytes\",\"description\":\"G.\",\"unit\":\"By\",\"gauge\":{\"dataPoints\":[{"
        "\"timeUnixNano\":\"1234567890123\",\"asDouble\":2.5,\"attributes\":[{\"key\":\"k\","
        "\"value\":{\"stringValue\":\"a\"}}]}]}}",
        "\"asDouble\":7}],\"aggregationTemporality\":2,\"isMonotonic\":true}}]}]}]}",
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(parts); i++)
        if (strstr(out.ptr, parts[i]) == NULL)
            fail_msg("missing: %s\n%s", parts[i], out.ptr);
    size_t found = 0;
    for (const char *at = out.ptr; (at = strstr(at, "\"timeUnixNano\"")) != NULL; at++)
        found++;
    assert_int_equal(found, points);
    assert_non_null(support_json(arena, out.ptr));
    arvo_arena_free(arena);
    arvo_buf_fini(&out);
}

static void
test_otlp__metrics_in_protobuf(void **state)
{
    (void)state;
    arvo_buf out;
    (void)write_measured(false, &out);
    static const uint8_t buckets[] = { 6 << 3 | 2, 0xb8, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
    static const uint8_t bounds[] = { 7 << 3 | 2, 0xb0, 0x01 };
    static const uint8_t monotonic[] = { 2 << 3, 2, 3 << 3, 1 };
    assert_non_null(memmem(out.ptr, out.len, buckets, sizeof(buckets)));
    assert_non_null(memmem(out.ptr, out.len, bounds, sizeof(bounds)));
    assert_non_null(memmem(out.ptr, out.len, monotonic, sizeof(monotonic)));
    assert_memory_equal(out.ptr + out.len - sizeof(monotonic), monotonic, sizeof(monotonic));
    arvo_buf_fini(&out);
}

/* ---- Answers -----------------------------------------------------------------------------------
 */

static void
test_otlp__answers_are_read_whatever_they_are(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        bool json, ok;
        int64_t rejected;
        const char *message;
    } cases[] = {
        { "", 0, false, true, 0, NULL },
        { "\x0a\x06\x08\x07\x12\x02no", 8, false, true, 7, "no" },
        { "\x12\x01x\x0a\x02\x08\x80", 7, false, false, 0, NULL }, /* cut in a number */
        { "\x0a\x7f", 2, false, false, 0, NULL },                  /* longer than there is */
        { "\x0b", 1, false, false, 0, NULL },                      /* a group */
        { "\x00\x00", 2, false, false, 0, NULL },                  /* number 0 */
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, false, false, 0, NULL },
        { "{}", 0, true, true, 0, NULL },
        { "[]", 0, true, false, 0, NULL },
        { "{\"partialSuccess\":{\"rejectedSpans\":\"x\"}}", 0, true, false, 0, NULL },
        { "{\"partialSuccess\":{\"rejectedSpans\":3,\"errorMessage\":\"e\"}}", 0, true, true, 3,
          "e" },
        { "{", 0, true, false, 0, NULL },
    };
    arvo_arena *arena = arvo_arena_new(NULL);
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        int64_t rejected = -1;
        arvo_str message;
        const size_t len = cases[i].json ? strlen(cases[i].text) : cases[i].len;
        /* In a piece of its own, so that reading past the end is seen. */
        char *copy = malloc(len + (len == 0));
        memcpy(copy, cases[i].text, len);
        const bool ok = arvo__otlp_read_response(
            &arvo__otlp_signals[ARVO_OTLP_TRACES], (arvo_str){ copy, len }, cases[i].json, arena,
            &rejected, &message);
        if (ok != cases[i].ok)
            fail_msg("case %zu", i);
        if (ok) {
            assert_int_equal(rejected, cases[i].rejected);
            assert_true(arvo_str_equal(message, arvo_str_from(cases[i].message)));
        }
        free(copy);
    }
    arvo_arena_free(arena);
}

/* ---- Life
 * ------------------------------------------------------------------------------------------
 */

static const char *const to_nobody[] = { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1",
                                         NULL };

static void
test_otlp__closing_keeps_its_deadline(void **state)
{
    (void)state;
    given g = { .pairs = to_nobody };
    const arvo_otlp_opts opts = { .setting = look_up, .user = &g };
    arvo_otlp *otlp = NULL;
    arvo_error err = { 0 };
    const arvo_status st = arvo_otlp_open(&opts, &otlp, &err);
    if (st == ARVO_E_UNSUPPORTED)
        skip();
    assert_int_equal(st, ARVO_OK);
    const arvo_telemetry *t = arvo_otlp_telemetry(otlp);
    assert_int_equal(arvo_telemetry_check(t, &err), ARVO_OK);
    const arvo_span_opts span_opts = { .name = ARVO_STR("a"), .kind = ARVO_SPAN_PRODUCER };
    arvo_trace_context own = { .flags = 0 };
    arvo_span *span = t->span_start(t->self, &span_opts, &own);
    t->span_end(t->self, span, 1, ARVO_STR_NONE, ARVO_STR_NONE);
    assert_false(arvo_otlp_flush(otlp, 1));
    arvo_otlp_counts all[ARVO_OTLP_SIGNAL_COUNT];
    arvo_otlp_close(otlp, 1, all);
    const arvo_otlp_counts counts = all[ARVO_OTLP_TRACES];
    assert_int_equal(counts.items, 1);
    assert_int_equal(counts.dropped, 1);
    assert_int_equal(counts.exported, 0);
    arvo_otlp_close(NULL, 1, NULL);
}

/* For ever is a time too: nothing that was there is given up for want of it. */
static void
test_otlp__a_deadline_may_be_any_time(void **state)
{
    (void)state;
    static const char *const pairs[] = { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1",
                                         "OTEL_BSP_EXPORT_TIMEOUT", "1", NULL };
    given g = { .pairs = pairs };
    const arvo_otlp_opts opts = { .setting = look_up, .user = &g };
    arvo_otlp *otlp = NULL;
    arvo_error err = { 0 };
    const arvo_status st = arvo_otlp_open(&opts, &otlp, &err);
    if (st == ARVO_E_UNSUPPORTED)
        skip();
    assert_int_equal(st, ARVO_OK);
    assert_true(arvo_otlp_flush(otlp, INT64_MAX));
    const arvo_telemetry *t = arvo_otlp_telemetry(otlp);
    const arvo_span_opts span_opts = { .name = ARVO_STR("a"), .kind = ARVO_SPAN_PRODUCER };
    arvo_trace_context own = { .flags = 0 };
    arvo_span *span = t->span_start(t->self, &span_opts, &own);
    t->span_end(t->self, span, 1, ARVO_STR_NONE, ARVO_STR_NONE);
    arvo_otlp_counts counts[ARVO_OTLP_SIGNAL_COUNT];
    arvo_otlp_close(otlp, INT64_MAX, counts);
    assert_int_equal(counts[ARVO_OTLP_TRACES].requests, 1);
}

static void
test_otlp__memory_may_run_out_anywhere(void **state)
{
    (void)state;
    given g = { .pairs = to_nobody };
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        const arvo_otlp_opts opts = { .allocator = &allocator, .setting = look_up, .user = &g };
        arvo_otlp *otlp = NULL;
        arvo_error err = { 0 };
        const arvo_status st = arvo_otlp_open(&opts, &otlp, &err);
        if (st == ARVO_E_UNSUPPORTED)
            skip();
        if (st == ARVO_OK) {
            arvo_trace_context own = { .flags = 0 };
            const arvo_span_opts span_opts = { .name = ARVO_STR("a"), .kind = ARVO_SPAN_PRODUCER };
            arvo_span *span = otlp->table.span_start(otlp, &span_opts, &own);
            for (unsigned i = 0; i < 30 && span != NULL; i++)
                otlp->table.span_str(
                    otlp, span, ARVO_STR("key"),
                    ARVO_STR("a value that is long enough to make the span grow, now and then"));
            if (span != NULL)
                otlp->table.span_end(otlp, span, 1, ARVO_STR_NONE, ARVO_STR_NONE);
        } else {
            assert_int_equal(st, ARVO_E_NOMEM);
            failures++;
        }
        arvo_otlp_close(otlp, 0, NULL);
        assert_int_equal(heap.live, 0);
        if (heap.calls < n)
            break;
    }
    assert_true(failures >= 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_otlp__defaults_are_those_of_the_specification),
        cmocka_unit_test(test_otlp__settings_are_read_or_named),
        cmocka_unit_test(test_otlp__secrets_are_masked_and_lists_are_decoded),
        cmocka_unit_test(test_otlp__wanted_only_when_asked_for),
        cmocka_unit_test(test_otlp__signals_have_settings_of_their_own),
        cmocka_unit_test(test_otlp__a_ratio_is_kept_and_is_the_same_for_a_trace),
        cmocka_unit_test(test_otlp__the_parents_decision_is_respected),
        cmocka_unit_test(test_otlp__a_full_queue_takes_no_more),
        cmocka_unit_test(test_otlp__a_request_in_json),
        cmocka_unit_test(test_otlp__numbers_ignore_the_locale),
        cmocka_unit_test(test_otlp__a_request_in_protobuf),
        cmocka_unit_test(test_otlp__metrics_in_json),
        cmocka_unit_test(test_otlp__metrics_in_protobuf),
        cmocka_unit_test(test_otlp__answers_are_read_whatever_they_are),
        cmocka_unit_test(test_otlp__closing_keeps_its_deadline),
        cmocka_unit_test(test_otlp__a_deadline_may_be_any_time),
        cmocka_unit_test(test_otlp__memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests_name("otlp", tests, NULL, NULL);
}
