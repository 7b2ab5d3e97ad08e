/* arvo/xstate.h - machine documents from XState's configurations, and back.
 *
 * A configuration is what `createMachine()` takes, as JSON: what Stately Studio
 * exports, or JSON.stringify() writes. Statecharts mean the same in both
 * (docs/statecharts.md); what Arvo has beside (contracts, named guards and
 * actions, costs) travels in `meta.arvo`, expressions as strings.
 *
 * Threads: pure functions.
 */
#ifndef ARVO_XSTATE_H
#define ARVO_XSTATE_H

#include <arvo/json.h>

ARVO_BEGIN_DECLS

#define ARVO_XSTATE_NOTES_MAX 1000u /* more are counted, not kept */

typedef struct arvo_xstate_note {
    arvo_str pointer; /* JSON pointer into what was read */
    arvo_str text;    /* what it is, what to do; one line */
    bool is_error;    /* it has no counterpart; else: what was done about it */
} arvo_xstate_note;

typedef struct arvo_xstate_report {
    const arvo_xstate_note *notes; /* in the order of the text; arena */
    size_t note_count;
    size_t error_count; /* of all, kept or not */
    size_t left_off;    /* notes that were not kept */
} arvo_xstate_report;

/**
 * A machine document (kind machine) from an XState 5 configuration. It is not compiled here: names
 * and targets are arvo_machine_create()'s to check.
 *
 * @param out     Written on success only; arena, shares parts of `config`.
 * @param report  Written with ARVO_OK and ARVO_E_UNSUPPORTED; arena.
 * @return ARVO_OK, ARVO_E_UNSUPPORTED (some of it has no counterpart: the report says what),
 *         ARVO_E_INVALID (no configuration), ARVO_E_TOO_BIG (nested too deep), ARVO_E_NOMEM.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_xstate_import(
    const arvo_json *config, arvo_arena *arena, const arvo_json **out, arvo_xstate_report *report,
    arvo_error *err);

/**
 * An XState 5 configuration from a machine document that arvo_machine_create() accepts.
 *
 * Law: import(export(document)) equals the document.
 *
 * @return as for arvo_xstate_import(); ARVO_E_UNSUPPORTED: it uses names that are XState's own.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_xstate_export(
    const arvo_json *document, arvo_arena *arena, const arvo_json **out, arvo_xstate_report *report,
    arvo_error *err);

ARVO_END_DECLS

#endif
