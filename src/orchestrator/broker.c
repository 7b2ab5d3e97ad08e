/* The in-process broker: first in, first out, from the store's outbox when it has one. */

#include <arvo/broker.h>

#include "orchestrator/internal.h"

#define BROKER_BATCH         64u
#define BROKER_DEPTHS_MAX    100000u
#define BROKER_JSON_MAX      (2 * ARVO_EVENT_BYTES_MAX)
#define BROKER_DOMAINS_PLAIN "[\"default\"]"

/* Who serves an address. */
typedef struct broker_entry {
    arvo_str address;
    arvo_orchestrator *orchestrator; /* or */
    arvo_handler *handler;
} broker_entry;

/* An event on its way: from the outbox (seq), or from the queue in memory. */
typedef struct broker_item {
    struct broker_item *next;
    size_t size;
    int64_t seq;
    uint32_t depth;
    arvo_str json;
    arvo_str domains;
    arvo_str subject; /* of the execution that made it */
} broker_item;

struct arvo_broker {
    const arvo_allocator *allocator;
    arvo_allocator allocator_copy;
    const arvo_memory_ops *store; /* NULL: queue only */
    void *store_self;
    bool (*on_event)(void *user, const arvo_delivery *delivery);
    void *user;
    uint32_t queue_max;
    uint32_t deliveries_max;
    broker_entry *entries;
    size_t entry_count;
    size_t entry_cap;
    broker_item *queue; /* first */
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
    broker->arena = arvo_arena_new(&opts);
    broker->batch = arvo_arena_new(&opts);
    broker->depths = arvo_arena_new(&opts);
    broker->blocks = arvo_arena_new(&opts);
    return broker->arena != NULL && broker->batch != NULL && broker->depths != NULL &&
           broker->blocks != NULL;
}

static bool
broker_take_none(void *user, const arvo_stored_event *row)
{
    (void)user;
    (void)row;
    return false;
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
    broker->on_event = opts->on_event;
    broker->user = opts->user;
    broker->queue_max = opts->queue_max != 0 ? opts->queue_max : ARVO_BROKER_QUEUE_MAX_DEFAULT;
    broker->deliveries_max =
        opts->deliveries_max != 0 ? opts->deliveries_max : ARVO_BROKER_DELIVERIES_MAX_DEFAULT;
    arvo_status st = broker_init(broker) ? ARVO_OK : arvo__nomem(err);

    const arvo_memory_ops *store = opts->memory != NULL ? arvo_memory_ops_of(opts->memory) : NULL;
    if (st == ARVO_OK && store != NULL && store->outbox_list != NULL && store->commit != NULL) {
        broker->store = store;
        broker->store_self = arvo_memory_self(opts->memory);
        /* Some stores keep an outbox only from the first time someone asks for it. */
        st = store->outbox_list(broker->store_self, 0, 1, broker_take_none, NULL, err);
    }
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
    arvo__free(broker->allocator, broker->entries, broker->entry_cap * sizeof(broker_entry));
    const arvo_allocator copy = broker->allocator_copy;
    arvo__free(broker->allocator != NULL ? &copy : NULL, broker, sizeof(*broker));
}

/* ---- Addresses ----------------------------------------------------------------------- */

static const broker_entry *
broker_find(const arvo_broker *broker, arvo_str address)
{
    for (size_t i = 0; i < broker->entry_count; i++)
        if (arvo_str_equal(broker->entries[i].address, address))
            return &broker->entries[i];
    return NULL;
}

