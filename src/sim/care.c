/* Looking after the store while others work (I14): a copy is of one moment, and purge takes nothing
 * that is in flight.
 */

#include "sim/internal.h"

#define CARE_SLEEP_US (20 * SIM_MS)
#define CARE_AHEAD_MS (INT64_C(10) * 24 * 3600 * 1000) /* clocks jump: everything is older */

/* ---- A copy ------------------------------------------------------------------------ */

/* What the store held when the copy began, and what the copy has. */
typedef struct care_copy {
    sim_worker *worker;
    size_t records, events, outbox, dead;
    size_t copied_records, copied_events, copied_outbox, copied_dead;
    const sim_subject **subjects; /* of the records, and their revisions then */
    uint64_t *revisions;
    bool is_cut; /* the process died meanwhile */
} care_copy;

static void
copy_count(care_copy *copy, const sim_subject *subject)
{
    if (subject->has_record) {
        copy->subjects[copy->records] = subject;
        copy->revisions[copy->records++] = subject->revision;
    }
    for (const sim_event *event = subject->first; event != NULL; event = event->next) {
        copy->events++;
        copy->outbox += event->state == SIM_EVENT_WAITING;
        copy->dead += event->state == SIM_EVENT_DEAD;
    }
}

static void
copy_check_record(const care_copy *copy, const arvo_record *record)
{
    for (size_t i = 0; i < copy->records; i++)
        if (arvo_str_equal(copy->subjects[i]->subject, record->subject) &&
            copy->revisions[i] == record->revision)
            return;
    arvo__sim_broken(
        copy->worker->process->world, "I14",
        "a copy has revision %llu of %s, which is not of the moment when it began",
        (unsigned long long)record->revision,
        arvo__sim_subject_name(copy->worker->process->world, record->subject));
}

/* Between two rows others work. */
static bool
copy_row(void *user, const arvo_row *row)
{
    care_copy *copy = user;
    sim_worker *worker = copy->worker;
    sim_world *world = worker->process->world;
    if (row->kind == ARVO_ROW_RECORD)
        copy_check_record(copy, &row->record);
    copy->copied_records += row->kind == ARVO_ROW_RECORD;
    copy->copied_events += row->kind == ARVO_ROW_EVENT;
    copy->copied_outbox += row->kind == ARVO_ROW_OUTBOX;
    copy->copied_dead += row->kind == ARVO_ROW_DEAD;
    const uint64_t position = ((uint64_t)worker->index << 40) + ++worker->draws;
    if (arvo__sim_below(world, SIM_STREAM_WORK, position, 3) == 0)
        arvo__sim_sleep(
            worker, (int64_t)arvo__sim_below(world, SIM_STREAM_WORK, ~position, CARE_SLEEP_US));
    copy->is_cut = worker->process->is_dead || arvo__sim_is_over(world);
    return !copy->is_cut;
}

static void
care_copy_all(sim_worker *worker, const arvo_memory_ops *below, void *below_self)
{
    sim_world *world = worker->process->world;
    size_t count = 0;
    for (const sim_subject *subject = world->subjects; subject != NULL; subject = subject->next) {
        count += subject->has_record;
        for (const sim_event *event = subject->first; event != NULL; event = event->next)
            if (event->maybe_gone && event->state == SIM_EVENT_WAITING)
                return; /* the model does not know how many wait */
    }
    arvo_arena_reset(worker->arena);
    care_copy copy = { .worker = worker };
    copy.subjects = arvo_arena_calloc(worker->arena, count + 1, sizeof(const sim_subject *));
    copy.revisions = arvo_arena_calloc(worker->arena, count + 1, sizeof(*copy.revisions));
    if (copy.subjects == NULL || copy.revisions == NULL) {
        arvo__sim_fail(world, ARVO_E_NOMEM, NULL);
        return;
    }
    for (const sim_subject *subject = world->subjects; subject != NULL; subject = subject->next)
        copy_count(&copy, subject);
    arvo__sim_tell(world, "begins a copy of the store");
    arvo_error why = { 0 };
    const arvo_status st = below->dump(below_self, copy_row, &copy, &why);
    if (copy.is_cut || world->report->failed)
        return;
    if (st != ARVO_OK)
        arvo__sim_broken(world, "I14", "the store cannot be copied: %s", why.text);
    else if (
        copy.copied_records != copy.records || copy.copied_events != copy.events ||
        copy.copied_outbox != copy.outbox || copy.copied_dead != copy.dead)
        arvo__sim_broken(
            world, "I14",
            "a copy has %zu records, %zu events, %zu in the outbox and %zu dead letters, and when "
            "it began there were %zu, %zu, %zu and %zu",
            copy.copied_records, copy.copied_events, copy.copied_outbox, copy.copied_dead,
            copy.records, copy.events, copy.outbox, copy.dead);
}

