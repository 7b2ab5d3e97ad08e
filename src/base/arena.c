/* Memory: the allocator seam, and arenas that keep and reuse their chunks. */

#include "base/internal.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef ARVO__ARENA_GUARDED
#include <sanitizer/asan_interface.h>
#define ARENA_GAP_BYTES       ((size_t)8)
#define arena_hide(ptr, size) ASAN_POISON_MEMORY_REGION((ptr), (size))
#define arena_show(ptr, size) ASAN_UNPOISON_MEMORY_REGION((ptr), (size))
#else
#define ARENA_GAP_BYTES       ((size_t)0)
#define arena_hide(ptr, size) ((void)(ptr), (void)(size))
#define arena_show(ptr, size) ((void)(ptr), (void)(size))
#endif

#define ARENA_CHUNK_BYTES_MIN      ((size_t)256)
#define ARENA_ITEMS_MIN            ((size_t)8)               /* of a list that grows */
#define ARENA_CHUNK_BYTES_GROW_MAX ((size_t)8 * 1024 * 1024) /* doubling stops here */

void *
arvo__alloc(const arvo_allocator *allocator, size_t size)
{
    const size_t bytes = size != 0 ? size : 1;
    return allocator != NULL ? allocator->alloc(allocator->self, bytes) : malloc(bytes);
}

void *
arvo__calloc(const arvo_allocator *allocator, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    void *ptr = arvo__alloc(allocator, count * size);
    if (ptr != NULL)
        memset(ptr, 0, count * size);
    return ptr;
}

void
arvo__free(const arvo_allocator *allocator, void *ptr, size_t size)
{
    if (ptr == NULL)
        return;
    if (allocator != NULL)
        allocator->free(allocator->self, ptr, size != 0 ? size : 1);
    else
        free(ptr);
}

/* Chunks form a list in the order they were made. Those behind `current` are
 * empty: they are left from work before a rewind and are used again. */
struct arvo__chunk {
    struct arvo__chunk *next;
    size_t size; /* of data */
    alignas(max_align_t) char data[];
};

static const arvo_allocator *
arena_allocator(const arvo_arena *arena)
{
    return arena->has_allocator ? &arena->allocator : NULL;
}

static struct arvo__chunk *
arena_chunk_new(arvo_arena *arena, size_t size)
{
    if (size > arena->bytes_max || arena->bytes_total > arena->bytes_max - size)
        return NULL;
    struct arvo__chunk *chunk =
        arvo__alloc(arena_allocator(arena), sizeof(struct arvo__chunk) + size);
    if (chunk == NULL)
        return NULL;
    chunk->next = NULL;
    chunk->size = size;
    arena->bytes_total += size;
    arena_hide(chunk->data, size);
    return chunk;
}

/* Free the chunks behind `last`. */
static void
arena_chunks_free(arvo_arena *arena, struct arvo__chunk *last)
{
    for (struct arvo__chunk *chunk = last->next, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        arena->bytes_total -= chunk->size;
        arena_show(chunk->data, chunk->size);
        arvo__free(arena_allocator(arena), chunk, sizeof(*chunk) + chunk->size);
    }
    last->next = NULL;
}

static void
arena_enter(arvo_arena *arena, struct arvo__chunk *chunk, size_t used)
{
    arena->current = chunk;
    arena->cursor = chunk->data + used;
    arena->end = chunk->data + chunk->size;
}

