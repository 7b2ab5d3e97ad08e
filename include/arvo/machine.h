/* arvo/machine.h - machine documents, compiled charts, and the statechart algorithm.
 *
 * A machine is an XState 5 configuration as data (DESIGN 5), compiled once,
 * and stepped: snapshot + event -> snapshot + emissions. The semantics are
 * those of XState 5.33.3 (spec 11); what Arvo forbids is refused on creation.
 *
 * Threads: a machine is immutable after creation; any number of threads may
 *          execute it at once. Guard and action functions must allow that.
 */
#ifndef ARVO_MACHINE_H
#define ARVO_MACHINE_H

#include <arvo/contract.h>
#include <arvo/document.h>
#include <arvo/event.h>

ARVO_BEGIN_DECLS

#define ARVO_MACHINE_STATES_MAX             10000u
#define ARVO_MACHINE_DEPTH_MAX              64u
#define ARVO_MACHINE_MICROSTEPS_MAX_DEFAULT 1000u  /* per macrostep; past it: ARVO_E_EXECUTION */
#define ARVO_MACHINE_EMISSIONS_MAX          10000u /* per macrostep */
#define ARVO_EXPRESSION_TIME_MS_MAX         250u   /* one expression that runs in jq */
#define ARVO_EXPRESSION_BYTES_MAX           ((size_t)16 * 1024 * 1024) /* one result */

typedef struct arvo_machine arvo_machine;

/* ---- Guards and actions in C ---------------------------------------------- */

/* What a guard or action sees. All of it is borrowed for the call. */
typedef struct arvo_scope {
    const arvo_json *context;
    const arvo_json *event;  /* {"type": "xstate.init", "input": ...} during the start */
    const arvo_json *input;  /* the start event, as its JSON object; NULL when not known */
    const arvo_json *params; /* NULL: none */
    arvo_arena *arena;       /* for values to build; rewound after the step is written */
    void *user;              /* from the definition table */
    struct arvo__scope_impl *impl;
} arvo_scope;

typedef bool (*arvo_guard_fn)(const arvo_scope *scope);
typedef void (*arvo_action_fn)(const arvo_scope *scope);

/* Tables end with a row whose name is NULL. */
typedef struct arvo_guard_def {
    const char *name;
    arvo_guard_fn guard;
    void *user;
} arvo_guard_def;

typedef struct arvo_action_def {
    const char *name;
    arvo_action_fn action;
    void *user;
} arvo_action_def;

/* What an action may do; calls take effect in order, as XState's enqueueActions. */
ARVO_API void arvo_scope_assign(const arvo_scope *scope, arvo_str key, const arvo_json *value);
ARVO_API void arvo_scope_raise(const arvo_scope *scope, const arvo_json *event);
/** `emission` has the keys of the emit action's params (DESIGN 5). */
ARVO_API void arvo_scope_emit(const arvo_scope *scope, const arvo_json *emission);
ARVO_API void arvo_scope_log(const arvo_scope *scope, arvo_str message);
/** Guards and actions: the step fails with this as the workflow error; first call wins. */
ARVO_API void arvo_scope_fail(const arvo_scope *scope, arvo_str name, arvo_str message);

/* ---- Machines --------------------------------------------------------------- */

typedef struct arvo_machine_setup {
    const arvo_allocator *allocator; /* NULL: malloc */
    arvo_contracts *contracts;       /* retained; NULL: only for documents without contracts */
    const arvo_guard_def *guards;    /* copied; NULL: none */
    const arvo_action_def *actions;  /* copied; NULL: none */
    uint32_t microsteps_max;         /* 0: ARVO_MACHINE_MICROSTEPS_MAX_DEFAULT */
} arvo_machine_setup;

