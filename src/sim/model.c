/* What the store must hold: a model that is told of every effect, and the numbered invariants of
 * docs/guarantees.md. The model is simple because nothing runs while it is told.
 */

#include <string.h>

#include "sim/internal.h"

/* ---- Subjects and events --------------------------------------------------------- */

static arvo_str
kept(sim_world *world, arvo_str text)
{
    return arvo_arena_str_dup(world->arena, text);
}

sim_subject *
arvo__sim_subject(sim_world *world, arvo_str text)
{
    sim_subject *subject = arvo__map_find(&world->subject_of, text);
    if (subject != NULL)
        return subject;
    subject = arvo_arena_calloc(world->arena, 1, sizeof(*subject));
    if (subject == NULL)
        return NULL;
    subject->subject = kept(world, text);
    subject->end = &subject->first;
    if (subject->subject.ptr == NULL ||
        !arvo__map_set(&world->subject_of, subject->subject, subject))
        return NULL;
    *world->subjects_end = subject;
    world->subjects_end = &subject->next;
    return subject;
}

sim_event *
arvo__sim_consumed_find(const sim_subject *subject, arvo_str source, arvo_str id)
{
    for (sim_event *event = subject->first; event != NULL; event = event->next)
        if (event->state == SIM_EVENT_CONSUMED && arvo_str_equal(event->id, id) &&
            arvo_str_equal(event->source, source))
            return event;
    return NULL;
}

sim_event *
arvo__sim_produced_find(const sim_world *world, arvo_str source, arvo_str id)
{
    for (const sim_subject *subject = world->subjects; subject != NULL; subject = subject->next)
        for (sim_event *event = subject->first; event != NULL; event = event->next)
            if (event->state != SIM_EVENT_CONSUMED && arvo_str_equal(event->id, id) &&
                arvo_str_equal(event->source, source))
                return event;
    return NULL;
}

sim_event *
arvo__sim_event_of_seq(sim_world *world, int64_t seq)
{
    return seq > 0 && (uint64_t)seq < world->by_seq_cap ? world->by_seq[seq] : NULL;
}

static void
model_learn_seq(sim_world *world, sim_event *event, int64_t seq)
{
    if (seq <= 0 || arvo__sim_event_of_seq(world, seq) != NULL) {
        arvo__sim_broken(world, "I6", "seq %lld was given to two events", (long long)seq);
        return;
    }
    if ((uint64_t)seq >= world->by_seq_cap) {
        const size_t cap = (size_t)seq * 2 + 256;
        sim_event **grown = arvo_arena_calloc(world->arena, cap, sizeof(sim_event *));
        if (grown == NULL) {
            arvo__sim_fail(world, ARVO_E_NOMEM, NULL);
            return;
        }
        if (world->by_seq_cap > 0)
            memcpy(grown, world->by_seq, world->by_seq_cap * sizeof(sim_event *));
        world->by_seq = grown;
        world->by_seq_cap = cap;
    }
    event->seq = seq;
    world->by_seq[seq] = event;
}

bool
arvo__sim_is_default(const sim_event *event)
{
    static const char name[] = "\"default\"";
    return memmem(event->domains.ptr, event->domains.len, name, sizeof(name) - 1) != NULL;
}

int
arvo__sim_service_of(const sim_world *world, arvo_str address)
{
    for (size_t i = 0; i < world->app.service_count; i++)
        if (arvo_str_equal(arvo_handler_type(world->app.services[i]), address))
            return (int)i;
    return -1;
}

bool
arvo__sim_is_orchestrator(const sim_world *world, arvo_str address)
{
    for (size_t i = 0; i < world->app.machine_count; i++)
        if (arvo_str_equal(arvo_machine_source(world->app.machines[i]), address))
            return true;
    return false;
}

/* ---- Leases ------------------------------------------------------------------------ */

bool
arvo__sim_lock_is_held(const sim_world *world, const sim_subject *subject)
{
    if (!subject->lock.is_held || subject->lock.lease.expires_ms <= arvo__sim_store_now(world))
        return false;
    /* SQLite knows when a process is gone. */
    const sim_process *holder = subject->lock.process;
    return world->disk == NULL || (holder->is_up && holder->life == subject->lock.life);
}

