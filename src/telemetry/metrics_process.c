/* What the system says of this process: Linux' /proc, and getrusage(). */

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

metrics_process
arvo__metrics_process(void)
{
    const double pages = proc_number("/proc/self/statm", '\0', 1);
    return (metrics_process){
        .cpu_seconds = cpu_seconds(),
        .resident_bytes = pages >= 0 ? pages * (double)sysconf(_SC_PAGESIZE) : -1,
        .open_files = open_files(),
        .start_time = start_time(),
    };
}
