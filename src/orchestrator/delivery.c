/* Delivering one event: routing, handing over, and what a failure means. */

#include "orchestrator/delivery.h"

#include <math.h>

#include "orchestrator/handler.h"

#define RETRY_ATTEMPTS_LIMIT 1000u
#define RETRY_CAP_MS_LIMIT   ((int64_t)30 * 24 * 3600 * 1000)

/* ---- Who serves an address -------------------------------------------------------- */

void
arvo__routes_fini(arvo__routes *routes)
{
    arvo__free(routes->allocator, routes->items, routes->cap * sizeof(*routes->items));
    *routes = (arvo__routes){ .allocator = routes->allocator };
}

const arvo__route *
arvo__routes_find(const arvo__routes *routes, arvo_str address)
{
    for (size_t i = 0; i < routes->count; i++)
        if (arvo_str_equal(routes->items[i].address, address))
            return &routes->items[i];
    return NULL;
}

static bool
route_is_here(const arvo__route *route)
{
    return route != NULL && (route->orchestrator != NULL || route->handler != NULL);
}

bool
arvo__routes_made(const arvo__routes *routes, arvo_str source)
{
    return route_is_here(arvo__routes_find(routes, source));
}

arvo_status
arvo__routes_add(arvo__routes *routes, arvo__route route, arvo_error *err)
{
    if (arvo__routes_find(routes, route.address) != NULL)
        return arvo__fail(
            err, ARVO_E_EXISTS,
            "address %.*s: someone is registered there already; an address has one orchestrator, "
            "handler or mock",
            ARVO_FMT(route.address));
    if (routes->count == routes->cap) {
        const size_t cap = routes->cap != 0 ? routes->cap * 2 : 8;
        arvo__route *items = arvo__calloc(routes->allocator, cap, sizeof(*items));
        if (items == NULL)
            return arvo__nomem(err);
        if (routes->count > 0)
            memcpy(items, routes->items, routes->count * sizeof(*items));
        arvo__free(routes->allocator, routes->items, routes->cap * sizeof(*items));
        routes->items = items;
        routes->cap = cap;
    }
    routes->items[routes->count++] = route;
    return ARVO_OK;
}

static bool
routes_is_default(const arvo_json *domains)
{
    for (size_t i = 0; i < arvo_json_count(domains); i++)
        if (arvo_str_is(arvo_json_str(arvo_json_at(domains, i)), "default"))
            return true;
    return false;
}

/* The orchestrator that the event's subject belongs to, or nobody. */
static arvo_status
routes_find_by_subject(
    const arvo__routes *routes, const arvo_event *event, arvo_arena *arena, const arvo__route **out,
    arvo_error *err)
{
    arvo_subject subject;
    const arvo_status st = arvo_subject_decode(NULL, event->subject, arena, &subject, NULL);
    if (st == ARVO_E_NOMEM)
        return arvo__nomem(err);
    const arvo__route *route =
        st == ARVO_OK ? arvo__routes_find(routes, subject.orchestrator_name) : NULL;
    *out = route != NULL && route->orchestrator != NULL ? route : NULL;
    return ARVO_OK;
}

arvo_status
arvo__routes_choose(
    const arvo__routes *routes, const arvo_delivery *delivery, bool from_outside, arvo_arena *arena,
    const arvo__route **out, arvo_error *err)
{
    const arvo_event *event = delivery->event;
    *out = NULL;
    if (!arvo_str_is(delivery->domains, ARVO__DOMAINS_PLAIN)) {
        const arvo_json *domains = NULL;
        const arvo_status st = arvo_json_parse(delivery->domains, arena, &domains, err);
        if (st != ARVO_OK)
            return st; /* not knowing is no reason to take it for somebody else's */
        if (!routes_is_default(domains))
            return ARVO_OK;
    }
    *out = arvo__routes_find(routes, event->to);
    const bool names_nobody = event->to.ptr == NULL || arvo_str_equal(event->to, event->type);
    const bool was_made_here = !from_outside && arvo__routes_made(routes, event->source);
    if (*out != NULL || was_made_here || !names_nobody)
        return ARVO_OK;
    return routes_find_by_subject(routes, event, arena, out, err);
}

/* ---- What is to be delivered --------------------------------------------------------- */

static bool
outbox_take_none(void *user, const arvo_stored_event *row)
{
    (void)user;
    (void)row;
    return false;
}

arvo_status
arvo__outbox_open(const arvo_memory_ops *store, void *store_self, arvo_error *err)
{
    return store->outbox_list(store_self, 0, 1, outbox_take_none, NULL, err);
}

bool
arvo__row_copy(const arvo_stored_event *given, arvo_arena *arena, arvo__row *out)
{
    *out = (arvo__row){ .seq = given->seq,
                        .json = arvo_arena_str_dup(arena, given->json),
                        .domains = arvo_arena_str_dup(arena, given->domains),
                        .id = arvo_arena_str_dup(arena, given->id),
                        .source = arvo_arena_str_dup(arena, given->source),
                        .type = arvo_arena_str_dup(arena, given->type) };
    return !arvo_arena_failed(arena);
}

