/* The thread that asks a store for its stats, and what it said as samples.
 *
 *            somebody reads, and nothing is fresh           the store has answered
 *   RESTING ---------------------------------------> ASKED --------------------------> RESTING
 */

#include <arvo/store_metrics.h>

#include "base/internal.h"

#define REST_FACTOR 20 /* it is asked for a twentieth of the time at most */

struct arvo_store_metrics {
    const arvo_allocator *allocator;
    arvo_allocator allocator_copy;
    const arvo_memory_ops *ops;
    void *self;
    arvo_metrics *metrics;
    arvo_metrics_source source;
    int64_t fresh_ms, wait_ms, slow_ms;

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex;
    pthread_cond_t asked;    /* for the thread */
    pthread_cond_t answered; /* for who reads */
    bool is_asked;           /* guarded by mutex, as what follows */
    bool is_stopping;
    int64_t asked_ms; /* real time */
    int64_t fresh_until_ms;
    int64_t took_ms;
    int64_t observed_ms; /* since 1970; 0: never */
    arvo_status status;  /* of the last answer */
    arvo_error why;
    arvo_memory_stats stats; /* when status is ARVO_OK */
};

/* ---- Asking --------------------------------------------------------------------------------- */

/* With the mutex, but not while the store is asked. */
static void
ask(arvo_store_metrics *store)
{
    const arvo_platform *platform = arvo_platform_system();
    arvo_memory_stats stats = { 0 };
    arvo_error why = { 0 };
    (void)pthread_mutex_unlock(&store->mutex);
    const arvo_status status = store->ops->stats(store->self, &stats, &why);
    const int64_t time_ms = platform->time_ms(platform->self);
    (void)pthread_mutex_lock(&store->mutex);
    const int64_t now_ms = arvo__real_ms();
    store->status = status;
    store->why = why;
    if (status == ARVO_OK) {
        store->stats = stats;
        store->observed_ms = time_ms;
    }
    store->took_ms = now_ms - store->asked_ms;
    const int64_t rest_ms = REST_FACTOR * store->took_ms;
    store->fresh_until_ms = now_ms + (rest_ms > store->fresh_ms ? rest_ms : store->fresh_ms);
    store->is_asked = false;
    (void)pthread_cond_broadcast(&store->answered);
}

static void *
ask_when_asked(void *user)
{
    arvo_store_metrics *store = user;
    (void)pthread_mutex_lock(&store->mutex);
    while (!store->is_stopping)
        if (store->is_asked)
            ask(store);
        else
            (void)pthread_cond_wait(&store->asked, &store->mutex);
    (void)pthread_mutex_unlock(&store->mutex);
    return NULL;
}

/* With the mutex: until there is something fresh, or for as long as one waits. */
static void
freshen(arvo_store_metrics *store)
{
    const int64_t now_ms = arvo__real_ms();
    if (!store->is_asked && now_ms >= store->fresh_until_ms) {
        store->is_asked = true;
        store->asked_ms = now_ms;
        (void)pthread_cond_signal(&store->asked);
    }
    const int64_t end_ms = now_ms + store->wait_ms;
    while (store->is_asked && arvo__real_ms() < end_ms)
        arvo__cond_wait_until(&store->answered, &store->mutex, end_ms);
}

/* With the mutex. */
static bool
is_up(const arvo_store_metrics *store)
{
    if (store->is_asked && arvo__real_ms() - store->asked_ms >= store->slow_ms)
        return false;
    return store->status == ARVO_OK && store->observed_ms != 0;
}

bool
arvo_store_metrics_is_up(arvo_store_metrics *store, arvo_error *why)
{
    ARVO_ASSERT(store != NULL);
    (void)pthread_mutex_lock(&store->mutex);
    freshen(store);
    const bool up = is_up(store);
    const bool has_failed = store->status != ARVO_OK;
    const arvo_error said = store->why;
    (void)pthread_mutex_unlock(&store->mutex);
    if (!up && has_failed && why != NULL)
        *why = said;
    else if (!up)
        (void)arvo__fail(why, ARVO_E_TIMEOUT, "the store does not answer");
    return up;
}

/* ---- Samples ----------------------------------------------------------------------------------
 */

