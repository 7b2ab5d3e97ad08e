/* The conformance suite: claims, failed attempts and dead letters. */

#include "conformance_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define SPAN_MS 400 /* a store with a clock of its own is waited for so long */

/* ---- Shorthand --------------------------------------------------------- */

static const arvo_claim ann = { .token = "ann", .ttl_ms = 600000 };
static const arvo_claim bob = { .token = "bob", .ttl_ms = 600000 };
static const arvo_claim brief = { .token = "ann", .ttl_ms = SPAN_MS };

/* What a claim or a list of dead letters has shown: rows, and their ids in one line. */
struct rows {
    struct fixture *f;
    size_t count, max; /* stops at max; 0: never */
    arvo_outbox_row rows[SEEN_MAX];
    char ids[SEEN_MAX * 8];
};

static bool
see_row(void *user, const arvo_outbox_row *row)
{
    struct rows *rows = user;
    struct seen seen = { .f = rows->f };
    assert_true(rows->count < SEEN_MAX);
    (void)see(&seen, &row->event);
    arvo_outbox_row *copy = &rows->rows[rows->count++];
    *copy = *row;
    copy->event = seen.rows[0];
    if (row->error.ptr != NULL)
        copy->error = arvo_arena_str_dup(rows->f->arena, row->error);
    const size_t at = strlen(rows->ids);
    (void)snprintf(
        rows->ids + at, sizeof(rows->ids) - at, "%s%.*s", at > 0 ? " " : "",
        ARVO_FMT(row->event.id));
    return rows->count != rows->max;
}

static struct rows
claim_rows(struct fixture *f, const arvo_claim *claim, size_t limit)
{
    struct rows rows = { .f = f };
    arvo_claim limited = *claim;
    limited.limit = limit;
    assert_status(f, ARVO_OK, f->ops->outbox_claim(f->self, &limited, see_row, &rows, &f->err));
    return rows;
}

static struct rows
dead_rows(struct fixture *f, int64_t after, size_t limit)
{
    struct rows rows = { .f = f };
    assert_status(f, ARVO_OK, f->ops->dead_list(f->self, after, limit, see_row, &rows, &f->err));
    return rows;
}

#define assert_claims(f, claim, expected)                                                          \
    assert_string_equal(claim_rows((f), (claim), 0).ids, (expected))
#define assert_dead(f, expected) assert_string_equal(dead_rows((f), 0, 0).ids, (expected))

/* Events of one subject, committed one by one; "a1" is of subject "a". */
static void
produce(struct fixture *f, const char *ids)
{
    for (; *ids != '\0'; ids += ids[2] == ' ' ? 3 : 2) {
        arvo_stored_event event = store_event("");
        event.id = (arvo_str){ ids, 2 };
        const arvo_commit commit = { .subject = (arvo_str){ ids, 1 },
                                     .produced = &event,
                                     .produced_count = 1 };
        assert_status(f, ARVO_OK, f->ops->commit(f->self, &commit, 1, &f->err));
    }
}

static int64_t
seq_of(struct fixture *f, const char *id)
{
    const struct seen seen = outbox(f, 0, 0);
    for (size_t i = 0; i < seen.count; i++) {
        if (arvo_str_is(seen.rows[i].id, id))
            return seen.rows[i].seq;
    }
    fail_msg("%s is not in the outbox", id);
    return 0;
}

static void
done(struct fixture *f, const char *id)
{
    assert_status(f, ARVO_OK, f->ops->outbox_done(f->self, seq_of(f, id), &f->err));
}

static void
retry(struct fixture *f, const char *id, const arvo_claim *claim, int64_t delay_ms)
{
    assert_status(
        f, ARVO_OK,
        f->ops->outbox_retry(
            f->self, seq_of(f, id), claim, delay_ms, ARVO_STR("no answer"), &f->err));
}

static void
bury(struct fixture *f, const char *id, const arvo_claim *claim)
{
    assert_status(
        f, ARVO_OK,
        f->ops->outbox_dead(f->self, seq_of(f, id), claim, ARVO_STR("refused"), &f->err));
}

