/* The worker: threads that claim, deliver and mark done.
 *
 * One mutex guards the queue and the numbers; nothing is called with it held. A thread without a
 * line to deliver is the one that asks the store for more, unless another does already: then it
 * sleeps until that one is back.
 */

#include "runtime/worker.h"

#include "telemetry/log_internal.h"

#define WORKER_LIMIT_PER_THREAD 4u
#define WORKER_WAIT_MS          500  /* in the store, for work; a stop is seen at most that late */
#define WORKER_HOLD_MS          1000 /* what is left to others is claimed that long */
#define WORKER_SHARE_MS         50   /* then others get so long to take it */
#define WORKER_REST_MIN_MS      50   /* of a delivery that was put off: doubled each time */
#define WORKER_REST_MAX_MS      5000
#define WORKER_TROUBLE_MIN_MS   100 /* between two questions to a store that fails; doubled too */
#define WORKER_TROUBLE_MAX_MS   10000
#define WORKER_TEXT_MAX         (2 * ARVO_EVENT_BYTES_MAX)

/* What one thread has for itself. */
typedef struct worker_thread {
    struct arvo_worker *worker;
    pthread_t thread;
    const worker_line *line; /* in flight; under the worker's mutex */
    arvo_arena *arena;
    arvo_buf text;
} worker_thread;

struct arvo_worker {
    const arvo_allocator *allocator; /* NULL, or &allocator_copy */
    arvo_allocator allocator_copy;
    const arvo_memory_ops *store;
    void *store_self;
    const arvo_platform *platform;
    const arvo_telemetry *telemetry;
    arvo__routes routes;
    arvo_retry retry;
    size_t claim_limit;
    int64_t claim_ms;
    bool until_idle;
    void (*on_delivery)(void *user, const arvo_delivery *delivery);
    void (*on_trouble)(void *user, const arvo_error *err);
    void *user;
    worker_thread *threads;
    uint32_t thread_count, started; /* started: to be joined */
    pthread_mutex_t show;           /* around on_delivery and on_trouble */

    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t work;   /* lines, or a claim to make, or the end */
    pthread_cond_t stop;   /* the end, for who sleeps: a signal of `work` is not for them */
    pthread_cond_t ended;
    worker_queue queue;
    arvo_worker_counters counters;
    uint64_t finished;   /* deliveries that ended, whatever came of them */
    uint32_t in_trouble; /* questions in a row that the store did not answer */
    bool is_claiming;
    bool is_stopping;
};

/* ---- Watchers ---------------------------------------------------------------------- */

static void
worker_show(arvo_worker *worker, const arvo_delivery *delivery)
{
    arvo__delivery_log(worker->platform, ARVO_LOG_AREA_WORKER, delivery);
    if (worker->on_delivery == NULL)
        return;
    pthread_mutex_lock(&worker->show);
    worker->on_delivery(worker->user, delivery);
    pthread_mutex_unlock(&worker->show);
}

static void
worker_show_trouble(arvo_worker *worker, const arvo_error *err)
{
    arvo__delivery_log_trouble(
        worker->platform, ARVO_LOG_AREA_WORKER, "the store could not be asked, or told", err);
    if (worker->on_trouble == NULL)
        return;
    pthread_mutex_lock(&worker->show);
    worker->on_trouble(worker->user, err);
    pthread_mutex_unlock(&worker->show);
}

/* ---- One delivery ------------------------------------------------------------------- */

typedef enum worker_outcome {
    WORKER_DELIVERED,
    WORKER_UNSERVED, /* shown, done */
    WORKER_FAILED,   /* the store knows: it waits, and what is behind it is claimed no more */
    WORKER_DEAD,     /* likewise */
    WORKER_PUT_OFF,  /* nobody's fault: it is ours still */
    WORKER_LEFT      /* to others */
} worker_outcome;

static worker_outcome
worker_fail(
    arvo_worker *worker, const arvo__carrier *carrier, const arvo_claim *claim,
    arvo_delivery *delivery, arvo_status status, const arvo_error *why)
{
    arvo_error err = { 0 };
    if (arvo__delivery_fail(carrier, &worker->retry, claim, delivery, status, why, &err) != ARVO_OK)
        worker_show_trouble(worker, &err);
    worker_show(worker, delivery);
    return delivery->is_dead        ? WORKER_DEAD
           : delivery->retry_ms > 0 ? WORKER_FAILED
                                    : WORKER_PUT_OFF;
}

