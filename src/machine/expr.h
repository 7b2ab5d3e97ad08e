/* machine/expr.h - expressions and templates (DESIGN 5).
 *
 * A string that is wholly `${ ... }` is a jq program over {context, event,
 * input, params}; objects and arrays are templates, evaluated through; any
 * other value is literal. The common shapes (paths, literals, comparisons,
 * arithmetic, boolean operators, ...) run natively on arvo_json with jq 1.6's
 * results; the rest runs in libjq, compiled together per evaluator, lazily.
 *
 * An expression's value is its first output, null when it has none. A guard
 * holds unless its value is false or null (jq's truth).
 *
 * Threads: a set is built by one thread, then finished, then immutable;
 *          evaluators are taken from its pool, one per thread at a time.
 */
#ifndef ARVO_SRC_MACHINE_EXPR_H
#define ARVO_SRC_MACHINE_EXPR_H

#include <arvo/machine.h>

#include "json/internal.h"

typedef struct arvo__expr_set arvo__expr_set;   /* all expressions of one machine or mock */
typedef struct arvo__template arvo__template;   /* one compiled value; owned by its set */
typedef struct arvo__evaluator arvo__evaluator; /* what one thread needs to run them */

arvo__expr_set *arvo__expr_set_new(const arvo_allocator *allocator); /* NULL: out of memory */
void arvo__expr_set_free(arvo__expr_set *set);

/* Compile a JSON value as a template. Errors carry file:line (document, nullable; it must live
 * until the set is finished) and `pointer`, which names the value: syntax errors, refused functions
 * (env, input, $ENV, halt, import, I/O), unknown top-level names other than context, event, input,
 * params. ARVO_E_INVALID, ARVO_E_UNSUPPORTED (needs jq and the library was built without),
 * ARVO_E_NOMEM. */
arvo_status arvo__template_compile(
    arvo__expr_set *set, const arvo_json *value, const arvo_document *document, arvo_str pointer,
    const arvo__template **out, arvo_error *err);

/* Whether a string of a document is an expression, "${ ... }" wholly; none: false. */
bool arvo__expr_is(arvo_str text);

/* Whether it holds no expression; then *out_value is the value itself (lives with the set). */
bool arvo__template_is_constant(const arvo__template *tmpl, const arvo_json **out_value);
/* Whether any expression in it may read `.input`. */
bool arvo__template_reads_input(const arvo__template *tmpl);
/* Whether it is wholly one expression (not an object or array template). */
bool arvo__template_is_expression(const arvo__template *tmpl);

/* Check what jq must run (compiles all such programs together, once, here). Call after the last
 * compile. */
arvo_status arvo__expr_set_finish(arvo__expr_set *set, arvo_error *err);

/* Take an evaluator: cheap, lazily built; NULL: out of memory. Give it back after the step. A set
 * whose expressions are all native needs none, but calling these is always right. */
arvo__evaluator *arvo__evaluator_take(const arvo__expr_set *set);
void arvo__evaluator_give(const arvo__expr_set *set, arvo__evaluator *evaluator);

/* Value of the template in `scope`; in scope->arena, sharing parts of the scope's values.
 * `evaluator` may be NULL: then one is taken when jq is needed, and given back. Nothing of
 * scope->impl is used. ARVO_OK, ARVO_E_EXECUTION (failed, or a bound of time or memory: err->text
 * is for people), ARVO_E_NOMEM. */
arvo_status arvo__template_eval(
    const arvo__template *tmpl, const arvo__expr_set *set, arvo__evaluator *evaluator,
    const arvo_scope *scope, const arvo_json **out, arvo_error *err);

/* jq's truth: neither false nor null nor absent. */
static inline bool
arvo__json_is_truthy(const arvo_json *value)
{
    return value != NULL && value->type != ARVO_JSON_NULL &&
           !(value->type == ARVO_JSON_BOOL && !value->as.boolean);
}

#endif
