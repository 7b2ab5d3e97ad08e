/* The in-process broker: first in, first out, from the store's outbox when it has one. */

#include <arvo/broker.h>

#include "orchestrator/delivery.h"

#define BROKER_BATCH       64u
#define BROKER_DEPTHS_MAX  100000u
#define BROKER_JSON_MAX    (2 * ARVO_EVENT_BYTES_MAX)
#define BROKER_LOOK_ROWS   1000u
#define BROKER_WAIT_MS     1000
#define BROKER_PATIENCE_MS 200 /* of one wait */
#define BROKER_NOT_TOLD    "the store could not be told what came of a delivery"

/* An event on its way: from the outbox (seq), or from the queue in memory. */
typedef struct broker_item {
    struct broker_item *next;
    size_t size; /* of one in the queue */
    arvo__row row;
    uint32_t depth;  /* of one in the queue */
    bool is_skipped; /* behind one that failed */
} broker_item;

struct arvo_broker {
    const arvo_allocator *allocator;
    arvo_allocator allocator_copy;
    const arvo_memory_ops *store; /* NULL: queue only */
    void *store_self;
    const arvo_platform *platform;
    const arvo_telemetry *telemetry;
    bool (*on_event)(void *user, const arvo_delivery *delivery);
    void *user;
    uint32_t queue_max;
    uint32_t deliveries_max;
    arvo__routes routes;
    bool has_claims; /* the store has */
    arvo_retry retry;
    arvo_claim claim;
    bool waits;
    int64_t patience_ms;
    int64_t patience_left_ms; /* of this publish */
    bool is_retrying;         /* something waits for its next attempt */
    bool is_holding;          /* something is claimed and was not delivered */
    broker_item *queue;       /* first */
    broker_item **queue_end;
    size_t queue_len;
    arvo_arena *arena;  /* of one delivery */
    arvo_arena *batch;  /* of the rows taken from the outbox at a time */
    arvo_arena *depths; /* ids of `depth_of`, for one publish */
    arvo__map depth_of; /* event id -> hops + 1 */
    arvo_buf text;
    uint32_t delivered;
    bool is_busy;       /* publishing or resuming: neither may be called */
    bool is_stopped;    /* on_event said so */
    arvo__map blocked;  /* subjects whose events wait behind one that failed */
    arvo_arena *blocks; /* the keys of `blocked` */
    arvo_status failed; /* the first failure of this publish, and what it was */
    arvo_error failure;
};

/* ---- Life ------------------------------------------------------------------------- */

static bool
broker_init(arvo_broker *broker)
{
    const arvo_arena_opts opts = { .allocator = broker->allocator };
    broker->queue_end = &broker->queue;
    broker->text = ARVO_BUF_INIT(BROKER_JSON_MAX);
    broker->text.allocator = broker->allocator;
    broker->depth_of.allocator = broker->allocator;
    broker->blocked.allocator = broker->allocator;
    broker->routes.allocator = broker->allocator;
    broker->arena = arvo_arena_new(&opts);
    broker->batch = arvo_arena_new(&opts);
    broker->depths = arvo_arena_new(&opts);
    broker->blocks = arvo_arena_new(&opts);
    return broker->arena != NULL && broker->batch != NULL && broker->depths != NULL &&
           broker->blocks != NULL;
}

static arvo_status
broker_open_store(arvo_broker *broker, const arvo_broker_opts *opts, arvo_error *err)
{
    const arvo_platform *platform = broker->platform;
    const arvo_memory_ops *store = arvo_memory_ops_of(opts->memory);
    if (store->outbox_list == NULL)
        return ARVO_OK;
    broker->store = store;
    broker->store_self = arvo_memory_self(opts->memory);
    broker->has_claims = store->outbox_claim != NULL;
    broker->waits = opts->waits;
    broker->patience_ms = opts->patience_ms;
    broker->claim = (arvo_claim){ .ttl_ms = opts->claim_ms, .limit = BROKER_BATCH };
    if (!platform->random(platform->self, broker->claim.token, sizeof(broker->claim.token)))
        return arvo__fail(err, ARVO_E_IO, "the random source failed: no claim can be made");
    return arvo__outbox_open(store, broker->store_self, err);
}

