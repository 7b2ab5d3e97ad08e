/* What the SQLite store remembers of its file: that it is used, and that nothing which anybody
 * writes is missed for it. */

#include "sqlite_fixture.h"

#ifdef ARVO_HAVE_SQLITE

#define LARGE    ((size_t)30 * 1024)
#define MANY     40 /* events, more than an inbox in memory holds */
#define THREADS  6
#define PER_EACH 40
#define SUBJECTS 5

/* ---- Executions ------------------------------------------------------------ */

static arvo_locked
lock_read(arvo_memory *memory, arvo_str subject, const char *id, arvo_arena *arena)
{
    const arvo_stored_event event = store_event(id);
    const arvo_lock_request request = { .subject = subject,
                                        .source = event.source,
                                        .id = event.id,
                                        .ttl_ms = 30000,
                                        .wait_ms = 60000 };
    arvo_locked locked = { 0 };
    arvo_error err = { 0 };
    if (arvo_memory_ops_of(memory)->lock_read(
            arvo_memory_self(memory), &request, arena, &locked, &err) != ARVO_OK)
        fail_msg("%s", err.text);
    assert_true(locked.is_acquired);
    return locked;
}

static void
unlock(arvo_memory *memory, arvo_str subject, const arvo_locked *locked)
{
    arvo_error err = { 0 };
    assert_int_equal(
        arvo_memory_ops_of(memory)->unlock(arvo_memory_self(memory), subject, &locked->lease, &err),
        ARVO_OK);
}

/* Commit what follows from `locked`; `state` may be none. */
static arvo_status
commit_as(
    arvo_memory *memory, arvo_str subject, const char *id, arvo_str state,
    const arvo_locked *locked)
{
    const arvo_stored_event event = store_event(id);
    arvo_record record = store_record(subject);
    if (state.ptr != NULL)
        record.state = state;
    const arvo_commit commit = { .subject = subject,
                                 .lease = &locked->lease,
                                 .release = true,
                                 .record = &record,
                                 .previous_revision =
                                     locked->has_record ? locked->record.revision : 0,
                                 .consumed = &event };
    arvo_error err = { 0 };
    return arvo_memory_ops_of(memory)->commit(arvo_memory_self(memory), &commit, 1, &err);
}

/* What an execution does; false: the event was consumed before. */
static bool
execute(arvo_memory *memory, arvo_str subject, const char *id, arvo_str state)
{
    arvo_arena *arena = arvo_arena_new(NULL);
    const arvo_locked locked = lock_read(memory, subject, id, arena);
    if (locked.is_consumed)
        unlock(memory, subject, &locked);
    else
        assert_int_equal(commit_as(memory, subject, id, state, &locked), ARVO_OK);
    arvo_arena_free(arena);
    return !locked.is_consumed;
}

static bool
is_consumed(arvo_memory *memory, const char *id)
{
    arvo_arena *arena = arvo_arena_new(NULL);
    const arvo_locked locked = lock_read(memory, SUBJECT, id, arena);
    unlock(memory, SUBJECT, &locked);
    arvo_arena_free(arena);
    return locked.is_consumed;
}

/* ---- Tests --------------------------------------------------------------------- */

static void
test_sqlite_cache__remembers_what_was_written(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_error err = { 0 };
    arvo_record stored = { 0 };
    bool is_found = false;
    assert_true(execute(memory, SUBJECT, "e-1", ARVO_STR_NONE));
    assert_true(execute(memory, SUBJECT, "e-2", ARVO_STR_NONE));
    assert_int_equal(
        arvo_memory_ops_of(memory)->read(
            arvo_memory_self(memory), SUBJECT, arena, &is_found, &stored, &err),
        ARVO_OK);

    /* Not by way of the store, so nobody who has it open knows. */
    file_sql("UPDATE instance SET value = '\"edited\"'");
    const arvo_locked locked = lock_read(memory, SUBJECT, "e-3", arena);
    assert_true(locked.has_record);
    store_assert_record_equal(&locked.record, &stored);
    assert_int_equal(locked.record.revision, 2);
    assert_int_equal(locked.record.created_ms, stored.created_ms);
    assert_int_equal(locked.record.updated_ms, stored.updated_ms);
    assert_int_equal(locked.record.fence, stored.fence);
    unlock(memory, SUBJECT, &locked);

    /* Who only reads reads the file. */
    assert_int_equal(
        arvo_memory_ops_of(memory)->read(
            arvo_memory_self(memory), SUBJECT, arena, &is_found, &stored, &err),
        ARVO_OK);
    assert_true(arvo_str_is(stored.value, "\"edited\""));
    arvo_arena_free(arena);
    arvo_memory_close(memory);
}

