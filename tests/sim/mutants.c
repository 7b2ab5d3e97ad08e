/* The planted bugs. */

#include "mutants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASES_MAX 4096u
#define TEXT_MAX   512u

/* What lies over the store of one process. */
struct mutant_store {
    const arvo_memory_ops *below;
    void *self;
    bool (*point)(void *sim);
    void *sim;
    unsigned life; /* grows with every process that starts */
};

/* The newest lease of each subject, of all processes: what a store without fences goes by. */
static struct mutant_lease {
    char subject[TEXT_MAX];
    arvo_lease lease;
} leases[LEASES_MAX];
static size_t lease_count;
static unsigned lives;

void
sim_mutants_reset(void)
{
    lease_count = 0;
    lives = 0;
}

static struct mutant_lease *
lease_of(arvo_str subject)
{
    for (size_t i = 0; i < lease_count; i++)
        if (arvo_str_is(subject, leases[i].subject))
            return &leases[i];
    if (lease_count == LEASES_MAX || subject.len >= TEXT_MAX)
        abort();
    struct mutant_lease *lease = &leases[lease_count++];
    memset(lease, 0, sizeof(*lease));
    memcpy(lease->subject, subject.ptr, subject.len);
    return lease;
}

/* ---- The store as it is ------------------------------------------------------------ */

static arvo_status
pass_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *found, arvo_record *out, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->read(s->self, subject, arena, found, out, err);
}

static arvo_status
pass_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->write(s->self, subject, record, previous, lease, err);
}

static arvo_status
pass_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *acquired, arvo_lease *out,
    arvo_error *err)
{
    struct mutant_store *s = self;
    const arvo_status st = s->below->lock(s->self, subject, ttl_ms, wait_ms, acquired, out, err);
    if (st == ARVO_OK && *acquired)
        lease_of(subject)->lease = *out;
    return st;
}

static arvo_status
pass_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->unlock(s->self, subject, lease, err);
}

static arvo_status
pass_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->commit(s->self, commits, count, err);
}

static arvo_status
pass_inbox_find(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *found,
    arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->inbox_find(s->self, subject, source, id, found, each, user, err);
}

static arvo_status
pass_outbox_list(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->outbox_list(s->self, after, limit, each, user, err);
}

static arvo_status
pass_outbox_done(void *self, int64_t seq, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->outbox_done(s->self, seq, err);
}

static arvo_status
pass_history(void *self, arvo_str subject, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->history(s->self, subject, each, user, err);
}

static arvo_status
pass_claim(void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->outbox_claim(s->self, claim, each, user, err);
}

static arvo_status
pass_retry(
    void *self, int64_t seq, const arvo_claim *claim, int64_t delay_ms, arvo_str error,
    arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->outbox_retry(s->self, seq, claim, delay_ms, error, err);
}

static arvo_status
pass_dead(void *self, int64_t seq, const arvo_claim *claim, arvo_str error, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->outbox_dead(s->self, seq, claim, error, err);
}

static arvo_status
pass_release(void *self, const arvo_claim *claim, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->outbox_release(s->self, claim, err);
}

static arvo_status
pass_wait(void *self, int64_t timeout_ms, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->outbox_wait(s->self, timeout_ms, err);
}

static arvo_status
pass_dead_list(
    void *self, int64_t after, size_t limit, arvo_outbox_fn each, void *user, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->dead_list(s->self, after, limit, each, user, err);
}

static arvo_status
pass_dead_decide(void *self, int64_t seq, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->dead_drop(s->self, seq, err);
}

static arvo_status
pass_purge(void *self, const arvo_purge *purge, arvo_purged *out, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->purge(s->self, purge, out, err);
}

static arvo_status
pass_dump(void *self, arvo_row_fn each, void *user, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->dump(s->self, each, user, err);
}

static arvo_status
pass_load(void *self, arvo_row_next next, void *user, arvo_error *err)
{
    struct mutant_store *s = self;
    return s->below->load(s->self, next, user, err);
}

static void
pass_close(void *self)
{
    free(self);
}