/* What one delivery works with. */
static arvo__carrier
broker_carrier(arvo_broker *broker)
{
    return (arvo__carrier){ .store = broker->store,
                            .platform = broker->platform,
                            .telemetry = broker->telemetry,
                            .store_self = broker->store_self,
                            .arena = broker->arena,
                            .text = &broker->text };
}

arvo_status
arvo_broker_new(const arvo_broker_opts *opts, arvo_broker **out, arvo_error *err)
{
    ARVO_ASSERT(opts != NULL && out != NULL);
    arvo_broker *broker = arvo__calloc(opts->allocator, 1, sizeof(*broker));
    if (broker == NULL)
        return arvo__nomem(err);
    if (opts->allocator != NULL) {
        broker->allocator_copy = *opts->allocator;
        broker->allocator = &broker->allocator_copy;
    }
    broker->platform = opts->platform != NULL ? opts->platform : arvo_platform_system();
    broker->telemetry = opts->telemetry;
    broker->on_event = opts->on_event;
    broker->user = opts->user;
    broker->queue_max = opts->queue_max != 0 ? opts->queue_max : ARVO_BROKER_QUEUE_MAX_DEFAULT;
    broker->deliveries_max =
        opts->deliveries_max != 0 ? opts->deliveries_max : ARVO_BROKER_DELIVERIES_MAX_DEFAULT;
    arvo_status st = broker_init(broker) ? ARVO_OK : arvo__nomem(err);
    if (st == ARVO_OK)
        st = arvo_telemetry_check(opts->telemetry, err);
    if (st == ARVO_OK)
        st = arvo_log_check(broker->platform->log, err);
    if (st == ARVO_OK)
        st = arvo__retry_check(&opts->retry, &broker->retry, err);
    if (st == ARVO_OK && opts->memory != NULL)
        st = broker_open_store(broker, opts, err);
    if (st != ARVO_OK)
        arvo_broker_free(broker);
    else
        *out = broker;
    return st;
}

/* Take out and free the item that `place` holds. */
static void
broker_queue_remove(arvo_broker *broker, broker_item **place)
{
    broker_item *item = *place;
    *place = item->next;
    if (broker->queue_end == &item->next)
        broker->queue_end = place;
    broker->queue_len--;
    arvo__free(broker->allocator, item, item->size);
}

void
arvo_broker_free(arvo_broker *broker)
{
    if (broker == NULL)
        return;
    while (broker->queue != NULL)
        broker_queue_remove(broker, &broker->queue);
    arvo_arena_free(broker->arena);
    arvo_arena_free(broker->batch);
    arvo_arena_free(broker->depths);
    arvo_arena_free(broker->blocks);
    arvo__map_fini(&broker->depth_of);
    arvo__map_fini(&broker->blocked);
    arvo_buf_fini(&broker->text);
    arvo__routes_fini(&broker->routes);
    const arvo_allocator copy = broker->allocator_copy;
    arvo__free(broker->allocator != NULL ? &copy : NULL, broker, sizeof(*broker));
}

/* ---- Addresses ----------------------------------------------------------------------- */

arvo_status
arvo_broker_add_orchestrator(arvo_broker *broker, arvo_orchestrator *orchestrator, arvo_error *err)
{
    const arvo__route route = { .address = arvo_orchestrator_source(orchestrator),
                                .orchestrator = orchestrator };
    return arvo__routes_add(&broker->routes, route, err);
}

arvo_status
arvo_broker_add_handler(arvo_broker *broker, arvo_handler *handler, arvo_error *err)
{
    const arvo__route route = { .address = arvo_handler_type(handler), .handler = handler };
    return arvo__routes_add(&broker->routes, route, err);
}

/* ---- Depths: hops from the first event of a publish -------------------------------------- */

