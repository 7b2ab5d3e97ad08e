/* Workers over a memory: store: everything ends, in order, whoever else works on it, fails or
 * stops. */

#include "broker_fixture.h"

#include <arvo/worker.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define THREADS 8

/* ---- A shop: an orchestrator, and a payment service that can be told how to behave -------------
 */

#define CALLS_MAX 4096

typedef struct service {
    atomic_bool is_bad;    /* answers break the contract */
    atomic_bool is_closed; /* calls wait until it is not */
    atomic_uint inside;    /* calls that run */
    pthread_mutex_t mutex;
    char calls[CALLS_MAX][24]; /* orderId of each, in order */
    size_t call_count;
} service;

static bool
serve(const arvo_handling *handling)
{
    service *s = handling->user;
    atomic_fetch_add(&s->inside, 1);
    while (atomic_load(&s->is_closed))
        (void)usleep(500);
    pthread_mutex_lock(&s->mutex);
    assert_true(s->call_count < CALLS_MAX);
    (void)snprintf(
        s->calls[s->call_count++], sizeof(s->calls[0]), "%.*s",
        ARVO_FMT(arvo_json_str(arvo_json_get(handling->event->data, "orderId"))));
    pthread_mutex_unlock(&s->mutex);
    arvo_json *data = arvo_json_object_new(handling->arena);
    if (!atomic_load(&s->is_bad))
        arvo_json_set(
            handling->arena, data, ARVO_STR("paymentId"),
            arvo_json_string(handling->arena, ARVO_STR("p")));
    const arvo_event answer = { .type = ARVO_STR("evt.payment.charge.success"), .data = data };
    arvo_handling_emit(handling, &answer);
    atomic_fetch_sub(&s->inside, 1);
    return true;
}

typedef struct watch {
    atomic_uint shown, failed, troubles, unserved;
} watch;

static void
watch_delivery(void *user, const arvo_delivery *delivery)
{
    watch *w = user;
    assert_true(delivery->seq > 0);
    atomic_fetch_add(&w->shown, 1);
    atomic_fetch_add(&w->failed, delivery->status != ARVO_OK);
    atomic_fetch_add(&w->unserved, delivery->handled_by == ARVO_HANDLED_BY_NOBODY);
}

static void
watch_trouble(void *user, const arvo_error *err)
{
    assert_true(err->text[0] != '\0');
    atomic_fetch_add(&((watch *)user)->troubles, 1);
}

typedef struct shop {
    fixture f;
    service service;
    watch watch;
    arvo_handler *handler;
    const arvo_memory_ops *ops;
    void *self;
} shop;

static void
shop_open(shop *s)
{
    static const arvo_handler_version versions[] = { { "1.0.0", serve }, { 0 } };
    memset(s, 0, sizeof(*s));
    fixture_open_with(&s->f, (arvo_orchestrator_opts){ .lock_wait_ms = -1 });
    assert_int_equal(pthread_mutex_init(&s->service.mutex, NULL), 0);
    const arvo_handler_opts opts = { .contracts = s->f.contracts,
                                     .contract_uri = "#/services/payment",
                                     .versions = versions,
                                     .user = &s->service };
    assert_ok(arvo_handler_create(&opts, &s->handler, &s->f.err), s->f.err);
    s->ops = arvo_memory_ops_of(s->f.memory);
    s->self = arvo_memory_self(s->f.memory);
    size_t none = 0; /* from here on there is an outbox */
    assert_ok(s->ops->outbox_list(s->self, 0, 1, count_row, &none, &s->f.err), s->f.err);
}

static void
shop_close(shop *s)
{
    arvo_handler_free(s->handler);
    (void)pthread_mutex_destroy(&s->service.mutex);
    fixture_close(&s->f);
}

