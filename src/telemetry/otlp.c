/* The exporter: a pipe for each signal, the spans that wait for their next use, and their life. */

#include "telemetry/otlp_internal.h"

#include <time.h>

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t
arvo__otlp_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

void
arvo__otlp_look_at_clock(arvo_otlp *otlp)
{
    atomic_store(&otlp->clock_offset_ns, clock_ns(CLOCK_REALTIME) - arvo__otlp_now_ns());
}

/* ---- Spans ---------------------------------------------------------------------------------- */

void
arvo__otlp_span_free(arvo_otlp *otlp, arvo_span *span)
{
    arvo__free(otlp->allocator, span->bytes, span->cap);
    arvo__free(otlp->allocator, span, sizeof(*span));
}

arvo_span *
arvo__otlp_span_take(arvo_otlp *otlp)
{
    pthread_mutex_t *mutex = &otlp->pipes[ARVO_OTLP_TRACES].mutex;
    (void)pthread_mutex_lock(mutex);
    arvo_span *span = (arvo_span *)otlp->free;
    if (span != NULL)
        otlp->free = span->record.next;
    (void)pthread_mutex_unlock(mutex);
    if (span == NULL)
        return arvo__calloc(otlp->allocator, 1, sizeof(*span));
    char *bytes = span->bytes;
    const size_t cap = span->cap;
    *span = (arvo_span){ .bytes = bytes, .cap = cap };
    return span;
}

static void
span_give(arvo_otlp *otlp, otlp_record *record)
{
    arvo_span *span = (arvo_span *)record;
    if (span->cap > OTLP_SPAN_BYTES_KEPT) {
        arvo__free(otlp->allocator, span->bytes, span->cap);
        span->bytes = NULL;
        span->cap = 0;
    }
    span->record.next = otlp->free;
    otlp->free = &span->record;
}

static uint64_t
spans_write(arvo_otlp *otlp, const otlp_record *first, arvo_buf *out)
{
    return arvo__otlp_write_spans(&otlp->settings, first, atomic_load(&otlp->clock_offset_ns), out);
}

/* ---- Metrics --------------------------------------------------------------------------------- */

static uint64_t
metrics_write(arvo_otlp *otlp, const otlp_record *first, arvo_buf *out)
{
    (void)first;
    return arvo__otlp_write_metrics(&otlp->settings, otlp->metrics, clock_ns(CLOCK_REALTIME), out);
}

static void
metrics_give(arvo_otlp *otlp, otlp_record *record)
{
    (void)otlp;
    (void)record;
}

enum { QUEUED, EXPORTED, DROPPED, REQUESTS, REPEATED, NOT_RECORDED };

static const arvo_metrics_family own_families[] = {
    [QUEUED] = { .name = "arvo_export_queued",
                 .help = "What waits to be exported.",
                 .label = "signal" },
    [EXPORTED] = { .name = "arvo_export_exported",
                   .help = "Spans, data points and the like that the receiver accepted.",
                   .label = "signal",
                   .is_counter = true },
    [DROPPED] = { .name = "arvo_export_dropped",
                  .help = "Those that found no room, could not be sent, or were refused.",
                  .label = "signal",
                  .is_counter = true },
    [REQUESTS] = { .name = "arvo_export_requests",
                   .help = "Requests sent, repeated ones too.",
                   .label = "signal",
                   .is_counter = true },
    [REPEATED] = { .name = "arvo_export_repeated",
                   .help = "Requests sent again.",
                   .label = "signal",
                   .is_counter = true },
    [NOT_RECORDED] = { .name = "arvo_export_not_recorded",
                       .help = "Executions without a trace because the queue was full.",
                       .is_counter = true },
};