static void
broker_remember_depth(arvo_broker *broker, arvo_str id, uint32_t depth)
{
    if (broker->depth_of.count >= BROKER_DEPTHS_MAX)
        return; /* only for show */
    const arvo_str copy = arvo_arena_str_dup(broker->depths, id);
    if (copy.ptr != NULL)
        (void)arvo__map_set(&broker->depth_of, copy, (void *)((uintptr_t)depth + 1));
}

static uint32_t
broker_depth(const arvo_broker *broker, arvo_str id)
{
    const uintptr_t depth = (uintptr_t)arvo__map_find(&broker->depth_of, id);
    return depth != 0 ? (uint32_t)(depth - 1) : 0;
}

/* ---- The queue in memory ------------------------------------------------------------------ */

/* Events that one delivery made, on their way to the end of the queue. */
typedef struct broker_chain {
    broker_item *first;
    broker_item **end;
    size_t count;
} broker_chain;

static bool
broker_chain_add(
    arvo_broker *broker, broker_chain *chain, const arvo_delivery *made_by, arvo_str json,
    arvo_str domains)
{
    const arvo_str subject = made_by->event->subject;
    const size_t size = sizeof(broker_item) + json.len + domains.len + subject.len;
    broker_item *item = arvo__alloc(broker->allocator, size);
    if (item == NULL)
        return false;
    char *text = (char *)(item + 1);
    *item = (broker_item){ .size = size,
                           .depth = made_by->depth + 1,
                           .row = { .json = { text, json.len },
                                    .domains = { text + json.len, domains.len },
                                    .subject = { text + json.len + domains.len, subject.len } } };
    memcpy(text, json.ptr, json.len);
    memcpy(text + json.len, domains.ptr, domains.len);
    memcpy(text + json.len + domains.len, subject.ptr, subject.len);
    *chain->end = item;
    chain->end = &item->next;
    chain->count++;
    return true;
}

/* All of them or none. The limit of the queue does not matter here: they are made, and what made
 * them will not make them again. */
static arvo_status
broker_enqueue(
    arvo_broker *broker, const arvo_delivery *made_by, const arvo_str *texts,
    const arvo_str *domains, size_t count, arvo_error *err)
{
    broker_chain chain = { .end = &chain.first };
    for (size_t i = 0; i < count; i++)
        if (!broker_chain_add(
                broker, &chain, made_by, texts[i],
                domains != NULL ? domains[i] : ARVO_STR(ARVO__DOMAINS_PLAIN))) {
            for (broker_item *item = chain.first, *next; item != NULL; item = next) {
                next = item->next;
                arvo__free(broker->allocator, item, item->size);
            }
            return arvo__nomem(err);
        }
    if (count == 0)
        return ARVO_OK;
    *broker->queue_end = chain.first;
    broker->queue_end = chain.end;
    broker->queue_len += chain.count;
    return ARVO_OK;
}

/* Whether the queue outgrew its limit since it held `before` events. */
static arvo_status
broker_check_queue(const arvo_broker *broker, size_t before, arvo_error *err)
{
    if (broker->queue_len <= broker->queue_max || broker->queue_len <= before)
        return ARVO_OK;
    return arvo__fail(
        err, ARVO_E_FULL,
        "%zu events wait in the queue, whose limit is %u: raise queue_max; none is lost, resume "
        "goes on with them",
        broker->queue_len, broker->queue_max);
}

/* ---- Delivery -------------------------------------------------------------------------------- */

static void
broker_show(arvo_broker *broker, const arvo_delivery *delivery)
{
    arvo__delivery_log(broker->platform, ARVO_LOG_AREA_BROKER, delivery);
    if (broker->on_event != NULL && !broker->on_event(broker->user, delivery))
        broker->is_stopped = true;
}

