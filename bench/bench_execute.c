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
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/internal.h"
#include "bench.h"
#include "play.h"

#define RUNS 5

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *
__wrap_malloc(size_t size)
{
    __atomic_add_fetch(&play_malloc_calls, 1, __ATOMIC_RELAXED);
    return __real_malloc(size);
}

static int
compare_outcome(const void *a, const void *b)
{
    const double x = ((const play_outcome *)a)->cpu_seconds,
                 y = ((const play_outcome *)b)->cpu_seconds;
    return (x > y) - (x < y);
}

static play_outcome
play_median(const play *b, size_t instances, size_t threads)
{
    arvo_error err;
    play_outcome runs[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        arvo_memory *memory = NULL;
        PLAY_MUST(arvo_memory_open("memory:", &memory, &err));
        runs[i] = play_all(b, memory, NULL, instances, threads);
        arvo_memory_close(memory);
    }
    qsort(runs, RUNS, sizeof(runs[0]), compare_outcome);
    return runs[RUNS / 2];
}

/* ---- The floor ------------------------------------------------------------------------- */

typedef struct floor_work {
    const play *b;
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
        PLAY_MUST(arvo_json_parse(text, w->arena, &event, &err));
        PLAY_MUST(arvo_json_parse(w->b->state, w->arena, &state, &err));
        arvo_json_write(event, &w->out);
        arvo_json_write(state, &w->out);
        const arvo_str subject = arvo_json_str(arvo_json_get(event, "subject"));
        w->sum += arvo__hash(subject.ptr, subject.len, 0);
        memcpy(w->copy, w->out.ptr, w->out.len < sizeof(w->copy) ? w->out.len : sizeof(w->copy));
        w->sum += (unsigned char)w->copy[i % 64];
    }
}

static double
floor_ns(const play *b)
{
    floor_work *w = calloc(1, sizeof(*w));
    if (w == NULL)
        play_die("floor", NULL);
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
        PLAY_MUST(ops->lock(
            arvo_memory_self(memory), record_i.subject, 1000, 0, &acquired, &lease, &err));
        const arvo_commit commit = {
            .subject = record_i.subject, .lease = &lease, .release = true, .record = &record_i
        };
        PLAY_MUST(ops->commit(arvo_memory_self(memory), &commit, 1, &err));
    }
}

static void
idle(const play *b, size_t instances, size_t count)
{
    arvo_error err;
    arvo_memory *memory = NULL;
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_record model;
    bool found = false;

    /* The record of an instance that waits: what is there after its first event. */
    PLAY_MUST(arvo_memory_open("memory:", &memory, &err));
    play first = *b;
    first.count = 1;
    (void)play_all(&first, memory, NULL, 1, 1);
    arvo_event event;
    PLAY_MUST(arvo_event_parse(b->events[0].json, arena, &event, &err));
    PLAY_MUST(arvo_memory_ops_of(memory)->read(
        arvo_memory_self(memory), event.subject, arena, &found, &model, &err));
    arvo_memory_close(memory);
    arvo_buf text = ARVO_BUF_INIT(1 << 20);
    arvo_record_write(&model, &text);

    PLAY_MUST(arvo_memory_open("memory:", &memory, &err));
    fill(memory, &model, 10000);
    const play_outcome few = play_all(b, memory, NULL, instances, 1);
    arvo_memory_close(memory);
    malloc_trim(0);

    PLAY_MUST(arvo_memory_open("memory:", &memory, &err));
    const size_t before = resident_bytes();
    fill(memory, &model, count);
    const double bytes = (double)(resident_bytes() - before) / (double)count;
    const play_outcome many = play_all(b, memory, NULL, instances, 1);
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
    play b;

    bench_print_machine();
    play_record(&b, app_dir, start_path, instances);
    size_t bytes = 0;
    for (size_t i = 0; i < b.count; i++)
        bytes += b.events[i].json.len;
    printf(
        "purchase workflow: %zu instances, %zu events to orchestrators, %zu B each\n", instances,
        b.count, bytes / b.count);

    const play_outcome one = play_median(&b, instances, 1);
    const play_outcome two = play_median(&b, instances, 2);
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

    play_fini(&b);
    return 0;
}
