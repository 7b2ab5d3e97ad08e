/* A process's way to the store: every operation goes through here, is late, fails, or takes the
 * process with it, and the model is told of its effect before anything else runs.
 *
 *   caller -- port_begin: the request is on its way, faults before the effect --
 *          -- the store's own code, and the model: not interrupted --
 *          -- port_end: the answer is on its way, faults behind the effect --> caller
 */

#include <string.h>

#include "sim/internal.h"

#define PORT_REQUEST_US_MAX 3000u
#define PORT_ANSWER_US_MAX  1500u
#define PORT_DISK_OPS       14u /* of the next so many one fails */

#define BIT(fault) (1u << ARVO_SIM_##fault)
#define FAULTS_ANY                                                                                 \
    (BIT(CRASH) | BIT(ANSWER) | BIT(REFUSE) | BIT(SLOW) | BIT(PAUSE) | BIT(PARTITION) |            \
     BIT(CLOCK) | BIT(POWER))
#define FAULTS_WRITE (FAULTS_ANY | BIT(FULL) | BIT(DISK))

struct sim_port {
    sim_process *process;
    const arvo_memory_ops *below;
    void *below_self;
};

typedef struct port_call {
    struct sim_port *port;
    sim_world *world;
    sim_worker *worker;
    const char *name;
    uint32_t point;       /* of the fault that struck; 0: none */
    arvo_sim_fault fault; /* then */
    bool is_late;         /* it strikes behind the effect */
} port_call;

/* ---- Before and behind ----------------------------------------------------------- */

static uint64_t
port_detail(const port_call *call, uint64_t what, uint64_t limit)
{
    return arvo__sim_below(
        call->world, SIM_STREAM_FAULT_DETAIL, ((uint64_t)call->point << 8) + what, limit);
}

static void
port_wait(const port_call *call, uint64_t us_max)
{
    const uint64_t position = ((uint64_t)call->worker->index << 40) + ++call->worker->draws;
    arvo__sim_sleep(
        call->worker, (int64_t)arvo__sim_below(call->world, SIM_STREAM_LATENCY, position, us_max));
}

static bool
port_is_dead(const port_call *call)
{
    return call->port->process->is_dead || arvo__sim_is_over(call->world);
}

static arvo_status
port_lost(const port_call *call, arvo_error *err)
{
    return arvo__fail(err, ARVO_E_IO, "%s: the store does not answer", call->name);
}

static void
port_power_off(port_call *call)
{
    sim_world *world = call->world;
    arvo__sim_tell(world, "FAULT %u: power off, during %s", call->point, call->name);
    for (uint32_t p = 0; p < world->process_count; p++)
        arvo__sim_process_kill(&world->processes[p], "is gone with it");
    if (world->disk != NULL)
        arvo__sim_disk_power_off(world->disk);
    if (world->disk != NULL)
        arvo__sim_forget_leases(world);
    arvo__sim_reconcile(world);
    arvo__sim_compare(world);
}

static void
port_jump_clock(const port_call *call)
{
    sim_world *world = call->world;
    const int64_t by = (int64_t)port_detail(call, 1, 120000) - 60000;
    const bool is_store = port_detail(call, 2, 3) == 0;
    arvo__sim_tell(
        world, "FAULT %u: the clock of %s jumps by %+.3f s", call->point,
        is_store ? "the store" : "this process", (double)by / 1000);
    if (is_store)
        world->store_clock_ms += by;
    else
        call->port->process->clock_ms += by;
}

static void
port_stand_still(const port_call *call)
{
    sim_world *world = call->world;
    const int64_t ms = (int64_t)port_detail(call, 3, (uint64_t)world->lease_ms * 3);
    arvo__sim_tell(
        world, "FAULT %u: this process stands still for %.3f s, in %s", call->point,
        (double)ms / 1000, call->name);
    call->port->process->paused_until_us = world->now_us + ms * SIM_MS;
    arvo__sim_sleep(call->worker, 1);
}

