/* arvo/platform.h - the outside world of the core: clocks, randomness, a log;
 * UUIDs and timestamps.
 *
 * The core reads the time and draws random bytes only through this table, so
 * that a test can move the clock and replay a run from a seed.
 *
 * Threads: arvo_platform_system() may be used by any number of threads. A
 *          table of your own must allow that too when an orchestrator is shared.
 */
#ifndef ARVO_PLATFORM_H
#define ARVO_PLATFORM_H

#include <arvo/base.h>

ARVO_BEGIN_DECLS

#define ARVO_PLATFORM_OPS_VERSION 2u

struct arvo_log; /* arvo/log.h */

typedef struct arvo_platform {
    uint32_t version;                                    /* ARVO_PLATFORM_OPS_VERSION */
    int64_t (*time_ms)(void *self);                      /* since 1970-01-01T00:00:00Z */
    int64_t (*monotonic_ns)(void *self);                 /* never goes back; origin arbitrary */
    bool (*random)(void *self, void *bytes, size_t len); /* false: source failed */
    void *self;
    const struct arvo_log *log; /* who is told what happens; NULL: nobody */
} arvo_platform;

/** The operating system's clock and random source; nobody listens. Static. A copy of it may be
 * given a log. Random bytes are drawn in blocks and never shared across fork(). */
ARVO_API const arvo_platform *arvo_platform_system(void);

#define ARVO_UUID_BYTES      ((size_t)36)
#define ARVO_TIMESTAMP_BYTES ((size_t)29)

/**
 * A random UUID (RFC 9562, version 4), lower-case with hyphens.
 * @param out  ARVO_UUID_BYTES bytes, no NUL.
 * @return false when the random source failed.
 */
ARVO_API ARVO_NODISCARD bool arvo_uuid_new(const arvo_platform *platform, char *out);

/**
 * Format milliseconds since the epoch as `YYYY-MM-DDTHH:MM:SS.mmm+00:00`, true UTC (spec 1.5.2,
 * without the time zone defect of 1.5.3). Years 0000 to 9999; outside, the nearest of these.
 * @param out  ARVO_TIMESTAMP_BYTES bytes, no NUL.
 */
ARVO_API void arvo_timestamp_format(int64_t time_ms, char *out);

/** Whether `text` is a date-time in the sense of spec 1.5.1. */
ARVO_API bool arvo_timestamp_is_valid(arvo_str text);

ARVO_END_DECLS

#endif
