/* arvo/orchestrator.h - one event through the ten steps (DESIGN 1).
 *
 * Source: spec 8 to 10; departures: DESIGN 6.
 *
 * Threads: an orchestrator, a registry and what they use may be shared by any
 *          number of threads. An arena and a result serve one thread.
 */
#ifndef ARVO_ORCHESTRATOR_H
#define ARVO_ORCHESTRATOR_H

#include <arvo/machine.h>
#include <arvo/memory.h>
#include <arvo/telemetry.h>

ARVO_BEGIN_DECLS

/* ---- Registry ---------------------------------------------------------------- */

#define ARVO_REGISTRY_OPS_VERSION 1u

/* Where machines come from. resolve: name is the start event's type
 * (arvo.orc.{name}), version "0.0.0" means the latest. *out NULL and ARVO_OK
 * when there is none. A machine is borrowed: it must live as long as an
 * execution that uses it and the results of that. Any status but ARVO_OK and
 * ARVO_E_NOMEM is a workflow error, ConfigViolation. */
typedef struct arvo_registry {
    uint32_t version; /* ARVO_REGISTRY_OPS_VERSION */
    arvo_status (*resolve)(
        void *self, arvo_str name, arvo_str version, const arvo_machine **out, arvo_error *err);
    void *self;
} arvo_registry;

/* ---- Orchestrator --------------------------------------------------------------- */

typedef enum arvo_violations {
    /* Contract, configuration and execution violations become sys.*.error events, as the product
     * description says. */
    ARVO_VIOLATIONS_EVENT = 0,
    /* They are returned to the caller, as arvo-xstate 2.3.3 does; nothing is changed. */
    ARVO_VIOLATIONS_RETURN
} arvo_violations;

#define ARVO_LEASE_RENEW_MAX_MS_DEFAULT ((int64_t)10 * 60 * 1000)

typedef struct arvo_orchestrator arvo_orchestrator;

typedef struct arvo_orchestrator_opts {
    const arvo_allocator *allocator; /* NULL: malloc */
    arvo_memory *memory;             /* borrowed for the orchestrator's life; required */
    arvo_machine *const *machines;   /* retained; one source, distinct versions; at least one */
    size_t machine_count;
    const arvo_registry *registry;   /* NULL: one over `machines` */
    const arvo_engine *engine;       /* NULL: arvo_engine_statechart() */
    const arvo_platform *platform;   /* NULL: arvo_platform_system() */
    const arvo_telemetry *telemetry; /* NULL: off */
    double executionunits; /* of emissions when neither they nor their machine say; >= 0 */
    arvo_violations violations;
    int64_t lease_ms;     /* 0: ARVO_LEASE_MS_DEFAULT */
    int64_t lock_wait_ms; /* 0: ARVO_LOCK_WAIT_MS_DEFAULT; < 0: do not wait */
    /* A step that takes longer than its lease keeps its lock: the lease is renewed by a thread of
     * the orchestrator's, which begins with the first execution and ends with the last orchestrator
     * that shares its memory. That stops this long after the step began, so that one which hangs is
     * not in the way for ever. 0: ARVO_LEASE_RENEW_MAX_MS_DEFAULT; < 0: nothing is renewed, and
     * there is no thread (nor with a store that has no `renew`). */
    int64_t lease_renew_max_ms;
    bool error_stack; /* fill errorStack with where it failed; else null (D34) */
    bool lenient_subjects;
    /* Nullable. Its working memory (caches of decoded subjects, buffers) serves this one too: right
     * for orchestrators of one process that start each other. The allocator of that memory is the
     * first one's, which must outlive both; either orchestrator may be freed first. */
    const arvo_orchestrator *shares_with;
} arvo_orchestrator_opts;

