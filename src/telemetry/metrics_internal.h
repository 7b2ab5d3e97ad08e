/* telemetry/metrics_internal.h - what counting and writing share. */
#ifndef ARVO_SRC_TELEMETRY_METRICS_INTERNAL_H
#define ARVO_SRC_TELEMETRY_METRICS_INTERNAL_H

#include <arvo/metrics.h>

#include <stdatomic.h>

#include "base/internal.h"

#define METRICS_STRIPES 8u /* threads beyond share them */
#define METRICS_BOUNDS  22u
#define METRICS_SLOTS   2048u /* more than there can be series, so that probing ends */

/* Upper bounds of the buckets: 1, 2.5, 5, 10, ... microseconds to 10 s. */
typedef struct metrics_bound {
    uint64_t ns;
    const char *le; /* the same in seconds, as it is written */
} metrics_bound;

extern const metrics_bound arvo__metrics_bounds[METRICS_BOUNDS];

/* What one stripe's threads counted, on cache lines of its own. */
typedef struct metrics_stripe {
    _Alignas(64) _Atomic uint64_t total;          /* sum of the values: nanoseconds, or events */
    _Atomic uint64_t buckets[METRICS_BOUNDS + 1]; /* each value in one of them; the last: beyond */
} metrics_stripe;

typedef struct metrics_series {
    arvo_measure measure;
    arvo_str handler, detail;
    uint64_t hash;
    size_t size;
    metrics_stripe *stripes;
} metrics_series;

/* How a measure is shown. */
typedef struct metrics_family {
    const char *name; /* of a time with its unit, of a count without _total */
    const char *help;
    const char *detail; /* name of that label; NULL: there is none */
    bool is_time;
} metrics_family;

extern const metrics_family arvo__metrics_families[ARVO_MEASURE_COUNT];

struct arvo_metrics {
    const arvo_allocator *allocator;
    const arvo_telemetry *next;
    arvo_telemetry table;
    _Atomic uint32_t series_count[ARVO_MEASURE_COUNT];
    _Atomic uint64_t overflowed; /* measurements that found no room for their labels */
    _Atomic(metrics_series *) slots[METRICS_SLOTS];
};

/* metrics_process.c: what the system says of this process. A value below 0 is not known. */
typedef struct metrics_process {
    double cpu_seconds;
    double resident_bytes;
    double open_files;
    double start_time; /* seconds since 1970 */
} metrics_process;

metrics_process arvo__metrics_process(void);

#endif