/* Some stores keep an outbox only from the first time someone asks for it. */
static struct fixture *
begin(void **state)
{
    struct fixture *f = *state;
    NEED(f, outbox_claim);
    (void)outbox(f, 0, 0);
    return f;
}

/* ---- Claims ------------------------------------------------------------ */

static void
test_store__claim_takes_the_oldest_rows_of_all_subjects(void **state)
{
    struct fixture *f = begin(state);
    assert_claims(f, &ann, "");
    produce(f, "a1 b1 a2 b2 c1");
    const struct rows rows = claim_rows(f, &ann, 3);
    assert_string_equal(rows.ids, "a1 b1 a2");
    const struct seen seen = outbox(f, 0, 0);
    assert_int_equal(seen.count, 5); /* claimed rows are not done */
    for (size_t i = 0; i < rows.count; i++) {
        assert_event(&rows.rows[i].event, &seen.rows[i]);
        assert_str(rows.rows[i].event.subject, seen.rows[i].subject);
        assert_int_equal(rows.rows[i].event.seq, seen.rows[i].seq);
        assert_int_equal(rows.rows[i].event.direction, ARVO_PRODUCED);
        assert_int_equal(rows.rows[i].event.time_ms, seen.rows[i].time_ms);
        assert_int_equal(rows.rows[i].attempts, 0);
        assert_int_equal(rows.rows[i].due_ms, 0);
        assert_null(rows.rows[i].error.ptr);
    }
}

static void
test_store__claimed_rows_hold_up_their_subject_only(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 b1 a2 b2 c1");
    assert_string_equal(claim_rows(f, &ann, 2).ids, "a1 b1");
    assert_claims(f, &bob, "c1"); /* a2 and b2 are behind rows of ann's */
    assert_claims(f, &ann, "");   /* for ann as well */
    done(f, "a1");
    assert_claims(f, &bob, "a2");
    produce(f, "a3 b3 d1");
    assert_claims(f, &bob, "d1");
    done(f, "b1");
    assert_claims(f, &ann, "b2 b3");
    done(f, "b3"); /* anybody may, and in any order */
    done(f, "b2");
    done(f, "a2");
    assert_claims(f, &bob, "a3");
}

static void
test_store__claims_end_by_the_stores_clock(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 a2 b1");
    assert_claims(f, &brief, "a1 a2 b1");
    assert_claims(f, &bob, "");
    if (!f->factory->ignores_clock) {
        time_pass(f, SPAN_MS - 1);
        assert_claims(f, &bob, "");
        time_pass(f, 1);
    } else {
        time_pass(f, SPAN_MS);
    }
    assert_string_equal(claim_rows(f, &bob, 2).ids, "a1 a2");
    retry(f, "a1", &ann, 0); /* bob's now: nothing happens */
    bury(f, "a2", &ann);
    assert_claims(f, &ann, "b1");
    assert_dead(f, "");
    const struct rows rows = claim_rows(f, &bob, 0);
    assert_int_equal(rows.count, 0);
}

static void
test_store__overdue_attempt_counts_until_somebody_takes_the_row(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 b1");
    assert_claims(f, &brief, "a1 b1");
    time_pass(f, SPAN_MS);
    retry(f, "a1", &ann, 0);
    bury(f, "b1", &ann);
    const struct rows rows = claim_rows(f, &bob, 0);
    assert_string_equal(rows.ids, "a1");
    assert_int_equal(rows.rows[0].attempts, 1);
    assert_dead(f, "b1");
}

static void
test_store__release_gives_back_ones_own_claims(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 a2 b1 c1");
    assert_string_equal(claim_rows(f, &ann, 3).ids, "a1 a2 b1");
    assert_claims(f, &bob, "c1");
    assert_status(f, ARVO_OK, f->ops->outbox_release(f->self, &ann, &f->err));
    const struct rows rows = claim_rows(f, &bob, 0);
    assert_string_equal(rows.ids, "a1 a2 b1");
    assert_int_equal(rows.rows[0].attempts, 0); /* nothing was tried */
    assert_status(f, ARVO_OK, f->ops->outbox_release(f->self, &ann, &f->err)); /* holds none */
    assert_claims(f, &ann, "");
}

