/* What the parts of the conformance suite share: the fixture, and shorthand. */
#ifndef ARVO_TESTS_STORE_CONFORMANCE_INTERNAL_H
#define ARVO_TESTS_STORE_CONFORMANCE_INTERNAL_H

#include "conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define START_MS ((int64_t)1700000000000)
#define TTL_MS   30000

struct fixture {
    const store_factory *factory;
    store_clock clock;
    arvo_memory *memory;
    const arvo_memory_ops *ops;
    void *self;
    arvo_arena *arena;
    arvo_error err;
};

int store_setup(void **state);
int store_teardown(void **state);

#define CASE(name) cmocka_unit_test_setup_teardown(test_store__##name, store_setup, store_teardown)

/* conformance_commit.c, conformance_delivery.c, conformance_care.c, conformance_lease.c */
extern const struct CMUnitTest store_commit_tests[], store_delivery_tests[], store_care_tests[],
    store_lease_tests[];
extern const size_t store_commit_test_count, store_delivery_test_count, store_care_test_count,
    store_lease_test_count;

#define NEED(f, function)                                                                          \
    do {                                                                                           \
        if ((f)->ops->function == NULL) {                                                          \
            print_message("%s has no %s: skipped\n", (f)->factory->name, #function);               \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

#define NEED_CLOCK(f)                                                                              \
    do {                                                                                           \
        if ((f)->factory->ignores_clock) {                                                         \
            print_message("%s has a clock of its own: skipped\n", (f)->factory->name);             \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

#define assert_status(f, expected, call)                                                           \
    do {                                                                                           \
        (f)->err.text[0] = '\0';                                                                   \
        const arvo_status status_ = (call);                                                        \
        if (status_ != (expected))                                                                 \
            fail_msg(                                                                              \
                "%s is %s, not %s: %s", #call, arvo_status_name(status_),                          \
                arvo_status_name(expected), (f)->err.text);                                        \
        if (status_ != ARVO_OK)                                                                    \
            assert_true((f)->err.text[0] != '\0');                                                 \
    } while (0)

/* ---- Shorthand --------------------------------------------------------- */

static inline void
clock_move(store_clock *clock, int64_t by_ms)
{
    const int64_t now_ms = __atomic_add_fetch(&clock->now_ms, by_ms, __ATOMIC_RELAXED);
    if (clock->moved != NULL)
        clock->moved(now_ms);
}

/* Let time pass for the store: a store with a clock of its own has to be waited for. */
static inline void
time_pass(struct fixture *f, int64_t ms)
{
    clock_move(&f->clock, ms); /* this process's part goes by it even then */
    if (!f->factory->ignores_clock)
        return;
    const int64_t slack_ms = 20;
    const struct timespec pause = { .tv_sec = (time_t)((ms + slack_ms) / 1000),
                                    .tv_nsec = (long)((ms + slack_ms) % 1000) * 1000000 };
    (void)nanosleep(&pause, NULL);
}

static inline void
assert_str(arvo_str got, arvo_str expected)
{
    assert_int_equal(got.ptr == NULL, expected.ptr == NULL);
    assert_int_equal(got.len, expected.len);
    if (got.len > 0)
        assert_memory_equal(got.ptr, expected.ptr, got.len);
}

static inline arvo_lease
lock_now(struct fixture *f, arvo_str subject)
{
    arvo_lease lease = { 0 };
    bool is_acquired = false;
    assert_status(
        f, ARVO_OK, f->ops->lock(f->self, subject, TTL_MS, 0, &is_acquired, &lease, &f->err));
    assert_true(is_acquired);
    return lease;
}

static inline void
unlock_now(struct fixture *f, arvo_str subject, const arvo_lease *lease)
{
    assert_status(f, ARVO_OK, f->ops->unlock(f->self, subject, lease, &f->err));
}

static inline bool
can_lock(struct fixture *f, arvo_str subject)
{
    arvo_lease lease = { 0 };
    bool is_acquired = false;
    assert_status(
        f, ARVO_OK, f->ops->lock(f->self, subject, TTL_MS, 0, &is_acquired, &lease, &f->err));
    if (is_acquired)
        unlock_now(f, subject, &lease);
    return is_acquired;
}

static inline bool
find(struct fixture *f, arvo_str subject, arvo_record *out)
{
    bool is_found = false;
    assert_status(f, ARVO_OK, f->ops->read(f->self, subject, f->arena, &is_found, out, &f->err));
    return is_found;
}

/* Lock, write over what is there, unlock. */
static inline void
put(struct fixture *f, const arvo_record *record)
{
    const arvo_lease lease = lock_now(f, record->subject);
    arvo_record before;
    const bool has_before = find(f, record->subject, &before);
    assert_status(
        f, ARVO_OK,
        f->ops->write(
            f->self, record->subject, record, has_before ? &before : NULL, &lease, &f->err));
    unlock_now(f, record->subject, &lease);
}

static inline arvo_str
subject_at(struct fixture *f, const char *prefix, size_t i)
{
    return arvo_arena_printf(f->arena, "%s-%05zu", prefix, i);
}

/* Rows that a callback was shown, copied. */
#define SEEN_MAX 64
struct seen {
    struct fixture *f;
    size_t count, max; /* stops at max; 0: never */
    arvo_stored_event rows[SEEN_MAX];
};

static inline bool
see(void *user, const arvo_stored_event *event)
{
    struct seen *seen = user;
    assert_true(seen->count < SEEN_MAX);
    arvo_stored_event copy = *event;
    arvo_arena *arena = seen->f->arena;
    copy.subject = arvo_arena_str_dup(arena, event->subject);
    copy.id = arvo_arena_str_dup(arena, event->id);
    copy.source = arvo_arena_str_dup(arena, event->source);
    copy.type = arvo_arena_str_dup(arena, event->type);
    copy.domains = arvo_arena_str_dup(arena, event->domains);
    copy.json = arvo_arena_str_dup(arena, event->json);
    seen->rows[seen->count++] = copy;
    return seen->count != seen->max;
}

static inline struct seen
outbox(struct fixture *f, int64_t after, size_t limit)
{
    struct seen seen = { .f = f };
    assert_status(f, ARVO_OK, f->ops->outbox_list(f->self, after, limit, see, &seen, &f->err));
    return seen;
}

static inline struct seen
history(struct fixture *f, arvo_str subject)
{
    struct seen seen = { .f = f };
    assert_status(f, ARVO_OK, f->ops->history(f->self, subject, see, &seen, &f->err));
    return seen;
}

static inline bool
consumed(struct fixture *f, arvo_str subject, const char *source, const char *id, struct seen *seen)
{
    bool is_found = false;
    assert_status(
        f, ARVO_OK,
        f->ops->inbox_find(
            f->self, subject, arvo_str_from(source), arvo_str_from(id), &is_found,
            seen != NULL ? see : NULL, seen, &f->err));
    return is_found;
}

/* Commit `count` revisions of a subject, each consuming an event "{prefix}-{i}" and producing one.
 */
static inline void
commit_steps(struct fixture *f, arvo_str subject, const char *prefix, size_t count)
{
    const arvo_lease lease = lock_now(f, subject);
    const arvo_record record = store_record(subject);
    arvo_record before;
    uint64_t revision = find(f, subject, &before) ? before.revision : 0;
    for (size_t i = 0; i < count; i++) {
        arvo_stored_event in = store_event("");
        in.id = arvo_arena_printf(f->arena, "%s-%zu", prefix, i);
        arvo_stored_event out = store_event("");
        out.id = arvo_arena_printf(f->arena, "%s-%zu-out", prefix, i);
        const arvo_commit commit = { .subject = subject,
                                     .lease = &lease,
                                     .record = &record,
                                     .previous_revision = revision++,
                                     .consumed = &in,
                                     .produced = &out,
                                     .produced_count = 1 };
        assert_status(f, ARVO_OK, f->ops->commit(f->self, &commit, 1, &f->err));
    }
    unlock_now(f, subject, &lease);
}

static inline void
assert_event(const arvo_stored_event *got, const arvo_stored_event *expected)
{
    assert_str(got->id, expected->id);
    assert_str(got->source, expected->source);
    assert_str(got->type, expected->type);
    assert_str(got->domains, expected->domains);
    assert_str(got->json, expected->json);
}

#endif