arvo_status
arvo__delivery_open(
    const arvo__row *row, arvo_arena *arena, arvo_event *event, arvo_delivery *out, arvo_error *why)
{
    *out = (arvo_delivery){ .event = event,
                            .event_json = row->json,
                            .domains = row->domains,
                            .seq = row->seq,
                            .attempts = row->attempts };
    const arvo_status st = arvo_event_parse(row->json, arena, event, why);
    if (st == ARVO_OK)
        return ARVO_OK;
    arvo_error_prefix(why, "outbox event %lld", (long long)row->seq);
    *event = (arvo_event){ .id = row->id,
                           .source = row->source,
                           .type = row->type,
                           .subject = row->subject,
                           .to = row->type };
    return st;
}

/* ---- Handing over -------------------------------------------------------------------- */

arvo_status
arvo__carrier_text(
    const arvo__carrier *carrier, const arvo_event *event, arvo_str *out, arvo_error *err)
{
    arvo_buf_reset(carrier->text);
    arvo_event_write(event, carrier->text);
    const arvo_status st = arvo__buf_status(carrier->text, "event", err);
    if (st != ARVO_OK)
        return st;
    *out = arvo_arena_str_dup(carrier->arena, arvo_buf_str(carrier->text));
    return out->ptr != NULL ? ARVO_OK : arvo__nomem(err);
}

static arvo_status
carrier_to_orchestrator(
    arvo__carrier *carrier, const arvo__route *route, int64_t seq, arvo_delivery *delivery,
    arvo_error *err)
{
    delivery->handled_by = ARVO_HANDLED_BY_ORCHESTRATOR;
    const arvo_status st = arvo_orchestrator_execute_from(
        route->orchestrator, delivery->event, seq, carrier->arena, &carrier->result, err);
    if (st != ARVO_OK)
        return st;
    delivery->result = &carrier->result;
    delivery->version = carrier->result.version;
    return ARVO_OK;
}

/* The replies and "this request is answered" are one transaction. */
static arvo_status
carrier_commit_replies(
    const arvo__carrier *carrier, const arvo_delivery *delivery, int64_t seq, arvo_error *err)
{
    const size_t count = delivery->replies.count;
    arvo_stored_event *rows = arvo_arena_calloc(carrier->arena, count + 1, sizeof(*rows));
    if (rows == NULL)
        return arvo__nomem(err);
    for (size_t i = 0; i < count; i++) {
        const arvo_event *reply = delivery->replies.items[i];
        rows[i] = arvo__stored_event(
            ARVO_PRODUCED, reply->subject, reply, ARVO_STR(ARVO__DOMAINS_PLAIN),
            carrier->reply_texts[i]);
    }
    const arvo_commit commit = { .subject = delivery->event->subject,
                                 .produced = rows,
                                 .produced_count = count,
                                 .outbox_done = seq };
    return carrier->store->commit(carrier->store_self, &commit, 1, err);
}

static arvo_status
carrier_to_handler(
    arvo__carrier *carrier, const arvo__route *route, int64_t seq, arvo_delivery *delivery,
    arvo_error *err)
{
    delivery->handled_by =
        arvo_handler_is_mock(route->handler) ? ARVO_HANDLED_BY_MOCK : ARVO_HANDLED_BY_HANDLER;
    arvo_status st = arvo__handler_execute(
        route->handler, carrier->platform, carrier->telemetry, delivery->event, carrier->arena,
        &delivery->replies, err);
    if (st != ARVO_OK)
        return st;
    const size_t count = delivery->replies.count;
    carrier->reply_texts =
        arvo_arena_calloc(carrier->arena, count + 1, sizeof(*carrier->reply_texts));
    if (carrier->reply_texts == NULL)
        return arvo__nomem(err);
    for (size_t i = 0; i < count && st == ARVO_OK; i++)
        st = arvo__carrier_text(carrier, delivery->replies.items[i], &carrier->reply_texts[i], err);
    if (st != ARVO_OK || carrier->store == NULL)
        return st;
    return carrier_commit_replies(carrier, delivery, seq, err);
}

arvo_status
arvo__hand_over(
    arvo__carrier *carrier, const arvo__route *route, int64_t seq, arvo_delivery *delivery,
    arvo_error *err)
{
    delivery->name = route->address;
    return route->orchestrator != NULL ? carrier_to_orchestrator(carrier, route, seq, delivery, err)
                                       : carrier_to_handler(carrier, route, seq, delivery, err);
}

/* ---- When it fails --------------------------------------------------------------------- */

