/* The in-process store: the conformance suite with and without history, and
 * what only this store has: fair lines, bounds, outcomes that age, memory.
 */

#include "conformance.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory/internal.h"

static arvo_status
open_simple(void *user, const arvo_platform *platform, arvo_memory **out, arvo_error *err)
{
    return arvo_memory_open_with(user, platform, out, err);
}

/* ---- Shorthand --------------------------------------------------------- */

struct store {
    store_clock clock;
    arvo_memory *memory;
    const arvo_memory_ops *ops;
    void *self;
    arvo_error err;
};

static void
store_open(struct store *s, const char *url)
{
    memset(s, 0, sizeof(*s));
    store_clock_init(&s->clock);
    assert_int_equal(arvo_memory_open_with(url, &s->clock.platform, &s->memory, &s->err), ARVO_OK);
    s->ops = arvo_memory_ops_of(s->memory);
    s->self = arvo_memory_self(s->memory);
}

static arvo_lease
store_lock(struct store *s, arvo_str subject)
{
    arvo_lease lease = { 0 };
    bool is_acquired = false;
    assert_int_equal(
        s->ops->lock(s->self, subject, 30000, 0, &is_acquired, &lease, &s->err), ARVO_OK);
    assert_true(is_acquired);
    return lease;
}

static arvo_status
consume(struct store *s, arvo_str subject, const char *id, arvo_str produced_json)
{
    const arvo_stored_event in = store_event(id);
    arvo_stored_event out = store_event("out");
    out.json = produced_json;
    const arvo_commit commit = {
        .subject = subject, .consumed = &in, .produced = &out, .produced_count = 1
    };
    return s->ops->commit(s->self, &commit, 1, &s->err);
}

static bool
count_event(void *user, const arvo_stored_event *event)
{
    (void)event;
    (*(size_t *)user)++;
    return true;
}

/* -1: not consumed; else how many events the outcome has. */
static int
outcome(struct store *s, arvo_str subject, const char *id)
{
    bool is_found = false;
    size_t count = 0;
    assert_int_equal(
        s->ops->inbox_find(
            s->self, subject, ARVO_STR("com.test"), arvo_str_from(id), &is_found, count_event,
            &count, &s->err),
        ARVO_OK);
    return is_found ? (int)count : -1;
}

/* ---- Lines ------------------------------------------------------------- */

struct line {
    pthread_mutex_t mutex;
    arvo__pool pool;
    arvo__leases leases;
    store_clock clock;
    int order[32];
    int served;
};

struct stander {
    struct line *line;
    int number;
    int64_t wait_ms;
    bool got;
    pthread_t thread;
};

#define LINE_SUBJECT ARVO_STR("subject")
#define LINE_HASH    0x1234u

static void
line_init(struct line *line)
{
    memset(line, 0, sizeof(*line));
    store_clock_init(&line->clock);
    pthread_mutex_init(&line->mutex, NULL);
    arvo__pool_init(&line->pool, NULL, 0);
    assert_int_equal(
        arvo__leases_init(
            &line->leases, &line->clock.platform, NULL, &line->pool, &line->mutex, NULL),
        ARVO_OK);
}

static void
line_fini(struct line *line)
{
    assert_int_equal(line->leases.count, 0); /* no row is left behind */
    arvo__leases_fini(&line->leases);
    arvo__pool_fini(&line->pool);
    pthread_mutex_destroy(&line->mutex);
}

static void *
stand_in_line(void *arg)
{
    struct stander *s = arg;
    struct line *line = s->line;
    arvo_lease lease;
    pthread_mutex_lock(&line->mutex);
    const arvo_status st = arvo__leases_acquire(
        &line->leases, LINE_SUBJECT, LINE_HASH, 30000, s->wait_ms, &s->got, &lease, NULL);
    if (st == ARVO_OK && s->got) {
        line->order[line->served++] = s->number;
        (void)arvo__leases_release(&line->leases, LINE_HASH, &lease);
    }
    pthread_mutex_unlock(&line->mutex);
    return NULL;
}

static void
line_wait_for(struct line *line, uint32_t waiters)
{
    for (bool is_there = false; !is_there;) {
        pthread_mutex_lock(&line->mutex);
        is_there = arvo__leases_waiters(&line->leases, LINE_SUBJECT, LINE_HASH) == waiters;
        pthread_mutex_unlock(&line->mutex);
        sched_yield();
    }
}

