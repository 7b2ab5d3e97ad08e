/* Progress on a terminal, of what takes more than a second. */

#include "cli.h"

#include <unistd.h>

#define PROGRESS_FIRST_NS ((int64_t)1000000000)
#define PROGRESS_EACH_NS  ((int64_t)200000000)

void
cli_progress_show(cli_progress *progress, uint64_t count)
{
    const arvo_platform *platform = arvo_platform_system();
    const int64_t now = platform->monotonic_ns(platform->self);
    if (progress->started_ns == 0)
        progress->started_ns = now;
    const int64_t taken = now - progress->started_ns;
    if (taken < PROGRESS_FIRST_NS || now - progress->shown_ns < PROGRESS_EACH_NS ||
        isatty(STDERR_FILENO) == 0)
        return;
    progress->shown_ns = now;
    fprintf(
        stderr, "\r\033[K%s %llu %s, %.0f per second", progress->what, (unsigned long long)count,
        progress->unit, (double)count / ((double)taken / 1e9));
    (void)fflush(stderr);
}

void
cli_progress_end(cli_progress *progress)
{
    if (progress->shown_ns != 0)
        fprintf(stderr, "\r\033[K");
    progress->shown_ns = 0;
}