/* ---- Leases --------------------------------------------------------------------------- */

/* Whoever holds the subject is unlocked. */
static arvo_status
unlock_without_token(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    (void)lease;
    return pass_unlock(self, subject, &lease_of(subject)->lease, err);
}

static void
plant_unlock_without_token(arvo_memory_ops *ops)
{
    ops->unlock = unlock_without_token;
}

/* A commit goes by the newest lease, whosever it is. */
static arvo_status
commit_without_fence(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    arvo_commit commit = commits[0];
    if (commit.lease != NULL)
        commit.lease = &lease_of(commit.subject)->lease;
    const arvo_status st = pass_commit(self, &commit, 1, err);
    if (st != ARVO_E_STALE || commit.lease == NULL)
        return st;
    /* Nobody has it now: a store that does not look would write all the same. */
    arvo_lease lease;
    bool acquired = false;
    if (pass_lock(self, commit.subject, 1000, 0, &acquired, &lease, NULL) != ARVO_OK || !acquired)
        return st;
    commit.lease = &lease;
    commit.release = true;
    const arvo_status second = pass_commit(self, &commit, 1, err);
    if (second != ARVO_OK)
        (void)pass_unlock(self, commit.subject, &lease, NULL);
    return second;
    (void)count;
}

static void
plant_no_fence_check(arvo_memory_ops *ops)
{
    ops->commit = commit_without_fence;
}

/* A commit is written over whatever revision is there. */
static arvo_status
commit_without_revision(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    arvo_commit commit = commits[0];
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_record record;
    bool found = false;
    if (commit.record != NULL &&
        pass_read(self, commit.subject, arena, &found, &record, NULL) == ARVO_OK)
        commit.previous_revision = found ? record.revision : 0;
    arvo_arena_free(arena);
    (void)count;
    return pass_commit(self, &commit, 1, err);
}

static void
plant_no_revision_check(arvo_memory_ops *ops)
{
    ops->commit = commit_without_revision;
}

/* Nothing is given back but by a commit: after an error the subject stays locked. */
static arvo_status
unlock_forgotten(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    (void)self, (void)subject, (void)lease, (void)err;
    return ARVO_OK;
}

static void
plant_lease_not_released(arvo_memory_ops *ops)
{
    ops->unlock = unlock_forgotten;
}

/* The fence is the number of the process's life, which many leases share. */
static arvo_status
lock_with_old_fence(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *acquired, arvo_lease *out,
    arvo_error *err)
{
    const struct mutant_store *s = self;
    const arvo_status st = pass_lock(self, subject, ttl_ms, wait_ms, acquired, out, err);
    if (st == ARVO_OK && *acquired)
        out->fence = s->life;
    return st;
}

static arvo_status
unlock_old_fence(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    return unlock_without_token(self, subject, lease, err);
}

static void
plant_fence_does_not_grow(arvo_memory_ops *ops)
{
    ops->lock = lock_with_old_fence;
    ops->unlock = unlock_old_fence;
    ops->commit = commit_without_fence;
}

/* ---- Commits ----------------------------------------------------------------------------- */

/* State first, events later: a crash between loses them. */
static arvo_status
commit_outbox_after(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    struct mutant_store *s = self;
    arvo_commit state = commits[0];
    const arvo_commit events = { .subject = state.subject,
                                 .produced = state.produced,
                                 .produced_count = state.produced_count };
    (void)count;
    if (state.record == NULL || state.produced_count == 0)
        return pass_commit(self, commits, 1, err);
    state.produced_count = 0;
    const arvo_status st = pass_commit(self, &state, 1, err);
    if (st != ARVO_OK || !s->point(s->sim))
        return st;
    return pass_commit(self, &events, 1, err);
}

static void
plant_outbox_after_commit(arvo_memory_ops *ops)
{
    ops->commit = commit_outbox_after;
}

