/* What a worker counts, as a source of metrics. */

#include "runtime/worker.h"

enum { DELIVERIES, CLAIMS, TROUBLES, IN_FLIGHT, QUEUED, THREADS };

static const arvo_metrics_family families[] = {
    [DELIVERIES] = { .name = "arvo_worker_deliveries",
                     .help = "Events that the worker took from the outbox, by what came of them.",
                     .label = "outcome",
                     .is_counter = true },
    [CLAIMS] = { .name = "arvo_worker_claims",
                 .help = "Claims of the outbox that gave something.",
                 .is_counter = true },
    [TROUBLES] = { .name = "arvo_worker_troubles",
                   .help = "Calls of the store that failed, and are made again.",
                   .is_counter = true },
    [IN_FLIGHT] = { .name = "arvo_worker_in_flight", .help = "Deliveries under way." },
    [QUEUED] = { .name = "arvo_worker_queued", .help = "Events claimed, and not yet in flight." },
    [THREADS] = { .name = "arvo_worker_threads", .help = "Threads that deliver." },
};

static size_t
observe(void *user, arvo_metrics_sample *out)
{
    arvo_worker_counters c;
    arvo_worker_count(user, &c);
    const arvo_metrics_sample samples[] = {
        { .family = DELIVERIES, .label = "delivered", .value = (double)c.delivered },
        { .family = DELIVERIES, .label = "unserved", .value = (double)c.unserved },
        { .family = DELIVERIES, .label = "failed", .value = (double)c.failed },
        { .family = DELIVERIES, .label = "dead", .value = (double)c.dead },
        { .family = DELIVERIES, .label = "put_off", .value = (double)c.put_off },
        { .family = DELIVERIES, .label = "left", .value = (double)c.left },
        { .family = CLAIMS, .value = (double)c.claims },
        { .family = TROUBLES, .value = (double)c.troubles },
        { .family = IN_FLIGHT, .value = c.in_flight },
        { .family = QUEUED, .value = c.queued },
        { .family = THREADS, .value = c.threads },
    };
    memcpy(out, samples, sizeof(samples));
    return ARVO_COUNT_OF(samples);
}

arvo_metrics_source
arvo_worker_metrics(arvo_worker *worker)
{
    ARVO_ASSERT(worker != NULL);
    return (arvo_metrics_source){ .families = families,
                                  .family_count = ARVO_COUNT_OF(families),
                                  .observe = observe,
                                  .user = worker };
}
