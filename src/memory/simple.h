/* memory/simple.h - the parts of the in-process store ("memory:").
 *
 * 64 shards by the hash of the subject. A shard has one mutex, a table from
 * hash to instance, a lease table, a block pool, and a ring of outcomes. An
 * instance is one block:
 *
 *     | fixed fields | the record's ten strings, one behind the other | ... slack ... | inbox keys
 * |
 *
 * so an idle instance costs its bytes, about a hundred more, and its slot.
 * Lock order: shards by number, then the log.
 */
#ifndef ARVO_SRC_MEMORY_SIMPLE_H
#define ARVO_SRC_MEMORY_SIMPLE_H

#include <stdatomic.h>

#include "memory/internal.h"

#define SIMPLE_SHARDS              64u
#define SIMPLE_LEN_NONE            UINT32_MAX /* a string that is null */
#define SIMPLE_OUTCOME_NONE        UINT64_MAX
#define SIMPLE_SLAB_BYTES          ((size_t)512 * 1024)
#define SIMPLE_OUTBOX_ROWS_MAX     ((size_t)1 << 20)
#define SIMPLE_STRING_ORCHESTRATOR 2u /* in the order of arvo__record_string_offsets */
#define SIMPLE_STRING_STATUS       4u
#define SIMPLE_ROWS_DEFAULT        ((size_t)1000) /* of a listing with limit 0 */

struct simple_inbox_key {
    uint64_t key; /* of (source, id) */
    uint64_t at;  /* of the outcome in the shard's ring; SIMPLE_OUTCOME_NONE: not kept */
};

struct simple_instance {
    uint64_t hash;
    uint64_t ordinal; /* in order of creation, from 1; 0: no record (only inbox or history) */
    uint64_t revision;
    uint64_t fence;
    int64_t created_ms;
    int64_t updated_ms;
    struct simple_event *newest;        /* of its history */
    uint32_t len[ARVO__RECORD_STRINGS]; /* SIMPLE_LEN_NONE: null */
    uint16_t inbox_count;
    uint16_t inbox_next; /* which to overwrite once inbox_count has reached its maximum */
    uint8_t size_class;
    char text[];
};

/* ---- Outcomes: what consumed events produced, newest ones (simple_inbox.c)  */

struct simple_ring {
    char *bytes;         /* NULL until the first outcome */
    char *ready;         /* the pages up to here are there */
    size_t cap;          /* power of two, or 0 */
    uint64_t head, tail; /* positions that only grow; the byte is at position % cap */
};

uint64_t arvo__simple_inbox_key_of(arvo_str source, arvo_str id);
const struct simple_inbox_key *
arvo__simple_inbox_find(const struct simple_instance *instance, uint64_t key);
/* The block has room for one more key, unless `max` are there already. */
void
arvo__simple_inbox_add(struct simple_instance *instance, uint64_t key, uint64_t at, uint16_t max);
struct simple_inbox_key *arvo__simple_inbox_at(const struct simple_instance *instance, size_t i);

bool arvo__simple_ring_reserve(struct simple_ring *ring, const arvo_allocator *allocator);
void arvo__simple_ring_prefetch(const struct simple_ring *ring);
/* Where it was put; SIMPLE_OUTCOME_NONE when it does not fit the ring. */
uint64_t arvo__simple_ring_put(
    struct simple_ring *ring, uint64_t key, const arvo_commit *commit, int64_t first_seq,
    int64_t now);
/* The outcome's bytes, borrowed; none when it has left the ring. */
arvo_str arvo__simple_ring_get(const struct simple_ring *ring, uint64_t key, uint64_t at);
void arvo__simple_outcome_each(
    arvo_str outcome, arvo_str subject, arvo_stored_event_fn each, void *user);

/* ---- Instances (simple_table.c) ---------------------------------------- */

struct simple_table {
    uint32_t *tags; /* 0: empty slot */
    struct simple_instance **slots;
    size_t cap; /* power of two, or 0 */
    size_t count;
};