static arvo_lease
line_take(struct line *line)
{
    arvo_lease lease = { 0 };
    bool got = false;
    pthread_mutex_lock(&line->mutex);
    assert_int_equal(
        arvo__leases_acquire(&line->leases, LINE_SUBJECT, LINE_HASH, 30000, 0, &got, &lease, NULL),
        ARVO_OK);
    pthread_mutex_unlock(&line->mutex);
    assert_true(got);
    return lease;
}

static void
test_simple__waiters_are_served_in_the_order_they_came(void **state)
{
    (void)state;
    enum { STANDERS = 12 };
    struct line line;
    struct stander standers[STANDERS];
    line_init(&line);
    const arvo_lease lease = line_take(&line);
    for (int i = 0; i < STANDERS; i++) {
        standers[i] = (struct stander){ .line = &line, .number = i, .wait_ms = 60000 };
        assert_int_equal(pthread_create(&standers[i].thread, NULL, stand_in_line, &standers[i]), 0);
        line_wait_for(&line, (uint32_t)i + 1);
    }
    pthread_mutex_lock(&line.mutex);
    assert_true(arvo__leases_release(&line.leases, LINE_HASH, &lease));
    /* A newcomer does not overtake the line, although nobody holds the lease now. */
    bool got = true;
    arvo_lease second;
    assert_int_equal(
        arvo__leases_acquire(&line.leases, LINE_SUBJECT, LINE_HASH, 30000, 0, &got, &second, NULL),
        ARVO_OK);
    assert_false(got);
    pthread_mutex_unlock(&line.mutex);
    for (int i = 0; i < STANDERS; i++)
        pthread_join(standers[i].thread, NULL);
    assert_int_equal(line.served, STANDERS);
    for (int i = 0; i < STANDERS; i++)
        assert_int_equal(line.order[i], i);
    line_fini(&line);
}

static void
test_simple__first_in_line_takes_over_an_expired_lease(void **state)
{
    (void)state;
    struct line line;
    line_init(&line);
    const arvo_lease lease = line_take(&line);
    struct stander stander = { .line = &line, .number = 1, .wait_ms = 60000 };
    assert_int_equal(pthread_create(&stander.thread, NULL, stand_in_line, &stander), 0);
    line_wait_for(&line, 1);
    __atomic_add_fetch(&line.clock.now_ms, 30000, __ATOMIC_RELAXED);
    pthread_join(stander.thread, NULL);
    assert_true(stander.got);
    assert_false(arvo__leases_release(&line.leases, LINE_HASH, &lease));
    line_fini(&line);
}

/* Somebody in the middle gives up; the others keep their places. */
static void
test_simple__leaving_the_line_keeps_it_whole(void **state)
{
    (void)state;
    struct line line;
    struct stander standers[3];
    static const int64_t waits[] = { 60000, 20, 60000 };
    line_init(&line);
    const arvo_lease lease = line_take(&line);
    for (int i = 0; i < 3; i++) {
        standers[i] = (struct stander){ .line = &line, .number = i, .wait_ms = waits[i] };
        assert_int_equal(pthread_create(&standers[i].thread, NULL, stand_in_line, &standers[i]), 0);
        if (i != 1)
            line_wait_for(&line, i == 0 ? 1 : 2);
        else
            pthread_join(standers[1].thread, NULL); /* its 20 ms are over */
    }
    assert_false(standers[1].got);
    pthread_mutex_lock(&line.mutex);
    assert_true(arvo__leases_release(&line.leases, LINE_HASH, &lease));
    pthread_mutex_unlock(&line.mutex);
    pthread_join(standers[0].thread, NULL);
    pthread_join(standers[2].thread, NULL);
    assert_int_equal(line.served, 2);
    assert_int_equal(line.order[0], 0);
    assert_int_equal(line.order[1], 2);
    line_fini(&line);
}

/* Leases that nobody gives back do not pile up for ever. */
static void
test_simple__abandoned_leases_are_swept(void **state)
{
    (void)state;
    struct line line;
    line_init(&line);
    pthread_mutex_lock(&line.mutex);
    for (uint64_t i = 0; i < 10000; i++) {
        char name[32];
        arvo_lease lease;
        bool got = false;
        const int len = snprintf(name, sizeof(name), "s%d", (int)i);
        assert_int_equal(
            arvo__leases_acquire(
                &line.leases, (arvo_str){ name, (size_t)len }, i, 10, 0, &got, &lease, NULL),
            ARVO_OK);
        assert_true(got);
        line.clock.now_ms += 1;
    }
    assert_true(line.leases.count <= 1024);
    line.leases.count = 0; /* the rest goes with the pool */
    pthread_mutex_unlock(&line.mutex);
    line_fini(&line);
}

