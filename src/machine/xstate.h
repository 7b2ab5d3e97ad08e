/* machine/xstate.h - what import and export of XState configurations share. */
#ifndef ARVO_SRC_MACHINE_XSTATE_H
#define ARVO_SRC_MACHINE_XSTATE_H

#include <arvo/xstate.h>

#include "json/internal.h"

#define XSTATE_DEPTH_MAX ARVO_JSON_DEPTH_MAX

/* How what XState's JSON has no words for is written. */
#define XSTATE_OWN_KEY    "arvo"            /* member of meta */
#define XSTATE_EXPRESSION "arvo.expression" /* guard {type, params: {expression}} */
#define XSTATE_FORBIDDEN  "forbidden"       /* meta.arvo of a transition that was null */

/* Built-in actions: the document's name, XState's, and the param that holds the document's. */
typedef struct xstate_action {
    const char *name;
    const char *type;
    const char *param;
} xstate_action;

extern const xstate_action arvo__xstate_actions[]; /* ends with a row without a name */

/* Keys of the machine that XState has not. */
extern const char *const arvo__xstate_own_keys[]; /* ends with NULL */

/* One walk through a document: where it is, and what it has to say. */
typedef struct xstate_walk {
    arvo_arena *arena;
    arvo_buf pointer;
    arvo_xstate_note *notes;
    size_t note_count;
    size_t note_cap;
    size_t error_count;
    size_t left_off;
    arvo__map names; /* guards and actions that somebody must supply, once each */
    uint32_t depth;
    bool is_too_deep;
} xstate_walk;

size_t arvo__xstate_enter(xstate_walk *w, arvo_str key);
size_t arvo__xstate_enter_item(xstate_walk *w, size_t i);
void arvo__xstate_leave(xstate_walk *w, size_t mark);

void arvo__xstate_error(xstate_walk *w, const char *format, ...) ARVO_PRINTF(2, 3);
void arvo__xstate_note(xstate_walk *w, const char *format, ...) ARVO_PRINTF(2, 3);

/* One level deeper; false: too deep, noted. Leave with w->depth--. */
bool arvo__xstate_descend(xstate_walk *w);

/* What came of the walk; frees what it holds. */
arvo_status arvo__xstate_finish(
    xstate_walk *w, const arvo_json *result, const arvo_json **out, arvo_xstate_report *report,
    arvo_error *err);

typedef const arvo_json *(*xstate_convert_fn)(xstate_walk *w, const arvo_json *value);

/* A value, or each item of a list. */
const arvo_json *
arvo__xstate_each(xstate_walk *w, const arvo_json *value, xstate_convert_fn convert);
/* Each member of an object; what is no object is an error. */
const arvo_json *
arvo__xstate_members(xstate_walk *w, const arvo_json *value, xstate_convert_fn convert);
/* The value of a member, at its place. */
const arvo_json *arvo__xstate_member(
    xstate_walk *w, const arvo_json *object, const char *key, xstate_convert_fn convert);

/* {type, params: {param: value}} */
const arvo_json *
arvo__xstate_typed(xstate_walk *w, const char *type, const char *param, const arvo_json *value);

static inline void
xstate_set(xstate_walk *w, arvo_json *object, const char *key, const arvo_json *value)
{
    if (value != NULL)
        arvo_json_set(w->arena, object, arvo_str_from(key), value);
}

#endif
