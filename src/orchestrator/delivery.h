/* orchestrator/delivery.h - one event to whoever serves it, and what follows when that fails: what
 * the broker (one thread, until nothing moves) and the worker (many, for good) share. */
#ifndef ARVO_SRC_ORCHESTRATOR_DELIVERY_H
#define ARVO_SRC_ORCHESTRATOR_DELIVERY_H

#include <arvo/broker.h>
#include <arvo/log.h>

#include "orchestrator/internal.h"

/* ---- Who serves an address -------------------------------------------------------- */

typedef struct arvo__route {
    arvo_str address;
    arvo_orchestrator *orchestrator; /* or */
    arvo_handler *handler;           /* or, with neither, another process */
} arvo__route;

typedef struct arvo__routes {
    const arvo_allocator *allocator;
    arvo__route *items;
    size_t count, cap;
} arvo__routes;

void arvo__routes_fini(arvo__routes *routes);
/* ARVO_E_EXISTS: the address is taken; ARVO_E_NOMEM. */
arvo_status arvo__routes_add(arvo__routes *routes, arvo__route route, arvo_error *err);
/* NULL: nobody here. */
const arvo__route *arvo__routes_find(const arvo__routes *routes, arvo_str address);
/* Whether an event of that source was made here: by an orchestrator or a handler of this process.
 */
bool arvo__routes_made(const arvo__routes *routes, arvo_str source);
/* Who gets the event; *out NULL: nobody here. One that was handed in from outside, or that nobody
 * here made, and whose `to` is only its type, which is what an event has whose author said nothing,
 * goes by its subject. */
arvo_status arvo__routes_choose(
    const arvo__routes *routes, const arvo_delivery *delivery, bool from_outside, arvo_arena *arena,
    const arvo__route **out, arvo_error *err);

/* ---- What is to be delivered --------------------------------------------------------- */

/* Some stores keep an outbox only from the first time someone asks for it: ask. */
arvo_status arvo__outbox_open(const arvo_memory_ops *store, void *store_self, arvo_error *err);

/* A row of the outbox. */
typedef struct arvo__row {
    int64_t seq; /* 0: an event that is in no outbox; it has no id, source and type here */
    uint32_t attempts;
    arvo_str json;
    arvo_str domains;
    arvo_str subject; /* of the execution that made it */
    arvo_str id, source, type;
} arvo__row;

/* Copy a row but for its attempts and its subject, which many rows share. false: out of memory. */
bool arvo__row_copy(const arvo_stored_event *given, arvo_arena *arena, arvo__row *out);

/* The delivery of a row, and its event. A row that is no event fails, and is shown as its columns;
 * `why` names it. */
arvo_status arvo__delivery_open(
    const arvo__row *row, arvo_arena *arena, arvo_event *event, arvo_delivery *out,
    arvo_error *why);

/* ---- Handing over -------------------------------------------------------------------- */

/* What one delivery works with, and what it made. */
typedef struct arvo__carrier {
    const arvo_memory_ops *store; /* where replies are committed; NULL: they are not */
    void *store_self;
    const arvo_platform *platform;   /* whose log hears of handlers without their own; NULL */
    const arvo_telemetry *telemetry; /* of handlers without their own; NULL: off */
    arvo_arena *arena;               /* of this delivery */
    arvo_buf *text;                  /* scratch */
    arvo_result result;              /* of an orchestrator: delivery->result points here */
    arvo_str *reply_texts;           /* of a handler: one to a reply */
} arvo__carrier;

/* The compact text of an event, in the arena. */
arvo_status arvo__carrier_text(
    const arvo__carrier *carrier, const arvo_event *event, arvo_str *out, arvo_error *err);

/* Execute or handle the event; what comes of it, and that the outbox row `seq` (0: none) is done,
 * are one transaction where the store can. ARVO_E_EXISTS: the row was done by someone else. */
arvo_status arvo__hand_over(
    arvo__carrier *carrier, const arvo__route *route, int64_t seq, arvo_delivery *delivery,
    arvo_error *err);

/* ---- When it fails --------------------------------------------------------------------- */

/* Defaults filled in; ARVO_E_INVALID. */
arvo_status arvo__retry_check(const arvo_retry *given, arvo_retry *out, arvo_error *err);

/* What becomes of an outbox row whose delivery failed with `status` after `attempts` earlier ones:
 * sets attempts, retry_ms and is_dead of the delivery. None of them: the failure is nobody's fault,
 * the row is as it was. */
void arvo__delivery_judge(
    const arvo_retry *retry, arvo_status status, int64_t seq, uint32_t attempts,
    arvo_delivery *delivery);

/* Fill in what a failed delivery shows: neither result nor replies, the status and `why`; and with
 * a claim (NULL: none) what becomes of its row, which the store is told. A status that is not
 * ARVO_OK is the store's: it was not told, and the row is as it was. */
arvo_status arvo__delivery_fail(
    const arvo__carrier *carrier, const arvo_retry *retry, const arvo_claim *claim,
    arvo_delivery *delivery, arvo_status status, const arvo_error *why, arvo_error *err);

/* log.c: what became of it, as `area` sees it. */
void arvo__delivery_log(
    const arvo_platform *platform, arvo_log_area area, const arvo_delivery *delivery);
/* The store could not be asked, or told. */
void arvo__delivery_log_trouble(
    const arvo_platform *platform, arvo_log_area area, const char *what, const arvo_error *err);

#endif
