/* The outbox of the in-process store as those see it who claim from it: the
 * waiting rows of each subject in a chain, and the oldest row of each in one
 * of two heaps.
 *
 *     ready       may be claimed; the lowest seq first
 *     sleeping    claimed, or not yet due; the first to wake first
 *
 * So a claim costs what it takes, however many rows wait behind a claimed one,
 * and adding a row allocates nothing beyond the row. Every function is called
 * with the log's mutex held.
 */

#include <string.h>

#include "memory/simple.h"

#define QUEUES_BUCKETS_MIN ((size_t)256)
#define QUEUES_HEAP_MIN    ((size_t)1024)

/* ---- Heaps ------------------------------------------------------------- */

int64_t
arvo__simple_delivery_wake_ms(const struct simple_delivery *row)
{
    return row->due_ms > row->claimed_until_ms ? row->due_ms : row->claimed_until_ms;
}

static bool
heap_before(const struct simple_delivery *a, const struct simple_delivery *b, bool is_sleeping)
{
    if (!is_sleeping)
        return a->cursor->event->seq < b->cursor->event->seq;
    return arvo__simple_delivery_wake_ms(a) < arvo__simple_delivery_wake_ms(b);
}

static void
heap_set(struct simple_heap *heap, size_t at, struct simple_delivery *row)
{
    heap->items[at] = row;
    row->heap_at = at;
}

/* The row at `at` may be out of order with those above and below it. */
static void
heap_settle(struct simple_heap *heap, size_t at, bool is_sleeping)
{
    struct simple_delivery *row = heap->items[at];
    while (at > 0 && heap_before(row, heap->items[(at - 1) / 2], is_sleeping)) {
        heap_set(heap, at, heap->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            heap_before(heap->items[child + 1], heap->items[child], is_sleeping))
            child++;
        if (!heap_before(heap->items[child], row, is_sleeping))
            break;
        heap_set(heap, at, heap->items[child]);
        at = child;
    }
    heap_set(heap, at, row);
}

static void
heap_add(struct simple_queues *queues, struct simple_delivery *row, bool is_sleeping)
{
    struct simple_heap *heap = is_sleeping ? &queues->sleeping : &queues->ready;
    row->is_sleeping = is_sleeping;
    heap_set(heap, heap->count++, row);
    heap_settle(heap, heap->count - 1, is_sleeping);
}

static void
heap_remove(struct simple_queues *queues, struct simple_delivery *row)
{
    struct simple_heap *heap = row->is_sleeping ? &queues->sleeping : &queues->ready;
    const size_t at = row->heap_at;
    struct simple_delivery *last = heap->items[--heap->count];
    if (last == row)
        return;
    heap_set(heap, at, last);
    heap_settle(heap, at, row->is_sleeping);
}

static bool
heap_reserve(struct simple_heap *heap, size_t cap, const arvo_allocator *allocator)
{
    if (cap <= heap->cap)
        return true;
    size_t grown = heap->cap != 0 ? heap->cap : QUEUES_HEAP_MIN;
    while (grown < cap)
        grown *= 2;
    struct simple_delivery **items = arvo__alloc(allocator, grown * sizeof(items[0]));
    if (items == NULL)
        return false;
    if (heap->items != NULL) {
        memcpy(items, heap->items, heap->count * sizeof(items[0]));
        arvo__free(allocator, heap->items, heap->cap * sizeof(items[0]));
    }
    heap->items = items;
    heap->cap = grown;
    return true;
}

/* ---- Subjects ---------------------------------------------------------- */

bool
arvo__simple_queues_init(struct simple_queues *queues)
{
    return arvo__cond_init(&queues->cond);
}

void
arvo__simple_queues_fini(struct simple_log *log)
{
    struct simple_queues *queues = &log->queues;
    struct simple_heap *heaps[] = { &queues->ready, &queues->sleeping };
    for (size_t i = 0; i < ARVO_COUNT_OF(heaps); i++) {
        if (heaps[i]->items != NULL)
            arvo__free(log->allocator, heaps[i]->items, heaps[i]->cap * sizeof(heaps[i]->items[0]));
    }
    if (queues->buckets != NULL)
        arvo__free(
            log->allocator, queues->buckets, queues->bucket_count * sizeof(queues->buckets[0]));
    (void)pthread_cond_destroy(&queues->cond);
}

static struct simple_delivery **
queues_bucket(const struct simple_queues *queues, uint64_t hash)
{
    return &queues->buckets[(hash >> 6) & (queues->bucket_count - 1)]; /* low bits: the shard */
}