static bool
lock_is(const sim_subject *subject, const arvo_lease *lease)
{
    return subject->lock.is_held && subject->lock.lease.fence == lease->fence &&
           memcmp(subject->lock.lease.token, lease->token, sizeof(lease->token)) == 0;
}

void
arvo__sim_granted(sim_world *world, sim_subject *subject, const arvo_lease *lease)
{
    const char *name = arvo__sim_subject_name(world, subject->subject);
    if (arvo__sim_lock_is_held(world, subject) && !subject->lock.is_unknown)
        arvo__sim_broken(
            world, "I1", "%s is locked twice: process %u has fence %llu and still %lld ms", name,
            subject->lock.process->index, (unsigned long long)subject->lock.lease.fence,
            (long long)(subject->lock.lease.expires_ms - arvo__sim_store_now(world)));
    if (lease->fence <= subject->fence)
        arvo__sim_broken(
            world, "I3", "%s gets fence %llu after fence %llu", name,
            (unsigned long long)lease->fence, (unsigned long long)subject->fence);
    subject->fence = lease->fence;
    subject->lock.is_held = true;
    subject->lock.is_unknown = false;
    subject->lock.lease = *lease;
    subject->lock.process = world->current->process;
    subject->lock.life = world->current->process->life;
    const uint32_t index = world->current->process->index - 1;
    subject->gates[index].expires_ms = lease->expires_ms;
    subject->gates[index].fence = lease->fence;
    subject->gates[index].life = world->current->process->life;
}

/* A lease that this process took, and neither gave back nor, by a clock that went back, outlived.
 */
static bool
gate_is_held(const sim_world *world, const sim_subject *subject)
{
    const sim_process *process = world->current->process;
    return world->disk != NULL && subject->gates[process->index - 1].life == process->life &&
           subject->gates[process->index - 1].expires_ms > arvo__sim_store_now(world);
}

static void
gate_leave(sim_world *world, sim_subject *subject, const arvo_lease *lease)
{
    const uint32_t index = world->current != NULL ? world->current->process->index - 1 : 0;
    if (subject->gates[index].fence == lease->fence)
        subject->gates[index].expires_ms = 0;
}

void
arvo__sim_denied(sim_world *world, sim_subject *subject)
{
    if (!arvo__sim_lock_is_held(world, subject) && !subject->lock.is_unknown &&
        !gate_is_held(world, subject))
        arvo__sim_broken(
            world, "I11", "%s cannot be locked, and nobody holds it",
            arvo__sim_subject_name(world, subject->subject));
}

void
arvo__sim_released(sim_world *world, sim_subject *subject, const arvo_lease *lease)
{
    gate_leave(world, subject, lease);
    if (lock_is(subject, lease))
        subject->lock.is_held = false;
}

void
arvo__sim_renewed(sim_world *world, sim_subject *subject, const arvo_lease *lease)
{
    if (!lock_is(subject, lease) || !arvo__sim_lock_is_held(world, subject))
        arvo__sim_broken(
            world, "I1", "a lease of %s was renewed after it was lost",
            arvo__sim_subject_name(world, subject->subject));
    subject->lock.lease.expires_ms = lease->expires_ms;
}

void
arvo__sim_forget_leases(sim_world *world)
{
    for (sim_subject *subject = world->subjects; subject != NULL; subject = subject->next) {
        subject->lock.is_held = false;
        subject->lock.is_unknown = false;
        subject->fence = subject->fence_written;
    }
}

/* ---- The outbox --------------------------------------------------------------------- */

/* I10: nothing that the same subject made earlier still waits. */
static void
outbox_check_order(sim_world *world, const sim_event *event)
{
    const sim_subject *subject = arvo__sim_subject(world, event->subject);
    for (const sim_event *older = subject != NULL ? subject->first : NULL;
         older != NULL && older != event; older = older->next)
        if (older->state == SIM_EVENT_WAITING && !older->maybe_gone)
            arvo__sim_broken(
                world, "I10", "%.*s (seq %lld) is done before %.*s (seq %lld) of the same %s",
                ARVO_FMT(event->type), (long long)event->seq, ARVO_FMT(older->type),
                (long long)older->seq, arvo__sim_subject_name(world, event->subject));
}

