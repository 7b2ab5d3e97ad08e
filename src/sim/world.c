/* Virtual time and the fibres: who goes on next, when faults are over, when a run is. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/internal.h"

#define FAULTS_END_MS  900000 /* virtual */
#define RESTART_MS_MAX 4000
#define NETWORK_FAULTS                                                                             \
    (1u << ARVO_SIM_DUPLICATE | 1u << ARVO_SIM_DELAY | 1u << ARVO_SIM_LOSE | 1u << ARVO_SIM_AGAIN)

static const char *const fault_words[] = {
#define SIM_FAULT_WORD(name, word, text) word,
    ARVO_SIM_FAULTS(SIM_FAULT_WORD)
#undef SIM_FAULT_WORD
};

static const char *const fault_texts[] = {
#define SIM_FAULT_TEXT(name, word, text) text,
    ARVO_SIM_FAULTS(SIM_FAULT_TEXT)
#undef SIM_FAULT_TEXT
};

const char *
arvo_sim_fault_word(arvo_sim_fault fault)
{
    return (unsigned)fault < ARVO_SIM_FAULT_COUNT ? fault_words[fault] : NULL;
}

const char *
arvo_sim_fault_text(arvo_sim_fault fault)
{
    return (unsigned)fault < ARVO_SIM_FAULT_COUNT ? fault_texts[fault] : NULL;
}

/* ---- Random numbers ---------------------------------------------------------- */

static uint64_t
mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t
arvo__sim_random(const sim_world *world, sim_stream stream, uint64_t position)
{
    const uint64_t key = mix(world->opts->seed + 0x9e3779b97f4a7c15u * ((uint64_t)stream + 1));
    return mix(key ^ mix(position * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u));
}

uint64_t
arvo__sim_below(const sim_world *world, sim_stream stream, uint64_t position, uint64_t limit)
{
    return arvo__sim_random(world, stream, position) % limit;
}

/* ---- The story and the end ------------------------------------------------------ */

const char *
arvo__sim_who(const sim_world *world)
{
    static const char *const names[] = {
        "network",    "process 1",  "process 2",  "process 3",  "process 4",  "process 5",
        "process 6",  "process 7",  "process 8",  "process 9",  "process 10", "process 11",
        "process 12", "process 13", "process 14", "process 15", "process 16",
    };
    return names[world->current != NULL ? world->current->process->index : 0];
}

/* The temporary folder has another name in every run, and a story has not. */
static void
hide_folder(const sim_world *world, char *text)
{
    const size_t len = strlen(world->folder);
    for (char *at = text; len > 0 && (at = strstr(at, world->folder)) != NULL;)
        memmove(at, at + len + 1, strlen(at + len)); /* the slash, too */
}

void
arvo__sim_tell(sim_world *world, const char *format, ...)
{
    if (world->opts->line == NULL)
        return;
    char line[1024];
    va_list args;
    va_start(args, format);
    const int head = snprintf(
        line, sizeof(line), "%9.3f  %-10s  ", (double)world->now_us / 1e6, arvo__sim_who(world));
    (void)vsnprintf(line + head, sizeof(line) - (size_t)head, format, args);
    va_end(args);
    hide_folder(world, line);
    world->opts->line(world->opts->user, arvo_str_from(line));
}

void
arvo__sim_broken(sim_world *world, const char *rule, const char *format, ...)
{
    arvo_sim_report *report = world->report;
    if (report->failed)
        return;
    report->failed = true;
    (void)snprintf(report->rule, sizeof(report->rule), "%s", rule);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(report->what, sizeof(report->what), format, args);
    va_end(args);
    hide_folder(world, report->what);
    arvo__sim_tell(world, "BROKEN  %s: %s", report->rule, report->what);
    world->is_stopping = true;
}

void
arvo__sim_fail(sim_world *world, arvo_status status, const arvo_error *why)
{
    if (world->status != ARVO_OK)
        return;
    world->status = status;
    if (world->err != NULL && why != NULL)
        *world->err = *why;
    else if (world->err != NULL)
        (void)arvo__fail(world->err, status, "simulation: %s", arvo_status_text(status));
    world->is_stopping = true;
}

bool
arvo__sim_is_over(const sim_world *world)
{
    return world->is_stopping;
}

/* ---- Faults ---------------------------------------------------------------------- */