struct simple_instance **
arvo__simple_table_find(const struct simple_table *table, arvo_str subject, uint64_t hash);
/* A lock is followed by a read: bring slot and block into the cache meanwhile. */
void arvo__simple_table_prefetch(const struct simple_table *table, uint64_t hash);
void arvo__simple_instance_prefetch(const struct simple_table *table, uint64_t hash);
struct simple_instance *
arvo__simple_table_find_ordinal(const struct simple_table *table, uint64_t hash, uint64_t ordinal);
bool arvo__simple_table_reserve(
    struct simple_table *table, size_t more, const arvo_allocator *allocator);
void arvo__simple_table_add(struct simple_table *table, struct simple_instance *instance);
/* `slot` as find gave it; the block stays the caller's. */
void arvo__simple_table_remove(struct simple_table *table, struct simple_instance **slot);
void arvo__simple_table_fini(struct simple_table *table, const arvo_allocator *allocator);

size_t arvo__simple_instance_text_bytes(const struct simple_instance *instance);
size_t arvo__simple_instance_bytes(size_t text_bytes, size_t inbox_count);
arvo_str arvo__simple_instance_subject(const struct simple_instance *instance);
/* A block that holds a subject and nothing else; its size_class is set. */
void arvo__simple_instance_init(struct simple_instance *block, arvo_str subject, uint64_t hash);
/* `block` becomes what `old` is, with `text_bytes` of its strings and all its inbox keys. */
void arvo__simple_instance_move(
    struct simple_instance *block, const struct simple_instance *old, size_t text_bytes);
void arvo__simple_instance_put(struct simple_instance *instance, const arvo_record *record);
/* One copy of all strings; false: the arena is exhausted. */
bool arvo__simple_instance_get(
    const struct simple_instance *instance, arvo_arena *arena, arvo_record *out);
arvo_str arvo__simple_instance_string(const struct simple_instance *instance, size_t index);

/* ---- Log: outbox, history, order of creation (simple_log.c) ------------ */

/* One event, held by outbox, history and readers. Immutable but for refs and delivery. */
struct simple_event {
    struct simple_event *older;       /* of the same subject's history */
    uint64_t place;                   /* in that history, from 1 */
    struct simple_delivery *delivery; /* while in the outbox or a dead letter; NULL: neither */
    int64_t seq;
    int64_t cause; /* seq of the consumed event that made it; 0: none */
    int64_t time_ms;
    uint32_t refs;
    uint32_t len[6]; /* subject, id, source, type, domains, json */
    uint8_t direction;
    uint8_t size_class;
    char text[];
};

struct simple_outbox_row {
    int64_t seq;
    struct simple_event *event; /* NULL: done */
};

/* Why a delivery failed; held by the row and by readers. */
struct simple_text {
    uint32_t refs;
    uint32_t len;
    uint8_t size_class;
    char text[];
};

/* An event's way through the outbox (simple_delivery.c). */
struct simple_delivery {
    struct simple_event *event;
    struct simple_delivery *older, *newer; /* waiting rows of the same subject, by seq */
    struct simple_text *error;             /* nullable */
    uint64_t hash;                         /* of the subject */
    int64_t due_ms;
    int64_t claimed_until_ms; /* 0: not claimed */
    uint8_t token[16];        /* when claimed_until_ms is not 0 */
    uint32_t attempts;
    uint8_t size_class;
    /* Of the oldest row of a subject only. */
    bool is_sleeping;                    /* in the heap `sleeping`; else in `ready` */
    size_t heap_at;                      /* its place there */
    struct simple_delivery *newest;      /* of its subject */
    struct simple_delivery *cursor;      /* the next to claim; itself outside of a claim */
    struct simple_delivery *bucket_next; /* another subject's */
};

/* Events that a reader holds. */
struct simple_pinned {
    struct simple_event **events;
    size_t count, cap;
};

/* A machine's definition, each once; kept beside the history. */
struct simple_definition {
    struct simple_definition *next;
    uint32_t hash_len, document_len;
    uint8_t size_class;
    char text[];
};

struct simple_heap {
    struct simple_delivery **items; /* oldest rows of their subjects */
    size_t count, cap;
};

