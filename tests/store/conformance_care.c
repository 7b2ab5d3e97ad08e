/* The conformance suite: numbers, purge, dump, load and check. */

#include "conformance_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Shorthand --------------------------------------------------------- */

static const arvo_claim ann = { .token = "ann", .ttl_ms = 600000 };

/* Some stores keep an outbox only from the first time someone asks for it. */
static void
begin_outbox(struct fixture *f)
{
    if (f->ops->outbox_list != NULL)
        (void)outbox(f, 0, 0);
}

static void
put_status(struct fixture *f, arvo_str subject, const char *status)
{
    arvo_record record = store_record(subject);
    record.status = arvo_str_from(status);
    put(f, &record);
}

static void
all_done(struct fixture *f)
{
    const struct seen seen = outbox(f, 0, 0);
    for (size_t i = 0; i < seen.count; i++)
        assert_status(f, ARVO_OK, f->ops->outbox_done(f->self, seen.rows[i].seq, &f->err));
}

/* A finished instance with a history of `steps` times two, nothing of it in flight. */
static void
finish(struct fixture *f, arvo_str subject, size_t steps)
{
    if (f->ops->commit != NULL)
        commit_steps(f, subject, "step", steps);
    if (f->ops->outbox_list != NULL)
        all_done(f);
    put_status(f, subject, "done");
}

static int64_t
store_now(struct fixture *f)
{
    arvo_memory_stats stats;
    assert_status(f, ARVO_OK, f->ops->stats(f->self, &stats, &f->err));
    return stats.now_ms;
}

static bool
row_shown(void *user, const arvo_outbox_row *row)
{
    (void)row;
    *(bool *)user = true;
    return true;
}

static bool
count_zed(void *user, const arvo_outbox_row *row)
{
    *(size_t *)user += arvo_str_is(row->event.subject, "zed");
    return true;
}

/* Claim the oldest row and let it fail for good. */
static int64_t
bury_oldest(struct fixture *f)
{
    const int64_t seq = outbox(f, 0, 1).rows[0].seq;
    arvo_claim claim = ann;
    claim.limit = 1;
    bool is_shown = false;
    assert_status(f, ARVO_OK, f->ops->outbox_claim(f->self, &claim, row_shown, &is_shown, &f->err));
    assert_true(is_shown);
    assert_status(
        f, ARVO_OK, f->ops->outbox_dead(f->self, seq, &claim, ARVO_STR("refused"), &f->err));
    return seq;
}

/* ---- Numbers ------------------------------------------------------------- */

#define assert_number(expected, got)                                                               \
    do {                                                                                           \
        if ((got) != UINT64_MAX)                                                                   \
            assert_int_equal((got), (expected));                                                   \
    } while (0)
#define assert_time(expected, got)                                                                 \
    do {                                                                                           \
        if ((got) != -1)                                                                           \
            assert_int_equal((got), (expected));                                                   \
    } while (0)

static arvo_memory_stats
stats_now(struct fixture *f)
{
    arvo_memory_stats stats;
    memset(&stats, 0x5a, sizeof(stats));
    assert_status(f, ARVO_OK, f->ops->stats(f->self, &stats, &f->err));
    return stats;
}

static void
test_store__stats_of_an_empty_store(void **state)
{
    struct fixture *f = *state;
    NEED(f, stats);
    const arvo_memory_stats stats = stats_now(f);
    const uint64_t zeros[] = { stats.active, stats.done,   stats.error,
                               stats.events, stats.outbox, stats.outbox_claimed,
                               stats.dead,   stats.leases, stats.leases_expired,
                               stats.commits };
    for (size_t i = 0; i < ARVO_COUNT_OF(zeros); i++)
        assert_number(0, zeros[i]);
    assert_time(0, stats.outbox_oldest_ms);
    assert_time(0, stats.dead_oldest_ms);
    if (!f->factory->ignores_clock)
        assert_int_equal(stats.now_ms, START_MS);
}

