/* Counting: series by measure and labels, in a table that only grows, and needs no lock. */

#include "telemetry/metrics_internal.h"

#define US UINT64_C(1000)
#define MS (1000 * US)

const metrics_bound arvo__metrics_bounds[METRICS_BOUNDS] = {
    { 1 * US, "1e-06" },    { 2500, "2.5e-06" },  { 5 * US, "5e-06" },     { 10 * US, "1e-05" },
    { 25 * US, "2.5e-05" }, { 50 * US, "5e-05" }, { 100 * US, "0.0001" },  { 250 * US, "0.00025" },
    { 500 * US, "0.0005" }, { 1 * MS, "0.001" },  { 2500 * US, "0.0025" }, { 5 * MS, "0.005" },
    { 10 * MS, "0.01" },    { 25 * MS, "0.025" }, { 50 * MS, "0.05" },     { 100 * MS, "0.1" },
    { 250 * MS, "0.25" },   { 500 * MS, "0.5" },  { 1000 * MS, "1" },      { 2500 * MS, "2.5" },
    { 5000 * MS, "5" },     { 10000 * MS, "10" },
};

const metrics_family arvo__metrics_families[ARVO_MEASURE_COUNT] = {
    [ARVO_MEASURE_LOCK_WAIT_NS] = { "arvo_lock_wait_seconds",
                                    "Time to take the lock of a subject, and to read with it where "
                                    "the store can.",
                                    NULL, true },
    [ARVO_MEASURE_LOCK_HOLD_NS] = { "arvo_lock_hold_seconds",
                                    "Time for which an execution held the lock of its subject.",
                                    NULL, true },
    [ARVO_MEASURE_READ_NS] = { "arvo_read_seconds", "Time to read the record of an instance.", NULL,
                               true },
    [ARVO_MEASURE_VALIDATE_NS] = { "arvo_validate_seconds",
                                   "Time to check an event against its contract.", NULL, true },
    [ARVO_MEASURE_EXECUTE_NS] = { "arvo_step_seconds", "Time of one macrostep of the statechart.",
                                  NULL, true },
    [ARVO_MEASURE_EMIT_NS] = { "arvo_emit_seconds", "Time to make the events that a step emits.",
                               NULL, true },
    [ARVO_MEASURE_COMMIT_NS] = { "arvo_commit_seconds", "Time to commit an outcome to the store.",
                                 NULL, true },
    [ARVO_MEASURE_TOTAL_NS] = { "arvo_execute_seconds", "Time of a whole execution.", NULL, true },
    [ARVO_MEASURE_HANDLER_NS] = { "arvo_handler_seconds",
                                  "Time of a service, or a mock, for one event.", NULL, true },
    [ARVO_MEASURE_EVENTS_IN] = { "arvo_events_in", "Events taken up.", NULL, false },
    [ARVO_MEASURE_EVENTS_OUT] = { "arvo_events_out",
                                  "Events emitted, once for each of their domains.", "domain",
                                  false },
    [ARVO_MEASURE_EVENTS_DEDUPLICATED] = { "arvo_events_deduplicated",
                                           "Events that were handled before.", NULL, false },
    [ARVO_MEASURE_EVENTS_IGNORED] = { "arvo_events_ignored",
                                      "Events that were for somebody else, or came too late.", NULL,
                                      false },
    [ARVO_MEASURE_EVENTS_FAILED] = { "arvo_events_failed",
                                     "Events whose handling failed, by the name of the error.",
                                     "error", false },
    [ARVO_MEASURE_TRACE_MALFORMED] = { "arvo_trace_malformed",
                                       "Events with a traceparent or tracestate that cannot be "
                                       "read.",
                                       NULL, false },
    [ARVO_MEASURE_LEASES_LOST] = { "arvo_leases_lost",
                                   "Commits refused because the lock was somebody else's by then.",
                                   NULL, false },
};

/* ---- Series ------------------------------------------------------------------------------ */

static arvo_str
label_cut(arvo_str text)
{
    if (text.len > ARVO_METRICS_LABEL_BYTES_MAX)
        text.len = ARVO_METRICS_LABEL_BYTES_MAX;
    text.len = arvo__utf8_valid_prefix(text);
    return text;
}

static uint64_t
series_hash(arvo_measure measure, arvo_str handler, arvo_str detail)
{
    const uint64_t hash = arvo__hash(handler.ptr, handler.len, (uint64_t)measure + 1);
    return detail.len > 0 ? arvo__hash(detail.ptr, detail.len, hash) : hash;
}