/**
 * Compile a machine document (kind machine). One whose expressions need jq starts a process that
 * runs them within bounds, and ends it with the machine (docs/expressions.md); native ones do not.
 * @param out  Owned (arvo_machine_unref()).
 * @param err  "file:line: pointer: what, what to do".
 * @return ARVO_OK, ARVO_E_INVALID, ARVO_E_UNSUPPORTED (invoke, after, ...), ARVO_E_NOT_FOUND (a
 *         contract or version that is not in the set), ARVO_E_TOO_BIG, ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_machine_create(
    const arvo_machine_setup *setup, const arvo_document *document, arvo_machine **out,
    arvo_error *err);

/** The same for a JSON text in memory. */
ARVO_API ARVO_NODISCARD arvo_status arvo_machine_create_text(
    const arvo_machine_setup *setup, arvo_str json, arvo_machine **out, arvo_error *err);

/* A machine without a chart, for an execution engine of your own. */
typedef struct arvo_machine_custom {
    arvo_str id;
    arvo_str self_uri;               /* an orchestrator contract in setup->contracts */
    arvo_str version;                /* one of its versions */
    const char *const *service_uris; /* ended by NULL; latest versions; may be NULL */
    arvo_str definition;             /* bytes that identify the logic; hashed */
    uint32_t executionunits;
    const void *logic; /* borrowed for the machine's life; arvo_machine_logic() gives it back */
} arvo_machine_custom;

ARVO_API ARVO_NODISCARD arvo_status arvo_machine_create_custom(
    const arvo_machine_setup *setup, const arvo_machine_custom *custom, arvo_machine **out,
    arvo_error *err);

ARVO_API arvo_machine *arvo_machine_ref(arvo_machine *machine);
ARVO_API void arvo_machine_unref(arvo_machine *machine);

ARVO_API arvo_str arvo_machine_id(const arvo_machine *machine);
ARVO_API arvo_str arvo_machine_version(const arvo_machine *machine); /* none without contracts */
/** Type of its start event, `arvo.orc.{name}`; none without contracts. */
ARVO_API arvo_str arvo_machine_source(const arvo_machine *machine);
ARVO_API const arvo_contract_version *
arvo_machine_self(const arvo_machine *machine); /* NULL: none */
ARVO_API size_t arvo_machine_service_count(const arvo_machine *machine);
ARVO_API const arvo_contract_version *
arvo_machine_service_at(const arvo_machine *machine, size_t i);
/** The service that accepts `type` (what the machine may call); NULL: none. */
ARVO_API const arvo_contract_version *
arvo_machine_service_find(const arvo_machine *machine, arvo_str type);
/** The service that emits `type`, its system error included, and the rule; NULL: none. */
ARVO_API const arvo_contract_version *arvo_machine_service_emitting(
    const arvo_machine *machine, arvo_str type, const arvo_event_rule **out_rule);
/** Default cost put on each emission; `executionunits` of the document. */
ARVO_API double arvo_machine_executionunits(const arvo_machine *machine);
ARVO_API bool arvo_machine_has_executionunits(const arvo_machine *machine);
/** The definition as compact JSON, and its hash in 32 hex digits. */
ARVO_API arvo_str arvo_machine_definition(const arvo_machine *machine);
ARVO_API arvo_str arvo_machine_definition_hash(const arvo_machine *machine);
ARVO_API const void *arvo_machine_logic(const arvo_machine *machine);
/** Whether an expression outside `context` reads `input`, so that the start event must be kept and
 * given to every later step. Always false for a custom machine. */
ARVO_API bool arvo_machine_keeps_input(const arvo_machine *machine);

/* ---- One macrostep ----------------------------------------------------------- */

/* A raw emission, as the machine made it, in the order it made it. */
typedef struct arvo_emission {
    arvo_str type;
    const arvo_json *data;
    const arvo_json *domains;        /* array of strings; NULL: default */
    arvo_str to;                     /* none: not given */
    arvo_str redirectto;             /* none: not given */
    arvo_str accesscontrol;          /* none: not given */
    arvo_str dataschema;             /* none: not given */
    arvo_str id;                     /* none: not given */
    const arvo_json *executionunits; /* number; NULL: not given */
    const arvo_json *extensions;     /* object; NULL: none */
} arvo_emission;