/* The files that the store opens from now on are this process's. */
static void
port_own(const port_call *call)
{
    if (call->world->disk != NULL)
        arvo__sim_disk_owner(call->world->disk, call->port->process->index);
}

/* What the keeper does, whose thread knows real time only: while an operation takes long, the lease
 * that its execution holds is renewed. */
static void
port_keep(const port_call *call)
{
    const struct sim_port *port = call->port;
    sim_worker *worker = call->worker;
    sim_subject *subject = worker->holds;
    if (!call->world->has_keeper || port->below == NULL || port->below->renew == NULL ||
        subject == NULL || subject->lock.lease.fence != worker->holds_fence ||
        !arvo__sim_lock_is_held(call->world, subject))
        return;
    arvo_lease lease = subject->lock.lease;
    port_own(call);
    if (port->below->renew(
            port->below_self, subject->subject, &lease, call->world->lease_ms, NULL) == ARVO_OK)
        arvo__sim_renewed(call->world, subject, &lease);
}

static void
port_take_long(const port_call *call)
{
    sim_world *world = call->world;
    arvo__sim_tell(world, "FAULT %u: %s takes long", call->point, call->name);
    int64_t left = (int64_t)port_detail(call, 4, (uint64_t)world->lease_ms * 2) * SIM_MS;
    const int64_t slice = world->lease_ms * SIM_MS / 3;
    for (; left > 0 && !port_is_dead(call); left -= slice) {
        arvo__sim_sleep(call->worker, left < slice ? left : slice);
        if (!port_is_dead(call))
            port_keep(call);
    }
}

/* What needs no more than to happen, before the effect or behind it. */
static void
port_suffer(port_call *call)
{
    sim_world *world = call->world;
    switch (call->fault) {
    case ARVO_SIM_CRASH:
        arvo__sim_tell(
            world, "FAULT %u: killed, %s %s", call->point, call->is_late ? "behind" : "before",
            call->name);
        arvo__sim_process_kill(call->port->process, "is dead");
        break;
    case ARVO_SIM_POWER:
        port_power_off(call);
        break;
    case ARVO_SIM_CLOCK:
        port_jump_clock(call);
        break;
    case ARVO_SIM_PAUSE:
        port_stand_still(call);
        break;
    case ARVO_SIM_SLOW:
        port_take_long(call);
        break;
    default:
        break;
    }
}

/* false: fail now; the store has seen nothing. */
static bool
port_begin(
    port_call *call, struct sim_port *port, const char *name, uint32_t possible, arvo_error *err)
{
    sim_world *world = port->process->world;
    *call = (port_call){ .port = port, .world = world, .worker = world->current, .name = name };
    if (call->worker == NULL || port_is_dead(call)) {
        (void)port_lost(call, err);
        return false;
    }
    world->report->steps++;
    if (world->disk == NULL)
        possible &= ~BIT(DISK);
    port_wait(call, PORT_REQUEST_US_MAX);
    if (!port_is_dead(call) && arvo__sim_strikes(world, possible, &call->fault, &call->point)) {
        call->is_late = port_detail(call, 0, 2) == 0;
        if (!call->is_late)
            port_suffer(call);
        if (call->fault == ARVO_SIM_PARTITION) {
            const uint64_t ms = port_detail(call, 5, 20000);
            arvo__sim_tell(
                world, "FAULT %u: cut off from the store for %.3f s", call->point,
                (double)ms / 1000);
            port->process->cut_until_us = world->now_us + (int64_t)ms * SIM_MS;
        } else if (call->fault == ARVO_SIM_REFUSE) {
            arvo__sim_tell(world, "FAULT %u: the store refuses %s", call->point, name);
        }
    }
    const bool is_lost =
        call->point != 0 &&
        (call->fault == ARVO_SIM_REFUSE || (call->fault == ARVO_SIM_PARTITION && !call->is_late));
    const bool is_cut = port->process->cut_until_us > world->now_us &&
                        !(call->point != 0 && call->fault == ARVO_SIM_PARTITION);
    if (!port_is_dead(call) && !is_lost && !is_cut) {
        port_own(call);
        return true;
    }
    (void)port_lost(call, err);
    return false;
}

