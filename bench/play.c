/* Recording and playing the purchase workflow. */

#include "play.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/internal.h"
#include "bench.h"

size_t play_malloc_calls;

_Noreturn void
play_die(const char *what, const arvo_error *err)
{
    fprintf(stderr, "bench: %s: %s\n", what, err != NULL ? err->text : "out of memory");
    exit(1);
}

/* ---- Random numbers --------------------------------------------------------------- */

/* An event that is played must give the ids that it gave when it was recorded: the child's events
 * that follow carry the subject that its parent made. So what orchestrators draw depends on the
 * event's number; the system is asked all the same, because that is what it costs. */
static _Thread_local struct {
    uint64_t event, drawn_for, draws;
} numbers;

static bool
draw(void *self, void *out, size_t len)
{
    (void)self;
    const arvo_platform *system = arvo_platform_system();
    if (!system->random(system->self, out, len))
        return false;
    if (numbers.drawn_for != numbers.event) {
        numbers.drawn_for = numbers.event;
        numbers.draws = 0;
    }
    unsigned char *bytes = out;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t x = (numbers.event << 20) + ++numbers.draws;
        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        x ^= x >> 31;
        memcpy(bytes + i, &x, len - i < 8 ? len - i : 8);
    }
    return true;
}

static const arvo_platform *
platform(void)
{
    static arvo_platform own;
    if (own.random == NULL)
        own = *arvo_platform_system();
    own.random = draw;
    return &own;
}

/* ---- Recording ------------------------------------------------------------------- */

static size_t
source_index(play *recorded, arvo_str source)
{
    for (size_t i = 0; i < recorded->source_count; i++)
        if (arvo_str_equal(recorded->sources[i], source))
            return i;
    recorded->sources[recorded->source_count] = arvo_arena_str_dup(recorded->texts, source);
    return recorded->source_count++;
}

static bool
record(void *user, const arvo_delivery *delivery)
{
    play *recorded = user;
    if (delivery->handled_by != ARVO_HANDLED_BY_ORCHESTRATOR)
        return true;
    if (recorded->count == recorded->cap) {
        recorded->cap = recorded->cap != 0 ? recorded->cap * 2 : 1024;
        recorded->events = realloc(recorded->events, recorded->cap * sizeof(*recorded->events));
        if (recorded->events == NULL)
            play_die("record", NULL);
    }
    recorded->events[recorded->count++] =
        (play_event){ arvo_arena_str_dup(recorded->texts, delivery->event_json),
                      source_index(recorded, delivery->name), recorded->instance };
    numbers.event = recorded->count + 1;
    return true;
}

static void
record_instances(play *recorded, const arvo_event *given, size_t instances)
{
    arvo_error err;
    arvo_memory *memory = NULL;
    arvo_app_runtime *runtime = NULL;
    arvo_arena *arena = arvo_arena_new(NULL);
    PLAY_MUST(arvo_memory_open("memory:?inbox=0", &memory, &err));
    PLAY_MUST(arvo_app_start(
        recorded->app,
        &(arvo_app_runtime_opts){
            .memory = memory, .platform = platform(), .on_event = record, .user = recorded },
        &runtime, &err));
    arvo_subject subject;
    arvo_arena *keep = arvo_arena_new(NULL);
    PLAY_MUST(arvo_subject_decode(NULL, given->subject, keep, &subject, &err));
    numbers.event = 1;
    for (recorded->instance = 0; recorded->instance < instances; recorded->instance++) {
        arvo_arena_reset(arena);
        arvo_event fields = *given, start;
        const arvo_subject_new_opts opts = { .name = subject.orchestrator_name,
                                             .version = subject.orchestrator_version,
                                             .initiator = subject.initiator };
        PLAY_MUST(
            arvo_subject_new(NULL, &opts, arvo_platform_system(), arena, &fields.subject, &err));
        fields.id = fields.time = ARVO_STR_NONE;
        PLAY_MUST(arvo_event_create(&fields, arvo_platform_system(), arena, &start, &err));
        PLAY_MUST(arvo_broker_publish(arvo_app_runtime_broker(runtime), &start, &err));
        if (recorded->instance == 0) {
            bool found = false;
            arvo_record stored;
            PLAY_MUST(arvo_memory_ops_of(memory)->read(
                arvo_memory_self(memory), fields.subject, recorded->texts, &found, &stored, &err));
            recorded->state = stored.state;
        }
    }
    arvo_app_stop(runtime);
    arvo_memory_close(memory);
    arvo_arena_free(keep);
    arvo_arena_free(arena);
}

/* ---- Playing ------------------------------------------------------------------------ */

typedef struct player {
    pthread_t thread;
    pthread_barrier_t *warm; /* where all wait until all have played their first instances */
    const play *recorded;
    arvo_orchestrator **orchestrators; /* by index of their source */
    size_t from, warm_to, to;          /* instances; up to warm_to they are not timed */
    uint32_t *latencies_ns;
    size_t done;
    int64_t start_ns, start_cpu_ns;
    size_t start_mallocs;
} player;