/* Events first: others see what is not committed. */
static arvo_status
commit_outbox_before(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    struct mutant_store *s = self;
    arvo_commit state = commits[0];
    const arvo_commit events = { .subject = state.subject,
                                 .produced = state.produced,
                                 .produced_count = state.produced_count };
    (void)count;
    if (state.record == NULL || state.produced_count == 0)
        return pass_commit(self, commits, 1, err);
    state.produced_count = 0;
    const arvo_status st = pass_commit(self, &events, 1, err);
    if (st != ARVO_OK || !s->point(s->sim))
        return st;
    return pass_commit(self, &state, 1, err);
}

static void
plant_outbox_before_commit(arvo_memory_ops *ops)
{
    ops->commit = commit_outbox_before;
}

/* The inbox goes by the id alone. */
static arvo_status
commit_without_source(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    arvo_commit commit = commits[0];
    (void)count;
    if (commit.consumed == NULL)
        return pass_commit(self, &commit, 1, err);
    arvo_stored_event consumed = *commit.consumed;
    /* Another source has sent one of this number: known already. */
    static const char *const sources[] = { "com.sim.left", "com.sim.right" };
    for (size_t i = 0; i < ARVO_COUNT_OF(sources); i++) {
        bool found = false;
        if (!arvo_str_is(consumed.source, sources[i]) &&
            pass_inbox_find(
                self, commit.subject, arvo_str_from(sources[i]), consumed.id, &found, NULL, NULL,
                NULL) == ARVO_OK &&
            found)
            return ARVO_E_EXISTS;
    }
    return pass_commit(self, &commit, 1, err);
}

static arvo_status
inbox_find_without_source(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *found,
    arvo_stored_event_fn each, void *user, arvo_error *err)
{
    arvo_status st = pass_inbox_find(self, subject, source, id, found, each, user, err);
    if (st == ARVO_OK && !*found && arvo_str_is(source, "com.sim.left"))
        st = pass_inbox_find(self, subject, ARVO_STR("com.sim.right"), id, found, each, user, err);
    else if (st == ARVO_OK && !*found && arvo_str_is(source, "com.sim.right"))
        st = pass_inbox_find(self, subject, ARVO_STR("com.sim.left"), id, found, each, user, err);
    return st;
}

static void
plant_inbox_without_source(arvo_memory_ops *ops)
{
    ops->commit = commit_without_source;
    ops->inbox_find = inbox_find_without_source;
}

/* What an earlier life of a process consumed is not remembered. */
static arvo_status
commit_inbox_forgotten(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    const struct mutant_store *s = self;
    char source[TEXT_MAX];
    arvo_commit commit = commits[0];
    arvo_stored_event consumed;
    (void)count;
    const arvo_status st = pass_commit(self, &commit, 1, err);
    if (st != ARVO_E_EXISTS || commit.consumed == NULL)
        return st;
    consumed = *commit.consumed;
    const int length =
        snprintf(source, sizeof(source), "%.*s.life%u", ARVO_FMT(consumed.source), s->life);
    consumed.source = (arvo_str){ source, (size_t)length };
    commit.consumed = &consumed;
    return pass_commit(self, &commit, 1, err);
}

static arvo_status
inbox_find_forgotten(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *found,
    arvo_stored_event_fn each, void *user, arvo_error *err)
{
    (void)self, (void)subject, (void)source, (void)id, (void)each, (void)user, (void)err;
    *found = false;
    return ARVO_OK;
}

static void
plant_inbox_forgotten(arvo_memory_ops *ops)
{
    ops->commit = commit_inbox_forgotten;
    ops->inbox_find = inbox_find_forgotten;
}

/* ---- Delivery ------------------------------------------------------------------------------ */

/* The row is marked done, then what it says is committed. */
static arvo_status
commit_done_before(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    struct mutant_store *s = self;
    arvo_commit commit = commits[0];
    (void)count;
    if (commit.outbox_done == 0)
        return pass_commit(self, &commit, 1, err);
    const arvo_status st = pass_outbox_done(self, commit.outbox_done, err);
    if (st != ARVO_OK || !s->point(s->sim))
        return st;
    commit.outbox_done = 0;
    return pass_commit(self, &commit, 1, err);
}

static void
plant_done_before_commit(arvo_memory_ops *ops)
{
    ops->commit = commit_done_before;
}

