/* Blocks in geometric size classes, carved from slabs and recycled.
 *
 * A slab is one large allocation of which pages are touched only as blocks are
 * carved from it, so a generous slab size costs address space, not memory.
 */

#include <sys/mman.h>
#include <unistd.h>

#include "memory/internal.h"

#define POOL_CLASS_BYTES_MIN  ((size_t)64)
#define POOL_SLAB_BYTES_LARGE ((size_t)2 * 1024 * 1024) /* from here on in large pages */
#define POOL_SLAB_BYTES_MAX   ((size_t)8 * 1024 * 1024)
#define POOL_LARGE_PAGE_BYTES ((uintptr_t)2 * 1024 * 1024)
#define POOL_BLOCK_BYTES_MAX  ((size_t)64 * 1024) /* larger ones are allocated one by one */

/* Four pages made at once take about as long as one fault on a virtual machine. */
#define PAGE_BYTES       ((size_t)4096) /* where pages are larger the advice is refused, no more */
#define PAGES_STEP_BYTES ((size_t)4 * PAGE_BYTES)
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

struct arvo__pool_slab {
    struct arvo__pool_slab *next;
    size_t bytes;
};

struct arvo__pool_large {
    struct arvo__pool_large *prev, *next;
    size_t bytes;
    size_t unused; /* keeps the block behind this header aligned to 16 */
};

/* Class 0 holds up to 2^6 bytes; from there on each doubling has 2^steps_log2 classes. Most
 * instances and events lie between 512 bytes and 8 KiB, where slack counts most. */
static const struct pool_range {
    unsigned log;         /* the first class holds more than 2^log bytes */
    unsigned first_class; /* its number */
    unsigned steps_log2;
} pool_ranges[] = { { 13, 89, 3 }, { 9, 25, 4 }, { 6, 1, 3 } };

uint8_t
arvo__pool_class_of(size_t size)
{
    if (size <= POOL_CLASS_BYTES_MIN)
        return 0;
    /* size lies in (2^log, 2^(log + 1)]; the steps lead from one end to the other. */
    const unsigned log = 63u - (unsigned)__builtin_clzll((unsigned long long)size - 1);
    const struct pool_range *range = pool_ranges;
    while (log < range->log)
        range++;
    const size_t step = (size_t)1 << (log - range->steps_log2);
    const size_t index = (size - ((size_t)1 << log) - 1) / step;
    const size_t result =
        range->first_class + ((size_t)(log - range->log) << range->steps_log2) + index;
    return (uint8_t)(result < ARVO__POOL_CLASSES ? result : ARVO__POOL_CLASSES);
}

size_t
arvo__pool_class_bytes(uint8_t size_class)
{
    if (size_class == 0)
        return POOL_CLASS_BYTES_MIN;
    const struct pool_range *range = pool_ranges;
    while (size_class < range->first_class)
        range++;
    const unsigned at = size_class - range->first_class;
    const unsigned log = range->log + (at >> range->steps_log2);
    const unsigned index = at & ((1u << range->steps_log2) - 1);
    return ((size_t)1 << log) + ((size_t)(index + 1) << (log - range->steps_log2));
}

void
arvo__pool_init(arvo__pool *pool, const arvo_allocator *allocator, size_t slab_bytes)
{
    *pool = (arvo__pool){ .allocator = allocator, .slab_bytes = slab_bytes };
}

void
arvo__pool_fini(arvo__pool *pool)
{
    while (pool->slabs != NULL) {
        struct arvo__pool_slab *slab = pool->slabs;
        pool->slabs = slab->next;
        arvo__free(pool->allocator, slab, slab->bytes);
    }
    while (pool->large != NULL) {
        struct arvo__pool_large *large = pool->large;
        pool->large = large->next;
        arvo__free(pool->allocator, large, large->bytes);
    }
    *pool = (arvo__pool){ .allocator = pool->allocator, .slab_bytes = pool->slab_bytes };
}

static void *
pool_alloc_large(arvo__pool *pool, size_t bytes)
{
    const size_t total = sizeof(struct arvo__pool_large) + bytes;
    struct arvo__pool_large *large = arvo__alloc(pool->allocator, total);
    if (large == NULL)
        return NULL;
    *large = (struct arvo__pool_large){ .next = pool->large, .bytes = total };
    if (pool->large != NULL)
        pool->large->prev = large;
    pool->large = large;
    return large + 1;
}

/* A pool that has come so far is going to fill its slabs: in large pages the table walks and page
 * faults of a million instances all but vanish. Only advice; failing is fine. Gives where the
 * large pages begin. */