/* I9: marked done without a commit of who consumes it. */
static void
outbox_check_settled(sim_world *world, const sim_event *event)
{
    const bool is_default = arvo__sim_is_default(event);
    const int service = arvo__sim_service_of(world, event->to);
    if (is_default && arvo__sim_is_orchestrator(world, event->to)) {
        const sim_subject *target = arvo__sim_subject(world, event->event_subject);
        const bool is_start = arvo_str_equal(event->to, event->type);
        const bool is_ignored =
            target != NULL &&
            (target->has_record ? !arvo_str_is(target->status, "active") : !is_start);
        if (target == NULL ||
            (!is_ignored && arvo__sim_consumed_find(target, event->source, event->id) == NULL))
            arvo__sim_broken(
                world, "I9", "%.*s (id %.*s) is marked done, and %s has not consumed it",
                ARVO_FMT(event->type), ARVO_FMT(event->id),
                arvo__sim_subject_name(world, event->event_subject));
    } else if (is_default && service >= 0 && !world->app.is_remote[service]) {
        arvo__sim_broken(
            world, "I9", "the request %.*s is marked done without a commit of its answers",
            ARVO_FMT(event->type));
    } else if (!event->shown) {
        arvo__sim_broken(
            world, "I9", "%.*s is marked done, and nobody outside has seen it",
            ARVO_FMT(event->type));
    }
}

void
arvo__sim_outbox_gone(sim_world *world, int64_t seq, const arvo_commit *commit)
{
    sim_event *event = arvo__sim_event_of_seq(world, seq);
    if (event == NULL) {
        arvo__sim_broken(world, "I7", "row %lld is done, and never was", (long long)seq);
        return;
    }
    if (event->state != SIM_EVENT_WAITING) {
        if (commit != NULL)
            arvo__sim_broken(
                world, "I7", "%.*s (seq %lld) is done by a commit after it was done",
                ARVO_FMT(event->type), (long long)seq);
        return;
    }
    outbox_check_order(world, event);
    if (commit == NULL)
        outbox_check_settled(world, event);
    else if (commit->consumed != NULL && !arvo_str_equal(commit->consumed->id, event->id))
        arvo__sim_broken(
            world, "I9", "a commit that consumes %.*s marks %.*s done",
            ARVO_FMT(commit->consumed->id), ARVO_FMT(event->id));
    event->state = SIM_EVENT_GONE;
    world->waiting--;
}

void
arvo__sim_outbox_dead(sim_world *world, int64_t seq)
{
    sim_event *event = arvo__sim_event_of_seq(world, seq);
    if (event == NULL || event->state != SIM_EVENT_WAITING)
        return; /* done meanwhile, or claimed by someone else: the comparison tells */
    event->state = SIM_EVENT_DEAD;
    world->waiting--;
}

/* ---- Commits ------------------------------------------------------------------------- */

static sim_event *
model_add(
    sim_world *world, sim_subject *subject, const arvo_stored_event *row, sim_event_state state)
{
    sim_event *event = arvo_arena_calloc(world->arena, 1, sizeof(*event));
    if (event == NULL)
        return NULL;
    event->state = state;
    event->subject = subject->subject;
    event->id = kept(world, row->id);
    event->source = kept(world, row->source);
    event->type = kept(world, row->type);
    event->domains = kept(world, row->domains);
    event->json = kept(world, row->json);
    *subject->end = event;
    subject->end = &event->next;
    return event;
}