static bool
fault_is_kept(const sim_world *world, uint32_t point)
{
    if (world->opts->keep == NULL)
        return true;
    for (size_t i = 0; i < world->opts->keep_count; i++)
        if (world->opts->keep[i] == point)
            return true;
    return false;
}

bool
arvo__sim_strikes(sim_world *world, uint32_t possible, arvo_sim_fault *out, uint32_t *out_point)
{
    if (world->is_quiet)
        return false;
    const uint32_t point = ++world->points;
    /* Messages are few beside operations. */
    const uint32_t rate = world->fault_permille * ((possible & NETWORK_FAULTS) != 0 ? 4 : 1);
    if (arvo__sim_below(world, SIM_STREAM_FAULT, point, 1000) >= rate ||
        !fault_is_kept(world, point))
        return false;
    const uint32_t usual = possible & ((1u << ARVO_SIM_FAULT_COUNT) - 1u);
    const unsigned count = (unsigned)__builtin_popcount(usual);
    if (count == 0)
        return false;
    unsigned nth =
        (unsigned)arvo__sim_below(world, SIM_STREAM_FAULT, (uint64_t)point + (1u << 30), count);
    unsigned fault = 0;
    while ((usual & (1u << fault)) == 0 || nth-- > 0)
        fault++;
    if ((world->faults & (1u << fault)) == 0 || world->report->struck_count == ARVO_SIM_KEEP_MAX)
        return false;
    world->report->struck[world->report->struck_count++] = point;
    world->report->struck_faults |= 1u << fault;
    *out = (arvo_sim_fault)fault;
    *out_point = point;
    return true;
}

/* ---- Clocks ------------------------------------------------------------------------ */

int64_t
arvo__sim_store_now(const sim_world *world)
{
    return SIM_EPOCH_MS + world->now_us / 1000 + world->store_clock_ms;
}

static int64_t
store_time_ms(void *self)
{
    return arvo__sim_store_now(self);
}

static int64_t
store_monotonic_ns(void *self)
{
    const sim_world *world = self;
    return world->now_us * 1000;
}

static bool
store_random(void *self, void *bytes, size_t len)
{
    sim_world *world = self;
    for (size_t at = 0; at < len; at += 8) {
        const uint64_t value =
            arvo__sim_random(world, SIM_STREAM_RANDOM, ++world->store_draws << 8);
        memcpy((char *)bytes + at, &value, len - at < 8 ? len - at : 8);
    }
    return true;
}

/* ---- Sleeping and waking ------------------------------------------------------------- */

void
arvo__sim_sleep(sim_worker *worker, int64_t us)
{
    sim_world *world = worker->process->world;
    if (world->is_stopping || worker->process->is_dead)
        return;
    worker->wake_us = world->now_us + us;
    arvo__sim_fibre_leave(worker->fibre);
}

static int64_t
worker_wakes(const sim_worker *worker)
{
    const sim_process *process = worker->process;
    if (process->is_dead)
        return 0; /* at once: it has nothing to do but to end */
    return worker->wake_us > process->paused_until_us ? worker->wake_us : process->paused_until_us;
}

/* What comes next: a worker, a process that starts again, or the services outside. */
typedef struct sim_next {
    int64_t at_us;
    sim_worker *worker;
    sim_process *process;
} sim_next;

static sim_next
world_next(sim_world *world)
{
    sim_next next = { .at_us = arvo__sim_network_next(world) };
    for (uint32_t p = 0; p < world->process_count; p++) {
        sim_process *process = &world->processes[p];
        if (!process->is_up && process->start_us < next.at_us)
            next = (sim_next){ .at_us = process->start_us, .process = process };
        for (uint32_t w = 0; process->is_up && w < process->worker_count; w++) {
            sim_worker *worker = &process->workers[w];
            if (worker->fibre != NULL && worker_wakes(worker) < next.at_us)
                next = (sim_next){ .at_us = worker_wakes(worker), .worker = worker };
        }
    }
    return next;
}