/* What the caller gets. */
static arvo_status
port_end(port_call *call, arvo_status status, arvo_error *err)
{
    if (port_is_dead(call))
        return port_lost(call, err);
    if (call->point != 0) {
        if (call->is_late)
            port_suffer(call);
        if (call->fault == ARVO_SIM_ANSWER)
            arvo__sim_tell(
                call->world, "FAULT %u: the answer to %s is lost", call->point, call->name);
        if (call->fault == ARVO_SIM_ANSWER || call->fault == ARVO_SIM_PARTITION)
            return port_lost(call, err);
    }
    port_wait(call, PORT_ANSWER_US_MAX);
    return port_is_dead(call) ? port_lost(call, err) : status;
}

bool
arvo__sim_point(void *user)
{
    sim_world *world = user;
    sim_worker *worker = world->current;
    if (worker == NULL)
        return true;
    port_call call = { .world = world, .worker = worker, .name = "(between two operations)" };
    struct sim_port port = { .process = worker->process };
    call.port = &port;
    port_wait(&call, PORT_REQUEST_US_MAX);
    if (!port_is_dead(&call) &&
        arvo__sim_strikes(world, BIT(CRASH) | BIT(PAUSE), &call.fault, &call.point))
        port_suffer(&call);
    return !port_is_dead(&call);
}

/* ---- The disk -------------------------------------------------------------------------- */

static void
port_arm(const port_call *call)
{
    const bool is_full = call->point != 0 && call->fault == ARVO_SIM_FULL;
    if (call->world->disk == NULL || call->point == 0 || (!is_full && call->fault != ARVO_SIM_DISK))
        return;
    const bool kills = !is_full && port_detail(call, 6, 2) == 0;
    const uint32_t after = is_full ? 1 : 1 + (uint32_t)port_detail(call, 7, PORT_DISK_OPS);
    arvo__sim_tell(
        call->world, "FAULT %u: %s, in %s", call->point,
        is_full ? "the disk is full"
        : kills ? "killed while it writes to the disk"
                : "the disk fails",
        call->name);
    arvo__sim_disk_arm(call->world->disk, call->port->process->index, after, kills, is_full);
}

/* Whether what the operation left is not known. */
static bool
port_disarm(const port_call *call)
{
    bool is_killed = false;
    if (call->world->disk == NULL || !arvo__sim_disk_fired(call->world->disk, &is_killed))
        return false;
    if (is_killed)
        arvo__sim_process_kill(call->port->process, "is dead");
    return true;
}

/* memory: has no disk; what is full is its outbox. */
static bool
port_is_full(const port_call *call, arvo_error *err)
{
    if (call->world->disk != NULL || call->point == 0 || call->fault != ARVO_SIM_FULL)
        return false;
    arvo__sim_tell(call->world, "FAULT %u: the store is full, for %s", call->point, call->name);
    (void)arvo__fail(err, ARVO_E_FULL, "%s: the store is full", call->name);
    return true;
}

/* ---- Reading --------------------------------------------------------------------------- */

static arvo_status
port_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *out_found, arvo_record *out,
    arvo_error *err)
{
    struct sim_port *port = self;
    port_call call;
    if (!port_begin(&call, port, "read", FAULTS_ANY, err))
        return ARVO_E_IO;
    const arvo_status st = port->below->read(port->below_self, subject, arena, out_found, out, err);
    return port_end(&call, st, err);
}

static arvo_status
port_inbox_find(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *out_found,
    arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct sim_port *port = self;
    port_call call;
    if (!port_begin(&call, port, "inbox_find", FAULTS_ANY, err))
        return ARVO_E_IO;
    const arvo_status st =
        port->below->inbox_find(port->below_self, subject, source, id, out_found, each, user, err);
    return port_end(&call, st, err);
}

typedef struct port_rows {
    port_call *call;
    arvo_stored_event_fn each;
    arvo_outbox_fn each_row;
    void *user;
} port_rows;

