/* What an execution does with its lease: taken together with the record where the store can,
 * renewed while a step takes long, and never past its bound. The store is a memory: one that writes
 * down what it is asked; its lock_read and renew are the test's own. */

#include "orchestrator_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct recording {
    arvo_memory *inner;
    const arvo_memory_ops *ops;
    void *self;
    atomic_uint locks, reads, lock_reads, inbox_finds, renewals, unlocks;
    atomic_int renew_status; /* arvo_status that renew gives */
    int64_t lock_status;     /* that lock_read gives */
    bool forgets_inbox;
    _Atomic int64_t commit_expires_ms; /* of the lease that the last commit carried */
} recording;

static arvo_status
rec_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *found, arvo_record *out, arvo_error *err)
{
    recording *r = self;
    atomic_fetch_add(&r->reads, 1);
    return r->ops->read(r->self, subject, arena, found, out, err);
}

static arvo_status
rec_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    recording *r = self;
    return r->ops->write(r->self, subject, record, previous, lease, err);
}

static arvo_status
rec_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *acquired, arvo_lease *out,
    arvo_error *err)
{
    recording *r = self;
    atomic_fetch_add(&r->locks, 1);
    (void)ttl_ms; /* what is short here is how often the keeper looks, not the lease */
    return r->ops->lock(r->self, subject, 60 * 1000, wait_ms, acquired, out, err);
}

static arvo_status
rec_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    recording *r = self;
    atomic_fetch_add(&r->unlocks, 1);
    return r->ops->unlock(r->self, subject, lease, err);
}

static arvo_status
rec_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    recording *r = self;
    r->commit_expires_ms = commits[0].lease->expires_ms;
    return r->ops->commit(r->self, commits, count, err);
}

static arvo_status
rec_inbox_find(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *found,
    arvo_stored_event_fn each, void *user, arvo_error *err)
{
    recording *r = self;
    atomic_fetch_add(&r->inbox_finds, 1);
    if (!r->forgets_inbox)
        return r->ops->inbox_find(r->self, subject, source, id, found, each, user, err);
    *found = false;
    return ARVO_OK;
}

static arvo_status
rec_lock_read(
    void *self, const arvo_lock_request *request, arvo_arena *arena, arvo_locked *out,
    arvo_error *err)
{
    recording *r = self;
    atomic_fetch_add(&r->lock_reads, 1);
    if (r->lock_status != ARVO_OK)
        return arvo_error_set(err, (arvo_status)r->lock_status, ARVO_NO_OFFSET, "no connection");
    *out = (arvo_locked){ 0 };
    arvo_status st = r->ops->lock(
        r->self, request->subject, request->ttl_ms, request->wait_ms, &out->is_acquired,
        &out->lease, err);
    if (st == ARVO_OK && out->is_acquired)
        st = r->ops->read(r->self, request->subject, arena, &out->has_record, &out->record, err);
    if (st == ARVO_OK && out->is_acquired)
        st = r->ops->inbox_find(
            r->self, request->subject, request->source, request->id, &out->is_consumed, NULL, NULL,
            err);
    return st;
}

static arvo_status
rec_renew(void *self, arvo_str subject, arvo_lease *lease, int64_t ttl_ms, arvo_error *err)
{
    recording *r = self;
    assert_true(subject.len > 0);
    assert_true(ttl_ms > 0);
    const arvo_status st = (arvo_status)atomic_load(&r->renew_status);
    if (st == ARVO_OK)
        lease->expires_ms += ttl_ms;
    else
        (void)arvo_error_set(err, st, ARVO_NO_OFFSET, "not renewed");
    atomic_fetch_add(&r->renewals, 1);
    return st;
}

static arvo_memory_ops
recording_ops(void)
{
    return (arvo_memory_ops){ .version = ARVO_MEMORY_OPS_VERSION,
                              .name = "recording",
                              .read = rec_read,
                              .write = rec_write,
                              .lock = rec_lock,
                              .unlock = rec_unlock,
                              .commit = rec_commit,
                              .inbox_find = rec_inbox_find };
}

static void
recording_open(recording *r, fixture *f, const arvo_memory_ops *ops, arvo_orchestrator_opts opts)
{
    arvo_error err;
    memset(r, 0, sizeof(*r));
    assert_ok(arvo_memory_open("memory:", &r->inner, &err), err);
    r->ops = arvo_memory_ops_of(r->inner);
    r->self = arvo_memory_self(r->inner);
    assert_ok(arvo_memory_new(ops, r, &opts.memory, &err), err);
    arvo_memory *memory = opts.memory;
    fixture_open_with(f, opts);
    f->memory = memory;
}

