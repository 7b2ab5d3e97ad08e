/* machine/chart.h - a compiled machine: what the statechart algorithm reads.
 *
 * States are numbered in document order (a parent before its children, its
 * descendants right behind it), so "is a descendant of s" is a range check:
 * s < d && d < states[s].end. All of it lies in the machine's arena.
 */
#ifndef ARVO_SRC_MACHINE_CHART_H
#define ARVO_SRC_MACHINE_CHART_H

#include <stdatomic.h>

#include <arvo/machine.h>

#include "machine/bits.h"
#include "machine/expr.h"
#include "json/internal.h"

#define CHART_NONE      UINT16_MAX /* no state */
#define CHART_INDEX_MIN 16u        /* children that are worth an index */
#define CHART_ROOT      0u

typedef enum chart_type {
    CHART_ATOMIC = 0,
    CHART_COMPOUND,
    CHART_PARALLEL,
    CHART_FINAL,
    CHART_HISTORY
} chart_type;

/* A list of states. */
typedef struct chart_states {
    const uint16_t *items;
    uint32_t count;
} chart_states;

/* ---- Guards ---- */

typedef enum chart_guard_kind {
    CHART_GUARD_EXPRESSION = 0,
    CHART_GUARD_AND,
    CHART_GUARD_OR,
    CHART_GUARD_NOT,
    CHART_GUARD_STATE,       /* stateIn "#id" */
    CHART_GUARD_STATE_VALUE, /* stateIn with a state value */
    CHART_GUARD_CALL,        /* a C function */
    CHART_GUARD_NAMED        /* an entry of the document */
} chart_guard_kind;

typedef struct chart_guard {
    chart_guard_kind kind;
    arvo_str name;                           /* as written; none: an expression */
    const arvo__template *template_;         /* EXPRESSION; params of CALL and NAMED, or NULL */
    const struct chart_guard *const *guards; /* AND, OR, NOT; NAMED: the entry */
    uint32_t guard_count;
    uint16_t state;         /* STATE */
    const arvo_json *value; /* STATE_VALUE: a string or an object of such values */
    const arvo_guard_def *function;
} chart_guard;

/* ---- Actions ---- */

typedef enum chart_action_kind {
    CHART_ACTION_ASSIGN = 0, /* keys */
    CHART_ACTION_ASSIGN_OBJECT,
    CHART_ACTION_RAISE,
    CHART_ACTION_EMIT, /* fields */
    CHART_ACTION_EMIT_OBJECT,
    CHART_ACTION_LOG,
    CHART_ACTION_ENQUEUE,
    CHART_ACTION_CALL,
    CHART_ACTION_NAMED
} chart_action_kind;

typedef struct chart_actions {
    const struct chart_action *items;
    uint32_t count;
} chart_actions;

/* A key of assign, or a field of an emission (field: an index into arvo__emission_fields). */
typedef struct chart_slot {
    arvo_str key;
    uint32_t field;
    const arvo__template *value;
} chart_slot;

/* One item of enqueueActions. */
typedef struct chart_branch {
    const chart_guard *guard; /* NULL: always */
    chart_actions actions;
} chart_branch;

typedef struct chart_action {
    chart_action_kind kind;
    arvo_str name;
    const arvo__template *template_; /* of the whole params, where they are one; or NULL */
    const chart_slot *slots;
    uint32_t slot_count;
    const chart_branch *branches;
    uint32_t branch_count;
    const chart_actions *named;
    const arvo_action_def *function;
} chart_action;

/* ---- Transitions ---- */

/* A state that a transition enters. */
typedef struct chart_entry {
    uint16_t state;
    bool by_default; /* its initial actions run too */
} chart_entry;

typedef struct chart_transition {
    uint16_t source;
    bool reenter;
    bool is_static;  /* no target is a history state: `domain` is known */
    bool is_plain;   /* what it leaves and enters when it is taken alone is known, see below */
    uint16_t domain; /* CHART_NONE: none, everything is left */
    chart_states targets;
    const chart_guard *guard; /* NULL: always */
    chart_actions actions;
    /* If it is plain: it leaves the active states in [exit_from, exit_to) and enters these of the
     * same range, in document order. None of it depends on histories or on other transitions. */
    uint16_t exit_from;
    uint16_t exit_to;
    const chart_entry *entries;
    uint32_t entry_count;
} chart_transition;

typedef struct chart_transitions {
    const chart_transition *items;
    uint32_t count;
} chart_transitions;

/* What a state does about one event descriptor. */
typedef struct chart_handler {
    uint32_t event;      /* number of the descriptor */
    arvo_str descriptor; /* "*", "a.*" or an event type */
    arvo_str prefix;     /* of a wildcard: what stands before ".*"; "*": none */
    chart_transitions transitions;
} chart_handler;

