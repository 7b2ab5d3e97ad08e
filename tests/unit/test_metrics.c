/* Counting: series, buckets, labels, threads, and what is written of it. */

#include "../support.h"

#include <pthread.h>

#include "telemetry/metrics_internal.h"

static void
measure(
    const arvo_metrics *metrics, arvo_measure what, double value, const char *handler,
    const char *detail)
{
    const arvo_telemetry *t = arvo_metrics_telemetry(metrics);
    t->measure(
        t->self, what, value,
        &(arvo_labels){ .handler = arvo_str_from(handler), .detail = arvo_str_from(detail) });
}

/* Owned by the caller: free(). */
static char *
text_of(const arvo_metrics *metrics, arvo_metrics_format format)
{
    arvo_buf out = ARVO_BUF_INIT(1000000);
    arvo_metrics_write(metrics, format, &out);
    assert_int_equal(out.status, ARVO_OK);
    char *text = strndup(out.ptr, out.len);
    arvo_buf_fini(&out);
    return text;
}

static void
assert_has(const char *text, const char *line)
{
    const char *found = strstr(text, line);
    if (found == NULL || (found > text && found[-1] != '\n'))
        fail_msg("not there: %s\n%.3000s", line, text);
}

static void
test_metrics__times_go_into_buckets(void **state)
{
    (void)state;
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    static const double values[] = { 0, 1000, 1001, 2500, 9.9e9, 1e10, 1e11, -5 };
    for (size_t i = 0; i < ARVO_COUNT_OF(values); i++)
        measure(metrics, ARVO_MEASURE_COMMIT_NS, values[i], "a", NULL);
    char *text = text_of(metrics, ARVO_METRICS_PROMETHEUS);
    assert_has(text, "# TYPE arvo_commit_seconds histogram\n");
    assert_has(text, "arvo_commit_seconds_bucket{handler=\"a\",le=\"1e-06\"} 3\n");
    assert_has(text, "arvo_commit_seconds_bucket{handler=\"a\",le=\"2.5e-06\"} 5\n");
    assert_has(text, "arvo_commit_seconds_bucket{handler=\"a\",le=\"5\"} 5\n");
    assert_has(text, "arvo_commit_seconds_bucket{handler=\"a\",le=\"10\"} 7\n");
    assert_has(text, "arvo_commit_seconds_bucket{handler=\"a\",le=\"+Inf\"} 8\n");
    assert_has(text, "arvo_commit_seconds_count{handler=\"a\"} 8\n");
    assert_has(text, "arvo_commit_seconds_sum{handler=\"a\"} 119.900004501\n");
    assert_null(strstr(text, "arvo_read_seconds")); /* nothing was measured */
    free(text);
    arvo_metrics_free(metrics);
    arvo_metrics_free(NULL);
}

static void
test_metrics__numbers_ignore_the_locale(void **state)
{
    (void)state;
    support_comma_locale();
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    measure(metrics, ARVO_MEASURE_COMMIT_NS, 2500, "a", NULL);
    measure(metrics, ARVO_MEASURE_COMMIT_NS, 1.5e9, "a", NULL);
    char *text = text_of(metrics, ARVO_METRICS_PROMETHEUS);
    (void)setlocale(LC_ALL, "C");
    assert_has(text, "arvo_commit_seconds_bucket{handler=\"a\",le=\"2.5e-06\"} 1\n");
    assert_has(text, "arvo_commit_seconds_bucket{handler=\"a\",le=\"0.00025\"} 1\n");
    assert_has(text, "arvo_commit_seconds_bucket{handler=\"a\",le=\"2.5\"} 2\n");
    assert_has(text, "arvo_commit_seconds_sum{handler=\"a\"} 1.5000025\n");
    const char *start = strstr(text, "\nprocess_start_time_seconds ");
    assert_non_null(start);
    assert_null(memchr(start + 1, ',', strcspn(start + 1, "\n")));
    free(text);
    arvo_metrics_free(metrics);
}

static void
test_metrics__bounds_are_written_as_they_count(void **state)
{
    (void)state;
    for (size_t i = 0; i < METRICS_BOUNDS; i++) {
        char le[32];
        (void)snprintf(le, sizeof(le), "%.7g", (double)arvo__metrics_bounds[i].ns / 1e9);
        assert_string_equal(arvo__metrics_bounds[i].le, le);
    }
}