/* The outbox seen by those who claim from it. */
struct simple_queues {
    struct simple_delivery **buckets; /* the oldest row of each subject, by hash */
    size_t bucket_count, subject_count;
    struct simple_heap ready;    /* may be claimed, by seq */
    struct simple_heap sleeping; /* claimed or not yet due, by when that ends */
    pthread_cond_t cond;         /* something may be claimed */
    uint32_t waiters;
    bool is_interrupted; /* nobody waits */
};

struct simple_log {
    pthread_mutex_t mutex;
    arvo__pool pool;
    const arvo_allocator *allocator;
    const arvo_platform *platform;
    _Atomic int64_t seq;    /* newest given out */
    atomic_bool has_outbox; /* from the first outbox_list on */
    bool has_history;
    struct simple_outbox_row *rows; /* by seq; [row_first, row_end) */
    size_t row_cap, row_first, row_end, row_live;
    struct simple_queues queues;
    struct simple_event **dead; /* by seq */
    size_t dead_cap, dead_count;
    size_t history_count; /* events in all histories */
    struct simple_definition *definitions;
    uint64_t *order; /* hash of the i-th instance created */
    size_t order_cap, order_count;
};

bool arvo__simple_log_init(
    struct simple_log *log, const arvo_platform *platform, const arvo_allocator *allocator,
    bool has_history);
void arvo__simple_log_fini(struct simple_log *log);

/* These are called with the log's mutex held. */
bool arvo__simple_log_reserve(struct simple_log *log, size_t outbox_rows, size_t instances);
struct simple_event *arvo__simple_log_event_new(
    struct simple_log *log, arvo_str subject, const arvo_stored_event *event,
    arvo_direction direction, int64_t now);
void arvo__simple_log_event_unref(struct simple_log *log, struct simple_event *event);
bool arvo__simple_log_outbox_has(const struct simple_log *log, int64_t seq);
void arvo__simple_log_outbox_add(struct simple_log *log, struct simple_event *event);
void arvo__simple_log_outbox_remove(struct simple_log *log, int64_t seq);

/* Out of the outbox, and back to its place (there is room: reserve), with the outbox's hold on it.
 */
void arvo__simple_log_outbox_take(struct simple_log *log, struct simple_event *event);
void arvo__simple_log_outbox_insert(struct simple_log *log, struct simple_event *event);
struct simple_event *arvo__simple_log_outbox_find(const struct simple_log *log, int64_t seq);
bool arvo__simple_log_show(const struct simple_event *event, arvo_stored_event_fn each, void *user);

/* The event becomes the newest of a history. */
void arvo__simple_log_history_add(
    struct simple_log *log, struct simple_instance *instance, struct simple_event *event);
void arvo__simple_log_history_drop(struct simple_log *log, struct simple_instance *instance);
/* Kept from now on, unless it is already. false: out of memory. */
bool arvo__simple_log_definition_add(struct simple_log *log, arvo_str hash, arvo_str document);
bool arvo__simple_log_dead_reserve(struct simple_log *log);
void arvo__simple_log_dead_add(struct simple_log *log, struct simple_event *event);

/* These take it themselves. */
void arvo__simple_log_outbox_each(
    struct simple_log *log, int64_t after, size_t limit, arvo_stored_event_fn each, void *user);
/* Hold the events of a history, oldest first: all of them, or, with `source`, what the consumed
 * event of (source, id) produced. Called with the shard's mutex held, so that the history is there.
 */
arvo_status arvo__simple_log_pin(
    struct simple_log *log, struct simple_event *newest, const arvo_str *source, const arvo_str *id,
    struct simple_pinned *out, arvo_error *err);
/* Show what is held, and let go of it. Called without any lock. */
void arvo__simple_log_show_pinned(
    struct simple_log *log, struct simple_pinned *pinned, arvo_stored_event_fn each, void *user);
size_t arvo__simple_log_order_get(
    struct simple_log *log, uint64_t first, uint64_t *hashes, size_t hash_count);

/* ---- Who may claim what (simple_queues.c); with the log's mutex held ---- */

