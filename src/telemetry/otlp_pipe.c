/* A pipe: the bounded queue of one signal's records, and the thread that sends them. */

#include "telemetry/otlp_internal.h"

#define BACKOFF_FIRST_MS INT64_C(500)
#define BACKOFF_MAX_MS   INT64_C(5000)

enum { WARN_REPEAT, WARN_REFUSED, WARN_REJECTED };

/* ---- The queue -------------------------------------------------------------------------- */

void
arvo__otlp_pipe_put(otlp_pipe *pipe, otlp_record *record)
{
    record->next = NULL;
    (void)pthread_mutex_lock(&pipe->mutex);
    pipe->counts.items++;
    const uint32_t queued = atomic_load_explicit(&pipe->queued, memory_order_relaxed);
    if (queued >= pipe->target->queue_max) {
        pipe->counts.dropped++;
        pipe->ops->give(pipe->otlp, record);
    } else {
        *pipe->queue_end = record;
        pipe->queue_end = &record->next;
        atomic_store_explicit(&pipe->queued, queued + 1, memory_order_relaxed);
        if (queued + 1 == pipe->target->batch_max)
            (void)pthread_cond_signal(&pipe->changed);
    }
    (void)pthread_mutex_unlock(&pipe->mutex);
}

/* With the mutex: the first of the queue, at most a batch of them. */
static otlp_record *
queue_take(otlp_pipe *pipe)
{
    otlp_record *first = pipe->queue, **end = &first;
    uint32_t count = 0;
    while (*end != NULL && count < pipe->target->batch_max) {
        end = &(*end)->next;
        count++;
    }
    pipe->queue = *end;
    *end = NULL;
    if (pipe->queue == NULL)
        pipe->queue_end = &pipe->queue;
    atomic_fetch_sub_explicit(&pipe->queued, count, memory_order_relaxed);
    return first;
}

/* With the mutex: what is to be sent next; NULL: nothing. */
static otlp_record *
pipe_take(otlp_pipe *pipe)
{
    if (pipe->tick == NULL)
        return queue_take(pipe);
    otlp_record *tick = pipe->is_due ? pipe->tick : NULL;
    pipe->is_due = false;
    return tick;
}

/* ---- The thread ---------------------------------------------------------------------------- */

static void
warn_once(otlp_pipe *pipe, unsigned kind, const char *line)
{
    const arvo_otlp *otlp = pipe->otlp;
    if (pipe->warned[kind] || otlp->warn == NULL)
        return;
    pipe->warned[kind] = true;
    otlp->warn(otlp->user, line);
}

/* Whether the time that closing allows is over. */
static bool
out_of_time(void *user)
{
    otlp_pipe *pipe = user;
    (void)pthread_mutex_lock(&pipe->mutex);
    const bool is_over = pipe->is_closing && arvo__real_ms() >= pipe->stop_ms;
    (void)pthread_mutex_unlock(&pipe->mutex);
    return is_over;
}