static void
test_metrics__counts_have_labels(void **state)
{
    (void)state;
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    measure(metrics, ARVO_MEASURE_EVENTS_OUT, 2, "a", "default");
    measure(metrics, ARVO_MEASURE_EVENTS_OUT, 3, "a", "default");
    measure(metrics, ARVO_MEASURE_EVENTS_OUT, 1, "a", "external");
    measure(metrics, ARVO_MEASURE_EVENTS_FAILED, 1, "a", "quote\" back\\ line\nend");
    measure(metrics, ARVO_MEASURE_EVENTS_IN, 1, "a", "not a label of this one");
    char *text = text_of(metrics, ARVO_METRICS_PROMETHEUS);
    assert_has(text, "# TYPE arvo_events_out_total counter\n");
    assert_has(text, "arvo_events_out_total{handler=\"a\",domain=\"default\"} 5\n");
    assert_has(text, "arvo_events_out_total{handler=\"a\",domain=\"external\"} 1\n");
    assert_has(
        text,
        "arvo_events_failed_total{handler=\"a\",error=\"quote\\\" back\\\\ line\\nend\"} 1\n");
    assert_has(text, "arvo_events_in_total{handler=\"a\"} 1\n");
    assert_has(text, "arvo_metrics_overflow_total 0\n");
    assert_null(strstr(text, "# EOF"));
    free(text);
    text = text_of(metrics, ARVO_METRICS_OPENMETRICS);
    assert_has(text, "# TYPE arvo_events_out counter\n");
    assert_has(text, "arvo_events_out_total{handler=\"a\",domain=\"default\"} 5\n");
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    free(text);
    arvo_metrics_free(metrics);
}

static void
test_metrics__labels_are_bounded(void **state)
{
    (void)state;
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    char name[400];
    for (unsigned i = 0; i < 2 * ARVO_METRICS_SERIES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "handler-%u", i);
        measure(metrics, ARVO_MEASURE_EVENTS_IN, 1, name, NULL);
    }
    measure(metrics, ARVO_MEASURE_EVENTS_IN, 1, "handler-3", NULL);
    measure(metrics, ARVO_MEASURE_EVENTS_IGNORED, 1, "handler-150", NULL); /* has room of its own */
    char *text = text_of(metrics, ARVO_METRICS_PROMETHEUS);
    assert_has(text, "arvo_events_in_total{handler=\"handler-99\"} 1\n");
    assert_has(text, "arvo_events_in_total{handler=\"handler-3\"} 2\n");
    assert_null(strstr(text, "arvo_events_in_total{handler=\"handler-100\"}"));
    assert_has(text, "arvo_events_in_total{handler=\"_other\"} 100\n");
    assert_has(text, "arvo_events_ignored_total{handler=\"handler-150\"} 1\n");
    assert_has(text, "arvo_metrics_overflow_total 100\n");
    free(text);

    /* A long one is cut, and not through a character. */
    memset(name, 'x', 127);
    memcpy(name + 127, "\xc3\xa9z", 4);
    measure(metrics, ARVO_MEASURE_TRACE_MALFORMED, 1, name, NULL);
    text = text_of(metrics, ARVO_METRICS_PROMETHEUS);
    name[127] = '\0';
    char line[500];
    (void)snprintf(line, sizeof(line), "arvo_trace_malformed_total{handler=\"%s\"} 1\n", name);
    assert_has(text, line);
    free(text);
    arvo_metrics_free(metrics);
}

#define THREADS 12
#define ROUNDS  20000

static void *
measure_much(void *user)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "h%u", i % 50);
        measure(user, ARVO_MEASURE_READ_NS, 2000, name, NULL);
        measure(user, ARVO_MEASURE_EVENTS_IN, 1, "all", NULL);
    }
    return NULL;
}

static void
test_metrics__threads_lose_nothing(void **state)
{
    (void)state;
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, measure_much, metrics), 0);
    free(text_of(metrics, ARVO_METRICS_PROMETHEUS)); /* while they do */
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    char *text = text_of(metrics, ARVO_METRICS_PROMETHEUS);
    char line[80];
    (void)snprintf(
        line, sizeof(line), "arvo_events_in_total{handler=\"all\"} %d\n", THREADS * ROUNDS);
    assert_has(text, line);
    for (unsigned i = 0; i < 50; i++) {
        (void)snprintf(
            line, sizeof(line), "arvo_read_seconds_count{handler=\"h%u\"} %d\n", i,
            THREADS * ROUNDS / 50);
        assert_has(text, line);
    }
    free(text);
    arvo_metrics_free(metrics);
}

static unsigned started, measured;

static arvo_span *
next_start(void *self, const arvo_span_opts *opts, arvo_trace_context *own)
{
    (void)self, (void)opts, (void)own;
    started++;
    return NULL;
}

static void
next_measure(void *self, arvo_measure what, double value, const arvo_labels *labels)
{
    (void)self, (void)what, (void)value, (void)labels;
    measured++;
}

