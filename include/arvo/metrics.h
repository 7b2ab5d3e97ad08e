/* arvo/metrics.h - a listener that counts what it hears, for Prometheus to read.
 *
 * Names, units and buckets: docs/telemetry.md. A measurement is a few additions
 * to memory that threads hardly share; nothing is locked, and after the first
 * of its kind nothing is allocated.
 *
 * Threads: measuring and writing may be done by any number of threads at once.
 *          What is written while others measure may lack the last of what they
 *          measured.
 */
#ifndef ARVO_METRICS_H
#define ARVO_METRICS_H

#include <arvo/telemetry.h>

ARVO_BEGIN_DECLS

/* Label sets of one measure; what is beyond is counted under `handler="_other"`. */
#define ARVO_METRICS_SERIES_MAX      100u
#define ARVO_METRICS_LABEL_BYTES_MAX ((size_t)128) /* the rest of a label is cut off */

typedef struct arvo_metrics arvo_metrics;

typedef enum arvo_metrics_format {
    ARVO_METRICS_PROMETHEUS = 0, /* text format 0.0.4; also node exporter's textfiles */
    ARVO_METRICS_OPENMETRICS     /* 1.0.0 */
} arvo_metrics_format;

typedef struct arvo_metrics_opts {
    const arvo_allocator *allocator; /* NULL: malloc; borrowed */
    const arvo_telemetry
        *next; /* who gets the spans and hears the measurements, too; NULL: nobody */
} arvo_metrics_opts;

/** Owned (arvo_metrics_free()). `opts` may be NULL. NULL when out of memory. */
ARVO_API ARVO_NODISCARD arvo_metrics *arvo_metrics_new(const arvo_metrics_opts *opts);
/** NULL is fine. */
ARVO_API void arvo_metrics_free(arvo_metrics *metrics);

/** Its table; borrowed for its life. */
ARVO_API const arvo_telemetry *arvo_metrics_telemetry(const arvo_metrics *metrics);

/** Append all that was counted, and what the system says of this process. Failure is the buffer's.
 */
ARVO_API void
arvo_metrics_write(const arvo_metrics *metrics, arvo_metrics_format format, arvo_buf *out);

ARVO_END_DECLS

#endif
