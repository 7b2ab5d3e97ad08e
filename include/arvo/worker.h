/* arvo/worker.h - threads that deliver from a store's outbox, for as long as a process lives.
 *
 * A worker claims what waits in the outbox, hands each event to the orchestrator or handler that is
 * registered under its `to`, and has it marked done in the consumer's own commit. Any number of
 * workers, in any number of processes, may share a store: they claim different events, and should
 * two ever get the same one (a claim that ended while its holder was slow), it has one effect.
 *
 *              claim                     take, one event at a time           commit, or settle
 *   outbox --------------> lines, one to ----------------------------> in flight ----> done
 *             (one thread)  a subject   <----------------------------             \--> waits, dead
 *                                         the rest of it, at the end
 *
 * Two events that one subject produced are never in flight at once. Lines take turns, so that a
 * workflow with many events does not keep others waiting. What a failure means, and when a delivery
 * is tried again, is said in arvo/broker.h; what is nobody's fault is tried again while the claim
 * lasts, behind a short pause.
 *
 * An event that nobody here serves: if it was made here, it is shown to `on_delivery`, then done
 * (as with the broker); if it was not, or its address is served elsewhere
 * (arvo_worker_add_elsewhere()), it is left in the outbox, with those behind it. It is claimed for
 * up to a second meanwhile: many apps that share a store and no address slow each other down.
 *
 * Threads: new, add, start and free are for one thread; stop, join and counters for any. Not from
 *          within on_delivery or a handler: join, free.
 */
#ifndef ARVO_WORKER_H
#define ARVO_WORKER_H

#include <arvo/broker.h>
#include <arvo/metrics.h>

ARVO_BEGIN_DECLS

#define ARVO_WORKER_THREADS_DEFAULT 16u
#define ARVO_WORKER_THREADS_MAX     1024u

typedef struct arvo_worker_opts {
    const arvo_allocator *allocator; /* NULL: malloc */
    arvo_memory *memory;             /* borrowed for the worker's life; with claims; required */
    const arvo_platform *platform;   /* for the claims' tokens, and its log; NULL: the system's */
    const arvo_telemetry *telemetry; /* of mocks, and handlers without their own; NULL: off */
    /* So many deliveries are in flight at most. They share the store's transactions where it groups
     * commits: more threads than processors are right. 0: ARVO_WORKER_THREADS_DEFAULT. */
    uint32_t threads;
    uint32_t claim_limit; /* events claimed at a time; 0: 4 to a thread, from 64 to 1000 */
    int64_t claim_ms;     /* 0: ARVO_CLAIM_MS_DEFAULT; longer than a delivery takes */
    arvo_retry retry;
    bool until_idle; /* end when nothing is due and nothing in flight; else only when stopped */
    /* After each delivery, from any of the threads, one call at a time. NULL: none. */
    void (*on_delivery)(void *user, const arvo_delivery *delivery);
    /* The store could not be asked for work, or be told what came of it; the worker goes on trying.
     * As on_delivery. NULL: none. */
    void (*on_trouble)(void *user, const arvo_error *err);
    void *user;
} arvo_worker_opts;

typedef struct arvo_worker_counters {
    uint64_t delivered; /* done, by orchestrator or handler */
    uint64_t unserved;  /* done, by being shown */
    uint64_t failed;    /* attempts */
    uint64_t dead;
    uint64_t put_off; /* failures that were nobody's fault */
    uint64_t left;    /* for others to serve; each time one is met */
    uint64_t claims;  /* that gave something */
    uint64_t troubles;
    uint32_t in_flight;
    uint32_t queued;  /* claimed, and not yet in flight */
    uint32_t threads; /* that run; 0: it has ended */
} arvo_worker_counters;

typedef struct arvo_worker arvo_worker;

/**
 * @param out  Owned (arvo_worker_free()).
 * @return ARVO_OK, ARVO_E_UNSUPPORTED (the store has no claims), ARVO_E_INVALID (names the option),
 *         ARVO_E_VERSION (telemetry, log), ARVO_E_NOMEM, or what the store's outbox_list said.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_worker_new(const arvo_worker_opts *opts, arvo_worker **out, arvo_error *err);

/** Register under its source or type, before the start; borrowed for the worker's life.
 * @return ARVO_OK, ARVO_E_EXISTS (its address is taken), ARVO_E_NOMEM. */
ARVO_API ARVO_NODISCARD arvo_status
arvo_worker_add_orchestrator(arvo_worker *worker, arvo_orchestrator *orchestrator, arvo_error *err);
ARVO_API ARVO_NODISCARD arvo_status
arvo_worker_add_handler(arvo_worker *worker, arvo_handler *handler, arvo_error *err);
/** Events for this address are another worker's. Borrowed, too. */
ARVO_API ARVO_NODISCARD arvo_status
arvo_worker_add_elsewhere(arvo_worker *worker, arvo_str address, arvo_error *err);

/**
 * Start the threads; once.
 * @return ARVO_OK, ARVO_E_IO (not so many threads can be had; none runs then).
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_worker_start(arvo_worker *worker, arvo_error *err);

/** Ask it to end: what is in flight is finished, what was claimed is given back. Returns at once.
 */
ARVO_API void arvo_worker_stop(arvo_worker *worker);

/**
 * Wait until it has ended: it was stopped, or is idle and to end then.
 * @param timeout_ms  < 0: for ever.
 * @return true when it has.
 */
ARVO_API bool arvo_worker_join(arvo_worker *worker, int64_t timeout_ms);

ARVO_API void arvo_worker_count(arvo_worker *worker, arvo_worker_counters *out);

/** The counters as a source of metrics (arvo_metrics_add()), which borrows the worker. */
ARVO_API arvo_metrics_source arvo_worker_metrics(arvo_worker *worker);

/** Stops it, and waits for what is in flight. NULL is fine. */
ARVO_API void arvo_worker_free(arvo_worker *worker);

ARVO_END_DECLS

#endif
