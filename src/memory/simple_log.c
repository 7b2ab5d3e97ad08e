/* What the in-process store keeps across shards: outbox, history, and the
 * order in which instances were created.
 *
 * Events are blocks with a count of who holds them: the outbox until the event
 * is done, the history for ever, a reader while it looks. Readers call back
 * without any lock held, so a callback may call the store.
 */

#include <string.h>

#include "memory/simple.h"

#define LOG_ROWS_MIN   ((size_t)1024)
#define LOG_ORDER_MIN  ((size_t)64 * 1024) /* pages are touched as it fills */
#define LOG_SLAB_BYTES ((size_t)256 * 1024)
#define LOG_PINNED     32u /* events shown per turn of the lock */

bool
arvo__simple_log_init(
    struct simple_log *log, const arvo_platform *platform, const arvo_allocator *allocator,
    bool has_history)
{
    *log = (struct simple_log){ .allocator = allocator,
                                .platform = platform,
                                .has_history = has_history };
    arvo__pool_init(&log->pool, allocator, LOG_SLAB_BYTES);
    return pthread_mutex_init(&log->mutex, NULL) == 0 && arvo__simple_queues_init(&log->queues);
}

void
arvo__simple_log_fini(struct simple_log *log)
{
    arvo__pool_fini(&log->pool); /* the events with it */
    if (log->rows != NULL)
        arvo__free(log->allocator, log->rows, log->row_cap * sizeof(log->rows[0]));
    if (log->order != NULL)
        arvo__free(log->allocator, log->order, log->order_cap * sizeof(log->order[0]));
    if (log->dead != NULL)
        arvo__free(log->allocator, log->dead, log->dead_cap * sizeof(log->dead[0]));
    arvo__simple_queues_fini(log);
    (void)pthread_mutex_destroy(&log->mutex);
}

/* ---- Room -------------------------------------------------------------- */

/* Close the gaps that done rows left, or move to a larger array when there are few gaps. */
static bool
log_reserve_rows(struct simple_log *log, size_t more)
{
    if (log->row_end + more <= log->row_cap)
        return true;
    struct simple_outbox_row *rows = log->rows;
    size_t cap = log->row_cap;
    if (log->row_live + more > cap / 2) {
        cap = cap != 0 ? cap * 2 : LOG_ROWS_MIN;
        while (log->row_live + more > cap)
            cap *= 2;
        rows = arvo__alloc(log->allocator, cap * sizeof(rows[0]));
        if (rows == NULL)
            return false;
    }
    size_t end = 0;
    for (size_t i = log->row_first; i < log->row_end; i++) {
        if (log->rows[i].event != NULL)
            rows[end++] = log->rows[i];
    }
    if (rows != log->rows && log->rows != NULL)
        arvo__free(log->allocator, log->rows, log->row_cap * sizeof(rows[0]));
    log->rows = rows;
    log->row_cap = cap;
    log->row_first = 0;
    log->row_end = end;
    return true;
}

static bool
log_reserve_order(struct simple_log *log, size_t more)
{
    if (log->order_count + more <= log->order_cap)
        return true;
    size_t cap = log->order_cap != 0 ? log->order_cap * 2 : LOG_ORDER_MIN;
    while (log->order_count + more > cap)
        cap *= 2;
    uint64_t *order = arvo__alloc(log->allocator, cap * sizeof(order[0]));
    if (order == NULL)
        return false;
    if (log->order != NULL) {
        memcpy(order, log->order, log->order_count * sizeof(order[0]));
        arvo__free(log->allocator, log->order, log->order_cap * sizeof(order[0]));
    }
    log->order = order;
    log->order_cap = cap;
    return true;
}

bool
arvo__simple_log_reserve(struct simple_log *log, size_t outbox_rows, size_t instances)
{
    return log_reserve_rows(log, outbox_rows) && log_reserve_order(log, instances) &&
           (outbox_rows == 0 || arvo__simple_queues_reserve(log, outbox_rows));
}

/* ---- Events ------------------------------------------------------------ */

struct simple_event *
arvo__simple_log_event_new(
    struct simple_log *log, arvo_str subject, const arvo_stored_event *event,
    arvo_direction direction, int64_t now)
{
    const arvo_str texts[] = { subject,     event->id,      event->source,
                               event->type, event->domains, event->json };
    size_t bytes = offsetof(struct simple_event, text);
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++)
        bytes += texts[i].len;

    uint8_t size_class = 0;
    struct simple_event *stored = arvo__pool_alloc(&log->pool, bytes, &size_class);
    if (stored == NULL)
        return NULL;
    *stored = (struct simple_event){
        .time_ms = now, .refs = 1, .direction = (uint8_t)direction, .size_class = size_class
    };
    char *at = stored->text;
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++) {
        stored->len[i] = (uint32_t)texts[i].len;
        memcpy(at, texts[i].ptr, texts[i].len);
        at += texts[i].len;
    }
    return stored;
}