static void
test_store__stats_count_what_is_there(void **state)
{
    struct fixture *f = *state;
    NEED(f, stats);
    NEED(f, outbox_claim);
    begin_outbox(f);
    commit_steps(f, ARVO_STR("s1"), "a", 3); /* the record of the last is active */
    time_pass(f, 5);
    commit_steps(f, ARVO_STR("s2"), "b", 2);
    put_status(f, ARVO_STR("s3"), "done");
    put_status(f, ARVO_STR("s4"), "done");
    put_status(f, ARVO_STR("s5"), "error");
    const arvo_lease lease = lock_now(f, ARVO_STR("s6"));
    const struct seen rows = outbox(f, 0, 0);
    (void)bury_oldest(f);

    arvo_memory_stats stats = stats_now(f);
    assert_number(2, stats.active);
    assert_number(2, stats.done);
    assert_number(1, stats.error);
    assert_number(f->factory->keeps_no_history ? 0 : 10, stats.events);
    assert_number(4, stats.outbox);
    assert_number(0, stats.outbox_claimed);
    assert_number(1, stats.dead);
    assert_time(rows.rows[1].time_ms, stats.outbox_oldest_ms);
    if (!f->factory->ignores_clock)
        assert_time(START_MS + 5, stats.dead_oldest_ms);
    assert_number(1, stats.leases);
    assert_number(0, stats.leases_expired);
    assert_true(stats.bytes > 0);
    if (stats.commits != UINT64_MAX && stats.transactions != UINT64_MAX) {
        assert_true(stats.commits >= 8);
        assert_true(stats.transactions >= 1 && stats.transactions <= stats.commits);
    }

    struct arvo_claim two = ann;
    two.limit = 2;
    bool is_shown = false;
    assert_status(f, ARVO_OK, f->ops->outbox_claim(f->self, &two, row_shown, &is_shown, &f->err));
    assert_number(2, stats_now(f).outbox_claimed);
    all_done(f);
    assert_number(0, stats_now(f).outbox);
    assert_time(0, stats_now(f).outbox_oldest_ms);
    unlock_now(f, ARVO_STR("s6"), &lease);
    assert_number(0, stats_now(f).leases);
    if (f->factory->ignores_clock) {
        arvo_lease brief = { 0 };
        bool is_acquired = false;
        assert_status(
            f, ARVO_OK,
            f->ops->lock(f->self, ARVO_STR("s6"), 50, 0, &is_acquired, &brief, &f->err));
        time_pass(f, 50);
        stats = stats_now(f);
        assert_number(0, stats.leases);
        assert_number(1, stats.leases_expired);
    }
    if (!f->factory->ignores_clock) {
        (void)lock_now(f, ARVO_STR("s6"));
        clock_move(&f->clock, TTL_MS);
        stats = stats_now(f);
        assert_number(0, stats.leases);
        assert_number(1, stats.leases_expired);
        assert_int_equal(stats.now_ms, START_MS + 5 + TTL_MS);
    }
}

/* ---- Purge ------------------------------------------------------------- */

static arvo_purged
purge(struct fixture *f, arvo_purge purge)
{
    arvo_purged purged;
    memset(&purged, 0x5a, sizeof(purged));
    assert_status(f, ARVO_OK, f->ops->purge(f->self, &purge, &purged, &f->err));
    return purged;
}

static bool
is_there(struct fixture *f, const char *subject)
{
    arvo_record record;
    return find(f, arvo_str_from(subject), &record);
}

static void
test_store__purge_takes_what_is_over_and_old(void **state)
{
    struct fixture *f = *state;
    NEED(f, purge);
    NEED(f, stats);
    begin_outbox(f);
    put_status(f, ARVO_STR("old-active"), "active");
    put_status(f, ARVO_STR("old-error"), "error");
    finish(f, ARVO_STR("old-done"), 3);
    time_pass(f, 50);
    const int64_t before_ms = store_now(f);
    time_pass(f, 50);
    put_status(f, ARVO_STR("new-done"), "done");
    put_status(f, ARVO_STR("old-active"), "active");
    put_status(f, ARVO_STR("old-active"), "active");

    const arvo_purge all = { .before_ms = before_ms };
    arvo_purge dry = all;
    dry.is_dry = true;
    dry.limit = SIZE_MAX;
    const uint64_t events = f->factory->keeps_no_history || f->ops->commit == NULL ? 0 : 6;
    for (int i = 0; i < 2; i++) { /* to count changes nothing */
        const arvo_purged would = purge(f, dry);
        assert_int_equal(would.instances, 2);
        assert_int_equal(would.events, events);
        assert_false(would.is_more);
    }
    assert_true(is_there(f, "old-done"));
    const arvo_purged purged = purge(f, all);
    assert_int_equal(purged.instances, 2);
    assert_int_equal(purged.events, events);
    assert_false(purged.is_more);
    assert_false(is_there(f, "old-done"));
    assert_false(is_there(f, "old-error"));
    assert_true(is_there(f, "old-active"));
    assert_true(is_there(f, "new-done"));
    assert_int_equal(purge(f, all).instances, 0);
    if (f->ops->history != NULL)
        assert_int_equal(history(f, ARVO_STR("old-done")).count, 0);
}

static void
test_store__purge_asks_for_status_and_orchestrator(void **state)
{
    struct fixture *f = *state;
    NEED(f, purge);
    NEED(f, stats);
    static const char *const statuses[] = { "active", "done", "error" };
    for (size_t i = 0; i < 12; i++) {
        arvo_record record = store_record(subject_at(f, "p", i));
        record.status = arvo_str_from(statuses[i % 3]);
        record.orchestrator = i < 6 ? ARVO_STR("arvo.orc.a") : ARVO_STR("arvo.orc.b");
        put(f, &record);
    }
    time_pass(f, 10);
    const int64_t before_ms = store_now(f);
    const arvo_purge errors_of_b = { .before_ms = before_ms,
                                     .status = ARVO_STR("error"),
                                     .orchestrator = ARVO_STR("arvo.orc.b") };
    assert_int_equal(purge(f, errors_of_b).instances, 2);
    assert_false(is_there(f, "p-00008"));
    assert_false(is_there(f, "p-00011"));
    assert_true(is_there(f, "p-00002"));
    const arvo_purge of_a = { .before_ms = before_ms, .orchestrator = ARVO_STR("arvo.orc.a") };
    assert_int_equal(purge(f, of_a).instances, 4);
    assert_true(is_there(f, "p-00000")); /* active ones only when they are asked for */
    const arvo_purge active = { .before_ms = before_ms, .status = ARVO_STR("active") };
    assert_int_equal(purge(f, active).instances, 4);
    assert_int_equal(
        purge(f, (arvo_purge){ .before_ms = before_ms, .status = ARVO_STR("") }).instances, 0);
    assert_true(is_there(f, "p-00007"));
}