static bool
count_row(void *user, const arvo_outbox_row *row)
{
    (void)row;
    (*(size_t *)user)++;
    return true;
}

static void
test_store__claims_are_bounded(void **state)
{
    struct fixture *f = begin(state);
    enum { BATCH = 100, BATCHES = 11 };
    arvo_stored_event events[BATCH];
    for (size_t i = 0; i < BATCH; i++)
        events[i] = store_event("e");
    for (size_t i = 0; i < BATCHES; i++) {
        const arvo_commit commit = { .subject = subject_at(f, "s", i),
                                     .produced = events,
                                     .produced_count = BATCH };
        assert_status(f, ARVO_OK, f->ops->commit(f->self, &commit, 1, &f->err));
    }
    static const size_t limits[][2] = { { 0, ARVO_CLAIM_LIMIT_DEFAULT },
                                        { 1, 1 },
                                        { ARVO_CLAIM_LIMIT_MAX, ARVO_CLAIM_LIMIT_MAX },
                                        { SIZE_MAX, ARVO_CLAIM_LIMIT_MAX } };
    for (size_t i = 0; i < ARVO_COUNT_OF(limits); i++) {
        const arvo_claim claim = { .token = "ann", .ttl_ms = 600000, .limit = limits[i][0] };
        size_t count = 0;
        assert_status(
            f, ARVO_OK, f->ops->outbox_claim(f->self, &claim, count_row, &count, &f->err));
        assert_int_equal(count, limits[i][1]);
        assert_status(f, ARVO_OK, f->ops->outbox_release(f->self, &claim, &f->err));
    }
}

/* A year at most, and not a time that no store can count to. */
static void
test_store__longest_claim_and_delay_are_bounded(void **state)
{
    struct fixture *f = begin(state);
    arvo_claim endless = ann;
    endless.ttl_ms = INT64_MAX;
    produce(f, "a1 b1");
    assert_string_equal(claim_rows(f, &endless, 0).ids, "a1 b1");
    assert_claims(f, &bob, "");
    assert_claims(f, &endless, "");
    retry(f, "a1", &endless, INT64_MAX);
    assert_claims(f, &bob, "");
    assert_status(f, ARVO_OK, f->ops->outbox_release(f->self, &endless, &f->err));
    assert_claims(f, &bob, "b1");
    if (!f->factory->ignores_clock) {
        clock_move(&f->clock, (int64_t)366 * 24 * 3600 * 1000);
        assert_claims(f, &bob, "a1 b1");
    }
}

static void
test_store__claim_that_is_stopped_keeps_its_rows(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 b1 c1");
    struct rows rows = { .f = f, .max = 1 };
    assert_status(f, ARVO_OK, f->ops->outbox_claim(f->self, &ann, see_row, &rows, &f->err));
    assert_string_equal(rows.ids, "a1");
    assert_claims(f, &bob, "");
    assert_status(f, ARVO_OK, f->ops->outbox_release(f->self, &ann, &f->err));
    assert_claims(f, &bob, "a1 b1 c1");
}

static bool
deliver(void *user, const arvo_outbox_row *row)
{
    struct fixture *f = user;
    assert_status(f, ARVO_OK, f->ops->outbox_done(f->self, row->event.seq, &f->err));
    return true;
}

static void
test_store__claimed_rows_may_be_done_while_they_are_shown(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 a2 b1 a3 b2");
    assert_status(f, ARVO_OK, f->ops->outbox_claim(f->self, &ann, deliver, f, &f->err));
    assert_int_equal(outbox(f, 0, 0).count, 0);
    produce(f, "a4");
    assert_claims(f, &bob, "a4");
}

/* ---- Attempts that failed ---------------------------------------------- */

