/* The inbox of the in-process store: keys of consumed events in each instance,
 * and the newest outcomes in one ring per shard.
 *
 * A key costs 16 bytes and stays as long as `inbox` newer ones have not pushed
 * it out; an outcome stays until the ring has gone round. An event whose key is
 * known but whose outcome is gone is still a duplicate: it has no second
 * effect, and is answered with no events.
 */

#include <string.h>

#include "memory/simple.h"

/* In the ring, 8-aligned; the events follow. `bytes` first: the marker of a skipped end is cut off
 * behind `count`. */
struct outcome {
    uint32_t bytes; /* with this header and padding */
    uint32_t count; /* events; OUTCOME_SKIP: go on at the ring's start */
    uint64_t key;
    int64_t time_ms;
};

#define RING_PREFETCH_LINES 8u
#define OUTCOME_SKIP        UINT32_MAX
#define OUTCOME_STRINGS     5u

struct outcome_event {
    int64_t seq;
    uint32_t len[OUTCOME_STRINGS]; /* id, source, type, domains, json */
    uint32_t bytes;                /* of the strings, padded */
};

static size_t
pad8(size_t bytes)
{
    return (bytes + 7u) & ~(size_t)7u;
}

/* ---- Keys -------------------------------------------------------------- */

/* A collision would swallow an event: 64 keyed bits make that one in 10^18 per pair, and nobody
 * outside can look for one. */
uint64_t
arvo__simple_inbox_key_of(arvo_str source, arvo_str id)
{
    return arvo__hash(id.ptr, id.len, arvo__hash_keyed(source.ptr, source.len));
}

/* Keys lie at the end of the block, the first one last, so that strings and keys grow towards each
 * other. */
struct simple_inbox_key *
arvo__simple_inbox_at(const struct simple_instance *instance, size_t i)
{
    const uintptr_t end = (uintptr_t)instance + arvo__pool_class_bytes(instance->size_class);
    return (struct simple_inbox_key *)(end - (i + 1) * sizeof(struct simple_inbox_key));
}

const struct simple_inbox_key *
arvo__simple_inbox_find(const struct simple_instance *instance, uint64_t key)
{
    const struct simple_inbox_key *at = arvo__simple_inbox_at(instance, 0);
    for (size_t i = 0; i < instance->inbox_count; i++, at--) {
        if (at->key == key)
            return at;
    }
    return NULL;
}

void
arvo__simple_inbox_add(struct simple_instance *instance, uint64_t key, uint64_t at, uint16_t max)
{
    size_t i = instance->inbox_count;
    if (i < max) {
        instance->inbox_count++;
    } else {
        i = instance->inbox_next;
        instance->inbox_next = (uint16_t)((i + 1) % max);
    }
    *arvo__simple_inbox_at(instance, i) = (struct simple_inbox_key){ .key = key, .at = at };
}

/* ---- Ring -------------------------------------------------------------- */

bool
arvo__simple_ring_reserve(struct simple_ring *ring, const arvo_allocator *allocator)
{
    if (ring->bytes == NULL && ring->cap > 0) {
        ring->bytes = arvo__alloc(allocator, ring->cap);
        ring->ready = ring->bytes != NULL ? arvo__pages_begin(ring->bytes) : NULL;
    }
    return ring->bytes != NULL || ring->cap == 0;
}

static struct outcome *
ring_at(const struct simple_ring *ring, uint64_t position)
{
    return (struct outcome *)(void *)(ring->bytes + (position & (ring->cap - 1)));
}

static void
ring_make_room(struct simple_ring *ring, size_t bytes)
{
    while (ring->tail < ring->head && ring->head + bytes - ring->tail > ring->cap)
        ring->tail += ring_at(ring, ring->tail)->bytes;
}

void
arvo__simple_ring_prefetch(const struct simple_ring *ring)
{
    if (ring->bytes == NULL)
        return;
    const char *at = ring->bytes + (ring->head & (ring->cap - 1));
    for (size_t line = 0; line < RING_PREFETCH_LINES; line++)
        __builtin_prefetch(at + line * 64, 1);
}