void
arvo__simple_log_event_unref(struct simple_log *log, struct simple_event *event)
{
    if (event == NULL || --event->refs > 0)
        return;
    arvo__simple_delivery_free(log, event); /* of a commit that did not happen */
    arvo__pool_free(&log->pool, event, event->size_class);
}

bool
arvo__simple_log_show(const struct simple_event *event, arvo_stored_event_fn each, void *user)
{
    arvo_str texts[6];
    const char *at = event->text;
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++) {
        texts[i] = (arvo_str){ at, event->len[i] };
        at += event->len[i];
    }
    const arvo_stored_event row = { .seq = event->seq,
                                    .direction = (arvo_direction)event->direction,
                                    .subject = texts[0],
                                    .id = texts[1],
                                    .source = texts[2],
                                    .type = texts[3],
                                    .domains = texts[4],
                                    .json = texts[5],
                                    .time_ms = event->time_ms };
    return each(user, &row);
}

/* ---- Outbox ------------------------------------------------------------ */

/* The first row behind `after`. */
static size_t
log_row_behind(const struct simple_log *log, int64_t after)
{
    size_t low = log->row_first, high = log->row_end;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (log->rows[middle].seq <= after)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct simple_outbox_row *
log_row_find(const struct simple_log *log, int64_t seq)
{
    const size_t i = seq > 0 ? log_row_behind(log, seq - 1) : log->row_end;
    if (i == log->row_end || log->rows[i].seq != seq || log->rows[i].event == NULL)
        return NULL;
    return &log->rows[i];
}

bool
arvo__simple_log_outbox_has(const struct simple_log *log, int64_t seq)
{
    return log_row_find(log, seq) != NULL;
}

void
arvo__simple_log_outbox_add(struct simple_log *log, struct simple_event *event)
{
    event->refs++;
    log->rows[log->row_end++] = (struct simple_outbox_row){ event->seq, event };
    log->row_live++;
    arvo__simple_delivery_join(log, event);
}

void
arvo__simple_log_outbox_insert(struct simple_log *log, struct simple_event *event)
{
    const size_t at = log_row_behind(log, event->seq - 1);
    memmove(&log->rows[at + 1], &log->rows[at], (log->row_end - at) * sizeof(log->rows[0]));
    log->rows[at] = (struct simple_outbox_row){ event->seq, event };
    log->row_end++;
    log->row_live++;
    arvo__simple_delivery_join(log, event);
}

struct simple_event *
arvo__simple_log_outbox_find(const struct simple_log *log, int64_t seq)
{
    const struct simple_outbox_row *row = log_row_find(log, seq);
    return row != NULL ? row->event : NULL;
}

/* The event stays as it is, with its delivery and the outbox's hold on it. */
void
arvo__simple_log_outbox_take(struct simple_log *log, struct simple_event *event)
{
    arvo__simple_delivery_leave(log, event);
    log_row_find(log, event->seq)->event = NULL;
    log->row_live--;
    while (log->row_first < log->row_end && log->rows[log->row_first].event == NULL)
        log->row_first++;
    if (log->row_first == log->row_end)
        log->row_first = log->row_end = 0;
}

void
arvo__simple_log_outbox_remove(struct simple_log *log, int64_t seq)
{
    struct simple_event *event = arvo__simple_log_outbox_find(log, seq);
    if (event == NULL)
        return;
    arvo__simple_log_outbox_take(log, event);
    arvo__simple_delivery_free(log, event);
    arvo__simple_log_event_unref(log, event);
}

void
arvo__simple_log_outbox_each(
    struct simple_log *log, int64_t after, size_t limit, arvo_stored_event_fn each, void *user)
{
    struct simple_event *pinned[LOG_PINNED];
    size_t count = 0;
    bool go_on = true;

    (void)pthread_mutex_lock(&log->mutex);
    atomic_store_explicit(&log->has_outbox, true, memory_order_relaxed);
    do {
        count = 0;
        for (size_t i = log_row_behind(log, after);
             i < log->row_end && count < LOG_PINNED && count < limit; i++) {
            if (log->rows[i].event == NULL)
                continue;
            pinned[count] = log->rows[i].event;
            pinned[count++]->refs++;
        }
        (void)pthread_mutex_unlock(&log->mutex);
        for (size_t i = 0; i < count && go_on; i++) {
            after = pinned[i]->seq;
            go_on = arvo__simple_log_show(pinned[i], each, user);
        }
        (void)pthread_mutex_lock(&log->mutex);
        for (size_t i = 0; i < count; i++)
            arvo__simple_log_event_unref(log, pinned[i]);
        limit -= count;
    } while (go_on && count > 0 && limit > 0);
    (void)pthread_mutex_unlock(&log->mutex);
}

/* ---- History ----------------------------------------------------------- */

void
arvo__simple_log_history_add(
    struct simple_log *log, struct simple_instance *instance, struct simple_event *event)
{
    event->refs++;
    event->older = instance->newest;
    event->place = event->older != NULL ? event->older->place + 1 : 1;
    instance->newest = event;
    log->history_count++;
}

void
arvo__simple_log_history_drop(struct simple_log *log, struct simple_instance *instance)
{
    while (instance->newest != NULL) {
        struct simple_event *event = instance->newest;
        instance->newest = event->older;
        log->history_count--;
        arvo__simple_log_event_unref(log, event);
    }
}

/* The consumed event of (source, id); NULL: not in this history. */
static const struct simple_event *
history_find(const struct simple_event *newest, arvo_str source, arvo_str id)
{
    const struct simple_event *at = newest;
    while (at != NULL) {
        const char *text = at->text + at->len[0];
        if (at->direction == ARVO_CONSUMED && at->len[1] == id.len && at->len[2] == source.len &&
            memcmp(text, id.ptr, id.len) == 0 && memcmp(text + id.len, source.ptr, source.len) == 0)
            break;
        at = at->older;
    }
    return at;
}

arvo_status
arvo__simple_log_pin(
    struct simple_log *log, struct simple_event *newest, const arvo_str *source, const arvo_str *id,
    struct simple_pinned *out, arvo_error *err)
{
    *out = (struct simple_pinned){ 0 };
    const struct simple_event *cause = NULL;
    if (newest != NULL && source != NULL && (cause = history_find(newest, *source, *id)) == NULL)
        newest = NULL;
    if (newest == NULL)
        return ARVO_OK;
    out->cap = (size_t)(newest->place - (cause != NULL ? cause->place : 0));
    if (out->cap == 0)
        return ARVO_OK;
    out->events = arvo__alloc(log->allocator, out->cap * sizeof(out->events[0]));
    if (out->events == NULL)
        return arvo__nomem(err);

    (void)pthread_mutex_lock(&log->mutex);
    for (struct simple_event *at = newest; at != cause; at = at->older) {
        if (cause != NULL && at->cause != cause->seq)
            continue;
        at->refs++;
        out->events[out->cap - ++out->count] = at;
    }
    (void)pthread_mutex_unlock(&log->mutex);
    return ARVO_OK;
}

void
arvo__simple_log_show_pinned(
    struct simple_log *log, struct simple_pinned *pinned, arvo_stored_event_fn each, void *user)
{
    struct simple_event **events = pinned->events + (pinned->cap - pinned->count);
    if (pinned->events == NULL)
        return;
    for (size_t i = 0; i < pinned->count && arvo__simple_log_show(events[i], each, user); i++) {
    }
    (void)pthread_mutex_lock(&log->mutex);
    for (size_t i = 0; i < pinned->count; i++)
        arvo__simple_log_event_unref(log, events[i]);
    (void)pthread_mutex_unlock(&log->mutex);
    arvo__free(log->allocator, pinned->events, pinned->cap * sizeof(pinned->events[0]));
}

/* ---- Definitions ------------------------------------------------------- */

bool
arvo__simple_log_definition_add(struct simple_log *log, arvo_str hash, arvo_str document)
{
    for (const struct simple_definition *at = log->definitions; at != NULL; at = at->next) {
        if (at->hash_len == hash.len && memcmp(at->text, hash.ptr, hash.len) == 0)
            return true;
    }
    uint8_t size_class = 0;
    struct simple_definition *definition =
        arvo__pool_alloc(&log->pool, sizeof(*definition) + hash.len + document.len, &size_class);
    if (definition == NULL)
        return false;
    *definition = (struct simple_definition){ .next = log->definitions,
                                              .hash_len = (uint32_t)hash.len,
                                              .document_len = (uint32_t)document.len,
                                              .size_class = size_class };
    memcpy(definition->text, hash.ptr, hash.len);
    memcpy(definition->text + hash.len, document.ptr, document.len);
    log->definitions = definition;
    return true;
}

/* ---- Order ------------------------------------------------------------- */

size_t
arvo__simple_log_order_get(
    struct simple_log *log, uint64_t first, uint64_t *hashes, size_t hash_count)
{
    (void)pthread_mutex_lock(&log->mutex);
    size_t count = first < log->order_count ? log->order_count - (size_t)first : 0;
    count = count < hash_count ? count : hash_count;
    if (count > 0)
        memcpy(hashes, log->order + first, count * sizeof(hashes[0]));
    (void)pthread_mutex_unlock(&log->mutex);
    return count;
}
