/* The in-process store ("memory:"): opening it, and everything but the commit.
 *
 * Files: simple_commit.c the atomic write, simple_table.c instances,
 * simple_inbox.c outcomes, simple_log.c outbox, history and order,
 * simple_queues.c and simple_delivery.c claims and dead
 * letters, simple_care.c and simple_dump.c looking after it; memory_lease.c leases,
 * memory_pool.c blocks. simple.h draws the layout.
 */

#include <string.h>

#include "memory/simple.h"

#define SIMPLE_INBOX_DEFAULT       16
#define SIMPLE_INBOX_MAX           1024
#define SIMPLE_INBOX_BYTES_DEFAULT ((int64_t)32 * 1024 * 1024)
#define SIMPLE_INBOX_BYTES_MAX     ((int64_t)64 * 1024 * 1024 * 1024)
#define SIMPLE_ORDER_READ          256u
#define SIMPLE_RING_BYTES_MIN      ((size_t)256)

/* ---- Records ----------------------------------------------------------- */

static arvo_status
simple_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *out_found, arvo_record *out,
    arvo_error *err)
{
    arvo_status st = arvo__memory_subject_check(subject, "read", err);
    if (st != ARVO_OK)
        return st;
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    struct simple_shard *shard = simple_shard_of(self, hash);

    (void)pthread_mutex_lock(&shard->mutex);
    struct simple_instance **slot = arvo__simple_table_find(&shard->table, subject, hash);
    const bool is_found = slot != NULL && (*slot)->ordinal != 0;
    if (is_found) {
        __builtin_prefetch(arvo__simple_inbox_at(*slot, 0), 1); /* the commit will look there */
        if (!arvo__simple_instance_get(*slot, arena, out))
            st = arvo__nomem(err);
    }
    (void)pthread_mutex_unlock(&shard->mutex);
    if (st == ARVO_OK)
        *out_found = is_found;
    return st;
}

static arvo_status
simple_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    if (record == NULL)
        return arvo__fail(err, ARVO_E_INVALID, "memory write: there is no record to write");
    const arvo_commit commit = { .subject = subject,
                                 .lease = lease,
                                 .record = record,
                                 .previous_revision = previous != NULL ? previous->revision : 0 };
    return arvo__simple_commit(self, &commit, 1, err);
}

/* ---- Leases ------------------------------------------------------------ */

static arvo_status
simple_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *out_acquired,
    arvo_lease *out, arvo_error *err)
{
    arvo_status st = arvo__memory_subject_check(subject, "lock", err);
    if (st != ARVO_OK)
        return st;
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    struct simple_shard *shard = simple_shard_of(self, hash);

    (void)pthread_mutex_lock(&shard->mutex);
    arvo__simple_table_prefetch(&shard->table, hash);
    st = arvo__leases_acquire(
        &shard->leases, subject, hash, ttl_ms, wait_ms, out_acquired, out, err);
    arvo__simple_instance_prefetch(&shard->table, hash);
    arvo__simple_ring_prefetch(&shard->ring);
    (void)pthread_mutex_unlock(&shard->mutex);
    return st;
}

static arvo_status
simple_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    const arvo_status st = arvo__memory_subject_check(subject, "unlock", err);
    if (st != ARVO_OK)
        return st;
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    struct simple_shard *shard = simple_shard_of(self, hash);

    (void)pthread_mutex_lock(&shard->mutex);
    (void)arvo__leases_release(&shard->leases, hash, lease);
    (void)pthread_mutex_unlock(&shard->mutex);
    return ARVO_OK;
}

static arvo_status
simple_renew(void *self, arvo_str subject, arvo_lease *lease, int64_t ttl_ms, arvo_error *err)
{
    const arvo_status st = arvo__memory_subject_check(subject, "renew", err);
    if (st != ARVO_OK)
        return st;
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    struct simple_shard *shard = simple_shard_of(self, hash);

    (void)pthread_mutex_lock(&shard->mutex);
    const bool is_renewed = arvo__leases_renew(&shard->leases, hash, lease, ttl_ms);
    (void)pthread_mutex_unlock(&shard->mutex);
    if (is_renewed)
        return ARVO_OK;
    return arvo__fail(
        err, ARVO_E_STALE, "memory renew: the lease with fence %llu is lost",
        (unsigned long long)lease->fence);
}