/**
 * @param out  Owned (arvo_orchestrator_free()).
 * @return ARVO_OK, ARVO_E_INVALID (names the option: no machines, machines of different sources, a
 * version twice, a table of the wrong version or with holes, lenient_subjects other than in
 * shares_with), ARVO_E_VERSION (telemetry, log), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_orchestrator_create(
    const arvo_orchestrator_opts *opts, arvo_orchestrator **out, arvo_error *err);

/** No execution may be running. NULL is fine. */
ARVO_API void arvo_orchestrator_free(arvo_orchestrator *orchestrator);

/** Type of its start event: the event address of this orchestrator. */
ARVO_API arvo_str arvo_orchestrator_source(const arvo_orchestrator *orchestrator);
ARVO_API size_t arvo_orchestrator_machine_count(const arvo_orchestrator *orchestrator);
ARVO_API const arvo_machine *
arvo_orchestrator_machine_at(const arvo_orchestrator *orchestrator, size_t i);
ARVO_API arvo_memory *arvo_orchestrator_memory(const arvo_orchestrator *orchestrator);

/* ---- Result ----------------------------------------------------------------------- */

typedef enum arvo_outcome {
    ARVO_OUTCOME_EXECUTED = 0, /* the machine took a step */
    ARVO_OUTCOME_IGNORED,      /* misrouted, or the instance was already done: nothing changed */
    ARVO_OUTCOME_DUPLICATE,    /* consumed before: the recorded events are returned */
    ARVO_OUTCOME_FAILED        /* a workflow error: events holds the sys.*.error event */
} arvo_outcome;

typedef struct arvo_domain_events {
    arvo_str name;
    arvo_event_list events;
} arvo_domain_events;

/* Valid until the arena given to execute is rewound, or the orchestrator or the event goes. The
 * events of `all` are the arena's and, but for data taken from the event, need neither of them. */
typedef struct arvo_result {
    arvo_outcome outcome;
    arvo_event_list events;            /* the domain `default`, in order */
    arvo_event_list all;               /* every event, in order */
    const arvo_domain_events *domains; /* in the order of their first use */
    size_t domain_count;

    /* For traces and logs. */
    arvo_str orchestrator;  /* source */
    arvo_str version;       /* of the machine that ran, else of the record; none without either */
    arvo_str status;        /* of the instance afterwards; none when there is no record */
    arvo_str value;         /* JSON text; none */
    arvo_str error_name;    /* FAILED: the workflow error; DUPLICATE: it was one, when recorded */
    arvo_str error_message; /* none without error_name */
    const arvo_str *logs;   /* the machine's log actions */
    size_t log_count;
    const arvo_str *event_json;    /* compact text of all.items[i], for all.count events */
    const arvo_str *event_domains; /* JSON array of the domains of all.items[i] */
} arvo_result;

/** Events of one domain; an empty list when none went there. */
ARVO_API arvo_event_list arvo_result_domain(const arvo_result *result, const char *domain);

/** Append `{"events", "allEventDomains", "domainedEvents"}` (spec 9.2 step 14). */
ARVO_API void arvo_result_write(const arvo_result *result, arvo_buf *out);

/**
 * Take one event through the ten steps.
 *
 * @param event   Valid (arvo_event_validate()); borrowed for the call.
 * @param arena   Receives the result; scratch too. Rewind it when you are done with the result.
 * @param result  Written on success only.
 * @param err     Nullable; one line that names the event.
 * @return ARVO_OK also for workflow errors (outcome FAILED). Transaction errors: ARVO_E_SUBJECT,
 *         ARVO_E_LOCK_FAILED, ARVO_E_LOCK_DENIED, ARVO_E_READ_FAILED, ARVO_E_WRITE_FAILED,
 *         ARVO_E_INCOMPATIBLE_STATE, ARVO_E_NOMEM, and what else an engine of your own returns:
 *         nothing changed, the event may be delivered again. With ARVO_VIOLATIONS_RETURN also
 *         ARVO_E_CONTRACT, ARVO_E_CONFIG, ARVO_E_EXECUTION.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_orchestrator_execute(
    arvo_orchestrator *orchestrator, const arvo_event *event, arvo_arena *arena,
    arvo_result *result, arvo_error *err);

/**
 * As arvo_orchestrator_execute(), for an event that was taken from the store's outbox: its row is
 * marked done in the same transaction (one transaction per hop). outbox_seq 0: none.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_orchestrator_execute_from(
    arvo_orchestrator *orchestrator, const arvo_event *event, int64_t outbox_seq, arvo_arena *arena,
    arvo_result *result, arvo_error *err);

/* ---- Event handlers (spec 10.1) ------------------------------------------------------ */

