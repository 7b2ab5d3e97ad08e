/* machine/check.h - the parts of the checker (check_*.c).
 *
 *   document --load, repairing what is refused--> machine --graph, calls, data, reads--> findings
 *
 * The chart says how states and transitions hang together; the document, walked in the same order,
 * says where that is written. */
#ifndef ARVO_SRC_MACHINE_CHECK_H
#define ARVO_SRC_MACHINE_CHECK_H

#include <arvo/check.h>

#include "machine/chart.h"

/* ---- Rules ---------------------------------------------------------------- */

/* The order is that of docs/machine-check.md, which a test compares. */
#define CHECK_RULES(X)                                                                             \
    X(INVALID_DOCUMENT, "invalid-document", ERROR, "a document that does not load",                \
      "write it as docs/documents.md says")                                                        \
    X(UNSUPPORTED, "unsupported", ERROR, "what XState has and Arvo does not",                      \
      "wait for an event in `on` instead")                                                         \
    X(DUPLICATE_DOCUMENT, "duplicate-document", ERROR, "the same contract, machine or mock twice", \
      "remove one of them, or give it another name")                                               \
    X(UNKNOWN_CONTRACT, "unknown-contract", ERROR, "a URI that no contract has",                   \
      "add the contract's document, or correct the URI")                                           \
    X(VERSION_MISMATCH, "version-mismatch", ERROR, "a version that is not there",                  \
      "name a version that the contract declares and a machine implements")                        \
    X(CIRCULAR_SERVICES, "circular-services", ERROR, "workflows that call each other in a circle", \
      "remove one of the services from the circle")                                                \
    X(UNLISTED_SERVICE, "unlisted-service", ERROR,                                                 \
      "a call of a service that the machine does not list",                                        \
      "list its contract under contracts.services")                                                \
    X(UNKNOWN_TARGET, "unknown-target", ERROR,                                                     \
      "a target, or a state in a guard, that is not there", "name a sibling, .child or #id")       \
    X(BAD_INITIAL, "bad-initial", ERROR, "an initial state that is not there",                     \
      "name one of the state's own `states`")                                                      \
    X(DUPLICATE_ID, "duplicate-id", ERROR, "two states with one id",                               \
      "give one of them another `id`")                                                             \
    X(UNKNOWN_GUARD, "unknown-guard", ERROR, "a guard that is not defined",                        \
      "define it under `guards`, or correct the name")                                             \
    X(UNKNOWN_ACTION, "unknown-action", ERROR, "an action that is not defined",                    \
      "define it under `actions`, or correct the name")                                            \
    X(BAD_EXPRESSION, "bad-expression", ERROR, "an expression that cannot be compiled",            \
      "correct it; docs/expressions.md says what there is")                                        \
    X(BAD_DOMAINS, "bad-domains", ERROR, "domains that are none",                                  \
      "write a list of names of a-z, 0-9 and dots, not `all`")                                     \
    X(BAD_ALLOW, "bad-allow", ERROR, "an `allow` without a rule or a reason",                      \
      "write {rule, reason}: a rule of docs/machine-check.md that warns, and why it is right "     \
      "here")                                                                                      \
    X(UNDECLARED_EVENT, "undeclared-event", ERROR,                                                 \
      "a handler of an event that no contract of the machine declares",                            \
      "correct the type, or list the contract that emits it under contracts.services")             \
    X(REFUSED_DATA, "refused-data", ERROR, "emitted data that the contract refuses",               \
      "give the data that the contract's schema asks for")                                         \
    X(UNREACHABLE_STATE, "unreachable-state", WARNING, "a state that nothing leads to",            \
      "add a transition to it, or remove it")                                                      \
    X(DEAD_END, "dead-end", WARNING, "a state that is not final and that nothing leads out of",    \
      "add a transition out of it, or make it `type: final`")                                      \
    X(UNHANDLED_REPLY, "unhandled-reply", WARNING,                                                 \
      "a called service's reply or error that no state after the call handles",                    \
      "handle it in `on` of the state that waits; `null` there says that it may be ignored")       \
    X(SHADOWED_TRANSITION, "shadowed-transition", WARNING,                                         \
      "a transition that an earlier one never lets be taken",                                      \
      "move it before the other one, or give that one a guard")                                    \
    X(ENDLESS_ALWAYS, "endless-always", WARNING, "`always` transitions that never come to rest",   \
      "let one of the states wait for an event, or give a way out of the circle")                  \
    X(REFUSED_OUTPUT, "refused-output", WARNING,                                                   \
      "an output that the contract's `complete` refuses",                                          \
      "give the data that the contract's `complete` asks for")                                     \
    X(UNSET_CONTEXT, "unset-context", WARNING, "a context key that is read and never set",         \
      "declare it in `context`, or assign it")                                                     \
    X(UNKNOWN_FIELD, "unknown-field", WARNING,                                                     \
      "an expression that reads what the event's schema does not have",                            \
      "read a field that the schema declares, or declare it there")                                \
    X(UNDECLARED_EMISSION, "undeclared-emission", WARNING,                                         \
      "an emitted event that no contract declares",                                                \
      "correct the type, or declare it in a contract; data of other types is not checked")         \
    X(UNUSED_ALLOW, "unused-allow", WARNING, "an `allow` that allows nothing", "remove it")