enum {
    STORE_UP,
    STORE_OBSERVED,
    STORE_OBSERVE_SECONDS,
    STORE_BYTES,
    STORE_EVENTS,
    STORE_COMMITS,
    STORE_TRANSACTIONS,
    INSTANCES,
    OUTBOX_DEPTH,
    OUTBOX_CLAIMED,
    OUTBOX_AGE,
    DEAD_LETTERS,
    DEAD_AGE,
    LEASES,
};

static const arvo_metrics_family families[] = {
    [STORE_UP] = { .name = "arvo_store_up", .help = "Whether the store answers: 1, or 0." },
    [STORE_OBSERVED] = { .name = "arvo_store_observed_timestamp_seconds",
                         .help = "When the store said what is written here of it, since 1970.",
                         .unit = "seconds" },
    [STORE_OBSERVE_SECONDS] = { .name = "arvo_store_observe_seconds",
                                .help = "How long it took to say so.",
                                .unit = "seconds" },
    [STORE_BYTES] = { .name = "arvo_store_bytes",
                      .help = "Size of the store, on disk or in memory.",
                      .unit = "bytes" },
    [STORE_EVENTS] = { .name = "arvo_store_events", .help = "Events of all histories." },
    [STORE_COMMITS] = { .name = "arvo_store_commits",
                        .help = "Executions that this process committed.",
                        .is_counter = true },
    [STORE_TRANSACTIONS] = { .name = "arvo_store_transactions",
                             .help = "Transactions in which it did, many in one when commits are "
                                     "grouped.",
                             .is_counter = true },
    [INSTANCES] = { .name = "arvo_instances",
                    .help = "Workflow instances in the store.",
                    .label = "status" },
    [OUTBOX_DEPTH] = { .name = "arvo_outbox_depth",
                       .help = "Events that wait for their delivery, or for its end." },
    [OUTBOX_CLAIMED] = { .name = "arvo_outbox_claimed",
                         .help = "Those of them that a process has claimed." },
    [OUTBOX_AGE] = { .name = "arvo_outbox_oldest_age_seconds",
                     .help = "For how long the oldest of them has waited; 0 without any.",
                     .unit = "seconds" },
    [DEAD_LETTERS] = { .name = "arvo_dead_letters",
                       .help = "Events that failed too often to be delivered." },
    [DEAD_AGE] = { .name = "arvo_dead_letter_oldest_age_seconds",
                   .help = "Since when the oldest of them is dead; 0 without any.",
                   .unit = "seconds" },
    [LEASES] = { .name = "arvo_leases", .help = "Locks of instances.", .label = "state" },
};

static double
count_of(uint64_t count)
{
    return count == UINT64_MAX ? -1 : (double)count; /* not known */
}

static double
age_of(int64_t now_ms, int64_t since_ms)
{
    if (since_ms < 0)
        return -1;
    return since_ms == 0 || since_ms > now_ms ? 0 : (double)(now_ms - since_ms) / 1e3;
}

static size_t
samples_of_stats(const arvo_memory_stats *stats, arvo_metrics_sample *out)
{
    const arvo_metrics_sample samples[] = {
        { .family = STORE_BYTES, .value = count_of(stats->bytes) },
        { .family = STORE_EVENTS, .value = count_of(stats->events) },
        { .family = STORE_COMMITS, .value = count_of(stats->commits) },
        { .family = STORE_TRANSACTIONS, .value = count_of(stats->transactions) },
        { .family = INSTANCES, .label = "active", .value = count_of(stats->active) },
        { .family = INSTANCES, .label = "done", .value = count_of(stats->done) },
        { .family = INSTANCES, .label = "error", .value = count_of(stats->error) },
        { .family = OUTBOX_DEPTH, .value = count_of(stats->outbox) },
        { .family = OUTBOX_CLAIMED, .value = count_of(stats->outbox_claimed) },
        { .family = OUTBOX_AGE, .value = age_of(stats->now_ms, stats->outbox_oldest_ms) },
        { .family = DEAD_LETTERS, .value = count_of(stats->dead) },
        { .family = DEAD_AGE, .value = age_of(stats->now_ms, stats->dead_oldest_ms) },
        { .family = LEASES, .label = "held", .value = count_of(stats->leases) },
        { .family = LEASES, .label = "expired", .value = count_of(stats->leases_expired) },
    };
    memcpy(out, samples, sizeof(samples));
    return ARVO_COUNT_OF(samples);
}