static arvo_status
broker_add(arvo_broker *broker, broker_entry entry, arvo_error *err)
{
    if (broker_find(broker, entry.address) != NULL)
        return arvo__fail(
            err, ARVO_E_EXISTS,
            "address %.*s: someone is registered there already; an address has one orchestrator, "
            "handler or mock",
            ARVO_FMT(entry.address));
    if (broker->entry_count == broker->entry_cap) {
        const size_t cap = broker->entry_cap != 0 ? broker->entry_cap * 2 : 8;
        broker_entry *entries = arvo__calloc(broker->allocator, cap, sizeof(*entries));
        if (entries == NULL)
            return arvo__nomem(err);
        if (broker->entry_count > 0)
            memcpy(entries, broker->entries, broker->entry_count * sizeof(*entries));
        arvo__free(broker->allocator, broker->entries, broker->entry_cap * sizeof(*entries));
        broker->entries = entries;
        broker->entry_cap = cap;
    }
    broker->entries[broker->entry_count++] = entry;
    return ARVO_OK;
}

arvo_status
arvo_broker_add_orchestrator(arvo_broker *broker, arvo_orchestrator *orchestrator, arvo_error *err)
{
    const broker_entry entry = { .address = arvo_orchestrator_source(orchestrator),
                                 .orchestrator = orchestrator };
    return broker_add(broker, entry, err);
}

arvo_status
arvo_broker_add_handler(arvo_broker *broker, arvo_handler *handler, arvo_error *err)
{
    const broker_entry entry = { .address = arvo_handler_type(handler), .handler = handler };
    return broker_add(broker, entry, err);
}

static bool
broker_is_default(const arvo_json *domains)
{
    for (size_t i = 0; i < arvo_json_count(domains); i++)
        if (arvo_str_is(arvo_json_str(arvo_json_at(domains, i)), "default"))
            return true;
    return false;
}

/* The orchestrator that the event's subject belongs to, or nobody. */
static arvo_status
broker_find_by_subject(
    arvo_broker *broker, const arvo_event *event, const broker_entry **out, arvo_error *err)
{
    arvo_subject subject;
    const arvo_status st = arvo_subject_decode(NULL, event->subject, broker->arena, &subject, NULL);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(err);
    const broker_entry *entry =
        st == ARVO_OK ? broker_find(broker, subject.orchestrator_name) : NULL;
    *out = entry != NULL && entry->orchestrator != NULL ? entry : NULL;
    return ARVO_OK;
}

/* Who serves the event here; *out NULL: nobody. One from outside whose `to` is only its type, which
 * is what an event has whose author said nothing, goes by its subject. */