/* ---- Inbox ------------------------------------------------------------- */

static void
test_simple__inbox_keeps_the_newest_keys(void **state)
{
    (void)state;
    struct store s;
    store_open(&s, "memory:?inbox=4");
    static const char *const ids[] = { "0", "1", "2", "3", "4", "5", "6" };
    for (size_t i = 0; i < ARVO_COUNT_OF(ids); i++)
        assert_int_equal(consume(&s, ARVO_STR("s"), ids[i], ARVO_STR("{}")), ARVO_OK);
    for (size_t i = 0; i < ARVO_COUNT_OF(ids); i++)
        assert_int_equal(outcome(&s, ARVO_STR("s"), ids[i]), i < 3 ? -1 : 1);
    arvo_memory_close(s.memory);
}

static void
test_simple__inbox_zero_keeps_none(void **state)
{
    (void)state;
    struct store s;
    store_open(&s, "memory:?inbox=0");
    assert_int_equal(consume(&s, ARVO_STR("s"), "1", ARVO_STR("{}")), ARVO_OK);
    assert_int_equal(consume(&s, ARVO_STR("s"), "1", ARVO_STR("{}")), ARVO_OK);
    assert_int_equal(outcome(&s, ARVO_STR("s"), "1"), -1);
    arvo_memory_close(s.memory);
}

/* 1 KiB of outcomes per shard: an old one goes, its key stays. */
static void
test_simple__outcomes_age_and_keys_stay(void **state)
{
    (void)state;
    struct store s;
    char id[16];
    store_open(&s, "memory:?inbox_bytes=65536&inbox=100");
    for (int i = 0; i < 50; i++) {
        (void)snprintf(id, sizeof(id), "e%d", i);
        char json[256];
        const int len = snprintf(json, sizeof(json), "{\"n\":\"%0*d\"}", 20 + (i * 7) % 150, i);
        assert_int_equal(consume(&s, ARVO_STR("s"), id, (arvo_str){ json, (size_t)len }), ARVO_OK);
        assert_int_equal(outcome(&s, ARVO_STR("s"), id), 1);
    }
    int gone = 0;
    for (int i = 0; i < 50; i++) {
        (void)snprintf(id, sizeof(id), "e%d", i);
        const int count = outcome(&s, ARVO_STR("s"), id);
        assert_true(count == 0 || count == 1);
        assert_true(count == 1 || gone == i); /* the oldest go first */
        gone += count == 0;
        assert_int_equal(consume(&s, ARVO_STR("s"), id, ARVO_STR("{}")), ARVO_E_EXISTS);
    }
    assert_true(gone >= 40 && gone < 49);

    /* One that is larger than the ring is not kept, and pushes nothing out. */
    static char large[4096];
    memset(large, ' ', sizeof(large));
    assert_int_equal(
        consume(&s, ARVO_STR("s"), "large", (arvo_str){ large, sizeof(large) }), ARVO_OK);
    assert_int_equal(outcome(&s, ARVO_STR("s"), "large"), 0);
    assert_int_equal(outcome(&s, ARVO_STR("s"), "e49"), 1);
    arvo_memory_close(s.memory);
}

/* ---- Outbox ------------------------------------------------------------ */

static void
test_simple__outbox_begins_with_the_first_listing(void **state)
{
    (void)state;
    struct store s;
    size_t count = 0;
    store_open(&s, "memory:");
    assert_int_equal(consume(&s, ARVO_STR("s"), "1", ARVO_STR("{}")), ARVO_OK);
    assert_int_equal(s.ops->outbox_list(s.self, 0, 0, count_event, &count, &s.err), ARVO_OK);
    assert_int_equal(count, 0);
    assert_int_equal(consume(&s, ARVO_STR("s"), "2", ARVO_STR("{}")), ARVO_OK);
    assert_int_equal(s.ops->outbox_list(s.self, 0, 0, count_event, &count, &s.err), ARVO_OK);
    assert_int_equal(count, 1);
    arvo_memory_close(s.memory);
}

