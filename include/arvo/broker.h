/* arvo/broker.h - an in-process broker: first in, first out, bounded, awaited.
 *
 * Events go to whoever is registered under their `to`: an orchestrator or a
 * handler. Publishing delivers until nothing moves. Only the domain `default`
 * is delivered; events of other domains are shown to `on_event` and left to
 * whoever serves them (spec 10.2, DESIGN 9; D36 mended).
 *
 * With a store that has an outbox, delivery is from the outbox: an event is
 * done in the consumer's own commit, so a crash between two hops loses
 * nothing and repeats nothing. With any other store the queue is in memory.
 * (An event in `default` and in other domains is done when its part in
 * `default` is: whoever serves the others finds it in the history.)
 *
 * Several apps may share a store: an event of the outbox that nobody here made
 * and nobody here serves is left there.
 *
 * An event whose delivery fails holds up the later ones of the same subject,
 * and nobody else's. With a store that has claims (outbox_claim and those with
 * it) it waits there for its next attempt, behind a pause that grows
 * (arvo_retry), and is a dead letter when too many have failed. What counts:
 *
 *   status of the delivery                          what follows
 *   ----------------------------------------------  --------------------------
 *   ARVO_OK, also with a workflow error             done: the sys.*.error event
 *                                                   is the answer
 *   ARVO_E_EXISTS                                   done, by someone else
 *   the row is no event, or breaks its rules;       a dead letter at once:
 *   ARVO_E_SUBJECT                                  trying again cannot help
 *   ARVO_E_CONTRACT, ARVO_E_CONFIG,                 an attempt: it waits, or is
 *   ARVO_E_EXECUTION, ARVO_E_INCOMPATIBLE_STATE,    a dead letter
 *   what else an engine of your own returns
 *   ARVO_E_LOCK_*, ARVO_E_READ_FAILED,              nobody's fault, no attempt:
 *   ARVO_E_WRITE_FAILED, ARVO_E_NOMEM, ARVO_E_FULL, it stays, and is tried by
 *   what the store said (ARVO_E_IO, ARVO_E_STALE,   the next publish or resume
 *   ARVO_E_TIMEOUT, ...)
 *
 * With any other store, and in the queue, it stays until the next resume.
 *
 * Threads: one broker serves one thread at a time. Handlers and `on_event` run
 *          inside of publish and resume, and may call neither.
 */
#ifndef ARVO_BROKER_H
#define ARVO_BROKER_H

#include <arvo/orchestrator.h>

ARVO_BEGIN_DECLS

#define ARVO_BROKER_QUEUE_MAX_DEFAULT      1000u
#define ARVO_BROKER_DELIVERIES_MAX_DEFAULT 100000u /* per publish or resume; stops event loops */

#define ARVO_RETRY_ATTEMPTS_MAX_DEFAULT 8u
#define ARVO_RETRY_FIRST_MS_DEFAULT     1000
#define ARVO_RETRY_FACTOR_DEFAULT       3.0
#define ARVO_RETRY_CAP_MS_DEFAULT       ((int64_t)10 * 60 * 1000)

/* When a delivery that failed is tried again: first_ms * factor^(n-1) after the n-th attempt, at
 * most cap_ms, and of that a share between a half and all of it, which differs from event to event.
 * With the defaults 1, 3, 9, 27, 81, 243 and 600 s at most; the eighth attempt is the last. */
typedef struct arvo_retry {
    uint32_t attempts_max; /* 0: the default; 1: never again; at most 1000 */
    int64_t first_ms;      /* 0: the default */
    double factor;         /* 0: the default; else 1 or more */
    int64_t cap_ms;        /* 0: the default; at most 30 days */
} arvo_retry;

typedef enum arvo_handled_by {
    ARVO_HANDLED_BY_NOBODY = 0,
    ARVO_HANDLED_BY_ORCHESTRATOR,
    ARVO_HANDLED_BY_HANDLER,
    ARVO_HANDLED_BY_MOCK
} arvo_handled_by;

