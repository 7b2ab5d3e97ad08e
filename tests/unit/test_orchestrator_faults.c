/* What an orchestrator does when others fail it: stores, engines, memory. Every lock is given back,
 * nothing is done by halves, and a result is the caller's alone. */

#include <arvo/metrics.h>

#include "orchestrator_fixture.h"

/* ---- A store that fails ----------------------------------------------------------- */

/* Which call fails next, once, in front of a memory: store. */
typedef enum fault {
    FAULT_NONE,
    FAULT_READ,
    FAULT_INBOX,
    FAULT_COMMIT,
    FAULT_STALE,     /* commit: the lease is lost */
    FAULT_REPLY,     /* commit: it is done, and then said to be done by someone else */
    FAULT_REPLY_ROW, /* the same, and the inbox knows nothing of it */
    FAULT_DONE
} fault;

typedef struct faulty {
    arvo_memory *inner;
    const arvo_memory_ops *ops;
    void *self;
    fault fault;
    bool hides_inbox;
    unsigned locks, unlocks, dones;
    int64_t done_seq;
} faulty;

static bool
faulty_now(faulty *store, fault which, arvo_error *err)
{
    if (store->fault != which)
        return false;
    store->fault = FAULT_NONE;
    (void)arvo_error_set(err, ARVO_E_IO, ARVO_NO_OFFSET, "failed on purpose");
    return true;
}

static arvo_status
faulty_read(
    void *self, arvo_str subject, arvo_arena *arena, bool *found, arvo_record *out, arvo_error *err)
{
    faulty *store = self;
    if (faulty_now(store, FAULT_READ, err))
        return ARVO_E_IO;
    return store->ops->read(store->self, subject, arena, found, out, err);
}

static arvo_status
faulty_write(
    void *self, arvo_str subject, const arvo_record *record, const arvo_record *previous,
    const arvo_lease *lease, arvo_error *err)
{
    faulty *store = self;
    return store->ops->write(store->self, subject, record, previous, lease, err);
}

static arvo_status
faulty_lock(
    void *self, arvo_str subject, int64_t ttl_ms, int64_t wait_ms, bool *acquired, arvo_lease *out,
    arvo_error *err)
{
    faulty *store = self;
    store->locks++;
    return store->ops->lock(store->self, subject, ttl_ms, wait_ms, acquired, out, err);
}

static arvo_status
faulty_unlock(void *self, arvo_str subject, const arvo_lease *lease, arvo_error *err)
{
    faulty *store = self;
    store->unlocks++;
    return store->ops->unlock(store->self, subject, lease, err);
}

static arvo_status
faulty_commit(void *self, const arvo_commit *commits, size_t count, arvo_error *err)
{
    faulty *store = self;
    if (faulty_now(store, FAULT_COMMIT, err))
        return ARVO_E_IO;
    if (faulty_now(store, FAULT_STALE, err))
        return ARVO_E_STALE;
    const bool hides = store->fault == FAULT_REPLY_ROW;
    const bool was_first = hides || store->fault == FAULT_REPLY;
    arvo_commit commit = commits[0];
    if (was_first) {
        commit.release = false;
        commit.outbox_done = 0;
    }
    const arvo_status st = store->ops->commit(store->self, &commit, count, err);
    if (st != ARVO_OK || !was_first) {
        store->unlocks += st == ARVO_OK && commits[0].release;
        return st;
    }
    store->fault = FAULT_NONE;
    store->hides_inbox = hides;
    return arvo_error_set(err, ARVO_E_EXISTS, ARVO_NO_OFFSET, "consumed already");
}

static arvo_status
faulty_inbox(
    void *self, arvo_str subject, arvo_str source, arvo_str id, bool *found,
    arvo_stored_event_fn each, void *user, arvo_error *err)
{
    faulty *store = self;
    if (faulty_now(store, FAULT_INBOX, err))
        return ARVO_E_IO;
    if (store->hides_inbox) {
        *found = false;
        return ARVO_OK;
    }
    return store->ops->inbox_find(store->self, subject, source, id, found, each, user, err);
}

static arvo_status
faulty_outbox_list(
    void *self, int64_t after, size_t limit, arvo_stored_event_fn each, void *user, arvo_error *err)
{
    faulty *store = self;
    return store->ops->outbox_list(store->self, after, limit, each, user, err);
}

