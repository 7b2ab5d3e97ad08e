/* One orchestrator, several threads: one subject is served in turn, many subjects at once. Also: a
 * warm orchestrator calls malloc no more (the linker sends those calls through here). */

#include "orchestrator_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS  4
#define SUBJECTS 25

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static atomic_size_t malloc_calls;

void *
__wrap_malloc(size_t size)
{
    atomic_fetch_add_explicit(&malloc_calls, 1, memory_order_relaxed);
    return __real_malloc(size);
}

typedef struct worker {
    pthread_t thread;
    const fixture *shared;
    const arvo_event *events;
    size_t count;
    size_t executed;
    size_t failed;
} worker;

static void *
worker_run(void *arg)
{
    worker *w = arg;
    arvo_arena *arena = arvo_arena_new(NULL);
    for (size_t i = 0; i < w->count; i++) {
        arvo_result result;
        arvo_error err;
        const arvo_status st =
            arvo_orchestrator_execute(w->shared->orchestrator, &w->events[i], arena, &result, &err);
        w->executed += st == ARVO_OK && result.outcome == ARVO_OUTCOME_EXECUTED;
        w->failed += st != ARVO_OK;
        arvo_arena_reset(arena);
    }
    arvo_arena_free(arena);
    return NULL;
}

static void
workers_run(worker *workers)
{
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
}

/* All threads deliver the same events: each has one effect. */
static void
test_orchestrator_threads__the_same_events_from_all(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    arvo_event events[2 * SUBJECTS];
    for (size_t i = 0; i < SUBJECTS; i++) {
        const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
        events[2 * i] = fixture_start(&f, subject, "plain");
        events[2 * i + 1] =
            fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
    }
    worker workers[THREADS] = { 0 };
    for (size_t i = 0; i < THREADS; i++)
        workers[i] = (worker){ .shared = &f, .events = events, .count = 2 * SUBJECTS };
    workers_run(workers);

    size_t executed = 0;
    for (size_t i = 0; i < THREADS; i++) {
        executed += workers[i].executed;
        assert_int_equal(workers[i].failed, 0);
    }
    assert_int_equal(executed, 2 * SUBJECTS);
    for (size_t i = 0; i < SUBJECTS; i++) {
        arvo_record record;
        assert_true(fixture_read(&f, events[2 * i].subject, &record));
        assert_str_is(record.status, "done");
        assert_int_equal(record.revision, 2);
    }
    fixture_close(&f);
}

/* Different events for one subject: all take effect, one after the other. */
static void
test_orchestrator_threads__one_subject_in_turn(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_ok(fixture_execute(&f, &start), f.err);

    arvo_event events[THREADS][SUBJECTS];
    worker workers[THREADS] = { 0 };
    for (size_t i = 0; i < THREADS; i++) {
        for (size_t k = 0; k < SUBJECTS; k++)
            events[i][k] = fixture_start(&f, subject, "plain"); /* handled by a log action */
        workers[i] = (worker){ .shared = &f, .events = events[i], .count = SUBJECTS };
    }
    workers_run(workers);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(workers[i].executed, SUBJECTS);
    arvo_record record;
    assert_true(fixture_read(&f, subject, &record));
    assert_int_equal(record.revision, 1 + THREADS * SUBJECTS);
    fixture_close(&f);
}

/* Two orchestrators with one working memory, and more threads than it starts with; the first is
 * freed first. */
static void
test_orchestrator_threads__orchestrators_share_their_memory(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    fixture other = f;
    const arvo_orchestrator_opts opts = { .memory = f.memory,
                                          .machines = f.machines,
                                          .machine_count = 2,
                                          .shares_with = f.orchestrator };
    assert_ok(arvo_orchestrator_create(&opts, &other.orchestrator, &f.err), f.err);

    arvo_event events[THREADS][SUBJECTS];
    worker workers[THREADS] = { 0 };
    for (size_t i = 0; i < THREADS; i++) {
        for (size_t k = 0; k < SUBJECTS; k++)
            events[i][k] = fixture_start(
                &f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL),
                k % 2 == 0 ? "plain" : "child");
        workers[i] =
            (worker){ .shared = i % 2 == 0 ? &f : &other, .events = events[i], .count = SUBJECTS };
    }
    workers_run(workers);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(workers[i].executed, SUBJECTS);

    arvo_orchestrator_free(f.orchestrator);
    f.orchestrator = other.orchestrator;
    const arvo_event last =
        fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "child");
    assert_ok(fixture_execute(&f, &last), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_EXECUTED);
    fixture_close(&f);
}

static void
test_orchestrator_threads__a_warm_orchestrator_allocates_nothing(void **state)
{
    (void)state;
    fixture f;
    fixture_open_with(&f, (arvo_orchestrator_opts){ 0 });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");
    assert_ok(fixture_execute(&f, &start), f.err);

    enum { WARM = 64, COUNTED = 64 };
    arvo_memory *plain;
    arvo_orchestrator *orchestrator;
    assert_ok(arvo_memory_open("memory:", &plain, &f.err), f.err);
    const arvo_orchestrator_opts opts = { .memory = plain,
                                          .machines = f.machines,
                                          .machine_count = 2 };
    assert_ok(arvo_orchestrator_create(&opts, &orchestrator, &f.err), f.err);

    arvo_buf texts[1 + WARM + COUNTED];
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++) {
        const arvo_event event = fixture_start(&f, subject, "plain");
        texts[i] = ARVO_BUF_INIT(65536);
        arvo_event_write(&event, &texts[i]);
    }
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_buf out = ARVO_BUF_INIT(1 << 20);
    size_t before = 0;
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++) {
        arvo_event event;
        arvo_result result;
        if (i == 1 + WARM)
            before = atomic_load(&malloc_calls);
        arvo_arena_reset(arena);
        arvo_buf_reset(&out);
        assert_ok(arvo_event_parse(arvo_buf_str(&texts[i]), arena, &event, &f.err), f.err);
        assert_ok(arvo_orchestrator_execute(orchestrator, &event, arena, &result, &f.err), f.err);
        assert_int_equal(result.outcome, ARVO_OUTCOME_EXECUTED);
        arvo_result_write(&result, &out);
    }
    assert_true(before > 0); /* the wrapper is in place */
    assert_int_equal(atomic_load(&malloc_calls) - before, 0);

    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++)
        arvo_buf_fini(&texts[i]);
    arvo_buf_fini(&out);
    arvo_arena_free(arena);
    arvo_orchestrator_free(orchestrator);
    arvo_memory_close(plain);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orchestrator_threads__the_same_events_from_all),
        cmocka_unit_test(test_orchestrator_threads__one_subject_in_turn),
        cmocka_unit_test(test_orchestrator_threads__orchestrators_share_their_memory),
        cmocka_unit_test(test_orchestrator_threads__a_warm_orchestrator_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