/* What it made: from a store without outbox it goes on through the queue. */
static arvo_status
broker_take_made(
    arvo_broker *broker, const arvo__carrier *carrier, const arvo_delivery *delivery,
    arvo_error *err)
{
    const arvo_result *result = delivery->result;
    const arvo_event_list made = result != NULL ? result->all : delivery->replies;
    for (size_t i = 0; i < made.count; i++)
        broker_remember_depth(broker, made.items[i]->id, delivery->depth + 1);
    if (broker->store != NULL)
        return ARVO_OK;
    if (result == NULL)
        return broker_enqueue(broker, delivery, carrier->reply_texts, NULL, made.count, err);
    if (result->outcome == ARVO_OUTCOME_DUPLICATE)
        return ARVO_OK;
    return broker_enqueue(
        broker, delivery, result->event_json, result->event_domains, made.count, err);
}

/* One more of this publish. */
static arvo_status
broker_count(arvo_broker *broker, const arvo_event *event, arvo_error *err)
{
    if (broker->delivered++ < broker->deliveries_max)
        return ARVO_OK;
    return arvo__fail(
        err, ARVO_E_FULL,
        "%u events were delivered, the limit, and there are more: do workflows feed each other "
        "without end? Next is %.*s from %.*s for %.*s; it is kept, resume goes on with it",
        broker->deliveries_max, ARVO_FMT(event->type), ARVO_FMT(event->source),
        ARVO_FMT(event->to));
}

/* It failed: say so to the store, if it keeps such books, then to whoever watches. */
static arvo_status
broker_fail(
    arvo_broker *broker, const arvo__carrier *carrier, arvo_delivery *delivery, arvo_status status,
    const arvo_error *why, arvo_error *err)
{
    const bool is_claimed = broker->has_claims && delivery->seq != 0;
    if (err != NULL)
        *err = *why;
    /* When the store cannot be told the row stays claimed until that is over. */
    arvo_error untold = { 0 };
    const arvo_status st = arvo__delivery_fail(
        carrier, &broker->retry, is_claimed ? &broker->claim : NULL, delivery, status, why,
        &untold);
    if (st != ARVO_OK) {
        if (err != NULL)
            *err = untold;
        arvo__delivery_log_trouble(
            broker->platform, ARVO_LOG_AREA_BROKER, BROKER_NOT_TOLD, &untold);
    }
    broker->is_holding = broker->is_holding || (delivery->retry_ms == 0 && !delivery->is_dead);
    broker_show(broker, delivery);
    return st != ARVO_OK ? st : status;
}

/* Hand one event to whoever serves it, then show what became of it. */
static arvo_status
broker_deliver(arvo_broker *broker, arvo_delivery *delivery, bool from_outside, arvo_error *err)
{
    arvo__carrier carrier = broker_carrier(broker);
    const arvo__route *route = NULL;
    arvo_error why = { 0 };
    arvo_status st =
        arvo__routes_choose(&broker->routes, delivery, from_outside, broker->arena, &route, &why);
    if (st != ARVO_OK)
        return broker_fail(broker, &carrier, delivery, st, &why, err);
    /* Apps may share a store: what none of ours made and none of ours serves is left to its own. */
    if (route == NULL && delivery->seq != 0 &&
        !arvo__routes_made(&broker->routes, delivery->event->source)) {
        broker->is_holding = true;
        return ARVO_OK;
    }
    st = broker_count(broker, delivery->event, err);
    if (st != ARVO_OK)
        return st;

    if (route != NULL)
        st = arvo__hand_over(&carrier, route, delivery->seq, delivery, &why);
    if (st == ARVO_E_EXISTS)
        return ARVO_OK; /* another process delivered it meanwhile */
    if (st == ARVO_OK && route != NULL)
        st = broker_take_made(broker, &carrier, delivery, &why);
    if (st != ARVO_OK)
        return broker_fail(broker, &carrier, delivery, st, &why, err);
    broker_show(broker, delivery);
    /* Shown, so it is with whoever serves it; not so for sure with somebody who stops at it. */
    if (route == NULL && delivery->seq != 0 && !broker->is_stopped)
        st = broker->store->outbox_done(broker->store_self, delivery->seq, err);
    return st;
}