/* What is not known any more is not shown: a store that fails has no depth. */
static size_t
observe(void *user, arvo_metrics_sample *out)
{
    arvo_store_metrics *store = user;
    (void)pthread_mutex_lock(&store->mutex);
    freshen(store);
    const bool has_stats = store->status == ARVO_OK && store->observed_ms != 0;
    size_t count = 0;
    out[count++] = (arvo_metrics_sample){ .family = STORE_UP, .value = is_up(store) };
    if (has_stats) {
        out[count++] = (arvo_metrics_sample){ .family = STORE_OBSERVED,
                                              .value = (double)store->observed_ms / 1e3 };
        out[count++] = (arvo_metrics_sample){ .family = STORE_OBSERVE_SECONDS,
                                              .value = (double)store->took_ms / 1e3 };
        count += samples_of_stats(&store->stats, out + count);
    }
    (void)pthread_mutex_unlock(&store->mutex);
    return count;
}

/* ---- Life -------------------------------------------------------------------------------------
 */

static void
store_free(arvo_store_metrics *store)
{
    (void)pthread_cond_destroy(&store->asked);
    (void)pthread_cond_destroy(&store->answered);
    (void)pthread_mutex_destroy(&store->mutex);
    const arvo_allocator copy = store->allocator_copy;
    arvo__free(store->allocator != NULL ? &copy : NULL, store, sizeof(*store));
}

static arvo_status
store_start(arvo_store_metrics *store, arvo_error *err)
{
    store->source = (arvo_metrics_source){ .families = families,
                                           .family_count = ARVO_COUNT_OF(families),
                                           .observe = observe,
                                           .user = store };
    store->has_thread = arvo__thread_start(&store->thread, ask_when_asked, store);
    if (!store->has_thread)
        return arvo__fail(err, ARVO_E_IO, "metrics: no thread to ask the store can be started");
    return arvo_metrics_add(store->metrics, &store->source, err);
}

arvo_status
arvo_store_metrics_new(
    const arvo_store_metrics_opts *opts, arvo_store_metrics **out, arvo_error *err)
{
    ARVO_ASSERT(opts != NULL && opts->memory != NULL && opts->metrics != NULL && out != NULL);
    const arvo_memory_ops *ops = arvo_memory_ops_of(opts->memory);
    if (ops->stats == NULL)
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED, "metrics: the %s: store has no stats", ops->name);
    arvo_store_metrics *store = arvo__calloc(opts->allocator, 1, sizeof(*store));
    if (store == NULL)
        return arvo__nomem(err);
    if (opts->allocator != NULL) {
        store->allocator_copy = *opts->allocator;
        store->allocator = &store->allocator_copy;
    }
    store->ops = ops;
    store->self = arvo_memory_self(opts->memory);
    store->metrics = opts->metrics;
    store->fresh_ms = opts->fresh_ms > 0 ? opts->fresh_ms : ARVO_STORE_METRICS_FRESH_MS;
    store->wait_ms = opts->wait_ms > 0 ? opts->wait_ms : ARVO_STORE_METRICS_WAIT_MS;
    store->slow_ms = opts->slow_ms > 0 ? opts->slow_ms : ARVO_STORE_METRICS_SLOW_MS;
    arvo_status st = ARVO_OK;
    if (pthread_mutex_init(&store->mutex, NULL) != 0 || !arvo__cond_init(&store->asked) ||
        !arvo__cond_init(&store->answered))
        st = arvo__fail(err, ARVO_E_IO, "metrics: no locks can be had");
    if (st == ARVO_OK)
        st = store_start(store, err);
    if (st == ARVO_OK)
        *out = store;
    else
        arvo_store_metrics_free(store);
    return st;
}

void
arvo_store_metrics_free(arvo_store_metrics *store)
{
    if (store == NULL)
        return;
    arvo_metrics_remove(store->metrics, &store->source);
    (void)pthread_mutex_lock(&store->mutex);
    store->is_stopping = true;
    (void)pthread_cond_signal(&store->asked);
    (void)pthread_mutex_unlock(&store->mutex);
    if (store->has_thread)
        (void)pthread_join(store->thread, NULL);
    store_free(store);
}