static void
model_add_produced(
    sim_world *world, sim_subject *subject, const arvo_stored_event *row, sim_event *cause)
{
    sim_event *event = model_add(world, subject, row, SIM_EVENT_WAITING);
    arvo_event parsed;
    arvo_error why = { 0 };
    if (event == NULL) {
        arvo__sim_fail(world, ARVO_E_NOMEM, NULL);
        return;
    }
    event->cause = cause;
    world->waiting++;
    const arvo_status st = arvo_event_parse(event->json, world->arena, &parsed, &why);
    if (st != ARVO_OK) {
        arvo__sim_broken(world, "I4", "a produced event is none: %s", why.text);
        return;
    }
    event->to = parsed.to;
    event->event_subject = parsed.subject;
}

static void
model_put_record(sim_world *world, sim_subject *subject, const arvo_record *record)
{
    subject->has_record = true;
    subject->orchestrator = kept(world, record->orchestrator);
    subject->version = kept(world, record->version);
    subject->status = kept(world, record->status);
    subject->value = kept(world, record->value);
    subject->state_json = kept(world, record->state);
    subject->last_error = kept(world, record->last_error);
    subject->input = kept(world, record->input);
}

static void
model_apply(sim_world *world, sim_subject *subject, const arvo_commit *commit)
{
    sim_event *cause = NULL;
    if (commit->record != NULL) {
        model_put_record(world, subject, commit->record);
        subject->revision = commit->previous_revision + 1;
        world->report->commits++;
    }
    if (commit->lease != NULL)
        subject->fence_written = commit->lease->fence;
    if (commit->consumed != NULL) {
        cause = model_add(world, subject, commit->consumed, SIM_EVENT_CONSUMED);
        if (cause == NULL) {
            arvo__sim_fail(world, ARVO_E_NOMEM, NULL);
            return;
        }
        cause->status = subject->status;
        cause->value = subject->value;
        cause->state_json = subject->state_json;
        cause->last_error = subject->last_error;
        world->report->events++;
    }
    if (commit->outbox_done != 0)
        arvo__sim_outbox_gone(world, commit->outbox_done, commit);
    for (size_t i = 0; i < commit->produced_count; i++)
        model_add_produced(world, subject, &commit->produced[i], cause);
    if (commit->release) {
        subject->lock.is_held = false;
        gate_leave(world, subject, commit->lease);
    }
}

static bool
commit_is_leased(const sim_world *world, const sim_subject *subject, const arvo_commit *commit)
{
    return commit->lease == NULL || (lock_is(subject, commit->lease) &&
                                     subject->lock.lease.expires_ms > arvo__sim_store_now(world));
}

static bool
commit_is_known(sim_world *world, const sim_subject *subject, const arvo_commit *commit)
{
    const sim_event *row = arvo__sim_event_of_seq(world, commit->outbox_done);
    return (commit->consumed != NULL &&
            arvo__sim_consumed_find(subject, commit->consumed->source, commit->consumed->id) !=
                NULL) ||
           (row != NULL && row->state != SIM_EVENT_WAITING);
}

/* A commit that went through must have been allowed to. */
static void
model_check_done(sim_world *world, const sim_subject *subject, const arvo_commit *commit)
{
    const char *name = arvo__sim_subject_name(world, subject->subject);
    if (!commit_is_leased(world, subject, commit) && !subject->lock.is_unknown)
        arvo__sim_broken(world, "I1", "%s was written by one whose lease was lost", name);
    if (commit->record != NULL && commit->previous_revision != subject->revision)
        arvo__sim_broken(
            world, "I2", "%s has revision %llu, and was written over revision %llu", name,
            (unsigned long long)subject->revision, (unsigned long long)commit->previous_revision);
    if (commit->consumed != NULL &&
        arvo__sim_consumed_find(subject, commit->consumed->source, commit->consumed->id) != NULL)
        arvo__sim_broken(
            world, "I5", "%s consumed %.*s of %.*s twice", name, ARVO_FMT(commit->consumed->id),
            ARVO_FMT(commit->consumed->source));
}