/* I8: what anyone is handed was committed, and is not done. */
static void
port_check_row(const port_call *call, const arvo_stored_event *row)
{
    const sim_event *event = arvo__sim_event_of_seq(call->world, row->seq);
    if (event == NULL || !arvo_str_equal(event->id, row->id))
        arvo__sim_broken(
            call->world, "I8", "%s gives row %lld, %.*s, which no commit made", call->name,
            (long long)row->seq, ARVO_FMT(row->type));
}

static bool
port_each(void *user, const arvo_stored_event *row)
{
    const port_rows *rows = user;
    port_check_row(rows->call, row);
    return rows->each(rows->user, row);
}

static bool
port_each_row(void *user, const arvo_outbox_row *row)
{
    const port_rows *rows = user;
    port_check_row(rows->call, &row->event);
    return rows->each_row(rows->user, row);
}

static arvo_status
port_outbox_list(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct sim_port *port = self;
    port_call call;
    if (!port_begin(&call, port, "outbox_list", FAULTS_ANY, err))
        return ARVO_E_IO;
    port_rows rows = { .call = &call, .each = each, .user = user };
    const arvo_status st =
        port->below->outbox_list(port->below_self, after, limit, port_each, &rows, err);
    return port_end(&call, st, err);
}

static bool
port_keeps_history(void *self)
{
    (void)self;
    return true;
}

static arvo_status
port_history(void *self, arvo_str subject, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct sim_port *port = self;
    port_call call;
    if (!port_begin(&call, port, "history", FAULTS_ANY, err))
        return ARVO_E_IO;
    return port_end(&call, port->below->history(port->below_self, subject, each, user, err), err);
}

/* ---- Leases ---------------------------------------------------------------------------- */

/* I12, before anything else happens. */
static void
port_check_one_lock(const port_call *call, arvo_str subject)
{
    const sim_subject *held = call->worker->holds;
    if (held != NULL && arvo__sim_lock_is_held(call->world, held) &&
        held->lock.lease.fence == call->worker->holds_fence)
        arvo__sim_broken(
            call->world, "I12", "%s is locked by an execution that holds %s",
            arvo__sim_subject_name(call->world, subject),
            arvo__sim_subject_name(call->world, held->subject));
}

static arvo_status
port_try_lock(
    port_call *call, sim_subject *subject, const arvo_lock_request *request, arvo_arena *arena,
    arvo_locked *out, arvo_error *err)
{
    const struct sim_port *port = call->port;
    arvo_status st;
    port_own(call);
    if (arena != NULL) {
        arvo_lock_request now = *request;
        now.wait_ms = 0;
        st = port->below->lock_read(port->below_self, &now, arena, out, err);
    } else {
        st = port->below->lock(
            port->below_self, request->subject, request->ttl_ms, 0, &out->is_acquired, &out->lease,
            err);
    }
    const bool is_unknown = port_disarm(call);
    if (is_unknown && st != ARVO_OK)
        subject->lock.is_unknown = true;
    if (st == ARVO_OK && out->is_acquired)
        arvo__sim_granted(call->world, subject, &out->lease);
    else if (st == ARVO_OK)
        arvo__sim_denied(call->world, subject);
    return st;
}

/* Waiting is virtual: the store is asked again and again, in its clock's time. */
static arvo_status
port_acquire(
    port_call *call, const arvo_lock_request *request, arvo_arena *arena, arvo_locked *out,
    arvo_error *err)
{
    sim_world *world = call->world;
    sim_subject *subject = arvo__sim_subject(world, request->subject);
    if (subject == NULL)
        return arvo__nomem(err);
    port_check_one_lock(call, request->subject);
    const int64_t until_us = world->now_us + request->wait_ms * SIM_MS;
    port_arm(call);
    for (;;) {
        const arvo_status st = port_try_lock(call, subject, request, arena, out, err);
        if (st != ARVO_OK || out->is_acquired || world->now_us >= until_us || port_is_dead(call))
            return st;
        port_wait(call, 40000);
        if (port_is_dead(call))
            return port_lost(call, err);
    }
}

