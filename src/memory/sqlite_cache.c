/* What this process knows of the records in the SQLite file, so that an execution
 * need not read what the one before it has just written.
 *
 * An entry is a record, and which events its subject has consumed. It is as good
 * as the file as long as the subject's stamp in PATH-lease, which whoever changes
 * a subject changes first (sqlite_shared.c), is the one it was made under, and is
 * asked for only by whoever holds the subject's lease. Nothing relies on that: a
 * commit names the revision it read, and the file has the last word on it and on
 * the inbox. What an entry knows wrongly, after a file was edited by hand, costs
 * one refused commit, behind which the file is read again.
 *
 * Entries are whole and replaced whole; the one used longest ago goes first.
 */

#include "arvo_config.h"

#include "memory/internal.h"

#ifdef ARVO_HAVE_SQLITE

#include <string.h>

#include "memory/sqlite.h"

#define CACHE_BUCKETS   8192u                      /* power of two */
#define CACHE_BYTES_MAX ((size_t)32 * 1024 * 1024) /* of all entries */
#define CACHE_ENTRY_MAX ((size_t)64 * 1024)        /* larger records are read each time */

struct sqlite_entry {
    struct sqlite_entry *next;          /* in its bucket */
    struct sqlite_entry *newer, *older; /* by last use */
    uint64_t hash;                      /* of the subject */
    size_t bytes;
    uint32_t stamp;
    struct sqlite_inbox inbox;
    arvo_record record; /* its texts lie behind */
};

bool
arvo__sqlite_cache_init(struct sqlite_cache *cache, const arvo_allocator *allocator)
{
    cache->bytes_max = CACHE_BYTES_MAX;
    if (pthread_mutex_init(&cache->mutex, NULL) != 0)
        return false;
    cache->buckets = arvo__calloc(allocator, CACHE_BUCKETS, sizeof(cache->buckets[0]));
    return cache->buckets != NULL;
}

void
arvo__sqlite_cache_fini(struct sqlite_cache *cache, const arvo_allocator *allocator)
{
    while (cache->newest != NULL) {
        struct sqlite_entry *entry = cache->newest;
        cache->newest = entry->older;
        arvo__free(allocator, entry, entry->bytes);
    }
    if (cache->buckets != NULL)
        arvo__free(allocator, cache->buckets, CACHE_BUCKETS * sizeof(cache->buckets[0]));
    (void)pthread_mutex_destroy(&cache->mutex);
}

/* ---- Entries; with the mutex held ---------------------------------------- */

static struct sqlite_entry **
cache_find(struct sqlite_cache *cache, arvo_str subject, uint64_t hash)
{
    struct sqlite_entry **link = &cache->buckets[hash % CACHE_BUCKETS];
    while (*link != NULL &&
           !((*link)->hash == hash && arvo_str_equal((*link)->record.subject, subject)))
        link = &(*link)->next;
    return link;
}

static void
cache_use(struct sqlite_cache *cache, struct sqlite_entry *entry)
{
    entry->older = cache->newest;
    entry->newer = NULL;
    if (cache->newest != NULL)
        cache->newest->newer = entry;
    else
        cache->oldest = entry;
    cache->newest = entry;
}

