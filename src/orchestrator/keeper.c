/* The keeper: a thread that renews the leases of executions that take long.
 *
 * An execution writes where its lease is into the hold of its scratch, and nothing else: no clock,
 * no lock, no thread is woken. The keeper looks at all holds each third of a lease; one that it
 * finds with the number that it found there last has run for that long, and is renewed.
 *
 *          begin                   a look finds it again
 *   IDLE --------> HELD(number) ------------------------> BUSY(number)
 *    ^               |    ^                                  |
 *    +---------------+    +----------------------------------+
 *           end                 renewed, or it is lost
 *
 * Whoever makes the move to HELD or BUSY owns the hold's fields; an execution that ends while its
 * lease is being renewed waits for that.
 */

#include "orchestrator/internal.h"

#define KEEPER_OFF         INT64_MAX /* tick: no thread; it has a tick when it runs */
#define KEEPER_TICK_MS_MIN 5
#define HOLD_STATE         UINT64_C(3)
#define HOLD_RENEWED       UINT64_C(4) /* the lease in the hold is newer than the execution's */
#define HOLD_NUMBER_SHIFT  3

enum { HOLD_IDLE, HOLD_HELD, HOLD_BUSY };

struct arvo__keeper {
    const arvo_allocator *allocator;
    struct arvo__keeper *next_keeper; /* all of this process, for fork() */
    _Atomic int64_t tick_ms;
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* of the thread */
    pthread_cond_t done; /* of executions that wait for it */
    arvo__hold *holds;
    pthread_t thread;
    bool has_thread;
    bool is_stopping;
};

/* ---- fork() ------------------------------------------------------------------------
 *
 * A child has no keeper: it starts one when it executes something that needs it. Both mutexes are
 * held during the fork, so that nothing is in between. */

static pthread_mutex_t keepers_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t keepers_once = PTHREAD_ONCE_INIT;
static arvo__keeper *keepers;

static void
keepers_before_fork(void)
{
    pthread_mutex_lock(&keepers_mutex);
    for (arvo__keeper *keeper = keepers; keeper != NULL; keeper = keeper->next_keeper)
        pthread_mutex_lock(&keeper->mutex);
}

static void
keepers_in_parent(void)
{
    for (arvo__keeper *keeper = keepers; keeper != NULL; keeper = keeper->next_keeper)
        pthread_mutex_unlock(&keeper->mutex);
    pthread_mutex_unlock(&keepers_mutex);
}

static void
keepers_in_child(void)
{
    for (arvo__keeper *keeper = keepers; keeper != NULL; keeper = keeper->next_keeper) {
        for (arvo__hold *hold = keeper->holds; hold != NULL; hold = hold->next) {
            const uint64_t word = atomic_load(&hold->word);
            if ((word & HOLD_STATE) == HOLD_BUSY) /* by a thread that is not here */
                atomic_store(&hold->word, (word & ~HOLD_STATE) | HOLD_HELD);
        }
        /* Made anew: a thread that is not here waits for them. */
        (void)arvo__cond_init(&keeper->wake);
        (void)arvo__cond_init(&keeper->done);
        keeper->has_thread = false;
        atomic_store(&keeper->tick_ms, KEEPER_OFF);
        pthread_mutex_unlock(&keeper->mutex);
    }
    pthread_mutex_unlock(&keepers_mutex);
}

static void
keepers_setup(void)
{
    /* Where it cannot be installed, a child's leases are not renewed. */
    (void)pthread_atfork(keepers_before_fork, keepers_in_parent, keepers_in_child);
}

/* ---- The thread ---------------------------------------------------------------------- */