/* Until `until_ms`, or until closing allows no more. */
static void
pause_until(otlp_pipe *pipe, int64_t until_ms)
{
    (void)pthread_mutex_lock(&pipe->mutex);
    for (;;) {
        const int64_t end_ms =
            pipe->is_closing && pipe->stop_ms < until_ms ? pipe->stop_ms : until_ms;
        if (arvo__real_ms() >= end_ms)
            break;
        arvo__cond_wait_until(&pipe->changed, &pipe->mutex, end_ms);
    }
    (void)pthread_mutex_unlock(&pipe->mutex);
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
count_request(otlp_pipe *pipe, bool is_repeated)
{
    (void)pthread_mutex_lock(&pipe->mutex);
    pipe->counts.requests++;
    pipe->counts.repeated += is_repeated;
    (void)pthread_mutex_unlock(&pipe->mutex);
}

/* Send the body until it is taken or refused, or the batch's time is over. */
static void
send_body(otlp_pipe *pipe, otlp_answer *answer)
{
    const int64_t end_ms = arvo__real_ms_after(pipe->target->export_ms);
    int64_t pause_ms = BACKOFF_FIRST_MS;
    for (bool is_repeated = false;; is_repeated = true) {
        count_request(pipe, is_repeated);
        arvo__otlp_send(pipe->sender, arvo_buf_str(&pipe->body), out_of_time, pipe, answer);
        if (answer->outcome != OTLP_REPEAT)
            return;
        warn_once(pipe, WARN_REPEAT, answer->why.text);
        const int64_t wait_ms =
            answer->retry_after_ms >= 0 ? answer->retry_after_ms : jittered(pause_ms);
        const int64_t until_ms = arvo__real_ms_after(wait_ms);
        if (until_ms >= end_ms)
            return;
        pause_until(pipe, until_ms);
        if (out_of_time(pipe))
            return;
        pause_ms = pause_ms * 2 < BACKOFF_MAX_MS ? pause_ms * 2 : BACKOFF_MAX_MS;
    }
}

static void
finish_batch(otlp_pipe *pipe, otlp_record *records, uint64_t count, const otlp_answer *answer)
{
    (void)pthread_mutex_lock(&pipe->mutex);
    const uint64_t rejected =
        answer->rejected <= 0
            ? 0
            : ((uint64_t)answer->rejected < count ? (uint64_t)answer->rejected : count);
    const bool is_sent = answer->outcome == OTLP_SENT;
    pipe->counts.exported += is_sent ? count - rejected : 0;
    pipe->counts.rejected += is_sent ? rejected : 0;
    pipe->counts.dropped += is_sent ? rejected : count;
    for (otlp_record *next; records != NULL; records = next) {
        next = records->next;
        pipe->ops->give(pipe->otlp, records);
    }
    (void)pthread_mutex_unlock(&pipe->mutex);
}

static void
count_collected(otlp_pipe *pipe, uint64_t count)
{
    (void)pthread_mutex_lock(&pipe->mutex);
    pipe->counts.items += count;
    (void)pthread_mutex_unlock(&pipe->mutex);
}

static void
send_batch(otlp_pipe *pipe, otlp_record *records)
{
    otlp_answer answer = { .outcome = OTLP_REFUSED };
    arvo_buf_reset(&pipe->body);
    const uint64_t count = pipe->ops->write(pipe->otlp, records, &pipe->body);
    if (records == pipe->tick)
        count_collected(pipe, count);
    if (pipe->body.status == ARVO_OK)
        send_body(pipe, &answer);
    else
        (void)arvo__buf_status(&pipe->body, "OTLP request", &answer.why);
    if (answer.outcome == OTLP_REFUSED)
        warn_once(pipe, WARN_REFUSED, answer.why.text);
    if (answer.outcome == OTLP_SENT && answer.why.text[0] != '\0')
        warn_once(pipe, WARN_REJECTED, answer.why.text);
    finish_batch(pipe, records, count, &answer);
    arvo__otlp_look_at_clock(pipe->otlp);
}

/* With the mutex: until a batch is there, its time has come, or somebody waits for it. */
static void
wait_for_work(otlp_pipe *pipe)
{
    const int64_t end_ms = arvo__real_ms_after(pipe->target->delay_ms);
    while (!pipe->is_closing && !pipe->is_flushing &&
           atomic_load(&pipe->queued) < pipe->target->batch_max && arvo__real_ms() < end_ms)
        arvo__cond_wait_until(&pipe->changed, &pipe->mutex, end_ms);
    pipe->is_due = pipe->is_due || !(pipe->is_closing || pipe->is_flushing);
}

static void *
export_records(void *user)
{
    otlp_pipe *pipe = user;
    (void)pthread_mutex_lock(&pipe->mutex);
    for (;;) {
        wait_for_work(pipe);
        const bool is_over = pipe->is_closing && arvo__real_ms() >= pipe->stop_ms;
        otlp_record *records = is_over ? NULL : pipe_take(pipe);
        if (records == NULL) {
            pipe->is_flushing = false;
            (void)pthread_cond_broadcast(&pipe->flushed);
            if (pipe->is_closing)
                break;
            continue;
        }
        (void)pthread_mutex_unlock(&pipe->mutex);
        send_batch(pipe, records);
        (void)pthread_mutex_lock(&pipe->mutex);
    }
    (void)pthread_mutex_unlock(&pipe->mutex);
    return NULL;
}

/* ---- Life ---------------------------------------------------------------------------------- */

bool
arvo__otlp_pipe_init(
    otlp_pipe *pipe, arvo_otlp *otlp, const otlp_target *target, const otlp_pipe_ops *ops)
{
    *pipe = (otlp_pipe){ .otlp = otlp, .target = target, .ops = ops };
    pipe->queue_end = &pipe->queue;
    pipe->body = ARVO_BUF_INIT(OTLP_REQUEST_BYTES_MAX);
    pipe->body.allocator = otlp->allocator;
    return pthread_mutex_init(&pipe->mutex, NULL) == 0 && arvo__cond_init(&pipe->changed) &&
           arvo__cond_init(&pipe->flushed);
}

arvo_status
arvo__otlp_pipe_start(otlp_pipe *pipe, arvo_error *err)
{
    const arvo_status st =
        arvo__otlp_sender_new(pipe->otlp->allocator, pipe->target, &pipe->sender, err);
    if (st != ARVO_OK)
        return st;
    pipe->has_thread = arvo__thread_start(&pipe->thread, export_records, pipe);
    return pipe->has_thread
               ? ARVO_OK
               : arvo__fail(err, ARVO_E_IO, "OTLP: the exporter's thread cannot be started");
}

bool
arvo__otlp_pipe_flush(otlp_pipe *pipe, int64_t end_ms)
{
    if (!pipe->has_thread)
        return true;
    (void)pthread_mutex_lock(&pipe->mutex);
    pipe->is_flushing = pipe->is_due = true;
    (void)pthread_cond_signal(&pipe->changed);
    while (pipe->is_flushing && arvo__real_ms() < end_ms)
        arvo__cond_wait_until(&pipe->flushed, &pipe->mutex, end_ms);
    const bool is_done = !pipe->is_flushing;
    (void)pthread_mutex_unlock(&pipe->mutex);
    return is_done;
}

void
arvo__otlp_pipe_stop(otlp_pipe *pipe, int64_t stop_ms)
{
    (void)pthread_mutex_lock(&pipe->mutex);
    pipe->is_closing = pipe->is_due = true;
    pipe->stop_ms = stop_ms;
    (void)pthread_cond_signal(&pipe->changed);
    (void)pthread_mutex_unlock(&pipe->mutex);
}

void
arvo__otlp_pipe_join(otlp_pipe *pipe)
{
    if (pipe->has_thread)
        (void)pthread_join(pipe->thread, NULL);
    pipe->has_thread = false;
    pipe->counts.dropped += atomic_load(&pipe->queued); /* what was not sent */
}

void
arvo__otlp_pipe_fini(otlp_pipe *pipe)
{
    for (otlp_record *record = pipe->queue, *next; record != NULL; record = next) {
        next = record->next;
        pipe->ops->give(pipe->otlp, record);
    }
    arvo__otlp_sender_free(pipe->sender);
    arvo_buf_fini(&pipe->body);
    (void)pthread_cond_destroy(&pipe->changed);
    (void)pthread_cond_destroy(&pipe->flushed);
    (void)pthread_mutex_destroy(&pipe->mutex);
}
