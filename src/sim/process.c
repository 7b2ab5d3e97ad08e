/* A simulated process: orchestrators and brokers over its port to the store, from start to crash.
 *
 * A process that dies goes on for a moment as a ghost: every operation fails without an effect, and
 * nothing it says is heard, until its workers have returned. So its memory is freed by the code
 * that knows it.
 */

#include <string.h>

#include "sim/internal.h"

#define CARE_ONE_IN 40
#define IDLE_US_MIN (20 * SIM_MS)
#define IDLE_US_MAX (4000 * SIM_MS)

/* ---- Its clock -------------------------------------------------------------------- */

static int64_t
process_time_ms(void *self)
{
    const sim_process *process = self;
    return SIM_EPOCH_MS + process->world->now_us / 1000 + process->clock_ms;
}

static int64_t
process_monotonic_ns(void *self)
{
    const sim_process *process = self;
    return process->world->now_us * 1000;
}

static bool
process_random(void *self, void *bytes, size_t len)
{
    sim_process *process = self;
    for (size_t at = 0; at < len; at += 8) {
        const uint64_t value = arvo__sim_random(
            process->world, SIM_STREAM_RANDOM, (++process->draws << 8) + process->index);
        memcpy((char *)bytes + at, &value, len - at < 8 ? len - at : 8);
    }
    return true;
}

/* ---- Orchestrators ------------------------------------------------------------------ */

static arvo_status
orchestrator_of(
    sim_world *world, size_t first, arvo_memory *memory, const arvo_platform *platform,
    const arvo_orchestrator *shares_with, arvo_orchestrator **out, arvo_error *err)
{
    const sim_app *app = &world->app;
    arvo_machine *group[SIM_MACHINES_MAX];
    const arvo_str source = arvo_machine_source(app->machines[first]);
    size_t count = 0;
    for (size_t i = first; i < app->machine_count; i++)
        if (arvo_str_equal(arvo_machine_source(app->machines[i]), source))
            group[count++] = app->machines[i];
    const arvo_orchestrator_opts opts = { .memory = memory,
                                          .machines = group,
                                          .machine_count = count,
                                          .platform = platform,
                                          .lease_ms = world->lease_ms,
                                          .lock_wait_ms = world->lock_wait_ms,
                                          .shares_with = shares_with };
    return arvo_orchestrator_create(&opts, out, err);
}

arvo_status
arvo__sim_orchestrators(
    sim_world *world, arvo_memory *memory, const arvo_platform *platform, arvo_orchestrator **out,
    size_t *out_count, arvo_error *err)
{
    const sim_app *app = &world->app;
    *out_count = 0;
    for (size_t i = 0; i < app->machine_count; i++) {
        const arvo_str source = arvo_machine_source(app->machines[i]);
        bool is_known = source.ptr == NULL;
        for (size_t k = 0; k < *out_count; k++)
            is_known = is_known || arvo_str_equal(arvo_orchestrator_source(out[k]), source);
        if (is_known)
            continue;
        const arvo_status st = orchestrator_of(
            world, i, memory, platform, *out_count > 0 ? out[0] : NULL, &out[*out_count], err);
        if (st != ARVO_OK)
            return st;
        (*out_count)++;
    }
    return ARVO_OK;
}

/* ---- Work ---------------------------------------------------------------------------- */

static bool
worker_on_event(void *user, const arvo_delivery *delivery)
{
    sim_worker *worker = user;
    sim_world *world = worker->process->world;
    if (worker->process->is_dead || arvo__sim_is_over(world))
        return false; /* a ghost is not heard */
    worker->is_busy = true;
    if (delivery->status != ARVO_OK)
        arvo__sim_tell(
            world, "%.*s is not delivered: %s", ARVO_FMT(delivery->event->type),
            delivery->error->text);
    else if (delivery->handled_by == ARVO_HANDLED_BY_NOBODY)
        arvo__sim_show(world, delivery->event);
    return true;
}

