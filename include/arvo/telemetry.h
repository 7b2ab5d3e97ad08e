/* arvo/telemetry.h - spans, span logs and measurements, handed to whoever listens.
 *
 * Arvo makes no telemetry by itself: it calls this table. NULL means off and
 * costs one branch: no clock is read and nothing is allocated for it. Span and
 * attribute names: spec 9.10, docs/telemetry.md.
 *
 * Times are those of the platform's monotonic clock, in nanoseconds. The phases
 * of an execution tile it: each begins where the last one ended.
 *
 * Threads: an orchestrator used by several threads calls the table from all of
 *          them; one span is used by one thread.
 */
#ifndef ARVO_TELEMETRY_H
#define ARVO_TELEMETRY_H

#include <arvo/base.h>

ARVO_BEGIN_DECLS

#define ARVO_TELEMETRY_OPS_VERSION  2u
#define ARVO_TRACEPARENT_BYTES      ((size_t)55)
#define ARVO_TRACESTATE_BYTES_MAX   ((size_t)512)
#define ARVO_TRACESTATE_MEMBERS_MAX 32u
#define ARVO_TRACE_SAMPLED          1u

/* W3C Trace Context. */
typedef struct arvo_trace_context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t flags; /* ARVO_TRACE_SAMPLED */
} arvo_trace_context;

/** Read `00-{32 hex}-{16 hex}-{2 hex}`, or as much of a later version as is known of it; false (out
 * untouched) when malformed or all zero. */
ARVO_API bool arvo_trace_context_parse(arvo_str traceparent, arvo_trace_context *out);

/** Write the header form, ARVO_TRACEPARENT_BYTES bytes, no NUL. */
ARVO_API void arvo_trace_context_format(const arvo_trace_context *context, char *out);

/** Whether a tracestate is a list as W3C Trace Context has it, within the bounds above. */
ARVO_API bool arvo_tracestate_is_valid(arvo_str tracestate);

typedef enum arvo_span_kind {
    ARVO_SPAN_INTERNAL = 0,
    ARVO_SPAN_PRODUCER,
    ARVO_SPAN_CONSUMER
} arvo_span_kind;

typedef enum arvo_severity {
    ARVO_LOG_DEBUG = 0,
    ARVO_LOG_INFO,
    ARVO_LOG_WARNING,
    ARVO_LOG_ERROR,
    ARVO_LOG_CRITICAL
} arvo_severity;

/* Times in nanoseconds, then counts. */
typedef enum arvo_measure {
    ARVO_MEASURE_LOCK_WAIT_NS = 0,
    ARVO_MEASURE_LOCK_HOLD_NS,
    ARVO_MEASURE_READ_NS,
    ARVO_MEASURE_VALIDATE_NS,
    ARVO_MEASURE_EXECUTE_NS, /* the statechart's macrostep */
    ARVO_MEASURE_EMIT_NS,
    ARVO_MEASURE_COMMIT_NS,
    ARVO_MEASURE_TOTAL_NS,
    ARVO_MEASURE_HANDLER_NS, /* a service, or a mock */
    ARVO_MEASURE_EVENTS_IN,
    ARVO_MEASURE_EVENTS_OUT, /* detail: the domain; once per domain */
    ARVO_MEASURE_EVENTS_DEDUPLICATED,
    ARVO_MEASURE_EVENTS_IGNORED,
    ARVO_MEASURE_EVENTS_FAILED,   /* detail: the error's name */
    ARVO_MEASURE_TRACE_MALFORMED, /* a traceparent or tracestate that was not used */
    ARVO_MEASURE_LEASES_LOST,     /* commits refused because the lock was somebody else's by then */
    ARVO_MEASURE_COUNT
} arvo_measure;

/* What a measurement is of. */
typedef struct arvo_labels {
    arvo_str handler;                /* source of the orchestrator, or type of the handler */
    arvo_str detail;                 /* as said at the measure; none for the others */
    const arvo_trace_context *trace; /* of the recorded span that it was measured in; NULL: none */
} arvo_labels;

/* A span that begins; borrowed for the call. */
typedef struct arvo_span_opts {
    arvo_str name;
    arvo_span_kind kind;
    const arvo_trace_context *parent; /* NULL: a new trace */
    arvo_str tracestate;              /* of the parent, valid; none */
    int64_t start_ns;
} arvo_span_opts;

/* The listener's own span object; opaque to Arvo. */
typedef struct arvo_span arvo_span;

typedef struct arvo_telemetry {
    uint32_t version; /* ARVO_TELEMETRY_OPS_VERSION */

    /* Start a span. Fill `own` with the context to put into outgoing events, also of a span that is
     * not recorded, for which NULL is returned; left as it is, the parent's context is passed on.
     */
    arvo_span *(*span_start)(void *self, const arvo_span_opts *opts, arvo_trace_context *own);
    void (*span_str)(void *self, arvo_span *span, arvo_str key, arvo_str value);
    void (*span_number)(void *self, arvo_span *span, arvo_str key, double value);
    void (*span_log)(void *self, arvo_span *span, arvo_severity severity, arvo_str message);

    /* Another span that has to do with this one, and is not its parent: the execution whose outcome
     * an event that is delivered again is answered with. */
    void (*span_link)(void *self, arvo_span *span, const arvo_trace_context *other);

    /* error none (ptr NULL): success. */
    void (*span_end)(
        void *self, arvo_span *span, int64_t end_ns, arvo_str error_type, arvo_str error_message);

    void (*measure)(void *self, arvo_measure measure, double value, const arvo_labels *labels);
    void *self;
} arvo_telemetry;

/**
 * Whether every function of the table is there and the version is known; else one line in err.
 * @return ARVO_OK (also for NULL), ARVO_E_VERSION, ARVO_E_INVALID (a function is missing).
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_telemetry_check(const arvo_telemetry *telemetry, arvo_error *err);

ARVO_END_DECLS

#endif