typedef enum check_rule {
#define CHECK_RULE_ENUM(name, id, severity, summary, help) CHECK_##name,
    CHECK_RULES(CHECK_RULE_ENUM)
#undef CHECK_RULE_ENUM
        CHECK_RULE_COUNT
} check_rule;

/* ---- Findings (check.c) ----------------------------------------------------- */

/* What the check keeps of a finding besides what it shows. */
typedef struct check_entry {
    arvo_finding finding;
    uint16_t state; /* CHART_NONE: none */
} check_entry;

struct arvo_check {
    const arvo_allocator *allocator;
    arvo_arena *arena;
    check_entry *entries;
    size_t count;
    size_t cap;
    bool is_cut;
    size_t bytes_looked_through; /* for lines */
    bool has_failed;             /* out of memory */
    /* URIs of contracts in arvo-core's exported form, whose `additionalProperties: false` drops
     * keys instead of refusing them; and whether the list is complete. */
    const arvo_str *stripping;
    size_t stripping_count;
    bool knows_stripping;
};

/* Where a finding is. */
typedef struct check_place {
    const arvo_document *document;
    arvo_str pointer;
    arvo_str machine;
    arvo_str path; /* of the state; none: no state */
    uint16_t state;
} check_place;

/* `help` none: the rule's. A finding that is there already is not added again. */
void arvo__check_add(
    arvo_check *check, check_rule rule, const check_place *place, arvo_str help, const char *format,
    ...) ARVO_PRINTF(5, 6);

/* An error that a reader of documents made: "file:line: pointer: what; what to do". */
void arvo__check_add_error(
    arvo_check *check, check_rule rule, const check_place *place, const arvo_error *err);

/* The pointer that the text of such an error names, if it does; "" otherwise. */
arvo_str arvo__check_error_pointer(const arvo_document *document, const arvo_error *err);

/* By file, line, rule. */
void arvo__check_sort(arvo_check *check);
arvo_status arvo__check_status(const arvo_check *check, arvo_error *err);

/* CHECK_RULE_COUNT: no such rule. */
check_rule arvo__check_rule_find(arvo_str id);

/* ---- Loading (machine.c, check_load.c) ---------------------------------------- */

/* What the compiler says beside the text of its error. */
typedef struct arvo__diagnosis {
    arvo_arena *arena;
    check_rule rule;  /* CHECK_RULE_COUNT: by the status */
    arvo_str pointer; /* none: see the text */
} arvo__diagnosis;

/* As arvo_machine_create(); `diagnosis` nullable. */
arvo_status arvo__machine_create(
    const arvo_machine_setup *setup, const arvo_document *document, arvo__diagnosis *diagnosis,
    arvo_machine **out, arvo_error *err);

/* The document without what stands at `pointer`, such that nothing else is refused for its sake;
 * NULL: that cannot be done, or out of memory. The places of everything else stay. */
const arvo_json *
arvo__check_repair(arvo_arena *arena, const arvo_json *root, arvo_str pointer, check_rule rule);

/* ---- One machine ------------------------------------------------------------------ */

typedef struct machine_check machine_check;
typedef struct check_read check_read;

struct machine_check {
    arvo_check *check;
    arvo_arena *arena; /* the check's */
    const arvo_machine *machine;
    const arvo_document *document;
    const arvo_json *root;   /* of the document, repaired */
    bool is_repaired;        /* so only what a repair cannot have caused may be said */
    const arvo_json **nodes; /* the document's part of each state */
    arvo_str *pointers;
    arvo_str *paths;
    uint8_t *reachable; /* by state */
    arvo_buf pointer;   /* where the walk is */
    arvo__map raised;   /* types that it raises */
    arvo__map assigned; /* keys of its context */
    bool raises_any;    /* types that cannot be told, too */
    bool assigns_any;
    check_read *reads; /* fields of events */
    size_t steps_left; /* of the walk; at 0 it stops, and what was not seen may be anything */
};