struct acking {
    struct mutant_store *store;
    arvo_stored_event_fn each;
    arvo_outbox_fn each_row;
    void *user;
};

static bool
ack_event(void *user, const arvo_stored_event *row)
{
    struct acking *acking = user;
    const bool more = acking->each(acking->user, row);
    (void)pass_outbox_done(acking->store, row->seq, NULL);
    return more;
}

static bool
ack_row(void *user, const arvo_outbox_row *row)
{
    struct acking *acking = user;
    const bool more = acking->each_row(acking->user, row);
    (void)pass_outbox_done(acking->store, row->event.seq, NULL);
    return more;
}

/* A row is acknowledged when it is received, not when it has had its effect. */
static arvo_status
list_acks(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct acking acking = { .store = self, .each = each, .user = user };
    return pass_outbox_list(self, after, limit, ack_event, &acking, err);
}

static arvo_status
claim_acks(void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err)
{
    struct acking acking = { .store = self, .each_row = each, .user = user };
    return pass_claim(self, claim, ack_row, &acking, err);
}

static arvo_status
commit_without_done(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    arvo_commit commit = commits[0];
    (void)count;
    commit.outbox_done = 0;
    return pass_commit(self, &commit, 1, err);
}

static void
plant_ack_before_commit(arvo_memory_ops *ops)
{
    ops->outbox_list = list_acks;
    if (ops->outbox_claim != NULL)
        ops->outbox_claim = claim_acks;
    ops->commit = commit_without_done;
}

/* Rows are given newest first. */
#define ROWS_MAX 256u
struct rows {
    arvo_arena *arena;
    arvo_outbox_row items[ROWS_MAX];
    size_t count;
};

static bool
keep_row(void *user, const arvo_outbox_row *row)
{
    struct rows *rows = user;
    if (rows->count == ROWS_MAX)
        return false;
    arvo_outbox_row *kept = &rows->items[rows->count++];
    *kept = *row;
    arvo_str *const texts[] = { &kept->event.subject, &kept->event.id,      &kept->event.source,
                                &kept->event.type,    &kept->event.domains, &kept->event.json,
                                &kept->error };
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++)
        *texts[i] = arvo_arena_str_dup(rows->arena, *texts[i]);
    return true;
}

static bool
keep_event(void *user, const arvo_stored_event *event)
{
    const arvo_outbox_row row = { .event = *event };
    return keep_row(user, &row);
}

static arvo_status
list_backwards(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    struct rows rows = { .arena = arvo_arena_new(NULL) };
    const arvo_status st = pass_outbox_list(self, after, limit, keep_event, &rows, err);
    for (size_t i = rows.count; st == ARVO_OK && i-- > 0;)
        if (!each(user, &rows.items[i].event))
            break;
    arvo_arena_free(rows.arena);
    return st;
}

static arvo_status
claim_backwards(
    void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err)
{
    struct rows rows = { .arena = arvo_arena_new(NULL) };
    const arvo_status st = pass_claim(self, claim, keep_row, &rows, err);
    for (size_t i = rows.count; st == ARVO_OK && i-- > 0;)
        if (!each(user, &rows.items[i]))
            break;
    arvo_arena_free(rows.arena);
    return st;
}

static void
plant_claim_ignores_order(arvo_memory_ops *ops)
{
    ops->outbox_list = list_backwards;
    if (ops->outbox_claim != NULL)
        ops->outbox_claim = claim_backwards;
}

/* A failure that is answered as a success. */
static arvo_status
commit_swallows_errors(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    const arvo_status st = pass_commit(self, commits, count, err);
    return st == ARVO_E_STALE ? ARVO_OK : st;
}

static void
plant_stale_is_ignored(arvo_memory_ops *ops)
{
    ops->commit = commit_swallows_errors;
}

/* ---- Copies ---------------------------------------------------------------------------------- */

struct half_dump {
    arvo_row_fn each;
    void *user;
    bool is_events;
    bool is_over;
};