static size_t
outcome_event_bytes(const arvo_stored_event *event)
{
    return pad8(
        event->id.len + event->source.len + event->type.len + event->domains.len + event->json.len);
}

static char *
outcome_event_put(char *at, const arvo_stored_event *event, int64_t seq)
{
    const arvo_str texts[OUTCOME_STRINGS] = { event->id, event->source, event->type, event->domains,
                                              event->json };
    struct outcome_event header = { .seq = seq, .bytes = (uint32_t)outcome_event_bytes(event) };
    char *text = at + sizeof(header);
    for (size_t i = 0; i < OUTCOME_STRINGS; i++) {
        header.len[i] = (uint32_t)texts[i].len;
        memcpy(text, texts[i].ptr, texts[i].len);
        text += texts[i].len;
    }
    memcpy(at, &header, sizeof(header));
    return at + sizeof(header) + header.bytes;
}

uint64_t
arvo__simple_ring_put(
    struct simple_ring *ring, uint64_t key, const arvo_commit *commit, int64_t first_seq,
    int64_t now)
{
    size_t bytes = sizeof(struct outcome);
    for (size_t i = 0; i < commit->produced_count; i++)
        bytes += sizeof(struct outcome_event) + outcome_event_bytes(&commit->produced[i]);
    if (bytes > ring->cap || bytes > UINT32_MAX)
        return SIMPLE_OUTCOME_NONE;

    const size_t to_end = ring->cap - (size_t)(ring->head & (ring->cap - 1));
    if (to_end < bytes) {
        ring_make_room(ring, to_end);
        struct outcome *skip = ring_at(ring, ring->head);
        skip->bytes = (uint32_t)to_end;
        skip->count = OUTCOME_SKIP;
        ring->head += to_end;
    }
    ring_make_room(ring, bytes);
    struct outcome *outcome = ring_at(ring, ring->head);
    arvo__pages_make_ready(&ring->ready, (char *)outcome + bytes, ring->bytes + ring->cap);
    *outcome = (struct outcome){ .bytes = (uint32_t)bytes,
                                 .count = (uint32_t)commit->produced_count,
                                 .key = key,
                                 .time_ms = now };
    char *at = (char *)(outcome + 1);
    for (size_t i = 0; i < commit->produced_count; i++)
        at = outcome_event_put(at, &commit->produced[i], first_seq + (int64_t)i);
    const uint64_t position = ring->head;
    ring->head += bytes;
    return position;
}

arvo_str
arvo__simple_ring_get(const struct simple_ring *ring, uint64_t key, uint64_t at)
{
    if (at == SIMPLE_OUTCOME_NONE || at < ring->tail || at >= ring->head)
        return ARVO_STR_NONE;
    const struct outcome *outcome = ring_at(ring, at);
    if (outcome->key != key)
        return ARVO_STR_NONE;
    return (arvo_str){ (const char *)outcome, outcome->bytes };
}

void
arvo__simple_outcome_each(arvo_str outcome, arvo_str subject, arvo_stored_event_fn each, void *user)
{
    struct outcome header;
    memcpy(&header, outcome.ptr, sizeof(header));
    const char *at = outcome.ptr + sizeof(header);
    for (uint32_t i = 0; i < header.count; i++) {
        struct outcome_event row;
        memcpy(&row, at, sizeof(row));
        at += sizeof(row);
        arvo_str texts[OUTCOME_STRINGS];
        const char *text = at;
        for (size_t k = 0; k < OUTCOME_STRINGS; k++) {
            texts[k] = (arvo_str){ text, row.len[k] };
            text += row.len[k];
        }
        at += row.bytes;
        const arvo_stored_event event = { .seq = row.seq,
                                          .direction = ARVO_PRODUCED,
                                          .subject = subject,
                                          .id = texts[0],
                                          .source = texts[1],
                                          .type = texts[2],
                                          .domains = texts[3],
                                          .json = texts[4],
                                          .time_ms = header.time_ms };
        if (!each(user, &event))
            return;
    }
}