/* What a machine's chart, expressions and contracts say; `root`: its document, perhaps repaired. */
arvo_status arvo__check_chart(
    arvo_check *check, const arvo_machine *machine, const arvo_document *document,
    const arvo_json *root, bool is_repaired, arvo_error *err);

/* ---- Reaching (check_reach.c) ----
 *
 * Guards are taken as free: any of them may hold, so a state is reached when some choice of guards
 * leads to it. */

typedef struct check_reach {
    const arvo_machine *machine;
    uint8_t *seen;          /* by state; not 0: may become active */
    const uint8_t *history; /* what a history state may restore, as `seen`; NULL: what was seen */
    uint16_t *queue;        /* seen and not yet followed */
    uint32_t queued;
} check_reach;

/* Nothing reached yet. False: out of memory. Its memory is the arena's. */
bool arvo__check_reach_init(check_reach *r, const arvo_machine *machine, arvo_arena *arena);
void arvo__check_reach_enter(check_reach *r, uint16_t state); /* as a target */
void arvo__check_reach_add(check_reach *r, uint16_t state);   /* that alone */
void arvo__check_reach_follow(check_reach *r);                /* to the end */

/* Whether the state may be done: a final child reached, or every region done. */
bool arvo__check_may_be_done(const arvo_machine *machine, const uint8_t *seen, uint16_t state);

/* Whether the transitions of this handler may be taken at all: those of onDone wait for the state
 * to be done. */
bool arvo__check_handler_lives(
    const arvo_machine *machine, const uint8_t *seen, uint16_t state, const chart_handler *handler);

/* "did you mean 'x'?" for a name that is nearly one of `names`; none: it is not. */
arvo_str arvo__check_suggest(arvo_arena *arena, arvo_str name, const arvo_str *names, size_t count);

/* The handler of an exact descriptor; NULL: none. */
const chart_handler *
arvo__check_handler_find(const arvo_machine *machine, uint16_t state, arvo_str descriptor);

/* ---- Going through the document (check_walk.c) ---- */

typedef enum check_slot {
    CHECK_SLOT_STATE,      /* entry, exit, initial actions, output; of the root: context */
    CHECK_SLOT_TRANSITION, /* guards and actions */
    CHECK_SLOT_NAMED       /* an entry of `guards` or `actions` in itself */
} check_slot;

typedef struct check_where {
    uint16_t state;
    check_slot slot;
    arvo_str event;                     /* the one type that is handled; none: any, or unknown */
    const chart_transition *transition; /* NULL: none */
} check_where;

/* What is called for each thing; mc->pointer says where it is. Named guards and actions are gone
 * into from wherever they are referred to. */
typedef struct check_visitor {
    void (*expression)(machine_check *mc, const check_where *where, arvo_str program);
    void (*action)(
        machine_check *mc, const check_where *where, arvo_str name, const arvo_json *params);
    void (*handler)(
        machine_check *mc, const check_where *where, const chart_handler *handler); /* in `on` */
    void (*transitions)(machine_check *mc, const check_where *where, const arvo_json *list);
} check_visitor;

/* False: it did not see everything. */
bool arvo__check_walk(machine_check *mc, const check_visitor *visitor);

/* ---- Groups of rules ---- */

void arvo__check_places(machine_check *mc); /* check_facts.c: all that follow, place by place */
void arvo__check_handler(machine_check *mc, const check_where *where, const chart_handler *handler);
void arvo__check_order(machine_check *mc, const check_where *where, const arvo_json *list);
void arvo__check_emission(machine_check *mc, const check_where *where, const arvo_json *params);
void arvo__check_expression(machine_check *mc, const check_where *where, arvo_str program);
void arvo__check_context_read(machine_check *mc, const check_where *where, arvo_str key);
void arvo__check_fields(machine_check *mc); /* after the walk */
void arvo__check_output(machine_check *mc);

/* The data of an emission whose params stand where mc->pointer is, against the rule of a contract
 * with this URI. */
void arvo__check_data(
    machine_check *mc, uint16_t state, const arvo_json *params, const arvo_event_rule *rule,
    arvo_str uri);

void arvo__check_graph(machine_check *mc); /* unreachable-state, dead-end, endless-always */

#define CHECK_STEPS_MAX ((size_t)1000000) /* visits of one walk */

void arvo__check_at_state(
    machine_check *mc, check_rule rule, uint16_t state, arvo_str pointer, arvo_str help,
    const char *format, ...) ARVO_PRINTF(6, 7);

#endif