/* Only what a server would do for the event is timed. */
static void
play_instances(player *p, arvo_arena *arena, arvo_buf *out, size_t from, size_t to)
{
    arvo_error err;
    for (size_t i = 0; i < p->recorded->count; i++) {
        const play_event *event = &p->recorded->events[i];
        if (event->instance < from || event->instance >= to)
            continue;
        arvo_event parsed;
        arvo_result result;
        numbers.event = i + 1;
        const int64_t start = bench_now_ns();
        arvo_arena_reset(arena);
        arvo_buf_reset(out);
        PLAY_MUST(arvo_event_parse(event->json, arena, &parsed, &err));
        PLAY_MUST(arvo_orchestrator_execute(
            p->orchestrators[event->orchestrator], &parsed, arena, &result, &err));
        arvo_result_write(&result, out);
        const int64_t ns = bench_now_ns() - start;
        p->latencies_ns[p->done++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
        if (result.outcome != ARVO_OUTCOME_EXECUTED)
            play_die("an event was not executed", &err);
    }
}

static void *
player_run(void *arg)
{
    player *p = arg;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_buf out = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    play_instances(p, arena, &out, p->from, p->warm_to);
    p->done = 0;
    pthread_barrier_wait(p->warm);
    p->start_mallocs = play_malloc_calls;
    p->start_cpu_ns = bench_cpu_ns();
    p->start_ns = bench_now_ns();
    play_instances(p, arena, &out, p->warm_to, p->to);
    arvo_buf_fini(&out);
    arvo_arena_free(arena);
    return NULL;
}

static int
compare_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* No broker: nobody delivers what is emitted, so the store keeps no outbox. */
static void
orchestrators_open(
    const play *recorded, arvo_memory *memory, const arvo_telemetry *telemetry,
    arvo_orchestrator **out)
{
    arvo_error err;
    for (size_t i = 0; i < recorded->source_count; i++) {
        arvo_machine *machines[16];
        size_t count = 0;
        for (size_t k = 0; k < arvo_app_machine_count(recorded->app) && count < 16; k++)
            if (arvo_str_equal(
                    arvo_machine_source(arvo_app_machine_at(recorded->app, k)),
                    recorded->sources[i]))
                machines[count++] = arvo_app_machine_at(recorded->app, k);
        PLAY_MUST(arvo_orchestrator_create(
            &(arvo_orchestrator_opts){ .memory = memory,
                                       .machines = machines,
                                       .machine_count = count,
                                       .platform = platform(),
                                       .telemetry = telemetry,
                                       .shares_with = out[0] },
            &out[i], &err));
    }
}

/* The first tenth of each thread's instances is for warming up: caches, slabs, buffers. */
static void
players_init(
    player *players, const play *recorded, size_t instances, size_t threads, uint32_t *latencies)
{
    for (size_t t = 0; t < threads; t++) {
        const size_t from = instances * t / threads, to = instances * (t + 1) / threads;
        players[t].recorded = recorded;
        players[t].from = from;
        players[t].warm_to = from + (to - from) / 10;
        players[t].to = to;
        players[t].latencies_ns = latencies;
        for (size_t i = 0; i < recorded->count; i++)
            latencies += recorded->events[i].instance >= from && recorded->events[i].instance < to;
    }
}

static void
outcome_latencies(play_outcome *o, const player *players, size_t threads, uint32_t *latencies)
{
    size_t count = 0;
    for (size_t t = 0; t < threads; t++) {
        memmove(latencies + count, players[t].latencies_ns, players[t].done * sizeof(*latencies));
        count += players[t].done;
    }
    qsort(latencies, count, sizeof(*latencies), compare_u32);
    o->events = (double)count;
    o->p50 = latencies[count / 2] / 1e3;
    o->p99 = latencies[count * 99 / 100] / 1e3;
    o->p999 = latencies[count * 999 / 1000] / 1e3;
}

play_outcome
play_all(
    const play *recorded, arvo_memory *memory, const arvo_telemetry *telemetry, size_t instances,
    size_t threads)
{
    arvo_orchestrator *orchestrators[8] = { 0 };
    orchestrators_open(recorded, memory, telemetry, orchestrators);
    uint32_t *latencies = calloc(recorded->count, sizeof(*latencies));
    if (latencies == NULL)
        play_die("latencies", NULL);
    pthread_barrier_t warm;
    player players[2] = { { .orchestrators = orchestrators, .warm = &warm },
                          { .orchestrators = orchestrators, .warm = &warm } };
    players_init(players, recorded, instances, threads, latencies);
    if (pthread_barrier_init(&warm, NULL, (unsigned)threads) != 0)
        play_die("barrier", NULL);
    for (size_t t = 1; t < threads; t++)
        if (pthread_create(&players[t].thread, NULL, player_run, &players[t]) != 0)
            play_die("thread", NULL);
    player_run(&players[0]);
    for (size_t t = 1; t < threads; t++)
        pthread_join(players[t].thread, NULL);

    play_outcome o = { .seconds = (double)(bench_now_ns() - players[0].start_ns) / 1e9,
                       .cpu_seconds = (double)(bench_cpu_ns() - players[0].start_cpu_ns) / 1e9 };
    const size_t mallocs = play_malloc_calls - players[0].start_mallocs;
    outcome_latencies(&o, players, threads, latencies);
    o.mallocs_per_event = (double)mallocs / o.events;
    free(latencies);
    pthread_barrier_destroy(&warm);
    for (size_t i = 0; i < recorded->source_count; i++)
        arvo_orchestrator_free(orchestrators[i]);
    return o;
}

void
play_record(play *out, const char *app_dir, const char *start_path, size_t instances)
{
    arvo_error err;
    arvo_document_list documents;
    arvo_event start;
    *out = (play){ .texts = arvo_arena_new(&(arvo_arena_opts){ .bytes_max = (size_t)8 << 30 }) };
    if (out->texts == NULL)
        play_die("arena", NULL);
    PLAY_MUST(arvo_app_load(&app_dir, 1, NULL, &out->app, &err));
    PLAY_MUST(arvo_document_load(start_path, out->texts, &documents, &err));
    PLAY_MUST(arvo_event_from_json(documents.items[0].root, out->texts, &start, &err));
    record_instances(out, &start, instances);
}

void
play_fini(play *recorded)
{
    arvo_app_free(recorded->app);
    free(recorded->events);
    arvo_arena_free(recorded->texts);
}
