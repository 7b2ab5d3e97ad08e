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
        cmocka_unit_test(test_metrics__memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
