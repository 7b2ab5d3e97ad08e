/* telemetry/metrics_internal.h - what counting and writing share. */
#ifndef ARVO_SRC_TELEMETRY_METRICS_INTERNAL_H
#define ARVO_SRC_TELEMETRY_METRICS_INTERNAL_H

#include <arvo/metrics.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

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

/* The last measurement of a bucket that was made in a recorded span. */
typedef struct metrics_exemplar {
    bool is_set;
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint64_t value; /* nanoseconds */
} metrics_exemplar;

typedef struct metrics_series {
    arvo_measure measure;
    arvo_str handler, detail;
    uint64_t hash;
    size_t size;
    metrics_stripe *stripes;
    /* Whoever finds it taken does without: an exemplar is one of many. */
    atomic_flag exemplars_taken;
    metrics_exemplar exemplars[METRICS_BOUNDS + 1]; /* of times */
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
    int64_t start_ns;            /* when it began to count, since 1970 */
    pthread_mutex_t sources_mutex;
    const arvo_metrics_source *sources[ARVO_METRICS_SOURCES_MAX]; /* guarded by it */
    size_t source_count;
    arvo_metrics_source own; /* of the process, and of the metrics themselves */
    _Atomic(metrics_series *) slots[METRICS_SLOTS];
};

/* ---- Reading, for whoever writes it (metrics_read.c) ---------------------------------------- */

uint64_t arvo__metrics_total(const metrics_series *series);
/* Of each bucket, not cumulated; their sum. */
uint64_t arvo__metrics_buckets(const metrics_series *series, uint64_t out[METRICS_BOUNDS + 1]);
/* A copy; none when they are in use for long. */
void arvo__metrics_exemplars(metrics_series *series, metrics_exemplar out[METRICS_BOUNDS + 1]);
/* The next one of a measure behind *slot, which begins as 0; NULL: there are no more. */
metrics_series *arvo__metrics_next(const arvo_metrics *metrics, arvo_measure measure, size_t *slot);

/* Ask one source after the other; samples are in whatever order the source likes. */
typedef void (*metrics_samples_fn)(
    void *user, const arvo_metrics_source *source, const arvo_metrics_sample *samples,
    size_t count);
void arvo__metrics_observe(const arvo_metrics *metrics, metrics_samples_fn each, void *user);

/* ---- Serving (metrics_request.c) --------------------------------------------------------------
 */

typedef struct metrics_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } as;
    socklen_t len; /* of the one that it is */
} metrics_address;

/* HOST:PORT as arvo_metrics_server_opts has it; false: it is none. */
bool arvo__metrics_address_read(const char *text, metrics_address *out);
/* As a URL; its length. */
size_t arvo__metrics_address_format(const metrics_address *address, char *out, size_t size);
/* What an Accept header (NULL: none) asks for. */
arvo_metrics_format arvo__metrics_format_of(const char *accept);

/* What the system says of this process, and the metrics of themselves (metrics_process.c). */
arvo_metrics_source arvo__metrics_own(arvo_metrics *metrics);

#endif