/* I14: not what is held, waits to be delivered, or waits for a decision. */
static void
test_store__purge_spares_what_is_in_flight(void **state)
{
    struct fixture *f = *state;
    NEED(f, purge);
    NEED(f, stats);
    NEED(f, outbox_claim);
    begin_outbox(f);
    finish(f, ARVO_STR("leased"), 1);
    finish(f, ARVO_STR("over"), 1);
    commit_steps(f, ARVO_STR("dead"), "d", 1);
    const int64_t dead = bury_oldest(f);
    put_status(f, ARVO_STR("dead"), "done");
    commit_steps(f, ARVO_STR("waits"), "w", 1);
    put_status(f, ARVO_STR("waits"), "done");
    const arvo_lease lease = lock_now(f, ARVO_STR("leased"));
    time_pass(f, 10);
    const arvo_purge all = { .before_ms = store_now(f) };
    assert_int_equal(purge(f, all).instances, 1);
    assert_false(is_there(f, "over"));
    assert_int_equal(purge(f, all).instances, 0);

    unlock_now(f, ARVO_STR("leased"), &lease);
    assert_int_equal(purge(f, all).instances, 1);
    assert_false(is_there(f, "leased"));
    all_done(f);
    assert_int_equal(purge(f, all).instances, 1);
    assert_false(is_there(f, "waits"));
    assert_status(f, ARVO_OK, f->ops->dead_drop(f->self, dead, &f->err));
    assert_int_equal(purge(f, all).instances, 1);
    assert_false(is_there(f, "dead"));
}

static void
test_store__purge_goes_in_batches(void **state)
{
    struct fixture *f = *state;
    NEED(f, purge);
    NEED(f, stats);
    enum { MANY = 25 };
    for (size_t i = 0; i < MANY; i++)
        put_status(f, subject_at(f, "b", i), i % 5 == 0 ? "active" : "done");
    time_pass(f, 10);
    const arvo_purge some = { .before_ms = store_now(f), .limit = 8 };
    static const struct {
        uint64_t instances;
        bool is_more;
    } expected[] = { { 8, true }, { 8, true }, { 4, false }, { 0, false } };
    for (size_t i = 0; i < ARVO_COUNT_OF(expected); i++) {
        const arvo_purged purged = purge(f, some);
        assert_int_equal(purged.instances, expected[i].instances);
        /* Whether the last full batch was the last may be told one call later. */
        assert_true(purged.is_more == expected[i].is_more || purged.instances == some.limit);
    }
    for (size_t i = 0; i < MANY; i++) {
        arvo_record record;
        assert_int_equal(find(f, subject_at(f, "b", i), &record), i % 5 == 0);
    }
}

/* What a dry purge with a limit counts is what the purge then deletes. */
static void
test_store__dry_purge_counts_within_the_limit(void **state)
{
    struct fixture *f = *state;
    NEED(f, purge);
    NEED(f, stats);
    for (size_t i = 0; i < 3; i++)
        finish(f, subject_at(f, "d", i), 1);
    time_pass(f, 10);
    arvo_purge some = { .before_ms = store_now(f), .limit = 2, .is_dry = true };
    const arvo_purged would = purge(f, some);
    assert_int_equal(would.instances, 2);
    some.is_dry = false;
    const arvo_purged purged = purge(f, some);
    assert_int_equal(purged.instances, 2);
    assert_int_equal(would.events, purged.events);
}

/* What was purged can begin again, with a fence that is newer than all before. */
static void
test_store__purged_subject_begins_anew(void **state)
{
    struct fixture *f = *state;
    NEED(f, purge);
    NEED(f, stats);
    const arvo_str subject = ARVO_STR("again");
    finish(f, subject, 2);
    arvo_record before, got;
    assert_true(find(f, subject, &before));
    time_pass(f, 10);
    assert_int_equal(purge(f, (arvo_purge){ .before_ms = store_now(f) }).instances, 1);
    if (f->ops->inbox_find != NULL)
        assert_false(consumed(f, subject, "com.test", "step-0", NULL));
    finish(f, subject, 2);
    assert_true(find(f, subject, &got));
    assert_int_equal(got.revision, before.revision);
    assert_true(got.fence > before.fence);
    if (f->ops->inbox_find != NULL)
        assert_true(consumed(f, subject, "com.test", "step-0", NULL));
    if (f->ops->history != NULL && f->ops->commit != NULL && !f->factory->keeps_no_history)
        assert_int_equal(history(f, subject).count, 4);
}

/* ---- Dump and load --------------------------------------------------------- */

#define ROWS_MAX 4096
struct rows {
    struct fixture *f;
    size_t count, max; /* stops at max; 0: never */
    size_t next;       /* of the load; fails behind `fail_at` rows with ARVO_E_IO; 0: never */
    size_t fail_at;
    arvo_row rows[ROWS_MAX];
};

