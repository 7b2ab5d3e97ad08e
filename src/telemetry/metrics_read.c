/* Reading what was counted, and asking the sources. */

#include "telemetry/metrics_internal.h"

#define EXEMPLAR_TRIES 1000u

uint64_t
arvo__metrics_total(const metrics_series *series)
{
    uint64_t total = 0;
    for (size_t i = 0; i < METRICS_STRIPES; i++)
        total += atomic_load_explicit(&series->stripes[i].total, memory_order_relaxed);
    return total;
}

uint64_t
arvo__metrics_buckets(const metrics_series *series, uint64_t out[METRICS_BOUNDS + 1])
{
    uint64_t count = 0;
    for (size_t bucket = 0; bucket <= METRICS_BOUNDS; bucket++) {
        out[bucket] = 0;
        for (size_t i = 0; i < METRICS_STRIPES; i++)
            out[bucket] +=
                atomic_load_explicit(&series->stripes[i].buckets[bucket], memory_order_relaxed);
        count += out[bucket];
    }
    return count;
}

void
arvo__metrics_exemplars(metrics_series *series, metrics_exemplar out[METRICS_BOUNDS + 1])
{
    memset(out, 0, sizeof(series->exemplars));
    for (unsigned i = 0; i < EXEMPLAR_TRIES; i++) {
        if (atomic_flag_test_and_set_explicit(&series->exemplars_taken, memory_order_acquire))
            continue;
        memcpy(out, series->exemplars, sizeof(series->exemplars));
        atomic_flag_clear_explicit(&series->exemplars_taken, memory_order_release);
        return;
    }
}

metrics_series *
arvo__metrics_next(const arvo_metrics *metrics, arvo_measure measure, size_t *slot)
{
    while (*slot < METRICS_SLOTS) {
        metrics_series *series =
            atomic_load_explicit(&metrics->slots[(*slot)++], memory_order_acquire);
        if (series != NULL && series->measure == measure)
            return series;
    }
    return NULL;
}

/* ---- Sources ------------------------------------------------------------------------------- */

arvo_status
arvo_metrics_add(arvo_metrics *metrics, const arvo_metrics_source *source, arvo_error *err)
{
    ARVO_ASSERT(metrics != NULL && source != NULL && source->observe != NULL);
    (void)pthread_mutex_lock(&metrics->sources_mutex);
    const bool has_room = metrics->source_count < ARVO_METRICS_SOURCES_MAX;
    if (has_room)
        metrics->sources[metrics->source_count++] = source;
    (void)pthread_mutex_unlock(&metrics->sources_mutex);
    return has_room
               ? ARVO_OK
               : arvo__fail(
                     err, ARVO_E_FULL, "metrics: more than %u sources", ARVO_METRICS_SOURCES_MAX);
}

void
arvo_metrics_remove(arvo_metrics *metrics, const arvo_metrics_source *source)
{
    size_t kept = 0;
    (void)pthread_mutex_lock(&metrics->sources_mutex);
    for (size_t i = 0; i < metrics->source_count; i++)
        if (metrics->sources[i] != source)
            metrics->sources[kept++] = metrics->sources[i];
    metrics->source_count = kept;
    (void)pthread_mutex_unlock(&metrics->sources_mutex);
}

static void
observe_one(const arvo_metrics_source *source, metrics_samples_fn each, void *user)
{
    arvo_metrics_sample samples[ARVO_METRICS_SAMPLES_MAX];
    const size_t count = source->observe(source->user, samples);
    ARVO_ASSERT(count <= ARVO_METRICS_SAMPLES_MAX);
    each(user, source, samples, count);
}

void
arvo__metrics_observe(const arvo_metrics *metrics, metrics_samples_fn each, void *user)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&metrics->sources_mutex;
    (void)pthread_mutex_lock(mutex);
    observe_one(&metrics->own, each, user);
    for (size_t i = 0; i < metrics->source_count; i++)
        observe_one(metrics->sources[i], each, user);
    (void)pthread_mutex_unlock(mutex);
}
