/* A handler in C, a mock, and a broker that writes down what it shows: what the tests of handlers
 * and brokers share. */
#ifndef ARVO_TESTS_BROKER_FIXTURE_H
#define ARVO_TESTS_BROKER_FIXTURE_H

#include "orchestrator_fixture.h"

#include <arvo/broker.h>

/* ---- What the broker shows -------------------------------------------------- */

#define SEEN_MAX 64

typedef struct seen {
    char types[SEEN_MAX][64];
    arvo_handled_by by[SEEN_MAX];
    uint32_t depths[SEEN_MAX];
    arvo_status statuses[SEEN_MAX];
    size_t count;
    size_t stop_after; /* 0: never */
} seen;

static inline bool
see(void *user, const arvo_delivery *delivery)
{
    seen *s = user;
    assert_true(s->count < SEEN_MAX);
    (void)snprintf(
        s->types[s->count], sizeof(s->types[0]), "%.*s", ARVO_FMT(delivery->event->type));
    s->by[s->count] = delivery->handled_by;
    s->depths[s->count] = delivery->depth;
    s->statuses[s->count] = delivery->status;
    s->count++;
    return s->stop_after == 0 || s->count < s->stop_after;
}

static inline void
assert_seen(const seen *s, const char *const *types, size_t count)
{
    assert_int_equal(s->count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(s->types[i], types[i]);
}

/* ---- A handler in C ----------------------------------------------------------- */

static inline bool
charge(const arvo_handling *handling)
{
    const char *behaviour = handling->user;
    arvo_arena *arena = handling->arena;
    /* Normalised: the contract's default is there. */
    assert_str_is(arvo_json_str(arvo_json_get(handling->event->data, "currency")), "EUR");
    if (strcmp(behaviour, "fail") == 0)
        return arvo_handling_fail(handling, ARVO_STR("Declined"), ARVO_STR("no money"));
    arvo_json *data = arvo_json_object_new(arena);
    if (strcmp(behaviour, "bad") != 0)
        arvo_json_set(arena, data, ARVO_STR("paymentId"), arvo_json_string(arena, ARVO_STR("p")));
    const arvo_event answer = { .type = ARVO_STR("evt.payment.charge.success"), .data = data };
    arvo_handling_emit(handling, &answer);
    return true;
}

static inline arvo_handler *
open_handler(fixture *f, const char *behaviour)
{
    static const arvo_handler_version versions[] = { { "1.0.0", charge }, { 0 } };
    arvo_handler *handler = NULL;
    const arvo_handler_opts opts = { .contracts = f->contracts,
                                     .contract_uri = "#/services/payment",
                                     .versions = versions,
                                     .user = (void *)(uintptr_t)behaviour,
                                     .executionunits = 2 };
    assert_ok(arvo_handler_create(&opts, &handler, &f->err), f->err);
    return handler;
}

static inline arvo_event
request(fixture *f)
{
    arvo_event event = fixture_event(
        f, "com.payment.charge", fixture_subject(f, "arvo.orc.order", "1.0.0", NULL),
        "{'orderId':'o','amount':1}");
    event.accesscontrol = ARVO_STR("abc");
    return event;
}

static inline arvo_status
open_mock(fixture *f, const char *text, arvo_handler **out)
{
    arvo_document_list documents;
    assert_ok(
        arvo_document_parse(
            ARVO_STR("mock.json"), arvo_str_from(fixture_quotes(f->arena, text)), f->arena,
            &documents, &f->err),
        f->err);
    return arvo_handler_create_mock(f->contracts, &documents.items[0], out, &f->err);
}

/* ---- Broker ---------------------------------------------------------------------- */

typedef struct bench {
    fixture f;
    arvo_handler *handler;
    arvo_broker *broker;
    seen seen;
} bench;

/* A broker over what is open already; on_event is set here. */
static inline void
bench_broker(bench *b, arvo_broker_opts opts)
{
    opts.on_event = see;
    opts.user = &b->seen;
    assert_ok(arvo_broker_new(&opts, &b->broker, &b->f.err), b->f.err);
    assert_ok(arvo_broker_add_orchestrator(b->broker, b->f.orchestrator, &b->f.err), b->f.err);
    assert_ok(arvo_broker_add_handler(b->broker, b->handler, &b->f.err), b->f.err);
}

static inline void
bench_open_with(bench *b, const char *behaviour, arvo_broker_opts opts)
{
    *b = (bench){ 0 };
    fixture_open(&b->f);
    b->handler = open_handler(&b->f, behaviour);
    bench_broker(b, opts);
}

static inline void
bench_open(bench *b, bool with_outbox, uint32_t deliveries_max)
{
    bench_open_with(b, "ok", (arvo_broker_opts){ .deliveries_max = deliveries_max });
    if (!with_outbox)
        return;
    arvo_broker_free(b->broker);
    bench_broker(b, (arvo_broker_opts){ .memory = b->f.memory, .deliveries_max = deliveries_max });
}

/* With an outbox and a handler of that behaviour. */
static inline void
bench_open_handler(bench *b, const char *behaviour)
{
    bench_open_with(b, behaviour, (arvo_broker_opts){ 0 });
    arvo_broker_free(b->broker);
    bench_broker(b, (arvo_broker_opts){ .memory = b->f.memory });
}

static inline void
bench_close(bench *b)
{
    arvo_broker_free(b->broker);
    arvo_handler_free(b->handler);
    fixture_close(&b->f);
}

static inline bool
count_row(void *user, const arvo_stored_event *row)
{
    assert_non_null(row->json.ptr);
    ++*(size_t *)user;
    return true;
}

static inline size_t
outbox_count(bench *b)
{
    size_t count = 0;
    const arvo_memory_ops *ops = arvo_memory_ops_of(b->f.memory);
    assert_ok(
        ops->outbox_list(arvo_memory_self(b->f.memory), 0, 100, count_row, &count, &b->f.err),
        b->f.err);
    return count;
}

#endif
