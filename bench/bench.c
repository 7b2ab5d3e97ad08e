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
bench_remove_store(const char *path)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-lease" };
    char name[512];
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        (void)unlink(name);
    }
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

/* ---- Peers ---- */

#define PEER_FIGURES_MAX 32u

typedef struct peer_figure {
    char what[32];
    char way[16];
    double ns;
} peer_figure;

static peer_figure peer_figures[PEER_FIGURES_MAX];
static size_t peer_count;

void
bench_peer_run(const char *peer, const char *script, const char *make_target)
{
    char command[1024];
    char line[128];
    (void)snprintf(command, sizeof(command), "node '%s' 2>/dev/null", script);
    FILE *const output = popen(command, "r");
    while (output != NULL && peer_count < PEER_FIGURES_MAX &&
           fgets(line, sizeof(line), output) != NULL) {
        peer_figure *const figure = &peer_figures[peer_count];
        const char *const way = strchr(line, ' ');
        const char *const ns = way != NULL ? strchr(way + 1, ' ') : NULL;
        if (ns == NULL)
            continue;
        (void)snprintf(figure->what, sizeof(figure->what), "%.*s", (int)(way - line), line);
        (void)snprintf(figure->way, sizeof(figure->way), "%.*s", (int)(ns - way - 1), way + 1);
        figure->ns = strtod(ns, NULL);
        peer_count += figure->ns > 0;
    }
    if (output != NULL)
        (void)pclose(output);
    if (peer_count == 0)
        printf("%s: not installed, or no node; make %s installs it\n", peer, make_target);
}

double
bench_peer_ns(const char *what, const char *way)
{
    for (size_t i = 0; i < peer_count; i++)
        if (strcmp(peer_figures[i].what, what) == 0 && strcmp(peer_figures[i].way, way) == 0)
            return peer_figures[i].ns;
    return 0;
}

/* ---- Medians ---- */

static int
compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void
bench_sort(double *values, size_t count)
{
    qsort(values, count, sizeof(values[0]), compare_doubles);
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
    bench_sort(runs, BENCH_RUNS);
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
