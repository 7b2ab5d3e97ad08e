/* What every store has to do, as tests; see conformance.h. Here: records and
 * leases. The other conformance_*.c have the rest.
 */

#include "conformance_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define THREADS    8
#define PER_THREAD 25

/* ---- Fixture ----------------------------------------------------------- */

static int64_t
clock_time_ms(void *self)
{
    return __atomic_load_n(&((store_clock *)self)->now_ms, __ATOMIC_RELAXED);
}

static int64_t
clock_monotonic_ns(void *self)
{
    return clock_time_ms(self) * 1000000;
}

static bool
clock_random(void *self, void *bytes, size_t len)
{
    (void)self;
    const arvo_platform *system = arvo_platform_system();
    return system->random(system->self, bytes, len);
}

void
store_clock_init(store_clock *clock)
{
    *clock = (store_clock){ .now_ms = START_MS };
    clock->platform = (arvo_platform){ .version = ARVO_PLATFORM_OPS_VERSION,
                                       .time_ms = clock_time_ms,
                                       .monotonic_ns = clock_monotonic_ns,
                                       .random = clock_random,
                                       .self = clock };
}

static const store_factory *running; /* cmocka hands no state to a group's tests by itself */

int
store_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->factory = running;
    store_clock_init(&f->clock);
    const arvo_status st = running->open(running->user, &f->clock.platform, &f->memory, &f->err);
    if (st != ARVO_OK)
        fail_msg("open: %s: %s", arvo_status_name(st), f->err.text);
    f->ops = arvo_memory_ops_of(f->memory);
    f->self = arvo_memory_self(f->memory);
    f->arena = arvo_arena_new(NULL);
    assert_non_null(f->arena);
    *state = f;
    return 0;
}

int
store_teardown(void **state)
{
    struct fixture *f = *state;
    arvo_arena_free(f->arena);
    arvo_memory_close(f->memory);
    if (f->factory->discard != NULL)
        f->factory->discard(f->factory->user);
    free(f);
    return 0;
}

arvo_record
store_record(arvo_str subject)
{
    return (arvo_record){
        .subject = subject,
        .parent_subject = ARVO_STR("parent=="),
        .orchestrator = ARVO_STR("arvo.orc.order"),
        .version = ARVO_STR("1.0.0"),
        .status = ARVO_STR("active"),
        .value = ARVO_STR("\"charge\""),
        .state = ARVO_STR("{\"status\":\"active\",\"value\":\"charge\",\"context\":{\"n\":1}}"),
        .last_error = ARVO_STR_NONE,
        .input = ARVO_STR("{\"id\":\"e1\"}"),
        .definition = ARVO_STR("0123456789abcdef"),
    };
}

arvo_stored_event
store_event(const char *id)
{
    return (arvo_stored_event){ .id = arvo_str_from(id),
                                .source = ARVO_STR("com.test"),
                                .type = ARVO_STR("com.payment.charge"),
                                .domains = ARVO_STR("[\"default\"]"),
                                .json = ARVO_STR("{\"id\":\"x\",\"data\":{}}") };
}

void
store_assert_record_equal(const arvo_record *a, const arvo_record *b)
{
    assert_str(a->subject, b->subject);
    assert_str(a->parent_subject, b->parent_subject);
    assert_str(a->orchestrator, b->orchestrator);
    assert_str(a->version, b->version);
    assert_str(a->status, b->status);
    assert_str(a->value, b->value);
    assert_str(a->state, b->state);
    assert_str(a->last_error, b->last_error);
    assert_str(a->input, b->input);
    assert_str(a->definition, b->definition);
}

/* ---- Records ----------------------------------------------------------- */

static void
test_store__fresh_store_has_no_record(void **state)
{
    struct fixture *f = *state;
    arvo_record record;
    memset(&record, 0x5a, sizeof(record));
    assert_false(find(f, ARVO_STR("nobody"), &record));
}