static void
test_sqlite_cache__sees_what_other_processes_wrote(void **state)
{
    (void)state;
    arvo_memory *a = open_or_fail(""), *b = open_or_fail("");
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_true(execute(a, SUBJECT, "e-1", ARVO_STR("{\"n\":1}")));
    assert_true(execute(b, SUBJECT, "e-2", ARVO_STR("{\"n\":2}")));
    assert_true(execute(a, SUBJECT, "e-3", ARVO_STR("{\"n\":3}")));
    assert_true(execute(b, SUBJECT, "e-4", ARVO_STR("{\"n\":4}")));
    const arvo_locked locked = lock_read(a, SUBJECT, "e-5", arena);
    assert_false(locked.is_consumed);
    assert_int_equal(locked.record.revision, 4);
    assert_true(arvo_str_is(locked.record.state, "{\"n\":4}"));
    unlock(a, SUBJECT, &locked);
    for (int i = 1; i <= 4; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "e-%d", i);
        assert_false(execute(a, SUBJECT, id, ARVO_STR_NONE));
        assert_false(execute(b, SUBJECT, id, ARVO_STR_NONE));
    }
    arvo_arena_free(arena);
    arvo_memory_close(b);
    arvo_memory_close(a);
}

static void
test_sqlite_cache__forgets_what_was_purged(void **state)
{
    (void)state;
    arvo_memory *a = open_or_fail(""), *b = open_or_fail("");
    arvo_arena *arena = arvo_arena_new(NULL);
    arvo_error err = { 0 };
    arvo_purged purged = { 0 };
    assert_true(execute(a, SUBJECT, "e-1", ARVO_STR_NONE));
    const arvo_record record = store_record(SUBJECT);
    const arvo_purge purge = { .status = record.status, .before_ms = INT64_MAX };
    assert_int_equal(
        arvo_memory_ops_of(b)->purge(arvo_memory_self(b), &purge, &purged, &err), ARVO_OK);
    assert_int_equal(purged.instances, 1);
    const arvo_locked locked = lock_read(a, SUBJECT, "e-2", arena);
    assert_false(locked.has_record);
    unlock(a, SUBJECT, &locked);
    assert_false(is_consumed(a, "e-1"));
    arvo_arena_free(arena);
    arvo_memory_close(b);
    arvo_memory_close(a);
}

/* Nobody promises anything for a file that was edited by hand; but the store finds back. */
static void
test_sqlite_cache__wrong_entry_costs_one_refused_commit(void **state)
{
    (void)state;
    arvo_memory *memory = open_or_fail("");
    arvo_arena *arena = arvo_arena_new(NULL);
    assert_true(execute(memory, SUBJECT, "e-1", ARVO_STR_NONE));
    file_sql("UPDATE instance SET revision = 7");
    arvo_locked locked = lock_read(memory, SUBJECT, "e-2", arena);
    assert_int_equal(locked.record.revision, 1);
    assert_int_equal(commit_as(memory, SUBJECT, "e-2", ARVO_STR_NONE, &locked), ARVO_E_STALE);
    unlock(memory, SUBJECT, &locked);
    assert_true(execute(memory, SUBJECT, "e-2", ARVO_STR_NONE));
    assert_int_equal(revision_of(memory), 8);

    /* An inbox likewise: the event is in the file only. */
    file_sql("INSERT INTO event (subject_id, direction, cause, time_ms, id, source, type, domains, "
             "event) SELECT subject_id, direction, cause, time_ms, 'e-9', source, type, domains, "
             "event FROM event LIMIT 1");
    locked = lock_read(memory, SUBJECT, "e-9", arena);
    assert_false(locked.is_consumed);
    assert_int_equal(commit_as(memory, SUBJECT, "e-9", ARVO_STR_NONE, &locked), ARVO_E_EXISTS);
    unlock(memory, SUBJECT, &locked);
    assert_true(is_consumed(memory, "e-9"));
    arvo_arena_free(arena);
    arvo_memory_close(memory);
}

