/* Looking after the in-process store: numbers, and deleting what is over. */

#include <string.h>

#include "memory/simple.h"

#define CARE_ORDER_READ 256u

/* ---- Numbers ----------------------------------------------------------- */

static void
stats_count_shard(struct simple_shard *shard, int64_t now, arvo_memory_stats *stats)
{
    for (size_t i = 0; i < shard->table.cap; i++) {
        if (shard->table.tags[i] == 0 || shard->table.slots[i]->ordinal == 0)
            continue;
        const arvo_str status =
            arvo__simple_instance_string(shard->table.slots[i], SIMPLE_STRING_STATUS);
        if (arvo_str_is(status, "done"))
            stats->done++;
        else if (arvo_str_is(status, "error"))
            stats->error++;
        else
            stats->active++;
    }
    arvo__leases_count(&shard->leases, now, &stats->leases, &stats->leases_expired);
    stats->commits += shard->commits;
    stats->transactions += shard->transactions;
    stats->bytes += arvo__pool_bytes(&shard->pool);
    stats->bytes += shard->table.cap * (sizeof(uint32_t) + sizeof(void *));
    stats->bytes += shard->ring.bytes != NULL ? shard->ring.cap : 0;
}

static void
stats_count_log(const struct simple_log *log, int64_t now, arvo_memory_stats *stats)
{
    for (size_t i = log->row_first; i < log->row_end; i++) {
        const struct simple_event *event = log->rows[i].event;
        if (event == NULL)
            continue;
        stats->outbox++;
        stats->outbox_claimed += event->delivery->claimed_until_ms > now;
        if (stats->outbox_oldest_ms == 0)
            stats->outbox_oldest_ms = event->time_ms;
    }
    stats->dead = log->dead_count;
    for (size_t i = 0; i < log->dead_count; i++) {
        const int64_t since_ms = log->dead[i]->delivery->due_ms;
        if (stats->dead_oldest_ms == 0 || since_ms < stats->dead_oldest_ms)
            stats->dead_oldest_ms = since_ms;
    }
    stats->events = log->history_count;
    stats->bytes += arvo__pool_bytes(&log->pool);
    stats->bytes += log->row_cap * sizeof(log->rows[0]) + log->order_cap * sizeof(log->order[0]);
}

arvo_status
arvo__simple_stats(void *self, arvo_memory_stats *out, arvo_error *err)
{
    (void)err; /* cannot fail */
    struct simple_store *store = self;
    arvo_memory_stats stats = { .now_ms = store->platform->time_ms(store->platform->self) };
    for (size_t i = 0; i < SIMPLE_SHARDS; i++) {
        (void)pthread_mutex_lock(&store->shards[i].mutex);
        stats_count_shard(&store->shards[i], stats.now_ms, &stats);
        (void)pthread_mutex_unlock(&store->shards[i].mutex);
    }
    (void)pthread_mutex_lock(&store->log.mutex);
    stats_count_log(&store->log, stats.now_ms, &stats);
    (void)pthread_mutex_unlock(&store->log.mutex);
    *out = stats;
    return ARVO_OK;
}

/* ---- Deleting ---------------------------------------------------------- */

static bool
purge_matches(const struct simple_instance *instance, const arvo_purge *purge)
{
    const arvo_str status = arvo__simple_instance_string(instance, SIMPLE_STRING_STATUS);
    const bool is_over = purge->status.ptr != NULL
                             ? arvo_str_equal(status, purge->status)
                             : arvo_str_is(status, "done") || arvo_str_is(status, "error");
    return is_over && instance->updated_ms < purge->before_ms &&
           (purge->orchestrator.ptr == NULL ||
            arvo_str_equal(
                arvo__simple_instance_string(instance, SIMPLE_STRING_ORCHESTRATOR),
                purge->orchestrator));
}

/* Leased, or one of its events waits or is a dead letter. */
static bool
purge_is_in_flight(
    const struct simple_store *store, const struct simple_shard *shard,
    const struct simple_instance *instance, int64_t now)
{
    const arvo_str subject = arvo__simple_instance_subject(instance);
    const struct simple_log *log = &store->log;
    if (arvo__leases_busy(&shard->leases, subject, instance->hash, now) ||
        arvo__simple_queues_has(&log->queues, subject, instance->hash))
        return true;
    for (size_t i = 0; i < log->dead_count; i++) {
        const struct simple_event *event = log->dead[i];
        if (event->delivery->hash == instance->hash && event->len[0] == subject.len &&
            memcmp(event->text, subject.ptr, subject.len) == 0)
            return true;
    }
    return false;
}

static void
purge_instance(struct simple_log *log, struct simple_shard *shard, struct simple_instance *instance)
{
    arvo__simple_log_history_drop(log, instance);
    arvo__simple_table_remove(
        &shard->table, arvo__simple_table_find(
                           &shard->table, arvo__simple_instance_subject(instance), instance->hash));
    arvo__pool_free(&shard->pool, instance, instance->size_class);
}

/* The instance that was created as the `ordinal`-th, if it is over. */
static void
purge_one(
    struct simple_store *store, const arvo_purge *purge, uint64_t hash, uint64_t ordinal,
    size_t limit, arvo_purged *purged)
{
    const int64_t now = store->platform->time_ms(store->platform->self);
    struct simple_shard *shard = simple_shard_of(store, hash);
    (void)pthread_mutex_lock(&shard->mutex);
    (void)pthread_mutex_lock(&store->log.mutex);
    struct simple_instance *instance =
        arvo__simple_table_find_ordinal(&shard->table, hash, ordinal);
    if (instance != NULL && purge_matches(instance, purge) &&
        !purge_is_in_flight(store, shard, instance, now)) {
        if (purged->instances == limit) {
            purged->is_more = true;
        } else {
            purged->instances++;
            purged->events += instance->newest != NULL ? instance->newest->place : 0;
            if (!purge->is_dry)
                purge_instance(&store->log, shard, instance);
        }
    }
    (void)pthread_mutex_unlock(&store->log.mutex);
    (void)pthread_mutex_unlock(&shard->mutex);
}

arvo_status
arvo__simple_purge(void *self, const arvo_purge *purge, arvo_purged *out, arvo_error *err)
{
    (void)err; /* cannot fail */
    struct simple_store *store = self;
    const size_t limit = purge->limit != 0 ? purge->limit : ARVO_PURGE_LIMIT_DEFAULT;
    arvo_purged purged = { 0 };
    uint64_t hashes[CARE_ORDER_READ], ordinal = 0;
    size_t count = 0;
    do {
        count = arvo__simple_log_order_get(&store->log, ordinal, hashes, ARVO_COUNT_OF(hashes));
        for (size_t i = 0; i < count && !purged.is_more; i++)
            purge_one(store, purge, hashes[i], ++ordinal, limit, &purged);
    } while (count > 0 && !purged.is_more);
    *out = purged;
    return ARVO_OK;
}
