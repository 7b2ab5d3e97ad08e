/* Throughput of a worker: the purchase workflow with its mocks, from a start event in the outbox to
 * the end, everything delivered by one worker.
 *
 *     bench_worker APP_DIR START_EVENT [WORKFLOWS] [THREADS...]
 *
 * Over memory: and over a sqlite: file in the folder for temporary files, with its defaults (every
 * commit on disk). A delivery is an event that an orchestrator or a mock handled.
 */

#include <arvo/arvo.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define WORKFLOWS_DEFAULT 5000
#define WORKFLOWS_SHARE   5 /* over a file only one in so many */

static _Noreturn void
die(const char *what, const arvo_error *err)
{
    fprintf(stderr, "bench_worker: %s: %s\n", what, err != NULL ? err->text : "out of memory");
    exit(1);
}

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != ARVO_OK)                                                                     \
            die(#call, &err);                                                                      \
    } while (0)

typedef struct bench {
    arvo_app *app;
    arvo_event start; /* of which every workflow gets a copy, with a subject of its own */
    arvo_arena *arena;
} bench;

static bool
none(void *user, const arvo_stored_event *row)
{
    (void)user;
    (void)row;
    return false;
}

/* Start events of fresh workflows, in the outbox. */
static void
put_starts(bench *b, arvo_memory *memory, size_t count)
{
    arvo_error err = { 0 };
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    MUST(ops->outbox_list(arvo_memory_self(memory), 0, 1, none, NULL, &err));
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    for (size_t i = 0; i < count; i++) {
        arvo_event event = b->start;
        const arvo_subject_new_opts fresh = { .name = event.type, .initiator = event.source };
        char id[ARVO_UUID_BYTES];
        arvo_arena_reset(arena);
        arvo_buf_reset(&text);
        MUST(arvo_subject_new(NULL, &fresh, arvo_platform_system(), arena, &event.subject, &err));
        if (!arvo_uuid_new(arvo_platform_system(), id))
            die("uuid", NULL);
        event.id = (arvo_str){ id, sizeof(id) };
        arvo_event_write(&event, &text);
        const arvo_stored_event row = { .direction = ARVO_PRODUCED,
                                        .subject = event.subject,
                                        .id = event.id,
                                        .source = event.source,
                                        .type = event.type,
                                        .domains = ARVO_STR("[\"default\"]"),
                                        .json = arvo_buf_str(&text) };
        const arvo_commit commit = { .subject = event.subject,
                                     .produced = &row,
                                     .produced_count = 1 };
        MUST(ops->commit(arvo_memory_self(memory), &commit, 1, &err));
    }
    arvo_buf_fini(&text);
    arvo_arena_free(arena);
}

static bool
count_active(void *user, const arvo_record *record)
{
    if (!arvo_str_is(record->status, "done"))
        ++*(size_t *)user;
    return true;
}

/* One run; false: the store cannot be delivered from. */
static bool
run(bench *b, const char *url, const char *name, size_t workflows, uint32_t threads)
{
    arvo_error err = { 0 };
    arvo_memory *memory = NULL;
    arvo_app_runtime *runtime = NULL;
    arvo_worker *worker = NULL;
    MUST(arvo_memory_open(url, &memory, &err));
    const arvo_app_runtime_opts opts = { .memory = memory };
    MUST(arvo_app_start(b->app, &opts, &runtime, &err));
    const arvo_worker_opts worker_opts = { .memory = memory,
                                           .threads = threads,
                                           .until_idle = true };
    const arvo_status st = arvo_worker_new(&worker_opts, &worker, &err);
    if (st == ARVO_E_UNSUPPORTED) {
        printf("%-8s %s\n", name, err.text);
        arvo_app_stop(runtime);
        arvo_memory_close(memory);
        return false;
    }
    MUST(st);
    for (size_t i = 0; i < arvo_app_runtime_orchestrator_count(runtime); i++)
        MUST(arvo_worker_add_orchestrator(
            worker, arvo_app_runtime_orchestrator_at(runtime, i), &err));
    for (size_t i = 0; i < arvo_app_mock_count(b->app); i++)
        MUST(arvo_worker_add_handler(worker, arvo_app_mock_at(b->app, i), &err));
    put_starts(b, memory, workflows);

    const int64_t start_ns = bench_now_ns();
    const int64_t start_cpu_ns = bench_cpu_ns();
    MUST(arvo_worker_start(worker, &err));
    (void)arvo_worker_join(worker, -1);
    const double seconds = (double)(bench_now_ns() - start_ns) / 1e9;
    const double cpu_us = (double)(bench_cpu_ns() - start_cpu_ns) / 1e3;

    arvo_worker_counters counters;
    arvo_worker_count(worker, &counters);
    size_t active = 0;
    const arvo_record_query query = { .limit = 10 * workflows + 10 };
    MUST(arvo_memory_ops_of(memory)->list(
        arvo_memory_self(memory), &query, count_active, &active, &err));
    if (active > 0 || counters.failed > 0)
        die("not every workflow ended", NULL);
    printf(
        "%-8s %4u threads  %8.0f deliveries/s  %6.0f workflows/s  %5.1f rows to a claim  %6.1f us "
        "of CPU to a delivery\n",
        name, (unsigned)threads, (double)counters.delivered / seconds, (double)workflows / seconds,
        (double)(counters.delivered + counters.unserved) / (double)counters.claims,
        cpu_us / (double)counters.delivered);
    arvo_worker_free(worker);
    arvo_app_stop(runtime);
    arvo_memory_close(memory);
    return true;
}

static void
load(bench *b, const char *app, const char *event)
{
    arvo_error err = { 0 };
    arvo_document_list documents;
    b->arena = arvo_arena_new(NULL);
    if (b->arena == NULL)
        die("arena", NULL);
    MUST(arvo_app_load(&app, 1, NULL, &b->app, &err));
    MUST(arvo_document_load(event, b->arena, &documents, &err));
    MUST(arvo_event_from_json(documents.items[0].root, b->arena, &b->start, &err));
}

int
main(int argc, char **argv)
{
    const char *app = argc > 1 ? argv[1] : BENCH_APP;
    const char *event = argc > 2 ? argv[2] : BENCH_EVENT;
    const size_t workflows = argc > 3 ? strtoul(argv[3], NULL, 10) : WORKFLOWS_DEFAULT;
    static const uint32_t threads[] = { 1, 16, 128 };
    bench b = { 0 };
    load(&b, app, event);
    bench_print_machine();
    printf(
        "purchase workflow, all mocks: %zu started through the outbox, %zu over a file\n",
        workflows, workflows / WORKFLOWS_SHARE);
    for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++)
        (void)run(&b, "memory:", "memory:", workflows, threads[i]);
    for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
        char folder[] = "/tmp/arvo-bench-worker-XXXXXX", path[128], url[160];
        if (mkdtemp(folder) == NULL)
            die("mkdtemp", NULL);
        (void)snprintf(path, sizeof(path), "%s/s.db", folder);
        (void)snprintf(url, sizeof(url), "sqlite:%s", path);
        const bool can = run(&b, url, "sqlite:", workflows / WORKFLOWS_SHARE, threads[i]);
        bench_remove_store(path);
        (void)rmdir(folder);
        if (!can)
            break;
    }
    arvo_app_free(b.app);
    arvo_arena_free(b.arena);
    return 0;
}
