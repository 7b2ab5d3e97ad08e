/* The working memory of executions: taken for one, given back after it.
 *
 * A thread finds again what it gave back last, so that the subjects it decoded are in the cache it
 * gets, and two threads do not meet. That place is chosen by the thread and holds one scratch; what
 * does not fit lies on a list. So there are never more of them than executions at one time.
 */

#include "orchestrator/internal.h"

#define SCRATCH_EVENT_TEXT_MAX (2 * ARVO_EVENT_BYTES_MAX)
#define SCRATCH_PLACES_LOG2    6u
#define SCRATCH_PLACES         (1u << SCRATCH_PLACES_LOG2)
#define SCRATCH_LINE_BYTES     64u

/* One to a cache line. */
struct scratch_place {
    _Atomic(arvo__scratch *) scratch;
    char unused[SCRATCH_LINE_BYTES - sizeof(_Atomic(arvo__scratch *))];
};

struct arvo__scratch_pool {
    const arvo_allocator *allocator; /* NULL, or &allocator_copy */
    arvo_allocator allocator_copy;
    bool lenient;
    atomic_uint refs; /* orchestrators */
    arvo__keeper *keeper;
    pthread_mutex_t mutex;
    arvo__scratch *list;
    struct scratch_place places[SCRATCH_PLACES];
};

/* ---- One ------------------------------------------------------------------------- */

static arvo_subject_codec *
scratch_codec(const arvo__scratch_pool *pool)
{
    return arvo_subject_codec_new(
        &(arvo_subject_codec_opts){ .allocator = pool->allocator, .lenient = pool->lenient });
}

static void
scratch_free(const arvo__scratch_pool *pool, arvo__scratch *scratch)
{
    if (scratch == NULL)
        return;
    arvo_subject_codec_free(scratch->codec);
    arvo_subject_codec_free(scratch->relatives);
    arvo_buf_fini(&scratch->text);
    arvo__free(pool->allocator, scratch, sizeof(*scratch));
}

static arvo__scratch *
scratch_new(const arvo__scratch_pool *pool)
{
    arvo__scratch *scratch = arvo__calloc(pool->allocator, 1, sizeof(*scratch));
    if (scratch == NULL)
        return NULL;
    scratch->text = ARVO_BUF_INIT(SCRATCH_EVENT_TEXT_MAX);
    scratch->text.allocator = pool->allocator;
    scratch->codec = scratch_codec(pool);
    if (scratch->codec == NULL) {
        scratch_free(pool, scratch);
        return NULL;
    }
    arvo__keeper_add(pool->keeper, &scratch->hold);
    return scratch;
}

arvo_subject_codec *
arvo__scratch_relatives(const arvo__scratch_pool *pool, arvo__scratch *scratch)
{
    if (scratch->relatives == NULL)
        scratch->relatives = scratch_codec(pool);
    return scratch->relatives;
}

/* ---- Taking and giving --------------------------------------------------------------- */

static size_t
scratch_own_place(void)
{
    static _Thread_local char here; /* its address tells threads apart */
    const uint64_t mixed = (uint64_t)(uintptr_t)&here * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(mixed >> (64 - SCRATCH_PLACES_LOG2));
}

static arvo__scratch *
scratch_take_from(struct scratch_place *place)
{
    return atomic_exchange_explicit(&place->scratch, NULL, memory_order_acquire);
}

/* From the list, or what another thread, gone perhaps, left at its place. */
static arvo__scratch *
scratch_take_elsewhere(arvo__scratch_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    arvo__scratch *scratch = pool->list;
    if (scratch != NULL)
        pool->list = scratch->next;
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < SCRATCH_PLACES && scratch == NULL; i++)
        scratch = scratch_take_from(&pool->places[i]);
    return scratch;
}

arvo__scratch *
arvo__scratch_take(arvo__scratch_pool *pool)
{
    arvo__scratch *scratch = scratch_take_from(&pool->places[scratch_own_place()]);
    if (scratch == NULL)
        scratch = scratch_take_elsewhere(pool);
    return scratch != NULL ? scratch : scratch_new(pool);
}

void
arvo__scratch_give(arvo__scratch_pool *pool, arvo__scratch *scratch)
{
    arvo__scratch *none = NULL;
    if (atomic_compare_exchange_strong_explicit(
            &pool->places[scratch_own_place()].scratch, &none, scratch, memory_order_release,
            memory_order_relaxed))
        return;
    pthread_mutex_lock(&pool->mutex);
    scratch->next = pool->list;
    pool->list = scratch;
    pthread_mutex_unlock(&pool->mutex);
}

/* ---- Life ------------------------------------------------------------------------------ */

arvo__scratch_pool *
arvo__scratch_pool_new(const arvo_allocator *allocator, bool lenient)
{
    arvo__scratch_pool *pool = arvo__calloc(allocator, 1, sizeof(*pool));
    if (pool == NULL)
        return NULL;
    if (allocator != NULL) {
        pool->allocator_copy = *allocator;
        pool->allocator = &pool->allocator_copy;
    }
    pool->lenient = lenient;
    atomic_init(&pool->refs, 1);
    for (size_t i = 0; i < SCRATCH_PLACES; i++)
        atomic_init(&pool->places[i].scratch, NULL);
    pool->keeper = arvo__keeper_new(pool->allocator);
    if (pool->keeper == NULL || pthread_mutex_init(&pool->mutex, NULL) != 0) {
        arvo__keeper_free(pool->keeper);
        arvo__free(allocator, pool, sizeof(*pool));
        return NULL;
    }
    return pool;
}

arvo__scratch_pool *
arvo__scratch_pool_ref(arvo__scratch_pool *pool)
{
    atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
    return pool;
}

void
arvo__scratch_pool_unref(arvo__scratch_pool *pool)
{
    if (pool == NULL || atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) > 1)
        return;
    arvo__keeper_free(pool->keeper);
    for (size_t i = 0; i < SCRATCH_PLACES; i++)
        scratch_free(pool, scratch_take_from(&pool->places[i]));
    for (arvo__scratch *scratch = pool->list, *next; scratch != NULL; scratch = next) {
        next = scratch->next;
        scratch_free(pool, scratch);
    }
    pthread_mutex_destroy(&pool->mutex);
    const arvo_allocator copy = pool->allocator_copy;
    arvo__free(pool->allocator != NULL ? &copy : NULL, pool, sizeof(*pool));
}

arvo__keeper *
arvo__scratch_pool_keeper(const arvo__scratch_pool *pool)
{
    return pool->keeper;
}

bool
arvo__scratch_pool_is_shared(const arvo__scratch_pool *pool)
{
    return atomic_load_explicit(&pool->refs, memory_order_relaxed) > 1;
}

bool
arvo__scratch_pool_is_lenient(const arvo__scratch_pool *pool)
{
    return pool->lenient;
}
