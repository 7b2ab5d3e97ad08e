/* What the system says of this process (Linux' /proc, and getrusage()), and the metrics of
 * themselves. */

#include "telemetry/metrics_internal.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double
cpu_seconds(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return -1;
    const int64_t seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    const int64_t us = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    return (double)(seconds * 1000000 + us) / 1e6;
}

/* The n-th number, from 0, of the words of a file in /proc behind the last `behind`; -1: not known.
 */
static double
proc_number(const char *path, char behind, unsigned n)
{
    char text[1024];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    const size_t len = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    char *p = behind != '\0' ? strrchr(text, behind) : text;
    if (p == NULL)
        return -1;
    p += behind != '\0';
    for (unsigned i = 0; i < n; i++) {
        p += strspn(p, " ");
        p += strcspn(p, " ");
    }
    char *end;
    const double number = strtod(p, &end);
    return end != p ? number : -1;
}

static double
open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return -1;
    double count = -3; /* ".", "..", and the folder itself */
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

static double
max_files(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : -1;
}

/* The boot time of this very moment, less rounding: the process' start is in ticks since then. */
static double
start_time(void)
{
    struct timespec now, up;
    const double ticks = proc_number("/proc/self/stat", ')', 19);
    if (ticks < 0 || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        clock_gettime(CLOCK_BOOTTIME, &up) != 0)
        return -1;
    const double boot = (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) / 1e9;
    /* Further digits are only the time between the two looks. */
    return round((boot + ticks / (double)sysconf(_SC_CLK_TCK)) * 1e5) / 1e5;
}

static double
resident_bytes(void)
{
    const double pages = proc_number("/proc/self/statm", '\0', 1);
    return pages >= 0 ? pages * (double)sysconf(_SC_PAGESIZE) : -1;
}

/* In whole milliseconds: the start is not known any better. */
static double
uptime_since(double start)
{
    const arvo_platform *platform = arvo_platform_system();
    const double up = (double)platform->time_ms(platform->self) - start * 1e3;
    return up > 0 ? floor(up) / 1e3 : 0;
}

/* ---- As a source ------------------------------------------------------------------------- */

enum { OVERFLOW, BUILD_INFO, CPU, RESIDENT, OPEN_FILES, MAX_FILES, START_TIME, UPTIME };

static const arvo_metrics_family own_families[] = {
    [OVERFLOW] = { .name = "arvo_metrics_overflow",
                   .help = "Measurements whose labels were one set too many.",
                   .is_counter = true },
    [BUILD_INFO] = { .name = "arvo_build_info",
                     .help = "The version of Arvo; always 1.",
                     .label = "version" },
    [CPU] = { .name = "process_cpu_seconds",
              .help = "User and system CPU time.",
              .unit = "seconds",
              .is_counter = true },
    [RESIDENT] = { .name = "process_resident_memory_bytes",
                   .help = "Resident memory.",
                   .unit = "bytes" },
    [OPEN_FILES] = { .name = "process_open_fds", .help = "Open file descriptors." },
    [MAX_FILES] = { .name = "process_max_fds", .help = "How many may be open." },
    [START_TIME] = { .name = "process_start_time_seconds",
                     .help = "When the process began, since 1970.",
                     .unit = "seconds" },
    [UPTIME] = { .name = "process_uptime_seconds",
                 .help = "For how long the process has run.",
                 .unit = "seconds" },
};

static size_t
own_observe(void *user, arvo_metrics_sample *out)
{
    const arvo_metrics *metrics = user;
    const double start = start_time();
    const arvo_metrics_sample samples[] = {
        { .family = OVERFLOW, .value = (double)atomic_load(&metrics->overflowed) },
        { .family = BUILD_INFO, .label = ARVO_VERSION_STRING, .value = 1 },
        { .family = CPU, .value = cpu_seconds() },
        { .family = RESIDENT, .value = resident_bytes() },
        { .family = OPEN_FILES, .value = open_files() },
        { .family = MAX_FILES, .value = max_files() },
        { .family = START_TIME, .value = start },
        { .family = UPTIME, .value = start < 0 ? -1 : uptime_since(start) },
    };
    memcpy(out, samples, sizeof(samples));
    return ARVO_COUNT_OF(samples);
}

arvo_metrics_source
arvo__metrics_own(arvo_metrics *metrics)
{
    return (arvo_metrics_source){ .families = own_families,
                                  .family_count = ARVO_COUNT_OF(own_families),
                                  .observe = own_observe,
                                  .user = metrics };
}