static void
test_metrics__spans_and_measurements_are_handed_on(void **state)
{
    (void)state;
    const arvo_telemetry next = { .version = ARVO_TELEMETRY_OPS_VERSION,
                                  .span_start = next_start,
                                  .measure = next_measure };
    arvo_metrics *metrics = arvo_metrics_new(&(arvo_metrics_opts){ .next = &next });
    const arvo_telemetry *t = arvo_metrics_telemetry(metrics);
    arvo_trace_context own = { .flags = 0 };
    assert_int_equal(arvo_telemetry_check(t, NULL), ARVO_OK);
    assert_null(t->span_start(t->self, &(arvo_span_opts){ .start_ns = 1 }, &own));
    measure(metrics, ARVO_MEASURE_EVENTS_IN, 1, "a", NULL);
    assert_int_equal(started, 1);
    assert_int_equal(measured, 1);
    arvo_metrics_free(metrics);

    metrics = arvo_metrics_new(NULL);
    t = arvo_metrics_telemetry(metrics);
    assert_null(t->span_start(t->self, &(arvo_span_opts){ .start_ns = 1 }, &own));
    arvo_metrics_free(metrics);
}

/* ---- Sources --------------------------------------------------------------------------------- */

static const arvo_metrics_family test_families[] = {
    { .name = "test_depth", .help = "A gauge.", .label = "queue" },
    { .name = "test_calls", .help = "A count.", .is_counter = true },
    { .name = "test_age_seconds", .help = "Not known.", .unit = "seconds" },
};

static size_t
test_observe(void *user, arvo_metrics_sample *out)
{
    unsigned *calls = user;
    ++*calls;
    const arvo_metrics_sample samples[] = {
        { .family = 1, .value = *calls },
        { .family = 0, .label = "a\"b", .value = 2.5 },
        { .family = 2, .value = -1 },
        { .family = 0, .label = "c", .value = 0 },
    };
    memcpy(out, samples, sizeof(samples));
    return ARVO_COUNT_OF(samples);
}

static void
test_metrics__sources_are_asked_until_they_are_removed(void **state)
{
    (void)state;
    unsigned calls = 0;
    const arvo_metrics_source source = { test_families, 3, test_observe, &calls };
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    assert_int_equal(arvo_metrics_add(metrics, &source, NULL), ARVO_OK);
    char *text = text_of(metrics, ARVO_METRICS_PROMETHEUS);
    assert_has(
        text, "# HELP test_depth A gauge.\n# TYPE test_depth gauge\n"
              "test_depth{queue=\"a\\\"b\"} 2.5\ntest_depth{queue=\"c\"} 0\n"
              "# HELP test_calls_total A count.\n# TYPE test_calls_total counter\n"
              "test_calls_total 1\n");
    assert_null(strstr(text, "test_age"));
    assert_non_null(strstr(text, "\nprocess_uptime_seconds "));
    free(text);
    text = text_of(metrics, ARVO_METRICS_OPENMETRICS);
    assert_has(text, "# TYPE test_calls counter\ntest_calls_total 2\n");
    free(text);
    arvo_metrics_remove(metrics, &source);
    arvo_metrics_remove(metrics, &source);
    free(text_of(metrics, ARVO_METRICS_PROMETHEUS));
    assert_int_equal(calls, 2);
    arvo_metrics_free(metrics);
}

static void
test_metrics__sources_are_bounded(void **state)
{
    (void)state;
    unsigned calls = 0;
    arvo_error err;
    const arvo_metrics_source source = { test_families, 3, test_observe, &calls };
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    for (unsigned i = 0; i < ARVO_METRICS_SOURCES_MAX; i++)
        assert_int_equal(arvo_metrics_add(metrics, &source, &err), ARVO_OK);
    assert_int_equal(arvo_metrics_add(metrics, &source, &err), ARVO_E_FULL);
    arvo_metrics_free(metrics);
}

/* ---- Exemplars ------------------------------------------------------------------------------ */

static void
measure_in(const arvo_metrics *metrics, double value, uint8_t flags)
{
    const arvo_trace_context trace = { { 0xab, 1 }, { 0xcd, 2 }, flags };
    const arvo_telemetry *t = arvo_metrics_telemetry(metrics);
    t->measure(
        t->self, ARVO_MEASURE_COMMIT_NS, value,
        &(arvo_labels){ .handler = ARVO_STR("a"), .trace = &trace });
}