#define NEED_DUMP(f)                                                                               \
    do {                                                                                           \
        NEED(f, dump);                                                                             \
        if ((f)->factory->keeps_no_history) {                                                      \
            print_message("%s keeps no history: skipped\n", (f)->factory->name);                   \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static bool
take_row(void *user, const arvo_row *row)
{
    struct rows *rows = user;
    assert_true(rows->count < ROWS_MAX);
    arvo_row *copy = &rows->rows[rows->count++];
    *copy = *row;
    arvo_str *const texts[] = {
        &copy->hash,
        &copy->document,
        &copy->record.subject,
        &copy->record.parent_subject,
        &copy->record.orchestrator,
        &copy->record.version,
        &copy->record.status,
        &copy->record.value,
        &copy->record.state,
        &copy->record.last_error,
        &copy->record.input,
        &copy->record.definition,
        &copy->row.event.subject,
        &copy->row.event.id,
        &copy->row.event.source,
        &copy->row.event.type,
        &copy->row.event.domains,
        &copy->row.event.json,
        &copy->row.error,
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(texts); i++) {
        if (texts[i]->ptr != NULL)
            *texts[i] = arvo_arena_str_dup(rows->f->arena, *texts[i]);
    }
    return rows->count != rows->max;
}

static arvo_status
give_row(void *user, const arvo_row **out_row, arvo_error *err)
{
    struct rows *rows = user;
    if (rows->fail_at != 0 && rows->next == rows->fail_at)
        return arvo_error_set(err, ARVO_E_IO, 0, "the source broke");
    *out_row = rows->next < rows->count ? &rows->rows[rows->next] : NULL;
    rows->next++;
    return ARVO_OK;
}

static struct rows *
rows_new(struct fixture *f)
{
    struct rows *rows = arvo_arena_calloc(f->arena, 1, sizeof(*rows));
    assert_non_null(rows);
    rows->f = f;
    return rows;
}

static struct rows *
dump(struct fixture *f)
{
    struct rows *rows = rows_new(f);
    assert_status(f, ARVO_OK, f->ops->dump(f->self, take_row, rows, &f->err));
    return rows;
}

static void
assert_row(const arvo_row *got, const arvo_row *expected)
{
    assert_int_equal(got->kind, expected->kind);
    assert_true(got->newest_fence >= expected->newest_fence); /* numbers may be skipped */
    assert_true(got->newest_seq >= expected->newest_seq);
    assert_str(got->hash, expected->hash);
    assert_str(got->document, expected->document);
    if (got->kind == ARVO_ROW_RECORD) {
        store_assert_record_equal(&got->record, &expected->record);
        assert_int_equal(got->record.revision, expected->record.revision);
        assert_int_equal(got->record.fence, expected->record.fence);
        assert_int_equal(got->record.created_ms, expected->record.created_ms);
        assert_int_equal(got->record.updated_ms, expected->record.updated_ms);
    }
    assert_int_equal(got->row.event.seq, expected->row.event.seq);
    if (got->kind == ARVO_ROW_EVENT) {
        assert_event(&got->row.event, &expected->row.event);
        assert_str(got->row.event.subject, expected->row.event.subject);
        assert_int_equal(got->row.event.direction, expected->row.event.direction);
        assert_int_equal(got->row.event.time_ms, expected->row.event.time_ms);
        assert_int_equal(got->cause, expected->cause);
    }
    if (got->kind == ARVO_ROW_OUTBOX || got->kind == ARVO_ROW_DEAD) {
        assert_int_equal(got->row.attempts, expected->row.attempts);
        assert_int_equal(got->row.due_ms, expected->row.due_ms);
        assert_str(got->row.error, expected->row.error);
    }
}

static void
assert_rows(const struct rows *got, const struct rows *expected)
{
    assert_int_equal(got->count, expected->count);
    for (size_t i = 0; i < got->count; i++)
        assert_row(&got->rows[i], &expected->rows[i]);
}

/* Close the store and open another, empty one. */
static void
start_over(struct fixture *f)
{
    arvo_memory_close(f->memory);
    if (f->factory->discard != NULL)
        f->factory->discard(f->factory->user);
    assert_status(
        f, ARVO_OK, f->factory->open(f->factory->user, &f->clock.platform, &f->memory, &f->err));
    f->ops = arvo_memory_ops_of(f->memory);
    f->self = arvo_memory_self(f->memory);
}

/* Two instances with definitions, a subject without, rows in the outbox of which one failed, a dead
 * letter. */
static void
fill(struct fixture *f)
{
    begin_outbox(f);
    const char *const names[] = { "zed", "amy" }; /* listed as they came, not by name */
    for (size_t i = 0; i < 2; i++) {
        arvo_record record = store_record(arvo_str_from(names[i]));
        record.definition = i == 0 ? ARVO_STR("ff00") : ARVO_STR("00ff");
        record.parent_subject = i == 0 ? ARVO_STR_NONE : ARVO_STR("zed");
        const arvo_lease lease = lock_now(f, record.subject);
        const arvo_stored_event in = store_event(names[i]);
        const arvo_stored_event out[2] = { store_event("one"), store_event("two") };
        const arvo_commit commit = { .subject = record.subject,
                                     .lease = &lease,
                                     .release = true,
                                     .record = &record,
                                     .consumed = &in,
                                     .produced = out,
                                     .produced_count = 2,
                                     .definition_json = ARVO_STR("{\"id\":\"m\"}") };
        assert_status(f, ARVO_OK, f->ops->commit(f->self, &commit, 1, &f->err));
        time_pass(f, 3);
    }
    const arvo_stored_event in = store_event("call"), out = store_event("reply");
    const arvo_commit service = {
        .subject = ARVO_STR("service"), .consumed = &in, .produced = &out, .produced_count = 1
    };
    assert_status(f, ARVO_OK, f->ops->commit(f->self, &service, 1, &f->err));
    commit_steps(f, ARVO_STR("zed"), "more", 1);
    if (f->ops->outbox_claim == NULL)
        return;
    (void)bury_oldest(f);
    bool is_shown = false;
    arvo_claim claim = ann;
    claim.limit = 1;
    const int64_t seq = outbox(f, 0, 1).rows[0].seq;
    assert_status(f, ARVO_OK, f->ops->outbox_claim(f->self, &claim, row_shown, &is_shown, &f->err));
    assert_status(
        f, ARVO_OK,
        f->ops->outbox_retry(
            f->self, seq, &claim, 5000,
            ARVO_STR("no \xc3\xa9"
                     "cho"),
            &f->err));
}

static void
test_store__dump_of_an_empty_store_is_one_row(void **state)
{
    struct fixture *f = *state;
    NEED_DUMP(f);
    const struct rows *rows = dump(f);
    assert_int_equal(rows->count, 1);
    assert_int_equal(rows->rows[0].kind, ARVO_ROW_STORE);
    assert_int_equal(rows->rows[0].newest_seq, 0);
}

static void
test_store__dump_shows_everything_in_order(void **state)
{
    struct fixture *f = *state;
    NEED_DUMP(f);
    NEED(f, outbox_claim);
    fill(f);
    const struct rows *rows = dump(f);
    static const arvo_row_kind kinds[] = {
        ARVO_ROW_STORE,  ARVO_ROW_DEFINITION, ARVO_ROW_DEFINITION, ARVO_ROW_RECORD, ARVO_ROW_RECORD,
        ARVO_ROW_EVENT,  ARVO_ROW_EVENT,      ARVO_ROW_EVENT,      ARVO_ROW_EVENT,  ARVO_ROW_EVENT,
        ARVO_ROW_EVENT,  ARVO_ROW_EVENT,      ARVO_ROW_EVENT,      ARVO_ROW_EVENT,  ARVO_ROW_EVENT,
        ARVO_ROW_OUTBOX, ARVO_ROW_OUTBOX,     ARVO_ROW_OUTBOX,     ARVO_ROW_OUTBOX, ARVO_ROW_OUTBOX,
        ARVO_ROW_DEAD,
    };
    assert_int_equal(rows->count, ARVO_COUNT_OF(kinds));
    for (size_t i = 0; i < rows->count; i++)
        assert_int_equal(rows->rows[i].kind, kinds[i]);
    assert_str(rows->rows[1].hash, ARVO_STR("00ff"));
    assert_str(rows->rows[1].document, ARVO_STR("{\"id\":\"m\"}"));
    assert_str(rows->rows[2].hash, ARVO_STR("ff00"));
    assert_str(rows->rows[3].record.subject, ARVO_STR("zed"));
    assert_str(rows->rows[4].record.subject, ARVO_STR("amy"));
    assert_int_equal(rows->rows[3].record.revision, 2);

    arvo_record zed;
    assert_true(find(f, ARVO_STR("zed"), &zed));
    store_assert_record_equal(&rows->rows[3].record, &zed);
    assert_int_equal(rows->rows[3].record.fence, zed.fence);
    assert_true(rows->rows[0].newest_fence >= zed.fence);
    assert_int_equal(rows->rows[3].record.updated_ms, zed.updated_ms);

    const struct seen events = history(f, ARVO_STR("zed"));
    assert_int_equal(events.count, 5);
    const arvo_row *first = &rows->rows[5];
    for (size_t i = 0; i < 3; i++) {
        assert_event(&first[i].row.event, &events.rows[i]);
        assert_int_equal(first[i].row.event.seq, events.rows[i].seq);
        assert_int_equal(first[i].row.event.time_ms, events.rows[i].time_ms);
        assert_int_equal(first[i].row.event.direction, events.rows[i].direction);
        assert_str(first[i].row.event.subject, ARVO_STR("zed"));
        assert_int_equal(first[i].cause, i == 0 ? 0 : first->row.event.seq);
    }
    for (size_t i = 1; i < 10; i++)
        assert_true(first[i].row.event.seq > first[i - 1].row.event.seq);
    assert_true(rows->rows[0].newest_seq >= first[9].row.event.seq);

    const arvo_row *retried = &rows->rows[15], *dead = &rows->rows[20];
    assert_int_equal(retried->row.event.seq, first[2].row.event.seq);
    assert_int_equal(retried->row.attempts, 1);
    assert_true(retried->row.due_ms > first[2].row.event.time_ms);
    assert_str(
        retried->row.error, ARVO_STR("no \xc3\xa9"
                                     "cho"));
    assert_int_equal(rows->rows[16].row.attempts, 0);
    assert_null(rows->rows[16].row.error.ptr);
    assert_int_equal(dead->row.event.seq, first[1].row.event.seq);
    assert_int_equal(dead->row.attempts, 1);
    assert_str(dead->row.error, ARVO_STR("refused"));

    struct rows *stopped = rows_new(f);
    stopped->max = 4;
    assert_status(f, ARVO_OK, f->ops->dump(f->self, take_row, stopped, &f->err));
    assert_int_equal(stopped->count, 4);
}

static void
test_store__load_makes_the_same_store(void **state)
{
    struct fixture *f = *state;
    NEED_DUMP(f);
    fill(f);
    struct rows *rows = dump(f);
    start_over(f);
    assert_status(f, ARVO_OK, f->ops->load(f->self, give_row, rows, &f->err));
    assert_rows(dump(f), rows);
}

/* Work goes on in the loaded store where it ended in the first. */
static void
test_store__loaded_store_works_on(void **state)
{
    struct fixture *f = *state;
    NEED_DUMP(f);
    NEED(f, outbox_claim);
    fill(f);
    struct rows *rows = dump(f);
    const struct seen waiting = outbox(f, 0, 0), past = history(f, ARVO_STR("zed"));
    start_over(f);
    assert_status(f, ARVO_OK, f->ops->load(f->self, give_row, rows, &f->err));

    const struct seen still = outbox(f, 0, 0);
    assert_int_equal(still.count, waiting.count);
    for (size_t i = 0; i < still.count; i++)
        assert_event(&still.rows[i], &waiting.rows[i]);
    assert_int_equal(history(f, ARVO_STR("zed")).count, past.count);
    struct seen outcome = { .f = f };
    assert_true(consumed(f, ARVO_STR("zed"), "com.test", "zed", &outcome));
    assert_int_equal(outcome.count, 2);
    assert_event(&outcome.rows[1], &past.rows[2]);
    assert_true(consumed(f, ARVO_STR("service"), "com.test", "call", NULL));
    const arvo_stored_event again = store_event("call");
    const arvo_commit twice = { .subject = ARVO_STR("service"), .consumed = &again };
    assert_status(f, ARVO_E_EXISTS, f->ops->commit(f->self, &twice, 1, &f->err));

    const arvo_lease lease = lock_now(f, ARVO_STR("amy"));
    assert_true(lease.fence > rows->rows[0].newest_fence);
    unlock_now(f, ARVO_STR("amy"), &lease);
    commit_steps(f, ARVO_STR("amy"), "further", 1); /* revision 2 */
    const struct seen after = history(f, ARVO_STR("amy"));
    assert_int_equal(after.count, 5);
    assert_true(after.rows[3].seq > rows->rows[0].newest_seq);

    /* zed's are behind the one that is not due yet. */
    size_t of_zed = 0;
    arvo_claim claim = ann;
    assert_status(f, ARVO_OK, f->ops->outbox_claim(f->self, &claim, count_zed, &of_zed, &f->err));
    assert_int_equal(of_zed, 0);
    if (!f->factory->ignores_clock) {
        clock_move(&f->clock, 5000);
        assert_status(
            f, ARVO_OK, f->ops->outbox_claim(f->self, &claim, count_zed, &of_zed, &f->err));
        assert_int_equal(of_zed, 2);
    }
    assert_status(
        f, ARVO_OK,
        f->ops->dead_retry(f->self, rows->rows[rows->count - 1].row.event.seq, &f->err));
}

/* Rows of other subjects, and of another event of the same one, lie between an event and what it
 * produced: in a store that draws its seqs before it commits they do. */
static void
test_store__loaded_outcome_may_be_interleaved(void **state)
{
    static const struct {
        const char *subject, *id;
        int64_t cause; /* 0: consumed */
    } events[] = {
        { "one", "a", 0 },   { "one", "b", 0 },   { "two", "c", 0 },
        { "one", "a-1", 1 }, { "two", "c-1", 3 }, { "one", "b-1", 2 },
        { "one", "a-2", 1 }, { "two", "d", 0 },   { "one", "a-3", 1 },
    };
    static const struct {
        const char *subject, *id;
        size_t count;
        int64_t seqs[3];
    } expected[] = {
        { "one", "a", 3, { 4, 7, 9 } },
        { "one", "b", 1, { 6 } },
        { "two", "c", 1, { 5 } },
        { "two", "d", 0, { 0 } },
    };
    struct fixture *f = *state;
    NEED_DUMP(f);
    NEED(f, inbox_find);
    struct rows *rows = rows_new(f);
    rows->rows[rows->count++] =
        (arvo_row){ .kind = ARVO_ROW_STORE, .newest_seq = ARVO_COUNT_OF(events) };
    for (size_t i = 0; i < ARVO_COUNT_OF(events); i++) {
        arvo_row *row = &rows->rows[rows->count++];
        *row = (arvo_row){ .kind = ARVO_ROW_EVENT, .cause = events[i].cause };
        row->row.event = store_event(events[i].id);
        row->row.event.seq = (int64_t)i + 1;
        row->row.event.direction = events[i].cause == 0 ? ARVO_CONSUMED : ARVO_PRODUCED;
        row->row.event.subject = arvo_str_from(events[i].subject);
        row->row.event.time_ms = START_MS;
    }
    assert_status(f, ARVO_OK, f->ops->load(f->self, give_row, rows, &f->err));
    for (size_t i = 0; i < ARVO_COUNT_OF(expected); i++) {
        struct seen seen = { .f = f };
        const arvo_str subject = arvo_str_from(expected[i].subject);
        assert_true(consumed(f, subject, "com.test", expected[i].id, &seen));
        assert_int_equal(seen.count, expected[i].count);
        for (size_t k = 0; k < seen.count; k++) {
            assert_int_equal(seen.rows[k].seq, expected[i].seqs[k]);
            assert_str(seen.rows[k].subject, subject);
            assert_event(&seen.rows[k], &rows->rows[expected[i].seqs[k]].row.event);
        }
    }
}

static void
test_store__load_needs_an_empty_store(void **state)
{
    struct fixture *f = *state;
    NEED_DUMP(f);
    struct rows *empty = dump(f);
    const arvo_stored_event in = store_event("call");
    const arvo_commit service = { .subject = ARVO_STR("service"), .consumed = &in };
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            put_status(f, ARVO_STR("there"), "active");
        else
            assert_status(f, ARVO_OK, f->ops->commit(f->self, &service, 1, &f->err));
        const struct rows *before = dump(f);
        empty->next = 0;
        assert_status(f, ARVO_E_EXISTS, f->ops->load(f->self, give_row, empty, &f->err));
        assert_rows(dump(f), before);
        start_over(f);
    }
}

/* Broken off behind every row in turn: nothing of it is there, and the next load works. */
static void
test_store__load_that_breaks_off_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    NEED_DUMP(f);
    fill(f);
    struct rows *rows = dump(f);
    start_over(f);
    for (size_t i = 1; i <= rows->count; i++) {
        rows->fail_at = i;
        rows->next = 0;
        assert_status(f, ARVO_E_IO, f->ops->load(f->self, give_row, rows, &f->err));
        assert_non_null(strstr(f->err.text, "the source broke"));
        assert_int_equal(dump(f)->count, 1);
        arvo_record record;
        assert_false(find(f, ARVO_STR("zed"), &record));
    }
    rows->fail_at = 0;
    rows->next = 0;
    assert_status(f, ARVO_OK, f->ops->load(f->self, give_row, rows, &f->err));
    assert_rows(dump(f), rows);
}

