/* What every store has to do, as tests; see conformance.h. */

#include "conformance.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START_MS   ((int64_t)1700000000000)
#define TTL_MS     30000
#define THREADS    8
#define PER_THREAD 25

/* ---- Fixture ----------------------------------------------------------- */

struct fixture {
    const store_factory *factory;
    store_clock clock;
    arvo_memory *memory;
    const arvo_memory_ops *ops;
    void *self;
    arvo_arena *arena;
    arvo_error err;
};

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

static void
clock_move(store_clock *clock, int64_t by_ms)
{
    __atomic_add_fetch(&clock->now_ms, by_ms, __ATOMIC_RELAXED);
}

static const store_factory *running; /* cmocka hands no state to a group's tests by itself */

static int
setup(void **state)
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

static int
teardown(void **state)
{
    struct fixture *f = *state;
    arvo_arena_free(f->arena);
    arvo_memory_close(f->memory);
    if (f->factory->discard != NULL)
        f->factory->discard(f->factory->user);
    free(f);
    return 0;
}

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

static void
assert_str(arvo_str got, arvo_str expected)
{
    assert_int_equal(got.ptr == NULL, expected.ptr == NULL);
    assert_int_equal(got.len, expected.len);
    if (got.len > 0)
        assert_memory_equal(got.ptr, expected.ptr, got.len);
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

static arvo_lease
lock_now(struct fixture *f, arvo_str subject)
{
    arvo_lease lease = { 0 };
    bool is_acquired = false;
    assert_status(
        f, ARVO_OK, f->ops->lock(f->self, subject, TTL_MS, 0, &is_acquired, &lease, &f->err));
    assert_true(is_acquired);
    return lease;
}

static void
unlock_now(struct fixture *f, arvo_str subject, const arvo_lease *lease)
{
    assert_status(f, ARVO_OK, f->ops->unlock(f->self, subject, lease, &f->err));
}

static bool
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

static bool
find(struct fixture *f, arvo_str subject, arvo_record *out)
{
    bool is_found = false;
    assert_status(f, ARVO_OK, f->ops->read(f->self, subject, f->arena, &is_found, out, &f->err));
    return is_found;
}

/* Lock, write over what is there, unlock. */
static void
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

static arvo_str
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

static bool
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

static struct seen
outbox(struct fixture *f, int64_t after, size_t limit)
{
    struct seen seen = { .f = f };
    assert_status(f, ARVO_OK, f->ops->outbox_list(f->self, after, limit, see, &seen, &f->err));
    return seen;
}

static struct seen
history(struct fixture *f, arvo_str subject)
{
    struct seen seen = { .f = f };
    assert_status(f, ARVO_OK, f->ops->history(f->self, subject, see, &seen, &f->err));
    return seen;
}

static bool
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

static void
assert_event(const arvo_stored_event *got, const arvo_stored_event *expected)
{
    assert_str(got->id, expected->id);
    assert_str(got->source, expected->source);
    assert_str(got->type, expected->type);
    assert_str(got->domains, expected->domains);
    assert_str(got->json, expected->json);
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

/* ---- Commit ------------------------------------------------------------ */

static void
test_store__commit_writes_all_of_it(void **state)
{
    struct fixture *f = *state;
    NEED(f, commit);
    const arvo_record record = store_record(ARVO_STR("s1"));
    arvo_stored_event in = store_event("in");
    arvo_stored_event out[3] = { store_event("out-1"), store_event("out-2"), store_event("out-3") };
    out[1].domains = ARVO_STR("[\"external\"]");
    out[2].json = ARVO_STR("{}");
    const arvo_lease lease = lock_now(f, record.subject);
    const arvo_commit commit = { .subject = record.subject,
                                 .lease = &lease,
                                 .release = true,
                                 .record = &record,
                                 .consumed = &in,
                                 .produced = out,
                                 .produced_count = 3,
                                 .definition_json = ARVO_STR("{\"id\":\"order\"}") };
    assert_false(consumed(f, record.subject, "com.test", "in", NULL));
    assert_status(f, ARVO_OK, f->ops->commit(f->self, &commit, 1, &f->err));

    arvo_record got;
    assert_true(find(f, record.subject, &got));
    store_assert_record_equal(&got, &record);
    assert_int_equal(got.revision, 1);
    struct seen seen = { .f = f };
    assert_true(consumed(f, record.subject, "com.test", "in", &seen));
    assert_int_equal(seen.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_event(&seen.rows[i], &out[i]);
        assert_str(seen.rows[i].subject, record.subject);
        assert_int_equal(seen.rows[i].direction, ARVO_PRODUCED);
        assert_true(i == 0 || seen.rows[i].seq > seen.rows[i - 1].seq);
        if (!f->factory->ignores_clock)
            assert_int_equal(seen.rows[i].time_ms, START_MS);
    }
    assert_true(can_lock(f, record.subject)); /* released */
}

static void
test_store__commit_without_events_or_record(void **state)
{
    struct fixture *f = *state;
    NEED(f, commit);
    assert_status(f, ARVO_OK, f->ops->commit(f->self, NULL, 0, &f->err));
    const arvo_lease lease = lock_now(f, ARVO_STR("s1"));
    const arvo_commit commit = { .subject = ARVO_STR("s1"), .lease = &lease, .release = true };
    assert_status(f, ARVO_OK, f->ops->commit(f->self, &commit, 1, &f->err));
    assert_true(can_lock(f, ARVO_STR("s1")));
    arvo_record got;
    assert_false(find(f, ARVO_STR("s1"), &got));
}

/* Commit `count` revisions of a subject, each consuming an event "{prefix}-{i}" and producing one.
 */
static void
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

static void
test_store__event_consumed_twice_has_one_effect(void **state)
{
    struct fixture *f = *state;
    NEED(f, commit);
    const arvo_str subject = ARVO_STR("s1");
    commit_steps(f, subject, "e", 5);

    const arvo_lease lease = lock_now(f, subject);
    arvo_record record = store_record(subject), got;
    record.status = ARVO_STR("done");
    arvo_stored_event in = store_event("e-3"), out = store_event("again");
    const arvo_commit commit = { .subject = subject,
                                 .lease = &lease,
                                 .release = true,
                                 .record = &record,
                                 .previous_revision = 5,
                                 .consumed = &in,
                                 .produced = &out,
                                 .produced_count = 1 };
    assert_status(f, ARVO_E_EXISTS, f->ops->commit(f->self, &commit, 1, &f->err));
    assert_true(find(f, subject, &got));
    assert_int_equal(got.revision, 5);
    assert_true(arvo_str_is(got.status, "active"));
    assert_false(can_lock(f, subject)); /* a failed commit gives nothing back */
    struct seen seen = { .f = f };
    assert_true(consumed(f, subject, "com.test", "e-3", &seen));
    assert_int_equal(seen.count, 1);
    assert_true(arvo_str_is(seen.rows[0].id, "e-3-out"));
}

static void
test_store__inbox_key_is_source_and_id_per_subject(void **state)
{
    struct fixture *f = *state;
    NEED(f, commit);
    commit_steps(f, ARVO_STR("s1"), "e", 1);
    assert_true(consumed(f, ARVO_STR("s1"), "com.test", "e-0", NULL));
    assert_false(consumed(f, ARVO_STR("s1"), "com.tes", "te-0", NULL));
    assert_false(consumed(f, ARVO_STR("s1"), "com.other", "e-0", NULL));
    assert_false(consumed(f, ARVO_STR("s1"), "com.test", "e-0-out", NULL)); /* produced only */
    assert_false(consumed(f, ARVO_STR("s2"), "com.test", "e-0", NULL));
    commit_steps(f, ARVO_STR("s2"), "e", 1);
    assert_true(consumed(f, ARVO_STR("s2"), "com.test", "e-0", NULL));
}

static void
test_store__outcome_without_events(void **state)
{
    struct fixture *f = *state;
    NEED(f, commit);
    const arvo_stored_event in = store_event("quiet");
    const arvo_commit commit = { .subject = ARVO_STR("s1"), .consumed = &in };
    assert_status(f, ARVO_OK, f->ops->commit(f->self, &commit, 1, &f->err));
    struct seen seen = { .f = f };
    assert_true(consumed(f, ARVO_STR("s1"), "com.test", "quiet", &seen));
    assert_int_equal(seen.count, 0);
    arvo_record got;
    assert_false(find(f, ARVO_STR("s1"), &got)); /* an inbox makes no record */
    assert_status(f, ARVO_E_EXISTS, f->ops->commit(f->self, &commit, 1, &f->err));
}

static void
test_store__faulty_commits_are_refused(void **state)
{
    struct fixture *f = *state;
    NEED(f, commit);
    const arvo_record record = store_record(ARVO_STR("s1"));
    arvo_stored_event bad = store_event("x");
    bad.json = ARVO_STR_NONE;
    const arvo_commit commits[] = {
        { .subject = ARVO_STR("") },
        { .subject = ARVO_STR("s1"), .record = &record },
        { .subject = ARVO_STR("s1"), .release = true },
        { .subject = ARVO_STR("s1"), .consumed = &bad },
        { .subject = ARVO_STR("s1"), .produced = &bad, .produced_count = 1 },
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(commits); i++)
        assert_status(f, ARVO_E_INVALID, f->ops->commit(f->self, &commits[i], 1, &f->err));
    const arvo_stored_event in = store_event("x"), in2 = store_event("y");
    const arvo_commit twice[] = { { .subject = ARVO_STR("s1"), .consumed = &in },
                                  { .subject = ARVO_STR("s1"), .consumed = &in2 } };
    assert_status(f, ARVO_E_INVALID, f->ops->commit(f->self, twice, 2, &f->err));
    assert_false(consumed(f, ARVO_STR("s1"), "com.test", "x", NULL));
}

/* A batch over many subjects of which the last is stale: nothing of it is there afterwards. */
static void
test_store__batch_is_done_whole_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    NEED(f, commit);
    enum { BATCH = 20 };
    arvo_lease leases[BATCH];
    arvo_record records[BATCH];
    arvo_stored_event in = store_event("in"), out = store_event("out");
    arvo_commit commits[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        records[i] = store_record(subject_at(f, "batch", i));
        leases[i] = lock_now(f, records[i].subject);
        commits[i] = (arvo_commit){ .subject = records[i].subject,
                                    .lease = &leases[i],
                                    .release = true,
                                    .record = &records[i],
                                    .consumed = &in,
                                    .produced = &out,
                                    .produced_count = 1 };
    }
    if (f->ops->outbox_list != NULL)
        assert_int_equal(outbox(f, 0, 0).count, 0);
    commits[BATCH - 1].previous_revision = 7;
    assert_status(f, ARVO_E_STALE, f->ops->commit(f->self, commits, BATCH, &f->err));
    for (size_t i = 0; i < BATCH; i++) {
        arvo_record got;
        assert_false(find(f, records[i].subject, &got));
        assert_false(consumed(f, records[i].subject, "com.test", "in", NULL));
        assert_false(can_lock(f, records[i].subject));
    }
    if (f->ops->outbox_list != NULL)
        assert_int_equal(outbox(f, 0, 0).count, 0);

    commits[BATCH - 1].previous_revision = 0;
    assert_status(f, ARVO_OK, f->ops->commit(f->self, commits, BATCH, &f->err));
    for (size_t i = 0; i < BATCH; i++) {
        arvo_record got;
        assert_true(find(f, records[i].subject, &got));
        assert_true(consumed(f, records[i].subject, "com.test", "in", NULL));
        assert_true(can_lock(f, records[i].subject));
    }
    if (f->ops->outbox_list != NULL)
        assert_int_equal(outbox(f, 0, 0).count, BATCH);
}

static void
test_store__commit_with_a_lost_lease_changes_nothing(void **state)
{
    struct fixture *f = *state;
    NEED(f, commit);
    NEED_CLOCK(f);
    const arvo_record record = store_record(ARVO_STR("s1"));
    const arvo_lease lease = lock_now(f, record.subject);
    clock_move(&f->clock, TTL_MS);
    const arvo_stored_event in = store_event("in");
    const arvo_commit commit = {
        .subject = record.subject, .lease = &lease, .record = &record, .consumed = &in
    };
    assert_status(f, ARVO_E_STALE, f->ops->commit(f->self, &commit, 1, &f->err));
    arvo_record got;
    assert_false(find(f, record.subject, &got));
    assert_false(consumed(f, record.subject, "com.test", "in", NULL));
}

/* ---- Outbox ------------------------------------------------------------ */

static void
test_store__outbox_lists_what_is_not_done(void **state)
{
    struct fixture *f = *state;
    NEED(f, outbox_list);
    assert_int_equal(outbox(f, 0, 0).count, 0);
    commit_steps(f, ARVO_STR("s1"), "a", 3);
    commit_steps(f, ARVO_STR("s2"), "b", 2);

    const struct seen all = outbox(f, 0, 0);
    assert_int_equal(all.count, 5);
    assert_true(arvo_str_is(all.rows[0].id, "a-0-out"));
    assert_true(arvo_str_is(all.rows[4].id, "b-1-out"));
    assert_str(all.rows[4].subject, ARVO_STR("s2"));
    assert_int_equal(all.rows[4].direction, ARVO_PRODUCED);
    for (size_t i = 1; i < all.count; i++)
        assert_true(all.rows[i].seq > all.rows[i - 1].seq);

    assert_int_equal(outbox(f, 0, 2).count, 2);
    const struct seen behind = outbox(f, all.rows[1].seq, 2);
    assert_int_equal(behind.count, 2);
    assert_int_equal(behind.rows[0].seq, all.rows[2].seq);
    struct seen stopped = { .f = f, .max = 1 };
    assert_status(f, ARVO_OK, f->ops->outbox_list(f->self, 0, 0, see, &stopped, &f->err));
    assert_int_equal(stopped.count, 1);

    assert_status(f, ARVO_OK, f->ops->outbox_done(f->self, all.rows[1].seq, &f->err));
    assert_status(f, ARVO_OK, f->ops->outbox_done(f->self, all.rows[1].seq, &f->err));
    const struct seen left = outbox(f, 0, 0);
    assert_int_equal(left.count, 4);
    assert_int_equal(left.rows[1].seq, all.rows[2].seq);
}

static void
test_store__commit_takes_an_outbox_row_once(void **state)
{
    struct fixture *f = *state;
    NEED(f, outbox_list);
    (void)outbox(f, 0, 0);
    commit_steps(f, ARVO_STR("s1"), "a", 1);
    const int64_t seq = outbox(f, 0, 0).rows[0].seq;

    const arvo_stored_event reply = store_event("reply");
    const arvo_commit commit = {
        .subject = ARVO_STR("s1"), .produced = &reply, .produced_count = 1, .outbox_done = seq
    };
    assert_status(f, ARVO_OK, f->ops->commit(f->self, &commit, 1, &f->err));
    struct seen seen = outbox(f, 0, 0);
    assert_int_equal(seen.count, 1);
    assert_true(arvo_str_is(seen.rows[0].id, "reply"));
    assert_true(seen.rows[0].seq > seq);

    assert_status(f, ARVO_E_EXISTS, f->ops->commit(f->self, &commit, 1, &f->err));
    seen = outbox(f, 0, 0);
    assert_int_equal(seen.count, 1);
}

/* Deliveries come and go while one event is stuck at the front. */
static void
test_store__outbox_with_a_stuck_event_keeps_its_order(void **state)
{
    struct fixture *f = *state;
    NEED(f, outbox_list);
    (void)outbox(f, 0, 0);
    commit_steps(f, ARVO_STR("stuck"), "s", 1);
    const int64_t stuck = outbox(f, 0, 0).rows[0].seq;
    for (size_t i = 0; i < 40; i++) {
        commit_steps(f, subject_at(f, "moves", i), "m", 30);
        struct seen seen = outbox(f, 0, 0);
        assert_int_equal(seen.count, 31);
        assert_int_equal(seen.rows[0].seq, stuck);
        for (size_t k = 30; k > 0; k--) /* from behind */
            assert_status(f, ARVO_OK, f->ops->outbox_done(f->self, seen.rows[k].seq, &f->err));
        arvo_arena_reset(f->arena);
    }
    assert_int_equal(outbox(f, 0, 0).count, 1);
}

struct reentry {
    struct fixture *f;
    size_t count;
};

static bool
mark_done(void *user, const arvo_stored_event *event)
{
    struct reentry *r = user;
    assert_status(r->f, ARVO_OK, r->f->ops->outbox_done(r->f->self, event->seq, &r->f->err));
    r->count++;
    return true;
}

static void
test_store__callbacks_may_call_the_store(void **state)
{
    struct fixture *f = *state;
    NEED(f, outbox_list);
    (void)outbox(f, 0, 0);
    commit_steps(f, ARVO_STR("s1"), "a", 100);
    struct reentry r = { .f = f };
    assert_status(f, ARVO_OK, f->ops->outbox_list(f->self, 0, 0, mark_done, &r, &f->err));
    assert_int_equal(r.count, 100);
    assert_int_equal(outbox(f, 0, 0).count, 0);
}

/* ---- History and list -------------------------------------------------- */

static void
test_store__history_shows_events_in_order(void **state)
{
    struct fixture *f = *state;
    NEED(f, history);
    if (f->factory->keeps_no_history) {
        print_message("%s keeps no history: skipped\n", f->factory->name);
        skip();
    }
    assert_int_equal(history(f, ARVO_STR("s1")).count, 0);
    commit_steps(f, ARVO_STR("s1"), "a", 2);
    commit_steps(f, ARVO_STR("s2"), "b", 1);
    const arvo_stored_event extra = store_event("extra");
    const arvo_commit commit = { .subject = ARVO_STR("s1"),
                                 .produced = &extra,
                                 .produced_count = 1 };
    assert_status(f, ARVO_OK, f->ops->commit(f->self, &commit, 1, &f->err));

    static const char *const ids[] = { "a-0", "a-0-out", "a-1", "a-1-out", "extra" };
    const struct seen seen = history(f, ARVO_STR("s1"));
    assert_int_equal(seen.count, ARVO_COUNT_OF(ids));
    for (size_t i = 0; i < seen.count; i++) {
        assert_true(arvo_str_is(seen.rows[i].id, ids[i]));
        assert_int_equal(seen.rows[i].direction, i == 0 || i == 2 ? ARVO_CONSUMED : ARVO_PRODUCED);
        assert_str(seen.rows[i].subject, ARVO_STR("s1"));
        assert_true(i == 0 || seen.rows[i].seq > seen.rows[i - 1].seq);
    }
    assert_int_equal(history(f, ARVO_STR("s2")).count, 2);
    struct seen stopped = { .f = f, .max = 2 };
    assert_status(f, ARVO_OK, f->ops->history(f->self, ARVO_STR("s1"), see, &stopped, &f->err));
    assert_int_equal(stopped.count, 2);
}

struct listed {
    size_t count, max;
    char first[32], last[32];
};

static bool
see_record(void *user, const arvo_record *record)
{
    struct listed *l = user;
    (void)snprintf(l->last, sizeof(l->last), "%.*s", ARVO_FMT(record->subject));
    if (l->count++ == 0)
        memcpy(l->first, l->last, sizeof(l->first));
    return l->count != l->max;
}

static struct listed
list(struct fixture *f, arvo_record_query query, size_t max)
{
    struct listed listed = { .max = max };
    assert_status(f, ARVO_OK, f->ops->list(f->self, &query, see_record, &listed, &f->err));
    return listed;
}

static void
test_store__list_goes_in_order_of_creation(void **state)
{
    struct fixture *f = *state;
    NEED(f, list);
    assert_int_equal(list(f, (arvo_record_query){ 0 }, 0).count, 0);
    for (size_t i = 0; i < 100; i++) {
        arvo_record record = store_record(subject_at(f, "l", 99 - i)); /* not by name */
        record.status = i % 4 == 0 ? ARVO_STR("done") : ARVO_STR("active");
        record.orchestrator = i % 10 == 0 ? ARVO_STR("arvo.orc.a") : ARVO_STR("arvo.orc.b");
        put(f, &record);
    }
    const arvo_record again = store_record(ARVO_STR("l-00050"));
    put(f, &again); /* a new revision keeps its place; status active, orchestrator arvo.orc.order */

    struct listed l = list(f, (arvo_record_query){ 0 }, 0);
    assert_int_equal(l.count, 100);
    assert_string_equal(l.first, "l-00099");
    assert_string_equal(l.last, "l-00000");
    l = list(f, (arvo_record_query){ .limit = 40 }, 0);
    assert_int_equal(l.count, 40);
    assert_string_equal(l.last, "l-00060");
    l = list(f, (arvo_record_query){ .after = ARVO_STR("l-00060"), .limit = 40 }, 0);
    assert_int_equal(l.count, 40);
    assert_string_equal(l.first, "l-00059");
    assert_int_equal(list(f, (arvo_record_query){ .after = ARVO_STR("l-00000") }, 0).count, 0);
    assert_int_equal(list(f, (arvo_record_query){ 0 }, 7).count, 7);
    assert_int_equal(list(f, (arvo_record_query){ .status = ARVO_STR("done") }, 0).count, 25);
    l = list(f, (arvo_record_query){ .status = ARVO_STR("done"), .limit = 5 }, 0);
    assert_int_equal(l.count, 5);
    assert_string_equal(l.last, "l-00083");
    assert_int_equal(
        list(f, (arvo_record_query){ .orchestrator = ARVO_STR("arvo.orc.a") }, 0).count, 10);
    assert_int_equal(
        list(
            f,
            (arvo_record_query){ .orchestrator = ARVO_STR("arvo.orc.a"),
                                 .status = ARVO_STR("done") },
            0)
            .count,
        5);
    assert_int_equal(list(f, (arvo_record_query){ .status = ARVO_STR("") }, 0).count, 0);
    const arvo_record_query lost = { .after = ARVO_STR("nobody") };
    assert_status(f, ARVO_E_NOT_FOUND, f->ops->list(f->self, &lost, see_record, &l, &f->err));
}

/* ---- All --------------------------------------------------------------- */

#define CASE(name) cmocka_unit_test_setup_teardown(test_store__##name, setup, teardown)

int
store_conformance_run(const store_factory *factory)
{
    const struct CMUnitTest tests[] = {
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
        CASE(commit_writes_all_of_it),
        CASE(commit_without_events_or_record),
        CASE(event_consumed_twice_has_one_effect),
        CASE(inbox_key_is_source_and_id_per_subject),
        CASE(outcome_without_events),
        CASE(faulty_commits_are_refused),
        CASE(batch_is_done_whole_or_not_at_all),
        CASE(commit_with_a_lost_lease_changes_nothing),
        CASE(outbox_lists_what_is_not_done),
        CASE(commit_takes_an_outbox_row_once),
        CASE(outbox_with_a_stuck_event_keeps_its_order),
        CASE(callbacks_may_call_the_store),
        CASE(history_shows_events_in_order),
        CASE(list_goes_in_order_of_creation),
    };
    running = factory;
    return _cmocka_run_group_tests(factory->name, tests, ARVO_COUNT_OF(tests), NULL, NULL);
}