static void
test_metrics__exemplars_name_a_sampled_trace(void **state)
{
    (void)state;
    arvo_metrics *metrics = arvo_metrics_new(NULL);
    measure_in(metrics, 2e6, ARVO_TRACE_SAMPLED);
    measure_in(metrics, 2.4e6, ARVO_TRACE_SAMPLED); /* the last one of its bucket */
    measure_in(metrics, 3e9, 0);                    /* nobody could look it up */
    measure(metrics, ARVO_MEASURE_COMMIT_NS, 1, "a", NULL);
    char *text = text_of(metrics, ARVO_METRICS_OPENMETRICS);
    assert_has(
        text, "arvo_commit_seconds_bucket{handler=\"a\",le=\"0.0025\"} 3 # "
              "{trace_id=\"ab010000000000000000000000000000\",span_id=\"cd02000000000000\"} "
              "0.0024\n");
    unsigned exemplars = 0;
    for (const char *at = text; (at = strstr(at, " # {")) != NULL; at++)
        exemplars++;
    assert_int_equal(exemplars, 1);
    free(text);
    text = text_of(metrics, ARVO_METRICS_PROMETHEUS);
    assert_null(strstr(text, " # {"));
    free(text);
    arvo_metrics_free(metrics);
}

/* ---- What a server reads --------------------------------------------------------------------- */

static void
test_metrics__accept_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        bool is_open;
    } cases[] = {
        { NULL, false },
        { "", false },
        { "*/*", false },
        { "text/html", false },
        { "application/openmetrics-text", true },
        { "Application/OpenMetrics-Text; version=1.0.0", true },
        { "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
          "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
          true },
        { "text/plain;q=0.5, application/openmetrics-text;q=0.4", false },
        { "text/plain ; q=0.3 , application/openmetrics-text ; q=0.4", true },
        { "application/openmetrics-text;q=0", false },
        { "application/openmetrics-text;q=2", false },
        { "application/openmetrics-text;q=", false },
        { "application/openmetrics-text;q=0.5x,*/*;q=0.1", false },
        { ",;,=;q", false },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++)
        if ((arvo__metrics_format_of(cases[i].accept) == ARVO_METRICS_OPENMETRICS) !=
            cases[i].is_open)
            fail_msg("%s", cases[i].accept);
}

static void
test_metrics__addresses_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text, *url; /* NULL: it is none */
    } cases[] = {
        { "127.0.0.1:9464", "http://127.0.0.1:9464" },
        { "0.0.0.0:0", "http://0.0.0.0:0" },
        { "9464", "http://127.0.0.1:9464" },
        { ":9464", "http://127.0.0.1:9464" },
        { "localhost:1", "http://127.0.0.1:1" },
        { "[::1]:65535", "http://[::1]:65535" },
        { "", NULL },
        { ":", NULL },
        { "127.0.0.1:", NULL },
        { "127.0.0.1", NULL },
        { "127.0.0.1:65536", NULL },
        { "127.0.0.1:99999999999999999999", NULL },
        { "127.0.0.1:-1", NULL },
        { "256.0.0.1:1", NULL },
        { "::1:80", NULL },
        { "[::1:80", NULL },
        { "[]:80", NULL },
        { "example.com:80", NULL },
        { "a-name-that-is-much-longer-than-any-address-could-ever-be-in-text:80", NULL },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        metrics_address address;
        char url[80];
        const bool ok = arvo__metrics_address_read(cases[i].text, &address);
        if (ok != (cases[i].url != NULL))
            fail_msg("%s", cases[i].text);
        if (!ok)
            continue;
        assert_true(arvo__metrics_address_format(&address, url, sizeof(url)) < sizeof(url));
        assert_string_equal(url, cases[i].url);
    }
}

static void
test_metrics__memory_may_run_out_anywhere(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        arvo_metrics *metrics = arvo_metrics_new(&(arvo_metrics_opts){ .allocator = &allocator });
        if (metrics != NULL) {
            measure(metrics, ARVO_MEASURE_EVENTS_IN, 1, "a", NULL);
            measure(metrics, ARVO_MEASURE_READ_NS, 1, "a", NULL);
        }
        arvo_metrics_free(metrics);
        assert_int_equal(heap.live, 0);
        if (heap.calls < n)
            break;
        assert_true(n < 20);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics__times_go_into_buckets),
        cmocka_unit_test(test_metrics__numbers_ignore_the_locale),
        cmocka_unit_test(test_metrics__bounds_are_written_as_they_count),
        cmocka_unit_test(test_metrics__counts_have_labels),
        cmocka_unit_test(test_metrics__labels_are_bounded),
        cmocka_unit_test(test_metrics__threads_lose_nothing),
        cmocka_unit_test(test_metrics__spans_and_measurements_are_handed_on),
        cmocka_unit_test(test_metrics__sources_are_asked_until_they_are_removed),
        cmocka_unit_test(test_metrics__sources_are_bounded),
        cmocka_unit_test(test_metrics__exemplars_name_a_sampled_trace),
        cmocka_unit_test(test_metrics__accept_is_read),
        cmocka_unit_test(test_metrics__addresses_are_read_and_written),
        cmocka_unit_test(test_metrics__memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