static arvo_status
broker_deliver_item(
    arvo_broker *broker, const broker_item *item, arvo_delivery *out, arvo_error *err)
{
    arvo_event event;
    arvo_error why = { 0 };
    arvo_arena_reset(broker->arena);
    const arvo_status st = arvo__delivery_open(&item->row, broker->arena, &event, out, &why);
    if (st == ARVO_OK) {
        out->depth = out->seq != 0 ? broker_depth(broker, event.id) : item->depth;
        return broker_deliver(broker, out, false, err);
    }
    const arvo__carrier carrier = broker_carrier(broker);
    return broker_fail(broker, &carrier, out, st, &why, err);
}

/* ---- Until nothing moves ------------------------------------------------------------------------
 */

typedef struct broker_rows {
    arvo_arena *arena;
    broker_item *first;
    broker_item **end;
    bool failed;
} broker_rows;

static bool
broker_take_row(void *user, const arvo_stored_event *row)
{
    broker_rows *rows = user;
    broker_item *item = arvo_arena_calloc(rows->arena, 1, sizeof(*item));
    if (item != NULL && arvo__row_copy(row, rows->arena, &item->row))
        item->row.subject = arvo_arena_str_dup(rows->arena, row->subject);
    rows->failed = arvo_arena_failed(rows->arena);
    if (rows->failed)
        return false;
    *rows->end = item;
    rows->end = &item->next;
    return true;
}

static bool
broker_take_claimed(void *user, const arvo_outbox_row *row)
{
    broker_rows *rows = user;
    broker_item **place = rows->end;
    if (!broker_take_row(rows, &row->event))
        return false;
    (*place)->row.attempts = row->attempts;
    return true;
}

/* The first failure of this publish is its answer. */
static void
broker_note_failure(arvo_broker *broker, arvo_status status, const arvo_error *why)
{
    if (broker->failed != ARVO_OK)
        return;
    broker->failed = status;
    broker->failure = *why;
}

/* Whether a failure ends the whole publish: it is not this event's, nor its subject's. */
static bool
broker_is_over(arvo_status status)
{
    return status == ARVO_E_NOMEM || status == ARVO_E_FULL;
}

/* An event that failed stays where it is, and so do later ones of its subject, whose order it would
 * break; everybody else's go on. */
static arvo_status
broker_block(
    arvo_broker *broker, arvo_str subject, arvo_status status, const arvo_error *why,
    arvo_error *err)
{
    const arvo_str copy = arvo_arena_str_dup(broker->blocks, subject);
    if (copy.ptr == NULL || !arvo__map_set(&broker->blocked, copy, broker))
        return arvo__nomem(err);
    broker_note_failure(broker, status, why);
    return ARVO_OK;
}

/* *out_done false: it waits. */
static arvo_status
broker_deliver_next(arvo_broker *broker, const broker_item *item, bool *out_done, arvo_error *err)
{
    *out_done = false;
    if (arvo__map_find(&broker->blocked, item->row.subject) != NULL)
        return ARVO_OK;
    arvo_error why = { 0 };
    arvo_delivery delivery;
    const arvo_status st = broker_deliver_item(broker, item, &delivery, &why);
    *out_done = st == ARVO_OK;
    if (st != ARVO_OK && !broker_is_over(st))
        return broker_block(broker, item->row.subject, st, &why, err);
    if (st != ARVO_OK && err != NULL)
        *err = why;
    return st;
}

/* Once through the outbox in order; what is emitted meanwhile comes behind. */
static arvo_status
broker_drain_outbox(arvo_broker *broker, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    int64_t after = 0;
    for (bool more = true; more && st == ARVO_OK && !broker->is_stopped;) {
        arvo_arena_reset(broker->batch);
        broker_rows rows = { .arena = broker->batch, .end = &rows.first };
        st = broker->store->outbox_list(
            broker->store_self, after, BROKER_BATCH, broker_take_row, &rows, err);
        if (st == ARVO_OK && rows.failed)
            st = arvo__nomem(err);
        more = rows.first != NULL;
        for (const broker_item *item = rows.first;
             item != NULL && st == ARVO_OK && !broker->is_stopped; item = item->next) {
            bool is_done;
            st = broker_deliver_next(broker, item, &is_done, err);
            after = item->row.seq;
        }
    }
    return st;
}

