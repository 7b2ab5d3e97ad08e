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
 * and nobody here serves is left there. An event whose delivery fails stays
 * where it is, in the outbox or the queue, with the later ones of the same
 * subject; others go on.
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
} arvo_delivery;

typedef struct arvo_broker_opts {
    const arvo_allocator *allocator;
    arvo_memory *memory;     /* borrowed; the store whose outbox is delivered; NULL: queue only */
    uint32_t queue_max;      /* of the queue in memory; 0: the default */
    uint32_t deliveries_max; /* 0: the default */
    /* Once per published event, in order, after it was handled. Return false to stop: an event of
     * the outbox that nobody here serves is then shown again by the next resume. */
    bool (*on_event)(void *user, const arvo_delivery *delivery);
    void *user;
} arvo_broker_opts;

typedef struct arvo_broker arvo_broker;

/**
 * @param out  Owned (arvo_broker_free()).
 * @return ARVO_OK, ARVO_E_NOMEM, or what the store's outbox_list said.
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_broker_new(const arvo_broker_opts *opts, arvo_broker **out, arvo_error *err);
/** What the queue in memory still holds is gone; an outbox is the store's. NULL is fine. */
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
 *         else that of the first waiting one that failed, after all others were delivered (it is
 *         tried again by the next arvo_broker_resume()); ARVO_E_FULL (queue_max, deliveries_max;
 *         everything that was made is kept, arvo_broker_resume() goes on); ARVO_E_NOMEM (from the
 *         queue in memory, what the last delivery made may be missing: its orchestrator gives it
 *         again when it is handed the same event).
 */
ARVO_API ARVO_NODISCARD arvo_status
arvo_broker_publish(arvo_broker *broker, const arvo_event *event, arvo_error *err);

/** Deliver what still waits in the outbox or the queue, what failed before too. Else as
 * arvo_broker_publish(). */
ARVO_API ARVO_NODISCARD arvo_status arvo_broker_resume(arvo_broker *broker, arvo_error *err);

ARVO_END_DECLS

#endif