struct damage {
    const char *name;
    size_t row; /* which is damaged */
    void (*apply)(struct rows *rows, arvo_row *row);
};

static void
damage_swap(struct rows *rows, arvo_row *row)
{
    const arvo_row copy = row[1];
    (void)rows;
    row[1] = row[0];
    row[0] = copy;
}

static void
damage_repeat(struct rows *rows, arvo_row *row)
{
    (void)rows;
    row[1] = row[0];
}

static void
damage_omit(struct rows *rows, arvo_row *row)
{
    memmove(row, row + 1, (size_t)(&rows->rows[rows->count] - row - 1) * sizeof(*row));
    rows->count--;
}

static void
damage_revision(struct rows *rows, arvo_row *row)
{
    (void)rows;
    row->record.revision = 0;
}

static void
damage_fence(struct rows *rows, arvo_row *row)
{
    (void)rows;
    row->newest_fence = 0;
}

static void
damage_newest_seq(struct rows *rows, arvo_row *row)
{
    row->newest_seq = rows->rows[14].row.event.seq - 1;
}

static void
damage_json(struct rows *rows, arvo_row *row)
{
    (void)rows;
    row->row.event.json = ARVO_STR_NONE;
}

static void
damage_cause(struct rows *rows, arvo_row *row)
{
    (void)rows;
    row->cause = row->row.event.seq;
}

