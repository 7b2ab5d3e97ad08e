/* machine/run.h - one macrostep under way: what the parts of the algorithm share.
 *
 * The algorithm is XState 5.33.3's (spec 11), kept recognisable: a snapshot
 * is a list of active states in the order they became active, a microstep
 * makes the next list. Everything is in the call's arena; a snapshot is never
 * changed, so that a failed step can answer with the one before it.
 */
#ifndef ARVO_SRC_MACHINE_RUN_H
#define ARVO_SRC_MACHINE_RUN_H

#include "machine/chart.h"

#define RUN_WORK_MAX 1000000u /* actions, guards and states to enter, per macrostep */

/* What a history state recalls. */
typedef struct run_history {
    uint16_t state;
    chart_states nodes;
} run_history;

/* Active states: a list in order of activation, and the same as a set. */
typedef struct run_nodes {
    const uint16_t *items;
    uint32_t count;
    const uint64_t *bits;
} run_nodes;

struct arvo__snapshot {
    run_nodes nodes;
    const run_history *history; /* in the order the entries were made */
    uint32_t history_count;
    const arvo_json *context;
    const arvo_json *output; /* NULL: undefined */
    const arvo_json *error;  /* NULL: undefined */
    arvo_machine_status status;
    const uint16_t *first; /* of an answer: the tree of its value, see struct run */
    const uint16_t *next;
};

typedef struct arvo__snapshot run_snapshot;

typedef struct run_event {
    const arvo_json *json;
    arvo_str type;
    uint32_t number; /* BITS_NONE: no state has its exact type in `on` */
} run_event;

/* What an action function asked for; done after it returned. */
typedef struct run_effect {
    enum { RUN_ASSIGN, RUN_RAISE, RUN_EMIT, RUN_LOG } kind;
    arvo_str text; /* key, message */
    const arvo_json *value;
} run_effect;

typedef struct run run;

struct arvo__scope_impl {
    run *run;
    bool is_action;
    bool has_failed;
    arvo_str fail_name;
    arvo_str fail_message;
    run_effect *effects;
    uint32_t effect_count;
    uint32_t effect_cap;
};

struct run {
    const arvo_machine *machine;
    arvo_arena *arena;
    arvo_scope scope; /* context, event and input as they are now */
    struct arvo__scope_impl impl;

    run_snapshot now; /* the snapshot that guards ask; context moves on with each assign */
    run_event event;  /* being handled */
    bool has_changed; /* `now` is no longer the snapshot the microstep began with */
    uint64_t *active; /* during a microstep: the states active now */
    uint64_t *exiting;
    uint64_t *entering;
    uint64_t *by_default;  /* entered by default: their initial actions run too */
    uint64_t *completed;   /* parallel states whose done event this microstep has queued */
    const uint16_t *first; /* tree of the value: first active child of an active state, ... */
    const uint16_t *next;  /* ... and next sibling; of the previous answer until we make our own: */
    uint16_t *links;

    const chart_transition **enabled;
    uint32_t enabled_count;
    uint32_t enabled_cap;

    run_event *queue;
    uint32_t queue_head;
    uint32_t queue_count;
    uint32_t queue_cap;
    arvo_emission *emissions;
    uint32_t emission_count;
    uint32_t emission_cap;
    arvo_str *logs;
    uint32_t log_count;
    uint32_t log_cap;

    uint32_t work;
    uint32_t entry_depth;
    bool met_history; /* what is entered depends on a history state */
    bool is_start;
    bool in_memory; /* nobody wants the snapshot as text */
    /* During the start XState runs custom actions after the macrostep (spec 11.8.2): a failing one
     * leaves the snapshot of the whole start, and nothing after it is seen. */
    bool start_failed;
    arvo_status status; /* ARVO_OK, ARVO_E_EXECUTION, ARVO_E_NOMEM */
    arvo_str error_name;
    arvo_str error_message;
};

/* All of these return false when the step has failed (run->status says how). */

bool arvo__run_fail(run *r, const char *format, ...) ARVO_PRINTF(2, 3);
bool arvo__run_nomem(run *r);

/* Count one unit of work; false: the bound is passed. */
static inline bool
run_work(run *r)
{
    if (ARVO_LIKELY(r->work++ < RUN_WORK_MAX))
        return true;
    return arvo__run_fail(r, "one step takes more than %u actions and guards", RUN_WORK_MAX);
}

