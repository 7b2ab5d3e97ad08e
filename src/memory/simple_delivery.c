/* Claims, attempts and dead letters of the in-process store.
 *
 * A row is claimed under the log's mutex, then shown without it: event and
 * error are held by a count meanwhile.
 */

#include <string.h>

#include "memory/simple.h"

#define DELIVERY_DEAD_MIN ((size_t)64)
/* outbox_wait looks at the store's clock at least this often: that clock may jump. */
#define DELIVERY_LOOK_MS 100

/* A row as it is shown. */
struct shown_row {
    struct simple_event *event;
    struct simple_text *error;
    int64_t due_ms;
    uint32_t attempts;
};

/* ---- Showing ------------------------------------------------------------- */

static void
shown_pin(struct shown_row *shown, struct simple_event *event)
{
    const struct simple_delivery *row = event->delivery;
    *shown = (struct shown_row){
        .event = event, .error = row->error, .due_ms = row->due_ms, .attempts = row->attempts
    };
    event->refs++;
    if (shown->error != NULL)
        shown->error->refs++;
}

struct shown_call {
    const struct shown_row *shown;
    arvo_outbox_fn each;
    void *user;
};

static bool
shown_with_event(void *user, const arvo_stored_event *event)
{
    const struct shown_call *call = user;
    const struct simple_text *error = call->shown->error;
    const arvo_outbox_row row = {
        .event = *event,
        .attempts = call->shown->attempts,
        .due_ms = call->shown->due_ms,
        .error = error != NULL ? (arvo_str){ error->text, error->len } : ARVO_STR_NONE,
    };
    return call->each(call->user, &row);
}

/* Without the mutex; takes it to let go of the rows. false: `each` said stop. */
static bool
shown_each(
    struct simple_log *log, struct shown_row *rows, size_t count, arvo_outbox_fn each, void *user)
{
    bool go_on = true;
    for (size_t i = 0; i < count && go_on; i++) {
        struct shown_call call = { .shown = &rows[i], .each = each, .user = user };
        go_on = arvo__simple_log_show(rows[i].event, shown_with_event, &call);
    }
    (void)pthread_mutex_lock(&log->mutex);
    for (size_t i = 0; i < count; i++) {
        arvo__simple_text_unref(log, rows[i].error);
        arvo__simple_log_event_unref(log, rows[i].event);
    }
    (void)pthread_mutex_unlock(&log->mutex);
    return go_on;
}

static struct simple_log *
delivery_lock(void *self)
{
    struct simple_store *store = self;
    (void)pthread_mutex_lock(&store->log.mutex);
    return &store->log;
}

static int64_t
delivery_now(const struct simple_log *log)
{
    return log->platform->time_ms(log->platform->self);
}

/* ---- Claims -------------------------------------------------------------- */

static size_t
delivery_claim(
    struct simple_log *log, const arvo_claim *claim, struct shown_row *rows, size_t limit)
{
    const int64_t now = delivery_now(log);
    const int64_t until = now + arvo__memory_ttl(claim->ttl_ms);
    size_t count = 0;
    while (count < limit) {
        struct simple_delivery *row = arvo__simple_queues_claim(log, claim->token, now, until);
        if (row == NULL)
            break;
        shown_pin(&rows[count++], row->event);
    }
    for (size_t i = 0; i < count; i++)
        arvo__simple_delivery_moved(log, rows[i].event->delivery);
    return count;
}

arvo_status
arvo__simple_outbox_claim(
    void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err)
{
    const struct simple_store *store = self;
    const size_t limit = arvo__memory_claim_limit(claim->limit);
    struct shown_row *rows = arvo__alloc(store->allocator, limit * sizeof(rows[0]));
    if (rows == NULL)
        return arvo__nomem(err);

    struct simple_log *log = delivery_lock(self);
    atomic_store_explicit(&log->has_outbox, true, memory_order_relaxed);
    const size_t count = delivery_claim(log, claim, rows, limit);
    (void)pthread_mutex_unlock(&log->mutex);

    (void)shown_each(log, rows, count, each, user);
    arvo__free(store->allocator, rows, limit * sizeof(rows[0]));
    return ARVO_OK;
}

static bool
delivery_is_claimed_by(const struct simple_delivery *row, const arvo_claim *claim)
{
    return row->claimed_until_ms != 0 && memcmp(row->token, claim->token, sizeof(row->token)) == 0;
}