static void
damage_direction(struct rows *rows, arvo_row *row)
{
    (void)rows;
    row->row.event.seq = rows->rows[5].row.event.seq; /* a consumed event's */
}

static void
test_store__load_refuses_rows_that_do_not_fit(void **state)
{
    static const struct damage damages[] = {
        { "no store", 0, damage_omit },         { "store later", 0, damage_swap },
        { "two stores", 0, damage_repeat },     { "definition twice", 1, damage_repeat },
        { "record twice", 3, damage_repeat },   { "record early", 2, damage_swap },
        { "no revision", 3, damage_revision },  { "fence", 0, damage_fence },
        { "event early", 4, damage_swap },      { "event twice", 5, damage_repeat },
        { "events swapped", 5, damage_swap },   { "no event", 6, damage_omit },
        { "newest seq", 0, damage_newest_seq }, { "no json", 7, damage_json },
        { "cause", 6, damage_cause },           { "outbox of consumed", 15, damage_direction },
        { "outbox twice", 15, damage_repeat },  { "outbox swapped", 16, damage_swap },
        { "dead early", 19, damage_swap },      { "dead of consumed", 20, damage_direction },
    };
    struct fixture *f = *state;
    NEED_DUMP(f);
    NEED(f, outbox_claim);
    fill(f);
    const struct rows *rows = dump(f);
    start_over(f);
    for (size_t i = 0; i < ARVO_COUNT_OF(damages); i++) {
        struct rows *damaged = rows_new(f);
        *damaged = *rows;
        damages[i].apply(damaged, &damaged->rows[damages[i].row]);
        const arvo_status st = f->ops->load(f->self, give_row, damaged, &f->err);
        if (st != ARVO_E_INVALID)
            fail_msg("%s: %s %s", damages[i].name, arvo_status_name(st), f->err.text);
        assert_int_equal(dump(f)->count, 1);
    }
}

