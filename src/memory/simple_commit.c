/* The one atomic write of the in-process store.
 *
 * A commit is checked, then prepared (everything that may fail: memory), then
 * applied (nothing that may fail), all under the locks of the shards it
 * touches. So a batch is done whole or not at all.
 */

#include <string.h>

#include "memory/simple.h"

#define PLANS_ON_STACK    8u
#define EVENTS_IN_PLAN    8u
#define SIMPLE_KEYS_AHEAD 4u /* power of two */

/* What one commit of the batch is going to do. */
struct simple_plan {
    const arvo_commit *commit;
    struct simple_shard *shard;
    struct simple_instance **slot;    /* NULL: the subject is new here */
    struct simple_instance *instance; /* *slot, or NULL */
    struct simple_instance *block;    /* replaces it; NULL: it is changed in place */
    struct simple_event *consumed;
    struct simple_event **produced; /* when there is an outbox or a history; often `few` */
    struct simple_event *few[EVENTS_IN_PLAN];
    uint64_t hash;
    uint64_t inbox_key;
    bool has_inbox; /* the consumed event's key is kept */
    bool touches;   /* the instance */
    bool creates;   /* a record */
};

struct simple_batch {
    struct simple_store *store;
    struct simple_plan *plans;
    size_t count;
    uint64_t shard_bits;
    int64_t now;
    bool has_log;    /* the log is locked */
    bool has_outbox; /* produced events go there */
};

/* ---- Locks ------------------------------------------------------------- */

static void
batch_lock(struct simple_batch *batch)
{
    /* By rising number, so that two batches cannot wait for each other. */
    for (uint64_t bits = batch->shard_bits; bits != 0; bits &= bits - 1)
        (void)pthread_mutex_lock(&batch->store->shards[__builtin_ctzll(bits)].mutex);
}

static void
batch_unlock(struct simple_batch *batch)
{
    if (batch->has_log)
        (void)pthread_mutex_unlock(&batch->store->log.mutex);
    for (uint64_t bits = batch->shard_bits; bits != 0; bits &= bits - 1)
        (void)pthread_mutex_unlock(&batch->store->shards[__builtin_ctzll(bits)].mutex);
}

/* The log is locked only when something of it is going to change. */
static void
batch_lock_log(struct simple_batch *batch)
{
    struct simple_log *log = &batch->store->log;
    batch->has_outbox = atomic_load_explicit(&log->has_outbox, memory_order_relaxed);
    bool needed = batch->has_outbox || log->has_history;
    for (size_t i = 0; i < batch->count && !needed; i++)
        needed = batch->plans[i].creates || batch->plans[i].commit->outbox_done != 0;
    if (needed) {
        (void)pthread_mutex_lock(&log->mutex);
        batch->has_log = true;
    }
}

/* ---- Checks ------------------------------------------------------------ */

/* Before any lock. */
static void
plan_init(struct simple_batch *batch, struct simple_plan *plan, const arvo_commit *commit)
{
    const uint64_t hash = arvo__hash_keyed(commit->subject.ptr, commit->subject.len);
    const bool has_events = commit->consumed != NULL || commit->produced_count > 0;
    *plan = (struct simple_plan){
        .commit = commit,
        .shard = simple_shard_of(batch->store, hash),
        .hash = hash,
        .has_inbox = commit->consumed != NULL && batch->store->inbox_max > 0,
    };
    plan->touches =
        commit->record != NULL || plan->has_inbox || (batch->store->log.has_history && has_events);
    if (plan->has_inbox)
        plan->inbox_key = arvo__simple_inbox_key_of(commit->consumed->source, commit->consumed->id);
    batch->shard_bits |= (uint64_t)1 << (hash & (SIMPLE_SHARDS - 1));
}

static arvo_status
plan_check_record(struct simple_plan *plan, arvo_error *err)
{
    const uint64_t revision =
        plan->instance != NULL && plan->instance->ordinal != 0 ? plan->instance->revision : 0;
    if (revision != plan->commit->previous_revision)
        return arvo__fail(
            err, ARVO_E_STALE,
            "memory commit: the record has revision %llu now, not %llu: read it again",
            (unsigned long long)revision, (unsigned long long)plan->commit->previous_revision);
    plan->creates = revision == 0;
    return ARVO_OK;
}