/* Made here and served nowhere: whoever watches has it, and that is all. */
static worker_outcome
worker_show_unserved(arvo_worker *worker, const arvo_delivery *delivery)
{
    arvo_error err = { 0 };
    worker_show(worker, delivery);
    if (worker->store->outbox_done(worker->store_self, delivery->seq, &err) == ARVO_OK)
        return WORKER_UNSERVED;
    worker_show_trouble(worker, &err);
    return WORKER_PUT_OFF;
}

static worker_outcome
worker_hand_over(
    arvo_worker *worker, arvo__carrier *carrier, const arvo_claim *claim, arvo_delivery *delivery)
{
    const arvo__route *route = NULL;
    arvo_error why = { 0 };
    arvo_status st =
        arvo__routes_choose(&worker->routes, delivery, false, carrier->arena, &route, &why);
    if (st != ARVO_OK)
        return worker_fail(worker, carrier, claim, delivery, st, &why);
    if (route == NULL && arvo__routes_made(&worker->routes, delivery->event->source))
        return worker_show_unserved(worker, delivery);
    if (route == NULL || (route->orchestrator == NULL && route->handler == NULL))
        return WORKER_LEFT;
    st = arvo__hand_over(carrier, route, delivery->seq, delivery, &why);
    if (st == ARVO_E_EXISTS)
        return WORKER_DELIVERED; /* by somebody else, meanwhile */
    if (st != ARVO_OK)
        return worker_fail(worker, carrier, claim, delivery, st, &why);
    worker_show(worker, delivery);
    return WORKER_DELIVERED;
}

static worker_outcome
worker_deliver(worker_thread *self, const worker_line *line)
{
    arvo_worker *worker = self->worker;
    arvo__carrier carrier = { .store = worker->store,
                              .store_self = worker->store_self,
                              .platform = worker->platform,
                              .telemetry = worker->telemetry,
                              .arena = self->arena,
                              .text = &self->text };
    arvo_event event;
    arvo_delivery delivery;
    arvo_error why = { 0 };
    arvo_arena_reset(self->arena);
    const arvo_status st =
        arvo__delivery_open(&line->first->row, self->arena, &event, &delivery, &why);
    if (st == ARVO_OK)
        return worker_hand_over(worker, &carrier, &line->batch->claim, &delivery);
    return worker_fail(worker, &carrier, &line->batch->claim, &delivery, st, &why);
}

/* ---- Lines, with the mutex held ---------------------------------------------------------- */

static int64_t
worker_backoff(uint32_t times, int64_t least, int64_t most)
{
    int64_t pause = least;
    while (times-- > 0 && pause < most)
        pause *= 2;
    return pause < most ? pause : most;
}

static bool
worker_is_over(const arvo_worker *worker, const worker_batch *batch, int64_t now_ms)
{
    return now_ms - batch->claimed_ms >= worker->claim_ms;
}

/* Whether an event of the subject is in flight: its row is gone with its commit, or its claim
 * ended, before the delivery did. */
static bool
worker_is_in_flight(const arvo_worker *worker, const worker_line *line)
{
    for (uint32_t i = 0; i < worker->started; i++) {
        const worker_line *other = worker->threads[i].line;
        if (other != NULL && other->hash == line->hash &&
            arvo_str_equal(other->subject, line->subject))
            return true;
    }
    return false;
}

/* One that may be delivered. What is claimed no longer is somebody else's by now. */
static worker_line *
worker_take_line(arvo_worker *worker)
{
    const int64_t now_ms = arvo__real_ms();
    for (;;) {
        worker_line *line = arvo__worker_queue_take(&worker->queue, now_ms);
        if (line == NULL)
            return NULL;
        if (worker_is_over(worker, line->batch, now_ms))
            arvo__worker_line_drop(&worker->queue, line, false);
        else if (worker_is_in_flight(worker, line))
            arvo__worker_line_block(&worker->queue, line);
        else
            return line;
    }
}