static void
worker_enter(sim_world *world, sim_worker *worker)
{
    sim_process *process = worker->process;
    world->current = worker;
    arvo__sim_fibre_enter(worker->fibre);
    world->current = NULL;
    if (!arvo__sim_fibre_has_ended(worker->fibre))
        return;
    arvo__sim_fibre_free(worker->fibre);
    worker->fibre = NULL;
    if (--process->alive > 0)
        return;
    arvo__sim_process_end(process);
    process->start_us =
        world->now_us +
        SIM_MS * (1 + (int64_t)arvo__sim_below(
                          world, SIM_STREAM_SHAPE, ((uint64_t)process->index << 32) + process->life,
                          RESTART_MS_MAX));
}

static void
world_begin_quiet(sim_world *world)
{
    world->is_quiet = true;
    world->quiet_us = world->now_us;
    for (uint32_t p = 0; p < world->process_count; p++) {
        world->processes[p].paused_until_us = 0;
        world->processes[p].cut_until_us = 0;
    }
    arvo__sim_tell(world, "from here on no fault strikes");
}

static void
world_look(sim_world *world)
{
    if (!world->is_quiet &&
        (world->points >= world->points_max || world->now_us > (int64_t)FAULTS_END_MS * SIM_MS))
        world_begin_quiet(world);
    if (world->is_quiet && world->now_us - world->quiet_us > (int64_t)ARVO_SIM_QUIET_MS * SIM_MS)
        world->is_stopping = true; /* the verdict says what is left */
    if (world->report->steps > ARVO_SIM_STEPS_MAX)
        arvo__sim_broken(
            world, "every workflow ends", "after %u operations there is no end to it",
            ARVO_SIM_STEPS_MAX);
}

static void
world_run(sim_world *world)
{
    while (!world->is_stopping) {
        const sim_next next = world_next(world);
        if (next.at_us == SIM_FOREVER)
            break;
        if (next.at_us > world->now_us)
            world->now_us = next.at_us;
        if (next.worker != NULL)
            worker_enter(world, next.worker);
        else if (next.process == NULL)
            arvo__sim_network_run(world);
        else if (!arvo__sim_process_start(next.process))
            next.process->start_us = world->now_us + 1000 * SIM_MS;
        arvo__sim_release_held(world);
        world_look(world);
        if (arvo__sim_is_drained(world))
            break;
    }
    world->is_stopping = true;
    for (uint32_t p = 0; p < world->process_count; p++)
        for (uint32_t w = 0; w < world->processes[p].worker_count; w++)
            while (world->processes[p].workers[w].fibre != NULL)
                worker_enter(world, &world->processes[p].workers[w]);
}

/* ---- A run ---------------------------------------------------------------------------- */

static uint64_t
shape(const sim_world *world, uint64_t what, uint64_t limit)
{
    return arvo__sim_below(world, SIM_STREAM_SHAPE, what, limit);
}

static void
world_draw(sim_world *world)
{
    static const uint32_t rates[] = { 4, 15, 40, 80, 150, 250 };
    static const int64_t leases[] = { 2000, 10000, 30000 };
    static const int64_t waits[] = { -1, 500, 5000 };
    const arvo_sim_opts *opts = world->opts;
    arvo_sim_report *report = world->report;

    world->process_count = opts->processes > 0 ? opts->processes : 1 + (uint32_t)shape(world, 1, 4);
    report->processes = world->process_count;
    report->workflows = opts->workflows > 0 ? opts->workflows : 1 + (uint32_t)shape(world, 2, 6);
    world->fault_permille = rates[shape(world, 3, ARVO_COUNT_OF(rates))];
    world->lease_ms = leases[shape(world, 4, ARVO_COUNT_OF(leases))];
    world->lock_wait_ms = waits[shape(world, 5, ARVO_COUNT_OF(waits))];
    world->claim_ms = leases[shape(world, 9, ARVO_COUNT_OF(leases))];
    world->patience_ms = shape(world, 10, 2) == 0 ? 0 : 500;
    world->has_keeper = shape(world, 11, 2) == 0;
    world->thread = pthread_self();
    world->faults = opts->faults;
    if (!opts->all_faults)
        world->faults &= (uint32_t)(shape(world, 6, UINT32_MAX) | shape(world, 7, UINT32_MAX));
    report->faults = world->faults;
    world->points_max = 100 + 100 * report->workflows;
    for (uint32_t p = 0; p < world->process_count; p++) {
        sim_process *process = &world->processes[p];
        process->world = world;
        process->index = p + 1;
        process->worker_count = 1 + (uint32_t)shape(world, 20 + p, SIM_WORKERS_MAX);
        process->start_us = (int64_t)shape(world, 40 + p, 200000);
    }
    report->store = opts->store;
#ifdef ARVO_HAVE_SQLITE
    if (report->store == ARVO_SIM_STORE_DRAWN)
        report->store = shape(world, 8, 6) == 0 ? ARVO_SIM_STORE_SQLITE : ARVO_SIM_STORE_MEMORY;
#else
    if (report->store == ARVO_SIM_STORE_DRAWN)
        report->store = ARVO_SIM_STORE_MEMORY;
#endif
}