arvo_arena *
arvo_arena_new(const arvo_arena_opts *opts)
{
    static const arvo_arena_opts defaults = { 0 };
    if (opts == NULL)
        opts = &defaults;

    arvo_arena *arena = arvo__alloc(opts->allocator, sizeof(*arena));
    if (arena == NULL)
        return NULL;
    memset(arena, 0, sizeof(*arena));
    if (opts->allocator != NULL) {
        arena->allocator = *opts->allocator;
        arena->has_allocator = true;
    }
    arena->chunk_bytes =
        opts->chunk_bytes != 0 ? opts->chunk_bytes : ARVO_ARENA_CHUNK_BYTES_DEFAULT;
    if (arena->chunk_bytes < ARENA_CHUNK_BYTES_MIN)
        arena->chunk_bytes = ARENA_CHUNK_BYTES_MIN;
    arena->bytes_max = opts->bytes_max != 0 ? opts->bytes_max : ARVO_ARENA_BYTES_MAX_DEFAULT;

    /* A bound below the usual first chunk still allows an arena of that size. */
    const size_t first =
        arena->chunk_bytes < arena->bytes_max ? arena->chunk_bytes : arena->bytes_max;
    arena->first = arena_chunk_new(arena, first);
    if (arena->first == NULL) {
        arvo__free(opts->allocator, arena, sizeof(*arena));
        return NULL;
    }
    arena_enter(arena, arena->first, 0);
    return arena;
}

void
arvo_arena_free(arvo_arena *arena)
{
    if (arena == NULL)
        return;
    const arvo_allocator copy = arena->allocator;
    const arvo_allocator *allocator = arena->has_allocator ? &copy : NULL;
    arena_chunks_free(arena, arena->first);
    arena_show(arena->first->data, arena->first->size);
    arvo__free(allocator, arena->first, sizeof(*arena->first) + arena->first->size);
    arvo__free(allocator, arena, sizeof(*arena));
}

/* Take the first empty chunk of at least `size` bytes out of those behind the current one. */
static struct arvo__chunk *
arena_chunk_take(arvo_arena *arena, size_t size)
{
    for (struct arvo__chunk **link = &arena->current->next; *link != NULL; link = &(*link)->next) {
        struct arvo__chunk *chunk = *link;
        if (chunk->size >= size) {
            *link = chunk->next;
            return chunk;
        }
    }
    return NULL;
}

/* Chunks double, so that their number stays small, as far as bytes_max and memory allow. */
static struct arvo__chunk *
arena_chunk_grow(arvo_arena *arena, size_t size)
{
    const size_t room = arena->bytes_max - arena->bytes_total;
    size_t bytes = arena->current->size < ARENA_CHUNK_BYTES_GROW_MAX ? arena->current->size * 2
                                                                     : arena->current->size;
    if (bytes > room)
        bytes = room;
    if (bytes < size)
        bytes = size;
    struct arvo__chunk *chunk = arena_chunk_new(arena, bytes);
    return chunk == NULL && bytes > size ? arena_chunk_new(arena, size) : chunk;
}

/* Make the next chunk one that holds `size` and enter it. */
static bool
arena_next(arvo_arena *arena, size_t size)
{
    struct arvo__chunk *chunk = arena_chunk_take(arena, size);
    if (chunk == NULL)
        chunk = arena_chunk_grow(arena, size);
    if (chunk == NULL && arena->current->next != NULL) {
        arena_chunks_free(arena, arena->current); /* empty, too small, and in the way */
        chunk = arena_chunk_grow(arena, size);
    }
    if (chunk == NULL)
        return false;
    chunk->next = arena->current->next;
    arena->current->next = chunk;
    arena_enter(arena, chunk, 0);
    return true;
}

void *
arvo__arena_alloc_slow(arvo_arena *arena, size_t size)
{
    if (size > SIZE_MAX - 7u - ARENA_GAP_BYTES) {
        arena->failed = true;
        return NULL;
    }
    const size_t rounded = ((size + 7u) & ~(size_t)7u) + ARENA_GAP_BYTES;
    if (rounded > (size_t)(arena->end - arena->cursor) && !arena_next(arena, rounded)) {
        arena->failed = true;
        return NULL;
    }
    char *ptr = arena->cursor;
    arena->cursor += rounded;
    arena_show(ptr, size);
    return ptr;
}

