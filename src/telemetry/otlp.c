/* The exporter: a bounded queue of ended spans, and the thread that sends them. */

#include "telemetry/otlp_internal.h"

#include <time.h>

#define BACKOFF_FIRST_MS INT64_C(500)
#define BACKOFF_MAX_MS   INT64_C(5000)

enum { WARN_REPEAT, WARN_REFUSED, WARN_REJECTED };

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t
arvo__otlp_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* ---- Spans, free and waiting ------------------------------------------------------------- */

void
arvo__otlp_span_free(arvo_otlp *otlp, arvo_span *span)
{
    arvo__free(otlp->allocator, span->bytes, span->cap);
    arvo__free(otlp->allocator, span, sizeof(*span));
}

arvo_span *
arvo__otlp_span_take(arvo_otlp *otlp)
{
    (void)pthread_mutex_lock(&otlp->mutex);
    arvo_span *span = otlp->free;
    if (span != NULL)
        otlp->free = span->next;
    (void)pthread_mutex_unlock(&otlp->mutex);
    if (span == NULL)
        return arvo__calloc(otlp->allocator, 1, sizeof(*span));
    char *bytes = span->bytes;
    const size_t cap = span->cap;
    *span = (arvo_span){ .bytes = bytes, .cap = cap };
    return span;
}

/* With the mutex. */
static void
span_give(arvo_otlp *otlp, arvo_span *span)
{
    if (span->cap > OTLP_SPAN_BYTES_KEPT) {
        arvo__free(otlp->allocator, span->bytes, span->cap);
        span->bytes = NULL;
        span->cap = 0;
    }
    span->next = otlp->free;
    otlp->free = span;
}

void
arvo__otlp_enqueue(arvo_otlp *otlp, arvo_span *span)
{
    span->next = NULL;
    (void)pthread_mutex_lock(&otlp->mutex);
    otlp->counts.spans++;
    const uint32_t queued = atomic_load_explicit(&otlp->queued, memory_order_relaxed);
    if (queued >= otlp->settings.queue_max) {
        otlp->counts.dropped++;
        span_give(otlp, span);
    } else {
        *otlp->queue_end = span;
        otlp->queue_end = &span->next;
        atomic_store_explicit(&otlp->queued, queued + 1, memory_order_relaxed);
        if (queued + 1 == otlp->settings.batch_max)
            (void)pthread_cond_signal(&otlp->changed);
    }
    (void)pthread_mutex_unlock(&otlp->mutex);
}

/* With the mutex: the first of the queue, at most a batch of them. */
static arvo_span *
queue_take(arvo_otlp *otlp)
{
    arvo_span *first = otlp->queue, **end = &first;
    uint32_t count = 0;
    while (*end != NULL && count < otlp->settings.batch_max) {
        end = &(*end)->next;
        count++;
    }
    otlp->queue = *end;
    *end = NULL;
    if (otlp->queue == NULL)
        otlp->queue_end = &otlp->queue;
    atomic_fetch_sub_explicit(&otlp->queued, count, memory_order_relaxed);
    otlp->in_flight = count;
    return first;
}

/* ---- The thread ---------------------------------------------------------------------------- */

static void
warn_once(arvo_otlp *otlp, unsigned kind, const char *line)
{
    if (otlp->warned[kind] || otlp->warn == NULL)
        return;
    otlp->warned[kind] = true;
    otlp->warn(otlp->user, line);
}

/* Whether the time that closing allows is over. */
static bool
out_of_time(void *user)
{
    arvo_otlp *otlp = user;
    (void)pthread_mutex_lock(&otlp->mutex);
    const bool is_over = otlp->is_closing && arvo__real_ms() >= otlp->stop_ms;
    (void)pthread_mutex_unlock(&otlp->mutex);
    return is_over;
}

/* Until `until_ms`, or until closing allows no more. */
static void
pause_until(arvo_otlp *otlp, int64_t until_ms)
{
    (void)pthread_mutex_lock(&otlp->mutex);
    for (;;) {
        const int64_t end_ms =
            otlp->is_closing && otlp->stop_ms < until_ms ? otlp->stop_ms : until_ms;
        if (arvo__real_ms() >= end_ms)
            break;
        arvo__cond_wait_until(&otlp->changed, &otlp->mutex, end_ms);
    }
    (void)pthread_mutex_unlock(&otlp->mutex);
}

/* Half of the pause to all of it, so that many who wait do not come back together. */
static int64_t
jittered(int64_t pause_ms)
{
    uint32_t random = 0;
    const arvo_platform *platform = arvo_platform_system();
    (void)platform->random(platform->self, &random, sizeof(random));
    return pause_ms / 2 + (int64_t)(random % 1024) * pause_ms / 2048;
}

static void
count_request(arvo_otlp *otlp, bool is_repeated)
{
    (void)pthread_mutex_lock(&otlp->mutex);
    otlp->counts.requests++;
    otlp->counts.repeated += is_repeated;
    (void)pthread_mutex_unlock(&otlp->mutex);
}

