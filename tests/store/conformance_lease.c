/* What every store has to do with leases beyond lock and unlock: renew, lock_read, interrupt, and
 * the order of those who wait.
 */

#include "conformance_internal.h"

#include <pthread.h>
#include <stdatomic.h>

#define WAITERS 6
#define SPAN_MS 400 /* a store with a clock of its own is waited for so long */

/* ---- Renewing ---------------------------------------------------------- */

static void
test_store__renewed_lease_lives_longer(void **state)
{
    struct fixture *f = *state;
    NEED(f, renew);
    const arvo_record record = store_record(ARVO_STR("s1"));
    arvo_lease lease = lock_now(f, record.subject);
    const int64_t first_end = lease.expires_ms;
    assert_status(f, ARVO_OK, f->ops->renew(f->self, record.subject, &lease, 3 * TTL_MS, &f->err));
    assert_true(lease.expires_ms > first_end);
    if (!f->factory->ignores_clock) {
        assert_int_equal(lease.expires_ms, START_MS + 3 * TTL_MS);
        clock_move(&f->clock, 2 * TTL_MS);
    }
    assert_false(can_lock(f, record.subject));
    assert_status(
        f, ARVO_OK, f->ops->write(f->self, record.subject, &record, NULL, &lease, &f->err));
    unlock_now(f, record.subject, &lease);
    assert_true(can_lock(f, record.subject));
}

static void
test_store__lost_lease_is_not_renewed(void **state)
{
    struct fixture *f = *state;
    NEED(f, renew);
    arvo_lease lease = lock_now(f, ARVO_STR("s1")), forged = lease;
    forged.token[5] ^= 1;
    assert_status(
        f, ARVO_E_STALE, f->ops->renew(f->self, ARVO_STR("s1"), &forged, TTL_MS, &f->err));
    assert_status(f, ARVO_E_STALE, f->ops->renew(f->self, ARVO_STR("s2"), &lease, TTL_MS, &f->err));
    assert_status(f, ARVO_E_INVALID, f->ops->renew(f->self, ARVO_STR(""), &lease, 1, &f->err));
    const arvo_lease before = lease;
    unlock_now(f, ARVO_STR("s1"), &lease);
    assert_status(f, ARVO_E_STALE, f->ops->renew(f->self, ARVO_STR("s1"), &lease, TTL_MS, &f->err));
    assert_memory_equal(&lease, &before, sizeof(lease)); /* untouched by a failure */
    assert_true(can_lock(f, ARVO_STR("s1")));
    if (f->factory->ignores_clock)
        return;
    lease = lock_now(f, ARVO_STR("s1"));
    clock_move(&f->clock, TTL_MS); /* over, even if nobody else wants it */
    assert_status(f, ARVO_E_STALE, f->ops->renew(f->self, ARVO_STR("s1"), &lease, TTL_MS, &f->err));
}

/* ---- Locking and reading at once ----------------------------------------- */

static arvo_locked
lock_read_now(struct fixture *f, arvo_str subject, const char *source, const char *id)
{
    arvo_locked locked;
    memset(&locked, 0x5a, sizeof(locked));
    const arvo_lock_request request = { .subject = subject,
                                        .source = arvo_str_from(source),
                                        .id = arvo_str_from(id),
                                        .ttl_ms = TTL_MS };
    assert_status(f, ARVO_OK, f->ops->lock_read(f->self, &request, f->arena, &locked, &f->err));
    return locked;
}

static void
test_store__lock_read_gives_lease_record_and_inbox(void **state)
{
    struct fixture *f = *state;
    NEED(f, lock_read);
    const arvo_str subject = ARVO_STR("s1");
    const arvo_record record = store_record(subject);
    arvo_locked locked = lock_read_now(f, subject, "com.test", "e1");
    assert_true(locked.is_acquired);
    assert_false(locked.has_record);
    assert_false(locked.is_consumed);
    const arvo_stored_event event = store_event("e1");
    const arvo_commit commit = { .subject = subject,
                                 .lease = &locked.lease,
                                 .release = true,
                                 .record = &record,
                                 .consumed = &event };
    assert_status(f, ARVO_OK, f->ops->commit(f->self, &commit, 1, &f->err));
    const uint64_t fence = locked.lease.fence;

    locked = lock_read_now(f, subject, "com.test", "e1");
    assert_true(locked.is_acquired);
    assert_true(locked.lease.fence > fence);
    assert_true(locked.has_record);
    store_assert_record_equal(&locked.record, &record);
    assert_int_equal(locked.record.revision, 1);
    assert_true(locked.is_consumed);
    /* Held: denied, and the same event for another subject is another event. */
    assert_false(lock_read_now(f, subject, "com.test", "e2").is_acquired);
    unlock_now(f, subject, &locked.lease);
    locked = lock_read_now(f, subject, "com.other", "e1");
    assert_true(locked.is_acquired);
    assert_false(locked.is_consumed);
    unlock_now(f, subject, &locked.lease);
    assert_false(lock_read_now(f, ARVO_STR("s2"), "com.test", "e1").is_consumed);

    const arvo_lock_request bad = { .subject = ARVO_STR(""), .id = ARVO_STR("e") };
    assert_status(f, ARVO_E_INVALID, f->ops->lock_read(f->self, &bad, f->arena, &locked, &f->err));
}