/* What became of one published event; borrowed for the call. */
typedef struct arvo_delivery {
    const arvo_event *event;
    arvo_str event_json;
    arvo_str domains; /* JSON array */
    arvo_handled_by handled_by;
    arvo_str name;             /* orchestrator source or handler type */
    arvo_str version;          /* of the machine; none for a handler */
    const arvo_result *result; /* orchestrator: what came of it; NULL otherwise or when it failed */
    arvo_event_list replies;   /* handler */
    arvo_status status;        /* a delivery that failed: transaction error or violation */
    const arvo_error *error;   /* then; else NULL */
    uint32_t depth;            /* hops from the first event of this publish */
    int64_t seq;               /* of the outbox row; 0: it is from none */
    uint32_t attempts;         /* of a row: deliveries that failed, this one included */
    int64_t retry_ms;          /* > 0: it failed, and waits so long for its next attempt */
    bool is_dead;              /* it failed, and is a dead letter */
} arvo_delivery;

typedef struct arvo_broker_opts {
    const arvo_allocator *allocator;
    arvo_memory *memory;     /* borrowed; the store whose outbox is delivered; NULL: queue only */
    uint32_t queue_max;      /* of the queue in memory; 0: the default */
    uint32_t deliveries_max; /* 0: the default */
    arvo_retry retry;        /* for stores with claims */
    int64_t claim_ms;        /* of what is claimed at a time; 0: ARVO_CLAIM_MS_DEFAULT */
    bool waits;              /* publish and resume wait for next attempts, too */
    /* How long publish and resume, when there is nothing left to do, wait for what another
     * deliverer has claimed and may have died with; 0: not at all. */
    int64_t patience_ms;
    const arvo_platform *platform;   /* for the claims' token, and its log; NULL: the system's */
    const arvo_telemetry *telemetry; /* of mocks, and handlers without their own; NULL: off */
    /* Once per published event, in order, after it was handled. Return false to stop: an event of
     * the outbox that nobody here serves is then shown again by the next resume. */
    bool (*on_event)(void *user, const arvo_delivery *delivery);
    void *user;
} arvo_broker_opts;

typedef struct arvo_broker arvo_broker;

/**
 * @param out  Owned (arvo_broker_free()).
 * @return ARVO_OK, ARVO_E_INVALID (retry, telemetry), ARVO_E_VERSION (telemetry, log), ARVO_E_IO
 * (random source), ARVO_E_NOMEM, or what the store's outbox_list said.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_broker_new(const arvo_broker_opts *opts, arvo_broker **out, arvo_error *err);
/** What the queue in memory still holds is gone; an outbox is the store's, and nothing of it is
 * claimed between calls. NULL is fine. */
ARVO_API void arvo_broker_free(arvo_broker *broker);

/** Register under its source or type; borrowed for the broker's life.
 * @return ARVO_OK, ARVO_E_EXISTS (its address is taken), ARVO_E_NOMEM. */
ARVO_API ARVO_NODISCARD arvo_status
arvo_broker_add_orchestrator(arvo_broker *broker, arvo_orchestrator *orchestrator, arvo_error *err);
ARVO_API ARVO_NODISCARD arvo_status
arvo_broker_add_handler(arvo_broker *broker, arvo_handler *handler, arvo_error *err);

/**
 * Deliver `event`, then everything that waits in the outbox or the queue, until nothing moves. An
 * event whose `to` is only its type, and served by nobody, goes to the orchestrator that its
 * subject names.
 *
 * @param event  Valid (arvo_event_validate()); borrowed for the call.
 * @return ARVO_OK; the status of the event's own delivery, behind which nothing else was tried;
 *         else that of the first waiting one that failed and was not delivered since, after all
 *         others were (when it is tried again: see above); ARVO_E_FULL (queue_max, deliveries_max;
 *         everything that was made is kept, arvo_broker_resume() goes on); ARVO_E_NOMEM (from the
 *         queue in memory, what the last delivery made may be missing: its orchestrator gives it
 *         again when it is handed the same event).
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_broker_publish(arvo_broker *broker, const arvo_event *event, arvo_error *err);

/** Deliver what still waits in the outbox or the queue, what failed before too (from a store with
 * claims: what is due). Else as arvo_broker_publish(). */
ARVO_API ARVO_NODISCARD arvo_status arvo_broker_resume(arvo_broker *broker, arvo_error *err);

ARVO_END_DECLS

#endif