void *
arvo_arena_alloc(arvo_arena *arena, size_t size)
{
    ARVO_ASSERT(arena != NULL);
    const size_t align = alignof(max_align_t);
    const size_t misfit = (size_t)((uintptr_t)arena->cursor & (align - 1));
    if (misfit != 0 && (size_t)(arena->end - arena->cursor) >= align - misfit)
        arena->cursor += align - misfit;
    else if (misfit != 0)
        arena->cursor = arena->end; /* the next chunk begins aligned */
    return arvo__arena_alloc(arena, size);
}

void *
arvo_arena_calloc(arvo_arena *arena, size_t count, size_t size)
{
    ARVO_ASSERT(arena != NULL);
    if (size != 0 && count > SIZE_MAX / size) {
        arena->failed = true;
        return NULL;
    }
    void *ptr = arvo_arena_alloc(arena, count * size);
    if (ptr != NULL)
        memset(ptr, 0, count * size);
    return ptr;
}

void *
arvo__arena_grow(arvo_arena *arena, void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    const size_t larger = *cap != 0 ? *cap * 2 : ARENA_ITEMS_MIN;
    void *const copy = arvo_arena_calloc(arena, larger, size);
    if (copy == NULL)
        return NULL;
    if (count > 0)
        memcpy(copy, items, count * size);
    *cap = larger;
    return copy;
}

arvo_str
arvo_arena_str_dup(arvo_arena *arena, arvo_str str)
{
    ARVO_ASSERT(arena != NULL);
    if (str.ptr == NULL || str.len == SIZE_MAX)
        return ARVO_STR_NONE;
    char *copy = arvo__arena_alloc(arena, str.len + 1);
    if (copy == NULL)
        return ARVO_STR_NONE;
    if (str.len > 0)
        memcpy(copy, str.ptr, str.len);
    copy[str.len] = '\0';
    return (arvo_str){ copy, str.len };
}

arvo_str
arvo_arena_printf(arvo_arena *arena, const char *format, ...)
{
    ARVO_ASSERT(arena != NULL);
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int len = vsnprintf(NULL, 0, format, args);
    va_end(args);

    arvo_str str = ARVO_STR_NONE;
    char *text = len >= 0 ? arvo__arena_alloc(arena, (size_t)len + 1) : NULL;
    if (text != NULL && vsnprintf(text, (size_t)len + 1, format, again) == len)
        str = (arvo_str){ text, (size_t)len };
    va_end(again);
    return str;
}

/* Nothing behind the cursor may be used any more. */
static void
arena_hide_rest(arvo_arena *arena)
{
#ifdef ARVO__ARENA_GUARDED
    arena_hide(arena->cursor, (size_t)(arena->end - arena->cursor));
    for (struct arvo__chunk *chunk = arena->current->next; chunk != NULL; chunk = chunk->next)
        arena_hide(chunk->data, chunk->size);
#else
    (void)arena;
#endif
}

arvo_arena_mark
arvo_arena_mark_get(arvo_arena *arena)
{
    ARVO_ASSERT(arena != NULL);
    return (arvo_arena_mark){ arena->current, (size_t)(arena->cursor - arena->current->data) };
}

void
arvo_arena_rewind(arvo_arena *arena, arvo_arena_mark mark)
{
    ARVO_ASSERT(arena != NULL && mark.chunk != NULL);
    arena_enter(arena, mark.chunk, mark.used);
    arena_hide_rest(arena);
    arena->failed = false;
}

void
arvo_arena_reset(arvo_arena *arena)
{
    ARVO_ASSERT(arena != NULL);
    arena_enter(arena, arena->first, 0);
    arena_hide_rest(arena);
    arena->failed = false;
}

bool
arvo_arena_failed(const arvo_arena *arena)
{
    return arena->failed;
}

size_t
arvo_arena_used(const arvo_arena *arena)
{
    size_t used = (size_t)(arena->cursor - arena->current->data);
    for (const struct arvo__chunk *chunk = arena->first; chunk != arena->current;
         chunk = chunk->next)
        used += chunk->size;
    return used;
}