/* ---- Purge --------------------------------------------------------------------------- */

/* Whether purge may take it; `is_sure`: and must. */
static bool
may_purge(const sim_world *world, const sim_subject *subject, bool is_sure)
{
    if (!subject->has_record || arvo_str_is(subject->status, "active") ||
        arvo__sim_lock_is_held(world, subject) ||
        (is_sure && (subject->lock.is_held || subject->lock.is_unknown)))
        return false;
    for (const sim_event *event = subject->first; event != NULL; event = event->next)
        if (event->state == SIM_EVENT_DEAD ||
            (event->state == SIM_EVENT_WAITING && (is_sure || !event->maybe_gone)))
            return false;
    return true;
}

static void
care_purge_dry(sim_world *world, const arvo_memory_ops *below, void *below_self)
{
    uint64_t sure = 0, possible = 0;
    for (const sim_subject *subject = world->subjects; subject != NULL; subject = subject->next) {
        sure += may_purge(world, subject, true);
        possible += may_purge(world, subject, false);
    }
    const arvo_purge purge = { .before_ms = arvo__sim_store_now(world) + CARE_AHEAD_MS,
                               .limit = 1000,
                               .is_dry = true };
    arvo_purged purged = { 0 };
    arvo_error why = { 0 };
    const arvo_status st = below->purge(below_self, &purge, &purged, &why);
    if (st != ARVO_OK)
        arvo__sim_broken(world, "I14", "purge fails: %s", why.text);
    else if (purged.instances < sure || purged.instances > possible)
        arvo__sim_broken(
            world, "I14", "purge would take %llu instances, of which %llu are over",
            (unsigned long long)purged.instances, (unsigned long long)possible);
}

/* Everything is over: purge takes all of it, and leaves nothing. */
void
arvo__sim_purge_all(sim_world *world)
{
    arvo_memory *eye = arvo__sim_eye(world);
    const arvo_memory_ops *ops = eye != NULL ? arvo_memory_ops_of(eye) : NULL;
    if (ops == NULL || ops->purge == NULL || ops->stats == NULL)
        return;
    uint64_t records = 0, taken = 0;
    for (const sim_subject *subject = world->subjects; subject != NULL; subject = subject->next)
        records += may_purge(world, subject, false);
    const arvo_purge purge = { .before_ms = arvo__sim_store_now(world) + CARE_AHEAD_MS,
                               .limit = 2 };
    arvo_purged purged = { .is_more = true };
    arvo_error why = { 0 };
    arvo_status st = ARVO_OK;
    while (purged.is_more && st == ARVO_OK) {
        st = ops->purge(arvo_memory_self(eye), &purge, &purged, &why);
        taken += st == ARVO_OK ? purged.instances : 0;
    }
    if (st != ARVO_OK)
        arvo__sim_broken(world, "I14", "purge fails: %s", why.text);
    else if (taken != records)
        arvo__sim_broken(
            world, "I14", "purge took %llu instances of %llu that are over",
            (unsigned long long)taken, (unsigned long long)records);
}

void
arvo__sim_care(sim_worker *worker)
{
    sim_process *process = worker->process;
    const arvo_memory_ops *below = arvo_memory_ops_of(process->below);
    void *below_self = arvo_memory_self(process->below);
    if (process->world->disk != NULL)
        arvo__sim_disk_owner(process->world->disk, process->index);
    if (below->purge != NULL)
        care_purge_dry(process->world, below, below_self);
    if (below->dump != NULL && !arvo__sim_is_over(process->world))
        care_copy_all(worker, below, below_self);
}
