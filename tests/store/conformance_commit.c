/* The conformance suite: commits, inbox, outbox, history and listing. */

#include "conformance_internal.h"

#include <stdio.h>

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

const struct CMUnitTest store_commit_tests[] = {
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

const size_t store_commit_test_count = ARVO_COUNT_OF(store_commit_tests);