/* Half of the deliveries go to the orchestrator itself, the others through the broker. */
static arvo_status
worker_deliver(sim_worker *worker, const sim_message *message, arvo_error *err)
{
    const sim_process *process = worker->process;
    const uint64_t position = ((uint64_t)worker->index << 40) + ++worker->draws;
    if (arvo__sim_below(process->world, SIM_STREAM_WORK, position, 2) == 0)
        return arvo_broker_publish(worker->broker, message->event, err);
    for (size_t i = 0; i < process->orchestrator_count; i++) {
        arvo_orchestrator *orchestrator = process->orchestrators[i];
        if (!arvo_str_equal(arvo_orchestrator_source(orchestrator), message->event->to))
            continue;
        arvo_result result;
        arvo_arena_reset(worker->arena);
        return arvo_orchestrator_execute(orchestrator, message->event, worker->arena, &result, err);
    }
    return arvo_broker_publish(worker->broker, message->event, err);
}

/* Between two deliveries nobody holds a lease, unless a fault kept it from being given back. */
static void
worker_check_idle(sim_worker *worker)
{
    sim_world *world = worker->process->world;
    const sim_subject *subject = worker->holds;
    worker->holds = NULL;
    if (subject == NULL || worker->process->is_dead || arvo__sim_is_over(world))
        return;
    if (arvo__sim_lock_is_held(world, subject) && subject->lock.lease.fence == worker->holds_fence)
        arvo__sim_broken(
            world, "I11", "a delivery is over, and %s is still locked by it",
            arvo__sim_subject_name(world, subject->subject));
}

/* Now and then, instead of looking for work. */
static bool
worker_cares(sim_worker *worker)
{
    const uint64_t position = ((uint64_t)worker->index << 40) + ++worker->draws;
    return arvo__sim_below(worker->process->world, SIM_STREAM_WORK, position, CARE_ONE_IN) == 0;
}

static void
worker_step(sim_worker *worker)
{
    sim_world *world = worker->process->world;
    arvo_error why = { 0 };
    worker->is_busy = false;
    sim_message *message = arvo__sim_take(worker);
    if (message != NULL) {
        worker->is_busy = true;
        const arvo_status st = worker_deliver(worker, message, &why);
        arvo__sim_answer(worker, message, st);
    } else if (worker_cares(worker)) {
        arvo__sim_care(worker);
    } else {
        const arvo_status st = arvo_broker_resume(worker->broker, &why);
        (void)st; /* what failed is tried again */
    }
    worker_check_idle(worker);
    worker->idle_us = worker->is_busy ? IDLE_US_MIN : worker->idle_us * 2;
    if (worker->idle_us > IDLE_US_MAX)
        worker->idle_us = IDLE_US_MAX;
    const uint64_t position = ((uint64_t)worker->index << 40) + ++worker->draws;
    arvo__sim_sleep(
        worker,
        1 + (int64_t)arvo__sim_below(world, SIM_STREAM_WORK, position, (uint64_t)worker->idle_us));
}

static arvo_status
worker_open(sim_worker *worker, arvo_error *err)
{
    sim_process *process = worker->process;
    const sim_app *app = &process->world->app;
    const arvo_broker_opts opts = { .memory = process->memory,
                                    .claim_ms = process->world->claim_ms,
                                    .patience_ms = process->world->patience_ms,
                                    .platform = &process->platform,
                                    .on_event = worker_on_event,
                                    .user = worker };
    arvo_status st = arvo_broker_new(&opts, &worker->broker, err);
    for (size_t i = 0; i < process->orchestrator_count && st == ARVO_OK; i++)
        st = arvo_broker_add_orchestrator(worker->broker, process->orchestrators[i], err);
    for (size_t i = 0; i < app->service_count && st == ARVO_OK; i++)
        if (!app->is_remote[i])
            st = arvo_broker_add_handler(worker->broker, app->services[i], err);
    return st;
}

static void
worker_main(void *user)
{
    sim_worker *worker = user;
    sim_process *process = worker->process;
    arvo_error why = { 0 };
    arvo_status st = worker_open(worker, &why);
    if (st == ARVO_E_NOMEM || st == ARVO_E_EXISTS)
        arvo__sim_fail(process->world, st, &why);
    else if (st != ARVO_OK) /* the store failed: as a process would, it ends */
        arvo__sim_process_kill(process, "it could not open the store's outbox, and ends");
    while (!process->is_dead && !arvo__sim_is_over(process->world))
        worker_step(worker);
    arvo_broker_free(worker->broker);
    worker->broker = NULL;
    arvo_arena_reset(worker->arena);
}