/* A stateless service bound to one contract: C functions per version, or a mock document. */
typedef struct arvo_handler arvo_handler;

/* What a handler function gets, and where it puts its answers. */
typedef struct arvo_handling {
    const arvo_event *event;
    const arvo_contract_version *contract; /* NULL in a handler without a contract */
    arvo_arena *arena;                     /* for values to build */
    void *user;
    struct arvo__handling_impl *impl;
} arvo_handling;

/* Return false after arvo_handling_fail(). */
typedef bool (*arvo_handler_fn)(const arvo_handling *handling);

/** Answer with an event: type, data, and optionally to, redirectto, accesscontrol, executionunits,
 * id, extensions of `fields`; the rest as spec 10.1.3. Without an id it gets one that depends on
 * the request and the answer's number only: handling a request again gives the same ids. */
ARVO_API void arvo_handling_emit(const arvo_handling *handling, const arvo_event *fields);
/** Answer with sys.{type}.error; always returns false, for `return arvo_handling_fail(...)`. */
ARVO_API bool arvo_handling_fail(const arvo_handling *handling, arvo_str name, arvo_str message);

typedef struct arvo_handler_version {
    const char *version; /* of the contract */
    arvo_handler_fn handle;
} arvo_handler_version;

typedef struct arvo_handler_opts {
    const arvo_allocator *allocator;
    arvo_contracts *contracts;            /* retained */
    const char *contract_uri;             /* in `contracts` */
    const arvo_handler_version *versions; /* one per contract version; ended by version NULL */
    void *user;
    double executionunits;
    const arvo_platform *platform;   /* NULL: the system's */
    const arvo_telemetry *telemetry; /* NULL: off */
} arvo_handler_opts;

/** @return ARVO_OK, ARVO_E_NOT_FOUND (contract), ARVO_E_INVALID (a version without function, a
 * table with holes), ARVO_E_VERSION (telemetry, log), ARVO_E_NOMEM. */
ARVO_API ARVO_NODISCARD arvo_status
arvo_handler_create(const arvo_handler_opts *opts, arvo_handler **out, arvo_error *err);

/**
 * A mock document (kind mock, DESIGN 5) as a handler.
 * @param contracts  Retained. Nullable: then requests and replies are not checked.
 * @param out        Owned (arvo_handler_free()).
 * @return ARVO_OK, ARVO_E_INVALID ("file:line: pointer: what"; also what an expression may not be),
 *         ARVO_E_UNSUPPORTED (jq where there is none), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_handler_create_mock(
    arvo_contracts *contracts, const arvo_document *document, arvo_handler **out, arvo_error *err);

/** No execution may be running. NULL is fine. */
ARVO_API void arvo_handler_free(arvo_handler *handler);
/** The event type it serves: its event address. */
ARVO_API arvo_str arvo_handler_type(const arvo_handler *handler);
ARVO_API bool arvo_handler_is_mock(const arvo_handler *handler);

/**
 * Handle one event.
 * @param event  Valid; borrowed for the call.
 * @param arena  Receives the answers; scratch too.
 * @param out    Written on success only: the answers, in order.
 * @return ARVO_OK (a failure of the function is a sys.*.error event among them), ARVO_E_CONFIG
 *         (another type, or a contract version there is not), ARVO_E_CONTRACT (the request or an
 *         answer breaks the contract; spec 10.1.2), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_handler_execute(
    arvo_handler *handler, const arvo_event *event, arvo_arena *arena, arvo_event_list *out,
    arvo_error *err);

ARVO_END_DECLS

#endif