static arvo_status
world_open_store(sim_world *world, arvo_error *err)
{
    if (world->report->store == ARVO_SIM_STORE_SQLITE) {
        world->disk = arvo__sim_disk_new(world, err);
        if (world->disk == NULL)
            return err->status;
        if (arvo__sim_eye(world) != NULL) /* makes the file */
            return ARVO_OK;
        return arvo__fail(err, ARVO_E_IO, "%s", world->report->what);
    }
    arvo_status st = arvo_memory_open_with(
        "memory:?history=on&inbox=1024&inbox_bytes=16777216", &world->store_platform,
        &world->shared, err);
    world->eye = world->shared;
    return st;
}

static void
world_close(sim_world *world)
{
    if (world->eye != world->shared)
        arvo_memory_close(world->eye);
    arvo_memory_close(world->shared);
    arvo__sim_disk_free(world->disk);
    arvo__sim_app_close(world);
    arvo__map_fini(&world->subject_of);
    arvo__map_fini(&world->seen_requests);
    arvo_arena_free(world->scratch);
    arvo_arena_free(world->arena);
}

static arvo_status
world_open(sim_world *world, arvo_error *err)
{
    world->arena = arvo_arena_new(NULL);
    world->scratch = arvo_arena_new(NULL);
    if (world->arena == NULL || world->scratch == NULL)
        return arvo__nomem(err);
    world->subjects_end = &world->subjects;
    world->messages_end = &world->messages;
    world->workflows_end = &world->workflows;
    world->store_platform = (arvo_platform){ .version = ARVO_PLATFORM_OPS_VERSION,
                                             .time_ms = store_time_ms,
                                             .monotonic_ns = store_monotonic_ns,
                                             .random = store_random,
                                             .self = world };
    world_draw(world);
    arvo_status st = arvo__sim_app_open(world, err);
    if (st == ARVO_OK)
        st = world_open_store(world, err);
    if (st == ARVO_OK)
        st = arvo__sim_workload(world, world->report->workflows, err);
    return st;
}

static arvo_status
world_check(const arvo_sim_opts *opts, arvo_error *err)
{
    if (opts->processes > ARVO_SIM_PROCESSES_MAX)
        return arvo__fail(err, ARVO_E_INVALID, "processes: at most %u", ARVO_SIM_PROCESSES_MAX);
    if (opts->workflows > ARVO_SIM_WORKFLOWS_MAX)
        return arvo__fail(err, ARVO_E_INVALID, "workflows: at most %u", ARVO_SIM_WORKFLOWS_MAX);
    return ARVO_OK;
}

arvo_status
arvo_sim_run(const arvo_sim_opts *opts, arvo_sim_report *report, arvo_error *err)
{
    ARVO_ASSERT(opts != NULL && report != NULL);
    arvo_error local = { 0 };
    arvo_status st = world_check(opts, err);
    if (st != ARVO_OK)
        return st;
    sim_world *world = arvo__calloc(NULL, 1, sizeof(*world));
    if (world == NULL)
        return arvo__nomem(err);
    *report = (arvo_sim_report){ 0 };
    world->opts = opts;
    world->report = report;
    world->err = &local;

    st = world_open(world, &local);
    if (st == ARVO_OK) {
        world_run(world);
        if (!report->failed && world->status == ARVO_OK)
            arvo__sim_verdict(world);
        st = world->status;
        if (st == ARVO_OK && (arvo_arena_failed(world->arena) || arvo_arena_failed(world->scratch)))
            st = arvo__nomem(&local);
    }
    report->virtual_ms = world->now_us / 1000;
    world_close(world);
    arvo__free(NULL, world, sizeof(*world));
    if (st != ARVO_OK && err != NULL)
        *err = local;
    return st;
}