/* The store as rows, in another store. */
struct copied {
    arvo_row rows[32];
    size_t count, next;
};

static bool
copy_row(void *user, const arvo_row *row)
{
    struct copied *copied = user;
    assert_true(copied->count < ARVO_COUNT_OF(copied->rows));
    copied->rows[copied->count++] = *row; /* its strings live as long as the store */
    return true;
}

static arvo_status
next_row(void *user, const arvo_row **out_row, arvo_error *err)
{
    struct copied *copied = user;
    (void)err;
    *out_row = copied->next < copied->count ? &copied->rows[copied->next] : NULL;
    copied->next++;
    return ARVO_OK;
}

static bool
no_row(void *user, const arvo_row *row)
{
    (void)user, (void)row;
    return false;
}

static void
test_simple__whole_store_needs_its_history(void **state)
{
    (void)state;
    struct store s;
    store_open(&s, "memory:");
    assert_int_equal(s.ops->dump(s.self, no_row, NULL, &s.err), ARVO_E_UNSUPPORTED);
    assert_non_null(strstr(s.err.text, "memory:?history=on"));
    struct copied none = { 0 };
    assert_int_equal(s.ops->load(s.self, next_row, &none, &s.err), ARVO_E_UNSUPPORTED);
    arvo_memory_close(s.memory);
}

static void
test_simple__full_outbox_refuses(void **state)
{
    (void)state;
    struct store s;
    size_t count = 0;
    enum { BATCH = 4096 };
    static arvo_stored_event produced[BATCH];
    for (size_t i = 0; i < BATCH; i++)
        produced[i] = store_event("e");
    store_open(&s, "memory:");
    assert_int_equal(s.ops->outbox_list(s.self, 0, 0, count_event, &count, &s.err), ARVO_OK);
    const arvo_commit commit = { .subject = ARVO_STR("s"),
                                 .produced = produced,
                                 .produced_count = BATCH };
    arvo_status st = ARVO_OK;
    size_t commits = 0;
    for (; st == ARVO_OK && commits < 1000; commits++)
        st = s.ops->commit(s.self, &commit, 1, &s.err);
    assert_int_equal(st, ARVO_E_FULL);
    assert_int_equal(commits - 1, ((size_t)1 << 20) / BATCH);
    assert_non_null(strstr(s.err.text, "outbox"));
    assert_int_equal(s.ops->outbox_done(s.self, 1, &s.err), ARVO_OK);
    const arvo_commit one = { .subject = ARVO_STR("s"), .produced = produced, .produced_count = 1 };
    assert_int_equal(s.ops->commit(s.self, &one, 1, &s.err), ARVO_OK); /* there is room again */
    arvo_memory_close(s.memory);
}

/* ---- Out of memory ----------------------------------------------------- */

struct budget {
    size_t left; /* allocations that succeed */
    size_t live; /* bytes not given back */
};

static void *
budget_alloc(void *self, size_t size)
{
    struct budget *budget = self;
    if (budget->left == 0)
        return NULL;
    budget->left--;
    budget->live += size;
    return malloc(size);
}

static void
budget_free(void *self, void *ptr, size_t size)
{
    struct budget *budget = self;
    if (ptr != NULL)
        budget->live -= size;
    free(ptr);
}

static bool
first_seq(void *user, const arvo_outbox_row *row)
{
    *(int64_t *)user = row->event.seq;
    return false;
}

/* A delivery that fails twice, and is taken up again by hand. A step that fails changes nothing. */
static arvo_status
fail_a_delivery(const arvo_memory_ops *ops, void *self, arvo_error *err)
{
    const arvo_claim claim = { .token = "x", .limit = 1 };
    const arvo_str why = ARVO_STR("why");
    int64_t seq = 0, again = 0;
    arvo_status st = ops->outbox_claim(self, &claim, first_seq, &seq, err);
    if (st == ARVO_OK)
        st = ops->outbox_retry(self, seq, &claim, 0, why, err);
    if (st == ARVO_OK)
        st = ops->outbox_claim(self, &claim, first_seq, &again, err);
    if (st == ARVO_OK) {
        assert_int_equal(again, seq);
        st = ops->outbox_dead(self, seq, &claim, why, err);
    }
    if (st == ARVO_OK)
        st = ops->dead_retry(self, seq, err);
    again = 0;
    if (st == ARVO_OK)
        st = ops->outbox_claim(self, &claim, first_seq, &again, err);
    if (st == ARVO_OK)
        assert_int_equal(again, seq);
    return st;
}