static void
test_store__empty_subject_is_refused(void **state)
{
    struct fixture *f = *state;
    const arvo_str bad[] = { ARVO_STR_NONE, ARVO_STR("") };
    for (size_t i = 0; i < ARVO_COUNT_OF(bad); i++) {
        bool flag = false;
        arvo_lease lease = { 0 };
        arvo_record record = store_record(bad[i]);
        assert_status(
            f, ARVO_E_INVALID, f->ops->read(f->self, bad[i], f->arena, &flag, &record, &f->err));
        assert_status(
            f, ARVO_E_INVALID, f->ops->lock(f->self, bad[i], TTL_MS, 0, &flag, &lease, &f->err));
        assert_status(
            f, ARVO_E_INVALID, f->ops->write(f->self, bad[i], &record, NULL, &lease, &f->err));
        assert_status(f, ARVO_E_INVALID, f->ops->unlock(f->self, bad[i], &lease, &f->err));
    }
}

static void
test_store__record_is_read_as_written(void **state)
{
    struct fixture *f = *state;
    const arvo_str subject = ARVO_STR("s1");
    const arvo_record record = store_record(subject);
    const arvo_lease lease = lock_now(f, subject);
    assert_status(f, ARVO_OK, f->ops->write(f->self, subject, &record, NULL, &lease, &f->err));

    arvo_record got;
    assert_true(find(f, subject, &got));
    store_assert_record_equal(&got, &record);
    assert_int_equal(got.revision, 1);
    assert_int_equal(got.fence, lease.fence);
    if (!f->factory->ignores_clock) {
        assert_int_equal(got.created_ms, START_MS);
        assert_int_equal(got.updated_ms, START_MS);
    }
}

static void
test_store__null_and_empty_strings_differ(void **state)
{
    struct fixture *f = *state;
    arvo_record record = store_record(ARVO_STR("s1"));
    record.parent_subject = ARVO_STR("");
    record.value = record.state = record.input = record.definition = ARVO_STR_NONE;
    record.last_error = ARVO_STR("{\"errorName\":\"x\"}");
    put(f, &record);
    arvo_record got;
    assert_true(find(f, record.subject, &got));
    store_assert_record_equal(&got, &record);
}

static void
test_store__hostile_strings_survive(void **state)
{
    struct fixture *f = *state;
    arvo_record record = store_record(ARVO_STR("a'b\"c\\d\n%s;--\xc3\xa9\xf0\x9f\x98\x80"));
    record.parent_subject = ARVO_STR("with\0nul");
    record.state = ARVO_STR("{\"x\":\"\\u0000' OR 1=1 --\"}");
    if (f->factory->refuses_nul) {
        const arvo_lease lease = lock_now(f, record.subject);
        assert_status(
            f, ARVO_E_INVALID,
            f->ops->write(f->self, record.subject, &record, NULL, &lease, &f->err));
        unlock_now(f, record.subject, &lease);
        record.parent_subject = ARVO_STR("without");
    }
    put(f, &record);
    arvo_record got;
    assert_true(find(f, record.subject, &got));
    store_assert_record_equal(&got, &record);
}

static void
test_store__rewriting_counts_revisions_and_keeps_created(void **state)
{
    struct fixture *f = *state;
    arvo_record record = store_record(ARVO_STR("s1"));
    put(f, &record);
    clock_move(&f->clock, 1500);
    record.status = ARVO_STR("done");
    record.state = ARVO_STR("{}");
    put(f, &record);
    arvo_record got;
    assert_true(find(f, record.subject, &got));
    store_assert_record_equal(&got, &record);
    assert_int_equal(got.revision, 2);
    if (!f->factory->ignores_clock) {
        assert_int_equal(got.created_ms, START_MS);
        assert_int_equal(got.updated_ms, START_MS + 1500);
    }
}