static void
shop_put_by(shop *s, arvo_str subject, arvo_event event, const char *source, const char *to)
{
    event.source = arvo_str_from(source);
    event.to = arvo_str_from(to);
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    arvo_event_write(&event, &text);
    const arvo_stored_event row = { .direction = ARVO_PRODUCED,
                                    .subject = subject,
                                    .id = event.id,
                                    .source = event.source,
                                    .type = event.type,
                                    .domains = ARVO_STR("[\"default\"]"),
                                    .json = arvo_buf_str(&text) };
    const arvo_commit commit = { .subject = subject, .produced = &row, .produced_count = 1 };
    assert_ok(s->ops->commit(s->self, &commit, 1, &s->f.err), s->f.err);
    arvo_buf_fini(&text);
}

static void
shop_put_request(shop *s, arvo_str subject, const char *name, int number)
{
    char data[64];
    (void)snprintf(data, sizeof(data), "{'orderId':'%s-%d','amount':1}", name, number);
    shop_put_by(
        s, subject, fixture_event(&s->f, "com.payment.charge", subject, data), CLIENT,
        "com.payment.charge");
}

/* A start event in the outbox. */
static arvo_str
shop_order(shop *s)
{
    const arvo_str subject = fixture_subject(&s->f, "arvo.orc.order", "1.0.0", NULL);
    shop_put_by(s, subject, fixture_start(&s->f, subject, "plain"), CLIENT, "arvo.orc.order");
    return subject;
}

static arvo_worker *
shop_worker(shop *s, arvo_worker_opts opts, bool with_orders, bool with_payments)
{
    arvo_worker *worker = NULL;
    opts.memory = s->f.memory;
    opts.on_delivery = watch_delivery;
    opts.on_trouble = watch_trouble;
    opts.user = &s->watch;
    assert_ok(arvo_worker_new(&opts, &worker, &s->f.err), s->f.err);
    if (with_orders)
        assert_ok(arvo_worker_add_orchestrator(worker, s->f.orchestrator, &s->f.err), s->f.err);
    if (with_payments)
        assert_ok(arvo_worker_add_handler(worker, s->handler, &s->f.err), s->f.err);
    return worker;
}

static arvo_worker_counters
shop_work_until_idle(shop *s, arvo_worker_opts opts)
{
    opts.until_idle = true;
    arvo_worker *worker = shop_worker(s, opts, true, true);
    assert_ok(arvo_worker_start(worker, &s->f.err), s->f.err);
    assert_true(arvo_worker_join(worker, 60 * 1000));
    arvo_worker_counters counters;
    arvo_worker_count(worker, &counters);
    arvo_worker_free(worker);
    return counters;
}

static size_t
shop_outbox(shop *s)
{
    size_t count = 0;
    assert_ok(s->ops->outbox_list(s->self, 0, 0, count_row, &count, &s->f.err), s->f.err);
    return count;
}

static bool
count_outbox_row(void *user, const arvo_outbox_row *row)
{
    (void)row;
    ++*(size_t *)user;
    return true;
}

static size_t
shop_dead(shop *s)
{
    size_t count = 0;
    assert_ok(s->ops->dead_list(s->self, 0, 0, count_outbox_row, &count, &s->f.err), s->f.err);
    return count;
}

/* Rows that somebody else could claim now; they are given back. */
static size_t
shop_claimable(shop *s)
{
    size_t count = 0;
    const arvo_claim claim = { .token = { 3 }, .limit = 1000 };
    assert_ok(s->ops->outbox_claim(s->self, &claim, count_outbox_row, &count, &s->f.err), s->f.err);
    assert_ok(s->ops->outbox_release(s->self, &claim, &s->f.err), s->f.err);
    return count;
}

/* Done, in two steps, each once: start and payment consumed, request and completion produced. */
static void
assert_order_is_done(shop *s, arvo_str subject)
{
    arvo_record record;
    assert_true(fixture_read(&s->f, subject, &record));
    assert_str_is(record.status, "done");
    assert_int_equal(record.revision, 2);
}