static bool
series_is(
    const metrics_series *series, uint64_t hash, arvo_measure measure, arvo_str handler,
    arvo_str detail)
{
    return series->hash == hash && series->measure == measure &&
           arvo_str_equal(series->handler, handler) && arvo_str_equal(series->detail, detail);
}

static void
series_free(const arvo_metrics *metrics, metrics_series *series)
{
    if (series != NULL)
        arvo__free(metrics->allocator, series, series->size);
}

/* In one piece: the series, its texts, and its stripes on lines of their own. */
static metrics_series *
series_new(
    const arvo_metrics *metrics, uint64_t hash, arvo_measure measure, arvo_str handler,
    arvo_str detail)
{
    const size_t texts = sizeof(metrics_series) + handler.len + detail.len;
    const size_t size = texts + 63 + METRICS_STRIPES * sizeof(metrics_stripe);
    metrics_series *series = arvo__calloc(metrics->allocator, 1, size);
    if (series == NULL)
        return NULL;
    char *text = (char *)(series + 1);
    if (handler.len > 0)
        memcpy(text, handler.ptr, handler.len);
    if (detail.len > 0)
        memcpy(text + handler.len, detail.ptr, detail.len);
    const uintptr_t end = (uintptr_t)series + texts;
    *series = (metrics_series){ .measure = measure,
                                .handler = { text, handler.len },
                                .detail = { text + handler.len, detail.len },
                                .hash = hash,
                                .size = size,
                                .stripes = (metrics_stripe *)((end + 63) & ~(uintptr_t)63),
                                .exemplars_taken = ATOMIC_FLAG_INIT };
    return series;
}

/* The series of these labels, made when there is none; NULL: no room, or no memory. */
static metrics_series *
series_find(
    arvo_metrics *metrics, arvo_measure measure, arvo_str handler, arvo_str detail, uint32_t max)
{
    const uint64_t hash = series_hash(measure, handler, detail);
    metrics_series *made = NULL;
    for (size_t at = hash % METRICS_SLOTS;; at = (at + 1) % METRICS_SLOTS) {
        metrics_series *there = atomic_load_explicit(&metrics->slots[at], memory_order_acquire);
        if (there == NULL && made == NULL) {
            if (atomic_load(&metrics->series_count[measure]) >= max)
                return NULL;
            made = series_new(metrics, hash, measure, handler, detail);
            if (made == NULL)
                return NULL;
        }
        if (there == NULL &&
            atomic_compare_exchange_strong_explicit(
                &metrics->slots[at], &there, made, memory_order_acq_rel, memory_order_acquire)) {
            atomic_fetch_add(&metrics->series_count[measure], 1);
            return made;
        }
        if (series_is(there, hash, measure, handler, detail)) {
            series_free(metrics, made); /* another thread was faster */
            return there;
        }
    }
}

/* ---- Measuring ---------------------------------------------------------------------------------
 */

static unsigned
stripe_of_thread(void)
{
    static _Atomic unsigned threads;
    static _Thread_local unsigned mine; /* + 1 */
    if (ARVO_UNLIKELY(mine == 0))
        mine = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % METRICS_STRIPES + 1;
    return mine - 1;
}