/* ---- With claims ------------------------------------------------------------------------------
 */

/* One that failed waits in the store, or is a dead letter, and the store ended our claims on the
 * later ones of its subject; or it stays claimed, and so do they. They come again in their turn. */
static void
broker_skip_behind(broker_item *item)
{
    for (broker_item *behind = item->next; behind != NULL; behind = behind->next)
        if (arvo_str_equal(behind->row.subject, item->row.subject))
            behind->is_skipped = true;
}

static arvo_status
broker_deliver_claimed(arvo_broker *broker, broker_item *item, arvo_error *err)
{
    arvo_error why = { 0 };
    arvo_delivery delivery;
    const arvo_status st = broker_deliver_item(broker, item, &delivery, &why);
    if (st == ARVO_OK)
        return ARVO_OK;
    if (broker_is_over(st)) {
        if (err != NULL)
            *err = why;
        return st;
    }
    broker_skip_behind(item);
    broker->is_retrying = broker->is_retrying || delivery.retry_ms > 0;
    if (!broker->waits || delivery.retry_ms == 0)
        broker_note_failure(broker, st, &why);
    return ARVO_OK;
}

/* Claim, deliver, until there is nothing to claim. What is left undone stays claimed, so that it
 * does not come again. */
static arvo_status
broker_drain_claimable(arvo_broker *broker, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    for (bool more = true; more && st == ARVO_OK && !broker->is_stopped;) {
        arvo_arena_reset(broker->batch);
        broker_rows rows = { .arena = broker->batch, .end = &rows.first };
        st = broker->store->outbox_claim(
            broker->store_self, &broker->claim, broker_take_claimed, &rows, err);
        if (st == ARVO_OK && rows.failed)
            st = arvo__nomem(err);
        more = rows.first != NULL;
        for (broker_item *item = rows.first; item != NULL && st == ARVO_OK && !broker->is_stopped;
             item = item->next)
            if (!item->is_skipped)
                st = broker_deliver_claimed(broker, item, err);
    }
    broker->is_holding = broker->is_holding || broker->is_stopped || st != ARVO_OK;
    return st;
}

/* Whether something that is ours is still in the outbox. */
typedef struct broker_search {
    arvo_broker *broker;
    int64_t last;
    size_t rows;
    bool is_found;
} broker_search;

static bool
broker_is_ours(void *user, const arvo_stored_event *row)
{
    broker_search *search = user;
    const arvo__routes *routes = &search->broker->routes;
    search->rows++;
    search->last = row->seq;
    search->is_found = arvo__routes_made(routes, row->source);
    if (!search->is_found) {
        arvo_event event;
        arvo_arena_reset(search->broker->arena);
        search->is_found =
            arvo_event_parse(row->json, search->broker->arena, &event, NULL) != ARVO_OK ||
            arvo__routes_find(routes, event.to) != NULL;
    }
    return !search->is_found;
}

static arvo_status
broker_has_work(arvo_broker *broker, bool *out, arvo_error *err)
{
    broker_search search = { .broker = broker };
    arvo_status st;
    do {
        search.rows = 0;
        st = broker->store->outbox_list(
            broker->store_self, search.last, BROKER_LOOK_ROWS, broker_is_ours, &search, err);
    } while (st == ARVO_OK && !search.is_found && search.rows == BROKER_LOOK_ROWS);
    *out = search.is_found;
    return st;
}

/* How long to wait before the next look, with nothing left to claim; 0: no longer. */
static int64_t
broker_pause(arvo_broker *broker)
{
    if (broker->is_stopped || broker->failed != ARVO_OK)
        return 0;
    if (broker->waits && broker->is_retrying)
        return BROKER_WAIT_MS;
    const int64_t left = broker->patience_left_ms;
    const int64_t pause = left < BROKER_PATIENCE_MS ? left : BROKER_PATIENCE_MS;
    broker->patience_left_ms -= pause;
    return pause;
}

