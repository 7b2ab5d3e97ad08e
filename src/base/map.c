/* Hashing, and a string map by open addressing. */

#include "base/internal.h"

#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>

/* Multiply-and-fold: the 128-bit product of two odd-ish words mixes all their bits; folding it
 * brings the high half back. Constants are digits of pi and e made odd. A word equal to one of them
 * would make a product of 0 whatever the key; none of the three is eight bytes of any UTF-8 text,
 * and keys from outside are UTF-8. */
#define HASH_K0 0x243f6a8885a308d3ULL
#define HASH_K1 0x13198a2e03707345ULL
#define HASH_K2 0xb7e151628aed2a6bULL

__extension__ typedef unsigned __int128 hash_u128; /* gcc and clang have it; ISO C does not */

static inline uint64_t
hash_fold(uint64_t a, uint64_t b)
{
    const hash_u128 product = (hash_u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t
hash_load(const unsigned char *bytes, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++) /* little-endian on every machine */
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

static inline uint64_t
hash_load8(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

uint64_t
arvo__hash(const void *bytes, size_t len, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t hash = seed ^ hash_fold(HASH_K0 ^ (uint64_t)len, HASH_K1);
    size_t left = len;

    if (left >= 64) { /* subjects are long: four chains of products, not one */
        uint64_t lane1 = hash ^ HASH_K0, lane2 = hash ^ HASH_K1, lane3 = hash ^ HASH_K2;
        for (; left >= 64; left -= 64, p += 64) {
            hash = hash_fold(hash_load8(p) ^ HASH_K1, hash_load8(p + 8) ^ hash);
            lane1 = hash_fold(hash_load8(p + 16) ^ HASH_K2, hash_load8(p + 24) ^ lane1);
            lane2 = hash_fold(hash_load8(p + 32) ^ HASH_K0, hash_load8(p + 40) ^ lane2);
            lane3 = hash_fold(hash_load8(p + 48) ^ HASH_K1, hash_load8(p + 56) ^ lane3);
        }
        hash = hash_fold(hash ^ lane1, lane2 ^ HASH_K2) ^ hash_fold(lane2 ^ hash, lane3 ^ HASH_K0);
    }
    for (; left >= 16; left -= 16, p += 16)
        hash = hash_fold(hash_load8(p) ^ HASH_K1, hash_load8(p + 8) ^ hash);
    if (left >= 8) {
        hash = hash_fold(hash_load8(p) ^ HASH_K2, hash ^ HASH_K0);
        p += 8;
        left -= 8;
    }
    if (left > 0)
        hash = hash_fold(hash_load(p, left) ^ HASH_K0, hash ^ HASH_K2);
    return hash_fold(hash ^ HASH_K2, HASH_K1);
}

uint64_t
arvo__hash_keyed(const void *bytes, size_t len)
{
    static _Atomic uint64_t process_key;

    uint64_t key = atomic_load_explicit(&process_key, memory_order_relaxed);
    if (ARVO_UNLIKELY(key == 0)) {
        if (getrandom(&key, sizeof(key), GRND_NONBLOCK) != (ssize_t)sizeof(key)) {
            /* Early in a boot: better a guessable key than none. */
            struct timespec now = { 0, 0 };
            (void)clock_gettime(CLOCK_MONOTONIC, &now);
            key = hash_fold(HASH_K1 ^ (uint64_t)now.tv_nsec, (uintptr_t)&process_key ^ HASH_K2);
        }
        key |= 1;
        uint64_t expected = 0;
        if (!atomic_compare_exchange_strong(&process_key, &expected, key))
            key = expected; /* another thread was first */
    }
    return arvo__hash(bytes, len, key);
}

/* ---- Map ------------------------------------------------------------------- */

#define MAP_CAP_MIN ((size_t)16)

struct arvo__map_slot {
    uint64_t hash;
    arvo_str key;
    void *value; /* NULL: free */
};

static struct arvo__map_slot *
map_slot(struct arvo__map_slot *slots, size_t cap, arvo_str key, uint64_t hash)
{
    for (size_t i = (size_t)hash & (cap - 1);; i = (i + 1) & (cap - 1)) {
        struct arvo__map_slot *slot = &slots[i];
        if (slot->value == NULL || (slot->hash == hash && arvo_str_equal(slot->key, key)))
            return slot;
    }
}

void *
arvo__map_find(const arvo__map *map, arvo_str key)
{
    if (map->cap == 0)
        return NULL;
    return map_slot(map->slots, map->cap, key, arvo__hash_keyed(key.ptr, key.len))->value;
}

static bool
map_grow(arvo__map *map)
{
    const size_t cap = map->cap != 0 ? map->cap * 2 : MAP_CAP_MIN;
    struct arvo__map_slot *slots = arvo__calloc(map->allocator, cap, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < map->cap; i++)
        if (map->slots[i].value != NULL)
            *map_slot(slots, cap, map->slots[i].key, map->slots[i].hash) = map->slots[i];
    arvo__free(map->allocator, map->slots, map->cap * sizeof(*slots));
    map->slots = slots;
    map->cap = cap;
    return true;
}

bool
arvo__map_set(arvo__map *map, arvo_str key, void *value)
{
    ARVO_ASSERT(value != NULL);
    if (map->count + 1 > map->cap / 4 * 3 && !map_grow(map))
        return false;
    const uint64_t hash = arvo__hash_keyed(key.ptr, key.len);
    struct arvo__map_slot *slot = map_slot(map->slots, map->cap, key, hash);
    if (slot->value == NULL) {
        slot->hash = hash;
        slot->key = key;
        map->count++;
    }
    slot->value = value;
    return true;
}

void
arvo__map_fini(arvo__map *map)
{
    arvo__free(map->allocator, map->slots, map->cap * sizeof(struct arvo__map_slot));
    map->slots = NULL;
    map->cap = 0;
    map->count = 0;
}
