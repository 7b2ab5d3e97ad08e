/* Clock, medians, the machine. */

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t
bench_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t
bench_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void
bench_print_machine(void)
{
    char model[256] = "unknown processor";
    char line[512];
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *colon = strchr(line, ':');
        if (colon != NULL && strncmp(line, "model name", 10) == 0) {
            (void)snprintf(model, sizeof(model), "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    if (file != NULL)
        (void)fclose(file);
#if defined(__clang__)
    static const char compiler[] = "clang " __clang_version__;
#else
    static const char compiler[] = "gcc " __VERSION__;
#endif
    printf("machine: %s, %ld cores, %s\n", model, sysconf(_SC_NPROCESSORS_ONLN), compiler);
}

static int
compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
median_ns(int64_t (*now_ns)(void), bench_fn *fn, void *self, size_t rounds)
{
    double runs[BENCH_RUNS];
    fn(self, rounds / 10 + 1);
    for (size_t i = 0; i < BENCH_RUNS; i++) {
        const int64_t begin = now_ns();
        fn(self, rounds);
        runs[i] = (double)(now_ns() - begin) / (double)rounds;
    }
    qsort(runs, BENCH_RUNS, sizeof(runs[0]), compare_doubles);
    return runs[BENCH_RUNS / 2];
}

double
bench_median_ns(bench_fn *fn, void *self, size_t rounds)
{
    return median_ns(bench_now_ns, fn, self, rounds);
}

double
bench_median_cpu_ns(bench_fn *fn, void *self, size_t rounds)
{
    return median_ns(bench_cpu_ns, fn, self, rounds);
}

size_t
bench_rounds_for(bench_fn *fn, void *self, unsigned ms)
{
    for (size_t rounds = 1;; rounds *= 4) {
        const int64_t begin = bench_now_ns();
        fn(self, rounds);
        const int64_t took = bench_now_ns() - begin;
        if (took > 2000000 || rounds > ((size_t)1 << 40))
            return (size_t)((double)rounds * ms * 1e6 / (double)(took + 1)) + 1;
    }
}