static arvo_status
port_lock_end(port_call *call, arvo_status st, arvo_str subject, arvo_locked *out, arvo_error *err)
{
    st = port_end(call, st, err);
    if (st == ARVO_OK && out->is_acquired) {
        call->worker->holds = arvo__sim_subject(call->world, subject);
        call->worker->holds_fence = out->lease.fence;
        arvo__sim_tell(call->world, "locks %s", arvo__sim_subject_name(call->world, subject));
    } else if (st == ARVO_OK) {
        arvo__sim_tell(
            call->world, "finds %s locked", arvo__sim_subject_name(call->world, subject));
    }
    return st;
}

static arvo_status
port_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err)
{
    port_call call;
    if (!port_begin(&call, self, "lock", FAULTS_ANY | BIT(DISK), err))
        return ARVO_E_IO;
    const arvo_lock_request request = { .subject = subject, .ttl_ms = ttl_ms, .wait_ms = wait_ms };
    arvo_locked locked = { 0 };
    arvo_status st = port_acquire(&call, &request, NULL, &locked, err);
    st = port_lock_end(&call, st, subject, &locked, err);
    if (st == ARVO_OK) {
        *out_acquired = locked.is_acquired;
        *out = locked.lease;
    }
    return st;
}

static arvo_status
port_lock_read(
    void *self, const arvo_lock_request *request, arvo_arena *arena, arvo_locked *out,
    arvo_error *err)
{
    port_call call;
    if (!port_begin(&call, self, "lock_read", FAULTS_ANY | BIT(DISK), err))
        return ARVO_E_IO;
    arvo_status st = port_acquire(&call, request, arena, out, err);
    return port_lock_end(&call, st, request->subject, out, err);
}

/* A probe hurts nobody, so it has a draw of its own. */
static bool
port_probes(const port_call *call, port_call *out)
{
    *out = *call;
    return arvo__sim_strikes(call->world, BIT(PROBE), &out->fault, &out->point);
}

/* I1: nobody gives back what another one holds. */
static void
port_probe_unlock(const port_call *call, const sim_subject *subject, const arvo_lease *lease)
{
    const struct sim_port *port = call->port;
    arvo_lease forged = *lease;
    forged.token[port_detail(call, 8, sizeof(forged.token))] ^= 1;
    (void)port->below->unlock(port->below_self, subject->subject, &forged, NULL);
    if (!arvo__sim_lock_is_held(call->world, subject))
        return;
    bool is_acquired = false;
    arvo_lease other;
    const arvo_status st =
        port->below->lock(port->below_self, subject->subject, 1000, 0, &is_acquired, &other, NULL);
    if (st == ARVO_OK && is_acquired)
        arvo__sim_broken(
            call->world, "I1", "%s was unlocked with a token that is not its lease's",
            arvo__sim_subject_name(call->world, subject->subject));
}

static arvo_status
port_unlock(void *self, arvo_str subject_text, const arvo_lease *lease, arvo_error *err)
{
    struct sim_port *port = self;
    sim_world *world = port->process->world;
    sim_worker *worker = world->current;
    if (worker != NULL)
        worker->holds = NULL; /* it has let go, whatever comes of it */
    port_call call;
    if (!port_begin(&call, port, "unlock", FAULTS_WRITE & ~BIT(FULL), err))
        return ARVO_E_IO;
    sim_subject *subject = arvo__sim_subject(world, subject_text);
    if (subject == NULL)
        return arvo__nomem(err);
    port_call probe;
    if (port_probes(&call, &probe))
        port_probe_unlock(&probe, subject, lease);
    port_arm(&call);
    const arvo_status st = port->below->unlock(port->below_self, subject_text, lease, err);
    if (port_disarm(&call))
        subject->lock.is_unknown = true;
    if (st == ARVO_OK)
        arvo__sim_released(world, subject, lease);
    return port_end(&call, st, err);
}