/* Send the body until it is taken or refused, or the batch's time is over. */
static void
send_body(arvo_otlp *otlp, otlp_answer *answer)
{
    const int64_t end_ms = arvo__real_ms_after(otlp->settings.export_ms);
    int64_t pause_ms = BACKOFF_FIRST_MS;
    for (bool is_repeated = false;; is_repeated = true) {
        count_request(otlp, is_repeated);
        arvo__otlp_send(otlp->sender, arvo_buf_str(&otlp->body), out_of_time, otlp, answer);
        if (answer->outcome != OTLP_REPEAT)
            return;
        warn_once(otlp, WARN_REPEAT, answer->why.text);
        const int64_t wait_ms =
            answer->retry_after_ms >= 0 ? answer->retry_after_ms : jittered(pause_ms);
        const int64_t until_ms = arvo__real_ms_after(wait_ms);
        if (until_ms >= end_ms)
            return;
        pause_until(otlp, until_ms);
        if (out_of_time(otlp))
            return;
        pause_ms = pause_ms * 2 < BACKOFF_MAX_MS ? pause_ms * 2 : BACKOFF_MAX_MS;
    }
}

static void
finish_batch(arvo_otlp *otlp, arvo_span *spans, const otlp_answer *answer)
{
    (void)pthread_mutex_lock(&otlp->mutex);
    const uint64_t count = otlp->in_flight;
    const uint64_t rejected =
        answer->rejected <= 0
            ? 0
            : ((uint64_t)answer->rejected < count ? (uint64_t)answer->rejected : count);
    const bool is_sent = answer->outcome == OTLP_SENT;
    otlp->counts.exported += is_sent ? count - rejected : 0;
    otlp->counts.rejected += is_sent ? rejected : 0;
    otlp->counts.dropped += is_sent ? rejected : count;
    otlp->in_flight = 0;
    for (arvo_span *next; spans != NULL; spans = next) {
        next = spans->next;
        span_give(otlp, spans);
    }
    (void)pthread_mutex_unlock(&otlp->mutex);
}

static void
send_batch(arvo_otlp *otlp, arvo_span *spans)
{
    otlp_answer answer = { .outcome = OTLP_REFUSED };
    arvo_buf_reset(&otlp->body);
    arvo__otlp_write_spans(
        &otlp->settings, spans, atomic_load(&otlp->clock_offset_ns), &otlp->body);
    if (otlp->body.status == ARVO_OK)
        send_body(otlp, &answer);
    else
        (void)arvo__buf_status(&otlp->body, "OTLP request", &answer.why);
    if (answer.outcome == OTLP_REFUSED)
        warn_once(otlp, WARN_REFUSED, answer.why.text);
    if (answer.outcome == OTLP_SENT && answer.why.text[0] != '\0')
        warn_once(otlp, WARN_REJECTED, answer.why.text);
    finish_batch(otlp, spans, &answer);
    /* The real-time clock may have been set. */
    atomic_store(&otlp->clock_offset_ns, clock_ns(CLOCK_REALTIME) - arvo__otlp_now_ns());
}

/* With the mutex: until a batch is there, its time has come, or somebody waits for it. */
static void
wait_for_work(arvo_otlp *otlp)
{
    const int64_t end_ms = arvo__real_ms_after(otlp->settings.delay_ms);
    while (!otlp->is_closing && !otlp->is_flushing &&
           atomic_load(&otlp->queued) < otlp->settings.batch_max && arvo__real_ms() < end_ms)
        arvo__cond_wait_until(&otlp->changed, &otlp->mutex, end_ms);
}

static void *
export_spans(void *user)
{
    arvo_otlp *otlp = user;
    (void)pthread_mutex_lock(&otlp->mutex);
    for (;;) {
        wait_for_work(otlp);
        const bool is_over = otlp->is_closing && arvo__real_ms() >= otlp->stop_ms;
        arvo_span *spans = is_over ? NULL : queue_take(otlp);
        if (spans == NULL) {
            otlp->is_flushing = false;
            (void)pthread_cond_broadcast(&otlp->flushed);
            if (otlp->is_closing)
                break;
            continue;
        }
        (void)pthread_mutex_unlock(&otlp->mutex);
        send_batch(otlp, spans);
        (void)pthread_mutex_lock(&otlp->mutex);
    }
    (void)pthread_mutex_unlock(&otlp->mutex);
    return NULL;
}

/* ---- Life ---------------------------------------------------------------------------------- */

static bool
otlp_init_locks(arvo_otlp *otlp)
{
    return pthread_mutex_init(&otlp->mutex, NULL) == 0 && arvo__cond_init(&otlp->changed) &&
           arvo__cond_init(&otlp->flushed);
}

