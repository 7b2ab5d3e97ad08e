/* From the start of the command to its first event done.
 *
 *   bench_start [RUNS]
 *
 * What a shell script or a cron job pays: a fresh process loads the purchase app (six YAML
 * documents, three machines), executes a start event and ends. Beside it, in turns, the floor: a
 * process that does nothing, and the command when it only prints its version.
 */

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"

#define START_RUNS_DEFAULT 100
#define START_LIMIT_MS     10.0

extern char **environ;

typedef struct program {
    const char *name;
    char *argv[8];
    double *wall_ms, *cpu_ms; /* one each run */
} program;

static void
die(const char *what)
{
    fprintf(stderr, "bench_start: %s\n", what);
    exit(2);
}

static void
run_once(program *p, size_t run)
{
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    int status = 0;
    struct rusage usage = { 0 };
    if (posix_spawn_file_actions_init(&quiet) != 0 ||
        posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0)
        die("no memory");
    const int64_t start = bench_now_ns();
    if (posix_spawn(&pid, p->argv[0], &quiet, NULL, p->argv, environ) != 0)
        die(p->argv[0]);
    while (wait4(pid, &status, 0, &usage) < 0)
        if (errno != EINTR)
            die("wait4");
    p->wall_ms[run] = (double)(bench_now_ns() - start) / 1e6;
    p->cpu_ms[run] = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
                     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
    posix_spawn_file_actions_destroy(&quiet);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die(p->name);
}

static int
compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
    const size_t runs = argc > 1 ? strtoul(argv[1], NULL, 10) : START_RUNS_DEFAULT;
    static char arvo[] = BENCH_ARVO, app[] = BENCH_APP, event[] = BENCH_EVENT;
    static char run[] = "run", event_option[] = "--event", version[] = "version";
    static char nothing[] = "/bin/true";
    program programs[] = {
        { .name = "a process that does nothing", .argv = { nothing } },
        { .name = "arvo version", .argv = { arvo, version } },
        { .name = "arvo run APP --event FILE", .argv = { arvo, run, app, event_option, event } },
    };
    const size_t count = sizeof(programs) / sizeof(programs[0]);
    if (runs == 0)
        die("usage: bench_start [RUNS], RUNS 1 or more");
    for (size_t i = 0; i < count; i++) {
        programs[i].wall_ms = calloc(runs, sizeof(double));
        programs[i].cpu_ms = calloc(runs, sizeof(double));
        if (programs[i].wall_ms == NULL || programs[i].cpu_ms == NULL)
            die("no memory");
    }
    for (size_t r = 0; r < runs; r++)
        for (size_t i = 0; i < count; i++)
            run_once(&programs[i], r);

    bench_print_machine();
    for (size_t i = 0; i < count; i++) {
        program *p = &programs[i];
        qsort(p->wall_ms, runs, sizeof(double), compare);
        qsort(p->cpu_ms, runs, sizeof(double), compare);
        printf(
            "%-28s %6.1f ms (median of %zu; quickest %.1f), %.1f ms of CPU\n", p->name,
            p->wall_ms[runs / 2], runs, p->wall_ms[0], p->cpu_ms[runs / 2]);
    }
    printf(
        "start to first event done    %.1f ms (limit %.0f); arvo-xstate 2.3.3 265 ms (measured "
        "elsewhere)\n",
        programs[count - 1].wall_ms[runs / 2], START_LIMIT_MS);
    for (size_t i = 0; i < count; i++) {
        free(programs[i].wall_ms);
        free(programs[i].cpu_ms);
    }
    return 0;
}