/* ---- Life ------------------------------------------------------------------------------ */

static bool
process_open_store(sim_process *process, arvo_error *err)
{
    sim_world *world = process->world;
    process->handle = world->shared;
    if (world->disk != NULL) {
        arvo__sim_disk_owner(world->disk, process->index);
        const arvo_status st =
            arvo_memory_open_with(world->store_url, &world->store_platform, &process->handle, err);
        if (st != ARVO_OK) {
            process->handle = NULL;
            arvo__sim_broken(world, "I4", "the store cannot be opened: %s", err->text);
            return false;
        }
    }
    process->below =
        world->opts->wrap == NULL
            ? process->handle
            : world->opts->wrap(world->opts->wrap_user, process->handle, arvo__sim_point, world);
    if (process->below != NULL)
        process->memory = arvo__sim_port_new(process, process->below);
    if (process->memory == NULL)
        (void)arvo__nomem(err);
    return process->memory != NULL;
}

static void
process_close(sim_process *process)
{
    sim_world *world = process->world;
    const bool is_ghost = world->disk != NULL && process->is_dead;
    if (is_ghost)
        arvo__sim_disk_ghost(world->disk, true);
    for (size_t i = process->orchestrator_count; i-- > 0;)
        arvo_orchestrator_free(process->orchestrators[i]);
    process->orchestrator_count = 0;
    arvo_memory_close(process->memory);
    process->memory = NULL;
    if (process->below != process->handle)
        arvo_memory_close(process->below);
    if (process->handle != world->shared)
        arvo_memory_close(process->handle);
    process->below = NULL;
    process->handle = NULL;
    if (is_ghost)
        arvo__sim_disk_ghost(world->disk, false);
}

bool
arvo__sim_process_start(sim_process *process)
{
    sim_world *world = process->world;
    arvo_error err = { 0 };
    process->life++;
    process->is_dead = false;
    process->clock_ms = 0;
    process->platform = (arvo_platform){ .version = ARVO_PLATFORM_OPS_VERSION,
                                         .time_ms = process_time_ms,
                                         .monotonic_ns = process_monotonic_ns,
                                         .random = process_random,
                                         .self = process };
    bool done = process_open_store(process, &err);
    done = done && arvo__sim_orchestrators(
                       world, process->memory, &process->platform, process->orchestrators,
                       &process->orchestrator_count, &err) == ARVO_OK;
    for (uint32_t w = 0; w < process->worker_count && done; w++) {
        sim_worker *worker = &process->workers[w];
        worker->process = process;
        worker->index = process->index * SIM_WORKERS_MAX + w;
        worker->wake_us = world->now_us;
        worker->idle_us = IDLE_US_MIN;
        worker->holds = NULL;
        if (worker->arena == NULL)
            worker->arena = arvo_arena_new(NULL);
        worker->fibre = arvo__sim_fibre_new(worker_main, worker);
        done = worker->arena != NULL && worker->fibre != NULL;
        process->alive += worker->fibre != NULL;
    }
    process->is_up = done;
    if (!done) {
        process_close(process);
        if (!world->report->failed)
            arvo__sim_fail(world, err.status != ARVO_OK ? err.status : ARVO_E_NOMEM, &err);
    } else if (process->life > 1) {
        arvo__sim_tell(world, "process %u starts again", process->index);
    }
    return done;
}

void
arvo__sim_process_kill(sim_process *process, const char *why)
{
    sim_world *world = process->world;
    if (process->is_dead || !process->is_up)
        return;
    arvo__sim_tell(world, "process %u: %s", process->index, why);
    process->is_dead = true;
    world->report->crashes++;
    if (world->disk != NULL)
        arvo__sim_disk_kill(world->disk, process->index);
}

void
arvo__sim_process_end(sim_process *process)
{
    process_close(process);
    process->is_up = false;
    process->paused_until_us = 0;
    process->cut_until_us = 0;
    for (uint32_t w = 0; w < process->worker_count; w++) {
        arvo_arena_free(process->workers[w].arena);
        process->workers[w].arena = NULL;
    }
}
