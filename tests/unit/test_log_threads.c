/* Many threads that speak to one listener: every record arrives, whole, from workers and from the
 * thread that renews leases. */

#include "broker_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include <arvo/log.h>

#define THREADS 8u
#define EVENTS  50u

static _Atomic unsigned heard_executed, heard_other;

static void
hear(void *self, const arvo_log_record *record)
{
    (void)self;
    char bytes[8192];
    arvo_buf line = { .ptr = bytes, .cap = sizeof(bytes), .bytes_max = sizeof(bytes) };
    arvo_log_record_write(record, ARVO_LOG_JSON, &line);
    const bool is_whole = line.status == ARVO_OK && bytes[line.len - 1] == '\n';
    const bool is_executed = is_whole && arvo_str_is(record->message, "the event was executed") &&
                             record->subject.len > 0 && record->event_id.len > 0;
    atomic_fetch_add(is_executed ? &heard_executed : &heard_other, 1);
}

typedef struct crew {
    fixture f;
    arvo_event events[THREADS][EVENTS];
} crew;

typedef struct member {
    crew *crew;
    unsigned number;
    unsigned failed;
} member;

static void *
work(void *arg)
{
    member *m = arg;
    arvo_arena *arena = arvo_arena_new(NULL);
    for (unsigned i = 0; i < EVENTS; i++) {
        arvo_result result;
        m->failed += arvo_orchestrator_execute(
                         m->crew->f.orchestrator, &m->crew->events[m->number][i], arena, &result,
                         NULL) != ARVO_OK;
        arvo_arena_reset(arena);
    }
    arvo_arena_free(arena);
    return NULL;
}

static void
test_log_threads__every_record_arrives(void **state)
{
    (void)state;
    static crew c;
    const arvo_log log = { .version = ARVO_LOG_OPS_VERSION, .write = hear };
    arvo_platform platform = *arvo_platform_system();
    platform.log = &log;
    fixture_open_with(&c.f, (arvo_orchestrator_opts){ .platform = &platform });
    member members[THREADS];
    pthread_t threads[THREADS];
    for (unsigned t = 0; t < THREADS; t++) {
        for (unsigned i = 0; i < EVENTS; i++)
            c.events[t][i] = fixture_start(
                &c.f, fixture_subject(&c.f, "arvo.orc.order", "1.0.0", NULL), "plain");
        members[t] = (member){ .crew = &c, .number = t };
    }
    for (unsigned t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, work, &members[t]), 0);
    for (unsigned t = 0; t < THREADS; t++) {
        assert_int_equal(pthread_join(threads[t], NULL), 0);
        assert_int_equal(members[t].failed, 0);
    }
    assert_int_equal(atomic_load(&heard_executed), THREADS * EVENTS);
    assert_int_equal(atomic_load(&heard_other), 0);
    fixture_close(&c.f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_threads__every_record_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
