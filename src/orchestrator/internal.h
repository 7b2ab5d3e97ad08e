/* orchestrator/internal.h - what the files of this layer share. */
#ifndef ARVO_SRC_ORCHESTRATOR_INTERNAL_H
#define ARVO_SRC_ORCHESTRATOR_INTERNAL_H

#include <arvo/orchestrator.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/internal.h"
#include "json/internal.h"

/* The domains of an event that names none, as stores keep them. */
#define ARVO__DOMAINS_PLAIN "[\"default\"]"

/* An event as stores keep it: with the columns by which it is found. */
static inline arvo_stored_event
arvo__stored_event(
    arvo_direction direction, arvo_str subject, const arvo_event *event, arvo_str domains,
    arvo_str json)
{
    return (arvo_stored_event){ .direction = direction,
                                .subject = subject,
                                .id = event->id,
                                .source = event->source,
                                .type = event->type,
                                .domains = domains,
                                .json = json };
}

/* The lease of a running execution, where the keeper finds it (keeper.c). */
typedef struct arvo__hold {
    struct arvo__hold *next; /* in the keeper's list, for good */
    _Atomic uint64_t word;   /* the execution's number, and who has the rest */
    /* Whoever `word` says may touch: */
    const struct arvo_orchestrator *orchestrator;
    arvo_str subject;
    arvo_lease lease;
    bool is_lost;
    /* The keeper alone: */
    bool is_said;     /* of this execution: that it goes on for too long */
    uint64_t seen;    /* word without its state, at the last look; 0: none */
    int64_t since_ns; /* when that execution was first seen */
} arvo__hold;

/* What one execution reuses from the last: taken from a pool, so that a warm
 * orchestrator allocates nothing per event. */
typedef struct arvo__scratch {
    struct arvo__scratch *next;
    arvo__hold hold;
    arvo_subject_codec *codec;     /* of events' subjects and of a start's parent */
    arvo_subject_codec *relatives; /* of any number of other parents; NULL until there is one */
    arvo_buf text;                 /* one event's JSON while it is written */
} arvo__scratch;

/* The pool of one orchestrator, or of several that share it (scratch.c). */
typedef struct arvo__scratch_pool arvo__scratch_pool;

/* NULL: out of memory. */
arvo__scratch_pool *arvo__scratch_pool_new(const arvo_allocator *allocator, bool lenient);
arvo__scratch_pool *arvo__scratch_pool_ref(arvo__scratch_pool *pool);
void arvo__scratch_pool_unref(arvo__scratch_pool *pool);
bool arvo__scratch_pool_is_shared(const arvo__scratch_pool *pool);
bool arvo__scratch_pool_is_lenient(const arvo__scratch_pool *pool);

/* NULL: out of memory. */
arvo__scratch *arvo__scratch_take(arvo__scratch_pool *pool);
void arvo__scratch_give(arvo__scratch_pool *pool, arvo__scratch *scratch);
/* The codec `relatives`, made when first asked for; NULL: out of memory. */
arvo_subject_codec *arvo__scratch_relatives(const arvo__scratch_pool *pool, arvo__scratch *scratch);

/* Renews the leases of executions that take long; one to a pool (keeper.c). */
typedef struct arvo__keeper arvo__keeper;

/* NULL: out of memory. */
arvo__keeper *arvo__keeper_new(const arvo_allocator *allocator);
/* No execution may be running. NULL is fine. */
void arvo__keeper_free(arvo__keeper *keeper);
/* A hold that it looks after from now on; it must live as long as the keeper. */
void arvo__keeper_add(arvo__keeper *keeper, arvo__hold *hold);
arvo__keeper *arvo__scratch_pool_keeper(const arvo__scratch_pool *pool);

struct arvo_orchestrator {
    const arvo_allocator *allocator; /* NULL, or &allocator_copy */
    arvo_allocator allocator_copy;
    arvo_memory *memory;
    const arvo_memory_ops *store; /* its table, and self */
    void *store_self;
    arvo_machine **machines; /* owned references */
    size_t machine_count;
    const arvo_contract_version *self; /* of machines[0]: types and system error */
    arvo_str source;
    arvo_registry registry;
    const arvo_engine *engine;
    const arvo_platform *platform;
    const arvo_telemetry *telemetry; /* NULL: off */
    double executionunits;
    arvo_violations violations;
    int64_t lease_ms;
    int64_t lock_wait_ms;
    int64_t renew_max_ms; /* 0: leases are not renewed */
    bool error_stack;
    bool has_commit;
    bool keeps_history; /* the store wants the consumed event's text, too */
    arvo__scratch_pool *pool;
};

/* The registry over opts->machines. */
arvo_status arvo__registry_resolve(
    void *self, arvo_str name, arvo_str version, const arvo_machine **out, arvo_error *err);