typedef enum arvo_machine_status {
    ARVO_MACHINE_ACTIVE = 0,
    ARVO_MACHINE_DONE,
    ARVO_MACHINE_ERROR,
    ARVO_MACHINE_STOPPED
} arvo_machine_status;

/** "active", "done", "error", "stopped". Static. */
ARVO_API const char *arvo_machine_status_name(arvo_machine_status status);

typedef struct arvo_machine_input {
    arvo_str state;         /* persisted snapshot as JSON bytes; none: start */
    const arvo_json *input; /* the start event as JSON (its `input`); NULL when not known. When
                               starting: required unless the document uses no input */
    const arvo_json *event; /* event to send, an object with a string `type`; NULL: none (start) */
    /* Instead of `state`: the output of the step before, whose arena has not been rewound. The
     * machine goes on as an XState actor that was never stopped, which remembers what a persisted
     * snapshot does not hold: the order in which its states became active (spec 11.4). */
    const struct arvo_machine_output *previous;
    /* Do not write `state` and `value` of the output: for a run that goes on from `previous`, where
     * nobody reads them. A step without an event and without this writes them at any time. */
    bool in_memory;
} arvo_machine_input;

typedef struct arvo_machine_output {
    arvo_str state; /* the new persisted snapshot, compact JSON, key order of spec 11.14; arena.
                       None with input.in_memory */
    arvo_str value; /* its `value`, JSON: a slice of state */
    arvo_machine_status status;
    bool became_done; /* this step moved status to done */
    const arvo_json *context;
    const arvo_json *output; /* NULL: undefined */
    const arvo_emission *emissions;
    size_t emission_count;
    const arvo_str *logs; /* `log` actions' messages, in order */
    size_t log_count;
    arvo_str error_name; /* a failed step: the workflow error; none otherwise */
    arvo_str error_message;
    const struct arvo__snapshot *snapshot; /* for input.previous; NULL from other engines */
} arvo_machine_output;

/**
 * Start the machine (state none) or send it one event, to completion.
 *
 * @param out  Written on success and with ARVO_E_EXECUTION (then: status error, error_name and
 *             error_message set, no emissions, `state` as XState persists it: the snapshot before
 *             the event with status error and the error). Everything in the arena.
 * @return ARVO_OK, ARVO_E_EXECUTION (a guard, action or expression failed, a bound was passed),
 *         ARVO_E_INCOMPATIBLE_STATE (the snapshot does not fit the chart), ARVO_E_NOMEM.
 *         Law: the same machine, input and functions give the same output.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_machine_execute(
    const arvo_machine *machine, const arvo_machine_input *input, arvo_arena *arena,
    arvo_machine_output *out, arvo_error *err);

/**
 * The `tags` of the states that are active after a step, each once: an array of strings in the
 * order in which XState's `snapshot.tags` lists them.
 * @param output  Of arvo_machine_execute() with `machine`, its arena not rewound. The output of
 *                another engine has no tags.
 * @return Arena; NULL when out of memory.
 */
ARVO_API const arvo_json *arvo_machine_tags(
    const arvo_machine *machine, const arvo_machine_output *output, arvo_arena *arena);

/* ---- Engines ------------------------------------------------------------------ */

#define ARVO_ENGINE_OPS_VERSION 1u

/* Another state machine framework in Arvo's place: same contract as
 * arvo_machine_execute(). `state` may be any JSON object of the engine's own. */
typedef struct arvo_engine {
    uint32_t version; /* ARVO_ENGINE_OPS_VERSION */
    arvo_status (*execute)(
        void *self, const arvo_machine *machine, const arvo_machine_input *input, arvo_arena *arena,
        arvo_machine_output *out, arvo_error *err);
    void *self;
} arvo_engine;

/** arvo_machine_execute() as an engine. Static. */
ARVO_API const arvo_engine *arvo_engine_statechart(void);

ARVO_END_DECLS

#endif