/* Of an execution that was there at the last look too; the hold is ours. Whether it is renewed. */
static bool
keeper_renew(arvo__hold *hold, int64_t now_ns)
{
    const arvo_orchestrator *o = hold->orchestrator;
    if (hold->is_lost)
        return false;
    if ((now_ns - hold->since_ns) / 1000000 > o->renew_max_ms) {
        if (!hold->is_said)
            arvo__hold_log(hold, "a step goes on for too long: its lease is renewed no more", NULL);
        hold->is_said = true;
        return false;
    }
    arvo_error why;
    arvo__error_clear(&why);
    const arvo_status st =
        o->store->renew(o->store_self, hold->subject, &hold->lease, o->lease_ms, &why);
    if (st == ARVO_E_STALE)
        arvo__hold_log(hold, "the lease is lost: what the step comes to will be refused", NULL);
    else if (st != ARVO_OK)
        arvo__hold_log(hold, "the lease was not renewed, and is tried again", &why);
    /* A store that failed is asked again; with a lost lease the commit will fail. */
    hold->is_lost = st == ARVO_E_STALE;
    return st == ARVO_OK;
}

static void
keeper_look(arvo__keeper *keeper, arvo__hold *hold, int64_t now_ns)
{
    uint64_t word = atomic_load_explicit(&hold->word, memory_order_acquire);
    const uint64_t number = word >> HOLD_NUMBER_SHIFT;
    if ((word & HOLD_STATE) != HOLD_HELD || number != hold->seen) {
        hold->seen = number;
        hold->since_ns = now_ns;
        hold->is_said = false;
        return;
    }
    if (!atomic_compare_exchange_strong_explicit(
            &hold->word, &word, (word & ~HOLD_STATE) | HOLD_BUSY, memory_order_acquire,
            memory_order_relaxed))
        return; /* it just ended */

    const bool is_renewed = keeper_renew(hold, now_ns);
    word = (word & ~HOLD_STATE) | HOLD_HELD | (is_renewed ? HOLD_RENEWED : 0);
    pthread_mutex_lock(&keeper->mutex);
    atomic_store_explicit(&hold->word, word, memory_order_release);
    pthread_cond_broadcast(&keeper->done);
    pthread_mutex_unlock(&keeper->mutex);
}

static void *
keeper_run(void *arg)
{
    arvo__keeper *keeper = arg;
    const arvo_platform *clock = arvo_platform_system();
    pthread_mutex_lock(&keeper->mutex);
    while (!keeper->is_stopping) {
        arvo__cond_wait_until(
            &keeper->wake, &keeper->mutex, arvo__real_ms() + atomic_load(&keeper->tick_ms));
        arvo__hold *hold = keeper->is_stopping ? NULL : keeper->holds;
        pthread_mutex_unlock(&keeper->mutex);
        const int64_t now_ns = clock->monotonic_ns(clock->self);
        for (; hold != NULL; hold = hold->next) /* none leaves the list, and new ones come before */
            keeper_look(keeper, hold, now_ns);
        pthread_mutex_lock(&keeper->mutex);
    }
    pthread_mutex_unlock(&keeper->mutex);
    return NULL;
}

/* Have it run, and look at least that often. Without a thread leases last as long as they last. */
static void
keeper_ensure(arvo__keeper *keeper, int64_t tick_ms)
{
    pthread_mutex_lock(&keeper->mutex);
    if (tick_ms < atomic_load(&keeper->tick_ms))
        atomic_store(&keeper->tick_ms, tick_ms);
    if (!keeper->has_thread)
        keeper->has_thread = arvo__thread_start(&keeper->thread, keeper_run, keeper);
    else
        pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->mutex);
}

/* ---- Holds ------------------------------------------------------------------------------ */

void
arvo__hold_begin(arvo__execution *x)
{
    const arvo_orchestrator *o = x->orchestrator;
    if (o->renew_max_ms == 0)
        return;
    arvo__keeper *keeper = arvo__scratch_pool_keeper(o->pool);
    const int64_t tick_ms =
        o->lease_ms / 3 > KEEPER_TICK_MS_MIN ? o->lease_ms / 3 : KEEPER_TICK_MS_MIN;
    if (ARVO_UNLIKELY(atomic_load_explicit(&keeper->tick_ms, memory_order_relaxed) > tick_ms))
        keeper_ensure(keeper, tick_ms);

    arvo__hold *hold = &x->scratch->hold;
    const uint64_t number =
        (atomic_load_explicit(&hold->word, memory_order_relaxed) >> HOLD_NUMBER_SHIFT) + 1;
    hold->orchestrator = o;
    hold->subject = x->event->subject;
    hold->lease = x->lease;
    hold->is_lost = false;
    atomic_store_explicit(
        &hold->word, number << HOLD_NUMBER_SHIFT | HOLD_HELD, memory_order_release);
}