static arvo_status
plan_check(struct simple_batch *batch, struct simple_plan *plan, arvo_error *err)
{
    const arvo_commit *commit = plan->commit;
    const arvo_allocator *allocator = batch->store->allocator;

    if (commit->lease != NULL &&
        !arvo__leases_valid(&plan->shard->leases, plan->hash, commit->lease, batch->now))
        return arvo__fail(
            err, ARVO_E_STALE, "memory commit: the lease with fence %llu is lost",
            (unsigned long long)commit->lease->fence);
    /* Room for the whole batch at once, so that the slots found stay where they are. */
    if (plan->touches && !arvo__simple_table_reserve(&plan->shard->table, batch->count, allocator))
        return arvo__nomem(err);
    plan->slot = arvo__simple_table_find(&plan->shard->table, commit->subject, plan->hash);
    plan->instance = plan->slot != NULL ? *plan->slot : NULL;

    if (plan->has_inbox && plan->instance != NULL &&
        arvo__simple_inbox_find(plan->instance, plan->inbox_key) != NULL)
        return arvo__fail(
            err, ARVO_E_EXISTS, "memory commit: event %.*s of %.*s was consumed before",
            ARVO_FMT(commit->consumed->id), ARVO_FMT(commit->consumed->source));
    return commit->record != NULL ? plan_check_record(plan, err) : ARVO_OK;
}

static arvo_status
batch_check_outbox(const struct simple_batch *batch, arvo_error *err)
{
    const struct simple_log *log = &batch->store->log;
    size_t produced = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const int64_t seq = batch->plans[i].commit->outbox_done;
        produced += batch->plans[i].commit->produced_count;
        if (seq != 0 && !arvo__simple_log_outbox_has(log, seq))
            return arvo__fail(
                err, ARVO_E_EXISTS, "memory commit: outbox row %lld is done already",
                (long long)seq);
    }
    if (batch->has_outbox && log->row_live + log->dead_count + produced > SIMPLE_OUTBOX_ROWS_MAX)
        return arvo__fail(
            err, ARVO_E_FULL,
            "memory commit: the outbox holds %zu events and %zu dead letters, and %zu at most: "
            "deliver or drop them first",
            log->row_live, log->dead_count, SIMPLE_OUTBOX_ROWS_MAX);
    return ARVO_OK;
}

/* ---- Preparation ------------------------------------------------------- */

/* A block that holds what the instance is going to be, when the present one does not, or is more
 * than twice as large as needed. */
static arvo_status
plan_prepare_block(struct simple_batch *batch, struct simple_plan *plan, arvo_error *err)
{
    const struct simple_instance *instance = plan->instance;
    size_t text_bytes = plan->commit->subject.len;
    size_t keys = instance != NULL ? instance->inbox_count : 0;
    if (plan->commit->record != NULL)
        text_bytes = arvo__record_text_bytes(plan->commit->record);
    else if (instance != NULL)
        text_bytes = arvo__simple_instance_text_bytes(instance);
    if (plan->has_inbox && keys < batch->store->inbox_max)
        keys++;

    size_t bytes = arvo__simple_instance_bytes(text_bytes, keys);
    if (instance != NULL) {
        const size_t cap = arvo__pool_class_bytes(instance->size_class);
        if (bytes <= cap && (cap <= 1024 || bytes >= cap / 2))
            return ARVO_OK;
    }
    /* Room for the next keys, so that not every event moves the instance. */
    keys = (keys + SIMPLE_KEYS_AHEAD) & ~(size_t)(SIMPLE_KEYS_AHEAD - 1);
    keys = keys < batch->store->inbox_max ? keys : batch->store->inbox_max;
    bytes = arvo__simple_instance_bytes(text_bytes, keys);
    uint8_t size_class = 0;
    plan->block = arvo__pool_alloc(&plan->shard->pool, bytes, &size_class);
    if (plan->block == NULL)
        return arvo__nomem(err);
    plan->block->size_class = size_class;
    return ARVO_OK;
}