static arvo_status
copy_store(const arvo_memory_ops *ops, void *self, const arvo_allocator *allocator, arvo_error *err)
{
    struct copied copied = { 0 };
    arvo_memory *memory = NULL;
    arvo_status st = ops->dump(self, copy_row, &copied, err);
    if (st == ARVO_OK)
        st = arvo__memory_open("memory:?history=on", NULL, allocator, &memory, err);
    if (st != ARVO_OK)
        return st;
    for (size_t i = 0; i < copied.count; i++) {
        if (copied.rows[i].kind == ARVO_ROW_RECORD)
            copied.rows[i].record = store_record(ARVO_STR("s")); /* the dump's copy is gone */
        copied.rows[i].record.revision = 1;
    }
    st = ops->load(arvo_memory_self(memory), next_row, &copied, err);
    if (st != ARVO_OK) {
        /* Nothing of it is there. */
        arvo_memory_stats stats;
        assert_int_equal(ops->stats(arvo_memory_self(memory), &stats, err), ARVO_OK);
        assert_int_equal(stats.active + stats.events + stats.outbox + stats.dead, 0);
    }
    arvo_memory_close(memory);
    return st;
}

/* Open, lock, commit with everything, list, look, deliver, copy, close. */
static arvo_status
whole_life(struct budget *budget)
{
    const arvo_allocator allocator = { .alloc = budget_alloc, .free = budget_free, .self = budget };
    arvo_memory *memory = NULL;
    arvo_error err = { 0 };
    arvo_status st = arvo__memory_open("memory:?history=on", NULL, &allocator, &memory, &err);
    if (st != ARVO_OK)
        return st;
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    const arvo_record record = store_record(ARVO_STR("s"));
    const arvo_stored_event in = store_event("in");
    arvo_stored_event out[12];
    for (size_t i = 0; i < ARVO_COUNT_OF(out); i++)
        out[i] = store_event("out");
    arvo_lease lease;
    bool flag = false;
    size_t count = 0;

    st = ops->outbox_list(self, 0, 0, count_event, &count, &err);
    if (st == ARVO_OK)
        st = ops->lock(self, record.subject, 1000, 0, &flag, &lease, &err);
    const arvo_commit commit = { .subject = record.subject,
                                 .lease = &lease,
                                 .record = &record,
                                 .consumed = &in,
                                 .produced = out,
                                 .produced_count = ARVO_COUNT_OF(out) };
    if (st == ARVO_OK) {
        st = ops->commit(self, &commit, 1, &err);
        if (st != ARVO_OK) {
            /* Nothing of it is there. */
            bool is_found = true;
            assert_int_equal(
                ops->inbox_find(
                    self, record.subject, in.source, in.id, &is_found, NULL, NULL, &err),
                ARVO_OK);
            assert_false(is_found);
            count = 0;
            (void)ops->outbox_list(self, 0, 0, count_event, &count, &err);
            assert_int_equal(count, 0);
        }
    }
    if (st == ARVO_OK)
        st = ops->inbox_find(
            self, record.subject, in.source, in.id, &flag, count_event, &count, &err);
    if (st == ARVO_OK)
        st = ops->history(self, record.subject, count_event, &count, &err);
    if (st == ARVO_OK)
        st = fail_a_delivery(ops, self, &err);
    if (st == ARVO_OK)
        st = copy_store(ops, self, &allocator, &err);
    arvo_memory_close(memory);
    if (st == ARVO_OK)
        assert_int_equal(count, 12 + 13);
    return st;
}

static void
test_simple__running_out_of_memory_changes_nothing(void **state)
{
    (void)state;
    arvo_status st = ARVO_E_NOMEM;
    size_t n = 0;
    for (; st != ARVO_OK && n < 10000; n++) {
        struct budget budget = { .left = n };
        st = whole_life(&budget);
        assert_true(st == ARVO_OK || st == ARVO_E_NOMEM);
        assert_int_equal(budget.live, 0);
    }
    assert_int_equal(st, ARVO_OK);
    assert_true(n > 60); /* the loop did meet the failures */
}

/* After warm-up the cycle of an orchestrator allocates nothing, new instances included as long as
 * their slabs last. */