/* Get the hold back from the keeper; it is idle then. */
static void
hold_take(arvo__execution *x)
{
    arvo__hold *hold = &x->scratch->hold;
    uint64_t word = atomic_load_explicit(&hold->word, memory_order_relaxed);
    while ((word & HOLD_STATE) == HOLD_BUSY || !atomic_compare_exchange_strong_explicit(
                                                   &hold->word, &word, word & ~HOLD_STATE,
                                                   memory_order_acquire, memory_order_relaxed)) {
        arvo__keeper *keeper = arvo__scratch_pool_keeper(x->orchestrator->pool);
        pthread_mutex_lock(&keeper->mutex);
        while ((atomic_load_explicit(&hold->word, memory_order_relaxed) & HOLD_STATE) == HOLD_BUSY)
            pthread_cond_wait(&keeper->done, &keeper->mutex);
        pthread_mutex_unlock(&keeper->mutex);
        word = atomic_load_explicit(&hold->word, memory_order_relaxed);
    }
}

void
arvo__hold_refresh(arvo__execution *x)
{
    arvo__hold *hold = &x->scratch->hold;
    if (ARVO_LIKELY((atomic_load_explicit(&hold->word, memory_order_relaxed) & HOLD_RENEWED) == 0))
        return;
    hold_take(x);
    x->lease = hold->lease;
    const uint64_t word = atomic_load_explicit(&hold->word, memory_order_relaxed);
    atomic_store_explicit(&hold->word, (word & ~HOLD_RENEWED) | HOLD_HELD, memory_order_release);
}

void
arvo__hold_end(arvo__execution *x)
{
    if ((atomic_load_explicit(&x->scratch->hold.word, memory_order_relaxed) & HOLD_STATE) !=
        HOLD_IDLE)
        hold_take(x);
}

/* ---- Life --------------------------------------------------------------------------------- */

arvo__keeper *
arvo__keeper_new(const arvo_allocator *allocator)
{
    arvo__keeper *keeper = arvo__calloc(allocator, 1, sizeof(*keeper));
    if (keeper == NULL)
        return NULL;
    keeper->allocator = allocator;
    atomic_init(&keeper->tick_ms, KEEPER_OFF);
    if (pthread_mutex_init(&keeper->mutex, NULL) != 0 || !arvo__cond_init(&keeper->wake) ||
        !arvo__cond_init(&keeper->done)) {
        arvo__free(allocator, keeper, sizeof(*keeper)); /* on Linux none of them holds anything */
        return NULL;
    }
    (void)pthread_once(&keepers_once, keepers_setup);
    pthread_mutex_lock(&keepers_mutex);
    keeper->next_keeper = keepers;
    keepers = keeper;
    pthread_mutex_unlock(&keepers_mutex);
    return keeper;
}

void
arvo__keeper_add(arvo__keeper *keeper, arvo__hold *hold)
{
    pthread_mutex_lock(&keeper->mutex);
    hold->next = keeper->holds;
    keeper->holds = hold;
    pthread_mutex_unlock(&keeper->mutex);
}

void
arvo__keeper_free(arvo__keeper *keeper)
{
    if (keeper == NULL)
        return;
    pthread_mutex_lock(&keepers_mutex);
    arvo__keeper **link = &keepers;
    while (*link != keeper)
        link = &(*link)->next_keeper;
    *link = keeper->next_keeper;
    pthread_mutex_unlock(&keepers_mutex);

    pthread_mutex_lock(&keeper->mutex);
    keeper->is_stopping = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->mutex);
    if (keeper->has_thread)
        (void)pthread_join(keeper->thread, NULL);
    (void)pthread_cond_destroy(&keeper->wake);
    (void)pthread_cond_destroy(&keeper->done);
    (void)pthread_mutex_destroy(&keeper->mutex);
    arvo__free(keeper->allocator, keeper, sizeof(*keeper));
}
