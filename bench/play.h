/* bench/play.h - the purchase workflow's events, recorded once and played as often as is measured.
 *
 * The workflow runs with its mocks, and every event that reaches an orchestrator is recorded. Then
 * the recorded bytes are played to fresh orchestrators: parse, ten steps, result to bytes, and only
 * that is timed, after a tenth to warm up.
 */
#ifndef ARVO_BENCH_PLAY_H
#define ARVO_BENCH_PLAY_H

#include <arvo/arvo.h>

typedef struct play_event {
    arvo_str json;
    size_t orchestrator; /* index into the sources */
    size_t instance;
} play_event;

typedef struct play {
    arvo_app *app;
    arvo_arena *texts;
    play_event *events;
    size_t count, cap;
    size_t instance;
    arvo_str sources[8];
    size_t source_count;
    arvo_str state; /* a typical persisted snapshot */
} play;

typedef struct play_outcome {
    double events; /* timed */
    double seconds, cpu_seconds;
    double p50, p99, p999; /* us */
    double mallocs_per_event;
} play_outcome;

/* Counted by a program that wraps malloc; it stays 0 in others. */
extern size_t play_malloc_calls;

_Noreturn void play_die(const char *what, const arvo_error *err);

#define PLAY_MUST(call)                                                                            \
    do {                                                                                           \
        if ((call) != ARVO_OK)                                                                     \
            play_die(#call, &err);                                                                 \
    } while (0)

/* Run `instances` workflows of the app, begun by copies of the event of that file. */
void play_record(play *out, const char *app_dir, const char *start_path, size_t instances);
void play_fini(play *recorded);

/* Play what the first `instances` got, by one or two threads. `telemetry` may be NULL. */
play_outcome play_all(
    const play *recorded, arvo_memory *memory, const arvo_telemetry *telemetry, size_t instances,
    size_t threads);

#endif