/* And one that was refused, not. */
static void
model_check_refused(
    sim_world *world, const sim_subject *subject, const arvo_commit *commit, arvo_status status)
{
    const char *name = arvo__sim_subject_name(world, subject->subject);
    if (status == ARVO_E_STALE && commit_is_leased(world, subject, commit) &&
        !subject->lock.is_unknown &&
        (commit->record == NULL || commit->previous_revision == subject->revision))
        arvo__sim_broken(world, "I1", "a write of %s was refused to who holds its lease", name);
    if (status == ARVO_E_EXISTS && !commit_is_known(world, subject, commit))
        arvo__sim_broken(
            world, "I5", "%s has never consumed %.*s of %.*s, and the store says it has", name,
            ARVO_FMT(commit->consumed != NULL ? commit->consumed->id : ARVO_STR("-")),
            ARVO_FMT(commit->consumed != NULL ? commit->consumed->source : ARVO_STR("-")));
}

void
arvo__sim_committed(sim_world *world, const arvo_commit *commit, arvo_status status)
{
    sim_subject *subject = arvo__sim_subject(world, commit->subject);
    if (subject == NULL) {
        arvo__sim_fail(world, ARVO_E_NOMEM, NULL);
        return;
    }
    if (status != ARVO_OK) {
        model_check_refused(world, subject, commit, status);
        return;
    }
    model_check_done(world, subject, commit);
    model_apply(world, subject, commit);
    subject->maybe = NULL; /* overtaken */
}

/* ---- Commits that may have been --------------------------------------------------------- */

static arvo_stored_event
kept_row(sim_world *world, const arvo_stored_event *row)
{
    arvo_stored_event copy = *row;
    copy.id = kept(world, row->id);
    copy.source = kept(world, row->source);
    copy.type = kept(world, row->type);
    copy.domains = kept(world, row->domains);
    copy.json = kept(world, row->json);
    return copy;
}

void
arvo__sim_maybe_committed(sim_world *world, const arvo_commit *commit)
{
    sim_subject *subject = arvo__sim_subject(world, commit->subject);
    sim_maybe *maybe = arvo_arena_calloc(world->arena, 1, sizeof(*maybe));
    arvo_record *record = arvo_arena_calloc(world->arena, 1, sizeof(*record));
    arvo_lease *lease = arvo_arena_calloc(world->arena, 1, sizeof(*lease));
    arvo_stored_event *rows =
        arvo_arena_calloc(world->arena, commit->produced_count + 1, sizeof(*rows));
    if (subject == NULL || maybe == NULL || record == NULL || lease == NULL || rows == NULL) {
        arvo__sim_fail(world, ARVO_E_NOMEM, NULL);
        return;
    }
    maybe->commit = *commit;
    for (size_t i = 0; i < commit->produced_count; i++)
        rows[i + 1] = kept_row(world, &commit->produced[i]);
    maybe->commit.produced = rows + 1;
    if (commit->consumed != NULL) {
        rows[0] = kept_row(world, commit->consumed);
        maybe->commit.consumed = &rows[0];
    }
    if (commit->record != NULL) {
        *record = *commit->record;
        for (size_t i = 0; i < ARVO__RECORD_STRINGS; i++)
            *arvo__record_string(record, i) = kept(world, *arvo__record_string(record, i));
        maybe->commit.record = record;
    }
    if (commit->lease != NULL) {
        *lease = *commit->lease;
        maybe->commit.lease = lease;
    }
    maybe->commit.subject = subject->subject;
    maybe->next = subject->maybe;
    subject->maybe = maybe;
    subject->lock.is_unknown = true;
}

typedef struct history_search {
    arvo_str id, source;
    arvo_direction direction;
    bool is_found;
} history_search;

static bool
history_look(void *user, const arvo_stored_event *row)
{
    history_search *search = user;
    search->is_found = row->direction == search->direction && arvo_str_equal(row->id, search->id) &&
                       arvo_str_equal(row->source, search->source);
    return !search->is_found;
}