static void
test_simple__warm_cycle_allocates_nothing(void **state)
{
    (void)state;
    struct budget budget = { .left = SIZE_MAX };
    const arvo_allocator allocator = { .alloc = budget_alloc,
                                       .free = budget_free,
                                       .self = &budget };
    arvo_memory *memory = NULL;
    assert_int_equal(arvo__memory_open("memory:", NULL, &allocator, &memory, NULL), ARVO_OK);
    const arvo_memory_ops *ops = arvo_memory_ops_of(memory);
    void *self = arvo_memory_self(memory);
    arvo_arena *arena = arvo_arena_new(NULL);
    for (int i = 0; i < 20000; i++) {
        if (i == 4000)
            budget.left = 0; /* from here on nothing more may be asked for */
        char name[32];
        const int len = snprintf(name, sizeof(name), "subject-%d", i < 4000 ? i : i / 8);
        arvo_record record = store_record((arvo_str){ name, (size_t)len }), before;
        char id[32];
        (void)snprintf(id, sizeof(id), "id-%d", i);
        const arvo_stored_event in = store_event(id), out = store_event("out");
        arvo_lease lease;
        bool flag = false;
        assert_int_equal(ops->lock(self, record.subject, 30000, 0, &flag, &lease, NULL), ARVO_OK);
        assert_int_equal(ops->read(self, record.subject, arena, &flag, &before, NULL), ARVO_OK);
        const arvo_commit commit = { .subject = record.subject,
                                     .lease = &lease,
                                     .release = true,
                                     .record = &record,
                                     .previous_revision = flag ? before.revision : 0,
                                     .consumed = &in,
                                     .produced = &out,
                                     .produced_count = 1 };
        assert_int_equal(ops->commit(self, &commit, 1, NULL), ARVO_OK);
        arvo_arena_reset(arena);
    }
    arvo_arena_free(arena);
    arvo_memory_close(memory);
    assert_int_equal(budget.live, 0);
}

/* ---- Threads ----------------------------------------------------------- */

struct hammer {
    struct store *s;
    int number;
    int failures;
    pthread_t thread;
};

/* Own and shared subjects, every function. */
static void *
hammer_run(void *arg)
{
    struct hammer *h = arg;
    struct store *s = h->s;
    arvo_arena *arena = arvo_arena_new(NULL);
    for (int i = 0; i < 300; i++) {
        char name[32], id[32];
        const int len = snprintf(
            name, sizeof(name), i % 3 == 0 ? "shared-%d" : "own-%d",
            i % 3 == 0 ? i % 5 : h->number);
        (void)snprintf(id, sizeof(id), "%d-%d", h->number, i);
        arvo_record record = store_record((arvo_str){ name, (size_t)len }), before;
        const arvo_stored_event in = store_event(id), out = store_event("out");
        arvo_lease lease;
        bool flag = false;
        arvo_status st = s->ops->lock(s->self, record.subject, 30000, 60000, &flag, &lease, NULL);
        if (st == ARVO_OK && flag)
            st = s->ops->read(s->self, record.subject, arena, &flag, &before, NULL);
        const arvo_commit commit = { .subject = record.subject,
                                     .lease = &lease,
                                     .release = true,
                                     .record = &record,
                                     .previous_revision = flag ? before.revision : 0,
                                     .consumed = &in,
                                     .produced = &out,
                                     .produced_count = 1 };
        if (st == ARVO_OK)
            st = s->ops->commit(s->self, &commit, 1, NULL);
        size_t count = 0;
        if (st == ARVO_OK && i % 10 == 0) {
            st = s->ops->outbox_list(s->self, 0, 5, count_event, &count, NULL);
            (void)s->ops->outbox_done(s->self, i, NULL);
            (void)s->ops->history(s->self, record.subject, count_event, &count, NULL);
            (void)s->ops->inbox_find(
                s->self, record.subject, in.source, in.id, &flag, count_event, &count, NULL);
        }
        h->failures += st != ARVO_OK;
        arvo_arena_reset(arena);
    }
    arvo_arena_free(arena);
    return NULL;
}

static bool
sum_revisions(void *user, const arvo_record *record)
{
    *(uint64_t *)user += record->revision;
    return true;
}