static bool
queues_reserve_buckets(struct simple_log *log, size_t subjects)
{
    struct simple_queues *queues = &log->queues;
    if (subjects <= queues->bucket_count)
        return true;
    struct simple_queues grown = { .bucket_count = queues->bucket_count != 0 ? queues->bucket_count
                                                                             : QUEUES_BUCKETS_MIN };
    while (grown.bucket_count < subjects)
        grown.bucket_count *= 2;
    grown.buckets = arvo__calloc(log->allocator, grown.bucket_count, sizeof(grown.buckets[0]));
    if (grown.buckets == NULL)
        return false;
    for (size_t i = 0; i < queues->bucket_count; i++) {
        struct simple_delivery *row = queues->buckets[i];
        while (row != NULL) {
            struct simple_delivery *next = row->bucket_next;
            struct simple_delivery **bucket = queues_bucket(&grown, row->hash);
            row->bucket_next = *bucket;
            *bucket = row;
            row = next;
        }
    }
    if (queues->buckets != NULL)
        arvo__free(
            log->allocator, queues->buckets, queues->bucket_count * sizeof(queues->buckets[0]));
    queues->buckets = grown.buckets;
    queues->bucket_count = grown.bucket_count;
    return true;
}

bool
arvo__simple_queues_reserve(struct simple_log *log, size_t more)
{
    /* Each new row may be of a new subject. */
    const size_t subjects = log->queues.subject_count + more;
    return queues_reserve_buckets(log, subjects) &&
           heap_reserve(&log->queues.ready, subjects, log->allocator) &&
           heap_reserve(&log->queues.sleeping, subjects, log->allocator);
}

/* The link that holds the oldest row of the subject, or the NULL at the end of its bucket. */
static struct simple_delivery **
queues_link(const struct simple_queues *queues, arvo_str subject, uint64_t hash)
{
    struct simple_delivery **link = queues_bucket(queues, hash);
    while (*link != NULL) {
        const struct simple_event *other = (*link)->event;
        if ((*link)->hash == hash && other->len[0] == subject.len &&
            memcmp(other->text, subject.ptr, subject.len) == 0)
            break;
        link = &(*link)->bucket_next;
    }
    return link;
}

static struct simple_delivery **
queues_find(const struct simple_queues *queues, const struct simple_event *event, uint64_t hash)
{
    return queues_link(queues, (arvo_str){ event->text, event->len[0] }, hash);
}

bool
arvo__simple_queues_has(const struct simple_queues *queues, arvo_str subject, uint64_t hash)
{
    return queues->subject_count > 0 && *queues_link(queues, subject, hash) != NULL;
}

/* `row` is the oldest of its subject from now on. */
static void
queues_lead(struct simple_log *log, struct simple_delivery **link, struct simple_delivery *row)
{
    row->cursor = row;
    *link = row;
    log->queues.subject_count++;
    heap_add(&log->queues, row, arvo__simple_delivery_wake_ms(row) != 0);
}

static void
queues_unlead(struct simple_log *log, struct simple_delivery **link, struct simple_delivery *row)
{
    heap_remove(&log->queues, row);
    log->queues.subject_count--;
    *link = row->bucket_next;
}

/* ---- Rows -------------------------------------------------------------- */

bool
arvo__simple_delivery_new(struct simple_log *log, struct simple_event *event, uint64_t hash)
{
    uint8_t size_class = 0;
    struct simple_delivery *row = arvo__pool_alloc(&log->pool, sizeof(*row), &size_class);
    if (row == NULL)
        return false;
    *row = (struct simple_delivery){ .event = event, .hash = hash, .size_class = size_class };
    event->delivery = row;
    return true;
}

struct simple_text *
arvo__simple_text_new(struct simple_log *log, arvo_str text)
{
    uint8_t size_class = 0;
    struct simple_text *copy = arvo__pool_alloc(&log->pool, sizeof(*copy) + text.len, &size_class);
    if (copy == NULL)
        return NULL;
    *copy = (struct simple_text){ .refs = 1, .len = (uint32_t)text.len, .size_class = size_class };
    memcpy(copy->text, text.ptr, text.len);
    return copy;
}

void
arvo__simple_text_unref(struct simple_log *log, struct simple_text *text)
{
    if (text != NULL && --text->refs == 0)
        arvo__pool_free(&log->pool, text, text->size_class);
}

void
arvo__simple_delivery_free(struct simple_log *log, struct simple_event *event)
{
    struct simple_delivery *row = event->delivery;
    event->delivery = NULL;
    if (row == NULL)
        return;
    arvo__simple_text_unref(log, row->error);
    arvo__pool_free(&log->pool, row, row->size_class);
}