/* NULL: gone, or not claimed by this deliverer. */
static struct simple_delivery *
delivery_find(const struct simple_log *log, int64_t seq, const arvo_claim *claim)
{
    const struct simple_event *event = arvo__simple_log_outbox_find(log, seq);
    if (event == NULL || !delivery_is_claimed_by(event->delivery, claim))
        return NULL;
    return event->delivery;
}

/* One more failed attempt. false: out of memory, nothing changed. */
static bool
delivery_failed(struct simple_log *log, struct simple_delivery *row, arvo_str error)
{
    char line[ARVO_DELIVERY_ERROR_MAX];
    const arvo_str kept = arvo__memory_delivery_error(error, line);
    struct simple_text *text = arvo__simple_text_new(log, kept);
    if (text == NULL)
        return false;
    arvo__simple_text_unref(log, row->error);
    row->error = text;
    row->attempts += row->attempts < UINT32_MAX;
    return true;
}

/* This deliverer's claims on rows behind `row` end: they come again, behind it or without it. */
static void
delivery_let_go_behind(struct simple_delivery *row, const arvo_claim *claim)
{
    for (struct simple_delivery *at = row->newer; at != NULL; at = at->newer) {
        if (delivery_is_claimed_by(at, claim))
            at->claimed_until_ms = 0;
    }
}

arvo_status
arvo__simple_outbox_retry(
    void *self, int64_t seq, const arvo_claim *claim, int64_t delay_ms, arvo_str error,
    arvo_error *err)
{
    arvo_status st = ARVO_OK;
    struct simple_log *log = delivery_lock(self);
    struct simple_delivery *row = delivery_find(log, seq, claim);
    if (row != NULL && !delivery_failed(log, row, error)) {
        st = arvo__nomem(err);
    } else if (row != NULL) {
        row->claimed_until_ms = 0;
        row->due_ms = delay_ms > 0 ? delivery_now(log) + arvo__memory_ttl(delay_ms) : 0;
        delivery_let_go_behind(row, claim);
        arvo__simple_delivery_moved(log, row);
        arvo__simple_queues_wake(log);
    }
    (void)pthread_mutex_unlock(&log->mutex);
    return st;
}

arvo_status
arvo__simple_outbox_release(void *self, const arvo_claim *claim, arvo_error *err)
{
    (void)err; /* cannot fail */
    struct simple_log *log = delivery_lock(self);
    for (size_t i = log->row_first; i < log->row_end; i++) {
        if (log->rows[i].event == NULL)
            continue;
        struct simple_delivery *row = log->rows[i].event->delivery;
        if (!delivery_is_claimed_by(row, claim))
            continue;
        row->claimed_until_ms = 0;
        arvo__simple_delivery_moved(log, row);
    }
    arvo__simple_queues_wake(log);
    (void)pthread_mutex_unlock(&log->mutex);
    return ARVO_OK;
}

arvo_status
arvo__simple_outbox_wait(void *self, int64_t timeout_ms, arvo_error *err)
{
    (void)err; /* cannot fail */
    struct simple_log *log = delivery_lock(self);
    atomic_store_explicit(&log->has_outbox, true, memory_order_relaxed);
    const int64_t deadline = arvo__real_ms_after(timeout_ms);
    log->queues.waiters++;
    for (;;) {
        int64_t wake_ms = 0;
        const int64_t now = delivery_now(log), real = arvo__real_ms();
        if (arvo__simple_queues_have(log, now, &wake_ms) || real >= deadline ||
            log->queues.is_interrupted)
            break;
        const int64_t left = wake_ms != INT64_MAX ? wake_ms - now : INT64_MAX;
        const int64_t look = real + (left < DELIVERY_LOOK_MS ? left : DELIVERY_LOOK_MS);
        arvo__cond_wait_until(&log->queues.cond, &log->mutex, look < deadline ? look : deadline);
    }
    log->queues.waiters--;
    (void)pthread_mutex_unlock(&log->mutex);
    return ARVO_OK;
}

/* ---- Dead letters ---------------------------------------------------------- */