static void
recording_close(recording *r, fixture *f)
{
    fixture_close(f);
    arvo_memory_close(r->inner);
}

/* ---- lock_read ------------------------------------------------------------------------ */

static void
test_lease__lock_and_read_are_one_call_where_the_store_can(void **state)
{
    (void)state;
    recording r;
    fixture f;
    arvo_memory_ops ops = recording_ops();
    ops.lock_read = rec_lock_read;
    recording_open(&r, &f, &ops, (arvo_orchestrator_opts){ .lock_wait_ms = -1 });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_EXECUTED);
    const arvo_event reply =
        fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
    assert_ok(fixture_execute(&f, &reply), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_EXECUTED);
    assert_str_is(f.result.status, "done");
    assert_int_equal(r.lock_reads, 2);
    assert_int_equal(r.locks + r.reads + r.inbox_finds, 0);

    /* A duplicate's outcome is asked for, and is the answer. */
    assert_ok(fixture_execute(&f, &reply), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_DUPLICATE);
    assert_int_equal(f.result.all.count, 1);
    assert_int_equal(r.inbox_finds, 1);
    assert_int_equal(r.reads, 0);

    /* It is one too when the store has forgotten what came of it. */
    r.forgets_inbox = true;
    assert_ok(fixture_execute(&f, &reply), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_DUPLICATE);
    assert_int_equal(f.result.all.count, 0);
    assert_int_equal(r.unlocks, 2); /* the other two were released by their commits */
    recording_close(&r, &f);
}

static void
test_lease__lock_read_may_be_denied_or_fail(void **state)
{
    (void)state;
    recording r;
    fixture f;
    arvo_memory_ops ops = recording_ops();
    ops.lock_read = rec_lock_read;
    recording_open(&r, &f, &ops, (arvo_orchestrator_opts){ .lock_wait_ms = -1 });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    bool acquired;
    arvo_lease lease;
    assert_ok(r.ops->lock(r.self, subject, 0, 0, &acquired, &lease, &f.err), f.err);
    assert_int_equal(fixture_execute(&f, &start), ARVO_E_LOCK_DENIED);
    assert_ok(r.ops->unlock(r.self, subject, &lease, &f.err), f.err);
    r.lock_status = ARVO_E_IO;
    assert_int_equal(fixture_execute(&f, &start), ARVO_E_LOCK_FAILED);
    assert_non_null(strstr(f.err.text, "no connection"));
    assert_int_equal(r.unlocks, 0); /* nothing was held */
    r.lock_status = ARVO_OK;
    assert_ok(fixture_execute(&f, &start), f.err);
    recording_close(&r, &f);
}

/* ---- Renewal ---------------------------------------------------------------------------- */

/* An engine that goes on when the store was asked to renew `until` times. */
typedef struct slow_engine {
    recording *store;
    unsigned until;
    unsigned linger_us; /* then it stays so long, for what must not happen */
} slow_engine;

static void
engine_wait(const slow_engine *slow)
{
    while (atomic_load(&slow->store->renewals) < slow->until)
        (void)usleep(1000);
    (void)usleep(slow->linger_us);
}

static arvo_status
slow_execute(
    void *self, const arvo_machine *machine, const arvo_machine_input *input, arvo_arena *arena,
    arvo_machine_output *out, arvo_error *err)
{
    engine_wait(self);
    const arvo_engine *engine = arvo_engine_statechart();
    return engine->execute(engine->self, machine, input, arena, out, err);
}

static void
slow_open(recording *r, fixture *f, slow_engine *slow, unsigned until)
{
    arvo_memory_ops ops = recording_ops();
    ops.renew = rec_renew;
    *slow = (slow_engine){ .store = r, .until = until };
    static arvo_engine engine;
    engine =
        (arvo_engine){ .version = ARVO_ENGINE_OPS_VERSION, .execute = slow_execute, .self = slow };
    recording_open(
        r, f, &ops, (arvo_orchestrator_opts){ .engine = &engine, .lease_ms = 60 * 1000 });
}

/* The lease is a minute here, so that no step outlives it in the inner store; who renews looks each
 * third of the shortest lease among those who share: that of `hurried`. */
static arvo_orchestrator *
hurry(fixture *f)
{
    arvo_orchestrator *hurried = NULL;
    const arvo_orchestrator_opts opts = { .memory = f->memory,
                                          .machines = f->machines,
                                          .machine_count = 2,
                                          .lease_ms = 15,
                                          .lock_wait_ms = 60 * 1000,
                                          .shares_with = f->orchestrator };
    assert_ok(arvo_orchestrator_create(&opts, &hurried, &f->err), f->err);
    const arvo_event start =
        fixture_start(f, fixture_subject(f, "arvo.orc.order", "1.0.0", NULL), "now");
    arvo_result result;
    arvo_status st;
    do /* a busy machine may outlast 15 ms: then the event is delivered again */
        st = arvo_orchestrator_execute(hurried, &start, f->arena, &result, &f->err);
    while (st == ARVO_E_WRITE_FAILED);
    assert_ok(st, f->err);
    return hurried;
}