/* ---- Work ---------------------------------------------------------------------------------------
 */

static void
test_worker__every_workflow_ends_once(void **state)
{
    (void)state;
    enum { ORDERS = 200 };
    shop s;
    shop_open(&s);
    arvo_str subjects[ORDERS];
    for (size_t i = 0; i < ORDERS; i++)
        subjects[i] = shop_order(&s);
    const arvo_worker_counters counters =
        shop_work_until_idle(&s, (arvo_worker_opts){ .threads = THREADS });
    for (size_t i = 0; i < ORDERS; i++)
        assert_order_is_done(&s, subjects[i]);
    assert_int_equal(shop_outbox(&s), 0);
    assert_int_equal(s.service.call_count, ORDERS);
    assert_int_equal(counters.delivered, 3 * ORDERS); /* start, request, payment */
    assert_int_equal(counters.unserved, ORDERS);      /* completion: the client is nobody here */
    assert_int_equal(counters.failed + counters.put_off + counters.troubles, 0);
    assert_int_equal(counters.in_flight + counters.queued + counters.threads, 0);
    assert_int_equal(atomic_load(&s.watch.shown), 4 * ORDERS);
    assert_int_equal(atomic_load(&s.watch.unserved), ORDERS);
    shop_close(&s);
}

static void
test_worker__the_events_of_a_subject_keep_their_order(void **state)
{
    (void)state;
    enum { SUBJECTS = 20, EVENTS = 30 };
    shop s;
    shop_open(&s);
    arvo_str subjects[SUBJECTS];
    for (int i = 0; i < SUBJECTS; i++)
        subjects[i] = fixture_subject(&s.f, "arvo.orc.order", "1.0.0", NULL);
    for (int k = 0; k < EVENTS; k++)
        for (int i = 0; i < SUBJECTS; i++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "s%d", i);
            shop_put_request(&s, subjects[i], name, k);
        }
    (void)shop_work_until_idle(&s, (arvo_worker_opts){ .threads = THREADS, .claim_limit = 100 });
    assert_int_equal(s.service.call_count, SUBJECTS * EVENTS);
    int next[SUBJECTS] = { 0 };
    for (size_t c = 0; c < s.service.call_count; c++) {
        char *end = NULL;
        const long i = strtol(s.service.calls[c] + 1, &end, 10);
        assert_true(i >= 0 && i < SUBJECTS);
        assert_int_equal(strtol(end + 1, NULL, 10), next[i]);
        next[i]++;
    }
    shop_close(&s);
}