static void
test_store__retry_holds_back_later_rows_of_its_subject_only(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 a2 b1 b2");
    assert_claims(f, &ann, "a1 a2 b1 b2");
    const int64_t before_ms = f->clock.now_ms;
    retry(f, "a1", &ann, SPAN_MS);
    assert_claims(f, &bob, ""); /* a1 is not due, a2 behind it, the rest ann's */
    done(f, "b1");
    retry(f, "b2", &ann, 0); /* at once */
    const struct rows at_once = claim_rows(f, &bob, 0);
    assert_string_equal(at_once.ids, "b2");
    assert_int_equal(at_once.rows[0].attempts, 1);
    assert_int_equal(at_once.rows[0].due_ms, 0);
    done(f, "b2");

    produce(f, "a3 c1");
    assert_claims(f, &bob, "c1");
    time_pass(f, SPAN_MS);
    const struct rows rows = claim_rows(f, &bob, 0);
    assert_string_equal(rows.ids, "a1 a2 a3");
    assert_int_equal(rows.rows[0].attempts, 1);
    assert_str(rows.rows[0].error, ARVO_STR("no answer"));
    if (!f->factory->ignores_clock)
        assert_int_equal(rows.rows[0].due_ms, before_ms + SPAN_MS);
    assert_int_equal(rows.rows[1].attempts, 0); /* a2 was not tried */
    assert_null(rows.rows[1].error.ptr);
}

static void
test_store__retry_lets_go_of_what_is_behind_it(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 a2 a3 b1");
    assert_claims(f, &ann, "a1 a2 a3 b1");
    retry(f, "a2", &ann, 0);
    assert_claims(f, &bob, ""); /* a1 is ann's still, and so is b1 */
    done(f, "a1");
    assert_claims(f, &bob, "a2 a3"); /* ann's claim on a3 went with a2's */
    retry(f, "a3", &ann, 0);         /* so that is nothing to her */
    retry(f, "a2", &bob, 0);
    const struct rows rows = claim_rows(f, &bob, 0);
    assert_string_equal(rows.ids, "a2 a3");
    assert_int_equal(rows.rows[0].attempts, 2);
    assert_int_equal(rows.rows[1].attempts, 0);
}

static void
test_store__retry_of_what_is_not_ones_own_does_nothing(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 b1");
    const int64_t gone = seq_of(f, "a1");
    done(f, "a1");
    retry(f, "b1", &bob, SPAN_MS); /* nobody's */
    bury(f, "b1", &bob);
    for (int i = 0; i < 2; i++) {
        const int64_t seq = i == 0 ? gone : gone + 1000;
        assert_status(
            f, ARVO_OK, f->ops->outbox_retry(f->self, seq, &ann, 0, ARVO_STR("x"), &f->err));
        assert_status(f, ARVO_OK, f->ops->outbox_dead(f->self, seq, &ann, ARVO_STR("x"), &f->err));
    }
    const struct rows rows = claim_rows(f, &ann, 0);
    assert_string_equal(rows.ids, "b1");
    assert_int_equal(rows.rows[0].attempts, 0);
    retry(f, "b1", &bob, 0);
    bury(f, "b1", &bob);
    assert_claims(f, &bob, "");
    assert_dead(f, "");
    assert_status(f, ARVO_OK, f->ops->outbox_release(f->self, &ann, &f->err));
    bury(f, "b1", &ann); /* given back: hers no more */
    assert_dead(f, "");
}