static void
test_lease__a_long_step_keeps_its_lease(void **state)
{
    (void)state;
    recording r;
    fixture f;
    slow_engine slow;
    slow_open(&r, &f, &slow, 0);
    arvo_orchestrator *hurried = hurry(&f);
    slow.until = atomic_load(&r.renewals) + 3;
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    const int64_t before = arvo_platform_system()->time_ms(NULL);
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_EXECUTED);
    /* The commit carries the renewed lease: three times the minute, and the first one. */
    assert_true(r.commit_expires_ms >= before + 4 * 60 * 1000);

    /* What is over is not renewed: nothing runs, so nobody asks. */
    const unsigned renewals = atomic_load(&r.renewals);
    (void)usleep(50 * 1000);
    assert_int_equal(atomic_load(&r.renewals), renewals);
    arvo_orchestrator_free(hurried);
    recording_close(&r, &f);
}

static void
test_lease__one_that_is_lost_is_not_asked_for_again(void **state)
{
    (void)state;
    recording r;
    fixture f;
    slow_engine slow;
    slow_open(&r, &f, &slow, 0);
    arvo_orchestrator *hurried = hurry(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");

    /* A store that fails is asked again; one that says it is lost, is not. */
    atomic_store(&r.renew_status, ARVO_E_IO);
    slow.until = atomic_load(&r.renewals) + 2;
    assert_ok(fixture_execute(&f, &start), f.err);

    atomic_store(&r.renew_status, ARVO_E_STALE);
    slow.until = atomic_load(&r.renewals) + 1;
    slow.linger_us = 50 * 1000; /* many looks of the keeper */
    const arvo_event reply =
        fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
    assert_ok(fixture_execute(&f, &reply), f.err);
    assert_int_equal(atomic_load(&r.renewals), slow.until);
    arvo_orchestrator_free(hurried);
    recording_close(&r, &f);
}

/* ---- A step that hangs --------------------------------------------------------------------- */

typedef struct hanging {
    arvo_memory *memory;
    arvo_str subject;
    atomic_bool is_inside, may_go;
} hanging;

static arvo_status
hanging_execute(
    void *self, const arvo_machine *machine, const arvo_machine_input *input, arvo_arena *arena,
    arvo_machine_output *out, arvo_error *err)
{
    hanging *h = self;
    atomic_store(&h->is_inside, true);
    while (!atomic_load(&h->may_go))
        (void)usleep(1000);
    const arvo_engine *engine = arvo_engine_statechart();
    return engine->execute(engine->self, machine, input, arena, out, err);
}

static void *
hanging_take_over(void *arg)
{
    hanging *h = arg;
    const arvo_memory_ops *ops = arvo_memory_ops_of(h->memory);
    bool acquired = false;
    arvo_lease lease;
    arvo_error err;
    while (!atomic_load(&h->is_inside))
        (void)usleep(1000);
    assert_ok(
        ops->lock(
            arvo_memory_self(h->memory), h->subject, 60 * 1000, 60 * 1000, &acquired, &lease, &err),
        err);
    atomic_store(&h->may_go, true);
    return acquired ? h : NULL;
}

/* Renewal has an end: somebody else gets the subject, and whoever hung there finds its lease lost.
 */
static void
test_lease__a_step_that_hangs_does_not_hold_its_lock_for_ever(void **state)
{
    (void)state;
    hanging h = { .memory = NULL };
    const arvo_engine engine = { .version = ARVO_ENGINE_OPS_VERSION,
                                 .execute = hanging_execute,
                                 .self = &h };
    fixture f;
    fixture_open_with(
        &f,
        (arvo_orchestrator_opts){ .engine = &engine, .lease_ms = 60, .lease_renew_max_ms = 150 });
    assert_non_null(arvo_memory_ops_of(f.memory)->renew);
    h.memory = f.memory;
    h.subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hanging_take_over, &h), 0);
    const arvo_event start = fixture_start(&f, h.subject, "plain");
    assert_int_equal(fixture_execute(&f, &start), ARVO_E_WRITE_FAILED);
    void *taken = NULL;
    assert_int_equal(pthread_join(thread, &taken), 0);
    assert_ptr_equal(taken, &h);
    arvo_record record;
    assert_false(fixture_read(&f, h.subject, &record)); /* nothing was written */
    fixture_close(&f);
}

