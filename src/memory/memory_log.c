/* What stores tell the log of their platform. */

#include "memory/internal.h"

enum { REACH_NEVER, REACH_FOUND, REACH_LOST };

void
arvo__reach_found(arvo__reach *reach, const arvo_platform *platform, const char *where)
{
    if (atomic_exchange(&reach->state, REACH_FOUND) == REACH_LOST)
        arvo__memory_log(platform, ARVO_LOG_INFO, "%s: the server is reached again", where);
}

void
arvo__reach_lost(arvo__reach *reach, const arvo_platform *platform, const arvo_error *why)
{
    unsigned found = REACH_FOUND;
    if (atomic_compare_exchange_strong(&reach->state, &found, REACH_LOST))
        arvo__memory_log(
            platform, ARVO_LOG_WARNING, "the server is reached no more, and tried again: %s",
            why->text);
}