static void
test_store__errors_are_kept_as_one_bounded_line(void **state)
{
    struct fixture *f = begin(state);
    char text[ARVO_DELIVERY_ERROR_MAX + 101]; /* odd */
    const struct {
        arvo_str given, kept;
    } cases[] = {
        { ARVO_STR("short"), ARVO_STR("short") },
        { ARVO_STR(""), ARVO_STR("") },
        { ARVO_STR_NONE, ARVO_STR("") },
        { ARVO_STR("two\nlines\t\xff and \0 nul"), ARVO_STR("two lines ? and   nul") },
    };
    produce(f, "a1");
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        assert_claims(f, &ann, "a1");
        assert_status(
            f, ARVO_OK,
            f->ops->outbox_retry(f->self, seq_of(f, "a1"), &ann, 0, cases[i].given, &f->err));
        const struct rows rows = claim_rows(f, &ann, 0);
        assert_string_equal(rows.ids, "a1");
        assert_int_equal(rows.rows[0].attempts, i + 1);
        assert_str(rows.rows[0].error, cases[i].kept);
        assert_status(f, ARVO_OK, f->ops->outbox_release(f->self, &ann, &f->err));
    }

    /* The limit falls into the middle of a character. */
    text[0] = 'x';
    for (size_t i = 1; i < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    assert_claims(f, &ann, "a1");
    assert_status(
        f, ARVO_OK,
        f->ops->outbox_dead(
            f->self, seq_of(f, "a1"), &ann, (arvo_str){ text, sizeof(text) }, &f->err));
    assert_str(dead_rows(f, 0, 0).rows[0].error, (arvo_str){ text, ARVO_DELIVERY_ERROR_MAX - 1 });
}

/* ---- Dead letters -------------------------------------------------------- */

static void
test_store__dead_letter_is_out_of_the_way(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 a2 b1");
    assert_claims(f, &ann, "a1 a2 b1");
    const struct seen before = outbox(f, 0, 0);
    retry(f, "a1", &ann, 0);
    assert_claims(f, &ann, "a1 a2");
    bury(f, "a1", &ann);
    assert_claims(f, &bob, "a2"); /* ann's claim on it went with a1's */

    const struct rows dead = dead_rows(f, 0, 0);
    assert_string_equal(dead.ids, "a1");
    assert_event(&dead.rows[0].event, &before.rows[0]);
    assert_str(dead.rows[0].event.subject, ARVO_STR("a"));
    assert_int_equal(dead.rows[0].event.seq, before.rows[0].seq);
    assert_int_equal(dead.rows[0].event.direction, ARVO_PRODUCED);
    assert_int_equal(dead.rows[0].attempts, 2);
    assert_str(dead.rows[0].error, ARVO_STR("refused"));
    if (!f->factory->ignores_clock)
        assert_int_equal(dead.rows[0].due_ms, START_MS);
    else
        assert_true(dead.rows[0].due_ms >= dead.rows[0].event.time_ms);
    assert_int_equal(outbox(f, 0, 0).count, 2);

    const arvo_commit commit = { .subject = ARVO_STR("x"), .outbox_done = before.rows[0].seq };
    assert_status(f, ARVO_E_EXISTS, f->ops->commit(f->self, &commit, 1, &f->err));
    assert_dead(f, "a1");
    assert_status(f, ARVO_OK, f->ops->outbox_done(f->self, before.rows[0].seq, &f->err));
    assert_dead(f, "a1"); /* a person decides (I9) */
}

static void
test_store__dead_letters_are_listed_by_seq(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 b1 c1 d1 e1");
    assert_claims(f, &ann, "a1 b1 c1 d1 e1");
    bury(f, "d1", &ann);
    bury(f, "a1", &ann);
    bury(f, "c1", &ann);
    bury(f, "b1", &ann);
    assert_dead(f, "a1 b1 c1 d1");
    const struct rows all = dead_rows(f, 0, 0);
    assert_string_equal(dead_rows(f, 0, 3).ids, "a1 b1 c1");
    assert_string_equal(dead_rows(f, all.rows[1].event.seq, 1).ids, "c1");
    assert_string_equal(dead_rows(f, all.rows[3].event.seq, 0).ids, "");
    struct rows stopped = { .f = f, .max = 2 };
    assert_status(f, ARVO_OK, f->ops->dead_list(f->self, 0, 0, see_row, &stopped, &f->err));
    assert_string_equal(stopped.ids, "a1 b1");
}