/* A workflow with many events takes turns with the others. */
static void
test_worker__workflows_take_turns(void **state)
{
    (void)state;
    shop s;
    shop_open(&s);
    const arvo_str many = fixture_subject(&s.f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_str one = fixture_subject(&s.f, "arvo.orc.order", "1.0.0", NULL);
    for (int i = 0; i < 40; i++)
        shop_put_request(&s, many, "many", i);
    shop_put_request(&s, one, "one", 0);
    (void)shop_work_until_idle(&s, (arvo_worker_opts){ .threads = 1 });
    assert_int_equal(s.service.call_count, 41);
    assert_string_equal(s.service.calls[0], "many-0");
    assert_string_equal(s.service.calls[1], "one-0");
    shop_close(&s);
}

/* ---- Failures
 * --------------------------------------------------------------------------------------- */

static void
test_worker__poison_is_isolated(void **state)
{
    (void)state;
    enum { ORDERS = 50 };
    shop s;
    shop_open(&s);
    arvo_str subjects[ORDERS];
    const arvo_str poisoned = fixture_subject(&s.f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_stored_event row = { .direction = ARVO_PRODUCED,
                                    .subject = poisoned,
                                    .id = ARVO_STR("x"),
                                    .source = ARVO_STR("arvo.orc.order"),
                                    .type = ARVO_STR("com.payment.charge"),
                                    .domains = ARVO_STR("[\"default\"]"),
                                    .json = ARVO_STR("{\"id\":") };
    const arvo_commit commit = { .subject = poisoned, .produced = &row, .produced_count = 1 };
    assert_ok(s.ops->commit(s.self, &commit, 1, &s.f.err), s.f.err);
    shop_put_request(&s, poisoned, "behind", 0);
    for (size_t i = 0; i < ORDERS; i++)
        subjects[i] = shop_order(&s);
    const arvo_worker_counters counters =
        shop_work_until_idle(&s, (arvo_worker_opts){ .threads = THREADS });
    for (size_t i = 0; i < ORDERS; i++)
        assert_order_is_done(&s, subjects[i]);
    assert_int_equal(shop_dead(&s), 1);
    assert_int_equal(counters.failed, 1);
    assert_int_equal(counters.dead, 1);
    assert_int_equal(s.service.call_count, ORDERS + 1); /* the one behind it, too */
    assert_int_equal(shop_outbox(&s), 0);
    shop_close(&s);
}

static void
test_worker__attempts_are_counted_and_end(void **state)
{
    (void)state;
    shop s;
    shop_open(&s);
    atomic_store(&s.service.is_bad, true);
    const arvo_str subject = shop_order(&s);
    arvo_worker *worker = shop_worker(
        &s,
        (arvo_worker_opts){ .threads = 2,
                            .retry = { .attempts_max = 3, .first_ms = 1, .factor = 1 } },
        true, true);
    assert_ok(arvo_worker_start(worker, &s.f.err), s.f.err);
    while (shop_dead(&s) == 0)
        (void)usleep(1000);
    arvo_worker_counters counters;
    arvo_worker_free(worker);
    assert_int_equal(s.service.call_count, 3);
    assert_int_equal(atomic_load(&s.watch.failed), 3);

    /* With the service mended and the dead letter put back, the workflow goes on. */
    atomic_store(&s.service.is_bad, false);
    int64_t seq = 0;
    for (seq = 1; s.ops->dead_retry(s.self, seq, &s.f.err) != ARVO_OK; seq++)
        assert_true(seq < 100);
    counters = shop_work_until_idle(&s, (arvo_worker_opts){ .threads = 2 });
    assert_int_equal(counters.failed, 0);
    assert_order_is_done(&s, subject);
    shop_close(&s);
}

/* What is nobody's fault is tried again while the claim lasts, without an attempt. */
static void
test_worker__a_lock_that_is_denied_is_put_off(void **state)
{
    (void)state;
    shop s;
    shop_open(&s);
    const arvo_str subject = shop_order(&s), other = shop_order(&s);
    bool acquired = false;
    arvo_lease lease;
    assert_ok(s.ops->lock(s.self, subject, 60000, 0, &acquired, &lease, &s.f.err), s.f.err);
    arvo_worker *worker = shop_worker(
        &s, (arvo_worker_opts){ .threads = 2, .retry = { .attempts_max = 1 } }, true, true);
    assert_ok(arvo_worker_start(worker, &s.f.err), s.f.err);
    arvo_worker_counters counters;
    do {
        arvo_worker_count(worker, &counters);
        (void)usleep(1000);
    } while (counters.put_off < 2 || counters.delivered < 3);
    assert_order_is_done(&s, other);
    assert_ok(s.ops->unlock(s.self, subject, &lease, &s.f.err), s.f.err);
    do {
        arvo_worker_count(worker, &counters);
        (void)usleep(1000);
    } while (counters.delivered < 6);
    assert_int_equal(counters.failed, 0);
    arvo_worker_free(worker);
    assert_order_is_done(&s, subject);
    assert_int_equal(shop_dead(&s), 0);
    shop_close(&s);
}

/* ---- A store that fails
 * ---------------------------------------------------------------------------- */

static atomic_uint failing_claims;
static arvo_memory_ops honest;

static arvo_status
claim_fails(void *self, const arvo_claim *claim, arvo_outbox_fn each, void *user, arvo_error *err)
{
    if (atomic_load(&failing_claims) == 0)
        return honest.outbox_claim(self, claim, each, user, err);
    atomic_fetch_sub(&failing_claims, 1);
    return arvo_error_set(err, ARVO_E_IO, ARVO_NO_OFFSET, "the server is gone");
}

static void
test_worker__it_outlasts_a_store_that_is_away(void **state)
{
    (void)state;
    shop s;
    shop_open(&s);
    const arvo_str subject = shop_order(&s);
    honest = *s.ops;
    arvo_memory_ops ops = honest;
    ops.outbox_claim = claim_fails;
    ops.close = NULL;
    arvo_memory *away = NULL;
    assert_ok(arvo_memory_new(&ops, s.self, &away, &s.f.err), s.f.err);
    atomic_store(&failing_claims, 2);
    arvo_memory *there = s.f.memory;
    s.f.memory = away;
    const arvo_worker_counters counters =
        shop_work_until_idle(&s, (arvo_worker_opts){ .threads = 2 });
    s.f.memory = there;
    assert_int_equal(counters.troubles, 2);
    assert_int_equal(atomic_load(&s.watch.troubles), 2);
    assert_order_is_done(&s, subject);
    arvo_memory_close(away);
    shop_close(&s);
}

/* ---- Stopping
 * ------------------------------------------------------------------------------------------ */

static void
test_worker__a_stop_finishes_what_is_in_flight_and_gives_back_the_rest(void **state)
{
    (void)state;
    enum { REQUESTS = 20 };
    shop s;
    shop_open(&s);
    for (int i = 0; i < REQUESTS; i++) {
        const arvo_str subject = fixture_subject(&s.f, "arvo.orc.order", "1.0.0", NULL);
        shop_put_request(&s, subject, "r", i);
    }
    atomic_store(&s.service.is_closed, true);
    arvo_worker *worker = shop_worker(&s, (arvo_worker_opts){ .threads = 3 }, false, true);
    assert_ok(arvo_worker_start(worker, &s.f.err), s.f.err);
    while (atomic_load(&s.service.inside) < 3)
        (void)usleep(500);
    arvo_worker_counters counters;
    arvo_worker_count(worker, &counters);
    assert_int_equal(counters.in_flight, 3);
    assert_int_equal(counters.queued, REQUESTS - 3);
    assert_int_equal(shop_claimable(&s), 0);
    arvo_worker_stop(worker);
    assert_false(arvo_worker_join(worker, 20)); /* three are in flight */
    atomic_store(&s.service.is_closed, false);
    assert_true(arvo_worker_join(worker, 60 * 1000));
    assert_int_equal(s.service.call_count, 3);
    assert_int_equal(shop_claimable(&s), REQUESTS); /* seventeen, and three answers */
    arvo_worker_free(worker);
    shop_close(&s);
}

static void
test_worker__one_that_was_never_started_ends_too(void **state)
{
    (void)state;
    shop s;
    shop_open(&s);
    arvo_worker *worker = shop_worker(&s, (arvo_worker_opts){ 0 }, true, true);
    assert_true(arvo_worker_join(worker, -1));
    arvo_worker_free(worker);
    arvo_worker_free(NULL);
    shop_close(&s);
}

/* ---- Several workers
 * ------------------------------------------------------------------------------------- */

/* Workflows in one worker, the service in another: each leaves the other's to it. */
static void
test_worker__two_share_the_work_by_address(void **state)
{
    (void)state;
    enum { ORDERS = 20 };
    shop s;
    shop_open(&s);
    arvo_str subjects[ORDERS];
    for (size_t i = 0; i < ORDERS; i++)
        subjects[i] = shop_order(&s);
    arvo_worker *orders = shop_worker(&s, (arvo_worker_opts){ .threads = 4 }, true, false);
    arvo_worker *payments = shop_worker(&s, (arvo_worker_opts){ .threads = 4 }, false, true);
    assert_ok(arvo_worker_add_elsewhere(orders, ARVO_STR("com.payment.charge"), &s.f.err), s.f.err);
    assert_ok(arvo_worker_add_elsewhere(payments, ARVO_STR("arvo.orc.order"), &s.f.err), s.f.err);
    assert_int_equal(
        arvo_worker_add_elsewhere(payments, ARVO_STR("com.payment.charge"), &s.f.err),
        ARVO_E_EXISTS);
    assert_ok(arvo_worker_start(orders, &s.f.err), s.f.err);
    assert_ok(arvo_worker_start(payments, &s.f.err), s.f.err);
    for (size_t i = 0; i < ORDERS; i++) {
        arvo_record record = { 0 };
        while (!fixture_read(&s.f, subjects[i], &record) || !arvo_str_is(record.status, "done"))
            (void)usleep(2000);
        assert_order_is_done(&s, subjects[i]);
    }
    arvo_worker_free(orders);
    arvo_worker_free(payments);
    assert_int_equal(s.service.call_count, ORDERS);
    shop_close(&s);
}

static void
test_worker__several_on_one_store_do_it_once(void **state)
{
    (void)state;
    enum { ORDERS = 100, WORKERS = 3 };
    shop s;
    shop_open(&s);
    arvo_worker *workers[WORKERS];
    for (size_t i = 0; i < WORKERS; i++) {
        workers[i] = shop_worker(&s, (arvo_worker_opts){ .threads = 3 }, true, true);
        assert_ok(arvo_worker_start(workers[i], &s.f.err), s.f.err);
    }
    arvo_str subjects[ORDERS];
    for (size_t i = 0; i < ORDERS; i++)
        subjects[i] = shop_order(&s);
    while (shop_outbox(&s) > 0)
        (void)usleep(2000);
    for (size_t i = 0; i < WORKERS; i++)
        arvo_worker_free(workers[i]);
    while (shop_outbox(&s) > 0) /* what was committed while they ended */
        (void)shop_work_until_idle(&s, (arvo_worker_opts){ .threads = 2 });
    for (size_t i = 0; i < ORDERS; i++)
        assert_order_is_done(&s, subjects[i]);
    assert_int_equal(s.service.call_count, ORDERS);
    shop_close(&s);
}

/* An address that is served elsewhere makes its events there, and whether anybody watches them is
 * known there only. */
static void
test_worker__what_is_made_elsewhere_is_left_to_it(void **state)
{
    (void)state;
    shop s;
    shop_open(&s);
    const arvo_str subject = fixture_subject(&s.f, "arvo.orc.other", "1.0.0", NULL);
    shop_put_by(
        &s, subject, fixture_event(&s.f, "com.other.call", subject, "{}"), "arvo.orc.other",
        "com.nobody");
    arvo_worker *worker =
        shop_worker(&s, (arvo_worker_opts){ .threads = 2, .until_idle = true }, true, true);
    assert_ok(arvo_worker_add_elsewhere(worker, ARVO_STR("arvo.orc.other"), &s.f.err), s.f.err);
    assert_ok(arvo_worker_start(worker, &s.f.err), s.f.err);
    assert_true(arvo_worker_join(worker, 60 * 1000));
    arvo_worker_free(worker);
    assert_int_equal(shop_outbox(&s), 1);
    assert_int_equal(atomic_load(&s.watch.shown), 0);
    shop_close(&s);
}

/* Another app's events are not touched, and do not keep a worker from being idle. */
static void
test_worker__what_others_made_is_left_to_them(void **state)
{
    (void)state;
    shop s;
    shop_open(&s);
    const arvo_str foreign = fixture_subject(&s.f, "arvo.orc.other", "1.0.0", NULL);
    for (int i = 0; i < 100; i++)
        shop_put_by(
            &s, foreign, fixture_event(&s.f, "com.other.call", foreign, "{}"), "arvo.orc.other",
            "com.other.call");
    const arvo_str subject = shop_order(&s);
    const arvo_worker_counters counters =
        shop_work_until_idle(&s, (arvo_worker_opts){ .threads = 2, .claim_limit = 10 });
    assert_order_is_done(&s, subject);
    assert_true(counters.left > 0);
    assert_int_equal(shop_claimable(&s), 100);
    assert_int_equal(counters.failed, 0);
    shop_close(&s);
}

/* ---- What the header promises of creating
 * ------------------------------------------------------------------ */

static void
test_worker__statuses_of_creating(void **state)
{
    (void)state;
    shop s;
    shop_open(&s);
    arvo_worker *none = NULL;
    arvo_worker_opts opts = { .threads = 2 };
    assert_int_equal(arvo_worker_new(&opts, &none, &s.f.err), ARVO_E_INVALID);
    opts.memory = s.f.memory;
    opts.threads = ARVO_WORKER_THREADS_MAX + 1;
    assert_int_equal(arvo_worker_new(&opts, &none, &s.f.err), ARVO_E_INVALID);
    opts.threads = 2;
    opts.retry.factor = 0.1;
    assert_int_equal(arvo_worker_new(&opts, &none, &s.f.err), ARVO_E_INVALID);
    opts.retry.factor = 0;

    arvo_memory_ops ops = { .version = ARVO_MEMORY_OPS_VERSION,
                            .name = "plain",
                            .read = s.ops->read,
                            .write = s.ops->write,
                            .lock = s.ops->lock,
                            .unlock = s.ops->unlock };
    assert_ok(arvo_memory_new(&ops, s.self, &opts.memory, &s.f.err), s.f.err);
    assert_int_equal(arvo_worker_new(&opts, &none, &s.f.err), ARVO_E_UNSUPPORTED);
    assert_non_null(strstr(s.f.err.text, "plain"));
    arvo_memory_close(opts.memory);

    for (size_t n = 1;; n++) {
        support_allocator heap = support_allocator_fail_at(n);
        const arvo_allocator allocator = support_allocator_ops(&heap);
        opts = (arvo_worker_opts){ .allocator = &allocator, .memory = s.f.memory, .threads = 2 };
        arvo_status st = arvo_worker_new(&opts, &none, &s.f.err);
        if (st == ARVO_OK)
            st = arvo_worker_add_handler(none, s.handler, &s.f.err);
        arvo_worker_free(none);
        none = NULL;
        assert_int_equal(heap.live, 0);
        if (heap.calls < n) {
            assert_int_equal(st, ARVO_OK);
            break;
        }
        assert_int_equal(st, ARVO_E_NOMEM);
    }
    shop_close(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker__every_workflow_ends_once),
        cmocka_unit_test(test_worker__the_events_of_a_subject_keep_their_order),
        cmocka_unit_test(test_worker__workflows_take_turns),
        cmocka_unit_test(test_worker__poison_is_isolated),
        cmocka_unit_test(test_worker__attempts_are_counted_and_end),
        cmocka_unit_test(test_worker__a_lock_that_is_denied_is_put_off),
        cmocka_unit_test(test_worker__it_outlasts_a_store_that_is_away),
        cmocka_unit_test(test_worker__a_stop_finishes_what_is_in_flight_and_gives_back_the_rest),
        cmocka_unit_test(test_worker__one_that_was_never_started_ends_too),
        cmocka_unit_test(test_worker__two_share_the_work_by_address),
        cmocka_unit_test(test_worker__several_on_one_store_do_it_once),
        cmocka_unit_test(test_worker__what_is_made_elsewhere_is_left_to_it),
        cmocka_unit_test(test_worker__what_others_made_is_left_to_them),
        cmocka_unit_test(test_worker__statuses_of_creating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