static void
otlp_free(arvo_otlp *otlp)
{
    arvo__otlp_sender_free(otlp->sender);
    arvo_span *const lists[] = { otlp->free, otlp->queue };
    for (size_t i = 0; i < ARVO_COUNT_OF(lists); i++)
        for (arvo_span *span = lists[i], *next; span != NULL; span = next) {
            next = span->next;
            arvo__otlp_span_free(otlp, span);
        }
    arvo_buf_fini(&otlp->body);
    arvo_arena_free(otlp->settings.arena);
    const arvo_allocator copy = otlp->allocator_copy;
    arvo__free(otlp->allocator != NULL ? &copy : NULL, otlp, sizeof(*otlp));
}

static arvo_status
otlp_fill(arvo_otlp *otlp, const arvo_otlp_opts *opts, arvo_error *err)
{
    const arvo_arena_opts arena_opts = { .allocator = otlp->allocator, .chunk_bytes = 4096 };
    otlp->settings.arena = arvo_arena_new(&arena_opts);
    if (otlp->settings.arena == NULL || !arvo__otlp_settings_read(opts, &otlp->settings))
        return arvo__nomem(err);
    otlp->queue_end = &otlp->queue;
    otlp->body = ARVO_BUF_INIT(OTLP_REQUEST_BYTES_MAX);
    otlp->body.allocator = otlp->allocator;
    atomic_store(&otlp->clock_offset_ns, clock_ns(CLOCK_REALTIME) - arvo__otlp_now_ns());
    otlp->table = arvo__otlp_table(otlp);
    const arvo_status st =
        arvo__otlp_sender_new(otlp->allocator, &otlp->settings, &otlp->sender, err);
    if (st != ARVO_OK)
        return st;
    if (!otlp_init_locks(otlp) || !arvo__thread_start(&otlp->thread, export_spans, otlp))
        return arvo__fail(err, ARVO_E_IO, "OTLP: the exporter's thread cannot be started");
    return ARVO_OK;
}

arvo_status
arvo_otlp_open(const arvo_otlp_opts *opts, arvo_otlp **out, arvo_error *err)
{
    ARVO_ASSERT(out != NULL);
    const arvo_allocator *allocator = opts != NULL ? opts->allocator : NULL;
    arvo_otlp *otlp = arvo__calloc(allocator, 1, sizeof(*otlp));
    if (otlp == NULL)
        return arvo__nomem(err);
    if (allocator != NULL) {
        otlp->allocator_copy = *allocator;
        otlp->allocator = &otlp->allocator_copy;
    }
    if (opts != NULL) {
        otlp->warn = opts->warn;
        otlp->user = opts->user;
    }
    const arvo_status st = otlp_fill(otlp, opts, err);
    if (st != ARVO_OK)
        otlp_free(otlp);
    else
        *out = otlp;
    return st;
}

bool
arvo_otlp_is_wanted(const arvo_otlp_opts *opts)
{
    return arvo__otlp_wanted(opts);
}

const arvo_telemetry *
arvo_otlp_telemetry(const arvo_otlp *otlp)
{
    return &otlp->table;
}

arvo_otlp_counts
arvo_otlp_counts_of(const arvo_otlp *otlp)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&otlp->mutex;
    (void)pthread_mutex_lock(mutex);
    arvo_otlp_counts counts = otlp->counts;
    (void)pthread_mutex_unlock(mutex);
    counts.not_recorded = atomic_load_explicit(&otlp->not_recorded, memory_order_relaxed);
    return counts;
}

bool
arvo_otlp_flush(arvo_otlp *otlp, int64_t deadline_ms)
{
    ARVO_ASSERT(otlp != NULL);
    const int64_t end_ms = arvo__real_ms_after(deadline_ms);
    (void)pthread_mutex_lock(&otlp->mutex);
    otlp->is_flushing = true;
    (void)pthread_cond_signal(&otlp->changed);
    while (otlp->is_flushing && arvo__real_ms() < end_ms)
        arvo__cond_wait_until(&otlp->flushed, &otlp->mutex, end_ms);
    const bool is_done = !otlp->is_flushing;
    (void)pthread_mutex_unlock(&otlp->mutex);
    return is_done;
}

void
arvo_otlp_close(arvo_otlp *otlp, int64_t deadline_ms, arvo_otlp_counts *counts)
{
    if (otlp == NULL)
        return;
    (void)pthread_mutex_lock(&otlp->mutex);
    otlp->is_closing = true;
    otlp->stop_ms = arvo__real_ms_after(deadline_ms);
    (void)pthread_cond_signal(&otlp->changed);
    (void)pthread_mutex_unlock(&otlp->mutex);
    (void)pthread_join(otlp->thread, NULL);
    otlp->counts.dropped += atomic_load(&otlp->queued); /* what was not sent */
    if (counts != NULL)
        *counts = arvo_otlp_counts_of(otlp);
    (void)pthread_cond_destroy(&otlp->changed);
    (void)pthread_cond_destroy(&otlp->flushed);
    (void)pthread_mutex_destroy(&otlp->mutex);
    otlp_free(otlp);
}
