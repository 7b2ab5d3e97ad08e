/* json/object.h - how members are stored and found. */
#ifndef ARVO_SRC_JSON_OBJECT_H
#define ARVO_SRC_JSON_OBJECT_H

#include "json/internal.h"

/* Objects with room for more members than this carry a hash index. */
#define ARVO__OBJECT_SCAN_MAX 32u

/* Room for `cap` members, with an empty index in front when cap > ARVO__OBJECT_SCAN_MAX. */
struct arvo__member *arvo__object_storage(arvo_arena *arena, size_t cap);

/* Enter member `i` of an indexed object into its index. The key must not be there yet. */
void arvo__object_index(struct arvo__member *members, uint32_t i);

/* The member with this key, or NULL. */
struct arvo__member *
arvo__object_find(const struct arvo_json *object, const char *key, size_t key_len);

/* A cheap mix of a short key's length and ends; for telling most keys apart. */
static inline uint32_t
arvo__key_mix(const char *key, size_t len)
{
    uint32_t head = 0, tail = 0;
    if (len >= 4) {
        memcpy(&head, key, 4);
        memcpy(&tail, key + len - 4, 4);
    } else {
        for (size_t i = 0; i < len; i++)
            head = head << 8 | (unsigned char)key[i];
    }
    uint32_t mix = (head ^ (tail << 7 | tail >> 25)) + (uint32_t)len * 0x9e3779b1u;
    mix *= 0x85ebca6bu;
    return mix ^ mix >> 15;
}

#endif