/* One event on its way through the ten steps (execute.c). */
typedef struct arvo__execution {
    arvo_orchestrator *orchestrator;
    const arvo_event *event;
    int64_t outbox_seq;
    arvo_arena *arena;
    arvo_error *err;
    arvo__scratch *scratch;

    /* Telemetry; NULL and none when it is off. */
    arvo_span *span;
    arvo_trace_context context; /* of that span */
    int64_t start_ns;
    int64_t now_ns;       /* where the last phase ended */
    int64_t locked_ns;    /* since when the lock is held; 0: it was not taken */
    arvo_str traceparent; /* of what is emitted */
    arvo_str tracestate;

    arvo_subject subject; /* of the event; step 2 */
    arvo_lease lease;     /* step 3 */
    bool is_locked;
    bool is_read;     /* step 3 did step 4 too */
    bool is_consumed; /* then: the inbox has the event */
    bool has_record;  /* step 4 */
    arvo_record record;
    bool is_settled;             /* step 5, or a duplicate: nothing more to do */
    arvo_str parent_subject;     /* nullable */
    const arvo_machine *machine; /* step 6 */
    const arvo_json *event_json; /* step 7: with normalised data */
    arvo_machine_output output;  /* step 8 */
    const arvo_event **events;   /* step 9 */
    const arvo_json **domains;   /* of each event: array of strings; NULL: default */
    arvo_str *event_texts;
    arvo_str *domain_texts;
    size_t event_count;
    size_t event_cap;
    arvo_domain_events *by_domain;
    size_t domain_count;
    unsigned children_remembered;

    /* A workflow error, set by whichever step returned E_CONTRACT, E_CONFIG or E_EXECUTION. */
    arvo_str error_name;
    arvo_str error_message;
    arvo_str last_error; /* JSON for the record; step 9 of a failure */
    const char *ignored; /* outcome IGNORED: why */
    arvo_outcome outcome;
} arvo__execution;

/* The domains of one of x->events, of which there is always one. */
static inline size_t
arvo__domain_count(const arvo__execution *x, size_t event)
{
    return x->domains[event] == NULL ? 1 : arvo_json_count(x->domains[event]);
}

static inline arvo_str
arvo__domain_name(const arvo__execution *x, size_t event, size_t domain)
{
    return x->domains[event] == NULL ? ARVO_STR("default")
                                     : arvo_json_str(arvo_json_at(x->domains[event], domain));
}

/* Whether it becomes a system error, which is committed (execute.c). */
static inline bool
arvo__is_workflow_error(arvo_status status)
{
    return status == ARVO_E_CONTRACT || status == ARVO_E_CONFIG || status == ARVO_E_EXECUTION;
}

/* keeper.c: have the lease renewed from now on; take over what was renewed; no more. Each does
 * nothing when leases are not renewed. */
void arvo__hold_begin(arvo__execution *x);
void arvo__hold_refresh(arvo__execution *x);
void arvo__hold_end(arvo__execution *x);

/* Record a workflow error and return `status`. */
arvo_status
arvo__execution_fail_with(arvo__execution *x, arvo_status status, arvo_str name, arvo_str message);
#define arvo__execution_fail(x, status, name, ...)                                                 \
    arvo__execution_fail_with(                                                                     \
        (x), (status), ARVO_STR(name), arvo_arena_printf((x)->arena, __VA_ARGS__))

/* A copy of what somebody said of an error, fit for an event: what is no UTF-8 is shown as \xHH.
 * ptr NULL: none, or out of memory. */
arvo_str arvo__error_message(arvo_arena *arena, arvo_str text);

/* Step 9 (emission.c): turn x->output into x->events; or a workflow error into its system error. */
arvo_status arvo__emission_build(arvo__execution *x);
arvo_status arvo__emission_build_error(arvo__execution *x);
/* The recorded events of an event that was consumed before. */
arvo_status arvo__emission_recorded(arvo__execution *x, arvo_str json, arvo_str domains);

/* result.c: put x->events by domain, which may fail, and build the result, which does not. */
arvo_status arvo__result_prepare(arvo__execution *x);
arvo_result arvo__result_build(const arvo__execution *x);

/* log.c: each does nothing when nobody hears it. */
void
arvo__execution_log_outcome(const arvo__execution *x, arvo_status status, const arvo_error *err);
/* Around the wait for the lock. Gives the time, which is for the end. */
int64_t arvo__execution_lock_begin(const arvo__execution *x);
void arvo__execution_lock_end(const arvo__execution *x, int64_t start_ns);
void arvo__execution_lock_kept(const arvo__execution *x, const arvo_error *why);
/* Of a lease that is not renewed; `why` is nullable. The hold is the caller's. */
void arvo__hold_log(const arvo__hold *hold, const char *what, const arvo_error *why);

/* trace.c: each does nothing when telemetry is off. */
void arvo__trace_open(arvo__execution *x);
void arvo__trace_close(arvo__execution *x, arvo_status status, const arvo_error *err);
void arvo__trace_log_text(arvo__execution *x, arvo_severity severity, arvo_str text);
#define arvo__trace_log(x, severity, ...)                                                          \
    do {                                                                                           \
        if ((x)->span != NULL)                                                                     \
            arvo__trace_log_text((x), (severity), arvo_arena_printf((x)->arena, __VA_ARGS__));     \
    } while (0)
/* A commit was refused: somebody else has the lock by now. */
void arvo__trace_lease_lost(const arvo__execution *x);
/* What was done since the last phase belongs to none. */
void arvo__trace_mark(arvo__execution *x);
/* A child span around one phase, which begins where the last one ended, until
 * arvo__trace_phase_end. ARVO_MEASURE_COUNT: nothing is measured. */
arvo_span *arvo__trace_phase(arvo__execution *x, const char *name, int64_t *out_start_ns);
/* The same, called NAME<type>, around the making of an event. */
arvo_span *arvo__trace_phase_of(arvo__execution *x, const char *name, arvo_str type);
/* What is said of a phase's span; NULL is fine, and so is a value of none. */
void arvo__trace_phase_event(arvo__execution *x, arvo_span *span, const arvo_event *event);
void arvo__trace_phase_str(arvo__execution *x, arvo_span *span, const char *key, arvo_str value);
void arvo__trace_phase_end(
    arvo__execution *x, arvo_span *span, arvo_measure measure, int64_t start_ns,
    arvo_status status);

#endif
