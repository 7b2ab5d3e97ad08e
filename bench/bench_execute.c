/* The heart: events of the purchase workflow through the ten steps, bytes in
 * to bytes out, memory store.
 *
 *     bench_execute APP_DIR START_EVENT [INSTANCES] [IDLE_INSTANCES]
 *
 * First the workflow runs INSTANCES times with its mocks, and every event that
 * reaches an orchestrator is recorded. Then the recorded bytes are played to
 * fresh orchestrators over a fresh store, and only that is timed, after a
 * tenth to warm up: parse, ten steps, result to bytes. Beside it the floor in the same run: parse
 * event and state, write both, one hash, one copy. Last, what a million idle instances cost in
 * bytes, and whether they make an event dearer.
 */

#include <arvo/arvo.h>

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/internal.h"
#include "bench.h"

#define RUNS 5

static size_t malloc_calls;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *
__wrap_malloc(size_t size)
{
    __atomic_add_fetch(&malloc_calls, 1, __ATOMIC_RELAXED);
    return __real_malloc(size);
}

typedef struct recorded {
    arvo_str json;
    size_t orchestrator; /* index into the runtime's sources */
    size_t instance;
} recorded;

typedef struct bench {
    arvo_app *app;
    arvo_arena *texts;
    recorded *events;
    size_t count, cap;
    size_t instance;
    arvo_str sources[8];
    size_t source_count;
    arvo_str state; /* a typical persisted snapshot */
} bench;

static _Noreturn void
die(const char *what, const arvo_error *err)
{
    fprintf(stderr, "bench_execute: %s: %s\n", what, err != NULL ? err->text : "out of memory");
    exit(1);
}

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != ARVO_OK)                                                                     \
            die(#call, &err);                                                                      \
    } while (0)

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
source_index(bench *b, arvo_str source)
{
    for (size_t i = 0; i < b->source_count; i++)
        if (arvo_str_equal(b->sources[i], source))
            return i;
    b->sources[b->source_count] = arvo_arena_str_dup(b->texts, source);
    return b->source_count++;
}

static bool
record(void *user, const arvo_delivery *delivery)
{
    bench *b = user;
    if (delivery->handled_by != ARVO_HANDLED_BY_ORCHESTRATOR)
        return true;
    if (b->count == b->cap) {
        b->cap = b->cap != 0 ? b->cap * 2 : 1024;
        b->events = realloc(b->events, b->cap * sizeof(*b->events));
        if (b->events == NULL)
            die("record", NULL);
    }
    b->events[b->count++] = (recorded){ arvo_arena_str_dup(b->texts, delivery->event_json),
                                        source_index(b, delivery->name), b->instance };
    numbers.event = b->count + 1;
    return true;
}

