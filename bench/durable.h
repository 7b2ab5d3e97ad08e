/* bench/durable.h - what bench_durable.c measures, and what a backend adds to it: a fresh store,
 * and the floor, a bare loop of prepared statements that writes the same bytes.
 *
 * A backend is a file of its own and a row in the table of bench_durable.c. */
#ifndef ARVO_BENCH_DURABLE_H
#define ARVO_BENCH_DURABLE_H

#include <arvo/arvo.h>

#include "bench.h"

/* The bytes of one step: a record, the event that was consumed, the one that was produced. Steps
 * take the two states in turn: writing what is there already can be cheaper than it ought to be. */
struct durable_bytes {
    arvo_str states[2], event;
};

struct durable_limit {
    size_t in_flight;
    double ratio; /* of the floor, at least */
};

struct durable_backend {
    const char *name;
    /* Whether it can run here; says why not. */
    bool (*is_there)(const char **out_why);
    /* URL of a store that is fresh and empty; static. */
    const char *(*fresh)(void);
    /* Remove what fresh() and the floor have made. */
    void (*clean)(void);
    /* Make the floor's tables with `rows` rows. */
    void (*floor_open)(const struct durable_bytes *bytes, size_t rows);
    /* Do `steps` steps, `batch` of them to a transaction; `latencies_ns` (nullable) of each
     * transaction. */
    void (*floor_run)(
        const struct durable_bytes *bytes, size_t rows, size_t batch, size_t steps,
        int64_t *latencies_ns);
    void (*floor_close)(void);
    /* Nullable: executions committed by this process, and in how many transactions. */
    void (*counts)(arvo_memory *memory, uint64_t *out_commits, uint64_t *out_transactions);
    /* Nullable: print where the bytes of the store are that `url` names, with `instances` in it. */
    void (*print_bytes)(const char *url, size_t instances, size_t events);
    struct durable_limit limits[4]; /* ended by 0 */
};

extern const struct durable_backend durable_redis;
extern const struct durable_backend durable_sqlite;

_Noreturn void durable_die(const char *what, const arvo_error *err);

#endif