static void
test_store__dead_letter_retried_is_as_new_and_in_its_place(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 a2 a3");
    assert_claims(f, &ann, "a1 a2 a3");
    const int64_t first = seq_of(f, "a1"), second = seq_of(f, "a2");
    bury(f, "a1", &ann);
    assert_string_equal(claim_rows(f, &ann, 1).ids, "a2");
    bury(f, "a2", &ann);
    assert_status(f, ARVO_OK, f->ops->dead_retry(f->self, second, &f->err));
    assert_status(f, ARVO_OK, f->ops->dead_retry(f->self, first, &f->err));
    assert_dead(f, "");
    assert_int_equal(outbox(f, 0, 0).count, 3);
    assert_int_equal(seq_of(f, "a1"), first);
    const struct rows rows = claim_rows(f, &bob, 0);
    assert_string_equal(rows.ids, "a1 a2 a3");
    for (size_t i = 0; i < rows.count; i++) {
        assert_int_equal(rows.rows[i].attempts, 0);
        assert_int_equal(rows.rows[i].due_ms, 0);
        assert_null(rows.rows[i].error.ptr);
    }
    assert_status(f, ARVO_E_NOT_FOUND, f->ops->dead_retry(f->self, first, &f->err));
    assert_status(f, ARVO_E_NOT_FOUND, f->ops->dead_drop(f->self, first, &f->err));
}

/* Behind a retried dead letter, later rows may be claimed already: it holds up only the rest. */
static void
test_store__dead_letter_retried_in_front_of_a_claimed_row(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 a2 a3");
    assert_string_equal(claim_rows(f, &ann, 1).ids, "a1");
    const int64_t first = seq_of(f, "a1");
    bury(f, "a1", &ann);
    assert_string_equal(claim_rows(f, &ann, 1).ids, "a2");
    assert_status(f, ARVO_OK, f->ops->dead_retry(f->self, first, &f->err));
    assert_claims(f, &bob, "a1"); /* a2 is ann's, a3 behind it */
    done(f, "a2");
    assert_claims(f, &bob, "");
    done(f, "a1");
    assert_claims(f, &bob, "a3");
}

static void
test_store__dropped_dead_letter_stays_in_the_history(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 a2");
    assert_claims(f, &ann, "a1 a2");
    const int64_t seq = seq_of(f, "a1");
    assert_status(f, ARVO_E_NOT_FOUND, f->ops->dead_drop(f->self, seq, &f->err)); /* not dead yet */
    assert_status(f, ARVO_E_NOT_FOUND, f->ops->dead_retry(f->self, seq, &f->err));
    bury(f, "a1", &ann);
    assert_status(f, ARVO_OK, f->ops->dead_drop(f->self, seq, &f->err));
    assert_dead(f, "");
    assert_int_equal(outbox(f, 0, 0).count, 1);
    assert_status(f, ARVO_E_NOT_FOUND, f->ops->dead_drop(f->self, seq, &f->err));
    if (f->ops->history != NULL && !f->factory->keeps_no_history)
        assert_int_equal(history(f, ARVO_STR("a")).count, 2);
}

/* ---- Done in the consumer's commit ----------------------------------------- */

static void
test_store__commit_ends_a_claimed_row(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 a2");
    assert_string_equal(claim_rows(f, &ann, 1).ids, "a1");
    const int64_t seq = seq_of(f, "a1");
    const arvo_stored_event in = store_event("a1"), reply = store_event("x1");
    arvo_commit commit = { .subject = ARVO_STR("x"),
                           .consumed = &in,
                           .produced = &reply,
                           .produced_count = 1,
                           .outbox_done = seq };
    assert_status(f, ARVO_OK, f->ops->commit(f->self, &commit, 1, &f->err));
    assert_claims(f, &bob, "a2 x1");
    retry(f, "a2", &ann, 0); /* not hers */
    assert_status(
        f, ARVO_OK, f->ops->outbox_retry(f->self, seq, &ann, 0, ARVO_STR("late"), &f->err));
    assert_int_equal(outbox(f, 0, 0).count, 2);
    commit.subject = ARVO_STR("y");
    assert_status(f, ARVO_E_EXISTS, f->ops->commit(f->self, &commit, 1, &f->err));
    assert_int_equal(outbox(f, 0, 0).count, 2);
}