static void
worker_finish_line(arvo_worker *worker, worker_line *line, worker_outcome outcome)
{
    arvo_worker_counters *counters = &worker->counters;
    worker_queue *queue = &worker->queue;
    switch (outcome) {
    case WORKER_DELIVERED:
    case WORKER_UNSERVED:
        counters->delivered += outcome == WORKER_DELIVERED;
        counters->unserved += outcome == WORKER_UNSERVED;
        arvo__worker_line_next(queue, line);
        return;
    case WORKER_FAILED:
    case WORKER_DEAD:
        counters->failed++;
        counters->dead += outcome == WORKER_DEAD;
        arvo__worker_line_drop(queue, line, false);
        return;
    case WORKER_PUT_OFF:
        counters->put_off++;
        arvo__worker_line_rest(
            queue, line,
            arvo__real_ms() +
                worker_backoff(line->put_off, WORKER_REST_MIN_MS, WORKER_REST_MAX_MS));
        return;
    case WORKER_LEFT:
        counters->left++;
        arvo__worker_line_drop(queue, line, true);
        return;
    }
}

static void
worker_run_line(worker_thread *self, worker_line *line)
{
    arvo_worker *worker = self->worker;
    self->line = line;
    worker->counters.in_flight++;
    pthread_mutex_unlock(&worker->mutex);
    const worker_outcome outcome = worker_deliver(self, line);
    pthread_mutex_lock(&worker->mutex);
    worker->counters.in_flight--;
    worker->finished++;
    self->line = NULL;
    worker_finish_line(worker, line, outcome);
    arvo__worker_queue_unblock(&worker->queue); /* this thread goes on with them */
}

/* ---- Claiming; called and returning with the mutex held ------------------------------------- */

static void
worker_end(arvo_worker *worker)
{
    worker->is_stopping = true;
    pthread_cond_broadcast(&worker->work);
    pthread_cond_broadcast(&worker->stop);
}

/* Until then, or a stop. */
static void
worker_sleep(arvo_worker *worker, int64_t ms)
{
    const int64_t until_ms = arvo__real_ms_after(ms);
    while (!worker->is_stopping && arvo__real_ms() < until_ms)
        arvo__cond_wait_until(&worker->stop, &worker->mutex, until_ms);
}

/* The store did not answer. */
static void
worker_trouble(arvo_worker *worker, const arvo_error *err)
{
    worker->counters.troubles++;
    const int64_t pause =
        worker_backoff(worker->in_trouble++, WORKER_TROUBLE_MIN_MS, WORKER_TROUBLE_MAX_MS);
    pthread_mutex_unlock(&worker->mutex);
    worker_show_trouble(worker, err);
    pthread_mutex_lock(&worker->mutex);
    worker_sleep(worker, pause);
}

static void
worker_release(arvo_worker *worker, worker_batch *batch)
{
    pthread_mutex_unlock(&worker->mutex);
    /* A claim that cannot be given back ends by itself. */
    (void)worker->store->outbox_release(worker->store_self, &batch->claim, NULL);
    pthread_mutex_lock(&worker->mutex);
    arvo__worker_batch_give(&worker->queue, batch);
}

/* Give back what was held long enough, and leave others time to take it. */
static void
worker_release_held(arvo_worker *worker)
{
    bool any = false;
    worker_batch *batch;
    while ((batch = arvo__worker_queue_take_held(
                &worker->queue, arvo__real_ms() - WORKER_HOLD_MS)) != NULL) {
        worker_release(worker, batch);
        any = true;
    }
    if (any)
        worker_sleep(worker, WORKER_SHARE_MS);
}

static arvo_status
worker_ask(arvo_worker *worker, worker_batch *batch, arvo_error *err)
{
    const arvo_platform *platform = worker->platform;
    batch->claim = (arvo_claim){ .ttl_ms = worker->claim_ms, .limit = worker->claim_limit };
    batch->claimed_ms = arvo__real_ms();
    if (!platform->random(platform->self, batch->claim.token, sizeof(batch->claim.token)))
        return arvo__fail(err, ARVO_E_IO, "the random source failed: nothing can be claimed");
    return worker->store->outbox_claim(
        worker->store_self, &batch->claim, arvo__worker_batch_add, batch, err);
}

/* Ask once. *out_rows: whether there was anything. */
static arvo_status
worker_claim(arvo_worker *worker, bool *out_rows, arvo_error *err)
{
    *out_rows = false;
    worker_batch *batch = arvo__worker_batch_take(&worker->queue);
    if (batch == NULL)
        return arvo__nomem(err);
    pthread_mutex_unlock(&worker->mutex);
    arvo_status st = worker_ask(worker, batch, err);
    if (st == ARVO_OK && batch->first == NULL && batch->is_holding)
        st = arvo__nomem(err); /* not even for one row */
    pthread_mutex_lock(&worker->mutex);
    *out_rows = batch->first != NULL;
    worker->counters.claims += *out_rows;
    arvo__worker_queue_put(&worker->queue, batch);
    return st;
}

