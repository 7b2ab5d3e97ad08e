/* Members of an object: in insertion order, with a hash index in front once
 * there are many.
 *
 *   uint32_t slots[slot_count]   1 + position of a member, 0: free
 *   uint64_t slot_count          a power of two, at least twice the capacity
 *   struct arvo__member members[]   <- as.members points here
 */

#include "json/object.h"

static size_t
object_slot_count(const struct arvo__member *members)
{
    uint64_t count;
    memcpy(&count, (const char *)members - sizeof(count), sizeof(count));
    return (size_t)count;
}

static uint32_t *
object_slots(const struct arvo__member *members)
{
    const size_t bytes = sizeof(uint64_t) + object_slot_count(members) * sizeof(uint32_t);
    return (uint32_t *)((uintptr_t)members - bytes);
}

struct arvo__member *
arvo__object_storage(arvo_arena *arena, size_t cap)
{
    if (cap > UINT32_MAX / 4) {
        arena->failed = true;
        return NULL;
    }
    if (cap <= ARVO__OBJECT_SCAN_MAX)
        return arvo__arena_alloc(arena, cap * sizeof(struct arvo__member));

    uint64_t slot_count = 64;
    while (slot_count < 2 * cap)
        slot_count *= 2;
    const size_t front = (size_t)slot_count * sizeof(uint32_t) + sizeof(slot_count);
    char *memory = arvo__arena_alloc(arena, front + cap * sizeof(struct arvo__member));
    if (memory == NULL)
        return NULL;
    memset(memory, 0, (size_t)slot_count * sizeof(uint32_t));
    memcpy(memory + front - sizeof(slot_count), &slot_count, sizeof(slot_count));
    return (struct arvo__member *)(void *)(memory + front);
}

void
arvo__object_index(struct arvo__member *members, uint32_t i)
{
    uint32_t *slots = object_slots(members);
    const size_t mask = object_slot_count(members) - 1;
    size_t at = (size_t)arvo__hash_keyed(members[i].key, members[i].key_len) & mask;
    while (slots[at] != 0)
        at = (at + 1) & mask;
    slots[at] = i + 1;
}

static inline bool
object_key_is(const struct arvo__member *member, const char *key, size_t key_len)
{
    return member->key_len == key_len && memcmp(member->key, key, key_len) == 0;
}

struct arvo__member *
arvo__object_find(const struct arvo_json *object, const char *key, size_t key_len)
{
    struct arvo__member *members = object->as.members;
    if ((object->flags & ARVO__JSON_INDEXED) == 0) {
        for (uint32_t i = 0; i < object->len; i++)
            if (object_key_is(&members[i], key, key_len))
                return &members[i];
        return NULL;
    }
    const uint32_t *slots = object_slots(members);
    const size_t mask = object_slot_count(members) - 1;
    for (size_t at = (size_t)arvo__hash_keyed(key, key_len) & mask; slots[at] != 0;
         at = (at + 1) & mask)
        if (object_key_is(&members[slots[at] - 1], key, key_len))
            return &members[slots[at] - 1];
    return NULL;
}