typedef struct chart_state {
    arvo_str key;
    arvo_str quoted; /* the key as JSON text */
    arvo_str id;
    arvo_str done_type; /* xstate.done.state.{id} */
    uint16_t parent;    /* CHART_NONE: the root */
    uint16_t end;       /* number after its last descendant */
    uint16_t initial;   /* a child, or CHART_NONE */
    uint8_t type;       /* chart_type */
    uint8_t depth;
    bool is_deep;         /* of a history state */
    bool asks_always;     /* it or an ancestor has `always` */
    bool has_number_keys; /* some child's key is an array index to JavaScript */
    bool is_number_key;
    chart_states children;    /* all */
    const uint16_t *by_key;   /* children sorted by key, where they are many; or NULL */
    chart_states regions;     /* without history states */
    chart_states histories;   /* history children */
    chart_states targets;     /* of a history state: its default */
    bool defaults_to_initial; /* of a history state: the default is the parent's initial */
    chart_actions entry;
    chart_actions exit;
    chart_actions initial_actions;
    chart_transitions always;
    const chart_handler *handlers; /* sorted by event number */
    uint32_t handler_count;
    const chart_handler *const *wildcards; /* longest first */
    uint32_t wildcard_count;
    const arvo__template *output; /* of a final state and of the root; NULL: none */
    const arvo_json *tags;
    const arvo_json *meta;
} chart_state;

/* ---- The machine ---- */

typedef struct machine_service {
    arvo_str type;
    const arvo_contract_version *version;
    const arvo_event_rule *rule; /* in the table of emitted types */
} machine_service;

struct arvo_machine {
    atomic_size_t refs;
    const arvo_allocator *allocator;
    arvo_arena *arena;
    arvo_contracts *contracts;
    arvo__expr_set *expressions;
    uint32_t microsteps_max;

    arvo_str id;
    arvo_str version;
    arvo_str definition;
    arvo_str definition_hash;
    const void *logic;
    double executionunits;
    bool has_executionunits;
    bool is_custom;
    bool keeps_input;

    const arvo_contract_version *self;
    const arvo_contract_version **services;
    size_t service_count;
    machine_service *accepted; /* sorted by type */
    machine_service *emitted;  /* sorted by type */
    size_t accepted_count;
    size_t emitted_count;

    const chart_state *states;
    uint32_t state_count;
    uint32_t words;                /* of a set of states */
    arvo__map events;              /* descriptor -> number + 1 */
    arvo__map ids;                 /* id -> state + 1 */
    const arvo__template *context; /* NULL: {} */
    /* Its history states may lead to a value with two children of one compound state, or with a
     * history state in it: XState lets that happen, and resumes from it. */
    bool is_loose;
    bool has_always;        /* some state has */
    chart_transition start; /* into the initial states */
};

/* Fields of an emission, in the order of arvo__emission_fields. */
typedef enum emission_field {
    EMISSION_TYPE = 0,
    EMISSION_DATA,
    EMISSION_DOMAINS,
    EMISSION_TO,
    EMISSION_REDIRECTTO,
    EMISSION_ACCESSCONTROL,
    EMISSION_EXECUTIONUNITS,
    EMISSION_DATASCHEMA,
    EMISSION_ID,
    EMISSION_EXTENSIONS,
    EMISSION_FIELD_COUNT
} emission_field;

extern const char *const arvo__emission_fields[EMISSION_FIELD_COUNT];

/* EMISSION_FIELD_COUNT: no such field. */
emission_field arvo__emission_field_find(arvo_str key);

static inline bool
chart_is_descendant(const arvo_machine *machine, uint32_t state, uint32_t of)
{
    return of < state && state < machine->states[of].end;
}

static inline bool
chart_is_leaf(const chart_state *state)
{
    return state->type == CHART_ATOMIC || state->type == CHART_FINAL;
}

/* Whether a wildcard handler takes events of `type` (spec 11.3.3). */
static inline bool
chart_wildcard_matches(const chart_handler *wildcard, arvo_str type)
{
    const arvo_str prefix = wildcard->prefix;
    if (prefix.ptr == NULL)
        return true;
    return type.len >= prefix.len && memcmp(type.ptr, prefix.ptr, prefix.len) == 0 &&
           (type.len == prefix.len || type.ptr[prefix.len] == '.');
}

/* The state that path `text` names, begun at `from` (spec 11.2). CHART_NONE: none, with the reason
 * in `err`. ids may start with '#'. */
uint16_t arvo__chart_resolve_id(const arvo_machine *machine, arvo_str text, arvo_error *err);
uint16_t arvo__chart_resolve_path(
    const arvo_machine *machine, uint16_t from, arvo_str text, arvo_error *err);
uint16_t arvo__chart_child(const arvo_machine *machine, uint16_t parent, arvo_str key);

/* Some order of keys, quick to tell; as memcmp. */
int arvo__chart_key_order(arvo_str a, arvo_str b);

/* Domain of a transition whose effective targets are known (spec 11.6.2); CHART_NONE: none. */
uint16_t arvo__chart_domain(
    const arvo_machine *machine, const chart_transition *transition, const uint16_t *targets,
    uint32_t target_count);

/* State and its default descendants, as entered at the start (history states as they are):
 * appended to items, which has room for every state. */
void arvo__chart_initial_states(
    const arvo_machine *machine, uint16_t state, uint16_t *items, uint32_t *count);

/* The order in which JavaScript goes through an object's keys: array indices first, ascending,
 * then the others as written (spec 11.1.3: document order). `order` has room for all. */
void arvo__js_key_order(const arvo_json *object, size_t *order);
bool arvo__js_is_index(arvo_str key, uint32_t *value);

#endif