static size_t
bucket_of(uint64_t value)
{
    size_t low = 0, high = METRICS_BOUNDS;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (value <= arvo__metrics_bounds[middle].ns)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Of a span that is exported, or a reader would look for it in vain. */
static void
exemplar_take(
    metrics_series *series, size_t bucket, uint64_t value, const arvo_trace_context *trace)
{
    if ((trace->flags & ARVO_TRACE_SAMPLED) == 0 ||
        atomic_flag_test_and_set_explicit(&series->exemplars_taken, memory_order_acquire))
        return;
    metrics_exemplar *exemplar = &series->exemplars[bucket];
    exemplar->is_set = true;
    exemplar->value = value;
    memcpy(exemplar->trace_id, trace->trace_id, sizeof(exemplar->trace_id));
    memcpy(exemplar->span_id, trace->span_id, sizeof(exemplar->span_id));
    atomic_flag_clear_explicit(&series->exemplars_taken, memory_order_release);
}

static void
series_count_value(
    metrics_series *series, bool is_time, uint64_t value, const arvo_trace_context *trace)
{
    metrics_stripe *stripe = &series->stripes[stripe_of_thread()];
    atomic_fetch_add_explicit(&stripe->total, value, memory_order_relaxed);
    if (!is_time)
        return;
    const size_t bucket = bucket_of(value);
    atomic_fetch_add_explicit(&stripe->buckets[bucket], 1, memory_order_relaxed);
    if (trace != NULL)
        exemplar_take(series, bucket, value, trace);
}

static void
metrics_measure(void *self, arvo_measure measure, double value, const arvo_labels *labels)
{
    arvo_metrics *metrics = self;
    if ((unsigned)measure >= ARVO_MEASURE_COUNT)
        return;
    const metrics_family *family = &arvo__metrics_families[measure];
    const arvo_str detail = family->detail != NULL ? label_cut(labels->detail) : ARVO_STR_NONE;
    metrics_series *series =
        series_find(metrics, measure, label_cut(labels->handler), detail, ARVO_METRICS_SERIES_MAX);
    if (series == NULL) {
        atomic_fetch_add_explicit(&metrics->overflowed, 1, memory_order_relaxed);
        series = series_find(
            metrics, measure, ARVO_STR("_other"),
            family->detail != NULL ? ARVO_STR("_other") : ARVO_STR_NONE, UINT32_MAX);
    }
    if (series != NULL)
        series_count_value(series, family->is_time, value > 0 ? (uint64_t)value : 0, labels->trace);
    if (metrics->next != NULL)
        metrics->next->measure(metrics->next->self, measure, value, labels);
}

/* ---- Spans are somebody else's ------------------------------------------------------------------
 */

static arvo_span *
metrics_span_start(void *self, const arvo_span_opts *opts, arvo_trace_context *own)
{
    const arvo_telemetry *next = ((const arvo_metrics *)self)->next;
    return next != NULL ? next->span_start(next->self, opts, own) : NULL;
}

static void
metrics_span_str(void *self, arvo_span *span, arvo_str key, arvo_str value)
{
    const arvo_telemetry *next = ((const arvo_metrics *)self)->next;
    next->span_str(next->self, span, key, value);
}

static void
metrics_span_number(void *self, arvo_span *span, arvo_str key, double value)
{
    const arvo_telemetry *next = ((const arvo_metrics *)self)->next;
    next->span_number(next->self, span, key, value);
}

static void
metrics_span_log(void *self, arvo_span *span, arvo_severity severity, arvo_str message)
{
    const arvo_telemetry *next = ((const arvo_metrics *)self)->next;
    next->span_log(next->self, span, severity, message);
}

static void
metrics_span_link(void *self, arvo_span *span, const arvo_trace_context *other)
{
    const arvo_telemetry *next = ((const arvo_metrics *)self)->next;
    next->span_link(next->self, span, other);
}

static void
metrics_span_end(
    void *self, arvo_span *span, int64_t end_ns, arvo_str error_type, arvo_str error_message)
{
    const arvo_telemetry *next = ((const arvo_metrics *)self)->next;
    next->span_end(next->self, span, end_ns, error_type, error_message);
}

/* ---- Life ---------------------------------------------------------------------------------------
 */

arvo_metrics *
arvo_metrics_new(const arvo_metrics_opts *opts)
{
    const arvo_allocator *allocator = opts != NULL ? opts->allocator : NULL;
    arvo_metrics *metrics = arvo__calloc(allocator, 1, sizeof(*metrics));
    if (metrics == NULL)
        return NULL;
    if (pthread_mutex_init(&metrics->sources_mutex, NULL) != 0) {
        arvo__free(allocator, metrics, sizeof(*metrics));
        return NULL;
    }
    const arvo_platform *platform = arvo_platform_system();
    metrics->start_ns = platform->time_ms(platform->self) * 1000000;
    metrics->own = arvo__metrics_own(metrics);
    metrics->allocator = allocator;
    metrics->next = opts != NULL ? opts->next : NULL;
    metrics->table = (arvo_telemetry){ .version = ARVO_TELEMETRY_OPS_VERSION,
                                       .span_start = metrics_span_start,
                                       .span_str = metrics_span_str,
                                       .span_number = metrics_span_number,
                                       .span_log = metrics_span_log,
                                       .span_link = metrics_span_link,
                                       .span_end = metrics_span_end,
                                       .measure = metrics_measure,
                                       .self = metrics };
    return metrics;
}

void
arvo_metrics_free(arvo_metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (size_t i = 0; i < METRICS_SLOTS; i++)
        series_free(metrics, atomic_load(&metrics->slots[i]));
    (void)pthread_mutex_destroy(&metrics->sources_mutex);
    arvo__free(metrics->allocator, metrics, sizeof(*metrics));
}

const arvo_telemetry *
arvo_metrics_telemetry(const arvo_metrics *metrics)
{
    return &metrics->table;
}