static size_t
own_observe(void *user, arvo_metrics_sample *out)
{
    const arvo_otlp *otlp = user;
    size_t count = 0;
    for (arvo_otlp_signal i = 0; i < ARVO_OTLP_SIGNAL_COUNT; i++) {
        if (!otlp->settings.targets[i].exports)
            continue;
        const char *signal = arvo__otlp_signals[i].path + strlen("/v1/");
        const arvo_otlp_counts counts = arvo_otlp_counts_of(otlp, i);
        const arvo_metrics_sample samples[] = {
            { QUEUED, signal, (double)counts.queued },
            { EXPORTED, signal, (double)counts.exported },
            { DROPPED, signal, (double)counts.dropped },
            { REQUESTS, signal, (double)counts.requests },
            { REPEATED, signal, (double)counts.repeated },
        };
        memcpy(out + count, samples, sizeof(samples));
        count += ARVO_COUNT_OF(samples);
    }
    out[count++] = (arvo_metrics_sample){ .family = NOT_RECORDED,
                                          .value = (double)atomic_load(&otlp->not_recorded) };
    return count;
}

/* ---- Life ---------------------------------------------------------------------------------- */

static const otlp_pipe_ops pipe_ops[ARVO_OTLP_SIGNAL_COUNT] = {
    [ARVO_OTLP_TRACES] = { .write = spans_write, .give = span_give },
    [ARVO_OTLP_METRICS] = { .write = metrics_write, .give = metrics_give },
};

bool
arvo__otlp_pipes_init(arvo_otlp *otlp)
{
    for (; otlp->pipe_count < ARVO_OTLP_SIGNAL_COUNT; otlp->pipe_count++) {
        const unsigned i = otlp->pipe_count;
        if (!arvo__otlp_pipe_init(&otlp->pipes[i], otlp, &otlp->settings.targets[i], &pipe_ops[i]))
            return false;
    }
    return true;
}

void
arvo__otlp_pipes_fini(arvo_otlp *otlp)
{
    for (unsigned i = 0; i < otlp->pipe_count; i++)
        arvo__otlp_pipe_fini(&otlp->pipes[i]);
    for (otlp_record *record = otlp->free, *next; record != NULL; record = next) {
        next = record->next;
        arvo__otlp_span_free(otlp, (arvo_span *)record);
    }
}

static void
pipes_join(arvo_otlp *otlp, int64_t deadline_ms)
{
    const int64_t stop_ms = arvo__real_ms_after(deadline_ms);
    for (unsigned i = 0; i < otlp->pipe_count; i++)
        arvo__otlp_pipe_stop(&otlp->pipes[i], stop_ms);
    for (unsigned i = 0; i < otlp->pipe_count; i++)
        arvo__otlp_pipe_join(&otlp->pipes[i]);
}

static void
otlp_free(arvo_otlp *otlp)
{
    arvo__otlp_pipes_fini(otlp);
    arvo_arena_free(otlp->settings.arena);
    const arvo_allocator copy = otlp->allocator_copy;
    arvo__free(otlp->allocator != NULL ? &copy : NULL, otlp, sizeof(*otlp));
}

static arvo_status
otlp_fill(arvo_otlp *otlp, const arvo_otlp_opts *opts, arvo_error *err)
{
    const arvo_arena_opts arena_opts = { .allocator = otlp->allocator, .chunk_bytes = 4096 };
    otlp->settings.arena = arvo_arena_new(&arena_opts);
    if (otlp->settings.arena == NULL || !arvo__otlp_settings_read(opts, &otlp->settings))
        return arvo__nomem(err);
    arvo__otlp_look_at_clock(otlp);
    otlp->table = arvo__otlp_table(otlp);
    if (!arvo__otlp_pipes_init(otlp))
        return arvo__fail(err, ARVO_E_IO, "OTLP: no locks for the exporter's threads");
    otlp->pipes[ARVO_OTLP_METRICS].tick = &otlp->tick;
    return otlp->settings.targets[ARVO_OTLP_TRACES].exports
               ? arvo__otlp_pipe_start(&otlp->pipes[ARVO_OTLP_TRACES], err)
               : ARVO_OK;
}