static arvo_status
broker_route(
    arvo_broker *broker, const arvo_delivery *delivery, bool from_outside, const broker_entry **out,
    arvo_error *err)
{
    const arvo_event *event = delivery->event;
    *out = NULL;
    if (!arvo_str_is(delivery->domains, BROKER_DOMAINS_PLAIN)) {
        const arvo_json *domains = NULL;
        const arvo_status st = arvo_json_parse(delivery->domains, broker->arena, &domains, err);
        if (st != ARVO_OK)
            return st; /* not knowing is no reason to take it for somebody else's */
        if (!broker_is_default(domains))
            return ARVO_OK;
    }
    *out = broker_find(broker, event->to);
    const bool names_nobody = event->to.ptr == NULL || arvo_str_equal(event->to, event->type);
    if (*out != NULL || !from_outside || !names_nobody)
        return ARVO_OK;
    return broker_find_by_subject(broker, event, out, err);
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
                           .json = { text, json.len },
                           .domains = { text + json.len, domains.len },
                           .subject = { text + json.len + domains.len, subject.len } };
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
                domains != NULL ? domains[i] : ARVO_STR(BROKER_DOMAINS_PLAIN))) {
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

static arvo_status
broker_text(arvo_broker *broker, const arvo_event *event, arvo_str *out, arvo_error *err)
{
    arvo_buf_reset(&broker->text);
    arvo_event_write(event, &broker->text);
    const arvo_status st = arvo__buf_status(&broker->text, "event", err);
    if (st != ARVO_OK)
        return st;
    *out = arvo_arena_str_dup(broker->arena, arvo_buf_str(&broker->text));
    return out->ptr != NULL ? ARVO_OK : arvo__nomem(err);
}

/* ---- Delivery -------------------------------------------------------------------------------- */

static void
broker_show(arvo_broker *broker, const arvo_delivery *delivery)
{
    if (broker->on_event != NULL && !broker->on_event(broker->user, delivery))
        broker->is_stopped = true;
}

static arvo_status
broker_to_orchestrator(
    arvo_broker *broker, const broker_entry *entry, int64_t seq, arvo_delivery *delivery,
    arvo_result *result, arvo_error *err)
{
    delivery->handled_by = ARVO_HANDLED_BY_ORCHESTRATOR;
    const arvo_status st = arvo_orchestrator_execute_from(
        entry->orchestrator, delivery->event, seq, broker->arena, result, err);
    if (st != ARVO_OK)
        return st;
    delivery->result = result;
    delivery->version = result->version;
    for (size_t i = 0; i < result->all.count; i++)
        broker_remember_depth(broker, result->all.items[i]->id, delivery->depth + 1);
    if (broker->store != NULL || result->outcome == ARVO_OUTCOME_DUPLICATE)
        return ARVO_OK;
    return broker_enqueue(
        broker, delivery, result->event_json, result->event_domains, result->all.count, err);
}

/* The replies and "this request is answered" are one transaction. */
static arvo_status
broker_commit_replies(
    arvo_broker *broker, const arvo_delivery *delivery, const arvo_str *texts, int64_t seq,
    arvo_error *err)
{
    const size_t count = delivery->replies.count;
    arvo_stored_event *rows = arvo_arena_calloc(broker->arena, count + 1, sizeof(*rows));
    if (rows == NULL)
        return arvo__nomem(err);
    for (size_t i = 0; i < count; i++) {
        const arvo_event *reply = delivery->replies.items[i];
        rows[i] = (arvo_stored_event){ .direction = ARVO_PRODUCED,
                                       .subject = reply->subject,
                                       .id = reply->id,
                                       .source = reply->source,
                                       .type = reply->type,
                                       .domains = ARVO_STR(BROKER_DOMAINS_PLAIN),
                                       .json = texts[i] };
    }
    const arvo_commit commit = { .subject = delivery->event->subject,
                                 .produced = rows,
                                 .produced_count = count,
                                 .outbox_done = seq };
    return broker->store->commit(broker->store_self, &commit, 1, err);
}

static arvo_status
broker_to_handler(
    arvo_broker *broker, const broker_entry *entry, int64_t seq, arvo_delivery *delivery,
    arvo_error *err)
{
    delivery->handled_by =
        arvo_handler_is_mock(entry->handler) ? ARVO_HANDLED_BY_MOCK : ARVO_HANDLED_BY_HANDLER;
    arvo_status st = arvo_handler_execute(
        entry->handler, delivery->event, broker->arena, &delivery->replies, err);
    if (st != ARVO_OK)
        return st;

    arvo_str *texts = arvo_arena_calloc(broker->arena, delivery->replies.count + 1, sizeof(*texts));
    if (texts == NULL)
        return arvo__nomem(err);
    for (size_t i = 0; i < delivery->replies.count && st == ARVO_OK; i++) {
        const arvo_event *reply = delivery->replies.items[i];
        broker_remember_depth(broker, reply->id, delivery->depth + 1);
        st = broker_text(broker, reply, &texts[i], err);
    }
    if (st != ARVO_OK)
        return st;
    return broker->store != NULL
               ? broker_commit_replies(broker, delivery, texts, seq, err)
               : broker_enqueue(broker, delivery, texts, NULL, delivery->replies.count, err);
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

static arvo_status
broker_hand_over(
    arvo_broker *broker, const broker_entry *entry, int64_t seq, arvo_delivery *delivery,
    arvo_result *result, arvo_error *err)
{
    delivery->name = entry->address;
    return entry->orchestrator != NULL
               ? broker_to_orchestrator(broker, entry, seq, delivery, result, err)
               : broker_to_handler(broker, entry, seq, delivery, err);
}

/* Hand one event to whoever serves it, then show what became of it. */
static arvo_status
broker_deliver(
    arvo_broker *broker, arvo_delivery *delivery, int64_t seq, bool from_outside, arvo_error *err)
{
    const broker_entry *entry = NULL;
    arvo_status st = broker_route(broker, delivery, from_outside, &entry, err);
    if (st != ARVO_OK)
        return st;
    /* Apps may share a store: what none of ours made and none of ours serves is left to its own. */
    if (entry == NULL && seq != 0 && broker_find(broker, delivery->event->source) == NULL)
        return ARVO_OK;
    st = broker_count(broker, delivery->event, err);
    if (st != ARVO_OK)
        return st;

    arvo_result result;
    arvo_error why = { 0 };
    if (entry != NULL)
        st = broker_hand_over(broker, entry, seq, delivery, &result, &why);
    if (st == ARVO_E_EXISTS)
        return ARVO_OK; /* another process delivered it meanwhile */
    if (st != ARVO_OK) {
        delivery->result = NULL;
        delivery->replies = (arvo_event_list){ NULL, 0 };
        delivery->status = st;
        delivery->error = &why;
        if (err != NULL)
            *err = why;
    }
    broker_show(broker, delivery);
    /* Shown, so it is with whoever serves it; not so for sure with somebody who stops at it. */
    if (st == ARVO_OK && entry == NULL && seq != 0 && !broker->is_stopped)
        st = broker->store->outbox_done(broker->store_self, seq, err);
    return st;
}

static arvo_status
broker_deliver_item(arvo_broker *broker, const broker_item *item, arvo_error *err)
{
    arvo_event event;
    arvo_arena_reset(broker->arena);
    const arvo_status st = arvo_event_parse(item->json, broker->arena, &event, err);
    if (st != ARVO_OK) {
        arvo_error_prefix(err, "outbox event %lld", (long long)item->seq);
        return st;
    }
    arvo_delivery delivery = { .event = &event,
                               .event_json = item->json,
                               .domains = item->domains,
                               .depth =
                                   item->seq != 0 ? broker_depth(broker, event.id) : item->depth };
    return broker_deliver(broker, &delivery, item->seq, false, err);
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
    if (item != NULL) {
        item->seq = row->seq;
        item->json = arvo_arena_str_dup(rows->arena, row->json);
        item->domains = arvo_arena_str_dup(rows->arena, row->domains);
        item->subject = arvo_arena_str_dup(rows->arena, row->subject);
    }
    rows->failed = arvo_arena_failed(rows->arena);
    if (rows->failed)
        return false;
    *rows->end = item;
    rows->end = &item->next;
    return true;
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
    if (broker->failed == ARVO_OK) {
        broker->failed = status;
        broker->failure = *why;
    }
    return ARVO_OK;
}

/* *out_done false: it waits. */
static arvo_status
broker_deliver_next(arvo_broker *broker, const broker_item *item, bool *out_done, arvo_error *err)
{
    *out_done = false;
    if (arvo__map_find(&broker->blocked, item->subject) != NULL)
        return ARVO_OK;
    arvo_error why = { 0 };
    const arvo_status st = broker_deliver_item(broker, item, &why);
    *out_done = st == ARVO_OK;
    if (st != ARVO_OK && st != ARVO_E_NOMEM && st != ARVO_E_FULL)
        return broker_block(broker, item->subject, st, &why, err);
    if (st != ARVO_OK && err != NULL)
        *err = why; /* not this event's fault */
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
            after = item->seq;
        }
    }
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
    broker->failed = ARVO_OK;
    arvo__map_fini(&broker->depth_of);
    arvo_arena_reset(broker->depths);
}

static arvo_status
broker_drain(arvo_broker *broker, arvo_error *err)
{
    const arvo_status st =
        broker->store != NULL ? broker_drain_outbox(broker, err) : broker_drain_queue(broker, err);
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
    arvo_delivery delivery = { .event = event, .domains = ARVO_STR(BROKER_DOMAINS_PLAIN) };
    arvo_status st = broker_text(broker, event, &delivery.event_json, err);
    if (st == ARVO_OK)
        st = broker_deliver(broker, &delivery, 0, true, err);
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