/* Drain, and again while there is something to wait for. */
static arvo_status
broker_drain_claims(arvo_broker *broker, arvo_error *err)
{
    bool more;
    arvo_status st;
    do {
        more = false;
        const uint32_t before = broker->delivered;
        st = broker_drain_claimable(broker, err);
        if (broker->delivered != before)
            broker->patience_left_ms = broker->patience_ms;
        const int64_t pause_ms = st == ARVO_OK ? broker_pause(broker) : 0;
        if (pause_ms > 0)
            st = broker_has_work(broker, &more, err);
        if (st == ARVO_OK && more)
            st = broker->store->outbox_wait(broker->store_self, pause_ms, err);
    } while (st == ARVO_OK && more);
    if (broker->is_holding) /* a claim that cannot be given back ends by itself */
        (void)broker->store->outbox_release(broker->store_self, &broker->claim, NULL);
    return st;
}

/* Once through the queue; what is emitted meanwhile comes behind. */
static arvo_status
broker_drain_queue(arvo_broker *broker, arvo_error *err)
{
    arvo_status st = ARVO_OK;
    broker_item **place = &broker->queue;
    while (*place != NULL && st == ARVO_OK && !broker->is_stopped) {
        const size_t before = broker->queue_len;
        bool is_done;
        st = broker_deliver_next(broker, *place, &is_done, err);
        if (is_done)
            broker_queue_remove(broker, place);
        else if (*place != NULL)
            place = &(*place)->next;
        if (st == ARVO_OK)
            st = broker_check_queue(broker, before, err);
    }
    return st;
}

static void
broker_begin(arvo_broker *broker)
{
    ARVO_ASSERT(!broker->is_busy);
    broker->is_busy = true;
    broker->delivered = 0;
    broker->is_stopped = false;
    broker->is_retrying = false;
    broker->is_holding = false;
    broker->patience_left_ms = broker->patience_ms;
    broker->failed = ARVO_OK;
    arvo__map_fini(&broker->depth_of);
    arvo_arena_reset(broker->depths);
}

static arvo_status
broker_drain(arvo_broker *broker, arvo_error *err)
{
    const arvo_status st = broker->has_claims      ? broker_drain_claims(broker, err)
                           : broker->store != NULL ? broker_drain_outbox(broker, err)
                                                   : broker_drain_queue(broker, err);
    if (st != ARVO_OK || broker->failed == ARVO_OK)
        return st;
    if (err != NULL)
        *err = broker->failure;
    return broker->failed;
}

static arvo_status
broker_publish(arvo_broker *broker, const arvo_event *event, arvo_error *err)
{
    const size_t before = broker->queue_len;
    arvo_arena_reset(broker->arena);
    arvo_delivery delivery = { .event = event, .domains = ARVO_STR(ARVO__DOMAINS_PLAIN) };
    const arvo__carrier carrier = broker_carrier(broker);
    arvo_status st = arvo__carrier_text(&carrier, event, &delivery.event_json, err);
    if (st == ARVO_OK)
        st = broker_deliver(broker, &delivery, true, err);
    if (st == ARVO_OK)
        st = broker_check_queue(broker, before, err);
    return st == ARVO_OK && !broker->is_stopped ? broker_drain(broker, err) : st;
}

arvo_status
arvo_broker_publish(arvo_broker *broker, const arvo_event *event, arvo_error *err)
{
    ARVO_ASSERT(broker != NULL && event != NULL);
    broker_begin(broker);
    const arvo_status st = broker_publish(broker, event, err);
    broker->is_busy = false;
    return st;
}

arvo_status
arvo_broker_resume(arvo_broker *broker, arvo_error *err)
{
    ARVO_ASSERT(broker != NULL);
    broker_begin(broker);
    arvo__map_fini(&broker->blocked); /* try again what failed before */
    arvo_arena_reset(broker->blocks);
    const arvo_status st = broker_drain(broker, err);
    broker->is_busy = false;
    return st;
}
