/* machine/compile.h - from a machine document to a chart: what its parts share. */
#ifndef ARVO_SRC_MACHINE_COMPILE_H
#define ARVO_SRC_MACHINE_COMPILE_H

#include "machine/check.h"

/* A named guard or action of the document; compiled when first asked for. */
typedef struct named_entry {
    arvo_str name;
    const arvo_json *json;
    bool is_open; /* being compiled: meeting it again is a cycle */
    bool is_done;
    chart_guard *guard;
    chart_actions actions;
} named_entry;

typedef struct named_table {
    named_entry *items;
    size_t count;
} named_table;

typedef struct compiler {
    arvo_machine *machine;
    arvo_arena *arena; /* the machine's */
    const arvo_machine_setup *setup;
    const arvo_document *document;
    const arvo_json *root; /* a copy, in the arena */
    arvo_buf pointer;      /* where we are in the document */
    chart_state *states;
    const arvo_json **nodes; /* the document's part of each state */
    named_table guards;
    named_table actions;
    const arvo_guard_def *guard_functions; /* copies of the setup's */
    const arvo_action_def *action_functions;
    bool reads_input; /* some expression outside `context` does */
    uint32_t event_count;
    uint32_t depth;             /* of nested guards, actions and entries */
    arvo__diagnosis *diagnosis; /* NULL: nobody asks */
    arvo_error *err;
} compiler;

#define COMPILE_NESTING_MAX 64u /* of guards in guards, actions in actions */

/* ---- Errors, keys, pointers (compile_keys.c) ---- */

/* "file:line: pointer: text" for the place we are at. */
arvo_status arvo__compile_fail(compiler *c, arvo_status status, const char *format, ...)
    ARVO_PRINTF(3, 4);

/* Which rule the failure that follows breaks; it stays until another is named. */
static inline void
arvo__compile_rule(compiler *c, check_rule rule)
{
    if (c->diagnosis != NULL)
        c->diagnosis->rule = rule;
}

/* Step into a key or an item; the mark leads back. */
size_t arvo__compile_enter(compiler *c, arvo_str key);
size_t arvo__compile_enter_item(compiler *c, size_t i);
void arvo__compile_leave(compiler *c, size_t mark);

/* A key that an object may have. `advice` not NULL: it may not, and that is what to do. */
typedef struct compile_key {
    const char *name;
    const char *advice;
} compile_key;

/* Refuse keys that are not in the table (ended by a NULL name), with the nearest one that is. */
arvo_status arvo__compile_keys(
    compiler *c, const arvo_json *object, const compile_key *table, const char *what);

/* ", did you mean 'x'?" or "" for a name that is none of `names` (count of them); in the arena. */
arvo_str arvo__compile_suggest(compiler *c, arvo_str name, const arvo_str *names, size_t count);

/* An optional string member. */
arvo_status arvo__compile_str(compiler *c, const arvo_json *object, const char *key, arvo_str *out);

/* Memory of the machine; NULL: out of memory. */
void *arvo__compile_alloc(compiler *c, size_t count, size_t size);

/* A value as a template. */
arvo_status arvo__compile_template(compiler *c, const arvo_json *value, const arvo__template **out);

/* ---- Parts ---- */

arvo_status arvo__compile_guard(compiler *c, const arvo_json *json, const chart_guard **out);
arvo_status arvo__compile_actions(compiler *c, const arvo_json *json, chart_actions *out);
/* All named entries, used or not. */
arvo_status arvo__compile_named(compiler *c);
/* Params of an emission, or the keys that hold them. */
arvo_status arvo__compile_emission(compiler *c, const arvo_json *params, chart_action *out);
arvo_status arvo__compile_transitions(compiler *c);
arvo_status arvo__compile_contracts(compiler *c);
arvo_status arvo__compile_chart(compiler *c);
arvo_status arvo__compile_histories(compiler *c);
arvo_status arvo__compile_plans(compiler *c);

/* Services of a custom machine too (contracts.c). */
arvo_status arvo__machine_link_services(arvo_machine *machine, arvo_error *err);

#endif