static void
test_store__records_grow_and_shrink(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = { 2, 100, 1000, 70000, 300, 1000000, 12, 5000, 4999, 2 };
    for (size_t i = 0; i < ARVO_COUNT_OF(sizes); i++) {
        char *state_text = malloc(sizes[i]);
        assert_non_null(state_text);
        memset(state_text, 'a' + (int)i, sizes[i]);
        state_text[0] = state_text[sizes[i] - 1] = '"';
        arvo_record record = store_record(ARVO_STR("grows"));
        record.state = (arvo_str){ state_text, sizes[i] };
        put(f, &record);
        arvo_record got;
        assert_true(find(f, record.subject, &got));
        store_assert_record_equal(&got, &record);
        assert_int_equal(got.revision, i + 1);
        free(state_text);
        arvo_arena_reset(f->arena);
    }
}

static void
test_store__many_subjects_do_not_mix(void **state)
{
    struct fixture *f = *state;
    const size_t many = f->factory->many != 0 ? f->factory->many : 2000;
    for (size_t i = 0; i < many; i++) {
        arvo_record record = store_record(subject_at(f, "many", i));
        record.value = record.subject;
        record.value = arvo_arena_printf(f->arena, "\"%zu\"", i);
        put(f, &record);
        arvo_arena_reset(f->arena);
    }
    for (size_t i = 0; i < many; i++) {
        arvo_record record = store_record(subject_at(f, "many", i)), got;
        record.value = arvo_arena_printf(f->arena, "\"%zu\"", i);
        assert_true(find(f, record.subject, &got));
        store_assert_record_equal(&got, &record);
        arvo_arena_reset(f->arena);
    }
    arvo_record got;
    assert_false(find(f, subject_at(f, "many", many), &got));
}

static void
test_store__faulty_records_are_refused(void **state)
{
    struct fixture *f = *state;
    const arvo_str subject = ARVO_STR("s1");
    const arvo_lease lease = lock_now(f, subject);
    arvo_record record = store_record(ARVO_STR("another"));
    assert_status(
        f, ARVO_E_INVALID, f->ops->write(f->self, subject, &record, NULL, &lease, &f->err));
    assert_status(f, ARVO_E_INVALID, f->ops->write(f->self, subject, NULL, NULL, &lease, &f->err));
    arvo_record got;
    assert_false(find(f, subject, &got));
    assert_false(find(f, record.subject, &got));
}

/* ---- Leases ------------------------------------------------------------ */

static void
test_store__lock_is_exclusive(void **state)
{
    struct fixture *f = *state;
    const arvo_lease lease = lock_now(f, ARVO_STR("s1"));
    assert_false(can_lock(f, ARVO_STR("s1")));
    assert_true(can_lock(f, ARVO_STR("s2"))); /* others are not concerned */
    unlock_now(f, ARVO_STR("s1"), &lease);
    assert_true(can_lock(f, ARVO_STR("s1")));
}

static void
test_store__fence_grows_with_every_lease(void **state)
{
    struct fixture *f = *state;
    const arvo_record record = store_record(ARVO_STR("s1"));
    uint64_t newest = 0;
    for (int i = 0; i < 20; i++) {
        if (i == 10)
            put(f, &record); /* a record in between makes no difference */
        const arvo_lease lease = lock_now(f, ARVO_STR("s1"));
        assert_true(lease.fence > newest);
        newest = lease.fence;
        unlock_now(f, ARVO_STR("s1"), &lease);
    }
}

static void
test_store__unlock_needs_the_token(void **state)
{
    struct fixture *f = *state;
    const arvo_lease lease = lock_now(f, ARVO_STR("s1"));
    arvo_lease forged = lease;
    forged.token[3] ^= 1;
    unlock_now(f, ARVO_STR("s1"), &forged);
    assert_false(can_lock(f, ARVO_STR("s1")));
    unlock_now(f, ARVO_STR("s1"), &lease);
    unlock_now(f, ARVO_STR("s1"), &lease); /* once more does no harm */
    assert_true(can_lock(f, ARVO_STR("s1")));
}