/* The store shows it. */
static bool
maybe_is_there(sim_world *world, const sim_subject *subject, const arvo_commit *commit)
{
    arvo_memory *eye = arvo__sim_eye(world);
    const arvo_stored_event *row = commit->consumed != NULL     ? commit->consumed
                                   : commit->produced_count > 0 ? &commit->produced[0]
                                                                : NULL;
    if (eye == NULL || row == NULL)
        return false;
    if (commit->consumed != NULL ? arvo__sim_consumed_find(subject, row->source, row->id) != NULL
                                 : arvo__sim_produced_find(world, row->source, row->id) != NULL)
        return false;
    history_search search = { .id = row->id, .source = row->source, .direction = row->direction };
    arvo_error why = { 0 };
    const arvo_status st = arvo_memory_ops_of(eye)->history(
        arvo_memory_self(eye), subject->subject, history_look, &search, &why);
    if (st != ARVO_OK)
        arvo__sim_broken(world, "I4", "after a crash the history cannot be read: %s", why.text);
    return st == ARVO_OK && search.is_found;
}

void
arvo__sim_reconcile(sim_world *world)
{
    for (sim_subject *subject = world->subjects; subject != NULL; subject = subject->next)
        for (sim_maybe *maybe = subject->maybe, *next; maybe != NULL; maybe = next) {
            next = maybe->next;
            sim_event *row = arvo__sim_event_of_seq(world, maybe->commit.outbox_done);
            if (maybe_is_there(world, subject, &maybe->commit)) {
                arvo__sim_tell(
                    world, "%s: the commit took effect after all",
                    arvo__sim_subject_name(world, subject->subject));
                model_apply(world, subject, &maybe->commit);
                subject->maybe = next = NULL;
            } else if (
                maybe->commit.consumed == NULL && maybe->commit.produced_count == 0 &&
                row != NULL) {
                row->maybe_gone = true;
            }
        }
}

/* ---- The store against the model ------------------------------------------------------------ */

typedef struct compared {
    sim_world *world;
    const sim_subject *subject;
    sim_event *expected; /* of a history */
    int64_t last_seq;
    size_t rows; /* of the outbox */
} compared;

static bool
compare_history_row(void *user, const arvo_stored_event *row)
{
    compared *c = user;
    sim_event *event = c->expected;
    const char *name = arvo__sim_subject_name(c->world, c->subject->subject);
    if (event == NULL) {
        arvo__sim_broken(
            c->world, "I4", "%s: its history has %.*s (id %.*s), which no commit made", name,
            ARVO_FMT(row->type), ARVO_FMT(row->id));
        return false;
    }
    const arvo_direction direction =
        event->state == SIM_EVENT_CONSUMED ? ARVO_CONSUMED : ARVO_PRODUCED;
    if (row->direction != direction || !arvo_str_equal(row->id, event->id) ||
        !arvo_str_equal(row->source, event->source) || !arvo_str_equal(row->json, event->json)) {
        arvo__sim_broken(
            c->world, "I6", "%s: its history has %.*s (id %.*s) where %.*s (id %.*s) belongs", name,
            ARVO_FMT(row->type), ARVO_FMT(row->id), ARVO_FMT(event->type), ARVO_FMT(event->id));
        return false;
    }
    if (row->seq <= c->last_seq)
        arvo__sim_broken(
            c->world, "I6", "%s: seq %lld behind seq %lld", name, (long long)row->seq,
            (long long)c->last_seq);
    if (event->seq == 0)
        model_learn_seq(c->world, event, row->seq);
    else if (event->seq != row->seq)
        arvo__sim_broken(
            c->world, "I6", "%s: seq %lld has become %lld", name, (long long)event->seq,
            (long long)row->seq);
    c->last_seq = row->seq;
    c->expected = event->next;
    return !c->world->report->failed;
}

static bool
compare_outbox_row(void *user, const arvo_stored_event *row)
{
    compared *c = user;
    const sim_event *event = arvo__sim_event_of_seq(c->world, row->seq);
    c->rows++;
    if (event != NULL && event->state == SIM_EVENT_WAITING)
        return true;
    arvo__sim_broken(
        c->world, event == NULL ? "I4" : "I7", "the outbox has row %lld, %.*s of %s, which %s",
        (long long)row->seq, ARVO_FMT(row->type), arvo__sim_subject_name(c->world, row->subject),
        event == NULL ? "no commit made" : "is done");
    return false;
}