static arvo_status
port_renew(void *self, arvo_str subject_text, arvo_lease *lease, int64_t ttl_ms, arvo_error *err)
{
    struct sim_port *port = self;
    port_call call = { .name = "renew" };
    if (!pthread_equal(pthread_self(), port->process->world->thread))
        return port_lost(&call, err); /* a keeper's thread: real time has no place here */
    if (!port_begin(&call, port, "renew", FAULTS_ANY, err))
        return ARVO_E_IO;
    sim_subject *subject = arvo__sim_subject(call.world, subject_text);
    if (subject == NULL)
        return arvo__nomem(err);
    const arvo_status st = port->below->renew(port->below_self, subject_text, lease, ttl_ms, err);
    if (st == ARVO_OK)
        arvo__sim_renewed(call.world, subject, lease);
    return port_end(&call, st, err);
}

/* ---- Commits ---------------------------------------------------------------------------- */

/* A copy of the commit that must be refused: `rule` says by what. false: this commit has no such
 * copy. */
static bool
port_forge(
    const port_call *call, const arvo_commit *commit, unsigned variant, arvo_commit *forged,
    arvo_lease *lease, const char **rule)
{
    *forged = *commit;
    if (commit->lease == NULL || commit->record == NULL)
        return false;
    *lease = *commit->lease;
    forged->lease = lease;
    *rule = "I1";
    switch (variant) {
    case 0:
        *rule = "I2";
        forged->previous_revision +=
            commit->previous_revision > 0 && port_detail(call, 10, 2) == 0 ? (uint64_t)-1 : 1;
        return true;
    case 1:
        lease->token[port_detail(call, 11, sizeof(lease->token))] ^= 0x40;
        return true;
    default:
        lease->fence--;
        return true;
    }
}

static void
port_probe_commit(const port_call *call, const arvo_commit *commit)
{
    const struct sim_port *port = call->port;
    for (unsigned variant = 0; variant < 3; variant++) {
        arvo_commit forged;
        arvo_lease lease;
        const char *rule = NULL;
        if (!port_forge(call, commit, variant, &forged, &lease, &rule) ||
            port->below->commit(port->below_self, &forged, 1, NULL) != ARVO_OK)
            continue;
        arvo__sim_broken(
            call->world, rule, "%s was written %s",
            arvo__sim_subject_name(call->world, commit->subject),
            variant == 0 ? "over a revision that its writer had not read" : "without its lease");
    }
}

/* The request arrives a second time. */
static void
port_probe_again(const port_call *call, const arvo_commit *commit)
{
    const struct sim_port *port = call->port;
    if (commit->consumed == NULL)
        return;
    const arvo_status st = port->below->commit(port->below_self, commit, 1, NULL);
    if (st == ARVO_OK)
        arvo__sim_broken(
            call->world, "I5", "%s consumed %.*s of %.*s a second time",
            arvo__sim_subject_name(call->world, commit->subject), ARVO_FMT(commit->consumed->id),
            ARVO_FMT(commit->consumed->source));
}

static void
port_tell_commit(const port_call *call, const arvo_commit *commit, arvo_status st)
{
    sim_world *world = call->world;
    if (world->opts->line == NULL)
        return;
    const char *name = arvo__sim_subject_name(world, commit->subject);
    if (st != ARVO_OK)
        arvo__sim_tell(world, "%s: commit refused: %s", name, arvo_status_text(st));
    else if (commit->record != NULL)
        arvo__sim_tell(
            world, "%s: %.*s (id %.*s of %.*s) -> %.*s %.*s, revision %llu, %zu emitted", name,
            ARVO_FMT(commit->consumed != NULL ? commit->consumed->type : ARVO_STR("-")),
            ARVO_FMT(commit->consumed != NULL ? commit->consumed->id : ARVO_STR("-")),
            ARVO_FMT(commit->consumed != NULL ? commit->consumed->source : ARVO_STR("-")),
            ARVO_FMT(commit->record->status), ARVO_FMT(commit->record->value),
            (unsigned long long)commit->previous_revision + 1, commit->produced_count);
    else
        arvo__sim_tell(world, "%s: %zu replies", name, commit->produced_count);
    if (st == ARVO_OK && commit->record != NULL && commit->record->last_error.ptr != NULL)
        arvo__sim_tell(world, "    error %.*s", ARVO_FMT(commit->record->last_error));
    for (size_t i = 0; st == ARVO_OK && i < commit->produced_count; i++)
        arvo__sim_tell(
            world, "    emits %.*s (id %.*s)", ARVO_FMT(commit->produced[i].type),
            ARVO_FMT(commit->produced[i].id));
}