/* There is nothing: wait until there may be, or something of ours has rested. */
static void
worker_wait(arvo_worker *worker)
{
    int64_t wait_ms = WORKER_WAIT_MS;
    const int64_t due_ms = arvo__worker_queue_due(&worker->queue);
    if (due_ms != INT64_MAX) {
        const int64_t left = due_ms - arvo__real_ms();
        wait_ms = left < wait_ms ? left : wait_ms;
    }
    if (wait_ms <= 0)
        return;
    arvo_error err = { 0 };
    pthread_mutex_unlock(&worker->mutex);
    const arvo_status st = worker->store->outbox_wait(worker->store_self, wait_ms, &err);
    pthread_mutex_lock(&worker->mutex);
    if (st != ARVO_OK)
        worker_trouble(worker, &err);
}

/* Nothing is in flight, and nothing was since then. */
static bool
worker_is_idle(const arvo_worker *worker, uint64_t finished_before)
{
    return worker->counters.in_flight == 0 && worker->finished == finished_before &&
           worker->queue.rows == 0;
}

/* Get more to do. Nobody else is here meanwhile. */
static void
worker_fetch(arvo_worker *worker)
{
    worker->is_claiming = true;
    worker_release_held(worker);
    const uint64_t finished = worker->finished;
    bool any = false;
    arvo_error err = { 0 };
    if (!worker->is_stopping) {
        if (worker_claim(worker, &any, &err) != ARVO_OK)
            worker_trouble(worker, &err);
        else
            worker->in_trouble = 0;
    }
    if (!any && worker->until_idle && worker->in_trouble == 0 && worker_is_idle(worker, finished))
        worker_end(worker);
    else if (!any && !worker->is_stopping && worker->in_trouble == 0)
        worker_wait(worker);
    worker->is_claiming = false;
}

/* ---- Threads -----------------------------------------------------------------------------------
 */

/* The last one to leave gives back what is claimed. */
static void
worker_leave(arvo_worker *worker)
{
    if (worker->counters.threads == 1) {
        worker_batch *batch;
        while ((batch = arvo__worker_queue_take_any(&worker->queue)) != NULL)
            worker_release(worker, batch);
        while ((batch = arvo__worker_queue_take_held(&worker->queue, INT64_MAX)) != NULL)
            worker_release(worker, batch);
    }
    worker->counters.threads--;
    if (worker->counters.threads == 0)
        pthread_cond_broadcast(&worker->ended);
}

static void *
worker_run(void *arg)
{
    worker_thread *self = arg;
    arvo_worker *worker = self->worker;
    pthread_mutex_lock(&worker->mutex);
    while (!worker->is_stopping) {
        worker_line *line = worker_take_line(worker);
        /* One wakes the next, and so on, while there are lines or nobody asks for more: all at once
         * they would only meet at the mutex. */
        if (line != NULL && (worker->queue.first != NULL || !worker->is_claiming))
            pthread_cond_signal(&worker->work);
        if (line != NULL)
            worker_run_line(self, line);
        else if (!worker->is_claiming)
            worker_fetch(worker);
        else
            pthread_cond_wait(&worker->work, &worker->mutex);
    }
    worker_leave(worker);
    pthread_mutex_unlock(&worker->mutex);
    return NULL;
}

static void
worker_log(const arvo_worker *worker, const char *what)
{
    const arvo_log_attribute attribute = { "threads", ARVO_STR_NONE, worker->thread_count };
    const arvo_log_record record = { .level = ARVO_LOG_INFO,
                                     .area = ARVO_LOG_AREA_WORKER,
                                     .attributes = &attribute,
                                     .attribute_count = 1 };
    arvo__log(worker->platform, &record, "%s", what);
}