static void
cache_unuse(struct sqlite_cache *cache, struct sqlite_entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void
cache_remove(struct sqlite_store *store, struct sqlite_entry **link)
{
    struct sqlite_entry *entry = *link;
    *link = entry->next;
    cache_unuse(&store->cache, entry);
    store->cache.bytes -= entry->bytes;
    arvo__free(store->allocator, entry, entry->bytes);
}

static void
cache_add(struct sqlite_store *store, struct sqlite_entry *entry)
{
    struct sqlite_cache *cache = &store->cache;
    struct sqlite_entry **link = cache_find(cache, entry->record.subject, entry->hash);
    if (*link != NULL)
        cache_remove(store, link);
    while (cache->oldest != NULL && cache->bytes + entry->bytes > cache->bytes_max)
        cache_remove(store, cache_find(cache, cache->oldest->record.subject, cache->oldest->hash));
    link = &cache->buckets[entry->hash % CACHE_BUCKETS];
    entry->next = *link;
    *link = entry;
    cache->bytes += entry->bytes;
    cache_use(cache, entry);
}

/* ---- Copies ---------------------------------------------------------------- */

/* The record with its texts at `at`. */
static void
record_copy(const arvo_record *record, char *at, arvo_record *out)
{
    *out = *record;
    for (size_t i = 0; i < ARVO__RECORD_STRINGS; i++) {
        arvo_str *text = arvo__record_string(out, i);
        if (text->ptr == NULL)
            continue;
        memcpy(at, text->ptr, text->len);
        text->ptr = at;
        at += text->len;
    }
}

/* Not to be had, or too large: NULL, and nothing is known of the subject then. */
static struct sqlite_entry *
entry_new(
    const arvo_allocator *allocator, uint64_t hash, uint32_t stamp, const arvo_record *record,
    const struct sqlite_inbox *inbox)
{
    const size_t bytes = sizeof(struct sqlite_entry) + arvo__record_text_bytes(record);
    struct sqlite_entry *entry = bytes <= CACHE_ENTRY_MAX ? arvo__alloc(allocator, bytes) : NULL;
    if (entry == NULL)
        return NULL;
    *entry = (struct sqlite_entry){ .hash = hash, .bytes = bytes, .stamp = stamp, .inbox = *inbox };
    record_copy(record, (char *)(entry + 1), &entry->record);
    return entry;
}

/* ---- Inboxes ----------------------------------------------------------------- */

/* Two events with one hash cost a look into the file. */
uint64_t
arvo__sqlite_inbox_key(arvo_str source, arvo_str id)
{
    return arvo__hash(id.ptr, id.len, arvo__hash_keyed(source.ptr, source.len));
}

void
arvo__sqlite_inbox_add(struct sqlite_inbox *inbox, uint64_t key)
{
    if (inbox->count == ARVO_COUNT_OF(inbox->keys))
        inbox->is_whole = false;
    else
        inbox->keys[inbox->count++] = key;
}

/* Whether this event was certainly not consumed yet. */
static bool
inbox_lacks(const struct sqlite_inbox *inbox, uint64_t key)
{
    for (size_t i = 0; i < inbox->count; i++) {
        if (inbox->keys[i] == key)
            return false;
    }
    return inbox->is_whole;
}

/* ---- The cache ------------------------------------------------------------------ */

bool
arvo__sqlite_cache_get(
    struct sqlite_store *store, const arvo_lock_request *request, arvo_arena *arena,
    arvo_locked *out)
{
    struct sqlite_cache *cache = &store->cache;
    const uint64_t hash = arvo__hash_keyed(request->subject.ptr, request->subject.len);
    const uint64_t key = arvo__sqlite_inbox_key(request->source, request->id);
    const uint32_t stamp = arvo__sqlite_stamp(store, request->subject);
    char *at = NULL;
    (void)pthread_mutex_lock(&cache->mutex);
    struct sqlite_entry *entry = *cache_find(cache, request->subject, hash);
    if (entry != NULL && entry->stamp == stamp && inbox_lacks(&entry->inbox, key))
        at = arvo__arena_alloc(arena, arvo__record_text_bytes(&entry->record));
    if (at != NULL) {
        record_copy(&entry->record, at, &out->record);
        cache_unuse(cache, entry);
        cache_use(cache, entry);
    }
    (void)pthread_mutex_unlock(&cache->mutex);
    out->has_record = at != NULL;
    out->is_consumed = false;
    return at != NULL;
}

void
arvo__sqlite_cache_put(
    struct sqlite_store *store, uint32_t stamp, const arvo_record *record,
    const struct sqlite_inbox *inbox)
{
    struct sqlite_cache *cache = &store->cache;
    const uint64_t hash = arvo__hash_keyed(record->subject.ptr, record->subject.len);
    struct sqlite_entry *entry = entry_new(store->allocator, hash, stamp, record, inbox);
    (void)pthread_mutex_lock(&cache->mutex);
    if (entry != NULL) {
        cache_add(store, entry);
    } else {
        struct sqlite_entry **link = cache_find(cache, record->subject, hash);
        if (*link != NULL)
            cache_remove(store, link);
    }
    (void)pthread_mutex_unlock(&cache->mutex);
}

bool
arvo__sqlite_cache_peek(
    struct sqlite_store *store, arvo_str subject, uint64_t revision, int64_t *out_created_ms,
    struct sqlite_inbox *out_inbox)
{
    struct sqlite_cache *cache = &store->cache;
    const uint64_t hash = arvo__hash_keyed(subject.ptr, subject.len);
    (void)pthread_mutex_lock(&cache->mutex);
    const struct sqlite_entry *entry = *cache_find(cache, subject, hash);
    const bool is_there = entry != NULL && entry->record.revision == revision;
    if (is_there) {
        *out_created_ms = entry->record.created_ms;
        *out_inbox = entry->inbox;
    }
    (void)pthread_mutex_unlock(&cache->mutex);
    return is_there;
}

#endif