static void
port_commit_effect(port_call *call, const arvo_commit *commits, size_t count, arvo_status st)
{
    const bool is_unknown = port_disarm(call);
    for (size_t i = 0; i < count; i++) {
        port_tell_commit(call, &commits[i], st);
        if (is_unknown && st != ARVO_OK)
            arvo__sim_maybe_committed(call->world, &commits[i]);
        else
            arvo__sim_committed(call->world, &commits[i], st);
    }
    if (is_unknown)
        arvo__sim_reconcile(call->world);
    for (size_t i = 0; i < count; i++)
        arvo__sim_compare_subject(call->world, arvo__sim_subject(call->world, commits[i].subject));
    port_own(call);
}

static arvo_status
port_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    struct sim_port *port = self;
    port_call call;
    if (!port_begin(&call, port, "commit", FAULTS_WRITE, err))
        return ARVO_E_IO;
    if (port_is_full(&call, err))
        return ARVO_E_FULL;
    port_call probe;
    const bool probes = port_probes(&call, &probe);
    if (probes)
        port_probe_commit(&probe, &commits[0]);
    port_arm(&call);
    const arvo_status st = port->below->commit(port->below_self, commits, count, err);
    port_commit_effect(&call, commits, count, st);
    if (probes && st == ARVO_OK && !port_is_dead(&call))
        port_probe_again(&probe, &commits[0]);
    for (size_t i = 0; i < count && st == ARVO_OK; i++)
        if (commits[i].release && !port_is_dead(&call))
            call.worker->holds = NULL;
    return port_end(&call, st, err);
}

static arvo_status
port_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    const arvo_commit commit = { .subject = subject,
                                 .lease = lease,
                                 .record = record,
                                 .previous_revision = previous != NULL ? previous->revision : 0 };
    return port_commit(self, &commit, 1, err);
}

/* ---- Delivery ----------------------------------------------------------------------------- */

static arvo_status
port_outbox_done(void *self, int64_t seq, arvo_error *err)
{
    struct sim_port *port = self;
    port_call call;
    if (!port_begin(&call, port, "outbox_done", FAULTS_WRITE & ~BIT(FULL), err))
        return ARVO_E_IO;
    port_arm(&call);
    const arvo_status st = port->below->outbox_done(port->below_self, seq, err);
    sim_event *event = arvo__sim_event_of_seq(call.world, seq);
    if (port_disarm(&call) && st != ARVO_OK && event != NULL)
        event->maybe_gone = true;
    if (st == ARVO_OK)
        arvo__sim_outbox_gone(call.world, seq, NULL);
    return port_end(&call, st, err);
}

static arvo_status
port_outbox_claim(
    void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err)
{
    struct sim_port *port = self;
    port_call call;
    if (!port_begin(&call, port, "outbox_claim", FAULTS_ANY, err))
        return ARVO_E_IO;
    port_rows rows = { .call = &call, .each_row = each, .user = user };
    const arvo_status st =
        port->below->outbox_claim(port->below_self, claim, port_each_row, &rows, err);
    return port_end(&call, st, err);
}

static arvo_status
port_outbox_retry(
    void *self, int64_t seq, const arvo_claim *claim, int64_t delay_ms, arvo_str error,
    arvo_error *err)
{
    struct sim_port *port = self;
    port_call call;
    if (!port_begin(&call, port, "outbox_retry", FAULTS_ANY, err))
        return ARVO_E_IO;
    const arvo_status st =
        port->below->outbox_retry(port->below_self, seq, claim, delay_ms, error, err);
    return port_end(&call, st, err);
}