arvo_status
arvo_worker_start(arvo_worker *worker, arvo_error *err)
{
    ARVO_ASSERT(worker != NULL && worker->started == 0);
    pthread_mutex_lock(&worker->mutex);
    while (worker->started < worker->thread_count &&
           arvo__thread_start(
               &worker->threads[worker->started].thread, worker_run,
               &worker->threads[worker->started])) {
        worker->started++;
        worker->counters.threads++;
    }
    const uint32_t started = worker->started;
    if (started < worker->thread_count)
        worker_end(worker);
    pthread_mutex_unlock(&worker->mutex);
    if (started == worker->thread_count) {
        worker_log(worker, "the worker delivers");
        return ARVO_OK;
    }
    (void)arvo_worker_join(worker, -1);
    return arvo__fail(
        err, ARVO_E_IO, "worker: %u threads are wanted, the system gives %u: ask for fewer",
        (unsigned)worker->thread_count, (unsigned)started);
}

void
arvo_worker_stop(arvo_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker_end(worker);
    pthread_mutex_unlock(&worker->mutex);
}

bool
arvo_worker_join(arvo_worker *worker, int64_t timeout_ms)
{
    const int64_t until_ms = timeout_ms >= 0 ? arvo__real_ms_after(timeout_ms) : INT64_MAX;
    pthread_mutex_lock(&worker->mutex);
    while (worker->counters.threads > 0 && arvo__real_ms() < until_ms)
        arvo__cond_wait_until(&worker->ended, &worker->mutex, until_ms);
    const bool has_ended = worker->counters.threads == 0;
    pthread_mutex_unlock(&worker->mutex);
    return has_ended;
}

void
arvo_worker_count(arvo_worker *worker, arvo_worker_counters *out)
{
    pthread_mutex_lock(&worker->mutex);
    *out = worker->counters;
    out->queued = (uint32_t)worker->queue.rows;
    pthread_mutex_unlock(&worker->mutex);
}

/* ---- Life
 * ------------------------------------------------------------------------------------------ */

static bool
worker_init_threads(arvo_worker *worker)
{
    worker->threads = arvo__calloc(worker->allocator, worker->thread_count, sizeof(worker_thread));
    for (uint32_t i = 0; worker->threads != NULL && i < worker->thread_count; i++) {
        worker_thread *thread = &worker->threads[i];
        thread->worker = worker;
        thread->text = ARVO_BUF_INIT(WORKER_TEXT_MAX);
        thread->text.allocator = worker->allocator;
        thread->arena = arvo_arena_new(&(arvo_arena_opts){ .allocator = worker->allocator });
        if (thread->arena == NULL)
            return false;
    }
    return worker->threads != NULL;
}

static size_t
worker_claim_limit(const arvo_worker_opts *opts, uint32_t threads)
{
    size_t limit = opts->claim_limit;
    if (limit == 0) {
        limit = (size_t)threads * WORKER_LIMIT_PER_THREAD;
        limit = limit > ARVO_CLAIM_LIMIT_DEFAULT ? limit : ARVO_CLAIM_LIMIT_DEFAULT;
    }
    return limit < ARVO_CLAIM_LIMIT_MAX ? limit : ARVO_CLAIM_LIMIT_MAX;
}

static void
worker_apply(arvo_worker *worker, const arvo_worker_opts *opts)
{
    worker->store = arvo_memory_ops_of(opts->memory);
    worker->store_self = arvo_memory_self(opts->memory);
    worker->platform = opts->platform != NULL ? opts->platform : arvo_platform_system();
    worker->telemetry = opts->telemetry;
    worker->thread_count = opts->threads != 0 ? opts->threads : ARVO_WORKER_THREADS_DEFAULT;
    worker->claim_limit = worker_claim_limit(opts, worker->thread_count);
    worker->claim_ms = opts->claim_ms > 0 ? opts->claim_ms : ARVO_CLAIM_MS_DEFAULT;
    worker->until_idle = opts->until_idle;
    worker->on_delivery = opts->on_delivery;
    worker->on_trouble = opts->on_trouble;
    worker->user = opts->user;
    worker->routes.allocator = worker->allocator;
    arvo__worker_queue_init(&worker->queue, worker->allocator);
}