static void
test_store__write_needs_the_lease(void **state)
{
    struct fixture *f = *state;
    const arvo_record record = store_record(ARVO_STR("s1"));
    const arvo_lease lease = lock_now(f, record.subject);
    arvo_lease forged = lease;
    forged.token[0] ^= 1;
    assert_status(
        f, ARVO_E_STALE, f->ops->write(f->self, record.subject, &record, NULL, &forged, &f->err));
    unlock_now(f, record.subject, &lease);
    assert_status(
        f, ARVO_E_STALE, f->ops->write(f->self, record.subject, &record, NULL, &lease, &f->err));
    arvo_record got;
    assert_false(find(f, record.subject, &got));
}

static void
test_store__write_needs_the_present_revision(void **state)
{
    struct fixture *f = *state;
    const arvo_record record = store_record(ARVO_STR("s1"));
    put(f, &record);
    arvo_record old, got;
    assert_true(find(f, record.subject, &old));
    put(f, &record);
    const arvo_lease lease = lock_now(f, record.subject);
    assert_status(
        f, ARVO_E_STALE, f->ops->write(f->self, record.subject, &record, &old, &lease, &f->err));
    assert_status(
        f, ARVO_E_STALE, f->ops->write(f->self, record.subject, &record, NULL, &lease, &f->err));
    assert_true(find(f, record.subject, &got));
    assert_int_equal(got.revision, 2);
    assert_status(
        f, ARVO_OK, f->ops->write(f->self, record.subject, &record, &got, &lease, &f->err));
}

static void
test_store__expired_lease_is_taken_over_and_never_wins(void **state)
{
    struct fixture *f = *state;
    NEED_CLOCK(f);
    const arvo_record record = store_record(ARVO_STR("s1"));
    const arvo_lease old = lock_now(f, record.subject);
    assert_int_equal(old.expires_ms, START_MS + TTL_MS);
    clock_move(&f->clock, TTL_MS - 1);
    assert_false(can_lock(f, record.subject));
    clock_move(&f->clock, 1);
    const arvo_lease lease = lock_now(f, record.subject);
    assert_true(lease.fence > old.fence);

    assert_status(
        f, ARVO_E_STALE, f->ops->write(f->self, record.subject, &record, NULL, &old, &f->err));
    unlock_now(f, record.subject, &old); /* takes nothing from the new owner */
    assert_false(can_lock(f, record.subject));
    assert_status(
        f, ARVO_OK, f->ops->write(f->self, record.subject, &record, NULL, &lease, &f->err));
}

static void
test_store__expired_lease_cannot_write_even_unrivalled(void **state)
{
    struct fixture *f = *state;
    NEED_CLOCK(f);
    const arvo_record record = store_record(ARVO_STR("s1"));
    const arvo_lease lease = lock_now(f, record.subject);
    clock_move(&f->clock, TTL_MS + 1);
    assert_status(
        f, ARVO_E_STALE, f->ops->write(f->self, record.subject, &record, NULL, &lease, &f->err));
}

static void
test_store__lock_waits_no_longer_than_told(void **state)
{
    struct fixture *f = *state;
    const arvo_lease lease = lock_now(f, ARVO_STR("s1"));
    arvo_lease second = { 0 };
    bool is_acquired = true;
    assert_status(
        f, ARVO_OK,
        f->ops->lock(f->self, ARVO_STR("s1"), TTL_MS, 30, &is_acquired, &second, &f->err));
    assert_false(is_acquired);
    unlock_now(f, ARVO_STR("s1"), &lease);
    assert_true(can_lock(f, ARVO_STR("s1")));
}

struct worker {
    struct fixture *f;
    atomic_int *inside; /* how many hold the lease now */
    atomic_int *failures;
    pthread_t thread;
};

