/* arvo/telemetry.h - spans, span logs and measurements, handed to whoever listens.
 *
 * Arvo makes no telemetry by itself: it calls this table. NULL means off and
 * costs one branch. Span and attribute names: spec 9.10.
 *
 * Threads: an orchestrator used by several threads calls the table from all of
 *          them; one span is used by one thread.
 */
#ifndef ARVO_TELEMETRY_H
#define ARVO_TELEMETRY_H

#include <arvo/base.h>

ARVO_BEGIN_DECLS

#define ARVO_TELEMETRY_OPS_VERSION 1u
#define ARVO_TRACEPARENT_BYTES     ((size_t)55)

/* W3C Trace Context, level 1. */
typedef struct arvo_trace_context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t flags; /* bit 0: sampled */
} arvo_trace_context;

/** Read `00-{32 hex}-{16 hex}-{2 hex}`; false (out untouched) when malformed or all zero. */
ARVO_API bool arvo_trace_context_parse(arvo_str traceparent, arvo_trace_context *out);

/** Write the header form, ARVO_TRACEPARENT_BYTES bytes, no NUL. */
ARVO_API void arvo_trace_context_format(const arvo_trace_context *context, char *out);

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

typedef enum arvo_measure {
    ARVO_MEASURE_LOCK_WAIT_NS = 0,
    ARVO_MEASURE_READ_NS,
    ARVO_MEASURE_EXECUTE_NS,
    ARVO_MEASURE_COMMIT_NS,
    ARVO_MEASURE_TOTAL_NS,
    ARVO_MEASURE_EVENTS_IN,
    ARVO_MEASURE_EVENTS_OUT,
    ARVO_MEASURE_EVENTS_DEDUPLICATED,
    ARVO_MEASURE_EVENTS_IGNORED,
    ARVO_MEASURE_EVENTS_FAILED,
    ARVO_MEASURE_COUNT
} arvo_measure;

/* The listener's own span object; opaque to Arvo. */
typedef struct arvo_span arvo_span;

typedef struct arvo_telemetry {
    uint32_t version; /* ARVO_TELEMETRY_OPS_VERSION */

    /* Start a span. `parent` may be NULL (a new trace). Fill `own` with the context to put into
     * outgoing events. May return NULL for a span that is not recorded. */
    arvo_span *(*span_start)(
        void *self, arvo_str name, arvo_span_kind kind, const arvo_trace_context *parent,
        arvo_trace_context *own);
    void (*span_str)(void *self, arvo_span *span, arvo_str key, arvo_str value);
    void (*span_number)(void *self, arvo_span *span, arvo_str key, double value);
    void (*span_log)(void *self, arvo_span *span, arvo_severity severity, arvo_str message);

    /* error none (ptr NULL): success. */
    void (*span_end)(void *self, arvo_span *span, arvo_str error_type, arvo_str error_message);

    void (*measure)(void *self, arvo_measure measure, double value);
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