static arvo_status
faulty_outbox_done(void *self, int64_t seq, arvo_error *err)
{
    faulty *store = self;
    if (faulty_now(store, FAULT_DONE, err))
        return ARVO_E_IO;
    store->dones++;
    store->done_seq = seq;
    return ARVO_OK;
}

static const arvo_memory_ops faulty_ops = { .version = ARVO_MEMORY_OPS_VERSION,
                                            .name = "faulty",
                                            .read = faulty_read,
                                            .write = faulty_write,
                                            .lock = faulty_lock,
                                            .unlock = faulty_unlock,
                                            .commit = faulty_commit,
                                            .inbox_find = faulty_inbox,
                                            .outbox_list = faulty_outbox_list,
                                            .outbox_done = faulty_outbox_done };

/* The fixture's own memory is the faulty one; `inner` holds what is stored. */
static void
faulty_open_with(faulty *store, fixture *f, const arvo_telemetry *telemetry)
{
    arvo_error err;
    arvo_memory *memory;
    *store = (faulty){ 0 };
    assert_ok(arvo_memory_open("memory:", &store->inner, &err), err);
    store->ops = arvo_memory_ops_of(store->inner);
    store->self = arvo_memory_self(store->inner);
    assert_ok(arvo_memory_new(&faulty_ops, store, &memory, &err), err);
    fixture_open_with(
        f,
        (arvo_orchestrator_opts){ .memory = memory, .lock_wait_ms = -1, .telemetry = telemetry });
    f->memory = memory;
}

static void
faulty_open(faulty *store, fixture *f)
{
    faulty_open_with(store, f, NULL);
}

static void
faulty_close(faulty *store, fixture *f)
{
    fixture_close(f);
    arvo_memory_close(store->inner);
}

/* ---- Locks --------------------------------------------------------------------------- */

static void
test_orchestrator_faults__every_failure_gives_the_lock_back(void **state)
{
    (void)state;
    static const struct {
        fault fault;
        arvo_status status;
        bool on_start, delivered_before;
    } cases[] = {
        { FAULT_READ, ARVO_E_READ_FAILED, true, false },
        { FAULT_READ, ARVO_E_READ_FAILED, false, false },
        { FAULT_INBOX, ARVO_E_READ_FAILED, false, false },
        { FAULT_COMMIT, ARVO_E_WRITE_FAILED, true, false },
        { FAULT_COMMIT, ARVO_E_WRITE_FAILED, false, false },
        { FAULT_STALE, ARVO_E_WRITE_FAILED, false, false },
        { FAULT_DONE, ARVO_E_WRITE_FAILED, false, true }, /* only the row was left to mark */
    };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        fixture f;
        faulty store;
        faulty_open(&store, &f);
        const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
        arvo_event event = fixture_start(&f, subject, "plain");
        if (!cases[i].on_start) {
            assert_ok(fixture_execute(&f, &event), f.err);
            event = fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
        }
        if (cases[i].delivered_before)
            assert_ok(fixture_execute(&f, &event), f.err);

        store.fault = cases[i].fault;
        arvo_result untouched;
        memset(&untouched, 0x5a, sizeof(untouched));
        memset(&f.result, 0x5a, sizeof(f.result));
        assert_int_equal(
            arvo_orchestrator_execute_from(f.orchestrator, &event, 7, f.arena, &f.result, &f.err),
            cases[i].status);
        assert_memory_equal(&f.result, &untouched, sizeof(untouched));
        assert_non_null(strstr(f.err.text, "failed on purpose"));
        assert_non_null(strstr(f.err.text, "event "));
        assert_int_equal(store.locks, store.unlocks);

        /* Nothing has changed: the same event again does what it would have done. (The row of the
         * outbox is not the inner store's.) */
        assert_ok(fixture_execute(&f, &event), f.err);
        assert_int_equal(
            f.result.outcome,
            cases[i].delivered_before ? ARVO_OUTCOME_DUPLICATE : ARVO_OUTCOME_EXECUTED);
        assert_int_equal(store.locks, store.unlocks);
        faulty_close(&store, &f);
    }
}