static arvo_status
plan_prepare_events(struct simple_batch *batch, struct simple_plan *plan, arvo_error *err)
{
    struct simple_log *log = &batch->store->log;
    const arvo_commit *commit = plan->commit;

    if (log->has_history && commit->record != NULL && commit->record->definition.ptr != NULL &&
        commit->definition_json.ptr != NULL &&
        !arvo__simple_log_definition_add(log, commit->record->definition, commit->definition_json))
        return arvo__nomem(err);
    if (log->has_history && commit->consumed != NULL) {
        plan->consumed = arvo__simple_log_event_new(
            log, commit->subject, commit->consumed, ARVO_CONSUMED, batch->now);
        if (plan->consumed == NULL)
            return arvo__nomem(err);
    }
    if ((!log->has_history && !batch->has_outbox) || commit->produced_count == 0)
        return ARVO_OK;
    plan->produced = plan->few;
    if (commit->produced_count > EVENTS_IN_PLAN)
        plan->produced = arvo__calloc(
            batch->store->allocator, commit->produced_count, sizeof(plan->produced[0]));
    if (plan->produced == NULL)
        return arvo__nomem(err);
    for (size_t i = 0; i < commit->produced_count; i++) {
        plan->produced[i] = arvo__simple_log_event_new(
            log, commit->subject, &commit->produced[i], ARVO_PRODUCED, batch->now);
        if (plan->produced[i] == NULL ||
            (batch->has_outbox && !arvo__simple_delivery_new(log, plan->produced[i], plan->hash)))
            return arvo__nomem(err);
    }
    return ARVO_OK;
}

static arvo_status
plan_prepare(struct simple_batch *batch, struct simple_plan *plan, arvo_error *err)
{
    if (plan->has_inbox && !arvo__simple_ring_reserve(&plan->shard->ring, batch->store->allocator))
        return arvo__nomem(err);
    arvo_status st = plan->touches ? plan_prepare_block(batch, plan, err) : ARVO_OK;
    if (st == ARVO_OK && batch->has_log)
        st = plan_prepare_events(batch, plan, err);
    return st;
}

static arvo_status
batch_prepare(struct simple_batch *batch, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    if (batch->has_log) {
        size_t produced = 0, creates = 0;
        st = batch_check_outbox(batch, err);
        for (size_t i = 0; i < batch->count; i++) {
            produced += batch->plans[i].commit->produced_count;
            creates += batch->plans[i].creates;
        }
        if (st == ARVO_OK && !arvo__simple_log_reserve(
                                 &batch->store->log, batch->has_outbox ? produced : 0, creates))
            st = arvo__nomem(err);
    }
    for (size_t i = 0; st == ARVO_OK && i < batch->count; i++)
        st = plan_prepare(batch, &batch->plans[i], err);
    return st;
}

/* The array of a plan's events; the events themselves stay where they are counted. */
static void
plan_release_events(struct simple_batch *batch, struct simple_plan *plan)
{
    struct simple_log *log = &batch->store->log;
    arvo__simple_log_event_unref(log, plan->consumed);
    plan->consumed = NULL;
    if (plan->produced == NULL)
        return;
    for (size_t i = 0; i < plan->commit->produced_count; i++)
        arvo__simple_log_event_unref(log, plan->produced[i]);
    if (plan->produced != plan->few)
        arvo__free(
            batch->store->allocator, plan->produced,
            plan->commit->produced_count * sizeof(plan->produced[0]));
    plan->produced = NULL;
}

static void
batch_abandon(struct simple_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct simple_plan *plan = &batch->plans[i];
        if (plan->block != NULL)
            arvo__pool_free(&plan->shard->pool, plan->block, plan->block->size_class);
        plan_release_events(batch, plan);
    }
}

/* ---- Application ------------------------------------------------------- */

/* Move the instance into its new block, or make a new instance of it. */
static void
plan_apply_block(struct simple_batch *batch, struct simple_plan *plan)
{
    struct simple_instance *block = plan->block;
    plan->block = NULL;

    /* An earlier commit of the batch may have made or moved the instance. */
    const bool was_new = plan->slot == NULL;
    if (batch->count > 1) {
        plan->slot =
            arvo__simple_table_find(&plan->shard->table, plan->commit->subject, plan->hash);
        plan->instance = plan->slot != NULL ? *plan->slot : NULL;
    }
    struct simple_instance *old = plan->instance;
    if (block == NULL)
        return;
    if (old == NULL) {
        arvo__simple_instance_init(block, plan->commit->subject, plan->hash);
        arvo__simple_table_add(&plan->shard->table, block);
        plan->instance = block;
        return;
    }
    if (was_new && plan->commit->record == NULL && !plan->has_inbox) {
        arvo__pool_free(&plan->shard->pool, block, block->size_class);
        return;
    }
    /* With a record to come only the subject has to be kept. */
    arvo__simple_instance_move(
        block, old,
        plan->commit->record != NULL ? old->len[0] : arvo__simple_instance_text_bytes(old));
    *plan->slot = block;
    plan->instance = block;
    arvo__pool_free(&plan->shard->pool, old, old->size_class);
}