/* Out of memory for the record: the lease that was got is given back. */
static void
test_store__lease_whose_record_is_not_read_is_given_back(void **state)
{
    struct fixture *f = *state;
    NEED(f, lock_read);
    const arvo_str subject = ARVO_STR("s1");
    static char text[10000];
    text[0] = '"';
    memset(text + 1, 'x', sizeof(text) - 2);
    text[sizeof(text) - 1] = '"';
    arvo_record record = store_record(subject);
    record.value = (arvo_str){ text, sizeof(text) };
    const arvo_lease lease = lock_now(f, subject);
    assert_status(f, ARVO_OK, f->ops->write(f->self, subject, &record, NULL, &lease, &f->err));
    unlock_now(f, subject, &lease);

    arvo_arena *small = arvo_arena_new(&(arvo_arena_opts){ .chunk_bytes = 256, .bytes_max = 4096 });
    assert_non_null(small);
    const arvo_lock_request request = { .subject = subject, .ttl_ms = TTL_MS };
    arvo_locked locked = { 0 };
    assert_status(f, ARVO_E_NOMEM, f->ops->lock_read(f->self, &request, small, &locked, &f->err));
    arvo_arena_free(small);
    assert_true(can_lock(f, subject));
}

/* ---- Waiting --------------------------------------------------------------- */

struct waiter {
    struct fixture *f;
    int number;
    atomic_int *turn; /* how many have been in */
    int got;          /* which turn this one was; -1: denied */
    arvo_status status;
    pthread_t thread;
};

static void *
wait_for_subject(void *arg)
{
    struct waiter *w = arg;
    struct fixture *f = w->f;
    arvo_lease lease;
    bool is_acquired = false;
    w->got = -1;
    w->status =
        f->ops->lock(f->self, ARVO_STR("wanted"), TTL_MS, 60000, &is_acquired, &lease, NULL);
    if (w->status == ARVO_OK && is_acquired) {
        w->got = atomic_fetch_add(w->turn, 1);
        w->status = f->ops->unlock(f->self, ARVO_STR("wanted"), &lease, NULL);
    }
    return NULL;
}

static void
pause_ms(int ms)
{
    const struct timespec pause = { .tv_nsec = (long)ms * 1000000 };
    (void)nanosleep(&pause, NULL);
}

static void
test_store__waiters_come_in_their_order(void **state)
{
    struct fixture *f = *state;
    if (f->factory->has_no_line) {
        print_message("%s has no line of waiters: skipped\n", f->factory->name);
        skip();
    }
    atomic_int turn = 0;
    struct waiter waiters[WAITERS];
    const arvo_lease lease = lock_now(f, ARVO_STR("wanted"));
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){ .f = f, .number = i, .turn = &turn };
        assert_int_equal(
            pthread_create(&waiters[i].thread, NULL, wait_for_subject, &waiters[i]), 0);
        pause_ms(30); /* until it stands in line */
    }
    assert_int_equal(atomic_load(&turn), 0);
    unlock_now(f, ARVO_STR("wanted"), &lease);
    for (int i = 0; i < WAITERS; i++) {
        (void)pthread_join(waiters[i].thread, NULL);
        assert_int_equal(waiters[i].status, ARVO_OK);
        assert_int_equal(waiters[i].got, i);
    }
    assert_true(can_lock(f, ARVO_STR("wanted")));
}

static void
test_store__interrupt_ends_waits_and_begins_none(void **state)
{
    struct fixture *f = *state;
    NEED(f, interrupt);
    atomic_int turn = 0;
    struct waiter waiters[WAITERS];
    const arvo_lease lease = lock_now(f, ARVO_STR("wanted"));
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){ .f = f, .number = i, .turn = &turn };
        assert_int_equal(
            pthread_create(&waiters[i].thread, NULL, wait_for_subject, &waiters[i]), 0);
    }
    pause_ms(50);
    f->ops->interrupt(f->self, true);
    for (int i = 0; i < WAITERS; i++) { /* they would wait a minute */
        (void)pthread_join(waiters[i].thread, NULL);
        assert_int_equal(waiters[i].status, ARVO_OK); /* denied is not failed */
        assert_int_equal(waiters[i].got, -1);
    }
    struct waiter late = { .f = f, .turn = &turn };
    (void)wait_for_subject(&late);
    assert_int_equal(late.got, -1);
    if (f->ops->outbox_wait != NULL)
        assert_status(f, ARVO_OK, f->ops->outbox_wait(f->self, 60000, &f->err));
    assert_true(can_lock(f, ARVO_STR("free"))); /* what is free needs no wait */
    f->ops->interrupt(f->self, false);
    unlock_now(f, ARVO_STR("wanted"), &lease);
    (void)wait_for_subject(&late);
    assert_int_equal(late.got, 0);
}

/* ---- Ends ------------------------------------------------------------------ */

/* A lease lasts for its ttl, however long whoever got it was ready to wait. */
static void
test_store__lease_ends_by_its_ttl_and_not_by_its_wait(void **state)
{
    struct fixture *f = *state;
    const int64_t waits[] = { 3600000, INT64_MAX };
    for (size_t i = 0; i < ARVO_COUNT_OF(waits); i++) {
        arvo_lease lease = { 0 };
        bool is_acquired = false;
        assert_status(
            f, ARVO_OK,
            f->ops->lock(
                f->self, ARVO_STR("s1"), SPAN_MS, waits[i], &is_acquired, &lease, &f->err));
        assert_true(is_acquired);
        assert_false(can_lock(f, ARVO_STR("s1")));
        time_pass(f, SPAN_MS);
        assert_true(can_lock(f, ARVO_STR("s1")));
    }
}

const struct CMUnitTest store_lease_tests[] = {
    CASE(lease_ends_by_its_ttl_and_not_by_its_wait),
    CASE(renewed_lease_lives_longer),
    CASE(lost_lease_is_not_renewed),
    CASE(lock_read_gives_lease_record_and_inbox),
    CASE(lease_whose_record_is_not_read_is_given_back),
    CASE(waiters_come_in_their_order),
    CASE(interrupt_ends_waits_and_begins_none),
};
const size_t store_lease_test_count = ARVO_COUNT_OF(store_lease_tests);