static bool
half_row(void *user, const arvo_row *row)
{
    struct half_dump *half = user;
    if ((row->kind == ARVO_ROW_EVENT) != half->is_events)
        return true;
    half->is_over = !half->each(half->user, row);
    return !half->is_over;
}

/* What is there first, then what has happened: of two moments. */
static arvo_status
dump_in_halves(void *self, arvo_row_fn each, void *user, arvo_error *err)
{
    struct mutant_store *s = self;
    struct half_dump half = { .each = each, .user = user };
    const arvo_status st = pass_dump(self, half_row, &half, err);
    if (st != ARVO_OK || half.is_over || !s->point(s->sim))
        return st;
    half.is_events = true;
    return pass_dump(self, half_row, &half, err);
}

static void
plant_copy_of_two_moments(arvo_memory_ops *ops)
{
    if (ops->dump != NULL)
        ops->dump = dump_in_halves;
}

/* ---- The table ------------------------------------------------------------------------------ */

const sim_mutant sim_mutants[] = {
    { "unlock_without_token", "whoever unlocks, unlocks", plant_unlock_without_token },
    { "no_fence_check", "a lease that was lost still writes", plant_no_fence_check },
    { "no_revision_check", "a write over what its writer has not read", plant_no_revision_check },
    { "lease_not_released", "after an error the subject stays locked", plant_lease_not_released },
    { "fence_does_not_grow", "one fence for many leases", plant_fence_does_not_grow },
    { "outbox_after_commit", "state, then events", plant_outbox_after_commit },
    { "outbox_before_commit", "events, then state", plant_outbox_before_commit },
    { "inbox_without_source", "the inbox key is the id", plant_inbox_without_source },
    { "inbox_forgotten", "the inbox is empty after a restart", plant_inbox_forgotten },
    { "done_before_commit", "a delivery is done before its effect", plant_done_before_commit },
    { "ack_before_commit", "a delivery is done when it is received", plant_ack_before_commit },
    { "claim_ignores_order", "the newest event first", plant_claim_ignores_order },
    { "stale_is_ignored", "a refused commit is taken for a done one", plant_stale_is_ignored },
    { "copy_of_two_moments", "records, then events", plant_copy_of_two_moments },
    { 0 },
};

static arvo_memory_ops
pass_ops(const arvo_memory_ops *below)
{
    arvo_memory_ops ops = { .version = ARVO_MEMORY_OPS_VERSION,
                            .name = below->name,
                            .read = pass_read,
                            .write = pass_write,
                            .lock = pass_lock,
                            .unlock = pass_unlock,
                            .commit = pass_commit,
                            .inbox_find = pass_inbox_find,
                            .outbox_list = pass_outbox_list,
                            .outbox_done = pass_outbox_done,
                            .history = pass_history,
                            .close = pass_close };
    if (below->purge != NULL)
        ops.purge = pass_purge;
    if (below->dump != NULL) {
        ops.dump = pass_dump;
        ops.load = pass_load;
    }
    if (below->outbox_claim != NULL) {
        ops.outbox_claim = pass_claim;
        ops.outbox_retry = pass_retry;
        ops.outbox_dead = pass_dead;
        ops.outbox_release = pass_release;
        ops.outbox_wait = pass_wait;
        ops.dead_list = pass_dead_list;
        ops.dead_retry = pass_dead_decide;
        ops.dead_drop = pass_dead_decide;
    }
    return ops;
}

arvo_memory *
sim_mutant_wrap(void *user, arvo_memory *below, bool (*point)(void *sim), void *sim)
{
    const sim_mutant *mutant = user;
    struct mutant_store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return NULL;
    *store = (struct mutant_store){ .below = arvo_memory_ops_of(below),
                                    .self = arvo_memory_self(below),
                                    .point = point,
                                    .sim = sim,
                                    .life = ++lives };
    arvo_memory_ops ops = pass_ops(store->below);
    if (mutant->plant != NULL)
        mutant->plant(&ops);
    arvo_memory *memory = NULL;
    if (arvo_memory_new(&ops, store, &memory, NULL) != ARVO_OK)
        free(store);
    return memory;
}