arvo_status
arvo_otlp_open(const arvo_otlp_opts *opts, arvo_otlp **out, arvo_error *err)
{
    ARVO_ASSERT(out != NULL);
    const arvo_allocator *allocator = opts != NULL ? opts->allocator : NULL;
    arvo_otlp *otlp = arvo__calloc(allocator, 1, sizeof(*otlp));
    if (otlp == NULL)
        return arvo__nomem(err);
    if (allocator != NULL) {
        otlp->allocator_copy = *allocator;
        otlp->allocator = &otlp->allocator_copy;
    }
    if (opts != NULL) {
        otlp->warn = opts->warn;
        otlp->user = opts->user;
    }
    const arvo_status st = otlp_fill(otlp, opts, err);
    if (st != ARVO_OK)
        otlp_free(otlp);
    else
        *out = otlp;
    return st;
}

bool
arvo_otlp_is_wanted(const arvo_otlp_opts *opts)
{
    return arvo__otlp_wanted(opts);
}

const arvo_telemetry *
arvo_otlp_telemetry(const arvo_otlp *otlp)
{
    return &otlp->table;
}

bool
arvo_otlp_exports(const arvo_otlp *otlp, arvo_otlp_signal signal)
{
    ARVO_ASSERT(otlp != NULL && (unsigned)signal < ARVO_OTLP_SIGNAL_COUNT);
    return otlp->settings.targets[signal].exports;
}

arvo_status
arvo_otlp_export_metrics(arvo_otlp *otlp, arvo_metrics *metrics, arvo_error *err)
{
    ARVO_ASSERT(otlp != NULL && metrics != NULL && otlp->metrics == NULL);
    otlp->own = (arvo_metrics_source){ .families = own_families,
                                       .family_count = ARVO_COUNT_OF(own_families),
                                       .observe = own_observe,
                                       .user = otlp };
    arvo_status st = arvo_metrics_add(metrics, &otlp->own, err);
    if (st != ARVO_OK)
        return st;
    otlp->metrics = metrics;
    if (arvo_otlp_exports(otlp, ARVO_OTLP_METRICS))
        st = arvo__otlp_pipe_start(&otlp->pipes[ARVO_OTLP_METRICS], err);
    if (st != ARVO_OK) {
        arvo_metrics_remove(metrics, &otlp->own);
        otlp->metrics = NULL;
    }
    return st;
}

arvo_otlp_counts
arvo_otlp_counts_of(const arvo_otlp *otlp, arvo_otlp_signal signal)
{
    ARVO_ASSERT(otlp != NULL && (unsigned)signal < ARVO_OTLP_SIGNAL_COUNT);
    const otlp_pipe *pipe = &otlp->pipes[signal];
    pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&pipe->mutex;
    (void)pthread_mutex_lock(mutex);
    arvo_otlp_counts counts = pipe->counts;
    (void)pthread_mutex_unlock(mutex);
    counts.queued = atomic_load_explicit(&pipe->queued, memory_order_relaxed);
    if (signal == ARVO_OTLP_TRACES)
        counts.not_recorded = atomic_load_explicit(&otlp->not_recorded, memory_order_relaxed);
    return counts;
}

const char *
arvo_otlp_items(arvo_otlp_signal signal)
{
    ARVO_ASSERT((unsigned)signal < ARVO_OTLP_SIGNAL_COUNT);
    return arvo__otlp_signals[signal].items;
}

bool
arvo_otlp_flush(arvo_otlp *otlp, int64_t deadline_ms)
{
    ARVO_ASSERT(otlp != NULL);
    const int64_t end_ms = arvo__real_ms_after(deadline_ms);
    bool is_done = true;
    for (unsigned i = 0; i < ARVO_OTLP_SIGNAL_COUNT; i++)
        is_done = arvo__otlp_pipe_flush(&otlp->pipes[i], end_ms) && is_done;
    return is_done;
}

void
arvo_otlp_close(arvo_otlp *otlp, int64_t deadline_ms, arvo_otlp_counts *counts)
{
    if (otlp == NULL)
        return;
    pipes_join(otlp, deadline_ms);
    for (unsigned i = 0; i < ARVO_OTLP_SIGNAL_COUNT && counts != NULL; i++)
        counts[i] = arvo_otlp_counts_of(otlp, (arvo_otlp_signal)i);
    if (otlp->metrics != NULL)
        arvo_metrics_remove(otlp->metrics, &otlp->own);
    otlp_free(otlp);
}
