/* A bounded cache of decoded subjects: sets of eight, the least recently used of a set goes, so an
 * entry outlives its use by seven decodes at least.
 *
 * The hash is keyed by the process, so nobody outside can choose subjects that fall into one set.
 */

#include "subject/internal.h"

#define SUBJECT_ARENA_CHUNK_BYTES ((size_t)1536) /* what a common subject needs */

bool
arvo__subject_cache_init(
    arvo__subject_cache *cache, uint32_t entries, const arvo_allocator *allocator)
{
    *cache = (arvo__subject_cache){ .allocator = allocator };
    cache->set_count = entries < ARVO__SUBJECT_WAYS ? 1 : entries / ARVO__SUBJECT_WAYS;
    cache->sets = arvo__calloc(allocator, cache->set_count, sizeof(*cache->sets));
    cache->entries = arvo__calloc(
        allocator, (size_t)cache->set_count * ARVO__SUBJECT_WAYS, sizeof(*cache->entries));
    if (cache->sets != NULL && cache->entries != NULL)
        return true;
    arvo__subject_cache_fini(cache);
    return false;
}

void
arvo__subject_cache_fini(arvo__subject_cache *cache)
{
    const size_t count = (size_t)cache->set_count * ARVO__SUBJECT_WAYS;
    if (cache->entries != NULL)
        for (size_t i = 0; i < count; i++)
            arvo_arena_free(cache->entries[i].arena);
    arvo__free(cache->allocator, cache->entries, count * sizeof(*cache->entries));
    arvo__free(cache->allocator, cache->sets, cache->set_count * sizeof(*cache->sets));
    *cache = (arvo__subject_cache){ .allocator = NULL };
}

static size_t
cache_set_of(const arvo__subject_cache *cache, uint64_t hash)
{
    return (size_t)(((hash >> 32) * cache->set_count) >> 32);
}

const arvo_subject *
arvo__subject_cache_find(arvo__subject_cache *cache, arvo_str text, uint64_t hash)
{
    const size_t at = cache_set_of(cache, hash);
    struct arvo__subject_set *set = &cache->sets[at];
    for (uint32_t way = 0; way < ARVO__SUBJECT_WAYS; way++) {
        if (set->tags[way] != (hash | 1))
            continue;
        const struct arvo__subject_entry *entry = &cache->entries[at * ARVO__SUBJECT_WAYS + way];
        if (!arvo_str_equal(entry->text, text))
            continue;
        set->used[way] = ++cache->clock;
        return &entry->subject;
    }
    return NULL;
}

/* A free way, or the one unused for the longest time. */
static uint32_t
cache_way_to_fill(const arvo__subject_cache *cache, const struct arvo__subject_set *set)
{
    uint32_t oldest = 0, age_max = 0;
    for (uint32_t way = 0; way < ARVO__SUBJECT_WAYS; way++) {
        if (set->tags[way] == 0)
            return way;
        const uint32_t age = cache->clock - set->used[way];
        if (age > age_max) {
            age_max = age;
            oldest = way;
        }
    }
    return oldest;
}

/* The strings of a subject lie in its document: they are found again in the copy. */
static bool
cache_entry_fill(struct arvo__subject_entry *entry, arvo_str text, const arvo_subject *subject)
{
    const arvo_json *json = arvo_json_copy(entry->arena, subject->json);
    entry->text = arvo_arena_str_dup(entry->arena, text);
    if (json == NULL || entry->text.ptr == NULL)
        return false;
    const arvo_json *orchestrator = arvo_json_get(json, "orchestrator");
    const arvo_json *execution = arvo_json_get(json, "execution");
    entry->subject = (arvo_subject){
        .orchestrator_name = arvo_json_str(arvo_json_get(orchestrator, "name")),
        .orchestrator_version = arvo_json_str(arvo_json_get(orchestrator, "version")),
        .execution_id = arvo_json_str(arvo_json_get(execution, "id")),
        .initiator = arvo_json_str(arvo_json_get(execution, "initiator")),
        .domain = arvo_json_str(arvo_json_get(execution, "domain")),
        .meta = arvo_json_get(json, "meta"),
        .json = json,
    };
    return true;
}

const arvo_subject *
arvo__subject_cache_add(
    arvo__subject_cache *cache, arvo_str text, uint64_t hash, const arvo_subject *subject)
{
    const size_t at = cache_set_of(cache, hash);
    struct arvo__subject_set *set = &cache->sets[at];
    const uint32_t way = cache_way_to_fill(cache, set);
    struct arvo__subject_entry *entry = &cache->entries[at * ARVO__SUBJECT_WAYS + way];

    set->tags[way] = 0;
    if (entry->arena == NULL)
        entry->arena = arvo_arena_new(&(arvo_arena_opts){
            .allocator = cache->allocator, .chunk_bytes = SUBJECT_ARENA_CHUNK_BYTES });
    else
        arvo_arena_reset(entry->arena);
    if (entry->arena == NULL || !cache_entry_fill(entry, text, subject))
        return NULL;
    set->tags[way] = hash | 1;
    set->used[way] = ++cache->clock;
    return &entry->subject;
}