static void
test_orchestrator_faults__a_lost_lease_is_counted(void **state)
{
    (void)state;
    static const struct {
        fault fault;
        bool is_lost;
    } cases[] = { { FAULT_STALE, true }, { FAULT_COMMIT, false } };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        fixture f;
        faulty store;
        arvo_metrics *metrics = arvo_metrics_new(NULL);
        faulty_open_with(&store, &f, arvo_metrics_telemetry(metrics));
        const arvo_event start =
            fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "plain");
        store.fault = cases[i].fault;
        assert_int_equal(fixture_execute(&f, &start), ARVO_E_WRITE_FAILED);
        arvo_buf text = ARVO_BUF_INIT(100000);
        arvo_metrics_write(metrics, ARVO_METRICS_PROMETHEUS, &text);
        arvo_buf_append_char(&text, '\0');
        assert_int_equal(
            strstr(text.ptr, "\narvo_leases_lost_total{handler=\"arvo.orc.order\"} 1\n") != NULL,
            cases[i].is_lost);
        arvo_buf_fini(&text);
        faulty_close(&store, &f);
        arvo_metrics_free(metrics);
    }
}

/* ---- Somebody else was first ------------------------------------------------------------- */

static void
test_orchestrator_faults__the_outcome_of_whoever_was_first_is_the_answer(void **state)
{
    (void)state;
    for (int knows = 0; knows < 2; knows++) {
        fixture f;
        faulty store;
        faulty_open(&store, &f);
        const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
        const arvo_event start = fixture_start(&f, subject, "plain");
        assert_ok(fixture_execute(&f, &start), f.err);
        const arvo_event reply =
            fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
        store.fault = knows ? FAULT_REPLY : FAULT_REPLY_ROW;
        assert_ok(
            arvo_orchestrator_execute_from(f.orchestrator, &reply, 7, f.arena, &f.result, &f.err),
            f.err);
        assert_int_equal(f.result.outcome, ARVO_OUTCOME_DUPLICATE);
        assert_int_equal(f.result.all.count, knows ? 1 : 0);
        assert_int_equal(f.result.domain_count, knows ? 1 : 0);
        assert_int_equal(f.result.events.count, knows ? 1 : 0);
        /* What the other one left, and not what was read before it wrote. */
        assert_str_is(f.result.status, "done");
        assert_str_is(f.result.value, "\"done\"");
        /* The row of the outbox is done, whoever was first. */
        assert_int_equal(store.dones, 1);
        assert_int_equal(store.done_seq, 7);
        assert_int_equal(store.locks, store.unlocks);
        faulty_close(&store, &f);
    }
}

/* ---- Engines ------------------------------------------------------------------------------ */

typedef struct engine_answer {
    arvo_status status;
    arvo_str name, message;
} engine_answer;

static arvo_status
engine_execute(
    void *self, const arvo_machine *machine, const arvo_machine_input *input, arvo_arena *arena,
    arvo_machine_output *out, arvo_error *err)
{
    (void)machine;
    (void)input;
    (void)arena;
    const engine_answer *answer = self;
    *out = (arvo_machine_output){ .error_name = answer->name, .error_message = answer->message };
    return arvo_error_set(err, answer->status, ARVO_NO_OFFSET, "the engine says no");
}

/* The system error that `answer` becomes, read back as a store would read it. */
static arvo_event
engine_error(fixture *f, const engine_answer *answer)
{
    const arvo_engine engine = { .version = ARVO_ENGINE_OPS_VERSION,
                                 .execute = engine_execute,
                                 .self = (void *)(uintptr_t)answer };
    fixture_open_with(f, (arvo_orchestrator_opts){ .engine = &engine });
    const arvo_event start =
        fixture_start(f, fixture_subject(f, "arvo.orc.order", "1.0.0", NULL), "plain");
    assert_ok(fixture_execute(f, &start), f->err);
    assert_int_equal(f->result.outcome, ARVO_OUTCOME_FAILED);
    assert_int_equal(f->result.all.count, 1);
    arvo_event event;
    assert_ok(arvo_event_parse(f->result.event_json[0], f->arena, &event, &f->err), f->err);
    assert_str_is(event.type, "sys.arvo.orc.order.error");
    return event;
}