arvo_status
arvo__retry_check(const arvo_retry *given, arvo_retry *out, arvo_error *err)
{
    *out = (arvo_retry){
        .attempts_max =
            given->attempts_max != 0 ? given->attempts_max : ARVO_RETRY_ATTEMPTS_MAX_DEFAULT,
        .first_ms = given->first_ms != 0 ? given->first_ms : ARVO_RETRY_FIRST_MS_DEFAULT,
        .factor = given->factor != 0 ? given->factor : ARVO_RETRY_FACTOR_DEFAULT,
        .cap_ms = given->cap_ms != 0 ? given->cap_ms : ARVO_RETRY_CAP_MS_DEFAULT,
    };
    if (out->attempts_max > RETRY_ATTEMPTS_LIMIT || out->first_ms < 1 ||
        out->first_ms > RETRY_CAP_MS_LIMIT || out->cap_ms < 1 || out->cap_ms > RETRY_CAP_MS_LIMIT ||
        !isfinite(out->factor) || out->factor < 1)
        return arvo__fail(
            err, ARVO_E_INVALID,
            "retry: at most %u attempts, pauses of 1 ms to 30 days, and a factor of 1 or more",
            RETRY_ATTEMPTS_LIMIT);
    return ARVO_OK;
}

typedef enum failure_kind {
    FAILURE_OF_NOBODY, /* it says nothing about the event: no attempt */
    FAILURE_OF_EVENT,  /* an attempt; another app, or time, may mend it */
    FAILURE_FOR_GOOD   /* nothing but a changed event could be delivered */
} failure_kind;

static failure_kind
failure_kind_of(arvo_status status)
{
    switch (status) {
    case ARVO_E_NOMEM:
    case ARVO_E_IO:
    case ARVO_E_STALE:
    case ARVO_E_TIMEOUT:
    case ARVO_E_FULL:
    case ARVO_E_CORRUPT: /* of the store */
    case ARVO_E_VERSION:
    case ARVO_E_LOCK_FAILED:
    case ARVO_E_LOCK_DENIED:
    case ARVO_E_READ_FAILED:
    case ARVO_E_WRITE_FAILED:
        return FAILURE_OF_NOBODY;
    case ARVO_E_MALFORMED:
    case ARVO_E_INVALID:
    case ARVO_E_TOO_BIG:
    case ARVO_E_SUBJECT:
        return FAILURE_FOR_GOOD;
    default:
        return FAILURE_OF_EVENT;
    }
}

/* first * factor^(attempts - 1), at most the cap; of that between the half and the whole, by row
 * and attempt, so that what failed together does not come again together. */
static int64_t
retry_pause(const arvo_retry *retry, int64_t seq, uint32_t attempts)
{
    double pause = (double)retry->first_ms * pow(retry->factor, attempts - 1);
    if (!(pause < (double)retry->cap_ms))
        pause = (double)retry->cap_ms;
    const uint64_t key[2] = { (uint64_t)seq, attempts };
    const double share = (double)(arvo__hash(key, sizeof(key), 0) >> 11) * 0x1p-53;
    const int64_t pause_ms = (int64_t)(pause * (0.5 + share / 2));
    return pause_ms > 0 ? pause_ms : 1;
}

void
arvo__delivery_judge(
    const arvo_retry *retry, arvo_status status, int64_t seq, uint32_t attempts,
    arvo_delivery *delivery)
{
    const failure_kind kind = failure_kind_of(status);
    delivery->attempts = attempts;
    if (kind == FAILURE_OF_NOBODY)
        return;
    delivery->attempts += attempts < UINT32_MAX;
    delivery->is_dead = kind == FAILURE_FOR_GOOD || delivery->attempts >= retry->attempts_max;
    if (!delivery->is_dead)
        delivery->retry_ms = retry_pause(retry, seq, delivery->attempts);
}

static arvo_status
delivery_settle(
    const arvo__carrier *carrier, const arvo_claim *claim, const arvo_delivery *delivery,
    arvo_error *err)
{
    const arvo_str why = arvo_str_from(
        delivery->error != NULL && delivery->error->text[0] != '\0'
            ? delivery->error->text
            : arvo_status_text(delivery->status));
    if (delivery->is_dead)
        return carrier->store->outbox_dead(carrier->store_self, delivery->seq, claim, why, err);
    if (delivery->retry_ms > 0)
        return carrier->store->outbox_retry(
            carrier->store_self, delivery->seq, claim, delivery->retry_ms, why, err);
    return ARVO_OK;
}

arvo_status
arvo__delivery_fail(
    const arvo__carrier *carrier, const arvo_retry *retry, const arvo_claim *claim,
    arvo_delivery *delivery, arvo_status status, const arvo_error *why, arvo_error *err)
{
    const uint32_t before = delivery->attempts;
    delivery->result = NULL;
    delivery->replies = (arvo_event_list){ NULL, 0 };
    delivery->status = status;
    delivery->error = why;
    if (claim == NULL)
        return ARVO_OK;
    arvo__delivery_judge(retry, status, delivery->seq, before, delivery);
    const arvo_status st = delivery_settle(carrier, claim, delivery, err);
    if (st != ARVO_OK) {
        delivery->attempts = before;
        delivery->retry_ms = 0;
        delivery->is_dead = false;
    }
    return st;
}