static arvo_status
worker_check(const arvo_worker_opts *opts, arvo_retry *out_retry, arvo_error *err)
{
    if (opts->memory == NULL)
        return arvo__fail(err, ARVO_E_INVALID, "memory: a worker needs a store");
    if (opts->threads > ARVO_WORKER_THREADS_MAX)
        return arvo__fail(
            err, ARVO_E_INVALID, "threads: %u at most, not %u", ARVO_WORKER_THREADS_MAX,
            (unsigned)opts->threads);
    if (arvo_memory_ops_of(opts->memory)->outbox_claim == NULL)
        return arvo__fail(
            err, ARVO_E_UNSUPPORTED,
            "the store \"%s\" has no claims: no worker can deliver from it",
            arvo_memory_name(opts->memory));
    arvo_status st = arvo_telemetry_check(opts->telemetry, err);
    if (st == ARVO_OK && opts->platform != NULL)
        st = arvo_log_check(opts->platform->log, err);
    return st == ARVO_OK ? arvo__retry_check(&opts->retry, out_retry, err) : st;
}

static arvo_status
worker_open(arvo_worker *worker, arvo_error *err)
{
    return worker_init_threads(worker) ? arvo__outbox_open(worker->store, worker->store_self, err)
                                       : arvo__nomem(err);
}

arvo_status
arvo_worker_new(const arvo_worker_opts *opts, arvo_worker **out, arvo_error *err)
{
    ARVO_ASSERT(opts != NULL && out != NULL);
    arvo_retry retry;
    arvo_status st = worker_check(opts, &retry, err);
    if (st != ARVO_OK)
        return st;
    arvo_worker *worker = arvo__calloc(opts->allocator, 1, sizeof(*worker));
    if (worker == NULL)
        return arvo__nomem(err);
    if (opts->allocator != NULL) {
        worker->allocator_copy = *opts->allocator;
        worker->allocator = &worker->allocator_copy;
    }
    worker->retry = retry;
    worker_apply(worker, opts);
    if (pthread_mutex_init(&worker->mutex, NULL) != 0 ||
        pthread_mutex_init(&worker->show, NULL) != 0 || !arvo__cond_init(&worker->work) ||
        !arvo__cond_init(&worker->stop) || !arvo__cond_init(&worker->ended)) {
        arvo__free(opts->allocator, worker, sizeof(*worker)); /* on Linux none holds anything */
        return arvo__nomem(err);
    }
    st = worker_open(worker, err);
    if (st != ARVO_OK)
        arvo_worker_free(worker);
    else
        *out = worker;
    return st;
}

void
arvo_worker_free(arvo_worker *worker)
{
    if (worker == NULL)
        return;
    arvo_worker_stop(worker);
    for (uint32_t i = 0; i < worker->started; i++)
        (void)pthread_join(worker->threads[i].thread, NULL);
    if (worker->started > 0)
        worker_log(worker, "the worker has ended");
    for (uint32_t i = 0; worker->threads != NULL && i < worker->thread_count; i++) {
        arvo_arena_free(worker->threads[i].arena);
        arvo_buf_fini(&worker->threads[i].text);
    }
    arvo__free(worker->allocator, worker->threads, worker->thread_count * sizeof(worker_thread));
    arvo__worker_queue_fini(&worker->queue);
    arvo__routes_fini(&worker->routes);
    (void)pthread_cond_destroy(&worker->work);
    (void)pthread_cond_destroy(&worker->stop);
    (void)pthread_cond_destroy(&worker->ended);
    (void)pthread_mutex_destroy(&worker->show);
    (void)pthread_mutex_destroy(&worker->mutex);
    const arvo_allocator copy = worker->allocator_copy;
    arvo__free(worker->allocator != NULL ? &copy : NULL, worker, sizeof(*worker));
}

arvo_status
arvo_worker_add_orchestrator(arvo_worker *worker, arvo_orchestrator *orchestrator, arvo_error *err)
{
    ARVO_ASSERT(worker->started == 0);
    const arvo__route route = { .address = arvo_orchestrator_source(orchestrator),
                                .orchestrator = orchestrator };
    return arvo__routes_add(&worker->routes, route, err);
}

arvo_status
arvo_worker_add_handler(arvo_worker *worker, arvo_handler *handler, arvo_error *err)
{
    ARVO_ASSERT(worker->started == 0);
    const arvo__route route = { .address = arvo_handler_type(handler), .handler = handler };
    return arvo__routes_add(&worker->routes, route, err);
}

arvo_status
arvo_worker_add_elsewhere(arvo_worker *worker, arvo_str address, arvo_error *err)
{
    ARVO_ASSERT(worker->started == 0);
    return arvo__routes_add(&worker->routes, (arvo__route){ .address = address }, err);
}