static char *
pool_advise(void *slab, size_t bytes)
{
    const uintptr_t first =
        ((uintptr_t)slab + POOL_LARGE_PAGE_BYTES - 1) & ~(POOL_LARGE_PAGE_BYTES - 1);
    const uintptr_t end = ((uintptr_t)slab + bytes) & ~(POOL_LARGE_PAGE_BYTES - 1);
#ifdef MADV_HUGEPAGE
    (void)madvise((void *)first, end - first, MADV_HUGEPAGE);
#endif
    return (char *)slab + (first - (uintptr_t)slab);
}

char *
arvo__pages_begin(char *start)
{
    return start + (-(uintptr_t)start & (PAGE_BYTES - 1));
}

void
arvo__pages_make_ready(char **ready, const char *needed, char *end)
{
    if (needed <= *ready)
        return;
    const size_t left = (size_t)(end - *ready) & ~(PAGE_BYTES - 1);
    size_t bytes =
        ((size_t)(needed - *ready) + PAGES_STEP_BYTES - 1) / PAGES_STEP_BYTES * PAGES_STEP_BYTES;
    if (bytes > left)
        bytes = left;
    if (bytes > 0)
        (void)madvise(*ready, bytes, MADV_POPULATE_WRITE);
    *ready = bytes < left ? *ready + bytes : end;
}

static bool
pool_grow(arvo__pool *pool)
{
    size_t bytes = pool->slab_bytes;
    if (bytes < 2 * POOL_BLOCK_BYTES_MAX)
        bytes = 2 * POOL_BLOCK_BYTES_MAX;
    const bool is_large = bytes >= POOL_SLAB_BYTES_LARGE;
    pool->slab_bytes = bytes * 2 <= POOL_SLAB_BYTES_MAX ? bytes * 2 : bytes;
    if (is_large)
        bytes += POOL_LARGE_PAGE_BYTES; /* to align by; not touched, so address space only */

    struct arvo__pool_slab *slab = arvo__alloc(pool->allocator, bytes);
    if (slab == NULL)
        return false;
    *slab = (struct arvo__pool_slab){ .next = pool->slabs, .bytes = bytes };
    pool->slabs = slab;
    pool->bump = is_large ? pool_advise(slab + 1, bytes - sizeof(*slab)) : (char *)(slab + 1);
    pool->end = (char *)slab + bytes;
    pool->ready = is_large ? pool->end : arvo__pages_begin(pool->bump);
    return true;
}

void *
arvo__pool_alloc(arvo__pool *pool, size_t size, uint8_t *out_class)
{
    const uint8_t size_class = arvo__pool_class_of(size);
    if (size_class >= ARVO__POOL_CLASSES)
        return NULL;
    const size_t bytes = arvo__pool_class_bytes(size_class);
    void *block = NULL;

    if (bytes > POOL_BLOCK_BYTES_MAX) {
        block = pool_alloc_large(pool, bytes);
    } else if (pool->free_blocks[size_class] != NULL) {
        block = pool->free_blocks[size_class];
        pool->free_blocks[size_class] = *(void **)block;
    } else {
        if ((size_t)(pool->end - pool->bump) < bytes && !pool_grow(pool))
            return NULL;
        block = pool->bump;
        pool->bump += bytes;
        arvo__pages_make_ready(&pool->ready, pool->bump, pool->end);
    }
    if (block != NULL)
        *out_class = size_class;
    return block;
}

void
arvo__pool_free(arvo__pool *pool, void *block, uint8_t size_class)
{
    if (block == NULL)
        return;
    if (arvo__pool_class_bytes(size_class) <= POOL_BLOCK_BYTES_MAX) {
        *(void **)block = pool->free_blocks[size_class];
        pool->free_blocks[size_class] = block;
        return;
    }
    struct arvo__pool_large *large = (struct arvo__pool_large *)block - 1;
    if (large->prev != NULL)
        large->prev->next = large->next;
    else
        pool->large = large->next;
    if (large->next != NULL)
        large->next->prev = large->prev;
    arvo__free(pool->allocator, large, large->bytes);
}

size_t
arvo__pool_bytes(const arvo__pool *pool)
{
    size_t bytes = 0;
    for (const struct arvo__pool_slab *slab = pool->slabs; slab != NULL; slab = slab->next)
        bytes += slab->bytes;
    for (const struct arvo__pool_large *large = pool->large; large != NULL; large = large->next)
        bytes += large->bytes;
    return bytes - (size_t)(pool->end - pool->bump); /* not touched yet: address space only */
}