/* Turned off, or with a store that cannot, there is no thread. */
static unsigned
threads_now(void)
{
    char line[256];
    unsigned threads = 0;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "Threads:", 8) == 0)
            threads = (unsigned)strtoul(line + 8, NULL, 10);
    (void)fclose(file);
    return threads;
}

static void
test_lease__the_keeper_is_there_when_needed_and_gone_at_the_end(void **state)
{
    (void)state;
    const unsigned before = threads_now();
    for (int i = 0; i < 3; i++) {
        recording r;
        fixture f;
        arvo_memory_ops ops = recording_ops();
        if (i != 1)
            ops.renew = rec_renew;
        recording_open(
            &r, &f, &ops, (arvo_orchestrator_opts){ .lease_renew_max_ms = i == 0 ? -1 : 0 });
        assert_int_equal(threads_now(), before);
        const arvo_event start =
            fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "plain");
        assert_ok(fixture_execute(&f, &start), f.err);
        assert_int_equal(threads_now(), before + (i == 2));
        recording_close(&r, &f);
        assert_int_equal(threads_now(), before);
    }
}

/* A child of fork() has no keeper, starts one of its own, and ends. */
static void
test_lease__a_child_of_fork_has_a_keeper_of_its_own(void **state)
{
    (void)state;
#if defined(__SANITIZE_THREAD__)
    print_message("skipped: ThreadSanitizer lets no child of fork() have threads\n");
    skip();
#endif
    recording r;
    fixture f;
    slow_engine slow;
    slow_open(&r, &f, &slow, 0);
    arvo_orchestrator *hurried = hurry(&f);
    const pid_t child = fork();
    if (child == 0) {
        alarm(60); /* a child that hangs is a failure, not a test that hangs */
        arvo_orchestrator *again = hurry(&f);
        slow.until = atomic_load(&r.renewals) + 2;
        const arvo_event start =
            fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "plain");
        const bool is_good = fixture_execute(&f, &start) == ARVO_OK;
        arvo_orchestrator_free(again);
        arvo_orchestrator_free(hurried);
        recording_close(&r, &f);
        _exit(is_good ? 0 : 1);
    }
    assert_true(child > 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    arvo_orchestrator_free(hurried);
    recording_close(&r, &f);
}

/* ---- Many threads -------------------------------------------------------------------------- */

#define THREADS 4
#define EVENTS  400

typedef struct runner {
    pthread_t thread;
    const fixture *shared;
    arvo_orchestrator *orchestrator;
    arvo_event events[EVENTS];
    size_t failed;
} runner;

static void *
runner_run(void *arg)
{
    runner *w = arg;
    arvo_arena *arena = arvo_arena_new(NULL);
    for (size_t i = 0; i < EVENTS; i++) {
        arvo_result result;
        arvo_error err;
        w->failed += arvo_orchestrator_execute(
                         w->orchestrator, &w->events[i], arena, &result, &err) != ARVO_OK;
        arvo_arena_reset(arena);
    }
    arvo_arena_free(arena);
    return NULL;
}

/* The keeper looks as often as it can while executions begin and end beside it. */
static void
test_lease__the_keeper_and_executions_do_not_collide(void **state)
{
    (void)state;
    recording r;
    fixture f;
    slow_engine slow;
    slow_open(&r, &f, &slow, 0);
    arvo_orchestrator *hurried = hurry(&f);
    runner *runners = calloc(THREADS, sizeof(*runners));
    assert_non_null(runners);
    for (size_t i = 0; i < THREADS; i++) {
        runners[i].shared = &f;
        runners[i].orchestrator = f.orchestrator;
        for (size_t k = 0; k < EVENTS; k++)
            runners[i].events[k] =
                fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "plain");
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&runners[i].thread, NULL, runner_run, &runners[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(runners[i].thread, NULL), 0);
        assert_int_equal(runners[i].failed, 0);
    }
    free(runners);
    arvo_orchestrator_free(hurried);
    recording_close(&r, &f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lease__lock_and_read_are_one_call_where_the_store_can),
        cmocka_unit_test(test_lease__lock_read_may_be_denied_or_fail),
        cmocka_unit_test(test_lease__a_long_step_keeps_its_lease),
        cmocka_unit_test(test_lease__one_that_is_lost_is_not_asked_for_again),
        cmocka_unit_test(test_lease__a_step_that_hangs_does_not_hold_its_lock_for_ever),
        cmocka_unit_test(test_lease__the_keeper_is_there_when_needed_and_gone_at_the_end),
        cmocka_unit_test(test_lease__a_child_of_fork_has_a_keeper_of_its_own),
        cmocka_unit_test(test_lease__the_keeper_and_executions_do_not_collide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