static arvo_status
port_outbox_dead(void *self, int64_t seq, const arvo_claim *claim, arvo_str error, arvo_error *err)
{
    struct sim_port *port = self;
    port_call call;
    if (!port_begin(&call, port, "outbox_dead", FAULTS_ANY, err))
        return ARVO_E_IO;
    const arvo_status st = port->below->outbox_dead(port->below_self, seq, claim, error, err);
    if (st == ARVO_OK)
        arvo__sim_outbox_dead(call.world, seq);
    return port_end(&call, st, err);
}

static arvo_status
port_outbox_release(void *self, const arvo_claim *claim, arvo_error *err)
{
    struct sim_port *port = self;
    port_call call;
    if (!port_begin(&call, port, "outbox_release", FAULTS_ANY, err))
        return ARVO_E_IO;
    return port_end(&call, port->below->outbox_release(port->below_self, claim, err), err);
}

static arvo_status
port_outbox_wait(void *self, int64_t timeout_ms, arvo_error *err)
{
    struct sim_port *port = self;
    port_call call;
    if (!port_begin(&call, port, "outbox_wait", FAULTS_ANY, err))
        return ARVO_E_IO;
    const int64_t until_us = call.world->now_us + timeout_ms * SIM_MS;
    const size_t before = call.world->waiting;
    while (call.world->now_us < until_us && call.world->waiting == before && !port_is_dead(&call))
        port_wait(&call, 40000);
    return port_end(&call, ARVO_OK, err);
}

static arvo_status
port_dead_list(
    void *self, int64_t after, size_t limit, arvo_outbox_fn each, void *user, arvo_error *err)
{
    const struct sim_port *port = self;
    return port->below->dead_list(port->below_self, after, limit, each, user, err);
}

static arvo_status
port_dead_decide(void *self, int64_t seq, arvo_error *err)
{
    (void)self;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED, "dead letter %lld: nobody decides in a simulation",
        (long long)seq);
}

/* ---- The table ------------------------------------------------------------------------------ */

static void
port_close(void *self)
{
    arvo__free(NULL, self, sizeof(struct sim_port));
}

static void
port_interrupt(void *self, bool on)
{
    (void)self;
    (void)on; /* waits are virtual, and end with the run */
}

/* What the store below does not have, the port does not have. */
static arvo_memory_ops
port_ops(const arvo_memory_ops *below)
{
    arvo_memory_ops ops = { .version = ARVO_MEMORY_OPS_VERSION,
                            .name = below->name,
                            .read = port_read,
                            .write = port_write,
                            .lock = port_lock,
                            .unlock = port_unlock,
                            .commit = port_commit,
                            .inbox_find = port_inbox_find,
                            .outbox_list = port_outbox_list,
                            .outbox_done = port_outbox_done,
                            .history = port_history,
                            .keeps_history = port_keeps_history,
                            .close = port_close };
    if (below->lock_read != NULL)
        ops.lock_read = port_lock_read;
    if (below->renew != NULL)
        ops.renew = port_renew;
    if (below->interrupt != NULL)
        ops.interrupt = port_interrupt;
    if (below->outbox_claim != NULL) {
        ops.outbox_claim = port_outbox_claim;
        ops.outbox_retry = port_outbox_retry;
        ops.outbox_dead = port_outbox_dead;
        ops.outbox_release = port_outbox_release;
        ops.outbox_wait = port_outbox_wait;
        ops.dead_list = port_dead_list;
        ops.dead_retry = port_dead_decide;
        ops.dead_drop = port_dead_decide;
    }
    return ops;
}

arvo_memory *
arvo__sim_port_new(sim_process *process, arvo_memory *below)
{
    struct sim_port *port = arvo__calloc(NULL, 1, sizeof(*port));
    if (port == NULL)
        return NULL;
    port->process = process;
    port->below = arvo_memory_ops_of(below);
    port->below_self = arvo_memory_self(below);
    const arvo_memory_ops ops = port_ops(port->below);
    arvo_memory *memory = NULL;
    if (arvo_memory_new(&ops, port, &memory, NULL) != ARVO_OK) {
        port_close(port);
        return NULL;
    }
    return memory;
}