static void
assert_error(const arvo_event *event, const char *name, arvo_str message)
{
    assert_str_is(arvo_json_str(arvo_json_get(event->data, "errorName")), name);
    const arvo_str text = arvo_json_str(arvo_json_get(event->data, "errorMessage"));
    if (!arvo_str_equal(text, message))
        fail_msg("%.*s is not %.*s", ARVO_FMT(text), ARVO_FMT(message));
}

static void
test_orchestrator_faults__any_refusal_of_an_engine_has_a_name(void **state)
{
    (void)state;
    static const struct {
        arvo_status status;
        const char *name;
    } cases[] = { { ARVO_E_EXECUTION, "Error" },
                  { ARVO_E_CONFIG, "ConfigViolation" },
                  { ARVO_E_CONTRACT, "ContractViolation" } };
    for (size_t i = 0; i < ARVO_COUNT_OF(cases); i++) {
        fixture f;
        const engine_answer answer = { .status = cases[i].status };
        const arvo_event event = engine_error(&f, &answer);
        assert_error(&event, cases[i].name, ARVO_STR("the engine says no"));
        fixture_close(&f);
    }
}

/* A message is the workflow's own text: it is neither cut nor, where it is no text, passed on. */
static void
test_orchestrator_faults__error_messages_are_whole_and_valid(void **state)
{
    (void)state;
    char text[4001];
    text[0] = 'a'; /* so that no power of two cuts between characters */
    for (size_t i = 1; i < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    fixture f;
    engine_answer answer = { .status = ARVO_E_EXECUTION,
                             .name = ARVO_STR("Long"),
                             .message = { text, sizeof(text) } };
    arvo_event event = engine_error(&f, &answer);
    assert_error(&event, "Long", answer.message);
    fixture_close(&f);

    answer.name = ARVO_STR("B\xc3");
    answer.message = ARVO_STR("half \xc3");
    event = engine_error(&f, &answer);
    assert_error(&event, "B\\xc3", ARVO_STR("half \\xc3"));
    fixture_close(&f);
}

/* ---- Registries --------------------------------------------------------------------------- */

typedef struct registry_answer {
    arvo_status status;
    const arvo_machine *machine;
    char asked[64];
} registry_answer;

static arvo_status
registry_resolve(
    void *self, arvo_str name, arvo_str version, const arvo_machine **out, arvo_error *err)
{
    registry_answer *answer = self;
    (void)snprintf(
        answer->asked, sizeof(answer->asked), "%.*s@%.*s", ARVO_FMT(name), ARVO_FMT(version));
    *out = answer->machine;
    return answer->status != ARVO_OK
               ? arvo_error_set(err, answer->status, ARVO_NO_OFFSET, "the registry says no")
               : ARVO_OK;
}

static void
test_orchestrator_faults__a_registry_of_ones_own(void **state)
{
    (void)state;
    registry_answer answer = { .status = ARVO_OK };
    const arvo_registry registry = { .version = ARVO_REGISTRY_OPS_VERSION,
                                     .resolve = registry_resolve,
                                     .self = &answer };
    fixture f;
    fixture_open_with(&f, (arvo_orchestrator_opts){ .registry = &registry });
    const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "0.0.0", NULL);
    const arvo_event start = fixture_start(&f, subject, "plain");

    answer.status = ARVO_E_NOMEM;
    arvo_record record;
    assert_int_equal(fixture_execute(&f, &start), ARVO_E_NOMEM);
    assert_string_equal(answer.asked, "arvo.orc.order@0.0.0");
    assert_false(fixture_read(&f, subject, &record));

    answer = (registry_answer){ .status = ARVO_OK, .machine = f.machines[0] };
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_EXECUTED);
    assert_str_is(f.result.version, "1.0.0");

    /* The instance keeps its version; a registry that fails is the workflow's error. */
    answer.status = ARVO_E_IO;
    const arvo_event reply =
        fixture_event(&f, "evt.payment.charge.success", subject, "{'paymentId':'p'}");
    assert_ok(fixture_execute(&f, &reply), f.err);
    assert_string_equal(answer.asked, "arvo.orc.order@1.0.0");
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_FAILED);
    assert_str_is(f.result.error_name, "ConfigViolation");
    assert_str_is(f.result.error_message, "the registry failed: the registry says no");
    fixture_close(&f);
}