static void
simple_interrupt(void *self, bool on)
{
    struct simple_store *store = self;
    for (size_t i = 0; i < SIMPLE_SHARDS; i++) {
        struct simple_shard *shard = &store->shards[i];
        (void)pthread_mutex_lock(&shard->mutex);
        arvo__leases_interrupt(&shard->leases, on);
        (void)pthread_mutex_unlock(&shard->mutex);
    }
    (void)pthread_mutex_lock(&store->log.mutex);
    arvo__simple_queues_interrupt(&store->log, on);
    (void)pthread_mutex_unlock(&store->log.mutex);
}

/* ---- Events ------------------------------------------------------------ */

/* Copied, so that it is shown without the lock. *out_copy NULL: it has left the ring. */
static arvo_status
simple_outcome_copy(
    const struct simple_store *store, const struct simple_ring *ring,
    const struct simple_inbox_key *key, arvo_str *out_copy, arvo_error *err)
{
    const arvo_str outcome = arvo__simple_ring_get(ring, key->key, key->at);
    if (outcome.ptr == NULL)
        return ARVO_OK;
    char *copy = arvo__alloc(store->allocator, outcome.len);
    if (copy == NULL)
        return arvo__nomem(err);
    memcpy(copy, outcome.ptr, outcome.len);
    *out_copy = (arvo_str){ copy, outcome.len };
    return ARVO_OK;
}

static arvo_status
simple_inbox_lookup(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *out_found,
    arvo_stored_event_fn each, void *user, arvo_error *err)
{
    arvo_status st = arvo__memory_subject_check(subject, "inbox", err);
    if (st != ARVO_OK)
        return st;
    struct simple_store *store = self;
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    struct simple_shard *shard = simple_shard_of(self, hash);
    const struct simple_inbox_key *found = NULL;
    arvo_str copy = ARVO_STR_NONE;
    struct simple_pinned pinned = { 0 };

    (void)pthread_mutex_lock(&shard->mutex);
    struct simple_instance **slot = arvo__simple_table_find(&shard->table, subject, hash);
    if (slot != NULL && (*slot)->inbox_count > 0)
        found = arvo__simple_inbox_find(*slot, arvo__simple_inbox_key_of(source, id));
    if (found != NULL && each != NULL) {
        st = simple_outcome_copy(store, &shard->ring, found, &copy, err);
        if (st == ARVO_OK && copy.ptr == NULL)
            st = arvo__simple_log_pin(&store->log, (*slot)->newest, &source, &id, &pinned, err);
    }
    (void)pthread_mutex_unlock(&shard->mutex);
    if (st != ARVO_OK)
        return st;

    *out_found = found != NULL;
    if (copy.ptr != NULL) {
        arvo__simple_outcome_each(copy, subject, each, user);
        arvo__free(store->allocator, (void *)(uintptr_t)copy.ptr, copy.len);
    }
    arvo__simple_log_show_pinned(&store->log, &pinned, each, user);
    return ARVO_OK;
}

static arvo_status
simple_outbox_list(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    (void)err; /* cannot fail */
    struct simple_store *store = self;
    arvo__simple_log_outbox_each(
        &store->log, after, limit != 0 ? limit : SIMPLE_ROWS_DEFAULT, each, user);
    return ARVO_OK;
}

static arvo_status
simple_outbox_done(void *self, int64_t seq, arvo_error *err)
{
    (void)err; /* cannot fail: done is done */
    struct simple_store *store = self;
    (void)pthread_mutex_lock(&store->log.mutex);
    arvo__simple_log_outbox_remove(&store->log, seq);
    (void)pthread_mutex_unlock(&store->log.mutex);
    return ARVO_OK;
}

static bool
simple_keeps_history(void *self)
{
    const struct simple_store *store = self;
    return store->log.has_history;
}

static arvo_status
simple_history(void *self, arvo_str subject, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    arvo_status st = arvo__memory_subject_check(subject, "history", err);
    if (st != ARVO_OK)
        return st;
    struct simple_store *store = self;
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    struct simple_shard *shard = simple_shard_of(store, hash);
    struct simple_pinned pinned = { 0 };

    (void)pthread_mutex_lock(&shard->mutex);
    struct simple_instance **slot = arvo__simple_table_find(&shard->table, subject, hash);
    if (slot != NULL)
        st = arvo__simple_log_pin(&store->log, (*slot)->newest, NULL, NULL, &pinned, err);
    (void)pthread_mutex_unlock(&shard->mutex);
    arvo__simple_log_show_pinned(&store->log, &pinned, each, user);
    return st;
}

/* ---- Listing ----------------------------------------------------------- */