static void
record_instances(bench *b, const arvo_event *given, size_t instances)
{
    arvo_error err;
    arvo_memory *memory = NULL;
    arvo_app_runtime *runtime = NULL;
    arvo_arena *arena = arvo_arena_new(NULL);
    MUST(arvo_memory_open("memory:?inbox=0", &memory, &err));
    MUST(arvo_app_start(
        b->app,
        &(arvo_app_runtime_opts){
            .memory = memory, .platform = platform(), .on_event = record, .user = b },
        &runtime, &err));
    arvo_subject subject;
    arvo_arena *keep = arvo_arena_new(NULL);
    MUST(arvo_subject_decode(NULL, given->subject, keep, &subject, &err));
    numbers.event = 1;
    for (b->instance = 0; b->instance < instances; b->instance++) {
        arvo_arena_reset(arena);
        arvo_event fields = *given, start;
        const arvo_subject_new_opts opts = { .name = subject.orchestrator_name,
                                             .version = subject.orchestrator_version,
                                             .initiator = subject.initiator };
        MUST(arvo_subject_new(NULL, &opts, arvo_platform_system(), arena, &fields.subject, &err));
        fields.id = fields.time = ARVO_STR_NONE;
        MUST(arvo_event_create(&fields, arvo_platform_system(), arena, &start, &err));
        MUST(arvo_broker_publish(arvo_app_runtime_broker(runtime), &start, &err));
        if (b->instance == 0) {
            bool found = false;
            arvo_record stored;
            MUST(arvo_memory_ops_of(memory)->read(
                arvo_memory_self(memory), fields.subject, b->texts, &found, &stored, &err));
            b->state = stored.state;
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
    const bench *b;
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
    for (size_t i = 0; i < p->b->count; i++) {
        const recorded *event = &p->b->events[i];
        if (event->instance < from || event->instance >= to)
            continue;
        arvo_event parsed;
        arvo_result result;
        numbers.event = i + 1;
        const int64_t start = bench_now_ns();
        arvo_arena_reset(arena);
        arvo_buf_reset(out);
        MUST(arvo_event_parse(event->json, arena, &parsed, &err));
        MUST(arvo_orchestrator_execute(
            p->orchestrators[event->orchestrator], &parsed, arena, &result, &err));
        arvo_result_write(&result, out);
        const int64_t ns = bench_now_ns() - start;
        p->latencies_ns[p->done++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
        if (result.outcome != ARVO_OUTCOME_EXECUTED)
            die("an event was not executed", &err);
    }
}

static void *
play(void *arg)
{
    player *p = arg;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_buf out = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    play_instances(p, arena, &out, p->from, p->warm_to);
    p->done = 0;
    pthread_barrier_wait(p->warm);
    p->start_mallocs = malloc_calls;
    p->start_cpu_ns = bench_cpu_ns();
    p->start_ns = bench_now_ns();
    play_instances(p, arena, &out, p->warm_to, p->to);
    arvo_buf_fini(&out);
    arvo_arena_free(arena);
    return NULL;
}

typedef struct outcome {
    double events; /* timed */
    double seconds, cpu_seconds;
    double p50, p99, p999; /* us */
    double mallocs_per_event;
} outcome;

static int
compare_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* No broker: nobody delivers what is emitted, so the store keeps no outbox. */
static void
orchestrators_open(const bench *b, arvo_memory *memory, arvo_orchestrator **out)
{
    arvo_error err;
    for (size_t i = 0; i < b->source_count; i++) {
        arvo_machine *machines[16];
        size_t count = 0;
        for (size_t k = 0; k < arvo_app_machine_count(b->app) && count < 16; k++)
            if (arvo_str_equal(arvo_machine_source(arvo_app_machine_at(b->app, k)), b->sources[i]))
                machines[count++] = arvo_app_machine_at(b->app, k);
        MUST(arvo_orchestrator_create(
            &(arvo_orchestrator_opts){ .memory = memory,
                                       .machines = machines,
                                       .machine_count = count,
                                       .platform = platform(),
                                       .shares_with = out[0] },
            &out[i], &err));
    }
}

/* The first tenth of each thread's instances is for warming up: caches, slabs, buffers. */
static void
players_init(player *players, const bench *b, size_t instances, size_t threads, uint32_t *latencies)
{
    for (size_t t = 0; t < threads; t++) {
        const size_t from = instances * t / threads, to = instances * (t + 1) / threads;
        players[t].b = b;
        players[t].from = from;
        players[t].warm_to = from + (to - from) / 10;
        players[t].to = to;
        players[t].latencies_ns = latencies;
        for (size_t i = 0; i < b->count; i++)
            latencies += b->events[i].instance >= from && b->events[i].instance < to;
    }
}

static void
outcome_latencies(outcome *o, const player *players, size_t threads, uint32_t *latencies)
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

static outcome
play_all(const bench *b, arvo_memory *memory, size_t instances, size_t threads)
{
    arvo_orchestrator *orchestrators[8] = { 0 };
    orchestrators_open(b, memory, orchestrators);
    uint32_t *latencies = calloc(b->count, sizeof(*latencies));
    if (latencies == NULL)
        die("latencies", NULL);
    pthread_barrier_t warm;
    player players[2] = { { .orchestrators = orchestrators, .warm = &warm },
                          { .orchestrators = orchestrators, .warm = &warm } };
    players_init(players, b, instances, threads, latencies);
    if (pthread_barrier_init(&warm, NULL, (unsigned)threads) != 0)
        die("barrier", NULL);
    for (size_t t = 1; t < threads; t++)
        if (pthread_create(&players[t].thread, NULL, play, &players[t]) != 0)
            die("thread", NULL);
    play(&players[0]);
    for (size_t t = 1; t < threads; t++)
        pthread_join(players[t].thread, NULL);

    outcome o = { .seconds = (double)(bench_now_ns() - players[0].start_ns) / 1e9,
                  .cpu_seconds = (double)(bench_cpu_ns() - players[0].start_cpu_ns) / 1e9 };
    const size_t mallocs = malloc_calls - players[0].start_mallocs;
    outcome_latencies(&o, players, threads, latencies);
    o.mallocs_per_event = (double)mallocs / o.events;
    free(latencies);
    pthread_barrier_destroy(&warm);
    for (size_t i = 0; i < b->source_count; i++)
        arvo_orchestrator_free(orchestrators[i]);
    return o;
}

static int
compare_outcome(const void *a, const void *b)
{
    const double x = ((const outcome *)a)->cpu_seconds, y = ((const outcome *)b)->cpu_seconds;
    return (x > y) - (x < y);
}

static outcome
play_median(const bench *b, size_t instances, size_t threads)
{
    arvo_error err;
    outcome runs[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        arvo_memory *memory = NULL;
        MUST(arvo_memory_open("memory:", &memory, &err));
        runs[i] = play_all(b, memory, instances, threads);
        arvo_memory_close(memory);
    }
    qsort(runs, RUNS, sizeof(runs[0]), compare_outcome);
    return runs[RUNS / 2];
}

/* ---- The floor ------------------------------------------------------------------------- */

typedef struct floor_work {
    const bench *b;
    arvo_arena *arena;
    arvo_buf out;
    char copy[65536];
    uint64_t sum;
} floor_work;

static void
floor_run(void *self, size_t rounds)
{
    floor_work *w = self;
    arvo_error err;
    for (size_t i = 0; i < rounds; i++) {
        const arvo_str text = w->b->events[i % w->b->count].json;
        const arvo_json *event = NULL, *state = NULL;
        arvo_arena_reset(w->arena);
        arvo_buf_reset(&w->out);
        MUST(arvo_json_parse(text, w->arena, &event, &err));
        MUST(arvo_json_parse(w->b->state, w->arena, &state, &err));
        arvo_json_write(event, &w->out);
        arvo_json_write(state, &w->out);
        const arvo_str subject = arvo_json_str(arvo_json_get(event, "subject"));
        w->sum += arvo__hash(subject.ptr, subject.len, 0);
        memcpy(w->copy, w->out.ptr, w->out.len < sizeof(w->copy) ? w->out.len : sizeof(w->copy));
        w->sum += (unsigned char)w->copy[i % 64];
    }
}

static double
floor_ns(const bench *b)
{
    floor_work *w = calloc(1, sizeof(*w));
    if (w == NULL)
        die("floor", NULL);
    w->b = b;
    w->arena = arvo_arena_new(NULL);
    w->out = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    const double ns = bench_median_cpu_ns(floor_run, w, 100000);
    arvo_arena_free(w->arena);
    arvo_buf_fini(&w->out);
    free(w);
    return ns;
}

/* ---- Idle instances ---------------------------------------------------------------------- */

static size_t
resident_bytes(void)
{
    size_t pages = 0, ignored = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%zu %zu", &ignored, &pages) != 2)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Instances as the orchestrator leaves them, put into the store without the cost of making them. */
static void
fill(arvo_memory *memory, const arvo_record *model, size_t count)
{
    arvo_error err;
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    char subject[512];
    for (size_t i = 0; i < count; i++) {
        const int len =
            snprintf(subject, sizeof(subject), "%.*s%012zu", ARVO_FMT(model->subject), i);
        arvo_record record_i = *model;
        record_i.subject = (arvo_str){ subject, (size_t)len };
        bool acquired = false;
        arvo_lease lease;
        MUST(ops->lock(
            arvo_memory_self(memory), record_i.subject, 1000, 0, &acquired, &lease, &err));
        const arvo_commit commit = {
            .subject = record_i.subject, .lease = &lease, .release = true, .record = &record_i
        };
        MUST(ops->commit(arvo_memory_self(memory), &commit, 1, &err));
    }
}

static void
idle(const bench *b, size_t instances, size_t count)
{
    arvo_error err;
    arvo_memory *memory = NULL;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_record model;
    bool found = false;

    /* The record of an instance that waits: what is there after its first event. */
    MUST(arvo_memory_open("memory:", &memory, &err));
    bench first = *b;
    first.count = 1;
    (void)play_all(&first, memory, 1, 1);
    arvo_event event;
    MUST(arvo_event_parse(b->events[0].json, arena, &event, &err));
    MUST(arvo_memory_ops_of(memory)->read(
        arvo_memory_self(memory), event.subject, arena, &found, &model, &err));
    arvo_memory_close(memory);
    arvo_buf text = ARVO_BUF_INIT(1 << 20);
    arvo_record_write(&model, &text);

    MUST(arvo_memory_open("memory:", &memory, &err));
    fill(memory, &model, 10000);
    const outcome few = play_all(b, memory, instances, 1);
    arvo_memory_close(memory);
    malloc_trim(0);

    MUST(arvo_memory_open("memory:", &memory, &err));
    const size_t before = resident_bytes();
    fill(memory, &model, count);
    const double bytes = (double)(resident_bytes() - before) / (double)count;
    const outcome many = play_all(b, memory, instances, 1);
    printf(
        "idle instance           %8.0f B    record %zu B, overhead %.0f B (%zu instances; limit "
        "200 B)\n",
        bytes, text.len, bytes - (double)text.len, count);
    printf(
        "10^4 and %.0e instances  %.2f and %.2f us/event CPU: ratio %.2f (limit 1.3)\n",
        (double)count, few.cpu_seconds / few.events * 1e6, many.cpu_seconds / many.events * 1e6,
        many.cpu_seconds / many.events / (few.cpu_seconds / few.events));
    arvo_memory_close(memory);
    arvo_buf_fini(&text);
    arvo_arena_free(arena);
}

int
main(int argc, char **argv)
{
    const char *const app_dir = argc > 1 ? argv[1] : BENCH_APP;
    const char *start_path = argc > 2 ? argv[2] : BENCH_EVENT;
    const size_t instances = argc > 3 ? strtoul(argv[3], NULL, 10) : 10000;
    const size_t idle_count = argc > 4 ? strtoul(argv[4], NULL, 10) : 1000000;
    arvo_error err;
    bench b = { .texts = arvo_arena_new(&(arvo_arena_opts){ .bytes_max = (size_t)8 << 30 }) };
    arvo_document_list start_documents;
    arvo_event start;
    if (b.texts == NULL)
        die("arena", NULL);

    bench_print_machine();
    MUST(arvo_app_load(&app_dir, 1, NULL, &b.app, &err));
    MUST(arvo_document_load(start_path, b.texts, &start_documents, &err));
    MUST(arvo_event_from_json(start_documents.items[0].root, b.texts, &start, &err));
    record_instances(&b, &start, instances);
    size_t bytes = 0;
    for (size_t i = 0; i < b.count; i++)
        bytes += b.events[i].json.len;
    printf(
        "purchase workflow: %zu instances, %zu events to orchestrators, %zu B each\n", instances,
        b.count, bytes / b.count);

    const outcome one = play_median(&b, instances, 1);
    const outcome two = play_median(&b, instances, 2);
    const double floor = floor_ns(&b);
    const double ns = one.cpu_seconds / one.events * 1e9;
    printf(
        "one thread              %8.0f events/s (wall), %8.0f events/s of CPU: %.2f us/event\n",
        one.events / one.seconds, one.events / one.cpu_seconds, ns / 1e3);
    printf(
        "  latency               p50 %.1f us, p99 %.1f us, p99.9 %.1f us\n", one.p50, one.p99,
        one.p999);
    printf("  malloc calls          %.3f per event\n", one.mallocs_per_event);
    printf(
        "two threads             %8.0f events/s (wall): %.2fx one\n", two.events / two.seconds,
        one.seconds / one.events * two.events / two.seconds);
    printf(
        "floor                   %.2f us: parse event and state, write both, hash, copy; "
        "ours is %.1fx\n",
        floor / 1e3, ns / floor);
    printf(
        "arvo-xstate 2.3.3       4005 events/s, 352 us of CPU (measured elsewhere): ours is "
        "%.0fx\n",
        352e3 / ns);
    idle(&b, instances, idle_count);

    arvo_app_free(b.app);
    free(b.events);
    arvo_arena_free(b.texts);
    return 0;
}
