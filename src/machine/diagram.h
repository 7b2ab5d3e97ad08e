/* machine/diagram.h - what is drawn of a machine, before it is written in some format.
 *
 * Texts are plain, whole and without markup: the writers wrap, cut and escape.
 */
#ifndef ARVO_SRC_MACHINE_DIAGRAM_H
#define ARVO_SRC_MACHINE_DIAGRAM_H

#include <arvo/diagram.h>

#include "machine/chart.h"

#define DIAGRAM_TEXT_BYTES_MAX 2000u /* of one text; longer ones end in an ellipsis */
#define DIAGRAM_SMALL_MAX      40u   /* states; a larger chart has shorter labels */
#define DIAGRAM_HUB_MIN        8u    /* arrows from afar to one state of a large chart: then none */

/* Texts in a growing list, in the arena. */
typedef struct diagram_texts {
    arvo_str *items;
    uint32_t count;
    size_t cap;
} diagram_texts;

typedef struct diagram_state {
    const arvo_json *json;
    arvo_str title;
    diagram_texts lines; /* entry, exit, what it does without leaving */
    arvo_str initial;    /* actions of the initial transition; empty: none */
    bool is_box;         /* has something inside: drawn around its children */
    bool is_active;
    bool has_any; /* a transition from it leads to its own inside */
} diagram_state;

typedef enum diagram_end {
    DIAGRAM_END_STATE = 0,
    DIAGRAM_END_ANY,    /* from: whichever state inside is active */
    DIAGRAM_END_INITIAL /* to: the initial mark inside, seen from within */
} diagram_end;

typedef struct diagram_edge {
    uint16_t from;
    uint16_t to;
    diagram_end from_end;
    diagram_end to_end;
    bool is_error; /* all its events are failures of services */
    uint32_t order;
    diagram_texts labels;
} diagram_edge;

typedef struct diagram {
    const arvo_machine *machine;
    const arvo_diagram_opts *opts;
    arvo_arena *arena;
    const arvo_json *root;
    diagram_state *states; /* numbered as the machine's */
    diagram_edge *edges;   /* one per pair of states, in the order of their first transition */
    uint32_t edge_count;
    size_t edge_cap;
} diagram;

/* diagram.c: arena exhausted is the only failure; ask arvo_arena_failed(). */
void arvo__diagram_text_add(diagram *d, diagram_texts *texts, arvo_str text);

/* ---- diagram_text.c ---- */

arvo_str arvo__diagram_guard_text(const diagram *d, const arvo_json *guard);
/* "a, b, emit type → service" */
arvo_str arvo__diagram_actions_text(const diagram *d, const arvo_json *actions);
/* "event [guard] → target / actions"; json is one transition. target none: not named. */
arvo_str arvo__diagram_transition_text(
    const diagram *d, arvo_str event, const arvo_json *json, arvo_str target);

/* One row of a wrapped text after the other; false: no more. Begin with { .rest = text }. */
typedef struct diagram_rows {
    arvo_str rest;
    uint32_t columns; /* at most */
    uint32_t rows_left;
    bool is_cut; /* the row ends in an ellipsis, which the caller writes */
} diagram_rows;

bool arvo__diagram_row(diagram_rows *rows, arvo_str *row);

/* ---- Writers ---- */

void arvo__diagram_dot(const diagram *d, arvo_buf *out);
void arvo__diagram_mermaid(const diagram *d, arvo_buf *out);
/* Lay out DOT text; edge module. */
arvo_status
arvo__diagram_svg(const arvo_allocator *allocator, arvo_str dot, arvo_buf *out, arvo_error *err);

/* For the writers. */
static inline const chart_state *
diagram_chart(const diagram *d, uint32_t number)
{
    return &d->machine->states[number];
}

#endif