bool arvo__simple_queues_init(struct simple_queues *queues);
void arvo__simple_queues_fini(struct simple_log *log);
bool arvo__simple_queues_reserve(struct simple_log *log, size_t more);
/* The oldest row that may be claimed, claimed; NULL: none. After the last of a claim say
 * arvo__simple_delivery_moved() of each. */
struct simple_delivery *arvo__simple_queues_claim(
    struct simple_log *log, const uint8_t *token, int64_t now, int64_t until_ms);
/* Whether something may be claimed at `now`; if not, *out_wake_ms is when it may. */
bool arvo__simple_queues_have(const struct simple_log *log, int64_t now, int64_t *out_wake_ms);
void arvo__simple_queues_interrupt(struct simple_log *log, bool on);
void arvo__simple_queues_wake(struct simple_log *log); /* whoever waits for something to claim */

bool arvo__simple_delivery_new(struct simple_log *log, struct simple_event *event, uint64_t hash);
void arvo__simple_delivery_free(struct simple_log *log, struct simple_event *event);
void arvo__simple_delivery_join(struct simple_log *log, struct simple_event *event);
void arvo__simple_delivery_leave(struct simple_log *log, struct simple_event *event);
/* Its claim or due time have changed. */
void arvo__simple_delivery_moved(struct simple_log *log, struct simple_delivery *row);
int64_t arvo__simple_delivery_wake_ms(const struct simple_delivery *row);
/* Whether an event of the subject waits. */
bool arvo__simple_queues_has(const struct simple_queues *queues, arvo_str subject, uint64_t hash);
struct simple_text *arvo__simple_text_new(struct simple_log *log, arvo_str text);
void arvo__simple_text_unref(struct simple_log *log, struct simple_text *text);

/* ---- Delivery (simple_delivery.c) --------------------------------------- */

/* As in arvo_memory_ops. */
arvo_status arvo__simple_outbox_claim(
    void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err);
arvo_status arvo__simple_outbox_retry(
    void *self, int64_t seq, const arvo_claim *claim, int64_t delay_ms, arvo_str error,
    arvo_error *err);
arvo_status arvo__simple_outbox_dead(
    void *self, int64_t seq, const arvo_claim *claim, arvo_str error, arvo_error *err);
arvo_status arvo__simple_outbox_release(void *self, const arvo_claim *claim, arvo_error *err);
arvo_status arvo__simple_outbox_wait(void *self, int64_t timeout_ms, arvo_error *err);
arvo_status arvo__simple_dead_list(
    void *self, int64_t after, size_t limit, arvo_outbox_fn each, void *user, arvo_error *err);
arvo_status arvo__simple_dead_retry(void *self, int64_t seq, arvo_error *err);
arvo_status arvo__simple_dead_drop(void *self, int64_t seq, arvo_error *err);

/* ---- The store --------------------------------------------------------- */

struct simple_shard {
    pthread_mutex_t mutex;
    arvo__pool pool;
    arvo__leases leases;
    struct simple_table table;
    struct simple_ring ring;
    uint64_t commits, transactions; /* a batch counts at its first shard */
} __attribute__((aligned(64)));     /* no two shards in one cache line */

struct simple_store {
    const arvo_allocator *allocator;
    const arvo_platform *platform;
    void *block; /* as allocated; the store is aligned within it */
    uint16_t inbox_max;
    struct simple_log log;
    struct simple_shard shards[SIMPLE_SHARDS];
};

static inline struct simple_shard *
simple_shard_of(struct simple_store *store, uint64_t hash)
{
    return &store->shards[hash & (SIMPLE_SHARDS - 1)];
}

arvo_status
arvo__simple_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err);

/* ---- Looking after it (simple_care.c, simple_dump.c) --------------------- */

arvo_status arvo__simple_stats(void *self, arvo_memory_stats *out, arvo_error *err);
arvo_status
arvo__simple_purge(void *self, const arvo_purge *purge, arvo_purged *out, arvo_error *err);
arvo_status arvo__simple_dump(void *self, arvo_row_fn each, void *user, arvo_error *err);
arvo_status arvo__simple_load(void *self, arvo_row_next next, void *user, arvo_error *err);

#endif