/* ---- Results ------------------------------------------------------------------------------- */

/* Frees by overwriting, so that whoever still reads sees it. */
static void
free_overwriting(void *self, void *ptr, size_t size)
{
    memset(ptr, 'Z', size);
    support_free(self, ptr, size);
}

static void
test_orchestrator_faults__a_result_outlives_the_caches(void **state)
{
    (void)state;
    fixture f;
    support_allocator heap = support_allocator_fail_at(0);
    arvo_allocator allocator = support_allocator_ops(&heap);
    allocator.free = free_overwriting;
    fixture_open_with(&f, (arvo_orchestrator_opts){ .allocator = &allocator });
    const arvo_event start =
        fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "7.6.5", NULL), "plain");
    assert_ok(fixture_execute(&f, &start), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_FAILED);
    arvo_orchestrator_free(f.orchestrator);
    f.orchestrator = NULL;
    assert_int_equal(heap.live, 0);
    assert_str_is(f.result.version, "7.6.5"); /* no machine has it: it is the subject's */
    assert_str_is(f.result.status, "error");
    assert_str_is(f.result.error_name, "ConfigViolation");
    assert_str_is(f.result.all.items[0]->to, CLIENT);
    fixture_close(&f);
}

/* Behind the commit nothing may fail: who is told that nothing changed would not ask for the
 * events again. */
static void
test_orchestrator_faults__out_of_memory_comes_before_the_commit(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    size_t failures = 0;
    for (size_t bytes = 2048;; bytes += 64) {
        const arvo_str subject = fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL);
        const arvo_event start = fixture_start(&f, subject, "domains");
        arvo_arena *arena =
            arvo_arena_new(&(arvo_arena_opts){ .chunk_bytes = 64, .bytes_max = bytes });
        assert_non_null(arena);
        arvo_result result;
        const arvo_status st =
            arvo_orchestrator_execute(f.orchestrator, &start, arena, &result, &f.err);
        arvo_record record;
        assert_int_equal(fixture_read(&f, subject, &record), st == ARVO_OK);
        arvo_arena_free(arena);
        if (st == ARVO_OK)
            break;
        assert_int_equal(st, ARVO_E_NOMEM);
        failures++;
    }
    assert_true(failures > 10);
    fixture_close(&f);
}

/* A failure that is delivered again is still one. */
static void
test_orchestrator_faults__a_duplicate_of_a_failure_says_so(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f);
    const arvo_event bad =
        fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "badcall");
    assert_ok(fixture_execute(&f, &bad), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_FAILED);
    const arvo_str name = f.result.error_name, message = f.result.error_message;
    assert_ok(fixture_execute(&f, &bad), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_DUPLICATE);
    assert_true(arvo_str_equal(f.result.error_name, name));
    assert_true(arvo_str_equal(f.result.error_message, message));

    const arvo_event good =
        fixture_start(&f, fixture_subject(&f, "arvo.orc.order", "1.0.0", NULL), "plain");
    assert_ok(fixture_execute(&f, &good), f.err);
    assert_ok(fixture_execute(&f, &good), f.err);
    assert_int_equal(f.result.outcome, ARVO_OUTCOME_DUPLICATE);
    assert_null(f.result.error_name.ptr);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orchestrator_faults__every_failure_gives_the_lock_back),
        cmocka_unit_test(test_orchestrator_faults__a_lost_lease_is_counted),
        cmocka_unit_test(test_orchestrator_faults__the_outcome_of_whoever_was_first_is_the_answer),
        cmocka_unit_test(test_orchestrator_faults__any_refusal_of_an_engine_has_a_name),
        cmocka_unit_test(test_orchestrator_faults__error_messages_are_whole_and_valid),
        cmocka_unit_test(test_orchestrator_faults__a_registry_of_ones_own),
        cmocka_unit_test(test_orchestrator_faults__a_result_outlives_the_caches),
        cmocka_unit_test(test_orchestrator_faults__out_of_memory_comes_before_the_commit),
        cmocka_unit_test(test_orchestrator_faults__a_duplicate_of_a_failure_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
