/* bench/bench.h - what every benchmark shares: a clock, the median of several
 * runs, and the line that says on what machine it ran. */
#ifndef ARVO_BENCH_BENCH_H
#define ARVO_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_RUNS 5

/* Do the measured work `rounds` times. */
typedef void bench_fn(void *self, size_t rounds);

/* Monotonic. */
int64_t bench_now_ns(void);

/* Remove a SQLite store with the files beside it. */
void bench_remove_store(const char *path);

/* CPU time of this process. */
int64_t bench_cpu_ns(void);

/* "machine: <cpu>, <n> cores, <compiler>". */
void bench_print_machine(void);

/* Smallest first. */
void bench_sort(double *values, size_t count);

/* Nanoseconds per round: the median of BENCH_RUNS runs, after one that is not counted. */
double bench_median_ns(bench_fn *fn, void *self, size_t rounds);

/* The same in CPU time: what else the machine does at the moment counts less. */
double bench_median_cpu_ns(bench_fn *fn, void *self, size_t rounds);

/* Run a peer's program (node and its packages may be missing: then a line says so) and keep the
 * figures that it prints, "WHAT WAY NS" each. `make_target` installs what it needs. */
void bench_peer_run(const char *peer, const char *script, const char *make_target);

/* 0: not measured. */
double bench_peer_ns(const char *what, const char *way);

/* As many rounds as take about `ms` milliseconds. */
size_t bench_rounds_for(bench_fn *fn, void *self, unsigned ms);

#endif