static void
test_store__batch_ends_a_row_once(void **state)
{
    struct fixture *f = begin(state);
    produce(f, "a1 b1");
    const arvo_stored_event x1 = store_event("x1"), y1 = store_event("y1");
    arvo_commit commits[] = { { .subject = ARVO_STR("x"),
                                .produced = &x1,
                                .produced_count = 1,
                                .outbox_done = seq_of(f, "a1") },
                              { .subject = ARVO_STR("y"),
                                .produced = &y1,
                                .produced_count = 1,
                                .outbox_done = seq_of(f, "a1") } };
    assert_status(f, ARVO_E_INVALID, f->ops->commit(f->self, commits, 2, &f->err));
    assert_int_equal(outbox(f, 0, 0).count, 2); /* nothing happened */
    commits[1].outbox_done = seq_of(f, "b1");
    assert_status(f, ARVO_OK, f->ops->commit(f->self, commits, 2, &f->err));
    assert_claims(f, &bob, "x1 y1");
}

/* ---- Waiting ------------------------------------------------------------ */

static void
test_store__wait_ends_when_there_is_something_or_time_is_over(void **state)
{
    struct fixture *f = begin(state);
    assert_status(f, ARVO_OK, f->ops->outbox_wait(f->self, 20, &f->err)); /* nothing comes */
    assert_status(f, ARVO_OK, f->ops->outbox_wait(f->self, 0, &f->err));
    assert_status(f, ARVO_OK, f->ops->outbox_wait(f->self, -1, &f->err));
    produce(f, "a1");
    /* An hour: the test would not end if it waited. */
    assert_status(f, ARVO_OK, f->ops->outbox_wait(f->self, 3600000, &f->err));
    assert_claims(f, &ann, "a1");
    assert_status(f, ARVO_OK, f->ops->outbox_wait(f->self, 20, &f->err));
    retry(f, "a1", &ann, 0);
    assert_status(f, ARVO_OK, f->ops->outbox_wait(f->self, 3600000, &f->err));
}

struct long_wait {
    struct fixture *f;
    arvo_status status;
    atomic_bool is_over;
};

static void *
wait_long(void *arg)
{
    struct long_wait *wait = arg;
    wait->status = wait->f->ops->outbox_wait(wait->f->self, INT64_MAX, NULL);
    atomic_store(&wait->is_over, true);
    return NULL;
}

static void
test_store__wait_ends_with_a_commit_beside_it(void **state)
{
    struct fixture *f = begin(state);
    struct long_wait wait = { .f = f };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_long, &wait), 0);
    const struct timespec pause = { .tv_nsec = 50000000 }; /* it waits by then, as a rule */
    (void)nanosleep(&pause, NULL);
    assert_false(atomic_load(&wait.is_over));
    produce(f, "a1");
    (void)pthread_join(thread, NULL);
    assert_int_equal(wait.status, ARVO_OK);
}

/* ---- Threads --------------------------------------------------------------- */

#define CREW_THREADS  4
#define CREW_SUBJECTS 20
#define CREW_ROWS     15 /* of each */

struct crew {
    struct fixture *f;
    atomic_int failures;
    atomic_int delivered[CREW_SUBJECTS]; /* the rows of a subject come in order, each once */
};

struct crew_member {
    struct crew *crew;
    int64_t seqs[16];
    size_t count;
    char name;
    pthread_t thread;
};

/* The id says which subject and which row: "sNN-MM". */
static bool
crew_take(void *user, const arvo_outbox_row *row)
{
    struct crew_member *me = user;
    const char *id = row->event.id.ptr;
    const int subject = (id[1] - '0') * 10 + (id[2] - '0');
    const int number = (id[4] - '0') * 10 + (id[5] - '0');
    if (atomic_fetch_add(&me->crew->delivered[subject], 1) != number)
        atomic_fetch_add(&me->crew->failures, 1);
    me->seqs[me->count++] = row->event.seq;
    return true;
}