/* Rows that are missing: those of which nobody knows may be. */
static void
compare_missing(sim_world *world, arvo_memory *eye)
{
    arvo_error why = { 0 };
    for (const sim_subject *subject = world->subjects; subject != NULL; subject = subject->next)
        for (sim_event *event = subject->first; event != NULL; event = event->next) {
            if (event->state != SIM_EVENT_WAITING)
                continue;
            history_search search = { .id = event->id,
                                      .source = event->source,
                                      .direction = ARVO_PRODUCED };
            (void)arvo_memory_ops_of(eye)->outbox_list(
                arvo_memory_self(eye), event->seq - 1, 1, history_look, &search, &why);
            if (search.is_found)
                continue;
            if (!event->maybe_gone) {
                arvo__sim_broken(
                    world, "I9", "%.*s (id %.*s) of %s has vanished from the outbox",
                    ARVO_FMT(event->type), ARVO_FMT(event->id),
                    arvo__sim_subject_name(world, subject->subject));
                return;
            }
            event->state = SIM_EVENT_GONE;
            world->waiting--;
        }
}

static void
compare_outbox(sim_world *world, arvo_memory *eye)
{
    compared c = { .world = world };
    arvo_error why = { 0 };
    const arvo_status st = arvo_memory_ops_of(eye)->outbox_list(
        arvo_memory_self(eye), 0, 100000, compare_outbox_row, &c, &why);
    if (st != ARVO_OK)
        arvo__sim_broken(world, "I4", "the outbox cannot be read: %s", why.text);
    else if (c.rows != world->waiting && !world->report->failed)
        compare_missing(world, eye);
}

static void
compare_record(sim_world *world, const sim_subject *subject, arvo_memory *eye)
{
    const char *name = arvo__sim_subject_name(world, subject->subject);
    arvo_record record;
    bool found = false;
    arvo_error why = { 0 };
    const arvo_arena_mark mark = arvo_arena_mark_get(world->scratch);
    const arvo_status st = arvo_memory_ops_of(eye)->read(
        arvo_memory_self(eye), subject->subject, world->scratch, &found, &record, &why);
    if (st != ARVO_OK)
        arvo__sim_broken(world, "I4", "%s cannot be read: %s", name, why.text);
    else if (found != subject->has_record)
        arvo__sim_broken(
            world, "I4", "%s %s", name, found ? "was never written" : "has lost its record");
    else if (found && record.revision != subject->revision)
        arvo__sim_broken(
            world, "I2", "%s has revision %llu in the store, not %llu", name,
            (unsigned long long)record.revision, (unsigned long long)subject->revision);
    else if (
        found && (!arvo_str_equal(record.status, subject->status) ||
                  !arvo_str_equal(record.state, subject->state_json) ||
                  !arvo_str_equal(record.last_error, subject->last_error)))
        arvo__sim_broken(world, "I4", "%s is not what was committed", name);
    arvo_arena_rewind(world->scratch, mark);
}

void
arvo__sim_compare_subject(sim_world *world, sim_subject *subject)
{
    arvo_memory *eye = arvo__sim_eye(world);
    if (eye == NULL || subject == NULL || world->report->failed)
        return;
    compare_record(world, subject, eye);
    compared c = { .world = world, .subject = subject, .expected = subject->first };
    arvo_error why = { 0 };
    const arvo_status st = arvo_memory_ops_of(eye)->history(
        arvo_memory_self(eye), subject->subject, compare_history_row, &c, &why);
    if (st != ARVO_OK)
        arvo__sim_broken(world, "I4", "the history cannot be read: %s", why.text);
    else if (c.expected != NULL)
        arvo__sim_broken(
            world, "I4", "%s: its history has lost %.*s (id %.*s)",
            arvo__sim_subject_name(world, subject->subject), ARVO_FMT(c.expected->type),
            ARVO_FMT(c.expected->id));
    if (!world->report->failed)
        compare_outbox(world, eye);
}

void
arvo__sim_compare(sim_world *world)
{
    for (sim_subject *subject = world->subjects; subject != NULL; subject = subject->next)
        arvo__sim_compare_subject(world, subject);
}