static void
test_simple__eight_threads_on_everything(void **state)
{
    (void)state;
    struct store s;
    struct hammer hammers[8];
    store_open(&s, "memory:?history=on");
    for (int i = 0; i < 8; i++) {
        hammers[i] = (struct hammer){ .s = &s, .number = i };
        assert_int_equal(pthread_create(&hammers[i].thread, NULL, hammer_run, &hammers[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(hammers[i].thread, NULL);
        assert_int_equal(hammers[i].failures, 0);
    }
    uint64_t revisions = 0;
    const arvo_record_query all = { 0 };
    assert_int_equal(s.ops->list(s.self, &all, sum_revisions, &revisions, &s.err), ARVO_OK);
    assert_int_equal(revisions, 8 * 300);
    (void)store_lock(&s, ARVO_STR("shared-0"));
    arvo_memory_close(s.memory);
}

/* ---- Blocks ------------------------------------------------------------ */

/* Every size has the smallest class that holds it; classes grow, aligned, by an eighth at most. */
static void
test_simple__size_classes_fit_closely(void **state)
{
    (void)state;
    size_t before = 0;
    for (unsigned c = 0; c < ARVO__POOL_CLASSES; c++) {
        const size_t bytes = arvo__pool_class_bytes((uint8_t)c);
        assert_true(bytes > before && bytes % 8 == 0);
        assert_true(c == 0 || bytes - before <= before / 8);
        assert_true(bytes <= 512 || bytes > 8192 || bytes - before <= before / 16);
        assert_int_equal(arvo__pool_class_of(bytes), c);
        assert_int_equal(arvo__pool_class_of(before + 1), c);
        before = bytes;
    }
    assert_true(before >= 2 * ARVO_RECORD_BYTES_MAX);
    assert_int_equal(arvo__pool_class_of(before + 1), ARVO__POOL_CLASSES); /* there is none */
}

/* Pages are asked for in steps, from a page's beginning, and never behind the end. */
static void
test_simple__pages_are_made_ahead_but_not_behind_the_end(void **state)
{
    (void)state;
    enum { PAGES = 10, PAGE = 4096 };
    char *memory = aligned_alloc(PAGE, PAGES * PAGE);
    assert_non_null(memory);
    char *ready = arvo__pages_begin(memory + 1), *end = memory + PAGES * PAGE - 100;
    assert_ptr_equal(ready, memory + PAGE);
    assert_ptr_equal(arvo__pages_begin(memory), memory);

    arvo__pages_make_ready(&ready, memory + PAGE, end); /* it is ready already */
    assert_ptr_equal(ready, memory + PAGE);
    arvo__pages_make_ready(&ready, memory + PAGE + 1, end);
    assert_ptr_equal(ready, memory + 5 * PAGE);
    arvo__pages_make_ready(&ready, memory + 8 * PAGE, end);
    assert_ptr_equal(ready, end); /* nothing is left to ask for */
    arvo__pages_make_ready(&ready, end, end);
    assert_ptr_equal(ready, end);
    memset(memory, 1, PAGES * PAGE);
    free(memory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple__waiters_are_served_in_the_order_they_came),
        cmocka_unit_test(test_simple__first_in_line_takes_over_an_expired_lease),
        cmocka_unit_test(test_simple__leaving_the_line_keeps_it_whole),
        cmocka_unit_test(test_simple__abandoned_leases_are_swept),
        cmocka_unit_test(test_simple__inbox_keeps_the_newest_keys),
        cmocka_unit_test(test_simple__inbox_zero_keeps_none),
        cmocka_unit_test(test_simple__outcomes_age_and_keys_stay),
        cmocka_unit_test(test_simple__outbox_begins_with_the_first_listing),
        cmocka_unit_test(test_simple__whole_store_needs_its_history),
        cmocka_unit_test(test_simple__full_outbox_refuses),
        cmocka_unit_test(test_simple__running_out_of_memory_changes_nothing),
        cmocka_unit_test(test_simple__warm_cycle_allocates_nothing),
        cmocka_unit_test(test_simple__size_classes_fit_closely),
        cmocka_unit_test(test_simple__pages_are_made_ahead_but_not_behind_the_end),
        cmocka_unit_test(test_simple__eight_threads_on_everything),
    };
    static char with_history[] = "memory:?history=on", plain[] = "memory:";
    int failed = store_conformance_run(&(store_factory){
        .name = "simple with history", .open = open_simple, .user = with_history });
    failed += store_conformance_run(&(store_factory){
        .name = "simple", .open = open_simple, .user = plain, .keeps_no_history = true });
    failed += cmocka_run_group_tests_name("simple only", tests, NULL, NULL);
    return failed != 0;
}
