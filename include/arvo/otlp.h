/* arvo/otlp.h - a listener that sends what it hears to an OpenTelemetry
 * collector, by OTLP over HTTP.
 *
 * It is set by the variables of the OpenTelemetry specification, which
 * docs/telemetry.md lists with their bounds. Nothing about it blocks or fails
 * an execution: what is to be sent waits in a bounded queue, a thread of its own
 * sends it, and what finds no room, or cannot be sent, is dropped and counted.
 *
 * Threads: the table may be used by any number of threads; opening and closing
 *          are for one. A child of fork() must not use it.
 */
#ifndef ARVO_OTLP_H
#define ARVO_OTLP_H

#include <arvo/metrics.h>

ARVO_BEGIN_DECLS

#define ARVO_OTLP_FLUSH_MS_DEFAULT 2000 /* what a short command waits for at its end */

typedef struct arvo_otlp arvo_otlp;

typedef struct arvo_otlp_opts {
    const arvo_allocator *allocator; /* NULL: malloc */

    /* The value of a variable, or NULL; NULL: the environment is read. */
    const char *(*setting)(void *user, const char *name);

    /* Nullable. One line, without an end: a setting that is not understood, once each; the first
     * failure of its kind of each signal. Called by the thread that opens, and later by any of the
     * exporter's. */
    void (*warn)(void *user, const char *line);
    void *user;
} arvo_otlp_opts;

/* What is exported; each kind has an endpoint, a queue, a thread, and counts of its own. */
typedef enum arvo_otlp_signal {
    ARVO_OTLP_TRACES = 0,
    ARVO_OTLP_METRICS, /* once arvo_otlp_export_metrics() was called */
    ARVO_OTLP_SIGNAL_COUNT
} arvo_otlp_signal;

typedef struct arvo_otlp_counts {
    uint64_t items;        /* spans that ended; data points that were collected */
    uint64_t queued;       /* of them, waiting now */
    uint64_t exported;     /* accepted by the receiver */
    uint64_t dropped;      /* without room in the queue, not sent in time, or refused */
    uint64_t rejected;     /* of those, by the receiver in a partial success */
    uint64_t not_recorded; /* executions that found the queue full when they began */
    uint64_t requests;     /* sent, repeated ones too */
    uint64_t repeated;
} arvo_otlp_counts;

/** Whether the settings ask for it, for one signal at least: an endpoint, or
 * OTEL_TRACES_EXPORTER=otlp or the like, is given, and OTEL_SDK_DISABLED is not true. `opts` may be
 * NULL. */
ARVO_API bool arvo_otlp_is_wanted(const arvo_otlp_opts *opts);

/**
 * @param opts  May be NULL; borrowed for the call, but for `user`.
 * @param out   Owned (arvo_otlp_close()).
 * @return ARVO_OK (also with settings that are not understood: said to `warn`, and as if they were
 *         not given), ARVO_E_UNSUPPORTED (built without libcurl, or it is not there), ARVO_E_IO (no
 *         thread can be made), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_otlp_open(const arvo_otlp_opts *opts, arvo_otlp **out, arvo_error *err);

/** Whether the settings have this one exported. */
ARVO_API bool arvo_otlp_exports(const arvo_otlp *otlp, arvo_otlp_signal signal);

/**
 * Have what the exporter counts of itself among these metrics; and, where the settings have metrics
 * exported, export all that they count and observe from now on, each OTEL_METRIC_EXPORT_INTERVAL,
 * cumulated since they began. At most once.
 * @param metrics  Borrowed until the exporter is closed.
 * @return ARVO_OK, ARVO_E_FULL (of sources), ARVO_E_IO (no thread can be made), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_otlp_export_metrics(arvo_otlp *otlp, arvo_metrics *metrics, arvo_error *err);

/** Its table; borrowed until it is closed. */
ARVO_API const arvo_telemetry *arvo_otlp_telemetry(const arvo_otlp *otlp);

ARVO_API arvo_otlp_counts arvo_otlp_counts_of(const arvo_otlp *otlp, arvo_otlp_signal signal);
/** What a signal's items are called, "spans"; static. */
ARVO_API const char *arvo_otlp_items(arvo_otlp_signal signal);

/** Send what waits now, for at most `deadline_ms`. @return whether all of it was sent or refused.
 */
ARVO_API bool arvo_otlp_flush(arvo_otlp *otlp, int64_t deadline_ms);

/** Send what waits, for at most `deadline_ms`; what is left then is dropped. Nobody may use the
 * table any more. `counts` (nullable) gets the last ones, ARVO_OTLP_SIGNAL_COUNT of them. NULL is
 * fine. */
ARVO_API void arvo_otlp_close(arvo_otlp *otlp, int64_t deadline_ms, arvo_otlp_counts *counts);

ARVO_END_DECLS

#endif