/* The first dead letter behind `after`. */
static size_t
dead_behind(const struct simple_log *log, int64_t after)
{
    size_t low = 0, high = log->dead_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (log->dead[middle]->seq <= after)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool
arvo__simple_log_dead_reserve(struct simple_log *log)
{
    if (log->dead_count < log->dead_cap)
        return true;
    const size_t cap = log->dead_cap != 0 ? log->dead_cap * 2 : DELIVERY_DEAD_MIN;
    struct simple_event **dead = arvo__alloc(log->allocator, cap * sizeof(dead[0]));
    if (dead == NULL)
        return false;
    if (log->dead != NULL) {
        memcpy(dead, log->dead, log->dead_count * sizeof(dead[0]));
        arvo__free(log->allocator, log->dead, log->dead_cap * sizeof(dead[0]));
    }
    log->dead = dead;
    log->dead_cap = cap;
    return true;
}

void
arvo__simple_log_dead_add(struct simple_log *log, struct simple_event *event)
{
    const size_t at = dead_behind(log, event->seq);
    memmove(&log->dead[at + 1], &log->dead[at], (log->dead_count - at) * sizeof(log->dead[0]));
    log->dead[at] = event;
    log->dead_count++;
}

/* NULL: no such dead letter. It is taken out. */
static struct simple_event *
dead_take(struct simple_log *log, int64_t seq)
{
    const size_t at = seq > 0 ? dead_behind(log, seq - 1) : log->dead_count;
    if (at == log->dead_count || log->dead[at]->seq != seq)
        return NULL;
    struct simple_event *event = log->dead[at];
    log->dead_count--;
    memmove(&log->dead[at], &log->dead[at + 1], (log->dead_count - at) * sizeof(log->dead[0]));
    return event;
}

arvo_status
arvo__simple_outbox_dead(
    void *self, int64_t seq, const arvo_claim *claim, arvo_str error, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    struct simple_log *log = delivery_lock(self);
    struct simple_delivery *row = delivery_find(log, seq, claim);
    if (row != NULL && (!arvo__simple_log_dead_reserve(log) || !delivery_failed(log, row, error))) {
        st = arvo__nomem(err);
    } else if (row != NULL) {
        delivery_let_go_behind(row, claim);
        arvo__simple_log_outbox_take(log, row->event);
        row->claimed_until_ms = 0;
        row->due_ms = delivery_now(log);
        arvo__simple_log_dead_add(log, row->event);
        arvo__simple_queues_wake(log);
    }
    (void)pthread_mutex_unlock(&log->mutex);
    return st;
}

arvo_status
arvo__simple_dead_list(
    void *self, int64_t after, size_t limit, arvo_outbox_fn each, void *user, arvo_error *err)
{
    (void)err; /* cannot fail */
    struct shown_row rows[32];
    struct simple_log *log = &((struct simple_store *)self)->log;
    size_t count = 0;
    bool go_on = true;
    if (limit == 0)
        limit = SIMPLE_ROWS_DEFAULT;
    do {
        count = 0;
        (void)pthread_mutex_lock(&log->mutex);
        for (size_t i = dead_behind(log, after);
             i < log->dead_count && count < ARVO_COUNT_OF(rows) && count < limit; i++) {
            shown_pin(&rows[count++], log->dead[i]);
            after = log->dead[i]->seq;
        }
        (void)pthread_mutex_unlock(&log->mutex);
        go_on = shown_each(log, rows, count, each, user);
        limit -= count;
    } while (go_on && count > 0 && limit > 0);
    return ARVO_OK;
}

static arvo_status
dead_missing(int64_t seq, arvo_error *err)
{
    return arvo__fail(
        err, ARVO_E_NOT_FOUND, "memory: there is no dead letter %lld", (long long)seq);
}

arvo_status
arvo__simple_dead_retry(void *self, int64_t seq, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    struct simple_log *log = delivery_lock(self);
    struct simple_event *event = NULL;
    if (!arvo__simple_log_reserve(log, 1, 0))
        st = arvo__nomem(err);
    else if ((event = dead_take(log, seq)) == NULL)
        st = dead_missing(seq, err);
    if (event != NULL) {
        struct simple_delivery *row = event->delivery;
        arvo__simple_text_unref(log, row->error);
        row->error = NULL;
        row->attempts = 0;
        row->due_ms = 0;
        arvo__simple_log_outbox_insert(log, event);
        arvo__simple_queues_wake(log);
    }
    (void)pthread_mutex_unlock(&log->mutex);
    return st;
}

arvo_status
arvo__simple_dead_drop(void *self, int64_t seq, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    struct simple_log *log = delivery_lock(self);
    struct simple_event *event = dead_take(log, seq);
    if (event != NULL) {
        arvo__simple_delivery_free(log, event);
        arvo__simple_log_event_unref(log, event);
    } else {
        st = dead_missing(seq, err);
    }
    (void)pthread_mutex_unlock(&log->mutex);
    return st;
}