static bool
simple_matches(const struct simple_instance *instance, const arvo_record_query *query)
{
    return (query->orchestrator.ptr == NULL ||
            arvo_str_equal(
                query->orchestrator,
                arvo__simple_instance_string(instance, SIMPLE_STRING_ORCHESTRATOR))) &&
           (query->status.ptr == NULL ||
            arvo_str_equal(
                query->status, arvo__simple_instance_string(instance, SIMPLE_STRING_STATUS)));
}

/* How many instances stand before and including `after` in the order of creation. */
static arvo_status
simple_list_start(struct simple_store *store, arvo_str after, uint64_t *first, arvo_error *err)
{
    *first = 0;
    if (after.ptr == NULL)
        return ARVO_OK;
    const uint64_t hash = arvo__hash_keyed(after.ptr, after.len);
    struct simple_shard *shard = simple_shard_of(store, hash);
    (void)pthread_mutex_lock(&shard->mutex);
    struct simple_instance **slot = arvo__simple_table_find(&shard->table, after, hash);
    if (slot != NULL)
        *first = (*slot)->ordinal;
    (void)pthread_mutex_unlock(&shard->mutex);
    if (*first == 0)
        return arvo__fail(
            err, ARVO_E_NOT_FOUND,
            "memory list: there is no record under the subject to go on behind");
    return ARVO_OK;
}

/* One instance, copied under its lock and shown without it. */
static arvo_status
simple_list_one(
    struct simple_store *store, uint64_t hash, uint64_t ordinal, const arvo_record_query *query,
    arvo_arena *arena, bool *out_matches, arvo_record *out, arvo_error *err)
{
    struct simple_shard *shard = simple_shard_of(store, hash);
    arvo_status st = ARVO_OK;
    (void)pthread_mutex_lock(&shard->mutex);
    const struct simple_instance *instance =
        arvo__simple_table_find_ordinal(&shard->table, hash, ordinal);
    *out_matches = instance != NULL && simple_matches(instance, query);
    if (*out_matches && !arvo__simple_instance_get(instance, arena, out))
        st = arvo__nomem(err);
    (void)pthread_mutex_unlock(&shard->mutex);
    return st;
}

static arvo_status
simple_list(
    void *self, const arvo_record_query *query, arvo_record_fn each, void *user, arvo_error *err)
{
    struct simple_store *store = self;
    size_t left = query->limit != 0 ? query->limit : SIMPLE_ROWS_DEFAULT;
    uint64_t ordinal = 0;
    arvo_status st = simple_list_start(store, query->after, &ordinal, err);
    if (st != ARVO_OK)
        return st;
    arvo_arena *arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = store->allocator });
    if (arena == NULL)
        return arvo__nomem(err);

    uint64_t hashes[SIMPLE_ORDER_READ];
    size_t count = 0;
    do {
        count = arvo__simple_log_order_get(&store->log, ordinal, hashes, ARVO_COUNT_OF(hashes));
        for (size_t i = 0; st == ARVO_OK && i < count && left > 0; i++) {
            arvo_record record;
            bool is_match = false;
            arvo_arena_reset(arena);
            st =
                simple_list_one(store, hashes[i], ++ordinal, query, arena, &is_match, &record, err);
            if (st != ARVO_OK || !is_match)
                continue;
            left = each(user, &record) ? left - 1 : 0;
        }
    } while (st == ARVO_OK && count > 0 && left > 0);
    arvo_arena_free(arena);
    return st;
}

/* ---- Opening and closing ----------------------------------------------- */

static void
simple_close(void *self)
{
    struct simple_store *store = self;
    const arvo_allocator *allocator = store->allocator;
    for (size_t i = 0; i < SIMPLE_SHARDS; i++) {
        struct simple_shard *shard = &store->shards[i];
        arvo__leases_fini(&shard->leases);
        arvo__simple_table_fini(&shard->table, allocator);
        if (shard->ring.bytes != NULL)
            arvo__free(allocator, shard->ring.bytes, shard->ring.cap);
        arvo__pool_fini(&shard->pool);
        (void)pthread_mutex_destroy(&shard->mutex);
    }
    arvo__simple_log_fini(&store->log);
    arvo__free(allocator, store->block, sizeof(*store) + 64);
}