static void *
crew_work(void *arg)
{
    struct crew_member *me = arg;
    struct fixture *f = me->crew->f;
    arvo_claim claim = { .ttl_ms = 600000, .limit = ARVO_COUNT_OF(me->seqs) };
    claim.token[0] = (uint8_t)me->name;
    for (;;) {
        me->count = 0;
        if (f->ops->outbox_claim(f->self, &claim, crew_take, me, NULL) != ARVO_OK)
            atomic_fetch_add(&me->crew->failures, 1);
        if (me->count == 0) {
            int left = 0;
            for (size_t i = 0; i < CREW_SUBJECTS; i++)
                left += CREW_ROWS - atomic_load(&me->crew->delivered[i]);
            if (left <= 0 || atomic_load(&me->crew->failures) > 0)
                return NULL;
            (void)f->ops->outbox_wait(f->self, 5, NULL);
        }
        for (size_t i = 0; i < me->count; i++) {
            if (f->ops->outbox_done(f->self, me->seqs[i], NULL) != ARVO_OK)
                atomic_fetch_add(&me->crew->failures, 1);
        }
    }
}

static void
test_store__claimers_never_share_a_row_and_keep_the_order(void **state)
{
    struct fixture *f = begin(state);
    struct crew crew = { .f = f };
    struct crew_member members[CREW_THREADS];
    for (size_t row = 0; row < CREW_ROWS; row++) {
        for (size_t subject = 0; subject < CREW_SUBJECTS; subject++) {
            arvo_stored_event event = store_event("");
            event.id = arvo_arena_printf(f->arena, "s%02zu-%02zu", subject, row);
            const arvo_commit commit = { .subject = subject_at(f, "crew", subject),
                                         .produced = &event,
                                         .produced_count = 1 };
            assert_status(f, ARVO_OK, f->ops->commit(f->self, &commit, 1, &f->err));
        }
    }
    for (int i = 0; i < CREW_THREADS; i++) {
        members[i] = (struct crew_member){ .crew = &crew, .name = (char)('1' + i) };
        assert_int_equal(pthread_create(&members[i].thread, NULL, crew_work, &members[i]), 0);
    }
    for (int i = 0; i < CREW_THREADS; i++)
        (void)pthread_join(members[i].thread, NULL);
    assert_int_equal(crew.failures, 0);
    for (size_t i = 0; i < CREW_SUBJECTS; i++)
        assert_int_equal(crew.delivered[i], CREW_ROWS);
    assert_int_equal(outbox(f, 0, 0).count, 0);
}

/* ---- All --------------------------------------------------------------- */

const struct CMUnitTest store_delivery_tests[] = {
    CASE(claim_takes_the_oldest_rows_of_all_subjects),
    CASE(claimed_rows_hold_up_their_subject_only),
    CASE(claims_end_by_the_stores_clock),
    CASE(overdue_attempt_counts_until_somebody_takes_the_row),
    CASE(release_gives_back_ones_own_claims),
    CASE(claims_are_bounded),
    CASE(longest_claim_and_delay_are_bounded),
    CASE(claim_that_is_stopped_keeps_its_rows),
    CASE(claimed_rows_may_be_done_while_they_are_shown),
    CASE(retry_holds_back_later_rows_of_its_subject_only),
    CASE(retry_lets_go_of_what_is_behind_it),
    CASE(retry_of_what_is_not_ones_own_does_nothing),
    CASE(errors_are_kept_as_one_bounded_line),
    CASE(dead_letter_is_out_of_the_way),
    CASE(dead_letters_are_listed_by_seq),
    CASE(dead_letter_retried_is_as_new_and_in_its_place),
    CASE(dead_letter_retried_in_front_of_a_claimed_row),
    CASE(dropped_dead_letter_stays_in_the_history),
    CASE(commit_ends_a_claimed_row),
    CASE(batch_ends_a_row_once),
    CASE(wait_ends_when_there_is_something_or_time_is_over),
    CASE(wait_ends_with_a_commit_beside_it),
    CASE(claimers_never_share_a_row_and_keep_the_order),
};

const size_t store_delivery_test_count = ARVO_COUNT_OF(store_delivery_tests);