/* Room for one more item of a list in the arena; NULL: failed. */
void *arvo__run_grow(run *r, void *items, uint32_t count, uint32_t *cap, size_t size);

bool arvo__run_eval(
    run *r, const arvo__template *template_, const arvo_json *params, const arvo_json **out);

/* guard.c; guard NULL: holds */
bool arvo__run_guard(run *r, const chart_guard *guard, const arvo_json *params, bool *out);

/* action.c */
bool arvo__run_actions_all(run *r, chart_actions actions, const arvo_json *params);
bool arvo__run_raise(run *r, const arvo_json *event);
bool arvo__run_log(run *r, arvo_str message);
bool arvo__run_raise_done(run *r, arvo_str type, const arvo_json *output);
/* assign each member of `values` */
bool arvo__run_assign(run *r, const arvo_json *values);

/* emission.c */
bool arvo__run_emit_slots(run *r, const chart_action *action, const arvo_json *params);
bool arvo__run_emit_object(run *r, const arvo_json *object);

/* select.c: fill run->enabled */
bool arvo__run_enable(run *r, const chart_transition *t);
bool arvo__run_select_event(run *r);
bool arvo__run_select_always(run *r);
bool arvo__run_remove_conflicts(run *r);
/* Active states that a transition leaves: those in [*from, *to). */
bool arvo__run_exit_range(run *r, const chart_transition *t, uint32_t *from, uint32_t *to);
/* Its targets with history states resolved. */
bool arvo__run_effective(run *r, const chart_transition *t, chart_states *out);
uint16_t arvo__run_domain(const run *r, const chart_transition *t, const chart_states *effective);
const run_history *arvo__run_recall(const run *r, uint16_t state);

/* enter.c: fill run->entering and run->by_default from run->enabled */
bool arvo__run_entry_set(run *r);

/* step.c */
bool arvo__run_start(run *r);
bool arvo__run_event(run *r);

/* configuration.c */
/* With the descendants and ancestors that are missing (what XState calls getAllStateNodes). */
bool arvo__run_complete(run *r, run_nodes *nodes);
/* Build the tree of the value from the active states. */
bool arvo__run_tree(run *r);
/* The same of active states that are to be completed if they are not complete. */
bool arvo__run_tree_completed(run *r);
/* The state value as JSON text (spec 11.13). */
void arvo__run_value_write(const run *r, arvo_buf *text);
/* Nodes from a persisted value; false with `what` empty: out of memory. */
bool arvo__run_nodes_from_value(run *r, const arvo_json *value, run_nodes *out, arvo_str *what);
/* The same from text as arvo__run_value_write() makes it; what is left of the text behind the
 * value, none: it has another form (or memory is out), ask JSON. */
arvo_str arvo__run_nodes_from_text(run *r, arvo_str text, run_nodes *out);
bool arvo__run_nodes_make(run *r, const uint16_t *items, uint32_t count, run_nodes *out);

/* snapshot.c */
arvo_status arvo__snapshot_read(run *r, arvo_str text, arvo_error *err);
/* size_hint: bytes it will probably have. Fails, too, when what it would write could not be read.
 */
bool arvo__snapshot_write(run *r, size_t size_hint, arvo_machine_output *out);

static inline const chart_state *
run_state(const run *r, uint32_t number)
{
    return &r->machine->states[number];
}

static inline bool
arvo__run_actions(run *r, chart_actions actions, const arvo_json *params)
{
    return actions.count == 0 || arvo__run_actions_all(r, actions, params);
}

/* arvo_buf_append() without the call, where there is room. */
static inline void
run_put(arvo_buf *text, const char *bytes, size_t len)
{
    if (ARVO_UNLIKELY(len >= text->cap - text->len)) {
        arvo_buf_append(text, bytes, len);
        return;
    }
    memcpy(text->ptr + text->len, bytes, len);
    text->len += len;
}

static inline void
run_put_str(arvo_buf *text, arvo_str str)
{
    run_put(text, str.ptr, str.len);
}

static inline void
run_event_resolve(const run *r, run_event *event)
{
    const uintptr_t known = (uintptr_t)arvo__map_find(&r->machine->events, event->type);
    event->number = known != 0 ? (uint32_t)known - 1 : BITS_NONE;
}

#endif