void
arvo__simple_queues_interrupt(struct simple_log *log, bool on)
{
    log->queues.is_interrupted = on;
    if (on)
        (void)pthread_cond_broadcast(&log->queues.cond);
}

void
arvo__simple_queues_wake(struct simple_log *log)
{
    if (log->queues.waiters > 0)
        (void)pthread_cond_broadcast(&log->queues.cond);
}

/* Only a dead letter that comes back is older than others of its subject. */
static void
delivery_join_chain(struct simple_delivery *oldest, struct simple_delivery *row)
{
    struct simple_delivery *before = oldest->newest;
    while (before->event->seq > row->event->seq)
        before = before->older;
    row->older = before;
    row->newer = before->newer;
    if (row->newer != NULL)
        row->newer->older = row;
    else
        oldest->newest = row;
    before->newer = row;
}

void
arvo__simple_delivery_join(struct simple_log *log, struct simple_event *event)
{
    struct simple_delivery *row = event->delivery;
    struct simple_delivery **link = queues_find(&log->queues, event, row->hash);
    struct simple_delivery *oldest = *link;
    row->older = row->newer = NULL;
    if (oldest != NULL && oldest->event->seq < event->seq) {
        delivery_join_chain(oldest, row);
        return; /* it waits behind another */
    }
    row->newest = row;
    row->bucket_next = NULL;
    if (oldest != NULL) {
        row->newest = oldest->newest;
        row->newer = oldest;
        oldest->older = row;
        row->bucket_next = oldest->bucket_next;
        queues_unlead(log, link, oldest);
    }
    queues_lead(log, link, row);
    arvo__simple_queues_wake(log);
}

void
arvo__simple_delivery_leave(struct simple_log *log, struct simple_event *event)
{
    struct simple_delivery *row = event->delivery;
    if (row->newer != NULL)
        row->newer->older = row->older;
    if (row->older != NULL) {
        row->older->newer = row->newer;
        if (row->newer == NULL)
            (*queues_find(&log->queues, event, row->hash))->newest = row->older;
        return;
    }
    struct simple_delivery **link = queues_find(&log->queues, event, row->hash);
    struct simple_delivery *next = row->newer;
    queues_unlead(log, link, row);
    if (next != NULL) {
        next->newest = row->newest;
        next->bucket_next = row->bucket_next;
        queues_lead(log, link, next);
        arvo__simple_queues_wake(log);
    }
}

/* Claim or due time of a row have changed. */
void
arvo__simple_delivery_moved(struct simple_log *log, struct simple_delivery *row)
{
    if (row->older != NULL)
        return;
    row->cursor = row;
    heap_remove(&log->queues, row);
    heap_add(&log->queues, row, arvo__simple_delivery_wake_ms(row) != 0);
}

/* ---- Claiming ---------------------------------------------------------- */

bool
arvo__simple_queues_have(const struct simple_log *log, int64_t now, int64_t *out_wake_ms)
{
    const struct simple_queues *queues = &log->queues;
    *out_wake_ms = queues->sleeping.count > 0
                       ? arvo__simple_delivery_wake_ms(queues->sleeping.items[0])
                       : INT64_MAX;
    return queues->ready.count > 0 || *out_wake_ms <= now;
}

static void
queues_wake_sleepers(struct simple_queues *queues, int64_t now)
{
    while (queues->sleeping.count > 0 &&
           arvo__simple_delivery_wake_ms(queues->sleeping.items[0]) <= now) {
        struct simple_delivery *row = queues->sleeping.items[0];
        heap_remove(queues, row);
        heap_add(queues, row, false);
    }
}

struct simple_delivery *
arvo__simple_queues_claim(
    struct simple_log *log, const uint8_t *token, int64_t now, int64_t until_ms)
{
    struct simple_queues *queues = &log->queues;
    queues_wake_sleepers(queues, now);
    while (queues->ready.count > 0) {
        struct simple_delivery *oldest = queues->ready.items[0], *row = oldest->cursor;
        if (arvo__simple_delivery_wake_ms(row) > now) { /* the clock was set back */
            arvo__simple_delivery_moved(log, oldest);
            continue;
        }
        row->claimed_until_ms = until_ms;
        memcpy(row->token, token, sizeof(row->token));
        struct simple_delivery *next = row->newer;
        if (next != NULL && arvo__simple_delivery_wake_ms(next) <= now) {
            oldest->cursor = next;
            heap_settle(&queues->ready, 0, false);
        } else {
            arvo__simple_delivery_moved(log, oldest);
        }
        return row;
    }
    return NULL;
}