/* More events than are kept in memory, and than are read for it. */
static void
test_sqlite_cache__knows_long_inboxes(void **state)
{
    (void)state;
    char ids[MANY][16];
    arvo_memory *memory = open_or_fail("?sync=normal");
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "e-%d", i);
        assert_true(execute(memory, SUBJECT, ids[i], ARVO_STR_NONE));
        for (int k = 0; k <= i; k++)
            assert_true(is_consumed(memory, ids[k]));
        assert_false(is_consumed(memory, "another"));
        if (i % 7 != 6)
            continue;
        arvo_memory_close(memory);
        memory = open_or_fail("?sync=normal");
    }
    arvo_memory_close(memory);
}

static size_t
cache_bytes(arvo_memory *memory)
{
    const struct sqlite_store *store = arvo_memory_self(memory);
    return store->cache.bytes;
}

static void
test_sqlite_cache__is_bounded(void **state)
{
    (void)state;
    static char text[4 * LARGE + 1];
    memset(text, 'x', sizeof(text) - 1);
    text[0] = '"';
    text[LARGE - 1] = '"';
    text[4 * LARGE - 1] = '"';
    const arvo_str large = { text, LARGE }, too_large = { text, 4 * LARGE };
    arvo_memory *memory = open_or_fail("?sync=normal");
    struct sqlite_store *store = arvo_memory_self(memory);
    store->cache.bytes_max = 10 * LARGE;
    char subject[16];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20; i++) {
            char id[16];
            (void)snprintf(subject, sizeof(subject), "s-%d", i);
            (void)snprintf(id, sizeof(id), "e-%d", round);
            assert_true(execute(memory, arvo_str_from(subject), id, large));
            assert_true(cache_bytes(memory) <= 10 * LARGE);
        }
    }
    assert_true(cache_bytes(memory) > 8 * LARGE);

    /* Of what is too large nothing stays. */
    const size_t before = cache_bytes(memory);
    text[LARGE - 1] = 'x';
    assert_true(execute(memory, arvo_str_from(subject), "e-2", too_large));
    assert_true(cache_bytes(memory) < before);
    assert_false(execute(memory, arvo_str_from(subject), "e-2", too_large));
    assert_true(execute(memory, arvo_str_from(subject), "e-3", too_large));
    arvo_memory_close(memory);
}

/* ---- Threads of two processes ------------------------------------------------------- */

struct runner {
    arvo_memory *memory;
    int number;
    pthread_t thread;
};

static void *
runner_run(void *arg)
{
    const struct runner *r = arg;
    for (int i = 0; i < PER_EACH; i++) {
        char subject[16], id[24];
        (void)snprintf(subject, sizeof(subject), "s-%d", (r->number + i) % SUBJECTS);
        (void)snprintf(id, sizeof(id), "e-%d-%d", r->number, i);
        assert_true(execute(r->memory, arvo_str_from(subject), id, ARVO_STR_NONE));
        assert_false(execute(r->memory, arvo_str_from(subject), id, ARVO_STR_NONE));
    }
    return NULL;
}

static void
test_sqlite_cache__threads_of_two_stores_lose_nothing(void **state)
{
    (void)state;
    arvo_memory *stores[2] = { open_or_fail("?sync=normal"), open_or_fail("?sync=normal") };
    struct runner runners[THREADS];
    /* Room for some of the subjects only. */
    for (int i = 0; i < 2; i++)
        ((struct sqlite_store *)arvo_memory_self(stores[i]))->cache.bytes_max = 4096;
    for (int i = 0; i < THREADS; i++) {
        runners[i] = (struct runner){ .memory = stores[i % 2], .number = i };
        assert_int_equal(pthread_create(&runners[i].thread, NULL, runner_run, &runners[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(runners[i].thread, NULL), 0);
    assert_int_equal(file_number("SELECT sum(revision) FROM instance"), THREADS * PER_EACH);
    assert_int_equal(file_number("SELECT count(*) FROM event"), THREADS * PER_EACH);
    arvo_memory_close(stores[1]);
    arvo_memory_close(stores[0]);
}

int
main(void)
{
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_sqlite_cache__##name, setup_folder, teardown_folder)
    const struct CMUnitTest tests[] = {
        CASE(remembers_what_was_written),
        CASE(sees_what_other_processes_wrote),
        CASE(forgets_what_was_purged),
        CASE(wrong_entry_costs_one_refused_commit),
        CASE(knows_long_inboxes),
        CASE(is_bounded),
        CASE(threads_of_two_stores_lose_nothing),
    };
    return cmocka_run_group_tests_name("sqlite cache", tests, NULL, NULL);
}

#else

int
main(void)
{
    printf("built without SQLite: skipped\n");
    return 77;
}

#endif
