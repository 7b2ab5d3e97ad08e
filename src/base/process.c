/* Processes of one's own, for libraries that may hang, crash or leak: what each begins with. Edge
 * module: file descriptors and signals. */

#include "base/internal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

void
arvo__child_stand_alone(int fd, const int *ignored, size_t ignored_count)
{
    /* First: a program whose own standard files are closed has `fd` among the three. */
    if (fd != ARVO__CHILD_FD)
        (void)dup2(fd, ARVO__CHILD_FD);
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < ARVO__CHILD_FD && nowhere >= 0; i++)
        (void)dup2(nowhere, i);
    (void)close_range(ARVO__CHILD_FD + 1, ~0u, 0);

    const struct rlimit none = { 0, 0 };
    (void)setrlimit(RLIMIT_CORE, &none);

    /* Unblocked last: one that came meanwhile is dropped when it is ignored. */
    struct sigaction action = { .sa_handler = SIG_DFL };
    for (int i = 1; i < NSIG; i++)
        (void)sigaction(i, &action, NULL);
    action.sa_handler = SIG_IGN;
    for (size_t i = 0; i < ignored_count; i++)
        (void)sigaction(ignored[i], &action, NULL);
    sigset_t empty;
    sigemptyset(&empty);
    (void)sigprocmask(SIG_SETMASK, &empty, NULL);
}
