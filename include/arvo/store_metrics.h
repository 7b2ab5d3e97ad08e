/* arvo/store_metrics.h - what a store says of itself, among the metrics.
 *
 * Instances by status, the outbox and the dead letters with their ages, leases,
 * bytes, commits and transactions: arvo_memory_ops.stats, as gauges and counters
 * whose names are in docs/telemetry.md.
 *
 * The store is asked by a thread of its own, only when somebody reads the
 * metrics, and not again while what it said is fresh. Whoever reads waits for
 * it for a moment; with a store that is slower they get what it said last, with
 * the time of that. So a store that hangs keeps nobody waiting, and reading
 * often costs a store little: what is slow to say stays fresh for longer.
 *
 * Threads: reading may be done by any number of threads; new and free are for
 *          one.
 */
#ifndef ARVO_STORE_METRICS_H
#define ARVO_STORE_METRICS_H

#include <arvo/memory.h>
#include <arvo/metrics.h>

ARVO_BEGIN_DECLS

#define ARVO_STORE_METRICS_FRESH_MS 5000 /* and 20 times as long as the store took, if longer */
#define ARVO_STORE_METRICS_WAIT_MS  1000
#define ARVO_STORE_METRICS_SLOW_MS  10000 /* a store that takes longer is not up */

typedef struct arvo_store_metrics arvo_store_metrics;

typedef struct arvo_store_metrics_opts {
    const arvo_allocator *allocator; /* NULL: malloc */
    arvo_memory *memory;             /* required; borrowed for its life */
    arvo_metrics *metrics;           /* required; likewise */
    int64_t fresh_ms;                /* 0: the default above */
    int64_t wait_ms;
    int64_t slow_ms;
} arvo_store_metrics_opts;

/**
 * @param out  Owned (arvo_store_metrics_free()).
 * @return ARVO_OK, ARVO_E_UNSUPPORTED (the store has no `stats`), ARVO_E_FULL (of sources),
 *         ARVO_E_IO (no thread can be had), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_store_metrics_new(
    const arvo_store_metrics_opts *opts, arvo_store_metrics **out, arvo_error *err);

/** Whether the store answers: as reading does, it asks, and waits for a moment. `why` (nullable) is
 * written when not. */
ARVO_API bool arvo_store_metrics_is_up(arvo_store_metrics *store, arvo_error *why);

/** Waits for what the store is being asked, as long as that takes. NULL is fine. */
ARVO_API void arvo_store_metrics_free(arvo_store_metrics *store);

ARVO_END_DECLS

#endif