static void
plan_apply_record(struct simple_batch *batch, struct simple_plan *plan)
{
    struct simple_instance *instance = plan->instance;
    struct simple_log *log = &batch->store->log;

    arvo__simple_instance_put(instance, plan->commit->record);
    instance->revision = plan->commit->previous_revision + 1;
    instance->fence = plan->commit->lease->fence;
    instance->updated_ms = batch->now;
    if (plan->creates) {
        instance->created_ms = batch->now;
        log->order[log->order_count++] = instance->hash;
        instance->ordinal = log->order_count;
    }
}

static void
plan_apply_event(
    struct simple_batch *batch, struct simple_plan *plan, struct simple_event *event, int64_t seq,
    int64_t cause)
{
    struct simple_log *log = &batch->store->log;
    event->seq = seq;
    event->cause = cause;
    if (log->has_history)
        arvo__simple_log_history_add(log, plan->instance, event);
    if (batch->has_outbox && event->direction == ARVO_PRODUCED)
        arvo__simple_log_outbox_add(log, event);
}

static void
plan_apply(struct simple_batch *batch, struct simple_plan *plan)
{
    const arvo_commit *commit = plan->commit;
    struct simple_log *log = &batch->store->log;
    const size_t events = commit->produced_count + (commit->consumed != NULL);
    int64_t seq = 0;
    if (events > 0)
        seq = atomic_fetch_add_explicit(&log->seq, (int64_t)events, memory_order_relaxed) + 1;
    const int64_t first_produced = seq + (commit->consumed != NULL);

    plan_apply_block(batch, plan);
    if (commit->record != NULL)
        plan_apply_record(batch, plan);
    if (plan->has_inbox)
        arvo__simple_inbox_add(
            plan->instance, plan->inbox_key,
            arvo__simple_ring_put(
                &plan->shard->ring, plan->inbox_key, commit, first_produced, batch->now),
            batch->store->inbox_max);
    if (plan->consumed != NULL)
        plan_apply_event(batch, plan, plan->consumed, seq, 0);
    for (size_t i = 0; plan->produced != NULL && i < commit->produced_count; i++)
        plan_apply_event(
            batch, plan, plan->produced[i], first_produced + (int64_t)i,
            commit->consumed != NULL ? seq : 0);
    plan_release_events(batch, plan); /* outbox and history hold them now */
    if (commit->outbox_done != 0)
        arvo__simple_log_outbox_remove(log, commit->outbox_done);
    if (commit->release)
        (void)arvo__leases_release(&plan->shard->leases, plan->hash, commit->lease);
}

/* ---- The whole --------------------------------------------------------- */

static void
batch_count(struct simple_batch *batch)
{
    if (batch->count == 0)
        return;
    struct simple_shard *shard = &batch->store->shards[__builtin_ctzll(batch->shard_bits)];
    shard->commits += batch->count;
    shard->transactions++;
}

static arvo_status
batch_run(struct simple_batch *batch, arvo_error *err)
{
    const arvo_platform *platform = batch->store->platform;
    arvo_status st = ARVO_OK;

    batch_lock(batch);
    batch->now = platform->time_ms(platform->self);
    for (size_t i = 0; st == ARVO_OK && i < batch->count; i++)
        st = plan_check(batch, &batch->plans[i], err);
    if (st == ARVO_OK) {
        batch_lock_log(batch);
        st = batch_prepare(batch, err);
        for (size_t i = 0; st == ARVO_OK && i < batch->count; i++)
            plan_apply(batch, &batch->plans[i]);
        if (st == ARVO_OK)
            batch_count(batch);
        else
            batch_abandon(batch);
    }
    batch_unlock(batch);
    return st;
}

arvo_status
arvo__simple_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    struct simple_plan on_stack[PLANS_ON_STACK];
    struct simple_batch batch = { .store = self, .plans = on_stack, .count = count };
    arvo_status st = arvo__memory_batch_check(commits, count, err);

    if (st != ARVO_OK)
        return st;
    if (count > PLANS_ON_STACK)
        batch.plans = arvo__calloc(batch.store->allocator, count, sizeof(batch.plans[0]));
    if (batch.plans == NULL)
        return arvo__nomem(err);
    for (size_t i = 0; i < count; i++)
        plan_init(&batch, &batch.plans[i], &commits[i]);
    st = batch_run(&batch, err);
    if (batch.plans != on_stack)
        arvo__free(batch.store->allocator, batch.plans, count * sizeof(batch.plans[0]));
    return st;
}