/* ---- One moment ------------------------------------------------------------ */

#define WRITERS      3
#define WRITER_STEPS 60

struct writer {
    struct fixture *f;
    atomic_int *left; /* writers at work */
    atomic_int *failures;
    int number;
    pthread_t thread;
};

/* Each step consumes one event, produces one, and counts the revision up. */
static void *
write_steps(void *arg)
{
    struct writer *w = arg;
    const arvo_memory_ops *ops = w->f->ops;
    void *self = w->f->self;
    char name[32];
    (void)snprintf(name, sizeof(name), "writer-%d", w->number);
    const arvo_record record = store_record(arvo_str_from(name));
    for (int i = 0; i < WRITER_STEPS; i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "%d", i);
        const arvo_stored_event in = store_event(id), out = store_event(id);
        arvo_lease lease;
        bool is_acquired = false;
        arvo_status st = ops->lock(self, record.subject, TTL_MS, 60000, &is_acquired, &lease, NULL);
        const arvo_commit commit = { .subject = record.subject,
                                     .lease = &lease,
                                     .release = true,
                                     .record = &record,
                                     .previous_revision = (uint64_t)i,
                                     .consumed = &in,
                                     .produced = &out,
                                     .produced_count = 1 };
        if (st == ARVO_OK && is_acquired)
            st = ops->commit(self, &commit, 1, NULL);
        if (st != ARVO_OK || !is_acquired)
            atomic_fetch_add(w->failures, 1);
    }
    atomic_fetch_sub(w->left, 1);
    return NULL;
}