static const arvo_memory_ops simple_ops = {
    .version = ARVO_MEMORY_OPS_VERSION,
    .name = "simple",
    .read = simple_read,
    .write = simple_write,
    .lock = simple_lock,
    .unlock = simple_unlock,
    .commit = arvo__simple_commit,
    .inbox_find = simple_inbox_lookup,
    .outbox_list = simple_outbox_list,
    .outbox_done = simple_outbox_done,
    .list = simple_list,
    .history = simple_history,
    .keeps_history = simple_keeps_history,
    .renew = simple_renew,
    .interrupt = simple_interrupt,
    .outbox_claim = arvo__simple_outbox_claim,
    .outbox_retry = arvo__simple_outbox_retry,
    .outbox_dead = arvo__simple_outbox_dead,
    .outbox_release = arvo__simple_outbox_release,
    .outbox_wait = arvo__simple_outbox_wait,
    .dead_list = arvo__simple_dead_list,
    .dead_retry = arvo__simple_dead_retry,
    .dead_drop = arvo__simple_dead_drop,
    .stats = arvo__simple_stats,
    .purge = arvo__simple_purge,
    .dump = arvo__simple_dump,
    .load = arvo__simple_load,
    .close = simple_close,
};

/* The largest that is not larger; 0 when too small to hold anything. */
static size_t
power_of_two_within(size_t bytes)
{
    size_t power = SIMPLE_RING_BYTES_MIN;
    if (bytes < power)
        return 0;
    while (power * 2 <= bytes)
        power *= 2;
    return power;
}

static arvo_status
simple_store_new(
    const arvo_platform *platform, const arvo_allocator *allocator, int64_t inbox_max,
    int64_t inbox_bytes, bool has_history, struct simple_store **out, arvo_error *err)
{
    void *block = arvo__calloc(allocator, 1, sizeof(struct simple_store) + 64);
    if (block == NULL)
        return arvo__nomem(err);
    struct simple_store *store =
        (struct simple_store *)(((uintptr_t)block + 63u) & ~(uintptr_t)63u);
    store->block = block;
    store->allocator = allocator;
    store->platform = platform;
    store->inbox_max = (uint16_t)inbox_max;
    arvo_status st = arvo__simple_log_init(&store->log, platform, allocator, has_history)
                         ? ARVO_OK
                         : ARVO_E_NOMEM;
    for (size_t i = 0; i < SIMPLE_SHARDS; i++) {
        struct simple_shard *shard = &store->shards[i];
        arvo__pool_init(&shard->pool, allocator, SIMPLE_SLAB_BYTES);
        shard->ring.cap = power_of_two_within((size_t)inbox_bytes / SIMPLE_SHARDS);
        if (pthread_mutex_init(&shard->mutex, NULL) != 0)
            st = ARVO_E_NOMEM;
        if (st == ARVO_OK)
            st = arvo__leases_init(
                &shard->leases, platform, allocator, &shard->pool, &shard->mutex, err);
    }
    if (st != ARVO_OK) {
        simple_close(store);
        return st == ARVO_E_NOMEM ? arvo__nomem(err) : st;
    }
    *out = store;
    return ARVO_OK;
}

arvo_status
arvo__memory_simple_open(
    arvo_str rest, const arvo_platform *platform, const arvo_allocator *allocator,
    arvo_memory **out, arvo_error *err)
{
    static const char *const switches[] = { "off", "on", NULL };
    int64_t inbox_max = SIMPLE_INBOX_DEFAULT, inbox_bytes = SIMPLE_INBOX_BYTES_DEFAULT;
    int64_t history = 0;
    const arvo__memory_param params[] = {
        { "inbox", NULL, 0, SIMPLE_INBOX_MAX, &inbox_max },
        { "inbox_bytes", NULL, 0, SIMPLE_INBOX_BYTES_MAX, &inbox_bytes },
        { "history", switches, 0, 0, &history },
    };

    if (rest.len > 0 && rest.ptr[0] != '?')
        return arvo__fail(
            err, ARVO_E_INVALID,
            "store URL: behind \"memory:\" only ?parameters may stand, not \"%.*s\"",
            ARVO_FMT(rest));
    if (rest.len > 0)
        rest = (arvo_str){ rest.ptr + 1, rest.len - 1 };
    arvo_status st = arvo__memory_params_parse(rest, params, ARVO_COUNT_OF(params), err);
    if (st != ARVO_OK)
        return st;

    struct simple_store *store = NULL;
    st = simple_store_new(platform, allocator, inbox_max, inbox_bytes, history == 1, &store, err);
    if (st != ARVO_OK)
        return st;
    st = arvo__memory_new(&simple_ops, store, allocator, out, err);
    if (st != ARVO_OK)
        simple_close(store);
    return st;
}