/* Counts the revision up, one step per lease. */
static void *
work_on_one_subject(void *arg)
{
    struct worker *w = arg;
    struct fixture *f = w->f;
    arvo_arena *arena = arvo_arena_new(NULL);
    const arvo_record record = store_record(ARVO_STR("shared"));

    for (int i = 0; i < PER_THREAD; i++) {
        arvo_lease lease;
        arvo_record before;
        bool is_acquired = false, is_found = false;
        arvo_status st =
            f->ops->lock(f->self, record.subject, TTL_MS, 60000, &is_acquired, &lease, NULL);
        if (st != ARVO_OK || !is_acquired || atomic_fetch_add(w->inside, 1) != 0)
            atomic_fetch_add(w->failures, 1);
        st = f->ops->read(f->self, record.subject, arena, &is_found, &before, NULL);
        if (st == ARVO_OK)
            st = f->ops->write(
                f->self, record.subject, &record, is_found ? &before : NULL, &lease, NULL);
        atomic_fetch_sub(w->inside, 1);
        if (st != ARVO_OK || f->ops->unlock(f->self, record.subject, &lease, NULL) != ARVO_OK)
            atomic_fetch_add(w->failures, 1);
        arvo_arena_reset(arena);
    }
    arvo_arena_free(arena);
    return NULL;
}

static void
test_store__threads_on_one_subject_lose_no_update(void **state)
{
    struct fixture *f = *state;
    struct worker workers[THREADS];
    atomic_int inside = 0, failures = 0;
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .f = f, .inside = &inside, .failures = &failures };
        assert_int_equal(
            pthread_create(&workers[i].thread, NULL, work_on_one_subject, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(workers[i].thread, NULL);
    assert_int_equal(failures, 0);
    arvo_record got;
    assert_true(find(f, ARVO_STR("shared"), &got));
    assert_int_equal(got.revision, THREADS * PER_THREAD);
}

/* ---- All --------------------------------------------------------------- */

int
store_conformance_run(const store_factory *factory)
{
    static const struct CMUnitTest record_tests[] = {
        CASE(fresh_store_has_no_record),
        CASE(empty_subject_is_refused),
        CASE(record_is_read_as_written),
        CASE(null_and_empty_strings_differ),
        CASE(hostile_strings_survive),
        CASE(rewriting_counts_revisions_and_keeps_created),
        CASE(records_grow_and_shrink),
        CASE(many_subjects_do_not_mix),
        CASE(faulty_records_are_refused),
        CASE(lock_is_exclusive),
        CASE(fence_grows_with_every_lease),
        CASE(unlock_needs_the_token),
        CASE(write_needs_the_lease),
        CASE(write_needs_the_present_revision),
        CASE(expired_lease_is_taken_over_and_never_wins),
        CASE(expired_lease_cannot_write_even_unrivalled),
        CASE(lock_waits_no_longer_than_told),
        CASE(threads_on_one_subject_lose_no_update),
    };
    const struct {
        const struct CMUnitTest *tests;
        size_t count;
    } parts[] = {
        { record_tests, ARVO_COUNT_OF(record_tests) },
        { store_commit_tests, store_commit_test_count },
        { store_delivery_tests, store_delivery_test_count },
        { store_care_tests, store_care_test_count },
        { store_lease_tests, store_lease_test_count },
    };
    size_t count = 0;
    for (size_t i = 0; i < ARVO_COUNT_OF(parts); i++)
        count += parts[i].count;
    struct CMUnitTest *tests = calloc(count, sizeof(tests[0]));
    if (tests == NULL)
        return 1;
    count = 0;
    for (size_t i = 0; i < ARVO_COUNT_OF(parts); i++) {
        memcpy(tests + count, parts[i].tests, parts[i].count * sizeof(tests[0]));
        count += parts[i].count;
    }
    running = factory;
    const int failed = _cmocka_run_group_tests(factory->name, tests, count, NULL, NULL);
    free(tests);
    return failed;
}