struct moment {
    uint64_t revisions, consumed, produced, outbox;
};

static bool
count_moment(void *user, const arvo_row *row)
{
    struct moment *moment = user;
    moment->revisions += row->kind == ARVO_ROW_RECORD ? row->record.revision : 0;
    moment->outbox += row->kind == ARVO_ROW_OUTBOX;
    if (row->kind == ARVO_ROW_EVENT && row->row.event.direction == ARVO_CONSUMED)
        moment->consumed++;
    else if (row->kind == ARVO_ROW_EVENT)
        moment->produced++;
    return true;
}

/* There are as many events of either kind as the records have revisions. */
static void
assert_one_moment(struct fixture *f)
{
    struct moment moment = { 0 };
    assert_status(f, ARVO_OK, f->ops->dump(f->self, count_moment, &moment, &f->err));
    assert_int_equal(moment.consumed, moment.revisions);
    assert_int_equal(moment.produced, moment.revisions);
    assert_int_equal(moment.outbox, moment.revisions);
}

static void
test_store__dump_is_of_one_moment(void **state)
{
    struct fixture *f = *state;
    NEED_DUMP(f);
    begin_outbox(f);
    struct writer writers[WRITERS];
    atomic_int left = WRITERS, failures = 0;
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){ .f = f, .left = &left, .failures = &failures, .number = i };
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_steps, &writers[i]), 0);
    }
    while (atomic_load(&left) > 0)
        assert_one_moment(f);
    for (int i = 0; i < WRITERS; i++)
        (void)pthread_join(writers[i].thread, NULL);
    assert_int_equal(failures, 0);
    assert_one_moment(f);
}

/* ---- Check ----------------------------------------------------------------- */

static bool
print_finding(void *user, arvo_str where, arvo_str what)
{
    print_message("%.*s: %.*s\n", ARVO_FMT(where), ARVO_FMT(what));
    (*(size_t *)user)++;
    return true;
}

static void
test_store__check_finds_nothing_in_a_sound_store(void **state)
{
    struct fixture *f = *state;
    NEED(f, check);
    size_t findings = 0;
    assert_status(f, ARVO_OK, f->ops->check(f->self, print_finding, &findings, &f->err));
    fill(f);
    assert_status(f, ARVO_OK, f->ops->check(f->self, print_finding, &findings, &f->err));
    assert_int_equal(findings, 0);
}

/* ---- All --------------------------------------------------------------- */

const struct CMUnitTest store_care_tests[] = {
    CASE(stats_of_an_empty_store),
    CASE(stats_count_what_is_there),
    CASE(purge_takes_what_is_over_and_old),
    CASE(purge_asks_for_status_and_orchestrator),
    CASE(purge_spares_what_is_in_flight),
    CASE(purge_goes_in_batches),
    CASE(dry_purge_counts_within_the_limit),
    CASE(purged_subject_begins_anew),
    CASE(dump_of_an_empty_store_is_one_row),
    CASE(dump_shows_everything_in_order),
    CASE(load_makes_the_same_store),
    CASE(loaded_store_works_on),
    CASE(loaded_outcome_may_be_interleaved),
    CASE(load_needs_an_empty_store),
    CASE(load_that_breaks_off_leaves_nothing),
    CASE(load_refuses_rows_that_do_not_fit),
    CASE(dump_is_of_one_moment),
    CASE(check_finds_nothing_in_a_sound_store),
};

const size_t store_care_test_count = ARVO_COUNT_OF(store_care_tests);
